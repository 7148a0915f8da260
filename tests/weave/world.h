/* SPDX-License-Identifier: MIT */
/*
 * The instance that the callers share, its port, and the books: which pages are handed out. They
 * are compared at each grant and at the end of a schedule.
 */
#ifndef WEAVE_WORLD_H
#define WEAVE_WORLD_H

#include <pagus/pagus.h>

#include "weave/schedule.h"

#define WORLD_PAGES       96u
#define WORLD_BLOCK_ORDER 3u /* of a pageblock */
#define WORLD_MAX_ORDER   4u

/* Blocks that are handed out and not being freed. */
struct world_block {
	pagus_pfn_t pfn;
	uint32_t order;
	bool movable; /* what it holds may go elsewhere, */
	bool claimed; /* which the library is about to see to: it may not be freed */
};

struct world {
	struct pagus p;
	uint32_t nr_cpus;
	struct weave_lock cpus[WEAVE_CALLERS]; /* held by who makes a call there, or took it offline */
	struct weave_lock setup;               /* held while a CPU is offline, or pcps are off */
	bool captures;                         /* somebody waits for merged blocks */
	uint64_t random;                       /* for what the port decides */
	struct world_block held[WORLD_PAGES];
	uint32_t nr_held;
};

extern struct world world;

/* The instance of a policy; all pages free but the blocks of the first schedule's set-up. */
void world_open(const char *policy, uint32_t nr_cpus);
void world_close(void);

/* As it was when opened; `pages` or a few more or less are handed out by all CPUs. */
void world_reset(uint64_t seed, uint32_t pages);

/* The running caller makes its calls on this CPU. */
void world_on(uint32_t cpu);

/*
 * A call gave a block, or NO_PFN; one is about to be freed, and so out of the books, false if there
 * is none; the call that freed it has ended.
 */
void world_granted(pagus_pfn_t pfn, uint32_t order, bool movable);
bool world_give_up(uint64_t *random, struct world_block *block);
void world_freed(struct world_block block);

/*
 * Calls that may move what blocks hold begin and end. Until the end they may have pages in hand that
 * are in no books.
 */
void world_mover(bool begins);

/*
 * What the owner of movable blocks needs of the books. The held block of this order at pfn, NULL if
 * there is none. It is elsewhere now, and its pages before are being freed by the running caller.
 */
struct world_block *world_block_at(pagus_pfn_t pfn, uint32_t order);
void world_moved(struct world_block *block, pagus_pfn_t to);

/* Set the pcps' limits, which a CPU's coming or going has computed anew. */
void world_limits(void);

/*
 * Make a pageblock ISOLATE, if it has no page in the zone. Pages that are deferred then, and those
 * whose free begins later, are not handed out again; nor are, after a drain of all CPUs that begins
 * later, those whose free had ended before it.
 */
void world_isolate(pagus_pfn_t pfn);
void world_drain(void);

/* The CPU, which is offline, has no page and owns no pageblock. NOBODY: no CPU owns any. */
void world_expect_unowned(uint32_t cpu);

/* A call that must wait for nothing begins or ends. */
void world_nolock(bool begins);

/* Is the running caller in the middle of a call, and could be interrupted? */
bool world_in_call(void);

/*
 * All callers have ended: books and instance agree, invariants hold; and once all is freed and
 * drained, the zone has every page again, and no CPU owns or hides any.
 */
void world_settle(void);

#endif
