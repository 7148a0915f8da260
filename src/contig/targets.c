/* SPDX-License-Identifier: MIT */
/*
 * The free scanner: pageblocks from the zone's end down, each from its first page up. What is free
 * there is taken whole. A hold of the zone's lock looks at no more than a cluster of pages.
 */
#include "contig/compact.h"

#include "base/bits.h"
#include "contig/take.h"
#include "pcp/pcp.h"
#include "zone/owner.h"
#include "zone/remote.h"

#define ROOM (PG_TARGETS - 16)

/* ---- the blocks that are taken --------------------------------------------------------------- */

static void add(struct pg_targets *t, uint32_t i, uint32_t order)
{
	PG_ASSERT(t->nr < PG_TARGETS);
	t->block[t->nr].i = i;
	t->block[t->nr].order = order;
	t->nr++;
	t->pages += 1u << order;
}

static uint32_t drop(struct pg_targets *t, uint32_t n)
{
	uint32_t i = t->block[n].i;

	t->pages -= 1u << t->block[n].order;
	t->block[n] = t->block[--t->nr];
	return i;
}

static uint32_t count(const struct pg_targets *t, uint32_t order)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < t->nr; n++)
		nr += t->block[n].order == order;
	return nr;
}

/* The smallest that is large enough, and not set aside for others; PG_TARGETS: there is none. */
static uint32_t find(const struct pg_targets *t, uint32_t order)
{
	uint32_t best = PG_TARGETS;

	for (uint32_t n = 0; n < t->nr; n++) {
		uint32_t o = t->block[n].order;

		if (o < order || (best < PG_TARGETS && o >= t->block[best].order))
			continue;
		if (count(t, o) > t->aside[o])
			best = n;
	}
	return best;
}

static uint32_t cut(struct pg_call *c, struct pg_compact *k, uint32_t n, uint32_t order)
{
	uint32_t from = k->targets.block[n].order, i = drop(&k->targets, n);

	for (; from > order; from--) {
		pg_take_cut(c, i, from, from - 1);
		add(&k->targets, i + (1u << (from - 1)), from - 1);
	}
	return i;
}

/* ---- the scanner ----------------------------------------------------------------------------- */

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

/* A block as large as that is not to be broken up. */
static uint32_t whole_order(const struct pagus_state *st, const struct pg_compact *k)
{
	return k->order < st->pageblock_order ? k->order : st->pageblock_order;
}

static bool is_suitable(const struct pagus_state *st, const struct pg_compact *k, uint32_t start)
{
	const struct pg_view first = pg_view(st, start);
	uint32_t type = pg_block_type(st, start);

	if (first.kind == PAGUS_PAGE_FREE && first.order >= whole_order(st, k))
		return false;
	return k->ignore_types ? type != PAGUS_ISOLATE :
	       type == PAGUS_MOVABLE || type == PAGUS_CMA;
}

/*
 * What a CPU has of the pageblock becomes the zone's, unless it has all or nothing. Its count is
 * its pcp's to write, and this only a hint.
 */
static uint32_t owned_free(const struct pagus_state *st, uint32_t start)
{
	return pg_mapped(st) ? pg_read(pg_map(st, start)->nr_free) :
			       pg_read(pg_own(st, pg_own_record(st, start))->nr_free);
}

static void claim(struct pg_call *c, uint32_t start)
{
	uint32_t free;

	if (!pg_owner(c->st, start))
		return;
	free = owned_free(c->st, start);
	if (free > 0 && free < block_pages(c->st))
		pg_pcps[c->st->pcp_policy]->release(c, start);
}

static void lock_zone(struct pg_call *c, struct pg_compact *k)
{
	const bool locked = k->mode == PAGUS_MIGRATE_ASYNC &&
			    pg_zone_trylock(c, k->z, PAGUS_REASON_COMPACT);

	k->contended |= !locked && k->mode == PAGUS_MIGRATE_ASYNC;
	if (!locked)
		pg_zone_lock(c, k->z, PAGUS_REASON_COMPACT);
	if (pg_mapped(c->st))
		pg_remote_absorb_zone(c, k->z);
}

/* Is there as much room as there is to move, and something new? */
static bool is_enough(const struct pg_compact *k)
{
	return k->targets.pages >= k->targets.wanted || k->targets.nr >= ROOM;
}

static bool looks_free(const struct pagus_state *st, const struct pg_compact *k, uint32_t i)
{
	const struct pg_view look = pg_view(st, i);

	return look.kind == PAGUS_PAGE_FREE && look.zone == k->z->id;
}

/* Pages to go on by, from a block in use or a free one. */
static uint32_t extent(const struct pagus_state *st, uint32_t i, uint32_t end)
{
	const struct pg_view look = pg_view(st, i);
	uint32_t pages = look.order <= st->max_order ? 1u << look.order : 1;

	return (uint32_t)pg_min(pages, end - i);
}

/*
 * Take what is free from *at on, to the end of a cluster, in one hold of the lock. False: the zone
 * may not give more.
 */
static bool take_cluster(struct pg_call *c, struct pg_compact *k, uint32_t *at, uint32_t end)
{
	uint32_t stop = (uint32_t)pg_min(end, *at + PG_COMPACT_CLUSTER), i = *at;
	bool given = true;

	lock_zone(c, k);
	while (i < stop && !is_enough(k)) {
		int order;

		if (!looks_free(c->st, k, i)) {
			uint32_t pages = (uint32_t)pg_max(k->stride, extent(c->st, i, end));

			k->stats.free_scanned += pages;
			i += pages;
			continue;
		}
		/* By now it may be isolated, or be kept. */
		if (pg_block_type(c->st, i) == PAGUS_ISOLATE || pg_kept_end(c->st, k->z, i) > i) {
			i = end;
			break;
		}
		order = pg_take_free(c, k->z, i);
		given = order >= 0;
		if (!given)
			break;
		add(&k->targets, i, (uint32_t)order);
		k->stats.free_scanned += 1u << order;
		k->stats.taken += 1u << order;
		i += 1u << order;
	}
	pg_zone_unlock(c, k->z);
	*at = (uint32_t)pg_min(i, end);
	return given;
}

/* Take from one pageblock, from `free` on, which moves on: did it give anything? */
static bool scan_block(struct pg_call *c, struct pg_compact *k, uint32_t end)
{
	uint32_t before = k->targets.pages, from = k->free;

	while (k->free < end && !is_enough(k)) {
		uint32_t pages;

		if (looks_free(c->st, k, k->free)) {
			if (!take_cluster(c, k, &k->free, end))
				break;
			continue;
		}
		pages = (uint32_t)pg_max(k->stride, extent(c->st, k->free, end));
		pages = (uint32_t)pg_min(pages, end - k->free);
		k->stats.free_scanned += pages;
		k->free += pages;
	}
	pg_compact_tell_targets(c, k, PAGUS_EVENT_COMPACT_TARGETS, from, k->free);
	return k->targets.pages > before;
}

static bool is_passed_over(const struct pagus_state *st, const struct pg_compact *k, uint32_t start)
{
	return !pg_block_of_zone(st, k->z, start) || !is_suitable(st, k, start) ||
	       pg_kept_end(st, k->z, start) > start ||
	       (!k->ignore_hints && pg_block_hint(st, start, PG_HINT_SKIP));
}

/* Never into the pageblock of the migration scanner, nor below it. */
static void scan(struct pg_call *c, struct pg_compact *k)
{
	struct pagus_state *st = c->st;
	const uint32_t pages = block_pages(st), low = pg_block_start(st, k->migrate) + pages;
	uint32_t start = pg_block_start(st, k->free);

	while (start >= low) {
		if (!is_passed_over(st, k, start)) {
			claim(c, start);
			k->stride = scan_block(c, k, start + pages) ? 1 :
				    (uint32_t)pg_min(PG_COMPACT_CLUSTER, k->stride * 2);
			if (k->free < start + pages)
				return; /* as much as is wanted, or as may be had */
			pg_hints_freed(st, k, start);
		}
		start -= pages;
		k->free = start;
		if (is_enough(k))
			return;
	}
}

/* ---- by the zone's lists --------------------------------------------------------------------- */

/* Not below the migration scanner's pageblock, or not in what is to be emptied. */
static bool is_elsewhere(const struct pagus_state *st, const struct pg_compact *k, uint32_t i)
{
	if (k->unit == PG_NONE)
		return i >= pg_block_start(st, k->migrate) + block_pages(st);
	return i < k->unit || i >= k->unit + pg_compact_unit(st, k);
}

/*
 * The free block before i on its list, from its tail; where there are no lists, the one that lies
 * behind it.
 */
static uint32_t list_next(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
			  uint32_t order, uint32_t type)
{
	uint32_t prev;

	if (pg_mapped(st))
		return pg_store_next(st, z, i, order, type);
	prev = pg_page(st, i)->prev;
	return prev == pg_store_list(z, order, type) ? PG_NONE : prev;
}

/* What has just been freed is at the heads of lists, and is of what is being emptied. */
static uint32_t list_start(const struct pagus_state *st, const struct pg_compact *k, uint32_t order,
			   uint32_t type)
{
	if (!pg_mapped(st))
		return pg_list_last(pg_pages(st), pg_store_list(k->z, order, type));
	if (k->unit == PG_NONE)
		return pg_bitmap_next(st, k->z, pg_block_start(st, k->migrate) + block_pages(st) -
				      (1u << order), order, type);
	return pg_store_first(st, k->z, order, type);
}

/* Pages of free blocks on a list that lie elsewhere: up to `wanted` of them are counted. */
static uint32_t room_on(const struct pagus_state *st, const struct pg_compact *k, uint32_t order,
			uint32_t type, uint32_t wanted)
{
	uint32_t i = list_start(st, k, order, type), room = 0;

	while (i != PG_NONE && room < wanted) {
		uint32_t behind = pg_kept_end(st, k->z, i);

		if (behind > i) {
			i = pg_bitmap_from(st, k->z, pg_block(st, behind), order, type);
			continue;
		}
		room += is_elsewhere(st, k, i) ? 1u << order : 0;
		i = list_next(st, k->z, i, order, type);
	}
	return room;
}

/* Goes by no more blocks than a unit has pages, besides those in it: larger ones come first. */
bool pg_targets_room(struct pg_call *c, struct pg_compact *k, uint32_t pages)
{
	uint32_t room = k->targets.pages;

	lock_zone(c, k);
	for (uint32_t o = whole_order(c->st, k); o-- > 0 && room < pages;) {
		if (pg_read(k->z->nr_free[o]) == 0)
			continue;
		room += room_on(c->st, k, o, pg_effective_type(c->st, PAGUS_MOVABLE), pages - room);
		if (room < pages)
			room += room_on(c->st, k, o, PAGUS_CMA, pages - room);
	}
	pg_zone_unlock(c, k->z);
	return room >= pages;
}

/* What is taken in one hold of the lock: so many blocks yet, and between which pages they lie. */
struct taking {
	uint32_t left, low, high;
};

/*
 * So many blocks of a list that may not be taken are looked at in vain, at most. Those of the unit
 * itself are no more than its pages, over all lists together.
 */
static uint32_t most_in_vain(const struct pagus_state *st, const struct pg_compact *k)
{
	return k->unit == PG_NONE ? PG_COMPACT_CLUSTER : pg_compact_unit(st, k);
}

static bool take_block(struct pg_call *c, struct pg_compact *k, uint32_t i, struct taking *t)
{
	int taken = pg_take_free(c, k->z, i);

	if (taken < 0)
		return false;
	t->left--;
	t->low = t->low == PG_NONE ? i : (uint32_t)pg_min(t->low, i);
	t->high = (uint32_t)pg_max(t->high, i + (1u << taken));
	add(&k->targets, i, (uint32_t)taken);
	k->stats.taken += 1u << taken;
	return true;
}

/* False: nothing more is to be taken. */
static bool take_from_list(struct pg_call *c, struct pg_compact *k, uint32_t order, uint32_t type,
			   struct taking *t)
{
	uint32_t i = list_start(c->st, k, order, type), vain = most_in_vain(c->st, k);

	while (i != PG_NONE && vain > 0) {
		const uint32_t behind = pg_kept_end(c->st, k->z, i), at = i;

		if (t->left == 0 || is_enough(k))
			return false;
		i = behind > at ? pg_bitmap_from(c->st, k->z, pg_block(c->st, behind), order, type) :
				  list_next(c->st, k->z, at, order, type);
		if (behind > at || !is_elsewhere(c->st, k, at))
			vain--;
		else if (!take_block(c, k, at, t))
			return false;
	}
	return true;
}

/*
 * The scanner takes what comes, which need not be as large as a block that is to be moved. Such are
 * found by the zone's lists, the smallest that are large enough; by choice, all are.
 * (fast_isolate_freepages)
 */
static void take_listed(struct pg_call *c, struct pg_compact *k, uint32_t order)
{
	const uint32_t movable = pg_effective_type(c->st, PAGUS_MOVABLE);
	struct taking t = { .left = PG_COMPACT_CLUSTER, .low = PG_NONE };
	bool more = true;

	lock_zone(c, k);
	for (uint32_t o = order; o < whole_order(c->st, k) && more; o++)
		more = pg_read(k->z->nr_free[o]) == 0 ||
		       (take_from_list(c, k, o, movable, &t) &&
			take_from_list(c, k, o, PAGUS_CMA, &t));
	pg_zone_unlock(c, k->z);
	if (t.high > 0)
		pg_compact_tell_targets(c, k, PAGUS_EVENT_COMPACT_LISTED, t.low, t.high);
}

/* ---- for the migration ----------------------------------------------------------------------- */

/* As much as is to be moved in this batch, and more than there is. */
static void want(struct pg_compact *k, uint32_t order)
{
	k->targets.wanted = (uint32_t)pg_max(k->m.nr_pages,
					     k->targets.pages + (UINT64_C(1) << order));
}

/* One that fits, from here or from the zone; PG_TARGETS. What a cut leaves needs a place each. */
static uint32_t obtain(struct pg_call *c, struct pg_compact *k, uint32_t order)
{
	uint32_t n = find(&k->targets, order);

	if (n == PG_TARGETS && k->unit == PG_NONE) {
		want(k, order);
		scan(c, k);
		n = find(&k->targets, order);
	}
	if (n == PG_TARGETS && (order > 0 || k->unit != PG_NONE)) {
		want(k, order);
		take_listed(c, k, order);
		n = find(&k->targets, order);
	}
	if (n < PG_TARGETS && k->targets.nr + k->targets.block[n].order > PG_TARGETS + order)
		return PG_TARGETS;
	return n;
}

uint32_t pg_targets_get(struct pg_call *c, struct pg_migration *m, uint32_t from, uint32_t order)
{
	struct pg_compact *k = m->own;
	uint32_t n;

	(void)from;
	k->targets.aside[order] -= k->targets.aside[order] > 0;
	n = obtain(c, k, order);
	if (n == PG_TARGETS)
		return order > 0 ? PG_MIGRATE_NO_FIT : PG_NONE;
	return cut(c, k, n, order);
}

bool pg_targets_set_aside(struct pg_call *c, struct pg_compact *k, uint32_t order, uint32_t nr)
{
	for (uint32_t have = count(&k->targets, order); have < nr && k->targets.nr < ROOM; have++) {
		uint32_t n, i;

		k->targets.aside[order] = (uint16_t)have;
		n = obtain(c, k, order);
		if (n == PG_TARGETS)
			return false;
		i = cut(c, k, n, order);
		add(&k->targets, i, order);
	}
	k->targets.aside[order] = (uint16_t)pg_min(nr, count(&k->targets, order));
	return true;
}

void pg_targets_put(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	struct pg_compact *k = m->own;

	if (k->targets.nr < PG_TARGETS) {
		add(&k->targets, i, order);
		return;
	}
	pg_zone_lock(c, k->z, PAGUS_REASON_COMPACT);
	pg_take_return(c, k->z, i, order);
	pg_zone_unlock(c, k->z);
}

uint32_t pg_targets_release(struct pg_call *c, struct pg_compact *k)
{
	uint32_t highest = PG_NONE;

	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++)
		k->targets.aside[order] = 0;
	while (k->targets.nr > 0) {
		pg_zone_lock(c, k->z, PAGUS_REASON_COMPACT);
		for (uint32_t n = 0; n < PG_COMPACT_CLUSTER && k->targets.nr > 0; n++) {
			uint32_t order = k->targets.block[k->targets.nr - 1].order;
			uint32_t i = drop(&k->targets, k->targets.nr - 1);

			highest = (uint32_t)pg_max(highest, i);
			pg_take_return(c, k->z, i, order);
		}
		pg_zone_unlock(c, k->z);
	}
	return highest;
}
