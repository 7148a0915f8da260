/* SPDX-License-Identifier: MIT */
/* (should_reclaim_retry, should_compact_retry) */
#include "alloc/retry.h"

#include "alloc/highatomic.h"
#include "reclaim/reclaim.h"
#include "reclaim/suitable.h"

#define MAX_RETRIES 16 /* MAX_RECLAIM_RETRIES, MAX_COMPACT_RETRIES */

uint64_t pg_slow_mems(const struct pg_call *c)
{
	const struct pagus_port *port = c->p->port;

	return port->mems_allowed ? port->mems_allowed(c->p->port_ctx, false) : 0;
}

void pg_slow_wait(struct pg_call *c, enum pagus_wait why)
{
	if (!c->p->port->wait)
		return;
	pg_call_end(c);
	c->p->port->wait(c->p->port_ctx, why);
	pg_call_resume(c);
}

typedef bool judge_zone(const struct pg_call *c, const struct pg_slow *s, const struct pg_zone *z);

static bool any_zone(const struct pg_call *c, const struct pg_slow *s, judge_zone *judge)
{
	const struct pg_plan *plan = &s->plan;

	for (uint32_t n = 1; n <= pg_plan_zones(plan); n++) {
		const struct pg_zone *z = pg_plan_zone(c->st, plan, n);

		if (!pg_plan_allows(c->st, plan, n) ||
		    ((s->flags & PG_ALLOC_CPUSET) && !pg_cpuset_allows(c, plan, z->node)))
			continue;
		if (judge(c, s, z))
			return true;
	}
	return false;
}

/* ---- superpageblocks -------------------------------------------------------------------------- */

static bool allows_it(const struct pg_call *c, const struct pg_slow *s, const struct pg_zone *z)
{
	return (s->flags & PG_ALLOC_NO_WATERMARKS) ||
	       pg_watermark_ok(c->st, z, s->plan.order, pg_mark(z, s->flags & PG_ALLOC_WMARK_MASK),
			       s->plan.highest, s->flags);
}

bool pg_slow_held(const struct pg_call *c, const struct pg_slow *s)
{
	return (s->flags & PG_ALLOC_KEEP_CLEAN) && any_zone(c, s, allows_it);
}

static bool offers(const struct pg_call *c, const struct pg_slow *s, const struct pg_zone *z)
{
	(void)c;
	(void)s;
	return pg_read(z->spb_tainted_free) || pg_read(z->spb_tainted_soft);
}

bool pg_slow_offers(const struct pg_call *c, const struct pg_slow *s)
{
	return (s->flags & PG_ALLOC_KEEP_CLEAN) && any_zone(c, s, offers);
}

/* ---- reclaim --------------------------------------------------------------------------------- */

static bool fits_if_reclaimed(const struct pg_call *c, const struct pg_slow *s,
			      const struct pg_zone *z)
{
	int64_t free = pg_read(z->free_pages) + (int64_t)pg_reclaimable(c, z);

	return pg_watermark_ok_with(c->st, z, s->plan.order, pg_mark(z, PAGUS_WMARK_MIN),
				    s->plan.highest, s->flags, free);
}

bool pg_retry_reclaim(struct pg_call *c, struct pg_slow *s)
{
	bool retry = false;

	if (s->progress && s->plan.order <= PG_COSTLY_ORDER)
		s->no_progress = 0;
	else
		s->no_progress++;
	if (s->no_progress <= MAX_RETRIES) {
		retry = any_zone(c, s, fits_if_reclaimed);
		pg_slow_wait(c, PAGUS_WAIT_RECLAIM);
	}
	return retry || pg_highatomic_unreserve(c, &s->plan, true);
}

/* ---- compaction ------------------------------------------------------------------------------ */

/* What reclaim frees may be anywhere: only a part of it helps a block come together. */
static bool suits_if_reclaimed(const struct pg_call *c, const struct pg_slow *s,
			       const struct pg_zone *z)
{
	int64_t free = pg_read(z->free_pages) + (int64_t)(pg_reclaimable(c, z) / s->plan.order);

	return pg_compact_room(c->st, z, s->plan.order, pg_mark(z, PAGUS_WMARK_MIN),
			       s->plan.highest, free);
}

static bool page_fits(const struct pg_call *c, const struct pg_slow *s, const struct pg_zone *z)
{
	return pg_watermark_ok(c->st, z, 0, pg_mark(z, PAGUS_WMARK_MIN), s->plan.highest, s->flags);
}

static bool raise_mode(struct pg_slow *s)
{
	const enum pagus_compact_mode most = s->plan.order > PG_COSTLY_ORDER ?
		PAGUS_COMPACT_SYNC_LIGHT : PAGUS_COMPACT_SYNC_FULL;

	if (s->mode <= most)
		return false;
	s->mode--;
	s->compactions = 0;
	return true;
}

bool pg_retry_compact(struct pg_call *c, struct pg_slow *s)
{
	const uint32_t most = s->plan.order > PG_COSTLY_ORDER ? MAX_RETRIES / 4 : MAX_RETRIES;

	if (s->plan.order == 0)
		return false;
	/* Without compaction, small orders may still come together as reclaim goes on. */
	if (!c->p->port->compact && !c->p->port->move)
		return s->plan.order <= PG_COSTLY_ORDER && any_zone(c, s, page_fits);
	if (s->plan.task & PAGUS_TASK_FATAL_SIGNAL)
		return false;
	if (s->compacted == PAGUS_COMPACT_SKIPPED)
		return any_zone(c, s, suits_if_reclaimed);
	if (s->compacted == PAGUS_COMPACT_SUCCESS && ++s->compactions <= most)
		return true;
	return raise_mode(s);
}
