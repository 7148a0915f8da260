/* SPDX-License-Identifier: MIT */
#include "reclaim/reclaim.h"

uint32_t pg_reclaim_enter(struct pg_call *c)
{
	uint32_t *flags, task = 0;

	pg_call_end(c);
	if (!c->p->port->task_flags)
		return 0;
	flags = c->p->port->task_flags(c->p->port_ctx);
	task = *flags;
	*flags |= PAGUS_TASK_MEMALLOC;
	return task;
}

void pg_reclaim_leave(struct pg_call *c, uint32_t task)
{
	if (c->p->port->task_flags) {
		uint32_t *flags = c->p->port->task_flags(c->p->port_ctx);

		*flags = (*flags & ~PAGUS_TASK_MEMALLOC) | (task & PAGUS_TASK_MEMALLOC);
	}
	pg_call_resume(c);
}

bool pg_is_to_die(const struct pg_call *c, uint32_t task)
{
	const struct pagus_port *port = c->p->port;

	if (port->task_flags)
		task |= *port->task_flags(c->p->port_ctx);
	return task & PAGUS_TASK_FATAL_SIGNAL;
}

uint64_t pg_reclaimable(const struct pg_call *c, const struct pg_zone *z)
{
	const struct pagus_port *port = c->p->port;

	return port->reclaimable ? port->reclaimable(c->p->port_ctx, z->node, z->type) : 0;
}

static void count_stall(const struct pg_call *c, uint32_t highest)
{
	pg_count(c, (enum pagus_counter)(PAGUS_COUNTER_allocstall_dma + highest), 1);
}

static uint64_t reclaim_nodes(struct pg_call *c, const struct pg_shortage *shortage,
			      uint32_t priority, uint64_t wanted)
{
	uint64_t got = 0;

	for (uint32_t node = 0; node < c->st->nr_nodes && got < wanted; node++) {
		const struct pagus_reclaim how = {
			.node = node, .highest = shortage->highest, .order = shortage->order,
			.priority = priority, .nr_pages = wanted - got, .gfp = shortage->gfp,
			.may_writepage = true, .may_swap = true,
		};

		uint64_t pages;

		if (!(shortage->nodes >> node & 1))
			continue;
		pages = c->p->port->reclaim(c->p->port_ctx, &how);
		pg_reclaim_note(c, node, pages, shortage->order, shortage->highest);
		got += pages;
	}
	return got;
}

uint64_t pg_reclaim_direct(struct pg_call *c, const struct pg_shortage *shortage)
{
	uint64_t got = 0;
	uint32_t task;

	if (!c->p->port->reclaim)
		return 0;
	/* Who is to die is to try again, and end. */
	if (!pg_reclaim_throttle(c, shortage))
		return 1;
	count_stall(c, shortage->highest);
	task = pg_reclaim_enter(c);
	for (uint32_t priority = PG_RECLAIM_PRIORITY + 1; priority-- > 0 && got < PG_RECLAIM_CLUSTER;)
		got += reclaim_nodes(c, shortage, priority, PG_RECLAIM_CLUSTER - got);
	pg_reclaim_leave(c, task);
	pg_count(c, PAGUS_COUNTER_pgsteal_direct, got);
	return got;
}
