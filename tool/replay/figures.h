/* SPDX-License-Identifier: MIT */
/*
 * The figures of what was asked of a replay beyond the recording: of pages that moved, of huge pages
 * asked for, of a closed loop. As JSON, with the keys that pagus-replay(1) documents, and as tables.
 */
#ifndef REPLAY_FIGURES_H
#define REPLAY_FIGURES_H

#include <jansson.h>

#include "replay/replay.h"

/* What compactions of a zone came to: X(json key, counter). */
#define FIGURES_COMPACTIONS(X)                                                                     \
	X(success, compact_done)                                                                  \
	X(complete, compact_complete)                                                             \
	X(partial_skipped, compact_partial)                                                       \
	X(contended, compact_contended)                                                           \
	X(needless, compact_needless)                                                             \
	X(skipped, compact_skipped)                                                               \
	X(deferred, compact_deferred)                                                             \
	X(refused, compact_refused)

enum figures_compaction {
#define FIGURES_X(key, counter) FIGURES_COMPACTION_##key,
	FIGURES_COMPACTIONS(FIGURES_X)
#undef FIGURES_X
	FIGURES_NR_COMPACTIONS
};

#define FIGURES_HELD 13 /* up to 4096 pages of 1 GiB */

struct figures {
	struct whatif whatif;
	uint64_t moved_pages, copied_bytes, moved_inherited, failed_pages;
	uint64_t compactions[FIGURES_NR_COMPACTIONS];
	uint64_t stalls, stalls_served, kcompactd_runs;
	/* What was moved out of superpageblocks, and what was empty then. */
	uint64_t evacuated_pages, evacuated_bytes, emptied_pageblocks, emptied_superpageblocks;
	uint64_t asked, granted, failed, rounds, held_at_end;
	uint64_t huge_moved_pages, huge_copied_bytes, huge_reclaimed_pages, huge_stalls;
	uint64_t copied_per_granted; /* bytes copied for all that were asked for, by those granted */
	uint64_t all_copied_per_granted; /* the same of all bytes copied, workers' too */
	/* Tenths of a second until 2^n were held at once; UINT64_MAX: never. Of 1 GiB pages alone. */
	uint64_t held_at_ds[FIGURES_HELD];
	json_t *held_at_s; /* until each number was; NULL of others */
	uint64_t why[HUGE_WHYS];
	uint64_t reclaimed_pages, reclaimed_cache, reclaimed_slab, reclaimed_unknown;
	uint64_t oom_kills, killed_pages, unasked, late_frees;
};

void figures_take(struct figures *f, const struct replay *r);

/* What was asked: the same for all policies. */
json_t *figures_asked_json(const struct whatif *w);

/* "moves", "huge" and "reclaim" of one policy, into its object. */
void figures_json(json_t *policy, const struct figures *f);

#endif
