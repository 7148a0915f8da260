/* SPDX-License-Identifier: MIT */
/*
 * The closed loop: reclaim and the OOM killer act in the replay, when its own marks demand it. What
 * they may take of the recording's pages is a model, since a trace tells neither what a page holds
 * nor when it was last used (loop_assumptions says it in words).
 *
 *     birth -> cache, slab, a task's memory, or other, by the request's GFP mask
 *     reclaim -> the oldest births of cache and slab, then pages of unknown birth
 *     OOM -> the memory of the task that has most of it, which asks for no more
 *
 * A recorded page that was taken is no page of ours any more (SHADOW_TAKEN); its recorded free, when
 * it comes, frees nothing.
 */
#ifndef REPLAY_LOOP_H
#define REPLAY_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_ZONES 256

struct replay;

enum loop_kind {
	LOOP_OTHER,   /* is not taken: kernel memory, pools */
	LOOP_CACHE,   /* movable, and neither zeroed nor a transparent huge page: as the page cache */
	LOOP_SLAB,    /* reclaimable */
	LOOP_UNKNOWN, /* in use since before the recording, in a movable pageblock */
	LOOP_TASK,    /* movable, zeroed or a transparent huge page: anonymous memory */
	LOOP_NR_KINDS
};

/* A block of ours, at its first page. Links are pages + 1 from the machine's first; 0: none. */
struct loop_page {
	uint32_t prev, next;
	uint32_t birth; /* counts up, and around */
	uint32_t task;  /* of LOOP_TASK: whose it is */
	uint8_t kind, zone;
};

/* Blocks that reclaim may take from one zone, or that a task has: from the oldest to the youngest. */
enum loop_queue { LOOP_KNOWN, LOOP_GUESSED, LOOP_NR_QUEUES };
struct loop_list {
	uint32_t first, last;
	uint64_t nr_pages;
};
struct loop_task {
	struct loop_list list;
	int32_t pid;
	bool killed;
};

struct loop_outcome {
	uint64_t reclaimed_cache, reclaimed_slab, reclaimed_unknown; /* pages */
	uint64_t oom_kills, killed_pages;
	uint64_t unasked;    /* recorded requests of tasks that had been killed: not replayed */
	uint64_t late_frees; /* recorded frees of blocks that had been taken, or not been asked for */
};

struct loop {
	struct loop_page *page; /* NULL: the loop is open */
	uint64_t first_pfn;
	uint32_t nr_zones;
	struct { uint32_t node, type; } zone[LOOP_ZONES];
	struct loop_list list[LOOP_ZONES][LOOP_NR_QUEUES];
	struct loop_task *task;
	uint32_t nr_tasks, task_room;
	uint32_t *by_pid; /* number of a pid's task + 1; 0: it has none */
	uint32_t births;
	struct loop_outcome outcome;
};

/* From here on the machine's port reclaims and kills. False if there is no memory. */
bool loop_install(struct replay *r);
void loop_fini(struct loop *l);

/*
 * What is told of blocks of ours: all do nothing while the loop is open. False if there is no
 * memory.
 */
bool loop_birth(struct replay *r, uint64_t ours, uint32_t order, uint32_t gfp, int32_t pid);
void loop_inherit(struct replay *r, uint64_t ours, uint32_t type);
void loop_death(struct replay *r, uint64_t ours, uint32_t order);
void loop_split(struct replay *r, uint64_t ours, uint32_t from, uint32_t to);
void loop_move(struct replay *r, uint64_t from, uint64_t to, uint32_t order);

/* Is the request one for the memory of a task that was killed? Then it is not replayed. */
bool loop_is_unasked(struct replay *r, uint32_t gfp, int32_t pid);

/* The n-th sentence about what the model assumes; NULL past the last. */
const char *loop_assumptions(uint32_t n);

#endif
