/* SPDX-License-Identifier: MIT */
/*
 * The checks of the superpageblock specification that need no migration, by their numbers, on
 * machines of 512 MiB and 16 GiB.
 *
 * usage: test_checks [MIB]    of the largest machine; none above that
 */
#include "superpageblock/host.h"

static const uint64_t sizes[] = { 512, 16384, 262144 };
static uint64_t largest = 16384;

/* 1, 2: everything is counted from the maps anew, again and again under a random load. */
static void check_01_counts_and_sets_are_exact(void **state)
{
	(void)state;
	for (size_t n = 0; n < NR_OF(sizes) && sizes[n] <= largest; n++) {
		struct host *h = host_boot(sizes[n], 3);
		uint32_t nr = 100000;

		h->seed = unit_seed();
		for (uint32_t k = 0; k < nr; k++) {
			uint32_t type = (uint32_t)lab_random(&h->seed, 3);
			uint32_t order = (uint32_t)lab_random(&h->seed, 1 + lab_random(&h->seed, 11));
			bool more = lab_random(&h->seed, 1000) < 500 + (k / 20000 % 2 ? 60 : 20);

			if (more)
				host_ask(h, type, order, 0);
			else if (h->of[type].nr)
				host_give_random(h, type);
			if (k % (nr / (sizes[n] > 1000 ? 4 : 20)) == 0)
				unit_check(&h->lab);
			if (k % 5000 == 0)
				pagus_tick(&h->lab.p);
		}
		for (uint32_t type = 0; type < 3; type++)
			while (h->of[type].nr)
				host_give_random(h, type);
		unit_check(&h->lab);
		pagus_drain_all(&h->lab.p);
		unit_check(&h->lab);
		assert_int_equal(host_sums(h).tainted, 0);
		assert_int_equal(host_sums(h).free_pages, sizes[n] * MIB_PAGES);
		assert_int_equal(host_count(h, PAGUS_COUNTER_superpageblock_taint),
				 host_count(h, PAGUS_COUNTER_superpageblock_clean));
		host_close(h);
	}
}

/* 4: pages that cannot move, and nothing else, fill one superpageblock after the other. */
static void grow(uint64_t mib, uint32_t max_order, uint32_t more_tainted)
{
	struct host *h = host_boot(mib, 2);
	uint64_t pages = mib * MIB_PAGES * 7 / 10;

	while (host_kernel_pages(h) < pages) {
		host_take(h, lab_random(&h->seed, 3) ? PAGUS_UNMOVABLE : PAGUS_RECLAIMABLE,
			  (uint32_t)lab_random(&h->seed, max_order + 1));
		if (h->of[PAGUS_UNMOVABLE].nr % 8192 == 0)
			assert_true(host_tainted(h) <= host_bound(h, h->peak_kernel_pages +
									BLOCK * 4) + more_tainted);
	}
	pagus_drain_all(&h->lab.p);
	assert_in_range(host_tainted(h), host_bound(h, host_kernel_pages(h)),
			host_bound(h, host_kernel_pages(h)) + more_tainted);
	host_close(h);
}

static void check_04_kernel_memory_alone_fills_superpageblocks(void **state)
{
	(void)state;
	for (size_t n = 0; n < NR_OF(sizes) && sizes[n] <= largest; n++) {
		grow(sizes[n], 0, 0);
		grow(sizes[n], 3, 1);
	}
}

/* 7: of those that movable pages are in, all are full but one, and what CPUs keep. */
static void check_07_movable_pages_fill_the_fullest_first(void **state)
{
	(void)state;
	for (size_t n = 0; n < NR_OF(sizes) && sizes[n] <= largest; n++) {
		struct host *h = host_boot(sizes[n], 1);
		struct pagus_superpageblock_info s;
		uint64_t target = sizes[n] * MIB_PAGES / 2 + 777;
		uint32_t partial = 0;

		while (h->of[PAGUS_MOVABLE].nr < target)
			host_take(h, PAGUS_MOVABLE, 0);
		pagus_drain_all(&h->lab.p);
		for (uint32_t k = 0; pagus_superpageblock_info(&h->lab.p, 0, k, &s) == PAGUS_OK; k++) {
			assert_false(s.tainted);
			partial += s.free_pages > 0 && s.free_pages < 1u << s.order;
		}
		assert_true(partial <= 1);
		host_close(h);
	}
}

/* 8: what random frees leave is filled again before an empty one is begun. */
static void check_08_refilled_memory_leaves_the_empty_ones(void **state)
{
	(void)state;
	for (size_t n = 0; n < NR_OF(sizes) && sizes[n] <= largest; n++) {
		struct host *h = host_boot(sizes[n], 1);
		uint64_t target = sizes[n] * MIB_PAGES * 6 / 10;
		uint32_t empty;

		while (h->of[PAGUS_MOVABLE].nr < target)
			host_take(h, PAGUS_MOVABLE, 0);
		while (h->of[PAGUS_MOVABLE].nr > target / 2)
			host_give_random(h, PAGUS_MOVABLE);
		pagus_drain_all(&h->lab.p);
		empty = host_sums(h).empty;
		while (h->of[PAGUS_MOVABLE].nr < target)
			host_take(h, PAGUS_MOVABLE, 0);
		pagus_drain_all(&h->lab.p);
		assert_int_equal(host_sums(h).empty, empty);
		host_close(h);
	}
}

/* 23: with its last such page a superpageblock is clean again, and movable pages go there. */
static void check_23_the_last_page_that_cannot_move_takes_the_taint_along(void **state)
{
	struct host *h = host_boot(512, 1);
	struct pagus_superpageblock_info s;
	pagus_pfn_t pfn;

	(void)state;
	for (uint32_t n = 0; n < 3 * BLOCK; n++)
		host_take(h, PAGUS_UNMOVABLE, 0);
	assert_int_equal(host_tainted(h), 1);
	while (h->of[PAGUS_UNMOVABLE].nr > 1)
		host_give_random(h, PAGUS_UNMOVABLE);
	pagus_drain_all(&h->lab.p);
	assert_int_equal(host_tainted(h), 1);
	pfn = h->of[PAGUS_UNMOVABLE].pfns[0];
	host_give(h, PAGUS_UNMOVABLE, 0);
	pagus_drain_all(&h->lab.p);
	assert_int_equal(host_tainted(h), 0);
	/* Nothing else is in use, so it is as empty as all others. */
	assert_int_equal(pagus_superpageblock_info(&h->lab.p, 0, (uint32_t)(pfn >> h->order), &s),
			 PAGUS_OK);
	assert_int_equal(s.free_pages, 1u << h->order);
	host_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_01_counts_and_sets_are_exact),
		cmocka_unit_test(check_04_kernel_memory_alone_fills_superpageblocks),
		cmocka_unit_test(check_07_movable_pages_fill_the_fullest_first),
		cmocka_unit_test(check_08_refilled_memory_leaves_the_empty_ones),
		cmocka_unit_test(check_23_the_last_page_that_cannot_move_takes_the_taint_along),
	};

	if (argc > 1)
		largest = strtoull(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
