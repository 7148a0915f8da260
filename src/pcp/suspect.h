/* SPDX-License-Identifier: MIT */
/*
 * Blocks with pages whose memory has failed: such a page never becomes free again, whatever block it
 * was freed in, and is handed out in none. (pg_suspect_withheld is in pcp.h.)
 */
#ifndef PG_PCP_SUSPECT_H
#define PG_PCP_SUSPECT_H

#include "pcp/pcp.h"
#include "zone/poison.h"

/*
 * The block i of `order`, which is nobody's (in maps: as it was handed out), has such a page: its
 * other pages are freed, it is leaked. False: it has none. Where pages are in maps the pageblock's
 * lock is needed: it is waited for with `wait`, where no lock is held; otherwise, if it cannot be
 * had, the block stays nobody's for ever. `held`: the pcp whose lock is held, or NULL. With `used`
 * it was in use: what it holds is seen to as at any free.
 */
struct pg_strip {
	const struct pg_pcp *held;
	bool wait, used;
};
bool pg_suspect_strip(struct pg_call *c, uint32_t i, uint32_t order, const struct pg_strip *how);

#endif
