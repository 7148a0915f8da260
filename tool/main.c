/* SPDX-License-Identifier: MIT */
/* The program `pagus`: finds the verb and runs it. */
#include "cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "outfile.h"

static const struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "info", "show what a trace holds and the state it starts from", cmd_info },
	{ "convert", "write any readable trace as a .pgt file", cmd_convert },
	{ "replay", "serve a trace's requests under a policy and report on it", cmd_replay },
	{ "verify", "check the library, page by page, against a recorded kernel", cmd_verify },
	{ "explain", "say why one recorded event came out as it did", cmd_explain },
	{ "synth", "make a load from a model, for machines larger than this one", cmd_synth },
	{ "proc", "print a machine's state as the kernel's /proc files do", cmd_proc },
};

#define NR_VERBS (sizeof(verbs) / sizeof(verbs[0]))

int cmd_fail(const char *fmt, ...)
{
	va_list args;

	fputs("pagus: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return 1;
}

static bool help_asked; /* how a verb is used is the answer, not an error */

int cmd_usage(const char *usage)
{
	if (!help_asked)
		return cmd_fail("usage: pagus %s", usage);
	printf("usage: pagus %s\n", usage);
	return 1;
}

int cmd_check_output(const char *path)
{
	struct outfile probe;

	if (!outfile_may_replace(path))
		return cmd_fail("%s: not a regular file, so it is not replaced", path);
	if (!outfile_open(&probe, path))
		return cmd_fail("%s: %s", path, strerror(errno));
	outfile_abandon(&probe);
	return 0;
}

static int show_help(void)
{
	puts("usage: pagus VERB [OPTION...] [ARGUMENT...]\n");
	for (size_t i = 0; i < NR_VERBS; i++)
		printf("  %-9s %s\n", verbs[i].name, verbs[i].help);
	puts("  help      show this; help VERB and VERB --help, how a verb is used\n"
	     "\n"
	     "pagus --version shows the version. Each verb has a page: man pagus-VERB.");
	return 0;
}

/* Without arguments every verb says how it is used. */
static int show_verb(const char *name)
{
	char *argv[] = { (char *)name, NULL };

	for (size_t i = 0; i < NR_VERBS; i++) {
		if (strcmp(name, verbs[i].name))
			continue;
		printf("pagus %s: %s\n", name, verbs[i].help);
		help_asked = true;
		verbs[i].run(1, argv);
		printf("All of it: man pagus-%s\n", name);
		return 0;
	}
	return cmd_fail("no verb \"%s\"; pagus help lists the verbs", name);
}

static int run_verb(int argc, char **argv)
{
	if (argc < 2)
		return cmd_usage("VERB [OPTION...] [ARGUMENT...]; pagus help lists the verbs");
	if (strcmp(argv[1], "--version") == 0) {
		puts("pagus " PAGUS_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0)
		return argc > 2 ? show_verb(argv[2]) : show_help();
	if (argc == 3 && strcmp(argv[2], "--help") == 0)
		return show_verb(argv[1]);
	for (size_t i = 0; i < NR_VERBS; i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	return cmd_fail("no verb \"%s\"; pagus help lists the verbs", argv[1]);
}

int main(int argc, char **argv)
{
	int status = run_verb(argc, argv);

	/* Output that could not be written is a failure, whatever the verb thought of it. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0)
		status = cmd_fail("standard output: %s", strerror(errno));
	return status;
}
