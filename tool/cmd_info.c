/* SPDX-License-Identifier: MIT */
/* pagus info: what a trace holds, and the state it starts from. */
#include "cmd.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "trace/trace.h"

#define USAGE "info TRACE"
#define NR_TYPE_VALUES 256
#define NR_CPU_VALUES 256

/* What one pass over the events gathers. */
struct event_summary {
	uint64_t nr_events;
	uint64_t by_type[NR_TYPE_VALUES];
	uint64_t by_cpu[NR_CPU_VALUES];
	uint64_t failed_allocs;
	uint64_t backward_steps; /* events whose ts is below that of the event before */
	uint64_t first_ts, last_ts;
};

static bool read_events(struct trace *t, struct event_summary *sum, struct trace_error *err)
{
	const struct trace_event *batch;
	int n;

	while ((n = trace_next(t, &batch, err)) > 0) {
		for (int i = 0; i < n; i++) {
			const struct trace_event *e = &batch[i];

			if (sum->nr_events++ == 0)
				sum->first_ts = e->ts;
			else
				sum->backward_steps += e->ts < sum->last_ts;
			sum->last_ts = e->ts;
			sum->by_type[e->type]++;
			sum->by_cpu[e->cpu]++;
			sum->failed_allocs += e->type == TRACE_ALLOC && e->pfn == UINT64_MAX;
		}
	}
	return n == 0;
}

static const char *or_unknown(const char *text)
{
	return text[0] != '\0' ? text : "not stated";
}

static uint64_t pages_to_kib(const struct snapshot *s, uint64_t pages)
{
	return pages << (s->page_shift - 10);
}

static void print_facts(const struct trace_meta *m, const struct event_summary *sum)
{
	printf("trace      %s (%s)\n", m->path, m->container);
	printf("kernel     %s\n", or_unknown(m->kernel));
	printf("release    %s\n", or_unknown(m->release));
	printf("machine    %s\n", or_unknown(m->machine));
	printf("workload   %s\n", or_unknown(m->workload));
	printf("clock      %s\n", or_unknown(m->clock));
	if (m->span_ns != 0)
		printf("span       %" PRIu64 ".%03" PRIu64 " s from start to end snapshot\n",
		       m->span_ns / 1000000000, m->span_ns / 1000000 % 1000);
	else
		printf("span       not known\n");
	printf("lost       %" PRIu64 " events\n", m->lost_events);
	printf("events     %" PRIu64 ", clock from %" PRIu64 " to %" PRIu64 "\n", sum->nr_events,
	       sum->first_ts, sum->last_ts);
}

static void print_events(const struct event_summary *sum)
{
	printf("\nevents by type\n");
	for (unsigned int type = 0; type < NR_TYPE_VALUES; type++) {
		if (sum->by_type[type] != 0)
			printf("  %3u %-26s %12" PRIu64 "\n", type, trace_event_name(type),
			       sum->by_type[type]);
	}
	printf("  failed mm_page_alloc: %" PRIu64 "; steps back in time: %" PRIu64 "\n",
	       sum->failed_allocs, sum->backward_steps);
	printf("\nevents by CPU\n");
	for (unsigned int cpu = 0; cpu < NR_CPU_VALUES; cpu++) {
		if (sum->by_cpu[cpu] != 0)
			printf("  %3u %39" PRIu64 "\n", cpu, sum->by_cpu[cpu]);
	}
}

static void print_free_blocks(const struct snap_zone *z)
{
	uint64_t blocks[PAGUS_NR_ORDERS] = { 0 };

	for (uint32_t i = 0; i < z->nr_free_lists; i++)
		blocks[z->free_lists[i].order] += z->free_lists[i].nr;
	printf("  free blocks by order");
	for (int order = 0; order < PAGUS_NR_ORDERS; order++)
		printf(" %" PRIu64, blocks[order]);
	printf("\n");
}

static void print_pageblocks(const struct snap_zone *z)
{
	uint64_t blocks[PAGUS_NR_MIGRATETYPES] = { 0 };
	uint64_t holes = 0;

	for (uint32_t i = 0; i < z->nr_blocks; i++) {
		if (z->block_type[i] == SNAPSHOT_HOLE)
			holes++;
		else
			blocks[z->block_type[i]]++;
	}
	printf("  pageblocks by type  ");
	for (int type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
		if (blocks[type] != 0)
			printf(" %s %" PRIu64, pagus_migratetype_name((enum pagus_migratetype)type),
			       blocks[type]);
	}
	if (holes != 0)
		printf(" hole %" PRIu64, holes);
	printf("\n");
}

static void print_zone(const struct snapshot *s, const struct snap_zone *z)
{
	uint64_t free_pages = z->nr_free_pages, pcp_pages = 0;

	for (uint32_t cpu = 0; cpu < s->nr_cpus; cpu++) {
		free_pages += (uint64_t)z->pcps[cpu].free_delta;
		pcp_pages += z->pcps[cpu].count;
	}
	printf("\nnode %" PRIu32 ", zone %s: pfn %" PRIu64 " to %" PRIu64 "\n", z->node,
	       pagus_zone_name((enum pagus_zone_type)z->type), z->start_pfn,
	       z->start_pfn + z->spanned - (z->spanned > 0));
	printf("  managed %" PRIu64 " pages (%" PRIu64 " KiB), free %" PRIu64 ", on pcp lists %"
	       PRIu64 "\n", z->managed, pages_to_kib(s, z->managed), free_pages, pcp_pages);
	printf("  watermarks           min %" PRIu64 " low %" PRIu64 " high %" PRIu64 " boost %"
	       PRIu64 "\n", z->wmark[PAGUS_WMARK_MIN], z->wmark[PAGUS_WMARK_LOW],
	       z->wmark[PAGUS_WMARK_HIGH], z->boost);
	print_free_blocks(z);
	print_pageblocks(z);
}

static void print_start(const struct snapshot *s)
{
	printf("\nstart state: CPUs %" PRIu32 ", nodes %" PRIu32
	       ", page %u bytes, pageblock order %" PRIu32 ", min_free_kbytes %" PRIu32 "%s\n",
	       s->nr_cpus, s->nr_nodes, 1u << s->page_shift, s->pageblock_order, s->min_free_kbytes,
	       s->mobility_off ? ", grouping by mobility off" : "");
	for (uint32_t i = 0; i < s->nr_zones; i++)
		print_zone(s, &s->zones[i]);
}

int cmd_info(int argc, char **argv)
{
	static const struct option options[] = { { NULL, 0, NULL, 0 } };
	struct event_summary sum = { 0 };
	struct trace_error err = { "" };
	struct trace *t;
	bool ok;

	opterr = 0;
	if (getopt_long(argc, argv, "", options, NULL) != -1 || argc - optind != 1)
		return cmd_usage(USAGE);
	t = trace_open(argv[optind], &err);
	if (t == NULL)
		return cmd_fail("%s", err.text);
	/*
	 * All is read before anything is printed: a bad trace gives an error line and nothing else.
	 */
	ok = read_events(t, &sum, &err) && (trace_end(t, &err) != NULL || err.text[0] == '\0');
	if (ok) {
		print_facts(trace_meta(t), &sum);
		print_events(&sum);
		print_start(trace_start(t));
		printf("\nend state: %srecorded\n", trace_end(t, &err) != NULL ? "" : "not ");
	}
	trace_close(t);
	return ok ? 0 : cmd_fail("%s", err.text);
}
