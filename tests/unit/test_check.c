/* SPDX-License-Identifier: MIT */
/* pagus_check finds each invariant broken: the state is damaged behind the library's back. */
#include "mem/superpageblock.h"
#include "unit/unit.h"

#include "mem/geometry.h"
#include "zone/owner.h"

static const struct pagus_range range = { 0, 1024, 0, PAGUS_ZONE_BY_CEILING };

enum {
	FREE_PAGE = 1,
	FREE_PAIR = 8,
	FREE_BLOCK = 64,
	PCP_PAGE = 100,
	USED_PAGE = 200,
	RESERVED_PAGE = 300
};

static struct pg_page *page(struct lab *lab, pagus_pfn_t pfn)
{
	return pg_page(lab->p.state, pg_index(lab->p.state, pfn));
}

static void break_links(struct lab *lab)
{
	page(lab, FREE_PAGE)->prev++;
}

static void break_free_state(struct lab *lab)
{
	pg_page_set(page(lab, FREE_PAGE), PAGUS_PAGE_FREE, 1, 0);
}

/* The block of two pages is listed, with all its marks, one page later. */
static void break_alignment(struct lab *lab)
{
	struct pg_page *pages = pg_pages(lab->p.state), *head = page(lab, FREE_PAIR);
	uint32_t later = pg_index(lab->p.state, FREE_PAIR + 1);

	pages[later] = *head;
	pages[head->prev].next = later;
	pages[head->next].prev = later;
}

static void break_block_type(struct lab *lab)
{
	uint8_t *blocks = pg_at(lab->p.state, lab->p.state->off_blocks);

	blocks[0] = PAGUS_RECLAIMABLE;
}

static void break_pcp_state(struct lab *lab)
{
	pg_page_set_kind(page(lab, PCP_PAGE), PAGUS_PAGE_ALLOCATED);
}

static void break_extent(struct lab *lab)
{
	pg_page_set_kind(page(lab, FREE_BLOCK + 3), PAGUS_PAGE_RESERVED);
}

static void orphan_a_tail(struct lab *lab)
{
	pg_page_set_kind(page(lab, RESERVED_PAGE), PAGUS_PAGE_TAIL);
}

static void free_without_a_list(struct lab *lab)
{
	pg_page_set_kind(page(lab, RESERVED_PAGE), PAGUS_PAGE_FREE);
}

static void leave_buddies_apart(struct lab *lab)
{
	unit_seed_free(lab, FREE_PAGE - 1, 0);
}

static void break_nr_free(struct lab *lab)
{
	pg_zone(lab->p.state, 0)->nr_free[4]++;
}

static void break_free_pages(struct lab *lab)
{
	pg_zone(lab->p.state, 0)->free_pages--;
}

static void break_pcp_count(struct lab *lab)
{
	pg_pcp(lab->p.state, 0, 0)->count++;
}

static void break_conservation(struct lab *lab)
{
	pg_zone(lab->p.state, 0)->handed_over++;
}

static void leave_links(struct lab *lab)
{
	page(lab, USED_PAGE)->next = 1;
}

static void break_marks(struct lab *lab)
{
	pg_zone(lab->p.state, 0)->wmark[PAGUS_WMARK_HIGH] = UINT64_MAX;
}

static void miscount_the_reserve(struct lab *lab)
{
	pg_zone(lab->p.state, 0)->reserved_highatomic += 512;
}

static void lose_a_deferred_block(struct lab *lab)
{
	pg_page_set_kind(page(lab, USED_PAGE), PAGUS_PAGE_DEFERRED);
}

static void miscount_the_leaks(struct lab *lab)
{
	pg_zone(lab->p.state, 0)->leaked_pages++;
}

/* Row n breaks invariant n + 1, and where a page is to blame, it is named. */
static const struct {
	void (*damage)(struct lab *lab);
	pagus_pfn_t where;
} rows[] = {
	{ break_links, PAGUS_NO_PFN },
	{ break_free_state, FREE_PAGE },
	{ break_alignment, FREE_PAIR + 1 },
	{ break_block_type, FREE_PAGE },
	{ break_pcp_state, PCP_PAGE },
	{ break_extent, FREE_BLOCK + 3 },
	{ orphan_a_tail, RESERVED_PAGE },
	{ free_without_a_list, PAGUS_NO_PFN },
	{ leave_buddies_apart, FREE_PAGE - 1 },
	{ break_nr_free, PAGUS_NO_PFN },
	{ break_free_pages, PAGUS_NO_PFN },
	{ break_pcp_count, PAGUS_NO_PFN },
	{ break_conservation, PAGUS_NO_PFN },
	{ leave_links, USED_PAGE },
	{ break_marks, PAGUS_NO_PFN },
	{ miscount_the_reserve, PAGUS_NO_PFN },
	{ lose_a_deferred_block, PAGUS_NO_PFN }, { miscount_the_leaks, PAGUS_NO_PFN },
};

static void each_broken_invariant_is_found(void **state)
{
	const struct pagus_config cfg = lab_config(&range, 1, "linux");

	(void)state;
	for (size_t n = 0; n < NR_OF(rows); n++) {
		struct lab lab;
		pagus_pfn_t where = 0;

		unit_open(&lab, &cfg);
		unit_seed_free(&lab, FREE_PAGE, 0);
		unit_seed_free(&lab, FREE_PAIR, 1);
		unit_seed_free(&lab, FREE_BLOCK, 3);
		assert_int_equal(pagus_seed_pcp(&lab.p, 0, PCP_PAGE, PAGUS_MOVABLE), PAGUS_OK);
		unit_inherit(&lab, USED_PAGE, 1, PAGUS_MOVABLE);
		unit_seeded(&lab);
		rows[n].damage(&lab);
		assert_int_equal(pagus_check(&lab.p, &where), n + 1);
		/* With broken links the entry before is named: here, a list head. */
		assert_true(where == rows[n].where);
		lab_close(&lab);
	}
}

/* ---- pageblocks that a CPU owns -------------------------------------------------------------- */

static struct pg_own *own(struct lab *lab, pagus_pfn_t pfn)
{
	return pg_own(lab->p.state, pg_own_record(lab->p.state, pg_index(lab->p.state, pfn)));
}

static void give_to_another(struct lab *lab, pagus_pfn_t pfn)
{
	own(lab, pfn)->owner = 2;
}

static void miscount_owned_pages(struct lab *lab, pagus_pfn_t pfn)
{
	own(lab, pfn)->nr_free--;
}

static void make_it_cma(struct lab *lab, pagus_pfn_t pfn)
{
	((uint8_t *)pg_at(lab->p.state, lab->p.state->off_blocks))[pfn / 512] = PAGUS_CMA;
}

static void forget_its_pieces(struct lab *lab, pagus_pfn_t pfn)
{
	pagus_drain_all(&lab->p);
	unit_check(lab);
	pg_own_del(lab->p.state, pg_own_record(lab->p.state, pg_index(lab->p.state, pfn)),
		   PG_OWN_PIECES);
}

static void forget_that_it_is_whole(struct lab *lab, pagus_pfn_t pfn)
{
	unit_free(lab, pfn, 0);
	unit_check(lab);
	pg_own_del(lab->p.state, pg_own_record(lab->p.state, pg_index(lab->p.state, pfn)),
		   PG_OWN_WHOLE);
}

static void miscount_remote_pages(struct lab *lab, pagus_pfn_t pfn)
{
	(void)pfn;
	pg_pcp(lab->p.state, 0, 0)->remote_pages++;
}

/* Row n breaks invariant n + 19, in the pageblock of which CPU 0 owns all and has one page in use. */
static void (*const owner_rows[])(struct lab *lab, pagus_pfn_t pfn) = {
	give_to_another, miscount_owned_pages, make_it_cma, forget_its_pieces,
	forget_that_it_is_whole, miscount_remote_pages,
};

/* Row n breaks invariant first + n, in a pageblock that CPU 0 owns and has a page of in use. */
static void check_owned_rows(const char *policy, void (*const *damage)(struct lab *, pagus_pfn_t),
			     size_t nr, size_t first)
{
	static const struct pagus_range memory = { 0, 8192, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&memory, 1, policy);

	for (size_t n = 0; n < nr; n++) {
		struct pagus_page_info info;
		pagus_pfn_t pfn, where;
		struct lab lab;

		unit_boot(&lab, &cfg);
		unit_limits(&lab, 0, 512, 4096, 4096);
		pfn = unit_alloc(&lab, GFP_USER_PAGE, 0);
		assert_int_equal(pagus_page_info(&lab.p, pfn, &info), PAGUS_OK);
		assert_int_equal(info.owner, 1);
		unit_check(&lab);
		damage[n](&lab, pfn);
		assert_int_equal(pagus_check(&lab.p, &where), first + n);
		lab_close(&lab);
	}
}

static void each_broken_invariant_of_owners_is_found(void **state)
{
	(void)state;
	check_owned_rows("pcpbuddy", owner_rows, NR_OF(owner_rows), 19);
}

/* ---- pages in maps --------------------------------------------------------------------------- */

static struct pg_map *map_of(struct lab *lab, pagus_pfn_t pfn)
{
	return pg_map(lab->p.state, pg_index(lab->p.state, pfn));
}

static void free_a_page_uncounted(struct lab *lab, pagus_pfn_t pfn)
{
	map_of(lab, pfn)->free[pfn % 512 / 64] ^= UINT64_C(1) << pfn % 64;
}

static void list_an_owned_pageblock(struct lab *lab, pagus_pfn_t pfn)
{
	map_of(lab, pfn)->listed = 1;
}

static void forget_its_queue(struct lab *lab, pagus_pfn_t pfn)
{
	map_of(lab, pfn)->queue = 0;
}

static void free_remotely_unseen(struct lab *lab, pagus_pfn_t pfn)
{
	map_of(lab, pfn)->remote[pfn % 512 / 64] |= UINT64_C(1) << pfn % 64;
}

static void (*const map_rows[])(struct lab *lab, pagus_pfn_t pfn) = {
	free_a_page_uncounted, list_an_owned_pageblock, forget_its_queue, free_remotely_unseen,
};

static void each_broken_invariant_of_maps_is_found(void **state)
{
	(void)state;
	check_owned_rows("pcpbuddy-bitmap", map_rows, NR_OF(map_rows), 25);
}

/* ---- pages in either ------------------------------------------------------------------------- */

static void miscount_isolated_pageblocks(struct lab *lab, pagus_pfn_t pfn)
{
	(void)pfn;
	pg_zone(lab->p.state, 0)->nr_isolated++;
}

static void (*const further_rows[])(struct lab *lab, pagus_pfn_t pfn) = {
	miscount_isolated_pageblocks,
};

static void each_further_broken_invariant_is_found(void **state)
{
	(void)state;
	check_owned_rows("pcpbuddy", further_rows, NR_OF(further_rows), 29);
	check_owned_rows("pcpbuddy-bitmap", further_rows, NR_OF(further_rows), 29);
}

/* ---- superpageblocks --------------------------------------------------------------------------- */

static struct pg_spb *superpageblock_of(struct lab *lab, pagus_pfn_t pfn)
{
	const struct pagus_state *st = lab->p.state;

	return pg_spb(st, pg_zone(st, 0), pg_spb_number(st, pg_zone(st, 0), pg_index(st, pfn)));
}

static void forget_what_it_holds(struct lab *lab, pagus_pfn_t pfn)
{
	map_of(lab, pfn)->spb_holds = 0;
}

static void miscount_a_superpageblock(struct lab *lab, pagus_pfn_t pfn)
{
	superpageblock_of(lab, pfn)->nr_hold[PG_HOLD_RECLAIMABLE]++;
}

static void leave_the_set_of_its_fullness(struct lab *lab, pagus_pfn_t pfn)
{
	const struct pg_zone *z = pg_zone(lab->p.state, 0);
	const struct pg_spb *s = superpageblock_of(lab, pfn);

	pg_spb_put(lab->p.state, z, PG_SPB_FULLNESS + s->fullness,
		   pg_spb_index(z, lab->p.state, s), false);
}

static void miscount_tainted_superpageblocks(struct lab *lab, pagus_pfn_t pfn)
{
	(void)pfn;
	pg_zone(lab->p.state, 0)->nr_tainted++;
}

static void (*const superpageblock_rows[])(struct lab *lab, pagus_pfn_t pfn) = {
	forget_what_it_holds, miscount_a_superpageblock, leave_the_set_of_its_fullness,
	miscount_tainted_superpageblocks,
};

static void each_broken_invariant_of_superpageblocks_is_found(void **state)
{
	(void)state;
	check_owned_rows("superpageblock", superpageblock_rows, NR_OF(superpageblock_rows), 30);
	assert_string_equal(pagus_invariant_text(29 + (int)NR_OF(superpageblock_rows) + 1), "?");
}

static void only_known_marks_are_allowed_and_none_out_of_place(void **state)
{
	static const struct { uint32_t prev, next, order; int broken; } cases[] = {
		{ 0, 0, 0, 0 }, { 5, 0, 0, 0 }, { 0, PG_MARKS, 1, 0 }, { 0, PG_MARKS + 1, 1, 14 },
		{ 0, PG_MARK_COMPOUND, 0, 14 },
	};
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	pagus_pfn_t where;
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	for (size_t n = 0; n < NR_OF(cases); n++) {
		pagus_pfn_t pfn = unit_alloc(&lab, GFP_KERNEL | __GFP_COMP, cases[n].order);

		page(&lab, pfn)->prev = cases[n].prev;
		page(&lab, pfn)->next = cases[n].next;
		assert_int_equal(pagus_check(&lab.p, &where), cases[n].broken);
		page(&lab, pfn)->prev = page(&lab, pfn)->next = 0;
	}
	unit_close(&lab);
}

static void deferred_pages_are_those_of_the_blocks_that_wait(void **state)
{
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	pagus_pfn_t where = 0;
	struct lab lab;

	(void)state;
	unit_boot(&lab, &cfg);
	pg_zone(lab.p.state, 0)->deferred_pages = 1;
	assert_int_equal(pagus_check(&lab.p, &where), 17);
	assert_true(where == PAGUS_NO_PFN);
	pg_zone(lab.p.state, 0)->deferred_pages = 0;
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_broken_invariant_is_found),
		cmocka_unit_test(each_broken_invariant_of_owners_is_found),
		cmocka_unit_test(each_broken_invariant_of_maps_is_found),
		cmocka_unit_test(each_further_broken_invariant_is_found),
		cmocka_unit_test(each_broken_invariant_of_superpageblocks_is_found),
		cmocka_unit_test(only_known_marks_are_allowed_and_none_out_of_place),
		cmocka_unit_test(deferred_pages_are_those_of_the_blocks_that_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
