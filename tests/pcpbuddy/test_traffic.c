/* SPDX-License-Identifier: MIT */
/*
 * How often the pcp buddy allocators take the zone's lock, and what their traffic leaves behind, by
 * the numbers in section 16 of the specification. Of 13 it cannot be shown that a refill without
 * its first phase does worse: the table of phases is const.
 */
#include "pcpbuddy/owners.h"

/* ---- traffic --------------------------------------------------------------------------------- */

/*
 * `pairs` times one of `many` CPUs allocates, and the last CPU frees what was allocated `held` pages
 * ago. The number of zone locks that the second half of them took.
 */
static uint64_t many_and_few(const char *policy, uint32_t many, uint32_t held, uint32_t pairs)
{
	uint32_t ring = many * held;
	struct owners *o = owners_boot(policy, ring * UINT64_C(8) + 65536, many + 1, 63, 8192);
	pagus_pfn_t *pfns = calloc(ring, sizeof(*pfns));
	uint64_t locks = 0;

	assert_non_null(pfns);
	for (uint32_t n = 0; n < ring + pairs; n++) {
		if (n == ring + pairs / 2)
			locks = owners_zone_locks(o);
		if (n >= ring)
			owners_free(o, many, pfns[n % ring], 0);
		pfns[n % ring] = owners_alloc(o, n % many, GFP_USER_PAGE, 0);
	}
	locks = owners_zone_locks(o) - locks;
	print_message("%s, %u CPUs: %llu zone locks in %u pairs\n", policy, (unsigned)many + 1,
		      (unsigned long long)locks, (unsigned)pairs / 2);
	free(pfns);
	owners_close(o);
	return locks;
}

/* Below 1 % of policy linux, whatever the number of CPUs. */
static void check_16_01_alloc_on_many_free_on_few(void **state)
{
	static const uint32_t cpus[] = { 8, 64, 512 };

	(void)state;
	for (size_t n = 0; n < NR_OF(cpus); n++) {
		uint32_t many = cpus[n] - 1, pairs = 8000 * many;
		uint64_t classic, owned;

		if (pairs > 2000000)
			pairs = 2000000;
		classic = many_and_few("linux", many, 512, pairs);
		assert_true(classic > pairs / 2 / 200);
		for (size_t k = 0; k < NR_OF(owners_policies); k++) {
			owned = many_and_few(owners_policies[k], many, 512, pairs);
			assert_true(owned * 100 < classic);
		}
	}
}

static void check_16_02_drains_are_pageblocks(void **state)
{
	struct owners *o = owners_boot(*state, 65536, 2, 63, 2048);
	pagus_pfn_t *pfns = calloc(32768, sizeof(*pfns));
	uint64_t drains, pages;

	assert_non_null(pfns);
	owners_take(o, 0, pfns, 32768);
	drains = owners_count(o, PAGUS_COUNTER_pcp_drain);
	pages = owners_count(o, PAGUS_COUNTER_pcp_drain_pages);
	owners_give(o, 1, pfns, 32768);
	drains = owners_count(o, PAGUS_COUNTER_pcp_drain) - drains;
	pages = owners_count(o, PAGUS_COUNTER_pcp_drain_pages) - pages;
	assert_true(pages > 28000);
	assert_true(pages * 10 >= drains * 9 * BLOCK);
	free(pfns);
	owners_close(o);
}

static uint64_t avalanche(const char *policy, uint32_t cpus, uint32_t pages_each)
{
	struct owners *o = owners_boot(policy, (uint64_t)cpus * pages_each * 2, cpus, 63, 4096);
	pagus_pfn_t *pfns = calloc((size_t)cpus * pages_each, sizeof(*pfns));
	uint64_t locks;

	assert_non_null(pfns);
	for (uint32_t cpu = 0; cpu < cpus; cpu++)
		owners_take(o, cpu, pfns + cpu * pages_each, pages_each);
	locks = owners_zone_locks(o);
	for (uint32_t n = 0; n < pages_each; n++)
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			owners_free(o, cpu, pfns[cpu * pages_each + n], 0);
	locks = owners_zone_locks(o) - locks;
	free(pfns);
	owners_close(o);
	return locks;
}

/* All CPUs free all that they have at once; not more often a CPU where there are more CPUs. */
static void check_16_03_exit_avalanche(void **state)
{
	uint64_t few = avalanche(*state, 4, 32768), many = avalanche(*state, 32, 32768);

	print_message("%llu and %llu zone locks\n", (unsigned long long)few,
		      (unsigned long long)many);
	assert_true(few * 10 <= UINT64_C(11) * 4 * 32768 / BLOCK);
	assert_true(many * 10 <= UINT64_C(11) * 32 * 32768 / BLOCK);
	assert_true(many <= few * 8);
}

/* Refills double; what is left of a budget is rounded to the nearest number of pageblocks. */
static void check_16_04_warm_up(void **state)
{
	static const uint32_t blocks[] = { 0, 0, 0, 1, 2, 4, 4 };
	struct owners *o = owners_boot("pcpbuddy", 65536, 1, 63, 16384);
	uint64_t refills = 0, before = 0;

	(void)state;
	for (size_t n = 0; n < NR_OF(blocks); refills++, n++) {
		while (owners_count(o, PAGUS_COUNTER_pcp_refill) == refills)
			owners_alloc(o, 0, GFP_USER_PAGE, 0);
		assert_int_equal(owners_count(o, PAGUS_COUNTER_pageblock_own) - before, blocks[n]);
		before = owners_count(o, PAGUS_COUNTER_pageblock_own);
	}
	/* With a free between refills the budget does not grow. */
	for (size_t n = 0; n < 20; n++) {
		pagus_pfn_t pfn = owners_alloc(o, 0, GFP_USER_PAGE, 3);

		owners_free(o, 0, pfn, 3);
	}
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pageblock_own), before);
	owners_close(o);
}

/* Pageblocks that mixed traffic touches, pages of it living long. */
static uint64_t blocks_touched(const char *policy, uint64_t seed)
{
	struct owners *o = owners_boot(policy, 262144, 4, 63, 4096);
	pagus_pfn_t *longs = calloc(60000, sizeof(*longs)), shorts[2000];
	uint8_t *touched = calloc(512, 1);
	uint64_t nr_touched = 0;
	uint32_t nr = 0, held = 0;

	assert_true(longs && touched);
	for (uint32_t n = 0; n < 200000; n++) {
		uint32_t cpu = (uint32_t)lab_random(&seed, 4);
		pagus_pfn_t pfn = owners_alloc(o, cpu, GFP_USER_PAGE, 0);

		nr_touched += !touched[pfn / BLOCK];
		touched[pfn / BLOCK] = 1;
		if (nr < 60000 && lab_random(&seed, 10) < 3) {
			longs[nr++] = pfn;
			continue;
		}
		if (held == NR_OF(shorts)) {
			uint32_t at = (uint32_t)lab_random(&seed, held);

			owners_free(o, (uint32_t)lab_random(&seed, 4), shorts[at], 0);
			shorts[at] = shorts[--held];
		}
		shorts[held++] = pfn;
	}
	owners_give(o, 0, shorts, held);
	owners_give(o, 1, longs, nr);
	pagus_drain_all(&o->lab.p);
	assert_int_equal(unit_zone(&o->lab, 0).nr_free[10], 256);
	free(longs);
	free(touched);
	owners_close(o);
	return nr_touched;
}

static void check_16_13_fragmentation_soak(void **state)
{
	uint64_t seed = unit_seed();
	uint64_t classic = blocks_touched("linux", seed), owned = blocks_touched(*state, seed);

	print_message("%llu and %llu pageblocks\n", (unsigned long long)classic,
		      (unsigned long long)owned);
	assert_true(owned * 10 <= classic * 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_16_01_alloc_on_many_free_on_few),
		OWNERS_BOTH(check_16_02_drains_are_pageblocks),
		OWNERS_BOTH(check_16_03_exit_avalanche),
		cmocka_unit_test(check_16_04_warm_up),
		OWNERS_BOTH(check_16_13_fragmentation_soak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
