/* SPDX-License-Identifier: MIT */
#include "pcp/keep.h"

static struct pg_map *at(const struct pagus_state *st, uint32_t n)
{
	return n ? pg_map_at(st, n - 1) : NULL;
}

struct pg_map *pg_keep_first(const struct pagus_state *st, const struct pg_pcp *pcp, uint32_t queue)
{
	return at(st, pg_keep(st, pcp)->first[queue]);
}

struct pg_map *pg_keep_last(const struct pagus_state *st, const struct pg_pcp *pcp, uint32_t queue)
{
	return at(st, pg_keep(st, pcp)->last[queue]);
}

struct pg_map *pg_keep_next(const struct pagus_state *st, const struct pg_map *m)
{
	return at(st, m->next);
}

struct pg_map *pg_keep_prev(const struct pagus_state *st, const struct pg_map *m)
{
	return at(st, m->prev);
}

void pg_keep_remove(struct pagus_state *st, const struct pg_pcp *pcp, struct pg_map *m)
{
	struct pg_keep *keep = pg_keep(st, pcp);
	uint32_t queue = m->queue - 1u;

	if (m->queue == 0)
		return;
	*(m->prev ? &at(st, m->prev)->next : &keep->first[queue]) = m->next;
	*(m->next ? &at(st, m->next)->prev : &keep->last[queue]) = m->prev;
	m->prev = 0;
	m->next = 0;
	m->queue = 0;
}

/* To the front of a queue, or behind its last. */
static void add(struct pagus_state *st, struct pg_keep *keep, struct pg_map *m, uint32_t queue,
		bool front)
{
	uint32_t n = pg_map_block(st, m) + 1;

	m->next = front ? keep->first[queue] : 0;
	m->prev = front ? 0 : keep->last[queue];
	*(m->next ? &at(st, m->next)->prev : &keep->last[queue]) = n;
	*(m->prev ? &at(st, m->prev)->next : &keep->first[queue]) = n;
}

/*
 * One that requests have begun to take from is the first to go on with; one to which pages come
 * back is left alone as long as may be.
 */
void pg_keep_update(struct pagus_state *st, const struct pg_pcp *pcp, struct pg_map *m)
{
	uint32_t type = pg_block_type(st, pg_map_start(st, m));
	bool whole = m->nr_free == 1u << st->pageblock_order;
	bool was_whole = m->queue > PG_KEEP_WHOLE;
	uint32_t queue = m->nr_free ? type + (whole ? PG_KEEP_WHOLE : 0) + 1 : 0;

	/* Nothing is taken from one that is about to be the zone's. */
	if (!pg_type_mergeable(type))
		queue = 0;
	if (queue == m->queue)
		return;
	pg_keep_remove(st, pcp, m);
	m->queue = (uint8_t)queue;
	if (queue)
		add(st, pg_keep(st, pcp), m, queue - 1, was_whole);
}
