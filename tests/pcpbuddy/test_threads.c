/* SPDX-License-Identifier: MIT */
/*
 * The pcp buddy allocator under real threads and locks: each thread allocates, and frees what the
 * others have allocated, while owners tick and drain.
 */
#include "pcpbuddy/owners.h"

#include <pthread.h>

#define NR_THREADS 4
#define NR_ROUNDS  60000
#define NR_SLOTS   4096

static pthread_mutex_t locks[PAGUS_NR_LOCK_CLASSES][NR_THREADS];
static _Thread_local uint32_t this_cpu;

/* Blocks on their way from who allocated them to who frees them: pfn * 16 + order + 1; 0: none. */
static uint64_t slots[NR_SLOTS];

static uint32_t thread_pin(void *ctx)
{
	(void)ctx;
	return this_cpu;
}

static void thread_unpin(void *ctx)
{
	(void)ctx;
}

static void thread_lock(void *ctx, enum pagus_lock_class cls, uint32_t index,
			enum pagus_lock_reason why)
{
	(void)ctx;
	(void)why;
	pthread_mutex_lock(&locks[cls][index]);
}

static bool thread_trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
			   enum pagus_lock_reason why)
{
	(void)ctx;
	(void)why;
	return pthread_mutex_trylock(&locks[cls][index]) == 0;
}

static void thread_unlock(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work)
{
	(void)ctx;
	(void)work;
	pthread_mutex_unlock(&locks[cls][index]);
}

static const struct pagus_port thread_port = {
	.cpu_pin = thread_pin, .cpu_unpin = thread_unpin, .lock = thread_lock,
	.trylock = thread_trylock, .unlock = thread_unlock,
};

struct worker {
	struct pagus *p;
	uint64_t seed;
	uint32_t cpu;
	int failures;
};

/* Put a block, or nothing, into a slot; free what was there. */
static void exchange(struct worker *w, uint32_t slot, uint64_t block)
{
	uint64_t old = __atomic_exchange_n(&slots[slot], block, __ATOMIC_ACQ_REL);
	uint32_t order = (uint32_t)(old & 15) - 1;

	if (old == 0)
		return;
	if (lab_random(&w->seed, 4) == 0)
		w->failures += pagus_free_nolock(w->p, old / 16, order) != PAGUS_OK;
	else
		w->failures += pagus_free_pages(w->p, old / 16, order) != PAGUS_OK;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	this_cpu = w->cpu;
	for (uint32_t n = 0; n < NR_ROUNDS; n++) {
		uint32_t order = lab_random(&w->seed, 8) ? 0 : (uint32_t)lab_random(&w->seed, 10);
		uint32_t gfp = unit_gfp((uint32_t)lab_random(&w->seed, 3)) & ~__GFP_DIRECT_RECLAIM;
		pagus_pfn_t pfn;

		if (pagus_alloc_pages(w->p, gfp, order, &pfn) == PAGUS_OK)
			exchange(w, (uint32_t)lab_random(&w->seed, NR_SLOTS), pfn * 16 + order + 1);
		else
			exchange(w, (uint32_t)lab_random(&w->seed, NR_SLOTS), 0);
		if (n % 500 == 0)
			pagus_tick(w->p);
		if (n % 5000 == 0)
			pagus_drain_cpu(w->p, (w->cpu + 1) % NR_THREADS);
	}
	return NULL;
}

static void threads_lose_no_page(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 32768, NR_THREADS, 63, 4096);
	struct worker workers[NR_THREADS];
	pthread_t threads[NR_THREADS];
	uint64_t seed = unit_seed();

	(void)state;
	for (uint32_t n = 0; n < NR_THREADS; n++)
		for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++)
			pthread_mutex_init(&locks[cls][n], NULL);
	o->lab.p.port = &thread_port;
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		workers[n] = (struct worker){ .p = &o->lab.p, .cpu = n, .seed = seed + n };
		assert_int_equal(pthread_create(&threads[n], NULL, work, &workers[n]), 0);
	}
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		pthread_join(threads[n], NULL);
		assert_int_equal(workers[n].failures, 0);
	}
	o->lab.p.port = &pagus_sim_port;
	unit_check(&o->lab);
	assert_true(owners_count(o, PAGUS_COUNTER_pageblock_own) > 0);
	assert_true(owners_count(o, PAGUS_COUNTER_pcp_free_remote) > 0);
	for (uint32_t n = 0; n < NR_SLOTS; n++)
		if (slots[n])
			unit_free(&o->lab, slots[n] / 16, (uint32_t)(slots[n] & 15) - 1);
	/* The largest order goes through the zone and takes along what was deferred there. */
	pagus_drain_all(&o->lab.p);
	unit_free(&o->lab, unit_alloc(&o->lab, GFP_KERNEL, 10), 10);
	pagus_drain_all(&o->lab.p);
	assert_int_equal(unit_zone(&o->lab, 0).free_pages, 32768);
	assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], 32);
	owners_close(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(threads_lose_no_page) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
