/* SPDX-License-Identifier: MIT */
/*
 * A trace: what one kernel's page allocator was asked, in time order, and the state it started
 * from.
 *
 * Two containers hold the same thing: a case folder (events.evt.zst, snap.start.zst, snap.end.zst,
 * manifest.json) and one .pgt file (pagus-pgt(5)). Readers stream: memory does not grow with the
 * number of events. Every error text names the file and, where there is one, the byte offset.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/snapshot.h"

/*
 * One event. Case folders store its fields in this order, little-endian, in 32 bytes. What a field
 * means depends on type.
 */
struct trace_event {
	uint64_t ts;  /* in the trace's clock; see trace_meta */
	uint64_t pfn;
	uint32_t gfp;
	int32_t pid;
	uint8_t cpu;
	uint8_t type; /* enum trace_event_type, or another below TRACE_NR_TYPES, which replay passes over */
	uint8_t order;
	int8_t mt;
	uint8_t irqflags;
	uint8_t preempt;
	uint8_t x1;
	uint8_t x2;
};

/* Numbers as in pagus-pgt(5), which describes the fields. */
enum trace_event_type {
	TRACE_OTHER = 0,
	TRACE_ALLOC = 1,         /* mm_page_alloc; pfn all ones: the request failed */
	TRACE_FREE = 2,          /* mm_page_free */
	TRACE_FREE_BATCHED = 3,  /* mm_page_free_batched: beside mm_page_free, not one more free */
	TRACE_ZONE_LOCKED = 4,
	TRACE_PCPU_DRAIN = 5,
	TRACE_EXTFRAG = 6,
	TRACE_SNAPSHOT = 7,
	TRACE_BULK_BEGIN = 8,
	TRACE_BULK_PAGE = 9,     /* a page of the bulk allocator, without mm_page_alloc */
	TRACE_BULK_END = 10,
	TRACE_ISOLATE_FREE = 11, /* a free block leaves the lists unallocated; x1 = 1: it did */
	TRACE_PUTBACK = 12,      /* such a block is put back */
	TRACE_SET_BLOCK_TYPE = 13,
	TRACE_MOVE_FREE = 14,
	TRACE_REQUEST = 15,      /* a request enters; mt = preferred node, pfn = nodemask */
	TRACE_KSWAPD = 16,
	TRACE_OUTSIDE_DRAIN = 17,
	TRACE_DIRECT_FREE = 18,
	TRACE_ROTATE = 19,
	TRACE_POP = 20,
	TRACE_REFILL = 21,
	TRACE_PUSH = 22,
	TRACE_DRAIN_PIECE = 23,
	TRACE_CAPTURE = 24,
	TRACE_ISOLATE_BIT = 26,
	TRACE_CLAIM = 27,        /* x1 = the candidate's order */
	TRACE_WALK = 28,
	TRACE_LIMITS = 29,
	TRACE_MARKS = 30,
	TRACE_TICK = 31,         /* a CPU's counts are folded; x1 = 1: its pcps decay */
	TRACE_NR_TYPES = 32
};

/* What is known of a trace besides its events. Strings are owned by the trace; "" where unknown. */
struct trace_meta {
	const char *path;      /* as opened */
	const char *kernel;    /* as /proc/version prints it */
	const char *release;   /* "6.1", "7.2" */
	const char *release_file;  /* that states it, and the offset of what does */
	uint64_t release_offset;
	const char *workload;
	const char *machine;   /* memory, CPUs, in words */
	const char *clock;     /* trace_clock: "local", "x86-tsc" (cycles), ... */
	const char *container; /* "case" or "pgt" */
	uint64_t nr_events;    /* as the container states; 0: not stated */
	uint64_t lost_events;  /* overruns, drops and missed probes that the recorder reported */
	uint64_t span_ns;      /* time from start to end snapshot; 0: not known */
	const char *manifest;  /* the whole manifest, JSON text */
};

struct trace;

struct trace_error {
	char text[512]; /* one line: file, offset where there is one, what is wrong */
};

/*
 * Open a case folder or a .pgt file, read its metadata and start snapshot. NULL and *err on
 * failure.
 */
struct trace *trace_open(const char *path, struct trace_error *err);
const struct trace_meta *trace_meta(const struct trace *t);
const struct snapshot *trace_start(const struct trace *t);

/*
 * The end snapshot, read on the first call; NULL with err->text "" where the container has none,
 * NULL with a text where it cannot be read. Owned by the trace. Independent of trace_next.
 */
const struct snapshot *trace_end(struct trace *t, struct trace_error *err);

/* The snapshot's words, in host byte order; which: 0 start, 1 end. NULL as trace_end. */
const uint32_t *trace_snapshot_words(struct trace *t, int which, size_t *nr_words,
				     struct trace_error *err);

/*
 * The next events: *batch points into the reader until the next call. Returns how many, 0 at the
 * end of a complete trace, -1 with *err for anything else: truncated, corrupt, an event of an
 * unknown type, CPU, order or migratetype, or a count that differs from the container's own
 * statement.
 */
int trace_next(struct trace *t, const struct trace_event **batch, struct trace_error *err);

/* Back to the first event. False with *err if the file cannot be read again. */
bool trace_rewind(struct trace *t, struct trace_error *err);
void trace_close(struct trace *t);

/* A short name of an event type for people: the kernel's tracepoint where there is one. */
const char *trace_event_name(unsigned int type);

/*
 * Write a .pgt file with the facts and snapshots of `from`, which stays open until pgt_finish.
 * Nothing appears at `path` until that has succeeded. level: zstd's, 1 to 22.
 */
struct pgt_writer;
struct pgt_writer *pgt_create(const char *path, struct trace *from, int level,
			      struct trace_error *err);
bool pgt_write(struct pgt_writer *w, const struct trace_event *events, size_t n,
	       struct trace_error *err);
bool pgt_finish(struct pgt_writer *w, struct trace_error *err); /* frees w, also on failure */
void pgt_abandon(struct pgt_writer *w);                         /* removes what was written */

#endif
