/* SPDX-License-Identifier: MIT */
/*
 * What a pass does with the block that it found.
 *
 * Claiming is the only way in which a pageblock changes owner between the ordinary types: wholly,
 * when a free block covers it, or by majority, when at least half of its pages are free or in use
 * for the like of the claimant. Stealing takes pages and leaves the pageblock what it is.
 */
#include "place/place.h"

uint32_t pg_effect_take(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			const struct pg_candidate *found)
{
	bool refill = (c->st->pcp_orders >> t->order & 1) && pg_type_mergeable(found->from);

	pg_buddy_cut(c, z, found->i, t->order, found->from);
	if (found->from == PAGUS_CMA)
		pg_count(c, PAGUS_COUNTER_fallback_cma, 1);
	pg_event(c, PAGUS_EVENT_ZONE_LOCKED, found->i, t->order, found->from, refill, 0);
	return found->i;
}

uint32_t pg_place_take_own(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			   uint32_t up_to)
{
	struct pg_candidate own = { .order = t->order, .from = t->type };

	for (; own.order <= up_to; own.order++) {
		own.i = pg_store_first(c->st, z, own.order, t->type);
		if (own.i != PG_NONE)
			return pg_effect_take(c, z, t, &own);
	}
	PG_ASSERT(false);
	return PG_NONE;
}

uint32_t pg_effect_steal(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			 const struct pg_candidate *found)
{
	pg_buddy_cut(c, z, found->i, t->order, found->from);
	pg_count(c, PAGUS_COUNTER_fallback_steal, 1);
	pg_event(c, PAGUS_EVENT_EXTFRAG, found->i, t->order, t->type, found->order, found->from);
	return found->i;
}

uint32_t pg_effect_dip(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
		       const struct pg_candidate *found)
{
	pg_count(c, PAGUS_COUNTER_reserve_dip, 1);
	return pg_effect_steal(c, z, t, found);
}

/* Of a block larger than that the rest stays on its lists, in pageblocks of their own types. */
uint32_t pg_effect_claim_one(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			     const struct pg_candidate *found)
{
	struct pagus_state *st = c->st;
	uint32_t claimed = t->order > st->pageblock_order ? t->order : st->pageblock_order;
	uint32_t splits;

	pg_store_remove(st, z, found->i);
	splits = pg_store_split(st, z, found->i, found->order, claimed, found->from);
	pg_block_set_type(c, found->i, claimed, t->type);
	splits += pg_store_split(st, z, found->i, claimed, t->order, t->type);
	pg_account(c, z, -(INT64_C(1) << t->order), t->type);
	pg_count(c, PAGUS_COUNTER_split, splits);
	pg_count(c, PAGUS_COUNTER_zone_take, 1);
	pg_count(c, PAGUS_COUNTER_fallback_claim_block, 1);
	pg_event(c, PAGUS_EVENT_EXTFRAG, found->i, t->order, t->type, found->order,
		 found->from | PG_EXTFRAG_OWNED);
	return found->i;
}

uint32_t pg_effect_claim_block(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			       const struct pg_candidate *found)
{
	pg_block_set_type(c, found->i, found->order, t->type);
	pg_buddy_cut(c, z, found->i, t->order, t->type);
	pg_count(c, PAGUS_COUNTER_fallback_claim_block, 1);
	pg_event(c, PAGUS_EVENT_EXTFRAG, found->i, t->order, t->type, found->order,
		 found->from | PG_EXTFRAG_OWNED);
	return found->i;
}

struct block_content {
	uint32_t free, movable; /* pages: in free blocks; in use by movable requests */
	bool shared;            /* some belong to another zone */
};

/*
 * Pages on pcp lists are neither. The pageblock holds a free block below its own order, so no block
 * reaches into it from outside and the walk goes from first page to first page.
 */
static struct block_content count_content(const struct pagus_state *st, const struct pg_zone *z,
					  uint32_t start)
{
	struct block_content content = { 0 };
	const struct pg_map *m = pg_map(st, start);
	uint32_t end = start + (1u << st->pageblock_order);

	if (pg_mapped(st)) {
		content.free = m->nr_free;
		content.movable = pg_map_used(st, m, PAGUS_MOVABLE);
		return content;
	}
	for (uint32_t i = start; i < end;) {
		const struct pg_view page = pg_view(st, i);
		uint32_t pages = 1u << page.order;

		if (page.zone != z->id && page.zone != PG_NO_ZONE)
			content.shared = true;
		else if (page.kind == PAGUS_PAGE_FREE)
			content.free += pages;
		else if ((page.kind == PAGUS_PAGE_ALLOCATED ||
			  page.kind == PAGUS_PAGE_INHERITED) &&
			 page.type == PAGUS_MOVABLE)
			content.movable += pages;
		i += pages;
	}
	return content;
}

bool pg_claim_inside(const struct pagus_state *st, const struct pg_zone *z, uint32_t start)
{
	pagus_pfn_t pfn = pg_pfn(st, start);

	return pfn >= pg_read(z->start_pfn) &&
	       pfn + (1u << st->pageblock_order) <= pg_read(z->end_pfn);
}

bool pg_claim_whole(const struct pagus_state *st, const struct pg_zone *z, uint32_t start)
{
	return pg_claim_inside(st, z, start) && !count_content(st, z, start).shared;
}

bool pg_claimable(const struct pg_call *c, const struct pg_zone *z, uint32_t start,
		  uint32_t block_type, uint32_t type)
{
	const struct pagus_state *st = c->st;
	uint32_t block_pages = 1u << st->pageblock_order;
	struct block_content content;
	uint32_t alike = 0;
	int verdict = -1;

	if (!pg_claim_inside(st, z, start))
		return false;
	content = count_content(st, z, start);
	if (content.shared)
		return false;
	if (pg_read(st->mobility_off))
		return true;
	if (c->p->port->may_claim)
		verdict = c->p->port->may_claim(c->p->port_ctx, pg_pfn(st, start), type);
	if (verdict >= 0)
		return verdict;
	if (type == PAGUS_MOVABLE)
		alike = content.movable;
	else if (block_type == PAGUS_MOVABLE)
		alike = block_pages - content.free - content.movable;
	return content.free + alike >= block_pages / 2;
}

void pg_claim_move(struct pg_call *c, struct pg_zone *z, uint32_t start, uint32_t type)
{
	uint32_t end = start + (1u << c->st->pageblock_order), old = pg_block_type(c->st, start);

	for (uint32_t i = start, order; i < end; i += 1u << order) {
		const struct pg_view page = pg_view(c->st, i);

		order = page.order;
		if (page.kind == PAGUS_PAGE_FREE && page.zone == z->id)
			pg_buddy_move(c, z, i, old, type);
	}
}

uint32_t pg_effect_claim_part(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			      const struct pg_candidate *found)
{
	uint32_t start = pg_block_start(c->st, found->i);

	pg_watermark_boost(c, z, t->flags);
	if (!pg_claimable(c, z, start, found->from, t->type)) {
		pg_count(c, PAGUS_COUNTER_fallback_claim_refused, 1);
		return PG_NONE;
	}
	return pg_effect_claim_any(c, z, t, found);
}

uint32_t pg_effect_claim_any(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			     const struct pg_candidate *found)
{
	uint32_t start = pg_block_start(c->st, found->i), i;

	if (!pg_claim_inside(c->st, z, start))
		return pg_effect_steal(c, z, t, found);
	pg_claim_move(c, z, start, t->type);
	pg_block_set_type(c, start, 0, t->type);
	pg_count(c, PAGUS_COUNTER_fallback_claim_part, 1);
	i = pg_place_take_own(c, z, t, found->order);
	pg_event(c, PAGUS_EVENT_EXTFRAG, i, t->order, t->type, found->order,
		 found->from | PG_EXTFRAG_OWNED);
	return i;
}
