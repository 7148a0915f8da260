/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU page lists: each CPU keeps, for each zone, free blocks of the small orders and of the
 * huge order that it can hand out and take back without the zone lock. Whether an order is cached
 * at all is a bit mask in the state, so that the hit below makes no indirect call; the policy's own
 * calls are reached where the zone lock is taken anyway.
 *
 * Lists: order * 3 + migratetype for orders 0-3, then the huge order not movable (12) and movable
 * (13); where a policy caches all orders, order * 3 + migratetype for each.
 *
 * Locking: all calls need the pcp's lock.
 */
#ifndef PG_PCP_PCP_H
#define PG_PCP_PCP_H

#include "place/place.h"
#include "zone/content.h"

#define PG_PCP_SMALL_ORDERS 4
#define PG_PCP_HUGE_LIST    12
#define PG_PCP_TYPES        3 /* migratetypes that have lists */

struct pg_pcp_ops {
	const char *name, *about;
	bool cached;     /* orders 0-3 and the pageblock's go through lists; else no call below is made */
	bool all_orders; /* the others up to the pageblock's too: a list each order and type */
	bool maps;       /* over maps in place of page records; then there are no lists, but `take` */
	bool fixed_limit; /* high_min is the one limit; `high` is not kept */
	/*
	 * How many blocks a refill of the empty list that `t` needs asks for; 0: the request goes
	 * to the zone. Moves what the pcp remembers.
	 */
	uint32_t (*refill_blocks)(const struct pagus_state *st, const struct pg_zone *z,
				  struct pg_pcp *pcp, const struct pg_take *t);
	/* The block for `t`, as pg_pcp_take. Only with maps. */
	uint32_t (*take)(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp,
			 struct pg_take *t, bool *hit);
	/*
	 * Bring a block onto the empty list that `t` needs; true if that took no zone lock. NULL:
	 * as many as refill_blocks says, in one hold of it.
	 */
	bool (*restock)(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp,
			struct pg_take *t);
	/*
	 * A block of a pageblock of `type`, which is nobody's, has been freed: false if it is to go
	 * to the zone. NULL: onto the calling CPU's list. Does not wait and does not drain unless
	 * it may.
	 */
	bool (*free)(struct pg_call *c, uint32_t i, uint32_t order, uint32_t type, bool may_drain);
	/*
	 * Give `pages` pages, or some of them, back in one hold of the zone's lock: how many went,
	 * 0 if there were none. NULL: list by list, from the tails.
	 */
	uint32_t (*drain)(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t pages,
			  enum pagus_lock_reason why);
	/* Put what others have freed to the pcp onto its lists. NULL: they do not. */
	void (*gather)(struct pg_call *c, struct pg_pcp *pcp);
	/*
	 * The CPU's vmstat tick; the pcp, or all of the zone, go out of use, or come back. NULL:
	 * nothing.
	 */
	void (*tick)(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp);
	void (*retire)(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp);
	void (*revive)(struct pg_pcp *pcp);
	/* The pageblock of page i is to be nobody's. NULL: it is. */
	void (*release)(struct pg_call *c, uint32_t i);
	/*
	 * A block of `order` was pushed: how many pages are to be drained; 0 where the caller may
	 * not. Moves what the pcp remembers.
	 */
	uint32_t (*over)(const struct pagus_state *st, const struct pg_zone *z, struct pg_pcp *pcp,
			 uint32_t order, bool may_drain);
};

extern const struct pg_pcp_ops pg_pcp_none, pg_pcp_linux, pg_pcp_fixed, pg_pcp_pageblock,
	pg_pcp_bitmap;

/* All of them; the state holds a row number. */
extern const struct pg_pcp_ops *const pg_pcps[];
extern const uint32_t pg_nr_pcps;

/* The limit above which frees drain, as the kernel shows it. */
static inline uint32_t pg_pcp_high(const struct pagus_state *st, const struct pg_pcp *pcp)
{
	return pg_pcps[st->pcp_policy]->fixed_limit ? pcp->high_min : pcp->high;
}

static inline uint32_t pg_pcp_list(const struct pagus_state *st, uint32_t order, uint32_t type)
{
	if (order < PG_PCP_SMALL_ORDERS || pg_unlikely(pg_pcps[st->pcp_policy]->all_orders))
		return order * 3 + type;
	return PG_PCP_HUGE_LIST + (type == PAGUS_MOVABLE);
}

/* The list for a free into a pageblock of `type`: HIGHATOMIC and CMA go with movable. */
static inline uint32_t pg_pcp_free_list(const struct pagus_state *st, uint32_t order,
					uint32_t type)
{
	return pg_pcp_list(st, order, pg_type_mergeable(type) ? type : (uint32_t)PAGUS_MOVABLE);
}

/* The order of a list that a recording numbers, which is linux's numbering. */
static inline uint32_t pg_pcp_list_order(uint32_t list, uint32_t pageblock_order)
{
	return list < PG_PCP_HUGE_LIST ? list / 3 : pageblock_order;
}

static inline uint32_t pg_pcp_index(const struct pg_call *c, const struct pg_pcp *pcp)
{
	return pcp->zone * c->st->nr_cpus + pcp->cpu;
}

static inline void pg_pcp_lock(struct pg_call *c, const struct pg_pcp *pcp,
			       enum pagus_lock_reason why)
{
	c->p->port->lock(c->p->port_ctx, PAGUS_LOCK_PCP, pg_pcp_index(c, pcp), why);
}

static inline bool pg_pcp_trylock(struct pg_call *c, const struct pg_pcp *pcp,
				  enum pagus_lock_reason why)
{
	return c->p->port->trylock(c->p->port_ctx, PAGUS_LOCK_PCP, pg_pcp_index(c, pcp), why);
}

static inline void pg_pcp_unlock(struct pg_call *c, const struct pg_pcp *pcp)
{
	c->p->port->unlock(c->p->port_ctx, PAGUS_LOCK_PCP, pg_pcp_index(c, pcp), 0);
}

/* Take the first block of a list, i of `order`, off it: it is of a pageblock that the CPU owns. */
uint32_t pg_pop_owned(struct pagus_state *st, struct pg_pcp *pcp, uint32_t i, uint32_t order);

/* Take the block i off whatever list of the pcp it is on. */
void pg_pcp_remove(struct pagus_state *st, struct pg_pcp *pcp, uint32_t i);

/* Pop a block; PG_NONE if the list is empty. */
static inline uint32_t pg_pcp_pop(struct pagus_state *st, struct pg_pcp *pcp, uint32_t list,
				  uint32_t order)
{
	struct pg_page *pages = pg_pages(st);
	uint32_t i = pg_list_first(pages, pcp->first_head + list);

	if (pg_unlikely(i == PG_NONE))
		return PG_NONE;
	if (pg_unlikely(!pg_page_is(&pages[i], PAGUS_PAGE_PCP, order)))
		return pg_pop_owned(st, pcp, i, order);
	pg_list_del(pages, i);
	pg_write(pcp->count, pcp->count - (1u << order));
	return i;
}

/*
 * Bring blocks onto the empty list that `t` needs, as the policy does it: true if no zone lock was
 * needed. Usually as many as it asks for and the zone has, in one hold.
 */
bool pg_pcp_fill(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, struct pg_take *t);

/* A refill that asked for so many blocks brought so many pages. */
void pg_pcp_tell_refill(const struct pg_call *c, const struct pg_zone *z, const struct pg_take *t,
			uint32_t asked, uint32_t pages);

/*
 * Is the block, just taken to be handed out, bad by the port's check, or has it a page whose memory
 * has failed? Then it is not handed out, and what becomes of it has been seen to. `held`: the pcp
 * whose lock is held, or NULL.
 */
bool pg_suspect_ends(struct pg_call *c, uint32_t i, uint32_t order, const struct pg_pcp *held);

static inline bool pg_suspect_withheld(struct pg_call *c, uint32_t i, uint32_t order,
				       const struct pg_pcp *held)
{
	if (!pg_unlikely(c->p->port->check || (pg_read(c->st->content) & PG_CONTENT_SUSPECT)))
		return false;
	return pg_suspect_ends(c, i, order, held);
}

/*
 * The block for `t`: from its list, *hit, or after a refill; PG_NONE if that brings none. Each turn
 * in vain leaks a block.
 */
static inline uint32_t pg_pcp_take(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp,
				   struct pg_take *t, bool *hit)
{
	uint32_t list, i;

	if (pg_unlikely(pg_mapped(c->st)))
		return pg_pcps[c->st->pcp_policy]->take(c, z, pcp, t, hit);
	list = pg_pcp_list(c->st, t->order, t->type);
	do {
		i = pg_pcp_pop(c->st, pcp, list, t->order);
		*hit = i != PG_NONE;
		if (pg_unlikely(i == PG_NONE)) {
			pg_count(c, PAGUS_COUNTER_pcp_alloc_miss, 1);
			*hit = pg_pcp_fill(c, z, pcp, t);
			i = pg_pcp_pop(c->st, pcp, list, t->order);
		}
	} while (i != PG_NONE && pg_suspect_withheld(c, i, t->order, pcp));
	return i;
}

/* Put a block of a pageblock of `type`, which is on no list, onto one end of a pcp list. */
static inline void pg_pcp_put(struct pagus_state *st, struct pg_pcp *pcp, uint32_t list, uint32_t i,
			      uint32_t order, uint32_t type, enum pg_end end)
{
	struct pg_page *pages = pg_pages(st);

	pg_page_set(&pages[i], PAGUS_PAGE_PCP, order, pg_release(st)->list_is_block_type ? 0 : type);
	if (end == PG_HEAD)
		pg_list_add_head(pages, pcp->first_head + list, i);
	else
		pg_list_add_tail(pages, pcp->first_head + list, i);
	pg_write(pcp->count, pcp->count + (1u << order));
}

/*
 * Give at least `pages` pages (or all) back to the zone in one hold of its lock: from the tail of
 * list `start` until that list is empty, then from the next one round. Returns how many pages went.
 */
uint32_t pg_pcp_drain(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t pages,
		      uint32_t start, enum pagus_lock_reason why);

/* What pagus_seed_pcp and pagus_seed_pcp_state do, inside a call. */
enum pagus_status pg_seed_pcp_block(struct pg_call *c, uint32_t cpu, pagus_pfn_t pfn,
				    uint32_t list);
enum pagus_status pg_seed_pcp_state(struct pagus_state *st, uint32_t node, uint32_t type,
				    uint32_t cpu, const struct pagus_pcp_seed *seed);

/* After a drain for being over the limits: is the zone above its high mark again? */
void pg_pcp_settle(const struct pagus_state *st, struct pg_zone *z);

/* A block of `order` was pushed onto `list`: drain what is over the limits. */
void pg_pcp_after_free(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp, uint32_t list,
		       uint32_t order);

/* The vmstat tick's part of a pcp: lower its high; how many pages are then too many. */
uint32_t pg_pcp_decay(const struct pagus_state *st, struct pg_pcp *pcp);

/* The vmstat tick of the calling CPU: fold its counts, let its pcps decay. */
void pg_pcp_tick(struct pg_call *c);

/* ---- linux.c: the tuning of Linux 6.7 and later, as refill_blocks and over ------------------- */

uint32_t pg_pcp_tuned_blocks(const struct pagus_state *st, const struct pg_zone *z,
			     struct pg_pcp *pcp, const struct pg_take *t);
uint32_t pg_pcp_tuned_over(const struct pagus_state *st, const struct pg_zone *z,
			   struct pg_pcp *pcp, uint32_t order, bool may_drain);
void pg_pcp_tuned_freed(const struct pagus_state *st, struct pg_pcp *pcp, uint32_t pages);

/* A pageblock has been given `type`: those that do not merge with others are never owned. */
static inline void pg_pcp_retyped(struct pg_call *c, uint32_t i, uint32_t type)
{
	if (pg_pcps[c->st->pcp_policy]->release && !pg_type_mergeable(type))
		pg_pcps[c->st->pcp_policy]->release(c, i);
}

/* ---- cpu.c: what the public calls of these names do ------------------------------------------ */

enum pagus_status pg_cpu_down(struct pg_call *c, uint32_t cpu);
enum pagus_status pg_cpu_up(struct pg_call *c, uint32_t cpu);
/*
 * Nobody else changes what limits pcps, or switches them off, until it is released. False: somebody
 * does. pg_pcp_disable holds it too.
 */
bool pg_pcp_hold_limits(struct pagus_state *st);
void pg_pcp_release_limits(struct pagus_state *st);

/* All pcps get the limits that their zones have, each under its lock. Those are held. */
void pg_pcp_publish_limits(struct pg_call *c);

/* The zone's pcps, which were off, may be used again as soon as they have limits. */
void pg_pcp_revive(struct pg_call *c, const struct pg_zone *z);

/* Others may allocate and free meanwhile. No lock may be held. */
enum pagus_status pg_pcp_disable(struct pg_call *c, uint32_t zone);
enum pagus_status pg_pcp_enable(struct pg_call *c, uint32_t zone);

/* Drain all that `cpu` holds in zone z, taking the pcp's lock; or holding it. */
void pg_pcp_empty(struct pg_call *c, struct pg_zone *z, struct pg_pcp *pcp);
void pg_pcp_drain_all(struct pg_call *c, struct pg_zone *z, uint32_t cpu);

#endif
