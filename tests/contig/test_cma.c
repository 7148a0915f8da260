/* SPDX-License-Identifier: MIT */
/* CMA areas in use, by the numbers of the specification's properties. */
#include "contig/area.h"

#include <pagus/text.h>

/* ---- allocation and release ----------------------------------------------------------------- */

struct live {
	pagus_pfn_t pfn;
	uint64_t nr; /* 0: none */
};

/* The bitmap is the set of what is allocated, in whole bits. */
static void expect_bitmap(const struct contig_lab *l, const struct live *live, uint32_t nr)
{
	struct pagus_cma_info info = info_of(l, 0);
	uint32_t words[PAGES / 32], want[PAGES / 32] = { 0 };
	uint64_t asked = 0, used = 0, unit = UINT64_C(1) << info.order_per_bit;
	uint64_t nr_words = pagus_cma_bitmap(&l->lab.p, 0, 0, words, NR_OF(words));

	for (uint32_t k = 0; k < nr; k++) {
		asked += live[k].nr;
		for (uint64_t page = 0; page < live[k].nr; page += unit) {
			uint64_t bit = (live[k].pfn + page - info.range[0].base) / unit;

			assert_false(want[bit / 32] >> bit % 32 & 1);
			want[bit / 32] |= UINT32_C(1) << bit % 32;
			used += unit;
		}
	}
	assert_int_equal(nr_words, (info.range[0].nr_pages / unit + 31) / 32);
	assert_memory_equal(words, want, nr_words * 4);
	assert_int_equal(info.available_pages + asked, info.nr_pages);
	assert_int_equal(info.used_pages, used);
}

static void random_round(struct contig_lab *l, uint64_t *seed, struct live *live, uint64_t *granted,
			 uint64_t *refused)
{
	uint64_t nr = 1 + lab_random(seed, lab_random(seed, 4) ? 60 : 4000);
	uint32_t align = (uint32_t)lab_random(seed, 11);

	if (live->nr) {
		assert_int_equal(pagus_cma_release(&l->lab.p, 0, live->pfn, live->nr), PAGUS_OK);
		live->nr = 0;
		return;
	}
	if (take(l, nr, align, &live->pfn) == PAGUS_OK) {
		live->nr = nr;
		assert_int_equal(live->pfn & ((UINT64_C(1) << align) - 1), 0);
		*granted += nr;
	} else {
		assert_true(live->pfn == PAGUS_NO_PFN);
		*refused += nr;
	}
}

static void test_property_43_random_order(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t order_per_bit = 0; order_per_bit <= 3; order_per_bit += 3) {
			struct live live[24] = { { 0, 0 } };
			uint64_t granted = 0, refused = 0, released = 0;
			struct pagus_cma_info info;
			struct contig_lab l;

			open_area(&l, n, AREA, order_per_bit);
			world_fill(&l, &seed, n < USE_CMA ? 2000 : 500);
			for (uint32_t round = 0; round < 300; round++) {
				uint32_t k = (uint32_t)lab_random(&seed, NR_OF(live));

				released += live[k].nr;
				random_round(&l, &seed, &live[k], &granted, &refused);
				expect_bitmap(&l, live, NR_OF(live));
			}
			world_settled(&l);
			assert_true(refused > 0);
			assert_int_equal(l.owner.nr_moves > 0, n < USE_CMA);
			info = info_of(&l, 0);
			assert_int_equal(info.alloc_pages_success, granted);
			assert_int_equal(info.alloc_pages_fail, refused);
			assert_int_equal(info.release_pages_success, released);
			assert_true(unit_counter(&l.lab, PAGUS_COUNTER_cma_alloc_success) > 0);
			assert_true(unit_counter(&l.lab, PAGUS_COUNTER_cma_alloc_fail) > 0);
			for (uint32_t k = 0; k < NR_OF(live); k++)
				if (live[k].nr)
					random_round(&l, &seed, &live[k], &granted, &refused);
			assert_int_equal(info_of(&l, 0).largest_free_pages, AREA);
			world_clear(&l);
			assert_int_equal(world_free_pages(&l), PAGES);
			assert_int_equal(unit_zone(&l.lab, 0).free_cma_pages, AREA);
			contig_close(&l);
		}
	}
}

/* What cannot be moved is passed by: the next place behind it, aligned, is tried. */
static void test_property_43_tries_further_up(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < USE_CMA; n++) {
		pagus_pfn_t base, pfn, pinned = PAGUS_NO_PFN;
		struct contig_lab l;
		uint32_t slot;

		open_area(&l, n, AREA, 0);
		base = info_of(&l, 0).range[0].base;
		for (slot = 0; slot < SLOTS && pinned == PAGUS_NO_PFN; slot++) {
			pfn = contig_fill(&l, slot, 2);
			if (pfn >= base && pfn < base + 64)
				pinned = pfn;
		}
		assert_true(pinned != PAGUS_NO_PFN);
		l.owner.slot[slot - 1].traits = PAGUS_TRAIT_PINNED;
		lab_listen(&l.lab, 1u << PAGUS_EVENT_CMA_BUSY_RETRY |
			   1u << PAGUS_EVENT_CMA_ALLOC_START |
				   1u << PAGUS_EVENT_CMA_ALLOC_FINISH);
		assert_int_equal(take(&l, 64, 6, &pfn), PAGUS_OK);
		assert_int_equal(pfn, base + 64);
		assert_int_equal(unit_event(&l.lab, 0, PAGUS_EVENT_CMA_ALLOC_START).b, 64);
		assert_int_equal(unit_event(&l.lab, 1, PAGUS_EVENT_CMA_BUSY_RETRY).pfn, base);
		assert_int_equal(unit_event(&l.lab, 2, PAGUS_EVENT_CMA_ALLOC_FINISH).pfn, pfn);
		/* All of it is needed: then it is in the way. */
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn, 64), PAGUS_OK);
		assert_int_equal(take(&l, AREA, 0, &pfn), PAGUS_BUSY);
		world_settled(&l);
		assert_int_equal(info_of(&l, 0).available_pages, AREA);
		assert_int_equal(info_of(&l, 0).used_pages, 0);
		contig_close(&l);
	}
}

/* An alignment above the area's own counts from pfn 0. */
static void test_property_43_absolute_alignment(void **context)
{
	struct pagus_cma_declaration d = declaration(4096);
	struct contig_lab l;
	pagus_pfn_t pfn;

	(void)context;
	d.base = FIRST + 512;
	d.fixed = true;
	d.order_per_bit = 2;
	open_with(&l, &range, 1, "linux");
	declare(&l, &d);
	boot(&l, &range, 1);
	assert_int_equal(take(&l, 3, 11, &pfn), PAGUS_OK);
	assert_int_equal(pfn, FIRST + 2048);
	assert_int_equal(info_of(&l, 0).used_pages, 4);
	assert_int_equal(take(&l, 3, 0, &pfn), PAGUS_OK);
	assert_int_equal(pfn, FIRST + 512);
	assert_int_equal(take(&l, 3, 11, &pfn), PAGUS_OK);
	assert_int_equal(pfn, FIRST + 4096);
	assert_int_equal(take(&l, 3, 11, &pfn), PAGUS_NO_MEMORY);
	assert_int_equal(take(&l, 3, 2, &pfn), PAGUS_OK);
	assert_int_equal(pfn, FIRST + 516);
	contig_close(&l);
}

static void test_release(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		pagus_pfn_t pfn;

		open_area(&l, n, 2048, 2);
		assert_int_equal(take(&l, 62, 0, &pfn), PAGUS_OK);
		assert_int_equal(pagus_cma_release(&l.lab.p, 1, pfn, 62), PAGUS_BAD_VALUE);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn, 0), PAGUS_BAD_RANGE);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn - 4, 8), PAGUS_BAD_RANGE);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn, 2049), PAGUS_BAD_RANGE);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn + 2, 4), PAGUS_BAD_ALIGN);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn + 64, 4), PAGUS_NOT_ALLOCATED);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn, 63), PAGUS_DOUBLE_FREE);
		assert_int_equal(info_of(&l, 0).used_pages, 64);
		/* A part, and the rest. */
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn + 8, 12), PAGUS_OK);
		assert_int_equal(info_of(&l, 0).used_pages, 52);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn, 62), PAGUS_NOT_ALLOCATED);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn, 8), PAGUS_OK);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn + 20, 42), PAGUS_OK);
		assert_int_equal(info_of(&l, 0).used_pages, 0);
		assert_int_equal(info_of(&l, 0).available_pages, 2048);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(world_free_pages(&l), PAGES);
		/* As one page. */
		assert_int_equal(pagus_cma_alloc(&l.lab.p, 0, 256, 0, GFP_KERNEL | __GFP_COMP, NULL,
						 &pfn),
				 PAGUS_OK);
		assert_int_equal(pfn % 256, 0);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn, 4), PAGUS_WRONG_ORDER);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn, 256), PAGUS_OK);
		assert_int_equal(pagus_cma_alloc(&l.lab.p, 0, 100, 0, GFP_KERNEL | __GFP_COMP, NULL,
						 &pfn),
				 PAGUS_BAD_VALUE);
		assert_int_equal(pagus_cma_alloc(&l.lab.p, 0, 4, 0, GFP_ATOMIC, NULL, &pfn),
				 PAGUS_BAD_VALUE);
		assert_int_equal(take(&l, 0, 0, &pfn), PAGUS_BAD_VALUE);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_cma_alloc_fail), 0);
		assert_int_equal(take(&l, UINT64_MAX, 0, &pfn), PAGUS_NO_MEMORY);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_cma_alloc_fail), 1);
		assert_int_equal(take(&l, 4, 32, &pfn), PAGUS_BAD_VALUE);
		contig_close(&l);
	}
}

/* ---- who uses what is free in an area ------------------------------------------------------- */

static bool in_area(const struct contig_lab *l, pagus_pfn_t pfn)
{
	struct pagus_cma_info info = info_of(l, 0);

	return pfn >= info.range[0].base && pfn < info.range[0].base + info.range[0].nr_pages;
}

static void test_property_44_movable_requests_only(void **context)
{
	static const uint32_t gfps[] = { GFP_KERNEL, GFP_RECLAIM_SLAB, GFP_ATOMIC,
					 GFP_KERNEL | __GFP_MEMALLOC, GFP_USER };

	(void)context;
	for (uint32_t n = 0; n < USE_CMA; n++) {
		struct contig_lab l;
		pagus_pfn_t pfn;
		uint32_t nr = 0;

		/* A quarter of the memory is not the area's. */
		open_area(&l, n, AREA, 0);
		/* More than half of what is free is CMA: a movable request takes it first. */
		for (uint32_t slot = 0; slot < 40; slot++)
			assert_true(in_area(&l, contig_fill(&l, slot, 0)));
		for (uint32_t slot = 0; slot < 40; slot++)
			contig_empty(&l, slot);
		pagus_drain_all(&l.lab.p);
		/* None of the others does, however much of it is free, and whatever he may. */
		while (pagus_alloc_pages(&l.lab.p, gfps[nr % NR_OF(gfps)], 0, &pfn) == PAGUS_OK) {
			assert_false(in_area(&l, pfn));
			nr++;
		}
		assert_true(nr <= PAGES / 4 && nr > PAGES / 8);
		unit_no_memory(&l.lab, GFP_KERNEL, 0);
		assert_true(unit_zone(&l.lab, 0).free_cma_pages > PAGES / 2);
		assert_true(in_area(&l, contig_fill(&l, 0, 0)));
		/* Nor does a movable request in a scope that pins. */
		l.lab.sim.task = PAGUS_TASK_MEMALLOC_PIN;
		unit_no_memory(&l.lab, GFP_OWNED, 0);
		l.lab.sim.task = 0;
		contig_close(&l);
	}
}

/*
 * Less than half of what is free is CMA: it is left alone until it is half; from then on both are
 * used. A refill decides block by block, and CPUs that own pageblocks take some ahead.
 */
static void test_property_44_balance(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < USE_CMA; n++) {
		struct pagus_zone_info zone;
		struct contig_lab l;
		uint32_t slot = 0;

		open_area(&l, n, 4096, 0);
		do
			zone = unit_zone(&l.lab, 0);
		while (!in_area(&l, contig_fill(&l, slot++, 2)));
		assert_true(zone.free_cma_pages > 4096 - 2 * BLOCK);
		assert_true(zone.free_pages <= 2 * 4096 + 2 * BLOCK);
		assert_true(zone.free_pages >= 2 * 4096 - 2 * BLOCK);
		contig_close(&l);
	}
}

/* ---- failures, and others ------------------------------------------------------------------- */

static void sweep(uint32_t n, bool isolation)
{
	for (uint64_t at = 1;; at++) {
		uint64_t seed = 5, before;
		enum pagus_status status;
		struct contig_lab l;
		pagus_pfn_t pfn;
		bool happened;

		open_area(&l, n, 8192, 0);
		world_fill(&l, &seed, 900);
		before = world_free_pages(&l);
		l.owner.isolate_fail_at = isolation ? at : 0;
		l.owner.move_fail_at = isolation ? 0 : at;
		l.owner.refusal = PAGUS_MOVE_NEVER;
		status = take(&l, 7000, 0, &pfn);
		happened = !l.owner.isolate_fail_at && !l.owner.move_fail_at;
		l.owner.isolate_fail_at = l.owner.move_fail_at = 0;
		world_settled(&l);
		pagus_drain_all(&l.lab.p);
		/* It begins anew behind the first page. */
		assert_int_equal(status, PAGUS_OK);
		assert_int_equal(world_free_pages(&l), before - 7000);
		assert_int_equal(info_of(&l, 0).used_pages, 7000);
		assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfn, 7000), PAGUS_OK);
		world_clear(&l);
		assert_int_equal(world_free_pages(&l), PAGES);
		assert_int_equal(unit_zone(&l.lab, 0).free_cma_pages, 8192);
		contig_close(&l);
		if (!happened)
			break;
	}
}

static void test_every_call_fails_once(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		sweep(n, true);
		sweep(n, false);
	}
}

static void ask_again(void *ctx)
{
	struct contig_lab *l = ctx;
	pagus_pfn_t pfn;

	l->owner.meanwhile = NULL;
	assert_int_equal(take(l, 4, 0, &pfn), PAGUS_BUSY);
	l->owner.meanwhile = ask_again;
}

/* One allocation at a time; without a way to wait the other is refused. */
static void test_one_at_a_time(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < USE_CMA; n++) {
		struct contig_lab l;
		uint64_t seed = 3;
		pagus_pfn_t pfn;

		open_area(&l, n, AREA, 0);
		world_fill(&l, &seed, 900);
		l.owner.meanwhile = ask_again;
		l.owner.meanwhile_ctx = &l;
		assert_int_equal(take(&l, 4096, 0, &pfn), PAGUS_OK);
		assert_true(l.owner.nr_moves > 0);
		l.owner.meanwhile = NULL;
		world_settled(&l);
		assert_int_equal(info_of(&l, 0).used_pages, 4096);
		contig_close(&l);
	}
}

/* What texts say of CMA does not change while pageblocks of an area are isolated. */
static void test_texts(void **context)
{
	static char text[65536];
	struct pagus_text t;
	struct contig_lab l;

	(void)context;
	open_area(&l, 0, 4096, 0);
	assert_int_equal(pagus_isolate_range(&l.lab.p, FIRST, 1024, PAGUS_ISOLATE_CMA_ALLOC, NULL),
			 PAGUS_OK);
	pagus_text_init(&t, text, sizeof(text));
	pagus_text_zoneinfo(&l.lab.p, &t);
	assert_non_null(strstr(text, "        cma      4096\n"));
	assert_non_null(strstr(text, "nr_free_cma  3072\n"));
	pagus_text_init(&t, text, sizeof(text));
	pagus_text_show_mem(&l.lab.p, &t, 0);
	assert_non_null(strstr(text, "4096 pages cma reserved\n"));
	assert_int_equal(pagus_unisolate_range(&l.lab.p, FIRST, 1024), PAGUS_OK);
	contig_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property_43_random_order),
		cmocka_unit_test(test_property_43_tries_further_up),
		cmocka_unit_test(test_property_43_absolute_alignment),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_property_44_movable_requests_only),
		cmocka_unit_test(test_property_44_balance),
		cmocka_unit_test(test_every_call_fails_once),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
