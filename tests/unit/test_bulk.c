/* SPDX-License-Identifier: MIT */
/* Bulk allocation: which slots it fills, and when it asks for one page. Batched frees. */
#include "unit/unit.h"

#include <pagus/step.h>

#define NONE PAGUS_NO_PFN

static const uint32_t kmem_events = 1u << PAGUS_EVENT_ALLOC | 1u << PAGUS_EVENT_FREE |
				    1u << PAGUS_EVENT_FREE_BATCHED | 1u << PAGUS_EVENT_BAD_FREE;

/* A pcp that holds pages 0 .. 15 of 8192, no marks. */
static void open_lab(struct lab *lab)
{
	unit_boot_pcp(lab, 16, 64, 64);
	unit_free(lab, unit_alloc(lab, GFP_KERNEL, 0), 0);
	lab_listen(lab, kmem_events);
}

static uint32_t bulk(struct lab *lab, uint32_t gfp, uint32_t nr, pagus_pfn_t *pfns)
{
	return pagus_alloc_bulk(&lab->p, gfp, PAGUS_NO_NODE, nr, pfns);
}

static void only_empty_slots_are_filled_and_no_event_tells(void **state)
{
	pagus_pfn_t pfns[] = { 7777, NONE, 8888, NONE, NONE };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	assert_int_equal(bulk(&lab, GFP_KERNEL, 5, pfns), 5);
	unit_expect_pfns(pfns, 5, PFNS(7777, 0, 8888, 1, 2));
	assert_int_equal(lab.nr_events, 0);
	assert_int_equal(pagus_sim_total(&lab.sim, PAGUS_LOCK_PCP).acquisitions, 3);
	unit_free(&lab, 0, 0);
	unit_close(&lab);
}

static void a_full_array_takes_nothing(void **state)
{
	pagus_pfn_t pfns[] = { 1, 2 };
	struct lab lab;
	uint64_t digest;

	(void)state;
	open_lab(&lab);
	digest = pagus_digest(&lab.p);
	assert_int_equal(bulk(&lab, GFP_KERNEL, 2, pfns), 2);
	assert_int_equal(bulk(&lab, GFP_KERNEL, 0, NULL), 0);
	assert_true(pagus_digest(&lab.p) == digest);
	unit_close(&lab);
}

static void the_pcp_does_not_forget_its_frees(void **state)
{
	pagus_pfn_t pfns[] = { NONE, NONE };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	for (uint32_t n = 0; n < 8; n++)
		pfns[0] = unit_alloc(&lab, GFP_KERNEL, 0);
	for (uint32_t n = 0; n < 8; n++)
		unit_free(&lab, n, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).free_count, 8);
	pfns[0] = NONE;
	assert_int_equal(bulk(&lab, GFP_KERNEL, 2, pfns), 2);
	assert_int_equal(unit_pcp(&lab, 0, 0).free_count, 8);
	unit_alloc(&lab, GFP_KERNEL, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).free_count, 4);
	unit_close(&lab);
}

static void it_refills_as_often_as_it_must(void **state)
{
	pagus_pfn_t pfns[100];
	struct lab lab;

	(void)state;
	open_lab(&lab);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = NONE;
	assert_int_equal(bulk(&lab, GFP_KERNEL, NR_OF(pfns), pfns), NR_OF(pfns));
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		assert_int_equal(pfns[n], n);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_pgalloc), NR_OF(pfns) + 1);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_hit), NR_OF(pfns) + 1);
	unit_close(&lab);
}

static bool charge_anything(void *ctx, uint64_t pfn, uint32_t order, uint32_t gfp)
{
	(void)ctx;
	(void)pfn;
	(void)order;
	(void)gfp;
	return true;
}

/* One page, by an ordinary request that an event tells of. */
static void expect_one(struct lab *lab, uint32_t gfp, uint32_t nr)
{
	pagus_pfn_t pfns[] = { NONE, NONE, NONE };

	lab_listen(lab, kmem_events);
	assert_int_equal(bulk(lab, gfp, nr, pfns), 1);
	assert_true(pfns[0] != NONE && pfns[1] == NONE);
	assert_int_equal(lab->nr_events, 1);
	assert_int_equal(unit_event(lab, 0, PAGUS_EVENT_ALLOC).pfn, pfns[0]);
}

static void one_page_is_asked_for_where_bulk_does_not_do(void **state)
{
	struct pagus_port port = pagus_sim_port;
	struct lab lab;

	(void)state;
	open_lab(&lab);
	/* One slot is missing. */
	expect_one(&lab, GFP_KERNEL, 1);
	/* The pcp's lock is busy. */
	lab.sim.trylock_fail_at = 1;
	expect_one(&lab, GFP_KERNEL, 3);
	/* It is to be charged, and somebody charges. */
	port.charge = charge_anything;
	lab.p.port = &port;
	expect_one(&lab, GFP_KERNEL_ACCOUNT, 3);
	lab.p.port = &pagus_sim_port;
	unit_close(&lab);
}

static void without_pcp_lists_there_is_no_bulk(void **state)
{
	static const struct pagus_range range = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "nopcp");
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	expect_one(&lab, GFP_KERNEL, 3);
	unit_close(&lab);
}

/* The slots beyond the first run of filled ones do not make "exactly one missing". */
static void only_the_filled_beginning_counts_as_filled(void **state)
{
	pagus_pfn_t pfns[] = { NONE, 500, 501 };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	assert_int_equal(bulk(&lab, GFP_KERNEL, 3, pfns), 3);
	assert_int_equal(lab.nr_events, 0);
	unit_close(&lab);
}

static void a_request_that_is_not_valid_is_refused(void **state)
{
	pagus_pfn_t pfns[] = { 300, NONE, NONE };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	assert_int_equal(bulk(&lab, __GFP_DMA | __GFP_HIGHMEM, 3, pfns), 1);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_ALLOC).b, PAGUS_BAD_ZONE_BITS);
	assert_int_equal(pagus_alloc_bulk(&lab.p, GFP_KERNEL, 9, 3, pfns), 1);
	assert_int_equal(unit_event(&lab, 1, PAGUS_EVENT_ALLOC).b, PAGUS_BAD_NODE);
	assert_true(pfns[1] == NONE && pfns[2] == NONE);
	unit_close(&lab);
}

/* 1000 pages are free: how high may the low mark be for 10 slots, 4 of which are filled? */
static void the_zone_must_have_room_for_all_slots_above_its_low_mark(void **state)
{
	static const struct { const char *policy; uint64_t low; uint32_t filled; } rows[] = {
		{ "linux-6.18", 989, 10 }, { "linux-6.18", 990, 5 },
		{ "linux", 993, 10 },      { "linux", 994, 5 },
	};
	static const struct pagus_range range = { 0, 1024, 0, PAGUS_ZONE_BY_CEILING };

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_config cfg = lab_config(&range, 1, rows[n].policy);
		const struct pagus_zone_seed seed = {
			.present = 1024, .managed = 1024, .pcp_batch = 1,
			.pcp_high_min = 4, .pcp_high_max = 4,
			.wmark = { 0, rows[n].low, rows[n].low, rows[n].low },
		};
		pagus_pfn_t pfns[10] = { 1, 2, 3, 4, NONE, NONE, NONE, NONE, NONE, NONE };
		struct lab lab;

		unit_boot(&lab, &cfg);
		unit_limits(&lab, 0, 1, 4, 4);
		unit_alloc(&lab, GFP_KERNEL, 4);
		unit_alloc(&lab, GFP_KERNEL, 3);
		pagus_drain_all(&lab.p);
		assert_int_equal(unit_zone(&lab, 0).free_pages, 1000);
		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
		lab_listen(&lab, kmem_events);
		assert_int_equal(bulk(&lab, GFP_KERNEL, 10, pfns), rows[n].filled);
		assert_int_equal(lab.nr_events, rows[n].filled == 5);
		unit_close(&lab);
	}
}

static void only_the_preferred_node_serves_in_bulk(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 1024, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 1024, 1, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = lab_config(ranges, 2, "linux");
	pagus_pfn_t pfns[] = { NONE, NONE, NONE };
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	lab_no_marks(&lab);
	while (unit_zone(&lab, 0).free_pages > 0)
		unit_alloc(&lab, GFP_KERNEL | __GFP_THISNODE, 0);
	pagus_drain_all(&lab.p);
	while (unit_zone(&lab, 0).free_pages > 0)
		unit_alloc(&lab, GFP_KERNEL | __GFP_THISNODE, 0);
	lab_listen(&lab, kmem_events);
	assert_int_equal(pagus_alloc_bulk(&lab.p, GFP_KERNEL, 0, 3, pfns), 1);
	assert_true(pfns[0] >= 1024 && pfns[1] == NONE);
	assert_int_equal(lab.nr_events, 1);
	pfns[0] = NONE;
	assert_int_equal(pagus_alloc_bulk(&lab.p, GFP_KERNEL, 1, 3, pfns), 3);
	assert_int_equal(lab.nr_events, 1);
	unit_close(&lab);
}

/* A watermark may see pages that other CPUs have taken and not yet counted. */
static void it_stops_at_the_first_page_that_is_not_to_be_had(void **state)
{
	static const struct pagus_range range = { 0, 512, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	pagus_pfn_t pfns[10];
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_inherit(&lab, 0, 508, PAGUS_MOVABLE);
	assert_int_equal(pagus_boot_free(&lab.p, 508, 4), PAGUS_OK);
	unit_seeded(&lab);
	assert_int_equal(pagus_step_drift(&lab.p, 0, 0, -100, 125), PAGUS_OK);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = NONE;
	lab_listen(&lab, kmem_events);
	assert_int_equal(bulk(&lab, GFP_NOWAIT, 10, pfns), 4);
	assert_int_equal(lab.nr_events, 0);
	assert_true(pfns[4] == NONE);
	/* Not even one: an ordinary request tries, and is refused. */
	assert_int_equal(bulk(&lab, GFP_NOWAIT, 10, pfns), 4);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_ALLOC).b, PAGUS_NO_MEMORY);
	unit_close(&lab);
}

/* ---- frees ----------------------------------------------------------------------------------- */

static void a_batch_tells_all_frees_before_it_pushes_any(void **state)
{
	static const uint8_t want[] = {
		PAGUS_EVENT_FREE, PAGUS_EVENT_FREE, PAGUS_EVENT_FREE, PAGUS_EVENT_FREE,
		PAGUS_EVENT_FREE_BATCHED, PAGUS_EVENT_FREE_BATCHED, PAGUS_EVENT_FREE_BATCHED,
	};
	pagus_pfn_t pfns[4];
	struct lab lab;

	(void)state;
	open_lab(&lab);
	for (uint32_t n = 0; n < 4; n++)
		pfns[n] = unit_alloc(&lab, GFP_KERNEL, n == 2 ? 4 : 0);
	lab_listen(&lab, kmem_events);
	lab.sim = (struct pagus_sim){ .nr_cpus = 1 };
	assert_int_equal(pagus_free_bulk(&lab.p, pfns, 4), 4);
	/* The block of order 4, which pcps do not keep, has gone to the zone in the first pass. */
	assert_int_equal(lab.nr_events, NR_OF(want));
	for (uint32_t n = 0; n < NR_OF(want); n++)
		assert_int_equal(lab.log[n].id, want[n]);
	assert_int_equal(lab.log[2].order, 4);
	for (uint32_t n = 0; n < 3; n++)
		assert_int_equal(lab.log[4 + n].pfn, pfns[n < 2 ? n : 3]);
	/* In the array's order, so that the last is on top. */
	assert_int_equal(pagus_sim_total(&lab.sim, PAGUS_LOCK_PCP).acquisitions, 1);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), pfns[3]);
	unit_close(&lab);
}

static void a_batch_is_of_31(void **state)
{
	pagus_pfn_t pfns[40];
	struct lab lab;

	(void)state;
	unit_boot_pcp(&lab, 16, 64, 64);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = unit_alloc(&lab, GFP_KERNEL, 0);
	lab_listen(&lab, kmem_events);
	assert_int_equal(pagus_free_bulk(&lab.p, pfns, NR_OF(pfns)), NR_OF(pfns));
	for (uint32_t n = 0; n < 80; n++) {
		bool pushed = n < 62 ? n >= 31 : n >= 71;

		unit_event(&lab, n, pushed ? PAGUS_EVENT_FREE_BATCHED : PAGUS_EVENT_FREE);
	}
	assert_int_equal(lab.nr_events, 80);
	unit_close(&lab);
}

static void the_lock_changes_with_the_zone_and_a_busy_one_is_passed_by(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 1024, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 1024, 0, PAGUS_ZONE_MOVABLE },
	};
	const struct pagus_config cfg = lab_config(ranges, 2, "linux");
	pagus_pfn_t pfns[4];
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	unit_limits(&lab, 0, 4, 16, 16);
	unit_limits(&lab, 1, 4, 16, 16);
	for (uint32_t n = 0; n < 4; n++)
		pfns[n] = unit_alloc(&lab, n == 2 ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE, 0);
	lab.sim = (struct pagus_sim){ .nr_cpus = 1, .trylock_fail_at = 1 };
	lab_listen(&lab, kmem_events);
	assert_int_equal(pagus_free_bulk(&lab.p, pfns, 4), 4);
	/* The first goes to its zone; then movable, normal, movable, each in its own hold. */
	assert_int_equal(pagus_sim_total(&lab.sim, PAGUS_LOCK_PCP).acquisitions, 3);
	assert_int_equal(lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_FREE_DIRECT].acquisitions, 1);
	assert_int_equal(lab.nr_events, 7);
	assert_int_equal(unit_event(&lab, 4, PAGUS_EVENT_FREE_BATCHED).pfn, pfns[1]);
	unit_close(&lab);
}

static void an_isolated_pageblocks_pages_go_to_the_zone(void **state)
{
	static const struct pagus_range range = { 0, 2048, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_seed_block(&lab, 0, PAGUS_ISOLATE);
	unit_inherit(&lab, 0, 1024, PAGUS_MOVABLE);
	unit_seeded(&lab);
	lab_listen(&lab, kmem_events);
	assert_int_equal(pagus_free_bulk(&lab.p, PFNS(600, 3, 601)), 3);
	assert_int_equal(lab.nr_events, 5);
	assert_int_equal(unit_event(&lab, 4, PAGUS_EVENT_FREE_BATCHED).pfn, 601);
	assert_int_equal(pagus_free_blocks(&lab.p, 0, 0, PAGUS_ISOLATE), 1);
	unit_close(&lab);
}

static void what_cannot_be_freed_is_left_out(void **state)
{
	pagus_pfn_t pfns[4];
	struct lab lab;

	(void)state;
	open_lab(&lab);
	pfns[0] = unit_alloc(&lab, GFP_KERNEL, 0);
	pfns[1] = pfns[0];
	pfns[2] = PAGUS_NO_PFN;
	pfns[3] = unit_alloc(&lab, GFP_KERNEL, 0);
	lab_listen(&lab, kmem_events);
	assert_int_equal(pagus_free_bulk(&lab.p, pfns, 4), 2);
	unit_event(&lab, 1, PAGUS_EVENT_BAD_FREE);
	assert_int_equal(unit_event(&lab, 2, PAGUS_EVENT_BAD_FREE).a, PAGUS_BAD_RANGE);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_free_bad), 2);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_empty_slots_are_filled_and_no_event_tells),
		cmocka_unit_test(a_full_array_takes_nothing),
		cmocka_unit_test(the_pcp_does_not_forget_its_frees),
		cmocka_unit_test(it_refills_as_often_as_it_must),
		cmocka_unit_test(one_page_is_asked_for_where_bulk_does_not_do),
		cmocka_unit_test(without_pcp_lists_there_is_no_bulk),
		cmocka_unit_test(only_the_filled_beginning_counts_as_filled),
		cmocka_unit_test(a_request_that_is_not_valid_is_refused),
		cmocka_unit_test(the_zone_must_have_room_for_all_slots_above_its_low_mark),
		cmocka_unit_test(only_the_preferred_node_serves_in_bulk),
		cmocka_unit_test(it_stops_at_the_first_page_that_is_not_to_be_had),
		cmocka_unit_test(a_batch_tells_all_frees_before_it_pushes_any),
		cmocka_unit_test(a_batch_is_of_31),
		cmocka_unit_test(the_lock_changes_with_the_zone_and_a_busy_one_is_passed_by),
		cmocka_unit_test(an_isolated_pageblocks_pages_go_to_the_zone),
		cmocka_unit_test(what_cannot_be_freed_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
