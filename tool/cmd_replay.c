/* SPDX-License-Identifier: MIT */
/* pagus replay: serve a trace's requests under each policy asked for, and say what came of it. */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "outfile.h"
#include "replay/progress.h"
#include "replay/result.h"
#include "report/report.h"

#define USAGE "replay TRACE... [--policy NAME[,NAME...]] [--cpus N] [--defrag " \
	      "none|scan|choice|evacuate] [--ready K] [--huge every=SECONDS[,order=9|18][,count=N][,hold=SECONDS]] " \
	      "[--closed-loop] [--json FILE] [--html FILE]"

struct options {
	const char *policies[RESULT_POLICIES];
	uint32_t nr_policies, nr_cpus;
	struct whatif whatif;
	const char *json, *html;
	char *names; /* what --policy gave, cut at the commas */
};

/*
 * What is compared where nothing is asked for: the designs; of the releases, the first and the
 * last.
 */
static const char *const compared[] = { "linux", "nopcp", "nogroup", "plain", "linux-6.1" };

/* A short list of what could have been meant, for an error line. */
static const char *known_policies(void)
{
	static char text[256];
	size_t at = 0;
	const char *name;

	for (uint32_t n = 0; (name = pagus_policy_at(n, NULL)) && at < sizeof(text); n++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", n ? ", " : "", name);
	return text;
}

static int parse_policies(struct options *o, const char *list)
{
	free(o->names);
	o->nr_policies = 0;
	o->names = strdup(list);
	if (!o->names)
		return cmd_fail("no memory");
	for (char *name = o->names; name;) {
		char *comma = strchr(name, ',');

		if (comma)
			*comma++ = '\0';
		if (!pagus_policy_known(name))
			return cmd_fail("--policy: no policy \"%s\"; there are %s, and PCP+PLACE",
					name, known_policies());
		if (o->nr_policies == RESULT_POLICIES)
			return cmd_fail("--policy: more than %d policies", RESULT_POLICIES);
		o->policies[o->nr_policies++] = name;
		name = comma;
	}
	return 0;
}

static int parse_cpus(struct options *o, const char *text)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || value < 1 || value > PAGUS_MAX_CPUS)
		return cmd_fail("--cpus: \"%s\" is not a number from 1 to %d", text,
				PAGUS_MAX_CPUS);
	o->nr_cpus = (uint32_t)value;
	return 0;
}

static int parse_defrag(struct options *o, const char *text)
{
	char why[256];

	if (whatif_parse_defrag(&o->whatif.defrag, text, why, sizeof(why)))
		return 0;
	return cmd_fail("--defrag: %s", why);
}

static int parse_ready(struct options *o, const char *text)
{
	char why[256];

	if (whatif_parse_ready(&o->whatif.ready, text, why, sizeof(why)))
		return 0;
	return cmd_fail("--ready: %s", why);
}

static int parse_huge(struct options *o, const char *text)
{
	char why[256];

	if (whatif_parse_huge(&o->whatif.huge, text, why, sizeof(why)))
		return 0;
	return cmd_fail("--huge: %s", why);
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "defrag", required_argument, NULL, 'd' },
		{ "ready", required_argument, NULL, 'r' },
		{ "huge", required_argument, NULL, 'H' },
		{ "closed-loop", no_argument, NULL, 'l' },
		{ "json", required_argument, NULL, 'j' },
		{ "html", required_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, status = 0;

	for (; o->nr_policies < sizeof(compared) / sizeof(compared[0]); o->nr_policies++)
		o->policies[o->nr_policies] = compared[o->nr_policies];
	opterr = 0;
	while (status == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p')
			status = parse_policies(o, optarg);
		else if (c == 'c')
			status = parse_cpus(o, optarg);
		else if (c == 'd')
			status = parse_defrag(o, optarg);
		else if (c == 'r')
			status = parse_ready(o, optarg);
		else if (c == 'H')
			status = parse_huge(o, optarg);
		else if (c == 'l')
			o->whatif.closed_loop = true;
		else if (c == 'j')
			o->json = optarg;
		else if (c == 'h')
			o->html = optarg;
		else
			status = cmd_usage(USAGE);
	}
	if (status == 0 && optind == argc)
		status = cmd_usage(USAGE);
	if (status == 0 && o->html && argc - optind > 1)
		status = cmd_fail("--html shows one trace; %d were given", argc - optind);
	return status;
}

static int check_whatif(const struct options *o)
{
	char why[256];

	for (uint32_t n = 0; n < o->nr_policies; n++)
		if (!whatif_fits(&o->whatif, o->policies[n], why, sizeof(why)))
			return cmd_fail("%s", why);
	return 0;
}

/*
 * What cannot be written, or would take the place of a trace, is refused before anything is
 * replayed.
 */
static int check_output(const char *path, char **traces, int nr_traces)
{
	for (int n = 0; n < nr_traces; n++)
		if (outfile_same(path, traces[n]))
			return cmd_fail("%s: is a trace to be read, so it is not replaced", path);
	return cmd_check_output(path);
}

static int check_outputs(const struct options *o, char **traces, int nr_traces)
{
	int status = 0;

	if (o->json && o->html && outfile_same(o->json, o->html))
		return cmd_fail("%s: named by both --json and --html", o->html);
	if (o->json)
		status = check_output(o->json, traces, nr_traces);
	if (status == 0 && o->html)
		status = check_output(o->html, traces, nr_traces);
	return status;
}

static void show_progress(void *ctx, uint64_t done)
{
	progress_at(ctx, done);
}

static int replay_one(struct trace *t, const struct options *o, uint32_t n, struct result_set *set)
{
	struct trace_error err = { "" };
	struct progress progress;
	struct replay *r;
	double seconds;
	bool ok;

	if (n > 0 && !trace_rewind(t, &err))
		return cmd_fail("%s", err.text);
	progress_begin(&progress, o->policies[n], trace_meta(t)->nr_events);
	r = replay_run(t, o->policies[n], o->nr_cpus, &o->whatif, show_progress, &progress, &err);
	progress_end(&progress);
	if (!r)
		return cmd_fail("%s", err.text);
	seconds = (double)(progress_now_ns() - progress.start_ns) / 1e9;
	ok = result_take(set, r, o->policies[n], seconds, &err);
	replay_free(r);
	return ok ? 0 : cmd_fail("%s", err.text);
}

/* One trace under all policies: its results printed, and as JSON in *json. */
static int replay_trace(const char *path, const struct options *o, json_t **json)
{
	struct trace_error err = { "" };
	struct result_set *set = calloc(1, sizeof(*set));
	struct trace *t = set ? trace_open(path, &err) : NULL;
	int status = 0;

	if (!t)
		status = cmd_fail("%s", set ? err.text : "no memory");
	if (status == 0 && !whatif_possible(&o->whatif, t, &err))
		status = cmd_fail("%s", err.text);
	for (uint32_t n = 0; status == 0 && n < o->nr_policies; n++)
		status = replay_one(t, o, n, set);
	if (status == 0) {
		result_print(stdout, set);
		*json = result_json(set);
		if (!*json)
			status = cmd_fail("no memory");
	}
	if (set)
		result_set_fini(set);
	free(set);
	trace_close(t);
	return status;
}

typedef bool write_text(FILE *out, const char *json, size_t nr_bytes);

static bool write_json(FILE *out, const char *json, size_t nr_bytes)
{
	return fwrite(json, 1, nr_bytes, out) == nr_bytes && fputc('\n', out) != EOF;
}

static int write_output(const char *path, const json_t *json, size_t flags, write_text *write)
{
	struct outfile file;
	char *text = json_dumps(json, flags);

	if (!text)
		return cmd_fail("%s: no memory", path);
	if (!outfile_open(&file, path)) {
		free(text);
		return cmd_fail("%s: %s", path, strerror(errno));
	}
	if (!write(file.stream, text, strlen(text))) {
		int why = errno;

		free(text);
		outfile_abandon(&file);
		return cmd_fail("%s: %s", path, strerror(why));
	}
	free(text);
	return outfile_commit(&file) ? 0 : cmd_fail("%s: %s", path, strerror(errno));
}

/* Several traces make a set; one stands by itself. */
static json_t *join(json_t *all)
{
	if (json_array_size(all) == 1)
		return json_incref(json_array_get(all, 0));
	return json_pack("{s:s,s:i,s:O}", "format", "pagus-replay-set", "version", 1, "replays",
			 all);
}

int cmd_replay(int argc, char **argv)
{
	struct options o = { 0 };
	json_t *all = json_array(), *json = NULL;
	int status = parse_options(argc, argv, &o);

	if (status == 0)
		status = check_whatif(&o);
	if (status == 0)
		status = check_outputs(&o, argv + optind, argc - optind);
	for (int n = optind; status == 0 && n < argc; n++) {
		if (n > optind)
			putchar('\n');
		status = replay_trace(argv[n], &o, &json);
		if (status == 0)
			json_array_append_new(all, json);
	}
	if (status == 0 && (o.json || o.html)) {
		json = join(all);
		if (o.json)
			status = write_output(o.json, json, JSON_INDENT(1) | JSON_REAL_PRECISION(6),
					      write_json);
		if (status == 0 && o.html)
			status = write_output(o.html, json, JSON_COMPACT | JSON_REAL_PRECISION(6),
					      report_write);
		json_decref(json);
	}
	json_decref(all);
	free(o.names);
	return status;
}
