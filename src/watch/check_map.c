/* SPDX-License-Identifier: MIT */
/* The full walk where pages are bits: maps against their counts, summaries, queues and stacks. */
#include "watch/check.h"

#include "base/bits.h"
#include "pcp/keep.h"
#include "pcp/pcp.h"

#define BROKEN(number, i) return note_broken(k, number, i)

struct sums {
	uint64_t free_pages;             /* in the zone, Isolate left out */
	uint64_t listed_pages, pcp_pages; /* in the zone, and with owners */
	uint64_t held_pages;             /* in use, or freed remotely */
	uint64_t nr_free[PAGUS_NR_ORDERS];
	uint64_t reserved_pages;
	uint64_t queued, waiting;        /* pageblocks that say they are */
	uint64_t isolated_blocks, leaked_pages;
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

/* The summaries that a pageblock of the zone should be in: bit o. */
static uint32_t orders_of(const struct pagus_state *st, const struct pg_map *m,
			  const uint16_t nr[PG_MAP_MAX_ORDER + 1])
{
	uint32_t orders = 0;

	if (m->whole)
		return 1u << (m->whole - 1);
	for (uint32_t order = 0; order < st->pageblock_order; order++)
		orders |= nr[order] ? 1u << order : 0;
	return orders;
}

static bool in_summary(const struct pagus_state *st, const struct pg_map *m, uint32_t order,
		       uint32_t type)
{
	const struct pg_zone *z = pg_zone(st, m->zone);
	const uint64_t *bits = pg_summary(st, z, order, type);
	uint32_t block = pg_map_block(st, m) - z->first_block, word = block / 64;
	bool above = bits[pg_summary_above(z) + word / 64] >> word % 64 & 1;

	return (bits[word] >> block % 64 & 1) && above;
}

static int check_listed(struct check *k, const struct pg_map *m,
			const uint16_t nr[PG_MAP_MAX_ORDER + 1])
{
	uint32_t start = pg_map_start(k->st, m);
	uint32_t orders = pg_map_owner(m) ? 0 : orders_of(k->st, m, nr);

	if (m->listed != orders || (orders && m->list_type != pg_block_type(k->st, start)) ||
	    (!orders && m->list_type != PG_MAP_NO_TYPE))
		BROKEN(INV_map_listed, start);
	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++)
		for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
			if (in_summary(k->st, m, order, type) !=
			    ((orders >> order & 1) && type == m->list_type))
				BROKEN(INV_map_listed, start);
	return 0;
}

/* A whole pageblock of the zone begins a free block, or is inside of one. */
static int check_whole(struct check *k, const struct pg_map *m)
{
	uint32_t start = pg_map_start(k->st, m), head = pg_head(k->st, start);

	if (head == PG_NONE || pg_view(k->st, head).kind != PAGUS_PAGE_FREE)
		BROKEN(INV_free_state, start);
	if (head == start && m->whole - 1u < k->merged_below &&
	    pg_buddy_apart(k->st, start, m->whole - 1u))
		BROKEN(INV_merged, start);
	return 0;
}

static uint32_t queue_of(const struct pagus_state *st, const struct pg_map *m)
{
	bool whole = m->nr_free == 1u << st->pageblock_order;

	if (pg_map_owner(m) == 0 || m->nr_free == 0)
		return 0;
	return pg_block_type(st, pg_map_start(st, m)) + (whole ? PG_KEEP_WHOLE : 0) + 1;
}

/* Pages of the map that are neither holes nor reserved; of these, that are leaked. */
static uint32_t handed_over(const struct pagus_state *st, const struct pg_map *m, uint64_t *leaked)
{
	uint32_t pages = 0;

	for (uint32_t i = 0; i < 1u << st->pageblock_order; i++) {
		uint32_t kind = pg_view(st, pg_map_start(st, m) + i).kind;

		pages += kind != PAGUS_PAGE_HOLE && kind != PAGUS_PAGE_RESERVED;
		*leaked += kind == PAGUS_PAGE_LEAKED;
	}
	return pages;
}

static int check_map(struct check *k, const struct pg_map *m)
{
	uint32_t start = pg_map_start(k->st, m), bits = 0, type = pg_block_type(k->st, start);
	uint32_t block_pages = 1u << k->st->pageblock_order;
	struct sums *sums = &k->zone[m->zone];
	uint16_t nr[PG_MAP_MAX_ORDER + 1];
	int broken;

	for (uint32_t w = 0; w < PG_MAP_WORDS; w++)
		bits += pg_popcount(pg_map_free(m, w));
	if (bits != m->nr_free)
		BROKEN(INV_map_count, start);
	pg_map_count(k->st, m, nr);
	broken = check_listed(k, m, nr);
	if (broken)
		return broken;
	if (m->queue != queue_of(k->st, m))
		BROKEN(INV_map_queued, start);
	if (pg_map_remote_pages(m) && m->waiting == PG_MAP_ALONE)
		BROKEN(INV_map_waiting, start);
	if (pg_map_owner(m) && !pg_type_mergeable(type))
		BROKEN(INV_owner, start);
	sums->queued += m->queue != 0;
	sums->waiting += m->waiting != PG_MAP_ALONE;
	sums->held_pages += handed_over(k->st, m, &sums->leaked_pages) - bits;
	sums->reserved_pages += type == PAGUS_HIGHATOMIC ? block_pages : 0;
	sums->isolated_blocks += type == PAGUS_ISOLATE;
	if (pg_map_owner(m)) {
		sums->pcp_pages += bits;
		return 0;
	}
	sums->listed_pages += m->nr_free;
	sums->free_pages += type == PAGUS_ISOLATE ? 0 : m->nr_free;
	for (uint32_t order = 0; order < k->st->pageblock_order; order++)
		sums->nr_free[order] += nr[order];
	if (m->whole)
		sums->nr_free[m->whole - 1]++;
	return m->nr_free == block_pages ? check_whole(k, m) : 0;
}

/* A stack of pageblocks that are `owner`'s. */
static int check_stack(struct check *k, const struct pg_zone *z, uint32_t first, uint32_t owner,
		       uint64_t *nr)
{
	uint32_t nr_blocks = k->st->nr_pages >> k->st->pageblock_order;

	for (uint32_t n = first; n != PG_NONE; n = pg_map_at(k->st, n - 1)->waiting, *nr += 1)
		if (n > nr_blocks || *nr > nr_blocks || pg_map_at(k->st, n - 1)->zone != z->id ||
		    pg_map_owner(pg_map_at(k->st, n - 1)) != owner)
			BROKEN(INV_map_waiting, PG_NONE);
	return 0;
}

static int check_keep(struct check *k, const struct pg_zone *z, uint32_t cpu, uint64_t *queued)
{
	const struct pg_pcp *pcp = pg_pcp(k->st, z->id, cpu);
	uint64_t nr_blocks = k->st->nr_pages >> k->st->pageblock_order, pages = 0;

	for (uint32_t queue = 0; queue < PG_KEEP_QUEUES; queue++) {
		const struct pg_map *m = pg_keep_first(k->st, pcp, queue), *prev = NULL;

		for (; m; prev = m, m = pg_keep_next(k->st, m), *queued += 1) {
			if (*queued > nr_blocks || m->queue != queue + 1 ||
			    pg_map_owner(m) != cpu + 1 || m->zone != z->id ||
			    pg_keep_prev(k->st, m) != prev)
				BROKEN(INV_map_queued, pg_map_start(k->st, m));
			pages += m->nr_free;
		}
		if (pg_keep_last(k->st, pcp, queue) != prev)
			BROKEN(INV_map_queued, PG_NONE);
	}
	if (pages != pcp->count)
		BROKEN(INV_pcp_count, PG_NONE);
	return 0;
}

static int check_zone(struct check *k, const struct pg_zone *z)
{
	const struct sums *sums = &k->zone[z->id];
	uint64_t queued = 0, waiting = 0;
	int broken = check_stack(k, z, z->deferred, 0, &waiting);

	for (uint32_t cpu = 0; cpu < k->st->nr_cpus && !broken; cpu++) {
		broken = check_keep(k, z, cpu, &queued);
		if (!broken)
			broken = check_stack(k, z, pg_pcp(k->st, z->id, cpu)->remote, cpu + 1,
					     &waiting);
	}
	if (broken)
		return broken;
	if (queued != sums->queued)
		BROKEN(INV_map_queued, PG_NONE);
	if (waiting != sums->waiting)
		BROKEN(INV_map_waiting, PG_NONE);
	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++)
		if (sums->nr_free[order] != z->nr_free[order])
			BROKEN(INV_nr_free, PG_NONE);
	if ((int64_t)sums->free_pages != z->free_pages)
		BROKEN(INV_free_pages, PG_NONE);
	if (sums->leaked_pages != z->leaked_pages)
		BROKEN(INV_leaked, PG_NONE);
	if (sums->listed_pages + sums->pcp_pages + sums->held_pages != z->handed_over)
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

int pg_check_maps(const struct pagus_state *st, uint32_t *where)
{
	struct check k = { .st = st, .merged_below = pg_blocks_apart(st) ? st->pageblock_order :
									      st->max_order };
	int broken = 0;

	for (uint32_t b = 0; b < st->nr_pages >> st->pageblock_order && !broken; b++)
		if (pg_map_at(st, b)->zone != PG_MAP_NO_ZONE)
			broken = check_map(&k, pg_map_at(st, b));
	for (uint32_t id = 0; id < st->nr_zones && !broken; id++)
		broken = check_zone(&k, pg_zone(st, id));
	*where = k.where;
	return broken ? broken : pg_check_superpageblocks(st, where);
}
