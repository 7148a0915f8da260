/* SPDX-License-Identifier: MIT */
#include "pcp/pcp.h"

void pg_pcp_tell_refill(const struct pg_call *c, const struct pg_zone *z, const struct pg_take *t,
			uint32_t asked, uint32_t pages)
{
	if (pages == 0)
		return;
	pg_count(c, PAGUS_COUNTER_pcp_refill, 1);
	pg_count(c, PAGUS_COUNTER_pcp_refill_pages, pages);
	if (pg_event_wanted(c, PAGUS_EVENT_REFILL))
		pg_event_raise(c, PAGUS_EVENT_REFILL, z->id, PAGUS_NO_PFN, t->order, t->type, asked,
			       pages >> t->order);
}

bool pg_pcp_fill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t)
{
	const struct pg_pcp_ops *ops = pg_pcps[c->st->pcp_policy];
	uint32_t list = pg_pcp_list(c->st, t->order, t->type), got = 0, asked;

	if (ops->restock)
		return ops->restock(c, z, pcp, t);
	asked = ops->refill_blocks(c->st, z, pcp, t);
	if (asked == 0 || !pg_zone_lock_for(c, z, t->flags, PAGUS_REASON_REFILL))
		return false;
	for (; got < asked; got++) {
		uint32_t i = pg_place_take(c, z, t);

		if (i == PG_NONE)
			break;
		pg_pcp_put(c->st, pcp, list, i, t->order, t->type, PG_TAIL);
	}
	pg_zone_unlock(c, z);
	pg_pcp_tell_refill(c, z, t, asked, got << t->order);
	return false;
}
