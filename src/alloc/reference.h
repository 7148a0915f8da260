/* SPDX-License-Identifier: MIT */
#ifndef PG_ALLOC_REFERENCE_H
#define PG_ALLOC_REFERENCE_H

#include "alloc/free.h"

/* What pagus_get_page and pagus_put_pages do; what is freed goes to `release`. */
enum pagus_status pg_reference_get(struct pg_call *c, pagus_pfn_t pfn);
enum pagus_status pg_reference_put(struct pg_call *c, pagus_pfn_t pfn, uint32_t order,
				       pg_free_block *release);

#endif
