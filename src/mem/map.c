/* SPDX-License-Identifier: MIT */
#include "mem/map.h"

#include "base/bits.h"
#include "mem/page.h"

#define WORD_ORDER 6u /* pages a word */

/* The first bits of aligned groups of 2^order. */
static const uint64_t aligned[WORD_ORDER + 1] = {
	UINT64_MAX, 0x5555555555555555u, 0x1111111111111111u, 0x0101010101010101u,
	0x0001000100010001u, 0x0000000100000001u, 1u,
};

/* The first bits of the aligned groups of 2^order that are all set. */
static uint64_t runs(uint64_t bits, uint32_t order)
{
	for (uint32_t k = 0; k < order; k++)
		bits &= bits >> (1u << k);
	return bits & aligned[order];
}

static bool words_full(const struct pg_map *m, uint32_t word, uint32_t nr)
{
	for (uint32_t w = word; w < word + nr; w++)
		if (pg_map_free(m, w) != UINT64_MAX)
			return false;
	return true;
}

bool pg_map_run(const struct pg_map *m, uint32_t bit, uint32_t order)
{
	uint64_t mask;

	if (order > WORD_ORDER)
		return words_full(m, bit / 64, 1u << (order - WORD_ORDER));
	mask = pg_map_mask(bit, order);
	return (pg_map_free(m, bit / 64) & mask) == mask;
}

uint32_t pg_map_find(const struct pagus_state *st, const struct pg_map *m, uint32_t order)
{
	uint32_t nr = pg_map_words(st), step = order > WORD_ORDER ? 1u << (order - WORD_ORDER) : 1;

	for (uint32_t w = 0; w < nr; w += step) {
		uint64_t found;

		if (order > WORD_ORDER) {
			if (words_full(m, w, step))
				return w * 64;
			continue;
		}
		found = runs(pg_map_free(m, w), order);
		if (found)
			return w * 64 + (uint32_t)__builtin_ctzll(found);
	}
	return UINT32_MAX;
}

uint32_t pg_map_order(const struct pagus_state *st, const struct pg_map *m, uint32_t bit)
{
	uint32_t order = 0;

	while (order < st->pageblock_order &&
	       pg_map_run(m, bit & ~((2u << order) - 1), order + 1))
		order++;
	return order;
}

uint32_t pg_map_find_exact(const struct pagus_state *st, const struct pg_map *m, uint32_t order,
			   uint32_t bit)
{
	uint32_t end = 1u << st->pageblock_order, pages = 1u << order;

	while (bit < end) {
		uint32_t up = bit & ~(2 * pages - 1);

		if (order < WORD_ORDER) {
			uint64_t found = runs(pg_map_free(m, bit / 64), order) &
					 (UINT64_MAX << (bit & 63));

			if (!found) {
				bit = (bit & ~63u) + 64;
				continue;
			}
			bit = (bit & ~63u) + (uint32_t)__builtin_ctzll(found);
			up = bit & ~(2 * pages - 1);
		} else if (!pg_map_run(m, bit, order)) {
			bit += pages;
			continue;
		}
		if (!pg_map_run(m, up, order + 1))
			return bit;
		bit = up + 2 * pages;
	}
	return UINT32_MAX;
}

uint64_t pg_map_heads(const struct pg_map *m, uint32_t word, uint32_t order)
{
	uint64_t level = pg_map_free(m, word);

	for (uint32_t k = 0; k < order; k++)
		level &= level >> (1u << k) & aligned[k + 1];
	return level;
}

/*
 * Level k has a bit for each aligned run of 2^k. A run is a block by itself unless it is a half of
 * one of the next level.
 */
static uint64_t count_levels(uint64_t level, uint32_t orders, uint16_t *nr)
{
	uint32_t runs = pg_popcount(level);

	for (uint32_t k = 0; k < orders && runs > 0; k++) {
		uint64_t next = level & level >> (1u << k) & aligned[k + 1];
		uint32_t larger = pg_popcount(next);

		nr[k] = (uint16_t)(nr[k] + runs - 2 * larger);
		runs = larger;
		level = next;
	}
	return level;
}

void pg_map_count(const struct pagus_state *st, const struct pg_map *m,
		  uint16_t nr[PG_MAP_MAX_ORDER + 1])
{
	uint32_t in_word = st->pageblock_order < WORD_ORDER ? st->pageblock_order : WORD_ORDER;
	uint64_t full = 0;

	for (uint32_t k = 0; k <= PG_MAP_MAX_ORDER; k++)
		nr[k] = 0;
	for (uint32_t w = 0; w < pg_map_words(st); w++) {
		uint64_t pages = pg_map_free(m, w);

		full |= (~pages ? count_levels(pages, in_word, nr) : 1) << w;
	}
	full = count_levels(full, st->pageblock_order - in_word, nr + in_word);
	nr[st->pageblock_order] = (uint16_t)full;
}

/* Order of the block whose first page is i: as far as tails follow. */
static uint32_t extent(const struct pagus_state *st, uint32_t i)
{
	uint32_t pages = 1, end = st->first_page + st->nr_pages, run = 1;

	for (; run > 0 && i + pages < end && pages < 1u << st->max_order; pages += run) {
		uint32_t bit = pg_map_bit(st, i + pages);
		uint64_t tails = pg_map_tails(pg_map(st, i + pages), bit / 64) >> (bit & 63);

		/* Zeroes have come in from above, unless the whole word is tails. */
		run = ~tails ? (uint32_t)__builtin_ctzll(~tails) : 64;
	}
	return 31 - (uint32_t)__builtin_clz(pages);
}

/* Pages of the word that are first pages of such blocks, or inherited, each a block by itself. */
static uint64_t heads_of(const struct pg_map *m, uint32_t word, uint32_t type)
{
	uint64_t low = pg_word_load(&m->low[word]), high = pg_word_load(&m->high[word]);
	uint64_t tail = pg_word_load(&m->tail[word]);
	uint64_t head = (type & 1 ? low : ~low) & (type & 2 ? high : ~high) & ~tail;
	uint64_t inherited = ((type + 1) & 1 ? low : ~low) & ((type + 1) & 2 ? high : ~high) & tail;

	return (head | inherited) & ~pg_word_load(&m->free[word]) & ~pg_word_load(&m->remote[word]);
}

uint32_t pg_map_used(const struct pagus_state *st, const struct pg_map *m, uint32_t type)
{
	uint32_t used = 0;

	for (uint32_t w = 0; w < pg_map_words(st); w++) {
		uint64_t heads = heads_of(m, w, type);
		uint64_t larger = heads & pg_map_tails(m, w) >> 1;

		used += pg_popcount(heads);
		for (; larger; larger &= larger - 1) {
			uint32_t bit = w * 64 + (uint32_t)__builtin_ctzll(larger);

			used += (1u << extent(st, pg_map_start(st, m) + bit)) - 1;
		}
	}
	return used;
}

static bool bit_of(const uint64_t *words, uint32_t bit)
{
	return pg_word_load(&words[bit / 64]) >> (bit & 63) & 1;
}

static bool is_hole(const struct pagus_state *st, const struct pg_map *m, uint32_t bit)
{
	return pg_read(m->nr_present) < 1u << st->pageblock_order && bit_of(m->free, bit) &&
	       bit_of(m->tail, bit);
}

/* ---- changes --------------------------------------------------------------------------------- */

struct bits {
	bool free, tail, low, high;
};

static void set_bits(uint64_t *word, uint64_t mask, bool value)
{
	uint64_t now = *word, then = value ? now | mask : now & ~mask;

	if (then != now)
		pg_word_store(word, then);
}

static void set_word(struct pg_map *m, uint32_t word, uint64_t mask, struct bits to)
{
	uint64_t was = m->free[word] & ~m->tail[word] & mask;

	if (to.free && !to.tail)
		m->nr_free += pg_popcount(mask & ~was);
	else if (was)
		m->nr_free -= pg_popcount(was);
	set_bits(&m->free[word], mask, to.free);
	set_bits(&m->tail[word], mask, to.tail);
	set_bits(&m->low[word], mask, to.low);
	set_bits(&m->high[word], mask, to.high);
}

static void set_pages(struct pagus_state *st, uint32_t i, uint32_t order, struct bits to)
{
	uint32_t in_block = order < st->pageblock_order ? order : st->pageblock_order;
	uint32_t nr_words = in_block > WORD_ORDER ? 1u << (in_block - WORD_ORDER) : 1;

	for (uint32_t b = 0; b < 1u << (order - in_block); b++) {
		struct pg_map *m = pg_map(st, i + (b << in_block));
		uint32_t bit = pg_map_bit(st, i + (b << in_block));

		for (uint32_t w = 0; w < nr_words; w++)
			set_word(m, bit / 64 + w, pg_map_mask(bit, in_block), to);
	}
}

void pg_map_set_free(struct pagus_state *st, uint32_t i, uint32_t order)
{
	set_pages(st, i, order, (struct bits){ .free = true });
}

void pg_map_take(struct pagus_state *st, uint32_t i, uint32_t order)
{
	set_pages(st, i, order, (struct bits){ 0 });
}

/* What lies in one word: the bits of a free page are zero but for `free`. */
void pg_map_hand_out(struct pagus_state *st, uint32_t i, uint32_t order, uint32_t type)
{
	struct pg_map *m = pg_map(st, i);
	uint32_t bit = pg_map_bit(st, i), word = bit / 64;
	uint64_t mask = pg_map_mask(bit, order), first = UINT64_C(1) << (bit & 63);

	if (order > WORD_ORDER) {
		pg_map_grant(st, i, order, type);
		return;
	}
	PG_ASSERT_SLOW((pg_map_free(m, word) & mask) == mask);
	m->nr_free -= 1u << order;
	if (order > 0)
		pg_word_store(&m->tail[word], m->tail[word] | (mask & ~first));
	if (type & 1)
		pg_word_store(&m->low[word], m->low[word] | first);
	if (type & 2)
		pg_word_store(&m->high[word], m->high[word] | first);
	pg_word_store(&m->free[word], m->free[word] & ~mask);
}

void pg_map_hand_out_many(struct pg_map *m, uint32_t word, uint64_t heads, uint32_t order,
			  uint32_t type)
{
	uint64_t pages = heads;

	for (uint32_t k = 0; k < order; k++)
		pages |= pages << (1u << k);
	PG_ASSERT_SLOW((pg_map_free(m, word) & pages) == pages);
	m->nr_free -= pg_popcount(pages);
	if (order > 0)
		pg_word_store(&m->tail[word], m->tail[word] | (pages & ~heads));
	if (type & 1)
		pg_word_store(&m->low[word], m->low[word] | heads);
	if (type & 2)
		pg_word_store(&m->high[word], m->high[word] | heads);
	pg_word_store(&m->free[word], m->free[word] & ~pages);
}

uint32_t pg_map_free_pages(struct pg_map *m, uint32_t word, uint64_t pages)
{
	pages &= ~m->free[word];
	set_word(m, word, pages, (struct bits){ .free = true });
	return pg_popcount(pages);
}

/* `run`: where so many tails follow each other as `heads` lack by then. */
uint64_t pg_map_blocks(const struct pg_map *m, uint32_t word, uint32_t order)
{
	uint64_t low = pg_word_load(&m->low[word]), high = pg_word_load(&m->high[word]);
	uint64_t heads = ~(pg_word_load(&m->free[word]) | pg_word_load(&m->tail[word]) |
			   pg_word_load(&m->remote[word]) | (low & high));
	uint64_t tails = pg_map_tails(m, word), run = tails;

	heads &= aligned[order];
	if (order > 0)
		heads &= run >> 1;
	for (uint32_t k = 1; k < order; k++) {
		run &= run >> (1u << (k - 1));
		heads &= run >> (1u << k);
	}
	/* One that goes on is of a larger order. */
	return heads & ~(tails >> (1u << order));
}

/* A block that goes on behind its 2^order pages is aligned to more than these. */
bool pg_map_is_block(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	const struct pg_map *m = pg_map(st, i);
	uint32_t bit = pg_map_bit(st, i), word = bit / 64, next = bit + (1u << order);
	uint64_t mask, first = UINT64_C(1) << (bit & 63), tails;

	if (order > WORD_ORDER || order >= st->pageblock_order)
		return false;
	mask = pg_map_mask(bit, order);
	tails = pg_map_tails(m, word);
	if ((tails & mask) != (mask & ~first) ||
	    ((pg_word_load(&m->free[word]) | pg_word_load(&m->tail[word]) |
	      pg_word_load(&m->remote[word])) & first) ||
	    (pg_word_load(&m->low[word]) & pg_word_load(&m->high[word]) & first))
		return false;
	if (bit >> order & 1)
		return true;
	if (next / 64 != word)
		tails = pg_map_tails(m, next / 64);
	return !(tails >> (next & 63) & 1);
}

/* Its first page is no tail at any time: who holds the block before may look how far that goes. */
void pg_map_grant(struct pagus_state *st, uint32_t i, uint32_t order, uint32_t type)
{
	for (uint32_t k = 0; k < order; k++)
		set_pages(st, i + (1u << k), k, (struct bits){ .tail = true });
	set_pages(st, i, 0, (struct bits){ .low = type & 1, .high = type >> 1 & 1 });
}

void pg_map_inherit(struct pagus_state *st, uint32_t i, uint32_t type)
{
	set_pages(st, i, 0, (struct bits){ .tail = true, .low = (type + 1) & 1,
					   .high = (type + 1) >> 1 & 1 });
}

void pg_map_leak(struct pagus_state *st, uint32_t i)
{
	set_pages(st, i, 0, (struct bits){ .free = true, .tail = true, .low = true });
}

void pg_map_build(struct pagus_state *st)
{
	for (uint32_t b = 0; b < st->nr_pages >> st->pageblock_order; b++) {
		struct pg_map *m = pg_map_at(st, b);

		m->waiting = PG_MAP_ALONE;
		m->zone = PG_MAP_NO_ZONE;
		m->list_type = PG_MAP_NO_TYPE;
		for (uint32_t w = 0; w < PG_MAP_WORDS; w++)
			m->free[w] = m->tail[w] = UINT64_MAX;
	}
}

void pg_map_present(struct pagus_state *st, uint32_t i, uint32_t zone)
{
	struct pg_map *m = pg_map(st, i);

	pg_write(m->nr_present, m->nr_present + is_hole(st, m, pg_map_bit(st, i)));
	set_pages(st, i, 0, (struct bits){ .low = true, .high = true });
	m->zone = (uint8_t)zone;
}

void pg_map_absent(struct pagus_state *st, uint32_t i)
{
	struct pg_map *m = pg_map(st, i);

	PG_ASSERT(m->listed == 0 && pg_map_owner(m) == 0 && m->waiting == PG_MAP_ALONE);
	/* Also of words that the pageblock does not use. */
	for (uint32_t w = 0; w < PG_MAP_WORDS; w++) {
		pg_word_store(&m->free[w], UINT64_MAX);
		pg_word_store(&m->tail[w], UINT64_MAX);
		pg_word_store(&m->low[w], 0);
		pg_word_store(&m->high[w], 0);
	}
	pg_write(m->nr_present, 0);
	m->nr_free = 0;
	m->home = 0;
	m->zone = PG_MAP_NO_ZONE;
}

/* ---- looks ----------------------------------------------------------------------------------- */

static struct pg_view view_free(const struct pagus_state *st, const struct pg_map *m, uint32_t i)
{
	uint32_t bit = pg_map_bit(st, i), order = pg_map_order(st, m, bit);
	struct pg_view look = { .zone = m->zone, .kind = PAGUS_PAGE_TAIL };
	uint32_t owner = pg_map_owner(m), whole;

	if (bit & ((1u << order) - 1))
		return look;
	look.order = (uint8_t)order;
	look.kind = owner ? PAGUS_PAGE_PCP_OWNED : PAGUS_PAGE_FREE;
	if (owner || order < st->pageblock_order)
		return look;
	whole = pg_read(m->whole);
	if (whole)
		look.order = (uint8_t)(whole - 1);
	else
		look = (struct pg_view){ .zone = m->zone, .kind = PAGUS_PAGE_TAIL };
	return look;
}

struct pg_view pg_map_view(const struct pagus_state *st, uint32_t i)
{
	const struct pg_map *m = pg_map(st, i);
	uint32_t bit = pg_map_bit(st, i);
	uint32_t type = (uint32_t)bit_of(m->low, bit) | (uint32_t)bit_of(m->high, bit) << 1;
	bool is_free = bit_of(m->free, bit), tail = bit_of(m->tail, bit);
	struct pg_view look = { .zone = m->zone };

	if (is_free && tail && type) {
		look.kind = PAGUS_PAGE_LEAKED;
		look.type = 1;
	} else if (is_hole(st, m, bit)) {
		look.kind = PAGUS_PAGE_HOLE;
		look.zone = PG_NO_ZONE;
	} else if (bit_of(m->remote, bit)) {
		look.kind = PAGUS_PAGE_DEFERRED;
	} else if (is_free) {
		look = view_free(st, m, i);
	} else if (tail) {
		look.kind = type ? PAGUS_PAGE_INHERITED : PAGUS_PAGE_TAIL;
		look.type = type ? (uint8_t)(type - 1) : 0;
	} else if (type == 3) {
		look.kind = PAGUS_PAGE_RESERVED;
	} else {
		look.kind = PAGUS_PAGE_ALLOCATED;
		look.type = (uint8_t)type;
		look.order = (uint8_t)extent(st, i);
	}
	return look;
}

/* ---- remote frees ---------------------------------------------------------------------------- */

bool pg_map_free_remote(struct pagus_state *st, uint32_t i, uint32_t order, bool *first)
{
	struct pg_map *m = pg_map(st, i);
	uint32_t bit = pg_map_bit(st, i), nr = order > WORD_ORDER ? 1u << (order - WORD_ORDER) : 1;
	uint64_t mask = pg_map_mask(bit, order);

	*first = false;
	for (uint32_t w = bit / 64; w < bit / 64 + nr; w++) {
		uint64_t before = pg_word_or(&m->remote[w], mask);

		if (before & mask)
			return false;
		*first |= before == 0;
	}
	return true;
}

uint64_t pg_map_absorb(struct pg_map *m, uint32_t word)
{
	uint64_t pages = pg_word_load_ordered(&m->remote[word]);

	if (pages == 0)
		return 0;
	pages = pg_word_exchange(&m->remote[word], 0);
	set_word(m, word, pages, (struct bits){ .free = true });
	return pages;
}

uint32_t pg_map_remote_pages(const struct pg_map *m)
{
	uint32_t pages = 0;

	for (uint32_t w = 0; w < PG_MAP_WORDS; w++)
		pages += pg_popcount(pg_word_load(&m->remote[w]));
	return pages;
}
