/* SPDX-License-Identifier: MIT */
#ifndef PG_POLICY_H
#define PG_POLICY_H

#include "mem/layout.h"

/*
 * Find a policy by name or PCP+PLACE and write its rows into the state. False if it is not known.
 */
bool pg_policy_set(struct pagus_state *st, const char *name);

/* What the policy of that name wants to keep, on a machine of this pageblock order. */
struct pg_layout_wants pg_policy_wants(const char *name, uint32_t pageblock_order);

#endif
