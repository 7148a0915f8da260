/* SPDX-License-Identifier: MIT */
/*
 * A refill of the pcp buddy allocator: a table of phases, and the engine that runs it. First what
 * limits the spread of fragments, then what brings pageblocks, then smaller blocks as they are, and
 * only then what mixes migratetypes.
 */
#include "pcp/pageblock.h"

#include "mem/stack.h"

static bool cma_turn(const struct pg_refill *r)
{
	return r->t->type == PAGUS_MOVABLE && (r->t->flags & PG_ALLOC_CMA) &&
	       r->z->free_cma > r->z->free_pages / 2;
}

/*
 * The pcp's limit must leave room for a pageblock. Without the stack of deferred frees open the CPU
 * is offline, or the zone's pcps are off.
 */
static bool may_own(const struct pg_refill *r)
{
	return r->pcp->high_max >= 1u << r->c->st->pageblock_order &&
	       !pg_zone_has(r->z, PG_ZONE_BELOW_HIGH) &&
	       pg_atomic_load(&r->pcp->remote) != PG_STACK_CLOSED;
}

bool pg_phase_half_block_left(const struct pg_refill *r)
{
	return pg_phase_left(r) >= 1u << (r->c->st->pageblock_order - 1);
}

uint32_t pg_phase_take_whole(struct pg_refill *r)
{
	struct pagus_state *st = r->c->st;
	struct pg_take t = { .order = st->pageblock_order, .type = r->t->type };

	/* Where lies more to it than its type: which one, the placement's rows say. */
	if (pg_places[st->place_policy]->superpageblocks)
		return pg_phase_convert(r);
	for (uint32_t order = t.order; order <= st->max_order; order++)
		if (pg_store_first(st, r->z, order, t.type) != PG_NONE)
			return pg_place_take_own(r->c, r->z, &t, st->max_order);
	return PG_NONE;
}

uint32_t pg_phase_convert(struct pg_refill *r)
{
	struct pg_take t = { .order = r->c->st->pageblock_order, .type = r->t->type,
			     .flags = (r->t->flags & ~PG_ALLOC_CMA) | PG_ALLOC_NOFRAGMENT |
				      PG_ALLOC_KEEP_CLEAN | PG_ALLOC_KEEP_RESERVE };

	return pg_place_take(r->c, r->z, &t);
}

static bool needs_met(const struct pg_refill *r, uint32_t needs)
{
	if ((needs & PG_PHASE_OWNING) && !may_own(r))
		return false;
	if ((needs & PG_PHASE_BLOCK) && !pg_phase_half_block_left(r))
		return false;
	if ((needs & PG_PHASE_NOTHING) && r->got)
		return false;
	return !(needs & PG_PHASE_NOT_CMA) || !cma_turn(r);
}

void pg_phase_run(struct pg_refill *r)
{
	uint32_t asked = pg_pcp_tuned_blocks(r->c->st, r->z, r->pcp, r->t);

	r->budget = asked << r->t->order;
	if (asked == 0 || !pg_zone_lock_for(r->c, r->z, r->t->flags, PAGUS_REASON_REFILL))
		return;
	for (uint32_t n = 0; n < r->nr_phases && !pg_phase_done(r); n++)
		if (needs_met(r, r->phases[n].needs))
			r->phases[n].run(r);
	pg_zone_unlock(r->c, r->z);
	pg_pcp_tell_refill(r->c, r->z, r->t, asked, r->got);
}
