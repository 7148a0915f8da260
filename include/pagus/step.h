/* SPDX-License-Identifier: MIT */
/*
 * Single steps of the allocator, for checking it against a recorded kernel: where a recording tells
 * what happened in which order at a finer grain than whole requests, each step is made by itself
 * and its outcome compared. The steps are the library's own code, called one at a time. `flags` are
 * the kernel's ALLOC_* flags as numbered by Linux 6.18.
 *
 * The acting CPU is the port's; the instance must be otherwise idle. A step that would need a page
 * in another state than it has returns BUSY and changes nothing; a zone, CPU, order or type that is
 * none gives BAD_VALUE, or what pagus_free_pages would say of the block. Under policies that keep
 * pages in maps (pcpbuddy-bitmap) there are no lists to step along: UNSUPPORTED, but of
 * pagus_step_set_type, pagus_step_move_free and what is about a zone's marks and flags. Without grouping by
 * mobility (enum pagus_grouping) every ordinary type given is taken for unmovable.
 */
#ifndef PAGUS_STEP_H
#define PAGUS_STEP_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Per-CPU counting of free pages: this CPU's delta, and the zone's threshold (the same for all its
 * CPUs).
 */
enum pagus_status pagus_step_drift(struct pagus *p, uint32_t zone, uint32_t cpu, int32_t delta,
				   uint32_t threshold);

/* The zone as watermarks see it: free pages without the CPUs' deltas. */
int64_t pagus_step_seen_free(const struct pagus *p, uint32_t zone);

/* Set the marks with their boost, and one CPU's pcp limits, as recorded to have changed. */
enum pagus_status pagus_step_marks(struct pagus *p, uint32_t zone, const uint64_t *wmark,
				   uint64_t boost);
enum pagus_status pagus_step_limits(struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t high_min,
				    uint32_t high_max, uint32_t batch);

/* What a zone remembers between requests. */
enum pagus_step_flag {
	PAGUS_STEP_RECLAIM_ACTIVE, /* kswapd works on the zone: pcps shrink */
	PAGUS_STEP_BELOW_HIGH,     /* an allocation found the zone below its high mark: pcps do not grow */
};
bool pagus_step_flag(const struct pagus *p, uint32_t zone, enum pagus_step_flag flag);
void pagus_step_set_flag(struct pagus *p, uint32_t zone, enum pagus_step_flag flag, bool on);

/* kswapd's runs in a row that reclaimed nothing: at 16 it gives the node up. */
void pagus_step_kswapd_failures(struct pagus *p, uint32_t node, uint32_t failures);

/*
 * A run of the node's kswapd over zone types up to `highest` begins, or ends: the zones are under
 * reclaim meanwhile, and at the end lose the boosts that stood at the beginning.
 */
enum pagus_status pagus_step_kswapd(struct pagus *p, uint32_t node, uint32_t highest, bool begins);

/*
 * Pop a block off the acting CPU's pcp list: NO_MEMORY if it is empty. `quiet`: a bulk caller,
 * which does not halve free_count.
 */
enum pagus_status pagus_step_pop(struct pagus *p, uint32_t zone, uint32_t order, uint32_t type,
				 bool quiet, pagus_pfn_t *pfn);

/* Refill the acting CPU's empty pcp list; ZONE_LOCKED and EXTFRAG events tell what came. */
enum pagus_status pagus_step_refill(struct pagus *p, uint32_t zone, uint32_t order, uint32_t type,
				    uint32_t flags);

/*
 * A refill in its parts. One hold of the zone lock, in which one block after the other is taken:
 * zero `resume` at its start. `direct`: for the requester itself, not for a pcp list.
 */
struct pagus_step_hold {
	uint32_t order, type, flags;
	bool direct;
	uint32_t resume;
};

/*
 * How many blocks a refill of the acting CPU's list would ask for; the pcp remembers that it asked.
 */
enum pagus_status pagus_step_ask(struct pagus *p, uint32_t zone, const struct pagus_step_hold *hold,
				 uint32_t *blocks);

/* Take the next block of a hold: NO_MEMORY if no pass serves. It belongs to somebody now. */
enum pagus_status pagus_step_take_next(struct pagus *p, uint32_t zone, struct pagus_step_hold *hold,
				       pagus_pfn_t *pfn);

/* The free block that the hold would look at first to go on; NO_PFN if there is none. */
pagus_pfn_t pagus_step_look(struct pagus *p, uint32_t zone, const struct pagus_step_hold *hold);

/*
 * Put a block that is not free on the acting CPU's pcp list for such requests: on its tail, as a
 * refill does, or on its head.
 */
enum pagus_status pagus_step_keep(struct pagus *p, pagus_pfn_t pfn, uint32_t order, uint32_t type,
				  bool to_tail);

/*
 * A request comes to a zone: is the mark that its flags name met? Where the HIGH mark is not, the
 * zone remembers that.
 */
bool pagus_step_visit(struct pagus *p, uint32_t zone, uint32_t order, enum pagus_zone_type highest,
		      uint32_t flags);

/* Take a block straight from the zone: NO_MEMORY if no pass serves. */
enum pagus_status pagus_step_take(struct pagus *p, uint32_t zone, uint32_t order, uint32_t type,
				  uint32_t flags, pagus_pfn_t *pfn);

/*
 * Set the pageblock of a block that was taken with ALLOC_HIGHATOMIC aside, if more may be: a RETYPE
 * event tells.
 */
enum pagus_status pagus_step_reserve(struct pagus *p, pagus_pfn_t pfn, uint32_t order);

/*
 * Which pageblock a zone's reserve would give back next, and giving it back, to `type`: NO_MEMORY if it
 * has none to give.
 */
enum pagus_status pagus_step_next_reserved(const struct pagus *p, uint32_t zone, pagus_pfn_t *pfn);
enum pagus_status pagus_step_unreserve(struct pagus *p, uint32_t zone, uint32_t type);

/*
 * Push a block that is not free onto the acting CPU's pcp list of its pageblock. *list: where it
 * went; *over: pages that are to be drained now, 0 unless may_drain (a free that may not wait for
 * locks leaves the pcp as it is).
 */
enum pagus_status pagus_step_push(struct pagus *p, pagus_pfn_t pfn, uint32_t order, bool may_drain,
				  uint32_t *list, uint32_t *over);

/*
 * Drain one piece of `pages` pages from a pcp, beginning at `list`; PCPU_DRAIN events tell which.
 */
enum pagus_status pagus_step_drain(struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t pages,
				   uint32_t list);

/* The drains for being over the limits are done: clear below-high if the zone is above its mark. */
void pagus_step_settle(struct pagus *p, uint32_t zone);

/*
 * The vmstat tick in its parts: fold the acting CPU's deltas; let one pcp decay, *over as in a
 * push.
 */
void pagus_step_fold(struct pagus *p);
enum pagus_status pagus_step_decay(struct pagus *p, uint32_t zone, uint32_t *over);

/* Free a block that is not free straight into the zone; to the tails of lists if `to_tail`. */
enum pagus_status pagus_step_free(struct pagus *p, pagus_pfn_t pfn, uint32_t order, bool to_tail);

/*
 * Take the free block at pfn off its list, without an allocation. BUSY if it is not a free block of
 * the order.
 */
enum pagus_status pagus_step_isolate(struct pagus *p, pagus_pfn_t pfn, uint32_t order);

/* Change the type of pfn's pageblock; move its free blocks to the tails of a type's lists. */
enum pagus_status pagus_step_set_type(struct pagus *p, pagus_pfn_t pfn,
				      enum pagus_migratetype type);
enum pagus_status pagus_step_move_free(struct pagus *p, pagus_pfn_t pfn,
				       enum pagus_migratetype from, enum pagus_migratetype to);

/* ---- repairs, where the state is seen to differ from the recorded kernel's ------------------- */

/*
 * The inverse of a take from the list of `type`: free a block that was taken, to the head of the
 * list that it merges onto.
 */
enum pagus_status pagus_step_put_back(struct pagus *p, pagus_pfn_t pfn, uint32_t order,
				      uint32_t type);

/* Move a free block to the head of its list. O(list). */
enum pagus_status pagus_step_to_head(struct pagus *p, pagus_pfn_t pfn, uint32_t order);

/*
 * The block that a pop from this pcp list would give; the one that a drain beginning at this list
 * would. NO_PFN if there is none.
 */
pagus_pfn_t pagus_step_first(const struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t list);
pagus_pfn_t pagus_step_last(const struct pagus *p, uint32_t zone, uint32_t cpu, uint32_t list);

/* Where a block is on a pcp list. BUSY if it is on none. O(depth). */
struct pagus_step_place {
	uint32_t cpu, list;
	uint64_t depth; /* blocks before it */
};
enum pagus_status pagus_step_find_cached(const struct pagus *p, pagus_pfn_t pfn,
					 struct pagus_step_place *place);

/* Take a block off its pcp list: it belongs to somebody now. */
enum pagus_status pagus_step_uncache(struct pagus *p, pagus_pfn_t pfn);

/* Set what a pcp remembers. */
enum pagus_status pagus_step_tune(struct pagus *p, uint32_t zone, uint32_t cpu,
				  const struct pagus_pcp_seed *seed);

/* Rotate the free list that the block at pfn is on so that this block comes first. O(list). */
enum pagus_status pagus_step_rotate(struct pagus *p, pagus_pfn_t pfn, uint32_t order);

#ifdef __cplusplus
}
#endif

#endif
