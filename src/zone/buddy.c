/* SPDX-License-Identifier: MIT */
/*
 * The buddy system. A block of order o starts at a multiple of 2^o pages; its buddy is the block of
 * the same order with bit o of the page number flipped. Two free buddies become one block of the
 * next order.
 *
 *     free page 5, pages 4, 6-7 and 0-3 being free:   4 5 | 6 7   0 1 2 3
 *     5 and 4 -> 4-5,  4-5 and 6-7 -> 4-7,  4-7 and 0-3 -> 0-7, and so on up to the largest order
 *
 * Inside a pageblock both buddies are of one type, since a free block lies on its pageblock's list.
 * From the pageblock up, ordinary types merge and the merged block takes the type of the block
 * being freed; HIGHATOMIC, CMA and ISOLATE merge with their own kind alone. Merges stop at zone
 * borders.
 */
#include "zone/zone.h"

#include "mem/release.h"
#include "mem/stack.h"
#include "zone/owner.h"
#include "zone/remote.h"
#include "zone/superpageblock.h"

/*
 * True if the block i of `order` would merge again as soon as its own buddy is freed: then it goes
 * to the tail, to be handed out late. Only up to two below the largest order, where that saves a
 * merge.
 */
static bool merge_likely(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
			 uint32_t order)
{
	uint32_t parent = i & ~(1u << order);

	if (order + 1 >= st->max_order)
		return false;
	return pg_store_holds(st, z, pg_buddy(parent, order + 1), order + 1);
}

bool pg_buddy_apart(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	uint32_t buddy = pg_buddy(i, order), type, buddy_type;

	if (order >= st->max_order || !pg_store_holds(st, pg_zone_of(st, i), buddy, order))
		return false;
	type = pg_block_type(st, i);
	buddy_type = pg_block_type(st, buddy);
	return type == buddy_type || (pg_type_mergeable(type) && pg_type_mergeable(buddy_type));
}

/* Nobody who waits for a block is to have one of a pageblock that is kept for something else. */
static bool may_capture(uint32_t type)
{
	return type != PAGUS_CMA && type != PAGUS_ISOLATE;
}

/*
 * Is it what a compaction of this call waits for? A movable pageblock is not made mixed for that.
 * (compaction_capture)
 */
static bool waited_for(const struct pg_call *c, const struct pg_zone *z, uint32_t i, uint32_t order,
		       uint32_t type)
{
	struct pg_capture *capture = c->capture;

	if (pg_likely(!capture) || capture->i != PG_NONE || capture->order != order ||
	    capture->zone != z->id)
		return false;
	if (order < c->st->pageblock_order && type == PAGUS_MOVABLE &&
	    capture->type != PAGUS_MOVABLE)
		return false;
	capture->i = i;
	return true;
}

static bool captured(const struct pg_call *c, const struct pg_zone *z, uint32_t i, uint32_t order,
		     uint32_t type)
{
	const struct pagus_port *port = c->p->port;
	uint32_t as = PAGUS_UNMOVABLE;

	if (waited_for(c, z, i, order, type))
		as = c->capture->type;
	else if (!port->capture || !port->capture(c->p->port_ctx, pg_pfn(c->st, i), order))
		return false;
	if (pg_mapped(c->st)) {
		pg_map_grant(c->st, i, order, as);
		return true;
	}
	pg_page_set(pg_page(c->st, i), PAGUS_PAGE_ALLOCATED, order, 0);
	return true;
}

/*
 * The block i of `type` and its buddy, of another ordinary type, become one: the buddy's pageblocks
 * take the type. Without grouping by mobility that is unmovable, whatever the block's was, so its
 * own pageblocks take it too. Returns the type of both.
 */
static uint32_t unite_types(struct pg_call *c, uint32_t i, uint32_t buddy, uint32_t order,
			    uint32_t type)
{
	type = pg_effective_type(c->st, type);
	pg_block_set_type(c, buddy, order, type);
	pg_block_set_type(c, i, order, type);
	return type;
}

static void free_one(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
		     uint32_t type, enum pg_end end)
{
	struct pagus_state *st = c->st;
	uint32_t freed = i;

	pg_account(c, z, INT64_C(1) << order, type);
	while (order < st->max_order) {
		uint32_t buddy = pg_buddy(i, order);

		if (may_capture(type) && captured(c, z, i, order, type)) {
			pg_account(c, z, -(INT64_C(1) << order), type);
			if (pg_unlikely(st->off_owns))
				pg_own_freed(c, z, freed, order, end);
			return;
		}
		if (!pg_store_holds(st, z, buddy, order))
			break;
		if (order >= st->pageblock_order) {
			uint32_t buddy_type = pg_block_type(st, buddy);

			if (buddy_type != type &&
			    !(pg_type_mergeable(type) && pg_type_mergeable(buddy_type)))
				break;
			pg_store_remove(st, z, buddy);
			if (pg_release(st)->retype_on_merge && buddy_type != type)
				type = unite_types(c, i, buddy, order, type);
		} else {
			pg_store_remove(st, z, buddy);
		}
		pg_count(c, PAGUS_COUNTER_merge, 1);
		i &= buddy;
		order++;
	}
	if (end == PG_HEAD && merge_likely(st, z, i, order))
		end = PG_TAIL;
	if (pg_unlikely(st->off_owns))
		end = pg_own_freed(c, z, freed, order, end);
	pg_store_insert(st, z, i, order, type, end);
}

void pg_buddy_free(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
		   enum pg_end end)
{
	struct pagus_state *st = c->st;
	uint32_t piece = order < st->pageblock_order ? order : st->pageblock_order;

	/* What reaches out of an isolated pageblock is cut, whatever the release. */
	if (!pg_release(st)->free_by_pageblock && !z->nr_isolated)
		piece = order;
	for (uint32_t n = 0; n < 1u << (order - piece); n++) {
		free_one(c, z, i, piece, pg_block_type(st, i), end);
		i += 1u << piece;
	}
	pg_spb_changed(c, z, i - (1u << order), order);
	pg_count(c, PAGUS_COUNTER_zone_free, 1);
}

void pg_zone_defer(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	pg_atomic_add(&z->deferred_pages, 1u << order);
	pg_stack_push(pg_pages(c->st), &z->deferred, i, order);
}

void pg_free_deferred(struct pg_call *c, struct pg_zone *z, enum pg_end end)
{
	uint32_t next, order, pages = 0;

	if (pg_mapped(c->st)) {
		pg_remote_absorb_zone(c, z);
		return;
	}
	for (uint32_t i = pg_stack_take(&z->deferred, PG_NONE); i != PG_NONE; i = next) {
		next = pg_stack_next(pg_pages(c->st), i, &order);
		pg_buddy_free(c, z, i, order, end);
		pages += 1u << order;
	}
	pg_atomic_sub(&z->deferred_pages, pages);
}

void pg_buddy_free_as(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
		      uint32_t type)
{
	/* What is remembered may be from before an isolation. */
	if (pg_unlikely(z->nr_isolated))
		type = pg_block_type(c->st, i);
	free_one(c, z, i, order, type, PG_HEAD);
	pg_count(c, PAGUS_COUNTER_zone_free, 1);
}

void pg_buddy_cut(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t to, uint32_t rest)
{
	struct pagus_state *st = c->st;
	uint32_t from = pg_view(st, i).order;

	pg_store_remove(st, z, i);
	pg_count(c, PAGUS_COUNTER_split, pg_store_split(st, z, i, from, to, rest));
	pg_account(c, z, -(INT64_C(1) << to), rest);
	pg_count(c, PAGUS_COUNTER_zone_take, 1);
}

void pg_buddy_move(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t from, uint32_t to)
{
	int64_t pages = INT64_C(1) << pg_view(c->st, i).order;

	pg_account(c, z, -pages, from);
	pg_store_move(c->st, z, i, to);
	pg_account(c, z, pages, to);
}
