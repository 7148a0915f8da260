/* SPDX-License-Identifier: MIT */
/*
 * The pcp buddy allocator over the bitmap store. A CPU owns whole pageblocks, as in pageblock.c, but
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
#include <pagus/loan.h>

#include "pcp/pageblock.h"

#include "base/bits.h"
#include "pcp/keep.h"
#include "pcp/loan.h"
#include "pcp/maps.h"
#include "zone/remote.h"

#define MAX_LOOKS   16 /* at pageblocks of a queue, for one request */
#define MAX_WAITING 4  /* pageblocks on a pcp's stack before others look after it */
#define MAX_ADOPTS  16 /* pageblocks, in a refill */
#define MAX_HOLD    64 /* pageblocks handed over in one hold of the zone's lock */

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

static uint32_t type_of(const struct pagus_state *st, const struct pg_map *m)
{
	return pg_block_type(st, pg_map_start(st, m));
}

/* ---- ownership ------------------------------------------------------------------------------- */

/* The pageblock with what is free of it, which the zone has let go, is the pcp's. */
static void own(struct pg_call *c, struct pg_pcp *pcp, struct pg_map *m)
{
	pg_remote_set_owner(c->st, m, pcp->cpu + 1);
	pcp->count += m->nr_free;
	pg_keep_update(c->st, pcp, m);
	pg_count(c, PAGUS_COUNTER_pageblock_own, 1);
}

/*
 * The pageblock is the zone's, with what is free of it. Needs the zone's lock too. Returns how many
 * pages that is.
 */
static uint32_t disown(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_map *m)
{
	struct pagus_state *st = c->st;
	uint32_t start = pg_map_start(st, m), type = type_of(st, m), pages;

	pages = m->nr_free;
	pcp->count -= pages;
	pg_keep_remove(st, pcp, m);
	m->home = (uint16_t)(pcp->cpu + 1);
	pg_count(c, PAGUS_COUNTER_pageblock_disown, 1);
	if (pages == block_pages(st)) {
		pg_map_take(st, start, st->pageblock_order);
		pg_remote_set_owner(st, m, 0);
		pg_buddy_free(c, z, start, st->pageblock_order, PG_HEAD);
	} else {
		pg_remote_set_owner(st, m, 0);
		pg_account(c, z, pg_bitmap_add_all(st, z, m, type), type);
	}
	return pages;
}

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
	pg_map_grant(st, pg_map_start(st, m) + bit, t->order, t->type);
	pcp->count -= 1u << t->order;
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
	if (pg_map_owner(m) != pcp->cpu + 1 || m->queue == PG_MAP_LENT)
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

/* ---- refill ---------------------------------------------------------------------------------- */

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
	    type_of(st, m) != type || m->zone != r->z->id || !may_keep(r, m->nr_free))
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

		if (m && m->home == r->pcp->cpu + 1 && adopt_block(r, m, r->t->type))
			keep->given[slot] = 0;
	}
	pg_count(r->c, PAGUS_COUNTER_pcp_recover_pages, r->got - before);
}

/* Pageblocks of the own type with free blocks, the smallest that serve first. */
static void adopt(struct pg_refill *r)
{
	struct pagus_state *st = r->c->st;
	uint32_t order = r->t->order, adopted = 0;

	while (order < st->pageblock_order && adopted < MAX_ADOPTS && !pg_phase_done(r)) {
		uint32_t i = pg_store_first(st, r->z, order, r->t->type);

		if (i != PG_NONE && adopt_block(r, pg_map(st, i), r->t->type))
			adopted++;
		else
			order++;
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
	uint32_t i = pg_place_take(r->c, r->z, r->t), type = r->t->type;
	struct pg_keep *keep = pg_keep(st, r->pcp);

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

static uint32_t refill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t)
{
	struct pg_refill r = { .c = c, .z = z, .pcp = pcp, .t = t, .phases = phases,
			       .nr_phases = sizeof(phases) / sizeof(phases[0]) };

	pg_phase_run(&r);
	return r.single != PG_NONE ? r.single : take_kept(c->st, pcp, t);
}

/* ---- what waits ------------------------------------------------------------------------------ */

static void grown(struct pagus_state *st, struct pg_pcp *pcp, struct pg_map *m, uint32_t pages)
{
	pcp->count += pages;
	pg_keep_update(st, pcp, m);
}

static void gather(struct pg_call *c, struct pg_pcp *pcp)
{
	pg_loan_end(c, pcp);
	pg_atomic_store(&pg_keep(c->st, pcp)->waiting, 0);
	pg_remote_absorb(c->st, pcp, grown);
}

static void tick(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp)
{
	gather(c, pcp);
	/* Without the lock first: most of the time nothing waits for the zone. */
	if (pg_remote_none(z, pcp))
		return;
	pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
	pg_remote_absorb_zone(c, z);
	pg_zone_unlock(c, z);
}

static uint32_t take(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t,
		     bool *hit)
{
	uint32_t i;

	/* What is lent is in no queue, so that the loan goes on where another pageblock serves. */
	do {
		t->resume = 0;
		i = take_kept(c->st, pcp, t);
		*hit = i != PG_NONE;
		if (pg_unlikely(i == PG_NONE)) {
			pg_count(c, PAGUS_COUNTER_pcp_alloc_miss, 1);
			gather(c, pcp);
			i = take_kept(c->st, pcp, t);
			if (i == PG_NONE)
				i = take_stolen(c->st, pcp, t);
			*hit = i != PG_NONE;
		}
		if (pg_unlikely(i == PG_NONE))
			i = refill(c, z, pcp, t);
	} while (i != PG_NONE && pg_content_leaks(c, i, t->order));
	return i;
}

/* ---- drains ---------------------------------------------------------------------------------- */

/* Of the pageblocks in part free that were used last, the one with the most free pages. */
static struct pg_map *fullest(const struct pagus_state *st, const struct pg_pcp *pcp)
{
	struct pg_map *best = NULL;

	for (uint32_t type = 0; type < PG_PCP_TYPES; type++) {
		struct pg_map *m = pg_keep_last(st, pcp, type);

		for (uint32_t n = 0; m && n < MAX_LOOKS; n++, m = pg_keep_prev(st, m))
			if (!best || m->nr_free > best->nr_free)
				best = m;
	}
	return best;
}

/* Whole ones first; one in part free only if no more of it is free than is to go. */
static struct pg_map *choose(const struct pagus_state *st, const struct pg_pcp *pcp, uint32_t pages)
{
	struct pg_map *m;

	for (uint32_t type = 0; type < PG_PCP_TYPES; type++) {
		m = pg_keep_last(st, pcp, type + PG_KEEP_WHOLE);
		if (m)
			return m;
	}
	m = fullest(st, pcp);
	return m && m->nr_free <= pages ? m : NULL;
}

static void remember(struct pagus_state *st, const struct pg_pcp *pcp, const struct pg_map *m)
{
	struct pg_keep *keep = pg_keep(st, pcp);

	keep->given[keep->turn] = pg_map_block(st, m) + 1;
	keep->turn = (keep->turn + 1) % PG_KEEP_GIVEN;
}

static uint32_t drain(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t pages,
		      enum pagus_lock_reason why)
{
	struct pagus_state *st = c->st;
	struct pg_map *m;
	uint32_t done = 0, nr = 0;

	gather(c, pcp);
	m = choose(st, pcp, pages);
	if (!m)
		return 0;
	pg_zone_lock(c, z, why);
	for (; m && nr < MAX_HOLD; nr++) {
		uint32_t given = m->nr_free;

		if (given < block_pages(st))
			remember(st, pcp, m);
		done += disown(c, z, pcp, m);
		pg_event(c, PAGUS_EVENT_PCPU_DRAIN, pg_map_start(st, m), st->pageblock_order,
			 type_of(st, m), 0, 0);
		m = done < pages ? choose(st, pcp, pages - done) : NULL;
	}
	pg_remote_absorb_zone(c, z);
	pg_zone_unlock(c, z);
	pg_count(c, PAGUS_COUNTER_pcp_drain, 1);
	pg_count(c, PAGUS_COUNTER_pcp_drain_blocks, nr);
	pg_count(c, PAGUS_COUNTER_pcp_drain_pages, done);
	return done;
}

/* Pages that a CPU may keep to itself; few in a zone that is short of them. */
static uint32_t limit(const struct pg_zone *z, const struct pg_pcp *pcp)
{
	uint32_t high = (uint32_t)pg_clamp(pcp->high, pcp->high_min, pcp->high_max);

	if (pg_zone_has(z, PG_ZONE_RECLAIM_ACTIVE | PG_ZONE_BELOW_HIGH))
		return (uint32_t)pg_min(high, UINT64_C(4) * pcp->batch);
	return high;
}

/*
 * Pages cross the zone's lock by pageblocks, so the limit is held to a pageblock: what is above it
 * by less stays.
 */
static void drain_over(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t order,
		       bool owner)
{
	uint32_t high = limit(z, pcp) + block_pages(c->st);
	uint32_t over = owner ? pg_pcp_tuned_over(c->st, z, pcp, order, true) : 1;

	if (over == 0 || pcp->count <= high)
		return;
	while (pcp->count > high)
		if (pg_pcp_drain(c, z, pcp, block_pages(c->st), 0, PAGUS_REASON_OVERFLOW) == 0)
			break;
	pg_pcp_settle(c->st, z);
}

void pg_maps_absorb(struct pg_call *c, struct pg_pcp *pcp, struct pg_map *m)
{
	if (pg_map_owner(m) == pcp->cpu + 1 && pg_map_remote_pages(m))
		grown(c->st, pcp, m, pg_remote_absorb_map(c->st, m));
}

void pg_maps_drain_over(struct pg_call *c, struct pg_pcp *pcp)
{
	drain_over(c, pg_zone(c->st, pcp->zone), pcp, 0, false);
}

/* ---- free ------------------------------------------------------------------------------------ */

/* Who frees to a pcp that nobody looks after does so, if the lock is free. */
static void look_after(struct pg_call *c, struct pg_zone *z, uint32_t owner, uint32_t order)
{
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, owner - 1);

	if (pg_atomic_add(&pg_keep(c->st, pcp)->waiting, 1) + 1 < MAX_WAITING ||
	    !pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE))
		return;
	gather(c, pcp);
	drain_over(c, z, pcp, order, false);
	pg_pcp_unlock(c, pcp);
}

static void look_after_zone(struct pg_call *c, struct pg_zone *z, uint32_t order)
{
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	uint32_t *deferred = &pg_keep(c->st, pcp)->deferred;

	if (pg_atomic_add(deferred, 1u << order) + (1u << order) < pg_max(limit(z, pcp), pcp->batch) ||
	    !pg_zone_trylock(c, z, PAGUS_REASON_FREE_DIRECT))
		return;
	pg_atomic_store(deferred, 0);
	pg_remote_absorb_zone(c, z);
	pg_zone_unlock(c, z);
	pg_pcp_settle(c->st, z);
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
	if (m->queue == PG_MAP_LENT)
		pg_loan_end(c, pcp);
	pg_map_set_free(st, i, order);
	grown(st, pcp, m, 1u << order);
	pg_count(c, PAGUS_COUNTER_pcp_free, 1);
	if (may_drain)
		drain_over(c, z, pcp, order, true);
	else
		pg_pcp_tuned_over(st, z, pcp, order, false);
	pg_pcp_unlock(c, pcp);
	return true;
}

static bool free_mapped(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type, bool may_drain)
{
	struct pg_zone *z = pg_zone_of(c->st, i);
	uint32_t owner;
	bool put;

	(void)type;
	if (order > c->st->pageblock_order)
		return false;
	if (free_local(c, z, i, order, may_drain))
		return true;
	pg_remote_free(c->st, i, order, &put);
	owner = pg_map_owner(pg_map(c->st, i));
	if (owner) {
		pg_count(c, PAGUS_COUNTER_pcp_free, 1);
		pg_count(c, PAGUS_COUNTER_pcp_free_remote, 1);
	} else {
		pg_count(c, PAGUS_COUNTER_free_deferred, 1);
	}
	if (owner && may_drain)
		look_after(c, z, owner, order);
	else if (may_drain)
		look_after_zone(c, z, order);
	return true;
}

/*
 * An owner is looked after when there is something new on his stack; what CPUs free to themselves
 * they find when they need it.
 */
static void look_after_owner(struct pagus *p, const struct pg_map *m, bool put)
{
	uint32_t owner = pg_map_owner(m);
	struct pg_call c;

	if (owner && !put)
		return;
	c = pg_call_begin(p);
	if (!owner)
		look_after_zone(&c, pg_zone(c.st, m->zone), 0);
	else if (owner != c.cpu + 1)
		look_after(&c, pg_zone(c.st, m->zone), owner, 0);
	pg_call_end(&c);
}

enum pagus_status pagus_loan_free(struct pagus *p, pagus_pfn_t pfn)
{
	struct pagus_state *st = p->state;
	uint32_t i = pg_index(st, pfn), bit;
	struct pg_map *m;
	bool put;

	if (!pg_mapped(st))
		return PAGUS_UNSUPPORTED;
	if (i == PG_NONE)
		return PAGUS_BAD_RANGE;
	m = pg_map(st, i);
	bit = pg_map_bit(st, i);
	/* Only what is handed out as a single page is so simple. */
	if (st->content ||
	    !((pg_map_single(m, bit / 64) & ~pg_word_load(&m->free[bit / 64])) >> (bit & 63) & 1))
		return pagus_free_pages(p, pfn, 0);
	if (!pg_remote_free(st, i, 0, &put))
		return PAGUS_DOUBLE_FREE;
	look_after_owner(p, m, put);
	return PAGUS_OK;
}

void pg_maps_defer(struct pg_call *c, uint32_t i, uint32_t order)
{
	uint32_t piece = (uint32_t)pg_min(order, c->st->pageblock_order);
	bool put;

	for (uint32_t n = 0; n < 1u << (order - piece); n++)
		pg_remote_free(c->st, i + (n << piece), piece, &put);
}

/* ---- split ----------------------------------------------------------------------------------- */

/* The lock of the pageblock of page i: CPU + 1 whose pcp's it is, or 0 for the zone's. */
static uint32_t lock_pageblock(struct pg_call *c, struct pg_zone *z, uint32_t i)
{
	const struct pg_map *m = pg_map(c->st, i);

	for (;;) {
		uint32_t owner = pg_map_owner(m);

		if (owner)
			pg_pcp_lock(c, pg_pcp(c->st, z->id, owner - 1), PAGUS_REASON_PCP_FREE);
		else
			pg_zone_lock(c, z, PAGUS_REASON_FREE_DIRECT);
		/* Each turn in vain is a change of owner. */
		if (pg_map_owner(m) == owner) {
			if (m->queue == PG_MAP_LENT)
				pg_loan_end(c, pg_pcp(c->st, z->id, owner - 1));
			return owner;
		}
		if (owner)
			pg_pcp_unlock(c, pg_pcp(c->st, z->id, owner - 1));
		else
			pg_zone_unlock(c, z);
	}
}

void pg_maps_split(struct pg_call *c, uint32_t i, uint32_t order, uint32_t to)
{
	struct pg_zone *z = pg_zone_of(c->st, i);
	struct pg_view look = pg_view(c->st, i);
	uint32_t owner;

	if (look.kind == PAGUS_PAGE_INHERITED)
		return; /* each page is by itself already */
	owner = lock_pageblock(c, z, i);
	for (uint32_t k = 0; k < 1u << (order - to); k++)
		pg_map_grant(c->st, i + (k << to), to, look.type);
	if (owner)
		pg_pcp_unlock(c, pg_pcp(c->st, z->id, owner - 1));
	else
		pg_zone_unlock(c, z);
}

/* ---- the end of ownership -------------------------------------------------------------------- */

static void release(struct pg_call *c, uint32_t i)
{
	struct pagus_state *st = c->st;
	struct pg_map *m = pg_map(st, i);
	uint32_t owner = pg_map_owner(m);
	struct pg_zone *z = pg_zone_of(st, i);
	struct pg_pcp *pcp;

	if (owner == 0)
		return;
	pcp = pg_pcp(st, z->id, owner - 1);
	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
	pg_loan_end(c, pcp);
	pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
	if (pg_map_owner(m) == owner)
		disown(c, z, pcp, m);
	pg_zone_unlock(c, z);
	pg_pcp_unlock(c, pcp);
}

/* Pageblocks without a free page are in no queue, so all of the zone's are looked at. */
static void retire(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp)
{
	struct pagus_state *st = c->st;

	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
	gather(c, pcp);
	pg_pcp_empty(c, z, pcp);
	for (uint32_t from = z->first_block; from < z->end_block; from += MAX_HOLD) {
		pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
		for (uint32_t b = from; b < pg_min(z->end_block, from + MAX_HOLD); b++)
			if (pg_map_at(st, b)->zone == z->id &&
			    pg_map_owner(pg_map_at(st, b)) == pcp->cpu + 1)
				disown(c, z, pcp, pg_map_at(st, b));
		pg_remote_absorb_zone(c, z);
		pg_zone_unlock(c, z);
	}
	pg_pcp_unlock(c, pcp);
}

const struct pg_pcp_ops pg_pcp_bitmap = {
	.name = "bitmap", .about = "CPUs own pageblocks, and take pages from their maps",
	.cached = true, .all_orders = true, .maps = true, .refill_blocks = pg_pcp_tuned_blocks,
	.over = pg_pcp_tuned_over, .take = take, .free = free_mapped, .drain = drain,
	.gather = gather, .tick = tick, .retire = retire, .release = release,
};
