/* SPDX-License-Identifier: MIT */
#include "contig/take.h"

#include "pcp/maps.h"
#include "place/place.h"
#include "zone/owner.h"
#include "zone/superpageblock.h"

/* The first page of a block of movable content, or of none. */
static void set_block(struct pagus_state *st, uint32_t i, uint32_t order, uint32_t kind)
{
	struct pg_page *page = pg_page(st, i);

	pg_page_set(page, kind, order, kind == PAGUS_PAGE_ALLOCATED ? PAGUS_MOVABLE : 0);
}

static void hand_out(struct pagus_state *st, uint32_t i, uint32_t order)
{
	if (pg_mapped(st))
		pg_map_grant(st, i, order, PAGUS_MOVABLE);
	else
		set_block(st, i, order, PAGUS_PAGE_ALLOCATED);
}

/* Whoever takes pages for movable content makes room for such, with what else is free there. */
static void make_movable(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	uint32_t pages = 1u << c->st->pageblock_order, end = i + (1u << order);

	for (i = pg_block_start(c->st, i); i < end; i += pages) {
		const uint32_t type = pg_block_type(c->st, i);

		if (!pg_type_mergeable(type) || type == pg_effective_type(c->st, PAGUS_MOVABLE))
			continue;
		pg_claim_move(c, z, i, pg_effective_type(c->st, PAGUS_MOVABLE));
		pg_block_set_type(c, i, 0, PAGUS_MOVABLE);
	}
}

int pg_take_free(struct pg_call *c, struct pg_zone *z, uint32_t i)
{
	const struct pg_view look = pg_view(c->st, i);
	const uint32_t order = look.order;
	uint32_t type;

	if (look.kind != PAGUS_PAGE_FREE || look.zone != z->id)
		return -1;
	type = pg_block_type(c->st, i);
	if (type != PAGUS_ISOLATE &&
	    !pg_watermark_ok(c->st, z, 0, pg_read(z->wmark[PAGUS_WMARK_MIN]) + (UINT64_C(1) << order), 0,
			     PG_ALLOC_CMA))
		return -1;
	pg_buddy_cut(c, z, i, order, type);
	hand_out(c->st, i, order);
	if (order + 1 >= c->st->pageblock_order)
		make_movable(c, z, i, order);
	pg_spb_changed(c, z, i, order);
	return (int)order;
}

void pg_take_cut(struct pg_call *c, uint32_t i, uint32_t from, uint32_t to)
{
	if (pg_mapped(c->st)) {
		pg_maps_split(c, i, from, to);
		return;
	}
	for (uint32_t k = 0; k < 1u << (from - to); k++)
		set_block(c->st, i + (k << to), to, PAGUS_PAGE_ALLOCATED);
}

/* A CPU may have adopted the pageblock for what else was free in it: then these pages are its too. */
static void give_back(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
		      enum pg_end end)
{
	if (!pg_mapped(c->st)) {
		set_block(c->st, i, 0, PAGUS_PAGE_TAIL);
	} else if (pg_owner(c->st, i)) {
		pg_maps_defer(c, i, order);
		return;
	} else {
		pg_map_take(c->st, i, order);
	}
	pg_buddy_free(c, z, i, order, end);
}

void pg_take_return(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	give_back(c, z, i, order, PG_HEAD);
}

void pg_take_return_tail(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	give_back(c, z, i, order, PG_TAIL);
}
