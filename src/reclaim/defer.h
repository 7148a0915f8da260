/* SPDX-License-Identifier: MIT */
/*
 * When a zone is not compacted although somebody wants it: because it has failed lately, or has
 * copied so much lately. Both are hints, without a lock.
 *
 *     after n failures in a row 2^min(n, 6) - 1 attempts of the order, or a larger one, are refused
 *     with compact_rate r the zone has a bucket: a tick puts in r pages, up to 64 r, and what is
 *     copied, or drained for it, is taken out; while it is empty no run begins
 */
#ifndef PG_RECLAIM_DEFER_H
#define PG_RECLAIM_DEFER_H

#include "watch/event.h"

/* Somebody wants to compact for `order`: is he refused? Counts him. (compaction_deferred) */
bool pg_defer_refuses(const struct pg_call *c, struct pg_zone *z, uint32_t order);

/* Has the longest row of refusals just ended? (compaction_restarting) */
bool pg_defer_restarts(const struct pg_zone *z, uint32_t order);

/* A run for `order` was in vain; one was not, or the request has been served after it. */
void pg_defer_failed(const struct pg_call *c, struct pg_zone *z, uint32_t order);
void pg_defer_reset(const struct pg_call *c, struct pg_zone *z, uint32_t order, bool served);

/* The bucket is empty: counted. */
bool pg_rate_refuses(const struct pg_call *c, const struct pg_zone *z);

/* So many pages were copied; more than there are in the bucket are owed. */
void pg_rate_charge(const struct pagus_state *st, struct pg_zone *z, uint64_t pages);

/* The tick of the CPU: of those of a node the first that is online fills its zones' buckets. */
void pg_rate_tick(const struct pg_call *c);

/* compact_rate has been set: all buckets are full. */
void pg_rate_start(struct pagus_state *st);

#endif
