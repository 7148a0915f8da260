/* SPDX-License-Identifier: MIT */
/*
 * What superpageblocks hold, kept exact: whoever has changed what a pageblock of the zone holds, or
 * whose it is, has it counted anew before the zone's lock is let go. Counting reads the pageblock's
 * map and writes the difference, so nothing can drift. The first page that cannot move taints the
 * superpageblock; with the last one it is clean again.
 *
 * What has been freed without a lock is in use until it is taken in. What the owner of a pageblock
 * does with it is not seen here; it is counted as its owner may use it (superpageblock.h).
 *
 * Locking: all calls need the zone's lock. Without superpageblocks they do nothing.
 */
#ifndef PG_ZONE_SUPERPAGEBLOCK_H
#define PG_ZONE_SUPERPAGEBLOCK_H

#include "mem/superpageblock.h"
#include "zone/zone.h"

/* After the layout: everything is reserved, so all of it is a gap. */
void pg_spb_init(struct pg_call *c);

/*
 * The pageblock of page i has become the zone's, all of it reserved; or it is about to be no memory any
 * more. Without superpageblocks they do nothing.
 */
void pg_spb_plug(struct pg_call *c, struct pg_zone *z, uint32_t i);
void pg_spb_unplug(struct pg_call *c, struct pg_zone *z, uint32_t i);

/* Count the pageblocks of 2^order pages from i on anew. */
void pg_spb_recount(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order);

/* The same of pages that have been taken to be handed out to a request of `type`, but are not yet. */
void pg_spb_recount_taken(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
			  uint32_t type);

/* What a pageblock holds by its map alone, as bits PG_HOLD_*. */
uint32_t pg_spb_holds(const struct pagus_state *st, const struct pg_map *m);

/* What the counts of a superpageblock amount to: its fullness, and the states that it is in. */
uint32_t pg_spb_fullness(const struct pagus_state *st, const struct pg_spb *s);
uint32_t pg_spb_state(const struct pagus_state *st, const struct pg_spb *s);

static inline void pg_spb_changed(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	if (pg_unlikely(c->st->superpageblock_order))
		pg_spb_recount(c, z, i, order);
}

static inline void pg_spb_taken(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
				uint32_t type)
{
	if (pg_unlikely(c->st->superpageblock_order))
		pg_spb_recount_taken(c, z, i, order, type);
}

/*
 * So many pages leave the zone for requests of `type`. By the share of those that cannot move, in
 * recent windows of traffic, tainted superpageblocks keep pages from movable requests:
 *
 *     demand  = not movable pages in a superpageblock's worth of traffic, over recent windows
 *     reserve = demand / tainted superpageblocks, at least 4 pageblocks, at most 1/16 of one
 *
 * None in zones with fewer than 64 pageblocks.
 */
void pg_spb_traffic(struct pg_call *c, struct pg_zone *z, uint32_t pages, uint32_t type);

#endif
