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

/* The slots first, first + step ... below end are emptied; nothing stays on pcps. */
static inline void compact_empty(struct contig_lab *l, uint32_t first, uint32_t end, uint32_t step)
{
	for (uint32_t slot = first; slot < end; slot += step)
		contig_empty(l, slot);
	pagus_drain_all(&l->lab.p);
	contig_check(l);
}

/* Every second page is free. */
static inline void compact_checkerboard(struct contig_lab *l, const char *policy)
{
	compact_fill(l, policy);
	compact_empty(l, 0, COMPACT_PAGES, 2);
}

/* Pages of each slot from `first` to `end`, a pageblock or more, have these traits. */
static inline void compact_mark(struct contig_lab *l, uint32_t first, uint32_t end, uint32_t step,
				uint32_t traits)
{
	for (uint32_t slot = first; slot < end; slot += step)
		l->owner.slot[slot].traits = traits;
}

/* Pages that may be had: free, or on pcps, or on the way. */
static inline uint64_t compact_free_pages(const struct contig_lab *l)
{
	const struct pagus_zone_info info = unit_zone(&l->lab, 0);

	return info.free_pages + info.pcp_pages + info.deferred_pages;
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

/*
 * What stands of any run, in vain or not (property 18): nothing is lost, claimed or gained, contents are
 * those of before, and no lock is held.
 */
static inline void compact_settled(const struct contig_lab *l, uint32_t used, uint64_t free)
{
	contig_check(l);
	assert_int_equal(l->lab.sim.pins, 0);
	assert_int_equal(compact_used(l), used);
	assert_int_equal(compact_free_pages(l), free);
	assert_int_equal(l->owner.nr_isolated, l->owner.nr_moves + l->owner.nr_putbacks);
	for (uint32_t n = 0; n < l->owner.nr_slots; n++)
		assert_false(l->owner.slot[n].isolated);
}

static inline enum pagus_compact_result compact_as(struct contig_lab *l,
						   const struct pagus_compact_zone *how,
						   struct pagus_compaction *stats)
{
	const uint64_t free = compact_free_pages(l);
	const uint32_t used = compact_used(l);
	enum pagus_compact_result result = pagus_compact_zone(&l->lab.p, how, stats);

	compact_settled(l, used, free);
	return result;
}

static inline enum pagus_compact_result compact_zone(struct contig_lab *l, uint32_t order,
						     enum pagus_migrate_mode mode,
						     struct pagus_compaction *stats)
{
	const struct pagus_compact_zone how = {
		.order = order, .migratetype = PAGUS_MOVABLE, .gfp = GFP_KERNEL, .mode = mode,
	};

	return compact_as(l, &how, stats);
}

/* A request's: refused, or granted, and then freed again. */
static inline enum pagus_status compact_ask(struct contig_lab *l, uint32_t gfp, uint32_t order)
{
	const struct pagus_request req = { .gfp = gfp, .order = order, .node = PAGUS_NO_NODE };
	const uint64_t free = compact_free_pages(l);
	const uint32_t used = compact_used(l);
	struct pagus_result res;

	if (pagus_alloc(&l->lab.p, &req, &res) == PAGUS_OK)
		unit_free(&l->lab, res.pfn, order);
	compact_settled(l, used, free);
	return res.status;
}

#endif
