/* SPDX-License-Identifier: MIT */
/* The list store; and, for instances that keep maps, the way to the bitmap store. */
#include "store/store.h"

void pg_store_insert(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t order,
		     uint32_t type, enum pg_end end)
{
	struct pg_page *pages = pg_pages(st);
	uint32_t list = pg_store_list(z, order, type);

	if (pg_mapped(st)) {
		pg_bitmap_insert(st, z, i, order, type);
		return;
	}
	PG_ASSERT(pg_page_kind(&pages[i]) == PAGUS_PAGE_TAIL && pages[i].zone == z->id);
	PG_ASSERT_SLOW((i & ((1u << order) - 1)) == 0);
	pg_page_set(&pages[i], PAGUS_PAGE_FREE, order, 0);
	if (end == PG_HEAD)
		pg_list_add_head(pages, list, i);
	else
		pg_list_add_tail(pages, list, i);
	pg_write(z->nr_free[order], z->nr_free[order] + 1);
	z->work++;
}

void pg_store_remove(struct pagus_state *st, struct pg_zone *z, uint32_t i)
{
	struct pg_page *pages = pg_pages(st);

	if (pg_mapped(st)) {
		pg_bitmap_remove(st, z, i);
		return;
	}
	PG_ASSERT(pg_page_kind(&pages[i]) == PAGUS_PAGE_FREE && z->nr_free[pg_page_order(&pages[i])] > 0);
	pg_list_del(pages, i);
	pg_write(z->nr_free[pg_page_order(&pages[i])], z->nr_free[pg_page_order(&pages[i])] - 1);
	pg_page_to_tail(&pages[i]);
	z->work++;
}

void pg_store_move(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t type)
{
	struct pg_page *pages = pg_pages(st);

	if (pg_mapped(st)) {
		pg_bitmap_move(st, z, i, type);
		return;
	}
	PG_ASSERT(pg_page_kind(&pages[i]) == PAGUS_PAGE_FREE);
	pg_list_del(pages, i);
	pg_list_add_tail(pages, pg_store_list(z, pg_page_order(&pages[i]), type), i);
	z->work++;
}

bool pg_store_is_reported(const struct pagus_state *st, uint32_t i)
{
	return pg_mapped(st) ? pg_map(st, i)->reported : pg_page_type(pg_page(st, i));
}

void pg_store_mark_reported(struct pagus_state *st, uint32_t i)
{
	if (pg_mapped(st))
		pg_map(st, i)->reported = 1;
	else
		pg_page_set_type(pg_page(st, i), 1);
}

uint32_t pg_store_split(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t from,
			uint32_t to, uint32_t type)
{
	PG_ASSERT(from >= to && from <= st->max_order);
	for (uint32_t order = from; order-- > to;)
		pg_store_insert(st, z, i + (1u << order), order, type, PG_HEAD);
	return from - to;
}
