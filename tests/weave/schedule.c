/* SPDX-License-Identifier: MIT */
#include "weave/schedule.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "unit/lab.h"

#define MOST_CALL_POINTS 20000 /* of one call, others' not counted */
#define MOST_CHANGES     4

void (*weave_at_point)(uint32_t self);

struct caller {
	bool ended;
	struct weave_lock *waits; /* for this; NULL: for nothing */
	uint32_t points;          /* of its present call */
	uint32_t rank;            /* where ranks decide: the highest that can goes on */
};

static struct {
	struct caller callers[WEAVE_CALLERS];
	uint32_t nr, self, step;
	bool alone;
	struct weave_log *log;
	const struct weave_log *repeat;
	uint32_t repeated;   /* of its switches */
	uint64_t random;
	uint32_t rarity;     /* one point in 2^this is a switch */
	bool ranked;         /* ranks decide, and change at these steps */
	uint32_t changes[MOST_CHANGES], nr_changes;
} run = { .self = WEAVE_OUTSIDE };

uint32_t weave_random(uint64_t *seed, uint32_t limit)
{
	return (uint32_t)lab_random(seed, limit);
}

void weave_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(run.log->failure, sizeof(run.log->failure), format, args);
	va_end(args);
	_exit(1);
}

uint32_t weave_self(void)
{
	return run.self;
}

void weave_alone(bool on)
{
	run.alone = on;
}

void weave_call(void)
{
	if (run.self < WEAVE_CALLERS)
		run.callers[run.self].points = 0;
}

/* ---- who goes on ----------------------------------------------------------------------------- */

static bool can_run(uint32_t n)
{
	const struct caller *caller = &run.callers[n];

	return !caller->ended && (!caller->waits || caller->waits->holder == WEAVE_NOBODY);
}

/* Where nothing is decided: who runs goes on, else the first that can. */
static uint32_t usual(uint32_t self)
{
	if (self < run.nr && can_run(self))
		return self;
	for (uint32_t n = 0; n < run.nr; n++)
		if (can_run(n))
			return n;
	return WEAVE_NOBODY;
}

static uint32_t by_rank(uint32_t self)
{
	uint32_t best = WEAVE_NOBODY;

	for (uint32_t n = 0; n < run.nr_changes && self < run.nr; n++)
		if (run.changes[n] == run.step)
			run.callers[self].rank = n; /* below all that have not been lowered */
	for (uint32_t n = 0; n < run.nr; n++)
		if (can_run(n) && (best == WEAVE_NOBODY ||
				   run.callers[n].rank > run.callers[best].rank))
			best = n;
	return best;
}

static uint32_t by_chance(uint32_t self)
{
	uint32_t able[WEAVE_CALLERS], nr = 0;

	if (self < run.nr && can_run(self) && weave_random(&run.random, 1u << run.rarity))
		return self;
	for (uint32_t n = 0; n < run.nr; n++)
		if (can_run(n))
			able[nr++] = n;
	return nr ? able[weave_random(&run.random, nr)] : WEAVE_NOBODY;
}

static uint32_t as_before(uint32_t self)
{
	const struct weave_log *repeat = run.repeat;
	uint32_t n = run.repeated;

	while (n < repeat->nr_switches && repeat->switches[n].step < run.step)
		n++;
	run.repeated = n;
	if (n < repeat->nr_switches && repeat->switches[n].step == run.step &&
	    can_run(repeat->switches[n].to))
		return repeat->switches[n].to;
	return usual(self);
}

static uint32_t choose(uint32_t self, const char *where)
{
	struct weave_log *log = run.log;
	uint32_t to = run.repeat ? as_before(self) : run.ranked ? by_rank(self) : by_chance(self);

	if (to != usual(self) && log->nr_switches < WEAVE_SWITCHES) {
		struct weave_switch *sw = &log->switches[log->nr_switches++];

		*sw = (struct weave_switch){ .step = run.step, .to = to };
		snprintf(sw->where, sizeof(sw->where), "%s", where);
	}
	return to;
}

static void count_step(void)
{
	run.log->steps = ++run.step;
	if (++run.callers[run.self].points > MOST_CALL_POINTS)
		weave_fail("a call of CPU %u does not end", run.self);
}

/* The caller that runs gives way; whoever is chosen, back here it can go on. */
static void give_way(void)
{
	uint32_t self = run.self;

	fiber_leave(self, false);
	run.self = self;
}

static uint32_t chosen; /* by the caller that has given way; NOBODY: it could not say */

void weave_point(const char *where)
{
	uint32_t self = run.self;

	if (self >= WEAVE_CALLERS || run.alone)
		return;
	count_step();
	chosen = choose(self, where);
	if (chosen != self)
		give_way();
	if (weave_at_point)
		weave_at_point(self);
}

/* What a core that is compiled for these tests calls (base/atomic.h). */
void pg_weave_point(void)
{
	weave_point("atomic");
}

/* ---- locks ----------------------------------------------------------------------------------- */

void weave_lock(struct weave_lock *lock)
{
	uint32_t self = run.self;

	weave_point(lock->name);
	while (lock->holder != WEAVE_NOBODY) {
		if (self >= WEAVE_CALLERS || run.alone)
			weave_fail("lock %s is held by %u where none can wait", lock->name,
				   lock->holder);
		if (lock->holder == self)
			weave_fail("CPU %u waits for lock %s, which it holds", self, lock->name);
		run.callers[self].waits = lock;
		count_step();
		chosen = choose(self, lock->name);
		give_way();
	}
	if (self < WEAVE_CALLERS)
		run.callers[self].waits = NULL;
	lock->holder = self;
}

bool weave_trylock(struct weave_lock *lock)
{
	weave_point(lock->name);
	if (lock->holder != WEAVE_NOBODY)
		return false;
	lock->holder = run.self;
	return true;
}

void weave_unlock(struct weave_lock *lock)
{
	if (lock->holder != run.self)
		weave_fail("lock %s is let go by %u and held by %u", lock->name, run.self,
			   lock->holder);
	lock->holder = WEAVE_NOBODY;
	weave_point(lock->name);
}

/* ---- a schedule ------------------------------------------------------------------------------ */

static void (*the_body)(uint32_t self);

static void live(uint32_t self)
{
	run.self = self;
	the_body(self);
	run.callers[self].ended = true;
	chosen = WEAVE_NOBODY;
}

/* Half of the schedules switch by chance, more or less often; half seldom, at chosen steps. */
static void begin_schedule(uint64_t seed)
{
	uint32_t length;

	run.random = seed;
	run.rarity = weave_random(&run.random, 6);
	run.ranked = weave_random(&run.random, 2);
	run.nr_changes = 1 + weave_random(&run.random, MOST_CHANGES);
	length = 32u << weave_random(&run.random, 6);
	for (uint32_t n = 0; n < run.nr_changes; n++)
		run.changes[n] = 1 + weave_random(&run.random, length);
	for (uint32_t n = 0; n < run.nr; n++)
		run.callers[n] =
			(struct caller){ .rank = MOST_CHANGES + weave_random(&run.random, 64) };
}

static void blame_deadlock(void)
{
	for (uint32_t n = 0; n < run.nr; n++)
		if (!run.callers[n].ended)
			weave_fail("deadlock: CPU %u waits for lock %s, held by %u", n,
				   run.callers[n].waits->name, run.callers[n].waits->holder);
}

void weave_log_to(struct weave_log *log)
{
	run.log = log;
	log->steps = log->nr_switches = 0;
	log->failure[0] = '\0';
}

void weave_run(const struct weave_log *repeat, uint32_t nr, void (*body)(uint32_t self))
{
	run.repeat = repeat;
	run.repeated = run.step = 0;
	run.nr = nr;
	run.alone = false;
	the_body = body;
	begin_schedule(run.log->seed);
	for (uint32_t n = 0; n < nr; n++)
		fiber_make(n, live);
	for (chosen = WEAVE_NOBODY;;) {
		if (chosen == WEAVE_NOBODY) {
			run.step++;
			chosen = choose(WEAVE_OUTSIDE, "end");
		}
		if (chosen == WEAVE_NOBODY)
			break;
		run.self = chosen;
		fiber_enter(chosen);
		run.self = WEAVE_OUTSIDE;
	}
	blame_deadlock();
}
