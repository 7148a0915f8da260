/* SPDX-License-Identifier: MIT */
/* Which zones, holes and sections a configuration has, and what it costs. */
#include "unit/unit.h"

#include <string.h>

struct want_zone {
	uint32_t node;
	enum pagus_zone_type type;
	pagus_pfn_t start;
	uint64_t spanned, present;
};

static void expect_zones(const struct lab *lab, const struct want_zone *want, uint32_t nr)
{
	assert_int_equal(pagus_nr_zones(&lab->p), nr);
	for (uint32_t n = 0; n < nr; n++) {
		struct pagus_zone_info info = unit_zone(lab, n);

		assert_int_equal(info.node, want[n].node);
		assert_int_equal(info.type, want[n].type);
		assert_int_equal(info.start_pfn, want[n].start);
		assert_int_equal(info.spanned, want[n].spanned);
		assert_int_equal(info.present, want[n].present);
		assert_int_equal(info.managed, 0);
	}
}

static struct pagus_config cut_config(const struct pagus_range *ranges, uint32_t nr)
{
	struct pagus_config cfg = lab_config(ranges, nr, "nopcp");

	cfg.dma_ceiling = 64;
	cfg.dma32_ceiling = 256;
	cfg.normal_ceiling = 512;
	return cfg;
}

static void ranges_are_cut_at_the_ceilings(void **state)
{
	const struct pagus_range range = { 1, 1023, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = cut_config(&range, 1);
	const struct want_zone want[] = {
		{ 0, PAGUS_ZONE_DMA, 1, 63, 63 }, { 0, PAGUS_ZONE_DMA32, 64, 192, 192 },
		{ 0, PAGUS_ZONE_NORMAL, 256, 256, 256 }, { 0, PAGUS_ZONE_HIGHMEM, 512, 512, 512 },
	};
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	expect_zones(&lab, want, NR_OF(want));
	unit_close(&lab);
}

static void zones_run_node_by_node_and_only_where_memory_is(void **state)
{
	const struct pagus_range ranges[] = {
		{ 0, 32, 2, PAGUS_ZONE_BY_CEILING },    { 100, 28, 2, PAGUS_ZONE_BY_CEILING },
		{ 128, 64, 0, PAGUS_ZONE_BY_CEILING },  { 192, 64, 0, PAGUS_ZONE_MOVABLE },
		{ 300, 100, 2, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = cut_config(ranges, NR_OF(ranges));
	const struct want_zone want[] = {
		{ 0, PAGUS_ZONE_DMA32, 128, 64, 64 }, { 0, PAGUS_ZONE_MOVABLE, 192, 64, 64 },
		{ 2, PAGUS_ZONE_DMA, 0, 32, 32 },     { 2, PAGUS_ZONE_DMA32, 100, 28, 28 },
		{ 2, PAGUS_ZONE_NORMAL, 300, 100, 100 },
	};
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	expect_zones(&lab, want, NR_OF(want));
	unit_close(&lab);
}

static void holes_are_neither_present_nor_pages(void **state)
{
	const struct pagus_range ranges[] = {
		{ 1024, 10, 0, PAGUS_ZONE_BY_CEILING }, { 1040, 8, 0, PAGUS_ZONE_BY_CEILING },
		{ 4096, 1024, 0, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	const struct want_zone want = { 0, PAGUS_ZONE_NORMAL, 1024, 4096, 1042 };
	struct pagus_page_info page;
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	expect_zones(&lab, &want, 1);
	assert_int_equal(pagus_page_info(&lab.p, 1033, &page), PAGUS_OK);
	assert_int_equal(page.kind, PAGUS_PAGE_RESERVED);
	assert_int_equal(pagus_page_info(&lab.p, 1034, &page), PAGUS_OK);
	assert_int_equal(page.kind, PAGUS_PAGE_HOLE);
	assert_int_equal(pagus_page_info(&lab.p, 1023, &page), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_page_info(&lab.p, 2048, &page), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_page_info(&lab.p, 5120, &page), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_page_info(&lab.p, UINT64_MAX, &page), PAGUS_BAD_RANGE);
	unit_close(&lab);
}

/* Two sections of memory, `apart` sections from start to start. */
static size_t bytes_apart(uint64_t apart)
{
	const struct pagus_range ranges[] = {
		{ 0, 1024, 0, PAGUS_ZONE_BY_CEILING },
		{ apart * 1024, 1024, 0, PAGUS_ZONE_BY_CEILING },
	};
	const struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "linux");

	return pagus_sizeof(&cfg);
}

static void an_absent_section_costs_four_bytes(void **state)
{
	(void)state;
	/* The region's parts are padded to 64 bytes: 16 sections are the smallest visible step. */
	assert_int_equal(bytes_apart(1 + 16 * 100) - bytes_apart(1), 16 * 100 * 4);
}

static void a_page_costs_sixteen_bytes_and_a_pageblock_one(void **state)
{
	const struct pagus_range range[] = {
		{ 0, 64 << 10, 0, PAGUS_ZONE_BY_CEILING },
		{ 0, 128 << 10, 0, PAGUS_ZONE_BY_CEILING },
	};
	struct pagus_config small = lab_config(&range[0], 1, "linux");
	struct pagus_config large = lab_config(&range[1], 1, "linux");
	/* A section's two table entries have 4 bytes each. */
	size_t per_section = 1024 * 16 + 2 + 2 * 4;

	(void)state;
	assert_int_equal(pagus_sizeof(&large) - pagus_sizeof(&small), 64 * per_section);
}

static void a_region_must_be_large_enough_and_is_not_overrun(void **state)
{
	const struct pagus_range range = { 0, 1024, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	size_t bytes = pagus_sizeof(&cfg);
	unsigned char *mem = aligned_alloc(64, bytes + 64);
	struct pagus_sim sim;
	struct pagus p;

	(void)state;
	assert_non_null(mem);
	pagus_sim_init(&sim, 1);
	memset(mem, 0xa5, bytes + 64);
	assert_int_equal(pagus_init(&p, mem, bytes - 1, &cfg, &pagus_sim_port, &sim),
			 PAGUS_TOO_SMALL);
	assert_int_equal(mem[0], 0xa5);
	assert_int_equal(pagus_init(&p, mem, bytes, &cfg, &pagus_sim_port, &sim), PAGUS_OK);
	assert_int_equal(pagus_state_bytes(&p), bytes);
	assert_int_equal(pagus_boot_free(&p, 0, 1024), PAGUS_OK);
	for (size_t n = 0; n < 64; n++)
		assert_int_equal(mem[bytes + n], 0xa5);
	pagus_fini(&p);
	free(mem);
}

static void expect_bad(const char *what, const struct pagus_config *cfg)
{
	struct lab lab;

	if (pagus_sizeof(cfg) != 0)
		fail_msg("accepted: %s", what);
	assert_int_equal(lab_open(&lab, cfg), PAGUS_BAD_CONFIG);
}

static void bad_numbers_are_refused(void **state)
{
	static const struct pagus_range range = { 0, 1024, 0, PAGUS_ZONE_BY_CEILING };
	static const uint32_t far_node = PAGUS_MAX_NODES;
	const struct pagus_config good = lab_config(&range, 1, "linux");
	struct pagus_config bad;

	(void)state;
	assert_true(pagus_sizeof(&good) > 0);
#define EXPECT_BAD(field, value)                                                                   \
	(bad = good, bad.field = (value), expect_bad(#field "=" #value, &bad))
	EXPECT_BAD(ranges, NULL);
	EXPECT_BAD(nr_ranges, 0);
	EXPECT_BAD(nr_cpus, 0);
	EXPECT_BAD(nr_cpus, PAGUS_MAX_CPUS + 1);
	EXPECT_BAD(max_order, 0);
	EXPECT_BAD(max_order, PAGUS_MAX_ORDER + 1);
	EXPECT_BAD(pageblock_order, 0);
	EXPECT_BAD(pageblock_order, 11);
	EXPECT_BAD(section_order, 9);
	EXPECT_BAD(section_order, 25);
	EXPECT_BAD(cpu_node, &far_node);
#undef EXPECT_BAD
}

static void bad_ranges_are_refused(void **state)
{
	static const struct {
		const char *what;
		struct pagus_range ranges[2];
	} rows[] = {
		{ "overlap",
		  { { 0, 10, 0, PAGUS_ZONE_BY_CEILING }, { 9, 5, 0, PAGUS_ZONE_BY_CEILING } } },
		{ "descending",
		  { { 50, 5, 0, PAGUS_ZONE_BY_CEILING }, { 0, 5, 0, PAGUS_ZONE_BY_CEILING } } },
		{ "empty",
		  { { 0, 10, 0, PAGUS_ZONE_BY_CEILING }, { 20, 0, 0, PAGUS_ZONE_BY_CEILING } } },
		{ "node", { { 0, 10, 0, PAGUS_ZONE_BY_CEILING }, { 20, 5, PAGUS_MAX_NODES, 2 } } },
		{ "zone",
		  { { 0, 10, 0, PAGUS_ZONE_BY_CEILING },
		    { 20, 5, 0, PAGUS_ZONE_BY_CEILING + 1 } } },
		{ "end past 2^64",
		  { { 0, 10, 0, PAGUS_ZONE_BY_CEILING }, { 20, UINT64_MAX, 0, 2 } } },
		{ "too far apart",
		  { { 0, 10, 0, PAGUS_ZONE_BY_CEILING }, { UINT64_C(1) << 60, 5, 0, 2 } } },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_config cfg = lab_config(rows[n].ranges, 2, "linux");

		expect_bad(rows[n].what, &cfg);
	}
}

static void ceilings_that_put_a_page_into_two_zones_are_refused(void **state)
{
	static const struct pagus_range range = { 0, 1024, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, "linux");

	(void)state;
	cfg.dma32_ceiling = 512;
	cfg.normal_ceiling = 256;
	expect_bad("Normal's ceiling below DMA32's", &cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_cut_at_the_ceilings),
		cmocka_unit_test(zones_run_node_by_node_and_only_where_memory_is),
		cmocka_unit_test(holes_are_neither_present_nor_pages),
		cmocka_unit_test(an_absent_section_costs_four_bytes),
		cmocka_unit_test(a_page_costs_sixteen_bytes_and_a_pageblock_one),
		cmocka_unit_test(a_region_must_be_large_enough_and_is_not_overrun),
		cmocka_unit_test(bad_numbers_are_refused),
		cmocka_unit_test(bad_ranges_are_refused),
		cmocka_unit_test(ceilings_that_put_a_page_into_two_zones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
