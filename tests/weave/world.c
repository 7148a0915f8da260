/* SPDX-License-Identifier: MIT */
#include "weave/world.h"

#include "weave/owner.h"

#include <pagus/step.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_BLOCKS   (WORLD_PAGES >> WORLD_BLOCK_ORDER)
#define PCP_BATCH   4
#define PCP_HIGH    12
#define GFP_MOVABLE_PAGE ((GFP_KERNEL | __GFP_MOVABLE) & ~__GFP_DIRECT_RECLAIM)
#define CAPTURE_ODDS 8

enum { HELD_NOT, HELD_FIRST, HELD_TAIL };

struct world world;

/* What a caller is in the middle of. */
struct caller {
	uint32_t cpu, depth;      /* calls: an interrupt's is inside another */
	bool nolock;              /* the innermost */
	uint64_t began[3];        /* the calls, by depth; the last for none */
	int holds[2][PAGUS_NR_LOCK_CLASSES]; /* locks, by depth */
	uint16_t left[WORLD_PAGES]; /* how often it has moved something off a page, in this call */
};

static struct caller callers[WEAVE_OUTSIDE + 1];
static struct weave_lock locks[PAGUS_NR_LOCK_CLASSES][WEAVE_CALLERS];
static uint8_t pages[WORLD_PAGES];     /* HELD_* */
static uint8_t in_flight[WORLD_PAGES]; /* calls that free it; the first may have given it away */
static uint64_t now = 1;               /* counts calls */
static uint64_t frozen[WORLD_PAGES];   /* calls that begin from then on must not hand it out */
static bool isolated[NR_BLOCKS];
static pagus_pfn_t anchor;             /* only the zone takes such a block, and what waits there */
static struct world_block captured[WORLD_PAGES]; /* in this hold of the zone's lock */
static uint32_t nr_captured;
static uint32_t nr_movers;             /* callers that may have pages in hand */
static bool cache_is_open[WEAVE_CALLERS]; /* by CPU */
static void *fresh;                    /* the instance as it was opened */

static void must(enum pagus_status status, const char *what)
{
	if (status != PAGUS_OK)
		weave_fail("%s: %s", what, pagus_status_text(status));
}

/* The block is handed out by a call that began then. */
static void enter(pagus_pfn_t pfn, uint32_t order, uint64_t began)
{
	for (uint32_t n = 0; n < 1u << order; n++) {
		if (pages[pfn + n] != HELD_NOT)
			weave_fail("page %u is handed out twice", (uint32_t)pfn + n);
		if (began >= frozen[pfn + n])
			weave_fail("page %u of an isolated pageblock is handed out",
				   (uint32_t)pfn + n);
		pages[pfn + n] = n ? HELD_TAIL : HELD_FIRST;
	}
}

/* ---- the port -------------------------------------------------------------------------------- */

static uint32_t cpu_pin(void *ctx)
{
	struct caller *me = &callers[weave_self()];

	(void)ctx;
	if (me->depth == 2)
		weave_fail("pins are more than 2 deep");
	if (me->depth == 0)
		weave_call();
	me->began[me->depth++] = ++now;
	weave_point("pin");
	return me->cpu;
}

static void cpu_unpin(void *ctx)
{
	struct caller *me = &callers[weave_self()];

	(void)ctx;
	weave_point("unpin");
	me->depth--;
	for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++)
		if (me->holds[me->depth][cls])
			weave_fail("a call of CPU %u ends with lock %s held", me->cpu,
				   locks[cls][0].name);
}

/* The locks that the running call holds. */
static int *holds(void)
{
	struct caller *me = &callers[weave_self()];

	if (me->depth == 0)
		weave_fail("a lock is used by a caller that is not pinned");
	return me->holds[me->depth - 1];
}

static void lock(void *ctx, enum pagus_lock_class cls, uint32_t index, enum pagus_lock_reason why)
{
	(void)ctx;
	(void)why;
	weave_alone(false);
	if (callers[weave_self()].nolock)
		weave_fail("a call that waits for nothing waits for lock %s", locks[cls][0].name);
	if (holds()[cls] || holds()[PAGUS_LOCK_ZONE])
		weave_fail("lock %s is taken out of order", locks[cls][0].name);
	weave_lock(&locks[cls][index]);
	holds()[cls]++;
}

static bool trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
		    enum pagus_lock_reason why)
{
	(void)ctx;
	(void)why;
	if (!weave_trylock(&locks[cls][index]))
		return false;
	holds()[cls]++;
	return true;
}

static void unlock(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work)
{
	(void)ctx;
	(void)work;
	holds()[cls]--;
	/* With the zone's lock let go, whoever waited for a captured block has it. */
	while (cls == PAGUS_LOCK_ZONE && nr_captured > 0)
		world.held[world.nr_held++] = captured[--nr_captured];
	weave_unlock(&locks[cls][index]);
}

/* Of an isolated pageblock nobody captures. */
static bool capture(void *ctx, uint64_t pfn, uint32_t order)
{
	(void)ctx;
	weave_point("capture");
	if (!world.captures || weave_self() == WEAVE_OUTSIDE ||
	    isolated[pfn >> WORLD_BLOCK_ORDER] || weave_random(&world.random, CAPTURE_ODDS))
		return false;
	enter(pfn, order, 0);
	captured[nr_captured] = (struct world_block){ pfn, order };
	owner_write(&captured[nr_captured++]);
	return true;
}

/* What is in a cache is held, as what any caller was granted; here is whether it may be. */
static bool cache_open(void *ctx, uint32_t zone, uint32_t cpu, uint32_t most)
{
	(void)ctx;
	(void)zone;
	(void)most;
	weave_point("open");
	cache_is_open[cpu] = true;
	return true;
}

static void cache_close(void *ctx, uint32_t zone, uint32_t cpu)
{
	(void)ctx;
	(void)zone;
	weave_point("close");
	cache_is_open[cpu] = false;
	weave_point("closed");
}

static const struct pagus_port port = {
	.cpu_pin = cpu_pin, .cpu_unpin = cpu_unpin, .lock = lock, .trylock = trylock,
	.unlock = unlock, .capture = capture, .traits = owner_traits, .isolate = owner_isolate,
	.move = owner_move, .putback = owner_putback, .cache_open = cache_open,
	.cache_close = cache_close,
};

/* ---- opening --------------------------------------------------------------------------------- */

static void name_locks(void)
{
	static const char *const names[] = { "pcp", "zone", "oom" };

	for (uint32_t n = 0; n < WEAVE_CALLERS; n++) {
		world.cpus[n] = (struct weave_lock){ WEAVE_NOBODY, "cpu" };
		for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++)
			locks[cls][n] = (struct weave_lock){ WEAVE_NOBODY, names[cls] };
	}
	world.setup = (struct weave_lock){ WEAVE_NOBODY, "setup" };
}

void world_limits(void)
{
	const struct pagus_zone_seed seed = {
		.present = WORLD_PAGES, .managed = WORLD_PAGES, .pcp_batch = PCP_BATCH,
		.pcp_high_min = PCP_HIGH, .pcp_high_max = PCP_HIGH,
	};

	must(pagus_seed_zone(&world.p, 0, PAGUS_ZONE_NORMAL, &seed), "pcp limits");
}

void world_open(const char *policy, uint32_t nr_cpus)
{
	const struct pagus_range range = { 0, WORLD_PAGES, 0, PAGUS_ZONE_NORMAL };
	const struct pagus_config cfg = {
		.ranges = &range, .nr_ranges = 1, .nr_cpus = nr_cpus, .max_order = WORLD_MAX_ORDER,
		.pageblock_order = WORLD_BLOCK_ORDER, .section_order = WORLD_MAX_ORDER,
		.policy = policy, .grouping = PAGUS_GROUPING_ALWAYS,
	};
	size_t bytes = pagus_sizeof(&cfg);
	void *mem = bytes ? aligned_alloc(64, bytes) : NULL;

	fresh = mem ? malloc(bytes) : NULL;
	if (!fresh)
		weave_fail("no world of policy %s", policy);
	world.nr_cpus = nr_cpus;
	name_locks();
	must(pagus_init(&world.p, mem, bytes, &cfg, &port, NULL), "init");
	must(pagus_boot_free(&world.p, 0, WORLD_PAGES), "hand over");
	must(pagus_boot_done(&world.p), "boot");
	world_limits();
	must(pagus_alloc_pages(&world.p, GFP_MOVABLE_PAGE, WORLD_MAX_ORDER, &anchor), "anchor");
	memcpy(fresh, mem, bytes);
}

void world_close(void)
{
	free(world.p.state);
	free(fresh);
	pagus_fini(&world.p);
}

/* ---- the books ------------------------------------------------------------------------------- */

void world_on(uint32_t cpu)
{
	callers[weave_self()].cpu = cpu;
}

void world_nolock(bool begins)
{
	callers[weave_self()].nolock = begins;
}

bool world_in_call(void)
{
	return callers[weave_self()].depth == 1 && !callers[weave_self()].nolock;
}

/* The call that grants is at its end: `began` of its depth is its own. */
void world_granted(pagus_pfn_t pfn, uint32_t order, bool movable)
{
	const struct caller *me = &callers[weave_self()];

	if (pfn == PAGUS_NO_PFN)
		return;
	enter(pfn, order, me->began[me->depth]);
	world.held[world.nr_held++] = (struct world_block){ pfn, order, .movable = movable };
	owner_write(&world.held[world.nr_held - 1]);
}

static void forget(pagus_pfn_t pfn, uint32_t order)
{
	for (uint32_t n = 0; n < 1u << order; n++) {
		pages[pfn + n] = HELD_NOT;
		in_flight[pfn + n]++;
		if (isolated[(pfn + n) >> WORLD_BLOCK_ORDER])
			frozen[pfn + n] = 0;
	}
}

void world_freed(struct world_block block)
{
	for (uint32_t n = 0; n < 1u << block.order; n++)
		in_flight[block.pfn + n]--;
}

bool world_give_up(uint64_t *random, struct world_block *block)
{
	uint32_t n;

	if (world.nr_held == 0)
		return false;
	n = weave_random(random, world.nr_held);
	for (uint32_t tries = 0; world.held[n].claimed; tries++, n = (n + 1) % world.nr_held)
		if (tries == world.nr_held)
			return false;
	owner_check(&world.held[n]);
	*block = world.held[n];
	world.held[n] = world.held[--world.nr_held];
	forget(block->pfn, block->order);
	return true;
}

struct world_block *world_block_at(pagus_pfn_t pfn, uint32_t order)
{
	for (uint32_t n = 0; n < world.nr_held; n++)
		if (world.held[n].pfn == pfn && world.held[n].order == order)
			return &world.held[n];
	return NULL;
}

/* Whoever isolated the pageblock may not have known that the mover has a page of it in hand. */
void world_moved(struct world_block *block, pagus_pfn_t to)
{
	struct caller *me = &callers[weave_self()];

	enter(to, block->order, 0);
	forget(block->pfn, block->order);
	for (uint32_t n = 0; n < 1u << block->order; n++)
		me->left[block->pfn + n]++;
	block->pfn = to;
}

void world_mover(bool begins)
{
	struct caller *me = &callers[weave_self()];

	nr_movers += begins ? 1 : -1u;
	for (uint32_t n = 0; n < WORLD_PAGES && !begins; n++) {
		in_flight[n] -= (uint8_t)me->left[n];
		me->left[n] = 0;
	}
}

/*
 * The type changes while nobody holds the zone's lock and no other goes on, as it would with that
 * lock held; with the first lock that is asked for then, the others may.
 */
void world_isolate(pagus_pfn_t pfn)
{
	bool deferred[1u << WORLD_BLOCK_ORDER] = { false };
	uint32_t start = (uint32_t)pfn & ~((1u << WORLD_BLOCK_ORDER) - 1);
	struct pagus_page_info page;

	weave_lock(&locks[PAGUS_LOCK_ZONE][0]);
	weave_alone(true);
	weave_unlock(&locks[PAGUS_LOCK_ZONE][0]);
	for (uint32_t n = 0; n < 1u << WORLD_BLOCK_ORDER; n++) {
		must(pagus_page_info(&world.p, start + n, &page), "page");
		for (uint32_t k = 0; page.kind == PAGUS_PAGE_DEFERRED && k < 1u << page.order; k++)
			deferred[n + k] = true;
	}
	if (pagus_seed_block(&world.p, pfn, PAGUS_ISOLATE) == PAGUS_OK) {
		isolated[pfn >> WORLD_BLOCK_ORDER] = true;
		for (uint32_t n = 0; n < 1u << WORLD_BLOCK_ORDER; n++)
			if (deferred[n])
				frozen[start + n] = 0;
	}
	weave_alone(false);
}

void world_drain(void)
{
	bool settled[WORLD_PAGES];

	for (uint32_t n = 0; n < WORLD_PAGES; n++)
		settled[n] = isolated[n >> WORLD_BLOCK_ORDER] && pages[n] == HELD_NOT &&
			     !in_flight[n] && nr_movers == 0;
	pagus_drain_all(&world.p);
	now++;
	for (uint32_t n = 0; n < WORLD_PAGES; n++)
		if (settled[n] && pages[n] == HELD_NOT && !in_flight[n] && frozen[n] > now)
			frozen[n] = now;
}

void world_expect_unowned(uint32_t cpu)
{
	struct pagus_page_info page;
	struct pagus_pcp_info pcp;
	bool any_free = false;

	for (uint32_t n = 0; n < world.nr_cpus; n++)
		if (cache_is_open[n] && (cpu == WEAVE_NOBODY || cpu == n))
			weave_fail("the cache of CPU %u is open, which may have none", n);
	weave_alone(true);
	for (uint32_t n = 0; n < WORLD_PAGES; n += 1u << WORLD_BLOCK_ORDER) {
		must(pagus_page_info(&world.p, n, &page), "page");
		if (page.owner && (cpu == WEAVE_NOBODY || page.owner == cpu + 1))
			weave_fail("the pageblock of page %u is CPU %u's, which may own none", n,
				   page.owner - 1);
	}
	must(pagus_pcp_info(&world.p, 0, cpu == WEAVE_NOBODY ? 0 : cpu, &pcp), "pcp");
	weave_alone(false);
	if (cpu == WEAVE_NOBODY)
		return;
	/* A free that finds the stack closed has counted itself before, and takes that back. */
	for (uint32_t n = 0; n < WORLD_PAGES; n++)
		any_free |= in_flight[n] > 0;
	if (pcp.count || (pcp.remote_pages && !any_free))
		weave_fail("CPU %u is offline, with %u pages on its pcp and %u deferred", cpu,
			   pcp.count, pcp.remote_pages);
}

void world_reset(uint64_t seed, uint32_t wanted)
{
	uint32_t got = 0, order;
	pagus_pfn_t pfn;

	memcpy(world.p.state, fresh, pagus_state_bytes(&world.p));
	memset(callers, 0, sizeof(callers));
	memset(pages, 0, sizeof(pages));
	memset(in_flight, 0, sizeof(in_flight));
	nr_captured = nr_movers = 0;
	memset(frozen, UINT8_MAX, sizeof(frozen));
	memset(isolated, 0, sizeof(isolated));
	memset(cache_is_open, 0, sizeof(cache_is_open));
	memset(pages + anchor, HELD_TAIL, 1u << WORLD_MAX_ORDER);
	pages[anchor] = HELD_FIRST;
	world.nr_held = 0;
	world.random = seed;
	name_locks();
	while (got < wanted) {
		order = weave_random(&seed, 4) ? 0 : weave_random(&seed, WORLD_BLOCK_ORDER + 1);
		world_on(weave_random(&seed, world.nr_cpus));
		if (pagus_alloc_pages(&world.p, GFP_MOVABLE_PAGE, order, &pfn) != PAGUS_OK)
			break; /* the rest lies on other CPUs' lists */
		world_granted(pfn, order, true);
		got += 1u << order;
	}
}

/* ---- the end --------------------------------------------------------------------------------- */

static void check(const char *when)
{
	pagus_pfn_t where;
	int broken = pagus_check(&world.p, &where);

	if (broken)
		weave_fail("%s: invariant %d near page %u: %s", when, broken, (uint32_t)where,
			   pagus_invariant_text(broken));
}

static void compare_books(void)
{
	for (uint32_t n = 0; n < WORLD_PAGES; n++) {
		struct pagus_page_info info;

		must(pagus_page_info(&world.p, n, &info), "page");
		if ((info.kind == PAGUS_PAGE_ALLOCATED) != (pages[n] == HELD_FIRST))
			weave_fail("page %u is of kind %u, and in the books %u", n, info.kind,
				   pages[n]);
	}
}

static void end_isolation(void)
{
	for (uint32_t b = 0; b < NR_BLOCKS; b++) {
		if (!isolated[b])
			continue;
		must(pagus_step_set_type(&world.p, b << WORLD_BLOCK_ORDER, PAGUS_MOVABLE), "type");
		must(pagus_step_move_free(&world.p, b << WORLD_BLOCK_ORDER, PAGUS_ISOLATE,
					  PAGUS_MOVABLE), "move");
	}
}

static void compare_end(void)
{
	struct pagus_zone_info zone;
	struct pagus_page_info page;
	bool apart = pagus_counter_read(&world.p, PAGUS_COUNTER_pageblock_apart);

	must(pagus_zone_info(&world.p, 0, &zone), "zone");
	if (zone.free_pages != WORLD_PAGES || zone.pcp_pages || zone.deferred_pages)
		weave_fail("of all pages %u are free, %u on pcps, %u deferred",
			   (uint32_t)zone.free_pages, (uint32_t)zone.pcp_pages,
			   (uint32_t)zone.deferred_pages);
	if (!apart && zone.nr_free[WORLD_MAX_ORDER] != WORLD_PAGES >> WORLD_MAX_ORDER)
		weave_fail("only %u blocks have merged", (uint32_t)zone.nr_free[WORLD_MAX_ORDER]);
	for (uint32_t n = 0; n < WORLD_PAGES; n += 1u << WORLD_BLOCK_ORDER) {
		must(pagus_page_info(&world.p, n, &page), "page");
		if (page.owner)
			weave_fail("the free pageblock of page %u is CPU %u's", n, page.owner - 1);
	}
}

void world_settle(void)
{
	struct world_block block;
	uint64_t random = 0;

	world_on(0);
	for (uint32_t n = 0; n < world.nr_held; n++)
		if (world.held[n].claimed)
			weave_fail("page %u is still claimed", (uint32_t)world.held[n].pfn);
	check("at the end");
	compare_books();
	end_isolation();
	while (world_give_up(&random, &block))
		must(pagus_free_pages(&world.p, block.pfn, block.order), "free");
	pagus_drain_all(&world.p);
	must(pagus_free_pages(&world.p, anchor, WORLD_MAX_ORDER), "free the anchor");
	check("when all is free");
	compare_end();
}
