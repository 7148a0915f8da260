/* SPDX-License-Identifier: MIT */
/*
 * What a run of compaction tells of: the kernel's mm_compaction events. Sums over what they say agree
 * with the run's own counts, since each says what has come about since the one before.
 */
#include "contig/compact.h"

_Static_assert((int)PAGUS_COMPACT_WORD_SUCCESS == (int)PG_COMPACTED_SUCCESS &&
	       (int)PAGUS_COMPACT_WORD_COMPLETE == (int)PG_COMPACTED_COMPLETE &&
	       (int)PAGUS_COMPACT_WORD_SKIPPED == (int)PG_COMPACTED_SKIPPED,
	       "events say results by their numbers");

static void tell_scanners(const struct pg_call *c, const struct pg_compact *k,
			  enum pagus_event_id id, uint32_t result)
{
	if (pg_event_wanted(c, id))
		pg_event_raise_pair(c, id, k->z->id, pg_pfn(c->st, k->migrate),
				    pg_pfn(c->st, k->free), k->order,
				    k->mode != PAGUS_MIGRATE_ASYNC, result);
}

void pg_compact_tell_begin(const struct pg_call *c, const struct pg_compact *k)
{
	tell_scanners(c, k, PAGUS_EVENT_COMPACT_BEGIN, 0);
}

void pg_compact_tell_end(const struct pg_call *c, const struct pg_compact *k,
			 enum pg_compacted result)
{
	tell_scanners(c, k, PAGUS_EVENT_COMPACT_END, result);
}

static void tell_range(const struct pg_call *c, const struct pg_compact *k, enum pagus_event_id id,
		       uint32_t start, uint32_t end, uint64_t scanned, uint64_t taken)
{
	/* Behind the last page there need not be another. */
	if (pg_event_wanted(c, id))
		pg_event_raise_pair(c, id, k->z->id, pg_pfn(c->st, start), end > start ?
				    pg_pfn(c->st, end - 1) + 1 : pg_pfn(c->st, start), 0,
				    (uint32_t)scanned, (uint32_t)taken);
}

void pg_compact_tell_sources(const struct pg_call *c, struct pg_compact *k, uint32_t start,
			     uint32_t end)
{
	tell_range(c, k, PAGUS_EVENT_COMPACT_SOURCES, start, end,
		   k->stats.migrate_scanned - k->told.migrate_scanned,
		   k->stats.isolated - k->told.isolated);
	k->told.migrate_scanned = k->stats.migrate_scanned;
	k->told.isolated = k->stats.isolated;
}

void pg_compact_tell_targets(const struct pg_call *c, struct pg_compact *k,
			     enum pagus_event_id id, uint32_t start, uint32_t end)
{
	tell_range(c, k, id, start, end, k->stats.free_scanned - k->told.free_scanned,
		   k->stats.taken - k->told.taken);
	k->told.free_scanned = k->stats.free_scanned;
	k->told.taken = k->stats.taken;
}

void pg_compact_tell_moved(const struct pg_call *c, struct pg_compact *k)
{
	if (pg_event_wanted(c, PAGUS_EVENT_COMPACT_MOVED))
		pg_event_raise(c, PAGUS_EVENT_COMPACT_MOVED, k->z->id, PAGUS_NO_PFN, 0, 0,
			       (uint32_t)(k->m.moved_pages - k->told.moved),
			       (uint32_t)(k->m.failed_pages - k->told.failed));
	k->told.moved = k->m.moved_pages;
	k->told.failed = k->m.failed_pages;
}
