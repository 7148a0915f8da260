/* SPDX-License-Identifier: MIT */
/*
 * Many at once: single pages for an array of slots, in one hold of a pcp's lock, and blocks freed
 * in batches, the lock held over as many as there are of one zone. (alloc_pages_bulk,
 * free_unref_folios)
 */
#include "alloc/alloc.h"
#include "alloc/free.h"
#include "alloc/request.h"

/* ---- allocation ------------------------------------------------------------------------------ */

/* First empty slot from `slot` on. */
static uint32_t next_empty(const pagus_pfn_t *pfns, uint32_t nr, uint32_t slot)
{
	while (slot < nr && pfns[slot] != PAGUS_NO_PFN)
		slot++;
	return slot;
}

/* The first zone of the preferred node that keeps its mark when `pages` are taken; NULL if none. */
static struct pg_zone *find_zone(const struct pg_call *c, const struct pg_plan *plan,
				 uint32_t flags, uint32_t pages)
{
	const struct pg_zone *preferred = pg_plan_zone(c->st, plan, plan->preferred);

	for (uint32_t n = plan->preferred; n <= pg_plan_zones(plan); n++) {
		struct pg_zone *z = pg_plan_zone(c->st, plan, n);
		uint64_t mark = pg_mark(z, flags & PG_ALLOC_WMARK_MASK) + pages;

		if (!pg_plan_allows(c->st, plan, n) ||
		    ((flags & PG_ALLOC_CPUSET) && !pg_cpuset_allows(c, plan, z->node)))
			continue;
		if (z->node != preferred->node)
			return NULL;
		if (pg_watermark_ok(c->st, z, 0, mark, preferred->type, flags))
			return z;
	}
	return NULL;
}

/* Fill slots from the zone's pcp until there are no more, of slots or pages: the slot reached. */
static uint32_t fill_slots(struct pg_call *c, struct pg_zone *z, const struct pg_plan *plan,
			   uint32_t flags, uint32_t slot, uint32_t nr, pagus_pfn_t *pfns)
{
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	struct pagus_result res = { .pfn = PAGUS_NO_PFN };

	if (!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_ALLOC))
		return slot;
	for (; slot < nr; slot = next_empty(pfns, nr, slot)) {
		struct pg_take take = { .type = plan->type, .flags = flags };
		uint32_t i = pg_pcp_take(c, z, pcp, &take, &res.from_pcp);

		if (i == PG_NONE)
			break;
		pg_grant(c, plan, i, &res);
		pfns[slot] = res.pfn;
	}
	pg_pcp_unlock(c, pcp);
	return slot;
}

/* The slot reached: `slot` itself where nothing could be had in bulk. */
static uint32_t take_batch(struct pg_call *c, struct pagus_request *req, uint32_t slot, uint32_t nr,
			   pagus_pfn_t *pfns)
{
	struct pg_asker asker = pg_who_asks(c, req->task);
	struct pg_plan plan;
	struct pg_zone *z;
	uint32_t flags, pages = pg_release(c->st)->bulk_counts_missing ? nr - slot : nr;

	asker.task &= ~PG_TASK_SCOPES;
	if (pg_plan_make(c->st, &asker, req, &plan) != PAGUS_OK || plan.preferred == 0)
		return slot;
	flags = plan.fast_flags & ~(PG_ALLOC_NOFRAGMENT | PG_ALLOC_KSWAPD);
	req->gfp = plan.gfp;
	z = find_zone(c, &plan, flags, pages);
	return z ? fill_slots(c, z, &plan, flags, slot, nr, pfns) : slot;
}

uint32_t pg_alloc_bulk(struct pg_call *c, const struct pagus_request *req, uint32_t nr,
		       pagus_pfn_t *pfns)
{
	struct pagus_request one = *req;
	struct pagus_result res;
	uint32_t slot = next_empty(pfns, nr, 0), reached = slot;

	if (slot == nr)
		return nr;
	if (!((req->gfp & __GFP_ACCOUNT) && c->p->port->charge) && nr - slot > 1 &&
	    (c->st->pcp_orders & 1))
		reached = take_batch(c, &one, slot, nr, pfns);
	if (reached > slot || pg_alloc(c, &one, &res) != PAGUS_OK)
		return reached;
	pfns[slot] = res.pfn;
	return slot + 1;
}

/* ---- free ------------------------------------------------------------------------------------ */

#define BATCH 31 /* PAGEVEC_SIZE */

struct prepared {
	uint32_t i, order;
};

/* Prepare up to BATCH blocks; those that go through pcp lists into `batch`. Counts the freed. */
static uint32_t prepare_batch(struct pg_call *c, const pagus_pfn_t *pfns, uint32_t nr,
			      struct prepared *batch, uint32_t *freed)
{
	uint32_t kept = 0;

	for (uint32_t n = 0; n < nr; n++) {
		uint32_t order = pg_free_order(c->st, pfns[n]), i;
		enum pagus_status status = pg_free_check(c->st, pfns[n], order, &i);

		if (status != PAGUS_OK) {
			pg_free_refuse(c, status, pfns[n], i, order);
			continue;
		}
		*freed += 1;
		if (!pg_free_prepare(c, i, order))
			continue;
		if (c->st->local_orders >> order & 1)
			batch[kept++] = (struct prepared){ i, order };
		else
			pg_free_elsewhere(c, i, order, pg_block_type(c->st, i));
	}
	return kept;
}

/*
 * A pageblock that is being isolated takes its pages at once, and a pcp that is busy takes none:
 * both end the hold.
 */
static void push_batch(struct pg_call *c, const struct prepared *batch, uint32_t nr)
{
	struct pg_pcp *held = NULL;

	for (uint32_t n = 0; n < nr; n++) {
		uint32_t i = batch[n].i, order = batch[n].order, type = pg_block_type(c->st, i);
		struct pg_pcp *pcp = pg_pcp(c->st, pg_zone_of(c->st, i)->id, c->cpu);

		if (held && (held != pcp || type == PAGUS_ISOLATE)) {
			pg_pcp_unlock(c, held);
			held = NULL;
		}
		if (!held && type != PAGUS_ISOLATE &&
		    pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE))
			held = pcp;
		if (!held) {
			pg_free_direct(c, i, order, PG_HEAD);
			continue;
		}
		pg_event(c, PAGUS_EVENT_FREE_BATCHED, i, order, type, 0, 0);
		pg_free_push(c, held, i, order, type);
	}
	if (held)
		pg_pcp_unlock(c, held);
}

uint32_t pg_free_bulk(struct pg_call *c, const pagus_pfn_t *pfns, uint32_t nr)
{
	struct prepared batch[BATCH];
	uint32_t freed = 0;

	for (uint32_t some; nr > 0; nr -= some, pfns += some) {
		some = nr < BATCH ? nr : BATCH;
		push_batch(c, batch, prepare_batch(c, pfns, some, batch, &freed));
	}
	return freed;
}
