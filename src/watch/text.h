/* SPDX-License-Identifier: MIT */
/*
 * What the writers of texts share: putting characters and numbers into a sink, releases as numbers
 * that can be compared, and the zones that the kernel would list.
 */
#ifndef PG_WATCH_TEXT_H
#define PG_WATCH_TEXT_H

#include <pagus/text.h>

#include "mem/state.h"

/* ---- text.c: the sink ------------------------------------------------------------------------ */

void pg_put(struct pagus_text *t, const char *text);
/* At least `width` columns: text at their right end, and at their left end. */
void pg_put_right(struct pagus_text *t, const char *text, uint32_t width);
void pg_put_left(struct pagus_text *t, const char *text, uint32_t width);
/* Decimal, at least `width` columns, at their right end. */
void pg_put_number(struct pagus_text *t, uint64_t value, uint32_t width);
/* Hexadecimal, lower case, zeros in front up to `digits`; no 0x. */
void pg_put_hex(struct pagus_text *t, uint64_t value, uint32_t digits);
/* A text, a number and a text. */
void pg_put_pair(struct pagus_text *t, const char *before, uint64_t value, const char *after);

bool pg_text_equal(const char *a, const char *b);

/* ---- releases -------------------------------------------------------------------------------- */

/* A kernel release as a number. Rows of tables say from which on they hold, and before which. */
#define PG_KERNEL(major, minor) ((major) << 8 | (minor))

struct pg_span {
	uint16_t from, until; /* PG_KERNEL; until 0: to this day */
};

/* The release whose texts the state prints: its release's name, read as a number. */
uint32_t pg_text_kernel(const struct pagus_state *st);

static inline bool pg_span_has(struct pg_span span, uint32_t kernel)
{
	return kernel >= span.from && (!span.until || kernel < span.until);
}

/* ---- what the kernel lists ------------------------------------------------------------------- */

/*
 * The kernel's zones are the zone types of pagus.h and then Device, which never holds memory that
 * an allocator could give.
 */
#define PG_TEXT_DEVICE PAGUS_NR_ZONE_TYPES
#define PG_TEXT_ZONES  (PAGUS_NR_ZONE_TYPES + 1)

static inline bool pg_text_lists_zone(const struct pagus_state *st, uint32_t type)
{
	return type == PG_TEXT_DEVICE || (st->zone_types >> type & 1);
}

const char *pg_text_zone_name(uint32_t type);

/* What is kept from a type's requests; Device lies above all, so it is treated as the highest. */
static inline uint64_t pg_text_lowmem_reserve(const struct pg_zone *z, uint32_t type)
{
	return z->lowmem_reserve[type == PG_TEXT_DEVICE ? PAGUS_NR_ZONE_TYPES - 1 : type];
}

/* Does the release have the migratetype? */
bool pg_text_lists_type(const struct pagus_state *st, uint32_t type);

/* Free pages as the kernel's counter shows them: without what CPUs have not folded in. */
static inline uint64_t pg_text_free_pages(const struct pg_zone *z)
{
	return z->free_pages > z->unfolded ? (uint64_t)(z->free_pages - z->unfolded) : 0;
}

/*
 * Pageblocks by migratetype. As the kernel samples them: every pageblock's worth of pages from the
 * start of the zone, where the page there is the zone's.
 */
void pg_text_count_blocks(const struct pagus_state *st, const struct pg_zone *z,
			  uint64_t *nr_blocks);

/* Pages of the zone's CMA pageblocks, whether they are isolated at the moment or not. */
uint64_t pg_text_cma_pages(const struct pagus_state *st, const struct pg_zone *z);

#endif
