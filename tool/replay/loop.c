/* SPDX-License-Identifier: MIT */
#include "replay/loop.h"

#include <stdlib.h>

#include "replay/replay.h"

#define BATCH_PAGES 32         /* that a call may take, however gentle (SWAP_CLUSTER_MAX) */
#define NR_PIDS     (1 << 22)  /* PID_MAX_LIMIT */

static const char *const assumptions[] = {
	"Page cache is what a movable request asked for without __GFP_ZERO, __GFP_NOMEMALLOC (transparent "
	"huge pages have it) and __GFP_RETRY_MAYFAIL (the hugetlb pool): clean, used once, never read again.",
	"What a reclaimable request asked for is slab that can be freed whole.",
	"Reclaim takes the oldest births of these first, at each call at most 1/2^priority of what there is "
	"or 32 pages; when there are none, it takes pages in use since before the recording from movable "
	"pageblocks, by address.",
	"The OOM killer chooses the task (the recorded thread) whose movable, zeroed pages and transparent "
	"huge pages, born while the trace ran, are most, and frees these; of equals the lowest pid. "
	"What it asks for of that kind later is not replayed.",
	"A worker that is woken runs to its end before the next recorded event.",
};

const char *loop_assumptions(uint32_t n)
{
	return n < sizeof(assumptions) / sizeof(assumptions[0]) ? assumptions[n] : NULL;
}

/* ---- the books ------------------------------------------------------------------------------- */

static struct loop_page *page_at(const struct loop *l, uint64_t ours)
{
	return &l->page[ours - l->first_pfn];
}

static bool is_listed(uint8_t kind)
{
	return kind != LOOP_OTHER;
}

static struct loop_list *list_of(struct loop *l, const struct loop_page *page)
{
	if (page->kind == LOOP_TASK)
		return &l->task[page->task].list;
	return &l->list[page->zone][page->kind == LOOP_UNKNOWN ? LOOP_GUESSED : LOOP_KNOWN];
}

static void link_last(struct loop *l, struct loop_page *page, uint32_t order)
{
	struct loop_list *list = list_of(l, page);
	uint32_t link = (uint32_t)(page - l->page) + 1;

	page->prev = list->last;
	page->next = 0;
	if (list->last)
		l->page[list->last - 1].next = link;
	else
		list->first = link;
	list->last = link;
	list->nr_pages += UINT64_C(1) << order;
}

static void unlink_page(struct loop *l, const struct loop_page *page, uint32_t order)
{
	struct loop_list *list = list_of(l, page);

	if (page->prev)
		l->page[page->prev - 1].next = page->next;
	else
		list->first = page->next;
	if (page->next)
		l->page[page->next - 1].prev = page->prev;
	else
		list->last = page->prev;
	list->nr_pages -= UINT64_C(1) << order;
}

static uint8_t zone_of(const struct replay *r, uint64_t ours)
{
	struct pagus_page_info info;

	pagus_page_info(&r->machine->pagus, ours, &info);
	return (uint8_t)info.zone;
}

static void enter(struct replay *r, uint64_t ours, uint32_t order, struct loop_page page)
{
	struct loop_page *at = page_at(&r->loop, ours);

	page.zone = zone_of(r, ours);
	*at = page;
	if (is_listed(page.kind))
		link_last(&r->loop, at, order);
}

static enum loop_kind kind_of(uint32_t gfp)
{
	const uint32_t pool = __GFP_RETRY_MAYFAIL, task = __GFP_ZERO | __GFP_NOMEMALLOC;

	if (gfp & __GFP_RECLAIMABLE)
		return LOOP_SLAB;
	if (!(gfp & __GFP_MOVABLE) || (gfp & pool))
		return LOOP_OTHER;
	return gfp & task ? LOOP_TASK : LOOP_CACHE;
}

/* The task of a pid: its number, which is new if it has none yet. */
static bool find_task(struct loop *l, int32_t pid, uint32_t *task)
{
	if (l->by_pid[pid] == 0) {
		if (l->nr_tasks == l->task_room) {
			uint32_t room = l->task_room ? l->task_room * 2 : 64;
			struct loop_task *grown = realloc(l->task, room * sizeof(*grown));

			if (!grown)
				return false;
			l->task = grown;
			l->task_room = room;
		}
		l->task[l->nr_tasks] = (struct loop_task){ .pid = pid };
		l->by_pid[pid] = ++l->nr_tasks;
	}
	*task = l->by_pid[pid] - 1;
	return true;
}

bool loop_birth(struct replay *r, uint64_t ours, uint32_t order, uint32_t gfp, int32_t pid)
{
	struct loop *l = &r->loop;
	struct loop_page page = { .kind = (uint8_t)kind_of(gfp) };

	if (!l->page)
		return true;
	/* The idle task is none, and neither is what cannot be a pid. */
	if (page.kind == LOOP_TASK && (pid <= 0 || pid >= NR_PIDS))
		page.kind = LOOP_OTHER;
	if (page.kind == LOOP_TASK && !find_task(l, pid, &page.task))
		return false;
	page.birth = l->births++;
	enter(r, ours, order, page);
	return true;
}

bool loop_is_unasked(struct replay *r, uint32_t gfp, int32_t pid)
{
	struct loop *l = &r->loop;
	bool unasked = l->page && pid > 0 && pid < NR_PIDS && l->by_pid[pid] &&
		       l->task[l->by_pid[pid] - 1].killed && kind_of(gfp) == LOOP_TASK;

	l->outcome.unasked += unasked;
	return unasked;
}

void loop_inherit(struct replay *r, uint64_t ours, uint32_t type)
{
	if (r->loop.page && type == PAGUS_MOVABLE)
		enter(r, ours, 0, (struct loop_page){ .kind = LOOP_UNKNOWN });
}

void loop_death(struct replay *r, uint64_t ours, uint32_t order)
{
	struct loop *l = &r->loop;

	if (!l->page)
		return;
	if (is_listed(page_at(l, ours)->kind))
		unlink_page(l, page_at(l, ours), order);
	page_at(l, ours)->kind = LOOP_OTHER;
}

void loop_split(struct replay *r, uint64_t ours, uint32_t from, uint32_t to)
{
	struct loop *l = &r->loop;
	struct loop_page *first, *behind;

	if (!l->page)
		return;
	first = page_at(l, ours);
	behind = first;
	/* The pieces stand one behind the other, where the block stood. */
	for (uint32_t n = 1; n < 1u << (from - to); n++) {
		struct loop_page *piece = page_at(l, ours + ((uint64_t)n << to));
		uint32_t link = (uint32_t)(piece - l->page) + 1;

		*piece = *first;
		if (!is_listed(first->kind))
			continue;
		piece->prev = (uint32_t)(behind - l->page) + 1;
		piece->next = behind->next;
		behind->next = link;
		if (piece->next)
			l->page[piece->next - 1].prev = link;
		else
			list_of(l, piece)->last = link;
		behind = piece;
	}
}

void loop_move(struct replay *r, uint64_t from, uint64_t to, uint32_t order)
{
	struct loop *l = &r->loop;
	struct loop_page page, *at;
	uint32_t link;

	if (!l->page)
		return;
	page = *page_at(l, from);
	at = page_at(l, to);
	if (is_listed(page.kind) && zone_of(r, to) == page.zone) {
		/* Its age stays. */
		link = (uint32_t)(at - l->page) + 1;
		*at = page;
		*(page.prev ? &l->page[page.prev - 1].next : &list_of(l, at)->first) = link;
		*(page.next ? &l->page[page.next - 1].prev : &list_of(l, at)->last) = link;
	} else {
		loop_death(r, from, order);
		enter(r, to, order, page);
	}
	page_at(l, from)->kind = LOOP_OTHER;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* A recorded block is taken: its page of ours becomes free. False: the instance would not have it. */
static bool take(struct replay *r, uint32_t theirs, struct shadow_entry e)
{
	uint32_t ours = e.ours;

	if (pagus_free_pages(&r->machine->pagus, ours, e.order) != PAGUS_OK)
		return false;
	loop_death(r, ours, e.order);
	content_change(&r->content, ours, e.order, e.type, -1);
	e.ours = SHADOW_TAKEN;
	shadow_set(&r->shadow, theirs, e);
	return true;
}

/* The first block of the list that is not isolated: its link, or 0. */
static uint32_t first_takeable(const struct replay *r, const struct loop_list *list)
{
	uint32_t link = list->first;

	while (link) {
		uint64_t ours = r->loop.first_pfn + link - 1;

		if (!shadow_get(&r->shadow, shadow_theirs(&r->shadow, ours)).isolated)
			return link;
		link = r->loop.page[link - 1].next;
	}
	return 0;
}

/* The oldest block of that kind of list in the zones that serve; 0: there is none. */
static uint32_t find_oldest(const struct replay *r, const struct pagus_reclaim *how,
			    enum loop_queue queue)
{
	const struct loop *l = &r->loop;
	uint32_t oldest = 0;

	for (uint32_t z = 0; z < l->nr_zones; z++) {
		uint32_t link;

		if (l->zone[z].node != how->node || l->zone[z].type > how->highest)
			continue;
		link = first_takeable(r, &l->list[z][queue]);
		/* Births are compared on a circle. */
		if (link && (!oldest || (int32_t)(l->page[link - 1].birth -
						  l->page[oldest - 1].birth) < 0))
			oldest = link;
	}
	return oldest;
}

static uint64_t pages_of(const struct loop *l, uint32_t node, uint32_t lowest, uint32_t highest)
{
	uint64_t pages = 0;

	for (uint32_t z = 0; z < l->nr_zones; z++)
		if (l->zone[z].node == node && l->zone[z].type >= lowest &&
		    l->zone[z].type <= highest)
			pages += l->list[z][LOOP_KNOWN].nr_pages +
				 l->list[z][LOOP_GUESSED].nr_pages;
	return pages;
}

static void note_reclaimed(struct loop_outcome *out, uint8_t kind, uint64_t pages)
{
	out->reclaimed_cache += kind == LOOP_CACHE ? pages : 0;
	out->reclaimed_slab += kind == LOOP_SLAB ? pages : 0;
	out->reclaimed_unknown += kind == LOOP_UNKNOWN ? pages : 0;
}

static uint64_t reclaim(void *ctx, const struct pagus_reclaim *how)
{
	struct replay *r = machine_of(ctx)->owner;
	uint64_t most = pages_of(&r->loop, how->node, 0, how->highest) >> how->priority, got = 0;

	most = most > BATCH_PAGES ? most : BATCH_PAGES;
	most = most < how->nr_pages ? most : how->nr_pages;
	while (got < most) {
		uint32_t link = find_oldest(r, how, LOOP_KNOWN), theirs;
		struct shadow_entry e;
		uint8_t kind;

		/* What they hold may have to be written first. */
		if (!link && how->may_writepage)
			link = find_oldest(r, how, LOOP_GUESSED);
		if (!link)
			break;
		theirs = shadow_theirs(&r->shadow, r->loop.first_pfn + link - 1);
		e = shadow_get(&r->shadow, theirs);
		kind = r->loop.page[link - 1].kind;
		if (!take(r, theirs, e))
			break;
		note_reclaimed(&r->loop.outcome, kind, UINT64_C(1) << e.order);
		got += UINT64_C(1) << e.order;
	}
	return got;
}

static uint64_t reclaimable(void *ctx, uint32_t node, uint32_t zone_type)
{
	const struct replay *r = machine_of(ctx)->owner;

	return pages_of(&r->loop, node, zone_type, zone_type);
}

/* ---- OOM ------------------------------------------------------------------------------------- */

/* The task that has most; of equals the lowest pid. NULL: none has anything. */
static struct loop_task *choose_victim(const struct loop *l)
{
	struct loop_task *victim = NULL;

	for (uint32_t n = 0; n < l->nr_tasks; n++) {
		struct loop_task *task = &l->task[n];

		if (task->list.nr_pages == 0)
			continue;
		if (!victim || task->list.nr_pages > victim->list.nr_pages ||
		    (task->list.nr_pages == victim->list.nr_pages && task->pid < victim->pid))
			victim = task;
	}
	return victim;
}

static enum pagus_oom_answer kill_task(void *ctx, const struct pagus_oom *what)
{
	struct replay *r = machine_of(ctx)->owner;
	struct loop_task *victim = choose_victim(&r->loop);
	uint64_t freed = 0;
	uint32_t link;

	(void)what;
	if (!victim)
		return PAGUS_OOM_NOTHING;
	while ((link = first_takeable(r, &victim->list))) {
		uint32_t theirs = shadow_theirs(&r->shadow, r->loop.first_pfn + link - 1);
		struct shadow_entry e = shadow_get(&r->shadow, theirs);

		if (!take(r, theirs, e))
			break;
		freed += UINT64_C(1) << e.order;
	}
	if (!freed)
		return PAGUS_OOM_NOTHING;
	victim->killed = true;
	r->loop.outcome.oom_kills++;
	r->loop.outcome.killed_pages += freed;
	return PAGUS_OOM_KILLED;
}

/* ---- life ------------------------------------------------------------------------------------ */

bool loop_install(struct replay *r)
{
	struct pagus_port *port = &r->machine->port;

	r->loop.first_pfn = r->machine->first_pfn;
	r->loop.nr_zones = pagus_nr_zones(&r->machine->pagus);
	for (uint32_t z = 0; z < r->loop.nr_zones; z++) {
		struct pagus_zone_info info;

		pagus_zone_info(&r->machine->pagus, z, &info);
		r->loop.zone[z].node = info.node;
		r->loop.zone[z].type = info.type;
	}
	r->loop.page = calloc(r->machine->end_pfn - r->machine->first_pfn, sizeof(*r->loop.page));
	r->loop.by_pid = calloc(NR_PIDS, sizeof(*r->loop.by_pid));
	port->reclaim = reclaim;
	port->reclaimable = reclaimable;
	port->oom = kill_task;
	return r->loop.page && r->loop.by_pid;
}

void loop_fini(struct loop *l)
{
	free(l->page);
	free(l->task);
	free(l->by_pid);
	*l = (struct loop){ 0 };
}
