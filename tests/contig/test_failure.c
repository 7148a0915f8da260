/* SPDX-License-Identifier: MIT */
/* Memory failure: a poisoned page is never handed out again. */
#include "contig/contig.h"

#include <pagus/failure.h>
#include <string.h>

#include "zone/poison.h"

static const char *const policies[] = { "linux", "pcpbuddy", "pcpbuddy-bitmap", "linux-6.1" };

#define PAGES UINT64_C(16384)
static const struct pagus_range range = { .nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING };

static void open_lab(struct contig_lab *l, const char *policy)
{
	struct pagus_config cfg = lab_config(&range, 1, policy);

	cfg.nr_cpus = 2;
	contig_boot(l, &cfg, range.nr_pages, 64);
	lab_no_marks(&l->lab);
}

static struct pagus_page_info page_at(const struct contig_lab *l, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	assert_int_equal(pagus_page_info(&l->lab.p, pfn, &info), PAGUS_OK);
	return info;
}

static void poison(struct contig_lab *l, pagus_pfn_t pfn, bool expect_in_use)
{
	bool in_use;

	assert_int_equal(pagus_poison_page(&l->lab.p, pfn, false, &in_use), PAGUS_OK);
	assert_int_equal(in_use, expect_in_use);
	assert_true(page_at(l, pfn).poisoned);
	assert_int_equal(pagus_poison_page(&l->lab.p, pfn, false, &in_use), PAGUS_BUSY);
	contig_check(l);
}

static void unpoison(struct contig_lab *l, pagus_pfn_t pfn)
{
	assert_int_equal(pagus_unpoison_page(&l->lab.p, pfn), PAGUS_OK);
	assert_false(page_at(l, pfn).poisoned);
	assert_int_equal(pagus_unpoison_page(&l->lab.p, pfn), PAGUS_BUSY);
	contig_check(l);
}

/* Every page that can be had, as single pages: how many, and whether `pfn` is among them. */
static uint64_t take_all(struct contig_lab *l, pagus_pfn_t *pfns, pagus_pfn_t pfn)
{
	uint64_t nr = 0;

	for (uint32_t round = 0; round < 2; round++) {
		while (pagus_alloc_pages(&l->lab.p, GFP_ATOMIC | __GFP_MEMALLOC, 0, &pfns[nr]) == PAGUS_OK)
			assert_true(pfns[nr++] != pfn);
		pagus_drain_all(&l->lab.p);
	}
	return nr;
}

static void give_all(struct contig_lab *l, const pagus_pfn_t *pfns, uint64_t nr)
{
	while (nr-- > 0)
		unit_free(&l->lab, pfns[nr], 0);
	pagus_drain_all(&l->lab.p);
}

/* Property 46. */
static void test_property_46_free_page(void **context)
{
	static pagus_pfn_t pfns[PAGES];

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		const pagus_pfn_t pfn = 4096 + 357;
		struct pagus_zone_info before, after;
		struct contig_lab l;
		uint64_t nr;

		open_lab(&l, policies[n]);
		before = unit_zone(&l.lab, 0);
		assert_int_equal(before.nr_free[10], 16);
		assert_int_equal(pagus_soft_offline(&l.lab.p, pfn), PAGUS_OK);
		after = unit_zone(&l.lab, 0);
		assert_int_equal(after.free_pages, before.free_pages - 1);
		assert_int_equal(after.nr_free[10], 15);
		for (uint32_t order = 0; order < 10; order++)
			assert_int_equal(after.nr_free[order], 1);
		assert_int_equal(after.leaked_pages, 1);
		assert_int_equal(pagus_nr_poisoned(&l.lab.p), 1);
		assert_int_equal(page_at(&l, pfn).kind, PAGUS_PAGE_LEAKED);
		for (uint32_t round = 0; round < 3; round++) {
			nr = take_all(&l, pfns, pfn);
			assert_int_equal(nr, PAGES - 1);
			give_all(&l, pfns, nr);
		}
		assert_int_equal(pagus_free_pages(&l.lab.p, pfn, 0), PAGUS_DOUBLE_FREE);
		unpoison(&l, pfn);
		after = unit_zone(&l.lab, 0);
		assert_memory_equal(after.nr_free, before.nr_free, sizeof(before.nr_free));
		assert_int_equal(after.free_pages, before.free_pages);
		assert_int_equal(pagus_nr_poisoned(&l.lab.p), 0);
		contig_close(&l);
	}
}

/* The block that fails lies on another CPU's pcp list. */
static void test_page_on_a_pcp_list(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		pagus_pfn_t pfn;

		open_lab(&l, policies[n]);
		pfn = unit_alloc(&l.lab, GFP_KERNEL, 0);
		unit_free(&l.lab, pfn, 0);
		assert_true(unit_zone(&l.lab, 0).pcp_pages > 0);
		pagus_sim_on(&l.lab.sim, 1, 0);
		poison(&l, pfn, false);
		assert_int_equal(page_at(&l, pfn).kind, PAGUS_PAGE_LEAKED);
		contig_close(&l);
	}
}

/* In use: leaked as it is freed, whatever block it is in; the others become free. */
static void test_page_in_use(void **context)
{
	static pagus_pfn_t pfns[PAGES];

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t order = 0; order <= 10; order++) {
			struct contig_lab l;
			pagus_pfn_t pfn, bad;
			uint64_t nr;

			open_lab(&l, policies[n]);
			pfn = unit_alloc(&l.lab, GFP_KERNEL, order);
			bad = pfn + (order ? (UINT64_C(1) << order) / 3 : 0);
			poison(&l, bad, true);
			assert_int_equal(page_at(&l, pfn).kind, PAGUS_PAGE_ALLOCATED);
			unit_free(&l.lab, pfn, order);
			contig_check(&l);
			assert_int_equal(page_at(&l, bad).kind, PAGUS_PAGE_LEAKED);
			assert_true(page_at(&l, bad).poisoned);
			nr = take_all(&l, pfns, bad);
			assert_int_equal(nr, PAGES - 1);
			give_all(&l, pfns, nr);
			unpoison(&l, bad);
			pagus_drain_all(&l.lab.p);
			assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], 16);
			contig_close(&l);
		}
	}
}

/* Several pages of one block, first and last among them; in bulk, by reference, without locks. */
static void test_ways_to_free(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t way = 0; way < 4; way++) {
			struct contig_lab l;
			pagus_pfn_t pfn;

			open_lab(&l, policies[n]);
			pfn = unit_alloc(&l.lab, GFP_KERNEL, 3);
			poison(&l, pfn, true);
			poison(&l, pfn + 7, true);
			poison(&l, pfn + 3, true);
			if (way == 0)
				assert_int_equal(pagus_free_bulk(&l.lab.p, &pfn, 1), 1);
			else if (way == 1)
				assert_int_equal(pagus_put_pages(&l.lab.p, pfn, 3), PAGUS_OK);
			else if (way == 2)
				assert_int_equal(pagus_free_nolock(&l.lab.p, pfn, 3), PAGUS_OK);
			else
				unit_free(&l.lab, pfn, 3);
			pagus_drain_all(&l.lab.p);
			contig_check(&l);
			assert_int_equal(unit_zone(&l.lab, 0).leaked_pages, 3);
			assert_int_equal(page_at(&l, pfn + 3).kind, PAGUS_PAGE_LEAKED);
			contig_close(&l);
		}
	}
}

/* The n-th trylock fails, where frees do not wait: nothing is lost but whole blocks, and bounded. */
static void test_no_lock_to_be_had(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint64_t at = 1; at <= 6; at++) {
			static pagus_pfn_t pfns[PAGES];
			struct contig_lab l;
			pagus_pfn_t pfn;
			uint64_t nr;

			open_lab(&l, policies[n]);
			pfn = unit_alloc(&l.lab, GFP_KERNEL, 2);
			poison(&l, pfn + 1, true);
			l.lab.sim.trylock_fail_at = at;
			assert_int_equal(pagus_free_nolock(&l.lab.p, pfn, 2), PAGUS_OK);
			l.lab.sim.trylock_fail_at = 0;
			contig_check(&l);
			nr = take_all(&l, pfns, pfn + 1);
			assert_in_range(nr, PAGES - 4, PAGES - 1);
			give_all(&l, pfns, nr);
			contig_close(&l);
		}
	}
}

/*
 * A free that had looked before the page was noted makes it free all the same: then it is not handed
 * out, by any way to allocate.
 */
static void test_noted_page_that_is_free(void **context)
{
	static pagus_pfn_t pfns[PAGES];

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t way = 0; way < 5; way++) {
			const pagus_pfn_t bad = 300;
			struct pagus_result res;
			struct contig_lab l;
			uint64_t nr = 0;

			open_lab(&l, policies[n]);
			assert_true(pg_poison_note(l.lab.p.state, pg_index(l.lab.p.state, bad)));
			memset(pfns, 0xff, sizeof(pfns));
			if (way == 0)
				nr = pagus_alloc_bulk(&l.lab.p, GFP_ATOMIC | __GFP_MEMALLOC,
						      PAGUS_NO_NODE, 600, pfns);
			while (way == 1 && pagus_alloc_nolock(&l.lab.p, 0, 0, &res) == PAGUS_OK)
				pfns[nr++] = res.pfn;
			while (way > 1 && way < 4 &&
			       pagus_alloc_pages(&l.lab.p, GFP_KERNEL, way == 2 ? 10 : 9,
						 &pfns[nr]) == PAGUS_OK)
				assert_false(bad - pfns[nr++] < (way == 2 ? 1024 : 512));
			for (uint64_t k = 0; k < nr && way < 2; k++)
				assert_true(pfns[k] != bad);
			while (way < 4 && nr-- > 0)
				unit_free(&l.lab, pfns[nr], way == 2 ? 10 : way == 3 ? 9 : 0);
			pagus_drain_all(&l.lab.p);
			nr = take_all(&l, pfns, bad);
			assert_int_equal(nr, PAGES - 1);
			contig_check(&l);
			assert_int_equal(page_at(&l, bad).kind, PAGUS_PAGE_LEAKED);
			give_all(&l, pfns, nr);
			contig_close(&l);
		}
	}
}

/* ---- soft offline ------------------------------------------------------------------------------ */

static void test_soft_offline_moves(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t order = 0; order <= 9; order += 3) {
			struct contig_lab l;
			pagus_pfn_t pfn, bad;

			open_lab(&l, policies[n]);
			pfn = contig_fill(&l, 0, order);
			bad = pfn + (UINT64_C(1) << order) / 2;
			assert_int_equal(pagus_soft_offline(&l.lab.p, bad), PAGUS_OK);
			contig_check(&l);
			assert_true(l.owner.slot[0].pfn != pfn);
			assert_int_equal(page_at(&l, bad).kind, PAGUS_PAGE_LEAKED);
			assert_true(page_at(&l, bad).poisoned);
			contig_empty(&l, 0);
			pagus_drain_all(&l.lab.p);
			assert_int_equal(unit_zone(&l.lab, 0).free_pages, PAGES - 1);
			contig_close(&l);
		}
	}
}

/* What cannot be moved stays in use, and is poisoned no longer. */
static void test_soft_offline_fails(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		pagus_pfn_t kernel, pfn;

		open_lab(&l, policies[n]);
		kernel = unit_alloc(&l.lab, GFP_KERNEL, 0);
		assert_int_equal(pagus_soft_offline(&l.lab.p, kernel), PAGUS_BUSY);
		pfn = contig_fill(&l, 0, 0);
		l.owner.slot[0].traits = PAGUS_TRAIT_PINNED;
		assert_int_equal(pagus_soft_offline(&l.lab.p, pfn), PAGUS_BUSY);
		l.owner.slot[0].traits = 0;
		l.owner.isolate_fail_at = 1;
		assert_int_equal(pagus_soft_offline(&l.lab.p, pfn), PAGUS_BUSY);
		l.owner.refusal = PAGUS_MOVE_NEVER;
		l.owner.move_fail_at = 1;
		assert_int_equal(pagus_soft_offline(&l.lab.p, pfn), PAGUS_BUSY);
		contig_check(&l);
		assert_false(page_at(&l, pfn).poisoned);
		assert_false(page_at(&l, kernel).poisoned);
		assert_int_equal(pagus_nr_poisoned(&l.lab.p), 0);
		assert_int_equal(l.lab.p.state->content, 0);
		assert_int_equal(l.owner.nr_isolated, l.owner.nr_moves + l.owner.nr_putbacks);
		l.owner.refusal = PAGUS_MOVE_AGAIN;
		l.owner.move_fail_at = 1;
		assert_int_equal(pagus_soft_offline(&l.lab.p, pfn), PAGUS_OK);
		contig_close(&l);
	}
}

static void test_soft_offline_without_memory(void **context)
{
	static pagus_pfn_t pfns[PAGES];
	struct contig_lab l;
	pagus_pfn_t pfn;
	uint64_t nr;

	(void)context;
	open_lab(&l, "linux");
	pfn = contig_fill(&l, 0, 0);
	nr = take_all(&l, pfns, PAGUS_NO_PFN);
	assert_int_equal(pagus_soft_offline(&l.lab.p, pfn), PAGUS_NO_MEMORY);
	assert_false(page_at(&l, pfn).poisoned);
	give_all(&l, pfns, nr);
	contig_close(&l);
}

/* The n-th trylock fails: the same end. */
static void test_soft_offline_trylocks(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint64_t at = 1; at < 12; at++) {
			struct contig_lab l;
			pagus_pfn_t pfn;

			open_lab(&l, policies[n]);
			pfn = contig_fill(&l, 0, 1);
			l.lab.sim.trylock_fail_at = at;
			assert_int_equal(pagus_soft_offline(&l.lab.p, pfn + 1), PAGUS_OK);
			l.lab.sim.trylock_fail_at = 0;
			contig_empty(&l, 0);
			pagus_drain_all(&l.lab.p);
			contig_check(&l);
			/* Deferred pages come back with the next free. */
			unit_free(&l.lab, unit_alloc(&l.lab, GFP_KERNEL, 10), 10);
			pagus_drain_all(&l.lab.p);
			assert_int_equal(unit_zone(&l.lab, 0).free_pages, PAGES - 1);
			contig_close(&l);
		}
	}
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static void test_refusals(void **context)
{
	static const struct pagus_range holes[] = { { 0, 2048, 0, PAGUS_ZONE_BY_CEILING },
						    { 4096, 1000, 0, PAGUS_ZONE_BY_CEILING } };
	struct pagus_config cfg = lab_config(holes, 2, "linux");
	struct contig_lab l;
	pagus_pfn_t pfn;
	bool in_use;

	(void)context;
	contig_boot(&l, &cfg, 8192, 1);
	assert_int_equal(pagus_poison_page(&l.lab.p, 3000, false, &in_use), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_poison_page(&l.lab.p, 5100, false, &in_use), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_soft_offline(&l.lab.p, 1 << 30), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_unpoison_page(&l.lab.p, 3000), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_unpoison_page(&l.lab.p, 0), PAGUS_BUSY);
	pfn = unit_alloc(&l.lab, GFP_KERNEL, 7);
	for (uint32_t k = 0; k < 64; k++)
		poison(&l, pfn + k, true);
	assert_int_equal(pagus_poison_page(&l.lab.p, pfn + 64, false, &in_use), PAGUS_NO_MEMORY);
	unpoison(&l, pfn + 5);
	poison(&l, pfn + 64, true);
	unit_free(&l.lab, pfn, 7);
	assert_int_equal(unit_zone(&l.lab, 0).leaked_pages, 64);
	assert_int_equal(l.lab.p.state->content, 0);
	/* After a failure that was no test nothing is unpoisoned. */
	assert_int_equal(pagus_poison_page(&l.lab.p, pfn + 100, true, &in_use), PAGUS_OK);
	assert_int_equal(pagus_unpoison_page(&l.lab.p, pfn + 1), PAGUS_BUSY);
	assert_int_equal(pagus_unpoison_page(&l.lab.p, pfn + 100), PAGUS_BUSY);
	contig_close(&l);
}

static void test_reserved_page(void **context)
{
	struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct lab lab;
	bool in_use;

	(void)context;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_poison_page(&lab.p, 5, false, &in_use), PAGUS_NOT_ALLOCATED);
	assert_int_equal(pagus_inherit(&lab.p, 0, 16, PAGUS_MOVABLE), PAGUS_OK);
	assert_int_equal(pagus_poison_page(&lab.p, 5, false, &in_use), PAGUS_OK);
	assert_true(in_use);
	assert_int_equal(pagus_free_pages(&lab.p, 4, 2), PAGUS_OK);
	assert_int_equal(unit_zone(&lab, 0).leaked_pages, 1);
	unit_close(&lab);
}

/* What was freed is zeroed all the same, but for the page that has failed. */
static uint8_t zeroed[PAGES];

static void zero(void *ctx, uint64_t pfn, uint32_t order)
{
	(void)ctx;
	memset(zeroed + pfn, 1, (size_t)1 << order);
}

static void test_content_of_the_rest(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = lab_config(&range, 1, policies[n]);
		struct pagus_port port = pagus_sim_port;
		struct lab lab;
		pagus_pfn_t pfn;
		bool in_use;

		unit_open(&lab, &cfg);
		port.zero = zero;
		lab.p.port = &port;
		assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_init_on_free, 1), PAGUS_OK);
		assert_int_equal(lab_hand_over(&lab, &cfg), PAGUS_OK);
		pfn = unit_alloc(&lab, GFP_KERNEL, 4);
		memset(zeroed, 0, sizeof(zeroed));
		assert_int_equal(pagus_poison_page(&lab.p, pfn + 3, false, &in_use), PAGUS_OK);
		unit_free(&lab, pfn, 4);
		for (uint32_t k = 0; k < 16; k++)
			assert_int_equal(zeroed[pfn + k], k != 3);
		unit_close(&lab);
	}
}

/* Random: pages fail while blocks of all orders come and go; what has failed is never seen again. */
static void test_random(void **context)
{
	static struct { pagus_pfn_t pfn; uint32_t order; } block[400];
	static bool failed[PAGES];
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		uint32_t nr = 0;

		open_lab(&l, policies[n]);
		memset(failed, 0, sizeof(failed));
		for (uint32_t step = 0; step < 4000; step++) {
			pagus_pfn_t pfn = lab_random(&seed, PAGES);
			bool in_use;

			pagus_sim_on(&l.lab.sim, (uint32_t)lab_random(&seed, 2), step);
			if (step % 40 == 0 &&
			    pagus_poison_page(&l.lab.p, pfn, false, &in_use) == PAGUS_OK)
				failed[pfn] = true;
			if (step % 97 == 0 && pagus_unpoison_page(&l.lab.p, pfn) == PAGUS_OK)
				failed[pfn] = false;
			if (nr < NR_OF(block) && lab_random(&seed, 2)) {
				uint32_t order = (uint32_t)lab_random(&seed, 6);

				if (pagus_alloc_pages(&l.lab.p, unit_gfp(step % 3), order,
						      &block[nr].pfn) != PAGUS_OK)
					continue;
				for (uint32_t k = 0; k < 1u << order; k++)
					assert_false(failed[block[nr].pfn + k]);
				block[nr++].order = order;
			} else if (nr > 0) {
				uint32_t k = (uint32_t)lab_random(&seed, nr);

				unit_free(&l.lab, block[k].pfn, block[k].order);
				block[k] = block[--nr];
			}
			if (step % 100 == 0)
				contig_check(&l);
		}
		while (nr-- > 0)
			unit_free(&l.lab, block[nr].pfn, block[nr].order);
		for (pagus_pfn_t pfn = 0; pfn < PAGES; pfn++) {
			assert_int_equal(page_at(&l, pfn).poisoned, failed[pfn]);
			if (failed[pfn])
				unpoison(&l, pfn);
		}
		pagus_drain_all(&l.lab.p);
		unit_free(&l.lab, unit_alloc(&l.lab, GFP_KERNEL, 10), 10);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(unit_zone(&l.lab, 0).free_pages, PAGES);
		assert_int_equal(pagus_nr_poisoned(&l.lab.p), 0);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property_46_free_page),
		cmocka_unit_test(test_page_on_a_pcp_list),
		cmocka_unit_test(test_page_in_use),
		cmocka_unit_test(test_ways_to_free),
		cmocka_unit_test(test_no_lock_to_be_had),
		cmocka_unit_test(test_noted_page_that_is_free),
		cmocka_unit_test(test_soft_offline_moves),
		cmocka_unit_test(test_soft_offline_fails),
		cmocka_unit_test(test_soft_offline_without_memory),
		cmocka_unit_test(test_soft_offline_trylocks),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_reserved_page),
		cmocka_unit_test(test_content_of_the_rest),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
