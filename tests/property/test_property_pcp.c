/* SPDX-License-Identifier: MIT */
/* Per-CPU lists: what a CPU keeps, and when it drains. */
#include <pagus/step.h>

#include "unit/unit.h"

#define BLOCK       512
#define SPARE       (4 * BLOCK) /* a free block of order 10, so that the zone passes its marks */
#define HIGH_FREE   0x1u        /* pcp flag: the last free here had order 1-3 */
#define LARGE_CACHE 0x2u        /* pcp flag: the CPU's cache holds more than 3 batches */

static const struct pagus_range zone_8192 = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };
static const struct pagus_range zone_6_blocks = { 0, 6 * BLOCK, 0, PAGUS_ZONE_BY_CEILING };

/* Pageblocks U, M and R wholly in use; then one reserved, and the spare block. */
static void open_used_blocks(struct lab *lab, uint32_t batch, uint32_t high_min, uint32_t high_max)
{
	const struct pagus_config cfg = lab_config(&zone_6_blocks, 1, "linux");

	unit_open(lab, &cfg);
	for (uint32_t type = 0; type < 3; type++)
		unit_seed_block(lab, type * BLOCK, (enum pagus_migratetype)type);
	unit_inherit(lab, 0, 3 * BLOCK, PAGUS_UNMOVABLE);
	unit_seed_free(lab, SPARE, 10);
	unit_seeded(lab);
	unit_limits(lab, 0, batch, high_min, high_max);
}

static void seed_state(struct lab *lab, uint32_t high, uint32_t free_count, uint32_t flags)
{
	const struct pagus_pcp_seed seed = { .high = high,
					     .free_count = free_count,
					     .flags = flags };

	assert_int_equal(pagus_seed_pcp_state(&lab->p, 0, PAGUS_ZONE_NORMAL, 0, &seed), PAGUS_OK);
}

static void property_25_lists_are_lifo_by_type_and_order(void **state)
{
	static const uint32_t orders[] = { 0, 1, 2, 3 };
	struct lab lab;

	(void)state;
	open_used_blocks(&lab, 63, 1000, 1000);
	for (uint32_t n = 0; n < NR_OF(orders); n++) {
		const uint32_t order = orders[n], size = 1u << order;

		for (uint32_t type = 0; type < 3; type++) {
			const pagus_pfn_t at = type * BLOCK + 64 * order;

			for (uint32_t k = 0; k < 3; k++)
				unit_free(&lab, at + k * size, order);
			unit_expect_pcp(&lab, order * 3 + type, PFNS(at + 2 * size, at + size, at));
		}
		for (uint32_t type = 0; type < 3; type++)
			for (uint32_t k = 3; k-- > 0;)
				assert_int_equal(unit_alloc(&lab, unit_gfp(type), order),
						 type * BLOCK + 64 * order + k * size);
	}
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_pcp_alloc_miss), 0);
	unit_close(&lab);
}

static void property_25_the_huge_order_has_two_lists(void **state)
{
	struct lab lab;

	(void)state;
	open_used_blocks(&lab, 63, 4000, 4000);
	for (uint32_t type = 0; type < 3; type++)
		unit_free(&lab, type * BLOCK, 9);
	unit_expect_pcp(&lab, 12, PFNS(2 * BLOCK, 0));
	unit_expect_pcp(&lab, 13, PFNS(BLOCK));
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 9), 2 * BLOCK);
	assert_int_equal(unit_alloc(&lab, GFP_TRANSHUGE, 9), BLOCK);
	assert_int_equal(unit_alloc(&lab, GFP_RECLAIM_SLAB, 9), 0);
	unit_close(&lab);
}

static void property_25_other_orders_never_touch_the_lists(void **state)
{
	static const uint32_t orders[] = { 4, 5, 6, 7, 8, 10 };
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 63, 1000, 1000);
	for (uint32_t n = 0; n < NR_OF(orders); n++) {
		unit_free(&lab, unit_alloc(&lab, GFP_USER_PAGE, orders[n]), orders[n]);
		assert_int_equal(unit_pcp(&lab, 0, 0).count, 0);
	}
	assert_int_equal(pagus_sim_total(&lab.sim, PAGUS_LOCK_PCP).acquisitions, 0);
	unit_close(&lab);
}

/*
 * Pages of a HIGHATOMIC or CMA pageblock go to the movable list; of an ISOLATE pageblock, to the
 * zone.
 */
static void property_29_special_pageblocks_free_to_the_movable_list(void **state)
{
	(void)state;
	for (int type = PAGUS_HIGHATOMIC; type <= PAGUS_ISOLATE; type++) {
		struct lab lab;

		open_used_blocks(&lab, 63, 1000, 1000);
		unit_seed_block(&lab, 0, (enum pagus_migratetype)type);
		unit_free(&lab, 7, 0);
		if (type == PAGUS_ISOLATE) {
			unit_expect_list(&lab, 0, 0, PAGUS_ISOLATE, PFNS(7));
		} else {
			unit_expect_pcp(&lab, 0 * 3 + PAGUS_MOVABLE, PFNS(7));
			pagus_drain_all(&lab.p);
			unit_expect_list(&lab, 0, 0, (enum pagus_migratetype)type, PFNS(7));
		}
		unit_close(&lab);
	}
}

/* A movable list of 15 pages, PFN 512 at its tail; the 16th free reaches high = 16. */
static uint32_t overflow_drains(uint32_t free_count)
{
	pagus_pfn_t pfns[16];
	struct lab lab;
	uint32_t drained;

	open_used_blocks(&lab, 4, 16, 16);
	for (uint32_t n = 0; n < 15; n++)
		unit_free(&lab, BLOCK + 2 * n, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 15);
	seed_state(&lab, 0, free_count, 0);
	lab_listen(&lab, 1u << PAGUS_EVENT_PCPU_DRAIN);
	unit_free(&lab, BLOCK + 100, 0);
	drained = lab.nr_events;
	for (uint32_t n = 0; n < drained; n++)
		assert_int_equal(unit_event(&lab, n, PAGUS_EVENT_PCPU_DRAIN).pfn, BLOCK + 2 * n);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 16 - drained);
	/* Each went to the head of its free list. */
	assert_int_equal(pagus_free_list(&lab.p, 0, 0, PAGUS_MOVABLE, pfns, NR_OF(pfns)), drained);
	for (uint32_t n = 0; n < drained; n++)
		assert_int_equal(pfns[n], BLOCK + 2 * (drained - 1 - n));
	unit_close(&lab);
	return drained;
}

static void property_27_overflow_size_and_tails(void **state)
{
	(void)state;
	/* clamp(free_count, batch = 4, high - batch = 12), this free counted. */
	assert_int_equal(overflow_drains(0), 4);
	assert_int_equal(overflow_drains(3), 4);
	assert_int_equal(overflow_drains(4), 5);
	assert_int_equal(overflow_drains(10), 11);
	assert_int_equal(overflow_drains(11), 12);
	assert_int_equal(overflow_drains(100), 12);
}

static void property_27_high_stays_while_the_pcp_is_below_it(void **state)
{
	struct lab lab;

	(void)state;
	open_used_blocks(&lab, 4, 16, 100);
	seed_state(&lab, 16, 30, 0);
	unit_free(&lab, BLOCK, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).high, 16);
	unit_close(&lab);
}

/* Many frees and no allocations: the pcp will keep more from now on. */
static void property_27_high_rises_to_what_was_freed_lately(void **state)
{
	struct lab lab;

	(void)state;
	open_used_blocks(&lab, 4, 16, 100);
	for (uint32_t n = 0; n < 15; n++)
		unit_free(&lab, BLOCK + 2 * n, 0);
	seed_state(&lab, 16, 30, 0);
	unit_free(&lab, BLOCK + 100, 0);
	/* The old high decides on this drain: clamp(31, 4, 16 - 4). */
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 16 - 12);
	assert_int_equal(unit_pcp(&lab, 0, 0).high, 31 + 4);
	unit_close(&lab);
}

static void set_high_mark(struct lab *lab, uint64_t mark)
{
	const struct pagus_zone_seed seed = {
		.present = 6 * BLOCK, .managed = 6 * BLOCK, .pcp_batch = 4, .pcp_high_min = 16,
		.pcp_high_max = 100, .wmark = { 0, 0, mark, mark },
	};

	assert_int_equal(pagus_seed_zone(&lab->p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
}

/*
 * An allocation that finds the zone below its high mark tells the pcps; a drain that finds it
 * above ends that.
 */
static void property_27_below_the_high_mark_frees_go_to_the_zone(void **state)
{
	struct lab lab;

	(void)state;
	open_used_blocks(&lab, 4, 16, 100);
	set_high_mark(&lab, 5000);
	unit_alloc(&lab, GFP_KERNEL, 5);
	for (uint32_t n = 0; n < 15; n++)
		unit_free(&lab, BLOCK + 2 * n, 0);
	seed_state(&lab, 50, 7, 0);
	unit_free(&lab, BLOCK + 100, 0);
	/* high falls by max(8 freed, batch); 16 pages, although below it, drain by clamp(8, 4, 16
	 * - 4). */
	assert_int_equal(unit_pcp(&lab, 0, 0).high, 50 - 8);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 16 - 8);
	unit_alloc(&lab, GFP_KERNEL, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).high, 50 - 8);
	set_high_mark(&lab, 0);
	for (uint32_t n = 0; n < 8; n++)
		unit_free(&lab, BLOCK + 200 + 2 * n, 0);
	unit_alloc(&lab, GFP_RECLAIM_SLAB, 0);
	/* Eight frees lowered it to its minimum; the refill of a batch raised it again. */
	assert_int_equal(unit_pcp(&lab, 0, 0).high, 16 + 4);
	unit_close(&lab);
}

static void property_27_free_count_halves_and_saturates(void **state)
{
	struct lab lab;

	(void)state;
	open_used_blocks(&lab, 4, 400, 400);
	for (uint32_t n = 0; n < 200; n++)
		unit_free(&lab, n, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).free_count, 4 << 5);
	unit_alloc(&lab, GFP_KERNEL, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).free_count, 2 << 5);
	unit_free(&lab, 256, 3);
	assert_int_equal(unit_pcp(&lab, 0, 0).free_count, (2 << 5) + 8);
	unit_close(&lab);
}

static void property_27_whole_lists_from_the_freed_pages_list_on(void **state)
{
	static const pagus_pfn_t want[] = {
		BLOCK,	       BLOCK + 2,      BLOCK + 4, 2 * BLOCK, 2 * BLOCK + 2,
		2 * BLOCK + 4, 2 * BLOCK + 64, 0,	  2,
	};
	struct lab lab;

	(void)state;
	open_used_blocks(&lab, 4, 16, 16);
	for (uint32_t n = 0; n < 6; n++)
		unit_free(&lab, 2 * n, 0);
	for (uint32_t n = 0; n < 3; n++)
		unit_free(&lab, 2 * BLOCK + 2 * n, 0);
	unit_free(&lab, BLOCK, 0);
	unit_free(&lab, BLOCK + 2, 0);
	seed_state(&lab, 0, 9, 0);
	/* 11 pages so far, 4 more in one block of order 2 on the list behind; then the 16th. */
	unit_free(&lab, 2 * BLOCK + 64, 2);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 15);
	seed_state(&lab, 0, 9, 0);
	lab_listen(&lab, 1u << PAGUS_EVENT_PCPU_DRAIN);
	unit_free(&lab, BLOCK + 4, 0);
	/* Ten pages in pieces of 4, 4 and 2: movable emptied, reclaimable emptied, its order 2
	 * emptied, where the second piece overshoots, and round to the tail of unmovable. */
	assert_int_equal(lab.nr_events, NR_OF(want));
	for (uint32_t n = 0; n < NR_OF(want); n++)
		assert_int_equal(unit_event(&lab, n, PAGUS_EVENT_PCPU_DRAIN).pfn, want[n]);
	unit_expect_pcp(&lab, 0, PFNS(10, 8, 6, 4));
	unit_close(&lab);
}

static void property_27_a_piece_of_large_blocks_overshoots(void **state)
{
	struct lab lab;

	(void)state;
	open_used_blocks(&lab, 4, 16, 16);
	unit_free(&lab, 0, 3);
	seed_state(&lab, 0, 0, 0);
	lab_listen(&lab, 1u << PAGUS_EVENT_PCPU_DRAIN | 1u << PAGUS_EVENT_DRAIN);
	unit_free(&lab, 64, 3);
	/* clamp(8, 4, 12) = 8 pages in two pieces of 4, each of which gives a whole block of 8. */
	assert_int_equal(lab.nr_events, 4);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_DRAIN).a, 4);
	assert_int_equal(unit_event(&lab, 1, PAGUS_EVENT_PCPU_DRAIN).pfn, 0);
	assert_int_equal(unit_event(&lab, 2, PAGUS_EVENT_DRAIN).a, 4);
	assert_int_equal(unit_event(&lab, 3, PAGUS_EVENT_PCPU_DRAIN).pfn, 64);
	unit_close(&lab);
}

/*
 * Frees of order 1-3 in a row, batch + high_min / 2 = 12 pages freed lately: everything goes to
 * the zone.
 */
static void property_27_a_burst_of_high_order_frees_empties_the_pcp(void **state)
{
	static const struct {
		uint32_t free_count, flags, order, left;
	} rows[] = {
		{ 12, HIGH_FREE, 1, 0 }, { 11, HIGH_FREE, 1, 3 + 2 }, { 12, 0, 1, 3 + 2 },
		{ 12, HIGH_FREE, 0, 3 + 1 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct lab lab;

		open_used_blocks(&lab, 4, 16, 16);
		for (uint32_t k = 0; k < 3; k++)
			unit_free(&lab, 2 * k, 0);
		seed_state(&lab, 0, rows[n].free_count, rows[n].flags);
		unit_free(&lab, 64, rows[n].order);
		assert_int_equal(unit_pcp(&lab, 0, 0).count, rows[n].left);
		assert_int_equal(unit_pcp(&lab, 0, 0).flags & HIGH_FREE, rows[n].order > 0);
		unit_close(&lab);
	}
}

/*
 * With a large cache slice a burst needs a batch of pages to be worth while; the flag itself
 * stays.
 */
static void property_27_a_burst_on_a_large_cache_waits_for_a_batch(void **state)
{
	(void)state;
	for (uint32_t more = 0; more < 2; more++) {
		struct lab lab;

		open_used_blocks(&lab, 4, 16, 16);
		for (uint32_t k = 0; k < 1 + more; k++)
			unit_free(&lab, 2 * k, 0);
		seed_state(&lab, 0, 12, HIGH_FREE | LARGE_CACHE);
		unit_free(&lab, 64, 1);
		assert_int_equal(unit_pcp(&lab, 0, 0).count, more ? 0 : 3);
		assert_int_equal(unit_pcp(&lab, 0, 0).flags, HIGH_FREE | LARGE_CACHE);
		unit_close(&lab);
	}
}

/* However many the pcp holds, a burst drains no more than the largest refill. */
static void property_27_a_burst_drains_at_most_the_largest_batch(void **state)
{
	struct lab lab;

	(void)state;
	open_used_blocks(&lab, 4, 16, 16);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_pcp_batch_scale_max, 0), PAGUS_OK);
	unit_limits(&lab, 0, 4, 16, 16);
	for (uint32_t k = 0; k < 9; k++)
		unit_free(&lab, 2 * k, 0);
	seed_state(&lab, 0, 12, HIGH_FREE);
	unit_free(&lab, 64, 1);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 9 + 2 - 4);
	unit_close(&lab);
}

static void without_pcps_a_recorded_pcp_goes_to_the_zone(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_6_blocks, 1, "nopcp");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, 5, 1), PAGUS_OK);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, 3, 1), PAGUS_OK);
	unit_expect_pcp(&lab, 1, NO_PFNS);
	unit_expect_list(&lab, 0, 0, PAGUS_MOVABLE, PFNS(5, 3));
	unit_close(&lab);
}

static void each_cpu_has_its_own_lists(void **state)
{
	struct pagus_config cfg = lab_config(&zone_8192, 1, "linux");
	struct lab lab;

	(void)state;
	cfg.nr_cpus = 3;
	unit_boot(&lab, &cfg);
	unit_limits(&lab, 0, 4, 16, 16);
	for (uint32_t cpu = 0; cpu < 3; cpu++) {
		pagus_sim_on(&lab.sim, cpu, 0);
		assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 4 * cpu);
		assert_int_equal(unit_pcp(&lab, 0, cpu).count, 3);
	}
	/* A page goes to the lists of the CPU that frees it. */
	unit_free(&lab, 0, 0);
	unit_expect_pcp(&lab, PAGUS_MOVABLE, PFNS(0, 9, 10, 11));
	assert_int_equal(pagus_drain_cpu(&lab.p, 1), PAGUS_OK);
	assert_int_equal(unit_pcp(&lab, 0, 1).count, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 3);
	assert_int_equal(pagus_drain_cpu(&lab.p, 3), PAGUS_BAD_VALUE);
	unit_close(&lab);
}

static void a_zone_is_drained_of_all_cpus(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 4096, 0, PAGUS_ZONE_BY_CEILING }, { 4096, 4096, 0, PAGUS_ZONE_MOVABLE },
	};
	struct pagus_config cfg = lab_config(ranges, 2, "linux");
	struct lab lab;

	(void)state;
	cfg.nr_cpus = 2;
	unit_boot(&lab, &cfg);
	for (uint32_t zone = 0; zone < 2; zone++)
		unit_limits(&lab, zone, 4, 16, 16);
	for (uint32_t cpu = 0; cpu < 2; cpu++) {
		pagus_sim_on(&lab.sim, cpu, 0);
		unit_alloc(&lab, GFP_KERNEL, 0);
		unit_alloc(&lab, GFP_HIGHUSER_MOVABLE, 0);
	}
	assert_int_equal(pagus_drain_zone(&lab.p, 1), PAGUS_OK);
	assert_int_equal(unit_zone(&lab, 1).pcp_pages, 0);
	assert_int_equal(unit_zone(&lab, 0).pcp_pages, 6);
	assert_int_equal(pagus_drain_zone(&lab.p, 2), PAGUS_BAD_VALUE);
	unit_close(&lab);
}

static void a_busy_pcp_is_passed_by(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	lab.sim.trylock_fail_at = 1;
	pfn = unit_alloc(&lab, GFP_USER_PAGE, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 0);
	lab.sim.trylock_fail_at = 1;
	unit_free(&lab, pfn, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 0);
	assert_int_equal(unit_zone(&lab, 0).free_pages, 8192);
	unit_close(&lab);
}

static void a_drain_is_done_even_if_the_pcp_is_busy(void **state)
{
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 4, 16, 16);
	unit_alloc(&lab, GFP_USER_PAGE, 0);
	lab.sim.trylock_fail_at = 1;
	assert_int_equal(pagus_drain_cpu(&lab.p, 0), PAGUS_OK);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 0);
	unit_close(&lab);
}

static void policy_none_keeps_nothing(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_8192, 1, "none+linux");
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	for (uint32_t order = 0; order <= 10; order++) {
		unit_free(&lab, unit_alloc(&lab, GFP_USER_PAGE, order), order);
		assert_int_equal(unit_pcp(&lab, 0, 0).count, 0);
		assert_int_equal(unit_zone(&lab, 0).free_pages, 8192);
	}
	unit_close(&lab);
}

static void a_recorded_pcp_is_restored(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_6_blocks, 1, "linux");
	const struct pagus_pcp_seed bad = { .alloc_factor = 6 }, good = { .alloc_factor = 5 };
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_seed_free(&lab, SPARE, 10);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, 5, 1), PAGUS_OK);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, 3, 1), PAGUS_OK);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, 8, 10), PAGUS_OK);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, BLOCK, 13), PAGUS_OK);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, 8, 10), PAGUS_BUSY);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, 20, 10), PAGUS_BAD_ALIGN);
	assert_int_equal(pagus_seed_pcp(&lab.p, 1, 64, 0), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, 64, PAGUS_NR_PCP_LISTS), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_seed_pcp(&lab.p, 0, 99999, 0), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_seed_pcp_state(&lab.p, 0, PAGUS_ZONE_NORMAL, 0, &bad),
			 PAGUS_BAD_VALUE);
	assert_int_equal(pagus_seed_pcp_state(&lab.p, 0, PAGUS_ZONE_DMA, 0, &bad), PAGUS_BAD_NODE);
	unit_seeded(&lab);
	assert_int_equal(pagus_seed_pcp_state(&lab.p, 0, PAGUS_ZONE_NORMAL, 0, &good), PAGUS_OK);
	unit_expect_pcp(&lab, 1, PFNS(5, 3));
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 2 + 8 + BLOCK);
	assert_int_equal(unit_pcp(&lab, 0, 0).alloc_factor, 5);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 3), 8);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), 5);
	unit_close(&lab);
}

/* While kswapd works on the zone: four batches are the limit, and high falls by what was freed. */
static void property_27_reclaim_lowers_the_limit(void **state)
{
	(void)state;
	for (uint32_t freed = 0; freed <= 20; freed += 10) {
		const uint32_t fall = freed + 1 > 4 ? freed + 1 : 4;
		struct lab lab;

		open_used_blocks(&lab, 4, 20, 100);
		pagus_step_set_flag(&lab.p, 0, PAGUS_STEP_RECLAIM_ACTIVE, true);
		seed_state(&lab, 90, 0, 0);
		for (uint32_t n = 0; n < 15; n++)
			unit_free(&lab, BLOCK + 2 * n, 0);
		assert_int_equal(unit_pcp(&lab, 0, 0).count, 15);
		seed_state(&lab, 90, freed, 0);
		unit_free(&lab, BLOCK + 100, 0);
		assert_int_equal(unit_pcp(&lab, 0, 0).high, 90 - fall);
		/* clamp(what was freed, batch, 16 - batch) */
		assert_int_equal(unit_pcp(&lab, 0, 0).count, 16 - (fall > 12 ? 12 : fall));
		unit_close(&lab);
	}
}

/* Below-high is cleared by the zone's high mark and its reserve for movable requests. */
static void property_27_above_the_high_mark_means_for_any_request(void **state)
{
	(void)state;
	for (uint32_t above = 0; above < 2; above++) {
		struct pagus_zone_seed seed = {
			.present = 6 * BLOCK, .managed = 6 * BLOCK, .pcp_batch = 4,
			.pcp_high_min = 16, .pcp_high_max = 100,
			.lowmem_reserve = { [PAGUS_ZONE_MOVABLE] = 28 - above },
			.wmark = { 0, 0, 1000, 1000 },
		};
		struct lab lab;

		open_used_blocks(&lab, 4, 16, 100);
		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
		pagus_step_set_flag(&lab.p, 0, PAGUS_STEP_BELOW_HIGH, true);
		for (uint32_t n = 0; n < 15; n++)
			unit_free(&lab, BLOCK + 2 * n, 0);
		seed_state(&lab, 16, 3, 0);
		/* 1024 pages free, and 4 of the pcp's: 1028 against 1000 + 28, or one less. */
		unit_free(&lab, BLOCK + 100, 0);
		assert_int_equal(unit_zone(&lab, 0).free_pages, 1028);
		assert_true(pagus_step_flag(&lab.p, 0, PAGUS_STEP_BELOW_HIGH) == !above);
		unit_close(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_25_lists_are_lifo_by_type_and_order),
		cmocka_unit_test(property_25_the_huge_order_has_two_lists),
		cmocka_unit_test(property_25_other_orders_never_touch_the_lists),
		cmocka_unit_test(property_29_special_pageblocks_free_to_the_movable_list),
		cmocka_unit_test(property_27_overflow_size_and_tails),
		cmocka_unit_test(property_27_high_stays_while_the_pcp_is_below_it),
		cmocka_unit_test(property_27_high_rises_to_what_was_freed_lately),
		cmocka_unit_test(property_27_below_the_high_mark_frees_go_to_the_zone),
		cmocka_unit_test(property_27_free_count_halves_and_saturates),
		cmocka_unit_test(property_27_whole_lists_from_the_freed_pages_list_on),
		cmocka_unit_test(property_27_a_piece_of_large_blocks_overshoots),
		cmocka_unit_test(property_27_a_burst_of_high_order_frees_empties_the_pcp),
		cmocka_unit_test(property_27_a_burst_on_a_large_cache_waits_for_a_batch),
		cmocka_unit_test(property_27_a_burst_drains_at_most_the_largest_batch),
		cmocka_unit_test(without_pcps_a_recorded_pcp_goes_to_the_zone),
		cmocka_unit_test(each_cpu_has_its_own_lists),
		cmocka_unit_test(a_zone_is_drained_of_all_cpus),
		cmocka_unit_test(a_busy_pcp_is_passed_by),
		cmocka_unit_test(a_drain_is_done_even_if_the_pcp_is_busy),
		cmocka_unit_test(policy_none_keeps_nothing),
		cmocka_unit_test(a_recorded_pcp_is_restored),
		cmocka_unit_test(property_27_reclaim_lowers_the_limit),
		cmocka_unit_test(property_27_above_the_high_mark_means_for_any_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
