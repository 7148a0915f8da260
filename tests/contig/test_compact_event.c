/* SPDX-License-Identifier: MIT */
/* What compaction tells of: in which order, and that it agrees with what it counts. */
#include "contig/compact.h"

#include "reclaim/kcompactd.h"

#define BIT(name) (UINT64_C(1) << PAGUS_EVENT_##name)
#define RUN_EVENTS                                                                                 \
	(BIT(COMPACT_BEGIN) | BIT(COMPACT_END) | BIT(COMPACT_SOURCES) | BIT(COMPACT_TARGETS) |    \
	 BIT(COMPACT_LISTED) | BIT(COMPACT_MOVED) | BIT(COMPACT_FINISHED))
#define ALL_EVENTS                                                                                 \
	(RUN_EVENTS | BIT(COMPACT_TRY) | BIT(COMPACT_SUITABLE) | BIT(COMPACT_DEFERRED) |           \
	 BIT(COMPACT_DEFER) | BIT(COMPACT_DEFER_RESET) | BIT(KCOMPACTD_SLEEP) |                    \
	 BIT(KCOMPACTD_WAKEUP) | BIT(KCOMPACTD_WAKE))

/* Sums over events, of which there may be more than one run's. */
struct sums {
	uint64_t scanned, isolated, free_scanned, taken, moved, failed, runs;
};

/* Runs begin and end in turn, and what they do they tell in between. */
static struct sums sum_up(const struct lab *lab)
{
	struct sums s = { 0 };
	uint32_t judged = PAGUS_COMPACT_WORD_CONTINUE;
	bool running = false;

	assert_true(lab->nr_events < LAB_LOG_EVENTS);
	for (uint32_t n = 0; n < lab->nr_events; n++) {
		const struct pagus_event *e = &lab->log[n];

		if (!(RUN_EVENTS >> e->id & 1))
			continue;
		assert_int_equal(running, e->id != PAGUS_EVENT_COMPACT_BEGIN);
		switch (e->id) {
		case PAGUS_EVENT_COMPACT_BEGIN:
			running = true;
			assert_true(e->pfn < e->other_pfn);
			break;
		case PAGUS_EVENT_COMPACT_END:
			running = false;
			s.runs++;
			/* It is what was judged last, unless it was given up, or served by its own frees. */
			if (judged != PAGUS_COMPACT_WORD_CONTINUE && judged != PAGUS_COMPACT_WORD_NO_SUITABLE_PAGE)
				assert_int_equal(e->b, judged);
			judged = PAGUS_COMPACT_WORD_CONTINUE;
			break;
		case PAGUS_EVENT_COMPACT_SOURCES:
			assert_true(e->pfn <= e->other_pfn);
			s.scanned += e->a;
			s.isolated += e->b;
			break;
		case PAGUS_EVENT_COMPACT_MOVED:
			s.moved += e->a;
			s.failed += e->b;
			break;
		case PAGUS_EVENT_COMPACT_FINISHED:
			judged = e->a;
			break;
		default:
			assert_true(e->pfn <= e->other_pfn);
			s.free_scanned += e->a;
			s.taken += e->b;
		}
	}
	assert_false(running);
	return s;
}

/* On the checkerboard, of which some pages cannot move. */
static void agree(const char *policy, uint32_t choice, enum pagus_migrate_mode mode)
{
	struct pagus_compaction stats;
	struct contig_lab l;
	struct sums s;

	compact_checkerboard(&l, policy);
	compact_mark(&l, 1, COMPACT_PAGES, 1024, PAGUS_TRAIT_PINNED);
	l.owner.move_fail_at = 70;
	l.owner.refusal = PAGUS_MOVE_NEVER;
	pagus_tunable_set(&l.lab.p, PAGUS_TUNABLE_compact_choice, choice);
	lab_listen(&l.lab, ALL_EVENTS);
	compact_zone(&l, 9, mode, &stats);
	s = sum_up(&l.lab);
	assert_int_equal(s.runs, 1);
	assert_true(s.moved > 0);
	assert_int_equal(s.scanned, stats.migrate_scanned);
	assert_int_equal(s.free_scanned, stats.free_scanned);
	assert_int_equal(s.moved, stats.moved);
	assert_int_equal(s.failed, stats.failed);
	assert_int_equal(s.scanned, unit_counter(&l.lab, PAGUS_COUNTER_compact_migrate_scanned));
	assert_int_equal(s.free_scanned, unit_counter(&l.lab, PAGUS_COUNTER_compact_free_scanned));
	assert_int_equal(s.isolated + s.taken, unit_counter(&l.lab, PAGUS_COUNTER_compact_isolated));
	assert_int_equal(s.moved, unit_counter(&l.lab, PAGUS_COUNTER_pgmigrate_success));
	assert_int_equal(s.failed, unit_counter(&l.lab, PAGUS_COUNTER_pgmigrate_fail));
	contig_close(&l);
}

static void test_sums_agree_with_counters(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(compact_policies); n++)
		for (uint32_t choice = 0; choice < 2; choice++) {
			agree(compact_policies[n], choice, PAGUS_MIGRATE_ASYNC);
			agree(compact_policies[n], choice, PAGUS_MIGRATE_SYNC);
		}
}

/* The next event after *n of those of `mask`; *n is past it. */
static const struct pagus_event *next(const struct lab *lab, uint32_t *n, uint64_t mask)
{
	while (*n < lab->nr_events && !(mask >> lab->log[*n].id & 1))
		++*n;
	assert_true(*n < lab->nr_events);
	return &lab->log[(*n)++];
}

/* A request says that it tries, the zone is worth it, and a run of it begins. */
static void test_a_request_compacts(void **context)
{
	const struct pagus_event *e;
	struct contig_lab l;
	uint32_t n = 0;

	(void)context;
	compact_checkerboard(&l, "linux");
	lab_listen(&l.lab, ALL_EVENTS);
	assert_int_equal(compact_ask(&l, GFP_HIGHUSER_MOVABLE, 4), PAGUS_OK);
	e = next(&l.lab, &n, ALL_EVENTS);
	assert_int_equal(e->id, PAGUS_EVENT_COMPACT_TRY);
	assert_int_equal(e->order, 4);
	e = next(&l.lab, &n, ALL_EVENTS);
	assert_int_equal(e->id, PAGUS_EVENT_COMPACT_SUITABLE);
	assert_int_equal(e->a, PAGUS_COMPACT_WORD_CONTINUE);
	e = next(&l.lab, &n, ALL_EVENTS);
	assert_int_equal(e->id, PAGUS_EVENT_COMPACT_BEGIN);
	e = next(&l.lab, &n, BIT(COMPACT_END));
	assert_int_equal(e->b, PAGUS_COMPACT_WORD_SUCCESS);
	e = next(&l.lab, &n, BIT(COMPACT_DEFER_RESET));
	/* No order has failed so far. */
	assert_int_equal(e->a, PAGUS_MAX_ORDER + 1);
	assert_int_equal(e->b, 1 << 16);
	sum_up(&l.lab);
	contig_close(&l);
}

/* In vain, again and again: refusals in between say how far they are. */
static void test_failures_defer(void **context)
{
	struct contig_lab l;
	uint32_t considered = 0, limit = 1, deferred = 0;

	(void)context;
	compact_checkerboard(&l, "linux");
	compact_mark(&l, 1, COMPACT_PAGES, 2, PAGUS_TRAIT_FIXED);
	lab_listen(&l.lab, ALL_EVENTS);
	for (uint32_t n = 0; n < 12; n++)
		compact_ask(&l, GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL, 9);
	for (uint32_t n = 0; n < l.lab.nr_events; n++) {
		const struct pagus_event *e = &l.lab.log[n];

		if (e->id == PAGUS_EVENT_COMPACT_DEFER) {
			limit = limit < 64 ? 2 * limit : 64;
			considered = 0;
			assert_int_equal(e->b, limit << 16);
		} else if (e->id == PAGUS_EVENT_COMPACT_DEFERRED) {
			deferred++;
			assert_int_equal(e->b, ++considered | limit << 16);
			assert_true(considered < limit);
		} else {
			continue;
		}
		assert_int_equal(e->order, 9);
		assert_int_equal(e->a, 9);
	}
	assert_true(deferred > 0);
	assert_int_equal(deferred, unit_counter(&l.lab, PAGUS_COUNTER_compact_deferred));
	sum_up(&l.lab);
	contig_close(&l);
}

static void ignore(void *ctx, enum pagus_worker worker, uint32_t node)
{
	(void)ctx;
	(void)worker;
	(void)node;
}

/* kcompactd is wanted, begins, compacts, and sleeps; of order 0 nobody is told. */
static void test_kcompactd_wakes_and_sleeps(void **context)
{
	static const uint32_t ids[] = { PAGUS_EVENT_KCOMPACTD_WAKEUP, PAGUS_EVENT_KCOMPACTD_WAKE,
					PAGUS_EVENT_COMPACT_BEGIN, PAGUS_EVENT_COMPACT_END,
					PAGUS_EVENT_KCOMPACTD_SLEEP };
	struct pagus_port port;
	struct contig_lab l;
	struct pg_call c;
	uint32_t n = 0;

	(void)context;
	compact_checkerboard(&l, "linux");
	port = *l.lab.p.port;
	port.wake = ignore;
	l.lab.p.port = &port;
	lab_listen(&l.lab, ALL_EVENTS);
	c = (struct pg_call){ .st = l.lab.p.state, .p = &l.lab.p };
	pg_kcompactd_wake(&c, 0, 0, PAGUS_ZONE_MOVABLE);
	assert_int_equal(l.lab.nr_events, 0);
	pg_kcompactd_wake(&c, 0, 9, PAGUS_ZONE_MOVABLE);
	while (pagus_work(&l.lab.p, PAGUS_WORKER_KCOMPACTD, 0))
		;
	for (uint32_t i = 0; i < NR_OF(ids); i++) {
		const struct pagus_event *e = next(&l.lab, &n, ALL_EVENTS & ~BIT(COMPACT_SUITABLE) &
						   ~BIT(COMPACT_DEFER_RESET) &
						   (~RUN_EVENTS | BIT(COMPACT_BEGIN) | BIT(COMPACT_END)));

		assert_int_equal(e->id, ids[i]);
		if (i < 2)
			assert_int_equal(e->order, 9);
	}
	assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_daemon_wake), 1);
	assert_int_equal(sum_up(&l.lab).runs, 1);
	contig_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_compacts),
		cmocka_unit_test(test_failures_defer),
		cmocka_unit_test(test_kcompactd_wakes_and_sleeps),
		cmocka_unit_test(test_sums_agree_with_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
