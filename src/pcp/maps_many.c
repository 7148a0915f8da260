/* SPDX-License-Identifier: MIT */
/*
 * Many blocks of one order in one hold of a pcp's lock. Those that lie in a word of a map are taken
 * and freed word by word, with all that is wanted of it; larger ones one by one.
 */
#include "pcp/maps.h"

#include "base/bits.h"
#include "pcp/keep.h"
#include "zone/remote.h"

/* ---- allocation ------------------------------------------------------------------------------ */

/* Free blocks of the word, its lowest, up to `nr`, are handed out: how many. */
static uint32_t take_word(struct pagus_state *st, struct pg_map *m, uint32_t w,
			  const struct pg_take *t, uint32_t nr, struct pg_word *word)
{
	uint64_t heads = pg_map_heads(m, w, t->order), rest = 0;
	uint32_t there = pg_popcount(heads);

	if (there > nr) {
		rest = heads;
		for (uint32_t n = 0; n < nr; n++)
			rest &= rest - 1;
		there = nr;
	}
	if (there == 0)
		return 0;
	*word = (struct pg_word){ pg_map_start(st, m) + w * 64, heads & ~rest };
	pg_map_hand_out_many(m, w, word->heads, t->order, t->type);
	return there;
}

static uint32_t take_block(struct pagus_state *st, struct pg_pcp *pcp, struct pg_map *m,
			   const struct pg_take *t, uint32_t nr, struct pg_words *to)
{
	uint32_t got = 0;

	for (uint32_t w = 0; w < pg_map_words(st) && got < nr; w++) {
		uint32_t here = take_word(st, m, w, t, nr - got, &to->word[to->nr]);

		to->nr += here > 0;
		got += here;
	}
	pg_write(pcp->count, pcp->count - (got << t->order));
	pg_keep_update(st, pcp, m);
	return got;
}

/* What the first pageblock of the queue has, and the next, and so on: as far as each has some. */
static uint32_t take_queue(struct pagus_state *st, struct pg_pcp *pcp, uint32_t queue,
			   const struct pg_take *t, uint32_t nr, struct pg_words *to)
{
	uint32_t got = 0, more = 1;

	while (got < nr && more > 0) {
		struct pg_map *m = pg_keep_first(st, pcp, queue);

		more = m ? take_block(st, pcp, m, t, nr - got, to) : 0;
		got += more;
	}
	return got;
}

/* One block, from further down the queues, or from the zone. */
static bool take_one(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t,
		     struct pg_words *to)
{
	bool hit;
	uint32_t i = pg_pcp_take(c, z, pcp, t, &hit), bit;

	if (i == PG_NONE)
		return false;
	bit = pg_map_bit(c->st, i) & 63;
	to->word[to->nr++] = (struct pg_word){ i - bit, UINT64_C(1) << bit };
	return true;
}

uint32_t pg_maps_take_many(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp,
			   struct pg_take *t, uint32_t nr, struct pg_words *to)
{
	bool in_words = t->order <= PG_WORD_ORDER && t->order < c->st->pageblock_order;
	uint32_t got = 0;

	to->nr = 0;
	for (;;) {
		if (in_words) {
			got += take_queue(c->st, pcp, t->type, t, nr - got, to);
			got += take_queue(c->st, pcp, t->type + PG_KEEP_WHOLE, t, nr - got, to);
		}
		if (got == nr || !take_one(c, z, pcp, t, to))
			return got;
		got++;
	}
}

/* ---- free ------------------------------------------------------------------------------------ */

/* A word of pages that were freed to another CPU, who is to be looked after. */
struct left {
	uint32_t start, pages;
	bool put;
};

/* What frees came to: here, to other CPUs, and to the zone, whose page `zone_start` is. */
struct tally {
	uint32_t own, zone, zone_start, nr_left;
	struct left left[PG_MAPS_MANY];
};

/* How many pages were not free already. */
static uint32_t free_word(struct pg_call *c, struct pg_pcp *held, const struct pg_word *word,
			  uint32_t order, struct tally *t)
{
	struct pg_map *m = pg_map(c->st, word->start);
	uint32_t w = pg_map_bit(c->st, word->start) / 64, owner = pg_map_owner(m), pages;
	uint64_t bits = pg_map_pages(word->heads, order);
	bool put;

	if (held && owner == held->cpu + 1 && m->zone == held->zone) {
		pages = pg_map_free_pages(m, w, bits);
		pg_maps_grown(c->st, held, m, pages);
		t->own += pages;
		return pages;
	}
	pages = pg_remote_free_pages(c->st, m, w, bits, &put);
	if (pg_map_owner(m)) {
		t->left[t->nr_left++] = (struct left){ word->start, pages, put };
	} else {
		t->zone += pages;
		t->zone_start = word->start;
	}
	return pages;
}

/* Owners are looked after as they are met, the zone once; with no lock held. */
static void look_after_all(struct pg_call *c, const struct tally *t, uint32_t order)
{
	for (uint32_t n = 0; n < t->nr_left; n++)
		pg_maps_look_after(c, t->left[n].start, t->left[n].pages >> order,
				   t->left[n].pages, t->left[n].put);
	if (t->zone)
		pg_maps_look_after(c, t->zone_start, t->zone >> order, t->zone, false);
}

uint32_t pg_maps_free_words(struct pg_call *c, const struct pg_words *words, uint32_t order)
{
	struct pg_zone *z = pg_zone_of(c->st, words->word[0].start);
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	bool held = pg_pcp_trylock(c, pcp, PAGUS_REASON_PCP_FREE);
	struct tally t;
	uint32_t freed = 0;

	t.own = t.zone = t.nr_left = 0;
	for (uint32_t n = 0; n < words->nr; n++)
		freed += free_word(c, held ? pcp : NULL, &words->word[n], order, &t);
	if (held) {
		if (t.own) {
			pg_count(c, PAGUS_COUNTER_pcp_free, t.own >> order);
			pg_pcp_tuned_freed(c->st, pcp, t.own - (1u << order));
			pg_maps_drain_over(c, z, pcp, order, true);
		}
		pg_pcp_unlock(c, pcp);
	}
	look_after_all(c, &t, order);
	return freed >> order;
}
