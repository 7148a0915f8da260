/* SPDX-License-Identifier: MIT */
/* What is known of a trace besides its events, out of JSON and into it. */
#include "trace/reader.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* Counts of what a recorder lost; each that is not zero makes the trace incomplete. */
static const char *const loss_keys[] = {
	"overrun", "commit_overrun", "dropped", "missed_flag_subbuffers", "probe_nmissed",
};

/* The object's string at `key`, "" where there is none; NULL when out of memory. */
static const char *keep_string(struct trace *t, const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value == NULL ? "" : trace_keep(t, value);
}

static uint64_t get_count(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

/* "7.2" out of "Linux version 7.2.13+deb14-amd64 ..."; "" where there is no such thing. */
static const char *keep_release(struct trace *t, const char *kernel)
{
	static const char prefix[] = "Linux version ";
	char release[16] = "";
	size_t n = 0;
	int dots = 0;

	if (strncmp(kernel, prefix, sizeof(prefix) - 1) != 0)
		return "";
	kernel += sizeof(prefix) - 1;
	while (n < sizeof(release) - 1 && (isdigit((unsigned char)kernel[n]) || kernel[n] == '.')) {
		dots += kernel[n] == '.';
		if (dots == 2)
			break;
		release[n] = kernel[n];
		n++;
	}
	release[n] = '\0';
	return trace_keep(t, release);
}

/* Where a text says which release it is: at its key, or at the kernel's. */
static uint64_t find_release(const char *text, const json_t *object)
{
	bool stated = json_is_string(json_object_get(object, "release"));
	const char *key = strstr(text, stated ? "\"release\"" : "\"kernel\"");

	return key ? (uint64_t)(key - text) : 0;
}

/* The facts that both kinds of object name alike, and the clock, which they do not. */
static void keep_facts(struct trace *t, const json_t *object, const char *clock_key)
{
	t->meta.kernel = keep_string(t, object, "kernel");
	t->meta.release = keep_string(t, object, "release");
	t->meta.workload = keep_string(t, object, "workload");
	t->meta.clock = keep_string(t, object, clock_key);
}

static bool check_kept(const struct trace *t, const char *file, struct trace_error *err)
{
	const struct trace_meta *m = &t->meta;

	if (m->kernel == NULL || m->release == NULL || m->workload == NULL || m->machine == NULL ||
	    m->clock == NULL || m->manifest == NULL || m->release_file == NULL)
		return trace_fail(err, "%s: out of memory", file);
	return true;
}

/* Parse `text`, which lies at `offset` of the file, into an object. */
static json_t *load_object(const char *file, uint64_t offset, const char *text, size_t bytes,
			   struct trace_error *err)
{
	json_error_t json_err;
	json_t *object = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &json_err);

	if (object == NULL) {
		trace_fail(err, "%s: offset %llu: not JSON: %s", file,
			   (unsigned long long)offset + (unsigned long long)json_err.position,
			   json_err.text);
	} else if (!json_is_object(object)) {
		trace_fail(err, "%s: offset %llu: not a JSON object", file,
			   (unsigned long long)offset);
		json_decref(object);
		object = NULL;
	}
	return object;
}

bool trace_meta_from_manifest(struct trace *t, const char *file, const char *text, size_t bytes,
			      struct trace_error *err)
{
	json_t *manifest = load_object(file, 0, text, bytes, err);
	struct trace_meta *m = &t->meta;

	if (manifest == NULL)
		return false;
	keep_facts(t, manifest, "trace_clock");
	m->machine = "";
	m->manifest = trace_keep(t, text);
	m->nr_events = get_count(manifest, "events");
	m->lost_events = 0;
	for (size_t i = 0; i < sizeof(loss_keys) / sizeof(loss_keys[0]); i++)
		m->lost_events += get_count(json_object_get(manifest, "loss"), loss_keys[i]);
	if (m->kernel != NULL && m->release != NULL && m->release[0] == '\0')
		m->release = keep_release(t, m->kernel);
	m->release_file = trace_keep(t, file);
	m->release_offset = find_release(text, manifest);
	json_decref(manifest);
	return check_kept(t, file, err);
}

bool trace_meta_from_facts(struct trace *t, const char *file, uint64_t offset, const char *text,
			   size_t bytes, struct trace_error *err)
{
	json_t *facts = load_object(file, offset, text, bytes, err);
	struct trace_meta *m = &t->meta;

	if (facts == NULL)
		return false;
	keep_facts(t, facts, "clock");
	m->machine = keep_string(t, facts, "machine");
	m->manifest = keep_string(t, facts, "manifest");
	m->lost_events = get_count(facts, "lost_events");
	m->span_ns = get_count(facts, "span_ns");
	m->release_file = m->path;
	m->release_offset = offset;
	json_decref(facts);
	return check_kept(t, file, err);
}

char *trace_meta_facts(const struct trace_meta *meta)
{
	json_t *facts = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s}",
				  "kernel", meta->kernel, "release", meta->release,
				  "workload", meta->workload, "machine", meta->machine,
				  "clock", meta->clock,
				  "lost_events", (json_int_t)meta->lost_events,
				  "span_ns", (json_int_t)meta->span_ns,
				  "manifest", meta->manifest);
	char *text = json_dumps(facts, JSON_INDENT(1));

	json_decref(facts);
	return text;
}
