/* SPDX-License-Identifier: MIT */
/*
 * Compaction of one zone. Two scanners go through its pageblocks: one up from the first, which
 * claims blocks in use from their owners, one down from the last, which takes free blocks to move
 * them to. The run ends when a block of the wanted order is there, when the scanners meet, or when
 * it is to give up.
 *
 *     compact.c: the loop    sources.c: the migration scanner    targets.c: the free scanner
 *     hints.c: where they begin, and which pageblocks they pass over
 *
 * What has been moved is freed straight into the zone, where it merges. Pages on pcps do not: where
 * they alone keep a block apart, the pcps are drained.
 */
#ifndef PG_CONTIG_COMPACT_H
#define PG_CONTIG_COMPACT_H

#include <pagus/compact.h>

#include "contig/migrate.h"
#include "reclaim/suitable.h"

#define PG_COMPACT_CLUSTER 32u /* pages a batch, and between two holds (COMPACT_CLUSTER_MAX) */
#define PG_TARGETS         96u /* blocks; of these, 16 for what cutting one leaves */

/* Free blocks that are taken, and wait for what is moved there. */
struct pg_targets {
	uint32_t nr;
	uint32_t pages, wanted; /* that there are; up to which the scan takes more */
	struct { uint32_t i, order; } block[PG_TARGETS];
	uint16_t aside[PAGUS_NR_ORDERS]; /* so many of an order are for sources of it */
};

/* One run. Positions are first pages of pageblocks, or, inside one, where its scan goes on. */
struct pg_compact {
	struct pg_zone *z;
	uint32_t order;       /* wanted; PG_COMPACT_WHOLE */
	uint32_t type;        /* migratetype of the request */
	uint32_t gfp, highest;
	uint32_t flags;       /* PG_ALLOC_* of the request: its mark, and CMA */
	enum pagus_migrate_mode mode;
	bool direct;          /* on a request's behalf */
	bool daemon;          /* kcompactd's */
	bool proactive;       /* until no more than `low` percent of what is free is scattered */
	uint32_t low;
	bool whole_zone;      /* from the zone's ends */
	bool ignore_hints;
	bool ignore_types;    /* targets lie in pageblocks of any type */

	uint32_t task;        /* PAGUS_TASK_*, besides what the port says */

	bool began;           /* the zone was worth it */
	uint64_t cost;        /* of drains, in pages copied */
	uint32_t migrate, free;
	bool contended;
	bool finish;          /* the pageblock is scanned to its end, to be done with it */
	uint32_t stride;      /* of the free scanner over what is in use, until it finds something */
	uint32_t unit;        /* by choice: what is emptied; else PG_NONE */
	bool cached;          /* the pageblock under scan has pages on pcps, */
	bool blocked;         /* and others that stay */
	struct pg_targets targets;
	struct pg_migration m;
	struct pagus_compaction stats;
	struct pagus_compaction told; /* of these, what events have said */
};

/* Compact: what it came to. No lock may be held. */
enum pg_compacted pg_compact_zone(struct pg_call *c, struct pg_compact *k);

/* What a drain of all pcps of a zone costs others, in pages copied. */
static inline uint64_t pg_compact_drain_cost(const struct pagus_state *st)
{
	return (uint64_t)st->nr_cpus * PG_COMPACT_CLUSTER;
}

/* The same as ports and callers are told. */
enum pagus_compact_result pg_compacted_as_told(enum pg_compacted result);

/* ---- tell.c: events; nothing but a test where nobody listens ---------------------------------- */

void pg_compact_tell_begin(const struct pg_call *c, const struct pg_compact *k);
void pg_compact_tell_end(const struct pg_call *c, const struct pg_compact *k,
			 enum pg_compacted result);

/* The pages of [start, end) were looked at, for sources or targets: what that came to since last. */
void pg_compact_tell_sources(const struct pg_call *c, struct pg_compact *k, uint32_t start,
			     uint32_t end);
void pg_compact_tell_targets(const struct pg_call *c, struct pg_compact *k,
			     enum pagus_event_id id, uint32_t start, uint32_t end);
void pg_compact_tell_moved(const struct pg_call *c, struct pg_compact *k);

/* ---- sources.c ------------------------------------------------------------------------------- */

enum pg_scan { PG_SCAN_ABORT, PG_SCAN_NONE, PG_SCAN_SOME };

/*
 * Claim some blocks of one pageblock, at `migrate` or behind it; the position moves on. NONE: there
 * was nothing in it.
 */
enum pg_scan pg_sources_scan(struct pg_call *c, struct pg_compact *k);

/* What a page looks like, and how far its block reaches below `end`. Without a lock. */
enum pg_source {
	PG_SOURCE_FREE,
	PG_SOURCE_CACHED, /* on a pcp, or on the way to one or the zone */
	PG_SOURCE_MOVABLE,
	PG_SOURCE_STAYS
};
struct pg_glance {
	enum pg_source what;
	uint32_t pages, order;
};
struct pg_glance pg_source_look(const struct pg_call *c, const struct pg_compact *k, uint32_t i,
				uint32_t end);

/* May the run empty the pageblock that begins at `start`, as far as its type says? */
bool pg_source_suits(const struct pagus_state *st, const struct pg_compact *k, uint32_t start);

/* Claim the block at i, if it is one in use. False: it stays where it is. */
bool pg_source_take(struct pg_call *c, struct pg_compact *k, uint32_t i, const struct pg_glance *g);

/* Pages of what a run empties: a block of the wanted order, a pageblock at most. */
static inline uint32_t pg_compact_unit(const struct pagus_state *st, const struct pg_compact *k)
{
	return 1u << (k->order < st->pageblock_order ? k->order : st->pageblock_order);
}

/* ---- choice.c -------------------------------------------------------------------------------- */

/*
 * In place of the scanners: empty the units of the zone that cost the least, one after the other,
 * until there is a block (vm.compact_choice). NO_PAGE: none can be, and the scanners may try.
 */
enum pg_compacted pg_choice_run(struct pg_call *c, struct pg_compact *k);

/* ---- compact.c, for choice.c ----------------------------------------------------------------- */

/* Is there a block that the request could have? Or one in its hands already? */
bool pg_compact_served_by(const struct pg_call *c, const struct pg_compact *k);
bool pg_compact_captured(const struct pg_call *c);

/* Move what is claimed, and put back the rest. False: there was nowhere to. */
bool pg_compact_move(struct pg_call *c, struct pg_compact *k);

/* The unit in the pageblock that begins at `start` is done: pages on pcps are given back. */
void pg_compact_leave(struct pg_call *c, struct pg_compact *k, uint32_t start);

/* ---- targets.c: get and put of the migration, and their end ---------------------------------- */

pg_migrate_get pg_targets_get;
pg_migrate_put pg_targets_put;

/*
 * See to it that there are `nr` blocks of `order`, or as many as there is room for, that nothing
 * smaller gets: false if there are none.
 */
bool pg_targets_set_aside(struct pg_call *c, struct pg_compact *k, uint32_t order, uint32_t nr);

/* By choice: is there room for so many pages outside of the unit? */
bool pg_targets_room(struct pg_call *c, struct pg_compact *k, uint32_t pages);

/* Give back what was not used: the highest page of it, or PG_NONE. */
uint32_t pg_targets_release(struct pg_call *c, struct pg_compact *k);

/* ---- hints.c --------------------------------------------------------------------------------- */

/* First page of a pageblock; does all of it seem to be the zone's? */
static inline uint32_t pg_block_first(const struct pagus_state *st, uint32_t block)
{
	return st->first_page + (block << st->pageblock_order);
}
bool pg_block_of_zone(const struct pagus_state *st, const struct pg_zone *z, uint32_t i);

/*
 * The first page behind the superpageblock of page i, if there is nothing to move in it, as it is
 * tainted and holds nothing movable; or nothing may be moved there, as what is free of it is its
 * reserve's. Else i. As it looks.
 */
uint32_t pg_barren_end(const struct pagus_state *st, const struct pg_zone *z, uint32_t i);
uint32_t pg_kept_end(const struct pagus_state *st, const struct pg_zone *z, uint32_t i);

/* Where the run begins; it may turn out to be one over the whole zone. */
void pg_hints_start(struct pg_call *c, struct pg_compact *k);

/* The scanners have met, or a pageblock is done. */
void pg_hints_restart(struct pg_compact *k);
void pg_hints_migrated(const struct pagus_state *st, struct pg_compact *k, uint32_t end);
void pg_hints_freed(struct pagus_state *st, struct pg_compact *k, uint32_t start);

/* Target blocks down from i were given back unused. */
void pg_hints_free_again(const struct pagus_state *st, struct pg_compact *k, uint32_t i);

/*
 * Clear the zone's skip hints where there may be something to find again, and begin there.
 * (__reset_isolation_suitable)
 */
void pg_hints_clear(struct pg_call *c, struct pg_zone *z);

#endif
