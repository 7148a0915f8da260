/* SPDX-License-Identifier: MIT */
#include "weave/owner.h"

#define ISOLATE_ODDS 8 /* one in so many is refused */
#define MOVE_ODDS    6

static uint32_t contents[WORLD_PAGES], key[WORLD_PAGES]; /* of blocks, at their first pages */
static uint32_t nr_written;

void owner_write(const struct world_block *block)
{
	key[block->pfn] = ++nr_written;
	for (uint32_t n = 0; n < 1u << block->order; n++)
		contents[block->pfn + n] = (nr_written << WORLD_MAX_ORDER) + n;
}

void owner_check(const struct world_block *block)
{
	for (uint32_t n = 0; n < 1u << block->order; n++)
		if (contents[block->pfn + n] != (key[block->pfn] << WORLD_MAX_ORDER) + n)
			weave_fail("page %u does not hold what was written",
				   (uint32_t)block->pfn + n);
}

uint32_t owner_traits(void *ctx, uint64_t pfn, uint32_t order)
{
	const struct world_block *block = world_block_at(pfn, order);

	(void)ctx;
	return block && block->movable ? 0 : PAGUS_TRAIT_FIXED;
}

bool owner_isolate(void *ctx, uint64_t pfn, uint32_t order, const struct pagus_migrate *how)
{
	struct world_block *block;

	(void)ctx;
	(void)how;
	weave_point("isolate");
	block = world_block_at(pfn, order);
	if (!block || !block->movable || block->claimed || !weave_random(&world.random, ISOLATE_ODDS))
		return false;
	block->claimed = true;
	weave_point("isolated");
	return true;
}

/* Whoever comes in meanwhile finds the block where it was: it is found anew at the end. */
enum pagus_moved owner_move(void *ctx, uint64_t from, uint64_t to, uint32_t order,
			    const struct pagus_migrate *how)
{
	struct world_block *block;

	(void)ctx;
	(void)how;
	weave_point("move");
	if (!weave_random(&world.random, MOVE_ODDS))
		return weave_random(&world.random, 2) ? PAGUS_MOVE_AGAIN : PAGUS_MOVE_NEVER;
	block = world_block_at(from, order);
	if (!block || !block->claimed)
		weave_fail("page %u of order %u is moved and not claimed", (uint32_t)from, order);
	owner_check(block);
	world_moved(block, to);
	owner_write(block);
	block->claimed = false;
	weave_point("moved");
	return PAGUS_MOVED;
}

void owner_putback(void *ctx, uint64_t pfn, uint32_t order)
{
	struct world_block *block = world_block_at(pfn, order);

	(void)ctx;
	if (!block || !block->claimed)
		weave_fail("page %u of order %u is put back and not claimed", (uint32_t)pfn, order);
	block->claimed = false;
	weave_point("put back");
}
