/* SPDX-License-Identifier: MIT */
/*
 * What the slow path asks of evacuation. It lies above this layer, in contig/evacuate.c: one of the
 * calls that go upward, which ARCHITECTURE.md lists.
 */
#ifndef PG_ALLOC_EVACUATE_H
#define PG_ALLOC_EVACUATE_H

#include "alloc/request.h"

/*
 * Move movable pages out of tainted superpageblocks of the plan's zones, until the request, which
 * cannot move, finds room there: first out of pageblocks of its own type, then whole movable
 * pageblocks, then whatever is left; always where the fewest pages are to be moved, and some pageblocks
 * each at most. False if nothing moved. No lock may be held.
 */
bool pg_evacuate_for(struct pg_call *c, const struct pg_plan *plan);

/* A request has tainted that could not wait: the node's worker is to look, once. */
void pg_evacuate_wake(struct pg_call *c, uint32_t node);

#endif
