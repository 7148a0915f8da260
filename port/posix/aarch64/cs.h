/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences for AArch64. Each runs from label 1 to label 2, whose store before is the
 * only one that counts; a thread that is moved, preempted or interrupted by a signal in between
 * begins anew at label 0. So what the sequence has read of its CPU's cache holds when it stores. The
 * kernel checks that the signature stands before the address where it goes on.
 */
#ifndef PX_CS_H
#define PX_CS_H

#include <stddef.h>

#include "hot.h"

#define PX_HAS_CS true

extern const ptrdiff_t __rseq_offset __attribute__((weak));

/* The thread's struct rseq, in which cpu_id is at 4 and rseq_cs at 8. */
static inline char *px_cs_area(void)
{
	return (char *)__builtin_thread_pointer() + __rseq_offset;
}

/* What to write there. Then `at` is the stack's two counts, in `nr` and `most` if it may be used. */
#define PX_CS_BEGIN                                                                                \
	".pushsection __rseq_cs, \"aw\"\n"                                                         \
	".balign 32\n"                                                                            \
	"3: .long 0, 0\n"                                                                         \
	".quad 1f, 2f - 1f, 4f\n"                                                                 \
	".popsection\n"                                                                           \
	".pushsection __rseq_failure, \"ax\"\n"                                                    \
	".inst 0xd428bc00\n"                                                                      \
	"4: b 0f\n"                                                                               \
	".popsection\n"                                                                           \
	"0: adrp %[hot], 3b\n"                                                                    \
	"add %[hot], %[hot], :lo12:3b\n"                                                          \
	"str %[hot], [%[rseq], #8]\n"                                                             \
	"1: ldr %w[hot], [%[rseq], #4]\n"                                                         \
	"cmp %w[hot], %w[nr_cpus]\n"                                                              \
	"b.hs 5f\n"                                                                               \
	"add %[hot], %[hots], %[hot], lsl #15\n"                                                  \
	"add %[at], %[hot], %[stack], lsl #3\n"                                                   \
	"ldr %w[most], [%[at], #4]\n"                                                             \
	"cbz %w[most], 5f\n"                                                                      \
	"ldr %w[nr], [%[at]]\n"

/* The address of the slot that `nr` counts to, less 512. */
#define PX_CS_SLOT                                                                                 \
	"add %[slot], %[nr], %[stack], lsl #7\n"                                                  \
	"add %[slot], %[hot], %[slot], lsl #2\n"

/* Pop a block of the CPU's stack; PX_HOT_NO_PAGE if it has none. */
static inline uint32_t px_cs_pop(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack)
{
	uint64_t hot, at, nr, most, slot;

	__asm__ volatile(
		PX_CS_BEGIN
		"cbz %w[nr], 5f\n"
		"sub %w[nr], %w[nr], #1\n"
		PX_CS_SLOT
		"ldr %w[most], [%[slot], #512]\n"
		"str %w[nr], [%[at]]\n"
		"2: b 6f\n"
		"5: mov %w[most], #-1\n"
		"6:\n"
		: [hot] "=&r"(hot), [at] "=&r"(at), [nr] "=&r"(nr), [most] "=&r"(most),
		  [slot] "=&r"(slot)
		: [rseq] "r"(px_cs_area()), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots),
		  [stack] "r"(stack)
		: "memory", "cc");
	return (uint32_t)most;
}

/* Push a block onto the CPU's stack. False, and nothing is done: it is full, or not to be used. */
static inline bool px_cs_push(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack, uint32_t page)
{
	uint64_t hot, at, nr, most, slot;

	__asm__ volatile(
		PX_CS_BEGIN
		"cmp %w[nr], %w[most]\n"
		"b.hs 5f\n"
		PX_CS_SLOT
		"str %w[page], [%[slot], #512]\n"
		"add %w[nr], %w[nr], #1\n"
		"str %w[nr], [%[at]]\n"
		"2: mov %w[most], #1\n"
		"b 6f\n"
		"5: mov %w[most], #0\n"
		"6:\n"
		: [hot] "=&r"(hot), [at] "=&r"(at), [nr] "=&r"(nr), [most] "=&r"(most),
		  [slot] "=&r"(slot)
		: [rseq] "r"(px_cs_area()), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots),
		  [stack] "r"(stack), [page] "r"(page)
		: "memory", "cc");
	return most;
}

/* Push as many of the blocks as there is room for, the first of them: how many. */
static inline uint32_t px_cs_push_many(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack,
				       const uint32_t *pages, uint32_t count)
{
	uint64_t hot, at, nr, most, slot, done;
	uint32_t page;

	__asm__ volatile(
		PX_CS_BEGIN
		"subs %w[most], %w[most], %w[nr]\n"
		"b.ls 5f\n"
		"cmp %w[most], %w[count]\n"
		"csel %w[most], %w[most], %w[count], lo\n"
		PX_CS_SLOT
		"add %[slot], %[slot], #512\n"
		"mov %[done], #0\n"
		"7: ldr %w[page], [%[pages], %[done], lsl #2]\n"
		"str %w[page], [%[slot], %[done], lsl #2]\n"
		"add %[done], %[done], #1\n"
		"cmp %w[done], %w[most]\n"
		"b.lo 7b\n"
		"add %w[nr], %w[nr], %w[done]\n"
		"str %w[nr], [%[at]]\n"
		"2: b 6f\n"
		"5: mov %[done], #0\n"
		"6:\n"
		: [hot] "=&r"(hot), [at] "=&r"(at), [nr] "=&r"(nr), [most] "=&r"(most),
		  [slot] "=&r"(slot), [done] "=&r"(done), [page] "=&r"(page)
		: [rseq] "r"(px_cs_area()), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots),
		  [stack] "r"(stack), [pages] "r"(pages), [count] "r"(count)
		: "memory", "cc");
	return (uint32_t)done;
}

/* Pop up to `count` blocks, the topmost last: how many. */
static inline uint32_t px_cs_pop_many(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack,
				      uint32_t *pages, uint32_t count)
{
	uint64_t hot, at, nr, most, slot, done;
	uint32_t page;

	__asm__ volatile(
		PX_CS_BEGIN
		"cmp %w[nr], %w[count]\n"
		"csel %w[most], %w[nr], %w[count], lo\n"
		"cbz %w[most], 5f\n"
		"sub %w[nr], %w[nr], %w[most]\n"
		PX_CS_SLOT
		"add %[slot], %[slot], #512\n"
		"mov %[done], #0\n"
		"7: ldr %w[page], [%[slot], %[done], lsl #2]\n"
		"str %w[page], [%[pages], %[done], lsl #2]\n"
		"add %[done], %[done], #1\n"
		"cmp %w[done], %w[most]\n"
		"b.lo 7b\n"
		"str %w[nr], [%[at]]\n"
		"2: b 6f\n"
		"5: mov %[done], #0\n"
		"6:\n"
		: [hot] "=&r"(hot), [at] "=&r"(at), [nr] "=&r"(nr), [most] "=&r"(most),
		  [slot] "=&r"(slot), [done] "=&r"(done), [page] "=&r"(page)
		: [rseq] "r"(px_cs_area()), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots),
		  [stack] "r"(stack), [pages] "r"(pages), [count] "r"(count)
		: "memory", "cc");
	return (uint32_t)done;
}

#endif
