/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU lists as Linux 6.7 and later tune them.
 *
 * A refill asks for batch << alloc_factor single pages (fewer blocks of larger orders); each refill
 * in a row doubles it, each free halves it. `high`, above which a free drains, follows the traffic
 * between high_min and high_max: refills raise it while the zone has more than its high mark free;
 * a zone below it lowers it. free_count is how many pages were freed since allocations last halved
 * it: what a drain gives back.
 */
#include "pcp/pcp.h"

#include "base/bits.h"

static uint32_t scale_max(const struct pagus_state *st)
{
	return st->tunable[PAGUS_TUNABLE_pcp_batch_scale_max];
}

static uint32_t clamp_high(struct pg_pcp *pcp)
{
	pg_write(pcp->high, (uint32_t)pg_clamp(pcp->high, pcp->high_min, pcp->high_max));
	return pcp->high;
}

/* high less `pages`, not below its lower bound. */
static void lower_high(struct pg_pcp *pcp, uint32_t pages)
{
	uint32_t lowered = pcp->high > pages ? pcp->high - pages : 0;

	pg_write(pcp->high, (uint32_t)pg_max(lowered, pcp->high_min));
}

static uint32_t blocks_of_order(const struct pagus_state *st, const struct pg_zone *z,
				struct pg_pcp *pcp, uint32_t order)
{
	uint32_t high = clamp_high(pcp), batch = pcp->batch;
	uint32_t pages = order ? batch : batch << pcp->alloc_factor;

	if (high < batch)
		return 1;
	if (pcp->high_min != pcp->high_max && !pg_zone_has(z, PG_ZONE_BELOW_HIGH)) {
		high = (uint32_t)pg_min(high + pages, pcp->high_max);
		pg_write(pcp->high, high);
	}
	if (order == 0) {
		int64_t room = pg_clamp((int64_t)high - pcp->count - batch, batch, INT32_MAX);

		if (pages <= room && pcp->alloc_factor < scale_max(st))
			pcp->alloc_factor++;
		pages = (uint32_t)pg_min(pages, (uint64_t)room);
	}
	return pages > 1 ? (uint32_t)pg_max(pages >> order, 2) : pages;
}

/*
 * An atomic request of higher order takes its own block, or the reserve's, and leaves the rest
 * whole.
 */
uint32_t pg_pcp_tuned_blocks(const struct pagus_state *st, const struct pg_zone *z,
			     struct pg_pcp *pcp, const struct pg_take *t)
{
	uint32_t blocks = blocks_of_order(st, z, pcp, t->order);

	return (t->flags & PG_ALLOC_HIGHATOMIC) && !pg_release(st)->reserve_after_pcp ? 0 : blocks;
}

/*
 * The count above which this free drains; 0: drain now. Lowers or raises the stored high on the
 * way.
 */
static uint32_t drain_above(const struct pagus_state *st, const struct pg_zone *z,
			    struct pg_pcp *pcp, bool free_high)
{
	uint32_t high = clamp_high(pcp), batch = pcp->batch;
	uint32_t freed = (uint32_t)pg_max(pcp->free_count, batch);

	if (high == 0)
		return 0;
	if (free_high) {
		lower_high(pcp, batch << scale_max(st));
		return 0;
	}
	if (pg_zone_has(z, PG_ZONE_RECLAIM_ACTIVE)) {
		lower_high(pcp, freed);
		return (uint32_t)pg_min(4 * batch, high);
	}
	if (pcp->high_min == pcp->high_max)
		return high;
	if (pg_zone_has(z, PG_ZONE_BELOW_HIGH)) {
		lower_high(pcp, freed);
		return (uint32_t)pg_max(pcp->count, pcp->high_min);
	}
	if (pcp->count >= high && high < pcp->free_count + batch)
		pg_write(pcp->high, (uint32_t)pg_clamp(pcp->free_count + batch, pcp->high_min,
						       pcp->high_max));
	return high;
}

static uint32_t drain_pages(const struct pagus_state *st, const struct pg_pcp *pcp, uint32_t high,
			    bool free_high)
{
	if (free_high)
		return (uint32_t)pg_min(pcp->count, pcp->batch << scale_max(st));
	if (high < pcp->batch)
		return 1;
	return (uint32_t)pg_clamp(pcp->free_count, pcp->batch, (int64_t)high - pcp->batch);
}

/*
 * A free of order 1-3 behind another such, with much freed lately: a burst that the zone can use at
 * once.
 */
static bool free_high_order(const struct pagus_state *st, struct pg_pcp *pcp, uint32_t order)
{
	bool high_order = order > 0 && order < PG_PCP_SMALL_ORDERS;
	uint32_t much = pcp->batch;
	bool burst;

	if (pg_release(st)->burst_past_half_min)
		much += pcp->high_min / 2;
	burst = high_order && pcp->free_count >= much &&
		(pcp->flags & PG_PCP_PREV_FREE_HIGH_ORDER) &&
		(!(pcp->flags & PG_PCP_FREE_HIGH_BATCH) || pcp->count >= pcp->batch);

	pcp->flags &= ~PG_PCP_PREV_FREE_HIGH_ORDER;
	if (high_order)
		pcp->flags |= PG_PCP_PREV_FREE_HIGH_ORDER;
	return burst;
}

void pg_pcp_tuned_freed(const struct pagus_state *st, struct pg_pcp *pcp, uint32_t pages)
{
	if (pcp->free_count < pcp->batch << scale_max(st))
		pcp->free_count += pages;
}

uint32_t pg_pcp_tuned_over(const struct pagus_state *st, const struct pg_zone *z,
			   struct pg_pcp *pcp, uint32_t order, bool may_drain)
{
	uint32_t high;
	bool free_high;

	pcp->alloc_factor >>= 1;
	free_high = free_high_order(st, pcp, order);
	pg_pcp_tuned_freed(st, pcp, 1u << order);
	if (!may_drain)
		return 0;
	high = drain_above(st, z, pcp, free_high);
	return pcp->count < high ? 0 : drain_pages(st, pcp, high, free_high);
}

const struct pg_pcp_ops pg_pcp_linux = {
	.name = "linux", .about = "batches and self-tuning limits, as Linux 6.7 and later",
	.cached = true, .refill_blocks = pg_pcp_tuned_blocks, .over = pg_pcp_tuned_over,
};
