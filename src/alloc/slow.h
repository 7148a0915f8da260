/* SPDX-License-Identifier: MIT */
/*
 * The slow path: what a request does that no zone has served above its low mark. The order in which
 * it wakes, walks, reclaims, compacts, kills and gives up is a const table of rows. The table is
 * pure: facts in, row out; slow.c performs what the rows say and gathers the facts.
 */
#ifndef PG_ALLOC_SLOW_H
#define PG_ALLOC_SLOW_H

#include "alloc/request.h"

/*
 * What rows ask about: X(NAME, text). Of the request and who asks first, then of how far the slow
 * path has come.
 */
#define PG_FACTS(X)                                                                                \
	X(BLOCK, "the request may wait: __GFP_DIRECT_RECLAIM")                                    \
	X(KSWAPD, "it may wake kswapd: __GFP_KSWAPD_RECLAIM")                                     \
	X(IO, "it may be compacted for: __GFP_IO")                                                \
	X(COSTLY, "its order is above 3")                                                         \
	X(MIXES, "its order is above 3, or above 0 and it is not movable: fragmentation is likely") \
	X(NORETRY, "__GFP_NORETRY")                                                               \
	X(MAYFAIL, "__GFP_RETRY_MAYFAIL")                                                         \
	X(NOFAIL, "__GFP_NOFAIL, and the port can wait")                                          \
	X(THISNODE, "__GFP_THISNODE")                                                             \
	X(MEMALLOC, "the task frees memory: PF_MEMALLOC")                                         \
	X(RIGHTS, "who asks may use reserves without limit or as an OOM victim")                  \
	X(VICTIM, "the task is an OOM victim that has used its right, or may use none")           \
	X(NO_ZONE, "no zone may serve it")                                                        \
	X(CHANGED, "the task's mems_allowed, or the zonelists, have changed since the start")       \
	X(PLAIN, "it avoids fragmentation by vm.defrag_mode")                                     \
	X(COMPACT_FIRST, "its first round compacts and does not reclaim")                         \
	X(EARLY_ONLY, "the release compacts before reclaim only once, in front of the rounds")     \
	X(DEFERRED, "the last compaction was skipped or deferred")                                \
	X(PROGRESS, "the last reclaim or OOM made progress")                                      \
	X(THISNODE_ENDS, "the release ends __GFP_THISNODE requests early")                        \
	X(OUT_OF_ROUNDS, "256 rounds are over")                                                   \
	X(HELD, "marks allow it, and it may not taint a superpageblock so far")                   \
	X(OFFERS, "tainted superpageblocks have something that is free, or could be freed")       \
	X(OPTIONAL, "its order is above 0, and who asks can do with less or without")             \
	X(SPARES, "it is movable, and leaves tainted superpageblocks their reserve so far")

enum pg_fact_bit {
#define PG_X(NAME, text) PG_FACT_BIT_##NAME,
	PG_FACTS(PG_X)
#undef PG_X
	PG_NR_FACTS
};
enum pg_fact {
#define PG_X(NAME, text) PG_FACT_##NAME = 1 << PG_FACT_BIT_##NAME,
	PG_FACTS(PG_X)
#undef PG_X
};

/* What rows do. An act answers yes or no; "yes" is a page where it looks for one. */
enum pg_act {
	PG_ACT_GO,             /* nothing: no */
	PG_ACT_ROUND,          /* a round begins: no */
	PG_ACT_RESTART,        /* forget all progress, take the request's own flags: no */
	PG_ACT_WAKE,           /* wake the nodes' kswapds: no */
	PG_ACT_WALK,           /* walk the zones */
	PG_ACT_RIGHTS,         /* take up the rights of who asks, drop the nodemask: has anything changed */
	PG_ACT_RECLAIM,        /* reclaim, walk; if in vain, unreserve, drain, walk */
	PG_ACT_COMPACT,        /* compact as urgently as is due, walk */
	PG_ACT_COMPACT_ASYNC,  /* compact without waiting, walk */
	PG_ACT_ASYNC_ONLY,     /* from now on compact without waiting: no */
	PG_ACT_COMPACTED,      /* compaction has had its turn before reclaim: no */
	PG_ACT_RETRY_RECLAIM,  /* is another round of reclaim worth it */
	PG_ACT_RETRY_COMPACT,  /* is another compaction */
	PG_ACT_MIX,            /* stop avoiding fragmentation: no */
	PG_ACT_DRAIN,          /* drain all pcps, walk */
	PG_ACT_EVACUATE,       /* make room in tainted superpageblocks, walk */
	PG_ACT_TAINT,          /* from now on it may taint a superpageblock: no */
	PG_ACT_DIP,            /* from now on it may use their reserves: no */
	PG_ACT_OOM,            /* last walk at the high mark; then the OOM killer */
	PG_ACT_FORGET,         /* start to count rounds without progress anew: no */
	PG_ACT_LAST_RESORT,    /* walk with half of the reserve, without and with the cpuset */
	PG_ACT_WAIT,           /* let others go on: no */
	PG_ACT_GRANT,          /* end: served */
	PG_ACT_REFUSE          /* end: refused */
};

#define PG_ROW_NEXT 255 /* where a row goes: the row behind it */

struct pg_slow_row {
	const char *name;
	uint32_t needs, never; /* facts: all of these, none of these; else the row is passed over */
	uint8_t act;
	uint8_t yes, no;       /* the row that follows by the act's answer */
	uint8_t refusal;       /* enum pagus_refusal, if the row says why the request will end; or NONE */
};

extern const struct pg_slow_row pg_slow_rows[];
extern const uint32_t pg_nr_slow_rows;

/* The first row from `row` on whose conditions the facts meet. The last row has none. */
uint32_t pg_slow_meets(uint32_t row, uint32_t facts);

/* The row that follows `row` after its act has answered. */
uint32_t pg_slow_next(uint32_t row, bool yes);

/* Serve the plan: the block's first record, or PG_NONE and why in res. */
uint32_t pg_slow(struct pg_call *c, const struct pg_plan *plan, struct pagus_result *res);

#endif
