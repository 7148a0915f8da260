/* SPDX-License-Identifier: MIT */
/*
 * How a decision is told: plan, zones, rows of both tables, and the arithmetic of the watermarks.
 */
#include <pagus/step.h>

#include "unit/world.h"

static const struct pagus_range zones[] = { { 0, 2048, 0, PAGUS_ZONE_BY_CEILING } };

/*
 * DMA32 below page 1024, Normal above. No pcp lists, so that each request tells of its own passes.
 */
static void open_two_zones(struct lab *lab)
{
	struct pagus_config cfg = lab_config(zones, 1, "nopcp");

	cfg.dma32_ceiling = 1024;
	unit_boot(lab, &cfg);
	lab_no_marks(lab);
	lab_listen(lab, PAGUS_DECISION_EVENTS);
}

static void expect_zone(const struct lab *lab, uint32_t n, uint32_t zone,
			enum pagus_verdict verdict)
{
	const struct pagus_event event = unit_event(lab, n, PAGUS_EVENT_ZONE_TRIED);

	assert_int_equal(event.zone, zone);
	assert_string_equal(pagus_verdict_name((enum pagus_verdict)event.b),
			    pagus_verdict_name(verdict));
}

static void expect_pass(const struct lab *lab, uint32_t n, const char *name,
			enum pagus_verdict verdict)
{
	const struct pagus_event event = unit_event(lab, n, PAGUS_EVENT_PASS_TRIED);
	const char *why = NULL;

	assert_string_equal(pagus_pass_name(&lab->p, event.a, &why), name);
	assert_true(strlen(why) > 10);
	assert_string_equal(pagus_verdict_name((enum pagus_verdict)event.b),
			    pagus_verdict_name(verdict));
}

/* Everything is movable: an unmovable request has no block of its own, and claims one. */
static void a_claim_is_told_row_by_row(void **state)
{
	struct pagus_event plan;
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_two_zones(&lab);
	pfn = unit_alloc(&lab, GFP_KERNEL, 2);
	plan = unit_event(&lab, 0, PAGUS_EVENT_PLAN);
	assert_int_equal(plan.b, PAGUS_ZONE_NORMAL);
	assert_int_equal(plan.order, 2);
	assert_true(unit_event(&lab, 1, PAGUS_EVENT_ZONE_WEIGHED).b);
	expect_pass(&lab, 2, "highatomic", PAGUS_VERDICT_NO_RIGHT);
	expect_pass(&lab, 3, "cma-balance", PAGUS_VERDICT_OTHER_TYPE);
	expect_pass(&lab, 4, "own", PAGUS_VERDICT_NO_BLOCK);
	expect_pass(&lab, 5, "cma", PAGUS_VERDICT_OTHER_TYPE);
	expect_pass(&lab, 6, "claim-block", PAGUS_VERDICT_SERVED);
	assert_int_equal(unit_event(&lab, 6, PAGUS_EVENT_PASS_TRIED).pfn, pfn);
	expect_zone(&lab, 7, 1, PAGUS_VERDICT_SERVED);
	assert_int_equal(unit_event(&lab, 7, PAGUS_EVENT_ZONE_TRIED).pfn, pfn);
	assert_int_equal(lab.nr_events, 8);
	unit_close(&lab);
}

/* CMA is first for movable requests while it is the larger half of what is free. */
static void cma_waits_for_its_majority(void **state)
{
	struct lab lab;

	(void)state;
	open_two_zones(&lab);
	unit_alloc(&lab, GFP_HIGHUSER_MOVABLE, 0);
	expect_pass(&lab, 3, "cma-balance", PAGUS_VERDICT_CMA_MINORITY);
	expect_pass(&lab, 4, "own", PAGUS_VERDICT_SERVED);
	unit_close(&lab);
}

/*
 * The reserve is for requesters, not for pcp lists; and what an earlier take of a hold has looked
 * for in vain is not what keeps a row from a request that it is not for.
 */
static void a_refill_says_why_it_leaves_the_reserve(void **state)
{
	struct pagus_step_hold hold = { .order = 0, .type = PAGUS_UNMOVABLE,
					.flags = 0x200 | 0x10 }; /* HIGHATOMIC | NON_BLOCK */
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_two_zones(&lab);
	assert_int_equal(pagus_step_take_next(&lab.p, 1, &hold, &pfn), PAGUS_OK);
	expect_pass(&lab, 0, "highatomic", PAGUS_VERDICT_REFILL);
	hold.flags = 0x100; /* NOFRAGMENT */
	for (uint32_t n = 1; n < 1024; n++)
		assert_int_equal(pagus_step_take_next(&lab.p, 1, &hold, &pfn), PAGUS_OK);
	lab.nr_events = 0;
	assert_int_equal(pagus_step_take_next(&lab.p, 1, &hold, &pfn), PAGUS_NO_MEMORY);
	expect_pass(&lab, 0, "highatomic", PAGUS_VERDICT_NO_RIGHT);
	expect_pass(&lab, 1, "cma-balance", PAGUS_VERDICT_OTHER_TYPE);
	expect_pass(&lab, 5, "claim-part", PAGUS_VERDICT_NOFRAGMENT);
	expect_pass(&lab, 6, "steal", PAGUS_VERDICT_NOFRAGMENT);
	expect_pass(&lab, 7, "reserve", PAGUS_VERDICT_NO_RIGHT);
	unit_close(&lab);
}

static void zones_are_told_until_one_serves(void **state)
{
	struct lab lab;

	(void)state;
	open_two_zones(&lab);
	unit_alloc(&lab, GFP_KERNEL, 9);
	unit_alloc(&lab, GFP_KERNEL, 9);
	lab.nr_events = 0;
	unit_alloc(&lab, GFP_KERNEL, 9);
	assert_false(unit_event(&lab, 1, PAGUS_EVENT_ZONE_WEIGHED).b);
	expect_zone(&lab, 2, 1, PAGUS_VERDICT_BELOW_MARK);
	assert_true(unit_event(&lab, 3, PAGUS_EVENT_ZONE_WEIGHED).b);
	expect_pass(&lab, 4, "highatomic", PAGUS_VERDICT_NO_RIGHT);
	expect_zone(&lab, lab.nr_events - 1, 0, PAGUS_VERDICT_SERVED);
	/* Both in vain, with and without mixing; then the slow path. */
	lab.nr_events = 0;
	unit_no_memory(&lab, GFP_NOWAIT, 10);
	for (uint32_t n = 1; n <= 4; n++)
		expect_zone(&lab, 2 * n, n % 2, PAGUS_VERDICT_BELOW_MARK);
	assert_string_equal(pagus_slow_row_name(unit_event(&lab, 9, PAGUS_EVENT_SLOW_STEP).a),
			    "start");
	assert_string_equal(pagus_slow_row_name(
		unit_event(&lab, lab.nr_events - 1, PAGUS_EVENT_SLOW_STEP).a), "refuse");
	unit_close(&lab);
}

static void a_listener_may_weigh_the_zone(void **state)
{
	const struct pagus_range range = { 0, 4096, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "nopcp");
	struct world *w = world_boot(&cfg);
	struct pagus_weight weight;

	(void)state;
	world_marks(w, 0, 1000, 100);
	assert_int_equal(pagus_weigh(&w->lab.p, 0, 3, PAGUS_ZONE_NORMAL, PAGUS_WMARK_LOW, &weight),
			 PAGUS_OK);
	assert_int_equal(weight.free, 4096);
	assert_int_equal(weight.unusable, 7);
	assert_int_equal(weight.mark, 1100);
	assert_int_equal(weight.min, 1100);
	assert_int_equal(weight.reserve, 0);
	/* MIN_RESERVE | NON_BLOCK: a half, and a quarter of the rest. */
	assert_int_equal(pagus_weigh(&w->lab.p, 0, 0, PAGUS_ZONE_NORMAL, 0x30, &weight), PAGUS_OK);
	assert_int_equal(weight.mark, 1000);
	assert_int_equal(weight.min, 375);
	assert_int_equal(pagus_weigh(&w->lab.p, 1, 0, 0, 0, &weight), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_weigh(&w->lab.p, 0, 11, 0, 0, &weight), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_weigh(&w->lab.p, 0, 0, PAGUS_NR_ZONE_TYPES, 0, &weight),
			 PAGUS_BAD_VALUE);
	world_close(w);
}

static void names_end_where_the_tables_end(void **state)
{
	char text[16];
	struct lab lab;

	(void)state;
	open_two_zones(&lab);
	assert_null(pagus_pass_name(&lab.p, 8, NULL));
	assert_null(pagus_slow_row_name(1000));
	assert_string_equal(pagus_verdict_name(PAGUS_NR_VERDICTS), "?");
	assert_int_equal(pagus_alloc_flags_text(0x881, text, sizeof(text)), 20);
	assert_string_equal(text, "WMARK_LOW|CMA|K");
	assert_int_equal(pagus_alloc_flags_text(4, NULL, 0), 23);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_claim_is_told_row_by_row),
		cmocka_unit_test(cma_waits_for_its_majority),
		cmocka_unit_test(a_refill_says_why_it_leaves_the_reserve),
		cmocka_unit_test(zones_are_told_until_one_serves),
		cmocka_unit_test(a_listener_may_weigh_the_zone),
		cmocka_unit_test(names_end_where_the_tables_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
