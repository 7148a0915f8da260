/* SPDX-License-Identifier: MIT */
/* CMA areas are declared, and become active. */
#include "contig/cma.h"

#include "base/bits.h"
#include "zone/seed.h"
#include "zone/zone.h"

#define PREFERRED_FROM (UINT64_C(1) << 20) /* 4 GiB of 4 KiB pages */
#define MAX_ORDER_PER_BIT 20u

/* Where an area may lie, and how much of it is to be found. */
struct search {
	const struct pagus_state *st;
	uint64_t nr_pages, alignment;
	pagus_pfn_t from, end, high; /* high: what HighMem begins with */
	uint32_t node;
};

/* Pages [start, end) that it may have, all of them on one side of HighMem's beginning. */
struct run {
	pagus_pfn_t start, end;
};

/* ---- places --------------------------------------------------------------------------------- */

static pagus_pfn_t memory_end(const struct pagus_state *st)
{
	return ((uint64_t)st->first_section + st->nr_sections) << st->section_order;
}

/* Where HighMem begins; the end of memory if there is none. */
static pagus_pfn_t high_start(const struct pagus_state *st)
{
	pagus_pfn_t start = memory_end(st);

	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (pg_zone(st, id)->type == PAGUS_ZONE_HIGHMEM)
			start = pg_min(start, pg_zone(st, id)->start_pfn);
	return start;
}

/* May the area have the page? *next: the pfn behind those that the answer is for. */
static bool is_available(const struct search *s, pagus_pfn_t pfn, pagus_pfn_t *next)
{
	const struct pagus_state *st = s->st;
	const struct pg_cma_range *taken = pg_cma_overlap(st, pfn, pfn + 1);
	uint32_t i = pg_index(st, pfn);

	*next = pfn + 1;
	if (i == PG_NONE)
		*next = ((pfn >> st->section_order) + 1) << st->section_order;
	if (taken)
		*next = taken->base + taken->nr_pages;
	return i != PG_NONE && !taken && pg_view(st, i).kind == PAGUS_PAGE_RESERVED &&
	       (s->node == PAGUS_NO_NODE || pg_zone_of(st, i)->node == s->node);
}

/* The first run behind `run`, which begins with nothing at `from`. False: there is none. */
static bool next_run(const struct search *s, struct run *run)
{
	pagus_pfn_t next;

	for (run->start = run->end; run->start < s->end; run->start = next)
		if (is_available(s, run->start, &next))
			break;
	for (run->end = run->start; run->end < s->end; run->end = next)
		if (!is_available(s, run->end, &next) ||
		    (run->end == s->high && run->end > run->start))
			break;
	return run->start < run->end;
}

/* The lowest place; PAGUS_NO_PFN if there is none. */
static pagus_pfn_t find_low(const struct search *s)
{
	struct run run = { .end = s->from };

	while (next_run(s, &run)) {
		pagus_pfn_t start = pg_align_up(run.start, s->alignment);

		if (start + s->nr_pages <= run.end)
			return start;
	}
	return PAGUS_NO_PFN;
}

/* The highest. */
static pagus_pfn_t find_high(const struct search *s)
{
	struct run run = { .end = s->from };
	pagus_pfn_t found = PAGUS_NO_PFN;

	while (next_run(s, &run)) {
		pagus_pfn_t start;

		if (run.end - run.start < s->nr_pages)
			continue;
		start = (run.end - s->nr_pages) & ~(s->alignment - 1);
		if (start >= run.start)
			found = start;
	}
	return found;
}

static pagus_pfn_t find_one(const struct search *asked)
{
	struct search s = *asked;
	pagus_pfn_t found = PAGUS_NO_PFN;

	s.from = pg_max(asked->from, PREFERRED_FROM);
	found = find_low(&s);
	s.from = pg_max(asked->from, s.high);
	if (found == PAGUS_NO_PFN)
		found = find_high(&s);
	return found == PAGUS_NO_PFN ? find_high(asked) : found;
}

/* ---- several ranges ------------------------------------------------------------------------- */

/* Put a run among the largest, which stand from the lowest to the highest. */
static void keep_largest(struct run *runs, uint32_t *nr, struct run run)
{
	uint32_t least = 0;

	if (*nr == PAGUS_CMA_MAX_RANGES) {
		for (uint32_t n = 1; n < *nr; n++)
			if (runs[n].end - runs[n].start < runs[least].end - runs[least].start)
				least = n;
		if (run.end - run.start <= runs[least].end - runs[least].start)
			return;
		for (uint32_t n = least; n + 1 < *nr; n++)
			runs[n] = runs[n + 1];
		--*nr;
	}
	runs[(*nr)++] = run;
}

/* How many ranges of an area that has enough; 0 if there is not enough. */
static uint32_t find_several(const struct search *asked, struct pg_cma_range *range)
{
	struct run run, runs[PAGUS_CMA_MAX_RANGES];
	struct search s = *asked;
	uint32_t nr = 0, used = 0;
	uint64_t left = s.nr_pages;

	s.from = pg_max(asked->from, PREFERRED_FROM);
	run.end = s.from;
	while (next_run(&s, &run)) {
		const struct run whole = { pg_align_up(run.start, s.alignment),
					   run.end & ~(s.alignment - 1) };

		if (whole.start < whole.end)
			keep_largest(runs, &nr, whole);
	}
	for (; used < nr && left > 0; used++) {
		range[used].base = runs[used].start;
		range[used].nr_pages = pg_min(left, runs[used].end - runs[used].start);
		left -= range[used].nr_pages;
	}
	return left == 0 ? used : 0;
}

/* ---- declaration ---------------------------------------------------------------------------- */

static enum pagus_status check(const struct pagus_state *st,
			       const struct pagus_cma_declaration *d, struct search *s)
{
	uint64_t limit = d->limit ? d->limit : memory_end(st);

	if (d->nr_pages == 0 || d->nr_pages > st->nr_pages ||
	    d->order_per_bit > MAX_ORDER_PER_BIT || d->alignment_pages > st->nr_pages ||
	    (d->alignment_pages & (d->alignment_pages - 1)))
		return PAGUS_BAD_VALUE;
	if (d->node != PAGUS_NO_NODE && d->node >= st->nr_nodes)
		return PAGUS_BAD_NODE;
	*s = (struct search){ .st = st, .from = d->base, .node = d->node, .high = high_start(st) };
	s->alignment = pg_max(d->alignment_pages, UINT64_C(1) << st->pageblock_order);
	s->nr_pages = pg_align_up(d->nr_pages, s->alignment);
	s->end = pg_min(limit, memory_end(st));
	if (s->nr_pages & ((UINT64_C(1) << d->order_per_bit) - 1))
		return PAGUS_BAD_VALUE;
	if (d->fixed && ((d->base & (s->alignment - 1)) || d->base > limit ||
			 s->nr_pages > limit - d->base))
		return PAGUS_BAD_VALUE;
	if (st->booted)
		return PAGUS_BUSY;
	return st->nr_cmas == st->cma_room ? PAGUS_FULL : PAGUS_OK;
}

static enum pagus_status find_place(const struct pagus_cma_declaration *d, const struct search *s,
				    struct pg_cma *cma)
{
	struct search fixed = *s;

	cma->nr_ranges = 1;
	cma->range[0].nr_pages = s->nr_pages;
	fixed.end = d->base + s->nr_pages;
	cma->range[0].base = d->fixed ? find_low(&fixed) : find_one(s);
	if (cma->range[0].base == PAGUS_NO_PFN && d->multi && !d->fixed)
		cma->nr_ranges = find_several(s, cma->range);
	else if (cma->range[0].base == PAGUS_NO_PFN)
		cma->nr_ranges = 0;
	if (cma->nr_ranges > 0)
		return PAGUS_OK;
	return d->fixed ? PAGUS_BUSY : PAGUS_NO_MEMORY;
}

static void set_name(struct pg_cma *cma, const char *name, uint32_t area)
{
	uint32_t n = 0;

	if (name) {
		for (; name[n] && n < PAGUS_CMA_NAME_BYTES - 1; n++)
			cma->name[n] = name[n];
		return;
	}
	for (const char *prefix = "cma"; prefix[n]; n++)
		cma->name[n] = prefix[n];
	if (area >= 10)
		cma->name[n++] = (char)('0' + area / 10);
	cma->name[n] = (char)('0' + area % 10);
}

enum pagus_status pg_cma_declare(struct pagus_state *st,
				 const struct pagus_cma_declaration *declaration, uint32_t *area)
{
	struct pg_cma cma = { .order_per_bit = declaration->order_per_bit };
	struct search s;
	enum pagus_status status = check(st, declaration, &s);

	if (status == PAGUS_OK)
		status = find_place(declaration, &s, &cma);
	if (status != PAGUS_OK)
		return status;
	cma.nr_pages = s.nr_pages;
	cma.available = (uint32_t)s.nr_pages;
	cma.flags = declaration->keep_on_error ? PG_CMA_KEEP : 0;
	set_name(&cma, declaration->name, st->nr_cmas);
	for (uint32_t r = 0; r < cma.nr_ranges; r++) {
		cma.range[r].first_word = st->cma_words_used;
		st->cma_words_used += pg_cma_words(pg_cma_nr_bits(&cma, &cma.range[r]));
	}
	*pg_cma(st, st->nr_cmas) = cma;
	*area = st->nr_cmas++;
	return PAGUS_OK;
}

enum pagus_status pg_cma_reserve_early(struct pagus_state *st, uint32_t area, uint64_t nr_pages,
				       pagus_pfn_t *pfn)
{
	uint64_t unit = UINT64_C(1) << st->pageblock_order;
	struct pg_cma *cma = pg_cma(st, area);

	*pfn = PAGUS_NO_PFN;
	if (area >= st->nr_cmas || nr_pages == 0)
		return PAGUS_BAD_VALUE;
	unit = pg_max(unit, UINT64_C(1) << cma->order_per_bit);
	if (nr_pages & (unit - 1))
		return PAGUS_BAD_VALUE;
	if (st->booted)
		return PAGUS_BUSY;
	for (uint32_t r = 0; r < cma->nr_ranges; r++) {
		struct pg_cma_range *range = &cma->range[r];

		if (range->nr_pages - range->early_pages < nr_pages)
			continue;
		*pfn = range->base + range->early_pages;
		range->early_pages += nr_pages;
		cma->available -= (uint32_t)nr_pages;
		return PAGUS_OK;
	}
	return PAGUS_NO_MEMORY;
}

/* ---- activation ----------------------------------------------------------------------------- */

/* Is all of the range reserved memory of one zone? */
static bool lies_well(const struct pagus_state *st, const struct pg_cma_range *range)
{
	uint32_t first = pg_index(st, range->base);

	for (uint64_t k = 0; k < range->nr_pages; k++) {
		uint32_t i = pg_index(st, range->base + k);

		if (i == PG_NONE || pg_view(st, i).kind != PAGUS_PAGE_RESERVED ||
		    pg_page_zone(st, i) != pg_page_zone(st, first))
			return false;
	}
	return true;
}

static void activate(struct pg_call *c, struct pg_cma *cma)
{
	uint64_t pages = UINT64_C(1) << c->st->pageblock_order;

	for (uint32_t r = 0; r < cma->nr_ranges; r++) {
		const struct pg_cma_range *range = &cma->range[r];
		uint64_t *bits = pg_cma_bits(c->st, range);

		for (uint64_t bit = 0; bit < range->early_pages >> cma->order_per_bit; bit++)
			bits[bit / 64] |= UINT64_C(1) << bit % 64;
		for (uint64_t k = range->early_pages; k < range->nr_pages; k += pages)
			pg_seed_release_block(c, pg_index(c->st, range->base + k),
					      c->st->pageblock_order, PAGUS_CMA);
		/* (init_cma_reserved_pageblock) */
		pg_zone_of(c->st, pg_index(c->st, range->base))->cma_pages +=
			range->nr_pages - range->early_pages;
	}
	cma->flags |= PG_CMA_ACTIVE;
}

/* Every range is given back. While it has ranges its pages are left out of hand-overs. */
static void drop(struct pg_call *c, struct pg_cma *cma)
{
	uint32_t nr_ranges = cma->nr_ranges;

	cma->nr_pages = 0;
	cma->available = 0;
	if (cma->flags & PG_CMA_KEEP)
		return;
	cma->nr_ranges = 0;
	for (uint32_t r = 0; r < nr_ranges; r++) {
		const struct pg_cma_range *range = &cma->range[r];

		pg_seed_boot_free(c, range->base + range->early_pages,
				  range->nr_pages - range->early_pages);
	}
}

void pg_cma_activate(struct pg_call *c)
{
	for (uint32_t area = 0; area < c->st->nr_cmas; area++) {
		struct pg_cma *cma = pg_cma(c->st, area);
		bool well = cma->nr_pages > 0;

		if (!well || (cma->flags & PG_CMA_ACTIVE))
			continue;
		for (uint32_t r = 0; r < cma->nr_ranges; r++)
			well &= lies_well(c->st, &cma->range[r]);
		if (well)
			activate(c, cma);
		else
			drop(c, cma);
	}
}
