/* SPDX-License-Identifier: MIT */
#ifndef PG_ALLOC_HIGHATOMIC_H
#define PG_ALLOC_HIGHATOMIC_H

#include "place/place.h"

struct pg_plan;

/*
 * Set the pageblock of the block i, which has just served an atomic request of higher order, aside
 * for others of its kind, if the zone may reserve more. In a hold of the zone's lock of its own.
 */
void pg_highatomic_reserve(struct pg_call *c, uint32_t i, uint32_t order);

/*
 * The pageblock that would be given back next: that of the first free block on a HIGHATOMIC list,
 * the smallest order first, and that order. PG_NONE if there is none.
 */
uint32_t pg_highatomic_next(const struct pagus_state *st, const struct pg_zone *z,
			    uint32_t *order);

/*
 * Give one reserved pageblock of the plan's zones back, to the plan's type; a zone's last one only
 * if `last`. False if there is none to give.
 */
bool pg_highatomic_unreserve(struct pg_call *c, const struct pg_plan *plan, bool last);

/* The same in one zone, in a hold of its lock. */
bool pg_highatomic_unreserve_zone(struct pg_call *c, struct pg_zone *z, uint32_t type);

#endif
