/* SPDX-License-Identifier: MIT */
/*
 * Memory that has failed, or is about to: a poisoned page is never handed out again.
 *
 *     free page    -> taken out of its free block, whose other pages stay free; leaked
 *     page in use  -> noted; when it is freed it is leaked, and the other pages of its block are freed
 *
 * What a failure means to who uses the page is the caller's business: to kill, to drop or to move.
 * May be called at any time, from any CPU, one such call at a time: another finds it BUSY. While a page
 * in use is poisoned, no cache is open (cache.h).
 */
#ifndef PAGUS_FAILURE_H
#define PAGUS_FAILURE_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The page has failed (memory_failure). `hardware`: its memory has, and it is no test: from then on
 * no page is ever unpoisoned. With OK `pagus_page_info` says `poisoned`; *in_use: it is still in use.
 *
 * Errors: BAD_RANGE: no memory; NOT_ALLOCATED: never handed over; BUSY: it is poisoned already, or
 * could not be found, because others allocate and free it all the time; NO_MEMORY: 64 pages in use
 * are poisoned already.
 */
enum pagus_status pagus_poison_page(struct pagus *p, pagus_pfn_t pfn, bool hardware, bool *in_use);

/*
 * The page is likely to fail (soft_offline_page): as a free page above; what a movable page in use
 * holds is moved, by the port's `isolate` and `move`, with all of its block, and it is leaked.
 * Errors: as above; BUSY also where the page could not be moved: it is as it was. NO_MEMORY also
 * where there is none to move to.
 */
enum pagus_status pagus_soft_offline(struct pagus *p, pagus_pfn_t pfn);

/*
 * The page is good (unpoison_memory): a leaked one is free again, and merges; one in use is as any
 * other. Errors: BAD_RANGE; BUSY: it is not poisoned, or hardware has failed.
 */
enum pagus_status pagus_unpoison_page(struct pagus *p, pagus_pfn_t pfn);

/* Poisoned pages, in use or leaked: HardwareCorrupted of /proc/meminfo. */
uint64_t pagus_nr_poisoned(const struct pagus *p);

#ifdef __cplusplus
}
#endif

#endif
