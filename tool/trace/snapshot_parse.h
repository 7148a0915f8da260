/* SPDX-License-Identifier: MIT */
/* What parsing a snapshot remembers until the last record, for the checks that need all of them. */
#ifndef SNAPSHOT_PARSE_H
#define SNAPSHOT_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/snapshot.h"

#define SNAPSHOT_MAX_PFN (1ull << 40) /* 4 PiB of 4 KiB pages, beyond every x86-64 */

/* One block on a list. */
struct snapshot_extent {
	uint64_t pfn;
	uint32_t word; /* where it stands in the stream */
	uint32_t order;
};

/* What the records say of one zone in two ways. */
struct snapshot_tally {
	size_t zone_word;                    /* the zone's record */
	uint64_t stated[PAGUS_NR_ORDERS];    /* nr_free, from every free list record */
	uint64_t listed[PAGUS_NR_ORDERS];    /* blocks on the lists of an order */
	uint32_t types_seen[PAGUS_NR_ORDERS];/* bit t: the list of type t was recorded */
	uint64_t free_pages;                 /* on all lists but Isolate, as NR_FREE_PAGES counts */
	int64_t free_deltas;                 /* sum of the pcps' free_delta */
	bool *pcp_seen;                      /* one a CPU */
	uint64_t *pcp_listed;                /* pages on each CPU's lists */
};

struct snapshot_parser {
	const char *file;
	const uint32_t *words;
	size_t nr_words;
	struct trace_error *err;
	struct snapshot *s;
	struct snapshot_tally *tallies; /* one a zone */
	struct snapshot_extent *extents;
	size_t nr_extents, extents_room;
	/* The record at hand. */
	size_t word;             /* of its tag */
	const uint32_t *payload;
	uint32_t len;            /* words of payload */
};

/* Write "FILE: offset N: text" with the offset of word `word`. Always false. */
bool snapshot_fail(struct snapshot_parser *p, size_t word, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* After the last record: do the records agree with each other? */
bool snapshot_cross_check(struct snapshot_parser *p);

#endif
