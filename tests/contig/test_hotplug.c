/* SPDX-License-Identifier: MIT */
/* Memory hotplug: coming online, and properties 47, 48 and 51. */
#include "contig/hotplug.h"

#include <pagus/contig.h>
#include <pagus/text.h>

#include "mem/state.h"

static const char *const policies[] = {
	"linux", "pcpbuddy", "pcpbuddy-bitmap", "superpageblock", "linux-6.1"
};

/* 32 MiB of the boot, and three times as much room; node 1 has room alone. Sections of 1024. */
#define BOOT  UINT64_C(8192)
#define PAGES UINT64_C(40960)
static const struct pagus_range ranges[] = {
	{ .nr_pages = BOOT, .zone = PAGUS_ZONE_BY_CEILING },
	{ .start_pfn = BOOT, .nr_pages = 8192, .zone = PAGUS_ZONE_BY_CEILING, .offline = true },
	{ .start_pfn = 2 * BOOT, .nr_pages = 8192, .zone = PAGUS_ZONE_BY_CEILING, .offline = true },
	{ .start_pfn = 4 * BOOT, .nr_pages = 8192, .node = 1, .zone = PAGUS_ZONE_BY_CEILING,
	  .offline = true },
};
enum { NORMAL, MOVABLE, NORMAL_1, MOVABLE_1, NR_ZONES };

static struct pagus_config machine(const char *policy)
{
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), policy);

	cfg.nr_cpus = 2;
	return cfg;
}

static void open_machine(struct plug_lab *h, const char *policy)
{
	struct pagus_config cfg = machine(policy);

	plug_open(h, &cfg, PAGES);
	assert_int_equal(pagus_nr_zones(&h->l.lab.p), NR_ZONES);
}

/* All that can be seen of the zones. */
struct seen {
	struct pagus_zone_info zone[NR_ZONES];
	struct pagus_pcp_info pcp[NR_ZONES][2];
	uint8_t lists[2][2][NR_ZONES + 1];
	uint64_t digest;
};

static void see(const struct plug_lab *h, struct seen *seen)
{
	const struct pagus *p = &h->l.lab.p;

	memset(seen, 0, sizeof(*seen));
	for (uint32_t id = 0; id < NR_ZONES; id++) {
		seen->zone[id] = unit_zone(&h->l.lab, id);
		for (uint32_t cpu = 0; cpu < 2; cpu++)
			assert_int_equal(pagus_pcp_info(p, id, cpu, &seen->pcp[id][cpu]), PAGUS_OK);
	}
	for (uint32_t node = 0; node < 2; node++)
		for (uint32_t own = 0; own < 2; own++)
			seen->lists[node][own][0] =
				(uint8_t)pagus_zonelist(p, node, own, seen->lists[node][own] + 1,
							NR_ZONES);
	seen->digest = pagus_digest(p);
}

static void expect_same(const struct seen *a, const struct seen *b)
{
	assert_memory_equal(a->zone, b->zone, sizeof(a->zone));
	assert_memory_equal(a->pcp, b->pcp, sizeof(a->pcp));
	assert_memory_equal(a->lists, b->lists, sizeof(a->lists));
	assert_true(a->digest == b->digest);
}

static enum pagus_page_kind kind_of(const struct plug_lab *h, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	assert_int_equal(pagus_page_info(&h->l.lab.p, pfn, &info), PAGUS_OK);
	return info.kind;
}

/* ---- before anything comes --------------------------------------------------------------------- */

static char text[1 << 16];

static const char *zoneinfo(const struct plug_lab *h)
{
	struct pagus_text t;

	pagus_text_init(&t, text, sizeof(text));
	pagus_text_zoneinfo(&h->l.lab.p, &t);
	return text;
}

static void test_zones_without_memory(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_zone_info info;
		struct pagus_text t;
		struct plug_lab h;
		uint8_t zones[8];

		open_machine(&h, policies[n]);
		info = unit_zone(&h.l.lab, MOVABLE);
		assert_int_equal(info.type, PAGUS_ZONE_MOVABLE);
		assert_int_equal(info.spanned + info.present + info.managed + info.start_pfn, 0);
		assert_int_equal(info.drift_mark, 0);
		assert_int_equal(unit_pcp(&h.l.lab, MOVABLE, 0).high_max, 0);
		assert_int_equal(unit_pcp(&h.l.lab, MOVABLE, 0).batch, 1);
		assert_int_equal(pagus_zonelist(&h.l.lab.p, 0, false, zones, 8), 1);
		assert_int_equal(pagus_zonelist(&h.l.lab.p, 1, false, zones, 8), 1);
		assert_int_equal(pagus_zonelist(&h.l.lab.p, 1, true, zones, 8), 0);
		assert_int_equal(kind_of(&h, BOOT), PAGUS_PAGE_OFFLINE);
		assert_int_equal(kind_of(&h, BOOT - 1), PAGUS_PAGE_TAIL);
		assert_int_equal(pagus_boot_free(&h.l.lab.p, BOOT, 1024), PAGUS_BAD_RANGE);
		pagus_text_init(&t, text, sizeof(text));
		pagus_text_buddyinfo(&h.l.lab.p, &t);
		assert_non_null(strstr(text, "Node 0, zone   Normal"));
		assert_null(strstr(text, "Movable"));
		assert_null(strstr(text, "Node 1"));
		assert_non_null(strstr(zoneinfo(&h), "Node 0, zone  Movable\n  pages free     0\n"));
		assert_null(strstr(strstr(text, "zone  Movable"), "pagesets"));
		/* Requests for user memory fall back. */
		unit_free(&h.l.lab, unit_alloc(&h.l.lab, GFP_HIGHUSER_MOVABLE, 3), 3);
		plug_close(&h);
	}
}

static void test_bad_ranges(void **context)
{
	struct pagus_config cfg = machine("linux");
	struct pagus_range bad[2] = { ranges[0], ranges[1] };
	struct plug_lab h;

	(void)context;
	open_machine(&h, "linux");
	assert_int_equal(plug_on(&h, BOOT, 0, PAGUS_ONLINE), PAGUS_BAD_RANGE);
	assert_int_equal(plug_on(&h, BOOT + 1, 1023, PAGUS_ONLINE), PAGUS_BAD_ALIGN);
	assert_int_equal(plug_on(&h, BOOT, 512, PAGUS_ONLINE), PAGUS_BAD_ALIGN);
	assert_int_equal(plug_on(&h, 3 * BOOT, 1024, PAGUS_ONLINE), PAGUS_BAD_RANGE);
	assert_int_equal(plug_on(&h, 3 * BOOT - 1024, 2048, PAGUS_ONLINE), PAGUS_BAD_RANGE);
	assert_int_equal(plug_on(&h, BOOT - 1024, 2048, PAGUS_ONLINE), PAGUS_BUSY);
	assert_int_equal(plug_on(&h, BOOT, 1024, (enum pagus_online)7), PAGUS_BAD_VALUE);
	assert_int_equal(plug_off(&h, BOOT, 1024), PAGUS_BAD_RANGE);
	assert_int_equal(plug_off(&h, BOOT - 1024, 2048), PAGUS_BAD_RANGE);
	assert_int_equal(plug_off(&h, 512, 512), PAGUS_OK);
	assert_int_equal(plug_off(&h, 256, 768), PAGUS_BAD_ALIGN);
	assert_int_equal(pagus_zone_pcp_disable(&h.l.lab.p, 0), PAGUS_OK);
	assert_int_equal(plug_on(&h, BOOT, 1024, PAGUS_ONLINE), PAGUS_BUSY);
	assert_int_equal(plug_off(&h, 1024, 1024), PAGUS_BUSY);
	assert_int_equal(pagus_zone_pcp_enable(&h.l.lab.p, 0), PAGUS_OK);
	plug_close(&h);

	cfg.ranges = bad;
	cfg.nr_ranges = 2;
	bad[1].zone = PAGUS_ZONE_MOVABLE;
	assert_int_equal(pagus_sizeof(&cfg), 0);
	bad[1] = ranges[1];
	bad[1].start_pfn += 100;
	assert_int_equal(pagus_sizeof(&cfg), 0);
	bad[1] = ranges[1];
	bad[1].nr_pages -= 512;
	assert_int_equal(pagus_sizeof(&cfg), 0);
	bad[1] = ranges[1];
	cfg.normal_ceiling = 1 << 20;
	assert_int_equal(pagus_sizeof(&cfg), 0);
	cfg.normal_ceiling = 0;
	bad[0].offline = true;
	assert_int_equal(pagus_sizeof(&cfg), 0);
}

/* Where nothing is configured to be plugged, memory of the boot goes and comes in its own zone. */
static void test_memory_of_the_boot(void **context)
{
	static const struct pagus_range one = { .nr_pages = BOOT, .zone = PAGUS_ZONE_BY_CEILING };

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = lab_config(&one, 1, policies[n]);
		struct plug_lab h;

		plug_open(&h, &cfg, BOOT);
		assert_int_equal(pagus_nr_zones(&h.l.lab.p), 1);
		assert_int_equal(plug_off(&h, 2048, 1024), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, 0).spanned, BOOT);
		assert_int_equal(unit_zone(&h.l.lab, 0).present, BOOT - 1024);
		assert_int_equal(plug_on(&h, 2048, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_BAD_VALUE);
		assert_int_equal(plug_on(&h, 2048, 1024, PAGUS_ONLINE), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, 0).free_pages, BOOT);
		assert_int_equal(unit_zone(&h.l.lab, 0).nr_free[10], BOOT / 1024);
		plug_close(&h);
	}
}

/* ---- online ------------------------------------------------------------------------------------ */

static void test_online(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_zone_info before, after;
		struct plug_lab h;
		uint8_t zones[8];
		pagus_pfn_t pfn;

		open_machine(&h, policies[n]);
		before = unit_zone(&h.l.lab, NORMAL);
		assert_int_equal(plug_on(&h, BOOT, 2048, PAGUS_ONLINE_KERNEL), PAGUS_OK);
		after = unit_zone(&h.l.lab, NORMAL);
		assert_int_equal(after.spanned, BOOT + 2048);
		assert_int_equal(after.present, before.present + 2048);
		assert_int_equal(after.managed, before.managed + 2048);
		assert_int_equal(after.free_pages, before.free_pages + 2048);
		assert_true(after.wmark[PAGUS_WMARK_MIN] > before.wmark[PAGUS_WMARK_MIN]);
		assert_true(after.pcp_high_max > before.pcp_high_max);
		assert_int_equal(unit_pcp(&h.l.lab, NORMAL, 1).high_max, after.pcp_high_max);

		assert_int_equal(plug_on(&h, 2 * BOOT, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		assert_int_equal(pagus_zonelist(&h.l.lab.p, 0, false, zones, 8), 2);
		assert_int_equal(zones[0], MOVABLE);
		assert_int_equal(zones[1], NORMAL);
		after = unit_zone(&h.l.lab, MOVABLE);
		assert_int_equal(after.start_pfn, 2 * BOOT);
		assert_int_equal(after.spanned, 1024);
		assert_int_equal(unit_pcp(&h.l.lab, MOVABLE, 1).high_max, after.pcp_high_max);
		assert_true(after.pcp_high_max > 0);
		pfn = unit_alloc(&h.l.lab, GFP_HIGHUSER_MOVABLE, 0);
		assert_in_range(pfn, 2 * BOOT, 2 * BOOT + 1023);
		unit_free(&h.l.lab, pfn, 0);
		assert_in_range(unit_alloc(&h.l.lab, GFP_KERNEL, 0), 0, BOOT + 2047);

		assert_int_equal(plug_on(&h, 2 * BOOT, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_BUSY);
		assert_int_equal(plug_on(&h, 4 * BOOT, 8192, PAGUS_ONLINE), PAGUS_OK);
		assert_int_equal(pagus_zonelist(&h.l.lab.p, 1, true, zones, 8), 1);
		assert_int_equal(zones[0], NORMAL_1);
		assert_int_equal(pagus_zonelist(&h.l.lab.p, 0, false, zones, 8), 3);
		assert_non_null(strstr(zoneinfo(&h), "Node 1, zone   Normal"));
		plug_expect_told(&h, 0, TOLD(PAGUS_MEM_GOING_ONLINE, PAGUS_MEM_ONLINE,
					     PAGUS_MEM_GOING_ONLINE, PAGUS_MEM_ONLINE,
					     PAGUS_NODE_ADDING_FIRST_MEMORY, PAGUS_MEM_GOING_ONLINE,
					     PAGUS_NODE_ADDED_FIRST_MEMORY, PAGUS_MEM_ONLINE));
		plug_close(&h);
	}
}

/* A block of the largest order lies on both sides of where the range begins. */
static void test_range_begins_inside_a_largest_block(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct plug_lab h;

		open_machine(&h, policies[n]);
		assert_int_equal(plug_on(&h, BOOT + 512, 512, PAGUS_ONLINE_KERNEL), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, NORMAL).spanned, BOOT + 1024);
		assert_int_equal(plug_off(&h, BOOT - 512, 512), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, NORMAL).nr_free[9], 2);
		assert_int_equal(plug_on(&h, BOOT - 512, 512, PAGUS_ONLINE_KERNEL), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, NORMAL).nr_free[10], BOOT / 1024);
		assert_int_equal(plug_off(&h, BOOT + 512, 512), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, NORMAL).spanned, BOOT);
		plug_close(&h);
	}
}

static void test_kept_pages(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_zone_info info;
		struct plug_lab h;

		open_machine(&h, policies[n]);
		h.port.online_page = plug_online_page;
		h.kept_from = BOOT + 1024;
		h.kept_end = BOOT + 2048;
		assert_int_equal(plug_on(&h, BOOT, 3072, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		info = unit_zone(&h.l.lab, MOVABLE);
		assert_int_equal(info.present, 3072);
		assert_int_equal(info.managed, 2048);
		assert_int_equal(info.free_pages, 2048);
		assert_int_equal(kind_of(&h, BOOT + 1024), PAGUS_PAGE_RESERVED);
		assert_int_equal(pagus_boot_free(&h.l.lab.p, BOOT + 1024, 512), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).free_pages, 2560);
		/* What is kept is of trait FIXED to the owner, until somebody says otherwise. */
		assert_int_equal(plug_off(&h, BOOT + 1024, 1024), PAGUS_BUSY);
		assert_int_equal(plug_off(&h, BOOT + 2048, 1024), PAGUS_OK);
		plug_close(&h);
	}
}

/* ---- property 47 ------------------------------------------------------------------------------- */

static void cycle(struct plug_lab *h, pagus_pfn_t start, uint64_t nr_pages, enum pagus_online how)
{
	plug_forget_told(h);
	h->cancel = 0;
	assert_int_equal(pagus_online(&h->l.lab.p, start, nr_pages, how), PAGUS_OK);
	assert_int_equal(pagus_offline(&h->l.lab.p, start, nr_pages, &h->cancel, NULL), PAGUS_OK);
}

static void test_property_47_restores_everything(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t set = 0; set < 2; set++) {
			struct seen before, after;
			struct plug_lab h;

			open_machine(&h, policies[n]);
			if (set)
				pagus_tunable_set(&h.l.lab.p, PAGUS_TUNABLE_min_free_kbytes, 4096);
			for (uint32_t k = 0; k < 40; k++)
				contig_fill(&h.l, k, k % 5);
			pagus_drain_all(&h.l.lab.p);
			see(&h, &before);
			for (uint32_t k = 0; k < 1000; k++) {
				cycle(&h, BOOT + 1024 * (k % 4), 2048,
				      k % 3 ? PAGUS_ONLINE_KERNEL : PAGUS_ONLINE_MOVABLE);
				if (k % 100 == 0)
					cycle(&h, 4 * BOOT, 8192, PAGUS_ONLINE);
				if (k > 3 && k % 50)
					continue;
				contig_check(&h.l);
				see(&h, &after);
				expect_same(&before, &after);
			}
			see(&h, &after);
			expect_same(&before, &after);
			assert_int_equal(h.l.lab.p.state->plugging, 0);
			plug_close(&h);
		}
	}
}

/* Boot memory, in the middle of the zone and at its ends. */
static void test_property_47_boot_memory(void **context)
{
	static const pagus_pfn_t starts[] = { 0, 4096, BOOT - 1024 };

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct seen before, after;
		struct plug_lab h;

		open_machine(&h, policies[n]);
		pagus_tunable_set(&h.l.lab.p, PAGUS_TUNABLE_min_free_kbytes, 4096);
		see(&h, &before);
		for (uint32_t k = 0; k < 3 * NR_OF(starts); k++) {
			pagus_pfn_t start = starts[k % NR_OF(starts)];

			assert_int_equal(plug_off(&h, start, 1024), PAGUS_OK);
			assert_int_equal(unit_zone(&h.l.lab, NORMAL).spanned,
					 start == 4096 ? BOOT : BOOT - 1024);
			assert_int_equal(unit_zone(&h.l.lab, NORMAL).start_pfn,
					 start == 0 ? 1024 : 0);
			assert_int_equal(plug_on(&h, start, 1024, PAGUS_ONLINE_KERNEL), PAGUS_OK);
			see(&h, &after);
			/* What came last lies last on its list. */
			after.digest = before.digest;
			expect_same(&before, &after);
		}
		plug_close(&h);
	}
}

/* ---- property 48 ------------------------------------------------------------------------------- */

/* Nothing of the range can be had, whatever the rights. */
static void nothing_to_be_had(struct plug_lab *h, enum pagus_memory_event event)
{
	pagus_pfn_t pfn;

	if (event != PAGUS_MEM_GOING_ONLINE)
		return;
	assert_int_equal(unit_zone(&h->l.lab, MOVABLE).free_pages, 0);
	for (uint32_t k = 0; k < 64; k++) {
		assert_int_equal(pagus_alloc_pages(&h->l.lab.p,
						   GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, 0, &pfn),
				 PAGUS_OK);
		assert_true(pfn < BOOT);
		assert_int_equal(kind_of(h, BOOT), PAGUS_PAGE_RESERVED);
		unit_free(&h->l.lab, pfn, 0);
	}
}

static void test_property_48_nothing_before_all_agree(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct plug_lab h;

		open_machine(&h, policies[n]);
		h.at = nothing_to_be_had;
		assert_int_equal(plug_on(&h, BOOT, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		plug_expect_told(&h, 2, TOLD(PAGUS_MEM_GOING_ONLINE, PAGUS_MEM_ONLINE));
		plug_close(&h);
	}
}

static void test_property_48_veto(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct seen before, after;
		struct plug_lab h;

		open_machine(&h, policies[n]);
		see(&h, &before);
		h.veto = PAGUS_MEM_GOING_ONLINE;
		assert_int_equal(plug_on(&h, BOOT, 2048, PAGUS_ONLINE), PAGUS_VETOED);
		see(&h, &after);
		expect_same(&before, &after);
		/* Who comes behind the one that refuses is not asked, and told the end all the same. */
		plug_expect_told(&h, 0, TOLD(PAGUS_MEM_GOING_ONLINE, PAGUS_MEM_CANCEL_ONLINE));
		plug_expect_told(&h, 1, TOLD(PAGUS_MEM_GOING_ONLINE, PAGUS_MEM_CANCEL_ONLINE));
		plug_expect_told(&h, 2, TOLD(PAGUS_MEM_CANCEL_ONLINE));
		plug_forget_told(&h);
		assert_int_equal(plug_on(&h, 4 * BOOT, 2048, PAGUS_ONLINE), PAGUS_VETOED);
		plug_expect_told(&h, 2, TOLD(PAGUS_NODE_ADDING_FIRST_MEMORY, PAGUS_MEM_CANCEL_ONLINE,
					     PAGUS_NODE_CANCEL_ADDING_FIRST_MEMORY));
		plug_forget_told(&h);
		h.veto = PAGUS_NODE_ADDING_FIRST_MEMORY;
		assert_int_equal(plug_on(&h, 4 * BOOT, 2048, PAGUS_ONLINE), PAGUS_VETOED);
		plug_expect_told(&h, 0, TOLD(PAGUS_NODE_ADDING_FIRST_MEMORY,
					     PAGUS_NODE_CANCEL_ADDING_FIRST_MEMORY));
		plug_expect_told(&h, 2, TOLD(PAGUS_NODE_CANCEL_ADDING_FIRST_MEMORY));
		see(&h, &after);
		expect_same(&before, &after);
		h.veto = PAGUS_NR_MEMORY_EVENTS;
		assert_int_equal(plug_on(&h, BOOT, 2048, PAGUS_ONLINE), PAGUS_OK);
		plug_close(&h);
	}
}

/* ---- which zone -------------------------------------------------------------------------------- */

static uint32_t zone_for(const struct plug_lab *h, pagus_pfn_t start, uint64_t nr_pages,
			 enum pagus_online how)
{
	uint32_t zone = UINT32_MAX;

	assert_int_equal(pagus_online_zone(&h->l.lab.p, start, nr_pages, how, &zone), PAGUS_OK);
	return zone;
}

static void test_contig_zones(void **context)
{
	struct plug_lab h;

	(void)context;
	open_machine(&h, "linux");
	assert_int_equal(zone_for(&h, BOOT, 1024, PAGUS_ONLINE), NORMAL);
	assert_int_equal(zone_for(&h, BOOT, 1024, PAGUS_ONLINE_MOVABLE), MOVABLE);
	assert_int_equal(plug_on(&h, BOOT + 2048, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
	assert_int_equal(plug_on(&h, 2 * BOOT, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
	assert_int_equal(zone_for(&h, BOOT, 1024, PAGUS_ONLINE), NORMAL);
	assert_int_equal(zone_for(&h, BOOT + 4096, 1024, PAGUS_ONLINE), MOVABLE);
	assert_int_equal(zone_for(&h, BOOT + 4096, 1024, PAGUS_ONLINE_KERNEL), NORMAL);
	assert_int_equal(zone_for(&h, 2 * BOOT + 1024, 1024, PAGUS_ONLINE), NORMAL);
	/* Once both touch it, the kernel's. */
	assert_int_equal(plug_on(&h, 2 * BOOT + 2048, 1024, PAGUS_ONLINE_KERNEL), PAGUS_OK);
	assert_int_equal(zone_for(&h, BOOT + 4096, 1024, PAGUS_ONLINE), NORMAL);
	plug_close(&h);
}

/* A range between others of a lower zone goes there; one above does not. */
static void test_lower_zones(void **context)
{
	static const struct pagus_range low[] = {
		{ .nr_pages = 4096, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = 4096, .nr_pages = 2048, .zone = PAGUS_ZONE_BY_CEILING, .offline = true },
		{ .start_pfn = 6144, .nr_pages = 2048, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = 8192, .nr_pages = 2048, .zone = PAGUS_ZONE_BY_CEILING, .offline = true },
	};

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_config cfg = lab_config(low, NR_OF(low), policies[n]);
		struct plug_lab h;

		cfg.dma_ceiling = 1024;
		cfg.dma32_ceiling = 65536;
		plug_open(&h, &cfg, 16384);
		assert_int_equal(pagus_nr_zones(&h.l.lab.p), 4);
		assert_int_equal(plug_on(&h, 4096, 1024, PAGUS_ONLINE), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, 1).present, 4096 + 1024 + 1024);
		assert_int_equal(plug_on(&h, 8192, 1024, PAGUS_ONLINE), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, 2).present, 1024);
		assert_int_equal(plug_off(&h, 4096, 1024), PAGUS_OK);
		assert_int_equal(plug_on(&h, 4096, 2048, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, 3).start_pfn, 4096);
		plug_close(&h);
	}
}

/* Property 51: 4 GiB of kernel memory of the boot, ratio 301: 12 GiB may be movable, not 13. */
static void test_property_51_auto_movable(void **context)
{
	const uint64_t gib = 262144;
	const struct pagus_range big[] = {
		{ .nr_pages = 4 * gib, .zone = PAGUS_ZONE_BY_CEILING },
		{ .start_pfn = 4 * gib, .nr_pages = 14 * gib, .zone = PAGUS_ZONE_BY_CEILING,
		  .offline = true },
		{ .start_pfn = 18 * gib, .nr_pages = gib, .node = 1, .zone = PAGUS_ZONE_BY_CEILING,
		  .offline = true },
	};
	struct pagus_config cfg = lab_config(big, NR_OF(big), "pcpbuddy-bitmap");
	struct plug_lab h;

	(void)context;
	cfg.section_order = 13;
	plug_open(&h, &cfg, 1);
	h.port.memory_notify = NULL;
	pagus_tunable_set(&h.l.lab.p, PAGUS_TUNABLE_online_policy, 1);
	for (uint64_t k = 0; k < 12; k++) {
		assert_int_equal(zone_for(&h, (4 + k) * gib, gib, PAGUS_ONLINE), MOVABLE);
		assert_int_equal(pagus_online(&h.l.lab.p, (4 + k) * gib, gib, PAGUS_ONLINE), PAGUS_OK);
	}
	assert_int_equal(zone_for(&h, 16 * gib, gib, PAGUS_ONLINE), NORMAL);
	assert_int_equal(zone_for(&h, 16 * gib, gib / 32, PAGUS_ONLINE), MOVABLE);
	assert_int_equal(pagus_online(&h.l.lab.p, 16 * gib, gib, PAGUS_ONLINE), PAGUS_OK);
	/* Only kernel memory of the boot counts. */
	assert_int_equal(zone_for(&h, 17 * gib, gib, PAGUS_ONLINE), NORMAL);
	pagus_tunable_set(&h.l.lab.p, PAGUS_TUNABLE_auto_movable_ratio, 400);
	assert_int_equal(zone_for(&h, 17 * gib, gib, PAGUS_ONLINE), MOVABLE);
	/* The node has none of its own. */
	assert_int_equal(zone_for(&h, 18 * gib, gib, PAGUS_ONLINE), NORMAL_1);
	pagus_tunable_set(&h.l.lab.p, PAGUS_TUNABLE_auto_movable_numa_aware, 0);
	assert_int_equal(zone_for(&h, 18 * gib, gib, PAGUS_ONLINE), MOVABLE_1);
	pagus_tunable_set(&h.l.lab.p, PAGUS_TUNABLE_auto_movable_ratio, 0);
	assert_int_equal(zone_for(&h, 18 * gib, gib, PAGUS_ONLINE), NORMAL_1);
	plug_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones_without_memory),
		cmocka_unit_test(test_bad_ranges),
		cmocka_unit_test(test_memory_of_the_boot),
		cmocka_unit_test(test_online),
		cmocka_unit_test(test_range_begins_inside_a_largest_block),
		cmocka_unit_test(test_kept_pages),
		cmocka_unit_test(test_property_47_restores_everything),
		cmocka_unit_test(test_property_47_boot_memory),
		cmocka_unit_test(test_property_48_nothing_before_all_agree),
		cmocka_unit_test(test_property_48_veto),
		cmocka_unit_test(test_contig_zones),
		cmocka_unit_test(test_lower_zones),
		cmocka_unit_test(test_property_51_auto_movable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
