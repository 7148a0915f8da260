/* SPDX-License-Identifier: MIT */
/* A recorded pcp: its lists and what its tuning remembers. */
#include "pcp/pcp.h"
#include "zone/seed.h"

enum pagus_status pg_seed_pcp_block(struct pg_call *c, uint32_t cpu, pagus_pfn_t pfn,
				    uint32_t list)
{
	struct pagus_state *st = c->st;
	uint32_t i, order, type;
	enum pagus_status status;
	struct pg_zone *z;

	if (cpu >= st->nr_cpus || list >= PAGUS_NR_PCP_LISTS)
		return PAGUS_BAD_VALUE;
	order = pg_pcp_list_order(list, st->pageblock_order);
	status = pg_seed_take_block(st, pfn, order, &i);
	if (status != PAGUS_OK)
		return status;
	z = pg_zone_of(st, i);
	if (!(st->pcp_orders >> order & 1) || pg_mapped(st)) {
		pg_zone_lock(c, z, PAGUS_REASON_HAND_OVER);
		pg_buddy_free(c, z, i, order, PG_TAIL);
		pg_zone_unlock(c, z);
		return PAGUS_OK;
	}
	type = list < PG_PCP_HUGE_LIST ? list % 3 : (list > PG_PCP_HUGE_LIST);
	pg_pcp_put(st, pg_pcp(st, z->id, cpu), pg_pcp_list(st, order, type), i, order, type,
		   PG_TAIL);
	return PAGUS_OK;
}

enum pagus_status pg_seed_pcp_state(struct pagus_state *st, uint32_t node, uint32_t type,
				    uint32_t cpu, const struct pagus_pcp_seed *seed)
{
	struct pg_zone *z = pg_seed_find_zone(st, node, type);
	struct pg_pcp *pcp;

	if (!z)
		return PAGUS_BAD_NODE;
	if (cpu >= st->nr_cpus ||
	    seed->alloc_factor > st->tunable[PAGUS_TUNABLE_pcp_batch_scale_max])
		return PAGUS_BAD_VALUE;
	pcp = pg_pcp(st, z->id, cpu);
	pcp->high = seed->high;
	pcp->alloc_factor = seed->alloc_factor;
	pcp->free_count = seed->free_count;
	pcp->flags = seed->flags & (PG_PCP_PREV_FREE_HIGH_ORDER | PG_PCP_FREE_HIGH_BATCH);
	return PAGUS_OK;
}
