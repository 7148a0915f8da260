/* SPDX-License-Identifier: MIT */
/* pagus explain: why one recorded event came out as it did. */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "explain/explain.h"
#include "verify/verify.h"

#define USAGE "explain TRACE --event N"

struct explanation {
	struct explain_target target;
	struct trace_error err;
	bool ok;
};

static void print_there(void *ctx, struct machine *m)
{
	struct explanation *e = ctx;

	e->ok = explain_print(&e->target, m, &e->err);
}

static int parse_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-')
		return cmd_fail("--event: \"%s\" is not the number of an event", text);
	return 0;
}

/* Two readings of the trace: one finds the decision, the other leads the library to it. */
static int explain(const char *path, uint64_t number)
{
	struct explanation e = { .err = { "" } };
	struct trace_error err = { "" };
	struct trace *t = trace_open(path, &err);
	struct verify_stop stop = { .fn = print_there, .ctx = &e };
	struct verify v;
	bool ok = t && explain_find(t, number, &e.target, &err) && trace_rewind(t, &err);

	stop.before = e.target.decided;
	ok = ok && verify_until(&v, t, &stop, &err);
	trace_close(t);
	if (!ok)
		return cmd_fail("%s", err.text);
	return e.ok ? 0 : cmd_fail("%s", e.err.text);
}

int cmd_explain(int argc, char **argv)
{
	static const struct option options[] = {
		{ "event", required_argument, NULL, 'e' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t number = 0;
	bool given = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'e')
			return cmd_usage(USAGE);
		if (parse_number(optarg, &number))
			return 1;
		given = true;
	}
	if (!given || optind + 1 != argc)
		return cmd_usage(USAGE);
	return explain(argv[optind], number);
}
