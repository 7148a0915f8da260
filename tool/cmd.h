/* SPDX-License-Identifier: MIT */
/* The verbs of the program, one cmd_<verb>.c each, and how a verb fails. */
#ifndef CMD_H
#define CMD_H

/* Each takes argv from its own name on and returns the exit status: 0, or 1 after cmd_fail. */
int cmd_info(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_proc(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_synth(int argc, char **argv);

/* Print "pagus: TEXT" as one line on standard error. Always 1. */
int cmd_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * 0 if an output file can be made at `path`, without making it; else 1 after cmd_fail. Said before
 * the work whose result it is to hold.
 */
int cmd_check_output(const char *path);

/*
 * The arguments make no sense: say how the verb is used, `usage` being all after "pagus ". Always
 * 1.
 */
int cmd_usage(const char *usage);

#endif
