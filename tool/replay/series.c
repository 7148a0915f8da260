/* SPDX-License-Identifier: MIT */
#include "replay/series.h"

#include <stdlib.h>

void series_init(struct series *s, uint32_t nr_cells)
{
	uint64_t room = SERIES_CELLS / (nr_cells ? nr_cells : 1);

	*s = (struct series){ .nr_cells = nr_cells, .sample_stride = 64, .slice_stride = 64 };
	s->slice_room = room < 8 ? 8 : room < SERIES_SLICES ? (uint32_t)room : SERIES_SLICES;
}

void series_fini(struct series *s)
{
	for (uint32_t n = 0; n < s->nr_slices; n++)
		free(s->slices[n].cells);
	s->nr_slices = 0;
}

static void thin_samples(struct series *s)
{
	for (uint32_t n = 0; n < s->nr_samples / 2; n++)
		s->samples[n] = s->samples[2 * n];
	s->nr_samples /= 2;
	s->sample_stride *= 2;
}

static void thin_slices(struct series *s)
{
	uint32_t kept = 0;

	for (uint32_t n = 0; n < s->nr_slices; n++) {
		if (n % 2 == 0)
			s->slices[kept++] = s->slices[n];
		else
			free(s->slices[n].cells);
	}
	s->nr_slices = kept;
	s->slice_stride *= 2;
}

static void take_sample(struct series *s, const struct machine *m, const struct content *c,
			uint64_t event, uint64_t ts)
{
	struct series_sample *sample = &s->samples[s->nr_samples++];

	*sample = (struct series_sample){
		.ts = ts, .event = event, .nr_mixed = c->nr_mixed, .nr_granted = s->nr_granted,
		.nr_tainted = c->superpageblocks.nr_tainted,
		.nr_empty = c->superpageblocks.nr_empty,
		.moved_pages = machine_count(m, PAGUS_COUNTER_pgmigrate_success),
	};
	for (uint32_t id = 0; id < pagus_nr_zones(&m->pagus); id++) {
		struct pagus_zone_info info;

		pagus_zone_info(&m->pagus, id, &info);
		for (uint32_t o = 0; o < PAGUS_NR_ORDERS; o++)
			sample->nr_free[o] += info.nr_free[o];
		sample->pcp_pages += info.pcp_pages;
	}
}

static bool take_slice(struct series *s, const struct content *c, uint64_t event, uint64_t ts)
{
	char *cells = malloc(s->nr_cells);

	if (!cells)
		return false;
	content_cells(c, cells);
	s->slices[s->nr_slices++] =
		(struct series_slice){ .ts = ts, .event = event, .cells = cells };
	return true;
}

bool series_tick(struct series *s, const struct machine *m, const struct content *c, uint64_t event,
		 uint64_t ts)
{
	uint64_t stride;

	if (event % s->sample_stride == 0) {
		if (s->nr_samples == SERIES_SAMPLES)
			thin_samples(s);
		if (event % s->sample_stride == 0)
			take_sample(s, m, c, event, ts);
	}
	if (event % s->slice_stride == 0) {
		if (s->nr_slices == s->slice_room)
			thin_slices(s);
		if (event % s->slice_stride == 0 && !take_slice(s, c, event, ts))
			return false;
	}
	/* Strides are powers of two, so the smaller divides the larger. */
	stride = s->sample_stride < s->slice_stride ? s->sample_stride : s->slice_stride;
	s->next = (event / stride + 1) * stride;
	return true;
}

bool series_end(struct series *s, const struct machine *m, const struct content *c, uint64_t event,
		uint64_t ts)
{
	if (s->nr_samples == SERIES_SAMPLES)
		s->nr_samples--;
	take_sample(s, m, c, event, ts);
	if (s->nr_slices == s->slice_room)
		free(s->slices[--s->nr_slices].cells);
	return take_slice(s, c, event, ts);
}
