/* SPDX-License-Identifier: MIT */
/*
 * The kernel's files as a recorded kernel printed them, against those that the library writes from
 * the snapshot taken beside them. Usage: test_proc TRACE DIR; DIR has before/ and after/, which go
 * with the start and the end snapshot.
 *
 * Every line of every file has the kernel's format to the byte, numbers aside. All numbers that the
 * allocator owns are the kernel's, but for what follows, each of which comes from the texts being
 * printed by another process than the one that took the snapshot, some milliseconds apart:
 *
 * - Pages moved meanwhile. The lines of buddyinfo and pagetypeinfo that show it are listed in
 *   `moved`, all others are exact; in zoneinfo free pages and the pages on pcp lists differ.
 * - 7.2 lowers a pcp's high at every tick, so that it differs too, within its limits.
 * - 6.1 computes the lowmem reserves again when vm.lowmem_reserve_ratio is read, which the recorder
 *   did after it had read zoneinfo: `before` has the older ones.
 * - Where memory ends inside a section, the recording takes the pageblocks up to the section's end
 *   for the zone's, all Unmovable. pagetypeinfo does not count them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pagus/step.h>
#include <pagus/text.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/machine.h"

#define TUNED_PCP_VERSION 3 /* snapshots of releases whose pcps have a range to tune in */

static const char *trace_path, *dir;

/* ---- what may differ ------------------------------------------------------------------------- */

struct moved_lines {
	const char *trace, *when, *file;
	int lines[4]; /* from 1 on */
};

static const struct moved_lines moved[] = {
	{ "7.2-frag1", "before", "buddyinfo", { 3 } },
	{ "7.2-frag1", "before", "pagetypeinfo", { 17 } },
	{ "7.2-frag1", "after", "buddyinfo", { 3 } },
	{ "7.2-frag1", "after", "pagetypeinfo", { 17 } },
	{ "7.2-forkexec1", "before", "buddyinfo", { 2 } },
	{ "7.2-forkexec1", "before", "pagetypeinfo", { 11 } },
	{ "6.1-gccbuild2", "before", "buddyinfo", { 2 } },
	{ "6.1-gccbuild2", "before", "pagetypeinfo", { 10 } },
	{ "6.1-gccbuild2", "after", "buddyinfo", { 2 } },
	{ "6.1-gccbuild2", "after", "pagetypeinfo", { 11, 12, 18 } },
};

static const char *const listed_traces[] = { "7.2-frag1", "7.2-forkexec1", "6.1-gccbuild2" };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Of another folder the differences are shown, not judged. */
static bool dir_is_listed(void)
{
	for (size_t n = 0; n < sizeof(listed_traces) / sizeof(listed_traces[0]); n++)
		if (strcmp(listed_traces[n], base_name(dir)) == 0)
			return true;
	return false;
}

static bool may_have_moved(const char *when, const char *file, int line)
{
	for (size_t n = 0; n < sizeof(moved) / sizeof(moved[0]); n++) {
		if (strcmp(moved[n].trace, base_name(dir)) || strcmp(moved[n].when, when) ||
		    strcmp(moved[n].file, file))
			continue;
		for (int k = 0; k < 4; k++)
			if (moved[n].lines[k] == line)
				return true;
	}
	return false;
}

/* ---- both sides ------------------------------------------------------------------------------ */

struct side {
	struct trace *trace;
	const struct snapshot *snap;
	struct machine *machine;
	const char *when;
};

static void open_side(struct side *s, const char *when)
{
	struct trace_error err = { "" };

	*s = (struct side){ .when = when, .trace = trace_open(trace_path, &err) };
	if (!s->trace)
		fail_msg("%s", err.text);
	s->snap = strcmp(when, "after") ? trace_start(s->trace) : trace_end(s->trace, &err);
	if (!s->snap)
		fail_msg("%s", err.text);
	s->machine = machine_build(trace_meta(s->trace), s->snap,
				   s->snap->version < TUNED_PCP_VERSION ? "linux-6.1" : "linux",
				   s->snap->nr_cpus, &err);
	if (!s->machine)
		fail_msg("%s", err.text);
	for (uint32_t id = 0; id < pagus_nr_zones(&s->machine->pagus); id++) {
		struct pagus_zone_info info;

		assert_int_equal(pagus_zone_info(&s->machine->pagus, id, &info), PAGUS_OK);
		for (uint32_t z = 0; z < s->snap->nr_zones; z++) {
			const struct snap_zone *zone = &s->snap->zones[z];

			if (zone->node == info.node && zone->type == info.type)
				assert_int_equal(pagus_step_marks(&s->machine->pagus, id,
								  zone->wmark, zone->boost),
						 PAGUS_OK);
		}
	}
}

static void close_side(struct side *s)
{
	machine_free(s->machine);
	trace_close(s->trace);
}

static char *our_text(const struct side *s, pagus_text_file *write)
{
	struct pagus_text t;
	char *text;

	pagus_text_init(&t, NULL, 0);
	write(&s->machine->pagus, &t);
	text = malloc(t.length + 1);
	assert_non_null(text);
	pagus_text_init(&t, text, t.length + 1);
	write(&s->machine->pagus, &t);
	assert_int_equal(strlen(text), t.length);
	return text;
}

static char *kernel_text(const struct side *s, const char *file)
{
	char path[4096], *text = calloc(1, 1 << 20);
	FILE *f;
	size_t nr;

	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, s->when, file);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: cannot be read", path);
	nr = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	assert_true(nr > 0 && nr < (1 << 20) - 1);
	return text;
}

/* ---- format ---------------------------------------------------------------------------------- */

/* A number begins here: digits that no name ends with. */
static bool number_at(const char *line, const char *at)
{
	return isdigit((unsigned char)*at) &&
	       (at == line || (!isalnum((unsigned char)at[-1]) && at[-1] != '_'));
}

/*
 * The same line with other numbers. A number is set right (equal ends of the field) or left (equal
 * beginnings).
 */
static bool same_format(const char *a, const char *b)
{
	const char *line_a = a, *line_b = b;

	while (*a || *b) {
		size_t blanks_a = strspn(a, " "), blanks_b = strspn(b, " ");

		a += blanks_a;
		b += blanks_b;
		if (number_at(line_a, a) && number_at(line_b, b)) {
			size_t digits_a = strspn(a, "0123456789");
			size_t digits_b = strspn(b, "0123456789");

			if (blanks_a != blanks_b && blanks_a + digits_a != blanks_b + digits_b)
				return false;
			a += digits_a;
			b += digits_b;
		} else if (blanks_a != blanks_b || *a != *b) {
			return false;
		} else if (*a) {
			a++;
			b++;
		}
	}
	return true;
}

typedef void judge_line(const struct side *s, const char *file, int line, const char *ours,
			const char *theirs);

/* Line by line: the format, and the numbers as `judge` has them. */
static void compare(const struct side *s, const char *file, pagus_text_file *write,
		    judge_line *judge)
{
	char *ours = our_text(s, write), *theirs = kernel_text(s, file);
	char *a = ours, *b = theirs;
	int line = 1;

	while (*a && *b) {
		char *end_a = strchr(a, '\n'), *end_b = strchr(b, '\n');

		assert_non_null(end_a);
		assert_non_null(end_b);
		*end_a = *end_b = '\0';
		if (!same_format(a, b))
			fail_msg("%s/%s line %d:\n%s|\n%s|", s->when, file, line, a, b);
		judge(s, file, line++, a, b);
		a = end_a + 1;
		b = end_b + 1;
	}
	if (*a || *b)
		fail_msg("%s/%s: %s has more lines than %d", s->when, file,
			 *a ? "our text" : "the kernel's", line - 1);
	free(ours);
	free(theirs);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void expect_exact(const struct side *s, const char *file, int line, const char *ours,
			 const char *theirs)
{
	if (strcmp(ours, theirs) == 0)
		return;
	if (dir_is_listed())
		fail_msg("%s/%s line %d:\n%s|\n%s|", s->when, file, line, ours, theirs);
	print_message("%s/%s line %d, ours, then the kernel's:\n%s\n%s\n", s->when, file, line,
		      ours, theirs);
}

static void judge_free_blocks(const struct side *s, const char *file, int line, const char *ours,
			      const char *theirs)
{
	if (!may_have_moved(s->when, file, line))
		expect_exact(s, file, line, ours, theirs);
}

/* Pageblocks that present pages cannot fill, in the zone whose line this is. */
static uint64_t blocks_without_memory(const struct side *s, const char *line)
{
	for (uint32_t z = 0; z < s->snap->nr_zones; z++) {
		const struct snap_zone *zone = &s->snap->zones[z];
		uint64_t blocks = 0, block_pages = UINT64_C(1) << s->snap->pageblock_order;
		char head[64];

		snprintf(head, sizeof(head), "Node %u, zone %8s ", zone->node,
			 pagus_zone_name((enum pagus_zone_type)zone->type));
		if (strncmp(line, head, strlen(head)))
			continue;
		for (uint32_t b = 0; b < zone->nr_blocks; b++)
			blocks += zone->block_type[b] != SNAPSHOT_HOLE;
		return blocks - (zone->present + block_pages - 1) / block_pages;
	}
	return 0;
}

static void judge_types(const struct side *s, const char *file, int line, const char *ours,
			const char *theirs)
{
	uint64_t extra = blocks_without_memory(s, ours);
	char without[256];

	/* "Node 0, " and "zone %8s " come first in a line of block counts. */
	if (extra && strstr(ours, "type") == NULL) {
		uint64_t unmovable = strtoull(ours + 21, NULL, 10);

		snprintf(without, sizeof(without), "%.21s%13llu%s", ours,
			 (unsigned long long)(unmovable - extra), ours + 34);
		ours = without;
	}
	judge_free_blocks(s, file, line, ours, theirs);
}

static bool starts_with(const char *line, const char *start)
{
	return strncmp(line, start, strlen(start)) == 0;
}

/* A line of counters is indented by six; of them the library has those of free pages. */
static void judge_counter(const char *ours, const char *theirs)
{
	if (starts_with(theirs, "      nr_free_pages") || starts_with(theirs, "      nr_free_cma"))
		return;
	assert_int_equal(strtoull(ours + strcspn(ours + 6, " ") + 6, NULL, 10), 0);
}

static void judge_zoneinfo(const struct side *s, const char *file, int line, const char *ours,
			   const char *theirs)
{
	bool tuned = s->snap->version >= TUNED_PCP_VERSION;

	if (strncmp(ours, "      ", 6) == 0 && ours[6] != ' ')
		judge_counter(ours, theirs);
	else if (starts_with(ours, "  pages free ") || starts_with(ours, "              count:"))
		return;
	else if (tuned && starts_with(ours, "              high: "))
		return;
	else if (!tuned && strcmp(s->when, "before") == 0 &&
		 starts_with(ours, "        protection:"))
		return;
	else
		expect_exact(s, file, line, ours, theirs);
}

/* The names stand, in this order; free pages are those of zoneinfo. */
static void judge_vmstat(const struct side *s, const char *file, int line, const char *ours,
			 const char *theirs)
{
	size_t name = strcspn(theirs, " ") + 1;

	(void)file;
	assert_memory_equal(ours, theirs, name);
	if (line == 1) {
		uint64_t sum = 0;

		for (uint32_t id = 0; id < pagus_nr_zones(&s->machine->pagus); id++) {
			struct pagus_zone_info info;

			pagus_zone_info(&s->machine->pagus, id, &info);
			sum += info.free_pages;
		}
		assert_memory_equal(ours, "nr_free_pages ", name);
		assert_int_equal(strtoull(ours + name, NULL, 10), sum);
	}
}

static void compare_all(const char *when)
{
	struct side s;

	open_side(&s, when);
	compare(&s, "buddyinfo", pagus_text_buddyinfo, judge_free_blocks);
	compare(&s, "pagetypeinfo", pagus_text_pagetypeinfo, judge_types);
	compare(&s, "zoneinfo", pagus_text_zoneinfo, judge_zoneinfo);
	compare(&s, "vmstat", pagus_text_vmstat, judge_vmstat);
	close_side(&s);
}

static void the_start_as_the_kernel_printed_it(void **state)
{
	(void)state;
	compare_all("before");
}

static void the_end_as_the_kernel_printed_it(void **state)
{
	(void)state;
	compare_all("after");
}

/* The comparison itself: what is another format, and what is the same. */
static void formats_are_told_apart(void **state)
{
	(void)state;
	assert_true(same_format("zone    DMA32      1 ", "zone    DMA32     12 "));
	assert_true(same_format("nr_mapped    416", "nr_mapped    4"));
	assert_false(same_format("zone    DMA32      1 ", "zone    DMA32      1"));
	assert_false(same_format("zone    DMA32      1 ", "zone   DMA32      1 "));
	assert_false(same_format("zone    DMA32 ", "zone    DMA31 "));
	assert_false(same_format("min      1", "min     1"));
	assert_false(same_format("high: 1", "high:     12"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_are_told_apart),
		cmocka_unit_test(the_start_as_the_kernel_printed_it),
		cmocka_unit_test(the_end_as_the_kernel_printed_it),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: test_proc TRACE DIR\n");
		return 1;
	}
	trace_path = argv[1];
	dir = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
