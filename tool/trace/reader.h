/* SPDX-License-Identifier: MIT */
/* What the containers' readers share: one trace, the calls that differ by container, and errors. */
#ifndef TRACE_READER_H
#define TRACE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "trace/trace.h"

#define TRACE_RECORD_BYTES       32u
#define TRACE_MAX_MANIFEST_BYTES (4u << 20)
#define TRACE_MAX_SNAPSHOT_BYTES (1u << 30)

struct trace_words {
	uint32_t *words; /* host byte order; NULL: not read */
	size_t nr;
	char *file;      /* for error texts */
};

struct trace_ops {
	/* Fills `out` (words and file). True with out->words NULL: there is no such snapshot. */
	bool (*read_words)(struct trace *t, int which, struct trace_words *out,
			   struct trace_error *err);
	/* As trace_next, without the checks of each event and of the total. */
	int (*next)(struct trace *t, const struct trace_event **batch, struct trace_error *err);
	/* "FILE: offset N" of the event `number`, one of the last `next`, or the first past them. */
	void (*where)(const struct trace *t, uint64_t number, char *text, size_t room);
	bool (*rewind)(struct trace *t, struct trace_error *err);
	void (*close)(struct trace *t);
};

struct trace {
	struct trace_meta meta;
	char *strings[12]; /* what meta points to; NULL where unused */
	size_t nr_strings;
	const struct trace_ops *ops;
	void *container;
	struct trace_words words[2];  /* 0 start, 1 end */
	struct snapshot *snapshot[2];
	uint64_t nr_read;
	struct trace_error failure; /* why trace_next failed, and will until a rewind; "": it has not */
};

/* Write one line into err->text; what would break the line becomes '?'. Always false. */
bool trace_fail(struct trace_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A copy of `text` that the trace owns; NULL when out of memory. */
const char *trace_keep(struct trace *t, const char *text);

/* Take the facts of a case folder's manifest, resp. of a META chunk, into t->meta. */
bool trace_meta_from_manifest(struct trace *t, const char *file, const char *text, size_t bytes,
			      struct trace_error *err);
bool trace_meta_from_facts(struct trace *t, const char *file, uint64_t offset, const char *text,
			   size_t bytes, struct trace_error *err);
/* The text of a META chunk, to be freed; NULL when out of memory. */
char *trace_meta_facts(const struct trace_meta *meta);

/* Turn the `bytes` of a snapshot into words; takes nothing over. False when out of memory. */
bool trace_words_set(struct trace_words *out, const uint8_t *raw, size_t bytes);

/* "FILE: offset N" of an event, for error texts. */
#define TRACE_WHERE_BYTES 320

/* Is it an event that a recorder could have written? If not, *err. */
bool trace_event_valid(const struct trace *t, const struct trace_event *ev, uint64_t number,
		       struct trace_error *err);

/* Set up `t` for its container; where they fail, trace_close takes what they had set up. */
bool case_open(struct trace *t, struct trace_error *err);
bool pgt_open(struct trace *t, FILE *f, struct trace_error *err);

#endif
