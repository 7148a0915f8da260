/* SPDX-License-Identifier: MIT */
/*
 * CPUs come and go, and with them their pcps; a zone's pcps can be switched off while its pages
 * must not hide on them. (page_alloc_cpu_online, page_alloc_cpu_dead, zone_pcp_disable)
 *
 * In the kernel a mutex guards the limits. It is held as long as a zone's pcps are off. Who would
 * switch off another's waits for that as the port waits; all others get BUSY.
 */
#include "pcp/pcp.h"

#include "mem/cpu.h"
#include "pcp/cache.h"

#define MAX_WAITS 500

/* Who works on the pcp reads its limits under its lock: all of one set. */
static void set_limits(struct pg_call *c, struct pg_pcp *pcp, uint32_t high_min, uint32_t high_max,
		       uint32_t batch)
{
	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
	pg_write(pcp->high_min, high_min);
	pg_write(pcp->high_max, high_max);
	pg_write(pcp->batch, batch);
	pg_pcp_unlock(c, pcp);
}

static void publish_limits(struct pg_call *c, struct pg_zone *z)
{
	for (uint32_t cpu = 0; cpu < c->st->nr_cpus; cpu++)
		set_limits(c, pg_pcp(c->st, z->id, cpu), z->pcp_high_min, z->pcp_high_max,
			   z->pcp_batch);
}

void pg_pcp_publish_limits(struct pg_call *c)
{
	for (uint32_t id = 0; id < c->st->nr_zones; id++)
		publish_limits(c, pg_zone(c->st, id));
}

static void update_limits(struct pg_call *c)
{
	/* Before the marks are set up there is nothing to compute them from. */
	for (uint32_t id = 0; id < c->st->nr_zones && c->st->booted; id++)
		pg_watermark_plan_pcp_limits(c->st, pg_zone(c->st, id));
	if (c->st->booted)
		pg_pcp_publish_limits(c);
	pg_watermark_set_thresholds(c->st, PAGUS_NO_NODE, false);
}

/* The pcp holds nothing from now on, and takes nothing, but what its own CPU gives it. */
static void retire(struct pg_call *c, struct pg_zone *z, uint32_t cpu)
{
	const struct pg_pcp_ops *ops = pg_pcps[c->st->pcp_policy];

	pg_cache_close(c, z, cpu);
	if (ops->retire)
		ops->retire(c, z, pg_pcp(c->st, z->id, cpu));
	else
		pg_pcp_drain_all(c, z, cpu);
}

static void revive(const struct pagus_state *st, uint32_t zone, uint32_t cpu)
{
	const struct pg_pcp_ops *ops = pg_pcps[st->pcp_policy];

	if (ops->revive)
		ops->revive(pg_pcp(st, zone, cpu));
}

enum pagus_status pg_cpu_down(struct pg_call *c, uint32_t cpu)
{
	struct pagus_state *st = c->st;

	if (cpu >= st->nr_cpus)
		return PAGUS_BAD_VALUE;
	if (cpu == c->cpu || !pg_cpu_online(st, cpu) || pg_atomic_load(&st->pcp_disabled))
		return PAGUS_BUSY;
	st->cpu_offline[cpu / 64] |= UINT64_C(1) << cpu % 64;
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		retire(c, pg_zone(st, id), cpu);
		pg_account_fold(st, pg_zone(st, id), cpu);
	}
	update_limits(c);
	return PAGUS_OK;
}

enum pagus_status pg_cpu_up(struct pg_call *c, uint32_t cpu)
{
	struct pagus_state *st = c->st;

	if (cpu >= st->nr_cpus)
		return PAGUS_BAD_VALUE;
	if (pg_cpu_online(st, cpu) || pg_atomic_load(&st->pcp_disabled))
		return PAGUS_BUSY;
	/* The limits are computed before the CPU is one of its node's. */
	st->cpu_coming = 1;
	update_limits(c);
	st->cpu_coming = 0;
	st->cpu_offline[cpu / 64] &= ~(UINT64_C(1) << cpu % 64);
	for (uint32_t id = 0; id < st->nr_zones; id++)
		revive(st, id, cpu);
	pg_watermark_set_thresholds(st, PAGUS_NO_NODE, false);
	return PAGUS_OK;
}

/* Each turn in vain is an exchange that failed without a cause. */
static bool hold_limits(struct pagus_state *st, uint32_t as)
{
	uint32_t none = 0;

	while (!pg_atomic_replace(&st->pcp_disabled, &none, as))
		if (none)
			return false;
	return true;
}

bool pg_pcp_hold_limits(struct pagus_state *st)
{
	return hold_limits(st, UINT32_MAX);
}

static bool wait_for_limits(struct pg_call *c, uint32_t as)
{
	const struct pagus_port *port = c->p->port;
	bool held = hold_limits(c->st, as);

	for (uint32_t n = 0; n < MAX_WAITS && !held && port->wait; n++) {
		pg_call_end(c);
		port->wait(c->p->port_ctx, PAGUS_WAIT_PCP);
		pg_call_resume(c);
		held = hold_limits(c->st, as);
	}
	return held;
}

void pg_pcp_release_limits(struct pagus_state *st)
{
	pg_atomic_store(&st->pcp_disabled, 0);
}

void pg_pcp_revive(struct pg_call *c, const struct pg_zone *z)
{
	for (uint32_t cpu = 0; cpu < c->st->nr_cpus; cpu++) {
		struct pg_pcp *pcp = pg_pcp(c->st, z->id, cpu);

		pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_DRAIN);
		if (pg_cpu_online(c->st, cpu))
			revive(c->st, z->id, cpu);
		pg_pcp_unlock(c, pcp);
	}
}

enum pagus_status pg_pcp_disable(struct pg_call *c, uint32_t zone)
{
	struct pagus_state *st = c->st;

	if (zone >= st->nr_zones)
		return PAGUS_BAD_VALUE;
	if (!wait_for_limits(c, zone + 1))
		return PAGUS_BUSY;
	/* What was begun with the old limits ends before they change, and its pages are drained. */
	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++) {
		set_limits(c, pg_pcp(st, zone, cpu), 0, 0, 1);
		retire(c, pg_zone(st, zone), cpu);
	}
	return PAGUS_OK;
}

enum pagus_status pg_pcp_enable(struct pg_call *c, uint32_t zone)
{
	struct pagus_state *st = c->st;
	struct pg_zone *z = pg_zone(st, zone);

	if (zone >= st->nr_zones)
		return PAGUS_BAD_VALUE;
	if (pg_atomic_load(&st->pcp_disabled) != zone + 1)
		return PAGUS_BUSY;
	pg_pcp_revive(c, z);
	publish_limits(c, z);
	pg_pcp_release_limits(st);
	return PAGUS_OK;
}
