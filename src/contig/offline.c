/* SPDX-License-Identifier: MIT */
/* Memory goes offline. (offline_pages) */
#include "alloc/alloc.h"
#include "alloc/free.h"
#include "alloc/retry.h"
#include "contig/drain.h"
#include "contig/hotplug.h"
#include "contig/isolate.h"
#include "contig/migrate.h"
#include "zone/poison.h"

/* ---- what is in use moves ---------------------------------------------------------------------- */

static uint32_t get_on(struct pg_call *c, const struct pg_migration *m, const struct pg_zone *z,
		       uint32_t order, uint64_t nodes)
{
	struct pagus_request req = {
		.gfp = m->how.gfp | __GFP_MOVABLE, .order = order, .node = z->node,
		.nodemask = nodes,
	};
	struct pagus_result res;

	if (z->type >= PAGUS_ZONE_HIGHMEM)
		req.gfp |= __GFP_HIGHMEM;
	return pg_alloc(c, &req, &res) == PAGUS_OK ? pg_index(c->st, res.pfn) : PG_NONE;
}

/* Other nodes first: what goes to this one may have to move again soon. */
static uint32_t get_block(struct pg_call *c, struct pg_migration *m, uint32_t from, uint32_t order)
{
	const struct pg_zone *z = pg_zone_of(c->st, from);
	uint64_t own = UINT64_C(1) << z->node, others = pg_nodes_with_memory(c->st) & ~own;
	uint32_t i = others ? get_on(c, m, z, order, others) : PG_NONE;

	return i != PG_NONE ? i : get_on(c, m, z, order, own);
}

static void put_block(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	(void)m;
	pg_free_checked(c, i, order);
}

static bool is_cancelled(const uint32_t *cancel)
{
	return cancel && pg_atomic_load(cancel);
}

static void move_batch(struct pg_call *c, struct pg_migration *m)
{
	if (m->nr)
		pg_migrate_run(c, m);
	pg_migrate_putback(c, m, 0);
}

/* Every block of the range that can be moved, once. Returns how many pages were. */
static uint64_t move_round(struct pg_call *c, const struct pg_plug *plug, const uint32_t *cancel)
{
	struct pg_migration m = {
		.how = { .mode = PAGUS_MIGRATE_SYNC, .reason = PAGUS_MIGRATE_MEMORY_HOTPLUG,
			 .gfp = GFP_USER | __GFP_RETRY_MAYFAIL },
		.get = get_block, .put = put_block, .unevictable = true,
	};
	uint32_t pages;

	for (pagus_pfn_t pfn = plug->start; pfn < plug->end && !is_cancelled(cancel); pfn += pages) {
		uint32_t i = pg_index(c->st, pfn), head = pg_head(c->st, i);
		struct pg_view look = { 0 };

		pages = 1;
		if (head == PG_NONE)
			continue;
		look = pg_view(c->st, head);
		if (head + (1u << look.order) > i)
			pages = head + (1u << look.order) - i;
		if (look.kind == PAGUS_PAGE_ALLOCATED &&
		    !pg_absent(c, head, &look, PAGUS_ISOLATE_MEM_OFFLINE))
			pg_migrate_isolate(c, &m, head, look.order);
		if (m.nr == PG_MIGRATE_BATCH)
			move_batch(c, &m);
	}
	move_batch(c, &m);
	return m.moved_pages;
}

/* Does a block that is not free begin before the range, and go on in it? */
static bool is_crossed(const struct pagus_state *st, const struct pg_plug *plug)
{
	uint32_t i = pg_index(st, plug->start), head = pg_head(st, i);

	return head != PG_NONE && head < i && pg_view(st, head).kind != PAGUS_PAGE_FREE;
}

/* Until nothing is left. */
static enum pagus_status evacuate(struct pg_call *c, const struct pg_plug *plug,
				  const uint32_t *cancel)
{
	while (!is_cancelled(cancel)) {
		uint64_t moved = move_round(c, plug, cancel);

		/* Frees that wait for no lock may leave pages on pcps that are off. */
		pg_contig_drain(c, plug->z);
		if (pg_isolated_test(c, plug->start, plug->end, PAGUS_ISOLATE_MEM_OFFLINE, NULL) ==
		    PAGUS_OK)
			return is_crossed(c->st, plug) ? PAGUS_BUSY : PAGUS_OK;
		if (moved == 0)
			pg_slow_wait(c, PAGUS_WAIT_RECLAIM);
	}
	return PAGUS_CANCELLED;
}

/* ---- what is free leaves ----------------------------------------------------------------------- */

static void make_reserved(struct pagus_state *st, uint32_t i, uint32_t nr)
{
	for (uint32_t k = 0; k < nr; k++) {
		struct pg_page *page = pg_page(st, i + k);

		if (pg_mapped(st)) {
			pg_map_present(st, i + k, pg_map(st, i)->zone);
			continue;
		}
		pg_page_set(page, PAGUS_PAGE_RESERVED, 0, 0);
		pg_write(page->prev, 0);
		pg_write(page->next, 0);
		page->tag = 0;
	}
}

/*
 * A free block is taken off its list. Where it began before the range, isolated for somebody else,
 * that part of it goes back.
 */
static void take_free(struct pg_call *c, struct pg_zone *z, uint32_t head, uint32_t start)
{
	uint32_t order = pg_view(c->st, head).order;

	pg_store_remove(c->st, z, head);
	pg_account(c, z, -(INT64_C(1) << order), PAGUS_ISOLATE);
	for (; head < start; head += 1u << c->st->pageblock_order)
		pg_buddy_free(c, z, head, c->st->pageblock_order, PG_TAIL);
}

static void forget_leaked(struct pg_call *c, struct pg_zone *z, uint32_t head, uint32_t order)
{
	if (pg_poison_leaked(c->st, head))
		pg_atomic_sub(&c->st->nr_poisoned, 1);
	pg_atomic_sub(&z->leaked_pages, 1u << order);
}

/* The block that page i of the range lies in: nobody's. Returns how many pages of the range it was. */
static uint32_t take_block(struct pg_call *c, struct pg_zone *z, uint32_t i)
{
	struct pagus_state *st = c->st;
	uint32_t head = pg_head(st, i), nr;
	struct pg_view look;

	PG_ASSERT(head != PG_NONE);
	look = pg_view(st, head);
	nr = head + (1u << look.order) - i;
	if (look.kind == PAGUS_PAGE_RESERVED)
		return nr;
	if (look.kind == PAGUS_PAGE_FREE)
		take_free(c, z, head, i);
	else if (look.kind == PAGUS_PAGE_LEAKED)
		forget_leaked(c, z, head, look.order);
	z->handed_over -= nr;
	pg_write(z->managed, z->managed - (nr < z->managed ? nr : z->managed));
	make_reserved(st, i, nr);
	return nr;
}

static void take_all(struct pg_call *c, const struct pg_plug *plug)
{
	uint32_t nr;

	for (pagus_pfn_t pfn = plug->start; pfn < plug->end; pfn += nr) {
		pg_zone_lock(c, plug->z, PAGUS_REASON_ISOLATE);
		nr = take_block(c, plug->z, pg_index(c->st, pfn));
		pg_zone_unlock(c, plug->z);
	}
}

/* ---- the zone, smaller ------------------------------------------------------------------------- */

static bool is_of(const struct pagus_state *st, const struct pg_zone *z, pagus_pfn_t pfn)
{
	uint32_t i = pg_index(st, pfn);

	return i != PG_NONE && pg_page_zone(st, i) == z->id;
}

/* An end that has gone moves to the nearest page that is there. */
static void shrink_span(const struct pagus_state *st, const struct pg_plug *plug)
{
	struct pg_zone *z = plug->z;
	pagus_pfn_t start = z->start_pfn, end = z->end_pfn;

	if (!pg_zone_populated(z)) {
		start = end = 0;
	} else if (start == plug->start) {
		for (start = plug->end; start < end && !is_of(st, z, start);)
			start++;
	} else if (end == plug->end) {
		for (end = plug->start; end > start && !is_of(st, z, end - 1);)
			end--;
	}
	pg_write(z->start_pfn, start);
	pg_write(z->end_pfn, end);
}

/* Nothing of what its pcps have learnt, or its marks, says anything of memory that may come. */
static void empty_zone(struct pg_call *c, struct pg_zone *z)
{
	struct pagus_state *st = c->st;

	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++) {
		struct pg_pcp *pcp = pg_pcp(st, z->id, cpu);

		pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
		pg_write(pcp->high, 0);
		pcp->alloc_factor = pcp->free_count = pcp->flags = pcp->expire = 0;
		pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
		pg_account_fold(st, z, cpu);
		pg_zone_unlock(c, z);
		pg_pcp_unlock(c, pcp);
	}
	pg_zone_clear(z, UINT32_MAX);
}

static void remove_memory(struct pg_call *c, const struct pg_plug *plug)
{
	struct pg_zone *z = plug->z;

	take_all(c, plug);
	pg_plug_out(c, plug);
	pg_write(z->present, z->present - (plug->end - plug->start));
	pg_write(z->present_early, z->present_early - pg_plug_early(c->st, plug));
	if (!pg_zone_populated(z)) {
		empty_zone(c, z);
		pg_plug_populated(c, plug);
	}
	shrink_span(c->st, plug);
}

/* ---- offline ----------------------------------------------------------------------------------- */

static bool is_last(const struct pagus_state *st, const struct pg_plug *plug)
{
	uint64_t present = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++)
		present += pg_zone(st, id)->node == plug->node ? pg_zone(st, id)->present : 0;
	return present == plug->end - plug->start;
}

static enum pagus_status find_plug(const struct pagus_state *st, struct pg_plug *plug)
{
	enum pagus_status status = pg_plug_check(st, plug->start, plug->end - plug->start,
						 &plug->node);

	if (status != PAGUS_OK)
		return status;
	plug->z = pg_range_zone(st, plug->start, plug->end);
	if (!plug->z)
		return PAGUS_BAD_RANGE;
	plug->node_changes = is_last(st, plug);
	return PAGUS_OK;
}

/* The range is isolated. On any error all have been told. */
static enum pagus_status empty(struct pg_call *c, const struct pg_plug *plug, const uint32_t *cancel)
{
	enum pagus_status status = PAGUS_VETOED;
	bool asked = true;

	if (plug->node_changes && !pg_plug_notify(c, plug, PAGUS_NODE_REMOVING_LAST_MEMORY))
		asked = false;
	if (asked && pg_plug_notify(c, plug, PAGUS_MEM_GOING_OFFLINE))
		status = evacuate(c, plug, cancel);
	if (status == PAGUS_OK)
		return status;
	pg_unisolate_range(c, plug->start, plug->end);
	if (asked)
		pg_plug_notify(c, plug, PAGUS_MEM_CANCEL_OFFLINE);
	if (plug->node_changes)
		pg_plug_notify(c, plug, PAGUS_NODE_CANCEL_REMOVING_LAST_MEMORY);
	return status;
}

/* The zone's pcps are off. */
static enum pagus_status offline(struct pg_call *c, const struct pg_plug *plug,
				 const uint32_t *cancel, pagus_pfn_t *obstacle)
{
	enum pagus_status status;

	status = pg_isolate_range(c, plug->start, plug->end, PAGUS_ISOLATE_MEM_OFFLINE, obstacle);
	if (status == PAGUS_OK)
		status = empty(c, plug, cancel);
	if (status == PAGUS_OK)
		remove_memory(c, plug);
	return status;
}

static enum pagus_status offline_without_pcps(struct pg_call *c, struct pg_plug *plug,
					      const uint32_t *cancel, pagus_pfn_t *obstacle)
{
	enum pagus_status status = find_plug(c->st, plug);

	if (status != PAGUS_OK)
		return status;
	if (pg_pcp_disable(c, plug->z->id) != PAGUS_OK)
		return PAGUS_BUSY;
	status = offline(c, plug, cancel, obstacle);
	pg_pcp_revive(c, plug->z);
	if (status == PAGUS_OK)
		pg_watermark_replan(c);
	pg_pcp_publish_limits(c);
	pg_pcp_release_limits(c->st);
	if (status != PAGUS_OK)
		return status;
	if (plug->node_changes)
		pg_plug_notify(c, plug, PAGUS_NODE_REMOVED_LAST_MEMORY);
	pg_plug_notify(c, plug, PAGUS_MEM_OFFLINE);
	return PAGUS_OK;
}

enum pagus_status pagus_offline(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				const uint32_t *cancel, pagus_pfn_t *obstacle)
{
	struct pg_plug plug = { .start = start, .end = start + nr_pages };
	enum pagus_status status = PAGUS_BUSY;
	struct pg_call c = pg_call_begin(p);

	pg_span_begin(&c);
	if (pg_plug_begin(c.st)) {
		status = offline_without_pcps(&c, &plug, cancel, obstacle);
		pg_plug_end(c.st);
	}
	pg_span_end(&c);
	pg_call_end(&c);
	return status;
}
