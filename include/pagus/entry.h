/* SPDX-License-Identifier: MIT */
/*
 * The other entry points: references, exact numbers of pages, many pages at once, and callers that
 * wait for nothing. Units, errors and locking are as in pagus.h, which includes this file: all of
 * these may be called from any CPU of the port at any time. NUMA policies are in mempolicy.h.
 */
#ifndef PAGUS_ENTRY_H
#define PAGUS_ENTRY_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A block that is handed out has one reference. pagus_get_page adds one to the block whose first
 * page is pfn (get_page); its caller must hold one, so that the block cannot end meanwhile. Holders
 * may call these two from any CPU at any time. Errors: BAD_RANGE, NOT_ALLOCATED, DOUBLE_FREE; BUSY:
 * the page is inherited, of which nothing is known, or has 2^31 references.
 *
 * Where pages are kept in maps (policy pcpbuddy-bitmap) there is room for no more than one:
 * pagus_get_page gives UNSUPPORTED, and pagus_put_pages frees.
 *
 * pagus_put_pages drops one (__free_pages). The last one frees the block, as pagus_free_pages
 * does. Where others stay, a compound page stays whole. Of any other block the upper pieces are
 * freed now, of orders order-1 .. 0 at pfn + 2^(order-1) .. pfn + 1, and the first page stays with
 * the other holders, as a block of order 0. So a holder who wanted just the page drops it with
 * order 0 (put_page); that is also right while the block has its whole order and other holders.
 *
 * Errors: as pagus_free_pages, with a BAD_FREE event and nothing changed; never BUSY. In
 * particular a put more than there are references finds a block that is free, or of another order
 * by now, unless it has been handed out again. In the kernel it goes unnoticed and frees the upper
 * pieces twice.
 */
enum pagus_status pagus_get_page(struct pagus *p, pagus_pfn_t pfn);
enum pagus_status pagus_put_pages(struct pagus *p, pagus_pfn_t pfn, uint32_t order);

/*
 * Allocate nr_pages contiguous pages, 1 .. 2^PAGUS_MAX_ORDER, from the CPU's own node
 * (alloc_pages_exact): a block of the smallest order that holds them is cut into single pages, and
 * those too many are freed one by one, ascending, straight into the zone, to the tails of its
 * lists. __GFP_COMP and __GFP_HIGHMEM are taken off `gfp`. Errors: as pagus_alloc_pages; BAD_VALUE
 * for no pages.
 *
 * Each page is a block of its own. pagus_free_exact drops one reference to each, ascending; pages
 * of the range may also be freed singly, by any other call. Errors: as pagus_put_pages, for the
 * first page that none may be dropped of; then none has been.
 */
enum pagus_status pagus_alloc_exact(struct pagus *p, uint32_t gfp, uint32_t nr_pages,
				    pagus_pfn_t *pfn);
enum pagus_status pagus_free_exact(struct pagus *p, pagus_pfn_t pfn, uint32_t nr_pages);

/*
 * Fill the slots of pfns[0 .. nr) that are PAGUS_NO_PFN with single pages, in one hold of a pcp's
 * lock (alloc_pages_bulk). `node` as in a request. Returns how far the array is filled: all slots
 * below that are, and those above are as they were. It may be less than nr although there is
 * memory, and the caller then calls again, or asks for single pages.
 *
 * The pages come from the first zone of the preferred node that has room for all of them above its
 * low mark, and from there as from any request, but that the pcp's free_count stays, kswapd is not
 * woken and fragmentation not avoided; the task's PF_MEMALLOC_* scopes do not count. No event tells
 * of them. Instead, one page is asked for as by pagus_alloc, and so with an ALLOC event, if the
 * request is to be charged, or only the last slot is empty, or no such zone is there, or its pcp's
 * lock is busy, or not even one page could be had; always under a policy without pcp lists. A
 * request that is not valid is refused there.
 */
uint32_t pagus_alloc_bulk(struct pagus *p, uint32_t gfp, uint32_t node, uint32_t nr,
			  pagus_pfn_t *pfns);

/*
 * Free the blocks whose first pages are pfns[0 .. nr), each of the order that it has (inherited
 * pages: of order 0), in batches of 31 (free_unref_folios): first FREE events for a whole batch,
 * and what pcps do not cache goes to its zone; then the others go onto the pcp lists in the array's
 * order, a FREE_BATCHED event each, the lock held as long as the zone stays the same. What
 * pagus_free_pages would refuse is refused as there, and left out. Returns how many were freed.
 */
uint32_t pagus_free_bulk(struct pagus *p, const pagus_pfn_t *pfns, uint32_t nr);

/*
 * For callers that can wait for nothing, not even a lock: in a non-maskable interrupt, or inside
 * whatever the port's locks are made of. Of the port's calls these make only `trylock` to get a
 * lock, and none that lets others go on (lock, wake, wait, reclaim, compact, oom, charge).
 *
 * pagus_alloc_nolock (alloc_pages_nolock): one walk at the min mark, without rights on the
 * reserves, with PAGUS_GFP_NOLOCK; orders that pcps cache only, under any policy. Errors: as
 * pagus_alloc, BAD_ORDER also for other orders; NO_MEMORY where a lock is busy too (refusal
 * WOULD_BLOCK).
 *
 * pagus_free_nolock (free_pages_nolock) drops a reference as pagus_put_pages does. What is freed
 * goes onto its pcp list, which may then be above its limit; else into the zone; else, if both
 * locks are busy, it is deferred: it waits on a list of the zone until the next free that goes
 * into the zone by another call, which takes it along, the last deferred first. A drain does not.
 * Where CPUs own pageblocks (policy pcpbuddy) a block of an owned one is deferred when its owner's
 * pcp is busy, by any free: until the next free to that pcp, a miss on it, a drain or the tick of
 * its CPU; of one pcp not more than a pageblock's worth of pages. Meanwhile it is neither free nor
 * on a pcp list. The port's `uncharge` is called for a block that was charged.
 */
#define PAGUS_GFP_NOLOCK (__GFP_NOWARN | __GFP_ZERO | __GFP_NOMEMALLOC | __GFP_COMP)
enum pagus_status pagus_alloc_nolock(struct pagus *p, uint32_t node, uint32_t order,
				     struct pagus_result *res);
enum pagus_status pagus_free_nolock(struct pagus *p, pagus_pfn_t pfn, uint32_t order);

#ifdef __cplusplus
}
#endif

#endif
