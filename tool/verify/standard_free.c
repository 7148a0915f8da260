/* SPDX-License-Identifier: MIT */
/*
 * Frees. A page is pushed at once, or in its batch, or as part of a larger block, or goes to the
 * zone: which, tells what comes next of it.
 */
#include "verify/standard.h"

#define RUN_PAGES 8 /* the most that a pcp list takes as one block */

/* A page that we hold free is freed: it had left silently. */
static void make_busy(struct lead *l, uint64_t pfn, uint32_t order)
{
	struct ahead_page *page = ahead_page(&l->standard->ahead, pfn);
	uint64_t end = pfn + (UINT64_C(1) << order), at = pfn, head;
	struct pagus_page_info info;

	if (page && page->silent) {
		resync_count(l, VERIFY_RULE_R4);
		page->silent = false;
	}
	while (at < end) {
		if (!resync_block_of(l, at, &head, &info)) {
			at++;
			continue;
		}
		if (info.kind == PAGUS_PAGE_FREE) {
			resync_isolate(l, at, order < info.order ? order : info.order, false);
		} else if (info.kind == PAGUS_PAGE_PCP) {
			resync_count(l, VERIFY_RULE_R1);
			pagus_step_uncache(&l->machine->pagus, head);
		}
		at = info.kind == PAGUS_PAGE_FREE && info.order > order ?
			     end : head + (UINT64_C(1) << info.order);
	}
}

void standard_free_direct(struct lead *l, uint64_t pfn, uint32_t order)
{
	if (pagus_step_free(&l->machine->pagus, pfn, order, false) != PAGUS_OK)
		resync_count(l, VERIFY_RULE_REFUSED);
}

static bool drain_follows(const struct lead *l, const struct trace_event *ev, uint32_t zone)
{
	const struct trace_event *next = standard_next_event(l, ev);

	return next && next->type == TRACE_PCPU_DRAIN && lead_zone_of(l, next->pfn) == zone;
}

/*
 * A free at the highest limit that high can have drains, unless it is one that may not wait for
 * locks.
 */
static bool may_drain(struct lead *l, uint32_t zone, uint32_t order, bool drains)
{
	struct pagus_pcp_info pcp = { 0 };

	pagus_pcp_info(&l->machine->pagus, zone, l->cpu, &pcp);
	if (drains || !l->standard->tuned || pcp.count + (1u << order) <= pcp.high_max)
		return true;
	resync_count(l, VERIFY_RULE_NOLOCK);
	return false;
}

static void push(struct lead *l, const struct trace_event *ev, uint32_t order)
{
	struct pagus *p = &l->machine->pagus;
	struct standard_cpu *cpu = &l->standard->cpus[ev->cpu];
	uint32_t zone = lead_zone_of(l, ev->pfn), list = 0, over = 0;
	bool drains = drain_follows(l, ev, zone);

	if (pagus_step_push(p, ev->pfn, order, may_drain(l, zone, order, drains), &list, &over) !=
	    PAGUS_OK) {
		resync_count(l, VERIFY_RULE_REFUSED);
		return;
	}
	cpu->push = (struct standard_push){ l->number, zone, list, ev->pid };
	ahead_page(&l->standard->ahead, ev->pfn)->since = l->number;
	if (over == 0)
		return;
	if (!drains) {
		standard_no_drain(l, zone, over);
		return;
	}
	standard_expect_drain(l, ev, list, over);
}

/* How many single pages this flow of control frees from ev's on, in ascending order, unbatched. */
static uint32_t run_length(const struct lead *l, const struct trace_event *ev)
{
	const struct ahead *a = &l->standard->ahead;
	uint64_t number = a->now;
	uint32_t n = 1;

	for (; n < RUN_PAGES; n++) {
		const struct trace_event *next;

		number = ahead_same_cpu(a, number);
		if (number-- == 0)
			break;
		next = ahead_event(a, number);
		if (next->type != TRACE_FREE || next->order != 0 || next->pfn != ev->pfn + n ||
		    !standard_same_context(next, ev))
			break;
	}
	return n;
}

/*
 * The order at which the run that begins with this page is freed as one block: where it was
 * allocated as one, or is handed on as one. 0: each page by itself.
 */
static uint32_t order_of_run(const struct lead *l, const struct trace_event *ev,
			     const struct trace_event *next)
{
	struct pagus_page_info info;
	uint32_t order = 0, pages;

	if (!l->standard->recorded_tuned || ev->order > 0 || ev->pfn & 1 ||
	    (next && next->type == TRACE_FREE_BATCHED) ||
	    pagus_page_info(&l->machine->pagus, ev->pfn, &info) != PAGUS_OK)
		return 0;
	if (!(info.kind == PAGUS_PAGE_ALLOCATED && info.order > 0) && !(next && next->order > 0))
		return 0;
	pages = run_length(l, ev);
	while (order < 3 && pages >> (order + 1) && !(ev->pfn >> order & 1))
		order++;
	return order;
}

/* True if the page is one of a run, which is pushed with its last page. */
static bool in_run(struct lead *l, const struct trace_event *ev, const struct trace_event *next)
{
	struct standard_run *run = &l->standard->cpus[ev->cpu].run;

	if (run->left > 0 && ev->pfn - run->pfn < UINT64_C(1) << run->order) {
		struct trace_event whole = *ev;

		whole.pfn = run->pfn;
		if (--run->left == 0)
			push(l, &whole, run->order);
		return true;
	}
	run->order = order_of_run(l, ev, next);
	run->pfn = ev->pfn;
	run->left = run->order > 0 ? (1u << run->order) - 1 : 0;
	return run->left > 0;
}

void standard_on_free(struct lead *l, const struct trace_event *ev)
{
	struct ahead_page *page = ahead_page(&l->standard->ahead, ev->pfn);
	const struct trace_event *next = ahead_of_page(&l->standard->ahead, ev->pfn);

	if (!page || lead_zone_of(l, ev->pfn) == UINT32_MAX)
		return;
	make_busy(l, ev->pfn, ev->order);
	page->order = ev->order;
	page->freed_by = ev->pid;
	if (in_run(l, ev, next))
		return;
	if (!lead_cached(l, ev->order) ||
	    (next && (next->type == TRACE_ZONE_LOCKED || next->type == TRACE_EXTFRAG)) ||
	    standard_finds_pcp_locked(l, ev, lead_zone_of(l, ev->pfn))) {
		standard_free_direct(l, ev->pfn, ev->order);
		if (!(ev->irqflags & LEAD_IN_INTERRUPT))
			standard_task(l->standard, ev->pid)->direct = true;
	} else if (!next || next->type != TRACE_FREE_BATCHED) {
		push(l, ev, ev->order);
	}
}

void standard_pay(struct lead *l, const struct trace_event *ev, struct standard_task *task)
{
	struct trace_event late = *ev;

	late.pfn = task->pfn;
	make_busy(l, late.pfn, task->order);
	if (lead_cached(l, task->order))
		push(l, &late, task->order);
	else
		standard_free_direct(l, late.pfn, task->order);
}

void standard_on_batched(struct lead *l, const struct trace_event *ev)
{
	const struct ahead_page *page = ahead_page(&l->standard->ahead, ev->pfn);

	if (!page || lead_zone_of(l, ev->pfn) == UINT32_MAX)
		return;
	make_busy(l, ev->pfn, page->order);
	push(l, ev, page->order);
}
