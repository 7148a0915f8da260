/* SPDX-License-Identifier: MIT */
/*
 * Random calls of every entry point against the model, over two machines and every named policy,
 * and sweeps in which the n-th trylock fails, and in which the n-th page check finds its block
 * bad.
 *
 * PAGUS_SEED chooses the sequences, PAGUS_OPS their length.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <pagus/mempolicy.h>

#include "model/model.h"
#include "unit/lab.h"

#define MAX_LIVE  2048
#define MAX_BULK  40
#define MAX_LEAKS 64
#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

struct block {
	uint64_t pfn;
	uint32_t order;
	bool compound;
};

struct run {
	struct lab lab;
	struct model model;
	struct pagus_port port;
	struct block live[MAX_LIVE];
	uint32_t nr_live;
	struct pagus_mempolicy policy;
	bool records;                  /* pages have records: references and page checks */
	uint64_t nr_checks, bad_check; /* the block of this page check is bad; 0: of none, and
	                                * trylocks fail now and then */
	struct block leaks[MAX_LEAKS]; /* of this call */
	uint32_t nr_leaks;
	uint64_t leaked_pages;
	uint64_t seed;
	char why[256];                 /* empty: nothing failed */
};

static struct run the_run;

#define FAIL(...)                                                                                  \
	do {                                                                                      \
		if (!run->why[0])                                                                 \
			snprintf(run->why, sizeof(run->why), __VA_ARGS__);                        \
		return;                                                                           \
	} while (0)

static uint32_t dice(struct run *run, uint32_t limit)
{
	return (uint32_t)lab_random(&run->seed, limit);
}

/* ---- the port ------------------------------------------------------------------------------- */

static int check_page(void *ctx, uint64_t pfn, uint32_t order, enum pagus_check when)
{
	struct run *run = &the_run;

	(void)ctx;
	(void)when;
	if (++run->nr_checks != run->bad_check)
		return 0;
	run->leaks[run->nr_leaks++] = (struct block){ .pfn = pfn, .order = order };
	return 1;
}

/* In the model, what is leaked is as if it had never been handed over. */
static void take_leaks_out(struct run *run)
{
	for (uint32_t n = 0; n < run->nr_leaks; n++) {
		for (uint64_t k = 0; k < UINT64_C(1) << run->leaks[n].order; k++)
			run->model.owner[run->leaks[n].pfn + k] = MODEL_RESERVED;
		run->leaked_pages += UINT64_C(1) << run->leaks[n].order;
	}
	run->nr_leaks = 0;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static uint32_t my_node(const struct run *run)
{
	const struct pagus_config *cfg = run->model.cfg;

	return cfg->cpu_node ? cfg->cpu_node[run->lab.sim.cpu] : cfg->ranges[0].node;
}

static void keep(struct run *run, uint64_t pfn, uint32_t order, uint32_t gfp)
{
	run->live[run->nr_live++] = (struct block){ pfn, order, order && (gfp & __GFP_COMP) };
}

static void granted(struct run *run, const char *what, uint32_t gfp, uint32_t order, uint64_t pfn)
{
	const struct pagus_request req = { .gfp = gfp, .order = order };
	const char *wrong = model_alloc(&run->model, &req, my_node(run), pfn);

	if (wrong)
		FAIL("%s: %s: pfn %" PRIu64 " order %" PRIu32, what, wrong, pfn, order);
	keep(run, pfn, order, gfp);
}

static void expect(struct run *run, const char *what, enum pagus_status got,
		   enum pagus_status want)
{
	if (got != want)
		FAIL("%s: '%s', not '%s'", what, pagus_status_text(got), pagus_status_text(want));
}

static uint32_t random_gfp(struct run *run)
{
	static const uint32_t gfps[] = { GFP_KERNEL, GFP_HIGHUSER_MOVABLE, GFP_ATOMIC,
					 GFP_KERNEL | __GFP_RECLAIMABLE, GFP_KERNEL | __GFP_COMP,
					 GFP_NOWAIT | GFP_DMA32 };

	return gfps[dice(run, NR_OF(gfps))];
}

static void do_alloc(struct run *run)
{
	struct pagus_request req = { .gfp = random_gfp(run), .node = PAGUS_NO_NODE };
	struct pagus_result res;

	req.order = dice(run, 1 + dice(run, run->model.cfg->max_order + 1));
	run->policy.mode = dice(run, PAGUS_NR_MPOL_MODES);
	run->policy.mapped = dice(run, 2);
	run->policy.nodes = 1 + dice(run, 3);
	run->policy.index++;
	if (pagus_alloc_mpol(&run->lab.p, &run->policy, &req, &res) == PAGUS_OK)
		granted(run, "alloc_mpol", req.gfp, req.order, res.pfn);
}

static void do_alloc_nolock(struct run *run)
{
	const struct pagus_config *cfg = run->model.cfg;
	uint32_t order = dice(run, cfg->max_order + 1);
	bool small = order <= 3 || order == cfg->pageblock_order;
	struct pagus_result res;

	pagus_alloc_nolock(&run->lab.p, PAGUS_NO_NODE, order, &res);
	if (res.status == PAGUS_OK && small)
		granted(run, "alloc_nolock", PAGUS_GFP_NOLOCK, order, res.pfn);
	else
		expect(run, "alloc_nolock", res.status, small ? PAGUS_NO_MEMORY : PAGUS_BAD_ORDER);
}

static void do_alloc_bulk(struct run *run)
{
	pagus_pfn_t pfns[MAX_BULK];
	uint32_t gfp = random_gfp(run), nr = dice(run, MAX_BULK + 1), filled;

	for (uint32_t n = 0; n < nr; n++)
		pfns[n] = PAGUS_NO_PFN;
	filled = pagus_alloc_bulk(&run->lab.p, gfp, PAGUS_NO_NODE, nr, pfns);
	for (uint32_t n = 0; n < nr; n++) {
		if ((n < filled) != (pfns[n] != PAGUS_NO_PFN))
			FAIL("alloc_bulk: slot %" PRIu32 " of %" PRIu32 " filled", n, filled);
		if (n < filled)
			granted(run, "alloc_bulk", gfp, 0, pfns[n]);
	}
}

static void do_alloc_exact(struct run *run)
{
	const struct pagus_config *cfg = run->model.cfg;
	uint32_t nr = 1 + dice(run, 1u << (cfg->max_order < 5 ? cfg->max_order : 5)), order = 0;
	pagus_pfn_t pfn;

	while (1u << order < nr)
		order++;
	if (pagus_alloc_exact(&run->lab.p, GFP_KERNEL, nr, &pfn) != PAGUS_OK)
		return;
	granted(run, "alloc_exact", GFP_KERNEL, order, pfn);
	run->nr_live--;
	model_split(&run->model, pfn, order, 0);
	for (uint32_t n = 0; n < 1u << order; n++) {
		if (n < nr)
			keep(run, pfn + n, 0, 0);
		else
			model_free(&run->model, pfn + n, 0);
	}
}

enum way { FREE_PAGES, PUT_PAGES, FREE_NOLOCK, FREE_BULK, NR_WAYS };

static void do_free(struct run *run, uint32_t n, uint32_t way)
{
	struct pagus *p = &run->lab.p;
	struct block block = run->live[n];
	enum pagus_status status = PAGUS_OK;

	run->live[n] = run->live[--run->nr_live];
	model_free(&run->model, block.pfn, block.order);
	if (way == FREE_PAGES)
		status = pagus_free_pages(p, block.pfn, block.order);
	else if (way == PUT_PAGES)
		status = pagus_put_pages(p, block.pfn, block.order);
	else if (way == FREE_NOLOCK)
		status = pagus_free_nolock(p, block.pfn, block.order);
	else if (pagus_free_bulk(p, &block.pfn, 1) != 1)
		status = PAGUS_BUSY;
	expect(run, "free", status, PAGUS_OK);
}

static void do_free_many(struct run *run)
{
	pagus_pfn_t pfns[MAX_BULK * 2];
	uint32_t nr = dice(run, NR_OF(pfns) + 1);

	nr = nr < run->nr_live ? nr : run->nr_live;
	for (uint32_t n = 0; n < nr; n++) {
		uint32_t which = dice(run, run->nr_live);

		pfns[n] = run->live[which].pfn;
		model_free(&run->model, pfns[n], run->live[which].order);
		run->live[which] = run->live[--run->nr_live];
	}
	if (pagus_free_bulk(&run->lab.p, pfns, nr) != nr)
		FAIL("free_bulk refuses a block");
}

/* A second holder comes; then the owner, or the holder of one page, goes. */
static void do_share(struct run *run, uint32_t n)
{
	struct pagus *p = &run->lab.p;
	struct block *block = &run->live[n];
	uint32_t order = block->order, by_page = dice(run, 2);

	if (!run->records) {
		expect(run, "get_page", pagus_get_page(p, block->pfn), PAGUS_UNSUPPORTED);
		return;
	}
	expect(run, "get_page", pagus_get_page(p, block->pfn), PAGUS_OK);
	expect(run, "free of a shared block", pagus_free_pages(p, block->pfn, order), PAGUS_BUSY);
	if (block->compound || by_page) {
		expect(run, "put_pages", pagus_put_pages(p, block->pfn, by_page ? 0 : order),
		       PAGUS_OK);
		return;
	}
	expect(run, "put_pages", pagus_put_pages(p, block->pfn, order), PAGUS_OK);
	model_split(&run->model, block->pfn, order, 0);
	for (uint32_t k = 1; k < 1u << order; k++)
		model_free(&run->model, block->pfn + k, 0);
	block->order = 0;
}

/* Whoever acts stays online. */
static void do_machine(struct run *run)
{
	struct pagus *p = &run->lab.p;
	uint32_t cpu = dice(run, run->model.cfg->nr_cpus), zone = dice(run, pagus_nr_zones(p));

	switch (dice(run, 5)) {
	case 0:
		pagus_cpu_down(p, cpu);
		break;
	case 1:
		pagus_cpu_up(p, cpu);
		break;
	case 2:
		pagus_zone_pcp_disable(p, zone);
		break;
	case 3:
		pagus_zone_pcp_enable(p, zone);
		break;
	default:
		pagus_drain_all(p);
	}
}

static void do_something(struct run *run, uint32_t alloc_percent)
{
	uint32_t cpu = dice(run, run->model.cfg->nr_cpus), what = dice(run, 100);

	if (pagus_cpu_online(&run->lab.p, cpu))
		pagus_sim_on(&run->lab.sim, cpu, 0);
	if (what < 4)
		do_machine(run);
	else if (what < 6 && run->bad_check == 0)
		run->lab.sim.trylock_fail_at = 1 + dice(run, 4);
	else if (what < 12 && run->nr_live)
		do_share(run, dice(run, run->nr_live));
	else if (dice(run, 100) >= alloc_percent && run->nr_live)
		what < 16 ? do_free_many(run) :
			    do_free(run, dice(run, run->nr_live), dice(run, NR_WAYS));
	else if (run->nr_live > MAX_LIVE - 2 * MAX_BULK)
		do_free_many(run);
	else if (what < 50)
		do_alloc(run);
	else if (what < 70)
		do_alloc_nolock(run);
	else
		what < 85 ? do_alloc_bulk(run) : do_alloc_exact(run);
	take_leaks_out(run);
}

/* ---- runs ----------------------------------------------------------------------------------- */

static void check_state(struct run *run)
{
	uint64_t leaked = 0;
	pagus_pfn_t where;
	int broken = pagus_check(&run->lab.p, &where);

	if (broken)
		FAIL("invariant %d near pfn %" PRIu64 ": %s", broken, where,
		     pagus_invariant_text(broken));
	for (uint32_t zone = 0; zone < pagus_nr_zones(&run->lab.p); zone++) {
		struct pagus_zone_info info;

		pagus_zone_info(&run->lab.p, zone, &info);
		leaked += info.leaked_pages;
		if (info.free_pages + info.pcp_pages + info.deferred_pages !=
		    model_free_pages(&run->model, info.node, info.type))
			FAIL("zone %" PRIu32 ": wrong number of pages free, on pcps and deferred",
			     zone);
	}
	if (leaked != run->leaked_pages)
		FAIL("%" PRIu64 " pages leaked, not %" PRIu64, leaked, run->leaked_pages);
}

static void start(struct run *run, const struct pagus_config *cfg, uint64_t seed)
{
	lab_close(&run->lab);
	*run = (struct run){ .seed = seed };
	run->records = strcmp(cfg->policy, "pcpbuddy-bitmap") != 0 &&
		       strcmp(cfg->policy, "superpageblock") != 0;
	model_init(&run->model, cfg);
	if (lab_open(&run->lab, cfg) != PAGUS_OK || lab_hand_over(&run->lab, cfg) != PAGUS_OK)
		FAIL("the machine cannot be built");
	for (uint32_t r = 0; r < cfg->nr_ranges; r++)
		model_hand_over(&run->model, cfg->ranges[r].start_pfn, cfg->ranges[r].nr_pages);
	lab_no_marks(&run->lab);
	run->port = pagus_sim_port;
	run->port.check = run->records ? check_page : NULL;
	run->lab.p.port = &run->port;
}

/* Filling and emptying in turn; at the end all is given back. */
static bool execute(const struct pagus_config *cfg, uint64_t seed, uint32_t nr,
		    uint64_t fail_at, uint64_t bad_check)
{
	struct run *run = &the_run;

	start(run, cfg, seed);
	run->lab.sim.trylock_fail_at = fail_at;
	run->bad_check = bad_check;
	for (uint32_t n = 0; n < nr && !run->why[0]; n++) {
		do_something(run, n / 200 % 2 ? 35 : 65);
		if (n % 8 == 0)
			check_state(run);
	}
	while (run->nr_live && !run->why[0]) {
		do_free(run, 0, run->nr_live % NR_WAYS);
		take_leaks_out(run);
	}
	pagus_drain_all(&run->lab.p);
	check_state(run);
	if (!run->why[0])
		return true;
	printf("FAILED: policy '%s', PAGUS_SEED=%" PRIu64 ", trylock %" PRIu64 ", check %" PRIu64
	       ": %s\n", cfg->policy, seed, fail_at, bad_check, run->why);
	return false;
}

/* The n-th trylock fails, and the n-th check does, for each n that a short sequence has. */
static int sweep(const struct pagus_config *cfg, uint64_t seed)
{
	int failures = 0;
	uint64_t n;

	for (n = 1; n == 1 || !the_run.lab.sim.trylock_fail_at; n++)
		failures += !execute(cfg, seed, 60, n, UINT64_MAX);
	for (n = 1; n == 1 || the_run.nr_checks >= the_run.bad_check; n++)
		failures += !execute(cfg, seed, 60, 0, n);
	return failures;
}

int main(void)
{
	static const struct pagus_range two_nodes[] = {
		{ 0, 50, 0, PAGUS_ZONE_BY_CEILING }, { 50, 78, 1, PAGUS_ZONE_BY_CEILING },
		{ 128, 61, 0, PAGUS_ZONE_BY_CEILING }, { 189, 3, 0, PAGUS_ZONE_MOVABLE },
		{ 192, 64, 0, PAGUS_ZONE_BY_CEILING }, { 257, 95, 1, PAGUS_ZONE_BY_CEILING },
	};
	static const struct pagus_range blocks[] = { /* of four pages, each of one zone */
		{ 0, 50, 0, PAGUS_ZONE_BY_CEILING }, { 52, 76, 1, PAGUS_ZONE_BY_CEILING },
		{ 128, 57, 0, PAGUS_ZONE_BY_CEILING }, { 188, 4, 0, PAGUS_ZONE_MOVABLE },
		{ 192, 62, 0, PAGUS_ZONE_BY_CEILING }, { 257, 95, 1, PAGUS_ZONE_BY_CEILING },
	};
	static const struct pagus_range x86[] = {
		{ 0, 6144, 0, PAGUS_ZONE_BY_CEILING }, { 6144, 2048, 0, PAGUS_ZONE_MOVABLE },
	};
	static const uint32_t cpu_node[] = { 0, 1, 0 };
	struct pagus_config machines[] = { lab_config(two_nodes, NR_OF(two_nodes), NULL),
					   lab_config(blocks, NR_OF(blocks), NULL),
					   lab_config(x86, NR_OF(x86), NULL) };
	uint64_t seed = lab_env("PAGUS_SEED", 1);
	uint32_t nr = (uint32_t)lab_env("PAGUS_OPS", 3000);
	const char *policy;
	int failures = 0;

	for (size_t m = 0; m < 2; m++) {
		machines[m].max_order = 4;
		machines[m].pageblock_order = 2;
		machines[m].section_order = 4;
		machines[m].cpu_node = cpu_node;
	}
	printf("PAGUS_SEED=%" PRIu64 " PAGUS_OPS=%" PRIu32 "\n", seed, nr);
	for (size_t m = 0; m < NR_OF(machines); m++) {
		machines[m].nr_cpus = 3;
		for (uint32_t n = 0; (policy = pagus_policy_at(n, NULL)); n++) {
			machines[m].policy = policy;
			if (pagus_sizeof(&machines[m]) == 0) {
				printf("machine %zu: not with policy %s, for which a pageblock has "
				       "one zone\n", m, policy);
				continue;
			}
			failures += !execute(&machines[m], seed, nr, 0, 0);
			failures += sweep(&machines[m], seed);
		}
	}
	lab_close(&the_run.lab);
	printf("%s\n", failures ? "failed" : "all hold");
	return failures != 0;
}
