/* SPDX-License-Identifier: MIT */
/*
 * What all recordings have in common: answers and their confirmation, and what is given from
 * outside.
 */
#include "verify/lead.h"

#include <stdarg.h>
#include <stdio.h>

#define FPI_TO_TAIL         0x2u
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
			      (unsigned long long)l->number, verify_key(kind));
		va_start(args, format);
		vsnprintf(text + at, VERIFY_MISS_TEXT - (size_t)at, format, args);
		va_end(args);
	}
	v->nr_misses++;
}

void lead_disagree(struct lead *l, const char *step, uint64_t pfn, enum pagus_status status)
{
	if (l->v->nr_misses < VERIFY_MISSES)
		snprintf(l->v->miss[l->v->nr_misses], VERIFY_MISS_TEXT,
			 "event %llu: %s at pfn %#llx: %s", (unsigned long long)l->number,
			 step, (unsigned long long)pfn, pagus_status_text(status));
	l->v->nr_misses++;
	l->v->disagreements++;
}

uint32_t lead_zone(const struct lead *l, uint8_t nid_index)
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

uint32_t lead_zone_of(const struct lead *l, uint64_t pfn)
{
	struct pagus_page_info page;

	return pagus_page_info(&l->machine->pagus, pfn, &page) == PAGUS_OK ? page.zone : UINT32_MAX;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool next_answer(struct lead_cpu *cpu, struct lead_answer *answer)
{
	if (cpu->nr == 0)
		return false;
	*answer = cpu->queue[cpu->first];
	cpu->nr--;
	cpu->first = cpu->nr ? cpu->first + 1 : 0;
	return true;
}

static enum verify_kind kind_of(const struct lead_answer *answer)
{
	switch (answer->event) {
	case PAGUS_EVENT_PCPU_DRAIN:
		return VERIFY_DRAIN;
	case PAGUS_EVENT_EXTFRAG:
		return VERIFY_FALLBACK;
	case PAGUS_EVENT_RETYPE:
		return VERIFY_RESERVE;
	default:
		return VERIFY_ZONE_TAKE;
	}
}

void lead_drop_answers(struct lead *l, struct lead_cpu *cpu)
{
	struct lead_answer answer;

	while (next_answer(cpu, &answer)) {
		lead_score(l, kind_of(&answer), false,
			   "ours went on to pfn %#llx order %u, the kernel did not",
			   (unsigned long long)answer.pfn, answer.order);
	}
}

void lead_begin_step(struct lead *l, struct lead_cpu *cpu)
{
	lead_drop_answers(l, cpu);
	cpu->retypes_done = 0;
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

static void confirm_taken(struct lead *l, const struct lead_answer *answer,
			  const struct trace_event *ev)
{
	lead_score(l, VERIFY_ZONE_TAKE,
		   answer->event == PAGUS_EVENT_ZONE_LOCKED && answer->pfn == ev->pfn &&
		   answer->order == ev->order && answer->type == (uint8_t)ev->mt,
		   "kernel %#llx order %u type %d, ours %#llx order %u type %u",
		   (unsigned long long)ev->pfn, ev->order, ev->mt, (unsigned long long)answer->pfn,
		   answer->order, answer->type);
}

static void confirm_fallback(struct lead *l, const struct lead_answer *answer,
			     const struct trace_event *ev)
{
	lead_score(l, VERIFY_FALLBACK,
		   answer->event == PAGUS_EVENT_EXTFRAG && answer->pfn == ev->pfn &&
			   answer->order == ev->order && answer->type == (uint8_t)ev->mt &&
			   answer->a == ev->x1 && answer->b == ev->gfp,
		   "kernel %#llx order %u from %u type %d of %#x, ours %#llx order %u from %u type "
		   "%u of %#x",
		   (unsigned long long)ev->pfn, ev->order, ev->x1, ev->mt, ev->gfp,
		   (unsigned long long)answer->pfn, answer->order, answer->a, answer->type,
		   answer->b);
}

static void confirm_drained(struct lead *l, const struct lead_answer *answer,
			    const struct trace_event *ev)
{
	lead_score(l, VERIFY_DRAIN,
		   answer->event == PAGUS_EVENT_PCPU_DRAIN && answer->pfn == ev->pfn &&
		   answer->order == ev->order && answer->type == (uint8_t)ev->mt,
		   "kernel %#llx order %u type %d, ours %#llx order %u type %u",
		   (unsigned long long)ev->pfn, ev->order, ev->mt, (unsigned long long)answer->pfn,
		   answer->order, answer->type);
}

bool lead_confirm(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct lead_answer answer = { .pfn = PAGUS_NO_PFN };
	uint32_t misses = l->v->nr_misses;

	next_answer(cpu, &answer);
	if (ev->type == TRACE_ZONE_LOCKED)
		confirm_taken(l, &answer, ev);
	else if (ev->type == TRACE_EXTFRAG)
		confirm_fallback(l, &answer, ev);
	else
		confirm_drained(l, &answer, ev);
	return misses == l->v->nr_misses;
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

	lead_begin_step(l, cpu);
	lead_score(l, VERIFY_DIRECT_FREE, block_type(l, ev->pfn) == (uint32_t)ev->mt,
		   "%#llx: kernel's type %d, ours %u", (unsigned long long)ev->pfn, ev->mt,
		   block_type(l, ev->pfn));
	status = pagus_step_free(&l->machine->pagus, ev->pfn, ev->order, ev->x1 & FPI_TO_TAIL);
	if (status != PAGUS_OK)
		lead_disagree(l, "free", ev->pfn, status);
	l->capture.set = false;
}

/*
 * The record at entry comes before the block's other free pages move: then it has left its list
 * already.
 */
static void on_isolate(struct lead *l, const struct trace_event *ev)
{
	enum pagus_status status;

	if (ev->x1 == 0 || (ev->x1 == 1 && l->isolated_ahead == ev->pfn)) {
		l->isolated_ahead = PAGUS_NO_PFN;
		return;
	}
	status = pagus_step_isolate(&l->machine->pagus, ev->pfn, ev->order);
	if (status != PAGUS_OK)
		lead_disagree(l, "isolate", ev->pfn, status);
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

/*
 * True if the next answer is that this pageblock is set aside: its free blocks have moved already.
 */
static bool reserved_by_us(const struct lead_cpu *cpu, uint64_t pfn)
{
	return cpu->nr > 0 && cpu->queue[cpu->first].event == PAGUS_EVENT_RETYPE &&
	       cpu->queue[cpu->first].pfn == pfn;
}

/* Which pageblock of this one's zone the reserve would give back now. */
static uint64_t next_reserved(const struct lead *l, uint64_t pfn)
{
	uint64_t next = PAGUS_NO_PFN;

	pagus_step_next_reserved(&l->machine->pagus, lead_zone_of(l, pfn), &next);
	return next;
}

static void on_move_free(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	/* Their free pages leave the reserve before the pageblock does. */
	if (ev->gfp == PAGUS_HIGHATOMIC && ev->mt < PAGUS_HIGHATOMIC)
		cpu->giving = (struct lead_giving){ ev->pfn, next_reserved(l, ev->pfn) };
	if (reserved_by_us(cpu, ev->pfn))
		return;
	if (cpu->moves_done > 0)
		cpu->moves_done--;
	else
		pagus_step_move_free(&l->machine->pagus, ev->pfn, (enum pagus_migratetype)ev->gfp,
				     (enum pagus_migratetype)ev->mt);
}

/*
 * A free block that covers the pageblock goes over to the new type's list with it, without an event
 * of its own.
 */
static void set_type(struct lead *l, uint64_t pfn, uint32_t type)
{
	l->given = true;
	pagus_step_set_type(&l->machine->pagus, pfn, (enum pagus_migratetype)type);
	l->given = false;
}

/* A block above the pageblock is given back with all its pageblocks: the first speaks for them. */
static void score_given_back(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	const struct lead_giving moved = cpu->giving;
	struct pagus_page_info page;
	uint64_t ours;

	cpu->giving = (struct lead_giving){ PAGUS_NO_PFN, PAGUS_NO_PFN };
	if (pagus_page_info(&l->machine->pagus, ev->pfn, &page) == PAGUS_OK &&
	    page.kind == PAGUS_PAGE_TAIL)
		return;
	ours = moved.pfn == ev->pfn ? moved.ours : next_reserved(l, ev->pfn);
	lead_score(l, VERIFY_RESERVE, ours == ev->pfn, "kernel gives %#llx back, ours %#llx",
		   (unsigned long long)ev->pfn, (unsigned long long)ours);
}

static void on_set_type(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	struct lead_answer answer;
	struct pagus_page_info page;

	if (ev->mt == PAGUS_HIGHATOMIC) {
		bool ours = reserved_by_us(cpu, ev->pfn) && next_answer(cpu, &answer);

		lead_score(l, VERIFY_RESERVE, ours, "kernel sets %#llx aside",
			   (unsigned long long)ev->pfn);
	} else if (cpu->retypes_done > 0) {
		cpu->retypes_done--;
		return;
	} else if (ev->x1 == PAGUS_HIGHATOMIC && ev->mt < PAGUS_HIGHATOMIC) {
		score_given_back(l, cpu, ev);
	}
	if (pagus_page_info(&l->machine->pagus, ev->pfn, &page) != PAGUS_OK)
		return;
	if (page.kind == PAGUS_PAGE_FREE && page.order >= l->start->pageblock_order &&
	    page.block_type != (enum pagus_migratetype)ev->mt)
		pagus_step_move_free(&l->machine->pagus, ev->pfn, page.block_type,
				     (enum pagus_migratetype)ev->mt);
	set_type(l, ev->pfn, (uint32_t)ev->mt);
}

/*
 * A free block larger than the pageblock has left its list by now; its pageblocks are freed one by
 * one next.
 */
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
	set_type(l, ev->pfn, type);
}

/*
 * A run of kswapd pays its boosts back a little before its end is recorded: marks that show it tell
 * when.
 */
static uint64_t zone_boost(struct lead *l, uint32_t zone, uint64_t recorded_min, uint64_t recorded)
{
	struct pagus_zone_info info;

	if (pagus_zone_info(&l->machine->pagus, zone, &info) != PAGUS_OK)
		return 0;
	/* Marks that are set anew have no boost. */
	if (info.wmark[PAGUS_WMARK_MIN] - info.boost != recorded_min)
		return 0;
	if (info.boost != recorded && l->kswapd_runs[info.node]) {
		pagus_step_kswapd(&l->machine->pagus, info.node, l->kswapd_runs[info.node] - 1,
				  false);
		l->kswapd_runs[info.node] = 0;
		pagus_zone_info(&l->machine->pagus, zone, &info);
	}
	return info.boost;
}

static void on_marks(struct lead *l, const struct trace_event *ev)
{
	uint64_t low = ev->pfn >> 32, gap = ev->gfp - low;
	const uint64_t wmark[PAGUS_NR_WMARKS] = { ev->pfn & UINT32_MAX, low, ev->gfp,
						  ev->gfp + gap };

	const uint32_t zone = lead_zone(l, ev->x1);
	const uint64_t boost = zone_boost(l, zone, wmark[0], (uint64_t)ev->pid);

	lead_score(l, VERIFY_BOOST, boost == (uint64_t)ev->pid, "kernel's boost %d, ours %llu",
		   ev->pid, (unsigned long long)boost);
	pagus_step_marks(&l->machine->pagus, zone, wmark, (uint64_t)ev->pid);
}

/* Zone indices of recordings are those of the kernel, without HighMem. */
static void on_kswapd(struct lead *l, const struct trace_event *ev)
{
	uint32_t highest = ev->x2 < PAGUS_ZONE_HIGHMEM ? ev->x2 : (uint32_t)PAGUS_ZONE_MOVABLE;
	uint32_t node = (uint32_t)ev->mt;

	if (pagus_step_kswapd(&l->machine->pagus, node, highest, ev->x1) == PAGUS_OK)
		l->kswapd_runs[node] = ev->x1 ? highest + 1 : 0;
}

bool lead_answer_request(struct lead_cpu *cpu, uint64_t pfn)
{
	for (uint32_t n = cpu->nr_granted; n-- > 0;) {
		if (cpu->granted[n] != pfn)
			continue;
		cpu->granted[n] = cpu->granted[--cpu->nr_granted];
		return true;
	}
	return false;
}

uint32_t lead_list(uint32_t order, uint32_t type)
{
	return order < 4 ? order * 3 + type : LEAD_HUGE_LIST + (type == PAGUS_MOVABLE);
}

static void on_rotate(struct lead *l, const struct trace_event *ev)
{
	enum pagus_status status = pagus_step_rotate(&l->machine->pagus, ev->pfn, ev->order);

	if (status != PAGUS_OK)
		lead_disagree(l, "rotate", ev->pfn, status);
}

void lead_common_event(struct lead *l, struct lead_cpu *cpu, const struct trace_event *ev)
{
	switch (ev->type) {
	case TRACE_PCPU_DRAIN:
		lead_confirm(l, cpu, ev);
		break;
	case TRACE_ISOLATE_FREE:
		if (ev->x1 != 2 || isolation_succeeds(l, ev))
			on_isolate(l, ev);
		break;
	case TRACE_MOVE_FREE:
		on_move_free(l, cpu, ev);
		break;
	case TRACE_SET_BLOCK_TYPE:
		on_set_type(l, cpu, ev);
		break;
	case TRACE_DIRECT_FREE:
		on_direct_free(l, cpu, ev);
		break;
	case TRACE_KSWAPD:
		on_kswapd(l, ev);
		break;
	case TRACE_ROTATE:
		on_rotate(l, ev);
		break;
	case TRACE_ISOLATE_BIT:
		on_isolate_bit(l, ev);
		break;
	case TRACE_LIMITS:
		pagus_step_limits(&l->machine->pagus, lead_zone(l, ev->x1), ev->x2,
				  (uint32_t)ev->pfn, (uint32_t)(ev->pfn >> 32), ev->gfp);
		break;
	case TRACE_MARKS:
		on_marks(l, ev);
		break;
	case TRACE_TICK:
		pagus_step_fold(&l->machine->pagus);
		break;
	case TRACE_CAPTURE:
		l->capture.pfn = ev->pfn;
		l->capture.order = ev->order;
		l->capture.set = true;
		break;
	default:
		break;
	}
}
