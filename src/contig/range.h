/* SPDX-License-Identifier: MIT */
/*
 * Contiguous ranges (alloc_contig_range):
 *
 *     isolate the pageblocks -> drain the pcps -> move what is in use -> test -> take what is free
 *     -> give back what was taken beyond the range -> give the pageblocks back
 *
 * Whatever fails on the way, the pageblocks are given back with all that is free in them.
 */
#ifndef PG_CONTIG_RANGE_H
#define PG_CONTIG_RANGE_H

#include <pagus/contig.h>

#include "watch/event.h"

/* How the blocks in a range are moved out of it. */
struct pg_range_how {
	uint32_t gfp; /* of requests for what they move to, less mobility and zone */
	enum pagus_migrate_reason reason;
	const struct pagus_cancel *cancel; /* NULL: none */
	bool to_clean; /* to clean superpageblocks of the same zone, of what is free there */
	bool worker;   /* by the worker of superpageblocks of the zone's node */
};

/*
 * Move what is in use in [start, end) to anywhere else: from its node if there is room, else as its
 * zonelist says; or as `how` says. BUSY: some could not be moved, after each batch had been tried
 * five times, and what lies behind was not tried; NO_MEMORY; CANCELLED. No lock may be held. Nothing is claimed any
 * more when it returns.
 */
enum pagus_status pg_range_move(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end,
				const struct pg_range_how *how);

/* The same with the mask of a caller who may do anything to have room. */
enum pagus_status pg_range_migrate(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end,
				   enum pagus_migrate_reason reason,
				   const struct pagus_cancel *cancel);

/* May a range be asked for with such a mask? */
bool pg_contig_gfp_valid(uint32_t gfp);

/* What the public calls do. */
enum pagus_status pg_alloc_contig(struct pg_call *c, pagus_pfn_t start, pagus_pfn_t end, bool cma,
				  uint32_t gfp, const struct pagus_cancel *cancel);
enum pagus_status pg_alloc_contig_pages(struct pg_call *c, uint64_t nr_pages,
					const struct pagus_request *req,
					const struct pagus_cancel *cancel, pagus_pfn_t *pfn);
enum pagus_status pg_free_contig(struct pg_call *c, pagus_pfn_t start, uint64_t nr_pages);

static inline bool pg_cancelled(const struct pagus_cancel *cancel)
{
	return cancel && pg_atomic_load(&cancel->wanted);
}

#endif
