/* SPDX-License-Identifier: MIT */
/* Requests that would reclaim for themselves wait while little of the reserves is left. */
#include <pagus/contig.h>
#include <pagus/step.h>

#include "unit/world.h"

#define PAGES 8192
#define MIN   100

static const struct pagus_range range = { 0, PAGES, 0, PAGUS_ZONE_BY_CEILING };

static uint32_t nr_waits;

static void count(struct world *w)
{
	(void)w;
	nr_waits++;
}

static void let_kswapd_work(struct world *w)
{
	nr_waits++;
	while (pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0))
		;
}

static void die_at_the_third(struct world *w)
{
	if (++nr_waits == 3)
		w->task |= PAGUS_TASK_FATAL_SIGNAL;
}

static struct world *with(uint32_t nr_free, uint32_t nr_cache,
			  void (*each_throttle)(struct world *w))
{
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct world *w = world_low(&cfg, nr_free, nr_cache);

	w->each_throttle = each_throttle;
	nr_waits = 0;
	assert_int_equal(unit_zone(&w->lab, 0).free_pages, nr_free);
	return w;
}

static uint64_t throttled(struct world *w)
{
	return unit_counter(&w->lab, PAGUS_COUNTER_pgscan_direct_throttle);
}

/* 56. It engages iff free <= half of the min marks. */
static void property_56_half_of_the_min_marks(void **state)
{
	struct world *w = with(MIN / 2 + 1, 1000, let_kswapd_work);

	(void)state;
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	world_expect_diary(w, "kRwR");
	assert_int_equal(throttled(w), 0);
	world_close(w);
	w = with(MIN / 2, 1000, let_kswapd_work);
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	world_expect_diary(w, "ktKR");
	assert_int_equal(throttled(w), 1);
	world_close(w);
}

/* 56. Tasks of the kernel never; nor who is about to die, nor who does not reclaim. */
static void property_56_kernel_tasks_never(void **state)
{
	static const uint32_t tasks[] = { PAGUS_TASK_KTHREAD, PAGUS_TASK_FATAL_SIGNAL };

	(void)state;
	for (uint32_t n = 0; n < NR_OF(tasks); n++) {
		struct world *w = with(MIN / 2, 1000, count);

		w->task = tasks[n];
		assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
		world_expect_diary(w, "kRwR");
		assert_int_equal(throttled(w), 0);
		w->task = PAGUS_TASK_MEMALLOC;
		assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
		assert_int_equal(throttled(w), 0);
		world_close(w);
	}
}

/* 56. Without __GFP_FS 1 s at most, though kswapd never works: 100 waits of 10 ms. */
static void property_56_nofs_at_most_1_s(void **state)
{
	struct world *w = with(MIN / 2, 1000, count);

	(void)state;
	assert_int_equal(world_ask(w, GFP_NOFS, 0).status, PAGUS_OK);
	assert_int_equal(nr_waits, 100);
	assert_int_equal(throttled(w), 1);
	world_close(w);
	w = with(MIN / 2, 1000, count);
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	assert_int_equal(nr_waits, 1000);
	world_close(w);
}

/* 54. Where kswapd has given up, or there is nothing to reclaim, nobody waits for it. */
static void property_54_hopeless_nodes_throttle_nobody(void **state)
{
	struct world *w = with(MIN / 2, 1000, count);

	(void)state;
	pagus_step_kswapd_failures(&w->lab.p, 0, 16);
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	assert_int_equal(throttled(w), 0);
	world_close(w);
	w = with(MIN / 2, 0, count);
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_NO_MEMORY);
	assert_int_equal(throttled(w), 0);
	world_close(w);
	w = with(MIN / 2, 1000, count);
	w->port.wake = NULL;
	assert_int_equal(world_ask(w, GFP_KERNEL, 0).status, PAGUS_OK);
	assert_int_equal(throttled(w), 0);
	world_close(w);
}

/* Who is killed while he waits goes on without having reclaimed. */
static void the_wait_ends_with_the_task(void **state)
{
	struct world *w = with(MIN / 2, 1000, die_at_the_third);

	(void)state;
	world_ask(w, GFP_KERNEL, 0);
	assert_memory_equal(w->diary, "ktttw", 5);
	assert_int_equal(nr_waits, 3);
	assert_int_equal(throttled(w), 1);
	world_close(w);
}

/* ---- 1 GiB pages ----------------------------------------------------------------------------- */

#define GIB_PAGES (1u << 18)

/* Of node `node` all but `nr_free` pages are in use, and 1000 of those can be reclaimed. */
static void use_up(struct world *w, uint32_t node, uint32_t nr_free)
{
	const uint32_t nr = nr_free + 1000;
	struct pagus_request req = { .gfp = GFP_NOWAIT | __GFP_THISNODE, .node = node,
				     .task = PAGUS_TASK_MEMALLOC };
	struct pagus_result res;

	for (; w->nr_cache < nr && pagus_alloc(&w->lab.p, &req, &res) == PAGUS_OK; w->nr_cache++)
		w->cache[w->nr_cache] = res.pfn;
	for (int order = 9; order >= 0; order--) {
		req.order = (uint32_t)order;
		while (pagus_alloc(&w->lab.p, &req, &res) == PAGUS_OK)
			;
	}
	for (; w->cache_first < nr_free; w->cache_first++)
		unit_free(&w->lab, w->cache[w->cache_first], 0);
	pagus_drain_all(&w->lab.p);
}

/*
 * A 1 GiB page is made of one node's memory: who asks for it waits for that node's kswapd, however
 * much is free elsewhere, and for no other's.
 */
static void a_gigantic_page_is_throttled_by_its_own_node(void **state)
{
	static const struct pagus_range nodes[] = {
		{ 0, GIB_PAGES, 0, PAGUS_ZONE_BY_CEILING },
		{ GIB_PAGES, GIB_PAGES, 1, PAGUS_ZONE_BY_CEILING },
	};
	struct pagus_config cfg = lab_config(nodes, 2, "superpageblock");

	(void)state;
	cfg.section_order = 15;
	cfg.dma_ceiling = cfg.dma32_ceiling = 0;
	cfg.superpageblock_order = 18;
	for (uint32_t n = 0; n < 4; n++) {
		const uint32_t low = n / 2, node = n % 2;
		struct world *w = world_boot(&cfg);
		pagus_pfn_t pfn;

		lab_no_marks(&w->lab);
		use_up(w, low, MIN / 2);
		world_marks(w, 0, MIN, 100);
		world_marks(w, 1, MIN, 100);
		w->port.wake = world_wake;
		w->each_throttle = count;
		nr_waits = 0;
		/* Too little is free for it on either node: reclaim is asked. */
		assert_int_equal(pagus_alloc_contig_pages(&w->lab.p, GIB_PAGES,
							  GFP_KERNEL | __GFP_THISNODE, node, 0, &pfn),
				 PAGUS_NO_MEMORY);
		assert_non_null(strchr(w->diary, 'R'));
		assert_int_equal(nr_waits > 0, node == low);
		world_close(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_56_half_of_the_min_marks),
		cmocka_unit_test(property_56_kernel_tasks_never),
		cmocka_unit_test(property_56_nofs_at_most_1_s),
		cmocka_unit_test(property_54_hopeless_nodes_throttle_nobody),
		cmocka_unit_test(the_wait_ends_with_the_task),
		cmocka_unit_test(a_gigantic_page_is_throttled_by_its_own_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
