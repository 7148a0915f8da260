/* SPDX-License-Identifier: MIT */
/* Counter drift: what marks see of a zone's free pages while CPUs keep their deltas. */
#include "unit/world.h"

#include <pagus/step.h>

/* 128 MiB: the threshold of 4 CPUs is 2 * 3 * (1 + 1) = 12, the exact ones below are of this zone. */
#define PAGES 32768

static const struct pagus_range range = { 0, PAGES, 0, PAGUS_ZONE_BY_CEILING };

static struct pagus_config drifting(const struct pagus_range *ranges, uint32_t nr, uint32_t nr_cpus)
{
	struct pagus_config cfg = lab_config(ranges, nr, "nopcp");

	cfg.nr_cpus = nr_cpus;
	cfg.counter_drift = true;
	return cfg;
}

static int64_t hidden(const struct lab *lab)
{
	return pagus_step_seen_free(&lab->p, 0) - (int64_t)unit_zone(lab, 0).free_pages;
}

static void without_the_option_counts_are_exact(void **state)
{
	struct pagus_config cfg = drifting(&range, 1, 4);
	struct lab lab;

	(void)state;
	cfg.counter_drift = false;
	unit_boot(&lab, &cfg);
	for (uint32_t n = 0; n < 100; n++) {
		unit_alloc(&lab, GFP_KERNEL, 0);
		assert_int_equal(hidden(&lab), 0);
	}
	unit_close(&lab);
}

/* A delta stays with its CPU up to the threshold; one more, and all of it is counted. */
static void each_cpu_hides_up_to_the_threshold(void **state)
{
	const struct pagus_config cfg = drifting(&range, 1, 4);
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	assert_int_equal(unit_zone(&lab, 0).stat_threshold, 12);
	for (uint32_t cpu = 0; cpu < 4; cpu++)
		for (uint32_t n = 1; n <= 12; n++) {
			pagus_sim_on(&lab.sim, cpu, 0);
			unit_alloc(&lab, GFP_KERNEL, 0);
			assert_int_equal(hidden(&lab), 12 * cpu + n);
		}
	unit_alloc(&lab, GFP_KERNEL, 0);
	assert_int_equal(hidden(&lab), 36);
	/* A larger block than the threshold takes the CPU's delta with it. */
	pagus_sim_on(&lab.sim, 0, 0);
	unit_alloc(&lab, GFP_KERNEL, 4);
	assert_int_equal(hidden(&lab), 24);
	/* The tick folds its own CPU's. */
	pagus_sim_on(&lab.sim, 1, 0);
	pagus_tick(&lab.p);
	assert_int_equal(hidden(&lab), 12);
	unit_close(&lab);
}

static void a_cpu_that_goes_leaves_no_delta(void **state)
{
	const struct pagus_config cfg = drifting(&range, 1, 4);
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	pagus_sim_on(&lab.sim, 3, 0);
	for (uint32_t n = 0; n < 5; n++)
		unit_alloc(&lab, GFP_KERNEL, 0);
	assert_int_equal(hidden(&lab), 5);
	pagus_sim_on(&lab.sim, 0, 0);
	assert_int_equal(pagus_cpu_down(&lab.p, 3), PAGUS_OK);
	assert_int_equal(hidden(&lab), 0);
	/* Of three CPUs: 2 * 2 * 2. */
	assert_int_equal(unit_zone(&lab, 0).stat_threshold, 8);
	unit_close(&lab);
}

/* Marks are tested on what is seen: a request passes that an exact count would refuse. */
static void watermarks_see_what_is_counted(void **state)
{
	const struct pagus_config cfg = drifting(&range, 1, 1);
	struct lab lab;
	struct pagus_zone_seed seed = { .present = PAGES, .managed = PAGES, .pcp_batch = 1 };
	uint64_t granted = 0;
	pagus_pfn_t pfn;

	(void)state;
	unit_boot(&lab, &cfg);
	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		seed.wmark[w] = PAGES - 1;
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
	while (pagus_alloc_pages(&lab.p, GFP_NOWAIT, 0, &pfn) == PAGUS_OK)
		granted++;
	/* One page by right; the threshold, 2 * 1 * 2, hides what is taken until the fifth is. */
	assert_int_equal(granted, 5);
	unit_close(&lab);
}

/*
 * kswapd tests exactly where drift could deceive it, and CPUs keep less to themselves while it
 * works.
 */
static void kswapd_is_not_deceived(void **state)
{
	const struct pagus_config cfg = drifting(&range, 1, 64);
	struct world *w = world_boot(&cfg);
	struct pagus_result res;

	(void)state;
	/* Threshold 2 * 7 * 2 = 28; 64 CPUs could hide 1792 pages of a gap of 100. */
	world_marks(w, 0, 0, 0);
	world_fill(w, 350, 0);
	for (; w->cache_first < 305; w->cache_first++)
		unit_free(&w->lab, w->cache[w->cache_first], 0);
	pagus_tick(&w->lab.p);
	w->port.wake = world_wake;
	w->port.reclaim = NULL;
	world_marks(w, 0, 100, 100);
	/* 305 free, high mark 300: balanced. Ten pages go unseen: still balanced to others. */
	for (uint32_t n = 0; n < 10; n++)
		assert_int_equal(world_ask(w, GFP_NOWAIT, 0).status, PAGUS_OK);
	assert_int_equal(hidden(&w->lab), 10);
	world_expect_diary(w, "");
	/* A request that no mark allows: kswapd is woken, since it counts 295. */
	res = world_ask(w, GFP_NOWAIT, 10);
	assert_int_equal(res.status, PAGUS_NO_MEMORY);
	world_expect_diary(w, "k");
	/*
	 * (low - min) / 64 = 1: the next page that CPU 0 takes is counted at once, with the others.
	 */
	assert_int_equal(world_ask(w, GFP_NOWAIT, 0).status, PAGUS_OK);
	assert_int_equal(hidden(&w->lab), 0);
	world_close(w);
}

/* ---- pages of other nodes -------------------------------------------------------------------- */

static void remote_pages_expire_after_three_ticks(void **state)
{
	static const struct pagus_range nodes[] = {
		{ 0, PAGES, 0, PAGUS_ZONE_BY_CEILING }, { PAGES, PAGES, 1, PAGUS_ZONE_BY_CEILING },
	};
	struct pagus_config cfg = drifting(nodes, 2, 1);
	const struct pagus_request remote = { .gfp = GFP_KERNEL, .node = 1 };
	struct pagus_result res;
	struct lab lab;

	(void)state;
	cfg.policy = "linux";
	unit_boot(&lab, &cfg);
	for (uint32_t zone = 0; zone < 2; zone++)
		unit_limits(&lab, zone, 4, 100, 100);
	/* One delta in each zone, and three pages left on each pcp list. */
	unit_alloc(&lab, GFP_KERNEL, 0);
	assert_int_equal(pagus_alloc(&lab.p, &remote, &res), PAGUS_OK);
	for (uint32_t zone = 0; zone < 2; zone++)
		assert_int_equal(unit_pcp(&lab, zone, 0).count, 3);
	for (uint32_t tick = 1; tick <= 3; tick++) {
		assert_int_equal(unit_pcp(&lab, 1, 0).count, 3);
		pagus_tick(&lab.p);
	}
	assert_int_equal(unit_pcp(&lab, 1, 0).count, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 3);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_option_counts_are_exact),
		cmocka_unit_test(each_cpu_hides_up_to_the_threshold),
		cmocka_unit_test(a_cpu_that_goes_leaves_no_delta),
		cmocka_unit_test(watermarks_see_what_is_counted),
		cmocka_unit_test(kswapd_is_not_deceived),
		cmocka_unit_test(remote_pages_expire_after_three_ticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
