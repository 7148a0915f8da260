/* SPDX-License-Identifier: MIT */
/* References to blocks: who frees what when, and the pieces that a block falls into. */
#include "unit/unit.h"

#define BASE 1024 /* the zone's first block; below and above nothing is free */

static const struct pagus_range range = { BASE, 1024, 0, PAGUS_ZONE_BY_CEILING };
static const uint32_t events = 1u << PAGUS_EVENT_FREE | 1u << PAGUS_EVENT_BAD_FREE;

static void open_lab(struct lab *lab, const char *policy)
{
	const struct pagus_config cfg = lab_config(&range, 1, policy);

	unit_boot(lab, &cfg);
	lab_no_marks(lab);
	lab_listen(lab, events);
}

static void get(struct lab *lab, pagus_pfn_t pfn)
{
	assert_int_equal(pagus_get_page(&lab->p, pfn), PAGUS_OK);
}

static void put(struct lab *lab, pagus_pfn_t pfn, uint32_t order)
{
	assert_int_equal(pagus_put_pages(&lab->p, pfn, order), PAGUS_OK);
}

static struct pagus_page_info info_of(const struct lab *lab, pagus_pfn_t pfn)
{
	struct pagus_page_info info;

	assert_int_equal(pagus_page_info(&lab->p, pfn, &info), PAGUS_OK);
	return info;
}

static void refuse(struct lab *lab, enum pagus_status status, enum pagus_status want,
		   uint64_t digest)
{
	assert_int_equal(status, want);
	assert_true(pagus_digest(&lab->p) == digest);
	unit_check(lab);
}

static void the_last_put_frees_as_a_free_does(void **state)
{
	struct lab freed, put_back;
	pagus_pfn_t pfn;

	(void)state;
	open_lab(&freed, "linux");
	open_lab(&put_back, "linux");
	pfn = unit_alloc(&freed, GFP_KERNEL, 2);
	assert_int_equal(unit_alloc(&put_back, GFP_KERNEL, 2), pfn);
	unit_free(&freed, pfn, 2);
	get(&put_back, pfn);
	assert_int_equal(info_of(&put_back, pfn).references, 2);
	put(&put_back, pfn, 0);
	put(&put_back, pfn, 2);
	assert_int_equal(unit_event(&put_back, 0, PAGUS_EVENT_FREE).order, 2);
	assert_int_equal(put_back.nr_events, 1);
	/* Nothing of the references is left behind. */
	assert_true(pagus_digest(&freed.p) == pagus_digest(&put_back.p));
	unit_close(&freed);
	unit_close(&put_back);
}

static void property_30_an_extra_reference_leaves_one_page_of_a_block(void **state)
{
	static const struct { uint32_t order; pagus_pfn_t at; } pieces[] = {
		{ 2, 4 }, { 1, 2 }, { 0, 1 },
	};
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_lab(&lab, "nopcp");
	pfn = unit_alloc(&lab, GFP_KERNEL, 3);
	get(&lab, pfn);
	lab_listen(&lab, events);
	put(&lab, pfn, 3);
	assert_int_equal(lab.nr_events, NR_OF(pieces));
	for (uint32_t n = 0; n < NR_OF(pieces); n++) {
		struct pagus_event event = unit_event(&lab, n, PAGUS_EVENT_FREE);

		assert_int_equal(event.order, pieces[n].order);
		assert_int_equal(event.pfn, pfn + pieces[n].at);
		assert_int_equal(info_of(&lab, pfn + pieces[n].at).kind, PAGUS_PAGE_FREE);
	}
	assert_int_equal(info_of(&lab, pfn).kind, PAGUS_PAGE_ALLOCATED);
	assert_int_equal(info_of(&lab, pfn).order, 0);
	assert_int_equal(info_of(&lab, pfn).references, 1);
	unit_check(&lab);
	/* The other holder's page, and all is whole again. */
	put(&lab, pfn, 0);
	assert_int_equal(unit_zone(&lab, 0).nr_free[10], 1);
	unit_close(&lab);
}

static void with_several_holders_the_pieces_are_freed_once(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;
	uint64_t digest;

	(void)state;
	open_lab(&lab, "nopcp");
	pfn = unit_alloc(&lab, GFP_KERNEL, 1);
	get(&lab, pfn);
	get(&lab, pfn);
	put(&lab, pfn, 1);
	assert_int_equal(unit_zone(&lab, 0).free_pages, 1023);
	/* The kernel would free page 1 again here. */
	digest = pagus_digest(&lab.p);
	refuse(&lab, pagus_put_pages(&lab.p, pfn, 1), PAGUS_WRONG_ORDER, digest);
	put(&lab, pfn, 0);
	put(&lab, pfn, 0);
	assert_int_equal(unit_zone(&lab, 0).nr_free[10], 1);
	unit_close(&lab);
}

static void a_holder_of_one_page_drops_it_before_the_owner(void **state)
{
	static const uint32_t masks[] = { GFP_KERNEL, GFP_KERNEL | __GFP_COMP };
	struct lab lab;

	(void)state;
	open_lab(&lab, "nopcp");
	for (uint32_t n = 0; n < NR_OF(masks); n++) {
		pagus_pfn_t pfn = unit_alloc(&lab, masks[n], 3);

		get(&lab, pfn);
		lab_listen(&lab, events);
		put(&lab, pfn, 0);
		assert_int_equal(lab.nr_events, 0);
		assert_int_equal(info_of(&lab, pfn).references, 1);
		assert_int_equal(info_of(&lab, pfn).order, 3);
		put(&lab, pfn, 3);
		assert_int_equal(unit_zone(&lab, 0).nr_free[10], 1);
	}
	unit_close(&lab);
}

static void a_compound_page_stays_whole_while_it_is_held(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	open_lab(&lab, "nopcp");
	pfn = unit_alloc(&lab, GFP_KERNEL | __GFP_COMP, 3);
	assert_true(info_of(&lab, pfn).compound);
	get(&lab, pfn);
	lab_listen(&lab, events);
	put(&lab, pfn, 3);
	assert_int_equal(lab.nr_events, 0);
	assert_int_equal(info_of(&lab, pfn).order, 3);
	put(&lab, pfn, 3);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_FREE).order, 3);
	/* One page alone is no compound page, whatever the mask says. */
	pfn = unit_alloc(&lab, GFP_KERNEL | __GFP_COMP, 0);
	assert_false(info_of(&lab, pfn).compound);
	unit_close(&lab);
}

static void a_put_without_a_reference_is_refused(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;
	uint64_t digest;

	(void)state;
	open_lab(&lab, "linux");
	pfn = unit_alloc(&lab, GFP_KERNEL, 3);
	digest = pagus_digest(&lab.p);
	refuse(&lab, pagus_put_pages(&lab.p, pfn, 2), PAGUS_WRONG_ORDER, digest);
	/* The last reference does not drop by halves. */
	refuse(&lab, pagus_put_pages(&lab.p, pfn, 0), PAGUS_WRONG_ORDER, digest);
	refuse(&lab, pagus_put_pages(&lab.p, pfn + 1, 0), PAGUS_NOT_ALLOCATED, digest);
	refuse(&lab, pagus_put_pages(&lab.p, pfn, 11), PAGUS_BAD_ORDER, digest);
	refuse(&lab, pagus_put_pages(&lab.p, pfn + 1, 3), PAGUS_BAD_ALIGN, digest);
	refuse(&lab, pagus_put_pages(&lab.p, 0, 0), PAGUS_BAD_RANGE, digest);
	put(&lab, pfn, 3);
	digest = pagus_digest(&lab.p);
	lab_listen(&lab, events);
	refuse(&lab, pagus_put_pages(&lab.p, pfn, 3), PAGUS_DOUBLE_FREE, digest);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_BAD_FREE).a, PAGUS_DOUBLE_FREE);
	assert_int_equal(unit_counter(&lab, PAGUS_COUNTER_free_bad), 7);
	unit_close(&lab);
}

static void only_an_allocated_block_gets_references(void **state)
{
	const struct pagus_config cfg = lab_config(&range, 1, "nopcp");
	struct lab lab;
	uint64_t digest;
	pagus_pfn_t pfn;

	(void)state;
	unit_open(&lab, &cfg);
	unit_inherit(&lab, BASE, 512, PAGUS_MOVABLE);
	assert_int_equal(pagus_boot_free(&lab.p, BASE + 512, 256), PAGUS_OK);
	unit_seeded(&lab);
	pfn = unit_alloc(&lab, GFP_KERNEL, 1);
	digest = pagus_digest(&lab.p);
	refuse(&lab, pagus_get_page(&lab.p, BASE), PAGUS_BUSY, digest);
	refuse(&lab, pagus_get_page(&lab.p, pfn + 1), PAGUS_NOT_ALLOCATED, digest);
	refuse(&lab, pagus_get_page(&lab.p, pfn + 2), PAGUS_DOUBLE_FREE, digest);
	refuse(&lab, pagus_get_page(&lab.p, BASE + 1000), PAGUS_NOT_ALLOCATED, digest);
	refuse(&lab, pagus_get_page(&lab.p, BASE - 1), PAGUS_BAD_RANGE, digest);
	/* An inherited page has the one reference that its use is. */
	assert_int_equal(info_of(&lab, BASE).references, 1);
	put(&lab, BASE, 3);
	assert_int_equal(info_of(&lab, BASE).kind, PAGUS_PAGE_FREE);
	unit_close(&lab);
}

static void a_block_with_further_references_is_neither_freed_nor_split(void **state)
{
	struct lab lab;
	pagus_pfn_t pfn;
	uint64_t digest;

	(void)state;
	open_lab(&lab, "linux");
	pfn = unit_alloc(&lab, GFP_KERNEL, 2);
	get(&lab, pfn);
	digest = pagus_digest(&lab.p);
	lab_listen(&lab, events);
	refuse(&lab, pagus_free_pages(&lab.p, pfn, 2), PAGUS_BUSY, digest);
	assert_int_equal(unit_event(&lab, 0, PAGUS_EVENT_BAD_FREE).a, PAGUS_BUSY);
	refuse(&lab, pagus_split_pages(&lab.p, pfn, 2, 0), PAGUS_BUSY, digest);
	put(&lab, pfn, 0);
	assert_int_equal(pagus_split_pages(&lab.p, pfn, 2, 0), PAGUS_OK);
	pfn = unit_alloc(&lab, GFP_KERNEL | __GFP_COMP, 2);
	digest = pagus_digest(&lab.p);
	refuse(&lab, pagus_split_pages(&lab.p, pfn, 2, 0), PAGUS_BUSY, digest);
	unit_free(&lab, pfn, 2);
	unit_close(&lab);
}

/* ---- what the port is told ------------------------------------------------------------------- */

static int64_t charged_pages;

static bool charge(void *ctx, uint64_t pfn, uint32_t order, uint32_t gfp)
{
	(void)ctx;
	(void)pfn;
	(void)gfp;
	charged_pages += INT64_C(1) << order;
	return true;
}

static void uncharge(void *ctx, uint64_t pfn, uint32_t order)
{
	(void)ctx;
	(void)pfn;
	charged_pages -= INT64_C(1) << order;
}

static void each_piece_is_uncharged_with_its_own_order(void **state)
{
	struct pagus_port port = pagus_sim_port;
	struct lab lab;
	pagus_pfn_t pfn;

	(void)state;
	port.charge = charge;
	port.uncharge = uncharge;
	open_lab(&lab, "linux");
	lab.p.port = &port;
	charged_pages = 0;
	pfn = unit_alloc(&lab, GFP_KERNEL_ACCOUNT, 3);
	assert_int_equal(charged_pages, 8);
	get(&lab, pfn);
	put(&lab, pfn, 3);
	assert_int_equal(charged_pages, 1);
	put(&lab, pfn, 0);
	assert_int_equal(charged_pages, 0);
	unit_close(&lab);
}

static void who_frees_memory_is_told_from_others(void **state)
{
	struct pagus_request req = { .gfp = GFP_KERNEL, .node = PAGUS_NO_NODE };
	struct pagus_zone_seed seed = { .present = 1024, .managed = 1024, .pcp_batch = 1,
					.wmark = { 4096, 4096, 4096, 4096 } };
	struct pagus_result res;
	struct lab lab;

	(void)state;
	open_lab(&lab, "linux");
	assert_int_equal(pagus_seed_zone(&lab.p, 0, PAGUS_ZONE_NORMAL, &seed), PAGUS_OK);
	assert_int_equal(pagus_alloc(&lab.p, &req, &res), PAGUS_NO_MEMORY);
	req.task = PAGUS_TASK_MEMALLOC;
	assert_int_equal(pagus_alloc(&lab.p, &req, &res), PAGUS_OK);
	assert_true(info_of(&lab, res.pfn).pfmemalloc);
	unit_free(&lab, res.pfn, 0);
	assert_false(info_of(&lab, res.pfn).pfmemalloc);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_put_frees_as_a_free_does),
		cmocka_unit_test(property_30_an_extra_reference_leaves_one_page_of_a_block),
		cmocka_unit_test(with_several_holders_the_pieces_are_freed_once),
		cmocka_unit_test(a_holder_of_one_page_drops_it_before_the_owner),
		cmocka_unit_test(a_compound_page_stays_whole_while_it_is_held),
		cmocka_unit_test(a_put_without_a_reference_is_refused),
		cmocka_unit_test(only_an_allocated_block_gets_references),
		cmocka_unit_test(a_block_with_further_references_is_neither_freed_nor_split),
		cmocka_unit_test(each_piece_is_uncharged_with_its_own_order),
		cmocka_unit_test(who_frees_memory_is_told_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
