/* SPDX-License-Identifier: MIT */
/* Properties that hold at every moment on any machine: conservation, whole blocks, counts. */
#include "property/random_world.h"

#define WORLDS     100
#define OPERATIONS 1500
#define LOOK_EVERY 25

static const char *const policies[] = { "linux", "nopcp", "linux-6.1", "none+convert" };

typedef void look(const struct world *w);

/* Random worlds, ordinary ones alone or all, looked at again and again. */
static void each_world(const char *policy, bool ordinary, look *look_at)
{
	uint64_t seed = unit_seed();

	for (uint64_t n = 0; n < WORLDS; n++) {
		static struct world w;

		world_open(&w, policy, ordinary, seed + n);
		for (uint32_t op = 0; op < OPERATIONS; op++) {
			world_step(&w, world_tide(op));
			if (op % LOOK_EVERY == 0)
				look_at(&w);
		}
		unit_close(&w.lab);
	}
}

/* Pages of each type's lists in one zone. */
static void sum_lists(const struct lab *lab, uint32_t zone, uint32_t order, uint64_t *pages)
{
	for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
		pages[type] += pagus_free_blocks(&lab->p, zone, order,
						 (enum pagus_migratetype)type) << order;
}

static uint64_t count_out(const struct world *w, uint32_t zone)
{
	uint64_t nr = 0;

	for (pagus_pfn_t pfn = 0; pfn < WORLD_PAGES; pfn++)
		nr += w->out[pfn] && w->zone[pfn] == zone;
	return nr;
}

static void look_at_counts(const struct world *w)
{
	for (uint32_t zone = 0; zone < pagus_nr_zones(&w->lab.p); zone++) {
		struct pagus_zone_info info = unit_zone(&w->lab, zone);
		uint64_t pages[PAGUS_NR_MIGRATETYPES] = { 0 }, listed = 0, all = 0;

		for (uint32_t order = 0; order < PAGUS_NR_ORDERS; order++) {
			sum_lists(&w->lab, zone, order, pages);
			all += info.nr_free[order] << order;
		}
		for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
			listed += pages[type];
		/* nr_free counts blocks of all types, the number of free pages not the isolated. */
		assert_int_equal(all, listed);
		assert_int_equal(info.free_pages, listed - pages[PAGUS_ISOLATE]);
		assert_int_equal(info.free_cma_pages, pages[PAGUS_CMA]);
		assert_int_equal(listed + info.pcp_pages + count_out(w, zone), info.managed);
	}
}

static void property_02_pages_are_conserved_on_any_machine(void **state)
{
	(void)state;
	for (size_t n = 0; n < NR_OF(policies); n++) {
		each_world(policies[n], false, look_at_counts);
		each_world(policies[n], true, look_at_counts);
	}
}

/* Is [pfn, pfn + 2^order) memory of one zone, none of it out? */
static bool is_whole(const struct world *w, pagus_pfn_t pfn, uint32_t order)
{
	for (uint64_t k = 0; k < UINT64_C(1) << order; k++)
		if (pfn + k >= WORLD_PAGES || !w->memory[pfn + k] || w->out[pfn + k] ||
		    w->zone[pfn + k] != w->zone[pfn])
			return false;
	return true;
}

/* The order of the one block that pfn must begin, had everything merged. */
static uint32_t merged_order(const struct world *w, pagus_pfn_t pfn)
{
	uint32_t order = 0;

	while (order < w->cfg.max_order && pfn % (UINT64_C(2) << order) == 0 &&
	       is_whole(w, pfn, order + 1))
		order++;
	return order;
}

static bool is_apart(const struct world *w)
{
	bool apart = unit_counter(&w->lab, PAGUS_COUNTER_pageblock_apart);

	for (uint32_t zone = 0; zone < pagus_nr_zones(&w->lab.p); zone++)
		apart |= unit_zone(&w->lab, zone).reserved_highatomic_pages > 0;
	return apart;
}

/* From left to right, the free pages fall into the largest aligned blocks, and so are listed. */
static void look_at_blocks(const struct world *w)
{
	if (is_apart(w))
		return;
	for (pagus_pfn_t pfn = 0; pfn < WORLD_PAGES;) {
		struct pagus_page_info info;
		uint32_t order;

		if (!is_whole(w, pfn, 0)) {
			pfn++;
			continue;
		}
		order = merged_order(w, pfn);
		assert_int_equal(pagus_page_info(&w->lab.p, pfn, &info), PAGUS_OK);
		assert_int_equal(info.kind, PAGUS_PAGE_FREE);
		assert_int_equal(info.order, order);
		pfn += UINT64_C(1) << order;
	}
}

static void property_03_free_pages_lie_in_the_largest_blocks_of_their_zone(void **state)
{
	(void)state;
	each_world("nopcp", true, look_at_blocks);
	each_world("none+convert", true, look_at_blocks);
	each_world("plain", true, look_at_blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(property_02_pages_are_conserved_on_any_machine),
		cmocka_unit_test(property_03_free_pages_lie_in_the_largest_blocks_of_their_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
