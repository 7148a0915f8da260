/* SPDX-License-Identifier: MIT */
/* The run over the stock events, and allocation from pcp lists. */
#include "verify/standard.h"

#include <stdlib.h>

#define STOCK_EVENTS                                                                               \
	(1u << TRACE_ALLOC | 1u << TRACE_FREE | 1u << TRACE_FREE_BATCHED |                         \
	 1u << TRACE_ZONE_LOCKED | 1u << TRACE_PCPU_DRAIN | 1u << TRACE_EXTFRAG)
#define INTERRUPTED_BY 256  /* events of interrupts at the most, between two of a task */
#define LATE_DEPTH     4    /* pages at the most that are on a list and should not be */
#define GONE_AT_ONCE   4096 /* pages that have left before one pop */

bool standard_begin(struct lead *l, struct trace *t)
{
	struct standard *s = calloc(1, sizeof(*s));

	l->standard = s;
	if (!s)
		return false;
	s->tuned = verify_policy_tunes(l->v->policy);
	s->recorded_tuned = l->start->version >= MACHINE_TUNED_PCP;
	s->cpus = calloc(AHEAD_CPUS, sizeof(*s->cpus));
	s->tasks = calloc(STANDARD_TASKS, sizeof(*s->tasks));
	s->refused = calloc(pagus_nr_zones(&l->machine->pagus), sizeof(*s->refused));
	s->unexpected = calloc(pagus_nr_zones(&l->machine->pagus), sizeof(*s->unexpected));
	return s->cpus && s->tasks && s->refused && s->unexpected &&
	       ahead_init(&s->ahead, t, STOCK_EVENTS, l->machine->first_pfn, l->machine->end_pfn);
}

void standard_end(struct lead *l)
{
	if (!l->standard)
		return;
	ahead_fini(&l->standard->ahead);
	free(l->standard->cpus);
	free(l->standard->list.pfns);
	free(l->standard->tasks);
	free(l->standard->refused);
	free(l->standard->unexpected);
	free(l->standard);
	l->standard = NULL;
}

bool standard_same_context(const struct trace_event *a, const struct trace_event *b)
{
	return a->pid == b->pid && !((a->irqflags ^ b->irqflags) & LEAD_IN_INTERRUPT);
}

const struct trace_event *standard_next_event(const struct lead *l, const struct trace_event *ev)
{
	const struct ahead *a = &l->standard->ahead;
	uint64_t number = a->now + 1;

	for (uint32_t n = 0; n < INTERRUPTED_BY; n++) {
		const struct trace_event *next;

		number = ahead_same_cpu(a, number - 1);
		if (number == 0)
			return NULL;
		next = ahead_event(a, number - 1);
		if (standard_same_context(next, ev))
			return next;
		/* Of another task, or of what this interrupt has interrupted: it is over. */
		if (!(next->irqflags & LEAD_IN_INTERRUPT))
			return NULL;
	}
	return NULL;
}

/* A page whose task has done nothing since it freed it: the push may be still to come. */
static bool owed(struct lead *l, uint64_t pfn, const struct trace_event *ev)
{
	const struct ahead_page *page = ahead_page(&l->standard->ahead, pfn);
	struct standard_task *task = standard_task(l->standard, page->freed_by);

	if (task->pid != page->freed_by || task->pid == ev->pid || task->type != TRACE_FREE ||
	    task->pfn != pfn)
		return false;
	task->owes = true;
	return true;
}

/* The pages at the head of the list that are seen to be gone are. True if there were any. */
static bool drop_gone(struct lead *l, const struct trace_event *ev, uint32_t zone, uint32_t list)
{
	uint32_t silent = 0, ahead = 0, late = 0;
	struct pagus_step_place place = { .depth = UINT64_MAX };
	bool near;

	pagus_step_find_cached(&l->machine->pagus, ev->pfn, &place);
	near = place.depth <= LATE_DEPTH && place.cpu == ev->cpu && place.list == list;

	while (silent + ahead + late < GONE_AT_ONCE) {
		uint64_t ours = pagus_step_first(&l->machine->pagus, zone, l->cpu, list);

		if (ours == PAGUS_NO_PFN || ours == ev->pfn)
			break;
		if (near && !resync_off_list(l, ours) && owed(l, ours, ev)) {
			pagus_step_uncache(&l->machine->pagus, ours);
			late++;
			continue;
		}
		if (near && resync_in_flight(l, ours, ev))
			ahead++;
		else if (resync_off_list(l, ours))
			silent++;
		else
			break;
		resync_take_off(l, ours);
	}
	l->v->resync[VERIFY_RULE_R1] += silent > 0;
	l->v->resync[VERIFY_RULE_AHEAD] += ahead;
	l->v->resync[VERIFY_RULE_LATE] += late;
	return silent + ahead + late > 0;
}

/* The page was popped where it was not expected. */
static void pop_anyhow(struct lead *l, const struct trace_event *ev, uint32_t list, uint64_t ours)
{
	struct pagus_step_place place;
	enum verify_rule rule = VERIFY_RULE_R2;

	if (pagus_step_find_cached(&l->machine->pagus, ev->pfn, &place) == PAGUS_OK) {
		rule = place.cpu != ev->cpu ? VERIFY_RULE_CPU :
		       place.list != list ? VERIFY_RULE_LIST : VERIFY_RULE_ORDER;
		pagus_step_uncache(&l->machine->pagus, ev->pfn);
		if (rule == VERIFY_RULE_LIST)
			resync_type(l, ev->pfn, (uint32_t)ev->mt);
	} else {
		resync_clear(l, ev->pfn, ev->order);
	}
	if (ours != PAGUS_NO_PFN)
		resync_expected_type(l, ours);
	resync_count(l, rule);
}

static void pop(struct lead *l, const struct trace_event *ev, uint32_t zone)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t type = (uint32_t)ev->mt, list = lead_list(ev->order, type);
	uint64_t ours = pagus_step_first(p, zone, ev->cpu, list);
	bool gone = false;

	if (ours != ev->pfn) {
		gone = drop_gone(l, ev, zone, list);
		ours = pagus_step_first(p, zone, ev->cpu, list);
	}
	if (!gone || ours != ev->pfn)
		lead_score(l, VERIFY_PCP_ALLOC, ours == ev->pfn,
			   "order %u type %d: kernel %#llx, ours %#llx", ev->order, ev->mt,
			   (unsigned long long)ev->pfn, (unsigned long long)ours);
	if (ours == ev->pfn)
		pagus_step_pop(p, zone, ev->order, type, false, &ours);
	else
		pop_anyhow(l, ev, list, ours);
}

static void on_alloc(struct lead *l, const struct trace_event *ev)
{
	uint32_t zone = lead_zone_of(l, ev->pfn);
	bool known;

	if (zone == UINT32_MAX)
		return;
	known = lead_answer_request(&l->cpus[ev->cpu], ev->pfn);
	for (uint32_t c = 0; !known && c < l->start->nr_cpus; c++)
		known = lead_answer_request(&l->cpus[c], ev->pfn);
	if (known)
		return;
	standard_visit(l, zone, ev);
	if (lead_cached(l, ev->order) && ev->mt < 3) {
		pop(l, ev, zone);
	} else {
		resync_count(l, VERIFY_RULE_R8);
		resync_clear(l, ev->pfn, ev->order);
	}
}

/* A task goes on: what it had begun is done by now. */
static void note_task(struct lead *l, const struct trace_event *ev)
{
	struct standard_task *task = standard_task(l->standard, ev->pid);

	if (ev->irqflags & LEAD_IN_INTERRUPT)
		return;
	if (task->owes)
		standard_pay(l, ev, task);
	*task = (struct standard_task){
		.pid = ev->pid, .type = ev->type, .pfn = ev->pfn, .order = ev->order,
		.drains = task->pid == ev->pid && task->type == TRACE_PCPU_DRAIN,
	};
}

/* A block that there can be, of a type where the event names one. A failed request has no page. */
static bool can_be(const struct lead *l, const struct trace_event *ev)
{
	bool typed = ev->type != TRACE_FREE && ev->type != TRACE_FREE_BATCHED;

	return ev->order <= PAGUS_MAX_ORDER && ev->order < PAGUS_NR_ORDERS &&
	       (!typed || (ev->mt >= 0 && ev->mt < PAGUS_NR_MIGRATETYPES)) &&
	       (ev->pfn == UINT64_MAX ||
		(lead_zone_of(l, ev->pfn) != UINT32_MAX &&
		 !(ev->pfn & ((UINT64_C(1) << ev->order) - 1))));
}

static void on_event(struct lead *l, const struct trace_event *ev)
{
	if (!can_be(l, ev)) {
		resync_count(l, VERIFY_RULE_REFUSED);
		return;
	}
	note_task(l, ev);
	if (l->standard->cpus[ev->cpu].nr_drains > 0 && ev->type != TRACE_PCPU_DRAIN)
		standard_end_drains(l, ev);
	switch (ev->type) {
	case TRACE_ALLOC:
		on_alloc(l, ev);
		break;
	case TRACE_FREE:
		standard_on_free(l, ev);
		break;
	case TRACE_FREE_BATCHED:
		standard_on_batched(l, ev);
		break;
	case TRACE_PCPU_DRAIN:
		standard_on_drain(l, ev);
		break;
	default:
		standard_on_taken(l, ev);
		break;
	}
}

bool standard_run(struct lead *l, struct trace *t, struct trace_error *err)
{
	struct ahead *a = &l->standard->ahead;
	int more;

	while ((more = ahead_next(a, err)) > 0) {
		const struct trace_event *ev = ahead_now(a);

		l->number = a->now;
		if (!lead_on(l, ev, t, err))
			return false;
		on_event(l, ev);
		l->standard->cpus[ev->cpu].last = a->now;
		if (!(ev->irqflags & LEAD_IN_INTERRUPT))
			l->standard->cpus[ev->cpu].outside = *ev;
		l->v->events++;
	}
	return more == 0;
}
