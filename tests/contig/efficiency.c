/* SPDX-License-Identifier: MIT */
/*
 * What a 2 MiB block costs on an aged machine: pages copied for each, against the least that would
 * have done at that moment (oracle.h). Asks for blocks until one is refused.
 *
 * usage: efficiency [POLICY [CHOICE [PERCENT]]]    PERCENT of memory is in use
 */
#include "contig/compact.h"
#include "contig/oracle.h"

#include <stdio.h>
#include <string.h>

#define PAGES  65536u
#define BLOCKS (PAGES / 512)

struct machine {
	struct contig_lab l;
	uint64_t seed;
	pagus_pfn_t fixed[PAGES];
	uint32_t nr_fixed;
	uint32_t used_pages;
};

static uint32_t random_order(struct machine *m)
{
	uint64_t r = lab_random(&m->seed, 100);

	return r < 80 ? 0 : r < 90 ? 1 : r < 95 ? 2 : r < 98 ? 3 : 4;
}

static void fill_slot(struct machine *m, uint32_t slot)
{
	uint32_t order = random_order(m);
	pagus_pfn_t pfn;

	if (pagus_alloc_pages(&m->l.lab.p, GFP_HIGHUSER_MOVABLE | __GFP_NORETRY, order, &pfn) !=
	    PAGUS_OK)
		return;
	pagus_sim_fill(&m->l.owner, slot, pfn, order);
	m->used_pages += 1u << order;
}

static void empty_slot(struct machine *m, uint32_t slot)
{
	uint32_t order = m->l.owner.slot[slot].order;

	pagus_free_pages(&m->l.lab.p, pagus_sim_empty(&m->l.owner, slot), order);
	m->used_pages -= 1u << order;
}

/* One in a hundred allocations stays for ever. */
static void age(struct machine *m, uint32_t most_pages, uint32_t rounds)
{
	for (uint32_t n = 0; n < rounds; n++) {
		uint32_t slot = (uint32_t)lab_random(&m->seed, m->l.owner.nr_slots);

		if (m->l.owner.slot[slot].pfn != PAGUS_NO_PFN) {
			if (m->used_pages > most_pages || lab_random(&m->seed, 3) == 0)
				empty_slot(m, slot);
			continue;
		}
		if (m->used_pages > most_pages)
			continue;
		fill_slot(m, slot);
		if (lab_random(&m->seed, 100) == 0 && m->nr_fixed < PAGES / 50 &&
		    pagus_alloc_pages(&m->l.lab.p, GFP_KERNEL, 0, &m->fixed[m->nr_fixed]) == PAGUS_OK)
			m->nr_fixed++;
	}
	while (m->used_pages > most_pages) {
		uint32_t slot = (uint32_t)lab_random(&m->seed, m->l.owner.nr_slots);

		if (m->l.owner.slot[slot].pfn != PAGUS_NO_PFN)
			empty_slot(m, slot);
	}
	pagus_drain_all(&m->l.lab.p);
}

static void ask(struct machine *m, const char *policy, uint32_t percent)
{
	uint64_t copied = 0, least = 0, nr = 0, had = 0;

	for (;;) {
		uint64_t before = m->l.owner.moved_pages;
		bool whole = compact_free_blocks(&m->l, 9) > 0;
		uint32_t minimum = oracle_minimum(&m->l.lab.p, 0, BLOCKS, 9);
		pagus_pfn_t pfn;

		if (pagus_alloc_pages(&m->l.lab.p, GFP_TRANSHUGE, 9, &pfn) != PAGUS_OK)
			break;
		if (whole) {
			had++;
			continue;
		}
		if (getenv("VERBOSE"))
			printf("moved %lu least %u free %lu\n", m->l.owner.moved_pages - before, minimum, unit_zone(&m->l.lab, 0).free_pages);
		nr++;
		copied += m->l.owner.moved_pages - before;
		least += minimum;
	}
	printf("%-16s %3u %%: %4lu blocks were free, %4lu gained; copied %6lu, least %6lu, ratio %.2f; "
	       "oracle left %d; in vain %lu\n", policy, percent, (unsigned long)had, (unsigned long)nr,
	       (unsigned long)copied, (unsigned long)least, least ? (double)copied / (double)least : 0,
	       (int)oracle_minimum(&m->l.lab.p, 0, BLOCKS, 9),
	       (unsigned long)(m->l.owner.moved_pages - copied));
	contig_check(&m->l);
}

int main(int argc, char **argv)
{
	static const struct pagus_range range = { .nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING };
	const char *policy = argc > 1 ? argv[1] : "linux";
	uint32_t percent = argc > 3 ? (uint32_t)atoi(argv[3]) : 70;
	struct pagus_config cfg = lab_config(&range, 1, policy);
	uint32_t choice = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	struct machine *m = calloc(1, sizeof(*m));

	m->seed = lab_env("PAGUS_SEED", 1);
	contig_boot(&m->l, &cfg, PAGES, PAGES);
	m->l.lab.p.port = &pagus_sim_port; /* nothing moves while it ages */
	age(m, PAGES / 100 * percent, 1000000);
	m->l.lab.p.port = &pagus_sim_owner_port;
	pagus_tunable_set(&m->l.lab.p, PAGUS_TUNABLE_compact_choice, choice);
	ask(m, policy, percent);
	return 0;
}
