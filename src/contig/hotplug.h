/* SPDX-License-Identifier: MIT */
/* What coming online and going offline have in common. */
#ifndef PG_CONTIG_HOTPLUG_H
#define PG_CONTIG_HOTPLUG_H

#include <pagus/hotplug.h>

#include "watch/event.h"

/* A range of one node and one zone. */
struct pg_plug {
	pagus_pfn_t start, end;
	struct pg_zone *z;
	uint32_t node;
	bool node_changes; /* it is the node's first memory, or its last */
};

/* Is it of whole units, and of one node of the configuration? That is in *node then. */
enum pagus_status pg_plug_check(const struct pagus_state *st, pagus_pfn_t start, uint64_t nr_pages,
				uint32_t *node);

/*
 * Nobody else plugs memory, switches pcps off, or computes their limits, until the end. False:
 * somebody does.
 */
bool pg_plug_begin(struct pagus_state *st);
void pg_plug_end(struct pagus_state *st);

/* How many of its pages are memory from the beginning. */
uint64_t pg_plug_early(const struct pagus_state *st, const struct pg_plug *plug);

/* Ask, or tell, the port. */
bool pg_plug_notify(struct pg_call *c, const struct pg_plug *plug, enum pagus_memory_event event);

/* Its pages, reserved, are no memory any more: not the zone's, and not isolated. */
void pg_plug_out(struct pg_call *c, const struct pg_plug *plug);

/* The zone has come to have memory, or has none any more: node, zonelists, grouping by mobility. */
void pg_plug_populated(struct pg_call *c, const struct pg_plug *plug);

/* Marks, reserves, thresholds and the limits of pcps are those of the memory that there is. */
void pg_plug_replan(struct pg_call *c);

#endif
