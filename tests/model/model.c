/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include <string.h>

static uint32_t zone_type(const struct pagus_config *cfg, const struct pagus_range *range,
			  uint64_t pfn)
{
	if (range->zone != PAGUS_ZONE_BY_CEILING)
		return range->zone;
	if (pfn < cfg->dma_ceiling)
		return PAGUS_ZONE_DMA;
	if (pfn < cfg->dma32_ceiling)
		return PAGUS_ZONE_DMA32;
	return pfn < cfg->normal_ceiling || !cfg->normal_ceiling ? PAGUS_ZONE_NORMAL :
								   PAGUS_ZONE_HIGHMEM;
}

void model_init(struct model *m, const struct pagus_config *cfg)
{
	memset(m, 0, sizeof(*m));
	m->cfg = cfg;
	for (uint32_t r = 0; r < cfg->nr_ranges; r++) {
		const struct pagus_range *range = &cfg->ranges[r];

		for (uint64_t k = 0, pfn; k < range->nr_pages; k++) {
			pfn = range->start_pfn + k;
			m->owner[pfn] = MODEL_RESERVED;
			m->zone[pfn] = (uint8_t)(range->node * 8 + zone_type(cfg, range, pfn));
		}
	}
}

static void set_owner(struct model *m, uint64_t pfn, uint64_t nr, uint32_t owner)
{
	for (uint64_t k = 0; k < nr; k++)
		m->owner[pfn + k] = owner;
}

void model_hand_over(struct model *m, uint64_t start, uint64_t nr)
{
	set_owner(m, start, nr, MODEL_FREE);
}

/* An aligned block, wholly free, in one zone. */
static bool is_free_block(const struct model *m, uint64_t pfn, uint32_t order)
{
	uint64_t size = UINT64_C(1) << order, k = 0;

	if (pfn % size || pfn >= MODEL_PAGES)
		return false;
	while (k < size && m->owner[pfn + k] == MODEL_FREE && m->zone[pfn + k] == m->zone[pfn])
		k++;
	return k == size;
}

static uint32_t highest_zone(const struct pagus_config *cfg, uint32_t gfp)
{
	if ((gfp & __GFP_HIGHMEM) && (gfp & __GFP_MOVABLE))
		return PAGUS_ZONE_MOVABLE;
	if ((gfp & __GFP_HIGHMEM) && cfg->normal_ceiling)
		return PAGUS_ZONE_HIGHMEM;
	if ((gfp & __GFP_DMA32) && cfg->dma32_ceiling)
		return PAGUS_ZONE_DMA32;
	return (gfp & __GFP_DMA) && cfg->dma_ceiling ? PAGUS_ZONE_DMA : PAGUS_ZONE_NORMAL;
}

/* Who may use the reserves and cannot wait goes to any node in the end. */
static bool mask_binds(const struct pagus_request *req)
{
	return req->nodemask && (!(req->gfp & __GFP_HIGH) || (req->gfp & __GFP_DIRECT_RECLAIM));
}

static bool zone_allowed(const struct model *m, const struct pagus_request *req, uint32_t node,
			 uint64_t pfn)
{
	uint32_t on = m->zone[pfn] / 8, type = m->zone[pfn] % 8;

	return type <= highest_zone(m->cfg, req->gfp) &&
	       (!mask_binds(req) || (req->nodemask >> on & 1)) &&
	       (!(req->gfp & __GFP_THISNODE) || on == node);
}

const char *model_alloc(struct model *m, const struct pagus_request *req, uint32_t node,
			uint64_t pfn)
{
	if (!is_free_block(m, pfn, req->order))
		return "granted block is not memory, not aligned, not free, or in two zones";
	if (!zone_allowed(m, req, node, pfn))
		return "granted block lies in a zone that the request may not use";
	set_owner(m, pfn, UINT64_C(1) << req->order, (uint32_t)pfn * 16 + req->order + MODEL_HELD);
	return NULL;
}

bool model_could_serve(const struct model *m, const struct pagus_request *req, uint32_t node)
{
	for (uint64_t pfn = 0; pfn < MODEL_PAGES; pfn += UINT64_C(1) << req->order)
		if (is_free_block(m, pfn, req->order) && zone_allowed(m, req, node, pfn))
			return true;
	return false;
}

static enum pagus_status why_not_held(const struct model *m, uint64_t pfn, uint32_t order)
{
	if (order > m->cfg->max_order)
		return PAGUS_BAD_ORDER;
	if (pfn >= MODEL_PAGES || m->owner[pfn] == MODEL_HOLE)
		return PAGUS_BAD_RANGE;
	if (pfn % (UINT64_C(1) << order))
		return PAGUS_BAD_ALIGN;
	if (m->owner[pfn] < MODEL_HELD)
		return m->owner[pfn] == MODEL_FREE ? PAGUS_DOUBLE_FREE : PAGUS_NOT_ALLOCATED;
	if ((m->owner[pfn] - MODEL_HELD) / 16 != pfn)
		return PAGUS_NOT_ALLOCATED;
	return (m->owner[pfn] - MODEL_HELD) % 16 == order ? PAGUS_OK : PAGUS_WRONG_ORDER;
}

enum pagus_status model_free(struct model *m, uint64_t pfn, uint32_t order)
{
	enum pagus_status status = why_not_held(m, pfn, order);

	if (status == PAGUS_OK)
		set_owner(m, pfn, UINT64_C(1) << order, MODEL_FREE);
	return status;
}

enum pagus_status model_split(struct model *m, uint64_t pfn, uint32_t order, uint32_t to)
{
	enum pagus_status status = why_not_held(m, pfn, order);

	if (status != PAGUS_OK || to > order)
		return status == PAGUS_OK ? PAGUS_BAD_ORDER : status;
	for (uint64_t at = pfn; at < pfn + (UINT64_C(1) << order); at += UINT64_C(1) << to)
		set_owner(m, at, UINT64_C(1) << to, (uint32_t)at * 16 + to + MODEL_HELD);
	return PAGUS_OK;
}

uint64_t model_free_pages(const struct model *m, uint32_t node, uint32_t type)
{
	uint64_t nr = 0;

	for (uint64_t pfn = 0; pfn < MODEL_PAGES; pfn++)
		nr += m->owner[pfn] == MODEL_FREE && m->zone[pfn] == node * 8 + type;
	return nr;
}

uint64_t model_merged_blocks(const struct model *m, uint32_t node, uint32_t type, uint32_t order)
{
	uint64_t size = UINT64_C(1) << order, nr = 0;

	for (uint64_t pfn = 0; pfn < MODEL_PAGES; pfn += size)
		nr += m->zone[pfn] == node * 8 + type && is_free_block(m, pfn, order) &&
		      (order == m->cfg->max_order || !is_free_block(m, pfn & ~size, order + 1));
	return nr;
}
