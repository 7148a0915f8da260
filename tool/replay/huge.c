/* SPDX-License-Identifier: MIT */
#include "replay/huge.h"

#include <stdio.h>
#include <stdlib.h>

#include <pagus/contig.h>

#include "replay/replay.h"

/* As for the hugetlb pool, whose pages may be moved by nobody here. */
#define GFP_HUGE (GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

void huge_begin(struct huge *h, const struct whatif_huge *plan)
{
	h->plan = *plan;
	h->round_ns = plan->every_ns ? plan->every_ns : UINT64_MAX;
}

void huge_fini(struct huge *h)
{
	free(h->held);
	free(h->reached_ns);
	h->held = NULL;
	h->reached_ns = NULL;
}

uint64_t huge_due(const struct huge *h)
{
	uint64_t until = h->nr ? h->held[h->first].until_ns : UINT64_MAX;

	return until < h->round_ns ? until : h->round_ns;
}

uint64_t huge_held_pages(const struct replay *r)
{
	return r->huge.nr << r->huge.plan.order;
}

const char *huge_why_name(uint32_t n, char *text, size_t room)
{
	static const char *const statuses[] = {
#define PAGUS_X(NAME, text) #NAME,
		PAGUS_STATUSES(PAGUS_X)
#undef PAGUS_X
	};
	size_t at = 0;

	if (n >= HUGE_UNMOVABLE)
		return n == HUGE_UNMOVABLE ? "unmovable" : "no_room";
	if (n < PAGUS_NR_REFUSALS)
		return pagus_refusal_name((enum pagus_refusal)n);
	for (const char *c = statuses[n - PAGUS_NR_REFUSALS]; *c && at + 1 < room; c++)
		text[at++] = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
	text[at] = '\0';
	return text;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/*
 * May every page in use in the pageblock be moved? The first of them tells of the others what the
 * policy takes them for: where it does not group, all are unmovable to it.
 */
static bool can_empty(const struct replay *r, uint32_t b)
{
	const struct content *c = &r->content;
	const uint64_t start = c->first_pfn + ((uint64_t)b << c->pageblock_order);
	const uint16_t *in_use = c->in_use[b];
	struct pagus_page_info page = { .kind = PAGUS_PAGE_HOLE };

	if (!c->is_memory[b] || in_use[PAGUS_UNMOVABLE] || in_use[PAGUS_RECLAIMABLE] ||
	    (in_use[PAGUS_MOVABLE] && r->whatif.defrag == WHATIF_DEFRAG_NONE))
		return false;
	for (uint64_t pfn = start; pfn < start + (UINT64_C(1) << c->pageblock_order) &&
				   page.kind != PAGUS_PAGE_ALLOCATED; pfn++)
		if (pagus_page_info(&r->machine->pagus, pfn, &page) != PAGUS_OK ||
		    page.block_type >= PAGUS_HIGHATOMIC)
			return false;
	return page.kind != PAGUS_PAGE_ALLOCATED || page.request_type == PAGUS_MOVABLE;
}

static bool is_held(const struct huge *h, pagus_pfn_t pfn)
{
	for (uint64_t n = h->first; n < h->first + h->nr; n++)
		if (h->held[n].pfn == pfn)
			return true;
	return false;
}

/* There is no range to be had: is there one without a page that cannot move? */
static uint32_t why_no_range(const struct replay *r)
{
	const struct content *c = &r->content;
	const uint64_t pages = UINT64_C(1) << r->huge.plan.order;
	const uint32_t blocks = 1u << (r->huge.plan.order - c->pageblock_order);

	for (pagus_pfn_t pfn = (c->first_pfn + pages - 1) & ~(pages - 1);
	     pfn + pages <= r->machine->end_pfn; pfn += pages) {
		uint32_t b = (uint32_t)((pfn - c->first_pfn) >> c->pageblock_order), n = 0;

		while (n < blocks && can_empty(r, b + n))
			n++;
		if (n == blocks && !is_held(&r->huge, pfn))
			return HUGE_NO_ROOM;
	}
	return HUGE_UNMOVABLE;
}

/* A range of one zone, emptied and taken. */
static uint32_t ask_range(struct replay *r, pagus_pfn_t *pfn)
{
	const enum pagus_status status =
		pagus_alloc_contig_pages(&r->machine->pagus, UINT64_C(1) << r->huge.plan.order,
					 GFP_HUGE, PAGUS_NO_NODE, 0, pfn);

	if (status == PAGUS_OK)
		return HUGE_WHYS;
	return status == PAGUS_NO_MEMORY ? why_no_range(r) : PAGUS_NR_REFUSALS + status;
}

/* HUGE_WHYS: granted; else why not. */
static uint32_t ask(struct replay *r, pagus_pfn_t *pfn)
{
	const struct pagus_request req = {
		.gfp = GFP_HUGE, .order = r->huge.plan.order, .node = PAGUS_NO_NODE,
	};
	struct pagus_result res;

	if (r->huge.plan.order > PAGUS_MAX_ORDER)
		return ask_range(r, pfn);
	pagus_alloc(&r->machine->pagus, &req, &res);
	*pfn = res.pfn;
	if (res.status == PAGUS_OK)
		return HUGE_WHYS;
	if (res.status == PAGUS_NO_MEMORY)
		return res.refusal;
	return PAGUS_NR_REFUSALS + res.status;
}

static bool hold(struct huge *h, pagus_pfn_t pfn, uint64_t until_ns)
{
	if (h->first + h->nr == h->room) {
		/* Those freed leave room at the front; else there is to be twice as much. */
		uint64_t room = h->nr < h->room / 2 ? h->room : h->room ? h->room * 2 : 64;
		struct huge_held *held = malloc(room * sizeof(*held));

		if (!held)
			return false;
		for (uint64_t n = 0; n < h->nr; n++)
			held[n] = h->held[h->first + n];
		free(h->held);
		h->held = held;
		h->first = 0;
		h->room = room;
	}
	h->held[h->first + h->nr++] = (struct huge_held){ .until_ns = until_ns, .pfn = pfn };
	return true;
}

/* More are held than ever before. */
static bool note_reached(struct huge *h)
{
	uint64_t *grown;

	if (h->plan.order != WHATIF_GIGANTIC_ORDER || h->nr <= h->nr_reached)
		return true;
	grown = realloc(h->reached_ns, h->nr * sizeof(*grown));
	if (!grown)
		return false;
	h->reached_ns = grown;
	grown[h->nr_reached++] = h->round_ns;
	return true;
}

static uint64_t reclaimed_by(const struct replay *r)
{
	const struct loop_outcome *out = &r->loop.outcome;

	return out->reclaimed_cache + out->reclaimed_slab + out->reclaimed_unknown +
	       out->killed_pages;
}

static bool ask_once(struct replay *r)
{
	struct huge *h = &r->huge;
	const uint64_t moved = r->owner.moved_pages, reclaimed = reclaimed_by(r);
	const uint64_t stalls = machine_count(r->machine, PAGUS_COUNTER_compact_stall);
	pagus_pfn_t pfn;
	uint32_t why = ask(r, &pfn);

	h->asked++;
	h->moved_pages += r->owner.moved_pages - moved;
	h->reclaimed_pages += reclaimed_by(r) - reclaimed;
	h->stalls += machine_count(r->machine, PAGUS_COUNTER_compact_stall) - stalls;
	if (why < HUGE_WHYS) {
		h->why[why]++;
		return true;
	}
	h->granted++;
	r->series.nr_granted++;
	h->moved_for_granted += r->owner.moved_pages - moved;
	content_change(&r->content, pfn, h->plan.order, PAGUS_MOVABLE, 1);
	superpageblocks_hold(&r->content.superpageblocks, pfn, h->plan.order, 1);
	return hold(h, pfn, h->round_ns + h->plan.hold_ns) && note_reached(h);
}

static bool ask_round(struct replay *r)
{
	struct huge *h = &r->huge;
	bool ok = true;

	for (uint32_t n = 0; ok && n < h->plan.count; n++)
		ok = ask_once(r);
	h->rounds++;
	h->round_ns += h->plan.every_ns;
	return ok;
}

/* ---- giving back ----------------------------------------------------------------------------- */

static void give_back(struct replay *r)
{
	struct huge *h = &r->huge;
	pagus_pfn_t pfn = h->held[h->first].pfn;

	if (h->plan.order > PAGUS_MAX_ORDER)
		pagus_free_contig_range(&r->machine->pagus, pfn, UINT64_C(1) << h->plan.order);
	else
		pagus_free_pages(&r->machine->pagus, pfn, h->plan.order);
	content_change(&r->content, pfn, h->plan.order, PAGUS_MOVABLE, -1);
	superpageblocks_hold(&r->content.superpageblocks, pfn, h->plan.order, -1);
	h->first++;
	h->nr--;
}

const char *huge_act(struct replay *r)
{
	struct huge *h = &r->huge;
	uint64_t due = huge_due(h);

	/* Before a round at the same time asks anew. */
	while (h->nr && h->held[h->first].until_ns <= due)
		give_back(r);
	if (h->round_ns > due)
		return NULL;
	if (h->rounds == HUGE_ROUNDS)
		return "--huge: more than 1000000 rounds until here";
	return ask_round(r) ? NULL : "no memory";
}
