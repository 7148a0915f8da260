/* SPDX-License-Identifier: MIT */
/* Allocations of a number of pages that is no power of two. */
#include "unit/unit.h"

static const struct pagus_range range = { 0, 1024, 0, PAGUS_ZONE_BY_CEILING };

static void open_lab(struct lab *lab, const char *policy)
{
	const struct pagus_config cfg = lab_config(&range, 1, policy);

	unit_boot(lab, &cfg);
	lab_no_marks(lab);
}

static pagus_pfn_t alloc_exact(struct lab *lab, uint32_t nr_pages)
{
	pagus_pfn_t pfn;

	assert_int_equal(pagus_alloc_exact(&lab->p, GFP_KERNEL, nr_pages, &pfn), PAGUS_OK);
	return pfn;
}

static void property_30_of_eight_pages_the_last_three_go_to_list_tails(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_lab(&lab, "nopcp");
	/* Blocks 1, 2-3 and 4-7 are free then; with 4-7 gone, the next eight pages are 8-15. */
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), 0);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 2), 4);
	lab_listen(&lab, 1u << PAGUS_EVENT_FREE | 1u << PAGUS_EVENT_ALLOC);
	pfn = alloc_exact(&lab, 5);
	assert_int_equal(pfn, 8);
	assert_int_equal(lab.nr_events, 4);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_ALLOC).order, 3);
	for (uint32_t n = 1; n < 4; n++) {
		assert_int_equal(unit_event(&lab, n, PAGUS_EVENT_FREE).pfn, pfn + 4 + n);
		assert_int_equal(lab.log[n].order, 0);
	}
	unit_expect_list(&lab, 0, 0, PAGUS_UNMOVABLE, PFNS(1, 13));
	unit_expect_list(&lab, 0, 1, PAGUS_UNMOVABLE, PFNS(2, 14));
	unit_check(&lab);
	assert_int_equal(pagus_free_exact(&lab.p, pfn, 5), PAGUS_OK);
	unit_free(&lab, 0, 0);
	unit_free(&lab, 4, 2);
	assert_int_equal(unit_zone(&lab, 0).nr_free[10], 1);
	unit_close(&lab);
}

static void what_is_too_much_passes_by_the_pcp(void **state)
{
	struct lab lab;

	(void)state;
	open_lab(&lab, "linux");
	alloc_exact(&lab, 3);
	for (uint32_t list = 0; list < PAGUS_NR_PCP_LISTS; list++) {
		pagus_pfn_t pfn;

		if (pagus_pcp_list(&lab.p, 0, 0, list, &pfn, 1))
			assert_int_not_equal(pfn, 3);
	}
	assert_int_equal(lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_FREE_DIRECT].acquisitions, 1);
	unit_close(&lab);
}

static void each_page_is_a_block_of_its_own(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_lab(&lab, "linux");
	pfn = alloc_exact(&lab, 6);
	for (uint32_t n = 0; n < 6; n++) {
		struct pagus_page_info info;

		assert_int_equal(pagus_page_info(&lab.p, pfn + n, &info), PAGUS_OK);
		assert_int_equal(info.kind, PAGUS_PAGE_ALLOCATED);
		assert_int_equal(info.order, 0);
		assert_int_equal(info.references, 1);
	}
	unit_free(&lab, pfn + 3, 0);
	assert_int_equal(pagus_free_exact(&lab.p, pfn, 3), PAGUS_OK);
	assert_int_equal(pagus_free_exact(&lab.p, pfn + 4, 2), PAGUS_OK);
	unit_close(&lab);
}

static void a_free_drops_references_of_all_or_none(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;
	uint64_t digest;

	(void)state;
	open_lab(&lab, "linux");
	pfn = alloc_exact(&lab, 5);
	digest = pagus_digest(&lab.p);
	/* One page too many, which is free. */
	assert_int_equal(pagus_free_exact(&lab.p, pfn, 6), PAGUS_DOUBLE_FREE);
	assert_int_equal(pagus_free_exact(&lab.p, pfn, UINT32_MAX), PAGUS_DOUBLE_FREE);
	assert_true(pagus_digest(&lab.p) == digest);
	/* A page that somebody else holds stays. */
	assert_int_equal(pagus_get_page(&lab.p, pfn + 1), PAGUS_OK);
	assert_int_equal(pagus_free_exact(&lab.p, pfn, 5), PAGUS_OK);
	assert_int_equal(pagus_put_pages(&lab.p, pfn + 1, 0), PAGUS_OK);
	assert_int_equal(pagus_put_pages(&lab.p, pfn, 0), PAGUS_DOUBLE_FREE);
	pagus_drain_all(&lab.p);
	assert_int_equal(unit_zone(&lab, 0).nr_free[10], 1);
	unit_close(&lab);
}

static void a_power_of_two_leaves_nothing_over(void **state)
{
	struct lab lab;

	(void)state;
	open_lab(&lab, "nopcp");
	lab_listen(&lab, 1u << PAGUS_EVENT_FREE);
	for (uint32_t order = 0; order <= 8; order++)
		alloc_exact(&lab, 1u << order);
	assert_int_equal(lab.nr_events, 0);
	assert_int_equal(unit_zone(&lab, 0).free_pages, 1024 - 511);
	unit_close(&lab);
}

static void flags_of_blocks_and_of_high_memory_are_taken_off(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_lab(&lab, "nopcp");
	lab_listen(&lab, 1u << PAGUS_EVENT_ALLOC);
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_HIGHUSER_MOVABLE | __GFP_COMP, 2, &pfn),
			 PAGUS_OK);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_ALLOC).a, GFP_USER | __GFP_MOVABLE);
	unit_close(&lab);
}

static void errors_give_no_page(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn = 5;
	uint64_t digest;

	(void)state;
	open_lab(&lab, "linux");
	digest = pagus_digest(&lab.p);
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_KERNEL, 0, &pfn), PAGUS_BAD_VALUE);
	assert_true(pfn == PAGUS_NO_PFN);
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_KERNEL, 1025, &pfn), PAGUS_BAD_ORDER);
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_KERNEL, UINT32_MAX, &pfn), PAGUS_BAD_ORDER);
	assert_int_equal(pagus_alloc_exact(&lab.p, __GFP_DMA | __GFP_DMA32, 3, &pfn),
			 PAGUS_BAD_ZONE_BITS);
	assert_true(pfn == PAGUS_NO_PFN);
	assert_true(pagus_digest(&lab.p) == digest);
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_KERNEL, 1024, &pfn), PAGUS_OK);
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_NOWAIT, 3, &pfn), PAGUS_NO_MEMORY);
	assert_true(pfn == PAGUS_NO_PFN);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_30_of_eight_pages_the_last_three_go_to_list_tails),
		cmocka_unit_test(what_is_too_much_passes_by_the_pcp),
		cmocka_unit_test(each_page_is_a_block_of_its_own),
		cmocka_unit_test(a_free_drops_references_of_all_or_none),
		cmocka_unit_test(a_power_of_two_leaves_nothing_over),
		cmocka_unit_test(flags_of_blocks_and_of_high_memory_are_taken_off),
		cmocka_unit_test(errors_give_no_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
