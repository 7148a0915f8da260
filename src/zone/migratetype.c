/* SPDX-License-Identifier: MIT */
#include "zone/zone.h"

#include "mem/release.h"

uint32_t pg_block_type(const struct pagus_state *st, uint32_t i)
{
	return pg_read(((const uint8_t *)pg_at(st, st->off_blocks))[pg_block(st, i)]);
}

uint32_t pg_effective_type(const struct pagus_state *st, uint32_t type)
{
	return st->mobility_off && pg_type_mergeable(type) ? (uint32_t)PAGUS_UNMOVABLE : type;
}

void pg_block_init(struct pagus_state *st)
{
	uint8_t *blocks = pg_at(st, st->off_blocks);

	for (uint32_t b = 0; b < st->nr_pages >> st->pageblock_order; b++)
		blocks[b] = (uint8_t)pg_effective_type(st, PAGUS_MOVABLE);
}

/*
 * Decided where the kernel builds its first zonelists: there managed pages are still what is
 * present, high marks are zero, and a fallback list names every zone.
 */
void pg_mobility_setup(struct pagus_state *st)
{
	uint64_t least = (uint64_t)pg_release(st)->nr_migratetypes << st->pageblock_order, sum = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++)
		sum += pg_zone(st, id)->present;
	st->mobility_off = st->grouping == PAGUS_GROUPING_NEVER ||
			   (st->grouping == PAGUS_GROUPING_BY_SIZE && sum < least);
}

/* A pageblock belongs to the zone of its first page; a hole's to none. */
static void count_reserved(struct pagus_state *st, uint32_t block, uint32_t old, uint32_t type)
{
	uint32_t start = st->first_page + (block << st->pageblock_order);
	uint64_t pages = UINT64_C(1) << st->pageblock_order;
	struct pg_zone *z;

	if (pg_page_zone(st, start) == PG_NO_ZONE)
		return;
	z = pg_zone_of(st, start);
	z->reserved_highatomic += type == PAGUS_HIGHATOMIC ? pages : 0;
	z->reserved_highatomic -= old == PAGUS_HIGHATOMIC ? pages : 0;
}

void pg_block_set_type(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type)
{
	struct pagus_state *st = c->st;
	uint8_t *blocks = pg_at(st, st->off_blocks);
	uint32_t first = pg_block(st, i);
	uint32_t nr = order > st->pageblock_order ? 1u << (order - st->pageblock_order) : 1;

	type = pg_effective_type(st, type);
	for (uint32_t b = first; b < first + nr; b++) {
		uint32_t old = blocks[b];

		if (old == type)
			continue;
		pg_write(blocks[b], (uint8_t)type);
		count_reserved(st, b, old, type);
		pg_count(c, PAGUS_COUNTER_pageblock_retype, 1);
		if (!pg_type_mergeable(old) && pg_type_mergeable(type))
			pg_count(c, PAGUS_COUNTER_pageblock_apart, 1);
		pg_event(c, PAGUS_EVENT_RETYPE, st->first_page + (b << st->pageblock_order),
			 st->pageblock_order, type, old, 0);
	}
}
