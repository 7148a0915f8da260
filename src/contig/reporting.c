/* SPDX-License-Identifier: MIT */
/*
 * Free page reporting. (page_reporting_process)
 *
 *     list:  head | not reported ... | reported ... | tail
 *
 * A load is filled from the front and put back at the tail, so what is new stays in front. Before
 * the lock is let go the list is turned so that it begins with what has not been looked at: the next
 * hold goes on there. Where pages are in maps there is no order to turn; the pass remembers the
 * pageblock that it has come to.
 */
#include <pagus/reporting.h>

#include "base/bits.h"
#include "contig/take.h"

#define MAX_LOOKS 512u /* at blocks, in one hold of the zone's lock */

struct pass {
	struct pg_call *c;
	struct pg_zone *z;
	struct pagus_reporting *device;
	struct pagus_reported load[PAGUS_REPORTING_CAPACITY];
	uint32_t nr;
	bool more, refused;
};

/* One list of the zone. */
struct walk {
	uint32_t order, type;
	uint32_t block;      /* in maps: the pageblock to look at next */
	uint64_t looks_left; /* at blocks that were on the list when the walk began */
	uint64_t loads_left;
	bool over;
};

/* The block behind i that is still to be looked at; with PG_NONE the first. */
static uint32_t next_block(const struct pass *pass, struct walk *w, uint32_t i)
{
	const struct pagus_state *st = pass->c->st;

	if (!pg_mapped(st))
		return i == PG_NONE ? pg_store_first(st, pass->z, w->order, w->type) :
				      pg_store_next(st, pass->z, i, w->order, w->type);
	i = pg_bitmap_from(st, pass->z, w->block, w->order, w->type);
	w->block = i == PG_NONE ? pass->z->end_block : pg_block(st, i) + 1;
	return i;
}

/* The list is to begin with i. */
static void turn(struct pass *pass, const struct walk *w, uint32_t i)
{
	struct pagus_state *st = pass->c->st;
	struct pg_page *pages = pg_pages(st);
	uint32_t head = pg_store_list(pass->z, w->order, w->type);

	if (pg_mapped(st) || pg_list_first(pages, head) == i)
		return;
	pg_list_del(pages, head);
	pg_list_add_after(pages, pages[i].prev, head);
}

/* Blocks of the list onto the load, until it is full. False: nothing is left to look at. */
static bool fill(struct pass *pass, struct walk *w)
{
	struct pagus_state *st = pass->c->st;
	uint32_t looks = 0, i, next;

	for (i = next_block(pass, w, PG_NONE); i != PG_NONE; i = next) {
		if (w->looks_left == 0 || pass->nr == pass->device->capacity || looks == MAX_LOOKS) {
			if (pg_mapped(st))
				w->block = pg_block(st, i);
			turn(pass, w, i);
			return w->looks_left > 0;
		}
		if (!pg_store_is_reported(st, i) && w->loads_left == 0) {
			pass->more = true;
			turn(pass, w, i);
			return false;
		}
		looks++;
		w->looks_left--;
		next = next_block(pass, w, i);
		if (pg_store_is_reported(st, i))
			continue;
		if (pg_take_free(pass->c, pass->z, i) < 0)
			return false;
		pass->load[pass->nr++] = (struct pagus_reported){ pg_pfn(st, i), w->order };
	}
	return false;
}

/* What has been reported goes back; a block that does not merge there is marked. */
static void put_back(struct pass *pass, bool reported)
{
	struct pagus_state *st = pass->c->st;

	pg_zone_lock(pass->c, pass->z, PAGUS_REASON_CONTIG);
	for (uint32_t n = 0; n < pass->nr; n++) {
		uint32_t i = pg_index(st, pass->load[n].pfn), order = pass->load[n].order;

		pg_take_return_tail(pass->c, pass->z, i, order);
		if (reported && pg_store_holds(st, pass->z, i, order))
			pg_store_mark_reported(st, i);
	}
	pg_zone_unlock(pass->c, pass->z);
	pass->nr = 0;
}

static void report(struct pass *pass)
{
	struct pagus_reporting *device = pass->device;
	bool taken;

	pg_call_end(pass->c);
	taken = device->report(device->ctx, pass->load, pass->nr);
	pg_call_resume(pass->c);
	device->nr_calls++;
	for (uint32_t n = 0; taken && n < pass->nr; n++) {
		device->reported_blocks++;
		device->reported_pages += UINT64_C(1) << pass->load[n].order;
	}
	put_back(pass, taken);
	pass->refused = !taken;
}

static void report_list(struct pass *pass, struct walk *w)
{
	const uint64_t nr_free = pg_read(pass->z->nr_free[w->order]);
	const uint64_t per_load = UINT64_C(16) * pass->device->capacity;

	w->block = pass->z->first_block;
	w->looks_left = nr_free;
	w->loads_left = 1 + (nr_free + per_load - 1) / per_load;
	while (!w->over && !pass->refused) {
		pg_zone_lock(pass->c, pass->z, PAGUS_REASON_CONTIG);
		w->over = !fill(pass, w);
		pg_zone_unlock(pass->c, pass->z);
		if (pass->nr == pass->device->capacity) {
			w->loads_left--;
			report(pass);
		}
	}
}

static bool zone_may(const struct pass *pass)
{
	const struct pg_zone *z = pass->z;
	uint64_t load = (uint64_t)pass->device->capacity << pass->device->order;

	return pg_watermark_ok(pass->c->st, z, 0, pg_mark(z, PAGUS_WMARK_LOW) + load, 0,
			       PG_ALLOC_CMA);
}

static void report_zone(struct pass *pass)
{
	for (uint32_t order = pass->device->order; order <= pass->c->st->max_order; order++)
		for (uint32_t type = 0; type < PAGUS_ISOLATE && !pass->refused; type++) {
			struct walk w = { .order = order, .type = type };

			report_list(pass, &w);
		}
	if (pass->nr && !pass->refused)
		report(pass);
}

enum pagus_status pagus_report_free(struct pagus *p, struct pagus_reporting *device, bool *more)
{
	struct pagus_state *st = p->state;
	struct pass pass = { .device = device };
	struct pg_call c;

	*more = false;
	if (device->capacity == 0 || device->capacity > PAGUS_REPORTING_CAPACITY)
		return PAGUS_BAD_VALUE;
	if (device->order > st->max_order)
		return PAGUS_BAD_ORDER;
	if (pg_mapped(st) && device->order < st->pageblock_order)
		return PAGUS_UNSUPPORTED;
	c = pg_call_begin(p);
	pass.c = &c;
	for (uint32_t id = 0; id < st->nr_zones && !pass.refused; id++) {
		pass.z = pg_zone(st, id);
		if (zone_may(&pass))
			report_zone(&pass);
	}
	pg_call_end(&c);
	*more = pass.more;
	return pass.refused ? PAGUS_BUSY : PAGUS_OK;
}
