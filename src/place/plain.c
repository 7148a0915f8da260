/* SPDX-License-Identifier: MIT */
/*
 * Placement without mobility grouping: every page is unmovable, so there is one list an order and
 * the smallest block serves. What Linux does on machines too small to group
 * (page_group_by_mobility_disabled).
 */
#include "place/place.h"

static const struct pg_pass passes[] = {
	{
		.name = "smallest", .types = PG_TYPES_ALL, .look = PG_LOOK_OWN,
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,
		.effect = pg_effect_take,
		.why = "smallest block",
	},
};

const struct pg_place pg_place_plain = {
	.name = "plain", .about = "no grouping by mobility: the smallest free block serves",
	.mobility_off = true, .passes = passes, .nr_passes = 1,
};
