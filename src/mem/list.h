/* SPDX-License-Identifier: MIT */
/*
 * Circular doubly linked lists of page records, linked by index. An empty list's head points at
 * itself. An entry that leaves a list gets zero links, so that states that differ only in their
 * past are equal bytes.
 */
#ifndef PG_MEM_LIST_H
#define PG_MEM_LIST_H

#include "mem/state.h"

static inline void pg_list_init(struct pg_page *pages, uint32_t head)
{
	pages[head].prev = head;
	pages[head].next = head;
}

static inline uint32_t pg_list_first(const struct pg_page *pages, uint32_t head)
{
	return pages[head].next == head ? PG_NONE : pages[head].next;
}

static inline uint32_t pg_list_last(const struct pg_page *pages, uint32_t head)
{
	return pages[head].prev == head ? PG_NONE : pages[head].prev;
}

static inline void pg_list_add_after(struct pg_page *pages, uint32_t at, uint32_t i)
{
	uint32_t next = pages[at].next;

	PG_ASSERT_SLOW(pages[i].next == 0 && pages[i].prev == 0);
	pages[i].prev = at;
	pages[i].next = next;
	pages[next].prev = i;
	pages[at].next = i;
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
	pages[prev].next = next;
	pages[next].prev = prev;
	pages[i].prev = 0;
	pages[i].next = 0;
}

#endif
