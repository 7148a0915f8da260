/* SPDX-License-Identifier: MIT */
/*
 * Who would reclaim for itself waits while so little of the reserves is left that whoever frees
 * memory may lack it: until kswapd, which is made to work, has freed some. (throttle_direct_reclaim)
 */
#include "reclaim/reclaim.h"

#include "base/bits.h"

#define NOFS_WAITS 100  /* of 10 ms: 1 s, for what kswapd needs may be this task's to let go */
#define FS_WAITS   1000 /* the kernel's has no end; a port may not let kswapd work */

/* Zones without anything to reclaim do not become better by waiting. */
static bool allows(const struct pg_call *c, uint32_t node)
{
	uint64_t reserve = 0, free = 0;

	if (pg_node_hopeless(pg_node(c->st, node)))
		return true;
	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(c->st, id);
		uint64_t zone_free = (uint64_t)pg_watermark_safe_free(c->st, z);

		if (z->node != node || z->type > PAGUS_ZONE_NORMAL || pg_read(z->managed) == 0 ||
		    (zone_free > 0 && pg_reclaimable(c, z) == 0))
			continue;
		reserve += pg_mark(z, PAGUS_WMARK_MIN);
		free += zone_free;
	}
	return reserve == 0 || free > reserve / 2;
}

bool pg_reclaim_throttle(struct pg_call *c, const struct pg_shortage *shortage)
{
	const uint32_t highest = (uint32_t)pg_min(shortage->highest, PAGUS_ZONE_NORMAL);
	const uint32_t most = shortage->gfp & __GFP_FS ? FS_WAITS : NOFS_WAITS;
	const struct pagus_port *port = c->p->port;

	if (shortage->lowmem_node == PAGUS_NO_NODE || !port->wake || !port->wait ||
	    (shortage->task & PAGUS_TASK_KTHREAD) || pg_is_to_die(c, shortage->task) ||
	    allows(c, shortage->lowmem_node))
		return true;
	pg_count(c, PAGUS_COUNTER_pgscan_direct_throttle, 1);
	for (uint32_t n = 0; n < most && !allows(c, shortage->lowmem_node); n++) {
		pg_kswapd_wake(c, shortage->lowmem_node, 0, highest, true);
		pg_call_end(c);
		port->wait(c->p->port_ctx, PAGUS_WAIT_THROTTLE);
		pg_call_resume(c);
		if (pg_is_to_die(c, shortage->task))
			return false;
	}
	return true;
}
