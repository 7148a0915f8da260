/* SPDX-License-Identifier: MIT */
/* The threads of one run, each pinned to a CPU, and what they measured. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "adapter.h"
#include "ring.h"

#define CREW_MAX_WORKERS 1024
#define CREW_MAX_PHASES  2
#define CREW_MAX_PASSES  64
#define CREW_SLICES      32 /* at least, in the time of a measurement */

struct crew;

/*
 * What one phase took, by slices of time: only those count in which the thread kept its CPU, unless
 * there is none.
 */
struct phase {
	uint64_t ns, ops;           /* of all slices */
	uint64_t kept_ns, kept_ops; /* of those that count */
	uint64_t open_ns, open_ops; /* of the slice that goes on */
	long lost;                  /* times that the thread had lost its CPU when the slice began */
};

struct worker {
	struct crew *crew;
	const struct bench_adapter *adapter;
	void *self;           /* of the adapter, for this thread */
	uint32_t number;
	uint64_t random;      /* state of the generator */
	void **blocks;        /* in hand, room for `quota` */
	uint8_t *orders;      /* of each, where a workload mixes them */
	uint64_t quota;       /* blocks of the order that this thread may hold */
	uint64_t nr_blocks;   /* held */
	struct phase phases[CREW_MAX_PHASES];
	const char *failure;  /* NULL: none */
	struct ring ring;     /* from this worker to the next */
};

struct crew {
	const struct bench_adapter *adapter;
	void *allocator;
	uint32_t nr_workers, order;
	uint64_t pages;       /* managed */
	void *base;           /* of the range in which all blocks lie; NULL: there is none */
	uint32_t sixteenths;  /* of these, that the workers may hold together */
	uint64_t least_ns;    /* that a phase is measured for */
	uint64_t operations;  /* of a workload that is not timed */
	uint32_t passes;      /* done; worker 0 writes these two between two meetings */
	bool again;           /* one more pass */
	void (*body)(struct worker *w);
	pthread_barrier_t barrier;
	struct worker *workers;
};

/* How many CPUs the process was given when it began. */
uint32_t crew_nr_cpus(void);

/*
 * Workers with room for blocks of up to `pages` pages, all touched: nothing of it is measured.
 * False: out of memory.
 */
bool crew_equip(struct crew *crew, uint64_t pages);

/* Run crew->body on every worker; returns the first failure, NULL if there is none. */
const char *crew_run(struct crew *crew);

/* Wait until all workers are here. */
void crew_meet(struct worker *w);

/* True for all workers or for none: the phases of worker 0 are not long enough yet. */
bool crew_again(struct worker *w);

/* `ops` operations of a phase took from `start` until now; returns now. */
uint64_t worker_note(struct worker *w, uint32_t phase, uint64_t start, uint64_t ops);

/* Nanoseconds that an operation of a phase took; 0: nothing was measured. */
double worker_result(const struct worker *w, uint32_t phase);

/* xorshift64*: below `bound`. */
static inline uint64_t worker_random(struct worker *w, uint64_t bound)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return (w->random * UINT64_C(2685821657736338717) >> 33) % bound;
}

static inline void *worker_get(struct worker *w, uint32_t order)
{
	return w->adapter->get(w->self, order);
}

static inline void worker_put(struct worker *w, void *block, uint32_t order)
{
	w->adapter->put(w->self, block, order);
}

#endif
