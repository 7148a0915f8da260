/* SPDX-License-Identifier: MIT */
/*
 * Freed blocks that wait for a lock: a stack that takes no lock, linked by the `next` of first
 * pages. Pushing replaces the first entry if nobody else has meanwhile; whoever has the lock takes
 * all at once. No single entry is ever taken off, so an entry cannot leave and come back between a
 * look and the replacement. A closed stack takes nothing: closing it is one exchange, so a push
 * either comes before, and is taken, or is refused.
 */
#ifndef PG_MEM_STACK_H
#define PG_MEM_STACK_H

#include "base/atomic.h"
#include "mem/state.h"

#define PG_STACK_CLOSED UINT32_MAX

static inline bool pg_stack_empty(const uint32_t *stack)
{
	uint32_t first = pg_atomic_load(stack);

	return first == PG_NONE || first == PG_STACK_CLOSED;
}

/*
 * The block i of `order`, which is nobody's, is deferred from now on. False, and nothing is changed,
 * if the stack is closed. Each turn of the loop in vain is the success of another CPU.
 */
static inline bool pg_stack_push(struct pg_page *pages, uint32_t *stack, uint32_t i, uint32_t order)
{
	uint32_t first = pg_atomic_load(stack);
	struct pg_page *page = &pages[i];

	pg_page_set(page, PAGUS_PAGE_DEFERRED, order, 0);
	do {
		if (first == PG_STACK_CLOSED) {
			pg_page_to_tail(page);
			pg_write(page->next, 0);
			return false;
		}
		pg_write(page->next, first);
	} while (!pg_atomic_replace(stack, &first, i));
	return true;
}

/* Take all that is there, leaving `left`: the first; PG_NONE if there is none. */
static inline uint32_t pg_stack_take(uint32_t *stack, uint32_t left)
{
	uint32_t first = pg_atomic_exchange(stack, left);

	return first == PG_STACK_CLOSED ? PG_NONE : first;
}

/* The block i, just taken, is nobody's and no longer deferred: the one behind it; its order. */
static inline uint32_t pg_stack_next(struct pg_page *pages, uint32_t i, uint32_t *order)
{
	uint32_t next = pages[i].next;

	PG_ASSERT(pg_page_kind(&pages[i]) == PAGUS_PAGE_DEFERRED);
	*order = pg_page_order(&pages[i]);
	pg_page_to_tail(&pages[i]);
	pg_write(pages[i].next, 0);
	return next;
}

#endif
