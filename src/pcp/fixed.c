/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU lists as Linux 5.14 to 6.6 limit them: a refill brings one batch; above a fixed `high` a
 * free drains a batch, twice as much each time in a row that no allocation comes between.
 * free_count is the log2 of that.
 */
#include "pcp/pcp.h"

#include "base/bits.h"

static uint32_t refill_blocks(const struct pagus_state *st, const struct pg_zone *z,
			      struct pg_pcp *pcp, const struct pg_take *t)
{
	uint32_t blocks = pcp->batch;

	(void)st;
	(void)z;
	return blocks > 1 ? (uint32_t)pg_max(blocks >> t->order, 2) : blocks;
}

static uint32_t drain_pages(const struct pagus_state *st, struct pg_pcp *pcp, uint32_t high)
{
	/* A recorded state of another release counts otherwise. */
	uint32_t grown = (uint32_t)pg_min(pcp->free_count,
					  st->tunable[PAGUS_TUNABLE_pcp_batch_scale_max]);
	uint32_t most, pages = pcp->batch << grown;

	if (high < pcp->batch)
		return 1;
	most = high - pcp->batch;
	if (pages < most && pcp->free_count < st->tunable[PAGUS_TUNABLE_pcp_batch_scale_max])
		pcp->free_count++;
	return (uint32_t)pg_clamp(pages, pcp->batch, most);
}

static uint32_t over(const struct pagus_state *st, const struct pg_zone *z, struct pg_pcp *pcp,
		     uint32_t order, bool may_drain)
{
	/* Frees of higher orders in a row go back whole: the zone can use them at once. */
	bool all = pcp->free_count && order > 0 && order < PG_PCP_SMALL_ORDERS;
	uint32_t high = all ? 0 : pcp->high_min;

	if (pg_zone_has(z, PG_ZONE_RECLAIM_ACTIVE))
		high = (uint32_t)pg_min(high, UINT64_C(4) * pcp->batch);
	if (!may_drain || pcp->count < high)
		return 0;
	return all ? pcp->count : drain_pages(st, pcp, high);
}

const struct pg_pcp_ops pg_pcp_fixed = {
	.name = "fixed", .about = "one batch and a fixed limit, as Linux 5.14 to 6.6",
	.cached = true, .fixed_limit = true, .refill_blocks = refill_blocks, .over = over,
};
