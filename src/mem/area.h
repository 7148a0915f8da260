/* SPDX-License-Identifier: MIT */
/*
 * Records of CMA areas. Bitmaps of their ranges lie one behind the other in a pool of words that
 * has a bit for each page that there is, and a word more for each range that may be.
 */
#ifndef PG_MEM_AREA_H
#define PG_MEM_AREA_H

#include <pagus/cma.h>

#include "mem/state.h"

struct pg_cma_range {
	uint64_t base, nr_pages;
	uint64_t early_pages; /* from its bottom on, taken for good before the area was active */
	uint64_t first_word;  /* of its bitmap, in the pool */
};

#define PG_CMA_ACTIVE 0x1u
#define PG_CMA_KEEP   0x2u /* its pages stay reserved if it is dropped */

/* All I, but what is A. */
struct pg_cma {
	uint64_t nr_pages;    /* 0: it has been dropped */
	struct pg_cma_range range[PAGUS_CMA_MAX_RANGES];
	uint32_t nr_ranges, order_per_bit, flags;
	uint32_t available;   /* A: pages that are not allocated */
	uint32_t busy;        /* A: an allocation goes on */
	uint32_t pad;
	char name[PAGUS_CMA_NAME_BYTES];
};
PG_STATIC_ASSERT(sizeof(struct pg_cma) % 8 == 0, "CMA area");

/* Behind the counters, outside the digest: all A. */
struct pg_cma_stats {
	uint64_t alloc_pages, fail_pages, release_pages;
};

static inline struct pg_cma *pg_cma(const struct pagus_state *st, uint32_t area)
{
	return (struct pg_cma *)pg_at(st, st->off_cmas) + area;
}

static inline struct pg_cma_stats *pg_cma_stats(const struct pagus_state *st, uint32_t area)
{
	return (struct pg_cma_stats *)pg_at(st, st->off_cma_stats) + area;
}

static inline uint64_t *pg_cma_bits(const struct pagus_state *st, const struct pg_cma_range *range)
{
	return (uint64_t *)pg_at(st, st->off_cma_bits) + range->first_word;
}

static inline uint64_t pg_cma_nr_bits(const struct pg_cma *cma, const struct pg_cma_range *range)
{
	return range->nr_pages >> cma->order_per_bit;
}

/* Words of a range's bitmap, and of the pool of an instance. */
static inline uint64_t pg_cma_words(uint64_t bits)
{
	return (bits + 63) / 64;
}

static inline uint64_t pg_cma_pool(uint64_t nr_pages, uint32_t nr_areas)
{
	return pg_cma_words(nr_pages) + (uint64_t)nr_areas * PAGUS_CMA_MAX_RANGES;
}

/* The first range of an area that has a page of [start, end); NULL if none does. */
static inline const struct pg_cma_range *pg_cma_overlap(const struct pagus_state *st,
							uint64_t start, uint64_t end)
{
	const struct pg_cma_range *found = NULL;

	for (uint32_t a = 0; a < st->nr_cmas; a++)
		for (uint32_t r = 0; r < pg_cma(st, a)->nr_ranges; r++) {
			const struct pg_cma_range *range = &pg_cma(st, a)->range[r];

			if (range->base < end && start < range->base + range->nr_pages &&
			    (!found || range->base < found->base))
				found = range;
		}
	return found;
}

#endif
