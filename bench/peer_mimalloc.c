/* SPDX-License-Identifier: MIT */
/* mimalloc, by its calls with alignment and with size. */
#include <mimalloc.h>

#include "peer_heap.h"

static void *get(void *self, uint32_t order)
{
	(void)self;
	return mi_malloc_aligned(BENCH_PAGE_BYTES << order, BENCH_PAGE_BYTES << order);
}

static void put(void *self, void *block, uint32_t order)
{
	(void)self;
	mi_free_size_aligned(block, BENCH_PAGE_BYTES << order, BENCH_PAGE_BYTES << order);
}

HEAP_ADAPTER("mimalloc");
