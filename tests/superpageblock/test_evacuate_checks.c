/* SPDX-License-Identifier: MIT */
/*
 * Superpageblocks that are emptied: the checks of the specification's section (a), by their numbers.
 *
 * usage: test_evacuate_checks [MIB]    of the largest machine, 16384; none above that
 */
#include <pagus/contig.h>

#include "superpageblock/evacuate.h"

#include <string.h>

/* The least that is in use of a clean one without gaps. */
static uint64_t least_used(const struct host *h)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t n = 0; n < machine.nr_spbs; n++) {
		const struct pagus_superpageblock_info s = look(h, n);

		if (!s.tainted && s.nr_reserved == 0 && machine.spb_pages - s.free_pages < least)
			least = machine.spb_pages - s.free_pages;
	}
	return least;
}

/* The specification's bound L2: whatever is scattered where, so many can be had without reclaim. */
static uint64_t bound(const struct host *h)
{
	const struct pagus_zone_info zone = unit_zone(&h->l.lab, 0);
	uint64_t room = zone.free_pages - zone.wmark[PAGUS_WMARK_LOW], clean = 0;

	for (uint32_t n = 0; n < machine.nr_spbs; n++) {
		const struct pagus_superpageblock_info s = look(h, n);

		clean += !s.tainted;
		if (s.tainted)
			room -= s.free_pages < s.reserve_pages ? s.free_pages : s.reserve_pages;
	}
	return room >> machine.order < clean ? room >> machine.order : clean;
}

static enum pagus_status ask(struct host *h, pagus_pfn_t *pfn)
{
	return pagus_alloc_contig_pages(&h->l.lab.p, machine.spb_pages, GFP_HIGHUSER_MOVABLE,
					PAGUS_NO_NODE, 0, pfn);
}

/*
 * The emptiest each time, so that no page more is copied than has to be; and as many as there can be.
 * What is least holds for single pages; on larger machines test_host does the same with both.
 */
static void test_check_10_and_11(void **context)
{
	pagus_pfn_t got[SINGLE_PAGES / MACHINE_MOST_SPB_PAGES];
	uint64_t nr = 0, most;
	struct host h;

	(void)context;
	if (large_pages())
		skip();
	boot(&h);
	for (uint32_t n = 0; n < 300; n++)
		unit_alloc(&h.l.lab, GFP_KERNEL, 0);
	age(&h, machine.range.nr_pages * 9 / 10, 50);
	most = bound(&h);
	assert_true(most >= machine.nr_spbs / 4);
	for (;;) {
		uint64_t least, before = h.l.owner.moved_pages;

		pagus_drain_all(&h.l.lab.p);
		least = least_used(&h);
		if (ask(&h, &got[nr]) != PAGUS_OK)
			break;
		assert_int_equal(got[nr] % machine.spb_pages, 0);
		assert_int_equal(h.l.owner.moved_pages - before, least);
		contig_check(&h.l);
		nr++;
	}
	print_message("%llu of at most %llu superpageblocks\n", (unsigned long long)nr,
		      (unsigned long long)most);
	assert_int_equal(nr, most);
	assert_int_equal(nr_tainted(&h), 1);
	while (nr-- > 0)
		assert_int_equal(pagus_free_contig_range(&h.l.lab.p, got[nr], machine.spb_pages), PAGUS_OK);
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
		age(&h, machine.range.nr_pages - machine.spb_pages / 4, 40);
		free_pages = unit_zone(&h.l.lab, 0).free_pages;
		h.l.owner.move_fail_at = at;
		h.l.owner.refusal = PAGUS_MOVE_NEVER;
		assert_int_equal(ask(&h, &pfn), PAGUS_OK);
		assert_int_equal(h.l.owner.nr_refused, 1);
		assert_int_equal(h.l.owner.nr_isolated, h.l.owner.nr_moves + h.l.owner.nr_putbacks);
		contig_check(&h.l);
		pagus_drain_all(&h.l.lab.p);
		assert_int_equal(unit_zone(&h.l.lab, 0).free_pages, free_pages - machine.spb_pages);
		contig_close(&h.l);
	}
}

static uint32_t emptiest(const struct host *h)
{
	uint32_t n = 0;

	while (look(h, n).tainted || machine.spb_pages - look(h, n).free_pages != least_used(h))
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
	age(&h, machine.range.nr_pages - machine.spb_pages / 4, 40);
	free_pages = unit_zone(&h.l.lab, 0).free_pages;
	bad = emptiest(&h);
	while (machine_spb(h.l.owner.slot[slot].pfn) != bad ||
	       h.l.owner.slot[slot].pfn % machine.spb_pages < machine.spb_pages / 2)
		slot++;
	h.l.owner.slot[slot].traits = PAGUS_TRAIT_PINNED;
	assert_int_equal(ask(&h, &pfn), PAGUS_OK);
	assert_int_not_equal(machine_spb(pfn), bad);
	assert_int_equal(h.l.owner.nr_isolated, h.l.owner.nr_moves + h.l.owner.nr_putbacks);
	contig_check(&h.l);
	pagus_drain_all(&h.l.lab.p);
	assert_int_equal(unit_zone(&h.l.lab, 0).free_pages, free_pages - machine.spb_pages);
	assert_int_equal(unit_zone(&h.l.lab, 0).nr_isolated, 0);
	/* That it could be had now is not seen yet. */
	h.l.owner.slot[slot].traits = 0;
	assert_int_equal(emptiest(&h), bad);
	assert_int_equal(ask(&h, &pfn), PAGUS_OK);
	assert_int_not_equal(machine_spb(pfn), bad);
	for (uint32_t tick = 0; tick < 6; tick++)
		pagus_evacuate_tick(&h.l.lab.p, 0);
	assert_int_equal(emptiest(&h), bad);
	assert_int_equal(ask(&h, &pfn), PAGUS_OK);
	assert_int_equal(machine_spb(pfn), bad);
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
	while (counter(&h, PAGUS_COUNTER_evacuate_pages) == 0 && nr++ < machine.range.nr_pages)
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

static uint32_t nr_wakes;

static void count_wake(void *ctx, enum pagus_worker worker, uint32_t node)
{
	(void)ctx;
	(void)node;
	nr_wakes += worker == PAGUS_WORKER_EVACUATE;
}

static void storm(struct host *h, uint32_t tainted)
{
	for (uint32_t nr = 0; nr_tainted(h) < tainted && nr < 3 * machine.spb_pages; nr++)
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

static int run(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_10_and_11),
		cmocka_unit_test(test_check_12_once),
		cmocka_unit_test(test_check_12),
		cmocka_unit_test(test_check_15),
		cmocka_unit_test(test_check_16),
		cmocka_unit_test(test_check_20),
		cmocka_unit_test(test_check_27),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return machine_each(argc, argv, run);
}
