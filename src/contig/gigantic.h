/* SPDX-License-Identifier: MIT */
#ifndef PG_CONTIG_GIGANTIC_H
#define PG_CONTIG_GIGANTIC_H

#include "contig/range.h"

/*
 * A whole superpageblock of the zone, in *pfn: of the clean ones without gaps those with the least to
 * copy are tried, at most 8 of them; one that could not be had is left alone for some ticks. What is
 * missing of its size in free pages above the low mark is reclaimed first, if `gfp` lets it wait.
 * NO_MEMORY: too little is free, wherever it lies; BUSY: none of those tried could be had; CANCELLED.
 */
enum pagus_status pg_gigantic_alloc(struct pg_call *c, struct pg_zone *z, uint32_t gfp,
				    const struct pagus_cancel *cancel, pagus_pfn_t *pfn);

#endif
