/* SPDX-License-Identifier: MIT */
/*
 * What the benchmark asks of an allocator. An adapter is a shared object that defines
 *
 *	const struct bench_adapter bench_adapter = { "name", create, enter, get, put, destroy };
 *
 * and is given to bench as --adapter FILE.so, or FILE.so:ARGUMENT. One process loads one adapter.
 * docs/bench.md has a whole one.
 */
#ifndef BENCH_ADAPTER_H
#define BENCH_ADAPTER_H

#include <stdint.h>

#define BENCH_PAGE_BYTES UINT64_C(4096)
#define BENCH_MAX_ORDER  9u /* 2 MiB */

/* What a run needs, and what create() says of the allocator. */
struct bench_setup {
	const char *argument; /* what follows FILE.so:, "" if nothing does */
	uint32_t nr_threads;  /* that will enter, numbered from 0 */
	uint32_t orders;      /* bit o: blocks of 2^o pages will be asked for */

	uint64_t bytes;       /* to manage; create() may set it lower */
	void *base;           /* create(): of the range of `bytes` where all blocks lie; NULL: none */
	uint64_t metadata_bytes; /* create(): what the allocator keeps beside the blocks; 0: not known */
	const char *refusal;  /* create(), where it returns NULL: why */
};

struct bench_adapter {
	const char *name;

	/* An allocator for `setup`, or NULL with setup->refusal set. One thread. */
	void *(*create)(struct bench_setup *setup);

	/* Called by each thread before its first get or put; what it returns is theirs. NULL: failed. */
	void *(*enter)(void *allocator, uint32_t thread);

	/*
	 * 2^order pages, aligned to their size, or NULL when there is no room. The content is not
	 * asked for: the last 64 bytes of a block may be the allocator's own.
	 */
	void *(*get)(void *self, uint32_t order);

	/* Give back a block of any thread's. */
	void (*put)(void *self, void *block, uint32_t order);

	/* All threads have ended. All blocks are given back, unless the run has failed. */
	void (*destroy)(void *allocator);
};

extern const struct bench_adapter bench_adapter;

#endif
