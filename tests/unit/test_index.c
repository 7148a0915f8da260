/* SPDX-License-Identifier: MIT */
/* What the readers of the state compute: fragmentation indices, walkers, bounds. */
#include "unit/unit.h"

static const struct pagus_range ranges[] = {
	{ 0, 1024, 0, PAGUS_ZONE_NORMAL }, { 1024, 1024, 0, PAGUS_ZONE_MOVABLE },
};

/* Normal: free blocks of orders 0, 0, 3. Movable: one of order 5. */
static void open_blocks(struct lab *lab)
{
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");

	unit_open(lab, &cfg);
	unit_seed_free(lab, 1, 0);
	unit_seed_free(lab, 6, 0);
	unit_seed_free(lab, 64, 3);
	unit_seed_free(lab, 1024, 5);
	unit_seeded(lab);
}

static void unusable_index_is_the_share_in_small_blocks(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab);
	assert_int_equal(pagus_unusable_index(&lab.p, 0, 0), 0);
	assert_int_equal(pagus_unusable_index(&lab.p, 0, 1), 2 * 1000 / 10);
	assert_int_equal(pagus_unusable_index(&lab.p, 0, 3), 2 * 1000 / 10);
	assert_int_equal(pagus_unusable_index(&lab.p, 0, 4), 1000);
	assert_int_equal(pagus_unusable_index(&lab.p, 1, 5), 0);
	assert_int_equal(pagus_unusable_index(&lab.p, UINT32_MAX, 4), 10 * 1000 / 42);
	unit_close(&lab);
}

static void extfrag_index_tells_want_from_fragmentation(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab);
	assert_int_equal(pagus_extfrag_index(&lab.p, 0, 3), -1000);
	/* 1000 - (1000 + 10 * 1000 / 16) / 3 blocks */
	assert_int_equal(pagus_extfrag_index(&lab.p, 0, 4), 1000 - (1000 + 625) / 3);
	assert_int_equal(pagus_extfrag_index(&lab.p, UINT32_MAX, 10),
			 1000 - (1000 + 42000 / 1024) / 4);
	unit_close(&lab);
}

static void with_nothing_free_the_indices_say_so(void **state)
{
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_unusable_index(&lab.p, 0, 0), 1000);
	assert_int_equal(pagus_extfrag_index(&lab.p, 0, 0), 0);
	unit_close(&lab);
}

static void walkers_report_all_and_write_what_fits(void **state)
{
	pagus_pfn_t pfn[3] = { 77, 77, 77 };
	struct lab lab;

	(void)state;
	open_blocks(&lab);
	assert_int_equal(pagus_free_blocks(&lab.p, 0, 0, PAGUS_MOVABLE), 2);
	assert_int_equal(pagus_free_list(&lab.p, 0, 0, PAGUS_MOVABLE, pfn, 1), 2);
	assert_int_equal(pfn[0], 1);
	assert_int_equal(pfn[1], 77);
	unit_close(&lab);
}

static void what_does_not_exist_is_refused_or_empty(void **state)
{
	const struct pagus_zone_seed seed = { .pcp_batch = 1 };
	struct pagus_zone_info zone;
	struct pagus_pcp_info pcp;
	struct lab lab;

	(void)state;
	open_blocks(&lab);
	assert_int_equal(pagus_zone_info(&lab.p, 2, &zone), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_pcp_info(&lab.p, 2, 0, &pcp), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_pcp_info(&lab.p, 0, 1, &pcp), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_free_blocks(&lab.p, 2, 0, PAGUS_MOVABLE), 0);
	assert_int_equal(pagus_free_blocks(&lab.p, 0, 11, PAGUS_MOVABLE), 0);
	assert_int_equal(pagus_free_blocks(&lab.p, 0, 0, PAGUS_NR_MIGRATETYPES), 0);
	assert_int_equal(pagus_pcp_list(&lab.p, 0, 0, PAGUS_NR_PCP_LISTS, NULL, 0), 0);
	assert_int_equal(pagus_counter_read(&lab.p, PAGUS_NR_COUNTERS), 0);
	assert_int_equal(pagus_tunable_get(&lab.p, PAGUS_NR_TUNABLES), 0);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_NR_TUNABLES, 0), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_seed_zone(&lab.p, 1, PAGUS_ZONE_NORMAL, &seed), PAGUS_BAD_NODE);
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_DMA, &seed), PAGUS_BAD_NODE);
	assert_int_equal(pagus_seed_block(&lab.p, 5000, PAGUS_MOVABLE), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_seed_block(&lab.p, 0, PAGUS_NR_MIGRATETYPES), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_seed_free(&lab.p, 0, 11, PAGUS_MOVABLE), PAGUS_BAD_ORDER);
	assert_int_equal(pagus_seed_free(&lab.p, 2, 2, PAGUS_MOVABLE), PAGUS_BAD_ALIGN);
	assert_int_equal(pagus_seed_free(&lab.p, 1, 0, PAGUS_MOVABLE), PAGUS_BUSY);
	assert_int_equal(pagus_seed_free(&lab.p, 5000, 0, PAGUS_MOVABLE), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_seed_used(&lab.p, 0, 11, PAGUS_MOVABLE), PAGUS_BAD_ORDER);
	assert_int_equal(pagus_seed_used(&lab.p, 2, 2, PAGUS_MOVABLE), PAGUS_BAD_ALIGN);
	assert_int_equal(pagus_seed_used(&lab.p, 1, 0, PAGUS_MOVABLE), PAGUS_BUSY);
	assert_int_equal(pagus_seed_used(&lab.p, 5000, 0, PAGUS_MOVABLE), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_seed_used(&lab.p, 512, 0, PAGUS_CMA), PAGUS_BAD_VALUE);
	unit_close(&lab);
}

static void marks_that_do_not_ascend_are_refused(void **state)
{
	const struct pagus_zone_seed seed = { .pcp_batch = 1, .wmark = { 5, 4, 6, 7 } };
	const struct pagus_zone_seed limits = { .pcp_batch = 1,
						.pcp_high_min = 2,
						.pcp_high_max = 1 };
	struct lab lab;
	uint64_t digest;

	(void)state;
	open_blocks(&lab);
	digest = pagus_digest(&lab.p);
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &limits), PAGUS_BAD_VALUE);
	assert_true(pagus_digest(&lab.p) == digest);
	unit_close(&lab);
}

/* Free blocks lie on their pageblock's list: its type can be set only before them. */
static void a_pageblock_with_free_pages_keeps_its_type(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab);
	assert_int_equal(pagus_seed_block(&lab.p, 0, PAGUS_CMA), PAGUS_BUSY);
	assert_int_equal(pagus_seed_block(&lab.p, 300, PAGUS_CMA), PAGUS_BUSY);
	assert_int_equal(pagus_seed_block(&lab.p, 512, PAGUS_CMA), PAGUS_OK);
	unit_seed_free(&lab, 512, 4);
	unit_expect_list(&lab, 0, 4, PAGUS_CMA, PFNS(512));
	unit_close(&lab);
}

static void a_pageblock_inside_a_larger_free_block_keeps_its_type(void **state)
{
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	assert_int_equal(pagus_seed_block(&lab.p, 512, PAGUS_CMA), PAGUS_BUSY);
	unit_close(&lab);
}

static void a_recorded_span_reaches_into_holes_only(void **state)
{
	static const struct {
		uint64_t start, spanned;
		enum pagus_status want;
	} rows[] = {
		{ 1024, 1024, PAGUS_OK }, { 900, 1200, PAGUS_OK }, { 1025, 1023, PAGUS_BAD_RANGE },
		{ 1024, 1023, PAGUS_BAD_RANGE }, { 1000, UINT64_MAX, PAGUS_BAD_RANGE },
	};
	struct lab lab;

	(void)state;
	open_blocks(&lab);
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_zone_seed seed = {
			.start_pfn = rows[n].start, .spanned = rows[n].spanned, .pcp_batch = 1,
			.present = 1024, .managed = 1024,
		};

		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_MOVABLE, &seed),
				 rows[n].want);
		if (rows[n].want == PAGUS_OK)
			assert_int_equal(unit_zone(&lab, 1).spanned, rows[n].spanned);
	}
	unit_close(&lab);
}

static void an_order_that_does_not_exist_has_no_index(void **state)
{
	static const struct pagus_range memory = { 0, 1024, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&memory, 1, "plain");
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	for (uint32_t order = 11; order < 130; order += 7) {
		assert_int_equal(pagus_unusable_index(&lab.p, 0, order), 1000);
		assert_int_equal(pagus_extfrag_index(&lab.p, 0, order), 0);
	}
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unusable_index_is_the_share_in_small_blocks),
		cmocka_unit_test(extfrag_index_tells_want_from_fragmentation),
		cmocka_unit_test(with_nothing_free_the_indices_say_so),
		cmocka_unit_test(walkers_report_all_and_write_what_fits),
		cmocka_unit_test(what_does_not_exist_is_refused_or_empty),
		cmocka_unit_test(marks_that_do_not_ascend_are_refused),
		cmocka_unit_test(a_pageblock_with_free_pages_keeps_its_type),
		cmocka_unit_test(a_pageblock_inside_a_larger_free_block_keeps_its_type),
		cmocka_unit_test(a_recorded_span_reaches_into_holes_only),
		cmocka_unit_test(an_order_that_does_not_exist_has_no_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
