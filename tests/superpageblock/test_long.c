/* SPDX-License-Identifier: MIT */
/*
 * Check 28 of the superpageblock specification: a load that stays as it is, for long. The number of
 * tainted superpageblocks has no upward trend, everything counts right, nobody runs out of memory.
 *
 * usage: test_long [OPERATIONS [MIB]]    allocations and frees, 3000000; of memory, 512
 */
#include <stdio.h>

#include "superpageblock/mover.h"

#define SAMPLES 64u

static uint64_t operations = 3000000, mib = 512;

static enum pagus_oom_answer no_victim(void *ctx, const struct pagus_oom *what)
{
	(void)ctx;
	(void)what;
	fail_msg("out of memory");
	return PAGUS_OOM_NOTHING;
}

static uint64_t done(const struct host *h)
{
	return 2 * host_count(h, PAGUS_COUNTER_alloc_ok);
}

/* log2 in 1/1024 of it. */
static int64_t log2_of(uint64_t x)
{
	int64_t whole = 63 - __builtin_clzll(x);

	return whole * 1024 + (int64_t)((x << (63 - whole) << 1) >> 54);
}

/* By how many thousandths of one the least squares' line over the logarithm of time rises. */
static int64_t rise(const uint32_t *tainted, const uint64_t *at, uint32_t nr)
{
	int64_t x_sum = 0, y_sum = 0, xy = 0, xx = 0, span = log2_of(at[nr - 1]) - log2_of(at[0]);

	for (uint32_t n = 0; n < nr; n++) {
		x_sum += log2_of(at[n]);
		y_sum += tainted[n];
	}
	for (uint32_t n = 0; n < nr; n++) {
		int64_t x = log2_of(at[n]) * nr - x_sum, y = (int64_t)tainted[n] * nr - y_sum;

		xy += x * y;
		xx += x * x;
	}
	return xx ? xy * 1000 / (xx / span) : 0;
}

static void check_28_no_trend(void **state)
{
	static const struct mix mix = { 3, true, 70, 10 };
	struct host *h = host_boot(mib, 4);
	uint32_t tainted[SAMPLES];
	uint64_t at[SAMPLES];
	int64_t risen;

	(void)state;
	mover_own(h);
	h->port.oom = no_victim;
	h->seed = unit_seed();
	load_fill(h, &mix);
	for (uint32_t n = 0; n < SAMPLES; n++) {
		while (done(h) < operations / SAMPLES * (n + 1))
			load_turn_over(h, &mix, 5);
		tainted[n] = host_tainted(h);
		at[n] = done(h);
		unit_check(&h->lab);
	}
	mover_check(h);
	/* The beginning is left out: then the load is what it stays. */
	risen = rise(tainted + SAMPLES / 8, at + SAMPLES / 8, SAMPLES - SAMPLES / 8);
	print_message("%llu operations: %u tainted at most, %u at the end, %llu would do; risen by "
		      "%lld/1000\n",
		      (unsigned long long)done(h), h->peak_tainted, tainted[SAMPLES - 1],
		      (unsigned long long)host_bound(h, h->peak_kernel_pages), (long long)risen);
	/* Half of one, or a hundredth, is noise. */
	assert_true(risen <= 500 || risen <= tainted[0] * INT64_C(10));
	assert_true(host_tau(h) <= 1250);
	host_close(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(check_28_no_trend) };

	if (argc > 1)
		operations = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		mib = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
