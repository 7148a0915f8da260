/* SPDX-License-Identifier: MIT */
/*
 * The list store: free blocks of a zone on one list for each order and migratetype, in the kernel's
 * order. It knows where free pieces are kept and how they are cut; it decides nothing.
 *
 * Locking: all calls need the zone's lock.
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

/* The block that an allocation would take from a list; PG_NONE if it is empty. */
static inline uint32_t pg_store_first(const struct pagus_state *st, const struct pg_zone *z,
				      uint32_t order, uint32_t type)
{
	return pg_list_first(pg_pages(st), pg_store_list(z, order, type));
}

/* True if i is the first page of a free block of exactly this order in this zone. */
static inline bool pg_store_holds(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
				  uint32_t order)
{
	const struct pg_page *page = pg_page(st, i);

	return page->kind == PAGUS_PAGE_FREE && page->order == order && page->zone == z->id;
}

/* Make the block i of `order` free, on one end of a list. */
void pg_store_insert(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t order,
		     uint32_t type, enum pg_end end);

/* Take the free block i off its list. Its first page becomes a tail: the caller says what it is. */
void pg_store_remove(struct pagus_state *st, struct pg_zone *z, uint32_t i);

/* Move the free block i to the tail of another type's list of its order. */
void pg_store_move(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t type);

/*
 * Cut a block of order `from`, which is on no list, down to order `to`: each upper half goes onto
 * the head of `type`'s list. The lowest 2^to pages, from i, remain. Returns how many halvings that
 * took.
 */
uint32_t pg_store_split(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t from,
			uint32_t to, uint32_t type);

#endif
