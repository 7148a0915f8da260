/* SPDX-License-Identifier: MIT */
/* Whether an adapter keeps its promises, and what it touches and keeps; nothing here is timed. */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include "crew.h"

struct check {
	uint64_t blocks;         /* that all workers held at once */
	uint64_t touched_pages;  /* of all managed, else of them: resident though nobody wrote */
	uint64_t resident_bytes; /* of the process, less the touched pages */
};

/*
 * Body of a crew: each worker takes all its blocks, gives them back and takes them again. Then it
 * writes to each, and looks whether all is still there when the others have written.
 */
void check_body(struct worker *w);

/* Of the last run. */
extern struct check check_result;

/* Resident bytes of the process. */
uint64_t check_resident_bytes(void);

#endif
