/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences for x86-64. Each runs from label 1 to label 2, whose store before is the
 * only one that counts; a thread that is moved, preempted or interrupted by a signal in between
 * begins anew at label 0. So what the sequence has read of its CPU's hot pageblock holds when it
 * stores. The kernel checks that the signature stands before the address where it goes on.
 */
#ifndef PX_CS_H
#define PX_CS_H

#include <stddef.h>

#include "hot.h"

#define PX_HAS_CS true

extern const ptrdiff_t __rseq_offset __attribute__((weak));

_Static_assert(sizeof(struct px_hot) == 128, "the sequences multiply by it");
_Static_assert(offsetof(struct px_hot, base) == 8 && offsetof(struct px_hot, word) == 16 &&
	       offsetof(struct px_hot, remote) == 24 && offsetof(struct px_hot, single) == 32 &&
	       offsetof(struct px_hot, type) == 96, "the sequences use these");

/* Where the thread's struct rseq has cpu_id and rseq_cs, and what to write there. */
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
	"shlq $7, %[hot]\n"                                                                       \
	"addq %[hots], %[hot]\n"                                                                  \
	"movq (%[hot]), %[free]\n"                                                                \
	"testq %[free], %[free]\n"                                                                \
	"jz 5f\n"

/* A page of the CPU's hot pageblock; NULL if it has none for requests of this type. */
static inline void *px_cs_take(struct px_hot *hots, uint32_t nr_cpus, uint32_t type)
{
	uint64_t hot, free, word, bits, bit, left;

	__asm__ volatile(
		PX_CS_BEGIN
		"cmpl %[type], 96(%[hot])\n"
		"jne 5f\n"
		"movq 16(%[hot]), %[word]\n"
		"movl $8, %k[left]\n"
		"7: movq (%[free], %[word], 8), %[bits]\n"
		"bsfq %[bits], %[bit]\n"
		"jnz 8f\n"
		"incl %k[word]\n"
		"andl $7, %k[word]\n"
		"decl %k[left]\n"
		"jnz 7b\n"
		"jmp 5f\n"
		"8: movq %[word], 16(%[hot])\n"
		"leaq -1(%[bits]), %[left]\n"
		"andq %[bits], %[left]\n"
		"leaq (%[free], %[word], 8), %[free]\n"
		"shlq $6, %[word]\n"
		"addq %[bit], %[word]\n"
		"shlq $12, %[word]\n"
		"addq 8(%[hot]), %[word]\n"
		"movq %[left], (%[free])\n"
		"2: jmp 6f\n"
		"5: xorl %k[word], %k[word]\n"
		"6:\n"
		: [hot] "=&r"(hot), [free] "=&r"(free), [word] "=&r"(word), [bits] "=&r"(bits),
		  [bit] "=&r"(bit), [left] "=&r"(left)
		: [rseq] "r"(__rseq_offset), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots), [type] "r"(type)
		: "memory", "cc");
	return (void *)word;
}

/* Take back a page of the CPU's hot pageblock. False, and nothing is done: it is not so simple. */
static inline bool px_cs_put(struct px_hot *hots, uint32_t nr_cpus, const void *address)
{
	uint64_t hot, free, page, word, bits;

	__asm__ volatile(
		PX_CS_BEGIN
		"movq %[address], %[page]\n"
		"subq 8(%[hot]), %[page]\n"
		"shrq $12, %[page]\n"
		"cmpq $512, %[page]\n"
		"jae 5f\n"
		"movq %[page], %[word]\n"
		"shrq $6, %[word]\n"
		"movq 32(%[hot], %[word], 8), %[bits]\n"
		"btq %[page], %[bits]\n"
		"jnc 5f\n"
		"movq 24(%[hot]), %[bits]\n"
		"movq (%[bits], %[word], 8), %[bits]\n"
		"btq %[page], %[bits]\n"
		"jc 5f\n"
		"movq (%[free], %[word], 8), %[bits]\n"
		"btsq %[page], %[bits]\n"
		"jc 5f\n"
		"movq %[word], 16(%[hot])\n"
		"movq %[bits], (%[free], %[word], 8)\n"
		"2: movl $1, %k[page]\n"
		"jmp 6f\n"
		"5: xorl %k[page], %k[page]\n"
		"6:\n"
		: [hot] "=&r"(hot), [free] "=&r"(free), [page] "=&r"(page), [word] "=&r"(word),
		  [bits] "=&r"(bits)
		: [rseq] "r"(__rseq_offset), [nr_cpus] "r"(nr_cpus), [hots] "r"(hots),
		  [address] "r"(address)
		: "memory", "cc");
	return page;
}

#endif
