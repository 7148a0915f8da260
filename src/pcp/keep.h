/* SPDX-License-Identifier: MIT */
/*
 * The pageblocks that a CPU owns of a zone, as far as they have free pages, in queues: those in
 * part free, the first of which requests are served from, and those wholly free; of each
 * migratetype.
 *
 * Locking: all calls need the pcp's lock.
 */
#ifndef PG_PCP_KEEP_H
#define PG_PCP_KEEP_H

#include "mem/map.h"
#include "pcp/pcp.h"

/* A pageblock of the pcp's has more or fewer free pages: into the queue that is right now. */
void pg_keep_update(struct pagus_state *st, const struct pg_pcp *pcp, struct pg_map *m);

/* Out of its queue. */
void pg_keep_remove(struct pagus_state *st, const struct pg_pcp *pcp, struct pg_map *m);

/* First or last of a queue, and neighbours; NULL where there is none. */
struct pg_map *pg_keep_first(const struct pagus_state *st, const struct pg_pcp *pcp,
			     uint32_t queue);
struct pg_map *pg_keep_last(const struct pagus_state *st, const struct pg_pcp *pcp, uint32_t queue);
struct pg_map *pg_keep_next(const struct pagus_state *st, const struct pg_map *m);
struct pg_map *pg_keep_prev(const struct pagus_state *st, const struct pg_map *m);

#endif
