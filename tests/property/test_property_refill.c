/* SPDX-License-Identifier: MIT */
/* How many blocks a pcp list is refilled with. */
#include "unit/unit.h"

/* The first request of a zone that is one movable block of the largest order. */
static void worked_example(void **state)
{
	const struct pagus_range range = { 4096, 1024, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	const pagus_pfn_t base = 4096;
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	unit_limits(&lab, 0, 63, 252, 1000);
	lab_listen(&lab, UNIT_ALL_EVENTS);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), base);
	assert_int_equal(unit_pcp(&lab, 0, 0).alloc_factor, 1);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 62);
	/* Two pageblocks retyped, the claim, 62 more pages, the refill, the answer. */
	assert_int_equal(lab.nr_events, 2 + 1 + 62 + 1 + 1);
	assert_int_equal(unit_event(&lab, 2, PAGUS_EVENT_EXTFRAG).a, 10);
	assert_int_equal(lab.log[2].b, PAGUS_MOVABLE | UNIT_CLAIMED);
	for (uint32_t n = 1; n <= 62; n++)
		assert_int_equal(unit_event(&lab, 2 + n, PAGUS_EVENT_ZONE_LOCKED).pfn, base + n);
	for (uint32_t n = 1; n <= 62; n++)
		assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), base + n);
	unit_free(&lab, base + 5, 0);
	unit_free(&lab, base + 2, 0);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), base + 2);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), base + 5);
	unit_close(&lab);
}

/* How many blocks each of the next refills of the order asks for; everything granted is kept. */
static void expect_refills(struct lab *lab, uint32_t order, const uint32_t *want, uint32_t nr)
{
	lab_listen(lab, 1u << PAGUS_EVENT_REFILL);
	for (uint32_t n = 0; n < nr; n++) {
		struct pagus_event event;

		unit_alloc(lab, GFP_USER_PAGE, order);
		event = unit_event(lab, n, PAGUS_EVENT_REFILL);
		assert_int_equal(event.a, want[n]);
		assert_int_equal(event.b, want[n]);
		for (uint32_t k = 1; k < want[n]; k++)
			unit_alloc(lab, GFP_USER_PAGE, order);
		assert_int_equal(lab->nr_events, n + 1);
		assert_int_equal(unit_pcp(lab, 0, 0).count, 0);
	}
}

static void property_26_refills_double(void **state)
{
	static const uint32_t want[] = { 63, 126, 252, 504, 1008, 2016, 2016 };
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 63, 252, 1u << 20);
	expect_refills(&lab, 0, want, NR_OF(want));
	unit_close(&lab);
}

static void property_26_a_free_halves_the_doubling(void **state)
{
	static const uint32_t want[] = { 63, 126, 252 };
	pagus_pfn_t pfn;
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 63, 252, 1u << 20);
	expect_refills(&lab, 0, want, NR_OF(want));
	pfn = unit_alloc(&lab, GFP_USER_PAGE, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).alloc_factor, 4);
	unit_free(&lab, pfn, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).alloc_factor, 2);
	unit_free(&lab, unit_alloc(&lab, GFP_USER_PAGE, 0), 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).alloc_factor, 1);
	unit_close(&lab);
}

static void property_26_refills_are_bounded_by_room(void **state)
{
	/* room = high - count - batch = 252 - 0 - 63 = 189; no doubling beyond it. */
	static const uint32_t want[] = { 63, 126, 189, 189 };
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 63, 252, 252);
	expect_refills(&lab, 0, want, NR_OF(want));
	assert_int_equal(unit_pcp(&lab, 0, 0).alloc_factor, 2);
	unit_close(&lab);
}

/*
 * A batch that just fits the room is doubled next time; high equal to the batch is enough to
 * refill.
 */
static void property_26_a_refill_may_fill_the_room(void **state)
{
	static const uint32_t want[] = { 63, 63 }, least[] = { 4, 4 };
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 63, 126, 126);
	expect_refills(&lab, 0, want, NR_OF(want));
	assert_int_equal(unit_pcp(&lab, 0, 0).alloc_factor, 1);
	unit_close(&lab);
	unit_boot_pcp(&lab, 4, 4, 4);
	expect_refills(&lab, 0, least, NR_OF(least));
	unit_close(&lab);
}

static void property_26_a_batch_of_one_asks_for_one_block(void **state)
{
	static const uint32_t one[] = { 1, 1 };

	(void)state;
	for (uint32_t order = 1; order <= 3; order++) {
		struct lab lab;

		unit_boot_pcp(&lab, 1, 4, 4);
		expect_refills(&lab, order, one, NR_OF(one));
		unit_close(&lab);
	}
}

static void property_26_room_counts_the_pages_of_all_lists(void **state)
{
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 63, 400, 400);
	lab_listen(&lab, 1u << PAGUS_EVENT_REFILL);
	for (uint32_t type = 0; type < 3; type++)
		unit_alloc(&lab, unit_gfp(type), 0);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_REFILL).a, 63);
	assert_int_equal(unit_event(&lab, 1, PAGUS_EVENT_REFILL).a, 126);
	/* 252 wanted; 62 + 125 pages are there already. */
	assert_int_equal(unit_event(&lab, 2, PAGUS_EVENT_REFILL).a, 400 - (62 + 125) - 63);
	unit_close(&lab);
}

static void property_26_larger_orders_ask_for_a_batch_of_pages(void **state)
{
	static const struct {
		uint32_t order, want[2];
	} rows[] = {
		{ 1, { 63 >> 1, 63 >> 1 } },
		{ 2, { 63 >> 2, 63 >> 2 } },
		{ 3, { 63 >> 3, 63 >> 3 } },
		{ 9, { 2, 2 } },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct lab lab;

		unit_boot_pcp(&lab, 63, 252, 1u << 20);
		expect_refills(&lab, rows[n].order, rows[n].want, 2);
		assert_int_equal(unit_pcp(&lab, 0, 0).alloc_factor, 0);
		unit_close(&lab);
	}
}

static void property_26_high_rises_with_refills_but_not_below_the_high_mark(void **state)
{
	(void)state;
	for (uint32_t below = 0; below < 2; below++) {
		struct pagus_zone_seed seed = {
			.present = 8192, .managed = 8192, .pcp_batch = 63, .pcp_high_min = 252,
			.pcp_high_max = 5000, .wmark = { 0, 0, below ? 9000 : 0, 9000 },
		};
		struct lab lab;

		unit_boot_pcp(&lab, 63, 252, 5000);
		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
		unit_alloc(&lab, GFP_USER_PAGE, 0);
		assert_int_equal(unit_pcp(&lab, 0, 0).high, below ? 252 : 252 + 63);
		unit_close(&lab);
	}
}

static void property_26_before_boot_is_done_a_refill_brings_one_block(void **state)
{
	static const uint32_t one[] = { 1, 1, 1 };
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 1, 0, 0);
	expect_refills(&lab, 0, one, NR_OF(one));
	unit_free(&lab, unit_alloc(&lab, GFP_USER_PAGE, 0), 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 0);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worked_example),
		cmocka_unit_test(property_26_refills_double),
		cmocka_unit_test(property_26_a_free_halves_the_doubling),
		cmocka_unit_test(property_26_refills_are_bounded_by_room),
		cmocka_unit_test(property_26_a_refill_may_fill_the_room),
		cmocka_unit_test(property_26_a_batch_of_one_asks_for_one_block),
		cmocka_unit_test(property_26_room_counts_the_pages_of_all_lists),
		cmocka_unit_test(property_26_larger_orders_ask_for_a_batch_of_pages),
		cmocka_unit_test(property_26_high_rises_with_refills_but_not_below_the_high_mark),
		cmocka_unit_test(property_26_before_boot_is_done_a_refill_brings_one_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
