/* SPDX-License-Identifier: MIT */
/* Blocks by address. */
#include "gate.h"

#include "cs.h"

/* May a cache serve this request? */
static inline bool is_hot(const struct pagus_posix *x, uint32_t gfp, uint32_t order)
{
	return order < x->hot_orders && px_hot_serves(gfp);
}

/* The block is the caller's alone, and so is its byte. */
static inline void *hand_out(struct pagus_posix *x, uint64_t page, uint32_t stack)
{
	__atomic_store_n(&x->page_stack[page], stack, __ATOMIC_RELAXED);
	return x->base + (page << PX_PAGE_BITS);
}

static __attribute__((noinline)) void *get_by_call(struct pagus_posix *x, uint32_t gfp,
						    uint32_t order)
{
	pagus_pfn_t pfn;
	uint32_t page;

	if (x->foreign)
		return NULL;
	if (is_hot(x, gfp, order)) {
		page = px_hot_fill(x, px_hot_stack_of(gfp, order), gfp);
		if (page != PX_HOT_NO_PAGE)
			return hand_out(x, page, px_hot_stack_of(gfp, order));
	}
	if (pagus_alloc_pages(&x->p, gfp, order, &pfn) == PAGUS_OK)
		return x->base + (pfn << PX_PAGE_BITS);
	/* What other CPUs keep is the last that there is. */
	pagus_drain_all(&x->p);
	if (pagus_alloc_pages(&x->p, gfp, order, &pfn) != PAGUS_OK)
		return NULL;
	return x->base + (pfn << PX_PAGE_BITS);
}

void *pagus_posix_get(struct pagus_posix *x, uint32_t gfp, uint32_t order)
{
	uint32_t stack = px_hot_stack_of(gfp, order);
	uint64_t page;

	if (px_unlikely(!is_hot(x, gfp, order)) ||
	    px_unlikely(!px_cs_pop(x, px_hot_at(stack), &page)))
		return get_by_call(x, gfp, order);
	return hand_out(x, page, stack);
}

/* A block that is free is no stack's: else it could be pushed once more. */
static enum pagus_status free_by_call(struct pagus_posix *x, pagus_pfn_t pfn, uint32_t order)
{
	uint8_t *byte = x->hot ? &x->page_stack[pfn] : NULL;
	uint8_t was = byte ? __atomic_load_n(byte, __ATOMIC_RELAXED) : 0;
	enum pagus_status status;

	if (was & PX_HOT_CACHED)
		return PAGUS_DOUBLE_FREE;
	if (was)
		__atomic_store_n(byte, 0, __ATOMIC_RELAXED);
	status = pagus_free_pages(&x->p, pfn, order);
	if (was && status != PAGUS_OK)
		__atomic_store_n(byte, was, __ATOMIC_RELAXED);
	return status;
}

/*
 * A block that is handed out, and is of a stack of this order, is pushed there; else false. By
 * branches, so that what follows need not wait for the byte.
 */
static inline bool put_hot(struct pagus_posix *x, uint64_t page, uint64_t order)
{
	uint8_t *byte = &x->page_stack[page];
	uint64_t stack = 1 + order * 4, was = __atomic_load_n(byte, __ATOMIC_RELAXED);

	if (px_likely(was == stack + PAGUS_MOVABLE))
		stack += PAGUS_MOVABLE;
	else if (was == stack + PAGUS_RECLAIMABLE)
		stack += PAGUS_RECLAIMABLE;
	else if (was != stack + PAGUS_UNMOVABLE)
		return false;
	__atomic_store_n(byte, (uint8_t)(stack | PX_HOT_CACHED), __ATOMIC_RELAXED);
	if (px_unlikely(!px_cs_push(x, px_hot_at(stack), page)))
		px_hot_spill(x, (uint32_t)stack, (uint32_t)page);
	return true;
}

static __attribute__((noinline)) enum pagus_status put_by_call(struct pagus_posix *x, void *address,
							       uint32_t order)
{
	enum pagus_status status;
	pagus_pfn_t pfn;

	if (x->foreign)
		return PAGUS_BUSY;
	status = px_first_page(x, address, &pfn);
	if (status != PAGUS_OK)
		return status;
	/* Other nodes' blocks are not kept: they would not be handed out here. */
	if (x->hot && x->nr_nodes > 1 && px_hot_is_near(x, pfn) && put_hot(x, pfn, order))
		return PAGUS_OK;
	return free_by_call(x, pfn, order);
}

enum pagus_status pagus_posix_put(struct pagus_posix *x, void *address, uint32_t order)
{
	/* Rotated, so that what is no page's address is past the end. */
	uint64_t offset = (uint64_t)((uintptr_t)address - (uintptr_t)x->base);
	uint64_t page = offset >> PX_PAGE_BITS | offset << (64 - PX_PAGE_BITS);

	if (px_unlikely(page >= x->hot_pages) || px_unlikely(!put_hot(x, page, order)))
		return put_by_call(x, address, order);
	return PAGUS_OK;
}
