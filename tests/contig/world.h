/* SPDX-License-Identifier: MIT */
/* One zone of 16384 pages, half full of movable blocks, and what is free in it. */
#ifndef TEST_CONTIG_WORLD_H
#define TEST_CONTIG_WORLD_H

#include "contig/contig.h"

#include <pagus/contig.h>
#include <string.h>

#define PAGES 16384u
#define BLOCK 512u
#define SLOTS 4096u
#define GFP_OWNED GFP_HIGHUSER_MOVABLE

static const char *const policies[] = { "linux", "pcpbuddy", "pcpbuddy-bitmap", "linux-6.1" };
#define IS_MAPPED(n) ((n) == 2)

static inline struct pagus_config world_config(uint32_t n)
{
	static const struct pagus_range range = { .nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, policies[n]);

	cfg.nr_cpus = 2;
	return cfg;
}

static inline void world_open(struct contig_lab *l, uint32_t n)
{
	struct pagus_config cfg = world_config(n);

	contig_boot(l, &cfg, PAGES, SLOTS);
	lab_no_marks(&l->lab);
}

/* Blocks of orders 0 to 3 in all slots, of which a random half is emptied again: `nr` slots. */
static inline void world_fill(struct contig_lab *l, uint64_t *seed, uint32_t nr)
{
	for (uint32_t slot = 0; slot < nr; slot++)
		contig_fill(l, slot, (uint32_t)lab_random(seed, 4));
	for (uint32_t slot = 0; slot < nr; slot++)
		if (lab_random(seed, 2))
			contig_empty(l, slot);
	pagus_drain_all(&l->lab.p);
	contig_check(l);
}

static inline uint64_t world_free_pages(const struct contig_lab *l)
{
	return unit_zone(&l->lab, 0).free_pages;
}

static inline void world_clear(struct contig_lab *l)
{
	for (uint32_t slot = 0; slot < l->owner.nr_slots; slot++)
		if (l->owner.slot[slot].pfn != PAGUS_NO_PFN)
			contig_empty(l, slot);
	pagus_drain_all(&l->lab.p);
}

/* Of each page that begins a free block in the zone its order + 1, and the list's migratetype. */
struct world_free {
	uint8_t order[PAGES], type[PAGES];
};

static inline void world_snapshot(const struct contig_lab *l, struct world_free *set)
{
	static pagus_pfn_t pfns[PAGES];

	memset(set, 0, sizeof(*set));
	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++)
		for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
			uint64_t nr = pagus_free_list(&l->lab.p, 0, order, type, pfns, PAGES);

			for (uint64_t k = 0; k < nr; k++) {
				set->order[pfns[k]] = (uint8_t)(order + 1);
				set->type[pfns[k]] = (uint8_t)type;
			}
		}
}

static inline void world_expect(const struct contig_lab *l, const struct world_free *want)
{
	struct world_free now;

	world_snapshot(l, &now);
	assert_memory_equal(&now, want, sizeof(now));
}

/* As after any of these calls that failed: nothing isolated, nothing claimed, all contents there. */
static inline void world_settled(struct contig_lab *l)
{
	contig_check(l);
	assert_int_equal(unit_zone(&l->lab, 0).nr_isolated, 0);
	assert_int_equal(l->owner.nr_isolated, l->owner.nr_moves + l->owner.nr_putbacks);
}

#endif
