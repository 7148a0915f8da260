/* SPDX-License-Identifier: MIT */
/* An instance: from a configuration to memory handed over, and its end. */
#include "gate.h"
#include "handle.h"
#include "hot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEFAULT_POLICY "pcpbuddy-bitmap"

/* ---- from the configuration ------------------------------------------------------------------ */

static enum pagus_status check(const struct pagus_posix_config *config)
{
	if (config->nr_nodes > PAGUS_MAX_NODES)
		return px_error(PAGUS_BAD_CONFIG, "nr_nodes: %u are more than %u", config->nr_nodes,
				PAGUS_MAX_NODES);
	if (config->nr_nodes && config->bytes)
		return px_error(PAGUS_BAD_CONFIG, "bytes: the nodes have their own");
	if (config->nr_cpus > PAGUS_MAX_CPUS)
		return px_error(PAGUS_BAD_CONFIG, "nr_cpus: %u are more than %u", config->nr_cpus,
				PAGUS_MAX_CPUS);
	if (config->nr_cma > PAGUS_MAX_CMA_AREAS)
		return px_error(PAGUS_BAD_CONFIG, "nr_cma: %u are more than %u", config->nr_cma,
				PAGUS_MAX_CMA_AREAS);
	if ((uint32_t)config->backing >= PAGUS_POSIX_NR_BACKINGS)
		return px_error(PAGUS_BAD_CONFIG, "backing %u: there is none", config->backing);
	if (config->huge_pages && config->backing == PAGUS_POSIX_HUGETLB)
		return px_error(PAGUS_BAD_CONFIG, "huge_pages: HUGETLB memory is of huge pages");
	if (config->lazy_discard && config->backing != PAGUS_POSIX_ANONYMOUS)
		return px_error(PAGUS_BAD_CONFIG, "lazy_discard: MADV_FREE is for ANONYMOUS alone");
	if (config->policy && !pagus_policy_known(config->policy))
		return px_error(PAGUS_BAD_CONFIG, "policy: '%s' is none", config->policy);
	return px_owner_check(config);
}

static const char *policy_of(const struct pagus_posix_config *config)
{
	return config->policy ? config->policy : DEFAULT_POLICY;
}

static uint32_t configured_cpus(void)
{
	long nr = sysconf(_SC_NPROCESSORS_CONF);

	if (nr < 1)
		return 1;
	return nr < PAGUS_MAX_CPUS ? (uint32_t)nr : PAGUS_MAX_CPUS;
}

/* kswapd also where it only wakes the others. */
static void choose_workers(bool *has, const struct pagus_posix_config *config)
{
	const bool moves = config->nr_handles || (config->calls && config->calls->move);
	const bool reclaims = config->calls && config->calls->reclaim;

	has[PAGUS_WORKER_KCOMPACTD] = moves && !config->no_kcompactd;
	has[PAGUS_WORKER_EVACUATE] = moves && !config->no_evacuate &&
				     pagus_policy_superpageblocks(policy_of(config));
	has[PAGUS_WORKER_KSWAPD] = !config->no_kswapd &&
		(reclaims || has[PAGUS_WORKER_KCOMPACTD] || has[PAGUS_WORKER_EVACUATE]);
}

static void copy(struct pagus_posix *x, const struct pagus_posix_config *config)
{
	x->fd = -1;
	x->backing = config->backing;
	x->huge_pages = config->huge_pages;
	x->lazy_discard = config->lazy_discard;
	x->nr_cpus = config->nr_cpus ? config->nr_cpus : configured_cpus();
	x->tick_ms = config->tick_ms;
	choose_workers(x->has_worker, config);
	x->nr_nodes = config->nr_nodes ? config->nr_nodes : 1;
	x->node[0] = (struct px_node){ .bytes = config->bytes, .numa_node = -1 };
	for (uint32_t n = 0; n < config->nr_nodes; n++) {
		x->node[n].bytes = config->node[n].bytes;
		x->node[n].numa_node = config->node[n].numa_node;
	}
}

/* ---- the library's part ---------------------------------------------------------------------- */

static uint32_t distance(void *ctx, uint32_t from, uint32_t to)
{
	const struct pagus_posix *x = ctx;
	int a = x->node[from].numa_node, b = x->node[to].numa_node;
	uint32_t far = a < 0 || b < 0 ? 0 : px_numa_distance(a, b);

	if (from == to)
		return 10;
	return far ? far : 20;
}

/* Of CPU `cpu`: the first node bound to its NUMA node, else node 0. */
static uint32_t node_of_cpu(const struct pagus_posix *x, uint32_t cpu)
{
	int numa_node = px_numa_node_of_cpu(cpu);

	for (uint32_t n = 0; n < x->nr_nodes && numa_node >= 0; n++)
		if (x->node[n].numa_node == numa_node)
			return n;
	return 0;
}

static bool any_bound(const struct pagus_posix *x)
{
	for (uint32_t n = 0; n < x->nr_nodes; n++)
		if (x->node[n].numa_node >= 0)
			return true;
	return false;
}

static enum pagus_status init(struct pagus_posix *x, const struct pagus_config *cfg)
{
	x->state_bytes = pagus_sizeof(cfg);
	if (x->state_bytes == 0)
		return px_error(PAGUS_BAD_CONFIG, "more memory than there can be records for");
	x->state = px_map_own(x->state_bytes);
	/* A zone a node. */
	x->locks_bytes = px_nr_locks(x->nr_nodes, x->nr_cpus) * sizeof(*x->locks);
	x->locks = px_map_own(x->locks_bytes);
	x->first_lock[PAGUS_LOCK_ZONE] = (uint64_t)x->nr_nodes * x->nr_cpus;
	x->first_lock[PAGUS_LOCK_OOM] = x->first_lock[PAGUS_LOCK_ZONE] + x->nr_nodes;
	if (!x->state || !x->locks)
		return px_error(PAGUS_NO_MEMORY, "%zu bytes of state: %s", x->state_bytes,
				strerror(errno));
	return pagus_init(&x->p, x->state, x->state_bytes, cfg, &x->port, x);
}

static enum pagus_status set_tunables(struct pagus_posix *x,
				      const struct pagus_posix_config *config)
{
	for (uint32_t n = 0; n < config->nr_tunables; n++) {
		const struct pagus_posix_tunable *t = &config->tunables[n];

		if (pagus_tunable_set(&x->p, t->tunable, t->value) == PAGUS_OK)
			continue;
		if ((uint32_t)t->tunable >= PAGUS_NR_TUNABLES)
			return px_error(PAGUS_BAD_VALUE, "tunable %u: there is none", t->tunable);
		return px_error(PAGUS_BAD_VALUE, "%s: %u is outside its range",
				pagus_tunable_name(t->tunable), t->value);
	}
	return PAGUS_OK;
}

static enum pagus_status hand_over(struct pagus_posix *x, const struct pagus_posix_config *config,
				   uint32_t *cpu_node)
{
	struct pagus_range ranges[PAGUS_MAX_NODES];
	struct pagus_config cfg = PAGUS_CONFIG_X86_64;
	enum pagus_status status;

	for (uint32_t n = 0; n < x->nr_nodes; n++)
		ranges[n] = (struct pagus_range){
			.start_pfn = x->node[n].offset >> PX_PAGE_BITS,
			.nr_pages = x->node[n].bytes >> PX_PAGE_BITS,
			.node = n, .zone = PAGUS_ZONE_NORMAL,
		};
	for (uint32_t cpu = 0; cpu < x->nr_cpus; cpu++)
		cpu_node[cpu] = any_bound(x) ? node_of_cpu(x, cpu) : 0;
	cfg.ranges = ranges;
	cfg.nr_ranges = x->nr_nodes;
	cfg.nr_cpus = x->nr_cpus;
	cfg.cpu_node = cpu_node;
	cfg.dma_ceiling = cfg.dma32_ceiling = 0;
	cfg.policy = policy_of(config);
	cfg.nr_cma_areas = config->nr_cma;
	px_hot_create(x, config, cpu_node);
	status = init(x, &cfg);
	if (status == PAGUS_OK)
		status = set_tunables(x, config);
	if (status == PAGUS_OK)
		status = px_cma_declare(x, config);
	for (uint32_t n = 0; n < x->nr_nodes && status == PAGUS_OK; n++)
		status = pagus_boot_free(&x->p, ranges[n].start_pfn, ranges[n].nr_pages);
	if (status == PAGUS_OK)
		status = pagus_boot_done(&x->p);
	if (status == PAGUS_OK)
		px_hot_settle(x);
	return status;
}

/* ---- life ------------------------------------------------------------------------------------ */

static enum pagus_status build(struct pagus_posix *x, const struct pagus_posix_config *config)
{
	static const struct pagus_port base = {
		.lock = px_port_lock, .trylock = px_port_trylock, .unlock = px_port_unlock,
		.distance = distance, .span_begin = px_span_begin, .span_end = px_span_end,
	};
	uint32_t cpu_node[PAGUS_MAX_CPUS];
	enum pagus_status status;

	x->port = base;
	copy(x, config);
	if (!px_gate_open())
		return px_error(PAGUS_BAD_CONFIG, "this kernel has no membarrier (Linux 4.14)");
	px_pressure_connect(x, config);
	px_owner_connect(x, config);
	status = px_cpu_choose(x, config->cpu_source);
	if (status != PAGUS_OK)
		return status;
	px_workers_init(x);
	status = px_memory_map(x);
	if (status == PAGUS_OK)
		status = px_handles_create(x, config);
	if (status == PAGUS_OK)
		status = hand_over(x, config, cpu_node);
	if (status == PAGUS_OK && !px_fork_watch(x))
		status = px_error(PAGUS_NO_MEMORY, "pthread_atfork");
	return status == PAGUS_OK ? px_workers_start(x) : status;
}

enum pagus_status pagus_posix_create(const struct pagus_posix_config *config,
				     struct pagus_posix **out)
{
	enum pagus_status status = check(config);
	struct pagus_posix *x;

	*out = NULL;
	if (status != PAGUS_OK)
		return status;
	x = calloc(1, sizeof(*x));
	if (!x)
		return px_error(PAGUS_NO_MEMORY, "%zu bytes: %s", sizeof(*x), strerror(errno));
	px_no_error();
	status = build(x, config);
	if (status != PAGUS_OK)
		pagus_posix_destroy(x);
	else
		*out = x;
	return status;
}

void pagus_posix_destroy(struct pagus_posix *x)
{
	if (!x)
		return;
	px_workers_stop(x);
	px_fork_forget(x);
	px_hot_destroy(x);
	px_handles_destroy(x);
	if (x->state)
		munmap(x->state, x->state_bytes);
	if (x->locks)
		munmap(x->locks, x->locks_bytes);
	px_memory_unmap(x);
	free(x);
}

uint64_t pagus_posix_metadata_bytes(const struct pagus_posix *x)
{
	return x->state_bytes + x->locks_bytes + px_hot_bytes(x) + px_handles_bytes(x);
}

struct pagus *pagus_posix_instance(struct pagus_posix *x)
{
	return &x->p;
}
