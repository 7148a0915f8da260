/* SPDX-License-Identifier: MIT */
/*
 * Pages whose memory has failed. A page that is nobody's is leaked at once, and known by that. One
 * in use is noted in a table of the state, by record; while there is any such, PG_CONTENT_SUSPECT
 * stands in the state's `content`, which allocations and frees look at anyway.
 *
 * Entries come and go without a lock. Who adds one sets the bit afterwards, and who takes one out
 * clears the bit before he looks whether the table is empty, and sets it again if it is not.
 */
#ifndef PG_ZONE_POISON_H
#define PG_ZONE_POISON_H

#include "zone/content.h"
#include "zone/zone.h"

/* Note page i, which is in use. False: the table is full. Is it there? No longer. */
bool pg_poison_note(struct pagus_state *st, uint32_t i);
bool pg_poison_noted(const struct pagus_state *st, uint32_t i);
bool pg_poison_forget(struct pagus_state *st, uint32_t i);

/* Is any of the 2^order pages from i on noted? */
bool pg_poison_any(const struct pagus_state *st, uint32_t i, uint32_t order);

/*
 * Page i, on no list and nobody's, is leaked as poisoned; with maps that needs the pageblock's lock.
 * Is it so? And back: it is nobody's page again.
 */
void pg_poison_leak(struct pg_call *c, uint32_t i);
bool pg_poison_leaked(const struct pagus_state *st, uint32_t i);
void pg_poison_unleak(struct pg_call *c, uint32_t i);

#endif
