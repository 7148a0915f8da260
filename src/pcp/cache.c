/* SPDX-License-Identifier: MIT */
/*
 * What a cache needs is looked at under the pcp's lock, and it is opened under it. Who takes
 * something of that away does so first, then passes through the lock, and then closes: an opener
 * that had not seen it yet has opened by then.
 */
#include "pcp/cache.h"

#include "mem/cpu.h"
#include "pcp/maps.h"

static bool may_open(const struct pg_call *c, const struct pg_zone *z, const struct pg_pcp *pcp)
{
	return pcp->high_max > 0 && pg_cpu_online(c->st, pcp->cpu) && !pg_maps_short(z) &&
	       pg_read(c->st->content) == 0 && !c->p->port->check && c->p->listener_mask == 0;
}

enum pagus_status pg_cache_open(struct pg_call *c, uint32_t zone)
{
	const struct pagus_port *port = c->p->port;
	struct pg_zone *z;
	struct pg_pcp *pcp;
	bool open;

	if (!pg_mapped(c->st) || !port->cache_open || !port->cache_close)
		return PAGUS_UNSUPPORTED;
	if (zone >= c->st->nr_zones)
		return PAGUS_BAD_VALUE;
	z = pg_zone(c->st, zone);
	pcp = pg_pcp(c->st, zone, c->cpu);
	if (!pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_ALLOC))
		return PAGUS_BUSY;
	open = may_open(c, z, pcp) && port->cache_open(c->p->port_ctx, zone, c->cpu, pcp->high_max);
	pg_pcp_unlock(c, pcp);
	return open ? PAGUS_OK : PAGUS_BUSY;
}

void pg_cache_close(struct pg_call *c, const struct pg_zone *z, uint32_t cpu)
{
	const struct pagus_port *port = c->p->port;
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, cpu);

	if (!port->cache_close || !pg_mapped(c->st))
		return;
	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
	pg_pcp_unlock(c, pcp);
	/* The port comes back into the instance with what it has. */
	pg_call_end(c);
	port->cache_close(c->p->port_ctx, z->id, cpu);
	pg_call_resume(c);
}

void pg_cache_close_all(struct pg_call *c, const struct pg_zone *z)
{
	for (uint32_t cpu = 0; cpu < c->st->nr_cpus; cpu++)
		pg_cache_close(c, z, cpu);
}
