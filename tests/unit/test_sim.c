/* SPDX-License-Identifier: MIT */
/* The virtual-CPU port: what its ledger counts, and the order in which the library takes locks. */
#include "unit/unit.h"

static const struct pagus_range zone_4096 = { 0, 4096, 0, PAGUS_ZONE_BY_CEILING };

static void boot(struct lab *lab, const char *policy)
{
	struct pagus_config cfg = lab_config(&zone_4096, 1, policy);

	cfg.nr_cpus = 2;
	unit_boot(lab, &cfg);
	unit_limits(lab, 0, 4, 16, 16);
	pagus_sim_init(&lab->sim, 2);
}

static void expect_ledger(const struct lab *lab, enum pagus_lock_class cls,
			  enum pagus_lock_reason why, uint64_t acquisitions, uint64_t work,
			  uint64_t max_work)
{
	const struct pagus_sim_ledger *row = &lab->sim.ledger[cls][why];

	assert_int_equal(row->acquisitions, acquisitions);
	assert_int_equal(row->work, work);
	assert_int_equal(row->max_work, max_work);
}

static void a_hand_over_locks_the_zone_once_a_block(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "linux");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_boot_free(&lab.p, 0, 7), PAGUS_OK); /* 4 + 2 + 1 pages */
	expect_ledger(&lab, PAGUS_LOCK_ZONE, PAGUS_REASON_HAND_OVER, 3, 3, 1);
	unit_close(&lab);
}

static void a_refill_is_one_hold(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	for (uint32_t n = 0; n < 4; n++)
		unit_alloc(&lab, GFP_USER_PAGE, 0);
	expect_ledger(&lab, PAGUS_LOCK_PCP, PAGUS_REASON_PCP_ALLOC, 4, 0, 0);
	/* Page 0: one removal and ten halves inserted. Page 1: a removal. Page 2: a removal and a
	 * half. Page 3. */
	expect_ledger(&lab, PAGUS_LOCK_ZONE, PAGUS_REASON_REFILL, 1, 11 + 1 + 2 + 1, 15);
	assert_int_equal(pagus_sim_total(&lab.sim, PAGUS_LOCK_ZONE).acquisitions, 1);
	unit_close(&lab);
}

static void without_pcps_every_call_locks_the_zone(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "nopcp");
	for (uint32_t n = 0; n < 4; n++)
		unit_alloc(&lab, GFP_USER_PAGE, 0);
	expect_ledger(&lab, PAGUS_LOCK_ZONE, PAGUS_REASON_ALLOC_DIRECT, 4, 15, 11);
	unit_free(&lab, 0, 0);
	unit_free(&lab, 1, 0);
	/* An insertion; then the buddy removed and the pair inserted. */
	expect_ledger(&lab, PAGUS_LOCK_ZONE, PAGUS_REASON_FREE_DIRECT, 2, 3, 2);
	assert_int_equal(pagus_sim_total(&lab.sim, PAGUS_LOCK_PCP).acquisitions, 0);
	unit_close(&lab);
}

static void drains_are_told_apart_by_reason(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	for (uint32_t n = 0; n < 24; n++)
		unit_alloc(&lab, GFP_USER_PAGE, 0);
	for (uint32_t n = 0; n < 16; n++)
		unit_free(&lab, n, 0);
	assert_int_equal(lab.sim.ledger[PAGUS_LOCK_PCP][PAGUS_REASON_PCP_FREE].acquisitions, 16);
	/* Twelve pages in pieces of a batch of four. */
	assert_int_equal(lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_OVERFLOW].acquisitions, 3);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, 4);
	pagus_sim_on(&lab.sim, 1, 0);
	pagus_drain_all(&lab.p);
	/* One pcp held pages: it alone is locked. */
	assert_int_equal(lab.sim.ledger[PAGUS_LOCK_PCP][PAGUS_REASON_PCP_DRAIN].acquisitions, 1);
	assert_int_equal(lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_DRAIN].acquisitions, 1);
	unit_close(&lab);
}

static void a_total_sums_over_reasons(void **state)
{
	struct pagus_sim sim;
	struct pagus_sim_ledger sum;

	(void)state;
	pagus_sim_init(&sim, 1);
	sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_REFILL] = (struct pagus_sim_ledger){ 2, 10, 7 };
	sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_DRAIN] = (struct pagus_sim_ledger){ 3, 20, 9 };
	sim.ledger[PAGUS_LOCK_PCP][PAGUS_REASON_DRAIN] = (struct pagus_sim_ledger){ 100, 100, 100 };
	sum = pagus_sim_total(&sim, PAGUS_LOCK_ZONE);
	assert_int_equal(sum.acquisitions, 5);
	assert_int_equal(sum.work, 30);
	assert_int_equal(sum.max_work, 9);
}

static void the_clock_does_not_go_back(void **state)
{
	struct pagus_sim sim;

	(void)state;
	pagus_sim_init(&sim, 3);
	pagus_sim_on(&sim, 2, 100);
	assert_int_equal(sim.cpu, 2);
	pagus_sim_on(&sim, 1, 50);
	assert_int_equal(sim.cpu, 1);
	assert_int_equal(sim.now, 100);
}

static void the_nth_trylock_fails_once(void **state)
{
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	unit_alloc(&lab, GFP_USER_PAGE, 0);
	lab.sim.trylock_fail_at = 2;
	for (uint32_t n = 0; n < 3; n++)
		unit_alloc(&lab, GFP_USER_PAGE, 0);
	assert_int_equal(lab.sim.trylock_fail_at, 0);
	assert_int_equal(lab.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_ALLOC_DIRECT].acquisitions,
			 1);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_pcp_alloc_hit), 2);
	unit_close(&lab);
}

/*
 * ---- a port that watches the order of calls
 * -------------------------------------------------------
 */

struct watcher {
	char calls[256]; /* ( ) pin and unpin, p P pcp lock and unlock, z Z zone */
	uint32_t nr;
};

static void note(struct watcher *w, char call)
{
	assert_true(w->nr < sizeof(w->calls) - 1);
	w->calls[w->nr++] = call;
	w->calls[w->nr] = '\0';
}

static uint32_t watch_pin(void *ctx)
{
	note(ctx, '(');
	return 0;
}

static void watch_unpin(void *ctx)
{
	note(ctx, ')');
}

static void watch_lock(void *ctx, enum pagus_lock_class cls, uint32_t index,
		       enum pagus_lock_reason why)
{
	(void)index;
	(void)why;
	note(ctx, cls == PAGUS_LOCK_PCP ? 'p' : 'z');
}

static bool watch_trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
			  enum pagus_lock_reason why)
{
	watch_lock(ctx, cls, index, why);
	return true;
}

static void watch_unlock(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work)
{
	(void)index;
	(void)work;
	note(ctx, cls == PAGUS_LOCK_PCP ? 'P' : 'Z');
}

static const struct pagus_port watch_port = {
	.cpu_pin = watch_pin, .cpu_unpin = watch_unpin,
	.lock = watch_lock, .trylock = watch_trylock, .unlock = watch_unlock,
};

static void expect_calls(struct watcher *w, const char *want)
{
	assert_string_equal(w->calls, want);
	*w = (struct watcher){ .nr = 0 };
}

static void locks_nest_pcp_then_zone_inside_a_pin(void **state)
{
	struct watcher w = { .nr = 0 };
	struct lab lab;

	(void)state;
	boot(&lab, "linux");
	lab.p.port = &watch_port;
	lab.p.port_ctx = &w;
	unit_alloc(&lab, GFP_USER_PAGE, 0);
	expect_calls(&w, "(pzZP)");
	unit_alloc(&lab, GFP_USER_PAGE, 0);
	expect_calls(&w, "(pP)");
	unit_free(&lab, 1, 0);
	expect_calls(&w, "(pP)");
	unit_free(&lab, unit_alloc(&lab, GFP_USER_PAGE, 5), 5);
	expect_calls(&w, "(zZ)(zZ)");
	assert_int_equal(pagus_drain_cpu(&lab.p, 0), PAGUS_OK);
	expect_calls(&w, "(pzZP)");
	assert_int_equal(pagus_drain_cpu(&lab.p, 0), PAGUS_OK);
	expect_calls(&w, "()");
	assert_int_equal(pagus_free_pages(&lab.p, 99999, 0), PAGUS_BAD_RANGE);
	expect_calls(&w, "()");
	assert_int_equal(pagus_split_pages(&lab.p, 0, 0, 0), PAGUS_OK);
	expect_calls(&w, "()");
	lab.p.port = &pagus_sim_port;
	lab.p.port_ctx = &lab.sim;
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hand_over_locks_the_zone_once_a_block),
		cmocka_unit_test(a_refill_is_one_hold),
		cmocka_unit_test(without_pcps_every_call_locks_the_zone),
		cmocka_unit_test(drains_are_told_apart_by_reason),
		cmocka_unit_test(a_total_sums_over_reasons),
		cmocka_unit_test(the_clock_does_not_go_back),
		cmocka_unit_test(the_nth_trylock_fails_once),
		cmocka_unit_test(locks_nest_pcp_then_zone_inside_a_pin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
