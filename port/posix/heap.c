/* SPDX-License-Identifier: MIT */
/* Blocks by address. */
#include "posix.h"

void *pagus_posix_get(struct pagus_posix *x, uint32_t gfp, uint32_t order)
{
	pagus_pfn_t pfn;

	if (px_unlikely(x->foreign) || pagus_alloc_pages(&x->p, gfp, order, &pfn) != PAGUS_OK)
		return NULL;
	return x->base + (pfn << PX_PAGE_BITS);
}

enum pagus_status pagus_posix_put(struct pagus_posix *x, void *address, uint32_t order)
{
	pagus_pfn_t pfn = pagus_posix_pfn(x, address);

	if (px_unlikely(x->foreign))
		return PAGUS_BUSY;
	if (pfn == PAGUS_NO_PFN)
		return PAGUS_BAD_RANGE;
	if ((uintptr_t)address % PX_PAGE_BYTES)
		return PAGUS_BAD_ALIGN;
	return pagus_free_pages(&x->p, pfn, order);
}
