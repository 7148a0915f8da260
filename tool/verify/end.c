/* SPDX-License-Identifier: MIT */
/* The end: every list of the library's state against the recorded one, in order. */
#include "verify/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
	struct verify *v;
	const struct pagus *p;
	uint32_t pageblock_order;
	bool tuned;       /* the release tunes its pcps */
	uint64_t *ours;   /* room for the longest list */
	uint64_t room;
};

static bool make_room(struct comparison *c, uint64_t nr)
{
	if (nr > c->room) {
		uint64_t *grown = realloc(c->ours, nr * sizeof(*grown));

		if (!grown)
			return false;
		c->ours = grown;
		c->room = nr;
	}
	return true;
}

static int by_pfn(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* How many blocks of a recorded list are not on ours. */
static uint64_t count_missing(struct comparison *c, uint64_t nr_ours,
			      const struct snap_list *theirs)
{
	uint64_t missing = 0;

	/* Before any list of ours has had an entry there is nothing at all to look into. */
	if (nr_ours == 0)
		return theirs ? theirs->nr : 0;
	qsort(c->ours, nr_ours, sizeof(*c->ours), by_pfn);
	for (uint64_t n = 0; theirs && n < theirs->nr; n++)
		missing += !bsearch(&theirs->pfns[n], c->ours, nr_ours, sizeof(*c->ours), by_pfn);
	return missing;
}

/* Blocks of 2^order pages. */
static void compare_list(struct comparison *c, uint64_t nr_ours, const struct snap_list *theirs,
			 uint32_t order)
{
	uint64_t nr_theirs = theirs ? theirs->nr : 0;

	if (nr_ours == 0 && nr_theirs == 0)
		return;
	c->v->end.lists++;
	if (nr_ours == nr_theirs &&
	    memcmp(c->ours, theirs->pfns, nr_ours * sizeof(*c->ours)) == 0)
		c->v->end.lists_in_order++;
	else
		c->v->end.pages_misplaced += count_missing(c, nr_ours, theirs) << order;
}

static const struct snap_list *recorded_list(const struct snap_zone *zone, uint32_t order,
					     uint32_t type)
{
	for (uint32_t n = 0; n < zone->nr_free_lists; n++)
		if (zone->free_lists[n].order == order && zone->free_lists[n].type == type)
			return &zone->free_lists[n];
	return NULL;
}

static bool compare_free_lists(struct comparison *c, uint32_t id, const struct snap_zone *zone)
{
	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++) {
		int64_t blocks = 0;

		for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
			const struct snap_list *theirs = recorded_list(zone, order, type);
			enum pagus_migratetype mt = (enum pagus_migratetype)type;
			uint64_t nr = pagus_free_blocks(c->p, id, order, mt);

			if (!make_room(c, nr))
				return false;
			pagus_free_list(c->p, id, order, mt, c->ours, nr);
			compare_list(c, nr, theirs, order);
			blocks += (int64_t)nr - (theirs ? (int64_t)theirs->nr : 0);
		}
		c->v->end.buddyinfo_pages_off += (uint64_t)(blocks < 0 ? -blocks : blocks) << order;
	}
	return true;
}

/*
 * Where limits are fixed, high is the lower of ours, and drains have grown by what ours counts as
 * freed.
 */
static bool same_scalars(bool tuned, const struct pagus_pcp_info *ours,
			 const struct snap_pcp *theirs)
{
	bool same = ours->count == theirs->count && ours->batch == theirs->batch;

	if (!tuned)
		return same && ours->high_min == theirs->high && ours->free_count == theirs->factor;
	return same && ours->high == theirs->high && ours->alloc_factor == theirs->factor &&
	       ours->free_count == theirs->free_count && ours->flags == theirs->flags &&
	       ours->high_min == theirs->high_min && ours->high_max == theirs->high_max;
}

static bool compare_pcps(struct comparison *c, uint32_t id, const struct snap_zone *zone,
			 uint32_t nr_cpus)
{
	for (uint32_t cpu = 0; cpu < nr_cpus; cpu++) {
		const struct snap_pcp *theirs = &zone->pcps[cpu];
		struct pagus_pcp_info ours;

		pagus_pcp_info(c->p, id, cpu, &ours);
		c->v->end.pcp_scalars++;
		c->v->end.pcp_scalars_equal += same_scalars(c->tuned, &ours, theirs);
		for (uint32_t list = 0; list < PAGUS_NR_PCP_LISTS; list++) {
			uint64_t nr = pagus_pcp_list(c->p, id, cpu, list, NULL, 0);

			if (!make_room(c, nr))
				return false;
			pagus_pcp_list(c->p, id, cpu, list, c->ours, nr);
			compare_list(c, nr, &theirs->lists[list],
				     list < 12 ? list / 3 : c->pageblock_order);
		}
	}
	return true;
}

/*
 * Blocks of each type, as pagetypeinfo counts them: half the sum of the differences is how many are
 * off.
 */
static void compare_blocks(struct comparison *c, const struct snap_zone *zone, uint32_t order)
{
	int64_t nr[PAGUS_NR_MIGRATETYPES] = { 0 };
	uint64_t off = 0;

	for (uint32_t b = 0; b < zone->nr_blocks; b++) {
		struct pagus_page_info page;
		uint64_t pfn = zone->first_block_pfn + ((uint64_t)b << order);

		if (zone->block_type[b] == SNAPSHOT_HOLE ||
		    pagus_page_info(c->p, pfn, &page) != PAGUS_OK)
			continue;
		nr[page.block_type]++;
		nr[zone->block_flags[b] & 2 ? (uint32_t)PAGUS_ISOLATE : zone->block_type[b]]--;
	}
	for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
		off += (uint64_t)(nr[type] < 0 ? -nr[type] : nr[type]);
	c->v->end.pagetypeinfo_blocks_off += off / 2;
}

bool verify_end_state(struct verify *v, const struct machine *m, struct trace *t,
		      struct trace_error *err)
{
	const struct snapshot *end = trace_end(t, err);
	struct comparison c = {
		.v = v, .p = &m->pagus, .pageblock_order = trace_start(t)->pageblock_order,
		.tuned = trace_start(t)->version >= MACHINE_TUNED_PCP,
	};
	bool ok = true;

	if (!end)
		return err->text[0] == '\0';
	v->end.recorded = true;
	for (uint32_t id = 0; ok && id < pagus_nr_zones(c.p); id++) {
		struct pagus_zone_info info;

		pagus_zone_info(c.p, id, &info);
		for (uint32_t z = 0; ok && z < end->nr_zones; z++) {
			const struct snap_zone *zone = &end->zones[z];

			if (zone->node != info.node || zone->type != (uint32_t)info.type)
				continue;
			ok = compare_free_lists(&c, id, zone) &&
			     compare_pcps(&c, id, zone, end->nr_cpus);
			compare_blocks(&c, zone, end->pageblock_order);
		}
	}
	free(c.ours);
	if (!ok)
		snprintf(err->text, sizeof(err->text), "%s: no memory", trace_meta(t)->path);
	return ok;
}
