/* SPDX-License-Identifier: MIT */
/* NUMA memory policies: which node is asked, how often, and with which rights. */
#include <pagus/mempolicy.h>

#include "unit/unit.h"

#define NODE_PAGES 4096
#define N(n) (UINT64_C(1) << (n))

/* Nodes 0, 1 and 2 with a Normal zone each, node 3 with Movable alone, a low zone on node 0. */
static const struct pagus_range ranges[] = {
	{ 0, NODE_PAGES, 0, PAGUS_ZONE_DMA32 },
	{ NODE_PAGES, NODE_PAGES, 0, PAGUS_ZONE_NORMAL },
	{ 2 * NODE_PAGES, NODE_PAGES, 1, PAGUS_ZONE_NORMAL },
	{ 3 * NODE_PAGES, NODE_PAGES, 2, PAGUS_ZONE_NORMAL },
	{ 4 * NODE_PAGES, NODE_PAGES, 3, PAGUS_ZONE_MOVABLE },
};
static const uint32_t cpu_node[] = { 0, 1 };

static void open_lab(struct lab *lab)
{
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "linux");

	cfg.nr_cpus = 2;
	cfg.cpu_node = cpu_node;
	unit_boot(lab, &cfg);
	lab_no_marks(lab);
	lab_listen(lab, 1u << PAGUS_EVENT_ALLOC);
}

static uint32_t node_of(const struct lab *lab, const struct pagus_result *res)
{
	assert_int_equal(res->status, PAGUS_OK);
	return unit_zone(lab, res->zone).node;
}

static struct pagus_result ask(struct lab *lab, struct pagus_mempolicy *policy,
			       const struct pagus_request *req)
{
	struct pagus_result res;
	enum pagus_status status;

	lab_listen(lab, 1u << PAGUS_EVENT_ALLOC);
	status = pagus_alloc_mpol(&lab->p, policy, req, &res);
	assert_int_equal(status, res.status);
	return res;
}

static uint32_t ask_node(struct lab *lab, struct pagus_mempolicy *policy, uint32_t gfp)
{
	const struct pagus_request req = { .gfp = gfp, .node = PAGUS_NO_NODE };
	struct pagus_result res = ask(lab, policy, &req);

	return node_of(lab, &res);
}

/* Nothing of the node is left, on any CPU. */
static void use_up(struct lab *lab, uint32_t node)
{
	struct pagus_request req = { .gfp = GFP_HIGHUSER_MOVABLE | __GFP_THISNODE, .node = node };
	struct pagus_result res;

	req.gfp &= ~__GFP_RECLAIM;
	for (uint32_t n = 0; n < 2 * NODE_PAGES; n++)
		if (pagus_alloc(&lab->p, &req, &res) != PAGUS_OK)
			return;
}

static void without_a_policy_the_cpus_node_serves(void **state)
{
	struct pagus_mempolicy local = { .mode = PAGUS_MPOL_LOCAL, .nodes = N(2) };
	struct pagus_mempolicy none = { .mode = PAGUS_MPOL_PREFERRED };
	struct pagus_mempolicy *const policies[] = { NULL, &local, &none };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	for (uint32_t cpu = 0; cpu < 2; cpu++) {
		pagus_sim_on(&lab.sim, cpu, 0);
		for (size_t n = 0; n < NR_OF(policies); n++)
			assert_int_equal(ask_node(&lab, policies[n], GFP_KERNEL), cpu_node[cpu]);
	}
	unit_close(&lab);
}

static void preferred_is_the_first_of_the_nodes_and_no_more_than_that(void **state)
{
	struct pagus_mempolicy policy = { .mode = PAGUS_MPOL_PREFERRED, .nodes = N(2) | N(1) };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	assert_int_equal(ask_node(&lab, &policy, GFP_KERNEL), 1);
	use_up(&lab, 1);
	assert_int_not_equal(ask_node(&lab, &policy, GFP_KERNEL), 1);
	assert_int_equal(lab.nr_events, 1);
	unit_close(&lab);
}

static void preferred_many_asks_its_nodes_without_reclaim_and_then_all(void **state)
{
	struct pagus_mempolicy policy = { .mode = PAGUS_MPOL_PREFERRED_MANY, .nodes = N(1) | N(2) };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	assert_true(ask_node(&lab, &policy, GFP_KERNEL | __GFP_NOFAIL) != 0);
	assert_int_equal(lab.nr_events, 1);
	assert_int_equal(lab.log[0].a, (GFP_KERNEL & ~__GFP_DIRECT_RECLAIM) | __GFP_NOWARN);
	use_up(&lab, 1);
	use_up(&lab, 2);
	assert_int_equal(ask_node(&lab, &policy, GFP_KERNEL), 0);
	assert_int_equal(lab.nr_events, 2);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_ALLOC).b, PAGUS_NO_MEMORY);
	assert_int_equal(lab.log[1].a, GFP_KERNEL);
	unit_close(&lab);
}

static void bind_takes_nothing_elsewhere(void **state)
{
	const struct pagus_request req = { .gfp = GFP_NOWAIT, .node = PAGUS_NO_NODE };
	struct pagus_mempolicy policy = { .mode = PAGUS_MPOL_BIND, .nodes = N(1) | N(2) };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	/* Of the policy's nodes, the nearest to the CPU's. */
	pagus_sim_on(&lab.sim, 1, 0);
	assert_int_equal(ask_node(&lab, &policy, GFP_KERNEL), 1);
	use_up(&lab, 1);
	assert_int_equal(ask_node(&lab, &policy, GFP_KERNEL), 2);
	use_up(&lab, 2);
	assert_int_equal(ask(&lab, &policy, &req).status, PAGUS_NO_MEMORY);
	unit_close(&lab);
}

static void bind_does_not_bind_requests_for_low_zones(void **state)
{
	struct pagus_mempolicy policy = { .mode = PAGUS_MPOL_BIND, .nodes = N(2) };
	struct pagus_mempolicy movable = { .mode = PAGUS_MPOL_BIND, .nodes = N(3) };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	assert_int_equal(ask_node(&lab, &policy, GFP_KERNEL | GFP_DMA32), 0);
	assert_int_equal(ask_node(&lab, &policy, GFP_KERNEL), 2);
	/* Node 3 has nothing but Movable. */
	assert_int_equal(ask_node(&lab, &movable, GFP_KERNEL), 0);
	assert_int_equal(ask_node(&lab, &movable, GFP_HIGHUSER_MOVABLE), 3);
	unit_close(&lab);
}

static uint64_t allowed_nodes;

static uint64_t mems_allowed(void *ctx, bool ancestor)
{
	(void)ctx;
	(void)ancestor;
	return allowed_nodes;
}

static void bind_does_not_bind_a_task_that_may_use_none_of_its_nodes(void **state)
{
	struct pagus_mempolicy policy = { .mode = PAGUS_MPOL_BIND, .nodes = N(2) };
	struct pagus_port port = pagus_sim_port;
	struct lab lab;

	(void)state;
	open_lab(&lab);
	port.mems_allowed = mems_allowed;
	lab.p.port = &port;
	allowed_nodes = N(1) | N(2);
	assert_int_equal(ask_node(&lab, &policy, GFP_KERNEL), 2);
	allowed_nodes = N(1);
	assert_int_equal(ask_node(&lab, &policy, GFP_KERNEL), 1);
	unit_close(&lab);
}

static void expect_turns(struct lab *lab, struct pagus_mempolicy *policy, const char *turns)
{
	for (size_t n = 0; turns[n]; n++) {
		policy->index = n;
		assert_int_equal(ask_node(lab, policy, GFP_KERNEL), turns[n] - '0');
	}
}

static void interleave_takes_the_nodes_in_turn(void **state)
{
	struct pagus_mempolicy policy = { .mode = PAGUS_MPOL_INTERLEAVE, .nodes = N(0) | N(2) };
	struct lab lab;

	(void)state;
	open_lab(&lab);
	expect_turns(&lab, &policy, "02020");
	policy.nodes = N(0) | N(1) | N(2) | N(60);
	expect_turns(&lab, &policy, "12012");
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_interleave), 10);
	/* The node whose turn it is comes first, but not alone. */
	use_up(&lab, 0);
	assert_int_not_equal(ask_node(&lab, &policy, GFP_KERNEL), 0);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_interleave), 10);
	expect_turns(&lab, &policy, "1");
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_interleave), 11);
	unit_close(&lab);
}

static void weights_are_how_often_in_a_row(void **state)
{
	struct pagus_mempolicy policy = {
		.mode = PAGUS_MPOL_WEIGHTED_INTERLEAVE, .nodes = N(0) | N(1) | N(2),
		.weights = { [0] = 3, [1] = 0, [2] = 2, [3] = 9 },
	};
	struct lab lab;

	(void)state;
	open_lab(&lab);
	expect_turns(&lab, &policy, "0001220001");
	/* A node that leaves the policy loses the rest of its turn. */
	expect_turns(&lab, &policy, "2");
	policy.nodes = N(0) | N(1);
	expect_turns(&lab, &policy, "00010");
	unit_close(&lab);
}

static void a_page_of_a_mapping_has_its_node_in_any_order_of_requests(void **state)
{
	struct pagus_mempolicy policy = {
		.mode = PAGUS_MPOL_INTERLEAVE, .mapped = true, .nodes = N(1) | N(2),
	};
	struct lab lab;

	(void)state;
	open_lab(&lab);
	expect_turns(&lab, &policy, "1212");
	expect_turns(&lab, &policy, "1");
	expect_turns(&lab, &policy, "12");
	policy.mode = PAGUS_MPOL_WEIGHTED_INTERLEAVE;
	policy.weights[1] = 2;
	policy.nodes |= N(0);
	expect_turns(&lab, &policy, "01120112");
	assert_int_equal(policy.next, 0);
	unit_close(&lab);
}

static void interrupts_and_thisnode_have_no_policy(void **state)
{
	struct pagus_request req = { .gfp = GFP_KERNEL | __GFP_THISNODE, .node = PAGUS_NO_NODE };
	struct pagus_mempolicy policy = { .mode = PAGUS_MPOL_INTERLEAVE, .nodes = N(2) };
	struct pagus_result res;
	struct lab lab;

	(void)state;
	open_lab(&lab);
	res = ask(&lab, &policy, &req);
	assert_int_equal(node_of(&lab, &res), 0);
	req = (struct pagus_request){ .gfp = GFP_ATOMIC, .node = 1,
				      .task = PAGUS_TASK_INTERRUPT };
	res = ask(&lab, &policy, &req);
	assert_int_equal(node_of(&lab, &res), 1);
	assert_int_equal(policy.next, 0);
	/* A mapping's policy is the mapping's, whoever asks. */
	policy.mapped = true;
	res = ask(&lab, &policy, &req);
	assert_int_equal(node_of(&lab, &res), 2);
	unit_close(&lab);
}

/*
 * What the attempts at a huge page ask for, as the events tell. Next to node 0 is node 2: it has no
 * CPUs.
 */
static void a_huge_page_of_a_mapping_is_asked_of_one_node_first(void **state)
{
	static const struct { uint32_t mode, order, gfp, attempts, node; bool mapped; } rows[] = {
		{ PAGUS_MPOL_LOCAL, 9, GFP_TRANSHUGE, 2, 2, true },
		/* Who may not wait is not served from afar. */
		{ PAGUS_MPOL_LOCAL, 9, GFP_TRANSHUGE_LIGHT, 1, PAGUS_NO_NODE, true },
		{ PAGUS_MPOL_LOCAL, 9, GFP_TRANSHUGE, 1, 2, false },
		{ PAGUS_MPOL_LOCAL, 8, GFP_TRANSHUGE, 1, 2, true },
		{ PAGUS_MPOL_INTERLEAVE, 9, GFP_TRANSHUGE, 1, 1, true },
		/* The local node is none of the policy's. */
		{ PAGUS_MPOL_BIND, 9, GFP_TRANSHUGE, 1, 1, true },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct pagus_mempolicy policy = { .mode = rows[n].mode, .mapped = rows[n].mapped,
						  .nodes = N(1) };
		const struct pagus_request req = { .gfp = rows[n].gfp, .order = rows[n].order,
						   .node = 0 };
		struct pagus_result res;
		struct lab lab;

		open_lab(&lab);
		use_up(&lab, 0);
		use_up(&lab, 3);
		res = ask(&lab, &policy, &req);
		assert_int_equal(lab.nr_events, rows[n].attempts);
		if (rows[n].node == PAGUS_NO_NODE)
			assert_int_equal(res.status, PAGUS_NO_MEMORY);
		else
			assert_int_equal(node_of(&lab, &res), rows[n].node);
		if (rows[n].attempts == 2 || rows[n].node == PAGUS_NO_NODE)
			assert_int_equal(lab.log[0].a,
					 rows[n].gfp | __GFP_THISNODE | __GFP_NORETRY);
		if (rows[n].attempts == 2)
			assert_int_equal(lab.log[1].a, rows[n].gfp);
		unit_close(&lab);
	}
}

static void what_makes_no_sense_is_refused(void **state)
{
	struct pagus_mempolicy rows[] = {
		{ .mode = PAGUS_NR_MPOL_MODES }, { .mode = PAGUS_MPOL_BIND },
		{ .mode = PAGUS_MPOL_INTERLEAVE, .nodes = N(9) | N(63) },
		{ .mode = PAGUS_MPOL_WEIGHTED_INTERLEAVE }, { .mode = PAGUS_MPOL_PREFERRED_MANY },
	};
	struct pagus_request req = { .gfp = GFP_KERNEL, .node = PAGUS_NO_NODE };
	struct pagus_mempolicy bind = { .mode = PAGUS_MPOL_BIND, .mapped = true, .nodes = N(1) };
	struct lab lab;
	uint64_t digest;

	(void)state;
	open_lab(&lab);
	digest = pagus_digest(&lab.p);
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct pagus_result res = ask(&lab, &rows[n], &req);

		assert_int_equal(res.status, PAGUS_BAD_VALUE);
		assert_true(res.pfn == PAGUS_NO_PFN);
	}
	req.node = 99;
	req.order = 9;
	assert_int_equal(ask(&lab, &bind, &req).status, PAGUS_BAD_NODE);
	req.nodemask = N(0);
	assert_int_equal(ask(&lab, NULL, &req).status, PAGUS_BAD_VALUE);
	assert_true(pagus_digest(&lab.p) == digest);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_policy_the_cpus_node_serves),
		cmocka_unit_test(preferred_is_the_first_of_the_nodes_and_no_more_than_that),
		cmocka_unit_test(preferred_many_asks_its_nodes_without_reclaim_and_then_all),
		cmocka_unit_test(bind_takes_nothing_elsewhere),
		cmocka_unit_test(bind_does_not_bind_requests_for_low_zones),
		cmocka_unit_test(bind_does_not_bind_a_task_that_may_use_none_of_its_nodes),
		cmocka_unit_test(interleave_takes_the_nodes_in_turn),
		cmocka_unit_test(weights_are_how_often_in_a_row),
		cmocka_unit_test(a_page_of_a_mapping_has_its_node_in_any_order_of_requests),
		cmocka_unit_test(interrupts_and_thisnode_have_no_policy),
		cmocka_unit_test(a_huge_page_of_a_mapping_is_asked_of_one_node_first),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
