/* SPDX-License-Identifier: MIT */
/*
 * A refill of the pcp buddy allocator: a table of phases, and the engine that runs it. First what
 * limits the spread of fragments, then what brings pageblocks, then smaller blocks as they are, and
 * only then what mixes migratetypes.
 */
#include "pcp/pageblock.h"

#include "mem/stack.h"

#define MAX_LOOKS    64 /* at records of own pageblocks with pieces in the zone */
#define MAX_RECOVERS 8  /* of these, pageblocks walked through */

static uint32_t left(const struct pg_refill *r)
{
	return r->got < r->budget ? r->budget - r->got : 0;
}

static bool done(const struct pg_refill *r)
{
	return r->fits && left(r) == 0;
}

static void keep(struct pg_refill *r, uint32_t i, uint32_t order)
{
	pg_owned_keep(r->c->st, r->pcp, i, order, r->t->type, PG_TAIL);
	r->got += 1u << order;
	r->fits |= order >= r->t->order;
}

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

/* ---- phases ---------------------------------------------------------------------------------- */

/*
 * The free pieces of the pageblock, which the pcp owns, from the zone's lists onto the pcp's: all,
 * however few are wanted, or where the zone is short of pages as many as are wanted. The pageblock
 * stays listed then.
 */
static void recover_block(struct pg_refill *r, uint32_t record)
{
	struct pagus_state *st = r->c->st;
	uint32_t start = pg_own_start(st, record), end = start + (1u << st->pageblock_order);
	uint32_t before = r->got, i = start;
	bool is_short = pg_zone_has(r->z, PG_ZONE_BELOW_HIGH);

	for (uint32_t order; i < end && !(is_short && done(r)); i += 1u << order) {
		order = pg_page(st, i)->order;
		if (pg_page(st, i)->kind != PAGUS_PAGE_FREE)
			continue;
		pg_store_remove(st, r->z, i);
		pg_account(r->c, r->z, -(INT64_C(1) << order), pg_block_type(st, i));
		pg_count(r->c, PAGUS_COUNTER_zone_take, 1);
		keep(r, i, order);
	}
	pg_own(st, record)->age = 0;
	if (i == end)
		pg_own_del(st, record, PG_OWN_PIECES);
	pg_count(r->c, PAGUS_COUNTER_pcp_recover_pages, r->got - before);
}

static void recover(struct pg_refill *r)
{
	struct pagus_state *st = r->c->st;
	uint32_t head = pg_own_head(st, r->z->id, r->pcp->cpu), recovered = 0, next;
	uint32_t record = pg_own(st, head)->link[PG_OWN_PIECES].next;

	for (uint32_t n = 0; n < MAX_LOOKS && record != head && !done(r); n++, record = next) {
		next = pg_own(st, record)->link[PG_OWN_PIECES].next;
		if (pg_block_type(st, pg_own_start(st, record)) != r->t->type)
			continue;
		recover_block(r, record);
		if (++recovered == MAX_RECOVERS)
			break;
	}
}

/* A whole pageblock as the next take of `t` finds it; owned, if that may be. False: there is none. */
static bool own_block(struct pg_refill *r, uint32_t i)
{
	struct pagus_state *st = r->c->st;

	if (i == PG_NONE)
		return false;
	if (pg_type_mergeable(pg_block_type(st, i)))
		pg_own_take(r->c, i, r->pcp->cpu);
	keep(r, i, st->pageblock_order);
	return true;
}

static bool half_block_left(const struct pg_refill *r)
{
	return left(r) >= 1u << (r->c->st->pageblock_order - 1);
}

/* The smallest block of the own type, a pageblock or larger; PG_NONE if there is none. */
static uint32_t take_whole(struct pg_refill *r)
{
	struct pagus_state *st = r->c->st;
	struct pg_take t = { .order = st->pageblock_order, .type = r->t->type };

	for (uint32_t order = t.order; order <= st->max_order; order++)
		if (pg_store_first(st, r->z, order, t.type) != PG_NONE)
			return pg_place_take_own(r->c, r->z, &t, st->max_order);
	return PG_NONE;
}

static void claim(struct pg_refill *r)
{
	while (half_block_left(r) && own_block(r, take_whole(r)))
		;
}

static void chunks(struct pg_refill *r)
{
	struct pg_take t = *r->t;

	for (t.order = r->c->st->pageblock_order - 1; t.order > r->t->order; t.order--)
		while (left(r) >= 1u << t.order &&
		       pg_store_first(r->c->st, r->z, t.order, t.type) != PG_NONE)
			keep(r, pg_place_take_own(r->c, r->z, &t, t.order), t.order);
}

/* One at a time: what is converted is lost to its migratetype. CMA is not asked here. */
static void convert(struct pg_refill *r)
{
	struct pg_take t = { .order = r->c->st->pageblock_order, .type = r->t->type,
			     .flags = (r->t->flags & ~PG_ALLOC_CMA) | PG_ALLOC_NOFRAGMENT };

	own_block(r, pg_place_take(r->c, r->z, &t));
}

static void classic(struct pg_refill *r)
{
	uint32_t i;

	while (!done(r)) {
		i = pg_place_take(r->c, r->z, r->t);
		if (i == PG_NONE)
			return;
		keep(r, i, r->t->order);
	}
}

const struct pg_phase pg_phases[] = {
	{ "recover", 0, recover,
	  "pieces of own pageblocks that lie in the zone, the last drained first" },
	{ "claim", PG_PHASE_OWNING | PG_PHASE_BLOCK | PG_PHASE_NOT_CMA, claim,
	  "whole pageblocks of the own type, which the CPU owns from then on" },
	{ "chunks", PG_PHASE_NOT_CMA, chunks,
	  "blocks of the own type, larger than the request, uncut" },
	{ "convert", PG_PHASE_OWNING | PG_PHASE_BLOCK | PG_PHASE_NOTHING | PG_PHASE_NOT_CMA, convert,
	  "a whole pageblock of another type, where the own type has nothing" },
	{ "classic", 0, classic, "block by block, as the placement serves any request" },
};
const uint32_t pg_nr_phases = sizeof(pg_phases) / sizeof(pg_phases[0]);

/* ---- engine ---------------------------------------------------------------------------------- */

static bool needs_met(const struct pg_refill *r, uint32_t needs)
{
	if ((needs & PG_PHASE_OWNING) && !may_own(r))
		return false;
	if ((needs & PG_PHASE_BLOCK) && !half_block_left(r))
		return false;
	if ((needs & PG_PHASE_NOTHING) && r->got)
		return false;
	return !(needs & PG_PHASE_NOT_CMA) || !cma_turn(r);
}

void pg_phase_refill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t)
{
	uint32_t asked = pg_pcp_tuned_blocks(c->st, z, pcp, t);
	struct pg_refill r = { .c = c, .z = z, .pcp = pcp, .t = t, .budget = asked << t->order };

	if (asked == 0 || !pg_zone_lock_for(c, z, t->flags, PAGUS_REASON_REFILL))
		return;
	for (uint32_t n = 0; n < pg_nr_phases && !done(&r); n++)
		if (needs_met(&r, pg_phases[n].needs))
			pg_phases[n].run(&r);
	pg_zone_unlock(c, z);
	pg_pcp_tell_refill(c, z, t, asked, r.got);
}
