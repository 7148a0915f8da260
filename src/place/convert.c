/* SPDX-License-Identifier: MIT */
/*
 * Placement as Linux up to 6.9: a fallback first moves what it has found to the tail of the
 * request's own list, the whole pageblock's free blocks or one block alone, and then the request is
 * served from its own lists. So a free block may lie on another list than its pageblock's type.
 */
#include "place/place.h"

/* Announce the fallback, and serve from the own lists, which now hold at least the block found. */
static uint32_t serve_own(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			  const struct pg_candidate *found)
{
	bool owned = pg_block_type(c->st, found->i) == t->type;

	pg_event(c, PAGUS_EVENT_EXTFRAG, found->i, t->order, t->type, found->order,
		 found->from | (owned ? PG_EXTFRAG_OWNED : 0));
	return pg_place_take_own(c, z, t, found->order);
}

static uint32_t convert_one(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			    const struct pg_candidate *found)
{
	pg_store_move(c->st, z, found->i, t->type);
	pg_count(c, PAGUS_COUNTER_fallback_steal, 1);
	return serve_own(c, z, t, found);
}

static uint32_t convert_smallest(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
				 const struct pg_candidate *found)
{
	pg_watermark_boost(c, z, t->flags);
	return convert_one(c, z, t, found);
}

static uint32_t convert_block(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			      const struct pg_candidate *found)
{
	pg_block_set_type(c, found->i, found->order, t->type);
	pg_store_move(c->st, z, found->i, t->type);
	pg_count(c, PAGUS_COUNTER_fallback_claim_block, 1);
	return serve_own(c, z, t, found);
}

/*
 * The free blocks move whatever the pageblock holds; its type only if half of it is free or alike.
 */
static uint32_t convert_part(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			     const struct pg_candidate *found)
{
	uint32_t start = pg_block_start(c->st, found->i), old = pg_block_type(c->st, found->i);
	bool claim;

	pg_watermark_boost(c, z, t->flags);
	if (!pg_claim_inside(c->st, z, start))
		return convert_one(c, z, t, found);
	claim = pg_claimable(c, z, start, old, t->type);
	pg_claim_move(c, z, start, t->type);
	if (claim) {
		pg_block_set_type(c, start, 0, t->type);
		pg_count(c, PAGUS_COUNTER_fallback_claim_part, 1);
	} else {
		pg_count(c, PAGUS_COUNTER_fallback_claim_refused, 1);
		pg_count(c, PAGUS_COUNTER_fallback_steal, 1);
	}
	return serve_own(c, z, t, found);
}

enum { HIGHATOMIC, OWN, CONVERT_BLOCK, CONVERT_PART, CONVERT_ONE, RESERVE, NR_PASSES };

static const struct pg_pass passes[NR_PASSES] = {
	[HIGHATOMIC] = PG_PASS_HIGHATOMIC,
	[OWN] = {
		.name = "own", .types = PG_TYPES_ALL, .look = PG_LOOK_OWN,
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,
		.resume = OWN, .effect = pg_effect_take,
		.why = "smallest block of the request's own type",
	},
	[CONVERT_BLOCK] = {
		.name = "convert-block", .types = PG_TYPES_ALL, .look = PG_LOOK_FALLBACK,
		.search = PG_LARGEST_FIRST, .lo = PG_BOUND_BLOCK, .hi = PG_BOUND_TOP,
		.resume = OWN, .effect = convert_block,
		.why = "take over pageblocks that are wholly free",
	},
	[CONVERT_PART] = {
		.name = "convert-part", .types = PG_TYPES_ALL, .look = PG_LOOK_FALLBACK,
		.search = PG_LARGEST_FIRST, .lo = PG_BOUND_CLAIM_FLOOR, .hi = PG_BOUND_BELOW_BLOCK,
		.needs = PG_NEED_MIX_RIGHT, .resume = OWN, .effect = convert_part,
		.why = "take the free blocks of the pageblock of the largest foreign block",
	},
	[CONVERT_ONE] = {
		.name = "convert-one", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_FALLBACK,
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_BELOW_BLOCK,
		.needs = PG_NEED_MIX_RIGHT, .resume = OWN, .effect = convert_smallest,
		.why = "take the smallest foreign block alone",
	},
	[RESERVE] = PG_PASS_RESERVE,
};

const struct pg_place pg_place_convert = {
	.name = "convert",
	.about = "migratetypes, fallback by moving to the own lists, as Linux up to 6.9",
	.release = PG_RELEASE_6_1,
	.passes = passes,
	.nr_passes = NR_PASSES,
};
