/* SPDX-License-Identifier: MIT */
#include "replay/result.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- taking -------------------------------------------------------------------------------- */

/*
 * Trace time in ns since the first event. A clock in cycles is scaled by the span that the
 * snapshots give.
 */
static uint64_t time_ns(const struct replay *r, uint64_t ts)
{
	const struct trace_meta *meta = trace_meta(r->trace);
	uint64_t span = r->recorded.last_ts - r->recorded.first_ts;
	uint64_t since = ts > r->recorded.first_ts ? ts - r->recorded.first_ts : 0;

	if (strcmp(meta->clock, "x86-tsc") != 0 || meta->span_ns == 0 || span == 0)
		return since;
	return (uint64_t)((double)since / (double)span * (double)meta->span_ns);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *series_json(const struct replay *r)
{
	const struct series *s = &r->series;
	json_t *time = json_array(), *event = json_array(), *orders = json_array();
	json_t *pcp = json_array(), *mixed = json_array();
	json_t *tainted = json_array(), *empty = json_array();
	json_t *copied = json_array(), *granted = json_array();
	const uint32_t page_shift = trace_start(r->trace)->page_shift;

	for (uint32_t n = 0; n < s->nr_samples; n++) {
		const struct series_sample *sample = &s->samples[n];
		json_t *pages = json_array();

		for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
			json_array_append_new(pages, number(sample->nr_free[o] << o));
		json_array_append_new(time, number(time_ns(r, sample->ts)));
		json_array_append_new(event, number(sample->event));
		json_array_append_new(orders, pages);
		json_array_append_new(pcp, number(sample->pcp_pages));
		json_array_append_new(mixed, number(sample->nr_mixed));
		json_array_append_new(tainted, number(sample->nr_tainted));
		json_array_append_new(empty, number(sample->nr_empty));
		json_array_append_new(copied, number(sample->moved_pages << page_shift));
		json_array_append_new(granted, number(sample->nr_granted));
	}
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "time_ns", time, "event", event,
			 "free_pages_by_order", orders, "pcp_pages", pcp, "mixed_pageblocks",
			 mixed, "tainted_superpageblocks", tainted, "empty_superpageblocks",
			 empty, "copied_bytes", copied, "huge_granted", granted);
}

/* A zone's pageblocks, as indices into the content, without holes at either end. */
struct zone_cells {
	uint32_t first, nr;
};

static struct zone_cells cells_of(const struct replay *r, const struct pagus_zone_info *z)
{
	const struct content *c = &r->content;
	uint32_t first = (uint32_t)((z->start_pfn - c->first_pfn) >> c->pageblock_order);
	uint32_t last =
		(uint32_t)((z->start_pfn + z->spanned - 1 - c->first_pfn) >> c->pageblock_order);

	while (first < last && !c->is_memory[first])
		first++;
	while (last > first && !c->is_memory[last])
		last--;
	return (struct zone_cells){ .first = first, .nr = last - first + 1 };
}

/* The cells of the zones, one zone behind the other, from an array over all pageblocks. */
static uint32_t gather_cells(const struct replay *r, const char *blocks, char *cells)
{
	uint32_t nr = 0;

	for (uint32_t id = 0; id < pagus_nr_zones(&r->machine->pagus); id++) {
		struct pagus_zone_info z;
		struct zone_cells zone;

		pagus_zone_info(&r->machine->pagus, id, &z);
		zone = cells_of(r, &z);
		memcpy(cells + nr, blocks + zone.first, zone.nr);
		nr += zone.nr;
	}
	return nr;
}

static json_t *zones_json(const struct replay *r)
{
	json_t *zones = json_array();
	uint64_t first_cell = 0;

	for (uint32_t id = 0; id < pagus_nr_zones(&r->machine->pagus); id++) {
		struct pagus_zone_info z;
		struct zone_cells zone;
		uint64_t first_pfn;

		pagus_zone_info(&r->machine->pagus, id, &z);
		zone = cells_of(r, &z);
		first_pfn =
			r->content.first_pfn + ((uint64_t)zone.first << r->content.pageblock_order);
		json_array_append_new(zones, json_pack("{s:i,s:s,s:I,s:I,s:I}", "node", (int)z.node,
			"name", pagus_zone_name(z.type), "first_pfn", (json_int_t)first_pfn,
			"first_cell", (json_int_t)first_cell, "nr_cells", (json_int_t)zone.nr));
		first_cell += zone.nr;
	}
	return zones;
}

/* A slice as its difference to the one before: gaps between changed cells, and the new cells. */
static json_t *slice_json(const struct replay *r, const struct series_slice *slice,
			  const char *before, const char *cells, uint32_t nr_cells, char *changed)
{
	json_t *object = json_pack("{s:I,s:I}", "time_ns", (json_int_t)time_ns(r, slice->ts),
				   "event", (json_int_t)slice->event);
	json_t *skip = json_array();
	uint32_t nr_changed = 0, gap = 0;

	for (uint32_t n = 0; n < nr_cells; n++, gap++) {
		if (cells[n] == before[n])
			continue;
		changed[nr_changed++] = cells[n];
		json_array_append_new(skip, number(gap));
		gap = UINT32_MAX; /* the increment makes it 0 */
	}
	json_object_set_new(object, "skip", skip);
	json_object_set_new(object, "cells", json_stringn(changed, nr_changed));
	return object;
}

static json_t *map_json(const struct replay *r)
{
	const struct series *s = &r->series;
	json_t *slices = json_array();
	/* Zones that meet inside a pageblock both show it, so there may be one cell more a zone. */
	size_t room = r->content.nr_blocks + pagus_nr_zones(&r->machine->pagus);
	char *buffers = malloc(3 * room), *before = buffers, *cells = buffers + room, *swap;

	if (!buffers) {
		json_decref(slices);
		return NULL;
	}
	for (uint32_t n = 0; n < s->nr_slices; n++) {
		uint32_t nr_cells = gather_cells(r, s->slices[n].cells, cells);

		if (n == 0)
			json_array_append_new(slices, json_pack("{s:I,s:I,s:o}",
				"time_ns", (json_int_t)time_ns(r, s->slices[n].ts),
				"event", (json_int_t)s->slices[n].event,
				"cells", json_stringn(cells, nr_cells)));
		else
			json_array_append_new(slices, slice_json(r, &s->slices[n], before, cells,
								 nr_cells, buffers + 2 * room));
		swap = before;
		before = cells;
		cells = swap;
	}
	free(buffers);
	return json_pack("{s:o,s:o}", "zones", zones_json(r), "slices", slices);
}

static json_t *locks_json(const struct machine *m)
{
	static const char *const names[PAGUS_NR_LOCK_CLASSES] = { "pcp", "zone", "oom" };
	json_t *locks = json_object();

	for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++) {
		json_t *reasons = json_object();

		for (uint32_t why = 0; why < PAGUS_NR_LOCK_REASONS; why++) {
			const struct pagus_sim_ledger *row = &m->sim.ledger[cls][why];

			if (row->acquisitions == 0)
				continue;
			json_object_set_new(reasons,
				pagus_lock_reason_name((enum pagus_lock_reason)why),
				json_pack("{s:I,s:I,s:I}", "acquisitions",
					  (json_int_t)row->acquisitions, "work",
					  (json_int_t)row->work, "max_work",
					  (json_int_t)row->max_work));
		}
		json_object_set_new(locks, names[cls], reasons);
	}
	return locks;
}

static json_t *counters_json(const struct machine *m)
{
	json_t *counters = json_object();

	for (uint32_t c = 0; c < PAGUS_NR_COUNTERS; c++)
		json_object_set_new(counters, pagus_counter_name((enum pagus_counter)c),
				    number(machine_count(m, (enum pagus_counter)c)));
	return counters;
}

static void take_superpageblocks(struct result *res, const struct replay *r)
{
	const struct superpageblocks *s = &r->content.superpageblocks;
	uint32_t page_shift = trace_start(r->trace)->page_shift;

	res->superpageblock_mib = UINT64_C(1) << (s->order + page_shift - 20);
	for (uint32_t n = 0; n < s->nr; n++)
		res->superpageblocks += s->is_whole[n];
	res->tainted = s->nr_tainted;
	res->peak_tainted = s->peak_tainted;
	res->taints = superpageblocks_taints(s);
	memcpy(res->taints_by, s->taints, sizeof(res->taints_by));
	res->tainted_bound = superpageblocks_bound(s);
	res->empty = s->nr_empty;
	res->obtainable = superpageblocks_obtainable(s, r->machine);
	res->obtainable_bytes = superpageblocks_cost(s, res->obtainable) << page_shift;
	res->upper_bound = superpageblocks_upper_bound(s, r->machine);
	if (s->nr_tainted)
		res->packing_per_mille = s->kernel_pages * 1000 / (s->nr_tainted << s->order);
}

static void take_end_state(struct result *res, const struct replay *r)
{
	const struct pagus *p = &r->machine->pagus;
	uint32_t order_2mib = 21 - trace_start(r->trace)->page_shift;

	for (uint32_t id = 0; id < pagus_nr_zones(p); id++) {
		struct pagus_zone_info z;

		pagus_zone_info(p, id, &z);
		res->pcp_pages += z.pcp_pages;
		for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++) {
			res->free_blocks[o] += z.nr_free[o];
			res->free_pages += z.nr_free[o] << o;
			if (o >= order_2mib)
				res->free_2mib_blocks += z.nr_free[o] << (o - order_2mib);
		}
	}
	res->unusable_3 = pagus_unusable_index(p, UINT32_MAX, 3);
	res->unusable_9 = pagus_unusable_index(p, UINT32_MAX, 9);
	res->mixed_pageblocks = r->content.nr_mixed;
	take_superpageblocks(res, r);
	for (uint32_t b = 0; b < r->content.nr_blocks; b++)
		res->pageblocks += r->content.is_memory[b];
	res->digest = pagus_digest(p);
}

static void take_rates(struct result *res, const struct replay *r)
{
	uint64_t ops = res->allocations + res->frees;

	if (res->allocations)
		res->pcp_hits_per_mille = res->pcp_hits * 1000 / res->allocations;
	if (ops)
		res->zone_locks_per_1000_tenths = res->zone_locks * 10000 / ops;
	if (res->seconds > 0)
		res->events_per_second = (uint64_t)((double)r->recorded.events / res->seconds);
}

static const char *about_policy(const char *policy)
{
	const char *about = "";

	for (uint32_t n = 0; pagus_policy_at(n, &about); n++)
		if (strcmp(pagus_policy_at(n, NULL), policy) == 0)
			return about;
	return "";
}

bool result_take(struct result_set *set, const struct replay *r, const char *policy, double seconds,
		 struct trace_error *err)
{
	struct result *res = &set->results[set->nr];
	const struct machine *m = r->machine;
	struct pagus_sim_ledger zone = pagus_sim_total(&m->sim, PAGUS_LOCK_ZONE);
	const struct snapshot *end = trace_end(r->trace, err);

	if (!end && err->text[0])
		return false;
	*res = (struct result){
		.about = about_policy(policy),
		.nr_cpus = m->sim.nr_cpus,
		.seconds = seconds,
		.allocations = r->outcome.allocations,
		.failures = r->outcome.refused,
		.frees = r->outcome.frees,
		.pcp_hits = machine_count(m, PAGUS_COUNTER_pcp_alloc_hit),
		.zone_locks = zone.acquisitions,
		.zone_lock_work = zone.work,
		.zone_lock_max_work = zone.max_work,
		.fallback_cma = machine_count(m, PAGUS_COUNTER_fallback_cma),
		.claim_block = machine_count(m, PAGUS_COUNTER_fallback_claim_block),
		.claim_part = machine_count(m, PAGUS_COUNTER_fallback_claim_part),
		.claim_refused = machine_count(m, PAGUS_COUNTER_fallback_claim_refused),
		.steal = machine_count(m, PAGUS_COUNTER_fallback_steal),
	};
	snprintf(res->policy, sizeof(res->policy), "%s", policy);
	take_rates(res, r);
	take_end_state(res, r);
	figures_take(&res->figures, r);
	ledger_of_policy(&res->ledger, r, end);
	res->details = json_pack("{s:o,s:o,s:o,s:o}", "locks", locks_json(m), "counters",
				 counters_json(m), "series", series_json(r), "map", map_json(r));
	if (!res->details) {
		snprintf(err->text, sizeof(err->text), "%s: no memory for the results",
			 trace_meta(r->trace)->path);
		return false;
	}
	set->trace = r->trace;
	set->recorded = r->recorded;
	ledger_of_trace(&set->ledger, r, trace_meta(r->trace));
	set->memory_pages = 0;
	for (uint32_t z = 0; z < trace_start(r->trace)->nr_zones; z++)
		set->memory_pages += trace_start(r->trace)->zones[z].present;
	set->nr++;
	return true;
}

void result_set_fini(struct result_set *set)
{
	for (uint32_t n = 0; n < set->nr; n++) {
		json_decref(set->results[n].details);
		json_decref(set->results[n].figures.held_at_s);
	}
	set->nr = 0;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *ledger_json(const struct ledger *l)
{
	json_t *rows = json_array();

	for (uint32_t n = 0; n < l->nr; n++) {
		const struct ledger_row *row = &l->rows[n];
		json_t *object = json_pack("{s:s,s:o,s:s,s:s}", "key", row->key, "value",
			row->per_mille ? json_real((double)row->value / 1000) : number(row->value),
			"level", ledger_level_name(row->level), "text", row->text);

		if (row->compared)
			json_object_set_new(object, "recorded", number(row->recorded));
		json_array_append_new(rows, object);
	}
	return rows;
}

static json_t *trace_json(const struct result_set *set)
{
	const struct trace_meta *meta = trace_meta(set->trace);
	const struct snapshot *snap = trace_start(set->trace);
	const char *slash = strrchr(meta->path, '/');

	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:I}",
			 "path", slash && slash[1] ? slash + 1 : meta->path,
			 "kernel", meta->kernel, "release", meta->release,
			 "workload", meta->workload, "machine", meta->machine,
			 "cpus", (int)snap->nr_cpus, "nodes", (int)snap->nr_nodes,
			 "pageblock_order", (int)snap->pageblock_order,
			 "page_bytes", 1 << snap->page_shift,
			 "memory_pages", (json_int_t)set->memory_pages,
			 "events", (json_int_t)set->recorded.events,
			 "span_ns", (json_int_t)meta->span_ns,
			 "lost_events", (json_int_t)meta->lost_events);
}

static json_t *taints_json(const struct result *res)
{
	static const char *const keys[] = {
#define SUPERPAGEBLOCKS_X(key) #key,
		SUPERPAGEBLOCKS_CAUSES(SUPERPAGEBLOCKS_X)
#undef SUPERPAGEBLOCKS_X
	};
	json_t *taints = json_object();

	for (uint32_t by = 0; by < SUPERPAGEBLOCKS_NR_CAUSES; by++)
		json_object_set_new(taints, keys[by], number(res->taints_by[by]));
	return taints;
}

static json_t *superpageblocks_json(const struct result *res)
{
	uint64_t bound = res->tainted_bound;

	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:f,s:I,s:o,s:f,s:I,s:I,s:I,s:I}",
		"mib", (json_int_t)res->superpageblock_mib,
		"whole", (json_int_t)res->superpageblocks,
		"tainted", (json_int_t)res->tainted, "peak_tainted", (json_int_t)res->peak_tainted,
		"lower_bound", (json_int_t)bound,
		"tau", bound ? (double)res->peak_tainted / (double)bound : 0.0,
		"taints", (json_int_t)res->taints, "taints_by", taints_json(res),
		"packing", (double)res->packing_per_mille / 1000,
		"empty", (json_int_t)res->empty, "obtainable", (json_int_t)res->obtainable,
		"obtainable_copied_bytes", (json_int_t)res->obtainable_bytes,
		"upper_bound", (json_int_t)res->upper_bound);
}

static json_t *policy_json(const struct result *res)
{
	char digest[17];
	json_t *blocks = json_array(), *object;
	double ops = (double)(res->allocations + res->frees);

	snprintf(digest, sizeof(digest), "%016" PRIx64, res->digest);
	for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
		json_array_append_new(blocks, number(res->free_blocks[o]));
	object = json_pack("{s:s,s:s,s:i,s:s,s:I,s:I,s:I,s:f,s:I,s:f,s:f,s:I}",
		"policy", res->policy, "about", res->about, "cpus", (int)res->nr_cpus,
		"digest", digest, "allocations", (json_int_t)res->allocations,
		"failures", (json_int_t)res->failures, "frees", (json_int_t)res->frees,
		"pcp_hit_rate",
		res->allocations ? (double)res->pcp_hits / (double)res->allocations : 0.0,
		"zone_lock_acquisitions", (json_int_t)res->zone_locks,
		"zone_lock_per_1000", ops > 0 ? (double)res->zone_locks * 1000 / ops : 0.0,
		"zone_lock_work_per_hold",
		res->zone_locks ? (double)res->zone_lock_work / (double)res->zone_locks : 0.0,
		"zone_lock_max_work", (json_int_t)res->zone_lock_max_work);
	json_object_set_new(object, "fallbacks", json_pack("{s:I,s:I,s:I,s:I,s:I}",
		"cma", (json_int_t)res->fallback_cma, "claim_block", (json_int_t)res->claim_block,
		"claim_part", (json_int_t)res->claim_part,
		"claim_refused", (json_int_t)res->claim_refused, "steal", (json_int_t)res->steal));
	json_object_set_new(object, "free_blocks", blocks);
	json_object_set_new(object, "free_pages", number(res->free_pages));
	json_object_set_new(object, "pcp_pages", number(res->pcp_pages));
	json_object_set_new(object, "unusable_index", json_pack("{s:f,s:f}",
		"3", res->unusable_3 / 1000.0, "9", res->unusable_9 / 1000.0));
	json_object_set_new(object, "pageblocks", number(res->pageblocks));
	json_object_set_new(object, "mixed_pageblocks", number(res->mixed_pageblocks));
	json_object_set_new(object, "free_2mib_blocks", number(res->free_2mib_blocks));
	json_object_set_new(object, "superpageblocks", superpageblocks_json(res));
	figures_json(object, &res->figures);
	json_object_set_new(object, "ledger", ledger_json(&res->ledger));
	json_object_update(object, res->details);
	return object;
}

json_t *result_json(const struct result_set *set)
{
	json_t *policies = json_array();

	for (uint32_t n = 0; n < set->nr; n++) {
		const struct result *res = &set->results[n];
		json_t *object = policy_json(res);

		json_object_set_new(object, "timing",
				    json_pack("{s:f,s:f}", "seconds", res->seconds,
					      "events_per_second", (double)res->events_per_second));
		json_array_append_new(policies, object);
	}
	return json_pack("{s:s,s:i,s:s,s:o,s:o,s:o,s:o}", "format", "pagus-replay", "version", 1,
			 "pagus", PAGUS_VERSION, "trace", trace_json(set), "whatif",
			 figures_asked_json(&set->results[0].figures.whatif), "ledger",
			 ledger_json(&set->ledger), "policies", policies);
}
