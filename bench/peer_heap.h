/* SPDX-License-Identifier: MIT */
/* What the adapters of general allocators have in common: they are the process's, and unbounded. */
#ifndef BENCH_PEER_HEAP_H
#define BENCH_PEER_HEAP_H

#include "adapter.h"

static void *heap_create(struct bench_setup *setup)
{
	return setup;
}

static void *heap_enter(void *allocator, uint32_t thread)
{
	(void)thread;
	return allocator;
}

static void heap_destroy(void *allocator)
{
	(void)allocator;
}

/* An adapter of the file's get and put. */
#define HEAP_ADAPTER(name)                                                                         \
	const struct bench_adapter bench_adapter = { name, heap_create, heap_enter, get, put,     \
						     heap_destroy }

#endif
