/* SPDX-License-Identifier: MIT */
/*
 * Where Linux 6.1 differs: fallback by moving to the own lists, types remembered on pcp lists,
 * fixed limits.
 */
#include <pagus/step.h>

#include "unit/unit.h"

#define BLOCK 512

static const struct pagus_range zone_4_blocks = { 0, 4 * BLOCK, 0, PAGUS_ZONE_BY_CEILING };

static void open_blocks(struct lab *lab, const char *policy)
{
	const struct pagus_config cfg = lab_config(&zone_4_blocks, 1, policy);

	unit_open(lab, &cfg);
}

/* A movable pageblock at 0 whose first 2^order pages are free; the rest is in use, and movable. */
static void seed_movable_block(struct lab *lab, uint32_t order)
{
	unit_seed_block(lab, 0, PAGUS_MOVABLE);
	unit_seed_free(lab, 0, order);
	unit_inherit(lab, 1u << order, BLOCK - (1u << order), PAGUS_MOVABLE);
}

static void property_13_in_6_1_a_steal_moves_the_rest(void **state)
{
	struct pagus_event event;
	struct lab lab;

	(void)state;
	open_blocks(&lab, "none+convert");
	seed_movable_block(&lab, 6);
	unit_seeded(&lab);
	lab_listen(&lab, 1u << PAGUS_EVENT_EXTFRAG | 1u << PAGUS_EVENT_ZONE_LOCKED);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 4), 0);
	/* The pageblock stays movable, and yet its free blocks lie on unmovable lists. */
	assert_int_equal(unit_block_type(&lab, 0), PAGUS_MOVABLE);
	unit_expect_list(&lab, 0, 4, PAGUS_UNMOVABLE, PFNS(16));
	unit_expect_list(&lab, 0, 5, PAGUS_UNMOVABLE, PFNS(32));
	/* Announced as the block found, then taken from a list like any other. */
	assert_int_equal(lab.nr_events, 2);
	event = unit_event(&lab, 0, PAGUS_EVENT_EXTFRAG);
	assert_int_equal(event.a, 6);
	assert_int_equal(event.b, PAGUS_MOVABLE);
	assert_int_equal(unit_event(&lab, 1, PAGUS_EVENT_ZONE_LOCKED).migratetype, PAGUS_UNMOVABLE);
	unit_check(&lab);
	unit_close(&lab);
}

static void property_11_in_6_1_half_a_pageblock_is_claimed_less_is_emptied(void **state)
{
	(void)state;
	for (uint32_t order = 7; order <= 8; order++) {
		struct lab lab;

		open_blocks(&lab, "none+convert");
		seed_movable_block(&lab, order);
		unit_seeded(&lab);
		unit_alloc(&lab, GFP_KERNEL, 0);
		/* 128 of 512 pages free: moved, not claimed. 256: claimed. */
		assert_int_equal(unit_block_type(&lab, 0),
				 order == 8 ? PAGUS_UNMOVABLE : PAGUS_MOVABLE);
		assert_int_equal(pagus_free_blocks(&lab.p, 0, order - 1, PAGUS_UNMOVABLE), 1);
		assert_int_equal(pagus_free_blocks(&lab.p, 0, order - 1, PAGUS_MOVABLE), 0);
		unit_close(&lab);
	}
}

static void property_10_in_6_1_movable_takes_small_blocks_alone_smallest_first(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "none+convert");
	unit_seed_block(&lab, 0, PAGUS_UNMOVABLE);
	assert_int_equal(pagus_seed_free(&lab.p, 8, 3, PAGUS_UNMOVABLE), PAGUS_OK);
	assert_int_equal(pagus_seed_free(&lab.p, 20, 2, PAGUS_UNMOVABLE), PAGUS_OK);
	unit_inherit(&lab, 0, 8, PAGUS_UNMOVABLE);
	unit_inherit(&lab, 16, 4, PAGUS_UNMOVABLE);
	unit_inherit(&lab, 24, BLOCK - 24, PAGUS_UNMOVABLE);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 20);
	unit_expect_list(&lab, 0, 3, PAGUS_UNMOVABLE, PFNS(8));
	unit_expect_list(&lab, 0, 1, PAGUS_MOVABLE, PFNS(22));
	assert_int_equal(unit_block_type(&lab, 0), PAGUS_UNMOVABLE);
	unit_close(&lab);
}

static void property_04_in_6_1_merging_pageblocks_keep_their_types(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "none+convert");
	unit_seed_block(&lab, 0, PAGUS_UNMOVABLE);
	unit_seed_block(&lab, BLOCK, PAGUS_MOVABLE);
	assert_int_equal(pagus_seed_free(&lab.p, 0, 9, PAGUS_UNMOVABLE), PAGUS_OK);
	unit_inherit(&lab, BLOCK, BLOCK, PAGUS_MOVABLE);
	unit_seeded(&lab);
	assert_int_equal(pagus_free_pages(&lab.p, BLOCK, 9), PAGUS_OK);
	/* On the list of the block freed; each pageblock is still what it was. */
	unit_expect_list(&lab, 0, 10, PAGUS_MOVABLE, PFNS(0));
	assert_int_equal(unit_block_type(&lab, 0), PAGUS_UNMOVABLE);
	assert_int_equal(unit_block_type(&lab, BLOCK), PAGUS_MOVABLE);
	unit_check(&lab);
	unit_close(&lab);
}

static void property_27_in_6_1_a_drain_uses_the_type_of_the_time_of_the_free(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "linux-6.1");
	unit_seed_block(&lab, 0, PAGUS_RECLAIMABLE);
	unit_inherit(&lab, 0, BLOCK, PAGUS_RECLAIMABLE);
	unit_seeded(&lab);
	unit_limits(&lab, 0, 4, 16, 16);
	assert_int_equal(pagus_free_pages(&lab.p, 6, 0), PAGUS_OK);
	unit_seed_block(&lab, 0, PAGUS_UNMOVABLE);
	pagus_drain_all(&lab.p);
	unit_expect_list(&lab, 0, 0, PAGUS_RECLAIMABLE, PFNS(6));
	unit_check(&lab);
	unit_close(&lab);
}

static void property_26_in_6_1_refills_bring_one_batch(void **state)
{
	static const uint32_t asked[] = { 12, 6, 3, 2 };
	struct lab lab;

	(void)state;
	for (uint32_t order = 0; order < 4; order++) {
		open_blocks(&lab, "linux-6.1");
		assert_int_equal(pagus_boot_free(&lab.p, 0, 4 * BLOCK), PAGUS_OK);
		unit_seeded(&lab);
		unit_limits(&lab, 0, 12, 100, 100);
		for (uint32_t round = 0; round < 3; round++) {
			lab_listen(&lab, 1u << PAGUS_EVENT_REFILL);
			while (lab.nr_events == 0)
				unit_alloc(&lab, GFP_USER_PAGE, order);
			assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_REFILL).b, asked[order]);
		}
		unit_close(&lab);
	}
}

/* 2048 pages in use, whose frees go to a pcp of batch 4 and this limit. */
static void open_used(struct lab *lab, uint32_t high)
{
	open_blocks(lab, "linux-6.1");
	unit_inherit(lab, 0, 4 * BLOCK, PAGUS_MOVABLE);
	unit_seeded(lab);
	unit_limits(lab, 0, 4, high, high);
}

/* Free pages from *pfn on until there is a drain: how large it is. */
static uint32_t next_drain(struct lab *lab, pagus_pfn_t *pfn)
{
	lab_listen(lab, 1u << PAGUS_EVENT_DRAIN);
	while (lab->nr_events == 0)
		unit_free(lab, (*pfn)++, 0);
	assert_int_equal(lab->nr_events, 1);
	return unit_event(lab, 0, PAGUS_EVENT_DRAIN).a;
}

/*
 * Batch 4, high 64: drains of 4, 8, 16, 32, then high less a batch, as long as nothing is allocated
 * between.
 */
static void property_27_in_6_1_drains_double_until_an_allocation(void **state)
{
	static const uint32_t drained[] = { 4, 8, 16, 32, 60, 60 };
	struct lab lab;
	pagus_pfn_t pfn = 0;

	(void)state;
	open_used(&lab, 64);
	for (uint32_t n = 0; n < NR_OF(drained); n++)
		assert_int_equal(next_drain(&lab, &pfn), drained[n]);
	/* Five halvings bring it back to one batch. */
	for (uint32_t n = 0; n < 5; n++)
		unit_alloc(&lab, GFP_USER_PAGE, 0);
	assert_int_equal(next_drain(&lab, &pfn), 4);
	unit_close(&lab);
}

/* Whatever was found and whatever is asked: the rest goes to the request's own lists. */
static void property_13_in_6_1_what_is_left_goes_to_the_requester(void **state)
{
	(void)state;
	for (uint32_t high = 0; high < 8; high++) {
		for (uint32_t low = 0; low <= high; low++) {
			struct lab lab;

			open_blocks(&lab, "none+convert");
			seed_movable_block(&lab, high);
			unit_seeded(&lab);
			assert_int_equal(unit_alloc(&lab, GFP_KERNEL, low), 0);
			assert_int_equal(unit_block_type(&lab, 0), PAGUS_MOVABLE);
			for (uint32_t order = 0; order < high; order++) {
				const pagus_pfn_t upper = UINT64_C(1) << order;

				unit_expect_list(&lab, 0, order, PAGUS_UNMOVABLE, &upper,
						 order >= low);
				unit_expect_list(&lab, 0, order, PAGUS_MOVABLE, NO_PFNS);
			}
			unit_close(&lab);
		}
	}
}

/* 1000000 pages, 10000 of them below the min marks: a share of each zone, or of the lower one. */
static void property_23_in_6_1_movable_shares_the_min_mark(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 1024, 0, PAGUS_ZONE_NORMAL }, { 1024, 1024, 0, PAGUS_ZONE_MOVABLE },
	};
	static const struct {
		const char *policy;
		uint64_t normal, movable, gap;
	} rows[] = {
		{ "linux-6.1", 7500, 2500, 2500 / 4 }, { "linux", 10000, 128, 3333 / 4 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), rows[n].policy);
		struct pagus_zone_seed seed = { .managed = 750000, .pcp_batch = 1 };
		struct lab lab;

		unit_open(&lab, &cfg);
		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
		seed.managed = 250000;
		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_MOVABLE, &seed), PAGUS_OK);
		assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_min_free_kbytes, 40000),
				 PAGUS_OK);
		assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
		assert_int_equal(unit_zone(&lab, 0).wmark[PAGUS_WMARK_MIN], rows[n].normal);
		assert_int_equal(unit_zone(&lab, 1).wmark[PAGUS_WMARK_MIN], rows[n].movable);
		assert_int_equal(unit_zone(&lab, 1).wmark[PAGUS_WMARK_LOW],
				 rows[n].movable + rows[n].gap);
		lab_close(&lab);
	}
}

/* Batch 4, high 20: a drain that reaches high less a batch is not doubled any more. */
static void property_27_in_6_1_the_doubling_stops_at_the_largest_drain(void **state)
{
	static const uint32_t drained[] = { 4, 8, 16, 16 }, doubled[] = { 1, 2, 2, 2 };
	struct lab lab;
	pagus_pfn_t pfn = 0;

	(void)state;
	open_used(&lab, 20);
	for (uint32_t n = 0; n < NR_OF(drained); n++) {
		assert_int_equal(next_drain(&lab, &pfn), drained[n]);
		assert_int_equal(unit_pcp(&lab, 0, 0).free_count, doubled[n]);
	}
	unit_close(&lab);
}

/* Pages stay on the lists of a quiet CPU: its limit is fixed and has not been reached. */
static void property_28_in_6_1_nothing_decays(void **state)
{
	uint64_t digest;
	struct lab lab;

	(void)state;
	open_used(&lab, 64);
	for (pagus_pfn_t pfn = 0; pfn < 60; pfn++)
		unit_free(&lab, pfn, 0);
	digest = pagus_digest(&lab.p);
	pagus_tick(&lab.p);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 60);
	assert_true(pagus_digest(&lab.p) == digest);
	unit_close(&lab);
}

/* What is free of the pageblock moves, all of it, whether it is claimed or not. */
static void property_11_in_6_1_all_free_blocks_of_the_pageblock_move(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "none+convert");
	unit_seed_free(&lab, 64, 6);
	unit_seed_free(&lab, 9, 0);
	unit_seed_free(&lab, 4, 1);
	unit_inherit(&lab, 0, 4, PAGUS_MOVABLE);
	unit_inherit(&lab, 6, 3, PAGUS_MOVABLE);
	unit_inherit(&lab, 10, 54, PAGUS_MOVABLE);
	unit_inherit(&lab, 128, BLOCK - 128, PAGUS_MOVABLE);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 5), 64);
	assert_int_equal(unit_block_type(&lab, 0), PAGUS_MOVABLE);
	unit_expect_list(&lab, 0, 0, PAGUS_UNMOVABLE, PFNS(9));
	unit_expect_list(&lab, 0, 1, PAGUS_UNMOVABLE, PFNS(4));
	unit_expect_list(&lab, 0, 5, PAGUS_UNMOVABLE, PFNS(96));
	for (uint32_t order = 0; order < 9; order++)
		unit_expect_list(&lab, 0, order, PAGUS_MOVABLE, NO_PFNS);
	unit_close(&lab);
}

/* A free of order 1-3 behind a drain gives everything back; without one before it, nothing. */
static void property_27_in_6_1_a_burst_empties_the_pcp(void **state)
{
	static const struct { uint32_t drains, order, left; } rows[] = {
		{ 0, 1, 10 + 2 }, { 1, 0, 10 + 1 }, { 1, 1, 0 }, { 1, 3, 0 }, { 2, 2, 0 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_pcp_seed drained = { .free_count = rows[n].drains };
		struct lab lab;

		open_used(&lab, 64);
		for (pagus_pfn_t pfn = 0; pfn < 10; pfn++)
			unit_free(&lab, 2 * pfn, 0);
		assert_int_equal(pagus_seed_pcp_state(&lab.p, 0, PAGUS_ZONE_NORMAL, 0, &drained),
				 PAGUS_OK);
		unit_free(&lab, 64, rows[n].order);
		assert_int_equal(unit_pcp(&lab, 0, 0).count, rows[n].left);
		unit_close(&lab);
	}
}

/* While kswapd works on the zone, four batches are enough. */
static void property_27_in_6_1_reclaim_lowers_the_limit(void **state)
{
	struct lab lab;

	(void)state;
	open_used(&lab, 64);
	pagus_step_set_flag(&lab.p, 0, PAGUS_STEP_RECLAIM_ACTIVE, true);
	for (pagus_pfn_t pfn = 0; pfn < 15; pfn++)
		unit_free(&lab, 2 * pfn, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 15);
	unit_free(&lab, 100, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 16 - 4);
	unit_close(&lab);
}

/*
 * A HIGHATOMIC pageblock with 64 free pages, and 1000 free ones elsewhere: to a request without
 * rights all 512 pages of the reserve are lost, or the 64.
 */
static void property_21_in_6_1_the_whole_reserve_does_not_count(void **state)
{
	static const struct { const char *policy; uint64_t lost; } rows[] = {
		{ "none+convert", BLOCK }, { "nopcp", 64 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		for (uint64_t more = 0; more < 2; more++) {
			const uint64_t mark = 1064 - rows[n].lost - more;
			const struct pagus_zone_seed seed = {
				.present = 4 * BLOCK, .managed = 4 * BLOCK, .pcp_batch = 1,
				.wmark = { mark, mark, mark, mark },
			};
			struct lab lab;

			open_blocks(&lab, rows[n].policy);
			unit_seed_block(&lab, 0, PAGUS_HIGHATOMIC);
			assert_int_equal(pagus_seed_free(&lab.p, 0, 6, PAGUS_HIGHATOMIC), PAGUS_OK);
			unit_inherit(&lab, 64, BLOCK - 64, PAGUS_UNMOVABLE);
			assert_int_equal(pagus_boot_free(&lab.p, BLOCK, 1000), PAGUS_OK);
			assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
			assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed),
					 PAGUS_OK);
			if (more)
				unit_alloc(&lab, GFP_NOIO | __GFP_NOMEMALLOC, 0);
			else
				unit_no_memory(&lab, __GFP_NOMEMALLOC, 0);
			unit_close(&lab);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_13_in_6_1_a_steal_moves_the_rest),
		cmocka_unit_test(property_11_in_6_1_half_a_pageblock_is_claimed_less_is_emptied),
		cmocka_unit_test(property_10_in_6_1_movable_takes_small_blocks_alone_smallest_first),
		cmocka_unit_test(property_04_in_6_1_merging_pageblocks_keep_their_types),
		cmocka_unit_test(property_27_in_6_1_a_drain_uses_the_type_of_the_time_of_the_free),
		cmocka_unit_test(property_26_in_6_1_refills_bring_one_batch),
		cmocka_unit_test(property_27_in_6_1_drains_double_until_an_allocation),
		cmocka_unit_test(property_13_in_6_1_what_is_left_goes_to_the_requester),
		cmocka_unit_test(property_23_in_6_1_movable_shares_the_min_mark),
		cmocka_unit_test(property_27_in_6_1_the_doubling_stops_at_the_largest_drain),
		cmocka_unit_test(property_28_in_6_1_nothing_decays),
		cmocka_unit_test(property_11_in_6_1_all_free_blocks_of_the_pageblock_move),
		cmocka_unit_test(property_27_in_6_1_a_burst_empties_the_pcp),
		cmocka_unit_test(property_27_in_6_1_reclaim_lowers_the_limit),
		cmocka_unit_test(property_21_in_6_1_the_whole_reserve_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
