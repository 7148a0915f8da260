/* SPDX-License-Identifier: MIT */
/*
 * Series: the replayed machine over time. Samples are taken every `stride` events; when the room is
 * full, every second one is dropped and the stride doubles, so that a trace of any length ends with
 * between half the room and the room, at equal distances, without knowing its length before.
 */
#ifndef REPLAY_SERIES_H
#define REPLAY_SERIES_H

#include "replay/content.h"

#define SERIES_SAMPLES 256
#define SERIES_SLICES  128
#define SERIES_CELLS   (UINT64_C(1) << 24) /* slices x pageblocks at the most */

struct series_sample {
	uint64_t ts, event;
	uint64_t nr_free[PAGUS_NR_ORDERS]; /* blocks */
	uint64_t pcp_pages, nr_mixed;
	uint64_t nr_tainted, nr_empty; /* superpageblocks */
	uint64_t moved_pages, nr_granted; /* until then */
};

struct series_slice {
	uint64_t ts, event;
	char *cells;
};

struct series {
	struct series_sample samples[SERIES_SAMPLES];
	struct series_slice slices[SERIES_SLICES];
	uint32_t nr_samples, nr_slices, slice_room, nr_cells;
	uint64_t sample_stride, slice_stride;
	uint64_t next; /* event at which series_tick is due */
	uint64_t nr_granted; /* huge pages until now: who asks for them counts them here */
};

void series_init(struct series *s, uint32_t nr_cells);
void series_fini(struct series *s);

/* Take what is due at this event. False if there is no memory. */
bool series_tick(struct series *s, const struct machine *m, const struct content *c, uint64_t event,
		 uint64_t ts);

/* The last state, whatever the stride. */
bool series_end(struct series *s, const struct machine *m, const struct content *c, uint64_t event,
		uint64_t ts);

#endif
