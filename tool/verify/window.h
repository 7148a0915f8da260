/* SPDX-License-Identifier: MIT */
/* A window on a trace's events: the current one and those after it, as far as is asked. */
#ifndef VERIFY_WINDOW_H
#define VERIFY_WINDOW_H

#include "trace/trace.h"

struct window {
	struct trace *trace;
	struct trace_event *events;
	size_t nr, room, at;   /* at: the current event */
	uint64_t number;       /* of the current event in the trace */
	bool ended;
};

void window_init(struct window *w, struct trace *t);
void window_fini(struct window *w);

/*
 * The next event becomes the current one: 1, 0 at the end, -1 with *err. The first call gives the
 * first.
 */
int window_next(struct window *w, struct trace_error *err);

static inline const struct trace_event *window_now(const struct window *w)
{
	return &w->events[w->at];
}

/* The same as window_ahead, of an event that has not been read yet. */
const struct trace_event *window_read_ahead(struct window *w, size_t ahead);

/*
 * The event `ahead` after the current one; NULL behind the end, or on an error, which window_next
 * will meet. Every pointer that the window has given before is then void.
 */
static inline const struct trace_event *window_ahead(struct window *w, size_t ahead)
{
	return w->at + ahead < w->nr ? &w->events[w->at + ahead] : window_read_ahead(w, ahead);
}

#endif
