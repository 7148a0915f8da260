/* SPDX-License-Identifier: MIT */
#include <pagus/explain.h>

#include "alloc/slow.h"
#include "place/place.h"

enum pagus_status pagus_weigh(const struct pagus *p, uint32_t zone, uint32_t order, uint32_t highest,
			      uint32_t flags, struct pagus_weight *weight)
{
	const struct pagus_state *st = p->state;
	const struct pg_zone *z;
	struct pg_weight w;
	uint64_t mark;
	int64_t seen;

	if (zone >= st->nr_zones || order > st->max_order || highest >= PAGUS_NR_ZONE_TYPES)
		return PAGUS_BAD_VALUE;
	z = pg_zone(st, zone);
	mark = pg_mark(z, flags & PG_ALLOC_WMARK_MASK);
	seen = z->free_pages - z->unfolded;
	w = pg_watermark_weigh(st, z, order, mark, highest, flags, seen > 0 ? seen : 0);
	*weight = (struct pagus_weight){
		.free = w.free, .unusable = w.unusable, .mark = (int64_t)mark, .min = w.min,
		.reserve = w.reserve,
	};
	return PAGUS_OK;
}

const char *pagus_pass_name(const struct pagus *p, uint32_t row, const char **why)
{
	return pg_pass_name(p->state, row, why);
}

const char *pagus_slow_row_name(uint32_t row)
{
	return row < pg_nr_slow_rows ? pg_slow_rows[row].name : NULL;
}

static const struct {
	uint32_t bit;
	const char *name;
} flag_names[] = {
	{ PG_ALLOC_NO_WATERMARKS, "NO_WATERMARKS" }, { PG_ALLOC_OOM, "OOM" },
	{ PG_ALLOC_NON_BLOCK, "NON_BLOCK" }, { PG_ALLOC_MIN_RESERVE, "MIN_RESERVE" },
	{ PG_ALLOC_CPUSET, "CPUSET" }, { PG_ALLOC_CMA, "CMA" },
	{ PG_ALLOC_NOFRAGMENT, "NOFRAGMENT" }, { PG_ALLOC_HIGHATOMIC, "HIGHATOMIC" },
	{ PG_ALLOC_TRYLOCK, "TRYLOCK" }, { PG_ALLOC_KSWAPD, "KSWAPD" },
	{ PG_ALLOC_KEEP_CLEAN, "KEEP_CLEAN" }, { PG_ALLOC_KEEP_RESERVE, "KEEP_RESERVE" },
};

static size_t append(char *text, size_t room, size_t at, const char *what)
{
	for (; *what; what++, at++)
		if (at + 1 < room)
			text[at] = *what;
	if (room)
		text[at < room ? at : room - 1] = '\0';
	return at;
}

size_t pagus_alloc_flags_text(uint32_t flags, char *text, size_t room)
{
	static const char *const marks[] = { "WMARK_MIN", "WMARK_LOW", "WMARK_HIGH", "WMARK_PROMO" };
	size_t at = append(text, room, 0, marks[flags & PG_ALLOC_WMARK_MASK]);

	for (size_t n = 0; n < sizeof(flag_names) / sizeof(flag_names[0]); n++) {
		if (!(flags & flag_names[n].bit))
			continue;
		at = append(text, room, at, "|");
		at = append(text, room, at, flag_names[n].name);
	}
	return at;
}
