/* SPDX-License-Identifier: MIT */
/* Which pages stand in the way of a pageblock's isolation. */
#ifndef PG_CONTIG_UNMOVABLE_H
#define PG_CONTIG_UNMOVABLE_H

#include <pagus/contig.h>

#include "zone/zone.h"

/*
 * Can page i not leave the zone z by being freed or moved (has_unmovable_pages)? Only as it looks
 * at the moment: blocks in use change without the zone's lock. *step: pages from i on that the
 * answer is about. The type of its pageblock is not looked at.
 */
bool pg_unmovable(const struct pg_call *c, const struct pg_zone *z, uint32_t i,
		  enum pagus_isolate_mode mode, uint32_t *step);

/*
 * Does the block of this view that begins at `head` count as absent, although it is in use or
 * nobody's, when memory goes offline?
 */
bool pg_absent(const struct pg_call *c, uint32_t head, const struct pg_view *look,
	       enum pagus_isolate_mode mode);

#endif
