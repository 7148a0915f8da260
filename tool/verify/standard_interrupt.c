/* SPDX-License-Identifier: MIT */
/* Frees of interrupts that came while a pcp was locked. */
#include "verify/standard.h"

#define INTERRUPT_EVENTS 4096 /* the most that are looked at of one interrupt */
#define LOCK_DEPTH       2    /* preemption depth at the least where a pcp is locked */

/* The next event on the CPU that is not of an interrupt; NULL if none is near. */
static const struct trace_event *after_interrupt(const struct lead *l)
{
	const struct ahead *a = &l->standard->ahead;
	uint64_t number = a->now;

	for (uint32_t n = 0; n < INTERRUPT_EVENTS; n++) {
		number = ahead_same_cpu(a, number);
		if (number-- == 0)
			return NULL;
		if (!(ahead_event(a, number)->irqflags & LEAD_IN_INTERRUPT))
			return ahead_event(a, number);
	}
	return NULL;
}

/* What was interrupted goes on with the pcp whose lock it held. */
static bool interrupts_holder(const struct lead *l, const struct trace_event *ev, uint32_t zone)
{
	const struct standard_cpu *cpu = &l->standard->cpus[ev->cpu];
	const struct trace_event *next = after_interrupt(l);
	uint8_t last = cpu->outside.type;

	if (!next || next->pid != cpu->outside.pid || lead_zone_of(l, next->pfn) != zone ||
	    lead_zone_of(l, cpu->outside.pfn) != zone)
		return false;
	switch (next->type) {
	case TRACE_FREE_BATCHED:
	case TRACE_PCPU_DRAIN:
		return last == TRACE_FREE_BATCHED || last == TRACE_PCPU_DRAIN;
	case TRACE_ALLOC:
		return last == TRACE_ZONE_LOCKED || last == TRACE_EXTFRAG;
	default:
		return false;
	}
}

/*
 * An interrupt that comes while its CPU's pcp is locked frees all that it frees in that zone
 * straight to it: what becomes of its pages tells, of the first for which anything does.
 */
bool standard_finds_pcp_locked(struct lead *l, const struct trace_event *ev, uint32_t zone)
{
	const struct ahead *a = &l->standard->ahead;
	struct standard_interrupt *in = &l->standard->cpus[ev->cpu].interrupt;
	uint64_t number = a->now + 1;

	if (!(ev->irqflags & LEAD_IN_INTERRUPT) || (ev->preempt & 0xf) < LOCK_DEPTH)
		return false;
	if (l->number < in->until && in->zone == zone)
		return in->locked;
	*in = (struct standard_interrupt){ .zone = zone };
	in->locked = interrupts_holder(l, ev, zone);
	for (uint32_t n = 0; n < INTERRUPT_EVENTS && number; n++) {
		const struct trace_event *at = ahead_event(a, number - 1);
		uint64_t next;

		if (!standard_same_context(at, ev))
			break;
		in->until = number;
		next = ahead_same_page(a, number - 1);
		if (at->type == TRACE_FREE && lead_cached(l, at->order) && next &&
		    lead_zone_of(l, at->pfn) == zone) {
			uint8_t type = ahead_event(a, next - 1)->type;
			bool taken = type == TRACE_ZONE_LOCKED || type == TRACE_EXTFRAG;
			bool kept = type == TRACE_ALLOC || type == TRACE_PCPU_DRAIN;

			if (!in->known && (taken || kept))
				in->locked = taken;
			in->known |= taken || kept;
		}
		number = ahead_same_cpu(a, number - 1);
	}
	return in->locked;
}
