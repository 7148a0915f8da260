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
	put_page(t, event->pfn);
	put_fields(p, t, event);
	pg_put(t, "\n");
}
