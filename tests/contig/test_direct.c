/* SPDX-License-Identifier: MIT */
/* Compaction on a request's behalf: what it may move, when it is refused, and who gets the block. */
#include <pagus/contig.h>

#include "contig/compact.h"

#include "alloc/compact.h"
#include "reclaim/defer.h"

#define EACH_POLICY(n) (uint32_t n = 0; n < NR_OF(compact_policies); n++)

static void expect_counts(const struct contig_lab *l)
{
	assert_int_equal(unit_counter(&l->lab, PAGUS_COUNTER_compact_stall),
			 unit_counter(&l->lab, PAGUS_COUNTER_compact_success) +
			 unit_counter(&l->lab, PAGUS_COUNTER_compact_fail));
}

/* All in use, the first pageblocks of another type. */
static void fill_typed(struct contig_lab *l, const char *policy, uint32_t nr_blocks, uint32_t type)
{
	compact_fill(l, policy);
	for (uint32_t block = 0; block < nr_blocks; block++)
		unit_seed_block(&l->lab, block * 512, type);
}

/* 16 and 29, by requests. */
static void test_property_16_and_29_requests(void **context)
{
	static const uint32_t orders[] = { 1, 3, 4, 9 };

	(void)context;
	for EACH_POLICY(n)
		for (uint32_t o = 0; o < NR_OF(orders); o++) {
			struct contig_lab l;

			compact_checkerboard(&l, compact_policies[n]);
			assert_int_equal(compact_ask(&l, GFP_HIGHUSER_MOVABLE, orders[o]), PAGUS_OK);
			assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_success), 1);
			assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_capture), 1);
			if (orders[o] == 9)
				assert_int_equal(l.owner.moved_pages, 256);
			expect_counts(&l);
			compact_mark(&l, 0, COMPACT_PAGES, 1, PAGUS_TRAIT_FIXED);
			while (compact_ask(&l, GFP_HIGHUSER_MOVABLE, 10) == PAGUS_OK)
				;
			assert_true(unit_counter(&l.lab, PAGUS_COUNTER_compact_fail) > 0);
			expect_counts(&l);
			contig_close(&l);
		}
}

/*
 * 21. Who will not wait takes movable pages out of pageblocks of his own type alone; of CMA's, if he may
 * use these.
 */
static void test_property_21_sources_of_async_runs(void **context)
{
	static const struct { uint32_t gfp, order, type; bool moves; } rows[] = {
		{ GFP_KERNEL | __GFP_NORETRY, 4, PAGUS_MOVABLE, false },
		{ GFP_KERNEL, 4, PAGUS_MOVABLE, true },
		{ GFP_KERNEL | __GFP_NORETRY, 9, PAGUS_MOVABLE, true },
		{ GFP_HIGHUSER_MOVABLE | __GFP_NORETRY, 4, PAGUS_MOVABLE, true },
		{ GFP_HIGHUSER_MOVABLE | __GFP_NORETRY, 4, PAGUS_RECLAIMABLE, false },
		{ GFP_KERNEL | __GFP_RECLAIMABLE | __GFP_NORETRY, 4, PAGUS_RECLAIMABLE, true },
		{ GFP_HIGHUSER_MOVABLE | __GFP_NORETRY, 4, PAGUS_CMA, true },
		{ GFP_KERNEL | __GFP_NORETRY, 9, PAGUS_CMA, false },
	};

	(void)context;
	for EACH_POLICY(n)
		for (uint32_t r = 0; r < NR_OF(rows); r++) {
			struct contig_lab l;

			/* The last pageblocks stay movable, so that there is somewhere to move to. */
			fill_typed(&l, compact_policies[n], 16, rows[r].type);
			compact_empty(&l, 0, COMPACT_PAGES, 2);
			if (rows[r].type != PAGUS_MOVABLE)
				compact_mark(&l, 16 * 512 + 1, COMPACT_PAGES, 2, PAGUS_TRAIT_FIXED);
			compact_ask(&l, rows[r].gfp, rows[r].order);
			assert_int_equal(l.owner.nr_isolated > 0, rows[r].moves);
			contig_close(&l);
		}
}

/* 22. A request that may not use CMA pageblocks moves nothing out of them. */
static void test_property_22_cma_stays(void **context)
{
	static const struct { uint32_t gfp; bool moves; } rows[] = {
		{ GFP_KERNEL, false }, { GFP_HIGHUSER_MOVABLE, true },
	};

	(void)context;
	for EACH_POLICY(n)
		for (uint32_t r = 0; r < NR_OF(rows); r++) {
			struct contig_lab l;

			fill_typed(&l, compact_policies[n], 16, PAGUS_CMA);
			compact_mark(&l, 16 * 512, COMPACT_PAGES, 1, PAGUS_TRAIT_FIXED);
			compact_empty(&l, 0, COMPACT_PAGES, 2);
			compact_ask(&l, rows[r].gfp, 4);
			assert_int_equal(l.owner.nr_isolated > 0, rows[r].moves);
			contig_close(&l);
		}
}

/* 25. After n failures in a row so many attempts are refused; a smaller order is not. */
static void test_property_25_deferral(void **context)
{
	static const uint32_t refused[] = { 1, 3, 7, 15, 31, 63, 63, 63 };
	struct contig_lab l;
	struct pg_zone *z;
	struct pg_call c;

	(void)context;
	compact_checkerboard(&l, "linux");
	z = pg_zone(l.lab.p.state, 0);
	c = (struct pg_call){ .st = l.lab.p.state, .p = &l.lab.p };
	for (uint32_t n = 0; n < NR_OF(refused); n++) {
		uint32_t nr = 0;

		assert_int_equal(pg_defer_restarts(z, 4), n > 5);
		pg_defer_failed(&c, z, 4);
		assert_false(pg_defer_refuses(&c, z, 3));
		while (pg_defer_refuses(&c, z, n % 2 ? 4 : 9))
			nr++;
		assert_int_equal(nr, refused[n]);
	}
	pg_defer_reset(&c, z, 4, true);
	assert_false(pg_defer_refuses(&c, z, 4));
	pg_defer_failed(&c, z, 4);
	assert_true(pg_defer_refuses(&c, z, 4));
	contig_close(&l);
}

static enum pagus_compact_result compact_as_request(struct contig_lab *l, uint32_t order,
						    enum pagus_compact_mode mode)
{
	const struct pagus_request req = { .gfp = GFP_HIGHUSER_MOVABLE, .order = order,
					   .node = PAGUS_NO_NODE };
	struct pagus_compact how = { .order = order, .gfp = req.gfp, .mode = mode };
	struct pg_call c = pg_call_begin(&l->lab.p);
	const struct pg_asker asker = { .cpu = c.cpu };
	enum pagus_compact_result result;
	struct pg_plan plan;
	uint32_t i;

	assert_int_equal(pg_plan_make(c.st, &asker, &req, &plan), PAGUS_OK);
	how.highest = plan.highest;
	result = pg_compact_direct(&c, &plan, pg_plan_slow_flags(c.st, &plan), &how, &i);
	pg_call_end(&c);
	assert_int_equal(i, PG_NONE);
	return result;
}

/* 25, by requests: the light mode fails and waits; the asynchronous one only waits; the full never. */
static void test_property_25_modes(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct contig_lab l;

		compact_checkerboard(&l, compact_policies[n]);
		compact_mark(&l, 1, COMPACT_PAGES, 16, PAGUS_TRAIT_FIXED);
		for (uint32_t k = 0; k < 4; k++)
			assert_true(compact_as_request(&l, 9, PAGUS_COMPACT_ASYNC) >=
				    PAGUS_COMPACT_COMPLETE);
		assert_true(compact_as_request(&l, 9, PAGUS_COMPACT_SYNC_LIGHT) >=
			    PAGUS_COMPACT_COMPLETE);
		assert_int_equal(compact_as_request(&l, 9, PAGUS_COMPACT_SYNC_LIGHT),
				 PAGUS_COMPACT_DEFERRED);
		assert_true(compact_as_request(&l, 9, PAGUS_COMPACT_SYNC_LIGHT) >=
			    PAGUS_COMPACT_COMPLETE);
		for (uint32_t k = 0; k < 3; k++)
			assert_int_equal(compact_as_request(&l, 9, k % 2 ? PAGUS_COMPACT_ASYNC :
							    PAGUS_COMPACT_SYNC_LIGHT),
					 PAGUS_COMPACT_DEFERRED);
		assert_int_equal(compact_as_request(&l, 9, PAGUS_COMPACT_SYNC_FULL),
				 PAGUS_COMPACT_COMPLETE);
		contig_close(&l);
	}
}

/* 29. Deferred everywhere: no stall in 7.2, one that failed in earlier releases. */
static void test_property_29_deferred(void **context)
{
	static const struct { const char *policy; uint64_t stalls; } rows[] = {
		{ "linux", 0 }, { "linux-6.18", 2 }, { "linux-6.1", 2 }, { "pcpbuddy-bitmap", 0 },
	};

	(void)context;
	for (uint32_t r = 0; r < NR_OF(rows); r++) {
		struct contig_lab l;
		struct pg_zone *z;
		struct pg_call c;

		compact_checkerboard(&l, rows[r].policy);
		z = pg_zone(l.lab.p.state, 0);
		c = (struct pg_call){ .st = l.lab.p.state, .p = &l.lab.p };
		for (uint32_t n = 0; n < 6; n++)
			pg_defer_failed(&c, z, 9);
		assert_int_equal(compact_ask(&l, GFP_HIGHUSER_MOVABLE, 9), PAGUS_NO_MEMORY);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_stall), rows[r].stalls);
		expect_counts(&l);
		contig_close(&l);
	}
}

/* ---- capture ----------------------------------------------------------------------------------- */

struct rival {
	struct contig_lab *l;
	uint32_t order, asked;
	pagus_pfn_t got, free; /* free: to be freed, once */
};

static void take_all(void *ctx)
{
	struct rival *r = ctx;
	const struct pagus_request req = {
		.gfp = GFP_HIGHUSER_MOVABLE & ~__GFP_DIRECT_RECLAIM, .order = r->order,
		.node = PAGUS_NO_NODE,
	};
	struct pagus_result res;

	r->asked++;
	if (pagus_alloc(&r->l->lab.p, &req, &res) == PAGUS_OK)
		r->got = res.pfn;
	if (r->free != PAGUS_NO_PFN)
		unit_free(&r->l->lab, r->free, 0);
	r->free = PAGUS_NO_PFN;
}

/* 26. Somebody who asks for the same all the time gets nothing of what another compacts for. */
static void test_property_26_nobody_else_gets_it(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct rival rival = { .order = 9, .got = PAGUS_NO_PFN, .free = PAGUS_NO_PFN };
		struct contig_lab l;

		compact_checkerboard(&l, compact_policies[n]);
		rival.l = &l;
		l.owner.meanwhile = take_all;
		l.owner.meanwhile_ctx = &rival;
		assert_int_equal(compact_ask(&l, GFP_HIGHUSER_MOVABLE, 9), PAGUS_OK);
		assert_int_equal(rival.asked, 256);
		assert_int_equal(rival.got, PAGUS_NO_PFN);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_capture), 1);
		contig_close(&l);
	}
}

/*
 * 26. A movable pageblock is not made mixed for a small request: it claims one by the rules, or gets
 * nothing. And nothing comes out of CMA pageblocks.
 */
static void test_property_26_what_is_not_captured(void **context)
{
	static const struct { uint32_t gfp, type; } rows[] = {
		{ GFP_KERNEL, PAGUS_MOVABLE }, { GFP_HIGHUSER_MOVABLE, PAGUS_CMA },
	};

	(void)context;
	for EACH_POLICY(n)
		/* Linux 6.1 is followed as built without CMA. */
		for (uint32_t r = 0; r < (n == 3 ? 1 : NR_OF(rows)); r++) {
			struct contig_lab l;

			fill_typed(&l, compact_policies[n], 32, rows[r].type);
			compact_empty(&l, 0, COMPACT_PAGES, 2);
			assert_int_equal(compact_ask(&l, rows[r].gfp, 4), PAGUS_OK);
			assert_true(l.owner.nr_moves > 0);
			assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_capture), 0);
			contig_close(&l);
		}
}

struct isolator {
	struct contig_lab *l;
	bool done;
};

static void isolate_first(void *ctx)
{
	struct isolator *who = ctx;

	if (who->done)
		return;
	who->done = true;
	assert_int_equal(pagus_isolate_range(&who->l->lab.p, 0, 512, PAGUS_ISOLATE_OTHER, NULL), PAGUS_OK);
}

/* 26. The pageblock that is being emptied is isolated meanwhile: it is nobody's, and another is had. */
static void test_property_26_an_isolated_block(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct isolator who = { .done = false };
		struct contig_lab l;
		pagus_pfn_t pfn;

		compact_checkerboard(&l, compact_policies[n]);
		who.l = &l;
		l.owner.meanwhile = isolate_first;
		l.owner.meanwhile_ctx = &who;
		pfn = unit_alloc(&l.lab, GFP_HIGHUSER_MOVABLE, 9);
		assert_true(who.done);
		assert_true(pfn >= 512);
		contig_check(&l);
		unit_free(&l.lab, pfn, 9);
		assert_int_equal(pagus_unisolate_range(&l.lab.p, 0, 512), PAGUS_OK);
		contig_close(&l);
	}
}

/* 27. What is freed by others in the middle of it is theirs to free; nothing is captured twice. */
static void test_property_27_frees_meanwhile(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct rival rival = { .order = 9, .got = PAGUS_NO_PFN };
		struct contig_lab l;
		uint64_t free;

		compact_checkerboard(&l, compact_policies[n]);
		rival.l = &l;
		rival.free = pagus_sim_empty(&l.owner, 8001);
		l.owner.meanwhile = take_all;
		l.owner.meanwhile_ctx = &rival;
		free = compact_free_pages(&l);
		unit_free(&l.lab, unit_alloc(&l.lab, GFP_HIGHUSER_MOVABLE, 9), 9);
		contig_check(&l);
		assert_int_equal(compact_free_pages(&l), free + 1);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_capture), 1);
		contig_close(&l);
	}
}

/* ---- order promotion ----------------------------------------------------------------------------- */

/* With vm.defrag_mode a small unmovable request has a whole pageblock made, and takes it over. */
static void test_defrag_mode_makes_whole_blocks(void **context)
{
	static const char *const policies[] = { "linux", "pcpbuddy", "pcpbuddy-bitmap" };

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_result res;
		struct contig_lab l;
		const struct pagus_request req = { .gfp = GFP_KERNEL, .order = 1,
						   .node = PAGUS_NO_NODE };

		compact_checkerboard(&l, policies[n]);
		pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_defrag_mode, 1);
		assert_int_equal(pagus_alloc(&l.lab.p, &req, &res), PAGUS_OK);
		assert_int_equal(unit_block_type(&l.lab, res.pfn), PAGUS_UNMOVABLE);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_fallback_steal), 0);
		assert_int_equal(l.owner.moved_pages, 256);
		unit_free(&l.lab, res.pfn, 1);
		contig_close(&l);
	}
}

/* ---- the rate --------------------------------------------------------------------------------------- */

static void test_rate(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		uint64_t granted = 0, refused;
		struct contig_lab l;

		compact_checkerboard(&l, compact_policies[n]);
		/* The bucket holds 64 ticks' worth: a run, and what that is in debt is paid by ticks. */
		assert_int_equal(pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_compact_rate, 2), PAGUS_OK);
		for (uint32_t k = 0; k < 8; k++) {
			pagus_pfn_t pfn;

			granted += pagus_alloc_pages(&l.lab.p, GFP_HIGHUSER_MOVABLE, 9, &pfn) ==
				   PAGUS_OK;
		}
		assert_int_equal(granted, 1);
		refused = unit_counter(&l.lab, PAGUS_COUNTER_compact_refused);
		assert_true(refused >= 7);
		for (uint32_t tick = 0; tick < 64; tick++)
			pagus_tick(&l.lab.p);
		assert_int_equal(compact_ask(&l, GFP_HIGHUSER_MOVABLE, 9), PAGUS_NO_MEMORY);
		pagus_tick(&l.lab.p);
		assert_int_equal(compact_ask(&l, GFP_HIGHUSER_MOVABLE, 9), PAGUS_OK);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property_16_and_29_requests),
		cmocka_unit_test(test_property_21_sources_of_async_runs),
		cmocka_unit_test(test_property_22_cma_stays),
		cmocka_unit_test(test_property_25_deferral),
		cmocka_unit_test(test_property_25_modes),
		cmocka_unit_test(test_property_26_nobody_else_gets_it),
		cmocka_unit_test(test_property_26_what_is_not_captured),
		cmocka_unit_test(test_property_26_an_isolated_block),
		cmocka_unit_test(test_property_27_frees_meanwhile),
		cmocka_unit_test(test_property_29_deferred),
		cmocka_unit_test(test_defrag_mode_makes_whole_blocks),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
