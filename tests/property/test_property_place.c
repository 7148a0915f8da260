/* SPDX-License-Identifier: MIT */
/* Fallback between migratetypes: claim and steal. Pageblocks of 512 pages, in one Normal zone. */
#include "unit/unit.h"

#define BLOCK 512

static const struct pagus_range zone_3_blocks = { 0, 3 * BLOCK, 0, PAGUS_ZONE_BY_CEILING };

static void open_blocks(struct lab *lab, const char *policy)
{
	const struct pagus_config cfg = lab_config(&zone_3_blocks, 1, policy);

	unit_open(lab, &cfg);
}

/*
 * The pageblock at `start`: its first 2^order pages are free, `movable` of the others are
 * movable, the rest is not.
 */
static void seed_mixed_block(struct lab *lab, pagus_pfn_t start, enum pagus_migratetype type,
			     uint32_t order, uint32_t movable)
{
	const uint32_t free = 1u << order;

	unit_seed_block(lab, start, type);
	unit_seed_free(lab, start, order);
	unit_inherit(lab, start + free, movable, PAGUS_MOVABLE);
	unit_inherit(lab, start + free + movable, BLOCK - free - movable, PAGUS_UNMOVABLE);
}

static void property_08_first_unmovable_claims_the_lowest_block(void **state)
{
	const struct pagus_range range = { 1024, 3 * 1024, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "nopcp");
	struct pagus_event event;
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	lab_listen(&lab, 1u << PAGUS_EVENT_EXTFRAG | 1u << PAGUS_EVENT_ZONE_LOCKED |
			 1u << PAGUS_EVENT_RETYPE);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), 1024);
	assert_int_equal(unit_block_type(&lab, 1024), PAGUS_UNMOVABLE);
	assert_int_equal(unit_block_type(&lab, 1024 + BLOCK), PAGUS_UNMOVABLE);
	assert_int_equal(unit_block_type(&lab, 2048), PAGUS_MOVABLE);
	for (uint32_t order = 0; order < 10; order++)
		unit_expect_list(&lab, 0, order, PAGUS_UNMOVABLE,
				 PFNS(1024 + (UINT64_C(1) << order)));
	unit_expect_list(&lab, 0, 10, PAGUS_MOVABLE, PFNS(2048, 3072));
	assert_int_equal(lab.nr_events, 3);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_RETYPE).pfn, 1024);
	assert_int_equal(unit_event(&lab, 1, PAGUS_EVENT_RETYPE).pfn, 1024 + BLOCK);
	event = unit_event(&lab, 2, PAGUS_EVENT_EXTFRAG);
	assert_int_equal(event.pfn, 1024);
	assert_int_equal(event.order, 0);
	assert_int_equal(event.migratetype, PAGUS_UNMOVABLE);
	assert_int_equal(event.a, 10);
	assert_int_equal(event.b, PAGUS_MOVABLE | UNIT_CLAIMED);
	unit_close(&lab);
}

/* One free block of each order below 8 in a pageblock of each type; none can be claimed. */
static void property_09_fallback_order(void **state)
{
	static const enum pagus_migratetype want[3][3] = {
		[PAGUS_UNMOVABLE] = { PAGUS_UNMOVABLE, PAGUS_RECLAIMABLE, PAGUS_MOVABLE },
		[PAGUS_MOVABLE] = { PAGUS_MOVABLE, PAGUS_RECLAIMABLE, PAGUS_UNMOVABLE },
		[PAGUS_RECLAIMABLE] = { PAGUS_RECLAIMABLE, PAGUS_UNMOVABLE, PAGUS_MOVABLE },
	};

	(void)state;
	for (uint32_t order = 0; order < 8; order++) {
		for (uint32_t type = 0; type < 3; type++) {
			struct lab lab;

			open_blocks(&lab, "nopcp");
			for (uint32_t b = 0; b < 3; b++)
				seed_mixed_block(&lab, b * BLOCK, (enum pagus_migratetype)b, order,
						 b == PAGUS_MOVABLE ? BLOCK - (1u << order) : 0);
			unit_seeded(&lab);
			for (uint32_t n = 0; n < 3; n++)
				assert_int_equal(unit_alloc(&lab, unit_gfp(type), order),
						 want[type][n] * BLOCK);
			unit_no_memory(&lab, unit_gfp(type), order);
			unit_close(&lab);
		}
	}
}

static void property_10_movable_does_not_claim_below_order_4(void **state)
{
	(void)state;
	for (uint32_t order = 3; order <= 4; order++) {
		struct lab lab;

		open_blocks(&lab, "nopcp");
		/* Wholly alike, so only the order can forbid the claim. */
		seed_mixed_block(&lab, 0, PAGUS_UNMOVABLE, order, BLOCK - (1u << order));
		unit_seeded(&lab);
		assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 0);
		assert_int_equal(unit_block_type(&lab, 0),
				 order < 4 ? PAGUS_UNMOVABLE : PAGUS_MOVABLE);
		assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_fallback_steal), order < 4);
		unit_close(&lab);
	}
}

static void property_10_movable_steals_the_smallest(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "nopcp");
	seed_mixed_block(&lab, 0, PAGUS_UNMOVABLE, 6, 0);
	seed_mixed_block(&lab, BLOCK, PAGUS_UNMOVABLE, 1, 0);
	seed_mixed_block(&lab, 2 * BLOCK, PAGUS_UNMOVABLE, 3, 0);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), BLOCK);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 2), 2 * BLOCK);
	unit_close(&lab);
}

static void property_10_unmovable_claims_from_the_largest(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "nopcp");
	seed_mixed_block(&lab, 0, PAGUS_MOVABLE, 2, 0);
	seed_mixed_block(&lab, BLOCK, PAGUS_MOVABLE, 8, 0);
	seed_mixed_block(&lab, 2 * BLOCK, PAGUS_MOVABLE, 7, 0);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), BLOCK);
	assert_int_equal(unit_block_type(&lab, BLOCK), PAGUS_UNMOVABLE);
	assert_int_equal(unit_block_type(&lab, 0), PAGUS_MOVABLE);
	unit_close(&lab);
}

static void property_10_a_refused_claim_goes_on_with_the_next_order(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "nopcp");
	seed_mixed_block(&lab, 0, PAGUS_MOVABLE, 7, BLOCK - 128);
	seed_mixed_block(&lab, BLOCK, PAGUS_MOVABLE, 5, 0);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), BLOCK);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_fallback_claim_refused), 1);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_fallback_claim_part), 1);
	unit_close(&lab);
}

/*
 * A free block of order 7 and `movable` pages in use in a pageblock of type `from`: can `type`
 * claim it?
 */
static bool claims(enum pagus_migratetype type, enum pagus_migratetype from, uint32_t order,
		   uint32_t movable)
{
	struct lab lab;
	bool claimed;

	open_blocks(&lab, "nopcp");
	seed_mixed_block(&lab, BLOCK, from, order, movable);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, unit_gfp(type), 0), BLOCK);
	claimed = unit_block_type(&lab, BLOCK) == type;
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_fallback_claim_part), claimed);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_fallback_steal), !claimed);
	unit_close(&lab);
	return claimed;
}

static void property_11_half_rule(void **state)
{
	(void)state;
	/* Movable: 128 free, and the movable pages count as alike. */
	assert_false(claims(PAGUS_MOVABLE, PAGUS_UNMOVABLE, 7, 127));
	assert_true(claims(PAGUS_MOVABLE, PAGUS_UNMOVABLE, 7, 128));
	assert_false(claims(PAGUS_MOVABLE, PAGUS_RECLAIMABLE, 7, 127));
	assert_true(claims(PAGUS_MOVABLE, PAGUS_RECLAIMABLE, 7, 128));
	/* Unmovable or reclaimable from a movable pageblock: 128 free, and what is not movable is
	 * alike. */
	assert_false(claims(PAGUS_UNMOVABLE, PAGUS_MOVABLE, 7, BLOCK - 128 - 127));
	assert_true(claims(PAGUS_UNMOVABLE, PAGUS_MOVABLE, 7, BLOCK - 128 - 128));
	assert_false(claims(PAGUS_RECLAIMABLE, PAGUS_MOVABLE, 7, BLOCK - 128 - 127));
	assert_true(claims(PAGUS_RECLAIMABLE, PAGUS_MOVABLE, 7, BLOCK - 128 - 128));
	/* Between unmovable and reclaimable nothing in use is alike. */
	assert_false(claims(PAGUS_UNMOVABLE, PAGUS_RECLAIMABLE, 7, 0));
	assert_true(claims(PAGUS_UNMOVABLE, PAGUS_RECLAIMABLE, 8, 0));
	assert_false(claims(PAGUS_RECLAIMABLE, PAGUS_UNMOVABLE, 7, BLOCK - 128));
	assert_true(claims(PAGUS_RECLAIMABLE, PAGUS_UNMOVABLE, 8, BLOCK - 256));
}

/* 255 pages free, in one block of each order below 8: one short of half. */
static void property_11_half_rule_counts_every_free_block(void **state)
{
	(void)state;
	for (uint32_t extra = 0; extra < 2; extra++) {
		struct lab lab;

		open_blocks(&lab, "nopcp");
		unit_seed_block(&lab, 0, PAGUS_RECLAIMABLE);
		for (uint32_t order = 0; order < 8; order++)
			unit_seed_free(&lab, 1u << order, order);
		unit_inherit(&lab, 0, 1, PAGUS_MOVABLE);
		if (extra)
			unit_seed_free(&lab, 300, 0);
		unit_inherit(&lab, 256, extra ? 300 - 256 : 256, PAGUS_MOVABLE);
		if (extra)
			unit_inherit(&lab, 301, BLOCK - 301, PAGUS_MOVABLE);
		unit_seeded(&lab);
		unit_alloc(&lab, GFP_KERNEL, 0);
		assert_int_equal(unit_block_type(&lab, 0),
				 extra ? PAGUS_UNMOVABLE : PAGUS_RECLAIMABLE);
		unit_close(&lab);
	}
}

static void property_13_a_steal_leaves_the_type_and_the_rest(void **state)
{
	struct pagus_event event;
	struct lab lab;

	(void)state;
	open_blocks(&lab, "nopcp");
	seed_mixed_block(&lab, 0, PAGUS_MOVABLE, 6, BLOCK - 64);
	unit_seeded(&lab);
	lab_listen(&lab, 1u << PAGUS_EVENT_EXTFRAG | 1u << PAGUS_EVENT_ZONE_LOCKED |
			 1u << PAGUS_EVENT_RETYPE);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 4), 0);
	assert_int_equal(unit_block_type(&lab, 0), PAGUS_MOVABLE);
	unit_expect_list(&lab, 0, 4, PAGUS_MOVABLE, PFNS(16));
	unit_expect_list(&lab, 0, 5, PAGUS_MOVABLE, PFNS(32));
	assert_int_equal(lab.nr_events, 1);
	event = unit_event(&lab, 0, PAGUS_EVENT_EXTFRAG);
	assert_int_equal(event.a, 6);
	assert_int_equal(event.b, PAGUS_MOVABLE);
	assert_int_equal(event.migratetype, PAGUS_UNMOVABLE);
	unit_close(&lab);
}

/* Whatever was found and whatever is asked: the rest stays with the donor. */
static void property_13_the_rest_of_any_steal_stays_with_the_donor(void **state)
{
	(void)state;
	for (uint32_t high = 0; high < 8; high++) {
		for (uint32_t low = 0; low <= high; low++) {
			struct lab lab;

			open_blocks(&lab, "nopcp");
			seed_mixed_block(&lab, 0, PAGUS_MOVABLE, high, BLOCK - (1u << high));
			unit_seeded(&lab);
			assert_int_equal(unit_alloc(&lab, GFP_KERNEL, low), 0);
			assert_int_equal(unit_block_type(&lab, 0), PAGUS_MOVABLE);
			for (uint32_t order = 0; order < high; order++) {
				const pagus_pfn_t upper = UINT64_C(1) << order;

				unit_expect_list(&lab, 0, order, PAGUS_MOVABLE, &upper,
						 order >= low);
				unit_expect_list(&lab, 0, order, PAGUS_UNMOVABLE, NO_PFNS);
			}
			unit_close(&lab);
		}
	}
}

static void property_14_claimed_blocks_go_to_the_tails_ascending(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "nopcp");
	unit_seed_block(&lab, 0, PAGUS_UNMOVABLE);
	unit_seed_free(&lab, 3, 0);
	unit_inherit(&lab, 0, 3, PAGUS_UNMOVABLE);
	unit_inherit(&lab, 4, BLOCK - 4, PAGUS_UNMOVABLE);
	/* The list is not ascending before the claim. */
	unit_seed_free(&lab, BLOCK + 9, 0);
	unit_seed_free(&lab, BLOCK + 5, 0);
	unit_seed_free(&lab, BLOCK + 7, 0);
	unit_seed_free(&lab, BLOCK + 256, 8);
	unit_seeded(&lab);
	lab_listen(&lab, 1u << PAGUS_EVENT_EXTFRAG | 1u << PAGUS_EVENT_ZONE_LOCKED);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 4), BLOCK + 256);
	unit_expect_list(&lab, 0, 0, PAGUS_UNMOVABLE, PFNS(3, BLOCK + 5, BLOCK + 7, BLOCK + 9));
	unit_expect_list(&lab, 0, 0, PAGUS_MOVABLE, NO_PFNS);
	assert_int_equal(unit_block_type(&lab, BLOCK), PAGUS_UNMOVABLE);
	/* Such a claim takes from its own list, and so says both. */
	assert_int_equal(lab.nr_events, 2);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_ZONE_LOCKED).migratetype, PAGUS_UNMOVABLE);
	assert_int_equal(unit_event(&lab, 1, PAGUS_EVENT_EXTFRAG).b, PAGUS_MOVABLE | UNIT_CLAIMED);
	unit_close(&lab);
}

/* After a claim the smallest own block serves, not the block that was found. */
static void property_14_a_claim_serves_from_the_smallest_moved_block(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "nopcp");
	unit_seed_free(&lab, 5, 0);
	unit_seed_free(&lab, 256, 8);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), 5);
	unit_expect_list(&lab, 0, 8, PAGUS_UNMOVABLE, PFNS(256));
	unit_close(&lab);
}

static void property_11_a_pageblock_cut_by_the_zones_end_is_not_claimed(void **state)
{
	const struct pagus_range range = { 0, BLOCK + 300, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_seed_free(&lab, BLOCK, 8);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), BLOCK);
	assert_int_equal(unit_block_type(&lab, BLOCK), PAGUS_MOVABLE);
	unit_close(&lab);
}

static void property_11_a_pageblock_shared_with_another_zone_is_not_claimed(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 256, 0, PAGUS_ZONE_NORMAL }, { 256, 128, 0, PAGUS_ZONE_MOVABLE },
		{ 384, 640, 0, PAGUS_ZONE_NORMAL },
	};
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_seed_free(&lab, 0, 8);
	unit_seed_free(&lab, 256, 7);
	unit_seeded(&lab);
	unit_alloc(&lab, GFP_KERNEL, 0);
	unit_check(&lab);
	unit_expect_list(&lab, 1, 7, PAGUS_MOVABLE, PFNS(256));
	unit_close(&lab);
}

/* Eight pages of a pageblock that cannot be claimed; a refill of four order-0 pages. */
static void property_17_after_a_steal_a_refill_only_steals(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "linux");
	seed_mixed_block(&lab, 0, PAGUS_MOVABLE, 3, BLOCK - 8);
	unit_seeded(&lab);
	unit_limits(&lab, 0, 4, 16, 16);
	lab_listen(&lab, 1u << PAGUS_EVENT_EXTFRAG | 1u << PAGUS_EVENT_ZONE_LOCKED);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), 0);
	assert_int_equal(lab.nr_events, 4);
	for (uint32_t n = 0; n < 4; n++)
		assert_int_equal(unit_event(&lab, n, PAGUS_EVENT_EXTFRAG).pfn, n);
	/* Had the later iterations probed for claims, the remainders of orders 0-2 had been
	 * refused too. */
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_fallback_claim_refused), 1);
	unit_close(&lab);
}

static void property_17_after_a_claim_own_blocks_come_first(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "linux");
	unit_seed_free(&lab, 0, 9);
	unit_seed_free(&lab, 2 * BLOCK, 9);
	unit_seeded(&lab);
	unit_limits(&lab, 0, 4, 16, 16);
	lab_listen(&lab, 1u << PAGUS_EVENT_EXTFRAG | 1u << PAGUS_EVENT_ZONE_LOCKED);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), 0);
	assert_int_equal(lab.nr_events, 4);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_EXTFRAG).pfn, 0);
	for (uint32_t n = 1; n < 4; n++)
		assert_int_equal(unit_event(&lab, n, PAGUS_EVENT_ZONE_LOCKED).pfn, n);
	assert_int_equal(unit_block_type(&lab, 2 * BLOCK), PAGUS_MOVABLE);
	unit_close(&lab);
}

/* The same where the claim moves what is free of a pageblock: single pages and one block. */
static void property_17_after_a_claim_in_part_own_blocks_come_first(void **state)
{
	struct lab lab;

	(void)state;
	open_blocks(&lab, "linux");
	unit_seed_free(&lab, 3, 0);
	unit_seed_free(&lab, 256, 8);
	/* What a steal would take: a smaller block of a type that is nearer. */
	unit_seed_block(&lab, BLOCK, PAGUS_RECLAIMABLE);
	unit_seed_free(&lab, BLOCK, 0);
	unit_inherit(&lab, BLOCK + 1, BLOCK - 1, PAGUS_UNMOVABLE);
	unit_seeded(&lab);
	unit_limits(&lab, 0, 4, 16, 16);
	lab_listen(&lab, 1u << PAGUS_EVENT_EXTFRAG | 1u << PAGUS_EVENT_ZONE_LOCKED);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), 3);
	assert_int_equal(lab.nr_events, 5);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_ZONE_LOCKED).pfn, 3);
	assert_int_equal(unit_event(&lab, 1, PAGUS_EVENT_EXTFRAG).b, PAGUS_MOVABLE | UNIT_CLAIMED);
	for (uint32_t n = 2; n < 5; n++)
		assert_int_equal(unit_event(&lab, n, PAGUS_EVENT_ZONE_LOCKED).pfn, 256 + n - 2);
	unit_close(&lab);
}

static void seed_pages(struct lab *lab, pagus_pfn_t start, uint32_t nr)
{
	/* Every other page, so that nothing merges and each is a block. */
	for (uint32_t n = 0; n < nr; n++)
		unit_seed_free(lab, start + 2 * n, 0);
}

/* `cma` free pages in a CMA pageblock at 0 and `own` in a movable one behind it. */
static void open_with_cma(struct lab *lab, const char *policy, uint32_t cma, uint32_t own)
{
	open_blocks(lab, policy);
	unit_seed_block(lab, 0, PAGUS_CMA);
	seed_pages(lab, 0, cma);
	seed_pages(lab, BLOCK, own);
	unit_seeded(lab);
}

/* More than half, rounded down: with an odd number of free pages, as soon as there are more. */
static void property_18_movable_takes_cma_first_above_half(void **state)
{
	(void)state;
	for (uint32_t cma = 1; cma <= 12; cma++) {
		for (uint32_t own = 1; own <= 12; own++) {
			const bool first = cma > (cma + own) / 2;
			struct lab lab;

			open_with_cma(&lab, "nopcp", cma, own);
			assert_int_equal(unit_zone(&lab, 0).free_cma_pages, cma);
			assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), first ? 0 : BLOCK);
			unit_close(&lab);
		}
	}
}

static void property_18_without_own_blocks_cma_serves_movable_alone(void **state)
{
	struct lab lab;

	(void)state;
	open_with_cma(&lab, "nopcp", 8, 9);
	for (uint32_t n = 0; n < 17; n++)
		unit_alloc(&lab, GFP_USER_PAGE, 0);
	assert_int_equal(unit_zone(&lab, 0).free_pages, 0);
	unit_close(&lab);
	open_with_cma(&lab, "nopcp", 8, 0);
	unit_no_memory(&lab, GFP_KERNEL, 0);
	unit_no_memory(&lab, GFP_RECLAIM_SLAB, 0);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 0);
	unit_close(&lab);
}

/* The balance is looked at before each page of a refill, not once. */
static void property_18_a_refill_keeps_the_balance(void **state)
{
	(void)state;
	for (uint32_t cma = 1; cma <= 12; cma++) {
		uint32_t left = cma, own = 12;
		struct lab lab;

		open_with_cma(&lab, "linux", left, own);
		unit_limits(&lab, 0, 8, 32, 32);
		lab_listen(&lab, 1u << PAGUS_EVENT_ZONE_LOCKED);
		unit_alloc(&lab, GFP_USER_PAGE, 0);
		assert_int_equal(lab.nr_events, 8);
		for (uint32_t n = 0; n < 8; n++) {
			bool from_cma = left > (left + own) / 2;

			assert_int_equal(lab.log[n].migratetype,
					 from_cma ? PAGUS_CMA : PAGUS_MOVABLE);
			left -= from_cma;
			own -= !from_cma;
		}
		unit_close(&lab);
	}
}

static void ungrouped_placement_takes_the_smallest_block_for_any_type(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_3_blocks, 1, "plain");
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	/* 1024 free at 0 and 512 free at 1024. */
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), 1024);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 1025);
	assert_int_equal(unit_alloc(&lab, GFP_RECLAIM_SLAB, 0), 1026);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 9), 0);
	for (pagus_pfn_t pfn = 0; pfn < 3 * BLOCK; pfn += BLOCK)
		assert_int_equal(unit_block_type(&lab, pfn), PAGUS_UNMOVABLE);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_pageblock_retype), 0);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_08_first_unmovable_claims_the_lowest_block),
		cmocka_unit_test(property_09_fallback_order),
		cmocka_unit_test(property_10_movable_does_not_claim_below_order_4),
		cmocka_unit_test(property_10_movable_steals_the_smallest),
		cmocka_unit_test(property_10_unmovable_claims_from_the_largest),
		cmocka_unit_test(property_10_a_refused_claim_goes_on_with_the_next_order),
		cmocka_unit_test(property_11_half_rule),
		cmocka_unit_test(property_11_half_rule_counts_every_free_block),
		cmocka_unit_test(property_13_a_steal_leaves_the_type_and_the_rest),
		cmocka_unit_test(property_13_the_rest_of_any_steal_stays_with_the_donor),
		cmocka_unit_test(property_14_claimed_blocks_go_to_the_tails_ascending),
		cmocka_unit_test(property_14_a_claim_serves_from_the_smallest_moved_block),
		cmocka_unit_test(property_11_a_pageblock_cut_by_the_zones_end_is_not_claimed),
		cmocka_unit_test(property_11_a_pageblock_shared_with_another_zone_is_not_claimed),
		cmocka_unit_test(property_17_after_a_steal_a_refill_only_steals),
		cmocka_unit_test(property_17_after_a_claim_own_blocks_come_first),
		cmocka_unit_test(property_17_after_a_claim_in_part_own_blocks_come_first),
		cmocka_unit_test(property_18_movable_takes_cma_first_above_half),
		cmocka_unit_test(property_18_without_own_blocks_cma_serves_movable_alone),
		cmocka_unit_test(property_18_a_refill_keeps_the_balance),
		cmocka_unit_test(ungrouped_placement_takes_the_smallest_block_for_any_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
