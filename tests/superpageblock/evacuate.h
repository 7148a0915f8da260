/* SPDX-License-Identifier: MIT */
/* What the tests of superpageblocks that are emptied share: the machine's movable pages have an owner. */
#ifndef TEST_EVACUATE_H
#define TEST_EVACUATE_H

#include <pagus/evacuate.h>

#include "contig/contig.h"
#include "superpageblock/machine.h"

/* So many pages are single ones; what a machine has beyond is in blocks of 2 MiB. */
#define SINGLE_PAGES (UINT64_C(16) << 18)

struct host {
	struct contig_lab l;
	uint32_t nr_slots; /* that have been filled */
	uint64_t pages;    /* in these */
	uint64_t seed;
};

static inline uint64_t large_pages(void)
{
	return machine.range.nr_pages > SINGLE_PAGES ? machine.range.nr_pages - SINGLE_PAGES : 0;
}

static inline void boot(struct host *h)
{
	struct pagus_config cfg = lab_config(&machine.range, 1, "superpageblock");

	*h = (struct host){ .seed = unit_seed() };
	cfg.section_order = 15;
	cfg.superpageblock_order = machine.order;
	contig_boot(&h->l, &cfg, machine.range.nr_pages,
		    (uint32_t)(machine.range.nr_pages - large_pages() + large_pages() / 512));
}

static inline struct pagus_superpageblock_info look(const struct host *h, uint32_t n)
{
	struct pagus_superpageblock_info s;

	assert_int_equal(pagus_superpageblock_info(&h->l.lab.p, 0, n, &s), PAGUS_OK);
	return s;
}

static inline uint32_t nr_tainted(const struct host *h)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < machine.nr_spbs; n++)
		nr += look(h, n).tainted;
	return nr;
}

static inline bool fill_one(struct host *h, uint32_t order)
{
	pagus_pfn_t pfn;

	if (pagus_alloc_pages(&h->l.lab.p, GFP_HIGHUSER_MOVABLE & ~__GFP_DIRECT_RECLAIM, order, &pfn) !=
	    PAGUS_OK)
		return false;
	pagus_sim_fill(&h->l.owner, h->nr_slots++, pfn, order);
	h->pages += UINT64_C(1) << order;
	return true;
}

/* Movable pages until so many are in use, or until there are no more. */
static inline void fill(struct host *h, uint64_t most)
{
	while (h->pages < large_pages() && fill_one(h, 9))
		;
	while (h->pages < most && fill_one(h, 0))
		;
}

/*
 * The same, and some of them leave again: of large blocks fewer, so that the emptiest superpageblocks
 * are among those with single pages.
 */
static inline void age(struct host *h, uint64_t most, uint64_t percent)
{
	fill(h, most);
	for (uint32_t slot = 0; slot < h->nr_slots; slot++)
		if (lab_random(&h->seed, 100) + (h->l.owner.slot[slot].order ? 10 : 0) < percent)
			contig_empty(&h->l, slot);
	pagus_drain_all(&h->l.lab.p);
}

static inline uint64_t counter(const struct host *h, enum pagus_counter which)
{
	return pagus_counter_read(&h->l.lab.p, which);
}

/* One tainted superpageblock, filled up with movable pages; room in the clean ones alone. */
static inline void crowd(struct host *h)
{
	uint32_t nr;

	unit_alloc(&h->l.lab, GFP_KERNEL, 0);
	fill(h, UINT64_MAX);
	nr = h->nr_slots;
	for (uint32_t slot = 0; slot < nr; slot++)
		if (!look(h, machine_spb(h->l.owner.slot[slot].pfn)).tainted &&
		    lab_random(&h->seed, 100) < 40)
			contig_empty(&h->l, slot);
	pagus_drain_all(&h->l.lab.p);
	assert_int_equal(nr_tainted(h), 1);
}

static inline uint32_t tainted_one(const struct host *h)
{
	uint32_t n = 0;

	while (n < machine.nr_spbs && !look(h, n).tainted)
		n++;
	assert_true(n < machine.nr_spbs);
	return n;
}

static inline uint32_t work(struct host *h)
{
	uint32_t turns = 0;

	while (pagus_work(&h->l.lab.p, PAGUS_WORKER_EVACUATE, 0))
		assert_true(++turns <= 3 * machine.spb_pages / 512);
	return turns;
}

#endif
