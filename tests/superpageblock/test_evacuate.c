/* SPDX-License-Identifier: MIT */
/*
 * Superpageblocks that are emptied, on 1 GiB in superpageblocks of 64 MiB. Checks of the specification
 * are in test_evacuate_checks.c.
 */
#include <pagus/compact.h>

#include "superpageblock/evacuate.h"

/* Pages in use that cannot move, of those who note them. */
static pagus_pfn_t kernel[16384 + 512];

static uint32_t nr_empty(const struct host *h)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < machine.nr_spbs; n++)
		nr += look(h, n).free_pages == machine.spb_pages;
	return nr;
}

/* As long as there is a movable page in it, no request has to taint another. */
static void test_requests_make_room(void **context)
{
	uint64_t used = 1;
	struct host h;

	(void)context;
	boot(&h);
	crowd(&h);
	for (; used < machine.spb_pages - 600; used++) {
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
		if (used % 512 == 0) {
			assert_int_equal(nr_tainted(&h), 1);
			contig_check(&h.l);
		}
	}
	assert_int_equal(nr_tainted(&h), 1);
	assert_true(counter(&h, PAGUS_COUNTER_evacuate_pages) > machine.spb_pages / 2);
	contig_close(&h.l);
}

/* The cheapest pageblocks do not move: then others are emptied, at once. */
static void test_a_pinned_page_is_passed_over(void **context)
{
	uint32_t n, pinned = 0;
	struct host h;

	(void)context;
	boot(&h);
	crowd(&h);
	for (uint32_t slot = 0; slot < h.nr_slots; slot++) {
		struct pagus_sim_slot *s = &h.l.owner.slot[slot];

		if (s->pfn == PAGUS_NO_PFN || machine_spb(s->pfn) != tainted_one(&h))
			continue;
		if (s->pfn / 512 % 4 == 0) {
			s->traits = PAGUS_TRAIT_PINNED;
			pinned++;
		}
		if (s->pfn / 512 % 4 == 0 && lab_random(&h.seed, 10) == 0) {
			pinned--;
			contig_empty(&h.l, slot);
		}
	}
	pagus_drain_all(&h.l.lab.p);
	for (n = 0; n < machine.spb_pages - pinned - 1024; n++)
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	assert_int_equal(nr_tainted(&h), 1);
	contig_close(&h.l);
}

/* Blocks of 2 MiB move out although no whole pageblock is free elsewhere: one is made. */
static void test_large_blocks_move(void **context)
{
	uint64_t large = 0, nr = 0;
	struct host h;
	pagus_pfn_t pfn;

	(void)context;
	boot(&h);
	unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	/* The clean ones full of single pages, the tainted one of large blocks. */
	while (h.nr_slots < machine.range.nr_pages - machine.spb_pages)
		assert_true(fill_one(&h, 0));
	while (pagus_alloc_pages(&h.l.lab.p, GFP_TRANSHUGE_LIGHT, 9, &pfn) == PAGUS_OK) {
		pagus_sim_fill(&h.l.owner, h.nr_slots++, pfn, 9);
		large += 512;
	}
	assert_true(large > machine.spb_pages / 2);
	for (uint32_t slot = 0; slot < machine.range.nr_pages - machine.spb_pages; slot++)
		if (lab_random(&h.seed, 100) < 20)
			contig_empty(&h.l, slot);
	pagus_drain_all(&h.l.lab.p);
	while (nr_tainted(&h) == 1 && nr++ < machine.spb_pages - 600)
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	assert_int_equal(nr_tainted(&h), 1);
	contig_close(&h.l);
}

/* A movable page of a superpageblock leaves. */
static void drop_one(struct host *h, uint32_t n)
{
	uint32_t slot = 0;

	while (machine_spb(h->l.owner.slot[slot].pfn) != n)
		slot++;
	assert_true(slot < h->nr_slots);
	contig_empty(&h->l, slot);
}

/* A port that can free pages that cannot move, where it is asked to, or anywhere. */
struct shrinker {
	struct pagus_port port;
	struct host *h;
	bool aims;
	uint64_t nr_calls, nr_freed, start_pfn;
};
static struct shrinker shrinker;

static uint64_t shrink_some(void *ctx, const struct pagus_reclaim *how)
{
	struct host *h = shrinker.h;
	uint64_t freed = 0;

	(void)ctx;
	if (how->range_pages == 0)
		return 0;
	assert_int_equal(how->range_pages, machine.spb_pages);
	shrinker.start_pfn = how->start_pfn;
	shrinker.nr_calls++;
	for (uint32_t n = 0; n < machine.spb_pages && freed < how->nr_pages; n++) {
		bool in_range = machine_spb(kernel[n]) == machine_spb(how->start_pfn);

		if (kernel[n] == PAGUS_NO_PFN || in_range != shrinker.aims)
			continue;
		unit_free(&h->l.lab, kernel[n], 0);
		kernel[n] = PAGUS_NO_PFN;
		freed++;
	}
	shrinker.nr_freed += freed;
	return freed;
}

/* Two tainted: one half full, with room for the few that are in the other, and movable pages there. */
static void sparse(struct host *h, bool aims)
{
	boot(h);
	shrinker = (struct shrinker){ .port = pagus_sim_owner_port, .h = h, .aims = aims };
	shrinker.port.reclaim = shrink_some;
	h->l.lab.p.port = &shrinker.port;
	for (uint32_t n = 0; n < machine.spb_pages + 100; n++)
		kernel[n % machine.spb_pages] = unit_alloc(&h->l.lab, GFP_RECLAIM_SLAB, 0);
	for (uint32_t n = 100; n < machine.spb_pages; n += 2) {
		unit_free(&h->l.lab, kernel[n], 0);
		kernel[n] = PAGUS_NO_PFN;
	}
	age(h, machine.range.nr_pages / 2, 0);
	assert_int_equal(nr_tainted(h), 2);
}

/* The last pages that cannot move leave, and no other; then it is clean. */
static void test_the_last_ones_are_reclaimed(void **context)
{
	struct host h;

	(void)context;
	sparse(&h, true);
	assert_true(pagus_evacuate_tick(&h.l.lab.p, 0));
	work(&h);
	assert_int_equal(nr_tainted(&h), 1);
	assert_false(look(&h, machine_spb(shrinker.start_pfn)).tainted);
	assert_int_equal(shrinker.nr_freed, 100);
	assert_int_equal(shrinker.nr_calls, 4);
	assert_int_equal(counter(&h, PAGUS_COUNTER_untaint_pages), 100);
	assert_int_equal(h.l.owner.moved_pages, 0);
	assert_false(pagus_evacuate_tick(&h.l.lab.p, 0));
	contig_close(&h.l);
}

/* Who frees elsewhere is not asked again for some ticks. */
static void test_a_port_that_does_not_aim_loses_little(void **context)
{
	struct host h;

	(void)context;
	sparse(&h, false);
	for (uint32_t tick = 0; tick < 10; tick++)
		if (pagus_evacuate_tick(&h.l.lab.p, 0))
			work(&h);
	assert_int_equal(nr_tainted(&h), 2);
	assert_in_range(shrinker.nr_calls, 2, 3);
	assert_int_equal(counter(&h, PAGUS_COUNTER_untaint_pages), 0);
	contig_close(&h.l);
}

/* Where clean ones have no room, nothing is moved from one tainted one to another, and back. */
static void test_tainted_ones_do_not_fill_each_other(void **context)
{
	uint32_t tainted[2], nr = 0;
	struct host h;

	(void)context;
	boot(&h);
	lab_no_marks(&h.l.lab);
	for (uint32_t n = 0; n < machine.spb_pages + 512; n++)
		kernel[n % machine.spb_pages] = unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	for (uint32_t n = 0; n < machine.spb_pages; n++)
		if (kernel[n] % 64)
			unit_free(&h.l.lab, kernel[n], 0);
	pagus_drain_all(&h.l.lab.p);
	while (fill_one(&h, 0))
		;
	for (uint32_t n = 0; n < machine.nr_spbs; n++)
		if (look(&h, n).tainted)
			tainted[nr++] = n;
	assert_int_equal(nr, 2);
	for (uint32_t n = 0; n < 2; n++)
		while (look(&h, tainted[n]).free_pages >= look(&h, tainted[n]).reserve_pages)
			unit_alloc(&h.l.lab, GFP_ATOMIC, 0);
	pagus_evacuate_tick(&h.l.lab.p, 0);
	for (uint32_t n = 0; n < 2; n++)
		while (look(&h, tainted[n]).free_pages < look(&h, tainted[n]).reserve_pages + 768) {
			drop_one(&h, tainted[n]);
			pagus_drain_all(&h.l.lab.p);
		}
	pagus_evacuate_tick(&h.l.lab.p, 0);
	work(&h);
	assert_int_equal(h.l.owner.moved_pages, 0);
	contig_close(&h.l);
}

/*
 * Two tainted superpageblocks: *full, which movable pages fill up to its reserve, and one that they have
 * left again in part. The clean ones are full.
 */
static void crowd_two(struct host *h, uint32_t *full)
{
	uint32_t nr, filled;

	pagus_tunable_set(&h->l.lab.p, PAGUS_TUNABLE_min_free_kbytes, 128);
	for (nr = 0; nr_tainted(h) < 2; nr++) {
		assert_true(nr < NR_OF(kernel));
		kernel[nr] = unit_alloc(&h->l.lab, GFP_KERNEL, 0);
	}
	*full = machine_spb(kernel[0]);
	for (uint32_t n = 0; n < nr - 1; n++)
		if (machine_spb(kernel[n]) == *full &&
		    kernel[n] % machine.spb_pages >= machine.spb_pages / 4)
			unit_free(&h->l.lab, kernel[n], 0);
	pagus_drain_all(&h->l.lab.p);
	while (fill_one(h, 0))
		;
	filled = h->nr_slots;
	for (uint32_t slot = 0; slot < filled; slot++)
		if (machine_spb(h->l.owner.slot[slot].pfn) == machine_spb(kernel[nr - 1]) && slot % 2)
			contig_empty(&h->l, slot);
	pagus_drain_all(&h->l.lab.p);
}

/* What could only move within the tainted ones is left where it is: nothing moves in a circle. */
static void test_nothing_moves_among_tainted_ones(void **context)
{
	struct pagus_superpageblock_info s;
	struct host h;
	uint32_t full;

	(void)context;
	boot(&h);
	crowd_two(&h, &full);
	do {
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
		pagus_drain_all(&h.l.lab.p);
		s = look(&h, full);
	} while (s.free_pages >= s.reserve_pages);
	assert_int_equal(nr_tainted(&h), 2);
	for (uint32_t tick = 0; tick < 20; tick++) {
		pagus_evacuate_tick(&h.l.lab.p, 0);
		work(&h);
	}
	assert_int_equal(h.l.owner.moved_pages, 0);
	contig_check(&h.l);
	contig_close(&h.l);
}

/* As many are empty as are asked for, if there is room for what is in them; and then no more is moved. */
static void test_ready(void **context)
{
	uint64_t moved;
	struct host h;

	(void)context;
	boot(&h);
	age(&h, machine.range.nr_pages * 9 / 10, 60);
	assert_int_equal(pagus_tunable_set(&h.l.lab.p, PAGUS_TUNABLE_superpageblocks_ready, 5), PAGUS_OK);
	assert_true(nr_empty(&h) < 5);
	for (uint32_t tick = 0; tick < 20 && pagus_evacuate_tick(&h.l.lab.p, 0); tick++)
		work(&h);
	assert_true(nr_empty(&h) >= 5);
	contig_check(&h.l);
	moved = h.l.owner.nr_moves;
	assert_false(pagus_evacuate_tick(&h.l.lab.p, 0));
	assert_int_equal(h.l.owner.nr_moves, moved);
	contig_close(&h.l);
}

/*
 * One is empty, and half of another; two would be only if there were room for the rest of that in clean
 * ones. With a tainted one there is room, but the empty one comes first.
 */
static void ready_is_beyond(uint64_t most, uint32_t nr_kernel)
{
	struct host h;

	boot(&h);
	for (uint32_t n = 0; n < nr_kernel; n++)
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	age(&h, most, 0);
	assert_int_equal(nr_empty(&h), 1);
	assert_int_equal(pagus_tunable_set(&h.l.lab.p, PAGUS_TUNABLE_superpageblocks_ready, 2), PAGUS_OK);
	for (uint32_t tick = 0; tick < 20; tick++) {
		pagus_evacuate_tick(&h.l.lab.p, 0);
		work(&h);
	}
	assert_int_equal(nr_empty(&h), 1);
	assert_int_equal(h.l.owner.moved_pages, 0);
	contig_close(&h.l);
}

static void test_ready_beyond_what_there_is(void **context)
{
	(void)context;
	ready_is_beyond(machine.range.nr_pages - machine.spb_pages * 3 / 2, 0);
	ready_is_beyond(machine.range.nr_pages - machine.spb_pages * 5 / 2, 1);
}

/* Every second page of the lowest superpageblock cannot move, and of all others holds what can. */
static void alternate(struct host *h)
{
	uint32_t nr;

	while (fill_one(h, 0))
		;
	nr = h->nr_slots;
	for (uint32_t slot = 0; slot < nr; slot++)
		if (h->l.owner.slot[slot].pfn < machine.spb_pages)
			contig_empty(&h->l, slot);
	pagus_drain_all(&h->l.lab.p);
	for (uint32_t n = 0; n < machine.spb_pages; n++) {
		pagus_pfn_t pfn = unit_alloc(&h->l.lab, GFP_KERNEL, 0);

		assert_true(pfn < machine.spb_pages);
		kernel[n] = pfn;
	}
	for (uint32_t n = 0; n < machine.spb_pages; n += 2)
		unit_free(&h->l.lab, kernel[n], 0);
	for (uint32_t slot = 0; slot < nr; slot += 2)
		if (h->l.owner.slot[slot].pfn != PAGUS_NO_PFN)
			contig_empty(&h->l, slot);
	pagus_drain_all(&h->l.lab.p);
	assert_int_equal(nr_tainted(h), 1);
}

static struct pagus_compaction compact(struct host *h)
{
	const struct pagus_compact_zone how = {
		.order = PAGUS_COMPACT_WHOLE, .migratetype = PAGUS_MOVABLE, .gfp = GFP_KERNEL,
		.mode = PAGUS_MIGRATE_SYNC, .ignore_hints = true,
	};
	struct pagus_compaction stats;

	assert_int_equal(pagus_compact_zone(&h->l.lab.p, &how, &stats), PAGUS_COMPACT_COMPLETE);
	return stats;
}

/* Where nothing is movable nothing is looked at; with one movable page at its end, all of it is. */
static void test_compaction_passes_over_what_holds_nothing_movable(void **context)
{
	uint64_t scanned[2];

	(void)context;
	for (uint32_t more = 0; more < 2; more++) {
		struct host h;
		uint32_t slot = 0;

		boot(&h);
		alternate(&h);
		if (more) {
			while (h.l.owner.slot[slot].pfn != PAGUS_NO_PFN)
				slot++;
			pagus_sim_fill(&h.l.owner, slot, kernel[machine.spb_pages - 1], 0);
			assert_int_equal(pagus_set_movable(&h.l.lab.p, kernel[machine.spb_pages - 1], 0, true), PAGUS_OK);
		}
		scanned[more] = compact(&h).migrate_scanned;
		contig_close(&h.l);
	}
	assert_in_range(scanned[1] - scanned[0], machine.spb_pages - 1024, machine.spb_pages + 1024);
}

/* What the tainted one keeps is no place to move to, although the scanner comes there first. */
static void test_compaction_leaves_the_reserve(void **context)
{
	struct pagus_superpageblock_info before, after;
	struct host h;
	uint32_t n;

	(void)context;
	boot(&h);
	crowd(&h);
	n = tainted_one(&h);
	assert_int_equal(n, machine.nr_spbs - 1);
	do {
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
		before = look(&h, n);
	} while (before.free_pages >= before.reserve_pages);
	assert_true(compact(&h).moved > machine.spb_pages);
	after = look(&h, n);
	assert_true(after.free_pages >= before.free_pages);
	contig_close(&h.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compaction_leaves_the_reserve),
		cmocka_unit_test(test_compaction_passes_over_what_holds_nothing_movable),
		cmocka_unit_test(test_nothing_moves_among_tainted_ones),
		cmocka_unit_test(test_a_pinned_page_is_passed_over),
		cmocka_unit_test(test_large_blocks_move),
		cmocka_unit_test(test_tainted_ones_do_not_fill_each_other),
		cmocka_unit_test(test_the_last_ones_are_reclaimed),
		cmocka_unit_test(test_a_port_that_does_not_aim_loses_little),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_ready_beyond_what_there_is),
		cmocka_unit_test(test_requests_make_room),
	};

	machine_set(1024, 14);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
