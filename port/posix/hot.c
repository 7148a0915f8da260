/* SPDX-License-Identifier: MIT */
/*
 * Borrowing and giving back. A loan is published by the store of `free`, and withdrawn by storing
 * NULL there; after that no sequence that has read the old value may finish. One on another CPU is
 * made to begin anew by membarrier; on this CPU no other thread is in the middle of one: it has been
 * preempted, and begins anew by that.
 */
#include "gate.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pagus/loan.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cs.h"

/* Calls in a row before a pageblock is borrowed: a loan costs as much as some calls. */
#define WANTED 2
#define PUT    4

/* Without an atomic: a count may be lost. */
static uint32_t bump(uint32_t *count)
{
	uint32_t now = __atomic_load_n(count, __ATOMIC_RELAXED) + 1;

	__atomic_store_n(count, now, __ATOMIC_RELAXED);
	return now;
}

static bool barrier_registered(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0) == 0;
}

void px_hot_create(struct pagus_posix *x, const uint32_t *cpu_node)
{
	/* Two CPUs of one number would be in sequences at once. */
	if (!PX_HAS_CS || x->cpu_source != PAGUS_POSIX_CPU_RSEQ ||
	    x->nr_cpus < (uint32_t)sysconf(_SC_NPROCESSORS_CONF) || !barrier_registered())
		return;
	x->hot = px_map_own(x->nr_cpus * sizeof(*x->hot));
	if (!x->hot)
		return;
	x->port.loan_begin = px_hot_begin;
	x->port.loan_end = px_hot_end;
	for (uint32_t cpu = 0; cpu < x->nr_cpus; cpu++)
		x->hot[cpu].zone = cpu_node[cpu];
}

/* Pages may not be kept in maps, so that there is nothing to borrow. */
void px_hot_settle(struct pagus_posix *x, pagus_pfn_t first)
{
	struct pagus_pcp_info info;

	if (x->hot && pagus_lend(&x->p, first, PAGUS_MOVABLE) == PAGUS_UNSUPPORTED)
		px_hot_destroy(x);
	for (uint32_t cpu = 0; x->hot && cpu < x->nr_cpus; cpu++) {
		pagus_pcp_info(&x->p, x->hot[cpu].zone, cpu, &info);
		x->hot[cpu].most_waiting = info.high_max / 2 + info.batch;
	}
}

void px_hot_destroy(struct pagus_posix *x)
{
	if (x->hot)
		munmap(x->hot, x->nr_cpus * sizeof(*x->hot));
	x->hot = NULL;
}

void px_hot_renew(void)
{
	barrier_registered();
}

bool px_hot_begin(void *ctx, uint32_t zone, const struct pagus_loan *loan)
{
	struct pagus_posix *x = ctx;
	struct px_hot *hot = &x->hot[loan->cpu];

	if (zone != hot->zone || __atomic_load_n(&px_gate_closed, __ATOMIC_ACQUIRE))
		return false;
	hot->base = pagus_posix_pointer(x, loan->start_pfn);
	hot->word = 0;
	hot->remote = loan->remote;
	memcpy(hot->single, loan->single, sizeof(hot->single));
	hot->type = loan->type;
	__atomic_store_n(&hot->free, loan->free, __ATOMIC_RELEASE);
	return true;
}

void px_hot_end(void *ctx, uint32_t zone, uint32_t cpu)
{
	struct pagus_posix *x = ctx;
	int saved = errno;

	(void)zone;
	__atomic_store_n(&x->hot[cpu].free, NULL, __ATOMIC_SEQ_CST);
	/* Before Linux 5.10 it cannot be told which CPU: then all are. */
	if (px_cpu_now() != cpu &&
	    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
		    MEMBARRIER_CMD_FLAG_CPU, cpu))
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0);
	errno = saved;
}

void px_hot_stop(struct pagus_posix *x)
{
	for (uint32_t cpu = 0; x->hot && cpu < x->nr_cpus; cpu++)
		pagus_loan_end(&x->p, x->hot[cpu].zone, cpu);
}

void px_hot_missed(struct pagus_posix *x, pagus_pfn_t pfn, uint32_t gfp)
{
	uint32_t cpu = px_cpu_now();
	struct px_hot *hot;

	if (cpu >= x->nr_cpus || x->p.listener_mask)
		return;
	hot = &x->hot[cpu];
	if (bump(&hot->wanted) < WANTED)
		return;
	/* What has used up one pageblock is given the next at once. */
	if (pagus_lend(&x->p, pfn, (enum pagus_migratetype)px_hot_type(gfp)) == PAGUS_OK)
		__atomic_store_n(&hot->wanted, WANTED - 1, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&hot->wanted, 0, __ATOMIC_RELAXED);
}

void px_hot_put_missed(struct pagus_posix *x, pagus_pfn_t pfn)
{
	uint32_t cpu = px_cpu_now(), block = (uint32_t)(pfn >> (PX_HUGE_BITS - PX_PAGE_BITS));
	struct px_hot *hot;

	if (cpu >= x->nr_cpus)
		return;
	hot = &x->hot[cpu];
	/* Of the counts little depends: two threads may have taken turns on the CPU. */
	if (bump(&hot->waiting) >= hot->most_waiting) {
		__atomic_store_n(&hot->waiting, 0, __ATOMIC_RELAXED);
		for (uint32_t zone = 0; zone < x->nr_nodes; zone++)
			pagus_loan_end(&x->p, zone, cpu);
	}
	if (__atomic_load_n(&hot->put_block, __ATOMIC_RELAXED) != block) {
		__atomic_store_n(&hot->put_block, block, __ATOMIC_RELAXED);
		__atomic_store_n(&hot->put, 0, __ATOMIC_RELAXED);
	} else if (bump(&hot->put) == PUT) {
		pagus_lend(&x->p, pfn, PAGUS_NR_MIGRATETYPES);
	}
}
