/* SPDX-License-Identifier: MIT */
/* A range that begins and ends inside of pageblocks, and what it should come to. */
#ifndef TEST_CONTIG_RANGE_H
#define TEST_CONTIG_RANGE_H

#include "contig/world.h"

#define START (6 * BLOCK + 3)
#define NR    697u

static inline enum pagus_status alloc_range(struct contig_lab *l, pagus_pfn_t start, uint64_t nr,
					    uint32_t gfp)
{
	return pagus_alloc_contig_range(&l->lab.p, start, nr, false, gfp);
}

static inline void expect_single(struct contig_lab *l, pagus_pfn_t start, uint64_t nr)
{
	for (pagus_pfn_t pfn = start; pfn < start + nr; pfn++) {
		struct pagus_page_info info;

		assert_int_equal(pagus_page_info(&l->lab.p, pfn, &info), PAGUS_OK);
		assert_int_equal(info.kind, PAGUS_PAGE_ALLOCATED);
		assert_int_equal(info.order, 0);
		assert_int_equal(info.references, 1);
		assert_int_equal(info.request_type, PAGUS_UNMOVABLE);
		assert_false(info.compound);
	}
}

#endif
