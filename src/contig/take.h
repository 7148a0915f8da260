/* SPDX-License-Identifier: MIT */
/* Free blocks that are taken because of where they lie, not because a request needs one. */
#ifndef PG_CONTIG_TAKE_H
#define PG_CONTIG_TAKE_H

#include "zone/zone.h"

/*
 * Take the free block that begins at i off its list, whole: its order, or -1 if it is not free in
 * this zone, or, outside isolated pageblocks, the zone has not the min mark (without boost) and as
 * many pages left (__isolate_free_page). From half a pageblock on its pageblocks of ordinary types
 * become movable. It is handed out, as movable. Needs the zone's lock.
 */
int pg_take_free(struct pg_call *c, struct pg_zone *z, uint32_t i);

/*
 * Cut the block at i of order `from`, taken so, into blocks of order `to`, each handed out by
 * itself. No lock may be held.
 */
void pg_take_cut(struct pg_call *c, uint32_t i, uint32_t from, uint32_t to);

/*
 * Give a block that was taken so back to the zone, or to the CPU that has adopted its pageblock,
 * without the events and counts of a free. Needs the zone's lock.
 */
void pg_take_return(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order);

/* The same to the tail of its list, to be handed out late. */
void pg_take_return_tail(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order);

#endif
