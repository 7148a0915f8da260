/* SPDX-License-Identifier: MIT */
/* From each recorded event to the library's step, and from its answer to the score. */
#include "verify/lead.h"

#include <stdarg.h>
#include <stdio.h>

#define ZONE_RECLAIM_ACTIVE 0x2u /* the recorded kernel's zone flags */
#define ZONE_BELOW_HIGH     0x4u
#define FPI_TO_TAIL         0x2u
#define KIND_ALL            1u   /* of drains from outside: everything; 0: a batch, of a remote zone */
#define KIND_DECAY          2u

void lead_score(struct lead *l, enum verify_kind kind, bool exact, const char *format, ...)
{
	struct verify *v = l->v;
	va_list args;
	int at;

	v->score[kind].predicted++;
	v->score[kind].exact += exact;
	if (exact)
		return;
	if (v->nr_misses < VERIFY_MISSES) {
		char *text = v->miss[v->nr_misses];

		at = snprintf(text, VERIFY_MISS_TEXT, "event %llu, %s: ",
			      (unsigned long long)l->window.number, verify_key(kind));
		va_start(args, format);
		vsnprintf(text + at, VERIFY_MISS_TEXT - (size_t)at, format, args);
		va_end(args);
	}
	v->nr_misses++;
}

/* The library could not make a step that the recorded kernel made. */
static void disagree(struct lead *l, const char *step, uint64_t pfn, enum pagus_status status)
{
	if (l->v->nr_misses < VERIFY_MISSES)
		snprintf(l->v->miss[l->v->nr_misses], VERIFY_MISS_TEXT, "event %llu: %s at pfn %#llx: %s",
			 (unsigned long long)l->window.number, step, (unsigned long long)pfn,
			 pagus_status_text(status));
	l->v->nr_misses++;
	l->v->disagreements++;
}

static uint32_t zone_by_index(const struct lead *l, uint8_t nid_index)
{
	uint32_t node = nid_index >> 4, index = nid_index & 15;
	uint32_t type = index == 3 ? (uint32_t)PAGUS_ZONE_MOVABLE : index;

	for (uint32_t id = 0; id < pagus_nr_zones(&l->machine->pagus); id++) {
		struct pagus_zone_info info;

		pagus_zone_info(&l->machine->pagus, id, &info);
		if (info.node == node && (uint32_t)info.type == type)
			return id;
	}
	return UINT32_MAX;
}

static void take_zone_flags(struct lead *l, uint32_t zone, uint32_t flags)
{
	struct pagus *p = &l->machine->pagus;

	pagus_step_set_flag(p, zone, PAGUS_STEP_RECLAIM_ACTIVE, flags & ZONE_RECLAIM_ACTIVE);
	pagus_step_set_flag(p, zone, PAGUS_STEP_BELOW_HIGH, flags & ZONE_BELOW_HIGH);
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool next_answer(struct lead_cpu *cpu, struct lead_answer *answer)
{
	if (cpu->nr == 0)
		return false;
	*answer = cpu->queue[cpu->first];
	cpu->first = (cpu->first + 1) % LEAD_QUEUE;
	cpu->nr--;
	return true;
}

/* What was answered and never asked for is a miss each. */
static void drop_answers(struct lead *l, struct lead_cpu *cpu)
{
	struct lead_answer answer;

	while (next_answer(cpu, &answer)) {
		enum verify_kind kind = answer.event == PAGUS_EVENT_PCPU_DRAIN ? VERIFY_DRAIN :
					answer.event == PAGUS_EVENT_EXTFRAG ? VERIFY_FALLBACK :
					VERIFY_ZONE_TAKE;

		lead_score(l, kind, false, "ours went on to pfn %#llx order %u, the kernel did not",
			   (unsigned long long)answer.pfn, answer.order);
	}
}

static void begin_step(struct lead *l, struct lead_cpu *cpu)
{
	drop_answers(l, cpu);
	l->claim_cursor = 0;
}

void lead_grant(struct lead_cpu *cpu, uint64_t pfn)
{
	if (cpu->nr_granted == LEAD_GRANTED) {
		for (uint32_t n = 1; n < LEAD_GRANTED; n++)
			cpu->granted[n - 1] = cpu->granted[n];
		cpu->nr_granted--;
	}
	cpu->granted[cpu->nr_granted++] = pfn;
}

/* What a task asks of a zone. It may be preempted between that and the take. */
static struct lead_walk *walk_of(struct lead *l, int32_t pid)
{
	struct lead_task *task = &l->tasks[(uint32_t)pid % LEAD_TASKS];

	for (uint32_t n = 0; n < LEAD_NESTED; n++)
		if (task->walks[n].pid == pid)
			return &task->walks[n];
	task->next_walk = (task->next_walk + 1) % LEAD_NESTED;
	task->walks[task->next_walk] = (struct lead_walk){ .pid = pid };
	return &task->walks[task->next_walk];
}

static void begin_walk(struct lead *l, const struct trace_event *ev, uint32_t flags)
{
	*walk_of(l, ev->pid) = (struct lead_walk){
		.pid = ev->pid, .flags = flags, .order = ev->order, .type = (uint32_t)ev->mt,
	};
}

/* A block that must be ours to take: the walk's first event tells which zone it has come to. */
static void take_directly(struct lead *l, struct lead_cpu *cpu, int32_t pid, uint64_t pfn)
{
	const struct lead_walk *walk = walk_of(l, pid);
	struct pagus_page_info page;
	enum pagus_status status;
	uint64_t ours;

	begin_step(l, cpu);
	if (pagus_page_info(&l->machine->pagus, pfn, &page) != PAGUS_OK)
		return;
	status = pagus_step_take(&l->machine->pagus, page.zone, walk->order, walk->type, walk->flags, &ours);
	if (status == PAGUS_OK)
		lead_grant(cpu, ours);
	else
		disagree(l, "take", pfn, status);
}

static void on_zone_locked(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct lead_answer answer;

	if (cpu->nr == 0)
		take_directly(l, cpu, ev->pid, ev->pfn);
	if (!next_answer(cpu, &answer)) {
		lead_score(l, VERIFY_ZONE_TAKE, false, "kernel %#llx order %u, ours none",
			   (unsigned long long)ev->pfn, ev->order);
		return;
	}
	lead_score(l, VERIFY_ZONE_TAKE,
		   answer.event == PAGUS_EVENT_ZONE_LOCKED && answer.pfn == ev->pfn &&
		   answer.order == ev->order && answer.type == (uint8_t)ev->mt,
		   "kernel %#llx order %u type %d, ours %#llx order %u type %u",
		   (unsigned long long)ev->pfn, ev->order, ev->mt, (unsigned long long)answer.pfn,
		   answer.order, answer.type);
}

static void on_extfrag(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct lead_answer answer;

	if (cpu->nr == 0)
		take_directly(l, cpu, ev->pid, ev->pfn);
	if (!next_answer(cpu, &answer)) {
		lead_score(l, VERIFY_FALLBACK, false, "kernel %#llx order %u, ours none",
			   (unsigned long long)ev->pfn, ev->order);
		return;
	}
	lead_score(l, VERIFY_FALLBACK,
		   answer.event == PAGUS_EVENT_EXTFRAG && answer.pfn == ev->pfn &&
		   answer.order == ev->order && answer.type == (uint8_t)ev->mt && answer.a == ev->x1 &&
		   answer.b == ev->gfp,
		   "kernel %#llx order %u from %u type %d of %#x, ours %#llx order %u from %u type %u of %#x",
		   (unsigned long long)ev->pfn, ev->order, ev->x1, ev->mt, ev->gfp,
		   (unsigned long long)answer.pfn, answer.order, answer.a, answer.type, answer.b);
}

static void on_drained(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct lead_answer answer = { .pfn = PAGUS_NO_PFN };
	bool any = next_answer(cpu, &answer);

	lead_score(l, VERIFY_DRAIN,
		   any && answer.event == PAGUS_EVENT_PCPU_DRAIN && answer.pfn == ev->pfn &&
		   answer.order == ev->order && answer.type == (uint8_t)ev->mt,
		   "kernel %#llx order %u type %d, ours %#llx order %u type %u",
		   (unsigned long long)ev->pfn, ev->order, ev->mt, (unsigned long long)answer.pfn,
		   answer.order, answer.type);
}

/* ---- pcp lists ------------------------------------------------------------------------------- */

static void on_pop(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	uint32_t zone = zone_by_index(l, ev->x1);
	uint64_t pfn = PAGUS_NO_PFN;

	begin_step(l, cpu);
	take_zone_flags(l, zone, ev->gfp >> 16);
	pagus_step_pop(&l->machine->pagus, zone, ev->order, (uint32_t)ev->mt, ev->x2 & 1, &pfn);
	lead_score(l, VERIFY_PCP_ALLOC, pfn == ev->pfn, "order %u type %d: kernel %#llx, ours %#llx",
		   ev->order, ev->mt, (unsigned long long)ev->pfn, (unsigned long long)pfn);
	if (pfn != PAGUS_NO_PFN && !(ev->x2 & 1))
		lead_grant(cpu, pfn);
}

static void on_refill(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t zone = zone_by_index(l, ev->x1);
	uint32_t count = ev->pfn & 0xfffff, high = ev->pfn >> 20 & 0xfffff, factor = ev->pfn >> 40 & 15;
	uint32_t flags = ev->pfn >> 44 & 15, freed = (uint32_t)(ev->pfn >> 48);
	uint64_t pfn;
	struct pagus_pcp_info pcp = { 0 };

	begin_step(l, cpu);
	take_zone_flags(l, zone, ev->gfp >> 16);
	begin_walk(l, ev, ev->gfp & 0xffff);
	if (pagus_step_pop(p, zone, ev->order, (uint32_t)ev->mt, ev->x2 & 1, &pfn) == PAGUS_OK) {
		lead_score(l, VERIFY_REFILL, false, "kernel refills order %u type %d, ours pops %#llx",
			   ev->order, ev->mt, (unsigned long long)pfn);
		return;
	}
	pagus_pcp_info(p, zone, ev->cpu, &pcp);
	lead_score(l, VERIFY_REFILL,
		   pcp.count == count && pcp.high == high && pcp.alloc_factor == factor &&
		   pcp.flags == flags && pcp.free_count == freed,
		   "count %u high %u factor %u flags %u free_count %u, ours %u %u %u %u %u", count, high,
		   factor, flags, freed, pcp.count, pcp.high, pcp.alloc_factor, pcp.flags,
		   pcp.free_count);
	pagus_step_refill(p, zone, ev->order, (uint32_t)ev->mt, ev->gfp & 0xffff);
	if (pagus_step_pop(p, zone, ev->order, (uint32_t)ev->mt, true, &pfn) == PAGUS_OK && !(ev->x2 & 1))
		lead_grant(cpu, pfn);
}

/*
 * A task's drains: a new one may begin, by an interrupt or by preemption, before the last piece of an older one.
 * One that is abandoned is never asked for again, and goes when its slot is needed.
 */
static void begin_drain(struct lead *l, struct lead_drain drain)
{
	struct lead_task *task = &l->tasks[(uint32_t)drain.pid % LEAD_TASKS];

	if (drain.left == 0)
		return;
	if (task->nr == LEAD_NESTED) {
		for (uint32_t n = 1; n < LEAD_NESTED; n++)
			task->drains[n - 1] = task->drains[n];
		task->nr--;
	}
	task->drains[task->nr++] = drain;
}

/* The newest drain of the task that could go on with this piece; those above it have ended. */
static struct lead_drain *find_drain(struct lead *l, const struct trace_event *ev, uint32_t zone)
{
	struct lead_task *task = &l->tasks[(uint32_t)ev->pid % LEAD_TASKS];

	for (uint32_t n = task->nr; n-- > 0;) {
		struct lead_drain *drain = &task->drains[n];

		if (drain->pid != ev->pid || drain->left == 0 || drain->zone != zone ||
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
	uint32_t zone = zone_by_index(l, ev->x1), list = UINT32_MAX, over = 0;
	uint32_t want = ev->order < 4 ? ev->order * 3u + (uint32_t)ev->mt : 12u + (ev->mt == PAGUS_MOVABLE);
	struct pagus_pcp_info pcp = { 0 };
	enum pagus_status status;

	begin_step(l, cpu);
	take_zone_flags(l, zone, ev->gfp >> 24);
	pagus_pcp_info(p, zone, ev->cpu, &pcp);
	status = pagus_step_push(p, ev->pfn, ev->order, &list, &over);
	if (status != PAGUS_OK) {
		disagree(l, "push", ev->pfn, status);
		return;
	}
	lead_score(l, VERIFY_PUSH, list == want && pcp.count == (ev->gfp & 0xffffff),
		   "%#llx: kernel's list %u count %u, ours %u %u", (unsigned long long)ev->pfn, want,
		   ev->gfp & 0xffffff, list, pcp.count);
	begin_drain(l, (struct lead_drain){
		.pid = ev->pid, .zone = zone, .cpu = ev->cpu, .list = list, .left = over,
		.piece = pcp.batch, .settle = true,
	});
}

/* A pcp is drained from outside: all of it, or by the vmstat tick what is too much, or too far away. */
static void on_outside_drain(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t zone = zone_by_index(l, (uint8_t)((uint32_t)ev->mt << 4 | ev->order));
	struct lead_drain drain = { .pid = ev->pid, .zone = zone, .cpu = ev->x1 };
	struct pagus_pcp_info pcp = { 0 };

	begin_step(l, cpu);
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

static void on_drain_piece(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	uint32_t zone = zone_by_index(l, ev->x1), pages = (uint32_t)ev->pfn, ours = 0;
	struct lead_drain *drain = find_drain(l, ev, zone);
	struct pagus_pcp_info pcp = { 0 };

	begin_step(l, cpu);
	if (drain && drain->all) {
		/* Until it is empty: a piece may have taken more than it was to. */
		pagus_pcp_info(&l->machine->pagus, zone, ev->x2, &pcp);
		drain->left = pcp.count;
	}
	if (drain)
		ours = drain->left < drain->piece ? drain->left : drain->piece;
	lead_score(l, VERIFY_PIECE, drain && ours == pages, "kernel %u pages from list %u, ours %u of %u", pages,
		   ev->order, ours, drain ? drain->left : 0);
	/* Go on as the kernel did, whatever was predicted. */
	pagus_step_drain(&l->machine->pagus, zone, ev->x2, pages, ev->order);
	if (!drain)
		return;
	drain->left -= ours;
	if (drain->left == 0 && drain->settle)
		pagus_step_settle(&l->machine->pagus, zone);
}

/* ---- the zone -------------------------------------------------------------------------------- */

static uint32_t block_type(const struct lead *l, uint64_t pfn)
{
	struct pagus_page_info page;

	return pagus_page_info(&l->machine->pagus, pfn, &page) == PAGUS_OK ? page.block_type :
	       (uint32_t)PAGUS_NR_MIGRATETYPES;
}

static void on_direct_free(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	enum pagus_status status;

	begin_step(l, cpu);
	lead_score(l, VERIFY_DIRECT_FREE, block_type(l, ev->pfn) == (uint32_t)ev->mt,
		   "%#llx: kernel's type %d, ours %u", (unsigned long long)ev->pfn, ev->mt,
		   block_type(l, ev->pfn));
	status = pagus_step_free(&l->machine->pagus, ev->pfn, ev->order, ev->x1 & FPI_TO_TAIL);
	if (status != PAGUS_OK)
		disagree(l, "free", ev->pfn, status);
	l->capture.set = false;
}

/* The record at entry comes before the block's other free pages move: then it has left its list already. */
static void on_isolate(struct lead *l, const struct trace_event *ev)
{
	enum pagus_status status;

	if (ev->x1 == 0 || (ev->x1 == 1 && l->isolated_ahead == ev->pfn)) {
		l->isolated_ahead = PAGUS_NO_PFN;
		return;
	}
	status = pagus_step_isolate(&l->machine->pagus, ev->pfn, ev->order);
	if (status != PAGUS_OK)
		disagree(l, "isolate", ev->pfn, status);
	l->isolated_ahead = ev->x1 == 2 ? ev->pfn : PAGUS_NO_PFN;
}

/* The entry's record tells nothing of the outcome: look for the one that does. */
static bool isolation_succeeds(struct lead *l, const struct trace_event *entry)
{
	for (size_t n = 1; n < 4096; n++) {
		const struct trace_event *ev = window_ahead(&l->window, n);

		if (!ev)
			return false;
		if (ev->cpu == entry->cpu && ev->type == TRACE_ISOLATE_FREE)
			return ev->pfn == entry->pfn && ev->x1 == 1;
	}
	return false;
}

static void on_move_free(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	if (cpu->moves_done > 0)
		cpu->moves_done--;
	else
		pagus_step_move_free(&l->machine->pagus, ev->pfn, (enum pagus_migratetype)ev->gfp,
				     (enum pagus_migratetype)ev->mt);
}

/* A free block that covers the pageblock goes over to the new type's list with it, without an event of its own. */
static void on_set_type(struct lead *l, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	struct pagus_page_info page;

	if (pagus_page_info(p, ev->pfn, &page) != PAGUS_OK)
		return;
	if (page.kind == PAGUS_PAGE_FREE && page.order >= l->start->pageblock_order &&
	    page.block_type != (enum pagus_migratetype)ev->mt)
		pagus_step_move_free(p, ev->pfn, page.block_type, (enum pagus_migratetype)ev->mt);
	pagus_step_set_type(p, ev->pfn, (enum pagus_migratetype)ev->mt);
}

/* A free block larger than the pageblock has left its list by now; its pageblocks are freed one by one next. */
static void take_off_covering(struct lead *l, uint64_t pfn)
{
	for (uint32_t order = l->start->pageblock_order + 1; order <= PAGUS_MAX_ORDER; order++) {
		uint64_t head = pfn & ~((UINT64_C(1) << order) - 1);
		struct pagus_page_info page;

		if (pagus_page_info(&l->machine->pagus, head, &page) == PAGUS_OK &&
		    page.kind == PAGUS_PAGE_FREE && page.order == order)
			pagus_step_isolate(&l->machine->pagus, head, order);
	}
}

static void on_isolate_bit(struct lead *l, const struct trace_event *ev)
{
	uint64_t block = ev->pfn >> l->start->pageblock_order;
	uint32_t type = block_type(l, ev->pfn);

	if (block >= l->nr_blocks)
		return;
	take_off_covering(l, ev->pfn);
	if (ev->x1) {
		l->under_isolation[block] = (uint8_t)type;
		type = PAGUS_ISOLATE;
	} else {
		type = l->under_isolation[block];
	}
	pagus_step_set_type(&l->machine->pagus, ev->pfn, (enum pagus_migratetype)type);
}

static void on_marks(struct lead *l, const struct trace_event *ev)
{
	uint64_t low = ev->pfn >> 32, gap = ev->gfp - low;
	const uint64_t wmark[PAGUS_NR_WMARKS] = { ev->pfn & UINT32_MAX, low, ev->gfp, ev->gfp + gap };

	pagus_step_marks(&l->machine->pagus, zone_by_index(l, ev->x1), wmark, (uint64_t)ev->pid);
}

/* True if the page was granted on this CPU and its request not answered yet; now it is. */
static bool answer_request(struct lead_cpu *cpu, uint64_t pfn)
{
	for (uint32_t n = cpu->nr_granted; n-- > 0;) {
		if (cpu->granted[n] != pfn)
			continue;
		cpu->granted[n] = cpu->granted[--cpu->nr_granted];
		return true;
	}
	return false;
}

/* The task may have been moved to another CPU between its pop and its answer. */
static void on_alloc(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	bool known;

	if (ev->pfn == UINT64_MAX)
		return;
	known = answer_request(cpu, ev->pfn);
	for (uint32_t c = 0; !known && c < l->start->nr_cpus; c++)
		known = answer_request(&l->cpus[c], ev->pfn);
	lead_score(l, VERIFY_REQUEST, known, "kernel %#llx, which was not predicted",
		   (unsigned long long)ev->pfn);
}

static void on_setting(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;

	switch (ev->type) {
	case LEAD_WALK:
		drop_answers(l, cpu);
		begin_walk(l, ev, ev->pfn & 0xffff);
		break;
	case LEAD_LIMITS:
		pagus_step_limits(p, zone_by_index(l, ev->x1), ev->x2, (uint32_t)ev->pfn,
				  (uint32_t)(ev->pfn >> 32), ev->gfp);
		break;
	case LEAD_MARKS:
		on_marks(l, ev);
		break;
	case TRACE_TICK:
		pagus_step_fold(p);
		break;
	case LEAD_CAPTURE:
		l->capture.pfn = ev->pfn;
		l->capture.order = ev->order;
		l->capture.set = true;
		break;
	default:
		break;
	}
}

void lead_event(struct lead *l, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	struct lead_cpu *cpu = &l->cpus[ev->cpu];

	pagus_sim_on(&l->machine->sim, ev->cpu, ev->ts);
	switch (ev->type) {
	case TRACE_ALLOC:
		on_alloc(l, cpu, ev);
		break;
	case TRACE_ZONE_LOCKED:
		on_zone_locked(l, cpu, ev);
		break;
	case TRACE_PCPU_DRAIN:
		on_drained(l, cpu, ev);
		break;
	case TRACE_EXTFRAG:
		on_extfrag(l, cpu, ev);
		break;
	case TRACE_ISOLATE_FREE:
		if (ev->x1 != 2 || isolation_succeeds(l, ev))
			on_isolate(l, ev);
		break;
	case TRACE_SET_BLOCK_TYPE:
		on_set_type(l, ev);
		break;
	case TRACE_MOVE_FREE:
		on_move_free(l, cpu, ev);
		break;
	case LEAD_OUTSIDE_DRAIN:
		on_outside_drain(l, cpu, ev);
		break;
	case LEAD_DIRECT_FREE:
		on_direct_free(l, cpu, ev);
		break;
	case LEAD_ROTATE:
		if (pagus_step_rotate(p, ev->pfn, ev->order, (enum pagus_migratetype)ev->mt) != PAGUS_OK)
			disagree(l, "rotate", ev->pfn, PAGUS_BUSY);
		break;
	case LEAD_POP:
		on_pop(l, cpu, ev);
		break;
	case LEAD_REFILL:
		on_refill(l, cpu, ev);
		break;
	case LEAD_PUSH:
		on_push(l, cpu, ev);
		break;
	case LEAD_DRAIN_PIECE:
		on_drain_piece(l, cpu, ev);
		break;
	case LEAD_ISOLATE_BIT:
		on_isolate_bit(l, ev);
		break;
	case LEAD_CLAIM:
		if (cpu->nr == 0)
			take_directly(l, cpu, ev->pid, ev->pfn);
		break;
	default:
		on_setting(l, cpu, ev);
		break;
	}
}
