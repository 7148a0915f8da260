/* SPDX-License-Identifier: MIT */
/* jemalloc, by its calls with alignment and with size, which are its fastest for this. */
#include <jemalloc/jemalloc.h>

#include "peer_heap.h"

static void *get(void *self, uint32_t order)
{
	(void)self;
	return mallocx(BENCH_PAGE_BYTES << order, MALLOCX_ALIGN(BENCH_PAGE_BYTES << order));
}

static void put(void *self, void *block, uint32_t order)
{
	(void)self;
	sdallocx(block, BENCH_PAGE_BYTES << order, MALLOCX_ALIGN(BENCH_PAGE_BYTES << order));
}

HEAP_ADAPTER("jemalloc");
