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
	ev->x1 ^= 1;
}

/* Turned into one that a recording of every step says nothing by. */
static void drop(struct trace_event *ev)
{
	ev->type = 16;
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

static void verify_path(const char *path, struct verify *v)
{
	struct trace_error err = { "" };
	struct trace *t = trace_open(path, &err);

	assert_non_null(t);
	if (!verify_run(v, t, &err))
		print_error("%s\n", err.text);
	assert_int_equal(err.text[0], 0);
	trace_close(t);
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

static void verify_changed(const struct change *change, uint64_t nth, struct verify *v)
{
	char path[64];

	snprintf(path, sizeof(path), "verify.%ld.pgt", (long)getpid());
	write_changed(path, change, nth);
	verify_path(path, v);
	unlink(path);
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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_trace_verifies),
		cmocka_unit_test(a_wrong_event_is_one_miss_of_its_kind),
		cmocka_unit_test(a_drain_that_the_kernel_leaves_is_unfinished),
	};

	if (argc != 2)
		return 1;
	trace_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
