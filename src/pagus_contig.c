/* SPDX-License-Identifier: MIT */
/* The public calls of contig.h: their arguments, and the frame around each. */
#include <pagus/contig.h>

#include "contig/isolate.h"

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
