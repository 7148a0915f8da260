/* SPDX-License-Identifier: MIT */
/*
 * Blocks taken from the zone: refills, and requests that go to the zone themselves. A recorded hold
 * of the zone lock is a run of zone_locked and extfrag events of one CPU, zone and order.
 */
#include "verify/standard.h"

#define ISOLATED_AT_ONCE 4096 /* blocks that have left silently before one take */
#define GFP_HIGH         0x20u
#define GFP_DIRECT       0x400u
#define GFP_NOMEMALLOC   0x80000u
#define OWNED            0x100u /* in an extfrag event's gfp: the pageblock is the request's now */

/* ---- requests ------------------------------------------------------------------------------- */

static enum pagus_zone_type highest_zone(uint32_t gfp)
{
	switch (gfp & 0xf) {
	case 0x1:
	case 0x9:
		return PAGUS_ZONE_DMA;
	case 0x4:
	case 0xc:
		return PAGUS_ZONE_DMA32;
	case 0xa:
		return PAGUS_ZONE_MOVABLE;
	default:
		return PAGUS_ZONE_NORMAL;
	}
}

/* Does a zone above this one, of its node, come first in the walk of such a request? */
static bool normal_preferred(const struct lead *l, uint32_t zone, enum pagus_zone_type highest)
{
	struct pagus_zone_info at, other;

	pagus_zone_info(&l->machine->pagus, zone, &at);
	if (highest < PAGUS_ZONE_NORMAL)
		return false;
	for (uint32_t id = 0; id < pagus_nr_zones(&l->machine->pagus); id++) {
		pagus_zone_info(&l->machine->pagus, id, &other);
		if (other.node == at.node && other.type == PAGUS_ZONE_NORMAL)
			return true;
	}
	return false;
}

void standard_visit(struct lead *l, uint32_t zone, const struct trace_event *request)
{
	pagus_step_visit(&l->machine->pagus, zone, request->order, highest_zone(request->gfp),
			 STANDARD_WMARK_LOW);
}

void standard_reclaimed(struct lead *l, const struct trace_event *request)
{
	uint64_t kept = UINT64_C(1) << l->start->pageblock_order;
	enum pagus_zone_type highest = highest_zone(request->gfp);

	if (!(request->gfp & GFP_DIRECT))
		return;
	for (uint32_t id = pagus_nr_zones(&l->machine->pagus); id-- > 0;) {
		struct pagus_zone_info info;

		pagus_zone_info(&l->machine->pagus, id, &info);
		if (info.type <= highest && info.reserved_highatomic_pages > kept &&
		    pagus_step_unreserve(&l->machine->pagus, id, (uint32_t)request->mt) == PAGUS_OK)
			return;
	}
}

/* ---- which operation ------------------------------------------------------------------------ */

static bool is_taken(const struct trace_event *ev)
{
	return ev->type == TRACE_ZONE_LOCKED || ev->type == TRACE_EXTFRAG;
}

struct group {
	uint32_t events, blocks, type; /* type: as its last event says */
	uint64_t first_number;         /* of the event that names the block first taken */
	uint64_t first_pfn;
	bool mixes;                    /* a fallback inside a pageblock */
};

static struct group find_group(const struct lead *l, const struct trace_event *ev, uint32_t zone)
{
	const struct ahead *a = &l->standard->ahead;
	struct group g = { .first_pfn = PAGUS_NO_PFN };

	for (uint64_t number = a->now + 1; number; number = ahead_same_cpu(a, number - 1)) {
		const struct trace_event *at = ahead_event(a, number - 1);

		if (!is_taken(at) || at->order != ev->order || at->pid != ev->pid ||
		    lead_zone_of(l, at->pfn) != zone)
			break;
		g.events++;
		/* In 6.1 a fallback moves a block, and zone_locked tells of every taking. */
		if (at->type == TRACE_ZONE_LOCKED || l->standard->recorded_tuned) {
			g.blocks++;
			if (g.first_pfn == PAGUS_NO_PFN) {
				g.first_pfn = at->pfn;
				g.first_number = number - 1;
			}
		}
		if (at->type == TRACE_EXTFRAG && at->x1 < l->start->pageblock_order)
			g.mixes = true;
		if (at->type == TRACE_EXTFRAG || at->mt < PAGUS_HIGHATOMIC)
			g.type = (uint32_t)at->mt;
	}
	return g;
}

/* The request that waits for the first block: the next event that names it. NULL: none does. */
static const struct trace_event *find_request(const struct lead *l, const struct group *g)
{
	const struct ahead *a = &l->standard->ahead;
	uint64_t number = g->first_number;

	if (g->first_pfn == PAGUS_NO_PFN)
		return NULL;
	/* A taking may be named twice, by zone_locked and extfrag. */
	for (uint32_t n = 0; n < 3; n++) {
		number = ahead_same_page(a, number);
		if (number-- == 0)
			return NULL;
		if (ahead_event(a, number)->type == TRACE_ALLOC)
			return ahead_event(a, number);
		if (!is_taken(ahead_event(a, number)))
			return NULL;
	}
	return NULL;
}

/* The rights of a request in its slow path. */
static uint32_t own_flags(const struct trace_event *request)
{
	uint32_t flags = 0;

	if (request->gfp & GFP_HIGH)
		flags |= STANDARD_MIN_RESERVE;
	if (request->gfp & (GFP_DIRECT | GFP_NOMEMALLOC))
		return flags;
	flags |= STANDARD_NON_BLOCK;
	if (request->order > 0 && (flags & STANDARD_MIN_RESERVE))
		flags |= STANDARD_HIGHATOMIC;
	return flags;
}

/* Those of its first walk. */
static uint32_t first_flags(const struct lead *l, uint32_t zone, const struct trace_event *request)
{
	bool avoids = normal_preferred(l, zone, highest_zone(request->gfp));

	return STANDARD_WMARK_LOW | (avoids ? LEAD_NOFRAGMENT : 0);
}

/* What the request may do: that of its first walk, and where the low mark is not met, its own. */
static uint32_t flags_of(struct lead *l, uint32_t zone, const struct trace_event *request)
{
	enum pagus_zone_type highest = highest_zone(request->gfp);
	uint32_t flags = first_flags(l, zone, request);

	if (pagus_step_visit(&l->machine->pagus, zone, request->order, highest, flags))
		return flags;
	return own_flags(request);
}

/*
 * Does the recorded hold refill a pcp list? Not where it took one block, although a refill brings
 * two at the least: an interrupt found the pcp locked, or an atomic request of higher order, in its
 * slow path, does not refill.
 */
static bool refills(struct lead *l, struct standard_take *t, const struct group *g,
		    const struct trace_event *ev, const struct trace_event *request)
{
	uint32_t own = request && l->standard->recorded_tuned ? own_flags(request) : 0;

	if (!lead_cached(l, t->hold.order))
		return false;
	if (g->blocks > 1) {
		/* Then the request was in its first walk. */
		if (own & t->hold.flags & STANDARD_HIGHATOMIC)
			t->hold.flags = first_flags(l, t->zone, request);
		return true;
	}
	if (own & STANDARD_HIGHATOMIC) {
		t->hold.flags = own;
		return false;
	}
	if ((ev->irqflags & LEAD_IN_INTERRUPT) && (ev->preempt & 0xf) > 1)
		return false;
	return pagus_step_first(&l->machine->pagus, t->zone, l->cpu,
				lead_list(t->hold.order, t->hold.type)) == PAGUS_NO_PFN;
}

/* The list was empty when the kernel refilled it. */
static void empty_list(struct lead *l, const struct standard_take *t)
{
	uint32_t list = lead_list(t->hold.order, t->hold.type);
	uint64_t pfn;
	bool any = false;

	while ((pfn = pagus_step_first(&l->machine->pagus, t->zone, l->cpu, list)) !=
	       PAGUS_NO_PFN) {
		resync_take_off(l, pfn);
		any = true;
	}
	if (any)
		resync_count(l, VERIFY_RULE_R1);
}

static void begin_refill(struct lead *l, struct standard_take *t)
{
	struct pagus *p = &l->machine->pagus;
	struct pagus_pcp_info pcp = { 0 };
	uint64_t pfn;

	empty_list(l, t);
	pagus_pcp_info(p, t->zone, l->cpu, &pcp);
	t->count_before = pcp.count;
	t->factor_before = pcp.alloc_factor;
	pagus_step_pop(p, t->zone, t->hold.order, t->hold.type, !t->request, &pfn);
	pagus_step_ask(p, t->zone, &t->hold, &t->left);
	t->asked = t->left;
}

static void begin_taking(struct lead *l, const struct trace_event *ev)
{
	struct standard_take *t = &l->standard->cpus[ev->cpu].take;
	uint32_t zone = lead_zone_of(l, ev->pfn);
	struct group g = find_group(l, ev, zone);
	const struct trace_event *request = find_request(l, &g);

	lead_begin_step(l, &l->cpus[ev->cpu]);
	*t = (struct standard_take){
		.zone = zone, .began = l->number, .events_left = g.events, .request = request,
		.last = PAGUS_NO_PFN, .taken = PAGUS_NO_PFN,
		.hold = { .order = ev->order, .type = g.type },
	};
	if (request && request->order == ev->order && request->mt < PAGUS_HIGHATOMIC) {
		t->hold.type = (uint32_t)request->mt;
		t->hold.flags = flags_of(l, zone, request);
	}
	t->hold.direct = !refills(l, t, &g, ev, request);
	if (g.mixes || pagus_step_look(&l->machine->pagus, zone, &t->hold) == PAGUS_NO_PFN)
		t->hold.flags &= ~LEAD_NOFRAGMENT;
	/* A request that may wait and would fail gets a pageblock of the reserve. */
	if (request && (request->gfp & GFP_DIRECT) &&
	    pagus_step_look(&l->machine->pagus, zone, &t->hold) == PAGUS_NO_PFN)
		pagus_step_unreserve(&l->machine->pagus, zone, t->hold.type);
	if (t->hold.direct) {
		t->left = 1;
		if (t->hold.flags & STANDARD_HIGHATOMIC)
			pagus_step_ask(&l->machine->pagus, zone, &t->hold, &t->asked);
	} else {
		begin_refill(l, t);
	}
}

/* ---- taking --------------------------------------------------------------------------------- */

/* How to undo the take whose answers these are. */
static void note_undo(const struct lead *l, const struct lead_cpu *cpu, struct standard_take *t)
{
	t->undo_list = t->hold.type;
	t->claimed_from = PAGUS_NR_MIGRATETYPES;
	for (uint32_t n = 0; n < cpu->nr; n++) {
		const struct lead_answer *answer = &cpu->queue[cpu->first + n];

		if (answer->event == PAGUS_EVENT_ZONE_LOCKED)
			t->undo_list = answer->type;
		else if (answer->b & OWNED)
			t->claimed_from = answer->b & 0xff;
		else if (l->standard->tuned)
			t->undo_list = answer->b & 0xff;
	}
}

/* Ours takes its next block; blocks that have left silently are not there to be taken. */
static void take_next(struct lead *l, struct lead_cpu *cpu, struct standard_take *t,
		      const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	struct pagus_page_info info;

	for (uint32_t n = 0; n < ISOLATED_AT_ONCE; n++) {
		uint64_t block = pagus_step_look(p, t->zone, &t->hold);

		if (block == PAGUS_NO_PFN || pagus_page_info(p, block, &info) != PAGUS_OK ||
		    ev->pfn - block < UINT64_C(1) << info.order ||
		    !resync_isolated(l, block, info.order))
			break;
		resync_isolate(l, block, 0, info.order < l->start->pageblock_order);
	}
	t->taken = PAGUS_NO_PFN;
	if (pagus_step_take_next(p, t->zone, &t->hold, &t->taken) != PAGUS_OK)
		t->taken = PAGUS_NO_PFN;
	note_undo(l, cpu, t);
}

/* A refill's block, to the tail of the list. */
static void keep_taken(struct lead *l, const struct standard_take *t, uint64_t pfn)
{
	struct ahead_page *page = ahead_page(&l->standard->ahead, pfn);

	if (page)
		page->since = t->began;
	pagus_step_keep(&l->machine->pagus, pfn, t->hold.order, t->hold.type, true);
}

/*
 * Our block, which the kernel did not take, goes back; or away, where it is seen not to be there.
 */
static void give_back(struct lead *l, struct standard_take *t, const struct trace_event *ev)
{
	struct pagus *p = &l->machine->pagus;
	struct pagus_page_info info;
	uint64_t ours = t->taken, head;

	if (ours == PAGUS_NO_PFN || ours == ev->pfn)
		return;
	/* It is popped or drained next: the refill brought it. */
	if (!t->hold.direct && !resync_off_list(l, ours)) {
		resync_count(l, VERIFY_RULE_LOST);
		keep_taken(l, t, ours);
		return;
	}
	if (pagus_step_put_back(p, ours, t->hold.order, t->undo_list) != PAGUS_OK)
		return;
	/* Atomic requests of higher order go to the reserve first. */
	if (t->undo_list == PAGUS_HIGHATOMIC && ev->mt != PAGUS_HIGHATOMIC) {
		resync_unreserve(l, ours);
		return;
	}
	if (t->claimed_from < PAGUS_NR_MIGRATETYPES && resync_block_of(l, ours, &head, &info)) {
		resync_type(l, ours, t->claimed_from);
		pagus_step_to_head(p, head, info.order);
	}
	if (resync_late(l, ours, ev))
		return;
	if (!ahead_of_page(&l->standard->ahead, ours)) {
		if (resync_block_of(l, ours, &head, &info))
			resync_isolate(l, ours, t->hold.order,
				       info.order < l->start->pageblock_order);
	} else if (resync_block_of(l, ev->pfn, &head, &info) && info.kind == PAGUS_PAGE_FREE) {
		resync_smaller(l, ours, info.order);
	}
}

/* The recorded kernel took another block: take that. */
static void take_recorded(struct lead *l, struct lead_cpu *cpu, struct standard_take *t,
			  const struct trace_event *ev)
{
	uint32_t list_type = ev->type == TRACE_ZONE_LOCKED || (ev->gfp & OWNED) ?
				     (uint32_t)ev->mt : ev->gfp & 0xff;

	if (ev->type == TRACE_EXTFRAG)
		resync_count(l, VERIFY_RULE_CLAIM);
	if (t->taken == ev->pfn) {
		cpu->nr = 0;
		cpu->first = 0;
		resync_type(l, ev->pfn, list_type);
		return;
	}
	give_back(l, t, ev);
	cpu->nr = 0;
	cpu->first = 0;
	if (ev->type == TRACE_EXTFRAG && !l->standard->recorded_tuned) {
		t->taken = PAGUS_NO_PFN;
		return;
	}
	resync_take(l, ev->pfn, ev->order, list_type);
	t->taken = ev->pfn;
}

/* A block taken goes where it belongs: to the requester, or to the tail of the list. */
static void place_taken(struct lead *l, struct lead_cpu *cpu, struct standard_take *t)
{
	if (t->taken == PAGUS_NO_PFN)
		return;
	t->last = t->taken;
	if (t->hold.direct) {
		lead_grant(cpu, t->taken);
		if (t->hold.flags & STANDARD_HIGHATOMIC)
			pagus_step_reserve(&l->machine->pagus, t->taken, t->hold.order);
	} else {
		keep_taken(l, t, t->taken);
	}
	t->taken = PAGUS_NO_PFN;
}

/*
 * A refill of another size. How many batches it may ask for follows from what is seen, so one that
 * brought fewer was limited by high, which decays unseen; one that brought more was not.
 */
static void retune(struct lead *l, const struct standard_take *t, uint32_t got)
{
	struct pagus *p = &l->machine->pagus;
	struct pagus_pcp_info pcp = { 0 };
	struct pagus_pcp_seed seed;
	uint32_t limit;

	resync_count(l, VERIFY_RULE_SIZE);
	if (!l->standard->tuned || t->hold.order > 0)
		return;
	pagus_pcp_info(p, t->zone, l->cpu, &pcp);
	limit = t->count_before + got + pcp.batch;
	seed = (struct pagus_pcp_seed){ pcp.high, pcp.alloc_factor, pcp.free_count, pcp.flags };
	if (got < t->asked) {
		seed.alloc_factor = t->factor_before;
		seed.high = got > pcp.batch ? limit : t->count_before;
	} else {
		for (uint32_t factor = t->factor_before; factor < 6; factor++)
			if (got == pcp.batch << factor)
				seed.alloc_factor = factor < 5 ? factor + 1 : factor;
		seed.high = seed.high > limit ? seed.high : limit;
	}
	seed.high = seed.high < pcp.high_max ? seed.high : pcp.high_max;
	pagus_step_tune(p, t->zone, l->cpu, &seed);
}

static void end_taking(struct lead *l, struct lead_cpu *cpu, struct standard_take *t)
{
	struct pagus *p = &l->machine->pagus;
	uint64_t pfn;

	if (cpu->nr > 0)
		lead_drop_answers(l, cpu);
	if (t->hold.direct)
		return;
	if (t->left > 0 && pagus_step_look(p, t->zone, &t->hold) != PAGUS_NO_PFN) {
		lead_score(l, VERIFY_ZONE_TAKE, false,
			   "refill of order %u type %u: kernel ends, ours goes on for %u of %u",
			   t->hold.order, t->hold.type, t->left, t->asked);
		retune(l, t, t->asked - t->left);
	}
	if (pagus_step_pop(p, t->zone, t->hold.order, t->hold.type, true, &pfn) != PAGUS_OK)
		return;
	if (t->request)
		lead_grant(cpu, pfn);
}

/*
 * The claim of a part of a pageblock is told of behind the taking that it made possible, which was
 * not predicted.
 */
static bool tells_of_claim(struct lead *l, struct lead_cpu *cpu, struct standard_take *t,
			   const struct trace_event *ev)
{
	if (ev->type != TRACE_EXTFRAG || !l->standard->recorded_tuned || cpu->nr > 0 ||
	    ev->pfn != t->last)
		return false;
	resync_count(l, VERIFY_RULE_CLAIM);
	lead_confirm(l, cpu, ev);
	if (t->events_left == 0)
		end_taking(l, cpu, t);
	return true;
}

void standard_on_taken(struct lead *l, const struct trace_event *ev)
{
	struct lead_cpu *cpu = &l->cpus[ev->cpu];
	struct standard_take *t = &l->standard->cpus[ev->cpu].take;
	bool more;

	if (lead_zone_of(l, ev->pfn) == UINT32_MAX)
		return;
	if (t->events_left == 0)
		begin_taking(l, ev);
	t->events_left--;
	if (tells_of_claim(l, cpu, t, ev))
		return;
	more = cpu->nr == 0 && t->left == 0;
	if (cpu->nr == 0) {
		take_next(l, cpu, t, ev);
		t->left -= t->left > 0;
	}
	if (more) {
		lead_score(l, ev->type == TRACE_EXTFRAG ? VERIFY_FALLBACK : VERIFY_ZONE_TAKE, false,
			   "refill of order %u type %u: ours ends after %u, kernel goes on",
			   t->hold.order, t->hold.type, t->asked);
		t->left = t->events_left;
		retune(l, t, t->asked + t->events_left + 1);
		t->asked += t->events_left + 1;
		if (t->taken != ev->pfn)
			take_recorded(l, cpu, t, ev);
		cpu->nr = 0;
	} else if (!lead_confirm(l, cpu, ev)) {
		take_recorded(l, cpu, t, ev);
	}
	if (cpu->nr == 0)
		place_taken(l, cpu, t);
	if (t->events_left == 0)
		end_taking(l, cpu, t);
}
