/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness of the two parsers behind zstd, whose checksum a fuzzer would hardly pass: the
 * first byte chooses, the rest is an event block or a snapshot's record stream. A block that
 * decodes must encode to a block that decodes to the same events.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace/le.h"
#include "trace/pgt.h"
#include "trace/reader.h"

#define MAX_EVENTS 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_block(const uint8_t *data, size_t size)
{
	static struct trace_event events[MAX_EVENTS], again[MAX_EVENTS];
	static struct pgt_coder *coder;
	const uint8_t *raw;
	size_t bytes;
	uint32_t n;

	if (size < 2)
		return;
	n = 1 + (uint32_t)(data[0] | data[1] << 8) % MAX_EVENTS;
	if (pgt_block_decode(0, data + 2, size - 2, events, n) != NULL)
		return;
	if (coder == NULL)
		coder = pgt_coder_new();
	if (coder == NULL)
		abort();
	raw = pgt_block_encode(coder, 0, events, n, &bytes);
	if (bytes > PGT_BLOCK_MAX_BYTES || pgt_block_decode(0, raw, bytes, again, n) != NULL ||
	    memcmp(events, again, n * sizeof(*events)) != 0)
		abort();
}

static void fuzz_snapshot(const uint8_t *data, size_t size)
{
	struct trace_words words = { 0 };
	struct trace_error err = { "" };
	struct snapshot *s;

	if (!trace_words_set(&words, data, size))
		abort();
	s = snapshot_parse("snapshot", words.words, words.nr, &err);
	if ((s == NULL) != (err.text[0] != '\0'))
		abort();
	snapshot_free(s);
	free(words.words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		fuzz_block(data + 1, size - 1);
	else
		fuzz_snapshot(data + 1, size - 1);
	return 0;
}
