/* SPDX-License-Identifier: MIT */
#include "verify/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void window_init(struct window *w, struct trace *t)
{
	*w = (struct window){ .trace = t };
}

void window_fini(struct window *w)
{
	free(w->events);
	*w = (struct window){ 0 };
}

/* Read one more batch behind those held; what lies before the current event goes. */
static int read_batch(struct window *w, struct trace_error *err)
{
	const struct trace_event *batch;
	int nr = w->ended ? 0 : trace_next(w->trace, &batch, err);

	if (nr <= 0) {
		w->ended = nr == 0;
		return nr;
	}
	if (w->at > 0) {
		memmove(w->events, w->events + w->at, (w->nr - w->at) * sizeof(*w->events));
		w->nr -= w->at;
		w->at = 0;
	}
	if (w->nr + (size_t)nr > w->room) {
		size_t room = w->nr + 2 * (size_t)nr;
		struct trace_event *grown = realloc(w->events, room * sizeof(*grown));

		if (!grown) {
			snprintf(err->text, sizeof(err->text), "%s: no memory for events",
				 trace_meta(w->trace)->path);
			return -1;
		}
		w->events = grown;
		w->room = room;
	}
	memcpy(w->events + w->nr, batch, (size_t)nr * sizeof(*batch));
	w->nr += (size_t)nr;
	return nr;
}

int window_next(struct window *w, struct trace_error *err)
{
	bool first = w->nr == 0;

	if (first || w->at + 1 == w->nr) {
		int nr = read_batch(w, err);

		if (nr <= 0)
			return nr;
	}
	if (!first) {
		w->at++;
		w->number++;
	}
	return 1;
}

const struct trace_event *window_read_ahead(struct window *w, size_t ahead)
{
	struct trace_error err;

	while (w->at + ahead >= w->nr)
		if (read_batch(w, &err) <= 0)
			return NULL;
	return &w->events[w->at + ahead];
}
