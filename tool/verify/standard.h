/* SPDX-License-Identifier: MIT */
/*
 * Verification by the six stock kmem events alone. What no event tells is found in the events to
 * come (ahead.h), as far as it is which operation goes on, and else by the rules of VERIFY_RULES.
 */
#ifndef VERIFY_STANDARD_H
#define VERIFY_STANDARD_H

#include "verify/lead.h"

/* ALLOC_* */
#define STANDARD_WMARK_LOW   0x1u
#define STANDARD_NON_BLOCK   0x10u
#define STANDARD_MIN_RESERVE 0x20u
#define STANDARD_HIGHATOMIC  0x200u

/* One hold of the zone lock in which blocks are taken. */
struct standard_take {
	struct pagus_step_hold hold;
	uint32_t zone;
	uint32_t left;        /* blocks that ours is yet to take */
	uint32_t events_left; /* of the recorded hold, the current one among them */
	uint32_t asked;
	uint32_t count_before, factor_before; /* of the pcp */
	uint64_t began;       /* number of its first event */
	uint64_t last;        /* block put where it belongs last; NO_PFN: none yet */
	uint64_t taken;       /* block taken and not put there yet; NO_PFN: none */
	uint32_t undo_list;   /* type of the list that it came from */
	/* Type of its pageblock before our claim; PAGUS_NR_MIGRATETYPES: no claim. */
	uint32_t claimed_from;
	bool request;         /* a request waits for the first block; else a bulk allocation */
};

/* A drain that goes on. It is its task's: others may run between its pieces, and drain too. */
#define STANDARD_DRAINS 8
struct standard_drain {
	int32_t pid;
	uint8_t context;      /* interrupt or not */
	uint32_t zone, cpu, list;
	uint32_t left;        /* pages; 0: none goes on */
	uint32_t piece, piece_left, piece_pages;
	bool overflow;
	bool open;            /* its size is not known: as long as its task goes on with it */
};

/* The last push of a CPU, which an overflow drain follows. */
struct standard_push {
	uint64_t number;
	uint32_t zone, list;
	int32_t pid;
};

/*
 * Single pages freed one after the other that are pushed as one block, when the last one is freed.
 */
struct standard_run {
	uint64_t pfn;
	uint32_t order, left; /* left: pages not freed yet; 0: none */
};

/* An interrupt that frees pages: does it find the zone's pcp locked? Up to event `until`. */
struct standard_interrupt {
	uint64_t until;
	uint32_t zone;
	bool locked, known;
};

/* What a task did last. */
struct standard_task {
	int32_t pid;
	uint8_t type;
	uint64_t pfn;
	uint32_t order;
	bool drains;          /* its event before the last was a drain too */
	bool direct;          /* that was a free to the zone */
	bool owes;            /* its last free has not reached the pcp list */
};

struct standard_cpu {
	struct standard_interrupt interrupt;
	struct trace_event outside; /* its last event that is not of an interrupt */
	struct standard_run run;
	struct standard_take take;
	struct standard_drain drains[STANDARD_DRAINS]; /* the oldest first */
	uint32_t nr_drains;
	struct standard_push push;
	uint64_t last;        /* number of its last event but the current one */
};

/* Room for one pcp list. */
struct standard_list {
	uint64_t *pfns;
	uint64_t room;
};

/*
 * Free blocks that were taken off their lists last: one may turn out to have been free after all.
 */
#define STANDARD_RETIRED 16
struct standard_retired {
	uint64_t pfn;
	uint32_t order; /* 0: none */
};

struct standard {
	struct standard_retired retired[STANDARD_RETIRED];
	uint32_t next_retired;
	struct standard_list list;
	struct ahead ahead;
	struct standard_cpu *cpus;
	struct standard_task *tasks; /* STANDARD_TASKS, by pid; outside of interrupts */
	uint32_t *refused;    /* by zone: drains of ours in a row that the kernel did not make */
	/* By zone: a pcp's count at an overflow drain that was not expected; else 0. */
	uint32_t *unexpected;
	/* Of releases that tune their pcps, and take fallbacks from foreign lists: */
	bool tuned;           /* the policy */
	bool recorded_tuned;  /* the recording */
};

#define STANDARD_TASKS 4096

static inline struct standard_task *standard_task(const struct standard *s, int32_t pid)
{
	return &s->tasks[(uint32_t)pid % STANDARD_TASKS];
}

/* One flow of control on a CPU. */
bool standard_same_context(const struct trace_event *a, const struct trace_event *b);

/*
 * The next event of ev's flow of control on its CPU, over interrupts of it; NULL if none is near.
 */
const struct trace_event *standard_next_event(const struct lead *l, const struct trace_event *ev);

/* zone_locked and extfrag; a request's arrival at a zone. */
void standard_on_taken(struct lead *l, const struct trace_event *ev);
void standard_visit(struct lead *l, uint32_t zone, const struct trace_event *request);

/*
 * A request has reclaimed and still found nothing: before all pcps are drained for it, a pageblock
 * of the reserve is given back, but for the last.
 */
void standard_reclaimed(struct lead *l, const struct trace_event *request);

/* free, free_batched, pcpu_drain. */
void standard_on_free(struct lead *l, const struct trace_event *ev);
void standard_on_batched(struct lead *l, const struct trace_event *ev);
void standard_on_drain(struct lead *l, const struct trace_event *ev);

/*
 * After the push that ev tells of, onto `list`: so many pages are to be drained, and the next
 * events are of that; or they are not.
 */
void standard_expect_drain(struct lead *l, const struct trace_event *ev, uint32_t list,
			   uint32_t pages);
void standard_no_drain(struct lead *l, uint32_t zone, uint32_t pages);

/* Straight to the zone. */
void standard_free_direct(struct lead *l, uint64_t pfn, uint32_t order);

/* Does the interrupt that frees find the pcp of its zone locked? */
bool standard_finds_pcp_locked(struct lead *l, const struct trace_event *ev, uint32_t zone);

/* A task goes on: its last free, which had not taken effect, does so now. */
void standard_pay(struct lead *l, const struct trace_event *ev, struct standard_task *task);

/* Drains of ev's flow of control that it has not gone on with: it did not finish them. */
void standard_end_drains(struct lead *l, const struct trace_event *ev);

/* ---- resync.c ------------------------------------------------------------------------------- */

void resync_count(struct lead *l, enum verify_rule rule);

/* The block that pfn is in: its first page in *head. False if no block reaches it. */
bool resync_block_of(const struct lead *l, uint64_t pfn, uint64_t *head,
		     struct pagus_page_info *info);

/*
 * Has a page that we hold on a pcp list left it, as far as the events to come tell? Its next event
 * there would be its allocation or its drain.
 */
bool resync_off_list(const struct lead *l, uint64_t pfn);

/* Has another flow of control than ev's taken it, and not told so yet? */
bool resync_in_flight(const struct lead *l, uint64_t pfn, const struct trace_event *ev);

/* Take such a page off: in use, or free in the zone, as the events to come tell. */
void resync_take_off(struct lead *l, uint64_t pfn);

/*
 * Is a page of the free block around pfn one whose task has done nothing since it freed it? Then it
 * is not free yet.
 */
bool resync_late(struct lead *l, uint64_t pfn, const struct trace_event *ev);

/* Has the block of 2^order free pages left its list silently: is what comes next of it a free? */
bool resync_isolated(const struct lead *l, uint64_t pfn, uint32_t order);

/*
 * Take the free block around pfn off its list: what is seen to be in use; `whole`: all that is not
 * seen to be free still.
 */
void resync_isolate(struct lead *l, uint64_t pfn, uint32_t order, bool whole);

/* Make the 2^order pages from pfn taken, wherever they are, from the lists of `type`. */
void resync_take(struct lead *l, uint64_t pfn, uint32_t order, uint32_t type);

/* Turn the acting CPU's pcp list that the block is on so that this block comes last. */
void resync_turn_list(struct lead *l, uint64_t last);

/* The pageblock is seen to be of this type: it changed without an event. */
void resync_type(struct lead *l, uint64_t pfn, uint32_t type);

/* The pageblock is seen to belong to the reserve for atomic requests no more. */
void resync_unreserve(struct lead *l, uint64_t pfn);

/* The same where what comes next of the page on a pcp list tells. */
void resync_expected_type(struct lead *l, uint64_t pfn);

/* Our next block is smaller than 2^up_to pages, and was not taken. */
void resync_smaller(struct lead *l, uint64_t pfn, uint32_t up_to);

/* Make them no longer free, without judging why. */
void resync_clear(struct lead *l, uint64_t pfn, uint32_t order);

#endif
