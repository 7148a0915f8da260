/* SPDX-License-Identifier: MIT */
/*
 * A range of pages, taken whatever is in it. What it comes to is recorded as blocks that the rest
 * of the library knows: single pages; or, where one page was asked for that is larger than a block
 * may be, blocks of the largest order.
 */
#include "contig/range.h"

#include "alloc/free.h"
#include "alloc/request.h"
#include "base/bits.h"
#include "contig/drain.h"
#include "contig/evacuate.h"
#include "contig/gigantic.h"
#include "contig/isolate.h"
#include "contig/take.h"
#include "pcp/cache.h"
#include "zone/content.h"
#include "zone/superpageblock.h"

#define RECLAIM_FLAGS ((uint32_t)(__GFP_IO | __GFP_FS | __GFP_RECLAIM))
#define ACTION_FLAGS  ((uint32_t)(__GFP_COMP | __GFP_RETRY_MAYFAIL | __GFP_NOWARN | __GFP_ZERO |   \
				  __GFP_ZEROTAGS))
#define IGNORED_FLAGS ((uint32_t)(GFP_ZONEMASK | __GFP_RECLAIMABLE | __GFP_WRITE |                 \
				  __GFP_HARDWALL | __GFP_THISNODE))

struct range {
	pagus_pfn_t start, end;
	struct pg_zone *z;
	uint32_t gfp;
};

static bool is_compound(const struct range *r)
{
	return (r->gfp & __GFP_COMP) && r->end - r->start > 1;
}

/* What the pages are handed out for. */
static uint32_t type_of(const struct pagus_state *st, const struct range *r)
{
	return pg_effective_type(st, r->gfp & __GFP_MOVABLE ? PAGUS_MOVABLE : PAGUS_UNMOVABLE);
}

bool pg_contig_gfp_valid(uint32_t gfp)
{
	return !(gfp & ~(IGNORED_FLAGS | RECLAIM_FLAGS | ACTION_FLAGS));
}

/* A compound page is a power of two of pages, at a multiple of that. */
static bool compound_valid(pagus_pfn_t start, uint64_t nr)
{
	return (nr & (nr - 1)) == 0 && (start & (nr - 1)) == 0 &&
	       nr <= UINT64_C(1) << PAGUS_MAX_FOLIO_ORDER;
}

/* ---- taken pages ---------------------------------------------------------------------------- */

/* Give [pfn, end), which were taken and are in one zone, back to it; needs the zone's lock. */
static void give_back(struct pg_call *c, struct pg_zone *z, pagus_pfn_t pfn, pagus_pfn_t end)
{
	while (pfn < end) {
		uint32_t order = pg_order_in(pfn, end, c->st->pageblock_order);

		pg_take_return(c, z, pg_index(c->st, pfn), order);
		pfn += UINT64_C(1) << order;
	}
}

/* Pages [pfn, end), which were taken, are single pages. Where pages are bits: with the lock. */
static void make_single(struct pagus_state *st, pagus_pfn_t pfn, pagus_pfn_t end, uint32_t type)
{
	while (pfn < end) {
		uint32_t order = pg_order_in(pfn, end, st->pageblock_order);
		uint32_t i = pg_index(st, pfn);

		pfn += UINT64_C(1) << order;
		if (pg_mapped(st)) {
			for (uint32_t k = 0; k < 1u << order; k++)
				pg_map_grant(st, i + k, 0, type);
			continue;
		}
		for (uint32_t k = 0; k < 1u << order; k++)
			pg_page_set(pg_page(st, i + k), PAGUS_PAGE_ALLOCATED, 0, type);
	}
}

/* Single pages, nobody else's, are freed. In their pageblocks there may be anything by now. */
static void unmake_single(struct pg_call *c, pagus_pfn_t pfn, pagus_pfn_t end)
{
	while (pfn < end) {
		uint32_t order = pg_order_in(pfn, end, c->st->pageblock_order);
		uint32_t i = pg_index(c->st, pfn);

		for (uint32_t k = 0; k < 1u << order && !pg_mapped(c->st); k++)
			pg_page_to_tail(pg_page(c->st, i + k));
		pg_free_prepared(c, i, order);
		pfn += UINT64_C(1) << order;
	}
}

/* Single pages become one block. */
static void join(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order, uint32_t type)
{
	struct pg_page *page = pg_page(c->st, i);

	if (pg_mapped(c->st)) {
		pg_zone_lock(c, z, PAGUS_REASON_CONTIG);
		pg_map_grant(c->st, i, order, type);
		pg_spb_changed(c, z, i, order);
		pg_zone_unlock(c, z);
		return;
	}
	for (uint32_t k = 1; k < 1u << order; k++)
		pg_page_to_tail(&page[k]);
	pg_page_set(page, pg_page_kind(page), order, pg_page_type(page));
	pg_write(page->next, PG_MARK_COMPOUND);
}

/* All pages are the caller's. */
static void finish(struct pg_call *c, const struct range *r)
{
	pagus_pfn_t pfn = r->start;

	while (pfn < r->end) {
		uint32_t order = pg_order_in(pfn, r->end, c->st->max_order);
		uint32_t i = pg_index(c->st, pfn);

		if (is_compound(r))
			join(c, r->z, i, order, type_of(c->st, r));
		pg_content_hand_out(c, i, order, r->gfp);
		pfn += UINT64_C(1) << order;
	}
}

/* ---- the last phases ------------------------------------------------------------------------ */

/*
 * Take the free block that has the page at `pfn`, less what lies beyond the range. The first pfn
 * behind it; `pfn` if it is not free.
 */
static pagus_pfn_t take_block(struct pg_call *c, const struct range *r, pagus_pfn_t pfn)
{
	uint32_t head = pg_head(c->st, pg_index(c->st, pfn));
	int order = head == PG_NONE ? -1 : pg_take_free(c, r->z, head);
	pagus_pfn_t first, end;

	if (order < 0)
		return pfn;
	first = pg_pfn(c->st, head);
	end = first + (UINT64_C(1) << order);
	give_back(c, r->z, first, r->start);
	give_back(c, r->z, r->end, end);
	end = pg_min(end, r->end);
	if (pg_mapped(c->st))
		make_single(c->st, pfn, end, type_of(c->st, r));
	return end;
}

/* The same of all that begin in one pageblock, in one hold of the lock. */
static pagus_pfn_t take_pageblock(struct pg_call *c, const struct range *r, pagus_pfn_t from)
{
	pagus_pfn_t end = ((from >> c->st->pageblock_order) + 1) << c->st->pageblock_order;
	pagus_pfn_t pfn = from, next;

	end = pg_min(end, r->end);
	pg_zone_lock(c, r->z, PAGUS_REASON_CONTIG);
	for (; pfn < end; pfn = next) {
		next = take_block(c, r, pfn);
		if (next == pfn)
			break;
	}
	/* The last block may reach beyond the pageblock. */
	pg_spb_changed(c, r->z, pg_index(c->st, from), 0);
	for (next = end; next < pfn; next += UINT64_C(1) << c->st->pageblock_order)
		pg_spb_changed(c, r->z, pg_index(c->st, next), 0);
	pg_zone_unlock(c, r->z);
	/* Nobody else knows these records. */
	if (!pg_mapped(c->st))
		make_single(c->st, from, pfn, type_of(c->st, r));
	return pfn;
}

/* The range has been tested, so all of it is there, unless somebody ended its isolation. */
static enum pagus_status take_all(struct pg_call *c, const struct range *r)
{
	for (pagus_pfn_t pfn = r->start, next; pfn < r->end; pfn = next) {
		next = take_pageblock(c, r, pfn);
		if (next < r->end && next == pfn) {
			unmake_single(c, r->start, pfn);
			return PAGUS_BUSY;
		}
	}
	return PAGUS_OK;
}

/* ---- all phases ----------------------------------------------------------------------------- */

static enum pagus_status empty_and_take(struct pg_call *c, const struct range *r,
					enum pagus_isolate_mode mode,
					const struct pagus_cancel *cancel)
{
	const struct pg_range_how how = {
		.gfp = (r->gfp & (RECLAIM_FLAGS | __GFP_NOWARN)) | __GFP_RETRY_MAYFAIL,
		.reason = PAGUS_MIGRATE_CONTIG_RANGE, .cancel = cancel,
	};
	enum pagus_status status;

	pg_contig_drain(c, r->z);
	pg_evacuate_large(c, r->z, r->start, r->end, &how);
	/* What could not be moved may be freed by now: the test decides. */
	status = pg_range_move(c, r->start, r->end, &how);
	if (status != PAGUS_OK && status != PAGUS_BUSY)
		return status;
	status = pg_isolated_test(c, r->start, r->end, mode, NULL);
	if (status != PAGUS_OK) {
		/* What came to a pcp while its pageblock was being isolated is there still. */
		pg_contig_drain(c, r->z);
		status = pg_isolated_test(c, r->start, r->end, mode, NULL);
	}
	return status == PAGUS_OK ? take_all(c, r) : status;
}

enum pagus_status pg_alloc_contig(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end, bool cma,
				  uint32_t gfp, const struct pagus_cancel *cancel)
{
	const enum pagus_isolate_mode mode = cma ? PAGUS_ISOLATE_CMA_ALLOC : PAGUS_ISOLATE_OTHER;
	struct range r = { .start = start, .end = end, .gfp = gfp };
	enum pagus_status status;

	if (!pg_contig_gfp_valid(gfp) || ((gfp & __GFP_COMP) && !compound_valid(start, end - start)))
		return PAGUS_BAD_VALUE;
	r.z = pg_range_zone(c->st, start, end);
	if (!r.z)
		return PAGUS_BAD_RANGE;
	pg_span_begin(c);
	/* What they hold is handed out, to all that look at it. */
	pg_cache_close_all(c, r.z);
	status = pg_isolate_range(c, start, end, mode, NULL);
	if (status == PAGUS_OK) {
		status = empty_and_take(c, &r, mode, cancel);
		if (status == PAGUS_OK)
			finish(c, &r);
		pg_unisolate_range(c, start, end);
	}
	pg_span_end(c);
	return status;
}

/* ---- anywhere ------------------------------------------------------------------------------- */

/* Could the pages [from, end) of one pageblock be had? As it looks; needs the zone's lock. */
static bool part_qualifies(struct pg_call *c, struct pg_zone *z, uint32_t from, uint32_t end)
{
	uint32_t type = pg_block_type(c->st, from), step;

	if (type == PAGUS_CMA || type == PAGUS_ISOLATE)
		return false;
	for (uint32_t i = from; i < end; i += step) {
		if (pg_unmovable(c, z, i, PAGUS_ISOLATE_OTHER, &step))
			return false;
		z->work++;
	}
	return true;
}

static bool qualifies(struct pg_call *c, struct pg_zone *z, pagus_pfn_t start, pagus_pfn_t end)
{
	uint64_t pages = UINT64_C(1) << c->st->pageblock_order;
	bool fits = true;

	for (pagus_pfn_t pfn = start, next; pfn < end && fits; pfn = next) {
		uint32_t i = pg_index(c->st, pfn);

		next = pg_min((pfn & ~(pages - 1)) + pages, end);
		if (i == PG_NONE)
			return false;
		pg_zone_lock(c, z, PAGUS_REASON_CONTIG);
		fits = part_qualifies(c, z, i, i + (uint32_t)(next - pfn));
		pg_zone_unlock(c, z);
	}
	return fits;
}

static enum pagus_status alloc_in_zone(struct pg_call *c, struct pg_zone *z, uint64_t nr,
				       uint32_t gfp, const struct pagus_cancel *cancel,
				       pagus_pfn_t *pfn)
{
	pagus_pfn_t start = (pg_read(z->start_pfn) + nr - 1) / nr * nr;

	pg_cache_close_all(c, z);
	if (z->nr_spbs && nr == UINT64_C(1) << c->st->superpageblock_order) {
		enum pagus_status status = pg_gigantic_alloc(c, z, gfp, cancel, pfn);

		if (status != PAGUS_BUSY)
			return status;
	}
	for (; start + nr <= pg_read(z->end_pfn); start += nr) {
		enum pagus_status status;

		if (pg_cancelled(cancel))
			return PAGUS_CANCELLED;
		if (!qualifies(c, z, start, start + nr))
			continue;
		status = pg_alloc_contig(c, start, start + nr, false, gfp, cancel);
		if (status == PAGUS_OK)
			*pfn = start;
		if (status == PAGUS_OK || status == PAGUS_CANCELLED)
			return status;
	}
	return PAGUS_NO_MEMORY;
}

enum pagus_status pg_alloc_contig_pages(struct pg_call *c, uint64_t nr_pages,
					const struct pagus_request *req,
					const struct pagus_cancel *cancel, pagus_pfn_t *pfn)
{
	uint32_t highest = pg_highest_zone(c->st, req->gfp), node = req->node;
	enum pagus_status status = PAGUS_NO_MEMORY;
	const uint8_t *zones;

	*pfn = PAGUS_NO_PFN;
	if (nr_pages == 0 || nr_pages > c->st->nr_pages || !pg_contig_gfp_valid(req->gfp) ||
	    ((req->gfp & __GFP_COMP) && !compound_valid(0, nr_pages)))
		return PAGUS_BAD_VALUE;
	if (highest == PAGUS_NR_ZONE_TYPES)
		return PAGUS_BAD_ZONE_BITS;
	if (node == PAGUS_NO_NODE)
		node = pg_cpu_node(c->st, c->cpu);
	if (node >= c->st->nr_nodes)
		return PAGUS_BAD_NODE;
	zones = pg_zonelist(c->st, node, req->gfp & __GFP_THISNODE);
	for (uint32_t n = 1; n <= zones[0] && status == PAGUS_NO_MEMORY; n++) {
		struct pg_zone *z = pg_zone(c->st, zones[n]);

		if (z->type <= highest && (!req->nodemask || (req->nodemask >> z->node & 1)))
			status = alloc_in_zone(c, z, nr_pages, req->gfp, cancel, pfn);
	}
	return status;
}
