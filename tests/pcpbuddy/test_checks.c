/* SPDX-License-Identifier: MIT */
/*
 * Properties of the pcp buddy allocator, by their numbers in section 16 of the specification. Numbers
 * 1 to 4 and 13 are in test_traffic.c; 16, 18 and 21 are tests of defects 6, 5 and 11. Of 22 it
 * does not hold that a free reads owner and migratetype from one cache line: they stand in two
 * arrays.
 */
#include <pagus/step.h>

#include "pcpbuddy/owners.h"

/* ---- degradation and order of phases --------------------------------------------------------- */

/* All pages, whatever the watermarks say to what lies on pcp lists: one of them. */
static pagus_pfn_t take_all(struct lab *lab, uint64_t pages)
{
	const struct pagus_request req = { .gfp = GFP_USER_PAGE, .node = PAGUS_NO_NODE,
					   .task = PAGUS_TASK_MEMALLOC };
	struct pagus_result res;
	pagus_pfn_t last = PAGUS_NO_PFN;
	uint64_t nr = 0;

	for (; pagus_alloc(&lab->p, &req, &res) == PAGUS_OK; nr++)
		last = res.pfn;
	assert_int_equal(nr, pages);
	return last;
}

static void nothing_owned(struct owners *o, uint64_t pages)
{
	pagus_pfn_t last = take_all(&o->lab, pages);

	owners_free(o, 1, last, 0);
	assert_int_equal(unit_pcp(&o->lab, 0, 1).count, 1);
	assert_int_equal(owners_page(o, last).kind, PAGUS_PAGE_PCP);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pageblock_own), 0);
	owners_close(o);
}

static void check_16_05_degradation(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 256, 2, 1, 4);

	(void)state;
	nothing_owned(o, 256);
	/* Below its high mark. */
	o = owners_boot("pcpbuddy", 8192, 2, 512, 4096);
	pagus_step_set_flag(&o->lab.p, 0, PAGUS_STEP_BELOW_HIGH, true);
	nothing_owned(o, 8192);
}

/* One page of each pageblock is in use. */
static void check_16_05_no_whole_pageblock(void **state)
{
	static const struct pagus_range range = { 0, 4096, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, "pcpbuddy");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	for (pagus_pfn_t start = 0; start < 4096; start += BLOCK) {
		unit_inherit(&lab, start, 1, PAGUS_MOVABLE);
		for (uint32_t order = 0; order < 9; order++)
			unit_seed_free(&lab, start + (1u << order), order);
	}
	unit_seeded(&lab);
	unit_limits(&lab, 0, 512, 4096, 4096);
	take_all(&lab, 4096 - 8);
	assert_int_equal(pagus_counter_read(&lab.p, PAGUS_COUNTER_pageblock_own), 0);
	unit_close(&lab);
}

/* Movable: an own piece of a few pages, a chunk of order 5 that nobody owns, and whole pageblocks. */
static struct owners *three_kinds(pagus_pfn_t *piece, uint32_t batch)
{
	struct owners *o = calloc(1, sizeof(*o));
	pagus_pfn_t pfns[BLOCK];
	struct pagus_config cfg;

	assert_non_null(o);
	o->range = (struct pagus_range){ 0, 8192, 0, PAGUS_ZONE_BY_CEILING };
	cfg = lab_config(&o->range, 1, "pcpbuddy");
	unit_open(&o->lab, &cfg);
	unit_inherit(&o->lab, 0, 32, PAGUS_MOVABLE);
	unit_seed_free(&o->lab, 32, 5);
	unit_inherit(&o->lab, 64, BLOCK - 64, PAGUS_MOVABLE);
	for (pagus_pfn_t start = BLOCK; start < 8192; start += BLOCK)
		unit_seed_free(&o->lab, start, 9);
	unit_seeded(&o->lab);
	unit_limits(&o->lab, 0, 512, 8192, 8192);
	o->port = pagus_sim_port;
	owners_take(o, 0, pfns, BLOCK);
	for (uint32_t n = 8; n < 16; n++)
		owners_free(o, 0, pfns[n], 0);
	pagus_drain_all(&o->lab.p);
	*piece = pfns[8];
	unit_limits(&o->lab, 0, batch, 8192, 8192);
	return o;
}

static void check_16_06_order_of_phases(void **state)
{
	pagus_pfn_t piece;
	struct owners *o = three_kinds(&piece, 63);
	uint64_t owns = owners_count(o, PAGUS_COUNTER_pageblock_own);
	uint64_t recovered = owners_count(o, PAGUS_COUNTER_pcp_recover_pages);

	(void)state;
	/* A small budget: the piece, then the chunk, no pageblock. */
	owners_alloc(o, 0, GFP_USER_PAGE, 0);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pcp_recover_pages) - recovered, 8);
	assert_int_equal(owners_page(o, piece).kind, PAGUS_PAGE_PCP_OWNED);
	assert_int_equal(owners_page(o, 32).kind, PAGUS_PAGE_PCP);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pageblock_own), owns);
	owners_close(o);
	/* A large one: the piece and pageblocks use it up before it comes to the chunk. */
	o = three_kinds(&piece, 2048);
	owns = owners_count(o, PAGUS_COUNTER_pageblock_own);
	assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) == piece);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pageblock_own) - owns, 4);
	assert_int_equal(owners_page(o, 32).kind, PAGUS_PAGE_FREE);
	owners_close(o);
}

static void check_16_07_type_filter(void **state)
{
	pagus_pfn_t piece;
	struct owners *o = three_kinds(&piece, 16);

	(void)state;
	owners_alloc(o, 0, GFP_KERNEL, 0);
	assert_int_equal(owners_page(o, piece).kind, PAGUS_PAGE_FREE);
	assert_int_equal(owners_page(o, piece).owner, 1);
	unit_check(&o->lab);
	assert_int_equal(pagus_step_set_type(&o->lab.p, piece, PAGUS_RECLAIMABLE), PAGUS_OK);
	assert_int_equal(pagus_step_move_free(&o->lab.p, piece, PAGUS_MOVABLE, PAGUS_RECLAIMABLE),
			 PAGUS_OK);
	owners_alloc(o, 0, GFP_RECLAIM_SLAB, 0);
	assert_int_equal(owners_page(o, piece).kind, PAGUS_PAGE_PCP_OWNED);
	owners_close(o);
}

/* ---- life of one pageblock ------------------------------------------------------------------- */

static void check_16_08_splitting(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 1, 512, 4096);
	pagus_pfn_t first = owners_alloc(o, 0, GFP_USER_PAGE, 0);

	for (uint32_t n = 1; n < BLOCK; n++) {
		uint32_t owned = 0;

		for (uint32_t k = 0; k < BLOCK; k++) {
			struct pagus_page_info info = owners_page(o, first + k);

			assert_int_not_equal(info.kind, PAGUS_PAGE_PCP);
			owned += info.kind == PAGUS_PAGE_PCP_OWNED ? 1u << info.order : 0;
		}
		assert_int_equal(owned, BLOCK - n);
		assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) == first + n);
		assert_int_equal(owners_page(o, first + n).kind, PAGUS_PAGE_ALLOCATED);
	}
	assert_int_equal(owners_zone_locks(o), 9); /* one refill; 8192 pages were handed over in 8 */
	owners_close(o);
}

/* Pages on the CPU's pcp, and waiting for its lock. */
static uint32_t held_by(const struct owners *o, uint32_t cpu)
{
	const struct pagus_pcp_info info = unit_pcp(&o->lab, 0, cpu);

	return info.count + info.remote_pages;
}

static void check_16_09_routing(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 16384, 8, 512, 8192);
	pagus_pfn_t pfns[BLOCK], other;

	(void)state;
	owners_take(o, 3, pfns, BLOCK);
	for (uint32_t n = 0; n < BLOCK; n++) {
		o->pcps_taken = n % 5 == 4;
		owners_free(o, n % 8, pfns[n], 0);
		assert_int_equal(owners_page(o, pfns[n]).kind,
				 o->pcps_taken ? PAGUS_PAGE_DEFERRED : PAGUS_PAGE_PCP_OWNED);
	}
	o->pcps_taken = false;
	for (uint32_t cpu = 0; cpu < 8; cpu++)
		assert_int_equal(held_by(o, cpu), cpu == 3 ? BLOCK : 0);
	unit_limits(&o->lab, 0, 1, 8192, 8192);
	other = owners_alloc(o, 1, GFP_KERNEL, 0);
	owners_free(o, 5, other, 0);
	assert_int_equal(unit_pcp(&o->lab, 0, 5).count, 1);
	assert_int_equal(owners_page(o, other).kind, PAGUS_PAGE_PCP);
	owners_close(o);
}

static void check_16_10_reassembly(void **state)
{
	uint64_t seed = unit_seed();

	for (uint32_t round = 0; round < 20; round++) {
		struct owners *o = owners_boot(*state, 8192, 4, 512, 4096);
		pagus_pfn_t pfns[BLOCK], start;

		owners_take(o, 0, pfns, BLOCK);
		start = pfns[0];
		owners_shuffle(pfns, BLOCK, &seed);
		for (uint32_t n = 0; n < BLOCK; n++)
			owners_free(o, (uint32_t)lab_random(&seed, 4), pfns[n], 0);
		lab_listen(&o->lab, 1u << PAGUS_EVENT_PCPU_DRAIN);
		pagus_drain_all(&o->lab.p);
		assert_int_equal(o->lab.nr_events, 1);
		assert_int_equal(o->lab.log[0].order, 9);
		assert_int_equal(owners_page(o, start).owner, 0);
		owners_close(o);
	}
}

static void check_16_11_partial_drain(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 8192, 2, 512, 4096);
	pagus_pfn_t pfns[BLOCK], list[3];

	(void)state;
	owners_take(o, 0, pfns, BLOCK);
	owners_give(o, 0, pfns + 1, BLOCK - 1);
	/* What nobody owns: one block of each order stays behind. */
	unit_limits(&o->lab, 0, 1, 4096, 4096);
	owners_alloc(o, 1, GFP_USER_PAGE, 0);
	pagus_drain_all(&o->lab.p);
	pagus_drain_all(&o->lab.p);
	assert_int_equal(owners_page(o, pfns[0]).owner, 1);
	for (uint32_t order = 0; order < 9; order++) {
		assert_int_equal(pagus_free_list(&o->lab.p, 0, order, PAGUS_MOVABLE, list, 3), 2);
		assert_int_equal(owners_page(o, list[0]).owner, 0);
		assert_true(list[1] == pfns[0] + (1u << order));
	}
	owners_alloc(o, 1, GFP_USER_PAGE, 3);
	assert_int_equal(owners_page(o, pfns[8]).kind, PAGUS_PAGE_FREE);
	owners_close(o);
}

static void check_16_12_completion_in_the_zone(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 8192, 2, 512, 4096);
	pagus_pfn_t full[BLOCK], pfns[BLOCK], pfn;
	uint32_t count;

	(void)state;
	owners_take(o, 0, full, BLOCK);
	owners_take(o, 0, pfns, BLOCK);
	count = unit_pcp(&o->lab, 0, 0).count;
	o->pcps_taken = true;
	owners_give(o, 1, full, BLOCK); /* the queue is full now */
	owners_give(o, 1, pfns, BLOCK);
	assert_int_equal(owners_page(o, pfns[0]).owner, 0);
	assert_int_equal(owners_page(o, full[0]).owner, 1);
	owners_on(o, 1);
	pfn = unit_alloc(&o->lab, GFP_USER_PAGE, 10);
	unit_free(&o->lab, pfn, 10);
	o->pcps_taken = false;
	assert_int_equal(unit_pcp(&o->lab, 0, 0).count, count);
	owners_close(o);
}

/* ---- coming, going, interrupts --------------------------------------------------------------- */

static void check_16_14_isolation(void **state)
{
	uint64_t seed = unit_seed();

	for (uint32_t round = 0; round < 50; round++) {
		struct owners *o = owners_boot(*state, 8192, 4, 512, 8192);
		uint32_t before = (uint32_t)lab_random(&seed, BLOCK);
		pagus_pfn_t pfns[BLOCK], start;

		owners_take(o, 0, pfns, BLOCK);
		start = pfns[0];
		owners_shuffle(pfns, BLOCK, &seed);
		for (uint32_t n = 0; n < BLOCK; n++) {
			if (n == before)
				assert_int_equal(pagus_seed_block(&o->lab.p, start, PAGUS_ISOLATE),
						 PAGUS_OK);
			o->pcps_taken = lab_random(&seed, 2);
			owners_free(o, (uint32_t)lab_random(&seed, 4), pfns[n], 0);
		}
		o->pcps_taken = false;
		pagus_drain_all(&o->lab.p);
		assert_int_equal(pagus_free_blocks(&o->lab.p, 0, 9, PAGUS_ISOLATE), 1);
		owners_close(o);
	}
}

/* Where the drain has given a hold's worth of blocks back, others free to the pcp. */
static pagus_pfn_t late[4];

static void free_late(struct owners *o, enum pagus_lock_class cls)
{
	if (cls != PAGUS_LOCK_ZONE)
		return;
	o->at_lock = NULL;
	o->pcps_taken = true;
	owners_give(o, 1, late, NR_OF(late));
	o->pcps_taken = false;
}

/* What comes while a drain is under way does not leave instead of what was there. */
static void check_16_14_a_drain_leaves_nothing_that_was_there(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 8192, 2, 512, 8192);
	pagus_pfn_t pfns[BLOCK], four;

	(void)state;
	owners_take(o, 0, pfns, BLOCK);
	four = owners_alloc(o, 0, GFP_USER_PAGE, 2);
	pagus_drain_cpu(&o->lab.p, 0);
	for (uint32_t n = 0; n < 64; n++)
		owners_free(o, 0, pfns[2 * n], 0);
	for (uint32_t n = 0; n < NR_OF(late); n++)
		late[n] = pfns[256 + 2 * n];
	owners_free(o, 0, four, 2);
	assert_int_equal(unit_pcp(&o->lab, 0, 0).count, 64 + 4);
	o->at_lock = free_late;
	pagus_drain_cpu(&o->lab.p, 0);
	assert_int_equal(unit_pcp(&o->lab, 0, 0).remote_pages, NR_OF(late));
	assert_int_equal(unit_pcp(&o->lab, 0, 0).count, 0);
	assert_int_equal(owners_page(o, four).kind, PAGUS_PAGE_FREE);
	owners_close(o);
}

static void check_16_15_cpus_go_and_come(void **state)
{
	struct owners *o = owners_boot(*state, 32768, 4, 512, 8192);
	uint64_t seed = unit_seed();
	pagus_pfn_t pfns[8192];

	for (uint32_t round = 0; round < 10; round++) {
		uint32_t cpu = 1 + round % 3;

		owners_take(o, cpu, pfns, NR_OF(pfns));
		owners_shuffle(pfns, NR_OF(pfns), &seed);
		o->pcps_taken = true;
		owners_give(o, 0, pfns, 300);
		o->pcps_taken = false;
		owners_give(o, 0, pfns + 300, 4000);
		owners_on(o, 0);
		assert_int_equal(pagus_cpu_down(&o->lab.p, cpu), PAGUS_OK);
		unit_check(&o->lab);
		o->pcps_taken = round % 2;
		owners_give(o, 0, pfns + 4300, NR_OF(pfns) - 4300);
		o->pcps_taken = false;
		assert_int_equal(unit_pcp(&o->lab, 0, cpu).count, 0);
		assert_int_equal(unit_pcp(&o->lab, 0, cpu).remote_pages, 0);
		pagus_drain_all(&o->lab.p);
		assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], 32);
		assert_int_equal(pagus_cpu_up(&o->lab.p, cpu), PAGUS_OK);
		unit_limits(&o->lab, 0, 512, 8192, 8192);
	}
	owners_close(o);
}

/* An interrupt at the n-th lock frees a page of the same owner. */
static struct {
	uint32_t at;
	pagus_pfn_t pfn;
} interrupt;

static void free_in_interrupt(struct owners *o, enum pagus_lock_class cls)
{
	(void)cls;
	if (o->lab.sim.pins > 1 || interrupt.at == 0 || --interrupt.at)
		return;
	assert_int_equal(pagus_free_nolock(&o->lab.p, interrupt.pfn, 0), PAGUS_OK);
}

static void check_16_17_interrupts_free_to_the_same_owner(void **state)
{
	for (uint32_t at = 1; at < 180; at++) {
		struct owners *o = owners_boot(*state, 8192, 1, 512, 1024);
		pagus_pfn_t pfns[1500];

		interrupt.pfn = owners_alloc(o, 0, GFP_USER_PAGE, 0);
		interrupt.at = at * 16;
		o->at_lock = free_in_interrupt;
		owners_take(o, 0, pfns, NR_OF(pfns));
		owners_give(o, 0, pfns, NR_OF(pfns));
		pagus_drain_all(&o->lab.p);
		o->at_lock = NULL;
		assert_int_equal(interrupt.at, 0);
		pagus_drain_all(&o->lab.p);
		/* What found the zone's lock taken too waits for the next free into the zone. */
		assert_int_equal(unit_zone(&o->lab, 0).free_pages +
				 unit_zone(&o->lab, 0).deferred_pages, 8192);
		owners_close(o);
	}
}

/* Once: the buddy comes to the pcp, and all of the pcp goes to the zone. */
static void free_buddy_and_drain(struct owners *o, enum pagus_lock_class cls)
{
	if (cls != PAGUS_LOCK_PCP)
		return;
	o->unlocked = NULL;
	assert_int_equal(pagus_free_pages(&o->lab.p, interrupt.pfn, 0), PAGUS_OK);
	pagus_drain_all(&o->lab.p);
}

/* A page that has left its list and is not handed out yet is no buddy for others. */
static void check_16_17_a_popped_block_merges_with_nothing(void **state)
{
	struct owners *o = owners_boot(*state, 8192, 1, 512, 1024);
	pagus_pfn_t pfns[2];

	owners_take(o, 0, pfns, NR_OF(pfns));
	assert_true(pfns[1] == (pfns[0] ^ 1));
	owners_free(o, 0, pfns[0], 0);
	interrupt.pfn = pfns[1];
	o->unlocked = free_buddy_and_drain;
	assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) == pfns[0]);
	unit_check(&o->lab);
	assert_int_equal(unit_zone(&o->lab, 0).pcp_pages, 0);
	assert_int_equal(unit_zone(&o->lab, 0).free_pages, 8191);
	assert_int_equal(owners_page(o, pfns[1]).kind, PAGUS_PAGE_FREE);
	owners_close(o);
}

static void check_16_19_drains_are_exact(void **state)
{
	struct owners *o = owners_boot("pcpbuddy", 32768, 2, 63, 16384);
	pagus_pfn_t pfns[4096];

	(void)state;
	for (uint32_t pages = 1; pages < 3000; pages += 97) {
		uint32_t before, released;

		owners_take(o, 0, pfns, NR_OF(pfns));
		for (uint32_t n = 0; n < NR_OF(pfns); n++)
			if (n % 1000)
				owners_free(o, 1, pfns[n], 0);
		owners_on(o, 0);
		before = unit_pcp(&o->lab, 0, 0).count;
		assert_true(before >= pages);
		pagus_step_drain(&o->lab.p, 0, 0, pages, 0);
		released = before - unit_pcp(&o->lab, 0, 0).count;
		assert_true(released < pages + BLOCK);
		for (uint32_t n = 0; n < NR_OF(pfns); n += 1000)
			owners_free(o, 1, pfns[n], 0);
		pagus_drain_all(&o->lab.p);
	}
	owners_close(o);
}

static void check_16_20_invariants_under_mixed_traffic(void **state)
{
	struct owners *o = owners_boot(*state, 16384, 4, 63, 2048);
	struct { pagus_pfn_t pfn; uint32_t order; } held[3000];
	uint64_t seed = unit_seed();
	uint32_t nr = 0;

	for (uint32_t n = 0; n < 60000; n++) {
		uint32_t at = (uint32_t)lab_random(&seed, NR_OF(held));

		owners_on(o, (uint32_t)lab_random(&seed, 4));
		o->pcps_taken = lab_random(&seed, 8) == 0;
		if (at >= nr && nr < NR_OF(held)) {
			held[nr].order = (uint32_t)lab_random(&seed, 1 + lab_random(&seed, 10));
			nr += pagus_alloc_pages(&o->lab.p, unit_gfp((uint32_t)lab_random(&seed, 3)),
						held[nr].order, &held[nr].pfn) == PAGUS_OK;
		} else if (at < nr) {
			unit_free(&o->lab, held[at].pfn, held[at].order);
			held[at] = held[--nr];
		}
		if (n % 1000 == 0)
			pagus_tick(&o->lab.p);
		if (n % 200 == 0)
			unit_check(&o->lab);
	}
	o->pcps_taken = false;
	while (nr--)
		unit_free(&o->lab, held[nr].pfn, held[nr].order);
	pagus_drain_all(&o->lab.p);
	assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], 16);
	owners_close(o);
}

/* Record of the owner, and 33 lists instead of 14 for one CPU. */
static void check_16_22_metadata(void **state)
{
	const struct pagus_range range = { 0, 1u << 22, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config owned = lab_config(&range, 1, "pcpbuddy");
	const struct pagus_config classic = lab_config(&range, 1, "linux");

	(void)state;
	assert_true(pagus_sizeof(&owned) - pagus_sizeof(&classic) <= 40 * (range.nr_pages / BLOCK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_16_05_degradation),
		cmocka_unit_test(check_16_05_no_whole_pageblock),
		cmocka_unit_test(check_16_06_order_of_phases),
		cmocka_unit_test(check_16_07_type_filter),
		OWNERS_BOTH(check_16_08_splitting),
		cmocka_unit_test(check_16_09_routing),
		OWNERS_BOTH(check_16_10_reassembly),
		cmocka_unit_test(check_16_11_partial_drain),
		cmocka_unit_test(check_16_12_completion_in_the_zone),
		OWNERS_BOTH(check_16_14_isolation),
		cmocka_unit_test(check_16_14_a_drain_leaves_nothing_that_was_there),
		OWNERS_BOTH(check_16_15_cpus_go_and_come),
		OWNERS_BOTH(check_16_17_interrupts_free_to_the_same_owner),
		OWNERS_BOTH(check_16_17_a_popped_block_merges_with_nothing),
		cmocka_unit_test(check_16_19_drains_are_exact),
		OWNERS_BOTH(check_16_20_invariants_under_mixed_traffic),
		cmocka_unit_test(check_16_22_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
