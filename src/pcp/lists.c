/* SPDX-License-Identifier: MIT */
/* The phases of a refill where the pcp keeps what it has on lists. */
#include "pcp/pageblock.h"

#define MAX_LOOKS    64 /* at records of own pageblocks with pieces in the zone */
#define MAX_RECOVERS 8  /* of these, pageblocks walked through */

static void keep(struct pg_refill *r, uint32_t i, uint32_t order)
{
	pg_owned_keep(r->c->st, r->pcp, i, order, r->t->type, PG_TAIL);
	pg_phase_got(r, order);
}

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

	for (uint32_t order; i < end && !(is_short && pg_phase_done(r)); i += 1u << order) {
		order = pg_page_order(pg_page(st, i));
		if (pg_page_kind(pg_page(st, i)) != PAGUS_PAGE_FREE)
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

	for (uint32_t n = 0; n < MAX_LOOKS && record != head && !pg_phase_done(r); n++, record = next) {
		next = pg_own(st, record)->link[PG_OWN_PIECES].next;
		if (pg_block_type(st, pg_own_start(st, record)) != r->t->type)
			continue;
		recover_block(r, record);
		if (++recovered == MAX_RECOVERS)
			break;
	}
}

/* A whole pageblock; owned, if that may be. False: there is none. */
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

static void claim(struct pg_refill *r)
{
	while (pg_phase_half_block_left(r) && own_block(r, pg_phase_take_whole(r)))
		;
}

static void chunks(struct pg_refill *r)
{
	struct pg_take t = *r->t;

	for (t.order = r->c->st->pageblock_order - 1; t.order > r->t->order; t.order--)
		while (pg_phase_left(r) >= 1u << t.order &&
		       pg_store_first(r->c->st, r->z, t.order, t.type) != PG_NONE)
			keep(r, pg_place_take_own(r->c, r->z, &t, t.order), t.order);
}

/* One at a time: what is converted is lost to its migratetype. CMA is not asked here. */
static void convert(struct pg_refill *r)
{
	own_block(r, pg_phase_convert(r));
}

static void classic(struct pg_refill *r)
{
	uint32_t i;

	while (!pg_phase_done(r)) {
		i = pg_place_take(r->c, r->z, r->t);
		if (i == PG_NONE)
			return;
		keep(r, i, r->t->order);
	}
}

static const struct pg_phase phases[] = {
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

void pg_lists_refill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t)
{
	struct pg_refill r = { .c = c, .z = z, .pcp = pcp, .t = t, .phases = phases,
			       .nr_phases = sizeof(phases) / sizeof(phases[0]) };

	pg_phase_run(&r);
}
