/* SPDX-License-Identifier: MIT */
#include "zone/poison.h"

#include "base/atomic.h"

static uint32_t find(const struct pagus_state *st, uint32_t from, uint32_t end)
{
	uint32_t n = 0;

	for (; n < PG_POISON_NOTES; n++) {
		uint32_t i = pg_atomic_load(&st->poison_note[n]);

		if (i >= from && i < end)
			break;
	}
	return n;
}

bool pg_poison_note(struct pagus_state *st, uint32_t i)
{
	for (uint32_t n = 0; n < PG_POISON_NOTES; n++) {
		uint32_t none = PG_NONE;

		/* A weak exchange may fail without a cause: the entry is not used then. */
		if (!pg_atomic_replace(&st->poison_note[n], &none, i))
			continue;
		pg_atomic_or(&st->content, PG_CONTENT_SUSPECT);
		return true;
	}
	return false;
}

bool pg_poison_noted(const struct pagus_state *st, uint32_t i)
{
	return find(st, i, i + 1) < PG_POISON_NOTES;
}

bool pg_poison_any(const struct pagus_state *st, uint32_t i, uint32_t order)
{
	return find(st, i, i + (1u << order)) < PG_POISON_NOTES;
}

bool pg_poison_forget(struct pagus_state *st, uint32_t i)
{
	uint32_t n = find(st, i, i + 1);

	if (n == PG_POISON_NOTES || pg_atomic_exchange(&st->poison_note[n], PG_NONE) != i)
		return false;
	pg_atomic_and(&st->content, ~PG_CONTENT_SUSPECT);
	if (find(st, PG_NONE + 1, UINT32_MAX) < PG_POISON_NOTES)
		pg_atomic_or(&st->content, PG_CONTENT_SUSPECT);
	return true;
}

void pg_poison_leak(struct pg_call *c, uint32_t i)
{
	if (pg_mapped(c->st)) {
		pg_map_leak(c->st, i);
		pg_atomic_add(&pg_zone_of(c->st, i)->leaked_pages, 1);
		return;
	}
	pg_content_leak(c, i, 0);
	pg_page_set_type(pg_page(c->st, i), 1);
}

bool pg_poison_leaked(const struct pagus_state *st, uint32_t i)
{
	const struct pg_view look = pg_view(st, i);

	return look.kind == PAGUS_PAGE_LEAKED && look.type == 1;
}

void pg_poison_unleak(struct pg_call *c, uint32_t i)
{
	struct pg_page *page;

	pg_atomic_sub(&pg_zone_of(c->st, i)->leaked_pages, 1);
	if (pg_mapped(c->st)) {
		pg_map_take(c->st, i, 0);
		return;
	}
	page = pg_page(c->st, i);
	pg_page_to_tail(page);
}
