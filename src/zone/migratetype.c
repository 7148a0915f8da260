/* SPDX-License-Identifier: MIT */
/*
 * A pageblock's byte: bits 0-2 its type; bits 3 and 7 hints; bits 4-6, while the type is ISOLATE,
 * the type that it goes back to. The zone's lock is for the types; hints are set and cleared without
 * it, and may be lost where a type changes at the same moment.
 */
#include "zone/zone.h"

#include "mem/release.h"

#define TYPE_BITS   0x7u
#define HINT_BITS   (PG_HINT_SKIP | PG_HINT_STUCK)
#define UNDER_SHIFT 4

static uint8_t *block_byte(const struct pagus_state *st, uint32_t i)
{
	return (uint8_t *)pg_at(st, st->off_blocks) + pg_block(st, i);
}

uint32_t pg_block_type(const struct pagus_state *st, uint32_t i)
{
	return pg_read(*block_byte(st, i)) & TYPE_BITS;
}

uint32_t pg_block_under(const struct pagus_state *st, uint32_t i)
{
	uint32_t byte = pg_read(*block_byte(st, i));

	return (byte & TYPE_BITS) == PAGUS_ISOLATE ? byte >> UNDER_SHIFT & TYPE_BITS : byte & TYPE_BITS;
}

bool pg_block_hint(const struct pagus_state *st, uint32_t i, enum pg_hint hint)
{
	return pg_read(*block_byte(st, i)) & hint;
}

void pg_block_set_hint(struct pagus_state *st, uint32_t i, uint32_t hints, bool set)
{
	if (set)
		pg_byte_or(block_byte(st, i), (uint8_t)hints);
	else
		pg_byte_and(block_byte(st, i), (uint8_t)~hints);
}

uint32_t pg_effective_type(const struct pagus_state *st, uint32_t type)
{
	return pg_read(st->mobility_off) && pg_type_mergeable(type) ? (uint32_t)PAGUS_UNMOVABLE : type;
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

void pg_mobility_update(struct pagus_state *st)
{
	uint64_t least = (uint64_t)pg_release(st)->nr_migratetypes << st->pageblock_order, sum = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);
		uint64_t high = pg_mark(z, PAGUS_WMARK_HIGH);

		sum += z->managed > high ? z->managed - high : 0;
	}
	if (st->grouping == PAGUS_GROUPING_BY_SIZE)
		pg_write(st->mobility_off, sum < least);
}

void pg_block_reset(struct pagus_state *st, uint32_t i, uint32_t type)
{
	pg_write(*block_byte(st, i), (uint8_t)type);
}

uint32_t pg_block_zone(const struct pagus_state *st, uint32_t start)
{
	uint32_t zone = PG_NO_ZONE, end = start + (1u << st->pageblock_order);

	if (pg_mapped(st))
		return pg_map_zone(pg_map(st, start));
	for (uint32_t i = start; i < end && zone == PG_NO_ZONE; i++)
		zone = pg_read(pg_page(st, i)->zone);
	return zone;
}

static void count_types(struct pagus_state *st, uint32_t start, uint32_t old, uint32_t type)
{
	uint64_t pages = UINT64_C(1) << st->pageblock_order;
	uint32_t zone = pg_block_zone(st, start);
	struct pg_zone *z;

	if (zone == PG_NO_ZONE)
		return;
	z = pg_zone(st, zone);
	if (type == PAGUS_HIGHATOMIC)
		pg_write(z->reserved_highatomic, z->reserved_highatomic + pages);
	if (old == PAGUS_HIGHATOMIC)
		pg_write(z->reserved_highatomic, z->reserved_highatomic - pages);
	pg_write(z->nr_isolated, z->nr_isolated + (type == PAGUS_ISOLATE) - (old == PAGUS_ISOLATE));
}

/* Give the pageblock that begins at `start` a type that is not its own. */
static uint32_t retype(struct pg_call *c, uint32_t start, uint32_t type)
{
	uint8_t *byte = block_byte(c->st, start);
	uint32_t was = pg_read(*byte), old = was & TYPE_BITS;
	uint32_t under = type == PAGUS_ISOLATE ? old : 0;

	/* A hint that comes in between is lost, as hints may be. */
	pg_write(*byte, (uint8_t)(type | (was & HINT_BITS) | under << UNDER_SHIFT));
	count_types(c->st, start, old, type);
	pg_count(c, PAGUS_COUNTER_pageblock_retype, 1);
	pg_event(c, PAGUS_EVENT_RETYPE, start, c->st->pageblock_order, type, old, 0);
	return old;
}

void pg_block_set_type(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type)
{
	struct pagus_state *st = c->st;
	uint32_t start = pg_block_start(st, i), pages = 1u << st->pageblock_order;
	uint32_t nr = order > st->pageblock_order ? 1u << (order - st->pageblock_order) : 1;

	type = pg_effective_type(st, type);
	for (uint32_t b = 0; b < nr; b++, start += pages) {
		if (pg_block_type(st, start) == type)
			continue;
		if (!pg_type_mergeable(retype(c, start, type)) && pg_type_mergeable(type))
			pg_count(c, PAGUS_COUNTER_pageblock_apart, 1);
	}
}

void pg_block_unisolate(struct pg_call *c, uint32_t i)
{
	PG_ASSERT(pg_block_type(c->st, i) == PAGUS_ISOLATE);
	retype(c, pg_block_start(c->st, i), pg_block_under(c->st, i));
}
