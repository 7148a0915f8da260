/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences for x86-64. Each runs from label 1 to label 2, whose store before is the
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
 * `at` becomes the CPU's stack. The thread's struct rseq has cpu_id at 4 and rseq_cs at 8. Each turn
 * begins with `reset`, since the one before may have got far. Where the number is no CPU's the
 * sequence ends, with the carry set.
 */
#define PX_CS_BEGIN(reset)                                                                         \
	".pushsection __rseq_cs, \"aw\"\n"                                                         \
	".balign 32\n"                                                                            \
	"3: .long 0, 0\n"                                                                         \
	".quad 1f, 2f - 1f, 4f\n"                                                                 \
	".popsection\n"                                                                           \
	".pushsection __rseq_failure, \"ax\"\n"                                                    \
	".byte 0x0f, 0xb9, 0x3d\n"                                                                \
	".long 0x53053053\n"                                                                      \
	"4: jmp 0f\n"                                                                             \
	".popsection\n"                                                                           \
	"0: " reset "leaq 3b(%%rip), %[at]\n"                                                     \
	"movq %c[rseq](%[x]), %[nr]\n"                                                            \
	"movq %[at], %%fs:8(%[nr])\n"                                                             \
	"1: movl %%fs:4(%[nr]), %k[at]\n"                                                         \
	"cmpl %k[at], %c[last_cpu](%[x])\n"                                                       \
	"jb 2f\n"                                                                                \
	"movq %c[open](%[x], %[at], 8), %[at]\n"                                                  \
	"addq %[stack], %[at]\n"

#define PX_CS_INPUTS(instance, stack_at)                                                           \
	[x] "r"(instance), [stack] "r"(stack_at),                                                  \
		[rseq] "i"(offsetof(struct pagus_posix, cs.rseq)),                                 \
		[last_cpu] "i"(offsetof(struct pagus_posix, cs.last_cpu)),                         \
		[open] "i"(offsetof(struct pagus_posix, cs.open))

/* Pop a block of the CPU's stack that begins at `stack_at`. False: it has none. */
static inline bool px_cs_pop(const struct pagus_posix *x, uint64_t stack_at, uint64_t *page)
{
	uint64_t at, nr;
	bool none;

	/* The carry is the subtraction's. */
	__asm__ volatile(
		PX_CS_BEGIN("")
		"movl (%[at]), %k[nr]\n"
		"subl $1, %k[nr]\n"
		"jb 2f\n"
		"movl 8(%[at], %[nr], 4), %k[page]\n"
		"movl %k[nr], (%[at])\n"
		"2:\n"
		: [at] "=&r"(at), [nr] "=&r"(nr), [page] "=&r"(*page), "=@ccc"(none)
		: PX_CS_INPUTS(x, stack_at)
		: "memory");
	return !none;
}

/* Push a block onto the CPU's stack. False, and nothing is done: it is full. */
static inline bool px_cs_push(const struct pagus_posix *x, uint64_t stack_at, uint64_t page)
{
	uint64_t at, nr;
	bool refused;

	/* An increment leaves the carry alone, and does not come to zero. */
	__asm__ volatile(
		PX_CS_BEGIN("")
		"movl (%[at]), %k[nr]\n"
		"cmpl %k[nr], 4(%[at])\n"
		"jbe 2f\n"
		"movl %k[page], 8(%[at], %[nr], 4)\n"
		"incl %k[nr]\n"
		"movl %k[nr], (%[at])\n"
		"2:\n"
		: [at] "=&r"(at), [nr] "=&r"(nr), "=@ccbe"(refused)
		: PX_CS_INPUTS(x, stack_at), [page] "r"(page)
		: "memory");
	return !refused;
}

/* Push as many of the blocks as there is room for, the first of them: how many. */
static inline uint32_t px_cs_push_many(const struct pagus_posix *x, uint64_t stack_at,
				       const uint32_t *pages, uint32_t count)
{
	uint64_t at, to, nr, done;
	uint32_t page;

	__asm__ volatile(
		PX_CS_BEGIN("xorl %k[done], %k[done]\n")
		"movl 4(%[at]), %k[nr]\n"
		"movl (%[at]), %k[to]\n"
		"subl %k[to], %k[nr]\n"
		"jbe 2f\n"
		"cmpl %[count], %k[nr]\n"
		"cmoval %[count], %k[nr]\n"
		"leaq 8(%[at], %[to], 4), %[to]\n"
		"7: movl (%[pages], %[done], 4), %[page]\n"
		"movl %[page], (%[to], %[done], 4)\n"
		"incl %k[done]\n"
		"cmpl %k[nr], %k[done]\n"
		"jb 7b\n"
		"addl %k[done], (%[at])\n"
		"2:\n"
		: [at] "=&r"(at), [to] "=&r"(to), [nr] "=&r"(nr), [done] "=&r"(done),
		  [page] "=&r"(page)
		: PX_CS_INPUTS(x, stack_at), [pages] "r"(pages), [count] "r"(count)
		: "memory", "cc");
	return (uint32_t)done;
}

/* Pop up to `count` blocks, the topmost last: how many. */
static inline uint32_t px_cs_pop_many(const struct pagus_posix *x, uint64_t stack_at,
				      uint32_t *pages, uint32_t count)
{
	uint64_t at, from, nr, done;
	uint32_t page;

	__asm__ volatile(
		PX_CS_BEGIN("xorl %k[done], %k[done]\n")
		"movl (%[at]), %k[nr]\n"
		"movl %k[nr], %k[from]\n"
		"cmpl %[count], %k[nr]\n"
		"cmoval %[count], %k[nr]\n"
		"subl %k[nr], %k[from]\n"
		"testl %k[nr], %k[nr]\n"
		"jz 2f\n"
		"leaq 8(%[at], %[from], 4), %[from]\n"
		"7: movl (%[from], %[done], 4), %[page]\n"
		"movl %[page], (%[pages], %[done], 4)\n"
		"incl %k[done]\n"
		"cmpl %k[nr], %k[done]\n"
		"jb 7b\n"
		"subl %k[done], (%[at])\n"
		"2:\n"
		: [at] "=&r"(at), [from] "=&r"(from), [nr] "=&r"(nr), [done] "=&r"(done),
		  [page] "=&r"(page)
		: PX_CS_INPUTS(x, stack_at), [pages] "r"(pages), [count] "r"(count)
		: "memory", "cc");
	return (uint32_t)done;
}

#endif
