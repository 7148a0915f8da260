/* SPDX-License-Identifier: MIT */
#include "replay/machine.h"

#include <stdio.h>
#include <stdlib.h>

#include <pagus/step.h>

#define MACHINE_END_PFN UINT64_C(0xffffff00) /* pfns fit the shadow's 32 bits, with values to spare */

struct ranges {
	struct pagus_range *at;
	uint32_t nr, room;
};

static bool add_range(struct ranges *ranges, const struct snap_zone *z, uint64_t start,
		      uint64_t end)
{
	if (ranges->nr == ranges->room) {
		uint32_t room = ranges->room ? ranges->room * 2 : 64;
		void *grown = realloc(ranges->at, room * sizeof(*ranges->at));

		if (!grown)
			return false;
		ranges->at = grown;
		ranges->room = room;
	}
	ranges->at[ranges->nr++] = (struct pagus_range){
		.start_pfn = start, .nr_pages = end - start, .node = z->node, .zone = z->type,
	};
	return true;
}

/* A zone's memory: its span less the pageblocks that are holes. */
static bool add_zone(struct ranges *ranges, const struct snap_zone *z, uint32_t pageblock_order)
{
	uint64_t block_pages = UINT64_C(1) << pageblock_order, zone_end = z->start_pfn + z->spanned;
	uint64_t start = 0, end = 0;

	for (uint32_t b = 0; b < z->nr_blocks; b++) {
		uint64_t first = z->first_block_pfn + b * block_pages;
		uint64_t last = first + block_pages < zone_end ? first + block_pages : zone_end;

		if (z->block_type[b] == SNAPSHOT_HOLE)
			continue;
		first = first > z->start_pfn ? first : z->start_pfn;
		if (first != end || end == 0) {
			if (end > start && !add_range(ranges, z, start, end))
				return false;
			start = first;
		}
		end = last;
	}
	return end <= start || add_range(ranges, z, start, end);
}

static int by_start(const void *a, const void *b)
{
	const struct pagus_range *x = a, *y = b;

	return (x->start_pfn > y->start_pfn) - (x->start_pfn < y->start_pfn);
}

static bool collect_ranges(struct ranges *ranges, const struct snapshot *snap)
{
	for (uint32_t z = 0; z < snap->nr_zones; z++)
		if (snap->zones[z].spanned &&
		    !add_zone(ranges, &snap->zones[z], snap->pageblock_order))
			return false;
	if (ranges->nr)
		qsort(ranges->at, ranges->nr, sizeof(*ranges->at), by_start);
	return true;
}

static void fail(struct trace_error *err, const char *path, const char *what, uint64_t pfn,
		 enum pagus_status status)
{
	snprintf(err->text, sizeof(err->text), "%s: start snapshot: %s %#llx: %s", path, what,
		 (unsigned long long)pfn, pagus_status_text(status));
}

static enum pagus_migratetype seed_type(const struct snap_zone *z, uint32_t block)
{
	if (z->block_flags[block] & 2)
		return PAGUS_ISOLATE;
	return (enum pagus_migratetype)z->block_type[block];
}

static bool seed_blocks(struct machine *m, const struct snapshot *snap, const struct snap_zone *z,
			const char *path, struct trace_error *err)
{
	for (uint32_t b = 0; b < z->nr_blocks; b++) {
		uint64_t pfn = z->first_block_pfn + ((uint64_t)b << snap->pageblock_order);
		enum pagus_status status;

		if (z->block_type[b] == SNAPSHOT_HOLE)
			continue;
		status = pagus_seed_block(&m->pagus, pfn, seed_type(z, b));
		if (status != PAGUS_OK) {
			fail(err, path, "pageblock at pfn", pfn, status);
			return false;
		}
	}
	return true;
}

static bool seed_lists(struct machine *m, const struct snap_zone *z, uint32_t nr_recorded_cpus,
		       const char *path, struct trace_error *err)
{
	for (uint32_t l = 0; l < z->nr_free_lists; l++) {
		const struct snap_list *list = &z->free_lists[l];

		for (uint32_t n = 0; n < list->nr; n++) {
			enum pagus_status status =
				pagus_seed_free(&m->pagus, list->pfns[n], list->order,
						(enum pagus_migratetype)list->type);

			if (status != PAGUS_OK) {
				fail(err, path, "free block at pfn", list->pfns[n], status);
				return false;
			}
		}
	}
	for (uint32_t c = 0; c < nr_recorded_cpus; c++) {
		for (uint32_t l = 0; l < PAGUS_NR_PCP_LISTS; l++) {
			const struct snap_list *list = &z->pcps[c].lists[l];

			for (uint32_t n = 0; n < list->nr; n++) {
				enum pagus_status status = pagus_seed_pcp(
					&m->pagus, c % m->sim.nr_cpus, list->pfns[n], l);

				if (status != PAGUS_OK) {
					fail(err, path, "pcp block at pfn", list->pfns[n], status);
					return false;
				}
			}
		}
	}
	return true;
}

/* Whatever of the zone is neither free nor on a pcp list is in use. */
static bool seed_rest(struct machine *m, const struct snapshot *snap, const struct snap_zone *z,
		      const char *path, struct trace_error *err)
{
	for (uint32_t b = 0; b < z->nr_blocks; b++) {
		uint64_t pfn = z->first_block_pfn + ((uint64_t)b << snap->pageblock_order);
		uint64_t end = pfn + (UINT64_C(1) << snap->pageblock_order);
		enum pagus_migratetype type = z->block_type[b] < PAGUS_HIGHATOMIC ?
			(enum pagus_migratetype)z->block_type[b] : PAGUS_MOVABLE;

		if (z->block_type[b] == SNAPSHOT_HOLE)
			continue;
		for (; pfn < end; pfn++) {
			struct pagus_page_info info;
			enum pagus_status status = pagus_page_info(&m->pagus, pfn, &info);

			if (status != PAGUS_OK || info.kind != PAGUS_PAGE_RESERVED)
				continue;
			status = m->moves && type == PAGUS_MOVABLE ?
				pagus_seed_used(&m->pagus, pfn, 0, type) :
				pagus_inherit(&m->pagus, pfn, 1, type);
			if (status != PAGUS_OK) {
				fail(err, path, "page in use at pfn", pfn, status);
				return false;
			}
			m->inherited_pages++;
		}
	}
	return true;
}

/* What a pcp remembers: where limits are fixed, only by how much its drains have grown. */
static struct pagus_pcp_seed pcp_state(const struct snapshot *snap, const struct snap_pcp *pcp)
{
	if (snap->version < MACHINE_TUNED_PCP)
		return (struct pagus_pcp_seed){ .free_count = pcp->factor };
	return (struct pagus_pcp_seed){
		.high = pcp->high, .alloc_factor = pcp->factor, .free_count = pcp->free_count,
		.flags = pcp->flags,
	};
}

static bool seed_limits(struct machine *m, const struct snapshot *snap, const struct snap_zone *z,
			const char *path, struct trace_error *err)
{
	struct pagus_zone_seed seed = {
		.start_pfn = z->start_pfn,
		.spanned = z->spanned,
		.present = z->present,
		.managed = z->managed,
	};
	bool same_cpus = m->sim.nr_cpus == snap->nr_cpus;
	bool own_limits = snap->version >= MACHINE_TUNED_PCP && same_cpus;
	enum pagus_status status;

	/*
	 * Of a release that does not tune its pcps, or for another number of CPUs, they are
	 * computed.
	 */
	if (own_limits) {
		seed.pcp_high_min = z->high_min;
		seed.pcp_high_max = z->high_max;
		seed.pcp_batch = z->batch;
	}
	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		seed.wmark[w] = z->wmark[w];
	for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
		seed.lowmem_reserve[t] = z->lowmem_reserve[t];
	status = pagus_seed_zone(&m->pagus, z->node, (enum pagus_zone_type)z->type, &seed);
	for (uint32_t c = 0; same_cpus && status == PAGUS_OK && c < snap->nr_cpus; c++) {
		struct pagus_pcp_seed state = pcp_state(snap, &z->pcps[c]);

		status = pagus_seed_pcp_state(&m->pagus, z->node, (enum pagus_zone_type)z->type, c,
					      &state);
	}
	if (status != PAGUS_OK)
		fail(err, path, "limits of the zone at pfn", z->start_pfn, status);
	return status == PAGUS_OK;
}

static bool seed_all(struct machine *m, const struct snapshot *snap, const char *path,
		     struct trace_error *err)
{
	for (uint32_t z = 0; z < snap->nr_zones; z++)
		if (snap->zones[z].spanned &&
		    (!seed_blocks(m, snap, &snap->zones[z], path, err) ||
		     !seed_lists(m, &snap->zones[z], snap->nr_cpus, path, err) ||
		     !seed_rest(m, snap, &snap->zones[z], path, err)))
			return false;
	pagus_boot_done(&m->pagus);
	for (uint32_t z = 0; z < snap->nr_zones; z++)
		if (snap->zones[z].spanned && !seed_limits(m, snap, &snap->zones[z], path, err))
			return false;
	for (uint32_t node = 0; node < PAGUS_MAX_NODES; node++)
		pagus_step_kswapd_failures(&m->pagus, node, snap->kswapd_failures[node]);
	return true;
}

static uint32_t superpageblock_order(const struct snapshot *snap)
{
	uint64_t largest = 0;

	for (uint32_t z = 0; z < snap->nr_zones; z++)
		if (snap->zones[z].spanned > largest)
			largest = snap->zones[z].spanned;
	return pagus_superpageblock_order(largest);
}

static bool init_instance(struct machine *m, const struct snapshot *snap, const char *policy,
			  const struct ranges *ranges, const char *path, struct trace_error *err)
{
	struct pagus_config cfg = PAGUS_CONFIG_X86_64;
	uint32_t cpu_node[PAGUS_MAX_CPUS];
	enum pagus_status status;

	/* A snapshot does not say which node a CPU is on: CPUs are spread evenly, in order. */
	for (uint32_t c = 0; c < m->sim.nr_cpus; c++)
		cpu_node[c] = c * snap->nr_nodes / m->sim.nr_cpus;
	cfg.ranges = ranges->at;
	cfg.nr_ranges = ranges->nr;
	cfg.nr_cpus = m->sim.nr_cpus;
	cfg.cpu_node = cpu_node;
	cfg.pageblock_order = snap->pageblock_order;
	cfg.superpageblock_order = m->superpageblock_order = superpageblock_order(snap);
	cfg.policy = policy;
	/* By its size the machine groups wherever its kernel did, so only the contrary is told. */
	if (snap->mobility_off)
		cfg.grouping = PAGUS_GROUPING_NEVER;
	m->region_bytes = pagus_sizeof(&cfg);
	if (m->region_bytes == 0) {
		fail(err, path, "memory from pfn", ranges->nr ? ranges->at[0].start_pfn : 0,
		     PAGUS_BAD_CONFIG);
		return false;
	}
	m->region = aligned_alloc(64, m->region_bytes);
	if (!m->region) {
		snprintf(err->text, sizeof(err->text), "%s: no memory for %zu bytes of state", path,
			 m->region_bytes);
		return false;
	}
	status = pagus_init(&m->pagus, m->region, m->region_bytes, &cfg, &m->port, &m->sim);
	if (status != PAGUS_OK)
		fail(err, path, "memory from pfn", ranges->at[0].start_pfn, status);
	m->first_pfn = UINT64_MAX;
	for (uint32_t z = 0; z < snap->nr_zones; z++) {
		const struct snap_zone *zone = &snap->zones[z];

		if (zone->spanned && zone->start_pfn < m->first_pfn)
			m->first_pfn = zone->start_pfn;
		if (zone->start_pfn + zone->spanned > m->end_pfn)
			m->end_pfn = zone->start_pfn + zone->spanned;
	}
	if (m->end_pfn > MACHINE_END_PFN) {
		fail(err, path, "memory up to pfn", m->end_pfn, PAGUS_BAD_RANGE);
		return false;
	}
	return status == PAGUS_OK;
}

/* What of the kernel's configuration was recorded and is not in its marks and limits. */
static bool set_tunables(struct machine *m, const struct snapshot *snap, const char *path,
			 struct trace_error *err)
{
	const struct {
		enum pagus_tunable tunable;
		uint32_t value;
	} recorded[] = {
		{ PAGUS_TUNABLE_defrag_mode, snap->defrag_mode },
		{ PAGUS_TUNABLE_pcp_batch_scale_max, snap->pcp_batch_scale_max },
	};

	for (size_t n = 0; n < sizeof(recorded) / sizeof(recorded[0]); n++) {
		enum pagus_status status = pagus_tunable_set(&m->pagus, recorded[n].tunable,
							     recorded[n].value);

		if (status == PAGUS_OK)
			continue;
		fail(err, path, pagus_tunable_name(recorded[n].tunable), recorded[n].value, status);
		return false;
	}
	return true;
}

static struct machine *build(const struct trace_meta *meta, const struct snapshot *start,
			     const char *policy, uint32_t nr_cpus, bool moves,
			     struct trace_error *err)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct ranges ranges = { 0 };
	bool ok;

	if (!m || !collect_ranges(&ranges, start)) {
		snprintf(err->text, sizeof(err->text), "%s: no memory", meta->path);
		free(ranges.at);
		free(m);
		return NULL;
	}
	m->port = pagus_sim_port;
	m->moves = moves;
	pagus_sim_init(&m->sim, nr_cpus);
	ok = init_instance(m, start, policy, &ranges, meta->path, err) &&
	     set_tunables(m, start, meta->path, err) && seed_all(m, start, meta->path, err);
	free(ranges.at);
	if (!ok) {
		machine_free(m);
		return NULL;
	}
	for (uint32_t c = 0; c < PAGUS_NR_COUNTERS; c++)
		m->baseline[c] = pagus_counter_read(&m->pagus, (enum pagus_counter)c);
	pagus_sim_init(&m->sim, nr_cpus);
	return m;
}

struct machine *machine_build(const struct trace_meta *meta, const struct snapshot *start,
			      const char *policy, uint32_t nr_cpus, struct trace_error *err)
{
	return build(meta, start, policy, nr_cpus, false, err);
}

struct machine *machine_build_moving(const struct trace_meta *meta, const struct snapshot *start,
				     const char *policy, uint32_t nr_cpus, struct trace_error *err)
{
	return build(meta, start, policy, nr_cpus, true, err);
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	free(m->region);
	free(m);
}

uint64_t machine_count(const struct machine *m, enum pagus_counter counter)
{
	return pagus_counter_read(&m->pagus, counter) - m->baseline[counter];
}
