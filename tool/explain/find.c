/* SPDX-License-Identifier: MIT */
/*
 * Finding the decision behind an event. What a task or an interrupt does is one flow; an
 * allocation's mm_page_alloc comes last in it, behind the take of its page, behind the request.
 */
#include "explain/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "trace/flow.h"

#define LOOK_BACK 65536

/* The events before the one asked for, as many as there is room for. */
struct history {
	struct trace_event events[LOOK_BACK];
	uint64_t next; /* number of the event that is read next: */
	const struct trace_event *batch;
	int at, nr;    /* its place in the batch, and the batch's size */
};

static const struct trace_event *past(const struct history *h, uint64_t number)
{
	return &h->events[number % LOOK_BACK];
}

static bool is_taken(uint8_t type)
{
	return type == TRACE_ZONE_LOCKED || type == TRACE_EXTFRAG;
}

static bool begins_taking(uint8_t type)
{
	return type == TRACE_REFILL || type == TRACE_WALK;
}

/* The n-th event before the one asked for, if it is of its flow; NULL otherwise, *end behind the last. */
static const struct trace_event *flow_before(const struct history *h, const struct trace_event *ev,
					     uint64_t number, bool *end)
{
	const struct trace_event *before = past(h, number);

	*end = number + LOOK_BACK <= h->next || number >= h->next;
	return !*end && trace_same_flow(before, ev) ? before : NULL;
}

static void decide_at(struct explain_target *x, const struct history *h, uint64_t number)
{
	x->decided = number;
	x->decision = *past(h, number);
}

/*
 * Back to where the page was taken: the pop, or the first take of the refill or walk that brought
 * it. A recording that tells of neither pops when it tells of the allocation.
 */
static void find_decision(struct explain_target *x, const struct history *h)
{
	const struct trace_event *ev = &x->event;
	bool end = false, taken = is_taken(ev->type);

	for (uint64_t n = x->number; n-- > 0 && !end;) {
		const struct trace_event *e = flow_before(h, ev, n, &end);

		if (!e)
			continue;
		if (e->type == TRACE_POP && e->pfn == ev->pfn && !taken) {
			decide_at(x, h, n);
			return;
		}
		if (begins_taking(e->type)) {
			decide_at(x, h, n);
			return;
		}
		if (is_taken(e->type) && (taken || e->pfn == ev->pfn)) {
			taken = true;
			decide_at(x, h, n);
		} else if (e->type == TRACE_ALLOC || e->type == TRACE_REQUEST ||
			   e->type == TRACE_BULK_PAGE) {
			return;
		}
	}
}

/* As it entered: behind the answer of the flow's request before. */
static void find_request(struct explain_target *x, const struct history *h)
{
	bool end = false;

	for (uint64_t n = x->number; n-- > 0 && !end;) {
		const struct trace_event *e = flow_before(h, &x->event, n, &end);

		if (e && e->type == TRACE_ALLOC)
			break;
		if (!e || e->type != TRACE_REQUEST)
			continue;
		x->requested = true;
		x->request = *e;
		return;
	}
	x->requested = x->event.type == TRACE_ALLOC;
	x->request = x->event;
}

/* Or as it is answered: what the flow's next answer is. */
static bool find_answer(struct explain_target *x, struct trace *t, struct history *h,
			struct trace_error *err)
{
	uint64_t last = h->next + LOOK_BACK;

	for (int n = h->at; !x->requested && h->next < last; h->next++, n++) {
		while (n == h->nr) {
			h->nr = trace_next(t, &h->batch, err);
			if (h->nr <= 0)
				return h->nr == 0;
			n = 0;
		}
		if (h->batch[n].type != TRACE_ALLOC || !trace_same_flow(&h->batch[n], &x->event))
			continue;
		x->requested = true;
		x->request = h->batch[n];
	}
	return true;
}

/* Of a drain: what frees, or drains a pcp from outside. */
static bool begins_drain(uint8_t type)
{
	return type == TRACE_FREE || type == TRACE_FREE_BATCHED || type == TRACE_PUSH ||
	       type == TRACE_OUTSIDE_DRAIN;
}

/*
 * Back to the piece of the drain that the page is of, where the recording tells of pieces, and to
 * what the drain follows from. False with *err if that is not near.
 */
static bool find_drain(struct explain_target *x, const struct history *h, struct trace_error *err)
{
	bool end = false, piece = x->event.type == TRACE_DRAIN_PIECE;

	for (uint64_t n = x->number; n-- > 0 && !end;) {
		const struct trace_event *e = flow_before(h, &x->event, n, &end);

		if (e && e->type == TRACE_DRAIN_PIECE && !piece) {
			decide_at(x, h, n);
			piece = true;
		} else if (e && begins_drain(e->type)) {
			if (!piece)
				decide_at(x, h, n);
			x->begun = n;
			x->beginning = *e;
			return true;
		}
	}
	snprintf(err->text, sizeof(err->text),
		 "--event %" PRIu64 ": what began this drain is not among the %d events before it",
		 x->number, LOOK_BACK);
	return false;
}

static bool classify(struct explain_target *x, struct trace_error *err)
{
	switch (x->event.type) {
	case TRACE_ALLOC:
	case TRACE_ZONE_LOCKED:
	case TRACE_EXTFRAG:
	case TRACE_POP:
	case TRACE_REFILL:
	case TRACE_WALK:
		x->kind = EXPLAIN_ALLOC;
		return true;
	case TRACE_FREE:
	case TRACE_FREE_BATCHED:
	case TRACE_PUSH:
	case TRACE_DIRECT_FREE:
		x->kind = EXPLAIN_FREE;
		return true;
	case TRACE_PCPU_DRAIN:
	case TRACE_DRAIN_PIECE:
		x->kind = EXPLAIN_DRAIN;
		return true;
	default:
		snprintf(err->text, sizeof(err->text),
			 "--event %" PRIu64 ": %s decides nothing about a page; an allocation, a take, a "
			 "fallback, a free or a drain does", x->number, trace_event_name(x->event.type));
		return false;
	}
}

/* Read up to the event and including it. */
static bool read_up_to(struct trace *t, uint64_t number, struct history *h, struct trace_event *ev,
		       struct trace_error *err)
{
	while ((h->nr = trace_next(t, &h->batch, err)) > 0) {
		for (h->at = 0; h->at < h->nr; h->at++) {
			if (h->next == number) {
				*ev = h->batch[h->at];
				return true;
			}
			h->events[h->next++ % LOOK_BACK] = h->batch[h->at];
		}
	}
	if (h->nr == 0)
		snprintf(err->text, sizeof(err->text), "%s: no event %" PRIu64 ": there are %" PRIu64,
			 trace_meta(t)->path, number, h->next);
	return false;
}

bool explain_find(struct trace *t, uint64_t number, struct explain_target *x,
		  struct trace_error *err)
{
	struct history *h = calloc(1, sizeof(*h));
	bool ok;

	*x = (struct explain_target){ .number = number, .decided = number };
	if (!h) {
		snprintf(err->text, sizeof(err->text), "%s: no memory", trace_meta(t)->path);
		return false;
	}
	ok = read_up_to(t, number, h, &x->event, err) && classify(x, err);
	x->decision = x->event;
	if (ok && x->kind == EXPLAIN_ALLOC) {
		if (!begins_taking(x->event.type) && x->event.type != TRACE_POP)
			find_decision(x, h);
		find_request(x, h);
		ok = find_answer(x, t, h, err);
	}
	if (ok && x->kind == EXPLAIN_DRAIN)
		ok = find_drain(x, h, err);
	free(h);
	return ok;
}
