/* SPDX-License-Identifier: MIT */
/*
 * port/sim: N virtual CPUs in one thread. The caller says which CPU acts and what time it is; every
 * lock is free when it is asked for, and the ledger counts what each would have cost.
 */
#ifndef PAGUS_SIM_H
#define PAGUS_SIM_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What was done under one class of lock, for one reason. */
struct pagus_sim_ledger {
	uint64_t acquisitions;
	uint64_t work;     /* free-list insertions and removals in all holds */
	uint64_t max_work; /* in the longest hold */
};

struct pagus_sim_owner;
struct pagus_sim {
	uint32_t nr_cpus;
	uint32_t cpu;              /* acts now; set by pagus_sim_on */
	uint64_t now;              /* logical clock, in the caller's unit */
	uint64_t trylock_fail_at;  /* the n-th trylock from now fails, once; 0: none */
	const uint8_t *distances;  /* nr_nodes x nr_nodes matrix; NULL: 10 and 20 */
	uint32_t nr_nodes;
	struct pagus_sim_owner *owner; /* of movable pages; NULL: none */
	uint32_t task;                 /* the acting task's PAGUS_TASK_* flags, with an owner */
	struct pagus_sim_ledger ledger[PAGUS_NR_LOCK_CLASSES][PAGUS_NR_LOCK_REASONS];
	/* of the port alone */
	struct { bool held; uint32_t index; enum pagus_lock_reason why; } hold[PAGUS_NR_LOCK_CLASSES];
	uint32_t pins;
};

extern const struct pagus_port pagus_sim_port;

/*
 * An owner of movable blocks: a table of its own says where the content of each slot is, and each
 * page has a word of content, so that every move can be checked.
 *
 *     slot -> pfn, order, generation        page -> slot, word
 *
 * A word is a function of slot, generation and place in the block: what is lost, doubled or moved to
 * the wrong place is seen.
 */
struct pagus_sim_slot {
	pagus_pfn_t pfn;     /* PAGUS_NO_PFN: the slot is empty */
	uint32_t order;
	uint32_t generation; /* how often the slot has been filled */
	uint32_t traits;     /* PAGUS_TRAIT_*; the caller may set them */
	uint32_t isolations, moves; /* since it was filled */
	bool isolated;
};
struct pagus_sim_page {
	uint64_t word;
	uint32_t slot; /* + 1, on the first page of a slot's block; 0 */
};
struct pagus_sim_owner {
	pagus_pfn_t start_pfn; /* what it can own: */
	uint64_t nr_pages;
	struct pagus_sim_page *page; /* nr_pages of them, zeroed by the caller */
	struct pagus_sim_slot *slot;
	uint32_t nr_slots;
	/* The n-th call from now is refused, once; 0: none. A move is refused as `refusal` says. */
	uint64_t isolate_fail_at, move_fail_at;
	enum pagus_moved refusal;
	bool move_refuse_all; /* every move is refused so */
	/* Called in a move that will succeed, before it does: may use the instance. NULL: nothing. */
	void (*meanwhile)(void *ctx);
	void *meanwhile_ctx;
	uint64_t nr_isolated, nr_moves, nr_putbacks; /* calls that did what they were to do */
	uint64_t nr_refused;   /* moves that were refused */
	uint64_t moved_pages;
};

/* pagus_sim_port with the owner's calls, for a context whose `owner` is set. */
extern const struct pagus_port pagus_sim_owner_port;

/* Own what start_pfn, nr_pages, page and nr_slots, slot say: all slots are empty. */
void pagus_sim_owner_init(struct pagus_sim_owner *owner);

/*
 * An empty slot is filled with the block at pfn, just handed out, and its pages written. Before a
 * block is freed its slot is emptied, which gives the pfn; not while it is isolated.
 */
void pagus_sim_fill(struct pagus_sim_owner *owner, uint32_t slot, pagus_pfn_t pfn, uint32_t order);
pagus_pfn_t pagus_sim_empty(struct pagus_sim_owner *owner, uint32_t slot);

/* The first slot whose pages are not as they were written, or whose table is wrong; nr_slots: none. */
uint32_t pagus_sim_owner_check(const struct pagus_sim_owner *owner);

/* A port context of `nr_cpus` CPUs, CPU 0 acting, clock 0, empty ledger. */
void pagus_sim_init(struct pagus_sim *sim, uint32_t nr_cpus);

/*
 * From now on `cpu` acts, at time `now`. The clock does not go back: an earlier time is taken as
 * equal.
 */
void pagus_sim_on(struct pagus_sim *sim, uint32_t cpu, uint64_t now);

/* Sum of a class's ledger over all reasons. */
struct pagus_sim_ledger pagus_sim_total(const struct pagus_sim *sim, enum pagus_lock_class cls);

#ifdef __cplusplus
}
#endif

#endif
