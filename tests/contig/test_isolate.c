/* SPDX-License-Identifier: MIT */
/*
 * Isolation of pageblocks, by the numbers of the specification's properties. 16384 pages in one
 * zone, pageblocks of 512, blocks of up to 1024.
 */
#include "contig/contig.h"

#include <pagus/contig.h>

#define PAGES 16384u
#define BLOCK 512u
#define MOST  (PAGES - 1024) /* which a request above the marks can have */

static const char *const policies[] = { "linux", "pcpbuddy", "pcpbuddy-bitmap", "linux-6.1" };
static const struct pagus_range range = { .nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING };

static void open_lab(struct contig_lab *l, uint32_t n)
{
	struct pagus_config cfg = lab_config(&range, 1, policies[n]);

	cfg.nr_cpus = 2;
	contig_boot(l, &cfg, range.nr_pages, 2 * PAGES);
	lab_no_marks(&l->lab);
}

static uint64_t free_pages(const struct contig_lab *l)
{
	return unit_zone(&l->lab, 0).free_pages;
}

static enum pagus_status isolate(struct contig_lab *l, pagus_pfn_t start, uint64_t nr,
				 enum pagus_isolate_mode mode)
{
	enum pagus_status status = pagus_isolate_range(&l->lab.p, start, nr, mode, NULL);

	contig_check(l);
	return status;
}

static void unisolate(struct contig_lab *l, pagus_pfn_t start, uint64_t nr)
{
	assert_int_equal(pagus_unisolate_range(&l->lab.p, start, nr), PAGUS_OK);
	contig_check(l);
}

/* A pageblock of any type loses its free pages to isolation, and has type and pages back after it. */
static void test_property_33_free_pages_and_type(void **context)
{
	static const uint32_t types[] = { PAGUS_UNMOVABLE, PAGUS_MOVABLE, PAGUS_RECLAIMABLE,
					  PAGUS_HIGHATOMIC, PAGUS_CMA };

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t k = 0; k < NR_OF(types); k++) {
			struct pagus_config cfg = lab_config(&range, 1, policies[n]);
			struct contig_lab l;
			struct pagus_zone_info before, during, after;

			contig_open(&l, &cfg, PAGES, 16);
			for (pagus_pfn_t pfn = 0; pfn < PAGES; pfn += BLOCK)
				unit_seed_block(&l.lab, pfn, types[k]);
			assert_int_equal(lab_hand_over(&l.lab, &cfg), PAGUS_OK);
			lab_no_marks(&l.lab);
			before = unit_zone(&l.lab, 0);
			assert_int_equal(isolate(&l, 3 * BLOCK, BLOCK, PAGUS_ISOLATE_CMA_ALLOC),
					 PAGUS_OK);
			during = unit_zone(&l.lab, 0);
			assert_int_equal(during.free_pages, before.free_pages - BLOCK);
			assert_int_equal(during.nr_isolated, 1);
			assert_int_equal(unit_block_type(&l.lab, 3 * BLOCK), PAGUS_ISOLATE);
			assert_int_equal(unit_block_type(&l.lab, 4 * BLOCK), types[k]);
			if (types[k] == PAGUS_CMA)
				assert_int_equal(during.free_cma_pages, before.free_pages - BLOCK);
			unisolate(&l, 3 * BLOCK, BLOCK);
			after = unit_zone(&l.lab, 0);
			assert_memory_equal(&before, &after, sizeof(before));
			assert_int_equal(unit_block_type(&l.lab, 3 * BLOCK), types[k]);
			contig_close(&l);
		}
	}
}

/* A pageblock that is used in part: pages in use stay, free ones go and come back. */
static void test_property_33_partly_used(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		uint64_t before;

		open_lab(&l, n);
		for (uint32_t slot = 0; slot < MOST; slot++)
			contig_fill(&l, slot, 0);
		for (uint32_t slot = 0; slot < MOST; slot += 3)
			contig_empty(&l, slot);
		pagus_drain_all(&l.lab.p);
		before = free_pages(&l);
		assert_int_equal(isolate(&l, 2 * BLOCK + 7, BLOCK, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		assert_true(free_pages(&l) < before && free_pages(&l) >= before - BLOCK);
		assert_int_equal(unit_zone(&l.lab, 0).nr_isolated, 2);
		unisolate(&l, 2 * BLOCK + 7, BLOCK);
		assert_int_equal(free_pages(&l), before);
		contig_close(&l);
	}
}

/* All memory but the isolated pageblocks is used up, also by who may ignore marks. */
static void test_property_34_frees_are_invisible(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		uint32_t nr = 0;
		struct contig_lab l;
		pagus_pfn_t pfn;

		open_lab(&l, n);
		while (pagus_alloc_pages(&l.lab.p, GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, 0,
					 &pfn) ==
		       PAGUS_OK)
			pagus_sim_fill(&l.owner, nr++, pfn, 0);
		assert_int_equal(nr, PAGES);
		assert_int_equal(isolate(&l, 4 * BLOCK, 2 * BLOCK, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		for (uint32_t slot = 0; slot < nr; slot++) {
			pfn = l.owner.slot[slot].pfn;
			if (pfn / BLOCK == 4 || pfn / BLOCK == 5)
				contig_empty(&l, slot);
			if (slot % 100 == 0)
				unit_no_memory(&l.lab, GFP_ATOMIC | __GFP_MEMALLOC, 0);
		}
		pagus_tick(&l.lab.p);
		unit_no_memory(&l.lab, GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, 0);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(free_pages(&l), 0);
		assert_int_equal(pagus_test_isolated(&l.lab.p, 4 * BLOCK, 2 * BLOCK,
						     PAGUS_ISOLATE_OTHER, NULL), PAGUS_OK);
		unisolate(&l, 4 * BLOCK, 2 * BLOCK);
		assert_int_equal(free_pages(&l), 2 * BLOCK);
		contig_fill(&l, PAGES, 10);
		contig_close(&l);
	}
}

static void test_property_35_cut_and_merged_again(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t half = 0; half < 2; half++) {
			pagus_pfn_t other = 1024 + (1 - half) * BLOCK;
			struct pagus_zone_info before, during, after;
			struct contig_lab l;

			open_lab(&l, n);
			before = unit_zone(&l.lab, 0);
			assert_int_equal(isolate(&l, 1024 + half * BLOCK + 100, 1,
						 PAGUS_ISOLATE_OTHER), PAGUS_OK);
			during = unit_zone(&l.lab, 0);
			assert_int_equal(during.free_pages, before.free_pages - BLOCK);
			assert_int_equal(during.nr_free[10], before.nr_free[10] - 1);
			unit_expect_list(&l.lab, 0, 9, PAGUS_MOVABLE, PFNS(other));
			unit_expect_list(&l.lab, 0, 9, PAGUS_ISOLATE,
					 PFNS(1024 + half * BLOCK));
			unisolate(&l, 1024 + half * BLOCK, BLOCK);
			after = unit_zone(&l.lab, 0);
			assert_memory_equal(&before, &after, sizeof(before));
			contig_close(&l);
		}
	}
}

/* Two isolated neighbours are one block, and part again when one of them goes back. */
static void test_property_35_isolated_neighbours(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;

		open_lab(&l, n);
		assert_int_equal(isolate(&l, 1024, 2 * BLOCK, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		unit_expect_list(&l.lab, 0, 10, PAGUS_ISOLATE, PFNS(1024));
		unisolate(&l, 1024, 1);
		unit_expect_list(&l.lab, 0, 9, PAGUS_ISOLATE, PFNS(1024 + BLOCK));
		unit_expect_list(&l.lab, 0, 9, PAGUS_MOVABLE, PFNS(1024));
		unisolate(&l, 1024, 1024);
		assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		contig_close(&l);
	}
}

/* Who meets a pageblock that is isolated loses, and has none of his own left. */
static void test_property_36_overlaps(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		bool isolated[PAGES / BLOCK] = { false };
		struct contig_lab l;

		open_lab(&l, n);
		for (uint32_t round = 0; round < 300; round++) {
			uint64_t first = lab_random(&seed, PAGES / BLOCK);
			uint64_t nr = 1 + lab_random(&seed, PAGES / BLOCK - first);
			bool free_of = true;
			uint32_t sum = 0;

			for (uint64_t b = first; b < first + nr; b++)
				free_of &= !isolated[b];
			if (lab_random(&seed, 2)) {
				assert_int_equal(isolate(&l, first * BLOCK, nr * BLOCK,
							 PAGUS_ISOLATE_OTHER),
						 free_of ? PAGUS_OK : PAGUS_BUSY);
				for (uint64_t b = first; b < first + nr && free_of; b++)
					isolated[b] = true;
			} else {
				unisolate(&l, first * BLOCK, nr * BLOCK);
				for (uint64_t b = first; b < first + nr; b++)
					isolated[b] = false;
			}
			for (uint32_t b = 0; b < PAGES / BLOCK; b++)
				sum += isolated[b];
			assert_int_equal(unit_zone(&l.lab, 0).nr_isolated, sum);
			assert_int_equal(free_pages(&l), PAGES - sum * BLOCK);
		}
		unisolate(&l, 0, PAGES);
		assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		contig_close(&l);
	}
}

/* A mix of allocations, frees and isolations, many of which fail. */
static void test_property_37_none_is_left(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		uint32_t failed = 0, nr = 0;
		pagus_pfn_t kernel[64];

		open_lab(&l, n);
		for (uint32_t round = 0; round < 400; round++) {
			uint32_t slot = (uint32_t)lab_random(&seed, 64);
			uint64_t start = lab_random(&seed, PAGES - 1);
			pagus_pfn_t obstacle;
			enum pagus_status status;

			l.lab.sim.cpu = (uint32_t)lab_random(&seed, 2);
			if (l.owner.slot[slot].pfn == PAGUS_NO_PFN)
				contig_fill(&l, slot, (uint32_t)lab_random(&seed, 10));
			else
				contig_empty(&l, slot);
			if (nr < NR_OF(kernel) && round % 10 == 0)
				kernel[nr++] = unit_alloc(&l.lab, GFP_KERNEL, 0);
			status = pagus_isolate_range(&l.lab.p, start, 1 + lab_random(&seed,
										     PAGES - start),
						     PAGUS_ISOLATE_OTHER, &obstacle);
			contig_check(&l);
			if (status == PAGUS_OK) {
				unisolate(&l, start, PAGES - start);
			} else {
				assert_int_equal(status, PAGUS_BUSY);
				assert_true(obstacle >= start && obstacle < PAGES);
				failed++;
			}
			assert_int_equal(unit_zone(&l.lab, 0).nr_isolated, 0);
		}
		assert_true(failed > 0 && failed < 400);
		for (uint32_t slot = 0; slot < 64; slot++)
			if (l.owner.slot[slot].pfn != PAGUS_NO_PFN)
				contig_empty(&l, slot);
		while (nr > 0)
			unit_free(&l.lab, kernel[--nr], 0);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(free_pages(&l), PAGES);
		contig_close(&l);
	}
}

/* ---- what stands in the way ----------------------------------------------------------------- */

static void expect_obstacle(struct contig_lab *l, pagus_pfn_t start, uint64_t nr,
			    enum pagus_isolate_mode mode, pagus_pfn_t want)
{
	pagus_pfn_t obstacle = PAGUS_NO_PFN;

	assert_int_equal(pagus_isolate_range(&l->lab.p, start, nr, mode, &obstacle), PAGUS_BUSY);
	assert_int_equal(obstacle, want);
	assert_int_equal(unit_zone(&l->lab, 0).nr_isolated, 0);
	contig_check(l);
}

static void test_unmovable_pages(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		pagus_pfn_t kernel, movable, end;
		struct contig_lab l;

		open_lab(&l, n);
		kernel = unit_alloc(&l.lab, GFP_KERNEL, 3);
		movable = contig_fill(&l, 0, 3);
		expect_obstacle(&l, 0, PAGES, PAGUS_ISOLATE_OTHER, kernel);
		expect_obstacle(&l, kernel + 5, 1, PAGUS_ISOLATE_CMA_ALLOC, kernel + 5);
		/* Only what lies in the range is looked at. */
		end = (kernel | (BLOCK - 1)) + 1;
		assert_int_equal(isolate(&l, kernel + 8, end - kernel - 8, PAGUS_ISOLATE_OTHER),
				 PAGUS_OK);
		unisolate(&l, kernel, 1);
		assert_int_equal(isolate(&l, movable, 1, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		unisolate(&l, movable, 1);
		l.owner.slot[0].traits = PAGUS_TRAIT_PINNED;
		assert_int_equal(isolate(&l, movable, 1, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		unisolate(&l, movable, 1);
		l.owner.slot[0].traits = PAGUS_TRAIT_FIXED;
		expect_obstacle(&l, movable + 1, 1, PAGUS_ISOLATE_OTHER, movable + 1);
		l.owner.slot[0].traits = PAGUS_TRAIT_FIXED | PAGUS_TRAIT_OFFLINE;
		expect_obstacle(&l, movable, 1, PAGUS_ISOLATE_OTHER, movable);
		assert_int_equal(isolate(&l, movable, 1, PAGUS_ISOLATE_MEM_OFFLINE), PAGUS_OK);
		unisolate(&l, movable, 1);
		contig_close(&l);
	}
}

static void test_modes_and_cma_pageblocks(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = lab_config(&range, 1, policies[n]);
		struct contig_lab l;

		contig_open(&l, &cfg, PAGES, 16);
		unit_seed_block(&l.lab, 4 * BLOCK, PAGUS_CMA);
		assert_int_equal(lab_hand_over(&l.lab, &cfg), PAGUS_OK);
		expect_obstacle(&l, 3 * BLOCK, 2 * BLOCK, PAGUS_ISOLATE_OTHER, 4 * BLOCK);
		expect_obstacle(&l, 3 * BLOCK, 2 * BLOCK, PAGUS_ISOLATE_MEM_OFFLINE, 4 * BLOCK);
		assert_int_equal(isolate(&l, 3 * BLOCK, 2 * BLOCK, PAGUS_ISOLATE_CMA_ALLOC),
				 PAGUS_OK);
		unisolate(&l, 3 * BLOCK, 2 * BLOCK);
		contig_close(&l);
	}
}

/* Reserved pages, holes, sections that are absent, and pageblocks that a zone has in part. */
static void test_holes_and_zone_ends(void **context)
{
	static const struct pagus_range parts[] = {
		{ .start_pfn = 0, .nr_pages = 1536 + 100, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = 6144, .nr_pages = 2048, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = 8192 + 256, .nr_pages = 768, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = 10240, .nr_pages = 700, .zone = PAGUS_ZONE_BY_CEILING },
	};

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = lab_config(parts, NR_OF(parts), policies[n]);
		struct contig_lab l;

		cfg.section_order = 11;
		contig_open(&l, &cfg, PAGES, 16);
		for (uint32_t r = 0; r < NR_OF(parts); r++)
			assert_int_equal(pagus_boot_free(&l.lab.p, parts[r].start_pfn,
							 parts[r].nr_pages - (r == 1 ? 10 : 0)),
					 PAGUS_OK);
		assert_int_equal(pagus_boot_done(&l.lab.p), PAGUS_OK);
		expect_obstacle(&l, 1536, BLOCK, PAGUS_ISOLATE_OTHER, 1636); /* hole in the range */
		assert_int_equal(isolate(&l, 1024, 612, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		unisolate(&l, 1024, 612);
		/* A section is absent between. */
		assert_int_equal(isolate(&l, 1024, 612 + 2048 + 2460, PAGUS_ISOLATE_OTHER),
				 PAGUS_BUSY);
		assert_int_equal(isolate(&l, 2048, 4096 + 2038, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		assert_int_equal(unit_zone(&l.lab, 0).nr_isolated, 4);
		unisolate(&l, 2048, 4096 + 2038);
		expect_obstacle(&l, 6144, 2048, PAGUS_ISOLATE_OTHER, 8182); /* reserved */
		/* The first page of the pageblock is a hole, which is counted all the same. */
		assert_int_equal(isolate(&l, 8192 + 256, 100, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		assert_int_equal(unit_zone(&l.lab, 0).nr_isolated, 1);
		unisolate(&l, 8192 + 256, 100);
		/* The zone ends inside the pageblock. */
		expect_obstacle(&l, 10752, 10, PAGUS_ISOLATE_OTHER, 10752);
		assert_int_equal(isolate(&l, 10240, 512, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		unisolate(&l, 10240, 512);
		assert_int_equal(pagus_isolate_range(&l.lab.p, 4096, 2048, PAGUS_ISOLATE_OTHER,
						     NULL),
				 PAGUS_BAD_RANGE);
		assert_int_equal(pagus_isolate_range(&l.lab.p, PAGES * 4, 10, PAGUS_ISOLATE_OTHER,
						     NULL),
				 PAGUS_BAD_RANGE);
		assert_int_equal(pagus_isolate_range(&l.lab.p, 0, 0, PAGUS_ISOLATE_OTHER, NULL),
				 PAGUS_BAD_RANGE);
		assert_int_equal(pagus_isolate_range(&l.lab.p, 5, UINT64_MAX, PAGUS_ISOLATE_OTHER,
						     NULL),
				 PAGUS_BAD_RANGE);
		assert_int_equal(pagus_isolate_range(&l.lab.p, 0, 1, (enum pagus_isolate_mode)3,
						     NULL),
				 PAGUS_BAD_VALUE);
		contig_close(&l);
	}
}

/* A compound page that goes on beyond the range is an obstacle; any other block is freed apart. */
static void test_blocks_in_use_at_borders(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		bool mapped = n == 2;
		struct contig_lab l;
		pagus_pfn_t pfn;
		uint64_t before;

		open_lab(&l, n);
		before = free_pages(&l);
		pfn = unit_alloc(&l.lab, GFP_HIGHUSER_MOVABLE | __GFP_COMP, 10);
		pagus_sim_fill(&l.owner, 0, pfn, 10);
		if (!mapped) {
			expect_obstacle(&l, pfn, BLOCK, PAGUS_ISOLATE_OTHER, pfn);
			expect_obstacle(&l, pfn + BLOCK, BLOCK, PAGUS_ISOLATE_OTHER, pfn);
		}
		assert_int_equal(isolate(&l, pfn, 2 * BLOCK, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		unisolate(&l, pfn, 2 * BLOCK);
		contig_empty(&l, 0);
		pfn = contig_fill(&l, 0, 10);
		assert_int_equal(isolate(&l, pfn + BLOCK, BLOCK, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		contig_empty(&l, 0);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(free_pages(&l), before - BLOCK);
		unisolate(&l, pfn + BLOCK, BLOCK);
		assert_int_equal(free_pages(&l), before);
		assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		contig_close(&l);
	}
}

/* The test says where the first page is that is not free. */
static void test_isolated_test(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		pagus_pfn_t pfn, bad = 0, start;
		struct contig_lab l;

		open_lab(&l, n);
		pfn = contig_fill(&l, 0, 2);
		start = pfn & ~(pagus_pfn_t)(BLOCK - 1);
		assert_int_equal(pagus_test_isolated(&l.lab.p, start + 1, 20, PAGUS_ISOLATE_OTHER,
						     &bad),
				 PAGUS_BUSY);
		assert_int_equal(bad, start + 1);
		assert_int_equal(isolate(&l, start, BLOCK, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		pagus_drain_all(&l.lab.p);
		lab_listen(&l.lab, 1u << PAGUS_EVENT_TEST_PAGES_ISOLATED);
		assert_int_equal(pagus_test_isolated(&l.lab.p, start, BLOCK, PAGUS_ISOLATE_OTHER,
						     &bad),
				 PAGUS_BUSY);
		assert_int_equal(bad, pfn);
		assert_int_equal(unit_event(&l.lab, 0, PAGUS_EVENT_TEST_PAGES_ISOLATED).pfn, pfn);
		l.owner.slot[0].traits = PAGUS_TRAIT_OFFLINE;
		assert_int_equal(pagus_test_isolated(&l.lab.p, start, BLOCK,
						     PAGUS_ISOLATE_MEM_OFFLINE, &bad), PAGUS_OK);
		contig_empty(&l, 0);
		/* From the middle of a free block to the middle of another. */
		assert_int_equal(pagus_test_isolated(&l.lab.p, start + 77, 300, PAGUS_ISOLATE_OTHER,
						     &bad),
				 PAGUS_OK);
		assert_int_equal(pagus_test_isolated(&l.lab.p, start + 77, BLOCK,
						     PAGUS_ISOLATE_OTHER,
						     &bad), PAGUS_BUSY);
		assert_int_equal(bad, start + BLOCK);
		unisolate(&l, start, BLOCK);
		contig_close(&l);
	}
}

/* Pages on a pcp when their pageblock is isolated are drained to where they belong. */
static void test_pcp_pages(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		pagus_pfn_t pfn;

		open_lab(&l, n);
		pfn = contig_fill(&l, 0, 0);
		contig_empty(&l, 0);
		assert_int_equal(isolate(&l, pfn, 1, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		pagus_drain_zone(&l.lab.p, 0);
		contig_check(&l);
		assert_int_equal(free_pages(&l), PAGES - BLOCK);
		pfn &= ~(pagus_pfn_t)(BLOCK - 1);
		assert_int_equal(pagus_test_isolated(&l.lab.p, pfn, BLOCK, PAGUS_ISOLATE_OTHER,
						     NULL),
				 PAGUS_OK);
		unisolate(&l, pfn, 1);
		assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		contig_close(&l);
	}
}

/* No hold of the zone's lock is longer than a pageblock's worth of work. */
static void test_holds_are_short(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		const struct pagus_sim_ledger *row;
		struct contig_lab l;

		open_lab(&l, n);
		for (uint32_t slot = 0; slot < MOST; slot++)
			contig_fill(&l, slot, 0);
		for (uint32_t slot = 0; slot < MOST; slot += 2)
			contig_empty(&l, slot);
		assert_int_equal(isolate(&l, 0, PAGES, PAGUS_ISOLATE_OTHER), PAGUS_OK);
		pagus_test_isolated(&l.lab.p, 0, PAGES, PAGUS_ISOLATE_OTHER, NULL);
		unisolate(&l, 0, PAGES);
		row = &l.lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_ISOLATE];
		assert_true(row->acquisitions >= PAGES / BLOCK * 2);
		assert_true(row->max_work <= 2 * BLOCK);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property_33_free_pages_and_type),
		cmocka_unit_test(test_property_33_partly_used),
		cmocka_unit_test(test_property_34_frees_are_invisible),
		cmocka_unit_test(test_property_35_cut_and_merged_again),
		cmocka_unit_test(test_property_35_isolated_neighbours),
		cmocka_unit_test(test_property_36_overlaps),
		cmocka_unit_test(test_property_37_none_is_left),
		cmocka_unit_test(test_unmovable_pages),
		cmocka_unit_test(test_modes_and_cma_pageblocks),
		cmocka_unit_test(test_holes_and_zone_ends),
		cmocka_unit_test(test_blocks_in_use_at_borders),
		cmocka_unit_test(test_isolated_test),
		cmocka_unit_test(test_pcp_pages),
		cmocka_unit_test(test_holds_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
