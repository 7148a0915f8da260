/* SPDX-License-Identifier: MIT */
/* Which CPUs there are at present. */
#ifndef PG_MEM_CPU_H
#define PG_MEM_CPU_H

#include "mem/state.h"

static inline bool pg_cpu_online(const struct pagus_state *st, uint32_t cpu)
{
	return !(st->cpu_offline[cpu / 64] >> cpu % 64 & 1);
}

/* Online CPUs of a node; of all nodes where it is PAGUS_NO_NODE. */
static inline uint32_t pg_cpu_count(const struct pagus_state *st, uint32_t node)
{
	uint32_t nr = 0;

	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++)
		nr += pg_cpu_online(st, cpu) &&
		      (node == PAGUS_NO_NODE || pg_cpu_node(st, cpu) == node);
	return nr;
}

/*
 * CPUs that share the pages of a node's zone: its own. While one is coming it counts for every
 * node: the kernel does not ask which is its own. Where none is, all CPUs share.
 */
static inline uint32_t pg_cpu_sharers(const struct pagus_state *st, uint32_t node)
{
	uint32_t nr = pg_cpu_count(st, node) + st->cpu_coming;

	return nr ? nr : pg_cpu_count(st, PAGUS_NO_NODE);
}

#endif
