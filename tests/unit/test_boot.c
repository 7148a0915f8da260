/* SPDX-License-Identifier: MIT */
/* Handing memory over. */
#include "unit/unit.h"

#include <string.h>

#define ZONE_PAGES 4096

static const struct pagus_range whole = { 0, ZONE_PAGES, 0, PAGUS_ZONE_BY_CEILING };

static void pieces_merge_with_what_was_handed_over_before(void **state)
{
	const struct pagus_config cfg = lab_config(&whole, 1, "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_boot_free(&lab.p, 4, 4), PAGUS_OK);
	assert_int_equal(pagus_boot_free(&lab.p, 0, 4), PAGUS_OK);
	unit_expect_list(&lab, 0, 3, PAGUS_MOVABLE, PFNS(0));
	unit_expect_list(&lab, 0, 2, PAGUS_MOVABLE, NO_PFNS);
	unit_close(&lab);
}

static void boot_cuts_at_a_zone_inside_another_zones_span(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 4, 0, PAGUS_ZONE_NORMAL },
		{ 4, 4, 0, PAGUS_ZONE_MOVABLE },
		{ 8, 8, 0, PAGUS_ZONE_NORMAL },
	};
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_boot_free(&lab.p, 0, 16), PAGUS_OK);
	unit_check(&lab);
	unit_expect_list(&lab, 0, 2, PAGUS_MOVABLE, PFNS(0));
	unit_expect_list(&lab, 0, 3, PAGUS_MOVABLE, PFNS(8));
	unit_expect_list(&lab, 1, 2, PAGUS_MOVABLE, PFNS(4));
	unit_close(&lab);
}

static void expect_refused(struct lab *lab, enum pagus_status want, uint64_t start, uint64_t nr)
{
	uint64_t digest = pagus_digest(&lab->p);

	assert_int_equal(pagus_boot_free(&lab->p, start, nr), want);
	assert_int_equal(pagus_inherit(&lab->p, start, nr, PAGUS_MOVABLE), want);
	assert_true(pagus_digest(&lab->p) == digest);
}

static void only_reserved_pages_can_be_handed_over(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 100, 0, PAGUS_ZONE_BY_CEILING }, { 200, 824, 0, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	expect_refused(&lab, PAGUS_BAD_RANGE, 0, 0);
	expect_refused(&lab, PAGUS_BAD_RANGE, 0, 101);
	expect_refused(&lab, PAGUS_BAD_RANGE, 150, 10);
	expect_refused(&lab, PAGUS_BAD_RANGE, 1000, 25);
	expect_refused(&lab, PAGUS_BAD_RANGE, 5000, 1);
	expect_refused(&lab, PAGUS_BAD_RANGE, 0, UINT64_MAX);
	assert_int_equal(pagus_boot_free(&lab.p, 10, 10), PAGUS_OK);
	expect_refused(&lab, PAGUS_BUSY, 0, 20);
	expect_refused(&lab, PAGUS_BUSY, 10, 10);
	unit_close(&lab);
}

static void seed_and_free_used(const char *policy)
{
	const struct pagus_config cfg = lab_config(&whole, 1, policy);
	struct pagus_page_info page;
	struct lab lab;
	pagus_pfn_t where;

	unit_open(&lab, &cfg);
	assert_int_equal(pagus_seed_used(&lab.p, 0, 3, PAGUS_MOVABLE), PAGUS_OK);
	assert_int_equal(pagus_seed_used(&lab.p, 4, 0, PAGUS_MOVABLE), PAGUS_BUSY);
	unit_inherit(&lab, 9, 7, PAGUS_MOVABLE);
	assert_int_equal(pagus_seed_used(&lab.p, 8, 0, PAGUS_UNMOVABLE), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	assert_int_equal(pagus_page_info(&lab.p, 0, &page), PAGUS_OK);
	assert_int_equal(page.kind, PAGUS_PAGE_ALLOCATED);
	assert_int_equal(page.order, 3);
	assert_int_equal(page.request_type, PAGUS_MOVABLE);
	assert_int_equal(unit_zone(&lab, 0).managed, 16);
	assert_int_equal(pagus_check(&lab.p, &where), 0);
	assert_int_equal(pagus_free_pages(&lab.p, 0, 2), PAGUS_WRONG_ORDER);
	assert_int_equal(pagus_free_pages(&lab.p, 8, 3), PAGUS_WRONG_ORDER);
	unit_free(&lab, 0, 3);
	unit_free(&lab, 8, 0);
	pagus_drain_all(&lab.p);
	assert_int_equal(unit_zone(&lab, 0).free_pages, 9);
	unit_close(&lab);
}

static void used_blocks_are_freed_with_their_order(void **state)
{
	(void)state;
	seed_and_free_used("nopcp");
	seed_and_free_used("linux");
	seed_and_free_used("pcpbuddy");
	seed_and_free_used("pcpbuddy-bitmap");
	seed_and_free_used("superpageblock");
}

static void inherited_pages_are_in_use_and_freed_at_any_order(void **state)
{
	const struct pagus_config cfg = lab_config(&whole, 1, "nopcp");
	struct pagus_page_info page;
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_inherit(&lab.p, 0, 16, PAGUS_HIGHATOMIC), PAGUS_BAD_VALUE);
	unit_inherit(&lab, 0, 16, PAGUS_RECLAIMABLE);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	assert_int_equal(pagus_page_info(&lab.p, 15, &page), PAGUS_OK);
	assert_int_equal(page.kind, PAGUS_PAGE_INHERITED);
	assert_int_equal(page.request_type, PAGUS_RECLAIMABLE);
	assert_int_equal(unit_zone(&lab, 0).managed, 16);
	assert_int_equal(unit_zone(&lab, 0).free_pages, 0);
	unit_free(&lab, 8, 3);
	unit_free(&lab, 0, 0);
	unit_free(&lab, 2, 1);
	assert_int_equal(pagus_free_pages(&lab.p, 0, 3), PAGUS_DOUBLE_FREE);
	assert_int_equal(pagus_free_pages(&lab.p, 4, 4), PAGUS_BAD_ALIGN);
	assert_int_equal(pagus_free_pages(&lab.p, 4, 2), PAGUS_OK);
	unit_free(&lab, 1, 0);
	unit_expect_list(&lab, 0, 4, PAGUS_MOVABLE, PFNS(0));
	unit_close(&lab);
}

static void inherited_pages_cannot_be_freed_beyond_their_end(void **state)
{
	const struct pagus_config cfg = lab_config(&whole, 1, "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_inherit(&lab, 0, 6, PAGUS_MOVABLE);
	assert_int_equal(pagus_free_pages(&lab.p, 0, 3), PAGUS_WRONG_ORDER);
	assert_int_equal(pagus_free_pages(&lab.p, 0, 2), PAGUS_OK);
	unit_close(&lab);
}

static void boot_done_is_idempotent(void **state)
{
	static const struct pagus_range range = { 0, 65536, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, "linux");

	(void)state;
	for (uint32_t thp = 0; thp < 2; thp++) {
		struct lab lab;
		uint64_t digest;

		cfg.thp = thp;
		unit_boot(&lab, &cfg);
		digest = pagus_digest(&lab.p);
		assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
		assert_true(pagus_digest(&lab.p) == digest);
		unit_close(&lab);
	}
}

static void nothing_is_granted_before_boot_is_done(void **state)
{
	const struct pagus_config cfg = lab_config(&whole, 1, "linux");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_boot_free(&lab.p, 0, ZONE_PAGES), PAGUS_OK);
	unit_no_memory(&lab, GFP_KERNEL, 0);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	unit_alloc(&lab, GFP_KERNEL, 0);
	unit_close(&lab);
}

/* Marks that were recorded stay, unless what they are computed from is set. */
static void tunables_set_marks_that_are_theirs(void **state)
{
	const struct pagus_config cfg = lab_config(&whole, 1, "superpageblock");
	const struct pagus_zone_seed seed = {
		.spanned = ZONE_PAGES, .present = ZONE_PAGES, .managed = ZONE_PAGES,
		.wmark = { 11, 22, 33, 44 },
	};
	uint32_t nr = 0;

	(void)state;
	for (uint32_t t = 0; t < PAGUS_NR_TUNABLES; t++) {
		struct pagus_zone_info zone;
		struct lab lab;

		unit_open(&lab, &cfg);
		pagus_boot_done(&lab.p);
		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
		assert_int_equal(pagus_tunable_set(&lab.p, (enum pagus_tunable)t,
						   pagus_tunable_get(&lab.p, (enum pagus_tunable)t)), PAGUS_OK);
		pagus_zone_info(&lab.p, 0, &zone);
		nr += memcmp(zone.wmark, seed.wmark, sizeof(seed.wmark)) != 0;
		unit_close(&lab);
	}
	/* Two of the marks, two of pcp limits, and five reserves. */
	assert_int_equal(nr, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_merge_with_what_was_handed_over_before),
		cmocka_unit_test(boot_cuts_at_a_zone_inside_another_zones_span),
		cmocka_unit_test(only_reserved_pages_can_be_handed_over),
		cmocka_unit_test(inherited_pages_are_in_use_and_freed_at_any_order),
		cmocka_unit_test(used_blocks_are_freed_with_their_order),
		cmocka_unit_test(inherited_pages_cannot_be_freed_beyond_their_end),
		cmocka_unit_test(boot_done_is_idempotent),
		cmocka_unit_test(nothing_is_granted_before_boot_is_done),
		cmocka_unit_test(tunables_set_marks_that_are_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
