/* SPDX-License-Identifier: MIT */
/*
 * Records of handles. All that decides who may do what with a block is in one word, which changes
 * by compare-and-swap:
 *
 *     live, n open          open and close, from 0 on
 *     live, claimed         by the library; opens and closes go on, and a free is put off: doomed
 *     live, claimed, moving nobody changes the word but the mover; who comes waits
 *     not live              of the next generation, on the list of free records
 *
 * Where the block lies is written by who makes it live, and by the mover.
 */
#ifndef PX_HANDLE_H
#define PX_HANDLE_H

#include "posix.h"

#include <pagus/handle.h>

/* The word: a generation above, flags, and the number of opens. */
#define PX_OPEN_MASK  UINT64_C(0xffffff)
#define PX_LIVE       (UINT64_C(1) << 24)
#define PX_CLAIMED    (UINT64_C(1) << 25)
#define PX_MOVING     (UINT64_C(1) << 26)
#define PX_DOOMED     (UINT64_C(1) << 27)
#define PX_GENERATION 32

struct px_handle {
	uint64_t word;
	uint64_t pfn;
	void *user;
	uint32_t order;
	uint32_t next; /* free records: the next, + 1 */
};

struct px_handles {
	struct px_handle *handle;
	uint32_t *of_page;       /* record + 1 of the block that begins at a page */
	uint64_t nr_pages;
	uint32_t most;

	struct px_lock lock;     /* of these */
	uint32_t nr_fresh;       /* records that have been used */
	uint32_t first_free;     /* + 1 */
	uint32_t nr;             /* handles there are */

	uint32_t nr_claimed;     /* A */
	uint32_t ended, waiters; /* A: moves, a futex; who waits for one to end */
	uint64_t nr_moves, moved_pages, nr_again; /* A */

	bool (*relocate)(void *ctx, void *user, void *to, const void *from, uint64_t bytes);
};

/* Before there are threads: what the configuration asks for. */
enum pagus_status px_handles_create(struct pagus_posix *x, const struct pagus_posix_config *config);
void px_handles_destroy(struct pagus_posix *x);
uint64_t px_handles_bytes(const struct pagus_posix *x);

/* In a child: who had claimed blocks is not there. */
void px_handles_renew(struct pagus_posix *x);

/* The handle whose block of this order begins at the page; NULL if there is none. Only a hint. */
struct px_handle *px_handle_at(const struct px_handles *t, uint64_t pfn, uint32_t order);

/* What a claim ends with; a doomed block is freed. */
void px_handle_unclaim(struct pagus_posix *x, struct px_handle *h);

/* The mover is done: who has waited for that goes on. */
void px_handle_moved(struct px_handles *t, struct px_handle *h, uint64_t word);

static inline uint64_t px_handle_word(const struct px_handle *h)
{
	return __atomic_load_n(&h->word, __ATOMIC_ACQUIRE);
}

/* Replace *old by value; if the word is another by now, it is put into *old instead. */
static inline bool px_handle_replace(struct px_handle *h, uint64_t *old, uint64_t value)
{
	return __atomic_compare_exchange_n(&h->word, old, value, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* What others may read at any time. */
#define px_load(field)         __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define px_store(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELAXED)

#endif
