/* SPDX-License-Identifier: MIT */
#include <pagus/loan.h>

#include "pcp/loan.h"
#include "pcp/maps.h"

void pg_loan_end(struct pg_call *c, struct pg_pcp *pcp)
{
	struct pg_keep *keep = pg_keep(c->st, pcp);
	struct pg_map *m;

	if (keep->lent == 0)
		return;
	c->p->port->loan_end(c->p->port_ctx, pcp->zone, pcp->cpu);
	m = pg_map_at(c->st, keep->lent - 1);
	PG_ASSERT(m->queue == PG_MAP_LENT && pg_map_owner(m) == pcp->cpu + 1);
	keep->lent = 0;
	m->queue = 0;
	pg_map_unlend(c->st, m);
	pg_write(pcp->count, pcp->count + m->nr_free);
	pg_keep_update(c->st, pcp, m);
}

/* Pages of another migratetype's requests would be handed out again as those. */
static uint64_t single_pages(const struct pg_map *m, uint32_t word, uint32_t type)
{
	uint64_t low = type & 1 ? m->low[word] : ~m->low[word];
	uint64_t high = type & 2 ? m->high[word] : ~m->high[word];

	return pg_map_single(m, word) & ((low & high) | m->free[word]);
}

static enum pagus_status lend(struct pg_call *c, struct pg_pcp *pcp, struct pg_map *m,
			      uint32_t type)
{
	struct pagus_state *st = c->st;
	struct pagus_loan loan = {
		.free = m->free, .remote = m->remote, .nr_words = pg_map_words(st), .type = type,
		.start_pfn = pg_pfn(st, pg_map_start(st, m)), .cpu = pcp->cpu,
	};

	if (pg_map_owner(m) != pcp->cpu + 1 || m->nr_free == 0 ||
	    pg_block_type(st, pg_map_start(st, m)) != type)
		return PAGUS_BUSY;
	for (uint32_t w = 0; w < loan.nr_words; w++)
		loan.single[w] = single_pages(m, w, type);
	pg_map_lend(st, m, type);
	if (!c->p->port->loan_begin(c->p->port_ctx, pcp->zone, &loan)) {
		pg_map_unlend(st, m);
		return PAGUS_BUSY;
	}
	pg_write(pcp->count, pcp->count - m->nr_free);
	pg_keep_remove(st, pcp, m);
	m->queue = PG_MAP_LENT;
	pg_keep(st, pcp)->lent = pg_map_block(st, m) + 1;
	return PAGUS_OK;
}

static enum pagus_status offer(struct pg_call *c, pagus_pfn_t pfn, uint32_t type)
{
	enum pagus_status status;
	struct pg_pcp *pcp;
	uint32_t i;

	if (!pg_mapped(c->st) || !c->p->port->loan_begin || !c->p->port->loan_end)
		return PAGUS_UNSUPPORTED;
	status = pg_block_at(c->st, pfn, 0, &i);
	if (status != PAGUS_OK)
		return status;
	pcp = pg_pcp(c->st, pg_zone_of(c->st, i)->id, c->cpu);
	if (!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_ALLOC))
		return PAGUS_BUSY;
	pg_loan_end(c, pcp);
	/*
	 * What pages are to hold when they are handed out, and whether their memory has failed, is not
	 * the borrower's affair. Who notes the latter ends the loan under this lock afterwards.
	 */
	if (pg_read(c->st->content)) {
		pg_pcp_unlock(c, pcp);
		return PAGUS_BUSY;
	}
	pg_maps_absorb(c, pcp, pg_map(c->st, i));
	pg_maps_drain_over(c, pg_zone(c->st, pcp->zone), pcp, 0, false);
	if (type == PAGUS_NR_MIGRATETYPES)
		type = pg_block_type(c->st, i);
	status = lend(c, pcp, pg_map(c->st, i), type);
	pg_pcp_unlock(c, pcp);
	return status;
}

enum pagus_status pagus_lend(struct pagus *p, pagus_pfn_t pfn, enum pagus_migratetype type)
{
	struct pg_call c = pg_call_begin(p);
	enum pagus_status status = offer(&c, pfn, type);

	pg_call_end(&c);
	return status;
}

void pagus_loan_end(struct pagus *p, uint32_t zone, uint32_t cpu)
{
	struct pg_call c;
	struct pg_pcp *pcp;

	if (!pg_mapped(p->state) || zone >= p->state->nr_zones || cpu >= p->state->nr_cpus)
		return;
	c = pg_call_begin(p);
	pcp = pg_pcp(c.st, zone, cpu);
	pg_pcp_lock(&c, pcp, PAGUS_REASON_PCP_DRAIN);
	pg_loan_end(&c, pcp);
	pg_maps_gather(&c, pcp);
	pg_maps_drain_over(&c, pg_zone(c.st, zone), pcp, 0, false);
	pg_pcp_unlock(&c, pcp);
	pg_call_end(&c);
}
