/* SPDX-License-Identifier: MIT */
/* Grouping by mobility: when it is on, and what a machine without it does with migratetypes. */
#include <pagus/step.h>

#include "unit/unit.h"

#define BLOCK 512

static const struct pagus_range zone_4_blocks = { 0, 4 * BLOCK, 0, PAGUS_ZONE_BY_CEILING };

static struct pagus_config grouped(const char *policy, enum pagus_grouping grouping)
{
	struct pagus_config cfg = lab_config(&zone_4_blocks, 1, policy);

	cfg.grouping = grouping;
	return cfg;
}

/* The instance groups if a movable request is remembered as movable. */
static bool groups(const struct pagus_config *cfg)
{
	struct pagus_page_info info;
	struct lab lab;

	unit_open(&lab, cfg);
	lab_no_marks(&lab);
	assert_int_equal(lab_hand_over(&lab, cfg), PAGUS_OK);
	assert_int_equal(pagus_page_info(&lab.p, unit_alloc(&lab, GFP_USER_PAGE, 0), &info),
			 PAGUS_OK);
	unit_close(&lab);
	return info.request_type == PAGUS_MOVABLE;
}

static bool groups_by_size(const char *policy, uint64_t nr_pages, uint32_t pageblock_order)
{
	const struct pagus_range ranges[] = {
		{ 0, nr_pages / 2, 0, PAGUS_ZONE_BY_CEILING },
		{ 8192, nr_pages - nr_pages / 2, 1, PAGUS_ZONE_BY_CEILING },
	};
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), policy);

	cfg.grouping = PAGUS_GROUPING_BY_SIZE;
	cfg.pageblock_order = pageblock_order;
	return groups(&cfg);
}

/* One pageblock of each migratetype: six, and five in the 6.1 that has no CMA. All nodes count. */
static void a_machine_below_a_pageblock_of_each_type_does_not_group(void **state)
{
	(void)state;
	for (uint32_t order = 4; order <= 10; order++) {
		const uint64_t block_pages = UINT64_C(1) << order;

		assert_false(groups_by_size("linux", 6 * block_pages - 1, order));
		assert_true(groups_by_size("linux", 6 * block_pages, order));
		assert_false(groups_by_size("linux-6.1", 5 * block_pages - 1, order));
		assert_true(groups_by_size("linux-6.1", 5 * block_pages, order));
		assert_false(groups_by_size("nogroup", 6 * block_pages, order));
	}
}

/* It is decided before memory is handed over, so reserved pages count like any others. */
static void what_is_present_counts_whatever_is_handed_over(void **state)
{
	const struct pagus_range range = { 0, 6 * BLOCK, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct pagus_page_info info;
	struct lab lab;

	(void)state;
	cfg.grouping = PAGUS_GROUPING_BY_SIZE;
	unit_open(&lab, &cfg);
	lab_no_marks(&lab);
	assert_int_equal(pagus_boot_free(&lab.p, 100, 64), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	pagus_page_info(&lab.p, unit_alloc(&lab, GFP_USER_PAGE, 0), &info);
	assert_int_equal(info.request_type, PAGUS_MOVABLE);
	unit_close(&lab);
}

static void a_configuration_may_say_otherwise(void **state)
{
	static const char *const policies[] = { "linux", "nopcp", "linux-6.1", "plain", "nogroup" };

	(void)state;
	for (size_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = grouped(policies[n], PAGUS_GROUPING_ALWAYS);

		assert_true(groups(&cfg) == (n < 3));
		cfg.grouping = PAGUS_GROUPING_NEVER;
		assert_false(groups(&cfg));
		cfg.grouping = PAGUS_NR_GROUPINGS;
		assert_int_equal(pagus_sizeof(&cfg), 0);
	}
	assert_int_equal(PAGUS_CONFIG_X86_64.grouping, PAGUS_GROUPING_BY_SIZE);
}

/* Memory is movable until the first request, of whatever type, claims it. */
static void a_fresh_machine_is_claimed_block_by_block(void **state)
{
	(void)state;
	for (uint32_t type = 0; type < 3; type++) {
		const struct pagus_config cfg = grouped("nopcp", PAGUS_GROUPING_NEVER);
		struct lab lab;

		unit_boot(&lab, &cfg);
		assert_int_equal(unit_block_type(&lab, 0), PAGUS_MOVABLE);
		lab_listen(&lab, 1u << PAGUS_EVENT_EXTFRAG | 1u << PAGUS_EVENT_ALLOC);
		assert_int_equal(unit_alloc(&lab, unit_gfp(type), 0), 0);
		assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_EXTFRAG).migratetype,
				 PAGUS_UNMOVABLE);
		assert_int_equal(unit_event(&lab, 1, PAGUS_EVENT_ALLOC).migratetype,
				 PAGUS_UNMOVABLE);
		assert_int_equal(unit_block_type(&lab, 0), PAGUS_UNMOVABLE);
		assert_int_equal(unit_block_type(&lab, BLOCK), PAGUS_UNMOVABLE);
		assert_int_equal(unit_block_type(&lab, 2 * BLOCK), PAGUS_MOVABLE);
		unit_expect_list(&lab, 0, 9, PAGUS_UNMOVABLE, PFNS(BLOCK));
		unit_expect_list(&lab, 0, 10, PAGUS_MOVABLE, PFNS(2 * BLOCK));
		unit_close(&lab);
	}
}

static int refuse_claims(void *ctx, uint64_t pfn, uint32_t type)
{
	(void)ctx;
	(void)pfn;
	(void)type;
	return 0;
}

/* Neither half of the pageblock nor the port has a say. */
static void any_pageblock_may_be_claimed(void **state)
{
	static const char *const policies[] = { "nopcp", "none+convert" };

	(void)state;
	for (size_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t off = 0; off < 2; off++) {
			const struct pagus_config cfg = grouped(policies[n],
				off ? PAGUS_GROUPING_NEVER : PAGUS_GROUPING_ALWAYS);
			struct pagus_port port = pagus_sim_port;
			struct lab lab;

			unit_open(&lab, &cfg);
			port.may_claim = refuse_claims;
			lab.p.port = &port;
			unit_seed_free(&lab, 0, 0);
			unit_inherit(&lab, 1, BLOCK - 2, PAGUS_MOVABLE);
			unit_seed_free(&lab, BLOCK - 1, 0);
			unit_seeded(&lab);
			assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 0);
			assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), BLOCK - 1);
			assert_int_equal(unit_block_type(&lab, 0),
					 off ? PAGUS_UNMOVABLE : PAGUS_MOVABLE);
			unit_close(&lab);
		}
	}
}

/* A movable and an unmovable half, freed in either order: whatever is retyped is unmovable. */
static void merged_pageblocks_are_unmovable(void **state)
{
	(void)state;
	for (uint32_t movable_first = 0; movable_first < 2; movable_first++) {
		for (uint32_t movable_low = 0; movable_low < 2; movable_low++) {
			const struct pagus_config cfg = grouped("nopcp", PAGUS_GROUPING_NEVER);
			const pagus_pfn_t movable = movable_low ? 0 : BLOCK;
			struct lab lab;

			unit_open(&lab, &cfg);
			unit_seed_block(&lab, BLOCK - movable, PAGUS_UNMOVABLE);
			unit_inherit(&lab, 0, 2 * BLOCK, PAGUS_MOVABLE);
			unit_seeded(&lab);
			unit_free(&lab, movable_first ? movable : BLOCK - movable, 9);
			unit_free(&lab, movable_first ? BLOCK - movable : movable, 9);
			unit_expect_list(&lab, 0, 10, PAGUS_UNMOVABLE, PFNS(0));
			assert_int_equal(unit_block_type(&lab, 0), PAGUS_UNMOVABLE);
			assert_int_equal(unit_block_type(&lab, BLOCK), PAGUS_UNMOVABLE);
			unit_close(&lab);
		}
	}
}

/* Two movable pageblocks merge as they are: nobody has given them a type. */
static void pageblocks_that_nobody_claimed_stay_movable(void **state)
{
	const struct pagus_config cfg = grouped("nopcp", PAGUS_GROUPING_NEVER);
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_inherit(&lab, 0, 2 * BLOCK, PAGUS_MOVABLE);
	unit_seeded(&lab);
	unit_free(&lab, 0, 9);
	unit_free(&lab, BLOCK, 9);
	unit_expect_list(&lab, 0, 10, PAGUS_MOVABLE, PFNS(0));
	unit_close(&lab);
}

static void ordinary_types_given_later_are_unmovable(void **state)
{
	const struct pagus_config cfg = grouped("nopcp", PAGUS_GROUPING_NEVER);
	pagus_pfn_t pfn;
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_seeded(&lab);
	for (int type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
		unit_seed_block(&lab, 0, (enum pagus_migratetype)type);
		assert_int_equal(unit_block_type(&lab, 0),
				 type < PAGUS_HIGHATOMIC ? PAGUS_UNMOVABLE : type);
	}
	unit_seed_free(&lab, 2 * BLOCK, 10);
	unit_expect_list(&lab, 0, 10, PAGUS_UNMOVABLE, PFNS(2 * BLOCK));
	unit_check(&lab);
	assert_int_equal(pagus_step_take(&lab.p, 0, 3, PAGUS_MOVABLE, 0, &pfn), PAGUS_OK);
	assert_int_equal(pagus_step_set_type(&lab.p, pfn, PAGUS_RECLAIMABLE), PAGUS_OK);
	assert_int_equal(pagus_step_move_free(&lab.p, pfn, PAGUS_UNMOVABLE, PAGUS_RECLAIMABLE),
			 PAGUS_OK);
	assert_int_equal(unit_block_type(&lab, pfn), PAGUS_UNMOVABLE);
	unit_close(&lab);
}

/* An unmovable request may not use CMA, so its pages do not count for it: 64 of 100 free ones. */
static void movable_requests_lose_cma(void **state)
{
	(void)state;
	for (uint32_t off = 0; off < 2; off++) {
		const struct pagus_config cfg = grouped("nopcp", off ? PAGUS_GROUPING_NEVER :
								      PAGUS_GROUPING_ALWAYS);
		const struct pagus_zone_seed seed = {
			.present = 4 * BLOCK, .managed = 4 * BLOCK, .pcp_batch = 1,
			.wmark = { 50, 50, 50, 50 },
		};
		struct lab lab;

		unit_open(&lab, &cfg);
		unit_seed_block(&lab, 0, PAGUS_CMA);
		unit_seed_free(&lab, 0, 6);
		assert_int_equal(pagus_boot_free(&lab.p, BLOCK, 36), PAGUS_OK);
		assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
		if (off)
			unit_no_memory(&lab, GFP_USER_PAGE, 0);
		else
			assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 0);
		unit_close(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_below_a_pageblock_of_each_type_does_not_group),
		cmocka_unit_test(what_is_present_counts_whatever_is_handed_over),
		cmocka_unit_test(a_configuration_may_say_otherwise),
		cmocka_unit_test(a_fresh_machine_is_claimed_block_by_block),
		cmocka_unit_test(any_pageblock_may_be_claimed),
		cmocka_unit_test(merged_pageblocks_are_unmovable),
		cmocka_unit_test(pageblocks_that_nobody_claimed_stay_movable),
		cmocka_unit_test(ordinary_types_given_later_are_unmovable),
		cmocka_unit_test(movable_requests_lose_cma),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
