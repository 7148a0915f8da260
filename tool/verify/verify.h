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
	X(REFILL, refill, "refills: what the pcp remembers when one begins")                      \
	X(PIECE, drain_piece, "drains: how many pages, from which list")                          \
	X(BOOST, boost, "boosts of watermarks by claims, and their end with kswapd's runs")        \
	X(RESERVE, reserve, "pageblocks set aside for atomic requests, and given back")                            \
	X(REQUEST, request, "pages as handed to their requesters")

/*
 * How a state that is seen to differ from the recorded kernel's is brought back: X(NAME, json key,
 * text). R1 to R8 are known rules of replaying stock events; the others have names.
 */
#define VERIFY_RULES(X)                                                                            \
	X(R1, R1, "pages had left a pcp list silently: in use from then on")                       \
	X(R2, R2, "a page is handed out that is on no list: accepted")                             \
	X(R3, R3, "a free block was isolated without an event: taken off its list")                \
	X(R4, R4, "a page taken silently is freed as any other")                                   \
	X(R5, R5, "a list is turned so that the block taken comes first")                          \
	X(R7, R7, "a drain not predicted, or of another size: made as recorded")                   \
	X(R8, R8, "a block of an uncached order is handed out without its take: captured")         \
	X(AHEAD, ahead, "a request took its page before it was preempted or interrupted")          \
	X(LATE, late, "a free was preempted before its page reached the list")                     \
	X(ORDER, order, "a page is popped from the middle of its list")                            \
	X(CPU, cpu, "a page is popped from another CPU's list")                                    \
	X(LIST, list, "a page is popped from another list of its pcp: its pageblock's type")       \
	X(TYPE, type, "a pageblock changed type without an event")                                 \
	X(CREATE, create, "a block taken is in use, or on pcp lists: made free")                   \
	X(LOST, lost, "a block is on a pcp list without the event of its taking")                  \
	X(DIRECT, direct, "a cached order was freed to the zone, or taken from it")                \
	X(NOLOCK, nolock, "a free left the pcp above its highest limit: it may not drain")         \
	X(SIZE, size, "a refill brought more or fewer blocks")                                     \
	X(CLAIM, claim, "a claim or steal that was not predicted: made as recorded")               \
	X(REFUSED, refused, "an event of what cannot be: left out")

enum verify_rule {
#define VERIFY_X(NAME, key, text) VERIFY_RULE_##NAME,
	VERIFY_RULES(VERIFY_X)
#undef VERIFY_X
	VERIFY_NR_RULES
};

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
	uint64_t pages_misplaced; /* of blocks on recorded lists that ours does not hold there */
	uint64_t pcp_scalars, pcp_scalars_equal;
};

struct verify {
	struct verify_score score[VERIFY_NR_KINDS];
	char miss[VERIFY_MISSES][VERIFY_MISS_TEXT];
	uint32_t nr_misses;                  /* of all kinds; the first ten have a text */
	uint64_t events, disagreements;      /* steps that the library could not make */
	uint64_t drains, drains_unfinished;  /* ours, and those that the kernel did not go on with */
	bool standard;                       /* the stock events alone */
	const char *policy;                  /* that the library worked under */
	uint64_t resync[VERIFY_NR_RULES];
	struct verify_end end;
	int broken_invariant;                /* at the end; 0: none */
};

/* How to verify. */
struct verify_how {
	bool standard;      /* from the six stock kmem events alone */
	const char *policy; /* NULL: that of the trace's release */
};

/* Verify a whole trace. False with *err if it cannot be done. */
bool verify_run(struct verify *v, struct trace *t, const struct verify_how *how,
		struct trace_error *err);

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
const char *verify_rule_key(enum verify_rule rule);
const char *verify_rule_text(enum verify_rule rule);

/* The policy of a release by name, "6.1" or "6.1.192"; NULL if unknown. */
const char *verify_release_policy(const char *release);

/* The releases known, as text. */
void verify_known_releases(char *text, size_t room);

/* The policy of the release that was recorded; NULL with *err if it is not known. */
const char *verify_policy_of(const struct trace *t, struct trace_error *err);

/* Does the release of this policy tune its pcps? */
bool verify_policy_tunes(const char *policy);

#endif
