/* SPDX-License-Identifier: MIT */
/* Room made in superpageblocks in the background, by moving a program's blocks behind handles. */
#include "posix/handles.h"

#include <sched.h>
#include <sys/wait.h>

#define BYTES  (256 * MIB) /* 8 superpageblocks of 16 pageblocks, the least that has a reserve */
#define MANY   (BYTES / PAGE_BYTES)
#define READY  2
#define KERNEL 8192 /* single pages that do not move, at most */

struct host {
	struct pagus_posix *x;
	pagus_handle_t handles[MANY]; /* 0: none */
	uint32_t nr;
	void *fixed[KERNEL];
	uint32_t nr_fixed;
	uint32_t held;    /* relocate waits */
	uint32_t waiting; /* somebody does, in relocate */
	uint32_t over;    /* threads are to end */
};

static bool relocate(void *ctx, void *user, void *to, const void *from, uint64_t bytes)
{
	struct host *h = ctx;

	(void)user;
	while (__atomic_load_n(&h->held, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&h->waiting, 1, __ATOMIC_RELEASE);
		usleep(100);
	}
	memcpy(to, from, bytes);
	return true;
}

/* All memory in single pages, of which three of ten stay, here and there. */
static struct host *open_scattered(struct pagus_posix_config config, bool held)
{
	struct host *h = calloc(1, sizeof(*h));
	uint64_t seed = 1;

	assert_non_null(h);
	config.policy = "superpageblock";
	config.bytes = BYTES;
	config.nr_handles = MANY;
	config.no_kcompactd = true;
	config.relocate = relocate;
	config.ctx = h;
	h->held = held;
	h->x = open_with(&config);
	while (h->nr < MANY &&
	       pagus_handle_get(h->x, GFP_NOWAIT, 0, NULL, &h->handles[h->nr]) == PAGUS_OK)
		h->nr++;
	assert_true(h->nr > MANY / 2);
	for (uint32_t n = 0; n < h->nr; n++) {
		if (lab_random(&seed, 10) < 3) {
			assert_true(handle_fill(h->x, h->handles[n]));
		} else {
			assert_int_equal(pagus_handle_free(h->x, h->handles[n]), PAGUS_OK);
			h->handles[n] = 0;
		}
	}
	pagus_drain_all(pagus_posix_instance(h->x));
	return h;
}

static void set_ready(struct host *h)
{
	assert_int_equal(pagus_tunable_set(pagus_posix_instance(h->x),
					   PAGUS_TUNABLE_superpageblocks_ready, READY), PAGUS_OK);
}

static uint32_t let_go(struct host *h)
{
	uint32_t failures = 0;

	for (uint32_t n = 0; n < h->nr; n++)
		if (h->handles[n])
			failures += !handle_stands(h->x, h->handles[n]) ||
				    pagus_handle_free(h->x, h->handles[n]) != PAGUS_OK;
	return failures;
}

static void close_scattered(struct host *h)
{
	assert_int_equal(let_go(h), 0);
	for (uint32_t n = 0; n < h->nr_fixed; n++)
		assert_int_equal(pagus_posix_put(h->x, h->fixed[n], 0), PAGUS_OK);
	/* The worker may have a block in hand. */
	for (uint32_t n = 0; n < 10000 && free_pages(h->x) != BYTES / PAGE_BYTES; n++)
		usleep(1000);
	close_empty(h->x, BYTES);
	free(h);
}

static uint64_t moves(struct host *h)
{
	struct pagus_handle_stats stats;

	pagus_handle_stats(h->x, &stats);
	return stats.nr_moves;
}

static uint64_t counter(struct host *h, enum pagus_counter which)
{
	return pagus_counter_read(pagus_posix_instance(h->x), which);
}

static uint32_t nr_empty(struct host *h)
{
	struct pagus *p = pagus_posix_instance(h->x);
	struct pagus_superpageblock_info info;
	uint32_t nr = 0;

	pagus_posix_freeze();
	for (uint32_t n = 0; n < pagus_nr_superpageblocks(p, 0); n++) {
		pagus_superpageblock_info(p, 0, n, &info);
		nr += info.nr_whole == info.nr_pageblocks;
	}
	pagus_posix_thaw();
	return nr;
}

static uint64_t nr_isolated(struct host *h)
{
	struct pagus_zone_info info;

	pagus_posix_freeze();
	pagus_zone_info(pagus_posix_instance(h->x), 0, &info);
	pagus_posix_thaw();
	return info.nr_isolated;
}

static bool wait_until_ready(struct host *h)
{
	for (uint32_t n = 0; n < 60000 && nr_empty(h) < READY; n++)
		usleep(1000);
	return nr_empty(h) >= READY;
}

/* As long as many of the worker's looks: 60 s. */
#define WAIT_UNTIL(condition)                                                                      \
	do {                                                                                      \
		for (uint32_t n_ = 0; n_ < 60000 && !(condition); n_++)                           \
			usleep(1000);                                                             \
		assert_true(condition);                                                           \
	} while (0)

/* ---- as threads look on ---------------------------------------------------------------------- */

struct reader {
	struct host *h;
	uint64_t seed, looks;
	uint32_t failures;
	pthread_t thread;
};

/* Contents are as they were written, wherever they are by now. */
static void *read_on(void *arg)
{
	struct reader *r = arg;
	struct host *h = r->h;

	while (!__atomic_load_n(&h->over, __ATOMIC_ACQUIRE)) {
		pagus_handle_t handle = h->handles[lab_random(&r->seed, h->nr)];

		if (!handle)
			continue;
		r->failures += !handle_stands(h->x, handle);
		if (++r->looks % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void as_many_are_empty_as_are_asked_for(void **state)
{
	struct host *h = open_scattered((struct pagus_posix_config){ .tick_ms = 10 }, false);
	struct reader readers[NR_THREADS];
	uint64_t seed = lab_env("SEED", 3);

	(void)state;
	assert_int_equal(pagus_nr_superpageblocks(pagus_posix_instance(h->x), 0), 8);
	assert_true(nr_empty(h) < READY);
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		readers[n] = (struct reader){ .h = h, .seed = seed + n };
		assert_int_equal(pthread_create(&readers[n].thread, NULL, read_on, &readers[n]), 0);
	}
	set_ready(h);
	WAIT_UNTIL(nr_empty(h) >= READY);
	__atomic_store_n(&h->over, 1, __ATOMIC_RELEASE);
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		pthread_join(readers[n].thread, NULL);
		assert_int_equal(readers[n].failures, 0);
		assert_true(readers[n].looks > 0);
	}
	assert_true(moves(h) > 0);
	assert_true(counter(h, PAGUS_COUNTER_evacuate_superpageblock) > 0);
	close_scattered(h);
}

static void nothing_moves_by_itself_with_no_evacuate(void **state)
{
	struct host *h = open_scattered((struct pagus_posix_config){ .no_evacuate = true }, false);

	(void)state;
	set_ready(h);
	usleep(2500000);
	assert_int_equal(moves(h), 0);
	close_scattered(h);
}

/* The clock is enough. */
static void a_worker_without_kswapd_makes_room(void **state)
{
	struct host *h = open_scattered((struct pagus_posix_config){ .no_kswapd = true }, false);

	(void)state;
	set_ready(h);
	assert_true(wait_until_ready(h));
	close_scattered(h);
}

static struct pagus_superpageblock_info tainted_one(struct host *h)
{
	struct pagus_superpageblock_info info = { 0 };

	pagus_posix_freeze();
	for (uint32_t n = 0; n < 8 && !info.tainted; n++)
		pagus_superpageblock_info(pagus_posix_instance(h->x), 0, n, &info);
	pagus_posix_thaw();
	return info;
}

static bool is_short(struct host *h)
{
	struct pagus_superpageblock_info info = tainted_one(h);

	return info.tainted && info.free_pages < info.reserve_pages;
}

/*
 * Single pages that do not move fill a tainted superpageblock below its reserve, among pages that do:
 * these are moved out of it.
 */
static void a_tainted_one_has_room_again(void **state)
{
	struct host *h = open_scattered((struct pagus_posix_config){ .tick_ms = 0 }, false);

	(void)state;
	while (h->nr_fixed < KERNEL && !is_short(h) &&
	       counter(h, PAGUS_COUNTER_evacuate_pageblock) == 0) {
		h->fixed[h->nr_fixed] = pagus_posix_get(h->x, GFP_TRY, 0);
		assert_non_null(h->fixed[h->nr_fixed++]);
	}
	WAIT_UNTIL(counter(h, PAGUS_COUNTER_evacuate_pages) > 0);
	WAIT_UNTIL(!is_short(h));
	assert_true(tainted_one(h).tainted);
	close_scattered(h);
}

static void an_instance_ends_while_its_worker_works(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 3; n++) {
		struct host *h = open_scattered((struct pagus_posix_config){ .tick_ms = 0 }, false);

		set_ready(h);
		WAIT_UNTIL(moves(h) > 0);
		pagus_posix_destroy(h->x);
		free(h);
	}
}

/* ---- fork() in the middle of a turn ---------------------------------------------------------- */

/* What the parent's turn had isolated serves the child again. */
static int go_on_in_child(struct host *h)
{
	__atomic_store_n(&h->held, 0, __ATOMIC_RELEASE);
	if (!wait_until_ready(h))
		return 2;
	if (let_go(h))
		return 3;
	for (uint32_t n = 0; n < 10000 && nr_isolated(h); n++)
		usleep(1000);
	return nr_isolated(h) ? 4 : 0;
}

static void a_child_goes_on_from_the_middle_of_a_turn(void **state)
{
	struct host *h;
	int status = -1;
	pid_t child;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip();
#endif
	h = open_scattered((struct pagus_posix_config){ .tick_ms = 0 }, true);
	set_ready(h);
	WAIT_UNTIL(__atomic_load_n(&h->waiting, __ATOMIC_ACQUIRE));
	assert_true(nr_isolated(h) > 0);
	child = fork();
	if (child == 0)
		_exit(go_on_in_child(h));
	__atomic_store_n(&h->held, 0, __ATOMIC_RELEASE);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	WAIT_UNTIL(nr_empty(h) >= READY);
	close_scattered(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_are_empty_as_are_asked_for),
		cmocka_unit_test(nothing_moves_by_itself_with_no_evacuate),
		cmocka_unit_test(a_worker_without_kswapd_makes_room),
		cmocka_unit_test(a_tainted_one_has_room_again),
		cmocka_unit_test(an_instance_ends_while_its_worker_works),
		cmocka_unit_test(a_child_goes_on_from_the_middle_of_a_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
