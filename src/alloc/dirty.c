/* SPDX-License-Identifier: MIT */
/*
 * Spreading of dirty pages. A node's limit is dirty_ratio percent of what page caches could fill:
 *
 *     free pages - min(free pages, totalreserve) + pages of files; a quarter more for real-time tasks
 */
#include "alloc/request.h"

#include "base/bits.h"

bool pg_node_dirty_ok(const struct pg_call *c, uint32_t node, uint32_t task)
{
	struct pagus_node_usage usage = { 0 };
	uint64_t free = 0, limit;

	if (!c->p->port->node_usage)
		return true;
	c->p->port->node_usage(c->p->port_ctx, node, &usage);
	for (uint32_t id = 0; id < c->st->nr_zones; id++)
		if (pg_zone(c->st, id)->node == node)
			free += (uint64_t)pg_read(pg_zone(c->st, id)->free_pages);
	free -= pg_min(free, pg_watermark_totalreserve(c->st, node));
	limit = pg_mult_frac(free + usage.file_pages, c->st->tunable[PAGUS_TUNABLE_dirty_ratio], 100);
	if (task & PAGUS_TASK_RT)
		limit += limit / 4;
	return usage.dirty_pages <= limit;
}
