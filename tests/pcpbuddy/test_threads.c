/* SPDX-License-Identifier: MIT */
/*
 * The pcp buddy allocators under real threads and locks: each thread allocates, and frees what the
 * others have allocated, while owners tick and drain.
 */
#include "pcpbuddy/owners.h"
#include "unit/threads.h"

#define NR_ROUNDS 60000
#define NR_SLOTS  4096

/* Blocks on their way from who allocated them to who frees them: pfn * 16 + order + 1; 0: none. */
static uint64_t slots[NR_SLOTS];

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

static void work(struct worker *w)
{
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
}

static void threads_lose_no_page(void **state)
{
	struct owners *o = owners_boot(*state, 32768, NR_THREADS, 63, 4096);

	for (uint32_t n = 0; n < NR_SLOTS; n++)
		slots[n] = 0;
	threads_run(&o->lab, work, unit_seed());
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
	const struct CMUnitTest tests[] = { OWNERS_BOTH(threads_lose_no_page) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
