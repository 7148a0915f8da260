/* SPDX-License-Identifier: MIT */
/*
 * What 2 MiB blocks cost on memory that a recording has aged: after the last event one after the
 * other is asked for, until none is to be had. Pages copied, against the least that so many would
 * have cost by hindsight: what is in use in as many pageblocks, the cheapest of those that can be
 * emptied. Once of all zones together, and once of each zone as many as were gained there: marks
 * and zonelists decide where, compaction only what is moved.
 *
 * Usage: test_efficiency TRACE.pgt [POLICY [CHOICE]]    CHOICE: vm.compact_choice. Default: all
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../contig/oracle.h"
#include "replay/replay.h"

#define ORDER       9u
#define BLOCK_PAGES (UINT64_C(1) << ORDER)
#define FOR_EVER    (UINT64_MAX / 2)
#define MAX_ZONES   64u
#define PATIENCE    128 /* requests: twice as many as are deferred in a row */

/* What the pageblocks of a zone hold. */
struct stock {
	uint32_t whole;                /* that are free, or lie on a pcp */
	uint32_t nr;                   /* others that can be emptied, */
	uint32_t by_cost[BLOCK_PAGES]; /* of these by pages in use */
	uint64_t free_pages;
	uint32_t granted;
};

struct tally {
	uint32_t granted, gained, possible;
	uint64_t copied, in_vain, by_workers; /* pages */
	uint64_t least;    /* for as many, whatever their zones */
	uint64_t in_zones; /* for as many in each zone as were gained there */
};

static void take_stock(const struct replay *r, struct stock *zones)
{
	const struct machine *m = r->machine;
	struct pagus_page_info page;

	for (pagus_pfn_t pfn = m->first_pfn & ~(BLOCK_PAGES - 1); pfn < m->end_pfn;
	     pfn += BLOCK_PAGES) {
		const struct oracle_block b = oracle_look(&m->pagus, pfn, ORDER);
		struct stock *s;

		if (pagus_page_info(&m->pagus, pfn, &page) != PAGUS_OK || page.zone >= MAX_ZONES)
			continue;
		s = &zones[page.zone];
		for (uint32_t o = 0; o <= ORDER; o++)
			s->free_pages += (uint64_t)b.free[o] << o;
		if (b.free[ORDER]) {
			s->whole++;
		} else if (!b.stays && b.used_pages < BLOCK_PAGES) {
			s->nr++;
			s->by_cost[b.used_pages]++;
		}
	}
	for (uint64_t n = 0; n < r->huge.nr; n++)
		if (pagus_page_info(&m->pagus, r->huge.held[r->huge.first + n].pfn, &page) ==
		    PAGUS_OK && page.zone < MAX_ZONES)
			zones[page.zone].granted++;
}

/* Pages to be copied for `nr` pageblocks besides those that are free. */
static uint64_t least_for(const struct stock *s, uint32_t nr)
{
	uint64_t pages = 0;

	for (uint32_t cost = 0; cost < BLOCK_PAGES && nr > 0; cost++) {
		uint32_t n = s->by_cost[cost] < nr ? s->by_cost[cost] : nr;

		pages += (uint64_t)n * cost;
		nr -= n;
	}
	return pages;
}

/*
 * Ask until PATIENCE requests in a row are refused; workers that are woken work in between. One
 * refusal says little: after some that are deferred, what was passed over is looked at again.
 */
static const char *ask(struct replay *r)
{
	const struct whatif_huge plan = { .every_ns = 1, .hold_ns = FOR_EVER, .order = ORDER,
					  .count = 1 };
	const char *problem = NULL;
	uint64_t granted;
	uint32_t refused = 0;

	huge_begin(&r->huge, &plan);
	while (!problem && refused < PATIENCE) {
		granted = r->huge.granted;
		problem = huge_act(r);
		agenda_work(r);
		refused = r->huge.granted > granted ? 0 : refused + 1;
	}
	return problem;
}

/* Of all zones together. */
static struct stock sum_of(const struct stock *zones)
{
	struct stock sum = { 0 };

	for (uint32_t n = 0; n < MAX_ZONES; n++) {
		sum.whole += zones[n].whole;
		sum.nr += zones[n].nr;
		sum.free_pages += zones[n].free_pages;
		sum.granted += zones[n].granted;
		for (uint32_t cost = 0; cost < BLOCK_PAGES; cost++)
			sum.by_cost[cost] += zones[n].by_cost[cost];
	}
	return sum;
}

/* Pageblocks that are granted or whole now, and were not whole before. */
static uint32_t gained(const struct stock *before, const struct stock *after)
{
	const uint32_t now = after->granted + after->whole;

	return now > before->whole ? now - before->whole : 0;
}

static uint32_t smaller(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

static const char *measure(struct replay *r, struct tally *t)
{
	static struct stock before[MAX_ZONES], after[MAX_ZONES];
	const uint64_t moved = r->owner.moved_pages;
	struct stock first, last;
	const char *problem;
	uint64_t where;

	memset(before, 0, sizeof(before));
	memset(after, 0, sizeof(after));
	take_stock(r, before);
	problem = ask(r);
	if (!problem)
		problem = owner_check(r, huge_held_pages(r), &where);
	if (!problem && pagus_check(&r->machine->pagus, &where) != 0)
		problem = "an invariant is broken";
	take_stock(r, after);
	first = sum_of(before);
	last = sum_of(after);
	*t = (struct tally){
		.granted = last.granted, .gained = gained(&first, &last),
		.possible = smaller(first.nr, first.free_pages / BLOCK_PAGES - first.whole),
		.copied = r->owner.moved_pages - moved,
		.in_vain = r->huge.moved_pages - r->huge.moved_for_granted,
	};
	t->by_workers = t->copied - r->huge.moved_pages;
	t->least = least_for(&first, t->gained);
	for (uint32_t n = 0; n < MAX_ZONES; n++)
		t->in_zones += least_for(&before[n], gained(&before[n], &after[n]));
	return problem;
}

static double ratio(uint64_t copied, uint64_t least)
{
	return least ? (double)copied / (double)least : 0;
}

static void print(const char *policy, uint32_t choice, const struct tally *t)
{
	printf("%-16s choice %u: %4u granted, %4u gained of %4u; copied %6llu pages (%llu in vain, "
	       "%llu by workers), least %6llu, ratio %5.2f; least in these zones %6llu, ratio %5.2f\n",
	       policy, choice, t->granted, t->gained, t->possible, (unsigned long long)t->copied,
	       (unsigned long long)t->in_vain, (unsigned long long)t->by_workers,
	       (unsigned long long)t->least, ratio(t->copied, t->least),
	       (unsigned long long)t->in_zones, ratio(t->copied, t->in_zones));
}

static const char *const policies[] = { "linux", "pcpbuddy", "pcpbuddy-bitmap", "superpageblock" };
#define NR_POLICIES (sizeof(policies) / sizeof(*policies))

/* By choice no more than so many hundredths of the least in their zones may be copied. */
#define LIMIT_PERCENT 150

/* NULL, or what cannot be. */
static const char *judge(uint32_t choice, const struct tally *t)
{
	if (t->gained == 0)
		return "nothing is gained";
	if (t->gained > t->possible)
		return "more is gained than could be";
	if (t->copied < t->least || t->copied < t->in_zones || t->in_zones < t->least)
		return "less is copied than must be";
	if (choice && t->copied * 100 > t->in_zones * LIMIT_PERCENT)
		return "by choice more is copied than the limit allows";
	return NULL;
}

static bool run(const char *path, const char *policy, uint32_t choice)
{
	const struct whatif whatif = { .defrag = WHATIF_DEFRAG_SCAN };
	struct trace_error err = { "" };
	struct trace *trace = trace_open(path, &err);
	struct replay *r = trace ? replay_run(trace, policy, 0, &whatif, NULL, NULL, &err) : NULL;
	const char *problem = err.text;
	struct tally t;

	if (r) {
		pagus_tunable_set(&r->machine->pagus, PAGUS_TUNABLE_compact_choice, choice);
		problem = measure(r, &t);
		print(policy, choice, &t);
		problem = problem ? problem : judge(choice, &t);
	}
	if (problem)
		fprintf(stderr, "%s, %s, choice %u: %s\n", path, policy, choice, problem);
	replay_free(r);
	trace_close(trace);
	return !problem;
}

int main(int argc, char **argv)
{
	bool ok = true;

	if (argc < 2)
		return 1;
	for (uint32_t n = 0; n < NR_POLICIES; n++)
		for (uint32_t choice = 0; choice < 2; choice++)
			if (argc == 2 && !run(argv[1], policies[n], choice))
				ok = false;
	if (argc > 2)
		ok = run(argv[1], argv[2], argc > 3 ? (uint32_t)atoi(argv[3]) : 0);
	return !ok;
}
