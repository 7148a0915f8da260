/* SPDX-License-Identifier: MIT */
#include "reclaim/suitable.h"

bool pg_compact_room(const struct pagus_state *st, const struct pg_zone *z, uint32_t order,
		     uint64_t mark, uint32_t highest, int64_t free)
{
	mark += pg_compact_gap(order);
	if (order > PG_COMPACT_COSTLY)
		mark += pg_mark_gap(z);
	return pg_watermark_ok_with(st, z, 0, mark, highest, PG_ALLOC_CMA, free);
}

/* Is what would be compacted for there? */
static bool is_served(const struct pagus_state *st, const struct pg_zone *z,
		      const struct pg_suit *who, uint64_t mark)
{
	int64_t free = pg_seen_free(z);

	if (who->daemon && st->tunable[PAGUS_TUNABLE_defrag_mode])
		free = (int64_t)pg_free_in_blocks(st, z);
	return pg_watermark_ok_with(st, z, who->order, mark, who->highest, who->flags, free);
}

enum pg_compacted pg_compact_suits(const struct pagus_state *st, const struct pg_zone *z,
				   const struct pg_suit *who)
{
	const uint64_t mark = pg_mark(z, who->flags & PG_ALLOC_WMARK_MASK);
	const bool costly = who->order > PG_COMPACT_COSTLY;
	int32_t index;

	if (is_served(st, z, who, mark))
		return PG_COMPACTED_SUCCESS;
	/* A costly request that will not wait is not to fill what is free beside CMA. */
	if (costly && who->async && !(who->flags & PG_ALLOC_CMA) &&
	    !pg_watermark_ok(st, z, 0, mark + pg_compact_gap(who->order), who->highest, 0))
		return PG_COMPACTED_SKIPPED;
	if (!pg_compact_room(st, z, who->order, mark, who->highest, pg_seen_free(z)))
		return PG_COMPACTED_SKIPPED;
	if (!costly)
		return PG_COMPACTED_CONTINUE;
	index = pg_extfrag_index(st, z->id, who->order);
	if (index >= 0 && index <= (int32_t)st->tunable[PAGUS_TUNABLE_extfrag_threshold])
		return PG_COMPACTED_NOT_SUITABLE;
	return PG_COMPACTED_CONTINUE;
}

enum pg_compacted pg_compact_judge(const struct pg_call *c, const struct pg_zone *z,
				   const struct pg_suit *who)
{
	enum pg_compacted result = pg_compact_suits(c->st, z, who);

	if (result != PG_COMPACTED_SUCCESS)
		pg_compacted_tell(c, PAGUS_EVENT_COMPACT_SUITABLE, z, who->order, result);
	return result;
}
