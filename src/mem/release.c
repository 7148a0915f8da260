/* SPDX-License-Identifier: MIT */
#include "mem/release.h"

const struct pg_release pg_releases[PG_NR_RELEASES] = {
	[PG_RELEASE_7_2] = {
		.name = "7.2", .list_is_block_type = true, .retype_on_merge = true,
		.free_by_pageblock = true, .overflow_in_batches = true,
		.burst_past_half_min = true, .awake_nodes_last = true,
		.frees_revive_kswapd = true, .compact_first = true, .bulk_counts_missing = true,
		.nr_migratetypes = 6,
	},
	[PG_RELEASE_6_18] = {
		.name = "6.18", .list_is_block_type = true, .retype_on_merge = true,
		.free_by_pageblock = true, .reserve_after_pcp = true, .burst_past_half_min = true,
		.awake_nodes_last = true, .frees_revive_kswapd = true, .thisnode_ends_early = true,
		.deferred_stalls = true, .progress_revives_kswapd = true, .nr_migratetypes = 6,
	},
	[PG_RELEASE_6_12] = {
		.name = "6.12", .list_is_block_type = true, .retype_on_merge = true,
		.free_by_pageblock = true, .reserve_after_pcp = true, .thisnode_ends_early = true,
		.deferred_stalls = true, .progress_revives_kswapd = true, .nr_migratetypes = 6,
	},
	[PG_RELEASE_6_1] = {
		.name = "6.1", .reserve_one_more_block = true, .reserve_after_pcp = true,
		.reserve_hides_used = true, .boost_wakes_any = true, .movable_shares_min = true,
		.deferred_stalls = true, .progress_revives_kswapd = true, .nr_migratetypes = 5,
	},
};
