/* SPDX-License-Identifier: MIT */
/*
 * The bitmap store. A free block below the pageblock is an aligned run of bits in the map of its
 * pageblock; one of a pageblock or more stands in the record of its first pageblock. `listed` of a
 * record tells in which summaries it is: bit o, with free blocks of exactly order o, all of them of
 * `list_type`.
 */
#include "store/store.h"

#include "mem/superpageblock.h"

/* Where a pageblock stands in the summaries of its zone. */
struct place {
	uint64_t *bits, *above; /* the words, and which of them are not zero */
	uint32_t block, word;
};

static struct place find_place(const struct pagus_state *st, const struct pg_map *m, uint32_t order)
{
	const struct pg_zone *z = pg_zone(st, m->zone);
	struct place at = { .bits = pg_summary(st, z, order, m->list_type),
			    .block = pg_map_block(st, m) - z->first_block };

	at.above = at.bits + pg_summary_above(z);
	at.word = at.block / 64;
	return at;
}

static void note_listed(struct pagus_state *st, const struct pg_map *m, uint32_t order, bool in)
{
	if (pg_unlikely(st->superpageblock_order))
		pg_spb_listed(st, pg_zone(st, m->zone), pg_map_start(st, m), order, m->list_type,
			      in);
}

static void enter(struct pagus_state *st, struct pg_map *m, uint32_t order)
{
	struct place at = find_place(st, m, order);

	if (!(m->listed >> order & 1))
		note_listed(st, m, order, true);
	m->listed |= (uint16_t)(1u << order);
	pg_word_store(&at.bits[at.word], at.bits[at.word] | UINT64_C(1) << at.block % 64);
	pg_word_store(&at.above[at.word / 64],
		      at.above[at.word / 64] | UINT64_C(1) << at.word % 64);
}

static void leave(struct pagus_state *st, struct pg_map *m, uint32_t order)
{
	struct place at = find_place(st, m, order);

	m->listed &= (uint16_t)~(1u << order);
	pg_word_store(&at.bits[at.word], at.bits[at.word] & ~(UINT64_C(1) << at.block % 64));
	if (at.bits[at.word] == 0)
		pg_word_store(&at.above[at.word / 64],
			      at.above[at.word / 64] & ~(UINT64_C(1) << at.word % 64));
	note_listed(st, m, order, false);
	if (m->listed == 0)
		m->list_type = PG_MAP_NO_TYPE;
}

/* First set bit at `from` or behind, below `end`; `end` if there is none. */
static uint32_t scan(const uint64_t *bits, uint32_t from, uint32_t end)
{
	for (uint32_t word = from / 64; from < end; word++, from = word * 64) {
		uint64_t here = pg_word_load(&bits[word]) & UINT64_MAX << from % 64;

		if (here) {
			from = word * 64 + (uint32_t)__builtin_ctzll(here);
			return from < end ? from : end;
		}
	}
	return end;
}

/* The first pageblock of the zone, from `from` on, in the summary; the zone's end_block if none. */
static uint32_t next_block(const struct pagus_state *st, const struct pg_zone *z, uint32_t from,
			   uint32_t order, uint32_t type)
{
	const uint64_t *bits = pg_summary(st, z, order, type);
	uint32_t nr_words = pg_summary_above(z);
	const uint64_t *above = bits + nr_words;

	for (from -= z->first_block; from < z->end_block - z->first_block;) {
		uint32_t word = scan(above, from / 64, nr_words), block;

		if (word == nr_words)
			break;
		if (word > from / 64)
			from = word * 64;
		block = scan(bits, from, word * 64 + 64);
		if (block < word * 64 + 64)
			return z->first_block + block;
		from = word * 64 + 64;
	}
	return z->end_block;
}

static uint32_t block_in(const struct pagus_state *st, const struct pg_map *m, uint32_t order,
			 uint32_t bit)
{
	if (order >= st->pageblock_order)
		return bit == 0 ? 0 : UINT32_MAX;
	return pg_map_find_exact(st, m, order, bit);
}

static uint32_t find(const struct pagus_state *st, const struct pg_zone *z, uint32_t from,
		     uint32_t order, uint32_t type)
{
	uint32_t block = next_block(st, z, from, order, type), bit;
	const struct pg_map *m;

	if (block == z->end_block)
		return PG_NONE;
	m = pg_map_at(st, block);
	bit = block_in(st, m, order, 0);
	PG_ASSERT(bit != UINT32_MAX);
	return pg_map_start(st, m) + bit;
}

uint32_t pg_bitmap_from(const struct pagus_state *st, const struct pg_zone *z, uint32_t block,
			uint32_t order, uint32_t type)
{
	return find(st, z, block, order, type);
}

uint32_t pg_bitmap_first(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
			 uint32_t type)
{
	return find(st, z, z->first_block, order, type);
}

bool pg_bitmap_any(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
		   uint32_t type)
{
	return next_block(st, z, z->first_block, order, type) != z->end_block;
}

uint32_t pg_bitmap_next(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
			uint32_t order, uint32_t type)
{
	const struct pg_map *m = pg_map(st, i);
	uint32_t bit = pg_map_bit(st, i) + (1u << order);

	if (bit < 1u << st->pageblock_order)
		bit = block_in(st, m, order, bit);
	if (bit < 1u << st->pageblock_order)
		return pg_map_start(st, m) + bit;
	return find(st, z, pg_map_block(st, m) + 1, order, type);
}

bool pg_bitmap_holds(const struct pagus_state *st, const struct pg_zone *z, uint32_t i,
		     uint32_t order)
{
	const struct pg_map *m = pg_map(st, i);
	uint32_t bit = pg_map_bit(st, i);

	if (pg_map_zone(m) != z->id || pg_map_owner(m))
		return false;
	if (order >= st->pageblock_order)
		return m->whole == order + 1;
	return pg_map_run(m, bit, order) && !pg_map_run(m, bit & ~((2u << order) - 1), order + 1);
}

void pg_bitmap_insert(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t order,
		      uint32_t type)
{
	struct pg_map *m = pg_map(st, i);

	PG_ASSERT(pg_map_owner(m) == 0 && m->zone == z->id);
	PG_ASSERT(m->list_type == PG_MAP_NO_TYPE || m->list_type == type);
	pg_map_set_free(st, i, order);
	m->list_type = (uint8_t)type;
	if (order >= st->pageblock_order)
		pg_write(m->whole, (uint8_t)(order + 1));
	enter(st, m, order);
	pg_write(z->nr_free[order], z->nr_free[order] + 1);
	z->work++;
}

static uint32_t order_of(const struct pagus_state *st, const struct pg_map *m, uint32_t bit)
{
	return m->whole ? m->whole - 1u : pg_map_order(st, m, bit);
}

void pg_bitmap_remove(struct pagus_state *st, struct pg_zone *z, uint32_t i)
{
	struct pg_map *m = pg_map(st, i);
	uint32_t order = order_of(st, m, pg_map_bit(st, i));

	PG_ASSERT(pg_map_owner(m) == 0 && (m->listed >> order & 1) && z->nr_free[order] > 0);
	pg_map_take(st, i, order);
	pg_write(m->whole, 0);
	m->reported = 0;
	if (order >= st->pageblock_order || pg_map_find_exact(st, m, order, 0) == UINT32_MAX)
		leave(st, m, order);
	pg_write(z->nr_free[order], z->nr_free[order] - 1);
	z->work++;
}

/* The other blocks of its pageblock go with it: the caller moves them all. */
void pg_bitmap_move(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t type)
{
	struct pg_map *m = pg_map(st, i);
	uint32_t listed = m->listed;

	z->work++;
	if (m->list_type == type)
		return;
	for (uint32_t order = 0; order <= st->max_order; order++)
		if (listed >> order & 1)
			leave(st, m, order);
	m->list_type = (uint8_t)type;
	for (uint32_t order = 0; order <= st->max_order; order++)
		if (listed >> order & 1)
			enter(st, m, order);
}

uint32_t pg_bitmap_add_all(struct pagus_state *st, struct pg_zone *z, struct pg_map *m,
			   uint32_t type)
{
	uint16_t nr[PG_MAP_MAX_ORDER + 1];

	pg_map_count(st, m, nr);
	PG_ASSERT(nr[st->pageblock_order] == 0 && m->listed == 0);
	for (uint32_t order = 0; order < st->pageblock_order; order++) {
		if (nr[order] == 0)
			continue;
		m->list_type = (uint8_t)type;
		enter(st, m, order);
		pg_write(z->nr_free[order], z->nr_free[order] + nr[order]);
	}
	z->work++;
	return m->nr_free;
}

uint32_t pg_bitmap_remove_all(struct pagus_state *st, struct pg_zone *z, struct pg_map *m)
{
	uint16_t nr[PG_MAP_MAX_ORDER + 1];

	pg_map_count(st, m, nr);
	PG_ASSERT(nr[st->pageblock_order] == 0);
	for (uint32_t order = 0; order < st->pageblock_order; order++) {
		if (nr[order] == 0)
			continue;
		leave(st, m, order);
		pg_write(z->nr_free[order], z->nr_free[order] - nr[order]);
	}
	z->work++;
	return m->nr_free;
}
