/* SPDX-License-Identifier: MIT */
/*
 * How a decision was made: names for what the events PLAN, ZONE_WEIGHED, ZONE_TRIED, PASS_TRIED and
 * SLOW_STEP tell, and the arithmetic behind a watermark's answer. All of it reads; a listener may
 * call it during an event.
 */
#ifndef PAGUS_EXPLAIN_H
#define PAGUS_EXPLAIN_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What came of a zone or of a row of a table: X(NAME, name, text), for events ZONE_TRIED,
 * PASS_TRIED.
 */
#define PAGUS_VERDICTS(X)                                                                          \
	X(SERVED, served, "it serves the request")                                                \
	X(OTHER_ZONE, other_zone, "the request may not use this zone type or node")               \
	X(CPUSET, cpuset, "the task's cpuset leaves this node out")                               \
	X(DIRTY, dirty, "the node is over its limit of dirty pages")                              \
	X(LEAVES_NODE, leaves_node, "mixing types at home is better than going to another node")  \
	X(AWAKE, awake, "the node's kswapd is awake: others first")                               \
	X(BELOW_MARK, below_mark, "the watermark forbids it")                                     \
	X(NOTHING, nothing, "the watermark allows it, but no pass serves")                        \
	X(BEHIND, behind, "an earlier take of this hold found nothing up to here")                \
	X(OTHER_TYPE, other_type, "not for this migratetype")                                     \
	X(NO_RIGHT, no_right, "the request lacks the ALLOC_* flag that this pass needs")          \
	X(NOFRAGMENT, nofragment, "ALLOC_NOFRAGMENT forbids mixing types inside a pageblock")     \
	X(REFILL, refill, "refills do not take from this list, requesters do")                    \
	X(CMA_MINORITY, cma_minority, "not more than half of what is free is CMA")                \
	X(NO_BLOCK, no_block, "no such block is free")                                            \
	X(TOO_FOREIGN, too_foreign, "too little of the pageblock is free or alike")               \
	X(KEEP_CLEAN, keep_clean, "the request may not taint a superpageblock so far")            \
	X(KEEP_RESERVE, keep_reserve, "movable requests leave tainted superpageblocks their reserve")

enum pagus_verdict {
#define PAGUS_X(NAME, name, text) PAGUS_VERDICT_##NAME,
	PAGUS_VERDICTS(PAGUS_X)
#undef PAGUS_X
	PAGUS_NR_VERDICTS
};

/* A listener's mask for these events. */
#define PAGUS_DECISION_EVENTS                                                                      \
	(1u << PAGUS_EVENT_PLAN | 1u << PAGUS_EVENT_ZONE_WEIGHED | 1u << PAGUS_EVENT_ZONE_TRIED |  \
	 1u << PAGUS_EVENT_PASS_TRIED | 1u << PAGUS_EVENT_SLOW_STEP)

/*
 * A zone as a request weighs it; all in pages. The watermark allows it if
 *
 *     free - unusable > min + reserve,
 *
 * and, for orders above 0, if a block of the order lies on a list that the request may use.
 */
struct pagus_weight {
	int64_t free;     /* as marks see it: without the CPUs' deltas */
	int64_t unusable; /* the rest of the block, and what is kept for others */
	int64_t mark;     /* with its boost */
	int64_t min;      /* the mark as the request's rights lower it */
	int64_t reserve;  /* lowmem_reserve, for the highest zone that the request may use */
};

/*
 * `flags` are ALLOC_* flags as in events; the two lowest bits choose the mark. Error: BAD_VALUE for
 * a zone, order or highest zone type that is none.
 */
enum pagus_status pagus_weigh(const struct pagus *p, uint32_t zone, uint32_t order, uint32_t highest,
			      uint32_t flags, struct pagus_weight *weight);

/* Row `row` of the instance's placement table, and one line about it; NULL past the last. */
const char *pagus_pass_name(const struct pagus *p, uint32_t row, const char **why);

/* Row of the slow path's table; NULL past the last. */
const char *pagus_slow_row_name(uint32_t row);

/* "served", and a sentence about it. */
const char *pagus_verdict_name(enum pagus_verdict verdict);
const char *pagus_verdict_text(enum pagus_verdict verdict);

/*
 * The names of ALLOC_* flags joined by '|' (WMARK_LOW|CMA|KSWAPD), as snprintf writes: at most `room`
 * bytes with the terminating zero; returns the length of the whole text.
 */
size_t pagus_alloc_flags_text(uint32_t flags, char *text, size_t room);

#ifdef __cplusplus
}
#endif

#endif
