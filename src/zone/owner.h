/* SPDX-License-Identifier: MIT */
/*
 * Ownership of pageblocks. A CPU comes to own a pageblock when it takes it whole from the zone; the
 * zone has it back when it is free there as a whole. In between the pages of it that are freed go
 * to the owner's pcp, so that buddies meet. Pieces of it that nevertheless come to lie in the zone
 * stand at the tails of their lists, used last by others, and the pageblock on a list of its owner,
 * who takes them back first.
 *
 * Whoever holds a page of a pageblock may read who owns it without a lock: it cannot become owned
 * while not all of it is free. It can be disowned; that needs the owner's pcp lock too, so a freer
 * that has this lock asks again.
 */
#ifndef PG_ZONE_OWNER_H
#define PG_ZONE_OWNER_H

#include "base/atomic.h"
#include "zone/zone.h"

static inline struct pg_own *pg_own(const struct pagus_state *st, uint32_t record)
{
	return (struct pg_own *)pg_at(st, st->off_owns) + record;
}

/* The record of a pcp's list heads; that of the pageblock of page i; the other way round. */
static inline uint32_t pg_own_head(const struct pagus_state *st, uint32_t zone, uint32_t cpu)
{
	return 1 + zone * st->nr_cpus + cpu;
}

static inline uint32_t pg_own_record(const struct pagus_state *st, uint32_t i)
{
	return 1 + st->nr_zones * st->nr_cpus + pg_block(st, i);
}

static inline uint32_t pg_own_start(const struct pagus_state *st, uint32_t record)
{
	return st->first_page +
	       ((record - 1 - st->nr_zones * st->nr_cpus) << st->pageblock_order);
}

/* CPU + 1 of the owner of the pageblock of page i; 0: the zone. */
static inline uint32_t pg_owner(const struct pagus_state *st, uint32_t i)
{
	if (pg_mapped(st))
		return pg_map_owner(pg_map(st, i));
	return st->off_owns ? pg_atomic_load(&pg_own(st, pg_own_record(st, i))->owner) : 0;
}

/* All lists empty. */
void pg_own_init(struct pagus_state *st);

/* Lists of records; the lock is that of the list (state.h). */
bool pg_own_listed(const struct pg_own *own, uint32_t list);
void pg_own_add(struct pagus_state *st, uint32_t head, uint32_t record, uint32_t list);
void pg_own_del(struct pagus_state *st, uint32_t record, uint32_t list);

/* The pageblock of page i, just taken whole from the zone, is the CPU's. Needs the zone's lock. */
void pg_own_take(struct pg_call *c, uint32_t i, uint32_t cpu);

/* The pageblock is the zone's; none of its pages is on its owner's lists. Needs the zone's lock. */
void pg_own_drop(struct pg_call *c, uint32_t record);

/*
 * A block of `order` that came of freeing page i lies in the zone, or was captured there. A whole
 * pageblock is its owner's no longer; of an owned one the owner remembers that a piece is there.
 * Returns the end of its list that it should have. Needs the zone's lock.
 */
enum pg_end pg_own_freed(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
			 enum pg_end end);

#endif
