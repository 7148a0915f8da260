/* SPDX-License-Identifier: MIT */
/* Many threads on one instance: contents, ends of threads, freezing, ticks, discarding. */
#include "posix/posix.h"

static struct pagus_posix *with_ticks(const char *policy)
{
	return open_with(&(struct pagus_posix_config){
		.node = { { 32 * MIB, -1 }, { 16 * MIB, -1 } }, .nr_nodes = 2, .policy = policy,
		.tick_ms = 1,
	});
}

static void contents_stay_under_load(void **state)
{
	/* Who keeps page records looks at others' without their lock, as the kernel does. */
#ifdef __SANITIZE_THREAD__
	static const char *const policies[] = { "pcpbuddy-bitmap" };
#else
	static const char *const policies[] = { "pcpbuddy-bitmap", "pcpbuddy", "linux", "nopcp" };
#endif
	uint64_t seed = unit_seed();

	(void)state;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct load like = { .x = with_ticks(policies[n]), .seed = seed, .nr_rounds = 8000,
				     .max_order = 9 };

		load_all(&like);
		close_empty(like.x, 48 * MIB);
	}
}

/* ---- hand-over between threads --------------------------------------------------------------- */

static void *slots[256];

/* Blocks of order 1 that others free. */
static void exchange(struct load *load, uint32_t round)
{
	uint32_t n = (uint32_t)lab_random(&load->seed, NR_OF(slots));
	void *block = round % 2 ? NULL : pagus_posix_get(load->x, GFP_TRY, 1), *old;

	if (block)
		pattern_write(block, 1, 99);
	old = __atomic_exchange_n(&slots[n], block, __ATOMIC_ACQ_REL);
	if (!old)
		return;
	load->failures += !pattern_stands(old, 1, 99);
	load->failures += pagus_posix_put(load->x, old, 1) != PAGUS_OK;
}

static void what_one_allocates_another_frees(void **state)
{
	struct load like = { .x = with_ticks(NULL), .seed = unit_seed(), .nr_rounds = 8000,
			     .max_order = 3, .each_round = exchange };

	(void)state;
	load_all(&like);
	for (uint32_t n = 0; n < NR_OF(slots); n++)
		if (slots[n])
			assert_int_equal(pagus_posix_put(like.x, slots[n], 1), PAGUS_OK);
	close_empty(like.x, 48 * MIB);
}

/* ---- ends of threads ------------------------------------------------------------------------- */

static void *live_shortly(void *arg)
{
	struct load load = { .x = arg, .seed = (uintptr_t)&load, .nr_rounds = 20, .max_order = 4 };

	load_run(&load);
	return (void *)(uintptr_t)load.failures;
}

static void nothing_is_lost_when_threads_end(void **state)
{
	struct pagus_posix *x = open_bytes(32 * MIB);
	pthread_t threads[NR_THREADS];
	void *failures;

	(void)state;
	for (uint32_t n = 0; n < 1000; n += NR_THREADS) {
		for (uint32_t k = 0; k < NR_THREADS; k++)
			assert_int_equal(pthread_create(&threads[k], NULL, live_shortly, x), 0);
		for (uint32_t k = 0; k < NR_THREADS; k++) {
			pthread_join(threads[k], &failures);
			assert_null(failures);
		}
	}
	close_empty(x, 32 * MIB);
}

/* ---- freezing -------------------------------------------------------------------------------- */

static uint32_t nr_broken;

static void freeze_and_look(struct load *load, uint32_t round)
{
	struct pagus *p = pagus_posix_instance(load->x);
	pagus_pfn_t where;
	uint64_t before;

	if (round % 400)
		return;
	pagus_posix_freeze();
	before = pagus_digest(p);
	__atomic_fetch_add(&nr_broken, pagus_check(p, &where) != 0, __ATOMIC_RELAXED);
	/* Nobody else moves. */
	for (uint32_t n = 0; n < 3; n++) {
		usleep(100);
		__atomic_fetch_add(&nr_broken, pagus_digest(p) != before, __ATOMIC_RELAXED);
	}
	pagus_posix_thaw();
}

static void a_frozen_instance_is_idle_and_sound(void **state)
{
	struct load like = { .x = with_ticks(NULL), .seed = unit_seed(), .nr_rounds = 4000,
			     .max_order = 8, .each_round = freeze_and_look };

	(void)state;
	load_all(&like);
	assert_int_equal(nr_broken, 0);
	close_empty(like.x, 48 * MIB);
}

/* ---- discarding under load ------------------------------------------------------------------- */

static void discard_now_and_then(struct load *load, uint32_t round)
{
	if (round % 500 == 0)
		pagus_posix_discard(load->x, 4 * MIB);
}

static void blocks_in_use_are_never_discarded(void **state)
{
	struct load like = { .x = with_ticks(NULL), .seed = unit_seed(), .nr_rounds = 4000,
			     .max_order = 9, .each_round = discard_now_and_then };

	(void)state;
	load_all(&like);
	close_empty(like.x, 48 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents_stay_under_load),
		cmocka_unit_test(what_one_allocates_another_frees),
		cmocka_unit_test(nothing_is_lost_when_threads_end),
		cmocka_unit_test(a_frozen_instance_is_idle_and_sound),
		cmocka_unit_test(blocks_in_use_are_never_discarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
