/* SPDX-License-Identifier: MIT */
#include "alloc/request.h"

PG_STATIC_ASSERT(__GFP_HIGH == PG_ALLOC_MIN_RESERVE, "the flag is passed through");
PG_STATIC_ASSERT(__GFP_KSWAPD_RECLAIM == PG_ALLOC_KSWAPD, "the flag is passed through");

/*
 * Highest zone by the four zone bits. BAD: the bits name two zones at once. A zone that is not
 * configured is replaced by Normal. Only HIGHMEM together with MOVABLE reaches ZONE_MOVABLE;
 * MOVABLE alone is a hint.
 */
enum { BAD = PAGUS_NR_ZONE_TYPES };
static const uint8_t zone_table[16] = {
	[0x0] = PAGUS_ZONE_NORMAL, [0x1] = PAGUS_ZONE_DMA, [0x2] = PAGUS_ZONE_HIGHMEM, [0x3] = BAD,
	[0x4] = PAGUS_ZONE_DMA32,  [0x5] = BAD,            [0x6] = BAD,                [0x7] = BAD,
	[0x8] = PAGUS_ZONE_NORMAL, [0x9] = PAGUS_ZONE_DMA, [0xa] = PAGUS_ZONE_MOVABLE, [0xb] = BAD,
	[0xc] = PAGUS_ZONE_DMA32,  [0xd] = BAD,            [0xe] = BAD,                [0xf] = BAD,
};

uint32_t pg_highest_zone(const struct pagus_state *st, uint32_t gfp)
{
	uint32_t type = zone_table[gfp & GFP_ZONEMASK];

	return type == BAD || (st->zone_types >> type & 1) ? type : (uint32_t)PAGUS_ZONE_NORMAL;
}

static uint32_t nr_nodes_with_memory(const struct pagus_state *st)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < st->nr_nodes; n++)
		nr += pg_read(st->node_online[n]);
	return nr;
}

static bool node_has_zone(const struct pagus_state *st, uint32_t node, uint32_t type)
{
	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (pg_zone(st, id)->node == node && pg_zone(st, id)->type == type &&
		    pg_zone_populated(pg_zone(st, id)))
			return true;
	return false;
}

/*
 * ALLOC_NOFRAGMENT: rather go to a lower zone than mix types in a pageblock. Only for requests
 * whose first zone is Normal with a DMA32 below it to go to.
 */
static uint32_t nofragment(const struct pagus_state *st, const struct pg_plan *plan)
{
	const struct pg_zone *preferred;

	if (st->tunable[PAGUS_TUNABLE_defrag_mode])
		return PG_ALLOC_NOFRAGMENT;
	if (!(st->zone_types >> PAGUS_ZONE_DMA32 & 1) || plan->preferred == 0)
		return 0;
	preferred = pg_plan_zone(st, plan, plan->preferred);
	if (preferred->type != PAGUS_ZONE_NORMAL)
		return 0;
	if (nr_nodes_with_memory(st) > 1 && !node_has_zone(st, preferred->node, PAGUS_ZONE_DMA32))
		return 0;
	return PG_ALLOC_NOFRAGMENT;
}

/*
 * Superpageblocks are kept as they are until the slow path says otherwise. Where everything counts as
 * unmovable there is nothing to keep.
 */
static uint32_t keeps(const struct pagus_state *st, const struct pg_plan *plan)
{
	if (!st->superpageblock_order || st->mobility_off)
		return 0;
	return plan->type == PAGUS_MOVABLE ? PG_ALLOC_KEEP_RESERVE : PG_ALLOC_KEEP_CLEAN;
}

/* CMA's pages are for what can be moved out of them. */
static uint32_t cma(const struct pg_plan *plan)
{
	return plan->type == PAGUS_MOVABLE ? PG_ALLOC_CMA : 0;
}

uint32_t pg_plan_slow_flags(const struct pagus_state *st, const struct pg_plan *plan)
{
	uint32_t gfp = plan->slow_gfp, flags = PAGUS_WMARK_MIN | PG_ALLOC_CPUSET | cma(plan);

	flags |= gfp & (__GFP_HIGH | __GFP_KSWAPD_RECLAIM);
	if (gfp & __GFP_DIRECT_RECLAIM) {
		if ((plan->task & PAGUS_TASK_RT) && !(plan->task & PAGUS_TASK_INTERRUPT))
			flags |= PG_ALLOC_MIN_RESERVE;
	} else {
		if (!(gfp & __GFP_NOMEMALLOC)) {
			flags |= PG_ALLOC_NON_BLOCK;
			if (plan->order > 0 && (gfp & __GFP_HIGH))
				flags |= PG_ALLOC_HIGHATOMIC;
		}
		/* An atomic request cannot wait until its cpuset has memory again. */
		if (gfp & __GFP_HIGH)
			flags &= ~PG_ALLOC_CPUSET;
	}
	if (st->tunable[PAGUS_TUNABLE_defrag_mode])
		flags |= PG_ALLOC_NOFRAGMENT;
	return flags | keeps(st, plan);
}

uint32_t pg_plan_rights(const struct pg_plan *plan)
{
	bool in_task = !(plan->task & PAGUS_TASK_INTERRUPT);
	bool memalloc = plan->task & PAGUS_TASK_MEMALLOC;

	if (plan->gfp & __GFP_NOMEMALLOC)
		return 0;
	if (plan->gfp & __GFP_MEMALLOC)
		return PG_ALLOC_NO_WATERMARKS;
	if (memalloc && (in_task || (plan->task & PAGUS_TASK_SOFTIRQ)))
		return PG_ALLOC_NO_WATERMARKS;
	return in_task && (plan->task & PAGUS_TASK_OOM_VICTIM) ? PG_ALLOC_OOM : 0;
}

void pg_plan_prefer(const struct pagus_state *st, struct pg_plan *plan)
{
	plan->preferred = 0;
	for (uint32_t n = 1; n <= pg_plan_zones(plan) && plan->preferred == 0; n++)
		if (pg_plan_allows(st, plan, n))
			plan->preferred = n;
}

/* The mask as the scopes that the task is in leave it. */
static uint32_t scoped_gfp(uint32_t gfp, uint32_t task)
{
	if (task & PAGUS_TASK_MEMALLOC_NOIO)
		gfp &= ~(__GFP_IO | __GFP_FS);
	else if (task & PAGUS_TASK_MEMALLOC_NOFS)
		gfp &= ~__GFP_FS;
	return task & PAGUS_TASK_MEMALLOC_PIN ? gfp & ~__GFP_MOVABLE : gfp;
}

/*
 * Nodes of the first walk: the task's, unless the caller names some, which its cpuset then checks.
 */
static void bind_to_cpuset(const struct pg_asker *asker, struct pg_plan *plan)
{
	if (!asker->cpusets)
		return;
	plan->gfp |= __GFP_HARDWALL;
	if (plan->nodemask || (asker->task & PAGUS_TASK_INTERRUPT))
		plan->fast_flags |= PG_ALLOC_CPUSET;
	else
		plan->nodemask = asker->mems_allowed;
}

bool pg_plan_optional(const struct pg_plan *plan)
{
	uint32_t gfp = plan->gfp;

	if (plan->order == 0 || (gfp & __GFP_NOFAIL) || (plan->task & PAGUS_TASK_MEMALLOC))
		return false;
	return (plan->intent & (PAGUS_CAN_SPLIT | PAGUS_HAS_FALLBACK)) ||
	       ((gfp & __GFP_NORETRY) && !(gfp & __GFP_RETRY_MAYFAIL)) ||
	       ((gfp & __GFP_NOWARN) && !(gfp & __GFP_DIRECT_RECLAIM));
}

enum pagus_status pg_plan_make(const struct pagus_state *st, const struct pg_asker *asker,
			       const struct pagus_request *req, struct pg_plan *plan)
{
	uint32_t gfp = scoped_gfp(req->gfp, asker->task), type = pg_gfp_type(gfp);

	if (req->order > st->max_order)
		return PAGUS_BAD_ORDER;
	if (type == PAGUS_HIGHATOMIC)
		return PAGUS_BAD_TYPE_BITS;
	plan->highest = pg_highest_zone(st, gfp);
	if (plan->highest == BAD)
		return PAGUS_BAD_ZONE_BITS;
	plan->node = req->node == PAGUS_NO_NODE ? pg_cpu_node(st, asker->cpu) : req->node;
	if (plan->node >= st->nr_nodes)
		return PAGUS_BAD_NODE;
	plan->gfp = plan->slow_gfp = gfp;
	plan->order = req->order;
	plan->task = asker->task;
	plan->type = pg_effective_type(st, type);
	plan->nodemask = plan->asked_nodemask = req->nodemask;
	plan->zonelist = pg_zonelist(st, plan->node, gfp & __GFP_THISNODE);
	plan->spread_dirty = gfp & __GFP_WRITE;
	plan->intent = req->intent;
	plan->fast_flags = PAGUS_WMARK_LOW | cma(plan) | (gfp & __GFP_KSWAPD_RECLAIM);
	bind_to_cpuset(asker, plan);
	pg_plan_prefer(st, plan);
	plan->fast_flags |= nofragment(st, plan) | keeps(st, plan);
	return PAGUS_OK;
}
