/* SPDX-License-Identifier: MIT */
/*
 * The bitmap store against a naive oracle: three zones, more than 64 * 64 pageblocks, and after
 * random insertions and removals every free block of every order and migratetype, in its order.
 */
#include "store/store.h"
#include "mem/page.h"
#include "unit/unit.h"

#define BLOCK_ORDER 2u
#define NR_PAGES    (38u * 1024) /* sections without memory have none */
#define NR_BLOCKS   (NR_PAGES >> BLOCK_ORDER)
#define NR_ZONES    3u
#define NOT_FREE    UINT8_MAX

/* Free blocks, by their first page, and what a pageblock's are of. */
static uint8_t order_of[NR_PAGES];
static bool covered[NR_PAGES]; /* by a free block */
static uint8_t type_of[NR_BLOCKS];
static uint64_t nr_free[NR_ZONES][PAGUS_NR_ORDERS];

static struct lab lab;
static struct pagus_state *st;
static uint64_t seed;

static uint32_t below(uint64_t limit)
{
	return (uint32_t)lab_random(&seed, limit);
}

static uint32_t page(uint32_t n)
{
	return st->first_page + n;
}

static struct pg_zone *zone_of(uint32_t n)
{
	return pg_zone_of(st, page(n));
}

static bool is_memory(uint32_t n)
{
	return pg_page_zone(st, page(n)) != PG_NO_ZONE;
}

/* ---- changes --------------------------------------------------------------------------------- */

static void note(uint32_t n, uint32_t order, bool is_free)
{
	order_of[n] = is_free ? (uint8_t)order : NOT_FREE;
	for (uint32_t k = 0; k < 1u << order; k++)
		covered[n + k] = is_free;
	nr_free[zone_of(n)->id][order] += is_free ? 1 : UINT64_MAX;
}

static void remove_block(uint32_t n)
{
	pg_bitmap_remove(st, zone_of(n), page(n));
	note(n, order_of[n], false);
}

/* A pageblock's first block sets the type; inside of it two free buddies are one block. */
static void insert_block(uint32_t n, uint32_t order)
{
	uint32_t block = n >> BLOCK_ORDER, type;
	bool any = pg_map(st, page(n))->listed;

	type = any ? type_of[block] : below(PAGUS_NR_MIGRATETYPES);
	while (order < BLOCK_ORDER && order_of[n ^ (1u << order)] == order) {
		remove_block(n ^ (1u << order));
		n &= ~(1u << order);
		order++;
	}
	pg_bitmap_insert(st, zone_of(n), page(n), order, type);
	note(n, order, true);
	type_of[block] = (uint8_t)type;
}

static bool may_insert(uint32_t n, uint32_t order)
{
	for (uint32_t k = 0; k < 1u << order; k++)
		if (covered[n + k] || !is_memory(n + k) || zone_of(n + k) != zone_of(n))
			return false;
	return true;
}

static void change(void)
{
	uint32_t order = below(8) ? below(BLOCK_ORDER) : below(st->max_order + 1);
	uint32_t n = below(NR_PAGES >> order) << order;

	if (order_of[n] != NOT_FREE && below(2))
		remove_block(n);
	else if (order_of[n] != NOT_FREE && order_of[n] < BLOCK_ORDER) {
		uint32_t type = below(PAGUS_NR_MIGRATETYPES);

		pg_bitmap_move(st, zone_of(n), page(n), type);
		type_of[n >> BLOCK_ORDER] = (uint8_t)type;
	} else if (may_insert(n, order))
		insert_block(n, order);
}

/* ---- comparison ------------------------------------------------------------------------------ */

/* Each list gives the blocks that the oracle has, by address, and no other. */
static void compare_lists(void)
{
	uint32_t next[NR_ZONES][PAGUS_NR_ORDERS][PAGUS_NR_MIGRATETYPES];

	for (uint32_t id = 0; id < NR_ZONES; id++)
		for (uint32_t order = 0; order <= st->max_order; order++)
			for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
				next[id][order][type] =
					pg_store_first(st, pg_zone(st, id), order, type);
	for (uint32_t n = 0; n < NR_PAGES; n++) {
		uint32_t order = order_of[n], type = type_of[n >> BLOCK_ORDER], *here;

		if (order == NOT_FREE)
			continue;
		here = &next[zone_of(n)->id][order][type];
		assert_int_equal(*here, page(n));
		assert_true(pg_store_any(st, zone_of(n), order, type));
		*here = pg_store_next(st, zone_of(n), *here, order, type);
	}
	for (uint32_t id = 0; id < NR_ZONES; id++)
		for (uint32_t order = 0; order <= st->max_order; order++) {
			assert_int_equal(pg_zone(st, id)->nr_free[order], nr_free[id][order]);
			for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
				assert_int_equal(next[id][order][type], PG_NONE);
		}
}

static void compare_holds(void)
{
	for (uint32_t k = 0; k < 4000; k++) {
		uint32_t order = below(st->max_order + 1), n = below(NR_PAGES >> order) << order;

		if (!is_memory(n))
			continue;
		for (uint32_t id = 0; id < NR_ZONES; id++)
			assert_int_equal(pg_store_holds(st, pg_zone(st, id), page(n), order),
					 zone_of(n)->id == id && order_of[n] == order);
	}
}

/* The pageblock is in the summaries with blocks smaller than itself. */
static bool in_part(const struct pg_map *m)
{
	return m->listed && m->nr_free < 1u << BLOCK_ORDER;
}

static uint32_t free_pages(uint32_t block)
{
	uint32_t pages = 0;

	for (uint32_t n = 0; n < 1u << BLOCK_ORDER; n++)
		pages += covered[(block << BLOCK_ORDER) + n];
	return pages;
}

/* All pageblocks in part free leave their zones, and come back with other migratetypes. */
static void retype_all(void)
{
	static bool left[NR_BLOCKS];

	for (uint32_t block = 0; block < NR_BLOCKS; block++) {
		struct pg_map *m = pg_map_at(st, block);

		left[block] = in_part(m);
		if (!left[block])
			continue;
		assert_int_equal(pg_bitmap_remove_all(st, zone_of(block << BLOCK_ORDER), m),
				 free_pages(block));
		assert_int_equal(m->listed, 0);
		assert_int_equal(m->list_type, PG_MAP_NO_TYPE);
	}
	for (uint32_t id = 0; id < NR_ZONES; id++)
		for (uint32_t order = 0; order < BLOCK_ORDER; order++) {
			assert_int_equal(pg_zone(st, id)->nr_free[order], 0);
			for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
				assert_false(pg_store_any(st, pg_zone(st, id), order, type));
		}
	for (uint32_t block = 0; block < NR_BLOCKS; block++) {
		if (!left[block])
			continue;
		type_of[block] = (uint8_t)below(PAGUS_NR_MIGRATETYPES);
		assert_int_equal(pg_bitmap_add_all(st, zone_of(block << BLOCK_ORDER),
						   pg_map_at(st, block), type_of[block]),
				 free_pages(block));
	}
}

/* One zone lies around the others, another ends in a hole. */
static void open_zones(void)
{
	static const struct pagus_range ranges[] = {
		{ 0, 8 * 1024, 0, PAGUS_ZONE_NORMAL },
		{ 8 * 1024, 8 * 1024, 1, PAGUS_ZONE_NORMAL },
		{ 16 * 1024, 4 * 1024 + 600, 0, PAGUS_ZONE_MOVABLE },
		{ 23 * 1024, 17 * 1024, 0, PAGUS_ZONE_NORMAL },
	};
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "pcpbuddy-bitmap");

	cfg.pageblock_order = BLOCK_ORDER;
	unit_open(&lab, &cfg);
	st = lab.p.state;
	assert_int_equal(st->nr_zones, NR_ZONES);
	assert_int_equal(st->nr_pages, NR_PAGES);
	/* Handed over, and nobody's. */
	for (uint32_t n = 0; n < NR_PAGES; n++) {
		order_of[n] = NOT_FREE;
		if (is_memory(n))
			pg_map_take(st, page(n), 0);
	}
}

static void lists_are_what_was_put_there(void **state)
{
	(void)state;
	seed = unit_seed();
	open_zones();
	compare_lists();
	for (uint32_t round = 0; round < 40; round++) {
		for (uint32_t k = 0; k < (round % 8 == 0 ? 20000 : 1000); k++)
			change();
		compare_lists();
		compare_holds();
		if (round % 8 == 7) {
			retype_all();
			compare_lists();
		}
	}
	/* Empty again, the words above those of the summaries too. */
	for (uint32_t n = 0; n < NR_PAGES; n++)
		if (order_of[n] != NOT_FREE)
			remove_block(n);
	compare_lists();
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);
		uint64_t words = pg_summary_words(z->end_block - z->first_block);

		for (uint64_t n = 0; n < PG_NR_FREE_HEADS * words; n++)
			assert_true(pg_summary(st, z, 0, 0)[n] == 0);
		/* Its lock guards no word of another zone. */
		if (id + 1 < st->nr_zones)
			assert_true(pg_summary(st, z, 0, 0) + PG_NR_FREE_HEADS * words <=
				    pg_summary(st, pg_zone(st, id + 1), 0, 0));
	}
	lab_close(&lab);
}

/* A single block far behind is found past empty words, and from behind it nothing. */
static void one_block_is_found_wherever_it_is(void **state)
{
	static const uint32_t blocks[] = { 0, 1, 63, 64, 65, 2047, 5100, 5376, 6400, 9471,
					   NR_BLOCKS - 1 };

	(void)state;
	open_zones();
	for (size_t k = 0; k < NR_OF(blocks); k++)
		for (uint32_t order = 0; order <= BLOCK_ORDER; order++) {
			uint32_t n = (blocks[k] << BLOCK_ORDER) + (order == 0 ? 3 : 0);
			struct pg_zone *z = zone_of(n);

			pg_bitmap_insert(st, z, page(n), order, PAGUS_MOVABLE);
			for (uint32_t id = 0; id < NR_ZONES; id++)
				assert_int_equal(pg_store_first(st, pg_zone(st, id), order,
								PAGUS_MOVABLE),
						 id == z->id ? page(n) : PG_NONE);
			assert_int_equal(pg_store_next(st, z, page(n), order, PAGUS_MOVABLE),
					 PG_NONE);
			assert_false(pg_store_any(st, z, order, PAGUS_UNMOVABLE));
			assert_false(pg_store_any(st, z, order + 1, PAGUS_MOVABLE));
			pg_bitmap_remove(st, z, page(n));
			assert_false(pg_store_any(st, z, order, PAGUS_MOVABLE));
		}
	lab_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_what_was_put_there),
		cmocka_unit_test(one_block_is_found_wherever_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
