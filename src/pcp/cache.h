/* SPDX-License-Identifier: MIT */
/* Caches of the port (pagus/cache.h): when one may be open. */
#ifndef PG_PCP_CACHE_H
#define PG_PCP_CACHE_H

#include "pcp/pcp.h"

/*
 * The port empties the cache that `cpu` has of the zone, if it is open. Who has changed what
 * pg_cache_open asks about finds it closed after this. No lock may be held.
 */
void pg_cache_close(struct pg_call *c, const struct pg_zone *z, uint32_t cpu);

/* The same of all CPUs. */
void pg_cache_close_all(struct pg_call *c, const struct pg_zone *z);

/* What the public call of this name does, inside a call. */
enum pagus_status pg_cache_open(struct pg_call *c, uint32_t zone);

#endif
