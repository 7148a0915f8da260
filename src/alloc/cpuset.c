/* SPDX-License-Identifier: MIT */
#include "alloc/request.h"

bool pg_cpuset_allows(const struct pg_call *c, const struct pg_plan *plan, uint32_t node)
{
	const struct pagus_port *port = c->p->port;

	if (!port->mems_allowed || (plan->task & PAGUS_TASK_INTERRUPT))
		return true;
	if (port->mems_allowed(c->p->port_ctx, false) >> node & 1)
		return true;
	/* A victim's memory is wanted back: nothing may keep it from its end. */
	if (plan->task & PAGUS_TASK_OOM_VICTIM)
		return true;
	if (plan->gfp & __GFP_HARDWALL)
		return false;
	if (plan->task & PAGUS_TASK_EXITING)
		return true;
	return port->mems_allowed(c->p->port_ctx, true) >> node & 1;
}
