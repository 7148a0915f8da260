/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <stdbool.h>

#define NR_LOOPS 8
#define NR_SWAPS 50000u

static _Alignas(64) uint64_t swapped[8];

static double time_swaps(void)
{
	uint64_t start = clock_ns();

	for (uint32_t n = 0; n < NR_SWAPS; n++) {
		uint64_t seen = __atomic_load_n(&swapped[0], __ATOMIC_RELAXED);

		__atomic_compare_exchange_n(&swapped[0], &seen, seen + 1, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED);
	}
	return (double)(clock_ns() - start) / NR_SWAPS;
}

double clock_cas_ns(void)
{
	double least = time_swaps();

	for (uint32_t n = 1; n < NR_LOOPS; n++) {
		double ns = time_swaps();

		if (ns < least)
			least = ns;
	}
	return least;
}
