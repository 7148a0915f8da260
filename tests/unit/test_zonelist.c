/* SPDX-License-Identifier: MIT */
/* In which order a request walks nodes and zones. */
#include "unit/unit.h"

#define NR_NODES 4

/* 512 pages a node, Normal alone: zone id = node. */
static const struct pagus_range four_nodes[NR_NODES] = {
	{ 0, 512, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 512, 1, PAGUS_ZONE_BY_CEILING },
	{ 2048, 512, 2, PAGUS_ZONE_BY_CEILING }, { 3072, 512, 3, PAGUS_ZONE_BY_CEILING },
};
static const uint32_t cpu_on_each[NR_NODES] = { 0, 1, 2, 3 };

static void boot_nodes(struct lab *lab, const uint8_t *distances, const uint32_t *cpu_node,
		       uint32_t nr_cpus)
{
	struct pagus_config cfg = lab_config(four_nodes, NR_NODES, "nopcp");

	cfg.cpu_node = cpu_node;
	cfg.nr_cpus = nr_cpus;
	unit_open(lab, &cfg);
	lab->sim.distances = distances;
	lab->sim.nr_nodes = NR_NODES;
	assert_int_equal(lab_hand_over(lab, &cfg), PAGUS_OK);
	lab_no_marks(lab);
}

static void expect_walks(const struct lab *lab, const uint8_t want[NR_NODES][NR_NODES])
{
	for (uint32_t node = 0; node < NR_NODES; node++) {
		uint8_t got[NR_NODES];

		assert_int_equal(pagus_zonelist(&lab->p, node, false, got, NR_NODES), NR_NODES);
		assert_memory_equal(got, want[node], NR_NODES);
		assert_int_equal(pagus_zonelist(&lab->p, node, true, got, NR_NODES), 1);
		assert_int_equal(got[0], node);
	}
	assert_int_equal(pagus_zonelist(&lab->p, NR_NODES, false, NULL, 0), 0);
}

/* A node below one's own costs 1 more, so that each list begins with the nodes above. */
static void equal_distances_go_round(void **state)
{
	static const uint8_t want[NR_NODES][NR_NODES] = {
		{ 0, 1, 2, 3 }, { 1, 2, 3, 0 }, { 2, 3, 0, 1 }, { 3, 0, 1, 2 },
	};
	struct lab lab;

	(void)state;
	boot_nodes(&lab, NULL, cpu_on_each, NR_NODES);
	expect_walks(&lab, want);
	unit_close(&lab);
}

/*
 * Nodes 0 and 1 are far from each other. Node 0 chose 2 first, which loads it, so node 1 takes 3
 * before 2. Node 2 still prefers 3, above it, and finds 0 and 1 equally loaded; node 3 has only
 * nodes below.
 */
static void nodes_at_equal_distance_take_turns(void **state)
{
	static const uint8_t distances[NR_NODES * NR_NODES] = {
		10, 40, 20, 20,
		40, 10, 20, 20,
		20, 20, 10, 20,
		20, 20, 20, 10,
	};
	/* load after node 0: [2]=1 [1]=1; after node 1: [3]=1 [0]=1; after node 2: [3]=2. */
	static const uint8_t want[NR_NODES][NR_NODES] = {
		{ 0, 2, 3, 1 }, { 1, 3, 2, 0 }, { 2, 3, 0, 1 }, { 3, 0, 1, 2 },
	};
	struct lab lab;

	(void)state;
	boot_nodes(&lab, distances, cpu_on_each, NR_NODES);
	expect_walks(&lab, want);
	unit_close(&lab);
}

/* The row is that of the node that asks. */
static void distances_may_be_asymmetric(void **state)
{
	static const uint8_t distances[NR_NODES * NR_NODES] = {
		10, 50, 40, 30,
		20, 10, 30, 40,
		40, 20, 10, 30,
		20, 40, 30, 10,
	};
	static const uint8_t want[NR_NODES][NR_NODES] = {
		{ 0, 3, 2, 1 }, { 1, 0, 2, 3 }, { 2, 1, 3, 0 }, { 3, 0, 2, 1 },
	};
	struct lab lab;

	(void)state;
	boot_nodes(&lab, distances, cpu_on_each, NR_NODES);
	expect_walks(&lab, want);
	unit_close(&lab);
}

static void a_port_without_distances_means_10_and_20(void **state)
{
	static const uint8_t equal[NR_NODES * NR_NODES] = {
		10, 20, 20, 20, 20, 10, 20, 20, 20, 20, 10, 20, 20, 20, 20, 10,
	};
	struct pagus_port port = pagus_sim_port;
	uint8_t with[NR_NODES], without[NR_NODES];
	struct lab lab;

	(void)state;
	boot_nodes(&lab, equal, cpu_on_each, NR_NODES);
	for (uint32_t node = 0; node < NR_NODES; node++) {
		lab.p.port = &pagus_sim_port;
		assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
		pagus_zonelist(&lab.p, node, false, with, NR_NODES);
		port.distance = NULL;
		lab.p.port = &port;
		assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
		pagus_zonelist(&lab.p, node, false, without, NR_NODES);
		assert_memory_equal(with, without, NR_NODES);
	}
	unit_close(&lab);
}

static void a_node_without_cpus_is_preferred_at_equal_distance(void **state)
{
	static const uint32_t cpu_node[] = { 0, 1 };
	uint8_t got[NR_NODES];
	struct lab lab;

	(void)state;
	boot_nodes(&lab, NULL, cpu_node, 2);
	pagus_zonelist(&lab.p, 0, false, got, NR_NODES);
	assert_int_equal(got[0], 0);
	assert_int_equal(got[1], 2);
	assert_int_equal(got[2], 3);
	assert_int_equal(got[3], 1);
	unit_close(&lab);
}

static void a_nodes_highest_zone_comes_first(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 1024, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 512, 0, PAGUS_ZONE_MOVABLE },
		{ 2048, 512, 1, PAGUS_ZONE_BY_CEILING }, { 2560, 512, 1, PAGUS_ZONE_MOVABLE },
	};
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "linux");
	/* Node 0: DMA 0, Normal 1, Movable 2. Node 1: Normal 3, Movable 4. */
	static const uint8_t want[] = { 2, 1, 0, 4, 3 };
	uint8_t got[NR_OF(want)];
	struct lab lab;

	(void)state;
	cfg.dma_ceiling = 512;
	unit_boot(&lab, &cfg);
	assert_int_equal(pagus_zonelist(&lab.p, 0, false, got, NR_OF(got)), NR_OF(want));
	assert_memory_equal(got, want, NR_OF(want));
	assert_int_equal(pagus_zonelist(&lab.p, 0, true, got, NR_OF(got)), 3);
	assert_memory_equal(got, want, 3);
	/* The number is that of all, whatever the room. */
	got[1] = 99;
	assert_int_equal(pagus_zonelist(&lab.p, 1, false, got, 1), NR_OF(want));
	assert_int_equal(got[0], 4);
	assert_int_equal(got[1], 99);
	unit_close(&lab);
}

static struct pagus_result ask(struct lab *lab, uint32_t gfp, uint32_t node, uint64_t nodemask)
{
	const struct pagus_request req = {
		.gfp = gfp, .order = 9, .node = node, .nodemask = nodemask,
	};
	struct pagus_result res;

	pagus_alloc(&lab->p, &req, &res);
	return res;
}

static void requests_follow_the_list(void **state)
{
	struct lab lab;

	(void)state;
	boot_nodes(&lab, NULL, cpu_on_each, NR_NODES);
	assert_int_equal(ask(&lab, GFP_KERNEL, 1, 0).zone, 1);
	assert_int_equal(ask(&lab, GFP_KERNEL | __GFP_THISNODE, 1, 0).status, PAGUS_NO_MEMORY);
	assert_int_equal(ask(&lab, GFP_KERNEL, 1, 1u << 0 | 1u << 3).zone, 3);
	assert_int_equal(ask(&lab, GFP_KERNEL, 1, 1u << 1 | 1u << 3).status, PAGUS_NO_MEMORY);
	assert_int_equal(ask(&lab, GFP_KERNEL, 1, UINT64_C(1) << 63).status, PAGUS_NO_MEMORY);
	pagus_sim_on(&lab.sim, 2, 0);
	assert_int_equal(ask(&lab, GFP_KERNEL, PAGUS_NO_NODE, 0).zone, 2);
	assert_int_equal(ask(&lab, GFP_KERNEL, PAGUS_NO_NODE, 0).zone, 0);
	unit_close(&lab);
}

static void a_cpu_on_a_node_without_memory_is_served_by_the_nearest(void **state)
{
	static const uint32_t cpu_node[] = { 2 };
	static const uint8_t distances[] = { 10, 20, 30, 20, 10, 15, 30, 15, 10 };
	struct pagus_config cfg = lab_config(four_nodes, 2, "nopcp");
	struct lab lab;

	(void)state;
	cfg.cpu_node = cpu_node;
	unit_open(&lab, &cfg);
	lab.sim.distances = distances;
	lab.sim.nr_nodes = 3;
	assert_int_equal(lab_hand_over(&lab, &cfg), PAGUS_OK);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), 1024);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_distances_go_round),
		cmocka_unit_test(nodes_at_equal_distance_take_turns),
		cmocka_unit_test(distances_may_be_asymmetric),
		cmocka_unit_test(a_port_without_distances_means_10_and_20),
		cmocka_unit_test(a_node_without_cpus_is_preferred_at_equal_distance),
		cmocka_unit_test(a_nodes_highest_zone_comes_first),
		cmocka_unit_test(requests_follow_the_list),
		cmocka_unit_test(a_cpu_on_a_node_without_memory_is_served_by_the_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
