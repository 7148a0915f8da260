/* SPDX-License-Identifier: MIT */
/*
 * Free: check the block -> its pageblock's pcp list, or the zone's free lists.
 *
 * The check is exact: only the first page of a block carries its kind and order, so a block that is
 * free already, was handed out with another order, or never existed is told from one that may be
 * freed.
 */
#include "alloc/alloc.h"

#include "pcp/pcp.h"

/* Why page i, which is no first page of an allocated block, cannot be freed. */
static enum pagus_status why_not_allocated(const struct pagus_state *st, uint32_t i)
{
	uint32_t head = pg_head(st, i);

	if (head != PG_NONE && (pg_page(st, head)->kind == PAGUS_PAGE_FREE ||
				pg_page(st, head)->kind == PAGUS_PAGE_PCP))
		return PAGUS_DOUBLE_FREE;
	return PAGUS_NOT_ALLOCATED;
}

static bool all_inherited(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	for (uint32_t k = 0; k < 1u << order; k++) {
		const struct pg_page *page = pg_page(st, i + k);

		if (page->kind != PAGUS_PAGE_INHERITED || page->zone != pg_page(st, i)->zone)
			return false;
	}
	return true;
}

static enum pagus_status check_block(const struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
				     uint32_t *i)
{
	enum pagus_status status = pg_block_at(st, pfn, order, i);
	const struct pg_page *page;

	if (status != PAGUS_OK)
		return status;
	page = pg_page(st, *i);
	if (page->kind == PAGUS_PAGE_ALLOCATED)
		return page->order == order ? PAGUS_OK : PAGUS_WRONG_ORDER;
	if (page->kind == PAGUS_PAGE_INHERITED)
		return all_inherited(st, *i, order) ? PAGUS_OK : PAGUS_WRONG_ORDER;
	return why_not_allocated(st, *i);
}

static enum pagus_status refuse(struct pg_call *c, enum pagus_status status, pagus_pfn_t pfn,
				uint32_t i, uint32_t order)
{
	pg_count(c, PAGUS_COUNTER_free_bad, 1);
	if (pg_event_wanted(c, PAGUS_EVENT_BAD_FREE))
		pg_event_raise(c, PAGUS_EVENT_BAD_FREE,
			       i == PG_NONE ? PG_NO_ZONE : pg_page(c->st, i)->zone, pfn,
			       order > UINT8_MAX ? UINT8_MAX : order, 0, status, 0);
	return status;
}

/* The block belongs to nobody: what its pages said of their owner is gone. */
static void disown(struct pagus_state *st, uint32_t i, uint32_t order)
{
	struct pg_page *page = pg_page(st, i);
	uint32_t pages = page->kind == PAGUS_PAGE_INHERITED ? 1u << order : 1;

	for (uint32_t k = 0; k < pages; k++) {
		page[k].kind = PAGUS_PAGE_TAIL;
		page[k].order = 0;
		page[k].type = 0;
		page[k].tag = 0;
		page[k].next = 0;
	}
}

/* The port may come back into the instance from here. */
static void uncharge(struct pg_call *c, pagus_pfn_t pfn, uint32_t order)
{
	pg_call_end(c);
	if (c->p->port->uncharge)
		c->p->port->uncharge(c->p->port_ctx, pfn, order);
	*c = pg_call_begin(c->p);
}

static bool free_to_pcp(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
			uint32_t type)
{
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	uint32_t list = pg_pcp_free_list(order, type);

	if (pg_unlikely(!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE)))
		return false;
	pg_pcp_put(c->st, pcp, list, i, order, type, PG_HEAD);
	pg_pcp_after_free(c, z, pcp, list, order);
	pg_pcp_unlock(c, pcp);
	pg_count(c, PAGUS_COUNTER_pcp_free, 1);
	return true;
}

enum pagus_status pg_free(struct pg_call *c, pagus_pfn_t pfn, uint32_t order)
{
	struct pagus_state *st = c->st;
	uint32_t i, type;
	enum pagus_status status = check_block(st, pfn, order, &i);
	struct pg_zone *z;

	if (pg_unlikely(status != PAGUS_OK))
		return refuse(c, status, pfn, i, order);
	z = pg_zone_of(st, i);
	pg_event(c, PAGUS_EVENT_FREE, i, order, pg_page(st, i)->type, 0, 0);
	pg_count(c, PAGUS_COUNTER_free_ok, 1);
	pg_count(c, PAGUS_COUNTER_pgfree, UINT64_C(1) << order);
	if (pg_unlikely(pg_page(st, i)->next & PG_MARK_CHARGED))
		uncharge(c, pfn, order);
	disown(st, i, order);
	type = pg_block_type(st, i);
	if ((st->pcp_orders >> order & 1) && type != PAGUS_ISOLATE &&
	    free_to_pcp(c, z, i, order, type))
		return PAGUS_OK;
	pg_zone_lock(c, z, PAGUS_REASON_FREE_DIRECT);
	pg_buddy_free(c, z, i, order, PG_HEAD);
	pg_zone_unlock(c, z);
	return PAGUS_OK;
}

enum pagus_status pg_split(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, uint32_t to)
{
	struct pagus_state *st = c->st;
	uint32_t i;
	enum pagus_status status = check_block(st, pfn, order, &i);
	struct pg_page first;

	if (status == PAGUS_OK && to > order)
		status = PAGUS_BAD_ORDER;
	if (status != PAGUS_OK)
		return status;
	first = *pg_page(st, i);
	if (first.kind == PAGUS_PAGE_INHERITED)
		return PAGUS_OK; /* each page is by itself already */
	first.order = (uint8_t)to;
	for (uint32_t k = 0; k < 1u << (order - to); k++)
		*pg_page(st, i + (k << to)) = first;
	return PAGUS_OK;
}
