/* SPDX-License-Identifier: MIT */
#include "mem/release.h"

const struct pg_release pg_releases[PG_NR_RELEASES] = {
	[PG_RELEASE_7_2] = {
		.name = "7.2", .list_is_block_type = true, .retype_on_merge = true,
		.free_by_pageblock = true,
	},
	[PG_RELEASE_6_1] = {
		.name = "6.1", .reserve_one_more_block = true, .reserve_after_pcp = true,
	},
};
