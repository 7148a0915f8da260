/* SPDX-License-Identifier: MIT */
/*
 * What pages hold, as far as the allocator has to do with it. The content itself is the port's:
 * here is when it is written or looked at, and what becomes of a block that is found bad: it is
 * leaked, which is that it belongs to nobody for ever, and another is used.
 */
#ifndef PG_ZONE_CONTENT_H
#define PG_ZONE_CONTENT_H

#include "watch/event.h"

/* What is done to content, of pagus_state.content: as the tunables say after poisoning has won. */
#define PG_CONTENT_ZERO_ALLOC 0x1u
#define PG_CONTENT_ZERO_FREE  0x2u
#define PG_CONTENT_POISON     0x4u
#define PG_CONTENT_SUSPECT    0x8u /* no tunable's: pages in use have failed (poison.h) */

/* After a tunable was set. */
void pg_content_setup(struct pagus_state *st);

/* A block with requests' mask `gfp` is about to be handed out: its poison, and zeroes. */
void pg_content_hand_out(struct pg_call *c, uint32_t i, uint32_t order, uint32_t gfp);

/* A block is about to become free: poison, or zeroes. */
void pg_content_free(struct pg_call *c, uint32_t i, uint32_t order);

/* Does the port's check say that the block, which is on no list, is bad? Then that is told. */
bool pg_content_bad(struct pg_call *c, uint32_t i, uint32_t order, enum pagus_check when);

/* The block, which is on no list and nobody's, is so for ever. */
void pg_content_leak(struct pg_call *c, uint32_t i, uint32_t order);

#endif
