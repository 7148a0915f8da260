/* SPDX-License-Identifier: MIT */
/* The owner of movable pages, as the port's calls: the handles of the instance, or the program. */
#include "gate.h"
#include "handle.h"
#include "hot.h"

#include <string.h>

/* ---- handles --------------------------------------------------------------------------------- */

static uint32_t handle_traits(void *ctx, uint64_t pfn, uint32_t order)
{
	const struct pagus_posix *x = ctx;
	const struct px_handle *h = px_handle_at(x->handles, pfn, order);

	if (!h)
		return PAGUS_TRAIT_FIXED;
	return px_handle_word(h) & PX_OPEN_MASK ? PAGUS_TRAIT_PINNED : 0;
}

static bool handle_isolate(void *ctx, uint64_t pfn, uint32_t order, const struct pagus_migrate *how)
{
	struct pagus_posix *x = ctx;
	struct px_handle *h = px_handle_at(x->handles, pfn, order);
	uint64_t word;

	(void)how;
	if (!h)
		return false;
	/* Not too small at any moment: a child trusts it. */
	__atomic_fetch_add(&x->handles->nr_claimed, 1, __ATOMIC_ACQ_REL);
	word = px_handle_word(h);
	do {
		if (!(word & PX_LIVE) || (word & (PX_CLAIMED | PX_OPEN_MASK))) {
			__atomic_fetch_sub(&x->handles->nr_claimed, 1, __ATOMIC_ACQ_REL);
			return false;
		}
	} while (!px_handle_replace(h, &word, word | PX_CLAIMED));
	/* The word may be as it was although the block, or the record's handle, is another by now. */
	if (h->pfn == pfn && h->order == order)
		return true;
	px_handle_unclaim(x, h);
	return false;
}

static bool copy(const struct pagus_posix *x, const struct px_handle *h, uint64_t to)
{
	const struct px_handles *t = x->handles;
	const void *source = x->base + (h->pfn << PX_PAGE_BITS);
	void *target = x->base + (to << PX_PAGE_BITS);
	uint64_t bytes = PX_PAGE_BYTES << h->order;

	if (t->relocate)
		return t->relocate(x->calls_ctx, h->user, target, source, bytes);
	memcpy(target, source, bytes);
	return true;
}

/* In the gate: a child finds the handle at one place or the other. */
static void point_to(struct px_handles *t, struct px_handle *h, uint64_t to, uint64_t word)
{
	px_gate_enter();
	__atomic_store_n(&t->of_page[to], t->of_page[h->pfn], __ATOMIC_RELEASE);
	px_store(t->of_page[h->pfn], 0);
	px_store(h->pfn, to);
	__atomic_fetch_sub(&t->nr_claimed, 1, __ATOMIC_ACQ_REL);
	px_handle_moved(t, h, word & ~(PX_CLAIMED | PX_MOVING));
	px_gate_leave();
}

static enum pagus_moved again(struct px_handles *t)
{
	__atomic_fetch_add(&t->nr_again, 1, __ATOMIC_RELAXED);
	return PAGUS_MOVE_AGAIN;
}

static enum pagus_moved handle_move(void *ctx, uint64_t from, uint64_t to, uint32_t order,
				    const struct pagus_migrate *how)
{
	struct pagus_posix *x = ctx;
	struct px_handles *t = x->handles;
	struct px_handle *h = px_handle_at(t, from, order);
	uint64_t word = px_handle_word(h);

	(void)how;
	do {
		/* It is freed when it is put back. */
		if (word & PX_DOOMED)
			return PAGUS_MOVE_NEVER;
		if (word & PX_OPEN_MASK)
			return again(t);
	} while (!px_handle_replace(h, &word, word | PX_MOVING));
	if (!copy(x, h, to)) {
		px_handle_moved(t, h, word);
		return again(t);
	}
	px_hot_forget(x, from);
	point_to(t, h, to, word);
	__atomic_fetch_add(&t->nr_moves, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&t->moved_pages, UINT64_C(1) << order, __ATOMIC_RELAXED);
	return PAGUS_MOVED;
}

static void handle_putback(void *ctx, uint64_t pfn, uint32_t order)
{
	struct pagus_posix *x = ctx;

	px_handle_unclaim(x, px_handle_at(x->handles, pfn, order));
}

/* ---- the program ----------------------------------------------------------------------------- */

static void *address(const struct pagus_posix *x, uint64_t pfn)
{
	return x->base + (pfn << PX_PAGE_BITS);
}

static uint32_t program_traits(void *ctx, uint64_t pfn, uint32_t order)
{
	const struct pagus_posix *x = ctx;

	return x->calls.traits(x->calls_ctx, address(x, pfn), order);
}

static bool program_isolate(void *ctx, uint64_t pfn, uint32_t order,
			    const struct pagus_migrate *how)
{
	const struct pagus_posix *x = ctx;

	return x->calls.isolate(x->calls_ctx, address(x, pfn), order, how);
}

static enum pagus_moved program_move(void *ctx, uint64_t from, uint64_t to, uint32_t order,
				     const struct pagus_migrate *how)
{
	struct pagus_posix *x = ctx;
	enum pagus_moved moved = x->calls.move(x->calls_ctx, address(x, from), address(x, to), order,
					       how);

	if (moved == PAGUS_MOVED)
		px_hot_forget(x, from);
	return moved;
}

static void program_putback(void *ctx, uint64_t pfn, uint32_t order)
{
	const struct pagus_posix *x = ctx;

	x->calls.putback(x->calls_ctx, address(x, pfn), order);
}

/* ---- choice ---------------------------------------------------------------------------------- */

enum pagus_status px_owner_check(const struct pagus_posix_config *config)
{
	const struct pagus_posix_calls *calls = config->calls;

	if (calls && calls->compact && (calls->move || config->nr_handles))
		return px_error(PAGUS_BAD_CONFIG, "calls: compact is the library's where blocks have an "
				"owner");
	if (!calls || !calls->move)
		return config->relocate && !config->nr_handles ?
		       px_error(PAGUS_BAD_CONFIG, "relocate: there are no handles") : PAGUS_OK;
	if (config->nr_handles)
		return px_error(PAGUS_BAD_CONFIG, "nr_handles: movable blocks are the calls' already");
	if (!calls->isolate || !calls->putback)
		return px_error(PAGUS_BAD_CONFIG, "calls: move is of no use without isolate and "
				"putback");
	return PAGUS_OK;
}

void px_owner_connect(struct pagus_posix *x, const struct pagus_posix_config *config)
{
	struct pagus_port *port = &x->port;

	if (config->nr_handles) {
		port->traits = handle_traits;
		port->isolate = handle_isolate;
		port->move = handle_move;
		port->putback = handle_putback;
	} else if (x->calls.move) {
		port->traits = x->calls.traits ? program_traits : NULL;
		port->isolate = program_isolate;
		port->move = program_move;
		port->putback = program_putback;
	}
}
