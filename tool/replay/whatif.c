/* SPDX-License-Identifier: MIT */
#include "replay/whatif.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <pagus/pagus.h>

#define NS_PER_S      UINT64_C(1000000000)
#define MAX_SECONDS   UINT64_C(1000000000)
#define MIN_EVERY_NS  UINT64_C(1000000)
#define MAX_COUNT     1000000
#define DEFAULT_COUNT 1

static const char *const defrags[WHATIF_NR_DEFRAGS] = { "none", "scan", "choice", "evacuate" };

const char *whatif_defrag_name(enum whatif_defrag defrag)
{
	return defrags[defrag];
}

bool whatif_parse_defrag(enum whatif_defrag *defrag, const char *text, char *why, size_t room)
{
	for (uint32_t n = 0; n < WHATIF_NR_DEFRAGS; n++)
		if (strcmp(text, defrags[n]) == 0) {
			*defrag = (enum whatif_defrag)n;
			return true;
		}
	snprintf(why, room, "\"%s\" is no way to move pages; there are none, scan, choice, evacuate", text);
	return false;
}

/* ---- --huge ---------------------------------------------------------------------------------- */

/* One KEY=VALUE, cut out of the list. */
struct item {
	char key[8], value[24];
};

/* The item at *text, which then stands behind it and its comma. False: it is none, or too long. */
static bool next_item(const char **text, struct item *item)
{
	size_t nr = strcspn(*text, ","), key = strcspn(*text, "=,");

	if (key == nr || key >= sizeof(item->key) || nr - key - 1 >= sizeof(item->value))
		return false;
	snprintf(item->key, sizeof(item->key), "%.*s", (int)key, *text);
	snprintf(item->value, sizeof(item->value), "%.*s", (int)(nr - key - 1), *text + key + 1);
	*text += nr;
	return true;
}

/* Digits alone, up to `max`; *end behind them. */
static bool read_digits(const char *text, uint64_t max, uint64_t *value, const char **end)
{
	const char *at = text;

	*value = 0;
	for (; *at >= '0' && *at <= '9'; at++) {
		*value = *value * 10 + (uint64_t)(*at - '0');
		if (*value > max)
			return false;
	}
	*end = at;
	return at > text;
}

static bool read_count(const char *text, uint64_t max, uint64_t *value)
{
	const char *end;

	return read_digits(text, max, value, &end) && *end == '\0';
}

/* Seconds, with up to nine decimals. */
static bool read_seconds(const char *text, uint64_t *ns)
{
	uint64_t whole, unit = NS_PER_S;
	const char *end;

	if (!read_digits(text, MAX_SECONDS, &whole, &end))
		return false;
	*ns = whole * NS_PER_S;
	if (*end == '\0')
		return true;
	if (*end != '.' || end[1] == '\0')
		return false;
	for (end++; *end >= '0' && *end <= '9' && unit > 1; end++) {
		unit /= 10;
		*ns += (uint64_t)(*end - '0') * unit;
	}
	return *end == '\0';
}

enum huge_key { EVERY, ORDER, COUNT, HOLD, NR_KEYS };
static const char *const huge_keys[NR_KEYS] = { "every", "order", "count", "hold" };

static enum huge_key find_key(const char *key)
{
	uint32_t n = 0;

	while (n < NR_KEYS && strcmp(key, huge_keys[n]) != 0)
		n++;
	return (enum huge_key)n;
}

/* NULL, or what the value should be. */
static const char *set_value(struct whatif_huge *huge, enum huge_key key, const char *value)
{
	uint64_t number = 0;

	switch (key) {
	case EVERY:
		if (!read_seconds(value, &huge->every_ns) || huge->every_ns < MIN_EVERY_NS)
			return "a number of seconds from 0.001 to 1000000000";
		return NULL;
	case HOLD:
		if (!read_seconds(value, &huge->hold_ns))
			return "a number of seconds from 0 to 1000000000";
		return NULL;
	case ORDER:
		if (!read_count(value, WHATIF_GIGANTIC_ORDER, &number) ||
		    (number != WHATIF_HUGE_ORDER && number != WHATIF_GIGANTIC_ORDER))
			return "9 or 18";
		huge->order = (uint32_t)number;
		return NULL;
	default:
		if (!read_count(value, MAX_COUNT, &number) || number == 0)
			return "a number from 1 to 1000000";
		huge->count = (uint32_t)number;
		return NULL;
	}
}

bool whatif_parse_huge(struct whatif_huge *huge, const char *text, char *why, size_t room)
{
	struct whatif_huge got = { .order = WHATIF_HUGE_ORDER, .count = DEFAULT_COUNT };
	bool given[NR_KEYS] = { false };
	struct item item;

	for (;; text++) {
		const char *wanted;
		enum huge_key key;

		if (!next_item(&text, &item)) {
			snprintf(why, room, "\"%.40s\" is not KEY=VALUE with a key every, order, "
				 "count or hold", text);
			return false;
		}
		key = find_key(item.key);
		if (key == NR_KEYS || given[key]) {
			snprintf(why, room, key == NR_KEYS ?
				 "no key \"%s\"; there are every, order, count, hold" :
				 "the key \"%s\" is given twice", item.key);
			return false;
		}
		given[key] = true;
		wanted = set_value(&got, key, item.value);
		if (wanted) {
			snprintf(why, room, "%s: \"%s\" is not %s", item.key, item.value, wanted);
			return false;
		}
		if (*text == '\0')
			break;
	}
	if (!given[EVERY]) {
		snprintf(why, room, "every=SECONDS is missing");
		return false;
	}
	if (!given[HOLD])
		got.hold_ns = got.every_ns;
	*huge = got;
	return true;
}

/* ---- --ready --------------------------------------------------------------------------------- */

bool whatif_parse_ready(uint32_t *ready, const char *text, char *why, size_t room)
{
	uint64_t value;

	if (!read_count(text, WHATIF_MAX_READY, &value)) {
		snprintf(why, room, "\"%s\" is not a number from 0 to %d", text, WHATIF_MAX_READY);
		return false;
	}
	*ready = (uint32_t)value;
	return true;
}

/* ---- what goes together ---------------------------------------------------------------------- */

/* The named policies that have superpageblocks, in *text. */
static void list_superpageblocks(char *text, size_t room)
{
	const char *name;
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t n = 0; (name = pagus_policy_at(n, NULL)) && at < room; n++)
		if (pagus_policy_superpageblocks(name))
			at += (size_t)snprintf(text + at, room - at, "%s%s", at ? ", " : "", name);
}

bool whatif_fits(const struct whatif *w, const char *policy, char *why, size_t room)
{
	char names[128];

	if (w->ready && w->defrag != WHATIF_DEFRAG_EVACUATE) {
		snprintf(why, room, "--ready: superpageblocks are emptied with --defrag evacuate alone");
		return false;
	}
	if (w->defrag != WHATIF_DEFRAG_EVACUATE || pagus_policy_superpageblocks(policy))
		return true;
	list_superpageblocks(names, sizeof(names));
	snprintf(why, room, "--defrag evacuate: policy \"%.63s\" has no superpageblocks; of the named "
		 "ones these have: %s", policy, names);
	return false;
}

/* ---- what the machine has -------------------------------------------------------------------- */

/* Pageblocks without a hole, one behind the other, from a multiple of `pages` on. */
static bool has_range(const struct snapshot *snap, const struct snap_zone *z, uint64_t pages)
{
	uint64_t block_pages = UINT64_C(1) << snap->pageblock_order, whole = 0;

	for (uint32_t b = 0; b < z->nr_blocks; b++) {
		uint64_t pfn = z->first_block_pfn + b * block_pages;

		if (pfn % pages == 0)
			whole = 0;
		if (z->block_type[b] == SNAPSHOT_HOLE || pfn < z->start_pfn ||
		    pfn + block_pages > z->start_pfn + z->spanned) {
			whole = 0;
			continue;
		}
		whole += block_pages;
		if ((pfn + block_pages) % pages == 0 && whole == pages)
			return true;
	}
	return false;
}

bool whatif_possible(const struct whatif *w, struct trace *t, struct trace_error *err)
{
	const struct snapshot *snap = trace_start(t);
	uint64_t present = 0;

	if (!w->huge.every_ns || w->huge.order != WHATIF_GIGANTIC_ORDER)
		return true;
	for (uint32_t z = 0; z < snap->nr_zones; z++) {
		const struct snap_zone *zone = &snap->zones[z];

		present += zone->present;
		if (zone->spanned && has_range(snap, zone, UINT64_C(1) << WHATIF_GIGANTIC_ORDER))
			return true;
	}
	snprintf(err->text, sizeof(err->text), "%s: --huge order=18: no zone of the recorded machine "
		 "(%" PRIu64 " MiB) has an aligned range of 2^18 pages without a hole",
		 trace_meta(t)->path, (present << snap->page_shift) >> 20);
	return false;
}
