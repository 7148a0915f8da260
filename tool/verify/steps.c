/* SPDX-License-Identifier: MIT */
/*
 * Leading the library by recordings that tell of every step, at the instant when it takes effect.
 */
#include "verify/lead.h"

#define ZONE_RECLAIM_ACTIVE 0x2u /* the recorded kernel's zone flags */
#define ZONE_BELOW_HIGH     0x4u
#define ALLOC_HIGHATOMIC    0x200u
#define ALLOC_CMA           0x80u
#define FPI_TRYLOCK         0x4u
#define RESERVE_AHEAD       65536 /* events */
#define KIND_ALL            1u   /* of drains from outside: everything; 0: a batch, of a remote zone */
#define KIND_DECAY          2u

static void take_zone_flags(struct lead *l, uint32_t zone, uint32_t flags)
{
	struct pagus *p = &l->machine->pagus;

	pagus_step_set_flag(p, zone, PAGUS_STEP_RECLAIM_ACTIVE, flags & ZONE_RECLAIM_ACTIVE);
	pagus_step_set_flag(p, zone, PAGUS_STEP_BELOW_HIGH, flags & ZONE_BELOW_HIGH);
}

static struct lead_task *task_of(struct lead *l, struct trace_flow flow)
{
	return &l->tasks[(uint32_t)flow.pid % LEAD_TASKS];
}

/* What a flow asks of a zone. It may be interrupted or preempted between that and the take. */
static struct lead_walk *walk_of(struct lead *l, const struct trace_event *ev)
{
	const struct trace_flow flow = trace_flow_of(ev);
	struct lead_task *task = task_of(l, flow);

	for (uint32_t n = 0; n < LEAD_NESTED; n++)
		if (trace_flow_equal(task->walks[n].flow, flow))
			return &task->walks[n];
	task->next_walk = (task->next_walk + 1) % LEAD_NESTED;
	task->walks[task->next_walk] = (struct lead_walk){ .flow = flow };
	return &task->walks[task->next_walk];
}

static void begin_walk(struct lead *l, const struct trace_event *ev, uint32_t flags)
{
	*walk_of(l, ev) = (struct lead_walk){
		.flow = trace_flow_of(ev), .flags = flags, .order = ev->order, .type = (uint32_t)ev->mt,
	};
}

/*
 * The task may be preempted between its take and what it does next: does it then set a pageblock
 * aside?
 */
static bool reserves_later(struct lead *l, const struct trace_event *ev)
{
	const struct trace_flow flow = trace_flow_of(ev);

	for (size_t n = 0; n < RESERVE_AHEAD; n++) {
		const struct trace_event *next = window_ahead(&l->window, n);

		if (!next)
			return false;
		if (!trace_flow_equal(trace_flow_of(next), flow))
			continue;
		if ((next->type == TRACE_MOVE_FREE || next->type == TRACE_SET_BLOCK_TYPE) &&
		    next->mt == PAGUS_HIGHATOMIC)
			return true;
		if (next->type == TRACE_ALLOC)
			return false;
	}
	return false;
}

/*
 * An atomic request of higher order has its block: set the pageblock aside, if the reserve is not
 * full.
 */
static void reserve_now(struct lead *l, struct lead_walk *walk)
{
	if (walk->reserves)
		pagus_step_reserve(&l->machine->pagus, walk->pfn, walk->order);
	walk->reserves = false;
}

/* A block that must be ours to take: the walk's first event tells which zone it has come to. */
static void take_directly(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct lead_walk *walk = walk_of(l, ev);
	struct pagus_page_info page;
	enum pagus_status status;
	uint64_t ours;

	lead_begin_step(l, cpu);
	/* A pcp that was busy: the request came to the zone without an event of its own. */
	if (walk->order != ev->order)
		begin_walk(l, ev, PAGUS_WMARK_LOW | (ev->mt == PAGUS_MOVABLE ? ALLOC_CMA : 0));
	if (pagus_page_info(&l->machine->pagus, ev->pfn, &page) != PAGUS_OK)
		return;
	status = pagus_step_take(&l->machine->pagus, page.zone, walk->order, walk->type,
				 walk->flags, &ours);
	if (status != PAGUS_OK) {
		lead_disagree(l, "take", ev->pfn, status);
		return;
	}
	lead_grant(cpu, ours);
	walk->reserves = walk->flags & ALLOC_HIGHATOMIC;
	walk->pfn = ours;
	if (!reserves_later(l, ev))
		reserve_now(l, walk);
}

/*
 * The first event of a take by a requester: the take is made, and this event and the next ones
 * confirm it.
 */
static void on_taken(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	if (cpu->nr == 0)
		take_directly(l, cpu, ev);
	if (ev->type != TRACE_CLAIM)
		lead_confirm(l, cpu, ev);
}

/* The task may have been moved to another CPU between its pop and its answer. */
static void on_alloc(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	bool known;

	if (ev->pfn == UINT64_MAX)
		return;
	known = lead_answer_request(cpu, ev->pfn);
	for (uint32_t c = 0; !known && c < l->start->nr_cpus; c++)
		known = lead_answer_request(&l->cpus[c], ev->pfn);
	lead_score(l, VERIFY_REQUEST, known, "kernel %#llx, which was not predicted",
		   (unsigned long long)ev->pfn);
}

/* ---- pcp lists ------------------------------------------------------------------------------- */

static void on_pop(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	uint32_t zone = lead_zone(l, ev->x1);
	uint64_t pfn = PAGUS_NO_PFN;

	lead_begin_step(l, cpu);
	take_zone_flags(l, zone, ev->gfp >> 16);
	pagus_step_pop(&l->machine->pagus, zone, ev->order, (uint32_t)ev->mt, ev->x2 & 1, &pfn);
	lead_score(l, VERIFY_PCP_ALLOC, pfn == ev->pfn,
		   "order %u type %d: kernel %#llx, ours %#llx", ev->order, ev->mt,
		   (unsigned long long)ev->pfn, (unsigned long long)pfn);
	if (pfn != PAGUS_NO_PFN && !(ev->x2 & 1))
		lead_grant(cpu, pfn);
}

static void on_refill(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t zone = lead_zone(l, ev->x1);
	uint32_t count = ev->pfn & 0xfffff, high = ev->pfn >> 20 & 0xfffff,
		 factor = ev->pfn >> 40 & 15;
	uint32_t flags = ev->pfn >> 44 & 15, freed = (uint32_t)(ev->pfn >> 48);
	uint64_t pfn;
	struct pagus_pcp_info pcp = { 0 };

	lead_begin_step(l, cpu);
	take_zone_flags(l, zone, ev->gfp >> 16);
	begin_walk(l, ev, ev->gfp & 0xffff);
	if (pagus_step_pop(p, zone, ev->order, (uint32_t)ev->mt, ev->x2 & 1, &pfn) == PAGUS_OK) {
		lead_score(l, VERIFY_REFILL, false,
			   "kernel refills order %u type %d, ours pops %#llx", ev->order, ev->mt,
			   (unsigned long long)pfn);
		return;
	}
	pagus_pcp_info(p, zone, ev->cpu, &pcp);
	lead_score(l, VERIFY_REFILL,
		   pcp.count == count && pcp.high == high && pcp.alloc_factor == factor &&
			   pcp.flags == flags && pcp.free_count == freed,
		   "count %u high %u factor %u flags %u free_count %u, ours %u %u %u %u %u", count,
		   high, factor, flags, freed, pcp.count, pcp.high, pcp.alloc_factor, pcp.flags,
		   pcp.free_count);
	pagus_step_refill(p, zone, ev->order, (uint32_t)ev->mt, ev->gfp & 0xffff);
	if (pagus_step_pop(p, zone, ev->order, (uint32_t)ev->mt, true, &pfn) == PAGUS_OK &&
	    !(ev->x2 & 1))
		lead_grant(cpu, pfn);
}

/*
 * A task's drains: a new one may begin, by an interrupt or by preemption, before the last piece of
 * an older one. One that is abandoned is never asked for again, and goes when its slot is needed.
 */
static void begin_drain(struct lead *l, struct lead_drain drain)
{
	struct lead_task *task = task_of(l, drain.flow);

	if (drain.left == 0)
		return;
	if (task->nr == LEAD_NESTED) {
		for (uint32_t n = 1; n < LEAD_NESTED; n++)
			task->drains[n - 1] = task->drains[n];
		task->nr--;
	}
	task->drains[task->nr++] = drain;
	l->v->drains++;
	l->v->drains_unfinished++;
}

/* The newest drain of the task that could go on with this piece; those above it have ended. */
static struct lead_drain *find_drain(struct lead *l, const struct trace_event *ev, uint32_t zone)
{
	const struct trace_flow flow = trace_flow_of(ev);
	struct lead_task *task = task_of(l, flow);

	for (uint32_t n = task->nr; n-- > 0;) {
		struct lead_drain *drain = &task->drains[n];

		if (!trace_flow_equal(drain->flow, flow) || drain->left == 0 || drain->zone != zone ||
		    drain->cpu != ev->x2 || drain->list != ev->order)
			continue;
		task->nr = n + 1;
		return drain;
	}
	return NULL;
}

static void on_push(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t zone = lead_zone(l, ev->x1), list = UINT32_MAX, over = 0;
	uint32_t want = lead_list(ev->order, (uint32_t)ev->mt);
	struct pagus_pcp_info pcp = { 0 };
	enum pagus_status status;

	lead_begin_step(l, cpu);
	take_zone_flags(l, zone, ev->gfp >> 24);
	pagus_pcp_info(p, zone, ev->cpu, &pcp);
	status = pagus_step_push(p, ev->pfn, ev->order, !(ev->x2 & FPI_TRYLOCK), &list, &over);
	if (status != PAGUS_OK) {
		lead_disagree(l, "push", ev->pfn, status);
		return;
	}
	lead_score(l, VERIFY_PUSH, list == want && pcp.count == (ev->gfp & 0xffffff),
		   "%#llx: kernel's list %u count %u, ours %u %u", (unsigned long long)ev->pfn,
		   want, ev->gfp & 0xffffff, list, pcp.count);
	begin_drain(l, (struct lead_drain){
		.flow = trace_flow_of(ev), .zone = zone, .cpu = ev->cpu, .list = list, .left = over,
		.piece = pcp.batch, .settle = true,
	});
}

/*
 * A pcp is drained from outside: all of it, or by the vmstat tick what is too much, or too far
 * away.
 */
static void on_outside_drain(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t zone = lead_zone(l, (uint8_t)((uint32_t)ev->mt << 4 | ev->order));
	struct lead_drain drain = { .flow = trace_flow_of(ev), .zone = zone, .cpu = ev->x1 };
	struct pagus_pcp_info pcp = { 0 };

	lead_begin_step(l, cpu);
	if (zone == UINT32_MAX)
		return;
	pagus_pcp_info(p, zone, ev->x1, &pcp);
	drain.left = pcp.count;
	drain.piece = pcp.batch;
	drain.all = ev->x2 == KIND_ALL;
	if (drain.all)
		drain.piece = pcp.batch << 5;
	else if (ev->x2 == KIND_DECAY)
		pagus_step_decay(p, zone, &drain.left);
	else if (drain.left > pcp.batch)
		drain.left = pcp.batch;
	begin_drain(l, drain);
}

/* A drain ends when all of it is done, or when the pcp is empty: large blocks overshoot. */
static void go_on(struct lead *l, struct lead_drain *drain, uint32_t done)
{
	struct pagus_pcp_info pcp = { 0 };

	pagus_pcp_info(&l->machine->pagus, drain->zone, drain->cpu, &pcp);
	drain->left = pcp.count ? drain->left - done : 0;
	if (drain->left > 0)
		return;
	l->v->drains_unfinished--;
	if (drain->settle)
		pagus_step_settle(&l->machine->pagus, drain->zone);
}

static void on_drain_piece(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	uint32_t zone = lead_zone(l, ev->x1), pages = (uint32_t)ev->pfn, ours = 0;
	struct lead_drain *drain = find_drain(l, ev, zone);
	struct pagus_pcp_info pcp = { 0 };

	lead_begin_step(l, cpu);
	if (drain && drain->all) {
		/* Until it is empty: a piece may have taken more than it was to. */
		pagus_pcp_info(&l->machine->pagus, zone, ev->x2, &pcp);
		drain->left = pcp.count;
	}
	if (drain)
		ours = drain->left < drain->piece ? drain->left : drain->piece;
	lead_score(l, VERIFY_PIECE, drain && ours == pages,
		   "kernel %u pages from list %u, ours %u of %u", pages, ev->order, ours,
		   drain ? drain->left : 0);
	/* Go on as the kernel did, whatever was predicted. */
	pagus_step_drain(&l->machine->pagus, zone, ev->x2, pages, ev->order);
	if (drain)
		go_on(l, drain, ours);
}

void steps_event(struct lead *l, const struct trace_event *ev)
{
	struct lead_cpu *cpu = &l->cpus[ev->cpu];

	switch (ev->type) {
	case TRACE_ALLOC:
		on_alloc(l, cpu, ev);
		break;
	case TRACE_MOVE_FREE:
	case TRACE_SET_BLOCK_TYPE:
		if (ev->mt == PAGUS_HIGHATOMIC)
			reserve_now(l, walk_of(l, ev));
		lead_common_event(l, cpu, ev);
		break;
	case TRACE_ZONE_LOCKED:
	case TRACE_EXTFRAG:
	case TRACE_CLAIM:
		on_taken(l, cpu, ev);
		break;
	case TRACE_WALK:
		lead_drop_answers(l, cpu);
		begin_walk(l, ev, ev->pfn & 0xffff);
		break;
	case TRACE_OUTSIDE_DRAIN:
		on_outside_drain(l, cpu, ev);
		break;
	case TRACE_POP:
		on_pop(l, cpu, ev);
		break;
	case TRACE_REFILL:
		on_refill(l, cpu, ev);
		break;
	case TRACE_PUSH:
		on_push(l, cpu, ev);
		break;
	case TRACE_DRAIN_PIECE:
		on_drain_piece(l, cpu, ev);
		break;
	default:
		lead_common_event(l, cpu, ev);
		break;
	}
}
