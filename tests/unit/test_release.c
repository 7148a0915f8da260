/* SPDX-License-Identifier: MIT */
/* Where the releases from 6.12 on differ from each other. test_release_6_1.c has 6.1's own ways. */
#include "unit/unit.h"

static const struct pagus_range range = { 0, 65536, 0, PAGUS_ZONE_BY_CEILING };

static void open_release(struct lab *lab, const char *policy, uint32_t batch, uint32_t high_min,
			 uint32_t high_max)
{
	const struct pagus_config cfg = lab_config(&range, 1, policy);

	unit_boot(lab, &cfg);
	unit_limits(lab, 0, batch, high_min, high_max);
}

/* Allocate and free again: the drains' sizes in pages, as asked for. */
static uint32_t drains_of_frees(struct lab *lab, uint32_t pages, uint32_t *sizes, uint32_t room)
{
	static pagus_pfn_t pfns[4096];
	uint32_t nr = 0;

	for (uint32_t n = 0; n < pages; n++)
		pfns[n] = unit_alloc(lab, GFP_KERNEL, 0);
	lab_listen(lab, 1u << PAGUS_EVENT_DRAIN);
	for (uint32_t n = 0; n < pages; n++)
		unit_free(lab, pfns[n], 0);
	for (uint32_t n = 0; n < lab->nr_events && nr < room; n++)
		sizes[nr++] = lab->log[n].a;
	return nr;
}

/*
 * What a pcp holds above its limit goes in one hold of the zone's lock until 7.0, then in batches.
 */
static void overflow_drains_in_one_piece_until_7_0(void **state)
{
	static const struct {
		const char *policy;
		uint32_t nr, largest;
	} rows[] = {
		{ "linux-6.12", 1, 88 }, { "linux-6.18", 1, 88 }, { "linux", 11, 8 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		uint32_t sizes[64], nr, largest = 0;
		struct lab lab;

		open_release(&lab, rows[n].policy, 8, 100, 104);
		nr = drains_of_frees(&lab, 104, sizes, NR_OF(sizes));
		for (uint32_t k = 0; k < nr; k++)
			largest = sizes[k] > largest ? sizes[k] : largest;
		assert_int_equal(largest, rows[n].largest);
		assert_int_equal(nr, rows[n].nr);
		unit_close(&lab);
	}
}

/*
 * Frees of order 1 in a row are a burst from a batch on in 6.12, from half of high_min more later.
 */
static void a_burst_is_larger_from_6_18_on(void **state)
{
	static const struct {
		const char *policy;
		uint32_t frees; /* of order 1 until the first drain */
	} rows[] = {
		{ "linux-6.12", 5 }, { "linux-6.18", 55 }, { "linux", 55 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		pagus_pfn_t pfns[200];
		struct lab lab;
		uint32_t frees = 0;

		open_release(&lab, rows[n].policy, 8, 200, 2000);
		for (uint32_t k = 0; k < NR_OF(pfns); k++)
			pfns[k] = unit_alloc(&lab, GFP_KERNEL, 1);
		pagus_drain_all(&lab.p);
		unit_alloc(&lab, GFP_KERNEL, 0);
		lab_listen(&lab, 1u << PAGUS_EVENT_DRAIN);
		while (lab.nr_events == 0 && frees < NR_OF(pfns))
			unit_free(&lab, pfns[frees++], 1);
		assert_int_equal(frees, rows[n].frees);
		unit_close(&lab);
	}
}

/* An atomic request of higher order refills an empty list until 7.1, then takes one block. */
static void atomic_requests_refill_pcps_until_7_1(void **state)
{
	static const struct {
		const char *policy;
		uint32_t left; /* on the list */
	} rows[] = {
		{ "linux-6.12", 3 }, { "linux-6.18", 3 }, { "linux", 0 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_zone_seed pressed = {
			.present = 65536, .managed = 65536, .pcp_batch = 8, .pcp_high_min = 100,
			.pcp_high_max = 100, .wmark = { 0, 65536, 65536, 65536 },
		};
		struct lab lab;

		open_release(&lab, rows[n].policy, 8, 100, 100);
		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &pressed), PAGUS_OK);
		unit_alloc(&lab, GFP_ATOMIC, 1);
		assert_int_equal(pagus_pcp_list(&lab.p, 0, 0, 3, NULL, 0), rows[n].left);
		assert_int_equal(unit_zone(&lab, 0).reserved_highatomic_pages, 512);
		unit_close(&lab);
	}
}

/* What is in use of the reserve still counts as not free for others in 6.1. */
static void watermarks_leave_out_the_whole_reserve_in_6_1(void **state)
{
	static const struct {
		const char *policy;
		enum pagus_status status;
	} rows[] = {
		{ "linux-6.1", PAGUS_NO_MEMORY }, { "linux-6.12", PAGUS_OK }, { "linux", PAGUS_OK },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		const struct pagus_config cfg = lab_config(&range, 1, rows[n].policy);
		struct pagus_zone_seed seed = {
			.present = 65536, .managed = 65536, .pcp_batch = 1,
		};
		struct lab lab;
		pagus_pfn_t pfn;

		/* One reserved pageblock, all of it in use, and 400 pages free elsewhere. */
		unit_open(&lab, &cfg);
		unit_seed_block(&lab, 0, PAGUS_HIGHATOMIC);
		unit_inherit(&lab, 0, 512, PAGUS_UNMOVABLE);
		unit_seed_block(&lab, 512, PAGUS_UNMOVABLE);
		assert_int_equal(pagus_seed_free(&lab.p, 512, 8, PAGUS_UNMOVABLE), PAGUS_OK);
		assert_int_equal(pagus_seed_free(&lab.p, 768, 7, PAGUS_UNMOVABLE), PAGUS_OK);
		assert_int_equal(pagus_seed_free(&lab.p, 896, 4, PAGUS_UNMOVABLE), PAGUS_OK);
		assert_int_equal(pagus_boot_done(&lab.p), PAGUS_OK);
		assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
		assert_int_equal(pagus_alloc_pages(&lab.p, GFP_NOWAIT | __GFP_NOMEMALLOC, 0, &pfn),
				 rows[n].status);
		unit_close(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overflow_drains_in_one_piece_until_7_0),
		cmocka_unit_test(a_burst_is_larger_from_6_18_on),
		cmocka_unit_test(atomic_requests_refill_pcps_until_7_1),
		cmocka_unit_test(watermarks_leave_out_the_whole_reserve_in_6_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
