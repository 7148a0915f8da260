/* SPDX-License-Identifier: MIT */
/* What a GFP mask means: zone, migratetype, and what is refused. */
#include "unit/unit.h"

#define BAD PAGUS_NR_ZONE_TYPES

/* 256 pages each of DMA, DMA32, Normal, HighMem, Movable: zone id = type. */
static const struct pagus_range five_zones[] = {
	{ 0, 1024, 0, PAGUS_ZONE_BY_CEILING }, { 1024, 256, 0, PAGUS_ZONE_MOVABLE },
};

static void boot_five_zones(struct lab *lab)
{
	struct pagus_config cfg = lab_config(five_zones, NR_OF(five_zones), "linux");

	cfg.dma_ceiling = 256;
	cfg.dma32_ceiling = 512;
	cfg.normal_ceiling = 768;
	unit_boot(lab, &cfg);
	lab_no_marks(lab);
}

static const uint32_t zone_of_nibble[16] = {
	PAGUS_ZONE_NORMAL, PAGUS_ZONE_DMA, PAGUS_ZONE_HIGHMEM, BAD,
	PAGUS_ZONE_DMA32,  BAD,            BAD,                BAD,
	PAGUS_ZONE_NORMAL, PAGUS_ZONE_DMA, PAGUS_ZONE_MOVABLE, BAD,
	PAGUS_ZONE_DMA32,  BAD,            BAD,                BAD,
};

static struct pagus_result ask(struct lab *lab, uint32_t gfp, uint32_t order, uint32_t node)
{
	const struct pagus_request req = { .gfp = gfp, .order = order, .node = node };
	struct pagus_result res;
	enum pagus_status status = pagus_alloc(&lab->p, &req, &res);

	assert_int_equal(status, res.status);
	assert_true((res.status == PAGUS_OK) == (res.pfn != PAGUS_NO_PFN));
	return res;
}

static void zone_table(void **state)
{
	struct lab lab;

	(void)state;
	boot_five_zones(&lab);
	for (uint32_t nibble = 0; nibble < 16; nibble++) {
		struct pagus_result res = ask(&lab, GFP_KERNEL | nibble, 0, PAGUS_NO_NODE);

		if (zone_of_nibble[nibble] == BAD) {
			assert_int_equal(res.status, PAGUS_BAD_ZONE_BITS);
			continue;
		}
		assert_int_equal(res.status, PAGUS_OK);
		assert_int_equal(unit_zone(&lab, res.zone).type, zone_of_nibble[nibble]);
		unit_free(&lab, res.pfn, 0);
	}
	unit_close(&lab);
}

static void the_reclaimable_bit_does_not_choose_the_zone(void **state)
{
	struct lab lab;

	(void)state;
	boot_five_zones(&lab);
	for (uint32_t nibble = 0; nibble < 8; nibble++) {
		struct pagus_result res = ask(&lab, GFP_RECLAIM_SLAB | nibble, 0, PAGUS_NO_NODE);

		if (zone_of_nibble[nibble] == BAD)
			assert_int_equal(res.status, PAGUS_BAD_ZONE_BITS);
		else
			assert_int_equal(unit_zone(&lab, res.zone).type, zone_of_nibble[nibble]);
	}
	unit_close(&lab);
}

static void a_zone_that_is_not_configured_is_normal(void **state)
{
	static const struct pagus_range range = { 0, 1024, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	for (uint32_t nibble = 0; nibble < 16; nibble++)
		assert_int_equal(ask(&lab, GFP_KERNEL | nibble, 0, PAGUS_NO_NODE).status,
				 zone_of_nibble[nibble] == BAD ? PAGUS_BAD_ZONE_BITS : PAGUS_OK);
	unit_close(&lab);
}

/* DMA is configured but has no memory: a request for it has nowhere to go. */
static void a_configured_zone_without_memory_serves_nothing(void **state)
{
	static const struct pagus_range range = { 1024, 1024, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct lab lab;

	(void)state;
	cfg.dma_ceiling = 1024;
	unit_boot(&lab, &cfg);
	unit_no_memory(&lab, GFP_KERNEL | GFP_DMA, 0);
	unit_alloc(&lab, GFP_KERNEL, 0);
	unit_close(&lab);
}

static void a_full_zone_falls_back_to_lower_zones_only(void **state)
{
	struct lab lab;

	(void)state;
	boot_five_zones(&lab);
	for (uint32_t zone = 0; zone < pagus_nr_zones(&lab.p); zone++)
		unit_limits(&lab, zone, 1, 4, 4);
	for (uint32_t type = PAGUS_ZONE_NORMAL + 1; type-- > 0;)
		for (uint32_t n = 0; n < 2; n++)
			assert_int_equal(ask(&lab, GFP_KERNEL, 7, PAGUS_NO_NODE).zone, type);
	unit_no_memory(&lab, GFP_KERNEL, 7);
	for (uint32_t type = PAGUS_ZONE_MOVABLE; type >= PAGUS_ZONE_HIGHMEM; type--)
		for (uint32_t n = 0; n < 2; n++)
			assert_int_equal(ask(&lab, GFP_HIGHUSER_MOVABLE, 7, PAGUS_NO_NODE).zone,
					 type);
	unit_no_memory(&lab, GFP_HIGHUSER_MOVABLE, 7);
	unit_close(&lab);
}

static void composite_masks_have_the_kernels_values(void **state)
{
	static const struct {
		uint32_t got, want;
	} rows[] = {
		{ GFP_ATOMIC, 0x820 },            { GFP_KERNEL, 0xcc0 },
		{ GFP_KERNEL_ACCOUNT, 0x400cc0 }, { GFP_NOWAIT, 0x2800 },
		{ GFP_NOIO, 0xc00 },              { GFP_NOFS, 0xc40 },
		{ GFP_USER, 0x100cc0 },           { GFP_DMA, 0x1 },
		{ GFP_DMA32, 0x4 },               { GFP_HIGHUSER, 0x100cc2 },
		{ GFP_HIGHUSER_MOVABLE, 0x100cca }, { GFP_TRANSHUGE_LIGHT, 0x1c20ca },
		{ GFP_TRANSHUGE, 0x1c24ca },      { __GFP_RECLAIM, 0xc00 },
		{ __GFP_NO_OBJ_EXT, 0x1000000 },  { GFP_ZONEMASK, 0xf },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++)
		assert_int_equal(rows[n].got, rows[n].want);
}

static void a_block_remembers_the_requests_type(void **state)
{
	static const struct pagus_range range = { 0, 4096, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	for (uint32_t type = 0; type < 3; type++) {
		struct pagus_page_info page;
		pagus_pfn_t pfn = unit_alloc(&lab, unit_gfp(type), 2);

		assert_int_equal(pagus_page_info(&lab.p, pfn, &page), PAGUS_OK);
		assert_int_equal(page.kind, PAGUS_PAGE_ALLOCATED);
		assert_int_equal(page.order, 2);
		assert_int_equal(page.request_type, type);
		assert_int_equal(page.block_type, type);
		assert_int_equal(pagus_page_info(&lab.p, pfn + 3, &page), PAGUS_OK);
		assert_int_equal(page.kind, PAGUS_PAGE_TAIL);
	}
	unit_close(&lab);
}

static void bad_requests_change_nothing(void **state)
{
	static const struct {
		uint32_t gfp, order, node;
		enum pagus_status want;
	} rows[] = {
		{ GFP_KERNEL, PAGUS_MAX_ORDER + 1, 0, PAGUS_BAD_ORDER },
		{ GFP_KERNEL, UINT32_MAX, 0, PAGUS_BAD_ORDER },
		{ GFP_KERNEL | __GFP_MOVABLE | __GFP_RECLAIMABLE, 0, 0, PAGUS_BAD_TYPE_BITS },
		{ GFP_KERNEL | __GFP_DMA | __GFP_DMA32, 0, 0, PAGUS_BAD_ZONE_BITS },
		{ GFP_KERNEL, 0, 1, PAGUS_BAD_NODE },
		{ GFP_KERNEL, 0, PAGUS_NO_NODE - 1, PAGUS_BAD_NODE },
	};
	uint64_t digest;
	struct lab lab;

	(void)state;
	boot_five_zones(&lab);
	digest = pagus_digest(&lab.p);
	for (size_t n = 0; n < NR_OF(rows); n++) {
		assert_int_equal(ask(&lab, rows[n].gfp, rows[n].order, rows[n].node).status,
				 rows[n].want);
		assert_true(pagus_digest(&lab.p) == digest);
	}
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_alloc_bad), NR_OF(rows));
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_alloc_fail), 0);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zone_table),
		cmocka_unit_test(the_reclaimable_bit_does_not_choose_the_zone),
		cmocka_unit_test(a_zone_that_is_not_configured_is_normal),
		cmocka_unit_test(a_configured_zone_without_memory_serves_nothing),
		cmocka_unit_test(a_full_zone_falls_back_to_lower_zones_only),
		cmocka_unit_test(composite_masks_have_the_kernels_values),
		cmocka_unit_test(a_block_remembers_the_requests_type),
		cmocka_unit_test(bad_requests_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
