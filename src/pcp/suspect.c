/* SPDX-License-Identifier: MIT */
#include "pcp/suspect.h"

#include "mem/stack.h"
#include "pcp/maps.h"
#include "zone/remote.h"

/* Pages of one block that have failed. */
struct failed {
	uint32_t nr;
	uint32_t i[PG_POISON_NOTES];
};

/* They are noted no longer: what becomes of them is up to the caller. */
static void collect(struct pagus_state *st, uint32_t i, uint32_t order, struct failed *failed)
{
	failed->nr = 0;
	for (uint32_t n = 0; n < PG_POISON_NOTES; n++) {
		uint32_t at = pg_atomic_load(&st->poison_note[n]);

		if (at >= i && at < i + (1u << order) && pg_poison_forget(st, at))
			failed->i[failed->nr++] = at;
	}
}

static bool has_failed(const struct failed *failed, uint32_t i, uint32_t order)
{
	for (uint32_t n = 0; n < failed->nr; n++)
		if (failed->i[n] >= i && failed->i[n] < i + (1u << order))
			return true;
	return false;
}

/* Order of the largest block that begins at page i, ends before `end`, and is good. */
static uint32_t good_order(const struct failed *failed, uint32_t i, uint32_t end)
{
	uint32_t order = 0;

	while (!(i >> order & 1) && i + (2u << order) <= end && !has_failed(failed, i, order + 1))
		order++;
	return order;
}

/* ---- page records ------------------------------------------------------------------------------ */

static void strip_records(struct pg_call *c, uint32_t i, uint32_t order, bool used)
{
	struct pagus_state *st = c->st;
	struct pg_zone *z = pg_zone_of(st, i);
	uint32_t end = i + (1u << order), piece;
	struct failed failed;

	collect(st, i, order, &failed);
	pg_page_to_tail(pg_page(st, i));
	for (; i < end; i += 1u << piece) {
		piece = 0;
		if (has_failed(&failed, i, 0)) {
			pg_poison_leak(c, i);
			continue;
		}
		piece = good_order(&failed, i, end);
		if (used)
			pg_content_free(c, i, piece);
		pg_zone_defer(c, z, i, piece);
	}
	/* Else who has the zone's lock next. */
	if (pg_zone_trylock(c, z, PAGUS_REASON_FREE_DIRECT)) {
		pg_free_deferred(c, z, PG_HEAD);
		pg_zone_unlock(c, z);
	}
}

/* ---- maps -------------------------------------------------------------------------------------- */

/* Only what can be locked at once: `held` is a CPU's own pcp, behind which no other may be. */
static bool trylock_map(struct pg_call *c, uint32_t i, const struct pg_pcp *held, uint32_t *owner)
{
	const struct pg_map *m = pg_map(c->st, i);
	struct pg_zone *z = pg_zone_of(c->st, i);

	*owner = pg_map_owner(m);
	if (held && *owner == held->cpu + 1)
		return true;
	if (*owner || !pg_zone_trylock(c, z, PAGUS_REASON_FREE_DIRECT))
		return false;
	if (pg_map_owner(m) == 0)
		return true;
	pg_zone_unlock(c, z);
	return false;
}

/* A block in one pageblock: each good piece by itself, the failed pages leaked. */
static bool strip_map(struct pg_call *c, uint32_t i, uint32_t order, const struct pg_strip *how)
{
	struct pagus_state *st = c->st;
	uint32_t end = i + (1u << order), piece, owner;
	struct failed failed;
	bool put;

	if (how->wait)
		owner = pg_maps_lock(c, pg_zone_of(st, i), i);
	else if (!trylock_map(c, i, how->held, &owner))
		return false;
	collect(st, i, order, &failed);
	for (uint32_t at = i; at < end; at += 1u << piece) {
		piece = has_failed(&failed, at, 0) ? 0 : good_order(&failed, at, end);
		if (has_failed(&failed, at, 0))
			pg_poison_leak(c, at);
		else
			pg_map_grant(st, at, piece, PAGUS_UNMOVABLE);
	}
	if (!how->held || owner != how->held->cpu + 1)
		pg_maps_unlock(c, pg_zone_of(st, i), owner);
	for (; i < end; i += 1u << piece) {
		piece = has_failed(&failed, i, 0) ? 0 : good_order(&failed, i, end);
		if (has_failed(&failed, i, 0))
			continue;
		if (how->used)
			pg_content_free(c, i, piece);
		pg_remote_free(st, i, piece, &put);
	}
	return true;
}

bool pg_suspect_strip(struct pg_call *c, uint32_t i, uint32_t order, const struct pg_strip *how)
{
	uint32_t piece = order < c->st->pageblock_order ? order : c->st->pageblock_order;
	uint32_t end = i + (1u << order);

	if (!pg_poison_any(c->st, i, order))
		return false;
	if (!pg_mapped(c->st)) {
		strip_records(c, i, order, how->used);
		return true;
	}
	for (; i < end && strip_map(c, i, piece, how); i += 1u << piece)
		;
	return true;
}

bool pg_suspect_ends(struct pg_call *c, uint32_t i, uint32_t order, const struct pg_pcp *held)
{
	const struct pg_strip how = { .held = held };

	if ((pg_read(c->st->content) & PG_CONTENT_SUSPECT) && pg_suspect_strip(c, i, order, &how))
		return true;
	if (!c->p->port->check || !pg_content_bad(c, i, order, PAGUS_CHECK_ALLOC))
		return false;
	pg_content_leak(c, i, order);
	return true;
}
