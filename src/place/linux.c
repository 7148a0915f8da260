/* SPDX-License-Identifier: MIT */
/*
 * Placement as Linux from 6.15 on, and Debian's 6.12: own type, then CMA, then claim pageblocks
 * from the largest block down, then steal single blocks from the smallest up.
 */
#include "place/place.h"

enum { HIGHATOMIC, CMA_BALANCE, OWN, CMA, CLAIM_BLOCK, CLAIM_PART, STEAL, RESERVE, NR_PASSES };

static const struct pg_pass passes[NR_PASSES] = {
	[HIGHATOMIC] = PG_PASS_HIGHATOMIC,
	[CMA_BALANCE] = {
		.name = "cma-balance", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_CMA,
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,
		.needs = PG_NEED_CMA_RIGHT | PG_NEED_CMA_MAJORITY, .always = true,
		.effect = pg_effect_take,
		.why = "use CMA first while it is more than half of what is free",
	},
	[OWN] = {
		.name = "own", .types = PG_TYPES_ALL, .look = PG_LOOK_OWN,
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,
		.resume = OWN, .effect = pg_effect_take,
		.why = "smallest block of the request's own type",
	},
	[CMA] = {
		.name = "cma", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_CMA,
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,
		.needs = PG_NEED_CMA_RIGHT, .resume = CMA, .effect = pg_effect_take,
		.why = "movable requests may live in CMA blocks",
	},
	[CLAIM_BLOCK] = {
		.name = "claim-block", .types = PG_TYPES_ALL, .look = PG_LOOK_FALLBACK,
		.search = PG_LARGEST_FIRST, .lo = PG_BOUND_BLOCK, .hi = PG_BOUND_TOP,
		.resume = OWN, .effect = pg_effect_claim_block,
		.why = "take over pageblocks that are wholly free",
	},
	[CLAIM_PART] = {
		.name = "claim-part", .types = PG_TYPES_ALL, .look = PG_LOOK_FALLBACK,
		.search = PG_LARGEST_FIRST, .lo = PG_BOUND_CLAIM_FLOOR, .hi = PG_BOUND_BELOW_BLOCK,
		.needs = PG_NEED_MIX_RIGHT, .resume = OWN, .effect = pg_effect_claim_part,
		.why = "take over a pageblock at least half of which is free or alike",
	},
	[STEAL] = {
		.name = "steal", .types = PG_TYPES_ALL, .look = PG_LOOK_FALLBACK,
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,
		.needs = PG_NEED_MIX_RIGHT, .resume = STEAL, .effect = pg_effect_steal,
		.why = "take one block and leave its pageblock to its owner",
	},
	[RESERVE] = PG_PASS_RESERVE,
};

const struct pg_place pg_place_linux = {
	.name = "linux", .about = "migratetypes with claim and steal, as Linux from 6.15 on",
	.passes = passes, .nr_passes = NR_PASSES,
};
