/* SPDX-License-Identifier: MIT */
/* pagus verify: does the library choose the very pages that the recorded kernel chose? */
#include "cmd.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "replay/progress.h"
#include "verify/verify.h"

#define USAGE "verify TRACE... [--standard-events] [--release RELEASE] [--json]"
#define STANDARD_SHARE 995 /* thousandths that must be exact where only the stock events are used */

static void print_share(uint64_t exact, uint64_t predicted)
{
	/* In millionths, rounded down: 100.0000 only where every one is exact. */
	uint64_t share = predicted ? exact * 1000000 / predicted : 1000000;

	printf("%12" PRIu64 " %12" PRIu64 "  %3" PRIu64 ".%04" PRIu64 " %%", predicted, exact,
	       share / 10000, share % 10000);
}

static void print_resync(const struct verify *v)
{
	printf("\n%-16s %12s\n", "", "re-synchronised");
	for (int rule = 0; rule < VERIFY_NR_RULES; rule++)
		if (v->resync[rule])
			printf("%-16s %12" PRIu64 "  %s\n", verify_rule_key((enum verify_rule)rule),
			       v->resync[rule], verify_rule_text((enum verify_rule)rule));
}

static void print_end(const struct verify_end *end)
{
	printf("\nend state: %" PRIu64 " of %" PRIu64 " lists identical in order, %" PRIu64
	       " of %" PRIu64 " pcps equal in count, limits and tuning\n           buddyinfo %" PRIu64
	       " pages off, pagetypeinfo %" PRIu64 " pageblocks off, %" PRIu64 " pages not on their list\n",
	       end->lists_in_order, end->lists, end->pcp_scalars_equal, end->pcp_scalars,
	       end->buddyinfo_pages_off, end->pagetypeinfo_blocks_off, end->pages_misplaced);
}

static void print_result(const struct trace *t, const struct verify *v, double seconds)
{
	printf("%s\n  %s\n  policy %s%s\n\n%-16s %12s %12s\n", trace_meta(t)->path,
	       trace_meta(t)->kernel, v->policy, v->standard ? ", the six stock kmem events alone" : "",
	       "", "predicted", "exact");
	for (int kind = 0; kind < VERIFY_NR_KINDS; kind++) {
		const struct verify_score *score = &v->score[kind];

		if (score->predicted == 0)
			continue;
		printf("%-16s ", verify_key((enum verify_kind)kind));
		print_share(score->exact, score->predicted);
		printf("  %s\n", verify_text((enum verify_kind)kind));
	}
	if (v->drains)
		printf("\ndrains: %" PRIu64 " of %" PRIu64
		       " left unfinished by the kernel, which may break one off between pieces\n",
		       v->drains_unfinished, v->drains);
	if (v->standard)
		print_resync(v);
	if (v->end.recorded)
		print_end(&v->end);
	if (trace_meta(t)->lost_events)
		printf("the recorder lost %" PRIu64 " events: misses may follow from that\n",
		       trace_meta(t)->lost_events);
	if (v->broken_invariant)
		printf("invariant %d broken: %s\n", v->broken_invariant,
		       pagus_invariant_text(v->broken_invariant));
	printf("%" PRIu64 " events, %.1f M events/s, %" PRIu32 " misses\n", v->events,
	       seconds > 0 ? (double)v->events / seconds / 1e6 : 0, v->nr_misses);
	for (uint32_t n = 0; n < v->nr_misses && n < VERIFY_MISSES; n++)
		printf("  %s\n", v->miss[n]);
}

static json_t *resync_json(const struct verify *v)
{
	json_t *object = json_object();

	for (int rule = 0; v->standard && rule < VERIFY_NR_RULES; rule++)
		json_object_set_new(object, verify_rule_key((enum verify_rule)rule),
				    json_integer((json_int_t)v->resync[rule]));
	return object;
}

static json_t *result_json(const struct trace *t, const struct verify *v)
{
	json_t *object = json_pack("{s:s,s:s,s:s,s:i,s:I,s:I}", "case", trace_meta(t)->path,
		"release", trace_meta(t)->release, "policy", v->policy,
		"cpus", (int)trace_start(t)->nr_cpus,
		"events", (json_int_t)v->events,
		"lost_events", (json_int_t)trace_meta(t)->lost_events);

	for (int kind = 0; kind < VERIFY_NR_KINDS; kind++)
		json_object_set_new(object, verify_key((enum verify_kind)kind), json_pack("{s:I,s:I}",
			"predicted", (json_int_t)v->score[kind].predicted,
			"exact", (json_int_t)v->score[kind].exact));
	json_object_set_new(object, "end", json_pack(
		"{s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
		"recorded", v->end.recorded, "lists", (json_int_t)v->end.lists,
		"lists_in_order", (json_int_t)v->end.lists_in_order,
		"pcps", (json_int_t)v->end.pcp_scalars,
		"pcps_equal", (json_int_t)v->end.pcp_scalars_equal,
		"buddyinfo_pages_off", (json_int_t)v->end.buddyinfo_pages_off,
		"pagetypeinfo_blocks_off", (json_int_t)v->end.pagetypeinfo_blocks_off,
		"pages_misplaced", (json_int_t)v->end.pages_misplaced));
	json_object_set_new(object, "drains", json_pack("{s:I,s:I}",
		"begun", (json_int_t)v->drains, "unfinished", (json_int_t)v->drains_unfinished));
	json_object_set_new(object, "resync", resync_json(v));
	json_object_set_new(object, "broken_invariant", json_integer(v->broken_invariant));
	json_object_set_new(object, "unexplained", json_integer(v->nr_misses));
	return object;
}

/* From the stock events alone: there are predictions, and almost every one of each kind is exact. */
static bool holds_standard(const struct verify *v)
{
	uint64_t predicted = 0;

	for (int kind = 0; kind < VERIFY_NR_KINDS; kind++) {
		predicted += v->score[kind].predicted;
		if (v->score[kind].exact * 1000 < v->score[kind].predicted * STANDARD_SHARE)
			return false;
	}
	return predicted > 0 && v->broken_invariant == 0;
}

/* Every prediction exact and the end state identical. */
static bool holds(const struct verify *v)
{
	if (v->standard)
		return holds_standard(v);
	return v->nr_misses == 0 && v->broken_invariant == 0 &&
	       v->end.lists == v->end.lists_in_order && v->end.pagetypeinfo_blocks_off == 0 &&
	       v->end.pcp_scalars == v->end.pcp_scalars_equal;
}

/* Where the results go. */
struct output {
	json_t *all;  /* NULL: to a table each */
	bool printed; /* a table has been */
};

/* 0 if the trace verifies, 1 if not or if it cannot be told. */
static int verify_one(const char *path, const struct verify_how *how, struct output *out)
{
	struct trace_error err = { "" };
	struct trace *t = trace_open(path, &err);
	uint64_t start_ns = progress_now_ns();
	struct verify v;
	int status;

	if (!t || !verify_run(&v, t, how, &err)) {
		trace_close(t);
		return cmd_fail("%s", err.text);
	}
	if (out->all) {
		json_array_append_new(out->all, result_json(t, &v));
	} else {
		if (out->printed)
			putchar('\n');
		print_result(t, &v, (double)(progress_now_ns() - start_ns) / 1e9);
		out->printed = true;
	}
	status = holds(&v) ? 0 : 1;
	trace_close(t);
	return status;
}

/* False, with a line that says so, if no such release is known. */
static bool choose_release(struct verify_how *how, const char *release)
{
	char known[64];

	how->policy = verify_release_policy(release);
	if (how->policy)
		return true;
	verify_known_releases(known, sizeof(known));
	cmd_fail("release %s is not known; known are %s", release, known);
	return false;
}

int cmd_verify(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "standard-events", no_argument, NULL, 's' },
		{ "release", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	struct verify_how how = { 0 };
	struct output out = { NULL, false };
	bool json = false;
	int c, status = 0;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 's')
			how.standard = true;
		else if (c != 'r')
			return cmd_usage(USAGE);
		else if (!choose_release(&how, optarg))
			return 1;
	}
	if (optind == argc)
		return cmd_usage(USAGE);
	if (json)
		out.all = json_array();
	for (int n = optind; n < argc; n++)
		status |= verify_one(argv[n], &how, &out);
	if (json_array_size(out.all) > 0) {
		json_dumpf(out.all, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	json_decref(out.all);
	return status;
}
