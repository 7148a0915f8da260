/* SPDX-License-Identifier: MIT */
/* No per-CPU lists: every request and every free takes the zone lock. */
#include "pcp/pcp.h"

const struct pg_pcp_ops pg_pcp_none = {
	.name = "none", .about = "no per-CPU lists",
};
