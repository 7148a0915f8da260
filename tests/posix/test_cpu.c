/* SPDX-License-Identifier: MIT */
/* Where CPU numbers come from, and that nothing but speed depends on them. */
#include "posix/posix.h"

#include <sched.h>
#include <stdlib.h>

static const char *const names[] = {
	[PAGUS_POSIX_CPU_RSEQ] = "rseq", [PAGUS_POSIX_CPU_GETCPU] = "sched_getcpu",
	[PAGUS_POSIX_CPU_THREAD] = "thread",
};

/* The first CPU from `from` on that this process may use; CPU_SETSIZE: none. */
static uint32_t allowed_cpu(uint32_t from)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(getpid(), sizeof(set), &set), 0);
	while (from < CPU_SETSIZE && !CPU_ISSET(from, &set))
		from++;
	return from;
}

static bool stay_on(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static bool has(enum pagus_posix_cpu_source source)
{
	const struct pagus_posix_config config = { .bytes = 8 * MIB, .cpu_source = source };
	struct pagus_posix *x;

	if (pagus_posix_create(&config, &x) != PAGUS_OK) {
		assert_int_equal(source, PAGUS_POSIX_CPU_RSEQ);
		assert_string_equal(pagus_posix_error(), "cpu_source: this system has no rseq");
		return false;
	}
	pagus_posix_destroy(x);
	return true;
}

static void the_best_that_there_is_is_used(void **state)
{
	struct pagus_posix *x = open_bytes(8 * MIB);
	const bool rseq = has(PAGUS_POSIX_CPU_RSEQ);

	(void)state;
	assert_string_equal(pagus_posix_cpu_source(x),
			    names[rseq ? PAGUS_POSIX_CPU_RSEQ : PAGUS_POSIX_CPU_GETCPU]);
	print_message("CPU numbers from %s\n", pagus_posix_cpu_source(x));
	/* TEST_NO_RSEQ: the C library was told to register none. */
	if (getenv("TEST_NO_RSEQ"))
		assert_false(rseq);
	pagus_posix_destroy(x);
}

static void note_cpu(void *ctx, const struct pagus_event *event)
{
	*(uint32_t *)ctx = event->cpu;
}

/* The CPU that a call of this thread acts for. */
static uint32_t acting_cpu(struct pagus_posix *x)
{
	uint32_t cpu = UINT32_MAX;
	void *block;

	pagus_listen(pagus_posix_instance(x), note_cpu, &cpu, 1u << PAGUS_EVENT_ALLOC);
	block = pagus_posix_get(x, GFP_TRY, 0);
	pagus_listen(pagus_posix_instance(x), NULL, NULL, 0);
	assert_non_null(block);
	assert_int_equal(pagus_posix_put(x, block, 0), PAGUS_OK);
	return cpu;
}

static void a_thread_that_stays_acts_for_its_cpu(void **state)
{
	cpu_set_t before;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (uint32_t source = PAGUS_POSIX_CPU_RSEQ; source <= PAGUS_POSIX_CPU_GETCPU; source++) {
		struct pagus_posix *x;

		if (!has((enum pagus_posix_cpu_source)source))
			continue;
		x = open_with(&(struct pagus_posix_config){
			.bytes = 8 * MIB, .cpu_source = (enum pagus_posix_cpu_source)source,
			.nr_cpus = PAGUS_MAX_CPUS,
		});
		assert_string_equal(pagus_posix_cpu_source(x), names[source]);
		for (uint32_t cpu = allowed_cpu(0); cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &before))
				continue;
			assert_true(stay_on(cpu));
			assert_int_equal(acting_cpu(x), cpu % PAGUS_MAX_CPUS);
		}
		sched_setaffinity(0, sizeof(before), &before);
		pagus_posix_destroy(x);
	}
}

static void *ask_acting_cpu(void *x)
{
	return (void *)(uintptr_t)acting_cpu(x);
}

/* With a number a thread, a new thread acts for the next CPU, round the end. */
static void threads_are_spread_where_cpus_cannot_be_told(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 8 * MIB, .cpu_source = PAGUS_POSIX_CPU_THREAD, .nr_cpus = 3,
	});
	uint32_t mine = acting_cpu(x);

	(void)state;
	assert_in_range(mine, 0, 2);
	assert_int_equal(acting_cpu(x), mine);
	for (uint32_t n = 0, last = UINT32_MAX; n < 7; n++) {
		pthread_t thread;
		void *cpu;

		assert_int_equal(pthread_create(&thread, NULL, ask_acting_cpu, x), 0);
		pthread_join(thread, &cpu);
		if (last != UINT32_MAX)
			assert_int_equal((uintptr_t)cpu, (last + 1) % 3);
		last = (uint32_t)(uintptr_t)cpu;
	}
	close_empty(x, 8 * MIB);
}

/* ---- moving threads -------------------------------------------------------------------------- */

static void move(struct load *load, uint32_t round)
{
	if (round % 50)
		return;
	/* The next one that is there; in vain where there is but one. */
	stay_on((uint32_t)lab_random(&load->seed, 8));
}

static void blocks_survive_whatever_the_numbers_say(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (uint32_t source = PAGUS_POSIX_CPU_RSEQ; source < PAGUS_POSIX_NR_CPU_SOURCES; source++)
		for (uint32_t nr_cpus = 0; nr_cpus < 4; nr_cpus += 1 + nr_cpus) {
			struct load like = { .seed = seed, .nr_rounds = 3000, .max_order = 6,
					     .each_round = move };

			if (!has((enum pagus_posix_cpu_source)source))
				continue;
			/* 0: the system's; 1 and 3: too few for it, or none too many. */
			like.x = open_with(&(struct pagus_posix_config){
				.bytes = 32 * MIB, .nr_cpus = nr_cpus,
				.cpu_source = (enum pagus_posix_cpu_source)source,
			});
			load_all(&like);
			close_empty(like.x, 32 * MIB);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_that_there_is_is_used),
		cmocka_unit_test(a_thread_that_stays_acts_for_its_cpu),
		cmocka_unit_test(threads_are_spread_where_cpus_cannot_be_told),
		cmocka_unit_test(blocks_survive_whatever_the_numbers_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
