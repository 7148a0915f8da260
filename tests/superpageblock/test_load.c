/* SPDX-License-Identifier: MIT */
/*
 * Checks of the superpageblock specification under loads. Besides the machines as they are, the
 * RFC's host of 238 superpageblocks at a 16th of its size: 16 GiB in 256 superpageblocks of 64 MiB.
 *
 * usage: test_load [PERCENT [MIB]]    of memory that is replaced on those above 512 MiB, 15; of the
 *                                     largest machine, 16384: none above that
 */
#include <stdio.h>

#include "superpageblock/load.h"

#define SCALED_ORDER 14

static uint64_t percent = 15, largest = 16384;

static void print_cost(const struct host *h, const char *what)
{
	uint64_t chosen = host_count(h, PAGUS_COUNTER_superpageblock_chosen);

	print_message("%s: %u tainted at most, %llu would do; %llu blocks chosen by %llu looks\n", what,
		      h->peak_tainted,
		      (unsigned long long)host_bound(h, h->peak_kernel_pages),
		      (unsigned long long)chosen,
		      (unsigned long long)host_count(h, PAGUS_COUNTER_superpageblock_looks));
}

/*
 * Is borrowing the exception? Not where tainted ones are packed to the last pages; nor with higher
 * orders where a superpageblock has so few pageblocks that none stays whole.
 */
static bool borrows_little(struct host *h, const struct mix *mix)
{
	return (h->order == 18 || mix->kernel_order == 0) &&
	       host_kernel_pages(h) * 100 < ((uint64_t)host_tainted(h) << h->order) * 95;
}

/*
 * 3: no request for a single page has tainted while there was a free page in a tainted one. 5: 70 %
 * movable, 10 % that cannot move, 20 % free. 21: no pageblock changes between the types that cannot
 * move while such pages are in it; those that hold both came to by borrowing, and are at most one in a
 * hundred where that is the exception. 26: what choosing costs.
 */
static void steady(uint64_t mib, uint32_t order, const struct mix *mix, uint64_t replaced,
		   uint64_t tau_per_mille)
{
	struct host *h = host_boot_as("superpageblock", order, 0, mib, 4);
	uint64_t long_ones, chosen, mixed;
	struct load_watch watch;

	print_message("%llu MiB, superpageblocks of order %u, what cannot move of orders 0 to %u, movable "
		      "blocks of 2 MiB: %u\n", (unsigned long long)mib, h->order, mix->kernel_order,
		      mix->huge);
	load_watch(h, &watch);
	load_fill(h, mix);
	load_turn_over(h, mix, replaced * 10);
	unit_check(&h->lab);
	print_cost(h, "steady");
	assert_int_equal(watch.early, 0);
	assert_int_equal(watch.single, host_count(h, PAGUS_COUNTER_taint_single));
	mixed = load_mixed(h);
	print_message("mixed: %llu of %llu pageblocks\n", (unsigned long long)mixed,
		      (unsigned long long)(h->range.nr_pages / BLOCK));
	assert_int_equal(watch.relabelled, 0);
	assert_true(mixed <= host_count(h, PAGUS_COUNTER_fallback_steal));
	if (borrows_little(h, mix))
		assert_true(mixed * 100 <= h->range.nr_pages / BLOCK);
	assert_true(host_tainted_by_pages(h) <= h->peak_tainted);
	if (host_tau(h) > tau_per_mille)
		fail_msg("tau %llu/1000", (unsigned long long)host_tau(h));
	long_ones = host_count(h, PAGUS_COUNTER_superpageblock_long);
	chosen = host_count(h, PAGUS_COUNTER_superpageblock_chosen);
	assert_true(long_ones * 1000 <= chosen);
	host_close(h);
}

static void check_03_05_21_26_mixed_steady_state(void **state)
{
	static const struct mix single = { 0, false, 70, 10 }, orders = { 3, false, 70, 10 },
				huge = { 3, true, 70, 10 };

	(void)state;
	steady(512, 0, &single, 1000, 1100);
	steady(512, 0, &orders, 1000, 1250);
	steady(512, 0, &huge, 1000, 1250);
	if (largest < 16384)
		return;
	steady(16384, SCALED_ORDER, &single, percent, 1100);
	steady(16384, SCALED_ORDER, &orders, percent, 1250);
	steady(16384, SCALED_ORDER, &huge, percent, 1250);
	steady(16384, 0, &single, percent, 1100);
	steady(16384, 0, &huge, percent, 1250);
	/* 4096 superpageblocks: as many looks as with few. */
	if (largest >= 65536)
		steady(65536, 12, &huge, percent, 1250);
	if (largest >= 262144)
		steady(262144, 0, &huge, percent, 1250);
}

/* The control: without superpageblocks such pages are everywhere before long. */
static void the_same_load_without_superpageblocks(void **state)
{
	static const struct mix huge = { 0, true, 70, 10 };
	uint64_t mib = largest < 16384 ? 512 : 16384;
	struct host *h = host_boot_as("pcpbuddy-bitmap", mib == 512 ? 0 : SCALED_ORDER, 0, mib, 4);
	uint32_t tainted;

	(void)state;
	load_fill(h, &huge);
	load_turn_over(h, &huge, percent * 10);
	tainted = host_tainted_by_pages(h);
	print_message("control: %u tainted\n", tainted);
	assert_true(tainted > 2 * host_bound(h, h->peak_kernel_pages));
	host_close(h);
}

/* 6: slabs grow from 1.7 to 11.7 superpageblocks' worth on a machine that is in use. */
static void slab_storm(uint64_t mib, uint32_t order)
{
	static const struct mix before = { 3, true, 60, 1 };
	struct host *h = host_boot_as("superpageblock", order, 0, mib, 4);
	uint64_t unit = UINT64_C(1) << h->order;
	uint32_t at_first;

	load_fill(h, &before);
	while (host_kernel_pages(h) > unit * 17 / 10)
		host_give_random(h, load_kernel_type(h));
	load_turn_over(h, &before, 100);
	pagus_drain_all(&h->lab.p);
	at_first = host_tainted(h);
	assert_true(at_first <= 4);
	while (host_kernel_pages(h) < unit * 117 / 10) {
		host_take(h, PAGUS_RECLAIMABLE, (uint32_t)lab_random(&h->seed, 8) ? 0 : 3);
		/* Meanwhile movable pages come and go. */
		if (lab_random(&h->seed, 4) == 0 && h->of[PAGUS_MOVABLE].nr) {
			host_give_random(h, PAGUS_MOVABLE);
			load_add(h, &before, false);
		}
	}
	host_tainted(h);
	print_cost(h, "storm");
	assert_true(h->peak_tainted <= 13);
	host_close(h);
}

static void check_06_slab_storm(void **state)
{
	(void)state;
	/* The superpageblocks of 512 MiB, and the whole ones of 16 GiB, are too few for it. */
	if (largest >= 16384)
		slab_storm(16384, SCALED_ORDER);
	if (largest >= 262144)
		slab_storm(262144, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_03_05_21_26_mixed_steady_state),
		cmocka_unit_test(the_same_load_without_superpageblocks),
		cmocka_unit_test(check_06_slab_storm),
	};

	if (argc > 1)
		percent = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		largest = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
