/* SPDX-License-Identifier: MIT */
/*
 * From a request to a plan: a pure function of the request, of who asks, and of the configuration.
 */
#ifndef PG_ALLOC_REQUEST_H
#define PG_ALLOC_REQUEST_H

#include "pcp/pcp.h"

/* Who asks. */
struct pg_asker {
	uint32_t cpu;
	uint32_t task;         /* PAGUS_TASK_* */
	bool cpusets;          /* there are any, and */
	uint64_t mems_allowed; /* these are the nodes of the task's */
};

struct pg_plan {
	uint32_t gfp;      /* as the task's scopes leave it; in the first walk, hardwalled by cpusets */
	uint32_t slow_gfp; /* the same without cpusets' addition */
	uint32_t order;
	uint32_t task;
	uint32_t type;     /* effective migratetype */
	uint32_t highest;  /* highest zone type that may serve */
	uint32_t node;     /* whose zonelist is walked */
	uint64_t nodemask; /* 0: all; in the first walk also the task's mems_allowed */
	uint64_t asked_nodemask; /* as the caller gave it */
	const uint8_t *zonelist; /* count, then zone ids */
	uint32_t preferred;      /* position of the first zone that may serve; 0: none may */
	uint32_t fast_flags;     /* of the first walk, at the low mark */
	bool spread_dirty;       /* keep to nodes below their dirty limit */
	uint32_t intent;         /* as the caller gave it */
};

/* Migratetype that a mask asks for; HIGHATOMIC where it asks for two at once. */
static inline uint32_t pg_gfp_type(uint32_t gfp)
{
	return gfp >> 3 & 3;
}

/* Highest zone type that a GFP mask allows; PAGUS_NR_ZONE_TYPES where its bits name two at once. */
uint32_t pg_highest_zone(const struct pagus_state *st, uint32_t gfp);

/* What the port says of the calling task, and `task`. */
struct pg_asker pg_who_asks(const struct pg_call *c, uint32_t task);

/* The scopes of a task that change the mask; some entry points do not see to them. */
#define PG_TASK_SCOPES                                                                             \
	(PAGUS_TASK_MEMALLOC_NOIO | PAGUS_TASK_MEMALLOC_NOFS | PAGUS_TASK_MEMALLOC_PIN)

/*
 * The block i is the requester's from now on: record, counters, and `res`, whose from_pcp and
 * pfmemalloc are given.
 */
void pg_grant(struct pg_call *c, const struct pg_plan *plan, uint32_t i, struct pagus_result *res);

/* What pg_grant counts, of so many blocks of the zone. */
void pg_count_granted(const struct pg_call *c, const struct pg_plan *plan, const struct pg_zone *z,
		      uint32_t nr);

/* The event of a plan that is made. */
void pg_alloc_tell_plan(struct pg_call *c, const struct pg_plan *plan);

/* The event at the end of a request, with the type and mask that it came to. */
void pg_alloc_tell(struct pg_call *c, const struct pagus_request *req, const struct pg_plan *plan,
		   const struct pagus_result *res);

enum pagus_status pg_plan_make(const struct pagus_state *st, const struct pg_asker *asker,
			       const struct pagus_request *req, struct pg_plan *plan);

/*
 * Flags of the slow path, at the min mark, with the rights that the request brings by itself.
 * (gfp_to_alloc_flags)
 */
uint32_t pg_plan_slow_flags(const struct pagus_state *st, const struct pg_plan *plan);

/* Find the first zone that may serve again, after the nodemask has changed. */
void pg_plan_prefer(const struct pagus_state *st, struct pg_plan *plan);

/*
 * The right to reserves that who asks brings along: NO_WATERMARKS for who frees memory, OOM for who
 * is about to; 0. (__gfp_pfmemalloc_flags)
 */
uint32_t pg_plan_rights(const struct pg_plan *plan);

/* Can who asks do with smaller blocks, or without? By what it says, or by its mask. */
bool pg_plan_optional(const struct pg_plan *plan);

/* ---- cpuset.c, dirty.c: what else decides whether a node may serve --------------------------- */

/* May the task take memory of the node? Cpusets bind tasks, less so those that are about to end. */
bool pg_cpuset_allows(const struct pg_call *c, const struct pg_plan *plan, uint32_t node);

/* Is the node below its share of dirty pages? */
bool pg_node_dirty_ok(const struct pg_call *c, uint32_t node, uint32_t task);

/*
 * How many zones the plan's zonelist has, and the one at a position from 1 on. Memory may come and
 * go: who reads a list that is out of date finds zones all the same, and begins anew.
 */
static inline uint32_t pg_plan_zones(const struct pg_plan *plan)
{
	return pg_read(plan->zonelist[0]);
}

static inline struct pg_zone *pg_plan_zone(const struct pagus_state *st, const struct pg_plan *plan,
					   uint32_t position)
{
	return pg_zone(st, pg_read(plan->zonelist[position]));
}

/* May the zone at this position of the plan's zonelist serve it? */
static inline bool pg_plan_allows(const struct pagus_state *st, const struct pg_plan *plan,
				  uint32_t position)
{
	const struct pg_zone *z = pg_plan_zone(st, plan, position);

	return z->type <= plan->highest && (!plan->nodemask || (plan->nodemask >> z->node & 1));
}

#endif
