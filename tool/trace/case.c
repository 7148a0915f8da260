/* SPDX-License-Identifier: MIT */
/* The reader of case folders: manifest.json, events.evt.zst, snap.start.zst, snap.end.zst. */
#include "trace/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/le.h"
#include "trace/zstream.h"

#define CASE_BATCH_EVENTS 16384u
#define CASE_FIRST_SNAPSHOT_BYTES (256u << 10)

struct case_folder {
	char *events_path;
	struct zstream *events;
	uint8_t *raw;
	struct trace_event *batch;
	bool begun;            /* the first event tells of the start snapshot */
	bool ended;            /* the last one read tells of the end snapshot */
};

static char *join_path(const char *folder, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* All of a file, at most TRACE_MAX_MANIFEST_BYTES; to be freed. */
static char *read_text(const char *path, size_t *bytes, struct trace_error *err)
{
	FILE *f = fopen(path, "rb");
	char *text = malloc(TRACE_MAX_MANIFEST_BYTES + 1u);
	bool bad = true;

	if (f == NULL) {
		trace_fail(err, "%s: %s", path, strerror(errno));
	} else if (text == NULL) {
		trace_fail(err, "%s: out of memory", path);
	} else {
		*bytes = fread(text, 1, TRACE_MAX_MANIFEST_BYTES + 1u, f);
		if (ferror(f))
			trace_fail(err, "%s: %s", path, strerror(errno));
		else if (*bytes > TRACE_MAX_MANIFEST_BYTES)
			trace_fail(err, "%s: offset %u: longer than a manifest may be", path,
				   TRACE_MAX_MANIFEST_BYTES);
		else
			bad = false;
	}
	if (f != NULL)
		fclose(f);
	if (bad) {
		free(text);
		return NULL;
	}
	text[*bytes] = '\0';
	return text;
}

/* All content of a zstd file, at most TRACE_MAX_SNAPSHOT_BYTES; to be freed. */
static uint8_t *read_content(const char *path, size_t *bytes, struct trace_error *err)
{
	struct zstream *z = zstream_open(path, err);
	uint8_t *content = NULL;
	size_t room = 0, used = 0, got = 0;

	if (z == NULL)
		return NULL;
	do {
		size_t more = room == 0 ? CASE_FIRST_SNAPSHOT_BYTES : room;
		uint8_t *larger = realloc(content, room + more);

		if (larger == NULL) {
			trace_fail(err, "%s: out of memory", path);
			goto fail;
		}
		content = larger;
		room += more;
		if (!zstream_read(z, content + used, room - used, &got, err))
			goto fail;
		used += got;
	} while (used == room && room < TRACE_MAX_SNAPSHOT_BYTES);
	if (used == room || used % 4 != 0) {
		trace_fail(err, "%s: compressed offset %llu: %s", path,
			   (unsigned long long)zstream_offset(z),
			   used == room ? "longer than a snapshot may be" :
					  "content is not a multiple of 4 bytes");
		goto fail;
	}
	zstream_close(z);
	*bytes = used;
	return content;
fail:
	zstream_close(z);
	free(content);
	return NULL;
}

static bool read_case_words(struct trace *t, int which, struct trace_words *out,
			    struct trace_error *err)
{
	char *path = join_path(t->meta.path, which == 0 ? "snap.start.zst" : "snap.end.zst");
	uint8_t *raw;
	size_t bytes = 0;
	bool ok;

	if (path == NULL)
		return trace_fail(err, "%s: out of memory", t->meta.path);
	if (which == 1 && access(path, F_OK) != 0 && errno == ENOENT) {
		free(path);
		return true;
	}
	raw = read_content(path, &bytes, err);
	ok = raw != NULL;
	if (ok && !trace_words_set(out, raw, bytes))
		ok = trace_fail(err, "%s: out of memory", path);
	free(raw);
	if (!ok) {
		free(path);
		return false;
	}
	out->file = path;
	return true;
}

static void where_in_case(const struct trace *t, uint64_t number, char *text, size_t room)
{
	const struct case_folder *c = t->container;

	snprintf(text, room, "%s: uncompressed offset %llu", c->events_path,
		 (unsigned long long)(number * TRACE_RECORD_BYTES));
}

/*
 * A file that was cut between two events decompresses well. A recorder that tells of its start
 * snapshot first tells of its end snapshot last.
 */
static bool check_marks(struct trace *t, size_t nr, struct trace_error *err)
{
	struct case_folder *c = t->container;
	char where[TRACE_WHERE_BYTES];

	if (nr > 0) {
		const struct trace_event *last = &c->batch[nr - 1];

		if (t->nr_read == 0)
			c->begun = c->batch[0].type == TRACE_SNAPSHOT && c->batch[0].order == 0;
		c->ended = last->type == TRACE_SNAPSHOT && last->order == 1;
		return true;
	}
	if (t->nr_read == 0 || !c->begun || c->ended)
		return true;
	where_in_case(t, t->nr_read, where, sizeof(where));
	return trace_fail(err, "%s: ends after event %llu, before the end snapshot's event", where,
			  (unsigned long long)t->nr_read - 1);
}

static int next_case_events(struct trace *t, const struct trace_event **batch,
			    struct trace_error *err)
{
	struct case_folder *c = t->container;
	size_t got = 0;

	if (!zstream_read(c->events, c->raw, (size_t)CASE_BATCH_EVENTS * TRACE_RECORD_BYTES, &got,
			  err))
		return -1;
	if (got % TRACE_RECORD_BYTES != 0) {
		trace_fail(err, "%s: compressed offset %llu: content ends inside event %llu",
			   c->events_path, (unsigned long long)zstream_offset(c->events),
			   (unsigned long long)(t->nr_read + got / TRACE_RECORD_BYTES));
		return -1;
	}
	for (size_t i = 0; i < got / TRACE_RECORD_BYTES; i++) {
		const uint8_t *r = c->raw + i * TRACE_RECORD_BYTES;

		c->batch[i] = (struct trace_event){
			.ts = le_get64(r), .pfn = le_get64(r + 8), .gfp = le_get32(r + 16),
			.pid = (int32_t)le_get32(r + 20), .cpu = r[24], .type = r[25],
			.order = r[26], .mt = (int8_t)r[27], .irqflags = r[28],
			.preempt = r[29], .x1 = r[30], .x2 = r[31],
		};
	}
	if (!check_marks(t, got / TRACE_RECORD_BYTES, err))
		return -1;
	*batch = c->batch;
	return (int)(got / TRACE_RECORD_BYTES);
}

static bool rewind_case(struct trace *t, struct trace_error *err)
{
	struct case_folder *c = t->container;

	return zstream_rewind(c->events, err);
}

static void close_case(struct trace *t)
{
	struct case_folder *c = t->container;

	zstream_close(c->events);
	free(c->events_path);
	free(c->raw);
	free(c->batch);
	free(c);
	t->container = NULL;
}

static const struct trace_ops case_ops = {
	.read_words = read_case_words,
	.next = next_case_events,
	.where = where_in_case,
	.rewind = rewind_case,
	.close = close_case,
};

bool case_open(struct trace *t, struct trace_error *err)
{
	struct case_folder *c = calloc(1, sizeof(*c));
	char *manifest = join_path(t->meta.path, "manifest.json");
	char *text = NULL;
	size_t bytes = 0;
	bool ok = false;

	t->ops = &case_ops;
	t->container = c;
	t->meta.container = "case";
	if (c != NULL) {
		c->events_path = join_path(t->meta.path, "events.evt.zst");
		c->raw = malloc((size_t)CASE_BATCH_EVENTS * TRACE_RECORD_BYTES);
		c->batch = malloc(CASE_BATCH_EVENTS * sizeof(*c->batch));
	}
	if (c == NULL || manifest == NULL || c->events_path == NULL || c->raw == NULL ||
	    c->batch == NULL) {
		trace_fail(err, "%s: out of memory", t->meta.path);
	} else {
		text = read_text(manifest, &bytes, err);
		ok = text != NULL && trace_meta_from_manifest(t, manifest, text, bytes, err);
		if (ok)
			c->events = zstream_open(c->events_path, err);
		ok = ok && c->events != NULL;
	}
	free(text);
	free(manifest);
	return ok;
}
