/* SPDX-License-Identifier: MIT */
/*
 * Compaction by choice (vm.compact_choice), which the kernel does not have: of the units that
 * could be emptied wholly, those that hold the fewest pages come first, and nothing else is moved.
 * What they hold goes into the smallest free blocks that fit, as if it were allocated anew, but
 * that no block as large as the wanted one is broken up. Nothing is moved where there is no room for all
 * that a unit holds, even with what pcps give back.
 *
 * A run that may not wait looks at a window of the zone, and the next run at the next. Where no unit can
 * be emptied in one go, one that may wait goes on with the scanners.
 */
#include "contig/compact.h"

#include "base/bits.h"
#include "contig/drain.h"
#include "pcp/pcp.h"
#include "reclaim/reclaim.h"
#include "zone/owner.h"

#define WINDOW      256 /* pageblocks */
#define MAX_UNITS   8   /* that a run tries */
#define CACHED_COST 16  /* of a unit that pcps have pages of, in pages to copy */

struct choice {
	uint32_t unit; /* first page; PG_NONE */
	uint32_t cost; /* pages to copy, and what a drain counts for */
	uint32_t pages; /* to copy */
};

/* What it would cost to empty the unit at i; no less than `most` where that is already too much. */
static struct choice cost_of(const struct pg_call *c, struct pg_compact *k, uint32_t i,
			     uint32_t most)
{
	const uint32_t end = i + pg_compact_unit(c->st, k);
	struct choice unit = { .unit = i };
	bool cached = false;

	while (i < end && unit.cost < most) {
		const struct pg_glance g = pg_source_look(c, k, i, end);

		k->stats.migrate_scanned += g.pages;
		if (g.what == PG_SOURCE_STAYS) {
			unit.cost = UINT32_MAX;
			return unit;
		}
		if (g.what == PG_SOURCE_MOVABLE)
			unit.pages += g.pages;
		cached |= g.what == PG_SOURCE_CACHED;
		unit.cost = unit.pages + (cached ? CACHED_COST : 0);
		i += g.pages;
	}
	return unit;
}

static void look_into(const struct pg_call *c, struct pg_compact *k, uint32_t start,
		      struct choice *best)
{
	const uint32_t end = start + (1u << c->st->pageblock_order);
	const uint32_t unit = pg_compact_unit(c->st, k);

	if (!pg_block_of_zone(c->st, k->z, start) || pg_barren_end(c->st, k->z, start) > start ||
	    !pg_source_suits(c->st, k, start) || pg_block_hint(c->st, start, PG_HINT_STUCK))
		return;
	for (uint32_t i = start; i < end; i += unit) {
		const struct choice at = cost_of(c, k, i, best->cost);

		/* What costs nothing is free already, and of no use to this request. */
		if (at.cost > 0 && at.cost < best->cost)
			*best = at;
	}
}

/* First page of the pageblock number n from `first` on, round the zone's end. */
static uint32_t block_at(const struct pg_call *c, const struct pg_compact *k, uint32_t first,
			 uint32_t n)
{
	const struct pg_zone *z = k->z;
	uint32_t block = first + n;

	if (block >= z->end_block)
		block -= z->end_block - z->first_block;
	return pg_block_first(c->st, block);
}

/* Of `nr` pageblocks. */
static struct choice choose(const struct pg_call *c, struct pg_compact *k, uint32_t first,
			    uint32_t nr)
{
	struct choice best = { .unit = PG_NONE, .cost = UINT32_MAX };

	for (uint32_t n = 0; n < nr && best.cost > 1; n++)
		look_into(c, k, block_at(c, k, first, n), &best);
	return best;
}

/*
 * Find room for the larger blocks of the unit first, so that what is moved at all is moved wholly.
 * Larger orders come first: they leave pieces for the others.
 */
static bool make_room(struct pg_call *c, struct pg_compact *k)
{
	const uint32_t end = k->unit + pg_compact_unit(c->st, k);
	uint32_t nr[PAGUS_NR_ORDERS] = { 0 };

	for (uint32_t i = k->unit; i < end;) {
		const struct pg_glance g = pg_source_look(c, k, i, end);

		nr[g.what == PG_SOURCE_MOVABLE ? g.order : 0]++;
		i += g.pages;
	}
	for (uint32_t order = c->st->pageblock_order; order-- > 1;)
		if (nr[order] > 0 && !pg_targets_set_aside(c, k, order, nr[order]))
			return false;
	return true;
}

/* Empty the unit: true if nothing stayed in it. *memory: there was room for what it held. */
static bool evacuate(struct pg_call *c, struct pg_compact *k, bool *memory)
{
	const uint32_t start = pg_block_start(c->st, k->unit);
	const uint32_t end = k->unit + pg_compact_unit(c->st, k);

	k->cached = k->blocked = false;
	if (pg_owner(c->st, start))
		pg_pcps[c->st->pcp_policy]->release(c, start);
	if (!make_room(c, k))
		return false;
	for (uint32_t i = k->unit; i < end && !k->blocked && *memory && !pg_compact_captured(c);) {
		const struct pg_glance g = pg_source_look(c, k, i, end);

		i += g.pages;
		if (!pg_source_take(c, k, i - g.pages, &g))
			pg_migrate_putback(c, &k->m, 0);
		else if (k->m.nr > 0 && (i == end || k->m.nr_pages >= PG_COMPACT_CLUSTER ||
					 k->m.nr == PG_MIGRATE_BATCH))
			*memory = pg_compact_move(c, k);
	}
	pg_compact_tell_sources(c, k, k->unit, end);
	if (!k->blocked && *memory)
		pg_compact_leave(c, k, start);
	return !k->blocked && *memory;
}

/* Is there room for what the unit holds? Where there is none, pcps give back what they have. */
static bool has_room(struct pg_call *c, struct pg_compact *k, uint32_t pages)
{
	if (pg_targets_room(c, k, pages))
		return true;
	pg_contig_drain(c, k->z);
	k->stats.drains++;
	k->cost += pg_compact_drain_cost(c->st);
	return pg_targets_room(c, k, pages);
}

/* The window of this run; the next begins behind it. */
static uint32_t take_window(struct pg_compact *k, uint32_t *nr)
{
	struct pg_zone *z = k->z;
	uint32_t first = pg_read(z->compact_migrate[0]), blocks = z->end_block - z->first_block;

	*nr = blocks;
	if (k->mode != PAGUS_MIGRATE_ASYNC || blocks <= WINDOW || k->whole_zone)
		return z->first_block;
	*nr = WINDOW;
	if (first < z->first_block || first >= z->end_block)
		first = z->first_block;
	pg_write(z->compact_migrate[0], z->first_block +
		 (first - z->first_block + WINDOW) % blocks);
	return first;
}

/*
 * What takes several moves only the scanners find. Not even they find anything where there is no room
 * for what the cheapest unit holds: all that is free and may be moved to is less than a unit then.
 */
static enum pg_compacted none_left(struct pg_compact *k, bool whole)
{
	if (k->mode != PAGUS_MIGRATE_ASYNC && k->unit == PG_NONE)
		return PG_COMPACTED_NO_PAGE;
	if (k->direct)
		pg_zone_set(k->z, PG_ZONE_HINTS_OLD);
	return whole ? PG_COMPACTED_COMPLETE : PG_COMPACTED_PARTIAL;
}

enum pg_compacted pg_choice_run(struct pg_call *c, struct pg_compact *k)
{
	uint32_t nr, first = take_window(k, &nr);
	bool memory = true, whole = nr == k->z->end_block - k->z->first_block;

	/* What this run finds stuck is passed over all the same. */
	for (uint32_t n = 0; n < nr && k->ignore_hints; n++)
		pg_block_set_hint(c->st, block_at(c, k, first, n), PG_HINT_STUCK, false);
	for (uint32_t n = 0; n < MAX_UNITS && !pg_is_to_die(c, k->task); n++) {
		const struct choice best = choose(c, k, first, nr);

		k->unit = best.unit;
		pg_compact_tell_sources(c, k, pg_block_first(c->st, k->z->first_block),
					pg_block_first(c->st, k->z->end_block));
		if (k->unit == PG_NONE || !has_room(c, k, best.pages))
			return none_left(k, whole);
		if (!evacuate(c, k, &memory) && !pg_compact_captured(c)) {
			pg_block_set_hint(c->st, k->unit, PG_HINT_STUCK, true);
			/* What is in hand looks as if it could not be moved. */
			pg_targets_release(c, k);
		}
		if (pg_compact_captured(c) || pg_compact_served_by(c, k))
			return PG_COMPACTED_SUCCESS;
		if (!memory || k->contended)
			break;
	}
	return PG_COMPACTED_CONTENDED;
}
