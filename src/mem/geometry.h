/* SPDX-License-Identifier: MIT */
/*
 * Page arithmetic. A page is known by its pfn outside the library and by the index of its record
 * inside. Sections lie in the record array in pfn order, each aligned to the largest block, so
 * within a block index arithmetic is pfn arithmetic: alignment, buddy (xor) and parent (and) work
 * on the index.
 */
#ifndef PG_MEM_GEOMETRY_H
#define PG_MEM_GEOMETRY_H

#include "mem/page.h"

/* Record of a pfn; PG_NONE if its section is absent. */
static inline uint32_t pg_index(const struct pagus_state *st, pagus_pfn_t pfn)
{
	uint64_t section = pfn >> st->section_order;
	uint32_t slot;

	if (section < st->first_section || section - st->first_section >= st->nr_sections)
		return PG_NONE;
	slot = ((const uint32_t *)pg_at(st, st->off_section_slot))[section - st->first_section];
	if (slot == PG_NO_SLOT)
		return PG_NONE;
	return st->first_page + (slot << st->section_order) +
	       (uint32_t)(pfn & ((UINT64_C(1) << st->section_order) - 1));
}

static inline pagus_pfn_t pg_pfn(const struct pagus_state *st, uint32_t i)
{
	uint32_t n = i - st->first_page;
	uint64_t section =
		((const uint32_t *)pg_at(st, st->off_slot_section))[n >> st->section_order];

	return (section << st->section_order) + (n & ((1u << st->section_order) - 1));
}

/* The range of the configuration that has the pfn; NULL if none has. */
static inline const struct pg_range *pg_range_of(const struct pagus_state *st, pagus_pfn_t pfn)
{
	const struct pg_range *ranges = pg_ranges(st);
	uint32_t low = 0, high = st->nr_ranges;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (pfn < ranges[mid].start_pfn)
			high = mid;
		else if (pfn >= ranges[mid].end_pfn)
			low = mid + 1;
		else
			return &ranges[mid];
	}
	return NULL;
}

static inline uint32_t pg_buddy(uint32_t i, uint32_t order)
{
	return i ^ 1u << order;
}

/* Number of the pageblock in the block-type array. */
static inline uint32_t pg_block(const struct pagus_state *st, uint32_t i)
{
	return (i - st->first_page) >> st->pageblock_order;
}

/* First record of the pageblock of i. */
static inline uint32_t pg_block_start(const struct pagus_state *st, uint32_t i)
{
	return i & ~((1u << st->pageblock_order) - 1);
}

/* Could 2^order pages from pfn be a block? Its first record in *i, PG_NONE where there is none. */
static inline enum pagus_status pg_block_at(const struct pagus_state *st, pagus_pfn_t pfn,
					    uint32_t order, uint32_t *i)
{
	*i = PG_NONE;
	if (order > st->max_order)
		return PAGUS_BAD_ORDER;
	*i = pg_index(st, pfn);
	if (*i == PG_NONE || pg_page_zone(st, *i) == PG_NO_ZONE)
		return PAGUS_BAD_RANGE;
	return pfn & ((UINT64_C(1) << order) - 1) ? PAGUS_BAD_ALIGN : PAGUS_OK;
}

/*
 * First record of the block that page i belongs to: i itself unless it is a tail. PG_NONE if no
 * block reaches i.
 */
static inline uint32_t pg_head(const struct pagus_state *st, uint32_t i)
{
	for (uint32_t order = 0; order <= st->max_order; order++) {
		uint32_t head = i & ~((1u << order) - 1);
		struct pg_view look = pg_view(st, head);

		if (look.kind != PAGUS_PAGE_TAIL && look.order >= order)
			return head;
	}
	return PG_NONE;
}

#endif
