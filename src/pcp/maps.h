/* SPDX-License-Identifier: MIT */
/* The parts of the pcp policy `bitmap`, whose pages are in maps. */
#ifndef PG_PCP_MAPS_H
#define PG_PCP_MAPS_H

#include "pcp/pcp.h"

/* ---- maps_refill.c --------------------------------------------------------------------------- */

/* Bring pageblocks in one hold of the zone's lock; or a block for the request alone, or PG_NONE. */
uint32_t pg_maps_refill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp,
			struct pg_take *t);

/* ---- maps_giveback.c: all need the pcp's lock, but release and retire take it ------------------ */

void pg_maps_gather(struct pg_call *c, struct pg_pcp *pcp);
void pg_maps_tick(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp);
uint32_t pg_maps_drain(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t pages,
		       enum pagus_lock_reason why);
void pg_maps_release(struct pg_call *c, uint32_t i);
void pg_maps_retire(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp);

/* Is the zone short of pages, so that CPUs should keep few? */
static inline bool pg_maps_short(const struct pg_zone *z)
{
	return pg_zone_has(z, PG_ZONE_RECLAIM_ACTIVE | PG_ZONE_BELOW_HIGH);
}

/* Pages that a CPU may keep to itself; few in a zone that is short of them. */
uint32_t pg_maps_limit(const struct pg_zone *z, const struct pg_pcp *pcp);

/* A block of `order` came back, by the owner or another: what is over the limit goes to the zone. */
void pg_maps_drain_over(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t order,
			bool owner);

/* Take in what was freed of the pageblock, if it is the pcp's. Needs the pcp's lock. */
void pg_maps_absorb(struct pg_call *c, struct pg_pcp *pcp, struct pg_map *m);

/* ---- maps.c ---------------------------------------------------------------------------------- */

/* The pageblock has so many more free pages. Needs the pcp's lock. */
void pg_maps_grown(struct pagus_state *st, struct pg_pcp *pcp, struct pg_map *m, uint32_t pages);

/*
 * So many blocks, with so many pages, were freed without a lock to the owner of page i's pageblock;
 * `put`: a pageblock has been put on his stack. Who frees where nobody looks does so, if the lock is
 * free.
 */
void pg_maps_look_after(struct pg_call *c, uint32_t i, uint32_t blocks, uint32_t pages, bool put);

/* Free a block of any order without any lock. */
void pg_maps_defer(struct pg_call *c, uint32_t i, uint32_t order);

/*
 * Wait for the lock of the pageblock of page i: CPU + 1 whose pcp's it is, or 0 for the zone's.
 */
uint32_t pg_maps_lock(struct pg_call *c, struct pg_zone *z, uint32_t i);
void pg_maps_unlock(struct pg_call *c, struct pg_zone *z, uint32_t owner);

/* The block that is handed out becomes blocks of order `to`. Waits for the pageblock's lock. */
void pg_maps_split(struct pg_call *c, uint32_t i, uint32_t order, uint32_t to);

/* The block that is handed out at i is for this migratetype from now on. Waits as the above. */
void pg_maps_set_type(struct pg_call *c, uint32_t i, uint32_t type);

/* ---- maps_many.c ----------------------------------------------------------------------------- */

/* Blocks of one order by words; those larger than a word are each in the word of their first page. */
#define PG_MAPS_MANY 128
struct pg_words {
	uint32_t nr;
	struct pg_word word[PG_MAPS_MANY];
};

/*
 * Up to `nr` blocks for `t`, at most PG_MAPS_MANY: how many. Needs the pcp's lock; may refill it.
 */
uint32_t pg_maps_take_many(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp,
			   struct pg_take *t, uint32_t nr, struct pg_words *to);

/*
 * Free blocks of one zone and an order up to a word's, which have been checked: how many were not
 * free already. There are some. Takes the CPU's pcp's lock if that is free.
 */
uint32_t pg_maps_free_words(struct pg_call *c, const struct pg_words *words, uint32_t order);

#endif
