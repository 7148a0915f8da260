/* SPDX-License-Identifier: MIT */
#include "replay/replay.h"

#include <stdio.h>
#include <stdlib.h>

#include "replay/block.h"

#define MAX_RECORDED_CPUS 256
#define NR_PENDING 4

/* A request seen entering the allocator, whose answer has not come yet. */
struct pending {
	uint32_t gfp;
	int32_t pid;
	uint8_t order;
	int8_t node;
	uint64_t nodemask;
};

struct replay_cpu {
	struct pending pending[NR_PENDING]; /* a stack: interrupts nest */
	uint32_t nr_pending;
	uint32_t bulk_gfp;
};

/* ---- events -------------------------------------------------------------------------------- */

static uint32_t node_of_page(struct replay *r, uint64_t pfn)
{
	struct pagus_page_info page;
	struct pagus_zone_info zone;

	if (pagus_page_info(&r->machine->pagus, pfn, &page) != PAGUS_OK ||
	    pagus_zone_info(&r->machine->pagus, page.zone, &zone) != PAGUS_OK)
		return PAGUS_NO_NODE;
	return zone.node;
}

/*
 * The request event that this allocation answers, popped with all above it; false if none was
 * recorded.
 */
static bool pop_pending(struct replay_cpu *cpu, const struct trace_event *ev, struct pending *found)
{
	for (uint32_t n = cpu->nr_pending; n-- > 0;) {
		if (cpu->pending[n].pid != ev->pid || cpu->pending[n].order != ev->order)
			continue;
		*found = cpu->pending[n];
		cpu->nr_pending = n;
		return true;
	}
	return false;
}

static void push_pending(struct replay_cpu *cpu, const struct trace_event *ev)
{
	if (cpu->nr_pending == NR_PENDING) {
		for (uint32_t n = 1; n < NR_PENDING; n++)
			cpu->pending[n - 1] = cpu->pending[n];
		cpu->nr_pending--;
	}
	cpu->pending[cpu->nr_pending++] = (struct pending){
		.gfp = ev->gfp, .pid = ev->pid, .order = ev->order, .node = ev->mt,
		.nodemask = ev->pfn,
	};
}

static bool on_alloc(struct replay *r, struct replay_cpu *cpu, const struct trace_event *ev)
{
	struct block_birth b = {
		.pfn = ev->pfn, .order = ev->order, .gfp = ev->gfp, .node = PAGUS_NO_NODE,
		.pid = ev->pid,
	};
	struct pending request;
	bool known = pop_pending(cpu, ev, &request);

	if (ev->pfn == UINT64_MAX) {
		r->recorded.failed++;
		return true;
	}
	if (known && request.node >= 0) {
		b.node = (uint32_t)request.node;
		b.nodemask = request.nodemask;
	} else if (trace_start(r->trace)->nr_nodes > 1) {
		b.node = node_of_page(r, ev->pfn);
		r->recorded.node_inferred++;
	}
	return block_birth(r, &b);
}

/*
 * A free block leaves the recorded lists without an allocation. From an isolated pageblock, it
 * becomes part of a contiguous allocation: a birth. From any other, it is a target of compaction,
 * or it is being reported to a hypervisor and will be put back.
 */
static bool on_isolate(struct replay *r, const struct trace_event *ev)
{
	struct block_birth b = { .pfn = ev->pfn, .order = ev->order, .gfp = GFP_HIGHUSER_MOVABLE,
			   .node = PAGUS_NO_NODE };
	uint32_t type;

	if (!snapshot_type(trace_start(r->trace), (uint8_t)ev->mt, &type) || type != PAGUS_ISOLATE)
		return block_target(r, ev->pid, ev->pfn, ev->order);
	if (trace_start(r->trace)->nr_nodes > 1)
		b.node = node_of_page(r, ev->pfn);
	r->recorded.contig_blocks++;
	return block_birth(r, &b);
}

static bool on_bulk_page(struct replay *r, const struct replay_cpu *cpu,
			 const struct trace_event *ev)
{
	const struct block_birth b = { .pfn = ev->pfn, .gfp = cpu->bulk_gfp, .node = PAGUS_NO_NODE,
				 .pid = ev->pid };

	/* A page of the array that mm_page_alloc has announced already. */
	if (shadow_get(&r->shadow, ev->pfn).ours != SHADOW_NONE &&
	    !shadow_get(&r->shadow, ev->pfn).inherited)
		return true;
	r->recorded.bulk_births++;
	return block_birth(r, &b);
}

/*
 * Does the block of this fallback also have an mm_page_alloc_zone_locked? In releases that serve a
 * fallback from the request's own lists always; later only where a pageblock was claimed by its
 * majority.
 */
static bool announced_as_take(const struct replay *r, const struct trace_event *ev)
{
	const struct snapshot *start = trace_start(r->trace);

	return start->version < MACHINE_TUNED_PCP ||
	       (ev->x1 < start->pageblock_order && ev->gfp >> 8);
}

static bool apply(struct replay *r, const struct trace_event *ev)
{
	struct replay_cpu *cpu = &r->cpus[ev->cpu];
	uint32_t ours = r->by_pid ? (uint32_t)ev->pid : ev->cpu;

	pagus_sim_on(&r->machine->sim, ours % r->machine->sim.nr_cpus, ev->ts);
	switch (ev->type) {
	case TRACE_ALLOC:
		return on_alloc(r, cpu, ev);
	case TRACE_FREE:
	case TRACE_PUTBACK:
		block_death(r, ev->pid, ev->pfn, ev->order);
		break;
	case TRACE_TICK:
		if (ev->x1) {
			r->recorded.ticks++;
			pagus_tick(&r->machine->pagus);
		}
		break;
	case TRACE_REQUEST:
		push_pending(cpu, ev);
		break;
	case TRACE_BULK_BEGIN:
		cpu->bulk_gfp = ev->gfp;
		break;
	case TRACE_BULK_PAGE:
		return on_bulk_page(r, cpu, ev);
	case TRACE_ISOLATE_FREE:
		return ev->x1 != 1 || on_isolate(r, ev);
	case TRACE_ZONE_LOCKED:
		r->recorded.zone_takes++;
		break;
	case TRACE_PCPU_DRAIN:
		r->recorded.drained++;
		break;
	case TRACE_EXTFRAG:
		r->recorded.fallbacks++;
		r->recorded.zone_takes += !announced_as_take(r, ev);
		break;
	default:
		break;
	}
	return true;
}

/* ---- the run --------------------------------------------------------------------------------- */

/*
 * Every page in use at the start is live, at its own place. Its migratetype is guessed: its
 * pageblock's.
 */
static void adopt_inherited(struct replay *r, const struct snapshot *snap)
{
	for (uint32_t z = 0; z < snap->nr_zones; z++) {
		const struct snap_zone *zone = &snap->zones[z];

		for (uint32_t b = 0; b < zone->nr_blocks; b++) {
			uint64_t pfn =
				zone->first_block_pfn + ((uint64_t)b << snap->pageblock_order);
			uint64_t end = pfn + (UINT64_C(1) << snap->pageblock_order);
			uint8_t type = zone->block_type[b];

			if (type == SNAPSHOT_HOLE)
				continue;
			type = type < PAGUS_HIGHATOMIC ? type : (uint8_t)PAGUS_MOVABLE;
			for (; pfn < end; pfn++) {
				struct shadow_entry e = { .ours = (uint32_t)pfn, .inherited = true,
							  .type = type };
				struct pagus_page_info info;

				if (pagus_page_info(&r->machine->pagus, pfn, &info) != PAGUS_OK ||
				    (info.kind != PAGUS_PAGE_INHERITED &&
				     info.kind != PAGUS_PAGE_ALLOCATED) ||
				    shadow_get(&r->shadow, pfn).ours != SHADOW_NONE)
					continue;
				shadow_set(&r->shadow, pfn, e);
				content_change(&r->content, pfn, 0, type, 1);
				loop_inherit(r, pfn, type);
			}
		}
	}
}

/* What acts besides the events has the machine's port. */
static bool install(struct replay *r)
{
	r->machine->owner = r;
	if (!whatif_acts(&r->whatif))
		return true;
	agenda_install(r);
	if (r->whatif.defrag != WHATIF_DEFRAG_NONE)
		owner_install(r);
	if (r->whatif.defrag == WHATIF_DEFRAG_CHOICE)
		pagus_tunable_set(&r->machine->pagus, PAGUS_TUNABLE_compact_choice, 1);
	return shadow_keep_theirs(&r->shadow) &&
	       (!r->whatif.closed_loop || loop_install(r));
}

static struct machine *build_machine(const struct replay *r, const char *policy, uint32_t nr_cpus,
				     struct trace_error *err)
{
	const struct snapshot *snap = trace_start(r->trace);
	const struct trace_meta *meta = trace_meta(r->trace);

	nr_cpus = nr_cpus ? nr_cpus : snap->nr_cpus;
	return r->whatif.defrag != WHATIF_DEFRAG_NONE ?
		machine_build_moving(meta, snap, policy, nr_cpus, err) :
		machine_build(meta, snap, policy, nr_cpus, err);
}

static struct replay *replay_begin(struct trace *t, const char *policy, uint32_t nr_cpus,
				   const struct whatif *whatif, struct trace_error *err)
{
	const struct snapshot *snap = trace_start(t);
	struct replay *r = calloc(1, sizeof(*r));
	bool ok = r != NULL;

	if (ok) {
		r->trace = t;
		r->whatif = whatif ? *whatif : (struct whatif){ 0 };
		r->by_pid = nr_cpus > snap->nr_cpus;
		r->cpus = calloc(MAX_RECORDED_CPUS, sizeof(*r->cpus));
		r->machine = build_machine(r, policy, nr_cpus, err);
		if (!r->machine) {
			replay_free(r);
			return NULL;
		}
		ok = r->cpus &&
		     shadow_init(&r->shadow, r->machine->first_pfn, r->machine->end_pfn) &&
		     content_init(&r->content, r->machine, snap->pageblock_order) && install(r);
	}
	if (!ok) {
		snprintf(err->text, sizeof(err->text), "%s: no memory for the replay",
			 trace_meta(t)->path);
		replay_free(r);
		return NULL;
	}
	series_init(&r->series, r->content.nr_blocks);
	adopt_inherited(r, snap);
	r->content.superpageblocks.started = true;
	return r;
}

/* Why an event about a block cannot be true; NULL if it can. */
static const char *event_fault(const struct trace_event *ev)
{
	bool about_block = ev->type == TRACE_ALLOC || ev->type == TRACE_FREE ||
			   ev->type == TRACE_ISOLATE_FREE || ev->type == TRACE_PUTBACK;

	if (!about_block || (ev->type == TRACE_ALLOC && ev->pfn == UINT64_MAX))
		return NULL;
	if (ev->order > PAGUS_MAX_ORDER)
		return "order above the largest";
	if (ev->pfn & ((UINT64_C(1) << ev->order) - 1))
		return "pfn is not a multiple of the block's size";
	return NULL;
}

static bool fail_at_event(const struct replay *r, const char *what, struct trace_error *err)
{
	snprintf(err->text, sizeof(err->text), "%s: event %llu: %s", trace_meta(r->trace)->path,
		 (unsigned long long)r->recorded.events, what);
	return false;
}

static bool replay_batch(struct replay *r, const struct trace_event *events, int nr,
			 struct trace_error *err)
{
	for (int n = 0; n < nr; n++) {
		const struct trace_event *ev = &events[n];
		const char *fault = event_fault(ev), *problem;

		if (fault)
			return fail_at_event(r, fault, err);

		if (r->recorded.events == 0)
			r->recorded.first_ts = ev->ts;
		if (r->recorded.events >= r->series.next &&
		    !series_tick(&r->series, r->machine, &r->content, r->recorded.events, ev->ts))
			return fail_at_event(r, "no memory", err);
		problem = agenda_until(r, ev->ts);
		if (problem)
			return fail_at_event(r, problem, err);
		if (!apply(r, ev))
			return fail_at_event(r, "no memory", err);
		agenda_work(r);
		if (r->disagreement != PAGUS_OK)
			return fail_at_event(r, pagus_status_text(r->disagreement), err);
		if (ev->ts > r->recorded.last_ts)
			r->recorded.last_ts = ev->ts;
		r->recorded.events++;
	}
	return true;
}

/* Nothing of the recording was lost or doubled on its way through moves and reclaim. */
static bool check_end(const struct replay *r, struct trace_error *err)
{
	uint64_t where = 0;
	const char *wrong = r->shadow.theirs ? owner_check(r, huge_held_pages(r), &where) : NULL;

	if (wrong)
		snprintf(err->text, sizeof(err->text), "%s: after the last event: %s (%#llx)",
			 trace_meta(r->trace)->path, wrong, (unsigned long long)where);
	return wrong == NULL;
}

struct replay *replay_run(struct trace *t, const char *policy, uint32_t nr_cpus,
			  const struct whatif *whatif, replay_progress *progress, void *ctx,
			  struct trace_error *err)
{
	struct replay *r = replay_begin(t, policy, nr_cpus, whatif, err);
	const struct trace_event *batch;
	bool ok = true;
	int nr = 0;

	if (!r)
		return NULL;
	if (r->agenda.timed && !agenda_clock(t, &r->agenda.ns_per_unit, err)) {
		replay_free(r);
		return NULL;
	}
	while (ok && (nr = trace_next(t, &batch, err)) > 0) {
		ok = replay_batch(r, batch, nr, err);
		if (progress)
			progress(ctx, r->recorded.events);
	}
	if (ok && nr == 0 &&
	    !series_end(&r->series, r->machine, &r->content, r->recorded.events,
			r->recorded.last_ts))
		ok = fail_at_event(r, "no memory", err);
	ok = ok && (nr < 0 || check_end(r, err));
	if (!ok || nr < 0) {
		replay_free(r);
		return NULL;
	}
	return r;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	series_fini(&r->series);
	content_fini(&r->content);
	moves_fini(&r->moves);
	loop_fini(&r->loop);
	huge_fini(&r->huge);
	shadow_fini(&r->shadow);
	machine_free(r->machine);
	free(r->cpus);
	free(r);
}
