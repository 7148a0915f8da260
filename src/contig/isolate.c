/* SPDX-License-Identifier: MIT */
#include "contig/isolate.h"

#include "alloc/free.h"
#include "base/bits.h"
#include "place/place.h"
#include "zone/owner.h"

#define MAX_TURNS 64 /* in which CPUs come to own a pageblock that is to be nobody's */

/* The pages of one pageblock that a range has. */
struct part {
	uint32_t start;     /* of the pageblock; PG_NONE: it is not tracked */
	uint32_t from, end; /* of the part */
	struct pg_zone *z;  /* NULL: all of the pageblock is hole */
};

static uint64_t block_pages(const struct pagus_state *st)
{
	return UINT64_C(1) << st->pageblock_order;
}

/* That of the pageblock that begins at `block`. */
static struct part find_part(const struct pagus_state *st, pagus_pfn_t block, pagus_pfn_t start,
			     pagus_pfn_t end)
{
	struct part part = { .start = pg_index(st, block) };
	uint32_t zone;

	if (part.start == PG_NONE)
		return part;
	part.from = part.start + (start > block ? (uint32_t)(start - block) : 0);
	part.end = part.start + (uint32_t)pg_min(end - block, block_pages(st));
	zone = pg_block_zone(st, part.start);
	part.z = zone == PG_NO_ZONE ? NULL : pg_zone(st, zone);
	return part;
}

enum pagus_status pg_range_check(const struct pagus_state *st, pagus_pfn_t start, pagus_pfn_t end)
{
	uint64_t section = start >> st->section_order, last = (end - 1) >> st->section_order;

	if (start >= end)
		return PAGUS_BAD_RANGE;
	section = pg_max(section, st->first_section);
	last = pg_min(last, (uint64_t)st->first_section + st->nr_sections - 1);
	for (; section <= last; section++)
		if (pg_index(st, section << st->section_order) != PG_NONE)
			return PAGUS_OK;
	return PAGUS_BAD_RANGE;
}

struct pg_zone *pg_range_zone(const struct pagus_state *st, pagus_pfn_t start, pagus_pfn_t end)
{
	uint32_t first = start < end ? pg_index(st, start) : PG_NONE;
	uint32_t zone = first == PG_NONE ? PG_NO_ZONE : pg_page_zone(st, first);

	if (zone == PG_NO_ZONE || end > pg_read(pg_zone(st, zone)->end_pfn))
		return NULL;
	for (pagus_pfn_t pfn = start; pfn < end; pfn++) {
		uint32_t i = pg_index(st, pfn);

		if (i == PG_NONE || pg_page_zone(st, i) != zone)
			return NULL;
	}
	return pg_zone(st, zone);
}

/* ---- one pageblock -------------------------------------------------------------------------- */

static void set_isolated(struct pg_call *c, uint32_t start, bool isolated)
{
	if (isolated)
		pg_block_set_type(c, start, 0, PAGUS_ISOLATE);
	else
		pg_block_unisolate(c, start);
}

/*
 * The pageblock is isolated, or no longer, and its free blocks go where that says. One that covers
 * it is freed anew, in pageblocks, each under its own type, so that it is cut at a border of types,
 * and merges where there is none any more.
 */
static void change(struct pg_call *c, struct pg_zone *z, uint32_t start, bool isolated)
{
	uint32_t head = pg_head(c->st, start), to = PAGUS_ISOLATE;
	struct pg_view look = { 0 };

	if (head != PG_NONE)
		look = pg_view(c->st, head);
	if (look.kind == PAGUS_PAGE_FREE && look.zone == z->id &&
	    look.order >= c->st->pageblock_order) {
		pg_account(c, z, -(INT64_C(1) << look.order), pg_block_type(c->st, head));
		pg_store_remove(c->st, z, head);
		set_isolated(c, start, isolated);
		pg_buddy_free(c, z, head, look.order, PG_TAIL);
		return;
	}
	if (!isolated)
		to = pg_block_under(c->st, start);
	pg_claim_move(c, z, start, to);
	set_isolated(c, start, isolated);
}

/* Does anything of the part stand in the way? The first such page in *obstacle. */
static bool find_obstacle(struct pg_call *c, const struct part *part, enum pagus_isolate_mode mode,
			  uint32_t *obstacle)
{
	uint32_t type = pg_block_type(c->st, part->start), step;

	*obstacle = part->from;
	if (type == PAGUS_ISOLATE || !pg_claim_whole(c->st, part->z, part->start))
		return true;
	if (type == PAGUS_CMA)
		return mode != PAGUS_ISOLATE_CMA_ALLOC;
	for (uint32_t i = part->from; i < part->end; i += step) {
		*obstacle = i;
		if (pg_unmovable(c, part->z, i, mode, &step))
			return true;
		part->z->work++;
	}
	return false;
}

/* The zone's lock, with the pageblock nobody's. False: CPUs come to own it again and again. */
static bool lock_unowned(struct pg_call *c, const struct part *part)
{
	for (uint32_t n = 0; n < MAX_TURNS; n++) {
		pg_pcp_retyped(c, part->start, PAGUS_ISOLATE);
		pg_zone_lock(c, part->z, PAGUS_REASON_ISOLATE);
		if (pg_owner(c->st, part->start) == 0)
			return true;
		pg_zone_unlock(c, part->z);
	}
	return false;
}

static enum pagus_status isolate_part(struct pg_call *c, const struct part *part,
				      enum pagus_isolate_mode mode, uint32_t *obstacle)
{
	enum pagus_status status = PAGUS_OK;

	*obstacle = part->from;
	if (!part->z || !lock_unowned(c, part))
		return PAGUS_BUSY;
	if (find_obstacle(c, part, mode, obstacle))
		status = PAGUS_BUSY;
	else
		change(c, part->z, part->start, true);
	pg_zone_unlock(c, part->z);
	return status;
}

/* ---- ranges --------------------------------------------------------------------------------- */

/* The compound page that covers page i, the first of a pageblock, and the one before; or NONE. */
static uint32_t find_crossing(const struct pagus_state *st, pagus_pfn_t pfn)
{
	uint32_t i = pg_index(st, pfn), head;

	if (i == PG_NONE || pg_mapped(st))
		return PG_NONE;
	head = pg_head(st, i);
	if (head == PG_NONE || head == i || pg_page_kind(pg_page(st, head)) != PAGUS_PAGE_ALLOCATED ||
	    !(pg_read(pg_page(st, head)->next) & PG_MARK_COMPOUND))
		return PG_NONE;
	return head;
}

static enum pagus_status isolate_blocks(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end,
					enum pagus_isolate_mode mode, pagus_pfn_t *done,
					uint32_t *obstacle)
{
	uint64_t pages = block_pages(c->st);

	for (*done = start & ~(pages - 1); *done < end;) {
		struct part part = find_part(c->st, *done, start, end);
		bool first = *done <= start;

		if (part.start != PG_NONE && isolate_part(c, &part, mode, obstacle) != PAGUS_OK)
			return PAGUS_BUSY;
		*done += pages;
		/* What is in use at the border: nothing is allocated across it any more. */
		*obstacle = first ? find_crossing(c->st, *done - pages) : PG_NONE;
		if (*obstacle == PG_NONE && *done >= end)
			*obstacle = find_crossing(c->st, *done);
		if (*obstacle != PG_NONE)
			return PAGUS_BUSY;
	}
	return PAGUS_OK;
}

enum pagus_status pg_isolate_range(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end,
				   enum pagus_isolate_mode mode, pagus_pfn_t *obstacle)
{
	enum pagus_status status = pg_range_check(c->st, start, end);
	pagus_pfn_t done;
	uint32_t i;

	if (status != PAGUS_OK)
		return status;
	status = isolate_blocks(c, start, end, mode, &done, &i);
	if (status == PAGUS_OK)
		return status;
	if (obstacle)
		*obstacle = pg_pfn(c->st, i);
	pg_unisolate_range(c, start, done);
	return status;
}

void pg_unisolate_range(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end)
{
	uint64_t pages = block_pages(c->st);

	for (pagus_pfn_t block = start & ~(pages - 1); block < end; block += pages) {
		struct part part = find_part(c->st, block, block, block + pages);

		if (part.start == PG_NONE || !part.z)
			continue;
		pg_zone_lock(c, part.z, PAGUS_REASON_ISOLATE);
		if (pg_block_type(c->st, part.start) == PAGUS_ISOLATE)
			change(c, part.z, part.start, false);
		pg_zone_unlock(c, part.z);
	}
}

/* The first page of the part that is not free; its end if all are. */
static uint32_t find_used(struct pg_call *c, const struct part *part, enum pagus_isolate_mode mode)
{
	uint32_t i = part->from;

	if (pg_block_type(c->st, part->start) != PAGUS_ISOLATE)
		return i;
	while (i < part->end) {
		uint32_t head = pg_head(c->st, i);
		struct pg_view look;

		if (head == PG_NONE)
			return i;
		look = pg_view(c->st, head);
		if ((look.kind != PAGUS_PAGE_FREE || look.zone != part->z->id) &&
		    !pg_absent(c, head, &look, mode))
			return i;
		i = head + (1u << look.order);
		part->z->work++;
	}
	return part->end;
}

enum pagus_status pg_isolated_test(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end,
				   enum pagus_isolate_mode mode, pagus_pfn_t *first_bad)
{
	uint64_t pages = block_pages(c->st);
	enum pagus_status status = pg_range_check(c->st, start, end);
	pagus_pfn_t bad = end;

	for (pagus_pfn_t block = start & ~(pages - 1); block < end && status == PAGUS_OK;
	     block += pages) {
		struct part part = find_part(c->st, block, start, end);
		uint32_t i = part.from;

		if (part.start == PG_NONE)
			continue;
		if (part.z) {
			pg_zone_lock(c, part.z, PAGUS_REASON_ISOLATE);
			pg_free_deferred(c, part.z, PG_HEAD);
			i = find_used(c, &part, mode);
			pg_zone_unlock(c, part.z);
		}
		if (i < part.end) {
			bad = pg_pfn(c->st, i);
			status = PAGUS_BUSY;
		}
	}
	if (pg_event_wanted(c, PAGUS_EVENT_TEST_PAGES_ISOLATED))
		pg_event_raise(c, PAGUS_EVENT_TEST_PAGES_ISOLATED, PG_NO_ZONE, bad, 0, 0,
			       (uint32_t)(end - start), status);
	if (first_bad && status == PAGUS_BUSY)
		*first_bad = bad;
	return status;
}
