/* SPDX-License-Identifier: MIT */
/*
 * Huge pages of 1 GiB, on a machine that has three aligned ranges of that size:
 *
 *     range 0: 700 movable pages in use    range 1: an unmovable one    range 2: free
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "replay/replay.h"

#define GIB_PAGES   (UINT64_C(1) << 18)
#define NR_GIB      3
#define NR_BLOCKS   ((uint32_t)(NR_GIB * GIB_PAGES >> 9))
#define NR_LARGE    (NR_BLOCKS / 2)
#define NR_MOVABLE  700
#define EVERY_NS    1000
#define UNMOVABLE_BLOCK (NR_BLOCKS / 2) /* in the middle of range 1 */

struct fixture {
	struct snapshot snap;
	struct snap_zone zone;
	struct snap_list lists[16];
	uint64_t single[16];
	struct snap_pcp pcp;
	uint64_t large[NR_LARGE];
	uint8_t type[NR_BLOCKS], flags[NR_BLOCKS];
	struct trace_meta meta;
	struct replay r;
};

/* A list of one free block. */
static void draw_block(struct fixture *f, uint64_t pfn, uint32_t order, uint32_t type)
{
	uint32_t n = f->zone.nr_free_lists++;

	f->single[n] = pfn;
	f->lists[n] = (struct snap_list){ .order = order, .type = type, .nr = 1,
					  .pfns = &f->single[n] };
}

/* Free blocks as large as can be, around the pages in use in range 0 and range 1. */
static void draw_lists(struct fixture *f)
{
	const uint64_t unmovable = GIB_PAGES + ((uint64_t)UNMOVABLE_BLOCK << 9);
	uint32_t nr = 0;

	for (uint32_t b = 2; b < NR_BLOCKS; b += 2)
		if (b != UNMOVABLE_BLOCK)
			f->large[nr++] = GIB_PAGES + ((uint64_t)b << 9);
	f->lists[0] = (struct snap_list){ .order = 10, .type = PAGUS_MOVABLE, .nr = nr,
					  .pfns = f->large };
	f->zone.nr_free_lists = 1;
	/* 700 to 1023 */
	draw_block(f, GIB_PAGES + 700, 2, PAGUS_MOVABLE);
	draw_block(f, GIB_PAGES + 704, 6, PAGUS_MOVABLE);
	draw_block(f, GIB_PAGES + 768, 8, PAGUS_MOVABLE);
	/* All of the pageblock but its first page. The one behind it is in use, and movable. */
	for (uint32_t order = 0; order < 9; order++)
		draw_block(f, unmovable + (UINT64_C(1) << order), order, PAGUS_UNMOVABLE);
}

static void draw_snapshot(struct fixture *f)
{
	memset(f->type, PAGUS_MOVABLE, sizeof(f->type));
	f->type[UNMOVABLE_BLOCK] = PAGUS_UNMOVABLE;
	f->zone = (struct snap_zone){
		.type = PAGUS_ZONE_NORMAL, .start_pfn = GIB_PAGES, .spanned = NR_GIB * GIB_PAGES,
		.present = NR_GIB * GIB_PAGES, .managed = NR_GIB * GIB_PAGES,
		.wmark = { 100, 200, 300, 400 }, .high_min = 500, .high_max = 1000, .batch = 63,
		.first_block_pfn = GIB_PAGES, .nr_blocks = NR_BLOCKS, .block_type = f->type,
		.block_flags = f->flags, .free_lists = f->lists, .pcps = &f->pcp,
	};
	draw_lists(f);
	f->pcp = (struct snap_pcp){ .high = 500, .high_min = 500, .high_max = 1000, .batch = 63 };
	f->snap = (struct snapshot){
		.version = 3, .nr_cpus = 1, .nr_nodes = 1, .pageblock_order = 9, .page_shift = 12,
		.pcp_batch_scale_max = 5, .nr_zones = 1, .zones = &f->zone,
	};
}

static void adopt(struct replay *r)
{
	for (uint64_t pfn = r->machine->first_pfn; pfn < r->machine->end_pfn; pfn++) {
		struct pagus_page_info page;

		pagus_page_info(&r->machine->pagus, pfn, &page);
		if (page.kind != PAGUS_PAGE_INHERITED && page.kind != PAGUS_PAGE_ALLOCATED)
			continue;
		shadow_set(&r->shadow, pfn, (struct shadow_entry){
			.ours = (uint32_t)pfn, .inherited = true, .type = (uint8_t)page.request_type });
		content_change(&r->content, pfn, 0, page.request_type, 1);
	}
}

static struct fixture *begin(const char *policy, enum whatif_defrag defrag, uint32_t count)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct trace_error err = { "" };
	struct replay *r;

	assert_non_null(f);
	draw_snapshot(f);
	r = &f->r;
	f->meta.path = "drawn";
	r->whatif = (struct whatif){
		.defrag = defrag,
		.huge = { .every_ns = EVERY_NS, .hold_ns = EVERY_NS, .order = 18, .count = count },
	};
	r->machine = defrag == WHATIF_DEFRAG_NONE ?
		machine_build(&f->meta, &f->snap, policy, 1, &err) :
		machine_build_moving(&f->meta, &f->snap, policy, 1, &err);
	if (!r->machine)
		fail_msg("%s", err.text);
	assert_true(shadow_init(&r->shadow, r->machine->first_pfn, r->machine->end_pfn));
	assert_true(content_init(&r->content, r->machine, 9));
	series_init(&r->series, r->content.nr_blocks);
	adopt(r);
	r->machine->owner = r;
	agenda_install(r);
	if (defrag != WHATIF_DEFRAG_NONE)
		owner_install(r);
	assert_true(shadow_keep_theirs(&r->shadow));
	return f;
}

static void end(struct fixture *f)
{
	huge_fini(&f->r.huge);
	shadow_fini(&f->r.shadow);
	content_fini(&f->r.content);
	series_fini(&f->r.series);
	machine_free(f->r.machine);
	free(f);
}

static uint64_t free_pages(const struct fixture *f)
{
	struct pagus_zone_info zone;

	pagus_drain_all((struct pagus *)&f->r.machine->pagus);
	pagus_zone_info(&f->r.machine->pagus, 0, &zone);
	return zone.free_pages;
}

static void check(const struct fixture *f)
{
	uint64_t where;

	assert_null(owner_check(&f->r, huge_held_pages(&f->r), &where));
	assert_int_equal(pagus_check(&f->r.machine->pagus, &where), 0);
}

/* Both ranges without an unmovable page are given, and what was in them is in range 1 then. */
static void ranges_are_emptied(const char *policy)
{
	struct fixture *f = begin(policy, WHATIF_DEFRAG_SCAN, 3);
	const struct huge *h = &f->r.huge;
	uint64_t before = free_pages(f);

	assert_null(huge_act(&f->r));
	check(f);
	assert_int_equal(h->asked, 3);
	assert_int_equal(h->granted, 2);
	assert_int_equal(h->why[HUGE_UNMOVABLE], 1);
	assert_int_equal(h->held[0].pfn, GIB_PAGES);
	assert_int_equal(h->held[1].pfn, 3 * GIB_PAGES);
	assert_true(h->moved_pages >= NR_MOVABLE);
	assert_int_equal(h->moved_pages, h->moved_for_granted);
	assert_int_equal(free_pages(f), before - 2 * GIB_PAGES);
	assert_int_equal(superpageblocks_obtainable(&f->r.content.superpageblocks, f->r.machine), 3);
	for (uint64_t pfn = GIB_PAGES; pfn < GIB_PAGES + NR_MOVABLE; pfn++)
		assert_int_equal(shadow_get(&f->r.shadow, pfn).ours / GIB_PAGES, 2);

	/* The next round is at the time when these are given back, and finds the same. */
	assert_int_equal(huge_due(h), 2 * EVERY_NS);
	assert_null(huge_act(&f->r));
	check(f);
	assert_int_equal(h->rounds, 2);
	assert_int_equal(h->granted, 4);
	/* It was in the first that two were held. */
	assert_int_equal(h->nr_reached, 2);
	assert_int_equal(h->reached_ns[0], EVERY_NS);
	assert_int_equal(h->reached_ns[1], EVERY_NS);
	assert_int_equal(h->nr, 2);
	assert_int_equal(free_pages(f), before - 2 * GIB_PAGES);
	end(f);
}

static void test_ranges_are_emptied(void **state)
{
	(void)state;
	ranges_are_emptied("linux");
	ranges_are_emptied("linux-6.1");
	ranges_are_emptied("pcpbuddy");
	ranges_are_emptied("pcpbuddy-bitmap");
}

/*
 * Of superpageblocks of 256 MiB: four a GiB. Those of the pages in use are one with movable pages, and
 * one that the unmovable page taints.
 */
static void test_what_could_be_had(void **state)
{
	struct fixture *f = begin("linux", WHATIF_DEFRAG_SCAN, 1);
	struct superpageblocks *s = &f->r.content.superpageblocks;
	const struct machine *m = f->r.machine;
	uint64_t nr = NR_GIB << (18 - s->order), there = s->taints[SUPERPAGEBLOCKS_BY_start];

	(void)state;
	assert_true(s->order < 18);
	assert_int_equal(there, 1);
	assert_int_equal(s->nr_empty, nr - 2);
	assert_int_equal(superpageblocks_obtainable(s, m), nr - 1);
	assert_int_equal(superpageblocks_upper_bound(s, m), nr - 1);
	assert_int_equal(superpageblocks_cost(s, nr - 2), 0);
	assert_int_equal(superpageblocks_cost(s, nr - 1), NR_MOVABLE);
	assert_int_equal(superpageblocks_cost(s, nr), NR_MOVABLE);

	s->started = true;
	content_change(&f->r.content, 2 * GIB_PAGES - 512, 9, PAGUS_UNMOVABLE, 1);
	content_change(&f->r.content, 3 * GIB_PAGES, 0, PAGUS_RECLAIMABLE, 1);
	assert_int_equal(s->taints[SUPERPAGEBLOCKS_BY_unmovable_higher_order], 1);
	assert_int_equal(s->taints[SUPERPAGEBLOCKS_BY_reclaimable], 1);
	assert_int_equal(superpageblocks_taints(s), 3);
	assert_int_equal(superpageblocks_obtainable(s, m), nr - 3);
	assert_int_equal(superpageblocks_upper_bound(s, m), nr - 1);

	/* A page of 1 GiB takes all of four, and those of it are no more to be had. */
	content_change(&f->r.content, 3 * GIB_PAGES, 0, PAGUS_RECLAIMABLE, -1);
	content_change(&f->r.content, 3 * GIB_PAGES, 18, PAGUS_MOVABLE, 1);
	superpageblocks_hold(s, 3 * GIB_PAGES, 18, 1);
	assert_int_equal(s->in_use[s->nr - 1][1], 1u << s->order);
	assert_int_equal(superpageblocks_obtainable(s, m), nr - 2 - 4);
	end(f);
}

static void test_nothing_moves_without_defrag(void **state)
{
	struct fixture *f = begin("linux", WHATIF_DEFRAG_NONE, 2);
	const struct huge *h = &f->r.huge;

	(void)state;
	assert_null(huge_act(&f->r));
	check(f);
	assert_int_equal(h->granted, 1);
	assert_int_equal(h->held[0].pfn, 3 * GIB_PAGES);
	assert_int_equal(h->why[HUGE_UNMOVABLE], 1);
	assert_int_equal(f->r.owner.moved_pages, 0);
	end(f);
}

/* What range 0 holds finds no place: all the rest is in use. */
static void test_there_is_no_room(void **state)
{
	struct fixture *f = begin("linux", WHATIF_DEFRAG_SCAN, 1);
	const struct huge *h = &f->r.huge;
	uint64_t left = 0;
	pagus_pfn_t pfn;

	(void)state;
	while (pagus_alloc_pages(&f->r.machine->pagus, GFP_HIGHUSER, 10, &pfn) == PAGUS_OK)
		if (pfn / GIB_PAGES == 1)
			left++;
	assert_true(left > 0);
	/* Range 0 alone is given back. */
	for (pfn = GIB_PAGES + 1024; pfn < 2 * GIB_PAGES; pfn += 1024)
		pagus_free_pages(&f->r.machine->pagus, pfn, 10);
	assert_null(huge_act(&f->r));
	assert_int_equal(h->granted, 0);
	assert_int_equal(h->why[HUGE_NO_ROOM], 1);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_are_emptied),
		cmocka_unit_test(test_what_could_be_had),
		cmocka_unit_test(test_nothing_moves_without_defrag),
		cmocka_unit_test(test_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
