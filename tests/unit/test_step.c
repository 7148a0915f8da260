/* SPDX-License-Identifier: MIT */
/*
 * Single steps: they add up to requests and frees, and a step that cannot be made changes nothing.
 */
#include "unit/unit.h"

#include <pagus/step.h>

#define NOFRAGMENT 0x100u

static void open_pair(struct lab *requests, struct lab *steps)
{
	unit_boot_pcp(requests, 4, 16, 16);
	unit_boot_pcp(steps, 4, 16, 16);
	assert_int_equal(pagus_digest(&requests->p), pagus_digest(&steps->p));
}

static void close_pair(struct lab *requests, struct lab *steps)
{
	unit_close(requests);
	unit_close(steps);
}

static void pop_refill_pop_is_a_request(void **state)
{
	struct lab requests, steps;
	pagus_pfn_t pfn, first;
	uint64_t before;

	(void)state;
	open_pair(&requests, &steps);
	before = pagus_digest(&steps.p);
	first = unit_alloc(&requests, GFP_USER_PAGE, 0);
	assert_int_equal(pagus_step_pop(&steps.p, 0, 0, PAGUS_MOVABLE, false, &pfn),
			 PAGUS_NO_MEMORY);
	assert_int_equal(pagus_step_refill(&steps.p, 0, 0, PAGUS_MOVABLE, NOFRAGMENT), PAGUS_OK);
	assert_int_equal(pagus_step_pop(&steps.p, 0, 0, PAGUS_MOVABLE, true, &pfn), PAGUS_OK);
	assert_int_equal(pfn, first);
	assert_int_equal(pagus_digest(&steps.p), pagus_digest(&requests.p));
	assert_int_not_equal(pagus_digest(&steps.p), before);
	close_pair(&requests, &steps);
}

static void push_and_drain_are_a_free(void **state)
{
	struct lab requests, steps;
	pagus_pfn_t held[64];
	uint32_t list, over, drained = 0;

	(void)state;
	open_pair(&requests, &steps);
	for (uint32_t n = 0; n < NR_OF(held); n++) {
		held[n] = unit_alloc(&requests, GFP_USER_PAGE, 0);
		assert_int_equal(unit_alloc(&steps, GFP_USER_PAGE, 0), held[n]);
	}
	for (uint32_t n = 0; n < NR_OF(held); n++) {
		unit_free(&requests, held[n], 0);
		assert_int_equal(pagus_step_push(&steps.p, held[n], 0, true, &list, &over),
				 PAGUS_OK);
		for (; over > 0; over -= over < 4 ? over : 4, drained++)
			assert_int_equal(pagus_step_drain(&steps.p, 0, 0, over < 4 ? over : 4,
							  list), PAGUS_OK);
		assert_int_equal(pagus_digest(&steps.p), pagus_digest(&requests.p));
	}
	assert_true(drained > 0);
	close_pair(&requests, &steps);
}

static void a_block_taken_from_its_list_is_one_hold(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;
	struct pagus_sim_ledger before, after;

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	assert_true(pagus_free_list(&lab.p, 0, PAGUS_MAX_ORDER, PAGUS_MOVABLE, &pfn, 1) > 0);
	before = pagus_sim_total(&lab.sim, PAGUS_LOCK_ZONE);
	assert_int_equal(pagus_step_isolate(&lab.p, pfn, PAGUS_MAX_ORDER - 1), PAGUS_BUSY);
	assert_int_equal(pagus_step_isolate(&lab.p, pfn, PAGUS_MAX_ORDER), PAGUS_OK);
	after = pagus_sim_total(&lab.sim, PAGUS_LOCK_ZONE);
	assert_int_equal(after.acquisitions, before.acquisitions + 1);
	assert_int_equal(after.work, before.work + 1);
	unit_free(&lab, pfn, PAGUS_MAX_ORDER);
	unit_close(&lab);
}

static void what_is_not_there_is_refused(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;
	uint32_t list, over;
	uint64_t before;
	const uint64_t wmark[PAGUS_NR_WMARKS] = { 0 };

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	before = pagus_digest(&lab.p);
	assert_int_equal(pagus_step_take(&lab.p, 99, 0, 0, 0, &pfn), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_take(&lab.p, 0, 99, 0, 0, &pfn), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_take(&lab.p, 0, 0, PAGUS_HIGHATOMIC, 0, &pfn), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_pop(&lab.p, 99, 0, 0, false, &pfn), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_pop(&lab.p, 0, 5, 0, false, &pfn), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_refill(&lab.p, 0, 5, 0, 0), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_limits(&lab.p, 0, 99, 1, 1, 1), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_limits(&lab.p, 0, 0, 1, 1, 0), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_drift(&lab.p, 99, 0, 1, 1), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_marks(&lab.p, 99, wmark, 0), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_drain(&lab.p, 0, 0, 1, 99), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_decay(&lab.p, 99, &over), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_push(&lab.p, PAGUS_NO_PFN, 0, true, &list, &over),
			 PAGUS_BAD_RANGE);
	assert_int_equal(pagus_step_free(&lab.p, PAGUS_NO_PFN, 0, false), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_step_isolate(&lab.p, PAGUS_NO_PFN, 0), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_step_rotate(&lab.p, PAGUS_NO_PFN, 0), PAGUS_BUSY);
	assert_int_equal(pagus_digest(&lab.p), before);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pop_refill_pop_is_a_request),
		cmocka_unit_test(push_and_drain_are_a_free),
		cmocka_unit_test(a_block_taken_from_its_list_is_one_hold),
		cmocka_unit_test(what_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
