/* SPDX-License-Identifier: MIT */
/*
 * Out of memory: is this request worth a task's life, and whose may be taken.
 * (__alloc_pages_may_oom)
 */
#include "alloc/retry.h"

#include "reclaim/reclaim.h"

/* A kill would not give what is asked for, or the request can do without. */
static bool worth_nobody(const struct pg_plan *plan)
{
	return (plan->task & PAGUS_TASK_DUMPCORE) || plan->order > PG_COSTLY_ORDER ||
	       (plan->gfp & (__GFP_RETRY_MAYFAIL | __GFP_THISNODE)) ||
	       plan->highest < PAGUS_ZONE_NORMAL;
}

static enum pagus_oom_constraint constraint(const struct pg_call *c, const struct pg_plan *plan)
{
	uint64_t all = pg_nodes_with_memory(c->st), mems = pg_slow_mems(c);

	if (plan->nodemask && (all & ~plan->nodemask))
		return PAGUS_OOM_NODES;
	return mems && (all & ~mems) ? PAGUS_OOM_CPUSET : PAGUS_OOM_UNCONSTRAINED;
}

uint64_t pg_oom(struct pg_call *c, const struct pg_plan *plan)
{
	const struct pagus_oom what = {
		.gfp = plan->gfp, .order = plan->order, .node = plan->node,
		.nodemask = plan->nodemask, .constraint = constraint(c, plan),
	};
	enum pagus_oom_answer answer;
	uint32_t task;

	if (worth_nobody(plan) || !c->p->port->oom)
		return 0;
	/*
	 * Who is dying already is the victim. Without the file system, others must make room first.
	 */
	if ((plan->task & (PAGUS_TASK_EXITING | PAGUS_TASK_OOM_VICTIM)) || !(plan->gfp & __GFP_FS))
		return 1;
	task = pg_reclaim_enter(c);
	answer = c->p->port->oom(c->p->port_ctx, &what);
	pg_reclaim_leave(c, task);
	if (answer == PAGUS_OOM_KILLED)
		pg_count(c, PAGUS_COUNTER_oom_kill, 1);
	/* Who must not fail has nothing else to wait for. */
	return answer != PAGUS_OOM_NOTHING || ((plan->gfp & __GFP_NOFAIL) && c->p->port->wait);
}
