/* SPDX-License-Identifier: MIT */
/*
 * The zone: its lock, its counts, the types of its pageblocks, and the buddy system over its store.
 */
#ifndef PG_ZONE_ZONE_H
#define PG_ZONE_ZONE_H

#include "store/store.h"
#include "watch/event.h"

/* What a request may do inside a zone; values are the kernel's ALLOC_* flags. */
#define PG_ALLOC_WMARK_MASK    0x3u   /* index of the watermark to respect */
#define PG_ALLOC_NO_WATERMARKS 0x4u
#define PG_ALLOC_OOM           0x8u
#define PG_ALLOC_NON_BLOCK     0x10u
#define PG_ALLOC_MIN_RESERVE   0x20u
#define PG_ALLOC_CPUSET        0x40u
#define PG_ALLOC_CMA           0x80u
#define PG_ALLOC_NOFRAGMENT    0x100u
#define PG_ALLOC_HIGHATOMIC    0x200u
#define PG_ALLOC_TRYLOCK       0x400u /* wait for no lock */
#define PG_ALLOC_KSWAPD        0x800u
#define PG_ALLOC_KEEP_CLEAN    0x1000u /* not the kernel's: taint no superpageblock */
#define PG_ALLOC_KEEP_RESERVE  0x2000u /* nor this: leave tainted ones their reserve */
#define PG_ALLOC_KEEP_OUT      0x4000u /* nor this: leave tainted ones alone */
#define PG_ALLOC_RESERVES                                                                          \
	(PG_ALLOC_NON_BLOCK | PG_ALLOC_MIN_RESERVE | PG_ALLOC_HIGHATOMIC | PG_ALLOC_OOM)

/* Types that have pcp lists and merge with each other at and above the pageblock. */
static inline bool pg_type_mergeable(uint32_t type)
{
	return type < PAGUS_HIGHATOMIC;
}

/* ---- lock: one hold of a zone's lock --------------------------------------------------------- */

static inline void pg_zone_lock(struct pg_call *c, struct pg_zone *z, enum pagus_lock_reason why)
{
	c->p->port->lock(c->p->port_ctx, PAGUS_LOCK_ZONE, z->id, why);
}

static inline bool pg_zone_trylock(struct pg_call *c, struct pg_zone *z,
				   enum pagus_lock_reason why)
{
	return c->p->port->trylock(c->p->port_ctx, PAGUS_LOCK_ZONE, z->id, why);
}

/* For a request with these ALLOC_* flags: false if it may not wait and would have to. */
static inline bool pg_zone_lock_for(struct pg_call *c, struct pg_zone *z, uint32_t flags,
				    enum pagus_lock_reason why)
{
	if (pg_unlikely(flags & PG_ALLOC_TRYLOCK))
		return pg_zone_trylock(c, z, why);
	pg_zone_lock(c, z, why);
	return true;
}

static inline void pg_zone_unlock(struct pg_call *c, struct pg_zone *z)
{
	uint32_t work = z->work;

	z->work = 0;
	c->p->port->unlock(c->p->port_ctx, PAGUS_LOCK_ZONE, z->id, work);
}

/* ---- account.c: the only writers of a zone's page counts -------------------------------------- */

/* `pages` entered (or, negative, left) the free lists of `type`. */
void pg_account(const struct pg_call *c, struct pg_zone *z, int64_t pages, uint32_t type);

/* Add a CPU's delta to the zone's shared count. */
void pg_account_fold(struct pagus_state *st, struct pg_zone *z, uint32_t cpu);

/* ---- migratetype.c: the only readers and writers of block types -------------------------------- */

uint32_t pg_block_type(const struct pagus_state *st, uint32_t i);

/*
 * The zone whose the pageblock that begins at `start` is: that of its first page that is memory;
 * PG_NO_ZONE if none is.
 */
uint32_t pg_block_zone(const struct pagus_state *st, uint32_t start);

/* The type that an isolated pageblock goes back to; of any other its type. */
uint32_t pg_block_under(const struct pagus_state *st, uint32_t i);

/* What compaction has found of a pageblock lately. Needs no lock; a hint may be lost. */
enum pg_hint {
	PG_HINT_SKIP = 0x08,  /* scanned, and of no use */
	PG_HINT_STUCK = 0x80, /* it could not be emptied wholly: of no use to compaction by choice */
};
bool pg_block_hint(const struct pagus_state *st, uint32_t i, enum pg_hint hint);
void pg_block_set_hint(struct pagus_state *st, uint32_t i, uint32_t hints, bool set);

/* Every pageblock is movable until it is claimed. */
void pg_block_init(struct pagus_state *st);

/*
 * Set the type of the 2^order pages' pageblocks, at least one, to what it really is by
 * pg_effective_type. Free blocks stay on their lists.
 */
void pg_block_set_type(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type);

/*
 * The isolated pageblock of page i gets back the type that it had. Free blocks stay on their lists;
 * the caller sees to it that no buddies are left apart.
 */
void pg_block_unisolate(struct pg_call *c, uint32_t i);

/*
 * Is there memory enough to group by mobility, or was it told to or not to? No type and no list
 * changes: pageblocks become unmovable one by one as requests claim them.
 */
void pg_mobility_setup(struct pagus_state *st);

/*
 * The same when memory has come or gone and zonelists are built: by managed pages above the high
 * marks (nr_free_zone_pages).
 */
void pg_mobility_update(struct pagus_state *st);

/* The pageblock of page i, which is no memory any more, is as it was before it was. */
void pg_block_reset(struct pagus_state *st, uint32_t i, uint32_t type);

/*
 * The type that a request or a block really gets: with mobility grouping off, everything ordinary
 * is unmovable.
 */
uint32_t pg_effective_type(const struct pagus_state *st, uint32_t type);

/* ---- buddy.c ----------------------------------------------------------------------------- */

/*
 * Free the block i into the lists, merging. A block above the pageblock is freed in pageblocks,
 * each under its own type. To the head, or to the tail where a larger merge is likely; always to
 * the tail with PG_TAIL.
 */
void pg_buddy_free(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
		   enum pg_end end);

/* Put off freeing the block i, which is nobody's; where there are page records. */
void pg_zone_defer(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order);

/*
 * Free what has been put off for want of the zone's lock, which is held now, the last first; with
 * maps, take in what was freed without it.
 */
void pg_free_deferred(struct pg_call *c, struct pg_zone *z, enum pg_end end);

/* Free the block i, not above the pageblock, to the lists of a type that is remembered. */
void pg_buddy_free_as(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
		      uint32_t type);

/* Is the buddy of the free block i free too, and of a type that merges with i's? */
bool pg_buddy_apart(const struct pagus_state *st, uint32_t i, uint32_t order);

/*
 * Take i, the free block of order `from` on `type`'s list, cut to `to`; the rest onto `rest`'s
 * lists.
 */
void pg_buddy_cut(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t to, uint32_t rest);

/*
 * Put i, a free block on `from`'s list, onto the tail of `to`'s, with the counts. Its pageblock's
 * type stays.
 */
void pg_buddy_move(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t from, uint32_t to);

/* ---- watermark.c --------------------------------------------------------------------------- */

/* Recompute min_free_kbytes unless set, the marks, reserves and pcp limits of all zones. */
void pg_watermark_setup(struct pagus_state *st);

/*
 * The same after memory has come or gone, while others read them: min_free_kbytes is chosen anew,
 * unless what was set is more (init_per_zone_wmark_min), from all managed pages, as at first. What
 * pcps are to be limited by is computed and not published: pg_pcp_publish_limits.
 */
void pg_watermark_replan(struct pg_call *c);

/* pcp limits alone, while others work with them: computed from the marks, and not published. */
void pg_watermark_plan_pcp_limits(const struct pagus_state *st, struct pg_zone *z);

/* The same, and published, while nobody else works: from the marks as they are, or as given. */
void pg_watermark_pcp_limits(struct pagus_state *st, struct pg_zone *z);
void pg_watermark_set_pcp_limits(struct pagus_state *st, struct pg_zone *z, uint32_t high_min,
				 uint32_t high_max, uint32_t batch);

/*
 * The high mark and the largest reserve of every zone of the node, at most its managed pages: the
 * sum; of all nodes with PAGUS_NO_NODE.
 */
uint64_t pg_watermark_totalreserve(const struct pagus_state *st, uint32_t node);

/*
 * How far one CPU's count of the zone's free pages may be off before it is added to the shared one
 * (calculate_normal_threshold). And the free pages below which kswapd must count exactly, because
 * all CPUs together may hide the distance from low to min; 0 where they cannot
 * (percpu_drift_mark, refresh_zone_stat_thresholds).
 */
uint32_t pg_watermark_stat_threshold(const struct pagus_state *st, const struct pg_zone *z);
uint64_t pg_watermark_drift_mark(const struct pagus_state *st, const struct pg_zone *z);

/*
 * What the test below weighs: free pages less those that the request may not count, against the mark
 * as its rights lower it and the reserve for lower zones.
 */
struct pg_weight {
	int64_t free, unusable, min, reserve;
};
struct pg_weight pg_watermark_weigh(const struct pagus_state *st, const struct pg_zone *z,
				    uint32_t order, uint64_t mark, uint32_t highest, uint32_t flags,
				    int64_t free);

/*
 * Where counts drift: how far each CPU's may, by the kernel's formula; closer together, on zones where
 * drift could hide that the min mark is reached, while the node's kswapd works. For zones of `node`,
 * or of all with PAGUS_NO_NODE.
 */
void pg_watermark_set_thresholds(struct pagus_state *st, uint32_t node, bool pressure);

/* Free pages for kswapd's own test: exact where the count that marks see is too near to them. */
int64_t pg_watermark_safe_free(const struct pagus_state *st, const struct pg_zone *z);

/*
 * May a request of `order` with `flags` and highest zone `highest` take from this zone and leave
 * `mark` pages? Also false if no block large enough is there. Reads without the zone's lock.
 */
bool pg_watermark_ok(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
		     uint64_t mark, uint32_t highest, uint32_t flags);

/* The same if `free` pages were free: what reclaim could achieve, or a count that is more exact. */
bool pg_watermark_ok_with(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
			  uint64_t mark, uint32_t highest, uint32_t flags, int64_t free);

/*
 * A request comes to the zone: may it take, at the mark that its flags name? Remembers that the
 * zone was seen below its high mark.
 */
bool pg_zone_visit(const struct pagus_state *st, struct pg_zone *z, uint32_t order,
		   uint32_t highest, uint32_t flags);

static inline uint64_t pg_mark(const struct pg_zone *z, uint32_t which)
{
	return pg_read(z->wmark[which]) + pg_read(z->boost);
}

/* From the min to the low mark. While both are set anew they may be the wrong way round: 0. */
static inline uint64_t pg_mark_gap(const struct pg_zone *z)
{
	uint64_t min = pg_read(z->wmark[PAGUS_WMARK_MIN]), low = pg_read(z->wmark[PAGUS_WMARK_LOW]);

	return low > min ? low - min : 0;
}

/*
 * Types are about to mix in the zone: raise its marks by a pageblock, so that kswapd frees some more
 * before it mixes again, up to watermark_boost_factor of the high mark. A request that may wake
 * kswapd leaves the zone marked for it.
 */
void pg_watermark_boost(const struct pg_call *c, struct pg_zone *z, uint32_t flags);

/* ---- fragment.c ---------------------------------------------------------------------------- */

/*
 * Free pages and blocks of a zone, or of all with UINT32_MAX, and how many blocks of `order` could be
 * cut from them.
 */
struct pg_free_sum {
	uint64_t pages, blocks, suitable;
};
struct pg_free_sum pg_free_sum(const struct pagus_state *st, uint32_t zone, uint32_t order);

/*
 * Would a request of `order` fail for want of memory, near 0, or because it is scattered, near 1000?
 * -1000: it would not fail.
 */
int32_t pg_extfrag_index(const struct pagus_state *st, uint32_t zone, uint32_t order);

/* Of the free pages, those that are in blocks below `order`, in percent; 0 if none is free. */
uint32_t pg_extfrag_percent(const struct pagus_state *st, uint32_t zone, uint32_t order);

/* Free pages in whole free pageblocks; with isolated ones in the zone maybe fewer than there are. */
uint64_t pg_free_in_blocks(const struct pagus_state *st, const struct pg_zone *z);

/* ---- zonelist.c ---------------------------------------------------------------------------- */

/* Build both zonelists of every node, of zones with memory. Others may walk the former ones. */
void pg_zonelist_build(struct pg_call *c);

#endif
