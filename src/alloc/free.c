/* SPDX-License-Identifier: MIT */
/*
 * Free: check the block -> its pageblock's pcp list, or the zone's free lists.
 *
 * The check is exact: only the first page of a block carries its kind and order, so a block that is
 * free already, was handed out with another order, or never existed is told from one that may be
 * freed.
 */
#include "alloc/alloc.h"

#include "alloc/free.h"
#include "pcp/maps.h"
#include "pcp/suspect.h"

enum pagus_status pg_free_why_not(const struct pagus_state *st, uint32_t i)
{
	uint32_t head = pg_head(st, i);

	uint32_t kind = head == PG_NONE ? (uint32_t)PAGUS_PAGE_HOLE : pg_view(st, head).kind;

	if (kind == PAGUS_PAGE_FREE || pg_kind_cached(kind) || kind == PAGUS_PAGE_DEFERRED ||
	    kind == PAGUS_PAGE_LEAKED)
		return PAGUS_DOUBLE_FREE;
	return PAGUS_NOT_ALLOCATED;
}

uint32_t pg_free_order(const struct pagus_state *st, pagus_pfn_t pfn)
{
	uint32_t i = pg_index(st, pfn);
	struct pg_view look;

	if (i == PG_NONE)
		return 0;
	look = pg_view(st, i);
	return look.kind == PAGUS_PAGE_ALLOCATED ? look.order : 0;
}

static bool all_inherited(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	for (uint32_t k = 0; k < 1u << order; k++) {
		if (pg_view(st, i + k).kind != PAGUS_PAGE_INHERITED ||
		    pg_page_zone(st, i + k) != pg_page_zone(st, i))
			return false;
	}
	return true;
}

/* Is that the block, and nobody else's too? Nearly always it is. */
static pg_inlined bool is_block(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	const struct pg_page *page;

	if (pg_mapped(st))
		return pg_map_is_block(st, i, order);
	page = pg_page(st, i);
	return pg_page_is(page, PAGUS_PAGE_ALLOCATED, order) && page->prev == 0;
}

static enum pagus_status check_closely(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	struct pg_view page = pg_view(st, i);

	if (page.kind == PAGUS_PAGE_ALLOCATED) {
		if (page.order != order)
			return PAGUS_WRONG_ORDER;
		return pg_references(st, i) ? PAGUS_BUSY : PAGUS_OK;
	}
	if (page.kind == PAGUS_PAGE_INHERITED)
		return all_inherited(st, i, order) ? PAGUS_OK : PAGUS_WRONG_ORDER;
	return pg_free_why_not(st, i);
}

static pg_inlined enum pagus_status check(const struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
					  uint32_t *i)
{
	enum pagus_status status = pg_block_at(st, pfn, order, i);

	return status != PAGUS_OK || is_block(st, *i, order) ? status : check_closely(st, *i, order);
}

enum pagus_status pg_free_check(const struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
				uint32_t *i)
{
	return check(st, pfn, order, i);
}

enum pagus_status pg_free_refuse(struct pg_call *c, enum pagus_status status, pagus_pfn_t pfn,
				 uint32_t i, uint32_t order)
{
	pg_count(c, PAGUS_COUNTER_free_bad, 1);
	if (pg_event_wanted(c, PAGUS_EVENT_BAD_FREE))
		pg_event_raise(c, PAGUS_EVENT_BAD_FREE,
			       i == PG_NONE ? PG_NO_ZONE : pg_page_zone(c->st, i), pfn,
			       order > UINT8_MAX ? UINT8_MAX : order, 0, status, 0);
	return status;
}

/* The block belongs to nobody: what its records said of their owner is gone. */
static pg_inlined void disown(struct pagus_state *st, uint32_t i, uint32_t order)
{
	struct pg_page *page = pg_page(st, i);
	uint32_t pages;

	/* In a map that changes together with its being free. */
	if (pg_mapped(st))
		return;
	pages = pg_page_kind(page) == PAGUS_PAGE_INHERITED ? 1u << order : 1;
	for (uint32_t k = 0; k < pages; k++) {
		pg_page_to_tail(&page[k]);
		page[k].tag = 0;
		pg_write(page[k].next, 0);
	}
}

/* The port may come back into the instance from here. */
static void uncharge(struct pg_call *c, uint32_t i, uint32_t order)
{
	pg_call_end(c);
	if (c->p->port->uncharge)
		c->p->port->uncharge(c->p->port_ctx, pg_pfn(c->st, i), order);
	pg_call_resume(c);
}

/*
 * A bad block's content is left as it was found. False: the block is leaked, or those of its pages
 * are whose memory has failed, and the others have been freed.
 */
static bool clean(struct pg_call *c, uint32_t i, uint32_t order, bool wait)
{
	bool bad = pg_content_bad(c, i, order, PAGUS_CHECK_FREE);
	const struct pg_strip how = { .wait = wait, .used = true };

	disown(c->st, i, order);
	if ((pg_read(c->st->content) & PG_CONTENT_SUSPECT) && pg_suspect_strip(c, i, order, &how))
		return false;
	if (bad)
		pg_content_leak(c, i, order);
	else
		pg_content_free(c, i, order);
	return !bad;
}

static pg_inlined bool prepare(struct pg_call *c, uint32_t i, uint32_t order, bool wait)
{
	struct pagus_state *st = c->st;

	if (pg_event_wanted(c, PAGUS_EVENT_FREE))
		pg_event(c, PAGUS_EVENT_FREE, i, order, pg_view(st, i).type, 0, 0);
	pg_count(c, PAGUS_COUNTER_free_ok, 1);
	pg_count(c, PAGUS_COUNTER_pgfree, UINT64_C(1) << order);
	if (!pg_mapped(st) && pg_unlikely(pg_page(st, i)->next & PG_MARK_CHARGED))
		uncharge(c, i, order);
	if (pg_unlikely(pg_read(st->content) || c->p->port->check))
		return clean(c, i, order, wait);
	disown(st, i, order);
	return true;
}

bool pg_free_prepare(struct pg_call *c, uint32_t i, uint32_t order)
{
	return prepare(c, i, order, true);
}

bool pg_free_prepare_nolock(struct pg_call *c, uint32_t i, uint32_t order)
{
	return prepare(c, i, order, false);
}

void pg_free_direct(struct pg_call *c, uint32_t i, uint32_t order, enum pg_end end)
{
	struct pg_zone *z = pg_zone_of(c->st, i);

	/* The pageblock may be a CPU's. */
	if (pg_mapped(c->st) && order <= c->st->pageblock_order) {
		pg_pcps[c->st->pcp_policy]->free(c, i, order, pg_block_type(c->st, i), true);
		return;
	}
	pg_zone_lock(c, z, PAGUS_REASON_FREE_DIRECT);
	if (pg_unlikely(pg_atomic_load(&z->deferred)))
		pg_free_deferred(c, z, end);
	pg_buddy_free(c, z, i, order, end);
	pg_zone_unlock(c, z);
}

void pg_free_elsewhere(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type)
{
	const struct pg_pcp_ops *ops = pg_pcps[c->st->pcp_policy];

	if (!ops->free || !ops->free(c, i, order, type, true))
		pg_free_direct(c, i, order, PG_HEAD);
}

static pg_inlined void push(struct pg_call *c, struct pg_pcp *pcp, uint32_t i, uint32_t order,
			    uint32_t type)
{
	uint32_t list = pg_pcp_free_list(c->st, order, type);

	pg_pcp_put(c->st, pcp, list, i, order, type, PG_HEAD);
	pg_pcp_after_free(c, pg_zone(c->st, pcp->zone), pcp, list, order);
	pg_count(c, PAGUS_COUNTER_pcp_free, 1);
}

void pg_free_push(struct pg_call *c, struct pg_pcp *pcp, uint32_t i, uint32_t order, uint32_t type)
{
	push(c, pcp, i, order, type);
}

static pg_inlined bool free_to_pcp(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type)
{
	struct pg_pcp *pcp = pg_pcp(c->st, pg_zone_of(c->st, i)->id, c->cpu);

	if (pg_unlikely(!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE)))
		return false;
	push(c, pcp, i, order, type);
	pg_pcp_unlock(c, pcp);
	return true;
}

static pg_inlined void free_prepared(struct pg_call *c, uint32_t i, uint32_t order)
{
	uint32_t type = pg_block_type(c->st, i);

	if ((c->st->local_orders >> order & 1) && type != PAGUS_ISOLATE &&
	    free_to_pcp(c, i, order, type))
		return;
	pg_free_elsewhere(c, i, order, type);
}

void pg_free_prepared(struct pg_call *c, uint32_t i, uint32_t order)
{
	free_prepared(c, i, order);
}

static pg_inlined void free_checked(struct pg_call *c, uint32_t i, uint32_t order)
{
	if (prepare(c, i, order, true))
		free_prepared(c, i, order);
}

void pg_free_checked(struct pg_call *c, uint32_t i, uint32_t order)
{
	free_checked(c, i, order);
}

enum pagus_status pg_free(struct pg_call *c, pagus_pfn_t pfn, uint32_t order)
{
	uint32_t i;
	enum pagus_status status = pg_free_check(c->st, pfn, order, &i);

	if (pg_unlikely(status != PAGUS_OK))
		return pg_free_refuse(c, status, pfn, i, order);
	free_checked(c, i, order);
	return PAGUS_OK;
}

enum pagus_status pg_split(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, uint32_t to)
{
	struct pagus_state *st = c->st;
	uint32_t i;
	enum pagus_status status = pg_free_check(st, pfn, order, &i);
	const struct pg_page *page;

	if (status == PAGUS_OK && to > order)
		status = PAGUS_BAD_ORDER;
	if (status != PAGUS_OK)
		return status;
	if (pg_mapped(st)) {
		pg_maps_split(c, i, order, to);
		return PAGUS_OK;
	}
	page = pg_page(st, i);
	if (pg_page_kind(page) == PAGUS_PAGE_INHERITED)
		return PAGUS_OK; /* each page is by itself already */
	if (page->next & PG_MARK_COMPOUND)
		return PAGUS_BUSY;
	for (uint32_t k = 0; k < 1u << (order - to); k++)
		pg_page_cut(pg_page(st, i + (k << to)), page, to);
	return PAGUS_OK;
}
