/* SPDX-License-Identifier: MIT */
/*
 * The instance's own threads: those of a node, which sleep until the library wakes them or it is
 * time to look around, and one that makes the vmstat ticks of all CPUs, where they are asked for.
 */
#include "gate.h"

#include <pagus/compact.h>
#include <pagus/evacuate.h>

#include <signal.h>
#include <string.h>

#include "futex.h"

#define NS_PER_S UINT64_C(1000000000)

static _Thread_local const struct px_worker *self __attribute__((tls_model("initial-exec")));

static bool is_stopped(const struct px_worker *w)
{
	return __atomic_load_n(&w->stop, __ATOMIC_ACQUIRE);
}

/* Whatever came before is seen by the worker after it has found `pending` set. */
static void rouse(struct px_worker *w)
{
	if (__atomic_exchange_n(&w->pending, 1, __ATOMIC_ACQ_REL) == 0)
		px_futex_wake(&w->pending, 1);
}

/* ---- by node --------------------------------------------------------------------------------- */

/* What a kind of worker looks for by the clock, however often it is woken. */
static const struct kind {
	bool (*look)(struct pagus *p, uint32_t node); /* NULL: it only works when it is woken */
	uint64_t every_ns;
} kinds[PAGUS_NR_WORKERS] = {
	[PAGUS_WORKER_KCOMPACTD] = { pagus_kcompactd_tick, UINT64_C(500000000) },
	[PAGUS_WORKER_EVACUATE] = { pagus_evacuate_tick, UINT64_C(1000000000) },
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Until it is woken, or `due`; false if it slept, and has to look what has come. */
static bool is_woken(struct px_worker *w, uint64_t due, uint64_t now)
{
	const struct timespec left = {
		.tv_sec = (time_t)((due - now) / NS_PER_S), .tv_nsec = (long)((due - now) % NS_PER_S),
	};

	if (__atomic_exchange_n(&w->pending, 0, __ATOMIC_ACQ_REL))
		return true;
	px_futex_wait(&w->pending, 0, due == UINT64_MAX ? NULL : &left);
	return false;
}

static void *run_of_node(void *worker)
{
	struct px_worker *w = worker;
	const struct kind *kind = &kinds[w->kind];
	uint64_t due = kind->look ? now_ns() + kind->every_ns : UINT64_MAX, now;

	self = w;
	while (!is_stopped(w)) {
		now = now_ns();
		if (now >= due) {
			kind->look(&w->x->p, w->node);
			due = now + kind->every_ns;
		} else if (!is_woken(w, due, now)) {
			continue;
		}
		while (!is_stopped(w) && pagus_work(&w->x->p, w->kind, w->node))
			;
	}
	return NULL;
}

/* A turn may go through all of a zone: it ends early, as that of a task that is to die. */
bool px_worker_is_to_end(void)
{
	return self && is_stopped(self);
}

static void wake(void *ctx, enum pagus_worker worker, uint32_t node)
{
	struct pagus_posix *x = ctx;
	struct px_worker *w = &x->worker[worker][node];

	if (w->run)
		rouse(w);
}

/* ---- ticks ----------------------------------------------------------------------------------- */

/*
 * In one call of its own, so that nobody changes the handle's listener meanwhile; a frozen instance
 * does not tick.
 */
static void tick_all(struct pagus_posix *x)
{
	struct pagus handle;

	px_gate_enter();
	handle = x->p;
	handle.port = &x->tick_port;
	for (x->tick_cpu = 0; x->tick_cpu < x->nr_cpus; x->tick_cpu++)
		pagus_tick(&handle);
	px_gate_leave();
}

static void *run_tick(void *worker)
{
	struct px_worker *w = worker;
	const struct timespec interval = {
		.tv_sec = w->x->tick_ms / 1000, .tv_nsec = w->x->tick_ms % 1000 * 1000000,
	};

	while (!is_stopped(w)) {
		px_futex_wait(&w->pending, 0, &interval);
		if (!is_stopped(w))
			tick_all(w->x);
	}
	return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Without kswapd nothing is woken, and the others go by the clock alone. */
void px_workers_init(struct pagus_posix *x)
{
	for (uint32_t kind = 0; kind < PAGUS_NR_WORKERS; kind++)
		for (uint32_t n = 0; n < x->nr_nodes && x->has_worker[kind]; n++)
			x->worker[kind][n] = (struct px_worker){
				.x = x, .run = run_of_node, .kind = (enum pagus_worker)kind, .node = n,
			};
	if (x->has_worker[PAGUS_WORKER_KSWAPD])
		x->port.wake = wake;
	if (x->tick_ms)
		x->tick = (struct px_worker){ .x = x, .run = run_tick };
}

/* With all signals blocked: they are for the program's own threads. */
static int start(struct px_worker *w)
{
	sigset_t all, before;
	int error;

	if (!w->run)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&w->thread, NULL, w->run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->exists = error == 0;
	return error;
}

enum pagus_status px_workers_start(struct pagus_posix *x)
{
	int error;

	x->tick_port = x->port;
	x->tick_port.cpu_pin = px_cpu_pin_tick;
	error = start(&x->tick);
	for (uint32_t kind = 0; kind < PAGUS_NR_WORKERS; kind++)
		for (uint32_t n = 0; n < x->nr_nodes && !error; n++)
			error = start(&x->worker[kind][n]);
	if (error)
		return px_error(PAGUS_NO_MEMORY, "a worker's thread: %s", strerror(error));
	return PAGUS_OK;
}

static void stop(struct px_worker *w)
{
	if (!w->exists)
		return;
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELEASE);
	rouse(w);
	pthread_join(w->thread, NULL);
	w->exists = false;
}

void px_workers_stop(struct pagus_posix *x)
{
	stop(&x->tick);
	for (uint32_t kind = 0; kind < PAGUS_NR_WORKERS; kind++)
		for (uint32_t n = 0; n < x->nr_nodes; n++)
			stop(&x->worker[kind][n]);
}

/* Where the parent's was at work the state says so, and nobody would wake the child's. */
void px_workers_renew(struct pagus_posix *x)
{
	x->tick.exists = false;
	for (uint32_t kind = 0; kind < PAGUS_NR_WORKERS; kind++) {
		for (uint32_t n = 0; n < x->nr_nodes; n++) {
			x->worker[kind][n].exists = false;
			x->worker[kind][n].pending = 1;
		}
	}
	if (!x->foreign)
		px_workers_start(x);
}
