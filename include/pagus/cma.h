/* SPDX-License-Identifier: MIT */
/*
 * Areas of contiguous memory (mm/cma.c): memory that is set aside at boot, serves movable requests
 * meanwhile, and is taken as contiguous ranges by whoever the area is for.
 *
 *     declared (reserved) --pagus_boot_done--> active: its pageblocks are CMA, its pages free
 *                                          --> dropped: it does not lie as it should
 *
 * Units: pages, pfns. A declaration may be made after pagus_init, with pagus_config.nr_cma_areas
 * above 0, and before the memory is handed over; pagus_boot_free leaves out what areas have.
 */
#ifndef PAGUS_CMA_H
#define PAGUS_CMA_H

#include <pagus/contig.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAGUS_CMA_NAME_BYTES 64 /* with the zero byte */
#define PAGUS_CMA_MAX_RANGES 8  /* of an area */

struct pagus_cma_declaration {
	const char *name;         /* cut at 63 characters; NULL: "cma" and the area's number */
	uint64_t nr_pages;        /* rounded up to the alignment */
	pagus_pfn_t base;         /* fixed: where it begins; else the lowest pfn that it may have */
	pagus_pfn_t limit;        /* the area ends here or before; 0: the end of memory */
	uint64_t alignment_pages; /* 0 or a power of two; raised to a pageblock */
	uint32_t order_per_bit;   /* a bit of the bitmap stands for 2^this pages; 0 .. 20 */
	uint32_t node;            /* PAGUS_NO_NODE: any */
	bool fixed;
	bool multi;               /* up to PAGUS_CMA_MAX_RANGES ranges, where one does not do */
	bool keep_on_error;       /* where it is dropped its pages stay reserved */
};

/*
 * Declare an area (cma_declare_contiguous_nid, _multi): its number in *area, counted from 0. It has
 * pages that are reserved and no other area's, on one side of where HighMem begins. Where it lies,
 * unless fixed: as low as possible from pfn 2^20 on (4 GiB of 4 KiB pages), so that compaction
 * moves pages out of it and low zones stay clear; else as high as possible in HighMem; else as high
 * as possible below the limit. In several ranges: of the runs of such pages from pfn 2^20 on the
 * eight largest, from the lowest on, until there is enough.
 *
 * Errors: BAD_VALUE: no pages, an alignment that is no power of two, an order_per_bit whose pages
 * nr_pages is no multiple of, a fixed base that is not aligned or beyond the limit. BAD_NODE. FULL:
 * all areas that the configuration has room for are declared. BUSY: pagus_boot_done has been
 * called, or not all of the pages at a fixed base are to be had. NO_MEMORY: there is no place for
 * it.
 */
enum pagus_status pagus_cma_declare(struct pagus *p,
				    const struct pagus_cma_declaration *declaration,
				    uint32_t *area);

/*
 * Take nr_pages, a multiple of a pageblock, from the bottom of one of the area's ranges for good,
 * before it is active (cma_reserve_early). They stay reserved, and are in use in its bitmap.
 * Errors: BAD_VALUE: no such area, or not a multiple of a pageblock or of what a bit stands for;
 * BUSY: pagus_boot_done has been called; NO_MEMORY.
 */
enum pagus_status pagus_cma_reserve_early(struct pagus *p, uint32_t area, uint64_t nr_pages,
					  pagus_pfn_t *pfn);

/*
 * pagus_boot_done makes areas active: their pages are handed over as free, in pageblocks of type
 * CMA, and count as managed. An area that has a range which is not in one zone is dropped: all
 * pages of all its ranges are handed over as other memory is, but those reserved early, or stay
 * reserved with keep_on_error.
 */

/*
 * Allocate nr_pages contiguous pages at a multiple of 2^align_order from the area (cma_alloc), from
 * any CPU at any time. The area's ranges are gone through from the first on; where something that
 * cannot be moved is in the way, the next place is tried. One allocation at a time is made from an
 * area; others wait by the port's `wait`. `gfp` and what is given are as for
 * pagus_alloc_contig_range; GFP_KERNEL is usual. With __GFP_COMP, nr_pages is 2^k and aligned to
 * that. A cancel token may be NULL.
 *
 * Errors: BAD_VALUE: no such area, none that is active, no pages, or a bad gfp. NO_MEMORY: the area
 * has no such run of unused pages, or there was nothing to move to. BUSY: of the runs that it has
 * none could be emptied, or another allocation goes on and the port cannot wait. CANCELLED.
 */
enum pagus_status pagus_cma_alloc(struct pagus *p, uint32_t area, uint64_t nr_pages,
				  uint32_t align_order, uint32_t gfp,
				  const struct pagus_cancel *cancel, pagus_pfn_t *pfn);

/*
 * Give back what was allocated from the area, or a part of it (cma_release), from any CPU at any
 * time. A part begins with a bit's first page; the bits of all pages of it become free, also where
 * it ends inside of one. References are dropped as by pagus_free_contig_range.
 *
 * Errors: BAD_VALUE: no such area. BAD_RANGE: not within one of its ranges. BAD_ALIGN: it does not
 * begin with a bit. NOT_ALLOCATED: some bit is not in use. As pagus_free_contig_range.
 */
enum pagus_status pagus_cma_release(struct pagus *p, uint32_t area, pagus_pfn_t pfn,
				    uint64_t nr_pages);

/* ---- Looking at it -------------------------------------------------------------------------- */

struct pagus_cma_info {
	char name[PAGUS_CMA_NAME_BYTES];
	bool active;                 /* false: declared only, or dropped (nr_pages is 0 then) */
	uint32_t order_per_bit, nr_ranges;
	struct { pagus_pfn_t base; uint64_t nr_pages; } range[PAGUS_CMA_MAX_RANGES];
	uint64_t nr_pages;           /* of all ranges (debugfs count, sysfs total_pages) */
	uint64_t available_pages;    /* less what is allocated, as it was asked for */
	uint64_t used_pages;         /* that the set bits stand for (debugfs used) */
	uint64_t largest_free_pages; /* in the longest run of clear bits (debugfs maxchunk) */
	/* Pages, since the instance was built; the counters cma_alloc_* count calls. */
	uint64_t alloc_pages_success, alloc_pages_fail, release_pages_success;
};

/* Areas that have been declared; those that were dropped are among them. */
uint32_t pagus_nr_cma_areas(const struct pagus *p);
/*
 * At any time; while others allocate and release, each figure is of some moment of the call. Errors:
 * BAD_VALUE. O(bits).
 */
enum pagus_status pagus_cma_info(const struct pagus *p, uint32_t area, struct pagus_cma_info *info);

/*
 * The bitmap of one of an area's ranges, as 32-bit words, bit 0 first (debugfs bitmap): at most
 * `room` of them are written; returns how many there are, 0 where there is no such range.
 */
uint64_t pagus_cma_bitmap(const struct pagus *p, uint32_t area, uint32_t range, uint32_t *words,
			  uint64_t room);

/* The machine's areas (CmaTotal of /proc/meminfo), and what is free in CMA pageblocks (CmaFree). */
void pagus_cma_totals(const struct pagus *p, uint64_t *total_pages, uint64_t *free_pages);

#ifdef __cplusplus
}
#endif

#endif
