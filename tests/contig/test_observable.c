/* SPDX-License-Identifier: MIT */
/*
 * Properties of the specification of compaction, isolation and what is around them, by their numbers,
 * whose figures it gives: most on its machine of 16 GiB, one zone of 4 KiB pages and two CPUs. Its size
 * is claimed, not handed over.
 */
#include "unit/file_text.h"
#include "unit/world.h"

#include <pagus/contig.h>

#include <stdio.h>

#include "zone/zone.h"

#define GIB UINT64_C(262144) /* pages */

static const struct pagus_range small = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };

static void open_sized(struct lab *lab, uint64_t managed, uint32_t nr_cpus)
{
	struct pagus_config cfg = lab_config(&small, 1, "linux");
	const struct pagus_zone_seed seed = { .present = managed, .managed = managed, .pcp_batch = 1 };

	cfg.nr_cpus = nr_cpus;
	unit_open(lab, &cfg);
	assert_int_equal(pagus_seed_zone(&lab->p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&lab->p), PAGUS_OK);
}

/* ---- indices ------------------------------------------------------------------------------------ */

/* `nr` blocks of an order that do not merge, from pfn on: the pfn behind. */
static pagus_pfn_t seed_blocks(struct lab *lab, pagus_pfn_t pfn, uint32_t nr, uint32_t order)
{
	const pagus_pfn_t step = UINT64_C(2) << order;

	for (pfn = (pfn + step - 1) & ~(step - 1); nr > 0; nr--, pfn += step)
		unit_seed_free(lab, pfn, order);
	return pfn;
}

static void test_properties_1_to_4_indices(void **context)
{
	static const uint32_t nr[] = { 1024, 200, 40, 8, 1 };
	static const int32_t lone[] = { -500, -250, -125, -62, -31, -15, -7 };
	const struct pagus_config cfg = lab_config(&small, 1, "nopcp");
	pagus_pfn_t pfn = 0;
	struct lab lab;

	(void)context;
	unit_open(&lab, &cfg);
	for (uint32_t order = 0; order <= PAGUS_MAX_ORDER; order++) {
		assert_int_equal(pagus_extfrag_index(&lab.p, 0, order), 0);
		assert_int_equal(pagus_unusable_index(&lab.p, 0, order), 1000);
	}
	for (uint32_t o = 0; o < NR_OF(nr); o++)
		pfn = seed_blocks(&lab, pfn, nr[o], o);
	assert_int_equal(pg_extfrag_percent(lab.p.state, 0, 9), 100);
	unit_close(&lab);

	unit_open(&lab, &cfg);
	seed_blocks(&lab, 0, 1, 3);
	for (uint32_t o = 0; o < NR_OF(lone); o++)
		assert_int_equal(pagus_extfrag_index(&lab.p, 0, 4 + o), lone[o]);
	unit_close(&lab);

	unit_open(&lab, &cfg);
	seed_blocks(&lab, 0, 1024, 0);
	assert_int_equal(pagus_extfrag_index(&lab.p, 0, 9), 998);
	assert_int_equal(pagus_unusable_index(&lab.p, 0, 0), 0);
	unit_close(&lab);
}

/* ---- texts -------------------------------------------------------------------------------------- */

/* The numbers of a line behind `head`, which *at is moved behind. */
static void numbers(const char **at, const char *head, uint64_t *values, uint32_t nr)
{
	const char *found = strstr(*at, head);

	assert_non_null(found);
	*at = found + strlen(head);
	for (uint32_t n = 0; n < nr; n++) {
		char *end;

		values[n] = strtoull(*at, &end, 10);
		assert_true(end > *at);
		*at = end;
	}
}

/* Blocks by order, summed over the types of pagetypeinfo, and pageblocks of all types. */
static void sum_types(const struct lab *lab, uint64_t *blocks, uint64_t *nr_pageblocks)
{
	static const char *const types[] = { "Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA",
					     "Isolate" };
	const char *at = file_text(lab, pagus_text_pagetypeinfo);
	uint64_t row[PAGUS_NR_ORDERS], counts[NR_OF(types)];

	for (uint32_t t = 0; t < NR_OF(types); t++) {
		char head[64];

		snprintf(head, sizeof(head), "type %12s", types[t]);
		numbers(&at, head, row, PAGUS_NR_ORDERS);
		for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
			blocks[o] += row[o];
	}
	at = strstr(at, "Number of blocks");
	assert_non_null(at);
	numbers(&at, "zone   Normal", counts, NR_OF(types));
	for (uint32_t t = 0; t < NR_OF(types); t++)
		*nr_pageblocks += counts[t];
}

/* With free pages in isolated pageblocks buddyinfo has so many more than are counted as free. */
static void test_properties_5_and_6_sums(void **context)
{
	static const uint32_t gfps[] = { GFP_KERNEL, GFP_HIGHUSER_MOVABLE, GFP_KERNEL | __GFP_RECLAIMABLE };
	const struct pagus_config cfg = lab_config(&small, 1, "linux");
	uint64_t seed = unit_seed();
	pagus_pfn_t pfns[400];
	uint32_t orders[400];
	struct lab lab;

	(void)context;
	unit_boot(&lab, &cfg);
	for (uint32_t n = 0; n < NR_OF(pfns); n++) {
		orders[n] = (uint32_t)lab_random(&seed, 4);
		pfns[n] = unit_alloc(&lab, gfps[lab_random(&seed, 3)], orders[n]);
	}
	for (uint32_t n = 0; n < NR_OF(pfns); n += 2)
		unit_free(&lab, pfns[n], orders[n]);
	pagus_drain_all(&lab.p);
	for (uint32_t isolated = 0; isolated < 2; isolated++) {
		uint64_t row[PAGUS_NR_ORDERS], sums[PAGUS_NR_ORDERS] = { 0 }, pages = 0, blocks = 0;
		const uint64_t before = unit_zone(&lab, 0).free_pages;
		const char *at;

		if (isolated)
			assert_int_equal(pagus_isolate_range(&lab.p, 4096, 1024, PAGUS_ISOLATE_OTHER, NULL),
					 PAGUS_OK);
		at = file_text(&lab, pagus_text_buddyinfo);
		numbers(&at, "zone   Normal", row, PAGUS_NR_ORDERS);
		for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
			pages += row[o] << o;
		assert_int_equal(pages, before);
		assert_int_equal(unit_zone(&lab, 0).free_pages, before - isolated * 1024);
		sum_types(&lab, sums, &blocks);
		assert_memory_equal(sums, row, sizeof(row));
		assert_int_equal(blocks, 16);
	}
	assert_int_equal(pagus_unisolate_range(&lab.p, 4096, 1024), PAGUS_OK);
	unit_close(&lab);
}

/* ---- marks, pcps, thresholds -------------------------------------------------------------------- */

static void test_property_10_marks(void **context)
{
	static const struct { uint64_t managed, min, gap; } rows[] = {
		{ GIB / 16, 256, 64 }, { GIB, 1024, 262 }, { 4 * GIB, 2048, 1048 },
		{ 16 * GIB, 4096, 4194 }, { 64 * GIB, 8192, 16777 }, { 256 * GIB, 16384, 67108 },
	};

	(void)context;
	for (uint32_t r = 0; r < NR_OF(rows); r++) {
		struct pagus_zone_info z;
		struct lab lab;

		open_sized(&lab, rows[r].managed, 2);
		z = unit_zone(&lab, 0);
		for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
			assert_int_equal(z.wmark[w], rows[r].min + w * rows[r].gap);
		lab_close(&lab);
	}
}

static void test_properties_11_and_13_tunables(void **context)
{
	struct pagus_zone_info z, before;
	struct lab lab;

	(void)context;
	open_sized(&lab, 16 * GIB, 2);
	z = unit_zone(&lab, 0);
	assert_int_equal(z.pcp_batch, 63);
	assert_int_equal(z.pcp_high_min, 4145);
	assert_int_equal(z.pcp_high_max, 262144);
	before = z;
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_percpu_pagelist_high_fraction, 7),
			 PAGUS_BAD_VALUE);
	z = unit_zone(&lab, 0);
	assert_memory_equal(&z, &before, sizeof(z));
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_percpu_pagelist_high_fraction, 8), PAGUS_OK);
	z = unit_zone(&lab, 0);
	assert_int_equal(z.pcp_high_min, z.pcp_high_max);
	assert_int_equal(z.pcp_high_max, 262144);

	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_watermark_scale_factor, 0), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_watermark_scale_factor, 3001),
			 PAGUS_BAD_VALUE);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_watermark_scale_factor, 3000), PAGUS_OK);
	z = unit_zone(&lab, 0);
	for (uint32_t w = 1; w < PAGUS_NR_WMARKS; w++)
		assert_int_equal(z.wmark[w] - z.wmark[w - 1], 1258291);
	lab_close(&lab);
}

static void test_property_15_thresholds(void **context)
{
	static const struct { uint64_t managed; uint32_t nr_cpus, threshold; } rows[] = {
		{ 16 * GIB, 2, 36 }, { 16 * GIB, 8, 72 }, { 1024 * GIB, 256, 125 },
	};

	(void)context;
	for (uint32_t r = 0; r < NR_OF(rows); r++) {
		struct lab lab;

		open_sized(&lab, rows[r].managed, rows[r].nr_cpus);
		assert_int_equal(unit_zone(&lab, 0).stat_threshold, rows[r].threshold);
		lab_close(&lab);
	}
}

/* ---- reserves ----------------------------------------------------------------------------------- */

/* Who has which right stops where; marks are strict: what is free must exceed them. */
static void test_property_57_floors(void **context)
{
	static const struct { uint32_t gfp, task; uint64_t floor; } rows[] = {
		{ GFP_KERNEL, 0, 4096 },
		{ GFP_KERNEL | __GFP_HIGH, 0, 2048 },
		{ GFP_ATOMIC, 0, 1536 },
		{ GFP_KERNEL, PAGUS_TASK_OOM_VICTIM, 2048 },
		{ GFP_KERNEL | __GFP_MEMALLOC, 0, 0 },
		{ GFP_KERNEL, PAGUS_TASK_MEMALLOC, 0 },
	};
	const struct pagus_config cfg = lab_config(&small, 1, "nopcp");

	(void)context;
	for (uint32_t r = 0; r < NR_OF(rows); r++) {
		struct world *w = world_boot(&cfg);

		world_marks(w, 0, 4096, 1);
		w->port.reclaim = NULL;
		w->port.oom = NULL;
		w->port.compact = NULL;
		w->task = rows[r].task;
		while (world_ask(w, rows[r].gfp | __GFP_NORETRY, 0).status == PAGUS_OK)
			;
		assert_int_equal(unit_zone(&w->lab, 0).free_pages, rows[r].floor);
		world_close(w);
	}
}

/* ---- NUMA --------------------------------------------------------------------------------------- */

/* Each block that is handed out is a hit or a miss, and local or not. */
static void test_property_62_sums(void **context)
{
	static const struct pagus_range nodes[] = {
		{ 0, 4096, 0, PAGUS_ZONE_BY_CEILING }, { 4096, 4096, 1, PAGUS_ZONE_BY_CEILING },
	};
	static const uint32_t cpu_node[] = { 0, 1 };
	struct pagus_config cfg = lab_config(nodes, 2, "linux");
	uint64_t seed = unit_seed(), granted = 0, near = 0, local = 0;
	struct pagus_result res;
	struct lab lab;

	(void)context;
	cfg.nr_cpus = 2;
	cfg.cpu_node = cpu_node;
	unit_boot(&lab, &cfg);
	do {
		const uint32_t cpu = (uint32_t)lab_random(&seed, 2), node = (uint32_t)lab_random(&seed, 2);
		const struct pagus_request req = { .gfp = GFP_KERNEL, .node = node,
						   .order = (uint32_t)lab_random(&seed, 3) };

		pagus_sim_on(&lab.sim, cpu, 0);
		if (pagus_alloc(&lab.p, &req, &res) != PAGUS_OK)
			break;
		granted++;
		near += res.zone == node;
		local += res.zone == cpu;
	} while (true);
	assert_true(near > 0 && near < granted);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_hit), near);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_miss), granted - near);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_foreign), granted - near);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_local), local);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_other), granted - local);
	unit_close(&lab);
}

static void test_property_63_numa_stat(void **context)
{
	static const enum pagus_counter counters[] = {
		PAGUS_COUNTER_numa_hit, PAGUS_COUNTER_numa_local, PAGUS_COUNTER_numa_miss,
		PAGUS_COUNTER_numa_foreign, PAGUS_COUNTER_numa_other, PAGUS_COUNTER_numa_interleave,
	};
	const struct pagus_config cfg = lab_config(&small, 1, "linux");
	struct lab lab;

	(void)context;
	unit_boot(&lab, &cfg);
	unit_alloc(&lab, GFP_KERNEL, 0);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_hit), 1);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_numa_stat, 2), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_numa_stat, 0), PAGUS_OK);
	unit_alloc(&lab, GFP_KERNEL, 0);
	for (uint32_t n = 0; n < NR_OF(counters); n++)
		assert_int_equal(unit_counter(&lab, counters[n]), 0);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_numa_stat, 1), PAGUS_OK);
	unit_alloc(&lab, GFP_KERNEL, 0);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_hit), 1);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_numa_local), 1);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties_1_to_4_indices),
		cmocka_unit_test(test_properties_5_and_6_sums),
		cmocka_unit_test(test_property_10_marks),
		cmocka_unit_test(test_properties_11_and_13_tunables),
		cmocka_unit_test(test_property_15_thresholds),
		cmocka_unit_test(test_property_57_floors),
		cmocka_unit_test(test_property_62_sums),
		cmocka_unit_test(test_property_63_numa_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
