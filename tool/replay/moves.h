/* SPDX-License-Identifier: MIT */
/*
 * Moves: what the recorded kernel's compaction did, undone. Compaction takes free blocks off the
 * lists as targets, copies pages into them, and frees the sources. Neither a target nor a source is
 * a birth or a death: the content lives on. In the replay it stays where it is, and only its
 * recorded address changes.
 *
 * The recording shows which task takes a target and which task frees a page. A movable page that a
 * task frees while it holds targets is therefore taken to have moved into one of them. Which one,
 * is not recorded; among pages that move together, lifetimes may be swapped.
 */
#ifndef REPLAY_MOVES_H
#define REPLAY_MOVES_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/shadow.h"

#define MOVES_TASKS 32 /* tasks compacting at one time; the longest idle one is forgotten */

struct moves_target {
	uint64_t pfn;
	uint32_t order;
};

struct moves_task {
	int32_t pid;
	uint64_t last_use;
	uint32_t nr, room;
	struct moves_target *targets;
};

struct moves {
	struct moves_task tasks[MOVES_TASKS];
	uint64_t clock;
};

void moves_fini(struct moves *m);

/*
 * The task holds this free block as a target; its pages become SHADOW_TARGET. False if there is no
 * memory.
 */
bool moves_take(struct moves *m, struct shadow *s, int32_t pid, uint64_t pfn, uint32_t order);

/*
 * The task frees the live block at `pfn`: did it move? Then its entries now stand at a target, and
 * nothing died.
 */
bool moves_source(struct moves *m, struct shadow *s, int32_t pid, uint64_t pfn, uint32_t order);

#endif
