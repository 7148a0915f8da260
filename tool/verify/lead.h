/* SPDX-License-Identifier: MIT */
/* The state of one verification while it runs. */
#ifndef VERIFY_LEAD_H
#define VERIFY_LEAD_H

#include <pagus/step.h>

#include "verify/ahead.h"
#include "trace/flow.h"
#include "verify/verify.h"

#define LEAD_NOFRAGMENT   0x100u /* ALLOC_NOFRAGMENT */
#define LEAD_IN_INTERRUPT 0x18u  /* hard or soft, in an event's irqflags */
#define LEAD_GRANTED 64
#define LEAD_HUGE_LIST 12u /* pcp list of the huge order, not movable; the movable one follows */
#define LEAD_TASKS 4096 /* slots for tasks in a drain */
#define LEAD_NESTED 8   /* drains of a slot at one time */

/* An answer of the library that an event is yet to confirm. */
struct lead_answer {
	uint64_t pfn;
	uint8_t event;           /* enum pagus_event_id */
	uint8_t order, type;
	uint32_t a, b;
};

/*
 * The frees of a task that are seen to be pushed in a list, or not to be pushed at all, up to an
 * event.
 */
struct lead_later {
	uint64_t until;          /* number of the first event that is not looked at */
	int32_t pid;
	uint8_t context;
	uint64_t *slots;         /* pfns, by hash; all ones where empty */
	uint32_t nr_slots, room; /* in use and allocated; powers of two */
};

/* A pageblock whose free pages have left the reserve, and which one ours would have given back. */
struct lead_giving {
	uint64_t pfn, ours;
};

struct lead_cpu {
	struct lead_answer *queue; /* of the last step, from `first` on not confirmed yet */
	uint32_t first, nr, room;
	struct lead_later later;
	uint64_t no_capture_before; /* event number: up to there its step captures nothing */
	uint64_t granted[LEAD_GRANTED]; /* pages taken whose requests are not answered yet: interrupts nest */
	uint32_t nr_granted;
	uint32_t bulk_gfp;       /* of the bulk allocation that goes on */
	bool refilled;           /* for the request that is answered next */
	struct lead_giving giving;
	uint32_t moves_done, retypes_done; /* by claims of ours, whose events are still to come */
};

/* A task's drain that goes on in pieces. */
struct lead_drain {
	struct trace_flow flow;
	uint32_t zone, cpu, list, left, piece;
	bool all, settle;
};

/* A request at a zone. */
struct lead_walk {
	struct trace_flow flow;
	uint32_t flags, order, type;
	bool quiet; /* of the bulk allocator */
	bool reserves; /* an atomic request of higher order has been served with `pfn` */
	uint64_t pfn;
};

/* By pid, several flows to a slot. */
struct lead_task {
	struct lead_walk walks[LEAD_NESTED];
	uint32_t next_walk;
	struct lead_drain drains[LEAD_NESTED];
	uint32_t nr;
};

struct lead {
	struct verify *v;
	uint64_t number;         /* of the current event, among those that are looked at */
	uint8_t cpu;             /* that it is of */
	struct window window;
	void (*event)(struct lead *l, const struct trace_event *ev);
	struct machine *machine;
	const struct snapshot *start;
	struct lead_cpu *cpus;
	struct lead_task *tasks;
	struct { uint64_t pfn; uint32_t order; bool set; } capture;
	size_t claim_cursor;     /* events ahead at which the next claim is looked for */
	uint8_t *under_isolation; /* type of each isolated pageblock underneath, by pfn >> order */
	uint64_t nr_blocks;
	bool given;              /* what the library does now is the recording's doing */
	struct standard *standard; /* of the stock events alone; else NULL */
	uint32_t kswapd_runs[PAGUS_MAX_NODES]; /* highest zone type of the run and 1; 0: none */
	uint64_t isolated_ahead; /* block that has left its list at the entry of its isolation */
};

/* One event, of a recording that tells of every step, or of one that does not. */
void steps_event(struct lead *l, const struct trace_event *ev);
void stock_event(struct lead *l, const struct trace_event *ev);

/* Of the six stock kmem events alone. Begin: false if there is no memory. */
bool standard_begin(struct lead *l, struct trace *t);
bool standard_run(struct lead *l, struct trace *t, struct trace_error *err);
void standard_end(struct lead *l);

/* ---- what both are made of ------------------------------------------------------------------ */

/* Events whose effect is the same in all recordings. */
void lead_common_event(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev);

/* Before a step: answers of the last one that were not asked for are misses. */
void lead_begin_step(struct lead *l, struct lead_cpu *cpu);
void lead_drop_answers(struct lead *l, struct lead_cpu *cpu);

/* Compare an event with the next answer: true if it is what was predicted. */
bool lead_confirm(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev);

/* A page is somebody's, whose request will be answered; the oldest that never was is forgotten. */
void lead_grant(struct lead_cpu *cpu, uint64_t pfn);

/* True if the page was granted on this CPU and its request not answered yet; now it is. */
bool lead_answer_request(struct lead_cpu *cpu, uint64_t pfn);

/* The event is the next: its CPU acts. False with *err if the trace has no such CPU. */
bool lead_on(struct lead *l, const struct trace_event *ev, struct trace *t,
	     struct trace_error *err);

/* Count a prediction; a miss is described by the text. */
void lead_score(struct lead *l, enum verify_kind kind, bool exact, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The library could not make a step that the recorded kernel made. */
void lead_disagree(struct lead *l, const char *step, uint64_t pfn, enum pagus_status status);

/* Zone id of a recorded zone, node << 4 | index; UINT32_MAX if there is none. */
uint32_t lead_zone(const struct lead *l, uint8_t nid_index);

/* Zone id of a page; UINT32_MAX if it has none. */
uint32_t lead_zone_of(const struct lead *l, uint64_t pfn);

/* Is the order kept on pcp lists? */
static inline bool lead_cached(const struct lead *l, uint32_t order)
{
	return order < 4 || order == l->start->pageblock_order;
}

/* Pcp list of an order and type. */
uint32_t lead_list(uint32_t order, uint32_t type);

#endif
