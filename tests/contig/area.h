/* SPDX-License-Identifier: MIT */
/*
 * Worlds with CMA areas. Memory begins where areas are best put, at pfn 2^20, unless a test says
 * otherwise.
 */
#ifndef TEST_CONTIG_AREA_H
#define TEST_CONTIG_AREA_H

#include "contig/world.h"

#include <pagus/cma.h>

#define FIRST (UINT64_C(1) << 20)
#define AREA  (PAGES / 4 * 3) /* more than half: movable requests take it first */
#define USE_CMA 3 /* of the policies; under 6.1, as it was built, no request takes CMA pages */

static const struct pagus_range range = { .start_pfn = FIRST, .nr_pages = PAGES,
					  .zone = PAGUS_ZONE_BY_CEILING };

static inline void open_with(struct contig_lab *l, const struct pagus_range *ranges, uint32_t nr,
		      const char *policy)
{
	struct pagus_config cfg = lab_config(ranges, nr, policy);

	cfg.nr_cpus = 2;
	cfg.nr_cma_areas = 20;
	contig_open(l, &cfg, PAGES, SLOTS);
	l->owner.start_pfn = FIRST;
}

static inline void boot(struct contig_lab *l, const struct pagus_range *ranges, uint32_t nr)
{
	for (uint32_t r = 0; r < nr; r++)
		assert_int_equal(pagus_boot_free(&l->lab.p, ranges[r].start_pfn,
						 ranges[r].nr_pages),
				 PAGUS_OK);
	assert_int_equal(pagus_boot_done(&l->lab.p), PAGUS_OK);
	lab_no_marks(&l->lab);
	contig_check(l);
}

static inline struct pagus_cma_declaration declaration(uint64_t nr_pages)
{
	return (struct pagus_cma_declaration){ .nr_pages = nr_pages, .node = PAGUS_NO_NODE };
}

static inline uint32_t declare(struct contig_lab *l, const struct pagus_cma_declaration *d)
{
	uint32_t area;

	assert_int_equal(pagus_cma_declare(&l->lab.p, d, &area), PAGUS_OK);
	return area;
}

static inline struct pagus_cma_info info_of(const struct contig_lab *l, uint32_t area)
{
	struct pagus_cma_info info;

	assert_int_equal(pagus_cma_info(&l->lab.p, area, &info), PAGUS_OK);
	return info;
}

/* One area of so many pages, all memory handed over. */
static inline void open_area(struct contig_lab *l, uint32_t n, uint64_t nr_pages,
			     uint32_t order_per_bit)
{
	struct pagus_cma_declaration d = declaration(nr_pages);

	d.order_per_bit = order_per_bit;
	open_with(l, &range, 1, policies[n]);
	assert_int_equal(declare(l, &d), 0);
	boot(l, &range, 1);
}

static inline enum pagus_status take(struct contig_lab *l, uint64_t nr, uint32_t align,
				     pagus_pfn_t *pfn)
{
	return pagus_cma_alloc(&l->lab.p, 0, nr, align, GFP_KERNEL, NULL, pfn);
}

#endif
