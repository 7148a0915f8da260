/* SPDX-License-Identifier: MIT */
#ifndef PG_ALLOC_ALLOC_H
#define PG_ALLOC_ALLOC_H

#include "watch/event.h"

/* What pagus_alloc, pagus_free_pages and pagus_split_pages do, inside a call. */
enum pagus_status pg_alloc(struct pg_call *c, const struct pagus_request *req,
			   struct pagus_result *res);
enum pagus_status pg_free(struct pg_call *c, pagus_pfn_t pfn, uint32_t order);
enum pagus_status pg_split(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, uint32_t to);

#endif
