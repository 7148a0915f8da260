/* SPDX-License-Identifier: MIT */
#include "contig/evacuate.h"

#include "alloc/evacuate.h"
#include "base/bits.h"
#include "contig/drain.h"
#include "contig/isolate.h"
#include "place/place.h"
#include "reclaim/defer.h"
#include "zone/superpageblock.h"

#define STOP_BLOCKS 2u /* pageblocks above its reserve at which a superpageblock is left */
#define MOST_BLOCKS 8u /* pageblocks that are emptied, or tried to be, in each way for a request */
#define POOL        16u /* pageblocks that are found at once, to be emptied for large blocks */
#define BATCH_PAGES 32u /* that are moved for it at least: the next ones find room too */
#define HOLD(what)  (1u << PG_HOLD_##what)

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

/* From one tainted superpageblock to another nothing is moved: that would not end. */
static const struct pg_range_how how_to_move = {
	.gfp = __GFP_IO | __GFP_FS | __GFP_NOWARN, .reason = PAGUS_MIGRATE_COMPACTION,
	.to_clean = true,
};
static const struct pg_range_how worker_to_move = {
	.gfp = __GFP_IO | __GFP_FS | __GFP_NOWARN, .reason = PAGUS_MIGRATE_COMPACTION,
	.to_clean = true, .worker = true,
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

	return pg_map_zone(m) == z->id && (holds & HOLD(MOVABLE)) &&
	       !(holds & (of->without | HOLD(GAP))) &&
	       pg_read(m->resting) <= pg_read(z->spb_ticks) && pg_type_mergeable(type) &&
	       (of->type == PAGUS_NR_MIGRATETYPES || type == of->type);
}

/* The cheapest pageblock so far; NULL: there is none. */
struct best {
	struct pg_map *m;
	uint32_t pages;
};

/* One that costs nothing is a CPU's, or just freed. */
static void find_cheapest(const struct pagus_state *st, const struct pg_zone *z,
			  const struct pg_spb *s, const struct choice *of, struct best *best)
{
	for (uint32_t b = pg_read(s->first_block); b < pg_read(s->end_block); b++) {
		struct pg_map *m = pg_map_at(st, b);
		uint32_t pages;

		if (!is_choice(st, z, m, of))
			continue;
		pages = cost(st, m);
		if (!best->m || pages < best->pages)
			*best = (struct best){ m, pages };
	}
}

/*
 * What a worker's turn has isolated, one range a time, is in its node's record for as long: in a copy
 * of the state that was made in the middle of the turn (a child's) the next turn gives it back.
 */
static bool isolate(struct pg_call *c, const struct pg_zone *z, pagus_pfn_t start, pagus_pfn_t end,
		    const struct pg_range_how *how)
{
	struct pg_node *n = pg_node(c->st, z->node);

	if (pg_isolate_range(c, start, end, PAGUS_ISOLATE_OTHER, NULL) != PAGUS_OK)
		return false;
	if (how->worker) {
		n->evacuate_start = start;
		n->evacuate_pages = (uint32_t)(end - start);
	}
	return true;
}

static void unisolate(struct pg_call *c, const struct pg_zone *z, pagus_pfn_t start, pagus_pfn_t end,
		      const struct pg_range_how *how)
{
	pg_unisolate_range(c, start, end);
	if (how->worker)
		pg_node(c->st, z->node)->evacuate_pages = 0;
}

/*
 * Move what can be moved out of the pageblock. Where nothing else is in it, it is isolated meanwhile,
 * so that it stays empty. False: all is as it was.
 */
static bool move_out(struct pg_call *c, struct pg_zone *z, struct pg_map *m,
		     const struct pg_range_how *how)
{
	struct pagus_state *st = c->st;
	pagus_pfn_t start = pg_pfn(st, pg_map_start(st, m)), end = start + block_pages(st);
	bool owned = pg_map_owner(m) != 0;
	uint32_t before = cost(st, m), after;
	bool isolated = isolate(c, z, start, end, how);

	pg_range_move(c, start, end, how);
	if (isolated)
		unisolate(c, z, start, end, how);
	after = cost(st, m);
	if (after >= before)
		return isolated && owned && before == 0;
	pg_rate_charge(st, z, before - after);
	pg_count(c, PAGUS_COUNTER_evacuate_pages, before - after);
	pg_count(c, PAGUS_COUNTER_evacuate_pageblock, isolated && after == 0);
	return true;
}

/* The same; one that it fails for is left alone for some ticks. */
static bool empty_small(struct pg_call *c, struct pg_zone *z, struct pg_map *m,
			const struct pg_range_how *how)
{
	bool done = move_out(c, z, m, how);

	if (!done)
		pg_write(m->resting, pg_read(z->spb_ticks) + PG_SPB_REST);
	return done;
}

/* ---- large blocks ------------------------------------------------------------------------------- */

/*
 * A block as large as a pageblock moves to a whole pageblock. Where none is free, one is made: by
 * emptying what costs the least of the clean superpageblocks, which are gone through once for some.
 */
struct pool {
	uint32_t nr;
	struct best of[POOL]; /* the cheapest last */
};

static void pool_offer(struct pool *pool, struct pg_map *m, uint32_t pages)
{
	uint32_t n;

	if (pool->nr == POOL) {
		if (pages >= pool->of[0].pages)
			return;
		for (pool->nr--, n = 0; n < pool->nr; n++)
			pool->of[n] = pool->of[n + 1];
	}
	for (n = pool->nr++; n > 0 && pool->of[n - 1].pages < pages; n--)
		pool->of[n] = pool->of[n - 1];
	pool->of[n] = (struct best){ m, pages };
}

static void pool_fill(const struct pagus_state *st, const struct pg_zone *z, struct pool *pool)
{
	const struct choice pure = { PG_HOLDS_KERNEL, PAGUS_NR_MIGRATETYPES };

	for (uint32_t b = z->first_block; b < z->end_block; b++) {
		struct pg_map *m = pg_map_at(st, b);
		uint32_t pages;

		if (!is_choice(st, z, m, &pure) ||
		    pg_spb_is(pg_spb_of(st, z, pg_map_start(st, m)), PG_SPB_TAINTED))
			continue;
		pages = cost(st, m);
		if (pages > 0 && pages < block_pages(st))
			pool_offer(pool, m, pages);
	}
}

static bool is_whole(struct pg_call *c, struct pg_zone *z)
{
	const struct pg_take take = { .order = c->st->pageblock_order, .type = PAGUS_MOVABLE,
				      .flags = PG_ALLOC_KEEP_RESERVE | PG_ALLOC_KEEP_OUT,
				      .direct = true };
	bool found;

	pg_zone_lock(c, z, PAGUS_REASON_CONTIG);
	found = pg_place_look(c, z, &take) != PG_NONE;
	pg_zone_unlock(c, z);
	return found;
}

static void make_whole(struct pg_call *c, struct pg_zone *z, struct pool *pool,
		       const struct pg_range_how *how)
{
	for (uint32_t tries = 0; tries < POOL && !is_whole(c, z); tries++) {
		if (pool->nr == 0)
			pool_fill(c->st, z, pool);
		if (pool->nr == 0)
			return;
		empty_small(c, z, pool->of[--pool->nr].m, how);
	}
}

static bool is_large(const struct pagus_state *st, uint32_t start)
{
	const struct pg_view look = pg_view(st, start);

	return look.kind == PAGUS_PAGE_ALLOCATED && look.type == PAGUS_MOVABLE &&
	       look.order == st->pageblock_order;
}

/* Empty a pageblock, whatever is in it. */
static bool empty_block(struct pg_call *c, struct pg_zone *z, struct pg_map *m,
			const struct pg_range_how *how)
{
	struct pool pool = { .nr = 0 };

	if (is_large(c->st, pg_map_start(c->st, m)))
		make_whole(c, z, &pool, how);
	return empty_small(c, z, m, how);
}

void pg_evacuate_large(struct pg_call *c, struct pg_zone *z, pagus_pfn_t start, pagus_pfn_t end,
		       const struct pg_range_how *how)
{
	const uint32_t pages = block_pages(c->st);
	struct pool pool = { .nr = 0 };

	if (!z->nr_spbs)
		return;
	for (pagus_pfn_t pfn = (start + pages - 1) & ~(pagus_pfn_t)(pages - 1); pfn + pages <= end;
	     pfn += pages) {
		if (pg_cancelled(how->cancel))
			return;
		if (!is_large(c->st, pg_index(c->st, pfn)))
			continue;
		make_whole(c, z, &pool, how);
		pg_range_move(c, pfn, pfn + pages, how);
	}
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

/*
 * Whole pageblocks first; else what can move among what cannot, so that the rest comes together.
 * False: none is left to be tried.
 */
static bool make_room(struct pg_call *c, struct pg_zone *z, struct pg_spb *s)
{
	const struct choice pure = { PG_HOLDS_KERNEL, PAGUS_NR_MIGRATETYPES };
	const struct choice mixed = { 0, PAGUS_NR_MIGRATETYPES };
	struct best best = { NULL, 0 };

	find_cheapest(c->st, z, s, &pure, &best);
	if (!best.m)
		find_cheapest(c->st, z, s, &mixed, &best);
	if (best.m)
		empty_block(c, z, best.m, &worker_to_move);
	return best.m;
}

/* Free pages of clean ones. */
static int64_t clean_free(const struct pg_zone *z)
{
	return pg_read(z->free_pages) - (int64_t)pg_read(z->spb_tainted_free);
}

/* Is there anywhere to move to? What is free of tainted ones is not. */
static bool has_room(const struct pagus_state *st, const struct pg_zone *z)
{
	return clean_free(z) >= (int64_t)(pg_mark(z, PAGUS_WMARK_MIN) + block_pages(st));
}

static struct pg_spb *shortest(const struct pagus_state *st, const struct pg_zone *z)
{
	struct pg_spb *best = NULL;

	if (!has_room(st, z))
		return NULL;
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
	return (uint64_t)pg_read(s->nr_blocks) << st->pageblock_order;
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
	if (!isolate(c, z, s->start_pfn, end, &worker_to_move))
		return false;
	status = pg_range_move(c, s->start_pfn, end, &worker_to_move);
	unisolate(c, z, s->start_pfn, end, &worker_to_move);
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
	} else if ((s = pg_untaint_next(c, z))) {
		done = pg_untaint(c, z, s);
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

		if (z->node == node &&
		    (shortest(c->st, z) || pg_untaint_next(c, z) || next_ready(c->st, z)))
			return true;
	}
	return false;
}

bool pg_evacuate_tick(struct pg_call *c, uint32_t node)
{
	if (!serves(c, node))
		return false;
	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		struct pg_zone *z = pg_zone(c->st, id);

		if (z->node == node)
			pg_write(z->spb_ticks, z->spb_ticks + 1);
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
	struct pg_node *n;
	bool more = false;

	if (!serves(c, node) || !pg_atomic_load(&pg_node(c->st, node)->evacuate_awake))
		return false;
	n = pg_node(c->st, node);
	if (n->evacuate_pages) {
		pg_unisolate_range(c, n->evacuate_start, n->evacuate_start + n->evacuate_pages);
		n->evacuate_pages = 0;
	}
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

/* Is there a block for it, without further rights? */
static bool is_served(struct pg_call *c, struct pg_zone *z, const struct pg_plan *plan)
{
	const struct pg_take take = { .order = plan->order, .type = plan->type,
				      .flags = pg_plan_slow_flags(c->st, plan), .direct = true };
	bool served;

	pg_zone_lock(c, z, PAGUS_REASON_CONTIG);
	served = pg_place_look(c, z, &take) != PG_NONE;
	pg_zone_unlock(c, z);
	return served;
}

/* The cheapest pageblocks of tainted superpageblocks, one after the other: has anything moved? */
static bool empty_some(struct pg_call *c, struct pg_zone *z, const struct pg_plan *plan,
		       const struct choice *of)
{
	uint64_t moved = 0;
	bool enough = false;

	for (uint32_t nr = 0; nr < MOST_BLOCKS && !enough; nr++) {
		struct best best = { NULL, 0 };

		for (uint32_t n = 0; n < z->nr_spbs; n++)
			if (pg_spb_is(pg_spb(c->st, z, n), PG_SPB_TAINTED))
				find_cheapest(c->st, z, pg_spb(c->st, z, n), of, &best);
		if (!best.m)
			break;
		if (empty_block(c, z, best.m, &how_to_move))
			moved += best.pages;
		enough = moved >= BATCH_PAGES && is_served(c, z, plan);
	}
	return moved;
}

/*
 * In this order: what comes together where the request looks first, what makes whole pageblocks, all.
 */
bool pg_evacuate_for(struct pg_call *c, const struct pg_plan *plan)
{
	const struct choice choices[] = {
		{ 0, plan->type }, { PG_HOLDS_KERNEL, PAGUS_MOVABLE }, { 0, PAGUS_NR_MIGRATETYPES },
	};
	bool moved = false, served = false;

	for (uint32_t n = 1; n <= plan->zonelist[0] && !served; n++) {
		struct pg_zone *z = pg_zone(c->st, plan->zonelist[n]);

		if (!serves(c, z->node) || !z->nr_spbs || !pg_plan_allows(c->st, plan, n))
			continue;
		for (uint32_t k = 0; k < sizeof(choices) / sizeof(choices[0]) && !served; k++) {
			moved |= empty_some(c, z, plan, &choices[k]);
			served = is_served(c, z, plan);
		}
	}
	return moved;
}
