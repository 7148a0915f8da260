/* SPDX-License-Identifier: MIT */
/*
 * From a request to a plan: a pure function of the request, the caller's CPU and the configuration.
 */
#ifndef PG_ALLOC_REQUEST_H
#define PG_ALLOC_REQUEST_H

#include "pcp/pcp.h"

struct pg_plan {
	uint32_t gfp, order;
	uint32_t type;     /* effective migratetype */
	uint32_t highest;  /* highest zone type that may serve */
	uint32_t node;     /* whose zonelist is walked */
	uint64_t nodemask; /* 0: all */
	const uint8_t *zonelist; /* count, then zone ids */
	uint32_t preferred;      /* position of the first zone that may serve; 0: none may */
	uint32_t fast_flags;     /* of the first walk, at the low mark */
	uint32_t own_flags;      /* of the second, with the request's own rights */
};

enum pagus_status pg_plan_make(const struct pagus_state *st, uint32_t cpu,
			       const struct pagus_request *req, struct pg_plan *plan);

/* May the zone at this position of the plan's zonelist serve it? */
static inline bool pg_plan_allows(const struct pagus_state *st, const struct pg_plan *plan,
				  uint32_t position)
{
	const struct pg_zone *z = pg_zone(st, plan->zonelist[position]);

	return z->type <= plan->highest && (!plan->nodemask || (plan->nodemask >> z->node & 1));
}

#endif
