/* SPDX-License-Identifier: MIT */
/*
 * The full walk: first along every list, then over every page, then the sums against each other.
 * Numbers and texts of the invariants are in invariants.def.
 */
#include "watch/check.h"

#include "mem/stack.h"
#include "pcp/pcp.h"
#include "zone/owner.h"

#define BROKEN(number, i) return note_broken(k, number, i)

struct sums {
	uint64_t listed_free, listed_pcp;   /* blocks met on lists */
	uint64_t heads_free, heads_pcp;     /* blocks met in the walk over pages */
	uint64_t free_pages, pcp_pages; /* in lists */
	uint64_t held_pages;            /* allocated, inherited or deferred */
	uint64_t leaked_pages;
	uint64_t listed_deferred, heads_deferred; /* blocks, as above */
	uint64_t isolated_pages;
	uint64_t reserved_pages;            /* of HIGHATOMIC pageblocks */
	uint64_t isolated_blocks;
};

struct check {
	const struct pagus_state *st;
	uint32_t where;
	uint32_t merged_below; /* order from which on buddies may stand apart */
	struct sums zone[PG_MAX_ZONES];
};

static int note_broken(struct check *k, int number, uint32_t i)
{
	k->where = i;
	return number;
}

/* Freed blocks of the zone that wait for a lock: a list with one link an entry. */
static int check_stack(struct check *k, const struct pg_zone *z, uint32_t first, uint64_t *pages)
{
	uint32_t end = k->st->first_page + k->st->nr_pages;
	struct sums *sums = &k->zone[z->id];

	*pages = 0;
	if (first == PG_STACK_CLOSED)
		return 0;
	for (uint32_t i = first; i != PG_NONE; i = pg_page(k->st, i)->next) {
		if (i < k->st->first_page || i >= end ||
		    pg_page_kind(pg_page(k->st, i)) != PAGUS_PAGE_DEFERRED ||
		    pg_page(k->st, i)->zone != z->id || sums->listed_deferred > k->st->nr_pages)
			BROKEN(INV_deferred, i < end ? i : PG_NONE);
		sums->listed_deferred++;
		*pages += 1u << pg_page_order(pg_page(k->st, i));
	}
	sums->held_pages += *pages;
	return 0;
}

static int check_deferred(struct check *k, const struct pg_zone *z)
{
	uint64_t pages;
	int broken = check_stack(k, z, z->deferred, &pages);

	if (!broken && pages != z->deferred_pages)
		BROKEN(INV_deferred, PG_NONE);
	for (uint32_t cpu = 0; cpu < k->st->nr_cpus && !broken; cpu++) {
		const struct pg_pcp *pcp = pg_pcp(k->st, z->id, cpu);

		broken = check_stack(k, z, pcp->remote, &pages);
		if (!broken && (pages != pcp->remote_pages || pages > 1u << k->st->pageblock_order))
			BROKEN(INV_remote, PG_NONE);
	}
	return broken;
}

/* One list: links, and each entry's kind, order and zone. *nr_blocks: how many entries. */
static int check_list(struct check *k, uint32_t head, uint32_t zone, uint32_t kind, uint32_t order,
		      uint64_t *nr_blocks)
{
	const struct pg_page *pages = pg_pages(k->st);
	uint32_t end = k->st->first_page + k->st->nr_pages;
	int state = kind == PAGUS_PAGE_FREE ? INV_free_state : INV_pcp_state;

	*nr_blocks = 0;
	for (uint32_t i = pages[head].next, prev = head;; prev = i, i = pages[i].next) {
		if (i >= end || pages[i].prev != prev || *nr_blocks > k->st->nr_pages)
			BROKEN(INV_link_symmetric, prev);
		if (i == head)
			return 0;
		*nr_blocks += 1;
		if (i < k->st->first_page || pg_page_order(&pages[i]) != order || pages[i].zone != zone ||
		    (kind == PAGUS_PAGE_PCP ? !pg_page_cached(&pages[i]) :
					      pg_page_kind(&pages[i]) != kind))
			BROKEN(state, i);
	}
}

static int check_free_lists(struct check *k, const struct pg_zone *z)
{
	struct sums *sums = &k->zone[z->id];

	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++) {
		uint64_t of_order = 0;

		for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
			uint32_t head = pg_store_list(z, order, type), i;
			uint64_t nr;
			int broken = check_list(k, head, z->id, PAGUS_PAGE_FREE, order, &nr);

			if (broken)
				return broken;
			for (i = pg_page(k->st, head)->next; i != head;
			     i = pg_page(k->st, i)->next) {
				if (i & ((1u << order) - 1))
					BROKEN(INV_free_aligned, i);
				if (pg_release(k->st)->list_is_block_type &&
				    pg_block_type(k->st, i) != type)
					BROKEN(INV_free_type, i);
			}
			of_order += nr;
			sums->free_pages += nr << order;
			sums->isolated_pages += type == PAGUS_ISOLATE ? nr << order : 0;
		}
		if (of_order != z->nr_free[order])
			BROKEN(INV_nr_free, PG_NONE);
		sums->listed_free += of_order;
	}
	if ((int64_t)(sums->free_pages - sums->isolated_pages) != z->free_pages)
		BROKEN(INV_free_pages, PG_NONE);
	return 0;
}

static uint32_t list_order(const struct pagus_state *st, uint32_t list)
{
	return pg_pcps[st->pcp_policy]->all_orders ? list / PG_PCP_TYPES :
						     pg_pcp_list_order(list, st->pageblock_order);
}

static int check_owned(struct check *k, const struct pg_pcp *pcp, uint32_t list)
{
	uint32_t head = pcp->first_head + list;

	for (uint32_t i = pg_page(k->st, head)->next; i != head; i = pg_page(k->st, i)->next)
		if (pg_page_kind(pg_page(k->st, i)) == PAGUS_PAGE_PCP_OWNED &&
		    pg_owner(k->st, i) != pcp->cpu + 1)
			BROKEN(INV_owned_state, i);
	return 0;
}

static int check_pcp_lists(struct check *k, const struct pg_zone *z, uint32_t cpu)
{
	const struct pg_pcp *pcp = pg_pcp(k->st, z->id, cpu);
	uint64_t pages = 0;

	for (uint32_t list = 0; list < k->st->nr_pcp_lists; list++) {
		uint32_t order = list_order(k->st, list);
		uint64_t nr;
		int broken =
			check_list(k, pcp->first_head + list, z->id, PAGUS_PAGE_PCP, order, &nr);

		if (broken)
			return broken;
		broken = check_owned(k, pcp, list);
		if (broken)
			return broken;
		pages += nr << order;
		k->zone[z->id].listed_pcp += nr;
	}
	if (pages != pcp->count)
		BROKEN(INV_pcp_count, PG_NONE);
	k->zone[z->id].pcp_pages += pages;
	return 0;
}

/* Whole pageblocks may stand apart once one has left a type that does not merge. */
bool pg_blocks_apart(const struct pagus_state *st)
{
	uint64_t nr = 0;

	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++)
		nr += pg_counters(st, cpu)[PAGUS_COUNTER_pageblock_apart];
	return nr != 0;
}

static int check_merged(struct check *k, uint32_t i, uint32_t order)
{
	if (order >= k->merged_below || !pg_buddy_apart(k->st, i, order))
		return 0;
	BROKEN(INV_merged, i);
}

/* A block from its first page; *next: the page behind it. */
static int check_block(struct check *k, uint32_t i, uint32_t *next)
{
	const struct pg_page *page = pg_page(k->st, i);
	struct sums *sums = &k->zone[page->zone];
	uint32_t pages = 1u << pg_page_order(page);

	*next = i + pages;
	for (uint32_t n = 1; n < pages; n++)
		if (pg_page_kind(&page[n]) != PAGUS_PAGE_TAIL || page[n].zone != page->zone)
			BROKEN(INV_head_extent, i + n);
	sums->heads_free += pg_page_kind(page) == PAGUS_PAGE_FREE;
	sums->heads_pcp += pg_page_cached(page);
	sums->heads_deferred += pg_page_kind(page) == PAGUS_PAGE_DEFERRED;
	if (pg_page_kind(page) == PAGUS_PAGE_ALLOCATED || pg_page_kind(page) == PAGUS_PAGE_INHERITED)
		sums->held_pages += pages;
	sums->leaked_pages += pg_page_kind(page) == PAGUS_PAGE_LEAKED ? pages : 0;
	return pg_page_kind(page) == PAGUS_PAGE_FREE ? check_merged(k, i, pg_page_order(page)) : 0;
}

/* A page that is on no list links nowhere; only an owner's first page may hold something else. */
static bool is_clear(const struct pg_page *page)
{
	if (pg_page_kind(page) == PAGUS_PAGE_DEFERRED)
		return page->prev == 0;
	if (pg_page_kind(page) != PAGUS_PAGE_ALLOCATED)
		return page->prev == 0 && page->next == 0;
	return !(page->next & ~PG_MARKS) && (pg_page_order(page) > 0 || !(page->next & PG_MARK_COMPOUND));
}

static int check_pages(struct check *k)
{
	const struct pagus_state *st = k->st;
	uint32_t end = st->first_page + st->nr_pages, next;

	for (uint32_t i = st->first_page; i < end; i = next) {
		const struct pg_page *page = pg_page(st, i);
		int broken = 0;

		next = i + 1;
		if (pg_page_kind(page) == PAGUS_PAGE_TAIL)
			BROKEN(INV_tail_owned, i);
		if (page->zone != PG_NO_ZONE)
			broken = check_block(k, i, &next);
		if (broken)
			return broken;
	}
	for (uint32_t i = st->first_page; i < end; i++) {
		const struct pg_page *page = pg_page(st, i);

		if (pg_page_kind(page) != PAGUS_PAGE_FREE && !pg_page_cached(page) && !is_clear(page))
			BROKEN(INV_unlisted_clear, i);
	}
	return 0;
}

static void sum_types(struct check *k)
{
	const struct pagus_state *st = k->st;
	uint32_t block_pages = 1u << st->pageblock_order;

	for (uint32_t i = st->first_page; i < st->first_page + st->nr_pages; i += block_pages) {
		uint32_t zone = pg_block_zone(st, i), type = pg_block_type(st, i);

		if (zone == PG_NO_ZONE)
			continue;
		k->zone[zone].reserved_pages += type == PAGUS_HIGHATOMIC ? block_pages : 0;
		k->zone[zone].isolated_blocks += type == PAGUS_ISOLATE;
	}
}

static int check_zone_sums(struct check *k, const struct pg_zone *z)
{
	const struct sums *sums = &k->zone[z->id];

	if (sums->listed_free != sums->heads_free || sums->listed_pcp != sums->heads_pcp)
		BROKEN(INV_listed, PG_NONE);
	if (sums->listed_deferred != sums->heads_deferred)
		BROKEN(INV_deferred, PG_NONE);
	if (sums->leaked_pages != z->leaked_pages)
		BROKEN(INV_leaked, PG_NONE);
	if (sums->free_pages + sums->pcp_pages + sums->held_pages + sums->leaked_pages !=
	    z->handed_over)
		BROKEN(INV_conserved, PG_NONE);
	if (sums->reserved_pages != z->reserved_highatomic)
		BROKEN(INV_reserved, PG_NONE);
	if (sums->isolated_blocks != z->nr_isolated)
		BROKEN(INV_isolated, PG_NONE);
	for (uint32_t w = 1; w < PAGUS_NR_WMARKS; w++)
		if (z->wmark[w] < z->wmark[w - 1])
			BROKEN(INV_marks_ordered, PG_NONE);
	return 0;
}

static int check_all(struct check *k)
{
	int broken = 0;

	for (uint32_t id = 0; id < k->st->nr_zones && !broken; id++) {
		broken = check_free_lists(k, pg_zone(k->st, id));
		for (uint32_t cpu = 0; cpu < k->st->nr_cpus && !broken; cpu++)
			broken = check_pcp_lists(k, pg_zone(k->st, id), cpu);
		if (!broken)
			broken = check_deferred(k, pg_zone(k->st, id));
	}
	if (!broken)
		broken = check_pages(k);
	if (!broken)
		sum_types(k);
	for (uint32_t id = 0; id < k->st->nr_zones && !broken; id++)
		broken = check_zone_sums(k, pg_zone(k->st, id));
	if (!broken)
		broken = pg_check_owners(k->st, &k->where);
	return broken;
}

int pg_check(const struct pagus_state *st, pagus_pfn_t *where)
{
	struct check k = {
		.st = st, .merged_below = pg_blocks_apart(st) ? st->pageblock_order : st->max_order,
	};
	int broken = pg_mapped(st) ? pg_check_maps(st, &k.where) : check_all(&k);

	*where = k.where < st->first_page ? PAGUS_NO_PFN : pg_pfn(st, k.where);
	return broken;
}
