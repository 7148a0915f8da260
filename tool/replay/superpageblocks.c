/* SPDX-License-Identifier: MIT */
#include "replay/superpageblocks.h"

#include <stdlib.h>

#define HUGE_ORDER 9 /* pages of this order are looked at as one where memory is told from holes */

static uint32_t zone_of(const struct machine *m, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	return pagus_page_info(&m->pagus, pfn, &info) == PAGUS_OK ? info.zone : UINT32_MAX;
}

/* Memory begins and ends with pageblocks but at the ends of zones: first and last pages tell. */
static bool is_whole(const struct superpageblocks *s, const struct machine *m, uint32_t n)
{
	pagus_pfn_t start = s->first_pfn + ((uint64_t)n << s->order);
	uint32_t zone = zone_of(m, start), step = 1u << HUGE_ORDER;

	for (pagus_pfn_t pfn = start; pfn < start + (UINT64_C(1) << s->order); pfn += step)
		if (zone == UINT32_MAX || zone_of(m, pfn) != zone ||
		    zone_of(m, pfn + step - 1) != zone)
			return false;
	return true;
}

bool superpageblocks_init(struct superpageblocks *s, const struct machine *m)
{
	*s = (struct superpageblocks){ .order = m->superpageblock_order };
	s->first_pfn = m->first_pfn >> s->order << s->order;
	s->nr = (uint32_t)((m->end_pfn - s->first_pfn + (UINT64_C(1) << s->order) - 1) >> s->order);
	s->in_use = calloc(s->nr, sizeof(*s->in_use));
	s->is_whole = calloc(s->nr, 1);
	if (!s->in_use || !s->is_whole) {
		superpageblocks_fini(s);
		return false;
	}
	for (uint32_t n = 0; n < s->nr; n++) {
		s->is_whole[n] = is_whole(s, m, n);
		s->nr_empty += s->is_whole[n];
	}
	return true;
}

void superpageblocks_fini(struct superpageblocks *s)
{
	free(s->in_use);
	free(s->is_whole);
	*s = (struct superpageblocks){ 0 };
}

static bool is_empty(const struct superpageblocks *s, uint32_t n)
{
	return s->is_whole[n] && s->in_use[n][0] == 0 && s->in_use[n][1] == 0;
}

void superpageblocks_change(struct superpageblocks *s, pagus_pfn_t pfn, uint32_t order, uint32_t type,
			    int sign)
{
	uint32_t n = (uint32_t)((pfn - s->first_pfn) >> s->order), pages = 1u << order;
	bool kernel = type != PAGUS_MOVABLE, tainted = s->in_use[n][0], empty = is_empty(s, n);

	s->in_use[n][!kernel] += sign > 0 ? pages : 0u - pages;
	s->used_pages += sign > 0 ? pages : UINT64_C(0) - pages;
	if (kernel)
		s->kernel_pages += sign > 0 ? pages : UINT64_C(0) - pages;
	s->nr_empty += (uint64_t)is_empty(s, n) - empty;
	s->nr_tainted += (uint64_t)(s->in_use[n][0] > 0) - tainted;
	s->nr_taints += s->in_use[n][0] > 0 && !tainted;
	if (s->nr_tainted > s->peak_tainted)
		s->peak_tainted = s->nr_tainted;
	if (s->kernel_pages > s->peak_kernel_pages)
		s->peak_kernel_pages = s->kernel_pages;
}

uint64_t superpageblocks_bound(const struct superpageblocks *s)
{
	return (s->peak_kernel_pages + (UINT64_C(1) << s->order) - 1) >> s->order;
}

/* What no request of the kind may have: the min marks, and what tainted ones keep. */
static uint64_t kept_pages(const struct machine *m)
{
	uint64_t kept = 0;

	for (uint32_t id = 0; id < pagus_nr_zones(&m->pagus); id++) {
		struct pagus_superpageblock_info info;
		struct pagus_zone_info z;

		pagus_zone_info(&m->pagus, id, &z);
		kept += z.wmark[PAGUS_WMARK_MIN];
		for (uint32_t n = 0; pagus_superpageblock_info(&m->pagus, id, n, &info) == PAGUS_OK; n++)
			if (info.tainted)
				kept += info.free_pages < info.reserve_pages ? info.free_pages :
									       info.reserve_pages;
	}
	return kept;
}

uint64_t superpageblocks_obtainable(const struct superpageblocks *s, const struct machine *m)
{
	uint64_t clean = 0, managed = 0, kept = kept_pages(m), fill;

	for (uint32_t n = 0; n < s->nr; n++)
		clean += s->is_whole[n] && s->in_use[n][0] == 0;
	for (uint32_t id = 0; id < pagus_nr_zones(&m->pagus); id++) {
		struct pagus_zone_info z;

		pagus_zone_info(&m->pagus, id, &z);
		managed += z.managed;
	}
	if (managed < s->used_pages + kept)
		return 0;
	fill = (managed - s->used_pages - kept) >> s->order;
	return clean < fill ? clean : fill;
}
