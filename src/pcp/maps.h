/* SPDX-License-Identifier: MIT */
/* Blocks of pageblocks that are kept in maps, for who does not know whose the pageblock is. */
#ifndef PG_PCP_MAPS_H
#define PG_PCP_MAPS_H

#include "pcp/pcp.h"

/* The block that is handed out becomes blocks of order `to`. Waits for the pageblock's lock. */
void pg_maps_split(struct pg_call *c, uint32_t i, uint32_t order, uint32_t to);

/* Take in what was freed of the pageblock, if it is the pcp's. Needs the pcp's lock. */
void pg_maps_absorb(struct pg_call *c, struct pg_pcp *pcp, struct pg_map *m);

/* The pcp, which has got pages back, gives what is over its limit to the zone. Needs its lock. */
void pg_maps_drain_over(struct pg_call *c, struct pg_pcp *pcp);

/* Free a block of any order without any lock. */
void pg_maps_defer(struct pg_call *c, uint32_t i, uint32_t order);

#endif
