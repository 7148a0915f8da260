/* SPDX-License-Identifier: MIT */
/*
 * Flows of control: what one task does, wherever it runs, or what interrupts of one CPU do. A CPU's
 * idle task never leaves it. Events of one flow are in the order in which it made them; those of
 * others come in between.
 */
#ifndef TRACE_FLOW_H
#define TRACE_FLOW_H

#include "trace/trace.h"

#define TRACE_IN_SOFTIRQ   0x10u /* in an event's irqflags */
#define TRACE_IN_INTERRUPT 0x18u /* hard or soft */
#define TRACE_POP_HARDIRQ  2u    /* in x2 of a pop or refill, whose hard bit is that of the probe */

struct trace_flow {
	int32_t pid;
	uint8_t cpu; /* of interrupts and the idle task; else 0 */
	bool interrupt;
};

static inline bool trace_in_interrupt(const struct trace_event *ev)
{
	if (ev->type == TRACE_POP || ev->type == TRACE_REFILL)
		return (ev->x2 & TRACE_POP_HARDIRQ) || (ev->irqflags & TRACE_IN_SOFTIRQ);
	return ev->irqflags & TRACE_IN_INTERRUPT;
}

static inline struct trace_flow trace_flow_of(const struct trace_event *ev)
{
	bool interrupt = trace_in_interrupt(ev);

	return (struct trace_flow){
		.pid = ev->pid, .interrupt = interrupt,
		.cpu = interrupt || ev->pid == 0 ? ev->cpu : 0,
	};
}

static inline bool trace_flow_equal(struct trace_flow a, struct trace_flow b)
{
	return a.pid == b.pid && a.cpu == b.cpu && a.interrupt == b.interrupt;
}

static inline bool trace_same_flow(const struct trace_event *a, const struct trace_event *b)
{
	return trace_flow_equal(trace_flow_of(a), trace_flow_of(b));
}

#endif
