/* SPDX-License-Identifier: MIT */
/*
 * References: a block that is handed out has one, and may get more. The last one dropped frees it.
 * (get_page, __free_pages)
 *
 * Whoever drops another than the last reference to a block that is no compound page frees all of it
 * but the first page, which is left to the others: they were after a page, not after a block.
 */
#include "alloc/reference.h"

#include "base/atomic.h"

#define MOST_FURTHER INT32_MAX

enum pagus_status pg_reference_get(struct pg_call *c, pagus_pfn_t pfn)
{
	uint32_t i;
	enum pagus_status status = pg_block_at(c->st, pfn, 0, &i);
	struct pg_page *page = pg_page(c->st, i);

	if (status != PAGUS_OK)
		return status;
	if (pg_mapped(c->st))
		return PAGUS_UNSUPPORTED;
	if (pg_page_kind(page) == PAGUS_PAGE_INHERITED)
		return PAGUS_BUSY;
	if (pg_page_kind(page) != PAGUS_PAGE_ALLOCATED)
		return pg_free_why_not(c->st, i);
	/* The bound is there only to keep a caller's errors from adding up to a wrap. */
	if (pg_atomic_load(&page->prev) >= MOST_FURTHER)
		return PAGUS_BUSY;
	pg_atomic_add(&page->prev, 1);
	return PAGUS_OK;
}

/* Drop a reference if it is not the last. */
static bool drop(struct pg_page *page)
{
	if (pg_atomic_sub(&page->prev, 1) > 0)
		return true;
	/* The caller's is the only one: nobody else may look. */
	pg_atomic_store(&page->prev, 0);
	return false;
}

/* The first page becomes a block of its own, with the references; so do the pieces above it. */
static void cut(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	struct pg_page *first = pg_page(st, i);

	for (uint32_t k = 0; k < order; k++)
		pg_page_cut(pg_page(st, i + (1u << k)), first, k);
	pg_page_cut(first, first, 0);
}

/*
 * The cut comes before the drop, since the first page is the others' from then on. If they have
 * dropped theirs meanwhile, it is freed as a piece too.
 */
static void put_pieces(struct pg_call *c, uint32_t i, uint32_t order, pg_free_block *release)
{
	bool shared;

	cut(c->st, i, order);
	shared = drop(pg_page(c->st, i));
	for (uint32_t k = order; k-- > 0;)
		release(c, i + (1u << k), k);
	if (!shared)
		release(c, i, 0);
}

enum pagus_status pg_reference_put(struct pg_call *c, pagus_pfn_t pfn, uint32_t order,
				       pg_free_block *release)
{
	uint32_t i;
	enum pagus_status status = pg_free_check(c->st, pfn, order, &i);
	struct pg_page *page = pg_page(c->st, i);

	if (status == PAGUS_OK) {
		release(c, i, order);
	} else if (pg_mapped(c->st)) {
		return pg_free_refuse(c, status, pfn, i, order);
	} else if (status == PAGUS_BUSY && order > 0 && !(page->next & PG_MARK_COMPOUND)) {
		put_pieces(c, i, order, release);
	} else if (status == PAGUS_BUSY) {
		if (!drop(page))
			release(c, i, order);
	} else if (status != PAGUS_WRONG_ORDER || order > 0 ||
		   pg_page_kind(page) != PAGUS_PAGE_ALLOCATED || !drop(page)) {
		/* A single page's holder knows no order: his reference goes, if others stay. */
		return pg_free_refuse(c, status, pfn, i, order);
	}
	return PAGUS_OK;
}
