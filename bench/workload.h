/* SPDX-License-Identifier: MIT */
/* The workloads: what the threads do to an allocator, and what of it is timed. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "crew.h"

struct workload {
	const char *name;
	const char *phases[CREW_MAX_PHASES]; /* what is timed; NULL: nothing more */
	uint32_t min_threads;
	bool mixed;                          /* blocks of all orders, whatever order is asked for */
	void (*body)(struct worker *w);
};

/* By name; NULL: there is none. */
const struct workload *workload_find(const char *name);

/* The n-th; NULL past the last. */
const struct workload *workload_at(uint32_t n);

/* Give back all that is held, untimed. */
void worker_put_all(struct worker *w);

#endif
