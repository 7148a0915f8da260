/* SPDX-License-Identifier: MIT */
/*
 * Case folders, whole and damaged: a folder made of a real trace verifies as the trace does. One
 * that was cut, or holds what no recorder writes, ends verification with one line that names file
 * and offset, in either mode, however far ahead the reader had looked. Usage: test_case TRACE.pgt
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "trace/le.h"
#include "verify/verify.h"

#define RECORD_BYTES 32u

static const char *sample;
static char folder[64];

/* ---- making folders -------------------------------------------------------------------------- */

static struct {
	uint8_t *events;
	size_t nr_events;
	uint8_t *snapshots[2];
	size_t snapshot_bytes[2];
} content;

static uint8_t *put_record(uint8_t *at, const struct trace_event *ev)
{
	le_put64(at, ev->ts);
	le_put64(at + 8, ev->pfn);
	le_put32(at + 16, ev->gfp);
	le_put32(at + 20, (uint32_t)ev->pid);
	at[24] = ev->cpu;
	at[25] = ev->type;
	at[26] = ev->order;
	at[27] = (uint8_t)ev->mt;
	at[28] = ev->irqflags;
	at[29] = ev->preempt;
	at[30] = ev->x1;
	at[31] = ev->x2;
	return at + RECORD_BYTES;
}

static void read_sample(void)
{
	struct trace_error err = { "" };
	struct trace *t = trace_open(sample, &err);
	const struct trace_event *batch;
	uint8_t *at;
	int nr;

	assert_non_null(t);
	at = content.events = malloc((size_t)trace_meta(t)->nr_events * RECORD_BYTES);
	assert_non_null(at);
	while ((nr = trace_next(t, &batch, &err)) > 0)
		for (int n = 0; n < nr; n++)
			at = put_record(at, &batch[n]);
	assert_int_equal(nr, 0);
	content.nr_events = (size_t)(at - content.events) / RECORD_BYTES;
	for (int which = 0; which < 2; which++) {
		size_t nr_words = 0;
		const uint32_t *words = trace_snapshot_words(t, which, &nr_words, &err);

		assert_non_null(words);
		content.snapshots[which] = malloc(nr_words * 4);
		content.snapshot_bytes[which] = nr_words * 4;
		assert_non_null(content.snapshots[which]);
		for (size_t n = 0; n < nr_words; n++)
			le_put32(content.snapshots[which] + n * 4, words[n]);
	}
	trace_close(t);
}

static const char *in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
	FILE *f = fopen(in_folder(name), "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void write_compressed(const char *name, const void *bytes, size_t n)
{
	size_t room = ZSTD_compressBound(n);
	void *frame = malloc(room);

	assert_non_null(frame);
	room = ZSTD_compress(frame, room, bytes, n, 1);
	assert_false(ZSTD_isError(room));
	write_file(name, frame, room);
	free(frame);
}

/* The folder, with so many bytes of its events and this manifest. */
static void make_folder(size_t event_bytes, const char *manifest)
{
	mkdir(folder, 0777);
	write_compressed("events.evt.zst", content.events, event_bytes);
	write_compressed("snap.start.zst", content.snapshots[0], content.snapshot_bytes[0]);
	write_compressed("snap.end.zst", content.snapshots[1], content.snapshot_bytes[1]);
	write_file("manifest.json", manifest, strlen(manifest));
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(in_folder("events.evt.zst"));
	unlink(in_folder("snap.start.zst"));
	unlink(in_folder("snap.end.zst"));
	unlink(in_folder("manifest.json"));
	rmdir(folder);
	return 0;
}

/* ---- verifying them -------------------------------------------------------------------------- */

static bool verify(struct verify *v, bool standard, struct trace_error *err)
{
	struct trace *t = trace_open(folder, err);
	bool ok = t && verify_run(v, t, &(struct verify_how){ .standard = standard }, err);

	trace_close(t);
	return ok;
}

static void expect_exact(bool end_recorded)
{
	struct trace_error err = { "" };
	struct verify v;

	assert_true(verify(&v, false, &err));
	assert_int_equal(v.nr_misses, 0);
	assert_int_equal(v.events, content.nr_events);
	assert_int_equal(v.end.recorded, end_recorded);
	assert_int_equal(v.end.lists_in_order, v.end.lists);
	assert_true(verify(&v, true, &err));
}

/* Both modes end with a line that has all of this. */
static void expect_refused(const char *file, uint64_t offset, const char *what)
{
	char place[160];

	snprintf(place, sizeof(place), "%s/%s: %soffset %llu", folder, file,
		 strcmp(file, "events.evt.zst") ? "" : "uncompressed ", (unsigned long long)offset);
	for (int standard = 0; standard < 2; standard++) {
		struct trace_error err = { "" };
		struct verify v;

		assert_false(verify(&v, standard, &err));
		if (!strstr(err.text, place) || !strstr(err.text, what))
			fail_msg("\"%s\" lacks \"%s\" or \"%s\"", err.text, place, what);
	}
}

static void whole_folder_verifies(void **state)
{
	char manifest[64];

	(void)state;
	snprintf(manifest, sizeof(manifest), "{\"events\": %zu}", content.nr_events);
	make_folder(content.nr_events * RECORD_BYTES, manifest);
	expect_exact(true);
	/* It need not say how many events there are, nor have an end. */
	make_folder(content.nr_events * RECORD_BYTES, "{}");
	unlink(in_folder("snap.end.zst"));
	expect_exact(false);
}

static void cut_between_events_is_noticed(void **state)
{
	const size_t cuts[] = { 1, 2, 16383, 16384, 16385, content.nr_events / 2,
				content.nr_events - 1 };

	(void)state;
	for (size_t n = 0; n < sizeof(cuts) / sizeof(cuts[0]); n++) {
		make_folder(cuts[n] * RECORD_BYTES, "{}");
		expect_refused("events.evt.zst", cuts[n] * RECORD_BYTES,
			       "before the end snapshot's event");
	}
}

static void cut_inside_an_event_is_noticed(void **state)
{
	(void)state;
	for (size_t odd = 1; odd < RECORD_BYTES; odd += 10) {
		make_folder(content.nr_events / 2 * RECORD_BYTES + odd, "{}");
		for (int standard = 0; standard < 2; standard++) {
			struct trace_error err = { "" };
			struct verify v;

			assert_false(verify(&v, standard, &err));
			assert_non_null(strstr(err.text, "events.evt.zst: compressed offset "));
			assert_non_null(strstr(err.text, "ends inside event "));
		}
	}
}

static void count_that_differs_is_noticed(void **state)
{
	(void)state;
	make_folder(content.nr_events * RECORD_BYTES, "{\"events\": 7}");
	expect_refused("events.evt.zst", content.nr_events * RECORD_BYTES, "states 7");
}

/* Wherever it is: readers look ahead over batches, and meet it before they get there. */
static void unknown_event_is_named(void **state)
{
	const size_t numbers[] = { 0, 3, 16383, 16384, 20000, content.nr_events / 2,
				   content.nr_events - 2 };

	(void)state;
	for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
		uint8_t *type = content.events + numbers[n] * RECORD_BYTES + 25, was = *type;
		char what[64];

		*type = 77;
		make_folder(content.nr_events * RECORD_BYTES, "{}");
		*type = was;
		snprintf(what, sizeof(what), "event %zu (unknown): no such type: 77", numbers[n]);
		expect_refused("events.evt.zst", numbers[n] * RECORD_BYTES, what);
	}
}

static void unknown_release_is_named(void **state)
{
	(void)state;
	make_folder(content.nr_events * RECORD_BYTES, "{\"a\": 1, \"release\": \"9.9\"}");
	expect_refused("manifest.json", 9, "release 9.9 is not known; known are 6.1, ");
	make_folder(content.nr_events * RECORD_BYTES,
		    "{\"kernel\": \"Linux version 5.10.0-1 (a) b\"}");
	expect_refused("manifest.json", 1, "release 5.10 is not known");
}

static void policy_is_of_the_release_recorded(void **state)
{
	static const struct {
		const char *manifest, *policy;
	} rows[] = {
		{ "{\"release\": \"6.12\"}", "linux-6.12" },
		{ "{\"release\": \"6.18.35\"}", "linux-6.18" },
		{ "{\"kernel\": \"Linux version 6.1.0-56-amd64 (x)\"}", "linux-6.1" },
		{ "{\"kernel\": \"Linux version 7.2.13+deb14-amd64 (x)\"}", "linux" },
	};

	(void)state;
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		struct trace_error err = { "" };
		struct trace *t;

		make_folder(RECORD_BYTES, rows[n].manifest);
		t = trace_open(folder, &err);
		assert_non_null(t);
		assert_string_equal(verify_policy_of(t, &err), rows[n].policy);
		trace_close(t);
	}
}

/* No event, no prediction: nothing to be exact or wrong. */
static void folder_without_events_is_read(void **state)
{
	struct trace_error err = { "" };
	struct verify v;

	(void)state;
	make_folder(0, "{}");
	assert_true(verify(&v, false, &err));
	assert_int_equal(v.events, 0);
	assert_true(v.end.lists_in_order < v.end.lists);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_folder_verifies),
		cmocka_unit_test(cut_between_events_is_noticed),
		cmocka_unit_test(cut_inside_an_event_is_noticed),
		cmocka_unit_test(count_that_differs_is_noticed),
		cmocka_unit_test(unknown_event_is_named),
		cmocka_unit_test(unknown_release_is_named),
		cmocka_unit_test(policy_is_of_the_release_recorded),
		cmocka_unit_test(folder_without_events_is_read),
	};
	int failed;

	if (argc != 2) {
		fprintf(stderr, "usage: test_case TRACE.pgt\n");
		return 1;
	}
	sample = argv[1];
	snprintf(folder, sizeof(folder), "test_case.%ld", (long)getpid());
	read_sample();
	failed = cmocka_run_group_tests(tests, NULL, remove_folder);
	free(content.events);
	free(content.snapshots[0]);
	free(content.snapshots[1]);
	return failed;
}
