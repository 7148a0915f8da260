/* SPDX-License-Identifier: MIT */
/* Calls, events and counters. Nothing here changes what the allocator does. */
#ifndef PG_WATCH_EVENT_H
#define PG_WATCH_EVENT_H

#include "mem/cpu.h"
#include "mem/geometry.h"

#define PG_NO_ZONE_ID 255

/* A block that a compaction waits for: what merges to just this in its own frees is taken. */
struct pg_capture {
	uint32_t zone, order, type; /* type: migratetype of the request */
	uint32_t i;                 /* the block, or PG_NONE */
};

/*
 * One call into the library: the instance, and the CPU that the caller is pinned to. `capture` is
 * set while its request compacts.
 */
struct pg_call {
	struct pagus_state *st;
	struct pagus *p;
	uint32_t cpu;
	struct pg_capture *capture;
};

static inline struct pg_call pg_call_begin(struct pagus *p)
{
	uint32_t cpu = p->port->cpu_pin(p->port_ctx);

	PG_ASSERT_SLOW(pg_cpu_online(p->state, cpu));
	return (struct pg_call){ .st = p->state, .p = p, .cpu = cpu };
}

static inline void pg_call_end(struct pg_call *c)
{
	c->p->port->cpu_unpin(c->p->port_ctx);
}

/* The call goes on, maybe on another CPU. */
static inline void pg_call_resume(struct pg_call *c)
{
	c->cpu = pg_call_begin(c->p).cpu;
}

/* A call of the port's that may wait, if it has it. */
static inline void pg_call_out(struct pg_call *c, void (*out)(void *ctx))
{
	if (!out)
		return;
	pg_call_end(c);
	out(c->p->port_ctx);
	pg_call_resume(c);
}

/* What a copy of the state is not to be taken in the middle of. */
static inline void pg_span_begin(struct pg_call *c)
{
	pg_call_out(c, c->p->port->span_begin);
}

static inline void pg_span_end(struct pg_call *c)
{
	pg_call_out(c, c->p->port->span_end);
}

/* Of events that have a second pfn. */
void pg_event_raise_pair(const struct pg_call *c, enum pagus_event_id id, uint32_t zone,
			 pagus_pfn_t pfn, pagus_pfn_t other_pfn, uint32_t order, uint32_t a, uint32_t b);
void pg_event_raise(const struct pg_call *c, enum pagus_event_id id, uint32_t zone, pagus_pfn_t pfn,
		    uint32_t order, uint32_t type, uint32_t a, uint32_t b);

static inline bool pg_event_wanted(const struct pg_call *c, enum pagus_event_id id)
{
	return pg_unlikely(c->p->listener_mask >> id & 1);
}

/* An event about the block whose first record is i. */
static inline void pg_event(const struct pg_call *c, enum pagus_event_id id, uint32_t i,
			    uint32_t order, uint32_t type, uint32_t a, uint32_t b)
{
	if (pg_event_wanted(c, id))
		pg_event_raise(c, id, pg_page_zone(c->st, i), pg_pfn(c->st, i), order, type, a, b);
}

static inline void pg_count(const struct pg_call *c, enum pagus_counter counter, uint64_t n)
{
	uint64_t *count = &pg_counters(c->st, c->cpu)[counter];

	/* Another thread may act for the CPU: a count may be lost, but is never half written. */
	pg_write(*count, pg_read(*count) + n);
}

#endif
