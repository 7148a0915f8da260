/* SPDX-License-Identifier: MIT */
/* What the transcripts of tour.c share: building instances, calls that must succeed, printing. */
#ifndef DOCS_TOUR_H
#define DOCS_TOUR_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pagus/explain.h>
#include <pagus/sim.h>

#define COUNT_OF(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define BLOCK_PAGES     512u /* a pageblock of order 9 */
#define ROOM            64u  /* pfns printed of one list */

struct machine {
	struct pagus p;
	struct pagus_sim sim;
	void *mem;
	bool grouped; /* its policy knows migratetypes */
};

/* ---- building an instance, and calls that must succeed ---- */

static void die(const char *what, enum pagus_status status)
{
	fprintf(stderr, "tour: %s: %s\n", what, pagus_status_text(status));
	exit(1);
}

static void must(const char *what, enum pagus_status status)
{
	if (status != PAGUS_OK)
		die(what, status);
}

static void build(struct machine *m, const struct pagus_config *cfg)
{
	size_t bytes = pagus_sizeof(cfg);

	*m = (struct machine){ .mem = bytes ? aligned_alloc(64, bytes) : NULL };
	if (!m->mem)
		die("build", PAGUS_BAD_CONFIG);
	m->grouped = strcmp(cfg->policy, "plain") != 0;
	pagus_sim_init(&m->sim, cfg->nr_cpus);
	must("init", pagus_init(&m->p, m->mem, bytes, cfg, &pagus_sim_port, &m->sim));
}

/* Every transcript ends here, so each also proves that its instance is whole. */
static void drop(struct machine *m)
{
	pagus_pfn_t where;
	int broken = pagus_check(&m->p, &where);

	if (broken) {
		fprintf(stderr, "tour: broken invariant %d: %s\n", broken,
			pagus_invariant_text(broken));
		exit(1);
	}
	pagus_fini(&m->p);
	free(m->mem);
}

/* End of hand-over with all marks next to zero, so that a small zone can be used up. */
static void ready_without_marks(struct machine *m)
{
	must("tunable", pagus_tunable_set(&m->p, PAGUS_TUNABLE_min_free_kbytes, 1));
	must("boot", pagus_boot_done(&m->p));
}

/* One zone, Normal, of [0, pages). */
static void build_toy(struct machine *m, uint64_t pages, uint32_t max_order, uint32_t block_order,
		      const char *policy)
{
	const struct pagus_range range = { 0, pages, 0, PAGUS_ZONE_NORMAL };
	const struct pagus_config cfg = { .ranges = &range, .nr_ranges = 1, .nr_cpus = 1,
		.max_order = max_order, .pageblock_order = block_order, .section_order = max_order,
		.policy = policy, .grouping = PAGUS_GROUPING_ALWAYS };

	build(m, &cfg);
}

static void start_toy(struct machine *m, uint64_t pages, uint32_t max_order, uint32_t block_order,
		      const char *policy)
{
	build_toy(m, pages, max_order, block_order, policy);
	must("hand over", pagus_boot_free(&m->p, 0, pages));
	ready_without_marks(m);
}

static const struct pagus_range pc_ranges[] = {
	{ 1, 158, 0, PAGUS_ZONE_BY_CEILING },
	{ 256, 786176, 0, PAGUS_ZONE_BY_CEILING },
	{ 1048576, 262144, 0, PAGUS_ZONE_BY_CEILING },
};
#define PC_KERNEL_START 4096u /* where its kernel image lies: reserved, never handed over */
#define PC_KERNEL_PAGES 8192u

static struct pagus_config pc_config(uint32_t nr_cpus, const char *policy, bool thp)
{
	struct pagus_config cfg = PAGUS_CONFIG_X86_64;

	cfg.ranges = pc_ranges;
	cfg.nr_ranges = COUNT_OF(pc_ranges);
	cfg.nr_cpus = nr_cpus;
	cfg.policy = policy;
	cfg.thp = thp;
	return cfg;
}

/* A PC with 4 GiB of memory and a hole below the 4 GiB address. */
static void start_pc(struct machine *m, uint32_t nr_cpus, const char *policy, bool thp)
{
	const struct pagus_config cfg = pc_config(nr_cpus, policy, thp);
	const pagus_pfn_t after = PC_KERNEL_START + PC_KERNEL_PAGES;

	build(m, &cfg);
	must("hand over", pagus_boot_free(&m->p, pc_ranges[0].start_pfn, pc_ranges[0].nr_pages));
	must("hand over", pagus_boot_free(&m->p, 256, PC_KERNEL_START - 256));
	must("hand over", pagus_boot_free(&m->p, after, 786432 - after));
	must("hand over", pagus_boot_free(&m->p, pc_ranges[2].start_pfn, pc_ranges[2].nr_pages));
	must("boot", pagus_boot_done(&m->p));
}

/* PAGUS_NO_PFN when refused. */
static pagus_pfn_t get(struct machine *m, uint32_t gfp, uint32_t order)
{
	pagus_pfn_t pfn;
	enum pagus_status status = pagus_alloc_pages(&m->p, gfp, order, &pfn);

	if (status != PAGUS_OK && status != PAGUS_NO_MEMORY)
		die("alloc", status);
	return pfn;
}

static void put(struct machine *m, pagus_pfn_t pfn, uint32_t order)
{
	must("free", pagus_free_pages(&m->p, pfn, order));
}

static struct pagus_zone_info zone_info(const struct machine *m, uint32_t zone)
{
	struct pagus_zone_info info;

	must("zone", pagus_zone_info(&m->p, zone, &info));
	return info;
}

static struct pagus_page_info page_info(const struct machine *m, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	must("page", pagus_page_info(&m->p, pfn, &info));
	return info;
}

/* ---- showing it ---- */

/* One character a page: a free block is its order and dashes, '#' is in use, 'r' reserved. */
static void print_map(const struct machine *m, const char *what, uint32_t pages)
{
	char mark = '?';

	printf("%-22s", what);
	for (uint32_t pfn = 0; pfn < pages; pfn++) {
		struct pagus_page_info info = page_info(m, pfn);

		if (pfn % 8 == 0)
			putchar(' ');
		if (info.kind == PAGUS_PAGE_FREE)
			printf("%" PRIu32, info.order);
		else if (info.kind == PAGUS_PAGE_TAIL)
			putchar(mark);
		else
			putchar(info.kind == PAGUS_PAGE_RESERVED ? 'r' : '#');
		if (info.kind != PAGUS_PAGE_TAIL)
			mark = info.kind == PAGUS_PAGE_FREE ? '-' : '#';
	}
	putchar('\n');
}

static void print_pfns(const char *what, const pagus_pfn_t *pfns, uint64_t nr)
{
	printf("%-22s", what);
	for (uint64_t n = 0; n < nr && n < ROOM; n++)
		printf(" %" PRIu64, pfns[n]);
	putchar('\n');
}

/* The free lists of a zone that hold anything, each from head to tail. */
static void print_lists(const struct machine *m, uint32_t zone)
{
	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++) {
		for (uint32_t t = 0; t < PAGUS_HIGHATOMIC; t++) {
			pagus_pfn_t pfns[ROOM];
			char what[64];
			uint64_t nr = pagus_free_list(&m->p, zone, order, t, pfns, ROOM);

			snprintf(what, sizeof(what), "  order %2" PRIu32 " %s", order,
				 m->grouped ? pagus_migratetype_name(t) : "");
			if (nr)
				print_pfns(what, pfns, nr);
		}
	}
}

struct content {
	uint32_t free,
		used[PAGUS_HIGHATOMIC]; /* pages; in use by the migratetype of their request */
};

static struct content block_content(const struct machine *m, pagus_pfn_t start)
{
	struct content content = { 0 };

	for (pagus_pfn_t pfn = start; pfn < start + BLOCK_PAGES;) {
		struct pagus_page_info info = page_info(m, pfn);

		if (info.kind == PAGUS_PAGE_FREE)
			content.free += 1u << info.order;
		else if (info.kind == PAGUS_PAGE_ALLOCATED || info.kind == PAGUS_PAGE_INHERITED)
			content.used[info.request_type] += 1u << info.order;
		pfn += UINT64_C(1) << info.order;
	}
	return content;
}

static void print_blocks(const struct machine *m, pagus_pfn_t first, uint32_t nr)
{
	printf("  pageblock at   type          free   used by: unmovable  movable  reclaimable\n");
	for (uint32_t b = 0; b < nr; b++) {
		pagus_pfn_t start = first + b * BLOCK_PAGES;
		struct content content = block_content(m, start);

		printf("  %12" PRIu64 "   %-11s %6" PRIu32 " %19" PRIu32 " %8" PRIu32 " %12" PRIu32
		       "\n",
		       start, pagus_migratetype_name(page_info(m, start).block_type), content.free,
		       content.used[PAGUS_UNMOVABLE], content.used[PAGUS_MOVABLE],
		       content.used[PAGUS_RECLAIMABLE]);
	}
}

static void print_event(void *ctx, const struct pagus_event *e)
{
	(void)ctx;
	printf("    %s:", pagus_event_name(e->id));
	if (e->pfn != PAGUS_NO_PFN)
		printf(" pfn=%" PRIu64, e->pfn);
	if (e->id != PAGUS_EVENT_DRAIN)
		printf(" order=%d type=%s", e->order, pagus_migratetype_name(e->migratetype));
	if (e->id == PAGUS_EVENT_ZONE_LOCKED)
		printf(" refill=%" PRIu32, e->a);
	else if (e->id == PAGUS_EVENT_EXTFRAG)
		printf(" fallback_order=%" PRIu32 " fallback_type=%s change_ownership=%" PRIu32,
		       e->a, pagus_migratetype_name(e->b & 0xff), e->b >> 8);
	else if (e->id == PAGUS_EVENT_RETYPE)
		printf(" old=%s", pagus_migratetype_name(e->a));
	else if (e->id == PAGUS_EVENT_REFILL)
		printf(" asked=%" PRIu32 " got=%" PRIu32, e->a, e->b);
	else if (e->id == PAGUS_EVENT_DRAIN)
		printf(" pages=%" PRIu32 " reason=%s", e->a, pagus_lock_reason_name(e->b));
	putchar('\n');
}

static void listen(struct machine *m, uint32_t mask)
{
	pagus_listen(&m->p, print_event, NULL, mask);
}

#define BIT(event)  (1u << PAGUS_EVENT_##event)
#define ALL_EVENTS  (~PAGUS_DECISION_EVENTS)
#define FALLBACKS   (BIT(ZONE_LOCKED) | BIT(EXTFRAG) | BIT(RETYPE))

static const char *zone_name(const struct machine *m, uint32_t zone)
{
	return pagus_zone_name(zone_info(m, zone).type);
}

/* ---- set-ups that more than one transcript, or a whole table, needs ---- */

/* Two nodes: the PC, and 1 GiB behind it. */
static void start_two_nodes(struct machine *m, const char *policy)
{
	struct pagus_range ranges[4] = { pc_ranges[0], pc_ranges[1], pc_ranges[2] };
	static const uint32_t cpu_node[] = { 0, 1 };
	struct pagus_config cfg = pc_config(2, policy, false);

	ranges[3] = (struct pagus_range){ 1310720, 262144, 1, PAGUS_ZONE_BY_CEILING };
	cfg.ranges = ranges;
	cfg.nr_ranges = 4;
	cfg.cpu_node = cpu_node;
	build(m, &cfg);
	for (uint32_t r = 0; r < 4; r++)
		must("hand over", pagus_boot_free(&m->p, ranges[r].start_pfn, ranges[r].nr_pages));
	must("boot", pagus_boot_done(&m->p));
}

static void print_zonelist(const struct machine *m, uint32_t node, bool own)
{
	uint8_t zones[64];
	uint32_t nr = pagus_zonelist(&m->p, node, own, zones, COUNT_OF(zones));

	printf("node %" PRIu32 "%s:", node, own ? ", own zones" : "");
	for (uint32_t n = 0; n < nr; n++)
		printf("  %s/%" PRIu32, zone_name(m, zones[n]), zone_info(m, zones[n]).node);
	putchar('\n');
}

/* Use a mask until it is refused; print the runs of pages that came from one zone. */
static void print_runs(struct machine *m, const char *name, uint32_t gfp)
{
	const struct pagus_request req = { .gfp = gfp, .node = 0 };
	struct pagus_result res;
	uint64_t run = 0;
	uint32_t zone = UINT32_MAX;

	printf("%s\n", name);
	do {
		pagus_alloc(&m->p, &req, &res);
		if (run && (res.status != PAGUS_OK || res.zone != zone))
			printf("  %-6s on node %" PRIu32 "  %7" PRIu64 " pages, then %" PRIu64
			       " free\n",
			       zone_name(m, zone), zone_info(m, zone).node, run,
			       zone_info(m, zone).free_pages);
		run = res.zone == zone ? run + 1 : 1;
		zone = res.zone;
	} while (res.status == PAGUS_OK);
}

/*
 * 32 pageblocks: three quarters are filled, one unmovable page for every seven movable ones,
 * interleaved. Then all movable pages are freed. Returns how many pageblocks held both kinds
 * before that.
 */
#define MIX_PAGES (32 * BLOCK_PAGES)
static uint32_t run_mix(struct machine *m, const char *policy)
{
	static pagus_pfn_t movable[MIX_PAGES];
	uint32_t nr = 0, nr_mixed = 0, kinds[32] = { 0 };

	start_toy(m, MIX_PAGES, 10, 9, policy);
	for (uint32_t n = 0; n < MIX_PAGES / 4 * 3; n++) {
		bool unmovable = n % 8 == 0;
		pagus_pfn_t pfn = get(m, unmovable ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE, 0);

		kinds[pfn / BLOCK_PAGES] |= unmovable ? 1 : 2;
		if (!unmovable)
			movable[nr++] = pfn;
	}
	printf("%-6s unmovable %" PRIu32 ", movable %" PRIu32, policy, MIX_PAGES / 4 * 3 - nr, nr);
	for (uint32_t b = 0; b < COUNT_OF(kinds); b++)
		nr_mixed += kinds[b] == 3;
	while (nr)
		put(m, movable[--nr], 0);
	return nr_mixed;
}

/* A mask that asks for each migratetype. */
static const uint32_t type_gfp[] = { GFP_KERNEL, GFP_HIGHUSER_MOVABLE,
				     GFP_KERNEL | __GFP_RECLAIMABLE };

struct trial {
	enum pagus_migratetype wanted, block;
	uint32_t free_pages, movable_pages;
	uint32_t largest; /* order above which no free block lies */
};

static void try_claim(const struct trial *t)
{
	const uint32_t stride = 1u << t->largest;
	uint32_t movable = t->movable_pages, freed = 0, seen = 0;
	struct machine m;

	build_toy(&m, BLOCK_PAGES, 9, 9, "nopcp");
	must("seed", pagus_seed_block(&m.p, 0, t->block));
	for (uint32_t pfn = 0; pfn < BLOCK_PAGES;) {
		uint32_t order = t->largest;

		while (freed + (1u << order) > t->free_pages && order > 0)
			order--;
		if (freed < t->free_pages && (t->largest == 8 || pfn / stride % 2 == 0)) {
			must("seed", pagus_seed_free(&m.p, pfn, order, PAGUS_MOVABLE));
			freed += 1u << order;
			pfn += 1u << order;
			seen = order > seen ? order : seen;
			continue;
		}
		must("seed",
		     pagus_inherit(&m.p, pfn++, 1, movable ? PAGUS_MOVABLE : PAGUS_UNMOVABLE));
		movable -= movable > 0;
	}
	ready_without_marks(&m);
	get(&m, type_gfp[t->wanted], 0);
	printf("%-11s  %-11s %5" PRIu32 " %8" PRIu32 " %6" PRIu32 " %14" PRIu32 "  %-5s  %8" PRIu64
	       "\n",
	       pagus_migratetype_name(t->wanted), pagus_migratetype_name(t->block), t->free_pages,
	       t->movable_pages, BLOCK_PAGES - t->free_pages - t->movable_pages, seen,
	       pagus_counter_read(&m.p, PAGUS_COUNTER_fallback_claim_part) ? "claim" : "steal",
	       pagus_counter_read(&m.p, PAGUS_COUNTER_fallback_claim_refused));
	drop(&m);
}

static void try_nofragment(const char *what, uint32_t gfp, bool dma32_in_use, uint32_t defrag_mode)
{
	const struct pagus_range range = { 0, 4096, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = { .ranges = &range,
					  .nr_ranges = 1,
					  .nr_cpus = 1,
					  .max_order = 10,
					  .dma32_ceiling = 2048,
					  .pageblock_order = 9,
					  .section_order = 10,
					  .grouping = PAGUS_GROUPING_ALWAYS,
					  .policy = "nopcp" };
	struct machine m;

	build(&m, &cfg);
	if (dma32_in_use)
		must("inherit", pagus_inherit(&m.p, 0, 2048, PAGUS_MOVABLE));
	else
		must("hand over", pagus_boot_free(&m.p, 0, 2048));
	must("hand over", pagus_boot_free(&m.p, 2048, 64));
	must("inherit", pagus_inherit(&m.p, 2112, 4096 - 2112, PAGUS_MOVABLE));
	ready_without_marks(&m);
	must("tunable", pagus_tunable_set(&m.p, PAGUS_TUNABLE_defrag_mode, defrag_mode));
	printf("%s: free in DMA32 %" PRIu64 ", in Normal %" PRIu64 "\n", what,
	       zone_info(&m, 0).free_pages, zone_info(&m, 1).free_pages);
	listen(&m, FALLBACKS | BIT(ALLOC));
	get(&m, gfp, 0);
	drop(&m);
}

/* One zone of 1 GiB with the marks that are computed for it. */
static void start_gib(struct machine *m, uint32_t nr_cpus, const char *policy)
{
	const struct pagus_range range = { 0, 262144, 0, PAGUS_ZONE_NORMAL };
	const struct pagus_config cfg = { .ranges = &range, .nr_ranges = 1, .nr_cpus = nr_cpus,
		.max_order = 10, .pageblock_order = 9, .section_order = 15, .policy = policy };

	build(m, &cfg);
	must("hand over", pagus_boot_free(&m->p, 0, range.nr_pages));
	must("boot", pagus_boot_done(&m->p));
}

static struct pagus_pcp_info pcp_info(const struct machine *m)
{
	struct pagus_pcp_info info;

	must("pcp", pagus_pcp_info(&m->p, 0, m->sim.cpu, &info));
	return info;
}

static void print_pcp(const struct machine *m, const char *what)
{
	struct pagus_pcp_info pcp = pcp_info(m);

	printf("%-22s count %5" PRIu32 "  high %5" PRIu32 "  alloc_factor %" PRIu32
	       "  free_count %4" PRIu32 "\n",
	       what, pcp.count, pcp.high, pcp.alloc_factor, pcp.free_count);
}

static void try_drain(const char *title, uint32_t fraction, uint32_t nr)
{
	static pagus_pfn_t pfns[65536];
	struct machine m;
	uint64_t seen = 0;

	start_gib(&m, 1, "linux");
	must("tunable",
	     pagus_tunable_set(&m.p, PAGUS_TUNABLE_percpu_pagelist_high_fraction, fraction));
	for (uint32_t n = 0; n < nr; n++)
		pfns[n] = get(&m, GFP_KERNEL, 0);
	printf("%s\n", title);
	print_pcp(&m, "  all allocated");
	for (uint32_t n = 0, shown = 0; n < nr && shown < 3; n++) {
		uint64_t holds = m.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_OVERFLOW].acquisitions,
			 drained;

		put(&m, pfns[n], 0);
		drained = pagus_counter_read(&m.p, PAGUS_COUNTER_pcp_drain_pages) - seen;
		if (!drained)
			continue;
		seen += drained;
		shown++;
		holds = m.sim.ledger[PAGUS_LOCK_ZONE][PAGUS_REASON_OVERFLOW].acquisitions - holds;
		printf("  free %" PRIu32 " drains %" PRIu64 " pages in %" PRIu64 " holds\n", n + 1,
		       drained, holds);
		print_pcp(&m, "  then");
	}
	drop(&m);
}

#endif
