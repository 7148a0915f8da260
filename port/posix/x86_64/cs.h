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

/*
 * Where the thread's struct rseq has cpu_id and rseq_cs, and what to write there. Then the stack's
 * two counts are in `nr` and `most`, if it may be used.
 */
#define PX_CS_BEGIN                                                                                \
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
	"0: leaq 3b(%%rip), %[hot]\n"                                                             \
	"movq %[hot], %%fs:8(%[rseq])\n"                                                          \
	"1: movl %%fs:4(%[rseq]), %k[hot]\n"                                                      \
	"cmpl %[nr_cpus], %k[hot]\n"                                                              \
	"jae 5f\n"                                                                                \
	"shlq $15, %[hot]\n"                                                                      \
	"addq %[hots], %[hot]\n"                                                                  \
	"movl 4(%[hot], %[stack], 8), %k[most]\n"                                               \
	"testl %k[most], %k[most]\n"                                                              \
	"jz 5f\n"                                                                                \
	"movl (%[hot], %[stack], 8), %k[nr]\n"

/* Pop a block of the CPU's stack; PX_HOT_NO_PAGE if it has none. */
static inline uint32_t px_cs_pop(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack)
{
	uint64_t hot, nr, most;

	__asm__ volatile(
		PX_CS_BEGIN
		"decl %k[nr]\n"
		"js 5f\n"
		"movl %k[stack], %k[most]\n"
		"shll $7, %k[most]\n"
		"addl %k[nr], %k[most]\n"
		"movl 512(%[hot], %[most], 4), %k[most]\n"
		"movl %k[nr], (%[hot], %[stack], 8)\n"
		"2: jmp 6f\n"
		"5: movl $-1, %k[most]\n"
		"6:\n"
		: [hot] "=&r"(hot), [nr] "=&r"(nr), [most] "=&r"(most)
		: [rseq] "r"(__rseq_offset), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots),
		  [stack] "r"(stack)
		: "memory", "cc");
	return (uint32_t)most;
}

/* Push a block onto the CPU's stack. False, and nothing is done: it is full, or not to be used. */
static inline bool px_cs_push(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack, uint32_t page)
{
	uint64_t hot, nr, most;

	__asm__ volatile(
		PX_CS_BEGIN
		"cmpl %k[most], %k[nr]\n"
		"jae 5f\n"
		"movl %k[stack], %k[most]\n"
		"shll $7, %k[most]\n"
		"addl %k[nr], %k[most]\n"
		"movl %[page], 512(%[hot], %[most], 4)\n"
		"incl %k[nr]\n"
		"movl %k[nr], (%[hot], %[stack], 8)\n"
		"2: movl $1, %k[most]\n"
		"jmp 6f\n"
		"5: xorl %k[most], %k[most]\n"
		"6:\n"
		: [hot] "=&r"(hot), [nr] "=&r"(nr), [most] "=&r"(most)
		: [rseq] "r"(__rseq_offset), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots),
		  [stack] "r"(stack), [page] "r"(page)
		: "memory", "cc");
	return most;
}

/* Push as many of the blocks as there is room for, the first of them: how many. */
static inline uint32_t px_cs_push_many(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack,
				       const uint32_t *pages, uint32_t count)
{
	uint64_t hot, nr, most, done;
	uint32_t page;

	__asm__ volatile(
		PX_CS_BEGIN
		"xorl %k[done], %k[done]\n"
		"subl %k[nr], %k[most]\n"
		"jbe 5f\n"
		"cmpl %[count], %k[most]\n"
		"cmoval %[count], %k[most]\n"
		"movl %k[stack], %k[done]\n"
		"shll $7, %k[done]\n"
		"addq %[done], %[nr]\n"
		"leaq 512(%[hot], %[nr], 4), %[nr]\n"
		"xorl %k[done], %k[done]\n"
		"7: movl (%[pages], %[done], 4), %[page]\n"
		"movl %[page], (%[nr], %[done], 4)\n"
		"incl %k[done]\n"
		"cmpl %k[most], %k[done]\n"
		"jb 7b\n"
		"movl (%[hot], %[stack], 8), %k[nr]\n"
		"addl %k[done], %k[nr]\n"
		"movl %k[nr], (%[hot], %[stack], 8)\n"
		"2: jmp 6f\n"
		"5: xorl %k[done], %k[done]\n"
		"6:\n"
		: [hot] "=&r"(hot), [nr] "=&r"(nr), [most] "=&r"(most), [done] "=&r"(done),
		  [page] "=&r"(page)
		: [rseq] "r"(__rseq_offset), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots),
		  [stack] "r"(stack), [pages] "r"(pages), [count] "r"(count)
		: "memory", "cc");
	return (uint32_t)done;
}

/* Pop up to `count` blocks, the topmost last: how many. */
static inline uint32_t px_cs_pop_many(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack,
				      uint32_t *pages, uint32_t count)
{
	uint64_t hot, nr, most, done;
	uint32_t page;

	__asm__ volatile(
		PX_CS_BEGIN
		"movl %k[nr], %k[most]\n"
		"cmpl %[count], %k[most]\n"
		"cmoval %[count], %k[most]\n"
		"testl %k[most], %k[most]\n"
		"jz 5f\n"
		"subl %k[most], %k[nr]\n"
		"movl %k[stack], %k[done]\n"
		"shll $7, %k[done]\n"
		"addq %[nr], %[done]\n"
		"leaq 512(%[hot], %[done], 4), %[nr]\n"
		"xorl %k[done], %k[done]\n"
		"7: movl (%[nr], %[done], 4), %[page]\n"
		"movl %[page], (%[pages], %[done], 4)\n"
		"incl %k[done]\n"
		"cmpl %k[most], %k[done]\n"
		"jb 7b\n"
		"movl (%[hot], %[stack], 8), %k[nr]\n"
		"subl %k[done], %k[nr]\n"
		"movl %k[nr], (%[hot], %[stack], 8)\n"
		"2: jmp 6f\n"
		"5: xorl %k[done], %k[done]\n"
		"6:\n"
		: [hot] "=&r"(hot), [nr] "=&r"(nr), [most] "=&r"(most), [done] "=&r"(done),
		  [page] "=&r"(page)
		: [rseq] "r"(__rseq_offset), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots),
		  [stack] "r"(stack), [pages] "r"(pages), [count] "r"(count)
		: "memory", "cc");
	return (uint32_t)done;
}

#endif
