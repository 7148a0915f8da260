/* SPDX-License-Identifier: MIT */
#ifndef PG_CONTIG_EVACUATE_H
#define PG_CONTIG_EVACUATE_H

#include "contig/range.h"
#include "mem/superpageblock.h"

#define PG_SPB_REST 5u /* ticks in which one that could not be emptied is left alone */

/* What the public calls of these names do. */
bool pg_evacuate_tick(struct pg_call *c, uint32_t node);
bool pg_evacuate_turn(struct pg_call *c, uint32_t node);

/*
 * The clean superpageblock without gaps that has the most free pages, not at rest and in no more use
 * than `most` pages; NULL if there is none. As it looks, without a lock.
 */
struct pg_spb *pg_evacuate_emptiest(const struct pagus_state *st, const struct pg_zone *z,
				    uint64_t most);

/*
 * Move blocks as large as a pageblock out of [start, end), which is isolated, in a zone with
 * superpageblocks: for each a whole pageblock is made where the fewest pages are to be moved, if none
 * is free. What does not move stays. No lock may be held.
 */
void pg_evacuate_large(struct pg_call *c, struct pg_zone *z, pagus_pfn_t start, pagus_pfn_t end,
		       const struct pg_range_how *how);

/*
 * untaint.c: the tainted superpageblock, not at rest, in which the fewest pages that cannot move are
 * left, if that is few and other tainted ones have room for them; NULL. And: have the port reclaim some
 * there. False: they have not become fewer. No lock may be held.
 */
struct pg_spb *pg_untaint_next(const struct pg_call *c, const struct pg_zone *z);
bool pg_untaint(struct pg_call *c, struct pg_zone *z, struct pg_spb *s);

/* Leave it alone for some ticks. */
static inline void pg_spb_rest(struct pg_spb *s)
{
	pg_write(s->resting, PG_SPB_REST);
}

#endif
