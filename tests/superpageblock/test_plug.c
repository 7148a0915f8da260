/* SPDX-License-Identifier: MIT */
/*
 * Check 25 of the superpageblock specification: memory comes in steps of 128 MiB, under load, and goes.
 *
 * usage: test_plug [MIB]    of the largest machine, 16384; none above that
 */
#include <pagus/hotplug.h>

#include "superpageblock/machine.h"
#include "superpageblock/mover.h"

#define STEP UINT64_C(32768)

static const struct mix mix = { 3, true, 70, 10 };

/* Where a superpageblock is larger than a step, one and the beginning of another. */
static uint32_t nr_steps(void)
{
	return machine.spb_pages > STEP ? (uint32_t)(machine.spb_pages / STEP) + 1 : 4;
}

/* What is there at boot is the machine's; room for the steps and one more lies behind. */
static struct host *boot(void)
{
	const uint64_t more = (nr_steps() + 1) * STEP;
	const struct pagus_range ranges[] = {
		machine.range,
		{ .start_pfn = machine.range.nr_pages, .nr_pages = more, .zone = PAGUS_ZONE_BY_CEILING,
		  .offline = true },
	};
	struct host *h = calloc(1, sizeof(*h));
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "superpageblock");

	assert_non_null(h);
	cfg.section_order = 15;
	cfg.nr_cpus = 3;
	cfg.superpageblock_order = machine.order;
	unit_boot(&h->lab, &cfg);
	h->order = machine.order;
	h->seed = unit_seed();
	h->range = machine.range;
	h->range.nr_pages += more;
	mover_own(h);
	h->range = machine.range;
	return h;
}

static void turn_over(struct host *h)
{
	uint64_t per_mille = 300 * 512 / machine.mib;

	load_turn_over(h, &mix, per_mille ? per_mille : 1);
}

static struct pagus_superpageblock_info info_at(const struct host *h, pagus_pfn_t pfn)
{
	struct pagus_superpageblock_info s;

	assert_int_equal(pagus_superpageblock_info(&h->lab.p, 0, machine_spb(pfn), &s), PAGUS_OK);
	return s;
}

/* Of the superpageblock in which the step begins, so much is there now and was not before. */
static void plug(struct host *h, pagus_pfn_t start)
{
	const uint64_t came = machine.spb_pages < STEP ? machine.spb_pages : STEP;
	const struct pagus_superpageblock_info before = info_at(h, start);
	struct pagus_superpageblock_info s;

	assert_int_equal(pagus_online(&h->lab.p, start, STEP, PAGUS_ONLINE_KERNEL), PAGUS_OK);
	mover_check(h);
	s = info_at(h, start);
	assert_int_equal(s.nr_pageblocks, before.nr_pageblocks + came / BLOCK);
	assert_int_equal(s.nr_reserved, before.nr_reserved - came / BLOCK);
	assert_int_equal(s.free_pages, before.free_pages + came);
	h->range.nr_pages += STEP;
}

/* What is clean goes again, if there is room for what it holds. */
static uint32_t unplug(struct host *h)
{
	uint32_t gone = 0;

	while (h->of[PAGUS_MOVABLE].pages > h->range.nr_pages / 4)
		host_give_random(h, PAGUS_MOVABLE);
	for (uint32_t step = 0; step < nr_steps(); step++) {
		if (pagus_offline(&h->lab.p, machine.range.nr_pages + step * STEP, STEP, NULL, NULL) ==
		    PAGUS_OK)
			gone++;
		mover_check(h);
	}
	return gone;
}

static void check_25_memory_comes_under_load(void **state)
{
	const pagus_pfn_t end = machine.range.nr_pages + nr_steps() * STEP;
	struct host *h = boot();
	uint32_t gone;
	pagus_pfn_t pfn;

	(void)state;
	load_fill(h, &mix);
	turn_over(h);
	for (pfn = machine.range.nr_pages; pfn < end; pfn += STEP) {
		plug(h, pfn);
		load_fill(h, &mix);
		turn_over(h);
	}
	mover_check(h);
	assert_true(host_tau(h) <= 1250);
	/* The worker sees what has come. */
	assert_int_equal(pagus_tunable_set(&h->lab.p, PAGUS_TUNABLE_superpageblocks_ready, 2), PAGUS_OK);
	for (uint32_t n = 0; n < 10; n++)
		mover_second(h);
	assert_true(host_sums(h).empty >= 2);
	/* Into a zone that had no memory. */
	assert_int_equal(pagus_online(&h->lab.p, end, STEP, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
	unit_check(&h->lab);
	pfn = unit_alloc(&h->lab, GFP_HIGHUSER_MOVABLE, 0);
	assert_true(pfn >= end);
	unit_free(&h->lab, pfn, 0);
	gone = unplug(h);
	assert_true(gone > 0);
	for (uint32_t type = 0; type < 3; type++)
		while (h->of[type].nr)
			host_give_random(h, type);
	pagus_drain_all(&h->lab.p);
	assert_int_equal(host_sums(h).tainted, 0);
	assert_int_equal(host_sums(h).free_pages, end - gone * STEP);
	host_close(h);
}

static int run(const char *name)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(check_25_memory_comes_under_load) };

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return machine_each(argc, argv, run);
}
