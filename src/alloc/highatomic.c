/* SPDX-License-Identifier: MIT */
/*
 * The high-atomic reserve: pageblocks of type HIGHATOMIC, about 1 % of a zone, whose free blocks
 * are kept for atomic requests of order 1 and more. A pageblock is set aside when it serves such a
 * request, and given back, one at a time, to a request that would fail.
 */
#include "alloc/highatomic.h"

#include "alloc/request.h"
#include "base/bits.h"
#include "zone/owner.h"

/* Pages that may be reserved; 0 in a zone that is too small to reserve anything. */
static uint64_t reserve_limit(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t block_pages = UINT64_C(1) << st->pageblock_order, percent = pg_read(z->managed) / 100;

	if (pg_release(st)->reserve_one_more_block)
		return percent + block_pages;
	return percent < block_pages ? 0 : pg_align_up(percent, block_pages);
}

static void reserve_block(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	uint32_t start = pg_block_start(c->st, i);

	if (z->reserved_highatomic >= reserve_limit(c->st, z) ||
	    !pg_type_mergeable(pg_block_type(c->st, i)) || pg_owner(c->st, i))
		return;
	if (order < c->st->pageblock_order) {
		if (!pg_claim_whole(c->st, z, start))
			return;
		pg_claim_move(c, z, start, PAGUS_HIGHATOMIC);
	}
	pg_block_set_type(c, i, order, PAGUS_HIGHATOMIC);
}

void pg_highatomic_reserve(struct pg_call *c, uint32_t i, uint32_t order)
{
	struct pg_zone *z = pg_zone_of(c->st, i);

	/* Without the lock first: most of the time the reserve is full. */
	if (pg_read(z->reserved_highatomic) >= reserve_limit(c->st, z))
		return;
	pg_zone_lock(c, z, PAGUS_REASON_RESERVE);
	reserve_block(c, z, i, order);
	pg_zone_unlock(c, z);
}

uint32_t pg_highatomic_next(const struct pagus_state *st, const struct pg_zone *z, uint32_t *order)
{
	for (*order = 0; *order <= st->max_order; ++*order) {
		uint32_t i = pg_store_first(st, z, *order, PAGUS_HIGHATOMIC);

		if (i == PG_NONE)
			continue;
		if (*order >= st->pageblock_order)
			return i;
		i = pg_block_start(st, i);
		if (pg_claim_whole(st, z, i))
			return i;
	}
	return PG_NONE;
}

static bool unreserve_locked(struct pg_call *c, struct pg_zone *z, uint32_t type)
{
	uint32_t order, i = pg_highatomic_next(c->st, z, &order);

	if (i == PG_NONE)
		return false;
	if (order < c->st->pageblock_order)
		pg_claim_move(c, z, i, type);
	else
		pg_buddy_move(c, z, i, PAGUS_HIGHATOMIC, type);
	pg_block_set_type(c, i, order, type);
	return true;
}

bool pg_highatomic_unreserve_zone(struct pg_call *c, struct pg_zone *z, uint32_t type)
{
	bool moved;

	pg_zone_lock(c, z, PAGUS_REASON_UNRESERVE);
	moved = unreserve_locked(c, z, type);
	pg_zone_unlock(c, z);
	return moved;
}

bool pg_highatomic_unreserve(struct pg_call *c, const struct pg_plan *plan, bool last)
{
	uint64_t keep = last ? 0 : UINT64_C(1) << c->st->pageblock_order;

	for (uint32_t n = 1; n <= pg_plan_zones(plan); n++) {
		struct pg_zone *z = pg_plan_zone(c->st, plan, n);

		if (pg_plan_allows(c->st, plan, n) && pg_read(z->reserved_highatomic) > keep &&
		    pg_highatomic_unreserve_zone(c, z, plan->type))
			return true;
	}
	return false;
}
