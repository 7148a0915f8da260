/* SPDX-License-Identifier: MIT */
/* ALLOC_NOFRAGMENT: a lower zone is better than a mixed pageblock. */
#include "unit/unit.h"

#define BLOCK 512
#define DMA32_START 1024
#define NORMAL_START 2048

/* DMA, DMA32 and Normal of 1024 pages each, then more memory on node 1. */
static const struct pagus_range two_nodes[] = {
	{ 0, 3072, 0, PAGUS_ZONE_BY_CEILING }, { 3072, 1024, 1, PAGUS_ZONE_BY_CEILING },
};
enum { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_NORMAL_1 };

static void open_nodes(struct lab *lab, uint32_t nr_nodes)
{
	struct pagus_config cfg = lab_config(two_nodes, nr_nodes, "nopcp");

	cfg.dma_ceiling = DMA32_START;
	cfg.dma32_ceiling = NORMAL_START;
	unit_open(lab, &cfg);
}

/* Eight free pages in a movable pageblock that nobody can claim. */
static void seed_eight_pages(struct lab *lab, pagus_pfn_t start)
{
	unit_seed_free(lab, start, 3);
	unit_inherit(lab, start + 8, BLOCK - 8, PAGUS_MOVABLE);
}

static pagus_pfn_t alloc_on(struct lab *lab, uint32_t gfp, uint32_t node)
{
	const struct pagus_request req = { .gfp = gfp, .node = node };
	struct pagus_result res;

	assert_int_equal(pagus_alloc(&lab->p, &req, &res), PAGUS_OK);
	return res.pfn;
}

static void property_15_a_lower_zone_serves_before_types_mix(void **state)
{
	struct lab lab;

	(void)state;
	open_nodes(&lab, 1);
	seed_eight_pages(&lab, NORMAL_START);
	unit_seed_free(&lab, DMA32_START, 9);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), DMA32_START);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_fallback_claim_block), 1);
	unit_close(&lab);
}

static void property_15_a_foreign_pageblock_is_claimed_all_the_same(void **state)
{
	struct lab lab;

	(void)state;
	open_nodes(&lab, 1);
	seed_eight_pages(&lab, NORMAL_START);
	unit_seed_free(&lab, NORMAL_START + BLOCK, 9);
	unit_seed_free(&lab, DMA32_START, 9);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), NORMAL_START + BLOCK);
	unit_close(&lab);
}

static void property_15_where_no_zone_can_the_first_one_mixes(void **state)
{
	struct lab lab;

	(void)state;
	open_nodes(&lab, 1);
	seed_eight_pages(&lab, NORMAL_START);
	seed_eight_pages(&lab, DMA32_START);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), NORMAL_START);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_fallback_steal), 1);
	unit_close(&lab);
}

static void property_16_dma32_requests_mix_at_once(void **state)
{
	struct lab lab;

	(void)state;
	open_nodes(&lab, 1);
	seed_eight_pages(&lab, DMA32_START);
	unit_seed_free(&lab, 0, 9);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL | GFP_DMA32, 0), DMA32_START);
	unit_close(&lab);
}

static void property_16_a_node_without_dma32_mixes_at_once(void **state)
{
	struct lab lab;

	(void)state;
	open_nodes(&lab, 2);
	seed_eight_pages(&lab, 3072);
	unit_seed_free(&lab, NORMAL_START, 9);
	unit_seeded(&lab);
	assert_int_equal(alloc_on(&lab, GFP_KERNEL, 1), 3072);
	unit_close(&lab);
}

/*
 * On the node that has a DMA32, going there is better than mixing, and mixing is better than
 * leaving the node.
 */
static void property_16_mixing_is_better_than_another_node(void **state)
{
	(void)state;
	for (uint32_t lower = 0; lower < 2; lower++) {
		struct lab lab;

		open_nodes(&lab, 2);
		seed_eight_pages(&lab, NORMAL_START);
		if (lower)
			unit_seed_free(&lab, DMA32_START, 9);
		unit_seed_free(&lab, 3072, 9);
		unit_seeded(&lab);
		assert_int_equal(alloc_on(&lab, GFP_KERNEL, 0), lower ? DMA32_START : NORMAL_START);
		unit_close(&lab);
	}
}

static void property_16_without_a_configured_dma32_types_mix_at_once(void **state)
{
	static const struct pagus_range range = { 0, 3072, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, "nopcp");
	struct lab lab;

	(void)state;
	cfg.dma_ceiling = NORMAL_START;
	unit_open(&lab, &cfg);
	seed_eight_pages(&lab, NORMAL_START);
	unit_seed_free(&lab, 0, 9);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), NORMAL_START);
	unit_close(&lab);
}

/* With one node it is enough that DMA32 is configured: the request goes past it, to DMA. */
static void property_15_an_empty_dma32_counts_on_a_single_node(void **state)
{
	static const struct pagus_range ranges[] = {
		{ 0, DMA32_START, 0, PAGUS_ZONE_BY_CEILING },
		{ NORMAL_START, 1024, 0, PAGUS_ZONE_BY_CEILING },
	};
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), "nopcp");
	struct lab lab;

	(void)state;
	cfg.dma_ceiling = DMA32_START;
	cfg.dma32_ceiling = NORMAL_START;
	unit_open(&lab, &cfg);
	seed_eight_pages(&lab, NORMAL_START);
	unit_seed_free(&lab, 0, 9);
	unit_seeded(&lab);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), 0);
	unit_close(&lab);
}

/* Only who asks for no more than one round is refused rather than mixed. */
static void property_15_defrag_mode_mixes_last(void **state)
{
	struct lab lab;

	(void)state;
	open_nodes(&lab, 1);
	seed_eight_pages(&lab, NORMAL_START);
	unit_seeded(&lab);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_defrag_mode, 1), PAGUS_OK);
	lab_no_marks(&lab);
	unit_no_memory(&lab, GFP_KERNEL | __GFP_NORETRY, 0);
	assert_int_equal(unit_alloc(&lab, GFP_USER_PAGE, 0), NORMAL_START);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL, 0), NORMAL_START + 1);
	unit_no_memory(&lab, GFP_KERNEL | __GFP_NORETRY, 0);
	assert_int_equal(unit_alloc(&lab, GFP_NOWAIT, 0), NORMAL_START + 2);
	assert_int_equal(pagus_tunable_set(&lab.p, PAGUS_TUNABLE_defrag_mode, 0), PAGUS_OK);
	assert_int_equal(unit_alloc(&lab, GFP_KERNEL | __GFP_NORETRY, 0), NORMAL_START + 3);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_15_a_lower_zone_serves_before_types_mix),
		cmocka_unit_test(property_15_a_foreign_pageblock_is_claimed_all_the_same),
		cmocka_unit_test(property_15_where_no_zone_can_the_first_one_mixes),
		cmocka_unit_test(property_16_dma32_requests_mix_at_once),
		cmocka_unit_test(property_16_a_node_without_dma32_mixes_at_once),
		cmocka_unit_test(property_16_mixing_is_better_than_another_node),
		cmocka_unit_test(property_16_without_a_configured_dma32_types_mix_at_once),
		cmocka_unit_test(property_15_an_empty_dma32_counts_on_a_single_node),
		cmocka_unit_test(property_15_defrag_mode_mixes_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
