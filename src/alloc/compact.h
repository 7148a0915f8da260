/* SPDX-License-Identifier: MIT */
/*
 * What the slow path asks of compaction. It lies above this layer, in contig/direct.c: with
 * contig, one of the calls that go upward, which ARCHITECTURE.md lists.
 */
#ifndef PG_ALLOC_COMPACT_H
#define PG_ALLOC_COMPACT_H

#include "alloc/request.h"

/*
 * Compact the zones of the plan, in their order, for a block of how->order, until one has it; where
 * pages move (the port's `move`). `flags`: the request's ALLOC_*. If a block of the request's own
 * order came together in its own frees, it is in *i, handed out to nobody; else PG_NONE. No lock
 * may be held.
 */
enum pagus_compact_result pg_compact_direct(struct pg_call *c, const struct pg_plan *plan,
					    uint32_t flags, const struct pagus_compact *how,
					    uint32_t *i);

/* A request has been served from zone z after it was compacted for `order`. */
void pg_compact_served(const struct pg_call *c, struct pg_zone *z, uint32_t order);

#endif
