/* SPDX-License-Identifier: MIT */
/* The public calls of contig.h: their arguments, and the frame around each. */
#include <pagus/contig.h>

#include "base/atomic.h"
#include "contig/isolate.h"
#include "contig/range.h"

enum pagus_status pagus_isolate_range(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				      enum pagus_isolate_mode mode, pagus_pfn_t *obstacle)
{
	enum pagus_status status;
	struct pg_call c;

	if (mode > PAGUS_ISOLATE_MEM_OFFLINE)
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	status = pg_isolate_range(&c, start, start + nr_pages, mode, obstacle);
	pg_call_end(&c);
	return status;
}

enum pagus_status pagus_unisolate_range(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages)
{
	enum pagus_status status = pg_range_check(p->state, start, start + nr_pages);
	struct pg_call c = pg_call_begin(p);

	if (status == PAGUS_OK)
		pg_unisolate_range(&c, start, start + nr_pages);
	pg_call_end(&c);
	return status;
}

enum pagus_status pagus_test_isolated(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				      enum pagus_isolate_mode mode, pagus_pfn_t *first_bad)
{
	enum pagus_status status;
	struct pg_call c;

	if (mode > PAGUS_ISOLATE_MEM_OFFLINE)
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	status = pg_isolated_test(&c, start, start + nr_pages, mode, first_bad);
	pg_call_end(&c);
	return status;
}

void pagus_cancel_now(struct pagus_cancel *cancel)
{
	pg_atomic_store(&cancel->wanted, 1);
}

enum pagus_status pagus_alloc_contig(struct pagus *p, const struct pagus_contig *range)
{
	struct pg_call c = pg_call_begin(p);
	enum pagus_status status = pg_alloc_contig(&c, range->start, range->start + range->nr_pages,
						   range->cma, range->gfp, range->cancel);

	pg_call_end(&c);
	return status;
}

enum pagus_status pagus_alloc_contig_range(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
					   bool cma, uint32_t gfp)
{
	const struct pagus_contig range = { .start = start, .nr_pages = nr_pages, .cma = cma,
					    .gfp = gfp };

	return pagus_alloc_contig(p, &range);
}

enum pagus_status pagus_alloc_contig_anywhere(struct pagus *p,
					      const struct pagus_contig_request *req,
					      pagus_pfn_t *pfn)
{
	const struct pagus_request where = { .gfp = req->gfp, .node = req->node,
					     .nodemask = req->nodemask };
	struct pg_call c = pg_call_begin(p);
	enum pagus_status status = pg_alloc_contig_pages(&c, req->nr_pages, &where, req->cancel,
							 pfn);

	pg_call_end(&c);
	return status;
}

enum pagus_status pagus_alloc_contig_pages(struct pagus *p, uint64_t nr_pages, uint32_t gfp,
					   uint32_t node, uint64_t nodemask, pagus_pfn_t *pfn)
{
	const struct pagus_contig_request req = { .nr_pages = nr_pages, .gfp = gfp, .node = node,
						  .nodemask = nodemask };

	return pagus_alloc_contig_anywhere(p, &req, pfn);
}

enum pagus_status pagus_free_contig_range(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages)
{
	struct pg_call c = pg_call_begin(p);
	enum pagus_status status = pg_free_contig(&c, start, nr_pages);

	pg_call_end(&c);
	return status;
}
