/* SPDX-License-Identifier: MIT */
/*
 * The port: what libpagus needs from the world around it. This file is the porting manual.
 *
 * The core reads no clock, starts no thread, holds no lock of its own and never looks into the
 * memory that it manages. A port supplies a `struct pagus_port` of calls; every call gets the `ctx`
 * that was given to pagus_init(). No call may re-enter the same instance.
 *
 * Order in which the core calls: cpu_pin, then trylock(PCP), then lock(ZONE), unlock(ZONE),
 * unlock(PCP), cpu_unpin. It never holds two locks of one class, and never sleeps with one held.
 */
#ifndef PAGUS_PORT_H
#define PAGUS_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* Lock classes. PCP locks are the outer, ZONE locks the inner ones. */
enum pagus_lock_class {
	PAGUS_LOCK_PCP,  /* index = zone id * CPUs + cpu */
	PAGUS_LOCK_ZONE, /* index = zone id */
	PAGUS_NR_LOCK_CLASSES
};

/* Why a lock is taken: X(NAME, name). The lock ledger of port/sim counts by this. */
#define PAGUS_LOCK_REASONS(X)                                                                      \
	X(PCP_ALLOC, pcp_alloc)           /* pop from a pcp list */                               \
	X(PCP_FREE, pcp_free)             /* push onto a pcp list */                              \
	X(PCP_DRAIN, pcp_drain)           /* a drain from outside holds the pcp */                \
	X(REFILL, refill)                 /* a pcp list is refilled from the zone */              \
	X(OVERFLOW, overflow)             /* a pcp over its high mark gives pages back */         \
	X(DRAIN, drain)                   /* an asked-for drain gives pages back */               \
	X(ALLOC_DIRECT, alloc_direct)     /* a block goes from the zone to the requester */       \
	X(FREE_DIRECT, free_direct)       /* a block goes from its owner to the zone */           \
	X(RESERVE, reserve)               /* a pageblock goes into the high-atomic reserve */     \
	X(UNRESERVE, unreserve)           /* the high-atomic reserve gives a pageblock back */  \
	X(HAND_OVER, hand_over)           /* boot's or a recording's state is handed over */

enum pagus_lock_reason {
#define PAGUS_X(NAME, name) PAGUS_REASON_##NAME,
	PAGUS_LOCK_REASONS(PAGUS_X)
#undef PAGUS_X
	PAGUS_NR_LOCK_REASONS
};

struct pagus_port {
	/*
	 * Keep the caller on its CPU until cpu_unpin and return that CPU's number, 0 .. nr_cpus-1.
	 * Pins do not nest.
	 */
	uint32_t (*cpu_pin)(void *ctx);
	void (*cpu_unpin)(void *ctx);

	/*
	 * Locks are the port's: one for each (class, index). trylock returns false without waiting
	 * when the lock is held; the core then serves the request without the pcp. An asked-for
	 * drain waits for the pcp's lock. An unlock reports the work done under the hold: free-list
	 * insertions and removals.
	 */
	void (*lock)(void *ctx, enum pagus_lock_class cls, uint32_t index, enum pagus_lock_reason why);
	bool (*trylock)(void *ctx, enum pagus_lock_class cls, uint32_t index,
			enum pagus_lock_reason why);
	void (*unlock)(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work);

	/*
	 * Distance between two NUMA nodes as in the ACPI SLIT: 10 to itself, larger is farther.
	 * Read when zonelists are built. NULL means 10 and 20.
	 */
	uint32_t (*distance)(void *ctx, uint32_t from, uint32_t to);

	/*
	 * May requests of `type` claim the pageblock that starts at `pfn`? 1 yes, 0 no, -1 by the
	 * library's own rule, which takes pages in use for movable where their request was. NULL
	 * means -1. For ports that know better what a page holds, or what a recorded kernel
	 * decided.
	 */
	int (*may_claim)(void *ctx, uint64_t pfn, uint32_t type);

	/*
	 * A block that is being freed has merged to 2^order pages at `pfn`: does somebody wait for
	 * just this? Then it is handed out to him instead of listed. NULL means no.
	 */
	bool (*capture)(void *ctx, uint64_t pfn, uint32_t order);
};

#endif
