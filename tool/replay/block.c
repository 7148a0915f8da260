/* SPDX-License-Identifier: MIT */
#include "replay/block.h"

#include "replay/replay.h"

/* False: the recorded machine has no such pages. */
static bool covers(struct replay *r, uint64_t pfn, uint32_t order)
{
	bool within = shadow_covers(&r->shadow, pfn, order);

	r->recorded.outside += !within;
	return within;
}

/* ---- deaths -------------------------------------------------------------------------------- */

static void give_back(struct replay *r, uint64_t pfn, struct shadow_entry e)
{
	enum pagus_status status = PAGUS_OK;

	shadow_clear(&r->shadow, pfn);
	r->loop.outcome.late_frees += e.ours == SHADOW_TAKEN;
	if (!shadow_held(e))
		return;
	loop_death(r, e.ours, e.order);
	status = pagus_free_pages(&r->machine->pagus, e.ours, e.order);
	if (status != PAGUS_OK) {
		/* The shadow and the instance disagree: reported with the event that showed it. */
		r->disagreement = status;
		return;
	}
	content_change(&r->content, e.ours, e.order, e.type, -1);
	r->outcome.frees++;
}

/* Cut the live block at `head` into blocks of `order`. */
static void split_entry(struct replay *r, uint64_t head, struct shadow_entry e, uint32_t order)
{
	uint32_t nr = 1u << (e.order - order), from = e.order;
	uint32_t ours = e.ours;

	r->recorded.split_births++;
	if (shadow_held(e)) {
		pagus_split_pages(&r->machine->pagus, ours, from, order);
		loop_split(r, ours, from, order);
	}
	e.order = (uint8_t)order;
	for (uint32_t n = 0; n < nr; n++) {
		e.ours = ours < SHADOW_TAKEN ? ours + (n << order) : ours;
		shadow_set(&r->shadow, head + ((uint64_t)n << order), e);
	}
}

/*
 * Free every live block whose first page lies in the 2^order pages from pfn; targets of compaction
 * there are none any more. Returns how many blocks were live.
 */
static uint32_t free_within(struct replay *r, uint64_t pfn, uint32_t order)
{
	uint32_t nr = 0;

	for (uint64_t p = pfn; p < pfn + (UINT64_C(1) << order); p++) {
		struct shadow_entry e = shadow_get(&r->shadow, p);

		if (e.ours == SHADOW_NONE)
			continue;
		give_back(r, p, e);
		nr += e.ours != SHADOW_TARGET;
	}
	return nr;
}

/* Is the page what it was when the recording began: at its place, of unknown order? */
static bool is_untouched(const struct replay *r, uint64_t pfn)
{
	struct pagus_page_info page;

	return shadow_get(&r->shadow, pfn).ours == pfn &&
	       pagus_page_info(&r->machine->pagus, pfn, &page) == PAGUS_OK &&
	       page.kind == PAGUS_PAGE_INHERITED;
}

/*
 * Pages inherited from before the recording have no order: they die as the recording frees them.
 * Where pages move, those that may are blocks of their own, and die one by one.
 */
static bool free_inherited(struct replay *r, uint64_t pfn, uint32_t order)
{
	struct shadow_entry first = shadow_get(&r->shadow, pfn);
	bool untouched = true;

	for (uint64_t p = pfn; p < pfn + (UINT64_C(1) << order); p++) {
		struct shadow_entry e = shadow_get(&r->shadow, p);

		if (!e.inherited || e.ours == SHADOW_NONE)
			return false;
		untouched &= is_untouched(r, p);
	}
	if (!untouched) {
		if (!whatif_acts(&r->whatif))
			return false;
		free_within(r, pfn, order);
		return true;
	}
	for (uint64_t p = pfn; p < pfn + (UINT64_C(1) << order); p++) {
		struct shadow_entry e = shadow_get(&r->shadow, p);

		/* Types may differ in one free; content goes by each page's own. */
		content_change(&r->content, p, 0, e.type, -1);
		content_change(&r->content, p, 0, first.type, 1);
		shadow_clear(&r->shadow, p);
		loop_death(r, p, 0);
	}
	first.order = (uint8_t)order;
	give_back(r, pfn, first);
	return true;
}

void block_death(struct replay *r, int32_t pid, uint64_t pfn, uint32_t order)
{
	uint64_t head;
	struct shadow_entry e;

	if (!covers(r, pfn, order))
		return;
	e = shadow_find(&r->shadow, pfn, &head);
	if (e.ours == SHADOW_TARGET) {
		free_within(r, pfn, order);
		return;
	}
	if (e.ours != SHADOW_NONE && e.order > order) {
		split_entry(r, head, e, order);
		e = shadow_get(&r->shadow, pfn);
		head = pfn;
	}
	if (moves_source(&r->moves, &r->shadow, pid, pfn, order)) {
		r->recorded.moved_pages += UINT64_C(1) << order;
		return;
	}
	r->recorded.deaths++;
	if (e.ours != SHADOW_NONE && e.inherited && order > 0 && free_inherited(r, pfn, order))
		return;
	if (e.ours != SHADOW_NONE && e.order == order && head == pfn) {
		give_back(r, pfn, e);
		return;
	}
	if (free_within(r, pfn, order) > 0)
		r->recorded.joined_deaths++;
	else
		r->recorded.unknown_deaths++;
}

/* ---- births -------------------------------------------------------------------------------- */

static enum pagus_status ask(struct replay *r, const struct block_birth *b, struct pagus_result *res)
{
	/* Not compound: what was allocated as one folio may be split, of which no event tells. */
	struct pagus_request req = {
		.gfp = b->gfp & ~(uint32_t)(__GFP_THISNODE | __GFP_COMP), .order = b->order,
		.node = b->node, .nodemask = b->nodemask,
	};

	if (pagus_alloc(&r->machine->pagus, &req, res) != PAGUS_NO_MEMORY)
		return res->status;
	/*
	 * The recorded kernel granted it, so its task had rights that the GFP mask does not show.
	 */
	req.task = PAGUS_TASK_MEMALLOC;
	req.gfp &= ~(uint32_t)__GFP_NOMEMALLOC;
	if (pagus_alloc(&r->machine->pagus, &req, res) == PAGUS_OK)
		r->outcome.rights_inferred++;
	return res->status;
}

/*
 * Something new is recorded to be at these pages: what is still live there, or covers them, was freed
 * before without an event.
 */
static void free_over_live(struct replay *r, uint64_t pfn, uint32_t order)
{
	uint64_t head;
	struct shadow_entry e = shadow_find(&r->shadow, pfn, &head);
	bool covered = e.ours != SHADOW_NONE && head != pfn;

	if (covered)
		give_back(r, head, e);
	r->recorded.births_over_live += free_within(r, pfn, order) > 0 || covered;
}

bool block_birth(struct replay *r, const struct block_birth *b)
{
	struct shadow_entry e = { .ours = SHADOW_REFUSED, .order = (uint8_t)b->order };
	uint32_t order = r->content.pageblock_order;
	struct pagus_result res;

	if (!covers(r, b->pfn, b->order))
		return true;
	r->recorded.births++;
	free_over_live(r, b->pfn, b->order);
	e.type = (b->gfp >> 3 & 3) % 3;
	if (loop_is_unasked(r, b->gfp, b->pid)) {
		e.ours = SHADOW_TAKEN;
		shadow_set(&r->shadow, b->pfn, e);
		return true;
	}
	r->outcome.allocations++;
	if (ask(r, b, &res) == PAGUS_OK) {
		e.ours = (uint32_t)res.pfn;
		content_change(&r->content, res.pfn, b->order, e.type, 1);
		if (!loop_birth(r, res.pfn, b->order, b->gfp, b->pid))
			return false;
		r->outcome.same_page += res.pfn == b->pfn;
		r->outcome.same_block += res.pfn >> order == b->pfn >> order;
	} else {
		r->outcome.refused++;
	}
	shadow_set(&r->shadow, b->pfn, e);
	return true;
}

bool block_target(struct replay *r, int32_t pid, uint64_t pfn, uint32_t order)
{
	if (!covers(r, pfn, order))
		return true;
	free_over_live(r, pfn, order);
	return moves_take(&r->moves, &r->shadow, pid, pfn, order);
}
