/* SPDX-License-Identifier: MIT */
/* Every free block of a zone, for who wants to know where they are. (mark_free_pages) */
#include <pagus/reporting.h>

#include "zone/remote.h"
#include "zone/zone.h"

static void each_of_list(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
			 uint32_t type, pagus_free_block *fn, void *ctx)
{
	for (uint32_t i = pg_store_first(st, z, order, type); i != PG_NONE;
	     i = pg_store_next(st, z, i, order, type))
		fn(ctx, pg_pfn(st, i), order, (enum pagus_migratetype)type);
}

enum pagus_status pagus_each_free(struct pagus *p, uint32_t zone, pagus_free_block *fn, void *ctx)
{
	struct pagus_state *st = p->state;
	struct pg_zone *z = pg_zone(st, zone);
	struct pg_call c;

	if (zone >= st->nr_zones)
		return PAGUS_BAD_VALUE;
	c = pg_call_begin(p);
	pg_zone_lock(&c, z, PAGUS_REASON_CONTIG);
	if (pg_mapped(st))
		pg_remote_absorb_zone(&c, z);
	for (uint32_t order = 0; order <= st->max_order; order++)
		for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
			each_of_list(st, z, order, type, fn, ctx);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	return PAGUS_OK;
}
