/* SPDX-License-Identifier: MIT */
#ifndef PG_WATCH_CHECK_H
#define PG_WATCH_CHECK_H

#include "mem/state.h"

/* Their numbers, which pagus_check returns. */
enum {
#define PAGUS_INVARIANT(number, name, text) INV_##name = number,
#include <pagus/invariants.def>
#undef PAGUS_INVARIANT
};

/*
 * Number of the first broken invariant, or 0; *where: a page near it, PAGUS_NO_PFN if none is
 * known.
 */
int pg_check(const struct pagus_state *st, pagus_pfn_t *where);

/* The same of the owners of pageblocks alone; near which page record in *where. */
int pg_check_owners(const struct pagus_state *st, uint32_t *where);

/* May whole pageblocks stand apart, that would else have merged? */
bool pg_blocks_apart(const struct pagus_state *st);

/* The same of superpageblocks. */
int pg_check_superpageblocks(const struct pagus_state *st, uint32_t *where);

/* All of them, of an instance that keeps its pages in maps. */
int pg_check_maps(const struct pagus_state *st, uint32_t *where);

#endif
