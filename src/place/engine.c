/* SPDX-License-Identifier: MIT */
/* The engine that runs a pass table. It knows how to search; what to look for is in the rows. */
#include <pagus/explain.h>

#include "place/place.h"

#include "base/bits.h"
#include "zone/superpageblock.h"

#define MAX_LOOKS 8 /* at superpageblocks, of a pass whose effect refuses */

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
	if ((needs & PG_NEED_TAINT_RIGHT) && (t->flags & PG_ALLOC_KEEP_CLEAN))
		return PAGUS_VERDICT_KEEP_CLEAN;
	if (((needs & PG_NEED_DIP_RIGHT) && (t->flags & PG_ALLOC_KEEP_RESERVE)) ||
	    ((needs & PG_NEED_SHARE_RIGHT) && (t->flags & PG_ALLOC_KEEP_OUT)))
		return PAGUS_VERDICT_KEEP_RESERVE;
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
	case PG_LOOK_MOVABLE:
		return PAGUS_MOVABLE;
	case PG_LOOK_ALL:
		return n == 0 ? t->type : fallbacks[t->type][n - 1];
	default:
		return fallbacks[t->type][n];
	}
}

/* How many migratetypes' lists that are. */
static uint32_t nr_lists(uint32_t look)
{
	if (look == PG_LOOK_ALL)
		return 3;
	return look == PG_LOOK_FALLBACK ? 2 : 1;
}

/* The first block of this order that the pass may use. */
static bool find(const struct pagus_state *st, const struct pg_zone *z, const struct pg_take *t,
		 const struct pg_pass *pass, uint32_t order, struct pg_candidate *found)
{
	uint32_t nr = nr_lists(pass->look);

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

/* A movable request leaves the reserve whole, also one of more than a pageblock. */
static bool leaves_reserve(const struct pagus_state *st, const struct pg_spb *s,
			   const struct pg_take *t, const struct pg_pass *pass)
{
	return pass->where != PG_IN_ABOVE || t->order <= st->pageblock_order ||
	       s->free_pages >= s->reserve_pages + (1u << t->order);
}

/* The same inside one superpageblock. */
static uint32_t run_in(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
		       const struct pg_pass *pass, const struct pg_wanted *wanted,
		       const struct pg_spb *s, pg_effect *effect)
{
	uint32_t i = PG_NONE, nr = wanted->hi - wanted->lo + 1;

	for (uint32_t k = 0; k < nr * wanted->nr_types && i == PG_NONE; k++) {
		uint32_t n = k / wanted->nr_types;
		struct pg_candidate found = {
			.order = pass->search == PG_SMALLEST_FIRST ? wanted->lo + n :
								     wanted->hi - n,
			.from = wanted->types[k % wanted->nr_types],
		};

		if (s->nr_listed[found.order * PAGUS_NR_MIGRATETYPES + found.from] == 0)
			continue;
		found.i = pg_bitmap_from(c->st, z, s->first_block, found.order, found.from);
		i = effect ? effect(c, z, t, &found) : found.i;
	}
	return i;
}

static struct pg_wanted wanted_by(const struct pagus_state *st, const struct pg_take *t,
				  const struct pg_pass *pass)
{
	struct pg_wanted wanted = {
		.where = pass->where, .lo = bound(st, t, pass->lo), .hi = bound(st, t, pass->hi),
		.nr_types = nr_lists(pass->look),
	};

	for (uint32_t n = 0; n < wanted.nr_types; n++)
		wanted.types[n] = (uint8_t)list_type(t, pass->look, n);
	return wanted;
}

/* Superpageblock by superpageblock, as the pass says where. */
static uint32_t run_steered(struct pg_call *c, struct pg_zone *z, struct pg_take *t,
			    const struct pg_pass *pass, const struct pg_wanted *wanted,
			    pg_effect *effect, enum pagus_verdict *verdict)
{
	struct pg_steer at = { 0 };
	uint32_t i = PG_NONE, n;

	if (wanted->lo > wanted->hi)
		return PG_NONE;
	for (uint32_t k = 0; k < MAX_LOOKS && i == PG_NONE; k++) {
		n = pg_steer_next(c->st, z, wanted, &at);
		if (n == UINT32_MAX)
			return PG_NONE;
		t->looks++;
		if (leaves_reserve(c->st, pg_spb(c->st, z, n), t, pass))
			i = run_in(c, z, t, pass, wanted, pg_spb(c->st, z, n), effect);
		*verdict = i != PG_NONE ? PAGUS_VERDICT_SERVED : PAGUS_VERDICT_TOO_FOREIGN;
	}
	return i;
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
static uint32_t try_pass(struct pg_call *c, struct pg_zone *z, struct pg_take *t,
			 const struct pg_pass *pass, uint32_t n, bool look,
			 enum pagus_verdict *verdict)
{
	struct pg_wanted wanted;

	*verdict = PAGUS_VERDICT_OTHER_TYPE;
	if (!(pass->types >> t->type & 1))
		return PG_NONE;
	*verdict = check_needs(z, t, pass->needs);
	if (*verdict == PAGUS_VERDICT_NO_BLOCK && n < t->resume && !pass->always)
		*verdict = PAGUS_VERDICT_BEHIND;
	if (*verdict != PAGUS_VERDICT_NO_BLOCK)
		return PG_NONE;
	if (pass->where == PG_ANYWHERE)
		return run_pass(c, z, t, pass, look ? NULL : pass->effect, verdict);
	/* Every page of a tainted superpageblock is used before another is tainted. */
	PG_ASSERT(!(pass->needs & PG_NEED_TAINT_RIGHT) || t->order > 0 ||
		  !pg_steer_tainted_any(c->st, z));
	wanted = wanted_by(c->st, t, pass);
	return run_steered(c, z, t, pass, &wanted, look ? NULL : pass->effect, verdict);
}

uint32_t pg_place_look(struct pg_call *c, struct pg_zone *z, const struct pg_take *t)
{
	const struct pg_place *place = pg_places[c->st->place_policy];
	struct pg_take take = *t;
	enum pagus_verdict verdict;
	uint32_t i = PG_NONE;

	for (uint32_t n = 0; n < place->nr_passes && i == PG_NONE; n++)
		i = try_pass(c, z, &take, &place->passes[n], n, true, &verdict);
	return i;
}

uint32_t pg_place_own_first(struct pg_call *c, struct pg_zone *z, struct pg_take *t, uint32_t n,
			    uint32_t order, bool *more)
{
	const struct pg_place *place = pg_places[c->st->place_policy];
	const struct pg_pass *pass = NULL;
	enum pagus_verdict verdict;
	struct pg_wanted wanted;

	for (uint32_t row = 0; row < place->nr_passes; row++) {
		pass = &place->passes[row];
		if ((pass->look == PG_LOOK_OWN || pass->look == PG_LOOK_ALL) &&
		    (pass->types >> t->type & 1) && pass->needs == 0 && n-- == 0)
			break;
		pass = NULL;
	}
	*more = pass;
	if (!pass)
		return PG_NONE;
	if (pass->where == PG_ANYWHERE)
		return pg_store_first(c->st, z, order, t->type);
	wanted = (struct pg_wanted){ .where = pass->where, .lo = order, .hi = order, .nr_types = 1,
				     .types = { (uint8_t)t->type } };
	return run_steered(c, z, t, pass, &wanted, NULL, &verdict);
}

/* A block has come by way of superpageblocks. */
static void note_steered(const struct pg_call *c, const struct pg_take *t, uint32_t row, uint32_t i)
{
	pg_count(c, PAGUS_COUNTER_superpageblock_chosen, 1);
	pg_count(c, PAGUS_COUNTER_superpageblock_looks, t->looks);
	if (t->looks > 4)
		pg_count(c, PAGUS_COUNTER_superpageblock_long, 1);
	pg_event(c, PAGUS_EVENT_STEER, i, t->order, t->type, row, t->looks);
}

/* The pages taken, which are not handed out yet, are counted as the request's. */
static void count_taken(struct pg_call *c, struct pg_zone *z, const struct pg_take *t, uint32_t i)
{
	uint32_t tainted = z->nr_tainted;

	pg_spb_taken(c, z, i, t->order, t->type);
	if (z->nr_tainted > tainted)
		pg_count(c, t->order ? PAGUS_COUNTER_taint_higher_order :
				       PAGUS_COUNTER_taint_single, 1);
}

uint32_t pg_place_take(struct pg_call *c, struct pg_zone *z, struct pg_take *t)
{
	const struct pg_place *place = pg_places[c->st->place_policy];

	t->looks = 0;
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
		if (pg_unlikely(place->superpageblocks)) {
			count_taken(c, z, t, i);
			note_steered(c, t, n, i);
		}
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
