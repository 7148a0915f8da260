/* SPDX-License-Identifier: MIT */
/* Bringing the state back to the recorded kernel's after a step that was not predicted. */
#include "verify/standard.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_PAGES 64 /* of a block, for the event that tells what became of it */

void resync_count(struct lead *l, enum verify_rule rule)
{
	l->v->resync[rule]++;
}

bool resync_block_of(const struct lead *l, uint64_t pfn, uint64_t *head,
		     struct pagus_page_info *info)
{
	for (uint32_t order = 0; order <= PAGUS_MAX_ORDER; order++) {
		*head = pfn & ~((UINT64_C(1) << order) - 1);
		if (pagus_page_info(&l->machine->pagus, *head, info) != PAGUS_OK)
			return false;
		if (info->kind != PAGUS_PAGE_TAIL && info->order >= order)
			return true;
	}
	return false;
}

static uint32_t next_type(const struct lead *l, uint64_t pfn)
{
	const struct trace_event *next = ahead_of_page(&l->standard->ahead, pfn);

	return next ? next->type : (uint32_t)TRACE_OTHER;
}

bool resync_off_list(const struct lead *l, uint64_t pfn)
{
	uint32_t type = next_type(l, pfn);

	return type != TRACE_ALLOC && type != TRACE_PCPU_DRAIN;
}

bool resync_in_flight(const struct lead *l, uint64_t pfn, const struct trace_event *ev)
{
	const struct trace_event *next = ahead_of_page(&l->standard->ahead, pfn);

	return next && next->type == TRACE_ALLOC && !standard_same_context(next, ev);
}

void resync_take_off(struct lead *l, uint64_t pfn)
{
	struct pagus_page_info info;
	uint32_t type = next_type(l, pfn);
	struct ahead_page *page = ahead_page(&l->standard->ahead, pfn);

	if (pagus_page_info(&l->machine->pagus, pfn, &info) != PAGUS_OK ||
	    pagus_step_uncache(&l->machine->pagus, pfn) != PAGUS_OK)
		return;
	if (type == TRACE_ZONE_LOCKED || type == TRACE_EXTFRAG)
		pagus_step_free(&l->machine->pagus, pfn, info.order, false);
	else if (type == TRACE_ALLOC)
		lead_grant(&l->cpus[l->cpu], pfn);
	else if (page)
		page->silent = true;
}

/* ---- free blocks ---------------------------------------------------------------------------- */

/* What the first event of any page of the block says: 1 in use, 0 free, -1 nothing. */
static int seen_in_use(const struct lead *l, uint64_t pfn, uint64_t pages)
{
	for (uint64_t n = 0; n < pages; n++) {
		switch (next_type(l, pfn + n)) {
		case TRACE_FREE:
		case TRACE_FREE_BATCHED:
			return 1;
		case TRACE_OTHER:
			break;
		default:
			return 0;
		}
	}
	return -1;
}

bool resync_late(struct lead *l, uint64_t pfn, const struct trace_event *ev)
{
	struct pagus_page_info info, freed;
	uint64_t head;

	if (!resync_block_of(l, pfn, &head, &info) || info.kind != PAGUS_PAGE_FREE)
		return false;
	for (uint32_t n = 0; n < STANDARD_TASKS; n++) {
		struct standard_task *task = &l->standard->tasks[n];

		if (!task->direct || task->owes || task->pid == ev->pid ||
		    task->pfn < head || task->pfn >= head + (UINT64_C(1) << info.order) ||
		    pagus_page_info(&l->machine->pagus, head, &freed) != PAGUS_OK ||
		    freed.order < task->order)
			continue;
		task->owes = true;
		resync_count(l, VERIFY_RULE_LATE);
		resync_clear(l, task->pfn, task->order);
		return true;
	}
	return false;
}

bool resync_isolated(const struct lead *l, uint64_t pfn, uint32_t order)
{
	uint64_t pages = UINT64_C(1) << order;

	return seen_in_use(l, pfn, pages < LOOK_PAGES ? pages : LOOK_PAGES) == 1;
}

/* Free the halves of [head, +2^order) that do not hold pfn, down to 2^to pages around it. */
static void free_around(struct lead *l, uint64_t head, uint32_t order, uint64_t pfn, uint32_t to)
{
	while (order > to) {
		uint64_t half = UINT64_C(1) << --order, other = head;
		struct pagus_page_info info;

		if (pfn < head + half)
			other = head + half;
		else
			head += half;
		pagus_step_free(&l->machine->pagus, other, order, false);
		if (pagus_page_info(&l->machine->pagus, other, &info) == PAGUS_OK &&
		    info.kind == PAGUS_PAGE_FREE)
			pagus_step_to_head(&l->machine->pagus, other, info.order);
	}
}

/* Take 2^order pages from pfn out of the free block that they lie in. */
static void carve(struct lead *l, uint64_t head, uint32_t block_order, uint64_t pfn, uint32_t order)
{
	pagus_step_isolate(&l->machine->pagus, head, block_order);
	free_around(l, head, block_order, pfn, order);
}

void resync_isolate(struct lead *l, uint64_t pfn, uint32_t order, bool whole)
{
	struct pagus_page_info info;
	uint64_t head;
	uint32_t to = order;

	if (!resync_block_of(l, pfn, &head, &info) || info.kind != PAGUS_PAGE_FREE)
		return;
	resync_count(l, VERIFY_RULE_R3);
	/* As much around it as is in use next, half by half; not what is seen to be free still. */
	for (uint32_t k = order; k < info.order; k++) {
		uint64_t other = (pfn & ~((UINT64_C(1) << k) - 1)) ^ (UINT64_C(1) << k);
		int used = seen_in_use(l, other, UINT64_C(1) << k);

		if (used == 0)
			break;
		if (used == 1 || whole)
			to = k + 1;
	}
	carve(l, head, info.order, pfn, to);
	l->standard->retired[l->standard->next_retired++ % STANDARD_RETIRED] =
		(struct standard_retired){ pfn & ~((UINT64_C(1) << to) - 1), to };
}

/* A block that was taken off its list is taken from: the rest of it is free too. */
static void restore(struct lead *l, uint64_t pfn, uint32_t order)
{
	for (uint32_t n = 0; n < STANDARD_RETIRED; n++) {
		struct standard_retired *was = &l->standard->retired[n];

		if (was->order <= order || pfn - was->pfn >= UINT64_C(1) << was->order)
			continue;
		free_around(l, was->pfn, was->order, pfn, order);
		was->order = 0;
		return;
	}
}

void resync_clear(struct lead *l, uint64_t pfn, uint32_t order)
{
	uint64_t end = pfn + (UINT64_C(1) << order), at = pfn;

	while (at < end) {
		struct pagus_page_info info;
		uint64_t head;

		if (!resync_block_of(l, at, &head, &info)) {
			at++;
			continue;
		}
		if (info.kind == PAGUS_PAGE_PCP)
			pagus_step_uncache(&l->machine->pagus, head);
		else if (info.kind == PAGUS_PAGE_FREE && info.order > order)
			carve(l, head, info.order, pfn, order);
		else if (info.kind == PAGUS_PAGE_FREE)
			pagus_step_isolate(&l->machine->pagus, head, info.order);
		at = head + (UINT64_C(1) << info.order);
	}
}

/* ---- pcp lists ------------------------------------------------------------------------------ */

/* The acting CPU's list, from head to tail; room for `more` behind. 0 if there is no memory. */
static uint64_t read_list(struct lead *l, uint32_t zone, uint32_t list, uint64_t more)
{
	struct standard_list *buffer = &l->standard->list;
	uint64_t nr = pagus_pcp_list(&l->machine->pagus, zone, l->cpu, list, NULL, 0);

	if (nr + more > buffer->room) {
		uint64_t *grown = realloc(buffer->pfns, (nr + more) * sizeof(*grown));

		if (!grown)
			return 0;
		buffer->pfns = grown;
		buffer->room = nr + more;
	}
	return pagus_pcp_list(&l->machine->pagus, zone, l->cpu, list, buffer->pfns, nr);
}

/* Make the list what the buffer says. */
static void write_list(struct lead *l, uint32_t order, uint32_t type, uint64_t nr)
{
	for (uint64_t n = 0; n < nr; n++)
		pagus_step_uncache(&l->machine->pagus, l->standard->list.pfns[n]);
	for (uint64_t n = 0; n < nr; n++)
		pagus_step_keep(&l->machine->pagus, l->standard->list.pfns[n], order, type, true);
}

void resync_turn_list(struct lead *l, uint64_t last)
{
	struct standard_list *buffer = &l->standard->list;
	struct pagus_step_place place;
	struct pagus_page_info info;
	uint64_t nr, behind;

	if (pagus_page_info(&l->machine->pagus, last, &info) != PAGUS_OK ||
	    pagus_step_find_cached(&l->machine->pagus, last, &place) != PAGUS_OK ||
	    place.cpu != l->cpu || info.order >= 4)
		return;
	nr = read_list(l, info.zone, place.list, 0);
	behind = nr - 1 - place.depth;
	if (nr == 0 || behind == 0)
		return;
	nr = read_list(l, info.zone, place.list, behind);
	memmove(buffer->pfns + behind, buffer->pfns, nr * sizeof(*buffer->pfns));
	memmove(buffer->pfns, buffer->pfns + nr, behind * sizeof(*buffer->pfns));
	write_list(l, info.order, place.list % 3, nr);
}

/* A page that has come from another list, to where it is by age: the youngest are at the head. */
static void keep_by_age(struct lead *l, uint64_t pfn, uint32_t zone, uint32_t order, uint32_t type)
{
	const struct ahead *a = &l->standard->ahead;
	struct standard_list *buffer = &l->standard->list;
	uint64_t nr = read_list(l, zone, lead_list(order, type), 1), at = 0;

	if (order >= 4 || !buffer->pfns)
		return;
	while (at < nr && ahead_page(a, buffer->pfns[at])->since > ahead_page(a, pfn)->since)
		at++;
	if (at == 0) {
		pagus_step_keep(&l->machine->pagus, pfn, order, type, false);
		return;
	}
	pagus_step_keep(&l->machine->pagus, pfn, order, type, true);
	memmove(buffer->pfns + at + 1, buffer->pfns + at, (nr - at) * sizeof(*buffer->pfns));
	buffer->pfns[at] = pfn;
	if (at < nr)
		write_list(l, order, type, nr + 1);
}

/*
 * The pages of a pageblock that the acting CPU keeps, from the lists that they are on to that of
 * `type`.
 */
static void relist(struct lead *l, uint64_t block, uint32_t type)
{
	struct pagus *p = &l->machine->pagus;
	uint64_t end = block + (UINT64_C(1) << l->start->pageblock_order);
	uint32_t list_type = type < PAGUS_HIGHATOMIC ? type : (uint32_t)PAGUS_MOVABLE;
	struct pagus_step_place place;
	struct pagus_page_info info;

	for (uint64_t pfn = block; pfn < end; pfn++) {
		if (pagus_page_info(p, pfn, &info) != PAGUS_OK || info.kind != PAGUS_PAGE_PCP ||
		    pagus_step_find_cached(p, pfn, &place) != PAGUS_OK || place.cpu != l->cpu ||
		    place.list == lead_list(info.order, list_type))
			continue;
		pagus_step_uncache(p, pfn);
		keep_by_age(l, pfn, info.zone, info.order, list_type);
	}
}

/*
 * What is taken from a pageblock or drained to it names its type: is the next to do so, in time,
 * not for the type that we hold?
 */
static bool type_seen(const struct lead *l, uint64_t pfn, uint32_t held)
{
	const struct ahead *a = &l->standard->ahead;
	uint64_t pages = UINT64_C(1) << l->start->pageblock_order, block = pfn & ~(pages - 1);
	uint64_t first = UINT64_MAX;

	for (uint64_t n = 0; n < pages; n++) {
		const struct ahead_page *page = ahead_page(a, block + n);
		uint8_t type = page && page->next ? ahead_event(a, page->next - 1)->type : 0;

		if ((type == TRACE_ZONE_LOCKED || type == TRACE_PCPU_DRAIN) &&
		    page->next - 1 < first)
			first = page->next - 1;
	}
	return first == UINT64_MAX || (uint32_t)ahead_event(a, first)->mt != held;
}

void resync_type(struct lead *l, uint64_t pfn, uint32_t type)
{
	struct pagus *p = &l->machine->pagus;
	uint64_t block_pages = UINT64_C(1) << l->start->pageblock_order, head = pfn, pages = 0;
	struct pagus_page_info info, at;

	/* An isolated pageblock gets its own type back. */
	if (!l->standard->tuned || type >= PAGUS_ISOLATE ||
	    pagus_page_info(p, pfn, &info) != PAGUS_OK || (uint32_t)info.block_type == type ||
	    !type_seen(l, pfn, info.block_type))
		return;
	resync_count(l, VERIFY_RULE_TYPE);
	/* A larger free block is of one type. */
	if (resync_block_of(l, pfn, &head, &at) && at.kind == PAGUS_PAGE_FREE)
		pages = UINT64_C(1) << at.order;
	pagus_step_move_free(p, head, info.block_type, (enum pagus_migratetype)type);
	for (uint64_t n = 0; n < pages || n < block_pages; n += block_pages)
		pagus_step_set_type(p, head + n, (enum pagus_migratetype)type);
	relist(l, pfn & ~((UINT64_C(1) << l->start->pageblock_order) - 1), type);
}

void resync_unreserve(struct lead *l, uint64_t pfn)
{
	uint64_t pages = UINT64_C(1) << l->start->pageblock_order, block = pfn & ~(pages - 1);
	uint32_t type = PAGUS_MOVABLE;

	/* What is taken from it or drained to it next names its type. */
	for (uint64_t n = 0; n < pages; n++) {
		const struct trace_event *next = ahead_of_page(&l->standard->ahead, block + n);

		if (!next || (next->type != TRACE_ZONE_LOCKED && next->type != TRACE_PCPU_DRAIN) ||
		    next->mt == PAGUS_HIGHATOMIC)
			continue;
		type = (uint32_t)next->mt;
		break;
	}
	resync_type(l, pfn, type);
}

/* The type of the list that it is popped from next, or of its pageblock when it is drained. */
void resync_expected_type(struct lead *l, uint64_t pfn)
{
	const struct trace_event *next = ahead_of_page(&l->standard->ahead, pfn);
	struct pagus_page_info info;

	if (!next || pagus_page_info(&l->machine->pagus, pfn, &info) != PAGUS_OK)
		return;
	/* Pages of the reserve and of CMA are on the movable lists. */
	if (next->type == TRACE_ALLOC && next->mt == PAGUS_MOVABLE &&
	    info.block_type >= PAGUS_HIGHATOMIC)
		return;
	if (next->type == TRACE_ALLOC || next->type == TRACE_PCPU_DRAIN)
		resync_type(l, pfn, (uint32_t)next->mt);
}

/* Free the buddy of a free block: what is kept of it on pcp lists has left them. */
static bool free_buddy(struct lead *l, uint64_t buddy, uint32_t order)
{
	struct pagus_page_info info;

	if (pagus_page_info(&l->machine->pagus, buddy, &info) != PAGUS_OK)
		return false;
	if (info.kind == PAGUS_PAGE_PCP && info.order == order && resync_off_list(l, buddy))
		pagus_step_uncache(&l->machine->pagus, buddy);
	if (pagus_step_free(&l->machine->pagus, buddy, order, false) != PAGUS_OK)
		return false;
	resync_count(l, VERIFY_RULE_DIRECT);
	return true;
}

/*
 * Ours found a smaller block than the one that was taken. If it is free nevertheless, then as part
 * of a larger one, with its buddy; if nothing says so, it is gone.
 */
void resync_smaller(struct lead *l, uint64_t pfn, uint32_t up_to)
{
	struct pagus_page_info info;
	uint64_t head, pages;

	while (resync_block_of(l, pfn, &head, &info) && info.kind == PAGUS_PAGE_FREE &&
	       info.order < up_to) {
		pages = UINT64_C(1) << info.order;
		if (seen_in_use(l, head, pages) == 0) {
			if (seen_in_use(l, head ^ pages, pages) == 1 ||
			    !free_buddy(l, head ^ pages, info.order))
				return;
			continue;
		}
		resync_count(l, VERIFY_RULE_R3);
		pagus_step_isolate(&l->machine->pagus, head, info.order);
		return;
	}
}

void resync_take(struct lead *l, uint64_t pfn, uint32_t order, uint32_t type)
{
	struct pagus_page_info info;
	uint64_t head;

	if (!resync_block_of(l, pfn, &head, &info) || info.kind != PAGUS_PAGE_FREE ||
	    info.order < order) {
		resync_count(l, VERIFY_RULE_CREATE);
		restore(l, pfn, order);
	} else {
		resync_count(l, VERIFY_RULE_R5);
		/* What was before it on its list is behind all others now, as after a rotation. */
		pagus_step_rotate(&l->machine->pagus, head, info.order);
		resync_type(l, head, type);
	}
	resync_clear(l, pfn, order);
}
