/* SPDX-License-Identifier: MIT */
/*
 * Superpageblocks by what is in use in them: aligned ranges of the replayed machine that can be had as
 * one page, 1 GiB where it is large enough, if nothing in them cannot move. The same under every
 * policy, whether it knows of them or not.
 */
#ifndef REPLAY_SUPERPAGEBLOCKS_H
#define REPLAY_SUPERPAGEBLOCKS_H

#include "replay/machine.h"

/* By what one came to be tainted: X(json key). Those of higher order are above 0. */
#define SUPERPAGEBLOCKS_CAUSES(X)                                                                  \
	X(start)                                                                                  \
	X(unmovable)                                                                              \
	X(reclaimable)                                                                            \
	X(unmovable_higher_order)                                                                 \
	X(reclaimable_higher_order)

enum superpageblocks_cause {
#define SUPERPAGEBLOCKS_X(key) SUPERPAGEBLOCKS_BY_##key,
	SUPERPAGEBLOCKS_CAUSES(SUPERPAGEBLOCKS_X)
#undef SUPERPAGEBLOCKS_X
	SUPERPAGEBLOCKS_NR_CAUSES
};

struct superpageblocks {
	uint32_t order;              /* in pages */
	pagus_pfn_t first_pfn;       /* aligned */
	uint32_t nr;
	uint32_t (*in_use)[2];       /* pages: that cannot move; movable */
	uint8_t *is_whole;           /* all of it is memory of one zone */
	uint32_t *held;              /* of the movable pages, those that nothing moves */
	bool started;                /* pages in use at the start are all there */
	uint64_t nr_tainted, peak_tainted;
	uint64_t taints[SUPERPAGEBLOCKS_NR_CAUSES]; /* times that one came to be tainted */
	uint64_t nr_empty;           /* whole ones without a page in use */
	uint64_t kernel_pages, peak_kernel_pages; /* in use that cannot move */
	uint64_t used_pages;
};

bool superpageblocks_init(struct superpageblocks *s, const struct machine *m);
void superpageblocks_fini(struct superpageblocks *s);

/* A block came into use (sign 1) or went out of it (sign -1). */
void superpageblocks_change(struct superpageblocks *s, pagus_pfn_t pfn, uint32_t order, uint32_t type,
			    int sign);

/* Of what came into use, or goes out of it, nothing moves: huge pages that are held. */
void superpageblocks_hold(struct superpageblocks *s, pagus_pfn_t pfn, uint32_t order, int sign);

uint64_t superpageblocks_taints(const struct superpageblocks *s);

/* Those that the most pages which cannot move, at one time, would have filled. */
uint64_t superpageblocks_bound(const struct superpageblocks *s);

/*
 * How many could be had if all that is movable were moved: whole ones without a page that cannot
 * move, and not more than free pages fill once min marks and what tainted ones keep are left.
 */
uint64_t superpageblocks_obtainable(const struct superpageblocks *s, const struct machine *m);

/* The least pages that would have to be copied for so many of them. */
uint64_t superpageblocks_cost(const struct superpageblocks *s, uint64_t nr);

/*
 * How many could be had if besides all that cannot move lay in as few as can be, and first where no
 * whole one is: no placement can leave more.
 */
uint64_t superpageblocks_upper_bound(const struct superpageblocks *s, const struct machine *m);

#endif
