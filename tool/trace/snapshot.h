/* SPDX-License-Identifier: MIT */
/*
 * A snapshot: the whole state of one kernel's page allocator at one instant, parsed from its record
 * stream (pagus-pgt(5), "Snapshot records"). Numbers are as recorded; zone indices and migratetypes
 * are translated to pagus's.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pagus/pagus.h>

struct trace_error;

#define SNAPSHOT_HOLE 255 /* a pageblock without memory */

struct snap_list {
	uint32_t order;      /* of each block */
	uint32_t type;       /* enum pagus_migratetype; free lists only */
	uint32_t index;      /* pcp list index; pcp lists only */
	uint32_t nr;
	uint64_t *pfns;      /* from head to tail */
};

struct snap_pcp {
	uint32_t cpu, count, high, batch, factor, expire;
	uint32_t stat_threshold;
	int32_t free_delta;  /* this CPU's part of the zone's NR_FREE_PAGES */
	uint32_t high_min, high_max, flags, free_count; /* 7.2; zero in 6.1 */
	struct snap_list lists[PAGUS_NR_PCP_LISTS];     /* nr = 0 where empty */
};

struct snap_zone {
	uint32_t node;
	uint32_t type;       /* enum pagus_zone_type */
	uint64_t start_pfn, spanned, present, managed;
	uint64_t wmark[PAGUS_NR_WMARKS];
	uint64_t boost, reserved_highatomic;
	uint64_t lowmem_reserve[PAGUS_NR_ZONE_TYPES]; /* HighMem, not recorded, as Normal */
	uint64_t drift_mark;     /* percpu_drift_mark */
	uint64_t nr_free_pages;  /* shared part; the pcps' free_delta come on top */
	uint64_t deferred_pages; /* 7.2: on the zone's lock-less list, waiting to be freed */
	uint32_t high_min, high_max, batch; /* 6.1 has one limit: high_max = high_min */
	uint64_t first_block_pfn;
	uint32_t nr_blocks;
	uint8_t *block_type;     /* enum pagus_migratetype a pageblock, or SNAPSHOT_HOLE */
	uint8_t *block_flags;    /* bit 0: compaction skip, bit 1: isolated */
	uint32_t nr_free_lists;
	struct snap_list *free_lists; /* recorded ones, in record order */
	struct snap_pcp *pcps;        /* one a CPU */
};

struct snap_zonelist {
	uint32_t node;
	bool this_node_only;
	uint32_t nr;
	uint16_t *zones;   /* node << 8 | enum pagus_zone_type, in walk order */
};

struct snapshot {
	uint32_t version;        /* of the record stream: 2 or 3 */
	uint32_t nr_cpus, nr_nodes, pageblock_order;
	uint64_t boot_ns;
	uint32_t min_free_kbytes;
	bool mobility_off;       /* page_group_by_mobility_disabled */
	uint64_t totalreserve_pages;
	uint32_t page_shift;
	uint32_t kswapd_failures[PAGUS_MAX_NODES]; /* of each node's kswapd, in a row */
	uint32_t defrag_mode, pcp_batch_scale_max; /* in range; 0 and 5 where not recorded */
	uint32_t nr_zones;
	struct snap_zone *zones;
	uint32_t nr_zonelists;
	struct snap_zonelist *zonelists;
};

/*
 * Parse and check: every record inside the stream, every list inside its zone, no page on two
 * lists, counts that agree. NULL with err->text "FILE: offset N: what" on failure; `file` is only
 * for that text.
 */
struct snapshot *snapshot_parse(const char *file, const uint32_t *words, size_t nr_words,
				struct trace_error *err);
void snapshot_free(struct snapshot *s);

/*
 * A migratetype as this kernel numbers it, in snapshots and events, as enum pagus_migratetype.
 * False if it has no such type.
 */
bool snapshot_type(const struct snapshot *s, uint32_t recorded, uint32_t *type);

#endif
