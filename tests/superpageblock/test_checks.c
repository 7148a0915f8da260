/* SPDX-License-Identifier: MIT */
/*
 * The checks of the superpageblock specification that need no migration, by their numbers, on
 * machines of 512 MiB, 16 GiB and 256 GiB.
 *
 * usage: test_checks [MIB]    of the largest machine, 16384; none above that
 */
#include "superpageblock/host.h"
#include "superpageblock/machine.h"

static struct host *boot(uint32_t nr_cpus)
{
	struct host *h = host_boot(machine.mib, nr_cpus);

	assert_int_equal(h->order, machine.order);
	return h;
}

/* 1, 2: everything is counted from the maps anew, again and again under a random load. */
static void check_01_counts_and_sets_are_exact(void **state)
{
	struct host *h = boot(3);
	uint32_t nr = 100000;

	(void)state;
	h->seed = unit_seed();
	for (uint32_t k = 0; k < nr; k++) {
		uint32_t type = (uint32_t)lab_random(&h->seed, 3);
		uint32_t order = (uint32_t)lab_random(&h->seed, 1 + lab_random(&h->seed, 11));
		bool more = lab_random(&h->seed, 1000) < 500 + (k / 20000 % 2 ? 60 : 20);

		if (more)
			host_ask(h, type, order, 0);
		else if (h->of[type].nr)
			host_give_random(h, type);
		if (k % (nr / (machine.mib > 1000 ? 4 : 20)) == 0)
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
	assert_int_equal(host_sums(h).free_pages, machine.range.nr_pages);
	assert_int_equal(host_count(h, PAGUS_COUNTER_superpageblock_taint),
			 host_count(h, PAGUS_COUNTER_superpageblock_clean));
	host_close(h);
}

/* 4: pages that cannot move, and nothing else, fill one superpageblock after the other. */
static void grow(uint32_t max_order, uint32_t more_tainted)
{
	struct host *h = boot(2);
	uint64_t pages = machine.range.nr_pages * 7 / 10;

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
	grow(0, 0);
	grow(3, 1);
}

/* 7: of those that movable pages are in, all are full but one, and what CPUs keep. */
static void check_07_movable_pages_fill_the_fullest_first(void **state)
{
	struct host *h = boot(1);
	struct pagus_superpageblock_info s;
	uint64_t target = machine.range.nr_pages / 2 + 777;
	uint32_t partial = 0;

	(void)state;
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

/* 8: what random frees leave is filled again before an empty one is begun. */
static void check_08_refilled_memory_leaves_the_empty_ones(void **state)
{
	struct host *h = boot(1);
	uint64_t target = machine.range.nr_pages * 6 / 10;
	uint32_t empty;

	(void)state;
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

/* Movable blocks of 2 MiB until there is no more room; then every other one outside of `spared` leaves. */
static void fill_all_but(struct host *h, uint64_t spared)
{
	const struct held *k = &h->of[PAGUS_MOVABLE];

	while (host_ask_as(h, PAGUS_MOVABLE, 9, GFP_TRANSHUGE_LIGHT))
		;
	for (uint64_t n = k->nr; n-- > 0;)
		if (k->pfns[n] >> h->order != spared && n % 2)
			host_give(h, PAGUS_MOVABLE, n);
	pagus_drain_all(&h->lab.p);
}

/* 23: with its last such page a superpageblock is clean again, and as the fullest it is filled first. */
static void check_23_the_last_page_that_cannot_move_takes_the_taint_along(void **state)
{
	struct host *h = boot(1);
	const struct held *kernel = &h->of[PAGUS_UNMOVABLE], *movable = &h->of[PAGUS_MOVABLE];
	struct pagus_superpageblock_info s;
	uint32_t n;

	(void)state;
	lab_no_marks(&h->lab);
	for (uint32_t k = 0; k < 3 * BLOCK; k++)
		host_take(h, PAGUS_UNMOVABLE, 0);
	n = (uint32_t)(kernel->pfns[0] >> h->order);
	fill_all_but(h, n);
	while (kernel->nr > 1)
		host_give_random(h, PAGUS_UNMOVABLE);
	pagus_drain_all(&h->lab.p);
	assert_int_equal(host_tainted(h), 1);
	host_give(h, PAGUS_UNMOVABLE, 0);
	pagus_drain_all(&h->lab.p);
	assert_int_equal(host_tainted(h), 0);
	assert_int_equal(pagus_superpageblock_info(&h->lab.p, 0, n, &s), PAGUS_OK);
	assert_in_range(s.nr_whole, 3, (1u << h->order) / BLOCK / 2 - 1);
	for (uint32_t k = 0; k < s.nr_whole; k++) {
		host_take(h, PAGUS_MOVABLE, 9);
		assert_int_equal(movable->pfns[movable->nr - 1] >> h->order, n);
	}
	host_take(h, PAGUS_MOVABLE, 9);
	assert_int_not_equal(movable->pfns[movable->nr - 1] >> h->order, n);
	host_close(h);
}

static int run(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_01_counts_and_sets_are_exact),
		cmocka_unit_test(check_04_kernel_memory_alone_fills_superpageblocks),
		cmocka_unit_test(check_07_movable_pages_fill_the_fullest_first),
		cmocka_unit_test(check_08_refilled_memory_leaves_the_empty_ones),
		cmocka_unit_test(check_23_the_last_page_that_cannot_move_takes_the_taint_along),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return machine_each(argc, argv, run);
}
