/* SPDX-License-Identifier: MIT */
/*
 * Replay, open loop: every recorded birth asks the replayed machine for pages, every recorded death
 * gives the same pages back, whichever they are there. Placement is the policy's; the traffic is
 * the recording's.
 *
 *     trace events -> births and deaths -> shadow (recorded pfn -> ours) -> libpagus -> content, series
 *                     the agenda: huge pages asked for, workers that move and reclaim
 *
 * What else is asked of it (whatif.h) acts between the events; with a closed loop the machine also
 * takes pages that the recording has not freed.
 */
#ifndef REPLAY_REPLAY_H
#define REPLAY_REPLAY_H

#include "replay/agenda.h"
#include "replay/huge.h"
#include "replay/loop.h"
#include "replay/machine.h"
#include "replay/moves.h"
#include "replay/owner.h"
#include "replay/series.h"
#include "replay/shadow.h"
#include "replay/whatif.h"

/* What the recording itself says: the same under every policy. */
struct replay_recorded {
	uint64_t events, first_ts, last_ts;
	uint64_t births, deaths;           /* blocks */
	uint64_t bulk_births;              /* pages from the bulk allocator, which has no stock event */
	uint64_t moved_pages;              /* by the recorded kernel's compaction: they stay put here */
	uint64_t contig_blocks;            /* free blocks that became part of a contiguous allocation */
	uint64_t failed;                   /* requests that failed in the recording: not replayed */
	uint64_t unknown_deaths;           /* frees of pages that the replay does not know to be in use */
	uint64_t births_over_live;         /* births where a block was still live: its free is missing */
	uint64_t split_births;             /* blocks that died in smaller pieces than they were born */
	uint64_t joined_deaths;            /* frees larger than the births they cover */
	uint64_t outside;                  /* events about pages outside the recorded zones */
	uint64_t node_inferred;            /* births whose preferred node was taken from their own page */
	uint64_t ticks;                    /* of the vmstat worker: then pcps decay, here too */
	uint64_t zone_takes, drained, fallbacks; /* events of the recorded kernel itself */
};

/* What came of it under this policy. */
struct replay_outcome {
	uint64_t allocations, refused, frees;
	uint64_t same_page;                /* births that got the very page of the recording */
	uint64_t same_block;               /* births that got a page in the same pageblock */
	uint64_t rights_inferred;          /* granted only by ignoring watermarks, as the recorded kernel had */
};

struct replay {
	struct trace *trace;
	struct machine *machine;
	struct shadow shadow;
	struct moves moves;
	struct content content;
	struct series series;
	struct replay_recorded recorded;
	struct replay_outcome outcome;
	struct whatif whatif;
	struct owner owner;
	struct loop loop;
	struct huge huge;
	struct agenda agenda;
	struct replay_cpu *cpus;           /* of the recording */
	enum pagus_status disagreement;    /* of a free that the instance refused */
	bool by_pid;                       /* more virtual CPUs than recorded: tasks are spread */
};

/* Called every few thousand events; for showing progress. */
typedef void replay_progress(void *ctx, uint64_t events_done);

/*
 * Replay a whole trace under one policy. NULL and *err on failure. `nr_cpus` 0: as recorded. With
 * fewer, recorded CPU c acts as c modulo nr_cpus; with more, a task acts on CPU pid modulo nr_cpus.
 * `whatif` NULL: open loop, and nothing else is asked.
 */
struct replay *replay_run(struct trace *t, const char *policy, uint32_t nr_cpus,
			  const struct whatif *whatif, replay_progress *progress, void *ctx,
			  struct trace_error *err);
void replay_free(struct replay *r);

#endif
