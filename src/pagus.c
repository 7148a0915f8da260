/* SPDX-License-Identifier: MIT */
/* The public calls: life of an instance, and the frame around each call into it. */
#include <pagus/evacuate.h>

#include "alloc/alloc.h"
#include "alloc/reference.h"
#include "base/digest.h"
#include "contig/cma.h"
#include "contig/evacuate.h"
#include "contig/kcompactd.h"
#include "contig/tag.h"
#include "mem/layout.h"
#include "pcp/cache.h"
#include "pcp/pcp.h"
#include "reclaim/defer.h"
#include "reclaim/kcompactd.h"
#include "reclaim/reclaim.h"
#include "policy.h"
#include "watch/check.h"
#include "zone/owner.h"
#include "zone/seed.h"
#include "zone/superpageblock.h"
#include "zone/zone.h"

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);

static const struct tunable_range {
	uint32_t def, min, max;
} tunable_ranges[] = {
#define PAGUS_TUNABLE(name, def, min, max, text) { def, min, max },
#include <pagus/tunables.def>
#undef PAGUS_TUNABLE
};

static bool compute_layout(const struct pagus_config *cfg, struct pg_layout *layout)
{
	struct pg_layout_wants wants;

	if (!cfg->policy || !pagus_policy_known(cfg->policy))
		return false;
	wants = pg_policy_wants(cfg->policy, cfg->pageblock_order);
	return pg_layout_compute(cfg, &wants, layout);
}

size_t pagus_sizeof(const struct pagus_config *cfg)
{
	struct pg_layout layout;

	return compute_layout(cfg, &layout) ? layout.bytes : 0;
}

enum pagus_status pagus_init(struct pagus *p, void *mem, size_t bytes,
			     const struct pagus_config *cfg, const struct pagus_port *port,
			     void *port_ctx)
{
	struct pg_layout layout;

	if (!compute_layout(cfg, &layout))
		return PAGUS_BAD_CONFIG;
	/* A map has no room for who pays for a page, or for pages found bad. */
	if (layout.wants.maps && (port->charge || port->check))
		return PAGUS_UNSUPPORTED;
	if (bytes < layout.bytes)
		return PAGUS_TOO_SMALL;
	memset(mem, 0, layout.bytes);
	*p = (struct pagus){ .state = mem, .port = port, .port_ctx = port_ctx };
	pg_layout_build(p->state, cfg, &layout);
	pg_policy_set(p->state, cfg->policy);
	pg_block_init(p->state);
	pg_own_init(p->state);
	for (uint32_t t = 0; t < PAGUS_NR_TUNABLES; t++)
		p->state->tunable[t] = tunable_ranges[t].def;
	pg_spb_init(&(struct pg_call){ .st = p->state, .p = p });
	return PAGUS_OK;
}

void pagus_fini(struct pagus *p)
{
	*p = (struct pagus){ 0 };
}

enum pagus_status pagus_clone(struct pagus *dst, void *mem, size_t bytes, const struct pagus *src,
			      const struct pagus_port *port, void *port_ctx)
{
	if (bytes < src->state->bytes)
		return PAGUS_TOO_SMALL;
	memcpy(mem, src->state, src->state->bytes);
	*dst = (struct pagus){ .state = mem, .port = port, .port_ctx = port_ctx };
	return PAGUS_OK;
}

size_t pagus_state_bytes(const struct pagus *p)
{
	return p->state->bytes;
}

uint64_t pagus_digest(const struct pagus *p)
{
	const struct pagus_state *st = p->state;
	uint64_t lists = pg_digest(pg_zonelists(st, *pg_zonelist_turn(st)),
				   pg_zonelists_bytes(st->nr_nodes, st->nr_zones));

	return pg_digest(st, st->digest_bytes) ^ lists * UINT64_C(0x9e3779b97f4a7c15);
}

int pagus_check(const struct pagus *p, pagus_pfn_t *where)
{
	return pg_check(p->state, where);
}

/* What passes through a cache nobody is told of. With a listener there none opens. */
static void close_caches(struct pagus *p)
{
	struct pg_call c = pg_call_begin(p);

	for (uint32_t id = 0; id < c.st->nr_zones; id++)
		pg_cache_close_all(&c, pg_zone(c.st, id));
	pg_call_end(&c);
}

void pagus_listen(struct pagus *p, pagus_listener *fn, void *ctx, uint64_t mask)
{
	p->listener = fn;
	p->listener_ctx = ctx;
	p->listener_mask = fn ? mask : 0;
	if (p->listener_mask && p->port->cache_close)
		close_caches(p);
}

/* ---- calls: pin, do, unpin ------------------------------------------------------------------- */

#define IN_CALL(expression)                                                                        \
	do {                                                                                      \
		struct pg_call c = pg_call_begin(p);                                              \
		enum pagus_status status = (expression);                                          \
		pg_call_end(&c);                                                                  \
		return status;                                                                    \
	} while (0)

enum pagus_status pagus_alloc(struct pagus *p, const struct pagus_request *req,
			      struct pagus_result *res)
{
	IN_CALL(pg_alloc(&c, req, res));
}

enum pagus_status pagus_alloc_pages(struct pagus *p, uint32_t gfp, uint32_t order, pagus_pfn_t *pfn)
{
	const struct pagus_request req = { .gfp = gfp, .order = order, .node = PAGUS_NO_NODE };
	struct pagus_result res;

	pagus_alloc(p, &req, &res);
	*pfn = res.pfn;
	return res.status;
}

enum pagus_status pagus_free_pages(struct pagus *p, pagus_pfn_t pfn, uint32_t order)
{
	IN_CALL(pg_free(&c, pfn, order));
}

enum pagus_status pagus_split_pages(struct pagus *p, pagus_pfn_t pfn, uint32_t order, uint32_t to)
{
	IN_CALL(pg_split(&c, pfn, order, to));
}

enum pagus_status pagus_get_page(struct pagus *p, pagus_pfn_t pfn)
{
	IN_CALL(pg_reference_get(&c, pfn));
}

enum pagus_status pagus_put_pages(struct pagus *p, pagus_pfn_t pfn, uint32_t order)
{
	IN_CALL(pg_reference_put(&c, pfn, order, pg_free_checked));
}

enum pagus_status pagus_alloc_exact(struct pagus *p, uint32_t gfp, uint32_t nr_pages,
				    pagus_pfn_t *pfn)
{
	IN_CALL(pg_alloc_exact(&c, gfp, nr_pages, pfn));
}

enum pagus_status pagus_free_exact(struct pagus *p, pagus_pfn_t pfn, uint32_t nr_pages)
{
	IN_CALL(pg_free_exact(&c, pfn, nr_pages));
}

enum pagus_status pagus_alloc_nolock(struct pagus *p, uint32_t node, uint32_t order,
				     struct pagus_result *res)
{
	const struct pagus_request req = { .gfp = PAGUS_GFP_NOLOCK, .order = order, .node = node };

	IN_CALL(pg_alloc_nolock(&c, &req, res));
}

enum pagus_status pagus_free_nolock(struct pagus *p, pagus_pfn_t pfn, uint32_t order)
{
	IN_CALL(pg_free_nolock(&c, pfn, order));
}

enum pagus_status pagus_alloc_mpol(struct pagus *p, struct pagus_mempolicy *policy,
				   const struct pagus_request *req, struct pagus_result *res)
{
	IN_CALL(pg_alloc_mpol(&c, policy, req, res));
}

uint32_t pagus_alloc_bulk(struct pagus *p, uint32_t gfp, uint32_t node, uint32_t nr,
			  pagus_pfn_t *pfns)
{
	const struct pagus_request req = { .gfp = gfp, .node = node };
	struct pg_call c = pg_call_begin(p);
	uint32_t filled = pg_alloc_bulk(&c, &req, nr, pfns);

	pg_call_end(&c);
	return filled;
}

uint32_t pagus_free_bulk(struct pagus *p, const pagus_pfn_t *pfns, uint32_t nr)
{
	struct pg_call c = pg_call_begin(p);
	uint32_t freed = pg_free_bulk(&c, pfns, nr);

	pg_call_end(&c);
	return freed;
}

static enum pagus_status drain_cpu(struct pg_call *c, uint32_t cpu)
{
	if (cpu >= c->st->nr_cpus)
		return PAGUS_BAD_VALUE;
	for (uint32_t id = 0; id < c->st->nr_zones; id++)
		pg_pcp_drain_all(c, pg_zone(c->st, id), cpu);
	return PAGUS_OK;
}

enum pagus_status pagus_drain_cpu(struct pagus *p, uint32_t cpu)
{
	IN_CALL(drain_cpu(&c, cpu));
}

static enum pagus_status drain_zone(struct pg_call *c, uint32_t zone)
{
	if (zone >= c->st->nr_zones)
		return PAGUS_BAD_VALUE;
	for (uint32_t cpu = 0; cpu < c->st->nr_cpus; cpu++)
		pg_pcp_drain_all(c, pg_zone(c->st, zone), cpu);
	return PAGUS_OK;
}

enum pagus_status pagus_drain_zone(struct pagus *p, uint32_t zone)
{
	IN_CALL(drain_zone(&c, zone));
}

void pagus_drain_all(struct pagus *p)
{
	for (uint32_t cpu = 0; cpu < p->state->nr_cpus; cpu++)
		if (pg_cpu_online(p->state, cpu))
			pagus_drain_cpu(p, cpu);
}

/* ---- owners ---------------------------------------------------------------------------------- */

enum pagus_status pagus_set_tag(struct pagus *p, pagus_pfn_t pfn, uint32_t order, uint32_t tag)
{
	return pg_tag_set(p->state, pfn, order, tag);
}

enum pagus_status pagus_tag(const struct pagus *p, pagus_pfn_t pfn, uint32_t order, uint32_t *tag)
{
	return pg_tag_get(p->state, pfn, order, tag);
}

enum pagus_status pagus_set_movable(struct pagus *p, pagus_pfn_t pfn, uint32_t order, bool movable)
{
	IN_CALL(pg_movable_set(&c, pfn, order, movable));
}

/* ---- CPUs and pcps --------------------------------------------------------------------------- */

enum pagus_status pagus_cpu_down(struct pagus *p, uint32_t cpu)
{
	IN_CALL(pg_cpu_down(&c, cpu));
}

enum pagus_status pagus_cpu_up(struct pagus *p, uint32_t cpu)
{
	IN_CALL(pg_cpu_up(&c, cpu));
}

enum pagus_status pagus_zone_pcp_disable(struct pagus *p, uint32_t zone)
{
	IN_CALL(pg_pcp_disable(&c, zone));
}

enum pagus_status pagus_zone_pcp_enable(struct pagus *p, uint32_t zone)
{
	IN_CALL(pg_pcp_enable(&c, zone));
}

void pagus_tick(struct pagus *p)
{
	struct pg_call c = pg_call_begin(p);

	pg_pcp_tick(&c);
	pg_rate_tick(&c);
	pg_call_end(&c);
}

static bool (*const turns[PAGUS_NR_WORKERS])(struct pg_call *c, uint32_t node) = {
	[PAGUS_WORKER_KSWAPD] = pg_kswapd_turn, [PAGUS_WORKER_KCOMPACTD] = pg_kcompactd_turn,
	[PAGUS_WORKER_EVACUATE] = pg_evacuate_turn,
};

bool pagus_work(struct pagus *p, enum pagus_worker worker, uint32_t node)
{
	struct pg_call c;
	bool more;

	if (worker >= PAGUS_NR_WORKERS || node >= p->state->nr_nodes)
		return false;
	c = pg_call_begin(p);
	more = turns[worker](&c, node);
	pg_call_end(&c);
	return more;
}

bool pagus_evacuate_tick(struct pagus *p, uint32_t node)
{
	struct pg_call c = pg_call_begin(p);
	bool more = pg_evacuate_tick(&c, node);

	pg_call_end(&c);
	return more;
}

/* ---- hand-over ------------------------------------------------------------------------------- */

enum pagus_status pagus_boot_free(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages)
{
	IN_CALL(pg_seed_boot_free(&c, start, nr_pages));
}

enum pagus_status pagus_inherit(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				enum pagus_migratetype type)
{
	IN_CALL(pg_seed_inherit(&c, start, nr_pages, type));
}

static enum pagus_status boot_done(struct pg_call *c)
{
	if (c->st->pcp_disabled)
		return PAGUS_BUSY;
	pg_cma_activate(c);
	pg_watermark_setup(c->st);
	pg_zonelist_build(c);
	if (!pg_places[c->st->place_policy]->mobility_off)
		pg_mobility_setup(c->st);
	c->st->booted = 1;
	return PAGUS_OK;
}

enum pagus_status pagus_boot_done(struct pagus *p)
{
	IN_CALL(boot_done(&c));
}

static enum pagus_status seed_block(struct pg_call *c, pagus_pfn_t pfn, uint32_t type)
{
	enum pagus_status status = pg_seed_block(c, pfn, type);

	if (status == PAGUS_OK && pg_page_zone(c->st, pg_index(c->st, pfn)) != PG_NO_ZONE)
		pg_pcp_retyped(c, pg_index(c->st, pfn), type);
	return status;
}

enum pagus_status pagus_seed_block(struct pagus *p, pagus_pfn_t pfn, enum pagus_migratetype type)
{
	IN_CALL(seed_block(&c, pfn, type));
}

enum pagus_status pagus_seed_free(struct pagus *p, pagus_pfn_t pfn, uint32_t order,
				  enum pagus_migratetype type)
{
	IN_CALL(pg_seed_free(&c, pfn, order, type));
}

enum pagus_status pagus_seed_used(struct pagus *p, pagus_pfn_t pfn, uint32_t order,
				  enum pagus_migratetype type)
{
	IN_CALL(pg_seed_used(&c, pfn, order, type));
}

enum pagus_status pagus_seed_pcp(struct pagus *p, uint32_t cpu, pagus_pfn_t pfn, uint32_t list)
{
	IN_CALL(pg_seed_pcp_block(&c, cpu, pfn, list));
}

enum pagus_status pagus_seed_zone(struct pagus *p, uint32_t node, enum pagus_zone_type type,
				  const struct pagus_zone_seed *seed)
{
	return p->state->pcp_disabled ? PAGUS_BUSY : pg_seed_zone(p->state, node, type, seed);
}

enum pagus_status pagus_seed_pcp_state(struct pagus *p, uint32_t node, enum pagus_zone_type type,
				       uint32_t cpu, const struct pagus_pcp_seed *seed)
{
	return pg_seed_pcp_state(p->state, node, type, cpu, seed);
}

/* ---- tunables -------------------------------------------------------------------------------- */

static bool sets_content(enum pagus_tunable tunable)
{
	return tunable == PAGUS_TUNABLE_init_on_alloc || tunable == PAGUS_TUNABLE_init_on_free ||
	       tunable == PAGUS_TUNABLE_page_poison;
}

/* What a free page holds is decided before there is one. */
static bool any_handed_over(const struct pagus_state *st)
{
	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (pg_zone(st, id)->handed_over)
			return true;
	return false;
}

/* The others are read where they act. */
static bool sets_marks(enum pagus_tunable tunable)
{
	switch (tunable) {
	case PAGUS_TUNABLE_min_free_kbytes:
	case PAGUS_TUNABLE_watermark_scale_factor:
	case PAGUS_TUNABLE_percpu_pagelist_high_fraction:
	case PAGUS_TUNABLE_pcp_batch_scale_max:
	case PAGUS_TUNABLE_lowmem_reserve_ratio_dma:
	case PAGUS_TUNABLE_lowmem_reserve_ratio_dma32:
	case PAGUS_TUNABLE_lowmem_reserve_ratio_normal:
	case PAGUS_TUNABLE_lowmem_reserve_ratio_highmem:
	case PAGUS_TUNABLE_lowmem_reserve_ratio_movable:
		return true;
	default:
		return false;
	}
}

/* What has been counted so far is forgotten. */
static void forget_numa(struct pagus_state *st)
{
	static const enum pagus_counter counters[] = {
		PAGUS_COUNTER_numa_hit, PAGUS_COUNTER_numa_miss, PAGUS_COUNTER_numa_foreign,
		PAGUS_COUNTER_numa_interleave, PAGUS_COUNTER_numa_local, PAGUS_COUNTER_numa_other,
	};

	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++)
		for (size_t n = 0; n < sizeof(counters) / sizeof(counters[0]); n++)
			pg_write(pg_counters(st, cpu)[counters[n]], 0);
}

/* Whoever sets how readily kcompactd works wants to see it do so. */
static void check_nodes(struct pagus *p)
{
	for (uint32_t node = 0; node < p->state->nr_nodes; node++) {
		pg_atomic_store(&pg_node(p->state, node)->compact_pause, 0);
		pg_kcompactd_check(p, node);
	}
}

enum pagus_status pagus_tunable_set(struct pagus *p, enum pagus_tunable tunable, uint32_t value)
{
	if (tunable >= PAGUS_NR_TUNABLES || value < tunable_ranges[tunable].min ||
	    value > tunable_ranges[tunable].max)
		return PAGUS_BAD_VALUE;
	if (tunable == PAGUS_TUNABLE_percpu_pagelist_high_fraction && value > 0 && value < 8)
		return PAGUS_BAD_VALUE;
	if ((p->state->pcp_disabled && sets_marks(tunable)) ||
	    (sets_content(tunable) && any_handed_over(p->state)))
		return PAGUS_BUSY;
	p->state->tunable[tunable] = value;
	if (tunable == PAGUS_TUNABLE_min_free_kbytes)
		p->state->user_min_free_kbytes = value;
	pg_content_setup(p->state);
	if (tunable == PAGUS_TUNABLE_numa_stat && value == 0)
		forget_numa(p->state);
	if (tunable == PAGUS_TUNABLE_compact_rate)
		pg_rate_start(p->state);
	if (tunable == PAGUS_TUNABLE_compaction_proactiveness && value > 0)
		check_nodes(p);
	if (p->state->booted && sets_marks(tunable))
		pg_watermark_setup(p->state);
	return PAGUS_OK;
}

uint32_t pagus_tunable_get(const struct pagus *p, enum pagus_tunable tunable)
{
	return tunable < PAGUS_NR_TUNABLES ? p->state->tunable[tunable] : 0;
}
