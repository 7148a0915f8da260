/* SPDX-License-Identifier: MIT */
/*
 * Steering: which superpageblock serves. A pass says where it looks, which is an intersection of
 * the zone's sets (mem/superpageblock.h); within it the fullest come first, or the emptiest. The
 * words behind a set leave out 64 words at a time, so the cost does not grow with the zone.
 */
#include "place/place.h"

#include "mem/superpageblock.h"

#define IN(set) (1u << ((set) - PG_SPB_TAINTED))

/*
 * Those with all of these states and none of those. What is given up is taken from the top of the
 * zone down, what movable requests fill from the bottom up, so that clean ones lie side by side.
 */
static const struct rule {
	uint32_t all, none;
	bool emptiest_first, from_top;
} rules[PG_NR_WHERES] = {
	[PG_IN_TAINTED] = { .all = IN(PG_SPB_TAINTED) },
	[PG_IN_CLEAN] = { .none = IN(PG_SPB_TAINTED) },
	[PG_IN_ABOVE] = { .all = IN(PG_SPB_ABOVE) },
	[PG_IN_IMPERFECT] = { .all = IN(PG_SPB_IMPERFECT), .none = IN(PG_SPB_TAINTED),
			      .emptiest_first = true, .from_top = true },
	[PG_IN_FRESH] = { .none = IN(PG_SPB_TAINTED), .emptiest_first = true, .from_top = true },
};

/* The word of the sets' union over the orders and migratetypes wanted. */
static uint64_t listed_word(const struct pagus_state *st, const struct pg_zone *z,
			    const struct pg_wanted *wanted, uint32_t word)
{
	uint64_t bits = 0;

	for (uint32_t order = wanted->lo; order <= wanted->hi; order++)
		for (uint32_t n = 0; n < wanted->nr_types; n++)
			bits |= pg_spb_set(st, z, PG_SPB_LISTED + order * PAGUS_NR_MIGRATETYPES +
						  wanted->types[n])[word];
	return bits;
}

/* Superpageblocks of one fullness that fit, of a word; of those behind, the words that may have any. */
static uint64_t fitting(const struct pagus_state *st, const struct pg_zone *z,
			const struct pg_wanted *wanted, uint32_t fullness, uint32_t word,
			bool behind)
{
	const struct rule *rule = &rules[wanted->where];
	uint64_t bits = pg_spb_set(st, z, PG_SPB_FULLNESS + fullness)[word];

	for (uint32_t set = PG_SPB_TAINTED; bits && set < PG_SPB_LISTED; set++) {
		uint64_t in = pg_spb_set(st, z, set)[word];

		if (rule->all & IN(set))
			bits &= in;
		else if ((rule->none & IN(set)) && !behind)
			bits &= ~in;
	}
	return bits ? bits & listed_word(st, z, wanted, word) : 0;
}

/* Bits on this side of a position: from it on, or below it. */
static uint64_t ahead(uint32_t position, bool from_top)
{
	uint64_t below = position < 64 ? (UINT64_C(1) << position) - 1 : UINT64_MAX;

	return from_top ? below : ~below;
}

static uint32_t first_of(uint64_t bits, bool from_top)
{
	return from_top ? 63 - (uint32_t)__builtin_clzll(bits) : (uint32_t)__builtin_ctzll(bits);
}

/* Of a word of those behind: 64 * 64 superpageblocks. */
static uint32_t find_in(const struct pagus_state *st, const struct pg_zone *z,
			const struct pg_wanted *wanted, uint32_t fullness, uint32_t far,
			uint32_t from)
{
	bool from_top = rules[wanted->where].from_top;
	uint64_t words = fitting(st, z, wanted, fullness, pg_spb_above(z) + far, true);

	while (words) {
		uint32_t near = first_of(words, from_top), word = far * 64 + near;
		uint64_t bits = fitting(st, z, wanted, fullness, word, false);

		if (word == from / 64)
			bits &= ahead(from % 64, from_top);
		else if (from_top ? word > from / 64 : word < from / 64)
			bits = 0;
		if (bits)
			return word * 64 + first_of(bits, from_top);
		words &= ~(UINT64_C(1) << near);
	}
	return UINT32_MAX;
}

/* The first from `from` on; or, from the top, the last below it. */
static uint32_t find_of(const struct pagus_state *st, const struct pg_zone *z,
			const struct pg_wanted *wanted, uint32_t fullness, uint32_t from)
{
	bool from_top = rules[wanted->where].from_top;
	uint32_t nr = (pg_spb_above(z) + 63) / 64, n = UINT32_MAX;

	for (uint32_t k = 0; k < nr && n == UINT32_MAX; k++)
		n = find_in(st, z, wanted, fullness, from_top ? nr - 1 - k : k, from);
	return n;
}

/* What has nothing free has no list either, so fullness 0 is left out. */
uint32_t pg_steer_next(const struct pagus_state *st, const struct pg_zone *z,
		       const struct pg_wanted *wanted, struct pg_steer *at)
{
	const struct rule *rule = &rules[wanted->where];

	for (; at->step < PG_SPB_EMPTY; at->step++, at->begun = false) {
		uint32_t n;

		if (!at->begun)
			at->from = rule->from_top ? z->nr_spbs : 0;
		at->begun = true;
		n = find_of(st, z, wanted,
			    rule->emptiest_first ? PG_SPB_EMPTY - at->step : at->step + 1, at->from);
		if (n == UINT32_MAX)
			continue;
		at->from = rule->from_top ? n : n + 1;
		return n;
	}
	return UINT32_MAX;
}

bool pg_steer_may_own(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
		      uint32_t type)
{
	const struct pg_spb *s = pg_spb_of(st, z, i);

	if (!s)
		return true;
	return type == PAGUS_MOVABLE ? !pg_spb_is_kept(s) : pg_spb_is(s, PG_SPB_TAINTED);
}

bool pg_steer_tainted_any(const struct pagus_state *st, const struct pg_zone *z)
{
	const struct pg_wanted wanted = {
		.where = PG_IN_TAINTED, .hi = st->max_order, .nr_types = 3,
		.types = { PAGUS_UNMOVABLE, PAGUS_MOVABLE, PAGUS_RECLAIMABLE },
	};
	struct pg_steer at = { 0 };

	return pg_steer_next(st, z, &wanted, &at) != UINT32_MAX;
}
