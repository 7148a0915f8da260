/* SPDX-License-Identifier: MIT */
/*
 * Random requests of random tasks against a port that reclaims, compacts and kills at random, on a
 * machine that is nearly full: the instance stays whole, every request ends, and nothing is lost.
 */
#include <pagus/step.h>

#include "unit/world.h"

#include <stdio.h>

#define NR_HELD 6000
#define ROUNDS  30000

struct held {
	pagus_pfn_t pfn;
	uint32_t order;
};

static struct held held[NR_HELD];
static uint32_t nr_held;
static uint64_t seed;

static bool chance(uint32_t in)
{
	return lab_random(&seed, in) == 0;
}

static void release(struct world *w)
{
	uint32_t n = (uint32_t)lab_random(&seed, nr_held);

	unit_free(&w->lab, held[n].pfn, held[n].order);
	held[n] = held[--nr_held];
}

static uint64_t random_reclaim(void *ctx, const struct pagus_reclaim *how)
{
	struct world *w = world_of(ctx);
	const struct pagus_request nested = { .gfp = GFP_KERNEL, .node = PAGUS_NO_NODE };
	struct pagus_result res;
	uint64_t freed = 0;

	assert_true(w->task & PAGUS_TASK_MEMALLOC);
	if (chance(8) && pagus_alloc(&w->lab.p, &nested, &res) == PAGUS_OK)
		unit_free(&w->lab, res.pfn, 0);
	while (freed < how->nr_pages && nr_held > 0 && !chance(6)) {
		freed += UINT64_C(1) << held[nr_held - 1].order;
		release(w);
	}
	return chance(50) ? freed + 1 : freed;
}

static enum pagus_compact_result random_compact(void *ctx, const struct pagus_compact *how)
{
	(void)ctx;
	assert_true(how->order > 0);
	return (enum pagus_compact_result)lab_random(&seed, PAGUS_COMPACT_SUCCESS + 1);
}

static enum pagus_oom_answer random_oom(void *ctx, const struct pagus_oom *what)
{
	struct world *w = world_of(ctx);

	assert_true(what->order <= 3);
	for (uint32_t n = 0; n < 200 && nr_held > 0 && !chance(100); n++)
		release(w);
	return (enum pagus_oom_answer)lab_random(&seed, PAGUS_OOM_KILLED + 1);
}

static uint64_t random_reclaimable(void *ctx, uint32_t node, uint32_t type)
{
	(void)ctx;
	(void)node;
	(void)type;
	return lab_random(&seed, 1000);
}

static uint32_t awake_nodes;

static void note_wake(void *ctx, enum pagus_worker worker, uint32_t node)
{
	(void)ctx;
	(void)worker;
	awake_nodes |= 1u << node;
}

static struct world *boot(const char *policy)
{
	static const struct pagus_range ranges[] = {
		{ 0, 6000, 0, PAGUS_ZONE_BY_CEILING }, { 6144, 2048, 0, PAGUS_ZONE_MOVABLE },
		{ 8192, 4096, 1, PAGUS_ZONE_BY_CEILING },
	};
	static const uint32_t cpu_node[] = { 0, 1 };
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), policy);
	struct world *w;

	cfg.dma32_ceiling = 2048;
	cfg.nr_cpus = 2;
	cfg.cpu_node = cpu_node;
	w = world_boot(&cfg);
	w->port.reclaim = random_reclaim;
	w->port.reclaimable = random_reclaimable;
	w->port.compact = random_compact;
	w->port.oom = random_oom;
	w->port.wake = note_wake;
	w->port.wait = NULL;
	w->port.mems_allowed = world_mems;
	w->mems = 3;
	w->ancestor_mems = 3;
	assert_int_equal(pagus_tunable_set(&w->lab.p, PAGUS_TUNABLE_min_free_kbytes, 512), PAGUS_OK);
	return w;
}

static uint32_t random_gfp(void)
{
	static const uint32_t bases[] = {
		GFP_ATOMIC, GFP_KERNEL, GFP_NOWAIT, GFP_NOIO, GFP_NOFS, GFP_USER, GFP_HIGHUSER_MOVABLE,
		GFP_TRANSHUGE, GFP_TRANSHUGE_LIGHT, GFP_RECLAIM_SLAB, GFP_KERNEL | __GFP_DMA32,
		GFP_KERNEL_ACCOUNT,
	};
	static const uint32_t extras[] = {
		__GFP_HIGH, __GFP_NORETRY, __GFP_RETRY_MAYFAIL, __GFP_NOFAIL, __GFP_MEMALLOC,
		__GFP_NOMEMALLOC, __GFP_THISNODE, __GFP_WRITE, __GFP_HARDWALL,
	};
	uint32_t gfp = bases[lab_random(&seed, NR_OF(bases))];

	while (chance(3))
		gfp |= extras[lab_random(&seed, NR_OF(extras))];
	return gfp;
}

static void ask(struct world *w)
{
	const struct pagus_request req = {
		.gfp = random_gfp(), .order = (uint32_t)lab_random(&seed, 1 + lab_random(&seed, 10)),
		.node = chance(2) ? PAGUS_NO_NODE : (uint32_t)lab_random(&seed, 2),
		.nodemask = chance(4) ? 1 + lab_random(&seed, 3) : 0,
	};
	uint64_t rounds = unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds);
	const uint32_t task = chance(4) ? (uint32_t)lab_random(&seed, PAGUS_TASK_FATAL_SIGNAL << 1) : 0;
	struct pagus_result res;

	w->task = task;
	if (chance(30))
		w->mems = 1 + lab_random(&seed, 3);
	w->refuse_charge = chance(10);
	w->lab.sim.trylock_fail_at = chance(5) ? 1 + lab_random(&seed, 6) : 0;
	pagus_alloc(&w->lab.p, &req, &res);
	assert_int_equal(w->task, task);
	/* One request's rounds, and few of the requests that reclaim made itself. */
	assert_true(unit_counter(&w->lab, PAGUS_COUNTER_slow_rounds) - rounds < 257 * 16 * 13);
	if (res.status == PAGUS_OK) {
		assert_int_equal(res.refusal, PAGUS_REFUSED_NONE);
		held[nr_held++] = (struct held){ res.pfn, req.order };
	} else {
		assert_int_equal(res.status, PAGUS_NO_MEMORY);
		assert_int_not_equal(res.refusal, PAGUS_REFUSED_NONE);
	}
}

static void work(struct world *w)
{
	for (uint32_t node = 0; node < 2; node++) {
		w->task = 0;
		if ((awake_nodes >> node & 1) && !pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, node))
			awake_nodes &= ~(1u << node);
	}
}

static void run(const char *policy)
{
	struct world *w = boot(policy);
	uint64_t free_pages = 0;

	nr_held = awake_nodes = 0;
	for (uint32_t n = 0; n < ROUNDS; n++) {
		pagus_sim_on(&w->lab.sim, (uint32_t)lab_random(&seed, 2), n);
		if (nr_held < NR_HELD && !chance(4))
			ask(w);
		else if (nr_held)
			release(w);
		if (chance(3))
			work(w);
		if (n % 500 == 0)
			unit_check(&w->lab);
	}
	assert_true(unit_counter(&w->lab, PAGUS_COUNTER_pageoutrun) > 0);
	assert_true(unit_counter(&w->lab, PAGUS_COUNTER_allocstall_normal) > 100);
	assert_true(unit_counter(&w->lab, PAGUS_COUNTER_numa_miss) > 100);
	assert_true(unit_counter(&w->lab, PAGUS_COUNTER_drop_charge) > 10);
	w->lab.sim.trylock_fail_at = 0;
	while (nr_held)
		release(w);
	pagus_drain_all(&w->lab.p);
	for (uint32_t zone = 0; zone < pagus_nr_zones(&w->lab.p); zone++)
		free_pages += unit_zone(&w->lab, zone).free_pages;
	assert_int_equal(free_pages, 6000 + 2048 + 4096);
	world_close(w);
}

static void the_instance_stays_whole_under_pressure(void **state)
{
	static const char *const policies[] = { "linux", "linux-6.18", "linux-6.12", "linux-6.1", "plain" };

	(void)state;
	seed = lab_env("SEED", 1);
	for (size_t n = 0; n < NR_OF(policies); n++) {
		printf("SEED=%llu %s\n", (unsigned long long)seed, policies[n]);
		run(policies[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_instance_stays_whole_under_pressure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
