/* SPDX-License-Identifier: MIT */
/*
 * Releases: how kernels differ where the mechanism is one. A row is chosen with the placement and
 * read where a mechanism has two ways; whatever differs more than that is another table or another
 * file.
 */
#ifndef PG_MEM_RELEASE_H
#define PG_MEM_RELEASE_H

#include "mem/state.h"

struct pg_release {
	const char *name;
	/*
	 * A free block lies on the list of its pageblock's type. Otherwise it may lie on any, and a
	 * page keeps on its pcp list the type that its pageblock had when it was freed.
	 */
	bool list_is_block_type;
	/* Pageblocks of a buddy that is merged in take the type of the block being freed. */
	bool retype_on_merge;
	/* A block above the pageblock is freed in pageblocks, each under its own type. */
	bool free_by_pageblock;
	/*
	 * The high-atomic reserve may hold 1 % of a zone and a pageblock, of any zone; not 1 %
	 * rounded up, and nothing where that is less than a pageblock.
	 */
	bool reserve_one_more_block;
	/*
	 * A block from a pcp list too has its pageblock reserved, and an atomic request of higher
	 * order refills an empty pcp list as any other does.
	 */
	bool reserve_after_pcp;
	/* Watermarks leave out all that the reserve holds, not only what of it is free. */
	bool reserve_hides_used;
	/*
	 * What a pcp holds above its limit is drained a batch at a time, its lock dropped between.
	 */
	bool overflow_in_batches;
	/* Frees of orders 1-3 in a row count as a burst from a batch and half of high_min on. */
	bool burst_past_half_min;
	/* A walk tries nodes whose kswapd is awake last. */
	bool awake_nodes_last;
	/*
	 * Frees that lift a zone over its high mark revive a kswapd that has given up, on NUMA
	 * machines.
	 */
	bool frees_revive_kswapd;
	/* Any page that is reclaimed revives one; else only what leaves the node balanced. */
	bool progress_revives_kswapd;
	/*
	 * A request that must not leave its node and wants one round ends where compaction came
	 * first.
	 */
	bool thisnode_ends_early;
	/*
	 * The slow path compacts before it reclaims at all, where fragmentation is the likelier
	 * cause.
	 */
	bool compact_first;
	/* A compaction that is deferred in all zones counts as one that stalled, and failed. */
	bool deferred_stalls;
	/* Bulk allocation leaves room above the mark for the slots still empty, not for all. */
	bool bulk_counts_missing;
	/*
	 * Any request wakes kswapd of a boosted zone, also one that does not name kswapd in its
	 * mask.
	 */
	bool boost_wakes_any;
	/*
	 * ZONE_MOVABLE shares the min mark with the lower zones; else it has a small one of its
	 * own.
	 */
	bool movable_shares_min;
	/* MIGRATE_TYPES of the kernels that are followed: 6.1 as built without CMA. */
	uint32_t nr_migratetypes;
};

enum { PG_RELEASE_7_2, PG_RELEASE_6_18, PG_RELEASE_6_12, PG_RELEASE_6_1, PG_NR_RELEASES };

extern const struct pg_release pg_releases[PG_NR_RELEASES];

static inline const struct pg_release *pg_release(const struct pagus_state *st)
{
	return &pg_releases[st->release];
}

#endif
