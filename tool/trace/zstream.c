/* SPDX-License-Identifier: MIT */
#include "trace/zstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "trace/reader.h"

#define ZSTREAM_IN_BYTES (128u << 10)
#define ZSTREAM_WINDOW_LOG_MAX 27 /* zstd's own default: 128 MiB */

struct zstream {
	const char *path;
	FILE *file;
	ZSTD_DCtx *ctx;
	uint8_t *in_bytes;
	ZSTD_inBuffer in;
	uint64_t in_start; /* file offset of in_bytes */
	size_t frame_left; /* what zstd last returned; 0: between frames */
	bool any;          /* at least one byte was read */
};

void zstream_close(struct zstream *z)
{
	if (z == NULL)
		return;
	if (z->file != NULL)
		fclose(z->file);
	ZSTD_freeDCtx(z->ctx);
	free(z->in_bytes);
	free(z);
}

struct zstream *zstream_open(const char *path, struct trace_error *err)
{
	struct zstream *z = calloc(1, sizeof(*z));

	if (z == NULL) {
		trace_fail(err, "%s: out of memory", path);
		return NULL;
	}
	z->path = path;
	z->ctx = ZSTD_createDCtx();
	z->in_bytes = malloc(ZSTREAM_IN_BYTES);
	if (z->ctx == NULL || z->in_bytes == NULL) {
		trace_fail(err, "%s: out of memory", path);
		goto fail;
	}
	ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, ZSTREAM_WINDOW_LOG_MAX);
	z->in.src = z->in_bytes;
	z->file = fopen(path, "rb");
	if (z->file == NULL) {
		trace_fail(err, "%s: %s", path, strerror(errno));
		goto fail;
	}
	return z;
fail:
	zstream_close(z);
	return NULL;
}

uint64_t zstream_offset(const struct zstream *z)
{
	return z->in_start + z->in.pos;
}

/* More compressed bytes; in.size stays equal to in.pos at the end of the file. */
static bool fill(struct zstream *z, struct trace_error *err)
{
	z->in_start += z->in.size;
	z->in.pos = 0;
	z->in.size = fread(z->in_bytes, 1, ZSTREAM_IN_BYTES, z->file);
	z->any = z->any || z->in.size > 0;
	if (ferror(z->file))
		return trace_fail(err, "%s: compressed offset %llu: %s", z->path,
				  (unsigned long long)z->in_start, strerror(errno));
	return true;
}

bool zstream_read(struct zstream *z, void *buf, size_t room, size_t *got, struct trace_error *err)
{
	ZSTD_outBuffer out = { buf, room, 0 };

	while (out.pos < room) {
		size_t before = out.pos;

		if (z->in.pos == z->in.size && !fill(z, err))
			return false;
		if (z->in.size == 0 && z->frame_left == 0 && z->any)
			break;
		z->frame_left = ZSTD_decompressStream(z->ctx, &out, &z->in);
		if (ZSTD_isError(z->frame_left))
			return trace_fail(err, "%s: compressed offset %llu: %s", z->path,
					  (unsigned long long)zstream_offset(z),
					  ZSTD_getErrorName(z->frame_left));
		if (z->in.size == 0 && out.pos == before)
			return trace_fail(err, "%s: compressed offset %llu: file ends inside a "
					  "zstd frame", z->path,
					  (unsigned long long)zstream_offset(z));
	}
	*got = out.pos;
	return true;
}

bool zstream_rewind(struct zstream *z, struct trace_error *err)
{
	if (fseek(z->file, 0, SEEK_SET) != 0)
		return trace_fail(err, "%s: %s", z->path, strerror(errno));
	ZSTD_DCtx_reset(z->ctx, ZSTD_reset_session_only);
	z->in.pos = 0;
	z->in.size = 0;
	z->in_start = 0;
	z->frame_left = 0;
	z->any = false;
	return true;
}
