/* SPDX-License-Identifier: MIT */
/*
 * What a store of free blocks costs: bytes of state at several machine sizes, and a fixed workload
 * whose instructions callgrind counts. Usage: store size POLICY | store pairs N | store bulk N
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pagus/sim.h>

#define GIB_PAGES UINT64_C(262144)

static struct pagus_config config(const struct pagus_range *range, uint32_t nr_cpus)
{
	struct pagus_config cfg = PAGUS_CONFIG_X86_64;

	cfg.ranges = range;
	cfg.nr_ranges = 1;
	cfg.nr_cpus = nr_cpus;
	return cfg;
}

static int show_sizes(const char *policy)
{
	static const struct {
		uint64_t gib;
		uint32_t cpus;
	} machines[] = { { 1, 1 }, { 16, 8 }, { 256, 64 }, { 1024, 256 } };

	for (size_t n = 0; n < sizeof(machines) / sizeof(machines[0]); n++) {
		const struct pagus_range range = { 0, machines[n].gib * GIB_PAGES, 0,
						   PAGUS_ZONE_BY_CEILING };
		struct pagus_config cfg = config(&range, machines[n].cpus);
		uint64_t bytes;

		cfg.policy = policy;
		bytes = pagus_sizeof(&cfg);
		if (!bytes) {
			fprintf(stderr, "store: %s: no such policy\n", policy);
			return 1;
		}
		printf("%" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", machines[n].gib,
		       machines[n].cpus, bytes, range.nr_pages);
	}
	return 0;
}

static int run(const char *what, long rounds)
{
	static const struct pagus_range range = { 0, GIB_PAGES, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = config(&range, 1);
	size_t bytes = pagus_sizeof(&cfg);
	void *region = aligned_alloc(64, bytes);
	pagus_pfn_t *held = malloc((size_t)rounds * sizeof(*held));
	struct pagus_sim sim;
	struct pagus p;

	pagus_sim_init(&sim, 1);
	if (!region || !held ||
	    pagus_init(&p, region, bytes, &cfg, &pagus_sim_port, &sim) != PAGUS_OK ||
	    pagus_boot_free(&p, 0, GIB_PAGES) != PAGUS_OK || pagus_boot_done(&p) != PAGUS_OK)
		return 1;
	for (long n = 0; n < rounds; n++) {
		if (pagus_alloc_pages(&p, GFP_HIGHUSER_MOVABLE, 0, &held[n]) != PAGUS_OK)
			return 1;
		if (strcmp(what, "pairs") == 0 && pagus_free_pages(&p, held[n], 0) != PAGUS_OK)
			return 1;
	}
	for (long n = 0; strcmp(what, "bulk") == 0 && n < rounds; n++)
		if (pagus_free_pages(&p, held[n], 0) != PAGUS_OK)
			return 1;
	free(held);
	free(region);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "size") == 0)
		return show_sizes(argv[2]);
	if (argc == 3)
		return run(argv[1], atol(argv[2]));
	fputs("usage: store size POLICY | store pairs N | store bulk N\n", stderr);
	return 1;
}
