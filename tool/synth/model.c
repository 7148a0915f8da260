/* SPDX-License-Identifier: MIT */
#include "synth/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB (UINT64_C(1) << 30)

enum unit { BYTES, NUMBER, SHARE };

/* Shares are in thousandths. */
static const struct {
	const char *key, *about;
	size_t offset;
	enum unit unit;
	uint64_t min, max;
} keys[] = {
#define KEY(key, unit, min, max, about) { #key, about, offsetof(struct synth_model, key), unit, min, max },
	SYNTH_KEYS(KEY)
#undef KEY
};
#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct {
	const char *name, *about;
	struct synth_model model;
} models[] = {
	{ "steady", "70 % movable, 10 % that cannot move, 20 % free, all replaced again and again",
	  { .memory = 16 * GIB, .cpus = 4, .seed = 1, .turnover = 2000, .unmovable = 50, .slab = 50,
	    .anon = 700, .orders = 250 } },
	{ "host", "a host that uses nearly all: programs with huge pages, page cache, slabs that swell",
	  { .memory = 256 * GIB, .cpus = 16, .seed = 1, .turnover = 500, .unmovable = 10,
	    .growth = 10, .slab = 20, .storm = 40, .anon = 450, .huge = 600, .cache = 350,
	    .orders = 250 } },
	{ "storm", "slabs swell sevenfold in a third of the time, and go",
	  { .memory = 250 * GIB, .cpus = 16, .seed = 1, .turnover = 200, .unmovable = 4, .slab = 7,
	    .storm = 47, .anon = 400, .huge = 800, .cache = 200, .orders = 250 } },
	{ "growth", "unmovable memory grows from 1 % to 10 % beside programs and page cache",
	  { .memory = 64 * GIB, .cpus = 8, .seed = 1, .turnover = 1000, .unmovable = 10,
	    .growth = 90, .slab = 20, .anon = 400, .huge = 500, .cache = 250, .orders = 250 } },
};
#define NR_MODELS (sizeof(models) / sizeof(models[0]))

const char *synth_model_at(uint32_t n, const char **about)
{
	if (n >= NR_MODELS)
		return NULL;
	*about = models[n].about;
	return models[n].name;
}

const char *synth_key_at(uint32_t n, const char **about)
{
	if (n >= NR_KEYS)
		return NULL;
	*about = keys[n].about;
	return keys[n].key;
}

/* A number, which a suffix or a decimal point may follow as the unit has it. */
static bool parse_value(const char *text, enum unit unit, uint64_t *value)
{
	static const char suffixes[] = "MGT";
	const char *suffix;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (unit == BYTES) {
		suffix = *end ? strchr(suffixes, *end) : NULL;
		if (!suffix || end[1] || *value > UINT64_MAX >> 40)
			return false;
		*value <<= 20 + 10 * (suffix - suffixes);
		return true;
	}
	if (unit == SHARE) {
		if (*value > UINT64_MAX / 10)
			return false;
		*value *= 10;
		if (end[0] == '.' && end[1] >= '0' && end[1] <= '9') {
			*value += (uint64_t)(end[1] - '0');
			end += 2;
		}
	}
	return *end == '\0';
}

static bool set_key(struct synth_model *model, char *text, char *why, size_t room)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	for (size_t n = 0; n < NR_KEYS; n++) {
		uint64_t *field = (uint64_t *)((char *)model + keys[n].offset);

		if (strcmp(keys[n].key, text) != 0)
			continue;
		if (value && parse_value(value, keys[n].unit, field) && *field >= keys[n].min &&
		    *field <= keys[n].max)
			return true;
		snprintf(why, room, "%s=%s: %s", text, value ? value : "", keys[n].about);
		return false;
	}
	snprintf(why, room, "no key \"%s\"", text);
	return false;
}

/* All that may be in use at one time fits, with something left to work with. */
static bool fits(const struct synth_model *m)
{
	uint64_t slab = m->slab > m->storm ? m->slab : m->storm;

	return m->unmovable + m->growth + slab + m->anon + m->cache <= 970;
}

bool synth_parse(const char *text, struct synth_model *model, char *why, size_t room)
{
	char copy[sizeof(model->text)], *next, *name = copy;
	size_t n;

	if (strlen(text) >= sizeof(copy)) {
		snprintf(why, room, "longer than %zu characters", sizeof(copy) - 1);
		return false;
	}
	strcpy(copy, text);
	next = strchr(copy, ',');
	if (next)
		*next++ = '\0';
	for (n = 0; n < NR_MODELS && strcmp(models[n].name, name) != 0; n++)
		;
	if (n == NR_MODELS) {
		snprintf(why, room, "no model \"%s\"; pagus synth lists them", name);
		return false;
	}
	*model = models[n].model;
	strcpy(model->text, text);
	while (next) {
		char *key = next;

		next = strchr(key, ',');
		if (next)
			*next++ = '\0';
		if (!set_key(model, key, why, room))
			return false;
	}
	if (fits(model))
		return true;
	snprintf(why, room, "more than 97 %% of memory in use at one time");
	return false;
}
