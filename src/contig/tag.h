/* SPDX-License-Identifier: MIT */
/* What owners say of their blocks (include/pagus/owner.h). */
#ifndef PG_CONTIG_TAG_H
#define PG_CONTIG_TAG_H

#include "watch/event.h"

enum pagus_status pg_tag_set(struct pagus_state *st, pagus_pfn_t pfn, uint32_t order, uint32_t tag);
enum pagus_status pg_tag_get(const struct pagus_state *st, pagus_pfn_t pfn, uint32_t order,
			     uint32_t *tag);
enum pagus_status pg_movable_set(struct pg_call *c, pagus_pfn_t pfn, uint32_t order, bool movable);

#endif
