/* SPDX-License-Identifier: MIT */
/*
 * Explaining one recorded event: where its decision was made, what the library would do there and
 * why, and what the recorded kernel did.
 *
 *     event N -> the event of its decision -> verification up to there -> a copy of the machine decides
 */
#ifndef EXPLAIN_EXPLAIN_H
#define EXPLAIN_EXPLAIN_H

#include "replay/machine.h"

enum explain_kind { EXPLAIN_ALLOC, EXPLAIN_FREE, EXPLAIN_DRAIN };

struct explain_target {
	enum explain_kind kind;
	uint64_t number;             /* of the event asked for */
	struct trace_event event;
	uint64_t decided;            /* number of the event in front of which the decision is made */
	struct trace_event decision;
	bool requested;              /* the recording has the request as it entered, or as it was answered */
	struct trace_event request;  /* TRACE_REQUEST or TRACE_ALLOC */
	uint64_t begun;              /* number of the event that a drain follows from */
	struct trace_event beginning;
};

/*
 * Read the trace up to event `number`, find its decision among the 65536 events before it, and the
 * request among these and as many behind it. False with *err if there is no such event, or if it is
 * none that decides about pages.
 */
bool explain_find(struct trace *t, uint64_t number, struct explain_target *x,
		  struct trace_error *err);

/* Print it, for the machine as it is in front of the decision. The machine stays as it is. */
bool explain_print(const struct explain_target *x, struct machine *m, struct trace_error *err);

#endif
