/* SPDX-License-Identifier: MIT */
/*
 * Free pages told to others: once, for who saves memory and can leave them out; and block by block,
 * for a device that gives free memory back to whoever it is borrowed from (free page reporting).
 */
#ifndef PAGUS_REPORTING_H
#define PAGUS_REPORTING_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Call `fn` for every block on the free lists of a zone, order by order from 0 up, of each order
 * migratetype by migratetype, Isolate too (the kernel's mark_free_pages, for hibernation). What lies
 * with CPUs is not among them; pagus_drain_zone before brings it there. `fn` runs under the zone's
 * lock, once a block: it may look at nothing but what it is given, and the hold is as long as there
 * are blocks. May be called at any time. Error: BAD_VALUE for no such zone.
 */
typedef void pagus_free_block(void *ctx, pagus_pfn_t pfn, uint32_t order, enum pagus_migratetype type);
enum pagus_status pagus_each_free(struct pagus *p, uint32_t zone, pagus_free_block *fn, void *ctx);

/*
 * A device that free blocks are reported to. `report` gets blocks that are nobody's until it has
 * returned, at most `capacity` of them, and may take its time: no lock is held, and it may allocate
 * and free. False: it could not take them; they count as not reported.
 */
#define PAGUS_REPORTING_CAPACITY 32u   /* the most; PAGE_REPORTING_CAPACITY */
#define PAGUS_REPORTING_DELAY_MS 2000u /* that the kernel waits between a free and a pass */
struct pagus_reported {
	pagus_pfn_t pfn;
	uint32_t order;
};
struct pagus_reporting {
	uint32_t capacity; /* 1 .. PAGUS_REPORTING_CAPACITY */
	uint32_t order;    /* of the smallest blocks; the kernel's default is the pageblock's */
	bool (*report)(void *ctx, const struct pagus_reported *blocks, uint32_t nr);
	void *ctx;
	uint64_t nr_calls, reported_blocks, reported_pages; /* in all passes, by the library */
};

/*
 * One pass over all zones (page_reporting_process): from the order up, of all migratetypes but
 * Isolate, free blocks that have not been reported are taken off their list, reported, and put back
 * at its tail. A block that comes back as it was is marked as reported until it is allocated, cut or
 * merged. A zone is passed over unless it keeps its low mark, boosts included, and capacity *
 * 2^order pages more. Of each list a pass reports ceil(nr_free / (16 * capacity)) loads and one
 * more; what is left is for the next pass: *more.
 *
 * While blocks are reported they count as allocated, of migratetype movable; from half a pageblock
 * on their pageblocks, of ordinary types, become movable, as where compaction takes them. May be
 * called at any time, one caller a device at a time. A hold of a zone's lock looks at 512 blocks at
 * most.
 *
 * Errors: BAD_VALUE for the capacity; BAD_ORDER; UNSUPPORTED: an order below the pageblock's where
 * pages are in maps; BUSY: the device has refused a load, which ends the pass.
 */
enum pagus_status pagus_report_free(struct pagus *p, struct pagus_reporting *device, bool *more);

#ifdef __cplusplus
}
#endif

#endif
