/* SPDX-License-Identifier: MIT */
#include "zone/owner.h"

/* Written at once, since whether a CPU's list is empty is asked without the lock. */
static void join(struct pagus_state *st, uint32_t list, uint32_t prev, uint32_t next)
{
	pg_write(pg_own(st, prev)->link[list].next, next);
	pg_write(pg_own(st, next)->link[list].prev, prev);
}

void pg_own_init(struct pagus_state *st)
{
	uint32_t nr_heads = st->off_owns ? st->nr_zones * st->nr_cpus : 0;

	for (uint32_t head = 1; head <= nr_heads; head++)
		for (uint32_t list = 0; list < PG_NR_OWN_LISTS; list++)
			join(st, list, head, head);
}

bool pg_own_listed(const struct pg_own *own, uint32_t list)
{
	return own->link[list].next != 0;
}

void pg_own_add(struct pagus_state *st, uint32_t head, uint32_t record, uint32_t list)
{
	uint32_t next = pg_own(st, head)->link[list].next;

	PG_ASSERT(!pg_own_listed(pg_own(st, record), list));
	join(st, list, record, next);
	join(st, list, head, record);
}

void pg_own_del(struct pagus_state *st, uint32_t record, uint32_t list)
{
	struct pg_own *own = pg_own(st, record);
	uint32_t prev = own->link[list].prev, next = own->link[list].next;

	PG_ASSERT(pg_own(st, prev)->link[list].next == record &&
		  pg_own(st, next)->link[list].prev == record);
	join(st, list, prev, next);
	pg_write(own->link[list].prev, 0);
	pg_write(own->link[list].next, 0);
}

void pg_own_take(struct pg_call *c, uint32_t i, uint32_t cpu)
{
	struct pg_own *own = pg_own(c->st, pg_own_record(c->st, i));

	PG_ASSERT(own->owner == 0 && own->nr_free == 0 && !pg_own_listed(own, PG_OWN_PIECES));
	pg_atomic_store(&own->owner, cpu + 1);
	pg_count(c, PAGUS_COUNTER_pageblock_own, 1);
}

void pg_own_drop(struct pg_call *c, uint32_t record)
{
	struct pg_own *own = pg_own(c->st, record);

	PG_ASSERT(own->owner && own->nr_free == 0 && !pg_own_listed(own, PG_OWN_WHOLE));
	if (pg_own_listed(own, PG_OWN_PIECES))
		pg_own_del(c->st, record, PG_OWN_PIECES);
	own->age = 0;
	pg_atomic_store(&own->owner, 0);
	pg_count(c, PAGUS_COUNTER_pageblock_disown, 1);
}

enum pg_end pg_own_freed(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
			 enum pg_end end)
{
	uint32_t record = pg_own_record(c->st, i);
	struct pg_own *own = pg_own(c->st, record);

	if (own->owner == 0)
		return end;
	if (order >= c->st->pageblock_order) {
		pg_own_drop(c, record);
		return end;
	}
	if (!pg_own_listed(own, PG_OWN_PIECES))
		pg_own_add(c->st, pg_own_head(c->st, z->id, own->owner - 1), record, PG_OWN_PIECES);
	return PG_TAIL;
}
