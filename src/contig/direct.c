/* SPDX-License-Identifier: MIT */
/* Compaction on a request's behalf. (try_to_compact_pages) */
#include "alloc/compact.h"

#include "base/bits.h"
#include "contig/compact.h"
#include "reclaim/defer.h"
#include "reclaim/reclaim.h"

/*
 * The most thorough of requests' modes differs in what it covers: it still waits for nothing to be
 * written out.
 */
static struct pg_compact run_of(struct pg_zone *z, const struct pg_plan *plan, uint32_t flags,
				const struct pagus_compact *how)
{
	const bool full = how->mode == PAGUS_COMPACT_SYNC_FULL;

	return (struct pg_compact){
		.z = z, .order = how->order, .type = plan->type, .gfp = how->gfp,
		.highest = how->highest, .flags = flags, .direct = true,
		.task = plan->task,
		.mode = how->mode == PAGUS_COMPACT_ASYNC ? PAGUS_MIGRATE_ASYNC :
			PAGUS_MIGRATE_SYNC_LIGHT,
		.whole_zone = full, .ignore_hints = full, .ignore_types = full,
	};
}

static enum pg_compacted compact_zone(struct pg_call *c, struct pg_zone *z,
				      const struct pg_plan *plan, uint32_t flags,
				      const struct pagus_compact *how, uint32_t *i)
{
	struct pg_capture capture = { .zone = z->id, .order = plan->order, .type = plan->type,
				      .i = PG_NONE };
	struct pg_compact k = run_of(z, plan, flags, how);
	enum pg_compacted result;

	c->capture = &capture;
	result = pg_compact_zone(c, &k);
	c->capture = NULL;
	*i = capture.i;
	return *i == PG_NONE ? result : PG_COMPACTED_SUCCESS;
}

static bool is_refused(const struct pg_call *c, struct pg_zone *z, const struct pagus_compact *how)
{
	if (how->mode == PAGUS_COMPACT_SYNC_FULL)
		return false;
	if (pg_defer_refuses(c, z, how->order)) {
		pg_count(c, PAGUS_COUNTER_compact_deferred, 1);
		return true;
	}
	return pg_rate_refuses(c, z);
}

/* The kernel's number. (enum compact_priority) */
static uint32_t priority(enum pagus_compact_mode mode)
{
	return mode == PAGUS_COMPACT_SYNC_FULL ? 0 : mode == PAGUS_COMPACT_SYNC_LIGHT ? 1 : 2;
}

static bool may_serve(const struct pg_call *c, const struct pg_plan *plan, uint32_t n,
		      uint32_t flags)
{
	const struct pg_zone *z = pg_zone(c->st, plan->zonelist[n]);

	return pg_read(z->managed) && pg_plan_allows(c->st, plan, n) &&
	       (!(flags & PG_ALLOC_CPUSET) || pg_cpuset_allows(c, plan, z->node));
}

enum pagus_compact_result pg_compact_direct(struct pg_call *c, const struct pg_plan *plan,
					    uint32_t flags, const struct pagus_compact *how,
					    uint32_t *i)
{
	enum pg_compacted most = PG_COMPACTED_SKIPPED;

	*i = PG_NONE;
	if (pg_event_wanted(c, PAGUS_EVENT_COMPACT_TRY))
		pg_event_raise(c, PAGUS_EVENT_COMPACT_TRY, PG_NO_ZONE, PAGUS_NO_PFN, how->order, 0,
			       how->gfp, priority(how->mode));
	for (uint32_t n = 1; n <= plan->zonelist[0]; n++) {
		struct pg_zone *z = pg_zone(c->st, plan->zonelist[n]);
		enum pg_compacted result = PG_COMPACTED_DEFERRED;

		if (!may_serve(c, plan, n, flags))
			continue;
		if (!is_refused(c, z, how))
			result = compact_zone(c, z, plan, flags, how, i);
		most = (enum pg_compacted)pg_max(most, result);
		if (result == PG_COMPACTED_SUCCESS) {
			pg_defer_reset(c, z, how->order, false);
			break;
		}
		if (how->mode != PAGUS_COMPACT_ASYNC &&
		    (result == PG_COMPACTED_COMPLETE || result == PG_COMPACTED_PARTIAL))
			pg_defer_failed(c, z, how->order);
		if (pg_is_to_die(c, plan->task))
			break;
	}
	return pg_compacted_as_told(most);
}

void pg_compact_served(const struct pg_call *c, struct pg_zone *z, uint32_t order)
{
	pg_zone_clear(z, PG_ZONE_HINTS_OLD);
	pg_defer_reset(c, z, order, true);
}
