/* SPDX-License-Identifier: MIT */
/*
 * Compaction: pages in use are moved to one end of a zone, so that what is free comes together.
 *
 *     migration scanner ->  in use, movable ......... free  <- free scanner
 *     from the zone's first pageblock up                       from its last one down
 *
 * Only blocks that were requested with __GFP_MOVABLE and whose owner agrees are moved (port.h:
 * isolate, move, putback). Requests compact by themselves in the slow path; these calls are for
 * everybody else. They may be made at any time, from any CPU, but not from the port's calls.
 */
#ifndef PAGUS_COMPACT_H
#define PAGUS_COMPACT_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAGUS_COMPACT_WHOLE UINT32_MAX /* in place of an order */

struct pagus_compact_zone {
	uint32_t zone;
	/*
	 * Stop as soon as a block of `order` is free for a request of `migratetype`: unmovable,
	 * movable or reclaimable. WHOLE: go through the whole zone, from its ends, whatever comes
	 * of it.
	 */
	uint32_t order;
	enum pagus_migratetype migratetype;
	uint32_t gfp;  /* on whose behalf: __GFP_FS says that owners may be asked who need it */
	enum pagus_migrate_mode mode;
	bool ignore_hints; /* look also where compaction has found nothing lately */
};

/* What a run did. */
struct pagus_compaction {
	uint64_t migrate_scanned, free_scanned; /* pages looked at by each scanner */
	uint64_t isolated;      /* pages claimed from their owners */
	uint64_t taken;         /* free pages taken to move them to */
	uint64_t moved, failed; /* of the pages claimed */
	uint64_t drains;        /* of all pcps of the zone, where pages there kept a block apart */
	uint64_t blocks;        /* more than before: of the order, or pageblocks with WHOLE */
};

/*
 * Compact one zone. SKIPPED also where no port moves pages, or a value is out of range. `stats` may
 * be NULL.
 */
enum pagus_compact_result pagus_compact_zone(struct pagus *p, const struct pagus_compact_zone *how,
					     struct pagus_compaction *stats);

/*
 * Compact all zones of a node, or of the machine, from end to end in mode SYNC: what a write to
 * /sys/devices/system/node/nodeN/compact or /proc/sys/vm/compact_memory does. Ends early where the
 * port says that the task is to be killed.
 */
enum pagus_status pagus_compact_node(struct pagus *p, uint32_t node);
enum pagus_status pagus_compact_memory(struct pagus *p);

/*
 * kcompactd, the worker that compacts a node in the background (PAGUS_WORKER_KCOMPACTD): its check
 * of how scattered the node's free memory is, due every 500 ms. True: it has something to do,
 * which pagus_work does. One at a time a node, with that.
 */
bool pagus_kcompactd_tick(struct pagus *p, uint32_t node);

#ifdef __cplusplus
}
#endif

#endif
