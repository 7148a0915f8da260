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

enum form { COUNT, PER_MILLE, TENTHS, HEX, HEADING }; /* TENTHS: UINT64_MAX is none */

#define AT(field) offsetof(struct result, field)
#define AT_COMPACTION(key) AT(figures.compactions[FIGURES_COMPACTION_##key])

struct measure {
	const char *name;
	enum form form;
	size_t offset; /* of a uint64_t in struct result */
};

static const struct measure measures[] = {
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
	{ "    at the start", COUNT, AT(taints_by[SUPERPAGEBLOCKS_BY_start]) },
	{ "    unmovable, order 0", COUNT, AT(taints_by[SUPERPAGEBLOCKS_BY_unmovable]) },
	{ "    reclaimable, order 0", COUNT, AT(taints_by[SUPERPAGEBLOCKS_BY_reclaimable]) },
	{ "    unmovable, higher", COUNT, AT(taints_by[SUPERPAGEBLOCKS_BY_unmovable_higher_order]) },
	{ "    reclaimable, higher", COUNT,
	  AT(taints_by[SUPERPAGEBLOCKS_BY_reclaimable_higher_order]) },
	{ "  packing of tainted", PER_MILLE, AT(packing_per_mille) },
	{ "  empty at the end", COUNT, AT(empty) },
	{ "  obtainable by moving", COUNT, AT(obtainable) },
	{ "    bytes to copy", COUNT, AT(obtainable_bytes) },
	{ "  at best", COUNT, AT(upper_bound) },
	{ "digest", HEX, AT(digest) },
	{ "events per second", COUNT, AT(events_per_second) },
};

static const struct measure moves[] = {
	{ "pages moved", COUNT, AT(figures.moved_pages) },
	{ "bytes copied", COUNT, AT(figures.copied_bytes) },
	{ "pages not moved", COUNT, AT(figures.failed_pages) },
	{ "compactions of a zone", HEADING, 0 },
	{ "  success", COUNT, AT_COMPACTION(success) },
	{ "  complete, in vain", COUNT, AT_COMPACTION(complete) },
	{ "  partial, in vain", COUNT, AT_COMPACTION(partial_skipped) },
	{ "  contended", COUNT, AT_COMPACTION(contended) },
	{ "  needless", COUNT, AT_COMPACTION(needless) },
	{ "  skipped", COUNT, AT_COMPACTION(skipped) },
	{ "  deferred", COUNT, AT_COMPACTION(deferred) },
	{ "  refused", COUNT, AT_COMPACTION(refused) },
	{ "runs of kcompactd", COUNT, AT(figures.kcompactd_runs) },
	{ "stalls", COUNT, AT(figures.stalls) },
	{ "  that served", COUNT, AT(figures.stalls_served) },
};

static const struct measure evacuations[] = {
	{ "pages moved", COUNT, AT(figures.evacuated_pages) },
	{ "bytes copied", COUNT, AT(figures.evacuated_bytes) },
	{ "pageblocks emptied", COUNT, AT(figures.emptied_pageblocks) },
	{ "superpageblocks emptied", COUNT, AT(figures.emptied_superpageblocks) },
};

static const struct measure huge_pages[] = {
	{ "asked for", COUNT, AT(figures.asked) },
	{ "granted", COUNT, AT(figures.granted) },
	{ "failed", COUNT, AT(figures.failed) },
	{ "held at the end", COUNT, AT(figures.held_at_end) },
	{ "bytes copied for them", COUNT, AT(figures.huge_copied_bytes) },
	{ "  for each one granted", COUNT, AT(figures.copied_per_granted) },
	{ "  all copies, for each", COUNT, AT(figures.all_copied_per_granted) },
	{ "stalls for them", COUNT, AT(figures.huge_stalls) },
	{ "pages reclaimed for them", COUNT, AT(figures.huge_reclaimed_pages) },
};

static const struct measure closed_loop[] = {
	{ "pages reclaimed", COUNT, AT(figures.reclaimed_pages) },
	{ "  page cache", COUNT, AT(figures.reclaimed_cache) },
	{ "  slab", COUNT, AT(figures.reclaimed_slab) },
	{ "  of unknown birth", COUNT, AT(figures.reclaimed_unknown) },
	{ "OOM kills", COUNT, AT(figures.oom_kills) },
	{ "  pages freed", COUNT, AT(figures.killed_pages) },
	{ "  requests not replayed", COUNT, AT(figures.unasked) },
	{ "frees that came later", COUNT, AT(figures.late_frees) },
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
		return value == UINT64_MAX ? "-" : tenths(value, "", text);
	case HEX:
		snprintf(text, TEXT_SIZE, "%016" PRIx64, value);
		return text;
	default:
		return "";
	}
}

static void print_row(FILE *out, const struct result_set *set, const struct measure *row)
{
	char text[TEXT_SIZE];

	if (row->form == HEADING) {
		fprintf(out, "  %s\n", row->name);
		return;
	}
	fprintf(out, "  %-*s", KEY_WIDTH, row->name);
	for (uint32_t n = 0; n < set->nr; n++)
		fprintf(out, " %*s", COLUMN_WIDTH,
			show(&set->results[n], row->offset, row->form, text));
	fputc('\n', out);
}

static void print_measures(FILE *out, const struct result_set *set, const struct measure *rows,
			   size_t nr)
{
	for (size_t m = 0; m < nr; m++)
		print_row(out, set, &rows[m]);
}

#define PRINT_TABLE(out, title, set, rows)                                                         \
	do {                                                                                      \
		print_heads(out, title, set);                                                     \
		fputc('\n', out);                                                                 \
		print_measures(out, set, rows, sizeof(rows) / sizeof((rows)[0]));                 \
	} while (0)

/* Is it other than `none` under any policy? */
static bool any_has(const struct result_set *set, size_t offset, uint64_t none)
{
	bool any = false;
	uint64_t value;

	for (uint32_t n = 0; n < set->nr; n++) {
		memcpy(&value, (const char *)&set->results[n] + offset, sizeof(value));
		any |= value != none;
	}
	return any;
}

/* Why huge pages failed: the reasons that any policy had. */
static void print_whys(FILE *out, const struct result_set *set)
{
	for (uint32_t why = 0; why < HUGE_WHYS; why++) {
		char reason[32], name[48];
		const struct measure row = {
			.name = name, .form = COUNT,
			.offset = AT(figures.why) + why * sizeof(uint64_t),
		};

		snprintf(name, sizeof(name), "failed: %s", huge_why_name(why, reason, sizeof(reason)));
		if (any_has(set, row.offset, 0))
			print_row(out, set, &row);
	}
}

/* When so many were held, as far as any policy came. */
static void print_held(FILE *out, const struct result_set *set)
{
	for (uint32_t n = 0; n < FIGURES_HELD; n++) {
		char name[48];
		const struct measure row = {
			.name = name, .form = TENTHS,
			.offset = AT(figures.held_at_ds) + n * sizeof(uint64_t),
		};

		snprintf(name, sizeof(name), "seconds to hold %u", 1u << n);
		if (any_has(set, row.offset, UINT64_MAX))
			print_row(out, set, &row);
	}
}

static void print_whatif(FILE *out, const struct result_set *set)
{
	const struct whatif *w = &set->results[0].figures.whatif;
	char title[64];

	if (w->defrag != WHATIF_DEFRAG_NONE) {
		snprintf(title, sizeof(title), "Pages moved: %s", whatif_defrag_name(w->defrag));
		PRINT_TABLE(out, title, set, moves);
		/* With --defrag scan requests have room made too. */
		if (w->defrag == WHATIF_DEFRAG_EVACUATE ||
		    any_has(set, AT(figures.evacuated_pages), 0))
			PRINT_TABLE(out, "Out of superpageblocks", set, evacuations);
	}
	if (w->huge.every_ns) {
		snprintf(title, sizeof(title), "Huge pages of order %u", w->huge.order);
		PRINT_TABLE(out, title, set, huge_pages);
		print_held(out, set);
		print_whys(out, set);
	}
	if (w->closed_loop)
		PRINT_TABLE(out, "Reclaim", set, closed_loop);
}

/* What a closed loop assumes stands before its results. */
static void print_assumptions(FILE *out, const struct result_set *set)
{
	if (!set->results[0].figures.whatif.closed_loop)
		return;
	fprintf(out, "The loop is closed: reclaim and the OOM killer act. It is assumed:\n");
	for (uint32_t n = 0; loop_assumptions(n); n++) {
		fprintf(out, "  - ");
		print_wrapped(out, loop_assumptions(n), 4, 100);
	}
	fputc('\n', out);
}

void result_print(FILE *out, const struct result_set *set)
{
	const struct trace_meta *meta = trace_meta(set->trace);

	fprintf(out, "%s\n  %s\n  %s on %s\n\n", meta->path, meta->kernel, meta->workload,
		meta->machine);
	print_assumptions(out, set);
	print_trace_ledger(out, &set->ledger);
	print_policy_ledgers(out, set);
	PRINT_TABLE(out, "Results", set, measures);
	print_whatif(out, set);
}
