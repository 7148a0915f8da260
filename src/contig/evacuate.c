/* SPDX-License-Identifier: MIT */
#include "contig/evacuate.h"

#include "alloc/evacuate.h"
#include "base/bits.h"
#include "contig/drain.h"
#include "contig/isolate.h"
#include "reclaim/defer.h"
#include "zone/superpageblock.h"

#define STOP_BLOCKS 2u /* pageblocks above its reserve at which a superpageblock is left */
#define MOST_BLOCKS 8u /* pageblocks that a request has emptied, in each of two ways */
#define HOLD(what)  (1u << PG_HOLD_##what)

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

static const struct pg_range_how how_to_move = {
	.gfp = __GFP_IO | __GFP_FS | __GFP_NOWARN, .reason = PAGUS_MIGRATE_COMPACTION,
};

/* ---- a pageblock -------------------------------------------------------------------------------- */

/* Pages that would have to be copied; counts are as they look at the moment. */
static uint32_t cost(const struct pagus_state *st, const struct pg_map *m)
{
	return pg_map_used(st, m, PAGUS_MOVABLE);
}

/* Among `only` of all, those that hold what can move and nothing in `without`. */
struct choice {
	uint32_t without; /* PG_HOLD_* bits */
	uint32_t type;    /* of the pageblock; PAGUS_NR_MIGRATETYPES: any */
};

static bool is_choice(const struct pagus_state *st, const struct pg_zone *z, const struct pg_map *m,
		      const struct choice *of)
{
	uint32_t holds = pg_read(m->spb_holds), type = pg_block_type(st, pg_map_start(st, m));

	return m->zone == z->id && (holds & HOLD(MOVABLE)) && !(holds & (of->without | HOLD(GAP))) &&
	       pg_type_mergeable(type) && (of->type == PAGUS_NR_MIGRATETYPES || type == of->type);
}

/* The cheapest pageblock; NULL if there is none. One that costs nothing is a CPU's, or just freed. */
static struct pg_map *cheapest(const struct pagus_state *st, const struct pg_zone *z,
			       const struct pg_spb *s, const struct choice *of)
{
	struct pg_map *best = NULL;
	uint32_t least = UINT32_MAX;

	for (uint32_t b = s->first_block; b < s->end_block && least > 0; b++) {
		struct pg_map *m = pg_map_at(st, b);
		uint32_t pages;

		if (!is_choice(st, z, m, of))
			continue;
		pages = cost(st, m);
		if (pages < least) {
			least = pages;
			best = m;
		}
	}
	return best;
}

/*
 * Move what can be moved out of the pageblock. Where nothing else is in it, it is isolated meanwhile,
 * so that it stays empty. False: all is as it was.
 */
static bool empty_block(struct pg_call *c, struct pg_zone *z, struct pg_map *m)
{
	struct pagus_state *st = c->st;
	pagus_pfn_t start = pg_pfn(st, pg_map_start(st, m)), end = start + block_pages(st);
	bool owned = pg_map_owner(m) != 0;
	uint32_t before = cost(st, m), after;
	bool isolated = pg_isolate_range(c, start, end, PAGUS_ISOLATE_OTHER, NULL) == PAGUS_OK;

	pg_range_move(c, start, end, &how_to_move);
	if (isolated)
		pg_unisolate_range(c, start, end);
	after = cost(st, m);
	if (after >= before)
		return isolated && owned && before == 0;
	pg_rate_charge(st, z, before - after);
	pg_count(c, PAGUS_COUNTER_evacuate_pages, before - after);
	pg_count(c, PAGUS_COUNTER_evacuate_pageblock, isolated && after == 0);
	return true;
}

/* ---- a superpageblock --------------------------------------------------------------------------- */

/* A tainted one that movable requests have filled too far; until it has some more than its reserve. */
static bool is_short(const struct pagus_state *st, const struct pg_spb *s)
{
	uint32_t enough = pg_read(s->reserve_pages);

	if (!pg_spb_is(s, PG_SPB_TAINTED) || enough == 0 ||
	    pg_read(s->nr_hold[PG_HOLD_MOVABLE]) == 0)
		return false;
	if (s->evacuating)
		enough += STOP_BLOCKS << st->pageblock_order;
	return pg_read(s->free_pages) < enough;
}

/* Free pages of clean ones. */
static int64_t clean_free(const struct pg_zone *z)
{
	return pg_read(z->free_pages) - (int64_t)pg_read(z->spb_tainted_free);
}

/*
 * Whole pageblocks first; else what can move among what cannot, so that the rest comes together. What
 * finds room in the same superpageblock alone, or in another tainted one, would be moved for ever.
 */
static bool make_room(struct pg_call *c, struct pg_zone *z, struct pg_spb *s)
{
	const struct choice pure = { PG_HOLDS_KERNEL, PAGUS_NR_MIGRATETYPES };
	const struct choice mixed = { 0, PAGUS_NR_MIGRATETYPES };
	const uint32_t before = pg_read(s->free_pages);
	struct pg_map *m = cheapest(c->st, z, s, &pure);

	if (!m)
		m = cheapest(c->st, z, s, &mixed);
	return m && clean_free(z) >= cost(c->st, m) && empty_block(c, z, m) &&
	       pg_read(s->free_pages) > before;
}

static struct pg_spb *shortest(const struct pagus_state *st, const struct pg_zone *z)
{
	struct pg_spb *best = NULL;

	for (uint32_t n = 0; n < z->nr_spbs; n++) {
		struct pg_spb *s = pg_spb(st, z, n);

		s->evacuating = is_short(st, s);
		if (s->evacuating && pg_read(s->resting) == 0 &&
		    (!best || pg_read(s->free_pages) < pg_read(best->free_pages)))
			best = s;
	}
	return best;
}

static uint64_t pages_of(const struct pagus_state *st, const struct pg_spb *s)
{
	return (uint64_t)s->nr_blocks << st->pageblock_order;
}

struct pg_spb *pg_evacuate_emptiest(const struct pagus_state *st, const struct pg_zone *z,
				    uint64_t most)
{
	struct pg_spb *best = NULL;

	for (uint32_t n = 0; n < z->nr_spbs; n++) {
		struct pg_spb *s = pg_spb(st, z, n);
		uint32_t pages = pg_read(s->free_pages);

		if (pg_spb_is(s, PG_SPB_TAINTED) || pg_spb_is(s, PG_SPB_IMPERFECT) ||
		    pg_read(s->resting) > 0 || pages_of(st, s) - pages > most ||
		    (best && pages <= pg_read(best->free_pages)))
			continue;
		best = s;
	}
	return best;
}

/* Superpageblocks without gaps in which nothing is in use. */
static uint32_t count_empty(const struct pagus_state *st, const struct pg_zone *z)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < z->nr_spbs; n++) {
		const struct pg_spb *s = pg_spb(st, z, n);

		nr += !pg_spb_is(s, PG_SPB_IMPERFECT) && pg_read(s->fullness) == PG_SPB_EMPTY;
	}
	return nr;
}

/*
 * The one to be emptied next: what is in use of it has to find room beside the high mark and what
 * tainted ones keep, while what is free of it is not there; and in clean ones that are in use already,
 * for it goes to an empty one before it goes to a tainted one.
 */
static struct pg_spb *next_ready(const struct pagus_state *st, const struct pg_zone *z)
{
	const uint32_t empty = count_empty(st, z);
	const int64_t used_free = clean_free(z) - ((int64_t)empty << st->superpageblock_order);
	const int64_t kept = (int64_t)(pg_read(z->spb_kept_pages) + pg_mark(z, PAGUS_WMARK_HIGH));
	struct pg_spb *best = NULL;

	if (empty >= st->tunable[PAGUS_TUNABLE_superpageblocks_ready])
		return NULL;
	for (uint32_t n = 0; n < z->nr_spbs; n++) {
		struct pg_spb *s = pg_spb(st, z, n);
		int64_t pages = (int64_t)pages_of(st, s);

		if (pg_spb_is(s, PG_SPB_TAINTED) || pg_spb_is(s, PG_SPB_IMPERFECT) ||
		    pg_read(s->resting) > 0 || pg_read(s->fullness) == PG_SPB_EMPTY ||
		    used_free < pages || pg_read(z->free_pages) < pages + kept)
			continue;
		if (!best || pg_read(s->free_pages) > pg_read(best->free_pages))
			best = s;
	}
	return best;
}

static bool empty_superpageblock(struct pg_call *c, struct pg_zone *z, struct pg_spb *s)
{
	pagus_pfn_t end = s->start_pfn + (UINT64_C(1) << c->st->superpageblock_order);
	uint32_t empty = count_empty(c->st, z);
	uint64_t used;
	enum pagus_status status;

	pg_contig_drain(c, z);
	used = pages_of(c->st, s) - pg_read(s->free_pages);
	if (pg_isolate_range(c, s->start_pfn, end, PAGUS_ISOLATE_OTHER, NULL) != PAGUS_OK)
		return false;
	status = pg_range_move(c, s->start_pfn, end, &how_to_move);
	pg_unisolate_range(c, s->start_pfn, end);
	used -= pg_min(used, pages_of(c->st, s) - pg_read(s->free_pages));
	pg_rate_charge(c->st, z, used);
	pg_count(c, PAGUS_COUNTER_evacuate_pages, used);
	pg_count(c, PAGUS_COUNTER_evacuate_superpageblock, status == PAGUS_OK);
	return status == PAGUS_OK && count_empty(c->st, z) > empty;
}

/* ---- the worker --------------------------------------------------------------------------------- */

static bool serves(const struct pg_call *c, uint32_t node)
{
	return c->st->superpageblock_order && c->p->port->move && node < c->st->nr_nodes;
}

static bool work_in(struct pg_call *c, struct pg_zone *z)
{
	struct pg_spb *s = shortest(c->st, z);
	bool done;

	if (s) {
		done = make_room(c, z, s);
	} else {
		s = next_ready(c->st, z);
		done = s && empty_superpageblock(c, z, s);
	}
	if (s && !done)
		pg_spb_rest(s);
	return s;
}

static bool is_wanted(const struct pg_call *c, uint32_t node)
{
	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(c->st, id);

		if (z->node == node && (shortest(c->st, z) || next_ready(c->st, z)))
			return true;
	}
	return false;
}

bool pg_evacuate_tick(struct pg_call *c, uint32_t node)
{
	if (!serves(c, node))
		return false;
	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(c->st, id);

		for (uint32_t n = 0; z->node == node && n < z->nr_spbs; n++) {
			struct pg_spb *s = pg_spb(c->st, z, n);
			uint32_t left = pg_read(s->resting);

			pg_write(s->resting, left > 0 ? left - 1 : 0);
		}
	}
	if (is_wanted(c, node))
		pg_atomic_store(&pg_node(c->st, node)->evacuate_awake, 1);
	return pg_atomic_load(&pg_node(c->st, node)->evacuate_awake);
}

void pg_evacuate_wake(struct pg_call *c, uint32_t node)
{
	if (serves(c, node) && !pg_atomic_exchange(&pg_node(c->st, node)->evacuate_awake, 1) &&
	    c->p->port->wake)
		c->p->port->wake(c->p->port_ctx, PAGUS_WORKER_EVACUATE, node);
}

bool pg_evacuate_turn(struct pg_call *c, uint32_t node)
{
	bool more = false;

	if (!serves(c, node) || !pg_atomic_load(&pg_node(c->st, node)->evacuate_awake))
		return false;
	for (uint32_t id = 0; id < c->st->nr_zones && !more; id++) {
		struct pg_zone *z = pg_zone(c->st, id);

		if (z->node == node && z->nr_spbs && !pg_rate_refuses(c, z))
			more = work_in(c, z);
	}
	/* What comes up later is seen at the next tick. */
	if (!more)
		pg_atomic_store(&pg_node(c->st, node)->evacuate_awake, 0);
	return more;
}

/* ---- for a request ------------------------------------------------------------------------------ */

/* Some pageblocks of tainted superpageblocks: has anything moved? */
static bool empty_some(struct pg_call *c, struct pg_zone *z, const struct choice *of)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < z->nr_spbs && nr < MOST_BLOCKS; n++) {
		struct pg_spb *s = pg_spb(c->st, z, n);
		struct pg_map *m;

		if (!pg_spb_is(s, PG_SPB_TAINTED) || pg_read(s->resting) > 0)
			continue;
		m = cheapest(c->st, z, s, of);
		if (m && empty_block(c, z, m))
			nr++;
		else if (m)
			pg_spb_rest(s);
	}
	return nr > 0;
}

bool pg_evacuate_for(struct pg_call *c, const struct pg_plan *plan)
{
	const struct choice alike = { 0, plan->type };
	const struct choice movable = { PG_HOLDS_KERNEL, PAGUS_MOVABLE };
	bool moved = false;

	for (uint32_t n = 1; n <= plan->zonelist[0] && !moved; n++) {
		struct pg_zone *z = pg_zone(c->st, plan->zonelist[n]);

		if (!serves(c, z->node) || !z->nr_spbs || !pg_plan_allows(c->st, plan, n))
			continue;
		moved = empty_some(c, z, &alike);
		moved |= empty_some(c, z, &movable);
	}
	return moved;
}
