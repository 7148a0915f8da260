/* SPDX-License-Identifier: MIT */
/* What a loan says, what is refused, and that pages handed out by bits are as those by calls. */
#include "pcpbuddy/borrower.h"

/* ---- what a loan says ------------------------------------------------------------------------ */

/* Free pages, and those handed out singly to requests of the type. */
static void expect_single(const struct owners *o, uint32_t type)
{
	for (uint32_t n = 0; n < BLOCK; n++) {
		const struct pagus_page_info page = owners_page(o, borrower.loan.start_pfn + n);
		bool is_free = bit(borrower.loan.free, n);
		bool is_single = is_free || (page.kind == PAGUS_PAGE_ALLOCATED && page.order == 0 &&
					     page.request_type == type);

		assert_int_equal(bit(borrower.loan.single, n), is_single);
		assert_int_equal(bit(borrower.loan.remote, n), page.kind == PAGUS_PAGE_DEFERRED);
	}
}

static void a_loan_tells_of_its_pageblock(void **state)
{
	(void)state;
	for (uint32_t type = 0; type < 3; type++) {
		struct owners *o = boot();
		pagus_pfn_t pfns[40], large = owners_alloc(o, 1, unit_gfp(type), 5);
		uint32_t count;

		for (uint32_t n = 0; n < NR_OF(pfns); n++)
			pfns[n] = owners_alloc(o, 1, unit_gfp(type), 0);
		count = unit_pcp(&o->lab, 0, 1).count;
		must_lend(o, 1, pfns[0], type % 2 ? type : PAGUS_NR_MIGRATETYPES);
		assert_true(borrower.loan.start_pfn == large);
		assert_int_equal(borrower.loan.nr_words, 8);
		assert_int_equal(borrower.loan.cpu, 1);
		assert_int_equal(borrower.loan.type, type);
		/* Its pages are in no count while it is lent. */
		assert_int_equal(count - unit_pcp(&o->lab, 0, 1).count, BLOCK - 32 - NR_OF(pfns));
		expect_single(o, type);
		assert_false(bit(borrower.loan.single, number(large)));
		assert_true(may_put(pfns[0]));
		/* Freed by another it may not be put any more, nor twice by anybody. */
		owners_free(o, 0, pfns[0], 0);
		assert_false(may_put(pfns[0]));
		put_bit(pfns[1]);
		assert_false(may_put(pfns[1]));
		assert_int_equal(pagus_free_pages(&o->lab.p, pfns[1], 0), PAGUS_DOUBLE_FREE);
		unit_check(&o->lab);
		pagus_loan_end(&o->lab.p, 0, 1);
		assert_false(borrower.is_lent);
		assert_int_equal(unit_pcp(&o->lab, 0, 1).count, count + 2);
		assert_int_equal(owners_page(o, pfns[0]).kind, PAGUS_PAGE_PCP_OWNED);
		owners_free(o, 1, large, 5);
		owners_give(o, 1, pfns + 2, NR_OF(pfns) - 2);
		expect_all_free(o);
		owners_close(o);
	}
}

/* What is handed out by its bit is handed out for requests of the loan's migratetype. */
static void taken_pages_have_the_type(void **state)
{
	(void)state;
	for (uint32_t type = 0; type < 3; type++) {
		struct owners *o = boot();
		pagus_pfn_t first = owners_alloc(o, 0, unit_gfp(type), 0), pfn;
		uint32_t nr = 0;

		must_lend(o, 0, first, type);
		while ((pfn = take_bit()) != PAGUS_NO_PFN) {
			const struct pagus_page_info page = owners_page(o, pfn);

			assert_int_equal(page.kind, PAGUS_PAGE_ALLOCATED);
			assert_int_equal(page.request_type, type);
			assert_int_equal(page.order, 0);
			nr++;
		}
		assert_int_equal(nr, BLOCK - 1);
		unit_check(&o->lab);
		pagus_loan_end(&o->lab.p, 0, 0);
		for (uint32_t n = 0; n < BLOCK; n++) {
			assert_int_equal(owners_page(o, first + n).request_type, type);
			owners_free(o, n % 2, first + n, 0);
		}
		expect_all_free(o);
		owners_close(o);
	}
}

/* A page whatever watermarks say to what a pcp keeps. */
static pagus_pfn_t take_any(struct owners *o)
{
	const struct pagus_request req = { .gfp = GFP_USER_PAGE, .node = PAGUS_NO_NODE,
					   .task = PAGUS_TASK_MEMALLOC };
	struct pagus_result res;

	assert_int_equal(pagus_alloc(&o->lab.p, &req, &res), PAGUS_OK);
	return res.pfn;
}

/* A page of another type's request would come back as one of the loan's. */
static void pages_of_other_types_are_not_single(void **state)
{
	struct owners *o = boot_with(owners_maps, 1024);
	pagus_pfn_t pfns[1024], kernel;

	(void)state;
	unit_limits(&o->lab, 0, 1, 8192, 8192);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		pfns[n] = take_any(o);
	owners_free(o, 0, pfns[10], 0);
	owners_free(o, 0, pfns[11], 0);
	pagus_drain_all(&o->lab.p);
	kernel = owners_alloc(o, 0, GFP_KERNEL, 0);
	assert_int_equal(owners_page(o, kernel).block_type, PAGUS_MOVABLE);
	assert_int_equal(owners_page(o, kernel).request_type, PAGUS_UNMOVABLE);
	must_lend(o, 0, kernel, PAGUS_NR_MIGRATETYPES);
	assert_int_equal(borrower.loan.type, PAGUS_MOVABLE);
	assert_false(may_put(kernel));
	assert_true(may_put(pfns[12]));
	expect_single(o, PAGUS_MOVABLE);
	owners_free(o, 0, kernel, 0);
	for (uint32_t n = 0; n < NR_OF(pfns); n++)
		if (n != 10 && n != 11)
			owners_free(o, 0, pfns[n], 0);
	expect_all_free(o);
	owners_close(o);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void expect_no_loan(struct owners *o, uint32_t cpu, pagus_pfn_t pfn, uint32_t type,
			   enum pagus_status why)
{
	uint64_t before = pagus_digest(&o->lab.p);

	assert_int_equal(lend(o, cpu, pfn, type), why);
	assert_false(borrower.is_lent);
	assert_true(pagus_digest(&o->lab.p) == before);
}

static void refused_loans_change_nothing(void **state)
{
	struct owners *o = boot();
	pagus_pfn_t pfns[BLOCK];

	(void)state;
	owners_take(o, 0, pfns, 10);
	expect_no_loan(o, 1, pfns[0], PAGUS_MOVABLE, PAGUS_BUSY);
	expect_no_loan(o, 0, pfns[0], PAGUS_UNMOVABLE, PAGUS_BUSY);
	expect_no_loan(o, 0, PAGES - 1, PAGUS_MOVABLE, PAGUS_BUSY); /* nobody's */
	expect_no_loan(o, 0, PAGES, PAGUS_MOVABLE, PAGUS_BAD_RANGE);
	o->pcps_taken = true;
	expect_no_loan(o, 0, pfns[0], PAGUS_MOVABLE, PAGUS_BUSY);
	o->pcps_taken = false;
	borrower.refuses = true;
	expect_no_loan(o, 0, pfns[0], PAGUS_MOVABLE, PAGUS_BUSY);
	borrower.refuses = false;
	o->port.loan_end = NULL;
	expect_no_loan(o, 0, pfns[0], PAGUS_MOVABLE, PAGUS_UNSUPPORTED);
	o->port.loan_end = end;
	owners_take(o, 0, pfns + 10, BLOCK - 10);
	expect_no_loan(o, 0, pfns[0], PAGUS_MOVABLE, PAGUS_BUSY); /* nothing of it is free */
	owners_close(o);

	o = boot_with(owners_lists, PAGES);
	pfns[0] = owners_alloc(o, 0, GFP_USER_PAGE, 0);
	expect_no_loan(o, 0, pfns[0], PAGUS_MOVABLE, PAGUS_UNSUPPORTED);
	assert_int_equal(pagus_loan_free(&o->lab.p, pfns[0]), PAGUS_UNSUPPORTED);
	pagus_loan_end(&o->lab.p, 0, 0);
	owners_close(o);
}

/* What is freed by its bit would not be wiped. */
static void pages_with_content_are_not_lent(void **state)
{
	static const enum pagus_tunable tunables[] = {
		PAGUS_TUNABLE_init_on_free, PAGUS_TUNABLE_init_on_alloc, PAGUS_TUNABLE_page_poison,
	};
	static const struct pagus_range range = { 0, PAGES, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, owners_maps);
	struct pagus_port port = pagus_sim_port;

	(void)state;
	port.loan_begin = begin;
	port.loan_end = end;
	for (size_t n = 0; n < NR_OF(tunables); n++) {
		struct lab lab;
		pagus_pfn_t pfn;

		memset(&borrower, 0, sizeof(borrower));
		unit_open(&lab, &cfg);
		lab.p.port = &port;
		assert_int_equal(pagus_tunable_set(&lab.p, tunables[n], 1), PAGUS_OK);
		assert_int_equal(lab_hand_over(&lab, &cfg), PAGUS_OK);
		unit_limits(&lab, 0, 512, 8192, 8192);
		pfn = unit_alloc(&lab, GFP_USER_PAGE, 0);
		assert_int_equal(pagus_lend(&lab.p, pfn, PAGUS_MOVABLE), PAGUS_BUSY);
		assert_int_equal(borrower.nr_begun, 0);
		assert_int_equal(pagus_loan_free(&lab.p, pfn), PAGUS_OK);
		assert_int_equal(pagus_loan_free(&lab.p, pfn), PAGUS_DOUBLE_FREE);
		unit_close(&lab);
	}
}

static void pagus_loan_free_refuses_as_any_free(void **state)
{
	struct owners *o = boot();
	pagus_pfn_t page = owners_alloc(o, 0, GFP_USER_PAGE, 0), taken;
	pagus_pfn_t four = owners_alloc(o, 0, GFP_USER_PAGE, 2);

	(void)state;
	assert_int_equal(pagus_loan_free(&o->lab.p, PAGES), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_loan_free(&o->lab.p, four), PAGUS_WRONG_ORDER);
	assert_int_equal(pagus_loan_free(&o->lab.p, four + 1), PAGUS_NOT_ALLOCATED);
	assert_int_equal(pagus_loan_free(&o->lab.p, PAGES - 1), PAGUS_DOUBLE_FREE); /* never used */
	must_lend(o, 0, page, PAGUS_MOVABLE);
	put_bit(page);
	assert_int_equal(pagus_loan_free(&o->lab.p, page), PAGUS_DOUBLE_FREE);
	taken = take_bit();
	assert_true(taken == page);
	/* Without the lock, from whatever CPU; then the borrower may not put it. */
	owners_on(o, 1);
	assert_int_equal(pagus_loan_free(&o->lab.p, taken), PAGUS_OK);
	assert_int_equal(owners_page(o, taken).kind, PAGUS_PAGE_DEFERRED);
	assert_int_equal(pagus_loan_free(&o->lab.p, taken), PAGUS_DOUBLE_FREE);
	assert_int_equal(pagus_free_pages(&o->lab.p, taken, 0), PAGUS_DOUBLE_FREE);
	assert_false(may_put(taken));
	assert_true(borrower.is_lent);
	owners_free(o, 0, four, 2);
	expect_all_free(o);
	owners_close(o);
}

/* ---- with loans and without ------------------------------------------------------------------ */

/* Pages are handed out by bits or by calls: what is left is the same. */
static uint64_t allocate(bool by_bits)
{
	struct owners *o = boot();
	pagus_pfn_t first = owners_alloc(o, 0, GFP_USER_PAGE, 0);
	uint64_t digest;

	if (by_bits)
		must_lend(o, 0, first, PAGUS_MOVABLE);
	for (uint32_t n = 1; n < 300; n++) {
		if (by_bits)
			assert_true(take_bit() == first + n);
		else
			assert_true(owners_alloc(o, 0, GFP_USER_PAGE, 0) == first + n);
	}
	pagus_loan_end(&o->lab.p, 0, 0);
	digest = pagus_digest(&o->lab.p);
	owners_close(o);
	return digest;
}

static void a_loan_leaves_what_calls_would_leave(void **state)
{
	struct owners *o = boot();
	pagus_pfn_t pfns[10];
	uint64_t before;

	(void)state;
	assert_true(allocate(true) == allocate(false));
	/* And one in which nothing happens, or all is undone, leaves nothing. */
	owners_take(o, 0, pfns, NR_OF(pfns));
	before = pagus_digest(&o->lab.p);
	for (uint32_t undone = 0; undone < 2; undone++) {
		must_lend(o, 0, pfns[0], PAGUS_MOVABLE);
		for (uint32_t n = 0; undone && n < NR_OF(pfns); n++)
			put_bit(pfns[n]);
		for (uint32_t n = 0; undone && n < NR_OF(pfns); n++)
			assert_true(take_bit() == pfns[n]);
		pagus_loan_end(&o->lab.p, 0, 0);
		assert_true(pagus_digest(&o->lab.p) == before);
	}
	owners_close(o);
}

/* ---- all together ---------------------------------------------------------------------------- */

#define MOST_HELD 3000

struct traffic {
	struct owners *o;
	uint64_t seed;
	struct { pagus_pfn_t pfn; uint32_t order; } held[MOST_HELD];
	uint32_t nr_held, nr_loans, nr_puts, nr_takes;
};

static uint32_t below(struct traffic *t, uint32_t limit)
{
	return (uint32_t)lab_random(&t->seed, limit);
}

static void allocate_some(struct traffic *t)
{
	uint32_t cpu = t->o->lab.sim.cpu, order = below(t, 4) ? 0 : below(t, 10);
	uint32_t type = below(t, 3);
	pagus_pfn_t pfn = PAGUS_NO_PFN;

	if (t->nr_held == MOST_HELD)
		return;
	if (order == 0 && borrower.is_lent && borrower.loan.cpu == cpu &&
	    borrower.loan.type == type)
		pfn = take_bit();
	t->nr_takes += pfn != PAGUS_NO_PFN;
	if (pfn == PAGUS_NO_PFN &&
	    pagus_alloc_pages(&t->o->lab.p, unit_gfp(type), order, &pfn) != PAGUS_OK)
		return;
	for (uint32_t n = 0; n < t->nr_held; n++)
		assert_true(pfn + (1u << order) <= t->held[n].pfn ||
			    t->held[n].pfn + (1u << t->held[n].order) <= pfn);
	t->held[t->nr_held].pfn = pfn;
	t->held[t->nr_held++].order = order;
	if (order == 0 && !borrower.is_lent)
		t->nr_loans += lend(t->o, cpu, pfn, type) == PAGUS_OK;
}

static void free_some(struct traffic *t)
{
	uint32_t n = below(t, MOST_HELD);
	pagus_pfn_t pfn;

	if (n >= t->nr_held)
		return;
	pfn = t->held[n].pfn;
	if (t->held[n].order == 0 && borrower.is_lent &&
	    borrower.loan.cpu == t->o->lab.sim.cpu && may_put(pfn)) {
		put_bit(pfn);
		t->nr_puts++;
	} else if (t->held[n].order == 0 && below(t, 3)) {
		assert_int_equal(pagus_loan_free(&t->o->lab.p, pfn), PAGUS_OK);
	} else {
		unit_free(&t->o->lab, pfn, t->held[n].order);
	}
	t->held[n] = t->held[--t->nr_held];
}

static void loans_among_all_else(void **state)
{
	struct traffic *t = calloc(1, sizeof(*t));

	(void)state;
	assert_non_null(t);
	t->o = boot_with(owners_maps, 16384);
	t->seed = unit_seed();
	unit_limits(&t->o->lab, 0, 63, 2048, 2048);
	for (uint32_t n = 0; n < 40000; n++) {
		owners_on(t->o, below(t, 3));
		t->o->pcps_taken = below(t, 16) == 0;
		below(t, 2) ? allocate_some(t) : free_some(t);
		t->o->pcps_taken = false;
		if (n % 2000 == 0)
			pagus_tick(&t->o->lab.p);
		if (n % 5000 == 0)
			pagus_drain_cpu(&t->o->lab.p, below(t, 3));
		if (n % 100 == 0)
			unit_check(&t->o->lab);
	}
	print_message("%u loans, %u pages taken, %u put\n", t->nr_loans, t->nr_takes, t->nr_puts);
	assert_true(t->nr_loans > 100 && t->nr_takes > 1000 && t->nr_puts > 50);
	while (t->nr_held--)
		unit_free(&t->o->lab, t->held[t->nr_held].pfn, t->held[t->nr_held].order);
	expect_all_free(t->o);
	owners_close(t->o);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loan_tells_of_its_pageblock),
		cmocka_unit_test(taken_pages_have_the_type),
		cmocka_unit_test(pages_of_other_types_are_not_single),
		cmocka_unit_test(refused_loans_change_nothing),
		cmocka_unit_test(pages_with_content_are_not_lent),
		cmocka_unit_test(pagus_loan_free_refuses_as_any_free),
		cmocka_unit_test(a_loan_leaves_what_calls_would_leave),
		cmocka_unit_test(loans_among_all_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
