/* SPDX-License-Identifier: MIT */
/* The steps of step.h: each a part of what alloc/ and pcp/ do, with the locks that part needs. */
#include <pagus/step.h>

#include "alloc/highatomic.h"
#include "pcp/pcp.h"
#include "reclaim/reclaim.h"

static bool zone_valid(const struct pagus *p, uint32_t zone)
{
	return zone < p->state->nr_zones;
}

enum pagus_status pagus_step_drift(struct pagus *p, uint32_t zone, uint32_t cpu, int32_t delta,
				   uint32_t threshold)
{
	struct pg_zone *z;
	struct pg_pcp *pcp;

	if (!zone_valid(p, zone) || cpu >= p->state->nr_cpus || threshold > INT32_MAX)
		return PAGUS_BAD_VALUE;
	z = pg_zone(p->state, zone);
	pcp = pg_pcp(p->state, zone, cpu);
	z->unfolded += delta - pcp->free_delta;
	z->stat_threshold = threshold;
	pcp->free_delta = delta;
	return PAGUS_OK;
}

int64_t pagus_step_seen_free(const struct pagus *p, uint32_t zone)
{
	const struct pg_zone *z;

	if (!zone_valid(p, zone))
		return 0;
	z = pg_zone(p->state, zone);
	return z->free_pages - z->unfolded;
}

enum pagus_status pagus_step_marks(struct pagus *p, uint32_t zone, const uint64_t *wmark,
				   uint64_t boost)
{
	if (!zone_valid(p, zone))
		return PAGUS_BAD_VALUE;
	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		pg_zone(p->state, zone)->wmark[w] = wmark[w];
	pg_zone(p->state, zone)->boost = boost;
	return PAGUS_OK;
}

enum pagus_status pagus_step_limits(struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t high_min,
				    uint32_t high_max, uint32_t batch)
{
	struct pg_pcp *pcp;

	/* Every multiple of the batch that the pcp computes must fit. */
	if (!zone_valid(p, zone) || cpu >= p->state->nr_cpus || batch == 0 ||
	    batch > INT32_MAX >> 6)
		return PAGUS_BAD_VALUE;
	pcp = pg_pcp(p->state, zone, cpu);
	pcp->high_min = high_min;
	pcp->high_max = high_max;
	pcp->batch = batch;
	return PAGUS_OK;
}

static uint32_t zone_flag(enum pagus_step_flag flag)
{
	return flag == PAGUS_STEP_BELOW_HIGH ? PG_ZONE_BELOW_HIGH : PG_ZONE_RECLAIM_ACTIVE;
}

bool pagus_step_flag(const struct pagus *p, uint32_t zone, enum pagus_step_flag flag)
{
	return zone_valid(p, zone) && pg_zone_has(pg_zone(p->state, zone), zone_flag(flag));
}

void pagus_step_set_flag(struct pagus *p, uint32_t zone, enum pagus_step_flag flag, bool on)
{
	if (!zone_valid(p, zone))
		return;
	if (on)
		pg_zone_set(pg_zone(p->state, zone), zone_flag(flag));
	else
		pg_zone_clear(pg_zone(p->state, zone), zone_flag(flag));
}

void pagus_step_kswapd_failures(struct pagus *p, uint32_t node, uint32_t failures)
{
	if (node < p->state->nr_nodes)
		pg_atomic_store(&pg_node(p->state, node)->failures, failures);
}

enum pagus_status pagus_step_kswapd(struct pagus *p, uint32_t node, uint32_t highest, bool begins)
{
	struct pg_call c;

	if (node >= p->state->nr_nodes || highest >= PAGUS_NR_ZONE_TYPES)
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	if (begins)
		pg_kswapd_take_zones(c.st, node, highest);
	else
		pg_kswapd_leave_zones(&c, node, highest);
	pg_call_end(&c);
	return PAGUS_OK;
}

/* ---- blocks in use -------------------------------------------------------------------------- */

/*
 * A block in use that a recorded kernel frees in parts: from now on each of its pages is by itself.
 */
static void dissolve(const struct pagus_state *st, uint32_t head)
{
	struct pg_page *page = pg_page(st, head);
	uint8_t type = pg_page_type(page);

	for (uint32_t k = 0, pages = 1u << pg_page_order(page); k < pages; k++) {
		pg_page_set(&page[k], PAGUS_PAGE_INHERITED, 0, type);
		page[k].prev = page[k].next = 0;
	}
}

static bool is_free(const struct pg_page *page)
{
	return pg_page_kind(page) == PAGUS_PAGE_FREE || pg_page_cached(page) ||
	       pg_page_kind(page) == PAGUS_PAGE_DEFERRED || pg_page_kind(page) == PAGUS_PAGE_LEAKED;
}

/*
 * The 2^order pages from pfn, none of them free, as one block that belongs to nobody: its first in
 * *i.
 */
static enum pagus_status seize(const struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
			       uint32_t *i)
{
	enum pagus_status status = pg_block_at(st, pfn, order, i);
	uint32_t head;

	if (status != PAGUS_OK)
		return status;
	for (uint32_t k = 0; k < 1u << order; k++) {
		const struct pg_page *page = pg_page(st, *i + k);

		if (is_free(page) || page->zone != pg_page(st, *i)->zone)
			return PAGUS_BUSY;
	}
	/*
	 * Only the first page's block can reach into the range from outside, or out of it at the
	 * end.
	 */
	head = pg_head(st, *i);
	if (head == PG_NONE || is_free(pg_page(st, head)))
		return PAGUS_BUSY;
	if (pg_page_order(pg_page(st, head)) > order)
		dissolve(st, head);
	for (uint32_t k = 0; k < 1u << order; k++) {
		struct pg_page *page = pg_page(st, *i + k);

		pg_page_to_tail(page);
		page->prev = page->next = 0;
	}
	return PAGUS_OK;
}

/* ---- allocation ------------------------------------------------------------------------------ */

/* What a step took belongs to somebody now. */
static void hand_out(const struct pagus_state *st, uint32_t i, uint32_t order, uint32_t type,
		     pagus_pfn_t *pfn)
{
	struct pg_page *page = pg_page(st, i);

	pg_page_set(page, PAGUS_PAGE_ALLOCATED, order, type);
	*pfn = pg_pfn(st, i);
}

static bool request_valid(const struct pagus *p, uint32_t zone, uint32_t order, uint32_t type)
{
	return zone_valid(p, zone) && order <= p->state->max_order && pg_type_mergeable(type);
}

/* Nothing else is kept on pcp lists. */
static bool cached_request_valid(const struct pagus *p, uint32_t zone, uint32_t order,
				 uint32_t type)
{
	return request_valid(p, zone, order, type) && (p->state->pcp_orders >> order & 1);
}

enum pagus_status pagus_step_pop(struct pagus *p, uint32_t zone, uint32_t order, uint32_t type,
				 bool quiet, pagus_pfn_t *pfn)
{
	struct pg_call c;
	struct pg_pcp *pcp;
	uint32_t i;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (!cached_request_valid(p, zone, order, type))
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	pcp = pg_pcp(c.st, zone, c.cpu);
	if (!quiet)
		pcp->free_count >>= 1;
	type = pg_effective_type(c.st, type);
	i = pg_pcp_pop(c.st, pcp, pg_pcp_list(c.st, order, type), order);
	pg_call_end(&c);
	if (i == PG_NONE)
		return PAGUS_NO_MEMORY;
	hand_out(c.st, i, order, type, pfn);
	return PAGUS_OK;
}

enum pagus_status pagus_step_refill(struct pagus *p, uint32_t zone, uint32_t order, uint32_t type,
				    uint32_t flags)
{
	struct pg_take take = { .order = order, .type = pg_effective_type(p->state, type),
				.flags = flags };
	struct pg_call c;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (!cached_request_valid(p, zone, order, type))
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	pg_pcp_fill(&c, pg_zone(c.st, zone), pg_pcp(c.st, zone, c.cpu), &take);
	pg_call_end(&c);
	return PAGUS_OK;
}

enum pagus_status pagus_step_take(struct pagus *p, uint32_t zone, uint32_t order, uint32_t type,
				  uint32_t flags, pagus_pfn_t *pfn)
{
	struct pg_take take = { .order = order, .type = pg_effective_type(p->state, type),
				.flags = flags, .direct = true };
	struct pg_call c;
	struct pg_zone *z;
	uint32_t i;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (!request_valid(p, zone, order, type))
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	z = pg_zone(c.st, zone);
	pg_zone_lock(&c, z, PAGUS_REASON_ALLOC_DIRECT);
	i = pg_place_take(&c, z, &take);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	if (i == PG_NONE)
		return PAGUS_NO_MEMORY;
	hand_out(c.st, i, order, take.type, pfn);
	return PAGUS_OK;
}

static struct pg_take take_of(const struct pagus_step_hold *hold)
{
	return (struct pg_take){ .order = hold->order, .type = hold->type, .flags = hold->flags,
				 .direct = hold->direct, .resume = hold->resume };
}

enum pagus_status pagus_step_ask(struct pagus *p, uint32_t zone, const struct pagus_step_hold *hold,
				 uint32_t *blocks)
{
	struct pg_take take = take_of(hold);
	struct pg_call c;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (!cached_request_valid(p, zone, hold->order, hold->type))
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	*blocks = pg_pcps[c.st->pcp_policy]->refill_blocks(c.st, pg_zone(c.st, zone),
							   pg_pcp(c.st, zone, c.cpu), &take);
	pg_call_end(&c);
	return PAGUS_OK;
}

enum pagus_status pagus_step_take_next(struct pagus *p, uint32_t zone, struct pagus_step_hold *hold,
				       pagus_pfn_t *pfn)
{
	struct pg_take take = take_of(hold);
	struct pg_call c;
	struct pg_zone *z;
	uint32_t i;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (!request_valid(p, zone, hold->order, hold->type))
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	z = pg_zone(c.st, zone);
	pg_zone_lock(&c, z, hold->direct ? PAGUS_REASON_ALLOC_DIRECT : PAGUS_REASON_REFILL);
	i = pg_place_take(&c, z, &take);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	hold->resume = take.resume;
	if (i == PG_NONE)
		return PAGUS_NO_MEMORY;
	hand_out(c.st, i, hold->order, hold->type, pfn);
	return PAGUS_OK;
}

pagus_pfn_t pagus_step_look(struct pagus *p, uint32_t zone, const struct pagus_step_hold *hold)
{
	struct pg_take take = take_of(hold);
	struct pg_call c;
	struct pg_zone *z;
	uint32_t i;

	if (!request_valid(p, zone, hold->order, hold->type))
		return PAGUS_NO_PFN;
	c = pg_call_begin(p);
	z = pg_zone(c.st, zone);
	pg_zone_lock(&c, z, PAGUS_REASON_REFILL);
	i = pg_place_look(&c, z, &take);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	return i == PG_NONE ? PAGUS_NO_PFN : pg_pfn(c.st, i);
}

enum pagus_status pagus_step_keep(struct pagus *p, pagus_pfn_t pfn, uint32_t order, uint32_t type,
				  bool to_tail)
{
	struct pagus_state *st = p->state;
	struct pg_call c;
	uint32_t i;
	enum pagus_status status;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (order > st->max_order || !(st->pcp_orders >> order & 1) || !pg_type_mergeable(type))
		return PAGUS_BAD_VALUE;
	status = seize(st, pfn, order, &i);
	if (status != PAGUS_OK)
		return status;
	c = pg_call_begin(p);
	pg_pcp_put(st, pg_pcp(st, pg_page(st, i)->zone, c.cpu), pg_pcp_list(st, order, type), i, order,
		   type, to_tail ? PG_TAIL : PG_HEAD);
	pg_call_end(&c);
	return PAGUS_OK;
}

bool pagus_step_visit(struct pagus *p, uint32_t zone, uint32_t order, enum pagus_zone_type highest,
		      uint32_t flags)
{
	if (!zone_valid(p, zone) || order > p->state->max_order ||
	    (uint32_t)highest >= PAGUS_NR_ZONE_TYPES)
		return false;
	return pg_zone_visit(p->state, pg_zone(p->state, zone), order, highest, flags);
}

enum pagus_status pagus_step_reserve(struct pagus *p, pagus_pfn_t pfn, uint32_t order)
{
	struct pg_call c;
	uint32_t i;
	enum pagus_status status = pg_block_at(p->state, pfn, order, &i);

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (status != PAGUS_OK)
		return status;
	c = pg_call_begin(p);
	pg_highatomic_reserve(&c, i, order);
	pg_call_end(&c);
	return PAGUS_OK;
}

enum pagus_status pagus_step_next_reserved(const struct pagus *p, uint32_t zone, pagus_pfn_t *pfn)
{
	uint32_t order, i;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (!zone_valid(p, zone))
		return PAGUS_BAD_VALUE;
	i = pg_highatomic_next(p->state, pg_zone(p->state, zone), &order);
	if (i == PG_NONE)
		return PAGUS_NO_MEMORY;
	*pfn = pg_pfn(p->state, i);
	return PAGUS_OK;
}

enum pagus_status pagus_step_unreserve(struct pagus *p, uint32_t zone, uint32_t type)
{
	struct pg_call c;
	bool moved;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (!zone_valid(p, zone) || !pg_type_mergeable(type))
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	moved = pg_highatomic_unreserve_zone(&c, pg_zone(c.st, zone), type);
	pg_call_end(&c);
	return moved ? PAGUS_OK : PAGUS_NO_MEMORY;
}

/* ---- free ------------------------------------------------------------------------------------ */

enum pagus_status pagus_step_push(struct pagus *p, pagus_pfn_t pfn, uint32_t order, bool may_drain,
				  uint32_t *list, uint32_t *over)
{
	struct pagus_state *st = p->state;
	struct pg_call c;
	struct pg_pcp *pcp;
	uint32_t i, type;
	enum pagus_status status;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (order > st->max_order || !(st->pcp_orders >> order & 1))
		return PAGUS_BAD_ORDER;
	status = seize(st, pfn, order, &i);
	if (status != PAGUS_OK)
		return status;
	c = pg_call_begin(p);
	type = pg_block_type(st, i);
	*list = pg_pcp_free_list(st, order, type);
	pcp = pg_pcp(st, pg_page(st, i)->zone, c.cpu);
	pg_pcp_put(st, pcp, *list, i, order, type, PG_HEAD);
	*over = pg_pcps[st->pcp_policy]->over(st, pg_zone_of(st, i), pcp, order,
						 may_drain);
	pg_call_end(&c);
	return PAGUS_OK;
}

enum pagus_status pagus_step_drain(struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t pages,
				   uint32_t list)
{
	struct pg_call c;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (!zone_valid(p, zone) || cpu >= p->state->nr_cpus || list >= p->state->nr_pcp_lists)
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	pg_pcp_drain(&c, pg_zone(c.st, zone), pg_pcp(c.st, zone, cpu), pages, list,
		     PAGUS_REASON_DRAIN);
	pg_call_end(&c);
	return PAGUS_OK;
}

void pagus_step_settle(struct pagus *p, uint32_t zone)
{
	if (zone_valid(p, zone))
		pg_pcp_settle(p->state, pg_zone(p->state, zone));
}

void pagus_step_fold(struct pagus *p)
{
	struct pg_call c = pg_call_begin(p);

	for (uint32_t id = 0; id < c.st->nr_zones; id++)
		pg_account_fold(c.st, pg_zone(c.st, id), c.cpu);
	pg_call_end(&c);
}

enum pagus_status pagus_step_decay(struct pagus *p, uint32_t zone, uint32_t *over)
{
	struct pg_call c;

	if (!zone_valid(p, zone))
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	*over = pg_pcp_decay(c.st, pg_pcp(c.st, zone, c.cpu));
	pg_call_end(&c);
	return PAGUS_OK;
}

enum pagus_status pagus_step_free(struct pagus *p, pagus_pfn_t pfn, uint32_t order, bool to_tail)
{
	struct pg_call c;
	struct pg_zone *z;
	uint32_t i;
	enum pagus_status status = seize(p->state, pfn, order, &i);

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (status != PAGUS_OK)
		return status;
	c = pg_call_begin(p);
	z = pg_zone_of(c.st, i);
	pg_zone_lock(&c, z, PAGUS_REASON_FREE_DIRECT);
	pg_buddy_free(&c, z, i, order, to_tail ? PG_TAIL : PG_HEAD);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	return PAGUS_OK;
}

/* ---- changes from outside -------------------------------------------------------------------- */

enum pagus_status pagus_step_isolate(struct pagus *p, pagus_pfn_t pfn, uint32_t order)
{
	struct pg_call c;
	struct pg_zone *z;
	uint32_t i = pg_index(p->state, pfn);

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (i == PG_NONE || pg_page(p->state, i)->zone == PG_NO_ZONE)
		return PAGUS_BAD_RANGE;
	z = pg_zone_of(p->state, i);
	if (!pg_store_holds(p->state, z, i, order))
		return PAGUS_BUSY;
	c = pg_call_begin(p);
	pg_zone_lock(&c, z, PAGUS_REASON_HAND_OVER);
	pg_buddy_cut(&c, z, i, order, pg_block_type(c.st, i));
	pg_zone_unlock(&c, z);
	pg_page_set(pg_page(c.st, i), PAGUS_PAGE_ALLOCATED, order, PAGUS_MOVABLE);
	pg_call_end(&c);
	return PAGUS_OK;
}

enum pagus_status pagus_step_set_type(struct pagus *p, pagus_pfn_t pfn, enum pagus_migratetype type)
{
	struct pg_call c;
	uint32_t i = pg_index(p->state, pfn);

	if (i == PG_NONE || type >= PAGUS_NR_MIGRATETYPES)
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	pg_block_set_type(&c, i, 0, type);
	if (pg_page_zone(c.st, i) != PG_NO_ZONE)
		pg_pcp_retyped(&c, i, type);
	pg_call_end(&c);
	return PAGUS_OK;
}

enum pagus_status pagus_step_move_free(struct pagus *p, pagus_pfn_t pfn,
				       enum pagus_migratetype from, enum pagus_migratetype to)
{
	struct pg_call c;
	struct pg_zone *z;
	uint32_t i = pg_index(p->state, pfn), end;

	if (i == PG_NONE || from >= PAGUS_NR_MIGRATETYPES || to >= PAGUS_NR_MIGRATETYPES)
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	i = pg_block_start(c.st, i);
	end = i + (1u << c.st->pageblock_order);
	while (i < end) {
		const struct pg_view page = pg_view(c.st, i);
		uint32_t pages = 1u << page.order;

		if (page.kind == PAGUS_PAGE_FREE) {
			z = pg_zone_of(c.st, i);
			pg_zone_lock(&c, z, PAGUS_REASON_HAND_OVER);
			pg_buddy_move(&c, z, i, from, pg_effective_type(c.st, to));
			pg_zone_unlock(&c, z);
		}
		i += pages;
	}
	pg_call_end(&c);
	return PAGUS_OK;
}

enum pagus_status pagus_step_rotate(struct pagus *p, pagus_pfn_t pfn, uint32_t order)
{
	struct pagus_state *st = p->state;
	struct pg_page *pages = pg_pages(st);
	uint32_t i = pg_index(st, pfn), head;

	if (pg_mapped(p->state))
		return PAGUS_UNSUPPORTED;
	if (i == PG_NONE || !pg_page_is(&pages[i], PAGUS_PAGE_FREE, order))
		return PAGUS_BUSY;
	/* The head is an entry of the circle: moving it in front of i turns the list. */
	for (head = pages[i].next; head >= st->first_page;)
		head = pages[head].next;
	pg_list_del(pages, head);
	pg_list_add_tail(pages, i, head);
	return PAGUS_OK;
}
