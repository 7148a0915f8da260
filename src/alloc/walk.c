/* SPDX-License-Identifier: MIT */
/*
 * The walk: zones of the zonelist -> cpuset, dirty limit, watermark -> pcp list, or the zone's free
 * lists. (get_page_from_freelist)
 *
 * Three things make a walk begin anew with less to respect, each at most once: it would leave its
 * node while it avoids fragmentation; it has passed over nodes whose kswapd is awake; it has
 * avoided fragmentation and found nothing.
 */
#include <pagus/explain.h>

#include "alloc/walk.h"

#include "alloc/highatomic.h"
#include "reclaim/reclaim.h"
#include "zone/remote.h"

struct walk {
	const struct pg_plan *plan;
	uint32_t flags;
	bool awake_last;     /* pass over nodes whose kswapd is awake, */
	bool passed_over;    /* as has happened */
	bool would_leave;    /* the node, while it avoids fragmentation, */
	bool held_back;      /* or has a superpageblock there that it could taint */
	bool spread_dirty;
	uint64_t dirty_nodes; /* over their limit, as far as looked at */
	uint64_t clean_nodes;
	bool *hit;
};

static uint32_t take_from_pcp(struct pg_call *c, struct pg_zone *z, const struct walk *w)
{
	const struct pg_plan *plan = w->plan;
	struct pg_take take = { .order = plan->order, .type = plan->type, .flags = w->flags };
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	uint32_t i;

	if (pg_unlikely(!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_ALLOC)))
		return PG_NONE;
	pcp->free_count >>= 1;
	i = pg_pcp_take(c, z, pcp, &take, w->hit);
	pg_pcp_unlock(c, pcp);
	return i;
}

static uint32_t take_from_zone(struct pg_call *c, struct pg_zone *z, const struct pg_plan *plan,
			       uint32_t flags)
{
	struct pg_take take = { .order = plan->order, .type = plan->type, .flags = flags,
				.direct = true };
	uint32_t i;

	do {
		take.resume = 0;
		if (!pg_zone_lock_for(c, z, flags, PAGUS_REASON_ALLOC_DIRECT))
			return PG_NONE;
		i = pg_place_take(c, z, &take);
		if (i != PG_NONE && pg_mapped(c->st))
			pg_map_grant(c->st, i, take.order, take.type);
		pg_zone_unlock(c, z);
	} while (i != PG_NONE && pg_suspect_withheld(c, i, take.order, NULL));
	return i;
}

uint32_t pg_walk_zone(struct pg_call *c, struct pg_zone *z, const struct pg_plan *plan,
		      uint32_t flags)
{
	if (!pg_watermark_ok(c->st, z, plan->order, pg_mark(z, flags & PG_ALLOC_WMARK_MASK), z->type,
			     flags))
		return PG_NONE;
	return take_from_zone(c, z, plan, flags);
}

static uint32_t take(struct pg_call *c, struct pg_zone *z, const struct walk *w)
{
	const struct pg_plan *plan = w->plan;
	uint32_t i = PG_NONE;
	bool from_pcp;

	*w->hit = false;
	if (c->st->pcp_orders >> plan->order & 1)
		i = take_from_pcp(c, z, w);
	from_pcp = i != PG_NONE;
	if (!from_pcp)
		i = take_from_zone(c, z, plan, w->flags);
	if (pg_unlikely(pg_zone_has(z, PG_ZONE_BOOSTED)) &&
	    ((w->flags & PG_ALLOC_KSWAPD) || pg_release(c->st)->boost_wakes_any)) {
		pg_zone_clear(z, PG_ZONE_BOOSTED);
		pg_kswapd_wake(c, z->node, 0, z->type, false);
	}
	if (pg_unlikely(w->flags & PG_ALLOC_HIGHATOMIC) && i != PG_NONE &&
	    (!from_pcp || pg_release(c->st)->reserve_after_pcp))
		pg_highatomic_reserve(c, i, plan->order);
	return i;
}

static bool weigh(struct pg_call *c, struct pg_zone *z, const struct walk *w)
{
	bool allowed = pg_zone_visit(c->st, z, w->plan->order, w->plan->highest, w->flags);

	if (pg_event_wanted(c, PAGUS_EVENT_ZONE_WEIGHED))
		pg_event_raise(c, PAGUS_EVENT_ZONE_WEIGHED, z->id, PAGUS_NO_PFN, w->plan->order,
			       w->plan->type, w->flags, allowed);
	return allowed;
}

/* What has been freed to the zone without its lock counts when it has been taken in. */
static bool absorb(struct pg_call *c, struct pg_zone *z)
{
	if (!pg_mapped(c->st) || pg_atomic_load(&z->deferred) == PG_NONE ||
	    !pg_zone_trylock(c, z, PAGUS_REASON_FREE_DIRECT))
		return false;
	pg_remote_absorb_zone(c, z);
	pg_zone_unlock(c, z);
	return true;
}

/* A page that will be written should not go where too many dirty pages wait already. */
static bool dirty_allows(struct pg_call *c, const struct pg_zone *z, struct walk *w)
{
	uint64_t bit = UINT64_C(1) << z->node;

	if (!w->spread_dirty || (w->clean_nodes & bit))
		return true;
	if (!(w->dirty_nodes & bit)) {
		if (pg_node_dirty_ok(c, z->node, w->plan->task))
			w->clean_nodes |= bit;
		else
			w->dirty_nodes |= bit;
	}
	return w->clean_nodes & bit;
}

/*
 * Avoiding fragmentation is for the own node: going to another is worse than mixing, and than
 * tainting where that is all that is wanting.
 */
static bool would_leave(const struct pagus_state *st, const struct walk *w, const struct pg_zone *z)
{
	const struct pg_plan *plan = w->plan;
	bool avoids = (w->flags & PG_ALLOC_NOFRAGMENT) && !st->tunable[PAGUS_TUNABLE_defrag_mode];

	return (avoids || w->held_back) &&
	       z->node != pg_plan_zone(st, plan, plan->preferred)->node;
}

/* The n-th zone of the zonelist: what it comes to, and the block that it gives. */
static enum pagus_verdict visit(struct pg_call *c, struct walk *w, uint32_t n, uint32_t *i)
{
	const struct pg_plan *plan = w->plan;
	struct pg_zone *z = pg_plan_zone(c->st, plan, n);

	if (!pg_plan_allows(c->st, plan, n))
		return PAGUS_VERDICT_OTHER_ZONE;
	if ((w->flags & PG_ALLOC_CPUSET) && !pg_cpuset_allows(c, plan, z->node))
		return PAGUS_VERDICT_CPUSET;
	if (!dirty_allows(c, z, w))
		return PAGUS_VERDICT_DIRTY;
	if (would_leave(c->st, w, z))
		return PAGUS_VERDICT_LEAVES_NODE;
	if (w->awake_last && pg_node(c->st, z->node)->awake)
		return PAGUS_VERDICT_AWAKE;
	if (!weigh(c, z, w) && !(absorb(c, z) && weigh(c, z, w)))
		return PAGUS_VERDICT_BELOW_MARK;
	*i = take(c, z, w);
	return *i == PG_NONE ? PAGUS_VERDICT_NOTHING : PAGUS_VERDICT_SERVED;
}

/* One pass over the zones. */
static uint32_t pass(struct pg_call *c, struct walk *w)
{
	const struct pg_plan *plan = w->plan;
	uint32_t i = PG_NONE;

	for (uint32_t n = plan->preferred; n <= pg_plan_zones(plan); n++) {
		enum pagus_verdict verdict = visit(c, w, n, &i);

		if (pg_event_wanted(c, PAGUS_EVENT_ZONE_TRIED))
			pg_event_raise(c, PAGUS_EVENT_ZONE_TRIED, pg_read(plan->zonelist[n]),
				       i == PG_NONE ? PAGUS_NO_PFN : pg_pfn(c->st, i), plan->order,
				       plan->type, w->flags, verdict);
		if (verdict == PAGUS_VERDICT_SERVED)
			break;
		w->passed_over |= verdict == PAGUS_VERDICT_AWAKE;
		w->held_back |= verdict == PAGUS_VERDICT_NOTHING &&
				(w->flags & PG_ALLOC_KEEP_CLEAN);
		w->would_leave = verdict == PAGUS_VERDICT_LEAVES_NODE;
		if (w->would_leave)
			break;
	}
	return i;
}

static bool next_pass(const struct pagus_state *st, struct walk *w)
{
	bool avoids = (w->flags & PG_ALLOC_NOFRAGMENT) && !st->tunable[PAGUS_TUNABLE_defrag_mode];

	if (w->awake_last && w->passed_over && !w->would_leave) {
		w->awake_last = false;
		return true;
	}
	w->would_leave = false;
	if (avoids)
		w->flags &= ~PG_ALLOC_NOFRAGMENT;
	return avoids;
}

uint32_t pg_walk(struct pg_call *c, const struct pg_plan *plan, uint32_t flags, bool *hit)
{
	struct walk w = {
		.plan = plan, .flags = flags, .hit = hit, .spread_dirty = plan->spread_dirty,
		.awake_last = pg_release(c->st)->awake_nodes_last && c->st->nr_nodes > 1,
	};
	uint32_t i;

	do
		i = pass(c, &w);
	while (i == PG_NONE && next_pass(c->st, &w));
	return i;
}
