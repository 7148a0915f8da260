/* SPDX-License-Identifier: MIT */
/* tcmalloc of gperftools, by its aligned call; its free with a size is not for aligned blocks. */
#include <gperftools/tcmalloc.h>

#include "peer_heap.h"

static void *get(void *self, uint32_t order)
{
	(void)self;
	return tc_memalign(BENCH_PAGE_BYTES << order, BENCH_PAGE_BYTES << order);
}

static void put(void *self, void *block, uint32_t order)
{
	(void)self;
	(void)order;
	tc_free(block);
}

HEAP_ADAPTER("tcmalloc");
