/* SPDX-License-Identifier: MIT */
#include "zone/remote.h"

#include "base/bits.h"
#include "zone/superpageblock.h"

#define MANY 3 /* pages of a pageblock */

static uint32_t *stack_of(const struct pagus_state *st, const struct pg_map *m)
{
	uint32_t owner = pg_atomic_load_ordered(&m->owner);

	return owner ? &pg_pcp(st, m->zone, owner - 1)->remote : &pg_zone(st, m->zone)->deferred;
}

/* Entries of stacks and chains are numbers of pageblocks + 1. */
static struct pg_map *entry(const struct pagus_state *st, uint32_t n)
{
	return pg_map_at(st, n - 1);
}

/* Each turn of the loop in vain is the success of another CPU. */
static void push(const struct pagus_state *st, uint32_t *stack, struct pg_map *m)
{
	uint32_t first = pg_atomic_load(stack);

	do
		pg_atomic_store(&m->waiting, first);
	while (!pg_atomic_replace(stack, &first, pg_map_block(st, m) + 1));
}

/* Two chains in nobody else's hands are one. */
static uint32_t join(const struct pagus_state *st, uint32_t chain, uint32_t rest)
{
	struct pg_map *m;
	uint32_t next;

	if (chain == PG_NONE)
		return rest;
	m = entry(st, chain);
	while ((next = pg_atomic_load(&m->waiting)) != PG_NONE)
		m = entry(st, next);
	pg_atomic_store(&m->waiting, rest);
	return chain;
}

/*
 * Put each of a chain, which is in nobody else's hands, on its owner's stack. Each further turn for
 * one of them is a change of owner.
 */
static void place(const struct pagus_state *st, uint32_t chain)
{
	while (chain != PG_NONE) {
		struct pg_map *m = entry(st, chain);
		uint32_t *stack = stack_of(st, m);

		chain = pg_atomic_load(&m->waiting);
		push(st, stack, m);
		if (stack_of(st, m) != stack)
			chain = join(st, pg_atomic_exchange(stack, PG_NONE), chain);
	}
}

/* The pageblock has pages that wait: onto a stack with it, unless it is on one. True: it was not. */
static bool put_on_stack(const struct pagus_state *st, struct pg_map *m)
{
	uint32_t alone = pg_atomic_load_ordered(&m->waiting);

	/* Whoever takes it off a stack makes it ALONE first, and looks at its bits then. */
	while (alone == PG_MAP_ALONE) {
		if (pg_atomic_replace(&m->waiting, &alone, PG_NONE)) {
			place(st, pg_map_block(st, m) + 1);
			return true;
		}
	}
	return false;
}

bool pg_remote_free(struct pagus_state *st, uint32_t i, uint32_t order, bool *put)
{
	bool first, done = pg_map_free_remote(st, i, order, &first);

	*put = done && first && put_on_stack(st, pg_map(st, i));
	return done;
}

uint32_t pg_remote_free_pages(const struct pagus_state *st, struct pg_map *m, uint32_t word,
			      uint64_t pages, bool *put)
{
	uint64_t before = pg_word_or(&m->remote[word], pages);

	*put = before == 0 && put_on_stack(st, m);
	return pg_popcount(pages & ~before);
}

uint32_t pg_remote_absorb_map(const struct pagus_state *st, struct pg_map *m)
{
	uint32_t pages = 0;

	for (uint32_t w = 0; w < pg_map_words(st); w++)
		pages += pg_popcount(pg_map_absorb(m, w));
	return pages;
}

/* Off all stacks, before its bits are looked at. Returns what was behind it. */
static uint32_t leave_chain(struct pg_map *m)
{
	return pg_atomic_exchange(&m->waiting, PG_MAP_ALONE);
}

/* The first of `chain` goes to the front of `others`. Returns what was behind it. */
static uint32_t set_aside(const struct pagus_state *st, uint32_t chain, uint32_t *others)
{
	struct pg_map *m = entry(st, chain);
	uint32_t next = pg_atomic_load(&m->waiting);

	pg_atomic_store(&m->waiting, *others);
	*others = chain;
	return next;
}

void pg_remote_absorb(struct pagus_state *st, struct pg_pcp *pcp,
		      void (*grown)(struct pagus_state *st, struct pg_pcp *pcp, struct pg_map *m,
				    uint32_t pages))
{
	uint32_t chain, others = PG_NONE;

	if (pg_atomic_load(&pcp->remote) == PG_NONE)
		return;
	chain = pg_atomic_exchange(&pcp->remote, PG_NONE);
	while (chain != PG_NONE) {
		struct pg_map *m = entry(st, chain);

		if (pg_map_owner(m) != pcp->cpu + 1) {
			chain = set_aside(st, chain, &others);
			continue;
		}
		chain = leave_chain(m);
		grown(st, pcp, m, pg_remote_absorb_map(st, m));
	}
	place(st, others);
}

/* The free blocks that a word of freed pages consists of, each freed for itself. */
static void free_word(struct pg_call *c, struct pg_zone *z, struct pg_map *m, uint32_t word)
{
	struct pagus_state *st = c->st;
	uint64_t pages = pg_map_absorb(m, word);
	uint32_t start = pg_map_start(st, m) + word * 64, type = pg_block_type(st, start);

	/*
	 * Until it is freed each is nobody's, so that only what is in the zone is merged with. In the
	 * map it looks like an unmovable page: nobody may count it before the last one is free.
	 */
	for (uint64_t rest = pages; rest; rest &= rest - 1)
		pg_map_take(st, start + (uint32_t)__builtin_ctzll(rest), 0);
	while (pages) {
		uint32_t bit = (uint32_t)__builtin_ctzll(pages), order = 0;

		while (order < 6 && order < st->pageblock_order && !(bit >> order & 1) &&
		       (pages & pg_map_mask(bit, order + 1)) == pg_map_mask(bit, order + 1))
			order++;
		pages &= ~pg_map_mask(bit, order);
		pg_buddy_free_as(c, z, start + bit, order, type);
	}
}

/* Many pages at once: the pageblock's blocks are counted anew, which is as much as some frees. */
static void free_many(struct pg_call *c, struct pg_zone *z, struct pg_map *m)
{
	struct pagus_state *st = c->st;
	uint32_t start = pg_map_start(st, m), type = pg_block_type(st, start);

	pg_account(c, z, -(int64_t)pg_bitmap_remove_all(st, z, m), type);
	pg_remote_absorb_map(st, m);
	if (m->nr_free < 1u << st->pageblock_order) {
		pg_account(c, z, pg_bitmap_add_all(st, z, m, type), type);
		pg_spb_changed(c, z, start, 0);
		pg_count(c, PAGUS_COUNTER_zone_free, 1);
		return;
	}
	pg_map_take(st, start, st->pageblock_order);
	pg_buddy_free(c, z, start, st->pageblock_order, PG_HEAD);
}

static void free_map(struct pg_call *c, struct pg_zone *z, struct pg_map *m)
{
	if (pg_map_remote_pages(m) >= MANY) {
		free_many(c, z, m);
		return;
	}
	for (uint32_t w = 0; w < pg_map_words(c->st); w++)
		free_word(c, z, m, w);
	pg_spb_changed(c, z, pg_map_start(c->st, m), 0);
}

void pg_remote_absorb_zone(struct pg_call *c, struct pg_zone *z)
{
	uint32_t chain, others = PG_NONE;

	if (pg_atomic_load(&z->deferred) == PG_NONE)
		return;
	chain = pg_atomic_exchange(&z->deferred, PG_NONE);
	while (chain != PG_NONE) {
		struct pg_map *m = entry(c->st, chain);

		if (pg_map_owner(m) != 0) {
			chain = set_aside(c->st, chain, &others);
			continue;
		}
		chain = leave_chain(m);
		free_map(c, z, m);
	}
	place(c->st, others);
}

void pg_remote_set_owner(struct pagus_state *st, struct pg_map *m, uint32_t owner)
{
	uint32_t *former = stack_of(st, m);

	pg_atomic_store_ordered(&m->owner, owner);
	if (pg_atomic_load_ordered(&m->waiting) != PG_MAP_ALONE)
		place(st, pg_atomic_exchange(former, PG_NONE));
}
