/* SPDX-License-Identifier: MIT */
/*
 * The shadow: for each page of the recorded machine, which block of the replayed machine stands for
 * it. A live recorded block has an entry at its first page. Where pages move, it is kept the other
 * way round too: for each page of the replayed machine, the recorded block that it stands for.
 */
#ifndef REPLAY_SHADOW_H
#define REPLAY_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#define SHADOW_NONE    UINT32_MAX       /* not in use, or not a first page */
#define SHADOW_REFUSED (UINT32_MAX - 1) /* in use in the recording; the replay found no memory for it */
#define SHADOW_TARGET  (UINT32_MAX - 2) /* held by the recorded kernel's compaction, nothing in it yet */
#define SHADOW_TAKEN   (UINT32_MAX - 3) /* in use in the recording; the replay has reclaimed it, or killed */

struct shadow {
	uint64_t first_pfn, nr_pages;
	uint32_t *ours; /* our pfn, or SHADOW_* */
	uint8_t *what;  /* order, bit 4: inherited, bits 5-6: migratetype of the request, bit 7: isolated */
	uint32_t *theirs; /* by our first page: recorded first pfn, or SHADOW_NONE; NULL: not kept */
};

struct shadow_entry {
	uint32_t ours;
	uint8_t order, type;
	bool inherited;
	bool isolated; /* claimed by the replay's own compaction */
};

bool shadow_init(struct shadow *s, uint64_t first_pfn, uint64_t end_pfn);
void shadow_fini(struct shadow *s);

/* Keep it the other way round as well, from here on. False if there is no memory. */
bool shadow_keep_theirs(struct shadow *s);

/* Does a block of ours stand for it? */
static inline bool shadow_held(struct shadow_entry e)
{
	return e.ours < SHADOW_TAKEN;
}

/* Do all pages of the block lie within the machine? */
static inline bool shadow_covers(const struct shadow *s, uint64_t pfn, uint32_t order)
{
	return pfn >= s->first_pfn && (UINT64_C(1) << order) <= s->nr_pages &&
	       pfn - s->first_pfn <= s->nr_pages - (UINT64_C(1) << order);
}

static inline struct shadow_entry shadow_get(const struct shadow *s, uint64_t pfn)
{
	struct shadow_entry e = { .ours = SHADOW_NONE };
	uint8_t what;

	if (!shadow_covers(s, pfn, 0))
		return e;
	what = s->what[pfn - s->first_pfn];
	e.ours = s->ours[pfn - s->first_pfn];
	e.order = what & 15;
	e.inherited = what >> 4 & 1;
	e.type = what >> 5 & 3;
	e.isolated = what >> 7;
	return e;
}

/* Our block does not stand for `pfn` any more, if it did. */
static inline void shadow_forget(struct shadow *s, uint64_t pfn, uint32_t ours)
{
	if (s->theirs && ours < SHADOW_TAKEN && s->theirs[ours - s->first_pfn] == pfn)
		s->theirs[ours - s->first_pfn] = SHADOW_NONE;
}

static inline void shadow_set(struct shadow *s, uint64_t pfn, struct shadow_entry e)
{
	if (!shadow_covers(s, pfn, 0))
		return;
	shadow_forget(s, pfn, s->ours[pfn - s->first_pfn]);
	s->ours[pfn - s->first_pfn] = e.ours;
	s->what[pfn - s->first_pfn] =
		(uint8_t)(e.order | e.inherited << 4 | e.type << 5 | e.isolated << 7);
	if (s->theirs && shadow_held(e))
		s->theirs[e.ours - s->first_pfn] = (uint32_t)pfn;
}

static inline void shadow_clear(struct shadow *s, uint64_t pfn)
{
	if (!shadow_covers(s, pfn, 0))
		return;
	shadow_forget(s, pfn, s->ours[pfn - s->first_pfn]);
	s->ours[pfn - s->first_pfn] = SHADOW_NONE;
}

/* The recorded first pfn for which our block that begins at `ours` stands, or SHADOW_NONE. */
static inline uint32_t shadow_theirs(const struct shadow *s, uint64_t ours)
{
	return shadow_covers(s, ours, 0) ? s->theirs[ours - s->first_pfn] : SHADOW_NONE;
}

/*
 * The live block that holds `pfn`: its first page in *head. An entry with ours = SHADOW_NONE if
 * there is none.
 */
struct shadow_entry shadow_find(const struct shadow *s, uint64_t pfn, uint64_t *head);

#endif
