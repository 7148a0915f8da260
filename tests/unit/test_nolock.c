/* SPDX-License-Identifier: MIT */
/* Allocation and free that wait for no lock, and what is deferred where all are busy. */
#include <pagus/explain.h>

#include "unit/threads.h"
#include "unit/unit.h"

#include <sched.h>

static const struct pagus_range range = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };

static void open_lab(struct lab *lab, const char *policy)
{
	const struct pagus_config cfg = lab_config(&range, 1, policy);

	unit_boot(lab, &cfg);
	unit_limits(lab, 0, 4, 16, 16);
}

/* The sim's port, but the n-th trylock from now on and all behind it fail while `busy` says so. */
static bool busy[PAGUS_NR_LOCK_CLASSES];

static bool trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
		    enum pagus_lock_reason why)
{
	return !busy[cls] && pagus_sim_port.trylock(ctx, cls, index, why);
}

static void must_not_wait(void *ctx, enum pagus_lock_class cls, uint32_t index,
			  enum pagus_lock_reason why)
{
	(void)ctx;
	fail_msg("lock %d %u taken for %s", cls, index, pagus_lock_reason_name(why));
}

/* A port in which nothing can be waited for, for the time of one call. */
static struct pagus_port port;

static void begin_nolock(struct lab *lab, bool pcp_busy, bool zone_busy)
{
	port = pagus_sim_port;
	port.trylock = trylock;
	port.lock = must_not_wait;
	busy[PAGUS_LOCK_PCP] = pcp_busy;
	busy[PAGUS_LOCK_ZONE] = zone_busy;
	lab->p.port = &port;
}

static void end_nolock(struct lab *lab)
{
	lab->p.port = &pagus_sim_port;
	unit_check(lab);
}

static struct pagus_result alloc_nolock(struct lab *lab, uint32_t order, bool pcp_busy,
					bool zone_busy)
{
	struct pagus_result res;

	begin_nolock(lab, pcp_busy, zone_busy);
	pagus_alloc_nolock(&lab->p, PAGUS_NO_NODE, order, &res);
	end_nolock(lab);
	return res;
}

static void free_nolock(struct lab *lab, pagus_pfn_t pfn, uint32_t order, bool pcp_busy,
			bool zone_busy)
{
	begin_nolock(lab, pcp_busy, zone_busy);
	assert_int_equal(pagus_free_nolock(&lab->p, pfn, order), PAGUS_OK);
	end_nolock(lab);
}

static enum pagus_page_kind kind_of(const struct lab *lab, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	assert_int_equal(pagus_page_info(&lab->p, pfn, &info), PAGUS_OK);
	return info.kind;
}

static uint64_t deferred(const struct lab *lab)
{
	return unit_zone(lab, 0).deferred_pages;
}

/* ---- allocation ------------------------------------------------------------------------------ */

static void an_allocation_takes_the_locks_that_are_free(void **state)
{
	static const struct { bool pcp, zone; enum pagus_status first, second; } rows[] = {
		/* The first finds the pcp list empty; so does the second if it was not refilled. */
		{ false, false, PAGUS_OK, PAGUS_OK },
		{ true, false, PAGUS_OK, PAGUS_OK },
		{ false, true, PAGUS_NO_MEMORY, PAGUS_NO_MEMORY },
		{ true, true, PAGUS_NO_MEMORY, PAGUS_NO_MEMORY },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct pagus_result res;
		struct lab lab;

		open_lab(&lab, "linux");
		res = alloc_nolock(&lab, 1, rows[n].pcp, rows[n].zone);
		assert_int_equal(res.status, rows[n].first);
		assert_int_equal(res.refusal, res.status ? PAGUS_REFUSED_WOULD_BLOCK : 0);
		assert_true((res.pfn == PAGUS_NO_PFN) == (res.status != PAGUS_OK));
		assert_int_equal(unit_pcp(&lab, 0, 0).count > 0, !rows[n].pcp && !rows[n].zone);
		res = alloc_nolock(&lab, 1, rows[n].pcp, rows[n].zone);
		assert_int_equal(res.status, rows[n].second);
		unit_close(&lab);
	}
}

static void a_hit_needs_the_pcps_lock_alone(void **state)
{
	struct pagus_result res;
	struct lab lab;

	(void)state;
	open_lab(&lab, "linux");
	unit_alloc(&lab, GFP_KERNEL, 0);
	res = alloc_nolock(&lab, 0, false, true);
	assert_int_equal(res.status, PAGUS_OK);
	assert_true(res.from_pcp);
	unit_close(&lab);
}

static void each_trylock_in_turn_may_fail(void **state)
{
	(void)state;
	for (uint64_t fail_at = 1; fail_at <= 3; fail_at++) {
		struct pagus_result res;
		struct lab lab;

		open_lab(&lab, "linux");
		lab.sim.trylock_fail_at = fail_at;
		/*
		 * The pcp's lock is tried, then the zone's for a refill; where either is busy, the
		 * zone's for the block alone.
		 */
		assert_int_equal(pagus_alloc_nolock(&lab.p, 0, 0, &res), PAGUS_OK);
		assert_int_equal(lab.sim.trylock_fail_at, fail_at == 3);
		unit_close(&lab);
	}
}

static void only_orders_that_pcps_cache_are_served(void **state)
{
	static const char *const policies[] = { "linux", "nopcp" };

	(void)state;
	for (size_t n = 0; n < NR_OF(policies); n++) {
		struct lab lab;

		open_lab(&lab, policies[n]);
		for (uint32_t order = 0; order <= 40; order++) {
			bool small = order <= 3 || order == 9;

			assert_int_equal(alloc_nolock(&lab, order, false, false).status,
					 small ? PAGUS_OK : PAGUS_BAD_ORDER);
		}
		unit_close(&lab);
	}
}

static void it_respects_the_min_mark_and_has_no_rights(void **state)
{
	struct pagus_zone_seed seed = { .present = 8192, .managed = 8192, .pcp_batch = 1,
					.wmark = { 8191, 9000, 9000, 9000 } };
	struct lab lab;

	(void)state;
	open_lab(&lab, "nopcp");
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
	lab_listen(&lab, 1u << PAGUS_EVENT_ALLOC);
	assert_int_equal(alloc_nolock(&lab, 0, false, false).status, PAGUS_OK);
	assert_int_equal(alloc_nolock(&lab, 0, false, false).status, PAGUS_NO_MEMORY);
	/* Both are told of, and that no slow path has been gone. */
	assert_int_equal(lab.nr_events, 2);
	assert_int_equal(lab.log[0].a, PAGUS_GFP_NOLOCK);
	assert_int_equal(unit_event(&lab, 1, PAGUS_EVENT_ALLOC).b, PAGUS_NO_MEMORY);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_second_attempt), 0);
	unit_close(&lab);
}

static void its_one_walk_is_told(void **state)
{
	char text[32];
	struct pagus_event plan;
	struct lab lab;

	(void)state;
	open_lab(&lab, "nopcp");
	lab_listen(&lab, 1u << PAGUS_EVENT_PLAN | 1u << PAGUS_EVENT_ZONE_TRIED);
	assert_int_equal(alloc_nolock(&lab, 0, false, false).status, PAGUS_OK);
	assert_int_equal(lab.nr_events, 2);
	plan = unit_event(&lab, 0, PAGUS_EVENT_PLAN);
	assert_int_equal(plan.b, PAGUS_ZONE_NORMAL);
	assert_int_equal(plan.a, unit_event(&lab, 1, PAGUS_EVENT_ZONE_TRIED).a);
	pagus_alloc_flags_text(plan.a, text, sizeof(text));
	assert_string_equal(text, "WMARK_MIN|TRYLOCK");
	unit_close(&lab);
}

/* ---- free ------------------------------------------------------------------------------------ */

static void a_free_goes_where_a_lock_is_free(void **state)
{
	static const struct { bool pcp, zone; enum pagus_page_kind kind; } rows[] = {
		{ false, false, PAGUS_PAGE_PCP }, { false, true, PAGUS_PAGE_PCP },
		{ true, false, PAGUS_PAGE_FREE }, { true, true, PAGUS_PAGE_DEFERRED },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct lab lab;
		pagus_pfn_t pfn;

		open_lab(&lab, "linux");
		pfn = unit_alloc(&lab, GFP_KERNEL, 2);
		pagus_drain_all(&lab.p);
		unit_alloc(&lab, GFP_KERNEL, 2);
		lab_listen(&lab, 1u << PAGUS_EVENT_FREE);
		free_nolock(&lab, pfn, 2, rows[n].pcp, rows[n].zone);
		assert_int_equal(lab.nr_events, 1);
		assert_int_equal(kind_of(&lab, pfn), rows[n].kind);
		assert_int_equal(deferred(&lab), rows[n].kind == PAGUS_PAGE_DEFERRED ? 4 : 0);
		assert_int_equal(pagus_free_pages(&lab.p, pfn, 2), PAGUS_DOUBLE_FREE);
		assert_int_equal(pagus_free_nolock(&lab.p, pfn, 2), PAGUS_DOUBLE_FREE);
		assert_int_equal(pagus_put_pages(&lab.p, pfn + 1, 0), PAGUS_DOUBLE_FREE);
		unit_close(&lab);
	}
}

static void a_pcp_may_grow_above_its_limit_until_the_next_free(void **state)
{
	pagus_pfn_t pfns[30];
	struct lab lab;

	(void)state;
	open_lab(&lab, "linux");
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = unit_alloc(&lab, GFP_KERNEL, 0);
	pagus_drain_all(&lab.p);
	for (uint32_t n = 0; n < 29; n++)
		free_nolock(&lab, pfns[n], 0, false, true);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 29);
	unit_free(&lab, pfns[29], 0);
	assert_true(unit_pcp(&lab, 0, 0).count < 29);
	unit_close(&lab);
}

/* Blocks of order 4 never meet a pcp; 0 is the lowest of five that stand side by side. */
static void defer_five(struct lab *lab, pagus_pfn_t *pfns)
{
	for (uint32_t n = 0; n < 5; n++)
		pfns[n] = unit_alloc(lab, GFP_KERNEL, 4);
	/* Something between, so that nothing merges with the rest of the zone. */
	unit_alloc(lab, GFP_KERNEL, 4);
	for (uint32_t n = 0; n < 4; n++)
		free_nolock(lab, pfns[n], 4, true, true);
	assert_int_equal(deferred(lab), 64);
	assert_int_equal(unit_counter(lab, PAGUS_COUNTER_free_deferred), 4);
}

static void the_next_free_into_the_zone_takes_the_deferred_along(void **state)
{
	pagus_pfn_t pfns[5];
	struct lab lab;
	uint64_t free;

	(void)state;
	open_lab(&lab, "linux");
	defer_five(&lab, pfns);
	free = unit_zone(&lab, 0).free_pages;
	/* Neither an allocation nor a drain nor a free onto a pcp list does, nor a nolock one. */
	pagus_drain_all(&lab.p);
	unit_free(&lab, unit_alloc(&lab, GFP_KERNEL, 0), 0);
	free_nolock(&lab, unit_alloc(&lab, GFP_KERNEL, 5), 5, true, false);
	assert_int_equal(deferred(&lab), 64);
	unit_free(&lab, pfns[4], 4);
	assert_int_equal(deferred(&lab), 0);
	pagus_drain_all(&lab.p);
	assert_int_equal(unit_zone(&lab, 0).free_pages, free + 80);
	assert_int_equal(kind_of(&lab, pfns[3]), PAGUS_PAGE_TAIL);
	assert_int_equal(kind_of(&lab, pfns[0]), PAGUS_PAGE_FREE);
	unit_close(&lab);
}

static void the_last_deferred_is_freed_first_and_the_own_block_last(void **state)
{
	struct lab lab;
	pagus_pfn_t pfns[12];

	(void)state;
	open_lab(&lab, "nopcp");
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = unit_alloc(&lab, GFP_KERNEL, 0);
	/* Every other page, so that nothing merges: 0, 4, 8 put off in this order, then 2 freed. */
	for (uint32_t n = 0; n < 12; n += 4)
		free_nolock(&lab, pfns[n], 0, true, true);
	unit_free(&lab, pfns[2], 0);
	/* Each onto the head: the first one freed is the deepest. */
	unit_expect_list(&lab, 0, 0, PAGUS_UNMOVABLE, PFNS(2, 0, 4, 8));
	unit_close(&lab);
}

static void the_deferred_are_placed_as_the_block_that_takes_them_along(void **state)
{
	struct lab lab;
	pagus_pfn_t pfns[8], exact;

	(void)state;
	open_lab(&lab, "nopcp");
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = unit_alloc(&lab, GFP_KERNEL, 0);
	unit_free(&lab, pfns[6], 0);
	free_nolock(&lab, pfns[0], 0, true, true);
	free_nolock(&lab, pfns[2], 0, true, true);
	/* Of 8-11, page 11 is too much, and goes to the tail; the deferred before it. */
	assert_int_equal(pagus_alloc_exact(&lab.p, GFP_KERNEL, 3, &exact), PAGUS_OK);
	assert_int_equal(exact, 8);
	unit_expect_list(&lab, 0, 0, PAGUS_UNMOVABLE, PFNS(6, 2, 0, 11));
	unit_close(&lab);
}

/* One of several pageblocks waits as so many blocks, each of which holds until then what it held. */
static void a_block_of_several_pageblocks_is_put_off_too(void **state)
{
	static const char *const policies[] = { "pcpbuddy-bitmap", "superpageblock" };

	(void)state;
	for (uint32_t n = 0; n < 2 * NR_OF(policies); n++) {
		struct lab lab;
		pagus_pfn_t pfn;

		open_lab(&lab, policies[n / 2]);
		pfn = unit_alloc(&lab, n % 2 ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE, 10);
		free_nolock(&lab, pfn, 10, false, true);
		assert_int_equal(deferred(&lab), 1024);
		assert_int_equal(pagus_free_pages(&lab.p, pfn, 10), PAGUS_DOUBLE_FREE);
		pagus_drain_all(&lab.p);
		assert_int_equal(deferred(&lab), 0);
		unit_close(&lab);
	}
}

static void a_free_that_waits_for_nothing_drops_references_too(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_lab(&lab, "nopcp");
	pfn = unit_alloc(&lab, GFP_KERNEL, 2);
	assert_int_equal(pagus_get_page(&lab.p, pfn), PAGUS_OK);
	free_nolock(&lab, pfn, 2, true, true);
	assert_int_equal(deferred(&lab), 3);
	assert_int_equal(kind_of(&lab, pfn), PAGUS_PAGE_ALLOCATED);
	free_nolock(&lab, pfn, 0, true, true);
	assert_int_equal(deferred(&lab), 4);
	unit_close(&lab);
}

static void deferred_blocks_are_copied_with_the_state(void **state)
{
	pagus_pfn_t pfns[5];
	struct lab lab, copy = { 0 };

	(void)state;
	open_lab(&lab, "linux");
	defer_five(&lab, pfns);
	copy.mem = aligned_alloc(64, pagus_state_bytes(&lab.p));
	copy.log = NULL;
	pagus_sim_init(&copy.sim, 1);
	assert_int_equal(pagus_clone(&copy.p, copy.mem, pagus_state_bytes(&lab.p), &lab.p,
				     &pagus_sim_port, &copy.sim), PAGUS_OK);
	unit_free(&lab, pfns[4], 4);
	assert_int_equal(deferred(&copy), 64);
	unit_free(&copy, pfns[4], 4);
	assert_true(pagus_digest(&copy.p) == pagus_digest(&lab.p));
	unit_close(&lab);
	unit_close(&copy);
}

/* ---- in the middle of another call ----------------------------------------------------------- */

struct intruder {
	struct lab *lab;
	pagus_pfn_t held[64];
	uint32_t nr_held, granted, refused, freed;
};

/* As a probe on a tracepoint may: allocate and free wherever the call happens to be. */
static void intrude(void *ctx, const struct pagus_event *event)
{
	struct intruder *in = ctx;
	struct pagus_result res;
	static bool inside;

	(void)event;
	if (inside)
		return;
	inside = true;
	if (in->nr_held > 0) {
		assert_int_equal(pagus_free_nolock(&in->lab->p, in->held[--in->nr_held], 4),
				 PAGUS_OK);
		in->freed++;
	}
	if (pagus_alloc_nolock(&in->lab->p, 0, 0, &res) == PAGUS_OK) {
		in->granted++;
		assert_int_equal(pagus_free_nolock(&in->lab->p, res.pfn, 0), PAGUS_OK);
	} else {
		in->refused++;
	}
	inside = false;
}

static void it_may_come_in_the_middle_of_any_other_call(void **state)
{
	struct lab lab;
	struct intruder in = { .lab = &lab };
	pagus_pfn_t pfns[100];

	(void)state;
	open_lab(&lab, "linux");
	for (; in.nr_held < NR_OF(in.held); in.nr_held++)
		in.held[in.nr_held] = unit_alloc(&lab, GFP_KERNEL, 4);
	pagus_listen(&lab.p, intrude, &in, UNIT_ALL_EVENTS);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = unit_alloc(&lab, n % 3 ? GFP_KERNEL : GFP_USER_PAGE, n % 5);
	unit_check(&lab);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		unit_free(&lab, pfns[n], n % 5);
	pagus_drain_all(&lab.p);
	unit_check(&lab);
	assert_true(in.granted > 0 && in.refused > 0);
	assert_int_equal(in.freed, NR_OF(in.held));
	assert_true(unit_counter(&lab, PAGUS_COUNTER_free_deferred) > 0);
	pagus_listen(&lab.p, NULL, NULL, 0);
	unit_free(&lab, unit_alloc(&lab, GFP_KERNEL, 4), 4);
	pagus_drain_all(&lab.p);
	assert_int_equal(unit_zone(&lab, 0).free_pages, 8192);
	assert_int_equal(unit_zone(&lab, 0).nr_free[10], 8);
	unit_close(&lab);
}

/* ---- threads --------------------------------------------------------------------------------- */

#define NR_ROUNDS 20000

/* The lower half of the CPUs frees without waiting, the others as usual; no pcp helps. */
static void free_both_ways(struct worker *w)
{
	for (uint32_t n = 0; n < NR_ROUNDS; n++) {
		pagus_pfn_t pfn;

		if (pagus_alloc_pages(w->p, GFP_NOWAIT, n % 3, &pfn) != PAGUS_OK) {
			sched_yield(); /* all of it is deferred: somebody has to free */
			continue;
		}
		if (n % 7 == 0 && pagus_get_page(w->p, pfn) == PAGUS_OK)
			w->failures += pagus_put_pages(w->p, pfn, 0) != PAGUS_OK;
		if (w->cpu < NR_THREADS / 2)
			w->failures += pagus_free_nolock(w->p, pfn, n % 3) != PAGUS_OK;
		else
			w->failures += pagus_free_pages(w->p, pfn, n % 3) != PAGUS_OK;
	}
}

static void threads_lose_no_deferred_block(void **state)
{
	struct pagus_config cfg = lab_config(&range, 1, "nopcp");
	struct lab lab;

	(void)state;
	cfg.nr_cpus = NR_THREADS;
	unit_boot(&lab, &cfg);
	unit_limits(&lab, 0, 4, 16, 16);
	threads_run(&lab, free_both_ways, 0);
	unit_free(&lab, unit_alloc(&lab, GFP_KERNEL, 4), 4);
	assert_int_equal(unit_zone(&lab, 0).nr_free[10], 8);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allocation_takes_the_locks_that_are_free),
		cmocka_unit_test(a_hit_needs_the_pcps_lock_alone),
		cmocka_unit_test(each_trylock_in_turn_may_fail),
		cmocka_unit_test(only_orders_that_pcps_cache_are_served),
		cmocka_unit_test(it_respects_the_min_mark_and_has_no_rights),
		cmocka_unit_test(its_one_walk_is_told),
		cmocka_unit_test(a_free_goes_where_a_lock_is_free),
		cmocka_unit_test(a_pcp_may_grow_above_its_limit_until_the_next_free),
		cmocka_unit_test(the_next_free_into_the_zone_takes_the_deferred_along),
		cmocka_unit_test(the_last_deferred_is_freed_first_and_the_own_block_last),
		cmocka_unit_test(the_deferred_are_placed_as_the_block_that_takes_them_along),
		cmocka_unit_test(a_block_of_several_pageblocks_is_put_off_too),
		cmocka_unit_test(a_free_that_waits_for_nothing_drops_references_too),
		cmocka_unit_test(deferred_blocks_are_copied_with_the_state),
		cmocka_unit_test(it_may_come_in_the_middle_of_any_other_call),
		cmocka_unit_test(threads_lose_no_deferred_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
