/* SPDX-License-Identifier: MIT */
/*
 * Opening, filling, spilling and closing. A cache is closed by having sequences find another in its
 * place; after that none that has found it may finish. One on another CPU is made to begin
 * anew by membarrier; on this CPU no other thread is in the middle of one: it has been preempted,
 * and begins anew by that. Then the stacks are the closer's.
 */
#include "gate.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pagus/cache.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cs.h"

#define BATCH     127u /* blocks, at most, that a fill brings besides the one, and a spill takes */
#define SHARE     64u /* of the pages that a CPU may keep, one in so many in each stack; */
#define ONE_SHARE 16u /* and one block that is no more than one in so many */
#define RETRY     64u /* fills between two attempts to open, after one was refused */

struct px_hot px_hot_closed;

static bool barrier_registered(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0) == 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

void px_hot_create(struct pagus_posix *x, const struct pagus_posix_config *config,
		   const uint32_t *cpu_node)
{
	/* Two CPUs of one number would be in sequences at once. */
	if (!PX_HAS_CS || config->no_cache || x->cpu_source != PAGUS_POSIX_CPU_RSEQ ||
	    x->nr_cpus < (uint32_t)sysconf(_SC_NPROCESSORS_CONF) || !barrier_registered())
		return;
	x->hot = px_map_own(x->nr_cpus * sizeof(*x->hot));
	x->page_stack = px_map_own(x->span >> PX_PAGE_BITS);
	if (!x->hot || !x->page_stack) {
		px_hot_destroy(x);
		return;
	}
	x->cs.rseq = px_cs_area();
	x->cs.last_cpu = x->nr_cpus - 1;
	for (uint32_t cpu = 0; cpu < x->nr_cpus; cpu++)
		x->cs.open[cpu] = &px_hot_closed;
	x->hot_pages = x->nr_nodes == 1 ? x->span >> PX_PAGE_BITS : 0;
	x->hot_orders = PX_HOT_ORDERS;
	x->port.cache_open = px_hot_open;
	x->port.cache_close = px_hot_close;
	for (uint32_t cpu = 0; cpu < x->nr_cpus; cpu++)
		x->hot[cpu].zone = cpu_node[cpu];
}

/* Where pages are not kept in maps no cache is ever open. */
void px_hot_settle(struct pagus_posix *x)
{
	if (x->hot && pagus_cache_open(&x->p, 0) == PAGUS_UNSUPPORTED)
		px_hot_destroy(x);
}

uint64_t px_hot_bytes(const struct pagus_posix *x)
{
	return x->hot ? x->nr_cpus * sizeof(*x->hot) + (x->span >> PX_PAGE_BITS) : 0;
}

void px_hot_destroy(struct pagus_posix *x)
{
	if (x->hot)
		munmap(x->hot, x->nr_cpus * sizeof(*x->hot));
	if (x->page_stack)
		munmap(x->page_stack, x->span >> PX_PAGE_BITS);
	x->hot = NULL;
	x->page_stack = NULL;
	x->hot_pages = 0;
	x->hot_orders = 0;
}

void px_hot_renew(void)
{
	barrier_registered();
}

/* ---- open and close -------------------------------------------------------------------------- */

static uint32_t most_of(uint32_t order, uint32_t pages)
{
	uint32_t most = pages / SHARE >> order;

	if (most == 0 && pages / ONE_SHARE >> order)
		most = 1;
	return most < PX_HOT_SLOTS ? most : PX_HOT_SLOTS;
}

/* Under the pcp's lock: who closes meanwhile is not waited for. */
bool px_hot_open(void *ctx, uint32_t zone, uint32_t cpu, uint32_t pages)
{
	struct pagus_posix *x = ctx;
	struct px_hot *hot = x->hot ? &x->hot[cpu] : NULL;

	if (!hot || zone != hot->zone || __atomic_load_n(&px_gate_closed, __ATOMIC_ACQUIRE) ||
	    !px_lock_try(&hot->lock))
		return false;
	for (uint32_t n = 1; n < PX_HOT_STACKS; n++)
		if ((n - 1) % 4 < PX_HOT_TYPES)
			__atomic_store_n(&hot->stack[n].most, most_of(px_hot_order(n), pages),
					 __ATOMIC_RELAXED);
	__atomic_store_n(&x->cs.open[cpu], hot, __ATOMIC_RELEASE);
	px_lock_release(&hot->lock);
	return true;
}

static bool shut(struct pagus_posix *x, uint32_t cpu)
{
	struct px_hot *closed = &px_hot_closed;

	return __atomic_exchange_n(&x->cs.open[cpu], closed, __ATOMIC_SEQ_CST) != closed;
}

/* From its return on no sequence of the CPU that had begun before it stores. */
static void abort_sequences(uint32_t cpu)
{
	int saved = errno;

	/* Before Linux 5.10 it cannot be told which CPU: then all are. */
	if (px_cpu_now() != cpu &&
	    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
		    MEMBARRIER_CMD_FLAG_CPU, cpu))
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0);
	errno = saved;
}

/* Free blocks that are in no cache any more. */
static void spill(struct pagus_posix *x, uint32_t stack, const uint32_t *pages, uint32_t nr)
{
	pagus_pfn_t pfns[PX_HOT_SLOTS];

	for (uint32_t n = 0; n < nr; n++) {
		pfns[n] = pages[n];
		__atomic_store_n(&x->page_stack[pages[n]], 0, __ATOMIC_RELAXED);
	}
	pagus_cache_spill(&x->p, pfns, nr, px_hot_order(stack));
}

static void empty(struct pagus_posix *x, uint32_t cpu)
{
	struct px_hot *hot = &x->hot[cpu];
	bool was_open;

	/* Who closes the gate takes the lock: with it held nobody may wait there. */
	px_gate_enter();
	px_lock_take(&hot->lock);
	was_open = shut(x, cpu);
	if (was_open)
		abort_sequences(cpu);
	for (uint32_t n = 0; n < PX_HOT_STACKS && was_open; n++) {
		uint32_t nr = hot->stack[n].nr;

		hot->stack[n].nr = 0;
		if (nr)
			spill(x, n, hot->stack[n].page, nr);
	}
	px_lock_release(&hot->lock);
	px_gate_leave();
}

void px_hot_close(void *ctx, uint32_t zone, uint32_t cpu)
{
	struct pagus_posix *x = ctx;

	if (x->hot && zone == x->hot[cpu].zone)
		empty(x, cpu);
}

void px_hot_stop(struct pagus_posix *x)
{
	for (uint32_t cpu = 0; x->hot && cpu < x->nr_cpus; cpu++)
		empty(x, cpu);
}

bool px_hot_is_near(const struct pagus_posix *x, uint64_t page)
{
	uint32_t cpu = px_cpu_now();

	return cpu < x->nr_cpus &&
	       x->node_of_gib[page >> (PX_GIB_BITS - PX_PAGE_BITS)] == x->hot[cpu].zone;
}

/* ---- fill and spill -------------------------------------------------------------------------- */

/* How many blocks the stack has room for; it is opened if that is due. */
static uint32_t room_of(struct pagus_posix *x, uint32_t stack, uint32_t *zone)
{
	uint32_t cpu = px_cpu_now(), refused;
	struct px_hot *hot;

	if (cpu >= x->nr_cpus)
		return 0;
	hot = &x->hot[cpu];
	*zone = hot->zone;
	if (__atomic_load_n(&x->cs.open[cpu], __ATOMIC_RELAXED) == &px_hot_closed) {
		/* A thread that was moved may count for another CPU, which does no harm. */
		refused = __atomic_load_n(&hot->refused, __ATOMIC_RELAXED);
		__atomic_store_n(&hot->refused, (refused + 1) % RETRY, __ATOMIC_RELAXED);
		if (refused || pagus_cache_open(&x->p, hot->zone) != PAGUS_OK)
			return 0;
		__atomic_store_n(&hot->refused, 0, __ATOMIC_RELAXED);
	}
	return __atomic_load_n(&hot->stack[stack].most, __ATOMIC_RELAXED);
}

static uint32_t fill(struct pagus_posix *x, uint32_t stack, uint32_t gfp)
{
	struct pagus_request req = { .gfp = gfp, .order = px_hot_order(stack), .node = PAGUS_NO_NODE };
	uint32_t room = room_of(x, stack, &req.node), nr, kept, pages[BATCH + 1];
	pagus_pfn_t pfns[BATCH + 1];

	if (room == 0)
		return PX_HOT_NO_PAGE;
	nr = pagus_cache_fill(&x->p, &req, 1 + (room / 2 < BATCH ? room / 2 : BATCH), pfns);
	if (nr == 0)
		return PX_HOT_NO_PAGE;
	/* The first is handed out first, so that addresses rise. */
	for (uint32_t n = 0; n < nr; n++) {
		pages[n] = (uint32_t)pfns[nr - 1 - n];
		__atomic_store_n(&x->page_stack[pages[n]], stack | PX_HOT_CACHED,
				 __ATOMIC_RELAXED);
	}
	nr--;
	kept = nr ? px_cs_push_many(x, px_hot_at(stack), pages, nr) : 0;
	if (kept < nr)
		spill(x, stack, pages + kept, nr - kept);
	return pages[nr];
}

uint32_t px_hot_fill(struct pagus_posix *x, uint32_t stack, uint32_t gfp)
{
	uint32_t page;

	/* So that whoever closes the gate finds no block on its way. */
	px_gate_enter();
	page = fill(x, stack, gfp);
	px_gate_leave();
	return page;
}

void px_hot_spill(struct pagus_posix *x, uint32_t stack, uint32_t page)
{
	uint32_t pages[BATCH + 1], nr;

	px_gate_enter();
	nr = px_cs_pop_many(x, px_hot_at(stack), pages, BATCH);
	/* With those gone there is room for what was put last, which is used again first. */
	if (nr == 0 || !px_cs_push(x, px_hot_at(stack), page))
		pages[nr++] = page;
	spill(x, stack, pages, nr);
	px_gate_leave();
}
