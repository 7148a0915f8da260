/* SPDX-License-Identifier: MIT */
/*
 * Content: how many pages of each migratetype are in use in each pageblock of the replayed machine.
 * Types are the requests' own, also under a policy that does not group by them; free and pcp pages
 * are not in use.
 */
#ifndef REPLAY_CONTENT_H
#define REPLAY_CONTENT_H

#include "replay/superpageblocks.h"

struct content {
	pagus_pfn_t first_pfn; /* aligned to the pageblock */
	uint32_t pageblock_order;
	uint32_t nr_blocks;
	uint16_t (*in_use)[3]; /* pages by type */
	uint8_t *is_memory;
	uint64_t nr_mixed;     /* blocks that hold movable pages and others */
	struct superpageblocks superpageblocks;
};

bool content_init(struct content *c, const struct machine *m, uint32_t pageblock_order);
void content_fini(struct content *c);

/* A block came into use (sign 1) or went out of it (sign -1). */
void content_change(struct content *c, pagus_pfn_t pfn, uint32_t order, uint32_t type, int sign);

/*
 * One character a pageblock: ' ' no memory, '.' nothing in use, else class * 4 + quarter of
 * occupancy from 'A': classes are only unmovable, reclaimable (perhaps with unmovable), only
 * movable, mixed.
 */
void content_cells(const struct content *c, char *cells);

#endif
