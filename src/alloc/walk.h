/* SPDX-License-Identifier: MIT */
#ifndef PG_ALLOC_WALK_H
#define PG_ALLOC_WALK_H

#include "alloc/request.h"

/*
 * Go through the plan's zones with ALLOC_* `flags` and take a block from the first that allows it:
 * its first record, or PG_NONE. *hit: it came from a pcp list without the zone's lock.
 */
uint32_t pg_walk(struct pg_call *c, const struct pg_plan *plan, uint32_t flags, bool *hit);

/* The same from the lists of one zone, past all pcps. Of the plan only order and type are read. */
uint32_t pg_walk_zone(struct pg_call *c, struct pg_zone *z, const struct pg_plan *plan,
		      uint32_t flags);

#endif
