/* SPDX-License-Identifier: MIT */
/*
 * Output files that appear whole or not at all: written beside their place and renamed when
 * complete.
 */
#ifndef OUTFILE_H
#define OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct outfile {
	FILE *stream;
	char *path, *temporary;
};

/* On failure, false with errno set; nothing remains. */
bool outfile_open(struct outfile *f, const char *path);
bool outfile_commit(struct outfile *f); /* also closes, on failure too */
void outfile_abandon(struct outfile *f);

#endif
