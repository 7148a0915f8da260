/* SPDX-License-Identifier: MIT */
#include "verify/ahead.h"

#include <stdlib.h>

bool ahead_init(struct ahead *a, struct trace *t, uint32_t types, uint64_t first_pfn,
		uint64_t end_pfn)
{
	*a = (struct ahead){ .trace = t, .types = types, .first_pfn = first_pfn,
			     .nr_pages = end_pfn - first_pfn };
	a->events = malloc(AHEAD_EVENTS * sizeof(*a->events));
	a->same_page = malloc(AHEAD_EVENTS * sizeof(*a->same_page));
	a->same_cpu = malloc(AHEAD_EVENTS * sizeof(*a->same_cpu));
	a->pages = calloc(a->nr_pages, sizeof(*a->pages));
	return a->events && a->same_page && a->same_cpu && a->pages;
}

void ahead_fini(struct ahead *a)
{
	free(a->events);
	free(a->same_page);
	free(a->same_cpu);
	free(a->pages);
	*a = (struct ahead){ 0 };
}

static void hold_event(struct ahead *a, const struct trace_event *ev)
{
	uint64_t slot = a->end & (AHEAD_EVENTS - 1), number = a->end++;
	struct ahead_page *page = ahead_page(a, ev->pfn);
	uint64_t *last = &a->cpu_last[ev->cpu];

	a->events[slot] = *ev;
	a->same_page[slot] = 0;
	a->same_cpu[slot] = 0;
	if (*last > a->now)
		a->same_cpu[(*last - 1) & (AHEAD_EVENTS - 1)] = number + 1;
	*last = number + 1;
	if (!page)
		return;
	/* Events before the current one are held no more. */
	if (page->last > a->now)
		a->same_page[(page->last - 1) & (AHEAD_EVENTS - 1)] = number + 1;
	if (page->next == 0)
		page->next = number + 1;
	page->last = number + 1;
}

/* Read until the ring is full or the trace has ended. False with *err if it cannot be read. */
static bool fill(struct ahead *a, struct trace_error *err)
{
	while (!a->ended && a->end - a->now < AHEAD_EVENTS) {
		if (a->batch_left == 0) {
			a->batch_left = trace_next(a->trace, &a->batch, err);
			if (a->batch_left < 0)
				return false;
			a->ended = a->batch_left == 0;
			continue;
		}
		if (a->types >> a->batch->type & 1)
			hold_event(a, a->batch);
		a->batch++;
		a->batch_left--;
	}
	return true;
}

int ahead_next(struct ahead *a, struct trace_error *err)
{
	struct ahead_page *page;

	if (a->begun)
		a->now++;
	a->begun = true;
	if (a->end - a->now <= AHEAD_EVENTS - AHEAD_STRIDE && !fill(a, err))
		return -1;
	if (a->now == a->end)
		return 0;
	page = ahead_page(a, ahead_now(a)->pfn);
	if (page)
		page->next = ahead_same_page(a, a->now);
	return 1;
}
