/* SPDX-License-Identifier: MIT */
/*
 * The .pgt container: what is written is read back, and every kind of damage is refused with an
 * error that names the file and the offset. argv[1]: any intact .pgt file with an end snapshot.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <glob.h>
#include <zstd.h>

#include "trace/le.h"
#include "trace/pgt.h"
#include "trace/reader.h"
#include "trace/trace.h"

static const char *sample;
static char out_path[64];

static uint32_t sample_cpus;

static struct trace *open_sample(void)
{
	struct trace_error err;
	struct trace *t = trace_open(sample, &err);

	if (t == NULL)
		fail_msg("%s", err.text);
	sample_cpus = trace_start(t)->nr_cpus;
	return t;
}

/* ---- Round trips ---------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	uint64_t z = *state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Values of every width, with both ends of the range often. */
static uint64_t extreme_value(uint64_t *state)
{
	uint64_t r = next_random(state);

	switch (r % 8) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return 1ull << 63;
	case 3:
		return UINT64_MAX >> 1;
	default:
		return next_random(state) >> (r >> 8) % 64;
	}
}

static void fill_event(struct trace_event *e, uint64_t *state)
{
	/*
	 * Types that have neither an order nor a migratetype: all other fields may have any value.
	 */
	static const uint8_t types[] = {
		TRACE_OTHER, TRACE_SNAPSHOT, TRACE_BULK_BEGIN, TRACE_BULK_END, TRACE_KSWAPD,
		TRACE_LIMITS, TRACE_MARKS, TRACE_TICK,
	};
	uint64_t small = extreme_value(state);

	*e = (struct trace_event){
		.ts = extreme_value(state), .pfn = extreme_value(state),
		.gfp = (uint32_t)extreme_value(state), .pid = (int32_t)extreme_value(state),
		.cpu = (uint8_t)(small % sample_cpus), .type = types[(small >> 8) % sizeof(types)],
		.order = (uint8_t)(small >> 16), .mt = (int8_t)(small >> 24),
		.irqflags = (uint8_t)(small >> 32), .preempt = (uint8_t)(small >> 40),
		.x1 = (uint8_t)(small >> 48), .x2 = (uint8_t)(small >> 56),
	};
}

static void write_trace(const struct trace_event *events, size_t n, size_t at_once)
{
	struct trace_error err;
	struct trace *from = open_sample();
	struct pgt_writer *w = pgt_create(out_path, from, 1, &err);

	assert_non_null(w);
	for (size_t i = 0; i < n; i += at_once) {
		assert_int_not_equal(access(out_path, F_OK), 0);
		assert_true(pgt_write(w, events + i, n - i < at_once ? n - i : at_once, &err));
	}
	assert_true(pgt_finish(w, &err));
	trace_close(from);
}

static void assert_events(struct trace *t, const struct trace_event *events, size_t n)
{
	const struct trace_event *batch;
	struct trace_error err;
	size_t at = 0;
	int got;

	while ((got = trace_next(t, &batch, &err)) > 0) {
		assert_true((size_t)got <= n - at);
		assert_memory_equal(batch, events + at, (size_t)got * sizeof(*batch));
		at += (size_t)got;
	}
	assert_int_equal(got, 0);
	assert_int_equal(at, n);
}

/* Events that no recorder writes: the error names the event and what is wrong with it. */
static void events_of_what_is_not_are_refused(void **context)
{
	static const struct {
		struct trace_event event;
		const char *text;
	} rows[] = {
		{ { .type = 32 }, "event 2 (unknown): no such type: 32" },
		{ { .type = 255 }, "event 2 (unknown): no such type: 255" },
		{ { .type = TRACE_OTHER, .cpu = 250 }, "event 2 (other): no such CPU: 250" },
		{ { .type = TRACE_FREE, .order = 11 }, "event 2 (mm_page_free): no such order: 11" },
		{ { .type = TRACE_ALLOC, .mt = 6 }, "event 2 (mm_page_alloc): no such migratetype: 6" },
		{ { .type = TRACE_ALLOC, .mt = -1 }, "no such migratetype: 255" },
		{ { .type = TRACE_EXTFRAG, .x1 = 11 }, "no such fallback order: 11" },
		{ { .type = TRACE_POP, .order = 200 }, "event 2 (pcp_pop): no such order: 200" },
	};

	(void)context;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		const struct trace_event events[] = {
			{ .type = TRACE_FREE, .order = 10, .mt = -1 }, { .type = TRACE_OTHER }, rows[n].event,
		};
		const struct trace_event *batch;
		struct trace_error err = { "" };
		struct trace *t;
		int got;

		write_trace(events, 3, 3);
		t = trace_open(out_path, &err);
		assert_non_null(t);
		while ((got = trace_next(t, &batch, &err)) > 0)
			;
		assert_int_equal(got, -1);
		assert_non_null(strstr(err.text, out_path));
		if (!strstr(err.text, rows[n].text))
			fail_msg("%s, not %s", err.text, rows[n].text);
		trace_close(t);
		unlink(out_path);
	}
}

static void assert_round_trip(const struct trace_event *events, size_t n, size_t at_once)
{
	struct trace_error err;
	struct trace *t;

	write_trace(events, n, at_once);
	t = trace_open(out_path, &err);
	assert_non_null(t);
	assert_int_equal(trace_meta(t)->nr_events, n);
	assert_events(t, events, n);
	assert_true(trace_rewind(t, &err));
	assert_events(t, events, n);
	trace_close(t);
	unlink(out_path);
}

static void round_trip_of_extreme_values(void **state)
{
	const size_t n = 2 * PGT_BLOCK_EVENTS + 4321;
	struct trace_event *events = calloc(n, sizeof(*events));
	uint64_t seed = 20261120;

	(void)state;
	print_message("seed %" PRIu64 "\n", seed);
	assert_non_null(events);
	for (size_t i = 0; i < n; i++)
		fill_event(&events[i], &seed);
	assert_round_trip(events, n, 50001);
	free(events);
}

/* Full blocks exactly, one event more and one less. */
static void round_trip_at_block_edges(void **state)
{
	struct trace_event *events = calloc(PGT_BLOCK_EVENTS + 1, sizeof(*events));

	(void)state;
	assert_non_null(events);
	for (uint32_t i = 0; i <= PGT_BLOCK_EVENTS; i++) {
		events[i].ts = 1000 + (uint64_t)i * 300;
		events[i].pfn = i / 2;
		events[i].type = (uint8_t)(i % 3);
	}
	assert_round_trip(events, 0, 1);
	assert_round_trip(events, 1, 1);
	assert_round_trip(events, PGT_BLOCK_EVENTS - 1, PGT_BLOCK_EVENTS);
	assert_round_trip(events, PGT_BLOCK_EVENTS, PGT_BLOCK_EVENTS);
	assert_round_trip(events, PGT_BLOCK_EVENTS + 1, PGT_BLOCK_EVENTS + 1);
	free(events);
}

static void facts_and_snapshots_survive(void **state)
{
	struct trace_error err;
	struct trace *from, *t;
	const uint32_t *a, *b;
	size_t nr_a, nr_b;

	(void)state;
	write_trace(NULL, 0, 1);
	from = open_sample();
	t = trace_open(out_path, &err);
	assert_non_null(t);
	assert_string_equal(trace_meta(t)->kernel, trace_meta(from)->kernel);
	assert_string_equal(trace_meta(t)->machine, trace_meta(from)->machine);
	assert_string_equal(trace_meta(t)->clock, trace_meta(from)->clock);
	assert_string_equal(trace_meta(t)->manifest, trace_meta(from)->manifest);
	assert_int_equal(trace_meta(t)->span_ns, trace_meta(from)->span_ns);
	assert_true(trace_meta(t)->span_ns > 0);
	for (int which = 0; which < 2; which++) {
		a = trace_snapshot_words(from, which, &nr_a, &err);
		b = trace_snapshot_words(t, which, &nr_b, &err);
		assert_non_null(a);
		assert_non_null(b);
		assert_int_equal(nr_a, nr_b);
		assert_memory_equal(a, b, nr_a * sizeof(*a));
	}
	assert_non_null(trace_end(t, &err));
	trace_close(t);
	trace_close(from);
	unlink(out_path);
}

static void abandoned_file_leaves_nothing(void **state)
{
	struct trace_event event = { .type = TRACE_ALLOC };
	struct trace_error err;
	struct trace *from = open_sample();
	struct pgt_writer *w = pgt_create(out_path, from, 1, &err);
	char pattern[96];
	glob_t beside;

	(void)state;
	assert_non_null(w);
	snprintf(pattern, sizeof(pattern), "%s*", out_path);
	assert_int_equal(glob(pattern, 0, NULL, &beside), 0);
	assert_int_equal(beside.gl_pathc, 1);
	globfree(&beside);
	assert_true(pgt_write(w, &event, 1, &err));
	pgt_abandon(w);
	assert_int_equal(glob(pattern, 0, NULL, &beside), GLOB_NOMATCH);
	assert_int_not_equal(access(out_path, F_OK), 0);
	trace_close(from);
}

/* ---- Damage --------------------------------------------------------------------------------- */

struct image {
	uint8_t *bytes;
	size_t nr;
	size_t chunk[8]; /* header offsets: META, SNAP, EVNT, EVNT, SNAP, END */
	int nr_chunks;
};

static struct image damage_base(void)
{
	struct trace_event *events = calloc(PGT_BLOCK_EVENTS + 10, sizeof(*events));
	struct image im = { 0 };
	FILE *f;

	assert_non_null(events);
	for (uint32_t i = 0; i < PGT_BLOCK_EVENTS + 10; i++)
		events[i] = (struct trace_event){ .ts = i, .pfn = i * 7ull, .type = TRACE_FREE };
	write_trace(events, PGT_BLOCK_EVENTS + 10, PGT_BLOCK_EVENTS);
	free(events);
	f = fopen(out_path, "rb");
	assert_non_null(f);
	im.bytes = malloc(1u << 20);
	assert_non_null(im.bytes);
	im.nr = fread(im.bytes, 1, 1u << 20, f);
	fclose(f);
	for (size_t at = PGT_FILE_HEADER_BYTES; at < im.nr;
	     at += PGT_CHUNK_HEADER_BYTES + le_get32(im.bytes + at + 12)) {
		assert_in_range(im.nr_chunks, 0, 7);
		im.chunk[im.nr_chunks++] = at;
	}
	assert_int_equal(im.nr_chunks, 6);
	return im;
}

/* The error of opening and reading the image; fails if there is none. */
static void expect_error(const struct image *im, size_t offset, const char *what)
{
	struct trace_error err = { "" };
	const struct trace_event *batch;
	char prefix[96];
	struct trace *t;
	FILE *f = fopen(out_path, "wb");
	int n = 1;

	assert_non_null(f);
	assert_int_equal(fwrite(im->bytes, 1, im->nr, f), im->nr);
	fclose(f);
	t = trace_open(out_path, &err);
	while (t != NULL && n > 0)
		n = trace_next(t, &batch, &err);
	if (t != NULL && n == 0)
		fail_msg("damage was not noticed: %s", what);
	trace_close(t);
	snprintf(prefix, sizeof(prefix), "%s: offset %zu: ", out_path, offset);
	if (strncmp(err.text, prefix, strlen(prefix)) != 0 || strstr(err.text, what) == NULL)
		fail_msg("expected \"%s...%s\", got \"%s\"", prefix, what, err.text);
	unlink(out_path);
}

static void damaged_file_header(void **state)
{
	struct image im = damage_base();
	size_t whole = im.nr;

	(void)state;
	im.bytes[0] ^= 1;
	expect_error(&im, 0, "magic");
	im.bytes[0] ^= 1;
	im.bytes[8] = 2;
	expect_error(&im, 8, "version 2");
	im.bytes[8] = 1;
	im.bytes[12] = 1;
	expect_error(&im, 12, "reserved");
	im.bytes[12] = 0;
	im.nr = 15;
	expect_error(&im, 0, "truncated");
	im.nr = whole;
	free(im.bytes);
}

static void truncated_at_every_chunk(void **state)
{
	struct image im = damage_base();

	(void)state;
	for (int i = 0; i < im.nr_chunks; i++) {
		im.nr = im.chunk[i];
		expect_error(&im, im.chunk[i], "truncated");
		im.nr = im.chunk[i] + PGT_CHUNK_HEADER_BYTES + 1;
		expect_error(&im, im.chunk[i], "truncated");
	}
	free(im.bytes);
}

static void damaged_chunk_headers(void **state)
{
	struct image im = damage_base();
	uint8_t *evnt = im.bytes + im.chunk[2];
	uint32_t count = le_get32(evnt + 4), raw = le_get32(evnt + 8);

	(void)state;
	evnt[0] = 'X';
	expect_error(&im, im.chunk[2], "unknown chunk");
	evnt[0] = 'E';
	le_put32(evnt + 4, PGT_BLOCK_EVENTS + 1);
	expect_error(&im, im.chunk[2], "out of range");
	le_put32(evnt + 4, count - 1);
	expect_error(&im, im.chunk[5], "add up");
	le_put32(evnt + 4, count);
	le_put32(evnt + 8, raw + 1);
	expect_error(&im, im.chunk[2], "size");
	le_put32(evnt + 8, UINT32_MAX);
	expect_error(&im, im.chunk[2], "out of range");
	le_put32(evnt + 8, raw);
	/* Two blocks that trade an event still add up, so the block itself must notice. */
	le_put32(evnt + 4, count - 1);
	le_put32(im.bytes + im.chunk[3] + 4, le_get32(im.bytes + im.chunk[3] + 4) + 1);
	expect_error(&im, im.chunk[2], "column");
	le_put32(evnt + 4, count);
	le_put32(im.bytes + im.chunk[3] + 4, le_get32(im.bytes + im.chunk[3] + 4) - 1);
	le_put32(im.bytes + im.chunk[1] + 8, TRACE_MAX_SNAPSHOT_BYTES);
	expect_error(&im, im.chunk[1], "more content");
	free(im.bytes);
}

static void chunks_in_wrong_order(void **state)
{
	struct image im = damage_base();
	uint8_t *copy = malloc(im.nr);
	size_t first = im.chunk[2], second = im.chunk[3], after = im.chunk[4];

	(void)state;
	assert_non_null(copy);
	memcpy(copy, im.bytes, im.nr);
	memcpy(im.bytes + first, copy + second, after - second);
	memcpy(im.bytes + first + (after - second), copy + first, second - first);
	expect_error(&im, first, "out of sequence");
	memcpy(im.bytes, copy, im.nr);
	le_put32(im.bytes + im.chunk[0], PGT_TAG_EVNT);
	le_put32(im.bytes + im.chunk[0] + 4, 1);
	expect_error(&im, im.chunk[0], "not META");
	memcpy(im.bytes, copy, im.nr);
	le_put32(im.bytes + im.chunk[4] + 4, 0);
	expect_error(&im, im.chunk[4], "out of order");
	memcpy(im.bytes, copy, im.nr);
	im.bytes[im.nr++] = 0;
	expect_error(&im, im.nr - 1, "after the end");
	free(copy);
	free(im.bytes);
}

static void damaged_content(void **state)
{
	struct image im = damage_base();

	(void)state;
	for (int i = 0; i < im.nr_chunks; i++) {
		uint8_t *last = im.bytes + im.chunk[i] + PGT_CHUNK_HEADER_BYTES +
				le_get32(im.bytes + im.chunk[i] + 12) - 1;

		if (i == 4)
			continue; /* the end snapshot is read by trace_end only */
		*last ^= 0x40; /* the frame's checksum */
		expect_error(&im, im.chunk[i], "checksum");
		*last ^= 0x40;
	}
	free(im.bytes);
}

/* ---- Block payloads ------------------------------------------------------------------------- */

static void expect_bad_block(const uint8_t *raw, size_t bytes, uint32_t n, const char *what)
{
	static struct trace_event events[8];
	const char *wrong = pgt_block_decode(0, raw, bytes, events, n);

	assert_non_null(wrong);
	if (strstr(wrong, what) == NULL)
		fail_msg("expected \"%s\", got \"%s\"", what, wrong);
}

static void malformed_blocks(void **state)
{
	struct trace_event in[3] = { { .ts = 5, .pfn = 1000, .gfp = 3, .pid = 9 },
				     { .ts = 6, .pfn = 2000 }, { .ts = 1u << 30, .pfn = 1 } };
	struct pgt_coder *coder = pgt_coder_new();
	uint8_t raw[256];
	const uint8_t *good;
	size_t bytes, pfn_at;

	(void)state;
	assert_non_null(coder);
	good = pgt_block_encode(coder, 0, in, 3, &bytes);
	assert_true(bytes < sizeof(raw));
	memcpy(raw, good, bytes);
	pgt_coder_free(coder);

	for (size_t cut = 0; cut < bytes; cut++)
		expect_bad_block(raw, cut, 3, cut < PGT_BLOCK_HEAD_BYTES ? "shorter" : "column");
	expect_bad_block(raw, bytes + 1, 3, "add up");
	le_put32(raw + 16, UINT32_MAX);
	expect_bad_block(raw, bytes, 3, "longer than itself");
	le_put32(raw + 16, 2);
	le_put32(raw + 8, 4);
	expect_bad_block(raw, bytes, 3, "more combinations");
	le_put32(raw + 8, 1);
	raw[PGT_BLOCK_HEAD_BYTES + PGT_DICT_ENTRY_BYTES] = 0x7f; /* control: combination 15 */
	expect_bad_block(raw, bytes, 3, "not there");
	pfn_at = PGT_BLOCK_HEAD_BYTES + PGT_DICT_ENTRY_BYTES + 3 + 2 + 2;
	raw[PGT_BLOCK_HEAD_BYTES + PGT_DICT_ENTRY_BYTES] = 0x03;
	raw[pfn_at + le_get32(raw + 24) - 1] |= 0x80;
	expect_bad_block(raw, bytes, 3, "overruns");
}

/* ---- Snapshots ------------------------------------------------------------------------------ */

struct word_copy {
	uint32_t *w;
	size_t nr;
};

/* Word index of the payload of the first record with this tag and at least this length. */
static size_t find_record(const struct word_copy *c, uint32_t tag, uint32_t min_len)
{
	for (size_t at = 0; at < c->nr; at += 2 + (size_t)c->w[at + 1]) {
		if (c->w[at] == tag && c->w[at + 1] >= min_len)
			return at + 2;
	}
	fail_msg("no record %u", tag);
	return 0;
}

static void expect_bad_snapshot(const struct word_copy *c, const char *what)
{
	struct trace_error err = { "" };
	struct snapshot *s = snapshot_parse("snap", c->w, c->nr, &err);

	if (s != NULL)
		fail_msg("not noticed: %s", what);
	assert_int_equal(strncmp(err.text, "snap: offset ", 13), 0);
	if (strstr(err.text, what) == NULL)
		fail_msg("expected \"%s\", got \"%s\"", what, err.text);
}

/* Set one word, expect the error, put the word back. */
static void expect_bad_word(struct word_copy *c, size_t at, uint32_t value, const char *what)
{
	uint32_t old = c->w[at];

	c->w[at] = value;
	expect_bad_snapshot(c, what);
	c->w[at] = old;
}

static void damaged_snapshots(void **state)
{
	struct trace *t = open_sample();
	struct word_copy c = { 0 };
	struct trace_error err;
	const uint32_t *words = trace_snapshot_words(t, 0, &c.nr, &err);
	size_t list, pcp, pcp_list, zone, blocks;
	struct snapshot *s;

	(void)state;
	assert_non_null(words);
	c.w = malloc(c.nr * sizeof(*c.w));
	assert_non_null(c.w);
	memcpy(c.w, words, c.nr * sizeof(*c.w));
	trace_close(t);

	list = find_record(&c, 6, 8);
	pcp_list = find_record(&c, 5, 8);
	pcp = find_record(&c, 4, 1);
	zone = find_record(&c, 3, 1);
	blocks = find_record(&c, 7, 8);
	expect_bad_word(&c, 2, 1, "magic");
	expect_bad_word(&c, 3, 9, "version");
	expect_bad_word(&c, 5, 0, "out of range");
	if (c.w[3] == 3) {
		expect_bad_word(&c, 24, 2, "defrag_mode");
		expect_bad_word(&c, 25, 7, "scale of the pcp batch");
	}
	expect_bad_word(&c, list - 2, 10, "unknown record");
	expect_bad_word(&c, list - 1, UINT32_MAX, "overruns");
	expect_bad_word(&c, list + 4, c.w[list + 4] + 1, "nr_free");
	expect_bad_word(&c, list + 5, c.w[list + 6], "two lists");
	expect_bad_word(&c, list + 5, 0xfffff800u, "outside its zone");
	expect_bad_word(&c, list + 1, 2, "was not recorded");
	expect_bad_word(&c, pcp_list + 4, c.w[pcp_list + 5], "two lists");
	expect_bad_word(&c, pcp + 3, c.w[pcp + 3] + 1, "its lists");
	expect_bad_word(&c, zone + 36, c.w[zone + 36] + 1, "NR_FREE_PAGES");
	expect_bad_word(&c, blocks + 4, 7, "pageblock type");
	expect_bad_word(&c, c.nr - 1, 1, "overflowed");
	c.nr -= 3;
	expect_bad_snapshot(&c, "without an end record");
	c.nr += 3;
	s = snapshot_parse("snap", c.w, c.nr, &err);
	assert_non_null(s);
	snapshot_free(s);
	free(c.w);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_of_what_is_not_are_refused),
		cmocka_unit_test(round_trip_of_extreme_values),
		cmocka_unit_test(round_trip_at_block_edges),
		cmocka_unit_test(facts_and_snapshots_survive),
		cmocka_unit_test(abandoned_file_leaves_nothing),
		cmocka_unit_test(damaged_file_header),
		cmocka_unit_test(truncated_at_every_chunk),
		cmocka_unit_test(damaged_chunk_headers),
		cmocka_unit_test(chunks_in_wrong_order),
		cmocka_unit_test(damaged_content),
		cmocka_unit_test(malformed_blocks),
		cmocka_unit_test(damaged_snapshots),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test_trace TRACE.pgt\n");
		return 1;
	}
	sample = argv[1];
	snprintf(out_path, sizeof(out_path), "test_trace.%ld.pgt", (long)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
