/* SPDX-License-Identifier: MIT */
/*
 * Reclaim: what is done when memory is short. What can be freed, and freeing it, is the port's;
 * here is who asks for how much, and when.
 */
#ifndef PG_RECLAIM_RECLAIM_H
#define PG_RECLAIM_RECLAIM_H

#include "pcp/pcp.h"

#define PG_RECLAIM_PRIORITY   12 /* DEF_PRIORITY: where each run begins */
#define PG_RECLAIM_CLUSTER    32 /* SWAP_CLUSTER_MAX: pages that one request reclaims for itself */

/*
 * Around calls of the port that may come back into the instance: the CPU is given up, and the task
 * marked as one that reclaims. Returns the task's flags as they were.
 */
uint32_t pg_reclaim_enter(struct pg_call *c);
void pg_reclaim_leave(struct pg_call *c, uint32_t task);

/* Is the task, or the one that the port names, about to die? */
bool pg_is_to_die(const struct pg_call *c, uint32_t task);

/* Pages that reclaim could in the end free from the zone. */
uint64_t pg_reclaimable(const struct pg_call *c, const struct pg_zone *z);

/* ---- kswapd.c -------------------------------------------------------------------------------- */

/*
 * A request of `order` for zones up to type `highest` found the node short. If its kswapd sleeps,
 * has not given up, and has something to do, it is woken. If not, only compaction can help a
 * request that does not wait for it: then kcompactd is. Needs no lock.
 */
void pg_kswapd_wake(struct pg_call *c, uint32_t node, uint32_t order, uint32_t highest, bool waits);

/* One turn of the node's kswapd: true if there is more to do. */
bool pg_kswapd_turn(struct pg_call *c, uint32_t node);

/*
 * What the beginning and the end of a run do to the node's zones up to `highest`: they are marked
 * as under reclaim, and their boosts noted, whose sum is returned; then the mark and those boosts
 * are taken off: were there any?
 */
uint64_t pg_kswapd_take_zones(struct pagus_state *st, uint32_t node, uint32_t highest);
bool pg_kswapd_leave_zones(struct pg_call *c, uint32_t node, uint32_t highest);

/* So many pages were reclaimed from the node, by anybody, for that: a kswapd that has given up is revived. */
void pg_reclaim_note(struct pg_call *c, uint32_t node, uint64_t pages, uint32_t order, uint32_t highest);

/* ---- direct.c -------------------------------------------------------------------------------- */

/* For whom. */
struct pg_shortage {
	uint32_t gfp, order, highest;
	uint32_t task;        /* PAGUS_TASK_* */
	uint64_t nodes;       /* that may serve */
	uint32_t lowmem_node; /* of their first zone up to Normal in the zonelist; PAGUS_NO_NODE */
};

/*
 * Reclaim on a request's behalf until PG_RECLAIM_CLUSTER pages are free: how many became so. At
 * most 13 turns over the nodes.
 */
uint64_t pg_reclaim_direct(struct pg_call *c, const struct pg_shortage *shortage);

/* ---- throttle.c ------------------------------------------------------------------------------ */

/*
 * Before that: wait while half of the lowmem_node's min marks or less is free, at most 1 s, or 10 s
 * with __GFP_FS. Threads of the kernel do not. False: while it waited the task came to be about to
 * die.
 */
bool pg_reclaim_throttle(struct pg_call *c, const struct pg_shortage *shortage);

#endif
