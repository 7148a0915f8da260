/* SPDX-License-Identifier: MIT */
#include "contig/tag.h"

#include "alloc/free.h"
#include "pcp/maps.h"
#include "zone/zone.h"

/* The block in use of just this order, with whatever references. */
static enum pagus_status find_block(const struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
				    uint32_t *i)
{
	enum pagus_status status = pg_free_check(st, pfn, order, i);

	if (status == PAGUS_BUSY)
		return PAGUS_OK;
	if (status == PAGUS_OK && pg_view(st, *i).kind == PAGUS_PAGE_INHERITED)
		return PAGUS_NOT_ALLOCATED;
	return status;
}

enum pagus_status pg_tag_set(struct pagus_state *st, pagus_pfn_t pfn, uint32_t order, uint32_t tag)
{
	uint32_t i;
	enum pagus_status status = find_block(st, pfn, order, &i);

	if (status != PAGUS_OK)
		return status;
	if (pg_mapped(st))
		return PAGUS_UNSUPPORTED;
	pg_page(st, i)->tag = tag;
	return PAGUS_OK;
}

enum pagus_status pg_tag_get(const struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
			     uint32_t *tag)
{
	uint32_t i;
	enum pagus_status status = find_block(st, pfn, order, &i);

	if (status != PAGUS_OK)
		return status;
	if (pg_mapped(st))
		return PAGUS_UNSUPPORTED;
	*tag = pg_page(st, i)->tag;
	return PAGUS_OK;
}

enum pagus_status pg_movable_set(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, bool movable)
{
	uint32_t i, type = pg_effective_type(c->st, movable ? PAGUS_MOVABLE : PAGUS_UNMOVABLE);
	enum pagus_status status = find_block(c->st, pfn, order, &i);

	if (status != PAGUS_OK)
		return status;
	if (pg_mapped(c->st))
		pg_maps_set_type(c, i, type);
	else
		pg_page_set_type(pg_page(c->st, i), type);
	return PAGUS_OK;
}
