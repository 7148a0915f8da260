/* SPDX-License-Identifier: MIT */
#ifndef PG_WATCH_CHECK_H
#define PG_WATCH_CHECK_H

#include "mem/state.h"

/*
 * Number of the first broken invariant, or 0; *where: a page near it, PAGUS_NO_PFN if none is
 * known.
 */
int pg_check(const struct pagus_state *st, pagus_pfn_t *where);

/* The same of the owners of pageblocks alone; near which page record in *where. */
int pg_check_owners(const struct pagus_state *st, uint32_t *where);

#endif
