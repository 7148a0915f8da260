/* SPDX-License-Identifier: MIT */
#include "watch/event.h"

static uint8_t zone_id(uint32_t zone)
{
	return zone == PG_NO_ZONE ? PG_NO_ZONE_ID : (uint8_t)zone;
}

void pg_event_raise(const struct pg_call *c, enum pagus_event_id id, uint32_t zone, pagus_pfn_t pfn,
		    uint32_t order, uint32_t type, uint32_t a, uint32_t b)
{
	const struct pagus_event event = {
		.id = (uint8_t)id, .order = (uint8_t)order, .migratetype = (uint8_t)type,
		.zone = zone_id(zone), .cpu = c->cpu, .a = a, .b = b, .pfn = pfn,
	};

	c->p->listener(c->p->listener_ctx, &event);
}

void pg_event_raise_pair(const struct pg_call *c, enum pagus_event_id id, uint32_t zone,
			 pagus_pfn_t pfn, pagus_pfn_t other_pfn, uint32_t order, uint32_t a, uint32_t b)
{
	const struct pagus_event event = {
		.id = (uint8_t)id, .order = (uint8_t)order, .zone = zone_id(zone), .cpu = c->cpu,
		.a = a, .b = b, .pfn = pfn, .other_pfn = other_pfn,
	};

	c->p->listener(c->p->listener_ctx, &event);
}
