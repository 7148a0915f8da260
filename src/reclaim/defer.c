/* SPDX-License-Identifier: MIT */
#include "reclaim/defer.h"

#include "base/bits.h"

#define MAX_SHIFT   6  /* COMPACT_MAX_DEFER_SHIFT */
#define BURST_TICKS 64

/* ---- failures -------------------------------------------------------------------------------- */

static void tell(const struct pg_call *c, enum pagus_event_id id, const struct pg_zone *z,
		 uint32_t order)
{
	if (pg_event_wanted(c, id))
		pg_event_raise(c, id, z->id, PAGUS_NO_PFN, order, 0,
			       pg_read(z->compact_order_failed), pg_read(z->compact_considered) |
			       0x10000u << pg_read(z->compact_shift));
}

bool pg_defer_refuses(const struct pg_call *c, struct pg_zone *z, uint32_t order)
{
	uint32_t most = 1u << pg_read(z->compact_shift), considered;

	if (order < pg_read(z->compact_order_failed))
		return false;
	considered = (uint32_t)pg_min(pg_read(z->compact_considered) + 1, most);
	pg_write(z->compact_considered, considered);
	if (considered >= most)
		return false;
	tell(c, PAGUS_EVENT_COMPACT_DEFERRED, z, order);
	return true;
}

bool pg_defer_restarts(const struct pg_zone *z, uint32_t order)
{
	return order >= pg_read(z->compact_order_failed) &&
	       pg_read(z->compact_shift) == MAX_SHIFT &&
	       pg_read(z->compact_considered) >= 1u << MAX_SHIFT;
}

void pg_defer_failed(const struct pg_call *c, struct pg_zone *z, uint32_t order)
{
	pg_write(z->compact_considered, 0);
	pg_write(z->compact_shift, (uint32_t)pg_min(pg_read(z->compact_shift) + 1, MAX_SHIFT));
	if (order < pg_read(z->compact_order_failed))
		pg_write(z->compact_order_failed, order);
	tell(c, PAGUS_EVENT_COMPACT_DEFER, z, order);
}

void pg_defer_reset(const struct pg_call *c, struct pg_zone *z, uint32_t order, bool served)
{
	if (served) {
		pg_write(z->compact_considered, 0);
		pg_write(z->compact_shift, 0);
	}
	if (order >= pg_read(z->compact_order_failed))
		pg_write(z->compact_order_failed, order + 1);
	tell(c, PAGUS_EVENT_COMPACT_DEFER_RESET, z, order);
}

/* ---- the rate -------------------------------------------------------------------------------- */

static int32_t tokens(const struct pg_zone *z)
{
	return (int32_t)pg_atomic_load(&z->compact_tokens);
}

bool pg_rate_refuses(const struct pg_call *c, const struct pg_zone *z)
{
	if (c->st->tunable[PAGUS_TUNABLE_compact_rate] == 0 || tokens(z) > 0)
		return false;
	pg_count(c, PAGUS_COUNTER_compact_refused, 1);
	return true;
}

/* At most as much is owed as the bucket holds: whoever sets a rate is not refused for hours. */
void pg_rate_charge(const struct pagus_state *st, struct pg_zone *z, uint64_t pages)
{
	int64_t most = (int64_t)st->tunable[PAGUS_TUNABLE_compact_rate] * BURST_TICKS;

	if (most == 0)
		return;
	pages = pg_min(pages, (uint64_t)(tokens(z) + most > 0 ? tokens(z) + most : 0));
	pg_atomic_sub(&z->compact_tokens, (uint32_t)pages);
}

static void fill(const struct pagus_state *st, struct pg_zone *z)
{
	int64_t rate = st->tunable[PAGUS_TUNABLE_compact_rate];
	int64_t room = rate * BURST_TICKS - tokens(z);

	if (room > 0)
		pg_atomic_add(&z->compact_tokens, (uint32_t)pg_min((uint64_t)rate, (uint64_t)room));
}

/* The CPU that fills the buckets of a node: its first, or, where it has none, the machine's. */
static uint32_t first_cpu(const struct pagus_state *st, uint32_t node)
{
	uint32_t any = st->nr_cpus;

	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++) {
		if (!pg_cpu_online(st, cpu))
			continue;
		if (pg_cpu_node(st, cpu) == node)
			return cpu;
		any = (uint32_t)pg_min(any, cpu);
	}
	return any;
}

void pg_rate_tick(const struct pg_call *c)
{
	if (c->st->tunable[PAGUS_TUNABLE_compact_rate] == 0)
		return;
	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		struct pg_zone *z = pg_zone(c->st, id);

		if (first_cpu(c->st, z->node) == c->cpu)
			fill(c->st, z);
	}
}

void pg_rate_start(struct pagus_state *st)
{
	for (uint32_t id = 0; id < st->nr_zones; id++)
		pg_atomic_store(&pg_zone(st, id)->compact_tokens,
				st->tunable[PAGUS_TUNABLE_compact_rate] * BURST_TICKS);
}
