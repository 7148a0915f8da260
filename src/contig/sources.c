/* SPDX-License-Identifier: MIT */
/*
 * The migration scanner: looks at a pageblock page by page and claims blocks in use from their
 * owners. It holds no lock; each claim is certain by itself (migrate.h).
 */
#include "contig/compact.h"

#include "base/bits.h"
#include "pcp/pcp.h"
#include "zone/owner.h"

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

/* ---- one page -------------------------------------------------------------------------------- */

/*
 * The block that page i seems to lie in: *start its first page. What has been freed just before i
 * may have merged with what is free there.
 */
static struct pg_view block_around(const struct pagus_state *st, uint32_t i, uint32_t *start)
{
	struct pg_view look = pg_view(st, i);

	*start = i;
	for (uint32_t order = 1; order <= st->max_order && look.kind == PAGUS_PAGE_TAIL; order++) {
		struct pg_view head = pg_view(st, i & ~((1u << order) - 1));

		if (head.kind == PAGUS_PAGE_TAIL || head.order < order)
			continue;
		*start = i & ~((1u << order) - 1);
		look = head;
	}
	return look;
}

struct pg_glance pg_source_look(const struct pg_call *c, const struct pg_compact *k, uint32_t i,
				uint32_t end)
{
	uint32_t start;
	const struct pg_view look = block_around(c->st, i, &start);
	struct pg_glance g = { .what = PG_SOURCE_STAYS, .order = look.order, .pages = 1 };

	/* An order that is read while it changes may be anything. */
	if (look.order <= c->st->max_order)
		g.pages = (uint32_t)pg_min(start + (1u << look.order) - i, end - i);
	if (look.kind == PAGUS_PAGE_FREE) {
		g.what = PG_SOURCE_FREE;
	} else if (pg_kind_cached(look.kind) || look.kind == PAGUS_PAGE_DEFERRED) {
		g.what = PG_SOURCE_CACHED;
	} else if (look.kind == PAGUS_PAGE_ALLOCATED && start == i &&
		   look.order < c->st->pageblock_order && look.order < k->order &&
		   pg_migrate_hint(c, &k->m, i, look.order)) {
		g.what = PG_SOURCE_MOVABLE;
	}
	return g;
}

/* ---- pageblocks ------------------------------------------------------------------------------ */

/* Is the page part of a block in use that is as large as the pageblock? */
static bool is_one_block(const struct pagus_state *st, uint32_t start)
{
	for (uint32_t order = st->pageblock_order; order <= st->max_order; order++) {
		const struct pg_view look = pg_view(st, start & ~((1u << order) - 1));

		if (look.kind == PAGUS_PAGE_ALLOCATED && look.order >= order)
			return true;
	}
	return false;
}

/* (suitable_migration_source) */
bool pg_source_suits(const struct pagus_state *st, const struct pg_compact *k, uint32_t start)
{
	uint32_t type = pg_block_type(st, start);

	if (type == PAGUS_ISOLATE || is_one_block(st, start))
		return false;
	if (!k->direct)
		return true;
	if (type == PAGUS_CMA && !(k->flags & PG_ALLOC_CMA))
		return false;
	if (k->mode != PAGUS_MIGRATE_ASYNC)
		return true;
	if (k->type == PAGUS_MOVABLE || k->order >= st->pageblock_order)
		return type == PAGUS_MOVABLE || type == PAGUS_CMA;
	return type == k->type;
}

/*
 * A run that claims the first block of a pageblock says so by the hint; of two runs one leaves.
 * What a CPU has of the pageblock becomes the zone's: there it merges with what is freed.
 */
static bool claim_block(struct pg_call *c, struct pg_compact *k, uint32_t start)
{
	if (!k->ignore_hints && !k->finish && pg_block_hint(c->st, start, PG_HINT_SKIP))
		return false;
	pg_block_set_hint(c->st, start, PG_HINT_SKIP, true);
	if (pg_owner(c->st, start))
		pg_pcps[c->st->pcp_policy]->release(c, start);
	return true;
}

/* ---- units ----------------------------------------------------------------------------------- */

/* For requests that will not wait, a block of the order that is not emptied wholly is of no use. */
static bool by_units(const struct pg_compact *k)
{
	return k->direct && k->mode == PAGUS_MIGRATE_ASYNC;
}

static uint32_t unit_end(const struct pagus_state *st, const struct pg_compact *k, uint32_t i)
{
	return (i | (pg_compact_unit(st, k) - 1)) + 1;
}

/* Could the unit that begins at i be emptied? */
static bool is_clear(const struct pg_call *c, struct pg_compact *k, uint32_t i)
{
	uint32_t end = unit_end(c->st, k, i);

	for (struct pg_glance g; i < end; i += g.pages) {
		g = pg_source_look(c, k, i, end);
		if (g.what == PG_SOURCE_STAYS)
			return false;
	}
	return true;
}

/* ---- the scan -------------------------------------------------------------------------------- */

static bool is_full(const struct pg_compact *k)
{
	if (k->m.nr == PG_MIGRATE_BATCH)
		return true;
	return k->m.nr_pages >= PG_COMPACT_CLUSTER && !k->finish && !k->contended;
}

bool pg_source_take(struct pg_call *c, struct pg_compact *k, uint32_t i, const struct pg_glance *g)
{
	k->cached |= g->what == PG_SOURCE_CACHED;
	if (g->what == PG_SOURCE_FREE || g->what == PG_SOURCE_CACHED)
		return true;
	if (g->what == PG_SOURCE_STAYS || !pg_migrate_isolate(c, &k->m, i, g->order)) {
		k->blocked = true;
		return false;
	}
	k->stats.isolated += 1u << g->order;
	return true;
}

/*
 * From `migrate` on to the end of its pageblock, until the batch is full. Where only whole units
 * count, a unit with an obstacle is left as it was, and a scan ends with the first unit that gave
 * something.
 */
static void scan_block(struct pg_call *c, struct pg_compact *k, uint32_t start)
{
	const uint32_t end = start + block_pages(c->st);
	const bool units = by_units(k);
	bool claimed = k->migrate > start;
	uint32_t i = k->migrate, unit = i, unit_nr = k->m.nr;

	while (i < end && !is_full(k)) {
		struct pg_glance g;

		if (units && i == unit) {
			if (k->m.nr > 0)
				break;
			unit_nr = k->m.nr;
			unit = unit_end(c->st, k, i);
			if (!is_clear(c, k, i)) {
				k->blocked = true;
				k->stats.migrate_scanned += unit - i;
				i = unit;
				continue;
			}
		}
		g = pg_source_look(c, k, i, end);
		k->stats.migrate_scanned += g.pages;
		if (g.what == PG_SOURCE_MOVABLE && !claimed) {
			claimed = true;
			if (!claim_block(c, k, start)) {
				k->blocked = true;
				i = end;
				break;
			}
		}
		if (!pg_source_take(c, k, i, &g) && units) {
			pg_migrate_putback(c, &k->m, unit_nr);
			i = unit;
			continue;
		}
		i += g.pages;
	}
	pg_compact_tell_sources(c, k, k->migrate, i);
	k->migrate = i;
	if (i == end && (k->m.nr == 0 || k->finish)) {
		pg_block_set_hint(c->st, start, PG_HINT_SKIP, true);
		pg_hints_migrated(c->st, k, end);
	}
}

/* The pageblock that begins at `migrate`: is it looked into? */
static bool enter(struct pg_call *c, struct pg_compact *k, uint32_t start)
{
	k->cached = k->blocked = false;
	if (!pg_block_of_zone(c->st, k->z, start) ||
	    (!k->ignore_hints && pg_block_hint(c->st, start, PG_HINT_SKIP)))
		return false;
	if (pg_source_suits(c->st, k, start))
		return true;
	pg_hints_migrated(c->st, k, start + block_pages(c->st));
	return false;
}

enum pg_scan pg_sources_scan(struct pg_call *c, struct pg_compact *k)
{
	const uint32_t limit = pg_block_start(c->st, k->free);

	while (pg_block_start(c->st, k->migrate) < limit) {
		uint32_t start = pg_block_start(c->st, k->migrate);
		uint32_t behind = pg_barren_end(c->st, k->z, start);

		if (k->migrate == start && behind > start) {
			k->migrate = (uint32_t)pg_min(behind, limit);
			continue;
		}
		if (k->migrate > start || enter(c, k, start)) {
			scan_block(c, k, start);
			return k->m.nr > 0 ? PG_SCAN_SOME : PG_SCAN_NONE;
		}
		k->migrate = start + block_pages(c->st);
	}
	return PG_SCAN_NONE;
}
