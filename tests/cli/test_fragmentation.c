/* SPDX-License-Identifier: MIT */
/*
 * Fragmentation does not pay for the pageblocks that CPUs own: when a recording has been replayed, and
 * what lies on pcps is given back, as many whole pageblocks are free as under linux. Over lists a few
 * less may be: the CPUs' pageblocks there are as the RFC has them.
 *
 * Usage: test_fragmentation TRACE.pgt...
 */
#include <stdio.h>

#include "replay/replay.h"

#define ORDER 9u

static uint64_t free_blocks(const struct pagus *p)
{
	struct pagus_zone_info zone;
	uint64_t nr = 0;

	for (uint32_t n = 0; pagus_zone_info(p, n, &zone) == PAGUS_OK; n++)
		for (uint32_t order = ORDER; order < PAGUS_NR_ORDERS; order++)
			nr += zone.nr_free[order] << (order - ORDER);
	return nr;
}

static bool count(const char *path, const char *policy, uint64_t *nr)
{
	const struct whatif whatif = { .defrag = WHATIF_DEFRAG_NONE };
	struct trace_error err = { "" };
	struct trace *trace = trace_open(path, &err);
	struct replay *r = trace ? replay_run(trace, policy, 0, &whatif, NULL, NULL, &err) : NULL;

	if (r) {
		pagus_drain_all(&r->machine->pagus);
		*nr = free_blocks(&r->machine->pagus);
	} else {
		fprintf(stderr, "%s, %s: %s\n", path, policy, err.text);
	}
	replay_free(r);
	trace_close(trace);
	return r != NULL;
}

static const struct row {
	const char *policy;
	uint32_t percent; /* of what is free under linux, at least */
} rows[] = {
	{ "pcpbuddy", 95 }, { "pcpbuddy-bitmap", 100 }, { "superpageblock", 100 },
};

static bool judge(const char *path)
{
	uint64_t linux_has = 0, nr;
	bool ok = count(path, "linux", &linux_has);

	printf("%s: linux %llu", path, (unsigned long long)linux_has);
	for (uint32_t n = 0; ok && n < sizeof(rows) / sizeof(*rows); n++) {
		if (!count(path, rows[n].policy, &nr))
			return false;
		printf(", %s %llu", rows[n].policy, (unsigned long long)nr);
		ok &= nr * 100 >= linux_has * rows[n].percent;
	}
	printf("%s\n", ok ? "" : ": too few");
	return ok;
}

int main(int argc, char **argv)
{
	bool ok = argc > 1;

	for (int n = 1; n < argc; n++)
		ok &= judge(argv[n]);
	return !ok;
}
