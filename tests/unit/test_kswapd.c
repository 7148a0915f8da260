/* SPDX-License-Identifier: MIT */
/* kswapd: when it is woken, what a run does, when it sleeps or is given up; boosts. */
#include <pagus/step.h>

#include "unit/world.h"

#define PAGES 8192

static const struct pagus_range range = { 0, PAGES, 0, PAGUS_ZONE_BY_CEILING };
static const struct pagus_range two_nodes[] = {
	{ 0, PAGES, 0, PAGUS_ZONE_BY_CEILING }, { PAGES, PAGES, 1, PAGUS_ZONE_BY_CEILING },
};

static struct world *with(const char *policy, uint32_t nr_free, uint32_t nr_cache)
{
	const struct pagus_config cfg = lab_config(&range, 1, policy);

	return world_low(&cfg, nr_free, nr_cache);
}

/* Turns until it sleeps, at most 1000. */
static uint32_t run(struct world *w, uint32_t node)
{
	uint32_t turns = 0;

	do
		assert_true(++turns < 1000);
	while (pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, node));
	return turns;
}

static bool active(const struct world *w, uint32_t zone)
{
	return pagus_step_flag(&w->lab.p, zone, PAGUS_STEP_RECLAIM_ACTIVE);
}

static void it_is_woken_when_the_low_mark_refuses(void **state)
{
	struct world *w = with("linux", 201, 1000);

	(void)state;
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	world_expect_diary(w, "");
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	world_expect_diary(w, "k");
	/* Once is enough, until it sleeps again. */
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	world_expect_diary(w, "");
	world_close(w);
}

static void requests_without_its_bit_do_not_wake_it(void **state)
{
	struct world *w = with("linux", 150, 1000);

	(void)state;
	assert_int_equal(world_ask(w, __GFP_DIRECT_RECLAIM, 0).status, PAGUS_OK);
	world_expect_diary(w, "");
	assert_int_equal(world_ask(w, GFP_NOWAIT, 0).status, PAGUS_OK);
	world_expect_diary(w, "k");
	world_close(w);
}

static void a_run_reclaims_up_to_the_high_mark(void **state)
{
	struct world *w = with("linux", 150, 1000);

	(void)state;
	assert_false(pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0));
	world_ask(w, GFP_KERNEL, 0);
	assert_false(active(w, 0));
	assert_true(pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0));
	assert_true(active(w, 0));
	assert_int_equal(w->last_reclaim.nr_pages, 300);
	assert_true(w->last_reclaim.kswapd && w->last_reclaim.may_swap);
	assert_int_equal(w->last_reclaim.highest, PAGUS_ZONE_NORMAL);
	assert_int_equal(w->task_seen, PAGUS_TASK_MEMALLOC);
	assert_int_equal(run(w, 0), 1);
	assert_false(active(w, 0));
	world_expect_diary(w, "kK");
	assert_true(unit_zone(&w->lab, 0).free_pages > 300);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_pageoutrun), 1);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_pgsteal_kswapd), 300);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_allocstall_normal), 0);
	world_close(w);
}

/* 52. One zone that the request may use is enough: what comes is all of the lower one. */
static void property_52_one_zone_is_enough(void **state)
{
	struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct world *w;

	(void)state;
	cfg.dma32_ceiling = PAGES / 2;
	w = world_boot(&cfg);
	world_marks(w, 0, 0, 0);
	world_marks(w, 1, 0, 0);
	world_fill(w, 0, 0);
	for (pagus_pfn_t pfn = 0; pfn < 150; pfn++) {
		unit_free(&w->lab, pfn, 0);
		unit_free(&w->lab, PAGES / 2 + pfn, 0);
	}
	for (pagus_pfn_t pfn = 150; pfn < 1000; pfn++)
		w->cache[w->nr_cache++] = pfn;
	pagus_drain_all(&w->lab.p);
	world_marks(w, 0, 100, 100);
	world_marks(w, 1, 100, 100);
	w->port.wake = world_wake;
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	run(w, 0);
	pagus_drain_all(&w->lab.p);
	assert_true(unit_zone(&w->lab, 0).free_pages > 300);
	assert_true(unit_zone(&w->lab, 1).free_pages < 200);
	assert_false(pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0));
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_pageoutrun), 1);
	world_close(w);
}

/* 52. With memory tiering it stops at the promo mark, not at the high mark: 360 pages are not enough. */
static void property_52_with_tiering_up_to_the_promo_mark(void **state)
{
	(void)state;
	for (uint32_t balancing = 0; balancing < 4; balancing++) {
		struct world *w = with("linux", 60, 1000);

		pagus_tunable_set(&w->lab.p, PAGUS_TUNABLE_numa_balancing, balancing);
		world_ask(w, GFP_NOWAIT, 0);
		run(w, 0);
		pagus_drain_all(&w->lab.p);
		if (balancing & 2)
			assert_true(unit_zone(&w->lab, 0).free_pages > 400);
		else
			assert_in_range(unit_zone(&w->lab, 0).free_pages, 301, 400);
		world_close(w);
	}
}

/* While it works, frees keep no more than four batches on a pcp. */
static void pcps_shrink_while_it_works(void **state)
{
	struct world *w = with("linux", 150, 1000);

	(void)state;
	world_ask(w, GFP_KERNEL, 0);
	w->claimed_progress = 1;
	w->nr_cache = w->cache_first; /* nothing comes, so that it stays at work */
	pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0);
	unit_limits(&w->lab, 0, 8, 1000, 1000);
	for (uint32_t n = 0; n < 100; n++)
		unit_free(&w->lab, w->cache[n + 150], 0);
	assert_true(unit_pcp(&w->lab, 0, 0).count <= 4 * 8);
	world_close(w);
}

/* An order is dropped once twice its pages are free: the rest is compaction's. */
static void higher_orders_are_balanced_by_pages_in_the_end(void **state)
{
	struct world *w = with("linux", 150, 1000);

	(void)state;
	/* Every second page, so that nothing merges: a block of order 3 will never be there. */
	for (uint32_t n = 0; n < 500; n++)
		w->cache[w->cache_first + n] = w->cache[w->cache_first + 2 * n + 1];
	w->nr_cache = w->cache_first + 500;
	assert_int_equal(world_ask(w, GFP_NOWAIT, 7).status, PAGUS_NO_MEMORY);
	assert_true(pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0));
	assert_int_equal(w->last_reclaim.order, 7);
	assert_int_equal(run(w, 0), 1);
	assert_int_equal(w->nr_cache - w->cache_first, 200);
	world_close(w);
}

static void a_node_is_given_up_after_sixteen_runs_in_vain(void **state)
{
	struct world *w = with("linux", 150, 0);

	(void)state;
	world_ask(w, GFP_KERNEL, 0);
	assert_int_equal(run(w, 0), 16 * 12);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_pageoutrun), 16);
	world_ask(w, GFP_NOWAIT, 0);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_kswapd_wake), 1);
	world_close(w);
}

/* 54. What a request's own reclaim frees revives it if the node is balanced then; formerly always. */
static void property_54_what_revives_a_node(void **state)
{
	static const struct { const char *policy; uint64_t gap; bool revives; } rows[] = {
		{ "linux", 5, true }, { "linux", 50, false }, { "linux-6.18", 50, true },
		{ "linux-6.1", 50, true },
	};

	(void)state;
	for (size_t r = 0; r < NR_OF(rows); r++) {
		struct world *w = with(rows[r].policy, 150, 1000);
		const uint32_t nr_cache = w->nr_cache;

		w->nr_cache = w->cache_first;
		world_ask(w, GFP_KERNEL, 0);
		run(w, 0);
		w->nr_cache = nr_cache;
		/* 32 pages come: the high mark is 160 and twice the gap. */
		world_marks(w, 0, 160, rows[r].gap);
		assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
		assert_in_range(unit_zone(&w->lab, 0).free_pages, 171, 200);
		world_marks(w, 0, 100, 100);
		world_ask(w, GFP_NOWAIT, 0);
		assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_kswapd_wake), rows[r].revives ? 2 : 1);
		world_close(w);
	}
}

/* ---- boosts ---------------------------------------------------------------------------------- */

/* Unmovable requests that find only movable pageblocks, most of whose pages are in use. */
static struct world *mixed(const char *policy, uint64_t high)
{
	const struct pagus_config cfg = lab_config(&range, 1, policy);
	struct world *w = calloc(1, sizeof(*w));
	const struct pagus_zone_seed seed = {
		.present = PAGES, .managed = PAGES, .wmark = { 1, 1, high, high },
		.pcp_batch = 1, .pcp_high_min = 4, .pcp_high_max = 4,
	};

	assert_non_null(w);
	unit_open(&w->lab, &cfg);
	w->port = pagus_sim_port;
	w->port.wake = world_wake;
	w->port.reclaim = world_reclaim;
	w->lab.p.port = &w->port;
	for (uint32_t block = 0; block < PAGES; block += 512) {
		unit_seed_free(&w->lab, block, 6);
		unit_inherit(&w->lab, block + 64, 512 - 64, PAGUS_MOVABLE);
	}
	assert_int_equal(pagus_boot_done(&w->lab.p), PAGUS_OK);
	assert_int_equal(pagus_seed_zone(&w->lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
	return w;
}

/* By a pageblock for each order that is tried, also in vain, up to 150 % of the high mark. */
static void property_12_failed_claims_boost_the_marks(void **state)
{
	struct world *w = mixed("linux", 1000);

	(void)state;
	world_ask(w, GFP_KERNEL, 0);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_fallback_steal), 1);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 512);
	assert_int_equal(unit_zone(&w->lab, 0).wmark[PAGUS_WMARK_MIN], 513);
	world_ask(w, GFP_KERNEL, 8);
	world_ask(w, GFP_KERNEL | __GFP_MEMALLOC, 0);
	world_ask(w, GFP_KERNEL | __GFP_MEMALLOC, 0);
	world_ask(w, GFP_KERNEL | __GFP_MEMALLOC, 0);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 1500);
	world_close(w);
}

static void property_12_a_boost_is_a_pageblock_at_least(void **state)
{
	struct world *w = mixed("linux", 10);

	(void)state;
	world_ask(w, GFP_KERNEL, 0);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 512);
	world_ask(w, GFP_KERNEL | __GFP_MEMALLOC, 0);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 512);
	world_close(w);
}

static void property_12_small_zones_and_factor_0_have_none(void **state)
{
	const struct pagus_zone_seed small = {
		.present = PAGES, .managed = 2047, .wmark = { 1, 1, 1000, 1000 },
		.pcp_batch = 1, .pcp_high_min = 4, .pcp_high_max = 4,
	};
	struct world *w = mixed("linux", 1000);

	(void)state;
	assert_int_equal(pagus_seed_zone(&w->lab.p, 0, PAGUS_ZONE_NORMAL, &small), PAGUS_OK);
	world_ask(w, GFP_KERNEL, 0);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_fallback_claim_refused), 1);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 0);
	world_close(w);
	w = mixed("linux", 1000);
	assert_int_equal(pagus_tunable_set(&w->lab.p, PAGUS_TUNABLE_watermark_boost_factor, 0),
			 PAGUS_OK);
	world_ask(w, GFP_KERNEL, 0);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 0);
	world_close(w);
}

/* Gently, and then the boost that it has found is gone, also where nothing could be reclaimed. */
static void kswapd_pays_boosts_back(void **state)
{
	struct world *w = mixed("linux", 400);

	(void)state;
	/* 1024 pages are free: above the boosted high mark of 912. */
	world_ask(w, GFP_KERNEL, 0);
	world_expect_diary(w, "k");
	assert_true(pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0));
	assert_false(w->last_reclaim.may_swap);
	assert_false(w->last_reclaim.may_writepage);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 512);
	run(w, 0);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 0);
	world_close(w);
}

/* A boost that came while it ran stays for the next run. */
static void a_later_boost_is_not_paid_back(void **state)
{
	struct world *w = mixed("linux", 600);

	(void)state;
	world_ask(w, GFP_KERNEL, 0);
	assert_true(pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0));
	world_ask(w, GFP_KERNEL | __GFP_RECLAIMABLE | __GFP_MEMALLOC, 0);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 900);
	run(w, 0);
	assert_true(unit_zone(&w->lab, 0).boost <= 900 - 512);
	world_close(w);
}

/* The same in single steps, for who follows a recorded kernel. */
static void a_run_in_steps_pays_the_boosts_that_it_found(void **state)
{
	struct world *w = mixed("linux", 600);

	(void)state;
	world_ask(w, GFP_KERNEL, 0);
	assert_int_equal(pagus_step_kswapd(&w->lab.p, 0, PAGUS_ZONE_MOVABLE, true), PAGUS_OK);
	assert_true(active(w, 0));
	world_ask(w, GFP_KERNEL | __GFP_RECLAIMABLE | __GFP_MEMALLOC, 0);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 900);
	assert_int_equal(pagus_step_kswapd(&w->lab.p, 0, PAGUS_ZONE_MOVABLE, false), PAGUS_OK);
	assert_false(active(w, 0));
	assert_int_equal(unit_zone(&w->lab, 0).boost, 900 - 512);
	assert_int_equal(pagus_step_kswapd(&w->lab.p, 1, 0, true), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_kswapd(&w->lab.p, 0, PAGUS_NR_ZONE_TYPES, true), PAGUS_BAD_VALUE);
	world_close(w);
}

static void who_may_not_wake_kswapd_leaves_the_boost_to_others(void **state)
{
	struct world *w = mixed("linux", 400);

	(void)state;
	world_ask(w, __GFP_DIRECT_RECLAIM, 0);
	assert_int_equal(unit_zone(&w->lab, 0).boost, 512);
	world_expect_diary(w, "");
	world_close(w);
}

/* An atomic request for a page is held to half of the mark without its boost. */
static void atomic_requests_do_not_pay_for_boosts(void **state)
{
	struct world *w = mixed("linux", 400);

	(void)state;
	world_ask(w, GFP_KERNEL, 0);
	w->port.wake = NULL;
	w->port.reclaim = NULL;
	while (world_ask(w, GFP_KERNEL, 0).status == PAGUS_OK)
		;
	assert_int_equal(world_ask(w, GFP_NOWAIT, 0).status, PAGUS_NO_MEMORY);
	while (world_ask(w, GFP_ATOMIC, 0).status == PAGUS_OK)
		;
	assert_true(unit_zone(&w->lab, 0).boost >= 512);
	assert_true(unit_zone(&w->lab, 0).free_pages <= 2);
	world_close(w);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct pagus_result ask_node_0(struct world *w)
{
	const struct pagus_request req = { .gfp = GFP_KERNEL, .node = 0 };
	struct pagus_result res;

	pagus_alloc(&w->lab.p, &req, &res);
	return res;
}

/* Two nodes; node 0 has `free` pages, and its kswapd has been woken. */
static struct world *one_awake(const char *policy)
{
	const struct pagus_config cfg = lab_config(two_nodes, 2, policy);
	struct world *w = world_boot(&cfg);
	const struct pagus_request all = { .gfp = GFP_NOWAIT | __GFP_THISNODE, .node = 0,
					   .task = PAGUS_TASK_MEMALLOC };
	struct pagus_result res;

	world_marks(w, 0, 0, 0);
	world_marks(w, 1, 0, 0);
	while (pagus_alloc(&w->lab.p, &all, &res) == PAGUS_OK)
		w->cache[w->nr_cache++] = res.pfn;
	w->port.wake = world_wake;
	world_marks(w, 0, 10, 10);
	world_marks(w, 1, 10, 10);
	/* Refused by node 0, as asked; its kswapd wakes. */
	pagus_alloc(&w->lab.p, &(struct pagus_request){ .gfp = GFP_NOWAIT | __GFP_THISNODE }, &res);
	for (uint32_t n = 0; n < 200; n++)
		unit_free(&w->lab, w->cache[w->cache_first++], 0);
	pagus_drain_all(&w->lab.p);
	world_expect_diary(w, "k");
	return w;
}

static void nodes_under_reclaim_are_tried_last(void **state)
{
	struct world *w = one_awake("linux");
	const struct pagus_request only = { .gfp = GFP_KERNEL | __GFP_THISNODE, .node = 0 };
	struct pagus_result res;

	(void)state;
	assert_int_equal(ask_node_0(w).zone, 1);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_numa_miss), 1);
	/* Where there is no other, it serves all the same. */
	assert_int_equal(pagus_alloc(&w->lab.p, &only, &res), PAGUS_OK);
	assert_int_equal(res.zone, 0);
	run(w, 0);
	assert_int_equal(ask_node_0(w).zone, 0);
	world_close(w);
}

static void until_6_12_nodes_under_reclaim_are_tried_in_order(void **state)
{
	struct world *w = one_awake("linux-6.12");

	(void)state;
	assert_int_equal(ask_node_0(w).zone, 0);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_woken_when_the_low_mark_refuses),
		cmocka_unit_test(requests_without_its_bit_do_not_wake_it),
		cmocka_unit_test(a_run_reclaims_up_to_the_high_mark),
		cmocka_unit_test(property_52_one_zone_is_enough),
		cmocka_unit_test(property_52_with_tiering_up_to_the_promo_mark),
		cmocka_unit_test(pcps_shrink_while_it_works),
		cmocka_unit_test(higher_orders_are_balanced_by_pages_in_the_end),
		cmocka_unit_test(a_node_is_given_up_after_sixteen_runs_in_vain),
		cmocka_unit_test(property_54_what_revives_a_node),
		cmocka_unit_test(property_12_failed_claims_boost_the_marks),
		cmocka_unit_test(property_12_a_boost_is_a_pageblock_at_least),
		cmocka_unit_test(property_12_small_zones_and_factor_0_have_none),
		cmocka_unit_test(kswapd_pays_boosts_back),
		cmocka_unit_test(a_later_boost_is_not_paid_back),
		cmocka_unit_test(a_run_in_steps_pays_the_boosts_that_it_found),
		cmocka_unit_test(who_may_not_wake_kswapd_leaves_the_boost_to_others),
		cmocka_unit_test(atomic_requests_do_not_pay_for_boosts),
		cmocka_unit_test(nodes_under_reclaim_are_tried_last),
		cmocka_unit_test(until_6_12_nodes_under_reclaim_are_tried_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
