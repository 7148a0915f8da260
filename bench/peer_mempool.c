/* SPDX-License-Identifier: MIT */
/*
 * DPDK's rte_mempool with its per-lcore cache, on a ring for many producers and consumers. An
 * element and its header of 64 bytes take a block's space together, so that elements are aligned to
 * their block; it has one size only.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include "adapter.h"

#define HEADER_BYTES 64u

struct pool {
	struct rte_mempool *elements;
	char *memory;
	uint64_t bytes;
};

static pthread_key_t leaving;

static void leave(void *self)
{
	(void)self;
	rte_thread_unregister();
}

static int start_dpdk(void)
{
	char *arguments[] = { (char[]){ "bench" }, (char[]){ "--no-huge" },
				     (char[]){ "--no-shconf" }, (char[]){ "--no-pci" },
				     (char[]){ "--no-telemetry" }, (char[]){ "--log-level=4" },
				     (char[]){ "-m" }, (char[]){ "256" }, NULL };

	return rte_eal_init(sizeof(arguments) / sizeof(arguments[0]) - 1, arguments);
}

static uint32_t cache_size(uint64_t nr, uint32_t nr_threads)
{
	uint64_t size = nr / 4 / nr_threads;

	return size < RTE_MEMPOOL_CACHE_MAX_SIZE ? (uint32_t)size : RTE_MEMPOOL_CACHE_MAX_SIZE;
}

/* The first header ends where the first block begins. */
static int give_memory(struct pool *pool, struct bench_setup *setup, uint64_t block)
{
	uint64_t first;

	pool->bytes = setup->bytes + 2 * block;
	pool->memory = mmap(NULL, pool->bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool->memory == MAP_FAILED)
		return -1;
	/* Each header will be written: large pages, where there are any, as DPDK would have them. */
	madvise(pool->memory, pool->bytes, MADV_HUGEPAGE);
	first = ((uintptr_t)pool->memory + HEADER_BYTES + block - 1) & ~(block - 1);
	setup->base = (void *)first;
	return rte_mempool_populate_iova(pool->elements, (char *)setup->base - HEADER_BYTES,
					 RTE_BAD_IOVA, setup->bytes, NULL, NULL);
}

static uint64_t own_bytes(const struct rte_mempool *elements, uint64_t nr)
{
	return nr * HEADER_BYTES + sizeof(*elements) +
	       RTE_MAX_LCORE * sizeof(struct rte_mempool_cache) +
	       (uint64_t)rte_ring_get_memsize(rte_align32pow2((uint32_t)nr + 1));
}

static void destroy(void *allocator)
{
	struct pool *pool = allocator;

	rte_mempool_free(pool->elements);
	munmap(pool->memory, pool->bytes);
	free(pool);
}

static void *refuse(struct bench_setup *setup, const char *why)
{
	setup->refusal = why;
	return NULL;
}

static void *create(struct bench_setup *setup)
{
	uint64_t block = BENCH_PAGE_BYTES * setup->orders, nr = setup->bytes / block;
	struct pool *pool;

	if (setup->orders & (setup->orders - 1))
		return refuse(setup, "one size only");
	pool = calloc(1, sizeof(*pool));
	if (!pool || start_dpdk() < 0 || pthread_key_create(&leaving, leave) != 0)
		return refuse(setup, "DPDK does not start");
	pool->elements = rte_mempool_create_empty("bench", (uint32_t)nr,
						  (uint32_t)(block - HEADER_BYTES),
						  cache_size(nr, setup->nr_threads), 0, 0,
						  RTE_MEMPOOL_F_NO_SPREAD | RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (!pool->elements || pool->elements->header_size != HEADER_BYTES ||
	    rte_mempool_set_ops_byname(pool->elements, "ring_mp_mc", NULL) != 0 ||
	    give_memory(pool, setup, block) != (int)nr)
		return refuse(setup, "rte_mempool cannot be made");
	setup->metadata_bytes = own_bytes(pool->elements, nr);
	return pool;
}

/* Without a number of its own a thread has no cache. */
static void *enter(void *allocator, uint32_t thread)
{
	struct pool *pool = allocator;

	(void)thread;
	if (rte_thread_register() != 0)
		return NULL;
	pthread_setspecific(leaving, allocator);
	return pool->elements;
}

static void *get(void *self, uint32_t order)
{
	void *block = NULL;

	(void)order;
	return rte_mempool_get(self, &block) == 0 ? block : NULL;
}

static void put(void *self, void *block, uint32_t order)
{
	(void)order;
	rte_mempool_put(self, block);
}

const struct bench_adapter bench_adapter = { "mempool", create, enter, get, put, destroy };
