/* SPDX-License-Identifier: MIT */
#include "replay/figures.h"

static const struct {
	const char *key;
	enum pagus_counter counter;
} compactions[] = {
#define FIGURES_X(key, counter) { #key, PAGUS_COUNTER_##counter },
	FIGURES_COMPACTIONS(FIGURES_X)
#undef FIGURES_X
};

static json_t *seconds_json(uint64_t ns)
{
	return json_real((double)ns / 1e9);
}

static void take_held(struct figures *f, const struct huge *h)
{
	for (uint32_t n = 0; n < FIGURES_HELD; n++)
		f->held_at_ds[n] = UINT64_C(1) << n <= h->nr_reached ?
			h->reached_ns[(UINT64_C(1) << n) - 1] / 100000000 : UINT64_MAX;
	if (h->plan.order != WHATIF_GIGANTIC_ORDER)
		return;
	f->held_at_s = json_array();
	for (uint64_t n = 0; n < h->nr_reached; n++)
		json_array_append_new(f->held_at_s, seconds_json(h->reached_ns[n]));
}

static void take_huge(struct figures *f, const struct replay *r, uint32_t page_shift)
{
	const struct huge *h = &r->huge;

	f->rounds = h->rounds;
	f->asked = h->asked;
	f->granted = h->granted;
	f->failed = h->asked - h->granted;
	f->held_at_end = h->nr;
	f->huge_moved_pages = h->moved_pages;
	f->huge_copied_bytes = h->moved_pages << page_shift;
	f->huge_reclaimed_pages = h->reclaimed_pages;
	f->huge_stalls = h->stalls;
	f->copied_per_granted = h->granted ? f->huge_copied_bytes / h->granted : 0;
	f->all_copied_per_granted = h->granted ? f->copied_bytes / h->granted : 0;
	take_held(f, h);
	for (uint32_t n = 0; n < HUGE_WHYS; n++)
		f->why[n] = h->why[n];
}

void figures_take(struct figures *f, const struct replay *r)
{
	const struct loop_outcome *loop = &r->loop.outcome;
	const uint32_t page_shift = trace_start(r->trace)->page_shift;
	const struct machine *m = r->machine;

	*f = (struct figures){
		.whatif = r->whatif,
		.moved_pages = r->owner.moved_pages,
		.copied_bytes = r->owner.moved_pages << page_shift,
		.moved_inherited = r->owner.moved_inherited,
		.failed_pages = machine_count(m, PAGUS_COUNTER_pgmigrate_fail),
		.kcompactd_runs = machine_count(m, PAGUS_COUNTER_compact_daemon_wake),
		.stalls = machine_count(m, PAGUS_COUNTER_compact_stall),
		.stalls_served = machine_count(m, PAGUS_COUNTER_compact_success),
		.evacuated_pages = machine_count(m, PAGUS_COUNTER_evacuate_pages),
		.emptied_pageblocks = machine_count(m, PAGUS_COUNTER_evacuate_pageblock),
		.emptied_superpageblocks = machine_count(m, PAGUS_COUNTER_evacuate_superpageblock),
		.reclaimed_pages = loop->reclaimed_cache + loop->reclaimed_slab +
				   loop->reclaimed_unknown,
		.reclaimed_cache = loop->reclaimed_cache,
		.reclaimed_slab = loop->reclaimed_slab,
		.reclaimed_unknown = loop->reclaimed_unknown,
		.oom_kills = loop->oom_kills,
		.killed_pages = loop->killed_pages,
		.unasked = loop->unasked,
		.late_frees = loop->late_frees,
	};
	for (uint32_t n = 0; n < FIGURES_NR_COMPACTIONS; n++)
		f->compactions[n] = machine_count(m, compactions[n].counter);
	f->evacuated_bytes = f->evacuated_pages << page_shift;
	take_huge(f, r, page_shift);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *assumptions_json(void)
{
	json_t *texts = json_array();

	for (uint32_t n = 0; loop_assumptions(n); n++)
		json_array_append_new(texts, json_string(loop_assumptions(n)));
	return texts;
}

json_t *figures_asked_json(const struct whatif *w)
{
	json_t *huge = json_null();

	if (w->huge.every_ns)
		huge = json_pack("{s:o,s:i,s:i,s:o}", "every_s", seconds_json(w->huge.every_ns),
				 "order", (int)w->huge.order, "count", (int)w->huge.count,
				 "hold_s", seconds_json(w->huge.hold_ns));
	return json_pack("{s:s,s:i,s:o,s:b,s:o}", "defrag", whatif_defrag_name(w->defrag),
			 "ready", (int)w->ready, "huge", huge, "closed_loop", w->closed_loop, "assumptions",
			 w->closed_loop ? assumptions_json() : json_array());
}

static json_t *whys_json(const struct figures *f)
{
	json_t *whys = json_object();
	char text[32];

	for (uint32_t n = 0; n < HUGE_WHYS; n++)
		if (f->why[n])
			json_object_set_new(whys, huge_why_name(n, text, sizeof(text)),
					    json_integer((json_int_t)f->why[n]));
	return whys;
}

static json_t *huge_json(const struct figures *f)
{
	if (!f->whatif.huge.every_ns)
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:I,s:o,s:I,s:O?,s:I,s:I,s:I,s:I,s:I,s:I}",
			 "rounds", (json_int_t)f->rounds, "asked", (json_int_t)f->asked,
			 "granted", (json_int_t)f->granted, "failed", (json_int_t)f->failed,
			 "failed_by", whys_json(f), "held_at_end", (json_int_t)f->held_at_end,
			 "held_at_s", f->held_at_s,
			 "moved_pages", (json_int_t)f->huge_moved_pages,
			 "copied_bytes", (json_int_t)f->huge_copied_bytes,
			 "copied_bytes_per_granted", (json_int_t)f->copied_per_granted,
			 "all_copied_bytes_per_granted", (json_int_t)f->all_copied_per_granted,
			 "reclaimed_pages", (json_int_t)f->huge_reclaimed_pages,
			 "stalls", (json_int_t)f->huge_stalls);
}

static json_t *compactions_json(const struct figures *f)
{
	json_t *object = json_object();

	for (uint32_t n = 0; n < FIGURES_NR_COMPACTIONS; n++)
		json_object_set_new(object, compactions[n].key,
				    json_integer((json_int_t)f->compactions[n]));
	return object;
}

static json_t *evacuations_json(const struct figures *f)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "pages", (json_int_t)f->evacuated_pages,
			 "copied_bytes", (json_int_t)f->evacuated_bytes,
			 "pageblocks", (json_int_t)f->emptied_pageblocks,
			 "superpageblocks", (json_int_t)f->emptied_superpageblocks);
}

static json_t *moves_json(const struct figures *f)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:o,s:o,s:I,s:I,s:I}",
			 "moved_pages", (json_int_t)f->moved_pages,
			 "copied_bytes", (json_int_t)f->copied_bytes,
			 "inherited_pages", (json_int_t)f->moved_inherited,
			 "failed_pages", (json_int_t)f->failed_pages,
			 "compactions", compactions_json(f), "evacuations", evacuations_json(f),
			 "kcompactd_runs", (json_int_t)f->kcompactd_runs,
			 "stalls", (json_int_t)f->stalls,
			 "stalls_served", (json_int_t)f->stalls_served);
}

static json_t *reclaim_json(const struct figures *f)
{
	if (!f->whatif.closed_loop)
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
			 "reclaimed_pages", (json_int_t)f->reclaimed_pages,
			 "cache_pages", (json_int_t)f->reclaimed_cache,
			 "slab_pages", (json_int_t)f->reclaimed_slab,
			 "unknown_pages", (json_int_t)f->reclaimed_unknown,
			 "oom_kills", (json_int_t)f->oom_kills,
			 "killed_pages", (json_int_t)f->killed_pages,
			 "unasked_requests", (json_int_t)f->unasked,
			 "late_frees", (json_int_t)f->late_frees);
}

void figures_json(json_t *policy, const struct figures *f)
{
	json_object_set_new(policy, "moves", moves_json(f));
	json_object_set_new(policy, "huge", huge_json(f));
	json_object_set_new(policy, "reclaim", reclaim_json(f));
}
