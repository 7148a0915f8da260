/* SPDX-License-Identifier: MIT */
/*
 * The program behind tour.md: one function a transcript. `tour NAME` prints one, `tour --list`
 * the names. It uses the public headers only, and prints what the library did, or arithmetic that
 * it shows.
 */
#include "tour.h"

/* ---- pages and blocks ---- */

static void show_pages(void)
{
	printf("first address  last address     first pfn   last pfn     pages\n");
	for (uint32_t r = 0; r < COUNT_OF(pc_ranges); r++) {
		uint64_t first = pc_ranges[r].start_pfn, last = first + pc_ranges[r].nr_pages - 1;

		printf("0x%09" PRIx64 "    0x%09" PRIx64 " %13" PRIu64 " %11" PRIu64 " %9" PRIu64
		       "\n",
		       first << 12, (last << 12) + 4095, first, last, pc_ranges[r].nr_pages);
	}
}

static void show_blocks(void)
{
	printf("order  pages  block with pfn 22  its buddy  both together\n");
	for (uint32_t order = 0; order < 5; order++) {
		uint32_t size = 1u << order, start = 22 & ~(size - 1), buddy = start ^ size;
		uint32_t both = start & ~size;

		printf("%5" PRIu32 "  %5" PRIu32 "  %8" PRIu32 " - %-8" PRIu32 " %2" PRIu32
		       " - %-6" PRIu32 "  %2" PRIu32 " - %" PRIu32 "\n",
		       order, size, start, start + size - 1, buddy, buddy + size - 1, both,
		       both + 2 * size - 1);
	}
}

static void show_handover(void)
{
	struct machine m;

	build_toy(&m, 32, 4, 4, "plain");
	print_map(&m, "all reserved", 32);
	must("hand over", pagus_boot_free(&m.p, 3, 26));
	print_map(&m, "3 - 28 handed over", 32);
	print_lists(&m, 0);
	drop(&m);
}

static void show_split(void)
{
	struct machine m;

	start_toy(&m, 32, 4, 4, "plain");
	print_map(&m, "at first", 32);
	for (uint32_t n = 0; n < 4; n++) {
		uint32_t order = n == 3 ? 2 : 0;
		char what[64];

		snprintf(what, sizeof(what), "order %" PRIu32 " -> pfn %" PRIu64, order,
			 get(&m, GFP_KERNEL, order));
		print_map(&m, what, 32);
	}
	print_lists(&m, 0);
	printf("halvings: %" PRIu64 "\n", pagus_counter_read(&m.p, PAGUS_COUNTER_split));
	drop(&m);
}

static void show_merge(void)
{
	static const uint32_t frees[] = { 5, 4, 6, 7, 0, 2, 3, 1 };
	struct machine m;

	start_toy(&m, 16, 4, 4, "plain");
	for (uint32_t n = 0; n < 8; n++)
		get(&m, GFP_KERNEL, 0);
	print_map(&m, "0 - 7 in use", 16);
	for (uint32_t n = 0; n < COUNT_OF(frees); n++) {
		uint64_t before = pagus_counter_read(&m.p, PAGUS_COUNTER_merge);
		char what[64];

		put(&m, frees[n], 0);
		snprintf(what, sizeof(what), "free %" PRIu32 ": %" PRIu64 " merges", frees[n],
			 pagus_counter_read(&m.p, PAGUS_COUNTER_merge) - before);
		print_map(&m, what, 16);
	}
	drop(&m);
}

static void show_ends(void)
{
	static const uint32_t frees[] = { 10, 11, 1, 8, 4, 9 };
	struct machine m;

	start_toy(&m, 16, 4, 4, "plain");
	for (uint32_t n = 0; n < 16; n++)
		get(&m, GFP_KERNEL, 0);
	for (uint32_t n = 0; n < COUNT_OF(frees); n++) {
		char what[64];

		put(&m, frees[n], 0);
		snprintf(what, sizeof(what), "free %" PRIu32, frees[n]);
		print_map(&m, what, 16);
		if (n > 0)
			print_lists(&m, 0);
	}
	drop(&m);
}

/* ---- zones, GFP flags, zonelists ---- */

static void show_zones(void)
{
	struct machine m;

	start_pc(&m, 1, "nopcp", false);
	printf("not handed over: %u pages from pfn %u\n", PC_KERNEL_PAGES, PC_KERNEL_START);
	printf("node  zone    start pfn   spanned   present   managed  free pages\n");
	for (uint32_t id = 0; id < pagus_nr_zones(&m.p); id++) {
		struct pagus_zone_info z = zone_info(&m, id);

		printf("%4" PRIu32 "  %-7s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64
		       " %11" PRIu64 "\n",
		       z.node, pagus_zone_name(z.type), z.start_pfn, z.spanned, z.present,
		       z.managed, z.free_pages);
	}
	drop(&m);
}

#define MASK(name) { name, #name }
static const struct mask {
	uint32_t gfp;
	const char *name;
} masks[] = {
	MASK(GFP_KERNEL), MASK(GFP_KERNEL | __GFP_RECLAIMABLE), MASK(GFP_NOWAIT), MASK(GFP_ATOMIC),
	MASK(GFP_HIGHUSER), MASK(GFP_HIGHUSER_MOVABLE), MASK(GFP_USER | __GFP_MOVABLE),
	MASK(GFP_KERNEL | GFP_DMA32), MASK(GFP_KERNEL | GFP_DMA),
};

/* The PC once more, its last 512 MiB set aside as a Movable zone. */
static void show_gfp(void)
{
	struct pagus_range ranges[4] = { pc_ranges[0], pc_ranges[1], pc_ranges[2] };
	struct pagus_config cfg = pc_config(1, "nopcp", false);
	struct machine m;
	pagus_pfn_t pfn;

	ranges[2].nr_pages /= 2;
	ranges[3] = ranges[2];
	ranges[3].start_pfn += ranges[2].nr_pages;
	ranges[3].zone = PAGUS_ZONE_MOVABLE;
	cfg.ranges = ranges;
	cfg.nr_ranges = 4;
	build(&m, &cfg);
	for (uint32_t r = 0; r < 4; r++)
		must("hand over", pagus_boot_free(&m.p, ranges[r].start_pfn, ranges[r].nr_pages));
	must("boot", pagus_boot_done(&m.p));
	printf("mask                                value      served from  migratetype\n");
	for (uint32_t n = 0; n < COUNT_OF(masks); n++) {
		struct pagus_page_info info = page_info(&m, get(&m, masks[n].gfp, 0));

		printf("%-34s  0x%06" PRIx32 "   %-11s  %s\n", masks[n].name, masks[n].gfp,
		       zone_name(&m, info.zone), pagus_migratetype_name(info.request_type));
	}
	printf("GFP_DMA | GFP_DMA32: %s\n",
	       pagus_status_text(pagus_alloc_pages(&m.p, GFP_DMA | GFP_DMA32, 0, &pfn)));
	drop(&m);
}

static void show_zonelist(void)
{
	static const uint8_t ring[] = { 10, 30, 20, 20, 30, 10, 20, 20,
					20, 20, 10, 30, 20, 20, 30, 10 };
	static const uint32_t cpu_node[] = { 0, 1, 2, 3 };
	struct pagus_range ranges[4];
	struct pagus_config cfg = { .ranges = ranges,
				    .nr_ranges = 4,
				    .nr_cpus = 4,
				    .max_order = 10,
				    .cpu_node = cpu_node,
				    .pageblock_order = 9,
				    .section_order = 10,
				    .grouping = PAGUS_GROUPING_ALWAYS,
				    .policy = "linux" };
	struct machine m;

	start_two_nodes(&m, "linux");
	print_zonelist(&m, 0, false);
	print_zonelist(&m, 0, true);
	print_zonelist(&m, 1, false);
	print_zonelist(&m, 1, true);
	drop(&m);
	for (uint32_t n = 0; n < 4; n++)
		ranges[n] = (struct pagus_range){ n * 1024, 1024, n, PAGUS_ZONE_NORMAL };
	build(&m, &cfg);
	m.sim.distances = ring;
	m.sim.nr_nodes = 4;
	must("boot", pagus_boot_done(&m.p));
	printf("four nodes in a ring 0 2 1 3: distance of neighbours 20, of opposites 30\n");
	for (uint32_t n = 0; n < 4; n++)
		print_zonelist(&m, n, false);
	drop(&m);
}

/* ---- watermarks ---- */

static void print_marks(const char *title, bool thp, uint32_t min_free_kbytes)
{
	struct machine m;

	start_pc(&m, 1, "nopcp", thp);
	if (min_free_kbytes)
		must("tunable",
		     pagus_tunable_set(&m.p, PAGUS_TUNABLE_min_free_kbytes, min_free_kbytes));
	printf("%s\n  zone    managed    min    low   high  promo   "
	       "reserved from DMA32  Normal  Movable\n",
	       title);
	for (uint32_t id = 0; id < pagus_nr_zones(&m.p); id++) {
		struct pagus_zone_info z = zone_info(&m, id);

		printf("  %-6s %8" PRIu64, pagus_zone_name(z.type), z.managed);
		for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
			printf(" %6" PRIu64, z.wmark[w]);
		printf(" %21" PRIu64 " %7" PRIu64 " %8" PRIu64 "\n",
		       z.lowmem_reserve[PAGUS_ZONE_DMA32], z.lowmem_reserve[PAGUS_ZONE_NORMAL],
		       z.lowmem_reserve[PAGUS_ZONE_MOVABLE]);
	}
	drop(&m);
}

static uint64_t square_root(uint64_t x)
{
	uint64_t root = 0;

	while ((root + 1) * (root + 1) <= x)
		root++;
	return root;
}

static void show_marks(void)
{
	uint64_t pages = pc_ranges[0].nr_pages + pc_ranges[1].nr_pages + pc_ranges[2].nr_pages -
			 PC_KERNEL_PAGES;
	uint64_t kbytes = square_root(16 * 4 * pages);

	printf("low memory %" PRIu64 " pages, square root of 16 * 4 * pages: %" PRIu64
	       " KiB, %" PRIu64 " pages\n",
	       pages, kbytes, kbytes / 4);
	printf("huge pages: 11 * 3 zones * 512 = %u pages, 5 %% of low memory %" PRIu64 "\n",
	       11 * 3 * 512, pages / 20);
	print_marks("computed, without transparent huge pages", false, 0);
	print_marks("computed, with transparent huge pages", true, 0);
	print_marks("min_free_kbytes = 65536", false, 65536);
}

static void show_check(void)
{
	static const struct {
		struct mask mask;
		uint32_t order;
	} rows[] = {
		{ MASK(GFP_KERNEL), 0 },
		{ MASK(GFP_KERNEL), 3 },
		{ MASK(GFP_KERNEL), 9 },
		{ MASK(GFP_NOWAIT), 0 },
		{ MASK(GFP_KERNEL | __GFP_HIGH), 0 },
		{ MASK(GFP_ATOMIC), 0 },
		{ MASK(GFP_KERNEL | __GFP_MEMALLOC), 0 },
	};

	printf("request                      order   min    low  free at first miss  "
	       "free at refusal\n");
	for (uint32_t n = 0; n < COUNT_OF(rows); n++) {
		struct pagus_zone_info z;
		uint64_t missed = 0;
		struct machine m;

		build_toy(&m, 16384, 10, 9, "nopcp");
		must("hand over", pagus_boot_free(&m.p, 0, 16384));
		must("tunable", pagus_tunable_set(&m.p, PAGUS_TUNABLE_min_free_kbytes, 4096));
		must("boot", pagus_boot_done(&m.p));
		z = zone_info(&m, 0);
		for (;;) {
			uint64_t free = zone_info(&m, 0).free_pages;
			bool refused = get(&m, rows[n].mask.gfp, rows[n].order) == PAGUS_NO_PFN;

			if (!missed && pagus_counter_read(&m.p, PAGUS_COUNTER_second_attempt))
				missed = free;
			if (refused)
				break;
		}
		printf("%-28s %5" PRIu32 " %5" PRIu64 " %6" PRIu64 " %19" PRIu64 " %16" PRIu64 "\n",
		       rows[n].mask.name, rows[n].order, z.wmark[PAGUS_WMARK_MIN],
		       z.wmark[PAGUS_WMARK_LOW], missed, zone_info(&m, 0).free_pages);
		drop(&m);
	}
}

static void show_walk(void)
{
	struct machine m;

	start_two_nodes(&m, "nopcp");
	for (uint32_t id = 0; id < pagus_nr_zones(&m.p); id++) {
		struct pagus_zone_info z = zone_info(&m, id);

		printf("%-6s on node %" PRIu32 ": managed %" PRIu64 ", min %" PRIu64
		       ", low %" PRIu64 ", reserved from Movable %" PRIu64 "\n",
		       pagus_zone_name(z.type), z.node, z.managed, z.wmark[PAGUS_WMARK_MIN],
		       z.wmark[PAGUS_WMARK_LOW], z.lowmem_reserve[PAGUS_ZONE_MOVABLE]);
	}
	print_runs(&m, "GFP_HIGHUSER_MOVABLE", GFP_HIGHUSER_MOVABLE);
	drop(&m);
}

/* ---- pageblocks and fallbacks ---- */

static const char *const mix_policies[] = { "plain", "nopcp" };

static void show_grouping(void)
{
	struct machine m;

	for (uint32_t n = 0; n < COUNT_OF(mix_policies); n++) {
		uint32_t huge = 0;

		run_mix(&m, mix_policies[n]);
		printf(", then free %" PRIu64, zone_info(&m, 0).free_pages);
		while (get(&m, GFP_TRANSHUGE, 9) != PAGUS_NO_PFN)
			huge++;
		printf(", huge pages %" PRIu32 " of %" PRIu32 "\n", huge, MIX_PAGES / BLOCK_PAGES);
		drop(&m);
	}
}

static void show_unusable(void)
{
	struct machine m;

	for (uint32_t n = 0; n < COUNT_OF(mix_policies); n++) {
		printf(", mixed pageblocks %" PRIu32, run_mix(&m, mix_policies[n]));
		printf(", then free %" PRIu64 "\n  order            ", zone_info(&m, 0).free_pages);
		for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
			printf(" %5" PRIu32, o);
		printf("\n  free blocks      ");
		for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
			printf(" %5" PRIu64, zone_info(&m, 0).nr_free[o]);
		printf("\n  index x 1000     ");
		for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
			printf(" %5" PRIu32, pagus_unusable_index(&m.p, 0, o));
		putchar('\n');
		drop(&m);
	}
}

static void show_claim(void)
{
	struct machine m;

	start_toy(&m, 8 * BLOCK_PAGES, 10, 9, "nopcp");
	printf("before\n");
	print_lists(&m, 0);
	listen(&m, FALLBACKS);
	printf("GFP_KERNEL, order 0\n");
	get(&m, GFP_KERNEL, 0);
	printf("and once more\n");
	get(&m, GFP_KERNEL, 0);
	printf("after\n");
	print_lists(&m, 0);
	print_blocks(&m, 0, 3);
	drop(&m);
}

static void show_majority(void)
{
	static const struct trial trials[] = {
		{ PAGUS_UNMOVABLE, PAGUS_MOVABLE, 64, 256, 8 },
		{ PAGUS_UNMOVABLE, PAGUS_MOVABLE, 64, 257, 8 },
		{ PAGUS_UNMOVABLE, PAGUS_RECLAIMABLE, 256, 0, 8 },
		{ PAGUS_UNMOVABLE, PAGUS_RECLAIMABLE, 255, 0, 8 },
		{ PAGUS_MOVABLE, PAGUS_UNMOVABLE, 64, 192, 8 },
		{ PAGUS_MOVABLE, PAGUS_UNMOVABLE, 64, 191, 8 },
		{ PAGUS_MOVABLE, PAGUS_UNMOVABLE, 256, 0, 4 },
		{ PAGUS_MOVABLE, PAGUS_UNMOVABLE, 256, 0, 3 },
	};

	printf("request      pageblock    free  movable  other  largest order  result  refusals\n");
	for (uint32_t n = 0; n < COUNT_OF(trials); n++)
		try_claim(&trials[n]);
}

/* One free page in a pageblock of each type, all else in use by that type. */
static void show_fallback(void)
{
	for (uint32_t t = 0; t < COUNT_OF(type_gfp); t++) {
		struct machine m;

		build_toy(&m, 3 * BLOCK_PAGES, 9, 9, "nopcp");
		for (uint32_t b = 0; b < COUNT_OF(type_gfp); b++) {
			must("seed", pagus_seed_block(&m.p, b * BLOCK_PAGES, b));
			must("seed", pagus_seed_free(&m.p, b * BLOCK_PAGES, 0, PAGUS_MOVABLE));
			must("seed", pagus_inherit(&m.p, b * BLOCK_PAGES + 1, BLOCK_PAGES - 1, b));
		}
		ready_without_marks(&m);
		printf("%-11s takes from:", pagus_migratetype_name(t));
		for (uint32_t n = 0; n < COUNT_OF(type_gfp); n++)
			printf("  %s", pagus_migratetype_name(
					       page_info(&m, get(&m, type_gfp[t], 0)).block_type));
		putchar('\n');
		drop(&m);
	}
}

/* Two pageblocks of unmovable pages in use, but for one block of 8 pages and one of 4. */
static void show_steal(void)
{
	struct machine m;

	build_toy(&m, 2 * BLOCK_PAGES, 9, 9, "nopcp");
	for (uint32_t b = 0; b < 2; b++) {
		uint32_t start = b * BLOCK_PAGES, nr_free = b == 0 ? 8 : 4;

		must("seed", pagus_seed_block(&m.p, start, PAGUS_UNMOVABLE));
		must("hand over", pagus_boot_free(&m.p, start, nr_free));
		must("seed",
		     pagus_inherit(&m.p, start + nr_free, BLOCK_PAGES - nr_free, PAGUS_UNMOVABLE));
	}
	ready_without_marks(&m);
	print_lists(&m, 0);
	printf("GFP_HIGHUSER_MOVABLE, order 0\n");
	listen(&m, FALLBACKS);
	get(&m, GFP_HIGHUSER_MOVABLE, 0);
	print_lists(&m, 0);
	print_blocks(&m, 0, 2);
	drop(&m);
}

static void show_nofragment(void)
{
	try_nofragment("DMA32 free", GFP_KERNEL, false, 0);
	try_nofragment("DMA32 in use", GFP_KERNEL, true, 0);
	try_nofragment("DMA32 in use, defrag_mode = 1", GFP_KERNEL | __GFP_NORETRY, true, 1);
}

/* ---- pcp lists ---- */

static void show_pcp(void)
{
	struct machine m;

	start_gib(&m, 4, "linux");
	printf("managed %" PRIu64 ", low %" PRIu64 ", high mark %" PRIu64
	       "; for each of 4 CPUs: batch %" PRIu32 ", high_min %" PRIu32 ", high_max %" PRIu32
	       "\n",
	       zone_info(&m, 0).managed, zone_info(&m, 0).wmark[PAGUS_WMARK_LOW],
	       zone_info(&m, 0).wmark[PAGUS_WMARK_HIGH], pcp_info(&m).batch, pcp_info(&m).high_min,
	       pcp_info(&m).high_max);
	for (uint32_t cpu = 0; cpu < 4; cpu++) {
		pagus_sim_on(&m.sim, cpu, 0);
		printf("CPU %" PRIu32 " gets pfn %" PRIu64, cpu, get(&m, GFP_KERNEL, 0));
		printf(": free %" PRIu64 ", on pcp lists %" PRIu64 "\n",
		       zone_info(&m, 0).free_pages, zone_info(&m, 0).pcp_pages);
	}
	pagus_drain_all(&m.p);
	printf("all drained: free %" PRIu64 ", on pcp lists %" PRIu64 "\n",
	       zone_info(&m, 0).free_pages, zone_info(&m, 0).pcp_pages);
	drop(&m);
}

static void show_lifo(void)
{
	pagus_pfn_t pfns[ROOM];
	struct machine m;

	start_gib(&m, 1, "linux");
	for (uint32_t n = 0; n < 60; n++)
		get(&m, GFP_KERNEL, 0);
	print_pfns("list after 60", pfns, pagus_pcp_list(&m.p, 0, 0, 0, pfns, ROOM));
	put(&m, 5, 0);
	put(&m, 2, 0);
	print_pfns("free 5, free 2", pfns, pagus_pcp_list(&m.p, 0, 0, 0, pfns, ROOM));
	printf("two requests get       %" PRIu64, get(&m, GFP_KERNEL, 0));
	printf(" %" PRIu64 "\n", get(&m, GFP_KERNEL, 0));
	put(&m, 7, 0);
	printf("free 7, then drain\n");
	listen(&m, BIT(DRAIN) | BIT(PCPU_DRAIN));
	pagus_drain_all(&m.p);
	drop(&m);
}

static void show_refill(void)
{
	static const uint32_t orders[] = { 1, 2, 3, 9 };
	struct machine m;

	start_gib(&m, 1, "linux");
	for (uint32_t n = 1, seen = 0; seen < 8; n++) {
		char what[64];

		get(&m, GFP_KERNEL, 0);
		if (pagus_counter_read(&m.p, PAGUS_COUNTER_pcp_refill) == seen)
			continue;
		seen++;
		snprintf(what, sizeof(what), "request %" PRIu32 " refills", n);
		print_pcp(&m, what);
	}
	listen(&m, BIT(REFILL));
	for (uint32_t n = 0; n < COUNT_OF(orders); n++)
		get(&m, GFP_KERNEL, orders[n]);
	drop(&m);
}

static void show_drain(void)
{
	try_drain("percpu_pagelist_high_fraction = 512", 512, 2000);
	try_drain("percpu_pagelist_high_fraction = 0", 0, 60000);
}

static void show_locks(void)
{
	static const char *const policies[] = { "nopcp", "linux" };

	printf("policy  zone lock taken  list operations  most in one hold\n");
	for (uint32_t n = 0; n < COUNT_OF(policies); n++) {
		static pagus_pfn_t pfns[10000];
		struct pagus_sim_ledger boot, now;
		struct machine m;

		start_gib(&m, 1, policies[n]);
		boot = pagus_sim_total(&m.sim, PAGUS_LOCK_ZONE);
		for (uint32_t k = 0; k < COUNT_OF(pfns); k++)
			pfns[k] = get(&m, GFP_KERNEL, 0);
		for (uint32_t k = 0; k < COUNT_OF(pfns); k++)
			put(&m, pfns[k], 0);
		now = pagus_sim_total(&m.sim, PAGUS_LOCK_ZONE);
		printf("%-6s %16" PRIu64 " %16" PRIu64 " %17" PRIu64 "\n", policies[n],
		       now.acquisitions - boot.acquisitions, now.work - boot.work, now.max_work);
		drop(&m);
	}
}

/* ---- one request from end to end ---- */

static void show_request(void)
{
	struct machine m;
	pagus_pfn_t pfn;

	start_pc(&m, 1, "linux", true);
	listen(&m, ALL_EVENTS & ~BIT(ZONE_LOCKED));
	printf("first GFP_KERNEL, order 0\n");
	pfn = get(&m, GFP_KERNEL, 0);
	printf("    blocks cut from free lists: %" PRIu64 ", halvings: %" PRIu64 "\n",
	       pagus_counter_read(&m.p, PAGUS_COUNTER_zone_take),
	       pagus_counter_read(&m.p, PAGUS_COUNTER_split));
	printf("second\n");
	get(&m, GFP_KERNEL, 0);
	printf("free of the first\n");
	put(&m, pfn, 0);
	printf("first GFP_HIGHUSER_MOVABLE, order 4\n");
	listen(&m, ALL_EVENTS);
	get(&m, GFP_HIGHUSER_MOVABLE, 4);
	drop(&m);
}

/* ---- when memory is short ---- */

/* A zone with nothing free, and a port that can free some of it. */
struct short_of {
	struct machine m; /* first: the port's ctx lies in it */
	struct pagus_port port;
	pagus_pfn_t held[4096];
	uint32_t nr_held, nr_reclaimable, nr_of_victim;
};

static struct short_of *short_of(void *ctx)
{
	return (struct short_of *)((char *)ctx - offsetof(struct short_of, m.sim));
}

static uint32_t give_back(struct short_of *s, uint32_t *from, uint64_t most)
{
	uint32_t nr = 0;

	for (; nr < most && *from > 0; nr++, --*from)
		put(&s->m, s->held[--s->nr_held], 0);
	return nr;
}

static uint64_t reclaim_some(void *ctx, const struct pagus_reclaim *how)
{
	uint32_t freed = give_back(short_of(ctx), &short_of(ctx)->nr_reclaimable, how->nr_pages);

	if (freed || how->priority == 12)
		printf(" [%" PRIu64 " pages wanted, %" PRIu32 " reclaimed]", how->nr_pages, freed);
	return freed;
}

static enum pagus_compact_result compact_in_vain(void *ctx, const struct pagus_compact *how)
{
	static const char *const modes[] = { "thoroughly", "lightly", "without waiting" };

	(void)ctx;
	printf(" [compacted %s, in vain]", modes[how->mode]);
	return PAGUS_COMPACT_COMPLETE;
}

static enum pagus_oom_answer kill_somebody(void *ctx, const struct pagus_oom *what)
{
	struct short_of *s = short_of(ctx);

	(void)what;
	if (s->nr_of_victim == 0)
		return PAGUS_OOM_NOTHING;
	printf(" [killed: %" PRIu32 " pages]", give_back(s, &s->nr_of_victim, UINT64_MAX));
	return PAGUS_OOM_KILLED;
}

static void print_step(void *ctx, const struct pagus_event *e)
{
	(void)ctx;
	printf(" %s", pagus_slow_row_name(e->a));
}

static void try_short(const char *what, uint32_t gfp, uint32_t order, uint32_t nr_reclaimable,
		      uint32_t nr_of_victim)
{
	static struct short_of s;
	const struct pagus_request take = { .gfp = GFP_KERNEL, .task = PAGUS_TASK_MEMALLOC };
	const struct pagus_request req = { .gfp = gfp, .order = order };
	struct pagus_result res;

	s = (struct short_of){ .nr_reclaimable = nr_reclaimable, .nr_of_victim = nr_of_victim };
	start_toy(&s.m, COUNT_OF(s.held), 10, 9, "linux");
	while (pagus_alloc(&s.m.p, &take, &res) == PAGUS_OK)
		s.held[s.nr_held++] = res.pfn;
	s.port = pagus_sim_port;
	s.port.reclaim = reclaim_some;
	s.port.compact = compact_in_vain;
	s.port.oom = kill_somebody;
	s.m.p.port = &s.port;
	pagus_listen(&s.m.p, print_step, NULL, BIT(SLOW_STEP));
	printf("%s\n   ", what);
	pagus_alloc(&s.m.p, &req, &res);
	printf("\n    %s\n", res.status == PAGUS_OK ? "served" : pagus_refusal_text(res.refusal));
	drop(&s.m);
}

static void show_slow(void)
{
	try_short("GFP_ATOMIC", GFP_ATOMIC, 0, 64, 0);
	try_short("GFP_KERNEL, 64 pages can be reclaimed", GFP_KERNEL, 0, 64, 0);
	try_short("GFP_KERNEL | __GFP_NORETRY, order 4", GFP_KERNEL | __GFP_NORETRY, 4, 64, 0);
	try_short("GFP_KERNEL, nothing can be reclaimed", GFP_KERNEL, 0, 0, 100);
	try_short("GFP_KERNEL, nor is there anybody to kill", GFP_KERNEL, 0, 0, 0);
}

static void print_wake(void *ctx, enum pagus_worker worker, uint32_t node)
{
	(void)ctx;
	(void)worker;
	printf("kswapd of node %" PRIu32 " is woken\n", node);
}

static void print_level(const struct machine *m, const char *when)
{
	struct pagus_zone_info info = zone_info(m, 0);

	printf("%-26s free %6" PRIu64 "  low %5" PRIu64 "  high %5" PRIu64 "  boost %5" PRIu64
	       "\n", when, info.free_pages, info.wmark[PAGUS_WMARK_LOW],
	       info.wmark[PAGUS_WMARK_HIGH], info.boost);
}

static void run_kswapd(struct short_of *s)
{
	bool more = true;

	for (uint32_t turn = 1; more; turn++) {
		char what[32];

		printf("  turn %" PRIu32, turn);
		more = pagus_work(&s->m.p, PAGUS_WORKER_KSWAPD, 0);
		putchar('\n');
		snprintf(what, sizeof(what), "    %s", more ? "goes on" : "sleeps");
		print_level(&s->m, what);
	}
}

/*
 * Movable pages fill 1 GiB down to the low mark; every 64th can be reclaimed. Then an unmovable one
 * has to mix.
 */
static void show_kswapd(void)
{
	static struct short_of s;
	const struct pagus_request take = { .gfp = GFP_HIGHUSER_MOVABLE,
					    .task = PAGUS_TASK_MEMALLOC };
	struct pagus_result res;

	s = (struct short_of){ .nr_held = 0 };
	start_gib(&s.m, 1, "nopcp");
	s.port = pagus_sim_port;
	s.port.reclaim = reclaim_some;
	s.port.wake = print_wake;
	s.m.p.port = &s.port;
	for (uint32_t n = 0; zone_info(&s.m, 0).free_pages > 1286; n++) {
		pagus_pfn_t pfn = get(&s.m, GFP_HIGHUSER_MOVABLE, 0);

		if (n % 64 == 0)
			s.held[s.nr_held++] = pfn;
	}
	s.nr_reclaimable = s.nr_held;
	print_level(&s.m, "at the low mark");
	get(&s.m, GFP_HIGHUSER_MOVABLE, 0);
	print_level(&s.m, "served at the min mark");
	while (pagus_alloc(&s.m.p, &take, &res) == PAGUS_OK)
		;
	print_level(&s.m, "reserves are used");
	run_kswapd(&s);
	get(&s.m, GFP_KERNEL, 0);
	print_level(&s.m, "an unmovable page");
	run_kswapd(&s);
	drop(&s.m);
}

/* ---- all of them ---- */

static const struct transcript {
	const char *name;
	void (*show)(void);
} transcripts[] = {
	{ "pages", show_pages }, { "blocks", show_blocks }, { "handover", show_handover },
	{ "split", show_split }, { "merge", show_merge }, { "ends", show_ends },
	{ "zones", show_zones }, { "gfp", show_gfp }, { "zonelist", show_zonelist },
	{ "marks", show_marks }, { "check", show_check }, { "walk", show_walk },
	{ "grouping", show_grouping }, { "fallback", show_fallback }, { "claim", show_claim },
	{ "majority", show_majority }, { "steal", show_steal },
	{ "nofragment", show_nofragment }, { "pcp", show_pcp }, { "lifo", show_lifo },
	{ "refill", show_refill }, { "drain", show_drain }, { "locks", show_locks },
	{ "request", show_request }, { "unusable", show_unusable }, { "slow", show_slow },
	{ "kswapd", show_kswapd },
};

int main(int argc, char **argv)
{
	bool list = argc == 2 && strcmp(argv[1], "--list") == 0;

	for (uint32_t n = 0; argc == 2 && n < COUNT_OF(transcripts); n++) {
		if (list) {
			puts(transcripts[n].name);
		} else if (strcmp(argv[1], transcripts[n].name) == 0) {
			transcripts[n].show();
			return 0;
		}
	}
	if (!list)
		fprintf(stderr, "usage: tour NAME | --list\n");
	return !list;
}
