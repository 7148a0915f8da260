/* SPDX-License-Identifier: MIT */
#include "unit/unit.h"

#include "base/bits.h"

static void isqrt_is_the_floor_of_the_root(void **state)
{
	(void)state;
	for (uint64_t root = 0; root < 70000; root += root < 300 ? 1 : 97) {
		assert_int_equal(pg_isqrt(root * root), root);
		assert_int_equal(pg_isqrt(root * root + 2 * root), root);
	}
	assert_int_equal(pg_isqrt(UINT64_MAX), UINT32_MAX);
}

static void clamp_prefers_the_upper_bound(void **state)
{
	(void)state;
	assert_int_equal(pg_clamp(5, 1, 9), 5);
	assert_int_equal(pg_clamp(-3, 1, 9), 1);
	assert_int_equal(pg_clamp(10, 1, 9), 9);
	/* Bounds in the wrong order: the upper one is tested first. */
	assert_int_equal(pg_clamp(7, 8, 4), 4);
	assert_int_equal(pg_clamp(3, 8, 4), 8);
}

static void pow2_floor_keeps_the_top_bit(void **state)
{
	(void)state;
	for (uint32_t bit = 0; bit < 64; bit++) {
		uint64_t pow2 = UINT64_C(1) << bit;

		assert_true(pg_pow2_floor(pow2) == pow2);
		assert_true(pg_pow2_floor(pow2 | (pow2 - 1)) == pow2);
	}
}

static void fls_counts_from_one(void **state)
{
	(void)state;
	assert_int_equal(pg_fls(0), 0);
	for (uint32_t bit = 0; bit < 64; bit++) {
		assert_int_equal(pg_fls(UINT64_C(1) << bit), bit + 1);
		assert_int_equal(pg_fls(UINT64_MAX >> bit), 64 - bit);
	}
}

static void alignment_rounds_to_multiples(void **state)
{
	(void)state;
	for (uint64_t x = 0; x < 100; x++)
		assert_int_equal(pg_align_up(x, 8), (x + 7) / 8 * 8);
}

static void mult_frac_is_exact_where_the_product_overflows(void **state)
{
	const uint64_t x = UINT64_C(1) << 62;

	(void)state;
	assert_int_equal(pg_mult_frac(772917, 10, 10000), 772);
	assert_int_equal(pg_mult_frac(9999, 10, 10000), 9);
	/* 2^62 * 10 / 10000 = 2^62 / 1000 */
	assert_true(pg_mult_frac(x, 10, 10000) == x / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isqrt_is_the_floor_of_the_root),
		cmocka_unit_test(clamp_prefers_the_upper_bound),
		cmocka_unit_test(pow2_floor_keeps_the_top_bit),
		cmocka_unit_test(fls_counts_from_one),
		cmocka_unit_test(alignment_rounds_to_multiples),
		cmocka_unit_test(mult_frac_is_exact_where_the_product_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
