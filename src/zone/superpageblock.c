/* SPDX-License-Identifier: MIT */
#include "zone/superpageblock.h"

#include "base/bits.h"

#define RESERVE_FLOOR   4  /* pageblocks */
#define RESERVE_CEILING 16 /* a superpageblock's share */
#define RESERVE_LEAST   64 /* pageblocks of a zone that is large enough to reserve any */
#define WINDOWS         4  /* of traffic, in a superpageblock's worth */

static uint32_t block_pages(const struct pagus_state *st)
{
	return 1u << st->pageblock_order;
}

/* ---- a pageblock ----------------------------------------------------------------------------- */

/* The pages of a word that `mask` leaves. */
static uint32_t word_holds(const struct pg_map *m, uint32_t word, uint64_t mask)
{
	uint64_t is_free = m->free[word], tail = m->tail[word];
	uint64_t low = pg_word_load(&m->low[word]), high = pg_word_load(&m->high[word]);
	uint64_t head = ~is_free & ~tail & mask, inherited = ~is_free & tail & mask;
	uint32_t holds = 0;

	if ((head & ~low & ~high) | (inherited & low & ~high))
		holds |= 1u << PG_HOLD_UNMOVABLE;
	if ((head & low & ~high) | (inherited & ~low & high))
		holds |= 1u << PG_HOLD_MOVABLE;
	if ((head & ~low & high) | (inherited & low & high))
		holds |= 1u << PG_HOLD_RECLAIMABLE;
	if ((head & low & high) | (is_free & tail & mask))
		holds |= 1u << PG_HOLD_GAP;
	return holds;
}

/* All but 2^order pages from page `bit` on; order 0 .. the pageblock's; none left out if `all`. */
static uint32_t holds_besides(const struct pagus_state *st, const struct pg_map *m, uint32_t bit,
			      uint32_t order, bool all)
{
	uint64_t pages = st->pageblock_order < 6 ? (UINT64_C(1) << block_pages(st)) - 1 : UINT64_MAX;
	uint32_t end = bit + (1u << order), holds = 0;

	for (uint32_t w = 0; w < pg_map_words(st); w++) {
		uint64_t mask = pages;

		if (!all && w >= bit / 64 && w * 64 < end)
			mask &= ~pg_map_mask(bit, order);
		holds |= word_holds(m, w, mask);
	}
	return holds;
}

/* A block larger than a pageblock has its type in its first one. */
static uint32_t holds_of_larger(const struct pagus_state *st, const struct pg_map *m)
{
	uint32_t start = pg_map_start(st, m), head;

	if (st->max_order == st->pageblock_order || !(pg_map_tails(m, 0) & 1))
		return 0;
	head = pg_head(st, start);
	return head == PG_NONE || head == start ? 0 : 1u << pg_view(st, head).type;
}

uint32_t pg_spb_holds(const struct pagus_state *st, const struct pg_map *m)
{
	return holds_besides(st, m, 0, 0, true) | holds_of_larger(st, m);
}

/* ---- a superpageblock ------------------------------------------------------------------------ */

uint32_t pg_spb_fullness(const struct pagus_state *st, const struct pg_spb *s)
{
	uint64_t pages = (uint64_t)s->nr_blocks << st->pageblock_order;
	uint32_t in_use = s->nr_hold[PG_HOLD_UNMOVABLE] + s->nr_hold[PG_HOLD_MOVABLE] +
			  s->nr_hold[PG_HOLD_RECLAIMABLE];

	if (s->free_pages == 0)
		return 0;
	if (in_use == 0)
		return PG_SPB_EMPTY;
	return 1 + (uint32_t)pg_min(s->free_pages * (uint64_t)(PG_SPB_EMPTY - 1) / pages,
				    PG_SPB_EMPTY - 2);
}

uint32_t pg_spb_state(const struct pagus_state *st, const struct pg_spb *s)
{
	bool tainted = s->nr_hold[PG_HOLD_UNMOVABLE] || s->nr_hold[PG_HOLD_RECLAIMABLE];
	bool imperfect = s->nr_blocks - s->nr_hold[PG_HOLD_GAP] < pg_spb_slots(st);
	bool above = tainted && s->free_pages >= s->reserve_pages + block_pages(st);

	return (uint32_t)tainted | (uint32_t)imperfect << (PG_SPB_IMPERFECT - PG_SPB_TAINTED) |
	       (uint32_t)(s->nr_hold[PG_HOLD_WHOLE] > 0) << (PG_SPB_WHOLE - PG_SPB_TAINTED) |
	       (uint32_t)above << (PG_SPB_ABOVE - PG_SPB_TAINTED);
}

/* What the zone's sums over tainted ones have of it. */
struct share {
	bool tainted;
	uint32_t soft, free_pages;
};

static struct share share_of(const struct pg_spb *s)
{
	struct share share = { .tainted = pg_spb_is(s, PG_SPB_TAINTED) };

	if (share.tainted) {
		share.soft = s->nr_hold[PG_HOLD_MOVABLE] + s->nr_hold[PG_HOLD_RECLAIMABLE];
		share.free_pages = s->free_pages;
	}
	return share;
}

/* Movable requests may not go below what keeps it out of ABOVE, so that is what is kept of it. */
static uint32_t kept_pages(const struct pagus_state *st, const struct pg_spb *s)
{
	if (!pg_spb_is(s, PG_SPB_TAINTED) || s->reserve_pages == 0)
		return 0;
	return (uint32_t)pg_min(s->free_pages, s->reserve_pages + block_pages(st) - 1);
}

static void note_taint(struct pg_call *c, struct pg_zone *z, const struct pg_spb *s, bool tainted)
{
	pg_count(c, tainted ? PAGUS_COUNTER_superpageblock_taint :
			      PAGUS_COUNTER_superpageblock_clean, 1);
	if (pg_event_wanted(c, PAGUS_EVENT_TAINT))
		pg_event_raise(c, PAGUS_EVENT_TAINT, z->id, s->start_pfn,
			       c->st->superpageblock_order, 0, tainted, z->nr_tainted);
}

/* Its counts have changed: into the sets and sums where it belongs. `was`: its share before. */
static void settle(struct pg_call *c, struct pg_zone *z, struct pg_spb *s, struct share was)
{
	struct pagus_state *st = c->st;
	uint32_t n = pg_spb_index(z, st, s), state = pg_spb_state(st, s), changed = state ^ s->state;
	uint32_t fullness = pg_spb_fullness(st, s), kept;
	struct share is;

	if (fullness != s->fullness) {
		pg_spb_put(st, z, PG_SPB_FULLNESS + s->fullness, n, false);
		pg_spb_put(st, z, PG_SPB_FULLNESS + fullness, n, true);
		pg_write(s->fullness, (uint8_t)fullness);
	}
	pg_write(s->state, (uint16_t)state);
	for (uint32_t set = PG_SPB_TAINTED; set < PG_SPB_LISTED; set++)
		if (changed >> (set - PG_SPB_TAINTED) & 1)
			pg_spb_put(st, z, set, n, pg_spb_is(s, set));
	is = share_of(s);
	pg_write(z->nr_tainted, z->nr_tainted - was.tainted + is.tainted);
	pg_write(z->spb_tainted_soft, z->spb_tainted_soft - was.soft + is.soft);
	pg_write(z->spb_tainted_free, z->spb_tainted_free - was.free_pages + is.free_pages);
	kept = kept_pages(st, s);
	pg_write(z->spb_kept_pages, z->spb_kept_pages - s->kept_pages + kept);
	s->kept_pages = kept;
	if (is.tainted != was.tainted)
		note_taint(c, z, s, is.tainted);
}

/*
 * The pageblock holds this from now on. A CPU's own, or not the zone's, has no free page there. Who
 * looks for a superpageblock to work in reads these counts without the zone's lock.
 */
static void count_block(struct pg_call *c, struct pg_zone *z, struct pg_map *m, uint32_t holds)
{
	struct pagus_state *st = c->st;
	struct pg_spb *s = pg_spb(st, z, pg_spb_number(st, z, pg_map_start(st, m)));
	uint32_t owner = pg_map_owner(m), type = pg_block_type(st, pg_map_start(st, m)), changed;
	uint32_t pages = owner ? 0 : m->nr_free;
	struct share was = share_of(s);

	if (owner)
		holds |= pg_type_mergeable(type) ? 1u << type : 0;
	else if (m->nr_free == block_pages(st))
		holds |= 1u << PG_HOLD_WHOLE;
	changed = holds ^ m->spb_holds;
	if (changed == 0 && pages == m->spb_free)
		return;
	for (uint32_t bit = 0; bit < PG_NR_HOLDS; bit++)
		if (changed >> bit & 1)
			pg_write(s->nr_hold[bit], s->nr_hold[bit] + (holds >> bit & 1 ? 1 : UINT32_MAX));
	pg_write(s->free_pages, s->free_pages - m->spb_free + pages);
	pg_write(m->spb_holds, (uint8_t)holds);
	m->spb_free = (uint16_t)pages;
	settle(c, z, s, was);
}

void pg_spb_recount(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order)
{
	struct pagus_state *st = c->st;
	uint32_t nr = order > st->pageblock_order ? 1u << (order - st->pageblock_order) : 1;

	for (uint32_t b = 0; b < nr; b++) {
		struct pg_map *m = pg_map(st, i) + b;

		count_block(c, z, m, pg_spb_holds(st, m));
	}
}

void pg_spb_recount_taken(struct pg_call *c, struct pg_zone *z, uint32_t i, uint32_t order,
			  uint32_t type)
{
	struct pagus_state *st = c->st;
	uint32_t nr = order > st->pageblock_order ? 1u << (order - st->pageblock_order) : 1;
	uint32_t in_block = (uint32_t)pg_min(order, st->pageblock_order);

	for (uint32_t b = 0; b < nr; b++) {
		struct pg_map *m = pg_map(st, i) + b;

		count_block(c, z, m, holds_besides(st, m, pg_map_bit(st, i), in_block, false) |
				     1u << type);
	}
	pg_spb_traffic(c, z, 1u << order, type);
}

/* ---- the reserve ----------------------------------------------------------------------------- */

static uint32_t reserve_of(const struct pagus_state *st, const struct pg_zone *z,
			   const struct pg_spb *s)
{
	return (uint32_t)pg_min(z->spb_reserve_blocks, s->nr_blocks / RESERVE_CEILING)
	       << st->pageblock_order;
}

/* What each tainted one keeps; the others have theirs ready for when they are. */
static void set_reserve(struct pg_call *c, struct pg_zone *z, uint32_t blocks)
{
	if (blocks == z->spb_reserve_blocks)
		return;
	z->spb_reserve_blocks = blocks;
	for (uint32_t n = 0; n < z->nr_spbs; n++) {
		struct pg_spb *s = pg_spb(c->st, z, n);
		const struct share was = share_of(s);

		pg_write(s->reserve_pages, reserve_of(c->st, z, s));
		settle(c, z, s, was);
	}
}

void pg_spb_traffic(struct pg_call *c, struct pg_zone *z, uint32_t pages, uint32_t type)
{
	uint32_t window = (1u << c->st->superpageblock_order) / WINDOWS, most = pg_spb_slots(c->st);
	uint32_t each, blocks;

	z->spb_traffic += pages;
	z->spb_traffic_kernel += type == PAGUS_MOVABLE ? 0 : pages;
	if (z->spb_traffic < window)
		return;
	/* The last window, as if all were like it, has a quarter of the say. */
	z->spb_demand = z->spb_demand - z->spb_demand / WINDOWS +
			(uint32_t)((uint64_t)z->spb_traffic_kernel * window / z->spb_traffic);
	z->spb_traffic = 0;
	z->spb_traffic_kernel = 0;
	each = z->spb_demand / (uint32_t)pg_max(z->nr_tainted, 1);
	blocks = (uint32_t)pg_clamp((int64_t)(each >> c->st->pageblock_order), RESERVE_FLOOR, most);
	if (pg_read(z->present) >> c->st->pageblock_order < RESERVE_LEAST)
		blocks = 0;
	set_reserve(c, z, blocks);
}

/* ---- memory that comes and goes ---------------------------------------------------------------- */

void pg_spb_plug(struct pg_call *c, struct pg_zone *z, uint32_t i)
{
	struct pg_spb *s = pg_spb_of(c->st, z, i);
	uint32_t block = pg_block(c->st, i);
	struct share was;

	if (!s)
		return;
	was = share_of(s);
	pg_write(s->first_block, s->nr_blocks ? (uint32_t)pg_min(s->first_block, block) : block);
	pg_write(s->end_block, s->nr_blocks ? (uint32_t)pg_max(s->end_block, block + 1) : block + 1);
	pg_write(s->nr_blocks, s->nr_blocks + 1);
	pg_write(s->reserve_pages, reserve_of(c->st, z, s));
	settle(c, z, s, was);
	pg_spb_recount(c, z, i, 0);
}

/* The bounds as if the pageblock had never been there. */
static void shrink(const struct pagus_state *st, const struct pg_zone *z, struct pg_spb *s,
		   uint32_t block)
{
	uint32_t first = s->first_block, end = s->end_block;

	while (first < end && (first == block || pg_map_zone(pg_map_at(st, first)) != z->id))
		first++;
	while (end > first && (end - 1 == block || pg_map_zone(pg_map_at(st, end - 1)) != z->id))
		end--;
	pg_write(s->first_block, s->nr_blocks ? first : 0);
	pg_write(s->end_block, s->nr_blocks ? end : 0);
}

void pg_spb_unplug(struct pg_call *c, struct pg_zone *z, uint32_t i)
{
	struct pg_spb *s = pg_spb_of(c->st, z, i);
	struct pg_map *m = s ? pg_map(c->st, i) : NULL;
	struct share was;

	if (!s)
		return;
	was = share_of(s);
	for (uint32_t bit = 0; bit < PG_NR_HOLDS; bit++)
		pg_write(s->nr_hold[bit], s->nr_hold[bit] - (m->spb_holds >> bit & 1));
	pg_write(s->free_pages, s->free_pages - m->spb_free);
	pg_write(s->nr_blocks, s->nr_blocks - 1);
	shrink(c->st, z, s, pg_block(c->st, i));
	pg_write(s->reserve_pages, reserve_of(c->st, z, s));
	pg_write(m->spb_holds, 0);
	m->spb_free = 0;
	settle(c, z, s, was);
}

void pg_spb_init(struct pg_call *c)
{
	struct pagus_state *st = c->st;

	for (uint32_t id = 0; id < st->nr_zones; id++) {
		struct pg_zone *z = pg_zone(st, id);

		for (uint32_t n = 0; n < z->nr_spbs; n++) {
			pg_spb_put(st, z, PG_SPB_FULLNESS, n, true);
			settle(c, z, pg_spb(st, z, n), (struct share){ .tainted = false });
		}
		for (uint32_t b = z->first_block; z->nr_spbs && b < z->end_block; b++)
			if (pg_map_zone(pg_map_at(st, b)) == id)
				pg_spb_recount(c, z, pg_map_start(st, pg_map_at(st, b)), 0);
		if (z->present >> st->pageblock_order >= RESERVE_LEAST)
			set_reserve(c, z, RESERVE_FLOOR);
	}
}
