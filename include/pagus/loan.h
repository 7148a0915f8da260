/* SPDX-License-Identifier: MIT */
/*
 * Loans: a pageblock that a CPU owns, given to the port for a while, so that single pages can be
 * taken from it and put back by one plain store each, without a lock and without a call. Only under
 * policies that keep pages in maps (pcpbuddy-bitmap).
 *
 * The borrower is whatever runs on that CPU, one at a time: the port sees to it that a store is
 * made only if nothing else ran on the CPU since the word was read (on Linux: in a restartable
 * sequence). To take page n of the pageblock is to clear bit n % 64 of free[n / 64], to put it back
 * is to set it. That is right for a page whose bit is set in `single` and clear in `remote` and
 * `free`: it is handed out, as a single page. For any other, pagus_free_pages knows what it is.
 *
 * The pages of a loan are the CPU's already: watermarks are not asked, nothing is counted and no
 * event is raised. The library ends a loan by itself when it has to do with the pageblock or needs
 * its pages, by the port's loan_end; then the words are its own again.
 */
#ifndef PAGUS_LOAN_H
#define PAGUS_LOAN_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pagus_loan {
	uint64_t *free;         /* a bit a page, set where it is free; nr_words words */
	const uint64_t *remote; /* the same: freed by others, and not taken in */
	uint64_t single[8];     /* free, or handed out as single pages of `type`, when it began */
	uint32_t type;          /* migratetype of the requests that it is for */
	pagus_pfn_t start_pfn;  /* of the pageblock */
	uint32_t nr_words;      /* 1, or a power of two up to 8 */
	uint32_t cpu;           /* whose it is */
};

/*
 * Offer the port's loan_begin the pageblock of page `pfn`, a single page that has just been handed
 * out or taken back on this CPU, for requests of migratetype `type`, or of whatever migratetype the
 * pageblock has with PAGUS_NR_MIGRATETYPES. The loan that the CPU had of the zone ends
 * before. Errors: BUSY: the CPU does not own the pageblock, which may have no free page or be of
 * another migratetype, or the pcp's lock is taken, or loan_begin has said no; BAD_RANGE;
 * UNSUPPORTED: pages are not in maps, or the port has no loans.
 */
enum pagus_status pagus_lend(struct pagus *p, pagus_pfn_t pfn, enum pagus_migratetype type);

/*
 * End the loan that CPU `cpu` has of a zone, if it has one, by the port's loan_end; take in what was
 * freed to the CPU without a lock, and give the zone what is over its limit.
 */
void pagus_loan_end(struct pagus *p, uint32_t zone, uint32_t cpu);

/*
 * Free the single page `pfn` without any lock, whoever owns its pageblock: as pagus_free_pages of
 * order 0 does when it finds the lock taken. What a CPU frees so to itself waits until it has need
 * of it: who does that often has to end the loan now and then. Errors as there; UNSUPPORTED: pages
 * are not in maps.
 */
enum pagus_status pagus_loan_free(struct pagus *p, pagus_pfn_t pfn);

#ifdef __cplusplus
}
#endif

#endif
