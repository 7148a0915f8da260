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

/*
 * Whether a file may come to stand at this path: nothing is there, or a regular file, which is
 * replaced. Devices, folders and links are not; a link is not followed.
 */
bool outfile_may_replace(const char *path);

/*
 * Whether two paths name the same file, or would if there were one. What a program reads or writes
 * under one name it must not replace under another.
 */
bool outfile_same(const char *a, const char *b);

/* On failure, false with errno set; nothing remains. */
bool outfile_open(struct outfile *f, const char *path);
bool outfile_commit(struct outfile *f); /* also closes, on failure too */
void outfile_abandon(struct outfile *f);

#endif
