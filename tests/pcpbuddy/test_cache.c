/* SPDX-License-Identifier: MIT */
/* Caches of a port: when one is open, what closes it, and what fills and spills do. */
#include <pagus/cache.h>
#include <pagus/contig.h>
#include <pagus/failure.h>
#include <pagus/step.h>

#include <string.h>

#include "pcpbuddy/owners.h"

#define PAGES   8192u
#define NR_CPUS 3u

static const char maps[] = "pcpbuddy-bitmap", superpageblocks[] = "superpageblock";

#define BOTH(test)                                                                                 \
	{ #test, test, NULL, NULL, (void *)(uintptr_t)maps },                                      \
	{ #test ", superpageblock", test, NULL, NULL, (void *)(uintptr_t)superpageblocks }

/* What the port keeps for each CPU: blocks of one order, until the cache is closed. */
static struct cache {
	bool open, refuses;
	uint32_t pages, nr_closed, nr, order;
	pagus_pfn_t pfns[256];
} caches[NR_CPUS];

static struct owners *owners_of(void *ctx)
{
	return (struct owners *)((char *)ctx - offsetof(struct owners, lab.sim));
}

static bool cache_open(void *ctx, uint32_t zone, uint32_t cpu, uint32_t pages)
{
	/* Under the pcp's lock: who disables pcps is not in between. */
	assert_true(owners_of(ctx)->lab.sim.hold[PAGUS_LOCK_PCP].held);
	assert_int_equal(zone, 0);
	caches[cpu].open = !caches[cpu].refuses;
	caches[cpu].pages = pages;
	return caches[cpu].open;
}

static void cache_close(void *ctx, uint32_t zone, uint32_t cpu)
{
	struct owners *o = owners_of(ctx);
	struct cache *cache = &caches[cpu];
	uint32_t nr = cache->nr;

	assert_int_equal(zone, 0);
	assert_int_equal(o->lab.sim.pins, 0);
	assert_false(o->lab.sim.hold[PAGUS_LOCK_PCP].held || o->lab.sim.hold[PAGUS_LOCK_ZONE].held);
	cache->nr_closed += cache->open;
	cache->open = false;
	cache->nr = 0;
	pagus_cache_spill(&o->lab.p, cache->pfns, nr, cache->order);
}

static struct owners *boot_with(const char *policy, uint64_t pages)
{
	struct owners *o = owners_boot(policy, pages, NR_CPUS, 512, 8192);

	o->port.cache_open = cache_open;
	o->port.cache_close = cache_close;
	memset(caches, 0, sizeof(caches));
	return o;
}

static enum pagus_status open_on(struct owners *o, uint32_t cpu)
{
	owners_on(o, cpu);
	return pagus_cache_open(&o->lab.p, 0);
}

static uint32_t fill(struct owners *o, uint32_t cpu, uint32_t gfp, uint32_t order, uint32_t nr,
		     pagus_pfn_t *pfns)
{
	const struct pagus_request req = { .gfp = gfp, .order = order, .node = PAGUS_NO_NODE };

	owners_on(o, cpu);
	return pagus_cache_fill(&o->lab.p, &req, nr, pfns);
}

/* How many were not refused. */
static uint32_t spill(struct owners *o, uint32_t cpu, const pagus_pfn_t *pfns, uint32_t nr,
		      uint32_t order)
{
	uint64_t before = owners_count(o, PAGUS_COUNTER_free_bad);

	owners_on(o, cpu);
	pagus_cache_spill(&o->lab.p, pfns, nr, order);
	return nr - (uint32_t)(owners_count(o, PAGUS_COUNTER_free_bad) - before);
}

/* Open, with some pages in it. */
static void must_keep(struct owners *o, uint32_t cpu, uint32_t nr)
{
	assert_int_equal(open_on(o, cpu), PAGUS_OK);
	assert_true(caches[cpu].pages > 0);
	caches[cpu].order = 0;
	caches[cpu].nr = fill(o, cpu, GFP_USER_PAGE, 0, nr, caches[cpu].pfns);
	assert_int_equal(caches[cpu].nr, nr);
}

static void expect_all_free(struct owners *o)
{
	pagus_drain_all(&o->lab.p);
	unit_check(&o->lab);
	for (uint32_t cpu = 0; cpu < NR_CPUS; cpu++)
		assert_false(caches[cpu].open);
	assert_int_equal(unit_zone(&o->lab, 0).free_pages, unit_zone(&o->lab, 0).managed);
	assert_int_equal(unit_zone(&o->lab, 0).deferred_pages, 0);
}

/* ---- fills and spills ------------------------------------------------------------------------ */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool overlap(pagus_pfn_t a, pagus_pfn_t b, uint32_t order)
{
	return a >> order == b >> order;
}

static void fills_bring_blocks_as_requests_do(void **state)
{
	struct owners *o = boot_with(*state, PAGES);
	pagus_pfn_t pfns[64], kernel = owners_alloc(o, 0, GFP_KERNEL, 0);

	/* With that a superpageblock is tainted, which no fill does. */
	for (uint32_t order = 0; order <= 9; order++) {
		for (uint32_t type = 0; type < 3; type++) {
			uint32_t wanted = order < 9 ? 7 : 2;
			uint32_t nr = fill(o, 1, unit_gfp(type), order, wanted, pfns);
			uint64_t before = owners_count(o, PAGUS_COUNTER_pgfree);

			if (nr != wanted)
				fail_msg("order %u, type %u: %u of %u", order, type, nr, wanted);
			for (uint32_t n = 0; n < nr; n++) {
				const struct pagus_page_info page = owners_page(o, pfns[n]);

				assert_int_equal(page.kind, PAGUS_PAGE_ALLOCATED);
				assert_int_equal(page.order, order);
				assert_int_equal(page.request_type, type);
				for (uint32_t k = 0; k < n; k++)
					assert_false(overlap(pfns[n], pfns[k], order));
			}
			unit_check(&o->lab);
			/* Half of them on their own CPU, half on another. */
			assert_int_equal(spill(o, 1, pfns, nr / 2, order), nr / 2);
			assert_int_equal(spill(o, 2, pfns + nr / 2, nr - nr / 2, order), nr - nr / 2);
			assert_int_equal(owners_count(o, PAGUS_COUNTER_pgfree) - before, nr << order);
			unit_check(&o->lab);
		}
	}
	owners_free(o, 0, kernel, 0);
	expect_all_free(o);
	owners_close(o);
}

/* The same pages are free in the end as after single calls, in whatever order blocks come back. */
static void spills_free_what_frees_do(void **state)
{
	struct owners *o = boot_with(*state, PAGES);
	uint64_t seed = unit_seed();
	pagus_pfn_t pfns[1024], kernel = owners_alloc(o, 0, GFP_KERNEL, 0);

	for (uint32_t round = 0; round < 40; round++) {
		uint32_t order = (uint32_t)lab_random(&seed, 7), nr = 0, got = 1;
		uint32_t most = 1u << (10 - order);

		for (; nr < most && got > 0; nr += got)
			got = fill(o, (uint32_t)lab_random(&seed, NR_CPUS),
				   unit_gfp((uint32_t)lab_random(&seed, 3)), order,
				   (uint32_t)least(most - nr, 1 + lab_random(&seed, 64)), pfns + nr);
		/* All may lie on pcps. */
		if (nr == 0) {
			pagus_drain_all(&o->lab.p);
			nr = fill(o, 0, GFP_USER_PAGE, order, 1, pfns);
			assert_int_equal(nr, 1);
		}
		owners_shuffle(pfns, nr, &seed);
		for (uint32_t n = 0; n < nr;) {
			uint32_t some = (uint32_t)least(nr - n, 1 + lab_random(&seed, 100));

			/* What is taken on the way must not be one of those. */
			assert_int_equal(spill(o, (uint32_t)lab_random(&seed, NR_CPUS), pfns + n, some,
					       order), some);
			n += some;
			unit_check(&o->lab);
		}
	}
	owners_free(o, 0, kernel, 0);
	expect_all_free(o);
	owners_close(o);
}

static void spills_refuse_what_frees_refuse(void **state)
{
	struct owners *o = boot_with(*state, PAGES);
	pagus_pfn_t pfns[8], bad[6], four = owners_alloc(o, 0, GFP_USER_PAGE, 2);

	assert_int_equal(fill(o, 0, GFP_USER_PAGE, 0, NR_OF(pfns), pfns), NR_OF(pfns));
	for (uint32_t cpu = 0; cpu < 2; cpu++) {
		uint64_t before = owners_count(o, PAGUS_COUNTER_free_bad);

		bad[0] = four;          /* of another order */
		bad[1] = four + 1;      /* not a block's first page */
		bad[2] = PAGES;         /* no memory */
		bad[3] = pfns[cpu];     /* this one may be freed, */
		bad[4] = PAGES - 1;     /* this is free */
		bad[5] = four;
		assert_int_equal(spill(o, cpu, bad, NR_OF(bad), 0), 1);
		assert_int_equal(owners_count(o, PAGUS_COUNTER_free_bad) - before, 5);
		/* and now is. */
		assert_int_equal(spill(o, cpu, bad + 3, 1, 0), 0);
		assert_int_equal(spill(o, 1 - cpu, bad + 3, 1, 0), 0);
		unit_check(&o->lab);
	}
	/* Twice in one spill: once. */
	bad[0] = bad[1] = pfns[2];
	assert_int_equal(spill(o, 0, bad, 2, 0), 1);
	bad[0] = bad[1] = pfns[3];
	assert_int_equal(spill(o, 1, bad, 2, 0), 1);
	assert_int_equal(spill(o, 2, pfns + 4, 4, 0), 4);
	owners_free(o, 0, four, 2);
	expect_all_free(o);
	owners_close(o);
}

/* What others freed to the CPU is taken again before anything new is. */
static void fills_take_in_what_came_back(void **state)
{
	struct owners *o = boot_with(*state, PAGES);
	pagus_pfn_t pfns[64], again[64];
	uint64_t locks;

	assert_int_equal(fill(o, 0, GFP_USER_PAGE, 0, 64, pfns), 64);
	assert_int_equal(spill(o, 1, pfns, 64, 0), 64);
	assert_int_equal(owners_count(o, PAGUS_COUNTER_pcp_free_remote), 64);
	locks = owners_zone_locks(o);
	assert_int_equal(fill(o, 0, GFP_USER_PAGE, 0, 64, again), 64);
	assert_int_equal(owners_zone_locks(o), locks);
	for (uint32_t n = 0; n < 64; n++)
		assert_true(again[n] / BLOCK == pfns[0] / BLOCK);
	assert_int_equal(spill(o, 0, again, 64, 0), 64);
	expect_all_free(o);
	owners_close(o);
}

static void fills_keep_the_low_mark(void **state)
{
	struct owners *o = boot_with(*state, PAGES);
	pagus_pfn_t pfns[PAGES];
	const uint64_t marks[PAGUS_NR_WMARKS] = { 1000, 2000, 3000, 4000 };
	uint32_t nr = 0, got;

	assert_int_equal(pagus_step_marks(&o->lab.p, 0, marks, 0), PAGUS_OK);
	while ((got = fill(o, 0, GFP_USER_PAGE, 0, 64, pfns + nr)) > 0)
		nr += got;
	assert_true(unit_zone(&o->lab, 0).free_pages + unit_pcp(&o->lab, 0, 0).count >= 2000);
	/* A request may go below it. */
	pfns[nr] = owners_alloc(o, 0, GFP_ATOMIC | __GFP_MOVABLE, 0);
	assert_true(pfns[nr] != PAGUS_NO_PFN);
	assert_int_equal(spill(o, 0, pfns, nr + 1, 0), nr + 1);
	expect_all_free(o);
	owners_close(o);
}

/* ---- open and closed ------------------------------------------------------------------------- */

static void by_drain_of_the_cpu(struct owners *o)
{
	pagus_drain_cpu(&o->lab.p, 0);
}

static void by_drain_of_all(struct owners *o)
{
	pagus_drain_all(&o->lab.p);
}

static void by_cpu_down(struct owners *o)
{
	assert_int_equal(pagus_cpu_down(&o->lab.p, 0), PAGUS_OK);
	assert_int_equal(pagus_cpu_up(&o->lab.p, 0), PAGUS_OK);
}

static void by_pcps_off(struct owners *o)
{
	assert_int_equal(pagus_zone_pcp_disable(&o->lab.p, 0), PAGUS_OK);
	assert_int_equal(open_on(o, 0), PAGUS_BUSY);
	owners_on(o, 1);
	assert_int_equal(pagus_zone_pcp_enable(&o->lab.p, 0), PAGUS_OK);
}

/* The page is in the cache: it comes out, and never again. */
static void by_failure(struct owners *o)
{
	const pagus_pfn_t pfn = caches[0].pfns[3];
	bool in_use = true;

	assert_int_equal(pagus_poison_page(&o->lab.p, pfn, false, &in_use), PAGUS_OK);
	assert_false(in_use);
	assert_int_equal(owners_page(o, pfn).kind, PAGUS_PAGE_LEAKED);
	assert_int_equal(pagus_unpoison_page(&o->lab.p, pfn), PAGUS_OK);
}

/* All that is in the way is in a cache. */
static void by_range(struct owners *o)
{
	pagus_pfn_t start = caches[0].pfns[0] & ~(pagus_pfn_t)511;

	assert_int_equal(pagus_alloc_contig_range(&o->lab.p, start, 512, false, GFP_KERNEL),
			 PAGUS_OK);
	assert_int_equal(pagus_free_contig_range(&o->lab.p, start, 512), PAGUS_OK);
}

static void by_any_range(struct owners *o)
{
	pagus_pfn_t pfn;

	assert_int_equal(pagus_alloc_contig_pages(&o->lab.p, PAGES, GFP_KERNEL, PAGUS_NO_NODE, 0,
						  &pfn), PAGUS_OK);
	assert_int_equal(pagus_free_contig_range(&o->lab.p, pfn, PAGES), PAGUS_OK);
}

static void note(void *ctx, const struct pagus_event *event)
{
	++*(uint32_t *)ctx;
	assert_int_equal(event->id, PAGUS_EVENT_FREE);
}

/* It is told of each page that was kept. */
static void by_listener(struct owners *o)
{
	uint32_t kept = caches[0].nr, told = 0;

	pagus_listen(&o->lab.p, note, &told, 1u << PAGUS_EVENT_FREE);
	assert_int_equal(told, kept);
	pagus_listen(&o->lab.p, NULL, NULL, 0);
}

static const struct {
	const char *name;
	void (*act)(struct owners *o);
	bool again; /* it may close it more than once */
} acts[] = {
	{ "drain of the CPU", by_drain_of_the_cpu }, { "drain of all", by_drain_of_all },
	{ "CPU down", by_cpu_down }, { "pcps off", by_pcps_off }, { "failure", by_failure },
	{ "listener", by_listener }, { "range", by_range, true },
	{ "any range", by_any_range, true },
};

static void whoever_needs_the_pages_gets_them(void **state)
{
	for (uint32_t n = 0; n < NR_OF(acts); n++) {
		struct owners *o = boot_with(*state, PAGES);

		must_keep(o, 0, 10);
		owners_on(o, 1);
		acts[n].act(o);
		if (caches[0].nr_closed == 0 || (caches[0].nr_closed > 1 && !acts[n].again) ||
		    caches[0].nr)
			fail_msg("%s", acts[n].name);
		unit_check(&o->lab);
		/* What closed it is over. */
		must_keep(o, 0, 10);
		expect_all_free(o);
		owners_close(o);
	}
}

static void others_go_on(void **state)
{
	struct owners *o = boot_with(*state, PAGES);

	must_keep(o, 0, 10);
	owners_on(o, 1);
	pagus_drain_cpu(&o->lab.p, 2);
	pagus_tick(&o->lab.p);
	assert_int_equal(pagus_cpu_down(&o->lab.p, 2), PAGUS_OK);
	assert_int_equal(pagus_cpu_up(&o->lab.p, 2), PAGUS_OK);
	owners_on(o, 0);
	pagus_tick(&o->lab.p);
	assert_int_equal(caches[0].nr_closed, 0);
	expect_all_free(o);
	owners_close(o);
}

static void opening_is_refused(void **state)
{
	struct owners *o = boot_with(*state, PAGES);
	pagus_pfn_t pfns[64];
	uint32_t told = 0;

	assert_int_equal(pagus_cache_open(&o->lab.p, 1), PAGUS_BAD_VALUE);
	caches[0].refuses = true;
	assert_int_equal(open_on(o, 0), PAGUS_BUSY);
	caches[0].refuses = false;
	o->pcps_taken = true;
	assert_int_equal(open_on(o, 0), PAGUS_BUSY);
	o->pcps_taken = false;
	pagus_listen(&o->lab.p, note, &told, 1u << PAGUS_EVENT_FREE);
	assert_int_equal(open_on(o, 0), PAGUS_BUSY);
	pagus_listen(&o->lab.p, NULL, NULL, 0);
	/* In a zone that is short of pages a CPU keeps few; and the tick takes what there is. */
	must_keep(o, 0, 4);
	pagus_step_set_flag(&o->lab.p, 0, PAGUS_STEP_BELOW_HIGH, true);
	assert_int_equal(open_on(o, 1), PAGUS_BUSY);
	owners_on(o, 0);
	pagus_tick(&o->lab.p);
	assert_int_equal(caches[0].nr_closed, 1);
	pagus_step_set_flag(&o->lab.p, 0, PAGUS_STEP_BELOW_HIGH, false);
	assert_int_equal(open_on(o, 1), PAGUS_OK);
	o->port.cache_close = NULL;
	assert_int_equal(open_on(o, 0), PAGUS_UNSUPPORTED);
	o->port.cache_close = cache_close;
	/* Nothing that a request with these flags may not have. */
	assert_int_equal(fill(o, 0, GFP_USER_PAGE | __GFP_ZERO, 11, 1, pfns), 0);
	expect_all_free(o);
	owners_close(o);
	o = boot_with(owners_lists, PAGES);
	assert_int_equal(open_on(o, 0), PAGUS_UNSUPPORTED);
	assert_int_equal(fill(o, 0, GFP_USER_PAGE, 0, 4, pfns), 0);
	pfns[0] = owners_alloc(o, 0, GFP_USER_PAGE, 0);
	assert_int_equal(spill(o, 0, pfns, 1, 0), 1);
	owners_close(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(fills_bring_blocks_as_requests_do), BOTH(spills_free_what_frees_do),
		BOTH(spills_refuse_what_frees_refuse), BOTH(fills_take_in_what_came_back),
		BOTH(fills_keep_the_low_mark), BOTH(whoever_needs_the_pages_gets_them),
		BOTH(others_go_on), BOTH(opening_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
