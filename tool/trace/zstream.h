/* SPDX-License-Identifier: MIT */
/* A zstd file read as a stream of its content; one or more whole frames. */
#ifndef ZSTREAM_H
#define ZSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

struct zstream;

/* `path` must stay valid. NULL with *err. */
struct zstream *zstream_open(const char *path, struct trace_error *err);

/*
 * Up to `room` bytes of content into buf, fewer only at the end; *got says how many. False with
 * *err when the file cannot be read, is no zstd, fails its checksum, or ends inside a frame.
 */
bool zstream_read(struct zstream *z, void *buf, size_t room, size_t *got, struct trace_error *err);

/* Compressed bytes that were read from the file and used. */
uint64_t zstream_offset(const struct zstream *z);
bool zstream_rewind(struct zstream *z, struct trace_error *err);
void zstream_close(struct zstream *z);

#endif
