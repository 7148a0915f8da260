/* SPDX-License-Identifier: MIT */
/*
 * A machine of random shape under a random load, and what a bystander knows of it: which pages were
 * handed over and which blocks are out. For properties that hold whatever happens.
 */
#ifndef TEST_RANDOM_WORLD_H
#define TEST_RANDOM_WORLD_H

#include "unit/unit.h"

#define WORLD_PAGES 4096
#define WORLD_HELD  512

struct world {
	struct lab lab;
	struct pagus_config cfg;
	struct pagus_range ranges[6];
	uint32_t cpu_node[3];
	bool ordinary; /* no pageblock of a type that does not merge */
	bool memory[WORLD_PAGES], out[WORLD_PAGES];
	uint32_t zone[WORLD_PAGES];
	struct { pagus_pfn_t pfn; uint32_t order; } held[WORLD_HELD];
	uint32_t nr_held;
	uint64_t seed;
};

/* Two or three ranges with holes between, on one node or two, some as ZONE_MOVABLE. */
static inline void world_shape(struct world *w, const char *policy)
{
	uint32_t nr_nodes = 1 + (uint32_t)lab_random(&w->seed, 2);
	uint32_t nr = 2 + (uint32_t)lab_random(&w->seed, 2);

	w->cfg = lab_config(w->ranges, nr, policy);
	w->cfg.max_order = 2 + (uint32_t)lab_random(&w->seed, 9);
	w->cfg.pageblock_order = 1 + (uint32_t)lab_random(&w->seed, w->cfg.max_order);
	w->cfg.nr_cpus = 1 + (uint32_t)lab_random(&w->seed, NR_OF(w->cpu_node));
	w->cfg.cpu_node = w->cpu_node;
	w->cfg.dma32_ceiling = lab_random(&w->seed, 2) * lab_random(&w->seed, WORLD_PAGES / 2);
	for (uint32_t r = 0; r < nr; r++) {
		uint64_t room = WORLD_PAGES / nr, hole = lab_random(&w->seed, room / 2);

		w->ranges[r] = (struct pagus_range){
			r * room + hole, 1 + lab_random(&w->seed, room - hole), r % nr_nodes,
			r == nr - 1 && lab_random(&w->seed, 2) ? PAGUS_ZONE_MOVABLE :
								 PAGUS_ZONE_BY_CEILING };
	}
	for (uint32_t c = 0; c < w->cfg.nr_cpus; c++)
		w->cpu_node[c] = (uint32_t)lab_random(&w->seed, nr_nodes);
}

/* All memory free. Marks of zero and small pcps, so that everything is used up and drained. */
static inline void world_open(struct world *w, const char *policy, bool ordinary, uint64_t seed)
{
	*w = (struct world){ .ordinary = ordinary, .seed = seed };
	world_shape(w, policy);
	unit_open(&w->lab, &w->cfg);
	for (uint32_t r = 0; r < w->cfg.nr_ranges; r++)
		if (!ordinary && lab_random(&w->seed, 2))
			unit_seed_block(&w->lab, w->ranges[r].start_pfn, (enum pagus_migratetype)
					(PAGUS_HIGHATOMIC + lab_random(&w->seed, 3)));
	for (uint32_t r = 0; r < w->cfg.nr_ranges; r++) {
		const struct pagus_range *range = &w->ranges[r];

		assert_int_equal(pagus_boot_free(&w->lab.p, range->start_pfn, range->nr_pages),
				 PAGUS_OK);
		for (uint64_t k = 0; k < range->nr_pages; k++)
			w->memory[range->start_pfn + k] = true;
	}
	assert_int_equal(pagus_boot_done(&w->lab.p), PAGUS_OK);
	for (uint32_t zone = 0; zone < pagus_nr_zones(&w->lab.p); zone++)
		unit_limits(&w->lab, zone, 4, 8, 40);
	for (pagus_pfn_t pfn = 0; pfn < WORLD_PAGES; pfn++) {
		struct pagus_page_info info;

		if (w->memory[pfn] && pagus_page_info(&w->lab.p, pfn, &info) == PAGUS_OK)
			w->zone[pfn] = info.zone;
	}
}

/* A block goes out, or comes back. */
static inline void world_mark(struct world *w, pagus_pfn_t pfn, uint32_t order, bool out)
{
	for (uint64_t k = 0; k < UINT64_C(1) << order; k++) {
		assert_true(w->memory[pfn + k] && w->out[pfn + k] != out);
		assert_int_equal(w->zone[pfn + k], w->zone[pfn]);
		w->out[pfn + k] = out;
	}
}

static inline struct pagus_request world_request(struct world *w)
{
	static const uint32_t gfps[] = {
		GFP_KERNEL, GFP_KERNEL | __GFP_RECLAIMABLE, GFP_HIGHUSER_MOVABLE,
		GFP_HIGHUSER_MOVABLE, GFP_USER_PAGE, GFP_ATOMIC, GFP_NOWAIT, GFP_KERNEL | GFP_DMA32,
		GFP_KERNEL | __GFP_THISNODE,
	};

	return (struct pagus_request){
		.gfp = gfps[lab_random(&w->seed, NR_OF(gfps))],
		.order = (uint32_t)lab_random(&w->seed,
					      1 + lab_random(&w->seed, w->cfg.max_order + 1)),
		.node = PAGUS_NO_NODE,
	};
}

/* What was done: the request and its answer, or the block freed. */
enum world_step { WORLD_ALLOC, WORLD_FREE, WORLD_DRAIN, WORLD_TICK, WORLD_NR_STEPS };
struct world_deed {
	enum world_step step;
	struct pagus_request req;
	struct pagus_result res;
};

/* One random call. The log, if any, holds its events. */
static inline struct world_deed world_step(struct world *w, uint64_t alloc_percent)
{
	struct world_deed deed = { .step = WORLD_ALLOC };
	uint64_t dice = lab_random(&w->seed, 100);

	pagus_sim_on(&w->lab.sim, (uint32_t)lab_random(&w->seed, w->cfg.nr_cpus), 0);
	w->lab.nr_events = 0;
	if (dice < 2) {
		deed.step = dice ? WORLD_DRAIN : WORLD_TICK;
		if (dice)
			pagus_drain_cpu(&w->lab.p, w->lab.sim.cpu);
		else
			pagus_tick(&w->lab.p);
	} else if (w->nr_held < WORLD_HELD && lab_random(&w->seed, 100) < alloc_percent) {
		deed.req = world_request(w);
		pagus_alloc(&w->lab.p, &deed.req, &deed.res);
		if (deed.res.status == PAGUS_OK) {
			world_mark(w, deed.res.pfn, deed.req.order, true);
			w->held[w->nr_held].pfn = deed.res.pfn;
			w->held[w->nr_held++].order = deed.req.order;
		}
	} else if (w->nr_held) {
		uint32_t n = (uint32_t)lab_random(&w->seed, w->nr_held);

		deed.step = WORLD_FREE;
		deed.req.order = w->held[n].order;
		unit_free(&w->lab, w->held[n].pfn, w->held[n].order);
		world_mark(w, w->held[n].pfn, w->held[n].order, false);
		w->held[n] = w->held[--w->nr_held];
	} else {
		deed.step = WORLD_DRAIN;
	}
	return deed;
}

/* In turn filling and emptying memory. */
static inline uint64_t world_tide(uint32_t n)
{
	return n / 300 % 2 ? 30 : 65;
}

#endif
