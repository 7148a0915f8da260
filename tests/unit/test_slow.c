/* SPDX-License-Identifier: MIT */
/* The slow path as a requester meets it: who reclaims, compacts, waits, and how it ends. */
#include "unit/world.h"

#define PAGES 4096

static const struct pagus_range range = { 0, PAGES, 0, PAGUS_ZONE_BY_CEILING };

/*
 * One zone of which nothing is free; `min` pages are the min mark, low and high a page above each.
 */
static struct world *full(const char *policy, uint32_t nr_cache, uint32_t nr_victim, uint64_t min)
{
	const struct pagus_config cfg = lab_config(&range, 1, policy);
	struct world *w = world_boot(&cfg);

	world_marks(w, 0, 0, 0);
	world_fill(w, nr_cache, nr_victim);
	world_marks(w, 0, min, 1);
	return w;
}

static void direct_reclaim_serves_who_may_wait(void **state)
{
	struct world *w = full("linux", 200, 0, 0);
	struct pagus_result res;

	(void)state;
	res = world_ask(w, GFP_KERNEL, 0);
	assert_int_equal(res.status, PAGUS_OK);
	assert_int_equal(res.refusal, PAGUS_REFUSED_NONE);
	assert_false(res.pfmemalloc);
	world_expect_diary(w, "R");
	assert_int_equal(w->cache_first, 32);
	assert_int_equal(w->last_reclaim.priority, 12);
	assert_int_equal(w->last_reclaim.nr_pages, 32);
	assert_true(w->last_reclaim.may_swap && w->last_reclaim.may_writepage);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_allocstall_normal), 1);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_pgsteal_direct), 32);
	world_close(w);
}

/* At rising urgency, and no further than priority 0. */
static void reclaim_that_finds_nothing_is_asked_thirteen_times(void **state)
{
	struct world *w = full("linux", 0, 0, 0);

	(void)state;
	world_refused(w, GFP_KERNEL | __GFP_NORETRY, 0, PAGUS_REFUSED_NORETRY);
	world_expect_diary(w, "RRRRRRRRRRRRR");
	assert_int_equal(w->last_reclaim.priority, 0);
	world_close(w);
}

/* What is reclaimed on another CPU's pcp list is drained, and found. */
static void reclaimed_pages_are_drained_from_all_pcps(void **state)
{
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct world *w = world_boot(&cfg);

	(void)state;
	world_marks(w, 0, 0, 0);
	world_fill(w, 32, 0);
	unit_limits(&w->lab, 0, 63, 1000, 1000);
	/* All 32 pages stay on a pcp list, where the mark does not see them. */
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	world_expect_diary(w, "R");
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_pcp_drain_pages), 32);
	world_close(w);
}

static void each_refusal_has_its_reason(void **state)
{
	static const struct {
		uint32_t gfp, order, task;
		enum pagus_refusal refusal;
	} rows[] = {
		{ GFP_ATOMIC, 0, 0, PAGUS_REFUSED_WOULD_BLOCK },
		{ GFP_NOWAIT, 3, 0, PAGUS_REFUSED_WOULD_BLOCK },
		{ GFP_KERNEL, 0, PAGUS_TASK_MEMALLOC, PAGUS_REFUSED_RECURSION },
		{ GFP_KERNEL | __GFP_NORETRY, 2, 0, PAGUS_REFUSED_NORETRY },
		{ GFP_KERNEL, 4, 0, PAGUS_REFUSED_COSTLY },
		{ GFP_KERNEL, 0, 0, PAGUS_REFUSED_NO_PROGRESS },
		{ GFP_KERNEL | __GFP_RETRY_MAYFAIL, 4, 0, PAGUS_REFUSED_NO_PROGRESS },
		{ GFP_NOIO | __GFP_RETRY_MAYFAIL, 4, 0, PAGUS_REFUSED_COSTLY },
		{ GFP_KERNEL | __GFP_NOMEMALLOC, 0, PAGUS_TASK_OOM_VICTIM,
		  PAGUS_REFUSED_OOM_VICTIM },
		{ GFP_KERNEL, 0, PAGUS_TASK_OOM_VICTIM, PAGUS_REFUSED_OOM_VICTIM },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct world *w = full("linux", 0, 0, 0);

		w->task = rows[n].task;
		world_refused(w, rows[n].gfp, rows[n].order, rows[n].refusal);
		assert_int_equal(w->task, rows[n].task);
		world_close(w);
	}
}

static void a_request_that_no_zone_may_serve_is_refused_at_once(void **state)
{
	struct world *w = full("linux", 0, 0, 0);
	const struct pagus_request req = { .gfp = GFP_KERNEL | __GFP_NOFAIL, .node = 0,
					   .nodemask = 2 };
	struct pagus_result res;

	(void)state;
	assert_int_equal(pagus_alloc(&w->lab.p, &req, &res), PAGUS_NO_MEMORY);
	assert_int_equal(res.refusal, PAGUS_REFUSED_NO_ZONE);
	world_expect_diary(w, "");
	world_close(w);
}

/* A compactor and a shrinker that promise what they do not keep cannot hold a request for ever. */
static void promises_end_after_256_rounds(void **state)
{
	struct world *w = full("linux", 0, 0, 0);
	uint64_t before;

	(void)state;
	w->claimed_progress = 32;
	w->claimed_reclaimable = 1000;
	before = unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds);
	world_refused(w, GFP_KERNEL, 0, PAGUS_REFUSED_ROUNDS);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds) - before, 257);
	world_close(w);
}

/* The same for an order above 3: progress does not count there. */
static void a_costly_request_is_retried_sixteen_times(void **state)
{
	const uint32_t gfp = GFP_KERNEL | __GFP_RETRY_MAYFAIL;
	struct world *w = full("linux-6.18", 0, 0, 0);
	uint64_t before;

	(void)state;
	/*
	 * Blocks of the order are there, in the reserve of a mark that reclaim seems able to reach.
	 */
	for (uint32_t n = 0; n < 512; n++)
		unit_free(&w->lab, 1024 + n, 0);
	pagus_drain_all(&w->lab.p);
	world_marks(w, 0, 512, 1);
	w->claimed_progress = 32;
	w->claimed_reclaimable = 1000;
	w->compact_result = PAGUS_COMPACT_COMPLETE;
	before = unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds);
	world_refused(w, gfp, 4, PAGUS_REFUSED_NO_PROGRESS);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds) - before, 17);
	world_close(w);
}

/* What is asked of the port, in order, by release and request. Every compaction fails. */
static void the_order_of_acts_is_the_release_s(void **state)
{
	static const struct {
		const char *policy;
		uint32_t gfp, order;
		enum pagus_compact_result result;
		const char *diary;
	} rows[] = {
		/* Up to 6.19 one early compaction, then rounds of reclaim before compaction. */
		{ "linux-6.18", GFP_KERNEL, 2, PAGUS_COMPACT_COMPLETE, "ARLwO" },
		{ "linux-6.12", GFP_KERNEL, 2, PAGUS_COMPACT_COMPLETE, "ARLwO" },
		{ "linux-6.1", GFP_KERNEL, 2, PAGUS_COMPACT_COMPLETE, "ARLwO" },
		{ "linux-6.18", GFP_USER_PAGE, 2, PAGUS_COMPACT_COMPLETE, "RLwO" },
		{ "linux-6.18", GFP_KERNEL, 4, PAGUS_COMPACT_COMPLETE, "ARL" },
		{ "linux-6.18", GFP_KERNEL | __GFP_NORETRY, 4, PAGUS_COMPACT_COMPLETE, "ARA" },
		{ "linux-6.18", GFP_KERNEL | __GFP_NORETRY, 4, PAGUS_COMPACT_DEFERRED, "A" },
		{ "linux-6.18", GFP_KERNEL | __GFP_NORETRY, 4, PAGUS_COMPACT_SKIPPED, "A" },
		{ "linux-6.18", GFP_KERNEL | __GFP_NORETRY | __GFP_THISNODE, 4,
		  PAGUS_COMPACT_COMPLETE, "A" },
		{ "linux-6.1", GFP_KERNEL | __GFP_NORETRY | __GFP_THISNODE, 4,
		  PAGUS_COMPACT_COMPLETE, "ARA" },
		/* From 7.0 on the first round compacts and does not reclaim. */
		{ "linux", GFP_KERNEL, 2, PAGUS_COMPACT_COMPLETE, "ARLwO" },
		{ "linux", GFP_KERNEL, 4, PAGUS_COMPACT_COMPLETE, "ARL" },
		{ "linux", GFP_KERNEL | __GFP_NORETRY, 4, PAGUS_COMPACT_COMPLETE, "ARA" },
		{ "linux", GFP_KERNEL | __GFP_NORETRY, 4, PAGUS_COMPACT_DEFERRED, "ARA" },
		{ "linux", GFP_KERNEL | __GFP_NORETRY | __GFP_THISNODE, 4,
		  PAGUS_COMPACT_COMPLETE, "A" },
		{ "linux", GFP_KERNEL | __GFP_NORETRY, 1, PAGUS_COMPACT_DEFERRED, "ARA" },
		{ "linux-6.18", GFP_KERNEL | __GFP_NORETRY, 1, PAGUS_COMPACT_DEFERRED, "ARL" },
		{ "linux", GFP_NOIO, 2, PAGUS_COMPACT_COMPLETE, "Rw" },
		{ "linux", GFP_KERNEL, 0, PAGUS_COMPACT_COMPLETE, "RwO" },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct world *w = full(rows[n].policy, 0, 0, 0);
		char shown[sizeof(w->diary)];
		uint32_t nr = 0;

		w->compact_result = rows[n].result;
		w->port.oom = rows[n].gfp & __GFP_FS ? world_oom : NULL;
		world_ask(w, rows[n].gfp, rows[n].order);
		/* Thirteen turns of one reclaim are one R. */
		for (uint32_t k = 0; k < w->nr_diary; k++)
			if (w->diary[k] != 'R' || k == 0 || w->diary[k - 1] != 'R')
				shown[nr++] = w->diary[k];
		shown[nr] = '\0';
		if (strcmp(shown, rows[n].diary))
			fail_msg("row %zu: %s, not %s", n, shown, rows[n].diary);
		world_close(w);
	}
}

/* While reclaim makes progress, compaction goes from light to full, and no further. */
static void compaction_grows_more_thorough(void **state)
{
	struct world *w = full("linux-6.18", 0, 0, 0);

	(void)state;
	w->claimed_progress = 32;
	w->compact_result = PAGUS_COMPACT_COMPLETE;
	world_refused(w, GFP_KERNEL, 1, PAGUS_REFUSED_NO_PROGRESS);
	world_expect_diary(w, "ARLwRFwO");
	world_close(w);
}

static void compaction_that_succeeds_in_vain_is_retried_sixteen_times(void **state)
{
	struct world *w = full("linux-6.18", 0, 0, 0);
	uint32_t nr[128] = { 0 };

	(void)state;
	w->claimed_progress = 32;
	w->compact_result = PAGUS_COMPACT_SUCCESS;
	world_refused(w, GFP_KERNEL, 1, PAGUS_REFUSED_NO_PROGRESS);
	for (uint32_t k = 0; k < w->nr_diary; k++)
		nr[(uint8_t)w->diary[k]]++;
	assert_int_equal(nr['A'], 1);
	assert_int_equal(nr['L'], 17);
	assert_int_equal(nr['F'], 17);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_compact_stall), 35);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_compact_fail), 35);
	world_close(w);
}

static void who_is_about_to_die_does_not_compact_again(void **state)
{
	struct world *w = full("linux-6.18", 0, 0, 0);

	(void)state;
	w->claimed_progress = 32;
	w->compact_result = PAGUS_COMPACT_SUCCESS;
	w->task = PAGUS_TASK_FATAL_SIGNAL;
	world_refused(w, GFP_KERNEL, 1, PAGUS_REFUSED_NO_PROGRESS);
	world_expect_diary(w, "ARLwO");
	world_close(w);
}

/* ---- recursion and scopes -------------------------------------------------------------------- */

/* A request made while the task reclaims may use everything, and never reclaims in turn. */
static void reclaim_does_not_recurse(void **state)
{
	struct world *w = full("linux", 100, 0, 0);

	(void)state;
	w->nested = true;
	world_refused(w, GFP_KERNEL | __GFP_NORETRY | __GFP_NOMEMALLOC, 9, PAGUS_REFUSED_NORETRY);
	assert_int_equal(w->task_seen, PAGUS_TASK_MEMALLOC);
	assert_int_equal(w->task, 0);
	assert_true(w->nr_diary > 0 && w->nr_diary <= 16);
	world_close(w);

	w = full("linux", 100, 0, 0);
	w->nested = true;
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	world_expect_diary(w, "R");
	assert_int_equal(w->nested_result.status, PAGUS_NO_MEMORY);
	assert_int_equal(w->nested_result.refusal, PAGUS_REFUSED_RECURSION);
	world_close(w);
}

static void who_frees_memory_ignores_watermarks(void **state)
{
	struct world *w = full("linux", 0, 0, 0);
	struct pagus_result res;

	(void)state;
	for (uint32_t n = 0; n < 8; n++)
		unit_free(&w->lab, n, 0);
	pagus_drain_all(&w->lab.p);
	world_marks(w, 0, 100, 1);
	world_refused(w, GFP_ATOMIC, 0, PAGUS_REFUSED_WOULD_BLOCK);
	w->task = PAGUS_TASK_MEMALLOC;
	res = world_ask(w, GFP_KERNEL, 0);
	assert_int_equal(res.status, PAGUS_OK);
	assert_true(res.pfmemalloc);
	/*
	 * In an interrupt the task that it has interrupted does not matter, in a softirq it does.
	 */
	w->task = PAGUS_TASK_MEMALLOC | PAGUS_TASK_INTERRUPT;
	world_refused(w, GFP_ATOMIC, 0, PAGUS_REFUSED_WOULD_BLOCK);
	w->task = PAGUS_TASK_MEMALLOC | PAGUS_TASK_INTERRUPT | PAGUS_TASK_SOFTIRQ;
	assert_int_equal(world_ask(w, GFP_ATOMIC, 0).status, PAGUS_OK);
	w->task = PAGUS_TASK_MEMALLOC;
	world_refused(w, GFP_KERNEL | __GFP_NOMEMALLOC, 0, PAGUS_REFUSED_RECURSION);
	w->task = 0;
	assert_int_equal(world_ask(w, GFP_KERNEL | __GFP_MEMALLOC, 0).status, PAGUS_OK);
	world_close(w);
}

static void a_right_to_reserves_drops_the_nodemask(void **state)
{
	static const struct pagus_range nodes[] = {
		{ 0, 1024, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 1024, 1, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = lab_config(nodes, 2, "linux");
	struct world *w = world_boot(&cfg);
	const struct pagus_request strict = { .gfp = GFP_NOWAIT, .nodemask = 1 };
	struct pagus_request freeing = strict;
	struct pagus_result res;

	(void)state;
	world_marks(w, 0, 0, 0);
	world_marks(w, 1, 0, 0);
	while (pagus_alloc(&w->lab.p, &strict, &res) == PAGUS_OK)
		;
	freeing.task = PAGUS_TASK_MEMALLOC;
	assert_int_equal(pagus_alloc(&w->lab.p, &freeing, &res), PAGUS_OK);
	assert_int_equal(res.zone, 1);
	world_close(w);
}

static void scopes_change_the_mask(void **state)
{
	struct world *w = full("linux", 0, 0, 0);

	(void)state;
	/* Without IO there is no compaction; without FS nobody is killed. */
	w->task = PAGUS_TASK_MEMALLOC_NOIO;
	world_refused(w, GFP_KERNEL | __GFP_NORETRY, 2, PAGUS_REFUSED_NORETRY);
	assert_int_equal(w->last_reclaim.gfp, GFP_NOIO | __GFP_NORETRY);
	w->task = PAGUS_TASK_MEMALLOC_NOFS;
	world_refused(w, GFP_KERNEL | __GFP_NORETRY, 2, PAGUS_REFUSED_NORETRY);
	assert_int_equal(w->last_reclaim.gfp, GFP_NOFS | __GFP_NORETRY);
	world_close(w);
}

/* A pinned page must not lie where only movable ones may. */
static void pinning_tasks_stay_out_of_the_movable_zone(void **state)
{
	static const struct pagus_range zones[] = {
		{ 0, 1024, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 1024, 0, PAGUS_ZONE_MOVABLE },
	};
	const struct pagus_config cfg = lab_config(zones, 2, "linux");
	struct world *w = world_boot(&cfg);
	struct pagus_page_info info;
	struct pagus_result res;

	(void)state;
	world_marks(w, 0, 0, 0);
	world_marks(w, 1, 0, 0);
	res = world_ask(w, GFP_HIGHUSER_MOVABLE, 0);
	assert_int_equal(unit_zone(&w->lab, res.zone).type, PAGUS_ZONE_MOVABLE);
	w->task = PAGUS_TASK_MEMALLOC_PIN;
	res = world_ask(w, GFP_HIGHUSER_MOVABLE, 0);
	assert_int_equal(unit_zone(&w->lab, res.zone).type, PAGUS_ZONE_NORMAL);
	assert_int_equal(pagus_page_info(&w->lab.p, res.pfn, &info), PAGUS_OK);
	assert_int_equal(info.request_type, PAGUS_UNMOVABLE);
	world_close(w);
}

/* ---- no-fail --------------------------------------------------------------------------------- */

static void a_request_that_must_not_fail_waits_until_it_is_served(void **state)
{
	struct world *w = full("linux", 0, 300, 0);

	(void)state;
	/* The victim's pages come one a wait; the high mark is far above the first of them. */
	world_marks(w, 0, 10, 1);
	w->victim_lingers = true;
	assert_int_equal(world_ask(w, GFP_NOFS | __GFP_NOFAIL, 0).status, PAGUS_OK);
	assert_true(unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds) > 1);
	world_close(w);
}

static void without_waiting_there_is_no_no_fail(void **state)
{
	struct world *w = full("linux", 0, 0, 0);

	(void)state;
	world_refused(w, GFP_ATOMIC | __GFP_NOFAIL, 0, PAGUS_REFUSED_WOULD_BLOCK);
	w->port.wait = NULL;
	world_refused(w, GFP_KERNEL | __GFP_NOFAIL, 0, PAGUS_REFUSED_NO_PROGRESS);
	world_close(w);
}

/* ---- charges --------------------------------------------------------------------------------- */

static void accounted_blocks_are_charged_and_uncharged(void **state)
{
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct world *w = world_boot(&cfg);
	struct pagus_result res;

	(void)state;
	world_marks(w, 0, 0, 0);
	res = world_ask(w, GFP_KERNEL, 0);
	unit_free(&w->lab, res.pfn, 0);
	world_expect_diary(w, "");
	res = world_ask(w, GFP_KERNEL_ACCOUNT, 1);
	world_expect_diary(w, "c");
	unit_free(&w->lab, res.pfn, 1);
	world_expect_diary(w, "u");
	/* The pages' next owner is charged by himself. */
	res = world_ask(w, GFP_KERNEL, 1);
	unit_free(&w->lab, res.pfn, 1);
	world_expect_diary(w, "");
	world_close(w);
}

/* The block has been taken by then: it is freed as any other. */
static void a_refused_charge_gives_the_block_back(void **state)
{
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct world *w = world_boot(&cfg);
	uint64_t before;

	(void)state;
	world_marks(w, 0, 0, 0);
	before = unit_zone(&w->lab, 0).free_pages + unit_zone(&w->lab, 0).pcp_pages;
	w->refuse_charge = true;
	world_refused(w, GFP_KERNEL_ACCOUNT, 2, PAGUS_REFUSED_NOT_CHARGED);
	world_expect_diary(w, "c");
	assert_int_equal(unit_zone(&w->lab, 0).free_pages + unit_zone(&w->lab, 0).pcp_pages, before);
	assert_int_equal(unit_counter(&w->lab, PAGUS_COUNTER_drop_charge), 1);
	world_close(w);
}

/* ---- property 58 ----------------------------------------------------------------------------- */

/* How often `what` stands in the diary; a run of R is one reclaim, at rising urgency. */
static uint32_t nr_acts(const struct world *w, char what)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < w->nr_diary; n++)
		nr += w->diary[n] == what && (what != 'R' || n == 0 || w->diary[n - 1] != 'R');
	return nr;
}

/*
 * 58. With __GFP_NORETRY at most one round that only compacts, and one that reclaims and compacts,
 * whatever either says that it has done; and nobody is killed.
 */
static void property_58_noretry_makes_two_rounds_at_most(void **state)
{
	static const char *const policies[] = { "linux", "linux-6.18", "linux-6.1", "pcpbuddy" };
	static const uint32_t gfps[] = { GFP_KERNEL, GFP_USER_PAGE, GFP_NOIO,
					 GFP_KERNEL | __GFP_THISNODE };
	const uint32_t nr_results = PAGUS_COMPACT_CONTENDED + 1;

	(void)state;
	for (uint32_t k = 0; k < NR_OF(policies) * NR_OF(gfps) * nr_results * 2; k++) {
		struct world *w = full(policies[k / (NR_OF(gfps) * nr_results * 2)], 0, 0, 0);
		const uint32_t gfp = gfps[k / (nr_results * 2) % NR_OF(gfps)] | __GFP_NORETRY;

		w->compact_result = (enum pagus_compact_result)(k / 2 % nr_results);
		w->claimed_progress = k % 2 ? 32 : 0;
		w->claimed_reclaimable = k % 2 ? 1000 : 0;
		for (uint32_t order = 0; order <= 9; order++) {
			uint64_t rounds = unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds);

			w->nr_diary = 0;
			assert_int_equal(world_ask(w, gfp, order).status, PAGUS_NO_MEMORY);
			rounds = unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds) - rounds;
			if (rounds > 2 || nr_acts(w, 'R') > 1 || nr_acts(w, 'O') > 0 ||
			    nr_acts(w, 'A') + nr_acts(w, 'L') + nr_acts(w, 'F') > 2)
				fail_msg("%u: order %u: %llu rounds, %s", k, order,
					 (unsigned long long)rounds, w->diary);
		}
		world_close(w);
	}
}

/*
 * 58. Row by row, for orders up to 3 and above: how often it goes round, and whether it kills. Costly
 * orders that are retried: a_costly_request_is_retried_sixteen_times.
 */
static void property_58_outcomes(void **state)
{
	enum { ONE, FEW, MANY, ALL };
	static const struct {
		uint32_t gfp, order;
		uint32_t rounds; /* FEW: two at most; MANY: more; ALL: as many as there may be */
		bool kills;
	} rows[] = {
		{ GFP_NOWAIT, 0, ONE, false }, { GFP_NOWAIT, 4, ONE, false },
		{ GFP_ATOMIC, 3, FEW, false }, { GFP_ATOMIC, 9, FEW, false }, /* the reserves */
		{ GFP_KERNEL | __GFP_NORETRY, 0, ONE, false },
		{ GFP_KERNEL | __GFP_NORETRY, 3, FEW, false },
		{ GFP_KERNEL | __GFP_NORETRY, 4, FEW, false },
		{ GFP_KERNEL, 0, ALL, true }, { GFP_KERNEL, 3, ALL, true },
		{ GFP_KERNEL, 4, FEW, false }, { GFP_KERNEL, 9, FEW, false },
		{ GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0, MANY, false },
		{ GFP_KERNEL | __GFP_RETRY_MAYFAIL, 3, MANY, false },
		{ GFP_KERNEL | __GFP_NOFAIL, 0, ALL, true },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct world *w = full("linux", 0, 100, 0);
		uint64_t rounds = unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds);
		bool fits;

		w->victim_lingers = true;
		w->port.wait = NULL; /* the victim never dies */
		w->claimed_reclaimable = 5000;
		w->claimed_progress = rows[n].rounds == MANY ? 1 : 0;
		w->compact_result = PAGUS_COMPACT_COMPLETE;
		assert_int_equal(world_ask(w, rows[n].gfp, rows[n].order).status, PAGUS_NO_MEMORY);
		rounds = unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds) - rounds;
		fits = rows[n].rounds == ONE ? rounds <= 1 :
		       rows[n].rounds == FEW ? rounds <= 2 :
		       rows[n].rounds == MANY ? rounds > 2 : rounds >= 256;
		if (!fits || (nr_acts(w, 'O') > 0) != rows[n].kills)
			fail_msg("row %zu: %llu rounds, %s", n, (unsigned long long)rounds, w->diary);
		world_close(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(direct_reclaim_serves_who_may_wait),
		cmocka_unit_test(reclaim_that_finds_nothing_is_asked_thirteen_times),
		cmocka_unit_test(reclaimed_pages_are_drained_from_all_pcps),
		cmocka_unit_test(each_refusal_has_its_reason),
		cmocka_unit_test(a_request_that_no_zone_may_serve_is_refused_at_once),
		cmocka_unit_test(promises_end_after_256_rounds),
		cmocka_unit_test(a_costly_request_is_retried_sixteen_times),
		cmocka_unit_test(the_order_of_acts_is_the_release_s),
		cmocka_unit_test(compaction_grows_more_thorough),
		cmocka_unit_test(compaction_that_succeeds_in_vain_is_retried_sixteen_times),
		cmocka_unit_test(who_is_about_to_die_does_not_compact_again),
		cmocka_unit_test(reclaim_does_not_recurse),
		cmocka_unit_test(who_frees_memory_ignores_watermarks),
		cmocka_unit_test(a_right_to_reserves_drops_the_nodemask),
		cmocka_unit_test(scopes_change_the_mask),
		cmocka_unit_test(pinning_tasks_stay_out_of_the_movable_zone),
		cmocka_unit_test(a_request_that_must_not_fail_waits_until_it_is_served),
		cmocka_unit_test(without_waiting_there_is_no_no_fail),
		cmocka_unit_test(accounted_blocks_are_charged_and_uncharged),
		cmocka_unit_test(a_refused_charge_gives_the_block_back),
		cmocka_unit_test(property_58_noretry_makes_two_rounds_at_most),
		cmocka_unit_test(property_58_outcomes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
