/* SPDX-License-Identifier: MIT */
/*
 * What a pcp that owns pageblocks gives back, and how ownership ends. Only pageblocks cross the
 * zone's lock: whole ones first, and else those of which the most is free, with all that is.
 */
#include "pcp/pageblock.h"

#include "base/bits.h"
#include "pcp/keep.h"
#include "pcp/maps.h"
#include "zone/superpageblock.h"
#include "zone/remote.h"

#define MAX_LOOKS 16 /* at pageblocks of a queue */
#define MAX_HOLD  64 /* pageblocks handed over in one hold of the zone's lock */

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

static uint32_t type_of(const struct pagus_state *st, const struct pg_map *m)
{
	return pg_block_type(st, pg_map_start(st, m));
}

/* What a steal had led to ends with the ownership: the next owner may take it for its own type alone. */
static void forget_stolen(struct pagus_state *st, const struct pg_pcp *pcp, const struct pg_map *m)
{
	struct pg_keep *keep = pg_keep(st, pcp);

	for (uint32_t type = 0; type < PG_PCP_TYPES; type++)
		if (keep->stolen[type] == pg_map_block(st, m) + 1)
			keep->stolen_left[type] = 0;
}

/*
 * The pageblock is the zone's, with what is free of it. Needs the zone's lock too. Returns how many
 * pages that is.
 */
static uint32_t disown(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_map *m)
{
	struct pagus_state *st = c->st;
	uint32_t start = pg_map_start(st, m), type = type_of(st, m), pages;

	pages = m->nr_free;
	pg_write(pcp->count, pcp->count - pages);
	pg_keep_remove(st, pcp, m);
	m->home = (uint16_t)(pcp->cpu + 1);
	forget_stolen(st, pcp, m);
	pg_count(c, PAGUS_COUNTER_pageblock_disown, 1);
	if (pages == block_pages(st)) {
		pg_map_take(st, start, st->pageblock_order);
		pg_remote_set_owner(st, m, 0);
		pg_buddy_free(c, z, start, st->pageblock_order, PG_HEAD);
	} else {
		pg_remote_set_owner(st, m, 0);
		pg_account(c, z, pg_bitmap_add_all(st, z, m, type), type);
		pg_spb_changed(c, z, start, 0);
	}
	return pages;
}

void pg_maps_gather(struct pg_call *c, struct pg_pcp *pcp)
{
	pg_atomic_store(&pg_keep(c->st, pcp)->waiting, 0);
	pg_remote_absorb(c->st, pcp, pg_maps_grown);
}

void pg_maps_tick(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp)
{
	pg_maps_gather(c, pcp);
	/* Without the lock first: most of the time nothing waits for the zone. */
	if (pg_remote_none(z, pcp))
		return;
	pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
	pg_remote_absorb_zone(c, z);
	pg_zone_unlock(c, z);
}

/* Of the pageblocks in part free that were used last, the one with the most free pages. */
static struct pg_map *fullest(const struct pagus_state *st, const struct pg_pcp *pcp)
{
	struct pg_map *best = NULL;

	for (uint32_t type = 0; type < PG_PCP_TYPES; type++) {
		struct pg_map *m = pg_keep_last(st, pcp, type);

		for (uint32_t n = 0; m && n < MAX_LOOKS; n++, m = pg_keep_prev(st, m))
			if (!best || m->nr_free > best->nr_free)
				best = m;
	}
	return best;
}

/* Whole ones first; one in part free only if no more of it is free than is to go. */
static struct pg_map *choose(const struct pagus_state *st, const struct pg_pcp *pcp, uint32_t pages)
{
	struct pg_map *m;

	for (uint32_t type = 0; type < PG_PCP_TYPES; type++) {
		m = pg_keep_last(st, pcp, type + PG_KEEP_WHOLE);
		if (m)
			return m;
	}
	m = fullest(st, pcp);
	return m && m->nr_free <= pages ? m : NULL;
}

static void remember(struct pagus_state *st, const struct pg_pcp *pcp, const struct pg_map *m)
{
	struct pg_keep *keep = pg_keep(st, pcp);

	keep->given[keep->turn] = pg_map_block(st, m) + 1;
	keep->turn = (keep->turn + 1) % PG_KEEP_GIVEN;
}

uint32_t pg_maps_drain(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t pages,
		       enum pagus_lock_reason why)
{
	struct pagus_state *st = c->st;
	struct pg_map *m;
	uint32_t done = 0, nr = 0;

	pg_maps_gather(c, pcp);
	m = choose(st, pcp, pages);
	if (!m)
		return 0;
	pg_zone_lock(c, z, why);
	for (; m && nr < MAX_HOLD; nr++) {
		uint32_t given = m->nr_free;

		if (given < block_pages(st))
			remember(st, pcp, m);
		done += disown(c, z, pcp, m);
		pg_event(c, PAGUS_EVENT_PCPU_DRAIN, pg_map_start(st, m), st->pageblock_order,
			 type_of(st, m), 0, 0);
		m = done < pages ? choose(st, pcp, pages - done) : NULL;
	}
	pg_zone_unlock(c, z);
	pg_count(c, PAGUS_COUNTER_pcp_drain, 1);
	pg_count(c, PAGUS_COUNTER_pcp_drain_blocks, nr);
	pg_count(c, PAGUS_COUNTER_pcp_drain_pages, done);
	return done;
}

/* Pages that a CPU may keep to itself; few in a zone that is short of them. */
uint32_t pg_maps_limit(const struct pg_zone *z, const struct pg_pcp *pcp)
{
	uint32_t high = (uint32_t)pg_clamp(pg_read(pcp->high), pg_read(pcp->high_min),
					   pg_read(pcp->high_max));

	if (pg_maps_short(z))
		return (uint32_t)pg_min(high, UINT64_C(4) * pg_read(pcp->batch));
	return high;
}

/*
 * Pages cross the zone's lock by pageblocks, so the limit is held to a pageblock: what is above it
 * by less stays. Of a zone that is short of pages it is an eighth of the CPU's share at most.
 */
void pg_maps_drain_over(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t order,
			bool owner)
{
	uint32_t more = (uint32_t)pg_min(block_pages(c->st), pcp->high_max / 8);
	uint32_t high = pg_maps_limit(z, pcp) + (pg_maps_short(z) ? more : block_pages(c->st));
	uint32_t over = owner ? pg_pcp_tuned_over(c->st, z, pcp, order, true) : 1;

	if (over == 0 || pcp->count <= high)
		return;
	while (pcp->count > high)
		if (pg_pcp_drain(c, z, pcp, block_pages(c->st), 0, PAGUS_REASON_OVERFLOW) == 0)
			break;
	pg_pcp_settle(c->st, z);
}

void pg_maps_absorb(struct pg_call *c, struct pg_pcp *pcp, struct pg_map *m)
{
	if (pg_map_owner(m) == pcp->cpu + 1 && pg_map_remote_pages(m))
		pg_maps_grown(c->st, pcp, m, pg_remote_absorb_map(c->st, m));
}

void pg_maps_release(struct pg_call *c, uint32_t i)
{
	struct pagus_state *st = c->st;
	struct pg_map *m = pg_map(st, i);
	uint32_t owner = pg_map_owner(m);
	struct pg_zone *z = pg_zone_of(st, i);
	struct pg_pcp *pcp;

	if (owner == 0)
		return;
	pcp = pg_pcp(st, z->id, owner - 1);
	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
	pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
	if (pg_map_owner(m) == owner)
		disown(c, z, pcp, m);
	pg_zone_unlock(c, z);
	pg_pcp_unlock(c, pcp);
}

/* Pageblocks without a free page are in no queue, so all of the zone's are looked at. */
void pg_maps_retire(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp)
{
	struct pagus_state *st = c->st;

	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
	pg_maps_gather(c, pcp);
	pg_pcp_empty(c, z, pcp);
	for (uint32_t from = z->first_block; from < z->end_block; from += MAX_HOLD) {
		pg_zone_lock(c, z, PAGUS_REASON_DRAIN);
		for (uint32_t b = from; b < pg_min(z->end_block, from + MAX_HOLD); b++)
			if (pg_map_zone(pg_map_at(st, b)) == z->id &&
			    pg_map_owner(pg_map_at(st, b)) == pcp->cpu + 1)
				disown(c, z, pcp, pg_map_at(st, b));
		pg_remote_absorb_zone(c, z);
		pg_zone_unlock(c, z);
	}
	pg_pcp_unlock(c, pcp);
}
