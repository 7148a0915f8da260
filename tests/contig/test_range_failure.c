/* SPDX-License-Identifier: MIT */
/* Contiguous ranges: each call fails once, and what others do meanwhile. */
#include "contig/range.h"

enum fault { ISOLATE_FAILS, MOVE_AGAIN, MOVE_NEVER, TRYLOCK_FAILS, NR_FAULTS };

static void set_fault(struct contig_lab *l, enum fault fault, uint64_t at)
{
	l->owner.isolate_fail_at = fault == ISOLATE_FAILS ? at : 0;
	l->owner.move_fail_at = fault == MOVE_AGAIN || fault == MOVE_NEVER ? at : 0;
	l->owner.refusal = fault == MOVE_AGAIN ? PAGUS_MOVE_AGAIN : PAGUS_MOVE_NEVER;
	l->lab.sim.trylock_fail_at = fault == TRYLOCK_FAILS ? at : 0;
}

static bool has_happened(const struct contig_lab *l)
{
	return !l->owner.isolate_fail_at && !l->owner.move_fail_at && !l->lab.sim.trylock_fail_at;
}

static uint64_t count_pages(struct contig_lab *l)
{
	uint64_t pages = world_free_pages(l);

	for (pagus_pfn_t pfn = 0; pfn < PAGES; pfn++) {
		struct pagus_page_info info;

		pagus_page_info(&l->lab.p, pfn, &info);
		if (info.kind == PAGUS_PAGE_ALLOCATED)
			pages += UINT64_C(1) << info.order;
	}
	return pages;
}

/* The n-th call of a kind fails, for every n, until none is left to fail. */
static void sweep(uint32_t n, enum fault fault)
{
	for (uint64_t at = 1;; at++) {
		uint64_t seed = 7, before;
		struct world_free set;
		struct contig_lab l;
		enum pagus_status status;
		bool happened;

		world_open(&l, n);
		world_fill(&l, &seed, 1000);
		world_snapshot(&l, &set);
		before = world_free_pages(&l);
		set_fault(&l, fault, at);
		status = alloc_range(&l, START, NR, GFP_KERNEL);
		happened = has_happened(&l);
		set_fault(&l, fault, 0);
		world_settled(&l);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(count_pages(&l), PAGES);
		assert_int_equal(world_free_pages(&l), status == PAGUS_OK ? before - NR : before);
		if (status != PAGUS_OK && l.owner.nr_moves == 0)
			world_expect(&l, &set);
		/* What did not move is tried again, but what could not be claimed is not. */
		assert_int_equal(status, happened && fault == ISOLATE_FAILS ? PAGUS_BUSY :
				 PAGUS_OK);
		if (status == PAGUS_OK)
			assert_int_equal(pagus_free_contig_range(&l.lab.p, START, NR), PAGUS_OK);
		world_clear(&l);
		assert_int_equal(unit_zone(&l.lab, 0).nr_free[10], PAGES / 1024);
		contig_close(&l);
		if (!happened)
			break;
	}
}

static void test_every_call_fails_once(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++)
		for (uint32_t fault = 0; fault < NR_FAULTS; fault++)
			sweep(n, (enum fault)fault);
}

/* There is room for so many pages to move to, and no more. */
static void test_every_destination_fails(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t room = 0; room <= 24; room++) {
			uint64_t free_pages;
			struct contig_lab l;
			pagus_pfn_t pfn;
			enum pagus_status status;

			world_open(&l, n);
			for (uint32_t slot = 0; slot < 20; slot++)
				contig_fill(&l, slot, 0);
			pfn = l.owner.slot[0].pfn & ~(pagus_pfn_t)(BLOCK - 1);
			/* All that is not in these pageblocks is used up, but for `room` pages. */
			assert_int_equal(pagus_isolate_range(&l.lab.p, pfn, BLOCK,
							     PAGUS_ISOLATE_OTHER, NULL),
					 PAGUS_OK);
			pagus_drain_all(&l.lab.p);
			for (free_pages = world_free_pages(&l); free_pages > room; free_pages--)
				unit_alloc(&l.lab, GFP_KERNEL | __GFP_MEMALLOC, 0);
			assert_int_equal(pagus_unisolate_range(&l.lab.p, pfn, BLOCK), PAGUS_OK);
			pagus_drain_all(&l.lab.p);
			free_pages = world_free_pages(&l);
			l.lab.sim.task = PAGUS_TASK_MEMALLOC; /* no mark stands in the way */
			status = alloc_range(&l, pfn, BLOCK, GFP_KERNEL);
			l.lab.sim.task = 0;
			world_settled(&l);
			/* The CPU may keep some for requests of another migratetype. */
			if (IS_MAPPED(n))
				assert_true(l.owner.nr_moves <= room);
			else
				assert_int_equal(l.owner.nr_moves, room < 20 ? room : 20);
			assert_int_equal(status, l.owner.nr_moves < 20 ? PAGUS_NO_MEMORY :
					 PAGUS_OK);
			pagus_drain_all(&l.lab.p);
			assert_int_equal(world_free_pages(&l),
					 status == PAGUS_OK ? free_pages - BLOCK : free_pages);
			contig_close(&l);
		}
	}
}

/* A block that is not ready is tried five times, each time in ten passes. */
static void test_five_tries(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		pagus_pfn_t pfn;

		world_open(&l, n);
		pfn = contig_fill(&l, 0, 0) & ~(pagus_pfn_t)(BLOCK - 1);
		l.owner.move_refuse_all = true;
		l.owner.refusal = PAGUS_MOVE_AGAIN;
		assert_int_equal(alloc_range(&l, pfn, BLOCK, GFP_KERNEL), PAGUS_BUSY);
		assert_int_equal(l.owner.nr_refused, 5 * 10);
		world_settled(&l);
		contig_close(&l);
	}
}

/* ---- what goes on meanwhile ----------------------------------------------------------------- */

static struct pagus_cancel token;

static void cancel(void *ctx)
{
	(void)ctx;
	pagus_cancel_now(&token);
}

static void test_cancel(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_contig range = { .start = START, .nr_pages = NR, .gfp = GFP_KERNEL,
					      .cancel = &token };
		struct contig_lab l;
		uint64_t before;

		world_open(&l, n);
		world_fill(&l, &seed, 2048);
		before = world_free_pages(&l);
		token = (struct pagus_cancel){ 0 };
		l.owner.meanwhile = cancel;
		assert_int_equal(pagus_alloc_contig(&l.lab.p, &range), PAGUS_CANCELLED);
		world_settled(&l);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(world_free_pages(&l), before);
		token = (struct pagus_cancel){ 0 };
		l.owner.meanwhile = NULL;
		assert_int_equal(pagus_alloc_contig(&l.lab.p, &range), PAGUS_OK);
		assert_int_equal(pagus_free_contig_range(&l.lab.p, START, NR), PAGUS_OK);
		contig_close(&l);
	}
}

/* While blocks move, others allocate, free, and want a range that overlaps. */
static void go_on(void *ctx)
{
	struct contig_lab *l = ctx;
	pagus_pfn_t pfns[40];

	l->owner.meanwhile = NULL; /* not in what this call itself causes */
	l->lab.sim.cpu = 1;
	assert_int_equal(alloc_range(l, START + 100, 10, GFP_KERNEL), PAGUS_BUSY);
	for (uint32_t k = 0; k < NR_OF(pfns); k++) {
		pfns[k] = unit_alloc(&l->lab, k % 2 ? GFP_KERNEL : GFP_OWNED, k % 4);
		assert_true(pfns[k] / BLOCK < START / BLOCK ||
			    pfns[k] / BLOCK > (START + NR) / BLOCK);
	}
	for (uint32_t k = 0; k < NR_OF(pfns); k++)
		unit_free(&l->lab, pfns[k], k % 4);
	l->lab.sim.cpu = 0;
	l->owner.meanwhile = go_on;
}

static void test_others_go_on(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;

		world_open(&l, n);
		world_fill(&l, &seed, 1200);
		l.owner.meanwhile = go_on;
		l.owner.meanwhile_ctx = &l;
		assert_int_equal(alloc_range(&l, START, NR, GFP_KERNEL), PAGUS_OK);
		l.owner.meanwhile = NULL;
		world_settled(&l);
		expect_single(&l, START, NR);
		contig_close(&l);
	}
}

/* Who ends an isolation that is not his makes the range fail, and loses nothing. */
static void end_isolation(void *ctx)
{
	struct contig_lab *l = ctx;

	assert_int_equal(pagus_unisolate_range(&l->lab.p, START, NR), PAGUS_OK);
}

static void test_isolation_ends_early(void **context)
{
	uint64_t seed = unit_seed();

	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		uint64_t before;

		world_open(&l, n);
		world_fill(&l, &seed, 1200);
		before = world_free_pages(&l);
		l.owner.meanwhile = end_isolation;
		l.owner.meanwhile_ctx = &l;
		assert_int_equal(alloc_range(&l, START, NR, GFP_KERNEL), PAGUS_BUSY);
		world_settled(&l);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(world_free_pages(&l), before);
		contig_close(&l);
	}
}

/* Blocks to move to are movable also for a task that pins what it allocates. */
static void test_pinning_task(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		pagus_pfn_t pfn;

		world_open(&l, n);
		pfn = contig_fill(&l, 0, 3);
		l.lab.sim.task = PAGUS_TASK_MEMALLOC_PIN;
		assert_int_equal(alloc_range(&l, pfn, 8, GFP_KERNEL), PAGUS_OK);
		assert_int_equal(l.lab.sim.task, PAGUS_TASK_MEMALLOC_PIN);
		l.lab.sim.task = 0;
		assert_int_equal(l.owner.slot[0].moves, 1);
		/* It can move once more, so it is movable. */
		assert_int_equal(alloc_range(&l, l.owner.slot[0].pfn, 8, GFP_KERNEL), PAGUS_OK);
		assert_int_equal(l.owner.slot[0].moves, 2);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call_fails_once),
		cmocka_unit_test(test_every_destination_fails),
		cmocka_unit_test(test_five_tries),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_others_go_on),
		cmocka_unit_test(test_isolation_ends_early),
		cmocka_unit_test(test_pinning_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
