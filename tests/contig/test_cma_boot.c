/* SPDX-License-Identifier: MIT */
/* CMA areas are declared, and become active or not. */
#include "contig/area.h"

static void test_declarations_that_are_refused(void **context)
{
	static const struct {
		struct pagus_cma_declaration d;
		enum pagus_status status;
	} rows[] = {
		{ { .nr_pages = 0 }, PAGUS_BAD_VALUE },
		{ { .nr_pages = UINT64_MAX }, PAGUS_BAD_VALUE },
		{ { .nr_pages = 512, .alignment_pages = 768 }, PAGUS_BAD_VALUE },
		{ { .nr_pages = 512, .order_per_bit = 10 }, PAGUS_BAD_VALUE },
		{ { .nr_pages = 1024, .order_per_bit = 21 }, PAGUS_BAD_VALUE },
		{ { .nr_pages = 512, .base = FIRST + 100, .fixed = true }, PAGUS_BAD_VALUE },
		{ { .nr_pages = 512, .base = FIRST + 1024, .alignment_pages = 2048, .fixed = true },
		  PAGUS_BAD_VALUE },
		{ { .nr_pages = 1024, .base = FIRST, .limit = FIRST + 512, .fixed = true },
		  PAGUS_BAD_VALUE },
		{ { .nr_pages = 1024, .base = FIRST + PAGES, .fixed = true }, PAGUS_BUSY },
		{ { .nr_pages = 1024, .base = FIRST + PAGES - 512, .fixed = true }, PAGUS_BUSY },
		{ { .nr_pages = 512, .limit = FIRST }, PAGUS_NO_MEMORY },
		{ { .nr_pages = PAGES + 512 }, PAGUS_NO_MEMORY },
		{ { .nr_pages = PAGES + 512, .multi = true }, PAGUS_NO_MEMORY },
		{ { .nr_pages = 512, .node = 3 }, PAGUS_BAD_NODE },
	};
	static const struct pagus_range two[] = {
		{ .start_pfn = FIRST, .nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = FIRST + 2 * PAGES, .nr_pages = PAGES, .node = 1,
		  .zone = PAGUS_ZONE_BY_CEILING },
	};
	struct contig_lab l;
	uint64_t digest;
	uint32_t area;

	(void)context;
	open_with(&l, two, 2, "linux");
	digest = pagus_digest(&l.lab.p);
	for (uint32_t k = 0; k < NR_OF(rows); k++)
		assert_int_equal(pagus_cma_declare(&l.lab.p, &rows[k].d, &area), rows[k].status);
	assert_true(digest == pagus_digest(&l.lab.p));
	for (uint32_t k = 0; k < 20; k++) {
		struct pagus_cma_declaration d = declaration(100);
		struct pagus_cma_info info;

		d.node = k % 2;
		assert_int_equal(declare(&l, &d), k);
		info = info_of(&l, k);
		assert_int_equal(info.nr_pages, 512);
		assert_int_equal(info.range[0].base, FIRST + k % 2 * 2 * PAGES + k / 2 * 512);
	}
	assert_string_equal(info_of(&l, 3).name, "cma3");
	assert_string_equal(info_of(&l, 19).name, "cma19");
	assert_int_equal(pagus_cma_declare(&l.lab.p,
					   &(struct pagus_cma_declaration){ .nr_pages = 512 },
					   &area), PAGUS_FULL);
	boot(&l, two, 2);
	assert_int_equal(pagus_cma_declare(&l.lab.p,
					   &(struct pagus_cma_declaration){ .nr_pages = 512 },
					   &area), PAGUS_BUSY);
	assert_int_equal(pagus_nr_cma_areas(&l.lab.p), 20);
	assert_int_equal(unit_zone(&l.lab, 0).cma_pages, 5120);
	contig_close(&l);
}

/* From 4 GiB up if there is room; else in HighMem from its end down; else from the end down. */
static void test_placement(void **context)
{
	static const struct pagus_range parts[] = {
		{ .start_pfn = 0, .nr_pages = 8192, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = FIRST, .nr_pages = 1024, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = FIRST + 2048, .nr_pages = 2048, .zone = PAGUS_ZONE_BY_CEILING },
	};
	struct pagus_config cfg = lab_config(parts, NR_OF(parts), "linux");
	struct pagus_cma_declaration d = declaration(1536);
	struct contig_lab l;

	(void)context;
	cfg.nr_cma_areas = 8;
	cfg.normal_ceiling = 4096 + 1024;
	contig_open(&l, &cfg, PAGES, 16);
	d.name = "a name that is much longer than the sixty-three characters that there is room for";
	assert_int_equal(info_of(&l, declare(&l, &d)).range[0].base, FIRST + 2048);
	assert_string_equal(info_of(&l, 0).name,
			    "a name that is much longer than the sixty-three characters that");
	/* Above there is no room left: the end of HighMem that lies below. */
	assert_int_equal(info_of(&l, declare(&l, &d)).range[0].base, 8192 - 1536);
	/* HighMem has 1536 pages left there; it begins at 5120, which nothing crosses. */
	d.limit = 6144;
	d.nr_pages = 2048;
	assert_int_equal(info_of(&l, declare(&l, &d)).range[0].base, 5120 - 2048);
	/* Only `base` and above. */
	d = declaration(512);
	d.base = 1024;
	d.limit = 2048;
	assert_int_equal(info_of(&l, declare(&l, &d)).range[0].base, 1536);
	contig_close(&l);
}

/* Where one range does not do, the eight largest are used from the lowest on. */
static void test_several_ranges(void **context)
{
	static const uint32_t sizes[10] = { 1024, 512, 2048, 1024, 1536, 512, 1024, 1024, 1024,
					    1024 };
	static const uint32_t used[] = { 0, 2, 3, 4, 6, 7, 8 };

	(void)context;
	for (uint32_t n = 0; n < USE_CMA; n++) {
		struct pagus_range parts[10];
		struct pagus_cma_declaration d = declaration(8704 - 512);
		struct pagus_cma_info info;
		struct contig_lab l;
		pagus_pfn_t pfns[7];
		uint32_t area;

		for (uint32_t r = 0; r < 10; r++)
			parts[r] = (struct pagus_range){ .start_pfn = FIRST + r * 4096,
							 .nr_pages = sizes[r],
							 .zone = PAGUS_ZONE_BY_CEILING };
		open_with(&l, parts, 10, policies[n]);
		assert_int_equal(pagus_cma_declare(&l.lab.p, &d, &area), PAGUS_NO_MEMORY);
		d.multi = true;
		info = info_of(&l, declare(&l, &d));
		assert_int_equal(info.nr_ranges, 7);
		for (uint32_t r = 0; r < 7; r++) {
			assert_int_equal(info.range[r].base, FIRST + used[r] * 4096);
			assert_int_equal(info.range[r].nr_pages, r < 6 ? sizes[used[r]] : 512);
		}
		boot(&l, parts, 10);
		assert_true(info_of(&l, 0).active);
		assert_int_equal(unit_zone(&l.lab, 0).free_cma_pages, 8192);
		/* Each range serves what the ones before have no room for. */
		for (uint32_t r = 0; r < 6; r++) {
			assert_int_equal(take(&l, 600, 0, &pfns[r]), PAGUS_OK);
			assert_true(pfns[r] >= info.range[0].base);
		}
		assert_int_equal(take(&l, 2048, 0, &pfns[6]), PAGUS_NO_MEMORY);
		for (uint32_t r = 0; r < 6; r++)
			assert_int_equal(pagus_cma_release(&l.lab.p, 0, pfns[r], 600), PAGUS_OK);
		assert_int_equal(take(&l, 2048, 0, &pfns[6]), PAGUS_OK);
		assert_int_equal(pfns[6], FIRST + 2 * 4096);
		contig_close(&l);
	}
}

static void test_reserved_early(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_cma_declaration d = declaration(2048);
		struct contig_lab l;
		pagus_pfn_t pfn;

		open_with(&l, &range, 1, policies[n]);
		declare(&l, &d);
		assert_int_equal(pagus_cma_reserve_early(&l.lab.p, 1, 512, &pfn), PAGUS_BAD_VALUE);
		assert_int_equal(pagus_cma_reserve_early(&l.lab.p, 0, 100, &pfn), PAGUS_BAD_VALUE);
		assert_int_equal(pagus_cma_reserve_early(&l.lab.p, 0, 4096, &pfn), PAGUS_NO_MEMORY);
		assert_int_equal(pagus_cma_reserve_early(&l.lab.p, 0, 512, &pfn), PAGUS_OK);
		assert_int_equal(pfn, FIRST);
		assert_int_equal(pagus_cma_reserve_early(&l.lab.p, 0, 512, &pfn), PAGUS_OK);
		assert_int_equal(pfn, FIRST + 512);
		boot(&l, &range, 1);
		assert_int_equal(pagus_cma_reserve_early(&l.lab.p, 0, 512, &pfn), PAGUS_BUSY);
		assert_int_equal(info_of(&l, 0).available_pages, 1024);
		assert_int_equal(info_of(&l, 0).used_pages, 1024);
		assert_int_equal(world_free_pages(&l), PAGES - 1024);
		assert_int_equal(unit_zone(&l.lab, 0).managed, PAGES - 1024);
		assert_int_equal(take(&l, 1024, 0, &pfn), PAGUS_OK);
		assert_int_equal(pfn, FIRST + 1024);
		contig_close(&l);
	}
}

/* Hand-overs leave out what areas have, and nobody else may hand it over. */
static void test_hand_over_leaves_areas_out(void **context)
{
	struct pagus_cma_declaration d = declaration(1024);
	struct contig_lab l;

	(void)context;
	d.base = FIRST + 2048;
	d.fixed = true;
	open_with(&l, &range, 1, "linux");
	declare(&l, &d);
	assert_int_equal(pagus_seed_free(&l.lab.p, FIRST + 2048, 3, PAGUS_MOVABLE), PAGUS_BUSY);
	assert_int_equal(pagus_inherit(&l.lab.p, FIRST + 2000, 100, PAGUS_MOVABLE), PAGUS_BUSY);
	assert_int_equal(pagus_seed_pcp(&l.lab.p, 0, FIRST + 2048, 1), PAGUS_BUSY);
	assert_int_equal(pagus_boot_free(&l.lab.p, FIRST + 1, 4000), PAGUS_OK);
	assert_int_equal(world_free_pages(&l), 4000 - 1024);
	assert_int_equal(pagus_boot_free(&l.lab.p, FIRST + 4001, PAGES - 4001), PAGUS_OK);
	assert_int_equal(pagus_boot_done(&l.lab.p), PAGUS_OK);
	assert_int_equal(world_free_pages(&l), PAGES - 1);
	assert_int_equal(unit_block_type(&l.lab, FIRST + 2048), PAGUS_CMA);
	assert_int_equal(unit_block_type(&l.lab, FIRST + 3072), PAGUS_MOVABLE);
	assert_int_equal(pagus_boot_done(&l.lab.p), PAGUS_OK);
	assert_int_equal(unit_zone(&l.lab, 0).cma_pages, 1024);
	contig_close(&l);
}

/* An area that lies in two zones is dropped; its ranges are ordinary memory, or reserved. */
static void test_property_45_two_zones(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t keep = 0; keep < 2; keep++) {
			struct pagus_config cfg = lab_config(&range, 1, policies[n]);
			struct pagus_cma_declaration d = declaration(4096);
			struct contig_lab l;
			uint64_t total, free_cma;
			pagus_pfn_t pfn;

			cfg.nr_cma_areas = 2;
			cfg.dma32_ceiling = FIRST + 4096;
			contig_open(&l, &cfg, PAGES, 16);
			d.base = FIRST + 2048;
			d.fixed = true;
			d.keep_on_error = keep;
			declare(&l, &d);
			d = declaration(1024);
			d.base = FIRST + 8192;
			d.fixed = true;
			declare(&l, &d);
			assert_int_equal(lab_hand_over(&l.lab, &cfg), PAGUS_OK);
			lab_no_marks(&l.lab);
			contig_check(&l);
			assert_false(info_of(&l, 0).active);
			assert_int_equal(info_of(&l, 0).nr_pages, 0);
			assert_true(info_of(&l, 1).active);
			assert_int_equal(unit_zone(&l.lab, 0).free_pages, keep ? 2048 : 4096);
			assert_int_equal(unit_zone(&l.lab, 1).free_pages, PAGES - 4096 - (keep ?
											  2048 : 0));
			assert_int_equal(unit_zone(&l.lab, 0).free_cma_pages, 0);
			assert_int_equal(unit_zone(&l.lab, 1).cma_pages, 1024);
			pagus_cma_totals(&l.lab.p, &total, &free_cma);
			assert_int_equal(total, 1024);
			assert_int_equal(free_cma, 1024);
			assert_int_equal(take(&l, 1, 0, &pfn), PAGUS_BAD_VALUE);
			assert_int_equal(unit_block_type(&l.lab, FIRST + 2048), PAGUS_MOVABLE);
			contig_close(&l);
		}
	}
}

/* Of an area with several ranges, one of which is not as it should be, each goes back. */
static void test_failed_activation_gives_all_back(void **context)
{
	static const struct pagus_range parts[] = {
		{ .start_pfn = FIRST, .nr_pages = 1024, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = FIRST + 3072, .nr_pages = 2048, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = FIRST + 6144, .nr_pages = 1024, .zone = PAGUS_ZONE_BY_CEILING },
	};

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = lab_config(parts, NR_OF(parts), policies[n]);
		struct pagus_cma_declaration d = declaration(4096);
		struct contig_lab l;

		cfg.nr_cma_areas = 1;
		cfg.dma32_ceiling = FIRST + 4096;
		contig_open(&l, &cfg, PAGES, 16);
		d.multi = true;
		assert_int_equal(info_of(&l, declare(&l, &d)).nr_ranges, 3);
		assert_int_equal(lab_hand_over(&l.lab, &cfg), PAGUS_OK);
		contig_check(&l);
		assert_false(info_of(&l, 0).active);
		assert_int_equal(unit_zone(&l.lab, 0).free_pages + unit_zone(&l.lab, 1).free_pages,
				 4096);
		for (pagus_pfn_t pfn = FIRST; pfn < FIRST + 1024; pfn += BLOCK)
			assert_int_equal(unit_block_type(&l.lab, pfn), PAGUS_MOVABLE);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_declarations_that_are_refused),
		cmocka_unit_test(test_placement),
		cmocka_unit_test(test_several_ranges),
		cmocka_unit_test(test_reserved_early),
		cmocka_unit_test(test_hand_over_leaves_areas_out),
		cmocka_unit_test(test_property_45_two_zones),
		cmocka_unit_test(test_failed_activation_gives_all_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
