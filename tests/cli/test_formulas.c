/* SPDX-License-Identifier: MIT */
/*
 * The formulas against running kernels: from a recorded machine's managed pages and
 * min_free_kbytes, the library must compute the marks, reserves, pcp limits and zonelists that the
 * kernel itself had. Usage: test_formulas TRACE...
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "replay/machine.h"

#define TUNED_PCP_VERSION 3 /* snapshots of releases whose pcps have a range to tune in */

#define CANDIDATES 4096

static char **paths;
static int nr_paths;

struct recorded {
	struct trace *trace;
	const struct snapshot *snap;
	struct machine *machine;
};

static void open_recorded(struct recorded *r, const char *path)
{
	struct trace_error err = { "" };

	r->trace = trace_open(path, &err);
	if (!r->trace)
		print_error("%s\n", err.text);
	assert_non_null(r->trace);
	r->snap = trace_start(r->trace);
	r->machine = machine_build(trace_meta(r->trace), r->snap, "linux", r->snap->nr_cpus, &err);
	assert_non_null(r->machine);
	/* Setting it computes everything again, from the managed pages alone. */
	assert_int_equal(pagus_tunable_set(&r->machine->pagus, PAGUS_TUNABLE_min_free_kbytes,
					   r->snap->min_free_kbytes), PAGUS_OK);
}

static void close_recorded(struct recorded *r)
{
	machine_free(r->machine);
	trace_close(r->trace);
}

/* Of a node's own CPUs; all where it has none, as the limits are then computed. */
static uint64_t nr_cpus_of(const struct recorded *r, uint32_t node)
{
	uint64_t nr = 0;

	for (uint32_t c = 0; c < r->snap->nr_cpus; c++)
		nr += c * r->snap->nr_nodes / r->snap->nr_cpus == node;
	return nr ? nr : r->snap->nr_cpus;
}

static const struct snap_zone *recorded_zone(const struct recorded *r,
					     const struct pagus_zone_info *info)
{
	for (uint32_t z = 0; z < r->snap->nr_zones; z++)
		if (r->snap->zones[z].node == info->node &&
		    r->snap->zones[z].type == (uint32_t)info->type)
			return &r->snap->zones[z];
	return NULL;
}

/*
 * Marks and pcp limits are computed during boot, before the last of the boot-time memory is handed
 * over, so from fewer managed pages than the snapshot tells. high_max = managed / 8 / CPUs tells
 * how many within 8 * CPUs pages: some number in that range must give every figure.
 */
static uint64_t first_candidate(const struct recorded *r, const struct snap_zone *zone)
{
	uint64_t step = 8 * nr_cpus_of(r, zone->node);

	return zone->high_max * step > zone->managed ? zone->managed : zone->high_max * step;
}

static bool zone_matches(const struct recorded *r, uint32_t id)
{
	struct pagus_zone_info info;
	const struct snap_zone *zone;

	pagus_zone_info(&r->machine->pagus, id, &info);
	zone = recorded_zone(r, &info);
	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		if (info.wmark[w] != zone->wmark[w])
			return false;
	return info.pcp_batch == zone->batch && info.pcp_high_min == zone->high_min &&
	       info.pcp_high_max == zone->high_max;
}

/* Set each zone's managed pages to the n-th candidate, in mixed radix, and compute everything. */
static bool all_match(struct recorded *r, uint64_t n)
{
	struct pagus *p = &r->machine->pagus;

	for (uint32_t id = 0; id < pagus_nr_zones(p); id++) {
		struct pagus_zone_seed seed = { .pcp_batch = 1 };
		struct pagus_zone_info info;
		const struct snap_zone *zone;
		uint64_t radix;

		pagus_zone_info(p, id, &info);
		zone = recorded_zone(r, &info);
		radix = 8 * nr_cpus_of(r, zone->node);
		seed.present = zone->present;
		seed.managed = info.type == PAGUS_ZONE_DMA ? zone->managed :
			       first_candidate(r, zone) + n % radix;
		n /= info.type == PAGUS_ZONE_DMA ? 1 : radix;
		assert_int_equal(pagus_seed_zone(p, info.node, info.type, &seed), PAGUS_OK);
	}
	pagus_tunable_set(p, PAGUS_TUNABLE_min_free_kbytes, r->snap->min_free_kbytes);
	for (uint32_t id = 0; id < pagus_nr_zones(p); id++)
		if (!zone_matches(r, id))
			return false;
	return true;
}

static void marks_and_limits_are_the_kernels(void **state)
{
	(void)state;
	for (int n = 0; n < nr_paths; n++) {
		struct recorded r;
		uint64_t candidate = 0;

		open_recorded(&r, paths[n]);
		if (r.snap->version >= TUNED_PCP_VERSION) {
			while (candidate < CANDIDATES && !all_match(&r, candidate))
				candidate++;
			assert_true(candidate < CANDIDATES);
		}
		close_recorded(&r);
	}
}

/* Reserves follow every change of the managed pages, so the snapshot's own give them. */
static void spans_and_reserves_are_the_kernels(void **state)
{
	(void)state;
	for (int n = 0; n < nr_paths; n++) {
		struct recorded r;

		open_recorded(&r, paths[n]);
		for (uint32_t id = 0; id < pagus_nr_zones(&r.machine->pagus); id++) {
			struct pagus_zone_info info;
			const struct snap_zone *zone;

			pagus_zone_info(&r.machine->pagus, id, &info);
			zone = recorded_zone(&r, &info);
			assert_non_null(zone);
			assert_int_equal(info.start_pfn, zone->start_pfn);
			assert_int_equal(info.spanned, zone->spanned);
			for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
				assert_int_equal(info.lowmem_reserve[t], zone->lowmem_reserve[t]);
		}
		close_recorded(&r);
	}
}

static void zonelists_are_the_kernels(void **state)
{
	(void)state;
	for (int n = 0; n < nr_paths; n++) {
		struct recorded r;

		open_recorded(&r, paths[n]);
		assert_true(r.snap->nr_zonelists >= 2 * r.snap->nr_nodes);
		for (uint32_t l = 0; l < r.snap->nr_zonelists; l++) {
			const struct snap_zonelist *list = &r.snap->zonelists[l];
			uint8_t ours[16];
			uint32_t nr = pagus_zonelist(&r.machine->pagus, list->node,
						     list->this_node_only, ours, 16);

			assert_int_equal(nr, list->nr);
			for (uint32_t z = 0; z < nr; z++) {
				struct pagus_zone_info info;

				pagus_zone_info(&r.machine->pagus, ours[z], &info);
				assert_int_equal(info.node << 8 | (uint32_t)info.type,
						 list->zones[z]);
			}
		}
		close_recorded(&r);
	}
}

/* Every block of the start snapshot is where the kernel had it. */
static void a_recorded_state_holds_every_invariant(void **state)
{
	(void)state;
	for (int n = 0; n < nr_paths; n++) {
		struct recorded r;
		pagus_pfn_t where;

		open_recorded(&r, paths[n]);
		assert_int_equal(pagus_check(&r.machine->pagus, &where), 0);
		for (uint32_t id = 0; id < pagus_nr_zones(&r.machine->pagus); id++) {
			struct pagus_zone_info info;
			uint64_t nr_free[PAGUS_NR_ORDERS] = { 0 };
			const struct snap_zone *zone;

			pagus_zone_info(&r.machine->pagus, id, &info);
			zone = recorded_zone(&r, &info);
			for (uint32_t l = 0; l < zone->nr_free_lists; l++)
				nr_free[zone->free_lists[l].order] += zone->free_lists[l].nr;
			for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
				assert_int_equal(info.nr_free[o], nr_free[o]);
		}
		close_recorded(&r);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_and_limits_are_the_kernels),
		cmocka_unit_test(spans_and_reserves_are_the_kernels),
		cmocka_unit_test(zonelists_are_the_kernels),
		cmocka_unit_test(a_recorded_state_holds_every_invariant),
	};

	paths = argv + 1;
	nr_paths = argc - 1;
	return nr_paths ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
