/* SPDX-License-Identifier: MIT */
/* What callers may see of the state: pagus.h, "Looking at it". Nothing here writes. */
#include "mem/superpageblock.h"
#include "pcp/pcp.h"
#include "zone/owner.h"
#include "zone/poison.h"

uint64_t pagus_counter_read(const struct pagus *p, enum pagus_counter counter)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; counter < PAGUS_NR_COUNTERS && cpu < p->state->nr_cpus; cpu++)
		sum += pg_counters(p->state, cpu)[counter];
	return sum;
}

bool pagus_cpu_online(const struct pagus *p, uint32_t cpu)
{
	return cpu < p->state->nr_cpus && pg_cpu_online(p->state, cpu);
}

uint32_t pagus_nr_zones(const struct pagus *p)
{
	return p->state->nr_zones;
}

static uint64_t deferred_pages(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t pages = pg_atomic_load(&z->deferred_pages);

	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++)
		pages += pg_atomic_load(&pg_pcp(st, z->id, cpu)->remote_pages);
	return pages;
}

/* Does nothing wait for the zone, or for a CPU? */
static bool none_waits(const struct pagus_state *st, const struct pg_zone *z)
{
	bool none = pg_atomic_load(&z->deferred) == PG_NONE;

	for (uint32_t cpu = 0; cpu < st->nr_cpus && none; cpu++)
		none = pg_atomic_load(&pg_pcp(st, z->id, cpu)->remote) == PG_NONE;
	return none;
}

static uint64_t remote_pages(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t pages = 0;

	if (none_waits(st, z))
		return 0;
	for (uint32_t b = z->first_block; b < z->end_block; b++)
		if (pg_map_zone(pg_map_at(st, b)) == z->id)
			pages += pg_map_remote_pages(pg_map_at(st, b));
	return pages;
}

enum pagus_status pagus_zone_info(const struct pagus *p, uint32_t zone,
				  struct pagus_zone_info *info)
{
	const struct pagus_state *st = p->state;
	const struct pg_zone *z;
	pagus_pfn_t start;

	if (zone >= st->nr_zones)
		return PAGUS_BAD_VALUE;
	z = pg_zone(st, zone);
	start = pg_read(z->start_pfn);
	*info = (struct pagus_zone_info){
		.node = z->node, .type = (enum pagus_zone_type)z->type,
		.start_pfn = start, .spanned = pg_read(z->end_pfn) - start,
		.present = pg_read(z->present), .managed = pg_read(z->managed),
		.free_pages = (uint64_t)pg_read(z->free_pages),
		.free_cma_pages = (uint64_t)pg_read(z->free_cma),
		.free_highatomic_pages = (uint64_t)pg_read(z->free_highatomic),
		.reserved_highatomic_pages = pg_read(z->reserved_highatomic),
		.pcp_high_min = pg_read(z->pcp_high_min),
		.pcp_high_max = pg_read(z->pcp_high_max), .pcp_batch = pg_read(z->pcp_batch),
		.boost = pg_read(z->boost),
		.leaked_pages = pg_atomic_load(&z->leaked_pages),
		.stat_threshold = pg_watermark_stat_threshold(st, z),
		.drift_mark = pg_watermark_drift_mark(st, z),
		.nr_isolated = pg_read(z->nr_isolated), .cma_pages = z->cma_pages,
	};
	info->deferred_pages = pg_mapped(st) ? remote_pages(st, z) : deferred_pages(st, z);
	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++) {
		info->pcp_pages += pg_read(pg_pcp(st, zone, cpu)->count);
	}
	for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
		info->nr_free[o] = pg_read(z->nr_free[o]);
	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		info->wmark[w] = pg_mark(z, w);
	for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
		info->lowmem_reserve[t] = pg_read(z->lowmem_reserve[t]);
	return PAGUS_OK;
}

uint64_t pagus_totalreserve_pages(const struct pagus *p)
{
	return pg_watermark_totalreserve(p->state, PAGUS_NO_NODE);
}

enum pagus_status pagus_pcp_info(const struct pagus *p, uint32_t zone, uint32_t cpu,
				 struct pagus_pcp_info *info)
{
	const struct pg_pcp *pcp;

	if (zone >= p->state->nr_zones || cpu >= p->state->nr_cpus)
		return PAGUS_BAD_VALUE;
	pcp = pg_pcp(p->state, zone, cpu);
	*info = (struct pagus_pcp_info){
		.count = pcp->count, .high = pg_pcp_high(p->state, pcp),
		.high_min = pcp->high_min, .high_max = pcp->high_max, .batch = pcp->batch,
		.alloc_factor = pcp->alloc_factor, .free_count = pcp->free_count,
		.flags = pcp->flags, .remote_pages = pg_atomic_load(&pcp->remote_pages),
	};
	return PAGUS_OK;
}

static uint64_t list_pfns(const struct pagus_state *st, uint32_t head, pagus_pfn_t *pfns,
			  uint64_t room)
{
	const struct pg_page *pages = pg_pages(st);
	uint64_t nr = 0;

	for (uint32_t i = pages[head].next; i != head; i = pages[i].next, nr++)
		if (nr < room)
			pfns[nr] = pg_pfn(st, i);
	return nr;
}

uint64_t pagus_free_list(const struct pagus *p, uint32_t zone, uint32_t order,
			 enum pagus_migratetype type, pagus_pfn_t *pfns, uint64_t room)
{
	const struct pagus_state *st = p->state;
	const struct pg_zone *z;
	uint64_t nr = 0;

	if (zone >= st->nr_zones || order > st->max_order || type >= PAGUS_NR_MIGRATETYPES)
		return 0;
	z = pg_zone(st, zone);
	for (uint32_t i = pg_store_first(st, z, order, type); i != PG_NONE;
	     i = pg_store_next(st, z, i, order, type), nr++)
		if (nr < room)
			pfns[nr] = pg_pfn(st, i);
	return nr;
}

uint64_t pagus_free_blocks(const struct pagus *p, uint32_t zone, uint32_t order,
			   enum pagus_migratetype type)
{
	return pagus_free_list(p, zone, order, type, NULL, 0);
}

uint32_t pagus_nr_pcp_lists(const struct pagus *p)
{
	return p->state->nr_pcp_lists;
}

/* The free blocks of a pageblock of exactly `order`. */
static uint64_t block_pfns(const struct pagus_state *st, const struct pg_map *m, uint32_t order,
			   pagus_pfn_t *pfns, uint64_t room)
{
	uint32_t start = pg_map_start(st, m), bit;
	uint64_t nr = 0;

	if (order == st->pageblock_order)
		bit = m->nr_free == 1u << order ? 0 : UINT32_MAX;
	else
		bit = pg_map_find_exact(st, m, order, 0);
	for (; bit < 1u << st->pageblock_order; nr++) {
		if (nr < room)
			pfns[nr] = pg_pfn(st, start + bit);
		bit = pg_map_find_exact(st, m, order, bit + (1u << order));
	}
	return nr;
}

/* What is free of the pageblocks that a CPU owns, as lists would have it. */
static uint64_t owned_pfns(const struct pagus_state *st, const struct pg_zone *z, uint32_t cpu,
			   uint32_t list, pagus_pfn_t *pfns, uint64_t room)
{
	uint64_t nr = 0;

	for (uint32_t b = z->first_block; b < z->end_block; b++) {
		const struct pg_map *m = pg_map_at(st, b);
		uint64_t left = nr < room ? room - nr : 0;

		if (pg_map_zone(m) == z->id && pg_map_owner(m) == cpu + 1 &&
		    pg_block_type(st, pg_map_start(st, m)) == list % PG_PCP_TYPES)
			nr += block_pfns(st, m, list / PG_PCP_TYPES, left ? pfns + nr : NULL, left);
	}
	return nr;
}

uint64_t pagus_pcp_list(const struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t list,
			pagus_pfn_t *pfns, uint64_t room)
{
	if (zone >= p->state->nr_zones || cpu >= p->state->nr_cpus || list >= p->state->nr_pcp_lists)
		return 0;
	if (pg_mapped(p->state))
		return owned_pfns(p->state, pg_zone(p->state, zone), cpu, list, pfns, room);
	return list_pfns(p->state, pg_pcp(p->state, zone, cpu)->first_head + list, pfns, room);
}

uint32_t pagus_zonelist(const struct pagus *p, uint32_t node, bool this_node_only, uint8_t *zones,
			uint32_t room)
{
	const uint8_t *list;

	if (node >= p->state->nr_nodes)
		return 0;
	list = pg_zonelist(p->state, node, this_node_only);
	for (uint32_t n = 0; n < list[0] && n < room; n++)
		zones[n] = list[n + 1];
	return list[0];
}

enum pagus_status pagus_page_info(const struct pagus *p, pagus_pfn_t pfn,
				  struct pagus_page_info *info)
{
	const struct pagus_state *st = p->state;
	uint32_t i = pg_index(st, pfn);
	const struct pg_page *page = pg_page(st, i);
	struct pg_view view;

	if (i == PG_NONE)
		return PAGUS_BAD_RANGE;
	view = pg_view(st, i);
	*info = (struct pagus_page_info){
		.kind = (enum pagus_page_kind)view.kind, .order = view.order,
		.zone = view.zone == PG_NO_ZONE ? UINT32_MAX : view.zone,
		.block_type = (enum pagus_migratetype)pg_block_type(st, i),
		.owner = pg_owner(st, i),
	};
	if (view.kind == PAGUS_PAGE_HOLE && pg_range_of(st, pfn))
		info->kind = PAGUS_PAGE_OFFLINE;
	info->poisoned = pg_poison_noted(st, i) || pg_poison_leaked(st, i);
	info->reported = view.kind == PAGUS_PAGE_FREE && pg_store_is_reported(st, i);
	if (view.kind != PAGUS_PAGE_FREE && view.kind != PAGUS_PAGE_LEAKED)
		info->request_type = (enum pagus_migratetype)view.type;
	if (view.kind == PAGUS_PAGE_INHERITED)
		info->references = 1;
	if (view.kind != PAGUS_PAGE_ALLOCATED)
		return PAGUS_OK;
	info->references = 1 + pg_references(st, i);
	if (pg_mapped(st))
		return PAGUS_OK;
	info->compound = page->next & PG_MARK_COMPOUND;
	info->pfmemalloc = page->next & PG_MARK_PFMEMALLOC;
	return PAGUS_OK;
}

uint32_t pagus_unusable_index(const struct pagus *p, uint32_t zone, uint32_t order)
{
	struct pg_free_sum sum = pg_free_sum(p->state, zone, order);

	if (sum.pages == 0 || order > p->state->max_order)
		return 1000;
	return (uint32_t)((sum.pages - (sum.suitable << order)) * 1000 / sum.pages);
}

int32_t pagus_extfrag_index(const struct pagus *p, uint32_t zone, uint32_t order)
{
	return pg_extfrag_index(p->state, zone, order);
}

/* ---- superpageblocks ------------------------------------------------------------------------- */

uint32_t pagus_nr_superpageblocks(const struct pagus *p, uint32_t zone)
{
	return zone < p->state->nr_zones ? pg_zone(p->state, zone)->nr_spbs : 0;
}

enum pagus_status pagus_superpageblock_info(const struct pagus *p, uint32_t zone, uint32_t n,
					    struct pagus_superpageblock_info *info)
{
	const struct pagus_state *st = p->state;
	const struct pg_spb *s;

	if (n >= pagus_nr_superpageblocks(p, zone))
		return PAGUS_BAD_VALUE;
	s = pg_spb(st, pg_zone(st, zone), n);
	*info = (struct pagus_superpageblock_info){
		.start_pfn = s->start_pfn, .order = st->superpageblock_order,
		.nr_pageblocks = s->nr_blocks,
		.nr_reserved = pg_spb_slots(st) - s->nr_blocks + s->nr_hold[PG_HOLD_GAP],
		.nr_whole = s->nr_hold[PG_HOLD_WHOLE],
		.nr_unmovable = s->nr_hold[PG_HOLD_UNMOVABLE],
		.nr_movable = s->nr_hold[PG_HOLD_MOVABLE],
		.nr_reclaimable = s->nr_hold[PG_HOLD_RECLAIMABLE],
		.free_pages = s->free_pages, .reserve_pages = s->reserve_pages,
		.tainted = pg_spb_is(s, PG_SPB_TAINTED),
	};
	return PAGUS_OK;
}

uint32_t pagus_superpageblock_order(uint64_t spanned)
{
	return pg_spb_choose_order(spanned, 9 + 3);
}
