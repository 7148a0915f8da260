/* SPDX-License-Identifier: MIT */
/* Blocks by address. */
#include "gate.h"

#include <pagus/loan.h>

#include "cs.h"

/* May pages be borrowed for this request? A listener is told of every page. */
static inline bool is_hot(const struct pagus_posix *x, uint32_t gfp, uint32_t order)
{
	return x->hot && order == 0 && px_hot_serves(gfp) && !x->p.listener_mask;
}

void *pagus_posix_get(struct pagus_posix *x, uint32_t gfp, uint32_t order)
{
	pagus_pfn_t pfn;
	void *page;

	if (px_unlikely(x->foreign))
		return NULL;
	if (is_hot(x, gfp, order)) {
		page = px_cs_take(x->hot, x->nr_cpus, px_hot_type(gfp));
		if (page)
			return page;
	}
	if (pagus_alloc_pages(&x->p, gfp, order, &pfn) != PAGUS_OK)
		return NULL;
	if (is_hot(x, gfp, order))
		px_hot_missed(x, pfn, gfp);
	return x->base + (pfn << PX_PAGE_BITS);
}

static enum pagus_status free_single(struct pagus_posix *x, pagus_pfn_t pfn)
{
	enum pagus_status status;

	px_gate_enter();
	status = pagus_loan_free(&x->p, pfn);
	px_gate_leave();
	if (status == PAGUS_OK)
		px_hot_put_missed(x, pfn);
	return status;
}

enum pagus_status pagus_posix_put(struct pagus_posix *x, void *address, uint32_t order)
{
	pagus_pfn_t pfn;

	if (px_unlikely(x->foreign))
		return PAGUS_BUSY;
	if (is_hot(x, 0, order) && (uintptr_t)address % PX_PAGE_BYTES == 0 &&
	    px_cs_put(x->hot, x->nr_cpus, address))
		return PAGUS_OK;
	pfn = pagus_posix_pfn(x, address);
	if (pfn == PAGUS_NO_PFN)
		return PAGUS_BAD_RANGE;
	if ((uintptr_t)address % PX_PAGE_BYTES)
		return PAGUS_BAD_ALIGN;
	if (is_hot(x, 0, order))
		return free_single(x, pfn);
	return pagus_free_pages(&x->p, pfn, order);
}
