/* SPDX-License-Identifier: MIT */
/* Events in the kernel's print formats, which are the same in all releases from 6.1 to 7.2. */
#include "watch/text.h"

#define VMEMMAP_BASE   UINT64_C(0xffffea0000000000)
#define STRUCT_PAGE    64 /* bytes of a page's descriptor */
#define OWNERSHIP_BIT  0x100u

/* The release's number of a migratetype: the types that it lacks are not counted. */
static uint32_t type_number(const struct pagus_state *st, uint32_t type)
{
	uint32_t number = 0;

	for (uint32_t below = 0; below < type; below++)
		number += pg_text_lists_type(st, below);
	return number;
}

static void put_page(struct pagus_text *t, pagus_pfn_t pfn)
{
	bool page = pfn != PAGUS_NO_PFN;

	pg_put(t, "page=");
	pg_put_hex(t, page ? VMEMMAP_BASE + pfn * STRUCT_PAGE : 0, 16);
	pg_put(t, " pfn=0x");
	pg_put_hex(t, page ? pfn : 0, 0);
}

static void put_extfrag(const struct pagus_state *st, struct pagus_text *t,
			const struct pagus_event *e)
{
	pg_put_pair(t, " alloc_order=", e->order, "");
	pg_put_pair(t, " fallback_order=", e->a, "");
	pg_put_pair(t, " pageblock_order=", st->pageblock_order, "");
	pg_put_pair(t, " alloc_migratetype=", type_number(st, e->migratetype), "");
	pg_put_pair(t, " fallback_migratetype=", type_number(st, e->b & ~OWNERSHIP_BIT), "");
	pg_put_pair(t, " fragmenting=", e->a < st->pageblock_order, "");
	pg_put_pair(t, " change_ownership=", (e->b & OWNERSHIP_BIT) != 0, "");
}

static void put_value(struct pagus_text *t, const char *name, uint32_t value)
{
	if (pg_text_equal(name, "none"))
		return;
	pg_put(t, " ");
	pg_put(t, name);
	pg_put_pair(t, "=", value, "");
}

/* The library's own: their values by the names of events.def. */
static void put_own(const struct pagus_state *st, struct pagus_text *t, const struct pagus_event *e)
{
	static const char *const names[][2] = {
#define PAGUS_EVENT(NAME, name, a, b, text) { #a, #b },
#include <pagus/events.def>
#undef PAGUS_EVENT
	};

	pg_put_pair(t, " migratetype=", type_number(st, e->migratetype), "");
	put_value(t, names[e->id][0], e->a);
	put_value(t, names[e->id][1], e->b);
}

/* ---- compaction's ------------------------------------------------------------------------------ */

static void put_word(struct pagus_text *t, uint32_t result)
{
	static const char *const words[] = {
		[PAGUS_COMPACT_WORD_NOT_SUITABLE_ZONE] = "not_suitable_zone",
		[PAGUS_COMPACT_WORD_SKIPPED] = "skipped",
		[PAGUS_COMPACT_WORD_DEFERRED] = "deferred",
		[PAGUS_COMPACT_WORD_NO_SUITABLE_PAGE] = "no_suitable_page",
		[PAGUS_COMPACT_WORD_CONTINUE] = "continue",
		[PAGUS_COMPACT_WORD_COMPLETE] = "complete",
		[PAGUS_COMPACT_WORD_PARTIAL_SKIPPED] = "partial_skipped",
		[PAGUS_COMPACT_WORD_CONTENDED] = "contended",
		[PAGUS_COMPACT_WORD_SUCCESS] = "success",
	};

	if (result < sizeof(words) / sizeof(words[0]))
		pg_put(t, words[result]);
}

static void put_pfn(struct pagus_text *t, const char *before, pagus_pfn_t pfn)
{
	pg_put(t, before);
	pg_put_hex(t, pfn, 0);
}

/* A run over the whole zone has no order. */
static void put_order(struct pagus_text *t, const struct pagus_event *e)
{
	if (e->order > PAGUS_MAX_ORDER)
		pg_put(t, " order=-1");
	else
		pg_put_pair(t, " order=", e->order, "");
}

static void put_scanners(const struct pagus_state *st, struct pagus_text *t,
			 const struct pagus_event *e)
{
	const struct pg_zone *z = pg_zone(st, e->zone);

	put_pfn(t, "zone_start=0x", z->start_pfn);
	put_pfn(t, " migrate_pfn=0x", e->pfn);
	put_pfn(t, " free_pfn=0x", e->other_pfn);
	put_pfn(t, " zone_end=0x", z->end_pfn);
	pg_put(t, e->a ? ", mode=sync" : ", mode=async");
	if (e->id != PAGUS_EVENT_COMPACT_END)
		return;
	pg_put(t, " status=");
	put_word(t, e->b);
}

static void put_scanned(struct pagus_text *t, const struct pagus_event *e)
{
	put_pfn(t, "range=(0x", e->pfn);
	put_pfn(t, " ~ 0x", e->other_pfn);
	pg_put_pair(t, ") nr_scanned=", e->a, "");
	pg_put_pair(t, " nr_taken=", e->b, "");
}

static void put_zone(const struct pagus_state *st, struct pagus_text *t, const struct pagus_event *e)
{
	const struct pg_zone *z = pg_zone(st, e->zone);

	pg_put_pair(t, "node=", z->node, " zone=");
	pg_put_left(t, pg_text_zone_name(z->type), 8);
	put_order(t, e);
}

static void put_kcompactd(struct pagus_text *t, const struct pagus_event *e)
{
	pg_put_pair(t, "nid=", e->a, "");
	if (e->id == PAGUS_EVENT_KCOMPACTD_SLEEP)
		return;
	put_order(t, e);
	pg_put(t, " classzone_idx=");
	pg_put_left(t, e->b < PG_TEXT_ZONES ? pg_text_zone_name(e->b) : "", 8);
}

/* Those that say a zone's name or its ends. */
static bool says_zone(uint32_t id)
{
	return id == PAGUS_EVENT_COMPACT_BEGIN || id == PAGUS_EVENT_COMPACT_END ||
	       (id >= PAGUS_EVENT_COMPACT_SUITABLE && id <= PAGUS_EVENT_COMPACT_DEFER_RESET);
}

/* False: it is none of compaction's. */
static bool put_compaction(const struct pagus *p, struct pagus_text *t, const struct pagus_event *e)
{
	const struct pagus_state *st = p->state;

	if (says_zone(e->id) && e->zone >= st->nr_zones)
		return true;
	switch (e->id) {
	case PAGUS_EVENT_COMPACT_BEGIN:
	case PAGUS_EVENT_COMPACT_END:
		put_scanners(st, t, e);
		return true;
	case PAGUS_EVENT_COMPACT_SOURCES:
	case PAGUS_EVENT_COMPACT_TARGETS:
	case PAGUS_EVENT_COMPACT_LISTED:
		put_scanned(t, e);
		return true;
	case PAGUS_EVENT_COMPACT_MOVED:
		pg_put_pair(t, "nr_migrated=", e->a, "");
		pg_put_pair(t, " nr_failed=", e->b, "");
		return true;
	case PAGUS_EVENT_COMPACT_TRY:
		pg_put_pair(t, "order=", e->order, " gfp_mask=");
		pagus_text_gfp(p, t, e->a);
		pg_put_pair(t, " priority=", e->b, "");
		return true;
	case PAGUS_EVENT_COMPACT_SUITABLE:
	case PAGUS_EVENT_COMPACT_FINISHED:
		put_zone(st, t, e);
		pg_put(t, " ret=");
		put_word(t, e->a);
		return true;
	case PAGUS_EVENT_COMPACT_DEFERRED:
	case PAGUS_EVENT_COMPACT_DEFER:
	case PAGUS_EVENT_COMPACT_DEFER_RESET:
		put_zone(st, t, e);
		pg_put_pair(t, " order_failed=", e->a, "");
		pg_put_pair(t, " consider=", e->b & 0xffff, "");
		pg_put_pair(t, " limit=", e->b >> 16, "");
		return true;
	case PAGUS_EVENT_KCOMPACTD_SLEEP:
	case PAGUS_EVENT_KCOMPACTD_WAKEUP:
	case PAGUS_EVENT_KCOMPACTD_WAKE:
		put_kcompactd(t, e);
		return true;
	default:
		return false;
	}
}

static void put_fields(const struct pagus *p, struct pagus_text *t, const struct pagus_event *e)
{
	const struct pagus_state *st = p->state;

	if (e->id == PAGUS_EVENT_EXTFRAG) {
		put_extfrag(st, t, e);
		return;
	}
	pg_put_pair(t, " order=", e->order, "");
	switch (e->id) {
	case PAGUS_EVENT_FREE:
		break;
	case PAGUS_EVENT_ALLOC:
		pg_put_pair(t, " migratetype=", type_number(st, e->migratetype), " gfp_flags=");
		pagus_text_gfp(p, t, e->a);
		break;
	case PAGUS_EVENT_ZONE_LOCKED:
		pg_put_pair(t, " migratetype=", type_number(st, e->migratetype), "");
		pg_put_pair(t, " percpu_refill=", e->a, "");
		break;
	case PAGUS_EVENT_PCPU_DRAIN:
		pg_put_pair(t, " migratetype=", type_number(st, e->migratetype), "");
		break;
	default:
		put_own(st, t, e);
	}
}

void pagus_text_event(const struct pagus *p, struct pagus_text *t, const struct pagus_event *event)
{
	if (event->id >= PAGUS_NR_EVENTS)
		return;
	pg_put(t, pagus_event_name((enum pagus_event_id)event->id));
	pg_put(t, ": ");
	if (!put_compaction(p, t, event)) {
		put_page(t, event->pfn);
		put_fields(p, t, event);
	}
	pg_put(t, "\n");
}
