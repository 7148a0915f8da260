/* SPDX-License-Identifier: MIT */
/*
 * Contiguity: pageblocks that nothing is allocated from any more, and ranges made free by moving
 * what is in them.
 *
 * Units: pfns and pages; a range begins at a pfn and has nr_pages. Locking: all of these may be
 * called from any CPU at any time, but not with a lock of the port held, nor from a listener. A
 * zone's lock is held for one pageblock at a time.
 *
 * Errors leave the instance as it was, but for what such work does on its way: pages that were
 * moved, and pcps that were drained into the zones. Which free blocks there are in the zones, and
 * on lists of which migratetype, is the same as before where nothing was moved or drained; the
 * order on a list is not.
 */
#ifndef PAGUS_CONTIG_H
#define PAGUS_CONTIG_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Isolation ------------------------------------------------------------------------------- */

/*
 * What a pageblock is isolated for, which decides what may be in it. Obstacles are reserved pages and
 * holes; in zones other than Movable also inherited and leaked pages, and blocks in use that were
 * not requested as movable, or are FIXED by the port's traits.
 *
 *                         CMA pageblock        leaked block      block of trait OFFLINE
 *     OTHER               obstacle             obstacle          as its request
 *     CMA_ALLOC           whatever it holds    obstacle          as its request
 *     MEM_OFFLINE         obstacle             no obstacle       no obstacle
 */
enum pagus_isolate_mode {
	PAGUS_ISOLATE_OTHER,
	PAGUS_ISOLATE_CMA_ALLOC,
	PAGUS_ISOLATE_MEM_OFFLINE
};

/*
 * Isolate every pageblock that the range touches: what is free in it counts as free no longer and
 * is not handed out, and what is freed into it from now on goes there too, whatever the rights of a
 * request. The pageblock remembers its migratetype. What lies on a pcp may still be handed out:
 * drain afterwards, or switch the zone's pcps off before. A free block that goes on beyond the
 * range is cut at the pageblock's border.
 *
 * Errors, with nothing isolated by this call: BUSY: a pageblock is isolated already, reaches beyond
 * its zone or is shared with another, or holds something of the range that cannot move, or a
 * compound page goes on beyond the range's pageblocks; *obstacle, unless NULL, is the pfn of it.
 * BAD_RANGE: no page, or none that is tracked. BAD_VALUE: no such mode. Pageblocks of sections that
 * are absent are left out.
 */
enum pagus_status pagus_isolate_range(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				      enum pagus_isolate_mode mode, pagus_pfn_t *obstacle);

/*
 * Every isolated pageblock that the range touches gets its migratetype back, and its free blocks go
 * to that one's lists, merged with their neighbours. Errors: BAD_RANGE.
 */
enum pagus_status pagus_unisolate_range(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages);

/*
 * Are all pageblocks of the range isolated, and is every page of the range free in its zone?
 * MEM_OFFLINE: leaked blocks, and blocks of trait OFFLINE, count as free. BUSY: no, and *first_bad,
 * unless NULL, is the first page that is not. Errors: as pagus_isolate_range.
 */
enum pagus_status pagus_test_isolated(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				      enum pagus_isolate_mode mode, pagus_pfn_t *first_bad);

#ifdef __cplusplus
}
#endif

#endif
