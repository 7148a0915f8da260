/* SPDX-License-Identifier: MIT */
#include "weave/scenario.h"

#include <pagus/cache.h>

#include <string.h>

#include "weave/move.h"
#include "weave/world.h"

#define INTERRUPT_ODDS 24 /* one point in so many */
#define BULK           6

/* ---- the table ------------------------------------------------------------------------------- */

static const struct scenario_role
	owner = { 8, { [CALL_ALLOC] = 6, [CALL_ALLOC_BLOCK] = 1, [CALL_FREE] = 2 } },
	owner_ticks = { 8, { [CALL_ALLOC] = 3, [CALL_FREE] = 3, [CALL_TICK] = 6 } },
	freer = { 8, { [CALL_FREE] = 8, [CALL_ALLOC] = 1 } },
	freer_ticks = { 8, { [CALL_FREE] = 4, [CALL_TICK] = 2, [CALL_DRAIN] = 1 } },
	bulk_freer = { 4, { [CALL_FREE_BULK] = 4, [CALL_FREE] = 2 } },
	drainer = { 6, { [CALL_DRAIN] = 4, [CALL_DRAIN_ALL] = 1, [CALL_FREE] = 3 } },
	plugger = { 6, { [CALL_HOTPLUG] = 4, [CALL_FREE] = 3, [CALL_ALLOC] = 1 } },
	switcher = { 6, { [CALL_PCPS] = 4, [CALL_FREE] = 3, [CALL_ALLOC] = 1 } },
	isolator = { 5, { [CALL_ISOLATE] = 2, [CALL_DRAIN_ALL] = 1, [CALL_FREE] = 3 } },
	refiller = { 8, { [CALL_ALLOC] = 4, [CALL_ALLOC_BLOCK] = 4, [CALL_FREE] = 3 } },
	nolocker = { 8, { [CALL_ALLOC_NOLOCK] = 3, [CALL_FREE_NOLOCK] = 4, [CALL_ALLOC] = 2,
			  [CALL_FREE] = 2 } },
	destroyer = { 14, { [CALL_FREE] = 10, [CALL_FREE_BULK] = 2, [CALL_DRAIN] = 1,
			    [CALL_FREE_NOLOCK] = 1 } },
	compactor = { 3, { [CALL_COMPACT] = 2, [CALL_FREE] = 1 } },
	mover = { 5, { [CALL_MOVE] = 4, [CALL_FREE] = 1 } },
	cacher = { 8, { [CALL_CACHE] = 4, [CALL_FILL] = 4, [CALL_SPILL] = 3, [CALL_DRAIN] = 1 } },
	anybody = { 10, { 4, 2, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 } };

const struct scenario scenarios[] = {
	{ "free", "an owner allocates, others free", 3, 16, .roles = { &owner, &freer, &freer } },
	{ "drain", "pcps are drained while others free to them", 3, 20,
	  .roles = { &owner, &freer, &drainer } },
	{ "offline", "CPUs go and come while others free to them", 3, 20,
	  .roles = { &owner, &freer, &plugger } },
	{ "pcps off", "a zone's pcps are switched off and on", 3, 20,
	  .roles = { &owner, &freer, &switcher } },
	{ "isolate", "pageblocks are isolated while pages are freed", 3, 28,
	  .roles = { &owner, &freer, &isolator } },
	{ "refill", "refills against frees that are deferred", 2, 24, .captures = true,
	  .roles = { &refiller, &freer } },
	{ "nolock", "calls that wait for nothing, in the middle of others", 3, 20,
	  .interrupts = true, .roles = { &owner, &nolocker, &freer } },
	{ "lease", "ticks end ownership while pages are in use", 3, 24,
	  .roles = { &owner_ticks, &freer_ticks, &freer } },
	{ "destroy", "everything is freed at once by everybody", 4, 40, .captures = true,
	  .roles = { &destroyer, &destroyer, &bulk_freer, &freer } },
	{ "migrate", "callers change their CPU between calls", 3, 20, .migrates = true,
	  .interrupts = true, .roles = { &owner, &freer, &drainer } },
	{ "move", "what blocks hold is moved while pages are freed and drained", 4, 32,
	  .roles = { &owner, &freer_ticks, &mover, &mover } },
	{ "move, isolate", "the same while pageblocks are isolated", 4, 32,
	  .roles = { &owner, &freer, &mover, &isolator } },
	{ "compact", "the zone is compacted while pages are handed out and freed", 4, 40,
	  .roles = { &owner, &freer_ticks, &compactor, &nolocker } },
	{ "compact twice", "by two at once, while pcps are drained", 4, 40,
	  .roles = { &refiller, &drainer, &compactor, &compactor } },
	{ "compact, plug", "while CPUs go and come, and change", 4, 40, .migrates = true,
	  .interrupts = true, .roles = { &owner, &plugger, &compactor, &freer_ticks } },
	{ "cache", "blocks are taken and freed many at once, while caches open and pcps go off", 4, 24,
	  .migrates = true, .roles = { &cacher, &cacher, &switcher, &freer } },
	{ "cache, plug", "while CPUs go and come, and pageblocks are isolated", 4, 24,
	  .roles = { &cacher, &cacher, &plugger, &isolator } },
	{ "anything", "all of it", 4, 24, .migrates = true, .interrupts = true, .captures = true,
	  .roles = { &anybody, &anybody, &anybody, &anybody } },
};
const uint32_t nr_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);

/* ---- the calls ------------------------------------------------------------------------------- */

/* A caller's own: its random numbers, and what it has switched off. */
struct actor {
	uint64_t random;
	uint32_t gone;        /* CPU that it took offline; NOBODY: none */
	bool pcps_off;
	bool interrupted;     /* it makes a call inside another */
};

static const struct scenario *scenario;
static struct actor actors[WEAVE_CALLERS];

static uint32_t chance(uint32_t limit)
{
	return weave_random(&actors[weave_self()].random, limit);
}

/* Block until the CPU is free for a call, and make the calls there. */
static uint32_t come_to_cpu(void)
{
	uint32_t cpu = weave_self();

	if (scenario->migrates)
		cpu = chance(world.nr_cpus);
	/* Its own is never the one that it took away. */
	if (cpu == actors[weave_self()].gone)
		cpu = (cpu + 1) % world.nr_cpus;
	weave_lock(&world.cpus[cpu]);
	world_on(cpu);
	return cpu;
}

static uint32_t random_gfp(void)
{
	static const uint32_t types[] = { 0, __GFP_MOVABLE, __GFP_RECLAIMABLE };

	return (GFP_KERNEL & ~__GFP_DIRECT_RECLAIM) | types[chance(3)];
}

static void allocate(uint32_t gfp, uint32_t order)
{
	pagus_pfn_t pfn;

	pagus_alloc_pages(&world.p, gfp, order, &pfn);
	world_granted(pfn, order, gfp & __GFP_MOVABLE);
}

static void must_free(enum pagus_status status, struct world_block block)
{
	if (status != PAGUS_OK)
		weave_fail("page %u of order %u cannot be freed: %s", (uint32_t)block.pfn,
			   block.order, pagus_status_text(status));
}

static void release(bool nolock)
{
	struct world_block block;

	if (!world_give_up(&actors[weave_self()].random, &block))
		return;
	if (nolock)
		must_free(pagus_free_nolock(&world.p, block.pfn, block.order), block);
	else if (chance(2))
		must_free(pagus_free_pages(&world.p, block.pfn, block.order), block);
	else
		must_free(pagus_put_pages(&world.p, block.pfn, block.order), block);
	world_freed(block);
}

static void release_bulk(void)
{
	struct world_block blocks[BULK];
	pagus_pfn_t pfns[BULK];
	uint32_t nr = 0, freed;

	for (; nr < BULK && world_give_up(&actors[weave_self()].random, &blocks[nr]); nr++)
		pfns[nr] = blocks[nr].pfn;
	freed = pagus_free_bulk(&world.p, pfns, nr);
	if (freed != nr)
		weave_fail("of %u blocks at once %u are freed", nr, freed);
	while (nr > 0)
		world_freed(blocks[--nr]);
}

/* Blocks of one order at once; the first of another goes by itself. */
static void spill(void)
{
	struct world_block blocks[BULK];
	pagus_pfn_t pfns[BULK];
	uint32_t nr = 0, same = 0;
	uint64_t bad;

	while (nr < BULK && same == nr && world_give_up(&actors[weave_self()].random, &blocks[nr])) {
		pfns[nr] = blocks[nr].pfn;
		same += blocks[nr].order == blocks[0].order;
		nr++;
	}
	bad = pagus_counter_read(&world.p, PAGUS_COUNTER_free_bad);
	if (same)
		pagus_cache_spill(&world.p, pfns, same, blocks[0].order);
	if (pagus_counter_read(&world.p, PAGUS_COUNTER_free_bad) != bad)
		weave_fail("some of %u blocks at once are not freed", same);
	if (same < nr)
		must_free(pagus_free_pages(&world.p, pfns[same], blocks[same].order), blocks[same]);
	while (nr > 0)
		world_freed(blocks[--nr]);
}

static void fill(void)
{
	const struct pagus_request req = { .gfp = random_gfp(), .order = chance(2) ? 0 : chance(3),
					   .node = PAGUS_NO_NODE };
	pagus_pfn_t pfns[BULK];
	uint32_t nr = pagus_cache_fill(&world.p, &req, 1 + chance(BULK), pfns);

	while (nr > 0)
		world_granted(pfns[--nr], req.order, req.gfp & __GFP_MOVABLE);
}

static void call_nolock(bool frees)
{
	struct pagus_result res;

	world_nolock(true);
	if (frees) {
		release(true);
	} else {
		uint32_t order = chance(4) ? 0 : chance(WORLD_BLOCK_ORDER + 1);

		pagus_alloc_nolock(&world.p, PAGUS_NO_NODE, order, &res);
		world_granted(res.pfn, order, false);
	}
	world_nolock(false);
}

/* A CPU goes only when nobody works there, and comes again from who took it away. */
static void plug(uint32_t here, bool must_return)
{
	struct actor *me = &actors[weave_self()];

	if (me->gone != WEAVE_NOBODY) {
		world_expect_unowned(me->gone);
		if (pagus_cpu_up(&world.p, me->gone) != PAGUS_OK)
			weave_fail("CPU %u does not come", me->gone);
		world_limits();
		weave_unlock(&world.cpus[me->gone]);
		me->gone = WEAVE_NOBODY;
		weave_unlock(&world.setup);
		return;
	}
	if (must_return || me->pcps_off || !weave_trylock(&world.setup))
		return;
	me->gone = (here + 1 + chance(world.nr_cpus - 1)) % world.nr_cpus;
	if (!weave_trylock(&world.cpus[me->gone])) {
		me->gone = WEAVE_NOBODY;
		weave_unlock(&world.setup);
		return;
	}
	if (pagus_cpu_down(&world.p, me->gone) != PAGUS_OK)
		weave_fail("CPU %u does not go", me->gone);
	world_expect_unowned(me->gone);
	world_limits();
}

static void switch_pcps(bool must_return)
{
	struct actor *me = &actors[weave_self()];
	enum pagus_status status;

	if (me->pcps_off) {
		world_expect_unowned(WEAVE_NOBODY);
		status = pagus_zone_pcp_enable(&world.p, 0);
		me->pcps_off = false;
		weave_unlock(&world.setup);
	} else {
		if (must_return || me->gone != WEAVE_NOBODY || !weave_trylock(&world.setup))
			return;
		me->pcps_off = true;
		status = pagus_zone_pcp_disable(&world.p, 0);
	}
	if (status != PAGUS_OK)
		weave_fail("the pcps cannot be switched: %s", pagus_status_text(status));
}

static void isolate(void)
{
	if (world.nr_held)
		world_isolate(world.held[chance(world.nr_held)].pfn);
}

static void make(enum scenario_call call, uint32_t here)
{
	switch (call) {
	case CALL_ALLOC: allocate(random_gfp(), 0); break;
	case CALL_ALLOC_BLOCK: allocate(random_gfp(), chance(WORLD_BLOCK_ORDER + 1)); break;
	case CALL_FREE: release(false); break;
	case CALL_FREE_BULK: release_bulk(); break;
	case CALL_ALLOC_NOLOCK: call_nolock(false); break;
	case CALL_FREE_NOLOCK: call_nolock(true); break;
	case CALL_DRAIN: pagus_drain_cpu(&world.p, chance(world.nr_cpus)); break;
	case CALL_DRAIN_ALL: world_drain(); break;
	case CALL_TICK: pagus_tick(&world.p); break;
	case CALL_HOTPLUG: plug(here, false); break;
	case CALL_PCPS: switch_pcps(false); break;
	case CALL_ISOLATE: isolate(); break;
	case CALL_COMPACT: move_compact(&actors[weave_self()].random); break;
	case CALL_MOVE: move_some(&actors[weave_self()].random); break;
	case CALL_CACHE: pagus_cache_open(&world.p, 0); break;
	case CALL_FILL: fill(); break;
	case CALL_SPILL: spill(); break;
	case NR_CALLS: break;
	}
}

/* ---- callers --------------------------------------------------------------------------------- */

static enum scenario_call next_call(const struct scenario_role *role)
{
	uint32_t sum = 0, at, call = 0;

	for (uint32_t n = 0; n < NR_CALLS; n++)
		sum += role->weight[n];
	for (at = chance(sum); at >= role->weight[call]; call++)
		at -= role->weight[call];
	return (enum scenario_call)call;
}

static void act(uint32_t self)
{
	const struct scenario_role *role = scenario->roles[self];
	uint32_t here;

	for (uint32_t n = 0; n < role->nr_calls; n++) {
		here = come_to_cpu();
		make(next_call(role), here);
		weave_unlock(&world.cpus[here]);
	}
	here = come_to_cpu();
	plug(here, true);
	switch_pcps(true);
	weave_unlock(&world.cpus[here]);
}

/* As a non-maskable interrupt that allocates or frees. */
static void interrupt(uint32_t self)
{
	struct actor *me = &actors[self];

	if (me->interrupted || !world_in_call() || chance(INTERRUPT_ODDS))
		return;
	me->interrupted = true;
	call_nolock(chance(3));
	me->interrupted = false;
}

void scenario_run(const struct scenario *which, struct weave_log *log,
		  const struct weave_log *repeat)
{
	uint64_t seed = log->seed;

	weave_log_to(log);
	scenario = which;
	world.captures = which->captures;
	weave_at_point = which->interrupts ? interrupt : NULL;
	for (uint32_t n = 0; n < which->nr_callers; n++)
		actors[n] = (struct actor){ .random = log->seed + n + 1, .gone = WEAVE_NOBODY };
	world_reset(seed, which->pages);
	weave_run(repeat, which->nr_callers, act);
	world_settle();
}
