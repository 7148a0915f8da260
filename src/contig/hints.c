/* SPDX-License-Identifier: MIT */
/*
 * Where a run of compaction begins, and which pageblocks it passes over. All of it is hints: they
 * are read and written without a lock, and a lost one costs a look.
 */
#include "contig/compact.h"

#include "mem/superpageblock.h"

/* Every so many pages are looked at before a hint is cleared: blocks of one order do not escape that. */
#define SAMPLE 7

bool pg_block_of_zone(const struct pagus_state *st, const struct pg_zone *z, uint32_t i)
{
	uint32_t last = i + (1u << st->pageblock_order) - 1;

	return pg_view(st, i).zone == z->id && pg_view(st, last).zone == z->id;
}

uint32_t pg_barren_end(const struct pagus_state *st, const struct pg_zone *z, uint32_t i)
{
	const struct pg_spb *s = pg_spb_of(st, z, i);

	if (!s || !pg_spb_is(s, PG_SPB_TAINTED) || pg_read(s->nr_hold[PG_HOLD_MOVABLE]) > 0)
		return i;
	return pg_block_first(st, pg_read(s->end_block));
}

uint32_t pg_kept_end(const struct pagus_state *st, const struct pg_zone *z, uint32_t i)
{
	const struct pg_spb *s = pg_spb_of(st, z, i);

	return s && pg_spb_is_kept(s) ? pg_block_first(st, pg_read(s->end_block)) : i;
}

static bool sync(const struct pg_compact *k)
{
	return k->mode != PAGUS_MIGRATE_ASYNC;
}

void pg_hints_restart(struct pg_compact *k)
{
	struct pg_zone *z = k->z;

	pg_write(z->compact_migrate[0], z->first_block);
	pg_write(z->compact_migrate[1], z->first_block);
	pg_write(z->compact_free, z->end_block);
}

void pg_hints_start(struct pg_call *c, struct pg_compact *k)
{
	struct pg_zone *z = k->z;
	uint32_t migrate = pg_read(z->compact_migrate[sync(k)]), free = pg_read(z->compact_free);

	if (free <= z->first_block || free > z->end_block) {
		free = z->end_block;
		pg_write(z->compact_free, free);
	}
	if (migrate < z->first_block || migrate >= z->end_block) {
		migrate = z->first_block;
		pg_write(z->compact_migrate[0], migrate);
		pg_write(z->compact_migrate[1], migrate);
	}
	if (k->whole_zone) {
		migrate = z->first_block;
		free = z->end_block;
	}
	/* What lies before has been found useless from end to end. */
	if (migrate == z->first_block || migrate <= pg_read(z->compact_init_migrate))
		k->whole_zone = true;
	k->migrate = pg_block_first(c->st, migrate);
	k->free = pg_block_first(c->st, free - 1);
}

void pg_hints_migrated(const struct pagus_state *st, struct pg_compact *k, uint32_t end)
{
	uint32_t block = pg_block(st, end);

	if (block > pg_read(k->z->compact_migrate[0]))
		pg_write(k->z->compact_migrate[0], block);
	if (sync(k) && block > pg_read(k->z->compact_migrate[1]))
		pg_write(k->z->compact_migrate[1], block);
}

void pg_hints_freed(struct pagus_state *st, struct pg_compact *k, uint32_t start)
{
	uint32_t block = pg_block(st, start);

	pg_block_set_hint(st, start, PG_HINT_SKIP, true);
	if (block + 1 < pg_read(k->z->compact_free))
		pg_write(k->z->compact_free, block + 1);
}

void pg_hints_free_again(const struct pagus_state *st, struct pg_compact *k, uint32_t i)
{
	uint32_t block = pg_block(st, i);

	if (block + 1 > pg_read(k->z->compact_free))
		pg_write(k->z->compact_free, block + 1);
}

/* ---- clearing -------------------------------------------------------------------------------- */

/* Does a sample of the pageblock look as if it could be moved, or moved to? */
static bool is_worth(const struct pagus_state *st, uint32_t start, bool source, bool target)
{
	uint32_t end = start + (1u << st->pageblock_order);

	for (uint32_t i = start; i < end; i += SAMPLE) {
		const struct pg_view look = pg_view(st, i);

		if (source && look.kind == PAGUS_PAGE_ALLOCATED && look.type == PAGUS_MOVABLE &&
		    look.order < st->pageblock_order)
			return true;
		if (target && look.kind == PAGUS_PAGE_FREE)
			return true;
	}
	return false;
}

/* Clear the hint of a pageblock that is worth a look as a source, or target: is it? */
static bool clear_block(struct pagus_state *st, const struct pg_zone *z, uint32_t block,
			bool source, bool target)
{
	uint32_t i = pg_block_first(st, block);

	if (!pg_block_of_zone(st, z, i))
		return false;
	pg_block_set_hint(st, i, PG_HINT_STUCK, false);
	/* Both ends are known already. */
	if (source && target && !pg_block_hint(st, i, PG_HINT_SKIP))
		return true;
	if (!source && target && pg_block_type(st, i) != PAGUS_MOVABLE)
		return false;
	if (!is_worth(st, i, source, target))
		return false;
	pg_block_set_hint(st, i, PG_HINT_SKIP, false);
	return true;
}

void pg_hints_clear(struct pg_call *c, struct pg_zone *z)
{
	uint32_t low = z->first_block, high = z->end_block - 1;
	uint32_t migrate = z->end_block, free = z->first_block; /* as if there were none */
	bool source_set = false, free_set = false;

	pg_zone_clear(z, PG_ZONE_HINTS_OLD | PG_ZONE_HINTS_GO);
	for (; low < high; low++, high--) {
		if (clear_block(c->st, z, low, true, source_set) && low < migrate) {
			source_set = true;
			migrate = low;
		}
		if (clear_block(c->st, z, high, free_set, true) && high + 1 > free) {
			free_set = true;
			free = high + 1;
		}
	}
	/* Nothing: the next run ends at once. */
	if (migrate >= free) {
		migrate = low < z->end_block ? low : z->first_block;
		free = low + 1;
	} else {
		pg_write(z->compact_init_migrate, migrate);
		pg_write(z->compact_init_free, free);
	}
	pg_write(z->compact_migrate[0], migrate);
	pg_write(z->compact_migrate[1], migrate);
	pg_write(z->compact_free, free);
}
