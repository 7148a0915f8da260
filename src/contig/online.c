/* SPDX-License-Identifier: MIT */
/* Memory comes online. (online_pages, zone_for_pfn_range, auto_movable_zone_for_pfn) */
#include "base/bits.h"
#include "contig/hotplug.h"
#include "zone/superpageblock.h"
#include "contig/isolate.h"
#include "pcp/pcp.h"
#include "zone/seed.h"

/* ---- which zone -------------------------------------------------------------------------------- */

/* The zone of a type on a node, with memory or without; NULL if there is none. */
static struct pg_zone *zone_of_type(const struct pagus_state *st, uint32_t node, uint32_t type)
{
	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (pg_zone(st, id)->node == node && pg_zone(st, id)->type == type)
			return pg_zone(st, id);
	return NULL;
}

static bool touches(const struct pg_zone *z, pagus_pfn_t start, pagus_pfn_t end)
{
	return z && start < pg_read(z->end_pfn) && end > pg_read(z->start_pfn);
}

static struct pg_zone *kernel_zone(const struct pagus_state *st, uint32_t node, pagus_pfn_t start,
				   pagus_pfn_t end)
{
	for (uint32_t type = 0; type < PAGUS_ZONE_NORMAL; type++) {
		struct pg_zone *z = zone_of_type(st, node, type);

		if (touches(z, start, end))
			return z;
	}
	return zone_of_type(st, node, PAGUS_ZONE_NORMAL);
}

static uint64_t cma_pages(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t pages = 0, block_pages = UINT64_C(1) << st->pageblock_order;

	for (uint32_t b = z->first_block; b < z->end_block; b++) {
		uint32_t i = st->first_page + (b << st->pageblock_order);

		if (pg_block_under(st, i) == PAGUS_CMA && pg_block_zone(st, i) == z->id)
			pages += block_pages;
	}
	return pages;
}

/* Does so much more movable memory keep the ratio, on a node or, with PAGUS_NO_NODE, in all? */
static bool ratio_allows(const struct pagus_state *st, uint32_t node, uint64_t nr_pages)
{
	uint64_t movable = nr_pages, early = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);
		uint64_t cma, here;

		if (node != PAGUS_NO_NODE && z->node != node)
			continue;
		if (z->type == PAGUS_ZONE_MOVABLE) {
			movable += pg_read(z->present);
			continue;
		}
		cma = cma_pages(st, z);
		movable += cma;
		here = pg_read(z->present_early);
		early += here - pg_min(cma, here);
	}
	return movable <= early * st->tunable[PAGUS_TUNABLE_auto_movable_ratio] / 100;
}

static struct pg_zone *default_zone(const struct pagus_state *st, uint32_t node, pagus_pfn_t start,
				    pagus_pfn_t end)
{
	struct pg_zone *kernel = kernel_zone(st, node, start, end);
	struct pg_zone *movable = zone_of_type(st, node, PAGUS_ZONE_MOVABLE);
	bool fits;

	if (st->tunable[PAGUS_TUNABLE_online_policy] == 0)
		return touches(movable, start, end) && !touches(kernel, start, end) ? movable : kernel;
	fits = st->tunable[PAGUS_TUNABLE_auto_movable_ratio] &&
	       ratio_allows(st, PAGUS_NO_NODE, end - start) &&
	       (!st->tunable[PAGUS_TUNABLE_auto_movable_numa_aware] ||
		ratio_allows(st, node, end - start));
	return fits ? movable : kernel;
}

static bool has_room(const struct pagus_state *st, const struct pg_zone *z, pagus_pfn_t start,
		     pagus_pfn_t end)
{
	return pg_block(st, pg_index(st, start)) >= z->first_block &&
	       pg_block(st, pg_index(st, end - 1)) < z->end_block;
}

static enum pagus_status choose_zone(const struct pagus_state *st, struct pg_plug *plug,
				     enum pagus_online how)
{
	if (how == PAGUS_ONLINE)
		plug->z = default_zone(st, plug->node, plug->start, plug->end);
	else if (how == PAGUS_ONLINE_KERNEL)
		plug->z = kernel_zone(st, plug->node, plug->start, plug->end);
	else if (how == PAGUS_ONLINE_MOVABLE)
		plug->z = zone_of_type(st, plug->node, PAGUS_ZONE_MOVABLE);
	return plug->z && has_room(st, plug->z, plug->start, plug->end) ? PAGUS_OK : PAGUS_BAD_VALUE;
}

/* ---- online ------------------------------------------------------------------------------------ */

static bool is_offline(const struct pagus_state *st, const struct pg_plug *plug)
{
	for (pagus_pfn_t pfn = plug->start; pfn < plug->end; pfn++)
		if (pg_page_zone(st, pg_index(st, pfn)) != PG_NO_ZONE)
			return false;
	return true;
}

static enum pagus_status find_plug(const struct pagus_state *st, struct pg_plug *plug,
				   enum pagus_online how)
{
	enum pagus_status status = pg_plug_check(st, plug->start, plug->end - plug->start,
						 &plug->node);

	if (status != PAGUS_OK)
		return status;
	if (!is_offline(st, plug))
		return PAGUS_BUSY;
	plug->node_changes = !pg_read(st->node_online[plug->node]);
	return choose_zone(st, plug, how);
}

/* One pageblock of the zone: reserved, movable, and isolated. */
static void add_block(struct pg_call *c, struct pg_zone *z, uint32_t start)
{
	struct pagus_state *st = c->st;

	for (uint32_t i = start; i < start + (1u << st->pageblock_order); i++) {
		if (pg_mapped(st)) {
			pg_map_present(st, i, z->id);
			continue;
		}
		pg_write(pg_page(st, i)->zone, (uint16_t)z->id);
		pg_page_set(pg_page(st, i), PAGUS_PAGE_RESERVED, 0, 0);
	}
	pg_spb_plug(c, z, start);
	pg_block_reset(st, start, pg_effective_type(st, PAGUS_MOVABLE));
	pg_block_set_type(c, start, 0, PAGUS_ISOLATE);
}

/* The range is the zone's from now on, and nothing of it is free. */
static void plug_in(struct pg_call *c, const struct pg_plug *plug)
{
	struct pg_zone *z = plug->z;
	bool empty = z->end_pfn == 0;

	if (empty || plug->end > z->end_pfn)
		pg_write(z->end_pfn, plug->end);
	if (empty || plug->start < z->start_pfn)
		pg_write(z->start_pfn, plug->start);
	for (pagus_pfn_t pfn = plug->start; pfn < plug->end;
	     pfn += UINT64_C(1) << c->st->pageblock_order) {
		pg_zone_lock(c, z, PAGUS_REASON_ISOLATE);
		add_block(c, z, pg_index(c->st, pfn));
		pg_zone_unlock(c, z);
	}
}

/* False: somebody does not want it; all have been told. */
static bool agreed(struct pg_call *c, const struct pg_plug *plug)
{
	bool node_asked = plug->node_changes, asked = true;

	if (node_asked && !pg_plug_notify(c, plug, PAGUS_NODE_ADDING_FIRST_MEMORY))
		asked = false;
	if (asked && pg_plug_notify(c, plug, PAGUS_MEM_GOING_ONLINE))
		return true;
	if (asked)
		pg_plug_notify(c, plug, PAGUS_MEM_CANCEL_ONLINE);
	if (node_asked)
		pg_plug_notify(c, plug, PAGUS_NODE_CANCEL_ADDING_FIRST_MEMORY);
	return false;
}

static bool wanted(struct pg_call *c, pagus_pfn_t pfn, uint32_t order)
{
	const struct pagus_port *port = c->p->port;
	bool free_it;

	if (!port->online_page)
		return true;
	pg_call_end(c);
	free_it = port->online_page(c->p->port_ctx, pfn, order);
	pg_call_resume(c);
	return free_it;
}

/* Pages become free, in isolated pageblocks. */
static void release(struct pg_call *c, const struct pg_plug *plug)
{
	uint32_t order;

	for (pagus_pfn_t pfn = plug->start; pfn < plug->end; pfn += UINT64_C(1) << order) {
		order = c->st->max_order;
		if (pfn)
			order = (uint32_t)pg_min(order, (uint64_t)__builtin_ctzll(pfn));
		while (UINT64_C(1) << order > plug->end - pfn)
			order--;
		if (wanted(c, pfn, order))
			pg_seed_release(c, plug->z, pg_index(c->st, pfn), order);
	}
}

static void count_present(struct pagus_state *st, const struct pg_plug *plug)
{
	struct pg_zone *z = plug->z;

	pg_write(z->present, z->present + (plug->end - plug->start));
	pg_write(z->present_early, z->present_early + pg_plug_early(st, plug));
}

static enum pagus_status online(struct pg_call *c, struct pg_plug *plug)
{
	const pagus_pfn_t old_start = plug->z->start_pfn, old_end = plug->z->end_pfn;
	const bool populated = pg_zone_populated(plug->z);

	plug_in(c, plug);
	if (!agreed(c, plug)) {
		pg_plug_out(c, plug);
		pg_write(plug->z->start_pfn, old_start);
		pg_write(plug->z->end_pfn, old_end);
		return PAGUS_VETOED;
	}
	release(c, plug);
	count_present(c->st, plug);
	if (!populated)
		pg_plug_populated(c, plug);
	pg_unisolate_range(c, plug->start, plug->end);
	pg_plug_replan(c);
	if (plug->node_changes)
		pg_plug_notify(c, plug, PAGUS_NODE_ADDED_FIRST_MEMORY);
	pg_plug_notify(c, plug, PAGUS_MEM_ONLINE);
	return PAGUS_OK;
}

/* Nobody else computes the limits of pcps meanwhile. */
static enum pagus_status online_with_limits(struct pg_call *c, struct pg_plug *plug,
					    enum pagus_online how)
{
	enum pagus_status status;

	if (!pg_pcp_hold_limits(c->st))
		return PAGUS_BUSY;
	status = find_plug(c->st, plug, how);
	if (status == PAGUS_OK)
		status = online(c, plug);
	pg_pcp_release_limits(c->st);
	return status;
}

enum pagus_status pagus_online_zone(const struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				    enum pagus_online how, uint32_t *zone)
{
	struct pg_plug plug = { .start = start, .end = start + nr_pages };
	enum pagus_status status = find_plug(p->state, &plug, how);

	if (status == PAGUS_OK)
		*zone = plug.z->id;
	return status;
}

enum pagus_status pagus_online(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
			       enum pagus_online how)
{
	struct pg_plug plug = { .start = start, .end = start + nr_pages };
	enum pagus_status status = PAGUS_BUSY;
	struct pg_call c = pg_call_begin(p);

	pg_span_begin(&c);
	if (pg_plug_begin(c.st)) {
		status = online_with_limits(&c, &plug, how);
		pg_plug_end(c.st);
	}
	pg_span_end(&c);
	pg_call_end(&c);
	return status;
}
