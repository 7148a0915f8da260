/* SPDX-License-Identifier: MIT */
/* The parts of the pcp policy `pageblock`. All calls need the pcp's lock. */
#ifndef PG_PCP_PAGEBLOCK_H
#define PG_PCP_PAGEBLOCK_H

#include "pcp/pcp.h"
#include "zone/owner.h"

/* ---- pageblock.c: blocks on a pcp's lists ------------------------------------------------------ */

/*
 * Put the block i, which is nobody's, onto one end of the list of a migratetype. It may merge there
 * if its pageblock is the CPU's own.
 */
void pg_owned_keep(struct pagus_state *st, struct pg_pcp *pcp, uint32_t i, uint32_t order,
		   uint32_t type, enum pg_end end);

/* The block i of `order` is about to leave the lists of the CPU that owns its pageblock. */
void pg_owned_leaves(struct pagus_state *st, uint32_t i, uint32_t order);

/*
 * Onto the lists with what was freed while the pcp's lock was taken; and leave the stack of it as
 * `stack` says, empty or closed. May take the zone's lock.
 */
void pg_owned_gather(struct pg_call *c, struct pg_pcp *pcp);
void pg_owned_gather_all(struct pg_call *c, struct pg_pcp *pcp, uint32_t stack);

/* ---- phase.c: a refill ------------------------------------------------------------------------- */

struct pg_phase;
struct pg_refill {
	struct pg_call *c;
	struct pg_zone *z;
	struct pg_pcp *pcp;
	struct pg_take *t;
	const struct pg_phase *phases;
	uint32_t nr_phases;
	uint32_t budget, got; /* pages */
	bool fits;            /* a block large enough for the request has come */
	uint32_t single;      /* a block for the request itself, not to be kept; PG_NONE */
};

/* One phase of a refill. Rows are tried in their order until the budget is used up. */
struct pg_phase {
	const char *name;
	uint32_t needs; /* PG_PHASE_*, all of which must hold */
	void (*run)(struct pg_refill *r);
	const char *why;
};
#define PG_PHASE_OWNING   0x1u /* the pcp may own pageblocks, and the zone is not short */
#define PG_PHASE_BLOCK    0x2u /* at least half of a pageblock is still wanted */
#define PG_PHASE_NOTHING  0x4u /* nothing has come so far */
#define PG_PHASE_NOT_CMA  0x8u /* it is not CMA's turn to serve movable requests */

/* Run the phases in one hold of the zone's lock. */
void pg_phase_run(struct pg_refill *r);

/* Pages that are still wanted. */
static inline uint32_t pg_phase_left(const struct pg_refill *r)
{
	return r->got < r->budget ? r->budget - r->got : 0;
}

static inline bool pg_phase_done(const struct pg_refill *r)
{
	return r->single != PG_NONE || (r->fits && pg_phase_left(r) == 0);
}

/* A block of `order` has come. */
static inline void pg_phase_got(struct pg_refill *r, uint32_t order)
{
	r->got += 1u << order;
	r->fits |= order >= r->t->order;
}

/* Is at least half of a pageblock still wanted? */
bool pg_phase_half_block_left(const struct pg_refill *r);

/* A whole pageblock of the own type; of another, converted; PG_NONE if there is none. */
uint32_t pg_phase_take_whole(struct pg_refill *r);
uint32_t pg_phase_convert(struct pg_refill *r);

/* The refill of a pcp with lists. */
void pg_lists_refill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t);

/* ---- giveback.c: drains, and the end of ownership ---------------------------------------------- */

/*
 * Merge blocks of the lists, which are put onto those of their pageblocks' types: what is there below
 * `order`, as far as that order. False: nothing came to be as large.
 */
bool pg_owned_merge(struct pg_call *c, struct pg_pcp *pcp, uint32_t order);

uint32_t pg_owned_drain(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t pages,
			enum pagus_lock_reason why);
void pg_owned_tick(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp);
/* The pageblock of page i is the zone's. Takes its owner's pcp lock itself. */
void pg_owned_release(struct pg_call *c, uint32_t i);
void pg_owned_retire(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp);

#endif
