/* SPDX-License-Identifier: MIT */
/*
 * Pages as bits: the other way to keep what pages are, for instances without page records. One
 * record a pageblock holds a bit of each of its pages in five maps, a cache line each:
 *
 *     free tail  type
 *      0    0    0-2   first page of a block that is handed out, for requests of that migratetype
 *      0    0     3    reserved: not handed over yet
 *      0    1     0    a further page of such a block
 *      0    1    1-3   inherited: in use since before the hand-over, migratetype + 1
 *      1    0     0    free: the owner's, or the zone's
 *      1    1     0    a hole: not memory. Only in a pageblock that has such: else somebody is changing
 *                      more than one bit of the page
 *      1    1     1    leaked: its memory has failed
 *
 * A handed-out single page is all zeroes, so that handing it out and taking it back each change one
 * bit. The fifth map, `remote`, has the pages that were freed by somebody who does not hold the
 * lock of the others: they are as they were, and free once they have been taken in (absorbed).
 *
 * Free pages of a map form blocks by themselves: the largest aligned runs of set bits. Two free
 * buddies in one pageblock are one block, always; nothing is merged and nothing is cut.
 */
#ifndef PG_MEM_MAP_H
#define PG_MEM_MAP_H

#include "mem/state.h"

#define PG_MAP_WORDS 8u
#define PG_WORD_ORDER 6u /* pages of a word */
#define PG_MAP_MAX_ORDER 9u   /* of a pageblock */
#define PG_MAP_ALONE UINT32_MAX /* in `waiting`: on no stack */
#define PG_MAP_NO_ZONE UINT8_MAX
#define PG_MAP_NO_TYPE UINT8_MAX

/*
 * The lock of a pageblock is the pcp's of the CPU that owns it, or the zone's. Words are read also
 * without it: bits of pages that the reader holds stay as they are.
 */
struct pg_map {
	uint64_t free[PG_MAP_WORDS], tail[PG_MAP_WORDS];  /* the pageblock's lock */
	uint64_t low[PG_MAP_WORDS], high[PG_MAP_WORDS];   /* the same: two bits of `type` */
	uint64_t remote[PG_MAP_WORDS];                    /* A */
	uint32_t owner;      /* CPU + 1; 0: the zone. Read: A. Written with both locks held */
	uint32_t waiting;    /* A: the next pageblock of a stack of those with remote frees; or ALONE */
	uint32_t prev, next; /* P: neighbours in a queue of the owner; both 0 when in none */
	uint32_t nr_free;    /* the pageblock's lock: bits of free pages */
	uint16_t listed;     /* Z: bit o: in the summaries, with free blocks of order o */
	uint16_t home;       /* Z: CPU + 1 that owned it last; 0: none */
	uint8_t zone;        /* H: zone id; PG_MAP_NO_ZONE where all is hole. By pg_map_zone */
	uint8_t list_type;   /* Z: migratetype of the summaries that it is in; NO_TYPE if in none */
	uint8_t whole;       /* Z: order + 1 of the free block, of a pageblock or more, that begins here */
	uint8_t queue;       /* P: the queue that it is in, + 1; 0: none */
	uint16_t spb_free;   /* Z: its free pages in the zone, as its superpageblock counts them, and */
	uint8_t spb_holds;   /* Z: what it holds, PG_HOLD_* (superpageblock.h) */
	uint8_t reported;    /* Z: 1: the free block that begins here has been reported (reporting.h) */
	uint32_t nr_present; /* H: pages that are no holes */
	uint32_t resting;    /* A: it could not be emptied; left alone until spb_ticks is this */
	uint32_t pad[5];
};
PG_STATIC_ASSERT(sizeof(struct pg_map) == 384, "pageblock map");

/*
 * What a CPU keeps of a zone: queues of the pageblocks that it owns and that have free pages, by
 * migratetype: first those in part free, then, PG_KEEP_WHOLE further, those wholly so. And those
 * that it has given back in part, the last ones. Numbers of pageblocks + 1; 0: none.
 */
#define PG_KEEP_WHOLE  3u
#define PG_KEEP_QUEUES 6u
#define PG_KEEP_GIVEN  4u
struct pg_keep {
	uint32_t first[PG_KEEP_QUEUES], last[PG_KEEP_QUEUES]; /* P */
	uint32_t given[PG_KEEP_GIVEN]; /* P: the next one is put into `turn` */
	uint32_t turn;
	uint32_t deferred; /* A: pages that the CPU has freed to the zone without its lock */
	uint32_t waiting;  /* A: pageblocks put on the pcp's stack since that was taken in */
	uint32_t stolen[3];      /* P: by migratetype of requests: a pageblock of another, and from */
	uint32_t stolen_left[3]; /* which so many blocks may still be taken */
	uint32_t pad[7];
};
PG_STATIC_ASSERT(sizeof(struct pg_keep) == 128, "keep");

static inline struct pg_keep *pg_keep(const struct pagus_state *st, const struct pg_pcp *pcp)
{
	return (struct pg_keep *)pg_at(st, st->off_keeps) + pcp->zone * st->nr_cpus + pcp->cpu;
}

/*
 * Summaries of a zone: for each order and migratetype a bit a pageblock, from the zone's first on,
 * set where it has such a free block, and behind these a bit for each word that is not zero.
 */
static inline uint64_t pg_summary_words(uint64_t blocks)
{
	uint64_t words = (blocks + 63) / 64;

	return words + (words + 63) / 64;
}

/* How many words there are before those that are behind. */
static inline uint32_t pg_summary_above(const struct pg_zone *z)
{
	return (z->end_block - z->first_block + 63) / 64;
}

static inline uint64_t *pg_summary(const struct pagus_state *st, const struct pg_zone *z,
				   uint32_t order, uint32_t type)
{
	uint64_t n = order * PAGUS_NR_MIGRATETYPES + type;

	return (uint64_t *)pg_at(st, z->off_summaries) +
	       n * pg_summary_words(z->end_block - z->first_block);
}

/* Does the instance keep its pages in maps? */
static inline bool pg_mapped(const struct pagus_state *st)
{
	return st->off_maps;
}

static inline struct pg_map *pg_map_at(const struct pagus_state *st, uint32_t block)
{
	return (struct pg_map *)pg_at(st, st->off_maps) + block;
}

/* Map of the pageblock of page i, and the page's number in it. */
static inline struct pg_map *pg_map(const struct pagus_state *st, uint32_t i)
{
	return pg_map_at(st, (i - st->first_page) >> st->pageblock_order);
}

static inline uint32_t pg_map_bit(const struct pagus_state *st, uint32_t i)
{
	return i & ((1u << st->pageblock_order) - 1);
}

static inline uint32_t pg_map_block(const struct pagus_state *st, const struct pg_map *m)
{
	return (uint32_t)(m - pg_map_at(st, 0));
}

static inline uint32_t pg_map_start(const struct pagus_state *st, const struct pg_map *m)
{
	return st->first_page + (pg_map_block(st, m) << st->pageblock_order);
}

/* Zone of those of its pages that are memory; PG_NO_ZONE where none is. */
static inline uint32_t pg_map_zone(const struct pg_map *m)
{
	uint32_t zone = pg_read(m->zone);

	return zone == PG_MAP_NO_ZONE ? PG_NO_ZONE : zone;
}

/* Words that a pageblock's maps use. */
static inline uint32_t pg_map_words(const struct pagus_state *st)
{
	return st->pageblock_order > 6 ? 1u << (st->pageblock_order - 6) : 1;
}

static inline uint32_t pg_map_owner(const struct pg_map *m)
{
	return pg_atomic_load(&m->owner);
}

/* Bits of 2^order pages, order 0-6, from `bit` on, in their word. */
static inline uint64_t pg_map_mask(uint32_t bit, uint32_t order)
{
	return (order >= 6 ? UINT64_MAX : (UINT64_C(1) << (1u << order)) - 1) << (bit & 63);
}

/*
 * Blocks of one order, at most PG_WORD_ORDER, that lie in one word: page `start` is the word's first,
 * or its pageblock's where those are smaller, and bits of `heads` are their first pages from there.
 */
struct pg_word {
	uint32_t start;
	uint64_t heads;
};

/* Their pages. */
static inline uint64_t pg_map_pages(uint64_t heads, uint32_t order)
{
	for (uint32_t k = 0; k < order; k++)
		heads |= heads << (1u << k);
	return heads;
}

/* The free pages of a word. */
static inline uint64_t pg_map_free(const struct pg_map *m, uint32_t word)
{
	return pg_word_load(&m->free[word]) & ~pg_word_load(&m->tail[word]);
}

/* The further pages of blocks that are handed out. */
static inline uint64_t pg_map_tails(const struct pg_map *m, uint32_t word)
{
	return pg_word_load(&m->tail[word]) & ~pg_word_load(&m->free[word]) &
	       ~pg_word_load(&m->low[word]) & ~pg_word_load(&m->high[word]);
}

/* Are all 2^order pages from `bit` on free? order: at most the pageblock's. */
bool pg_map_run(const struct pg_map *m, uint32_t bit, uint32_t order);

/* First pages of all aligned runs of 2^order free pages of a word, order 0-6. */
uint64_t pg_map_heads(const struct pg_map *m, uint32_t word, uint32_t order);

/* First page of the first free block of at least `order`; UINT32_MAX if there is none. */
uint32_t pg_map_find(const struct pagus_state *st, const struct pg_map *m, uint32_t order);

/* The same of exactly `order`, which is below the pageblock's, from page `bit` on. */
uint32_t pg_map_find_exact(const struct pagus_state *st, const struct pg_map *m, uint32_t order,
			   uint32_t bit);

/* Order of the free block that page `bit`, which is free, lies in: as far as the pageblock's. */
uint32_t pg_map_order(const struct pagus_state *st, const struct pg_map *m, uint32_t bit);

/* How many free blocks of each order there are, as far as the pageblock's. */
void pg_map_count(const struct pagus_state *st, const struct pg_map *m,
		  uint16_t nr[PG_MAP_MAX_ORDER + 1]);

/* Pages of blocks that are handed out, or inherited, to requests of a migratetype. */
uint32_t pg_map_used(const struct pagus_state *st, const struct pg_map *m, uint32_t type);

/* What 2^order pages from i on are to be. Pageblocks are all covered, or the block lies in one. */
void pg_map_set_free(struct pagus_state *st, uint32_t i, uint32_t order);
void pg_map_take(struct pagus_state *st, uint32_t i, uint32_t order); /* nobody's for the moment */
void pg_map_grant(struct pagus_state *st, uint32_t i, uint32_t order, uint32_t type);

/*
 * The pageblock at i, not the first of a block that is the caller's alone, begins a block of `type`.
 * Needs no lock: all pages of its words are the caller's.
 */
void pg_map_cut(struct pagus_state *st, uint32_t i, uint32_t type);
/* The same as grant, of pages that are free. */
void pg_map_hand_out(struct pagus_state *st, uint32_t i, uint32_t order, uint32_t type);
/*
 * The same of many blocks of one word, at most as large as it, whose first pages are `heads`. And
 * all pages of blocks in it are free: how many were not.
 */
void pg_map_hand_out_many(struct pg_map *m, uint32_t word, uint64_t heads, uint32_t order,
			  uint32_t type);
uint32_t pg_map_free_pages(struct pg_map *m, uint32_t word, uint64_t pages);
void pg_map_inherit(struct pagus_state *st, uint32_t i, uint32_t type);
void pg_map_leak(struct pagus_state *st, uint32_t i);

/* Page i, whose record is new, is reserved memory of a zone; without this it is a hole. */
void pg_map_build(struct pagus_state *st);
void pg_map_present(struct pagus_state *st, uint32_t i, uint32_t zone);

/* The pageblock that begins at i is a hole, as it was when its record was new. */
void pg_map_absent(struct pagus_state *st, uint32_t i);

/* First pages of all blocks of just this order that are handed out in a word; order 0-5. */
uint64_t pg_map_blocks(const struct pg_map *m, uint32_t word, uint32_t order);

/*
 * Is there a block of just this order handed out at i, which is a multiple of its size? False also of
 * one larger than a pageblock, which view tells.
 */
bool pg_map_is_block(const struct pagus_state *st, uint32_t i, uint32_t order);

/* What pages are, as page.h has it. */
struct pg_view pg_map_view(const struct pagus_state *st, uint32_t i);

/*
 * Note that the 2^order pages from i on, whose block lies in one pageblock, are freed, without any
 * lock. False: they were already. *first: it is the first of its word since that was absorbed.
 */
bool pg_map_free_remote(struct pagus_state *st, uint32_t i, uint32_t order, bool *first);

/* Take in one word of remote frees: its pages, which are free now. Needs the pageblock's lock. */
uint64_t pg_map_absorb(struct pg_map *m, uint32_t word);

/* Pages that were freed remotely and have not been taken in. */
uint32_t pg_map_remote_pages(const struct pg_map *m);

#endif
