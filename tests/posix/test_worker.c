/* SPDX-License-Identifier: MIT */
/* Shortage: kswapd, direct reclaim, compaction and the OOM killer, as the program's calls. */
#include "posix/posix.h"

#define NR_CACHE 16384

/* A cache of single pages, which reclaim frees oldest first. */
struct cache {
	struct pagus_posix *x;
	pthread_mutex_t lock;
	void *pages[NR_CACHE];
	uint32_t first, nr;
	pthread_t main_thread;
	uint32_t by_kswapd, by_request; /* calls */
	uint32_t wrong;    /* the task's flags, or the thread, were not what they should be */
	uint32_t failures;
	uint32_t killed;
};

static void *oldest(struct cache *cache)
{
	void *page = NULL;

	pthread_mutex_lock(&cache->lock);
	if (cache->first < cache->nr)
		page = cache->pages[cache->first++];
	pthread_mutex_unlock(&cache->lock);
	return page;
}

static uint64_t reclaim(void *ctx, const struct pagus_reclaim *how)
{
	struct cache *cache = ctx;
	uint64_t freed = 0;
	void *page;

	__atomic_fetch_add(how->kswapd ? &cache->by_kswapd : &cache->by_request, 1,
			   __ATOMIC_RELAXED);
	cache->wrong += !(*pagus_posix_task_flags() & PAGUS_TASK_MEMALLOC);
	cache->wrong += how->kswapd == !!pthread_equal(pthread_self(), cache->main_thread);
	for (; freed < how->nr_pages && (page = oldest(cache)) != NULL; freed++) {
		cache->failures += !pattern_stands(page, 0, 5);
		cache->failures += pagus_posix_put(cache->x, page, 0) != PAGUS_OK;
	}
	return freed;
}

static uint64_t reclaimable(void *ctx, uint32_t node)
{
	struct cache *cache = ctx;
	uint64_t nr;

	(void)node;
	pthread_mutex_lock(&cache->lock);
	nr = cache->nr - cache->first;
	pthread_mutex_unlock(&cache->lock);
	return nr;
}

static enum pagus_oom_answer give_all_up(void *ctx, const struct pagus_oom *what)
{
	struct cache *cache = ctx;
	void *page;

	cache->wrong += what->order != 0;
	cache->killed++;
	for (; (page = oldest(cache)) != NULL;)
		cache->failures += pagus_posix_put(cache->x, page, 0) != PAGUS_OK;
	return PAGUS_OOM_KILLED;
}

static struct cache *cache_open(const struct pagus_posix_calls *calls, bool no_kswapd)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	assert_non_null(cache);
	pthread_mutex_init(&cache->lock, NULL);
	cache->main_thread = pthread_self();
	cache->x = open_with(&(struct pagus_posix_config){
		.bytes = 32 * MIB, .calls = calls, .ctx = cache, .no_kswapd = no_kswapd,
	});
	return cache;
}

/* Into the cache until `gfp` gets no more, or the cache has no room: false. */
static bool cache_fill(struct cache *cache, uint32_t gfp)
{
	void *page;

	while (cache->nr < NR_CACHE) {
		page = pagus_posix_get(cache->x, gfp, 0);
		if (!page)
			return true;
		pattern_write(page, 0, 5);
		pthread_mutex_lock(&cache->lock);
		cache->pages[cache->nr++] = page;
		pthread_mutex_unlock(&cache->lock);
	}
	return false;
}

static void cache_close(struct cache *cache)
{
	void *page;

	/* kswapd may be in the middle of giving pages back. */
	for (; (page = oldest(cache)) != NULL;)
		assert_int_equal(pagus_posix_put(cache->x, page, 0), PAGUS_OK);
	for (uint32_t n = 0; n < 10000 && free_pages(cache->x) != 32 * MIB / PAGE_BYTES; n++)
		usleep(1000);
	assert_int_equal(cache->wrong, 0);
	assert_int_equal(cache->failures, 0);
	close_empty(cache->x, 32 * MIB);
	free(cache);
}

static uint64_t counter(struct cache *cache, enum pagus_counter which)
{
	return pagus_counter_read(pagus_posix_instance(cache->x), which);
}

/* Until a condition of another thread's making holds: 10 s at most. */
#define WAIT_UNTIL(condition)                                                                      \
	do {                                                                                      \
		for (uint32_t n_ = 0; n_ < 10000 && !(condition); n_++)                           \
			usleep(1000);                                                             \
		assert_true(condition);                                                           \
	} while (0)

static bool balanced(struct cache *cache)
{
	struct pagus_zone_info info;

	pagus_posix_freeze();
	pagus_zone_info(pagus_posix_instance(cache->x), 0, &info);
	pagus_posix_thaw();
	return info.free_pages > info.wmark[PAGUS_WMARK_HIGH];
}

/*
 * The last request, which is refused, may come at any moment of kswapd's run, and no other follows:
 * the node is balanced again all the same, by its thread.
 */
static void kswapd_reclaims_in_the_background(void **state)
{
	const struct pagus_posix_calls calls = { .reclaim = reclaim, .reclaimable = reclaimable };
	struct cache *cache = cache_open(&calls, false);
	uint32_t nr_refused = 0;

	(void)state;
	for (uint32_t turn = 0; turn < 50; turn++) {
		/* Who is not refused may leave the zone below its high mark, and nobody at work. */
		if (cache_fill(cache, GFP_NOWAIT)) {
			nr_refused++;
			WAIT_UNTIL(balanced(cache));
		}
		pthread_mutex_lock(&cache->lock);
		memmove(cache->pages, cache->pages + cache->first,
			(cache->nr - cache->first) * sizeof(cache->pages[0]));
		cache->nr -= cache->first;
		cache->first = 0;
		pthread_mutex_unlock(&cache->lock);
	}
	assert_true(nr_refused > 0);
	assert_int_equal(cache->by_request, 0);
	assert_true(cache->by_kswapd > 0);
	assert_true(counter(cache, PAGUS_COUNTER_kswapd_wake) > 0);
	cache_close(cache);
}

/* Without it, they do so for themselves, in their own thread. */
static void requests_reclaim_for_themselves(void **state)
{
	const struct pagus_posix_calls calls = { .reclaim = reclaim, .reclaimable = reclaimable };
	struct cache *cache = cache_open(&calls, true);
	void *page;

	(void)state;
	cache_fill(cache, GFP_NOWAIT);
	for (uint32_t n = 0; n < 1000; n++) {
		page = pagus_posix_get(cache->x, GFP_KERNEL, 0);
		assert_non_null(page);
		assert_int_equal(*pagus_posix_task_flags(), 0);
		cache->pages[cache->nr++] = page;
		pattern_write(page, 0, 5);
	}
	assert_int_equal(cache->by_kswapd, 0);
	assert_true(cache->by_request > 0);
	assert_int_equal(counter(cache, PAGUS_COUNTER_kswapd_wake), 0);
	cache_close(cache);
}

static void the_oom_call_is_the_last_resort(void **state)
{
	const struct pagus_posix_calls calls = { .oom = give_all_up };
	struct cache *cache = cache_open(&calls, false);
	void *page = NULL;

	(void)state;
	cache_fill(cache, GFP_NOWAIT);
	assert_int_equal(cache->killed, 0);
	/* What CPUs keep is the last resort but one. */
	for (uint32_t n = 0; n < 100000 && !cache->killed && cache->nr < NR_CACHE; n++) {
		page = pagus_posix_get(cache->x, GFP_KERNEL, 0);
		assert_non_null(page);
		if (!cache->killed)
			cache->pages[cache->nr++] = page;
	}
	assert_int_equal(cache->killed, 1);
	assert_int_equal(pagus_posix_put(cache->x, page, 0), PAGUS_OK);
	cache_close(cache);
}

static enum pagus_compact_result make_room(void *ctx, const struct pagus_compact *how)
{
	struct cache *cache = ctx;

	cache->wrong += how->order != 9;
	if (cache->killed++)
		return PAGUS_COMPACT_SKIPPED;
	for (void *page; (page = oldest(cache)) != NULL;)
		cache->failures += pagus_posix_put(cache->x, page, 0) != PAGUS_OK;
	return PAGUS_COMPACT_SUCCESS;
}

static void the_compact_call_makes_room_for_a_pageblock(void **state)
{
	const struct pagus_posix_calls calls = { .compact = make_room };
	struct cache *cache = cache_open(&calls, false);
	uint32_t kept = 0;
	void *block;

	(void)state;
	cache_fill(cache, GFP_NOWAIT);
	/* Every second page goes: plenty is free, in single pages. */
	for (uint32_t n = 0; n < cache->nr; n++) {
		if (n % 2)
			assert_int_equal(pagus_posix_put(cache->x, cache->pages[n], 0), PAGUS_OK);
		else
			cache->pages[kept++] = cache->pages[n];
	}
	cache->nr = kept;
	block = pagus_posix_get(cache->x, GFP_KERNEL, 9);
	assert_non_null(block);
	assert_int_equal(cache->killed, 1);
	assert_int_equal(pagus_posix_put(cache->x, block, 9), PAGUS_OK);
	cache_close(cache);
}

/* Ticks give back what an idle CPU keeps above its lower bound. */
static void ticks_let_pcps_decay(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 64 * MIB, .policy = "linux", .nr_cpus = 1, .tick_ms = 1,
	});
	struct pagus *p = pagus_posix_instance(x);
	static void *pages[8192];
	struct pagus_pcp_info info;

	for (uint32_t n = 0; n < NR_OF(pages); n++)
		pages[n] = pagus_posix_get(x, GFP_TRY, 0);
	for (uint32_t n = 0; n < NR_OF(pages); n++)
		assert_int_equal(pagus_posix_put(x, pages[n], 0), PAGUS_OK);
	for (uint32_t n = 0; n < 10000; n++) {
		pagus_posix_freeze();
		pagus_pcp_info(p, 0, 0, &info);
		pagus_posix_thaw();
		if (info.high == info.high_min && info.count <= info.high)
			break;
		usleep(1000);
	}
	(void)state;
	assert_int_equal(info.high, info.high_min);
	assert_true(info.count <= info.high);
	close_empty(x, 64 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kswapd_reclaims_in_the_background),
		cmocka_unit_test(requests_reclaim_for_themselves),
		cmocka_unit_test(the_oom_call_is_the_last_resort),
		cmocka_unit_test(the_compact_call_makes_room_for_a_pageblock),
		cmocka_unit_test(ticks_let_pcps_decay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
