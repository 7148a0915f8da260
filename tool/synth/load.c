/* SPDX-License-Identifier: MIT */
#include "synth/load.h"

#include <stdlib.h>

#define PAGE_SHIFT 12
#define HUGE       4 /* the last region's, of blocks of 2 MiB */
#define CACHE_STAYS 4 /* times as long as others */

static const uint8_t order_of[LOAD_ORDERS] = { 0, 1, 2, 3, 9 };

/* Blocks, in no order. */
struct blocks {
	uint32_t *at;
	size_t nr, room;
};

struct region {
	uint64_t next, end;    /* pages that have not been used so far */
	struct blocks returned;
};

struct load {
	struct synth_model model;
	uint64_t seed, pages, done, goal; /* done: pages born since memory was filled */
	struct region regions[LOAD_ORDERS];
	struct blocks live[LOAD_KINDS][LOAD_ORDERS];
	uint64_t live_pages[LOAD_KINDS];
	bool filled;
	int64_t owed;          /* pages that are to die although not all is there, times 4 */
};

/* splitmix64 */
uint64_t load_random(struct load *l, uint64_t limit)
{
	uint64_t z = l->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % limit;
}

static bool add(struct blocks *b, uint32_t page)
{
	if (b->nr == b->room) {
		size_t room = b->room ? b->room * 2 : 1024;
		uint32_t *grown = realloc(b->at, room * sizeof(*grown));

		if (!grown)
			return false;
		b->at = grown;
		b->room = room;
	}
	b->at[b->nr++] = page;
	return true;
}

static uint32_t take(struct blocks *b, size_t n)
{
	uint32_t page = b->at[n];

	b->at[n] = b->at[--b->nr];
	return page;
}

/* ---- regions --------------------------------------------------------------------------------- */

/* Pages that an order may need at one time, and some; single pages have what is left. */
static uint64_t region_pages(const struct load *l, uint32_t r)
{
	static const uint8_t percent[LOAD_ORDERS] = { 0, 15, 25, 45, 0 }; /* of what cannot move */
	const struct synth_model *m = &l->model;
	uint64_t slab = m->slab > m->storm ? m->slab : m->storm;
	uint64_t kernel = l->pages * (m->unmovable + m->growth + slab) / 1000;

	if (r == HUGE)
		return m->huge ? l->pages * m->anon / 1000 * m->huge / 1000 + 512 : 0;
	return m->orders ? kernel * percent[r] / 100 : 0;
}

static void cut_regions(struct load *l)
{
	uint64_t at = 0;

	/* From the largest blocks down, so that each region is aligned. */
	for (uint32_t r = LOAD_ORDERS; r-- > 1;) {
		l->regions[r].next = at;
		at += region_pages(l, r) >> order_of[HUGE] << order_of[HUGE];
		l->regions[r].end = at;
	}
	l->regions[0].next = at;
	l->regions[0].end = l->pages;
}

static bool region_any(const struct region *region)
{
	return region->returned.nr || region->next < region->end;
}

static uint32_t region_take(struct region *region, uint32_t order)
{
	uint32_t page = (uint32_t)region->next;

	if (region->returned.nr)
		return take(&region->returned, region->returned.nr - 1);
	region->next += UINT64_C(1) << order;
	return page;
}

/* ---- what there should be -------------------------------------------------------------------- */

static uint64_t share(const struct load *l, uint32_t kind)
{
	const struct synth_model *m = &l->model;
	bool storm = l->done * 3 >= l->goal && l->done * 3 < 2 * l->goal;

	switch (kind) {
	case LOAD_UNMOVABLE:
		return m->unmovable + (l->goal ? m->growth * l->done / l->goal : 0);
	case LOAD_SLAB:
		return l->filled && storm && m->storm ? m->storm : m->slab;
	case LOAD_ANON:
		return m->anon;
	default:
		return m->cache;
	}
}

static uint64_t wanted(const struct load *l, uint32_t kind)
{
	return l->pages * share(l, kind) / 1000;
}

/* Kinds that lack pages, each as likely as it lacks many; LOAD_KINDS if none does. */
static uint32_t choose_birth(struct load *l)
{
	uint64_t lack[LOAD_KINDS], sum = 0, at;
	uint32_t kind = 0;

	for (uint32_t k = 0; k < LOAD_KINDS; k++) {
		uint64_t want = wanted(l, k);

		lack[k] = want > l->live_pages[k] ? want - l->live_pages[k] : 0;
		sum += lack[k];
	}
	if (sum == 0)
		return LOAD_KINDS;
	for (at = load_random(l, sum); at >= lack[kind]; kind++)
		at -= lack[kind];
	return kind;
}

static uint64_t nr_blocks(const struct load *l, uint32_t kind)
{
	uint64_t nr = 0;

	for (uint32_t r = 0; r < LOAD_ORDERS; r++)
		nr += l->live[kind][r].nr;
	return nr;
}

/* What there is too much of; else any block is as likely, those of the page cache less so. */
static uint32_t choose_death(struct load *l)
{
	uint64_t weight[LOAD_KINDS], sum = 0, at;
	uint32_t kind = 0;

	for (uint32_t k = 0; k < LOAD_KINDS; k++) {
		if (l->live_pages[k] > wanted(l, k) + wanted(l, k) / 64 + 512)
			return k;
		weight[k] = nr_blocks(l, k) / (k == LOAD_CACHE ? CACHE_STAYS : 1);
		sum += weight[k];
	}
	if (sum == 0)
		return LOAD_KINDS;
	for (at = load_random(l, sum); at >= weight[kind]; kind++)
		at -= weight[kind];
	return kind;
}

static uint32_t choose_region(struct load *l, uint32_t kind)
{
	uint32_t r = 0;

	/* By pages: of blocks of 2 MiB one in 512. */
	if (kind == LOAD_ANON && load_random(l, 1000 * 512) < l->model.huge * 512 /
			(512 - 511 * l->model.huge / 1000) && l->model.huge)
		r = HUGE;
	if (kind <= LOAD_SLAB && load_random(l, 1000) < l->model.orders)
		r = 1 + (uint32_t)load_random(l, 3);
	return region_any(&l->regions[r]) ? r : 0;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* No page is left for it where both regions that it could use are empty: `any` is false then. */
static bool birth(struct load *l, uint32_t kind, struct load_step *step, bool *any)
{
	uint32_t r = choose_region(l, kind);

	*any = region_any(&l->regions[r]);
	if (!*any)
		return true;
	*step = (struct load_step){ .birth = true, .order = order_of[r], .kind = (uint8_t)kind };
	step->page = region_take(&l->regions[r], step->order);
	l->live_pages[kind] += UINT64_C(1) << step->order;
	if (l->filled) {
		l->done += UINT64_C(1) << step->order;
		l->owed += INT64_C(1) << step->order;
	}
	return add(&l->live[kind][r], step->page);
}

static bool death(struct load *l, uint32_t kind, struct load_step *step)
{
	uint64_t at = load_random(l, nr_blocks(l, kind));
	struct blocks *live;
	uint32_t r = 0;

	for (; at >= l->live[kind][r].nr; r++)
		at -= l->live[kind][r].nr;
	live = &l->live[kind][r];
	*step = (struct load_step){ .order = order_of[r], .kind = (uint8_t)kind,
				    .page = take(live, at) };
	l->live_pages[kind] -= UINT64_C(1) << step->order;
	return add(&l->regions[r].returned, step->page);
}

/* Deaths come where all is there, and for a quarter of the pages that are born where it is not. */
bool load_next(struct load *l, struct load_step *step, bool *no_memory)
{
	uint32_t kind = choose_birth(l), dead;
	bool born = false;

	*no_memory = false;
	l->filled |= kind == LOAD_KINDS;
	if (l->filled && l->done >= l->goal)
		return false;
	if (kind < LOAD_KINDS && l->owed <= 0) {
		*no_memory = !birth(l, kind, step, &born);
		l->filled |= !born;
	}
	if (born || *no_memory)
		return !*no_memory;
	dead = choose_death(l);
	if (dead == LOAD_KINDS)
		return false;
	*no_memory = !death(l, dead, step);
	if (kind < LOAD_KINDS)
		l->owed -= INT64_C(4) << step->order;
	else
		l->owed = 0;
	return !*no_memory;
}

struct load *load_new(const struct synth_model *model)
{
	struct load *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->model = *model;
	l->seed = model->seed;
	l->pages = model->memory >> PAGE_SHIFT;
	l->goal = l->pages / 1000 * model->turnover;
	cut_regions(l);
	return l;
}

void load_free(struct load *l)
{
	if (!l)
		return;
	for (uint32_t r = 0; r < LOAD_ORDERS; r++) {
		free(l->regions[r].returned.at);
		for (uint32_t k = 0; k < LOAD_KINDS; k++)
			free(l->live[k][r].at);
	}
	free(l);
}
