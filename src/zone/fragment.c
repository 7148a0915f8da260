/* SPDX-License-Identifier: MIT */
/*
 * How scattered a zone's free pages are, from its counts of free blocks of each order
 * (fragmentation_index, extfrag_for_order). Reads without the zone's lock.
 */
#include "zone/zone.h"

struct pg_free_sum pg_free_sum(const struct pagus_state *st, uint32_t zone, uint32_t order)
{
	uint32_t first = zone == UINT32_MAX ? 0 : zone;
	uint32_t end = zone == UINT32_MAX ? st->nr_zones : zone + 1;
	struct pg_free_sum sum = { 0 };

	for (uint32_t id = first; id < end && id < st->nr_zones; id++) {
		for (uint32_t o = 0; o <= st->max_order; o++) {
			uint64_t nr = pg_read(pg_zone(st, id)->nr_free[o]);

			sum.blocks += nr;
			sum.pages += nr << o;
			sum.suitable += o >= order ? nr << (o - order) : 0;
		}
	}
	return sum;
}

int32_t pg_extfrag_index(const struct pagus_state *st, uint32_t zone, uint32_t order)
{
	struct pg_free_sum sum = pg_free_sum(st, zone, order);

	if (sum.blocks == 0 || order > st->max_order)
		return 0;
	if (sum.suitable)
		return -1000;
	return 1000 - (int32_t)((1000 + sum.pages * 1000 / (UINT64_C(1) << order)) / sum.blocks);
}

uint32_t pg_extfrag_percent(const struct pagus_state *st, uint32_t zone, uint32_t order)
{
	struct pg_free_sum sum = pg_free_sum(st, zone, order);

	return sum.pages ? (uint32_t)((sum.pages - (sum.suitable << order)) * 100 / sum.pages) : 0;
}

uint64_t pg_free_in_blocks(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t pages = 0, isolated = (uint64_t)pg_read(z->nr_isolated) << st->pageblock_order;

	for (uint32_t o = st->pageblock_order; o <= st->max_order; o++)
		pages += pg_read(z->nr_free[o]) << o;
	return pages > isolated ? pages - isolated : 0;
}
