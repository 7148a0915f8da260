/* SPDX-License-Identifier: MIT */
/*
 * The hot pageblock of each CPU: lent by the library (loan.h), its pages are handed out and taken
 * back by restartable sequences, without a lock or an atomic. The sequences themselves are in cs.h,
 * of which there is one for each processor that has them, and one for all others.
 */
#ifndef PX_HOT_H
#define PX_HOT_H

#include "posix.h"

/* cs.h knows the offsets of the first eight. */
struct px_hot {
	_Alignas(128) uint64_t *free; /* of the loan; NULL: there is none */
	char *base;                   /* address of its first page */
	uint64_t word;                /* where pages are looked for first */
	const uint64_t *remote;       /* of the loan */
	uint64_t single[8];           /* the same */
	uint32_t type;                /* the same */
	uint32_t wanted;              /* single pages asked for in vain, in a row */
	uint32_t put;                 /* the same of pages put, of one pageblock: */
	uint32_t put_block;           /* its number */
	uint32_t waiting;             /* pages put by calls that have not been taken in, */
	uint32_t most_waiting;        /* at most: half of what the CPU may keep, and a batch */
	uint32_t zone;                /* of the CPU's own node: the only one that is borrowed from */
};

/* Port calls, and whether the instance can have them: then x->hot is there. */
bool px_hot_begin(void *ctx, uint32_t zone, const struct pagus_loan *loan);
void px_hot_end(void *ctx, uint32_t zone, uint32_t cpu);
void px_hot_create(struct pagus_posix *x, const uint32_t *cpu_node);
void px_hot_settle(struct pagus_posix *x, pagus_pfn_t first); /* once memory is handed over */
void px_hot_destroy(struct pagus_posix *x);

/* In a child, before its first call. */
void px_hot_renew(void);

/* All loans end: nothing is handed out but by calls. */
void px_hot_stop(struct pagus_posix *x);

/* A single page was asked for and had to be got by a call: is the pageblock one to borrow? */
void px_hot_missed(struct pagus_posix *x, pagus_pfn_t pfn, uint32_t gfp);

/* A single page had to be put by a call. */
void px_hot_put_missed(struct pagus_posix *x, pagus_pfn_t pfn);

/* May a request with this mask be served by a loan? */
static inline bool px_hot_serves(uint32_t gfp)
{
	const uint32_t plain = __GFP_IO | __GFP_FS | __GFP_RECLAIM | __GFP_MOVABLE | __GFP_RECLAIMABLE |
			       __GFP_HIGHMEM | __GFP_NOWARN | __GFP_HARDWALL | __GFP_NORETRY |
			       __GFP_RETRY_MAYFAIL;

	return !(gfp & ~plain);
}

/* Migratetype of such a request, by its two bits. */
static inline uint32_t px_hot_type(uint32_t gfp)
{
	return gfp / __GFP_MOVABLE & 3;
}

#endif
