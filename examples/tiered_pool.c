/* SPDX-License-Identifier: MIT */
/*
 * A cache of fixed-size blocks in two tiers, as a server of large models keeps its keys and values:
 * node 0 is small and fast, node 1 large and slow. New blocks, and slow ones that are used twice in
 * a while, go to the fast node. When a request finds that node below its low mark, libpagus wakes
 * the node's kswapd, whose thread calls `reclaim`, and that demotes the blocks that were used
 * longest ago. Nobody waits for it: what finds the fast node full is served by the slow one.
 *
 * Both nodes are ordinary memory here; node[0].numa_node and node[1].numa_node would bind them.
 *
 * usage: tiered_pool [ACCESSES]    1000 to 100000000, else 200000
 */
#include <pagus/posix.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAST 0
#define SLOW 1
#define NR_TIERS 2

#define FAST_BYTES  (UINT64_C(32) << 20)
#define SLOW_BYTES  (UINT64_C(160) << 20)
#define BLOCK_ORDER 4 /* 64 KiB */
#define BLOCK_BYTES (UINT64_C(4096) << BLOCK_ORDER)
#define NR_BLOCKS   2048 /* 128 MiB: four times what the fast node has */
#define NR_HOT      200  /* blocks of the working set, which moves on */
#define WINDOW      4000 /* accesses within which a second one promotes */

struct block {
	uint64_t *words;
	uint64_t last_used; /* at which access */
	uint32_t tier;
};

struct cache {
	struct pagus_posix *x;
	pthread_mutex_t lock; /* of all below. Requests made with it held never wait */
	struct block block[NR_BLOCKS];
	uint64_t now;
	uint64_t nr_promoted, nr_demoted, nr_refused;
};

static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "tiered_pool: %s\n", what);
	exit(1);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Both ends and the middle of a block say whose it is. */
static void sign(uint64_t *words, uint64_t n)
{
	words[0] = words[BLOCK_BYTES / 16] = words[BLOCK_BYTES / 8 - 1] = ~n;
}

static bool is_signed(const uint64_t *words, uint64_t n)
{
	return words[0] == ~n && words[BLOCK_BYTES / 16] == ~n && words[BLOCK_BYTES / 8 - 1] == ~n;
}

/* From this tier and no other, at once or not at all; the tier's kswapd is woken if it is short. */
static uint64_t *get(struct cache *cache, uint32_t tier)
{
	const struct pagus_request req = {
		.gfp = GFP_NOWAIT | __GFP_MOVABLE | __GFP_THISNODE,
		.order = BLOCK_ORDER, .node = tier,
	};
	struct pagus_result res;

	pagus_alloc(pagus_posix_instance(cache->x), &req, &res);
	return pagus_posix_pointer(cache->x, res.pfn);
}

static bool move(struct cache *cache, struct block *block, uint32_t tier)
{
	uint64_t *to = get(cache, tier);

	if (!to)
		return false;
	memcpy(to, block->words, BLOCK_BYTES);
	pagus_posix_put(cache->x, block->words, BLOCK_ORDER);
	block->words = to;
	block->tier = tier;
	return true;
}

/* ---- demotion: kswapd's thread --------------------------------------------------------------- */

/* The fast block that was used longest ago; NULL if there is none. */
static struct block *coldest(struct cache *cache)
{
	struct block *best = NULL;

	for (uint32_t n = 0; n < NR_BLOCKS; n++) {
		struct block *block = &cache->block[n];

		if (block->words && block->tier == FAST &&
		    (!best || block->last_used < best->last_used))
			best = block;
	}
	return best;
}

static uint64_t reclaim(void *ctx, const struct pagus_reclaim *how)
{
	struct cache *cache = ctx;
	uint64_t freed = 0;
	bool moved = how->node == FAST;

	while (moved && freed < how->nr_pages) {
		struct block *block;

		pthread_mutex_lock(&cache->lock);
		block = coldest(cache);
		moved = block && move(cache, block, SLOW);
		cache->nr_demoted += moved;
		pthread_mutex_unlock(&cache->lock);
		freed += moved ? UINT64_C(1) << BLOCK_ORDER : 0;
	}
	return freed;
}

/* ---- use ------------------------------------------------------------------------------------- */

static void create_block(struct cache *cache, uint32_t n)
{
	struct block *block = &cache->block[n];

	for (uint32_t tier = FAST; tier < NR_TIERS && !block->words; tier++) {
		block->words = get(cache, tier);
		block->tier = tier;
	}
	expect(block->words, "both tiers are full");
	sign(block->words, n);
}

/* True if it was in the fast tier. */
static bool use(struct cache *cache, uint32_t n)
{
	struct block *block = &cache->block[n];
	bool fast;

	pthread_mutex_lock(&cache->lock);
	cache->now++;
	if (!block->words)
		create_block(cache, n);
	expect(is_signed(block->words, n), "a block lost its contents");
	fast = block->tier == FAST;
	if (!fast && cache->now - block->last_used < WINDOW) {
		bool moved = move(cache, block, FAST);

		cache->nr_promoted += moved;
		cache->nr_refused += !moved;
	}
	block->last_used = cache->now;
	pthread_mutex_unlock(&cache->lock);
	return fast;
}

/* Nine of ten accesses go to a working set that moves on as time goes by. */
static uint32_t next_block(uint64_t access, uint64_t *seed)
{
	uint32_t random;

	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	random = (uint32_t)(*seed >> 33);
	if (random % 10 == 0)
		return random / 10 % NR_BLOCKS;
	return (uint32_t)(access / 500 + random / 10 % NR_HOT) % NR_BLOCKS;
}

static void empty(struct cache *cache)
{
	pthread_mutex_lock(&cache->lock);
	for (uint32_t n = 0; n < NR_BLOCKS; n++) {
		struct block *block = &cache->block[n];

		if (!block->words)
			continue;
		expect(is_signed(block->words, n), "a block lost its contents");
		expect(pagus_posix_put(cache->x, block->words, BLOCK_ORDER) == PAGUS_OK,
		       "a free was refused");
		block->words = NULL;
	}
	pthread_mutex_unlock(&cache->lock);
}

int main(int argc, char **argv)
{
	static struct cache cache = { .lock = PTHREAD_MUTEX_INITIALIZER };
	const struct pagus_posix_calls calls = { .reclaim = reclaim };
	/* 5 % of a node between its marks: what kswapd keeps free of it. */
	const struct pagus_posix_tunable tunable = { PAGUS_TUNABLE_watermark_scale_factor, 500 };
	const struct pagus_posix_config config = {
		.node = { { FAST_BYTES, -1 }, { SLOW_BYTES, -1 } }, .nr_nodes = NR_TIERS,
		.tunables = &tunable, .nr_tunables = 1, .calls = &calls, .ctx = &cache,
	};
	unsigned long long nr = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
	uint64_t seed = 1, nr_fast = 0, nr_wakes;

	expect(nr >= 1000 && nr <= 100000000, "usage: tiered_pool [ACCESSES, 1000 to 100000000]");
	expect(pagus_posix_create(&config, &cache.x) == PAGUS_OK, pagus_posix_error());
	for (unsigned long long n = 0; n < nr; n++)
		nr_fast += use(&cache, next_block(n, &seed));
	nr_wakes = pagus_counter_read(pagus_posix_instance(cache.x), PAGUS_COUNTER_kswapd_wake);
	printf("%llu accesses to %u blocks of %llu KiB; %llu MiB fast, %llu MiB slow\n", nr,
	       NR_BLOCKS, (unsigned long long)BLOCK_BYTES >> 10,
	       (unsigned long long)FAST_BYTES >> 20, (unsigned long long)SLOW_BYTES >> 20);
	printf("in the fast tier: %llu %% of accesses, which has room for %llu %% of the blocks\n",
	       (unsigned long long)(100 * nr_fast / nr),
	       (unsigned long long)(100 * FAST_BYTES / (NR_BLOCKS * BLOCK_BYTES)));
	printf("promoted %llu, found no room %llu; demoted %llu, kswapd woken %llu times\n",
	       (unsigned long long)cache.nr_promoted, (unsigned long long)cache.nr_refused,
	       (unsigned long long)cache.nr_demoted, (unsigned long long)nr_wakes);
	empty(&cache);
	printf("contents: all as written\n");
	pagus_posix_destroy(cache.x);
	return 0;
}
