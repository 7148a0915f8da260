/* SPDX-License-Identifier: MIT */
/* Free page reporting, and every free block of a zone told. */
#include "unit/unit.h"

#include <pagus/reporting.h>

#include <string.h>

static const char *const policies[] = { "linux", "pcpbuddy", "pcpbuddy-bitmap", "linux-6.1" };

#define PAGES UINT64_C(32768)
static const struct pagus_range range = { .nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING };

/* What a device was told: how often each page. */
struct told {
	struct lab *lab;
	uint8_t times[PAGES];
	uint32_t refuse_at; /* the n-th call from now; 0: none */
	pagus_pfn_t pfn;    /* allocated in the next call, unless it is PAGUS_NO_PFN already */
	bool allocates;
};

static bool report(void *ctx, const struct pagus_reported *blocks, uint32_t nr)
{
	struct told *told = ctx;

	assert_int_equal(told->lab->sim.pins, 0);
	if (told->refuse_at && --told->refuse_at == 0)
		return false;
	for (uint32_t n = 0; n < nr; n++) {
		struct pagus_page_info info;

		pagus_page_info(&told->lab->p, blocks[n].pfn, &info);
		assert_int_equal(info.kind, PAGUS_PAGE_ALLOCATED);
		assert_int_equal(info.order, blocks[n].order);
		for (uint64_t k = 0; k < UINT64_C(1) << blocks[n].order; k++)
			told->times[blocks[n].pfn + k]++;
	}
	if (told->allocates) {
		told->allocates = false;
		told->pfn = unit_alloc(told->lab, GFP_KERNEL, 9);
	}
	return true;
}

static void open_lab(struct lab *lab, const char *policy, struct told *told)
{
	struct pagus_config cfg = lab_config(&range, 1, policy);

	unit_boot(lab, &cfg);
	*told = (struct told){ .lab = lab };
}

static struct pagus_reporting device(struct told *told, uint32_t capacity, uint32_t order)
{
	return (struct pagus_reporting){ .capacity = capacity, .order = order, .report = report,
					 .ctx = told };
}

static bool is_reported(const struct lab *lab, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	assert_int_equal(pagus_page_info(&lab->p, pfn, &info), PAGUS_OK);
	return info.reported;
}

/* Passes until nothing is left, at most 100. */
static void report_all(struct lab *lab, struct pagus_reporting *d)
{
	bool more = true;

	for (uint32_t n = 0; more; n++) {
		assert_true(n < 100);
		assert_int_equal(pagus_report_free(&lab->p, d, &more), PAGUS_OK);
		unit_check(lab);
	}
}

static void test_everything_once(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_reporting d;
		struct pagus_zone_info before;
		struct told told;
		struct lab lab;

		open_lab(&lab, policies[n], &told);
		d = device(&told, 5, 9);
		before = unit_zone(&lab, 0);
		report_all(&lab, &d);
		for (uint64_t pfn = 0; pfn < PAGES; pfn++)
			assert_int_equal(told.times[pfn], 1);
		assert_int_equal(d.reported_pages, PAGES);
		assert_int_equal(d.reported_blocks, 32);
		assert_memory_equal(before.nr_free, unit_zone(&lab, 0).nr_free,
				    sizeof(before.nr_free));
		report_all(&lab, &d);
		assert_int_equal(d.reported_pages, PAGES);
		unit_close(&lab);
	}
}

/* Allocated, cut or merged: it is another block then, and told again. */
static void test_only_what_is_new(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_reporting d;
		pagus_pfn_t whole, small;
		struct told told;
		struct lab lab;

		open_lab(&lab, policies[n], &told);
		d = device(&told, 32, 9);
		report_all(&lab, &d);
		memset(told.times, 0, sizeof(told.times));
		whole = unit_alloc(&lab, GFP_KERNEL, 10);
		small = unit_alloc(&lab, GFP_KERNEL, 7);
		report_all(&lab, &d);
		unit_free(&lab, whole, 10);
		pagus_drain_all(&lab.p);
		assert_false(is_reported(&lab, whole));
		report_all(&lab, &d);
		assert_true(is_reported(&lab, whole));
		for (uint64_t pfn = 0; pfn < PAGES; pfn++) {
			bool cut = small <= pfn && pfn < small + 128;
			bool split = (pfn ^ small) < 1024 && pfn / 512 != small / 512;

			if ((pfn ^ whole) < 1024)
				assert_int_equal(told.times[pfn], 1);
			else if (cut)
				assert_int_equal(told.times[pfn], 0);
			else if (split)
				assert_int_equal(told.times[pfn], 1);
			else if ((pfn ^ small) >= 1024 && n % 3 == 0)
				assert_int_equal(told.times[pfn], 0); /* CPUs own nothing there */
		}
		unit_free(&lab, small, 7);
		pagus_drain_all(&lab.p);
		assert_false(is_reported(&lab, small & ~UINT64_C(1023)));
		report_all(&lab, &d);
		assert_int_equal(told.times[small], 1);
		unit_close(&lab);
	}
}

/* Loads of a list: ceil(nr_free / (16 * capacity)) and one. */
static void test_budget(void **context)
{
	struct pagus_reporting d;
	struct told told;
	struct lab lab;
	bool more;

	(void)context;
	open_lab(&lab, "linux", &told);
	d = device(&told, 1, 10);
	assert_int_equal(pagus_report_free(&lab.p, &d, &more), PAGUS_OK);
	assert_true(more);
	assert_int_equal(d.nr_calls, 3);
	assert_int_equal(pagus_report_free(&lab.p, &d, &more), PAGUS_OK);
	assert_int_equal(d.nr_calls, 6);
	report_all(&lab, &d);
	assert_int_equal(d.nr_calls, 32);
	assert_int_equal(d.reported_pages, PAGES);
	unit_close(&lab);
}

/* A zone that has not its low mark and a load besides is left alone: one page decides. */
static void test_mark(void **context)
{
	struct pagus_zone_info info;
	struct pagus_reporting d;
	struct told told;
	struct lab lab;
	uint64_t spare;
	bool more;

	(void)context;
	open_lab(&lab, "linux", &told);
	d = device(&told, 4, 9);
	info = unit_zone(&lab, 0);
	spare = info.free_pages - info.wmark[PAGUS_WMARK_LOW] - 4 * 512;
	assert_int_equal(pagus_zone_pcp_disable(&lab.p, 0), PAGUS_OK);
	for (uint64_t n = 0; n + 1 < spare; n++)
		unit_alloc(&lab, GFP_ATOMIC, 0);
	assert_int_equal(pagus_report_free(&lab.p, &d, &more), PAGUS_OK);
	assert_true(d.nr_calls > 0);
	d.nr_calls = 0;
	unit_free(&lab, unit_alloc(&lab, GFP_ATOMIC, 10), 10);
	unit_alloc(&lab, GFP_ATOMIC, 0);
	assert_int_equal(pagus_report_free(&lab.p, &d, &more), PAGUS_OK);
	assert_int_equal(d.nr_calls, 0);
	unit_close(&lab);
}

/* The n-th load is refused: nothing is lost, and it is told later. */
static void test_refusals(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t at = 1; at <= 4; at++) {
			struct pagus_reporting d;
			struct told told;
			struct lab lab;
			bool more;

			open_lab(&lab, policies[n], &told);
			d = device(&told, 8, 9);
			told.refuse_at = at;
			for (uint32_t k = 0; told.refuse_at > 0; k++) {
				assert_true(k < 10);
				if (pagus_report_free(&lab.p, &d, &more) == PAGUS_BUSY)
					break;
			}
			assert_int_equal(told.refuse_at, 0);
			assert_int_equal(unit_zone(&lab, 0).free_pages, PAGES);
			unit_check(&lab);
			report_all(&lab, &d);
			for (uint64_t pfn = 0; pfn < PAGES; pfn++)
				assert_int_equal(told.times[pfn], 1);
			unit_close(&lab);
		}
	}
}

/* A device that allocates while it is told. */
static void test_device_allocates(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_reporting d;
		struct told told;
		struct lab lab;

		open_lab(&lab, policies[n], &told);
		d = device(&told, 8, 9);
		told.allocates = true;
		report_all(&lab, &d);
		unit_free(&lab, told.pfn, 9);
		pagus_drain_all(&lab.p);
		report_all(&lab, &d);
		assert_true(told.times[told.pfn] >= 1);
		assert_int_equal(unit_zone(&lab, 0).free_pages, PAGES);
		unit_close(&lab);
	}
}

static void test_small_blocks(void **context)
{
	struct pagus_reporting d;
	struct told told;
	struct lab lab;
	bool more;

	(void)context;
	open_lab(&lab, "linux", &told);
	d = device(&told, 32, 0);
	unit_alloc(&lab, GFP_KERNEL, 0);
	pagus_drain_all(&lab.p);
	report_all(&lab, &d);
	assert_int_equal(d.reported_pages, PAGES - 1);
	d.capacity = 33;
	assert_int_equal(pagus_report_free(&lab.p, &d, &more), PAGUS_BAD_VALUE);
	d.capacity = 0;
	assert_int_equal(pagus_report_free(&lab.p, &d, &more), PAGUS_BAD_VALUE);
	d = device(&told, 1, 11);
	assert_int_equal(pagus_report_free(&lab.p, &d, &more), PAGUS_BAD_ORDER);
	unit_close(&lab);
	open_lab(&lab, "pcpbuddy-bitmap", &told);
	d = device(&told, 32, 8);
	assert_int_equal(pagus_report_free(&lab.p, &d, &more), PAGUS_UNSUPPORTED);
	unit_close(&lab);
}

/* More blocks on a list than one hold looks at, most of which have been reported. */
static void test_long_lists(void **context)
{
	struct pagus_reporting d;
	pagus_pfn_t pfns[2048];
	struct told told;
	struct lab lab;

	(void)context;
	open_lab(&lab, "linux", &told);
	assert_int_equal(pagus_zone_pcp_disable(&lab.p, 0), PAGUS_OK);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = unit_alloc(&lab, GFP_KERNEL, 2);
	for (uint32_t n = 0; n < NR_OF(pfns); n += 2)
		unit_free(&lab, pfns[n], 2);
	d = device(&told, 32, 2);
	report_all(&lab, &d);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		assert_int_equal(told.times[pfns[n]], n % 2 == 0);
	assert_true(lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_CONTIG].max_work <= 32 * 12);
	unit_close(&lab);
}

/* ---- enumeration ------------------------------------------------------------------------------- */

static void mark_free(void *ctx, pagus_pfn_t pfn, uint32_t order, enum pagus_migratetype type)
{
	uint8_t *is_free = ctx;

	assert_true(type < PAGUS_NR_MIGRATETYPES);
	for (uint64_t k = 0; k < UINT64_C(1) << order; k++) {
		assert_int_equal(is_free[pfn + k], 0);
		is_free[pfn + k] = 1;
	}
}

static void test_each_free(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		static uint8_t in_use[PAGES], is_free[PAGES];
		struct told told;
		struct lab lab;

		open_lab(&lab, policies[n], &told);
		memset(in_use, 0, sizeof(in_use));
		memset(is_free, 0, sizeof(is_free));
		for (uint32_t k = 0; k < 500; k++) {
			uint32_t order = (uint32_t)lab_random(&seed, 5);
			pagus_pfn_t pfn = unit_alloc(&lab, unit_gfp(k % 3), order);

			if (lab_random(&seed, 2))
				unit_free(&lab, pfn, order);
			else
				memset(in_use + pfn, 1, (size_t)1 << order);
		}
		pagus_drain_all(&lab.p);
		assert_int_equal(pagus_each_free(&lab.p, 0, mark_free, is_free), PAGUS_OK);
		for (uint64_t pfn = 0; pfn < PAGES; pfn++)
			assert_int_equal(is_free[pfn], !in_use[pfn]);
		assert_int_equal(pagus_each_free(&lab.p, 1, mark_free, is_free), PAGUS_BAD_VALUE);
		unit_close(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_once),
		cmocka_unit_test(test_only_what_is_new),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_device_allocates),
		cmocka_unit_test(test_small_blocks),
		cmocka_unit_test(test_long_lists),
		cmocka_unit_test(test_each_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
