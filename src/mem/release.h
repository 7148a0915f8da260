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
	/* A block from a pcp list too has its pageblock reserved. */
	bool reserve_after_pcp;
};

enum { PG_RELEASE_7_2, PG_RELEASE_6_1, PG_NR_RELEASES };

extern const struct pg_release pg_releases[PG_NR_RELEASES];

static inline const struct pg_release *pg_release(const struct pagus_state *st)
{
	return &pg_releases[st->release];
}

#endif
