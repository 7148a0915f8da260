/* SPDX-License-Identifier: MIT */
/*
 * port/sim: N virtual CPUs in one thread. The caller says which CPU acts and what time it is; every
 * lock is free when it is asked for, and the ledger counts what each would have cost.
 */
#ifndef PAGUS_SIM_H
#define PAGUS_SIM_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What was done under one class of lock, for one reason. */
struct pagus_sim_ledger {
	uint64_t acquisitions;
	uint64_t work;     /* free-list insertions and removals in all holds */
	uint64_t max_work; /* in the longest hold */
};

struct pagus_sim {
	uint32_t nr_cpus;
	uint32_t cpu;              /* acts now; set by pagus_sim_on */
	uint64_t now;              /* logical clock, in the caller's unit */
	uint64_t trylock_fail_at;  /* the n-th trylock from now fails, once; 0: none */
	const uint8_t *distances;  /* nr_nodes x nr_nodes matrix; NULL: 10 and 20 */
	uint32_t nr_nodes;
	struct pagus_sim_ledger ledger[PAGUS_NR_LOCK_CLASSES][PAGUS_NR_LOCK_REASONS];
	/* of the port alone */
	struct { bool held; uint32_t index; enum pagus_lock_reason why; } hold[PAGUS_NR_LOCK_CLASSES];
	uint32_t pins;
};

extern const struct pagus_port pagus_sim_port;

/* A port context of `nr_cpus` CPUs, CPU 0 acting, clock 0, empty ledger. */
void pagus_sim_init(struct pagus_sim *sim, uint32_t nr_cpus);

/*
 * From now on `cpu` acts, at time `now`. The clock does not go back: an earlier time is taken as
 * equal.
 */
void pagus_sim_on(struct pagus_sim *sim, uint32_t cpu, uint64_t now);

/* Sum of a class's ledger over all reasons. */
struct pagus_sim_ledger pagus_sim_total(const struct pagus_sim *sim, enum pagus_lock_class cls);

#ifdef __cplusplus
}
#endif

#endif
