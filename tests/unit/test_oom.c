/* SPDX-License-Identifier: MIT */
/* The OOM killer: for whom it is asked, what it is told, and that no victim holds anybody up. */
#include "unit/world.h"

static const struct pagus_range range = { 0, 4096, 0, PAGUS_ZONE_BY_CEILING };

static struct world *full(uint32_t nr_victim)
{
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct world *w = world_boot(&cfg);

	world_marks(w, 0, 0, 0);
	world_fill(w, 0, nr_victim);
	w->port.reclaim = NULL;
	return w;
}

static void a_kill_serves_the_request(void **state)
{
	struct world *w = full(100);

	(void)state;
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	world_expect_diary(w, "wOv");
	assert_int_equal(w->last_oom.order, 0);
	assert_int_equal(w->last_oom.constraint, PAGUS_OOM_UNCONSTRAINED);
	assert_int_equal(w->task_seen, PAGUS_TASK_MEMALLOC);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_oom_kill), 1);
	world_close(w);
}

static void nobody_is_killed_where_it_would_not_help(void **state)
{
	static const struct {
		uint32_t gfp, order, task;
	} rows[] = {
		{ GFP_ATOMIC, 0, 0 },
		{ GFP_KERNEL | __GFP_NORETRY, 0, 0 },
		{ GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0, 0 },
		{ GFP_KERNEL | __GFP_THISNODE, 0, 0 },
		{ GFP_KERNEL | __GFP_RETRY_MAYFAIL, 4, 0 },
		{ GFP_KERNEL, 0, PAGUS_TASK_DUMPCORE },
		{ GFP_KERNEL, 0, PAGUS_TASK_MEMALLOC },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct world *w = full(100);

		w->task = rows[n].task;
		assert_int_equal(world_ask(w, rows[n].gfp, rows[n].order).status, PAGUS_NO_MEMORY);
		assert_null(strchr(w->diary, 'O'));
		world_close(w);
	}
}

/* A kill for a request that only lower zones serve would rarely free one of their pages. */
static void nobody_is_killed_for_the_lowest_zones(void **state)
{
	static const struct pagus_range zones = { 0, 2048, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&zones, 1, "linux");
	struct world *w;

	(void)state;
	cfg.dma32_ceiling = 1024;
	w = world_boot(&cfg);
	world_marks(w, 0, 0, 0);
	world_marks(w, 1, 0, 0);
	world_fill(w, 0, 100);
	world_refused(w, GFP_KERNEL | __GFP_DMA32, 0, PAGUS_REFUSED_NO_PROGRESS);
	assert_null(strchr(w->diary, 'O'));
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	assert_non_null(strchr(w->diary, 'O'));
	world_close(w);
}

/* Without __GFP_FS reclaim has not shown what it can do: the request waits for others instead. */
static void requests_without_the_file_system_kill_nobody(void **state)
{
	struct world *w = full(100);

	(void)state;
	world_refused(w, GFP_NOFS, 0, PAGUS_REFUSED_ROUNDS);
	assert_null(strchr(w->diary, 'O'));
	assert_non_null(strchr(w->diary, 'v'));
	world_close(w);
}

/* Nor do tasks that are on their way out: they use the victims' reserve themselves. */
static void a_dying_task_is_its_own_victim(void **state)
{
	struct world *w = full(100);

	(void)state;
	w->task = PAGUS_TASK_EXITING;
	world_refused(w, GFP_KERNEL, 0, PAGUS_REFUSED_ROUNDS);
	assert_null(strchr(w->diary, 'O'));
	world_close(w);
}

/* The victim gets half of what others must leave. */
static void property_20_a_victim_uses_half_of_the_min_mark(void **state)
{
	struct world *w = full(0);

	(void)state;
	for (uint32_t n = 0; n < 101; n++)
		unit_free(&w->lab, n, 0);
	pagus_drain_all(&w->lab.p);
	unit_limits(&w->lab, 0, 1, 0, 0);
	world_marks(w, 0, 100, 1);
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	world_refused(w, GFP_KERNEL, 0, PAGUS_REFUSED_NO_PROGRESS);
	w->task = PAGUS_TASK_OOM_VICTIM;
	while (world_ask(w, GFP_KERNEL, 0).status == PAGUS_OK)
		;
	assert_int_equal(unit_zone(&w->lab, 0).free_pages, 50);
	/* The victim's right takes the place of all others. */
	world_refused(w, GFP_KERNEL | __GFP_HIGH, 0, PAGUS_REFUSED_OOM_VICTIM);
	world_close(w);
}

/* A victim that never exits is a bound, not a hang. */
static void a_victim_in_flight_hangs_nobody(void **state)
{
	struct world *w = full(100);

	(void)state;
	w->victim_lingers = true;
	w->port.wait = NULL;
	world_refused(w, GFP_KERNEL, 0, PAGUS_REFUSED_ROUNDS);
	assert_true(unit_counter(&w->lab, PAGUS_COUNTER_oom_kill) <= 256);
	world_close(w);
}

static void a_victim_that_takes_its_time_is_waited_for(void **state)
{
	struct world *w = full(100);

	(void)state;
	w->victim_lingers = true;
	world_marks(w, 0, 20, 1);
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	assert_true(w->nr_victim < 80);
	world_close(w);
}

/* Another request has the killer's ear: wait for what comes of that. */
static void a_busy_oom_lock_counts_as_progress(void **state)
{
	struct world *w = full(100);

	(void)state;
	/* The trylocks of pcps come before it: fail each in turn until it is the OOM lock's. */
	for (uint32_t n = 1; n < 16; n++) {
		w->nr_diary = 0;
		w->lab.sim.trylock_fail_at = n;
		assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
		w->lab.sim.trylock_fail_at = 0;
		if (strstr(w->diary, "wvvwO"))
			break;
		while (w->nr_victim < 100)
			w->victim[w->nr_victim++] = unit_alloc(&w->lab, GFP_KERNEL, 0);
		world_close(w);
		w = full(100);
	}
	assert_non_null(strstr(w->diary, "wvvwO"));
	world_close(w);
}

/* What another kill has freed by now is taken only above the high mark, where it is plenty. */
static void before_a_kill_the_zones_are_walked_at_the_high_mark(void **state)
{
	struct world *w = full(100);

	(void)state;
	w->victim_lingers = true;
	world_marks(w, 0, 10, 30); /* high mark 70: when 71 pages are there no further kill is needed */
	assert_int_equal(world_ask(w, GFP_KERNEL | __GFP_NOMEMALLOC, 0).status, PAGUS_OK);
	assert_true(w->nr_diary > 0);
	world_close(w);
}

static void the_killer_is_told_whose_memory_counts(void **state)
{
	static const struct pagus_range nodes[] = {
		{ 0, 1024, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 1024, 1, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = lab_config(nodes, 2, "linux");
	struct world *w = world_boot(&cfg);
	struct pagus_request req = { .gfp = GFP_KERNEL };
	struct pagus_result res;

	(void)state;
	world_marks(w, 0, 0, 0);
	world_marks(w, 1, 0, 0);
	world_fill(w, 0, 0);
	pagus_alloc(&w->lab.p, &req, &res);
	assert_int_equal(w->last_oom.constraint, PAGUS_OOM_UNCONSTRAINED);
	req.nodemask = 3;
	pagus_alloc(&w->lab.p, &req, &res);
	assert_int_equal(w->last_oom.constraint, PAGUS_OOM_UNCONSTRAINED);
	req.nodemask = 2;
	pagus_alloc(&w->lab.p, &req, &res);
	assert_int_equal(w->last_oom.constraint, PAGUS_OOM_NODES);
	assert_int_equal(w->last_oom.nodemask, 2);
	req.nodemask = 0;
	w->port.mems_allowed = world_mems;
	w->mems = w->ancestor_mems = 1;
	pagus_alloc(&w->lab.p, &req, &res);
	assert_int_equal(w->last_oom.constraint, PAGUS_OOM_CPUSET);
	world_close(w);
}

/* ---- property 59 ----------------------------------------------------------------------------- */

#define REAP_WAITS 30 /* after so many waits a victim that has not died is given up */

/* A killer with a victim in flight at most: the first never dies, the second at once. */
static struct {
	uint32_t nr_asked, nr_kills, in_flight_since; /* in waits */
	uint32_t nr_waits;
	bool in_flight;
} killer;

static enum pagus_oom_answer kill_one(void *ctx, const struct pagus_oom *what)
{
	(void)what;
	killer.nr_asked++;
	if (killer.in_flight && killer.nr_waits - killer.in_flight_since < REAP_WAITS)
		return PAGUS_OOM_BUSY;
	killer.in_flight = killer.nr_kills++ == 0;
	killer.in_flight_since = killer.nr_waits;
	if (!killer.in_flight)
		world_bury(world_of(ctx), WORLD_ROOM);
	return PAGUS_OOM_KILLED;
}

static void count_wait(void *ctx, enum pagus_wait why)
{
	world_wait(ctx, why);
	killer.nr_waits += why == PAGUS_WAIT_OOM;
}

static struct world *with_killer(uint32_t nr_victim)
{
	struct world *w = full(nr_victim);

	memset(&killer, 0, sizeof(killer));
	w->port.oom = kill_one;
	w->port.wait = count_wait;
	return w;
}

/* 59. While a victim is in flight the request goes round and waits; then there is another. */
static void property_59_one_victim_in_flight(void **state)
{
	struct world *w = with_killer(100);

	(void)state;
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	assert_int_equal(killer.nr_kills, 2);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_oom_kill), 2);
	/* Once for each kill, and once for each answer that one is in flight. */
	assert_int_equal(killer.nr_asked, 1 + REAP_WAITS);
	assert_true(killer.nr_waits >= REAP_WAITS);
	world_close(w);
}

/* 59. What the victim itself asks for is served below the min mark, and kills nobody. */
static void property_59_a_victim_allocates_below_min(void **state)
{
	struct world *w = with_killer(0);

	(void)state;
	for (uint32_t n = 0; n < 80; n++)
		unit_free(&w->lab, n, 0);
	pagus_drain_all(&w->lab.p);
	unit_limits(&w->lab, 0, 1, 0, 0);
	world_marks(w, 0, 100, 1);
	world_refused(w, GFP_KERNEL | __GFP_NORETRY, 0, PAGUS_REFUSED_NORETRY);
	w->task = PAGUS_TASK_OOM_VICTIM;
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	assert_int_equal(killer.nr_asked, 0);
	world_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_serves_the_request),
		cmocka_unit_test(nobody_is_killed_where_it_would_not_help),
		cmocka_unit_test(nobody_is_killed_for_the_lowest_zones),
		cmocka_unit_test(requests_without_the_file_system_kill_nobody),
		cmocka_unit_test(a_dying_task_is_its_own_victim),
		cmocka_unit_test(property_20_a_victim_uses_half_of_the_min_mark),
		cmocka_unit_test(a_victim_in_flight_hangs_nobody),
		cmocka_unit_test(a_victim_that_takes_its_time_is_waited_for),
		cmocka_unit_test(a_busy_oom_lock_counts_as_progress),
		cmocka_unit_test(before_a_kill_the_zones_are_walked_at_the_high_mark),
		cmocka_unit_test(the_killer_is_told_whose_memory_counts),
		cmocka_unit_test(property_59_one_victim_in_flight),
		cmocka_unit_test(property_59_a_victim_allocates_below_min),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
