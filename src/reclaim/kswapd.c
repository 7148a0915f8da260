/* SPDX-License-Identifier: MIT */
/*
 * kswapd: one worker a node, which reclaims in the background until the node is balanced again:
 * until one of its zones that the request may use has its high mark free, or its promo mark where
 * memory is tiered, and a block of the order.
 *
 *     woken -> run: up to 12 turns, each asks for the high marks' worth of pages, at rising urgency
 *           -> balanced: the boosts that stood at the start are taken off; sleep
 *
 * While marks are boosted beyond balance, a run first reclaims the boosts' worth of pages gently,
 * without writing. A run that frees nothing is a failure; after 16 in a row the node is given up,
 * and requests reclaim for themselves; what anybody reclaims revives it once the node is balanced
 * (in releases before 7.2, at once).
 * (balance_pgdat)
 */
#include "reclaim/reclaim.h"

#include "base/bits.h"
#include "reclaim/kcompactd.h"

#define NUMA_BALANCING_MEMORY_TIERING 2u

/* The zone, if it belongs to the node, has memory, and is of a type up to `highest`. */
static struct pg_zone *zone_of_run(const struct pagus_state *st, uint32_t id, uint32_t node,
				   uint32_t highest)
{
	struct pg_zone *z = pg_zone(st, id);

	return z->node == node && z->type <= highest && pg_read(z->managed) ? z : NULL;
}

/* With vm.defrag_mode only whole pageblocks count for requests of higher order. */
static int64_t free_for(const struct pagus_state *st, const struct pg_zone *z, uint32_t order)
{
	int64_t free = pg_watermark_safe_free(st, z);

	if (st->tunable[PAGUS_TUNABLE_defrag_mode] && order > 0)
		free = (int64_t)pg_min((uint64_t)free, pg_free_in_blocks(st, z));
	return free;
}

static bool balanced(const struct pagus_state *st, uint32_t node, uint32_t order, uint32_t highest)
{
	/* With memory tiering there is to be room for what is promoted to the node. */
	const bool tiering = st->tunable[PAGUS_TUNABLE_numa_balancing] & NUMA_BALANCING_MEMORY_TIERING;
	const uint32_t mark = tiering ? PAGUS_WMARK_PROMO : PAGUS_WMARK_HIGH;
	bool any = false;

	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = zone_of_run(st, id, node, highest);

		if (!z)
			continue;
		any = true;
		/* It works for movable requests too, which may not count all. */
		if (pg_watermark_ok_with(st, z, order, pg_mark(z, mark), highest,
					 PG_ALLOC_KEEP_RESERVE, free_for(st, z, order)))
			return true;
	}
	/* Nothing to balance. */
	return !any;
}

static bool boosted(const struct pagus_state *st, uint32_t node, uint32_t highest)
{
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = zone_of_run(st, id, node, highest);

		if (z && pg_read(z->boost))
			return true;
	}
	return false;
}

void pg_reclaim_note(struct pg_call *c, uint32_t node, uint64_t pages, uint32_t order, uint32_t highest)
{
	struct pg_node *n = pg_node(c->st, node);

	if (pages && (pg_release(c->st)->progress_revives_kswapd ||
		      balanced(c->st, node, order, highest)))
		pg_atomic_store(&n->failures, 0);
}

static void note_wanted(struct pg_node *n, uint32_t order, uint32_t highest)
{
	uint32_t wanted = pg_atomic_load(&n->wanted_highest);

	if (wanted == PAGUS_NR_ZONE_TYPES || wanted < highest)
		pg_atomic_store(&n->wanted_highest, highest);
	if (pg_atomic_load(&n->wanted_order) < order)
		pg_atomic_store(&n->wanted_order, order);
}

void pg_kswapd_wake(struct pg_call *c, uint32_t node, uint32_t order, uint32_t highest, bool waits)
{
	struct pg_node *n = pg_node(c->st, node);

	if (!c->p->port->wake)
		return;
	note_wanted(n, order, highest);
	/*
	 * Read by a read-modify-write, as fall_asleep writes it: of the two, one comes first.
	 * Either this sees that kswapd sleeps, or kswapd sees, after it, what has just been noted.
	 */
	if (pg_atomic_or(&n->awake, 0))
		return;
	if (pg_node_hopeless(n) ||
	    (balanced(c->st, node, order, highest) && !boosted(c->st, node, highest))) {
		if (!waits)
			pg_kcompactd_wake(c, node, order, highest);
		return;
	}
	if (pg_atomic_exchange(&n->awake, 1))
		return;
	pg_watermark_set_thresholds(c->st, node, true);
	pg_count(c, PAGUS_COUNTER_kswapd_wake, 1);
	c->p->port->wake(c->p->port_ctx, PAGUS_WORKER_KSWAPD, node);
}

/* ---- a run ----------------------------------------------------------------------------------- */

uint64_t pg_kswapd_take_zones(struct pagus_state *st, uint32_t node, uint32_t highest)
{
	uint64_t boosts = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++) {
		struct pg_zone *z = zone_of_run(st, id, node, highest);

		if (!z)
			continue;
		pg_zone_set(z, PG_ZONE_RECLAIM_ACTIVE);
		z->boost_taken = pg_read(z->boost);
		boosts += z->boost_taken;
	}
	return boosts;
}

bool pg_kswapd_leave_zones(struct pg_call *c, uint32_t node, uint32_t highest)
{
	bool any_boost = false;

	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		struct pg_zone *z = zone_of_run(c->st, id, node, highest);

		if (!z)
			continue;
		pg_zone_clear(z, PG_ZONE_RECLAIM_ACTIVE);
		if (!z->boost_taken)
			continue;
		any_boost = true;
		pg_zone_lock(c, z, PAGUS_REASON_BOOST);
		pg_write(z->boost, z->boost - pg_min(z->boost, z->boost_taken));
		pg_zone_unlock(c, z);
		z->boost_taken = 0;
	}
	return any_boost;
}

static void begin_run(struct pg_call *c, uint32_t node)
{
	struct pg_node *n = pg_node(c->st, node);
	uint32_t order = pg_atomic_exchange(&n->wanted_order, 0);
	uint32_t highest = pg_atomic_exchange(&n->wanted_highest, PAGUS_NR_ZONE_TYPES);

	if (highest != PAGUS_NR_ZONE_TYPES) {
		n->order = n->asked_order = order;
		n->highest = highest;
	}
	n->priority = PG_RECLAIM_PRIORITY;
	n->reclaimed = 0;
	n->boost_left = pg_kswapd_take_zones(c->st, node, n->highest);
	pg_count(c, PAGUS_COUNTER_pageoutrun, 1);
}

/* Ask the port once: how many pages came. */
static uint64_t reclaim_once(struct pg_call *c, uint32_t node)
{
	struct pg_node *n = pg_node(c->st, node);
	struct pagus_reclaim how = {
		.node = node, .highest = n->highest, .order = n->order, .priority = n->priority,
		.gfp = GFP_KERNEL, .kswapd = true,
		.may_writepage = n->boost_left == 0, .may_swap = n->boost_left == 0,
	};
	uint64_t got = 0;
	uint32_t task;

	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		const struct pg_zone *z = zone_of_run(c->st, id, node, n->highest);

		how.nr_pages += z ? pg_max(pg_mark(z, PAGUS_WMARK_HIGH), PG_RECLAIM_CLUSTER) : 0;
	}
	if (!c->p->port->reclaim)
		return 0;
	task = pg_reclaim_enter(c);
	got = c->p->port->reclaim(c->p->port_ctx, &how);
	pg_reclaim_leave(c, task);
	pg_count(c, PAGUS_COUNTER_pgsteal_kswapd, got);
	pg_reclaim_note(c, node, got, n->order, n->highest);
	n->reclaimed = (uint32_t)pg_min(n->reclaimed + got, UINT32_MAX);
	/*
	 * The run has freed twice the block for compaction to work with: the rest of it is for single
	 * pages.
	 */
	if (n->order && n->reclaimed >= UINT64_C(2) << n->order)
		n->order = 0;
	return got;
}

/* Is the run over? */
static bool turn(struct pg_call *c, uint32_t node)
{
	struct pg_node *n = pg_node(c->st, node);
	bool is_balanced = balanced(c->st, node, n->order, n->highest);
	bool gentle = n->boost_left > 0;
	uint64_t got;

	if (!is_balanced && gentle) {
		/* Requests need pages now: the boosts are not what this run is for. */
		n->boost_left = 0;
		n->priority = PG_RECLAIM_PRIORITY;
		return false;
	}
	if (is_balanced && !gentle)
		return true;
	got = reclaim_once(c, node);
	n->boost_left -= pg_min(n->boost_left, got);
	if (gentle && n->boost_left == 0)
		return true;
	/* While there is progress, a boost is not worth more urgency than two steps. */
	if (got == 0 || !gentle || n->priority != PG_RECLAIM_PRIORITY - 2)
		n->priority--;
	if (n->priority > 0)
		return false;
	if (n->reclaimed == 0)
		pg_atomic_add(&n->failures, 1);
	return true;
}

static bool is_wanted(const struct pg_node *n)
{
	return pg_atomic_load(&n->wanted_highest) != PAGUS_NR_ZONE_TYPES;
}

/* kswapd has nothing to do: what compaction has learnt may be out of date. */
static void let_hints_go(struct pagus_state *st, uint32_t node)
{
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		struct pg_zone *z = pg_zone(st, id);

		if (z->node != node || !pg_zone_has(z, PG_ZONE_HINTS_OLD))
			continue;
		pg_zone_clear(z, PG_ZONE_HINTS_OLD);
		pg_zone_set(z, PG_ZONE_HINTS_GO);
	}
}

/*
 * False if a request came meanwhile that saw kswapd awake and left it at that. What is noted before
 * the exchange is seen after it; who comes later sees it asleep, and wakes it.
 */
static bool fall_asleep(struct pg_call *c, uint32_t node)
{
	struct pg_node *n = pg_node(c->st, node);

	pg_watermark_set_thresholds(c->st, node, false);
	let_hints_go(c->st, node);
	pg_kcompactd_wake(c, node, n->asked_order, n->highest);
	pg_atomic_exchange(&n->awake, 0);
	if (!is_wanted(n) || pg_node_hopeless(n))
		return true;
	/* Where one has woken it by now, the port is told, and the next turn is its own. */
	if (!pg_atomic_exchange(&n->awake, 1))
		pg_watermark_set_thresholds(c->st, node, true);
	return false;
}

bool pg_kswapd_turn(struct pg_call *c, uint32_t node)
{
	struct pg_node *n = pg_node(c->st, node);

	if (!pg_atomic_load(&n->awake))
		return false;
	if (n->priority == 0)
		begin_run(c, node);
	if (!turn(c, node))
		return true;
	n->priority = 0;
	if (pg_kswapd_leave_zones(c, node, n->highest))
		pg_kcompactd_wake(c, node, c->st->pageblock_order, n->highest);
	if (!pg_node_hopeless(n) &&
	    (is_wanted(n) || !balanced(c->st, node, n->order, n->highest)))
		return true;
	return !fall_asleep(c, node);
}
