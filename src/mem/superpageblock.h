/* SPDX-License-Identifier: MIT */
/*
 * Superpageblocks: the aligned 2^superpageblock_order pages of a zone's memory, 1 GiB on machines
 * that are large enough. One whose pages are free or movable can be emptied; one page that cannot
 * move takes that away: it is tainted.
 *
 * Each has a record of what its pageblocks hold. A zone has sets of its superpageblocks, a bit for
 * each, and behind these a bit for each word that is not zero, as summaries have (map.h). A choice
 * is an intersection of sets; which they are, place.h says.
 *
 *     fullness   |0|1|2| ... |8|   in one of these each, by the share of its pages that is free
 *     state      tainted, imperfect, whole, above
 *     listed     for each order and migratetype: some pageblock of it is in that summary
 *
 * Only instances over maps have them, and of these only where the placement wants them. All of it
 * is written with the zone's lock held; counts of a zone are read also without it.
 */
#ifndef PG_MEM_SUPERPAGEBLOCK_H
#define PG_MEM_SUPERPAGEBLOCK_H

#include "mem/geometry.h"

#define PG_SPB_MAX_ORDER   18u    /* 1 GiB of 4 KiB pages */
#define PG_SPB_MIN_BLOCKS  8u     /* pageblocks in one, and superpageblocks that the largest zone spans */
#define PG_SPB_MAX         65536u /* of a zone */

/*
 * What a pageblock holds, one bit each. Pages in use by migratetype of their requests, numbered as
 * those; memory that is not the zone's to give (holes, reserved pages); nothing but free pages of
 * the zone. A pageblock that a CPU owns holds what it did when it was taken, and the migratetype
 * that it is owned for.
 */
enum pg_hold {
	PG_HOLD_UNMOVABLE, PG_HOLD_MOVABLE, PG_HOLD_RECLAIMABLE,
	PG_HOLD_GAP, PG_HOLD_WHOLE,
	PG_NR_HOLDS
};
#define PG_HOLDS_KERNEL (1u << PG_HOLD_UNMOVABLE | 1u << PG_HOLD_RECLAIMABLE)
#define PG_HOLDS_ANY    (PG_HOLDS_KERNEL | 1u << PG_HOLD_MOVABLE)

#define PG_SPB_CLASSES 9u /* 0: nothing is free; 1-7: by sevenths; 8: no page in use, some free */
#define PG_SPB_EMPTY   (PG_SPB_CLASSES - 1)

enum pg_spb_set {
	PG_SPB_FULLNESS = 0,
	PG_SPB_TAINTED = PG_SPB_CLASSES, /* some pageblock holds unmovable or reclaimable pages */
	PG_SPB_IMPERFECT,                /* part of it is not the zone's: it can never be given as a whole */
	PG_SPB_WHOLE,                    /* some pageblock is wholly free in the zone */
	PG_SPB_ABOVE,                    /* tainted, with a pageblock's worth of free pages above its reserve */
	PG_SPB_LISTED,                   /* by order and migratetype, as summaries */
	PG_NR_SPB_SETS = PG_SPB_LISTED + PG_NR_FREE_HEADS
};

struct pg_spb {
	uint64_t start_pfn;              /* I: of the slot; its zone may begin behind it */
	uint32_t first_block, end_block; /* H: its pageblocks lie between these numbers; end exclusive */
	uint32_t nr_blocks;              /* H: of these, those of the zone */
	uint32_t free_pages;             /* Z: in the zone, isolated ones too */
	uint32_t nr_hold[PG_NR_HOLDS];   /* Z: pageblocks, by what they hold; one may be in several */
	uint32_t reserve_pages;          /* Z: of a tainted one, what movable requests leave free */
	uint32_t kept_pages;             /* Z: of the zone's spb_kept_pages, its part */
	uint16_t state;                  /* Z: bit s: in the state set s, counted from TAINTED on */
	uint8_t fullness;                /* Z */
	uint8_t evacuating;              /* W: it is below its reserve, and not yet well above */
	uint16_t nr_listed[PG_NR_FREE_HEADS]; /* Z: pageblocks in the zone's summaries, as these */
	uint32_t resting;                /* A: ticks until it is tried to be emptied again */
};
PG_STATIC_ASSERT(sizeof(struct pg_spb) % 8 == 0, "superpageblock");

static inline uint64_t pg_spb_set_words(uint64_t nr_spbs)
{
	return pg_summary_words(nr_spbs);
}

static inline uint32_t pg_spb_above(const struct pg_zone *z)
{
	return (z->nr_spbs + 63) / 64;
}

static inline uint64_t *pg_spb_set(const struct pagus_state *st, const struct pg_zone *z,
				   uint32_t set)
{
	return (uint64_t *)pg_at(st, z->off_spb_sets) + set * pg_spb_set_words(z->nr_spbs);
}

static inline struct pg_spb *pg_spb(const struct pagus_state *st, const struct pg_zone *z,
				    uint32_t n)
{
	return (struct pg_spb *)pg_at(st, z->off_spbs) + n;
}

/* Number of the superpageblock of page i, which is the zone's. */
static inline uint32_t pg_spb_number(const struct pagus_state *st, const struct pg_zone *z,
				     uint32_t i)
{
	return (uint32_t)((pg_pfn(st, i) >> st->superpageblock_order) - z->first_spb);
}

static inline uint32_t pg_spb_index(const struct pg_zone *z, const struct pagus_state *st,
				    const struct pg_spb *s)
{
	return (uint32_t)(s - pg_spb(st, z, 0));
}

/* The superpageblock of page i; NULL where it is not the zone's, or has none. */
static inline struct pg_spb *pg_spb_of(const struct pagus_state *st, const struct pg_zone *z,
				       uint32_t i)
{
	if (z->nr_spbs == 0 || pg_map_zone(pg_map(st, i)) != z->id)
		return NULL;
	return pg_spb(st, z, pg_spb_number(st, z, i));
}

/* Pageblocks that a superpageblock without gaps has. */
static inline uint32_t pg_spb_slots(const struct pagus_state *st)
{
	return 1u << (st->superpageblock_order - st->pageblock_order);
}

static inline bool pg_spb_is(const struct pg_spb *s, uint32_t set)
{
	return pg_read(s->state) >> (set - PG_SPB_TAINTED) & 1;
}

/* Tainted, and movable pages may not take more of it: what is free is its reserve's. */
static inline bool pg_spb_is_kept(const struct pg_spb *s)
{
	return pg_spb_is(s, PG_SPB_TAINTED) && pg_read(s->reserve_pages) > 0 &&
	       !pg_spb_is(s, PG_SPB_ABOVE);
}

/* Into a set, or out of it. */
void pg_spb_put(struct pagus_state *st, const struct pg_zone *z, uint32_t set, uint32_t n, bool in);

/* A pageblock has come into the summary of that order and migratetype, or left it. */
void pg_spb_listed(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t order,
		   uint32_t type, bool in);

/*
 * The order that a machine gets whose configuration names none: the largest up to 18 of which the
 * largest zone spans at least 8, but not below `least`. `span`: pages of that zone.
 */
uint32_t pg_spb_choose_order(uint64_t span, uint32_t least);

/* Page i is memory of the zone: its pageblock belongs to a superpageblock. In ascending order. */
void pg_spb_present(struct pagus_state *st, struct pg_zone *z, uint32_t i);

#endif
