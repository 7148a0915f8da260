/* SPDX-License-Identifier: MIT */
/* What a page is, whichever way the instance keeps it: in page records, or in maps. */
#ifndef PG_MEM_PAGE_H
#define PG_MEM_PAGE_H

#include "mem/map.h"

struct pg_view {
	uint16_t zone;  /* zone id; PG_NO_ZONE in a hole */
	uint8_t kind;   /* enum pagus_page_kind */
	uint8_t order;  /* of the block, where this is its first page; else 0 */
	uint8_t type;   /* migratetype of the request, if allocated or inherited */
};

/*
 * Of a page that anybody may be changing at this moment, it is a recent view: whoever acts upon it
 * looks again, with the lock or the claim that makes it certain.
 */
static inline struct pg_view pg_view(const struct pagus_state *st, uint32_t i)
{
	const struct pg_page *page;
	uint32_t what;

	if (pg_mapped(st))
		return pg_map_view(st, i);
	page = pg_page(st, i);
	what = pg_read(page->what);
	return (struct pg_view){ .zone = pg_read(page->zone), .kind = pg_what_kind(what),
				 .order = pg_what_order(what), .type = pg_what_type(what) };
}

/* Becomes the first page of a block of `order`, cut out of a larger one that is handed out. */
static inline void pg_page_cut(struct pg_page *page, const struct pg_page *first, uint32_t order)
{
	pg_page_set(page, PAGUS_PAGE_ALLOCATED, order, pg_page_type(first));
	page->tag = first->tag;
	pg_write(page->next, first->next);
}

/* Does it look as if somebody else referred to the block in use at i? */
static inline bool pg_looks_shared(const struct pagus_state *st, uint32_t i)
{
	return !pg_mapped(st) && pg_read(pg_page(st, i)->prev) > 0;
}

/* References to a block that is handed out, beyond the first. Maps keep none. */
static inline uint32_t pg_references(const struct pagus_state *st, uint32_t i)
{
	return pg_mapped(st) ? 0 : pg_atomic_load(&pg_page(st, i)->prev);
}

/* Zone of a page; PG_NO_ZONE in a hole. */
static inline uint32_t pg_page_zone(const struct pagus_state *st, uint32_t i)
{
	const struct pg_map *m;

	if (!pg_mapped(st))
		return pg_read(pg_page(st, i)->zone);
	m = pg_map(st, i);
	return pg_read(m->nr_present) >> st->pageblock_order ? pg_map_zone(m) : pg_map_view(st, i).zone;
}

/* Zone of a page that is memory. */
static inline struct pg_zone *pg_zone_of(const struct pagus_state *st, uint32_t i)
{
	return pg_zone(st, pg_mapped(st) ? pg_read(pg_map(st, i)->zone) :
					    pg_read(pg_page(st, i)->zone));
}

#endif
