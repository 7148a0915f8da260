/* SPDX-License-Identifier: MIT */
/*
 * Isolation of pageblocks:
 *
 *     normal, of a type --isolate--> ISOLATE, the type remembered --unisolate--> normal, of it
 *
 * The free blocks of an isolated pageblock lie on ISOLATE lists, which no request looks at and no
 * count of free pages has. A pageblock that a CPU owns is the zone's before it is isolated, and
 * nobody comes to own one that is, so what is freed into it goes to the zone; only what was on a
 * pcp's lists before, or came there while the type changed, is not there.
 *
 * A hold of the zone's lock is about one pageblock: at most as many steps as it has pages, twice.
 */
#ifndef PG_CONTIG_ISOLATE_H
#define PG_CONTIG_ISOLATE_H

#include "contig/unmovable.h"

/*
 * What the public calls of these names do, for pfns in [start, end). No lock may be held. Where
 * pg_isolate_range gives another status than OK it has isolated nothing. obstacle and first_bad may
 * be NULL.
 */
enum pagus_status pg_isolate_range(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end,
				   enum pagus_isolate_mode mode, pagus_pfn_t *obstacle);
void pg_unisolate_range(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end);
enum pagus_status pg_isolated_test(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end,
				   enum pagus_isolate_mode mode, pagus_pfn_t *first_bad);

/*
 * Is there anything of [start, end) to work on? And inside a zone that is one and the same, with no
 * hole: that, or NULL.
 */
enum pagus_status pg_range_check(const struct pagus_state *st, pagus_pfn_t start, pagus_pfn_t end);
struct pg_zone *pg_range_zone(const struct pagus_state *st, pagus_pfn_t start, pagus_pfn_t end);

#endif
