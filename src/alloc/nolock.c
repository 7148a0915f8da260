/* SPDX-License-Identifier: MIT */
/*
 * Allocation and free that never wait. A free that finds all locks busy leaves its block on a stack
 * of the zone that takes no lock; who has the zone's lock takes all of it (pg_free_direct).
 */
#include "alloc/alloc.h"
#include "alloc/free.h"
#include "alloc/reference.h"
#include "alloc/walk.h"
#include "mem/stack.h"
#include "pcp/maps.h"

/* What pcps may cache at all; what is larger goes through zone locks too long to be tried for. */
static bool is_small(const struct pagus_state *st, uint32_t order)
{
	return order <= st->max_order &&
	       (order < PG_PCP_SMALL_ORDERS || order == st->pageblock_order);
}

enum pagus_status pg_alloc_nolock(struct pg_call *c, const struct pagus_request *req,
				  struct pagus_result *res)
{
	struct pg_asker asker = pg_who_asks(c, req->task);
	struct pg_plan plan = { .gfp = req->gfp, .type = pg_gfp_type(req->gfp) };
	uint32_t i = PG_NONE;

	asker.task &= ~PG_TASK_SCOPES;
	*res = (struct pagus_result){ .pfn = PAGUS_NO_PFN, .zone = PG_NO_ZONE_ID,
				      .status = PAGUS_BAD_ORDER };
	if (is_small(c->st, req->order))
		res->status = pg_plan_make(c->st, &asker, req, &plan);
	if (res->status != PAGUS_OK) {
		pg_count(c, PAGUS_COUNTER_alloc_bad, 1);
		pg_alloc_tell(c, req, &plan, res);
		return res->status;
	}
	plan.fast_flags = PG_ALLOC_TRYLOCK | (plan.fast_flags & PG_ALLOC_CPUSET);
	pg_alloc_tell_plan(c, &plan);
	if (plan.preferred)
		i = pg_walk(c, &plan, plan.fast_flags, &res->from_pcp);
	if (i != PG_NONE) {
		pg_grant(c, &plan, i, res);
	} else {
		res->status = PAGUS_NO_MEMORY;
		res->refusal = plan.preferred ? PAGUS_REFUSED_WOULD_BLOCK : PAGUS_REFUSED_NO_ZONE;
		pg_count(c, PAGUS_COUNTER_alloc_fail, 1);
	}
	pg_alloc_tell(c, req, &plan, res);
	return res->status;
}

static bool push(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	const struct pg_pcp_ops *ops = pg_pcps[c->st->pcp_policy];
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	uint32_t type = pg_block_type(c->st, i);

	if (ops->free)
		return ops->free(c, i, order, type, false);
	if (!(c->st->pcp_orders >> order & 1) || type == PAGUS_ISOLATE ||
	    !pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE))
		return false;
	pg_pcp_put(c->st, pcp, pg_pcp_free_list(c->st, order, type), i, order, type, PG_HEAD);
	/* What is over the limit now is for the next free that may take the zone's lock. */
	ops->over(c->st, z, pcp, order, false);
	pg_pcp_unlock(c, pcp);
	pg_count(c, PAGUS_COUNTER_pcp_free, 1);
	return true;
}

static void free_block(struct pg_call *c, uint32_t i, uint32_t order)
{
	struct pg_zone *z = pg_zone_of(c->st, i);

	if (!pg_free_prepare_nolock(c, i, order) || push(c, z, i, order))
		return;
	if (!pg_zone_trylock(c, z, PAGUS_REASON_FREE_DIRECT)) {
		if (pg_mapped(c->st))
			pg_maps_defer(c, i, order);
		else
			pg_zone_defer(c, z, i, order);
		pg_count(c, PAGUS_COUNTER_free_deferred, 1);
		return;
	}
	pg_buddy_free(c, z, i, order, PG_HEAD);
	pg_zone_unlock(c, z);
}

enum pagus_status pg_free_nolock(struct pg_call *c, pagus_pfn_t pfn, uint32_t order)
{
	return pg_reference_put(c, pfn, order, free_block);
}
