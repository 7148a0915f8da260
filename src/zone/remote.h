/* SPDX-License-Identifier: MIT */
/*
 * Frees without a lock, where pages are bits. A freed page is a bit in the `remote` map of its
 * pageblock; the pageblock is then put on a stack of those that have any, its owner's or the
 * zone's, and who holds the lock of that takes the pages in.
 *
 *     free:   set the bit -> if its word was zero: put the pageblock on its owner's stack
 *     absorb: take the whole stack -> from each pageblock all bits
 *
 * A pageblock is on one stack at most, or in the hands of who moves it; `waiting` says so, and is
 * cleared before the bits are taken, so that a free which comes later finds it off the stack and
 * puts it on again. Who puts it on a stack looks at its owner afterwards; who changes the owner
 * looks at the stack afterwards; so one of them sees that it is on a former owner's, and moves it.
 */
#ifndef PG_ZONE_REMOTE_H
#define PG_ZONE_REMOTE_H

#include "zone/zone.h"

/*
 * Free 2^order pages, which lie in one pageblock, without a lock. False, and nothing is changed
 * but what was so before: some were free already. *put: the pageblock has been put on a stack.
 */
bool pg_remote_free(struct pagus_state *st, uint32_t i, uint32_t order, bool *put);

/* The same of single pages of one word, which are not free: how many did not wait already. */
uint32_t pg_remote_free_pages(const struct pagus_state *st, struct pg_map *m, uint32_t word,
			      uint64_t pages, bool *put);

/*
 * Take in what waits for the zone, or for a pcp. Needs its lock. What has come to belong to another
 * goes to his stack.
 */
void pg_remote_absorb_zone(struct pg_call *c, struct pg_zone *z);
void pg_remote_absorb(struct pagus_state *st, struct pg_pcp *pcp,
		      void (*grown)(struct pagus_state *st, struct pg_pcp *pcp, struct pg_map *m,
				    uint32_t pages));

/* Is there nothing that waits, for either? Only what is so at the moment. */
static inline bool pg_remote_none(const struct pg_zone *z, const struct pg_pcp *pcp)
{
	return pg_atomic_load(&z->deferred) == PG_NONE && pg_atomic_load(&pcp->remote) == PG_NONE;
}

/* Take in what a pageblock has, wherever it waits. Needs its lock. Returns how many pages. */
uint32_t pg_remote_absorb_map(const struct pagus_state *st, struct pg_map *m);

/*
 * The pageblock is another's from now on: CPU + 1, or 0 for the zone. Needs both locks. What the
 * former owner has on his stack may have moved.
 */
void pg_remote_set_owner(struct pagus_state *st, struct pg_map *m, uint32_t owner);

#endif
