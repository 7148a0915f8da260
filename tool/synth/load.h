/* SPDX-License-Identifier: MIT */
/*
 * A load: births and deaths of blocks by a model, one after the other, from a seed. Which pages a
 * block had on the machine of which this tells is made up: pages are cut into regions, one for each
 * order, and handed out again last in, first out. A replay places them anew.
 */
#ifndef SYNTH_LOAD_H
#define SYNTH_LOAD_H

#include "synth/model.h"

#define LOAD_ORDERS 5 /* 0 to 3, and 9 */

enum load_kind { LOAD_UNMOVABLE, LOAD_SLAB, LOAD_ANON, LOAD_CACHE, LOAD_KINDS };

struct load_step {
	bool birth;
	uint32_t page;  /* of the machine, counted from its first */
	uint8_t order;
	uint8_t kind;
};

struct load;
struct load *load_new(const struct synth_model *model); /* NULL: no memory */
void load_free(struct load *l);

/* The next step; false at the end, or with *no_memory set. */
bool load_next(struct load *l, struct load_step *step, bool *no_memory);

/* A random number below `limit`. */
uint64_t load_random(struct load *l, uint64_t limit);

#endif
