/* SPDX-License-Identifier: MIT */
/* One slow path under way, and the judgements about going on. */
#ifndef PG_ALLOC_RETRY_H
#define PG_ALLOC_RETRY_H

#include "alloc/request.h"

#define PG_COSTLY_ORDER 3 /* PAGE_ALLOC_COSTLY_ORDER */

struct pg_slow {
	struct pg_plan plan;
	uint32_t flags;           /* ALLOC_* of the next walk */
	uint32_t rounds;
	uint32_t no_progress;     /* rounds of reclaim in a row that did not help */
	uint32_t compactions;     /* retried at this mode */
	uint64_t progress;        /* pages that the last reclaim freed; 1 where the OOM killer acted */
	uint64_t mems;            /* the task's nodes at the start */
	uint32_t zonelists;       /* the turn of the zonelists at the start */
	enum pagus_compact_mode mode;
	enum pagus_compact_result compacted;
	bool compact_first;
	bool reset;               /* the nodemask has been dropped */
	uint32_t i;               /* the block found */
	struct pagus_result *res;
};

/* An order at which fragmentation is likelier to be the cause than a lack of pages. */
static inline bool pg_slow_mixes(const struct pg_plan *plan)
{
	return plan->order > PG_COSTLY_ORDER ||
	       (plan->order > 0 && plan->type != PAGUS_MOVABLE);
}

/* The task's nodes; 0 without cpusets. */
uint64_t pg_slow_mems(const struct pg_call *c);

void pg_slow_wait(struct pg_call *c, enum pagus_wait why);

/*
 * A request that may not taint a superpageblock: would a zone's marks allow it? And is there anything
 * in tainted ones that is free, or that reclaim or migration could free?
 */
bool pg_slow_held(const struct pg_call *c, const struct pg_slow *s);
bool pg_slow_offers(const struct pg_call *c, const struct pg_slow *s);

/*
 * Is another round of reclaim worth it: would the request fit if all that is reclaimable were free?
 * At most 16 rounds in a row without progress, or of a costly order. If not, the high-atomic
 * reserve gives a pageblock back, and that is worth a round.
 */
bool pg_retry_reclaim(struct pg_call *c, struct pg_slow *s);

/*
 * Is another compaction worth it? After a success, up to 16 times (4 for costly orders); otherwise
 * once at each more thorough mode.
 */
bool pg_retry_compact(struct pg_call *c, struct pg_slow *s);

/* oom.c: have a victim chosen, where this request is worth one. 1 if it may go on, 0 if not. */
uint64_t pg_oom(struct pg_call *c, const struct pg_plan *plan);

#endif
