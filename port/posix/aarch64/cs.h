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

static inline ptrdiff_t px_cs_area(void)
{
	return __rseq_offset;
}

/*
 * `at` becomes the CPU's stack. The thread's struct rseq has cpu_id at 4 and rseq_cs at 8, which is
 * written first; where the number is no CPU's the sequence ends. Each turn begins with `reset`,
 * since the one before may have got far.
 */
#define PX_CS_BEGIN(reset)                                                                         \
	".pushsection __rseq_cs, \"aw\"\n"                                                         \
	".balign 32\n"                                                                            \
	"3: .long 0, 0\n"                                                                         \
	".quad 1f, 2f - 1f, 4f\n"                                                                 \
	".popsection\n"                                                                           \
	".pushsection __rseq_failure, \"ax\"\n"                                                    \
	".inst 0xd428bc00\n"                                                                      \
	"4: b 0f\n"                                                                               \
	".popsection\n"                                                                           \
	"0: " reset "adrp %[at], 3b\n"                                                            \
	"add %[at], %[at], :lo12:3b\n"                                                            \
	"str %[at], [%[rseq], #8]\n"                                                              \
	"1: ldr %w[at], [%[rseq], #4]\n"                                                          \
	"cmp %w[at], %w[last_cpu]\n"                                                              \
	"b.hi 2f\n"                                                                               \
	"ldr %[at], [%[open], %[at], lsl #3]\n"                                                   \
	"add %[at], %[at], %[stack]\n"                                                            \
	"ldp %w[nr], %w[most], [%[at]]\n"

#define PX_CS_INPUTS(x, stack_at)                                                                  \
	[rseq] "r"((char *)__builtin_thread_pointer() + (x)->cs.rseq), [open] "r"((x)->cs.open),   \
		[last_cpu] "r"((x)->cs.last_cpu), [stack] "r"(stack_at)

/* Pop a block of the CPU's stack that begins at `stack_at`. False: it has none. */
static inline bool px_cs_pop(const struct pagus_posix *x, uint64_t stack_at, uint64_t *page)
{
	uint64_t at, nr, most;

	__asm__ volatile(
		PX_CS_BEGIN("mov %w[page], #-1\n")
		"cbz %w[nr], 2f\n"
		"sub %w[nr], %w[nr], #1\n"
		"add %[most], %[at], %[nr], lsl #2\n"
		"ldr %w[page], [%[most], #8]\n"
		"str %w[nr], [%[at]]\n"
		"2:\n"
		: [at] "=&r"(at), [nr] "=&r"(nr), [most] "=&r"(most), [page] "=&r"(*page)
		: PX_CS_INPUTS(x, stack_at)
		: "memory", "cc");
	return *page != PX_HOT_NO_PAGE;
}

/* Push a block onto the CPU's stack. False, and nothing is done: it is full. */
static inline bool px_cs_push(const struct pagus_posix *x, uint64_t stack_at, uint64_t page)
{
	uint64_t at, nr, most;
	uint32_t refused;

	/* Only what is behind the last store says that it was done. */
	__asm__ volatile(
		PX_CS_BEGIN("mov %w[refused], #1\n")
		"cmp %w[nr], %w[most]\n"
		"b.hs 2f\n"
		"add %[most], %[at], %[nr], lsl #2\n"
		"str %w[page], [%[most], #8]\n"
		"add %w[nr], %w[nr], #1\n"
		"mov %w[refused], #0\n"
		"str %w[nr], [%[at]]\n"
		"2:\n"
		: [at] "=&r"(at), [nr] "=&r"(nr), [most] "=&r"(most), [refused] "=&r"(refused)
		: PX_CS_INPUTS(x, stack_at), [page] "r"(page)
		: "memory", "cc");
	return !refused;
}

/* Push as many of the blocks as there is room for, the first of them: how many. */
static inline uint32_t px_cs_push_many(const struct pagus_posix *x, uint64_t stack_at,
				       const uint32_t *pages, uint32_t count)
{
	uint64_t at, nr, most, to, done;
	uint32_t page;

	__asm__ volatile(
		PX_CS_BEGIN("mov %[done], #0\n")
		"subs %w[most], %w[most], %w[nr]\n"
		"b.ls 2f\n"
		"cmp %w[most], %w[count]\n"
		"csel %w[most], %w[most], %w[count], lo\n"
		"add %[to], %[at], %[nr], lsl #2\n"
		"add %[to], %[to], #8\n"
		"7: ldr %w[page], [%[pages], %[done], lsl #2]\n"
		"str %w[page], [%[to], %[done], lsl #2]\n"
		"add %[done], %[done], #1\n"
		"cmp %w[done], %w[most]\n"
		"b.lo 7b\n"
		"add %w[nr], %w[nr], %w[done]\n"
		"str %w[nr], [%[at]]\n"
		"2:\n"
		: [at] "=&r"(at), [nr] "=&r"(nr), [most] "=&r"(most), [to] "=&r"(to),
		  [done] "=&r"(done), [page] "=&r"(page)
		: PX_CS_INPUTS(x, stack_at), [pages] "r"(pages), [count] "r"(count)
		: "memory", "cc");
	return (uint32_t)done;
}

/* Pop up to `count` blocks, the topmost last: how many. */
static inline uint32_t px_cs_pop_many(const struct pagus_posix *x, uint64_t stack_at,
				      uint32_t *pages, uint32_t count)
{
	uint64_t at, nr, most, from, done;
	uint32_t page;

	__asm__ volatile(
		PX_CS_BEGIN("mov %[done], #0\n")
		"cmp %w[nr], %w[count]\n"
		"csel %w[most], %w[nr], %w[count], lo\n"
		"cbz %w[most], 2f\n"
		"sub %w[nr], %w[nr], %w[most]\n"
		"add %[from], %[at], %[nr], lsl #2\n"
		"add %[from], %[from], #8\n"
		"7: ldr %w[page], [%[from], %[done], lsl #2]\n"
		"str %w[page], [%[pages], %[done], lsl #2]\n"
		"add %[done], %[done], #1\n"
		"cmp %w[done], %w[most]\n"
		"b.lo 7b\n"
		"str %w[nr], [%[at]]\n"
		"2:\n"
		: [at] "=&r"(at), [nr] "=&r"(nr), [most] "=&r"(most), [from] "=&r"(from),
		  [done] "=&r"(done), [page] "=&r"(page)
		: PX_CS_INPUTS(x, stack_at), [pages] "r"(pages), [count] "r"(count)
		: "memory", "cc");
	return (uint32_t)done;
}

#endif
