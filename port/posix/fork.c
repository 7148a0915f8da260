/* SPDX-License-Identifier: MIT */
/*
 * The instances of the process, and what is done to all of them: freezing, and fork().
 *
 * fork(): the child gets a copy of each instance in which no call is under way. The gate is closed
 * before and opened after, in both processes, so every lock but OOM's is free in between. That one
 * may be held by a thread that is in the program's own call; what it guards is no state. The gate is
 * closed at a moment when no other thread is in the middle of a span (port.h: span_begin), whose
 * pageblocks would stay isolated in the child.
 */
#include "gate.h"
#include "handle.h"
#include "hot.h"

static struct pagus_posix *instances;
static struct px_lock instances_lock;
static bool has_closed; /* the gate was open before: of who holds instances_lock */

static void prepare(void)
{
	px_lock_take(&instances_lock);
	has_closed = px_gate_close_between_spans();
	/* A sequence makes two stores, of which the child might have one. */
	for (struct pagus_posix *x = instances; x; x = x->next)
		px_hot_stop(x);
}

static void go_on_in_parent(void)
{
	if (has_closed)
		pagus_posix_thaw();
	px_lock_release(&instances_lock);
}

static void go_on_in_child(void)
{
	px_hot_renew();
	px_gate_renew(has_closed);
	for (struct pagus_posix *x = instances; x; x = x->next) {
		x->locks[x->first_lock[PAGUS_LOCK_OOM]].lock.word = 0;
		x->foreign |= x->backing == PAGUS_POSIX_MEMFD;
		if (x->foreign)
			px_hot_destroy(x);
		px_handles_renew(x);
		px_workers_renew(x);
	}
	instances_lock.word = 0;
}

/* Both locks are taken in the order of prepare(). */
void pagus_posix_freeze(void)
{
	px_gate_open();
	px_lock_take(&instances_lock);
	px_gate_close();
	for (struct pagus_posix *x = instances; x; x = x->next)
		px_hot_stop(x);
	px_lock_release(&instances_lock);
}

static int watch_error;

static void watch_once(void)
{
	watch_error = pthread_atfork(prepare, go_on_in_parent, go_on_in_child);
}

bool px_fork_watch(struct pagus_posix *x)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_once);
	if (watch_error)
		return false;
	px_lock_take(&instances_lock);
	x->next = instances;
	instances = x;
	px_lock_release(&instances_lock);
	return true;
}

/* It may not be there: its creation may have failed before. */
void px_fork_forget(struct pagus_posix *x)
{
	struct pagus_posix **link = &instances;

	px_lock_take(&instances_lock);
	while (*link && *link != x)
		link = &(*link)->next;
	if (*link)
		*link = x->next;
	px_lock_release(&instances_lock);
}
