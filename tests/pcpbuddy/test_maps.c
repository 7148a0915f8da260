/* SPDX-License-Identifier: MIT */
/*
 * Policy pcpbuddy-bitmap, by the numbers of sections 13 and 16 of the specification: what differs
 * from policy pcpbuddy. What holds for both is in the other files here. A free of a pageblock that
 * another CPU owns is a bit, which the owner finds when he looks; the tests see it as deferred.
 */
#include <pagus/step.h>

#include "pcpbuddy/owners.h"

static struct owners *boot(uint64_t pages, uint32_t nr_cpus, uint32_t batch, uint32_t high)
{
	return owners_boot(owners_maps, pages, nr_cpus, batch, high);
}

static uint64_t deferred(const struct owners *o)
{
	return unit_zone(&o->lab, 0).deferred_pages;
}

static uint32_t count_of(const struct owners *o, uint32_t cpu)
{
	return unit_pcp(&o->lab, 0, cpu).count;
}

/* All is free, nothing is owned. */
static void expect_all_free(struct owners *o, uint64_t pages)
{
	pagus_drain_all(&o->lab.p);
	assert_int_equal(unit_zone(&o->lab, 0).free_pages, pages);
	assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], pages / 1024);
	assert_int_equal(deferred(o), 0);
}

/* Every page that can be had, whatever watermarks say; none of `start`'s pageblock if it is one. */
static uint64_t take_all(struct owners *o, uint32_t cpu, pagus_pfn_t start)
{
	const struct pagus_request req = { .gfp = GFP_USER_PAGE, .node = PAGUS_NO_NODE,
					   .task = PAGUS_TASK_MEMALLOC };
	struct pagus_result res;
	uint64_t nr = 0;

	owners_on(o, cpu);
	for (; pagus_alloc(&o->lab.p, &req, &res) == PAGUS_OK; nr++)
		assert_true(res.pfn / BLOCK != start / BLOCK);
	return nr;
}

/* ---- 13: what waits -------------------------------------------------------------------------- */

/* Others look after an owner that sleeps, when so many of its pageblocks wait. */
#define MOST_WAITING (4 * BLOCK)

static void defect_13_06_no_memory_hides(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (uint32_t shuffled = 0; shuffled < 2; shuffled++) {
		struct owners *o = boot(8192, 2, 512, 8192);
		pagus_pfn_t pfns[4096];

		owners_take(o, 0, pfns, NR_OF(pfns));
		pagus_drain_cpu(&o->lab.p, 0);
		if (shuffled)
			owners_shuffle(pfns, NR_OF(pfns), &seed);
		for (uint32_t n = 0; n < NR_OF(pfns); n++) {
			owners_free(o, 1, pfns[n], 0);
			assert_true(deferred(o) <= MOST_WAITING);
		}
		pagus_drain_all(&o->lab.p);
		assert_int_equal(deferred(o), 0);
		assert_true(take_all(o, 1, UINT64_MAX / 2) == 8192);
		owners_close(o);
	}
}

/* What is the zone's waits too; not more of it than the freeing CPU might have kept. */
static void defect_13_06_the_zone_s_share_is_bounded(void **state)
{
	struct owners *o = boot(8192, 2, 63, 256);
	pagus_pfn_t pfns[4096];

	(void)state;
	/* Pageblocks that are owned by nobody: the pcps were off as pages were taken. */
	assert_int_equal(pagus_zone_pcp_disable(&o->lab.p, 0), PAGUS_OK);
	owners_take(o, 0, pfns, NR_OF(pfns));
	assert_int_equal(pagus_zone_pcp_enable(&o->lab.p, 0), PAGUS_OK);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pageblock_own), 0);
	for (uint32_t n = 0; n < NR_OF(pfns); n++) {
		owners_free(o, 1, pfns[n], 0);
		assert_true(deferred(o) <= 256);
	}
	expect_all_free(o, 8192);
	owners_close(o);
}

/* Each of these takes in what waits for CPU 0. */
static void a_miss(struct owners *o)
{
	/* The pageblock has nothing else. */
	assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) < BLOCK * 2);
}

static void a_tick(struct owners *o)
{
	owners_on(o, 0);
	pagus_tick(&o->lab.p);
}

static void a_drain(struct owners *o)
{
	owners_on(o, 1);
	pagus_drain_cpu(&o->lab.p, 0);
}

static void an_offline_cpu(struct owners *o)
{
	owners_on(o, 1);
	assert_int_equal(pagus_cpu_down(&o->lab.p, 0), PAGUS_OK);
}

static void switched_off_pcps(struct owners *o)
{
	owners_on(o, 1);
	assert_int_equal(pagus_zone_pcp_disable(&o->lab.p, 0), PAGUS_OK);
}

static void defect_13_06_what_waits_is_found(void **state)
{
	static void (*const finds[])(struct owners *o) = {
		a_miss, a_tick, a_drain, an_offline_cpu, switched_off_pcps,
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(finds); n++) {
		struct owners *o = boot(1024, 2, 512, 8192);
		pagus_pfn_t pfns[BLOCK];

		owners_take(o, 0, pfns, BLOCK);
		for (uint32_t k = 0; k < 100; k++)
			owners_free(o, 1, pfns[3 * k], 0);
		assert_int_equal(deferred(o), 100);
		assert_int_equal(owners_page(o, pfns[3]).kind, PAGUS_PAGE_DEFERRED);
		finds[n](o);
		assert_int_equal(deferred(o), 0);
		unit_check(&o->lab);
		owners_close(o);
	}
}

/* Some of its pages wait, the others are in use: all of them are isolated with the pageblock. */
static void defect_13_07_isolated_pages_stay_isolated(void **state)
{
	static const uint32_t waiting[] = { 0, 1, 256, 511, 512 };

	(void)state;
	for (size_t n = 0; n < NR_OF(waiting); n++) {
		struct owners *o = boot(8192, 2, 512, 8192);
		pagus_pfn_t pfns[BLOCK];

		owners_take(o, 0, pfns, BLOCK);
		owners_give(o, 1, pfns, waiting[n]);
		assert_int_equal(deferred(o), waiting[n]);
		unit_seed_block(&o->lab, pfns[0], PAGUS_ISOLATE);
		assert_int_equal(owners_page(o, pfns[0]).owner, 0);
		unit_check(&o->lab);
		owners_give(o, n % 2, pfns + waiting[n], BLOCK - waiting[n]);
		pagus_drain_all(&o->lab.p);
		assert_int_equal(pagus_free_blocks(&o->lab.p, 0, 9, PAGUS_ISOLATE), 1);
		assert_int_equal(unit_zone(&o->lab, 0).free_pages, 8192 - BLOCK);
		take_all(o, 0, pfns[0]);
		owners_close(o);
	}
}

/* The owner goes while pages wait for it, and others are yet to be freed. */
static void defect_13_09_nothing_is_kept_for_the_dead(void **state)
{
	struct owners *o = boot(8192, 2, 512, 8192);
	pagus_pfn_t pfns[2 * BLOCK];

	(void)state;
	owners_take(o, 0, pfns, NR_OF(pfns));
	owners_give(o, 1, pfns, BLOCK / 2);
	owners_on(o, 1);
	assert_int_equal(pagus_cpu_down(&o->lab.p, 0), PAGUS_OK);
	assert_int_equal(deferred(o), 0);
	for (uint32_t n = BLOCK / 2; n < NR_OF(pfns); n++) {
		owners_free(o, 1, pfns[n], 0);
		assert_int_equal(owners_page(o, pfns[n]).owner, 0);
		assert_int_equal(count_of(o, 0), 0);
	}
	expect_all_free(o, 8192);
	owners_close(o);
}

/* A page in use does not keep the rest of its pageblock with a CPU that is drained. */
static void defect_13_12_ownership_ends(void **state)
{
	struct owners *o = boot(8192, 2, 512, 8192);
	pagus_pfn_t pfns[BLOCK];

	(void)state;
	owners_take(o, 0, pfns, BLOCK);
	owners_give(o, 1, pfns + 1, BLOCK - 1);
	pagus_drain_cpu(&o->lab.p, 0);
	assert_int_equal(owners_page(o, pfns[0]).owner, 0);
	assert_int_equal(count_of(o, 0), 0);
	owners_free(o, 1, pfns[0], 0);
	assert_int_equal(count_of(o, 0), 0);
	expect_all_free(o, 8192);
	owners_close(o);
}

/* ---- 16: how pageblocks come and go ---------------------------------------------------------- */

static void check_16_05_degradation(void **state)
{
	struct owners *o = boot(1024, 2, 1, 4);
	pagus_pfn_t pfn;

	(void)state;
	/* No pcp may keep a pageblock. */
	assert_int_equal(take_all(o, 0, UINT64_MAX / 2), 1024);
	owners_close(o);
	/* Pcps off: none keeps anything. */
	o = boot(8192, 2, 63, 1024);
	assert_int_equal(pagus_zone_pcp_disable(&o->lab.p, 0), PAGUS_OK);
	pfn = owners_alloc(o, 0, GFP_USER_PAGE, 0);
	assert_int_equal(take_all(o, 0, UINT64_MAX / 2), 8191);
	owners_free(o, 1, pfn, 0);
	assert_int_equal(deferred(o), 0);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pageblock_own), 0);
	owners_close(o);
	/* Below its high mark. */
	o = boot(8192, 2, 512, 4096);
	pagus_step_set_flag(&o->lab.p, 0, PAGUS_STEP_BELOW_HIGH, true);
	for (uint32_t n = 0; n < 2000; n++)
		owners_alloc(o, 0, GFP_USER_PAGE, 0);
	assert_int_equal(take_all(o, 0, UINT64_MAX / 2), 8192 - 2000);
	owners_close(o);
}

/* A CPU with pieces of two pageblocks given back, and a pageblock in part free that nobody had. */
static void check_16_06_order_of_phases(void **state)
{
	struct owners *o = boot(8192, 2, 512, 8192);
	pagus_pfn_t mine[2 * BLOCK], other[BLOCK];
	uint64_t owns;

	(void)state;
	owners_take(o, 0, mine, NR_OF(mine));
	owners_take(o, 1, other, BLOCK);
	assert_true(mine[0] / BLOCK != mine[BLOCK] / BLOCK);
	for (uint32_t n = 0; n < BLOCK; n += 16) {
		owners_free(o, 0, mine[n], 0);
		owners_free(o, 0, mine[BLOCK + n], 0);
		owners_free(o, 1, other[n], 0);
	}
	pagus_drain_all(&o->lab.p);
	unit_limits(&o->lab, 0, 16, 8192, 8192);
	owns = owners_count(o, PAGUS_COUNTER_pageblock_own);
	/* First what it had, the last one given back first; */
	assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) / BLOCK == mine[0] / BLOCK ||
		    owners_page(o, mine[BLOCK]).owner == 1);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pcp_recover_pages), 32);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pageblock_own), owns + 1);
	for (uint32_t n = 1; n < 64; n++)
		assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) / BLOCK != other[0] / BLOCK);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pcp_recover_pages), 64);
	assert_int_equal(owners_page(o, other[0]).owner, 0);
	/* then what is in part free; */
	assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) / BLOCK == other[0] / BLOCK);
	assert_int_equal(owners_page(o, other[0]).owner, 1);
	for (uint32_t n = 1; n < 32; n++)
		owners_alloc(o, 0, GFP_USER_PAGE, 0);
	assert_int_equal(unit_zone(&o->lab, 0).free_pages + count_of(o, 0), 8192 - 3 * BLOCK);
	/* last a whole pageblock. */
	unit_limits(&o->lab, 0, 512, 8192, 8192);
	owners_alloc(o, 0, GFP_USER_PAGE, 0);
	assert_int_equal(count_of(o, 0) % BLOCK, BLOCK - 1);
	owners_close(o);
}

/* What a CPU had of one migratetype does not serve another's requests where others can. */
static void check_16_07_type_filter(void **state)
{
	struct owners *o = boot(8192, 1, 512, 8192);
	pagus_pfn_t pfns[BLOCK], kernel;

	(void)state;
	owners_take(o, 0, pfns, BLOCK);
	owners_give(o, 0, pfns, 64);
	pagus_drain_all(&o->lab.p);
	assert_int_equal(owners_page(o, pfns[0]).owner, 0);
	kernel = owners_alloc(o, 0, GFP_KERNEL, 0);
	assert_true(kernel / BLOCK != pfns[0] / BLOCK);
	assert_int_equal(owners_page(o, pfns[0]).owner, 0);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pcp_recover_pages), 0);
	assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) / BLOCK == pfns[0] / BLOCK);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pcp_recover_pages), 64);
	owners_close(o);
}

/* Each migratetype has pageblocks of its own, on one CPU and on several. */
static void check_16_07_types_are_apart(void **state)
{
	struct owners *o = boot(16384, 3, 512, 8192);

	(void)state;
	for (uint32_t n = 0; n < 3000; n++) {
		pagus_pfn_t pfn = owners_alloc(o, n / 3 % 3, unit_gfp(n % 3), n % 5 == 0 ? 1 : 0);
		const struct pagus_page_info page = owners_page(o, pfn);

		assert_int_equal(page.block_type, n % 3);
		assert_int_equal(page.request_type, n % 3);
		assert_int_equal(page.owner, 1 + n / 3 % 3);
	}
	owners_close(o);
}

/* Whoever frees a page of a pageblock: the owner has it, at once or when he looks. */
static void check_16_09_routing(void **state)
{
	struct owners *o = boot(16384, 8, 512, 8192);
	pagus_pfn_t pfns[BLOCK];

	(void)state;
	owners_take(o, 3, pfns, BLOCK);
	for (uint32_t n = 0; n < BLOCK; n++) {
		uint32_t cpu = n % 8;

		o->pcps_taken = n % 16 == 3;
		owners_free(o, cpu, pfns[n], 0);
		assert_int_equal(owners_page(o, pfns[n]).kind, cpu == 3 && !o->pcps_taken ?
				 PAGUS_PAGE_PCP_OWNED : PAGUS_PAGE_DEFERRED);
	}
	o->pcps_taken = false;
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pcp_free_remote), BLOCK * 15 / 16);
	owners_on(o, 3);
	pagus_tick(&o->lab.p);
	for (uint32_t cpu = 0; cpu < 8; cpu++)
		assert_int_equal(count_of(o, cpu), cpu == 3 ? BLOCK : 0);
	owners_close(o);
}

/* A drain takes whole pageblocks, those in part free only when no whole one is left. */
static void check_16_10_whole_pageblocks_leave_first(void **state)
{
	struct owners *o = boot(16384, 1, 63, 16384);
	pagus_pfn_t pfns[8 * BLOCK];

	(void)state;
	owners_take(o, 0, pfns, NR_OF(pfns));
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		if (n / BLOCK % 2 || n % 2)
			owners_free(o, 0, pfns[n], 0);
	/* Down to what is in part free: each free above the limit gives one pageblock. */
	unit_limits(&o->lab, 0, 63, 4 * BLOCK / 2, 4 * BLOCK / 2);
	owners_free(o, 0, pfns[0], 0);
	for (uint32_t n = 1; n < NR_OF(pfns); n += 2) {
		const struct pagus_page_info page = owners_page(o, pfns[n]);

		assert_true(page.owner == 1 || n / BLOCK % 2);
	}
	assert_true(owners_count(o, PAGUS_COUNTER_pageblock_disown) >= 3);
	for (uint32_t n = 2; n < NR_OF(pfns); n += 2)
		if (n / BLOCK % 2 == 0)
			owners_free(o, 0, pfns[n], 0);
	expect_all_free(o, 16384);
	owners_close(o);
}

/* One page stays in use: the rest is the zone's, remembered, and the first to be taken back. */
static void check_16_11_partial_drain(void **state)
{
	struct owners *o = boot(8192, 2, 512, 4096);
	pagus_pfn_t pfns[BLOCK];

	(void)state;
	owners_take(o, 0, pfns, BLOCK);
	owners_give(o, 0, pfns + 1, BLOCK - 1);
	pagus_drain_all(&o->lab.p);
	assert_int_equal(owners_page(o, pfns[0]).owner, 0);
	for (uint32_t order = 0; order < 9; order++) {
		pagus_pfn_t first = pfns[0] + (1u << order);

		unit_expect_list(&o->lab, 0, order, PAGUS_MOVABLE, &first, 1);
	}
	assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 3) == pfns[8]);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pcp_recover_pages), BLOCK - 1);
	assert_int_equal(owners_page(o, pfns[0]).owner, 1);
	assert_int_equal(count_of(o, 0), BLOCK - 9);
	owners_close(o);
}

/* A pageblock of the zone that becomes whole there is merged, and no CPU's. */
static void check_16_12_completion_in_the_zone(void **state)
{
	struct owners *o = boot(8192, 2, 512, 4096);
	pagus_pfn_t pfns[BLOCK], pfn;

	(void)state;
	owners_take(o, 0, pfns, BLOCK);
	owners_give(o, 0, pfns, BLOCK - 1);
	pagus_drain_all(&o->lab.p);
	assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], 7);
	owners_free(o, 1, pfns[BLOCK - 1], 0);
	assert_int_equal(owners_page(o, pfns[BLOCK - 1]).kind, PAGUS_PAGE_DEFERRED);
	assert_int_equal(count_of(o, 0) + count_of(o, 1), 0);
	/* The next free into the zone takes it in. */
	pfn = owners_alloc(o, 1, GFP_KERNEL, 10);
	owners_free(o, 1, pfn, 10);
	assert_int_equal(deferred(o), 0);
	assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], 8);
	owners_close(o);
}

/* ---- kswapd ---------------------------------------------------------------------------------- */

static uint32_t nr_wakes;

static void wake(void *ctx, enum pagus_worker worker, uint32_t node)
{
	(void)ctx;
	(void)worker;
	(void)node;
	nr_wakes++;
}

/*
 * One refill may take the zone from above its marks to far below, and what follows is served without
 * asking for them: kswapd is woken by then.
 */
static void a_refill_below_the_mark_wakes_kswapd(void **state)
{
	static const struct pagus_range memory = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&memory, 1, "pcpbuddy-bitmap");
	struct pagus_port port = pagus_sim_port;
	struct pagus_zone_info info;
	pagus_pfn_t pfn;
	struct lab lab;

	(void)state;
	port.wake = wake;
	nr_wakes = 0;
	unit_boot(&lab, &cfg);
	lab.p.port = &port;
	do {
		assert_int_equal(nr_wakes, 0);
		assert_int_equal(pagus_alloc_pages(&lab.p, GFP_USER_PAGE, 0, &pfn), PAGUS_OK);
		pagus_zone_info(&lab.p, 0, &info);
	} while (info.free_pages >= info.wmark[PAGUS_WMARK_LOW]);
	assert_true(nr_wakes > 0);
	assert_true(unit_pcp(&lab, 0, 0).count > 0);
	lab_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defect_13_06_no_memory_hides),
		cmocka_unit_test(defect_13_06_the_zone_s_share_is_bounded),
		cmocka_unit_test(defect_13_06_what_waits_is_found),
		cmocka_unit_test(defect_13_07_isolated_pages_stay_isolated),
		cmocka_unit_test(defect_13_09_nothing_is_kept_for_the_dead),
		cmocka_unit_test(defect_13_12_ownership_ends),
		cmocka_unit_test(check_16_05_degradation),
		cmocka_unit_test(check_16_06_order_of_phases),
		cmocka_unit_test(check_16_07_type_filter),
		cmocka_unit_test(check_16_07_types_are_apart),
		cmocka_unit_test(check_16_09_routing),
		cmocka_unit_test(check_16_10_whole_pageblocks_leave_first),
		cmocka_unit_test(check_16_11_partial_drain),
		cmocka_unit_test(check_16_12_completion_in_the_zone),
		cmocka_unit_test(a_refill_below_the_mark_wakes_kswapd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
