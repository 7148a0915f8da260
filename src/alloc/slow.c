/* SPDX-License-Identifier: MIT */
/* The slow path's acts, and the facts that its table asks for. */
#include "alloc/slow.h"

#include "alloc/compact.h"
#include "alloc/evacuate.h"
#include "alloc/highatomic.h"
#include "alloc/retry.h"
#include "alloc/walk.h"
#include "reclaim/reclaim.h"

#define MAX_ROUNDS 256

static uint32_t facts(const struct pg_call *c, const struct pg_slow *s)
{
	const struct pg_plan *plan = &s->plan;
	const struct pagus_port *port = c->p->port;
	const struct pg_release *release = pg_release(c->st);
	const uint32_t gfp = plan->gfp;
	const bool fact[PG_NR_FACTS] = {
		[PG_FACT_BIT_BLOCK] = gfp & __GFP_DIRECT_RECLAIM,
		[PG_FACT_BIT_KSWAPD] = gfp & __GFP_KSWAPD_RECLAIM,
		[PG_FACT_BIT_IO] = gfp & __GFP_IO,
		[PG_FACT_BIT_COSTLY] = plan->order > PG_COSTLY_ORDER,
		[PG_FACT_BIT_MIXES] = pg_slow_mixes(plan),
		[PG_FACT_BIT_NORETRY] = gfp & __GFP_NORETRY,
		[PG_FACT_BIT_MAYFAIL] = gfp & __GFP_RETRY_MAYFAIL,
		[PG_FACT_BIT_NOFAIL] = (gfp & __GFP_NOFAIL) && port->wait,
		[PG_FACT_BIT_THISNODE] = gfp & __GFP_THISNODE,
		[PG_FACT_BIT_MEMALLOC] = plan->task & PAGUS_TASK_MEMALLOC,
		[PG_FACT_BIT_RIGHTS] = pg_plan_rights(plan),
		[PG_FACT_BIT_VICTIM] = (plan->task & PAGUS_TASK_OOM_VICTIM) &&
			((s->flags & PG_ALLOC_OOM) || (gfp & __GFP_NOMEMALLOC)),
		[PG_FACT_BIT_NO_ZONE] = plan->preferred == 0,
		[PG_FACT_BIT_CHANGED] = pg_slow_mems(c) != s->mems ||
			pg_atomic_load(pg_zonelist_turn(c->st)) != s->zonelists,
		[PG_FACT_BIT_PLAIN] = c->st->tunable[PAGUS_TUNABLE_defrag_mode] &&
			(s->flags & PG_ALLOC_NOFRAGMENT),
		[PG_FACT_BIT_COMPACT_FIRST] = s->compact_first,
		[PG_FACT_BIT_EARLY_ONLY] = !release->compact_first,
		[PG_FACT_BIT_DEFERRED] = s->compacted <= PAGUS_COMPACT_DEFERRED,
		[PG_FACT_BIT_PROGRESS] = s->progress,
		[PG_FACT_BIT_THISNODE_ENDS] = release->thisnode_ends_early,
		[PG_FACT_BIT_OUT_OF_ROUNDS] = s->rounds > MAX_ROUNDS,
		[PG_FACT_BIT_HELD] = pg_slow_held(c, s),
		[PG_FACT_BIT_OFFERS] = pg_slow_offers(c, s),
		[PG_FACT_BIT_OPTIONAL] = pg_plan_optional(plan),
		[PG_FACT_BIT_SPARES] = s->flags & PG_ALLOC_KEEP_RESERVE,
	};
	uint32_t bits = 0;

	for (uint32_t n = 0; n < PG_NR_FACTS; n++)
		bits |= (uint32_t)fact[n] << n;
	return bits;
}

/* ---- acts ------------------------------------------------------------------------------------ */

static bool go(struct pg_call *c, struct pg_slow *s)
{
	(void)c;
	(void)s;
	return false;
}

static bool begin_round(struct pg_call *c, struct pg_slow *s)
{
	s->rounds++;
	pg_count(c, PAGUS_COUNTER_slow_rounds, 1);
	return false;
}

static bool restart(struct pg_call *c, struct pg_slow *s)
{
	const uint32_t needed = __GFP_DIRECT_RECLAIM | __GFP_IO;

	s->zonelists = pg_atomic_load(pg_zonelist_turn(c->st));
	s->plan.zonelist = pg_zonelist_of(c->st, s->zonelists, s->plan.node,
					  s->plan.gfp & __GFP_THISNODE);
	s->flags = pg_plan_slow_flags(c->st, &s->plan);
	s->plan.nodemask = s->plan.asked_nodemask;
	pg_plan_prefer(c->st, &s->plan);
	s->mems = pg_slow_mems(c);
	s->no_progress = s->compactions = 0;
	s->progress = 0;
	s->compacted = PAGUS_COMPACT_SKIPPED;
	s->reset = false;
	s->compact_first = pg_release(c->st)->compact_first && pg_slow_mixes(&s->plan) &&
			   (s->plan.gfp & needed) == needed;
	s->mode = s->compact_first ? PAGUS_COMPACT_ASYNC : PAGUS_COMPACT_SYNC_LIGHT;
	return false;
}

/* The order that is made room for: with vm.defrag_mode, whole pageblocks for what cannot move. */
static uint32_t wanted_order(const struct pagus_state *st, const struct pg_slow *s)
{
	const bool whole = st->tunable[PAGUS_TUNABLE_defrag_mode] && pg_release(st)->compact_first &&
			   (s->flags & PG_ALLOC_NOFRAGMENT) && s->plan.type != PAGUS_MOVABLE;

	return whole && s->plan.order < st->pageblock_order ? st->pageblock_order : s->plan.order;
}

static bool wake(struct pg_call *c, struct pg_slow *s)
{
	const struct pg_plan *plan = &s->plan;
	uint32_t order = plan->order, last = PAGUS_NO_NODE;

	if (c->st->tunable[PAGUS_TUNABLE_defrag_mode] && order < c->st->pageblock_order)
		order = c->st->pageblock_order;
	for (uint32_t n = 1; n <= pg_plan_zones(plan); n++) {
		const struct pg_zone *z = pg_plan_zone(c->st, plan, n);

		if (!pg_plan_allows(c->st, plan, n) || pg_read(z->managed) == 0 || z->node == last)
			continue;
		last = z->node;
		if (pg_cpuset_allows(c, plan, z->node))
			pg_kswapd_wake(c, z->node, order, plan->highest,
				       plan->gfp & __GFP_DIRECT_RECLAIM);
	}
	return false;
}

static bool walk_with(struct pg_call *c, struct pg_slow *s, uint32_t flags)
{
	if (s->plan.preferred)
		s->i = pg_walk(c, &s->plan, flags, &s->res->from_pcp);
	s->res->pfmemalloc = s->i != PG_NONE && (flags & PG_ALLOC_NO_WATERMARKS);
	return s->i != PG_NONE;
}

static bool walk(struct pg_call *c, struct pg_slow *s)
{
	return walk_with(c, s, s->flags);
}

/* Who asks is at home in reserves, or is not bound: then other nodes than asked for serve too. */
static bool take_rights(struct pg_call *c, struct pg_slow *s)
{
	const uint32_t rights = pg_plan_rights(&s->plan);
	bool first;

	if (rights)
		s->flags = rights | (s->flags & (PG_ALLOC_KSWAPD | PG_ALLOC_CMA));
	if (!rights && (s->flags & PG_ALLOC_CPUSET))
		return false;
	s->plan.nodemask = 0;
	pg_plan_prefer(c->st, &s->plan);
	first = !s->reset;
	s->reset = true;
	return first;
}

static uint64_t nodes_of(const struct pagus_state *st, const struct pg_plan *plan)
{
	uint64_t nodes = 0;

	for (uint32_t n = 1; n <= pg_plan_zones(plan); n++)
		if (pg_plan_allows(st, plan, n))
			nodes |= UINT64_C(1) << pg_plan_zone(st, plan, n)->node;
	return nodes;
}

/* Of the first zone up to Normal that the request may use. */
static uint32_t lowmem_node_of(const struct pagus_state *st, const struct pg_plan *plan)
{
	for (uint32_t n = 1; n <= pg_plan_zones(plan); n++)
		if (pg_plan_allows(st, plan, n) && pg_plan_zone(st, plan, n)->type <= PAGUS_ZONE_NORMAL)
			return pg_plan_zone(st, plan, n)->node;
	return PAGUS_NO_NODE;
}

static void drain_everything(struct pg_call *c)
{
	for (uint32_t cpu = 0; cpu < c->st->nr_cpus; cpu++)
		for (uint32_t id = 0; id < c->st->nr_zones; id++)
			pg_pcp_drain_all(c, pg_zone(c->st, id), cpu);
}

/* What was reclaimed may lie on pcp lists of other CPUs, or in the high-atomic reserve. */
static bool reclaim(struct pg_call *c, struct pg_slow *s)
{
	const struct pg_shortage shortage = {
		.gfp = s->plan.gfp, .order = wanted_order(c->st, s), .highest = s->plan.highest,
		.nodes = nodes_of(c->st, &s->plan), .task = s->plan.task,
		.lowmem_node = lowmem_node_of(c->st, &s->plan),
	};

	s->progress = pg_reclaim_direct(c, &shortage);
	if (s->progress == 0)
		return false;
	if (walk(c, s))
		return true;
	pg_highatomic_unreserve(c, &s->plan, false);
	drain_everything(c);
	return walk(c, s);
}

/* Where pages move the library compacts by itself; else the port may know how to. */
static void ask_to_compact(struct pg_call *c, struct pg_slow *s, const struct pagus_compact *how)
{
	const struct pagus_port *port = c->p->port;
	uint32_t task;

	if (port->move) {
		s->compacted = pg_compact_direct(c, &s->plan, s->flags, how, &s->i);
	} else if (port->compact) {
		task = pg_reclaim_enter(c);
		s->compacted = port->compact(c->p->port_ctx, how);
		pg_reclaim_leave(c, task);
	}
}

static bool stalled(const struct pg_call *c, const struct pg_slow *s)
{
	return s->compacted != PAGUS_COMPACT_SKIPPED &&
	       (s->compacted != PAGUS_COMPACT_DEFERRED || pg_release(c->st)->deferred_stalls);
}

/* A block that came together in the compaction's own frees is the request's; else it walks. */
static bool take_compacted(struct pg_call *c, struct pg_slow *s)
{
	if (s->i != PG_NONE && pg_suspect_withheld(c, s->i, s->plan.order, NULL))
		s->i = PG_NONE;
	if (s->i == PG_NONE)
		return walk(c, s);
	s->res->from_pcp = false;
	s->res->pfmemalloc = s->flags & PG_ALLOC_NO_WATERMARKS;
	pg_count(c, PAGUS_COUNTER_compact_capture, 1);
	return true;
}

static bool compact_as(struct pg_call *c, struct pg_slow *s, enum pagus_compact_mode mode)
{
	const struct pagus_compact how = {
		.node = s->plan.node, .highest = s->plan.highest, .order = wanted_order(c->st, s),
		.gfp = s->plan.gfp, .nodemask = s->plan.nodemask, .mode = mode,
	};
	bool served;

	s->compacted = PAGUS_COMPACT_SKIPPED;
	if (how.order == 0 || !(how.gfp & __GFP_IO))
		return false;
	ask_to_compact(c, s, &how);
	if (!stalled(c, s))
		return false;
	pg_count(c, PAGUS_COUNTER_compact_stall, 1);
	served = take_compacted(c, s);
	if (served)
		pg_compact_served(c, pg_zone_of(c->st, s->i), how.order);
	pg_count(c, served ? PAGUS_COUNTER_compact_success : PAGUS_COUNTER_compact_fail, 1);
	return served;
}

static bool compact(struct pg_call *c, struct pg_slow *s)
{
	return compact_as(c, s, s->mode);
}

static bool compact_async(struct pg_call *c, struct pg_slow *s)
{
	return compact_as(c, s, PAGUS_COMPACT_ASYNC);
}

static bool async_only(struct pg_call *c, struct pg_slow *s)
{
	(void)c;
	s->mode = PAGUS_COMPACT_ASYNC;
	return false;
}

static bool compacted(struct pg_call *c, struct pg_slow *s)
{
	(void)c;
	s->compact_first = false;
	if (!(s->plan.gfp & __GFP_NORETRY))
		s->mode = PAGUS_COMPACT_SYNC_LIGHT;
	return false;
}

static bool mix(struct pg_call *c, struct pg_slow *s)
{
	(void)c;
	s->flags &= ~PG_ALLOC_NOFRAGMENT;
	return false;
}

/* What CPUs keep may be all that is left. */
static bool drain(struct pg_call *c, struct pg_slow *s)
{
	drain_everything(c);
	return walk(c, s);
}

static bool evacuate(struct pg_call *c, struct pg_slow *s)
{
	bool made;

	pg_span_begin(c);
	made = pg_evacuate_for(c, &s->plan);
	pg_span_end(c);
	return made && walk(c, s);
}

/* Who cannot wait for room to be made has it made for the next. */
static bool taint(struct pg_call *c, struct pg_slow *s)
{
	if (!(s->plan.gfp & __GFP_DIRECT_RECLAIM))
		pg_evacuate_wake(c, s->plan.node);
	s->flags &= ~PG_ALLOC_KEEP_CLEAN;
	return false;
}

static bool dip(struct pg_call *c, struct pg_slow *s)
{
	(void)c;
	s->flags &= ~PG_ALLOC_KEEP_RESERVE;
	return false;
}

static bool oom(struct pg_call *c, struct pg_slow *s)
{
	const struct pagus_port *port = c->p->port;
	const uint32_t gfp = s->plan.gfp;
	bool served;

	s->progress = 0;
	if (!port->trylock(c->p->port_ctx, PAGUS_LOCK_OOM, 0, PAGUS_REASON_OOM)) {
		s->progress = 1;
		pg_slow_wait(c, PAGUS_WAIT_OOM);
		return false;
	}
	/*
	 * Somebody else's kill may have freed enough by now: only that is taken, at the high mark
	 * and within the cpuset.
	 */
	s->plan.gfp = gfp | __GFP_HARDWALL;
	served = walk_with(c, s, PAGUS_WMARK_HIGH | PG_ALLOC_CPUSET);
	s->plan.gfp = gfp;
	if (!served)
		s->progress = pg_oom(c, &s->plan);
	port->unlock(c->p->port_ctx, PAGUS_LOCK_OOM, 0, 0);
	if (!served && s->progress && (gfp & __GFP_NOFAIL))
		served = walk_with(c, s, PG_ALLOC_NO_WATERMARKS | PG_ALLOC_CPUSET) ||
			 walk_with(c, s, PG_ALLOC_NO_WATERMARKS);
	return served;
}

static bool forget(struct pg_call *c, struct pg_slow *s)
{
	s->no_progress = 0;
	pg_slow_wait(c, PAGUS_WAIT_OOM);
	return false;
}

static bool last_resort(struct pg_call *c, struct pg_slow *s)
{
	return walk_with(c, s, PG_ALLOC_MIN_RESERVE | PG_ALLOC_CPUSET) ||
	       walk_with(c, s, PG_ALLOC_MIN_RESERVE);
}

static bool wait(struct pg_call *c, struct pg_slow *s)
{
	(void)s;
	pg_slow_wait(c, PAGUS_WAIT_RECLAIM);
	return false;
}

static bool (*const acts[])(struct pg_call *c, struct pg_slow *s) = {
	[PG_ACT_GO] = go, [PG_ACT_ROUND] = begin_round, [PG_ACT_RESTART] = restart,
	[PG_ACT_WAKE] = wake, [PG_ACT_WALK] = walk, [PG_ACT_RIGHTS] = take_rights,
	[PG_ACT_RECLAIM] = reclaim, [PG_ACT_COMPACT] = compact,
	[PG_ACT_COMPACT_ASYNC] = compact_async, [PG_ACT_ASYNC_ONLY] = async_only,
	[PG_ACT_COMPACTED] = compacted, [PG_ACT_RETRY_RECLAIM] = pg_retry_reclaim,
	[PG_ACT_RETRY_COMPACT] = pg_retry_compact, [PG_ACT_MIX] = mix, [PG_ACT_DRAIN] = drain,
	[PG_ACT_EVACUATE] = evacuate, [PG_ACT_TAINT] = taint, [PG_ACT_DIP] = dip, [PG_ACT_OOM] = oom,
	[PG_ACT_FORGET] = forget, [PG_ACT_LAST_RESORT] = last_resort, [PG_ACT_WAIT] = wait,
	[PG_ACT_GRANT] = go, [PG_ACT_REFUSE] = go,
};

uint32_t pg_slow(struct pg_call *c, const struct pg_plan *plan, struct pagus_result *res)
{
	struct pg_slow s = { .plan = *plan, .res = res, .i = PG_NONE };
	uint32_t row = 0;
	bool yes;
	uint8_t act;

	s.plan.spread_dirty = false;
	restart(c, &s);
	pg_count(c, PAGUS_COUNTER_second_attempt, 1);
	do {
		row = pg_slow_meets(row, facts(c, &s));
		act = pg_slow_rows[row].act;
		if (pg_slow_rows[row].refusal)
			res->refusal = (enum pagus_refusal)pg_slow_rows[row].refusal;
		yes = acts[act](c, &s);
		if (pg_event_wanted(c, PAGUS_EVENT_SLOW_STEP))
			pg_event_raise(c, PAGUS_EVENT_SLOW_STEP, PG_NO_ZONE, PAGUS_NO_PFN,
				       plan->order, plan->type, row, yes);
		row = pg_slow_next(row, yes);
	} while (act != PG_ACT_GRANT && act != PG_ACT_REFUSE);
	if (s.i != PG_NONE)
		res->refusal = PAGUS_REFUSED_NONE;
	return s.i;
}
