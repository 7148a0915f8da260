/* SPDX-License-Identifier: MIT */
#include "owner.h"

#include <assert.h>

static uint64_t word_of(uint32_t slot, uint32_t generation, uint64_t k)
{
	uint64_t x = ((uint64_t)slot << 32 | generation) * UINT64_C(0x9e3779b97f4a7c15) + k + 1;

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return x ^ x >> 27;
}

static struct pagus_sim_page *page_at(const struct pagus_sim_owner *owner, pagus_pfn_t pfn)
{
	assert(pfn >= owner->start_pfn && pfn - owner->start_pfn < owner->nr_pages);
	return &owner->page[pfn - owner->start_pfn];
}

/* The slot whose block of just this order begins at pfn; NULL if there is none. */
static struct pagus_sim_slot *slot_at(const struct pagus_sim_owner *owner, pagus_pfn_t pfn,
				      uint32_t order)
{
	const struct pagus_sim_page *page;

	if (!owner || pfn < owner->start_pfn || pfn - owner->start_pfn >= owner->nr_pages)
		return NULL;
	page = page_at(owner, pfn);
	if (page->slot == 0 || owner->slot[page->slot - 1].order != order)
		return NULL;
	return &owner->slot[page->slot - 1];
}

void pagus_sim_owner_init(struct pagus_sim_owner *owner)
{
	for (uint32_t n = 0; n < owner->nr_slots; n++)
		owner->slot[n] = (struct pagus_sim_slot){ .pfn = PAGUS_NO_PFN };
}

void pagus_sim_fill(struct pagus_sim_owner *owner, uint32_t slot, pagus_pfn_t pfn, uint32_t order)
{
	struct pagus_sim_slot *s = &owner->slot[slot];

	assert(slot < owner->nr_slots && s->pfn == PAGUS_NO_PFN && page_at(owner, pfn)->slot == 0);
	*s = (struct pagus_sim_slot){ .pfn = pfn, .order = order, .generation = s->generation + 1 };
	page_at(owner, pfn)->slot = slot + 1;
	for (uint64_t k = 0; k < UINT64_C(1) << order; k++)
		page_at(owner, pfn + k)->word = word_of(slot, s->generation, k);
}

pagus_pfn_t pagus_sim_empty(struct pagus_sim_owner *owner, uint32_t slot)
{
	struct pagus_sim_slot *s = &owner->slot[slot];
	pagus_pfn_t pfn = s->pfn;

	assert(slot < owner->nr_slots && pfn != PAGUS_NO_PFN && !s->isolated);
	page_at(owner, pfn)->slot = 0;
	s->pfn = PAGUS_NO_PFN;
	return pfn;
}

uint32_t pagus_sim_owner_check(const struct pagus_sim_owner *owner)
{
	for (uint32_t n = 0; n < owner->nr_slots; n++) {
		const struct pagus_sim_slot *s = &owner->slot[n];

		if (s->pfn == PAGUS_NO_PFN)
			continue;
		if (page_at(owner, s->pfn)->slot != n + 1)
			return n;
		for (uint64_t k = 0; k < UINT64_C(1) << s->order; k++)
			if (page_at(owner, s->pfn + k)->word != word_of(n, s->generation, k))
				return n;
	}
	return owner->nr_slots;
}

/* ---- the port's calls ------------------------------------------------------------------------ */

uint32_t *sim_task_flags(void *ctx)
{
	struct pagus_sim *sim = ctx;

	return &sim->task;
}

uint32_t sim_traits(void *ctx, uint64_t pfn, uint32_t order)
{
	const struct pagus_sim *sim = ctx;
	const struct pagus_sim_slot *s = slot_at(sim->owner, pfn, order);

	return s ? s->traits : PAGUS_TRAIT_FIXED;
}

static bool fails_now(uint64_t *at)
{
	return *at && --*at == 0;
}

bool sim_isolate(void *ctx, uint64_t pfn, uint32_t order, const struct pagus_migrate *how)
{
	struct pagus_sim *sim = ctx;
	struct pagus_sim_slot *s = slot_at(sim->owner, pfn, order);
	const uint32_t never = PAGUS_TRAIT_FIXED | PAGUS_TRAIT_PINNED;

	assert(sim->pins == 0);
	if (!s || s->isolated || (s->traits & never) || fails_now(&sim->owner->isolate_fail_at) ||
	    ((s->traits & PAGUS_TRAIT_WOULD_BLOCK) && how->mode != PAGUS_MIGRATE_SYNC))
		return false;
	s->isolated = true;
	s->isolations++;
	sim->owner->nr_isolated++;
	return true;
}

enum pagus_moved sim_move(void *ctx, uint64_t from, uint64_t to, uint32_t order,
			  const struct pagus_migrate *how)
{
	struct pagus_sim *sim = ctx;
	struct pagus_sim_owner *owner = sim->owner;
	struct pagus_sim_slot *s = slot_at(owner, from, order);

	assert(sim->pins == 0 && s && s->isolated && page_at(owner, to)->slot == 0);
	if (s->traits & PAGUS_TRAIT_FIXED)
		return PAGUS_MOVE_NEVER;
	if (((s->traits & PAGUS_TRAIT_WOULD_BLOCK) && how->mode != PAGUS_MIGRATE_SYNC) ||
	    (s->traits & PAGUS_TRAIT_PINNED))
		return PAGUS_MOVE_AGAIN;
	if (owner->move_refuse_all || fails_now(&owner->move_fail_at)) {
		owner->nr_refused++;
		return owner->refusal;
	}
	if (owner->meanwhile)
		owner->meanwhile(owner->meanwhile_ctx);
	for (uint64_t k = 0; k < UINT64_C(1) << order; k++)
		page_at(owner, to + k)->word = page_at(owner, from + k)->word;
	page_at(owner, from)->slot = 0;
	page_at(owner, to)->slot = (uint32_t)(s - owner->slot) + 1;
	s->pfn = to;
	s->isolated = false;
	s->moves++;
	owner->nr_moves++;
	owner->moved_pages += UINT64_C(1) << order;
	return PAGUS_MOVED;
}

void sim_putback(void *ctx, uint64_t pfn, uint32_t order)
{
	struct pagus_sim *sim = ctx;
	struct pagus_sim_slot *s = slot_at(sim->owner, pfn, order);

	assert(sim->pins == 0 && s && s->isolated);
	s->isolated = false;
	sim->owner->nr_putbacks++;
}
