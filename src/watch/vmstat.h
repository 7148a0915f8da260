/* SPDX-License-Identifier: MIT */
#ifndef PG_WATCH_VMSTAT_H
#define PG_WATCH_VMSTAT_H

#include "watch/text.h"

/* How /proc/vmstat and /proc/zoneinfo set a counter. */
struct pg_row_style {
	const char *indent;
	uint32_t name_width;
};

/* The counters of a zone with those of NUMA placement; z = NULL: summed over all zones. */
void pg_put_zone_counters(const struct pagus *p, struct pagus_text *t, const struct pg_zone *z,
			  const struct pg_row_style *style);

/* The counters of a node, none of which a page allocator keeps: all 0. */
void pg_put_node_counters(const struct pagus *p, struct pagus_text *t,
			  const struct pg_row_style *style);

#endif
