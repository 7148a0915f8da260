/* SPDX-License-Identifier: MIT */
/*
 * The store: where a zone's free blocks are kept and how they are cut. It decides nothing. There
 * are two: `list`, one list for each order and migratetype in the kernel's order, over page
 * records; and `bitmap`, summaries of pageblocks over their maps, which knows no order and gives
 * the block that lies lowest. In the second a pageblock has all its free blocks in one migratetype,
 * and two buddies inside it are never apart.
 *
 * Locking: all calls but pg_store_any need the zone's lock.
 */
#ifndef PG_STORE_STORE_H
#define PG_STORE_STORE_H

#include "mem/geometry.h"
#include "mem/list.h"

enum pg_end { PG_HEAD, PG_TAIL };

static inline uint32_t pg_store_list(const struct pg_zone *z, uint32_t order, uint32_t type)
{
	return z->first_head + order * PAGUS_NR_MIGRATETYPES + type;
}

/* ---- bitmap.c -------------------------------------------------------------------------------- */

uint32_t pg_bitmap_first(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
			 uint32_t type);
bool pg_bitmap_any(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
		   uint32_t type);
bool pg_bitmap_holds(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
		     uint32_t order);

/* The block behind the block i of a summary, in the order in which `first` finds them. */
uint32_t pg_bitmap_next(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
			uint32_t order, uint32_t type);

/* The first of a pageblock from number `block` on, which is the zone's, or its end_block. */
uint32_t pg_bitmap_from(const struct pagus_state *st, const struct pg_zone *z, uint32_t block,
			uint32_t order, uint32_t type);

/*
 * All free blocks of a pageblock, none of which is as large as it, come to the zone, or leave it,
 * as they are. Returns how many pages. The counts of pages are the caller's (pg_account).
 */
uint32_t pg_bitmap_add_all(struct pagus_state *st, struct pg_zone *z, struct pg_map *m,
			   uint32_t type);
uint32_t pg_bitmap_remove_all(struct pagus_state *st, struct pg_zone *z, struct pg_map *m);

/* ---- both ------------------------------------------------------------------------------------ */

/* The block that an allocation would take of an order and migratetype; PG_NONE if there is none. */
static inline uint32_t pg_store_first(const struct pagus_state *st, const struct pg_zone *z,
				      uint32_t order, uint32_t type)
{
	if (pg_mapped(st))
		return pg_bitmap_first(st, z, order, type);
	return pg_list_first(pg_pages(st), pg_store_list(z, order, type));
}

/* Is there one? Also without the lock, for who asks only what is likely. */
static inline bool pg_store_any(const struct pagus_state *st, const struct pg_zone *z,
				uint32_t order, uint32_t type)
{
	if (pg_mapped(st))
		return pg_bitmap_any(st, z, order, type);
	return pg_list_first(pg_pages(st), pg_store_list(z, order, type)) != PG_NONE;
}

/* The block behind i, which is of that order and migratetype; PG_NONE behind the last. */
static inline uint32_t pg_store_next(const struct pagus_state *st, const struct pg_zone *z,
				     uint32_t i, uint32_t order, uint32_t type)
{
	uint32_t next;

	if (pg_mapped(st))
		return pg_bitmap_next(st, z, i, order, type);
	next = pg_page(st, i)->next;
	return next == pg_store_list(z, order, type) ? PG_NONE : next;
}

/* True if i is the first page of a free block of exactly this order in this zone. */
static inline bool pg_store_holds(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
				  uint32_t order)
{
	const struct pg_page *page;

	if (pg_mapped(st))
		return pg_bitmap_holds(st, z, i, order);
	page = pg_page(st, i);
	return pg_page_is(page, PAGUS_PAGE_FREE, order) && pg_read(page->zone) == z->id;
}

/* Make the block i of `order` free, on one end of a list. */
void pg_store_insert(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t order,
		     uint32_t type, enum pg_end end);

/*
 * Take the free block i off its list. Its first page becomes a tail: the caller says what it is. It
 * is not one that has been reported any more.
 */
void pg_store_remove(struct pagus_state *st, struct pg_zone *z, uint32_t i);

/* Has the free block i been reported since it became what it is? From now on it has. */
bool pg_store_is_reported(const struct pagus_state *st, uint32_t i);
void pg_store_mark_reported(struct pagus_state *st, uint32_t i);

/* Move the free block i to the tail of another type's list of its order. */
void pg_store_move(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t type);

/*
 * Cut a block of order `from`, which is on no list, down to order `to`: each upper half goes onto
 * the head of `type`'s list. The lowest 2^to pages, from i, remain. Returns how many halvings that
 * took.
 */
uint32_t pg_store_split(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t from,
			uint32_t to, uint32_t type);

/* The bitmap's part of the calls of these names. */
void pg_bitmap_insert(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t order,
		      uint32_t type);
void pg_bitmap_remove(struct pagus_state *st, struct pg_zone *z, uint32_t i);
void pg_bitmap_move(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t type);

#endif
