/* SPDX-License-Identifier: MIT */
/* Checks that need the whole snapshot: no page twice, and counts that agree with the lists. */
#include "trace/snapshot_parse.h"

#include <inttypes.h>
#include <stdlib.h>

static int compare_extents(const void *a, const void *b)
{
	const struct snapshot_extent *x = a, *y = b;

	if (x->pfn != y->pfn)
		return x->pfn < y->pfn ? -1 : 1;
	return x->word < y->word ? -1 : x->word > y->word;
}

static bool check_overlap(struct snapshot_parser *p)
{
	if (p->nr_extents == 0)
		return true;
	qsort(p->extents, p->nr_extents, sizeof(*p->extents), compare_extents);
	for (size_t i = 1; i < p->nr_extents; i++) {
		const struct snapshot_extent *a = &p->extents[i - 1], *b = &p->extents[i];

		if (b->pfn - a->pfn < 1ull << a->order)
			return snapshot_fail(p, b->word > a->word ? b->word : a->word,
					     "page %" PRIu64 " is on two lists", b->pfn);
	}
	return true;
}

static bool check_pcps(struct snapshot_parser *p, const struct snap_zone *z,
		       const struct snapshot_tally *tally)
{
	for (uint32_t cpu = 0; cpu < p->s->nr_cpus; cpu++) {
		if (!tally->pcp_seen[cpu])
			return snapshot_fail(p, tally->zone_word,
					     "zone has no pcp record of CPU %" PRIu32, cpu);
		if (z->pcps[cpu].count != tally->pcp_listed[cpu])
			return snapshot_fail(p, tally->zone_word,
					     "pcp of CPU %" PRIu32 " counts %" PRIu32 " pages, its "
					     "lists hold %" PRIu64, cpu, z->pcps[cpu].count,
					     tally->pcp_listed[cpu]);
	}
	return true;
}

static bool check_free(struct snapshot_parser *p, const struct snap_zone *z,
		       const struct snapshot_tally *tally)
{
	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++) {
		if (tally->stated[order] != tally->listed[order])
			return snapshot_fail(p, tally->zone_word,
					     "nr_free of order %" PRIu32 " is %" PRIu64
					     ", its lists hold %" PRIu64,
					     order, tally->stated[order], tally->listed[order]);
	}
	if (z->nr_free_pages + (uint64_t)tally->free_deltas != tally->free_pages)
		return snapshot_fail(p, tally->zone_word,
				     "NR_FREE_PAGES is %" PRIu64 " with deltas of %" PRId64
				     ", the lists hold %" PRIu64, z->nr_free_pages,
				     tally->free_deltas, tally->free_pages);
	return true;
}

/* Every pageblock that the zone's span touches has a type. */
static bool check_blocks(struct snapshot_parser *p, const struct snap_zone *z,
			 const struct snapshot_tally *tally)
{
	uint64_t end = z->first_block_pfn + ((uint64_t)z->nr_blocks << p->s->pageblock_order);

	if (z->nr_blocks == 0 || z->first_block_pfn > z->start_pfn ||
	    end < z->start_pfn + z->spanned)
		return snapshot_fail(p, tally->zone_word, "pageblocks do not cover the zone");
	return true;
}

static const struct snap_zone *find_listed(const struct snapshot *s, uint16_t entry)
{
	for (uint32_t i = 0; i < s->nr_zones; i++) {
		if (s->zones[i].node == entry >> 8 && s->zones[i].type == (entry & 0xffu))
			return &s->zones[i];
	}
	return NULL;
}

static bool check_zonelists(struct snapshot_parser *p)
{
	for (uint32_t i = 0; i < p->s->nr_zonelists; i++) {
		const struct snap_zonelist *l = &p->s->zonelists[i];

		for (uint32_t k = 0; k < l->nr; k++) {
			if (find_listed(p->s, l->zones[k]) == NULL)
				return snapshot_fail(p, p->word,
						     "a zonelist of node %" PRIu32
						     " names a zone that was not recorded",
						     l->node);
		}
	}
	return true;
}

bool snapshot_cross_check(struct snapshot_parser *p)
{
	if (p->s->nr_zones == 0)
		return snapshot_fail(p, p->word, "no zone was recorded");
	for (uint32_t i = 0; i < p->s->nr_zones; i++) {
		const struct snap_zone *z = &p->s->zones[i];

		if (!check_free(p, z, &p->tallies[i]))
			return false;
		if (z->present > 0 && (!check_pcps(p, z, &p->tallies[i]) ||
				       !check_blocks(p, z, &p->tallies[i])))
			return false;
	}
	return check_zonelists(p) && check_overlap(p);
}
