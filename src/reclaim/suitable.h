/* SPDX-License-Identifier: MIT */
/* Compaction as those see it that may want it: what it came to, and whether it is worth it. */
#ifndef PG_RECLAIM_SUITABLE_H
#define PG_RECLAIM_SUITABLE_H

#include "watch/event.h"
#include "zone/zone.h"

#define PG_COMPACT_COSTLY 3u /* PAGE_ALLOC_COSTLY_ORDER */
#define PG_COMPACT_WHOLE  UINT32_MAX /* in place of an order: the whole zone */

/* What a run came to: of several zones the largest counts (enum compact_result). */
enum pg_compacted {
	PG_COMPACTED_NOT_SUITABLE, /* for want of memory rather than its scattering: inside alone */
	PG_COMPACTED_SKIPPED,      /* too little is free to move to */
	PG_COMPACTED_DEFERRED,
	PG_COMPACTED_NO_PAGE,      /* not yet a block that serves: inside alone */
	PG_COMPACTED_CONTINUE,     /* inside alone */
	PG_COMPACTED_COMPLETE,     /* the scanners met, having begun at the zone's ends */
	PG_COMPACTED_PARTIAL,      /* they met, having begun in between */
	PG_COMPACTED_CONTENDED,
	PG_COMPACTED_SUCCESS
};

/* An event whose first value is a result (COMPACT_SUITABLE, COMPACT_FINISHED). */
static inline void pg_compacted_tell(const struct pg_call *c, enum pagus_event_id id,
				     const struct pg_zone *z, uint32_t order,
				     enum pg_compacted result)
{
	if (pg_event_wanted(c, id))
		pg_event_raise(c, id, z->id, PAGUS_NO_PFN, order, 0, result, 0);
}

/* Pages that compaction for `order` wants free above a mark: sources and targets. (compact_gap) */
static inline uint64_t pg_compact_gap(uint32_t order)
{
	return UINT64_C(2) << order;
}

/*
 * Could compaction for `order` work in the zone if `free` pages were free, and leave `mark`? At
 * least as strict as what pg_take_free asks for a block of that order. (compaction_suitable without
 * its index)
 */
bool pg_compact_room(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
		     uint64_t mark, uint32_t highest, int64_t free);

/* The free pages that marks see. */
static inline int64_t pg_seen_free(const struct pg_zone *z)
{
	int64_t seen = pg_read(z->free_pages) - pg_read(z->unfolded);

	return seen > 0 ? seen : 0;
}

/* Who would compact. */
struct pg_suit {
	uint32_t order, highest;
	uint32_t flags; /* PG_ALLOC_*: the mark, and the right to CMA pageblocks */
	bool async;
	bool daemon;    /* with vm.defrag_mode only whole free pageblocks count for it */
};

/*
 * SUCCESS: there is a block already. SKIPPED: compaction could not work; NOT_SUITABLE: it would not
 * help. CONTINUE: it is worth it. (compaction_suit_allocation_order)
 */
enum pg_compacted pg_compact_suits(const struct pagus_state *st, const struct pg_zone *z,
				   const struct pg_suit *who);

/* The same, and told, unless there is a block already. */
enum pg_compacted pg_compact_judge(const struct pg_call *c, const struct pg_zone *z,
				   const struct pg_suit *who);

#endif
