/* SPDX-License-Identifier: MIT */
/*
 * Memory behind free pageblocks goes back to the system. A block is taken first, so that it is
 * nobody else's while it is discarded. All are held to the end: one that was freed would be handed
 * out again next.
 */
#include "posix.h"

#include <stdlib.h>
#include <sys/mman.h>

#define PAGEBLOCK_ORDER 9
#define BLOCK_PAGES     (UINT64_C(1) << PAGUS_MAX_ORDER)

/* No __GFP_RECLAIM: nothing is waited for or woken. */
#define GFP_DISCARD (__GFP_MOVABLE | __GFP_THISNODE | __GFP_NOWARN | __GFP_NOMEMALLOC)

/* Blocks that have been taken: pfn * 16 + order. */
struct haul {
	uint64_t *blocks;
	uint64_t nr, room;
};

static bool keep(struct haul *haul, pagus_pfn_t pfn, uint32_t order)
{
	if (haul->nr == haul->room) {
		uint64_t room = haul->room ? 2 * haul->room : 64;
		uint64_t *blocks = realloc(haul->blocks, room * sizeof(*blocks));

		if (!blocks)
			return false;
		haul->blocks = blocks;
		haul->room = room;
	}
	haul->blocks[haul->nr++] = pfn * 16 + order;
	return true;
}

/* Bytes of the block that the system has pages for. */
static uint64_t resident_bytes(const void *start, uint64_t pages)
{
	unsigned char there[BLOCK_PAGES];
	uint64_t nr = 0;

	if (mincore((void *)(uintptr_t)start, pages << PX_PAGE_BITS, there) != 0)
		return 0;
	for (uint64_t n = 0; n < pages; n++)
		nr += there[n] & 1;
	return nr << PX_PAGE_BITS;
}

static int advice(const struct pagus_posix *x)
{
	if (x->backing == PAGUS_POSIX_MEMFD)
		return MADV_REMOVE;
	return x->lazy_discard ? MADV_FREE : MADV_DONTNEED;
}

static uint64_t discard_block(const struct pagus_posix *x, pagus_pfn_t pfn, uint64_t pages)
{
	char *start = x->base + (pfn << PX_PAGE_BITS);
	uint64_t bytes = resident_bytes(start, pages);

	if (bytes == 0 || madvise(start, pages << PX_PAGE_BITS, advice(x)) != 0)
		return 0;
	return bytes;
}

static uint64_t discard_order(struct pagus_posix *x, struct haul *haul, uint32_t node,
			      uint32_t order, uint64_t wanted)
{
	const struct pagus_request req = { .gfp = GFP_DISCARD, .order = order, .node = node };
	struct pagus_result res;
	uint64_t done = 0;

	while (done < wanted && pagus_alloc(&x->p, &req, &res) == PAGUS_OK) {
		done += discard_block(x, res.pfn, UINT64_C(1) << order);
		if (!keep(haul, res.pfn, order)) {
			pagus_free_pages(&x->p, res.pfn, order);
			break;
		}
	}
	return done;
}

uint64_t pagus_posix_discard(struct pagus_posix *x, uint64_t at_least_bytes)
{
	struct haul haul = { 0 };
	uint64_t done = 0;

	if (x->foreign || x->backing == PAGUS_POSIX_HUGETLB)
		return 0;
	pagus_drain_all(&x->p);
	/* The largest first: a pageblock taken out of one would split it. */
	for (uint32_t order = PAGUS_MAX_ORDER; order >= PAGEBLOCK_ORDER; order--)
		for (uint32_t n = 0; n < x->nr_nodes && done < at_least_bytes; n++)
			done += discard_order(x, &haul, n, order, at_least_bytes - done);
	while (haul.nr-- > 0)
		pagus_free_pages(&x->p, haul.blocks[haul.nr] / 16,
				 (uint32_t)(haul.blocks[haul.nr] % 16));
	free(haul.blocks);
	return done;
}
