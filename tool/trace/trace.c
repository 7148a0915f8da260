/* SPDX-License-Identifier: MIT */
/* Traces whatever their container: opening, snapshots, and the check of the total. */
#include "trace/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "synth/source.h"
#include "trace/le.h"
#include "trace/pgt.h"

bool trace_fail(struct trace_error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	for (char *c = err->text; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return false;
}

const char *trace_keep(struct trace *t, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL || t->nr_strings == sizeof(t->strings) / sizeof(t->strings[0])) {
		free(copy);
		return NULL;
	}
	t->strings[t->nr_strings++] = copy;
	return copy;
}

bool trace_words_set(struct trace_words *out, const uint8_t *raw, size_t bytes)
{
	size_t nr = bytes / 4;
	uint32_t *words = malloc(nr > 0 ? nr * sizeof(*words) : sizeof(*words));

	if (words == NULL)
		return false;
	for (size_t i = 0; i < nr; i++)
		words[i] = le_get32(raw + i * 4);
	out->words = words;
	out->nr = nr;
	return true;
}

static bool open_container(struct trace *t, struct trace_error *err)
{
	uint8_t magic[PGT_MAGIC_BYTES];
	struct stat st;
	FILE *f;

	if (strncmp(t->meta.path, SYNTH_PREFIX, strlen(SYNTH_PREFIX)) == 0)
		return synth_open(t, err);
	if (stat(t->meta.path, &st) != 0)
		return trace_fail(err, "%s: %s", t->meta.path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return case_open(t, err);
	if (!S_ISREG(st.st_mode))
		return trace_fail(err, "%s: neither a case folder nor a regular file",
				  t->meta.path);
	f = fopen(t->meta.path, "rb");
	if (f == NULL)
		return trace_fail(err, "%s: %s", t->meta.path, strerror(errno));
	if (!pgt_is_magic(magic, fread(magic, 1, sizeof(magic), f))) {
		fclose(f);
		return trace_fail(err, "%s: offset 0: not a .pgt file (bad magic)", t->meta.path);
	}
	return pgt_open(t, f, err);
}

static bool read_snapshot(struct trace *t, int which, struct trace_error *err)
{
	struct trace_words *w = &t->words[which];

	err->text[0] = '\0';
	if (w->words == NULL && !t->ops->read_words(t, which, w, err))
		return false;
	return w->words != NULL;
}

static const struct snapshot *parse_snapshot(struct trace *t, int which, struct trace_error *err)
{
	if (t->snapshot[which] == NULL && read_snapshot(t, which, err))
		t->snapshot[which] = snapshot_parse(t->words[which].file, t->words[which].words,
						    t->words[which].nr, err);
	return t->snapshot[which];
}

/* What a case folder's manifest leaves to its snapshots. */
static bool complete_meta(struct trace *t, struct trace_error *err)
{
	const struct snapshot *start = t->snapshot[0];
	const struct snapshot *end;
	uint64_t present_pages = 0;
	char machine[160];

	if (t->meta.machine[0] == '\0') {
		for (uint32_t i = 0; i < start->nr_zones; i++)
			present_pages += start->zones[i].present;
		snprintf(machine, sizeof(machine), "x86-64, %llu MiB present, %u CPU%s, %u node%s",
			 (unsigned long long)(present_pages >> (20 - start->page_shift)),
			 start->nr_cpus, start->nr_cpus == 1 ? "" : "s", start->nr_nodes,
			 start->nr_nodes == 1 ? "" : "s");
		t->meta.machine = trace_keep(t, machine);
		if (t->meta.machine == NULL)
			return trace_fail(err, "%s: out of memory", t->meta.path);
	}
	if (t->meta.span_ns == 0) {
		end = parse_snapshot(t, 1, err);
		if (end != NULL && end->boot_ns > start->boot_ns)
			t->meta.span_ns = end->boot_ns - start->boot_ns;
		err->text[0] = '\0'; /* a bad end snapshot is trace_end's to report */
	}
	return true;
}

struct trace *trace_open(const char *path, struct trace_error *err)
{
	struct trace *t = calloc(1, sizeof(*t));

	err->text[0] = '\0';
	if (t == NULL || (t->meta.path = trace_keep(t, path)) == NULL) {
		trace_fail(err, "%s: out of memory", path);
		free(t);
		return NULL;
	}
	if (!open_container(t, err) || parse_snapshot(t, 0, err) == NULL ||
	    !complete_meta(t, err)) {
		if (err->text[0] == '\0')
			trace_fail(err, "%s: no start snapshot", path);
		trace_close(t);
		return NULL;
	}
	return t;
}

const struct trace_meta *trace_meta(const struct trace *t)
{
	return &t->meta;
}

const struct snapshot *trace_start(const struct trace *t)
{
	return t->snapshot[0];
}

const struct snapshot *trace_end(struct trace *t, struct trace_error *err)
{
	return parse_snapshot(t, 1, err);
}

const uint32_t *trace_snapshot_words(struct trace *t, int which, size_t *nr_words,
				     struct trace_error *err)
{
	if (!read_snapshot(t, which, err))
		return NULL;
	*nr_words = t->words[which].nr;
	return t->words[which].words;
}

static int read_events(struct trace *t, const struct trace_event **batch, struct trace_error *err)
{
	int n = t->ops->next(t, batch, err);

	for (int k = 0; k < n; k++)
		if (!trace_event_valid(t, &(*batch)[k], t->nr_read++, err))
			return -1;
	if (n == 0 && t->meta.nr_events != 0 && t->nr_read != t->meta.nr_events) {
		char where[TRACE_WHERE_BYTES];

		t->ops->where(t, t->nr_read, where, sizeof(where));
		trace_fail(err, "%s: ends after %llu events, but the container states %llu", where,
			   (unsigned long long)t->nr_read, (unsigned long long)t->meta.nr_events);
		return -1;
	}
	return n;
}

/* Who looks ahead meets an error first, and asks again when it gets there: the same one comes. */
int trace_next(struct trace *t, const struct trace_event **batch, struct trace_error *err)
{
	int n = -1;

	if (t->failure.text[0] == '\0') {
		n = read_events(t, batch, err);
		if (n < 0)
			t->failure = *err;
	} else {
		*err = t->failure;
	}
	return n;
}

bool trace_rewind(struct trace *t, struct trace_error *err)
{
	t->nr_read = 0;
	t->failure.text[0] = '\0';
	return t->ops->rewind(t, err);
}

void trace_close(struct trace *t)
{
	if (t == NULL)
		return;
	if (t->container != NULL)
		t->ops->close(t);
	for (int i = 0; i < 2; i++) {
		snapshot_free(t->snapshot[i]);
		free(t->words[i].words);
		free(t->words[i].file);
	}
	for (size_t i = 0; i < t->nr_strings; i++)
		free(t->strings[i]);
	free(t);
}

const char *trace_event_name(unsigned int type)
{
	static const char *const names[TRACE_NR_TYPES] = {
		"other", "mm_page_alloc", "mm_page_free", "mm_page_free_batched",
		"mm_page_alloc_zone_locked", "mm_page_pcpu_drain", "mm_page_alloc_extfrag",
		"snapshot", "bulk_begin", "bulk_page", "bulk_end", "isolate_free", "putback",
		"set_block_type", "move_free", "request", "kswapd", "pcp_drain_remote",
		"buddy_free", "compaction_rotate", "pcp_pop", "pcp_refill", "pcp_push",
		"pcp_overflow", "capture", "isolate_block", "isolate_bit", "claim", "zone_walk",
		"pcp_limits", "watermarks", "counters_folded",
	};

	return type < TRACE_NR_TYPES ? names[type] : "unknown";
}
