/* SPDX-License-Identifier: MIT */
/*
 * The refill of a pcp whose pages are in maps. It comes to own pageblocks, whole or with what the
 * zone has free of them; only where it may own none does it take a single block.
 */
#include "pcp/pageblock.h"

#include "base/bits.h"
#include "pcp/keep.h"
#include "pcp/maps.h"
#include "zone/superpageblock.h"
#include "zone/remote.h"

#define MAX_ADOPTS 16 /* pageblocks, in a refill */

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

static uint32_t type_of(const struct pagus_state *st, const struct pg_map *m)
{
	return pg_block_type(st, pg_map_start(st, m));
}

/* The pageblock with what is free of it, which the zone has let go, is the pcp's. */
static void own(struct pg_call *c, struct pg_pcp *pcp, struct pg_map *m)
{
	pg_remote_set_owner(c->st, m, pcp->cpu + 1);
	pg_spb_changed(c, pg_zone(c->st, pcp->zone), pg_map_start(c->st, m), 0);
	pg_write(pcp->count, pcp->count + m->nr_free);
	pg_keep_update(c->st, pcp, m);
	pg_count(c, PAGUS_COUNTER_pageblock_own, 1);
}

static void own_whole(struct pg_refill *r, uint32_t i)
{
	pg_map_set_free(r->c->st, i, r->c->st->pageblock_order);
	own(r->c, r->pcp, pg_map(r->c->st, i));
	pg_phase_got(r, r->c->st->pageblock_order);
}

/*
 * May the pcp keep so many more pages? Not above its largest limit, its share of the zone; with a
 * pageblock more where that has room for one, and the zone is not short of pages.
 */
static bool may_keep(const struct pg_refill *r, uint32_t pages)
{
	uint32_t limit = (uint32_t)pg_max(r->pcp->high_max, UINT64_C(4) * r->pcp->batch);

	/* The zone's pcps are off. */
	if (r->pcp->high_max == 0)
		return false;
	if (limit >= block_pages(r->c->st) && !pg_zone_has(r->z, PG_ZONE_BELOW_HIGH))
		limit += block_pages(r->c->st);
	return r->pcp->count + pages <= limit;
}

/* The free blocks of a pageblock in the zone, which is of `type`, with the pageblock. */
static bool adopt_block(struct pg_refill *r, struct pg_map *m, uint32_t type)
{
	struct pagus_state *st = r->c->st;
	uint32_t pages;

	if (pg_map_owner(m) || m->nr_free == 0 || m->nr_free == block_pages(st) ||
	    type_of(st, m) != type || pg_map_zone(m) != r->z->id || !may_keep(r, m->nr_free))
		return false;
	pages = pg_bitmap_remove_all(st, r->z, m);
	pg_account(r->c, r->z, -(int64_t)pages, type);
	pg_count(r->c, PAGUS_COUNTER_zone_take, 1);
	own(r->c, r->pcp, m);
	r->got += pages;
	r->fits |= type == r->t->type && pg_map_find(st, m, r->t->order) != UINT32_MAX;
	return true;
}

/* Those that the CPU has owned before, the last one first. */
static void recover(struct pg_refill *r)
{
	struct pagus_state *st = r->c->st;
	struct pg_keep *keep = pg_keep(st, r->pcp);
	uint32_t before = r->got;

	for (uint32_t n = 0; n < PG_KEEP_GIVEN && !pg_phase_done(r); n++) {
		uint32_t slot = (keep->turn + PG_KEEP_GIVEN - 1 - n) % PG_KEEP_GIVEN;
		struct pg_map *m = keep->given[slot] ? pg_map_at(st, keep->given[slot] - 1) : NULL;

		if (m && m->home == r->pcp->cpu + 1 &&
		    pg_steer_may_own(st, r->z, pg_map_start(st, m), r->t->type) &&
		    adopt_block(r, m, r->t->type))
			keep->given[slot] = 0;
	}
	pg_count(r->c, PAGUS_COUNTER_pcp_recover_pages, r->got - before);
}

/* Pageblocks of the own type with free blocks, the smallest that serve first. */
static void adopt(struct pg_refill *r)
{
	struct pagus_state *st = r->c->st;
	uint32_t order = r->t->order, adopted = 0, row = 0;
	bool more = true;

	while (order < st->pageblock_order && more && adopted < MAX_ADOPTS && !pg_phase_done(r)) {
		uint32_t i = pg_place_own_first(r->c, r->z, r->t, row, order, &more);

		if (i != PG_NONE && adopt_block(r, pg_map(st, i), r->t->type)) {
			adopted++;
		} else if (++order == st->pageblock_order) {
			order = r->t->order;
			row++;
		}
	}
}

static void claim(struct pg_refill *r)
{
	uint32_t i;

	while ((!r->fits || pg_phase_half_block_left(r)) && may_keep(r, block_pages(r->c->st))) {
		i = pg_phase_take_whole(r);
		if (i == PG_NONE)
			return;
		own_whole(r, i);
	}
}

/* One at a time: what is converted is lost to its migratetype. CMA is not asked here. */
static void convert(struct pg_refill *r)
{
	uint32_t i = pg_phase_convert(r);

	if (i != PG_NONE)
		own_whole(r, i);
}

static void classic(struct pg_refill *r)
{
	struct pagus_state *st = r->c->st;
	uint32_t i = PG_NONE, type = r->t->type;
	struct pg_keep *keep = pg_keep(st, r->pcp);

	/* For what the pcp can serve no other pageblock is broken up, nor a migratetype mixed in. */
	if (!r->fits)
		i = pg_place_take(r->c, r->z, r->t);
	if (i == PG_NONE)
		return;
	pg_map_grant(st, i, r->t->order, type);
	r->single = i;
	pg_phase_got(r, r->t->order);
	/* A block that was stolen is not the last of its batch; but much is not taken from one. */
	if (pg_block_type(st, i) == type || !pg_type_mergeable(pg_block_type(st, i)) ||
	    pg_map(st, i)->nr_free > 4 * r->pcp->batch ||
	    !adopt_block(r, pg_map(st, i), pg_block_type(st, i)))
		return;
	keep->stolen[type] = pg_block(st, i) + 1;
	keep->stolen_left[type] = r->pcp->batch;
}

static void absorb(struct pg_refill *r)
{
	pg_remote_absorb_zone(r->c, r->z);
}

static const struct pg_phase phases[] = {
	{ "absorb", 0, absorb, "what was freed to the zone without its lock" },
	{ "recover", PG_PHASE_NOT_CMA, recover, "pageblocks that the CPU has owned before" },
	{ "adopt", PG_PHASE_NOT_CMA, adopt, "pageblocks of the own type that are free in part" },
	{ "claim", PG_PHASE_OWNING | PG_PHASE_NOT_CMA, claim,
	  "whole pageblocks of the own type" },
	{ "convert", PG_PHASE_OWNING | PG_PHASE_NOTHING | PG_PHASE_NOT_CMA, convert,
	  "a whole pageblock of another type, where the own type has nothing" },
	{ "classic", 0, classic, "the block itself, as the placement serves any request" },
};

uint32_t pg_maps_refill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t)
{
	struct pg_refill r = { .c = c, .z = z, .pcp = pcp, .t = t, .phases = phases,
			       .nr_phases = sizeof(phases) / sizeof(phases[0]) };

	pg_phase_run(&r);
	/* What the pcp has now it serves without asking for marks: if kswapd is due, it is so now. */
	if (r.got && !pg_watermark_ok(c->st, z, 0, pg_mark(z, PAGUS_WMARK_LOW), z->type, 0))
		pg_zone_set(z, PG_ZONE_BOOSTED);
	return r.single;
}
