/* SPDX-License-Identifier: MIT */
/*
 * A machine: one instance of the library under the sim port, started from a recorded kernel's
 * state.
 */
#ifndef REPLAY_MACHINE_H
#define REPLAY_MACHINE_H

#include <pagus/sim.h>

#include "trace/trace.h"

/*
 * The first snapshot version of a release that tunes its pcps, and takes fallbacks from foreign
 * lists.
 */
#define MACHINE_TUNED_PCP 3

struct machine {
	struct pagus pagus;
	struct pagus_sim sim;
	struct pagus_port port;    /* port/sim's calls; who leads the machine may add some */
	void *owner;               /* whose calls those are */
	void *region;
	size_t region_bytes;
	pagus_pfn_t first_pfn, end_pfn; /* of all zones' spans */
	uint64_t baseline[PAGUS_NR_COUNTERS]; /* counters when the machine was ready */
	uint64_t inherited_pages;
	uint32_t superpageblock_order; /* by the largest zone, also where the policy keeps none */
	bool moves; /* see machine_build_moving */
};

/*
 * Build it: zones and their holes, pageblock types, free lists and pcp lists in recorded order,
 * limits; all other pages are inherited as in use. `nr_cpus` may differ from the recorded number:
 * CPU c's lists then go to c modulo nr_cpus, and pcp limits are computed instead of taken over.
 * NULL and *err on failure.
 */
struct machine *machine_build(const struct trace_meta *meta, const struct snapshot *start,
			      const char *policy, uint32_t nr_cpus, struct trace_error *err);

/*
 * The same for a machine whose pages are to move: inherited pages of movable pageblocks are blocks of
 * order 0 in use, since the library knows no owner of inherited ones.
 */
struct machine *machine_build_moving(const struct trace_meta *meta, const struct snapshot *start,
				     const char *policy, uint32_t nr_cpus,
				     struct trace_error *err);
void machine_free(struct machine *m);

/* The machine of a port context, for calls that have been added. */
static inline struct machine *machine_of(void *port_ctx)
{
	return (struct machine *)((char *)port_ctx - offsetof(struct machine, sim));
}

/* A counter since the machine was ready. */
uint64_t machine_count(const struct machine *m, enum pagus_counter counter);

#endif
