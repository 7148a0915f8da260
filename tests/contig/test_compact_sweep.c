/* SPDX-License-Identifier: MIT */
/*
 * Compaction when something fails: the n-th claim, move or trylock, for every n, and when there are
 * only so many pages to move to. Small pageblocks, so that every n is soon done.
 */
#include "contig/compact.h"

#include "zone/zone.h"

#define PAGES 512u /* 32 pageblocks of 16 */

enum what { ISOLATE, MOVE_AGAIN, MOVE_NEVER, TRYLOCK, NR_FAILURES };

/* What is free, as a set: a sum over blocks of a number that is different for each. */
static uint64_t free_set(const struct contig_lab *l)
{
	uint64_t sum = 0;

	for (uint32_t o = 0; o <= 5; o++)
		for (uint32_t t = 0; t < PAGUS_NR_MIGRATETYPES; t++) {
			pagus_pfn_t pfns[PAGES];
			uint64_t nr = pagus_free_list(&l->lab.p, 0, o, t, pfns, PAGES);

			for (uint64_t n = 0; n < nr; n++) {
				uint64_t seed = pfns[n] * 256 + o * 8 + t;

				sum += lab_random(&seed, UINT64_MAX);
			}
		}
	return sum;
}

/* Two thirds in use, by blocks of orders 0 to 2; some do not move. */
static void build(struct contig_lab *l, const char *policy, uint32_t choice)
{
	struct pagus_config cfg = lab_config(&(struct pagus_range){
		.nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING }, 1, policy);
	uint64_t seed = 7;

	cfg.max_order = 5;
	cfg.pageblock_order = 4;
	cfg.section_order = 5;
	contig_boot(l, &cfg, PAGES, PAGES);
	lab_no_marks(&l->lab);
	pagus_tunable_set(&l->lab.p, PAGUS_TUNABLE_compact_choice, choice);
	for (uint32_t slot = 0; slot < PAGES; slot++) {
		const struct pagus_request req = {
			.gfp = GFP_HIGHUSER_MOVABLE & ~__GFP_DIRECT_RECLAIM,
			.order = (uint32_t)lab_random(&seed, 5) / 2, .node = PAGUS_NO_NODE,
			.task = PAGUS_TASK_MEMALLOC,
		};
		struct pagus_result res;

		if (pagus_alloc(&l->lab.p, &req, &res) == PAGUS_OK)
			pagus_sim_fill(&l->owner, slot, res.pfn, req.order);
	}
	for (uint32_t slot = 0; slot < PAGES; slot++) {
		if (l->owner.slot[slot].pfn == PAGUS_NO_PFN)
			continue;
		if (lab_random(&seed, 5) < 2)
			contig_empty(l, slot);
		else if (lab_random(&seed, 60) == 0)
			l->owner.slot[slot].traits = PAGUS_TRAIT_FIXED;
	}
	pagus_drain_all(&l->lab.p);
}

static void fail_at(struct contig_lab *l, enum what what, uint64_t n)
{
	l->owner.refusal = what == MOVE_AGAIN ? PAGUS_MOVE_AGAIN : PAGUS_MOVE_NEVER;
	l->owner.isolate_fail_at = what == ISOLATE ? n : 0;
	l->owner.move_fail_at = what == MOVE_AGAIN || what == MOVE_NEVER ? n : 0;
	l->lab.sim.trylock_fail_at = what == TRYLOCK ? n : 0;
}

static bool has_failed(const struct contig_lab *l)
{
	return l->owner.isolate_fail_at + l->owner.move_fail_at + l->lab.sim.trylock_fail_at == 0;
}

/* A request of an order, or, above all orders, the whole zone. False: nothing failed any more. */
static bool sweep_one(const char *policy, uint32_t choice, enum what what, uint32_t order, uint64_t n)
{
	struct contig_lab l;
	uint32_t used;
	uint64_t free, set;
	bool failed, owned;

	build(&l, policy, choice);
	used = compact_used(&l);
	free = compact_free_pages(&l);
	set = free_set(&l);
	owned = unit_counter(&l.lab, PAGUS_COUNTER_pageblock_own) > 0;
	fail_at(&l, what, n);
	if (order > 5)
		pagus_compact_memory(&l.lab.p);
	else
		compact_ask(&l, GFP_HIGHUSER_MOVABLE, order);
	failed = has_failed(&l);
	pagus_drain_all(&l.lab.p);
	compact_settled(&l, used, free);
	assert_int_equal(unit_zone(&l.lab, 0).free_pages + unit_zone(&l.lab, 0).pcp_pages +
			 unit_zone(&l.lab, 0).deferred_pages, free);
	assert_int_equal(pg_zone(l.lab.p.state, 0)->nr_isolated, 0);
	if (l.owner.nr_moves == 0 && !owned)
		assert_int_equal(free_set(&l), set);
	contig_close(&l);
	return failed;
}

static void test_every_nth_failure(void **context)
{
	(void)context;
	for (uint32_t p = 0; p < NR_OF(compact_policies) * 2; p++)
		for (uint32_t what = 0; what < NR_FAILURES; what++)
			for (uint32_t order = 1; order <= 6; order++) {
				uint64_t n = 1;

				while (sweep_one(compact_policies[p / 2], p % 2, what, order, n))
					n++;
				assert_true(n < 2000);
			}
}

/* Marks that let just so many pages be moved to. */
static void test_every_number_of_targets(void **context)
{
	(void)context;
	for (uint32_t p = 0; p < NR_OF(compact_policies) * 2; p++)
		for (uint64_t room = 0; room < 120; room += 3) {
			struct contig_lab l;
			uint64_t free, set;
			uint32_t used;

			build(&l, compact_policies[p / 2], p % 2);
			used = compact_used(&l);
			free = compact_free_pages(&l);
			set = free_set(&l);
			pg_zone(l.lab.p.state, 0)->wmark[PAGUS_WMARK_MIN] = free - room;
			pagus_compact_memory(&l.lab.p);
			pg_zone(l.lab.p.state, 0)->wmark[PAGUS_WMARK_MIN] = 0;
			compact_settled(&l, used, free);
			if (l.owner.nr_moves == 0 &&
			    unit_counter(&l.lab, PAGUS_COUNTER_pageblock_own) == 0)
				assert_int_equal(free_set(&l), set);
			contig_close(&l);
		}
}

/*
 * Where compaction holds the zone's lock, it takes or gives back no more than a cluster of blocks,
 * each of which may merge with as many others as there are orders.
 */
static void test_holds_are_bounded(void **context)
{
	(void)context;
	for (uint32_t p = 0; p < NR_OF(compact_policies); p++) {
		struct contig_lab l;
		const struct pagus_sim_ledger *held;

		compact_checkerboard(&l, compact_policies[p]);
		assert_int_equal(pagus_compact_memory(&l.lab.p), PAGUS_OK);
		assert_int_equal(compact_ask(&l, GFP_HIGHUSER_MOVABLE, 9), PAGUS_OK);
		held = &l.lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_COMPACT];
		assert_true(held->acquisitions > 0);
		assert_in_range(held->max_work, 1, 32 * 11);
		assert_in_range(l.lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_FREE_DIRECT].max_work,
				1, 32 * 11);
		contig_close(&l);
	}
}

/* What is suitable can be taken: never is the zone's own mark what stops the first of a run. */
static void test_suitable_is_as_strict_as_taking(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t round = 0; round < 300; round++) {
		struct contig_lab l;
		uint32_t order = 1 + (uint32_t)lab_random(&seed, 4);
		struct pagus_compaction stats;
		struct pg_zone *z;

		build(&l, "linux", 0);
		z = pg_zone(l.lab.p.state, 0);
		z->wmark[PAGUS_WMARK_MIN] = lab_random(&seed, 200);
		z->wmark[PAGUS_WMARK_LOW] = z->wmark[PAGUS_WMARK_MIN] + lab_random(&seed, 20);
		z->wmark[PAGUS_WMARK_HIGH] = z->wmark[PAGUS_WMARK_PROMO] = z->wmark[PAGUS_WMARK_LOW];
		z->boost = lab_random(&seed, 3) ? 0 : lab_random(&seed, 50);
		if (compact_zone(&l, order, PAGUS_MIGRATE_SYNC_LIGHT, &stats) !=
		    PAGUS_COMPACT_SKIPPED && stats.isolated > 0)
			assert_true(stats.taken > 0);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_nth_failure),
		cmocka_unit_test(test_every_number_of_targets),
		cmocka_unit_test(test_holds_are_bounded),
		cmocka_unit_test(test_suitable_is_as_strict_as_taking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
