/* SPDX-License-Identifier: MIT */
/*
 * Traces that decode well and make no sense: a real trace with fields of its events changed at
 * random. A replay either ends with an error that names the event, or in a state in which every
 * invariant holds. Usage: test_hostile TRACE.pgt; PAGUS_SEED in the environment repeats a run.
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

#include "replay/replay.h"
#include "verify/verify.h"

#define ROUNDS 24

static const char *trace_path;
static uint64_t seed;

static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33) % below;
}

/* Harm that a reader could not notice. */
static void damage(struct trace_event *ev, uint64_t *state)
{
	switch (draw(state, 9)) {
	case 0:
		ev->order = (uint8_t)draw(state, 256);
		break;
	case 1:
		ev->order = (uint8_t)draw(state, 11);
		ev->pfn &= ~((UINT64_C(1) << ev->order) - 1);
		break;
	case 2:
		ev->pfn ^= UINT64_C(1) << draw(state, 64);
		break;
	case 3:
		ev->pfn = draw(state, 0x140000);
		ev->order = 0;
		break;
	case 4:
		ev->type = (uint8_t)draw(state, 32);
		break;
	case 5:
		ev->gfp = (uint32_t)draw(state, 0x7fffffff);
		break;
	case 6:
		ev->mt = (int8_t)draw(state, 256);
		break;
	case 7:
		ev->ts = (uint64_t)draw(state, 0x7fffffff) << draw(state, 33);
		break;
	default:
		ev->cpu = (uint8_t)draw(state, 256);
		ev->pid = (int32_t)draw(state, 0x7fffffff);
		break;
	}
}

/*
 * One in `sparseness` events damaged; where `plausible`, its fields stay such as a recorder might
 * have written.
 */
static void write_damaged(const char *path, uint64_t *state, uint32_t sparseness, bool plausible)
{
	static struct trace_event copy[1 << 17];
	const struct trace_event *batch;
	struct trace_error err = { "" };
	struct trace *t = trace_open(trace_path, &err);
	struct pgt_writer *w;
	int nr;

	assert_non_null(t);
	w = pgt_create(path, t, 1, &err);
	assert_non_null(w);
	while ((nr = trace_next(t, &batch, &err)) > 0) {
		assert_in_range(nr, 1, sizeof(copy) / sizeof(copy[0]));
		memcpy(copy, batch, (size_t)nr * sizeof(*batch));
		for (int n = 0; n < nr; n++) {
			if (draw(state, sparseness))
				continue;
			damage(&copy[n], state);
			if (plausible) {
				copy[n].order %= 11;
				copy[n].cpu %= (uint8_t)trace_start(t)->nr_cpus;
				copy[n].mt = (int8_t)((uint8_t)copy[n].mt % 6);
				copy[n].x1 %= 11;
				copy[n].pfn &= ~((UINT64_C(1) << copy[n].order) - 1);
			}
		}
		assert_true(pgt_write(w, copy, (size_t)nr, &err));
	}
	assert_int_equal(nr, 0);
	assert_true(pgt_finish(w, &err));
	trace_close(t);
}

/*
 * Every second replay asks for all that may be asked for beyond the recording; for huge pages as the
 * clock jumps, about a thousand times.
 */
static bool replay_holds(const char *path, const char *policy, bool asks)
{
	const struct whatif all = {
		.defrag = WHATIF_DEFRAG_SCAN, .closed_loop = true,
		.huge = { .every_ns = UINT64_C(1) << 54, .hold_ns = UINT64_C(3) << 53,
			  .order = WHATIF_HUGE_ORDER, .count = 2 },
	};
	struct trace_error err = { "" };
	struct trace *t = trace_open(path, &err);
	struct replay *r;
	pagus_pfn_t where;
	bool finished;

	assert_non_null(t);
	r = replay_run(t, policy, 0, asks ? &all : NULL, NULL, NULL, &err);
	finished = r != NULL;
	if (r)
		assert_int_equal(pagus_check(&r->machine->pagus, &where), 0);
	else if (!strstr(err.text, ": event "))
		fail_msg("%s", err.text);
	replay_free(r);
	trace_close(t);
	return finished;
}

/* Damage as sparse as this may lie only where nothing looks: a time, a pid. */
#define MAY_BE_HARMLESS 1024

static void verify_ends(const char *path, uint32_t sparseness, const struct verify_how *how)
{
	struct trace_error err = { "" };
	struct trace *t = trace_open(path, &err);
	struct verify v;

	assert_non_null(t);
	if (!verify_run(&v, t, how, &err))
		assert_non_null(strstr(err.text, path));
	else if (sparseness < MAY_BE_HARMLESS)
		assert_true(v.nr_misses + v.resync[VERIFY_RULE_REFUSED] > 0);
	trace_close(t);
}

/* Whatever a recording claims, verification ends, and finds that it is not so. */
static void test_nonsense_does_not_verify(void **context)
{
	uint64_t state = seed;
	uint32_t sparseness;
	char path[64];

	(void)context;
	snprintf(path, sizeof(path), "hostile.%ld.pgt", (long)getpid());
	for (uint32_t n = 0; n < ROUNDS; n++) {
		sparseness = 1u << (n % 14);
		write_damaged(path, &state, sparseness, n % 2);
		verify_ends(path, sparseness, &(struct verify_how){ 0 });
		verify_ends(path, sparseness, &(struct verify_how){ .standard = true });
		unlink(path);
	}
}

static void run_rounds(bool plausible)
{
	static const char *const policies[] = { "linux", "linux-6.1", "nogroup", "plain" };
	uint64_t state = seed;
	uint32_t finished = 0;
	char path[64];

	snprintf(path, sizeof(path), "hostile.%ld.pgt", (long)getpid());
	for (uint32_t n = 0; n < ROUNDS; n++) {
		write_damaged(path, &state, plausible ? 1u << (n % 12) : 20000, plausible);
		finished += replay_holds(path, policies[n % 4], n / 4 % 2);
		unlink(path);
	}
	if (plausible)
		assert_int_equal(finished, ROUNDS);
	else
		assert_true(finished < ROUNDS);
}

static void test_plausible_nonsense_is_replayed(void **state)
{
	(void)state;
	run_rounds(true);
}

static void test_impossible_events_are_named(void **state)
{
	(void)state;
	run_rounds(false);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plausible_nonsense_is_replayed),
		cmocka_unit_test(test_impossible_events_are_named),
		cmocka_unit_test(test_nonsense_does_not_verify),
	};
	const char *text = getenv("PAGUS_SEED");

	if (argc != 2)
		return 1;
	trace_path = argv[1];
	seed = text ? strtoull(text, NULL, 0) : (uint64_t)getpid() * 2654435761u;
	printf("PAGUS_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
