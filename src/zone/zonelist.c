/* SPDX-License-Identifier: MIT */
/*
 * Zonelists: for each node, the zones that its requests walk. Within a node the highest zone type
 * comes first. Nodes come nearest first: the node itself, then repeatedly the one with the least
 *
 *     (distance + 1 if its number is below the node's + 1 if it has CPUs) * PAGUS_MAX_NODES + load
 *
 * where load counts how often a node was chosen first among equals, so that nodes at equal distance
 * take turns over the lists of a whole rebuild.
 */
#include "zone/zone.h"

#include "mem/cpu.h"

static uint32_t distance(const struct pg_call *c, uint32_t from, uint32_t to)
{
	if (c->p->port->distance)
		return c->p->port->distance(c->p->port_ctx, from, to);
	return from == to ? 10 : 20;
}

static uint32_t next_node(const struct pg_call *c, uint32_t node, uint64_t used,
			  const uint32_t *load)
{
	uint32_t best = PAGUS_NO_NODE;
	uint64_t best_value = UINT64_MAX;

	if (c->st->node_online[node] && !(used >> node & 1))
		return node;
	for (uint32_t n = 0; n < c->st->nr_nodes; n++) {
		uint64_t value;

		if (!c->st->node_online[n] || used >> n & 1)
			continue;
		value = distance(c, node, n) + (n < node) + (pg_cpu_count(c->st, n) > 0);
		value = value * PAGUS_MAX_NODES + load[n];
		if (value < best_value) {
			best_value = value;
			best = n;
		}
	}
	return best;
}

static void append_node(struct pagus_state *st, uint8_t *list, uint32_t node)
{
	for (uint32_t id = st->nr_zones; id-- > 0;)
		if (pg_zone(st, id)->node == node && pg_zone_populated(pg_zone(st, id)))
			list[++list[0]] = (uint8_t)id;
}

/* Who still reads what was there, two turns ago, finds one byte or the other. */
static void store_list(uint8_t *to, const uint8_t *list, uint32_t nr)
{
	for (uint32_t n = 0; n < nr; n++)
		pg_write(to[n], list[n]);
}

static void build_node(const struct pg_call *c, uint32_t turn, uint32_t node, uint32_t *load)
{
	uint8_t fallback[PG_MAX_ZONES + 1] = { 0 }, own[PG_MAX_ZONES + 1] = { 0 };
	uint32_t previous = node;
	uint64_t used = 0;

	append_node(c->st, own, node);
	for (uint32_t n = 0; n < c->st->nr_nodes; n++) {
		uint32_t next = next_node(c, node, used, load);

		if (next == PAGUS_NO_NODE)
			break;
		if (distance(c, node, next) != distance(c, node, previous))
			load[next]++;
		append_node(c->st, fallback, next);
		used |= UINT64_C(1) << next;
		previous = next;
	}
	store_list(pg_zonelist_of(c->st, turn, node, false), fallback, c->st->nr_zones + 1);
	store_list(pg_zonelist_of(c->st, turn, node, true), own, c->st->nr_zones + 1);
}

void pg_zonelist_build(struct pg_call *c)
{
	uint32_t load[PAGUS_MAX_NODES] = { 0 };
	uint32_t turn = pg_atomic_load(pg_zonelist_turn(c->st)) + 1;

	for (uint32_t node = 0; node < c->st->nr_nodes; node++)
		build_node(c, turn, node, load);
	pg_atomic_store(pg_zonelist_turn(c->st), turn);
}
