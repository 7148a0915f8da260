/* SPDX-License-Identifier: MIT */
#include "reclaim/kcompactd.h"

#include "reclaim/suitable.h"

uint32_t pg_kcompactd_flags(const struct pagus_state *st)
{
	return st->tunable[PAGUS_TUNABLE_defrag_mode] ? PAGUS_WMARK_HIGH : PAGUS_WMARK_MIN;
}

/* (kcompactd_node_suitable) */
static bool could_help(const struct pg_call *c, uint32_t node)
{
	const struct pagus_state *st = c->st;
	const struct pg_node *n = pg_node(st, node);
	const uint32_t highest = pg_atomic_load(&n->compact_wanted_highest);
	const struct pg_suit who = {
		.order = pg_atomic_load(&n->compact_wanted_order), .flags = pg_kcompactd_flags(st),
		.highest = highest == PAGUS_NR_ZONE_TYPES ? PAGUS_ZONE_MOVABLE : highest,
		.daemon = true,
	};

	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);

		if (z->node == node && z->type <= who.highest && pg_read(z->managed) &&
		    pg_compact_judge(c, z, &who) == PG_COMPACTED_CONTINUE)
			return true;
	}
	return false;
}

static void note_wanted(struct pg_node *n, uint32_t order, uint32_t highest)
{
	if (pg_atomic_load(&n->compact_wanted_highest) > highest)
		pg_atomic_store(&n->compact_wanted_highest, highest);
	if (pg_atomic_load(&n->compact_wanted_order) < order)
		pg_atomic_store(&n->compact_wanted_order, order);
}

void pg_kcompactd_wake(struct pg_call *c, uint32_t node, uint32_t order, uint32_t highest)
{
	struct pg_node *n = pg_node(c->st, node);

	if (order == 0 || !c->p->port->move || !c->p->port->wake)
		return;
	note_wanted(n, order, highest);
	/* Of this and its falling asleep one comes first, and the other sees it; as with kswapd. */
	if (pg_atomic_or(&n->compact_awake, 0) || !could_help(c, node))
		return;
	if (pg_event_wanted(c, PAGUS_EVENT_KCOMPACTD_WAKEUP))
		pg_event_raise(c, PAGUS_EVENT_KCOMPACTD_WAKEUP, PG_NO_ZONE, PAGUS_NO_PFN, order, 0,
			       node, highest);
	if (!pg_atomic_exchange(&n->compact_awake, 1))
		c->p->port->wake(c->p->port_ctx, PAGUS_WORKER_KCOMPACTD, node);
}

void pg_kcompactd_check(struct pagus *p, uint32_t node)
{
	struct pg_node *n = pg_node(p->state, node);

	if (!p->port->move)
		return;
	pg_atomic_store(&n->compact_check, 1);
	if (!pg_atomic_exchange(&n->compact_awake, 1) && p->port->wake)
		p->port->wake(p->port_ctx, PAGUS_WORKER_KCOMPACTD, node);
}
