/* SPDX-License-Identifier: MIT */
/* Which events a call raises, and in which sequence. */
#include "unit/unit.h"

#include <string.h>

static const struct pagus_range zone_4096 = { 0, 4096, 0, PAGUS_ZONE_BY_CEILING };

static void boot(struct lab *lab, const char *policy)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, policy);

	unit_boot(lab, &cfg);
	unit_limits(lab, 0, 4, 16, 16);
	lab_listen(lab, UNIT_ALL_EVENTS);
}

/* The log as one letter an event. */
static void expect_sequence(const struct lab *lab, const char *want)
{
	static const char letters[] = "AFLPXUTRDBK";
	char got[256] = "";

	for (uint32_t n = 0; n < lab->nr_events && n < sizeof(got) - 1; n++) {
		assert_true(lab->log[n].id < strlen(letters));
		got[n] = letters[lab->log[n].id];
	}
	assert_string_equal(got, want);
}

static void a_hit_says_alloc_alone(void **state)
{
	struct pagus_event event;
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	unit_alloc(&lab, GFP_USER_PAGE, 0);
	lab_listen(&lab, UNIT_ALL_EVENTS);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 1);
	expect_sequence(&lab, "A");
	event = lab.log[0];
	assert_int_equal(event.pfn, 1);
	assert_int_equal(event.order, 0);
	assert_int_equal(event.migratetype, PAGUS_MOVABLE);
	assert_int_equal(event.zone, 0);
	assert_int_equal(event.cpu, 0);
	assert_int_equal(event.a, GFP_USER_PAGE);
	assert_int_equal(event.b, PAGUS_OK);
	unit_close(&lab);
}

static void a_refill_says_its_pages_then_itself_then_alloc(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	unit_alloc(&lab, GFP_USER_PAGE, 0);
	expect_sequence(&lab, "LLLLRA");
	for (uint32_t n = 0; n < 4; n++) {
		assert_int_equal(lab.log[n].pfn, n);
		assert_int_equal(lab.log[n].order, 0);
		assert_int_equal(lab.log[n].migratetype, PAGUS_MOVABLE);
		assert_int_equal(lab.log[n].a, 1); /* an order that pcps cache */
	}
	assert_int_equal(lab.log[4].a, 4);
	assert_int_equal(lab.log[4].b, 4);
	unit_close(&lab);
}

static void a_refill_by_claim_says_retype_and_extfrag(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	unit_alloc(&lab, GFP_RECLAIM_SLAB, 0);
	expect_sequence(&lab, "TTXLLLRA");
	unit_close(&lab);
}

static void an_order_that_is_not_cached_says_one_group(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	unit_alloc(&lab, GFP_USER_PAGE, 5);
	expect_sequence(&lab, "LA");
	assert_int_equal(lab.log[0].a, 0);
	lab_listen(&lab, UNIT_ALL_EVENTS);
	unit_alloc(&lab, GFP_KERNEL, 10);
	expect_sequence(&lab, "TTXA");
	unit_close(&lab);
}

static void a_free_comes_before_its_drain(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	/* Refills of 4, 8 and, for want of room, 12: the pcp is empty then. */
	for (uint32_t n = 0; n < 24; n++)
		assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), n);
	for (uint32_t n = 0; n < 15; n++)
		unit_free(&lab, n, 0);
	lab_listen(&lab, UNIT_ALL_EVENTS);
	unit_free(&lab, 15, 0);
	/* free_count 16 is held to high - batch = 12: three pieces of a batch. */
	expect_sequence(&lab, "FDPPPPDPPPPDPPPP");
	assert_int_equal(lab.log[0].pfn, 15);
	assert_int_equal(lab.log[1].a, 4);
	assert_int_equal(lab.log[1].b, PAGUS_REASON_OVERFLOW);
	assert_true(lab.log[1].pfn == PAGUS_NO_PFN);
	assert_int_equal(lab.log[2].pfn, 0);
	lab_listen(&lab, UNIT_ALL_EVENTS);
	pagus_drain_all(&lab.p);
	expect_sequence(&lab, "DPPPP");
	assert_int_equal(lab.log[0].b, PAGUS_REASON_DRAIN);
	unit_close(&lab);
}

static void a_failure_says_alloc_with_all_ones(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "nopcp");
	for (uint32_t n = 0; n < 4; n++)
		unit_alloc(&lab, GFP_USER_PAGE, 10);
	lab_listen(&lab, UNIT_ALL_EVENTS);
	unit_no_memory(&lab, GFP_USER_PAGE, 0);
	expect_sequence(&lab, "A");
	assert_true(lab.log[0].pfn == UINT64_MAX);
	assert_int_equal(lab.log[0].zone, 255);
	assert_int_equal(lab.log[0].b, PAGUS_NO_MEMORY);
	unit_close(&lab);
}

/* Replaying zone_locked, extfrag and drain gives the number of free pages. */
static void the_events_of_a_zone_add_up(void **state)
{
	uint64_t seed = 3, taken = 0, given = 0;
	pagus_pfn_t held[256];
	uint32_t nr_held = 0;
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	for (uint32_t n = 0; n < 2000; n++) {
		if (nr_held < NR_OF(held) && lab_random(&seed, 2))
			held[nr_held++] = unit_alloc(&lab, unit_gfp((uint32_t)lab_random(&seed, 3)),
						     1);
		else if (nr_held)
			unit_free(&lab, held[--nr_held], 1);
	}
	assert_true(lab.nr_events <= LAB_LOG_EVENTS);
	for (uint32_t n = 0; n < lab.nr_events; n++) {
		const struct pagus_event *event = &lab.log[n];
		/* A claim of part of a pageblock raises both. */
		bool both = n > 0 && event->id == PAGUS_EVENT_EXTFRAG &&
			    lab.log[n - 1].id == PAGUS_EVENT_ZONE_LOCKED &&
			    lab.log[n - 1].pfn == event->pfn;

		if (event->id == PAGUS_EVENT_ZONE_LOCKED ||
		    (event->id == PAGUS_EVENT_EXTFRAG && !both))
			taken += UINT64_C(1) << event->order;
		else if (event->id == PAGUS_EVENT_PCPU_DRAIN)
			given += UINT64_C(1) << event->order;
	}
	assert_true(taken > 0 && given > 0);
	assert_int_equal(unit_zone(&lab, 0).free_pages, 4096 - taken + given);
	unit_close(&lab);
}

static void only_what_the_mask_names_is_told(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	lab_listen(&lab, 1u << PAGUS_EVENT_FREE);
	unit_free(&lab, unit_alloc(&lab, GFP_USER_PAGE, 0), 0);
	expect_sequence(&lab, "F");
	pagus_listen(&lab.p, NULL, NULL, UNIT_ALL_EVENTS);
	unit_free(&lab, unit_alloc(&lab, GFP_USER_PAGE, 0), 0);
	assert_int_equal(lab.nr_events, 1);
	unit_close(&lab);
}

static void listening_changes_nothing(void **state)
{
	uint64_t digest[2];

	(void)state;
	for (uint32_t quiet = 0; quiet < 2; quiet++) {
		uint64_t seed = 11;
		struct lab lab;

		boot(&lab, "linux");
		if (quiet)
			pagus_listen(&lab.p, NULL, NULL, 0);
		for (uint32_t n = 0; n < 500; n++) {
			pagus_pfn_t pfn = unit_alloc(&lab, unit_gfp((uint32_t)lab_random(&seed, 3)),
						     0);

			if (n % 3)
				unit_free(&lab, pfn, 0);
		}
		digest[quiet] = pagus_digest(&lab.p);
		unit_close(&lab);
	}
	assert_true(digest[0] == digest[1]);
}

static void every_row_of_every_table_has_a_name(void **state)
{
	(void)state;
#define EXPECT_NAMES(type, nr, name)                                                               \
	do {                                                                                      \
		for (int n = 0; n < (int)(nr); n++) {                                             \
			assert_true(strlen(name((type)n)) > 1);                                   \
			for (int m = 0; m < n; m++)                                               \
				assert_string_not_equal(name((type)n), name((type)m));            \
		}                                                                                 \
		assert_string_equal(name((type)(nr)), "?");                                       \
	} while (0)
	EXPECT_NAMES(enum pagus_status, PAGUS_NR_STATUSES, pagus_status_text);
	EXPECT_NAMES(enum pagus_event_id, PAGUS_NR_EVENTS, pagus_event_name);
	EXPECT_NAMES(enum pagus_counter, PAGUS_NR_COUNTERS, pagus_counter_name);
	EXPECT_NAMES(enum pagus_counter, PAGUS_NR_COUNTERS, pagus_counter_text);
	EXPECT_NAMES(enum pagus_tunable, PAGUS_NR_TUNABLES, pagus_tunable_name);
	EXPECT_NAMES(enum pagus_lock_reason, PAGUS_NR_LOCK_REASONS, pagus_lock_reason_name);
	EXPECT_NAMES(enum pagus_zone_type, PAGUS_NR_ZONE_TYPES, pagus_zone_name);
	EXPECT_NAMES(enum pagus_migratetype, PAGUS_NR_MIGRATETYPES, pagus_migratetype_name);
#undef EXPECT_NAMES
	for (int n = 1; n <= 15; n++)
		assert_true(strlen(pagus_invariant_text(n)) > 1);
	assert_string_equal(pagus_invariant_text(0), "all hold");
	assert_string_equal(pagus_invariant_text(1000), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hit_says_alloc_alone),
		cmocka_unit_test(a_refill_says_its_pages_then_itself_then_alloc),
		cmocka_unit_test(a_refill_by_claim_says_retype_and_extfrag),
		cmocka_unit_test(an_order_that_is_not_cached_says_one_group),
		cmocka_unit_test(a_free_comes_before_its_drain),
		cmocka_unit_test(a_failure_says_alloc_with_all_ones),
		cmocka_unit_test(the_events_of_a_zone_add_up),
		cmocka_unit_test(only_what_the_mask_names_is_told),
		cmocka_unit_test(listening_changes_nothing),
		cmocka_unit_test(every_row_of_every_table_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
