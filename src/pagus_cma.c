/* SPDX-License-Identifier: MIT */
/* The public calls of cma.h. */
#include <pagus/cma.h>

#include "base/bits.h"
#include "contig/cma.h"

enum pagus_status pagus_cma_declare(struct pagus *p,
				    const struct pagus_cma_declaration *declaration,
				    uint32_t *area)
{
	return pg_cma_declare(p->state, declaration, area);
}

enum pagus_status pagus_cma_reserve_early(struct pagus *p, uint32_t area, uint64_t nr_pages,
					  pagus_pfn_t *pfn)
{
	return pg_cma_reserve_early(p->state, area, nr_pages, pfn);
}

enum pagus_status pagus_cma_alloc(struct pagus *p, uint32_t area, uint64_t nr_pages,
				  uint32_t align_order, uint32_t gfp,
				  const struct pagus_cancel *cancel, pagus_pfn_t *pfn)
{
	struct pg_call c = pg_call_begin(p);
	enum pagus_status status = pg_cma_alloc(&c, area, nr_pages, align_order, gfp, cancel, pfn);

	pg_call_end(&c);
	return status;
}

enum pagus_status pagus_cma_release(struct pagus *p, uint32_t area, pagus_pfn_t pfn,
				    uint64_t nr_pages)
{
	struct pg_call c = pg_call_begin(p);
	enum pagus_status status = pg_cma_release(&c, area, pfn, nr_pages);

	pg_call_end(&c);
	return status;
}

/* ---- looking at it -------------------------------------------------------------------------- */

uint32_t pagus_nr_cma_areas(const struct pagus *p)
{
	return p->state->nr_cmas;
}

static bool is_used(const struct pagus_state *st, const struct pg_cma_range *range, uint64_t bit)
{
	return pg_word_load(&pg_cma_bits(st, range)[bit / 64]) >> bit % 64 & 1;
}

/* Bits in use; *longest: clear ones, one behind the other. */
static uint64_t count_bits(const struct pagus_state *st, const struct pg_cma *cma,
			   const struct pg_cma_range *range, uint64_t *longest)
{
	uint64_t used = 0, run = 0;

	for (uint64_t bit = 0; bit < pg_cma_nr_bits(cma, range); bit++) {
		bool is_set = is_used(st, range, bit);

		used += is_set;
		run = is_set ? 0 : run + 1;
		*longest = pg_max(*longest, run);
	}
	return used;
}

enum pagus_status pagus_cma_info(const struct pagus *p, uint32_t area, struct pagus_cma_info *info)
{
	const struct pagus_state *st = p->state;
	const struct pg_cma_stats *stats;
	const struct pg_cma *cma;
	uint64_t longest = 0, used = 0;

	if (area >= st->nr_cmas)
		return PAGUS_BAD_VALUE;
	cma = pg_cma(st, area);
	stats = pg_cma_stats(st, area);
	*info = (struct pagus_cma_info){
		.active = cma->flags & PG_CMA_ACTIVE, .order_per_bit = cma->order_per_bit,
		.nr_ranges = cma->nr_ranges, .nr_pages = cma->nr_pages,
		.available_pages = pg_atomic_load(&cma->available),
		.alloc_pages_success = pg_word_load(&stats->alloc_pages),
		.alloc_pages_fail = pg_word_load(&stats->fail_pages),
		.release_pages_success = pg_word_load(&stats->release_pages),
	};
	for (uint32_t n = 0; n < PAGUS_CMA_NAME_BYTES; n++)
		info->name[n] = cma->name[n];
	for (uint32_t r = 0; r < cma->nr_ranges; r++) {
		info->range[r].base = cma->range[r].base;
		info->range[r].nr_pages = cma->range[r].nr_pages;
		if (info->active)
			used += count_bits(st, cma, &cma->range[r], &longest);
	}
	info->used_pages = used << cma->order_per_bit;
	info->largest_free_pages = longest << cma->order_per_bit;
	return PAGUS_OK;
}

uint64_t pagus_cma_bitmap(const struct pagus *p, uint32_t area, uint32_t range, uint32_t *words,
			  uint64_t room)
{
	const struct pagus_state *st = p->state;
	const uint64_t *bits;
	uint64_t nr;

	if (area >= st->nr_cmas || range >= pg_cma(st, area)->nr_ranges)
		return 0;
	bits = pg_cma_bits(st, &pg_cma(st, area)->range[range]);
	nr = (pg_cma_nr_bits(pg_cma(st, area), &pg_cma(st, area)->range[range]) + 31) / 32;
	for (uint64_t n = 0; n < pg_min(nr, room); n++)
		words[n] = (uint32_t)(pg_word_load(&bits[n / 2]) >> n % 2 * 32);
	return nr;
}

void pagus_cma_totals(const struct pagus *p, uint64_t *total_pages, uint64_t *free_pages)
{
	const struct pagus_state *st = p->state;

	*total_pages = *free_pages = 0;
	for (uint32_t area = 0; area < st->nr_cmas; area++)
		*total_pages += pg_cma(st, area)->nr_pages;
	for (uint32_t id = 0; id < st->nr_zones; id++)
		*free_pages += (uint64_t)pg_read(pg_zone(st, id)->free_cma);
}
