/* SPDX-License-Identifier: MIT */
/*
 * The CPU that a thread is on. The number is a hint: the thread may be elsewhere by the time it is
 * used, so nothing but speed depends on it.
 */
#include "gate.h"

#include <sched.h>
#include <stddef.h>

/* Of glibc 2.35 and later; elsewhere their addresses are NULL. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/* The head of the kernel's struct rseq. */
struct rseq_head {
	uint32_t cpu_id_start;
	uint32_t cpu_id; /* negative as int32_t where the thread is not registered */
};

/* Two reads of one address need not agree: the compiler may not make one of them. */
static uint32_t load_rseq_cpu(void)
{
	const char *thread = __builtin_thread_pointer();
	const struct rseq_head *head = (const void *)(thread + __rseq_offset);

	return __atomic_load_n(&head->cpu_id, __ATOMIC_RELAXED);
}

uint32_t px_cpu_now(void)
{
	return load_rseq_cpu();
}

static bool has_rseq(void)
{
	return &__rseq_offset && &__rseq_size && __rseq_size >= sizeof(struct rseq_head) &&
	       (int32_t)load_rseq_cpu() >= 0;
}

static bool has_getcpu(void)
{
	return sched_getcpu() >= 0;
}

static bool has_thread(void)
{
	return true;
}

static uint32_t fold(const struct pagus_posix *x, uint32_t number)
{
	return number < x->nr_cpus ? number : number % x->nr_cpus;
}

static uint32_t pin_by_thread(void *ctx)
{
	return fold(ctx, px_gate_enter()->number);
}

static uint32_t pin_by_getcpu(void *ctx)
{
	const struct px_thread *me = px_gate_enter();
	int cpu = sched_getcpu();

	return fold(ctx, cpu < 0 ? me->number : (uint32_t)cpu);
}

static uint32_t pin_by_rseq(void *ctx)
{
	const struct px_thread *me = px_gate_enter();
	uint32_t cpu = load_rseq_cpu();

	/* A thread whose registration the kernel refused. */
	return fold(ctx, px_unlikely((int32_t)cpu < 0) ? me->number : cpu);
}

uint32_t px_cpu_pin_tick(void *ctx)
{
	const struct pagus_posix *x = ctx;

	px_gate_enter();
	return x->tick_cpu;
}

static void unpin(void *ctx)
{
	(void)ctx;
	px_gate_leave();
}

/* Best first, but for BEST itself. */
static const struct {
	const char *name;
	bool (*is_there)(void);
	uint32_t (*pin)(void *ctx);
} sources[] = {
	[PAGUS_POSIX_CPU_BEST] = { "best", NULL, NULL },
	[PAGUS_POSIX_CPU_RSEQ] = { "rseq", has_rseq, pin_by_rseq },
	[PAGUS_POSIX_CPU_GETCPU] = { "sched_getcpu", has_getcpu, pin_by_getcpu },
	[PAGUS_POSIX_CPU_THREAD] = { "thread", has_thread, pin_by_thread },
};

enum pagus_status px_cpu_choose(struct pagus_posix *x, enum pagus_posix_cpu_source wanted)
{
	uint32_t source = wanted;

	if (source >= PAGUS_POSIX_NR_CPU_SOURCES)
		return px_error(PAGUS_BAD_CONFIG, "cpu_source %u: there is none", source);
	if (source == PAGUS_POSIX_CPU_BEST)
		for (source = PAGUS_POSIX_CPU_RSEQ; !sources[source].is_there();)
			source++;
	if (!sources[source].is_there())
		return px_error(PAGUS_BAD_CONFIG, "cpu_source: this system has no %s",
				sources[source].name);
	x->cpu_source = (enum pagus_posix_cpu_source)source;
	x->port.cpu_pin = sources[source].pin;
	x->port.cpu_unpin = unpin;
	return PAGUS_OK;
}

const char *pagus_posix_cpu_source(const struct pagus_posix *x)
{
	return sources[x->cpu_source].name;
}
