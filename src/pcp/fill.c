/* SPDX-License-Identifier: MIT */
#include "pcp/pcp.h"

void pg_pcp_fill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t)
{
	uint32_t asked = pg_pcps[c->st->pcp_policy]->refill_blocks(c->st, z, pcp, t);
	uint32_t list = pg_pcp_list(t->order, t->type), got = 0;

	if (asked == 0 || !pg_zone_lock_for(c, z, t->flags, PAGUS_REASON_REFILL))
		return;
	for (; got < asked; got++) {
		uint32_t i = pg_place_take(c, z, t);

		if (i == PG_NONE)
			break;
		pg_pcp_put(c->st, pcp, list, i, t->order, t->type, PG_TAIL);
	}
	pg_zone_unlock(c, z);
	if (got == 0)
		return;
	pg_count(c, PAGUS_COUNTER_pcp_refill, 1);
	pg_count(c, PAGUS_COUNTER_pcp_refill_pages, (uint64_t)got << t->order);
	if (pg_event_wanted(c, PAGUS_EVENT_REFILL))
		pg_event_raise(c, PAGUS_EVENT_REFILL, z->id, PAGUS_NO_PFN, t->order, t->type, asked,
			       got);
}
