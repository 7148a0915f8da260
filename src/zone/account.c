/* SPDX-License-Identifier: MIT */
#include "zone/zone.h"

void pg_account(struct pg_zone *z, int64_t pages, uint32_t type)
{
	if (type == PAGUS_ISOLATE)
		return;
	z->free_pages += pages;
	if (type == PAGUS_CMA)
		z->free_cma += pages;
	else if (type == PAGUS_HIGHATOMIC)
		z->free_highatomic += pages;
}
