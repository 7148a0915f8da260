/* SPDX-License-Identifier: MIT */
/*
 * The cache of each CPU (pagus/cache.h): stacks of blocks, one for each order and migratetype, from
 * which a block is popped, and onto which it is pushed, by a restartable sequence without a lock or
 * an atomic. The sequences themselves are in cs.h, of which there is one for each processor that has
 * them, and one for all others.
 *
 * Beside them there is a byte for each page. For the first page of a block that went through a
 * cache it says which stack it belongs to, and whether it is on one: so a block that is put twice,
 * or with another order, is not pushed.
 */
#ifndef PX_HOT_H
#define PX_HOT_H

#include "posix.h"

#include <stddef.h>

#define PX_HOT_ORDERS  10u /* 0 to the pageblock's */
#define PX_HOT_TYPES   3u
#define PX_HOT_STACKS  (1 + PX_HOT_ORDERS * 4) /* 1 + order * 4 + migratetype; 0: none */
#define PX_HOT_SLOTS   254u
#define PX_HOT_NO_PAGE UINT32_MAX

/* Of a page's byte: the stack of a block that is handed out, the same with this of one in a cache. */
#define PX_HOT_CACHED 0x80u

/*
 * Only sequences write `nr` while the cache is open, and `most` changes only while it is not. The counts
 * are beside the blocks that a CPU uses first, those of a stack that is nearly empty.
 */
struct px_stack {
	uint32_t nr, most;
	uint32_t page[PX_HOT_SLOTS]; /* pfns */
};

struct px_hot {
	struct px_stack stack[PX_HOT_STACKS];
	uint32_t zone;         /* of the CPU's own node: the only one whose blocks are kept */
	uint32_t refused;      /* opens in a row */
	struct px_lock lock;   /* of who opens or closes */
	char pad[65536 - PX_HOT_STACKS * sizeof(struct px_stack) - 12];
};

/* Of no CPU: its stacks have nothing, and take nothing. Never written. */
extern struct px_hot px_hot_closed;

_Static_assert(sizeof(struct px_hot) == 65536 && offsetof(struct px_stack, most) == 4 &&
	       offsetof(struct px_stack, page) == 8, "the sequences of every processor use these");

/* Where a stack lies in its CPU's cache, and the order of its blocks. */
static inline uint64_t px_hot_at(uint64_t stack)
{
	return stack * sizeof(struct px_stack);
}

static inline uint32_t px_hot_order(uint32_t stack)
{
	return (stack - 1) / 4;
}

/* Port calls, and whether the instance can have them: then x->hot is there. */
bool px_hot_open(void *ctx, uint32_t zone, uint32_t cpu, uint32_t pages);
void px_hot_close(void *ctx, uint32_t zone, uint32_t cpu);
void px_hot_create(struct pagus_posix *x, const struct pagus_posix_config *config,
		   const uint32_t *cpu_node);
void px_hot_settle(struct pagus_posix *x); /* once memory is handed over */
void px_hot_destroy(struct pagus_posix *x);

uint64_t px_hot_bytes(const struct pagus_posix *x);

/* In a child, before its first call. */
void px_hot_renew(void);

/* All caches are emptied, and none opens while the gate is closed. */
void px_hot_stop(struct pagus_posix *x);

/* A block for a stack that had none, which is filled; PX_HOT_NO_PAGE if that brings nothing. */
uint32_t px_hot_fill(struct pagus_posix *x, uint32_t stack, uint32_t gfp);

/* A block whose byte is its stack's cannot be pushed: it and others are freed. */
void px_hot_spill(struct pagus_posix *x, uint32_t stack, uint32_t page);

/* The block at the page is freed by the library itself: it is of no stack any more. */
static inline void px_hot_forget(struct pagus_posix *x, uint64_t page)
{
	if (x->hot)
		__atomic_store_n(&x->page_stack[page], 0, __ATOMIC_RELAXED);
}

/* Is the page of the node whose blocks the CPU's cache keeps? For instances of several nodes. */
bool px_hot_is_near(const struct pagus_posix *x, uint64_t page);

/* May a request with this mask be served by a cache? */
static inline bool px_hot_serves(uint32_t gfp)
{
	const uint32_t plain = __GFP_IO | __GFP_FS | __GFP_RECLAIM | __GFP_MOVABLE | __GFP_RECLAIMABLE |
			       __GFP_HIGHMEM | __GFP_NOWARN | __GFP_HARDWALL | __GFP_NORETRY |
			       __GFP_RETRY_MAYFAIL;

	return !(gfp & ~plain);
}

/* The stack of such a request. One for both bits of migratetypes is never filled. */
static inline uint32_t px_hot_stack_of(uint32_t gfp, uint32_t order)
{
	return 1 + order * 4 + (gfp / __GFP_MOVABLE & 3);
}

#endif
