/* SPDX-License-Identifier: MIT */
/*
 * A simulated host for the checks of superpageblocks: one Normal zone of so many MiB under policy
 * superpageblock, its single pages in use by what they were asked for, and what the specification
 * measures of it.
 */
#ifndef TEST_HOST_H
#define TEST_HOST_H

#include "unit/unit.h"

#define MIB_PAGES UINT64_C(256)
#define BLOCK     512u

/* Blocks in use: of a kind in the order in which they came, but for those that left. */
struct held {
	pagus_pfn_t *pfns;
	uint8_t *orders;
	uint64_t nr, room, pages;
};

struct host {
	struct lab lab;
	struct pagus_range range;
	struct held of[3]; /* by migratetype */
	uint64_t seed;
	uint64_t peak_kernel_pages; /* unmovable and reclaimable ones, at most at one time */
	uint32_t peak_tainted;
	uint32_t order;             /* of superpageblocks */
	void (*second)(struct host *h); /* what is due every second */
	/* With an owner of movable blocks (mover.h): */
	struct pagus_port port;
	uint32_t *at;               /* by page: 1 + the movable block that begins there; 0 */
	bool reclaims;              /* the port frees movable blocks */
	uint64_t moved_pages, reclaimed_pages;
};

/* In a block's order: its owner has claimed it. */
#define HOST_CLAIMED 0x80u

struct host_sums {
	uint32_t tainted, clean, empty; /* clean: without a gap; empty: of these */
	uint64_t free_pages, tainted_free, kept_pages;
};

static inline struct host_sums host_sums(const struct host *h)
{
	struct pagus_superpageblock_info s;
	struct host_sums sums = { 0 };

	for (uint32_t n = 0; pagus_superpageblock_info(&h->lab.p, 0, n, &s) == PAGUS_OK; n++) {
		sums.tainted += s.tainted;
		sums.clean += !s.tainted && s.nr_reserved == 0;
		sums.empty += s.nr_whole == (1u << s.order) / BLOCK;
		sums.free_pages += s.free_pages;
		if (!s.tainted)
			continue;
		sums.tainted_free += s.free_pages;
		sums.kept_pages += s.free_pages < s.reserve_pages ? s.free_pages : s.reserve_pages;
	}
	return sums;
}

static inline void host_second(struct host *h)
{
	pagus_tick(&h->lab.p);
}

/* order: of superpageblocks; 0: as it is chosen for the size. */
static inline struct host *host_boot_as(const char *policy, uint32_t order, uint64_t start_pfn,
					uint64_t mib, uint32_t nr_cpus)
{
	struct host *h = calloc(1, sizeof(*h));
	struct pagus_config cfg;

	assert_non_null(h);
	h->range = (struct pagus_range){ start_pfn, mib * MIB_PAGES, 0, PAGUS_ZONE_BY_CEILING };
	cfg = lab_config(&h->range, 1, policy);
	cfg.section_order = 15;
	cfg.nr_cpus = nr_cpus;
	cfg.superpageblock_order = order;
	unit_boot(&h->lab, &cfg);
	h->order = order ? order : pagus_superpageblock_order(mib * MIB_PAGES);
	h->seed = 1;
	h->second = host_second;
	return h;
}

static inline struct host *host_boot(uint64_t mib, uint32_t nr_cpus)
{
	return host_boot_as("superpageblock", 0, 0, mib, nr_cpus);
}

static inline void host_close(struct host *h)
{
	unit_close(&h->lab);
	for (uint32_t type = 0; type < 3; type++) {
		free(h->of[type].pfns);
		free(h->of[type].orders);
	}
	free(h->at);
	free(h);
}

static inline uint64_t host_kernel_pages(const struct host *h)
{
	return h->of[PAGUS_UNMOVABLE].pages + h->of[PAGUS_RECLAIMABLE].pages;
}

static inline void host_note(struct host *h, uint32_t type, pagus_pfn_t pfn, uint32_t order)
{
	struct held *k = &h->of[type];

	if (k->nr == k->room) {
		k->room = k->room ? 2 * k->room : 4096;
		k->pfns = realloc(k->pfns, k->room * sizeof(*k->pfns));
		k->orders = realloc(k->orders, k->room);
		assert_true(k->pfns && k->orders);
	}
	k->pfns[k->nr] = pfn;
	k->orders[k->nr++] = (uint8_t)order;
	if (h->at && type == PAGUS_MOVABLE)
		h->at[pfn - h->range.start_pfn] = (uint32_t)k->nr;
	k->pages += UINT64_C(1) << order;
	if (host_kernel_pages(h) > h->peak_kernel_pages)
		h->peak_kernel_pages = host_kernel_pages(h);
}

/* A block by a random CPU. False: refused. */
static inline bool host_ask_as(struct host *h, uint32_t type, uint32_t order, uint32_t gfp)
{
	pagus_pfn_t pfn;

	pagus_sim_on(&h->lab.sim, (uint32_t)lab_random(&h->seed, h->lab.sim.nr_cpus), 0);
	if (pagus_alloc_pages(&h->lab.p, gfp, order, &pfn) != PAGUS_OK)
		return false;
	host_note(h, type, pfn, order);
	return true;
}

static inline bool host_ask(struct host *h, uint32_t type, uint32_t order, uint32_t more_gfp)
{
	return host_ask_as(h, type, order, unit_gfp(type) | more_gfp);
}

static inline void host_take(struct host *h, uint32_t type, uint32_t order)
{
	assert_true(host_ask(h, type, order, 0));
}

/* The n-th block of a type, by a random CPU. */
static inline void host_give(struct host *h, uint32_t type, uint64_t n)
{
	struct held *k = &h->of[type];

	pagus_sim_on(&h->lab.sim, (uint32_t)lab_random(&h->seed, h->lab.sim.nr_cpus), 0);
	unit_free(&h->lab, k->pfns[n], k->orders[n]);
	k->pages -= UINT64_C(1) << k->orders[n];
	k->nr--;
	if (h->at && type == PAGUS_MOVABLE) {
		h->at[k->pfns[k->nr] - h->range.start_pfn] = (uint32_t)n + 1;
		h->at[k->pfns[n] - h->range.start_pfn] = 0;
	}
	k->pfns[n] = k->pfns[k->nr];
	k->orders[n] = k->orders[k->nr];
}

static inline void host_give_random(struct host *h, uint32_t type)
{
	host_give(h, type, lab_random(&h->seed, h->of[type].nr));
}

static inline uint32_t host_tainted(struct host *h)
{
	uint32_t tainted = host_sums(h).tainted;

	if (tainted > h->peak_tainted)
		h->peak_tainted = tainted;
	return tainted;
}

/* Superpageblocks that hold pages which cannot move, by the pages themselves, whatever the policy. */
static inline uint32_t host_tainted_by_pages(const struct host *h)
{
	uint64_t nr = (h->range.nr_pages >> h->order) + 1;
	bool *seen = calloc(nr, 1);
	uint32_t tainted = 0;

	assert_non_null(seen);
	for (uint32_t type = 0; type < 3; type++)
		for (uint64_t n = 0; type != PAGUS_MOVABLE && n < h->of[type].nr; n++)
			seen[(h->of[type].pfns[n] - h->range.start_pfn) >> h->order] = true;
	for (uint64_t n = 0; n < nr; n++)
		tainted += seen[n];
	free(seen);
	return tainted;
}

/* The lower bound: superpageblocks that so many pages fill. */
static inline uint64_t host_bound(const struct host *h, uint64_t pages)
{
	return (pages + (UINT64_C(1) << h->order) - 1) >> h->order;
}

/*
 * By how many thousandths more were tainted than the most pages that cannot move, at one time, would
 * have filled.
 */
static inline uint64_t host_tau(const struct host *h)
{
	return h->peak_tainted * UINT64_C(1000) / host_bound(h, h->peak_kernel_pages);
}

static inline uint64_t host_count(const struct host *h, enum pagus_counter counter)
{
	return pagus_counter_read(&h->lab.p, counter);
}

#endif
