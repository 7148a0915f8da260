/* SPDX-License-Identifier: MIT */
/*
 * Floors: what must be paid by who hands out blocks from a stack of each thread's own, and with the
 * argument "cas" by who besides makes one uncontended compare-and-swap at each call.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "adapter.h"

struct stack {
	_Alignas(64) uint64_t turn; /* changes at each call where `swaps` */
	uint64_t nr;
	void **blocks;
	bool swaps;
};

struct floor {
	struct stack *stacks;
	void *memory;
	uint64_t bytes;
	uint32_t nr_threads;
};

static void *refuse(struct bench_setup *setup, const char *why)
{
	setup->refusal = why;
	return NULL;
}

static bool fill_stack(struct stack *stack, const struct bench_setup *setup, uint32_t thread)
{
	uint64_t block_bytes = BENCH_PAGE_BYTES;
	uint64_t all, share;

	while (block_bytes / BENCH_PAGE_BYTES < setup->orders)
		block_bytes *= 2;
	all = setup->bytes / block_bytes;
	share = all / setup->nr_threads;
	stack->blocks = malloc((all + 1) * sizeof(*stack->blocks));
	if (!stack->blocks)
		return false;
	/* Touched here, and the lowest on top. */
	for (uint64_t n = 0; n <= all; n++)
		stack->blocks[n] = NULL;
	for (uint64_t n = 0; n < share; n++)
		stack->blocks[n] = (char *)setup->base +
				   (thread * share + share - 1 - n) * block_bytes;
	stack->nr = share;
	return true;
}

static void destroy(void *allocator)
{
	struct floor *floor = allocator;

	for (uint32_t n = 0; n < floor->nr_threads; n++)
		free(floor->stacks[n].blocks);
	munmap(floor->memory, floor->bytes);
	free(floor->stacks);
	free(floor);
}

static void *create(struct bench_setup *setup)
{
	bool swaps = strcmp(setup->argument, "cas") == 0;
	uint64_t huge = BENCH_PAGE_BYTES << BENCH_MAX_ORDER;
	struct floor *floor;

	if (*setup->argument && !swaps)
		return refuse(setup, "the argument is cas or none");
	if (setup->orders & (setup->orders - 1))
		return refuse(setup, "one size only");
	floor = malloc(sizeof(*floor));
	*floor = (struct floor){ .nr_threads = setup->nr_threads, .bytes = setup->bytes + huge };
	floor->stacks = aligned_alloc(64, setup->nr_threads * sizeof(*floor->stacks));
	floor->memory = mmap(NULL, floor->bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	setup->base = (void *)(((uintptr_t)floor->memory + huge - 1) & ~(uintptr_t)(huge - 1));
	for (uint32_t n = 0; n < setup->nr_threads; n++) {
		floor->stacks[n] = (struct stack){ .swaps = swaps };
		if (!fill_stack(&floor->stacks[n], setup, n))
			return refuse(setup, "out of memory");
	}
	setup->metadata_bytes = setup->bytes / BENCH_PAGE_BYTES / setup->orders * sizeof(void *);
	return floor;
}

static void *enter(void *allocator, uint32_t thread)
{
	return &((struct floor *)allocator)->stacks[thread];
}

static inline void swap_turn(struct stack *stack)
{
	uint64_t turn = __atomic_load_n(&stack->turn, __ATOMIC_RELAXED);

	__atomic_compare_exchange_n(&stack->turn, &turn, turn + 1, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_RELAXED);
}

static void *get(void *self, uint32_t order)
{
	struct stack *stack = self;

	(void)order;
	if (stack->swaps)
		swap_turn(stack);
	return stack->nr ? stack->blocks[--stack->nr] : NULL;
}

static void put(void *self, void *block, uint32_t order)
{
	struct stack *stack = self;

	(void)order;
	if (stack->swaps)
		swap_turn(stack);
	stack->blocks[stack->nr++] = block;
}

const struct bench_adapter bench_adapter = { "stack", create, enter, get, put, destroy };
