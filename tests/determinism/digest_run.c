/* SPDX-License-Identifier: MIT */
/*
 * A fixed workload over every policy and three machines, one line of digests each. The lines must
 * be the same whatever compiler, optimisation and processor made the program.
 */
#include <inttypes.h>
#include <stdio.h>

#include "unit/lab.h"

#define OPERATIONS 20000
#define MAX_HELD   600

static const struct pagus_range small[] = { { 8, 1000, 0, PAGUS_ZONE_BY_CEILING } };
static const struct pagus_range x86[] = {
	{ 1, 158, 0, PAGUS_ZONE_BY_CEILING }, { 256, 16128, 0, PAGUS_ZONE_BY_CEILING },
};
static const struct pagus_range nodes[] = {
	{ 0, 4096, 0, PAGUS_ZONE_BY_CEILING }, { 4096, 2048, 0, PAGUS_ZONE_MOVABLE },
	{ 8192, 6144, 1, PAGUS_ZONE_BY_CEILING },
};
static const uint32_t cpu_node[] = { 0, 0, 1, 1 };

static const struct {
	const char *name;
	struct pagus_config cfg;
} machines[] = {
	{ "small",
	  { .ranges = small,
	    .nr_ranges = 1,
	    .nr_cpus = 1,
	    .max_order = 5,
	    .pageblock_order = 3,
	    .section_order = 8 } },
	{ "x86",
	  { .ranges = x86,
	    .nr_ranges = 2,
	    .nr_cpus = 2,
	    .dma_ceiling = 4096,
	    .dma32_ceiling = 8192,
	    .max_order = 10,
	    .pageblock_order = 9,
	    .section_order = 12,
	    .thp = true } },
	{ "nodes",
	  { .ranges = nodes,
	    .nr_ranges = 3,
	    .nr_cpus = 4,
	    .cpu_node = cpu_node,
	    .dma32_ceiling = 2048,
	    .max_order = 10,
	    .pageblock_order = 9,
	    .section_order = 10 } },
};

static void run(struct lab *lab, uint32_t nr_cpus, uint32_t max_order)
{
	static const uint32_t gfps[] = {
		GFP_KERNEL,	      GFP_KERNEL | __GFP_RECLAIMABLE,
		GFP_HIGHUSER_MOVABLE, GFP_HIGHUSER_MOVABLE,
		GFP_ATOMIC,	      GFP_KERNEL | GFP_DMA32,
	};
	struct { pagus_pfn_t pfn; uint32_t order; } held[MAX_HELD];
	uint64_t seed = 2024;
	uint32_t nr = 0;

	for (uint32_t n = 0; n < OPERATIONS; n++) {
		uint32_t gfp = gfps[lab_random(&seed, sizeof(gfps) / sizeof(gfps[0]))];
		uint32_t order = (uint32_t)lab_random(&seed, 1 + lab_random(&seed, max_order + 1));
		uint64_t which = lab_random(&seed, MAX_HELD);

		pagus_sim_on(&lab->sim, (uint32_t)lab_random(&seed, nr_cpus), n);
		if (n % 1000 == 999)
			pagus_drain_cpu(&lab->p, n / 1000 % nr_cpus);
		if (which >= nr && nr < MAX_HELD) {
			held[nr].order = order;
			nr += pagus_alloc_pages(&lab->p, gfp, order, &held[nr].pfn) == PAGUS_OK;
		} else if (nr) {
			which %= nr;
			pagus_free_pages(&lab->p, held[which].pfn, held[which].order);
			held[which] = held[--nr];
		}
	}
}

static uint64_t sum_counters(const struct pagus *p)
{
	uint64_t sum = 0;

	for (int c = 0; c < PAGUS_NR_COUNTERS; c++)
		sum = sum * 31 + pagus_counter_read(p, (enum pagus_counter)c);
	return sum;
}

int main(void)
{
	for (size_t m = 0; m < sizeof(machines) / sizeof(machines[0]); m++) {
		const char *policy;

		for (uint32_t n = 0; (policy = pagus_policy_at(n, NULL)); n++) {
			struct pagus_config cfg = machines[m].cfg;
			struct lab lab;

			cfg.policy = policy;
			if (lab_open(&lab, &cfg) != PAGUS_OK ||
			    lab_hand_over(&lab, &cfg) != PAGUS_OK) {
				fprintf(stderr, "digest_run: %s cannot be built\n",
					machines[m].name);
				return 1;
			}
			run(&lab, cfg.nr_cpus, cfg.max_order);
			printf("%s %s state %016" PRIx64 " counters %016" PRIx64
			       " zone locks %" PRIu64 "\n",
			       machines[m].name, policy, pagus_digest(&lab.p), sum_counters(&lab.p),
			       pagus_sim_total(&lab.sim, PAGUS_LOCK_ZONE).acquisitions);
			lab_close(&lab);
		}
	}
	return 0;
}
