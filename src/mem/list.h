/* SPDX-License-Identifier: MIT */
/*
 * Circular doubly linked lists of page records, linked by index. An empty list's head points at
 * itself. An entry that leaves a list gets zero links, so that states that differ only in their
 * past are equal bytes.
 */
#ifndef PG_MEM_LIST_H
#define PG_MEM_LIST_H

#include "mem/state.h"

/*
 * Each link is written at once, since some are looked at without the list's lock: a head's, by who asks
 * whether there is anything, and a page's `prev`, which in use counts references.
 */
static inline void pg_list_link(struct pg_page *pages, uint32_t prev, uint32_t next)
{
	pg_write(pages[prev].next, next);
	pg_write(pages[next].prev, prev);
}

static inline void pg_list_init(struct pg_page *pages, uint32_t head)
{
	pg_list_link(pages, head, head);
}

static inline uint32_t pg_list_first(const struct pg_page *pages, uint32_t head)
{
	uint32_t first = pg_read(pages[head].next);

	return first == head ? PG_NONE : first;
}

static inline uint32_t pg_list_last(const struct pg_page *pages, uint32_t head)
{
	return pages[head].prev == head ? PG_NONE : pages[head].prev;
}

static inline void pg_list_add_after(struct pg_page *pages, uint32_t at, uint32_t i)
{
	uint32_t next = pages[at].next;

	PG_ASSERT_SLOW(pages[i].next == 0 && pages[i].prev == 0);
	pg_list_link(pages, i, next);
	pg_list_link(pages, at, i);
}

static inline void pg_list_add_head(struct pg_page *pages, uint32_t head, uint32_t i)
{
	pg_list_add_after(pages, head, i);
}

static inline void pg_list_add_tail(struct pg_page *pages, uint32_t head, uint32_t i)
{
	pg_list_add_after(pages, pages[head].prev, i);
}

static inline void pg_list_del(struct pg_page *pages, uint32_t i)
{
	uint32_t prev = pages[i].prev, next = pages[i].next;

	PG_ASSERT(pages[prev].next == i && pages[next].prev == i);
	pg_list_link(pages, prev, next);
	pg_write(pages[i].prev, 0);
	pg_write(pages[i].next, 0);
}

#endif
