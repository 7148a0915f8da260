/* SPDX-License-Identifier: MIT */
/*
 * The reader of .pgt files. Opening walks all chunk headers, so a file that was cut short is
 * refused before its first event; the content of a chunk is checked when it is read.
 */
#include "trace/pgt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "trace/le.h"
#include "trace/reader.h"

struct pgt_file {
	FILE *file;
	uint64_t file_bytes;
	uint64_t snap_offset[2]; /* chunk headers; 0: none */
	uint64_t events_offset;  /* of the first chunk after the start snapshot */
	uint64_t next_offset;    /* of the next chunk to read events from */
	uint64_t nr_events;      /* sum of the EVNT chunks' counts */
	uint64_t nr_decoded;
	uint64_t batch_offset;   /* of the chunk decoded last */
	ZSTD_DCtx *ctx;
	uint8_t *stored, *raw;   /* room for the chunk at hand */
	size_t stored_room, raw_room;
	struct trace_event *batch;
};

bool pgt_is_magic(const uint8_t *bytes, size_t n)
{
	return n > 0 && memcmp(bytes, PGT_MAGIC, n < PGT_MAGIC_BYTES ? n : PGT_MAGIC_BYTES) == 0;
}

static bool fail_at(const struct trace *t, uint64_t offset, const char *what,
		    struct trace_error *err)
{
	return trace_fail(err, "%s: offset %" PRIu64 ": %s", t->meta.path, offset, what);
}

static bool read_at(struct trace *t, uint64_t offset, void *buf, size_t n, struct trace_error *err)
{
	struct pgt_file *p = t->container;

	if (fseeko(p->file, (off_t)offset, SEEK_SET) != 0)
		return fail_at(t, offset, strerror(errno), err);
	if (fread(buf, 1, n, p->file) != n)
		return fail_at(t, offset, ferror(p->file) ? strerror(errno) : "file ends here",
			       err);
	return true;
}

/* What is wrong with a chunk's header by itself; NULL if nothing is. */
static const char *judge_chunk(const struct pgt_chunk *c)
{
	bool sized;

	switch (c->tag) {
	case PGT_TAG_META:
		sized = c->count == 0 && c->raw_bytes <= PGT_MAX_META_BYTES;
		break;
	case PGT_TAG_SNAP:
		sized = c->count <= 1 && c->raw_bytes % 4 == 0 &&
			c->raw_bytes <= TRACE_MAX_SNAPSHOT_BYTES;
		break;
	case PGT_TAG_EVNT:
		sized = c->count >= 1 && c->count <= PGT_BLOCK_EVENTS &&
			c->raw_bytes <= PGT_BLOCK_MAX_BYTES;
		break;
	case PGT_TAG_END:
		sized = c->count == 0 && c->raw_bytes == PGT_END_BYTES;
		break;
	default:
		return "unknown chunk";
	}
	if (!sized)
		return "chunk header out of range";
	if (c->raw_bytes / PGT_MAX_EXPANSION > c->stored_bytes)
		return "chunk claims more content than it can hold";
	return NULL;
}

static bool read_chunk_header(struct trace *t, uint64_t offset, struct pgt_chunk *c,
			      struct trace_error *err)
{
	struct pgt_file *p = t->container;
	uint8_t head[PGT_CHUNK_HEADER_BYTES];
	const char *wrong;

	if (offset > p->file_bytes || p->file_bytes - offset < sizeof(head))
		return fail_at(t, offset, "file is truncated: no end chunk", err);
	if (!read_at(t, offset, head, sizeof(head), err))
		return false;
	c->tag = le_get32(head);
	c->count = le_get32(head + 4);
	c->raw_bytes = le_get32(head + 8);
	c->stored_bytes = le_get32(head + 12);
	wrong = judge_chunk(c);
	if (wrong != NULL)
		return fail_at(t, offset, wrong, err);
	if (c->stored_bytes > p->file_bytes - offset - sizeof(head))
		return fail_at(t, offset, "file is truncated inside this chunk", err);
	return true;
}

static uint64_t chunk_end(uint64_t offset, const struct pgt_chunk *c)
{
	return offset + PGT_CHUNK_HEADER_BYTES + c->stored_bytes;
}

static bool reserve(struct trace *t, uint8_t **buf, size_t *room, size_t need,
		    struct trace_error *err)
{
	uint8_t *larger;

	if (need <= *room)
		return true;
	larger = realloc(*buf, need);
	if (larger == NULL)
		return trace_fail(err, "%s: out of memory", t->meta.path);
	*buf = larger;
	*room = need;
	return true;
}

/*
 * The chunk's content into p->raw: exactly one frame, with a checksum, of exactly the stated size.
 */
static bool read_chunk(struct trace *t, uint64_t offset, const struct pgt_chunk *c,
		       struct trace_error *err)
{
	struct pgt_file *p = t->container;
	size_t got;

	if (!reserve(t, &p->stored, &p->stored_room, (size_t)c->stored_bytes + 1, err) ||
	    !read_at(t, offset + PGT_CHUNK_HEADER_BYTES, p->stored, c->stored_bytes, err))
		return false;
	if (ZSTD_getFrameContentSize(p->stored, c->stored_bytes) != c->raw_bytes)
		return fail_at(t, offset, "zstd frame does not state the chunk's size", err);
	if (ZSTD_findFrameCompressedSize(p->stored, c->stored_bytes) != c->stored_bytes)
		return fail_at(t, offset, "chunk is not exactly one zstd frame", err);
	if (!reserve(t, &p->raw, &p->raw_room, (size_t)c->raw_bytes + 1, err))
		return false;
	got = ZSTD_decompressDCtx(p->ctx, p->raw, c->raw_bytes, p->stored, c->stored_bytes);
	if (ZSTD_isError(got))
		return fail_at(t, offset, ZSTD_getErrorName(got), err);
	if (got != c->raw_bytes)
		return fail_at(t, offset, "content is shorter than the chunk states", err);
	return true;
}

static bool read_pgt_words(struct trace *t, int which, struct trace_words *out,
			   struct trace_error *err)
{
	struct pgt_file *p = t->container;
	struct pgt_chunk c;

	if (p->snap_offset[which] == 0)
		return true;
	if (!read_chunk_header(t, p->snap_offset[which], &c, err) ||
	    !read_chunk(t, p->snap_offset[which], &c, err))
		return false;
	if (out->file == NULL && asprintf(&out->file, "%s: %s snapshot in the chunk at %" PRIu64,
					  t->meta.path, which == 0 ? "start" : "end",
					  p->snap_offset[which]) < 0)
		out->file = NULL;
	if (out->file == NULL || !trace_words_set(out, p->raw, c.raw_bytes))
		return trace_fail(err, "%s: out of memory", t->meta.path);
	return true;
}

static int next_pgt_events(struct trace *t, const struct trace_event **batch,
			   struct trace_error *err)
{
	struct pgt_file *p = t->container;
	uint64_t offset = p->next_offset;
	struct pgt_chunk c;
	const char *wrong;

	if (!read_chunk_header(t, offset, &c, err))
		return -1;
	if (c.tag != PGT_TAG_EVNT)
		return 0;
	if (!read_chunk(t, offset, &c, err))
		return -1;
	wrong = pgt_block_decode(p->nr_decoded, p->raw, c.raw_bytes, p->batch, c.count);
	if (wrong != NULL) {
		fail_at(t, offset, wrong, err);
		return -1;
	}
	p->nr_decoded += c.count;
	p->batch_offset = offset;
	p->next_offset = chunk_end(offset, &c);
	*batch = p->batch;
	return (int)c.count;
}

static void where_in_pgt(const struct trace *t, uint64_t number, char *text, size_t room)
{
	const struct pgt_file *p = t->container;

	snprintf(text, room, "%s: offset %" PRIu64, t->meta.path,
		 number < p->nr_decoded ? p->batch_offset : p->next_offset);
}

static bool rewind_pgt(struct trace *t, struct trace_error *err)
{
	struct pgt_file *p = t->container;

	(void)err;
	p->next_offset = p->events_offset;
	p->nr_decoded = 0;
	return true;
}

static void close_pgt(struct trace *t)
{
	struct pgt_file *p = t->container;

	fclose(p->file);
	ZSTD_freeDCtx(p->ctx);
	free(p->stored);
	free(p->raw);
	free(p->batch);
	free(p);
	t->container = NULL;
}

static const struct trace_ops pgt_ops = {
	.read_words = read_pgt_words,
	.next = next_pgt_events,
	.where = where_in_pgt,
	.rewind = rewind_pgt,
	.close = close_pgt,
};

static bool read_file_header(struct trace *t, struct trace_error *err)
{
	struct pgt_file *p = t->container;
	uint8_t head[PGT_FILE_HEADER_BYTES];
	char text[80];

	if (fseeko(p->file, 0, SEEK_END) != 0)
		return fail_at(t, 0, strerror(errno), err);
	p->file_bytes = (uint64_t)ftello(p->file);
	if (p->file_bytes < sizeof(head))
		return fail_at(t, 0, "file is truncated inside its header", err);
	if (!read_at(t, 0, head, sizeof(head), err))
		return false;
	if (le_get32(head + 8) != PGT_VERSION) {
		snprintf(text, sizeof(text), "format version %" PRIu32 ", only %u is known",
			 le_get32(head + 8), PGT_VERSION);
		return fail_at(t, 8, text, err);
	}
	if (le_get32(head + 12) != 0)
		return fail_at(t, 12, "reserved bytes are not zero", err);
	return true;
}

static bool read_facts(struct trace *t, uint64_t *offset, struct trace_error *err)
{
	struct pgt_file *p = t->container;
	struct pgt_chunk c;

	if (!read_chunk_header(t, *offset, &c, err))
		return false;
	if (c.tag != PGT_TAG_META)
		return fail_at(t, *offset, "first chunk is not META", err);
	if (!read_chunk(t, *offset, &c, err) ||
	    !trace_meta_from_facts(t, t->meta.path, *offset, (const char *)p->raw, c.raw_bytes,
				   err))
		return false;
	*offset = chunk_end(*offset, &c);
	return true;
}

/* META, start snapshot, events, perhaps an end snapshot, END, and nothing after it. */
static bool walk_chunks(struct trace *t, struct trace_error *err)
{
	struct pgt_file *p = t->container;
	uint64_t offset = PGT_FILE_HEADER_BYTES;
	struct pgt_chunk c = { 0 };

	if (!read_facts(t, &offset, err) || !read_chunk_header(t, offset, &c, err))
		return false;
	if (c.tag != PGT_TAG_SNAP || c.count != 0)
		return fail_at(t, offset, "no start snapshot after META", err);
	p->snap_offset[0] = offset;
	p->events_offset = chunk_end(offset, &c);
	p->next_offset = p->events_offset;
	/* Every chunk is longer than nothing, so the file's size bounds this loop. */
	for (offset = p->events_offset;; offset = chunk_end(offset, &c)) {
		if (!read_chunk_header(t, offset, &c, err))
			return false;
		if (c.tag == PGT_TAG_END)
			break;
		if (c.tag == PGT_TAG_EVNT && p->snap_offset[1] == 0)
			p->nr_events += c.count;
		else if (c.tag == PGT_TAG_SNAP && c.count == 1 && p->snap_offset[1] == 0)
			p->snap_offset[1] = offset;
		else
			return fail_at(t, offset, "chunk out of order", err);
	}
	if (!read_chunk(t, offset, &c, err))
		return false;
	if (le_get64(p->raw) != p->nr_events)
		return fail_at(t, offset, "event blocks do not add up to the total", err);
	if (chunk_end(offset, &c) != p->file_bytes)
		return fail_at(t, chunk_end(offset, &c), "more bytes after the end chunk", err);
	t->meta.nr_events = p->nr_events;
	return true;
}

bool pgt_open(struct trace *t, FILE *f, struct trace_error *err)
{
	struct pgt_file *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		fclose(f);
		return trace_fail(err, "%s: out of memory", t->meta.path);
	}
	p->file = f;
	t->ops = &pgt_ops;
	t->container = p;
	t->meta.container = "pgt";
	p->ctx = ZSTD_createDCtx();
	p->batch = malloc(PGT_BLOCK_EVENTS * sizeof(*p->batch));
	if (p->ctx == NULL || p->batch == NULL)
		return trace_fail(err, "%s: out of memory", t->meta.path);
	return read_file_header(t, err) && walk_chunks(t, err);
}
