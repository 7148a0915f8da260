/* SPDX-License-Identifier: MIT */
/*
 * The events of some types, the current one and a fixed number after it, linked by page and by CPU:
 * what a page, or a CPU, is named by next.
 */
#ifndef VERIFY_AHEAD_H
#define VERIFY_AHEAD_H

#include "trace/trace.h"

#define AHEAD_EVENTS (UINT64_C(1) << 20) /* held at a time; a power of two */
#define AHEAD_STRIDE (UINT64_C(1) << 16) /* read at a time */
#define AHEAD_CPUS   256

struct ahead_page {
	/* Numbers + 1 of the first event to come, and of the last one read; 0: none. */
	uint64_t next, last;
	uint64_t since;   /* number of the event that put it on a pcp list; of a refill, its first */
	int32_t freed_by; /* task that freed it last */
	uint8_t order;    /* of its last free */
	bool silent;      /* taken off a pcp list without an event */
};

struct ahead {
	struct trace *trace;
	uint32_t types;             /* bit t: events of type t; no other is ever held */
	struct trace_event *events; /* ring */
	/* Rings: number + 1 of the next such event; 0: none read yet. */
	uint64_t *same_page, *same_cpu;
	uint64_t cpu_last[AHEAD_CPUS];
	struct ahead_page *pages;
	uint64_t first_pfn, nr_pages;
	uint64_t now, end;          /* numbers of the current event and the first not read */
	const struct trace_event *batch;
	int batch_left;
	bool begun, ended;
};

/* False if there is no memory. */
bool ahead_init(struct ahead *a, struct trace *t, uint32_t types, uint64_t first_pfn,
		uint64_t end_pfn);
void ahead_fini(struct ahead *a);

/* The next event becomes the current one: 1, 0 at the end, -1 with *err. */
int ahead_next(struct ahead *a, struct trace_error *err);

static inline const struct trace_event *ahead_event(const struct ahead *a, uint64_t number)
{
	return &a->events[number & (AHEAD_EVENTS - 1)];
}

static inline const struct trace_event *ahead_now(const struct ahead *a)
{
	return ahead_event(a, a->now);
}

/* The page's record; NULL if it is outside of all zones. */
static inline struct ahead_page *ahead_page(const struct ahead *a, uint64_t pfn)
{
	return pfn - a->first_pfn < a->nr_pages ? &a->pages[pfn - a->first_pfn] : NULL;
}

/* The first event after the current one that names pfn; NULL if none does, as far as is read. */
static inline const struct trace_event *ahead_of_page(const struct ahead *a, uint64_t pfn)
{
	const struct ahead_page *page = ahead_page(a, pfn);

	return page && page->next ? ahead_event(a, page->next - 1) : NULL;
}

/* Number of the next event of the same CPU or page after event `number`, + 1; 0 if none. */
static inline uint64_t ahead_same_cpu(const struct ahead *a, uint64_t number)
{
	return a->same_cpu[number & (AHEAD_EVENTS - 1)];
}

static inline uint64_t ahead_same_page(const struct ahead *a, uint64_t number)
{
	return a->same_page[number & (AHEAD_EVENTS - 1)];
}

#endif
