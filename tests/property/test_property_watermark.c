/* SPDX-License-Identifier: MIT */
/* What marks refuse: zones with marks and free pages as told. */
#include "unit/unit.h"

#include "zone/zone.h"

#define NO_LIMIT 1000000 /* more than any zone here has */

static const struct pagus_range zone_2048 = { 0, 2048, 0, PAGUS_ZONE_BY_CEILING };

static void open_marked(struct lab *lab, uint64_t free, uint64_t min, uint64_t low)
{
	const struct pagus_config cfg = lab_config(&zone_2048, 1, "nopcp");
	const struct pagus_zone_seed seed = {
		.present = 2048, .managed = 2048, .pcp_batch = 1,
		.wmark = { min, low, low, low },
	};

	unit_open(lab, &cfg);
	assert_int_equal(pagus_boot_free(&lab->p, 0, free), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&lab->p), PAGUS_OK);
	assert_int_equal(pagus_seed_zone(&lab->p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
}

static bool granted(uint64_t free, uint64_t min, uint64_t low, uint32_t order, uint32_t gfp,
		    uint32_t task)
{
	const struct pagus_request req = {
		.gfp = gfp, .order = order, .node = PAGUS_NO_NODE, .task = task,
	};
	struct pagus_result res;
	struct lab lab;

	open_marked(&lab, free, min, low);
	pagus_alloc(&lab.p, &req, &res);
	assert_true(res.status == PAGUS_OK || res.status == PAGUS_NO_MEMORY);
	unit_close(&lab);
	return res.status == PAGUS_OK;
}

static void property_19_equality_fails(void **state)
{
	(void)state;
	for (uint32_t order = 0; order < 5; order++) {
		const uint64_t rest = (UINT64_C(1) << order) - 1; /* of the block that is taken */

		assert_false(granted(100 + rest, 100, 100, order, GFP_KERNEL, 0));
		assert_true(granted(101 + rest, 100, 100, order, GFP_KERNEL, 0));
	}
}

static void property_20_discounts(void **state)
{
	/* The mark is 801. One half is taken off by 400, a quarter of the remaining 401 by 100. */
	static const struct {
		uint32_t gfp, task;
		uint64_t floor;
	} rows[] = {
		{ GFP_KERNEL, 0, 801 },
		{ GFP_NOWAIT, 0, 801 },
		{ GFP_KERNEL | __GFP_HIGH, 0, 401 },
		{ GFP_ATOMIC, 0, 301 },
		{ GFP_ATOMIC | __GFP_NOMEMALLOC, 0, 401 },
		{ GFP_KERNEL | __GFP_MEMALLOC, 0, 0 },
		{ GFP_KERNEL, PAGUS_TASK_MEMALLOC, 0 },
		{ GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOMEMALLOC, 0, 801 },
		{ GFP_KERNEL | __GFP_NOMEMALLOC, PAGUS_TASK_MEMALLOC, 801 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		if (rows[n].floor)
			assert_false(granted(rows[n].floor, 801, NO_LIMIT, 0, rows[n].gfp,
					     rows[n].task));
		assert_true(
			granted(rows[n].floor + 1, 801, NO_LIMIT, 0, rows[n].gfp, rows[n].task));
	}
}

/* No reserve is open to the first walk: at the low mark GFP_ATOMIC goes to the second. */
static void property_20_the_first_walk_has_no_discount(void **state)
{
	struct lab lab;

	(void)state;
	open_marked(&lab, 100, 10, 100);
	unit_alloc(&lab, GFP_ATOMIC, 0);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_second_attempt), 1);
	unit_close(&lab);
	open_marked(&lab, 101, 10, 100);
	unit_alloc(&lab, GFP_KERNEL, 0);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_second_attempt), 0);
	unit_close(&lab);
}

/* 64 free pages, all in one pageblock of this type. */
static void open_typed(struct lab *lab, enum pagus_migratetype type)
{
	const struct pagus_config cfg = lab_config(&zone_2048, 1, "nopcp");

	unit_open(lab, &cfg);
	unit_seed_block(lab, 0, type);
	unit_seed_free(lab, 0, 6);
	unit_seeded(lab);
}

static void property_21_special_types_do_not_count_for_others(void **state)
{
	struct lab lab;

	(void)state;
	for (uint32_t order = 0; order < 3; order++) {
		open_typed(&lab, PAGUS_ISOLATE);
		assert_int_equal(unit_zone(&lab, 0).free_pages, 0);
		unit_no_memory(&lab, GFP_USER_PAGE, order);
		unit_close(&lab);
		open_typed(&lab, PAGUS_HIGHATOMIC);
		assert_int_equal(unit_zone(&lab, 0).free_pages, 64);
		/*
		 * One that may wait would get the reserve back, one that cannot would take from it.
		 */
		unit_no_memory(&lab, (GFP_USER_PAGE & ~__GFP_RECLAIM) | __GFP_NOMEMALLOC, order);
		unit_close(&lab);
		open_typed(&lab, PAGUS_CMA);
		assert_int_equal(unit_zone(&lab, 0).free_cma_pages, 64);
		unit_no_memory(&lab, GFP_KERNEL, order);
		assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, order), 0);
		assert_int_equal(unit_zone(&lab, 0).free_cma_pages, 64 - (1 << order));
		unit_close(&lab);
	}
}

static void property_22_the_reserve_is_that_of_the_requests_zone(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 2048, 0, PAGUS_ZONE_BY_CEILING }, { 2048, 1024, 0, PAGUS_ZONE_MOVABLE },
	};
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	const struct pagus_zone_seed seed = {
		.present = 1024, .managed = 1024, .pcp_batch = 1,
		.lowmem_reserve = { 0, 0, 10, 15, 20 },
	};
	struct lab lab;

	(void)state;
	cfg.dma32_ceiling = 1024;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_boot_free(&lab.p, 0, 20), PAGUS_OK);
	unit_seeded(&lab);
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_DMA32, &seed), PAGUS_OK);
	unit_no_memory(&lab, GFP_HIGHUSER_MOVABLE, 0); /* 20 free, 20 reserved */
	for (uint32_t n = 0; n < 10; n++)
		unit_alloc(&lab, GFP_KERNEL, 0);
	unit_no_memory(&lab, GFP_KERNEL, 0); /* 10 free, 10 reserved */
	for (uint32_t n = 0; n < 10; n++)
		unit_alloc(&lab, GFP_KERNEL | GFP_DMA32, 0);
	unit_no_memory(&lab, GFP_KERNEL | GFP_DMA32, 0);
	unit_close(&lab);
}

/* What may be left at the least: the mark and the reserve for the request's zone, plus one. */
static void property_19_the_reserve_is_added_to_the_mark(void **state)
{
	(void)state;
	for (uint64_t mark = 0; mark <= 60; mark += 20) {
		for (uint64_t reserve = 0; reserve <= 60; reserve += 30) {
			const struct pagus_config cfg = lab_config(&zone_2048, 1, "nopcp");
			struct pagus_zone_seed seed = {
				.present = 2048, .managed = 2048, .pcp_batch = 1,
				.wmark = { mark, mark, mark, mark },
				.lowmem_reserve = { [PAGUS_ZONE_NORMAL] = reserve },
			};
			struct lab lab;

			unit_open(&lab, &cfg);
			assert_int_equal(pagus_boot_free(&lab.p, 0, 128), PAGUS_OK);
			assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
			assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed),
					 PAGUS_OK);
			while (unit_zone(&lab, 0).free_pages > mark + reserve)
				unit_alloc(&lab, GFP_USER_PAGE, 0);
			unit_no_memory(&lab, GFP_USER_PAGE, 0);
			assert_int_equal(unit_zone(&lab, 0).free_pages, mark + reserve);
			unit_close(&lab);
		}
	}
}

/* The test that all walks make, of the zone as it is. */
static bool passes(const struct lab *lab, uint32_t order, uint64_t mark, uint32_t flags)
{
	const struct pagus_state *st = lab->p.state;

	return pg_watermark_ok(st, pg_zone(st, 0), order, mark, PAGUS_ZONE_NORMAL, flags);
}

/* 801 less a half (400), less a quarter of the rest; a victim's half of what is then left. */
static void property_20_discounts_of_every_right(void **state)
{
	static const struct { uint32_t flags; uint64_t floor; } rows[] = {
		{ 0, 801 },
		{ PG_ALLOC_NON_BLOCK, 801 },
		{ PG_ALLOC_HIGHATOMIC, 801 },
		{ PG_ALLOC_MIN_RESERVE, 401 },
		{ PG_ALLOC_MIN_RESERVE | PG_ALLOC_NON_BLOCK, 301 },
		{ PG_ALLOC_MIN_RESERVE | PG_ALLOC_NON_BLOCK | PG_ALLOC_HIGHATOMIC, 301 },
		{ PG_ALLOC_OOM, 401 },
		{ PG_ALLOC_OOM | PG_ALLOC_NON_BLOCK, 401 },
		{ PG_ALLOC_OOM | PG_ALLOC_MIN_RESERVE, 201 },
		{ PG_ALLOC_OOM | PG_ALLOC_MIN_RESERVE | PG_ALLOC_NON_BLOCK, 151 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		for (uint32_t order = 0; order < 4; order++) {
			const uint64_t rest = (UINT64_C(1) << order) - 1;

			for (uint64_t more = 0; more < 2; more++) {
				struct lab lab;

				open_marked(&lab, rows[n].floor + rest + more, 0, 0);
				assert_true(passes(&lab, order, 801, rows[n].flags) == more);
				unit_close(&lab);
			}
		}
	}
}

/* A block of order 6 of one type alone: for whom does it exist, at which orders? */
static void property_21_which_block_counts_for_whom(void **state)
{
	static const struct { uint32_t flags; bool counts[PAGUS_NR_MIGRATETYPES]; } rows[] = {
		{ 0, { true, true, true, false, false, false } },
		{ PG_ALLOC_CMA, { true, true, true, false, true, false } },
		{ PG_ALLOC_NON_BLOCK, { true, true, true, false, false, false } },
		{ PG_ALLOC_MIN_RESERVE, { true, true, true, false, false, false } },
		{ PG_ALLOC_HIGHATOMIC, { true, true, true, true, false, false } },
		{ PG_ALLOC_OOM, { true, true, true, true, false, false } },
		{ PG_ALLOC_OOM | PG_ALLOC_CMA, { true, true, true, true, true, false } },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		for (int type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
			struct lab lab;

			open_typed(&lab, (enum pagus_migratetype)type);
			for (uint32_t order = 1; order <= 10; order++)
				assert_true(passes(&lab, order, 0, rows[n].flags) ==
					    (rows[n].counts[type] && order <= 6));
			unit_close(&lab);
		}
	}
}

/* Enough pages in special blocks do not help where the ordinary ones are too small. */
static void property_21_special_blocks_do_not_hide_fragmentation(void **state)
{
	(void)state;
	for (int type = PAGUS_HIGHATOMIC; type < PAGUS_NR_MIGRATETYPES; type++) {
		const struct pagus_config cfg = lab_config(&zone_2048, 1, "nopcp");
		struct lab lab;

		unit_open(&lab, &cfg);
		unit_seed_block(&lab, 0, (enum pagus_migratetype)type);
		unit_seed_free(&lab, 0, 8);
		for (uint32_t n = 0; n < 64; n++)
			unit_seed_free(&lab, 512 + 4 * n, 1);
		unit_seeded(&lab);
		assert_true(passes(&lab, 1, 10, 0));
		assert_false(passes(&lab, 2, 10, 0));
		assert_true(passes(&lab, 2, 10, PG_ALLOC_CMA) == (type == PAGUS_CMA));
		assert_true(passes(&lab, 2, 10, PG_ALLOC_HIGHATOMIC) == (type == PAGUS_HIGHATOMIC));
		unit_close(&lab);
	}
}

/* DMA32 of a machine with Normal and Movable above it: each kind of request has its own floor. */
static void property_22_floors_differ_with_movable_populated(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 2048, 0, PAGUS_ZONE_DMA32 }, { 2048, 1024, 0, PAGUS_ZONE_NORMAL },
		{ 3072, 1024, 0, PAGUS_ZONE_MOVABLE },
	};
	static const struct { uint32_t gfp; uint64_t reserve; } rows[] = {
		{ GFP_KERNEL | GFP_DMA32, 0 },
		{ GFP_KERNEL, 1024 / 8 },
		{ GFP_USER_PAGE, 1024 / 8 },
		{ GFP_HIGHUSER_MOVABLE, 2048 / 8 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
		uint64_t floor;
		struct lab lab;

		unit_boot(&lab, &cfg);
		lab_no_marks(&lab);
		pagus_tunable_set(&lab.p, PAGUS_TUNABLE_lowmem_reserve_ratio_dma32, 8);
		pagus_tunable_set(&lab.p, PAGUS_TUNABLE_lowmem_reserve_ratio_normal, 0);
		floor = unit_zone(&lab, 0).wmark[PAGUS_WMARK_MIN] + rows[n].reserve;
		while (unit_zone(&lab, 0).free_pages > floor)
			unit_alloc(&lab, rows[n].gfp, 0);
		unit_no_memory(&lab, rows[n].gfp, 0);
		assert_int_equal(unit_zone(&lab, 0).free_pages, floor);
		unit_close(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_19_equality_fails),
		cmocka_unit_test(property_20_discounts),
		cmocka_unit_test(property_20_the_first_walk_has_no_discount),
		cmocka_unit_test(property_21_special_types_do_not_count_for_others),
		cmocka_unit_test(property_22_the_reserve_is_that_of_the_requests_zone),
		cmocka_unit_test(property_19_the_reserve_is_added_to_the_mark),
		cmocka_unit_test(property_20_discounts_of_every_right),
		cmocka_unit_test(property_21_which_block_counts_for_whom),
		cmocka_unit_test(property_21_special_blocks_do_not_hide_fragmentation),
		cmocka_unit_test(property_22_floors_differ_with_movable_populated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
