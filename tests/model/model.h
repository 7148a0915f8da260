/* SPDX-License-Identifier: MIT */
/*
 * The simplest page allocator that there is: who owns each page. It chooses nothing; it says
 * whether what an allocator did is something that any correct one could have done.
 */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include <pagus/pagus.h>

#define MODEL_PAGES 16384

struct model {
	const struct pagus_config *cfg;
	/* MODEL_*, or the block that holds the page: its first pfn * 16 + order + MODEL_HELD. */
	uint32_t owner[MODEL_PAGES];
	uint8_t zone[MODEL_PAGES]; /* node * 8 + zone type */
};
enum { MODEL_HOLE, MODEL_RESERVED, MODEL_FREE, MODEL_HELD };

/* All pages of the configuration reserved. */
void model_init(struct model *m, const struct pagus_config *cfg);

/* [start, start + nr) becomes free. */
void model_hand_over(struct model *m, uint64_t start, uint64_t nr);

/*
 * NULL if pfn is a right answer to the request of a caller on `node`; the block is held then.
 * Else why not.
 */
const char *model_alloc(struct model *m, const struct pagus_request *req, uint32_t node,
			uint64_t pfn);

/* True if some block could have served the request. */
bool model_could_serve(const struct model *m, const struct pagus_request *req, uint32_t node);

/* The status that a free must have; OK frees the block. */
enum pagus_status model_free(struct model *m, uint64_t pfn, uint32_t order);

/* The status that a split must have; OK splits. */
enum pagus_status model_split(struct model *m, uint64_t pfn, uint32_t order, uint32_t to);

/*
 * How many pages of a zone are free, and how many blocks of an order if all that can be merged
 * is.
 */
uint64_t model_free_pages(const struct model *m, uint32_t node, uint32_t type);
uint64_t model_merged_blocks(const struct model *m, uint32_t node, uint32_t type, uint32_t order);

#endif
