/* SPDX-License-Identifier: MIT */
/* Compaction of one zone, through the public call. */
#include <pagus/contig.h>

#include "contig/compact.h"

#define EACH_POLICY(n) (uint32_t n = 0; n < NR_OF(compact_policies); n++)
#define LIGHT PAGUS_MIGRATE_SYNC_LIGHT

/* 16. Every second page is free: compaction makes blocks of it; each page moves once at most. */
static void test_property_16_checkerboard(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct pagus_compaction stats;
		struct contig_lab l;

		compact_checkerboard(&l, compact_policies[n]);
		assert_int_equal(compact_free_blocks(&l, 9), 0);
		assert_int_equal(compact_zone(&l, 9, LIGHT, &stats), PAGUS_COMPACT_SUCCESS);
		assert_int_equal(compact_free_blocks(&l, 9), 1);
		assert_int_equal(stats.moved, 256);
		assert_int_equal(stats.blocks, 1);
		for (uint32_t slot = 0; slot < COMPACT_PAGES; slot++) {
			assert_true(l.owner.slot[slot].moves <= 1);
			assert_int_equal(l.owner.slot[slot].isolations, l.owner.slot[slot].moves);
		}
		assert_int_equal(compact_zone(&l, PAGUS_COMPACT_WHOLE, PAGUS_MIGRATE_SYNC, &stats),
				 PAGUS_COMPACT_COMPLETE);
		assert_int_equal(compact_free_blocks(&l, 9), 15);
		contig_close(&l);
	}
}

/* 17. A page in each pageblock stays where it is: no block comes together, nothing is lost. */
static void test_property_17_a_page_in_each_block_stays(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct pagus_compaction stats;
		struct contig_lab l;

		compact_checkerboard(&l, compact_policies[n]);
		compact_mark(&l, 101, COMPACT_PAGES, 512, PAGUS_TRAIT_FIXED);
		assert_int_equal(compact_zone(&l, 9, LIGHT, &stats), PAGUS_COMPACT_COMPLETE);
		assert_int_equal(compact_free_blocks(&l, 9), 0);
		for (uint32_t slot = 101; slot < COMPACT_PAGES; slot += 512)
			assert_int_equal(l.owner.slot[slot].pfn, slot);
		contig_close(&l);
	}
}

/* The same where owners find out only when they are asked to move. */
static void test_pages_that_refuse_to_move(void **context)
{
	static const enum pagus_moved refusals[] = { PAGUS_MOVE_AGAIN, PAGUS_MOVE_NEVER };

	(void)context;
	for EACH_POLICY(n)
		for (uint32_t r = 0; r < NR_OF(refusals); r++) {
			struct pagus_compaction stats;
			struct contig_lab l;

			compact_checkerboard(&l, compact_policies[n]);
			l.owner.refusal = refusals[r];
			l.owner.move_fail_at = 40;
			assert_int_equal(compact_zone(&l, 9, LIGHT, &stats), PAGUS_COMPACT_SUCCESS);
			assert_int_equal(l.owner.nr_refused, 1);
			assert_int_equal(stats.failed, refusals[r] == PAGUS_MOVE_NEVER);
			contig_close(&l);
		}
}

static void seed_marks(struct contig_lab *l, uint64_t min, uint64_t gap, uint64_t reserve)
{
	const struct pagus_zone_info info = unit_zone(&l->lab, 0);
	const struct pagus_zone_seed seed = {
		.present = info.present, .managed = info.managed,
		.wmark = { min, min + gap, min + 2 * gap, min + 3 * gap },
		.lowmem_reserve = { [PAGUS_ZONE_NORMAL] = reserve, [PAGUS_ZONE_MOVABLE] = reserve },
		.pcp_batch = 1, .pcp_high_min = 4, .pcp_high_max = 4,
	};

	assert_int_equal(pagus_seed_zone(&l->lab.p, info.node, info.type, &seed), PAGUS_OK);
}

/*
 * 19. One page decides: min, twice the block, for costly orders the distance to the low mark, and what
 * is kept from requests for this zone type.
 */
static void test_property_19_suitability_edge(void **context)
{
	static const struct { uint32_t order; uint64_t least, reserve; } rows[] = {
		{ 9, 300 + 1024 + 75 + 1, 0 }, { 4, 300 + 32 + 75 + 1, 0 }, { 3, 300 + 16 + 1, 0 },
		{ 9, 300 + 1024 + 75 + 50 + 1, 50 }, { 3, 300 + 16 + 50 + 1, 50 },
	};

	(void)context;
	for EACH_POLICY(n)
		for (uint32_t r = 0; r < NR_OF(rows); r++) {
			struct contig_lab l;
			uint32_t slot;

			compact_fill(&l, compact_policies[n]);
			seed_marks(&l, 300, 75, rows[r].reserve);
			slot = 2 * (uint32_t)(rows[r].least - 1);
			compact_empty(&l, 0, slot, 2);
			assert_int_equal(unit_zone(&l.lab, 0).free_pages, rows[r].least - 1);
			assert_int_equal(compact_zone(&l, rows[r].order, LIGHT, NULL),
					 PAGUS_COMPACT_SKIPPED);
			assert_int_equal(l.owner.nr_isolated, 0);
			compact_empty(&l, slot, slot + 1, 1);
			assert_int_not_equal(compact_zone(&l, rows[r].order, LIGHT, NULL),
					     PAGUS_COMPACT_SKIPPED);
			assert_true(l.owner.nr_isolated > 0);
			contig_close(&l);
		}
}

/*
 * 20. The index lies between 0 and 1000, so at a threshold of 1000 costly orders never compact, also for
 * a request; which is no stall (29).
 */
static void test_property_20_extfrag_threshold(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct contig_lab l;

		compact_checkerboard(&l, compact_policies[n]);
		pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_extfrag_threshold, 1000);
		assert_int_equal(compact_zone(&l, 9, LIGHT, NULL), PAGUS_COMPACT_SKIPPED);
		assert_int_equal(compact_zone(&l, 4, LIGHT, NULL), PAGUS_COMPACT_SKIPPED);
		assert_int_equal(compact_ask(&l, GFP_HIGHUSER_MOVABLE, 9), PAGUS_NO_MEMORY);
		assert_int_equal(l.owner.nr_isolated, 0);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_stall), 0);
		assert_int_equal(compact_zone(&l, 3, LIGHT, NULL), PAGUS_COMPACT_SUCCESS);
		contig_close(&l);
	}
}

/* 23. What would take a file system's locks, or wait, is not asked by who may not. */
static void test_property_23_who_may_ask(void **context)
{
	static const struct {
		uint32_t traits, gfp;
		enum pagus_migrate_mode mode;
		bool moves;
	} rows[] = {
		{ PAGUS_TRAIT_NEEDS_FS, GFP_NOFS, PAGUS_MIGRATE_SYNC, false },
		{ PAGUS_TRAIT_NEEDS_FS, GFP_KERNEL, PAGUS_MIGRATE_ASYNC, true },
		{ PAGUS_TRAIT_WOULD_BLOCK, GFP_KERNEL, PAGUS_MIGRATE_ASYNC, false },
		{ PAGUS_TRAIT_WOULD_BLOCK, GFP_KERNEL, PAGUS_MIGRATE_SYNC_LIGHT, false },
		{ PAGUS_TRAIT_WOULD_BLOCK, GFP_KERNEL, PAGUS_MIGRATE_SYNC, true },
	};

	(void)context;
	for EACH_POLICY(n)
		for (uint32_t r = 0; r < NR_OF(rows); r++) {
			const struct pagus_compact_zone how = {
				.order = 9, .migratetype = PAGUS_MOVABLE, .gfp = rows[r].gfp,
				.mode = rows[r].mode,
			};
			struct contig_lab l;

			compact_checkerboard(&l, compact_policies[n]);
			compact_mark(&l, 1, COMPACT_PAGES, 2, rows[r].traits);
			compact_as(&l, &how, NULL);
			assert_int_equal(l.owner.nr_isolated > 0, rows[r].moves);
			contig_close(&l);
		}
}

/* 24. Pages that are locked in memory, by vm.compact_unevictable_allowed; a range takes them anyway. */
static void test_property_24_unevictable(void **context)
{
	(void)context;
	for EACH_POLICY(n)
		for (uint32_t allowed = 0; allowed < 2; allowed++) {
			struct contig_lab l;
			uint64_t moved;

			compact_checkerboard(&l, compact_policies[n]);
			compact_mark(&l, 1, COMPACT_PAGES, 2, PAGUS_TRAIT_UNEVICTABLE);
			pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_compact_unevictable_allowed, allowed);
			compact_zone(&l, 9, PAGUS_MIGRATE_SYNC, NULL);
			assert_int_equal(l.owner.nr_isolated > 0, allowed);
			moved = l.owner.nr_moves;
			assert_int_equal(pagus_alloc_contig_range(&l.lab.p, 4096, 512, false, GFP_KERNEL),
					 PAGUS_OK);
			assert_true(l.owner.nr_moves > moved);
			assert_int_equal(pagus_free_contig_range(&l.lab.p, 4096, 512), PAGUS_OK);
			contig_close(&l);
		}
}

/*
 * 28. A run goes on where the last one ended, and looks at nothing twice; when the scanners have met
 * the next begins at the ends.
 */
static void test_property_28_runs_resume(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct pagus_compaction stats;
		struct contig_lab l;

		compact_checkerboard(&l, compact_policies[n]);
		for (uint32_t block = 0; block < 3; block++) {
			pagus_pfn_t pfn;

			assert_int_equal(compact_zone(&l, 9, LIGHT, &stats), PAGUS_COMPACT_SUCCESS);
			assert_int_equal(stats.migrate_scanned, 512);
			pfn = unit_alloc(&l.lab, GFP_HIGHUSER_MOVABLE, 9);
			assert_int_equal(pfn, block * 512);
		}
		for (uint32_t slot = 0; slot < COMPACT_PAGES; slot++)
			assert_true(l.owner.slot[slot].isolations <= 1);
		compact_mark(&l, 1, COMPACT_PAGES, 2, PAGUS_TRAIT_FIXED);
		assert_int_equal(compact_zone(&l, 9, LIGHT, &stats), PAGUS_COMPACT_PARTIAL_SKIPPED);
		assert_int_equal(compact_zone(&l, 9, LIGHT, &stats), PAGUS_COMPACT_COMPLETE);
		contig_close(&l);
	}
}

/* 30. There is nothing to write but the wish; on a machine whose port moves nothing it is refused. */
static void test_property_30_compact_memory(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct contig_lab l;

		compact_checkerboard(&l, compact_policies[n]);
		assert_int_equal(pagus_compact_node(&l.lab.p, 1), PAGUS_BAD_NODE);
		assert_int_equal(pagus_compact_memory(&l.lab.p), PAGUS_OK);
		contig_check(&l);
		assert_int_equal(compact_free_blocks(&l, 9), 15);
		l.lab.p.port = &pagus_sim_port;
		assert_int_equal(pagus_compact_memory(&l.lab.p), PAGUS_UNSUPPORTED);
		assert_int_equal(compact_zone(&l, 9, LIGHT, NULL), PAGUS_COMPACT_SKIPPED);
		contig_close(&l);
	}
}

/* A task that is to be killed leaves what it has begun. */
static void test_a_dying_task_ends(void **context)
{
	struct contig_lab l;

	(void)context;
	compact_checkerboard(&l, "linux");
	l.lab.sim.task = PAGUS_TASK_FATAL_SIGNAL;
	assert_int_equal(compact_zone(&l, 9, LIGHT, NULL), PAGUS_COMPACT_CONTENDED);
	assert_int_equal(pagus_compact_memory(&l.lab.p), PAGUS_BUSY);
	assert_int_equal(l.owner.nr_isolated, 0);
	contig_close(&l);
}

static void test_bad_values_are_skipped(void **context)
{
	struct pagus_compact_zone how = { .order = 9, .migratetype = PAGUS_MOVABLE, .mode = LIGHT };
	struct contig_lab l;

	(void)context;
	compact_checkerboard(&l, "linux");
	how.zone = 7;
	assert_int_equal(compact_as(&l, &how, NULL), PAGUS_COMPACT_SKIPPED);
	how.zone = 0;
	how.order = 11;
	assert_int_equal(compact_as(&l, &how, NULL), PAGUS_COMPACT_SKIPPED);
	how.order = 9;
	how.migratetype = PAGUS_CMA;
	assert_int_equal(compact_as(&l, &how, NULL), PAGUS_COMPACT_SKIPPED);
	contig_close(&l);
}

/* Larger blocks move as what they are, where there is room for them. */
static void test_larger_blocks_move_whole(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct pagus_config cfg = lab_config(&compact_range, 1, compact_policies[n]);
		struct contig_lab l;
		uint64_t whole;
		uint32_t used;

		contig_boot(&l, &cfg, COMPACT_PAGES, COMPACT_PAGES / 8);
		lab_no_marks(&l.lab);
		for (uint32_t slot = 0; slot < COMPACT_PAGES / 8 - 64; slot++)
			contig_fill(&l, slot, 3);
		for (uint32_t slot = 0; slot < COMPACT_PAGES / 8 - 64; slot++)
			if (l.owner.slot[slot].pfn / 8 % 2)
				contig_empty(&l, slot);
		pagus_drain_all(&l.lab.p);
		used = compact_used(&l);
		whole = compact_free_blocks(&l, 9);
		assert_int_equal(pagus_compact_memory(&l.lab.p), PAGUS_OK);
		contig_check(&l);
		assert_int_equal(compact_used(&l), used);
		assert_true(compact_free_blocks(&l, 9) >= whole + 14);
		contig_close(&l);
	}
}

/* Pageblock 3 is the cheapest to empty, with 8 pages in use, and 5 with 32 the next. */
static void fill_for_choice(struct contig_lab *l, const char *policy)
{
	compact_fill(l, policy);
	compact_empty(l, 20 * 512, 28 * 512, 2);
	for (uint32_t n = 0; n < 512; n++) {
		if (n % 64)
			contig_empty(l, 3 * 512 + n);
		if (n % 16)
			contig_empty(l, 5 * 512 + n);
	}
	pagus_drain_all(&l->lab.p);
}

/* By choice a pageblock is not passed over because the scanners were there. */
static void by_choice_hints_of_the_scanners_do_not_count(void **context)
{
	(void)context;
	for EACH_POLICY(n) {
		struct pagus_compaction stats;
		struct contig_lab l;

		fill_for_choice(&l, compact_policies[n]);
		/* The scanners find nothing to move, and say so of each pageblock. */
		compact_mark(&l, 0, COMPACT_PAGES, 1, PAGUS_TRAIT_FIXED);
		assert_int_equal(compact_zone(&l, 9, LIGHT, &stats), PAGUS_COMPACT_COMPLETE);
		compact_mark(&l, 0, COMPACT_PAGES, 1, 0);
		pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_compact_choice, 1);
		assert_int_equal(compact_zone(&l, 9, LIGHT, &stats), PAGUS_COMPACT_SUCCESS);
		assert_int_equal(stats.moved, 8);
		contig_close(&l);
	}
}

static uint32_t used_in_block(const struct contig_lab *l, pagus_pfn_t pfn)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < l->owner.nr_slots; n++)
		nr += l->owner.slot[n].pfn != PAGUS_NO_PFN && l->owner.slot[n].pfn / 512 == pfn / 512;
	return nr;
}

/* By choice what could not be emptied is passed over, but by who does not go by hints. */
static void by_choice_what_was_stuck_is_passed_over(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < 2 * NR_OF(compact_policies); n++) {
		const struct pagus_compact_zone again = {
			.order = 9, .migratetype = PAGUS_MOVABLE, .mode = LIGHT, .ignore_hints = n % 2,
		};
		struct pagus_compaction stats;
		struct contig_lab l;

		fill_for_choice(&l, compact_policies[n / 2]);
		pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_compact_choice, 1);
		/* The last page of the cheapest stays. */
		l.owner.refusal = PAGUS_MOVE_NEVER;
		l.owner.move_fail_at = 8;
		assert_int_equal(compact_zone(&l, 9, LIGHT, &stats), PAGUS_COMPACT_SUCCESS);
		/* What was moved before that may lie in the next: its pages move again. */
		assert_in_range(stats.moved, 7 + 32, 7 + 32 + 7);
		unit_alloc(&l.lab, GFP_HIGHUSER_MOVABLE, 9);
		assert_in_range(used_in_block(&l, 3 * 512), 1, 100);
		assert_int_equal(compact_as(&l, &again, &stats), PAGUS_COMPACT_SUCCESS);
		assert_int_equal(used_in_block(&l, 3 * 512) == 0, again.ignore_hints);
		contig_close(&l);
	}
}

/*
 * By choice nothing is moved where there is less to move to than the cheapest pageblock holds. Half of
 * the machine is unmovable pages with a free one behind each, the other half is full of movable ones.
 */
static void by_choice_nothing_moves_without_room(void **state)
{
	static const struct pagus_range range = { .nr_pages = 32768, .zone = PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "nopcp");
	static pagus_pfn_t fixed[16384];
	struct contig_lab l;
	uint32_t nr = 0;
	pagus_pfn_t pfn;

	(void)state;
	contig_boot(&l, &cfg, 32768, 32768);
	l.lab.p.port = &pagus_sim_port; /* nothing moves while it fills */
	for (uint32_t n = 0; n < 16384; n++)
		assert_int_equal(pagus_alloc_pages(&l.lab.p, GFP_KERNEL, 0, &fixed[n]), PAGUS_OK);
	while (pagus_alloc_pages(&l.lab.p, GFP_HIGHUSER_MOVABLE | __GFP_NORETRY, 0, &pfn) == PAGUS_OK)
		pagus_sim_fill(&l.owner, nr++, pfn, 0);
	for (uint32_t n = 0; n < 16384; n += 2)
		pagus_free_pages(&l.lab.p, fixed[n], 0);
	for (uint32_t slot = 0; slot < nr; slot += 64)
		pagus_free_pages(&l.lab.p, pagus_sim_empty(&l.owner, slot), 0);
	l.lab.p.port = &pagus_sim_owner_port;
	pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_compact_choice, 1);
	/* A first one may be granted, where there is room for what a mixed pageblock holds. */
	for (uint32_t n = 0; n < 8; n++) {
		const uint64_t moved = l.owner.moved_pages;

		if (pagus_alloc_pages(&l.lab.p, GFP_TRANSHUGE, 9, &pfn) == PAGUS_OK)
			assert_true(n < 4);
		else
			assert_int_equal(l.owner.moved_pages, moved);
	}
	assert_true(pagus_counter_read(&l.lab.p, PAGUS_COUNTER_compact_stall) > 0);
	assert_true(pagus_counter_read(&l.lab.p, PAGUS_COUNTER_compact_migrate_scanned) > 0);
	contig_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property_16_checkerboard),
		cmocka_unit_test(test_property_17_a_page_in_each_block_stays),
		cmocka_unit_test(test_pages_that_refuse_to_move),
		cmocka_unit_test(test_property_19_suitability_edge),
		cmocka_unit_test(test_property_20_extfrag_threshold),
		cmocka_unit_test(test_property_23_who_may_ask),
		cmocka_unit_test(test_property_24_unevictable),
		cmocka_unit_test(test_property_28_runs_resume),
		cmocka_unit_test(test_property_30_compact_memory),
		cmocka_unit_test(test_a_dying_task_ends),
		cmocka_unit_test(test_bad_values_are_skipped),
		cmocka_unit_test(test_larger_blocks_move_whole),
		cmocka_unit_test(by_choice_nothing_moves_without_room),
		cmocka_unit_test(by_choice_hints_of_the_scanners_do_not_count),
		cmocka_unit_test(by_choice_what_was_stuck_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
