/* SPDX-License-Identifier: MIT */
/*
 * What a pcp that owns pageblocks gives back, and how ownership ends.
 *
 * A drain chooses before it takes the zone's lock: whole pageblocks first, those that became whole
 * first; then single blocks, the smallest orders first, from the tails, each merged with what of
 * its buddies is there. Under the lock the chosen are handed over, nothing else. What is deferred
 * meanwhile stays so: it would leave in place of what the drain was asked for.
 *
 * Ownership ends when the pageblock is whole in the zone (zone/owner.c); when the owner has left
 * all its free pages in the zone for some ticks; and when the CPU goes or the zone's pcps are
 * switched off. The last two leave pages in use that others free: with the owner's lock held here,
 * they see it as it is.
 */
#include "pcp/pageblock.h"

#include "base/bits.h"
#include "mem/stack.h"

#define MAX_HOLD    64 /* blocks handed over in one hold of the zone's lock */
#define LEASE_TICKS 3  /* without a page of it on the owner's lists */
#define MAX_LEASES  8  /* pageblocks looked at in a tick */

/* Blocks that are on no list any more, linked by `next`; their orders stand in their first pages. */
struct chosen {
	uint32_t first, last, nr, pages;
};

static void choose(struct pagus_state *st, struct chosen *chosen, uint32_t i, uint32_t order)
{
	struct pg_page *pages = pg_pages(st);

	pg_page_set(&pages[i], PAGUS_PAGE_TAIL, order, 0);
	if (chosen->first == PG_NONE)
		chosen->first = i;
	else
		pg_write(pages[chosen->last].next, i);
	chosen->last = i;
	chosen->nr++;
	chosen->pages += 1u << order;
}

/* Off its list, and for the moment not even a first page. */
static void unlist(struct pagus_state *st, struct pg_pcp *pcp, uint32_t i)
{
	struct pg_page *page = pg_page(st, i);

	pg_pcp_remove(st, pcp, i);
	pg_page_to_tail(page);
}

/* The pageblock that became whole first, as one block; PG_NONE if none is whole. */
static uint32_t pick_whole(struct pg_call *c, struct pg_pcp *pcp)
{
	struct pagus_state *st = c->st;
	uint32_t head = pg_own_head(st, pcp->zone, pcp->cpu);
	uint32_t record = pg_own(st, head)->link[PG_OWN_WHOLE].prev, start, nr = 0;

	if (record == head)
		return PG_NONE;
	start = pg_own_start(st, record);
	for (uint32_t n = 0, order; n < 1u << st->pageblock_order; n += 1u << order, nr++) {
		order = pg_page_order(pg_page(st, start + n));
		PG_ASSERT(pg_page_kind(pg_page(st, start + n)) == PAGUS_PAGE_PCP_OWNED);
		unlist(st, pcp, start + n);
	}
	pg_count(c, PAGUS_COUNTER_pcp_merge, nr - 1);
	return start;
}

/* The block i, just taken off, merged with what of its buddies is there, up to order `most`. */
static uint32_t merge(struct pg_call *c, struct pg_pcp *pcp, uint32_t i, uint32_t *order,
		      uint32_t most)
{
	struct pagus_state *st = c->st;

	for (; *order < most; ++*order) {
		uint32_t buddy = pg_buddy(i, *order);

		if (!pg_page_is(pg_page(st, buddy), PAGUS_PAGE_PCP_OWNED, *order))
			break;
		unlist(st, pcp, buddy);
		pg_count(c, PAGUS_COUNTER_pcp_merge, 1);
		i &= buddy;
	}
	return i;
}

/* The last of the first list that has any: the pageblock's order, then from order 0 up. */
static uint32_t last_block(const struct pagus_state *st, const struct pg_pcp *pcp, uint32_t *order)
{
	for (uint32_t n = 0; n <= st->pageblock_order; n++) {
		*order = n == 0 ? st->pageblock_order : n - 1;
		for (uint32_t type = 0; type < PG_PCP_TYPES; type++) {
			uint32_t i = pg_list_last(pg_pages(st), pcp->first_head +
						  pg_pcp_list(st, *order, type));

			if (i != PG_NONE)
				return i;
		}
	}
	return PG_NONE;
}

static uint32_t pick_single(struct pg_call *c, struct pg_pcp *pcp, uint32_t *order)
{
	uint32_t i = last_block(c->st, pcp, order);
	bool owned;

	if (i == PG_NONE)
		return i;
	owned = pg_page_kind(pg_page(c->st, i)) == PAGUS_PAGE_PCP_OWNED;
	unlist(c->st, pcp, i);
	return owned ? merge(c, pcp, i, order, c->st->pageblock_order) : i;
}

/* Is the block i of `order`, on a list, one of two that can merge? */
static bool paired(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	const struct pg_page *buddy = pg_page(st, pg_buddy(i, order));

	return pg_page_kind(pg_page(st, i)) == PAGUS_PAGE_PCP_OWNED &&
	       pg_page_is(buddy, PAGUS_PAGE_PCP_OWNED, order);
}

/* The list of blocks of `from`: true if a block of `order` came to be. */
static bool merge_list(struct pg_call *c, struct pg_pcp *pcp, uint32_t list, uint32_t from,
		       uint32_t order)
{
	struct pagus_state *st = c->st;
	struct pg_page *pages = pg_pages(st);
	uint32_t head = pcp->first_head + list, next;
	bool any = false;

	for (uint32_t i = pages[head].next; i != head; i = next) {
		uint32_t grown = from;

		next = pages[i].next;
		if (!paired(st, i, from))
			continue;
		unlist(st, pcp, i);
		i = merge(c, pcp, i, &grown, order);
		pg_owned_keep(st, pcp, i, grown, pg_block_type(st, i), PG_TAIL);
		any |= grown == order;
		/* The next may have been a part of that. */
		if (next != head &&
		    (!pg_page_cached(&pages[next]) || pg_page_order(&pages[next]) != from))
			next = pages[head].next;
	}
	return any;
}

bool pg_owned_merge(struct pg_call *c, struct pg_pcp *pcp, uint32_t order)
{
	bool any = false;

	for (uint32_t from = 0; from < order; from++)
		for (uint32_t type = 0; type < PG_PCP_TYPES; type++)
			any |= merge_list(c, pcp, pg_pcp_list(c->st, from, type), from, order);
	return any;
}

static struct chosen choose_blocks(struct pg_call *c, struct pg_pcp *pcp, uint32_t pages)
{
	struct chosen chosen = { 0 };

	while (chosen.pages < pages && chosen.nr < MAX_HOLD) {
		uint32_t order = c->st->pageblock_order, i = pick_whole(c, pcp);

		if (i == PG_NONE)
			i = pick_single(c, pcp, &order);
		if (i == PG_NONE)
			break;
		choose(c->st, &chosen, i, order);
	}
	return chosen;
}

uint32_t pg_owned_drain(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t pages,
			enum pagus_lock_reason why)
{
	struct pagus_state *st = c->st;
	struct chosen chosen = choose_blocks(c, pcp, pages);

	if (chosen.nr == 0)
		return 0;
	pg_zone_lock(c, z, why);
	for (uint32_t i = chosen.first, next; i != PG_NONE; i = next) {
		struct pg_page *page = pg_page(st, i);
		uint32_t order = pg_page_order(page);

		next = page->next;
		pg_write(page->next, 0);
		pg_page_to_tail(page);
		pg_buddy_free(c, z, i, order, PG_HEAD);
		pg_event(c, PAGUS_EVENT_PCPU_DRAIN, i, order, pg_block_type(st, i), 0, 0);
	}
	pg_zone_unlock(c, z);
	pg_count(c, PAGUS_COUNTER_pcp_drain, 1);
	pg_count(c, PAGUS_COUNTER_pcp_drain_blocks, chosen.nr);
	pg_count(c, PAGUS_COUNTER_pcp_drain_pages, chosen.pages);
	return chosen.pages;
}

/* ---- the end of ownership ---------------------------------------------------------------------- */

/*
 * Pageblocks of which the owner has used nothing for a while: the zone has them. Those of which it
 * has pages on its lists go to the front, so that the others come to be looked at.
 */
static void end_leases(struct pg_call *c, struct pg_zone *z, const struct pg_pcp *pcp)
{
	struct pagus_state *st = c->st;
	uint32_t head = pg_own_head(st, z->id, pcp->cpu), prev;
	uint32_t record = pg_own(st, head)->link[PG_OWN_PIECES].prev;

	for (uint32_t n = 0; n < MAX_LEASES && record != head; n++, record = prev) {
		struct pg_own *own = pg_own(st, record);

		prev = own->link[PG_OWN_PIECES].prev;
		if (own->nr_free) {
			own->age = 0;
			pg_own_del(st, record, PG_OWN_PIECES);
			pg_own_add(st, head, record, PG_OWN_PIECES);
		} else if (++own->age >= LEASE_TICKS) {
			pg_own_drop(c, record);
		}
	}
}

void pg_owned_tick(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp)
{
	uint32_t head = pg_own_head(c->st, z->id, pcp->cpu);

	pg_owned_gather(c, pcp);
	/* Without the lock first: most CPUs have left nothing in the zone. */
	if (pg_atomic_load(&pg_own(c->st, head)->link[PG_OWN_PIECES].prev) == head)
		return;
	pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
	end_leases(c, z, pcp);
	pg_zone_unlock(c, z);
}

/* All pageblocks that the pcp owns are the zone's, a piece of memory in each hold of its lock. */
static void disown_all(struct pg_call *c, struct pg_zone *z, const struct pg_pcp *pcp)
{
	struct pagus_state *st = c->st;
	uint32_t first = pg_own_record(st, st->first_page);
	uint32_t end = first + (st->nr_pages >> st->pageblock_order);

	for (uint32_t from = first; from < end; from += MAX_HOLD) {
		pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
		for (uint32_t record = from; record < pg_min(end, from + MAX_HOLD); record++)
			if (pg_own(st, record)->owner == pcp->cpu + 1 &&
			    pg_page(st, pg_own_start(st, record))->zone == z->id)
				pg_own_drop(c, record);
		pg_zone_unlock(c, z);
	}
}

void pg_owned_retire(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp)
{
	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
	pg_owned_gather_all(c, pcp, PG_STACK_CLOSED);
	pg_pcp_empty(c, z, pcp);
	disown_all(c, z, pcp);
	pg_pcp_unlock(c, pcp);
}

/* What the pcp has of the pageblock that it owns becomes the zone's. Both are locked. */
static void release(struct pg_call *c, uint32_t start)
{
	struct pagus_state *st = c->st;

	for (uint32_t n = 0; n < 1u << st->pageblock_order; n++)
		if (pg_page_kind(pg_page(st, start + n)) == PAGUS_PAGE_PCP_OWNED) {
			pg_owned_leaves(st, start + n, pg_page_order(pg_page(st, start + n)));
			pg_page_set_kind(pg_page(st, start + n), PAGUS_PAGE_PCP);
		}
	pg_own_drop(c, pg_own_record(st, start));
}

/*
 * While the owner's lock is waited for, it may become another: each turn in vain is one that did.
 * With that lock alone it may still cease to be one, by frees to the zone that complete the
 * pageblock.
 */
void pg_owned_release(struct pg_call *c, uint32_t i)
{
	struct pagus_state *st = c->st;
	struct pg_zone *z = pg_zone_of(st, i);

	for (uint32_t owner; (owner = pg_owner(st, i)) != 0;) {
		struct pg_pcp *pcp = pg_pcp(st, z->id, owner - 1);

		pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
		pg_owned_gather(c, pcp);
		pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
		if (pg_owner(st, i) == owner)
			release(c, pg_block_start(st, i));
		pg_zone_unlock(c, z);
		pg_pcp_unlock(c, pcp);
	}
}
