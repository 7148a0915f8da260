/* SPDX-License-Identifier: MIT */
/*
 * Caches: blocks that a CPU of the port keeps at hand, so that most requests and frees of plain
 * blocks need no call. To the library what lies in a cache is handed out: watermarks are not asked
 * when the port hands it on, nothing is counted and no event is raised. Only under policies that
 * keep pages in maps (pcpbuddy-bitmap, superpageblock).
 *
 *     pagus_cache_open -> the port's cache_open: it may keep blocks from now on
 *     pagus_cache_fill -> blocks to keep          pagus_cache_spill <- blocks that are too many
 *     the port's cache_close <- drains, a zone whose pcps go off, a CPU that goes, a page that failed
 *
 * How many blocks a cache keeps is the port's to decide, within the `pages` that cache_open names.
 */
#ifndef PAGUS_CACHE_H
#define PAGUS_CACHE_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Offer the port's cache_open a cache of a zone for the calling CPU. Errors: BUSY: not now: the zone
 * is short of pages or its pcps are off, the CPU is offline, pages have content that the library
 * writes or checks, somebody listens, the pcp's lock is taken, or cache_open has said no; BAD_VALUE:
 * there is no such zone; UNSUPPORTED: pages are not in maps, or the port has no caches.
 */
enum pagus_status pagus_cache_open(struct pagus *p, uint32_t zone);

/*
 * Up to `nr` blocks as req says, from the zone alone that a request on the calling CPU prefers, if
 * it keeps its low mark: how many there are in `pfns`; 0: pagus_alloc may know more. Nothing is
 * reclaimed, and no superpageblock tainted.
 */
uint32_t pagus_cache_fill(struct pagus *p, const struct pagus_request *req, uint32_t nr,
			  pagus_pfn_t *pfns);

/*
 * Free blocks of one order and one zone. What pagus_free_pages would refuse is refused here too,
 * counted as free_bad and told by a BAD_FREE event; one that comes twice at once is only counted.
 */
void pagus_cache_spill(struct pagus *p, const pagus_pfn_t *pfns, uint32_t nr, uint32_t order);

#ifdef __cplusplus
}
#endif

#endif
