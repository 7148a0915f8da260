/* SPDX-License-Identifier: MIT */
/* Integer arithmetic that the formulas of the allocator are written in. */
#ifndef PG_BASE_BITS_H
#define PG_BASE_BITS_H

#include <stdint.h>

static inline uint64_t pg_min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t pg_max(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Where hi < lo the upper bound wins: the order of the kernel's own two tests. */
static inline int64_t pg_clamp(int64_t x, int64_t lo, int64_t hi)
{
	if (x >= hi)
		return hi;
	return x <= lo ? lo : x;
}

static inline uint64_t pg_align_up(uint64_t x, uint64_t pow2)
{
	return (x + pow2 - 1) & ~(pow2 - 1);
}

/* Largest power of two not above x; x > 0. */
static inline uint64_t pg_pow2_floor(uint64_t x)
{
	return UINT64_C(1) << (63 - (uint32_t)__builtin_clzll(x));
}

/* Order of the largest aligned block, at most `most`, that begins at `at` and lies before `end`. */
static inline uint32_t pg_order_in(uint64_t at, uint64_t end, uint32_t most)
{
	uint32_t order = 0;

	while (order < most && !(at >> order & 1) && at + (UINT64_C(2) << order) <= end)
		order++;
	return order;
}

/* Number of set bits in each byte. */
static inline uint64_t pg_byte_counts(uint64_t x)
{
	x -= x >> 1 & 0x5555555555555555u;
	x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
	return (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
}

/* Sum of all bytes. */
static inline uint32_t pg_sum_bytes(uint64_t x)
{
	x = (x & 0x00ff00ff00ff00ffu) + (x >> 8 & 0x00ff00ff00ff00ffu);
	return (uint32_t)(x * 0x0001000100010001u >> 48);
}

/* Number of set bits. By hand: compilers without the instruction call a function of their library. */
static inline uint32_t pg_popcount(uint64_t x)
{
	return (uint32_t)(pg_byte_counts(x) * 0x0101010101010101u >> 56);
}

/* Number of the highest set bit, counted from 1; 0 for 0. */
static inline uint32_t pg_fls(uint64_t x)
{
	return x ? 64 - (uint32_t)__builtin_clzll(x) : 0;
}

/* floor(x * n / d) without overflow of x * n, as long as d * n fits. */
static inline uint64_t pg_mult_frac(uint64_t x, uint64_t n, uint64_t d)
{
	return x / d * n + x % d * n / d;
}

/* floor(sqrt(x)), bit by bit: 32 rounds at most. */
static inline uint64_t pg_isqrt(uint64_t x)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 62; bit; bit >>= 2) {
		if (x >= root + bit) {
			x -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

#endif
