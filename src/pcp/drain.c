/* SPDX-License-Identifier: MIT */
#include "pcp/pcp.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "pcp/cache.h"
#include "pcp/maps.h"
#include "zone/remote.h"

#define REMOTE_TICKS 3

/* The next list from `list` on, round the end, that holds anything. The pcp is not empty. */
static uint32_t next_list(const struct pagus_state *st, const struct pg_pcp *pcp, uint32_t list)
{
	for (uint32_t n = 0; n < st->nr_pcp_lists; n++) {
		if (pg_list_first(pg_pages(st), pcp->first_head + list) != PG_NONE)
			return list;
		list = list + 1 == st->nr_pcp_lists ? 0 : list + 1;
	}
	PG_ASSERT(false);
	return list;
}

static uint32_t drain_last(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t list)
{
	struct pg_page *pages = pg_pages(c->st);
	uint32_t i = pg_list_last(pages, pcp->first_head + list);
	uint32_t order = pg_page_order(&pages[i]), type = pg_page_type(&pages[i]);

	pg_list_del(pages, i);
	pg_page_to_tail(&pages[i]);
	pg_write(pcp->count, pcp->count - (1u << order));
	if (pg_release(c->st)->list_is_block_type) {
		pg_buddy_free(c, z, i, order, PG_HEAD);
		type = pg_block_type(c->st, i);
	} else {
		pg_buddy_free_as(c, z, i, order, type);
	}
	pg_count(c, PAGUS_COUNTER_pcp_drain_blocks, 1);
	pg_event(c, PAGUS_EVENT_PCPU_DRAIN, i, order, type, 0, 0);
	return 1u << order;
}

uint32_t pg_pcp_drain(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t pages,
		      uint32_t start, enum pagus_lock_reason why)
{
	const struct pg_pcp_ops *ops = pg_pcps[c->st->pcp_policy];
	uint32_t list = start, done = 0;

	pages = (uint32_t)pg_min(pages, pcp->count);
	if (pages == 0)
		return 0;
	if (pg_event_wanted(c, PAGUS_EVENT_DRAIN))
		pg_event_raise(c, PAGUS_EVENT_DRAIN, z->id, PAGUS_NO_PFN, 0, 0, pages, why);
	if (ops->drain)
		return ops->drain(c, z, pcp, pages, why);
	pg_zone_lock(c, z, why);
	while (done < pages) {
		list = next_list(c->st, pcp, list);
		done += drain_last(c, z, pcp, list);
	}
	pg_zone_unlock(c, z);
	pg_count(c, PAGUS_COUNTER_pcp_drain, 1);
	pg_count(c, PAGUS_COUNTER_pcp_drain_pages, done);
	return done;
}

/*
 * In pieces, so that no hold of the zone lock is long. Where the policy drains, it limits the hold,
 * and what has left counts; else what was asked for.
 */
static void drain_in_pieces(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp,
			    uint32_t pages, uint32_t piece, uint32_t start,
			    enum pagus_lock_reason why)
{
	bool by_policy = pg_pcps[c->st->pcp_policy]->drain;

	while (pages > 0 && pcp->count > 0) {
		uint32_t now = (uint32_t)pg_min(pages, by_policy ? pages : piece);
		uint32_t left = pg_pcp_drain(c, z, pcp, now, start, why);

		if (by_policy && left == 0)
			break;
		pages -= by_policy ? (uint32_t)pg_min(pages, left) : now;
	}
}

void pg_pcp_settle(const struct pagus_state *st, struct pg_zone *z)
{
	struct pg_node *node = pg_node(st, z->node);

	if (!pg_zone_has(z, PG_ZONE_BELOW_HIGH) ||
	    !pg_watermark_ok(st, z, 0, pg_mark(z, PAGUS_WMARK_HIGH), PAGUS_ZONE_MOVABLE,
			     PG_ALLOC_KEEP_RESERVE))
		return;
	pg_zone_clear(z, PG_ZONE_BELOW_HIGH);
	if (pg_release(st)->frees_revive_kswapd && st->nr_nodes > 1 && pg_node_hopeless(node))
		pg_atomic_store(&node->failures, 0);
}

void pg_pcp_after_free(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t list,
		       uint32_t order)
{
	const struct pg_pcp_ops *ops = pg_pcps[c->st->pcp_policy];
	uint32_t pages = ops->over(c->st, z, pcp, order, true);

	if (pages == 0)
		return;
	drain_in_pieces(c, z, pcp, pages,
			pg_release(c->st)->overflow_in_batches ? pcp->batch : pages, list,
			PAGUS_REASON_OVERFLOW);
	pg_pcp_settle(c->st, z);
}

uint32_t pg_pcp_decay(const struct pagus_state *st, struct pg_pcp *pcp)
{
	uint32_t most = pcp->batch << st->tunable[PAGUS_TUNABLE_pcp_batch_scale_max];
	uint32_t floor = pcp->count > most ? pcp->count - most : 0;

	if (pg_pcps[st->pcp_policy]->fixed_limit)
		return 0;
	if (pcp->high > pcp->high_min)
		pg_write(pcp->high, (uint32_t)pg_max(pg_max(floor, pcp->high - pcp->high / 8),
						     pcp->high_min));
	return pcp->count > pcp->high ? pcp->count - pcp->high : 0;
}

/*
 * Pages of other nodes, which this CPU is to give back when it has not used their zone for three
 * ticks: a batch at a time. Used means that it had a delta to fold.
 */
static uint32_t expired_pages(const struct pagus_state *st, const struct pg_zone *z,
			      struct pg_pcp *pcp)
{
	if (pcp->expire == 0 || pcp->count == 0)
		return 0;
	if (z->node == pg_cpu_node(st, pcp->cpu)) {
		pcp->expire = 0;
		return 0;
	}
	pcp->expire--;
	return pcp->expire ? 0 : pcp->batch;
}

void pg_pcp_tick(struct pg_call *c)
{
	const struct pg_pcp_ops *ops = pg_pcps[c->st->pcp_policy];

	for (uint32_t id = 0; id < c->st->nr_zones; id++)
		if (pg_maps_short(pg_zone(c->st, id)))
			pg_cache_close(c, pg_zone(c->st, id), c->cpu);
	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		struct pg_zone *z = pg_zone(c->st, id);
		struct pg_pcp *pcp = pg_pcp(c->st, id, c->cpu);

		if (pcp->free_delta)
			pcp->expire = REMOTE_TICKS;
		pg_account_fold(c->st, z, c->cpu);
		pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
		drain_in_pieces(c, z, pcp, pg_pcp_decay(c->st, pcp), pcp->batch, 0,
				PAGUS_REASON_DRAIN);
		pg_pcp_drain(c, z, pcp, expired_pages(c->st, z, pcp), 0, PAGUS_REASON_DRAIN);
		if (ops->tick)
			ops->tick(c, z, pcp);
		pg_pcp_unlock(c, pcp);
	}
}

void pg_pcp_empty(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp)
{
	if (pg_pcps[c->st->pcp_policy]->gather)
		pg_pcps[c->st->pcp_policy]->gather(c, pcp);
	drain_in_pieces(c, z, pcp, pcp->count,
			pcp->batch << c->st->tunable[PAGUS_TUNABLE_pcp_batch_scale_max], 0,
			PAGUS_REASON_DRAIN);
}

void pg_pcp_drain_all(struct pg_call *c, struct pg_zone *z, uint32_t cpu)
{
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, cpu);

	pg_cache_close(c, z, cpu);
	if (pg_read(pcp->count) == 0 && pg_atomic_load(&pcp->remote_pages) == 0 &&
	    (!pg_mapped(c->st) || pg_remote_none(z, pcp)))
		return;
	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
	pg_pcp_empty(c, z, pcp);
	pg_pcp_unlock(c, pcp);
	if (pg_mapped(c->st)) {
		pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
		pg_remote_absorb_zone(c, z);
		pg_zone_unlock(c, z);
	}
}
