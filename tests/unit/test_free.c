/* SPDX-License-Identifier: MIT */
/* Frees that must be refused: each says why, raises one BAD_FREE and changes nothing. */
#include "unit/unit.h"

#define HOLE     2000 /* inside a section that has memory */
#define RESERVED 3000
#define FAR      (UINT64_C(1) << 40)

static const struct pagus_range ranges[] = {
	{ 1024, 900, 0, PAGUS_ZONE_BY_CEILING }, { 2048, 1024, 0, PAGUS_ZONE_BY_CEILING },
};

/* Free: all but the last 100 pages, which stay reserved. */
static void open_with_reserved(struct lab *lab, const char *policy)
{
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), policy);

	unit_open(lab, &cfg);
	assert_int_equal(pagus_boot_free(&lab->p, 1024, 900), PAGUS_OK);
	assert_int_equal(pagus_boot_free(&lab->p, 2048, 924), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&lab->p), PAGUS_OK);
	for (uint32_t zone = 0; zone < pagus_nr_zones(&lab->p); zone++)
		unit_limits(lab, zone, 4, 64, 64);
}

static void expect_refused(struct lab *lab, uint64_t pfn, uint32_t order, enum pagus_status want)
{
	uint64_t digest = pagus_digest(&lab->p), bad = unit_counter(lab, PAGUS_COUNTER_free_bad);
	uint64_t good = unit_counter(lab, PAGUS_COUNTER_free_ok);
	struct pagus_event event;

	lab_listen(lab, UNIT_ALL_EVENTS);
	assert_int_equal(pagus_free_pages(&lab->p, pfn, order), want);
	assert_true(pagus_digest(&lab->p) == digest);
	assert_int_equal(lab->nr_events, 1);
	event = unit_event(lab, 0, PAGUS_EVENT_BAD_FREE);
	assert_int_equal(event.pfn, pfn);
	assert_int_equal(event.order, order > UINT8_MAX ? UINT8_MAX : order);
	assert_int_equal(event.a, want);
	assert_int_equal(unit_counter(lab, PAGUS_COUNTER_free_bad), bad + 1);
	assert_int_equal(unit_counter(lab, PAGUS_COUNTER_free_ok), good);
	/* A split of it is refused for the same reason, silently. */
	assert_int_equal(pagus_split_pages(&lab->p, pfn, order, 0), want);
	assert_int_equal(lab->nr_events, 1);
	assert_true(pagus_digest(&lab->p) == digest);
}

static void pages_that_are_not_memory(void **state)
{
	struct lab lab;

	(void)state;
	open_with_reserved(&lab, "linux");
	expect_refused(&lab, 0, 0, PAGUS_BAD_RANGE);
	expect_refused(&lab, HOLE, 0, PAGUS_BAD_RANGE);
	expect_refused(&lab, 3072, 0, PAGUS_BAD_RANGE);
	expect_refused(&lab, FAR, 0, PAGUS_BAD_RANGE);
	expect_refused(&lab, PAGUS_NO_PFN, 0, PAGUS_BAD_RANGE);
	unit_close(&lab);
}

static void orders_that_do_not_exist(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_with_reserved(&lab, "linux");
	pfn = unit_alloc(&lab, GFP_KERNEL, 0);
	expect_refused(&lab, pfn, PAGUS_MAX_ORDER + 1, PAGUS_BAD_ORDER);
	expect_refused(&lab, pfn, 64, PAGUS_BAD_ORDER);
	expect_refused(&lab, pfn, 300, PAGUS_BAD_ORDER);
	unit_close(&lab);
}

static void a_block_that_is_not_aligned(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_with_reserved(&lab, "linux");
	pfn = unit_alloc(&lab, GFP_KERNEL, 3);
	expect_refused(&lab, pfn + 1, 3, PAGUS_BAD_ALIGN);
	expect_refused(&lab, pfn + 4, 3, PAGUS_BAD_ALIGN);
	unit_close(&lab);
}

static void an_allocated_block_with_another_order(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_with_reserved(&lab, "linux");
	pfn = unit_alloc(&lab, GFP_KERNEL, 2);
	for (uint32_t order = 0; order <= 10; order++)
		if (order != 2 && pfn % (UINT64_C(1) << order) == 0)
			expect_refused(&lab, pfn, order, PAGUS_WRONG_ORDER);
	unit_free(&lab, pfn, 2);
	unit_close(&lab);
}

static void tails_of_an_allocated_block(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_with_reserved(&lab, "linux");
	pfn = unit_alloc(&lab, GFP_KERNEL, 4);
	for (uint32_t k = 1; k < 16; k++)
		expect_refused(&lab, pfn + k, 0, PAGUS_NOT_ALLOCATED);
	expect_refused(&lab, pfn + 8, 3, PAGUS_NOT_ALLOCATED);
	unit_close(&lab);
}

static void pages_never_handed_over(void **state)
{
	struct lab lab;

	(void)state;
	open_with_reserved(&lab, "linux");
	expect_refused(&lab, RESERVED, 0, PAGUS_NOT_ALLOCATED);
	expect_refused(&lab, RESERVED, 3, PAGUS_NOT_ALLOCATED);
	unit_close(&lab);
}

static void a_block_on_a_free_list(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_with_reserved(&lab, "nopcp");
	pfn = unit_alloc(&lab, GFP_USER_PAGE, 0);
	unit_alloc(&lab, GFP_USER_PAGE, 0);
	unit_free(&lab, pfn, 0);
	expect_refused(&lab, pfn, 0, PAGUS_DOUBLE_FREE);
	unit_close(&lab);
}

/* Merged since: the page is no first page any more. */
static void a_page_inside_a_larger_free_block(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn[2];

	(void)state;
	open_with_reserved(&lab, "nopcp");
	pfn[0] = unit_alloc(&lab, GFP_USER_PAGE, 0);
	pfn[1] = unit_alloc(&lab, GFP_USER_PAGE, 0);
	unit_free(&lab, pfn[0], 0);
	unit_free(&lab, pfn[1], 0);
	expect_refused(&lab, pfn[0], 0, PAGUS_DOUBLE_FREE);
	expect_refused(&lab, pfn[1], 0, PAGUS_DOUBLE_FREE);
	expect_refused(&lab, 2048 + 300, 0, PAGUS_DOUBLE_FREE);
	expect_refused(&lab, 2048 + 256, 8, PAGUS_DOUBLE_FREE);
	unit_close(&lab);
}

static void a_block_on_a_pcp_list(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_with_reserved(&lab, "linux");
	pfn = unit_alloc(&lab, GFP_USER_PAGE, 2);
	unit_free(&lab, pfn, 2);
	assert_true(unit_pcp(&lab, 0, 0).count >= 4);
	expect_refused(&lab, pfn, 2, PAGUS_DOUBLE_FREE);
	expect_refused(&lab, pfn + 3, 0, PAGUS_DOUBLE_FREE);
	expect_refused(&lab, pfn, 0, PAGUS_DOUBLE_FREE);
	unit_close(&lab);
}

static void the_parts_of_a_split_are_freed_by_themselves(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_with_reserved(&lab, "nopcp");
	pfn = unit_alloc(&lab, GFP_USER_PAGE, 3);
	assert_int_equal(pagus_split_pages(&lab.p, pfn, 3, 4), PAGUS_BAD_ORDER);
	assert_int_equal(pagus_split_pages(&lab.p, pfn, 2, 0), PAGUS_WRONG_ORDER);
	assert_int_equal(pagus_split_pages(&lab.p, pfn, 3, 1), PAGUS_OK);
	unit_check(&lab);
	expect_refused(&lab, pfn, 3, PAGUS_WRONG_ORDER);
	expect_refused(&lab, pfn + 2, 0, PAGUS_WRONG_ORDER);
	expect_refused(&lab, pfn + 3, 0, PAGUS_NOT_ALLOCATED);
	for (uint32_t k = 0; k < 8; k += 2) {
		struct pagus_page_info page;

		assert_int_equal(pagus_page_info(&lab.p, pfn + k, &page), PAGUS_OK);
		assert_int_equal(page.order, 1);
		assert_int_equal(page.request_type, PAGUS_MOVABLE);
		unit_free(&lab, pfn + k, 1);
	}
	assert_int_equal(unit_zone(&lab, 0).free_pages, 900 + 924);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_that_are_not_memory),
		cmocka_unit_test(orders_that_do_not_exist),
		cmocka_unit_test(a_block_that_is_not_aligned),
		cmocka_unit_test(an_allocated_block_with_another_order),
		cmocka_unit_test(tails_of_an_allocated_block),
		cmocka_unit_test(pages_never_handed_over),
		cmocka_unit_test(a_block_on_a_free_list),
		cmocka_unit_test(a_page_inside_a_larger_free_block),
		cmocka_unit_test(a_block_on_a_pcp_list),
		cmocka_unit_test(the_parts_of_a_split_are_freed_by_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
