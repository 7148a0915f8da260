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
		    pagus_alloc_pages(&m->l.lab.p, GFP_KERNEL, 0,
				      &m->fixed[m->nr_fixed]) == PAGUS_OK)
			m->nr_fixed++;
	}
	while (m->used_pages > most_pages) {
		uint32_t slot = (uint32_t)lab_random(&m->seed, m->l.owner.nr_slots);

		if (m->l.owner.slot[slot].pfn != PAGUS_NO_PFN)
			empty_slot(m, slot);
	}
	pagus_drain_all(&m->l.lab.p);
}

struct tally {
	uint64_t nr, copied, least; /* blocks gained, and pages */
	uint64_t had;               /* that were free as they were asked for */
	uint64_t several;           /* that no emptying of one pageblock would have given */
	uint64_t in_vain;           /* pages copied otherwise */
};

/* A pageblock is free already, or wholly on a pcp. */
static bool has_whole(struct machine *m)
{
	for (uint32_t n = 0; n < BLOCKS; n++)
		if (oracle_look(&m->l.lab.p, n * 512, 9).free[9])
			return true;
	return false;
}

static struct tally ask(struct machine *m)
{
	struct tally t = { 0 };
	uint64_t before = m->l.owner.moved_pages;

	for (;;) {
		const bool whole = has_whole(m);
		const uint32_t least = oracle_minimum(&m->l.lab.p, 0, BLOCKS, 9);
		uint64_t copied = m->l.owner.moved_pages;
		pagus_pfn_t pfn;

		if (pagus_alloc_pages(&m->l.lab.p, GFP_TRANSHUGE, 9, &pfn) != PAGUS_OK)
			break;
		copied = m->l.owner.moved_pages - copied;
		t.had += whole;
		t.several += !whole && least == ORACLE_NEVER;
		if (whole || least == ORACLE_NEVER)
			continue;
		t.nr++;
		t.copied += copied;
		t.least += least;
	}
	t.in_vain = m->l.owner.moved_pages - before - t.copied;
	return t;
}

static void print(const char *policy, uint32_t choice, uint32_t percent, const struct tally *t)
{
	printf("%-16s choice %u, %u %% in use: %3lu blocks were free, %3lu gained, %2lu in several steps; "
	       "copied %6lu pages, least %6lu, ratio %.2f; else copied %lu\n", policy, choice, percent,
	       (unsigned long)t->had, (unsigned long)t->nr, (unsigned long)t->several,
	       (unsigned long)t->copied, (unsigned long)t->least,
	       t->least ? (double)t->copied / (double)t->least : 0.0, (unsigned long)t->in_vain);
}

int main(int argc, char **argv)
{
	static const struct pagus_range range = { .nr_pages = PAGES, .zone = PAGUS_ZONE_BY_CEILING };
	const char *policy = argc > 1 ? argv[1] : "linux";
	uint32_t choice = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	uint32_t percent = argc > 3 ? (uint32_t)atoi(argv[3]) : 70;
	struct pagus_config cfg = lab_config(&range, 1, policy);
	struct machine *m = calloc(1, sizeof(*m));
	struct tally t;

	m->seed = lab_env("PAGUS_SEED", 1);
	contig_boot(&m->l, &cfg, PAGES, PAGES);
	m->l.lab.p.port = &pagus_sim_port; /* nothing moves while it ages */
	age(m, PAGES / 100 * percent, 1000000);
	m->l.lab.p.port = &pagus_sim_owner_port;
	pagus_tunable_set(&m->l.lab.p, PAGUS_TUNABLE_compact_choice, choice);
	t = ask(m);
	print(policy, choice, percent, &t);
	contig_close(&m->l);
	free(m);
	return choice && t.copied * 2 > t.least * 3;
}
