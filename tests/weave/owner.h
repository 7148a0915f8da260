/* SPDX-License-Identifier: MIT */
/*
 * The owner of movable blocks: what each page of a held block holds, so that what is lost on the way
 * is seen. It refuses at random.
 */
#ifndef WEAVE_OWNER_H
#define WEAVE_OWNER_H

#include "weave/world.h"

/* The block has just been handed out; its pages hold what was written. */
void owner_write(const struct world_block *block);
void owner_check(const struct world_block *block);

/* The port's calls. */
uint32_t owner_traits(void *ctx, uint64_t pfn, uint32_t order);
bool owner_isolate(void *ctx, uint64_t pfn, uint32_t order, const struct pagus_migrate *how);
enum pagus_moved owner_move(void *ctx, uint64_t from, uint64_t to, uint32_t order,
			    const struct pagus_migrate *how);
void owner_putback(void *ctx, uint64_t pfn, uint32_t order);

#endif
