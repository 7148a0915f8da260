/* SPDX-License-Identifier: MIT */
/* What the callers of a schedule do: a table of scenarios, and the calls that they are made of. */
#ifndef WEAVE_SCENARIO_H
#define WEAVE_SCENARIO_H

#include "weave/schedule.h"

enum scenario_call {
	CALL_ALLOC,        /* a page */
	CALL_ALLOC_BLOCK,  /* up to a pageblock, of any migratetype */
	CALL_FREE,         /* any block, whoever had it */
	CALL_FREE_BULK,
	CALL_ALLOC_NOLOCK,
	CALL_FREE_NOLOCK,
	CALL_DRAIN,        /* one CPU */
	CALL_DRAIN_ALL,
	CALL_TICK,
	CALL_HOTPLUG,      /* a CPU goes, or comes again */
	CALL_PCPS,         /* the zone's pcps go off, or on again */
	CALL_ISOLATE,
	CALL_MOVE,         /* what some blocks hold, elsewhere */
	CALL_COMPACT,
	CALL_CACHE,        /* a cache is opened */
	CALL_FILL,         /* several blocks of one order at once, as for a cache */
	CALL_SPILL,
	NR_CALLS
};

/* How often a caller makes which call, and how many. */
struct scenario_role {
	uint8_t nr_calls, weight[NR_CALLS];
};

struct scenario {
	const char *name, *about;
	uint32_t nr_callers; /* and CPUs */
	uint32_t pages;      /* handed out before */
	bool migrates;       /* callers change CPU between calls */
	bool interrupts;     /* nolock calls come in the middle of other calls */
	bool captures;
	const struct scenario_role *roles[WEAVE_CALLERS];
};

extern const struct scenario scenarios[];
extern const uint32_t nr_scenarios;

/* One schedule of it. Fails by weave_fail. */
void scenario_run(const struct scenario *scenario, struct weave_log *log,
		  const struct weave_log *repeat);

#endif
