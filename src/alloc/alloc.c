/* SPDX-License-Identifier: MIT */
/*
 * Allocation: plan -> zones of the zonelist -> watermark -> pcp list, or the zone's free lists.
 *
 * Two walks: the first at the low mark, the second at the min mark with the rights of the request.
 * When neither serves, and the high-atomic reserve has nothing to give back, the answer is
 * NO_MEMORY.
 */
#include "alloc/alloc.h"

#include "alloc/highatomic.h"
#include "alloc/request.h"

static uint32_t take_from_pcp(struct pg_call *c, struct pg_zone *z, const struct pg_plan *plan,
			      uint32_t flags, bool *hit)
{
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	uint32_t list = pg_pcp_list(plan->order, plan->type);
	uint32_t i;

	if (pg_unlikely(!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_ALLOC)))
		return PG_NONE;
	pcp->free_count >>= 1;
	i = pg_pcp_pop(c->st, pcp, list, plan->order);
	*hit = i != PG_NONE;
	if (pg_unlikely(i == PG_NONE)) {
		struct pg_take take = { .order = plan->order, .type = plan->type, .flags = flags };

		pg_count(c, PAGUS_COUNTER_pcp_alloc_miss, 1);
		pg_pcps[c->st->pcp_policy]->refill(c, z, pcp, &take);
		i = pg_pcp_pop(c->st, pcp, list, plan->order);
	}
	pg_pcp_unlock(c, pcp);
	return i;
}

static uint32_t take_from_zone(struct pg_call *c, struct pg_zone *z, const struct pg_plan *plan,
			       uint32_t flags)
{
	struct pg_take take = { .order = plan->order, .type = plan->type, .flags = flags,
				.direct = true };
	uint32_t i;

	pg_zone_lock(c, z, PAGUS_REASON_ALLOC_DIRECT);
	i = pg_place_take(c, z, &take);
	pg_zone_unlock(c, z);
	return i;
}

static bool watermark_allows(const struct pagus_state *st, struct pg_zone *z,
			     const struct pg_plan *plan, uint32_t flags)
{
	/* The pcps tune themselves down once a zone has been seen below its high mark. */
	if (!(z->flags & PG_ZONE_BELOW_HIGH)) {
		if (pg_watermark_ok(st, z, plan->order, pg_mark(z, PAGUS_WMARK_HIGH), plan->highest,
				    flags))
			return true;
		z->flags |= PG_ZONE_BELOW_HIGH;
	}
	return (flags & PG_ALLOC_NO_WATERMARKS) ||
	       pg_watermark_ok(st, z, plan->order, pg_mark(z, flags & PG_ALLOC_WMARK_MASK),
			       plan->highest, flags);
}

static uint32_t take(struct pg_call *c, struct pg_zone *z, const struct pg_plan *plan,
		     uint32_t flags, bool *hit)
{
	uint32_t i = PG_NONE;
	bool from_pcp;

	*hit = false;
	if (c->st->pcp_orders >> plan->order & 1)
		i = take_from_pcp(c, z, plan, flags, hit);
	from_pcp = i != PG_NONE;
	if (!from_pcp)
		i = take_from_zone(c, z, plan, flags);
	if (pg_unlikely(flags & PG_ALLOC_HIGHATOMIC) && i != PG_NONE &&
	    (!from_pcp || pg_release(c->st)->reserve_after_pcp))
		pg_highatomic_reserve(c, i, plan->order);
	return i;
}

/*
 * One pass over the zones. Avoiding fragmentation is for the own node: going to another is worse
 * than mixing.
 */
static uint32_t walk_once(struct pg_call *c, const struct pg_plan *plan, uint32_t flags, bool *hit)
{
	const struct pg_zone *preferred = pg_zone(c->st, plan->zonelist[plan->preferred]);
	bool local_only =
		(flags & PG_ALLOC_NOFRAGMENT) && !c->st->tunable[PAGUS_TUNABLE_defrag_mode];

	for (uint32_t n = plan->preferred; n <= plan->zonelist[0]; n++) {
		struct pg_zone *z = pg_zone(c->st, plan->zonelist[n]);
		uint32_t i;

		if (!pg_plan_allows(c->st, plan, n))
			continue;
		if (local_only && z->node != preferred->node)
			return PG_NONE;
		if (!watermark_allows(c->st, z, plan, flags))
			continue;
		i = take(c, z, plan, flags, hit);
		if (i != PG_NONE)
			return i;
	}
	return PG_NONE;
}

static uint32_t walk(struct pg_call *c, const struct pg_plan *plan, uint32_t flags, bool *hit)
{
	uint32_t i = walk_once(c, plan, flags, hit);

	if (i == PG_NONE && (flags & PG_ALLOC_NOFRAGMENT) &&
	    !c->st->tunable[PAGUS_TUNABLE_defrag_mode])
		i = walk_once(c, plan, flags & ~PG_ALLOC_NOFRAGMENT, hit);
	return i;
}

static void grant(struct pg_call *c, const struct pg_plan *plan, uint32_t i,
		  struct pagus_result *res)
{
	struct pg_page *page = pg_page(c->st, i);

	page->kind = PAGUS_PAGE_ALLOCATED;
	page->order = (uint8_t)plan->order;
	page->type = plan->type & 0xf;
	res->pfn = pg_pfn(c->st, i);
	res->zone = (uint8_t)page->zone;
	res->status = PAGUS_OK;
	pg_count(c, PAGUS_COUNTER_alloc_ok, 1);
	pg_count(c, PAGUS_COUNTER_pgalloc, UINT64_C(1) << plan->order);
	if (res->from_pcp)
		pg_count(c, PAGUS_COUNTER_pcp_alloc_hit, 1);
}

/*
 * The walks in turn. A request that may wait and would fail gets a pageblock of the high-atomic
 * reserve back before its last walk.
 */
static uint32_t serve(struct pg_call *c, const struct pg_plan *plan, bool *hit)
{
	uint32_t i;

	if (!plan->preferred)
		return PG_NONE;
	i = walk(c, plan, plan->fast_flags, hit);
	if (i != PG_NONE)
		return i;
	pg_count(c, PAGUS_COUNTER_second_attempt, 1);
	i = walk(c, plan, plan->own_flags, hit);
	if (i == PG_NONE && (plan->gfp & __GFP_DIRECT_RECLAIM) && pg_highatomic_unreserve(c, plan))
		i = walk(c, plan, plan->own_flags, hit);
	return i;
}

enum pagus_status pg_alloc(struct pg_call *c, const struct pagus_request *req,
			   struct pagus_result *res)
{
	struct pg_plan plan;
	uint32_t i = PG_NONE;

	*res = (struct pagus_result){ .pfn = PAGUS_NO_PFN, .zone = PG_NO_ZONE_ID };
	res->status = pg_plan_make(c->st, c->cpu, req, &plan);
	if (res->status != PAGUS_OK) {
		pg_count(c, PAGUS_COUNTER_alloc_bad, 1);
	} else {
		i = serve(c, &plan, &res->from_pcp);
		if (i != PG_NONE) {
			grant(c, &plan, i, res);
		} else {
			res->status = PAGUS_NO_MEMORY;
			pg_count(c, PAGUS_COUNTER_alloc_fail, 1);
		}
	}
	if (pg_event_wanted(c, PAGUS_EVENT_ALLOC))
		pg_event_raise(c, PAGUS_EVENT_ALLOC, res->zone, res->pfn, req->order,
			       req->gfp >> 3 & 3, req->gfp, res->status);
	return res->status;
}
