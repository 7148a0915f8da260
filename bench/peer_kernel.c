/* SPDX-License-Identifier: MIT */
/*
 * The kernel itself, as a process gets memory from it: with its page faults and zeroing, so every
 * block is touched. Argument "mmap": mmap with MAP_POPULATE, and munmap. Argument "madvise":
 * MADV_POPULATE_WRITE and MADV_DONTNEED in a mapping that stays.
 *
 * Addresses come from a stack for each order, under a mutex, whose cost a system call hides.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "adapter.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/*
 * What a page costs does not depend on how many there are. A process may have 65530 mappings, and
 * each second page unmapped makes one.
 */
#define MOST_BYTES (UINT64_C(64) << 20)
#define NR_ORDERS  (BENCH_MAX_ORDER + 1)

struct slots {
	pthread_mutex_t lock;
	uint64_t nr, bytes;
	void **free;
	char *memory; /* as it was mapped */
};

struct kernel {
	bool maps;
	struct slots slots[NR_ORDERS];
};

static void *reserve(uint64_t bytes, int protection)
{
	void *memory = mmap(NULL, bytes, protection,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool make_slots(struct slots *slots, uint64_t bytes, uint32_t order, bool maps)
{
	uint64_t block = BENCH_PAGE_BYTES << order;
	char *first;

	pthread_mutex_init(&slots->lock, NULL);
	slots->bytes = bytes + block;
	slots->memory = reserve(slots->bytes, maps ? PROT_NONE : PROT_READ | PROT_WRITE);
	slots->free = malloc(bytes / block * sizeof(*slots->free));
	if (!slots->memory || !slots->free)
		return false;
	first = (char *)(((uintptr_t)slots->memory + block - 1) & ~(uintptr_t)(block - 1));
	for (slots->nr = 0; slots->nr < bytes / block; slots->nr++)
		slots->free[slots->nr] = first + (bytes / block - 1 - slots->nr) * block;
	return true;
}

static void destroy(void *allocator)
{
	struct kernel *kernel = allocator;

	for (uint32_t order = 0; order < NR_ORDERS; order++) {
		struct slots *slots = &kernel->slots[order];

		if (slots->memory)
			munmap(slots->memory, slots->bytes);
		free(slots->free);
	}
	free(kernel);
}

static void *create(struct bench_setup *setup)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel)
		return NULL;
	kernel->maps = strcmp(setup->argument, "mmap") == 0;
	setup->refusal = "the argument is mmap or madvise";
	if (!kernel->maps && strcmp(setup->argument, "madvise") != 0)
		return destroy(kernel), NULL;
	if (setup->bytes > MOST_BYTES)
		setup->bytes = MOST_BYTES;
	setup->refusal = "out of memory";
	for (uint32_t order = 0; order < NR_ORDERS; order++)
		if (setup->orders >> order & 1 &&
		    !make_slots(&kernel->slots[order], setup->bytes, order, kernel->maps))
			return destroy(kernel), NULL;
	return kernel;
}

static void *enter(void *allocator, uint32_t thread)
{
	(void)thread;
	return allocator;
}

static void push_slot(struct slots *slots, void *block)
{
	pthread_mutex_lock(&slots->lock);
	slots->free[slots->nr++] = block;
	pthread_mutex_unlock(&slots->lock);
}

static void *get(void *self, uint32_t order)
{
	struct kernel *kernel = self;
	struct slots *slots = &kernel->slots[order];
	void *block = NULL;
	bool done;

	pthread_mutex_lock(&slots->lock);
	if (slots->nr)
		block = slots->free[--slots->nr];
	pthread_mutex_unlock(&slots->lock);
	if (!block)
		return NULL;
	if (kernel->maps)
		done = mmap(block, BENCH_PAGE_BYTES << order, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0) == block;
	else
		done = madvise(block, BENCH_PAGE_BYTES << order, MADV_POPULATE_WRITE) == 0;
	if (done)
		return block;
	push_slot(slots, block);
	return NULL;
}

static void put(void *self, void *block, uint32_t order)
{
	struct kernel *kernel = self;
	int failed = kernel->maps ? munmap(block, BENCH_PAGE_BYTES << order)
				  : madvise(block, BENCH_PAGE_BYTES << order, MADV_DONTNEED);

	if (failed)
		abort();
	push_slot(&kernel->slots[order], block);
}

const struct bench_adapter bench_adapter = { "kernel", create, enter, get, put, destroy };
