/* SPDX-License-Identifier: MIT */
/*
 * Placement by superpageblocks, after the RFC "mm: reliable 1GB page allocation" of R. van Riel: what
 * cannot move goes to those that are tainted already, what can to the fullest clean ones.
 *
 *     unmovable, reclaimable:  tainted: own -> whole movable -> part of movable -> borrow
 *                              -> with the right to taint: imperfect -> the emptiest
 *     movable:                 clean, the fullest first, the empty last -> tainted above its reserve
 *                              -> with the right to it: the reserve
 *
 * Inside a tainted superpageblock every list serves before another is tainted: what is given up
 * there is a pageblock, out there a superpageblock. So a request for a single page that taints has
 * found no free page in any tainted one, which the engine asserts.
 */
#include "place/place.h"

#define KERNEL_TYPES (1u << PAGUS_UNMOVABLE | 1u << PAGUS_RECLAIMABLE)

/*
 * A clean superpageblock's pageblocks hold nothing that cannot move: whatever their types are, they
 * may become the request's.
 */
static uint32_t use_clean(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			  const struct pg_candidate *found)
{
	if (found->from == t->type)
		return pg_effect_take(c, z, t, found);
	if (found->order >= c->st->pageblock_order)
		return pg_effect_claim_one(c, z, t, found);
	return pg_effect_claim_any(c, z, t, found);
}

enum {
	HIGHATOMIC, CMA_BALANCE, CLEAN, CMA, ABOVE, ABOVE_BLOCK, ABOVE_STEAL, DIP,
	TAINTED, TAINTED_BLOCK, TAINTED_PART, BORROW_KIN, BORROW, TAINT_IMPERFECT, TAINT_FRESH,
	TAINT_PART, RESERVE, NR_PASSES
};

static const struct pg_pass passes[NR_PASSES] = {
	[HIGHATOMIC] = PG_PASS_HIGHATOMIC,
	[CMA_BALANCE] = {
		.name = "cma-balance", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_CMA,
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,
		.needs = PG_NEED_CMA_RIGHT | PG_NEED_CMA_MAJORITY, .effect = pg_effect_take,
		.why = "use CMA first while it is more than half of what is free",
	},
	[CLEAN] = {
		.name = "clean", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_ALL,
		.where = PG_IN_CLEAN, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST,
		.hi = PG_BOUND_TOP, .effect = use_clean,
		.why = "the fullest clean superpageblock, an empty one last",
	},
	[CMA] = {
		.name = "cma", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_CMA,
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,
		.needs = PG_NEED_CMA_RIGHT, .effect = pg_effect_take,
		.why = "movable requests may live in CMA blocks",
	},
	[ABOVE] = {
		.name = "above", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_OWN,
		.where = PG_IN_ABOVE, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST,
		.hi = PG_BOUND_TOP, .needs = PG_NEED_SHARE_RIGHT, .effect = pg_effect_take,
		.why = "a tainted superpageblock with more free than its reserve",
	},
	[ABOVE_BLOCK] = {
		.name = "above-block", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_FALLBACK,
		.where = PG_IN_ABOVE, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_BLOCK,
		.hi = PG_BOUND_TOP, .needs = PG_NEED_SHARE_RIGHT, .effect = pg_effect_claim_one,
		.why = "there, take over pageblocks that are wholly free",
	},
	[ABOVE_STEAL] = {
		.name = "above-steal", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_FALLBACK,
		.where = PG_IN_ABOVE, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST,
		.hi = PG_BOUND_BELOW_BLOCK, .needs = PG_NEED_MIX_RIGHT | PG_NEED_SHARE_RIGHT,
		.effect = pg_effect_steal,
		.why = "there, take one block and leave its pageblock what it is",
	},
	[DIP] = {
		.name = "dip", .types = PG_TYPES_MOVABLE, .look = PG_LOOK_ALL,
		.where = PG_IN_TAINTED, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST,
		.hi = PG_BOUND_TOP, .needs = PG_NEED_DIP_RIGHT, .effect = pg_effect_dip,
		.why = "the reserve of a tainted superpageblock, rather than be out of memory",
	},
	[TAINTED] = {
		.name = "tainted", .types = KERNEL_TYPES, .look = PG_LOOK_OWN,
		.where = PG_IN_TAINTED, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST,
		.hi = PG_BOUND_TOP, .effect = pg_effect_take,
		.why = "the request's own type in the fullest tainted superpageblock",
	},
	[TAINTED_BLOCK] = {
		.name = "tainted-block", .types = KERNEL_TYPES, .look = PG_LOOK_FALLBACK,
		.where = PG_IN_TAINTED, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_BLOCK,
		.hi = PG_BOUND_TOP, .effect = pg_effect_claim_one,
		.why = "in a tainted one, take over pageblocks that are wholly free",
	},
	[TAINTED_PART] = {
		.name = "tainted-part", .types = KERNEL_TYPES, .look = PG_LOOK_MOVABLE,
		.where = PG_IN_TAINTED, .search = PG_LARGEST_FIRST, .lo = PG_BOUND_REQUEST,
		.hi = PG_BOUND_BELOW_BLOCK, .needs = PG_NEED_MIX_RIGHT,
		.effect = pg_effect_claim_any,
		.why = "in a tainted one, take over a movable pageblock whatever it holds",
	},
	[BORROW_KIN] = {
		.name = "borrow-kin", .types = KERNEL_TYPES, .look = PG_LOOK_KIN,
		.where = PG_IN_TAINTED, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST,
		.hi = PG_BOUND_BELOW_BLOCK, .effect = pg_effect_steal,
		.why = "in a tainted one, a block of the other type that cannot move",
	},
	[BORROW] = {
		.name = "borrow", .types = KERNEL_TYPES, .look = PG_LOOK_MOVABLE,
		.where = PG_IN_TAINTED, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST,
		.hi = PG_BOUND_BELOW_BLOCK, .effect = pg_effect_steal,
		.why = "in a tainted one, a movable block; its pageblock stays movable",
	},
	[TAINT_IMPERFECT] = {
		.name = "taint-imperfect", .types = KERNEL_TYPES, .look = PG_LOOK_ALL,
		.where = PG_IN_IMPERFECT, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_BLOCK,
		.hi = PG_BOUND_TOP, .needs = PG_NEED_TAINT_RIGHT, .effect = use_clean,
		.why = "taint a superpageblock that has gaps: it can never be given as a whole",
	},
	[TAINT_FRESH] = {
		.name = "taint", .types = KERNEL_TYPES, .look = PG_LOOK_ALL,
		.where = PG_IN_FRESH, .search = PG_SMALLEST_FIRST, .lo = PG_BOUND_BLOCK,
		.hi = PG_BOUND_TOP, .needs = PG_NEED_TAINT_RIGHT, .effect = use_clean,
		.why = "taint the emptiest one, which has the most room for what follows",
	},
	[TAINT_PART] = {
		.name = "taint-part", .types = KERNEL_TYPES, .look = PG_LOOK_ALL,
		.where = PG_IN_FRESH, .search = PG_LARGEST_FIRST, .lo = PG_BOUND_REQUEST,
		.hi = PG_BOUND_BELOW_BLOCK, .needs = PG_NEED_TAINT_RIGHT, .effect = use_clean,
		.why = "taint the emptiest one that has a block large enough",
	},
	[RESERVE] = PG_PASS_RESERVE,
};

const struct pg_place pg_place_superpageblock = {
	.name = "superpageblock",
	.about = "superpageblocks: what cannot move to tainted ones, what can to the fullest clean ones",
	.superpageblocks = true, .passes = passes, .nr_passes = NR_PASSES,
};
