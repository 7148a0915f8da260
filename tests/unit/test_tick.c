/* SPDX-License-Identifier: MIT */
/*
 * The vmstat tick: a CPU that has become quiet gives back what its pcps hold above their lower
 * limit.
 */
#include "unit/unit.h"

#define BATCH 4u
#define MOST  (BATCH << 5) /* pages that one tick drains at the most */

/* One CPU's pcp with `nr` free pages on it and high where that left it. */
static void fill_pcp(struct lab *lab, uint32_t nr)
{
	pagus_pfn_t held[4096];

	for (uint32_t n = 0; n < nr; n++)
		held[n] = unit_alloc(lab, GFP_USER_PAGE, 0);
	for (uint32_t n = 0; n < nr; n++)
		unit_free(lab, held[n], 0);
}

static void property_28_a_full_pcp_loses_so_many_a_tick(void **state)
{
	struct lab lab;
	struct pagus_pcp_info before, after;

	(void)state;
	unit_boot_pcp(&lab, BATCH, 16, 2000);
	fill_pcp(&lab, 2500);
	before = unit_pcp(&lab, 0, 0);
	assert_true(before.count > before.high - before.high / 8 + MOST);
	pagus_tick(&lab.p);
	after = unit_pcp(&lab, 0, 0);
	/* high follows the count down, no faster than what may be drained. */
	assert_int_equal(after.count, before.count - MOST);
	assert_int_equal(after.high, before.count - MOST);
	unit_check(&lab);
	unit_close(&lab);
}

static void property_28_an_idle_pcps_high_falls_by_an_eighth(void **state)
{
	struct lab lab;
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
	unit_close(&lab);
}

static void at_the_lower_limit_nothing_is_drained(void **state)
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
		cmocka_unit_test(at_the_lower_limit_nothing_is_drained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
