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

#define CANDIDATES 65536

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

/* Every recording that was named, every zone of one. */
typedef void recording_check(struct recorded *r);
typedef void zone_check(struct recorded *r, const struct pagus_zone_info *info,
			const struct snap_zone *zone);

static void each_recording(recording_check *check)
{
	for (int n = 0; n < nr_paths; n++) {
		struct recorded r;

		open_recorded(&r, paths[n]);
		check(&r);
		close_recorded(&r);
	}
}

static void each_zone(struct recorded *r, zone_check *check)
{
	for (uint32_t id = 0; id < pagus_nr_zones(&r->machine->pagus); id++) {
		struct pagus_zone_info info;
		const struct snap_zone *zone;

		pagus_zone_info(&r->machine->pagus, id, &info);
		zone = recorded_zone(r, &info);
		assert_non_null(zone);
		check(r, &info, zone);
	}
}

/*
 * Marks and pcp limits are computed during boot, before the last of the boot-time memory is handed
 * over, so from fewer managed pages than the snapshot tells. high_max = managed / 8 / CPUs tells
 * how many within 8 * CPUs pages: some number in that range must give every figure. Where it is not
 * recorded, some number a little smaller than the snapshot's must, the same for all zones.
 *
 * The n-th candidate, in mixed radix.
 */
static uint64_t candidate(const struct recorded *r, const struct snap_zone *zone, uint64_t *n)
{
	uint64_t step = 8 * nr_cpus_of(r, zone->node), from = zone->high_max * step, digit;

	if (zone->type == PAGUS_ZONE_DMA)
		return zone->managed;
	if (r->snap->version < TUNED_PCP_VERSION)
		return zone->managed - *n;
	digit = *n % step;
	*n /= step;
	return (from > zone->managed ? zone->managed : from) + digit;
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
	/* A release that does not tune its pcps has the lower limit alone. */
	return info.pcp_batch == zone->batch && info.pcp_high_min == zone->high_min &&
	       (r->snap->version < TUNED_PCP_VERSION || info.pcp_high_max == zone->high_max);
}

/* Set each zone's managed pages to the n-th candidate, and compute everything. */
static bool all_match(struct recorded *r, uint64_t n)
{
	struct pagus *p = &r->machine->pagus;

	for (uint32_t id = 0; id < pagus_nr_zones(p); id++) {
		struct pagus_zone_seed seed = { .pcp_batch = 1 };
		struct pagus_zone_info info;
		const struct snap_zone *zone;

		pagus_zone_info(p, id, &info);
		zone = recorded_zone(r, &info);
		seed.present = zone->present;
		seed.managed = candidate(r, zone, &n);
		assert_int_equal(pagus_seed_zone(p, info.node, info.type, &seed), PAGUS_OK);
	}
	pagus_tunable_set(p, PAGUS_TUNABLE_min_free_kbytes, r->snap->min_free_kbytes);
	for (uint32_t id = 0; id < pagus_nr_zones(p); id++)
		if (!zone_matches(r, id))
			return false;
	return true;
}

static void check_marks_and_limits(struct recorded *r)
{
	uint64_t nth = 0;

	while (nth < CANDIDATES && !all_match(r, nth))
		nth++;
	assert_true(nth < CANDIDATES);
}

static void marks_and_limits_are_the_kernels(void **state)
{
	(void)state;
	each_recording(check_marks_and_limits);
}

static void check_span_and_reserve(struct recorded *r, const struct pagus_zone_info *info,
				   const struct snap_zone *zone)
{
	(void)r;
	assert_int_equal(info->start_pfn, zone->start_pfn);
	assert_int_equal(info->spanned, zone->spanned);
	for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
		assert_int_equal(info->lowmem_reserve[t], zone->lowmem_reserve[t]);
}

static void check_spans_and_reserves(struct recorded *r)
{
	each_zone(r, check_span_and_reserve);
}

/* Reserves follow every change of the managed pages, so the snapshot's own give them. */
static void spans_and_reserves_are_the_kernels(void **state)
{
	(void)state;
	each_recording(check_spans_and_reserves);
}

static void set_recorded_marks(struct recorded *r, const struct pagus_zone_info *info,
			       const struct snap_zone *zone)
{
	struct pagus_zone_seed seed = {
		.present = zone->present, .managed = zone->managed, .pcp_batch = 1,
	};

	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		seed.wmark[w] = zone->wmark[w];
	for (uint32_t t = 0; t < PAGUS_NR_ZONE_TYPES; t++)
		seed.lowmem_reserve[t] = zone->lowmem_reserve[t];
	assert_int_equal(pagus_seed_zone(&r->machine->pagus, info->node, info->type, &seed),
			 PAGUS_OK);
}

static void check_totalreserve(struct recorded *r)
{
	each_zone(r, set_recorded_marks);
	assert_int_equal(pagus_totalreserve_pages(&r->machine->pagus), r->snap->totalreserve_pages);
}

/* From the recorded marks and reserves, which are tested above. */
static void totalreserve_is_the_kernels(void **state)
{
	(void)state;
	each_recording(check_totalreserve);
}

static void check_stat_threshold(struct recorded *r, const struct pagus_zone_info *info,
				 const struct snap_zone *zone)
{
	for (uint32_t c = 0; c < r->snap->nr_cpus; c++)
		assert_int_equal(info->stat_threshold, zone->pcps[c].stat_threshold);
}

static void check_stat_thresholds(struct recorded *r)
{
	each_zone(r, check_stat_threshold);
}

static void stat_thresholds_are_the_kernels(void **state)
{
	(void)state;
	each_recording(check_stat_thresholds);
}

static void check_drift_mark(struct recorded *r, const struct pagus_zone_info *info,
			     const struct snap_zone *zone)
{
	(void)r;
	if (info->type == PAGUS_ZONE_DMA)
		assert_int_equal(info->drift_mark, zone->drift_mark);
}

static void check_drift_marks(struct recorded *r)
{
	assert_int_equal(pagus_tunable_set(&r->machine->pagus, PAGUS_TUNABLE_min_free_kbytes, 0),
			 PAGUS_OK);
	each_zone(r, check_drift_mark);
}

/*
 * The kernel sets drift marks when it sets its marks for the first time, and does not follow when
 * khugepaged raises them. Only DMA's managed pages are then what they are in the snapshot.
 */
static void the_drift_mark_of_dma_is_the_kernels(void **state)
{
	(void)state;
	each_recording(check_drift_marks);
}

static void check_grouping(struct recorded *r)
{
	struct snapshot changed = *r->snap;

	assert_false(changed.mobility_off);
	for (uint32_t off = 0; off < 2; off++) {
		struct trace_error err = { "" };
		struct pagus_page_info info;
		struct machine *m;
		pagus_pfn_t pfn;

		changed.mobility_off = off;
		m = machine_build(trace_meta(r->trace), &changed, "linux", 1, &err);
		assert_non_null(m);
		assert_int_equal(pagus_check(&m->pagus, &pfn), 0);
		assert_int_equal(pagus_alloc_pages(&m->pagus, GFP_HIGHUSER_MOVABLE, 4, &pfn),
				 PAGUS_OK);
		assert_int_equal(pagus_page_info(&m->pagus, pfn, &info), PAGUS_OK);
		assert_int_equal(info.request_type, off ? PAGUS_UNMOVABLE : PAGUS_MOVABLE);
		machine_free(m);
	}
}

/* No recorded kernel had grouping off; a snapshot that says so makes a machine without it. */
static void a_recorded_machine_groups_as_its_kernel_did(void **state)
{
	(void)state;
	each_recording(check_grouping);
}

/* The recorded kernels have the defaults. */
static void check_tunables(struct recorded *r)
{
	struct snapshot changed = *r->snap;
	struct trace_error err = { "" };
	struct machine *m;

	assert_int_equal(pagus_tunable_get(&r->machine->pagus, PAGUS_TUNABLE_pcp_batch_scale_max), 5);
	assert_int_equal(pagus_tunable_get(&r->machine->pagus, PAGUS_TUNABLE_defrag_mode), 0);
	changed.defrag_mode = 1;
	changed.pcp_batch_scale_max = 6;
	m = machine_build(trace_meta(r->trace), &changed, "linux", 1, &err);
	assert_non_null(m);
	assert_int_equal(pagus_tunable_get(&m->pagus, PAGUS_TUNABLE_pcp_batch_scale_max), 6);
	assert_int_equal(pagus_tunable_get(&m->pagus, PAGUS_TUNABLE_defrag_mode), 1);
	machine_free(m);
}

static void a_recorded_machine_is_configured_as_its_kernel_was(void **state)
{
	(void)state;
	each_recording(check_tunables);
}

static void check_zonelists(struct recorded *r)
{
	assert_true(r->snap->nr_zonelists >= 2 * r->snap->nr_nodes);
	for (uint32_t l = 0; l < r->snap->nr_zonelists; l++) {
		const struct snap_zonelist *list = &r->snap->zonelists[l];
		uint8_t ours[16];
		uint32_t nr = pagus_zonelist(&r->machine->pagus, list->node, list->this_node_only,
					     ours, 16);

		assert_int_equal(nr, list->nr);
		for (uint32_t z = 0; z < nr; z++) {
			struct pagus_zone_info info;

			pagus_zone_info(&r->machine->pagus, ours[z], &info);
			assert_int_equal(info.node << 8 | (uint32_t)info.type, list->zones[z]);
		}
	}
}

static void zonelists_are_the_kernels(void **state)
{
	(void)state;
	each_recording(check_zonelists);
}

static void check_free_lists(struct recorded *r, const struct pagus_zone_info *info,
			     const struct snap_zone *zone)
{
	uint64_t nr_free[PAGUS_NR_ORDERS] = { 0 };

	(void)r;
	for (uint32_t l = 0; l < zone->nr_free_lists; l++)
		nr_free[zone->free_lists[l].order] += zone->free_lists[l].nr;
	for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
		assert_int_equal(info->nr_free[o], nr_free[o]);
}

static void check_state(struct recorded *r)
{
	pagus_pfn_t where;

	assert_int_equal(pagus_check(&r->machine->pagus, &where), 0);
	each_zone(r, check_free_lists);
}

/* Every block of the start snapshot is where the kernel had it. */
static void a_recorded_state_holds_every_invariant(void **state)
{
	(void)state;
	each_recording(check_state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_and_limits_are_the_kernels),
		cmocka_unit_test(spans_and_reserves_are_the_kernels),
		cmocka_unit_test(totalreserve_is_the_kernels),
		cmocka_unit_test(stat_thresholds_are_the_kernels),
		cmocka_unit_test(the_drift_mark_of_dma_is_the_kernels),
		cmocka_unit_test(a_recorded_machine_groups_as_its_kernel_did),
		cmocka_unit_test(a_recorded_machine_is_configured_as_its_kernel_was),
		cmocka_unit_test(zonelists_are_the_kernels),
		cmocka_unit_test(a_recorded_state_holds_every_invariant),
	};

	paths = argv + 1;
	nr_paths = argc - 1;
	return nr_paths ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
