/* SPDX-License-Identifier: MIT */
/* The part of the full walk that is about superpageblocks: everything is counted from the maps anew. */
#include "watch/check.h"

#include "base/bits.h"
#include "zone/superpageblock.h"

struct counts {
	uint32_t nr_blocks, free_pages;
	uint32_t nr_hold[PG_NR_HOLDS];
	uint16_t nr_listed[PG_NR_FREE_HEADS];
};

/* What an owner does with its pageblock is not counted, what the zone's holds is. */
static bool block_counted(const struct pagus_state *st, const struct pg_map *m)
{
	uint32_t holds = pg_spb_holds(st, m), type = pg_block_type(st, pg_map_start(st, m));

	if (pg_map_owner(m))
		return m->spb_free == 0 && (m->spb_holds >> type & 1) &&
		       ((holds & ~(1u << PG_HOLD_GAP)) & ~m->spb_holds) == 0;
	holds |= m->nr_free == 1u << st->pageblock_order ? 1u << PG_HOLD_WHOLE : 0;
	return m->spb_holds == holds && m->spb_free == m->nr_free;
}

static void add(struct counts *sum, const struct pg_map *m)
{
	sum->nr_blocks++;
	sum->free_pages += m->spb_free;
	for (uint32_t bit = 0; bit < PG_NR_HOLDS; bit++)
		sum->nr_hold[bit] += m->spb_holds >> bit & 1;
	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++)
		if (m->listed >> order & 1)
			sum->nr_listed[order * PAGUS_NR_MIGRATETYPES + m->list_type]++;
}

static bool counts_right(const struct pg_spb *s, const struct counts *sum)
{
	for (uint32_t bit = 0; bit < PG_NR_HOLDS; bit++)
		if (s->nr_hold[bit] != sum->nr_hold[bit] || s->nr_hold[bit] > s->nr_blocks)
			return false;
	for (uint32_t list = 0; list < PG_NR_FREE_HEADS; list++)
		if (s->nr_listed[list] != sum->nr_listed[list])
			return false;
	return s->nr_blocks == sum->nr_blocks && s->free_pages == sum->free_pages;
}

/* 2 where the word and what is behind it do not agree. */
static uint32_t in_set(const struct pagus_state *st, const struct pg_zone *z, uint32_t set, uint32_t n)
{
	const uint64_t *bits = pg_spb_set(st, z, set);
	bool above = bits[pg_spb_above(z) + n / 4096] >> n / 64 % 64 & 1;

	return above == (bits[n / 64] != 0) ? (uint32_t)(bits[n / 64] >> n % 64 & 1) : 2;
}

static bool sets_right(const struct pagus_state *st, const struct pg_zone *z,
		       const struct pg_spb *s, uint32_t n)
{
	if (s->fullness != pg_spb_fullness(st, s) || s->state != pg_spb_state(st, s))
		return false;
	for (uint32_t set = 0; set < PG_SPB_TAINTED; set++)
		if (in_set(st, z, set, n) != (s->fullness == set))
			return false;
	for (uint32_t set = PG_SPB_TAINTED; set < PG_SPB_LISTED; set++)
		if (in_set(st, z, set, n) != pg_spb_is(s, set))
			return false;
	for (uint32_t list = 0; list < PG_NR_FREE_HEADS; list++)
		if (in_set(st, z, PG_SPB_LISTED + list, n) != (s->nr_listed[list] > 0))
			return false;
	return true;
}

static int check_one(const struct pagus_state *st, const struct pg_zone *z, uint32_t n,
		     uint32_t *where)
{
	const struct pg_spb *s = pg_spb(st, z, n);
	struct counts sum = { 0 };

	for (uint32_t b = s->first_block; b < s->end_block; b++) {
		const struct pg_map *m = pg_map_at(st, b);

		if (m->zone != z->id)
			continue;
		*where = pg_map_start(st, m);
		if (pg_spb_number(st, z, *where) != n)
			return INV_spb_counts;
		if (!block_counted(st, m))
			return INV_spb_holds;
		add(&sum, m);
	}
	if (!counts_right(s, &sum))
		return INV_spb_counts;
	return sets_right(st, z, s, n) ? 0 : INV_spb_sets;
}

static bool sums_right(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t soft = 0, free_pages = 0, kept = 0, in_zone = 0;
	uint32_t tainted = 0, block_pages = 1u << st->pageblock_order;

	for (uint32_t n = 0; n < z->nr_spbs; n++) {
		const struct pg_spb *s = pg_spb(st, z, n);

		in_zone += s->free_pages;
		if (!pg_spb_is(s, PG_SPB_TAINTED))
			continue;
		tainted++;
		soft += s->nr_hold[PG_HOLD_MOVABLE] + s->nr_hold[PG_HOLD_RECLAIMABLE];
		free_pages += s->free_pages;
		if (s->reserve_pages)
			kept += pg_min(s->free_pages, s->reserve_pages + block_pages - 1);
	}
	for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++)
		in_zone -= z->nr_free[order] << order;
	return in_zone == 0 && tainted == z->nr_tainted && soft == z->spb_tainted_soft &&
	       free_pages == z->spb_tainted_free && kept == z->spb_kept_pages;
}

int pg_check_superpageblocks(const struct pagus_state *st, uint32_t *where)
{
	int broken = 0;

	for (uint32_t id = 0; st->superpageblock_order && id < st->nr_zones && !broken; id++) {
		const struct pg_zone *z = pg_zone(st, id);

		for (uint32_t n = 0; n < z->nr_spbs && !broken; n++)
			broken = check_one(st, z, n, where);
		if (!broken && !sums_right(st, z)) {
			*where = PG_NONE;
			broken = INV_spb_sums;
		}
	}
	return broken;
}
