/* SPDX-License-Identifier: MIT */
/*
 * Frees without a lock, one step at a time: which stack a pageblock is put on, what an absorb takes
 * in, and what becomes of a pageblock that is found on the stack of who no longer owns it. That
 * takes two CPUs at once; here it is put there by hand.
 */
#include "mem/page.h"
#include "unit/unit.h"
#include "zone/remote.h"

#define NR_BLOCKS 8u
#define BLOCK     512u
#define NR_CPUS   3u

static struct lab lab;
static struct pagus_state *st;

/* What `grown` was told. */
static struct {
	uint32_t nr, pages, cpu;
	struct pg_map *last;
} told;

static void grown(struct pagus_state *state, struct pg_pcp *pcp, struct pg_map *m, uint32_t pages)
{
	assert_ptr_equal(state, st);
	assert_int_equal(pg_map_owner(m), pcp->cpu + 1);
	told.nr++;
	told.pages += pages;
	told.cpu = pcp->cpu;
	told.last = m;
}

/* All pages are single pages that are handed out. */
static void open_blocks(void)
{
	const struct pagus_range range = { 0, NR_BLOCKS * BLOCK, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, "pcpbuddy-bitmap");

	cfg.nr_cpus = NR_CPUS;
	unit_open(&lab, &cfg);
	st = lab.p.state;
	for (uint32_t n = 0; n < NR_BLOCKS * BLOCK; n++)
		pg_map_take(st, st->first_page + n, 0);
	pg_zone(st, 0)->handed_over = NR_BLOCKS * BLOCK;
	told.nr = told.pages = 0;
}

static struct pg_map *block(uint32_t n)
{
	return pg_map_at(st, n);
}

static struct pg_pcp *pcp(uint32_t cpu)
{
	return pg_pcp(st, 0, cpu);
}

static uint32_t page(uint32_t n, uint32_t bit)
{
	return pg_map_start(st, block(n)) + bit;
}

/* Is it put on a stack by this? */
static bool put_by(uint32_t n, uint32_t bit, uint32_t order)
{
	bool put;

	assert_true(pg_remote_free(st, page(n, bit), order, &put));
	return put;
}

/* The stack has just these pageblocks, the last one put first. */
static void expect_stack(uint32_t first, const uint32_t *want, uint32_t nr)
{
	for (uint32_t k = 0; k < nr; k++, first = block(first - 1)->waiting)
		assert_int_equal(first, want[k] + 1);
	assert_int_equal(first, PG_NONE);
}

#define STACK(...) \
	(const uint32_t[]){ __VA_ARGS__ }, NR_OF(((const uint32_t[]){ __VA_ARGS__ }))
#define NOTHING NULL, 0

static void a_pageblock_is_put_once(void **state)
{
	bool put = true;

	(void)state;
	open_blocks();
	block(2)->owner = 1 + 1;
	assert_true(put_by(2, 5, 0));
	/* In the same word, in another, and of several. */
	assert_false(put_by(2, 7, 0));
	assert_false(put_by(2, 64, 0));
	pg_map_grant(st, page(2, 128), 7, PAGUS_MOVABLE);
	assert_false(put_by(2, 128, 7));
	assert_true(put_by(3, 0, 0));
	assert_true(put_by(4, 0, 0));
	expect_stack(pcp(1)->remote, STACK(2));
	expect_stack(pg_zone(st, 0)->deferred, STACK(4, 3));
	assert_int_equal(block(1)->waiting, PG_MAP_ALONE);
	assert_false(pg_remote_free(st, page(2, 64), 0, &put));
	assert_false(put);
	assert_false(pg_remote_none(pg_zone(st, 0), pcp(0)));

	pg_remote_absorb(st, pcp(1), grown);
	assert_int_equal(told.nr, 1);
	assert_int_equal(told.pages, 3 + 128);
	assert_int_equal(told.cpu, 1);
	assert_int_equal(block(2)->nr_free, 3 + 128);
	assert_int_equal(block(2)->waiting, PG_MAP_ALONE);
	expect_stack(pcp(1)->remote, NOTHING);
	/* Once more, from the beginning. */
	assert_true(put_by(2, 65, 0));
	lab_close(&lab);
}

static void who_owns_it_no_longer_hands_it_on(void **state)
{
	(void)state;
	open_blocks();
	for (uint32_t n = 0; n < 5; n++)
		block(n)->owner = 1;
	for (uint32_t n = 0; n < 5; n++)
		put_by(n, n, 0);
	/* Changed behind the stack's back. */
	block(1)->owner = 2;
	block(3)->owner = 0;
	block(4)->owner = 3;
	pg_remote_absorb(st, pcp(0), grown);
	assert_int_equal(told.nr, 2);
	assert_int_equal(told.pages, 2);
	expect_stack(pcp(0)->remote, NOTHING);
	expect_stack(pcp(1)->remote, STACK(1));
	expect_stack(pcp(2)->remote, STACK(4));
	expect_stack(pg_zone(st, 0)->deferred, STACK(3));
	assert_int_equal(pg_map_remote_pages(block(1)), 1);
	assert_int_equal(pg_map_remote_pages(block(2)), 0);
	lab_close(&lab);
}

static void the_zone_hands_on_what_is_a_cpu_s(void **state)
{
	struct pg_zone *z;
	struct pg_call c;

	(void)state;
	open_blocks();
	z = pg_zone(st, 0);
	for (uint32_t n = 0; n < 3; n++)
		put_by(n, 8 * n, 0);
	block(1)->owner = 2;
	c = pg_call_begin(&lab.p);
	pg_zone_lock(&c, z, PAGUS_REASON_DRAIN);
	pg_remote_absorb_zone(&c, z);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	expect_stack(z->deferred, NOTHING);
	expect_stack(pcp(1)->remote, STACK(1));
	assert_int_equal(z->free_pages, 2);
	assert_int_equal(block(1)->nr_free, 0);
	lab_close(&lab);
}

/* Also where others lie on the former owner's stack, which stay there. */
static void a_change_of_owner_moves_the_stack(void **state)
{
	(void)state;
	open_blocks();
	for (uint32_t n = 0; n < 4; n++)
		block(n)->owner = 1;
	for (uint32_t n = 0; n < 3; n++)
		put_by(n, 0, 0);
	pg_remote_set_owner(st, block(1), 3);
	expect_stack(pcp(2)->remote, STACK(1));
	expect_stack(pcp(0)->remote, STACK(0, 2));
	pg_remote_set_owner(st, block(0), 0);
	expect_stack(pg_zone(st, 0)->deferred, STACK(0));
	pg_remote_set_owner(st, block(1), 1);
	expect_stack(pcp(0)->remote, STACK(1, 2));
	/* One that waits nowhere moves nothing. */
	pg_remote_set_owner(st, block(3), 2);
	expect_stack(pcp(0)->remote, STACK(1, 2));
	expect_stack(pcp(1)->remote, NOTHING);
	lab_close(&lab);
}

/* What lies in one pageblock of the zone comes back as the blocks that it forms with the rest. */
static void the_zone_merges_what_it_takes_in(void **state)
{
	static const struct { uint32_t nr, order, nr_blocks; } rows[] = {
		{ 1, 0, 1 }, { 4, 2, 1 }, { 7, 0, 1 }, { 8, 3, 1 }, { 512, 9, 1 },
	};

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct pg_zone *z;
		struct pg_call c;

		open_blocks();
		z = pg_zone(st, 0);
		for (uint32_t k = 0; k < rows[n].nr; k++)
			assert_int_equal(put_by(2, k, 0), k == 0);
		c = pg_call_begin(&lab.p);
		pg_zone_lock(&c, z, PAGUS_REASON_DRAIN);
		pg_remote_absorb_zone(&c, z);
		pg_zone_unlock(&c, z);
		pg_call_end(&c);
		assert_int_equal(z->free_pages, rows[n].nr);
		assert_int_equal(z->nr_free[rows[n].order], rows[n].nr_blocks);
		assert_true(pg_store_any(st, z, rows[n].order, pg_block_type(st, page(2, 0))));
		unit_check(&lab);
		lab_close(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pageblock_is_put_once),
		cmocka_unit_test(who_owns_it_no_longer_hands_it_on),
		cmocka_unit_test(the_zone_hands_on_what_is_a_cpu_s),
		cmocka_unit_test(a_change_of_owner_moves_the_stack),
		cmocka_unit_test(the_zone_merges_what_it_takes_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
