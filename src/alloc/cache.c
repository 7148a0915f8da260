/* SPDX-License-Identifier: MIT */
/* What a cache of the port is filled with, and what it spills. */
#include <pagus/cache.h>

#include "alloc/alloc.h"
#include "alloc/free.h"
#include "alloc/request.h"
#include "pcp/cache.h"
#include "pcp/maps.h"

#define BATCH 64

enum pagus_status pagus_cache_open(struct pagus *p, uint32_t zone)
{
	struct pg_call c = pg_call_begin(p);
	enum pagus_status status = pg_cache_open(&c, zone);

	pg_call_end(&c);
	return status;
}

/* ---- fill ------------------------------------------------------------------------------------ */

/* The zone that the plan prefers, if it keeps its mark without so many pages; else NULL. */
static struct pg_zone *rich_zone(const struct pg_call *c, const struct pg_plan *plan, uint64_t pages)
{
	struct pg_zone *z;

	if (plan->preferred == 0)
		return NULL;
	z = pg_plan_zone(c->st, plan, plan->preferred);
	return pg_watermark_ok(c->st, z, 0, pg_mark(z, PAGUS_WMARK_LOW) + pages, z->type,
			       plan->fast_flags) ? z : NULL;
}

static uint32_t fill(struct pg_call *c, const struct pagus_request *req, uint32_t nr,
		     pagus_pfn_t *pfns)
{
	struct pg_asker asker = pg_who_asks(c, req->task);
	uint32_t blocks[BATCH], got;
	struct pg_take take;
	struct pg_plan plan;
	struct pg_pcp *pcp;
	struct pg_zone *z;

	nr = nr < BATCH ? nr : BATCH;
	if (!pg_mapped(c->st) || pg_plan_make(c->st, &asker, req, &plan) != PAGUS_OK ||
	    !(c->st->pcp_orders >> req->order & 1))
		return 0;
	z = rich_zone(c, &plan, (uint64_t)nr << req->order);
	if (!z)
		return 0;
	pcp = pg_pcp(c->st, z->id, c->cpu);
	/* Whoever holds it holds it for a few blocks: to wait costs less than to go to the zone. */
	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_ALLOC);
	pg_maps_gather(c, pcp);
	take = (struct pg_take){ .order = req->order, .type = plan.type, .flags = plan.fast_flags };
	got = pg_maps_take_many(c, z, pcp, &take, nr, blocks);
	pg_pcp_unlock(c, pcp);
	for (uint32_t n = 0; n < got; n++)
		pfns[n] = pg_pfn(c->st, blocks[n]);
	pg_count_granted(c, &plan, z, got);
	return got;
}

uint32_t pagus_cache_fill(struct pagus *p, const struct pagus_request *req, uint32_t nr,
			  pagus_pfn_t *pfns)
{
	struct pg_call c = pg_call_begin(p);
	uint32_t got = fill(&c, req, nr, pfns);

	pg_call_end(&c);
	return got;
}

/* ---- spill ----------------------------------------------------------------------------------- */

static void spill(struct pg_call *c, const pagus_pfn_t *pfns, uint32_t nr, uint32_t order)
{
	uint32_t blocks[BATCH], kept = pg_free_prepare_many(c, pfns, nr, order, blocks), freed = 0;

	if (pg_mapped(c->st) && order <= c->st->pageblock_order)
		freed = pg_maps_free_many(c, blocks, kept, order);
	else
		for (; freed < kept; freed++)
			pg_free_prepared(c, blocks[freed], order);
	pg_count(c, PAGUS_COUNTER_free_bad, kept - freed);
}

void pagus_cache_spill(struct pagus *p, const pagus_pfn_t *pfns, uint32_t nr, uint32_t order)
{
	struct pg_call c = pg_call_begin(p);

	for (uint32_t n = 0; n < nr; n += BATCH)
		spill(&c, pfns + n, nr - n < BATCH ? nr - n : BATCH, order);
	pg_call_end(&c);
}
