/* SPDX-License-Identifier: MIT */
#include "zone/content.h"

#include "base/atomic.h"

void pg_content_setup(struct pagus_state *st)
{
	uint32_t content = st->tunable[PAGUS_TUNABLE_init_on_alloc] ? PG_CONTENT_ZERO_ALLOC : 0;

	content |= st->tunable[PAGUS_TUNABLE_init_on_free] ? PG_CONTENT_ZERO_FREE : 0;
	if (st->tunable[PAGUS_TUNABLE_page_poison])
		content = PG_CONTENT_POISON;
	pg_write(st->content, content | (st->content & PG_CONTENT_SUSPECT));
}

static void tell(const struct pg_call *c, uint32_t i, uint32_t order, int reason,
		 enum pagus_check when)
{
	pg_event(c, PAGUS_EVENT_BAD_PAGE, i, order, 0, (uint32_t)reason, when);
}

void pg_content_hand_out(struct pg_call *c, uint32_t i, uint32_t order, uint32_t gfp)
{
	const struct pagus_port *port = c->p->port;
	uint32_t content = pg_read(c->st->content);

	if ((content & PG_CONTENT_POISON) && port->check_poison &&
	    !port->check_poison(c->p->port_ctx, pg_pfn(c->st, i), order)) {
		pg_count(c, PAGUS_COUNTER_bad_poison, 1);
		tell(c, i, order, 0, PAGUS_CHECK_POISON);
	}
	/* Pages that were zeroed when they were freed are so still. */
	if (((content & PG_CONTENT_ZERO_ALLOC) || (gfp & __GFP_ZERO)) &&
	    !(content & PG_CONTENT_ZERO_FREE) && port->zero)
		port->zero(c->p->port_ctx, pg_pfn(c->st, i), order);
}

void pg_content_free(struct pg_call *c, uint32_t i, uint32_t order)
{
	const struct pagus_port *port = c->p->port;

	if ((pg_read(c->st->content) & PG_CONTENT_POISON) && port->poison)
		port->poison(c->p->port_ctx, pg_pfn(c->st, i), order);
	if ((pg_read(c->st->content) & PG_CONTENT_ZERO_FREE) && port->zero)
		port->zero(c->p->port_ctx, pg_pfn(c->st, i), order);
}

bool pg_content_bad(struct pg_call *c, uint32_t i, uint32_t order, enum pagus_check when)
{
	int reason = 0;

	if (c->p->port->check)
		reason = c->p->port->check(c->p->port_ctx, pg_pfn(c->st, i), order, when);
	if (reason == 0)
		return false;
	pg_count(c, PAGUS_COUNTER_bad_page, 1);
	tell(c, i, order, reason, when);
	return true;
}

void pg_content_leak(struct pg_call *c, uint32_t i, uint32_t order)
{
	struct pg_page *page = pg_page(c->st, i);

	pg_page_set(page, PAGUS_PAGE_LEAKED, order, 0);
	pg_atomic_add(&pg_zone_of(c->st, i)->leaked_pages, 1u << order);
}
