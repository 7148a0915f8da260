/* SPDX-License-Identifier: MIT */
/* The high-atomic reserve: what is set aside, for whom, how much, and how it comes back. */
#include <pagus/step.h>

#include "unit/unit.h"

#define BLOCK 512

static const struct pagus_range zone_2_gib = { 0, 524288, 0, PAGUS_ZONE_BY_CEILING };
static const struct pagus_range zone_64_mib = { 0, 16384, 0, PAGUS_ZONE_BY_CEILING };

/* A zone whose free pages lie between the min and the low mark: only the second walk serves. */
static void open_pressed(struct lab *lab, const struct pagus_range *range, const char *policy)
{
	const struct pagus_config cfg = lab_config(range, 1, policy);
	struct pagus_zone_seed seed = {
		.present = range->nr_pages, .managed = range->nr_pages, .pcp_batch = 1,
		.wmark = { 0, range->nr_pages, range->nr_pages, range->nr_pages },
	};

	unit_boot(lab, &cfg);
	assert_int_equal(pagus_seed_zone(&lab->p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
}

/* The same again, after pcp limits have been set. */
static void open_marks(struct lab *lab)
{
	const uint64_t wmark[PAGUS_NR_WMARKS] = { 0, 524288, 524288, 524288 };

	assert_int_equal(pagus_step_marks(&lab->p, 0, wmark, 0), PAGUS_OK);
}

static uint64_t reserved(const struct lab *lab)
{
	return unit_zone(lab, 0).reserved_highatomic_pages;
}

static void property_29_only_atomic_requests_of_higher_order_reserve(void **state)
{
	static const struct { uint32_t gfp, order; uint64_t reserved;
	} rows[] = {
		{ GFP_KERNEL, 1, 0 },	  { GFP_ATOMIC, 0, 0 },
		{ GFP_NOWAIT, 1, 0 },	  { GFP_ATOMIC | __GFP_NOMEMALLOC, 1, 0 },
		{ GFP_ATOMIC, 1, BLOCK }, { GFP_ATOMIC, 4, BLOCK },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct lab lab;
		pagus_pfn_t pfn;

		open_pressed(&lab, &zone_2_gib, "linux");
		pfn = unit_alloc(&lab, rows[n].gfp, rows[n].order);
		assert_int_equal(reserved(&lab), rows[n].reserved);
		if (rows[n].reserved)
			assert_int_equal(unit_block_type(&lab, pfn), PAGUS_HIGHATOMIC);
		unit_check(&lab);
		unit_close(&lab);
	}
}

static void property_29_a_request_served_at_the_low_mark_reserves_nothing(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_2_gib, 1, "linux");
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	unit_alloc(&lab, GFP_ATOMIC, 2);
	assert_int_equal(reserved(&lab), 0);
	unit_close(&lab);
}

/*
 * 1 % of 524288 pages is 5242: rounded up to pageblocks 5632, eleven of them; 6.1: until 5242 + 512
 * are passed.
 */
static void property_29_up_to_the_limit(void **state)
{
	static const struct { const char *policy; uint64_t limit; } rows[] = {
		{ "linux", 11 * BLOCK }, { "linux-6.1", 12 * BLOCK },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct lab lab;

		open_pressed(&lab, &zone_2_gib, rows[n].policy);
		/*
		 * Each takes a whole reserved pageblock's worth, so that the next comes from
		 * another one.
		 */
		for (uint32_t k = 0; k < 40; k++)
			unit_alloc(&lab, GFP_ATOMIC, 8);
		assert_int_equal(reserved(&lab), rows[n].limit);
		unit_check(&lab);
		unit_close(&lab);
	}
}

static void property_29_a_small_zone_reserves_nothing(void **state)
{
	struct lab lab;

	(void)state;
	/* 1 % of 16384 pages is less than a pageblock; 6.1 reserves all the same. */
	open_pressed(&lab, &zone_64_mib, "linux");
	unit_alloc(&lab, GFP_ATOMIC, 1);
	assert_int_equal(reserved(&lab), 0);
	unit_close(&lab);
	open_pressed(&lab, &zone_64_mib, "linux-6.1");
	unit_alloc(&lab, GFP_ATOMIC, 1);
	assert_int_equal(reserved(&lab), BLOCK);
	unit_close(&lab);
}

static void property_29_what_is_set_aside_serves_its_own_kind_first(void **state)
{
	struct lab lab;
	pagus_pfn_t first, second;

	(void)state;
	open_pressed(&lab, &zone_2_gib, "linux");
	first = unit_alloc(&lab, GFP_ATOMIC, 1);
	second = unit_alloc(&lab, GFP_KERNEL, 1);
	assert_true(first / BLOCK != second / BLOCK);
	second = unit_alloc(&lab, GFP_ATOMIC, 1);
	assert_int_equal(first / BLOCK, second / BLOCK);
	assert_int_equal(reserved(&lab), BLOCK);
	unit_close(&lab);
}

static void property_29_unreserve_gives_the_failing_requests_type(void **state)
{
	struct lab lab;
	pagus_pfn_t atomic;

	(void)state;
	open_pressed(&lab, &zone_2_gib, "nopcp");
	atomic = unit_alloc(&lab, GFP_ATOMIC, 1);
	for (uint32_t n = 0; n < 511; n++)
		unit_alloc(&lab, GFP_KERNEL, 10);
	/*
	 * What is left: the other pageblock of the block that the first request cut, and the
	 * reserve.
	 */
	unit_alloc(&lab, GFP_KERNEL, 9);
	assert_int_equal(unit_block_type(&lab, atomic), PAGUS_HIGHATOMIC);
	unit_no_memory(&lab, (GFP_USER_PAGE & ~__GFP_RECLAIM) | __GFP_NOMEMALLOC, 0);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0) / BLOCK, atomic / BLOCK);
	assert_int_equal(unit_block_type(&lab, atomic), PAGUS_MOVABLE);
	assert_int_equal(reserved(&lab), 0);
	unit_check(&lab);
	unit_close(&lab);
}

/* What is freed into the reserve is movable to the pcp, and the reserve's again when drained. */
static void property_29_freed_pages_go_by_way_of_the_movable_list(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_pressed(&lab, &zone_2_gib, "linux");
	unit_limits(&lab, 0, 4, 100, 100);
	open_marks(&lab);
	pfn = unit_alloc(&lab, GFP_ATOMIC, 2);
	assert_int_equal(unit_block_type(&lab, pfn), PAGUS_HIGHATOMIC);
	unit_free(&lab, pfn, 2);
	unit_expect_pcp(&lab, 2 * 3 + PAGUS_MOVABLE, PFNS(pfn));
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 2), pfn);
	unit_free(&lab, pfn, 2);
	pagus_drain_all(&lab.p);
	/* Whole again, with the rest of its pageblock. */
	unit_expect_list(&lab, 0, 9, PAGUS_HIGHATOMIC, PFNS(pfn & ~(pagus_pfn_t)(BLOCK - 1)));
	unit_close(&lab);
}

/*
 * The pageblock that comes back does not merge with its free buddy, and pagus_check knows. All
 * other memory is in use, so that a request of order 10 fails for want of a block.
 */
static void property_29_what_is_given_back_stays_apart(void **state)
{
	struct lab lab;
	pagus_pfn_t atomic;

	(void)state;
	open_pressed(&lab, &zone_2_gib, "nopcp");
	atomic = unit_alloc(&lab, GFP_ATOMIC, 1);
	assert_int_equal(atomic, 0);
	for (uint32_t n = 0; n < 511; n++)
		unit_alloc(&lab, GFP_KERNEL, 10);
	unit_free(&lab, atomic, 1);
	unit_expect_list(&lab, 0, 9, PAGUS_HIGHATOMIC, PFNS(0));
	unit_no_memory(&lab, GFP_USER_PAGE | __GFP_RETRY_MAYFAIL, 10);
	assert_int_equal(reserved(&lab), 0);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_pageblock_apart), 1);
	unit_expect_list(&lab, 0, 9, PAGUS_MOVABLE, PFNS(0));
	assert_int_equal(unit_zone(&lab, 0).nr_free[9], 2);
	assert_int_equal(unit_zone(&lab, 0).nr_free[10], 0);
	unit_close(&lab);
}

/* Node 1 has a few pages in the midst of node 0's first pageblock. */
static void open_interleaved(struct lab *lab, enum pagus_migratetype type)
{
	static const struct pagus_range ranges[] = {
		{ 0, 256, 0, PAGUS_ZONE_BY_CEILING }, { 256, 64, 1, PAGUS_ZONE_BY_CEILING },
		{ 320, 65536 - 320, 0, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	const struct pagus_zone_seed seed = {
		.present = 65472, .managed = 65472, .pcp_batch = 1,
		.wmark = { 0, 65472, 65472, 65472 },
	};

	unit_open(lab, &cfg);
	unit_seed_block(lab, 0, type);
	for (pagus_pfn_t pfn = 0; pfn < BLOCK; pfn += 64)
		assert_int_equal(pagus_boot_free(&lab->p, pfn, 64), PAGUS_OK);
	unit_seeded(lab);
	assert_int_equal(pagus_seed_zone(&lab->p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
}

static void property_29_a_shared_pageblock_is_neither_reserved_nor_given_back(void **state)
{
	struct lab lab;

	(void)state;
	open_interleaved(&lab, PAGUS_MOVABLE);
	assert_true(unit_alloc(&lab, GFP_ATOMIC | __GFP_THISNODE, 1) < BLOCK);
	assert_int_equal(reserved(&lab), 0);
	unit_close(&lab);
	open_interleaved(&lab, PAGUS_HIGHATOMIC);
	unit_no_memory(&lab, GFP_KERNEL | __GFP_THISNODE, 3);
	assert_int_equal(reserved(&lab), BLOCK);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_29_only_atomic_requests_of_higher_order_reserve),
		cmocka_unit_test(property_29_a_request_served_at_the_low_mark_reserves_nothing),
		cmocka_unit_test(property_29_up_to_the_limit),
		cmocka_unit_test(property_29_a_small_zone_reserves_nothing),
		cmocka_unit_test(property_29_what_is_set_aside_serves_its_own_kind_first),
		cmocka_unit_test(property_29_unreserve_gives_the_failing_requests_type),
		cmocka_unit_test(property_29_freed_pages_go_by_way_of_the_movable_list),
		cmocka_unit_test(property_29_what_is_given_back_stays_apart),
		cmocka_unit_test(property_29_a_shared_pageblock_is_neither_reserved_nor_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
