/* SPDX-License-Identifier: MIT */
/*
 * A port with everything that the slow path may ask for: pages to reclaim, a compactor, a victim, a
 * cpuset, and a diary of what was asked in which order.
 *
 * Diary: R direct reclaim, A asynchronous, L light, F full compaction, O the OOM killer, w wait for
 * reclaim, v wait for a victim, t throttled, k wake kswapd, K its reclaim, c charge, u uncharge.
 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include "unit/unit.h"

#include <string.h>

#define WORLD_ROOM 65536

struct world {
	struct lab lab; /* first: the port's ctx lies in it */
	struct pagus_port port;
	char diary[1024];
	uint32_t nr_diary;

	pagus_pfn_t cache[WORLD_ROOM]; /* single pages that reclaim frees, oldest first */
	uint32_t cache_first, nr_cache;
	pagus_pfn_t victim[WORLD_ROOM]; /* and the OOM killer, or a wait for it */
	uint32_t nr_victim;
	bool victim_lingers;            /* its pages come while somebody waits for it, one a wait */

	void (*each_throttle)(struct world *w); /* while a request waits; NULL: nothing */
	uint32_t task;
	uint64_t mems, ancestor_mems;
	struct pagus_node_usage usage[4];
	enum pagus_compact_result compact_result;
	struct pagus_reclaim last_reclaim;
	struct pagus_oom last_oom;
	uint64_t claimed_progress;   /* reclaim says so without freeing anything */
	uint64_t claimed_reclaimable;
	uint32_t task_seen;          /* flags while reclaim, compact or oom ran */
	bool nested;                 /* reclaim allocates a page itself */
	struct pagus_result nested_result;
	bool refuse_charge;
};

static inline struct world *world_of(void *ctx)
{
	return (struct world *)((char *)ctx - offsetof(struct world, lab.sim));
}

static inline void world_note(struct world *w, char what)
{
	if (w->nr_diary < sizeof(w->diary) - 1)
		w->diary[w->nr_diary++] = what;
	w->diary[w->nr_diary] = '\0';
}

static inline void world_expect_diary(struct world *w, const char *want)
{
	assert_string_equal(w->diary, want);
	w->nr_diary = 0;
	w->diary[0] = '\0';
}

static inline uint64_t world_reclaim(void *ctx, const struct pagus_reclaim *how)
{
	struct world *w = world_of(ctx);
	const struct pagus_request nested = { .gfp = GFP_KERNEL, .node = PAGUS_NO_NODE };
	uint64_t freed = 0;

	world_note(w, how->kswapd ? 'K' : 'R');
	w->last_reclaim = *how;
	w->task_seen = w->task;
	if (w->nested)
		pagus_alloc(&w->lab.p, &nested, &w->nested_result);
	for (; freed < how->nr_pages && w->cache_first < w->nr_cache; freed++)
		unit_free(&w->lab, w->cache[w->cache_first++], 0);
	return freed + w->claimed_progress;
}

static inline uint64_t world_reclaimable(void *ctx, uint32_t node, uint32_t type)
{
	struct world *w = world_of(ctx);

	(void)node;
	(void)type;
	return w->nr_cache - w->cache_first + w->claimed_reclaimable;
}

static inline enum pagus_compact_result world_compact(void *ctx, const struct pagus_compact *how)
{
	struct world *w = world_of(ctx);

	world_note(w, "FLA"[how->mode]);
	w->task_seen = w->task;
	return w->compact_result;
}

static inline void world_bury(struct world *w, uint32_t most)
{
	for (; most > 0 && w->nr_victim > 0; most--)
		unit_free(&w->lab, w->victim[--w->nr_victim], 0);
}

static inline enum pagus_oom_answer world_oom(void *ctx, const struct pagus_oom *what)
{
	struct world *w = world_of(ctx);

	world_note(w, 'O');
	w->last_oom = *what;
	w->task_seen = w->task;
	if (w->nr_victim == 0)
		return PAGUS_OOM_NOTHING;
	if (!w->victim_lingers)
		world_bury(w, WORLD_ROOM);
	return PAGUS_OOM_KILLED;
}

static inline void world_wait(void *ctx, enum pagus_wait why)
{
	struct world *w = world_of(ctx);

	world_note(w, why == PAGUS_WAIT_OOM ? 'v' : why == PAGUS_WAIT_THROTTLE ? 't' : 'w');
	if (why == PAGUS_WAIT_THROTTLE && w->each_throttle)
		w->each_throttle(w);
	if (w->victim_lingers)
		world_bury(w, 1);
}

static inline uint32_t *world_task(void *ctx)
{
	return &world_of(ctx)->task;
}

static inline uint64_t world_mems(void *ctx, bool ancestor)
{
	return ancestor ? world_of(ctx)->ancestor_mems : world_of(ctx)->mems;
}

static inline void world_usage(void *ctx, uint32_t node, struct pagus_node_usage *usage)
{
	*usage = world_of(ctx)->usage[node];
}

static inline void world_wake(void *ctx, enum pagus_worker worker, uint32_t node)
{
	(void)node;
	assert_int_equal(worker, PAGUS_WORKER_KSWAPD);
	world_note(world_of(ctx), 'k');
}

static inline bool world_charge(void *ctx, uint64_t pfn, uint32_t order, uint32_t gfp)
{
	(void)pfn;
	(void)order;
	assert_true(gfp & __GFP_ACCOUNT);
	world_note(world_of(ctx), 'c');
	return !world_of(ctx)->refuse_charge;
}

static inline void world_uncharge(void *ctx, uint64_t pfn, uint32_t order)
{
	(void)pfn;
	(void)order;
	world_note(world_of(ctx), 'u');
}

/* One instance in a port that has reclaim, compaction, a killer, and waits; nothing else yet. */
static inline struct world *world_boot(const struct pagus_config *cfg)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	unit_open(&w->lab, cfg);
	w->port = pagus_sim_port;
	w->port.reclaim = world_reclaim;
	w->port.reclaimable = world_reclaimable;
	w->port.compact = world_compact;
	w->port.oom = world_oom;
	w->port.wait = world_wait;
	w->port.task_flags = world_task;
	w->port.charge = world_charge;
	w->port.uncharge = world_uncharge;
	w->lab.p.port = &w->port;
	assert_int_equal(lab_hand_over(&w->lab, cfg), PAGUS_OK);
	return w;
}

static inline void world_close(struct world *w)
{
	unit_close(&w->lab);
	free(w);
}

/* Seeded marks, in pages; high is `gap` above low, low above min. */
static inline void world_marks(struct world *w, uint32_t zone, uint64_t min, uint64_t gap)
{
	const struct pagus_zone_info info = unit_zone(&w->lab, zone);
	const struct pagus_zone_seed seed = {
		.present = info.present, .managed = info.managed,
		.wmark = { min, min + gap, min + 2 * gap, min + 3 * gap },
		.pcp_batch = 1, .pcp_high_min = 4, .pcp_high_max = 4,
	};

	assert_int_equal(pagus_seed_zone(&w->lab.p, info.node, info.type, &seed), PAGUS_OK);
}

static inline struct pagus_result world_ask(struct world *w, uint32_t gfp, uint32_t order)
{
	const struct pagus_request req = { .gfp = gfp, .order = order, .node = PAGUS_NO_NODE };
	struct pagus_result res;

	pagus_alloc(&w->lab.p, &req, &res);
	return res;
}

static inline void world_refused(struct world *w, uint32_t gfp, uint32_t order,
				 enum pagus_refusal why)
{
	const struct pagus_result res = world_ask(w, gfp, order);

	assert_int_equal(res.status, PAGUS_NO_MEMORY);
	assert_string_equal(pagus_refusal_name(res.refusal), pagus_refusal_name(why));
}

/*
 * All single pages above what marks allow PF_MEMALLOC tasks, that is all: into the reclaimable
 * cache, the victim, or lost.
 */
static inline void world_fill(struct world *w, uint32_t nr_cache, uint32_t nr_victim)
{
	const struct pagus_request req = { .gfp = GFP_KERNEL, .node = PAGUS_NO_NODE,
					   .task = PAGUS_TASK_MEMALLOC };
	struct pagus_result res;

	while (pagus_alloc(&w->lab.p, &req, &res) == PAGUS_OK) {
		if (w->nr_cache < nr_cache)
			w->cache[w->nr_cache++] = res.pfn;
		else if (w->nr_victim < nr_victim)
			w->victim[w->nr_victim++] = res.pfn;
	}
	w->nr_diary = 0;
	w->diary[0] = '\0';
}

/* Marks 100, 200, 300; `nr_free` pages are free, `nr_cache` reclaimable; with a worker. */
static inline struct world *world_low(const struct pagus_config *cfg, uint32_t nr_free,
				      uint32_t nr_cache)
{
	struct world *w = world_boot(cfg);

	world_marks(w, 0, 0, 0);
	world_fill(w, nr_free + nr_cache, 0);
	for (; w->cache_first < nr_free; w->cache_first++)
		unit_free(&w->lab, w->cache[w->cache_first], 0);
	pagus_drain_all(&w->lab.p);
	world_marks(w, 0, 100, 100);
	w->port.wake = world_wake;
	return w;
}

#endif
