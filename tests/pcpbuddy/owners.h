/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the policies whose CPUs own pageblocks share: one zone without marks, pcp
 * limits as given, and a port whose pcp locks can be found taken and at whose locks something can
 * happen, before and after.
 */
#ifndef TEST_OWNERS_H
#define TEST_OWNERS_H

#include "unit/unit.h"

#define BLOCK 512u

/* A test that holds for both, which finds the policy's name in *state. */
static const char owners_lists[] = "pcpbuddy", owners_maps[] = "pcpbuddy-bitmap";
static const char *const owners_policies[] = { owners_lists, owners_maps };

#define OWNERS_BOTH(test)                                                                          \
	{ #test, test, NULL, NULL, (void *)(uintptr_t)owners_lists },                              \
	{ #test ", bitmap", test, NULL, NULL, (void *)(uintptr_t)owners_maps }

struct owners {
	struct lab lab; /* first: the port's ctx lies in it */
	struct pagus_port port;
	struct pagus_range range;
	bool pcps_taken;             /* every trylock of a pcp fails */
	uint64_t nr_pcp_waits;       /* pcp locks that were waited for */
	void (*at_lock)(struct owners *o, enum pagus_lock_class cls); /* before a lock is taken */
	void (*unlocked)(struct owners *o, enum pagus_lock_class cls);
};

/* What happens before a lock is taken. */
static inline struct owners *owners_at_lock(void *ctx, enum pagus_lock_class cls)
{
	struct owners *o = (struct owners *)((char *)ctx - offsetof(struct owners, lab.sim));

	assert_true(o->lab.sim.pins > 0);
	if (o->at_lock)
		o->at_lock(o, cls);
	return o;
}

static inline void owners_lock(void *ctx, enum pagus_lock_class cls, uint32_t index,
			       enum pagus_lock_reason why)
{
	owners_at_lock(ctx, cls)->nr_pcp_waits += cls == PAGUS_LOCK_PCP;
	pagus_sim_port.lock(ctx, cls, index, why);
}

static inline bool owners_trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
				  enum pagus_lock_reason why)
{
	if (owners_at_lock(ctx, cls)->pcps_taken && cls == PAGUS_LOCK_PCP)
		return false;
	return pagus_sim_port.trylock(ctx, cls, index, why);
}

static inline void owners_unlock(void *ctx, enum pagus_lock_class cls, uint32_t index,
				 uint32_t work)
{
	struct owners *o = (struct owners *)((char *)ctx - offsetof(struct owners, lab.sim));

	pagus_sim_port.unlock(ctx, cls, index, work);
	if (o->unlocked)
		o->unlocked(o, cls);
}

/* `pages` pages from pfn 0 in one zone, all free; batch and a fixed high. */
static inline struct owners *owners_boot(const char *policy, uint64_t pages, uint32_t nr_cpus,
					 uint32_t batch, uint32_t high)
{
	struct owners *o = calloc(1, sizeof(*o));
	struct pagus_config cfg;

	assert_non_null(o);
	o->range = (struct pagus_range){ 0, pages, 0, PAGUS_ZONE_BY_CEILING };
	cfg = lab_config(&o->range, 1, policy);
	cfg.nr_cpus = nr_cpus;
	unit_boot(&o->lab, &cfg);
	o->port = pagus_sim_port;
	o->port.lock = owners_lock;
	o->port.trylock = owners_trylock;
	o->port.unlock = owners_unlock;
	o->lab.p.port = &o->port;
	unit_limits(&o->lab, 0, batch, high, high);
	return o;
}

static inline void owners_close(struct owners *o)
{
	for (uint32_t cls = 0; cls < PAGUS_NR_LOCK_CLASSES; cls++)
		assert_false(o->lab.sim.hold[cls].held);
	unit_close(&o->lab);
	free(o);
}

static inline void owners_on(struct owners *o, uint32_t cpu)
{
	pagus_sim_on(&o->lab.sim, cpu, 0);
}

static inline pagus_pfn_t owners_alloc(struct owners *o, uint32_t cpu, uint32_t gfp, uint32_t order)
{
	owners_on(o, cpu);
	return unit_alloc(&o->lab, gfp, order);
}

static inline void owners_free(struct owners *o, uint32_t cpu, pagus_pfn_t pfn, uint32_t order)
{
	owners_on(o, cpu);
	unit_free(&o->lab, pfn, order);
}

/* `nr` single movable pages by one CPU, in the order in which they came. */
static inline void owners_take(struct owners *o, uint32_t cpu, pagus_pfn_t *pfns, uint32_t nr)
{
	for (uint32_t n = 0; n < nr; n++)
		pfns[n] = owners_alloc(o, cpu, GFP_USER_PAGE, 0);
}

static inline void owners_give(struct owners *o, uint32_t cpu, const pagus_pfn_t *pfns, uint32_t nr)
{
	for (uint32_t n = 0; n < nr; n++)
		owners_free(o, cpu, pfns[n], 0);
}

static inline struct pagus_page_info owners_page(const struct owners *o, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	assert_int_equal(pagus_page_info(&o->lab.p, pfn, &info), PAGUS_OK);
	return info;
}

static inline uint64_t owners_count(const struct owners *o, enum pagus_counter counter)
{
	return pagus_counter_read(&o->lab.p, counter);
}

static inline uint64_t owners_zone_locks(const struct owners *o)
{
	return pagus_sim_total(&o->lab.sim, PAGUS_LOCK_ZONE).acquisitions;
}

/* In a random order. */
static inline void owners_shuffle(pagus_pfn_t *pfns, uint32_t nr, uint64_t *seed)
{
	for (uint32_t n = nr; n > 1; n--) {
		uint32_t other = (uint32_t)lab_random(seed, n);
		pagus_pfn_t pfn = pfns[n - 1];

		pfns[n - 1] = pfns[other];
		pfns[other] = pfn;
	}
}

#endif
