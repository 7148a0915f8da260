/* SPDX-License-Identifier: MIT */
#include "contig/gigantic.h"

#include "contig/drain.h"
#include "contig/evacuate.h"
#include "reclaim/reclaim.h"
#include "zone/zone.h"

#define TRIES 8

/*
 * However its content is moved, the page takes as much free memory as it is large, and of what is
 * kept for requests that cannot move nothing moves to.
 */
static int64_t missing(const struct pagus_state *st, const struct pg_zone *z)
{
	int64_t pages = INT64_C(1) << st->superpageblock_order;

	return pages + (int64_t)pg_mark(z, PAGUS_WMARK_LOW) + (int64_t)pg_read(z->spb_kept_pages) -
	       pg_read(z->free_pages);
}

/* So much is reclaimed before anything is moved; it ends when there is no progress any more. */
static bool make_possible(struct pg_call *c, struct pg_zone *z, uint32_t gfp,
			  const struct pagus_cancel *cancel)
{
	const struct pg_shortage shortage = {
		.gfp = gfp, .highest = z->type, .nodes = UINT64_C(1) << z->node,
		.lowmem_node = z->type <= PAGUS_ZONE_NORMAL ? z->node : PAGUS_NO_NODE,
	};

	while (missing(c->st, z) > 0) {
		if (!(gfp & __GFP_DIRECT_RECLAIM) || pg_cancelled(cancel) ||
		    pg_reclaim_direct(c, &shortage) == 0)
			return false;
		/* What is freed may come to lie on pcps. */
		if (missing(c->st, z) > 0)
			pg_contig_drain(c, z);
	}
	return true;
}

enum pagus_status pg_gigantic_alloc(struct pg_call *c, struct pg_zone *z, uint32_t gfp,
				    const struct pagus_cancel *cancel, pagus_pfn_t *pfn)
{
	uint64_t pages = UINT64_C(1) << c->st->superpageblock_order;

	/* What lies on pcps is as good as free, and is to be counted so. */
	pg_contig_drain(c, z);
	for (uint32_t n = 0; n < TRIES; n++) {
		struct pg_spb *s;
		enum pagus_status status;

		if (!make_possible(c, z, gfp, cancel))
			return pg_cancelled(cancel) ? PAGUS_CANCELLED : PAGUS_NO_MEMORY;
		s = pg_evacuate_emptiest(c->st, z, pages - 1);
		if (!s)
			break;
		status = pg_alloc_contig(c, s->start_pfn, s->start_pfn + pages, false, gfp, cancel);
		if (status == PAGUS_OK)
			*pfn = s->start_pfn;
		if (status == PAGUS_OK || status == PAGUS_CANCELLED)
			return status;
		pg_spb_rest(s);
	}
	return PAGUS_BUSY;
}
