/* SPDX-License-Identifier: MIT */
/* What the unit tests share: cmocka assertions about one instance. */
#ifndef TEST_UNIT_H
#define TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/lab.h"

/* All but those that tell how decisions are made. */
#define UNIT_ALL_EVENTS (~PAGUS_DECISION_EVENTS)
#define UNIT_CLAIMED    0x100u /* in arg_b of EXTFRAG: ownership of the pageblock changed */
#define GFP_RECLAIM_SLAB (GFP_KERNEL | __GFP_RECLAIMABLE)
#define GFP_USER_PAGE    (GFP_KERNEL | __GFP_MOVABLE)

#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Where random numbers begin: PAGUS_SEED, printed so that a failure can be repeated. */
static inline uint64_t unit_seed(void)
{
	uint64_t seed = lab_env("PAGUS_SEED", 1);

	print_message("PAGUS_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* A request of each ordinary migratetype that any Normal zone may serve. */
static inline uint32_t unit_gfp(uint32_t type)
{
	static const uint32_t gfps[] = { GFP_KERNEL, GFP_USER_PAGE, GFP_RECLAIM_SLAB };

	return gfps[type];
}

static inline void unit_check(const struct lab *lab)
{
	pagus_pfn_t where;
	int broken = pagus_check(&lab->p, &where);

	if (broken)
		fail_msg("invariant %d near pfn %#llx: %s", broken, (unsigned long long)where,
			 pagus_invariant_text(broken));
}

static inline void unit_open(struct lab *lab, const struct pagus_config *cfg)
{
	assert_int_equal(lab_open(lab, cfg), PAGUS_OK);
}

static inline void unit_boot(struct lab *lab, const struct pagus_config *cfg)
{
	unit_open(lab, cfg);
	assert_int_equal(lab_hand_over(lab, cfg), PAGUS_OK);
}

static inline void unit_close(struct lab *lab)
{
	unit_check(lab);
	assert_int_equal(lab->sim.pins, 0);
	lab_close(lab);
}

static inline struct pagus_zone_info unit_zone(const struct lab *lab, uint32_t zone)
{
	struct pagus_zone_info info;

	assert_int_equal(pagus_zone_info(&lab->p, zone, &info), PAGUS_OK);
	return info;
}

static inline struct pagus_pcp_info unit_pcp(const struct lab *lab, uint32_t zone, uint32_t cpu)
{
	struct pagus_pcp_info info;

	assert_int_equal(pagus_pcp_info(&lab->p, zone, cpu, &info), PAGUS_OK);
	return info;
}

static inline enum pagus_migratetype unit_block_type(const struct lab *lab, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	assert_int_equal(pagus_page_info(&lab->p, pfn, &info), PAGUS_OK);
	return info.block_type;
}

static inline pagus_pfn_t unit_alloc(struct lab *lab, uint32_t gfp, uint32_t order)
{
	pagus_pfn_t pfn;

	assert_int_equal(pagus_alloc_pages(&lab->p, gfp, order, &pfn), PAGUS_OK);
	return pfn;
}

static inline void unit_no_memory(struct lab *lab, uint32_t gfp, uint32_t order)
{
	pagus_pfn_t pfn;

	assert_int_equal(pagus_alloc_pages(&lab->p, gfp, order, &pfn), PAGUS_NO_MEMORY);
	assert_true(pfn == PAGUS_NO_PFN);
}

static inline void unit_free(struct lab *lab, pagus_pfn_t pfn, uint32_t order)
{
	assert_int_equal(pagus_free_pages(&lab->p, pfn, order), PAGUS_OK);
}

/*
 * The recorded state of a pageblock: its type, then which of its pages are free and what the rest
 * is.
 */
static inline void unit_seed_block(struct lab *lab, pagus_pfn_t pfn, enum pagus_migratetype type)
{
	assert_int_equal(pagus_seed_block(&lab->p, pfn, type), PAGUS_OK);
}

static inline void unit_seed_free(struct lab *lab, pagus_pfn_t pfn, uint32_t order)
{
	assert_int_equal(pagus_seed_free(&lab->p, pfn, order, PAGUS_MOVABLE), PAGUS_OK);
}

static inline void unit_inherit(struct lab *lab, pagus_pfn_t start, uint64_t nr_pages,
				enum pagus_migratetype type)
{
	if (nr_pages)
		assert_int_equal(pagus_inherit(&lab->p, start, nr_pages, type), PAGUS_OK);
}

/* Zonelists, and marks of zero whatever the zone's size; pcp limits as given. */
static inline void unit_limits(struct lab *lab, uint32_t zone, uint32_t batch, uint32_t high_min,
			       uint32_t high_max)
{
	struct pagus_zone_info info = unit_zone(lab, zone);
	const struct pagus_zone_seed seed = {
		.present = info.present, .managed = info.managed, .pcp_batch = batch,
		.pcp_high_min = high_min, .pcp_high_max = high_max,
	};

	assert_int_equal(pagus_seed_zone(&lab->p, info.node, info.type, &seed), PAGUS_OK);
}

static inline void unit_seeded(struct lab *lab)
{
	assert_int_equal(pagus_boot_done(&lab->p), PAGUS_OK);
	for (uint32_t zone = 0; zone < pagus_nr_zones(&lab->p); zone++)
		unit_limits(lab, zone, 1, 4, 4);
	unit_check(lab);
}

/*
 * All of 8192 pages free in one Normal zone, under policy linux with these pcp limits and no
 * marks.
 */
static inline void unit_boot_pcp(struct lab *lab, uint32_t batch, uint32_t high_min,
				 uint32_t high_max)
{
	static const struct pagus_range range = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");

	unit_boot(lab, &cfg);
	unit_limits(lab, 0, batch, high_min, high_max);
}

static inline void unit_expect_pfns(const pagus_pfn_t *got, uint64_t nr_got,
				    const pagus_pfn_t *want, uint64_t nr_want)
{
	assert_int_equal(nr_got, nr_want);
	for (uint64_t n = 0; n < nr_want; n++)
		assert_int_equal(got[n], want[n]);
}

static inline void unit_expect_list(const struct lab *lab, uint32_t zone, uint32_t order,
				    enum pagus_migratetype type, const pagus_pfn_t *want,
				    uint64_t nr_want)
{
	pagus_pfn_t got[64];
	uint64_t nr = pagus_free_list(&lab->p, zone, order, type, got, NR_OF(got));

	unit_expect_pfns(got, nr, want, nr_want);
}

static inline void unit_expect_pcp(const struct lab *lab, uint32_t list, const pagus_pfn_t *want,
				   uint64_t nr_want)
{
	pagus_pfn_t got[64];
	uint64_t nr = pagus_pcp_list(&lab->p, 0, lab->sim.cpu, list, got, NR_OF(got));

	unit_expect_pfns(got, nr, want, nr_want);
}

/* The list from head to tail holds exactly these pfns. */
#define PFNS(...)                                                                                  \
	(const pagus_pfn_t[]){ __VA_ARGS__ }, NR_OF(((const pagus_pfn_t[]){ __VA_ARGS__ }))
#define NO_PFNS   NULL, 0

/* The n-th event of the log, which must be of this kind. */
static inline struct pagus_event unit_event(const struct lab *lab, uint32_t n,
					    enum pagus_event_id id)
{
	assert_true(n < lab->nr_events && n < LAB_LOG_EVENTS);
	assert_string_equal(pagus_event_name((enum pagus_event_id)lab->log[n].id),
			    pagus_event_name(id));
	return lab->log[n];
}

static inline uint64_t unit_counter(const struct lab *lab, enum pagus_counter counter)
{
	return pagus_counter_read(&lab->p, counter);
}

#endif
