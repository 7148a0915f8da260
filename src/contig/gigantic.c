/* SPDX-License-Identifier: MIT */
#include "contig/gigantic.h"

#include "contig/drain.h"
#include "contig/evacuate.h"
#include "zone/zone.h"

#define TRIES 8

/* However its content is moved, the page takes as much free memory as it is large. */
static bool is_possible(const struct pagus_state *st, const struct pg_zone *z)
{
	int64_t pages = INT64_C(1) << st->superpageblock_order;

	return pg_read(z->free_pages) >= pages + (int64_t)pg_mark(z, PAGUS_WMARK_LOW);
}

enum pagus_status pg_gigantic_alloc(struct pg_call *c, struct pg_zone *z, uint32_t gfp,
				    const struct pagus_cancel *cancel, pagus_pfn_t *pfn)
{
	uint64_t pages = UINT64_C(1) << c->st->superpageblock_order;

	/* What lies on pcps is as good as free, and is to be counted so. */
	pg_contig_drain(c, z);
	for (uint32_t n = 0; n < TRIES && is_possible(c->st, z); n++) {
		struct pg_spb *s = pg_evacuate_emptiest(c->st, z, pages - 1);
		enum pagus_status status;

		if (!s)
			break;
		status = pg_alloc_contig(c, s->start_pfn, s->start_pfn + pages, false, gfp, cancel);
		if (status == PAGUS_OK)
			*pfn = s->start_pfn;
		if (status == PAGUS_OK || status == PAGUS_CANCELLED)
			return status;
		pg_spb_rest(s);
	}
	return PAGUS_NO_MEMORY;
}
