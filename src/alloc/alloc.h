/* SPDX-License-Identifier: MIT */
#ifndef PG_ALLOC_ALLOC_H
#define PG_ALLOC_ALLOC_H

#include <pagus/mempolicy.h>

#include "watch/event.h"

/* What the public calls of these names do, inside a call. */
enum pagus_status pg_alloc(struct pg_call *c, const struct pagus_request *req,
			   struct pagus_result *res);
enum pagus_status pg_free(struct pg_call *c, pagus_pfn_t pfn, uint32_t order);
uint32_t pg_alloc_bulk(struct pg_call *c, const struct pagus_request *req, uint32_t nr,
		       pagus_pfn_t *pfns);
uint32_t pg_free_bulk(struct pg_call *c, const pagus_pfn_t *pfns, uint32_t nr);
enum pagus_status pg_alloc_exact(struct pg_call *c, uint32_t gfp, uint32_t nr_pages,
				 pagus_pfn_t *pfn);
enum pagus_status pg_free_exact(struct pg_call *c, pagus_pfn_t pfn, uint32_t nr_pages);
enum pagus_status pg_alloc_nolock(struct pg_call *c, const struct pagus_request *req,
				  struct pagus_result *res);
enum pagus_status pg_free_nolock(struct pg_call *c, pagus_pfn_t pfn, uint32_t order);
enum pagus_status pg_alloc_mpol(struct pg_call *c, struct pagus_mempolicy *policy,
				const struct pagus_request *req, struct pagus_result *res);
enum pagus_status pg_split(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, uint32_t to);

#endif
