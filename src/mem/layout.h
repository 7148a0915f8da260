/* SPDX-License-Identifier: MIT */
#ifndef PG_MEM_LAYOUT_H
#define PG_MEM_LAYOUT_H

#include "mem/state.h"

/* What the pcp policy wants to keep. */
struct pg_layout_wants {
	uint32_t nr_pcp_lists; /* a pcp */
	bool owners;           /* records of who owns a pageblock */
	bool maps;             /* pages as bits, in place of page records */
	bool superpageblocks;  /* records of these, and sets; only with maps */
};

/* Sizes and places of everything in the region, from a configuration alone. */
struct pg_layout {
	uint64_t off_section_slot, off_slot_section, off_cpu_node, off_nodes, off_zonelists;
	uint64_t off_zones, off_pcps;
	uint64_t off_pages, off_blocks, off_owns, off_maps, off_keeps, off_counters;
	uint64_t off_cmas, off_cma_bits, off_cma_stats;
	uint64_t off_ranges;
	uint64_t bytes;
	struct pg_layout_wants wants;
	uint32_t nr_nodes, nr_zones, first_section, nr_sections, nr_slots, first_page, nr_pages;
	uint64_t off_summaries[PG_MAX_ZONES]; /* of a zone */
	uint64_t off_spbs[PG_MAX_ZONES], off_spb_sets[PG_MAX_ZONES], first_spb[PG_MAX_ZONES];
	uint32_t nr_spbs[PG_MAX_ZONES], superpageblock_order;
	uint64_t plugs; /* bit n: node n has a range that may be plugged */
	uint8_t zone_id[PAGUS_MAX_NODES][PAGUS_NR_ZONE_TYPES]; /* PG_LAYOUT_NO_ZONE: no memory */
};
#define PG_LAYOUT_NO_ZONE 255

/* False if the configuration is not valid. */
bool pg_layout_compute(const struct pagus_config *cfg, const struct pg_layout_wants *wants,
		       struct pg_layout *layout);

/*
 * Fill the region: all pages reserved, all lists empty, no limits computed. The region is zero
 * before.
 */
void pg_layout_build(struct pagus_state *st, const struct pagus_config *cfg,
		     const struct pg_layout *layout);

#endif
