/* SPDX-License-Identifier: MIT */
#include "replay/ledger.h"

/* A share of deaths or births up to which a defect of the recording is noted, not warned of. */
#define NOTE_PER_MILLE 5

const char *ledger_level_name(enum ledger_level level)
{
	static const char *const names[] = { "ok", "note", "warn" };

	return names[level];
}

static void add(struct ledger *l, const char *key, uint64_t value, enum ledger_level level,
		const char *text)
{
	if (l->nr < LEDGER_ROWS)
		l->rows[l->nr++] = (struct ledger_row){
			.key = key, .value = value, .level = level, .text = text,
		};
}

static void add_share(struct ledger *l, const char *key, uint64_t part, uint64_t whole,
		      const char *text)
{
	add(l, key, whole ? part * 1000 / whole : 0, LEDGER_NOTE, text);
	l->rows[l->nr - 1].per_mille = true;
}

static void add_compared(struct ledger *l, const char *key, uint64_t value, uint64_t recorded,
			 const char *text)
{
	add(l, key, value, LEDGER_NOTE, text);
	l->rows[l->nr - 1].compared = true;
	l->rows[l->nr - 1].recorded = recorded;
}

/* Nothing: ok. A few in a thousand: note. More: warn. */
static enum ledger_level by_share(uint64_t part, uint64_t whole)
{
	if (part == 0)
		return LEDGER_OK;
	return part * 1000 <= whole * NOTE_PER_MILLE ? LEDGER_NOTE : LEDGER_WARN;
}

void ledger_of_trace(struct ledger *l, const struct replay *r, const struct trace_meta *meta)
{
	const struct replay_recorded *rec = &r->recorded;

	l->nr = 0;
	add(l, "lost_events", meta->lost_events, meta->lost_events ? LEDGER_WARN : LEDGER_OK,
	    "events that the recorder says it lost");
	add(l, "inherited_pages", r->machine->inherited_pages, LEDGER_NOTE,
	    "pages in use at the start: order unknown, migratetype taken from their pageblock");
	add(l, "frees_of_unknown_birth", rec->unknown_deaths,
	    by_share(rec->unknown_deaths, rec->deaths),
	    "frees of pages that were not known to be in use");
	add(l, "births_over_live", rec->births_over_live,
	    by_share(rec->births_over_live, rec->births),
	    "allocations of a page whose free was never seen; freed first");
	add(l, "outside", rec->outside, by_share(rec->outside, rec->births + rec->deaths),
	    "events about pages outside the recorded zones, passed over");
	add(l, "silent_bulk_births", rec->bulk_births, LEDGER_OK,
	    "pages that the bulk allocator handed out without an mm_page_alloc, known from probes");
	add(l, "moved_pages", rec->moved_pages, by_share(rec->moved_pages, rec->births),
	    "pages that the recorded kernel's own compaction moved: they stay where they are");
	add(l, "contig_blocks", rec->contig_blocks, LEDGER_OK,
	    "free blocks that became part of a contiguous allocation: replayed as movable "
	    "allocations");
	add(l, "split_births", rec->split_births, LEDGER_OK,
	    "blocks that were freed in smaller pieces than they were allocated");
	add(l, "joined_frees", rec->joined_deaths, by_share(rec->joined_deaths, rec->deaths),
	    "frees larger than the allocations that they cover: each freed by itself");
	add(l, "recorded_failures", rec->failed, rec->failed ? LEDGER_NOTE : LEDGER_OK,
	    "requests that failed in the recording; not replayed");
	add(l, "ticks", rec->ticks, rec->ticks ? LEDGER_OK : LEDGER_NOTE,
	    "vmstat ticks at which a CPU's pcp lists decay; none recorded: they do not decay");
	add(l, "node_inferred", rec->node_inferred, by_share(rec->node_inferred, rec->births),
	    "requests whose preferred node was not recorded: taken from the page they got");
}

static uint64_t end_pages_off(const struct replay *r, const struct snapshot *end)
{
	int64_t nr_free[PAGUS_NR_ORDERS] = { 0 };
	uint64_t off = 0;

	for (uint32_t id = 0; id < pagus_nr_zones(&r->machine->pagus); id++) {
		struct pagus_zone_info info;

		pagus_zone_info(&r->machine->pagus, id, &info);
		for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
			nr_free[o] += (int64_t)info.nr_free[o];
	}
	for (uint32_t z = 0; z < end->nr_zones; z++)
		for (uint32_t n = 0; n < end->zones[z].nr_free_lists; n++)
			nr_free[end->zones[z].free_lists[n].order] -=
				end->zones[z].free_lists[n].nr;
	for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
		off += (uint64_t)(nr_free[o] < 0 ? -nr_free[o] : nr_free[o]) << o;
	return off;
}

/* Of what the replay did of its own accord. */
static void add_whatif(struct ledger *l, const struct replay *r)
{
	const struct loop_outcome *loop = &r->loop.outcome;

	if (r->whatif.defrag != WHATIF_DEFRAG_NONE)
		add(l, "inherited_moved", r->owner.moved_inherited, LEDGER_NOTE,
		    "pages that were moved for being in a movable pageblock when the recording "
		    "began: whether they could have been is not known");
	if (!r->whatif.closed_loop)
		return;
	add(l, "reclaimed_pages",
	    loop->reclaimed_cache + loop->reclaimed_slab + loop->reclaimed_unknown, LEDGER_NOTE,
	    "pages that the replay reclaimed by its model, in use in the recording");
	add(l, "reclaimed_unknown", loop->reclaimed_unknown,
	    loop->reclaimed_unknown ? LEDGER_WARN : LEDGER_OK,
	    "of these, pages in use since before the recording, of which nothing is known");
	add(l, "oom_kills", loop->oom_kills, loop->oom_kills ? LEDGER_WARN : LEDGER_OK,
	    "tasks whose memory the replay freed for want of any other, while the recorded task went "
	    "on");
	add(l, "unasked_requests", loop->unasked, loop->unasked ? LEDGER_WARN : LEDGER_OK,
	    "recorded requests of these tasks that came later, not replayed");
}

void ledger_of_policy(struct ledger *l, const struct replay *r, const struct snapshot *end)
{
	const struct replay_outcome *out = &r->outcome;
	const struct replay_recorded *rec = &r->recorded;
	const struct machine *m = r->machine;

	l->nr = 0;
	add(l, "failures", out->refused, by_share(out->refused, out->allocations),
	    "requests that the recorded kernel granted and the replay could not");
	add(l, "rights_inferred", out->rights_inferred,
	    by_share(out->rights_inferred, out->allocations),
	    "requests granted only by ignoring watermarks, as their task must have been allowed "
	    "to");
	add_share(l, "same_page", out->same_page, out->allocations,
		  "requests that got the very page that the recorded kernel chose");
	add_share(l, "same_pageblock", out->same_block, out->allocations,
		  "requests that got a page in the pageblock that the recorded kernel chose");
	add_compared(l, "zone_takes", machine_count(m, PAGUS_COUNTER_zone_take),
		     rec->zone_takes, "blocks taken from free lists");
	add_compared(l, "drained_blocks", machine_count(m, PAGUS_COUNTER_pcp_drain_blocks),
		     rec->drained, "blocks that went from pcp lists back to the zone");
	add_compared(l, "fallbacks",
		     machine_count(m, PAGUS_COUNTER_fallback_claim_block) +
		     machine_count(m, PAGUS_COUNTER_fallback_claim_part) +
		     machine_count(m, PAGUS_COUNTER_fallback_steal), rec->fallbacks,
		     "requests served from pageblocks of another migratetype");
	add_whatif(l, r);
	if (end)
		add(l, "end_free_pages_off", end_pages_off(r, end), LEDGER_NOTE,
		    "free pages by which the orders' totals at the end differ from the recorded "
		    "end state");
}
