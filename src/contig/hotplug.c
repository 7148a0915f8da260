/* SPDX-License-Identifier: MIT */
#include "contig/hotplug.h"

#include "base/bits.h"
#include "pcp/pcp.h"
#include "zone/superpageblock.h"

static uint64_t block_pages(const struct pagus_state *st)
{
	return UINT64_C(1) << st->pageblock_order;
}

enum pagus_status pg_plug_check(const struct pagus_state *st, pagus_pfn_t start, uint64_t nr_pages,
				uint32_t *node)
{
	pagus_pfn_t end = start + nr_pages;
	const struct pg_range *range;

	if (st->zone_types >> PAGUS_ZONE_HIGHMEM & 1)
		return PAGUS_UNSUPPORTED;
	if (nr_pages == 0 || nr_pages > st->nr_pages || end < start)
		return PAGUS_BAD_RANGE;
	if (start % block_pages(st) || end % (UINT64_C(1) << st->section_order))
		return PAGUS_BAD_ALIGN;
	for (pagus_pfn_t pfn = start; pfn < end; pfn = range->end_pfn) {
		range = pg_range_of(st, pfn);
		if (!range || (pfn > start && range->node != *node))
			return PAGUS_BAD_RANGE;
		*node = range->node;
	}
	return PAGUS_OK;
}

uint64_t pg_plug_early(const struct pagus_state *st, const struct pg_plug *plug)
{
	const struct pg_range *range;
	uint64_t pages = 0;

	for (pagus_pfn_t pfn = plug->start; pfn < plug->end; pfn = range->end_pfn) {
		range = pg_range_of(st, pfn);
		pages += range->boot ? pg_min(range->end_pfn, plug->end) - pfn : 0;
	}
	return pages;
}

bool pg_plug_begin(struct pagus_state *st)
{
	return pg_atomic_load(&st->booted) && !pg_atomic_exchange(&st->plugging, 1);
}

void pg_plug_end(struct pagus_state *st)
{
	pg_atomic_store(&st->plugging, 0);
}

bool pg_plug_notify(struct pg_call *c, const struct pg_plug *plug, enum pagus_memory_event event)
{
	const struct pagus_port *port = c->p->port;
	bool agreed;

	if (!port->memory_notify)
		return true;
	pg_call_end(c);
	agreed = port->memory_notify(c->p->port_ctx, event, plug->start, plug->end - plug->start,
				     plug->node);
	pg_call_resume(c);
	return agreed;
}

static void remove_block(struct pg_call *c, struct pg_zone *z, uint32_t start)
{
	struct pagus_state *st = c->st;
	bool one_type = pg_places[st->place_policy]->mobility_off;

	if (pg_block_type(st, start) == PAGUS_ISOLATE)
		pg_block_unisolate(c, start);
	pg_spb_unplug(c, z, start);
	if (pg_mapped(st))
		pg_map_absent(st, start);
	/* They are on no list, and nobody refers to them. */
	for (uint32_t i = start; i < start + block_pages(st) && !pg_mapped(st); i++) {
		pg_page_set(pg_page(st, i), PAGUS_PAGE_HOLE, 0, 0);
		pg_write(pg_page(st, i)->zone, PG_NO_ZONE);
	}
	pg_block_reset(st, start, one_type ? PAGUS_UNMOVABLE : PAGUS_MOVABLE);
}

void pg_plug_out(struct pg_call *c, const struct pg_plug *plug)
{
	for (pagus_pfn_t pfn = plug->start; pfn < plug->end; pfn += block_pages(c->st)) {
		pg_zone_lock(c, plug->z, PAGUS_REASON_ISOLATE);
		remove_block(c, plug->z, pg_index(c->st, pfn));
		pg_zone_unlock(c, plug->z);
	}
}

static bool has_memory(const struct pagus_state *st, uint32_t node)
{
	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (pg_zone(st, id)->node == node && pg_zone_populated(pg_zone(st, id)))
			return true;
	return false;
}

void pg_plug_populated(struct pg_call *c, const struct pg_plug *plug)
{
	pg_write(c->st->node_online[plug->node], has_memory(c->st, plug->node));
	pg_zonelist_build(c);
	if (!pg_places[c->st->place_policy]->mobility_off)
		pg_mobility_update(c->st);
}

void pg_plug_replan(struct pg_call *c)
{
	pg_watermark_replan(c);
	pg_pcp_publish_limits(c);
}
