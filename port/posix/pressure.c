/* SPDX-License-Identifier: MIT */
/* What the program does about a shortage, as the port's calls; waiting; a task's flags; content. */
#include "posix.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#define OOM_WAIT_NS      1000000
#define THROTTLE_WAIT_NS 10000000

static _Thread_local uint32_t task_flags __attribute__((tls_model("initial-exec")));

uint32_t *pagus_posix_task_flags(void)
{
	return &task_flags;
}

static uint32_t *flags_of_task(void *ctx)
{
	(void)ctx;
	if (px_unlikely(px_worker_is_to_end()))
		task_flags |= PAGUS_TASK_FATAL_SIGNAL;
	return &task_flags;
}

static uint64_t free_pages(const struct pagus_posix *x)
{
	uint64_t pages = 0;

	for (uint32_t zone = 0; zone < x->nr_nodes; zone++) {
		struct pagus_zone_info info;

		pagus_zone_info(&x->p, zone, &info);
		pages += info.free_pages;
	}
	return pages;
}

/* What CPUs keep, of which some may be without a thread, goes to the zones. */
static uint64_t drain(struct pagus_posix *x)
{
	uint64_t before = free_pages(x), after;

	pagus_drain_all(&x->p);
	after = free_pages(x);
	return after > before ? after - before : 0;
}

/* The program's own pages first: without what they keep, CPUs are slow. */
static uint64_t reclaim(void *ctx, const struct pagus_reclaim *how)
{
	struct pagus_posix *x = ctx;
	uint64_t freed = x->calls.reclaim ? x->calls.reclaim(x->calls_ctx, how) : 0;

	return freed ? freed : drain(x);
}

/* All memory is of the Normal zones. */
static uint64_t reclaimable(void *ctx, uint32_t node, uint32_t zone_type)
{
	const struct pagus_posix *x = ctx;

	return zone_type == PAGUS_ZONE_NORMAL ? x->calls.reclaimable(x->calls_ctx, node) : 0;
}

static enum pagus_compact_result compact(void *ctx, const struct pagus_compact *how)
{
	const struct pagus_posix *x = ctx;

	return x->calls.compact(x->calls_ctx, how);
}

static enum pagus_oom_answer oom(void *ctx, const struct pagus_oom *what)
{
	const struct pagus_posix *x = ctx;

	return x->calls.oom(x->calls_ctx, what);
}

static void wait_a_while(void *ctx, enum pagus_wait why)
{
	const struct timespec moment = {
		.tv_nsec = why == PAGUS_WAIT_THROTTLE ? THROTTLE_WAIT_NS : OOM_WAIT_NS,
	};

	(void)ctx;
	if (why == PAGUS_WAIT_RECLAIM)
		sched_yield();
	else
		nanosleep(&moment, NULL);
}

static void zero(void *ctx, uint64_t pfn, uint32_t order)
{
	memset(pagus_posix_pointer(ctx, pfn), 0, PX_PAGE_BYTES << order);
}

void px_pressure_connect(struct pagus_posix *x, const struct pagus_posix_config *config)
{
	struct pagus_port *port = &x->port;

	if (config->calls)
		x->calls = *config->calls;
	x->calls_ctx = config->ctx;
	port->task_flags = flags_of_task;
	port->wait = wait_a_while;
	port->zero = zero;
	port->reclaim = reclaim;
	if (x->calls.reclaimable)
		port->reclaimable = reclaimable;
	if (x->calls.compact)
		port->compact = compact;
	if (x->calls.oom)
		port->oom = oom;
}
