/* SPDX-License-Identifier: MIT */
/*
 * Layout: which zones and sections a configuration has, how large the region is, and its first
 * contents.
 *
 * Size = 16 bytes a page record, 1 byte a pageblock (29 where CPUs own pageblocks), 16 bytes a list
 * (66 a zone; 14 a zone and CPU, or as many as the pcp policy wants), and small tables. With maps:
 * 394 bytes a pageblock in place of these, and 216 bytes a superpageblock, where there are any.
 * Where there may be CMA areas, a bit a page more. Records exist for whole sections, holes inside
 * them included.
 */
#include "mem/layout.h"

#include "base/bits.h"
#include "mem/area.h"
#include "mem/geometry.h"
#include "mem/list.h"
#include "mem/superpageblock.h"

#define MAX_SECTIONS (1u << 24)
#define MAX_RANGES   65536u

/* The part of a range that belongs to one zone type from the beginning; false if none does. */
static bool range_part(const struct pagus_config *cfg, const struct pagus_range *range,
		       uint32_t type, uint64_t *start, uint64_t *end)
{
	uint64_t dma = cfg->dma_ceiling, dma32 = pg_max(dma, cfg->dma32_ceiling);
	uint64_t normal = cfg->normal_ceiling ? cfg->normal_ceiling : UINT64_MAX;
	const uint64_t floor[] = { 0, dma, dma32, normal };
	const uint64_t ceiling[] = { dma, dma32, normal, UINT64_MAX };

	*start = range->start_pfn;
	*end = range->start_pfn + range->nr_pages;
	if (range->offline)
		return false;
	if (range->zone != PAGUS_ZONE_BY_CEILING)
		return range->zone == type;
	if (type == PAGUS_ZONE_MOVABLE)
		return false;
	*start = pg_max(*start, floor[type]);
	*end = pg_min(*end, ceiling[type]);
	return *start < *end;
}

/*
 * The part of a range that may come to belong to a zone: where memory can be plugged into a node, all
 * of the node's may to Normal and to Movable.
 */
static bool range_room(const struct pagus_config *cfg, const struct pagus_range *range, bool plugs,
		       uint32_t type, uint64_t *start, uint64_t *end)
{
	bool part = range_part(cfg, range, type, start, end);

	if (!plugs || (type != PAGUS_ZONE_NORMAL && type != PAGUS_ZONE_MOVABLE))
		return part;
	*start = range->start_pfn;
	*end = range->start_pfn + range->nr_pages;
	return true;
}

/* Memory comes in sections' ends, and begins with a pageblock; HighMem is never plugged. */
static bool offline_valid(const struct pagus_config *cfg, const struct pagus_range *range)
{
	uint64_t end = range->start_pfn + range->nr_pages;

	return !range->offline ||
	       (range->zone == PAGUS_ZONE_BY_CEILING && !cfg->normal_ceiling &&
		range->start_pfn % (UINT64_C(1) << cfg->pageblock_order) == 0 &&
		end % (UINT64_C(1) << cfg->section_order) == 0);
}

/* The first range of memory; NULL if there is none. */
static const struct pagus_range *first_memory(const struct pagus_config *cfg)
{
	for (uint32_t r = 0; r < cfg->nr_ranges; r++)
		if (!cfg->ranges[r].offline)
			return &cfg->ranges[r];
	return NULL;
}

static bool config_valid(const struct pagus_config *cfg)
{
	uint64_t end = 0;

	if (!cfg->ranges || cfg->nr_ranges == 0 || cfg->nr_ranges > MAX_RANGES)
		return false;
	if (cfg->nr_cpus == 0 || cfg->nr_cpus > PAGUS_MAX_CPUS)
		return false;
	if (cfg->max_order == 0 || cfg->max_order > PAGUS_MAX_ORDER || cfg->pageblock_order == 0 ||
	    cfg->pageblock_order > cfg->max_order || cfg->section_order < cfg->max_order ||
	    cfg->section_order > 24)
		return false;
	if (cfg->grouping >= PAGUS_NR_GROUPINGS || cfg->nr_cma_areas > PAGUS_MAX_CMA_AREAS)
		return false;
	/* A page below two ceilings would be in two zones. */
	if ((cfg->dma32_ceiling && cfg->dma32_ceiling < cfg->dma_ceiling) ||
	    (cfg->normal_ceiling && (cfg->normal_ceiling < cfg->dma_ceiling ||
				     cfg->normal_ceiling < cfg->dma32_ceiling)))
		return false;
	for (uint32_t c = 0; cfg->cpu_node && c < cfg->nr_cpus; c++)
		if (cfg->cpu_node[c] >= PAGUS_MAX_NODES)
			return false;
	for (uint32_t r = 0; r < cfg->nr_ranges; r++) {
		const struct pagus_range *range = &cfg->ranges[r];

		if (range->node >= PAGUS_MAX_NODES || range->zone > PAGUS_ZONE_BY_CEILING ||
		    range->nr_pages == 0 || range->start_pfn < end ||
		    range->start_pfn > UINT64_MAX / 2 || range->nr_pages > UINT64_MAX / 4 ||
		    !offline_valid(cfg, range))
			return false;
		end = range->start_pfn + range->nr_pages;
	}
	return first_memory(cfg);
}

static void find_zones(const struct pagus_config *cfg, struct pg_layout *l)
{
	uint64_t start, end;

	for (uint32_t r = 0; r < cfg->nr_ranges; r++)
		l->plugs |= (uint64_t)cfg->ranges[r].offline << cfg->ranges[r].node;
	for (uint32_t n = 0; n < PAGUS_MAX_NODES; n++)
		for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
			l->zone_id[n][t] = PG_LAYOUT_NO_ZONE;
	for (uint32_t r = 0; r < cfg->nr_ranges; r++)
		for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
			if (range_room(cfg, &cfg->ranges[r], l->plugs >> cfg->ranges[r].node & 1, t,
				       &start, &end))
				l->zone_id[cfg->ranges[r].node][t] = 0;
	for (uint32_t n = 0; n < PAGUS_MAX_NODES; n++) {
		for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++) {
			if (l->zone_id[n][t] == PG_LAYOUT_NO_ZONE)
				continue;
			l->nr_nodes = n + 1;
			l->zone_id[n][t] = (uint8_t)pg_min(l->nr_zones, PG_MAX_ZONES);
			l->nr_zones++;
		}
	}
	for (uint32_t c = 0; cfg->cpu_node && c < cfg->nr_cpus; c++)
		l->nr_nodes = (uint32_t)pg_max(l->nr_nodes, cfg->cpu_node[c] + 1);
}

/* Ranges ascend, so a section is new exactly when it lies behind the last one counted. */
static uint64_t count_sections(const struct pagus_config *cfg)
{
	uint64_t nr = 0, next = 0;

	for (uint32_t r = 0; r < cfg->nr_ranges; r++) {
		uint64_t first = cfg->ranges[r].start_pfn >> cfg->section_order;
		uint64_t last = (cfg->ranges[r].start_pfn + cfg->ranges[r].nr_pages - 1) >>
				cfg->section_order;

		first = pg_max(first, next);
		if (last >= first)
			nr += last - first + 1;
		next = last + 1;
	}
	return nr;
}

static uint64_t place(uint64_t *at, uint64_t bytes)
{
	uint64_t offset = *at;

	*at = pg_align_up(offset + bytes, 64);
	return offset;
}

/* None, a head a pcp, one a pageblock. */
static uint64_t nr_owns(const struct pagus_config *cfg, const struct pg_layout *l)
{
	return 1 + (uint64_t)l->nr_zones * cfg->nr_cpus + (l->nr_pages >> cfg->pageblock_order);
}

/* The first and the last pfn that a zone has room for. */
static void find_room(const struct pagus_config *cfg, uint64_t plugs, uint32_t node, uint32_t type,
		      uint64_t *first, uint64_t *last)
{
	uint64_t start, end;

	*first = UINT64_MAX;
	*last = 0;
	for (uint32_t r = 0; r < cfg->nr_ranges; r++) {
		if (cfg->ranges[r].node != node ||
		    !range_room(cfg, &cfg->ranges[r], plugs >> node & 1, type, &start, &end))
			continue;
		*first = pg_min(*first, start);
		*last = end - 1;
	}
}

/* How many aligned units of 2^order pages a zone has room for; *first: number of the first. */
static uint64_t span_units(const struct pagus_config *cfg, uint64_t plugs, uint32_t node,
			   uint32_t type, uint32_t order, uint64_t *first)
{
	uint64_t last;

	find_room(cfg, plugs, node, type, first, &last);
	*first >>= order;
	return (last >> order) - *first + 1;
}

/* Pageblocks of these, at most: not more than there are in all. */
static uint64_t span_blocks(const struct pagus_config *cfg, uint64_t plugs, uint32_t node,
			    uint32_t type, uint64_t blocks)
{
	uint64_t first;

	return pg_min(span_units(cfg, plugs, node, type, cfg->pageblock_order, &first), blocks);
}

static void place_maps(const struct pagus_config *cfg, struct pg_layout *l, uint64_t *at)
{
	uint64_t blocks = l->nr_pages >> cfg->pageblock_order;

	l->off_maps = place(at, blocks * sizeof(struct pg_map));
	for (uint32_t n = 0; n < PAGUS_MAX_NODES; n++)
		for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
			if (l->zone_id[n][t] != PG_LAYOUT_NO_ZONE)
				l->off_summaries[l->zone_id[n][t]] =
					place(at, PG_NR_FREE_HEADS * 8 *
						  pg_summary_words(span_blocks(cfg, l->plugs, n, t,
										   blocks)));
	l->off_keeps = place(at, (uint64_t)l->nr_zones * cfg->nr_cpus * sizeof(struct pg_keep));
}

static uint32_t superpageblock_order(const struct pagus_config *cfg, const struct pg_layout *l)
{
	uint32_t least = (uint32_t)pg_max(cfg->max_order, cfg->pageblock_order + 3);
	uint64_t largest = 0, first;

	if (cfg->superpageblock_order)
		return cfg->superpageblock_order >= least &&
		       cfg->superpageblock_order <= PG_SPB_MAX_ORDER ? cfg->superpageblock_order : 0;
	for (uint32_t n = 0; n < PAGUS_MAX_NODES; n++)
		for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
			if (l->zone_id[n][t] != PG_LAYOUT_NO_ZONE)
				largest = pg_max(largest, span_units(cfg, l->plugs, n, t, 0, &first));
	return pg_spb_choose_order(largest, least);
}

/* False if the configured order is not valid, or a zone spans too many of them. */
static bool place_spbs(const struct pagus_config *cfg, struct pg_layout *l, uint64_t *at)
{
	l->superpageblock_order = superpageblock_order(cfg, l);
	if (l->superpageblock_order == 0)
		return false;
	for (uint32_t n = 0; n < PAGUS_MAX_NODES; n++) {
		for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++) {
			uint32_t id = l->zone_id[n][t];
			uint64_t nr;

			if (id == PG_LAYOUT_NO_ZONE)
				continue;
			nr = span_units(cfg, l->plugs, n, t, l->superpageblock_order,
					&l->first_spb[id]);
			if (nr > PG_SPB_MAX)
				return false;
			l->nr_spbs[id] = (uint32_t)nr;
			l->off_spbs[id] = place(at, nr * sizeof(struct pg_spb));
			l->off_spb_sets[id] = place(at, PG_NR_SPB_SETS * 8 * pg_spb_set_words(nr));
		}
	}
	return true;
}

/* A map has bits for so many pages, and one zone. */
static bool maps_fit(const struct pagus_config *cfg)
{
	uint64_t block_pages = UINT64_C(1) << cfg->pageblock_order;
	const struct pagus_range *r = cfg->ranges;

	if (cfg->pageblock_order > PG_MAP_MAX_ORDER || cfg->dma_ceiling % block_pages ||
	    cfg->dma32_ceiling % block_pages || cfg->normal_ceiling % block_pages)
		return false;
	for (uint32_t n = 1; n < cfg->nr_ranges; n++)
		if ((r[n].node != r[n - 1].node || r[n].zone != r[n - 1].zone) &&
		    r[n].start_pfn / block_pages ==
			    (r[n - 1].start_pfn + r[n - 1].nr_pages - 1) / block_pages)
			return false;
	return true;
}

bool pg_layout_compute(const struct pagus_config *cfg, const struct pg_layout_wants *wants,
		       struct pg_layout *l)
{
	uint64_t first, last, slots, heads, at = 0;

	*l = (struct pg_layout){ .wants = *wants };
	if (!config_valid(cfg) || (wants->maps && !maps_fit(cfg)))
		return false;
	find_zones(cfg, l);
	first = cfg->ranges[0].start_pfn >> cfg->section_order;
	last = (cfg->ranges[cfg->nr_ranges - 1].start_pfn +
		cfg->ranges[cfg->nr_ranges - 1].nr_pages - 1) >> cfg->section_order;
	slots = count_sections(cfg);
	heads = (uint64_t)l->nr_zones * (PG_NR_FREE_HEADS + cfg->nr_cpus * wants->nr_pcp_lists);
	heads = pg_align_up(wants->maps ? 1 : heads, UINT64_C(1) << cfg->max_order);
	if (l->nr_zones > PG_MAX_ZONES || last - first >= MAX_SECTIONS || last > UINT32_MAX ||
	    heads + (slots << cfg->section_order) > UINT32_MAX)
		return false;

	l->first_section = (uint32_t)first;
	l->nr_sections = (uint32_t)(last - first + 1);
	l->nr_slots = (uint32_t)slots;
	l->first_page = (uint32_t)heads;
	l->nr_pages = (uint32_t)(slots << cfg->section_order);
	place(&at, sizeof(struct pagus_state));
	l->off_section_slot = place(&at, l->nr_sections * UINT64_C(4));
	l->off_slot_section = place(&at, l->nr_slots * UINT64_C(4));
	l->off_cpu_node = place(&at, cfg->nr_cpus * UINT64_C(4));
	l->off_nodes = place(&at, l->nr_nodes * sizeof(struct pg_node));
	l->off_zones = place(&at, l->nr_zones * sizeof(struct pg_zone));
	l->off_pcps = place(&at, (uint64_t)l->nr_zones * cfg->nr_cpus * sizeof(struct pg_pcp));
	if (!wants->maps)
		l->off_pages = place(&at, (heads + l->nr_pages) * sizeof(struct pg_page));
	l->off_blocks = place(&at, l->nr_pages >> cfg->pageblock_order);
	if (wants->owners)
		l->off_owns = place(&at, nr_owns(cfg, l) * sizeof(struct pg_own));
	if (wants->maps)
		place_maps(cfg, l, &at);
	if (wants->superpageblocks && !place_spbs(cfg, l, &at))
		return false;
	l->off_cmas = place(&at, cfg->nr_cma_areas * sizeof(struct pg_cma));
	l->off_cma_bits = place(&at, cfg->nr_cma_areas ?
				     pg_cma_pool(l->nr_pages, cfg->nr_cma_areas) * 8 : 0);
	l->off_ranges = place(&at, cfg->nr_ranges * sizeof(struct pg_range));
	l->off_zonelists = place(&at, 64 + 2 * pg_zonelists_bytes(l->nr_nodes, l->nr_zones));
	l->off_counters = place(&at, (uint64_t)cfg->nr_cpus * PAGUS_NR_COUNTERS * 8);
	l->off_cma_stats = place(&at, cfg->nr_cma_areas * sizeof(struct pg_cma_stats));
	l->bytes = at;
	return true;
}

static void build_sections(struct pagus_state *st, const struct pagus_config *cfg)
{
	uint32_t *section_slot = pg_at(st, st->off_section_slot);
	uint32_t *slot_section = pg_at(st, st->off_slot_section);
	uint32_t slot = 0;

	for (uint32_t s = 0; s < st->nr_sections; s++)
		section_slot[s] = PG_NO_SLOT;
	for (uint32_t r = 0; r < cfg->nr_ranges; r++) {
		uint64_t start = cfg->ranges[r].start_pfn, end = start + cfg->ranges[r].nr_pages;

		for (uint64_t s = start >> st->section_order; s <= (end - 1) >> st->section_order;
		     s++) {
			if (section_slot[s - st->first_section] != PG_NO_SLOT)
				continue;
			section_slot[s - st->first_section] = slot;
			slot_section[slot++] = (uint32_t)s;
		}
	}
	PG_ASSERT(slot == st->nr_slots);
}

static void make_present(struct pagus_state *st, struct pg_zone *z, uint32_t i)
{
	if (pg_mapped(st)) {
		pg_map_present(st, i, z->id);
		if (st->superpageblock_order)
			pg_spb_present(st, z, i);
		return;
	}
	pg_page(st, i)->zone = (uint16_t)z->id;
	pg_page_set(pg_page(st, i), PAGUS_PAGE_RESERVED, 0, 0);
}

static void build_spbs(const struct pagus_state *st, struct pg_zone *z, const struct pg_layout *l)
{
	z->off_spbs = l->off_spbs[z->id];
	z->off_spb_sets = l->off_spb_sets[z->id];
	z->first_spb = l->first_spb[z->id];
	z->nr_spbs = l->nr_spbs[z->id];
	for (uint32_t n = 0; n < z->nr_spbs; n++)
		pg_spb(st, z, n)->start_pfn = (z->first_spb + n) << st->superpageblock_order;
}

static void build_ranges(struct pagus_state *st, const struct pagus_config *cfg)
{
	struct pg_range *ranges = pg_at(st, st->off_ranges);

	for (uint32_t r = 0; r < cfg->nr_ranges; r++)
		ranges[r] = (struct pg_range){
			.start_pfn = cfg->ranges[r].start_pfn,
			.end_pfn = cfg->ranges[r].start_pfn + cfg->ranges[r].nr_pages,
			.node = cfg->ranges[r].node, .boot = !cfg->ranges[r].offline,
		};
}

/* A zone without memory so far. */
static void build_zone(struct pagus_state *st, const struct pagus_config *cfg,
		       const struct pg_layout *l, uint32_t node, uint32_t type)
{
	uint32_t id = l->zone_id[node][type];
	struct pg_zone *z = pg_zone(st, id);
	uint64_t first, last;

	find_room(cfg, l->plugs, node, type, &first, &last);
	z->first_block = pg_block(st, pg_index(st, first));
	z->end_block = pg_block(st, pg_index(st, last)) + 1;
	z->node = node;
	z->type = type;
	z->id = id;
	z->off_summaries = l->off_summaries[id];
	z->first_head = id * PG_NR_FREE_HEADS;
	z->compact_order_failed = st->max_order + 1;
	build_spbs(st, z, l);
}

static void build_zones(struct pagus_state *st, const struct pagus_config *cfg,
			const struct pg_layout *l)
{
	uint64_t start, end;

	for (uint32_t n = 0; n < PAGUS_MAX_NODES; n++)
		for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
			if (l->zone_id[n][t] != PG_LAYOUT_NO_ZONE)
				build_zone(st, cfg, l, n, t);

	for (uint32_t r = 0; r < cfg->nr_ranges; r++) {
		for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++) {
			struct pg_zone *z;
			uint32_t id = l->zone_id[cfg->ranges[r].node][t];

			if (!range_part(cfg, &cfg->ranges[r], t, &start, &end))
				continue;
			z = pg_zone(st, id);
			if (z->end_pfn == 0)
				z->start_pfn = start;
			z->end_pfn = end;
			z->present += end - start;
			z->present_early += end - start;
			st->node_online[z->node] = 1;
			for (uint64_t pfn = start; pfn < end; pfn++)
				make_present(st, z, pg_index(st, pfn));
		}
	}
}

static void build_records(struct pagus_state *st)
{
	struct pg_page *pages = pg_pages(st);
	uint32_t heads = st->nr_zones * (PG_NR_FREE_HEADS + st->nr_cpus * st->nr_pcp_lists);

	for (uint32_t i = 0; i < st->nr_pages; i++)
		pages[st->first_page + i].zone = PG_NO_ZONE;
	for (uint32_t h = 0; h < heads; h++)
		pg_list_init(pages, h);
}

static void build_pcps(struct pagus_state *st)
{
	for (uint32_t z = 0; z < st->nr_zones; z++) {
		for (uint32_t c = 0; c < st->nr_cpus; c++) {
			struct pg_pcp *pcp = pg_pcp(st, z, c);

			pcp->zone = z;
			pcp->cpu = c;
			pcp->batch = 1;
			pcp->first_head = st->nr_zones * PG_NR_FREE_HEADS +
					  (z * st->nr_cpus + c) * st->nr_pcp_lists;
		}
	}
}

static uint32_t configured_types(const struct pagus_config *cfg)
{
	uint32_t types = 1u << PAGUS_ZONE_NORMAL | 1u << PAGUS_ZONE_MOVABLE;

	types |= cfg->dma_ceiling ? 1u << PAGUS_ZONE_DMA : 0;
	types |= cfg->dma32_ceiling ? 1u << PAGUS_ZONE_DMA32 : 0;
	types |= cfg->normal_ceiling ? 1u << PAGUS_ZONE_HIGHMEM : 0;
	for (uint32_t r = 0; r < cfg->nr_ranges; r++)
		if (cfg->ranges[r].zone != PAGUS_ZONE_BY_CEILING)
			types |= 1u << cfg->ranges[r].zone;
	return types;
}

void pg_layout_build(struct pagus_state *st, const struct pagus_config *cfg,
		     const struct pg_layout *l)
{
	uint32_t *cpu_node;

	*st = (struct pagus_state){
		.bytes = l->bytes, .digest_bytes = l->off_zonelists,
		.off_section_slot = l->off_section_slot, .off_slot_section = l->off_slot_section,
		.off_cpu_node = l->off_cpu_node, .off_nodes = l->off_nodes,
		.off_zonelists = l->off_zonelists,
		.off_zones = l->off_zones, .off_pcps = l->off_pcps, .off_pages = l->off_pages,
		.off_blocks = l->off_blocks, .off_owns = l->off_owns, .off_maps = l->off_maps,
		.off_keeps = l->off_keeps, .off_cmas = l->off_cmas, .off_cma_bits = l->off_cma_bits,
		.off_cma_stats = l->off_cma_stats, .cma_room = cfg->nr_cma_areas,
		.off_ranges = l->off_ranges, .nr_ranges = cfg->nr_ranges,
		.off_counters = l->off_counters,
		.nr_nodes = l->nr_nodes, .nr_cpus = cfg->nr_cpus, .nr_zones = l->nr_zones,
		.max_order = cfg->max_order, .pageblock_order = cfg->pageblock_order,
		.section_order = cfg->section_order, .first_section = l->first_section,
		.nr_sections = l->nr_sections, .nr_slots = l->nr_slots,
		.first_page = l->first_page, .nr_pages = l->nr_pages, .thp = cfg->thp,
		.counter_drift = cfg->counter_drift,
		.superpageblock_order = l->superpageblock_order,
		.grouping = cfg->grouping, .nr_pcp_lists = l->wants.nr_pcp_lists,
	};
	st->zone_types = configured_types(cfg);
	for (uint32_t turn = 0; turn < 2; turn++)
		st->off_turns[turn] = l->off_zonelists + 64 +
				      turn * pg_zonelists_bytes(l->nr_nodes, l->nr_zones);
	for (uint32_t n = 0; n < st->nr_nodes; n++)
		pg_node(st, n)->wanted_highest = pg_node(st, n)->compact_wanted_highest =
			PAGUS_NR_ZONE_TYPES;
	cpu_node = pg_at(st, st->off_cpu_node);
	for (uint32_t c = 0; c < cfg->nr_cpus; c++)
		cpu_node[c] = cfg->cpu_node ? cfg->cpu_node[c] : first_memory(cfg)->node;
	build_sections(st, cfg);
	build_ranges(st, cfg);
	if (pg_mapped(st))
		pg_map_build(st);
	else
		build_records(st);
	build_pcps(st);
	build_zones(st, cfg, l);
}
