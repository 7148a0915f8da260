/* SPDX-License-Identifier: MIT */
/*
 * The kernel's counters by name, in its order. A row holds for a span of releases. Those of 6.1 and
 * 7.2 are as these kernels print them, those of 6.18 as one without CMA and unaccepted memory does,
 * those of 6.12 as its sources have them.
 */
#include "watch/vmstat.h"

enum value { NOT_KEPT, FREE_PAGES, FREE_BLOCKS, FREE_CMA };

struct row {
	const char *name;
	struct pg_span span;
	uint8_t zone;  /* the zone type that must be listed, or NO_ZONE */
	uint8_t value; /* of a zone counter */
};

#define NO_ZONE 0x80
#define ROW(name, from, until, zone, value) { name, { from, until }, zone, value }
#define ALWAYS(name)                ROW(name, 0, 0, NO_ZONE, NOT_KEPT)
#define FROM(major, minor, name)    ROW(name, PG_KERNEL(major, minor), 0, NO_ZONE, NOT_KEPT)
#define UNTIL(major, minor, name)   ROW(name, 0, PG_KERNEL(major, minor), NO_ZONE, NOT_KEPT)
#define BETWEEN(a, b, c, d, name)   ROW(name, PG_KERNEL(a, b), PG_KERNEL(c, d), NO_ZONE, NOT_KEPT)
#define IN_ZONE(name, zone)         ROW(name, 0, 0, zone, NOT_KEPT)
#define EACH_ZONE(name)                                                                            \
	IN_ZONE(name "_dma", PAGUS_ZONE_DMA), IN_ZONE(name "_dma32", PAGUS_ZONE_DMA32),           \
	IN_ZONE(name "_normal", PAGUS_ZONE_NORMAL), IN_ZONE(name "_high", PAGUS_ZONE_HIGHMEM),    \
	IN_ZONE(name "_movable", PAGUS_ZONE_MOVABLE), IN_ZONE(name "_device", PG_TEXT_DEVICE)

static const struct row zone_rows[] = {
	ROW("nr_free_pages", 0, 0, NO_ZONE, FREE_PAGES),
	ROW("nr_free_pages_blocks", PG_KERNEL(6, 15), 0, NO_ZONE, FREE_BLOCKS),
	ALWAYS("nr_zone_inactive_anon"), ALWAYS("nr_zone_active_anon"),
	ALWAYS("nr_zone_inactive_file"), ALWAYS("nr_zone_active_file"),
	ALWAYS("nr_zone_unevictable"), ALWAYS("nr_zone_write_pending"), ALWAYS("nr_mlock"),
	UNTIL(6, 18, "nr_bounce"), ALWAYS("nr_zspages"),
	ROW("nr_free_cma", 0, 0, NO_ZONE, FREE_CMA), FROM(6, 12, "nr_unaccepted"),
	ALWAYS("numa_hit"), ALWAYS("numa_miss"), ALWAYS("numa_foreign"),
	ALWAYS("numa_interleave"), ALWAYS("numa_local"), ALWAYS("numa_other"),
};

static const struct row node_rows[] = {
	ALWAYS("nr_inactive_anon"), ALWAYS("nr_active_anon"), ALWAYS("nr_inactive_file"),
	ALWAYS("nr_active_file"), ALWAYS("nr_unevictable"), ALWAYS("nr_slab_reclaimable"),
	ALWAYS("nr_slab_unreclaimable"), ALWAYS("nr_isolated_anon"),
	ALWAYS("nr_isolated_file"), ALWAYS("workingset_nodes"),
	ALWAYS("workingset_refault_anon"), ALWAYS("workingset_refault_file"),
	ALWAYS("workingset_activate_anon"), ALWAYS("workingset_activate_file"),
	ALWAYS("workingset_restore_anon"), ALWAYS("workingset_restore_file"),
	ALWAYS("workingset_nodereclaim"), ALWAYS("nr_anon_pages"), ALWAYS("nr_mapped"),
	ALWAYS("nr_file_pages"), ALWAYS("nr_dirty"), ALWAYS("nr_writeback"),
	UNTIL(6, 18, "nr_writeback_temp"), ALWAYS("nr_shmem"),
	ALWAYS("nr_shmem_hugepages"), ALWAYS("nr_shmem_pmdmapped"),
	ALWAYS("nr_file_hugepages"), ALWAYS("nr_file_pmdmapped"),
	ALWAYS("nr_anon_transparent_hugepages"), ALWAYS("nr_vmscan_write"),
	ALWAYS("nr_vmscan_immediate_reclaim"), ALWAYS("nr_dirtied"), ALWAYS("nr_written"),
	ALWAYS("nr_throttled_written"), ALWAYS("nr_kernel_misc_reclaimable"),
	ALWAYS("nr_foll_pin_acquired"), ALWAYS("nr_foll_pin_released"),
	FROM(7, 1, "nr_vmalloc"), ALWAYS("nr_kernel_stack"), ALWAYS("nr_page_table_pages"),
	ALWAYS("nr_sec_page_table_pages"), FROM(6, 12, "nr_iommu_pages"),
	ALWAYS("nr_swapcached"), ALWAYS("pgpromote_success"),
	ALWAYS("pgpromote_candidate"), FROM(6, 18, "pgpromote_candidate_nrl"),
	FROM(6, 12, "pgdemote_kswapd"), FROM(6, 12, "pgdemote_direct"),
	FROM(6, 12, "pgdemote_khugepaged"), FROM(6, 18, "pgdemote_proactive"),
	FROM(7, 1, "pgsteal_kswapd"), FROM(7, 1, "pgsteal_direct"),
	FROM(7, 1, "pgsteal_khugepaged"), FROM(7, 1, "pgsteal_proactive"),
	FROM(7, 1, "pgsteal_anon"), FROM(7, 1, "pgsteal_file"),
	FROM(7, 1, "pgscan_kswapd"), FROM(7, 1, "pgscan_direct"),
	FROM(7, 1, "pgscan_khugepaged"), FROM(7, 1, "pgscan_proactive"),
	FROM(7, 1, "pgscan_anon"), FROM(7, 1, "pgscan_file"), FROM(7, 1, "pgrefill"),
	FROM(6, 18, "nr_hugetlb"), FROM(6, 18, "nr_balloon_pages"),
	FROM(6, 18, "nr_kernel_file_pages"), FROM(7, 1, "nr_gpu_active"),
	FROM(7, 1, "nr_gpu_reclaim"),
};

/* What is counted for the whole machine, and events. */
static const struct row machine_rows[] = {
	ALWAYS("nr_dirty_threshold"), ALWAYS("nr_dirty_background_threshold"),
	FROM(6, 12, "nr_memmap_pages"), FROM(6, 12, "nr_memmap_boot_pages"),
	ALWAYS("pgpgin"), ALWAYS("pgpgout"), ALWAYS("pswpin"), ALWAYS("pswpout"),
	EACH_ZONE("pgalloc"), EACH_ZONE("allocstall"), EACH_ZONE("pgskip"),
	ALWAYS("pgfree"), ALWAYS("pgactivate"), ALWAYS("pgdeactivate"),
	ALWAYS("pglazyfree"), ALWAYS("pgfault"), ALWAYS("pgmajfault"),
	ALWAYS("pglazyfreed"), UNTIL(7, 1, "pgrefill"), ALWAYS("pgreuse"),
	UNTIL(7, 1, "pgsteal_kswapd"), UNTIL(7, 1, "pgsteal_direct"),
	BETWEEN(6, 12, 7, 1, "pgsteal_khugepaged"),
	BETWEEN(6, 18, 7, 1, "pgsteal_proactive"), UNTIL(6, 12, "pgdemote_kswapd"),
	UNTIL(6, 12, "pgdemote_direct"), UNTIL(7, 1, "pgscan_kswapd"),
	UNTIL(7, 1, "pgscan_direct"), BETWEEN(6, 12, 7, 1, "pgscan_khugepaged"),
	BETWEEN(6, 18, 7, 1, "pgscan_proactive"), ALWAYS("pgscan_direct_throttle"),
	UNTIL(7, 1, "pgscan_anon"), UNTIL(7, 1, "pgscan_file"),
	UNTIL(7, 1, "pgsteal_anon"), UNTIL(7, 1, "pgsteal_file"),
	FROM(6, 12, "zone_reclaim_success"), ALWAYS("zone_reclaim_failed"),
	ALWAYS("pginodesteal"), ALWAYS("slabs_scanned"), ALWAYS("kswapd_inodesteal"),
	ALWAYS("kswapd_low_wmark_hit_quickly"), ALWAYS("kswapd_high_wmark_hit_quickly"),
	ALWAYS("pageoutrun"), ALWAYS("pgrotated"), ALWAYS("drop_pagecache"),
	ALWAYS("drop_slab"), ALWAYS("oom_kill"), ALWAYS("numa_pte_updates"),
	ALWAYS("numa_huge_pte_updates"), ALWAYS("numa_hint_faults"),
	ALWAYS("numa_hint_faults_local"), ALWAYS("numa_pages_migrated"),
	ALWAYS("pgmigrate_success"), ALWAYS("pgmigrate_fail"),
	ALWAYS("thp_migration_success"), ALWAYS("thp_migration_fail"),
	ALWAYS("thp_migration_split"), ALWAYS("compact_migrate_scanned"),
	ALWAYS("compact_free_scanned"), ALWAYS("compact_isolated"),
	ALWAYS("compact_stall"), ALWAYS("compact_fail"), ALWAYS("compact_success"),
	ALWAYS("compact_daemon_wake"), ALWAYS("compact_daemon_migrate_scanned"),
	ALWAYS("compact_daemon_free_scanned"), ALWAYS("htlb_buddy_alloc_success"),
	ALWAYS("htlb_buddy_alloc_fail"), FROM(6, 12, "cma_alloc_success"),
	FROM(6, 12, "cma_alloc_fail"), ALWAYS("unevictable_pgs_culled"),
	ALWAYS("unevictable_pgs_scanned"), ALWAYS("unevictable_pgs_rescued"),
	ALWAYS("unevictable_pgs_mlocked"), ALWAYS("unevictable_pgs_munlocked"),
	ALWAYS("unevictable_pgs_cleared"), ALWAYS("unevictable_pgs_stranded"),
	ALWAYS("thp_fault_alloc"), ALWAYS("thp_fault_fallback"),
	ALWAYS("thp_fault_fallback_charge"), ALWAYS("thp_collapse_alloc"),
	ALWAYS("thp_collapse_alloc_failed"), ALWAYS("thp_file_alloc"),
	ALWAYS("thp_file_fallback"), ALWAYS("thp_file_fallback_charge"),
	ALWAYS("thp_file_mapped"), ALWAYS("thp_split_page"),
	ALWAYS("thp_split_page_failed"), ALWAYS("thp_deferred_split_page"),
	FROM(6, 12, "thp_underused_split_page"), ALWAYS("thp_split_pmd"),
	ALWAYS("thp_scan_exceed_none_pte"), ALWAYS("thp_scan_exceed_swap_pte"),
	ALWAYS("thp_scan_exceed_share_pte"), ALWAYS("thp_split_pud"),
	ALWAYS("thp_zero_page_alloc"), ALWAYS("thp_zero_page_alloc_failed"),
	ALWAYS("thp_swpout"), ALWAYS("thp_swpout_fallback"), ALWAYS("balloon_inflate"),
	ALWAYS("balloon_deflate"), ALWAYS("balloon_migrate"), ALWAYS("swap_ra"),
	ALWAYS("swap_ra_hit"), FROM(6, 12, "swpin_zero"), FROM(6, 12, "swpout_zero"),
	ALWAYS("ksm_swpin_copy"), ALWAYS("cow_ksm"), ALWAYS("zswpin"), ALWAYS("zswpout"),
	FROM(6, 12, "zswpwb"), ALWAYS("direct_map_level2_splits"),
	ALWAYS("direct_map_level3_splits"), FROM(6, 18, "direct_map_level2_collapses"),
	FROM(6, 18, "direct_map_level3_collapses"),
};

#define NR_OF(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct pg_row_style vmstat_style = { "", 0 };

static bool lists_row(const struct pagus_state *st, const struct row *row)
{
	return pg_span_has(row->span, pg_text_kernel(st)) &&
	       (row->zone == NO_ZONE || pg_text_lists_zone(st, row->zone));
}

static void put_row(struct pagus_text *t, const struct pg_row_style *style, const char *name,
		    uint64_t value)
{
	pg_put(t, style->indent);
	pg_put_left(t, name, style->name_width);
	pg_put_pair(t, " ", value, "\n");
}

/* The instance's counter of that name; 0 if it has none. */
static uint64_t counter_named(const struct pagus *p, const char *name)
{
	for (uint32_t c = 0; c < PAGUS_NR_COUNTERS; c++)
		if (pg_text_equal(pagus_counter_name((enum pagus_counter)c), name))
			return pagus_counter_read(p, (enum pagus_counter)c);
	return 0;
}

/* Free pages in blocks of at least a pageblock; isolated ones do not count. */
static uint64_t free_in_blocks(const struct pagus *p, const struct pg_zone *z)
{
	uint64_t pages = 0;

	for (uint32_t o = p->state->pageblock_order; o <= p->state->max_order; o++)
		pages += (z->nr_free[o] - pagus_free_blocks(p, z->id, o, PAGUS_ISOLATE)) << o;
	return pages;
}

static uint64_t zone_value(const struct pagus *p, const struct pg_zone *z, uint32_t value)
{
	switch (value) {
	case FREE_PAGES: return pg_text_free_pages(z);
	case FREE_BLOCKS: return free_in_blocks(p, z);
	case FREE_CMA: return (uint64_t)z->free_cma;
	default: return 0;
	}
}

void pg_put_zone_counters(const struct pagus *p, struct pagus_text *t, const struct pg_zone *z,
			  const struct pg_row_style *style)
{
	for (size_t n = 0; n < NR_OF(zone_rows); n++) {
		const struct row *row = &zone_rows[n];
		uint64_t sum = z ? 0 : counter_named(p, row->name);

		if (!lists_row(p->state, row))
			continue;
		for (uint32_t id = 0; id < p->state->nr_zones; id++)
			if (!z || z->id == id)
				sum += zone_value(p, pg_zone(p->state, id), row->value);
		put_row(t, style, row->name, sum);
	}
}

void pg_put_node_counters(const struct pagus *p, struct pagus_text *t,
			  const struct pg_row_style *style)
{
	for (size_t n = 0; n < NR_OF(node_rows); n++)
		if (lists_row(p->state, &node_rows[n]))
			put_row(t, style, node_rows[n].name, 0);
}

static void put_machine_counters(const struct pagus *p, struct pagus_text *t,
				 const struct row *rows, size_t nr)
{
	for (size_t n = 0; n < nr; n++)
		if (lists_row(p->state, &rows[n]))
			put_row(t, &vmstat_style, rows[n].name, counter_named(p, rows[n].name));
}

void pagus_text_vmstat(const struct pagus *p, struct pagus_text *t)
{
	pg_put_zone_counters(p, t, NULL, &vmstat_style);
	put_machine_counters(p, t, node_rows, NR_OF(node_rows));
	put_machine_counters(p, t, machine_rows, NR_OF(machine_rows));
	put_row(t, &vmstat_style, "nr_unstable", 0);
}
