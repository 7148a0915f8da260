/* SPDX-License-Identifier: MIT */
/* What the tests of port/posix share: an instance, patterns in blocks, threads, the end check. */
#ifndef TEST_POSIX_H
#define TEST_POSIX_H

#include <pagus/posix.h>

#include "unit/unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB        (UINT64_C(1) << 20)
#define GIB        (UINT64_C(1) << 30)
#define PAGE_BYTES UINT64_C(4096)
#define NR_THREADS 4

/* Nothing that waits: whether there is memory does not depend on the others' speed. */
#define GFP_TRY (GFP_KERNEL & ~__GFP_DIRECT_RECLAIM)

static inline struct pagus_posix *open_with(const struct pagus_posix_config *config)
{
	struct pagus_posix *x;

	if (pagus_posix_create(config, &x) != PAGUS_OK)
		fail_msg("%s", pagus_posix_error());
	assert_string_equal(pagus_posix_error(), "");
	return x;
}

static inline struct pagus_posix *open_bytes(uint64_t bytes)
{
	return open_with(&(struct pagus_posix_config){ .bytes = bytes });
}

static inline void expect_sound(struct pagus_posix *x)
{
	pagus_pfn_t where = 0;
	int broken;

	pagus_posix_freeze();
	broken = pagus_check(pagus_posix_instance(x), &where);
	pagus_posix_thaw();
	if (broken)
		fail_msg("invariant %d at pfn %llu: %s", broken, (unsigned long long)where,
			 pagus_invariant_text(broken));
}

/* Free pages of all zones, when pcps and what is deferred have been given back. */
static inline uint64_t free_pages(struct pagus_posix *x)
{
	struct pagus *p = pagus_posix_instance(x);
	struct pagus_zone_info info;
	uint64_t nr = 0;

	pagus_drain_all(p);
	pagus_posix_freeze();
	for (uint32_t zone = 0; zone < pagus_nr_zones(p); zone++) {
		pagus_zone_info(p, zone, &info);
		nr += info.free_pages + info.pcp_pages + info.deferred_pages;
	}
	pagus_posix_thaw();
	return nr;
}

/* All memory is free again, and the instance sound. */
static inline void close_empty(struct pagus_posix *x, uint64_t bytes)
{
	expect_sound(x);
	assert_int_equal(free_pages(x), bytes / PAGE_BYTES);
	pagus_posix_destroy(x);
}

/* ---- patterns: a word in each 256 bytes of a block, by its address and a key ----------------- */

#define PATTERN_STRIDE 32

static inline uint64_t pattern(const uint64_t *word, uint64_t key)
{
	return ((uint64_t)(uintptr_t)word ^ key) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline void pattern_write(void *block, uint32_t order, uint64_t key)
{
	uint64_t *words = block;

	for (uint64_t n = 0; n < PAGE_BYTES << order >> 3; n += PATTERN_STRIDE)
		words[n] = pattern(&words[n], key);
}

static inline bool pattern_stands(const void *block, uint32_t order, uint64_t key)
{
	const uint64_t *words = block;

	for (uint64_t n = 0; n < PAGE_BYTES << order >> 3; n += PATTERN_STRIDE)
		if (words[n] != pattern(&words[n], key))
			return false;
	return true;
}

/* Resident pages of the memory that begins at page 0. */
static inline uint64_t resident_pages(const struct pagus_posix *x, uint64_t bytes)
{
	unsigned char *there = malloc(bytes / PAGE_BYTES);
	uint64_t nr = 0;

	assert_non_null(there);
	assert_int_equal(mincore(pagus_posix_pointer(x, 0), bytes, there), 0);
	for (uint64_t n = 0; n < bytes / PAGE_BYTES; n++)
		nr += there[n] & 1;
	free(there);
	return nr;
}

/* ---- load ------------------------------------------------------------------------------------ */

/*
 * Blocks that a thread holds, and what it does with them. cmocka asserts in the main thread alone.
 */
#define LOAD_SLOTS 256

struct load {
	struct pagus_posix *x;
	uint64_t seed;
	uint32_t nr_rounds;
	uint32_t max_order;
	uint32_t failures; /* a pattern was gone, or a free refused */
	uint64_t granted;
	void (*each_round)(struct load *load, uint32_t round); /* NULL: nothing */
	struct { void *block; uint32_t order; } slot[LOAD_SLOTS];
	pthread_t thread;
};

static inline void load_put(struct load *load, uint32_t n)
{
	void *block = load->slot[n].block;
	uint32_t order = load->slot[n].order;

	if (!block)
		return;
	load->failures += !pattern_stands(block, order, n);
	load->failures += pagus_posix_put(load->x, block, order) != PAGUS_OK;
	load->slot[n].block = NULL;
}

static inline void load_round(struct load *load)
{
	uint32_t n = (uint32_t)lab_random(&load->seed, LOAD_SLOTS);
	uint32_t order = lab_random(&load->seed, 8) ? (uint32_t)lab_random(&load->seed, 2) :
			 (uint32_t)lab_random(&load->seed, load->max_order + 1);
	uint32_t gfp = unit_gfp((uint32_t)lab_random(&load->seed, 3)) & ~__GFP_DIRECT_RECLAIM;

	load_put(load, n);
	load->slot[n].order = order;
	load->slot[n].block = pagus_posix_get(load->x, gfp, order);
	if (!load->slot[n].block)
		return;
	load->granted++;
	pattern_write(load->slot[n].block, order, n);
}

static inline void *load_run(void *arg)
{
	struct load *load = arg;

	for (uint32_t round = 0; round < load->nr_rounds; round++) {
		load_round(load);
		if (load->each_round)
			load->each_round(load, round);
	}
	for (uint32_t n = 0; n < LOAD_SLOTS; n++)
		load_put(load, n);
	return NULL;
}

static inline void load_start(struct load *load)
{
	assert_int_equal(pthread_create(&load->thread, NULL, load_run, load), 0);
}

static inline void load_join(struct load *load)
{
	pthread_join(load->thread, NULL);
	assert_int_equal(load->failures, 0);
	assert_true(load->granted > 0);
}

/* NR_THREADS of `like`, each with a seed of its own. */
static inline void load_all(const struct load *like)
{
	struct load *loads = calloc(NR_THREADS, sizeof(*loads));

	assert_non_null(loads);
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		loads[n] = *like;
		loads[n].seed = like->seed + n;
		load_start(&loads[n]);
	}
	for (uint32_t n = 0; n < NR_THREADS; n++)
		load_join(&loads[n]);
	free(loads);
}

#endif
