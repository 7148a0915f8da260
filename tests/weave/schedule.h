/* SPDX-License-Identifier: MIT */
/*
 * Virtual CPUs' callers as coroutines of one thread, and who of them runs. At each point one may be
 * put aside for another; which, a seed says, or a list of switches that is repeated. At a lock that
 * is held the caller waits, and others run.
 */
#ifndef WEAVE_SCHEDULE_H
#define WEAVE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "weave/fiber.h"

#define WEAVE_CALLERS FIBERS
#define WEAVE_OUTSIDE WEAVE_CALLERS /* who sets up and checks, while none of them runs */
#define WEAVE_NOBODY  (WEAVE_CALLERS + 1)
#define WEAVE_SWITCHES 8192

struct weave_lock {
	uint32_t holder; /* a caller, OUTSIDE or NOBODY */
	const char *name;
};

/* At this point, counted from the schedule's first, another went on than would have anyway. */
struct weave_switch {
	uint32_t step, to;
	char where[16];
};

/* What a schedule was: enough to repeat it, also in another process, and to say how it ended. */
struct weave_log {
	uint64_t seed;
	uint32_t steps, nr_switches;
	struct weave_switch switches[WEAVE_SWITCHES];
	char failure[200]; /* empty: it passed */
};

/* What happens from now on, within a schedule or before, is written down there. */
void weave_log_to(struct weave_log *log);

/*
 * Run `body` for each of `nr` callers until all have ended. Fresh schedules are made from the
 * log's seed and written down there; with `repeat` they are what it says.
 */
void weave_run(const struct weave_log *repeat, uint32_t nr, void (*body)(uint32_t self));

/* Who runs. */
uint32_t weave_self(void);

/* Others may run here. */
void weave_point(const char *where);

/* Until `off` again, no others. */
void weave_alone(bool on);

/* A call of the running caller begins: it has to end within a bound of points. */
void weave_call(void);

void weave_lock(struct weave_lock *lock);
bool weave_trylock(struct weave_lock *lock);
void weave_unlock(struct weave_lock *lock);

/* At each point of a caller: what may happen there. NULL: nothing. */
extern void (*weave_at_point)(uint32_t self);

/* The schedule has failed: this process ends, with the log as it is. */
void weave_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Reproducible random numbers below `limit`. */
uint32_t weave_random(uint64_t *seed, uint32_t limit);

#endif
