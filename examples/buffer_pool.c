/* SPDX-License-Identifier: MIT */
/*
 * A pool of buffers behind handles. Clients never keep an address, so the pool may move a buffer:
 * it allocates another page, copies, points the handle to it, and frees the old one. When a huge
 * page (2 MiB) is asked for and none is free, libpagus asks the pool to compact, and the pool
 * vacates the pageblock that holds the fewest buffers. Clients read and write all the while.
 *
 * usage: buffer_pool [MIB]    memory of the pool, 16 to 65536, even; else 64
 */
#include <pagus/posix.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES      4096u
#define PAGEBLOCK_ORDER 9
#define PAGEBLOCK_PAGES (1u << PAGEBLOCK_ORDER)
#define NR_CLIENTS      2

struct pool {
	struct pagus_posix *x;
	pthread_mutex_t lock;   /* of the handles, and of what they point to */
	uint64_t **buffer;      /* by handle; NULL: not in use */
	uint32_t nr_handles, nr_used;
	uint32_t nr_pageblocks;
	uint64_t nr_moved, nr_vacated;
	bool stop;
};

/* ---- buffers: every word is the handle plus how often it was written ------------------------- */

static void fill(uint64_t *buffer, uint64_t value)
{
	for (uint32_t n = 0; n < PAGE_BYTES / sizeof(*buffer); n++)
		buffer[n] = value;
}

static bool is_filled(const uint64_t *buffer, uint32_t handle)
{
	for (uint32_t n = 1; n < PAGE_BYTES / sizeof(*buffer); n++)
		if (buffer[n] != buffer[0])
			return false;
	return (uint32_t)buffer[0] == handle;
}

static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "buffer_pool: %s\n", what);
	exit(1);
}

/* ---- compaction ------------------------------------------------------------------------------ */

static uint32_t pageblock_of(const struct pool *pool, const void *address)
{
	return (uint32_t)(pagus_posix_pfn(pool->x, address) / PAGEBLOCK_PAGES);
}

/* The pageblock with the fewest buffers, but some: nr_pageblocks if there is none. */
static uint32_t easiest_pageblock(const struct pool *pool)
{
	uint32_t *nr = calloc(pool->nr_pageblocks, sizeof(*nr)), best = pool->nr_pageblocks;

	expect(nr, "no memory");
	for (uint32_t h = 0; h < pool->nr_handles; h++)
		if (pool->buffer[h])
			nr[pageblock_of(pool, pool->buffer[h])]++;
	for (uint32_t b = 0; b < pool->nr_pageblocks; b++)
		if (nr[b] && (best == pool->nr_pageblocks || nr[b] < nr[best]))
			best = b;
	free(nr);
	return best;
}

/* A page outside the pageblock. Those inside go onto `inside`, linked by their first word. */
static uint64_t *page_outside(struct pool *pool, uint32_t pageblock, uint64_t **inside)
{
	uint64_t *page;

	while ((page = pagus_posix_get(pool->x, GFP_NOWAIT | __GFP_MOVABLE, 0)) != NULL &&
	       pageblock_of(pool, page) == pageblock) {
		memcpy(page, inside, sizeof(*inside));
		*inside = page;
	}
	return page;
}

/* True if all of its buffers have moved elsewhere. */
static bool vacate(struct pool *pool, uint32_t pageblock, uint64_t **inside)
{
	for (uint32_t h = 0; h < pool->nr_handles; h++) {
		uint64_t *from = pool->buffer[h], *to;

		if (!from || pageblock_of(pool, from) != pageblock)
			continue;
		to = page_outside(pool, pageblock, inside);
		if (!to)
			return false;
		memcpy(to, from, PAGE_BYTES);
		pool->buffer[h] = to;
		pagus_posix_put(pool->x, from, 0);
		pool->nr_moved++;
	}
	return true;
}

/* Called by the thread whose request is short; it holds no lock of the pool. */
static enum pagus_compact_result compact(void *ctx, const struct pagus_compact *how)
{
	struct pool *pool = ctx;
	uint64_t *inside = NULL;
	bool vacated = false;
	uint32_t pageblock;

	(void)how;
	pthread_mutex_lock(&pool->lock);
	pageblock = easiest_pageblock(pool);
	if (pageblock < pool->nr_pageblocks)
		vacated = vacate(pool, pageblock, &inside);
	pool->nr_vacated += vacated;
	while (inside) {
		uint64_t *page = inside;

		memcpy(&inside, page, sizeof(inside));
		pagus_posix_put(pool->x, page, 0);
	}
	pthread_mutex_unlock(&pool->lock);
	/* The last pages of the pageblock may lie on the lists of a CPU. */
	pagus_drain_all(pagus_posix_instance(pool->x));
	return vacated ? PAGUS_COMPACT_SUCCESS : PAGUS_COMPACT_COMPLETE;
}

/* ---- clients --------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void *run_client(void *arg)
{
	struct pool *pool = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&seed;
	bool stop;

	do {
		uint32_t handle = next_random(&seed) % pool->nr_handles;

		pthread_mutex_lock(&pool->lock);
		if (pool->buffer[handle]) {
			uint64_t *buffer = pool->buffer[handle];

			expect(is_filled(buffer, handle), "a buffer lost its contents");
			fill(buffer, buffer[0] + (UINT64_C(1) << 32));
		}
		stop = pool->stop;
		pthread_mutex_unlock(&pool->lock);
	} while (!stop);
	return NULL;
}

/* Fill the memory with buffers, and free three of four, so that every pageblock keeps some. */
static void fragment(struct pool *pool)
{
	uint64_t *page;

	while (pool->nr_handles < pool->nr_pageblocks * PAGEBLOCK_PAGES &&
	       (page = pagus_posix_get(pool->x, GFP_NOWAIT | __GFP_MOVABLE, 0)) != NULL) {
		fill(page, pool->nr_handles);
		pool->buffer[pool->nr_handles++] = page;
	}
	for (uint32_t h = 0; h < pool->nr_handles; h++) {
		if (h % 4 == 0)
			continue;
		pagus_posix_put(pool->x, pool->buffer[h], 0);
		pool->buffer[h] = NULL;
	}
	pool->nr_used = (pool->nr_handles + 3) / 4;
	pagus_drain_all(pagus_posix_instance(pool->x));
}

/* Huge pages by requests of these flags, until there is none; they are kept in `pages`. */
static uint32_t take_huge_pages(struct pool *pool, uint32_t gfp, void **pages)
{
	uint32_t nr = 0;

	while (nr < pool->nr_pageblocks &&
	       (pages[nr] = pagus_posix_get(pool->x, gfp, PAGEBLOCK_ORDER)) != NULL)
		memset(pages[nr++], 0xff, PAGEBLOCK_PAGES * PAGE_BYTES);
	return nr;
}

static void empty(struct pool *pool, void **pages, uint32_t nr_pages)
{
	for (uint32_t h = 0; h < pool->nr_handles; h++) {
		if (!pool->buffer[h])
			continue;
		expect(is_filled(pool->buffer[h], h), "a buffer lost its contents");
		expect(pagus_posix_put(pool->x, pool->buffer[h], 0) == PAGUS_OK,
		       "a free was refused");
	}
	while (nr_pages > 0)
		expect(pagus_posix_put(pool->x, pages[--nr_pages], PAGEBLOCK_ORDER) == PAGUS_OK,
		       "a free was refused");
}

int main(int argc, char **argv)
{
	const struct pagus_posix_calls calls = { .compact = compact };
	unsigned long mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 64;
	struct pool pool = { .lock = PTHREAD_MUTEX_INITIALIZER,
			     .nr_pageblocks = (uint32_t)mib / 2 };
	const struct pagus_posix_config config = {
		.bytes = (uint64_t)mib << 20, .calls = &calls, .ctx = &pool,
	};
	pthread_t clients[NR_CLIENTS];
	uint32_t before, after;
	void **pages;

	expect(mib >= 16 && mib <= 65536 && mib % 2 == 0,
	       "usage: buffer_pool [MIB]    16 to 65536, even; else 64");
	expect(pagus_posix_create(&config, &pool.x) == PAGUS_OK, pagus_posix_error());
	pool.buffer = calloc(pool.nr_pageblocks * PAGEBLOCK_PAGES, sizeof(*pool.buffer));
	pages = calloc(pool.nr_pageblocks, sizeof(*pages));
	expect(pool.buffer && pages, "no memory");
	fragment(&pool);
	for (uint32_t n = 0; n < NR_CLIENTS; n++)
		expect(pthread_create(&clients[n], NULL, run_client, &pool) == 0, "no thread");
	before = take_huge_pages(&pool, GFP_NOWAIT | __GFP_MOVABLE, pages);
	after = before + take_huge_pages(&pool, GFP_KERNEL | __GFP_MOVABLE, pages + before);
	pthread_mutex_lock(&pool.lock);
	pool.stop = true;
	pthread_mutex_unlock(&pool.lock);
	for (uint32_t n = 0; n < NR_CLIENTS; n++)
		pthread_join(clients[n], NULL);
	printf("%lu MiB, %u buffers of 4 KiB in use (%u %%)\n", mib, pool.nr_used,
	       100 * pool.nr_used / (pool.nr_pageblocks * PAGEBLOCK_PAGES));
	printf("huge pages without moving a buffer: %u of %u\n", before, pool.nr_pageblocks);
	printf("huge pages with moving: %u; %llu buffers moved, %llu pageblocks vacated\n", after,
	       (unsigned long long)pool.nr_moved, (unsigned long long)pool.nr_vacated);
	empty(&pool, pages, after);
	printf("contents: all as written\n");
	pagus_posix_destroy(pool.x);
	free(pool.buffer);
	free(pages);
	return after > before ? 0 : 1;
}
