/* SPDX-License-Identifier: MIT */
/*
 * Watermarks: how much of a zone each kind of request must leave alone. All formulas are Linux
 * 6.18's (__setup_per_zone_wmarks, calculate_min_free_kbytes, setup_per_zone_lowmem_reserve,
 * calculate_totalreserve_pages, calculate_normal_threshold, zone_batchsize, zone_highsize,
 * khugepaged's set_recommended_min_free_kbytes), integers throughout, KiB to pages by / 4.
 */
#include "zone/zone.h"

#include "base/bits.h"
#include "mem/cpu.h"
#include "mem/release.h"

/*
 * Does the zone share the min mark by its size, and count among low memory? ZONE_MOVABLE does in
 * some releases.
 */
static bool shares_min(const struct pagus_state *st, const struct pg_zone *z)
{
	return z->type <= PAGUS_ZONE_NORMAL ||
	       (z->type == PAGUS_ZONE_MOVABLE && pg_release(st)->movable_shares_min);
}

/*
 * Pages of low memory, over the zones of index <= Normal; with `marks`, above the high marks as they
 * are.
 */
static uint64_t free_buffer_pages(const struct pagus_state *st, bool marks, uint32_t *nr_populated)
{
	uint64_t sum = 0;

	*nr_populated = 0;
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);
		uint64_t high = marks ? pg_mark(z, PAGUS_WMARK_HIGH) : 0;

		if (z->type > PAGUS_ZONE_NORMAL || !pg_zone_populated(z))
			continue;
		*nr_populated += 1;
		sum += z->managed > high ? z->managed - high : 0;
	}
	return sum;
}

static void setup_marks(struct pagus_state *st)
{
	uint64_t pages_min = st->tunable[PAGUS_TUNABLE_min_free_kbytes] / 4, lowmem = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (shares_min(st, pg_zone(st, id)))
			lowmem += pg_zone(st, id)->managed;
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		struct pg_zone *z = pg_zone(st, id);
		uint64_t share = lowmem ? pages_min * z->managed / lowmem : 0;
		uint64_t scale = st->tunable[PAGUS_TUNABLE_watermark_scale_factor];
		uint64_t gap = pg_max(share / 4, pg_mult_frac(z->managed, scale, 10000));

		if (!shares_min(st, z))
			share = (uint64_t)pg_clamp((int64_t)(z->managed / 1024), 32, 128);
		for (uint32_t w = PAGUS_WMARK_MIN; w < PAGUS_NR_WMARKS; w++)
			pg_write(z->wmark[w], share + w * gap);
	}
}

/*
 * Square-root rule, clamped to 128 KiB .. 256 MiB; what was set wins where it is more. With huge
 * pages, khugepaged then raises it to 11
 * pageblocks a zone, so that migratetypes need not mix, up to 5 % of low memory above the marks as
 * they are by then.
 */
static void choose_min_free_kbytes(struct pagus_state *st, bool marks)
{
	uint32_t *kbytes = &st->tunable[PAGUS_TUNABLE_min_free_kbytes], nr_populated;
	uint64_t root = pg_isqrt(16 * 4 * free_buffer_pages(st, marks, &nr_populated)), pages;

	if (!st->user_min_free_kbytes || root > st->user_min_free_kbytes)
		pg_write(*kbytes, (uint32_t)pg_clamp((int64_t)root, 128, 262144));
	if (!st->thp)
		return;
	setup_marks(st);
	pages = (UINT64_C(11) * nr_populated) << st->pageblock_order;
	pages = pg_min(pages, free_buffer_pages(st, true, &nr_populated) / 20);
	pg_write(*kbytes, (uint32_t)pg_max(*kbytes, pages * 4));
}

/*
 * reserve[i][j] = managed pages of zones i+1..j on the node / ratio[i]: what zone i keeps from
 * requests that could have been served up to zone j.
 */
static void setup_lowmem_reserve(struct pagus_state *st)
{
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		struct pg_zone *z = pg_zone(st, id);
		uint64_t ratio = st->tunable[PAGUS_TUNABLE_lowmem_reserve_ratio_dma + z->type];
		uint64_t above[PAGUS_NR_ZONE_TYPES] = { 0 }, sum = 0;

		for (uint32_t o = 0; o < st->nr_zones; o++)
			if (pg_zone(st, o)->node == z->node)
				above[pg_zone(st, o)->type] = pg_zone(st, o)->managed;
		for (uint32_t j = 0; j < PAGUS_NR_ZONE_TYPES; j++) {
			sum += j > z->type ? above[j] : 0;
			pg_write(z->lowmem_reserve[j], ratio && z->managed ? sum / ratio : 0);
		}
	}
}

/* min(125, 2 fls(CPUs) (1 + fls(managed pages in units of 128 MiB))) */
uint32_t pg_watermark_stat_threshold(const struct pagus_state *st, const struct pg_zone *z)
{
	uint32_t memory = pg_fls(pg_read(z->managed) >> 15), cpus = pg_fls(pg_cpu_count(st, PAGUS_NO_NODE));

	return (uint32_t)pg_min(2 * cpus * (1 + memory), 125);
}

uint64_t pg_watermark_drift_mark(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t most = (uint64_t)pg_cpu_count(st, PAGUS_NO_NODE) *
			pg_watermark_stat_threshold(st, z);
	uint64_t gap = pg_mark_gap(z);

	if (!pg_zone_populated(z))
		return 0;
	return most > gap ? pg_mark(z, PAGUS_WMARK_HIGH) + most : 0;
}

/* min(125, max(1, (low - min) / CPUs)) */
static uint32_t pressure_threshold(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t gap = pg_mark_gap(z);

	return (uint32_t)pg_min(pg_max(gap / pg_cpu_count(st, PAGUS_NO_NODE), 1), 125);
}

void pg_watermark_set_thresholds(struct pagus_state *st, uint32_t node, bool pressure)
{
	for (uint32_t id = 0; st->counter_drift && id < st->nr_zones; id++) {
		struct pg_zone *z = pg_zone(st, id);

		if (node != PAGUS_NO_NODE && z->node != node)
			continue;
		pg_write(z->stat_threshold, pressure && pg_watermark_drift_mark(st, z) ?
			 pressure_threshold(st, z) : pg_watermark_stat_threshold(st, z));
	}
}

int64_t pg_watermark_safe_free(const struct pagus_state *st, const struct pg_zone *z)
{
	int64_t seen = pg_read(z->free_pages) - pg_read(z->unfolded);

	if (pg_read(z->unfolded) && seen < (int64_t)pg_watermark_drift_mark(st, z))
		return pg_read(z->free_pages);
	return seen > 0 ? seen : 0;
}

uint64_t pg_watermark_totalreserve(const struct pagus_state *st, uint32_t node)
{
	uint64_t sum = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);
		uint64_t most = 0;

		if (node != PAGUS_NO_NODE && z->node != node)
			continue;
		for (uint32_t j = z->type; j < PAGUS_NR_ZONE_TYPES; j++)
			most = pg_max(most, pg_read(z->lowmem_reserve[j]));
		sum += pg_min(most + pg_mark(z, PAGUS_WMARK_HIGH), pg_read(z->managed));
	}
	return sum;
}

/* The largest power of two not above 1.5 b, less one; b a quarter of managed/1024, at most 64. */
static uint32_t batch_size(const struct pg_zone *z)
{
	uint64_t b = pg_min(z->managed / 1024, 256) / 4;

	b = pg_max(b, 1);
	return (uint32_t)pg_max(pg_pow2_floor(b + b / 2) - 1, 1);
}

static uint32_t high_size(const struct pagus_state *st, const struct pg_zone *z, uint64_t total)
{
	return (uint32_t)pg_max(total / pg_cpu_sharers(st, z->node), UINT64_C(4) * z->pcp_batch);
}

static void publish_pcp_limits(struct pagus_state *st, struct pg_zone *z)
{
	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++) {
		struct pg_pcp *pcp = pg_pcp(st, z->id, cpu);

		pcp->high_min = z->pcp_high_min;
		pcp->high_max = z->pcp_high_max;
		pcp->batch = z->pcp_batch;
	}
}

void pg_watermark_plan_pcp_limits(const struct pagus_state *st, struct pg_zone *z)
{
	uint32_t fraction = st->tunable[PAGUS_TUNABLE_percpu_pagelist_high_fraction];
	uint32_t high_min = 0, high_max = 0;

	pg_write(z->pcp_batch, batch_size(z));
	if (pg_zone_populated(z) && fraction) {
		high_min = high_max = high_size(st, z, z->managed / fraction);
	} else if (pg_zone_populated(z)) {
		high_min = high_size(st, z, pg_mark(z, PAGUS_WMARK_LOW));
		high_max = high_size(st, z, z->managed / 8);
	}
	pg_write(z->pcp_high_min, high_min);
	pg_write(z->pcp_high_max, high_max);
}

void pg_watermark_pcp_limits(struct pagus_state *st, struct pg_zone *z)
{
	pg_watermark_plan_pcp_limits(st, z);
	publish_pcp_limits(st, z);
}

void pg_watermark_set_pcp_limits(struct pagus_state *st, struct pg_zone *z, uint32_t high_min,
				 uint32_t high_max, uint32_t batch)
{
	z->pcp_high_min = high_min;
	z->pcp_high_max = high_max;
	z->pcp_batch = batch;
	publish_pcp_limits(st, z);
}

void pg_watermark_setup(struct pagus_state *st)
{
	if (st->tunable[PAGUS_TUNABLE_min_free_kbytes] == 0)
		choose_min_free_kbytes(st, true);
	setup_marks(st);
	setup_lowmem_reserve(st);
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		pg_zone(st, id)->boost = 0;
		pg_watermark_pcp_limits(st, pg_zone(st, id));
	}
	pg_watermark_set_thresholds(st, PAGUS_NO_NODE, false);
}

static void take_boost(struct pg_call *c, struct pg_zone *z)
{
	if (!pg_read(z->boost))
		return;
	pg_zone_lock(c, z, PAGUS_REASON_BOOST);
	pg_write(z->boost, 0);
	pg_zone_unlock(c, z);
}

void pg_watermark_replan(struct pg_call *c)
{
	struct pagus_state *st = c->st;

	choose_min_free_kbytes(st, false);
	setup_marks(st);
	setup_lowmem_reserve(st);
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		take_boost(c, pg_zone(st, id));
		pg_watermark_plan_pcp_limits(st, pg_zone(st, id));
	}
	pg_watermark_set_thresholds(st, PAGUS_NO_NODE, false);
}

/* Free pages that this request may not count: the rest of a last block, and others' reserves. */
static int64_t unusable_pages(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
			      uint32_t flags)
{
	int64_t pages = (INT64_C(1) << order) - 1;

	if (!(flags & PG_ALLOC_RESERVES))
		pages += pg_release(st)->reserve_hides_used ? (int64_t)pg_read(z->reserved_highatomic) :
			 pg_read(z->free_highatomic);
	if (!(flags & PG_ALLOC_CMA))
		pages += pg_read(z->free_cma);
	if (flags & PG_ALLOC_KEEP_RESERVE)
		pages += (int64_t)pg_read(z->spb_kept_pages);
	return pages;
}

static bool block_for(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
		      uint32_t flags)
{
	for (uint32_t o = order; o <= st->max_order; o++) {
		if (pg_read(z->nr_free[o]) == 0)
			continue;
		for (uint32_t t = 0; t < PAGUS_HIGHATOMIC; t++)
			if (pg_store_any(st, z, o, t))
				return true;
		if ((flags & PG_ALLOC_CMA) && pg_store_any(st, z, o, PAGUS_CMA))
			return true;
		if ((flags & (PG_ALLOC_HIGHATOMIC | PG_ALLOC_OOM)) &&
		    pg_store_any(st, z, o, PAGUS_HIGHATOMIC))
			return true;
	}
	return false;
}

void pg_watermark_boost(const struct pg_call *c, struct pg_zone *z, uint32_t flags)
{
	uint64_t block_pages = UINT64_C(1) << c->st->pageblock_order;
	uint64_t factor = c->st->tunable[PAGUS_TUNABLE_watermark_boost_factor];
	uint64_t most = pg_mult_frac(pg_read(z->wmark[PAGUS_WMARK_HIGH]), factor, 10000);

	/*
	 * In a small zone a boost would be most of it; before marks are set it would mean nothing.
	 */
	if (pg_read(z->managed) < 4 * block_pages || most == 0)
		return;
	pg_write(z->boost, pg_min(z->boost + block_pages, pg_max(most, block_pages)));
	pg_count(c, PAGUS_COUNTER_boost, 1);
	if (flags & PG_ALLOC_KSWAPD)
		pg_zone_set(z, PG_ZONE_BOOSTED);
}

struct pg_weight pg_watermark_weigh(const struct pagus_state *st, const struct pg_zone *z,
				    uint32_t order, uint64_t mark, uint32_t highest, uint32_t flags,
				    int64_t free)
{
	struct pg_weight w = {
		.free = free, .unusable = unusable_pages(st, z, order, flags), .min = (int64_t)mark,
		.reserve = (int64_t)pg_read(z->lowmem_reserve[highest]),
	};

	if (flags & PG_ALLOC_MIN_RESERVE) {
		w.min -= w.min / 2;
		if (flags & PG_ALLOC_NON_BLOCK)
			w.min -= w.min / 4;
	}
	if (flags & PG_ALLOC_OOM)
		w.min -= w.min / 2;
	return w;
}

bool pg_watermark_ok(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
		     uint64_t mark, uint32_t highest, uint32_t flags)
{
	int64_t seen = pg_read(z->free_pages) - pg_read(z->unfolded);


	return pg_watermark_ok_with(st, z, order, mark, highest, flags, seen > 0 ? seen : 0);
}

bool pg_watermark_ok_with(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
			  uint64_t mark, uint32_t highest, uint32_t flags, int64_t free)
{
	const struct pg_weight w = pg_watermark_weigh(st, z, order, mark, highest, flags, free);

	return w.free - w.unusable > w.min + w.reserve &&
	       (order == 0 || block_for(st, z, order, flags));
}

/*
 * A request that may use half of the min mark may use half of the mark without its boost: boosts
 * are for requests that can wait for kswapd.
 */
static bool allowed_unboosted(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
			      uint32_t highest, uint32_t flags)
{
	return order == 0 && (flags & PG_ALLOC_MIN_RESERVE) && pg_read(z->boost) &&
	       (flags & PG_ALLOC_WMARK_MASK) == PAGUS_WMARK_MIN &&
	       pg_watermark_ok(st, z, 0, pg_read(z->wmark[PAGUS_WMARK_MIN]), highest, flags);
}

bool pg_zone_visit(const struct pagus_state *st, struct pg_zone *z, uint32_t order,
		   uint32_t highest, uint32_t flags)
{
	/* The pcps tune themselves down once a zone has been seen below its high mark. */
	if (!pg_zone_has(z, PG_ZONE_BELOW_HIGH)) {
		if (pg_watermark_ok(st, z, order, pg_mark(z, PAGUS_WMARK_HIGH), highest, flags))
			return true;
		pg_zone_set(z, PG_ZONE_BELOW_HIGH);
	}
	return (flags & PG_ALLOC_NO_WATERMARKS) ||
	       pg_watermark_ok(st, z, order, pg_mark(z, flags & PG_ALLOC_WMARK_MASK), highest,
			       flags) ||
	       allowed_unboosted(st, z, order, highest, flags);
}
