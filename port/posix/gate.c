/* SPDX-License-Identifier: MIT */
/*
 * Closing the gate and waiting at it. The closer: close; membarrier; wait until no thread is in a
 * call. A thread that has read the gate as open before the membarrier is seen in its call after it;
 * one that reads later finds the gate closed, steps back and sleeps.
 *
 * Records of threads are never unmapped: who walks the list needs no lock.
 */
#include "gate.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdlib.h>

#include "futex.h"

#define NR_IN_CHUNK 64
#define NR_YIELDS   100
#define NR_MOMENTS  10   /* that the begin of a span waits for a fork() */
#define NR_LOOKS    1000 /* of a fork(), a moment apart */
#define MOMENT_NS   1000000

_Thread_local struct px_thread *px_me;
uint32_t px_gate_closed; /* futex */

static struct px_thread *threads;     /* all records, newest first */
static uint32_t nr_threads;           /* that there have been */
static struct px_lock closer_lock;    /* held from close to open */
static struct px_thread *closer;      /* who holds it */
static pthread_key_t at_exit;
static bool has_barrier;
static uint32_t forks_wait;           /* a thread that forks waits for the ends of spans */

/* ---- records --------------------------------------------------------------------------------- */

/* The thread ends. What it still calls after this takes a record again. */
static void release_record(void *record)
{
	struct px_thread *me = record;

	px_me = NULL;
	__atomic_store_n(&me->taken, 0, __ATOMIC_RELEASE);
}

static void open_once(void)
{
	has_barrier = pthread_key_create(&at_exit, release_record) == 0 &&
		      syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

bool px_gate_open(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, open_once);
	return has_barrier;
}

static struct px_thread *take_record(void)
{
	for (struct px_thread *t = __atomic_load_n(&threads, __ATOMIC_ACQUIRE); t; t = t->next)
		if (__atomic_exchange_n(&t->taken, 1, __ATOMIC_ACQUIRE) == 0)
			return t;
	return NULL;
}

/* The first of the new ones is taken. */
static struct px_thread *add_records(void)
{
	struct px_thread *chunk = px_map_own(NR_IN_CHUNK * sizeof(*chunk));

	/* A page for what a call cannot do without. */
	if (!chunk)
		abort();
	chunk[0].taken = 1;
	for (uint32_t n = 0; n + 1 < NR_IN_CHUNK; n++)
		chunk[n].next = &chunk[n + 1];
	chunk[NR_IN_CHUNK - 1].next = __atomic_load_n(&threads, __ATOMIC_ACQUIRE);
	while (!__atomic_compare_exchange_n(&threads, &chunk[NR_IN_CHUNK - 1].next, chunk, true,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	return chunk;
}

struct px_thread *px_thread_register(void)
{
	struct px_thread *me = take_record();

	if (!me)
		me = add_records();
	me->number = __atomic_fetch_add(&nr_threads, 1, __ATOMIC_RELAXED);
	px_me = me;
	pthread_setspecific(at_exit, me);
	return me;
}

/* ---- the gate -------------------------------------------------------------------------------- */

void px_gate_wait(struct px_thread *me)
{
	/* The closer goes on. So does what has interrupted a call: the closer waits for it. */
	if (me->in_call > 1 || __atomic_load_n(&closer, __ATOMIC_RELAXED) == me)
		return;
	do {
		__atomic_store_n(&me->in_call, 0, __ATOMIC_RELEASE);
		px_futex_wait(&px_gate_closed, 1, NULL);
		__atomic_store_n(&me->in_call, 1, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&px_gate_closed, __ATOMIC_ACQUIRE));
}

/* Calls that hold no port up are short; what they wait for is held by others in calls. */
static void wait_for(const struct px_thread *t)
{
	const struct timespec moment = { .tv_nsec = 50000 };

	for (uint32_t n = 0; __atomic_load_n(&t->in_call, __ATOMIC_ACQUIRE); n++) {
		if (n < NR_YIELDS)
			sched_yield();
		else
			nanosleep(&moment, NULL);
	}
}

bool px_gate_close(void)
{
	const struct px_thread *t;
	struct px_thread *me = px_thread_me();

	if (__atomic_load_n(&closer, __ATOMIC_RELAXED) == me)
		return false;
	px_lock_take(&closer_lock);
	__atomic_store_n(&closer, me, __ATOMIC_RELAXED);
	__atomic_store_n(&px_gate_closed, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	t = __atomic_load_n(&threads, __ATOMIC_ACQUIRE);
	for (; t; t = t->next)
		if (t != me)
			wait_for(t);
	return true;
}

void pagus_posix_thaw(void)
{
	/* A signal handler in between finds the gate open, or this thread its closer. */
	__atomic_store_n(&px_gate_closed, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&closer, NULL, __ATOMIC_RELAXED);
	px_futex_wake(&px_gate_closed, INT_MAX);
	px_lock_release(&closer_lock);
}

/* ---- spans ----------------------------------------------------------------------------------- */

static void wait_a_moment(void)
{
	const struct timespec moment = { .tv_nsec = MOMENT_NS };
	int saved = errno;

	nanosleep(&moment, NULL);
	errno = saved;
}

void px_span_begin(void *ctx)
{
	struct px_thread *me = px_thread_me();

	(void)ctx;
	for (uint32_t n = 0; me->spans == 0 && n < NR_MOMENTS &&
			     __atomic_load_n(&forks_wait, __ATOMIC_ACQUIRE); n++)
		wait_a_moment();
	/* It changes nothing before its thread has been in the gate, which is after this store. */
	__atomic_store_n(&me->spans, me->spans + 1, __ATOMIC_RELEASE);
}

void px_span_end(void *ctx)
{
	(void)ctx;
	__atomic_store_n(&px_me->spans, px_me->spans - 1, __ATOMIC_RELEASE);
}

static bool others_in_spans(void)
{
	const struct px_thread *t = __atomic_load_n(&threads, __ATOMIC_ACQUIRE);

	for (; t; t = t->next)
		if (t != px_me && __atomic_load_n(&t->spans, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

bool px_gate_close_between_spans(void)
{
	bool has_closed = px_gate_close();

	for (uint32_t n = 0; n < NR_LOOKS && has_closed && others_in_spans(); n++) {
		__atomic_store_n(&forks_wait, 1, __ATOMIC_RELEASE);
		pagus_posix_thaw();
		wait_a_moment();
		has_closed = px_gate_close();
	}
	__atomic_store_n(&forks_wait, 0, __ATOMIC_RELEASE);
	return has_closed;
}

void px_gate_renew(bool closed)
{
	for (struct px_thread *t = threads; t; t = t->next)
		if (t != px_me)
			t->taken = t->in_call = t->spans = 0;
	forks_wait = 0;
	/* Once more does no harm where the child has its parent's registration. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	if (closed)
		pagus_posix_thaw();
}
