/* SPDX-License-Identifier: MIT */
/* Drains: expected after a push, or from outside. */
#include "verify/standard.h"

#define SILENT_AT_ONCE 4096 /* pages taken silently before one drained block */
#define REQUEST_EVENTS 4096 /* the most between a drain and the answer that it was made for */

static void tune(struct lead *l, uint32_t zone, uint32_t cpu, const struct pagus_pcp_info *pcp)
{
	struct pagus_pcp_seed seed = { pcp->high, pcp->alloc_factor, pcp->free_count, pcp->flags };

	pagus_step_tune(&l->machine->pagus, zone, cpu, &seed);
}

/* Ours would drain and the kernel does not: its limit is higher than thought. */
void standard_no_drain(struct lead *l, uint32_t zone, uint32_t over)
{
	struct pagus *p = &l->machine->pagus;
	struct pagus_pcp_info pcp = { 0 };

	lead_score(l, VERIFY_DRAIN, false, "ours drains %u pages, the kernel does not", over);
	resync_count(l, VERIFY_RULE_R7);
	pagus_pcp_info(p, zone, l->cpu, &pcp);
	l->standard->unexpected[zone] = 0;
	if (pagus_step_flag(p, zone, PAGUS_STEP_RECLAIM_ACTIVE)) {
		pagus_step_set_flag(p, zone, PAGUS_STEP_RECLAIM_ACTIVE, false);
	} else if (l->standard->tuned) {
		pagus_step_set_flag(p, zone, PAGUS_STEP_BELOW_HIGH, false);
		/* Farther each time, until a drain comes. */
		pcp.high = pcp.count + (pcp.batch << l->standard->refused[zone]);
		l->standard->refused[zone] += l->standard->refused[zone] < 5;
		tune(l, zone, l->cpu, &pcp);
	}
}

/* Room for one more; the oldest that never went on is forgotten. */
static struct standard_drain *new_drain(struct standard_cpu *cpu, const struct trace_event *ev)
{
	struct standard_drain *d;

	if (cpu->nr_drains == STANDARD_DRAINS) {
		for (uint32_t n = 1; n < STANDARD_DRAINS; n++)
			cpu->drains[n - 1] = cpu->drains[n];
		cpu->nr_drains--;
	}
	d = &cpu->drains[cpu->nr_drains++];
	*d = (struct standard_drain){
		.pid = ev->pid, .context = ev->irqflags & LEAD_IN_INTERRUPT,
	};
	return d;
}

void standard_expect_drain(struct lead *l, const struct trace_event *ev, uint32_t list,
			   uint32_t pages)
{
	uint32_t zone = lead_zone_of(l, ev->pfn);
	struct standard_drain *d = new_drain(&l->standard->cpus[ev->cpu], ev);
	struct pagus_pcp_info pcp = { 0 };

	pagus_pcp_info(&l->machine->pagus, zone, ev->cpu, &pcp);
	l->standard->refused[zone] = 0;
	d->zone = zone;
	d->cpu = ev->cpu;
	d->list = list;
	d->left = pages;
	d->overflow = true;
	d->piece = l->standard->tuned ? pcp.batch : pages;
}

/* The newest drain of this flow of control; UINT32_MAX if it has none. */
static uint32_t find_drain(const struct standard_cpu *cpu, const struct trace_event *ev)
{
	for (uint32_t n = cpu->nr_drains; n-- > 0;)
		if (cpu->drains[n].pid == ev->pid &&
		    cpu->drains[n].context == (ev->irqflags & LEAD_IN_INTERRUPT))
			return n;
	return UINT32_MAX;
}

static void remove_drain(struct standard_cpu *cpu, uint32_t at)
{
	cpu->nr_drains--;
	for (uint32_t n = at; n < cpu->nr_drains; n++)
		cpu->drains[n] = cpu->drains[n + 1];
}

struct burst {
	uint32_t pages;
	uint64_t last_pfn;
};

/*
 * The drain events of this flow of control in this zone, without another event on the CPU between.
 */
static struct burst find_burst(const struct lead *l, const struct trace_event *ev, uint32_t zone)
{
	const struct ahead *a = &l->standard->ahead;
	struct burst b = { 0 };

	for (uint64_t number = a->now + 1; number; number = ahead_same_cpu(a, number - 1)) {
		const struct trace_event *at = ahead_event(a, number - 1);

		if (at->type != TRACE_PCPU_DRAIN || !standard_same_context(at, ev) ||
		    lead_zone_of(l, at->pfn) != zone)
			break;
		b.pages += 1u << at->order;
		b.last_pfn = at->pfn;
	}
	return b;
}

/* Whose pcp: the one that the burst's last page lies on. */
static uint32_t owner_of(const struct lead *l, const struct trace_event *ev, const struct burst *b)
{
	struct pagus_step_place place = { .cpu = ev->cpu };

	if (pagus_step_find_cached(&l->machine->pagus, b->last_pfn, &place) != PAGUS_OK)
		pagus_step_find_cached(&l->machine->pagus, ev->pfn, &place);
	return place.cpu;
}

static bool fits(uint32_t pages, uint32_t size, uint32_t piece)
{
	/* The last block of a piece may be more than what was left of it. */
	return size > 0 && pages >= size && pages - size < 8 * ((size + piece - 1) / piece) + 1;
}

/* What decays now from the acting CPU's pcp. */
static uint32_t decay_pages(const struct pagus_pcp_info *pcp)
{
	uint32_t most = pcp->batch << 5, high = pcp->high;
	uint32_t floor = pcp->count > most ? pcp->count - most : 0;

	if (high > pcp->high_min) {
		high -= high / 8;
		high = high > floor ? high : floor;
		high = high > pcp->high_min ? high : pcp->high_min;
	}
	return pcp->count > high ? pcp->count - high : 0;
}

/* The request that this task is in the midst of; NULL if none is near. */
static const struct trace_event *request_of(const struct lead *l, const struct trace_event *ev)
{
	const struct ahead *a = &l->standard->ahead;
	uint64_t number = a->now;

	for (uint32_t n = 0; n < REQUEST_EVENTS; n++) {
		number = ahead_same_cpu(a, number);
		if (number-- == 0)
			return NULL;
		if (!standard_same_context(ahead_event(a, number), ev))
			continue;
		if (ahead_event(a, number)->type == TRACE_ALLOC)
			return ahead_event(a, number);
	}
	return NULL;
}

/* All pcps are drained one after the other for a request, which gives back of the reserve first. */
static void drained_for(struct lead *l)
{
	const struct trace_event *ev = ahead_now(&l->standard->ahead), *request = request_of(l, ev);
	const struct standard_task *task = standard_task(l->standard, ev->pid);

	if (request && !task->drains)
		standard_reclaimed(l, request);
}

/* Not after a push: from outside. True if a size that such a drain has fits. */
static bool outside(struct lead *l, struct standard_drain *d, const struct burst *b,
		    const struct pagus_pcp_info *pcp)
{
	bool own = d->cpu == l->cpu, tuned = l->standard->tuned;
	uint32_t decays = tuned && own ? decay_pages(pcp) : 0, over;

	d->list = 0;
	if (b->pages == pcp->count) {
		drained_for(l);
		d->left = pcp->count;
		d->piece = pcp->batch << 5;
	} else if (fits(b->pages, decays, pcp->batch)) {
		d->left = decays;
		d->piece = pcp->batch;
		pagus_step_decay(&l->machine->pagus, d->zone, &over);
	} else if (own && fits(b->pages, pcp->batch, pcp->batch)) {
		d->left = pcp->batch;
		d->piece = pcp->batch;
	} else {
		d->left = b->pages;
		d->piece = b->pages;
		return false;
	}
	return true;
}

/* What the pcp must remember, if it drains this much now. */
static void adjust(struct lead *l, const struct standard_drain *d, uint32_t pages,
		   struct pagus_pcp_info *pcp)
{
	struct pagus *p = &l->machine->pagus;
	uint32_t *unexpected = &l->standard->unexpected[d->zone];

	if (!l->standard->tuned) {
		for (uint32_t factor = 0; factor < 5; factor++)
			if (pages == pcp->batch << factor)
				pcp->free_count = factor + 1;
		if (d->overflow && pcp->count < pcp->high_min && pcp->count >= 4 * pcp->batch)
			pagus_step_set_flag(p, d->zone, PAGUS_STEP_RECLAIM_ACTIVE, true);
	} else if (d->overflow) {
		if (pages > pcp->batch && pages < pcp->batch << 5)
			pcp->free_count = pages;
		/* Its high has decayed; or kswapd works, if that is so again with fewer pages. */
		if (pcp->count < *unexpected && pcp->count >= 4 * pcp->batch)
			pagus_step_set_flag(p, d->zone, PAGUS_STEP_RECLAIM_ACTIVE, true);
		else if (pcp->count < pcp->high)
			pcp->high = pcp->count;
		*unexpected = pcp->count;
		if (pcp->high < pcp->free_count + pcp->batch)
			pcp->high = pcp->free_count + pcp->batch;
	} else {
		pcp->high = pcp->count > pages ? pcp->count - pages : 0;
	}
	tune(l, d->zone, d->cpu, pcp);
}

/* True if the drain was to be expected. */
static bool begin_drain(struct lead *l, const struct trace_event *ev, uint32_t zone)
{
	struct standard_cpu *cpu = &l->standard->cpus[ev->cpu];
	struct standard_drain *d = new_drain(cpu, ev);
	struct burst b = find_burst(l, ev, zone);
	struct pagus_pcp_info pcp = { 0 };
	bool after_push = cpu->push.zone == zone && cpu->push.pid == ev->pid &&
			  cpu->push.number == cpu->last;
	bool expected;

	d->zone = zone;
	d->cpu = owner_of(l, ev, &b);
	pagus_pcp_info(&l->machine->pagus, zone, d->cpu, &pcp);
	d->overflow = after_push;
	d->open = after_push && l->standard->recorded_tuned;
	if (after_push) {
		d->list = cpu->push.list;
		d->left = b.pages;
		d->piece = l->standard->tuned ? pcp.batch : b.pages;
		expected = false;
	} else {
		expected = outside(l, d, &b, &pcp);
	}
	l->standard->refused[zone] = 0;
	if (expected)
		return true;
	resync_count(l, VERIFY_RULE_R7);
	adjust(l, d, b.pages, &pcp);
	return false;
}

/* Pages that are seen to have left the list silently are not there to be drained. */
static uint64_t next_drained(struct lead *l, const struct standard_drain *d, uint64_t kernels)
{
	uint64_t ours = PAGUS_NO_PFN;

	for (uint32_t n = 0; n < SILENT_AT_ONCE; n++) {
		ours = pagus_step_last(&l->machine->pagus, d->zone, d->cpu, d->list);
		if (ours == PAGUS_NO_PFN || ours == kernels || !resync_off_list(l, ours))
			break;
		resync_count(l, VERIFY_RULE_R1);
		resync_take_off(l, ours);
	}
	return ours;
}

/* The recorded kernel drained another block: that one. */
static void drain_recorded(struct lead *l, const struct trace_event *ev, struct standard_drain *d,
			   uint64_t ours)
{
	struct pagus_step_place place;

	/* What a drain passes over is not on the list: on another, or a request has it. */
	if (ours != PAGUS_NO_PFN && resync_in_flight(l, ours, ev))
		resync_take_off(l, ours);
	else if (ours != PAGUS_NO_PFN)
		resync_expected_type(l, ours);
	resync_type(l, ev->pfn, (uint32_t)ev->mt);

	resync_turn_list(l, ev->pfn);
	/* It goes on from there. */
	if (pagus_step_find_cached(&l->machine->pagus, ev->pfn, &place) == PAGUS_OK) {
		pagus_step_uncache(&l->machine->pagus, ev->pfn);
		d->cpu = place.cpu;
		d->list = place.list;
	}
	resync_count(l, VERIFY_RULE_R7);
	resync_clear(l, ev->pfn, ev->order);
	standard_free_direct(l, ev->pfn, ev->order);
}

/* Of the piece, and of all, so much is done. */
static void count_done(struct standard_drain *d, uint32_t pages)
{
	if (d->piece_left == 0) {
		d->piece_pages = d->left < d->piece ? d->left : d->piece;
		d->piece_left = d->piece_pages;
	}
	d->piece_left -= pages < d->piece_left ? pages : d->piece_left;
	if (d->piece_left == 0)
		d->left -= d->piece_pages;
}

static void not_finished(struct lead *l, const struct standard_drain *d)
{
	struct pagus_pcp_info pcp = { 0 };

	pagus_pcp_info(&l->machine->pagus, d->zone, d->cpu, &pcp);
	if (d->left == 0 || pcp.count == 0 || d->open)
		return;
	lead_score(l, VERIFY_DRAIN, false, "ours goes on to drain %u pages", d->left);
	resync_count(l, VERIFY_RULE_R7);
}

void standard_end_drains(struct lead *l, const struct trace_event *ev)
{
	struct standard_cpu *cpu = &l->standard->cpus[ev->cpu];
	uint32_t n;

	while ((n = find_drain(cpu, ev)) != UINT32_MAX) {
		not_finished(l, &cpu->drains[n]);
		remove_drain(cpu, n);
	}
}

/* The drain is over where it is not seen to go on, or, between two pieces, may still do so. */
static void end_drain(struct lead *l, const struct trace_event *ev, struct standard_drain *d)
{
	const struct trace_event *next = standard_next_event(l, ev);
	bool goes_on = next && next->type == TRACE_PCPU_DRAIN &&
		       lead_zone_of(l, next->pfn) == d->zone;
	bool between = l->standard->recorded_tuned && d->piece_left == 0 && (d->left > 0 || d->open);

	if ((d->left > 0 && goes_on) || between)
		return;
	if (!goes_on)
		not_finished(l, d);
	if (d->overflow)
		pagus_step_settle(&l->machine->pagus, d->zone);
	remove_drain(&l->standard->cpus[ev->cpu],
		     (uint32_t)(d - l->standard->cpus[ev->cpu].drains));
}

void standard_on_drain(struct lead *l, const struct trace_event *ev)
{
	struct standard_cpu *cpu = &l->standard->cpus[ev->cpu];
	struct standard_drain *d;
	uint32_t zone = lead_zone_of(l, ev->pfn), n = find_drain(cpu, ev);
	uint64_t ours;
	bool expected = true;

	if (zone == UINT32_MAX)
		return;
	lead_drop_answers(l, &l->cpus[ev->cpu]);
	if (n != UINT32_MAX && cpu->drains[n].zone != zone) {
		standard_end_drains(l, ev);
		n = UINT32_MAX;
	}
	if (n == UINT32_MAX) {
		expected = begin_drain(l, ev, zone);
		n = cpu->nr_drains - 1;
	}
	d = &cpu->drains[n];
	if (d->left == 0)
		d->left = find_burst(l, ev, zone).pages;
	ours = next_drained(l, d, ev->pfn);
	if (ours == ev->pfn)
		pagus_step_drain(&l->machine->pagus, zone, d->cpu, 1, d->list);
	if (!expected || ours != ev->pfn) {
		l->cpus[ev->cpu].nr = 0;
		l->cpus[ev->cpu].first = 0;
		lead_score(l, VERIFY_DRAIN, false, "kernel %#llx order %u type %d, ours %#llx%s",
			   (unsigned long long)ev->pfn, ev->order, ev->mt, (unsigned long long)ours,
			   expected ? "" : ", a drain that is not expected");
	} else if (!lead_confirm(l, &l->cpus[ev->cpu], ev)) {
		resync_type(l, ev->pfn, (uint32_t)ev->mt);
	}
	if (ours != ev->pfn)
		drain_recorded(l, ev, d, ours);
	count_done(d, 1u << ev->order);
	end_drain(l, ev, d);
}
