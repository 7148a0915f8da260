/* SPDX-License-Identifier: MIT */
/* What the tests of moving pages share: a lab whose movable blocks have an owner. */
#ifndef TEST_CONTIG_H
#define TEST_CONTIG_H

#include "unit/unit.h"

struct contig_lab {
	struct lab lab;
	struct pagus_sim_owner owner;
};

/* All memory reserved; slots for `nr_slots` blocks of pfns below `nr_pages`. */
static inline void contig_open(struct contig_lab *l, const struct pagus_config *cfg,
			       uint64_t nr_pages, uint32_t nr_slots)
{
	unit_open(&l->lab, cfg);
	l->owner = (struct pagus_sim_owner){
		.nr_pages = nr_pages, .page = calloc(nr_pages, sizeof(*l->owner.page)),
		.nr_slots = nr_slots, .slot = calloc(nr_slots, sizeof(*l->owner.slot)),
	};
	assert_non_null(l->owner.page);
	assert_non_null(l->owner.slot);
	pagus_sim_owner_init(&l->owner);
	l->lab.sim.owner = &l->owner;
	l->lab.p.port = &pagus_sim_owner_port;
}

/* The same, and all of it handed over. */
static inline void contig_boot(struct contig_lab *l, const struct pagus_config *cfg,
			       uint64_t nr_pages, uint32_t nr_slots)
{
	contig_open(l, cfg, nr_pages, nr_slots);
	assert_int_equal(lab_hand_over(&l->lab, cfg), PAGUS_OK);
}

static inline void contig_check(const struct contig_lab *l)
{
	unit_check(&l->lab);
	assert_int_equal(pagus_sim_owner_check(&l->owner), l->owner.nr_slots);
}

static inline void contig_close(struct contig_lab *l)
{
	contig_check(l);
	free(l->owner.page);
	free(l->owner.slot);
	unit_close(&l->lab);
}

/* A movable block in a slot. */
static inline pagus_pfn_t contig_fill(struct contig_lab *l, uint32_t slot, uint32_t order)
{
	pagus_pfn_t pfn = unit_alloc(&l->lab, GFP_HIGHUSER_MOVABLE, order);

	pagus_sim_fill(&l->owner, slot, pfn, order);
	return pfn;
}

static inline void contig_empty(struct contig_lab *l, uint32_t slot)
{
	uint32_t order = l->owner.slot[slot].order;

	unit_free(&l->lab, pagus_sim_empty(&l->owner, slot), order);
}

#endif
