/* SPDX-License-Identifier: MIT */
/*
 * The last pages that cannot move leave a tainted superpageblock: what they hold is the port's, which
 * may be able to free it there, and others have room for what comes in its place.
 */
#include "base/bits.h"
#include "contig/drain.h"
#include "contig/evacuate.h"
#include "reclaim/reclaim.h"

#define FEW 32u /* a superpageblock's part that is few pages, and of its pageblocks, times 8 */

/* Pages in use that cannot move; those that CPUs keep for such are none. */
static uint32_t kernel_pages(const struct pagus_state *st, const struct pg_zone *z,
			     const struct pg_spb *s)
{
	uint32_t pages = 0;

	for (uint32_t b = pg_read(s->first_block); b < pg_read(s->end_block); b++) {
		const struct pg_map *m = pg_map_at(st, b);

		if (pg_map_zone(m) == z->id && (pg_read(m->spb_holds) & PG_HOLDS_KERNEL))
			pages += pg_map_used(st, m, PAGUS_UNMOVABLE) +
				 pg_map_used(st, m, PAGUS_RECLAIMABLE);
	}
	return pages;
}

/* In how many pageblocks they may be is known without a look at these. */
static bool may_be_few(const struct pg_spb *s)
{
	return pg_spb_is(s, PG_SPB_TAINTED) && !pg_spb_is(s, PG_SPB_IMPERFECT) &&
	       pg_read(s->resting) == 0 &&
	       (pg_read(s->nr_hold[PG_HOLD_UNMOVABLE]) + pg_read(s->nr_hold[PG_HOLD_RECLAIMABLE])) *
		       (FEW / 8) <= pg_read(s->nr_blocks);
}

struct pg_spb *pg_untaint_next(const struct pg_call *c, const struct pg_zone *z)
{
	const struct pagus_state *st = c->st;
	uint32_t least = (1u << st->superpageblock_order) / FEW + 1;
	struct pg_spb *best = NULL;

	if (!c->p->port->reclaim || pg_read(z->nr_tainted) < 2)
		return NULL;
	for (uint32_t n = 0; n < z->nr_spbs; n++) {
		struct pg_spb *s = pg_spb(st, z, n);
		uint32_t pages;

		if (!may_be_few(s))
			continue;
		pages = kernel_pages(st, z, s);
		if (pages < least && pg_read(z->spb_tainted_free) >=
				     (uint64_t)pg_read(s->free_pages) + pages +
					     pg_read(s->reserve_pages)) {
			least = pages;
			best = s;
		}
	}
	return best;
}

bool pg_untaint(struct pg_call *c, struct pg_zone *z, struct pg_spb *s)
{
	const uint32_t before = kernel_pages(c->st, z, s);
	const struct pagus_reclaim how = {
		.nr_pages = pg_min(before, PG_RECLAIM_CLUSTER), .node = z->node, .highest = z->type,
		.gfp = GFP_KERNEL, .kswapd = true, .may_writepage = true, .may_swap = true,
		.start_pfn = s->start_pfn, .range_pages = UINT64_C(1) << c->st->superpageblock_order,
	};
	uint32_t task, after;
	uint64_t got;

	if (before > 0) {
		task = pg_reclaim_enter(c);
		got = c->p->port->reclaim(c->p->port_ctx, &how);
		pg_reclaim_leave(c, task);
		pg_reclaim_note(c, z->node, got, 0, z->type);
	}
	/* Until they are given back, what CPUs own for such pages counts as holding them. */
	pg_contig_drain(c, z);
	after = kernel_pages(c->st, z, s);
	pg_count(c, PAGUS_COUNTER_untaint_pages, before - pg_min(before, after));
	return after < before;
}
