/* SPDX-License-Identifier: MIT */
/* CPUs that go and come, and pcps that are switched off. */
#include <pagus/step.h>

#include "unit/unit.h"

#include <string.h>

/* Two nodes, each with its Normal zone; CPUs 0 to 2 on node 0, CPU 3 on node 1. */
#define ZONE_PAGES 65536
#define NR_CPUS    4

static const struct pagus_range ranges[] = {
	{ 0, ZONE_PAGES, 0, PAGUS_ZONE_BY_CEILING },
	{ ZONE_PAGES, ZONE_PAGES, 1, PAGUS_ZONE_BY_CEILING },
};
static const uint32_t cpu_node[NR_CPUS] = { 0, 0, 0, 1 };

static void open_lab(struct lab *lab)
{
	struct pagus_config cfg = lab_config(ranges, 2, "linux");

	cfg.nr_cpus = NR_CPUS;
	cfg.cpu_node = cpu_node;
	unit_boot(lab, &cfg);
}

/* The limits are those of a zone whose pages so many CPUs share. */
static void expect_sharers(const struct lab *lab, uint32_t zone, uint32_t nr)
{
	struct pagus_zone_info info = unit_zone(lab, zone);

	for (uint32_t cpu = 0; cpu < NR_CPUS; cpu++) {
		struct pagus_pcp_info pcp = unit_pcp(lab, zone, cpu);

		assert_int_equal(pcp.batch, 15);
		assert_int_equal(pcp.high_max, info.managed / 8 / nr);
		assert_int_equal(pcp.high_min, info.wmark[PAGUS_WMARK_LOW] / nr);
	}
}

static void down(struct lab *lab, uint32_t cpu)
{
	assert_int_equal(pagus_cpu_down(&lab->p, cpu), PAGUS_OK);
	assert_false(pagus_cpu_online(&lab->p, cpu));
	unit_check(lab);
}

static void up(struct lab *lab, uint32_t cpu)
{
	assert_int_equal(pagus_cpu_up(&lab->p, cpu), PAGUS_OK);
	assert_true(pagus_cpu_online(&lab->p, cpu));
	unit_check(lab);
}

static void a_cpu_that_goes_leaves_its_pages_to_the_zones(void **state)
{
	struct lab lab;

	(void)state;
	open_lab(&lab);
	for (uint32_t cpu = 0; cpu < 2; cpu++) {
		pagus_sim_on(&lab.sim, cpu, 0);
		for (uint32_t node = 0; node < 2; node++) {
			const struct pagus_request req = { .gfp = GFP_KERNEL, .node = node };
			struct pagus_result res;

			assert_int_equal(pagus_alloc(&lab.p, &req, &res), PAGUS_OK);
			unit_free(&lab, res.pfn, 0);
			assert_true(unit_pcp(&lab, node, cpu).count > 0);
		}
	}
	pagus_sim_on(&lab.sim, 0, 0);
	down(&lab, 1);
	for (uint32_t node = 0; node < 2; node++) {
		assert_int_equal(unit_pcp(&lab, node, 1).count, 0);
		assert_true(unit_pcp(&lab, node, 0).count > 0);
	}
	unit_close(&lab);
}

static void the_counts_of_a_cpu_that_goes_are_folded(void **state)
{
	struct lab lab;

	(void)state;
	open_lab(&lab);
	assert_int_equal(pagus_step_drift(&lab.p, 0, 1, 7, 100), PAGUS_OK);
	assert_int_equal(pagus_step_drift(&lab.p, 0, 2, -3, 100), PAGUS_OK);
	assert_int_equal(pagus_step_seen_free(&lab.p, 0), ZONE_PAGES - 4);
	down(&lab, 1);
	assert_int_equal(pagus_step_seen_free(&lab.p, 0), ZONE_PAGES + 3);
	unit_close(&lab);
}

/* As one comes, it counts for both nodes; as one goes, the limits are right again. */
static void the_cpus_of_a_node_share_its_zones(void **state)
{
	struct lab lab;

	(void)state;
	open_lab(&lab);
	expect_sharers(&lab, 0, 3);
	expect_sharers(&lab, 1, 1);
	down(&lab, 1);
	expect_sharers(&lab, 0, 2);
	expect_sharers(&lab, 1, 1);
	/* A node without CPUs is shared by all. */
	down(&lab, 3);
	expect_sharers(&lab, 0, 2);
	expect_sharers(&lab, 1, 2);
	up(&lab, 1);
	expect_sharers(&lab, 0, 3);
	expect_sharers(&lab, 1, 1);
	up(&lab, 3);
	expect_sharers(&lab, 0, 4);
	expect_sharers(&lab, 1, 1);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_watermark_scale_factor, 10),
			 PAGUS_OK);
	expect_sharers(&lab, 0, 3);
	unit_close(&lab);
}

static void zonelists_heed_cpus_when_they_are_built_again(void **state)
{
	static const struct pagus_range three[] = {
		{ 0, 512, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 512, 1, PAGUS_ZONE_BY_CEILING },
		{ 2048, 512, 2, PAGUS_ZONE_BY_CEILING },
	};
	static const uint32_t on_two[] = { 0, 1 };
	struct pagus_config cfg = lab_config(three, 3, "linux");
	uint8_t walk[3];
	struct lab lab;

	(void)state;
	cfg.nr_cpus = 2;
	cfg.cpu_node = on_two;
	unit_boot(&lab, &cfg);
	for (uint32_t round = 0; round < 3; round++) {
		static const uint8_t want[3][3] = { { 0, 2, 1 }, { 0, 2, 1 }, { 0, 1, 2 } };

		if (round == 1)
			down(&lab, 1);
		if (round == 2)
			assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
		assert_int_equal(pagus_zonelist(&lab.p, 0, false, walk, 3), 3);
		assert_memory_equal(walk, want[round], 3);
	}
	unit_close(&lab);
}

static void a_drain_of_all_passes_by_cpus_that_are_gone(void **state)
{
	struct lab lab;

	(void)state;
	open_lab(&lab);
	for (uint32_t cpu = 1; cpu < NR_CPUS; cpu++)
		down(&lab, cpu);
	unit_free(&lab, unit_alloc(&lab, GFP_KERNEL, 0), 0);
	pagus_drain_all(&lab.p);
	assert_int_equal(unit_zone(&lab, 0).pcp_pages, 0);
	/* There is nothing, and that is no error. */
	assert_int_equal(pagus_drain_cpu(&lab.p, 1), PAGUS_OK);
	unit_close(&lab);
}

static void what_cannot_go_or_come_is_refused(void **state)
{
	struct lab lab;
	uint64_t digest;

	(void)state;
	open_lab(&lab);
	down(&lab, 2);
	digest = pagus_digest(&lab.p);
	assert_int_equal(pagus_cpu_down(&lab.p, 0), PAGUS_BUSY);
	assert_int_equal(pagus_cpu_down(&lab.p, 2), PAGUS_BUSY);
	assert_int_equal(pagus_cpu_down(&lab.p, NR_CPUS), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_cpu_up(&lab.p, 1), PAGUS_BUSY);
	assert_int_equal(pagus_cpu_up(&lab.p, NR_CPUS), PAGUS_BAD_VALUE);
	assert_false(pagus_cpu_online(&lab.p, NR_CPUS));
	assert_true(pagus_digest(&lab.p) == digest);
	unit_close(&lab);
}

static void before_the_marks_are_set_up_limits_are_those_of_boot(void **state)
{
	struct pagus_config cfg = lab_config(ranges, 2, "linux");
	struct lab lab;

	(void)state;
	cfg.nr_cpus = NR_CPUS;
	unit_open(&lab, &cfg);
	down(&lab, 1);
	assert_int_equal(unit_pcp(&lab, 0, 0).high_max, 0);
	assert_int_equal(unit_pcp(&lab, 0, 0).batch, 1);
	unit_close(&lab);
}

/* ---- zone_pcp_disable ------------------------------------------------------------------------ */

static void expect_limits(const struct lab *lab, uint32_t zone, uint32_t high_min,
			  uint32_t high_max, uint32_t batch)
{
	for (uint32_t cpu = 0; cpu < NR_CPUS; cpu++) {
		struct pagus_pcp_info pcp = unit_pcp(lab, zone, cpu);

		assert_int_equal(pcp.high_min, high_min);
		assert_int_equal(pcp.high_max, high_max);
		assert_int_equal(pcp.batch, batch);
	}
}

static void a_zone_whose_pcps_are_off_gets_every_free_at_once(void **state)
{
	static const char *const policies[] = { "linux", "linux-6.1", "linux-6.12", "nopcp" };

	(void)state;
	for (size_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = lab_config(ranges, 2, policies[n]);
		pagus_pfn_t pfns[40];
		struct lab lab;

		cfg.nr_cpus = NR_CPUS;
		unit_boot(&lab, &cfg);
		unit_limits(&lab, 0, 15, 100, 200);
		for (uint32_t k = 0; k < NR_OF(pfns); k++)
			pfns[k] = unit_alloc(&lab, GFP_KERNEL, k % 4);
		assert_int_equal(pagus_zone_pcp_disable(&lab.p, 0), PAGUS_OK);
		expect_limits(&lab, 0, 0, 0, 1);
		assert_int_equal(unit_zone(&lab, 0).pcp_pages, 0);
		for (uint32_t k = 0; k < NR_OF(pfns); k++) {
			unit_free(&lab, pfns[k], k % 4);
			assert_int_equal(unit_zone(&lab, 0).pcp_pages, 0);
		}
		unit_free(&lab, unit_alloc(&lab, GFP_KERNEL, 0), 0);
		assert_int_equal(unit_zone(&lab, 0).pcp_pages, 0);
		unit_check(&lab);
		assert_int_equal(pagus_zone_pcp_enable(&lab.p, 0), PAGUS_OK);
		expect_limits(&lab, 0, 100, 200, 15);
		unit_close(&lab);
	}
}

static void one_zone_at_a_time_and_limits_stay_as_they_are(void **state)
{
	const struct pagus_zone_seed seed = { .pcp_batch = 1 };
	struct lab lab;
	uint64_t digest;

	(void)state;
	open_lab(&lab);
	digest = pagus_digest(&lab.p);
	assert_int_equal(pagus_zone_pcp_enable(&lab.p, 0), PAGUS_BUSY);
	assert_int_equal(pagus_zone_pcp_disable(&lab.p, 2), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_zone_pcp_enable(&lab.p, 2), PAGUS_BAD_VALUE);
	assert_true(pagus_digest(&lab.p) == digest);
	assert_int_equal(pagus_zone_pcp_disable(&lab.p, 1), PAGUS_OK);
	digest = pagus_digest(&lab.p);
	assert_int_equal(pagus_zone_pcp_disable(&lab.p, 1), PAGUS_BUSY);
	assert_int_equal(pagus_zone_pcp_disable(&lab.p, 0), PAGUS_BUSY);
	assert_int_equal(pagus_zone_pcp_enable(&lab.p, 0), PAGUS_BUSY);
	assert_int_equal(pagus_cpu_down(&lab.p, 1), PAGUS_BUSY);
	assert_int_equal(pagus_cpu_up(&lab.p, 1), PAGUS_BUSY);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_BUSY);
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_BUSY);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_min_free_kbytes, 4000),
			 PAGUS_BUSY);
	assert_true(pagus_digest(&lab.p) == digest);
	/* What no limit depends on may be set. */
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_defrag_mode, 1), PAGUS_OK);
	assert_int_equal(pagus_zone_pcp_enable(&lab.p, 1), PAGUS_OK);
	expect_sharers(&lab, 1, 1);
	assert_int_equal(pagus_zone_pcp_disable(&lab.p, 0), PAGUS_OK);
	unit_close(&lab);
}

static struct {
	struct lab lab;
	uint32_t nr_waits;
	uint32_t ends_at; /* at this wait the other's pcps are on again; 0: never */
} waiter;

static void wait_for_pcps(void *ctx, enum pagus_wait why)
{
	(void)ctx;
	assert_int_equal(why, PAGUS_WAIT_PCP);
	if (++waiter.nr_waits == waiter.ends_at)
		assert_int_equal(pagus_zone_pcp_enable(&waiter.lab.p, 0), PAGUS_OK);
}

/* 14. Who comes second waits until the first is done, though not for ever. */
static void property_14_nesting_waits(void **state)
{
	struct pagus_port port = pagus_sim_port;

	(void)state;
	memset(&waiter, 0, sizeof(waiter));
	open_lab(&waiter.lab);
	port.wait = wait_for_pcps;
	waiter.lab.p.port = &port;
	waiter.ends_at = 3;
	assert_int_equal(pagus_zone_pcp_disable(&waiter.lab.p, 0), PAGUS_OK);
	assert_int_equal(waiter.nr_waits, 0);
	assert_int_equal(pagus_zone_pcp_disable(&waiter.lab.p, 1), PAGUS_OK);
	assert_int_equal(waiter.nr_waits, 3);
	expect_limits(&waiter.lab, 1, 0, 0, 1);
	assert_int_equal(pagus_zone_pcp_disable(&waiter.lab.p, 0), PAGUS_BUSY);
	assert_int_equal(waiter.nr_waits, 3 + 500);
	assert_int_equal(pagus_zone_pcp_enable(&waiter.lab.p, 1), PAGUS_OK);
	unit_close(&waiter.lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cpu_that_goes_leaves_its_pages_to_the_zones),
		cmocka_unit_test(the_counts_of_a_cpu_that_goes_are_folded),
		cmocka_unit_test(the_cpus_of_a_node_share_its_zones),
		cmocka_unit_test(zonelists_heed_cpus_when_they_are_built_again),
		cmocka_unit_test(a_drain_of_all_passes_by_cpus_that_are_gone),
		cmocka_unit_test(what_cannot_go_or_come_is_refused),
		cmocka_unit_test(before_the_marks_are_set_up_limits_are_those_of_boot),
		cmocka_unit_test(a_zone_whose_pcps_are_off_gets_every_free_at_once),
		cmocka_unit_test(one_zone_at_a_time_and_limits_stay_as_they_are),
		cmocka_unit_test(property_14_nesting_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
