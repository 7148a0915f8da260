/* SPDX-License-Identifier: MIT */
/*
 * Leading the library by the stock kmem events and a few probes, where a recording does not tell of
 * every step (6.1). A refill is begun by the first block that it takes, and serves the request that
 * is answered next on that CPU; a free reaches its pcp list at once, unless its batch or its direct
 * free is seen to come later.
 */
#include "trace/flow.h"
#include "verify/lead.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_AHEAD   262144 /* events, to see what becomes of a free or a refill */
#define OTHERS       8192 /* of these on its CPU by others, while a task that frees a list may wait to go on */
#define KIND_ALL     1u

static uint32_t type_of_gfp(uint32_t gfp)
{
	return (gfp >> 3 & 3) % 3;
}

/* ---- allocation ------------------------------------------------------------------------------ */

/* What the blocks now taken are for: the next answer on this CPU. False if none comes. */
static bool find_request(struct lead *l, const struct trace_event *ev, struct lead_walk *walk)
{
	walk->flags = LEAD_NOFRAGMENT;
	for (size_t n = 0; n < LOOK_AHEAD; n++) {
		const struct trace_event *next = window_ahead(&l->window, n);

		if (!next)
			return false;
		if (next->cpu != ev->cpu)
			continue;
		/* A fallback inside a pageblock: the request was allowed to. */
		if (next->type == TRACE_EXTFRAG && next->x1 < l->start->pageblock_order)
			walk->flags = 0;
		if (next->type == TRACE_ALLOC || next->type == TRACE_BULK_PAGE) {
			walk->quiet = next->type == TRACE_BULK_PAGE;
			walk->order = walk->quiet ? 0 : next->order;
			walk->type = walk->quiet ? type_of_gfp(l->cpus[ev->cpu].bulk_gfp) :
				     (uint32_t)next->mt;
			return true;
		}
	}
	return false;
}

/* The first block of a refill, or of a request that goes to the zone itself. */
static void begin_taking(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t zone = lead_zone_of(l, ev->pfn);
	struct lead_walk walk = { 0 };
	uint64_t pfn;

	lead_begin_step(l, cpu);
	if (zone == UINT32_MAX || !find_request(l, ev, &walk))
		return;
	if (lead_cached(l, walk.order) &&
	    pagus_pcp_list(p, zone, ev->cpu, lead_list(walk.order, walk.type), NULL, 0) == 0) {
		pagus_step_pop(p, zone, walk.order, walk.type, walk.quiet, &pfn);
		pagus_step_refill(p, zone, walk.order, walk.type, walk.flags);
		cpu->refilled = true;
		return;
	}
	if (pagus_step_take(p, zone, walk.order, walk.type, walk.flags, &pfn) == PAGUS_OK)
		lead_grant(cpu, pfn);
}

static void on_alloc(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev,
		     uint32_t order, uint32_t type, bool quiet)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t zone = lead_zone_of(l, ev->pfn);
	uint64_t pfn = PAGUS_NO_PFN;

	if (ev->pfn == UINT64_MAX)
		return;
	lead_drop_answers(l, cpu);
	if (lead_answer_request(cpu, ev->pfn)) {
		lead_score(l, VERIFY_REQUEST, true, "%s", "");
		return;
	}
	if (zone == UINT32_MAX || !lead_cached(l, order)) {
		lead_score(l, VERIFY_REQUEST, false,
			   "kernel %#llx order %u, which was not predicted",
			   (unsigned long long)ev->pfn, order);
		return;
	}
	pagus_step_pop(p, zone, order, type, quiet || cpu->refilled, &pfn);
	cpu->refilled = false;
	lead_score(l, VERIFY_PCP_ALLOC, pfn == ev->pfn,
		   "order %u type %u: kernel %#llx, ours %#llx", order, type,
		   (unsigned long long)ev->pfn, (unsigned long long)pfn);
}

/* ---- free ------------------------------------------------------------------------------------ */

/*
 * All of it, or a batch where a remote zone's pages expire; in 6.1 a drain is never cut by another
 * event.
 */
static void drain_now(struct lead *l, uint32_t zone, uint32_t cpu, uint32_t pages, uint32_t piece,
		      uint32_t list)
{
	struct pagus_pcp_info pcp = { 0 };

	pagus_pcp_info(&l->machine->pagus, zone, cpu, &pcp);
	while (pages > 0 && pcp.count > 0) {
		uint32_t now = pages < piece ? pages : piece, before = pcp.count;

		pagus_step_drain(&l->machine->pagus, zone, cpu, now, list);
		pagus_pcp_info(&l->machine->pagus, zone, cpu, &pcp);
		now = before - pcp.count;
		pages = pages > now ? pages - now : 0;
	}
}

static void push(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev, uint32_t order)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t list = 0, over = 0;
	enum pagus_status status;

	lead_begin_step(l, cpu);
	status = pagus_step_push(p, ev->pfn, order, true, &list, &over);
	if (status != PAGUS_OK)
		lead_disagree(l, "push", ev->pfn, status);
	else if (over)
		drain_now(l, lead_zone_of(l, ev->pfn), ev->cpu, over, over, list);
}

/* An interrupt is over when its CPU does anything outside of interrupts. */
static bool interrupt_over(const struct trace_event *next, const struct trace_event *ev)
{
	return (ev->irqflags & LEAD_IN_INTERRUPT) && next->cpu == ev->cpu &&
	       !(next->irqflags & LEAD_IN_INTERRUPT);
}

/*
 * Events of freeing a list: all of it is announced, and what cannot be cached freed, before the
 * first push.
 */
static bool of_list_free(uint8_t type)
{
	return type == TRACE_FREE || type == TRACE_FREE_BATCHED || type == TRACE_PCPU_DRAIN ||
	       type == TRACE_DIRECT_FREE;
}

static uint32_t slot_of(const struct lead_later *later, uint64_t pfn)
{
	uint32_t slot =
		(uint32_t)(pfn * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (later->nr_slots - 1);

	while (later->slots[slot] != UINT64_MAX && later->slots[slot] != pfn)
		slot = (slot + 1) & (later->nr_slots - 1);
	return slot;
}

/*
 * The event `ahead` if the list free that ev belongs to may go on with it; NULL where it has ended.
 */
static inline const struct trace_event *list_free_event(struct lead *l,
							const struct trace_event *ev,
							size_t ahead, uint32_t *others)
{
	const struct trace_event *next =
		ahead < LOOK_AHEAD ? window_ahead(&l->window, ahead) : NULL;

	if (!next || interrupt_over(next, ev))
		return NULL;
	/* Most events are of other tasks, and have another pid. */
	if (next->pid == ev->pid && trace_same_flow(next, ev))
		return of_list_free(next->type) ? next : NULL;
	*others += next->cpu == ev->cpu;
	return *others < OTHERS ? next : NULL;
}

static inline bool pushed_later(const struct trace_event *next, const struct trace_event *ev)
{
	return next->pid == ev->pid && trace_same_flow(next, ev) &&
	       (next->type == TRACE_FREE_BATCHED || next->type == TRACE_DIRECT_FREE);
}

/*
 * Note every page that this context pushes from a list, or frees to the zone, before it does
 * anything else.
 */
static bool look_ahead(struct lead *l, struct lead_later *later, const struct trace_event *ev)
{
	const struct trace_event *next;
	uint32_t nr = 0, slots = 16, others = 0;
	size_t n = 1;

	for (; (next = list_free_event(l, ev, n, &others)); n++)
		nr += pushed_later(next, ev);
	while (slots < 2 * nr)
		slots *= 2;
	if (slots > later->room) {
		uint64_t *grown = realloc(later->slots, slots * sizeof(*grown));

		if (!grown)
			return false;
		later->slots = grown;
		later->room = slots;
	}
	memset(later->slots, 0xff, slots * sizeof(*later->slots));
	later->nr_slots = slots;
	later->until = l->window.number + n;
	later->pid = ev->pid;
	later->context = ev->irqflags & LEAD_IN_INTERRUPT;
	for (size_t k = 1; k < n; k++) {
		next = window_ahead(&l->window, k);
		if (pushed_later(next, ev))
			later->slots[slot_of(later, next->pfn)] = next->pfn;
	}
	return true;
}

/*
 * On its list at once, unless it is seen to come later, in its batch, or to go straight to the
 * zone.
 */
static bool pushed_at_once(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct lead_later *later = &cpu->later;

	if (!lead_cached(l, ev->order))
		return false;
	if ((l->window.number >= later->until || later->pid != ev->pid ||
	     later->context != (ev->irqflags & LEAD_IN_INTERRUPT)) && !look_ahead(l, later, ev))
		return true;
	return later->slots[slot_of(later, ev->pfn)] == UINT64_MAX;
}

static void on_outside_drain(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	uint32_t zone = lead_zone(l, (uint8_t)((uint32_t)ev->mt << 4 | ev->order));
	struct pagus_pcp_info pcp = { 0 };

	lead_begin_step(l, cpu);
	if (pagus_pcp_info(&l->machine->pagus, zone, ev->x1, &pcp) != PAGUS_OK)
		return;
	drain_now(l, zone, ev->x1,
		  ev->x2 == KIND_ALL || pcp.count < pcp.batch ? pcp.count : pcp.batch,
		  ev->x2 == KIND_ALL ? pcp.batch << 5 : pcp.batch, 0);
}

/* Does this change of type belong to a claim: is the next event of this CPU's taking a fallback? */
static bool begins_claim(struct lead *l, const struct trace_event *ev)
{
	for (size_t n = 1; n < LOOK_AHEAD; n++) {
		const struct trace_event *next = window_ahead(&l->window, n);

		if (!next)
			return false;
		if (next->cpu != ev->cpu || next->type == TRACE_SET_BLOCK_TYPE ||
		    next->type == TRACE_MOVE_FREE)
			continue;
		return next->type == TRACE_EXTFRAG;
	}
	return false;
}

void stock_event(struct lead *l, const struct trace_event *ev)
{
	struct lead_cpu *cpu = &l->cpus[ev->cpu];

	switch (ev->type) {
	case TRACE_ALLOC:
		on_alloc(l, cpu, ev, ev->order, (uint32_t)ev->mt, false);
		break;
	case TRACE_BULK_BEGIN:
		cpu->bulk_gfp = ev->gfp;
		break;
	case TRACE_BULK_PAGE:
		on_alloc(l, cpu, ev, 0, type_of_gfp(cpu->bulk_gfp), true);
		break;
	case TRACE_ZONE_LOCKED:
	case TRACE_EXTFRAG:
		if (cpu->nr == 0)
			begin_taking(l, cpu, ev);
		lead_confirm(l, cpu, ev);
		break;
	case TRACE_FREE:
		if (pushed_at_once(l, cpu, ev))
			push(l, cpu, ev, ev->order);
		break;
	case TRACE_FREE_BATCHED:
		push(l, cpu, ev, 0);
		break;
	case TRACE_OUTSIDE_DRAIN:
		on_outside_drain(l, cpu, ev);
		break;
	case TRACE_SET_BLOCK_TYPE:
		/* Of a claim: the taking that it belongs to begins with it. */
		if (cpu->nr == 0 && begins_claim(l, ev))
			begin_taking(l, cpu, ev);
		lead_common_event(l, cpu, ev);
		break;
	default:
		lead_common_event(l, cpu, ev);
		break;
	}
}
