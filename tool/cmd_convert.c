/* SPDX-License-Identifier: MIT */
/* pagus convert: any readable trace to .pgt. */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "trace/pgt.h"
#include "trace/trace.h"

#define USAGE "convert [--force] [--level=1..22] IN OUT"

struct convert_options {
	const char *in, *out;
	int level;
	bool force;
};

static volatile sig_atomic_t interrupted;

static void note_signal(int signal)
{
	interrupted = signal;
}

/*
 * A signal that would end the program ends the loop instead, so that the unfinished file is
 * removed.
 */
static void catch_signals(void)
{
	static const int caught[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction action = { .sa_handler = note_signal };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaction(caught[i], &action, NULL);
}

static bool parse_level(const char *text, int *level)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < 1 || value > PGT_LEVEL_MAX)
		return false;
	*level = (int)value;
	return true;
}

static bool parse_options(int argc, char **argv, struct convert_options *o)
{
	static const struct option options[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "level", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'f')
			o->force = true;
		else if (c != 'l' || !parse_level(optarg, &o->level))
			return false;
	}
	if (argc - optind != 2)
		return false;
	o->in = argv[optind];
	o->out = argv[optind + 1];
	return true;
}

static int check_target(const struct convert_options *o)
{
	struct stat st;

	if (lstat(o->out, &st) != 0)
		return errno == ENOENT ? 0 : cmd_fail("%s: %s", o->out, strerror(errno));
	if (!o->force)
		return cmd_fail("%s: exists; --force replaces it", o->out);
	return cmd_check_output(o->out);
}

static bool copy_events(struct trace *t, struct pgt_writer *w, struct trace_error *err)
{
	const struct trace_event *batch;
	int n;

	while ((n = trace_next(t, &batch, err)) > 0) {
		if (interrupted) {
			snprintf(err->text, sizeof(err->text), "%s: not written: %s",
				 trace_meta(t)->path, strsignal(interrupted));
			return false;
		}
		if (!pgt_write(w, batch, (size_t)n, err))
			return false;
	}
	return n == 0;
}

int cmd_convert(int argc, char **argv)
{
	struct convert_options o = { .level = PGT_LEVEL_DEFAULT };
	struct trace_error err = { "" };
	struct pgt_writer *w;
	struct trace *t;
	bool ok;

	if (!parse_options(argc, argv, &o))
		return cmd_usage(USAGE);
	if (check_target(&o) != 0)
		return 1;
	t = trace_open(o.in, &err);
	if (t == NULL)
		return cmd_fail("%s", err.text);
	/*
	 * A .pgt file is made of what can be read whole: a bad end snapshot must not get into one.
	 */
	ok = trace_end(t, &err) != NULL || err.text[0] == '\0';
	if (ok) {
		catch_signals();
		w = pgt_create(o.out, t, o.level, &err);
		ok = w != NULL && copy_events(t, w, &err);
		if (ok)
			ok = pgt_finish(w, &err);
		else
			pgt_abandon(w);
	}
	trace_close(t);
	return ok ? 0 : cmd_fail("%s", err.text);
}
