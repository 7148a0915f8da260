/* SPDX-License-Identifier: MIT */
/* What is in use in a range is moved out of it. (__alloc_contig_migrate_range) */
#include "contig/range.h"

#include "alloc/alloc.h"
#include "alloc/free.h"
#include "alloc/walk.h"
#include "base/bits.h"
#include "contig/migrate.h"
#include "contig/take.h"
#include "reclaim/reclaim.h"

#define MAX_TRIES     5  /* of a batch */
#define CLUSTER_PAGES 32 /* COMPACT_CLUSTER_MAX */

/* A block to move to, near the old one. */
static uint32_t get(struct pg_call *c, struct pg_migration *m, uint32_t from, uint32_t order)
{
	const struct pg_range_how *how = m->own;
	const struct pg_zone *z = pg_zone_of(c->st, from);
	struct pagus_request req = {
		.gfp = how->gfp | __GFP_MOVABLE, .order = order, .node = z->node,
	};
	struct pagus_result res;

	if (z->type == PAGUS_ZONE_HIGHMEM || z->type == PAGUS_ZONE_MOVABLE)
		req.gfp |= __GFP_HIGHMEM;
	return pg_alloc(c, &req, &res) == PAGUS_OK ? pg_index(c->st, res.pfn) : PG_NONE;
}

static void put(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	(void)m;
	pg_free_checked(c, i, order);
}

/* Without pcps, which may have pages of tainted superpageblocks. */
static uint32_t get_clean(struct pg_call *c, struct pg_migration *m, uint32_t from, uint32_t order)
{
	const struct pg_plan plan = { .order = order, .type = PAGUS_MOVABLE };

	(void)m;
	return pg_walk_zone(c, pg_zone_of(c->st, from), &plan,
			    PAGUS_WMARK_MIN | PG_ALLOC_KEEP_RESERVE | PG_ALLOC_KEEP_OUT);
}

static void put_clean(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	struct pg_zone *z = pg_zone_of(c->st, i);

	(void)m;
	pg_zone_lock(c, z, PAGUS_REASON_FREE_DIRECT);
	pg_take_return(c, z, i, order);
	pg_zone_unlock(c, z);
}

/* The first page of the block that page i is in, as far as can be seen; PG_NONE. */
static uint32_t peek_head(const struct pagus_state *st, uint32_t i)
{
	for (uint32_t order = 0; order <= st->max_order; order++) {
		uint32_t head = i & ~((1u << order) - 1);
		struct pg_view look = pg_view(st, head);

		if (look.kind != PAGUS_PAGE_TAIL && look.order >= order)
			return head;
	}
	return PG_NONE;
}

/* Claim the block that has the page at pfn, if it moves; the first pfn behind it. */
static pagus_pfn_t claim(struct pg_call *c, struct pg_migration *m, pagus_pfn_t pfn)
{
	struct pagus_state *st = c->st;
	uint32_t i = pg_index(st, pfn), head;
	struct pg_view look;

	if (i == PG_NONE)
		return ((pfn >> st->section_order) + 1) << st->section_order;
	head = peek_head(st, i);
	if (head == PG_NONE)
		return pfn + 1;
	look = pg_view(st, head);
	/* It may have become another since. */
	if (look.order > st->max_order || head + (1u << look.order) <= i)
		return pfn + 1;
	if (look.kind == PAGUS_PAGE_ALLOCATED)
		pg_migrate_isolate(c, m, head, look.order);
	return pfn + (head + (1u << look.order) - i);
}

/* Claim some more, from `pos` on: how far that went. */
static pagus_pfn_t claim_batch(struct pg_call *c, struct pg_migration *m, pagus_pfn_t pos,
			       pagus_pfn_t end)
{
	while (pos < end && m->nr < PG_MIGRATE_BATCH && m->nr_pages < CLUSTER_PAGES)
		pos = claim(c, m, pos);
	return pos;
}

static enum pagus_status move_all(struct pg_call *c, struct pg_migration *m, pagus_pfn_t pos,
				  pagus_pfn_t end)
{
	const struct pg_range_how *how = m->own;
	uint32_t tries = 0;

	while (pos < end || m->nr > 0) {
		if (pg_cancelled(how->cancel) || pg_is_to_die(c, 0))
			return PAGUS_CANCELLED;
		if (m->nr == 0) {
			tries = 0;
			pos = claim_batch(c, m, pos, end);
		} else if (++tries == MAX_TRIES) {
			return PAGUS_BUSY;
		}
		if (m->nr > 0 && pg_migrate_run(c, m) == PG_MIGRATED_NO_MEMORY)
			return PAGUS_NO_MEMORY;
	}
	return PAGUS_OK;
}

/* What is allocated meanwhile is for the owners, so the task's own pinning is not meant. */
static uint32_t leave_pin_scope(const struct pg_call *c)
{
	uint32_t *flags, pin;

	if (!c->p->port->task_flags)
		return 0;
	flags = c->p->port->task_flags(c->p->port_ctx);
	pin = *flags & PAGUS_TASK_MEMALLOC_PIN;
	*flags &= ~pin;
	return pin;
}

static void enter_pin_scope(const struct pg_call *c, uint32_t pin)
{
	if (c->p->port->task_flags)
		*c->p->port->task_flags(c->p->port_ctx) |= pin;
}

enum pagus_status pg_range_move(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end,
				const struct pg_range_how *how)
{
	struct pg_migration m = {
		.how = { .mode = PAGUS_MIGRATE_SYNC, .reason = how->reason, .gfp = how->gfp },
		.get = how->to_clean ? get_clean : get, .put = how->to_clean ? put_clean : put,
		.own = (void *)(uintptr_t)how, .unevictable = true,
	};
	uint32_t pin = leave_pin_scope(c), left;
	enum pagus_status status = move_all(c, &m, start, end);

	left = m.nr_pages;
	pg_migrate_putback(c, &m, 0);
	enter_pin_scope(c, pin);
	if (pg_event_wanted(c, PAGUS_EVENT_CONTIG_MIGRATED))
		pg_event_raise(c, PAGUS_EVENT_CONTIG_MIGRATED, PG_NO_ZONE, start, 0, 0,
			       (uint32_t)m.moved_pages, left);
	return status;
}

enum pagus_status pg_range_migrate(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end,
				   enum pagus_migrate_reason reason,
				   const struct pagus_cancel *cancel)
{
	const struct pg_range_how how = { .gfp = GFP_KERNEL | __GFP_RETRY_MAYFAIL,
					  .reason = reason, .cancel = cancel };

	return pg_range_move(c, start, end, &how);
}
