/* SPDX-License-Identifier: MIT */
/*
 * The order of nodes in every zonelist, for random machines, against a second way to find it:
 * nodes at asymmetric distances, some without memory, some without CPUs, whose loads carry over
 * from one node's list to the next.
 */
#include "unit/unit.h"

#define MAX_NODES 8

struct numa {
	uint32_t nr_nodes, nr_ranges, nr_cpus;
	bool memory[MAX_NODES], cpus[MAX_NODES];
	uint8_t distances[MAX_NODES * MAX_NODES];
	struct pagus_range ranges[2 * MAX_NODES];
	uint32_t cpu_node[MAX_NODES];
	uint32_t load[MAX_NODES];
};

/* Every node has memory, or a CPU, or both. Few different distances, so that many are equal. */
static void random_numa(struct numa *m, uint64_t *seed)
{
	uint64_t kinds = 1 + lab_random(seed, 4), always;

	*m = (struct numa){ .nr_nodes = 1 + (uint32_t)lab_random(seed, MAX_NODES) };
	always = lab_random(seed, m->nr_nodes);
	for (uint32_t n = 0; n < m->nr_nodes; n++) {
		m->memory[n] = n == always || lab_random(seed, 4);
		m->cpus[n] = !m->memory[n] || lab_random(seed, 3);
		if (m->cpus[n])
			m->cpu_node[m->nr_cpus++] = n;
		for (uint64_t zones = m->memory[n] ? 1 + lab_random(seed, 2) : 0; zones > 0; zones--) {
			m->ranges[m->nr_ranges] = (struct pagus_range){
				1024 * m->nr_ranges, 64, n, zones == 2 ? PAGUS_ZONE_NORMAL :
									 PAGUS_ZONE_MOVABLE };
			m->nr_ranges++;
		}
		for (uint32_t to = 0; to < m->nr_nodes; to++)
			m->distances[n * m->nr_nodes + to] =
				n == to ? 10 : (uint8_t)(11 + 10 * lab_random(seed, kinds));
	}
	if (m->nr_cpus == 0) {
		m->cpus[0] = true;
		m->cpu_node[m->nr_cpus++] = 0;
	}
}

static uint32_t far(const struct numa *m, uint32_t from, uint32_t to)
{
	return m->distances[from * m->nr_nodes + to];
}

/* True if `local` would rather go to a than to b. */
static bool comes_before(const struct numa *m, uint32_t local, uint32_t a, uint32_t b)
{
	uint32_t cost_a = far(m, local, a) + (a < local) + m->cpus[a];
	uint32_t cost_b = far(m, local, b) + (b < local) + m->cpus[b];

	if ((a == local) != (b == local))
		return a == local;
	if (cost_a != cost_b)
		return cost_a < cost_b;
	if (m->load[a] != m->load[b])
		return m->load[a] < m->load[b];
	return a < b;
}

/* The nodes with memory, sorted by repeatedly taking the one that no other comes before. */
static uint32_t walk_of(struct numa *m, uint32_t local, uint32_t *walk)
{
	bool taken[MAX_NODES] = { false };
	uint32_t nr = 0, previous = local;

	for (;;) {
		uint32_t next = MAX_NODES;

		for (uint32_t n = 0; n < m->nr_nodes; n++)
			if (m->memory[n] && !taken[n] &&
			    (next == MAX_NODES || comes_before(m, local, n, next)))
				next = n;
		if (next == MAX_NODES)
			return nr;
		/* The first of a group at a new distance gets the load. */
		if (far(m, local, next) != far(m, local, previous))
			m->load[next]++;
		taken[next] = true;
		previous = next;
		walk[nr++] = next;
	}
}

/* Zones of one node, the highest first, at the front of `zones`; how many. */
static uint32_t expect_node(const struct lab *lab, const uint8_t *zones, uint32_t nr, uint32_t node)
{
	uint32_t n = 0;

	for (; n < nr; n++) {
		struct pagus_zone_info info = unit_zone(lab, zones[n]);

		if (info.node != node)
			break;
		if (n > 0)
			assert_true(info.type < unit_zone(lab, zones[n - 1]).type);
	}
	assert_true(n > 0);
	return n;
}

static void expect_lists(struct numa *m, const struct lab *lab)
{
	uint8_t zones[2 * MAX_NODES];

	for (uint32_t local = 0; local < m->nr_nodes; local++) {
		uint32_t walk[MAX_NODES], nr_nodes = walk_of(m, local, walk), at = 0;
		uint32_t nr = pagus_zonelist(&lab->p, local, false, zones, NR_OF(zones));

		assert_int_equal(nr, m->nr_ranges);
		for (uint32_t n = 0; n < nr_nodes; n++)
			at += expect_node(lab, zones + at, nr - at, walk[n]);
		assert_int_equal(at, nr);
		nr = pagus_zonelist(&lab->p, local, true, zones, NR_OF(zones));
		assert_true((nr > 0) == m->memory[local]);
		if (nr)
			assert_int_equal(expect_node(lab, zones, nr, local), nr);
	}
}

static void nodes_follow_distance_cpus_and_load(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (uint32_t round = 0; round < 3000; round++) {
		struct pagus_config cfg;
		struct numa m;
		struct lab lab;

		random_numa(&m, &seed);
		cfg = lab_config(m.ranges, m.nr_ranges, "nopcp");
		cfg.nr_cpus = m.nr_cpus;
		cfg.cpu_node = m.cpu_node;
		unit_open(&lab, &cfg);
		lab.sim.distances = m.distances;
		lab.sim.nr_nodes = m.nr_nodes;
		assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
		expect_lists(&m, &lab);
		unit_close(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_follow_distance_cpus_and_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
