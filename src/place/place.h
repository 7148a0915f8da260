/* SPDX-License-Identifier: MIT */
/*
 * Placement: which free piece serves a request, and what that costs in purity. A placement is a
 * const table of passes; pg_place_take runs it. The pass that serves decides where the next take of
 * the same hold of the zone lock begins, so a refill does not search again what it has just found
 * empty.
 */
#ifndef PG_PLACE_PLACE_H
#define PG_PLACE_PLACE_H

#include "mem/release.h"
#include "zone/zone.h"

struct pg_take {
	uint32_t order;
	uint32_t type;   /* effective migratetype wanted */
	uint32_t flags;  /* PG_ALLOC_* */
	bool direct;     /* for the requester itself, not for a pcp list */
	uint32_t resume; /* first pass to try; 0 at the start of a hold */
	uint32_t looks;  /* at superpageblocks, so far */
};

/* A candidate: the free block i of order `order` on `from`'s list. */
struct pg_candidate {
	uint32_t i, order, from;
};

#define PG_EXTFRAG_OWNED 0x100u /* in an EXTFRAG event: the pageblock is the request's now */

/* At whose lists a pass looks. KIN: the other one that cannot move; ALL: own, then fallbacks. */
enum pg_look {
	PG_LOOK_OWN, PG_LOOK_CMA, PG_LOOK_HIGHATOMIC, PG_LOOK_FALLBACK, PG_LOOK_MOVABLE, PG_LOOK_KIN,
	PG_LOOK_ALL
};

/* In which superpageblocks (steer.c). ANYWHERE: in the zone as a whole. */
enum pg_where {
	PG_ANYWHERE, PG_IN_TAINTED, PG_IN_CLEAN, PG_IN_ABOVE, PG_IN_IMPERFECT, PG_IN_FRESH,
	PG_NR_WHERES
};

/* In which sequence of orders. */
enum pg_search { PG_SMALLEST_FIRST, PG_LARGEST_FIRST };

/* The bounds of that sequence. */
enum pg_bound {
	PG_BOUND_REQUEST,      /* the request's order */
	PG_BOUND_CLAIM_FLOOR,  /* the request's order; movable: not below half the pageblock order */
	PG_BOUND_BELOW_BLOCK,  /* one below the pageblock order */
	PG_BOUND_BLOCK,        /* the pageblock order, or the request's where larger */
	PG_BOUND_TOP           /* the largest order */
};

/* Preconditions, all of which must hold. */
#define PG_NEED_CMA_RIGHT    0x1u /* the request may use CMA */
#define PG_NEED_CMA_MAJORITY 0x2u /* more than half of the zone's free pages are CMA */
#define PG_NEED_MIX_RIGHT    0x4u /* the request may use foreign pageblocks in part */
#define PG_NEED_HIGHATOMIC   0x8u /* the request is atomic and of higher order, and no refill */
#define PG_NEED_RESERVE      0x10u /* the request cannot wait, or is a victim's, and no refill */
#define PG_NEED_TAINT_RIGHT  0x20u /* the request may taint a superpageblock */
#define PG_NEED_DIP_RIGHT    0x40u /* it may take of the reserves of tainted ones */
#define PG_NEED_SHARE_RIGHT 0x80u /* it may live in tainted ones */

/*
 * What a pass does with a candidate. Returns the record of the pages taken, or PG_NONE if it
 * refuses this candidate: the search goes on with the next order.
 */
typedef uint32_t pg_effect(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			   const struct pg_candidate *found);

struct pg_pass {
	const char *name;
	uint8_t types;   /* bit t: for requests of migratetype t */
	uint8_t look, search, lo, hi;
	uint8_t needs;
	uint8_t where;   /* enum pg_where */
	uint8_t resume;  /* pass at which the next take of this hold begins */
	bool always;     /* tried even when the hold resumes behind it */
	pg_effect *effect;
	const char *why; /* one line of documentation */
};

struct pg_place {
	const char *name, *about;
	bool mobility_off; /* every page is unmovable: one list an order */
	uint32_t release;  /* row of pg_releases whose ways of freeing go with it */
	bool superpageblocks; /* it chooses among them; only over maps */
	const struct pg_pass *passes;
	uint32_t nr_passes;
};

extern const struct pg_place pg_place_plain, pg_place_linux, pg_place_convert,
	pg_place_superpageblock;

/* All of them; the state holds a row number. */
extern const struct pg_place *const pg_places[];
extern const uint32_t pg_nr_places;

/*
 * Take 2^t->order pages from the zone: their first record, which the caller must give a kind;
 * PG_NONE if no pass served. Needs the zone's lock.
 */
uint32_t pg_place_take(struct pg_call *c, struct pg_zone *z, struct pg_take *t);

/*
 * The first candidate that any pass finds, PG_NONE if there is none. Changes nothing. The pass may
 * still refuse it. Needs the zone's lock.
 */
uint32_t pg_place_look(struct pg_call *c, struct pg_zone *z, const struct pg_take *t);

/*
 * The block of just this order of the own type that the n-th row without needs would find, of those
 * that look at own lists; PG_NONE if it finds none. *more: there is such a row. Changes nothing. Needs
 * the zone's lock.
 */
uint32_t pg_place_own_first(struct pg_call *c, struct pg_zone *z, struct pg_take *t, uint32_t n,
			    uint32_t order, bool *more);

/* ---- steer.c: the choice of a superpageblock ----------------------------------------------------- */

/* What a pass looks for: blocks of the orders lo .. hi on the lists of these migratetypes. */
struct pg_wanted {
	uint32_t where, lo, hi;
	uint32_t nr_types;
	uint8_t types[3];
};

/* Where a search among superpageblocks stands. */
struct pg_steer {
	uint32_t step; /* classes of fullness that are done */
	uint32_t from; /* in this one, where the search goes on */
	bool begun;    /* it has one */
};

/*
 * The next superpageblock that has such a block, the fullest first or the emptiest as `where` says;
 * UINT32_MAX if there is no more.
 */
uint32_t pg_steer_next(const struct pagus_state *st, const struct pg_zone *z,
		       const struct pg_wanted *wanted, struct pg_steer *at);

/*
 * May a CPU come to own the pageblock of page i, for requests of `type` without further rights? Not
 * where it would taint, nor where what is free is kept from movable requests.
 */
bool pg_steer_may_own(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
		      uint32_t type);

/* Could a single page of an ordinary migratetype be had of a tainted superpageblock? */
bool pg_steer_tainted_any(const struct pagus_state *st, const struct pg_zone *z);

/* Effects. */
pg_effect pg_effect_take;        /* cut it; the rest stays on its lists; mm_page_alloc_zone_locked */
pg_effect pg_effect_steal;       /* the same from a foreign list; mm_page_alloc_extfrag */
pg_effect pg_effect_claim_block; /* retype all its pageblocks; the rest onto the request's lists */
pg_effect pg_effect_claim_part;  /* retype its pageblock if mostly free or alike, then take */
pg_effect pg_effect_claim_any;   /* retype its pageblock whatever it holds, then take */
pg_effect pg_effect_claim_one;   /* retype as few whole pageblocks as the request needs, then take */
pg_effect pg_effect_dip;         /* steal, from what is kept for requests that cannot move */

/* Serve from the request's own lists, which hold a block of at most order `up_to`. */
uint32_t pg_place_take_own(struct pg_call *c, struct pg_zone *z, const struct pg_take *t,
			   uint32_t up_to);

/*
 * claim: does the pageblock that starts at `start` lie inside the zone's span, does it belong to no
 * other zone either (spans may lie one inside the other), may `type` claim it, move its free
 * blocks.
 */
bool pg_claim_inside(const struct pagus_state *st, const struct pg_zone *z, uint32_t start);
bool pg_claim_whole(const struct pagus_state *st, const struct pg_zone *z, uint32_t start);
bool pg_claimable(const struct pg_call *c, const struct pg_zone *z, uint32_t start,
		  uint32_t block_type, uint32_t type);
void pg_claim_move(struct pg_call *c, struct pg_zone *z, uint32_t start, uint32_t type);

/* Name of a row of the placement's table, and one line about it; NULL past the last. */
const char *pg_pass_name(const struct pagus_state *st, uint32_t row, const char **why);

#define PG_TYPES_ALL     ((1u << PAGUS_UNMOVABLE) | (1u << PAGUS_MOVABLE) | (1u << PAGUS_RECLAIMABLE))
#define PG_TYPES_MOVABLE (1u << PAGUS_MOVABLE)

/* Passes that stand first and last in every table that groups by mobility. */
#define PG_PASS_HIGHATOMIC                                                                         \
	{                                                                                         \
		.name = "highatomic", .types = PG_TYPES_ALL, .look = PG_LOOK_HIGHATOMIC,           \
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,           \
		.needs = PG_NEED_HIGHATOMIC, .effect = pg_effect_take,                             \
		.why = "the reserve is there for atomic requests of higher order",                \
	}
#define PG_PASS_RESERVE                                                                            \
	{                                                                                         \
		.name = "reserve", .types = PG_TYPES_ALL, .look = PG_LOOK_HIGHATOMIC,              \
		.search = PG_SMALLEST_FIRST, .lo = PG_BOUND_REQUEST, .hi = PG_BOUND_TOP,           \
		.needs = PG_NEED_RESERVE, .effect = pg_effect_take,                                \
		.why = "a request that cannot wait may empty the reserve",                        \
	}

#endif
