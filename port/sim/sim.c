/* SPDX-License-Identifier: MIT */
#include <pagus/sim.h>

#include <assert.h>

#include "owner.h"

static uint32_t cpu_pin(void *ctx)
{
	struct pagus_sim *sim = ctx;

	/* A call inside another is one that takes no lock by force. */
	assert(sim->pins < 2);
	sim->pins++;
	return sim->cpu;
}

static void cpu_unpin(void *ctx)
{
	struct pagus_sim *sim = ctx;

	assert(sim->pins > 0);
	sim->pins--;
}

/*
 * A second lock of one class, or a pcp lock inside a zone lock, could deadlock with real threads.
 */
static bool may_lock(const struct pagus_sim *sim, enum pagus_lock_class cls)
{
	return !sim->hold[cls].held &&
	       (cls == PAGUS_LOCK_ZONE || !sim->hold[PAGUS_LOCK_ZONE].held);
}

static void take(struct pagus_sim *sim, enum pagus_lock_class cls, uint32_t index,
		 enum pagus_lock_reason why)
{
	sim->hold[cls].held = true;
	sim->hold[cls].index = index;
	sim->hold[cls].why = why;
	sim->ledger[cls][why].acquisitions++;
}

static void lock(void *ctx, enum pagus_lock_class cls, uint32_t index, enum pagus_lock_reason why)
{
	struct pagus_sim *sim = ctx;

	assert(may_lock(sim, cls));
	take(sim, cls, index, why);
}

static bool trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
		    enum pagus_lock_reason why)
{
	struct pagus_sim *sim = ctx;

	if (sim->trylock_fail_at && --sim->trylock_fail_at == 0)
		return false;
	/* Inside another call that may hold anything: what is only tried cannot deadlock. */
	if (sim->pins > 1 && sim->hold[cls].held)
		return false;
	assert(sim->pins > 1 || may_lock(sim, cls));
	take(sim, cls, index, why);
	return true;
}

static void unlock(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work)
{
	struct pagus_sim *sim = ctx;
	struct pagus_sim_ledger *ledger = &sim->ledger[cls][sim->hold[cls].why];

	assert(sim->hold[cls].held && sim->hold[cls].index == index);
	sim->hold[cls].held = false;
	ledger->work += work;
	if (work > ledger->max_work)
		ledger->max_work = work;
}

static uint32_t distance(void *ctx, uint32_t from, uint32_t to)
{
	const struct pagus_sim *sim = ctx;

	if (!sim->distances || from >= sim->nr_nodes || to >= sim->nr_nodes)
		return from == to ? 10 : 20;
	return sim->distances[from * sim->nr_nodes + to];
}

const struct pagus_port pagus_sim_port = {
	.cpu_pin = cpu_pin, .cpu_unpin = cpu_unpin,
	.lock = lock, .trylock = trylock, .unlock = unlock, .distance = distance,
};

const struct pagus_port pagus_sim_owner_port = {
	.cpu_pin = cpu_pin, .cpu_unpin = cpu_unpin,
	.lock = lock, .trylock = trylock, .unlock = unlock, .distance = distance,
	.task_flags = sim_task_flags, .traits = sim_traits, .isolate = sim_isolate, .move = sim_move,
	.putback = sim_putback,
};

void pagus_sim_init(struct pagus_sim *sim, uint32_t nr_cpus)
{
	*sim = (struct pagus_sim){ .nr_cpus = nr_cpus };
}

void pagus_sim_on(struct pagus_sim *sim, uint32_t cpu, uint64_t now)
{
	assert(cpu < sim->nr_cpus);
	sim->cpu = cpu;
	if (now > sim->now)
		sim->now = now;
}

struct pagus_sim_ledger pagus_sim_total(const struct pagus_sim *sim, enum pagus_lock_class cls)
{
	struct pagus_sim_ledger sum = { 0 };

	for (uint32_t why = 0; why < PAGUS_NR_LOCK_REASONS; why++) {
		const struct pagus_sim_ledger *row = &sim->ledger[cls][why];

		sum.acquisitions += row->acquisitions;
		sum.work += row->work;
		if (row->max_work > sum.max_work)
			sum.max_work = row->max_work;
	}
	return sum;
}
