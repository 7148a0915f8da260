/* SPDX-License-Identifier: MIT */
/* Marks, reserves and pcp limits, from the sizes of zones that are claimed, not handed over. */
#include "unit/unit.h"

static const struct pagus_range zone_2048 = { 0, 2048, 0, PAGUS_ZONE_BY_CEILING };

static void set_managed(struct lab *lab, enum pagus_zone_type type, uint64_t managed)
{
	const struct pagus_zone_seed seed = { .present = managed,
					      .managed = managed,
					      .pcp_batch = 1 };

	assert_int_equal(pagus_seed_zone(&lab->p, 0, type, &seed), PAGUS_OK);
}

/* One Normal zone of `managed` pages, `nr_cpus` CPUs. */
static struct pagus_zone_info computed(uint64_t managed, uint32_t nr_cpus, bool thp)
{
	struct pagus_config cfg = lab_config(&zone_2048, 1, "linux");
	struct pagus_zone_info info;
	struct lab lab;

	cfg.nr_cpus = nr_cpus;
	cfg.thp = thp;
	unit_open(&lab, &cfg);
	set_managed(&lab, PAGUS_ZONE_NORMAL, managed);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	info = unit_zone(&lab, 0);
	lab_close(&lab);
	return info;
}

static void property_23_min_free_kbytes(void **state)
{
	/* floor(sqrt(16 * KiB)) of 16 MiB, 64 MiB ... 16 GiB; the first is 512 exactly. */
	static const struct {
		uint64_t mbytes, kbytes;
	} rows[] = {
		{ 16, 512 },	{ 64, 1024 },	{ 128, 1448 },	{ 256, 2048 },	 { 512, 2896 },
		{ 1024, 4096 }, { 2048, 5792 }, { 4096, 8192 }, { 8192, 11585 }, { 16384, 16384 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++)
		assert_int_equal(computed(rows[n].mbytes * 256, 1, false).wmark[PAGUS_WMARK_MIN],
				 rows[n].kbytes / 4);
}

static void property_23_min_free_kbytes_is_clamped(void **state)
{
	(void)state;
	/* sqrt(16 * 4 * 255) = 127.7 -> 128 KiB; sqrt(16 * 4 * 2^32) = 524288 -> 262144 KiB. */
	assert_int_equal(computed(1, 1, false).wmark[PAGUS_WMARK_MIN], 128 / 4);
	assert_int_equal(computed(255, 1, false).wmark[PAGUS_WMARK_MIN], 128 / 4);
	assert_int_equal(computed(UINT64_C(1) << 32, 1, false).wmark[PAGUS_WMARK_MIN], 262144 / 4);
}

static void property_23_huge_pages_want_eleven_pageblocks_a_zone(void **state)
{
	(void)state;
	assert_int_equal(computed(1048576, 1, true).wmark[PAGUS_WMARK_MIN], 11 * 512);
	/* Never less than without huge pages: sqrt(64 * 2^30) = 262144 KiB = 65536 pages. */
	assert_int_equal(computed(UINT64_C(1) << 30, 1, true).wmark[PAGUS_WMARK_MIN], 65536);
	/* Capped at 5 % of low memory. */
	assert_true(computed(40000, 1, true).wmark[PAGUS_WMARK_MIN] <= 40000 / 20);
	assert_true(computed(40000, 1, true).wmark[PAGUS_WMARK_MIN] > 40000 / 21);
}

static void marks_are_a_gap_apart(void **state)
{
	/* 4 GiB: min 2048 pages, gap max(2048 / 4, 0.1 % of 1048576 = 1048). */
	struct pagus_zone_info info = computed(1048576, 1, false);

	(void)state;
	assert_int_equal(info.wmark[PAGUS_WMARK_LOW], 2048 + 1048);
	assert_int_equal(info.wmark[PAGUS_WMARK_HIGH], 2048 + 2 * 1048);
	assert_int_equal(info.wmark[PAGUS_WMARK_PROMO], 2048 + 3 * 1048);
	/* 64 MiB: min 256 pages, gap max(256 / 4, 16). */
	info = computed(16384, 1, false);
	assert_int_equal(info.wmark[PAGUS_WMARK_LOW], 256 + 64);
	assert_int_equal(info.wmark[PAGUS_WMARK_HIGH], 256 + 128);
}

static void open_five_zones(struct lab *lab)
{
	static const struct pagus_range ranges[] = {
		{ 0, 4096, 0, PAGUS_ZONE_BY_CEILING }, { 4096, 1024, 0, PAGUS_ZONE_MOVABLE },
	};
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "linux");

	cfg.dma_ceiling = 1024;
	cfg.dma32_ceiling = 2048;
	cfg.normal_ceiling = 3072;
	unit_open(lab, &cfg);
	set_managed(lab, PAGUS_ZONE_DMA, 4000);
	set_managed(lab, PAGUS_ZONE_DMA32, 400000);
	set_managed(lab, PAGUS_ZONE_NORMAL, 596000);
	set_managed(lab, PAGUS_ZONE_HIGHMEM, 64000);
	set_managed(lab, PAGUS_ZONE_MOVABLE, 500000);
}

static void marks_are_shared_out_by_low_memory(void **state)
{
	/* 1000000 pages of low memory; 40000 KiB are 10000 pages, so 1 % of each zone, and a
	 * quarter of that between the marks, which is more than 0.1 %. */
	static const uint64_t min[] = { 40, 4000, 5960, 64000 / 1024, 128 };
	static const uint64_t gap[] = { 10, 1000, 1490, 640 / 4, 5000 / 4 };
	struct lab lab;

	(void)state;
	open_five_zones(&lab);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_min_free_kbytes, 40000), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	for (uint32_t zone = 0; zone < NR_OF(min); zone++) {
		struct pagus_zone_info info = unit_zone(&lab, zone);

		for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
			assert_int_equal(info.wmark[w], min[zone] + w * gap[zone]);
	}
	lab_close(&lab);
}

static void the_scale_factor_widens_the_gap(void **state)
{
	struct lab lab;

	(void)state;
	open_five_zones(&lab);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_min_free_kbytes, 40000), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_watermark_scale_factor, 3000),
			 PAGUS_OK);
	/* 30 % of 596000 */
	assert_int_equal(unit_zone(&lab, 2).wmark[PAGUS_WMARK_LOW], 5960 + 178800);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_watermark_scale_factor, 3001),
			 PAGUS_BAD_VALUE);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_watermark_scale_factor, 0),
			 PAGUS_BAD_VALUE);
	assert_int_equal(pagus_tunable_get(&lab.p, PAGUS_TUNABLE_watermark_scale_factor), 3000);
	lab_close(&lab);
}

static void a_tunable_changes_only_what_depends_on_it(void **state)
{
	struct pagus_zone_info before, after;
	struct lab lab;

	(void)state;
	open_five_zones(&lab);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	before = unit_zone(&lab, 2);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_percpu_pagelist_high_fraction, 8),
			 PAGUS_OK);
	after = unit_zone(&lab, 2);
	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		assert_int_equal(after.wmark[w], before.wmark[w]);
	assert_int_not_equal(after.pcp_high_min, before.pcp_high_min);
	lab_close(&lab);
}

static void reserves_are_what_lies_above(void **state)
{
	/* reserve[i][j] = managed of zones i+1 .. j / ratio of i; 0 where the ratio is 0. */
	static const uint64_t want[5][PAGUS_NR_ZONE_TYPES] = {
		{ 0, 400000 / 256, 996000 / 256, 1060000 / 256, 1560000 / 256 },
		{ 0, 0, 596000 / 256, 660000 / 256, 1160000 / 256 },
		{ 0, 0, 0, 64000 / 32, 564000 / 32 },
		{ 0 },
		{ 0 },
	};
	struct lab lab;

	(void)state;
	open_five_zones(&lab);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	for (uint32_t zone = 0; zone < 5; zone++)
		for (uint32_t j = 0; j < PAGUS_NR_ZONE_TYPES; j++)
			assert_int_equal(unit_zone(&lab, zone).lowmem_reserve[j], want[zone][j]);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_lowmem_reserve_ratio_dma32, 0),
			 PAGUS_OK);
	assert_int_equal(unit_zone(&lab, 1).lowmem_reserve[PAGUS_ZONE_NORMAL], 0);
	assert_int_equal(unit_zone(&lab, 0).lowmem_reserve[PAGUS_ZONE_NORMAL], 996000 / 256);
	lab_close(&lab);
}

static void property_24_batch(void **state)
{
	static const struct {
		uint64_t managed;
		uint32_t batch;
	} rows[] = {
		{ 1, 1 },	{ 4095, 1 },	{ 4096, 1 },	 { 8192, 1 },
		{ 12288, 3 },	{ 16384, 3 },	{ 65536, 15 },	 { 176127, 31 },
		{ 176128, 63 }, { 262144, 63 }, { 4194304, 63 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++)
		assert_int_equal(computed(rows[n].managed, 1, false).pcp_batch, rows[n].batch);
}

static void property_24_high(void **state)
{
	(void)state;
	for (uint32_t nr_cpus = 1; nr_cpus <= 64; nr_cpus *= 2) {
		struct pagus_zone_info info = computed(1048576, nr_cpus, false);
		uint64_t floor = 4 * 63;
		uint64_t min = (2048 + 1048) / nr_cpus, max = 1048576 / 8 / nr_cpus;

		assert_int_equal(info.pcp_high_min, min > floor ? min : floor);
		assert_int_equal(info.pcp_high_max, max > floor ? max : floor);
	}
	/* A recorded 6.18 machine: DMA32 of 772917 pages, 2 CPUs. */
	assert_int_equal(computed(772917, 2, false).pcp_high_max, 48307);
}

static void property_24_high_fraction(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_2048, 1, "linux");
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	set_managed(&lab, PAGUS_ZONE_NORMAL, 1048576);
	assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
	for (uint32_t fraction = 1; fraction < 8; fraction++)
		assert_int_equal(pagus_tunable_set(&lab.p,
						   PAGUS_TUNABLE_percpu_pagelist_high_fraction,
						   fraction),
				 PAGUS_BAD_VALUE);
	for (uint32_t fraction = 8; fraction <= 100; fraction += 92) {
		assert_int_equal(pagus_tunable_set(&lab.p,
						   PAGUS_TUNABLE_percpu_pagelist_high_fraction,
						   fraction),
				 PAGUS_OK);
		assert_int_equal(unit_zone(&lab, 0).pcp_high_min, 1048576 / fraction);
		assert_int_equal(unit_zone(&lab, 0).pcp_high_max, 1048576 / fraction);
		assert_int_equal(unit_pcp(&lab, 0, 0).high_max, 1048576 / fraction);
	}
	lab_close(&lab);
}

/* Only the CPUs of the zone's node share its pages; a node without CPUs shares with all. */
static void property_24_cpus_of_the_node_share(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, 1024, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 1024, 1, PAGUS_ZONE_BY_CEILING },
	};
	static const uint32_t cpu_node[] = { 1, 1, 1 };
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "linux");
	struct lab lab;

	(void)state;
	cfg.nr_cpus = NR_OF(cpu_node);
	for (uint32_t own = 1; own <= 3; own += 2) {
		const uint32_t nodes[] = { 1, own == 3 ? 1 : 0, own == 3 ? 1 : 0 };

		cfg.cpu_node = nodes;
		unit_boot(&lab, &cfg);
		/* Both zones have 1024 pages: a share of 128 pages for one CPU, 42 for three, 64
		 * for two. */
		assert_int_equal(unit_zone(&lab, 1).pcp_high_max, own == 3 ? 42 : 128);
		assert_int_equal(unit_zone(&lab, 0).pcp_high_max, own == 3 ? 42 : 64);
		unit_close(&lab);
	}
}

static void a_recorded_batch_whose_multiples_overflow_is_refused(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_2048, 1, "linux");
	struct pagus_zone_seed seed = { .pcp_batch = 1u << 27, .pcp_high_max = UINT32_MAX };
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_BAD_VALUE);
	/*
	 * None given: batch of 8192 / 1024 / 4 pages, highs of a low mark of 100 and of an eighth,
	 * at least 4 batches.
	 */
	seed = (struct pagus_zone_seed){ .managed = 8192, .wmark = { 80, 100, 120, 140 } };
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
	assert_int_equal(unit_zone(&lab, 0).pcp_batch, 1);
	assert_int_equal(unit_zone(&lab, 0).pcp_high_min, 100);
	assert_int_equal(unit_zone(&lab, 0).pcp_high_max, 1024);
	unit_close(&lab);
}

static void property_24_fraction_and_cpus(void **state)
{
	(void)state;
	for (uint32_t nr_cpus = 1; nr_cpus <= 64; nr_cpus += 3) {
		for (uint32_t fraction = 8; fraction <= 100; fraction += 92) {
			struct pagus_config cfg = lab_config(&zone_2048, 1, "linux");
			const uint64_t share = 1048576 / fraction / nr_cpus;
			struct lab lab;

			cfg.nr_cpus = nr_cpus;
			unit_open(&lab, &cfg);
			set_managed(&lab, PAGUS_ZONE_NORMAL, 1048576);
			pagus_tunable_set(&lab.p, PAGUS_TUNABLE_percpu_pagelist_high_fraction,
					  fraction);
			assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
			for (uint32_t cpu = 0; cpu < nr_cpus; cpu++) {
				struct pagus_pcp_info pcp = unit_pcp(&lab, 0, cpu);

				assert_int_equal(pcp.high_max, share > 4 * 63 ? share : 4 * 63);
				assert_int_equal(pcp.high_min, pcp.high_max);
			}
			lab_close(&lab);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_23_min_free_kbytes),
		cmocka_unit_test(property_23_min_free_kbytes_is_clamped),
		cmocka_unit_test(property_23_huge_pages_want_eleven_pageblocks_a_zone),
		cmocka_unit_test(marks_are_a_gap_apart),
		cmocka_unit_test(marks_are_shared_out_by_low_memory),
		cmocka_unit_test(the_scale_factor_widens_the_gap),
		cmocka_unit_test(a_tunable_changes_only_what_depends_on_it),
		cmocka_unit_test(reserves_are_what_lies_above),
		cmocka_unit_test(property_24_batch),
		cmocka_unit_test(property_24_high),
		cmocka_unit_test(property_24_high_fraction),
		cmocka_unit_test(property_24_cpus_of_the_node_share),
		cmocka_unit_test(a_recorded_batch_whose_multiples_overflow_is_refused),
		cmocka_unit_test(property_24_fraction_and_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
