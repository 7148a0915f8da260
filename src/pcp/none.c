/* SPDX-License-Identifier: MIT */
/* No per-CPU lists: every request and every free takes the zone lock. */
#include "pcp/pcp.h"

static uint32_t orders(uint32_t pageblock_order, uint32_t max_order)
{
	(void)pageblock_order;
	(void)max_order;
	return 0;
}

const struct pg_pcp_ops pg_pcp_none = {
	.name = "none", .about = "no per-CPU lists", .orders = orders,
};
