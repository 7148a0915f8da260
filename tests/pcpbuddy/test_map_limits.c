/* SPDX-License-Identifier: MIT */
/*
 * Policy pcpbuddy-bitmap: what its frees refuse, how large its state is, and what it does not do.
 */
#include <pagus/step.h>

#include "pcpbuddy/owners.h"

static struct owners *boot(uint64_t pages, uint32_t nr_cpus, uint32_t batch, uint32_t high)
{
	return owners_boot(owners_maps, pages, nr_cpus, batch, high);
}

static uint64_t deferred(const struct owners *o)
{
	return unit_zone(&o->lab, 0).deferred_pages;
}

/* All is free, nothing is owned. */
static void expect_all_free(struct owners *o, uint64_t pages)
{
	pagus_drain_all(&o->lab.p);
	assert_int_equal(unit_zone(&o->lab, 0).free_pages, pages);
	assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], pages / 1024);
	assert_int_equal(deferred(o), 0);
}

/* ---- what a free refuses --------------------------------------------------------------------- */

static void expect_refused(struct owners *o, pagus_pfn_t pfn, uint32_t order, enum pagus_status why)
{
	uint64_t before = pagus_digest(&o->lab.p);

	assert_int_equal(pagus_free_pages(&o->lab.p, pfn, order), why);
	assert_int_equal(pagus_free_nolock(&o->lab.p, pfn, order), why);
	assert_int_equal(pagus_put_pages(&o->lab.p, pfn, order), why);
	assert_true(pagus_digest(&o->lab.p) == before);
}

/* Of a block that is handed out: its other orders, and its further pages. */
static void expect_exact(struct owners *o, pagus_pfn_t pfn, uint32_t order)
{
	for (uint32_t other = 0; other <= 10; other++) {
		if (other == order)
			continue;
		expect_refused(o, pfn, other, pfn % (1u << other) ? PAGUS_BAD_ALIGN :
			       PAGUS_WRONG_ORDER);
	}
	expect_refused(o, pfn, 11, PAGUS_BAD_ORDER);
	for (uint32_t k = 0; k < order; k++)
		expect_refused(o, pfn + (1u << k), k, PAGUS_NOT_ALLOCATED);
}

/* Of one that was freed: all of it. */
static void expect_gone(struct owners *o, pagus_pfn_t pfn, uint32_t order)
{
	for (uint32_t k = 0; k <= order; k++) {
		expect_refused(o, pfn, k, PAGUS_DOUBLE_FREE);
		expect_refused(o, pfn + (1u << order) - (1u << k), k, PAGUS_DOUBLE_FREE);
	}
}

static void frees_are_exact(void **state)
{
	(void)state;
	for (uint32_t order = 0; order <= 10; order++)
		for (uint32_t way = 0; way < 3; way++) {
			struct owners *o = boot(8192, 2, 512, 8192);
			pagus_pfn_t pfn = owners_alloc(o, 0, GFP_USER_PAGE, order);

			expect_exact(o, pfn, order);
			/* By its own CPU, by another, by its own whose lock is taken. */
			o->pcps_taken = way == 2;
			owners_free(o, way == 1, pfn, order);
			expect_gone(o, pfn, order);
			assert_int_equal(deferred(o), way && order < 10 ? 1u << order : 0);
			o->pcps_taken = false;
			pagus_drain_all(&o->lab.p);
			expect_gone(o, pfn, order);
			expect_all_free(o, 8192);
			owners_close(o);
		}
}

static void what_was_never_allocated_is_refused(void **state)
{
	static const struct pagus_range range = { 0, 8000, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, owners_maps);
	struct lab lab;

	(void)state;
	unit_open(&lab, &cfg);
	unit_inherit(&lab, 0, 16, PAGUS_UNMOVABLE);
	for (uint32_t order = 0; order <= 10; order++) {
		assert_int_equal(pagus_free_pages(&lab.p, 1024, order), PAGUS_NOT_ALLOCATED);
		assert_int_equal(pagus_free_pages(&lab.p, 8192, order), PAGUS_BAD_RANGE);
	}
	assert_int_equal(pagus_free_pages(&lab.p, 8000, 0), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_free_pages(&lab.p, 0, 5), PAGUS_WRONG_ORDER);
	assert_int_equal(pagus_free_pages(&lab.p, 0, 3), PAGUS_OK);
	assert_int_equal(pagus_free_pages(&lab.p, 0, 3), PAGUS_DOUBLE_FREE);
	unit_check(&lab);
	lab_close(&lab);
}

/* ---- size, and what is not there ------------------------------------------------------------- */

static void check_16_22_metadata(void **state)
{
	static const struct { uint64_t gib; uint32_t nr_cpus; } rows[] = { { 1, 2 }, { 16, 8 } };

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_range range = { 0, rows[n].gib << 18, 0, PAGUS_ZONE_BY_CEILING };
		struct pagus_config cfg = lab_config(&range, 1, owners_maps);
		uint64_t bytes;

		cfg.nr_cpus = rows[n].nr_cpus;
		bytes = pagus_sizeof(&cfg);
		print_message("%llu bytes for %llu GiB\n", (unsigned long long)bytes,
			      (unsigned long long)rows[n].gib);
		/* 0.02 % */
		assert_in_range(bytes, 1, (rows[n].gib << 30) / 5000);
	}
}

static void what_maps_have_no_room_for_is_unsupported(void **state)
{
	struct owners *o = boot(8192, 1, 63, 1024);
	pagus_pfn_t pfn = owners_alloc(o, 0, GFP_USER_PAGE, 0), got;
	uint64_t before = pagus_digest(&o->lab.p);

	(void)state;
	assert_int_equal(pagus_get_page(&o->lab.p, pfn), PAGUS_UNSUPPORTED);
	assert_int_equal(pagus_get_page(&o->lab.p, 8192), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_step_pop(&o->lab.p, 0, 0, PAGUS_MOVABLE, false, &got),
			 PAGUS_UNSUPPORTED);
	assert_int_equal(pagus_step_rotate(&o->lab.p, 0, 10), PAGUS_UNSUPPORTED);
	assert_int_equal(pagus_step_drain(&o->lab.p, 0, 0, 1, 0), PAGUS_UNSUPPORTED);
	assert_true(pagus_digest(&o->lab.p) == before);
	owners_close(o);
}

static bool charge(void *ctx, uint64_t pfn, uint32_t order, uint32_t gfp)
{
	(void)ctx;
	(void)pfn;
	(void)order;
	(void)gfp;
	return true;
}

static int check(void *ctx, uint64_t pfn, uint32_t order, enum pagus_check when)
{
	(void)ctx;
	(void)pfn;
	(void)order;
	(void)when;
	return 0;
}

static void ports_that_charge_or_check_are_unsupported(void **state)
{
	static const struct pagus_range range = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_port charges = pagus_sim_port, checks = pagus_sim_port;
	const struct pagus_port *const ports[] = { &charges, &checks };

	(void)state;
	charges.charge = charge;
	checks.check = check;
	for (size_t policy = 0; policy < NR_OF(owners_policies); policy++)
		for (size_t n = 0; n < NR_OF(ports); n++) {
			const struct pagus_config cfg =
				lab_config(&range, 1, owners_policies[policy]);
			size_t bytes = pagus_sizeof(&cfg);
			void *mem = aligned_alloc(64, bytes);
			struct pagus_sim sim;
			struct pagus p;

			assert_non_null(mem);
			pagus_sim_init(&sim, 1);
			assert_int_equal(pagus_init(&p, mem, bytes, &cfg, ports[n], &sim),
					 policy ? PAGUS_UNSUPPORTED : PAGUS_OK);
			free(mem);
		}
}

/* What does not fit into a map is no configuration; the same is one under policy pcpbuddy. */
static void what_a_map_cannot_hold_is_no_configuration(void **state)
{
	static const struct pagus_range one = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };
	static const struct pagus_range shared[] = {
		{ 0, 4096 + 256, 0, PAGUS_ZONE_BY_CEILING },
		{ 4096 + 256, 3840, 1, PAGUS_ZONE_BY_CEILING },
	};
	static const struct pagus_range apart[] = {
		{ 0, 4096 + 256, 0, PAGUS_ZONE_BY_CEILING },
		{ 4096 + 512, 3584, 1, PAGUS_ZONE_BY_CEILING },
	};
	struct pagus_config cfg;

	(void)state;
	for (size_t policy = 0; policy < NR_OF(owners_policies); policy++) {
		bool lists = policy == 0;

		cfg = lab_config(shared, 2, owners_policies[policy]);
		assert_int_equal(pagus_sizeof(&cfg) > 0, lists);
		cfg = lab_config(apart, 2, owners_policies[policy]);
		assert_true(pagus_sizeof(&cfg) > 0);
		cfg = lab_config(&one, 1, owners_policies[policy]);
		cfg.pageblock_order = 10;
		assert_int_equal(pagus_sizeof(&cfg) > 0, lists);
		cfg.pageblock_order = 9;
		cfg.dma_ceiling = 1024 + 128;
		assert_int_equal(pagus_sizeof(&cfg) > 0, lists);
		cfg.dma_ceiling = 1024 + 512;
		assert_true(pagus_sizeof(&cfg) > 0);
	}
	cfg = lab_config(&one, 1, "bitmap+linux");
	assert_true(pagus_sizeof(&cfg) > 0);
	cfg = lab_config(&one, 1, "bitmap+convert");
	assert_true(pagus_sizeof(&cfg) == 0);
	assert_false(pagus_policy_known("bitmap+convert"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frees_are_exact),
		cmocka_unit_test(what_was_never_allocated_is_refused),
		cmocka_unit_test(check_16_22_metadata),
		cmocka_unit_test(what_maps_have_no_room_for_is_unsupported),
		cmocka_unit_test(ports_that_charge_or_check_are_unsupported),
		cmocka_unit_test(what_a_map_cannot_hold_is_no_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
