/* SPDX-License-Identifier: MIT */
#include "synth/source.h"

#include <stdlib.h>
#include <string.h>

#include "synth/load.h"

#define BATCH_EVENTS  16384u
#define BLOCK_PAGES   1024u           /* of the largest order, which memory is a multiple of */
#define DMA32_END     (UINT64_C(3) << 18)
#define NORMAL_START  (UINT64_C(4) << 18)
#define EVENT_NS      2000u
#define TICK_EVENTS   500000u         /* a second of events */
#define KERNEL_MAGIC  0x4d4d5831u     /* of a snapshot, pagus-pgt(5) */
#define PCP_BATCH     63u

struct source {
	struct synth_model model;
	struct load *load;
	struct trace_event *batch;
	uint64_t nr;      /* events so far */
	uint32_t ticking; /* CPUs that have yet to tick */
};

/* ---- the start snapshot ---------------------------------------------------------------------- */

struct words {
	uint32_t *at;
	size_t nr, room;
	bool failed;
};

static void put(struct words *w, uint64_t value)
{
	if (w->nr == w->room) {
		size_t room = w->room ? w->room * 2 : 65536;
		uint32_t *grown = w->failed ? NULL : realloc(w->at, room * sizeof(*grown));

		if (!grown) {
			w->failed = true;
			return;
		}
		w->at = grown;
		w->room = room;
	}
	w->at[w->nr++] = (uint32_t)value;
}

static void put64(struct words *w, uint64_t value)
{
	put(w, value);
	put(w, value >> 32);
}

static void put_zeroes(struct words *w, uint32_t nr)
{
	while (nr--)
		put(w, 0);
}

struct zone {
	uint32_t index; /* 1 DMA32, 2 Normal */
	uint64_t start, pages;
};

static uint32_t zones_of(const struct synth_model *m, struct zone zones[2])
{
	uint64_t pages = m->memory >> 12 & ~(uint64_t)(BLOCK_PAGES - 1);
	uint64_t low = pages < DMA32_END ? pages : DMA32_END;

	zones[0] = (struct zone){ .index = 1, .start = 0, .pages = low };
	zones[1] = (struct zone){ .index = 2, .start = NORMAL_START, .pages = pages - low };
	return pages > low ? 2 : 1;
}

static uint64_t page_to_pfn(uint64_t page)
{
	return page < DMA32_END ? page : page - DMA32_END + NORMAL_START;
}

static void put_header(struct words *w, const struct synth_model *m)
{
	const uint32_t head[] = { 1, 24, KERNEL_MAGIC, 3, 0x070200, (uint32_t)m->cpus, 1, 9, 14, 6,
				  11, 5, 0, 1 };

	for (size_t n = 0; n < sizeof(head) / sizeof(head[0]); n++)
		put(w, head[n]);
	put64(w, 0);     /* clocks */
	put64(w, 1);
	put(w, 262144);  /* min_free_kbytes, as far as a record says it */
	put(w, 0);
	put64(w, 0);
	put(w, 12);
	put(w, 64);
	put(w, 0);
	put(w, 5);
}

/* As the kernel's formulas have them for so much memory: 1/1000 between marks, 256 MiB at most. */
static void put_marks(struct words *w, const struct synth_model *m, const struct zone *z)
{
	uint64_t most = UINT64_C(65536) * z->pages / (m->memory >> 12), min = z->pages / 256;
	uint64_t gap = z->pages / 1000;

	min = min < most ? min : most;
	for (uint32_t mark = 0; mark < 4; mark++)
		put64(w, min + mark * (gap > min / 4 ? gap : min / 4));
}

static uint64_t high_max(const struct synth_model *m, const struct zone *z)
{
	uint64_t high = z->pages / 8 / m->cpus;

	return high > 4 * PCP_BATCH ? high : 4 * PCP_BATCH;
}

static void put_zone(struct words *w, const struct synth_model *m, const struct zone *z,
		     uint64_t above)
{
	put(w, 3);
	put(w, 65);
	put(w, 0);
	put(w, z->index);
	put64(w, z->start);
	put64(w, z->pages);
	put64(w, z->pages);
	put64(w, z->pages);
	put_marks(w, m, z);
	put64(w, 0); /* boost, reserved */
	put64(w, 0);
	put64(w, 0);
	put64(w, 0);
	put64(w, z->index < 2 ? above / 256 : 0);
	put64(w, z->index < 2 ? above / 256 : 0);
	put64(w, 0);
	put64(w, 0);
	put64(w, 0);
	put64(w, z->pages);
	put64(w, 0);
	put(w, 4 * PCP_BATCH);
	put(w, PCP_BATCH);
	put_zeroes(w, 11);
	put(w, high_max(m, z));
	put_zeroes(w, 11);
}

static void put_pcps(struct words *w, const struct synth_model *m, const struct zone *z)
{
	for (uint32_t cpu = 0; cpu < m->cpus; cpu++) {
		put(w, 4);
		put(w, 17);
		put(w, 0);
		put(w, z->index);
		put(w, cpu);
		put(w, 0);
		put(w, 4 * PCP_BATCH);
		put(w, PCP_BATCH);
		put_zeroes(w, 3);
		put(w, 125);
		put(w, 14);
		put(w, 4 * PCP_BATCH);
		put(w, high_max(m, z));
		put_zeroes(w, 4);
	}
}

static void put_memory(struct words *w, const struct zone *z)
{
	uint64_t nr = z->pages / BLOCK_PAGES;

	put(w, 6);
	put(w, 5 + nr);
	put(w, 0);
	put(w, z->index);
	put(w, 10);
	put(w, 1);
	put(w, nr);
	for (uint64_t n = 0; n < nr; n++)
		put(w, z->start + n * BLOCK_PAGES);
	put(w, 7);
	put(w, 4 + z->pages / 512);
	put(w, 0);
	put(w, z->index);
	put64(w, z->start);
	for (uint64_t n = 0; n < z->pages / 512; n++)
		put(w, 1);
}

static void put_zonelists(struct words *w, const struct zone *zones, uint32_t nr)
{
	for (uint32_t only = 0; only < 2; only++) {
		put(w, 8);
		put(w, 2 + nr);
		put(w, 0);
		put(w, only);
		for (uint32_t n = nr; n-- > 0;)
			put(w, zones[n].index);
	}
	put(w, 9);
	put(w, 1);
	put(w, 0);
}

static bool read_words(struct trace *t, int which, struct trace_words *out, struct trace_error *err)
{
	const struct source *s = t->container;
	struct words w = { 0 };
	struct zone zones[2];
	uint32_t nr = zones_of(&s->model, zones);

	if (which != 0)
		return true;
	put_header(&w, &s->model);
	for (uint32_t n = 0; n < nr; n++)
		put_zone(&w, &s->model, &zones[n], zones[1].pages);
	for (uint32_t n = 0; n < nr; n++) {
		put_pcps(&w, &s->model, &zones[n]);
		put_memory(&w, &zones[n]);
	}
	put_zonelists(&w, zones, nr);
	out->file = strdup(t->meta.path);
	out->words = w.at;
	out->nr = w.nr;
	if (!w.failed && out->file)
		return true;
	out->words = NULL;
	free(w.at);
	return trace_fail(err, "%s: no memory", t->meta.path);
}

/* ---- events ---------------------------------------------------------------------------------- */

static const struct {
	uint32_t gfp;
	int8_t type;
} of_kind[LOAD_KINDS] = {
	[LOAD_UNMOVABLE] = { GFP_KERNEL, 0 },
	[LOAD_SLAB] = { GFP_KERNEL | __GFP_RECLAIMABLE, 2 },
	[LOAD_ANON] = { GFP_HIGHUSER_MOVABLE, 1 },
	[LOAD_CACHE] = { GFP_HIGHUSER_MOVABLE, 1 },
};

static void tell(struct source *s, struct trace_event *ev, const struct load_step *step)
{
	*ev = (struct trace_event){
		.ts = s->nr * EVENT_NS, .pfn = page_to_pfn(step->page), .order = step->order,
		.type = step->birth ? TRACE_ALLOC : TRACE_FREE, .pid = 1 + step->kind,
		.cpu = (uint8_t)load_random(s->load, s->model.cpus),
	};
	if (!step->birth)
		return;
	ev->gfp = of_kind[step->kind].gfp;
	ev->mt = of_kind[step->kind].type;
}

static int next(struct trace *t, const struct trace_event **batch, struct trace_error *err)
{
	struct source *s = t->container;
	struct load_step step;
	bool no_memory = false;
	uint32_t n = 0;

	for (; n < BATCH_EVENTS; n++, s->nr++) {
		if (s->nr % TICK_EVENTS == 0)
			s->ticking = (uint32_t)s->model.cpus;
		if (s->ticking) {
			s->batch[n] = (struct trace_event){ .ts = s->nr * EVENT_NS, .x1 = 1,
							    .cpu = (uint8_t)--s->ticking,
							    .type = TRACE_TICK };
			continue;
		}
		if (!load_next(s->load, &step, &no_memory))
			break;
		tell(s, &s->batch[n], &step);
	}
	if (no_memory) {
		trace_fail(err, "%s: no memory", t->meta.path);
		return -1;
	}
	*batch = s->batch;
	return (int)n;
}

static bool rewind_source(struct trace *t, struct trace_error *err)
{
	struct source *s = t->container;

	load_free(s->load);
	s->load = load_new(&s->model);
	s->nr = 0;
	return s->load || trace_fail(err, "%s: no memory", t->meta.path);
}

static void close_source(struct trace *t)
{
	struct source *s = t->container;

	load_free(s->load);
	free(s->batch);
	free(s);
}

static const struct trace_ops ops = {
	.read_words = read_words, .next = next, .rewind = rewind_source, .close = close_source,
};

bool synth_open(struct trace *t, struct trace_error *err)
{
	struct source *s = calloc(1, sizeof(*s));
	char why[200];

	t->ops = &ops;
	t->container = s;
	t->meta.container = "synth";
	t->meta.kernel = "none: a synthetic load";
	t->meta.release = "7.2";
	t->meta.workload = t->meta.path;
	t->meta.machine = "";
	t->meta.clock = "local";
	t->meta.manifest = "";
	if (!s)
		return trace_fail(err, "%s: no memory", t->meta.path);
	if (!synth_parse(t->meta.path + strlen(SYNTH_PREFIX), &s->model, why, sizeof(why)))
		return trace_fail(err, "%s: %s", t->meta.path, why);
	s->batch = malloc(BATCH_EVENTS * sizeof(*s->batch));
	return rewind_source(t, err) && (s->batch || trace_fail(err, "%s: no memory", t->meta.path));
}
