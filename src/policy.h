/* SPDX-License-Identifier: MIT */
#ifndef PG_POLICY_H
#define PG_POLICY_H

#include "mem/state.h"

/*
 * Find a policy by name or PCP+PLACE and write its rows into the state. False if it is not known.
 */
bool pg_policy_set(struct pagus_state *st, const char *name);

#endif
