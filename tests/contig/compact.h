/* SPDX-License-Identifier: MIT */
/* What the tests of compaction share: machines in a state, and what became of it. */
#ifndef TEST_CONTIG_COMPACT_H
#define TEST_CONTIG_COMPACT_H

#include <pagus/compact.h>

#include "contig/contig.h"

#define COMPACT_PAGES 16384u /* 32 pageblocks */

static const char *const compact_policies[] = {
	"linux", "pcpbuddy", "pcpbuddy-bitmap", "linux-6.1",
};
static const struct pagus_range compact_range = {
	.nr_pages = COMPACT_PAGES, .zone = PAGUS_ZONE_BY_CEILING,
};

/* One zone, no marks, all of its pages in slots of single movable pages: slot n has page n. */
static inline void compact_fill(struct contig_lab *l, const char *policy)
{
	struct pagus_config cfg = lab_config(&compact_range, 1, policy);
	struct pagus_result res;
	const struct pagus_request req = { .gfp = GFP_HIGHUSER_MOVABLE, .node = PAGUS_NO_NODE,
					   .task = PAGUS_TASK_MEMALLOC };

	contig_boot(l, &cfg, COMPACT_PAGES, COMPACT_PAGES);
	lab_no_marks(&l->lab);
	while (pagus_alloc(&l->lab.p, &req, &res) == PAGUS_OK)
		pagus_sim_fill(&l->owner, (uint32_t)res.pfn, res.pfn, 0);
}

static inline uint64_t compact_free_blocks(const struct contig_lab *l, uint32_t order)
{
	const struct pagus_zone_info info = unit_zone(&l->lab, 0);
	uint64_t nr = 0;

	for (uint32_t o = order; o <= PAGUS_MAX_ORDER; o++)
		nr += info.nr_free[o] << (o - order);
	return nr;
}

static inline uint32_t compact_used(const struct contig_lab *l)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < l->owner.nr_slots; n++)
		nr += l->owner.slot[n].pfn != PAGUS_NO_PFN;
	return nr;
}

static inline enum pagus_compact_result compact_zone(struct contig_lab *l, uint32_t order,
						     enum pagus_migrate_mode mode,
						     struct pagus_compaction *stats)
{
	const struct pagus_compact_zone how = {
		.order = order, .migratetype = PAGUS_MOVABLE, .gfp = GFP_KERNEL, .mode = mode,
	};
	enum pagus_compact_result result = pagus_compact_zone(&l->lab.p, &how, stats);

	contig_check(l);
	assert_int_equal(l->lab.sim.pins, 0);
	return result;
}

#endif
