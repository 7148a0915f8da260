/* SPDX-License-Identifier: MIT */
#include "replay/result.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define KEY_WIDTH    24
#define VALUE_WIDTH  14
#define COLUMN_WIDTH 17
#define TEXT_SIZE    32

/* 1234567 -> "1,234,567". */
static const char *grouped(uint64_t value, char text[TEXT_SIZE])
{
	char digits[TEXT_SIZE];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, value), at = 0;

	for (int n = 0; n < len; n++) {
		if (n > 0 && (len - n) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[n];
	}
	text[at] = '\0';
	return text;
}

static const char *tenths(uint64_t value, const char *unit, char text[TEXT_SIZE])
{
	char whole[TEXT_SIZE];

	grouped(value / 10, whole);
	snprintf(text, TEXT_SIZE, "%.20s.%u%.8s", whole, (unsigned)(value % 10), unit);
	return text;
}

/* Text from column `from` on, broken at spaces before column `width`. */
static void print_wrapped(FILE *out, const char *text, int from, int width)
{
	int column = from;

	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > from && column + 1 + word > width) {
			fprintf(out, "\n%*s", from, "");
			column = from;
		} else if (column > from) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, (size_t)word, out);
		column += word;
		text += word + (text[word] == ' ');
	}
	fputc('\n', out);
}

static const char *show_row(const struct ledger_row *row, char text[TEXT_SIZE])
{
	return row->per_mille ? tenths(row->value, " %", text) : grouped(row->value, text);
}

static char mark(const struct ledger_row *row)
{
	return row->level == LEDGER_WARN ? '!' : ' ';
}

static void print_trace_ledger(FILE *out, const struct ledger *l)
{
	char text[TEXT_SIZE];

	fputs("Fidelity of the recording\n", out);
	for (uint32_t n = 0; n < l->nr; n++) {
		const struct ledger_row *row = &l->rows[n];

		fprintf(out, "%c %-*s %*s  ", mark(row), KEY_WIDTH, row->key, VALUE_WIDTH,
			show_row(row, text));
		print_wrapped(out, row->text, 2 + KEY_WIDTH + 1 + VALUE_WIDTH + 2, 100);
	}
}

static void print_heads(FILE *out, const char *title, const struct result_set *set)
{
	fprintf(out, "\n%-*s", 2 + KEY_WIDTH, title);
	for (uint32_t n = 0; n < set->nr; n++)
		fprintf(out, " %*s", COLUMN_WIDTH, set->results[n].policy);
}

/*
 * Every policy's ledger has the same rows; those that the recorded kernel counted too show its
 * figure.
 */
static void print_policy_ledgers(FILE *out, const struct result_set *set)
{
	char text[TEXT_SIZE];

	print_heads(out, "Fidelity of the replay", set);
	fprintf(out, " %*s\n", COLUMN_WIDTH, "recorded");
	for (uint32_t n = 0; n < set->results[0].ledger.nr; n++) {
		const struct ledger_row *row = &set->results[0].ledger.rows[n];

		fprintf(out, "  %-*s", KEY_WIDTH, row->key);
		for (uint32_t r = 0; r < set->nr; r++) {
			row = &set->results[r].ledger.rows[n];
			fprintf(out, "%c%*s", mark(row), COLUMN_WIDTH, show_row(row, text));
		}
		if (row->compared)
			fprintf(out, " %*s", COLUMN_WIDTH, grouped(row->recorded, text));
		fputc('\n', out);
	}
}

/* ---- the table: one row a measure ------------------------------------------------------------ */

enum form { COUNT, PER_MILLE, TENTHS, HEX, HEADING };

#define AT(field) offsetof(struct result, field)

static const struct {
	const char *name;
	enum form form;
	size_t offset; /* of a uint64_t in struct result */
} measures[] = {
	{ "allocations", COUNT, AT(allocations) },
	{ "failures", COUNT, AT(failures) },
	{ "served by pcp lists", PER_MILLE, AT(pcp_hits_per_mille) },
	{ "zone locks per 1000 ops", TENTHS, AT(zone_locks_per_1000_tenths) },
	{ "fallbacks to other types", HEADING, 0 },
	{ "  CMA", COUNT, AT(fallback_cma) },
	{ "  claim, whole pageblock", COUNT, AT(claim_block) },
	{ "  claim by majority", COUNT, AT(claim_part) },
	{ "  claim refused", COUNT, AT(claim_refused) },
	{ "  steal", COUNT, AT(steal) },
	{ "free blocks at the end", HEADING, 0 },
	{ "  order 0", COUNT, AT(free_blocks[0]) },
	{ "  order 1", COUNT, AT(free_blocks[1]) },
	{ "  order 2", COUNT, AT(free_blocks[2]) },
	{ "  order 3", COUNT, AT(free_blocks[3]) },
	{ "  order 4", COUNT, AT(free_blocks[4]) },
	{ "  order 5", COUNT, AT(free_blocks[5]) },
	{ "  order 6", COUNT, AT(free_blocks[6]) },
	{ "  order 7", COUNT, AT(free_blocks[7]) },
	{ "  order 8", COUNT, AT(free_blocks[8]) },
	{ "  order 9", COUNT, AT(free_blocks[9]) },
	{ "  order 10", COUNT, AT(free_blocks[10]) },
	{ "free pages", COUNT, AT(free_pages) },
	{ "pages on pcp lists", COUNT, AT(pcp_pages) },
	{ "unusable for order 3", PER_MILLE, AT(unusable_3) },
	{ "unusable for order 9", PER_MILLE, AT(unusable_9) },
	{ "mixed pageblocks", COUNT, AT(mixed_pageblocks) },
	{ "2 MiB blocks free", COUNT, AT(free_2mib_blocks) },
	{ "superpageblocks", HEADING, 0 },
	{ "  MiB each", COUNT, AT(superpageblock_mib) },
	{ "  whole ones", COUNT, AT(superpageblocks) },
	{ "  tainted at the end", COUNT, AT(tainted) },
	{ "  tainted at most", COUNT, AT(peak_tainted) },
	{ "  would do", COUNT, AT(tainted_bound) },
	{ "  times one was tainted", COUNT, AT(taints) },
	{ "  packing of tainted", PER_MILLE, AT(packing_per_mille) },
	{ "  empty at the end", COUNT, AT(empty) },
	{ "  obtainable by moving", COUNT, AT(obtainable) },
	{ "digest", HEX, AT(digest) },
	{ "events per second", COUNT, AT(events_per_second) },
};

static const char *show(const struct result *res, size_t offset, enum form form,
			char text[TEXT_SIZE])
{
	uint64_t value;

	memcpy(&value, (const char *)res + offset, sizeof(value));
	switch (form) {
	case COUNT:
		return grouped(value, text);
	case PER_MILLE:
		return tenths(value, " %", text);
	case TENTHS:
		return tenths(value, "", text);
	case HEX:
		snprintf(text, TEXT_SIZE, "%016" PRIx64, value);
		return text;
	default:
		return "";
	}
}

static void print_table(FILE *out, const struct result_set *set)
{
	char text[TEXT_SIZE];

	print_heads(out, "Results", set);
	fputc('\n', out);
	for (size_t m = 0; m < sizeof(measures) / sizeof(measures[0]); m++) {
		if (measures[m].form == HEADING) {
			fprintf(out, "  %s\n", measures[m].name);
			continue;
		}
		fprintf(out, "  %-*s", KEY_WIDTH, measures[m].name);
		for (uint32_t n = 0; n < set->nr; n++)
			fprintf(out, " %*s", COLUMN_WIDTH,
				show(&set->results[n], measures[m].offset, measures[m].form, text));
		fputc('\n', out);
	}
}

void result_print(FILE *out, const struct result_set *set)
{
	const struct trace_meta *meta = trace_meta(set->trace);

	fprintf(out, "%s\n  %s\n  %s on %s\n\n", meta->path, meta->kernel, meta->workload,
		meta->machine);
	print_trace_ledger(out, &set->ledger);
	print_policy_ledgers(out, set);
	print_table(out, set);
}
