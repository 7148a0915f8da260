/* SPDX-License-Identifier: MIT */
#include "contig/unmovable.h"

static uint32_t traits(const struct pg_call *c, uint32_t head, uint32_t order)
{
	const struct pagus_port *port = c->p->port;

	return port->traits ? port->traits(c->p->port_ctx, pg_pfn(c->st, head), order) : 0;
}

bool pg_absent(const struct pg_call *c, uint32_t head, const struct pg_view *look,
	       enum pagus_isolate_mode mode)
{
	if (mode != PAGUS_ISOLATE_MEM_OFFLINE)
		return false;
	if (look->kind == PAGUS_PAGE_LEAKED)
		return true;
	if (look->kind == PAGUS_PAGE_RESERVED && !c->p->port->online_page)
		return false;
	return (look->kind == PAGUS_PAGE_ALLOCATED || look->kind == PAGUS_PAGE_RESERVED) &&
	       (traits(c, head, look->order) & PAGUS_TRAIT_OFFLINE);
}

/* A block in use: a pin or another reference may end before anybody wants to move it. */
static bool is_fixed(const struct pg_call *c, uint32_t head, const struct pg_view *look)
{
	return look->type != PAGUS_MOVABLE || !c->p->port->move ||
	       (traits(c, head, look->order) & PAGUS_TRAIT_FIXED);
}

bool pg_unmovable(const struct pg_call *c, const struct pg_zone *z, uint32_t i,
		  enum pagus_isolate_mode mode, uint32_t *step)
{
	uint32_t head = pg_head(c->st, i);
	struct pg_view look;

	*step = 1;
	if (pg_page_zone(c->st, i) != z->id)
		return true;
	/* It is about to be freed, or has just been handed out. */
	if (head == PG_NONE)
		return false;
	look = pg_view(c->st, head);
	if (head + (1u << look.order) > i)
		*step = head + (1u << look.order) - i;
	if (pg_absent(c, head, &look, mode))
		return false;
	if (look.kind == PAGUS_PAGE_RESERVED || look.kind == PAGUS_PAGE_HOLE)
		return true;
	if (z->type == PAGUS_ZONE_MOVABLE)
		return false;
	if (look.kind == PAGUS_PAGE_ALLOCATED)
		return is_fixed(c, head, &look);
	return look.kind == PAGUS_PAGE_INHERITED || look.kind == PAGUS_PAGE_LEAKED;
}
