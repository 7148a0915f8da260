/* SPDX-License-Identifier: MIT */
/*
 * Page counts. free_pages is exact. The kernel's own NR_FREE_PAGES is not: each CPU keeps a delta,
 * and adds it to the shared count when it grows past a threshold or on the vmstat tick. With a
 * threshold set, watermarks see the count as the kernel would: what is still in deltas is left out.
 */
#include "zone/zone.h"

static void note_delta(const struct pg_call *c, struct pg_zone *z, int64_t pages)
{
	struct pg_pcp *pcp = pg_pcp(c->st, z->id, c->cpu);
	int64_t delta = pcp->free_delta + pages, threshold = pg_read(z->stat_threshold);

	pg_write(z->unfolded, z->unfolded - pcp->free_delta);
	pcp->free_delta = delta > threshold || delta < -threshold ? 0 : (int32_t)delta;
	pg_write(z->unfolded, z->unfolded + pcp->free_delta);
}

void pg_account(const struct pg_call *c, struct pg_zone *z, int64_t pages, uint32_t type)
{
	if (type == PAGUS_ISOLATE)
		return;
	pg_write(z->free_pages, z->free_pages + pages);
	if (type == PAGUS_CMA)
		pg_write(z->free_cma, z->free_cma + pages);
	else if (type == PAGUS_HIGHATOMIC)
		pg_write(z->free_highatomic, z->free_highatomic + pages);
	if (pg_read(z->stat_threshold))
		note_delta(c, z, pages);
}

void pg_account_fold(struct pagus_state *st, struct pg_zone *z, uint32_t cpu)
{
	struct pg_pcp *pcp = pg_pcp(st, z->id, cpu);

	/* Where counts are exact there are no deltas, and the zone's lock is not held here. */
	if (pcp->free_delta == 0)
		return;
	z->unfolded -= pcp->free_delta;
	pcp->free_delta = 0;
}
