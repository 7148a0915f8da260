/* SPDX-License-Identifier: MIT */
/*
 * A number of pages that is no power of two: the next larger block, cut into single pages, less
 * those that are too many. (alloc_pages_exact)
 */
#include "alloc/alloc.h"
#include "alloc/free.h"
#include "alloc/reference.h"

/* Single pages are no compound page, and a caller who wants an address needs low memory. */
#define STRIPPED ((uint32_t)(__GFP_COMP | __GFP_HIGHMEM))

enum pagus_status pg_alloc_exact(struct pg_call *c, uint32_t gfp, uint32_t nr_pages,
				 pagus_pfn_t *pfn)
{
	struct pagus_request req = { .gfp = gfp & ~STRIPPED, .node = PAGUS_NO_NODE };
	struct pagus_result res;
	uint32_t i;

	*pfn = PAGUS_NO_PFN;
	if (nr_pages == 0)
		return PAGUS_BAD_VALUE;
	while (req.order <= c->st->max_order && 1u << req.order < nr_pages)
		req.order++;
	if (pg_alloc(c, &req, &res) != PAGUS_OK)
		return res.status;
	pg_split(c, res.pfn, req.order, 0);
	i = pg_index(c->st, res.pfn);
	for (uint32_t k = nr_pages; k < 1u << req.order; k++)
		if (pg_free_prepare(c, i + k, 0))
			pg_free_direct(c, i + k, 0, PG_TAIL);
	*pfn = res.pfn;
	return PAGUS_OK;
}

enum pagus_status pg_free_exact(struct pg_call *c, pagus_pfn_t pfn, uint32_t nr_pages)
{
	for (uint32_t k = 0; k < nr_pages; k++) {
		uint32_t i;
		enum pagus_status status = pg_free_check(c->st, pfn + k, 0, &i);

		if (status != PAGUS_OK && status != PAGUS_BUSY)
			return pg_free_refuse(c, status, pfn + k, i, 0);
	}
	for (uint32_t k = 0; k < nr_pages; k++)
		pg_reference_put(c, pfn + k, 0, pg_free_checked);
	return PAGUS_OK;
}
