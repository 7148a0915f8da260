/* SPDX-License-Identifier: MIT */
/* What is asked of a replay beyond the recorded requests: who moves pages, huge pages, reclaim. */
#ifndef REPLAY_WHATIF_H
#define REPLAY_WHATIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

enum whatif_defrag {
	WHATIF_DEFRAG_NONE, /* no page moves */
	WHATIF_DEFRAG_SCAN, /* the library's compaction: two scanners, direct and by kcompactd */
	WHATIF_DEFRAG_CHOICE, /* the same, but of what costs the least to empty: vm.compact_choice */
	WHATIF_DEFRAG_EVACUATE, /* as SCAN, and its worker that makes room in superpageblocks */
	WHATIF_NR_DEFRAGS
};

#define WHATIF_MAX_READY 65536 /* superpageblocks_ready's range */

#define WHATIF_HUGE_ORDER     9  /* 2 MiB of 4 KiB pages, by an ordinary request */
#define WHATIF_GIGANTIC_ORDER 18 /* 1 GiB, as a contiguous range */

/* Huge pages asked for while the trace runs; times are recorded ones. */
struct whatif_huge {
	uint64_t every_ns;     /* between rounds; 0: none are asked for */
	uint64_t hold_ns;      /* how long a page that was granted is kept */
	uint32_t order, count; /* of each page; pages asked for in a round */
};

struct whatif {
	enum whatif_defrag defrag;
	struct whatif_huge huge;
	bool closed_loop;
	uint32_t ready; /* superpageblocks of each zone to be kept empty; with EVACUATE alone */
};

const char *whatif_defrag_name(enum whatif_defrag defrag);

/*
 * The values of --defrag, --huge and --ready. False with a line about what is wrong in `why`, the
 * value not changed.
 */
bool whatif_parse_defrag(enum whatif_defrag *defrag, const char *text, char *why, size_t room);
bool whatif_parse_huge(struct whatif_huge *huge, const char *text, char *why, size_t room);
bool whatif_parse_ready(uint32_t *ready, const char *text, char *why, size_t room);

/* Does anything go on by itself, or by the clock? */
static inline bool whatif_acts(const struct whatif *w)
{
	return w->defrag != WHATIF_DEFRAG_NONE || w->huge.every_ns || w->closed_loop;
}

/*
 * Does what is asked for go together, and with the policy? False with a line about it in `why`, which
 * begins with the option's name.
 */
bool whatif_fits(const struct whatif *w, const char *policy, char *why, size_t room);

/*
 * Can the recorded machine grant what is asked for at all? False with *err: it has no such range,
 * free or not.
 */
bool whatif_possible(const struct whatif *w, struct trace *t, struct trace_error *err);

#endif
