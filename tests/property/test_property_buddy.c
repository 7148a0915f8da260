/* SPDX-License-Identifier: MIT */
/* Splitting and merging. */
#include <pagus/step.h>

#include "unit/unit.h"

#define ZONE_PAGES 4096

static const struct pagus_range zone_4096 = { 0, 4096, 0, PAGUS_ZONE_BY_CEILING };

static void property_01_split_keeps_the_lowest(void **state)
{
	(void)state;
	for (uint32_t high = 0; high <= 10; high++) {
		for (uint32_t low = 0; low <= high; low++) {
			const pagus_pfn_t base = UINT64_C(1) << high;
			const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
			struct lab lab;

			unit_open(&lab, &cfg);
			lab_no_marks(&lab);
			assert_int_equal(pagus_boot_free(&lab.p, base, base), PAGUS_OK);
			assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
			assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, low), base);
			for (uint32_t order = 0; order <= 10; order++) {
				const pagus_pfn_t upper = base + (UINT64_C(1) << order);
				uint32_t nr = order >= low && order < high;

				unit_expect_list(&lab, 0, order, PAGUS_MOVABLE, &upper, nr);
			}
			assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_split), high - low);
			unit_close(&lab);
		}
	}
}

static void property_01_later_allocations_ascend(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	lab_no_marks(&lab);
	assert_int_equal(pagus_boot_free(&lab.p, 1024, 1024), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	for (uint32_t n = 0; n < 1024; n++)
		assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 1024 + n);
	unit_no_memory(&lab, GFP_USER_PAGE, 0);
	unit_close(&lab);
}

static void property_02_halves_freed_in_any_order_restore_the_parent(void **state)
{
	(void)state;
	for (uint32_t order = 0; order < 10; order++) {
		for (uint32_t upper_first = 0; upper_first < 2; upper_first++) {
			const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
			const pagus_pfn_t half = UINT64_C(1) << order, base = 2 * half;
			struct lab lab;

			unit_open(&lab, &cfg);
			unit_inherit(&lab, base, 2 * half, PAGUS_MOVABLE);
			unit_seeded(&lab);
			unit_free(&lab, upper_first ? base + half : base, order);
			assert_int_equal(unit_zone(&lab, 0).nr_free[order], 1);
			unit_free(&lab, upper_first ? base : base + half, order);
			assert_int_equal(unit_zone(&lab, 0).nr_free[order], 0);
			unit_expect_list(&lab, 0, order + 1, PAGUS_MOVABLE, PFNS(base));
			unit_close(&lab);
		}
	}
}

static void property_02_pages_are_conserved(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	pagus_pfn_t pfn[64];
	uint64_t digest, held = 0;
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	digest = pagus_digest(&lab.p);
	for (uint32_t n = 0; n < NR_OF(pfn); n++) {
		struct pagus_zone_info info;
		uint64_t listed = 0;

		pfn[n] = unit_alloc(&lab, GFP_USER_PAGE, n % 6);
		held += UINT64_C(1) << n % 6;
		info = unit_zone(&lab, 0);
		for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++)
			listed += info.nr_free[order] << order;
		assert_int_equal(listed, info.free_pages);
		assert_int_equal(listed + held, info.managed);
	}
	for (uint32_t n = 0; n < NR_OF(pfn); n++)
		unit_free(&lab, pfn[n], n % 6);
	assert_int_equal(unit_zone(&lab, 0).free_pages, 4096);
	assert_int_equal(unit_zone(&lab, 0).nr_free[10], 4);
	/* Only the first block was cut; whole again, it is back at the head of its list. */
	assert_true(pagus_digest(&lab.p) == digest);
	unit_close(&lab);
}

static void property_03_no_merge_across_a_zone_border(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 4, 0, PAGUS_ZONE_NORMAL }, { 4, 4, 0, PAGUS_ZONE_MOVABLE },
	};
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_inherit(&lab, 0, 8, PAGUS_MOVABLE);
	unit_seeded(&lab);
	assert_int_equal(pagus_free_pages(&lab.p, 0, 3), PAGUS_WRONG_ORDER);
	unit_free(&lab, 0, 2);
	unit_free(&lab, 4, 2);
	unit_expect_list(&lab, 0, 2, PAGUS_MOVABLE, PFNS(0));
	unit_expect_list(&lab, 1, 2, PAGUS_MOVABLE, PFNS(4));
	unit_close(&lab);
}

static void property_03_no_merge_above_the_largest_order(void **state)
{
	for (uint32_t max_order = 1; max_order <= 10; max_order++) {
		struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
		const pagus_pfn_t size = UINT64_C(1) << max_order;
		struct lab lab;

		cfg.max_order = max_order;
		cfg.pageblock_order = max_order > 1 ? max_order - 1 : 1;
		unit_open(&lab, &cfg);
		unit_inherit(&lab, 0, 2 * size, PAGUS_MOVABLE);
		unit_seeded(&lab);
		unit_free(&lab, 0, max_order);
		unit_free(&lab, size, max_order);
		unit_expect_list(&lab, 0, max_order, PAGUS_MOVABLE, PFNS(size, 0));
		unit_close(&lab);
	}
	(void)state;
}

static void property_03_no_merge_with_a_buddy_of_another_order(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_inherit(&lab, 0, 8, PAGUS_MOVABLE);
	unit_seeded(&lab);
	unit_free(&lab, 0, 0);
	unit_free(&lab, 2, 1); /* its buddy 0 is free with order 0: page 1 is in use */
	unit_expect_list(&lab, 0, 0, PAGUS_MOVABLE, PFNS(0));
	unit_expect_list(&lab, 0, 1, PAGUS_MOVABLE, PFNS(2));
	unit_free(&lab, 1, 0);
	unit_expect_list(&lab, 0, 2, PAGUS_MOVABLE, PFNS(0));
	unit_close(&lab);
}

/* Two pageblocks of 4 pages with the types given; the first is freed, then the second. */
static void check_merge_of_types(enum pagus_migratetype first, enum pagus_migratetype second)
{
	struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	bool merge = first == second || (first < PAGUS_HIGHATOMIC && second < PAGUS_HIGHATOMIC);
	struct lab lab;

	cfg.max_order = 3;
	cfg.pageblock_order = 2;
	unit_open(&lab, &cfg);
	unit_seed_block(&lab, 0, first);
	unit_seed_block(&lab, 4, second);
	unit_inherit(&lab, 0, 8, PAGUS_MOVABLE);
	unit_seeded(&lab);
	unit_free(&lab, 0, 2);
	unit_free(&lab, 4, 2);
	if (merge) {
		unit_expect_list(&lab, 0, 3, second, PFNS(0));
		assert_int_equal(unit_block_type(&lab, 0), second);
	} else {
		unit_expect_list(&lab, 0, 2, first, PFNS(0));
		unit_expect_list(&lab, 0, 2, second, PFNS(4));
		assert_int_equal(unit_block_type(&lab, 0), first);
	}
	assert_int_equal(unit_block_type(&lab, 4), second);
	unit_close(&lab);
}

static void property_04_types_that_merge_above_the_pageblock(void **state)
{
	(void)state;
	for (int first = 0; first < PAGUS_NR_MIGRATETYPES; first++)
		for (int second = 0; second < PAGUS_NR_MIGRATETYPES; second++)
			check_merge_of_types((enum pagus_migratetype)first,
					     (enum pagus_migratetype)second);
}

/* Four pageblocks: the last one freed retypes the merged halves, both pageblocks of the first. */
static void property_04_all_pageblocks_of_the_buddy_are_retyped(void **state)
{
	struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	struct lab lab;

	(void)state;
	cfg.max_order = 4;
	cfg.pageblock_order = 2;
	unit_open(&lab, &cfg);
	unit_seed_block(&lab, 12, PAGUS_RECLAIMABLE);
	unit_inherit(&lab, 0, 16, PAGUS_MOVABLE);
	unit_seeded(&lab);
	for (pagus_pfn_t pfn = 0; pfn < 16; pfn += 4)
		unit_free(&lab, pfn, 2);
	unit_expect_list(&lab, 0, 4, PAGUS_RECLAIMABLE, PFNS(0));
	for (pagus_pfn_t pfn = 0; pfn < 16; pfn += 4)
		assert_int_equal(unit_block_type(&lab, pfn), PAGUS_RECLAIMABLE);
	unit_close(&lab);
}

/* A block above the pageblock is freed in pageblocks, each under its own type. */
static void property_04_a_large_block_is_freed_under_each_pageblocks_type(void **state)
{
	struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	struct lab lab;

	(void)state;
	cfg.max_order = 4;
	cfg.pageblock_order = 2;
	unit_open(&lab, &cfg);
	unit_seed_block(&lab, 4, PAGUS_CMA);
	unit_inherit(&lab, 0, 16, PAGUS_MOVABLE);
	unit_seeded(&lab);
	unit_free(&lab, 0, 4);
	unit_expect_list(&lab, 0, 2, PAGUS_MOVABLE, PFNS(0));
	unit_expect_list(&lab, 0, 2, PAGUS_CMA, PFNS(4));
	unit_expect_list(&lab, 0, 3, PAGUS_MOVABLE, PFNS(8));
	assert_int_equal(unit_zone(&lab, 0).free_cma_pages, 4);
	unit_close(&lab);
}

enum neighbour { IN_USE, SMALLER_BLOCKS, SAME_ORDER };

/*
 * Block 1024 of `order` is freed behind an older block of its order; its buddy stays in use, and
 * the parent's buddy, 2^(order+1) pages on, is as given.
 */
static void check_merge_likely(uint32_t order, enum neighbour neighbour)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	const pagus_pfn_t older = 0, pfn = 1024, parent_buddy = pfn + (UINT64_C(2) << order);
	struct lab lab;

	unit_open(&lab, &cfg);
	unit_inherit(&lab, 0, 4096, PAGUS_MOVABLE);
	unit_seeded(&lab);
	unit_free(&lab, older, order);
	if (neighbour == SAME_ORDER)
		unit_free(&lab, parent_buddy, order + 1);
	else if (neighbour == SMALLER_BLOCKS)
		unit_free(&lab, parent_buddy, order);
	unit_free(&lab, pfn, order);
	if (neighbour == SMALLER_BLOCKS)
		unit_expect_list(&lab, 0, order, PAGUS_MOVABLE, PFNS(pfn, parent_buddy, older));
	else if (neighbour == SAME_ORDER && order < 9)
		unit_expect_list(&lab, 0, order, PAGUS_MOVABLE, PFNS(older, pfn));
	else
		unit_expect_list(&lab, 0, order, PAGUS_MOVABLE, PFNS(pfn, older));
	unit_close(&lab);
}

static void property_05_merge_likely(void **state)
{
	(void)state;
	for (uint32_t order = 0; order < 10; order++) {
		check_merge_likely(order, IN_USE);
		check_merge_likely(order, SMALLER_BLOCKS);
		check_merge_likely(order, SAME_ORDER);
	}
}

/* [start, end) cut greedily; every list must hold just its pieces, ascending. */
static void expect_greedy(const struct lab *lab, uint32_t max_order, uint64_t start, uint64_t end)
{
	pagus_pfn_t want[PAGUS_NR_ORDERS][8 + ZONE_PAGES / 2];
	uint32_t nr[PAGUS_NR_ORDERS] = { 0 };

	while (start < end) {
		uint32_t order = 0;

		while (order < max_order && start % (UINT64_C(2) << order) == 0 &&
		       start + (UINT64_C(2) << order) <= end)
			order++;
		want[order][nr[order]++] = start;
		start += UINT64_C(1) << order;
	}
	for (uint32_t order = 0; order <= max_order; order++) {
		static pagus_pfn_t got[ZONE_PAGES];
		uint64_t nr_got = pagus_free_list(&lab->p, 0, order, PAGUS_MOVABLE, got,
						  ZONE_PAGES);

		unit_expect_pfns(got, nr_got, want[order], nr[order]);
	}
}

static void property_07_boot_cuts_greedily_and_ascending(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (uint32_t round = 0; round < 200; round++) {
		struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
		uint64_t start = lab_random(&seed, ZONE_PAGES);
		uint64_t end = start + 1 + lab_random(&seed, ZONE_PAGES - start);
		struct lab lab;

		cfg.max_order = 1 + (uint32_t)lab_random(&seed, 10);
		cfg.pageblock_order = 1 + (uint32_t)lab_random(&seed, cfg.max_order);
		unit_open(&lab, &cfg);
		assert_int_equal(pagus_boot_free(&lab.p, start, end - start), PAGUS_OK);
		expect_greedy(&lab, cfg.max_order, start, end);
		assert_int_equal(unit_zone(&lab, 0).managed, end - start);
		assert_int_equal(unit_zone(&lab, 0).free_pages, end - start);
		unit_close(&lab);
	}
}

static void property_06_boot_frees_to_the_tail(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_boot_free(&lab.p, 1024, 4), PAGUS_OK);
	assert_int_equal(pagus_boot_free(&lab.p, 512, 4), PAGUS_OK);
	assert_int_equal(pagus_boot_free(&lab.p, 2048, 4), PAGUS_OK);
	unit_expect_list(&lab, 0, 2, PAGUS_MOVABLE, PFNS(1024, 512, 2048));
	unit_close(&lab);
}

static void property_03_boot_cuts_at_a_zone_border(void **state)
{
	struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	struct lab lab;

	(void)state;
	cfg.dma_ceiling = 12;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_boot_free(&lab.p, 0, 32), PAGUS_OK);
	unit_expect_list(&lab, 0, 3, PAGUS_MOVABLE, PFNS(0));
	unit_expect_list(&lab, 0, 2, PAGUS_MOVABLE, PFNS(8));
	unit_expect_list(&lab, 1, 2, PAGUS_MOVABLE, PFNS(12));
	unit_expect_list(&lab, 1, 4, PAGUS_MOVABLE, PFNS(16));
	unit_close(&lab);
}

/* Blocks freed to the tail are behind all that were there, wherever they lie. */
static void property_06_a_free_to_the_tail_is_allocated_last(void **state)
{
	(void)state;
	for (uint32_t order = 0; order <= 10; order++) {
		const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
		const pagus_pfn_t size = UINT64_C(1) << order;
		/* No two of these are buddies; between them memory is in use. */
		const pagus_pfn_t at[] = {
			2 * size, order < 10 ? 0 : size, order < 10 ? 4 * size : 0,
		};
		struct lab lab;

		unit_open(&lab, &cfg);
		unit_inherit(&lab, 0, 4096, PAGUS_MOVABLE);
		unit_seeded(&lab);
		unit_free(&lab, at[0], order);
		unit_free(&lab, at[1], order);
		assert_int_equal(pagus_step_free(&lab.p, at[2], order, true), PAGUS_OK);
		unit_expect_list(&lab, 0, order, PAGUS_MOVABLE, PFNS(at[1], at[0], at[2]));
		assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, order), at[1]);
		assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, order), at[0]);
		assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, order), at[2]);
		unit_close(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_01_split_keeps_the_lowest),
		cmocka_unit_test(property_01_later_allocations_ascend),
		cmocka_unit_test(property_02_halves_freed_in_any_order_restore_the_parent),
		cmocka_unit_test(property_02_pages_are_conserved),
		cmocka_unit_test(property_03_no_merge_across_a_zone_border),
		cmocka_unit_test(property_03_no_merge_above_the_largest_order),
		cmocka_unit_test(property_03_no_merge_with_a_buddy_of_another_order),
		cmocka_unit_test(property_04_types_that_merge_above_the_pageblock),
		cmocka_unit_test(property_04_all_pageblocks_of_the_buddy_are_retyped),
		cmocka_unit_test(property_04_a_large_block_is_freed_under_each_pageblocks_type),
		cmocka_unit_test(property_05_merge_likely),
		cmocka_unit_test(property_06_boot_frees_to_the_tail),
		cmocka_unit_test(property_07_boot_cuts_greedily_and_ascending),
		cmocka_unit_test(property_03_boot_cuts_at_a_zone_border),
		cmocka_unit_test(property_06_a_free_to_the_tail_is_allocated_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
