/* SPDX-License-Identifier: MIT */
#include "mem/map.h"

#include "base/bits.h"
#include "mem/page.h"

/* The first bits of aligned groups of 2^order. */
static const uint64_t aligned[PG_WORD_ORDER + 1] = {
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

	if (order > PG_WORD_ORDER)
		return words_full(m, bit / 64, 1u << (order - PG_WORD_ORDER));
	mask = pg_map_mask(bit, order);
	return (pg_map_free(m, bit / 64) & mask) == mask;
}

uint32_t pg_map_find(const struct pagus_state *st, const struct pg_map *m, uint32_t order)
{
	uint32_t nr = pg_map_words(st), step = order > PG_WORD_ORDER ? 1u << (order - PG_WORD_ORDER) : 1;

	for (uint32_t w = 0; w < nr; w += step) {
		uint64_t found;

		if (order > PG_WORD_ORDER) {
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

		if (order < PG_WORD_ORDER) {
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

/* Set bits of all words. */
static uint32_t count_bits(const uint64_t *words)
{
	uint64_t bytes = 0;

	for (uint32_t w = 0; w < PG_MAP_WORDS; w++)
		bytes += pg_byte_counts(words[w]);
	return pg_sum_bytes(bytes);
}

/*
 * Level k has a bit for each aligned run of 2^k. A run is a block by itself unless it is a half of
 * one of the next level. The words become level `orders`.
 */
static void count_levels(uint64_t *level, uint32_t orders, uint16_t *nr)
{
	uint32_t runs = count_bits(level);

	for (uint32_t k = 0; k < orders && runs > 0; k++) {
		uint32_t larger;

		for (uint32_t w = 0; w < PG_MAP_WORDS; w++)
			level[w] &= level[w] >> (1u << k) & aligned[k + 1];
		larger = count_bits(level);
		nr[k] = (uint16_t)(runs - 2 * larger);
		runs = larger;
	}
}

/* Words that the pageblock does not use have no free pages. */
void pg_map_count(const struct pagus_state *st, const struct pg_map *m,
		  uint16_t nr[PG_MAP_MAX_ORDER + 1])
{
	uint32_t in_word = (uint32_t)pg_min(st->pageblock_order, PG_WORD_ORDER);
	uint64_t level[PG_MAP_WORDS], full = 0;

	for (uint32_t k = 0; k <= PG_MAP_MAX_ORDER; k++)
		nr[k] = 0;
	for (uint32_t w = 0; w < PG_MAP_WORDS; w++)
		level[w] = pg_map_free(m, w);
	count_levels(level, in_word, nr);
	for (uint32_t w = 0; w < PG_MAP_WORDS; w++)
		full |= level[w] << w;
	for (uint32_t k = in_word; k < st->pageblock_order; k++) {
		uint64_t next = full & full >> (1u << (k - in_word)) & aligned[k - in_word + 1];

		nr[k] = (uint16_t)(pg_popcount(full) - 2 * pg_popcount(next));
		full = next;
	}
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

/* What each bit of pages is to be: all ones, or zero. */
struct bits {
	uint64_t free, tail, low, high;
};

#define EACH(condition) ((condition) ? UINT64_MAX : 0)

static pg_inlined void set_bits(uint64_t *word, uint64_t mask, uint64_t to)
{
	uint64_t now = *word, then = (now & ~mask) | (to & mask);

	if (then != now)
		pg_word_store(word, then);
}

/* Most words are all free, or not at all. */
static pg_inlined uint32_t count_pages(uint64_t word)
{
	if (word == 0)
		return 0;
	return ~word ? pg_popcount(word) : 64;
}

static pg_inlined void set_word(struct pg_map *m, uint32_t word, uint64_t mask, struct bits to)
{
	uint64_t was = m->free[word] & ~m->tail[word] & mask, is = to.free & ~to.tail & mask;

	if (was != is)
		pg_write(m->nr_free, m->nr_free + count_pages(is) - count_pages(was));
	set_bits(&m->free[word], mask, to.free);
	set_bits(&m->tail[word], mask, to.tail);
	set_bits(&m->low[word], mask, to.low);
	set_bits(&m->high[word], mask, to.high);
}

/* All pages of words, which are all the caller's to change. */
static pg_inlined void set_words(struct pg_map *m, uint32_t word, uint32_t end, struct bits to)
{
	for (; word < end; word++) {
		pg_write(m->nr_free, m->nr_free + count_pages(to.free & ~to.tail) -
					     count_pages(m->free[word] & ~m->tail[word]));
		pg_word_store(&m->free[word], to.free);
		pg_word_store(&m->tail[word], to.tail);
		pg_word_store(&m->low[word], to.low);
		pg_word_store(&m->high[word], to.high);
	}
}

/* Pages of `skip` stay as they are: of the block's first word. */
static pg_inlined void set_block(struct pagus_state *st, uint32_t i, uint32_t order, uint64_t skip,
				 struct bits to)
{
	uint32_t in_block = order < st->pageblock_order ? order : st->pageblock_order;
	uint32_t nr_words = in_block > PG_WORD_ORDER ? 1u << (in_block - PG_WORD_ORDER) : 1;

	for (uint32_t b = 0; b < 1u << (order - in_block); b++, skip = 0) {
		struct pg_map *m = pg_map(st, i + (b << in_block));
		uint32_t bit = pg_map_bit(st, i + (b << in_block)), word = bit / 64;

		set_word(m, word, pg_map_mask(bit, in_block) & ~skip, to);
		set_words(m, word + 1, word + nr_words, to);
	}
}

static void set_page(struct pagus_state *st, uint32_t i, struct bits to)
{
	set_block(st, i, 0, 0, to);
}

void pg_map_set_free(struct pagus_state *st, uint32_t i, uint32_t order)
{
	set_block(st, i, order, 0, (struct bits){ .free = UINT64_MAX });
}

void pg_map_take(struct pagus_state *st, uint32_t i, uint32_t order)
{
	set_block(st, i, order, 0, (struct bits){ 0 });
}

void pg_map_cut(struct pagus_state *st, uint32_t i, uint32_t type)
{
	struct pg_map *m = pg_map(st, i);

	/* In between it looks like a block that cannot move: nobody takes it for what it is not. */
	set_bits(&m->tail[0], 1, 0);
	set_bits(&m->low[0], 1, type & 1);
	set_bits(&m->high[0], 1, type >> 1);
}

/* What lies in one word: the bits of a free page are zero but for `free`. */
void pg_map_hand_out(struct pagus_state *st, uint32_t i, uint32_t order, uint32_t type)
{
	struct pg_map *m = pg_map(st, i);
	uint32_t bit = pg_map_bit(st, i), word = bit / 64;
	uint64_t mask = pg_map_mask(bit, order), first = UINT64_C(1) << (bit & 63);

	if (order > PG_WORD_ORDER) {
		pg_map_grant(st, i, order, type);
		return;
	}
	PG_ASSERT_SLOW((pg_map_free(m, word) & mask) == mask);
	pg_write(m->nr_free, m->nr_free - (1u << order));
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
	uint64_t pages = pg_map_pages(heads, order);

	PG_ASSERT_SLOW((pg_map_free(m, word) & pages) == pages);
	pg_write(m->nr_free, m->nr_free - pg_popcount(pages));
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
	set_word(m, word, pages, (struct bits){ .free = UINT64_MAX });
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

static bool goes_on(const struct pagus_state *st, uint32_t i)
{
	uint32_t bit = pg_map_bit(st, i);

	return i < st->first_page + st->nr_pages &&
	       (pg_map_tails(pg_map(st, i), bit / 64) >> (bit & 63) & 1);
}

/* A block that goes on behind its 2^order pages is aligned to more than these. */
bool pg_map_is_block(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	const struct pg_map *m = pg_map(st, i);
	uint32_t bit = pg_map_bit(st, i), word = bit / 64;
	uint64_t mask, first = UINT64_C(1) << (bit & 63), tails;

	if (order > st->pageblock_order)
		return false;
	for (uint32_t w = 1; w < 1u << order >> PG_WORD_ORDER; w++)
		if (~pg_map_tails(m, word + w))
			return false;
	mask = pg_map_mask(bit, order);
	tails = pg_map_tails(m, word);
	if ((tails & mask) != (mask & ~first) ||
	    ((pg_word_load(&m->free[word]) | pg_word_load(&m->tail[word]) |
	      pg_word_load(&m->remote[word])) & first) ||
	    (pg_word_load(&m->low[word]) & pg_word_load(&m->high[word]) & first))
		return false;
	return (i >> order & 1) || !goes_on(st, i + (1u << order));
}

/* Its first page is no tail at any time: who holds the block before may look how far that goes. */
void pg_map_grant(struct pagus_state *st, uint32_t i, uint32_t order, uint32_t type)
{
	uint64_t first = UINT64_C(1) << (pg_map_bit(st, i) & 63);

	if (order > 0)
		set_block(st, i, order, first, (struct bits){ .tail = UINT64_MAX });
	set_page(st, i, (struct bits){ .low = EACH(type & 1), .high = EACH(type & 2) });
}

void pg_map_inherit(struct pagus_state *st, uint32_t i, uint32_t type)
{
	set_page(st, i, (struct bits){ .tail = UINT64_MAX, .low = EACH((type + 1) & 1),
				       .high = EACH((type + 1) & 2) });
}

void pg_map_leak(struct pagus_state *st, uint32_t i)
{
	set_page(st, i, (struct bits){ .free = UINT64_MAX, .tail = UINT64_MAX,
				       .low = UINT64_MAX });
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
	set_page(st, i, (struct bits){ .low = UINT64_MAX, .high = UINT64_MAX });
	pg_write(m->zone, (uint8_t)zone);
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
	pg_write(m->nr_free, 0);
	m->home = 0;
	pg_write(m->zone, PG_MAP_NO_ZONE);
}

/* ---- looks ----------------------------------------------------------------------------------- */

static struct pg_view view_free(const struct pagus_state *st, const struct pg_map *m, uint32_t i)
{
	const struct pg_view tail = { .zone = (uint16_t)pg_map_zone(m), .kind = PAGUS_PAGE_TAIL };
	struct pg_view look = { .zone = tail.zone, .kind = PAGUS_PAGE_FREE };
	uint32_t owner = pg_map_owner(m), whole = pg_read(m->whole);
	uint32_t bit = pg_map_bit(st, i), order;

	if (whole && !owner) {
		look.order = (uint8_t)(whole - 1);
		return bit ? tail : look;
	}
	order = pg_map_order(st, m, bit);
	if (bit & ((1u << order) - 1))
		return tail;
	look.order = (uint8_t)order;
	if (owner)
		look.kind = PAGUS_PAGE_PCP_OWNED;
	return owner || order < st->pageblock_order ? look : tail;
}

struct pg_view pg_map_view(const struct pagus_state *st, uint32_t i)
{
	const struct pg_map *m = pg_map(st, i);
	uint32_t bit = pg_map_bit(st, i);
	uint32_t type = (uint32_t)bit_of(m->low, bit) | (uint32_t)bit_of(m->high, bit) << 1;
	bool is_free = bit_of(m->free, bit), tail = bit_of(m->tail, bit);
	struct pg_view look = { .zone = (uint16_t)pg_map_zone(m) };

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
	uint32_t bit = pg_map_bit(st, i), nr = order > PG_WORD_ORDER ? 1u << (order - PG_WORD_ORDER) : 1;
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
	set_word(m, word, pages, (struct bits){ .free = UINT64_MAX });
	return pages;
}

uint32_t pg_map_remote_pages(const struct pg_map *m)
{
	uint32_t pages = 0;

	for (uint32_t w = 0; w < PG_MAP_WORDS; w++)
		pages += pg_popcount(pg_word_load(&m->remote[w]));
	return pages;
}
