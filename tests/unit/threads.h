/* SPDX-License-Identifier: MIT */
/* Real threads on one instance, each a CPU of its own, over a port whose locks are mutexes. */
#ifndef TEST_THREADS_H
#define TEST_THREADS_H

#include "unit/mutex_port.h"
#include "unit/unit.h"

#define NR_THREADS 4

struct worker {
	struct pagus *p;
	void (*work)(struct worker *w);
	uint64_t seed;
	uint32_t cpu;
	int failures; /* calls that had to succeed and did not */
};

static inline void *thread_start(void *arg)
{
	struct worker *w = arg;

	thread_cpu = w->cpu;
	w->work(w);
	return NULL;
}

/*
 * Let NR_THREADS CPUs work, and check the instance when all have ended. It has one zone and
 * NR_THREADS CPUs. Worker n has the seed `seed` + n.
 */
static inline void threads_run(struct lab *lab, void (*work)(struct worker *w), uint64_t seed)
{
	static const struct pagus_port port = THREAD_PORT;
	struct worker workers[NR_THREADS];
	pthread_t threads[NR_THREADS];

	thread_locks_init();
	lab->p.port = &port;
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		workers[n] = (struct worker){ .p = &lab->p, .work = work, .seed = seed + n, .cpu = n };
		assert_int_equal(pthread_create(&threads[n], NULL, thread_start, &workers[n]), 0);
	}
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		pthread_join(threads[n], NULL);
		assert_int_equal(workers[n].failures, 0);
	}
	lab->p.port = &pagus_sim_port;
	unit_check(lab);
}

#endif
