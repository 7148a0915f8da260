/* SPDX-License-Identifier: MIT */
/* Memory goes offline: properties 49 and 50, vetoes, and the n-th failure of all that may fail. */
#include "contig/hotplug.h"

#include <pagus/contig.h>
#include <pagus/failure.h>

#include "mem/state.h"

static const char *const policies[] = { "linux", "pcpbuddy", "pcpbuddy-bitmap", "linux-6.1" };

#define BOOT  UINT64_C(8192)
#define PLUG  BOOT
#define FAR   (4 * BOOT)
#define PAGES UINT64_C(40960)
static const struct pagus_range ranges[] = {
	{ .nr_pages = BOOT, .zone = PAGUS_ZONE_BY_CEILING },
	{ .start_pfn = PLUG, .nr_pages = 8192, .zone = PAGUS_ZONE_BY_CEILING, .offline = true },
	{ .start_pfn = FAR, .nr_pages = 8192, .node = 1, .zone = PAGUS_ZONE_BY_CEILING,
	  .offline = true },
};
enum { NORMAL, MOVABLE, NORMAL_1, MOVABLE_1, NR_ZONES };

static void open_machine(struct plug_lab *h, const char *policy)
{
	struct pagus_config cfg = lab_config(ranges, NR_OF(ranges), policy);

	cfg.nr_cpus = 2;
	plug_open(h, &cfg, PAGES);
	lab_no_marks(&h->l.lab);
}

/* Slots of the owner from `from` on are filled with blocks of these orders that lie in the range. */
static void fill_range(struct plug_lab *h, pagus_pfn_t start, uint64_t nr_pages, uint32_t from,
		       uint32_t nr)
{
	struct pagus_request req = { .gfp = GFP_HIGHUSER_MOVABLE };
	struct pagus_result res;

	req.node = start >= FAR;
	for (uint32_t k = 0; k < nr; k++) {
		uint32_t order = k % 4;

		req.order = order;
		assert_int_equal(pagus_alloc(&h->l.lab.p, &req, &res), PAGUS_OK);
		assert_in_range(res.pfn, start, start + nr_pages - 1);
		pagus_sim_fill(&h->l.owner, from + k, res.pfn, order);
	}
}

static void empty_slots(struct plug_lab *h)
{
	for (uint32_t k = 0; k < h->l.owner.nr_slots; k++)
		if (h->l.owner.slot[k].pfn != PAGUS_NO_PFN)
			contig_empty(&h->l, k);
	pagus_drain_all(&h->l.lab.p);
}

static bool any_slot_in(const struct plug_lab *h, pagus_pfn_t start, uint64_t nr_pages)
{
	for (uint32_t k = 0; k < h->l.owner.nr_slots; k++)
		if (h->l.owner.slot[k].pfn != PAGUS_NO_PFN &&
		    h->l.owner.slot[k].pfn - start < nr_pages)
			return true;
	return false;
}

/* Which pages are free, and on lists of which migratetype and order: set or not, whatever the order. */
static uint16_t free_map[2][PAGES];

static void map_free(const struct plug_lab *h, uint16_t *map)
{
	static pagus_pfn_t pfns[PAGES];

	memset(map, 0, PAGES * sizeof(*map));
	for (uint32_t id = 0; id < pagus_nr_zones(&h->l.lab.p); id++)
		for (uint32_t o = 0; o <= 10; o++)
			for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
				uint64_t nr = pagus_free_list(&h->l.lab.p, id, o, type, pfns, PAGES);

				for (uint64_t k = 0; k < nr; k++)
					map[pfns[k]] = (uint16_t)(1 + o * 16 + type);
			}
}

static void remember_free(const struct plug_lab *h)
{
	map_free(h, free_map[0]);
}

static void expect_free_as_before(const struct plug_lab *h)
{
	map_free(h, free_map[1]);
	assert_memory_equal(free_map[0], free_map[1], sizeof(free_map[0]));
	for (uint32_t id = 0; id < pagus_nr_zones(&h->l.lab.p); id++)
		assert_int_equal(pg_zone(h->l.lab.p.state, id)->nr_isolated, 0);
	assert_int_equal(h->l.lab.p.state->plugging, 0);
	assert_int_equal(h->l.lab.p.state->pcp_disabled, 0);
	assert_int_equal(h->l.owner.nr_isolated, h->l.owner.nr_moves + h->l.owner.nr_putbacks);
}

static uint64_t free_pages(const struct plug_lab *h)
{
	uint64_t pages = 0;

	for (uint32_t id = 0; id < pagus_nr_zones(&h->l.lab.p); id++)
		pages += unit_zone(&h->l.lab, id).free_pages + unit_zone(&h->l.lab, id).pcp_pages;
	return pages;
}

/* ---- what is in use moves ---------------------------------------------------------------------- */

static void test_contents_move(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct plug_lab h;

		open_machine(&h, policies[n]);
		assert_int_equal(plug_on(&h, PLUG, 2048, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		fill_range(&h, PLUG, 2048, 0, 200);
		/* Some of it lies on pcps of another CPU too. */
		for (uint32_t k = 0; k < 100; k++) {
			pagus_sim_on(&h.l.lab.sim, k % 2, 0);
			contig_empty(&h.l, k);
		}
		assert_int_equal(plug_off(&h, PLUG, 2048), PAGUS_OK);
		assert_false(any_slot_in(&h, PLUG, 2048));
		assert_true(h.l.owner.nr_moves > 50);
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).present, 0);
		empty_slots(&h);
		assert_int_equal(unit_zone(&h.l.lab, NORMAL).free_pages, BOOT);
		plug_close(&h);
	}
}

/* Other nodes first; where these are full, the same one. */
static void test_targets(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct plug_lab h;
		pagus_pfn_t pfn;

		open_machine(&h, policies[n]);
		assert_int_equal(plug_on(&h, FAR, 1024, PAGUS_ONLINE_KERNEL), PAGUS_OK);
		assert_int_equal(plug_on(&h, PLUG, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		fill_range(&h, PLUG, 1024, 0, 60);
		assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_OK);
		for (uint32_t k = 0; k < 60; k++)
			assert_in_range(h.l.owner.slot[k].pfn, FAR, FAR + 1023);
		empty_slots(&h);
		while (pagus_alloc_pages(&h.l.lab.p, GFP_KERNEL | __GFP_THISNODE | __GFP_MEMALLOC, 0,
					 &pfn) == PAGUS_OK)
			;
		fill_range(&h, FAR, 1024, 0, 60);
		h.cancel_at = 3;
		assert_int_equal(plug_off(&h, FAR, 1024), PAGUS_CANCELLED);
		contig_check(&h.l);
		assert_int_equal(plug_on(&h, FAR + 1024, 1024, PAGUS_ONLINE_KERNEL), PAGUS_OK);
		/* Requests for targets wait too. */
		h.cancel_at = 0;
		h.waits_are_many = true;
		assert_int_equal(plug_off(&h, FAR, 1024), PAGUS_OK);
		for (uint32_t k = 0; k < 60; k++)
			assert_in_range(h.l.owner.slot[k].pfn, FAR + 1024, FAR + 2047);
		plug_close(&h);
	}
}

/* A node comes, is used, and goes. */
static void test_node_comes_and_goes(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		uint8_t zones[8];
		struct plug_lab h;

		open_machine(&h, policies[n]);
		for (uint32_t round = 0; round < 3; round++) {
			plug_forget_told(&h);
			assert_int_equal(plug_on(&h, FAR, 1024, PAGUS_ONLINE), PAGUS_OK);
			assert_int_equal(plug_on(&h, FAR + 1024, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
			assert_int_equal(pagus_zonelist(&h.l.lab.p, 1, true, zones, 8), 2);
			fill_range(&h, FAR + 1024, 1024, 0, 100);
			plug_forget_told(&h);
			assert_int_equal(plug_off(&h, FAR, 1024), PAGUS_OK);
			plug_expect_told(&h, 2, TOLD(PAGUS_MEM_GOING_OFFLINE, PAGUS_MEM_OFFLINE));
			assert_int_equal(pagus_zonelist(&h.l.lab.p, 1, true, zones, 8), 1);
			plug_forget_told(&h);
			assert_int_equal(plug_off(&h, FAR + 1024, 1024), PAGUS_OK);
			plug_expect_told(&h, 2, TOLD(PAGUS_NODE_REMOVING_LAST_MEMORY,
						     PAGUS_MEM_GOING_OFFLINE,
						     PAGUS_NODE_REMOVED_LAST_MEMORY,
						     PAGUS_MEM_OFFLINE));
			assert_int_equal(pagus_zonelist(&h.l.lab.p, 1, true, zones, 8), 0);
			assert_int_equal(pagus_zonelist(&h.l.lab.p, 1, false, zones, 8), 1);
			for (uint32_t k = 0; k < 100; k++)
				assert_true(h.l.owner.slot[k].pfn < BOOT);
			empty_slots(&h);
			assert_int_equal(unit_zone(&h.l.lab, NORMAL).free_pages, BOOT);
		}
		plug_close(&h);
	}
}

/* ---- property 49 ------------------------------------------------------------------------------- */

static void test_property_49_unmovable_page(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		pagus_pfn_t kernel, obstacle = 0;
		struct plug_lab h;

		open_machine(&h, policies[n]);
		kernel = unit_alloc(&h.l.lab, GFP_KERNEL, 0);
		for (uint32_t k = 0; k < 20; k++)
			contig_fill(&h.l, k, k % 3);
		pagus_drain_all(&h.l.lab.p);
		remember_free(&h);
		assert_int_equal(pagus_offline(&h.l.lab.p, 0, BOOT, NULL, &obstacle), PAGUS_BUSY);
		assert_int_equal(obstacle, kernel);
		expect_free_as_before(&h);
		assert_int_equal(h.l.owner.nr_moves, 0);
		assert_int_equal(h.notifier[0].nr_told, 0);
		assert_int_equal(unit_zone(&h.l.lab, NORMAL).present, BOOT);
		assert_true(unit_pcp(&h.l.lab, NORMAL, 0).high_max > 0);
		plug_close(&h);
	}
}

static void let_go(struct plug_lab *h)
{
	if (h->nr_waits == 7)
		h->l.owner.slot[5].traits = 0;
}

/* A page that can be moved only later is waited for; and the token ends it, with everything undone. */
static void test_property_49_movable_later(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct plug_lab h;
		uint64_t before;

		open_machine(&h, policies[n]);
		assert_int_equal(plug_on(&h, PLUG, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		fill_range(&h, PLUG, 1024, 0, 20);
		pagus_drain_all(&h.l.lab.p);
		for (uint32_t k = 0; k < 20; k++)
			h.l.owner.slot[k].traits = PAGUS_TRAIT_PINNED;
		/* Nothing moves: all is as it was. */
		remember_free(&h);
		plug_forget_told(&h);
		h.cancel_at = 5;
		assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_CANCELLED);
		assert_int_equal(h.nr_waits, 5);
		expect_free_as_before(&h);
		plug_expect_told(&h, 0, TOLD(PAGUS_MEM_GOING_OFFLINE, PAGUS_MEM_CANCEL_OFFLINE));
		/* All but one move, and stay where they are now. */
		for (uint32_t k = 0; k < 20; k++)
			h.l.owner.slot[k].traits = k == 5 ? PAGUS_TRAIT_PINNED : 0;
		before = free_pages(&h);
		assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_CANCELLED);
		assert_int_equal(h.l.owner.nr_moves, 19);
		assert_int_equal(free_pages(&h), before);
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).present, 1024);
		/* It is let go at the seventh wait. */
		h.cancel_at = 0;
		h.waiting = let_go;
		assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_OK);
		assert_int_equal(h.nr_waits, 7);
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).present, 0);
		plug_close(&h);
	}
}

static void test_token_that_is_set_already(void **context)
{
	struct plug_lab h;
	uint32_t set = 1;

	(void)context;
	open_machine(&h, "linux");
	assert_int_equal(plug_on(&h, PLUG, 1024, PAGUS_ONLINE), PAGUS_OK);
	remember_free(&h);
	assert_int_equal(pagus_offline(&h.l.lab.p, PLUG, 1024, &set, NULL), PAGUS_CANCELLED);
	expect_free_as_before(&h);
	assert_int_equal(pagus_offline(&h.l.lab.p, PLUG, 1024, NULL, NULL), PAGUS_OK);
	plug_close(&h);
}

static void test_vetoes(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct plug_lab h;

		open_machine(&h, policies[n]);
		assert_int_equal(plug_on(&h, FAR, 1024, PAGUS_ONLINE), PAGUS_OK);
		remember_free(&h);
		plug_forget_told(&h);
		h.veto = PAGUS_MEM_GOING_OFFLINE;
		assert_int_equal(plug_off(&h, FAR, 1024), PAGUS_VETOED);
		expect_free_as_before(&h);
		plug_expect_told(&h, 1, TOLD(PAGUS_NODE_REMOVING_LAST_MEMORY, PAGUS_MEM_GOING_OFFLINE,
					     PAGUS_MEM_CANCEL_OFFLINE,
					     PAGUS_NODE_CANCEL_REMOVING_LAST_MEMORY));
		plug_expect_told(&h, 2, TOLD(PAGUS_NODE_REMOVING_LAST_MEMORY, PAGUS_MEM_CANCEL_OFFLINE,
					     PAGUS_NODE_CANCEL_REMOVING_LAST_MEMORY));
		plug_forget_told(&h);
		h.veto = PAGUS_NODE_REMOVING_LAST_MEMORY;
		assert_int_equal(plug_off(&h, FAR, 1024), PAGUS_VETOED);
		expect_free_as_before(&h);
		plug_expect_told(&h, 2, TOLD(PAGUS_NODE_CANCEL_REMOVING_LAST_MEMORY));
		h.veto = PAGUS_NR_MEMORY_EVENTS;
		assert_int_equal(plug_off(&h, FAR, 1024), PAGUS_OK);
		plug_close(&h);
	}
}

/* ---- property 50 ------------------------------------------------------------------------------- */

static void test_property_50_last_block_of_a_zone(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		uint8_t zones[8];
		struct plug_lab h;
		pagus_pfn_t pfn;

		open_machine(&h, policies[n]);
		assert_int_equal(plug_on(&h, PLUG, 2048, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		assert_int_equal(plug_on(&h, FAR, 1024, PAGUS_ONLINE), PAGUS_OK);
		assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).start_pfn, PLUG + 1024);
		pfn = unit_alloc(&h.l.lab, GFP_HIGHUSER_MOVABLE, 0);
		assert_in_range(pfn, PLUG + 1024, PLUG + 2047);
		unit_free(&h.l.lab, pfn, 0);
		assert_int_equal(plug_off(&h, PLUG + 1024, 1024), PAGUS_OK);
		for (uint32_t node = 0; node < 2; node++)
			for (uint32_t own = 0; own < 2; own++) {
				uint32_t nr = pagus_zonelist(&h.l.lab.p, node, own, zones, 8);

				for (uint32_t k = 0; k < nr; k++)
					assert_true(zones[k] != MOVABLE);
			}
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).spanned, 0);
		pfn = unit_alloc(&h.l.lab, GFP_HIGHUSER_MOVABLE, 0);
		assert_true(pfn < BOOT);
		plug_close(&h);
	}
}

/* ---- what else may be in the range ------------------------------------------------------------- */

static void test_poisoned_pages_are_forgotten(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_page_info info;
		struct plug_lab h;
		pagus_pfn_t used;
		bool in_use;

		open_machine(&h, policies[n]);
		assert_int_equal(plug_on(&h, PLUG, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		assert_int_equal(pagus_poison_page(&h.l.lab.p, PLUG + 700, true, &in_use), PAGUS_OK);
		assert_int_equal(pagus_poison_page(&h.l.lab.p, 17, true, &in_use), PAGUS_OK);
		fill_range(&h, PLUG, 1024, 0, 30);
		used = h.l.owner.slot[11].pfn + 3;
		assert_int_equal(pagus_poison_page(&h.l.lab.p, used, true, &in_use), PAGUS_OK);
		assert_true(in_use);
		assert_int_equal(pagus_nr_poisoned(&h.l.lab.p), 3);
		assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_OK);
		assert_int_equal(pagus_nr_poisoned(&h.l.lab.p), 1);
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).leaked_pages, 0);
		assert_int_equal(plug_on(&h, PLUG, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		assert_int_equal(pagus_page_info(&h.l.lab.p, used, &info), PAGUS_OK);
		assert_false(info.poisoned);
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).free_pages, 1024);
		plug_close(&h);
	}
}

static uint32_t driver_traits(void *ctx, uint64_t pfn, uint32_t order)
{
	return pfn >= PLUG && pfn < PLUG + 512 ? PAGUS_TRAIT_OFFLINE :
						 pagus_sim_owner_port.traits(ctx, pfn, order);
}

/* A driver's pages, some in use, some kept back and some never freed, go with the memory. */
static void test_driver_gives_up_its_pages(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct plug_lab h;
		pagus_pfn_t pfn;

		open_machine(&h, policies[n]);
		h.port.traits = driver_traits;
		h.port.online_page = plug_online_page;
		h.kept_from = PLUG;
		h.kept_end = PLUG + 512;
		assert_int_equal(plug_on(&h, PLUG, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		assert_int_equal(pagus_boot_free(&h.l.lab.p, PLUG + 128, 128), PAGUS_OK);
		assert_int_equal(pagus_boot_free(&h.l.lab.p, PLUG + 512, 512), PAGUS_OK);
		/* Nothing else is left to be had. */
		while (pagus_alloc_pages(&h.l.lab.p, GFP_KERNEL | __GFP_MEMALLOC, 10, &pfn) == PAGUS_OK)
			;
		pfn = unit_alloc(&h.l.lab, GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, 9);
		assert_int_equal(pfn, PLUG + 512);
		pagus_sim_fill(&h.l.owner, 0, pfn, 9);
		pfn = unit_alloc(&h.l.lab, GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, 7);
		assert_int_equal(pfn, PLUG + 128);
		unit_free(&h.l.lab, 0, 10);
		assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_OK);
		assert_int_equal(pagus_free_pages(&h.l.lab.p, pfn, 7), PAGUS_BAD_RANGE);
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).managed, 0);
		h.port.online_page = NULL;
		assert_int_equal(plug_on(&h, PLUG, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		assert_int_equal(unit_zone(&h.l.lab, MOVABLE).free_pages, 1024);
		plug_close(&h);
	}
}

/* ---- owners and others act meanwhile ----------------------------------------------------------- */

static void act(void *ctx)
{
	struct plug_lab *h = ctx;
	struct pagus *p = &h->l.lab.p;
	uint32_t cpu = h->l.lab.sim.cpu;
	pagus_pfn_t pfn;

	pagus_sim_on(&h->l.lab.sim, !cpu, 0);
	for (uint32_t order = 0; order < 4; order++) {
		assert_int_equal(pagus_alloc_pages(p, GFP_HIGHUSER_MOVABLE, order, &pfn), PAGUS_OK);
		assert_true(pfn < PLUG || pfn >= PLUG + 1024);
		assert_int_equal(order % 2 ? pagus_free_nolock(p, pfn, order) :
					     pagus_free_pages(p, pfn, order), PAGUS_OK);
	}
	assert_int_equal(pagus_online(p, PLUG + 2048, 1024, PAGUS_ONLINE), PAGUS_BUSY);
	assert_int_equal(pagus_offline(p, PLUG, 1024, NULL, NULL), PAGUS_BUSY);
	/* It waits for those that are off, as long as it may. */
	h->waits_are_many = true;
	assert_int_equal(pagus_zone_pcp_disable(p, NORMAL), PAGUS_BUSY);
	pagus_sim_on(&h->l.lab.sim, cpu, 0);
}

static void test_others_allocate_and_free(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct plug_lab h;

		open_machine(&h, policies[n]);
		assert_int_equal(plug_on(&h, PLUG, 2048, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
		fill_range(&h, PLUG, 2048, 0, 250);
		h.l.owner.meanwhile = act;
		h.l.owner.meanwhile_ctx = &h;
		assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_OK);
		assert_false(any_slot_in(&h, PLUG, 1024));
		h.l.owner.meanwhile = NULL;
		empty_slots(&h);
		pagus_free_pages(&h.l.lab.p, unit_alloc(&h.l.lab, GFP_KERNEL, 10), 10);
		pagus_drain_all(&h.l.lab.p);
		assert_int_equal(free_pages(&h), BOOT + 1024);
		plug_close(&h);
	}
}

/* ---- the n-th failure -------------------------------------------------------------------------- */

enum fault { ISOLATE, MOVE_AGAIN, MOVE_NEVER, TRYLOCK, NR_FAULTS };

static void arm(struct plug_lab *h, enum fault fault, uint64_t at)
{
	h->l.owner.isolate_fail_at = fault == ISOLATE ? at : 0;
	h->l.owner.move_fail_at = fault == MOVE_AGAIN || fault == MOVE_NEVER ? at : 0;
	h->l.owner.refusal = fault == MOVE_NEVER ? PAGUS_MOVE_NEVER : PAGUS_MOVE_AGAIN;
	h->l.lab.sim.trylock_fail_at = fault == TRYLOCK ? at : 0;
}

static bool fired(const struct plug_lab *h)
{
	return !h->l.owner.isolate_fail_at && !h->l.owner.move_fail_at &&
	       !h->l.lab.sim.trylock_fail_at;
}

/* Whatever fails once, it goes on to the end, and nothing is lost. */
static void test_sweep_offline(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (enum fault fault = ISOLATE; fault < NR_FAULTS; fault++) {
			bool last = false;

			for (uint64_t at = 1; !last; at++) {
				struct plug_lab h;

				open_machine(&h, policies[n]);
				assert_int_equal(plug_on(&h, PLUG, 1024, PAGUS_ONLINE_MOVABLE),
						 PAGUS_OK);
				fill_range(&h, PLUG, 1024, 0, 24);
				arm(&h, fault, at);
				assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_OK);
				last = !fired(&h);
				arm(&h, ISOLATE, 0);
				assert_false(any_slot_in(&h, PLUG, 1024));
				assert_int_equal(h.l.owner.nr_isolated,
						 h.l.owner.nr_moves + h.l.owner.nr_putbacks);
				empty_slots(&h);
				unit_free(&h.l.lab, unit_alloc(&h.l.lab, GFP_KERNEL, 10), 10);
				pagus_drain_all(&h.l.lab.p);
				assert_int_equal(unit_zone(&h.l.lab, NORMAL).free_pages, BOOT);
				assert_true(at < 2000);
				plug_close(&h);
			}
		}
	}
}

/* The n-th event is vetoed, or the n-th wait ends it, with the n-th fault besides. */
static void test_sweep_undo(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint64_t at = 1; at <= 24; at++) {
			struct plug_lab h;
			uint64_t before;

			open_machine(&h, policies[n]);
			assert_int_equal(plug_on(&h, PLUG, 1024, PAGUS_ONLINE_MOVABLE), PAGUS_OK);
			fill_range(&h, PLUG, 1024, 0, 24);
			h.l.owner.slot[at - 1].traits = PAGUS_TRAIT_PINNED;
			pagus_drain_all(&h.l.lab.p);
			before = free_pages(&h);
			arm(&h, at % 2 ? MOVE_AGAIN : ISOLATE, at);
			h.cancel_at = 2;
			assert_int_equal(plug_off(&h, PLUG, 1024), PAGUS_CANCELLED);
			arm(&h, ISOLATE, 0);
			assert_int_equal(h.l.owner.nr_moves, 23);
			assert_int_equal(free_pages(&h), before);
			remember_free(&h);
			expect_free_as_before(&h);
			empty_slots(&h);
			assert_int_equal(free_pages(&h), BOOT + 1024);
			plug_close(&h);
		}
	}
}

/* ---- random ------------------------------------------------------------------------------------ */

static void random_block(struct plug_lab *h, uint64_t *seed)
{
	uint32_t slot = (uint32_t)lab_random(seed, h->l.owner.nr_slots);
	struct pagus_request req = {
		.gfp = GFP_HIGHUSER_MOVABLE, .order = (uint32_t)lab_random(seed, 6),
		.node = (uint32_t)lab_random(seed, 2),
	};
	struct pagus_result res;

	if (h->l.owner.slot[slot].pfn != PAGUS_NO_PFN)
		contig_empty(&h->l, slot);
	else if (pagus_alloc(&h->l.lab.p, &req, &res) == PAGUS_OK)
		pagus_sim_fill(&h->l.owner, slot, res.pfn, req.order);
}

static void random_plug(struct plug_lab *h, uint64_t *seed, uint64_t *present)
{
	const struct pagus_range *range = &ranges[lab_random(seed, NR_OF(ranges))];
	uint64_t pages = 1024 << lab_random(seed, 3);
	pagus_pfn_t start = range->start_pfn + lab_random(seed, range->nr_pages / 1024) * 1024;
	enum pagus_status status;

	if (start + pages > range->start_pfn + range->nr_pages)
		return;
	if (lab_random(seed, 2)) {
		status = plug_on(h, start, pages, (enum pagus_online)lab_random(seed, 3));
		*present += status == PAGUS_OK ? pages : 0;
		return;
	}
	h->cancel_at = 3;
	status = plug_off(h, start, pages);
	*present -= status == PAGUS_OK ? pages : 0;
}

static void test_random(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		uint64_t present = BOOT, sum = 0;
		struct plug_lab h;

		open_machine(&h, policies[n]);
		for (uint32_t step = 0; step < 6000; step++) {
			pagus_sim_on(&h.l.lab.sim, (uint32_t)lab_random(&seed, 2), step);
			plug_forget_told(&h);
			if (step % 20 == 0)
				random_plug(&h, &seed, &present);
			else
				random_block(&h, &seed);
		}
		contig_check(&h.l);
		empty_slots(&h);
		for (uint32_t id = 0; id < NR_ZONES; id++) {
			struct pagus_zone_info info = unit_zone(&h.l.lab, id);

			assert_int_equal(info.present, info.managed);
			assert_int_equal(info.free_pages + info.pcp_pages + info.deferred_pages,
					 info.managed);
			sum += info.present;
		}
		assert_int_equal(sum, present);
		plug_close(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents_move),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_node_comes_and_goes),
		cmocka_unit_test(test_property_49_unmovable_page),
		cmocka_unit_test(test_property_49_movable_later),
		cmocka_unit_test(test_token_that_is_set_already),
		cmocka_unit_test(test_vetoes),
		cmocka_unit_test(test_property_50_last_block_of_a_zone),
		cmocka_unit_test(test_poisoned_pages_are_forgotten),
		cmocka_unit_test(test_driver_gives_up_its_pages),
		cmocka_unit_test(test_others_allocate_and_free),
		cmocka_unit_test(test_sweep_offline),
		cmocka_unit_test(test_sweep_undo),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
