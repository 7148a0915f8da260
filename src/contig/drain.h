/* SPDX-License-Identifier: MIT */
/* Pages that lie on pcps are given back to the zone. */
#ifndef PG_CONTIG_DRAIN_H
#define PG_CONTIG_DRAIN_H

#include "pcp/pcp.h"

/* All CPUs' pcps of the zone, one after the other. No lock may be held. */
static inline void pg_contig_drain(struct pg_call *c, struct pg_zone *z)
{
	for (uint32_t cpu = 0; cpu < c->st->nr_cpus; cpu++)
		pg_pcp_drain_all(c, z, cpu);
}

#endif
