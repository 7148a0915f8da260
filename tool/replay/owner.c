/* SPDX-License-Identifier: MIT */
#include "replay/owner.h"

#include "replay/replay.h"

/* The recorded block for which the block of `order` at `pfn` stands: its first pfn in *theirs. */
static struct shadow_entry entry_of(const struct replay *r, uint64_t pfn, uint32_t order,
				    uint32_t *theirs)
{
	struct shadow_entry e = { .ours = SHADOW_NONE };

	*theirs = shadow_theirs(&r->shadow, pfn);
	if (*theirs == SHADOW_NONE)
		return e;
	e = shadow_get(&r->shadow, *theirs);
	if (e.order != order)
		e.ours = SHADOW_NONE;
	return e;
}

static bool is_free_to_move(struct shadow_entry e)
{
	return shadow_held(e) && e.type == PAGUS_MOVABLE && !e.isolated;
}

static uint32_t traits(void *ctx, uint64_t pfn, uint32_t order)
{
	uint32_t theirs;

	return is_free_to_move(entry_of(machine_of(ctx)->owner, pfn, order, &theirs)) ?
		0 : PAGUS_TRAIT_FIXED;
}

static bool isolate(void *ctx, uint64_t pfn, uint32_t order, const struct pagus_migrate *how)
{
	struct replay *r = machine_of(ctx)->owner;
	uint32_t theirs;
	struct shadow_entry e = entry_of(r, pfn, order, &theirs);

	(void)how;
	if (!is_free_to_move(e))
		return false;
	e.isolated = true;
	shadow_set(&r->shadow, theirs, e);
	r->owner.nr_isolated++;
	return true;
}

static enum pagus_moved move(void *ctx, uint64_t from, uint64_t to, uint32_t order,
			     const struct pagus_migrate *how)
{
	struct replay *r = machine_of(ctx)->owner;
	uint32_t theirs;
	struct shadow_entry e = entry_of(r, from, order, &theirs);

	(void)how;
	/* Else the shadow would take what was put there before for what is moved. */
	if (!e.isolated || shadow_theirs(&r->shadow, to) != SHADOW_NONE)
		return PAGUS_MOVE_NEVER;
	e.ours = (uint32_t)to;
	e.isolated = false;
	shadow_set(&r->shadow, theirs, e);
	content_change(&r->content, from, order, e.type, -1);
	content_change(&r->content, to, order, e.type, 1);
	loop_move(r, from, to, order);
	r->owner.nr_moved++;
	r->owner.moved_pages += UINT64_C(1) << order;
	r->owner.moved_inherited += e.inherited ? UINT64_C(1) << order : 0;
	return PAGUS_MOVED;
}

static void putback(void *ctx, uint64_t pfn, uint32_t order)
{
	struct replay *r = machine_of(ctx)->owner;
	uint32_t theirs;
	struct shadow_entry e = entry_of(r, pfn, order, &theirs);

	if (!shadow_held(e))
		return;
	e.isolated = false;
	shadow_set(&r->shadow, theirs, e);
	r->owner.nr_put_back++;
}

void owner_install(struct replay *r)
{
	struct pagus_port *port = &r->machine->port;

	port->traits = traits;
	port->isolate = isolate;
	port->move = move;
	port->putback = putback;
}

/* ---- the check ------------------------------------------------------------------------------- */

static bool is_in_use(const struct pagus_page_info *page)
{
	return page->kind == PAGUS_PAGE_ALLOCATED || page->kind == PAGUS_PAGE_INHERITED;
}

/* Each recorded page that is in use: how many there are in *pages. */
static const char *check_theirs(const struct replay *r, uint64_t *pages, uint64_t *where)
{
	const struct shadow *s = &r->shadow;

	for (uint64_t pfn = s->first_pfn; pfn < s->first_pfn + s->nr_pages; pfn++) {
		struct shadow_entry e = shadow_get(s, pfn);
		struct pagus_page_info page;

		if (!shadow_held(e))
			continue;
		*where = pfn;
		*pages += UINT64_C(1) << e.order;
		if (e.isolated)
			return "a recorded page is still isolated";
		if (shadow_theirs(s, e.ours) != pfn)
			return "two recorded pages are one page of the replay";
		if (pagus_page_info(&r->machine->pagus, e.ours, &page) != PAGUS_OK ||
		    !is_in_use(&page) || (page.kind == PAGUS_PAGE_ALLOCATED &&
					  page.order != e.order))
			return "a recorded page is in use, and its page of the replay is not";
	}
	return NULL;
}

const char *owner_check(const struct replay *r, uint64_t others, uint64_t *where)
{
	uint64_t theirs = 0, ours = 0;
	const char *wrong = check_theirs(r, &theirs, where);

	for (uint64_t pfn = r->machine->first_pfn; !wrong && pfn < r->machine->end_pfn; pfn++) {
		struct pagus_page_info page;

		if (pagus_page_info(&r->machine->pagus, pfn, &page) == PAGUS_OK && is_in_use(&page))
			ours += UINT64_C(1) << (page.kind == PAGUS_PAGE_ALLOCATED ? page.order : 0);
	}
	*where = wrong ? *where : ours;
	if (!wrong && ours != theirs + others)
		wrong = "the replay has other pages in use than the recording";
	return wrong;
}
