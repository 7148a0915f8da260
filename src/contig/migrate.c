/* SPDX-License-Identifier: MIT */
#include "contig/migrate.h"

#include "alloc/free.h"
#include "contig/take.h"
#include "reclaim/reclaim.h"
#include "zone/owner.h"

#define ASYNC_PASSES 10 /* NR_MAX_MIGRATE_PAGES_RETRY */
#define GENTLE_PASSES 3 /* of a mode that may block: first without */
#define SYNC_PASSES   7

/* May somebody else who refers to the block be looking at it? */
static bool is_shared(const struct pagus_state *st, uint32_t i)
{
	return pg_references(st, i) > 0;
}

static bool is_movable_block(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	const struct pg_view look = pg_view(st, i);

	return look.kind == PAGUS_PAGE_ALLOCATED && look.order == order &&
	       look.type == PAGUS_MOVABLE && !is_shared(st, i);
}

/* Traits that rule a block out. */
static uint32_t forbidden(const struct pg_migration *m)
{
	uint32_t traits = PAGUS_TRAIT_PINNED | PAGUS_TRAIT_FIXED;

	if (!(m->how.gfp & __GFP_FS))
		traits |= PAGUS_TRAIT_NEEDS_FS;
	if (m->how.mode != PAGUS_MIGRATE_SYNC)
		traits |= PAGUS_TRAIT_WOULD_BLOCK;
	if (!m->unevictable)
		traits |= PAGUS_TRAIT_UNEVICTABLE;
	return traits;
}

bool pg_migrate_hint(const struct pg_call *c, const struct pg_migration *m, uint32_t i,
		     uint32_t order)
{
	const struct pagus_port *port = c->p->port;

	const struct pg_view look = pg_view(c->st, i);

	if (!port->move || look.kind != PAGUS_PAGE_ALLOCATED || look.order != order ||
	    look.type != PAGUS_MOVABLE || pg_looks_shared(c->st, i))
		return false;
	return !port->traits || !(port->traits(c->p->port_ctx, pg_pfn(c->st, i), order) &
				  forbidden(m));
}

bool pg_migrate_isolate(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	const struct pagus_port *port = c->p->port;
	bool isolated;
	uint32_t task;

	if (m->nr == PG_MIGRATE_BATCH || !pg_migrate_hint(c, m, i, order))
		return false;
	task = pg_reclaim_enter(c);
	isolated = port->isolate(c->p->port_ctx, pg_pfn(c->st, i), order, &m->how);
	/* The owner holds the block now: what it is does not change any more. */
	if (isolated && !is_movable_block(c->st, i, order)) {
		port->putback(c->p->port_ctx, pg_pfn(c->st, i), order);
		isolated = false;
	}
	pg_reclaim_leave(c, task);
	if (!isolated)
		return false;
	m->block[m->nr].i = i;
	m->block[m->nr].order = order;
	m->nr++;
	m->nr_pages += 1u << order;
	return true;
}

/*
 * The block `to` is for what `from` holds: the owner finds there what was written at the other.
 * Bits of a map are not the holder's to change, and say what they should: both are movable.
 */
static void take_over(struct pagus_state *st, uint32_t from, uint32_t to)
{
	PG_ASSERT_SLOW(pg_view(st, to).type == PAGUS_MOVABLE);
	if (pg_mapped(st))
		return;
	pg_page_set_type(pg_page(st, to), pg_page_type(pg_page(st, from)));
	pg_page(st, to)->tag = pg_page(st, from)->tag;
	pg_write(pg_page(st, to)->next, pg_page(st, from)->next);
}

/*
 * Straight into the zone, where it merges at once. False: a CPU owns the pageblock, or there are
 * records, of which pg_free_direct does the same.
 */
static bool free_to_zone(struct pg_call *c, uint32_t i, uint32_t order)
{
	struct pg_zone *z = pg_zone_of(c->st, i);
	bool done;

	if (!pg_mapped(c->st))
		return false;
	pg_zone_lock(c, z, PAGUS_REASON_FREE_DIRECT);
	done = pg_owner(c->st, i) == 0;
	if (done)
		pg_take_return(c, z, i, order);
	pg_zone_unlock(c, z);
	return done;
}

/* Neither charge nor marks: what they are about is elsewhere now. */
static void release_source(struct pg_call *c, uint32_t i, uint32_t order)
{
	if (!pg_mapped(c->st))
		pg_page(c->st, i)->next &= ~PG_MARK_CHARGED;
	pg_count(c, PAGUS_COUNTER_pgmigrate_success, UINT64_C(1) << order);
	if (pg_free_prepare(c, i, order) && !free_to_zone(c, i, order))
		pg_free_direct(c, i, order, PG_HEAD);
}

static enum pagus_moved move_block(struct pg_call *c, const struct pagus_migrate *how,
				   uint32_t from, uint32_t to, uint32_t order)
{
	enum pagus_moved moved;
	uint32_t task;

	if (is_shared(c->st, from))
		return PAGUS_MOVE_AGAIN;
	take_over(c->st, from, to);
	task = pg_reclaim_enter(c);
	moved = c->p->port->move(c->p->port_ctx, pg_pfn(c->st, from), pg_pfn(c->st, to), order, how);
	pg_reclaim_leave(c, task);
	return moved;
}

/* Its charge is still that of the old block. */
static void give_back(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	if (!pg_mapped(c->st))
		pg_page(c->st, i)->next &= ~PG_MARKS;
	m->put(c, m, i, order);
}

/* Try each block once; those that are left move down. False: there was no memory. */
static bool try_all(struct pg_call *c, struct pg_migration *m, const struct pagus_migrate *how,
		    uint32_t *never)
{
	uint32_t left = *never;
	bool memory = true;

	for (uint32_t n = *never; n < m->nr; n++) {
		uint32_t i = m->block[n].i, order = m->block[n].order, to;
		enum pagus_moved moved = PAGUS_MOVE_AGAIN;

		to = memory ? m->get(c, m, i, order) : PG_NONE;
		memory = to != PG_NONE;
		if (to == PG_MIGRATE_NO_FIT)
			moved = PAGUS_MOVE_NEVER;
		else if (memory)
			moved = move_block(c, how, i, to, order);
		if (moved == PAGUS_MOVED) {
			release_source(c, i, order);
			m->moved_pages += UINT64_C(1) << order;
			m->nr_pages -= 1u << order;
			continue;
		}
		if (memory && to != PG_MIGRATE_NO_FIT)
			give_back(c, m, to, order);
		m->block[left] = m->block[n];
		/* Those that never will be stand first, and are not tried again. */
		if (moved == PAGUS_MOVE_NEVER) {
			m->block[left] = m->block[*never];
			m->block[*never].i = i;
			m->block[*never].order = order;
			(*never)++;
		}
		left++;
	}
	m->nr = left;
	return memory;
}

enum pg_migrated pg_migrate_run(struct pg_call *c, struct pg_migration *m)
{
	struct pagus_migrate gentle = m->how;
	const bool sync = m->how.mode != PAGUS_MIGRATE_ASYNC;
	const uint32_t first = sync ? GENTLE_PASSES : ASYNC_PASSES;
	const uint32_t passes = sync ? GENTLE_PASSES + SYNC_PASSES : ASYNC_PASSES;
	uint32_t never = 0;
	bool memory = true;

	gentle.mode = PAGUS_MIGRATE_ASYNC;
	for (uint32_t pass = 0; pass < passes && never < m->nr && memory; pass++)
		memory = try_all(c, m, pass < first ? &gentle : &m->how, &never);
	if (m->nr == 0)
		return PG_MIGRATED_ALL;
	pg_count(c, PAGUS_COUNTER_pgmigrate_fail, m->nr_pages);
	m->failed_pages += m->nr_pages;
	return memory ? PG_MIGRATED_SOME : PG_MIGRATED_NO_MEMORY;
}

void pg_migrate_putback(struct pg_call *c, struct pg_migration *m, uint32_t from)
{
	uint32_t task = pg_reclaim_enter(c);

	while (m->nr > from) {
		m->nr--;
		m->nr_pages -= 1u << m->block[m->nr].order;
		c->p->port->putback(c->p->port_ctx, pg_pfn(c->st, m->block[m->nr].i),
				    m->block[m->nr].order);
	}
	pg_reclaim_leave(c, task);
}
