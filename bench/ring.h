/* SPDX-License-Identifier: MIT */
/* A ring of blocks from one thread to one other. NULL may be pushed, as the last. */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#define RING_SLOTS 1024u
#define RING_SPINS 100u /* before the CPU is left to others, who may be the other end */

/* Each end writes its own line, and keeps what it last saw of the other's there. */
struct ring {
	_Alignas(64) uint64_t pushed;
	uint64_t popped_seen;
	_Alignas(64) uint64_t popped;
	uint64_t pushed_seen;
	_Alignas(64) void *slots[RING_SLOTS];
};

static inline void ring_init(struct ring *ring)
{
	ring->pushed = ring->popped_seen = ring->popped = ring->pushed_seen = 0;
}

static inline bool ring_empty(struct ring *ring)
{
	return __atomic_load_n(&ring->popped, __ATOMIC_ACQUIRE) == ring->pushed;
}

static inline void ring_push(struct ring *ring, void *block)
{
	for (uint32_t spins = 0; ring->pushed - ring->popped_seen == RING_SLOTS; spins++) {
		ring->popped_seen = __atomic_load_n(&ring->popped, __ATOMIC_ACQUIRE);
		if (spins > RING_SPINS)
			sched_yield();
	}
	ring->slots[ring->pushed % RING_SLOTS] = block;
	__atomic_store_n(&ring->pushed, ring->pushed + 1, __ATOMIC_RELEASE);
}

static inline void *ring_pop(struct ring *ring)
{
	void *block;

	for (uint32_t spins = 0; ring->pushed_seen == ring->popped; spins++) {
		ring->pushed_seen = __atomic_load_n(&ring->pushed, __ATOMIC_ACQUIRE);
		if (spins > RING_SPINS)
			sched_yield();
	}
	block = ring->slots[ring->popped % RING_SLOTS];
	__atomic_store_n(&ring->popped, ring->popped + 1, __ATOMIC_RELEASE);
	return block;
}

#endif
