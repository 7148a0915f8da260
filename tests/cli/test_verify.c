/* SPDX-License-Identifier: MIT */
/*
 * Verification: a real trace verifies whole; and each prediction is made before its event is looked
 * at, so that a wrong event is one miss of its kind and no more. Usage: test_verify TRACE.pgt
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "verify/verify.h"

static const char *trace_path;

struct change {
	uint8_t type;             /* of the event that is changed */
	void (*apply)(struct trace_event *ev);
	enum verify_kind kind;    /* where the miss must be */
};

static void other_page(struct trace_event *ev)
{
	ev->pfn ^= 1;
}

static void other_count(struct trace_event *ev)
{
	ev->gfp ^= 1;
}

static void other_type(struct trace_event *ev)
{
	ev->mt = (int8_t)(ev->mt == 0);
}

static void other_factor(struct trace_event *ev)
{
	ev->pfn ^= UINT64_C(1) << 40;
}

static void other_fallback_order(struct trace_event *ev)
{
	ev->x1 = (uint8_t)(ev->x1 ? ev->x1 - 1 : 1);
}

/* Turned into one that says nothing. */
static void drop(struct trace_event *ev)
{
	ev->type = TRACE_OTHER;
}

/* Of a recording that tells of every step. */
static const struct change step_changes[] = {
	{ 20, other_page, VERIFY_PCP_ALLOC },   { 4, other_page, VERIFY_ZONE_TAKE },
	{ 4, other_type, VERIFY_ZONE_TAKE },    { 6, other_fallback_order, VERIFY_FALLBACK },
	{ 22, other_count, VERIFY_PUSH },       { 18, other_type, VERIFY_DIRECT_FREE },
	{ 21, other_factor, VERIFY_REFILL },    { 1, other_page, VERIFY_REQUEST },
};

/* Of one with the stock events. */
static const struct change stock_changes[] = {
	{ 1, other_page, VERIFY_PCP_ALLOC }, { 4, other_page, VERIFY_ZONE_TAKE },
	{ 4, other_type, VERIFY_ZONE_TAKE }, { 5, other_page, VERIFY_DRAIN },
	{ 5, other_type, VERIFY_DRAIN },
};

/* Copy the trace with the n-th event of a type, from 0, changed. */
static void write_changed(const char *path, const struct change *change, uint64_t nth)
{
	static struct trace_event copy[1 << 17];
	const struct trace_event *batch;
	struct trace_error err = { "" };
	struct trace *t = trace_open(trace_path, &err);
	struct pgt_writer *w = pgt_create(path, t, 1, &err);
	uint64_t seen = 0;
	int nr;

	assert_non_null(w);
	while ((nr = trace_next(t, &batch, &err)) > 0) {
		memcpy(copy, batch, (size_t)nr * sizeof(*batch));
		for (int n = 0; n < nr; n++)
			if (copy[n].type == change->type && seen++ == nth)
				change->apply(&copy[n]);
		assert_true(pgt_write(w, copy, (size_t)nr, &err));
	}
	assert_true(seen > nth);
	assert_true(pgt_finish(w, &err));
	trace_close(t);
}

static bool has_events(uint8_t type, uint64_t nr)
{
	const struct trace_event *batch;
	struct trace_error err = { "" };
	struct trace *t = trace_open(trace_path, &err);
	uint64_t seen = 0;
	int n;

	assert_non_null(t);
	while ((n = trace_next(t, &batch, &err)) > 0)
		for (int k = 0; k < n; k++)
			seen += batch[k].type == type;
	trace_close(t);
	return seen >= nr;
}

static void verify_path_how(const char *path, const struct verify_how *how, struct verify *v)
{
	struct trace_error err = { "" };
	struct trace *t = trace_open(path, &err);

	assert_non_null(t);
	if (!verify_run(v, t, how, &err))
		print_error("%s\n", err.text);
	assert_int_equal(err.text[0], 0);
	trace_close(t);
}

static void verify_path(const char *path, struct verify *v)
{
	verify_path_how(path, &(struct verify_how){ 0 }, v);
}

static void the_trace_verifies(void **state)
{
	struct verify v;

	(void)state;
	verify_path(trace_path, &v);
	for (uint32_t n = 0; n < v.nr_misses && n < VERIFY_MISSES; n++)
		print_error("%s\n", v.miss[n]);
	assert_int_equal(v.nr_misses, 0);
	assert_int_equal(v.broken_invariant, 0);
	assert_true(v.end.recorded);
	assert_true(v.end.lists > 0);
	assert_int_equal(v.end.lists_in_order, v.end.lists);
	assert_int_equal(v.end.pcp_scalars_equal, v.end.pcp_scalars);
	assert_int_equal(v.end.buddyinfo_pages_off, 0);
	assert_int_equal(v.end.pagetypeinfo_blocks_off, 0);
	assert_int_equal(v.drains_unfinished, 0);
	assert_true(v.score[VERIFY_PCP_ALLOC].predicted > 10000);
	assert_true(v.score[VERIFY_ZONE_TAKE].predicted > 1000);
}

static void verify_changed_how(const struct change *change, uint64_t nth,
			       const struct verify_how *how, struct verify *v)
{
	char path[64];

	snprintf(path, sizeof(path), "verify.%ld.pgt", (long)getpid());
	write_changed(path, change, nth);
	verify_path_how(path, how, v);
	unlink(path);
}

static void verify_changed(const struct change *change, uint64_t nth, struct verify *v)
{
	verify_changed_how(change, nth, &(struct verify_how){ 0 }, v);
}

static void check_change(const struct change *change)
{
	struct verify v;

	verify_changed(change, 3, &v);
	assert_int_equal(v.nr_misses, 1);
	for (int kind = 0; kind < VERIFY_NR_KINDS; kind++)
		assert_int_equal(v.score[kind].predicted - v.score[kind].exact,
				 kind == (int)change->kind);
	assert_int_equal(v.end.lists_in_order, v.end.lists);
}

static void a_wrong_event_is_one_miss_of_its_kind(void **state)
{
	struct trace_error err = { "" };
	struct trace *t = trace_open(trace_path, &err);
	bool steps;

	(void)state;
	assert_non_null(t);
	steps = trace_start(t)->version >= MACHINE_TUNED_PCP;
	trace_close(t);
	for (size_t n = 0; steps && n < sizeof(step_changes) / sizeof(step_changes[0]); n++)
		check_change(&step_changes[n]);
	for (size_t n = 0; !steps && n < sizeof(stock_changes) / sizeof(stock_changes[0]); n++)
		check_change(&stock_changes[n]);
}

static void a_drain_that_the_kernel_leaves_is_unfinished(void **state)
{
	const struct change last_piece = { 23, drop, VERIFY_PIECE };
	struct verify v;

	(void)state;
	verify_path(trace_path, &v);
	if (v.drains == 0)
		skip();
	verify_changed(&last_piece, v.score[VERIFY_PIECE].predicted - 1, &v);
	assert_int_equal(v.drains_unfinished, 1);
}

/* ---- the stock events alone ------------------------------------------------------------------ */

static const struct verify_how standard = { .standard = true };

static uint64_t misses_of(const struct verify *v, enum verify_kind kind)
{
	return v->score[kind].predicted - v->score[kind].exact;
}

static void the_stock_events_reach_the_bound(void **state)
{
	struct verify v;

	(void)state;
	verify_path_how(trace_path, &standard, &v);
	for (int kind = 0; kind < VERIFY_NR_KINDS; kind++)
		assert_true(v.score[kind].exact * 1000 >= v.score[kind].predicted * 995);
	assert_int_equal(v.broken_invariant, 0);
	assert_true(v.score[VERIFY_PCP_ALLOC].predicted > 10000);
	assert_true(v.score[VERIFY_ZONE_TAKE].predicted > 1000);
	assert_int_equal(v.score[VERIFY_PUSH].predicted, 0);
	assert_true(v.end.pagetypeinfo_blocks_off <= 1);
}

/* Every event of another type as if it were not there. */
static void scramble(struct trace_event *ev)
{
	ev->pfn = ~ev->pfn;
	ev->gfp = ~ev->gfp;
	ev->x1 ^= 0xff;
}

static void other_events_are_not_looked_at(void **state)
{
	const uint8_t types[] = { 0, 8, 13, 20, 21, 22, 31 };
	struct verify v, w;

	(void)state;
	verify_path_how(trace_path, &standard, &v);
	for (size_t n = 0; n < sizeof(types); n++) {
		const struct change change = { .type = types[n], .apply = scramble };

		if (!has_events(types[n], 3))
			continue;
		verify_changed_how(&change, 2, &standard, &w);
		assert_memory_equal(v.score, w.score, sizeof(v.score));
		assert_memory_equal(v.resync, w.resync, sizeof(v.resync));
		assert_memory_equal(&v.end, &w.end, sizeof(v.end));
	}
}

struct wrong {
	struct change change;
	uint64_t nth;
	enum verify_rule rule; /* that brings the state back */
	bool miss;             /* of the change's kind; else no prediction is wrong */
};

static void far_page(struct trace_event *ev)
{
	ev->pfn ^= 0x40;
}

static void unsaid(struct trace_event *ev)
{
	ev->type = 0;
}

static void uncached_order(struct trace_event *ev)
{
	ev->order = 5;
	ev->pfn &= ~UINT64_C(31);
}

static const struct wrong wrongs[] = {
	{ { 1, far_page, VERIFY_PCP_ALLOC }, 9001, VERIFY_RULE_R2, true },
	{ { 1, unsaid, VERIFY_PCP_ALLOC }, 9001, VERIFY_RULE_R1, false },
	{ { 1, unsaid, VERIFY_PCP_ALLOC }, 9001, VERIFY_RULE_R4, false },
	{ { 4, unsaid, VERIFY_ZONE_TAKE }, 1201, VERIFY_RULE_R5, true },
	{ { 1, uncached_order, VERIFY_PCP_ALLOC }, 9001, VERIFY_RULE_R8, true },
	{ { 4, far_page, VERIFY_ZONE_TAKE }, 1201, VERIFY_RULE_LOST, true },
	{ { 4, unsaid, VERIFY_ZONE_TAKE }, 1201, VERIFY_RULE_SIZE, true },
	{ { 6, other_fallback_order, VERIFY_FALLBACK }, 0, VERIFY_RULE_CLAIM, true },
	{ { 5, far_page, VERIFY_DRAIN }, 3001, VERIFY_RULE_R7, true },
};

#define WRONG_AT_MOST 40 /* misses by one event, which may name many pages */

/* A wrong event is a miss of its kind, and the state is brought back: few more follow. */
static void a_wrong_stock_event_is_a_miss(void **state)
{
	struct verify v, w;

	(void)state;
	verify_path_how(trace_path, &standard, &v);
	for (size_t n = 0; n < sizeof(wrongs) / sizeof(wrongs[0]); n++) {
		const struct wrong *wrong = &wrongs[n];
		enum verify_kind kind = wrong->change.kind;

		if (!has_events(wrong->change.type, wrong->nth + 1))
			continue;
		verify_changed_how(&wrong->change, wrong->nth, &standard, &w);
		assert_true(w.resync[wrong->rule] > v.resync[wrong->rule]);
		assert_true((misses_of(&w, kind) > misses_of(&v, kind)) == wrong->miss);
		assert_true(w.nr_misses <= v.nr_misses + WRONG_AT_MOST);
		assert_int_equal(w.broken_invariant, 0);
	}
}

static void hole(struct trace_event *ev)
{
	ev->pfn = 0;
}

/* Whatever event names a page that no zone has, it is refused. */
static void an_event_in_a_hole_is_refused(void **state)
{
	const uint8_t types[] = { TRACE_ALLOC, TRACE_FREE, TRACE_ZONE_LOCKED, TRACE_PCPU_DRAIN };
	struct verify v;

	(void)state;
	for (size_t n = 0; n < sizeof(types); n++) {
		const struct change change = { .type = types[n], .apply = hole };

		if (!has_events(types[n], 102))
			continue;
		verify_changed_how(&change, 101, &standard, &v);
		assert_true(v.resync[VERIFY_RULE_REFUSED] > 0);
		assert_int_equal(v.broken_invariant, 0);
		verify_changed(&change, 101, &v);
		assert_int_equal(v.broken_invariant, 0);
	}
}

/* A block of the wrong list is one miss and no more: its pageblock's type stays. */
static void a_wrong_type_is_one_miss(void **state)
{
	const struct change change = { 4, other_type, VERIFY_ZONE_TAKE };
	struct verify v, w;

	(void)state;
	verify_path_how(trace_path, &standard, &v);
	verify_changed_how(&change, 1201, &standard, &w);
	assert_int_equal(w.nr_misses, v.nr_misses + 1);
	assert_int_equal(misses_of(&w, VERIFY_ZONE_TAKE), misses_of(&v, VERIFY_ZONE_TAKE) + 1);
	assert_int_equal(w.resync[VERIFY_RULE_TYPE], v.resync[VERIFY_RULE_TYPE]);
}

static void another_releases_policy_is_another(void **state)
{
	struct verify v, w;
	struct trace_error err = { "" };
	struct trace *t = trace_open(trace_path, &err);
	struct verify_how how = { .standard = true };

	(void)state;
	assert_non_null(t);
	how.policy = verify_release_policy(
		trace_start(t)->version >= MACHINE_TUNED_PCP ? "6.1" : "7.2");
	trace_close(t);
	verify_path_how(trace_path, &standard, &v);
	verify_path_how(trace_path, &how, &w);
	assert_string_not_equal(v.policy, w.policy);
	assert_true(w.nr_misses > v.nr_misses);
	assert_null(verify_release_policy("5.4"));
}

static uint64_t recorded_pages(const struct snapshot *s)
{
	uint64_t pages = 0;

	for (uint32_t z = 0; z < s->nr_zones; z++) {
		const struct snap_zone *zone = &s->zones[z];

		for (uint32_t n = 0; n < zone->nr_free_lists; n++)
			pages += (uint64_t)zone->free_lists[n].nr << zone->free_lists[n].order;
		for (uint32_t cpu = 0; cpu < s->nr_cpus; cpu++)
			for (uint32_t n = 0; n < PAGUS_NR_PCP_LISTS; n++)
				pages += (uint64_t)zone->pcps[cpu].lists[n].nr
					 << zone->pcps[cpu].lists[n].order;
	}
	return pages;
}

/* The recorded start, with nothing free in it. */
static struct machine *full_machine(struct trace *t, struct trace_error *err)
{
	struct snapshot full = *trace_start(t);
	struct machine *m;

	full.zones = calloc(full.nr_zones, sizeof(*full.zones));
	assert_non_null(full.zones);
	for (uint32_t z = 0; z < full.nr_zones; z++) {
		full.zones[z] = trace_start(t)->zones[z];
		full.zones[z].nr_free_lists = 0;
		full.zones[z].pcps = calloc(full.nr_cpus, sizeof(*full.zones[z].pcps));
		assert_non_null(full.zones[z].pcps);
		for (uint32_t cpu = 0; cpu < full.nr_cpus; cpu++)
			full.zones[z].pcps[cpu].cpu = cpu;
	}
	m = machine_build(trace_meta(t), &full, "linux", full.nr_cpus, err);
	for (uint32_t z = 0; z < full.nr_zones; z++)
		free(full.zones[z].pcps);
	free(full.zones);
	return m;
}

static void a_machine_without_free_pages_lacks_all_recorded(void **state)
{
	struct verify v = { 0 };
	struct trace_error err = { "" };
	struct trace *t = trace_open(trace_path, &err);
	struct machine *m;

	(void)state;
	assert_non_null(t);
	m = full_machine(t, &err);
	assert_string_equal(err.text, "");
	assert_true(verify_end_state(&v, m, t, &err));
	assert_true(v.end.recorded && v.end.lists > 0);
	assert_int_equal(v.end.lists_in_order, 0);
	assert_int_equal(v.end.pages_misplaced, recorded_pages(trace_end(t, &err)));
	machine_free(m);
	trace_close(t);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_stock_events_reach_the_bound),
		cmocka_unit_test(other_events_are_not_looked_at),
		cmocka_unit_test(a_wrong_stock_event_is_a_miss),
		cmocka_unit_test(a_wrong_type_is_one_miss),
		cmocka_unit_test(an_event_in_a_hole_is_refused),
		cmocka_unit_test(another_releases_policy_is_another),
		cmocka_unit_test(the_trace_verifies),
		cmocka_unit_test(a_wrong_event_is_one_miss_of_its_kind),
		cmocka_unit_test(a_drain_that_the_kernel_leaves_is_unfinished),
		cmocka_unit_test(a_machine_without_free_pages_lacks_all_recorded),
	};

	if (argc != 2)
		return 1;
	trace_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
