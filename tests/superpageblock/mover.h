/* SPDX-License-Identifier: MIT */
/*
 * The owner of a host's movable blocks: they can be moved, and reclaim frees some. With four bytes a
 * page it does for machines of 256 GiB; what pages hold is checked where there is port/sim's owner.
 */
#ifndef TEST_MOVER_H
#define TEST_MOVER_H

#include <pagus/evacuate.h>

#include "superpageblock/load.h"

static inline struct host *mover_host(void *ctx)
{
	return (struct host *)((char *)ctx - offsetof(struct host, lab.sim));
}

static inline uint32_t *mover_task(void *ctx)
{
	return &mover_host(ctx)->lab.sim.task;
}

/* The movable block of this order that begins there; NULL: there is none. */
static inline uint8_t *mover_block(struct host *h, pagus_pfn_t pfn, uint32_t order)
{
	struct held *k = &h->of[PAGUS_MOVABLE];
	uint32_t n = h->at[pfn - h->range.start_pfn];

	if (n == 0 || (k->orders[n - 1] & ~HOST_CLAIMED) != order)
		return NULL;
	assert_true(k->pfns[n - 1] == pfn);
	return &k->orders[n - 1];
}

static inline bool mover_isolate(void *ctx, uint64_t pfn, uint32_t order,
				 const struct pagus_migrate *how)
{
	uint8_t *block = mover_block(mover_host(ctx), pfn, order);

	(void)how;
	if (!block || (*block & HOST_CLAIMED))
		return false;
	*block |= HOST_CLAIMED;
	return true;
}

static inline void mover_putback(void *ctx, uint64_t pfn, uint32_t order)
{
	uint8_t *block = mover_block(mover_host(ctx), pfn, order);

	assert_true(block && (*block & HOST_CLAIMED));
	*block &= (uint8_t)~HOST_CLAIMED;
}

static inline enum pagus_moved mover_move(void *ctx, uint64_t from, uint64_t to, uint32_t order,
					  const struct pagus_migrate *how)
{
	struct host *h = mover_host(ctx);
	uint32_t *was = &h->at[from - h->range.start_pfn], *is = &h->at[to - h->range.start_pfn];

	(void)how;
	mover_putback(ctx, from, order);
	assert_true(*is == 0);
	h->of[PAGUS_MOVABLE].pfns[*was - 1] = to;
	*is = *was;
	*was = 0;
	h->moved_pages += UINT64_C(1) << order;
	return PAGUS_MOVED;
}

/* Slabs in a range are shrunk. */
static inline uint64_t mover_shrink(struct host *h, const struct pagus_reclaim *how)
{
	const struct held *k = &h->of[PAGUS_RECLAIMABLE];
	uint64_t freed = 0;

	for (uint64_t n = k->nr; n-- > 0 && freed < how->nr_pages;) {
		if (k->pfns[n] < how->start_pfn || k->pfns[n] - how->start_pfn >= how->range_pages)
			continue;
		freed += UINT64_C(1) << k->orders[n];
		host_give(h, PAGUS_RECLAIMABLE, n);
	}
	return freed;
}

/* Any movable blocks, as if they were what files are cached in. */
static inline uint64_t mover_reclaim(void *ctx, const struct pagus_reclaim *how)
{
	struct host *h = mover_host(ctx);
	struct held *k = &h->of[PAGUS_MOVABLE];
	uint64_t freed = 0;

	if (how->range_pages)
		return mover_shrink(h, how);
	for (uint32_t tries = 0; h->reclaims && k->nr && freed < how->nr_pages && tries < 1000; tries++) {
		uint64_t n = lab_random(&h->seed, k->nr);

		if (k->orders[n] & HOST_CLAIMED)
			continue;
		freed += UINT64_C(1) << k->orders[n];
		host_give(h, PAGUS_MOVABLE, n);
	}
	h->reclaimed_pages += freed;
	return freed;
}

/* What is due every second. */
static inline void mover_second(struct host *h)
{
	uint32_t turns = 0;

	pagus_tick(&h->lab.p);
	if (pagus_evacuate_tick(&h->lab.p, 0))
		while (pagus_work(&h->lab.p, PAGUS_WORKER_EVACUATE, 0) && ++turns < 4096)
			;
}

/* From now on, before anything is in use. */
static inline void mover_own(struct host *h)
{
	h->at = calloc(h->range.nr_pages, sizeof(*h->at));
	assert_non_null(h->at);
	h->port = pagus_sim_port;
	h->port.task_flags = mover_task;
	h->port.isolate = mover_isolate;
	h->port.move = mover_move;
	h->port.putback = mover_putback;
	h->port.reclaim = mover_reclaim;
	h->lab.p.port = &h->port;
	h->second = mover_second;
}

/* Every movable block is where its owner knows it to be, and the library does so too. */
static inline void mover_check(const struct host *h)
{
	const struct held *k = &h->of[PAGUS_MOVABLE];
	uint64_t pages = 0;

	for (uint64_t n = 0; n < k->nr; n++) {
		struct pagus_page_info page;

		assert_true(h->at[k->pfns[n] - h->range.start_pfn] == n + 1);
		assert_int_equal(pagus_page_info(&h->lab.p, k->pfns[n], &page), PAGUS_OK);
		assert_true(page.kind == PAGUS_PAGE_ALLOCATED && page.order == k->orders[n]);
		pages += UINT64_C(1) << k->orders[n];
	}
	assert_true(pages == k->pages);
	unit_check(&h->lab);
}

#endif
