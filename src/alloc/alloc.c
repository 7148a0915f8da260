/* SPDX-License-Identifier: MIT */
/*
 * Allocation: plan -> walk at the low mark -> slow path -> charge. Most requests end with the first
 * walk's first zone.
 */
#include "alloc/alloc.h"

#include "alloc/slow.h"
#include "alloc/walk.h"

static pg_inlined struct pg_asker who_asks(const struct pg_call *c, uint32_t task)
{
	const struct pagus_port *port = c->p->port;
	struct pg_asker asker = { .cpu = c->cpu, .task = task };

	if (port->task_flags)
		asker.task |= *port->task_flags(c->p->port_ctx);
	if (port->mems_allowed) {
		asker.cpusets = true;
		asker.mems_allowed = port->mems_allowed(c->p->port_ctx, false);
	}
	return asker;
}

struct pg_asker pg_who_asks(const struct pg_call *c, uint32_t task)
{
	return who_asks(c, task);
}

/* As the kernel counts: by the node wanted first, and by the CPU's. */
static pg_inlined void count_numa(const struct pg_call *c, const struct pg_plan *plan,
				  const struct pg_zone *z, uint32_t nr)
{
	const struct pg_zone *preferred;

	if (pg_unlikely(!c->st->tunable[PAGUS_TUNABLE_numa_stat]))
		return;
	preferred = pg_plan_zone(c->st, plan, plan->preferred);
	if (z->node == preferred->node) {
		pg_count(c, PAGUS_COUNTER_numa_hit, nr);
	} else {
		pg_count(c, PAGUS_COUNTER_numa_miss, nr);
		pg_count(c, PAGUS_COUNTER_numa_foreign, nr);
	}
	pg_count(c, z->node == pg_cpu_node(c->st, c->cpu) ? PAGUS_COUNTER_numa_local :
		 PAGUS_COUNTER_numa_other, nr);
}

static pg_inlined void mark(struct pg_page *page, const struct pg_plan *plan,
			    const struct pagus_result *res)
{
	uint32_t marks = res->pfmemalloc ? PG_MARK_PFMEMALLOC : 0;

	if (plan->order && (plan->gfp & __GFP_COMP))
		marks |= PG_MARK_COMPOUND;
	pg_page_set(page, PAGUS_PAGE_ALLOCATED, plan->order, plan->type);
	pg_write(page->next, marks);
}

/* So many blocks of the zone have been handed out as planned. */
static pg_inlined void count_granted(const struct pg_call *c, const struct pg_plan *plan,
				     const struct pg_zone *z, uint32_t nr)
{
	const uint64_t pages = (uint64_t)nr << plan->order;

	pg_count(c, PAGUS_COUNTER_alloc_ok, nr);
	pg_count(c, PAGUS_COUNTER_pgalloc, pages);
	count_numa(c, plan, z, nr);
	pg_count(c, (enum pagus_counter)(PAGUS_COUNTER_pgalloc_dma + z->type), pages);
}

void pg_count_granted(const struct pg_call *c, const struct pg_plan *plan, const struct pg_zone *z,
		      uint32_t nr)
{
	count_granted(c, plan, z, nr);
}

static pg_inlined void grant(struct pg_call *c, const struct pg_plan *plan, uint32_t i,
			     struct pagus_result *res)
{
	const struct pg_zone *z;

	if (!pg_mapped(c->st))
		mark(pg_page(c->st, i), plan, res);
	z = pg_zone_of(c->st, i);
	if (pg_unlikely((plan->gfp & __GFP_ZERO) | pg_read(c->st->content)))
		pg_content_hand_out(c, i, plan->order, plan->gfp);
	res->pfn = pg_pfn(c->st, i);
	res->zone = (uint8_t)z->id;
	res->status = PAGUS_OK;
	count_granted(c, plan, z, 1);
	if (res->from_pcp)
		pg_count(c, PAGUS_COUNTER_pcp_alloc_hit, 1);
}

void pg_grant(struct pg_call *c, const struct pg_plan *plan, uint32_t i, struct pagus_result *res)
{
	grant(c, plan, i, res);
}

/* The block is the requester's already: one whose charge is refused is freed as any other. */
static void charge(struct pg_call *c, const struct pg_plan *plan, struct pagus_result *res)
{
	const struct pagus_port *port = c->p->port;
	struct pg_page *page = pg_page(c->st, pg_index(c->st, res->pfn));
	bool charged;

	pg_call_end(c);
	charged = port->charge(c->p->port_ctx, res->pfn, plan->order, plan->gfp);
	pg_call_resume(c);
	if (charged) {
		pg_write(page->next, page->next | PG_MARK_CHARGED);
		return;
	}
	pg_count(c, PAGUS_COUNTER_drop_charge, 1);
	pg_free(c, res->pfn, plan->order);
	*res = (struct pagus_result){ .pfn = PAGUS_NO_PFN, .zone = PG_NO_ZONE_ID,
				      .status = PAGUS_NO_MEMORY,
				      .refusal = PAGUS_REFUSED_NOT_CHARGED };
}

static pg_inlined void tell_plan(struct pg_call *c, const struct pg_plan *plan)
{
	if (pg_event_wanted(c, PAGUS_EVENT_PLAN))
		pg_event_raise(c, PAGUS_EVENT_PLAN, PG_NO_ZONE, PAGUS_NO_PFN, plan->order,
			       plan->type, plan->fast_flags, plan->highest);
}

void pg_alloc_tell_plan(struct pg_call *c, const struct pg_plan *plan)
{
	tell_plan(c, plan);
}

static void serve(struct pg_call *c, struct pg_plan *plan, struct pagus_result *res)
{
	uint32_t i = PG_NONE;

	tell_plan(c, plan);
	if (plan->preferred)
		i = pg_walk(c, plan, plan->fast_flags, &res->from_pcp);
	if (pg_unlikely(i == PG_NONE)) {
		plan->gfp = plan->slow_gfp;
		i = pg_slow(c, plan, res);
	}
	if (pg_unlikely(i == PG_NONE)) {
		res->status = PAGUS_NO_MEMORY;
		pg_count(c, PAGUS_COUNTER_alloc_fail, 1);
		return;
	}
	grant(c, plan, i, res);
	if ((plan->gfp & __GFP_ACCOUNT) && c->p->port->charge)
		charge(c, plan, res);
}

static pg_inlined void tell(struct pg_call *c, const struct pagus_request *req,
			    const struct pg_plan *plan, const struct pagus_result *res)
{
	if (pg_event_wanted(c, PAGUS_EVENT_ALLOC))
		pg_event_raise(c, PAGUS_EVENT_ALLOC, res->zone, res->pfn, req->order, plan->type,
			       plan->gfp, res->status);
}

void pg_alloc_tell(struct pg_call *c, const struct pagus_request *req, const struct pg_plan *plan,
		   const struct pagus_result *res)
{
	tell(c, req, plan, res);
}

enum pagus_status pg_alloc(struct pg_call *c, const struct pagus_request *req,
			   struct pagus_result *res)
{
	const struct pg_asker asker = who_asks(c, req->task);
	struct pg_plan plan = { .gfp = req->gfp, .type = pg_gfp_type(req->gfp) };

	*res = (struct pagus_result){ .pfn = PAGUS_NO_PFN, .zone = PG_NO_ZONE_ID };
	res->status = pg_plan_make(c->st, &asker, req, &plan);
	if (res->status == PAGUS_OK)
		serve(c, &plan, res);
	else
		pg_count(c, PAGUS_COUNTER_alloc_bad, 1);
	tell(c, req, &plan, res);
	return res->status;
}
