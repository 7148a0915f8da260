/* SPDX-License-Identifier: MIT */
/*
 * What besides zones and marks decides which node serves: cpusets, dirty limits; and how it is
 * counted.
 */
#include "unit/world.h"

#define PAGES 1024

static const struct pagus_range nodes[] = {
	{ 0, PAGES, 0, PAGUS_ZONE_BY_CEILING }, { PAGES, PAGES, 1, PAGUS_ZONE_BY_CEILING },
};

/* Two nodes, no marks; the task may use node 1 alone, its hardwalled ancestor both. */
static struct world *bound(void)
{
	const struct pagus_config cfg = lab_config(nodes, 2, "linux");
	struct world *w = world_boot(&cfg);

	lab_no_marks(&w->lab);
	w->port.mems_allowed = world_mems;
	w->mems = 2;
	w->ancestor_mems = 3;
	return w;
}

static struct pagus_result ask(struct world *w, uint32_t gfp, uint64_t nodemask)
{
	const struct pagus_request req = { .gfp = gfp, .node = 0, .nodemask = nodemask };
	struct pagus_result res;

	pagus_alloc(&w->lab.p, &req, &res);
	return res;
}

static void use_up(struct world *w, uint32_t node)
{
	const struct pagus_request req = { .gfp = GFP_NOWAIT | __GFP_THISNODE, .node = node,
					   .task = PAGUS_TASK_INTERRUPT };
	struct pagus_result res;

	pagus_drain_all(&w->lab.p);
	while (pagus_alloc(&w->lab.p, &req, &res) == PAGUS_OK)
		;
}

static void a_task_is_served_from_its_cpuset(void **state)
{
	struct world *w = bound();

	(void)state;
	assert_int_equal(ask(w, GFP_USER, 0).zone, 1);
	assert_int_equal(ask(w, GFP_KERNEL, 0).zone, 1);
	w->mems = 3;
	assert_int_equal(ask(w, GFP_USER, 0).zone, 0);
	world_close(w);
}

/* When it is empty: kernel pages may come from the ancestor's nodes, a user's may not. */
static void only_hardwalled_requests_stay_when_the_cpuset_is_empty(void **state)
{
	struct world *w = bound();

	(void)state;
	use_up(w, 1);
	assert_int_equal(ask(w, GFP_USER, 0).status, PAGUS_NO_MEMORY);
	assert_int_equal(ask(w, GFP_KERNEL, 0).zone, 0);
	w->ancestor_mems = 2;
	assert_int_equal(ask(w, GFP_KERNEL, 0).status, PAGUS_NO_MEMORY);
	world_close(w);
}

static void exceptions_from_a_cpuset(void **state)
{
	static const struct {
		uint32_t gfp, task;
		bool served;
	} rows[] = {
		{ GFP_USER, 0, false },
		{ GFP_USER, PAGUS_TASK_EXITING, false },
		{ GFP_KERNEL, PAGUS_TASK_EXITING, true },
		{ GFP_USER, PAGUS_TASK_OOM_VICTIM, true },
		{ GFP_USER, PAGUS_TASK_INTERRUPT, true },
		{ GFP_ATOMIC, 0, true },  /* cannot wait for its own nodes */
		{ GFP_NOWAIT, 0, false },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct world *w = bound();
		struct pagus_result res;

		w->ancestor_mems = 2;
		use_up(w, 1);
		w->task = rows[n].task;
		res = ask(w, rows[n].gfp, 0);
		if ((res.status == PAGUS_OK) != rows[n].served)
			fail_msg("row %zu", n);
		world_close(w);
	}
}

/* A caller's nodemask is checked against the cpuset node by node. */
static void a_nodemask_is_cut_by_the_cpuset(void **state)
{
	struct world *w = bound();

	(void)state;
	assert_int_equal(ask(w, GFP_USER, 3).zone, 1);
	assert_int_equal(ask(w, GFP_USER | __GFP_NORETRY, 1).status, PAGUS_NO_MEMORY);
	world_close(w);
}

static uint64_t growing_mems(void *ctx, bool ancestor)
{
	struct world *w = world_of(ctx);

	(void)ancestor;
	/* Someone widens the cpuset while the request is short. */
	return w->nr_diary ? 3 : 2;
}

static void a_request_begins_anew_when_its_cpuset_changes(void **state)
{
	struct world *w = bound();

	(void)state;
	use_up(w, 1);
	w->port.mems_allowed = growing_mems;
	w->nr_diary = 0;
	assert_int_equal(ask(w, GFP_USER, 0).zone, 0);
	world_close(w);
}

/* ---- dirty pages ----------------------------------------------------------------------------- */

/* 20 % of the free pages above the reserve and of the files' pages. */
static void pages_to_be_written_avoid_dirty_nodes(void **state)
{
	struct world *w = bound();
	uint64_t free, limit;

	(void)state;
	w->port.mems_allowed = NULL;
	w->port.node_usage = world_usage;
	free = unit_zone(&w->lab, 0).free_pages;
	limit = (free + 500) * 20 / 100;
	w->usage[0] = (struct pagus_node_usage){ .file_pages = 500, .dirty_pages = limit };
	assert_int_equal(ask(w, GFP_USER | __GFP_WRITE, 0).zone, 0);
	pagus_drain_all(&w->lab.p);
	free = unit_zone(&w->lab, 0).free_pages;
	w->usage[0].dirty_pages = (free + 500) * 20 / 100 + 1;
	assert_int_equal(ask(w, GFP_USER, 0).zone, 0);
	pagus_drain_all(&w->lab.p);
	w->usage[0].dirty_pages = (unit_zone(&w->lab, 0).free_pages + 500) * 20 / 100 + 1;
	assert_int_equal(ask(w, GFP_USER | __GFP_WRITE, 0).zone, 1);
	/* A real-time task may have a quarter more. */
	w->task = PAGUS_TASK_RT;
	assert_int_equal(ask(w, GFP_USER | __GFP_WRITE, 0).zone, 0);
	w->task = 0;
	/* Where all nodes are dirty, the slow path does not mind. */
	w->usage[0].dirty_pages = w->usage[1].dirty_pages = PAGES;
	assert_int_equal(ask(w, GFP_USER | __GFP_WRITE, 0).zone, 0);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_second_attempt) > 0, true);
	world_close(w);
}

/* ---- counters -------------------------------------------------------------------------------- */

static void numa_counters_tell_preference_and_place_apart(void **state)
{
	static const uint32_t cpu_node[] = { 0, 1 };
	struct pagus_config cfg = lab_config(nodes, 2, "linux");
	struct world *w;

	(void)state;
	cfg.nr_cpus = 2;
	cfg.cpu_node = cpu_node;
	w = world_boot(&cfg);
	world_marks(w, 0, 0, 0);
	world_marks(w, 1, 0, 0);
	assert_int_equal(ask(w, GFP_USER, 0).zone, 0);
	pagus_sim_on(&w->lab.sim, 1, 0);
	assert_int_equal(ask(w, GFP_USER, 0).zone, 0);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_numa_hit), 2);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_numa_local), 1);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_numa_other), 1);
	use_up(w, 0);
	assert_int_equal(ask(w, GFP_USER, 0).zone, 1);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_numa_miss), 1);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_numa_foreign), 1);
	world_close(w);
}

/* ---- property 64 ----------------------------------------------------------------------------- */

/*
 * 64. A hardwalled request never leaves the cpuset, unless it must not fail; __GFP_HIGH of who cannot
 * wait may.
 */
static void property_64_a_hardwall_holds(void **state)
{
	static const struct {
		uint32_t gfp;
		bool leaves;
	} rows[] = {
		{ GFP_USER, false },
		{ GFP_USER | __GFP_NOFAIL, true }, /* once nobody is left to kill */
		{ GFP_USER | __GFP_HIGH, false },
		{ GFP_USER | __GFP_RETRY_MAYFAIL, false },
		{ GFP_HIGHUSER_MOVABLE, false },
		{ GFP_NOWAIT | __GFP_HARDWALL, false },
		{ GFP_ATOMIC, true },
		{ GFP_ATOMIC | __GFP_HARDWALL, true },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct world *w = bound();
		uint64_t free_pages = unit_zone(&w->lab, 0).free_pages;

		use_up(w, 1);
		if ((ask(w, rows[n].gfp, 0).status == PAGUS_OK) != rows[n].leaves)
			fail_msg("row %zu", n);
		pagus_drain_all(&w->lab.p);
		assert_int_equal(unit_zone(&w->lab, 0).free_pages, free_pages - rows[n].leaves);
		world_close(w);
	}
}

static struct world *reclaimer;

/* Somebody widens the cpuset while reclaim looks for what to free, in vain. */
static uint64_t widen(void *ctx, const struct pagus_reclaim *how)
{
	(void)ctx;
	(void)how;
	world_note(reclaimer, 'R');
	reclaimer->mems = 3;
	return 0;
}

/* 64. A request that is about to fail looks whether its cpuset has changed, and begins anew. */
static void property_64_a_change_restarts_what_would_fail(void **state)
{
	static const uint32_t gfps[] = { GFP_USER | __GFP_NORETRY, GFP_USER | __GFP_RETRY_MAYFAIL,
					 GFP_USER };

	(void)state;
	for (size_t n = 0; n < NR_OF(gfps); n++) {
		struct world *w = bound();

		reclaimer = w;
		w->port.reclaim = widen;
		w->port.oom = NULL;
		use_up(w, 1);
		assert_int_equal(ask(w, gfps[n], 0).zone, 0);
		assert_true(w->nr_diary > 0);
		/* Where nothing changes it fails. */
		w->mems = 2;
		w->port.reclaim = world_reclaim;
		assert_int_equal(ask(w, gfps[n], 0).status, PAGUS_NO_MEMORY);
		world_close(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_is_served_from_its_cpuset),
		cmocka_unit_test(only_hardwalled_requests_stay_when_the_cpuset_is_empty),
		cmocka_unit_test(exceptions_from_a_cpuset),
		cmocka_unit_test(a_nodemask_is_cut_by_the_cpuset),
		cmocka_unit_test(a_request_begins_anew_when_its_cpuset_changes),
		cmocka_unit_test(pages_to_be_written_avoid_dirty_nodes),
		cmocka_unit_test(numa_counters_tell_preference_and_place_apart),
		cmocka_unit_test(property_64_a_hardwall_holds),
		cmocka_unit_test(property_64_a_change_restarts_what_would_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
