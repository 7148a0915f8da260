/* SPDX-License-Identifier: MIT */
/* What the port is told to do with content, and what becomes of blocks that are found bad. */
#include "unit/unit.h"

#include <string.h>

static const struct pagus_range range = { 0, 2048, 0, PAGUS_ZONE_BY_CEILING };
static const uint32_t bad_events = 1u << PAGUS_EVENT_BAD_PAGE;

/* One letter a call: z zero, p poison, c check_poison, f check at a free, a at an allocation. */
static struct { char calls[64]; uint32_t nr; uint64_t pfn; uint32_t order; } told;
static uint64_t bad_pfn;            /* the block at it is bad */
static enum pagus_check bad_when;
static bool poison_is_whole;

static void note(char what, uint64_t pfn, uint32_t order)
{
	if (told.nr < sizeof(told.calls) - 1)
		told.calls[told.nr++] = what;
	told.pfn = pfn;
	told.order = order;
}

static void zero(void *ctx, uint64_t pfn, uint32_t order)
{
	(void)ctx;
	note('z', pfn, order);
}

static void poison(void *ctx, uint64_t pfn, uint32_t order)
{
	(void)ctx;
	note('p', pfn, order);
}

static bool check_poison(void *ctx, uint64_t pfn, uint32_t order)
{
	(void)ctx;
	note('c', pfn, order);
	return poison_is_whole;
}

static int check(void *ctx, uint64_t pfn, uint32_t order, enum pagus_check when)
{
	(void)ctx;
	note(when == PAGUS_CHECK_FREE ? 'f' : 'a', pfn, order);
	return pfn == bad_pfn && when == bad_when ? 42 : 0;
}

static struct pagus_port port;

struct tuning {
	bool init_on_alloc, init_on_free, page_poison;
};

static void open_lab(struct lab *lab, const char *policy, struct tuning tuning)
{
	const struct pagus_config cfg = lab_config(&range, 1, policy);

	port = pagus_sim_port;
	port.zero = zero;
	port.poison = poison;
	port.check_poison = check_poison;
	bad_pfn = PAGUS_NO_PFN;
	poison_is_whole = true;
	unit_open(lab, &cfg);
	lab->p.port = &port;
	pagus_tunable_set(&lab->p, PAGUS_TUNABLE_init_on_alloc, tuning.init_on_alloc);
	pagus_tunable_set(&lab->p, PAGUS_TUNABLE_init_on_free, tuning.init_on_free);
	pagus_tunable_set(&lab->p, PAGUS_TUNABLE_page_poison, tuning.page_poison);
	memset(&told, 0, sizeof(told));
	assert_int_equal(lab_hand_over(lab, &cfg), PAGUS_OK);
	unit_limits(lab, 0, 4, 16, 16);
}

static void expect_told(const char *want)
{
	assert_string_equal(told.calls, want);
	memset(&told, 0, sizeof(told));
}

static void content_is_written_where_the_tunables_say(void **state)
{
	static const struct {
		struct tuning tuning;
		const char *boot, *alloc, *alloc_zero, *free;
	} rows[] = {
		{ { 0, 0, 0 }, "", "", "z", "" },      { { 1, 0, 0 }, "", "z", "z", "" },
		/* What was zeroed when it became free is not zeroed again. */
		{ { 0, 1, 0 }, "zz", "", "", "z" },    { { 1, 1, 0 }, "zz", "", "", "z" },
		/* Poison turns both off, but not __GFP_ZERO. */
		{ { 0, 0, 1 }, "pp", "c", "cz", "p" }, { { 1, 0, 1 }, "pp", "c", "cz", "p" },
		{ { 0, 1, 1 }, "pp", "c", "cz", "p" }, { { 1, 1, 1 }, "pp", "c", "cz", "p" },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct lab lab;
		pagus_pfn_t pfn;

		open_lab(&lab, "linux", rows[n].tuning);
		expect_told(rows[n].boot);
		unit_free(&lab, unit_alloc(&lab, GFP_KERNEL, 2), 2);
		memset(&told, 0, sizeof(told));
		pfn = unit_alloc(&lab, GFP_KERNEL, 2);
		assert_true(!told.nr || (told.pfn == pfn && told.order == 2));
		expect_told(rows[n].alloc);
		unit_free(&lab, pfn, 2);
		assert_true(!told.nr || (told.pfn == pfn && told.order == 2));
		expect_told(rows[n].free);
		unit_alloc(&lab, GFP_KERNEL | __GFP_ZERO, 3);
		expect_told(rows[n].alloc_zero);
		unit_close(&lab);
	}
}

static void every_way_in_and_out_is_covered(void **state)
{
	pagus_pfn_t pfns[] = { PAGUS_NO_PFN, PAGUS_NO_PFN, PAGUS_NO_PFN }, pfn;
	struct pagus_result res;
	struct lab lab;

	(void)state;
	open_lab(&lab, "linux", (struct tuning){ .page_poison = true });
	memset(&told, 0, sizeof(told));
	assert_int_equal(pagus_alloc_bulk(&lab.p, GFP_KERNEL | __GFP_ZERO, 0, 3, pfns), 3);
	expect_told("czczcz");
	assert_int_equal(pagus_free_bulk(&lab.p, pfns, 3), 3);
	expect_told("ppp");
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_KERNEL, 5, &pfn), PAGUS_OK);
	expect_told("cppp");
	assert_int_equal(pagus_free_exact(&lab.p, pfn, 5), PAGUS_OK);
	expect_told("ppppp");
	/* Nobody asked for zeroes, and yet: who cannot wait cannot write either, later. */
	assert_int_equal(pagus_alloc_nolock(&lab.p, 0, 1, &res), PAGUS_OK);
	expect_told("cz");
	assert_int_equal(pagus_free_nolock(&lab.p, res.pfn, 1), PAGUS_OK);
	expect_told("p");
	pfn = unit_alloc(&lab, GFP_KERNEL, 2);
	assert_int_equal(pagus_get_page(&lab.p, pfn), PAGUS_OK);
	assert_int_equal(pagus_put_pages(&lab.p, pfn, 2), PAGUS_OK);
	expect_told("cpp");
	unit_close(&lab);
}

static void overwritten_poison_is_told_and_the_block_handed_out(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_lab(&lab, "linux", (struct tuning){ .page_poison = true });
	poison_is_whole = false;
	lab_listen(&lab, bad_events);
	pfn = unit_alloc(&lab, GFP_KERNEL, 1);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_BAD_PAGE).pfn, pfn);
	assert_int_equal(lab.log[0].b, PAGUS_CHECK_POISON);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_bad_poison), 1);
	assert_int_equal(unit_zone(&lab, 0).leaked_pages, 0);
	unit_close(&lab);
}

static void content_is_decided_before_the_first_page(void **state)
{
	struct lab lab;
	uint64_t digest;

	(void)state;
	open_lab(&lab, "linux", (struct tuning){ .init_on_free = true });
	digest = pagus_digest(&lab.p);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_page_poison, 1), PAGUS_BUSY);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_init_on_alloc, 1), PAGUS_BUSY);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_init_on_free, 0), PAGUS_BUSY);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_init_on_free, 2),
			 PAGUS_BAD_VALUE);
	assert_true(pagus_digest(&lab.p) == digest);
	unit_close(&lab);
}

static void a_port_without_the_calls_is_not_asked(void **state)
{
	struct lab lab;

	(void)state;
	open_lab(&lab, "linux", (struct tuning){ .page_poison = true });
	port = pagus_sim_port;
	unit_free(&lab, unit_alloc(&lab, GFP_KERNEL | __GFP_ZERO, 0), 0);
	unit_close(&lab);
}

/* ---- page checks ----------------------------------------------------------------------------- */

static void open_checked(struct lab *lab, const char *policy)
{
	open_lab(lab, policy, (struct tuning){ 0 });
	port.check = check;
	memset(&told, 0, sizeof(told));
}

static enum pagus_page_kind kind_of(const struct lab *lab, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	assert_int_equal(pagus_page_info(&lab->p, pfn, &info), PAGUS_OK);
	return info.kind;
}

static void expect_leak(struct lab *lab, pagus_pfn_t pfn, uint32_t order, enum pagus_check when)
{
	struct pagus_event event = unit_event(lab, 0, PAGUS_EVENT_BAD_PAGE);

	assert_int_equal(lab->nr_events, 1);
	assert_int_equal(event.pfn, pfn);
	assert_int_equal(event.order, order);
	assert_int_equal(event.a, 42);
	assert_int_equal(event.b, when);
	assert_int_equal(kind_of(lab, pfn), PAGUS_PAGE_LEAKED);
	assert_int_equal(unit_zone(lab, 0).leaked_pages, 1u << order);
	assert_int_equal(unit_counter(lab, PAGUS_COUNTER_bad_page), 1);
	assert_int_equal(pagus_free_pages(&lab->p, pfn, order), PAGUS_DOUBLE_FREE);
	assert_int_equal(pagus_get_page(&lab->p, pfn), PAGUS_DOUBLE_FREE);
	unit_check(lab);
}

static void a_block_that_is_bad_when_freed_stays_out(void **state)
{
	static const uint32_t orders[] = { 0, 3, 4, 9 };

	(void)state;
	for (size_t n = 0; n < NR_OF(orders); n++) {
		struct lab lab;
		uint64_t free;

		open_checked(&lab, "linux");
		bad_pfn = unit_alloc(&lab, GFP_KERNEL, orders[n]);
		pagus_drain_all(&lab.p);
		free = unit_zone(&lab, 0).free_pages;
		bad_when = PAGUS_CHECK_FREE;
		lab_listen(&lab, bad_events);
		unit_free(&lab, bad_pfn, orders[n]);
		expect_leak(&lab, bad_pfn, orders[n], PAGUS_CHECK_FREE);
		assert_int_equal(unit_zone(&lab, 0).pcp_pages, 0);
		assert_int_equal(unit_zone(&lab, 0).free_pages, free);
		unit_close(&lab);
	}
}

static void inherited_pages_that_are_bad_are_leaked_as_one_block(void **state)
{
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_inherit(&lab, 0, 512, PAGUS_MOVABLE);
	unit_seeded(&lab);
	port = pagus_sim_port;
	port.check = check;
	lab.p.port = &port;
	bad_pfn = 16;
	bad_when = PAGUS_CHECK_FREE;
	lab_listen(&lab, bad_events);
	unit_free(&lab, 16, 3);
	expect_leak(&lab, 16, 3, PAGUS_CHECK_FREE);
	assert_int_equal(kind_of(&lab, 17), PAGUS_PAGE_TAIL);
	unit_close(&lab);
}

/* The first block that is about to be handed out. */
static int first_is_bad(void *ctx, uint64_t pfn, uint32_t order, enum pagus_check when)
{
	(void)ctx;
	(void)order;
	if (bad_pfn != PAGUS_NO_PFN || when != PAGUS_CHECK_ALLOC)
		return 0;
	bad_pfn = pfn;
	return 42;
}

static void a_block_that_is_bad_when_taken_gives_way_to_another(void **state)
{
	static const struct { const char *policy; uint32_t order; } rows[] = {
		{ "linux", 0 }, { "linux", 3 }, { "linux", 4 }, { "linux", 9 }, { "nopcp", 0 },
		{ "linux-6.1", 0 }, { "linux-6.1", 5 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct lab lab;
		pagus_pfn_t pfn;

		open_checked(&lab, rows[n].policy);
		port.check = first_is_bad;
		lab_listen(&lab, bad_events);
		pfn = unit_alloc(&lab, GFP_KERNEL, rows[n].order);
		assert_true(pfn != bad_pfn);
		expect_leak(&lab, bad_pfn, rows[n].order, PAGUS_CHECK_ALLOC);
		unit_free(&lab, pfn, rows[n].order);
		unit_close(&lab);
	}
}

static void bulk_and_exact_and_nolock_leak_as_others_do(void **state)
{
	pagus_pfn_t pfns[] = { PAGUS_NO_PFN, PAGUS_NO_PFN, PAGUS_NO_PFN }, pfn;
	struct pagus_result res;
	struct lab lab;

	(void)state;
	open_checked(&lab, "linux");
	bad_pfn = 1;
	bad_when = PAGUS_CHECK_ALLOC;
	assert_int_equal(pagus_alloc_bulk(&lab.p, GFP_KERNEL, 0, 3, pfns), 3);
	unit_expect_pfns(pfns, 3, PFNS(0, 2, 3));
	bad_pfn = 2;
	bad_when = PAGUS_CHECK_FREE;
	assert_int_equal(pagus_free_bulk(&lab.p, pfns, 3), 3);
	unit_expect_pcp(&lab, 0, PFNS(3, 0));
	bad_pfn = 3;
	bad_when = PAGUS_CHECK_ALLOC;
	assert_int_equal(pagus_alloc_nolock(&lab.p, 0, 0, &res), PAGUS_OK);
	assert_int_equal(res.pfn, 0);
	bad_pfn = 0;
	bad_when = PAGUS_CHECK_FREE;
	assert_int_equal(pagus_free_nolock(&lab.p, 0, 0), PAGUS_OK);
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_KERNEL, 5, &pfn), PAGUS_OK);
	unit_check(&lab);
	/* The surplus of the next one is 5, 6 and 7 behind its first. */
	bad_pfn = pfn + 8 + 6;
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_KERNEL, 5, &pfn), PAGUS_OK);
	assert_int_equal(kind_of(&lab, bad_pfn), PAGUS_PAGE_LEAKED);
	assert_int_equal(unit_zone(&lab, 0).leaked_pages, 5);
	unit_close(&lab);
}

/* Every block is bad: the request ends when there are no more, and all are leaked. */
static int everything_is_bad(void *ctx, uint64_t pfn, uint32_t order, enum pagus_check when)
{
	(void)ctx;
	(void)pfn;
	(void)order;
	return when == PAGUS_CHECK_ALLOC;
}

static void memory_may_leak_to_the_last_page(void **state)
{
	static const char *const policies[] = { "linux", "nopcp" };

	(void)state;
	for (size_t n = 0; n < NR_OF(policies); n++) {
		struct lab lab;

		open_lab(&lab, policies[n], (struct tuning){ 0 });
		port.check = everything_is_bad;
		unit_no_memory(&lab, GFP_NOWAIT, 0);
		assert_int_equal(unit_zone(&lab, 0).leaked_pages, 2048);
		unit_close(&lab);
	}
}

static void a_check_that_finds_nothing_changes_nothing(void **state)
{
	struct lab with, without;
	uint64_t seed = lab_env("PAGUS_SEED", 1);

	(void)state;
	print_message("PAGUS_SEED=%llu\n", (unsigned long long)seed);
	open_checked(&with, "linux");
	open_lab(&without, "linux", (struct tuning){ 0 });
	without.p.port = &pagus_sim_port;
	port.check = check;
	for (uint32_t n = 0; n < 200; n++) {
		uint32_t order = (uint32_t)lab_random(&seed, 6);
		pagus_pfn_t pfn = unit_alloc(&with, GFP_KERNEL | __GFP_ZERO, order);

		assert_int_equal(unit_alloc(&without, GFP_KERNEL | __GFP_ZERO, order), pfn);
		if (lab_random(&seed, 3) == 0)
			continue;
		unit_free(&with, pfn, order);
		unit_free(&without, pfn, order);
	}
	assert_true(told.nr > 0);
	assert_true(pagus_digest(&with.p) == pagus_digest(&without.p));
	unit_close(&with);
	unit_close(&without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_is_written_where_the_tunables_say),
		cmocka_unit_test(every_way_in_and_out_is_covered),
		cmocka_unit_test(overwritten_poison_is_told_and_the_block_handed_out),
		cmocka_unit_test(content_is_decided_before_the_first_page),
		cmocka_unit_test(a_port_without_the_calls_is_not_asked),
		cmocka_unit_test(a_block_that_is_bad_when_freed_stays_out),
		cmocka_unit_test(inherited_pages_that_are_bad_are_leaked_as_one_block),
		cmocka_unit_test(a_block_that_is_bad_when_taken_gives_way_to_another),
		cmocka_unit_test(bulk_and_exact_and_nolock_leak_as_others_do),
		cmocka_unit_test(memory_may_leak_to_the_last_page),
		cmocka_unit_test(a_check_that_finds_nothing_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
