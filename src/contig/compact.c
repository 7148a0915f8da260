/* SPDX-License-Identifier: MIT */
/* The loop of one run of compaction. (compact_zone) */
#include "contig/compact.h"

#include "base/bits.h"
#include "contig/drain.h"
#include "reclaim/defer.h"
#include "reclaim/reclaim.h"
#include "zone/owner.h"
#include "zone/remote.h"

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

/* ---- is it finished? ------------------------------------------------------------------------- */

static bool have_met(const struct pagus_state *st, const struct pg_compact *k)
{
	return pg_block_start(st, k->free) <= pg_block_start(st, k->migrate);
}

/* May a request of `type` claim a pageblock of another for the sake of a block of `order` in it? */
static bool may_claim(const struct pagus_state *st, uint32_t order, uint32_t type)
{
	return order >= st->pageblock_order / 2 || type != PAGUS_MOVABLE || pg_read(st->mobility_off);
}

/* Is there a block that the request could have? Marks do not count here. */
bool pg_compact_served_by(const struct pg_call *c, const struct pg_compact *k)
{
	const struct pagus_state *st = c->st;

	for (uint32_t o = k->order; o <= st->max_order; o++) {
		if (pg_read(k->z->nr_free[o]) == 0)
			continue;
		if (pg_store_any(st, k->z, o, k->type) ||
		    (k->type == PAGUS_MOVABLE && pg_store_any(st, k->z, o, PAGUS_CMA)))
			return true;
		for (uint32_t t = 0; t < PAGUS_HIGHATOMIC && may_claim(st, o, k->type); t++)
			if (pg_store_any(st, k->z, o, t))
				return true;
	}
	return false;
}

static bool blocks_balanced(const struct pagus_state *st, const struct pg_compact *k)
{
	return pg_watermark_ok_with(st, k->z, k->order, pg_mark(k->z, PAGUS_WMARK_HIGH), k->highest,
				    k->flags, (int64_t)pg_free_in_blocks(st, k->z));
}

static enum pg_compacted met(struct pg_compact *k)
{
	pg_hints_restart(k);
	if (k->direct)
		pg_zone_set(k->z, PG_ZONE_HINTS_OLD);
	return k->whole_zone ? PG_COMPACTED_COMPLETE : PG_COMPACTED_PARTIAL;
}

/* NO_PAGE: it goes on. */
static enum pg_compacted judge(const struct pg_call *c, struct pg_compact *k)
{
	const struct pagus_state *st = c->st;

	if (have_met(st, k))
		return met(k);
	if (pg_is_to_die(c, k->task))
		return PG_COMPACTED_CONTENDED;
	if (k->proactive) {
		if (pg_atomic_load(&pg_node(st, k->z->node)->awake))
			return PG_COMPACTED_PARTIAL;
		return pg_extfrag_percent(st, k->z->id, st->pageblock_order) <= k->low ?
			PG_COMPACTED_SUCCESS : PG_COMPACTED_CONTINUE;
	}
	/* A pageblock that was begun is emptied, so that fewer are mixed. */
	if (k->order == PG_COMPACT_WHOLE || k->migrate != pg_block_start(st, k->migrate))
		return PG_COMPACTED_CONTINUE;
	if (k->daemon && st->tunable[PAGUS_TUNABLE_defrag_mode])
		return blocks_balanced(st, k) ? PG_COMPACTED_SUCCESS : PG_COMPACTED_CONTINUE;
	if (pg_compact_served_by(c, k))
		return PG_COMPACTED_SUCCESS;
	return k->contended ? PG_COMPACTED_CONTENDED : PG_COMPACTED_NO_PAGE;
}

static enum pg_compacted finished(const struct pg_call *c, struct pg_compact *k)
{
	enum pg_compacted result = judge(c, k);

	pg_compacted_tell(c, PAGUS_EVENT_COMPACT_FINISHED, k->z, k->order, result);
	return result == PG_COMPACTED_NO_PAGE ? PG_COMPACTED_CONTINUE : result;
}

/* ---- a turn ---------------------------------------------------------------------------------- */

/* What was freed to the zone without its lock merges when it is taken in. */
static void absorb(struct pg_call *c, struct pg_compact *k)
{
	if (!pg_mapped(c->st) || pg_atomic_load(&k->z->deferred) == PG_NONE)
		return;
	pg_zone_lock(c, k->z, PAGUS_REASON_COMPACT);
	pg_remote_absorb_zone(c, k->z);
	pg_zone_unlock(c, k->z);
}

/* The pageblock is done. Where all that is left in it lies on pcps, they give it back. */
void pg_compact_leave(struct pg_call *c, struct pg_compact *k, uint32_t start)
{
	if (!k->cached || (k->blocked && k->order >= c->st->pageblock_order))
		return;
	if (pg_owner(c->st, start)) {
		pg_pcps[c->st->pcp_policy]->release(c, start);
	} else if (k->order >= c->st->pageblock_order) {
		pg_contig_drain(c, k->z);
		k->stats.drains++;
		k->cost += pg_compact_drain_cost(c->st);
	} else {
		pg_pcp_drain_all(c, k->z, c->cpu);
		k->cost += PG_COMPACT_CLUSTER;
	}
	absorb(c, k);
}

/* Move what is claimed. False: there was nowhere to. */
bool pg_compact_move(struct pg_call *c, struct pg_compact *k)
{
	enum pg_migrated result = pg_migrate_run(c, &k->m);

	if (result != PG_MIGRATED_ALL)
		k->blocked = true;
	pg_migrate_putback(c, &k->m, 0);
	pg_compact_tell_moved(c, k);
	absorb(c, k);
	return result != PG_MIGRATED_NO_MEMORY || have_met(c->st, k);
}

bool pg_compact_captured(const struct pg_call *c)
{
	return c->capture && c->capture->i != PG_NONE;
}

/*
 * Claim and move until a batch has gone well. A pageblock in which something could not be moved is
 * gone through to its end, so that it gets its hint: each further turn is nearer to that end.
 */
static enum pg_compacted turn(struct pg_call *c, struct pg_compact *k, bool *any)
{
	uint64_t failed;

	do {
		failed = k->m.failed_pages;
		switch (pg_sources_scan(c, k)) {
		case PG_SCAN_ABORT:
			return PG_COMPACTED_CONTENDED;
		case PG_SCAN_NONE:
			return PG_COMPACTED_CONTINUE;
		case PG_SCAN_SOME:
			break;
		}
		*any = true;
		if (!pg_compact_move(c, k))
			return PG_COMPACTED_CONTENDED;
		if (pg_compact_captured(c))
			return PG_COMPACTED_SUCCESS;
		if (k->m.failed_pages == failed || k->migrate == pg_block_start(c->st, k->migrate) ||
		    k->ignore_hints || k->finish || k->mode == PAGUS_MIGRATE_SYNC)
			return PG_COMPACTED_CONTINUE;
		k->finish = true;
	} while (true);
}

static enum pg_compacted loop(struct pg_call *c, struct pg_compact *k)
{
	struct pg_zone *z = k->z;
	const uint32_t pages = block_pages(c->st);
	bool together = k->mode == PAGUS_MIGRATE_ASYNC &&
			pg_read(z->compact_migrate[0]) == pg_read(z->compact_migrate[1]);
	uint32_t last = PG_NONE;
	enum pg_compacted result;

	while ((result = finished(c, k)) == PG_COMPACTED_CONTINUE) {
		uint32_t start = pg_block_start(c->st, k->migrate);
		bool any = false;

		k->finish = last == start;
		result = turn(c, k, &any);
		if (any)
			last = pg_block_start(c->st, k->migrate - 1);
		/* Where no mode can claim anything, none has to look again. */
		together &= !any;
		if (together)
			pg_write(z->compact_migrate[1], pg_read(z->compact_migrate[0]));
		if (result != PG_COMPACTED_CONTINUE)
			break;
		if (k->migrate == pg_block_start(c->st, k->migrate))
			pg_compact_leave(c, k, k->migrate - pages);
		if (pg_compact_captured(c))
			return PG_COMPACTED_SUCCESS;
	}
	return result;
}

static bool by_choice(const struct pagus_state *st, const struct pg_compact *k)
{
	return st->tunable[PAGUS_TUNABLE_compact_choice] && k->order != PG_COMPACT_WHOLE;
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void account(const struct pg_call *c, struct pg_compact *k)
{
	k->stats.moved = k->m.moved_pages;
	k->stats.failed = k->m.failed_pages;
	pg_count(c, PAGUS_COUNTER_compact_migrate_scanned, k->stats.migrate_scanned);
	pg_count(c, PAGUS_COUNTER_compact_free_scanned, k->stats.free_scanned);
	pg_count(c, PAGUS_COUNTER_compact_isolated, k->stats.isolated + k->stats.taken);
	pg_count(c, PAGUS_COUNTER_compact_drain, k->stats.drains);
	pg_rate_charge(c->st, k->z, k->stats.moved + k->cost);
}

static uint64_t blocks_of(const struct pagus_state *st, const struct pg_compact *k)
{
	return pg_free_sum(st, k->z->id, (uint32_t)pg_min(k->order, st->pageblock_order)).suitable;
}

/*
 * After kswapd has slept; or, where there is none, after a request's run that was in vain; or when
 * such runs begin anew after many have been refused.
 */
static void clear_old_hints(struct pg_call *c, const struct pg_compact *k)
{
	const bool now = !c->p->port->wake ||
			 (k->order != PG_COMPACT_WHOLE && pg_defer_restarts(k->z, k->order));

	if (pg_zone_has(k->z, PG_ZONE_HINTS_GO) || (now && pg_zone_has(k->z, PG_ZONE_HINTS_OLD)))
		pg_hints_clear(c, k->z);
}

static void count_result(const struct pg_call *c, const struct pg_compact *k,
			 enum pg_compacted result)
{
	static const enum pagus_counter counters[] = {
		[PG_COMPACTED_SKIPPED] = PAGUS_COUNTER_compact_skipped,
		[PG_COMPACTED_COMPLETE] = PAGUS_COUNTER_compact_complete,
		[PG_COMPACTED_PARTIAL] = PAGUS_COUNTER_compact_partial,
		[PG_COMPACTED_CONTENDED] = PAGUS_COUNTER_compact_contended,
		[PG_COMPACTED_SUCCESS] = PAGUS_COUNTER_compact_done,
	};

	if (result == PG_COMPACTED_SUCCESS && !k->began)
		pg_count(c, PAGUS_COUNTER_compact_needless, 1);
	else
		pg_count(c, counters[result], 1);
}

static enum pg_compacted run(struct pg_call *c, struct pg_compact *k)
{
	const struct pg_suit who = {
		.order = k->order, .highest = k->highest, .flags = k->flags,
		.async = k->mode == PAGUS_MIGRATE_ASYNC, .daemon = k->daemon,
	};
	enum pg_compacted result;
	uint64_t blocks;
	uint32_t unused;

	if (!c->p->port->move || k->z->end_block - k->z->first_block < 2)
		return PG_COMPACTED_SKIPPED;
	if (k->order != PG_COMPACT_WHOLE) {
		result = pg_compact_judge(c, k->z, &who);
		if (result != PG_COMPACTED_CONTINUE)
			return result == PG_COMPACTED_NOT_SUITABLE ? PG_COMPACTED_SKIPPED : result;
	}
	clear_old_hints(c, k);
	k->m = (struct pg_migration){
		.how = { .mode = k->mode, .reason = PAGUS_MIGRATE_COMPACTION, .gfp = k->gfp },
		.get = pg_targets_get, .put = pg_targets_put, .own = k,
		.unevictable = c->st->tunable[PAGUS_TUNABLE_compact_unevictable_allowed],
	};
	k->targets.nr = k->targets.pages = 0;
	k->stride = k->mode == PAGUS_MIGRATE_ASYNC ? PG_COMPACT_CLUSTER : 1;
	k->began = true;
	pg_hints_start(c, k);
	pg_compact_tell_begin(c, k);
	blocks = blocks_of(c->st, k);
	result = by_choice(c->st, k) ? pg_choice_run(c, k) : PG_COMPACTED_NO_PAGE;
	if (result == PG_COMPACTED_NO_PAGE)
		result = loop(c, k);
	unused = pg_targets_release(c, k);
	if (unused != PG_NONE)
		pg_hints_free_again(c->st, k, unused);
	k->stats.blocks = blocks_of(c->st, k);
	k->stats.blocks -= pg_min(blocks, k->stats.blocks);
	account(c, k);
	pg_compact_tell_end(c, k, result);
	return result;
}

enum pg_compacted pg_compact_zone(struct pg_call *c, struct pg_compact *k)
{
	enum pg_compacted result = run(c, k);

	count_result(c, k, result);
	return result;
}
