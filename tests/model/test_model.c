/* SPDX-License-Identifier: MIT */
/*
 * Random operations against the model, over several machines and every named policy, with grouping
 * by mobility and without. A failing
 * sequence is shrunk by delta debugging and printed.
 *
 * PAGUS_SEED chooses the sequences, PAGUS_OPS their length.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "model/model.h"
#include "unit/lab.h"

#define MAX_LIVE    4096
#define CHECK_EVERY 16
#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- machines ------------------------------------------------------------------------------- */

struct machine {
	const char *name;
	struct pagus_config cfg; /* without policy */
};

static const struct pagus_range one_zone[] = { { 64, 256, 0, PAGUS_ZONE_BY_CEILING } };
static const struct pagus_range holes[] = {
	{ 3, 61, 0, PAGUS_ZONE_BY_CEILING }, { 70, 131, 0, PAGUS_ZONE_BY_CEILING },
	{ 210, 99, 0, PAGUS_ZONE_BY_CEILING }, { 4000, 77, 0, PAGUS_ZONE_MOVABLE },
};
static const struct pagus_range interleaved[] = {
	{ 0, 98, 0, PAGUS_ZONE_BY_CEILING }, { 98, 28, 1, PAGUS_ZONE_BY_CEILING },
	{ 126, 70, 0, PAGUS_ZONE_BY_CEILING }, { 196, 5, 0, PAGUS_ZONE_MOVABLE },
	{ 201, 55, 0, PAGUS_ZONE_BY_CEILING }, { 256, 64, 1, PAGUS_ZONE_BY_CEILING },
};
static const struct pagus_range blocks[] = { /* of four pages, each of one zone */
	{ 1, 62, 0, PAGUS_ZONE_BY_CEILING }, { 70, 29, 0, PAGUS_ZONE_BY_CEILING },
	{ 100, 28, 1, PAGUS_ZONE_BY_CEILING }, { 129, 67, 0, PAGUS_ZONE_BY_CEILING },
	{ 200, 54, 1, PAGUS_ZONE_BY_CEILING }, { 256, 63, 1, PAGUS_ZONE_MOVABLE },
};
static const struct pagus_range x86[] = {
	{ 0, 8192, 0, PAGUS_ZONE_BY_CEILING }, { 8192, 2048, 0, PAGUS_ZONE_MOVABLE },
};
static const uint32_t cpus_of_two_nodes[] = { 0, 1, 0 };

static const struct machine machines[] = {
	{ "one zone",
	  { .ranges = one_zone,
	    .nr_ranges = NR_OF(one_zone),
	    .nr_cpus = 1,
	    .max_order = 5,
	    .pageblock_order = 3,
	    .section_order = 6 } },
	{ "ceilings and holes",
	  { .ranges = holes,
	    .nr_ranges = NR_OF(holes),
	    .nr_cpus = 2,
	    .dma_ceiling = 33,
	    .dma32_ceiling = 100,
	    .normal_ceiling = 230,
	    .max_order = 6,
	    .pageblock_order = 4,
	    .section_order = 7 } },
	{ "interleaved nodes",
	  { .ranges = interleaved,
	    .nr_ranges = NR_OF(interleaved),
	    .nr_cpus = 3,
	    .cpu_node = cpus_of_two_nodes,
	    .dma32_ceiling = 50,
	    .max_order = 4,
	    .pageblock_order = 2,
	    .section_order = 4 } },
	{ "a zone a pageblock",
	  { .ranges = blocks,
	    .nr_ranges = NR_OF(blocks),
	    .nr_cpus = 3,
	    .cpu_node = cpus_of_two_nodes,
	    .dma32_ceiling = 48,
	    .max_order = 4,
	    .pageblock_order = 2,
	    .section_order = 4 } },
	{ "x86-64 orders",
	  { .ranges = x86,
	    .nr_ranges = NR_OF(x86),
	    .nr_cpus = 2,
	    .dma_ceiling = 1024,
	    .dma32_ceiling = 4096,
	    .max_order = 10,
	    .pageblock_order = 9,
	    .section_order = 10 } },
};

/*
 * ---- operations
 * --------------------------------------------------------------------------------
 */

enum op_kind { OP_ALLOC, OP_FREE, OP_BAD_FREE, OP_SPLIT, OP_DRAIN, OP_TUNE, OP_FAIL_TRYLOCK };

struct op {
	enum op_kind kind;
	uint32_t cpu, gfp, order, node;
	uint64_t n; /* nodemask, pfn, which live block, value or count: as the kind says */
};

struct block {
	uint64_t pfn;
	uint32_t order;
};

struct run {
	struct lab lab;
	struct model model;
	struct block live[MAX_LIVE];
	uint32_t nr_live;
	char why[256];        /* empty: nothing failed */
};

static sigjmp_buf trapped;
static struct run the_run;

static void on_trap(int signal_number)
{
	siglongjmp(trapped, signal_number);
}

#define FAIL(...) do { snprintf(run->why, sizeof(run->why), __VA_ARGS__); return; } while (0)

static uint32_t node_of_cpu(const struct pagus_config *cfg, uint32_t cpu)
{
	return cfg->cpu_node ? cfg->cpu_node[cpu] : cfg->ranges[0].node;
}

/*
 * No reserve, no mark and no mixing rule stands between a request and a free block. What the
 * high-atomic reserve gave back need not be merged.
 */
static bool is_unrestrained(const struct run *run)
{
	const struct pagus *p = &run->lab.p;

	if (pagus_counter_read(p, PAGUS_COUNTER_pageblock_apart))
		return false;
	for (uint32_t zone = 0; zone < pagus_nr_zones(p); zone++) {
		struct pagus_zone_info info;

		pagus_zone_info(p, zone, &info);
		if (info.wmark[PAGUS_WMARK_MIN] || info.pcp_pages || info.reserved_highatomic_pages)
			return false;
		for (uint32_t type = 0; type < PAGUS_NR_ZONE_TYPES; type++)
			if (info.lowmem_reserve[type])
				return false;
	}
	return !pagus_tunable_get(p, PAGUS_TUNABLE_defrag_mode);
}

static void do_alloc(struct run *run, const struct op *op)
{
	const struct pagus_request req = {
		.gfp = op->gfp, .order = op->order, .node = op->node, .nodemask = op->n,
	};
	uint32_t node = op->node == PAGUS_NO_NODE ? node_of_cpu(run->model.cfg, op->cpu) : op->node;
	struct pagus_result res;
	const char *wrong;

	if (run->nr_live == MAX_LIVE)
		return;
	pagus_alloc(&run->lab.p, &req, &res);
	if (res.status == PAGUS_NO_MEMORY) {
		/* Who can do without is refused rather than that a superpageblock is tainted. */
		if (res.refusal != PAGUS_REFUSED_KEPT_CLEAN && is_unrestrained(run) &&
		    model_could_serve(&run->model, &req, node))
			FAIL("NO_MEMORY although a free block could serve");
		return;
	}
	if (res.status != PAGUS_OK)
		FAIL("alloc: %s", pagus_status_text(res.status));
	wrong = model_alloc(&run->model, &req, node, res.pfn);
	if (wrong)
		FAIL("%s: pfn %" PRIu64 " order %" PRIu32, wrong, res.pfn, op->order);
	run->live[run->nr_live++] = (struct block){ res.pfn, op->order };
}

static void expect_status(struct run *run, const char *what, enum pagus_status got,
			  enum pagus_status want, uint64_t pfn, uint32_t order)
{
	if (got != want)
		FAIL("%s of pfn %" PRIu64 " order %" PRIu32 ": '%s', not '%s'", what, pfn, order,
		     pagus_status_text(got), pagus_status_text(want));
}

static void do_free(struct run *run, uint64_t pfn, uint32_t order)
{
	uint64_t digest = pagus_digest(&run->lab.p);
	enum pagus_status want = model_free(&run->model, pfn, order);

	expect_status(run, "free", pagus_free_pages(&run->lab.p, pfn, order), want, pfn, order);
	if (want != PAGUS_OK && pagus_digest(&run->lab.p) != digest)
		FAIL("a refused free of pfn %" PRIu64 " changed the state", pfn);
	if (want != PAGUS_OK)
		return;
	for (uint32_t n = 0; n < run->nr_live; n++)
		if (run->live[n].pfn == pfn)
			run->live[n] = run->live[--run->nr_live];
}

static void do_split(struct run *run, uint32_t n, uint32_t to)
{
	struct block block = run->live[n];
	enum pagus_status want = model_split(&run->model, block.pfn, block.order, to);

	expect_status(run, "split", pagus_split_pages(&run->lab.p, block.pfn, block.order, to),
		      want, block.pfn, block.order);
	if (want != PAGUS_OK)
		return;
	run->live[n].order = to;
	for (uint64_t at = block.pfn + (UINT64_C(1) << to);
	     at < block.pfn + (UINT64_C(1) << block.order); at += UINT64_C(1) << to) {
		if (run->nr_live < MAX_LIVE)
			run->live[run->nr_live++] = (struct block){ at, to };
		else
			do_free(run, at, to);
	}
}

static void do_op(struct run *run, const struct op *op)
{
	struct pagus *p = &run->lab.p;

	pagus_sim_on(&run->lab.sim, op->cpu, 0);
	if (op->kind == OP_ALLOC) {
		do_alloc(run, op);
	} else if (op->kind == OP_FREE && run->nr_live) {
		const struct block *block = &run->live[op->n % run->nr_live];

		do_free(run, block->pfn, block->order);
	} else if (op->kind == OP_BAD_FREE) {
		do_free(run, op->n, op->order);
	} else if (op->kind == OP_SPLIT && run->nr_live) {
		do_split(run, (uint32_t)(op->n % run->nr_live), op->order);
	} else if (op->kind == OP_DRAIN) {
		pagus_drain_cpu(p, op->cpu);
	} else if (op->kind == OP_TUNE) {
		pagus_tunable_set(p, (enum pagus_tunable)op->order, (uint32_t)op->n);
	} else if (op->kind == OP_FAIL_TRYLOCK) {
		run->lab.sim.trylock_fail_at = op->n;
	}
}

/*
 * ---- checks
 * ------------------------------------------------------------------------------------
 */

static void check_state(struct run *run)
{
	pagus_pfn_t where;
	int broken = pagus_check(&run->lab.p, &where);

	if (broken)
		FAIL("invariant %d near pfn %" PRIu64 ": %s", broken, where,
		     pagus_invariant_text(broken));
	for (uint32_t zone = 0; zone < pagus_nr_zones(&run->lab.p); zone++) {
		struct pagus_zone_info info;
		uint64_t want;

		pagus_zone_info(&run->lab.p, zone, &info);
		want = model_free_pages(&run->model, info.node, info.type);
		if (info.free_pages + info.pcp_pages + info.deferred_pages != want)
			FAIL("zone %" PRIu32 ": %" PRIu64 " free, %" PRIu64 " on pcps, %" PRIu64
			     " deferred, not %" PRIu64 " in all",
			     zone, info.free_pages, info.pcp_pages, info.deferred_pages, want);
	}
}

/* With everything given back, all that can be merged is. */
static void check_end(struct run *run)
{
	while (run->nr_live && !run->why[0])
		do_free(run, run->live[0].pfn, run->live[0].order);
	pagus_drain_all(&run->lab.p);
	if (!run->why[0])
		check_state(run);
	for (uint32_t zone = 0; zone < pagus_nr_zones(&run->lab.p) && !run->why[0]; zone++) {
		struct pagus_zone_info info;

		pagus_zone_info(&run->lab.p, zone, &info);
		/* Pageblocks set aside for atomic requests do not merge with others, nor at once
		 * when they are given back. */
		if (info.reserved_highatomic_pages ||
		    pagus_counter_read(&run->lab.p, PAGUS_COUNTER_pageblock_apart))
			continue;
		for (uint32_t order = 0; order <= run->model.cfg->max_order; order++)
			if (info.nr_free[order] !=
			    model_merged_blocks(&run->model, info.node, info.type, order))
				FAIL("zone %" PRIu32 ": wrong number of blocks of order %" PRIu32
				     " after all was freed and drained", zone, order);
	}
}

static void start_run(struct run *run, const struct pagus_config *cfg)
{
	const struct pagus_zone_seed no_marks = { .pcp_batch = 4,
						  .pcp_high_min = 8,
						  .pcp_high_max = 40 };

	lab_close(&run->lab);
	*run = (struct run){ .nr_live = 0 };
	model_init(&run->model, cfg);
	if (lab_open(&run->lab, cfg) != PAGUS_OK)
		FAIL("pagus_init refuses the machine");
	for (uint32_t r = 0; r < cfg->nr_ranges; r++)
		model_hand_over(&run->model, cfg->ranges[r].start_pfn, cfg->ranges[r].nr_pages);
	if (lab_hand_over(&run->lab, cfg) != PAGUS_OK)
		FAIL("the hand-over is refused");
	for (uint32_t zone = 0; zone < pagus_nr_zones(&run->lab.p); zone++) {
		struct pagus_zone_seed seed = no_marks;
		struct pagus_zone_info info;

		pagus_zone_info(&run->lab.p, zone, &info);
		seed.present = info.present;
		seed.managed = info.managed;
		pagus_seed_zone(&run->lab.p, info.node, info.type, &seed);
	}
	check_state(run);
}

static void execute(struct run *run, const struct pagus_config *cfg, const struct op *ops,
		    uint32_t nr)
{
	start_run(run, cfg);
	for (uint32_t n = 0; n < nr && !run->why[0]; n++) {
		do_op(run, &ops[n]);
		if (n % CHECK_EVERY == 0 && !run->why[0])
			check_state(run);
	}
	if (!run->why[0])
		check_end(run);
}

/*
 * True if the sequence fails; the reason is in the_run.why. A trap in the library is a failure
 * like any other.
 */
static bool fails(const struct pagus_config *cfg, const struct op *ops, uint32_t nr)
{
	int signal_number = sigsetjmp(trapped, 1);

	if (signal_number == 0)
		execute(&the_run, cfg, ops, nr);
	else
		snprintf(the_run.why, sizeof(the_run.why),
			 "signal %d: an assertion of the library failed", signal_number);
	return the_run.why[0] != '\0';
}

/* ---- sequences ----------------------------------------------------------------------------- */

static struct op random_alloc(uint64_t *seed, const struct pagus_config *cfg)
{
	static const uint32_t gfps[] = {
		GFP_KERNEL,
		GFP_KERNEL | __GFP_RECLAIMABLE,
		GFP_HIGHUSER_MOVABLE,
		GFP_KERNEL | __GFP_MOVABLE,
		GFP_ATOMIC,
		GFP_HIGHUSER,
		GFP_KERNEL | GFP_DMA32,
		GFP_NOWAIT | GFP_DMA,
		GFP_KERNEL | __GFP_THISNODE,
		GFP_HIGHUSER_MOVABLE | __GFP_THISNODE,
	};
	struct op op = { .kind = OP_ALLOC, .node = PAGUS_NO_NODE };
	uint32_t nodes = cfg->cpu_node ? 2 : 1;

	op.gfp = gfps[lab_random(seed, NR_OF(gfps))];
	/* Small orders are the more frequent. */
	op.order = (uint32_t)lab_random(seed, 1 + lab_random(seed, cfg->max_order + 1));
	if (lab_random(seed, 4) == 0)
		op.node = (uint32_t)lab_random(seed, nodes);
	if (lab_random(seed, 8) == 0)
		op.n = 1 + lab_random(seed, nodes);
	return op;
}

/* Anywhere: it may happen to be a good one. */
static struct op random_bad_free(uint64_t *seed, const struct pagus_config *cfg)
{
	return (struct op){
		.kind = OP_BAD_FREE, .n = lab_random(seed, 512),
		.order = (uint32_t)lab_random(seed, cfg->max_order + 2),
	};
}

static struct op random_tuning(uint64_t *seed)
{
	static const struct {
		enum pagus_tunable tunable;
		uint32_t values[3];
	} rows[] = {
		{ PAGUS_TUNABLE_min_free_kbytes, { 1, 128, 400 } },
		{ PAGUS_TUNABLE_watermark_scale_factor, { 1, 10, 500 } },
		{ PAGUS_TUNABLE_percpu_pagelist_high_fraction, { 0, 8, 100 } },
		{ PAGUS_TUNABLE_pcp_batch_scale_max, { 0, 5, 6 } },
		{ PAGUS_TUNABLE_lowmem_reserve_ratio_normal, { 0, 1, 32 } },
		{ PAGUS_TUNABLE_defrag_mode, { 0, 1, 0 } },
	};
	uint64_t row = lab_random(seed, NR_OF(rows));

	return (struct op){
		.kind = OP_TUNE,
		.order = rows[row].tunable,
		.n = rows[row].values[lab_random(seed, 3)],
	};
}

static void make_ops(uint64_t seed, const struct pagus_config *cfg, struct op *ops, uint32_t nr)
{
	for (uint32_t n = 0; n < nr; n++) {
		/* Eight phases, in turn filling and emptying memory. */
		uint64_t alloc_percent = n * UINT64_C(8) / nr % 2 ? 30 : 65;
		uint64_t dice = lab_random(&seed, 1000);

		if (dice < 3)
			ops[n] = random_tuning(&seed);
		else if (dice < 10)
			ops[n] = (struct op){ .kind = OP_FAIL_TRYLOCK,
					      .n = 1 + lab_random(&seed, 5) };
		else if (dice < 30)
			ops[n] = (struct op){ .kind = OP_DRAIN };
		else if (dice < 60)
			ops[n] = (struct op){ .kind = OP_SPLIT, .n = lab_random(&seed, MAX_LIVE),
					      .order = (uint32_t)lab_random(&seed, 4) };
		else if (dice < 120)
			ops[n] = random_bad_free(&seed, cfg);
		else if (lab_random(&seed, 100) < alloc_percent)
			ops[n] = random_alloc(&seed, cfg);
		else
			ops[n] = (struct op){ .kind = OP_FREE, .n = lab_random(&seed, MAX_LIVE) };
		ops[n].cpu = (uint32_t)lab_random(&seed, cfg->nr_cpus);
	}
}

/*
 * Leave out ever smaller pieces for as long as what remains still fails. Returns how many
 * operations remain.
 */
static uint32_t shrink(const struct pagus_config *cfg, struct op *ops, uint32_t nr)
{
	struct op *shorter = malloc(nr * sizeof(*shorter));

	for (uint32_t piece = nr / 2; shorter && piece > 0; piece /= 2) {
		for (uint32_t at = 0; at + piece <= nr;) {
			memcpy(shorter, ops, at * sizeof(*ops));
			memcpy(shorter + at, ops + at + piece, (nr - at - piece) * sizeof(*ops));
			if (fails(cfg, shorter, nr - piece)) {
				nr -= piece;
				memcpy(ops, shorter, nr * sizeof(*ops));
			} else {
				at += piece;
			}
		}
	}
	free(shorter);
	return nr;
}

/*
 * A failing trylock counted from the start pins down all that comes before it. Count it from an
 * operation near the one that it hits instead, if the sequence still fails then.
 */
static void bring_failure_near(const struct pagus_config *cfg, struct op *ops, uint32_t nr)
{
	struct op *moved = malloc(nr * sizeof(*moved));

	for (uint32_t at = nr; moved && ops[0].kind == OP_FAIL_TRYLOCK && at-- > 1;) {
		memcpy(moved, ops + 1, at * sizeof(*ops));
		memcpy(moved + at, ops + at, (nr - at) * sizeof(*ops));
		moved[at] = ops[0];
		for (moved[at].n = 1; moved[at].n <= 256; moved[at].n++) {
			if (!fails(cfg, moved, nr))
				continue;
			memcpy(ops, moved, nr * sizeof(*ops));
			free(moved);
			return;
		}
	}
	free(moved);
}

static void print_op(const struct op *op)
{
	static const char *const names[] = {
		[OP_ALLOC] = "OP_ALLOC", [OP_FREE] = "OP_FREE", [OP_BAD_FREE] = "OP_BAD_FREE",
		[OP_SPLIT] = "OP_SPLIT", [OP_DRAIN] = "OP_DRAIN", [OP_TUNE] = "OP_TUNE",
		[OP_FAIL_TRYLOCK] = "OP_FAIL_TRYLOCK",
	};

	printf("\t{ .kind = %s, .cpu = %" PRIu32 ", .gfp = 0x%" PRIx32 ", .order = %" PRIu32
	       ", .node = %" PRIu32 "u, .n = %" PRIu64 " },\n", names[op->kind], op->cpu, op->gfp,
	       op->order, op->node, op->n);
}

static int report_failure(const struct machine *machine, const struct pagus_config *cfg,
			  struct op *ops, uint32_t nr, uint64_t seed)
{
	printf("FAILED: machine '%s', policy '%s'%s, PAGUS_SEED=%" PRIu64 ": %s\n",
	       machine->name, cfg->policy,
	       cfg->grouping == PAGUS_GROUPING_NEVER ? " without grouping" : "", seed,
	       the_run.why);
	nr = shrink(cfg, ops, nr);
	if (nr)
		bring_failure_near(cfg, ops, nr);
	nr = shrink(cfg, ops, nr);
	fails(cfg, ops, nr);
	printf("shrunk to %" PRIu32 " operations: %s\n", nr, the_run.why);
	for (uint32_t n = 0; n < nr; n++)
		print_op(&ops[n]);
	return 1;
}

static int test_random(const struct machine *machine, const struct pagus_config *cfg,
		       struct op *ops, uint32_t nr, uint64_t seed)
{
	make_ops(seed, cfg, ops, nr);
	return fails(cfg, ops, nr) ? report_failure(machine, cfg, ops, nr, seed) : 0;
}

/* The n-th trylock fails, for every n that a short sequence has. */
static int test_trylocks(const struct machine *machine, const struct pagus_config *cfg,
			 struct op *ops, uint64_t seed)
{
	const uint32_t nr = 100;

	make_ops(seed, cfg, ops, nr);
	for (uint64_t fail_at = 1;; fail_at++) {
		ops[0] = (struct op){ .kind = OP_FAIL_TRYLOCK, .n = fail_at };
		for (uint32_t n = 1; n < nr; n++)
			if (ops[n].kind == OP_FAIL_TRYLOCK)
				ops[n].kind = OP_FREE;
		if (fails(cfg, ops, nr))
			return report_failure(machine, cfg, ops, nr, seed);
		if (the_run.lab.sim.trylock_fail_at)
			return 0; /* there were fewer */
	}
}

static int test_machine(const struct machine *machine, struct op *ops, uint32_t nr, uint64_t seed)
{
	const char *policy;
	int failures = 0;

	for (uint32_t n = 0; (policy = pagus_policy_at(n, NULL)); n++) {
		struct pagus_config cfg = machine->cfg;

		cfg.policy = policy;
		if (pagus_sizeof(&cfg) == 0) {
			printf("%s: not with policy %s, for which a pageblock has one zone\n",
			       machine->name, policy);
			continue;
		}
		for (uint32_t g = PAGUS_GROUPING_ALWAYS; g <= PAGUS_GROUPING_NEVER; g++) {
			cfg.grouping = g;
			failures += test_random(machine, &cfg, ops, nr, seed);
			failures += test_trylocks(machine, &cfg, ops, seed);
		}
	}
	return failures;
}

int main(void)
{
	static const int signals[] = { SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS };
	uint64_t seed = lab_env("PAGUS_SEED", 1);
	uint32_t nr = (uint32_t)lab_env("PAGUS_OPS", 4000);
	struct op *ops = malloc((nr > 100 ? nr : 100) * sizeof(*ops));
	struct sigaction action = { .sa_handler = on_trap };
	int failures = 0;

	if (!ops)
		return 1;
	for (size_t n = 0; n < NR_OF(signals); n++)
		sigaction(signals[n], &action, NULL);
	printf("PAGUS_SEED=%" PRIu64 " PAGUS_OPS=%" PRIu32 "\n", seed, nr);
	for (size_t n = 0; n < NR_OF(machines); n++)
		failures += test_machine(&machines[n], ops, nr, seed + n);
	lab_close(&the_run.lab);
	free(ops);
	printf("%s\n", failures ? "failed" : "all hold");
	return failures != 0;
}
