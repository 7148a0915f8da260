/* SPDX-License-Identifier: MIT */
/*
 * Repairs of step.h: changes that no allocator makes, for a state that is seen to differ from a
 * recorded kernel's.
 */
#include <pagus/step.h>

#include "pcp/pcp.h"

enum pagus_status pagus_step_put_back(struct pagus *p, pagus_pfn_t pfn, uint32_t order,
				      uint32_t type)
{
	struct pagus_state *st = p->state;
	struct pg_call c;
	struct pg_zone *z;
	uint32_t i, head;
	enum pagus_status status = pg_block_at(st, pfn, order, &i);

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (type >= PAGUS_NR_MIGRATETYPES)
		return PAGUS_BAD_VALUE;
	if (status != PAGUS_OK)
		return status;
	if (!pg_page_is(pg_page(st, i), PAGUS_PAGE_ALLOCATED, order))
		return PAGUS_BUSY;
	c = pg_call_begin(p);
	z = pg_zone_of(st, i);
	pg_zone_lock(&c, z, PAGUS_REASON_HAND_OVER);
	pg_page_to_tail(pg_page(st, i));
	pg_buddy_free_as(&c, z, i, order, type);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	head = pg_head(st, i);
	return pagus_step_to_head(p, pg_pfn(st, head), pg_page_order(pg_page(st, head)));
}

/* The head of the circle that entry i is in. */
static uint32_t list_head(const struct pagus_state *st, uint32_t i, uint64_t *depth)
{
	const struct pg_page *pages = pg_pages(st);

	*depth = 0;
	for (i = pages[i].prev; i >= st->first_page; i = pages[i].prev)
		++*depth;
	return i;
}

enum pagus_status pagus_step_to_head(struct pagus *p, pagus_pfn_t pfn, uint32_t order)
{
	struct pagus_state *st = p->state;
	uint32_t i = pg_index(st, pfn), head;
	uint64_t depth;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (i == PG_NONE || !pg_page_is(pg_page(st, i), PAGUS_PAGE_FREE, order))
		return PAGUS_BUSY;
	head = list_head(st, i, &depth);
	pg_list_del(pg_pages(st), i);
	pg_list_add_head(pg_pages(st), head, i);
	return PAGUS_OK;
}

enum pagus_status pagus_step_find_cached(const struct pagus *p, pagus_pfn_t pfn,
					 struct pagus_step_place *place)
{
	const struct pagus_state *st = p->state;
	uint32_t i = pg_index(st, pfn), head, zone;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (i == PG_NONE || !pg_page_cached(pg_page(st, i)))
		return PAGUS_BUSY;
	zone = pg_page(st, i)->zone;
	head = list_head(st, i, &place->depth);
	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++) {
		uint32_t first = pg_pcp(st, zone, cpu)->first_head;

		if (head < first || head >= first + st->nr_pcp_lists)
			continue;
		place->cpu = cpu;
		place->list = head - first;
		return PAGUS_OK;
	}
	return PAGUS_BUSY;
}

enum pagus_status pagus_step_uncache(struct pagus *p, pagus_pfn_t pfn)
{
	struct pagus_state *st = p->state;
	struct pagus_step_place place;
	enum pagus_status status = pagus_step_find_cached(p, pfn, &place);
	struct pg_page *page;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (status != PAGUS_OK)
		return status;
	page = pg_page(st, pg_index(st, pfn));
	pg_pcp_remove(st, pg_pcp(st, page->zone, place.cpu), pg_index(st, pfn));
	pg_page_set(page, PAGUS_PAGE_ALLOCATED, pg_page_order(page), PAGUS_MOVABLE);
	return PAGUS_OK;
}

enum pagus_status pagus_step_tune(struct pagus *p, uint32_t zone, uint32_t cpu,
				  const struct pagus_pcp_seed *seed)
{
	if (zone >= p->state->nr_zones)
		return PAGUS_BAD_VALUE;
	return pg_seed_pcp_state(p->state, pg_zone(p->state, zone)->node,
				 pg_zone(p->state, zone)->type, cpu, seed);
}

pagus_pfn_t pagus_step_first(const struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t list)
{
	const struct pagus_state *st = p->state;
	uint32_t i;

	if (zone >= st->nr_zones || cpu >= st->nr_cpus || list >= st->nr_pcp_lists || pg_mapped(st))
		return PAGUS_NO_PFN;
	i = pg_list_first(pg_pages(st), pg_pcp(st, zone, cpu)->first_head + list);
	return i == PG_NONE ? PAGUS_NO_PFN : pg_pfn(st, i);
}

pagus_pfn_t pagus_step_last(const struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t list)
{
	const struct pagus_state *st = p->state;

	if (zone >= st->nr_zones || cpu >= st->nr_cpus || list >= st->nr_pcp_lists || pg_mapped(st))
		return PAGUS_NO_PFN;
	for (uint32_t n = 0; n < st->nr_pcp_lists; n++) {
		uint32_t at = (list + n) % st->nr_pcp_lists;
		uint32_t i = pg_list_last(pg_pages(st), pg_pcp(st, zone, cpu)->first_head + at);

		if (i != PG_NONE)
			return pg_pfn(st, i);
	}
	return PAGUS_NO_PFN;
}
