/* SPDX-License-Identifier: MIT */
#include "replay/shadow.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ORDER 10

bool shadow_init(struct shadow *s, uint64_t first_pfn, uint64_t end_pfn)
{
	s->first_pfn = first_pfn;
	s->nr_pages = end_pfn - first_pfn;
	s->theirs = NULL;
	s->ours = malloc(s->nr_pages * sizeof(*s->ours));
	s->what = calloc(s->nr_pages, 1);
	if (!s->ours || !s->what) {
		shadow_fini(s);
		return false;
	}
	/* All ones is SHADOW_NONE. */
	memset(s->ours, 0xff, s->nr_pages * sizeof(*s->ours));
	return true;
}

void shadow_fini(struct shadow *s)
{
	free(s->ours);
	free(s->what);
	free(s->theirs);
	*s = (struct shadow){ 0 };
}

bool shadow_keep_theirs(struct shadow *s)
{
	s->theirs = malloc(s->nr_pages * sizeof(*s->theirs));
	if (!s->theirs)
		return false;
	memset(s->theirs, 0xff, s->nr_pages * sizeof(*s->theirs));
	for (uint64_t n = 0; n < s->nr_pages; n++)
		if (s->ours[n] < SHADOW_TAKEN)
			s->theirs[s->ours[n] - s->first_pfn] = (uint32_t)(s->first_pfn + n);
	return true;
}

struct shadow_entry shadow_find(const struct shadow *s, uint64_t pfn, uint64_t *head)
{
	for (unsigned order = 0; order <= MAX_ORDER; order++) {
		uint64_t first = pfn & ~((UINT64_C(1) << order) - 1);
		struct shadow_entry e = shadow_get(s, first);

		if (e.ours != SHADOW_NONE && e.order >= order) {
			*head = first;
			return e;
		}
	}
	*head = pfn;
	return (struct shadow_entry){ .ours = SHADOW_NONE };
}
