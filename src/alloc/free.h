/* SPDX-License-Identifier: MIT */
/* The parts of a free, which the ways of freeing put together. */
#ifndef PG_ALLOC_FREE_H
#define PG_ALLOC_FREE_H

#include "pcp/pcp.h"

/* Why page i, which is no first page of an allocated block, cannot be freed. */
enum pagus_status pg_free_why_not(const struct pagus_state *st, uint32_t i);

/* Order of the block that is handed out at pfn; 0 where there is none. */
uint32_t pg_free_order(const struct pagus_state *st, pagus_pfn_t pfn);

/*
 * May the 2^order pages from pfn be freed as one block? Its first record in *i, PG_NONE where there
 * is none. BUSY: it is such a block, and has further references.
 */
enum pagus_status pg_free_check(const struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
				uint32_t *i);

/* Say that a free was refused; returns `status`. */
enum pagus_status pg_free_refuse(struct pg_call *c, enum pagus_status status, pagus_pfn_t pfn,
				 uint32_t i, uint32_t order);

/*
 * Begin to free a block that has been checked: events, counts, charge, content. It belongs to
 * nobody then. False: it was bad, and that is its end.
 */
bool pg_free_prepare(struct pg_call *c, uint32_t i, uint32_t order);

/* The same without waiting for a lock. */
bool pg_free_prepare_nolock(struct pg_call *c, uint32_t i, uint32_t order);

/*
 * Its end in the zone's lists, with all that was deferred there, or on the pcp list of a pageblock
 * of `type`, whose lock is held.
 */
void pg_free_direct(struct pg_call *c, uint32_t i, uint32_t order, enum pg_end end);
void pg_free_push(struct pg_call *c, struct pg_pcp *pcp, uint32_t i, uint32_t order, uint32_t type);

/*
 * Its end where the calling CPU's lists are not the place: where the pcp policy says, or in the
 * zone's.
 */
void pg_free_elsewhere(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type);

/* The end of a block that is nobody's any more: its pcp list or the zone's lists decide. */
void pg_free_prepared(struct pg_call *c, uint32_t i, uint32_t order);

/* What frees a block that has been checked: its pcp list or the zone's lists decide. */
typedef void pg_free_block(struct pg_call *c, uint32_t i, uint32_t order);
pg_free_block pg_free_checked;

#endif
