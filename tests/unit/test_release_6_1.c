/* SPDX-License-Identifier: MIT */
/*
 * Where Linux 6.1 differs: fallback by moving to the own lists, types remembered on pcp lists,
 * fixed limits.
 */
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

static void property_13_the_rest_of_a_steal_goes_to_the_requesters_lists(void **state)
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

static void half_a_pageblock_is_claimed_less_is_emptied(void **state)
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

static void movable_takes_small_blocks_alone_smallest_first(void **state)
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

static void merging_pageblocks_keep_their_types(void **state)
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

static void a_drain_uses_the_type_of_the_time_of_the_free(void **state)
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

static void refills_bring_one_batch(void **state)
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

/*
 * Batch 4, high 64: drains of 4, 8, 16, 32, then high less a batch, as long as nothing is allocated
 * between.
 */
static void drains_double_until_an_allocation(void **state)
{
	static const uint32_t drained[] = { 4, 8, 16, 32, 60, 60 };
	struct lab lab;
	pagus_pfn_t pfn = 0;

	(void)state;
	open_blocks(&lab, "linux-6.1");
	unit_inherit(&lab, 0, 4 * BLOCK, PAGUS_MOVABLE);
	unit_seeded(&lab);
	unit_limits(&lab, 0, 4, 64, 64);
	for (uint32_t n = 0; n < NR_OF(drained); n++) {
		lab_listen(&lab, 1u << PAGUS_EVENT_DRAIN);
		while (lab.nr_events == 0)
			assert_int_equal(pagus_free_pages(&lab.p, pfn++, 0), PAGUS_OK);
		assert_int_equal(lab.nr_events, 1);
		assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_DRAIN).a, drained[n]);
	}
	/* Five halvings bring it back to one batch. */
	for (uint32_t n = 0; n < 5; n++)
		unit_alloc(&lab, GFP_USER_PAGE, 0);
	lab_listen(&lab, 1u << PAGUS_EVENT_DRAIN);
	while (lab.nr_events == 0)
		assert_int_equal(pagus_free_pages(&lab.p, pfn++, 0), PAGUS_OK);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_DRAIN).a, 4);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_13_the_rest_of_a_steal_goes_to_the_requesters_lists),
		cmocka_unit_test(half_a_pageblock_is_claimed_less_is_emptied),
		cmocka_unit_test(movable_takes_small_blocks_alone_smallest_first),
		cmocka_unit_test(merging_pageblocks_keep_their_types),
		cmocka_unit_test(a_drain_uses_the_type_of_the_time_of_the_free),
		cmocka_unit_test(refills_bring_one_batch),
		cmocka_unit_test(drains_double_until_an_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
