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

/* ---- Isolation ------------------------------------------------------------------------------ */

/*
 * What a pageblock is isolated for, which decides what may be in it. Obstacles are reserved pages
 * and holes; in zones other than Movable also inherited and leaked pages, and blocks in use that
 * were not requested as movable, or are FIXED by the port's traits.
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

/* ---- Contiguous ranges ---------------------------------------------------------------------- */

/* What ends a call that may last, in place of a signal: it then returns CANCELLED, soon. */
struct pagus_cancel {
	uint32_t wanted; /* 0: go on. Set by pagus_cancel_now, from anywhere at any time */
};
void pagus_cancel_now(struct pagus_cancel *cancel);

#define PAGUS_MAX_FOLIO_ORDER 18 /* of a compound page: 1 GiB of 4 KiB pages, as on x86-64 */

/*
 * Allocate just the pages of a range (alloc_contig_range), by moving what is in use there. The
 * range lies in one zone and has no hole; it may begin and end anywhere. `cma` is for whoever has a
 * CMA area there, in whose pageblocks the range may lie then; the others must not be CMA's.
 *
 * Its pageblocks are isolated meanwhile; owners are asked to move blocks to other memory of the
 * node, by requests with the reclaim flags of `gfp`, or else as the node's zonelist says. A batch
 * of blocks is tried five times. No lock is held while an owner is called; a zone's lock is held
 * for one pageblock's worth of pages at a time, or for a free block if that is larger.
 *
 * gfp: reclaim flags (__GFP_IO, _FS, _DIRECT_RECLAIM, _KSWAPD_RECLAIM), __GFP_RETRY_MAYFAIL,
 * _NOWARN, _ZERO, _ZEROTAGS, _COMP and _MOVABLE count. Zone bits, _RECLAIMABLE, _WRITE,
 * _HARDWALL and _THISNODE mean nothing here and may be there. Any other is refused.
 *
 * What is given is movable if gfp has __GFP_MOVABLE: its owner is then asked, as of any movable
 * block, and a superpageblock that is given whole stays clean. Without __GFP_COMP it is single
 * pages, each freed by itself. With it, which needs 2^k pages at a multiple of that, k at most PAGUS_MAX_FOLIO_ORDER, it is one
 * compound page; where k is above the largest order it is recorded as 2^k / 2^max_order compound
 * pages of the largest order, one behind the other. pagus_free_contig_range frees either.
 *
 * Errors: BAD_VALUE: gfp, or its __GFP_COMP does not go with the range; nothing has been touched.
 * BAD_RANGE. BUSY: a pageblock is isolated by another, or something in the range did not move.
 * NO_MEMORY: there was nothing to move to. CANCELLED.
 */
struct pagus_contig {
	pagus_pfn_t start;
	uint64_t nr_pages;
	bool cma;
	uint32_t gfp;
	const struct pagus_cancel *cancel; /* NULL: none */
};
enum pagus_status pagus_alloc_contig(struct pagus *p, const struct pagus_contig *range);
enum pagus_status pagus_alloc_contig_range(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
					   bool cma, uint32_t gfp);

/*
 * Allocate nr_pages contiguous pages wherever they can be had (alloc_contig_pages), in particular
 * more than a block may have: 262144 for 1 GiB. Zones are those of `node`'s zonelist
 * (PAGUS_NO_NODE: the CPU's own node) that the zone bits of `gfp`, __GFP_THISNODE and `nodemask`
 * (0: all) allow; in each, ranges that begin at multiples of nr_pages are looked at from the zone's
 * start on, and the first is taken that holds nothing but what is free or may move, is no CMA's,
 * and can be emptied. So 2^k pages lie at a multiple of 2^k. Where the range is a superpageblock, the
 * clean ones with the least to move are tried first; if less than its size is free above the low mark
 * and what tainted ones keep, what is missing is reclaimed before anything is moved
 * (__GFP_DIRECT_RECLAIM), or it is refused. gfp and what is given: as above.
 *
 * Errors: NO_MEMORY: no range could be had. BAD_VALUE: gfp, or nr_pages is 0 or more than there
 * are. BAD_ZONE_BITS, BAD_NODE, CANCELLED.
 */
struct pagus_contig_request {
	uint64_t nr_pages;
	uint32_t gfp;
	uint32_t node;
	uint64_t nodemask;
	const struct pagus_cancel *cancel; /* NULL: none */
};
enum pagus_status pagus_alloc_contig_anywhere(struct pagus *p,
					      const struct pagus_contig_request *req,
					      pagus_pfn_t *pfn);
enum pagus_status pagus_alloc_contig_pages(struct pagus *p, uint64_t nr_pages, uint32_t gfp,
					   uint32_t node, uint64_t nodemask, pagus_pfn_t *pfn);

/*
 * Drop one reference to each block that begins in the range, all of which must end in it
 * (free_contig_range). Those that were the last free the block; single pages that lie side by side
 * are freed in blocks as large as alignment, the largest order and, where pages are kept in maps,
 * the pageblock allow. The range may be all or a part of what was allocated, or of several; of a
 * compound page it is all or nothing. Each page raises a FREE event as if it were freed alone.
 *
 * Errors: as pagus_put_pages, for the first block that none may be dropped of; then none has been.
 */
enum pagus_status pagus_free_contig_range(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages);

#ifdef __cplusplus
}
#endif

#endif
