/* SPDX-License-Identifier: MIT */
#include "workload.h"

#include <sched.h>
#include <string.h>

#include "clock.h"
#include "mixed.h"

#define PART        1024u /* blocks of a pass between two looks at the clock */
#define CHUNK       256u  /* operations between two looks at the clock, at the most */
#define SMALL_CHUNK 8u
#define LEAST_PASS  16384u /* blocks between two meetings of the threads */
#define BATCH       32u
#define WORKING_SET 4096u /* blocks */
#define NR_TASKS    8u    /* of each thread, whose pages lie between one another's */

/* Take blocks until `most` are held; false: the allocator has no more. */
static bool fill_to(struct worker *w, uint64_t most)
{
	for (; w->nr_blocks < most; w->nr_blocks++) {
		w->blocks[w->nr_blocks] = worker_get(w, w->crew->order);
		if (!w->blocks[w->nr_blocks])
			return false;
	}
	return true;
}

/* Take until the quota is full or the allocator has no more, noted in parts as phase 0. */
static void fill_blocks(struct worker *w)
{
	uint64_t last = clock_ns();
	bool more = true;

	w->nr_blocks = 0;
	while (more && w->nr_blocks < w->quota) {
		uint64_t before = w->nr_blocks, most = before + PART;

		more = fill_to(w, most < w->quota ? most : w->quota);
		last = worker_note(w, 0, last, w->nr_blocks - before);
	}
}

/* Put each `stride`-th block from `first` on, noted in parts as `phase`. */
static void put_blocks(struct worker *w, uint64_t first, uint64_t stride, uint32_t phase)
{
	uint64_t last = clock_ns();

	while (first < w->nr_blocks) {
		uint64_t nr = 0;

		for (; nr < PART && first < w->nr_blocks; nr++, first += stride)
			worker_put(w, w->blocks[first], w->crew->order);
		last = worker_note(w, phase, last, nr);
	}
}

void worker_put_all(struct worker *w)
{
	while (w->nr_blocks) {
		w->nr_blocks--;
		worker_put(w, w->blocks[w->nr_blocks], w->orders[w->nr_blocks]);
	}
}

static void shuffle_blocks(struct worker *w)
{
	for (uint64_t n = w->nr_blocks; n > 1; n--) {
		uint64_t other = worker_random(w, n);
		void *block = w->blocks[n - 1];

		w->blocks[n - 1] = w->blocks[other];
		w->blocks[other] = block;
	}
}

/* Take everything, then give it back; `arrange` comes between. */
static void pass_once(struct worker *w, void (*arrange)(struct worker *w), bool together)
{
	if (together)
		crew_meet(w);
	fill_blocks(w);
	arrange(w);
	if (together)
		crew_meet(w);
	put_blocks(w, 0, 1, 1);
}

/*
 * The first time is not counted. All threads take at once, then all give back at once; where that is
 * over too soon, each goes on for a while by itself.
 */
static void pass_blocks(struct worker *w, void (*arrange)(struct worker *w))
{
	uint64_t enough, times = 1 + LEAST_PASS / (w->quota + 1);

	fill_to(w, w->quota);
	if (w->nr_blocks == 0)
		w->failure = "no block to be had";
	arrange(w);
	worker_put_all(w);
	do {
		enough = w->phases[0].ns + w->crew->least_ns / CREW_SLICES;
		for (uint64_t n = 0; n < times && (n == 0 || w->phases[0].ns < enough); n++)
			pass_once(w, arrange, n == 0);
	} while (crew_again(w));
}

static void keep_order(struct worker *w)
{
	(void)w;
}

static void run_bulk(struct worker *w)
{
	pass_blocks(w, keep_order);
}

static void run_random(struct worker *w)
{
	pass_blocks(w, shuffle_blocks);
}

static bool step_pair(struct worker *w)
{
	void *block = worker_get(w, w->crew->order);

	if (block)
		worker_put(w, block, w->crew->order);
	return block;
}

static bool step_batch(struct worker *w)
{
	uint32_t nr = 0;

	while (nr < BATCH && (w->blocks[nr] = worker_get(w, w->crew->order)) != NULL)
		nr++;
	for (uint32_t n = 0; n < nr; n++)
		worker_put(w, w->blocks[n], w->crew->order);
	return nr == BATCH;
}

/* One of the set, by chance, is replaced. */
static bool step_churn(struct worker *w)
{
	uint64_t n = worker_random(w, w->nr_blocks);

	worker_put(w, w->blocks[n], w->crew->order);
	w->blocks[n] = worker_get(w, w->crew->order);
	if (w->blocks[n])
		return true;
	w->blocks[n] = w->blocks[--w->nr_blocks];
	return false;
}

static void run_chunk(struct worker *w, bool (*step)(struct worker *w), uint32_t steps)
{
	for (uint32_t n = 0; n < steps && !w->failure; n++)
		if (!step(w))
			w->failure = "the allocator ran out of blocks";
}

/* Uncounted steps; returns a chunk that takes no longer than a slice, if a small one does not. */
static uint32_t warm_up(struct worker *w, bool (*step)(struct worker *w))
{
	uint32_t chunk = SMALL_CHUNK;
	uint64_t start = clock_ns();

	run_chunk(w, step, chunk);
	while (chunk < CHUNK && !w->failure &&
	       clock_ns() - start < w->crew->least_ns / CREW_SLICES / 2) {
		start = clock_ns();
		chunk *= 2;
		run_chunk(w, step, chunk);
	}
	return chunk;
}

/* Step until the time is over; a step is `blocks` gets and puts. */
static void repeat_step(struct worker *w, bool (*step)(struct worker *w), uint32_t blocks)
{
	uint32_t chunk = warm_up(w, step);
	uint64_t last;

	crew_meet(w);
	last = clock_ns();
	while (!w->failure && w->phases[0].ns < w->crew->least_ns) {
		run_chunk(w, step, chunk);
		last = worker_note(w, 0, last, (uint64_t)chunk * blocks);
	}
}

static void run_pair(struct worker *w)
{
	repeat_step(w, step_pair, 1);
}

/* For who counts instructions: as many pairs as asked for, and no look at the clock. */
static void run_count(struct worker *w)
{
	for (uint64_t n = 0; n < w->crew->operations && !w->failure; n++)
		if (!step_pair(w))
			w->failure = "no block to be had";
}

static void run_batch(struct worker *w)
{
	if (w->quota < BATCH)
		w->failure = "no room for a batch";
	repeat_step(w, step_batch, BATCH);
}

static void run_churn(struct worker *w)
{
	if (w->quota > WORKING_SET)
		w->quota = WORKING_SET;
	if (!fill_to(w, w->quota))
		w->failure = "no room for the working set";
	repeat_step(w, step_churn, 1);
	worker_put_all(w);
}

/* Hand over a chunk; returns how many blocks. */
static uint64_t produce_chunk(struct worker *w)
{
	uint64_t blocks = 0;

	for (uint32_t n = 0; n < CHUNK && !w->failure; n++) {
		void *block = worker_get(w, w->crew->order);

		/* With all of them given back, there must be one. */
		if (!block && ring_empty(&w->ring) && !(block = worker_get(w, w->crew->order)))
			w->failure = "what another thread gave back does not come again";
		else if (!block)
			sched_yield();
		else
			ring_push(&w->ring, block), blocks++;
	}
	return blocks;
}

/* Even workers take blocks, and the next odd one gives them back. */
static void produce_blocks(struct worker *w)
{
	uint64_t last = clock_ns();

	while (w->phases[0].ns < w->crew->least_ns && !w->failure) {
		uint64_t blocks = produce_chunk(w);

		last = worker_note(w, 0, last, blocks);
	}
	ring_push(&w->ring, NULL);
	while (!ring_empty(&w->ring))
		sched_yield();
}

static void run_cross(struct worker *w)
{
	struct worker *producer = &w->crew->workers[w->number & ~1u];
	void *block;

	if (w->number == producer->number)
		ring_init(&w->ring);
	crew_meet(w);
	if ((w->number | 1u) >= w->crew->nr_workers)
		return;
	if (w->number == producer->number) {
		produce_blocks(w);
		return;
	}
	while ((block = ring_pop(&producer->ring)) != NULL)
		worker_put(w, block, w->crew->order);
}

/*
 * Each thread has several tasks, whose blocks are taken in turn and so lie between each other's;
 * then all tasks exit, one after another, on all CPUs at once.
 */
static void run_exit(struct worker *w)
{
	fill_to(w, w->quota);
	if (w->nr_blocks == 0)
		w->failure = "no block to be had";
	worker_put_all(w);
	do {
		crew_meet(w);
		fill_to(w, w->quota);
		crew_meet(w);
		for (uint64_t task = 0; task < NR_TASKS; task++)
			put_blocks(w, task, NR_TASKS, 0);
		w->nr_blocks = 0;
	} while (crew_again(w));
}

static const struct workload workloads[] = {
	{ "bulk", { "get", "put" }, 1, false, run_bulk },
	{ "random", { "get", "put" }, 1, false, run_random },
	{ "pair", { "pair" }, 1, false, run_pair },
	{ "batch", { "block" }, 1, false, run_batch },
	{ "churn", { "step" }, 1, false, run_churn },
	{ "cross", { "block" }, 2, false, run_cross },
	{ "exit", { "put" }, 1, false, run_exit },
	{ "mixed", { "pair" }, 1, true, mixed_body },
	{ "count", { NULL }, 1, false, run_count },
};

const struct workload *workload_at(uint32_t n)
{
	return n < sizeof(workloads) / sizeof(workloads[0]) ? &workloads[n] : NULL;
}

const struct workload *workload_find(const char *name)
{
	for (uint32_t n = 0; n < sizeof(workloads) / sizeof(workloads[0]); n++)
		if (strcmp(workloads[n].name, name) == 0)
			return &workloads[n];
	return NULL;
}
