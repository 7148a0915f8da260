/* SPDX-License-Identifier: MIT */
/* The public calls of compact.h. */
#include "contig/compact.h"
#include "contig/kcompactd.h"

enum pagus_compact_result pg_compacted_as_told(enum pg_compacted result)
{
	switch (result) {
	case PG_COMPACTED_DEFERRED: return PAGUS_COMPACT_DEFERRED;
	case PG_COMPACTED_COMPLETE: return PAGUS_COMPACT_COMPLETE;
	case PG_COMPACTED_PARTIAL: return PAGUS_COMPACT_PARTIAL_SKIPPED;
	case PG_COMPACTED_CONTENDED: return PAGUS_COMPACT_CONTENDED;
	case PG_COMPACTED_SUCCESS: return PAGUS_COMPACT_SUCCESS;
	default: return PAGUS_COMPACT_SKIPPED;
	}
}

enum pagus_compact_result pagus_compact_zone(struct pagus *p, const struct pagus_compact_zone *how,
					     struct pagus_compaction *stats)
{
	struct pg_compact k = {
		.order = how->order, .type = how->migratetype, .gfp = how->gfp, .mode = how->mode,
		.highest = PAGUS_ZONE_MOVABLE, .flags = PG_ALLOC_CMA,
		.whole_zone = how->order == PAGUS_COMPACT_WHOLE,
		.ignore_hints = how->ignore_hints,
	};
	enum pg_compacted result = PG_COMPACTED_SKIPPED;
	struct pg_call c;

	if (how->zone < p->state->nr_zones && how->migratetype < PAGUS_HIGHATOMIC &&
	    how->mode <= PAGUS_MIGRATE_SYNC &&
	    (how->order <= p->state->max_order || how->order == PAGUS_COMPACT_WHOLE)) {
		k.z = pg_zone(p->state, how->zone);
		k.highest = k.z->type;
		k.type = pg_effective_type(p->state, how->migratetype);
		c = pg_call_begin(p);
		result = pg_compact_zone(&c, &k);
		pg_call_end(&c);
	}
	if (stats)
		*stats = k.stats;
	return pg_compacted_as_told(result);
}

static enum pagus_status compact_node(struct pg_call *c, uint32_t node)
{
	for (uint32_t id = 0; id < c->st->nr_zones; id++) {
		struct pg_compact k = {
			.z = pg_zone(c->st, id), .order = PG_COMPACT_WHOLE, .gfp = GFP_KERNEL,
			.mode = PAGUS_MIGRATE_SYNC, .highest = pg_zone(c->st, id)->type,
			.flags = PG_ALLOC_CMA, .whole_zone = true, .ignore_hints = true,
		};

		if (k.z->node == node && pg_compact_zone(c, &k) == PG_COMPACTED_CONTENDED)
			return PAGUS_BUSY;
	}
	return PAGUS_OK;
}

enum pagus_status pagus_compact_node(struct pagus *p, uint32_t node)
{
	enum pagus_status status;
	struct pg_call c;

	if (node >= p->state->nr_nodes)
		return PAGUS_BAD_NODE;
	c = pg_call_begin(p);
	status = c.p->port->move ? compact_node(&c, node) : PAGUS_UNSUPPORTED;
	pg_call_end(&c);
	return status;
}

bool pagus_kcompactd_tick(struct pagus *p, uint32_t node)
{
	struct pg_call c;
	bool more;

	if (node >= p->state->nr_nodes)
		return false;
	c = pg_call_begin(p);
	more = pg_kcompactd_tick(&c, node);
	pg_call_end(&c);
	return more;
}

enum pagus_status pagus_compact_memory(struct pagus *p)
{
	enum pagus_status status = PAGUS_OK;

	for (uint32_t node = 0; node < p->state->nr_nodes && status == PAGUS_OK; node++)
		status = pagus_compact_node(p, node);
	return status;
}
