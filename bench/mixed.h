/* SPDX-License-Identifier: MIT */
/* Blocks of all orders at high occupancy, and how many large ranges stay free. */
#ifndef BENCH_MIXED_H
#define BENCH_MIXED_H

#include "crew.h"

#define MIXED_NR_RANGES 2

struct mixed_range {
	const char *name;
	uint32_t shift; /* a range has 2^shift bytes, and begins at a multiple of them from the base */
	uint64_t used;  /* ranges in which a block lay at the end; UINT64_MAX: out of memory */
};

extern struct mixed_range mixed_ranges[MIXED_NR_RANGES];

/* Body of a crew. */
void mixed_body(struct worker *w);

#endif
