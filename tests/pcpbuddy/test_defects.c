/* SPDX-License-Identifier: MIT */
/*
 * Defects of the pcp buddy RFC and of the series that carry it, by their numbers in section 13 of
 * the specification: each test fails on what the defect does. Batch 512 makes the first refill
 * claim a pageblock.
 */
#include "pcpbuddy/owners.h"

/* The page whose free is interrupted. */
static pagus_pfn_t interrupted;

/* ---- reported -------------------------------------------------------------------------------- */

/* Records of owners were defined for one memory model only. Here: whatever the sections. */
static void defect_13_01_owners_under_any_memory_model(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 1024, 3072, 0, PAGUS_ZONE_BY_CEILING }, { 40960, 2048, 0, PAGUS_ZONE_BY_CEILING },
	};
	static const uint32_t sections[] = { 10, 15, 20 };

	for (size_t n = 0; n < NR_OF(sections); n++) {
		struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), *state);
		struct pagus_page_info info;
		struct lab lab;

		cfg.section_order = sections[n];
		unit_boot(&lab, &cfg);
		unit_limits(&lab, 0, 512, 4096, 4096);
		pagus_page_info(&lab.p, unit_alloc(&lab, GFP_USER_PAGE, 0), &info);
		assert_int_equal(info.owner, 1);
		unit_close(&lab);
	}
}

/*
 * A freer waited for the owner's pcp lock, whose holder could be interrupted by one that waits for
 * the freer.
 */
static void defect_13_02_frees_wait_for_no_pcp(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 4, 512, 1024);
	pagus_pfn_t pfns[2048];

	owners_take(o, 0, pfns, NR_OF(pfns));
	for (uint32_t n = 0; n < NR_OF(pfns); n++) {
		o->pcps_taken = n % 3 == 0;
		owners_free(o, n % 4, pfns[n], 0);
	}
	assert_int_equal(o->nr_pcp_waits, 0);
	owners_close(o);
}

/* The list of a dead CPU was emptied by its head alone. */
static void defect_13_03_a_dead_cpu_leaves_no_links(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 2, 512, 4096);
	pagus_pfn_t pfns[4 * BLOCK];

	owners_take(o, 1, pfns, NR_OF(pfns));
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		if (n % BLOCK)
			owners_free(o, 0, pfns[n], 0);
	owners_on(o, 0);
	assert_int_equal(pagus_cpu_down(&o->lab.p, 1), PAGUS_OK);
	unit_check(&o->lab);
	for (uint32_t n = 0; n < NR_OF(pfns); n += BLOCK) {
		assert_int_equal(owners_page(o, pfns[n]).owner, 0);
		owners_free(o, 0, pfns[n], 0);
	}
	pagus_drain_all(&o->lab.p);
	assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], 8);
	assert_int_equal(pagus_cpu_up(&o->lab.p, 1), PAGUS_OK);
	unit_limits(&o->lab, 0, 512, 4096, 4096);
	assert_int_equal(owners_page(o, owners_alloc(o, 1, GFP_USER_PAGE, 0)).owner, 2);
	owners_close(o);
}

/* To tell about a page asked for its pageblock, which told about the page. */
static void defect_13_04_any_pfn_can_be_asked_about(void **state)
{
	static const pagus_pfn_t outside[] = { 0, 1023, 4096, 40959, 43008, UINT64_MAX };
	static const struct pagus_range ranges[] = {
		{ 1024, 3072, 0, PAGUS_ZONE_BY_CEILING }, { 40960, 2048, 0, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), *state);
	struct pagus_page_info info;
	struct lab lab;

	unit_boot(&lab, &cfg);
	for (size_t n = 0; n < NR_OF(outside); n++)
		assert_true(pagus_page_info(&lab.p, outside[n], &info) == PAGUS_BAD_RANGE ||
			    (info.kind == PAGUS_PAGE_HOLE && info.owner == 0));
	unit_close(&lab);
}

/* Between the slices of a drain locks and pins got out of step. The port asserts each. */
static void defect_13_05_locks_and_pins_are_balanced(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 2, 4, 1024);
	pagus_pfn_t pfns[4096];

	for (uint32_t fail_at = 0; fail_at < 40; fail_at++) {
		owners_take(o, 0, pfns, NR_OF(pfns));
		o->lab.sim.trylock_fail_at = fail_at;
		owners_give(o, fail_at % 2, pfns, NR_OF(pfns));
		assert_int_equal(o->lab.sim.pins, 0);
		for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++)
			assert_false(o->lab.sim.hold[cls].held);
	}
	owners_close(o);
}

/* ---- found by reading ------------------------------------------------------------------------ */

/* What others freed to a CPU that sleeps was in no count, and no drain looked for it. */
static void defect_13_06_no_memory_hides(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 8192, 2, 512, 8192);
	pagus_pfn_t pfns[4096], pfn;
	uint32_t nr = 0;

	(void)state;
	owners_take(o, 0, pfns, NR_OF(pfns));
	owners_on(o, 0);
	pagus_drain_cpu(&o->lab.p, 0);
	o->pcps_taken = true;
	for (uint32_t n = 0; n < NR_OF(pfns); n++) {
		owners_free(o, 1, pfns[n], 0);
		assert_true(unit_pcp(&o->lab, 0, 0).remote_pages <= BLOCK);
		assert_int_equal(unit_zone(&o->lab, 0).deferred_pages,
				 unit_pcp(&o->lab, 0, 0).remote_pages);
	}
	o->pcps_taken = false;
	assert_int_equal(unit_pcp(&o->lab, 0, 0).remote_pages, BLOCK);
	assert_int_equal(unit_pcp(&o->lab, 0, 0).count, 0);
	pagus_drain_all(&o->lab.p);
	assert_int_equal(unit_pcp(&o->lab, 0, 0).remote_pages, 0);
	owners_on(o, 1);
	while (pagus_alloc_pages(&o->lab.p, GFP_USER_PAGE, 0, &pfn) == PAGUS_OK)
		nr++;
	assert_true(nr >= 8192 * 9 / 10);
	owners_close(o);
}

/* The owner's own tick is the bound in time. */
static void defect_13_06_the_tick_empties_the_queue(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 8192, 2, 512, 8192);
	pagus_pfn_t pfns[100];

	(void)state;
	owners_take(o, 0, pfns, NR_OF(pfns));
	o->pcps_taken = true;
	owners_give(o, 1, pfns, NR_OF(pfns));
	o->pcps_taken = false;
	assert_int_equal(unit_pcp(&o->lab, 0, 0).remote_pages, NR_OF(pfns));
	owners_on(o, 0);
	pagus_tick(&o->lab.p);
	assert_int_equal(unit_pcp(&o->lab, 0, 0).remote_pages, 0);
	owners_close(o);
}

/* Pages of an isolated pageblock came out of the queue as movable ones. */
static void defect_13_07_isolated_pages_stay_isolated(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 8192, 2, 512, 8192);
	pagus_pfn_t pfns[BLOCK], start, pfn;

	(void)state;
	owners_take(o, 0, pfns, NR_OF(pfns));
	start = pfns[0] & ~(pagus_pfn_t)(BLOCK - 1);
	o->pcps_taken = true;
	owners_give(o, 1, pfns, BLOCK / 2);
	assert_int_equal(unit_pcp(&o->lab, 0, 0).remote_pages, BLOCK / 2);
	assert_int_equal(pagus_seed_block(&o->lab.p, start, PAGUS_ISOLATE), PAGUS_OK);
	owners_give(o, 1, pfns + BLOCK / 2, BLOCK / 2);
	o->pcps_taken = false;
	pagus_drain_all(&o->lab.p);
	assert_int_equal(pagus_free_blocks(&o->lab.p, 0, 9, PAGUS_ISOLATE), 1);
	assert_int_equal(owners_page(o, start).owner, 0);
	owners_on(o, 0);
	while (pagus_alloc_pages(&o->lab.p, GFP_USER_PAGE, 0, &pfn) == PAGUS_OK)
		assert_true(pfn < start || pfn >= start + BLOCK);
	owners_close(o);
}

/* The freer has looked at the migratetype, and then the pageblock is isolated. */
static void isolate_meanwhile(struct owners *o, enum pagus_lock_class cls)
{
	if (cls != PAGUS_LOCK_PCP)
		return;
	o->at_lock = NULL;
	assert_int_equal(pagus_seed_block(&o->lab.p, interrupted, PAGUS_ISOLATE), PAGUS_OK);
}

static void defect_13_07_a_late_push_stays_isolated(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 8192, 2, 512, 8192);
	pagus_pfn_t pfns[BLOCK], pfn;

	(void)state;
	owners_take(o, 0, pfns, NR_OF(pfns));
	interrupted = pfns[7];
	o->pcps_taken = true;
	o->at_lock = isolate_meanwhile;
	owners_free(o, 1, interrupted, 0);
	o->pcps_taken = false;
	assert_int_equal(unit_pcp(&o->lab, 0, 0).remote_pages, 1);
	owners_on(o, 0);
	while (pagus_alloc_pages(&o->lab.p, GFP_USER_PAGE, 0, &pfn) == PAGUS_OK)
		assert_true(pfn != interrupted);
	assert_int_equal(pagus_free_blocks(&o->lab.p, 0, 0, PAGUS_ISOLATE), 1);
	owners_close(o);
}

static void defect_13_08_disabled_pcps_take_nothing(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 2, 512, 8192);
	pagus_pfn_t pfns[BLOCK];

	owners_take(o, 0, pfns, NR_OF(pfns));
	assert_int_equal(pagus_zone_pcp_disable(&o->lab.p, 0), PAGUS_OK);
	for (uint32_t n = 0; n < NR_OF(pfns); n++) {
		o->pcps_taken = n % 2;
		owners_free(o, 1, pfns[n], 0);
		assert_int_equal(unit_zone(&o->lab, 0).pcp_pages, 0);
		assert_int_equal(unit_zone(&o->lab, 0).deferred_pages, 0);
	}
	assert_int_equal(unit_zone(&o->lab, 0).free_pages, 8192);
	o->pcps_taken = false;
	assert_int_equal(pagus_zone_pcp_enable(&o->lab.p, 0), PAGUS_OK);
	assert_int_equal(owners_page(o, owners_alloc(o, 0, GFP_USER_PAGE, 0)).owner, 1);
	owners_close(o);
}

/* The owner goes down when the freer has decided for its queue and not yet pushed. */
static void take_owner_down(struct owners *o, enum pagus_lock_class cls)
{
	if (cls != PAGUS_LOCK_PCP)
		return;
	o->at_lock = NULL;
	assert_int_equal(pagus_cpu_down(&o->lab.p, 0), PAGUS_OK);
}

static void defect_13_09_nothing_is_pushed_to_the_dead(void **state)
{
	(void)state;
	for (uint32_t taken = 0; taken < 2; taken++) {
		struct owners *o = owners_boot("pcpbuddy", 8192, 2, 512, 8192);
		pagus_pfn_t pfn = owners_alloc(o, 0, GFP_USER_PAGE, 0);

		o->pcps_taken = taken;
		o->at_lock = take_owner_down;
		owners_free(o, 1, pfn, 0);
		assert_int_equal(unit_pcp(&o->lab, 0, 0).count, 0);
		assert_int_equal(unit_pcp(&o->lab, 0, 0).remote_pages, 0);
		assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], 8);
		owners_close(o);
	}
}

/* A drain of 63 pages let 512 go, counted them as 63, and went on. */
static void defect_13_10_a_drain_counts_what_left(void **state)
{
	static const uint32_t wanted[] = { 1, 63, 512, 513, 2016 };
	struct owners *o = owners_boot(*state, 32768, 2, 63, 16384);
	pagus_pfn_t pfns[8 * BLOCK];

	for (size_t n = 0; n < NR_OF(wanted); n++) {
		uint32_t before, released;
		uint64_t merges;

		owners_take(o, 0, pfns, NR_OF(pfns));
		owners_give(o, 1, pfns, NR_OF(pfns));
		before = unit_pcp(&o->lab, 0, 0).count + unit_pcp(&o->lab, 0, 1).count;
		unit_limits(&o->lab, 0, 63, before - wanted[n], before - wanted[n]);
		merges = owners_count(o, PAGUS_COUNTER_pcp_merge);
		owners_free(o, 1, owners_alloc(o, 0, GFP_USER_PAGE, 0), 0);
		released = before - unit_pcp(&o->lab, 0, 0).count - unit_pcp(&o->lab, 0, 1).count;
		assert_true(released <= wanted[n] + 63 + BLOCK);
		assert_true(owners_count(o, PAGUS_COUNTER_pcp_merge) - merges <= released);
		unit_limits(&o->lab, 0, 63, 16384, 16384);
		pagus_drain_all(&o->lab.p);
	}
	owners_close(o);
}

/* A refill that brought only pieces smaller than the request counted as done. */
static void defect_13_11_small_pieces_do_not_end_a_refill(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 1, 512, 8192);
	pagus_pfn_t pfns[BLOCK];
	uint64_t locks;

	owners_take(o, 0, pfns, BLOCK);
	for (uint32_t n = 0; n < BLOCK; n += 2)
		owners_free(o, 0, pfns[n], 0);
	pagus_drain_all(&o->lab.p);
	unit_limits(&o->lab, 0, 16, 8192, 8192);
	locks = owners_zone_locks(o);
	owners_alloc(o, 0, GFP_USER_PAGE, 4);
	assert_true(owners_count(o, PAGUS_COUNTER_pcp_recover_pages) > 0);
	assert_int_equal(owners_zone_locks(o) - locks, 1);
	owners_close(o);
}

/* Pageblocks that had become CMA or HIGHATOMIC were never taken off the owner's list. */
static void defect_13_11_special_pageblocks_are_not_owned(void **state)
{
	static const enum pagus_migratetype types[] = { PAGUS_HIGHATOMIC, PAGUS_CMA, PAGUS_ISOLATE };

	for (size_t n = 0; n < NR_OF(types); n++) {
		struct owners *o = owners_boot(*state, 8192, 2, 512, 8192);
		pagus_pfn_t pfns[BLOCK];

		owners_take(o, 0, pfns, BLOCK);
		owners_give(o, 1, pfns, BLOCK - 1);
		assert_int_equal(owners_page(o, pfns[0]).owner, 1);
		assert_int_equal(pagus_seed_block(&o->lab.p, pfns[0], types[n]), PAGUS_OK);
		assert_int_equal(owners_page(o, pfns[0]).owner, 0);
		unit_check(&o->lab);
		owners_free(o, 1, pfns[BLOCK - 1], 0);
		pagus_drain_all(&o->lab.p);
		assert_int_equal(pagus_free_blocks(&o->lab.p, 0, 9, types[n]), 1);
		owners_close(o);
	}
}

/* One page in use kept its pageblock owned for ever. */
static void defect_13_12_ownership_ends(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 8192, 2, 512, 8192);
	pagus_pfn_t pfns[BLOCK];
	uint32_t ticks = 0;

	(void)state;
	owners_take(o, 0, pfns, BLOCK);
	owners_give(o, 1, pfns + 2, BLOCK - 2);
	owners_on(o, 0);
	pagus_drain_cpu(&o->lab.p, 0);
	for (; owners_page(o, pfns[0]).owner && ticks < 100; ticks++)
		pagus_tick(&o->lab.p);
	assert_true(ticks < 10);
	owners_free(o, 1, pfns[0], 0);
	assert_int_equal(unit_pcp(&o->lab, 0, 1).count, 1);
	assert_int_equal(unit_pcp(&o->lab, 0, 0).count, 0);
	owners_free(o, 1, pfns[1], 0);
	pagus_drain_all(&o->lab.p);
	assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], 8);
	owners_close(o);
}

/* Frees that find the owner's lock taken went to the zone's: the contention had only moved. */
static void defect_13_13_a_taken_pcp_does_not_mean_the_zone(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 4, 512, 8192);
	uint64_t locks;
	pagus_pfn_t pfns[BLOCK];

	owners_take(o, 0, pfns, BLOCK);
	locks = owners_zone_locks(o);
	for (uint32_t n = 0; n < BLOCK; n++) {
		o->pcps_taken = n % 2;
		owners_free(o, 1 + n % 3, pfns[n], 0);
	}
	o->pcps_taken = false;
	owners_take(o, 0, pfns, BLOCK);
	assert_int_equal(owners_zone_locks(o), locks);
	owners_close(o);
}

/*
 * The CPU was looked up, the task moved, another CPU's lock was given back. Here all is pinned:
 * owners.h asserts it.
 */
static void defect_13_14_every_lock_is_taken_pinned(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 3, 63, 512);
	pagus_pfn_t pfns[2000];

	for (uint32_t round = 0; round < 3; round++) {
		owners_take(o, round, pfns, NR_OF(pfns));
		owners_give(o, (round + 1) % 3, pfns, NR_OF(pfns));
		pagus_tick(&o->lab.p);
		assert_int_equal(o->lab.sim.pins, 0);
	}
	owners_close(o);
}

/* Frees by others made the owner's refills smaller, and claims rarer. */
static void defect_13_15_frees_by_others_teach_the_owner_nothing(void **state)
{
	struct owners *o = owners_boot(*state, 32768, 2, 63, 8192);
	struct pagus_pcp_info before, after;
	pagus_pfn_t pfns[4096];

	owners_take(o, 0, pfns, NR_OF(pfns));
	before = unit_pcp(&o->lab, 0, 0);
	assert_true(before.alloc_factor > 1);
	owners_give(o, 1, pfns, NR_OF(pfns));
	after = unit_pcp(&o->lab, 0, 0);
	assert_true(owners_count(o, PAGUS_COUNTER_pcp_free_remote) > 2000);
	assert_int_equal(after.alloc_factor, before.alloc_factor);
	assert_int_equal(after.free_count, before.free_count);
	owners_close(o);
}

/* Without SMP frees went to a pcp from which nothing was allocated. */
static void defect_13_16_one_cpu_allocates_what_it_freed(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 1, 63, 1024);
	pagus_pfn_t pfn = owners_alloc(o, 0, GFP_USER_PAGE, 0);
	uint64_t locks = owners_zone_locks(o);

	owners_free(o, 0, pfn, 0);
	assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) == pfn);
	assert_int_equal(owners_zone_locks(o), locks);
	owners_close(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OWNERS_BOTH(defect_13_01_owners_under_any_memory_model),
		OWNERS_BOTH(defect_13_02_frees_wait_for_no_pcp),
		OWNERS_BOTH(defect_13_03_a_dead_cpu_leaves_no_links),
		OWNERS_BOTH(defect_13_04_any_pfn_can_be_asked_about),
		OWNERS_BOTH(defect_13_05_locks_and_pins_are_balanced),
		cmocka_unit_test(defect_13_06_no_memory_hides),
		cmocka_unit_test(defect_13_06_the_tick_empties_the_queue),
		cmocka_unit_test(defect_13_07_isolated_pages_stay_isolated),
		cmocka_unit_test(defect_13_07_a_late_push_stays_isolated),
		OWNERS_BOTH(defect_13_08_disabled_pcps_take_nothing),
		cmocka_unit_test(defect_13_09_nothing_is_pushed_to_the_dead),
		OWNERS_BOTH(defect_13_10_a_drain_counts_what_left),
		OWNERS_BOTH(defect_13_11_small_pieces_do_not_end_a_refill),
		OWNERS_BOTH(defect_13_11_special_pageblocks_are_not_owned),
		cmocka_unit_test(defect_13_12_ownership_ends),
		OWNERS_BOTH(defect_13_13_a_taken_pcp_does_not_mean_the_zone),
		OWNERS_BOTH(defect_13_14_every_lock_is_taken_pinned),
		OWNERS_BOTH(defect_13_15_frees_by_others_teach_the_owner_nothing),
		OWNERS_BOTH(defect_13_16_one_cpu_allocates_what_it_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
