/* SPDX-License-Identifier: MIT */
/* The .pgt container, as pagus-pgt(5) defines it: what its reader, writer and block coder share. */
#ifndef PGT_H
#define PGT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

#define PGT_MAGIC              "\x89PGT\r\n\x1a\n"
#define PGT_MAGIC_BYTES        8
#define PGT_VERSION            1u
#define PGT_FILE_HEADER_BYTES  16u
#define PGT_CHUNK_HEADER_BYTES 16u

#define PGT_TAG(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define PGT_TAG_META PGT_TAG('M', 'E', 'T', 'A')
#define PGT_TAG_SNAP PGT_TAG('S', 'N', 'A', 'P')
#define PGT_TAG_EVNT PGT_TAG('E', 'V', 'N', 'T')
#define PGT_TAG_END  PGT_TAG('E', 'N', 'D', ' ')

#define PGT_BLOCK_EVENTS     131072u /* most events in one EVNT chunk */
#define PGT_BLOCK_HEAD_BYTES 32u
#define PGT_DICT_ENTRY_BYTES 8u
/*
 * Most bytes of one event: its dictionary entry, control (21 bits), gfp, pid, pfn, the two time
 * planes and the rest of the time.
 */
#define PGT_EVENT_MAX_BYTES  (PGT_DICT_ENTRY_BYTES + 3u + 5u + 5u + 10u + 2u + 10u)
#define PGT_BLOCK_MAX_BYTES  (PGT_BLOCK_HEAD_BYTES + PGT_BLOCK_EVENTS * PGT_EVENT_MAX_BYTES)
#define PGT_END_BYTES        8u
#define PGT_MAX_META_BYTES   (32u << 20) /* a manifest of the largest size, escaped */
/* A zstd block of at most 128 KiB takes at least 4 bytes: no frame expands by more. */
#define PGT_MAX_EXPANSION    32768u

#define PGT_LEVEL_DEFAULT 19
#define PGT_LEVEL_MAX     22

struct pgt_chunk {
	uint32_t tag;
	uint32_t count; /* EVNT: events; SNAP: 0 start, 1 end; else 0 */
	uint32_t raw_bytes;
	uint32_t stored_bytes;
};

/* True if the first `n` bytes of a file are the magic, or as much of it as there is room for. */
bool pgt_is_magic(const uint8_t *bytes, size_t n);

/* Working memory of the block coder. */
struct pgt_coder;
struct pgt_coder *pgt_coder_new(void);
void pgt_coder_free(struct pgt_coder *c);

/*
 * Encode 1 .. PGT_BLOCK_EVENTS events, the first of which is number `first` of the trace. Returns
 * the payload, valid until the next call, and its length.
 */
const uint8_t *pgt_block_encode(struct pgt_coder *c, uint64_t first,
				const struct trace_event *events, uint32_t n, size_t *bytes);

/* Decode a payload into n events. NULL if it is well formed, else what is wrong with it. */
const char *pgt_block_decode(uint64_t first, const uint8_t *raw, size_t bytes,
			     struct trace_event *events, uint32_t n);

#endif
