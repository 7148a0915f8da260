/* SPDX-License-Identifier: MIT */
/* Policies by name and by parts: each boots, serves, and gives all memory back. */
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

static const char *const pcps[] = { "none", "linux", "fixed", "pageblock" };
static const char *const places[] = { "plain", "linux", "convert" };

static const struct pagus_range ranges[] = {
	{ 0, 3000, 0, PAGUS_ZONE_BY_CEILING }, { 3072, 1024, 0, PAGUS_ZONE_MOVABLE },
};

/* A mixed load on two CPUs; the digest of its end, before everything is given back. */
static uint64_t run(const char *policy)
{
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), policy);
	struct { pagus_pfn_t pfn; uint32_t order; } held[300];
	uint64_t digest, seed = 5;
	uint32_t nr = 0;
	struct lab lab;

	cfg.nr_cpus = 2;
	cfg.dma32_ceiling = 1024;
	unit_boot(&lab, &cfg);
	for (uint32_t n = 0; n < 3000; n++) {
		uint32_t order = (uint32_t)lab_random(&seed, 1 + lab_random(&seed, 10));

		pagus_sim_on(&lab.sim, n % 2, n);
		if (nr < NR_OF(held) && lab_random(&seed, 2)) {
			held[nr].order = order;
			nr += pagus_alloc_pages(&lab.p, unit_gfp(n % 3), order, &held[nr].pfn) ==
			      PAGUS_OK;
		} else if (nr) {
			nr--;
			unit_free(&lab, held[nr].pfn, held[nr].order);
		}
		if (n % 100 == 0)
			unit_check(&lab);
	}
	digest = pagus_digest(&lab.p);
	assert_true(unit_counter(&lab, PAGUS_COUNTER_alloc_ok) > 1000);
	while (nr--)
		unit_free(&lab, held[nr].pfn, held[nr].order);
	pagus_drain_all(&lab.p);
	assert_int_equal(unit_zone(&lab, 0).nr_free[10], 1);
	assert_int_equal(unit_zone(&lab, 2).nr_free[10], 1);
	for (uint32_t zone = 0; zone < 3; zone++)
		assert_int_equal(unit_zone(&lab, zone).free_pages, unit_zone(&lab, zone).managed);
	unit_close(&lab);
	return digest;
}

static void each_named_policy_runs(void **state)
{
	const char *name, *about;

	(void)state;
	for (uint32_t n = 0; (name = pagus_policy_at(n, &about)); n++) {
		assert_true(pagus_policy_known(name));
		assert_int_equal(pagus_policy_superpageblocks(name), strcmp(name, "superpageblock") == 0);
		assert_true(strlen(about) > 10);
		run(name);
	}
}

static void each_pair_of_parts_runs(void **state)
{
	uint64_t digest[NR_OF(pcps) * NR_OF(places) + 3];
	uint32_t nr = 0;

	(void)state;
	for (size_t a = 0; a < NR_OF(pcps); a++) {
		for (size_t b = 0; b < NR_OF(places); b++) {
			char name[32];

			snprintf(name, sizeof(name), "%s+%s", pcps[a], places[b]);
			assert_true(pagus_policy_known(name));
			digest[nr++] = run(name);
		}
	}
	digest[nr++] = run("bitmap+plain");
	digest[nr++] = run("bitmap+linux");
	digest[nr++] = run("bitmap+superpageblock");
	assert_true(pagus_policy_superpageblocks("bitmap+superpageblock"));
	assert_false(pagus_policy_superpageblocks("bitmap+linux"));
	for (uint32_t a = 0; a < nr; a++)
		for (uint32_t b = 0; b < a; b++)
			assert_true(digest[a] != digest[b]);
}

static void a_named_policy_is_its_parts(void **state)
{
	static const char *const rows[][2] = {
		{ "linux", "linux+linux" }, { "nopcp", "none+linux" }, { "nogroup", "linux+plain" },
		{ "plain", "none+plain" }, { "pcpbuddy", "pageblock+linux" },
		{ "pcpbuddy-bitmap", "bitmap+linux" },
		{ "superpageblock", "bitmap+superpageblock" },
		{ "linux-6.1", "fixed+convert" },
	};
	/* Besides, rows that differ from a pair of parts in their release. */
	const uint32_t nr_releases = 2;

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++)
		assert_true(run(rows[n][0]) == run(rows[n][1]));
	assert_null(pagus_policy_at(NR_OF(rows) + nr_releases, NULL));
}

static void unknown_policies_are_refused(void **state)
{
	static const char *const names[] = {
		"",
		"+",
		"Linux",
		"linux+",
		"+linux",
		"linux+linux+linux",
		"linux+ plain",
		"plain+none",
		"linu",
		"linuxx",
		"bitmap+convert",
		"linux+superpageblock",
		"pageblock+superpageblock",
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(names); n++) {
		const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), names[n]);
		struct lab lab;

		assert_false(pagus_policy_known(names[n]));
		assert_false(pagus_policy_superpageblocks(names[n]));
		assert_int_equal(lab_open(&lab, &cfg), PAGUS_BAD_CONFIG);
	}
}

static void a_configuration_without_a_policy_is_refused(void **state)
{
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), NULL);
	struct lab lab;

	(void)state;
	assert_int_equal(lab_open(&lab, &cfg), PAGUS_BAD_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_named_policy_runs),
		cmocka_unit_test(each_pair_of_parts_runs),
		cmocka_unit_test(a_named_policy_is_its_parts),
		cmocka_unit_test(unknown_policies_are_refused),
		cmocka_unit_test(a_configuration_without_a_policy_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
