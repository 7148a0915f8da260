/* SPDX-License-Identifier: MIT */
/* Locks: they exclude, trying does not wait, and signal handlers get through whatever is held. */
#include "posix/posix.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include "../port/posix/posix.h"

#define NR_ROUNDS 50000

/* ---- the lock itself ------------------------------------------------------------------------- */

static struct {
	struct px_lock lock;
	uint64_t counter; /* plain: only the lock makes it exact */
	uint32_t failed_tries;
} shared;

static void *count_up(void *arg)
{
	(void)arg;
	for (uint32_t n = 0; n < NR_ROUNDS; n++) {
		if (n % 3 || !px_lock_try(&shared.lock))
			px_lock_take(&shared.lock);
		shared.counter++;
		/* Held for longer than others spin, now and then. */
		if (n % 5000 == 0)
			usleep(200);
		px_lock_release(&shared.lock);
	}
	return NULL;
}

static void it_excludes(void **state)
{
	pthread_t threads[NR_THREADS];

	(void)state;
	for (uint32_t n = 0; n < NR_THREADS; n++)
		assert_int_equal(pthread_create(&threads[n], NULL, count_up, NULL), 0);
	for (uint32_t n = 0; n < NR_THREADS; n++)
		pthread_join(threads[n], NULL);
	assert_int_equal(shared.counter, NR_THREADS * NR_ROUNDS);
	assert_int_equal(shared.lock.word, 0);
}

static void trying_fails_where_the_own_thread_holds_it(void **state)
{
	struct px_lock lock = { 0 };

	(void)state;
	assert_true(px_lock_try(&lock));
	assert_false(px_lock_try(&lock));
	px_lock_release(&lock);
	assert_true(px_lock_try(&lock));
	px_lock_release(&lock);
}

static bool try_lock(struct pagus_posix *x, uint32_t cls, uint32_t index)
{
	return px_port_trylock(x, (enum pagus_lock_class)cls, index, PAGUS_REASON_OOM);
}

/* Each (class, index) is a lock of its own, and those of the last index lie inside the room. */
static void each_class_and_index_has_its_own(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.node = { { 8 * MIB, -1 }, { 8 * MIB, -1 } }, .nr_nodes = 2, .nr_cpus = 3,
	});
	static const uint32_t nr[] = { [PAGUS_LOCK_PCP] = 6, [PAGUS_LOCK_ZONE] = 2,
				       [PAGUS_LOCK_OOM] = 1 };

	(void)state;
	assert_int_equal(px_nr_locks(2, 3), 9);
	for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++)
		for (uint32_t n = 0; n < nr[cls]; n++)
			assert_true(try_lock(x, cls, n));
	for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++)
		for (uint32_t n = 0; n < nr[cls]; n++) {
			assert_false(try_lock(x, cls, n));
			px_port_unlock(x, (enum pagus_lock_class)cls, n, 0);
		}
	close_empty(x, 16 * MIB);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* What the handler has, of the one thread that gets the signal. */
static struct {
	struct pagus *p;
	pagus_pfn_t pfns[64];
	uint32_t nr;
	uint64_t granted, refused;
	uint32_t failures;
} handler;

static void on_signal(int number)
{
	int saved = errno;
	struct pagus_result res;

	(void)number;
	errno = 4711;
	if (handler.nr < NR_OF(handler.pfns) &&
	    pagus_alloc_nolock(handler.p, PAGUS_NO_NODE, 0, &res) == PAGUS_OK) {
		handler.pfns[handler.nr++] = res.pfn;
		handler.granted++;
	} else if (handler.nr > 0) {
		if (pagus_free_nolock(handler.p, handler.pfns[--handler.nr], 0) != PAGUS_OK)
			handler.failures++;
		handler.refused++;
	}
	handler.failures += errno != 4711;
	errno = saved;
}

/* A thread allocates and frees while its own handler does so in the middle of it. */
static void handlers_allocate_and_free_whatever_they_interrupt(void **state)
{
	const struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, before;
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){ .bytes = 64 * MIB,
									.nr_cpus = 1 });
	struct load *load = calloc(1, sizeof(*load));

	(void)state;
	assert_non_null(load);
	handler.p = pagus_posix_instance(x);
	sigemptyset(&action.sa_mask);
	sigaction(SIGALRM, &action, &before);
	*load = (struct load){ .x = x, .seed = unit_seed(), .max_order = 9 };
	setitimer(ITIMER_REAL, &often, NULL);
	for (uint32_t turn = 0; turn < 100 && handler.granted + handler.refused < 3000; turn++) {
		load->nr_rounds = 5000;
		load_run(load);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_int_equal(load->failures, 0);
	assert_int_equal(handler.failures, 0);
	assert_true(handler.granted > 0 && handler.refused > 0);
	while (handler.nr > 0)
		assert_int_equal(pagus_free_pages(handler.p, handler.pfns[--handler.nr], 0),
				 PAGUS_OK);
	/* What is deferred goes along with a block that takes the zone's lock. */
	pagus_drain_all(handler.p);
	pagus_posix_put(x, pagus_posix_get(x, GFP_TRY, 10), 10);
	free(load);
	close_empty(x, 64 * MIB);
}

/* Where its own thread holds the pcp's lock and the zone's, a handler is refused, and defers. */
static void with_all_locks_held_nothing_waits(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){ .bytes = 16 * MIB,
									.nr_cpus = 1 });
	struct pagus *p = pagus_posix_instance(x);
	struct pagus_result res, held;

	(void)state;
	assert_int_equal(pagus_alloc_nolock(p, PAGUS_NO_NODE, 0, &held), PAGUS_OK);
	px_port_lock(x, PAGUS_LOCK_PCP, 0, PAGUS_REASON_PCP_ALLOC);
	px_port_lock(x, PAGUS_LOCK_ZONE, 0, PAGUS_REASON_REFILL);
	assert_int_equal(pagus_alloc_nolock(p, PAGUS_NO_NODE, 0, &res), PAGUS_NO_MEMORY);
	assert_int_equal(pagus_free_nolock(p, held.pfn, 0), PAGUS_OK);
	px_port_unlock(x, PAGUS_LOCK_ZONE, 0, 0);
	px_port_unlock(x, PAGUS_LOCK_PCP, 0, 0);
	close_empty(x, 16 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_excludes),
		cmocka_unit_test(trying_fails_where_the_own_thread_holds_it),
		cmocka_unit_test(each_class_and_index_has_its_own),
		cmocka_unit_test(handlers_allocate_and_free_whatever_they_interrupt),
		cmocka_unit_test(with_all_locks_held_nothing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
