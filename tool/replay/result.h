/* SPDX-License-Identifier: MIT */
/* Results of replays: as JSON, with the keys that pagus-replay(1) documents, and as a table. */
#ifndef REPLAY_RESULT_H
#define REPLAY_RESULT_H

#include <jansson.h>
#include <stdio.h>

#include "replay/figures.h"
#include "replay/ledger.h"

#define RESULT_POLICIES 16 /* at the most in one set */

/* What a replay under one policy came to, taken from it once so that the machine can go. */
struct result {
	char policy[64];
	const char *about;
	uint32_t nr_cpus;
	uint64_t digest;
	uint64_t allocations, failures, frees, pcp_hits, pcp_hits_per_mille;
	uint64_t zone_locks, zone_locks_per_1000_tenths, zone_lock_work, zone_lock_max_work;
	uint64_t fallback_cma, claim_block, claim_part, claim_refused, steal;
	uint64_t free_blocks[PAGUS_NR_ORDERS], free_pages, pcp_pages;
	uint64_t unusable_3, unusable_9; /* thousandths */
	uint64_t mixed_pageblocks, pageblocks, free_2mib_blocks;
	/* Superpageblocks, by what is in use; the packing is of their peak, in thousandths. */
	uint64_t superpageblock_mib, superpageblocks, tainted, peak_tainted, tainted_bound, taints;
	uint64_t taints_by[SUPERPAGEBLOCKS_NR_CAUSES];
	uint64_t packing_per_mille, empty, obtainable, obtainable_bytes, upper_bound;
	uint64_t events_per_second;      /* measured, as is seconds, unlike everything else */
	double seconds;
	struct figures figures;
	struct ledger ledger;
	json_t *details;                 /* locks, series, map */
};

/* One trace's results. */
struct result_set {
	struct trace *trace;
	struct replay_recorded recorded;
	struct ledger ledger;
	uint64_t memory_pages;
	struct result results[RESULT_POLICIES];
	uint32_t nr;
};

/*
 * Take what is to be shown from a finished replay. False and *err if the end state cannot be read.
 */
bool result_take(struct result_set *set, const struct replay *r, const char *policy, double seconds,
		 struct trace_error *err);
void result_set_fini(struct result_set *set);

/* The whole set as one JSON object; NULL if there is no memory. The caller owns it. */
json_t *result_json(const struct result_set *set);

/* The ledger, then a table with a column a policy. */
void result_print(FILE *out, const struct result_set *set);

#endif
