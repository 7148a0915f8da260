/* SPDX-License-Identifier: MIT */
/* Real threads on one instance, each a CPU of its own, over a port whose locks are mutexes. */
#ifndef TEST_THREADS_H
#define TEST_THREADS_H

#include "unit/unit.h"

#include <pthread.h>

#define NR_THREADS 4

struct worker {
	struct pagus *p;
	void (*work)(struct worker *w);
	uint64_t seed;
	uint32_t cpu;
	int failures; /* calls that had to succeed and did not */
};

static pthread_mutex_t thread_locks[PAGUS_NR_LOCK_CLASSES][NR_THREADS];
static _Thread_local uint32_t thread_cpu;

static inline uint32_t thread_pin(void *ctx)
{
	(void)ctx;
	return thread_cpu;
}

static inline void thread_unpin(void *ctx)
{
	(void)ctx;
}

static inline void thread_lock(void *ctx, enum pagus_lock_class cls, uint32_t index,
			       enum pagus_lock_reason why)
{
	(void)ctx;
	(void)why;
	pthread_mutex_lock(&thread_locks[cls][index]);
}

static inline bool thread_trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
				  enum pagus_lock_reason why)
{
	(void)ctx;
	(void)why;
	return pthread_mutex_trylock(&thread_locks[cls][index]) == 0;
}

static inline void thread_unlock(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work)
{
	(void)ctx;
	(void)work;
	pthread_mutex_unlock(&thread_locks[cls][index]);
}

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
	static const struct pagus_port port = {
		.cpu_pin = thread_pin, .cpu_unpin = thread_unpin, .lock = thread_lock,
		.trylock = thread_trylock, .unlock = thread_unlock,
	};
	struct worker workers[NR_THREADS];
	pthread_t threads[NR_THREADS];

	for (uint32_t n = 0; n < NR_THREADS; n++)
		for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++)
			pthread_mutex_init(&thread_locks[cls][n], NULL);
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
