/* SPDX-License-Identifier: MIT */
/* kcompactd: who wakes it, what it does, and what it does for a node's score alone. */
#include "contig/compact.h"

#include "reclaim/kcompactd.h"
#include "reclaim/reclaim.h"

#define EACH_POLICY(n) (uint32_t n = 0; n < NR_OF(compact_policies); n++)

static uint32_t nr_wakes[PAGUS_NR_WORKERS][2];

static void wake(void *ctx, enum pagus_worker worker, uint32_t node)
{
	(void)ctx;
	nr_wakes[worker][node]++;
}

static struct pagus_port waking_port(void)
{
	struct pagus_port port = pagus_sim_owner_port;

	for (uint32_t w = 0; w < PAGUS_NR_WORKERS; w++)
		nr_wakes[w][0] = nr_wakes[w][1] = 0;
	port.wake = wake;
	return port;
}

static void work(struct contig_lab *l, enum pagus_worker worker, uint32_t node)
{
	uint32_t turns = 0;

	while (pagus_work(&l->lab.p, worker, node))
		assert_true(++turns < 1000);
	contig_check(l);
}

/* Blocks 0 to `nr_boards` every second page free, and one pageblock; marks of zero. */
static void boards(struct contig_lab *l, const char *policy, uint32_t nr_free)
{
	compact_fill(l, policy);
	compact_empty(l, 0, 2 * nr_free, 2);
	compact_empty(l, 28 * 512, 29 * 512, 1);
}

static uint32_t scattered(const struct contig_lab *l)
{
	return pg_extfrag_percent(l->lab.p.state, 0, 9);
}

/* 31. At proactiveness 20 a score above 90 is too much, and 80 % scattered is little enough. */
static void test_property_31_marks(void **context)
{
	static const struct { uint32_t free, percent, proactiveness; bool runs; } rows[] = {
		{ 5888, 92, 20, true }, { 5300, 91, 20, false }, { 5888, 92, 10, false },
		{ 5888, 92, 0, false },
	};

	(void)context;
	for EACH_POLICY(n)
		for (uint32_t r = 0; r < NR_OF(rows); r++) {
			struct contig_lab l;

			boards(&l, compact_policies[n], rows[r].free);
			assert_int_equal(scattered(&l), rows[r].percent);
			pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_compaction_proactiveness,
					  rows[r].proactiveness);
			work(&l, PAGUS_WORKER_KCOMPACTD, 0);
			assert_int_equal(l.owner.nr_moves > 0, rows[r].runs);
			if (rows[r].runs)
				assert_in_range(scattered(&l), 70, 80);
			assert_false(pagus_kcompactd_tick(&l.lab.p, 0));
			contig_close(&l);
		}
}

/* 31. Without progress the 64th check after it is the next that looks. */
static void test_property_31_pause(void **context)
{
	struct contig_lab l;

	(void)context;
	boards(&l, "linux", 5888);
	compact_mark(&l, 1, COMPACT_PAGES, 2, PAGUS_TRAIT_FIXED);
	for (uint32_t round = 0; round < 2; round++) {
		assert_true(pagus_kcompactd_tick(&l.lab.p, 0));
		work(&l, PAGUS_WORKER_KCOMPACTD, 0);
		for (uint32_t tick = 0; tick < 63; tick++)
			assert_false(pagus_kcompactd_tick(&l.lab.p, 0));
	}
	/* Whoever sets it wants it to be looked at now. */
	assert_true(pagus_kcompactd_tick(&l.lab.p, 0));
	work(&l, PAGUS_WORKER_KCOMPACTD, 0);
	compact_mark(&l, 1, COMPACT_PAGES, 2, 0);
	pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_compaction_proactiveness, 20);
	work(&l, PAGUS_WORKER_KCOMPACTD, 0);
	assert_true(l.owner.nr_moves > 0);
	contig_close(&l);
}

/* 32. Order 0 wakes nobody; what one node's does leaves the other as it is. */
static void test_property_32_other_nodes(void **context)
{
	static const struct pagus_range ranges[] = {
		{ .nr_pages = COMPACT_PAGES / 2, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = COMPACT_PAGES / 2, .nr_pages = COMPACT_PAGES / 2, .node = 1,
		  .zone = PAGUS_ZONE_BY_CEILING },
	};

	(void)context;
	for EACH_POLICY(n) {
		struct pagus_config cfg = lab_config(ranges, 2, compact_policies[n]);
		const struct pagus_request req = { .gfp = GFP_HIGHUSER_MOVABLE,
						   .node = PAGUS_NO_NODE,
						   .task = PAGUS_TASK_MEMALLOC };
		struct pagus_port port = waking_port();
		struct pagus_zone_info before, after;
		struct pagus_result res;
		struct contig_lab l;
		struct pg_call c;

		contig_boot(&l, &cfg, COMPACT_PAGES, COMPACT_PAGES);
		l.lab.p.port = &port;
		lab_no_marks(&l.lab);
		while (pagus_alloc(&l.lab.p, &req, &res) == PAGUS_OK)
			pagus_sim_fill(&l.owner, (uint32_t)res.pfn, res.pfn, 0);
		compact_empty(&l, 0, COMPACT_PAGES, 2);
		before = unit_zone(&l.lab, 0);
		c = pg_call_begin(&l.lab.p);
		pg_kcompactd_wake(&c, 1, 0, PAGUS_ZONE_MOVABLE);
		assert_int_equal(nr_wakes[PAGUS_WORKER_KCOMPACTD][1], 0);
		pg_kcompactd_wake(&c, 1, 9, PAGUS_ZONE_MOVABLE);
		pg_kcompactd_wake(&c, 1, 4, PAGUS_ZONE_MOVABLE);
		pg_call_end(&c);
		assert_int_equal(nr_wakes[PAGUS_WORKER_KCOMPACTD][1], 1);
		work(&l, PAGUS_WORKER_KCOMPACTD, 0);
		assert_int_equal(l.owner.nr_moves, 0);
		work(&l, PAGUS_WORKER_KCOMPACTD, 1);
		assert_int_equal(l.owner.nr_moves, 256);
		after = unit_zone(&l.lab, 0);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_int_equal(unit_zone(&l.lab, 1).nr_free[9], 1);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_daemon_wake), 1);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_daemon_migrate_scanned),
				 unit_counter(&l.lab, PAGUS_COUNTER_compact_migrate_scanned));
		contig_close(&l);
	}
}

/* A request that does not wait cannot be helped by reclaim where pages are free. */
static void test_requests_that_do_not_wait_wake_it(void **context)
{
	static const uint32_t gfps[] = { GFP_KERNEL, GFP_NOWAIT };

	(void)context;
	for (uint32_t n = 0; n < 2 * NR_OF(compact_policies); n++) {
		struct pagus_port port = waking_port();
		struct contig_lab l;

		compact_checkerboard(&l, compact_policies[n / 2]);
		compact_mark(&l, 0, COMPACT_PAGES, 1, PAGUS_TRAIT_FIXED);
		l.lab.p.port = &port;
		/* kswapd has given up: there is nothing to reclaim. */
		pg_node(l.lab.p.state, 0)->failures = 16;
		compact_ask(&l, gfps[n % 2], 9);
		assert_int_equal(nr_wakes[PAGUS_WORKER_KCOMPACTD][0], n % 2);
		assert_int_equal(nr_wakes[PAGUS_WORKER_KSWAPD][0], 0);
		contig_close(&l);
	}
}

static struct contig_lab *reclaiming;
static uint32_t next_slot; /* of those that reclaim takes, every second */

static uint64_t reclaim_every_second(void *ctx, const struct pagus_reclaim *how)
{
	uint64_t nr = 0;

	(void)ctx;
	for (; nr < how->nr_pages && next_slot < COMPACT_PAGES; nr++, next_slot += 2)
		contig_empty(reclaiming, next_slot);
	return nr;
}

/*
 * 53. Woken for order 9 where memory is scattered, kswapd reclaims twice the block's pages, is content
 * with order 0 then, sleeps, and wakes kcompactd for the order.
 */
static void test_property_53_kswapd_hands_over(void **context)
{
	static const uint64_t marks[] = { 100, 200, 300, 400 };

	(void)context;
	for EACH_POLICY(n) {
		struct pagus_port port = waking_port();
		struct contig_lab l;
		struct pg_zone *z;

		compact_fill(&l, compact_policies[n]);
		compact_empty(&l, 0, 500, 2);
		reclaiming = &l;
		next_slot = 500;
		port.reclaim = reclaim_every_second;
		l.lab.p.port = &port;
		z = pg_zone(l.lab.p.state, 0);
		for (uint32_t w = 0; w < NR_OF(marks); w++)
			z->wmark[w] = marks[w];
		assert_int_equal(compact_ask(&l, GFP_NOWAIT, 9), PAGUS_NO_MEMORY);
		assert_int_equal(nr_wakes[PAGUS_WORKER_KSWAPD][0], 1);
		work(&l, PAGUS_WORKER_KSWAPD, 0);
		assert_in_range((next_slot - 500) / 2, 1024, 1024 + 300);
		assert_int_equal(compact_free_blocks(&l, 9), 0);
		assert_int_equal(nr_wakes[PAGUS_WORKER_KCOMPACTD][0], 1);
		assert_int_equal(pg_atomic_load(&pg_node(l.lab.p.state, 0)->compact_wanted_order), 9);
		work(&l, PAGUS_WORKER_KCOMPACTD, 0);
		assert_true(compact_free_blocks(&l, 9) > 0);
		contig_close(&l);
	}
}

/* 28. Skip hints go when kswapd falls asleep after a request's run that was in vain. */
static void test_property_28_hints_go(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct pagus_port port = waking_port();
		struct contig_lab l;
		struct pg_zone *z;

		compact_checkerboard(&l, compact_policies[n]);
		l.lab.p.port = &port;
		z = pg_zone(l.lab.p.state, 0);
		compact_mark(&l, 1, COMPACT_PAGES, 16, PAGUS_TRAIT_FIXED);
		assert_int_equal(compact_ask(&l, GFP_HIGHUSER_MOVABLE, 9), PAGUS_NO_MEMORY);
		assert_true(pg_zone_has(z, PG_ZONE_HINTS_OLD));
		compact_mark(&l, 1, COMPACT_PAGES, 16, 0);
		/* All that was looked at is passed over. */
		compact_zone(&l, 9, PAGUS_MIGRATE_SYNC_LIGHT, NULL);
		assert_int_equal(compact_free_blocks(&l, 9), 0);
		assert_int_equal(nr_wakes[PAGUS_WORKER_KSWAPD][0], 1);
		work(&l, PAGUS_WORKER_KSWAPD, 0);
		assert_false(pg_zone_has(z, PG_ZONE_HINTS_OLD));
		assert_true(pg_zone_has(z, PG_ZONE_HINTS_GO));
		compact_zone(&l, 9, PAGUS_MIGRATE_SYNC_LIGHT, NULL);
		assert_true(compact_free_blocks(&l, 9) > 0);
		contig_close(&l);
	}
}

/* With vm.defrag_mode it works on until the high mark is there in whole pageblocks. */
static void test_defrag_mode_fills_the_mark(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct pagus_port port = waking_port();
		struct contig_lab l;
		struct pg_call c;

		compact_checkerboard(&l, compact_policies[n]);
		l.lab.p.port = &port;
		pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_defrag_mode, 1);
		pg_zone(l.lab.p.state, 0)->wmark[PAGUS_WMARK_HIGH] = 1500;
		pg_zone(l.lab.p.state, 0)->wmark[PAGUS_WMARK_PROMO] = 1500;
		c = pg_call_begin(&l.lab.p);
		pg_kcompactd_wake(&c, 0, 9, PAGUS_ZONE_MOVABLE);
		pg_call_end(&c);
		work(&l, PAGUS_WORKER_KCOMPACTD, 0);
		/* order 9 asks for 511 pages more than the mark */
		assert_int_equal(compact_free_blocks(&l, 9), 4);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property_31_marks),
		cmocka_unit_test(test_property_31_pause),
		cmocka_unit_test(test_property_32_other_nodes),
		cmocka_unit_test(test_requests_that_do_not_wait_wake_it),
		cmocka_unit_test(test_property_28_hints_go),
		cmocka_unit_test(test_property_53_kswapd_hands_over),
		cmocka_unit_test(test_defrag_mode_fills_the_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
