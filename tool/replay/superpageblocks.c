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
	s->held = calloc(s->nr, sizeof(*s->held));
	s->is_whole = calloc(s->nr, 1);
	if (!s->in_use || !s->held || !s->is_whole) {
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
	free(s->held);
	free(s->is_whole);
	*s = (struct superpageblocks){ 0 };
}

static bool is_empty(const struct superpageblocks *s, uint32_t n)
{
	return s->is_whole[n] && s->in_use[n][0] == 0 && s->in_use[n][1] == 0;
}

static enum superpageblocks_cause cause(const struct superpageblocks *s, uint32_t order, uint32_t type)
{
	if (!s->started)
		return SUPERPAGEBLOCKS_BY_start;
	if (type == PAGUS_RECLAIMABLE)
		return order ? SUPERPAGEBLOCKS_BY_reclaimable_higher_order :
			       SUPERPAGEBLOCKS_BY_reclaimable;
	return order ? SUPERPAGEBLOCKS_BY_unmovable_higher_order : SUPERPAGEBLOCKS_BY_unmovable;
}

static uint64_t add(uint64_t sum, uint64_t pages, int sign)
{
	return sign > 0 ? sum + pages : sum - pages;
}

/* Superpageblocks that the block has a part in; of each, so many pages. */
static uint32_t parts(const struct superpageblocks *s, uint32_t order, uint32_t *pages)
{
	*pages = 1u << (order < s->order ? order : s->order);
	return order > s->order ? 1u << (order - s->order) : 1;
}

void superpageblocks_change(struct superpageblocks *s, pagus_pfn_t pfn, uint32_t order, uint32_t type,
			    int sign)
{
	const uint32_t first = (uint32_t)((pfn - s->first_pfn) >> s->order);
	const bool kernel = type != PAGUS_MOVABLE;
	uint32_t pages, nr = parts(s, order, &pages);

	for (uint32_t n = first; n < first + nr; n++) {
		bool tainted = s->in_use[n][0], empty = is_empty(s, n);

		s->in_use[n][!kernel] = (uint32_t)add(s->in_use[n][!kernel], pages, sign);
		s->nr_empty += (uint64_t)is_empty(s, n) - empty;
		s->nr_tainted += (uint64_t)(s->in_use[n][0] > 0) - tainted;
		s->taints[cause(s, order, type)] += s->in_use[n][0] > 0 && !tainted;
	}
	s->used_pages = add(s->used_pages, UINT64_C(1) << order, sign);
	if (kernel)
		s->kernel_pages = add(s->kernel_pages, UINT64_C(1) << order, sign);
	if (s->nr_tainted > s->peak_tainted)
		s->peak_tainted = s->nr_tainted;
	if (s->kernel_pages > s->peak_kernel_pages)
		s->peak_kernel_pages = s->kernel_pages;
}

void superpageblocks_hold(struct superpageblocks *s, pagus_pfn_t pfn, uint32_t order, int sign)
{
	const uint32_t first = (uint32_t)((pfn - s->first_pfn) >> s->order);
	uint32_t pages, nr = parts(s, order, &pages);

	for (uint32_t n = first; n < first + nr; n++)
		s->held[n] = (uint32_t)add(s->held[n], pages, sign);
}

uint64_t superpageblocks_taints(const struct superpageblocks *s)
{
	uint64_t sum = 0;

	for (uint32_t by = 0; by < SUPERPAGEBLOCKS_NR_CAUSES; by++)
		sum += s->taints[by];
	return sum;
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

static uint64_t managed_pages(const struct machine *m)
{
	uint64_t managed = 0;

	for (uint32_t id = 0; id < pagus_nr_zones(&m->pagus); id++) {
		struct pagus_zone_info z;

		pagus_zone_info(&m->pagus, id, &z);
		managed += z.managed;
	}
	return managed;
}

/* What all that may be used would fill. */
static uint64_t fill(const struct superpageblocks *s, const struct machine *m)
{
	uint64_t managed = managed_pages(m), kept = kept_pages(m);

	return managed < s->used_pages + kept ? 0 : (managed - s->used_pages - kept) >> s->order;
}

/* Could it be emptied? */
static bool is_clean(const struct superpageblocks *s, uint32_t n)
{
	return s->is_whole[n] && s->in_use[n][0] == 0 && s->held[n] == 0;
}

uint64_t superpageblocks_obtainable(const struct superpageblocks *s, const struct machine *m)
{
	uint64_t clean = 0, most = fill(s, m);

	for (uint32_t n = 0; n < s->nr; n++)
		clean += is_clean(s, n);
	return clean < most ? clean : most;
}

uint64_t superpageblocks_cost(const struct superpageblocks *s, uint64_t nr)
{
	uint64_t pages = 0, last = 0;

	/* By what is in use, and of equals by number: each is the least behind the one before. */
	for (; nr > 0; nr--) {
		uint64_t least = UINT64_MAX;

		for (uint32_t n = 0; n < s->nr; n++) {
			uint64_t rank = ((uint64_t)s->in_use[n][1] << 32) + n + 1;

			if (is_clean(s, n) && rank > last && rank < least)
				least = rank;
		}
		if (least == UINT64_MAX)
			break;
		last = least;
		pages += least >> 32;
	}
	return pages;
}

uint64_t superpageblocks_upper_bound(const struct superpageblocks *s, const struct machine *m)
{
	const uint64_t most = fill(s, m), size = UINT64_C(1) << s->order;
	uint64_t whole = 0, elsewhere, taken = 0;

	for (uint32_t n = 0; n < s->nr; n++)
		whole += s->is_whole[n] && s->held[n] == 0;
	elsewhere = managed_pages(m) > whole * size ? managed_pages(m) - whole * size : 0;
	if (s->kernel_pages > elsewhere)
		taken = (s->kernel_pages - elsewhere + size - 1) >> s->order;
	whole -= taken < whole ? taken : whole;
	return whole < most ? whole : most;
}
