/* SPDX-License-Identifier: MIT */
/*
 * The pcp buddy allocator over the bitmap store. A CPU owns pageblocks, as in pageblock.c, but
 * keeps no lists of what is free in them: their maps say so. Only who owns a pageblock caches its
 * pages; what is free of one without owner is the zone's.
 *
 *     alloc:  the first pageblock of the queue that has such a block -> refill
 *     free:   the map, if the CPU owns the pageblock and has its own lock; else a bit in the
 *             `remote` map (zone/remote.h), which the owner, or the zone, takes in later
 *
 * A free takes no lock but that of its own CPU's pcp, and of that one only if it is free. What
 * waits to be taken in is bounded: after some pageblocks on a pcp's stack, or some pages for the
 * zone, the freeing CPU takes them in itself, if it gets the lock at once.
 */
#include "pcp/pageblock.h"

#include "base/bits.h"
#include "pcp/keep.h"
#include "pcp/maps.h"
#include "zone/remote.h"
#include "zone/superpageblock.h"

#define MAX_LOOKS   16 /* at pageblocks of a queue, for one request */
#define MAX_WAITING 4  /* pageblocks on a pcp's stack before others look after it */

/* ---- allocation ------------------------------------------------------------------------------ */

/* A block of the pageblock; PG_NONE if it has none so large. */
static uint32_t take_of(struct pagus_state *st, struct pg_pcp *pcp, struct pg_map *m,
			const struct pg_take *t)
{
	uint32_t bit = UINT32_MAX;

	if (m->nr_free >= 1u << t->order)
		bit = pg_map_find(st, m, t->order);
	if (bit == UINT32_MAX)
		return PG_NONE;
	pg_map_hand_out(st, pg_map_start(st, m) + bit, t->order, t->type);
	pg_write(pcp->count, pcp->count - (1u << t->order));
	pg_keep_update(st, pcp, m);
	return pg_map_start(st, m) + bit;
}

static uint32_t take_from(struct pagus_state *st, struct pg_pcp *pcp, uint32_t queue,
			  const struct pg_take *t)
{
	struct pg_map *m = pg_keep_first(st, pcp, queue);
	uint32_t i = PG_NONE;

	for (uint32_t n = 0; m && n < MAX_LOOKS && i == PG_NONE; n++) {
		struct pg_map *next = pg_keep_next(st, m);

		i = take_of(st, pcp, m, t);
		m = next;
	}
	return i;
}

/* What a steal leads to is one batch at most, as much as a list would have been filled with. */
static uint32_t take_stolen(struct pagus_state *st, struct pg_pcp *pcp, const struct pg_take *t)
{
	struct pg_keep *keep = pg_keep(st, pcp);
	struct pg_map *m;

	if (keep->stolen_left[t->type] == 0)
		return PG_NONE;
	keep->stolen_left[t->type]--;
	m = pg_map_at(st, keep->stolen[t->type] - 1);
	if (pg_map_owner(m) != pcp->cpu + 1)
		return PG_NONE;
	return take_of(st, pcp, m, t);
}

static uint32_t take_kept(struct pagus_state *st, struct pg_pcp *pcp, const struct pg_take *t)
{
	uint32_t i = PG_NONE;

	if (t->order < st->pageblock_order)
		i = take_from(st, pcp, t->type, t);
	return i != PG_NONE ? i : take_from(st, pcp, t->type + PG_KEEP_WHOLE, t);
}

void pg_maps_grown(struct pagus_state *st, struct pg_pcp *pcp, struct pg_map *m, uint32_t pages)
{
	pg_write(pcp->count, pcp->count + pages);
	pg_keep_update(st, pcp, m);
}

static uint32_t refill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t)
{
	uint32_t single = pg_maps_refill(c, z, pcp, t);

	return single != PG_NONE ? single : take_kept(c->st, pcp, t);
}

static uint32_t take(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t,
		     bool *hit)
{
	uint32_t i;

	do {
		t->resume = 0;
		i = take_kept(c->st, pcp, t);
		*hit = i != PG_NONE;
		if (pg_unlikely(i == PG_NONE)) {
			pg_count(c, PAGUS_COUNTER_pcp_alloc_miss, 1);
			pg_maps_gather(c, pcp);
			i = take_kept(c->st, pcp, t);
			if (i == PG_NONE)
				i = take_stolen(c->st, pcp, t);
			*hit = i != PG_NONE;
		}
		if (pg_unlikely(i == PG_NONE))
			i = refill(c, z, pcp, t);
	} while (i != PG_NONE && pg_suspect_withheld(c, i, t->order, pcp));
	return i;
}

/* ---- free ------------------------------------------------------------------------------------ */

/*
 * So many pages that this CPU has freed without a lock may wait, at most. They are counted where only
 * its own threads count.
 */
static bool waits_too_much(struct pg_call *c, const struct pg_zone *z, uint32_t pages)
{
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	uint32_t *deferred = &pg_keep(c->st, pcp)->deferred;

	uint32_t most = (uint32_t)pg_max(pg_maps_limit(z, pcp), pg_read(pcp->batch));

	/* All at once they cost less, and what waits is not missed where there is enough. */
	if (!pg_maps_short(z))
		most = (uint32_t)pg_max(most, pg_read(pcp->high_max));
	if (pg_atomic_add(deferred, pages) + pages < most)
		return false;
	pg_atomic_store(deferred, 0);
	return true;
}

/* Who frees to a pcp that nobody looks after does so, if the lock is free. */
static void look_after(struct pg_call *c, struct pg_zone *z, uint32_t owner, uint32_t pages,
		       bool put)
{
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, owner - 1);
	bool now = false;

	if (pg_maps_short(z))
		now = waits_too_much(c, z, pages);
	if (put)
		now |= pg_atomic_add(&pg_keep(c->st, pcp)->waiting, 1) + 1 >= MAX_WAITING;
	if (!now || !pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE))
		return;
	pg_maps_gather(c, pcp);
	pg_maps_drain_over(c, z, pcp, 0, false);
	pg_pcp_unlock(c, pcp);
}

static void look_after_zone(struct pg_call *c, struct pg_zone *z, uint32_t pages)
{
	if (!waits_too_much(c, z, pages) || !pg_zone_trylock(c, z, PAGUS_REASON_FREE_DIRECT))
		return;
	pg_remote_absorb_zone(c, z);
	pg_zone_unlock(c, z);
	pg_pcp_settle(c->st, z);
}

/* So many frees without a lock, to who owns the pageblock now. Returns that. */
static uint32_t count_remote(const struct pg_call *c, uint32_t i, uint32_t blocks)
{
	uint32_t owner = pg_map_owner(pg_map(c->st, i));

	if (owner) {
		pg_count(c, PAGUS_COUNTER_pcp_free, blocks);
		pg_count(c, PAGUS_COUNTER_pcp_free_remote, blocks);
	} else {
		pg_count(c, PAGUS_COUNTER_free_deferred, blocks);
	}
	return owner;
}

void pg_maps_look_after(struct pg_call *c, uint32_t i, uint32_t blocks, uint32_t pages, bool put)
{
	struct pg_zone *z = pg_zone_of(c->st, i);
	uint32_t owner = count_remote(c, i, blocks);

	if (owner)
		look_after(c, z, owner, pages, put);
	else
		look_after_zone(c, z, pages);
}

static bool free_local(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
		       bool may_drain)
{
	struct pagus_state *st = c->st;
	struct pg_map *m = pg_map(st, i);
	struct pg_pcp *pcp = pg_pcp(st, z->id, c->cpu);

	if (pg_map_owner(m) != c->cpu + 1 || !pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE))
		return false;
	/* Disowned before the lock was there. */
	if (pg_map_owner(m) != c->cpu + 1) {
		pg_pcp_unlock(c, pcp);
		return false;
	}
	pg_map_set_free(st, i, order);
	pg_maps_grown(st, pcp, m, 1u << order);
	pg_count(c, PAGUS_COUNTER_pcp_free, 1);
	if (may_drain)
		pg_maps_drain_over(c, z, pcp, order, true);
	else
		pg_pcp_tuned_over(st, z, pcp, order, false);
	pg_pcp_unlock(c, pcp);
	return true;
}

static bool free_mapped(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type,
			bool may_drain)
{
	bool put;

	(void)type;
	if (order > c->st->pageblock_order)
		return false;
	if (free_local(c, pg_zone_of(c->st, i), i, order, may_drain))
		return true;
	pg_remote_free(c->st, i, order, &put);
	if (may_drain)
		pg_maps_look_after(c, i, 1, 1u << order, put);
	else
		count_remote(c, i, 1);
	return true;
}

void pg_maps_defer(struct pg_call *c, uint32_t i, uint32_t order)
{
	uint32_t piece = (uint32_t)pg_min(order, c->st->pageblock_order);
	const uint32_t type = pg_view(c->st, i).type;
	bool put;

	/* Each pageblock waits by itself, and says until it is free what it holds. */
	for (uint32_t n = 1; n < 1u << (order - piece); n++)
		if (pg_view(c->st, i + (n << piece)).kind == PAGUS_PAGE_TAIL)
			pg_map_cut(c->st, i + (n << piece), type);
	for (uint32_t n = 0; n < 1u << (order - piece); n++)
		pg_remote_free(c->st, i + (n << piece), piece, &put);
}

/* ---- blocks in use --------------------------------------------------------------------------- */

uint32_t pg_maps_lock(struct pg_call *c, struct pg_zone *z, uint32_t i)
{
	const struct pg_map *m = pg_map(c->st, i);

	for (;;) {
		uint32_t owner = pg_map_owner(m);

		if (owner)
			pg_pcp_lock(c, pg_pcp(c->st, z->id, owner - 1), PAGUS_REASON_PCP_FREE);
		else
			pg_zone_lock(c, z, PAGUS_REASON_FREE_DIRECT);
		/* Each turn in vain is a change of owner. */
		if (pg_map_owner(m) == owner)
			return owner;
		pg_maps_unlock(c, z, owner);
	}
}

void pg_maps_unlock(struct pg_call *c, struct pg_zone *z, uint32_t owner)
{
	if (owner)
		pg_pcp_unlock(c, pg_pcp(c->st, z->id, owner - 1));
	else
		pg_zone_unlock(c, z);
}

void pg_maps_split(struct pg_call *c, uint32_t i, uint32_t order, uint32_t to)
{
	struct pg_zone *z = pg_zone_of(c->st, i);
	struct pg_view look = pg_view(c->st, i);
	uint32_t owner;

	if (look.kind == PAGUS_PAGE_INHERITED)
		return; /* each page is by itself already */
	owner = pg_maps_lock(c, z, i);
	for (uint32_t k = 0; k < 1u << (order - to); k++)
		pg_map_grant(c->st, i + (k << to), to, look.type);
	pg_maps_unlock(c, z, owner);
}

void pg_maps_set_type(struct pg_call *c, uint32_t i, uint32_t type)
{
	struct pg_zone *z = pg_zone_of(c->st, i);
	uint32_t owner = pg_maps_lock(c, z, i);

	pg_map_grant(c->st, i, 0, type);
	/* Of one that is owned, what its owner may do with it does not say this. */
	if (owner)
		pg_zone_lock(c, z, PAGUS_REASON_FREE_DIRECT);
	pg_spb_changed(c, z, i, 0);
	if (owner)
		pg_zone_unlock(c, z);
	pg_maps_unlock(c, z, owner);
}

const struct pg_pcp_ops pg_pcp_bitmap = {
	.name = "bitmap", .about = "CPUs own pageblocks, and take pages from their maps",
	.cached = true, .all_orders = true, .maps = true, .refill_blocks = pg_pcp_tuned_blocks,
	.over = pg_pcp_tuned_over, .take = take, .free = free_mapped, .drain = pg_maps_drain,
	.gather = pg_maps_gather, .tick = pg_maps_tick, .retire = pg_maps_retire,
	.release = pg_maps_release,
};
