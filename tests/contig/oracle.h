/* SPDX-License-Identifier: MIT */
/*
 * The least that has to be copied to gain one free pageblock, by looking at all of them: one that
 * holds nothing but movable blocks, all of which find room in free blocks of other pageblocks that
 * are movable or CMA.
 */
#ifndef TEST_CONTIG_ORACLE_H
#define TEST_CONTIG_ORACLE_H

#include <pagus/pagus.h>

#define ORACLE_NEVER UINT32_MAX

/* What is in a pageblock: of each order blocks in use, which may move, and free ones, pcps' too. */
struct oracle_block {
	uint32_t used[PAGUS_NR_ORDERS], free[PAGUS_NR_ORDERS];
	uint32_t used_pages;
	bool stays; /* something in it does not move */
	bool takes; /* its type is one that movable blocks are moved to */
};

/* Does the pageblock at `start` lie in a free block that is larger? */
static inline bool oracle_is_part(const struct pagus *p, pagus_pfn_t start, uint32_t order)
{
	struct pagus_page_info info;

	for (uint32_t o = order + 1; o < PAGUS_NR_ORDERS; o++)
		if (pagus_page_info(p, start & ~((UINT64_C(1) << o) - 1), &info) == PAGUS_OK &&
		    info.kind == PAGUS_PAGE_FREE && info.order >= o)
			return true;
	return false;
}

static inline struct oracle_block oracle_look(const struct pagus *p, pagus_pfn_t start,
					      uint32_t order)
{
	struct oracle_block b = { 0 };

	if (oracle_is_part(p, start, order)) {
		b.free[order] = 1;
		return b;
	}
	for (pagus_pfn_t pfn = start; pfn < start + (1u << order);) {
		struct pagus_page_info info;

		if (pagus_page_info(p, pfn, &info) != PAGUS_OK || info.order > order) {
			b.stays = true;
			break;
		}
		if (info.kind == PAGUS_PAGE_ALLOCATED && info.request_type == PAGUS_MOVABLE) {
			b.used[info.order]++;
			b.used_pages += 1u << info.order;
		} else if (info.kind == PAGUS_PAGE_FREE || info.kind == PAGUS_PAGE_PCP ||
			   info.kind == PAGUS_PAGE_PCP_OWNED || info.kind == PAGUS_PAGE_DEFERRED) {
			b.free[info.order]++;
		} else {
			b.stays = true;
		}
		b.takes = info.block_type == PAGUS_MOVABLE || info.block_type == PAGUS_CMA;
		pfn += 1u << info.order;
	}
	return b;
}

/* Do the blocks in use fit into the free ones? Larger ones first; what is left of one is free. */
static inline bool oracle_fits(const uint32_t *used, const uint32_t *free)
{
	uint64_t room = 0; /* in blocks of the order at hand */

	for (uint32_t order = PAGUS_NR_ORDERS; order-- > 0;) {
		room = room * 2 + free[order];
		if (room < used[order])
			return false;
		room -= used[order];
	}
	return true;
}

/* Pages to be copied at least; ORACLE_NEVER if no pageblock can be emptied. */
static inline uint32_t oracle_minimum(const struct pagus *p, pagus_pfn_t start, uint32_t nr_blocks,
				      uint32_t order)
{
	uint32_t all[PAGUS_NR_ORDERS] = { 0 }, least = ORACLE_NEVER;

	for (uint32_t n = 0; n < nr_blocks; n++) {
		struct oracle_block b = oracle_look(p, start + ((uint64_t)n << order), order);

		for (uint32_t o = 0; o < order; o++)
			all[o] += b.takes ? b.free[o] : 0;
	}
	for (uint32_t n = 0; n < nr_blocks; n++) {
		struct oracle_block b = oracle_look(p, start + ((uint64_t)n << order), order);
		uint32_t others[PAGUS_NR_ORDERS] = { 0 };

		for (uint32_t o = 0; o < order; o++)
			others[o] = all[o] - (b.takes ? b.free[o] : 0);
		if (!b.stays && b.free[order] == 0 && b.used_pages < least &&
		    oracle_fits(b.used, others))
			least = b.used_pages;
	}
	return least;
}

#endif
