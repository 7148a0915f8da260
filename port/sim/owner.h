/* SPDX-License-Identifier: MIT */
/* The owner's part of the port. */
#ifndef SIM_OWNER_H
#define SIM_OWNER_H

#include <pagus/sim.h>

uint32_t *sim_task_flags(void *ctx);
uint32_t sim_traits(void *ctx, uint64_t pfn, uint32_t order);
bool sim_isolate(void *ctx, uint64_t pfn, uint32_t order, const struct pagus_migrate *how);
enum pagus_moved sim_move(void *ctx, uint64_t from, uint64_t to, uint32_t order,
			  const struct pagus_migrate *how);
void sim_putback(void *ctx, uint64_t pfn, uint32_t order);

#endif
