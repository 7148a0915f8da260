/* SPDX-License-Identifier: MIT */
/*
 * The vmstat tick: a CPU that has become quiet gives back what its pcps hold above their lower
 * limit.
 */
#include "unit/unit.h"

#define BATCH 4u

/* One CPU's pcp with `nr` free pages on it and high where that left it. */
static void fill_pcp(struct lab *lab, uint32_t nr)
{
	pagus_pfn_t held[4096];

	for (uint32_t n = 0; n < nr; n++)
		held[n] = unit_alloc(lab, GFP_USER_PAGE, 0);
	for (uint32_t n = 0; n < nr; n++)
		unit_free(lab, held[n], 0);
}

/* A pcp of 20000 pages, high as it is: an eighth of it is more than any batch << 5. */
static void property_28_a_full_pcp_loses_so_many_a_tick(void **state)
{
	static const struct pagus_range range = { 0, 32768, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	const struct pagus_pcp_seed full = { .high = 20000 };

	(void)state;
	for (uint32_t batch = 1; batch <= 63; batch = 2 * batch + 1) {
		const uint32_t most = batch << 5;
		struct lab lab;

		unit_open(&lab, &cfg);
		unit_inherit(&lab, 0, range.nr_pages, PAGUS_MOVABLE);
		unit_seeded(&lab);
		unit_limits(&lab, 0, batch, 4 * batch, full.high);
		pagus_seed_pcp_state(&lab.p, 0, PAGUS_ZONE_NORMAL, 0, &full);
		for (pagus_pfn_t pfn = 0; pfn + 1 < full.high; pfn++)
			unit_free(&lab, pfn, 0);
		for (uint32_t tick = 1; tick <= 2; tick++) {
			pagus_tick(&lab.p);
			assert_int_equal(unit_pcp(&lab, 0, 0).count, full.high - 1 - tick * most);
			/* high follows the count down. */
			assert_int_equal(unit_pcp(&lab, 0, 0).high, full.high - 1 - tick * most);
		}
		unit_close(&lab);
	}
}

static void property_28_an_idle_pcps_high_falls_by_an_eighth(void **state)
{
	struct lab lab;
	uint64_t digest;
	uint32_t high;

	(void)state;
	unit_boot_pcp(&lab, BATCH, 16, 2000);
	fill_pcp(&lab, 1500);
	pagus_drain_all(&lab.p);
	high = unit_pcp(&lab, 0, 0).high;
	assert_true(high > 16);
	for (uint32_t n = 0; n < 64; n++) {
		uint32_t next = high - high / 8 > 16 ? high - high / 8 : 16;

		pagus_tick(&lab.p);
		assert_int_equal(unit_pcp(&lab, 0, 0).high, next);
		high = next;
	}
	assert_int_equal(high, 16);
	/* Then there is nothing left to do. */
	digest = pagus_digest(&lab.p);
	pagus_tick(&lab.p);
	assert_true(pagus_digest(&lab.p) == digest);
	unit_close(&lab);
}

static void property_28_at_the_lower_limit_nothing_is_drained(void **state)
{
	struct lab lab;
	uint32_t count;

	(void)state;
	unit_boot_pcp(&lab, BATCH, 16, 16);
	fill_pcp(&lab, 8);
	count = unit_pcp(&lab, 0, 0).count;
	assert_true(count > 0 && count <= 16);
	pagus_tick(&lab.p);
	assert_int_equal(unit_pcp(&lab, 0, 0).count, count);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_28_a_full_pcp_loses_so_many_a_tick),
		cmocka_unit_test(property_28_an_idle_pcps_high_falls_by_an_eighth),
		cmocka_unit_test(property_28_at_the_lower_limit_nothing_is_drained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
