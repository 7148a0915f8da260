/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "clock.h"

#define LEAST_PASSES 3 /* unless one takes far longer than is measured for */
#define SEED         UINT64_C(0x9e3779b97f4a7c15)

/* Noted before any adapter is loaded: some pin the thread that loads them. */
static cpu_set_t allowed_cpus;

__attribute__((constructor)) static void note_cpus(void)
{
	sched_getaffinity(0, sizeof(allowed_cpus), &allowed_cpus);
}

uint32_t crew_nr_cpus(void)
{
	return (uint32_t)CPU_COUNT(&allowed_cpus);
}

/* Worker n runs on the n-th CPU of those that the process was given. */
static void pin_thread(uint32_t number)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed_cpus) && number-- == 0)
			CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void *start_worker(void *arg)
{
	struct worker *w = arg;

	pin_thread(w->number);
	w->self = w->adapter->enter(w->crew->allocator, w->number);
	if (!w->self)
		w->failure = "the adapter does not let a thread in";
	crew_meet(w);
	for (uint32_t n = 0; n < w->crew->nr_workers; n++)
		if (w->crew->workers[n].failure)
			return NULL;
	crew_meet(w);
	w->crew->body(w);
	return NULL;
}

static uint64_t share_of(const struct crew *crew, uint64_t pages)
{
	return (pages >> crew->order) * crew->sixteenths / 16 / crew->nr_workers;
}

static bool equip_worker(struct crew *crew, uint32_t number, uint64_t pages)
{
	struct worker *w = &crew->workers[number];
	uint64_t room = share_of(crew, pages) + 1;

	*w = (struct worker){ .crew = crew, .adapter = crew->adapter, .number = number,
			      .random = SEED + number };
	w->blocks = malloc(room * sizeof(*w->blocks));
	w->orders = malloc(room);
	for (uint64_t n = 0; w->blocks && w->orders && n < room; n++) {
		w->blocks[n] = w;
		w->orders[n] = (uint8_t)crew->order;
	}
	return w->blocks && w->orders;
}

bool crew_equip(struct crew *crew, uint64_t pages)
{
	crew->workers = aligned_alloc(_Alignof(struct worker),
				      crew->nr_workers * sizeof(*crew->workers));
	for (uint32_t n = 0; crew->workers && n < crew->nr_workers; n++)
		if (!equip_worker(crew, n, pages))
			return false;
	return crew->workers;
}

const char *crew_run(struct crew *crew)
{
	pthread_t threads[CREW_MAX_WORKERS];
	const char *failure = NULL;

	pthread_barrier_init(&crew->barrier, NULL, crew->nr_workers);
	/* Who has begun waits for the others, so a thread that cannot be made ends the process. */
	for (uint32_t n = 0; n < crew->nr_workers; n++) {
		crew->workers[n].quota = share_of(crew, crew->pages);
		if (pthread_create(&threads[n], NULL, start_worker, &crew->workers[n]) != 0)
			abort();
	}
	for (uint32_t n = 0; n < crew->nr_workers; n++) {
		pthread_join(threads[n], NULL);
		if (!failure)
			failure = crew->workers[n].failure;
	}
	pthread_barrier_destroy(&crew->barrier);
	return failure;
}

void crew_meet(struct worker *w)
{
	pthread_barrier_wait(&w->crew->barrier);
}

bool crew_again(struct worker *w)
{
	const struct phase *first = &w->phases[0];
	uint64_t least = w->crew->least_ns;

	crew_meet(w);
	if (w->number == 0)
		w->crew->again = !w->failure && ++w->crew->passes < CREW_MAX_PASSES &&
				 (first->ns < least ||
				  (w->crew->passes < LEAST_PASSES && first->ns < 8 * least));
	crew_meet(w);
	return w->crew->again;
}

/* How often the calling thread has lost its CPU to another. */
static long times_lost(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

uint64_t worker_note(struct worker *w, uint32_t number, uint64_t start, uint64_t ops)
{
	struct phase *phase = &w->phases[number];
	uint64_t now = clock_ns();
	long lost;

	phase->ns += now - start;
	phase->ops += ops;
	phase->open_ns += now - start;
	phase->open_ops += ops;
	if (phase->open_ns < w->crew->least_ns / CREW_SLICES)
		return now;
	lost = times_lost();
	if (lost == phase->lost) {
		phase->kept_ns += phase->open_ns;
		phase->kept_ops += phase->open_ops;
	}
	phase->lost = lost;
	phase->open_ns = phase->open_ops = 0;
	return clock_ns();
}

double worker_result(const struct worker *w, uint32_t number)
{
	const struct phase *phase = &w->phases[number];

	if (phase->kept_ops)
		return (double)phase->kept_ns / (double)phase->kept_ops;
	return phase->ops ? (double)phase->ns / (double)phase->ops : 0;
}
