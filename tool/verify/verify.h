/* SPDX-License-Identifier: MIT */
/*
 * Verification: the library is led through a recorded kernel's steps, in the recorded order, and
 * asked each time which page, which list, how many it would take. Then its answer is compared with
 * the recording's.
 *
 *     event -> the step it tells of -> the library's answer -> compared with this and the following events
 *
 * Given by the recording: who does what when, in which zone, with which rights; what a claim that
 * depends on LRU state came to; what compaction and isolation take. To be predicted: everything
 * else.
 */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

#include "replay/machine.h"
#include "verify/window.h"

/* What is predicted: X(NAME, json key, text). */
#define VERIFY_KINDS(X)                                                                            \
	X(PCP_ALLOC, pcp_alloc, "pages popped off pcp lists")                                     \
	X(ZONE_TAKE, zone_take, "blocks taken from lists of their own type")                      \
	X(FALLBACK, fallback, "fallbacks: kind, types, block")                                    \
	X(DRAIN, drain, "blocks drained from pcp lists")                                          \
	X(PUSH, push, "frees to pcp lists: which list, and the count before")                     \
	X(DIRECT_FREE, direct_free, "frees straight to the zone: which type")                     \
	X(REFILL, refill, "refills: what the pcp remembers before, and how many blocks")          \
	X(PIECE, drain_piece, "drains: how many pages, from which list")                          \
	X(RESERVE, reserve, "pageblocks set aside for atomic requests")                            \
	X(REQUEST, request, "pages as handed to their requesters")

enum verify_kind {
#define VERIFY_X(NAME, key, text) VERIFY_##NAME,
	VERIFY_KINDS(VERIFY_X)
#undef VERIFY_X
	VERIFY_NR_KINDS
};

struct verify_score {
	uint64_t predicted, exact;
};

#define VERIFY_MISSES 10
#define VERIFY_MISS_TEXT 160

struct verify_end {
	bool recorded;                       /* the trace has an end state */
	uint64_t lists, lists_in_order;      /* free and pcp lists with anything on either side */
	uint64_t buddyinfo_pages_off, pagetypeinfo_blocks_off;
	uint64_t pcp_scalars, pcp_scalars_equal;
};

struct verify {
	struct verify_score score[VERIFY_NR_KINDS];
	char miss[VERIFY_MISSES][VERIFY_MISS_TEXT];
	uint32_t nr_misses;                  /* of all kinds; the first ten have a text */
	uint64_t events, disagreements;      /* steps that the library could not make */
	uint64_t drains, drains_unfinished;  /* ours, and those that the kernel did not go on with */
	struct verify_end end;
	int broken_invariant;                /* at the end; 0: none */
};

/* Verify a whole trace. False with *err if it cannot be done. */
bool verify_run(struct verify *v, struct trace *t, struct trace_error *err);

/* Lead the library as far as to this event only: `fn` is called with the machine in front of it. */
struct verify_stop {
	uint64_t before;
	void (*fn)(void *ctx, struct machine *m);
	void *ctx;
};
bool verify_until(struct verify *v, struct trace *t, const struct verify_stop *stop,
		  struct trace_error *err);

/* Compare the machine's state with the trace's end state, if it has one. */
bool verify_end_state(struct verify *v, const struct machine *m, struct trace *t,
		      struct trace_error *err);

const char *verify_key(enum verify_kind kind);
const char *verify_text(enum verify_kind kind);

#endif
