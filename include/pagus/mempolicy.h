/* SPDX-License-Identifier: MIT */
/*
 * NUMA memory policies: on which nodes a request should be served. (mm/mempolicy.c,
 * alloc_pages_mpol)
 *
 * A policy is the caller's: a task's, or that of a mapping. The library reads it, and moves its
 * rotation. Locking: one caller a policy at a time.
 */
#ifndef PAGUS_MEMPOLICY_H
#define PAGUS_MEMPOLICY_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pagus_mempolicy_mode {
	PAGUS_MPOL_LOCAL,               /* as without a policy: MPOL_LOCAL, MPOL_DEFAULT */
	PAGUS_MPOL_PREFERRED,           /* the first of the nodes first; none: as LOCAL */
	PAGUS_MPOL_PREFERRED_MANY,      /* only these at first, without reclaim; then any */
	PAGUS_MPOL_BIND,                /* only these */
	PAGUS_MPOL_INTERLEAVE,          /* these in turn, each request the next one first */
	PAGUS_MPOL_WEIGHTED_INTERLEAVE, /* the same, each as often in a row as it weighs */
	PAGUS_NR_MPOL_MODES
};

struct pagus_mempolicy {
	uint32_t mode;     /* enum pagus_mempolicy_mode */
	bool mapped;       /* the request is for page `index` of a mapping */
	uint64_t nodes;    /* bit n = node n; nodes without memory do not count */
	uint64_t index;    /* if mapped: in units of the request's size. It takes the place of the
	                    * rotation: page and node belong together. */
	uint8_t weights[PAGUS_MAX_NODES]; /* of WEIGHTED_INTERLEAVE; 0 counts as 1 */
	/* The rotation, which begins with the first of the nodes at 0 and 0. */
	uint32_t next;     /* node to begin the search for the next one at */
	uint32_t left;     /* WEIGHTED: requests that the node before still gets */
};

/*
 * Allocate under a policy; NULL is LOCAL. `req->nodemask` must be 0. `req->node` is the node that
 * counts as local. What is not for a mapping is LOCAL in an interrupt and with __GFP_THISNODE.
 *
 * PREFERRED_MANY asks twice: with the nodes as mask, __GFP_NOWARN, and without __GFP_DIRECT_RECLAIM
 * and __GFP_NOFAIL; then without a mask. BIND's mask does not bind requests whose zone bits name a
 * lower zone type than the highest that there is, Movable aside; where the nodes have nothing but
 * Movable, it binds only requests that Movable may serve. Nor does it bind a task that may use none
 * of the nodes.
 *
 * A mapping's request of the pageblock's order (a huge page) that is not interleaved, and whose
 * local or preferred node the policy allows, asks that node alone first, with __GFP_THISNODE and
 * __GFP_NORETRY; after that, only if it may wait, as given. Each attempt has an ALLOC event of its
 * own, as in the kernel.
 *
 * Interleaved requests count in numa_interleave where the node chosen served them.
 *
 * Errors: as pagus_alloc; BAD_VALUE for a mode that is none, a nodemask, or a mode that needs nodes
 * and has none with memory.
 */
enum pagus_status pagus_alloc_mpol(struct pagus *p, struct pagus_mempolicy *policy,
				   const struct pagus_request *req, struct pagus_result *res);

#ifdef __cplusplus
}
#endif

#endif
