/* SPDX-License-Identifier: MIT */
/*
 * Superpageblocks that are emptied: the checks of the specification's section (a), by their numbers,
 * on 1 GiB in superpageblocks of 64 MiB whose movable pages have an owner.
 */
#include <pagus/compact.h>
#include <pagus/contig.h>
#include <pagus/evacuate.h>

#include "contig/contig.h"

#include <string.h>

#define PAGES    UINT64_C(262144)
#define ORDER    14u
#define SPB      (UINT64_C(1) << ORDER)
#define NR_SPBS  (PAGES / SPB)

static const struct pagus_range range = { .nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING };

struct host {
	struct contig_lab l;
	uint32_t nr_slots; /* that have been filled */
	uint64_t seed;
	pagus_pfn_t kernel[SPB + 512]; /* pages in use that cannot move, of those who note them */
};

static void boot(struct host *h)
{
	struct pagus_config cfg = lab_config(&range, 1, "superpageblock");

	*h = (struct host){ .seed = unit_seed() };
	cfg.section_order = 15;
	cfg.superpageblock_order = ORDER;
	contig_boot(&h->l, &cfg, PAGES, PAGES);
}

static struct pagus_superpageblock_info look(const struct host *h, uint32_t n)
{
	struct pagus_superpageblock_info s;

	assert_int_equal(pagus_superpageblock_info(&h->l.lab.p, 0, n, &s), PAGUS_OK);
	return s;
}

static uint32_t nr_tainted(const struct host *h)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < NR_SPBS; n++)
		nr += look(h, n).tainted;
	return nr;
}

static uint32_t nr_empty(const struct host *h)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < NR_SPBS; n++)
		nr += look(h, n).free_pages == SPB;
	return nr;
}

static bool fill_one(struct host *h)
{
	pagus_pfn_t pfn;

	if (pagus_alloc_pages(&h->l.lab.p, GFP_HIGHUSER_MOVABLE & ~__GFP_DIRECT_RECLAIM, 0, &pfn) != PAGUS_OK)
		return false;
	pagus_sim_fill(&h->l.owner, h->nr_slots++, pfn, 0);
	return true;
}

/* Movable pages until so many are in use, or until there are no more; of those some leave again. */
static void age(struct host *h, uint64_t most, uint64_t percent)
{
	while (h->nr_slots < most && fill_one(h))
		;
	for (uint32_t slot = 0; slot < h->nr_slots; slot++)
		if (lab_random(&h->seed, 100) < percent)
			contig_empty(&h->l, slot);
	pagus_drain_all(&h->l.lab.p);
}

static uint64_t counter(const struct host *h, enum pagus_counter which)
{
	return pagus_counter_read(&h->l.lab.p, which);
}

/* The least that is in use of a clean one without gaps. */
static uint64_t least_used(const struct host *h)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t n = 0; n < NR_SPBS; n++) {
		const struct pagus_superpageblock_info s = look(h, n);

		if (!s.tainted && s.nr_reserved == 0 && SPB - s.free_pages < least)
			least = SPB - s.free_pages;
	}
	return least;
}

/* The specification's bound L2: whatever is scattered where, so many can be had without reclaim. */
static uint64_t bound(const struct host *h)
{
	const struct pagus_zone_info zone = unit_zone(&h->l.lab, 0);
	uint64_t room = zone.free_pages - zone.wmark[PAGUS_WMARK_LOW], clean = 0;

	for (uint32_t n = 0; n < NR_SPBS; n++) {
		const struct pagus_superpageblock_info s = look(h, n);

		clean += !s.tainted;
		if (s.tainted)
			room -= s.free_pages < s.reserve_pages ? s.free_pages : s.reserve_pages;
	}
	return room / SPB < clean ? room / SPB : clean;
}

static enum pagus_status ask(struct host *h, pagus_pfn_t *pfn)
{
	return pagus_alloc_contig_pages(&h->l.lab.p, SPB, GFP_HIGHUSER_MOVABLE, PAGUS_NO_NODE, 0,
					pfn);
}

/* The emptiest each time, so that no page more is copied than has to be; and as many as there can be. */
static void test_check_10_and_11(void **context)
{
	pagus_pfn_t got[NR_SPBS];
	uint64_t nr = 0, most;
	struct host h;

	(void)context;
	boot(&h);
	for (uint32_t n = 0; n < 300; n++)
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	age(&h, PAGES * 9 / 10, 50);
	most = bound(&h);
	assert_true(most >= 4);
	for (;;) {
		uint64_t least = least_used(&h), before = h.l.owner.moved_pages;

		if (ask(&h, &got[nr]) != PAGUS_OK)
			break;
		assert_int_equal(got[nr] % SPB, 0);
		assert_int_equal(h.l.owner.moved_pages - before, least);
		contig_check(&h.l);
		nr++;
	}
	print_message("%llu of at most %llu superpageblocks\n", (unsigned long long)nr,
		      (unsigned long long)most);
	assert_int_equal(nr, most);
	assert_int_equal(nr_tainted(&h), 1);
	while (nr-- > 0)
		assert_int_equal(pagus_free_contig_range(&h.l.lab.p, got[nr], SPB), PAGUS_OK);
	contig_close(&h.l);
}

/* A page that refuses to move, once: it is tried again, and nothing is lost. */
static void test_check_12_once(void **context)
{
	(void)context;
	for (uint32_t at = 1; at <= 2000; at += 666) {
		struct host h;
		uint64_t free_pages;
		pagus_pfn_t pfn;

		boot(&h);
		age(&h, PAGES * 97 / 100, 40);
		free_pages = unit_zone(&h.l.lab, 0).free_pages;
		h.l.owner.move_fail_at = at;
		h.l.owner.refusal = PAGUS_MOVE_NEVER;
		assert_int_equal(ask(&h, &pfn), PAGUS_OK);
		assert_int_equal(h.l.owner.nr_refused, 1);
		assert_int_equal(h.l.owner.nr_isolated, h.l.owner.nr_moves + h.l.owner.nr_putbacks);
		contig_check(&h.l);
		pagus_drain_all(&h.l.lab.p);
		assert_int_equal(unit_zone(&h.l.lab, 0).free_pages, free_pages - SPB);
		contig_close(&h.l);
	}
}

static uint32_t emptiest(const struct host *h)
{
	uint32_t n = 0;

	while (look(h, n).tainted || SPB - look(h, n).free_pages != least_used(h))
		n++;
	return n;
}

/* A page that does not move: all goes back, another is had, and this one is left alone for some ticks. */
static void test_check_12(void **context)
{
	struct host h;
	uint64_t free_pages;
	pagus_pfn_t pfn;
	uint32_t bad, slot = 0;

	(void)context;
	boot(&h);
	age(&h, PAGES * 97 / 100, 40);
	free_pages = unit_zone(&h.l.lab, 0).free_pages;
	bad = emptiest(&h);
	while (h.l.owner.slot[slot].pfn / SPB != bad || h.l.owner.slot[slot].pfn % SPB < SPB / 2)
		slot++;
	h.l.owner.slot[slot].traits = PAGUS_TRAIT_PINNED;
	assert_int_equal(ask(&h, &pfn), PAGUS_OK);
	assert_int_not_equal(pfn / SPB, bad);
	assert_int_equal(h.l.owner.nr_isolated, h.l.owner.nr_moves + h.l.owner.nr_putbacks);
	contig_check(&h.l);
	pagus_drain_all(&h.l.lab.p);
	assert_int_equal(unit_zone(&h.l.lab, 0).free_pages, free_pages - SPB);
	assert_int_equal(unit_zone(&h.l.lab, 0).nr_isolated, 0);
	/* That it could be had now is not seen yet. */
	h.l.owner.slot[slot].traits = 0;
	assert_int_equal(emptiest(&h), bad);
	assert_int_equal(ask(&h, &pfn), PAGUS_OK);
	assert_int_not_equal(pfn / SPB, bad);
	for (uint32_t tick = 0; tick < 6; tick++)
		pagus_evacuate_tick(&h.l.lab.p, 0);
	assert_int_equal(emptiest(&h), bad);
	assert_int_equal(ask(&h, &pfn), PAGUS_OK);
	assert_int_equal(pfn / SPB, bad);
	contig_close(&h.l);
}

/* One tainted superpageblock, filled up with movable pages; room in the clean ones alone. */
static void crowd(struct host *h)
{
	uint32_t nr;

	unit_alloc(&h->l.lab, GFP_KERNEL, 0);
	while (fill_one(h))
		;
	nr = h->nr_slots;
	for (uint32_t slot = 0; slot < nr; slot++)
		if (!look(h, (uint32_t)(h->l.owner.slot[slot].pfn / SPB)).tainted &&
		    lab_random(&h->seed, 100) < 40)
			contig_empty(&h->l, slot);
	pagus_drain_all(&h->l.lab.p);
	assert_int_equal(nr_tainted(h), 1);
}

/* Steps of the slow path, in the order in which they came. */
static void test_check_16(void **context)
{
	static const char *const names[] = { "drain", "reclaim", "compact", "evacuate" };
	uint32_t next = 0, nr = 0;
	struct host h;

	(void)context;
	boot(&h);
	crowd(&h);
	lab_listen(&h.l.lab, 1u << PAGUS_EVENT_SLOW_STEP);
	while (counter(&h, PAGUS_COUNTER_evacuate_pages) == 0 && nr++ < PAGES)
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	for (uint32_t n = 0; n < h.l.lab.nr_events && n < LAB_LOG_EVENTS; n++) {
		const char *name = pagus_slow_row_name(h.l.lab.log[n].a);

		assert_string_not_equal(name, "taint");
		if (next < NR_OF(names) && strcmp(name, names[next]) == 0)
			next++;
	}
	assert_int_equal(next, NR_OF(names));
	assert_int_equal(nr_tainted(&h), 1);
	contig_close(&h.l);
}

/* As long as there is a movable page in it, no request has to taint another. */
static void test_requests_make_room(void **context)
{
	uint64_t used = 1;
	struct host h;

	(void)context;
	boot(&h);
	crowd(&h);
	for (; used < SPB - 600; used++) {
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
		if (used % 512 == 0) {
			assert_int_equal(nr_tainted(&h), 1);
			contig_check(&h.l);
		}
	}
	assert_int_equal(nr_tainted(&h), 1);
	assert_true(counter(&h, PAGUS_COUNTER_evacuate_pages) > SPB / 2);
	contig_close(&h.l);
}

static uint32_t tainted_one(const struct host *h)
{
	uint32_t n = 0;

	while (n < NR_SPBS && !look(h, n).tainted)
		n++;
	assert_true(n < NR_SPBS);
	return n;
}

static uint32_t work(struct host *h)
{
	uint32_t turns = 0;

	while (pagus_work(&h->l.lab.p, PAGUS_WORKER_EVACUATE, 0))
		assert_true(++turns < 100);
	return turns;
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

		if (s->pfn == PAGUS_NO_PFN || s->pfn / SPB != tainted_one(&h))
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
	for (n = 0; n < SPB - pinned - 1024; n++)
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
	while (h.nr_slots < PAGES - SPB)
		assert_true(fill_one(&h));
	while (pagus_alloc_pages(&h.l.lab.p, GFP_TRANSHUGE_LIGHT, 9, &pfn) == PAGUS_OK) {
		pagus_sim_fill(&h.l.owner, h.nr_slots++, pfn, 9);
		large += 512;
	}
	assert_true(large > SPB / 2);
	for (uint32_t slot = 0; slot < PAGES - SPB; slot++)
		if (lab_random(&h.seed, 100) < 20)
			contig_empty(&h.l, slot);
	pagus_drain_all(&h.l.lab.p);
	while (nr_tainted(&h) == 1 && nr++ < SPB - 600)
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	assert_int_equal(nr_tainted(&h), 1);
	contig_close(&h.l);
}

/* A movable page of a superpageblock leaves. */
static void drop_one(struct host *h, uint32_t n)
{
	uint32_t slot = 0;

	while (h->l.owner.slot[slot].pfn / SPB != n)
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
	assert_int_equal(how->range_pages, SPB);
	shrinker.start_pfn = how->start_pfn;
	shrinker.nr_calls++;
	for (uint32_t n = 0; n < SPB && freed < how->nr_pages; n++) {
		bool in_range = h->kernel[n] / SPB == how->start_pfn / SPB;

		if (h->kernel[n] == PAGUS_NO_PFN || in_range != shrinker.aims)
			continue;
		unit_free(&h->l.lab, h->kernel[n], 0);
		h->kernel[n] = PAGUS_NO_PFN;
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
	for (uint32_t n = 0; n < SPB + 100; n++)
		h->kernel[n % SPB] = unit_alloc(&h->l.lab, GFP_RECLAIM_SLAB, 0);
	for (uint32_t n = 100; n < SPB; n += 2) {
		unit_free(&h->l.lab, h->kernel[n], 0);
		h->kernel[n] = PAGUS_NO_PFN;
	}
	age(h, PAGES / 2, 0);
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
	assert_false(look(&h, (uint32_t)(shrinker.start_pfn / SPB)).tainted);
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
	for (uint32_t n = 0; n < SPB + 512; n++)
		h.kernel[n % SPB] = unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	for (uint32_t n = 0; n < SPB; n++)
		if (h.kernel[n] % 64)
			unit_free(&h.l.lab, h.kernel[n], 0);
	pagus_drain_all(&h.l.lab.p);
	while (fill_one(&h))
		;
	for (uint32_t n = 0; n < NR_SPBS; n++)
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

/* Below the reserve it begins, well above it ends; what does not move rests, and is tried anew. */
static void test_check_15(void **context)
{
	struct pagus_superpageblock_info s;
	uint64_t isolated, moved;
	uint32_t n, ticks = 0;
	struct host h;

	(void)context;
	boot(&h);
	crowd(&h);
	n = tainted_one(&h);
	do {
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
		s = look(&h, n);
	} while (s.free_pages >= s.reserve_pages);
	for (uint32_t slot = 0; slot < h.nr_slots; slot++)
		h.l.owner.slot[slot].traits = PAGUS_TRAIT_PINNED;
	assert_true(pagus_evacuate_tick(&h.l.lab.p, 0));
	work(&h);
	assert_int_equal(h.l.owner.nr_moves, 0);
	for (uint32_t slot = 0; slot < h.nr_slots; slot++)
		h.l.owner.slot[slot].traits = 0;
	isolated = h.l.owner.nr_isolated;
	while (!pagus_evacuate_tick(&h.l.lab.p, 0))
		assert_true(++ticks < 10);
	assert_true(ticks > 1);
	assert_int_equal(h.l.owner.nr_isolated, isolated);
	assert_true(work(&h) > 0);
	s = look(&h, n);
	assert_true(s.free_pages >= s.reserve_pages + 1024);
	moved = h.l.owner.nr_moves;
	assert_true(moved > 0);
	assert_false(pagus_evacuate_tick(&h.l.lab.p, 0));
	assert_int_equal(work(&h), 0);
	assert_int_equal(h.l.owner.nr_moves, moved);
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
		assert_true(nr < NR_OF(h->kernel));
		h->kernel[nr] = unit_alloc(&h->l.lab, GFP_KERNEL, 0);
	}
	*full = (uint32_t)(h->kernel[0] / SPB);
	for (uint32_t n = 0; n < nr - 1; n++)
		if (h->kernel[n] / SPB == *full && h->kernel[n] % SPB >= SPB / 4)
			unit_free(&h->l.lab, h->kernel[n], 0);
	pagus_drain_all(&h->l.lab.p);
	while (fill_one(h))
		;
	filled = h->nr_slots;
	for (uint32_t slot = 0; slot < filled; slot++)
		if (h->l.owner.slot[slot].pfn / SPB == h->kernel[nr - 1] / SPB && slot % 2)
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
	age(&h, PAGES * 9 / 10, 60);
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
	ready_is_beyond(PAGES - SPB * 3 / 2, 0);
	ready_is_beyond(PAGES - SPB * 5 / 2, 1);
}

static uint32_t nr_wakes;

static void count_wake(void *ctx, enum pagus_worker worker, uint32_t node)
{
	(void)ctx;
	(void)node;
	nr_wakes += worker == PAGUS_WORKER_EVACUATE;
}

static void storm(struct host *h, uint32_t tainted)
{
	for (uint32_t nr = 0; nr_tainted(h) < tainted && nr < 40000; nr++)
		unit_alloc(&h->l.lab, GFP_ATOMIC, 0);
	assert_int_equal(nr_tainted(h), tainted);
}

/*
 * Who cannot wait taints, and room is made for the next. However many do before the worker comes to
 * work, it is woken once.
 */
static void test_check_20(void **context)
{
	struct pagus_port port = pagus_sim_owner_port;
	struct host h;

	(void)context;
	boot(&h);
	crowd(&h);
	port.wake = count_wake;
	h.l.lab.p.port = &port;
	nr_wakes = 0;
	storm(&h, 2);
	assert_int_equal(nr_wakes, 1);
	storm(&h, 3);
	assert_int_equal(nr_wakes, 1);
	assert_true(work(&h) > 0);
	storm(&h, 4);
	assert_int_equal(nr_wakes, 2);
	contig_close(&h.l);
}

/*
 * What the worker copies stays within compact_rate and one piece of work, no pcp is drained for it,
 * and a pageblock that it empties costs at most its pages.
 */
static void test_check_27(void **context)
{
	const uint64_t rate = 64, burst = 64 * rate;
	uint64_t drains, copied = 0;
	struct host h;

	(void)context;
	boot(&h);
	crowd(&h);
	assert_int_equal(pagus_tunable_set(&h.l.lab.p, PAGUS_TUNABLE_compact_rate, (uint32_t)rate),
			 PAGUS_OK);
	for (uint32_t tick = 1; tick <= 100; tick++) {
		/* More is asked for than the rate makes room for. */
		for (uint32_t k = 0; k < 200; k++)
			unit_alloc(&h.l.lab, GFP_ATOMIC, 0);
		drains = counter(&h, PAGUS_COUNTER_pcp_drain);
		pagus_tick(&h.l.lab.p);
		if (pagus_evacuate_tick(&h.l.lab.p, 0))
			work(&h);
		assert_int_equal(counter(&h, PAGUS_COUNTER_pcp_drain), drains);
		copied = counter(&h, PAGUS_COUNTER_evacuate_pages);
		assert_true(copied <= burst + rate * tick + 512);
		assert_true(copied <= 512 * (counter(&h, PAGUS_COUNTER_evacuate_pageblock) + 1));
	}
	assert_true(copied > burst);
	print_message("%llu pages copied for %llu pageblocks\n", (unsigned long long)copied,
		      (unsigned long long)counter(&h, PAGUS_COUNTER_evacuate_pageblock));
	contig_close(&h.l);
}

/* Every second page of the lowest superpageblock cannot move, and of all others holds what can. */
static void alternate(struct host *h)
{
	uint32_t nr;

	while (fill_one(h))
		;
	nr = h->nr_slots;
	for (uint32_t slot = 0; slot < nr; slot++)
		if (h->l.owner.slot[slot].pfn < SPB)
			contig_empty(&h->l, slot);
	pagus_drain_all(&h->l.lab.p);
	for (uint32_t n = 0; n < SPB; n++) {
		pagus_pfn_t pfn = unit_alloc(&h->l.lab, GFP_KERNEL, 0);

		assert_true(pfn < SPB);
		h->kernel[n] = pfn;
	}
	for (uint32_t n = 0; n < SPB; n += 2)
		unit_free(&h->l.lab, h->kernel[n], 0);
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
			pagus_sim_fill(&h.l.owner, slot, h.kernel[SPB - 1], 0);
			assert_int_equal(pagus_set_movable(&h.l.lab.p, h.kernel[SPB - 1], 0, true), PAGUS_OK);
		}
		scanned[more] = compact(&h).migrate_scanned;
		contig_close(&h.l);
	}
	assert_in_range(scanned[1] - scanned[0], SPB - 1024, SPB + 1024);
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
	assert_int_equal(n, NR_SPBS - 1);
	do {
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
		before = look(&h, n);
	} while (before.free_pages >= before.reserve_pages);
	assert_true(compact(&h).moved > SPB);
	after = look(&h, n);
	assert_true(after.free_pages >= before.free_pages);
	contig_close(&h.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_10_and_11),
		cmocka_unit_test(test_check_12),
		cmocka_unit_test(test_check_12_once),
		cmocka_unit_test(test_check_15),
		cmocka_unit_test(test_check_16),
		cmocka_unit_test(test_check_20),
		cmocka_unit_test(test_check_27),
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

	return cmocka_run_group_tests(tests, NULL, NULL);
}
