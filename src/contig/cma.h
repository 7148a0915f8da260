/* SPDX-License-Identifier: MIT */
/*
 * CMA areas. What is declared is fixed from then on, and needs no lock; who of several allocates
 * from an area is settled by one word, `busy`, because owners are called meanwhile, with no lock
 * held. That one sets bits; whoever releases clears them when the pages are free.
 */
#ifndef PG_CONTIG_CMA_H
#define PG_CONTIG_CMA_H

#include "mem/area.h"
#include "watch/event.h"

/* What the public calls do. */
enum pagus_status pg_cma_declare(struct pagus_state *st,
				 const struct pagus_cma_declaration *declaration, uint32_t *area);
enum pagus_status pg_cma_reserve_early(struct pagus_state *st, uint32_t area, uint64_t nr_pages,
				       pagus_pfn_t *pfn);
enum pagus_status pg_cma_alloc(struct pg_call *c, uint32_t area, uint64_t nr_pages,
			       uint32_t align_order, uint32_t gfp,
			       const struct pagus_cancel *cancel, pagus_pfn_t *pfn);
enum pagus_status pg_cma_release(struct pg_call *c, uint32_t area, pagus_pfn_t pfn,
				 uint64_t nr_pages);

/* Boot ends: areas that lie as they should become active, the others are dropped. */
void pg_cma_activate(struct pg_call *c);

#endif
