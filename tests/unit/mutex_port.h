/* SPDX-License-Identifier: MIT */
/* A port for real threads: each says on which CPU it is, and locks are mutexes. */
#ifndef TEST_MUTEX_PORT_H
#define TEST_MUTEX_PORT_H

#include <pagus/pagus.h>

#include <pthread.h>

#define MOST_CPUS 16 /* of an instance with one zone */

static pthread_mutex_t thread_locks[PAGUS_NR_LOCK_CLASSES][MOST_CPUS];
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

static inline void thread_unlock(void *ctx, enum pagus_lock_class cls, uint32_t index,
				 uint32_t work)
{
	(void)ctx;
	(void)work;
	pthread_mutex_unlock(&thread_locks[cls][index]);
}

static inline void thread_locks_init(void)
{
	for (uint32_t n = 0; n < MOST_CPUS; n++)
		for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++)
			pthread_mutex_init(&thread_locks[cls][n], NULL);
}

#define THREAD_PORT                                                                               \
	{ .cpu_pin = thread_pin, .cpu_unpin = thread_unpin, .lock = thread_lock,                  \
	  .trylock = thread_trylock, .unlock = thread_unlock }

#endif
