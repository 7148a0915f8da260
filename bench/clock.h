/* SPDX-License-Identifier: MIT */
/* Time in nanoseconds, and the unit of the tables: one uncontended compare-and-swap. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * Nanoseconds of a compare-and-swap on a cached line that nobody else has: the least of several
 * loops, since interruptions only add.
 */
double clock_cas_ns(void);

#endif
