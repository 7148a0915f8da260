/* SPDX-License-Identifier: MIT */
/*
 * The writer of .pgt files. It writes beside its target and renames at the end, so that the target
 * is always the old file, a whole new one, or not there.
 */
#include "trace/pgt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "outfile.h"
#include "trace/le.h"
#include "trace/reader.h"

struct pgt_writer {
	char *path;
	struct outfile out;
	uint64_t offset;
	struct trace *from;
	ZSTD_CCtx *ctx;
	uint8_t *stored;
	size_t stored_room;
	struct pgt_coder *coder;
	struct trace_event *block;
	uint32_t nr_block;
	uint64_t nr_events;
};

static bool fail_at(const struct pgt_writer *w, const char *what, struct trace_error *err)
{
	return trace_fail(err, "%s: offset %llu: %s", w->path, (unsigned long long)w->offset, what);
}

static bool write_bytes(struct pgt_writer *w, const void *bytes, size_t n, struct trace_error *err)
{
	if (fwrite(bytes, 1, n, w->out.stream) != n)
		return fail_at(w, strerror(errno), err);
	w->offset += n;
	return true;
}

static bool reserve_stored(struct pgt_writer *w, size_t room, struct trace_error *err)
{
	uint8_t *larger;

	if (room <= w->stored_room)
		return true;
	larger = realloc(w->stored, room);
	if (larger == NULL)
		return trace_fail(err, "%s: out of memory", w->path);
	w->stored = larger;
	w->stored_room = room;
	return true;
}

static bool write_chunk(struct pgt_writer *w, uint32_t tag, uint32_t count, const void *raw,
			size_t raw_bytes, struct trace_error *err)
{
	uint8_t head[PGT_CHUNK_HEADER_BYTES];
	size_t stored;

	if (!reserve_stored(w, ZSTD_compressBound(raw_bytes), err))
		return false;
	stored = ZSTD_compress2(w->ctx, w->stored, w->stored_room, raw, raw_bytes);
	if (ZSTD_isError(stored))
		return fail_at(w, ZSTD_getErrorName(stored), err);
	le_put32(head, tag);
	le_put32(head + 4, count);
	le_put32(head + 8, (uint32_t)raw_bytes);
	le_put32(head + 12, (uint32_t)stored);
	return write_bytes(w, head, sizeof(head), err) && write_bytes(w, w->stored, stored, err);
}

static bool write_head(struct pgt_writer *w, struct trace_error *err)
{
	uint8_t head[PGT_FILE_HEADER_BYTES] = { 0 };
	char *facts;
	size_t bytes;
	bool ok;

	memcpy(head, PGT_MAGIC, PGT_MAGIC_BYTES);
	le_put32(head + PGT_MAGIC_BYTES, PGT_VERSION);
	if (!write_bytes(w, head, sizeof(head), err))
		return false;
	facts = trace_meta_facts(trace_meta(w->from));
	if (facts == NULL)
		return trace_fail(err, "%s: out of memory", w->path);
	bytes = strlen(facts);
	ok = bytes <= PGT_MAX_META_BYTES || trace_fail(err, "%s: facts too long", w->path);
	ok = ok && write_chunk(w, PGT_TAG_META, 0, facts, bytes, err);
	free(facts);
	return ok;
}

/* False with err->text "" if the source has no such snapshot. */
static bool write_snapshot(struct pgt_writer *w, int which, struct trace_error *err)
{
	size_t nr = 0;
	const uint32_t *words = trace_snapshot_words(w->from, which, &nr, err);
	uint8_t *raw;
	bool ok;

	if (words == NULL)
		return false;
	raw = malloc(nr * 4);
	if (raw == NULL)
		return trace_fail(err, "%s: out of memory", w->path);
	for (size_t i = 0; i < nr; i++)
		le_put32(raw + i * 4, words[i]);
	ok = write_chunk(w, PGT_TAG_SNAP, (uint32_t)which, raw, nr * 4, err);
	free(raw);
	return ok;
}

struct pgt_writer *pgt_create(const char *path, struct trace *from, int level,
			      struct trace_error *err)
{
	struct pgt_writer *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		trace_fail(err, "%s: out of memory", path);
		return NULL;
	}
	w->path = strdup(path);
	w->from = from;
	w->ctx = ZSTD_createCCtx();
	w->coder = pgt_coder_new();
	w->block = malloc(PGT_BLOCK_EVENTS * sizeof(*w->block));
	if (w->path == NULL || w->ctx == NULL || w->coder == NULL || w->block == NULL) {
		trace_fail(err, "%s: out of memory", path);
		pgt_abandon(w);
		return NULL;
	}
	ZSTD_CCtx_setParameter(w->ctx, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(w->ctx, ZSTD_c_checksumFlag, 1);
	if (!outfile_open(&w->out, path)) {
		trace_fail(err, "%s: %s", path, strerror(errno));
		pgt_abandon(w);
		return NULL;
	}
	if (!write_head(w, err) || !write_snapshot(w, 0, err)) {
		pgt_abandon(w);
		return NULL;
	}
	return w;
}

static bool flush_block(struct pgt_writer *w, struct trace_error *err)
{
	size_t bytes;
	const uint8_t *raw;

	if (w->nr_block == 0)
		return true;
	raw = pgt_block_encode(w->coder, w->nr_events, w->block, w->nr_block, &bytes);
	if (!write_chunk(w, PGT_TAG_EVNT, w->nr_block, raw, bytes, err))
		return false;
	w->nr_events += w->nr_block;
	w->nr_block = 0;
	return true;
}

bool pgt_write(struct pgt_writer *w, const struct trace_event *events, size_t n,
	       struct trace_error *err)
{
	while (n > 0) {
		size_t part = PGT_BLOCK_EVENTS - w->nr_block;

		if (part > n)
			part = n;
		memcpy(w->block + w->nr_block, events, part * sizeof(*events));
		w->nr_block += (uint32_t)part;
		events += part;
		n -= part;
		if (w->nr_block == PGT_BLOCK_EVENTS && !flush_block(w, err))
			return false;
	}
	return true;
}

static bool write_tail(struct pgt_writer *w, struct trace_error *err)
{
	uint8_t total[PGT_END_BYTES];

	if (!flush_block(w, err))
		return false;
	if (!write_snapshot(w, 1, err) && err->text[0] != '\0')
		return false;
	le_put64(total, w->nr_events);
	return write_chunk(w, PGT_TAG_END, 0, total, sizeof(total), err);
}

bool pgt_finish(struct pgt_writer *w, struct trace_error *err)
{
	bool ok = write_tail(w, err);

	if (ok && !outfile_commit(&w->out))
		ok = trace_fail(err, "%s: %s", w->path, strerror(errno));
	pgt_abandon(w);
	return ok;
}

void pgt_abandon(struct pgt_writer *w)
{
	if (w == NULL)
		return;
	outfile_abandon(&w->out);
	free(w->path);
	free(w->stored);
	free(w->block);
	pgt_coder_free(w->coder);
	ZSTD_freeCCtx(w->ctx);
	free(w);
}
