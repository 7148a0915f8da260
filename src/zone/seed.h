/* SPDX-License-Identifier: MIT */
/* What the pagus_boot_*, pagus_inherit and pagus_seed_* calls of pagus.h do, inside a call. */
#ifndef PG_ZONE_SEED_H
#define PG_ZONE_SEED_H

#include "watch/event.h"

enum pagus_status pg_seed_boot_free(struct pg_call *c, pagus_pfn_t start, uint64_t nr_pages);
enum pagus_status pg_seed_inherit(struct pg_call *c, pagus_pfn_t start, uint64_t nr_pages,
				  uint32_t type);
enum pagus_status pg_seed_block(struct pg_call *c, pagus_pfn_t pfn, uint32_t type);
enum pagus_status pg_seed_free(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, uint32_t list);
enum pagus_status pg_seed_used(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, uint32_t type);
enum pagus_status pg_seed_zone(struct pagus_state *st, uint32_t node, uint32_t type,
			       const struct pagus_zone_seed *seed);

/*
 * Take a whole reserved block, all in one zone, from the reserver: its record in *i, its pages
 * tails.
 */
enum pagus_status pg_seed_take_block(struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
				     uint32_t *i);

/*
 * The reserved block i, all in one zone, is free from now on, and its pageblocks are of `type`.
 */
void pg_seed_release_block(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type);
/* The block i of `order`, reserved so far, becomes free. Takes the zone's lock. */
void pg_seed_release(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order);

/* The zone of a type on a node; NULL if it has no memory. */
struct pg_zone *pg_seed_find_zone(const struct pagus_state *st, uint32_t node, uint32_t type);

#endif
