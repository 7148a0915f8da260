/* SPDX-License-Identifier: MIT */
/* Contiguous ranges, by the numbers of the specification's properties. */
#include "contig/range.h"

static void test_property_38_unaligned_range(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		uint64_t before, used = 0;

		world_open(&l, n);
		world_fill(&l, &seed, 2048);
		before = world_free_pages(&l);
		assert_int_equal(alloc_range(&l, START, NR, GFP_KERNEL), PAGUS_OK);
		world_settled(&l);
		pagus_drain_all(&l.lab.p);
		expect_single(&l, START, NR);
		assert_int_equal(world_free_pages(&l), before - NR);
		assert_true(l.owner.nr_moves > 0);
		for (uint32_t slot = 0; slot < SLOTS; slot++) {
			const struct pagus_sim_slot *s = &l.owner.slot[slot];

			if (s->pfn == PAGUS_NO_PFN)
				continue;
			used += 1u << s->order;
			assert_true(s->pfn >= START + NR || s->pfn + (1u << s->order) <= START);
		}
		assert_int_equal(before + used, PAGES);
		/* Singly, in part, and the rest at once. */
		unit_free(&l.lab, START + 5, 0);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, START, 5), PAGUS_OK);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, START, NR), PAGUS_DOUBLE_FREE);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, START + 6, NR - 6), PAGUS_OK);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(world_free_pages(&l), before);
		world_clear(&l);
		assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		contig_close(&l);
	}
}

/* What lies beyond the range goes back to lists of the migratetypes that its pageblocks had. */
static void test_property_38_tails(void **context)
{
	static const enum pagus_migratetype types[] = { PAGUS_UNMOVABLE, PAGUS_RECLAIMABLE,
							PAGUS_MOVABLE, PAGUS_HIGHATOMIC };

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = world_config(n);
		struct world_free before, after;
		struct contig_lab l;

		contig_open(&l, &cfg, PAGES, SLOTS);
		for (uint32_t b = 0; b < PAGES / BLOCK; b++)
			unit_seed_block(&l.lab, b * BLOCK, types[b / 2 % 4]);
		assert_int_equal(lab_hand_over(&l.lab, &cfg), PAGUS_OK);
		world_snapshot(&l, &before);
		for (pagus_pfn_t start = 1000; start + 3000 < PAGES; start += 1777) {
			assert_int_equal(alloc_range(&l, start, 1500, GFP_KERNEL), PAGUS_OK);
			contig_check(&l);
			assert_int_equal(world_free_pages(&l), PAGES - 1500);
			world_snapshot(&l, &after);
			for (pagus_pfn_t pfn = 0; pfn < PAGES; pfn++)
				if (after.order[pfn])
					assert_int_equal(after.type[pfn],
							 types[pfn / BLOCK / 2 % 4]);
			assert_int_equal(pagus_free_contig_range(&l.lab.p, start, 1500), PAGUS_OK);
			pagus_drain_all(&l.lab.p);
			world_settled(&l);
			world_expect(&l, &before);
		}
		contig_close(&l);
	}
}

static void test_property_39_pinned(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		uint64_t before;
		uint32_t pinned = SLOTS;

		world_open(&l, n);
		world_fill(&l, &seed, 2048);
		before = world_free_pages(&l);
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			if (l.owner.slot[slot].pfn != PAGUS_NO_PFN &&
			    l.owner.slot[slot].pfn > START + 300 &&
				    l.owner.slot[slot].pfn < START + NR)
				pinned = slot;
		assert_true(pinned < SLOTS);
		l.owner.slot[pinned].traits = PAGUS_TRAIT_PINNED;
		assert_int_equal(alloc_range(&l, START, NR, GFP_KERNEL), PAGUS_BUSY);
		world_settled(&l);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(world_free_pages(&l), before);
		l.owner.slot[pinned].traits = 0;
		assert_int_equal(alloc_range(&l, START, NR, GFP_KERNEL), PAGUS_OK);
		world_settled(&l);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, START, NR), PAGUS_OK);
		world_clear(&l);
		assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		contig_close(&l);
	}
}

/* Whatever is not right with the mask is found before anything has been touched. */
static void test_property_40_masks(void **context)
{
	static const uint32_t refused[] = { __GFP_NOFAIL, __GFP_HIGH, __GFP_MEMALLOC, __GFP_NORETRY,
					    __GFP_NOMEMALLOC, __GFP_ACCOUNT, __GFP_NO_OBJ_EXT };
	static const uint32_t granted[] = { 0, GFP_KERNEL, GFP_KERNEL | __GFP_NOWARN, GFP_NOFS,
					    GFP_USER | __GFP_THISNODE | __GFP_WRITE,
					    GFP_KERNEL | __GFP_RECLAIMABLE | __GFP_DMA32,
					    GFP_HIGHUSER_MOVABLE | __GFP_ZERO |
						    __GFP_RETRY_MAYFAIL };

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		uint64_t digest;
		pagus_pfn_t pfn;

		world_open(&l, n);
		contig_fill(&l, 0, 0);
		lab_listen(&l.lab, UNIT_ALL_EVENTS);
		digest = pagus_digest(&l.lab.p);
		for (uint32_t k = 0; k < NR_OF(refused); k++) {
			assert_int_equal(alloc_range(&l, START, NR, GFP_KERNEL | refused[k]),
					 PAGUS_BAD_VALUE);
			assert_int_equal(pagus_alloc_contig_pages(&l.lab.p, 1024,
								  GFP_KERNEL | refused[k], 0, 0,
									  &pfn),
					 PAGUS_BAD_VALUE);
			assert_true(pfn == PAGUS_NO_PFN);
		}
		assert_true(digest == pagus_digest(&l.lab.p));
		assert_int_equal(l.lab.nr_events, 0);
		for (uint32_t k = 0; k < NR_OF(granted); k++) {
			assert_int_equal(alloc_range(&l, START, NR, granted[k]), PAGUS_OK);
			assert_int_equal(pagus_free_contig_range(&l.lab.p, START, NR), PAGUS_OK);
		}
		contig_close(&l);
	}
}

/* A free block that is taken may begin in one pageblock and end in another: both are counted anew. */
static void test_superpageblocks_count_what_a_range_took(void **context)
{
	static const struct pagus_range memory = { .nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING };
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < 200; n++) {
		struct pagus_config cfg = lab_config(&memory, 1, "superpageblock");
		pagus_pfn_t start = lab_random(&seed, PAGES - 2048);
		uint64_t nr = 1 + lab_random(&seed, 2047);
		struct contig_lab l;

		contig_boot(&l, &cfg, PAGES, 0);
		assert_int_equal(alloc_range(&l, start, nr, GFP_KERNEL), PAGUS_OK);
		unit_check(&l.lab);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, start, nr), PAGUS_OK);
		contig_close(&l);
	}
}

static void test_property_41_compound(void **context)
{
	static const struct { pagus_pfn_t start; uint64_t nr; } refused[] = {
		{ START, 512 }, { 4096, 697 }, { 4096, 3 }, { 4096 + 1, 2 }, { 2048, 4096 },
		{ 0, UINT64_C(1) << 19 },
	};
	static const struct { pagus_pfn_t start; uint32_t order; } granted[] = {
		{ 4096, 9 }, { 4096 + 512, 9 }, { 3072, 10 }, { 1000, 3 }, { 77, 0 }, { 8192, 13 },
	};

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		uint64_t digest;

		world_open(&l, n);
		digest = pagus_digest(&l.lab.p);
		for (uint32_t k = 0; k < NR_OF(refused); k++)
			assert_int_equal(alloc_range(&l, refused[k].start, refused[k].nr,
						     GFP_KERNEL | __GFP_COMP), PAGUS_BAD_VALUE);
		assert_true(digest == pagus_digest(&l.lab.p));
		for (uint32_t k = 0; k < NR_OF(granted); k++) {
			uint64_t nr = UINT64_C(1) << granted[k].order, of = nr < 1024 ? nr : 1024;
			pagus_pfn_t start = granted[k].start;

			assert_int_equal(alloc_range(&l, start, nr, GFP_KERNEL | __GFP_COMP),
					 PAGUS_OK);
			world_settled(&l);
			assert_int_equal(world_free_pages(&l), PAGES - nr);
			for (pagus_pfn_t pfn = start; pfn < start + nr; pfn += of) {
				struct pagus_page_info info;

				assert_int_equal(pagus_page_info(&l.lab.p, pfn, &info), PAGUS_OK);
				assert_int_equal(info.kind, PAGUS_PAGE_ALLOCATED);
				assert_int_equal(UINT64_C(1) << info.order, of);
				assert_int_equal(info.compound, of > 1 && !IS_MAPPED(n));
			}
			if (nr > 1) {
				assert_int_equal(pagus_free_contig_range(&l.lab.p, start, nr - 1),
						 PAGUS_WRONG_ORDER);
				assert_int_equal(pagus_free_contig_range(&l.lab.p, start + 1,
									 nr - 1),
						 PAGUS_NOT_ALLOCATED);
			}
			assert_int_equal(pagus_free_contig_range(&l.lab.p, start, nr), PAGUS_OK);
			pagus_drain_all(&l.lab.p);
			assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		}
		contig_close(&l);
	}
}

static void test_property_42_aligned_results(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		pagus_pfn_t pfn, kernel;

		world_open(&l, n);
		kernel = unit_alloc(&l.lab, GFP_KERNEL, 0);
		world_fill(&l, &seed, 1500);
		for (uint32_t k = 0; k <= 13; k++) {
			uint64_t nr = UINT64_C(1) << k;

			assert_int_equal(pagus_alloc_contig_pages(&l.lab.p, nr,
								  GFP_KERNEL | (k % 2 ?
										__GFP_COMP : 0),
								  PAGUS_NO_NODE, 0, &pfn),
									  PAGUS_OK);
			world_settled(&l);
			assert_int_equal(pfn % nr, 0);
			assert_true(kernel < pfn || kernel >= pfn + nr);
			assert_int_equal(pagus_free_contig_range(&l.lab.p, pfn, nr), PAGUS_OK);
		}
		assert_int_equal(pagus_alloc_contig_pages(&l.lab.p, 1500, GFP_KERNEL, 0, 1, &pfn),
				 PAGUS_OK);
		assert_int_equal(pfn % 1500, 0);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, pfn, 1500), PAGUS_OK);
		assert_int_equal(pagus_alloc_contig_pages(&l.lab.p, PAGES, GFP_KERNEL, 0, 0, &pfn),
				 PAGUS_NO_MEMORY);
		assert_int_equal(pagus_alloc_contig_pages(&l.lab.p, 512, GFP_KERNEL, 0, 2, &pfn),
				 PAGUS_NO_MEMORY);
		assert_int_equal(pagus_alloc_contig_pages(&l.lab.p, 512, GFP_KERNEL, 7, 0, &pfn),
				 PAGUS_BAD_NODE);
		assert_int_equal(pagus_alloc_contig_pages(&l.lab.p, 512, GFP_KERNEL | __GFP_DMA |
							  __GFP_DMA32, 0, 0, &pfn),
								  PAGUS_BAD_ZONE_BITS);
		assert_int_equal(pagus_alloc_contig_pages(&l.lab.p, 0, GFP_KERNEL, 0, 0, &pfn),
				 PAGUS_BAD_VALUE);
		unit_free(&l.lab, kernel, 0);
		world_clear(&l);
		assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		contig_close(&l);
	}
}

/* 1 GiB: no hold of the zone's lock is about more than the largest block. */
static void test_gigantic(void **context)
{
	static const struct pagus_range range = { .nr_pages = 3 << 18,
						  .zone = PAGUS_ZONE_BY_CEILING };

	(void)context;
	for (uint32_t n = 0; n < 3; n++) {
		struct pagus_config cfg = lab_config(&range, 1, policies[n]);
		uint64_t seed = 1, free_pages;
		struct contig_lab l;
		pagus_pfn_t pfn;

		cfg.section_order = 15;
		contig_boot(&l, &cfg, range.nr_pages, 600);
		for (uint32_t slot = 0; slot < 600; slot++)
			contig_fill(&l, slot, (uint32_t)lab_random(&seed, 10));
		pagus_drain_all(&l.lab.p);
		free_pages = world_free_pages(&l);
		memset(l.lab.sim.ledger, 0, sizeof(l.lab.sim.ledger));
		assert_int_equal(pagus_alloc_contig_pages(&l.lab.p, 1 << 18, GFP_KERNEL |
							  __GFP_COMP, 0, 0,
							  &pfn), PAGUS_OK);
		world_settled(&l);
		assert_int_equal(pfn, 0);
		assert_true(l.owner.nr_moves > 0);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(world_free_pages(&l), free_pages - (1 << 18));
		assert_true(l.lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_CONTIG].max_work <= BLOCK);
		assert_true(l.lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_ISOLATE].max_work <= 2 * BLOCK);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, pfn, 1 << 18), PAGUS_OK);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(world_free_pages(&l), free_pages);
		contig_close(&l);
	}
}

/* Pages with further references stay with who has them. */
static void test_free_drops_references(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;

		if (IS_MAPPED(n))
			continue;
		world_open(&l, n);
		assert_int_equal(alloc_range(&l, START, NR, GFP_KERNEL), PAGUS_OK);
		assert_int_equal(pagus_get_page(&l.lab.p, START + 200), PAGUS_OK);
		lab_listen(&l.lab, 1u << PAGUS_EVENT_FREE);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, START, NR), PAGUS_OK);
		assert_int_equal(l.lab.nr_events, NR - 1);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(world_free_pages(&l), PAGES - 1);
		assert_int_equal(pagus_put_pages(&l.lab.p, START + 200, 0), PAGUS_OK);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		contig_close(&l);
	}
}

/* What is asked for must be memory of one zone; and bad frees are refused as a whole. */
static void test_bad_ranges(void **context)
{
	static const struct pagus_range parts[] = {
		{ .start_pfn = 0, .nr_pages = 4096, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = 8192, .nr_pages = 4096, .zone = PAGUS_ZONE_BY_CEILING },
	};

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = lab_config(parts, NR_OF(parts), policies[n]);
		struct contig_lab l;

		cfg.dma_ceiling = 2048;
		contig_boot(&l, &cfg, PAGES, 8);
		lab_no_marks(&l.lab);
		assert_int_equal(alloc_range(&l, 2000, 100, GFP_KERNEL), PAGUS_BAD_RANGE);
		assert_int_equal(alloc_range(&l, 4000, 97, GFP_KERNEL), PAGUS_BAD_RANGE);
		assert_int_equal(alloc_range(&l, 4000, 5000, GFP_KERNEL), PAGUS_BAD_RANGE);
		assert_int_equal(alloc_range(&l, 100000, 10, GFP_KERNEL), PAGUS_BAD_RANGE);
		assert_int_equal(alloc_range(&l, 0, 0, GFP_KERNEL), PAGUS_BAD_RANGE);
		assert_int_equal(alloc_range(&l, 10, UINT64_MAX, GFP_KERNEL), PAGUS_BAD_RANGE);
		assert_int_equal(alloc_range(&l, 4000, 96, GFP_KERNEL), PAGUS_OK);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, 3999, 97), PAGUS_DOUBLE_FREE);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, 4000, 97), PAGUS_BAD_RANGE);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, 4000, 0), PAGUS_BAD_RANGE);
		expect_single(&l, 4000, 96);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, 4000, 96), PAGUS_OK);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property_38_unaligned_range),
		cmocka_unit_test(test_property_38_tails),
		cmocka_unit_test(test_property_39_pinned),
		cmocka_unit_test(test_property_40_masks),
		cmocka_unit_test(test_superpageblocks_count_what_a_range_took),
		cmocka_unit_test(test_property_41_compound),
		cmocka_unit_test(test_property_42_aligned_results),
		cmocka_unit_test(test_gigantic),
		cmocka_unit_test(test_free_drops_references),
		cmocka_unit_test(test_bad_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
