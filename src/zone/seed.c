/* SPDX-License-Identifier: MIT */
/*
 * Handing memory over: from a boot-time reserver, page by page in use, or block by block as a
 * recorded kernel had it. Until then a page is reserved and belongs to nobody.
 */
#include "zone/seed.h"

#include "base/bits.h"
#include "mem/area.h"
#include "mem/release.h"
#include "zone/content.h"
#include "zone/superpageblock.h"
#include "zone/zone.h"

/* True if [pfn, pfn + nr) are all of `kind`, and in the zone of the first. */
static enum pagus_status range_is(const struct pagus_state *st, pagus_pfn_t pfn, uint64_t nr,
				  enum pagus_page_kind kind, bool one_zone)
{
	uint32_t first = pg_index(st, pfn);

	if (nr == 0 || nr > st->nr_pages || first == PG_NONE)
		return PAGUS_BAD_RANGE;
	for (uint64_t k = 0; k < nr; k++) {
		uint32_t i = pg_index(st, pfn + k);

		if (i == PG_NONE || pg_page_zone(st, i) == PG_NO_ZONE)
			return PAGUS_BAD_RANGE;
		if (pg_view(st, i).kind != kind ||
		    (one_zone && pg_page_zone(st, i) != pg_page_zone(st, first)))
			return PAGUS_BUSY;
	}
	return PAGUS_OK;
}

/* Pages leave the reserver: they are part of the zone from now on, and nobody's. */
static void hand_over(struct pagus_state *st, uint32_t i, uint32_t nr)
{
	struct pg_zone *z = pg_zone_of(st, i);

	for (uint32_t k = 0; k < nr; k++) {
		if (pg_mapped(st))
			pg_map_take(st, i + k, 0);
		else
			pg_page_to_tail(pg_page(st, i + k));
	}
	z->handed_over += nr;
	pg_write(z->managed, z->managed + nr);
}

/* Pages from record i on that belong to its zone, at most 2^order. */
static uint64_t pages_in_zone(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	uint64_t nr = 1;

	while (nr < UINT64_C(1) << order &&
	       pg_page_zone(st, i + (uint32_t)nr) == pg_page_zone(st, i))
		nr++;
	return nr;
}

static void release(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	hand_over(c->st, i, 1u << order);
	if (pg_read(c->st->content))
		pg_content_free(c, i, order);
	pg_buddy_free(c, z, i, order, PG_TAIL);
}

void pg_seed_release(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	pg_zone_lock(c, z, PAGUS_REASON_HAND_OVER);
	release(c, z, i, order);
	pg_zone_unlock(c, z);
}

enum pagus_status pg_seed_boot_free(struct pg_call *c, pagus_pfn_t start, uint64_t nr_pages)
{
	struct pagus_state *st = c->st;
	enum pagus_status status = range_is(st, start, nr_pages, PAGUS_PAGE_RESERVED, false);
	pagus_pfn_t end = start + nr_pages;

	if (status != PAGUS_OK)
		return status;
	while (start < end) {
		const struct pg_cma_range *area = pg_cma_overlap(st, start, end);
		uint32_t i = pg_index(st, start);
		struct pg_zone *z = pg_zone_of(st, i);
		uint32_t order = st->max_order;
		uint64_t room;

		if (area && area->base <= start) {
			start = area->base + area->nr_pages;
			continue;
		}
		if (start)
			order = (uint32_t)pg_min(order, (uint64_t)__builtin_ctzll(start));
		room = pg_min(end - start, pages_in_zone(st, i, order));
		if (area)
			room = pg_min(room, area->base - start);
		while (UINT64_C(1) << order > room)
			order--;
		pg_seed_release(c, z, i, order);
		start += UINT64_C(1) << order;
	}
	return PAGUS_OK;
}

/* A range of memory, a pageblock at a time. */
static void recount_range(struct pg_call *c, pagus_pfn_t start, uint64_t nr_pages)
{
	uint64_t block_pages = UINT64_C(1) << c->st->pageblock_order;

	for (pagus_pfn_t pfn = start; pfn < start + nr_pages;
	     pfn = (pfn & ~(block_pages - 1)) + block_pages) {
		uint32_t i = pg_index(c->st, pfn);

		pg_spb_changed(c, pg_zone_of(c->st, i), i, 0);
	}
}

enum pagus_status pg_seed_inherit(struct pg_call *c, pagus_pfn_t start, uint64_t nr_pages,
				  uint32_t type)
{
	struct pagus_state *st = c->st;
	enum pagus_status status = range_is(st, start, nr_pages, PAGUS_PAGE_RESERVED, false);

	if (status != PAGUS_OK)
		return status;
	if (!pg_type_mergeable(type))
		return PAGUS_BAD_VALUE;
	if (pg_cma_overlap(st, start, start + nr_pages))
		return PAGUS_BUSY;
	for (uint64_t k = 0; k < nr_pages; k++) {
		uint32_t i = pg_index(st, start + k);

		hand_over(st, i, 1);
		if (pg_mapped(st)) {
			pg_map_inherit(st, i, pg_effective_type(st, type));
			continue;
		}
		pg_page_set(pg_page(st, i), PAGUS_PAGE_INHERITED, 0, pg_effective_type(st, type));
	}
	recount_range(c, start, nr_pages);
	return PAGUS_OK;
}

/* True if a free block lies in, or covers, the pageblock that starts at record `start`. */
static bool holds_free(const struct pagus_state *st, uint32_t start)
{
	uint32_t head;

	for (uint32_t i = start; i < start + (1u << st->pageblock_order); i++)
		if (pg_view(st, i).kind == PAGUS_PAGE_FREE)
			return true;
	head = pg_head(st, start);
	return head != PG_NONE && pg_view(st, head).kind == PAGUS_PAGE_FREE;
}

enum pagus_status pg_seed_block(struct pg_call *c, pagus_pfn_t pfn, uint32_t type)
{
	uint32_t i = pg_index(c->st, pfn);

	if (i == PG_NONE)
		return PAGUS_BAD_RANGE;
	if (type >= PAGUS_NR_MIGRATETYPES)
		return PAGUS_BAD_VALUE;
	/* Free blocks lie on their pageblock's list, so the type comes before them. */
	if (holds_free(c->st, pg_block_start(c->st, i)))
		return PAGUS_BUSY;
	pg_block_set_type(c, i, 0, type);
	return PAGUS_OK;
}

enum pagus_status pg_seed_take_block(struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
				     uint32_t *i)
{
	enum pagus_status status = pg_block_at(st, pfn, order, i);

	if (status == PAGUS_OK)
		status = range_is(st, pfn, UINT64_C(1) << order, PAGUS_PAGE_RESERVED, true);
	if (status == PAGUS_OK && pg_cma_overlap(st, pfn, pfn + (UINT64_C(1) << order)))
		status = PAGUS_BUSY;
	if (status == PAGUS_OK)
		hand_over(st, *i, 1u << order);
	return status;
}

void pg_seed_release_block(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type)
{
	struct pg_zone *z = pg_zone_of(c->st, i);

	pg_zone_lock(c, z, PAGUS_REASON_HAND_OVER);
	pg_block_set_type(c, i, order, type);
	release(c, z, i, order);
	pg_zone_unlock(c, z);
}

enum pagus_status pg_seed_used(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, uint32_t type)
{
	struct pagus_state *st = c->st;
	enum pagus_status status = PAGUS_BAD_VALUE;
	uint32_t i;

	if (type < PAGUS_HIGHATOMIC)
		status = pg_seed_take_block(st, pfn, order, &i);
	if (status != PAGUS_OK)
		return status;
	type = pg_effective_type(st, type);
	if (pg_mapped(st)) {
		pg_map_grant(st, i, order, type);
		pg_spb_changed(c, pg_zone_of(st, i), i, order);
		return PAGUS_OK;
	}
	pg_page_set(pg_page(st, i), PAGUS_PAGE_ALLOCATED, order, type);
	return PAGUS_OK;
}

enum pagus_status pg_seed_free(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, uint32_t list)
{
	struct pagus_state *st = c->st;
	uint32_t i;
	enum pagus_status status = PAGUS_BAD_VALUE;
	struct pg_zone *z;

	if (list < PAGUS_NR_MIGRATETYPES)
		status = pg_seed_take_block(st, pfn, order, &i);

	if (status != PAGUS_OK)
		return status;
	z = pg_zone_of(st, i);
	pg_zone_lock(c, z, PAGUS_REASON_HAND_OVER);
	if (pg_release(st)->list_is_block_type) {
		pg_block_set_type(c, i, order, pg_block_type(st, i));
		list = pg_block_type(st, i);
	}
	if (pg_mapped(st)) {
		/* Free buddies in one pageblock cannot stand apart there. */
		pg_buddy_free(c, z, i, order, PG_TAIL);
		pg_zone_unlock(c, z);
		return PAGUS_OK;
	}
	pg_store_insert(st, z, i, order, list, PG_TAIL);
	if (order >= st->pageblock_order && pg_buddy_apart(st, i, order))
		pg_count(c, PAGUS_COUNTER_pageblock_apart, 1);
	pg_account(c, z, INT64_C(1) << order, list);
	pg_zone_unlock(c, z);
	return PAGUS_OK;
}

struct pg_zone *pg_seed_find_zone(const struct pagus_state *st, uint32_t node, uint32_t type)
{
	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (pg_zone(st, id)->node == node && pg_zone(st, id)->type == type &&
		    pg_zone_populated(pg_zone(st, id)))
			return pg_zone(st, id);
	return NULL;
}

enum pagus_status pg_seed_zone(struct pagus_state *st, uint32_t node, uint32_t type,
			       const struct pagus_zone_seed *seed)
{
	struct pg_zone *z = pg_seed_find_zone(st, node, type);

	if (!z)
		return PAGUS_BAD_NODE;
	for (uint32_t w = 1; w < PAGUS_NR_WMARKS; w++)
		if (seed->wmark[w] < seed->wmark[w - 1])
			return PAGUS_BAD_VALUE;
	/* Every multiple of the batch that the pcp computes must fit. */
	if (seed->pcp_batch > INT32_MAX >> 6 || seed->pcp_high_max < seed->pcp_high_min)
		return PAGUS_BAD_VALUE;
	if (seed->spanned && (seed->start_pfn > z->start_pfn ||
			      seed->start_pfn + seed->spanned < z->end_pfn))
		return PAGUS_BAD_RANGE;
	if (seed->spanned) {
		z->start_pfn = seed->start_pfn;
		z->end_pfn = seed->start_pfn + seed->spanned;
	}
	z->present = seed->present;
	z->managed = seed->managed;
	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		z->wmark[w] = seed->wmark[w];
	for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
		z->lowmem_reserve[t] = seed->lowmem_reserve[t];
	if (seed->pcp_batch)
		pg_watermark_set_pcp_limits(st, z, seed->pcp_high_min, seed->pcp_high_max,
					    seed->pcp_batch);
	else
		pg_watermark_pcp_limits(st, z);
	return PAGUS_OK;
}
