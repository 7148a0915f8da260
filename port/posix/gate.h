/* SPDX-License-Identifier: MIT */
/*
 * The gate: each thread says in a word of its own that it is inside a call, and who closes the gate
 * waits until none is. The fast way in is a store and a load without a fence between them; the
 * closer's membarrier puts one into all threads at once (gate.c).
 */
#ifndef PX_GATE_H
#define PX_GATE_H

#include "posix.h"

/* A thread that has made a call. */
struct px_thread {
	_Alignas(64) uint32_t in_call; /* calls that it is in; 2: a handler's, inside one */
	uint32_t taken;                /* 0: the record is nobody's, its thread has ended */
	uint32_t number;               /* for PAGUS_POSIX_CPU_THREAD */
	uint32_t spans;                /* what it has begun that fork() waits for the end of */
	struct px_thread *next;
};

/* A signal handler may be the first to need it: no allocation at that time. */
extern _Thread_local struct px_thread *px_me __attribute__((tls_model("initial-exec")));
extern uint32_t px_gate_closed;

/* Once before anything below: false if the system has no membarrier. */
bool px_gate_open(void);

struct px_thread *px_thread_register(void);
void px_gate_wait(struct px_thread *me);

static inline struct px_thread *px_thread_me(void)
{
	struct px_thread *me = px_me;

	return px_unlikely(!me) ? px_thread_register() : me;
}

static inline struct px_thread *px_gate_enter(void)
{
	struct px_thread *me = px_thread_me();

	__atomic_store_n(&me->in_call, me->in_call + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (px_unlikely(__atomic_load_n(&px_gate_closed, __ATOMIC_ACQUIRE)))
		px_gate_wait(me);
	return me;
}

static inline void px_gate_leave(void)
{
	struct px_thread *me = px_me;

	__atomic_store_n(&me->in_call, me->in_call - 1, __ATOMIC_RELEASE);
}

/* What pagus_posix_freeze begins with, unless the calling thread has done so already: false then. */
bool px_gate_close(void);

/*
 * The port's calls of these names. While a fork() waits, what would be a thread's first waits for a
 * moment, so that there comes one at which there is none: but a moment only, for the thread may
 * hold what another needs to come to its end.
 */
void px_span_begin(void *ctx);
void px_span_end(void *ctx);

/*
 * Close the gate as px_gate_close does, when no other thread is in a span, or a second has gone by:
 * what such a thread waits for may be the calling thread's. Where it had closed the gate before, the
 * others can come to no end, and nothing is waited for.
 */
bool px_gate_close_between_spans(void);

/* In a child: no thread is there but the calling one, which has closed the gate if `closed`. */
void px_gate_renew(bool closed);

#endif
