/* SPDX-License-Identifier: MIT */
/* pagus proc: the state of a replayed machine in the kernel's own text formats. */
#include "cmd.h"

#include <pagus/text.h>

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "outfile.h"
#include "replay/replay.h"
#include "verify/verify.h"

#define USAGE "proc TRACE [NAME...] [--policy NAME] [--at start|end] [--dir DIR]"

/* Mem-Info as the first CPU would print it. */
static void show_mem(const struct pagus *p, struct pagus_text *t)
{
	pagus_text_show_mem(p, t, 0);
}

static const struct text_file {
	const char *name;
	pagus_text_file *write;
	bool in_proc; /* what --dir writes */
} files[] = {
	{ "buddyinfo", pagus_text_buddyinfo, true },
	{ "pagetypeinfo", pagus_text_pagetypeinfo, true },
	{ "zoneinfo", pagus_text_zoneinfo, true },
	{ "vmstat", pagus_text_vmstat, true },
	{ "extfrag_index", pagus_text_extfrag_index, false },
	{ "unusable_index", pagus_text_unusable_index, false },
	{ "show_mem", show_mem, false },
};

#define NR_FILES (sizeof(files) / sizeof(files[0]))

struct options {
	const char *trace, *policy, *dir;
	bool at_end;
	char **names;
	int nr_names;
};

static const struct text_file *find_file(const char *name)
{
	for (size_t n = 0; n < NR_FILES; n++)
		if (strcmp(files[n].name, name) == 0)
			return &files[n];
	return NULL;
}

static int fail_unknown(const char *name)
{
	char known[256] = "";
	size_t at = 0;

	for (size_t n = 0; n < NR_FILES && at < sizeof(known); n++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", n ? ", " : "",
				       files[n].name);
	return cmd_fail("no text \"%s\"; there are %s", name, known);
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "at", required_argument, NULL, 'a' },
		{ "dir", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	int c, status = 0;

	opterr = 0;
	while (status == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p' && !pagus_policy_known(optarg))
			status = cmd_fail("--policy: no policy \"%s\"; pagus-replay(1) lists them",
					  optarg);
		else if (c == 'p')
			o->policy = optarg;
		else if (c == 'a' && (!strcmp(optarg, "start") || !strcmp(optarg, "end")))
			o->at_end = strcmp(optarg, "end") == 0;
		else if (c == 'a')
			status = cmd_fail("--at: \"%s\" is neither start nor end", optarg);
		else if (c == 'd')
			o->dir = optarg;
		else
			status = cmd_usage(USAGE);
	}
	if (status == 0 && (optind == argc || (optind + 1 == argc && !o->dir)))
		status = cmd_usage(USAGE);
	if (status != 0)
		return status;
	o->trace = argv[optind];
	o->names = argv + optind + 1;
	o->nr_names = argc - optind - 1;
	for (int n = 0; n < o->nr_names; n++)
		if (!find_file(o->names[n]))
			return fail_unknown(o->names[n]);
	return 0;
}

/* A text in memory of its own; NULL without memory. */
static char *make_text(const struct pagus *p, const struct text_file *file)
{
	struct pagus_text t;
	size_t room;
	char *text;

	pagus_text_init(&t, NULL, 0);
	file->write(p, &t);
	room = t.length + 1;
	text = malloc(room);
	if (text) {
		pagus_text_init(&t, text, room);
		file->write(p, &t);
	}
	return text;
}

static int write_file(const struct pagus *p, const char *dir, const struct text_file *file)
{
	struct outfile out;
	char *text, path[4096];
	bool ok;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file->name) >= sizeof(path))
		return cmd_fail("%s: %s", dir, strerror(ENAMETOOLONG));
	if (cmd_check_output(path) != 0)
		return 1;
	text = make_text(p, file);
	if (!text)
		return cmd_fail("no memory");
	ok = outfile_open(&out, path);
	if (ok && fputs(text, out.stream) == EOF) {
		int why = errno;

		outfile_abandon(&out);
		errno = why;
		ok = false;
	} else if (ok) {
		ok = outfile_commit(&out);
	}
	free(text);
	return ok ? 0 : cmd_fail("%s: %s", path, strerror(errno));
}

static int write_dir(const struct pagus *p, const char *dir)
{
	int status = 0;

	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		return cmd_fail("%s: %s", dir, strerror(errno));
	for (size_t n = 0; n < NR_FILES && status == 0; n++)
		if (files[n].in_proc)
			status = write_file(p, dir, &files[n]);
	return status;
}

static int show(const struct pagus *p, const struct options *o)
{
	if (o->dir && write_dir(p, o->dir) != 0)
		return 1;
	for (int n = 0; n < o->nr_names; n++) {
		char *text = make_text(p, find_file(o->names[n]));

		if (!text)
			return cmd_fail("no memory");
		fputs(text, stdout);
		free(text);
	}
	return 0;
}

int cmd_proc(int argc, char **argv)
{
	struct options o = { 0 };
	struct trace_error err = { "" };
	struct replay *r = NULL;
	struct machine *m = NULL;
	struct trace *t;
	int status = parse_options(argc, argv, &o);

	if (status != 0)
		return status;
	t = trace_open(o.trace, &err);
	if (!t)
		return cmd_fail("%s", err.text);
	if (!o.policy)
		o.policy = verify_policy_of(t, &err);
	if (o.policy && o.at_end)
		r = replay_run(t, o.policy, 0, NULL, NULL, NULL, &err);
	else if (o.policy)
		m = machine_build(trace_meta(t), trace_start(t), o.policy, trace_start(t)->nr_cpus,
				  &err);
	/* Of a trace that has been replayed the rest is intact too. */
	if ((r && (trace_end(t, &err) || !err.text[0])) || m)
		status = show(r ? &r->machine->pagus : &m->pagus, &o);
	else
		status = cmd_fail("%s", err.text);
	replay_free(r);
	machine_free(m);
	trace_close(t);
	return status;
}
