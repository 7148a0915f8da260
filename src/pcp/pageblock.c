/* SPDX-License-Identifier: MIT */
/*
 * The pcp buddy allocator. A CPU takes whole pageblocks from the zone, owns them, and cuts them up
 * on its own lists; what is freed of them goes to the owner's lists, whichever CPU frees it. So the
 * pages of a pageblock meet again under one pcp's lock, and the zone's lock sees pageblocks.
 *
 *     alloc:  the list of the order -> cut a larger block of the lists -> refill (phase.c)
 *     free:   the owner's lists, if its lock is free -> the owner's deferred blocks -> the zone
 *
 * A block of a pageblock that the CPU owns is PCP_OWNED on its lists, any other PCP. Which it is
 * stands in its first page and changes only under this pcp's lock, so a PCP_OWNED buddy inside the
 * pageblock is known to be on the same pcp. A record counts the pages of its pageblock that are
 * PCP_OWNED; once that is all, the pageblock is whole, without anything having been merged yet.
 *
 * A free never waits for a pcp's lock, of any CPU. What finds it taken is deferred on a stack of
 * the owner, which the next holder of the lock for a free, a miss, a drain or the tick empties;
 * never more than a pageblock's worth of pages, beyond which frees go to the zone.
 *
 * How much a refill asks for, and above which count a free drains, is Linux's (linux.c). Frees by
 * other CPUs leave what the owner's own traffic has taught its pcp as it is.
 */
#include "pcp/pageblock.h"

#include "base/bits.h"
#include "mem/stack.h"

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

static void list_block(struct pagus_state *st, struct pg_pcp *pcp, uint32_t i, uint32_t kind,
		       uint32_t order, uint32_t type, enum pg_end end)
{
	struct pg_page *pages = pg_pages(st);
	uint32_t head = pcp->first_head + pg_pcp_free_list(st, order, type);

	pg_page_set(&pages[i], kind, order, 0);
	if (end == PG_HEAD)
		pg_list_add_head(pages, head, i);
	else
		pg_list_add_tail(pages, head, i);
}

void pg_owned_keep(struct pagus_state *st, struct pg_pcp *pcp, uint32_t i, uint32_t order,
		   uint32_t type, enum pg_end end)
{
	uint32_t record = pg_own_record(st, i);
	struct pg_own *own = pg_own(st, record);
	bool owned = pg_owner(st, i) == pcp->cpu + 1;

	list_block(st, pcp, i, owned ? PAGUS_PAGE_PCP_OWNED : PAGUS_PAGE_PCP, order, type, end);
	pg_write(pcp->count, pcp->count + (1u << order));
	if (!owned)
		return;
	pg_write(own->nr_free, own->nr_free + (1u << order));
	PG_ASSERT(own->nr_free <= block_pages(st));
	if (own->nr_free == block_pages(st))
		pg_own_add(st, pg_own_head(st, pcp->zone, pcp->cpu), record, PG_OWN_WHOLE);
}

void pg_owned_leaves(struct pagus_state *st, uint32_t i, uint32_t order)
{
	const struct pg_page *page = pg_page(st, i);
	struct pg_own *own;

	PG_ASSERT(pg_page_is(page, PAGUS_PAGE_PCP_OWNED, order));
	own = pg_own(st, pg_own_record(st, i));
	if (pg_own_listed(own, PG_OWN_WHOLE))
		pg_own_del(st, pg_own_record(st, i), PG_OWN_WHOLE);
	PG_ASSERT(own->nr_free >= 1u << order);
	pg_write(own->nr_free, own->nr_free - (1u << order));
}

void pg_pcp_remove(struct pagus_state *st, struct pg_pcp *pcp, uint32_t i)
{
	uint32_t order = pg_page_order(pg_page(st, i));

	if (pg_page_kind(pg_page(st, i)) == PAGUS_PAGE_PCP_OWNED)
		pg_owned_leaves(st, i, order);
	pg_list_del(pg_pages(st), i);
	pg_write(pcp->count, pcp->count - (1u << order));
}

uint32_t pg_pop_owned(struct pagus_state *st, struct pg_pcp *pcp, uint32_t i, uint32_t order)
{
	PG_ASSERT(pg_page_is(pg_page(st, i), PAGUS_PAGE_PCP_OWNED, order));
	pg_pcp_remove(st, pcp, i);
	/* Who has the lock next must not take it for a buddy that is on the lists. */
	pg_page_set_kind(pg_page(st, i), PAGUS_PAGE_PCP);
	return i;
}

/* ---- allocation ------------------------------------------------------------------------------ */

/*
 * A block for the list of `order`, cut off the first of the smallest larger blocks: the lowest of
 * its pages. The upper halves stay, each on its list. False: there is none.
 */
static bool cut_larger(struct pg_call *c, struct pg_pcp *pcp, uint32_t order, uint32_t type)
{
	struct pagus_state *st = c->st;
	struct pg_page *pages = pg_pages(st);
	uint32_t from = order, i = PG_NONE, kind;

	for (; from <= st->pageblock_order; from++) {
		i = pg_list_first(pages, pcp->first_head + pg_pcp_list(st, from, type));
		if (i != PG_NONE)
			break;
	}
	if (i == PG_NONE || from == order)
		return i != PG_NONE;
	pg_list_del(pages, i);
	pg_count(c, PAGUS_COUNTER_pcp_split, from - order);
	kind = pg_page_kind(&pages[i]);
	while (from-- > order)
		list_block(st, pcp, i + (1u << from), kind, from, type, PG_HEAD);
	list_block(st, pcp, i, kind, order, type, PG_HEAD);
	return true;
}

static bool restock(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t)
{
	if (!(t->flags & PG_ALLOC_TRYLOCK))
		pg_owned_gather(c, pcp);
	if (cut_larger(c, pcp, t->order, t->type))
		return true;
	pg_lists_refill(c, z, pcp, t);
	if (!cut_larger(c, pcp, t->order, t->type) && pg_owned_merge(c, pcp, t->order))
		cut_larger(c, pcp, t->order, t->type);
	return false;
}

/* ---- free ------------------------------------------------------------------------------------ */

/* A pageblock that has been isolated since has its pages itself. */
static void gather_block(struct pg_call *c, struct pg_pcp *pcp, uint32_t i, uint32_t order)
{
	struct pg_zone *z = pg_zone(c->st, pcp->zone);

	if (pg_block_type(c->st, i) != PAGUS_ISOLATE) {
		pg_owned_keep(c->st, pcp, i, order, pg_block_type(c->st, i), PG_HEAD);
		return;
	}
	pg_zone_lock(c, z, PAGUS_REASON_FREE_DIRECT);
	pg_buddy_free(c, z, i, order, PG_HEAD);
	pg_zone_unlock(c, z);
}

void pg_owned_gather_all(struct pg_call *c, struct pg_pcp *pcp, uint32_t stack)
{
	struct pagus_state *st = c->st;
	uint32_t i, next, order, pages = 0;

	for (i = pg_stack_take(&pcp->remote, stack); i != PG_NONE; i = next) {
		next = pg_stack_next(pg_pages(st), i, &order);
		gather_block(c, pcp, i, order);
		pages += 1u << order;
	}
	pg_atomic_sub(&pcp->remote_pages, pages);
}

/* Nobody opens or closes the stack without the lock that is held here. */
void pg_owned_gather(struct pg_call *c, struct pg_pcp *pcp)
{
	if (!pg_stack_empty(&pcp->remote))
		pg_owned_gather_all(c, pcp, PG_NONE);
}

/* False: too much waits already, or the pcp takes nothing any more. */
static bool defer(struct pg_call *c, struct pg_pcp *pcp, uint32_t i, uint32_t order)
{
	uint32_t pages = 1u << order, waiting = pg_atomic_add(&pcp->remote_pages, pages);

	if (waiting + pages > block_pages(c->st) ||
	    !pg_stack_push(pg_pages(c->st), &pcp->remote, i, order)) {
		pg_atomic_sub(&pcp->remote_pages, pages);
		return false;
	}
	pg_count(c, PAGUS_COUNTER_pcp_free_deferred, 1);
	return true;
}

/*
 * How many pages a free by another CPU drains. In a zone that is short of pages the owner, who may
 * not allocate at all, keeps little.
 */
static uint32_t over_limit(const struct pg_zone *z, const struct pg_pcp *pcp)
{
	uint32_t high = (uint32_t)pg_clamp(pcp->high, pcp->high_min, pcp->high_max);

	if (pg_zone_has(z, PG_ZONE_RECLAIM_ACTIVE | PG_ZONE_BELOW_HIGH))
		high = (uint32_t)pg_min(high, UINT64_C(4) * pcp->batch);
	return pcp->count < high ? 0 : pcp->count - high + pcp->batch;
}

static void drain_over(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t order)
{
	uint32_t pages, left;

	pages = pcp->cpu == c->cpu ? pg_pcp_tuned_over(c->st, z, pcp, order, true) :
				     over_limit(z, pcp);
	if (pages == 0)
		return;
	for (; pages > 0; pages -= (uint32_t)pg_min(pages, left)) {
		left = pg_pcp_drain(c, z, pcp, pages, 0, PAGUS_REASON_OVERFLOW);
		if (left == 0)
			break;
	}
	pg_pcp_settle(c->st, z);
}

/* Onto the lists of the pcp, whose lock is held. */
static void push(struct pg_call *c, struct pg_pcp *pcp, uint32_t i, uint32_t order, uint32_t type,
		 bool may_drain)
{
	struct pg_zone *z = pg_zone(c->st, pcp->zone);

	pg_owned_keep(c->st, pcp, i, order, type, PG_HEAD);
	pg_count(c, PAGUS_COUNTER_pcp_free, 1);
	if (pcp->cpu != c->cpu)
		pg_count(c, PAGUS_COUNTER_pcp_free_remote, 1);
	if (may_drain)
		drain_over(c, z, pcp, order);
	else if (pcp->cpu == c->cpu)
		pg_pcp_tuned_over(c->st, z, pcp, order, false);
}

static bool free_routed(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type,
			bool may_drain)
{
	struct pagus_state *st = c->st;
	uint32_t owner;
	struct pg_pcp *pcp;

	if (!(st->pcp_orders >> order & 1) || type == PAGUS_ISOLATE)
		return false;
	owner = pg_owner(st, i);
	pcp = pg_pcp(st, pg_page(st, i)->zone, owner ? owner - 1 : c->cpu);
	if (!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE))
		return owner && defer(c, pcp, i, order);
	/* Disowned before the lock was there: this pcp is any other now. */
	if (pg_owner(st, i) != owner) {
		pg_pcp_unlock(c, pcp);
		return false;
	}
	if (may_drain)
		pg_owned_gather(c, pcp);
	push(c, pcp, i, order, type, may_drain);
	pg_pcp_unlock(c, pcp);
	return true;
}

static void revive(struct pg_pcp *pcp)
{
	if (pg_atomic_load(&pcp->remote) == PG_STACK_CLOSED)
		pg_atomic_store(&pcp->remote, PG_NONE);
}

const struct pg_pcp_ops pg_pcp_pageblock = {
	.name = "pageblock", .about = "CPUs own pageblocks, and merge what is freed of them",
	.cached = true, .all_orders = true, .refill_blocks = pg_pcp_tuned_blocks,
	.over = pg_pcp_tuned_over, .restock = restock, .free = free_routed, .drain = pg_owned_drain,
	.gather = pg_owned_gather, .tick = pg_owned_tick, .retire = pg_owned_retire,
	.revive = revive, .release = pg_owned_release,
};
