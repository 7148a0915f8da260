/* SPDX-License-Identifier: MIT */
/*
 * Recorded blocks: each birth asks the replayed machine for pages, each death gives the same pages
 * back, whichever they are there. Live blocks never overlap, and lie wholly within the recorded
 * machine: a birth where another block is live ends that one, whose free the recording lacks.
 */
#ifndef REPLAY_BLOCK_H
#define REPLAY_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct replay;

struct block_birth {
	uint64_t pfn, nodemask;
	uint32_t order, gfp, node; /* the preferred node, or PAGUS_NO_NODE */
	int32_t pid;
};

/* False: there is no memory for the books. */
bool block_birth(struct replay *r, const struct block_birth *b);
void block_death(struct replay *r, int32_t pid, uint64_t pfn, uint32_t order);

/* The task's compaction has taken a free block as a target. False: no memory for the books. */
bool block_target(struct replay *r, int32_t pid, uint64_t pfn, uint32_t order);

#endif
