/* SPDX-License-Identifier: MIT */
/* Blocks of a range are freed, single pages in blocks as large as may be. (free_contig_range) */
#include "contig/range.h"

#include "alloc/free.h"
#include "alloc/reference.h"
#include "base/bits.h"

/* Single pages that are nobody's any more, one behind the other in one zone. */
struct run {
	pagus_pfn_t start;
	uint64_t nr;
};

static enum pagus_status check_all(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end)
{
	uint32_t order, i;

	for (pagus_pfn_t pfn = start; pfn < end; pfn += UINT64_C(1) << order) {
		enum pagus_status status;

		order = pg_free_order(c->st, pfn);
		status = pg_free_check(c->st, pfn, order, &i);
		if (status == PAGUS_BUSY)
			status = PAGUS_OK;
		if (status == PAGUS_OK && pfn + (UINT64_C(1) << order) > end)
			status = PAGUS_WRONG_ORDER;
		if (status != PAGUS_OK)
			return pg_free_refuse(c, status, pfn, i, order);
	}
	return PAGUS_OK;
}

/* Where pages are bits, a pageblock's lock is for that one alone. */
static uint32_t most_order(const struct pagus_state *st)
{
	return pg_mapped(st) ? st->pageblock_order : st->max_order;
}

static void free_run(struct pg_call *c, struct run *run)
{
	pagus_pfn_t pfn = run->start, end = pfn + run->nr;

	while (pfn < end) {
		uint32_t order = pg_order_in(pfn, end, most_order(c->st));

		pg_free_prepared(c, pg_index(c->st, pfn), order);
		pfn += UINT64_C(1) << order;
	}
	run->nr = 0;
}

static void free_single(struct pg_call *c, struct run *run, pagus_pfn_t pfn)
{
	uint32_t i = pg_index(c->st, pfn), zone = pg_page_zone(c->st, i);

	if (!pg_free_prepare(c, i, 0)) {
		free_run(c, run);
		return;
	}
	if (run->nr > 0 && ((pfn & ((UINT64_C(1) << most_order(c->st)) - 1)) == 0 ||
			    pg_page_zone(c->st, pg_index(c->st, run->start)) != zone))
		free_run(c, run);
	if (run->nr == 0)
		run->start = pfn;
	run->nr++;
}

enum pagus_status pg_free_contig(struct pg_call *c, pagus_pfn_t start, uint64_t nr_pages)
{
	enum pagus_status status = PAGUS_BAD_RANGE;
	struct run run = { 0 };
	uint32_t order;

	if (nr_pages > 0 && nr_pages <= c->st->nr_pages)
		status = check_all(c, start, start + nr_pages);
	if (status != PAGUS_OK)
		return status;
	for (pagus_pfn_t pfn = start; pfn < start + nr_pages; pfn += UINT64_C(1) << order) {
		order = pg_free_order(c->st, pfn);
		if (order == 0 && pg_references(c->st, pg_index(c->st, pfn)) == 0) {
			free_single(c, &run, pfn);
			continue;
		}
		free_run(c, &run);
		pg_reference_put(c, pfn, order, pg_free_checked);
	}
	free_run(c, &run);
	return PAGUS_OK;
}
