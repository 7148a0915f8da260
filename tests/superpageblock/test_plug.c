/* SPDX-License-Identifier: MIT */
/* Check 25 of the superpageblock specification: memory comes in steps of 128 MiB, under load, and goes. */
#include <pagus/hotplug.h>

#include "superpageblock/mover.h"

#define STEP  UINT64_C(32768)
#define BOOT  (4 * STEP)
#define STEPS 4u

static const struct pagus_range ranges[] = {
	{ .nr_pages = BOOT, .zone = PAGUS_ZONE_BY_CEILING },
	{ .start_pfn = BOOT, .nr_pages = (STEPS + 1) * STEP, .zone = PAGUS_ZONE_BY_CEILING,
	  .offline = true },
};
static const struct mix mix = { 3, true, 70, 10 };

/* 512 MiB, with room for more, in superpageblocks of 64 MiB. */
static struct host *boot(void)
{
	struct host *h = calloc(1, sizeof(*h));
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "superpageblock");

	assert_non_null(h);
	cfg.section_order = 15;
	cfg.nr_cpus = 3;
	cfg.superpageblock_order = 14;
	unit_boot(&h->lab, &cfg);
	h->order = 14;
	h->seed = unit_seed();
	h->range = (struct pagus_range){ .nr_pages = BOOT + (STEPS + 1) * STEP };
	mover_own(h);
	h->range.nr_pages = BOOT;
	return h;
}

static void check_25_memory_comes_under_load(void **state)
{
	struct pagus_superpageblock_info s;
	struct host *h = boot();
	uint32_t gone = 0;
	pagus_pfn_t pfn;

	(void)state;
	load_fill(h, &mix);
	load_turn_over(h, &mix, 300);
	for (uint32_t step = 0; step < STEPS; step++) {
		const pagus_pfn_t start = BOOT + step * STEP;
		const uint32_t n = (uint32_t)(start >> h->order);

		assert_int_equal(pagus_online(&h->lab.p, start, STEP, PAGUS_ONLINE_KERNEL), PAGUS_OK);
		mover_check(h);
		assert_int_equal(pagus_superpageblock_info(&h->lab.p, 0, n, &s), PAGUS_OK);
		assert_int_equal(s.nr_reserved, 0);
		assert_int_equal(s.free_pages, UINT64_C(1) << h->order);
		h->range.nr_pages += STEP;
		load_fill(h, &mix);
		load_turn_over(h, &mix, 300);
		mover_check(h);
	}
	assert_true(host_tau(h) <= 1250);
	/* The worker sees what has come. */
	assert_int_equal(pagus_tunable_set(&h->lab.p, PAGUS_TUNABLE_superpageblocks_ready, 2), PAGUS_OK);
	for (uint32_t n = 0; n < 10; n++)
		mover_second(h);
	assert_true(host_sums(h).empty >= 2);
	/* Into a zone that had no memory. */
	assert_int_equal(pagus_online(&h->lab.p, BOOT + STEPS * STEP, STEP, PAGUS_ONLINE_MOVABLE),
			 PAGUS_OK);
	unit_check(&h->lab);
	pfn = unit_alloc(&h->lab, GFP_HIGHUSER_MOVABLE, 0);
	assert_true(pfn >= BOOT + STEPS * STEP);
	unit_free(&h->lab, pfn, 0);
	/* What is clean goes again, if there is room for what it holds. */
	while (h->of[PAGUS_MOVABLE].pages > h->range.nr_pages / 4)
		host_give_random(h, PAGUS_MOVABLE);
	for (uint32_t step = 0; step < STEPS; step++) {
		if (pagus_offline(&h->lab.p, BOOT + step * STEP, STEP, NULL, NULL) == PAGUS_OK)
			gone++;
		mover_check(h);
	}
	assert_true(gone > 0);
	for (uint32_t type = 0; type < 3; type++)
		while (h->of[type].nr)
			host_give_random(h, type);
	pagus_drain_all(&h->lab.p);
	assert_int_equal(host_sums(h).tainted, 0);
	assert_int_equal(host_sums(h).free_pages, BOOT + (STEPS - gone) * STEP);
	host_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(check_25_memory_comes_under_load) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
