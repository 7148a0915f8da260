/* SPDX-License-Identifier: MIT */
/* Handles: their life, and who has them open. What moves their blocks is in owner.c. */
#include "gate.h"
#include "handle.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "futex.h"

/* ---- the table ------------------------------------------------------------------------------- */

enum pagus_status px_handles_create(struct pagus_posix *x, const struct pagus_posix_config *config)
{
	struct px_handles *t;

	if (!config->nr_handles)
		return PAGUS_OK;
	x->handles = t = px_map_own(sizeof(*t));
	if (t) {
		t->most = config->nr_handles;
		t->nr_pages = x->span >> PX_PAGE_BITS;
		t->relocate = config->relocate;
		t->handle = px_map_own(t->most * sizeof(*t->handle));
		t->of_page = px_map_own(t->nr_pages * sizeof(*t->of_page));
	}
	if (!t || !t->handle || !t->of_page)
		return px_error(PAGUS_NO_MEMORY, "nr_handles: no memory for %u records: %s",
				config->nr_handles, strerror(errno));
	return PAGUS_OK;
}

uint64_t px_handles_bytes(const struct pagus_posix *x)
{
	const struct px_handles *t = x->handles;

	return t ? sizeof(*t) + t->most * sizeof(*t->handle) + t->nr_pages * sizeof(*t->of_page) : 0;
}

void px_handles_destroy(struct pagus_posix *x)
{
	struct px_handles *t = x->handles;

	if (!t)
		return;
	if (t->handle)
		munmap(t->handle, t->most * sizeof(*t->handle));
	if (t->of_page)
		munmap(t->of_page, t->nr_pages * sizeof(*t->of_page));
	munmap(t, sizeof(*t));
	x->handles = NULL;
}

struct px_handle *px_handle_at(const struct px_handles *t, uint64_t pfn, uint32_t order)
{
	struct px_handle *h;
	uint32_t n;

	n = pfn < t->nr_pages ? __atomic_load_n(&t->of_page[pfn], __ATOMIC_ACQUIRE) : 0;
	if (n == 0)
		return NULL;
	h = &t->handle[n - 1];
	return px_load(h->pfn) == pfn && px_load(h->order) == order ? h : NULL;
}

/* A record that is nobody's; NULL: all are used. In the gate: no child finds the lock held. */
static struct px_handle *take_record(struct px_handles *t)
{
	struct px_handle *h = NULL;

	px_gate_enter();
	px_lock_take(&t->lock);
	if (t->first_free) {
		h = &t->handle[t->first_free - 1];
		t->first_free = h->next;
	} else if (t->nr_fresh < t->most) {
		h = &t->handle[t->nr_fresh];
		px_store(t->nr_fresh, t->nr_fresh + 1);
	}
	px_store(t->nr, t->nr + !!h);
	px_lock_release(&t->lock);
	px_gate_leave();
	return h;
}

static void give_record(struct px_handles *t, struct px_handle *h)
{
	px_gate_enter();
	px_lock_take(&t->lock);
	h->next = t->first_free;
	t->first_free = (uint32_t)(h - t->handle) + 1;
	px_store(t->nr, t->nr - 1);
	px_lock_release(&t->lock);
	px_gate_leave();
}

/* ---- names of records ------------------------------------------------------------------------ */

static pagus_handle_t name_of(const struct px_handles *t, const struct px_handle *h, uint64_t word)
{
	return word >> PX_GENERATION << PX_GENERATION | ((uint64_t)(h - t->handle) + 1);
}

/* The record that the name was given to; NULL if none ever was. */
static struct px_handle *record_of(const struct px_handles *t, pagus_handle_t name)
{
	uint64_t n = name & UINT32_MAX;

	return t && n > 0 && n <= px_load(t->nr_fresh) ? &t->handle[n - 1] : NULL;
}

static bool is_named(uint64_t word, pagus_handle_t name)
{
	return word >> PX_GENERATION == name >> PX_GENERATION && (word & PX_LIVE) &&
	       !(word & PX_DOOMED);
}

/*
 * The word when its block is not being moved. The count goes up before a sleeper looks at it again:
 * either the mover sees that somebody waits, or the sleeper that the move has ended.
 */
static uint64_t settled_word(struct px_handles *t, const struct px_handle *h)
{
	uint64_t word = px_handle_word(h);
	uint32_t ended;

	while (px_unlikely(word & PX_MOVING)) {
		__atomic_fetch_add(&t->waiters, 1, __ATOMIC_SEQ_CST);
		ended = __atomic_load_n(&t->ended, __ATOMIC_SEQ_CST);
		if (px_handle_word(h) & PX_MOVING)
			px_futex_wait(&t->ended, ended, NULL);
		__atomic_fetch_sub(&t->waiters, 1, __ATOMIC_SEQ_CST);
		word = px_handle_word(h);
	}
	return word;
}

void px_handle_moved(struct px_handles *t, struct px_handle *h, uint64_t word)
{
	__atomic_store_n(&h->word, word, __ATOMIC_RELEASE);
	__atomic_fetch_add(&t->ended, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&t->waiters, __ATOMIC_SEQ_CST))
		px_futex_wake(&t->ended, INT_MAX);
}

/* ---- open and close -------------------------------------------------------------------------- */

void *pagus_handle_open(struct pagus_posix *x, pagus_handle_t handle)
{
	struct px_handles *t = x->handles;
	struct px_handle *h = record_of(t, handle);
	uint64_t word;

	if (!h || x->foreign)
		return NULL;
	do {
		word = settled_word(t, h);
		if (!is_named(word, handle) || (word & PX_OPEN_MASK) == PAGUS_HANDLE_MOST_OPEN)
			return NULL;
	} while (!px_handle_replace(h, &word, word + 1));
	/* While it is open it does not move. */
	return x->base + (px_load(h->pfn) << PX_PAGE_BITS);
}

enum pagus_status pagus_handle_close(struct pagus_posix *x, pagus_handle_t handle)
{
	struct px_handle *h = record_of(x->handles, handle);
	uint64_t word;

	if (x->foreign)
		return PAGUS_BUSY;
	if (!h)
		return PAGUS_NOT_ALLOCATED;
	word = px_handle_word(h);
	do {
		if (!is_named(word, handle))
			return PAGUS_DOUBLE_FREE;
		if (!(word & PX_OPEN_MASK))
			return PAGUS_BUSY;
	} while (!px_handle_replace(h, &word, word - 1));
	return PAGUS_OK;
}

/* ---- get and free ---------------------------------------------------------------------------- */

/* As an address, from the CPU's cache; where there is none, why. */
static enum pagus_status get_block(struct pagus_posix *x, uint32_t gfp, uint32_t order,
				   pagus_pfn_t *pfn)
{
	void *block = pagus_posix_get(x, gfp, order);

	if (!block)
		return pagus_alloc_pages(&x->p, gfp, order, pfn);
	*pfn = pagus_posix_pfn(x, block);
	return PAGUS_OK;
}

static enum pagus_status put_block(struct pagus_posix *x, pagus_pfn_t pfn, uint32_t order)
{
	return pagus_posix_put(x, x->base + (pfn << PX_PAGE_BITS), order);
}

enum pagus_status pagus_handle_get(struct pagus_posix *x, uint32_t gfp, uint32_t order, void *user,
				   pagus_handle_t *handle)
{
	struct px_handles *t = x->handles;
	enum pagus_status status;
	struct px_handle *h;
	pagus_pfn_t pfn;
	uint64_t word;

	*handle = PAGUS_NO_HANDLE;
	if (!t)
		return PAGUS_UNSUPPORTED;
	if (gfp & __GFP_RECLAIMABLE)
		return PAGUS_BAD_TYPE_BITS;
	h = x->foreign ? NULL : take_record(t);
	if (!h)
		return PAGUS_BUSY;
	status = get_block(x, gfp | __GFP_MOVABLE, order, &pfn);
	if (status != PAGUS_OK) {
		give_record(t, h);
		return status;
	}
	px_store(h->user, user);
	px_store(h->pfn, pfn);
	px_store(h->order, order);
	/* Who finds the record by its page finds it filled, and live. */
	word = px_handle_word(h) | PX_LIVE;
	*handle = name_of(t, h, word);
	__atomic_store_n(&h->word, word, __ATOMIC_RELEASE);
	__atomic_store_n(&t->of_page[pfn], (uint32_t)(h - t->handle) + 1, __ATOMIC_RELEASE);
	return PAGUS_OK;
}

/* Of a record that is not live, so nobody else's. */
static enum pagus_status free_block(struct pagus_posix *x, struct px_handle *h)
{
	struct px_handles *t = x->handles;
	uint64_t pfn = h->pfn;
	uint32_t order = h->order;

	/* As soon as the block is free it may be another handle's. */
	px_store(t->of_page[pfn], 0);
	give_record(t, h);
	return put_block(x, pfn, order);
}

static uint64_t next_generation(uint64_t word)
{
	return ((word >> PX_GENERATION) + 1) << PX_GENERATION;
}

enum pagus_status pagus_handle_free(struct pagus_posix *x, pagus_handle_t handle)
{
	struct px_handles *t = x->handles;
	struct px_handle *h = record_of(t, handle);
	uint64_t word, next;

	if (x->foreign)
		return PAGUS_BUSY;
	if (!h)
		return PAGUS_NOT_ALLOCATED;
	do {
		word = settled_word(t, h);
		if (!is_named(word, handle))
			return PAGUS_DOUBLE_FREE;
		if (word & PX_OPEN_MASK)
			return PAGUS_BUSY;
		next = word & PX_CLAIMED ? word | PX_DOOMED : next_generation(word);
	} while (!px_handle_replace(h, &word, next));
	return next & PX_DOOMED ? PAGUS_OK : free_block(x, h);
}

void px_handle_unclaim(struct pagus_posix *x, struct px_handle *h)
{
	uint64_t word = px_handle_word(h), next;

	do {
		next = word & PX_DOOMED ? next_generation(word) : word & ~(PX_CLAIMED | PX_MOVING);
	} while (!px_handle_replace(h, &word, next));
	__atomic_fetch_sub(&x->handles->nr_claimed, 1, __ATOMIC_ACQ_REL);
	if (word & PX_DOOMED)
		free_block(x, h);
}

/* The parent's copy of a block in flight is a block in use that is nobody's. */
void px_handles_renew(struct pagus_posix *x)
{
	struct px_handles *t = x->handles;

	if (!t || x->foreign)
		return;
	t->waiters = 0;
	for (uint32_t n = 0; t->nr_claimed && n < t->nr_fresh; n++)
		if (t->handle[n].word & PX_CLAIMED)
			px_handle_unclaim(x, &t->handle[n]);
	t->nr_claimed = 0;
}

/* ---- looking --------------------------------------------------------------------------------- */

enum pagus_status pagus_handle_info(const struct pagus_posix *x, pagus_handle_t handle,
				    struct pagus_handle_info *info)
{
	struct px_handles *t = x->handles;
	const struct px_handle *h = record_of(t, handle);
	uint64_t word, again;

	if (x->foreign)
		return PAGUS_BUSY;
	if (!h)
		return PAGUS_NOT_ALLOCATED;
	again = settled_word(t, h);
	do {
		word = again;
		if (!is_named(word, handle))
			return PAGUS_DOUBLE_FREE;
		*info = (struct pagus_handle_info){
			.user = __atomic_load_n(&h->user, __ATOMIC_ACQUIRE),
			.pfn = __atomic_load_n(&h->pfn, __ATOMIC_ACQUIRE),
			.order = __atomic_load_n(&h->order, __ATOMIC_ACQUIRE),
			.nr_open = (uint32_t)(word & PX_OPEN_MASK), .claimed = word & PX_CLAIMED,
		};
		again = settled_word(t, h);
	} while (again != word);
	return PAGUS_OK;
}

void pagus_handle_stats(const struct pagus_posix *x, struct pagus_handle_stats *stats)
{
	const struct px_handles *t = x->handles;

	*stats = (struct pagus_handle_stats){ 0 };
	if (!t)
		return;
	stats->nr_handles = px_load(t->nr);
	stats->nr_moves = px_load(t->nr_moves);
	stats->moved_pages = px_load(t->moved_pages);
	stats->nr_again = px_load(t->nr_again);
}
