/* SPDX-License-Identifier: MIT */
/*
 * Checks of the superpageblock specification that are rules, by their numbers: who is refused, in
 * which order a request escalates, what the reserve holds back, and what gaps do.
 *
 * usage: test_rules [MIB]    of the largest machine, 16384; none above that
 */
#include <pagus/owner.h>

#include "superpageblock/machine.h"
#include "unit/world.h"

#define BLOCK 512u

static struct pagus_superpageblock_info info_of(const struct lab *lab, uint32_t n)
{
	struct pagus_superpageblock_info info;

	assert_int_equal(pagus_superpageblock_info(&lab->p, 0, n, &info), PAGUS_OK);
	return info;
}

static void world_forget(struct world *w)
{
	w->nr_diary = 0;
	w->diary[0] = '\0';
}

static uint32_t tainted(const struct lab *lab)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < pagus_nr_superpageblocks(&lab->p, 0); n++)
		nr += info_of(lab, n).tainted;
	return nr;
}

/* No marks, and no pcps: every request and free is the zone's. */
static struct world *boot(void)
{
	const struct pagus_config cfg = lab_config(&machine.range, 1, "superpageblock");
	struct world *w = world_boot(&cfg);

	world_marks(w, 0, 0, 0);
	assert_int_equal(info_of(&w->lab, 0).order, machine.order);
	assert_int_equal(pagus_nr_superpageblocks(&w->lab.p, 0), machine.nr_spbs);
	assert_int_equal(pagus_zone_pcp_disable(&w->lab.p, 0), PAGUS_OK);
	return w;
}

/* One superpageblock full of unmovable pages, of which then every other one is free. */
static struct world *fragmented(void)
{
	struct world *w = boot();
	static pagus_pfn_t pfns[MACHINE_MOST_SPB_PAGES];

	for (uint32_t n = 0; n < machine.spb_pages; n++)
		pfns[n] = unit_alloc(&w->lab, GFP_KERNEL, 0);
	for (uint32_t n = 0; n < machine.spb_pages; n++)
		if (pfns[n] % 2)
			unit_free(&w->lab, pfns[n], 0);
	pagus_drain_all(&w->lab.p);
	assert_int_equal(tainted(&w->lab), 1);
	world_forget(w);
	return w;
}

/* 17, 18: who can do with less is refused while a tainted one has anything left; others are not. */
static void check_17_18_optional_callers_do_not_taint(void **state)
{
	const uint32_t best_effort = (GFP_KERNEL & ~(uint32_t)__GFP_DIRECT_RECLAIM) | __GFP_NOWARN;
	const struct {
		uint32_t gfp, order, intent;
		bool granted;
	} rows[] = {
		{ GFP_KERNEL | __GFP_NORETRY, 3, 0, false },
		{ GFP_KERNEL | __GFP_NORETRY, 0, 0, true },
		{ GFP_KERNEL | __GFP_NORETRY | __GFP_NOFAIL, 3, 0, true },
		{ best_effort, 3, 0, false },
		{ best_effort, 0, 0, true },
		{ GFP_KERNEL, 3, PAGUS_CAN_SPLIT, false },
		{ GFP_KERNEL, 3, PAGUS_HAS_FALLBACK, false },
		{ GFP_KERNEL, 3, 0, true },
		{ GFP_ATOMIC, 3, 0, true },
		{ GFP_RECLAIM_SLAB | __GFP_NORETRY, 1, 0, false },
		{ GFP_USER_PAGE | __GFP_NORETRY, 3, 0, true },
	};

	struct world *w = fragmented();

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_request req = {
			.gfp = rows[n].gfp, .order = rows[n].order, .node = PAGUS_NO_NODE,
			.intent = rows[n].intent,
		};
		bool movable = rows[n].gfp & __GFP_MOVABLE;
		struct pagus_result res;

		pagus_alloc(&w->lab.p, &req, &res);
		assert_int_equal(res.status, rows[n].granted ? PAGUS_OK : PAGUS_NO_MEMORY);
		if (!rows[n].granted) {
			assert_int_equal(res.refusal, PAGUS_REFUSED_KEPT_CLEAN);
			world_expect_diary(w, "");
		}
		assert_int_equal(tainted(&w->lab), rows[n].granted && rows[n].order && !movable ? 2 : 1);
		if (rows[n].granted)
			unit_free(&w->lab, res.pfn, rows[n].order);
		pagus_drain_all(&w->lab.p);
		assert_int_equal(tainted(&w->lab), 1);
		world_forget(w);
	}
	world_close(w);
}

/* 19: where nothing is tainted there is nothing to wait for: as early at boot. */
static void check_19_the_first_request_taints_without_ado(void **state)
{
	struct world *w = boot();

	(void)state;
	assert_int_equal(world_ask(w, GFP_KERNEL | __GFP_NORETRY, 3).status, PAGUS_OK);
	world_expect_diary(w, "");
	assert_int_equal(tainted(&w->lab), 1);
	world_close(w);
}

/* 16, without what migration will add: reclaim, compaction, and only then another is tainted. */
static void check_16_a_request_that_may_wait_escalates_in_order(void **state)
{
	struct world *w = fragmented();

	(void)state;
	assert_int_equal(world_ask(w, GFP_KERNEL, 3).status, PAGUS_OK);
	/* Compaction comes first for what fragmentation is the likelier cause of. */
	world_expect_diary(w, "ARRRRRRRRRRRRRL");
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_taint_higher_order), 1);
	assert_int_equal(tainted(&w->lab), 2);
	/* What it tainted serves the next ones at once. */
	assert_int_equal(world_ask(w, GFP_KERNEL, 3).status, PAGUS_OK);
	world_expect_diary(w, "");
	world_close(w);
}

/* 20: requests that cannot wait taint one after the other, each as late as the others. */
static void check_20_atomic_requests_fill_what_they_taint(void **state)
{
	struct world *w = fragmented();

	(void)state;
	for (uint32_t n = 0; n < machine.spb_pages / 8; n++)
		assert_int_equal(world_ask(w, GFP_ATOMIC, 3).status, PAGUS_OK);
	assert_int_equal(tainted(&w->lab), 2);
	world_close(w);
}

/*
 * Two tainted ones, of which one has hardly been begun, and movable pages until there is no room for
 * them; all but the last four superpageblocks' worth in blocks of 2 MiB.
 */
static struct world *full(void)
{
	struct world *w = boot();

	for (uint32_t n = 0; n < machine.spb_pages + 100; n++)
		unit_alloc(&w->lab, GFP_KERNEL, 0);
	assert_int_equal(tainted(&w->lab), 2);
	while (unit_zone(&w->lab, 0).free_pages > 4 * machine.spb_pages)
		assert_int_equal(world_ask(w, GFP_USER_PAGE | __GFP_NORETRY, 9).status, PAGUS_OK);
	while (world_ask(w, GFP_USER_PAGE | __GFP_NORETRY, 0).status == PAGUS_OK)
		;
	return w;
}

/*
 * 13: movable requests leave tainted superpageblocks their reserve, and those that cannot move find
 * it. 14: it is taken off what movable requests see of the zone, and is theirs before the OOM killer.
 */
static void check_13_14_the_reserve(void **state)
{
	static pagus_pfn_t pfns[MACHINE_MOST_SPB_PAGES];
	struct world *w = full();
	struct pagus_weight weight;
	uint64_t reserved = 0, left, dips;

	(void)state;
	for (uint32_t n = 0; n < machine.nr_spbs; n++) {
		struct pagus_superpageblock_info s = info_of(&w->lab, n);

		if (!s.tainted)
			assert_int_equal(s.free_pages, 0);
		if (s.free_pages == 0)
			continue;
		assert_in_range(s.free_pages, s.reserve_pages, s.reserve_pages + BLOCK);
		reserved += s.reserve_pages;
	}
	assert_in_range(reserved, 2 * BLOCK, machine.spb_pages);
	assert_int_equal(pagus_weigh(&w->lab.p, 0, 0, PAGUS_ZONE_NORMAL, 0x2000, &weight), PAGUS_OK);
	assert_int_equal(weight.free - weight.unusable, 0);
	for (uint64_t n = 0; n < reserved; n++)
		pfns[n] = unit_alloc(&w->lab, GFP_KERNEL, 0);
	assert_int_equal(tainted(&w->lab), 2);
	for (uint64_t n = 0; n < reserved / 2; n++)
		unit_free(&w->lab, pfns[n], 0);
	pagus_drain_all(&w->lab.p);
	left = unit_zone(&w->lab, 0).free_pages;
	world_forget(w);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_reserve_dip), 0);
	for (dips = 0; dips < left; dips++) {
		assert_int_equal(world_ask(w, GFP_USER_PAGE, 0).status, PAGUS_OK);
		assert_null(strchr(w->diary, 'O'));
		world_forget(w);
	}
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_reserve_dip), dips);
	assert_int_equal(unit_zone(&w->lab, 0).free_pages, 0);
	world_refused(w, GFP_USER_PAGE, 0, PAGUS_REFUSED_NO_PROGRESS);
	assert_non_null(strchr(w->diary, 'O'));
	world_close(w);
}

/* 22: a borrowed page's pageblock keeps its type, and the page goes back to where it was. */
static void check_22_borrowed_pages_go_back(void **state)
{
	struct world *w = boot();
	struct pagus_page_info page;
	pagus_pfn_t first, movable[BLOCK], borrowed;
	uint32_t n;

	(void)state;
	/* No part of a pageblock may be claimed. */
	assert_int_equal(pagus_tunable_set(&w->lab.p, PAGUS_TUNABLE_defrag_mode, 1), PAGUS_OK);
	first = unit_alloc(&w->lab, GFP_KERNEL, 0);
	n = machine_spb(first);
	/* All of the superpageblock but one page: unmovable, and one movable pageblock with a hole. */
	for (uint32_t k = 0; k < machine.spb_pages - 1 - BLOCK; k++)
		unit_alloc(&w->lab, GFP_KERNEL, 0);
	while (world_ask(w, GFP_USER_PAGE | __GFP_NORETRY, 9).status == PAGUS_OK)
		;
	for (uint32_t k = 0; k < BLOCK; k++)
		movable[k] = unit_alloc(&w->lab, GFP_USER_PAGE, 0);
	assert_int_equal(machine_spb(movable[0]), n);
	assert_int_equal(info_of(&w->lab, n).free_pages, 0);
	unit_free(&w->lab, movable[7], 0);
	pagus_drain_all(&w->lab.p);
	assert_int_equal(info_of(&w->lab, n).nr_unmovable, machine.spb_pages / BLOCK - 1);
	borrowed = unit_alloc(&w->lab, GFP_KERNEL, 0);
	assert_int_equal(borrowed, movable[7]);
	assert_int_equal(info_of(&w->lab, n).nr_unmovable, machine.spb_pages / BLOCK);
	assert_int_equal(pagus_page_info(&w->lab.p, borrowed, &page), PAGUS_OK);
	assert_int_equal(page.block_type, PAGUS_MOVABLE);
	unit_free(&w->lab, borrowed, 0);
	pagus_drain_all(&w->lab.p);
	assert_int_equal(info_of(&w->lab, n).nr_unmovable, machine.spb_pages / BLOCK - 1);
	assert_int_equal(pagus_free_blocks(&w->lab.p, 0, 0, PAGUS_MOVABLE), 1);
	world_close(w);
}

static uint32_t fullness(const struct pagus_superpageblock_info *s)
{
	bool used = s->nr_unmovable || s->nr_movable || s->nr_reclaimable;

	if (!used)
		return 8;
	return 1 + (uint32_t)(s->free_pages * 7 / (s->nr_pageblocks * BLOCK));
}

/* 9: a 2 MiB block comes from the fullest clean superpageblock that has one, by brute force. */
static void check_09_huge_blocks_come_from_the_fullest(void **state)
{
	struct world *w = boot();
	static pagus_pfn_t pfns[MACHINE_MOST_PAGES / BLOCK];
	const uint32_t blocks = (uint32_t)(machine.range.nr_pages / BLOCK);
	uint64_t seed = unit_seed();
	uint32_t nr = 0;

	(void)state;
	unit_alloc(&w->lab, GFP_KERNEL, 0);
	/* By then about half of all memory is in use. */
	for (uint32_t k = 0; k < 12 * blocks; k++) {
		uint32_t best = UINT32_MAX, least = 9;
		pagus_pfn_t pfn;

		if (nr && (lab_random(&seed, 100) < 48 || nr == blocks * 5 / 6)) {
			uint32_t n = (uint32_t)lab_random(&seed, nr);

			unit_free(&w->lab, pfns[n], 9);
			pagus_drain_all(&w->lab.p);
			pfns[n] = pfns[--nr];
			continue;
		}
		for (uint32_t n = machine.nr_spbs; n-- > 0;) {
			struct pagus_superpageblock_info s = info_of(&w->lab, n);

			if (!s.tainted && s.nr_whole && fullness(&s) <= least) {
				least = fullness(&s);
				best = n;
			}
		}
		pfn = unit_alloc(&w->lab, GFP_USER_PAGE, 9);
		if (best != UINT32_MAX)
			assert_int_equal(machine_spb(pfn), best);
		pfns[nr++] = pfn;
	}
	world_close(w);
}

/* 24: gaps of all kinds; the superpageblocks that have them are the first to be tainted. */
static void check_24_imperfect_superpageblocks(void **state)
{
	const uint64_t spb = machine.spb_pages, nr = machine.nr_spbs;
	const struct pagus_range ranges[] = {
		{ 3000, 2 * spb - 2768, 0, PAGUS_ZONE_BY_CEILING },
		{ 2 * spb + 1232, (nr - 3) * spb, 0, PAGUS_ZONE_BY_CEILING },
		{ (nr + 1) * spb, 600, 0, PAGUS_ZONE_BY_CEILING },
		{ (nr + 2) * spb, 8 * BLOCK, 1, PAGUS_ZONE_BY_CEILING },
	};
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "superpageblock");
	struct pagus_superpageblock_info info;
	uint32_t nr_imperfect = 0;
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	cfg.superpageblock_order = machine.order;
	unit_boot(&lab, &cfg);
	for (uint32_t n = 0; n < pagus_nr_superpageblocks(&lab.p, 0); n++) {
		info = info_of(&lab, n);
		nr_imperfect += info.nr_reserved > 0;
		assert_true(info.nr_reserved <= spb / BLOCK);
	}
	assert_int_equal(pagus_nr_superpageblocks(&lab.p, 0), nr + 2);
	assert_int_equal(nr_imperfect, 5);
	assert_int_equal(pagus_nr_superpageblocks(&lab.p, 1), 1);
	/* A zone of 8 pageblocks keeps no reserve. */
	assert_int_equal(pagus_superpageblock_info(&lab.p, 1, 0, &info), PAGUS_OK);
	assert_int_equal(info.reserve_pages, 0);
	pfn = unit_alloc(&lab, GFP_KERNEL, 0);
	assert_true(info_of(&lab, machine_spb(pfn)).nr_reserved > 0);
	unit_check(&lab);
	while (pagus_alloc_pages(&lab.p, GFP_KERNEL | __GFP_THISNODE, 0, &pfn) == PAGUS_OK)
		;
	assert_int_equal(tainted(&lab), nr + 1); /* one is a hole from end to end */
	unit_close(&lab);
}

/* Another node's tainted superpageblocks are no reason to leave one's own. */
static void tainting_at_home_comes_before_another_node(void **state)
{
	const struct pagus_range ranges[] = {
		{ 0, 2 * machine.spb_pages, 0, PAGUS_ZONE_BY_CEILING },
		{ 2 * machine.spb_pages, 2 * machine.spb_pages, 1, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "superpageblock");
	struct pagus_request req = { .gfp = GFP_KERNEL };
	struct pagus_result res;
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	lab_no_marks(&lab);
	for (req.node = 2; req.node-- > 0;) {
		assert_int_equal(pagus_alloc(&lab.p, &req, &res), PAGUS_OK);
		assert_int_equal(res.pfn / (2 * machine.spb_pages), req.node);
	}
	/* But what is not there at home is taken from the other. */
	req.node = 0;
	while (unit_zone(&lab, 0).free_pages)
		assert_int_equal(pagus_alloc(&lab.p, &req, &res), PAGUS_OK);
	for (uint32_t n = 0; n < 1000; n++)
		assert_int_equal(pagus_alloc(&lab.p, &req, &res), PAGUS_OK);
	assert_int_equal(res.zone, 1);
	unit_close(&lab);
}

/* What a CPU has owned it may own again, but not where that would taint. */
static void what_a_cpu_has_given_back_is_not_tainted_by_it(void **state)
{
	const struct pagus_config cfg = lab_config(&machine.range, 1, "superpageblock");
	static pagus_pfn_t pfns[MACHINE_MOST_SPB_PAGES + BLOCK];
	const uint64_t nr = machine.spb_pages + BLOCK;
	pagus_pfn_t last;
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	for (uint32_t n = 0; n < nr; n++)
		pfns[n] = unit_alloc(&lab, GFP_KERNEL, 0);
	last = pfns[nr - 1];
	assert_int_equal(tainted(&lab), 2);
	/* The CPU gives back a pageblock of the last one in part, in which then only a movable page is. */
	assert_int_equal(pagus_set_movable(&lab.p, last, 0, true), PAGUS_OK);
	unit_free(&lab, pfns[nr - 2], 0);
	pagus_drain_all(&lab.p);
	for (uint32_t n = 0; n < nr - 2; n++)
		if (machine_spb(pfns[n]) == machine_spb(last) || n < BLOCK)
			unit_free(&lab, pfns[n], 0);
	pagus_drain_all(&lab.p);
	assert_int_equal(tainted(&lab), 1);
	assert_false(info_of(&lab, machine_spb(last)).tainted);
	for (uint32_t n = 0; n < BLOCK - 10; n++) {
		unit_alloc(&lab, GFP_KERNEL, 0);
		assert_int_equal(tainted(&lab), 1);
	}
	unit_close(&lab);
}

/* Movable pages that are freed without a lock taint nothing while they are taken in. */
static void taking_in_what_was_freed_taints_nothing(void **state)
{
	const struct pagus_config cfg = lab_config(&machine.range, 1, "superpageblock");
	pagus_pfn_t pfns[6];
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = unit_alloc(&lab, GFP_USER_PAGE, 0);
	pagus_drain_all(&lab.p);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		unit_free(&lab, pfns[n], 0);
	pagus_drain_all(&lab.p);
	assert_int_equal(unit_zone(&lab, 0).free_pages, machine.range.nr_pages);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_superpageblock_taint), 0);
	unit_close(&lab);
}

static void an_order_out_of_range_is_refused(void **state)
{
	struct pagus_config cfg = lab_config(&machine.range, 1, "superpageblock");

	(void)state;
	for (uint32_t order = 1; order <= 20; order++) {
		cfg.superpageblock_order = order;
		assert_int_equal(pagus_sizeof(&cfg) > 0, order >= 12 && order <= 18);
	}
}

static int run(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_17_18_optional_callers_do_not_taint),
		cmocka_unit_test(check_19_the_first_request_taints_without_ado),
		cmocka_unit_test(check_16_a_request_that_may_wait_escalates_in_order),
		cmocka_unit_test(check_20_atomic_requests_fill_what_they_taint),
		cmocka_unit_test(check_13_14_the_reserve),
		cmocka_unit_test(check_22_borrowed_pages_go_back),
		cmocka_unit_test(check_09_huge_blocks_come_from_the_fullest),
		cmocka_unit_test(check_24_imperfect_superpageblocks),
		cmocka_unit_test(tainting_at_home_comes_before_another_node),
		cmocka_unit_test(what_a_cpu_has_given_back_is_not_tainted_by_it),
		cmocka_unit_test(taking_in_what_was_freed_taints_nothing),
		cmocka_unit_test(an_order_out_of_range_is_refused),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return machine_each(argc, argv, run);
}
