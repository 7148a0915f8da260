/* SPDX-License-Identifier: MIT */
/*
 * kcompactd: one worker a node, which compacts in the background, a zone a turn.
 *
 *     woken for an order -> zones up to the wanted type that are suited and not deferred
 *     its score is high  -> all zones, until each has come down to the low mark
 *
 * The score of a node is how much of its free memory is in blocks below a pageblock. Where a run
 * does not lower it, the next 63 checks are passed over. (kcompactd, kcompactd_do_work,
 * proactive_compact_node)
 */
#include "contig/kcompactd.h"

#include "base/bits.h"
#include "contig/compact.h"
#include "contig/drain.h"
#include "reclaim/defer.h"
#include "reclaim/kcompactd.h"

#define PAUSE 63 /* checks after one without progress */

/* ---- the score ------------------------------------------------------------------------------- */

static uint32_t score(const struct pagus_state *st, uint32_t node)
{
	uint64_t present = 0, sum = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++)
		present += pg_zone(st, id)->node == node ? pg_read(pg_zone(st, id)->present) : 0;
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);

		if (z->node == node)
			sum += pg_read(z->present) * pg_extfrag_percent(st, id, st->pageblock_order) /
			       (present + 1);
	}
	return (uint32_t)sum;
}

static uint32_t low_mark(const struct pagus_state *st)
{
	return 100 - st->tunable[PAGUS_TUNABLE_compaction_proactiveness];
}

static uint32_t high_mark(const struct pagus_state *st)
{
	uint32_t low = low_mark(st);

	return (uint32_t)pg_min(low + pg_min(10, low / 2), 100);
}

static bool is_high(const struct pagus_state *st, uint32_t node)
{
	return st->tunable[PAGUS_TUNABLE_compaction_proactiveness] &&
	       !pg_atomic_load(&pg_node(st, node)->awake) && score(st, node) > high_mark(st);
}

bool pg_kcompactd_tick(struct pg_call *c, uint32_t node)
{
	struct pg_node *n = pg_node(c->st, node);
	uint32_t pause = pg_atomic_load(&n->compact_pause);

	if (!c->p->port->move || c->st->tunable[PAGUS_TUNABLE_compaction_proactiveness] == 0)
		return false;
	if (pause > 0)
		pg_atomic_store(&n->compact_pause, pause - 1);
	else if (is_high(c->st, node))
		pg_kcompactd_check(c->p, node);
	return pg_atomic_load(&n->compact_awake);
}

/* ---- one zone -------------------------------------------------------------------------------- */

static enum pg_compacted run(struct pg_call *c, struct pg_compact *k)
{
	enum pg_compacted result = pg_compact_zone(c, k);

	pg_count(c, PAGUS_COUNTER_compact_daemon_migrate_scanned, k->stats.migrate_scanned);
	pg_count(c, PAGUS_COUNTER_compact_daemon_free_scanned, k->stats.free_scanned);
	return result;
}

/* What lies on pcps may be all that is missing: it is had before the zone is given up. */
static void give_up(struct pg_call *c, struct pg_zone *z, uint32_t order)
{
	pg_contig_drain(c, z);
	pg_count(c, PAGUS_COUNTER_compact_drain, 1);
	pg_rate_charge(c->st, z, pg_compact_drain_cost(c->st));
	pg_defer_failed(c, z, order);
}

static void compact_for_order(struct pg_call *c, struct pg_zone *z, const struct pg_node *n)
{
	struct pg_compact k = {
		.z = z, .order = n->compact_order, .type = PAGUS_MOVABLE, .gfp = GFP_KERNEL,
		.highest = z->type, .flags = pg_kcompactd_flags(c->st), .daemon = true,
		.mode = PAGUS_MIGRATE_SYNC_LIGHT,
	};
	enum pg_compacted result;

	if (pg_defer_refuses(c, z, k.order)) {
		pg_count(c, PAGUS_COUNTER_compact_deferred, 1);
		return;
	}
	if (pg_rate_refuses(c, z))
		return;
	result = run(c, &k);
	if (result == PG_COMPACTED_SUCCESS && k.began)
		pg_defer_reset(c, z, k.order, false);
	else if (result == PG_COMPACTED_COMPLETE || result == PG_COMPACTED_PARTIAL)
		give_up(c, z, k.order);
}

static void compact_for_score(struct pg_call *c, struct pg_zone *z)
{
	struct pg_compact k = {
		.z = z, .order = PG_COMPACT_WHOLE, .gfp = GFP_KERNEL, .highest = z->type,
		.flags = PG_ALLOC_CMA, .daemon = true, .proactive = true, .low = low_mark(c->st),
		.mode = PAGUS_MIGRATE_SYNC_LIGHT, .whole_zone = true, .ignore_hints = true,
	};

	if (!pg_rate_refuses(c, z))
		run(c, &k);
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void tell(const struct pg_call *c, enum pagus_event_id id, uint32_t node, uint32_t order,
		 uint32_t highest)
{
	if (pg_event_wanted(c, id))
		pg_event_raise(c, id, PG_NO_ZONE, PAGUS_NO_PFN, order, 0, node, highest);
}

/* What it is woken for is taken up as a whole: a request that comes now is for the next run. */
static bool begin(struct pg_call *c, uint32_t node)
{
	struct pg_node *n = pg_node(c->st, node);
	uint32_t order = pg_atomic_exchange(&n->compact_wanted_order, 0);
	uint32_t highest = pg_atomic_exchange(&n->compact_wanted_highest, PAGUS_NR_ZONE_TYPES);

	if (order > 0) {
		n->compact_order = order;
		n->compact_highest = (uint32_t)pg_min(highest, PAGUS_ZONE_MOVABLE);
		n->compact_score = 0;
		n->compact_zone = 1;
		pg_count(c, PAGUS_COUNTER_compact_daemon_wake, 1);
		tell(c, PAGUS_EVENT_KCOMPACTD_WAKE, node, order, n->compact_highest);
		return true;
	}
	if (!pg_atomic_exchange(&n->compact_check, 0) || !is_high(c->st, node))
		return false;
	n->compact_highest = PAGUS_ZONE_MOVABLE;
	n->compact_score = score(c->st, node) + 1;
	n->compact_zone = 1;
	return true;
}

static void end(struct pg_call *c, uint32_t node)
{
	struct pg_node *n = pg_node(c->st, node);

	if (n->compact_score > 0)
		pg_atomic_store(&n->compact_pause,
				score(c->st, node) + 1 < n->compact_score ? 0 : PAUSE);
	n->compact_zone = n->compact_score = 0;
}

/* The next zone of the run; past the last, none. */
static struct pg_zone *next_zone(const struct pagus_state *st, uint32_t node)
{
	struct pg_node *n = pg_node(st, node);

	while (n->compact_zone - 1 < st->nr_zones) {
		struct pg_zone *z = pg_zone(st, n->compact_zone++ - 1);

		if (z->node == node && z->type <= n->compact_highest && pg_read(z->managed))
			return z;
	}
	return NULL;
}

static bool is_wanted(const struct pg_node *n)
{
	return pg_atomic_load(&n->compact_wanted_order) || pg_atomic_load(&n->compact_check);
}

/* False if somebody wants it who saw it awake. */
static bool fall_asleep(struct pg_node *n)
{
	pg_atomic_exchange(&n->compact_awake, 0);
	return !is_wanted(n) || pg_atomic_exchange(&n->compact_awake, 1);
}

bool pg_kcompactd_turn(struct pg_call *c, uint32_t node)
{
	struct pg_node *n = pg_node(c->st, node);
	struct pg_zone *z;

	if (!pg_atomic_load(&n->compact_awake))
		return false;
	if (n->compact_zone == 0 && !begin(c, node)) {
		if (!fall_asleep(n))
			return true;
		tell(c, PAGUS_EVENT_KCOMPACTD_SLEEP, node, 0, 0);
		return false;
	}
	z = next_zone(c->st, node);
	if (!z)
		end(c, node);
	else if (n->compact_score > 0)
		compact_for_score(c, z);
	else
		compact_for_order(c, z, n);
	return true;
}
