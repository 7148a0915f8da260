/* SPDX-License-Identifier: MIT */
/* What ends a loan, and what does not. */
#include "pcpbuddy/borrower.h"

/* CPU 0's lent pageblock with a block of order 2 and single pages; and a second one, not lent. */
struct scene {
	struct owners *o;
	pagus_pfn_t four, pages[20], elsewhere;
};

static void by_pagus_loan_end(struct scene *s)
{
	owners_on(s->o, 2);
	pagus_loan_end(&s->o->lab.p, 0, 0);
}

static void by_drain(struct scene *s)
{
	owners_on(s->o, 1);
	pagus_drain_cpu(&s->o->lab.p, 0);
}

static void by_tick(struct scene *s)
{
	owners_on(s->o, 0);
	pagus_tick(&s->o->lab.p);
}

/* The pages of the other pageblocks are used up first. */
static void by_miss(struct scene *s)
{
	pagus_pfn_t pfns[PAGES];
	uint32_t nr = 0;

	while (borrower.is_lent)
		pfns[nr++] = owners_alloc(s->o, 0, GFP_USER_PAGE, 0);
	assert_true(nr > 100 && pfns[nr - 1] / BLOCK == s->four / BLOCK);
	for (uint32_t n = 0; n + 1 < nr; n++)
		assert_true(pfns[n] / BLOCK != s->four / BLOCK);
	owners_give(s->o, 0, pfns, nr);
}

static void by_free_of_a_block(struct scene *s)
{
	owners_free(s->o, 0, s->four, 2);
	s->four = PAGUS_NO_PFN;
}

static void by_free_of_a_page(struct scene *s)
{
	owners_free(s->o, 0, s->pages[19], 0);
	s->pages[19] = PAGUS_NO_PFN;
}

static void by_split(struct scene *s)
{
	owners_on(s->o, 1);
	assert_int_equal(pagus_split_pages(&s->o->lab.p, s->four, 2, 0), PAGUS_OK);
	for (uint32_t n = 0; n < 4; n++)
		owners_free(s->o, n % 3, s->four + n, 0);
	s->four = PAGUS_NO_PFN;
}

static void by_cpu_down(struct scene *s)
{
	owners_on(s->o, 1);
	assert_int_equal(pagus_cpu_down(&s->o->lab.p, 0), PAGUS_OK);
	assert_false(borrower.is_lent);
	assert_int_equal(pagus_cpu_up(&s->o->lab.p, 0), PAGUS_OK);
}

static void by_pcp_disable(struct scene *s)
{
	owners_on(s->o, 1);
	assert_int_equal(pagus_zone_pcp_disable(&s->o->lab.p, 0), PAGUS_OK);
	assert_false(borrower.is_lent);
	assert_int_equal(lend(s->o, 0, s->four, PAGUS_MOVABLE), PAGUS_BUSY);
	assert_int_equal(pagus_zone_pcp_enable(&s->o->lab.p, 0), PAGUS_OK);
}

static void by_isolation(struct scene *s)
{
	owners_on(s->o, 1);
	assert_int_equal(pagus_seed_block(&s->o->lab.p, s->four, PAGUS_ISOLATE), PAGUS_OK);
	assert_false(borrower.is_lent);
	assert_int_equal(owners_page(s->o, s->four).owner, 0);
	unit_check(&s->o->lab);
}

static void by_another_loan(struct scene *s)
{
	assert_int_equal(lend(s->o, 0, s->elsewhere, PAGUS_MOVABLE), PAGUS_OK);
	assert_int_equal(borrower.nr_ended, 1);
	assert_true(borrower.loan.start_pfn == (s->elsewhere & ~(pagus_pfn_t)(BLOCK - 1)));
	pagus_loan_end(&s->o->lab.p, 0, 0);
}

/* It goes on. */
static void requests_that_others_serve(struct scene *s)
{
	struct { pagus_pfn_t pfn; uint32_t order; } got[24];

	for (uint32_t n = 0; n < NR_OF(got); n++) {
		got[n].order = n % 8;
		got[n].pfn = owners_alloc(s->o, n / 8, unit_gfp(n < 8 ? PAGUS_MOVABLE : n % 3),
					  got[n].order);
		assert_true(got[n].pfn / BLOCK != s->four / BLOCK);
	}
	for (uint32_t n = 0; n < NR_OF(got); n++)
		owners_free(s->o, n / 8, got[n].pfn, got[n].order);
}

static void frees_by_others(struct scene *s)
{
	owners_free(s->o, 1, s->four, 2);
	s->four = PAGUS_NO_PFN;
	owners_free(s->o, 2, s->pages[19], 0);
	s->pages[19] = PAGUS_NO_PFN;
}

static void frees_elsewhere(struct scene *s)
{
	owners_free(s->o, 0, s->elsewhere, 0);
	s->elsewhere = PAGUS_NO_PFN;
}

static void a_free_without_the_lock(struct scene *s)
{
	owners_on(s->o, 0);
	assert_int_equal(pagus_loan_free(&s->o->lab.p, s->pages[19]), PAGUS_OK);
	assert_false(may_put(s->pages[19]));
	assert_int_equal(pagus_loan_free(&s->o->lab.p, s->pages[19]), PAGUS_DOUBLE_FREE);
	s->pages[19] = PAGUS_NO_PFN;
}

static void other_cpus_and_zones(struct scene *s)
{
	owners_on(s->o, 1);
	pagus_loan_end(&s->o->lab.p, 0, 1);
	pagus_loan_end(&s->o->lab.p, 0, 3);
	pagus_loan_end(&s->o->lab.p, 1, 0);
	pagus_drain_cpu(&s->o->lab.p, 2);
	pagus_tick(&s->o->lab.p);
	assert_int_equal(pagus_cpu_down(&s->o->lab.p, 2), PAGUS_OK);
	assert_int_equal(pagus_cpu_up(&s->o->lab.p, 2), PAGUS_OK);
}

static const struct {
	const char *name;
	void (*act)(struct scene *s);
	bool ends;
} acts[] = {
	{ "pagus_loan_end", by_pagus_loan_end, true },
	{ "drain", by_drain, true },
	{ "tick", by_tick, true },
	{ "miss", by_miss, true },
	{ "free of a block", by_free_of_a_block, true },
	{ "free of a page", by_free_of_a_page, true },
	{ "split", by_split, true },
	{ "CPU down", by_cpu_down, true },
	{ "pcps off", by_pcp_disable, true },
	{ "isolation", by_isolation, true },
	{ "another loan", by_another_loan, true },
	{ "requests that others serve", requests_that_others_serve, false },
	{ "frees by others", frees_by_others, false },
	{ "frees elsewhere", frees_elsewhere, false },
	{ "a free without the lock", a_free_without_the_lock, false },
	{ "other CPUs and zones", other_cpus_and_zones, false },
};

static struct scene open_scene(void)
{
	struct scene s = { .o = boot() };
	pagus_pfn_t fill[BLOCK];

	/* The second pageblock is in part free, so that requests are served from it. */
	owners_take(s.o, 0, fill, BLOCK);
	s.four = owners_alloc(s.o, 0, GFP_USER_PAGE, 2);
	owners_take(s.o, 0, s.pages, NR_OF(s.pages));
	owners_give(s.o, 0, fill + 1, BLOCK - 1);
	s.elsewhere = fill[0];
	assert_true(s.elsewhere / BLOCK != s.four / BLOCK);
	must_lend(s.o, 0, s.pages[0], PAGUS_MOVABLE);
	for (uint32_t n = 0; n < 10; n++)
		put_bit(s.pages[n]);
	for (uint32_t n = 0; n < 5; n++)
		s.pages[n] = take_bit();
	unit_check(&s.o->lab);
	return s;
}

static void close_scene(struct scene *s)
{
	/* Of the ten that were put five are in use again: the lowest. */
	if (s->four != PAGUS_NO_PFN)
		owners_free(s->o, 0, s->four, 2);
	for (uint32_t n = 0; n < NR_OF(s->pages); n++)
		if ((n < 5 || n >= 10) && s->pages[n] != PAGUS_NO_PFN)
			owners_free(s->o, 1, s->pages[n], 0);
	if (s->elsewhere != PAGUS_NO_PFN)
		owners_free(s->o, 2, s->elsewhere, 0);
	pagus_drain_all(&s->o->lab.p);
	assert_false(borrower.is_lent);
	assert_int_equal(borrower.nr_begun, borrower.nr_ended);
	assert_int_equal(unit_zone(&s->o->lab, 0).free_pages +
			 (pagus_free_blocks(&s->o->lab.p, 0, 9, PAGUS_ISOLATE) << 9), PAGES);
	owners_close(s->o);
}

static void what_ends_a_loan_and_what_does_not(void **state)
{
	(void)state;
	for (size_t n = 0; n < NR_OF(acts); n++) {
		struct scene s = open_scene();

		acts[n].act(&s);
		if (borrower.is_lent == acts[n].ends)
			fail_msg("%s: the loan %s", acts[n].name,
				 acts[n].ends ? "goes on" : "has ended");
		unit_check(&s.o->lab);
		close_scene(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_ends_a_loan_and_what_does_not) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
