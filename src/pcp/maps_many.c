/* SPDX-License-Identifier: MIT */
/*
 * Many blocks of one order in one hold of a pcp's lock. Those that lie in a word of a map are taken
 * and freed word by word, with all that is wanted of it; larger ones one by one.
 */
#include "pcp/maps.h"

#include "base/bits.h"
#include "pcp/keep.h"
#include "zone/remote.h"

#define WORD_ORDER 6

/* ---- allocation ------------------------------------------------------------------------------ */

/* Free blocks of the word, its lowest, up to `nr`: how many, noted in `blocks`. */
static uint32_t take_word(struct pagus_state *st, struct pg_map *m, uint32_t word,
			  const struct pg_take *t, uint32_t nr, uint32_t *blocks)
{
	uint64_t heads = pg_map_heads(m, word, t->order), rest = heads;
	uint32_t start = pg_map_start(st, m) + word * 64, got = 0;

	for (; rest && got < nr; rest &= rest - 1)
		blocks[got++] = start + (uint32_t)__builtin_ctzll(rest);
	if (got)
		pg_map_hand_out_many(m, word, heads & ~rest, t->order, t->type);
	return got;
}

static uint32_t take_block(struct pagus_state *st, struct pg_pcp *pcp, struct pg_map *m,
			   const struct pg_take *t, uint32_t nr, uint32_t *blocks)
{
	uint32_t got = 0;

	for (uint32_t w = 0; w < pg_map_words(st) && got < nr; w++)
		got += take_word(st, m, w, t, nr - got, blocks + got);
	pg_write(pcp->count, pcp->count - (got << t->order));
	pg_keep_update(st, pcp, m);
	return got;
}

/* What the first pageblock of the queue has, and the next, and so on: as far as each has some. */
static uint32_t take_queue(struct pagus_state *st, struct pg_pcp *pcp, uint32_t queue,
			   const struct pg_take *t, uint32_t nr, uint32_t *blocks)
{
	uint32_t got = 0, more = 1;

	while (got < nr && more > 0) {
		struct pg_map *m = pg_keep_first(st, pcp, queue);

		more = m ? take_block(st, pcp, m, t, nr - got, blocks + got) : 0;
		got += more;
	}
	return got;
}

uint32_t pg_maps_take_many(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp,
			   struct pg_take *t, uint32_t nr, uint32_t *blocks)
{
	uint32_t got = 0;
	bool hit;

	while (got < nr) {
		if (t->order <= WORD_ORDER && t->order < c->st->pageblock_order) {
			got += take_queue(c->st, pcp, t->type, t, nr - got, blocks + got);
			got += take_queue(c->st, pcp, t->type + PG_KEEP_WHOLE, t, nr - got,
					  blocks + got);
		}
		/* Further down the queues, or from the zone. */
		if (got < nr && (blocks[got] = pg_pcp_take(c, z, pcp, t, &hit)) == PG_NONE)
			break;
		got += got < nr;
	}
	return got;
}

/* ---- free ------------------------------------------------------------------------------------ */

/* Pages of one word of one map. */
struct run {
	struct pg_map *m;
	uint32_t word;
	uint64_t pages;
};

/* The run that begins with blocks[*n], which then stands behind it. */
static struct run next_run(const struct pagus_state *st, const uint32_t *blocks, uint32_t nr,
			   uint32_t order, uint32_t *n)
{
	uint32_t bit = pg_map_bit(st, blocks[*n]), first = blocks[*n] - (bit & 63);
	uint32_t room = 1u << pg_min(st->pageblock_order, WORD_ORDER);
	struct run run = { pg_map(st, blocks[*n]), bit / 64, 0 };

	for (; *n < nr && blocks[*n] - first < room; *n += 1)
		run.pages |= pg_map_mask(blocks[*n] - first, order);
	return run;
}

/*
 * What the CPU owns, with its pcp's lock held: how many pages. The others are moved to the front of
 * `blocks`, *rest of them.
 */
static uint32_t free_owned(struct pg_call *c, struct pg_pcp *pcp, uint32_t *blocks, uint32_t nr,
			   uint32_t order, uint32_t *rest)
{
	uint32_t freed = 0, n = 0;

	*rest = 0;
	while (n < nr) {
		uint32_t first = n, pages;
		struct run run = next_run(c->st, blocks, nr, order, &n);

		if (pg_map_owner(run.m) == pcp->cpu + 1 && run.m->zone == pcp->zone) {
			pages = pg_map_free_pages(run.m, run.word, run.pages);
			pg_maps_grown(c->st, pcp, run.m, pages);
			freed += pages;
			continue;
		}
		while (first < n)
			blocks[(*rest)++] = blocks[first++];
	}
	return freed;
}

/* Without a lock. Owners are looked after as they are met, the zone once: `i` is a page of it. */
static uint32_t free_others(struct pg_call *c, const uint32_t *blocks, uint32_t nr, uint32_t order)
{
	uint32_t freed = 0, deferred = 0, n = 0, i = PG_NONE;

	while (n < nr) {
		uint32_t first = blocks[n], pages;
		struct run run = next_run(c->st, blocks, nr, order, &n);
		bool put;

		pages = pg_remote_free_pages(c->st, run.m, run.word, run.pages, &put);
		freed += pages;
		if (pg_map_owner(run.m)) {
			pg_maps_look_after(c, first, pages >> order, pages, put);
		} else {
			deferred += pages;
			i = first;
		}
	}
	if (deferred)
		pg_maps_look_after(c, i, deferred >> order, deferred, false);
	return freed;
}

static uint32_t free_in_words(struct pg_call *c, uint32_t *blocks, uint32_t nr, uint32_t order)
{
	struct pg_zone *z = pg_zone_of(c->st, blocks[0]);
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	uint32_t freed = 0, rest = nr;

	if (pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE)) {
		freed = free_owned(c, pcp, blocks, nr, order, &rest);
		if (freed) {
			pg_count(c, PAGUS_COUNTER_pcp_free, nr - rest);
			pg_pcp_tuned_freed(c->st, pcp, freed - (1u << order));
			pg_maps_drain_over(c, z, pcp, order, true);
		}
		pg_pcp_unlock(c, pcp);
	}
	return freed + free_others(c, blocks, rest, order);
}

uint32_t pg_maps_free_many(struct pg_call *c, uint32_t *blocks, uint32_t nr, uint32_t order)
{
	const struct pg_pcp_ops *ops = pg_pcps[c->st->pcp_policy];

	if (nr == 0)
		return 0;
	if (order <= WORD_ORDER && order <= c->st->pageblock_order)
		return free_in_words(c, blocks, nr, order) >> order;
	for (uint32_t n = 0; n < nr; n++)
		if (!ops->free(c, blocks[n], order, pg_block_type(c->st, blocks[n]), true))
			return n;
	return nr;
}
