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

/* A refill made block by block, under a look at each, is a refill. */
static void ask_take_keep_is_a_refill(void **state)
{
	struct pagus_step_hold hold = { .type = PAGUS_MOVABLE, .flags = NOFRAGMENT };
	struct lab whole, parts;
	pagus_pfn_t pfn, looked;
	uint32_t blocks;
	uint64_t digest;

	(void)state;
	open_pair(&whole, &parts);
	assert_int_equal(pagus_step_refill(&whole.p, 0, 0, PAGUS_MOVABLE, NOFRAGMENT), PAGUS_OK);
	assert_int_equal(pagus_step_ask(&parts.p, 0, &hold, &blocks), PAGUS_OK);
	assert_int_equal(blocks, unit_pcp(&whole, 0, 0).count);
	for (uint32_t n = 0; n < blocks; n++) {
		digest = pagus_digest(&parts.p);
		looked = pagus_step_look(&parts.p, 0, &hold);
		assert_int_equal(pagus_digest(&parts.p), digest);
		assert_int_equal(pagus_step_take_next(&parts.p, 0, &hold, &pfn), PAGUS_OK);
		assert_int_equal(pfn, looked);
		assert_int_equal(pagus_step_keep(&parts.p, pfn, 0, PAGUS_MOVABLE, true), PAGUS_OK);
	}
	assert_int_equal(pagus_digest(&parts.p), pagus_digest(&whole.p));
	close_pair(&whole, &parts);
}

static void a_hold_ends_where_nothing_is_free(void **state)
{
	struct pagus_step_hold hold = { .order = PAGUS_MAX_ORDER, .type = PAGUS_MOVABLE,
					.direct = true };
	struct lab lab;
	pagus_pfn_t pfn, taken[64];
	uint32_t nr = 0;

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	while (pagus_step_take_next(&lab.p, 0, &hold, &pfn) == PAGUS_OK)
		taken[nr++] = pfn;
	assert_true(nr > 0);
	assert_true(pagus_step_look(&lab.p, 0, &hold) == PAGUS_NO_PFN);
	while (nr > 0)
		unit_free(&lab, taken[--nr], PAGUS_MAX_ORDER);
	unit_close(&lab);
}

/* A free puts a block to the tail where it is likely to merge; a repair never does. */
static void put_back_undoes_a_take(void **state)
{
	struct pagus_step_hold hold = { .type = PAGUS_MOVABLE, .direct = true };
	struct lab lab;
	pagus_pfn_t pfn, other;
	uint64_t before;

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	assert_int_equal(pagus_step_take_next(&lab.p, 0, &hold, &other), PAGUS_OK);
	before = pagus_digest(&lab.p);
	for (uint32_t order = 0; order < PAGUS_MAX_ORDER; order++) {
		hold.order = order;
		assert_int_equal(pagus_step_take_next(&lab.p, 0, &hold, &pfn), PAGUS_OK);
		assert_int_not_equal(pagus_digest(&lab.p), before);
		assert_int_equal(pagus_step_put_back(&lab.p, pfn, order, PAGUS_MOVABLE), PAGUS_OK);
		assert_int_equal(pagus_digest(&lab.p), before);
		assert_int_equal(pagus_step_put_back(&lab.p, pfn, order, PAGUS_MOVABLE),
				 PAGUS_BUSY);
	}
	unit_free(&lab, other, 0);
	unit_close(&lab);
}

static void the_block_moved_to_the_head_is_taken_next(void **state)
{
	struct pagus_step_hold hold = { .order = PAGUS_MAX_ORDER, .type = PAGUS_MOVABLE };
	struct lab lab;
	pagus_pfn_t pfns[2];

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	assert_true(pagus_free_list(&lab.p, 0, PAGUS_MAX_ORDER, PAGUS_MOVABLE, pfns, 2) >= 2);
	assert_int_equal(pagus_step_look(&lab.p, 0, &hold), pfns[0]);
	assert_int_equal(pagus_step_to_head(&lab.p, pfns[1], PAGUS_MAX_ORDER - 1), PAGUS_BUSY);
	assert_int_equal(pagus_step_to_head(&lab.p, pfns[1], PAGUS_MAX_ORDER), PAGUS_OK);
	assert_int_equal(pagus_step_look(&lab.p, 0, &hold), pfns[1]);
	unit_close(&lab);
}

static void what_is_cached_is_found_and_taken_out(void **state)
{
	struct lab lab;
	struct pagus_step_place place;
	pagus_pfn_t first, pfns[16];
	uint64_t nr;
	uint32_t count;

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	first = unit_alloc(&lab, GFP_USER_PAGE, 0);
	nr = pagus_pcp_list(&lab.p, 0, 0, PAGUS_MOVABLE, pfns, NR_OF(pfns));
	assert_true(nr > 2 && nr <= NR_OF(pfns));
	assert_int_equal(pagus_step_first(&lab.p, 0, 0, PAGUS_MOVABLE), pfns[0]);
	assert_int_equal(pagus_step_last(&lab.p, 0, 0, PAGUS_MOVABLE), pfns[nr - 1]);
	/* From the list behind it, round the end. */
	assert_int_equal(pagus_step_last(&lab.p, 0, 0, PAGUS_MOVABLE + 1), pfns[nr - 1]);
	assert_true(pagus_step_first(&lab.p, 0, 0, PAGUS_UNMOVABLE) == PAGUS_NO_PFN);
	assert_int_equal(pagus_step_find_cached(&lab.p, first, &place), PAGUS_BUSY);
	assert_int_equal(pagus_step_find_cached(&lab.p, pfns[1], &place), PAGUS_OK);
	assert_int_equal(place.cpu, 0);
	assert_int_equal(place.list, PAGUS_MOVABLE);
	assert_int_equal(place.depth, 1);
	count = unit_pcp(&lab, 0, 0).count;
	assert_int_equal(pagus_step_uncache(&lab.p, pfns[1]), PAGUS_OK);
	assert_int_equal(pagus_step_uncache(&lab.p, pfns[1]), PAGUS_BUSY);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, count - 1);
	assert_int_equal(pagus_step_keep(&lab.p, pfns[1], 0, PAGUS_MOVABLE, false), PAGUS_OK);
	assert_int_equal(pagus_step_first(&lab.p, 0, 0, PAGUS_MOVABLE), pfns[1]);
	unit_free(&lab, first, 0);
	unit_close(&lab);
}

static void a_visit_remembers_the_high_mark(void **state)
{
	const uint64_t none[PAGUS_NR_WMARKS] = { 0 };
	struct lab lab;
	uint64_t high[PAGUS_NR_WMARKS] = { 0 };

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	assert_int_equal(pagus_step_marks(&lab.p, 0, none, 0), PAGUS_OK);
	assert_true(pagus_step_visit(&lab.p, 0, 0, PAGUS_ZONE_NORMAL, PAGUS_WMARK_LOW));
	assert_false(pagus_step_flag(&lab.p, 0, PAGUS_STEP_BELOW_HIGH));
	high[PAGUS_WMARK_HIGH] = high[PAGUS_WMARK_PROMO] = UINT32_MAX;
	assert_int_equal(pagus_step_marks(&lab.p, 0, high, 0), PAGUS_OK);
	assert_true(pagus_step_visit(&lab.p, 0, 0, PAGUS_ZONE_NORMAL, PAGUS_WMARK_LOW));
	assert_true(pagus_step_flag(&lab.p, 0, PAGUS_STEP_BELOW_HIGH));
	high[PAGUS_WMARK_LOW] = UINT32_MAX;
	assert_int_equal(pagus_step_marks(&lab.p, 0, high, 0), PAGUS_OK);
	assert_false(pagus_step_visit(&lab.p, 0, 0, PAGUS_ZONE_NORMAL, PAGUS_WMARK_LOW));
	unit_close(&lab);
}

/* The pageblock of the smallest free block, whatever its place. */
static void the_reserve_says_what_it_gives_back_next(void **state)
{
	static const struct pagus_range range = { 0, 4 * 512, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	unit_open(&lab, &cfg);
	unit_seed_block(&lab, 0, PAGUS_HIGHATOMIC);
	assert_int_equal(pagus_seed_free(&lab.p, 0, 9, PAGUS_HIGHATOMIC), PAGUS_OK);
	unit_seed_block(&lab, 1024, PAGUS_HIGHATOMIC);
	assert_int_equal(pagus_seed_free(&lab.p, 1024 + 256, 3, PAGUS_HIGHATOMIC), PAGUS_OK);
	unit_inherit(&lab, 1024, 256, PAGUS_UNMOVABLE);
	unit_seeded(&lab);
	assert_int_equal(pagus_step_next_reserved(&lab.p, 0, &pfn), PAGUS_OK);
	assert_int_equal(pfn, 1024);
	assert_int_equal(pagus_step_unreserve(&lab.p, 0, PAGUS_MOVABLE), PAGUS_OK);
	assert_int_equal(unit_block_type(&lab, 1024), PAGUS_MOVABLE);
	assert_int_equal(pagus_step_next_reserved(&lab.p, 0, &pfn), PAGUS_OK);
	assert_int_equal(pfn, 0);
	assert_int_equal(pagus_step_unreserve(&lab.p, 0, PAGUS_MOVABLE), PAGUS_OK);
	assert_int_equal(pagus_step_next_reserved(&lab.p, 0, &pfn), PAGUS_NO_MEMORY);
	assert_int_equal(pagus_step_next_reserved(&lab.p, 1, &pfn), PAGUS_BAD_VALUE);
	unit_close(&lab);
}

static void an_empty_reserve_gives_nothing_back(void **state)
{
	struct lab lab;
	uint64_t before;

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	before = pagus_digest(&lab.p);
	assert_int_equal(pagus_step_unreserve(&lab.p, 0, PAGUS_MOVABLE), PAGUS_NO_MEMORY);
	assert_int_equal(pagus_step_unreserve(&lab.p, 0, PAGUS_HIGHATOMIC), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_digest(&lab.p), before);
	unit_close(&lab);
}

static void a_pcp_remembers_what_it_is_told(void **state)
{
	const struct pagus_pcp_seed seed = { .high = 7, .alloc_factor = 2, .free_count = 5 };
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	assert_int_equal(pagus_step_tune(&lab.p, 0, 0, &seed), PAGUS_OK);
	assert_int_equal(unit_pcp(&lab, 0, 0).high, 7);
	assert_int_equal(unit_pcp(&lab, 0, 0).alloc_factor, 2);
	assert_int_equal(unit_pcp(&lab, 0, 0).free_count, 5);
	assert_int_equal(pagus_step_tune(&lab.p, 99, 0, &seed), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_tune(&lab.p, 0, 99, &seed), PAGUS_BAD_VALUE);
	unit_close(&lab);
}

static void no_repair_of_what_is_not_there(void **state)
{
	const struct pagus_step_hold nothing = { .order = 99 };
	struct pagus_step_hold hold = nothing;
	struct lab lab;
	pagus_pfn_t pfn;
	uint32_t blocks;
	uint64_t before;

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	before = pagus_digest(&lab.p);
	assert_int_equal(pagus_step_ask(&lab.p, 0, &nothing, &blocks), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_take_next(&lab.p, 0, &hold, &pfn), PAGUS_BAD_VALUE);
	assert_true(pagus_step_look(&lab.p, 0, &nothing) == PAGUS_NO_PFN);
	assert_false(pagus_step_visit(&lab.p, 99, 0, PAGUS_ZONE_NORMAL, 0));
	assert_int_equal(pagus_step_keep(&lab.p, 0, 5, 0, true), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_put_back(&lab.p, PAGUS_NO_PFN, 0, 0), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_step_put_back(&lab.p, 0, 0, 99), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_step_to_head(&lab.p, PAGUS_NO_PFN, 0), PAGUS_BUSY);
	assert_int_equal(pagus_step_uncache(&lab.p, PAGUS_NO_PFN), PAGUS_BUSY);
	assert_true(pagus_step_first(&lab.p, 99, 0, 0) == PAGUS_NO_PFN);
	assert_true(pagus_step_last(&lab.p, 0, 0, 99) == PAGUS_NO_PFN);
	assert_int_equal(pagus_digest(&lab.p), before);
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
		cmocka_unit_test(ask_take_keep_is_a_refill),
		cmocka_unit_test(a_hold_ends_where_nothing_is_free),
		cmocka_unit_test(put_back_undoes_a_take),
		cmocka_unit_test(the_block_moved_to_the_head_is_taken_next),
		cmocka_unit_test(what_is_cached_is_found_and_taken_out),
		cmocka_unit_test(a_visit_remembers_the_high_mark),
		cmocka_unit_test(the_reserve_says_what_it_gives_back_next),
		cmocka_unit_test(an_empty_reserve_gives_nothing_back),
		cmocka_unit_test(a_pcp_remembers_what_it_is_told),
		cmocka_unit_test(no_repair_of_what_is_not_there),
		cmocka_unit_test(what_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
