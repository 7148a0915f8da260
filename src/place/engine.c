/* SPDX-License-Identifier: MIT */
/* The engine that runs a pass table. It knows how to search; what to look for is in the rows. */
#include <pagus/explain.h>

#include "place/place.h"

#include "base/bits.h"

/* Whose blocks a request may fall back to, nearest in kind first. */
static const uint8_t fallbacks[PAGUS_HIGHATOMIC][2] = {
	[PAGUS_UNMOVABLE] = { PAGUS_RECLAIMABLE, PAGUS_MOVABLE },
	[PAGUS_MOVABLE] = { PAGUS_RECLAIMABLE, PAGUS_UNMOVABLE },
	[PAGUS_RECLAIMABLE] = { PAGUS_UNMOVABLE, PAGUS_MOVABLE },
};

static uint32_t bound(const struct pagus_state *st, const struct pg_take *t, uint32_t which)
{
	uint32_t claim_floor = t->type == PAGUS_MOVABLE ? st->pageblock_order / 2 : 0;

	switch (which) {
	case PG_BOUND_CLAIM_FLOOR:
		return (uint32_t)pg_max(t->order, claim_floor);
	case PG_BOUND_BELOW_BLOCK:
		return st->pageblock_order - 1;
	case PG_BOUND_BLOCK:
		return (uint32_t)pg_max(t->order, st->pageblock_order);
	case PG_BOUND_TOP:
		return st->max_order;
	default:
		return t->order;
	}
}

/* The precondition that is not met; NO_BLOCK if all are, as long as none has been looked for. */
static enum pagus_verdict check_needs(const struct pg_zone *z, const struct pg_take *t,
				      uint32_t needs)
{
	const uint32_t for_reserve = PG_ALLOC_OOM | PG_ALLOC_NON_BLOCK;

	if (((needs & PG_NEED_CMA_RIGHT) && !(t->flags & PG_ALLOC_CMA)) ||
	    ((needs & PG_NEED_HIGHATOMIC) && !(t->flags & PG_ALLOC_HIGHATOMIC)) ||
	    ((needs & PG_NEED_RESERVE) && !(t->flags & for_reserve)))
		return PAGUS_VERDICT_NO_RIGHT;
	if ((needs & (PG_NEED_HIGHATOMIC | PG_NEED_RESERVE)) && !t->direct)
		return PAGUS_VERDICT_REFILL;
	if ((needs & PG_NEED_CMA_MAJORITY) && z->free_cma <= z->free_pages / 2)
		return PAGUS_VERDICT_CMA_MINORITY;
	if ((needs & PG_NEED_MIX_RIGHT) && (t->flags & PG_ALLOC_NOFRAGMENT))
		return PAGUS_VERDICT_NOFRAGMENT;
	return PAGUS_VERDICT_NO_BLOCK;
}

/* The n-th migratetype whose list a pass looks at. */
static uint32_t list_type(const struct pg_take *t, uint32_t look, uint32_t n)
{
	switch (look) {
	case PG_LOOK_OWN:
		return t->type;
	case PG_LOOK_CMA:
		return PAGUS_CMA;
	case PG_LOOK_HIGHATOMIC:
		return PAGUS_HIGHATOMIC;
	default:
		return fallbacks[t->type][n];
	}
}

/* The first block of this order that the pass may use. */
static bool find(const struct pagus_state *st, const struct pg_zone *z, const struct pg_take *t,
		 const struct pg_pass *pass, uint32_t order, struct pg_candidate *found)
{
	uint32_t nr = pass->look == PG_LOOK_FALLBACK ? 2 : 1;

	for (uint32_t n = 0; n < nr; n++) {
		uint32_t from = list_type(t, pass->look, n);
		uint32_t i = pg_store_first(st, z, order, from);

		if (i != PG_NONE) {
			*found = (struct pg_candidate){ .i = i, .order = order, .from = from };
			return true;
		}
	}
	return false;
}

/* With the effect of the pass; without one, the first candidate and no change. */
static uint32_t run_pass(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			 const struct pg_pass *pass, pg_effect *effect, enum pagus_verdict *verdict)
{
	uint32_t lo = bound(c->st, t, pass->lo), hi = bound(c->st, t, pass->hi);

	for (uint32_t n = 0; lo + n <= hi; n++) {
		uint32_t order = pass->search == PG_SMALLEST_FIRST ? lo + n : hi - n;
		struct pg_candidate found;
		uint32_t i;

		if (z->nr_free[order] == 0 || !find(c->st, z, t, pass, order, &found))
			continue;
		i = effect ? effect(c, z, t, &found) : found.i;
		*verdict = i != PG_NONE ? PAGUS_VERDICT_SERVED : PAGUS_VERDICT_TOO_FOREIGN;
		if (i != PG_NONE)
			return i;
	}
	return PG_NONE;
}

/* Try the n-th row of the table; with `look`, without any effect. */
static uint32_t try_pass(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			 const struct pg_pass *pass, uint32_t n, bool look,
			 enum pagus_verdict *verdict)
{
	*verdict = PAGUS_VERDICT_OTHER_TYPE;
	if (!(pass->types >> t->type & 1))
		return PG_NONE;
	*verdict = check_needs(z, t, pass->needs);
	if (*verdict == PAGUS_VERDICT_NO_BLOCK && n < t->resume && !pass->always)
		*verdict = PAGUS_VERDICT_BEHIND;
	if (*verdict != PAGUS_VERDICT_NO_BLOCK)
		return PG_NONE;
	return run_pass(c, z, t, pass, look ? NULL : pass->effect, verdict);
}

uint32_t pg_place_look(struct pg_call *c, struct pg_zone *z, const struct pg_take *t)
{
	const struct pg_place *place = pg_places[c->st->place_policy];
	enum pagus_verdict verdict;
	uint32_t i = PG_NONE;

	for (uint32_t n = 0; n < place->nr_passes && i == PG_NONE; n++)
		i = try_pass(c, z, t, &place->passes[n], n, true, &verdict);
	return i;
}

uint32_t pg_place_take(struct pg_call *c, struct pg_zone *z, struct pg_take *t)
{
	const struct pg_place *place = pg_places[c->st->place_policy];

	for (uint32_t n = 0; n < place->nr_passes; n++) {
		const struct pg_pass *pass = &place->passes[n];
		enum pagus_verdict verdict;
		uint32_t i = try_pass(c, z, t, pass, n, false, &verdict);

		if (pg_event_wanted(c, PAGUS_EVENT_PASS_TRIED))
			pg_event_raise(c, PAGUS_EVENT_PASS_TRIED, z->id,
				       i == PG_NONE ? PAGUS_NO_PFN : pg_pfn(c->st, i), t->order,
				       t->type, n, verdict);
		if (i == PG_NONE)
			continue;
		if (!pass->always)
			t->resume = pass->resume;
		return i;
	}
	return PG_NONE;
}

const char *pg_pass_name(const struct pagus_state *st, uint32_t row, const char **why)
{
	const struct pg_place *place = pg_places[st->place_policy];

	if (row >= place->nr_passes)
		return NULL;
	if (why)
		*why = place->passes[row].why;
	return place->passes[row].name;
}
