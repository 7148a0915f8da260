/* SPDX-License-Identifier: MIT */
/* The machines on which the checks of the superpageblock specification run, one after the other. */
#ifndef TEST_MACHINE_H
#define TEST_MACHINE_H

#include <stdio.h>

#include "unit/unit.h"

#define MACHINE_MOST_PAGES     (UINT64_C(1) << 26)
#define MACHINE_MOST_SPB_PAGES (UINT64_C(1) << 18)

/* Its memory, one zone, and the superpageblocks that it is cut into if nobody says how. */
static struct machine {
	uint64_t mib;
	struct pagus_range range;
	uint32_t order, nr_spbs;
	uint64_t spb_pages;
} machine;

static inline void machine_set(uint64_t mib, uint32_t order)
{
	uint64_t pages = mib << (20 - 12);

	machine = (struct machine){
		.mib = mib, .range = { 0, pages, 0, PAGUS_ZONE_BY_CEILING }, .order = order,
		.nr_spbs = (uint32_t)(pages >> order), .spb_pages = UINT64_C(1) << order,
	};
}

static inline uint32_t machine_spb(pagus_pfn_t pfn)
{
	return (uint32_t)(pfn >> machine.order);
}

/* Run a group of tests on each, up to the one of as many MiB as the first argument says, or 16 GiB. */
static inline int machine_each(int argc, char **argv, int (*run)(const char *name))
{
	static const struct {
		uint64_t mib;
		uint32_t order;
	} rows[] = { { 512, 14 }, { 16384, 18 }, { 262144, 18 } };
	uint64_t largest = argc > 1 ? strtoull(argv[1], NULL, 10) : 16384;
	int failed = 0;

	for (size_t n = 0; n < NR_OF(rows) && rows[n].mib <= largest; n++) {
		char name[32];

		machine_set(rows[n].mib, rows[n].order);
		snprintf(name, sizeof(name), "%llu MiB", (unsigned long long)machine.mib);
		print_message("%s\n", name);
		failed += run(name);
	}
	return failed;
}

#endif
