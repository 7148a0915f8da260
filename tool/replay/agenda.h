/* SPDX-License-Identifier: MIT */
/*
 * The agenda: what happens in a replay besides the recorded events, and when. Workers that have been
 * woken work before the next event; by the recorded clock kcompactd looks around every 500 ms, the
 * worker of superpageblocks every second, and huge pages are asked for and given back.
 */
#ifndef REPLAY_AGENDA_H
#define REPLAY_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

#include <pagus/port.h>

#include "trace/trace.h"

struct replay;

#define AGENDA_NEVER UINT64_MAX

/* Workers that look around by the clock. */
enum agenda_look { AGENDA_KCOMPACTD, AGENDA_EVACUATE, AGENDA_NR_LOOKS };

struct agenda {
	uint64_t awake[PAGUS_NR_WORKERS]; /* bit n: that of node n */
	bool timed;         /* something comes by the clock */
	double ns_per_unit; /* of the trace's clock */
	uint64_t look_ns[AGENDA_NR_LOOKS]; /* each one's next; AGENDA_NEVER: it does not */
	uint64_t due_ns;    /* the earliest of all that comes by the clock */
};

/* From here on workers are woken, and the clock runs. */
void agenda_install(struct replay *r);

/*
 * How many ns a unit of the trace's clock is. A clock in cycles is known by the time between the
 * snapshots alone, so such a trace is read to its end, and rewound. False with *err if that fails.
 */
bool agenda_clock(struct trace *t, double *ns_per_unit, struct trace_error *err);

/* Do what is due before an event at this time of the trace's clock. NULL, or why it cannot be. */
const char *agenda_until(struct replay *r, uint64_t ts);

/* Let workers work that have been woken. */
void agenda_work(struct replay *r);

#endif
