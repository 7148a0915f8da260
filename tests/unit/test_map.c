/* SPDX-License-Identifier: MIT */
/*
 * Pages as bits against a naive oracle, an array of what each page is: random changes, and all
 * that can be asked about a pageblock after them.
 */
#include "mem/map.h"
#include "mem/page.h"
#include "unit/unit.h"

#define MAX_PAGES 8192

static const uint32_t block_orders[] = { 2, 5, 6, 7, 9 };

/* What page i is. `order` of the first page of a block that is handed out; `remote`: freed so. */
static struct {
	uint8_t kind, order, type;
	bool remote;
} oracle[MAX_PAGES];

static struct lab lab;
static struct pagus_state *st;
static uint64_t seed;

static uint32_t below(uint64_t limit)
{
	return (uint32_t)lab_random(&seed, limit);
}

/* ---- the oracle's own changes ---------------------------------------------------------------- */

static void set_kind(uint32_t i, uint32_t pages, enum pagus_page_kind kind, uint32_t type)
{
	for (uint32_t n = 0; n < pages; n++) {
		oracle[i + n].kind = (uint8_t)kind;
		oracle[i + n].type = (uint8_t)type;
		oracle[i + n].order = 0;
		oracle[i + n].remote = false;
	}
}

/* Bits of a page that is nobody's are those of a single unmovable page. */
static void take(uint32_t i, uint32_t order)
{
	pg_map_take(st, st->first_page + i, order);
	set_kind(i, 1u << order, PAGUS_PAGE_ALLOCATED, PAGUS_UNMOVABLE);
}

/* All that waits of page i's pageblock. */
static void absorb(uint32_t i)
{
	uint32_t start = i & ~((1u << st->pageblock_order) - 1);

	for (uint32_t w = 0; w < pg_map_words(st); w++)
		pg_map_absorb(pg_map(st, st->first_page + i), w);
	for (uint32_t n = start; n < start + (1u << st->pageblock_order); n++)
		if (oracle[n].remote)
			set_kind(n, 1, PAGUS_PAGE_FREE, 0);
}

/* No block reaches from outside into these pages, or out of them; nothing waits there. */
static void clear_for(uint32_t i, uint32_t order)
{
	uint32_t end = i + (1u << order);

	for (uint32_t at = i; at < end; at++)
		if (oracle[at].remote)
			absorb(at);
	while (oracle[i].kind == PAGUS_PAGE_TAIL)
		i--;
	for (uint32_t at = i; at < end; at += 1u << oracle[at].order)
		if (oracle[at].kind == PAGUS_PAGE_ALLOCATED && oracle[at].order)
			take(at, oracle[at].order);
}

static void grant(uint32_t i, uint32_t order)
{
	uint32_t type = below(3);

	pg_map_grant(st, st->first_page + i, order, type);
	set_kind(i, 1u << order, PAGUS_PAGE_TAIL, 0);
	set_kind(i, 1, PAGUS_PAGE_ALLOCATED, type);
	oracle[i].order = (uint8_t)order;
}

/* A block of at most a pageblock, if one is there, is freed without the lock: twice is refused. */
static void free_remotely(uint32_t i)
{
	uint32_t order = oracle[i].order, bit = pg_map_bit(st, st->first_page + i), waiting = 0;
	uint32_t start = i - bit, word = bit & ~63u;
	bool first, again;

	if (oracle[i].kind != PAGUS_PAGE_ALLOCATED || order > st->pageblock_order)
		return;
	for (uint32_t n = word; n < 1u << st->pageblock_order && n < word + 64; n++)
		waiting += oracle[start + n].remote;
	if (oracle[i].remote) {
		assert_false(pg_map_free_remote(st, st->first_page + i, order, &first));
		return;
	}
	assert_true(pg_map_free_remote(st, st->first_page + i, order, &first));
	/* Of several words those behind the first are the block's own. */
	assert_int_equal(first, waiting == 0 || order > 6);
	for (uint32_t n = 0; n < 1u << order; n++)
		oracle[i + n].remote = true;
	assert_false(pg_map_free_remote(st, st->first_page + i, order, &again));
	assert_false(again);
}

static void change(void)
{
	uint32_t order = below(below(4) ? 4 : st->max_order + 1), i, type = below(3);

	i = below(st->nr_pages >> order) << order;
	if (below(3) == 0) {
		free_remotely(i);
		return;
	}
	clear_for(i, order);
	switch (below(5)) {
	case 0: case 1:
		grant(i, order);
		break;
	case 2:
		pg_map_set_free(st, st->first_page + i, order);
		set_kind(i, 1u << order, PAGUS_PAGE_FREE, 0);
		break;
	case 3:
		take(i, order);
		break;
	case 4:
		pg_map_inherit(st, st->first_page + i, type);
		set_kind(i, 1, PAGUS_PAGE_INHERITED, type);
		break;
	}
}

/* ---- the same questions, asked naively ------------------------------------------------------- */

static bool all_free(uint32_t start, uint32_t bit, uint32_t order)
{
	for (uint32_t n = 0; n < 1u << order; n++)
		if (oracle[start + bit + n].kind != PAGUS_PAGE_FREE)
			return false;
	return true;
}

/* Order of the largest aligned run of free pages that page `bit` lies in. */
static uint32_t order_at(uint32_t start, uint32_t bit)
{
	uint32_t order = 0;

	while (order < st->pageblock_order &&
	       all_free(start, bit & ~((2u << order) - 1), order + 1))
		order++;
	return order;
}

static bool begins(uint32_t start, uint32_t bit, uint32_t order)
{
	return (bit & ((1u << order) - 1)) == 0 && all_free(start, bit, 0) &&
	       order_at(start, bit) == order;
}

static void ask_for_free_blocks(const struct pg_map *m, uint32_t start)
{
	uint32_t pages = 1u << st->pageblock_order, nr_free = 0;
	uint16_t nr[PG_MAP_MAX_ORDER + 1];

	pg_map_count(st, m, nr);
	for (uint32_t order = 0; order <= st->pageblock_order; order++) {
		uint32_t first = UINT32_MAX, at = UINT32_MAX, nr_blocks = 0;
		uint32_t from = below(pages >> order) << order;

		for (uint32_t bit = pages; bit > 0; bit -= 1u << order) {
			uint32_t here = bit - (1u << order);
			bool run = all_free(start, here, order);

			assert_int_equal(pg_map_run(m, here, order), run);
			first = run ? here : first;
			at = here >= from && begins(start, here, order) ? here : at;
			nr_blocks += begins(start, here, order);
		}
		assert_int_equal(pg_map_find(st, m, order), first);
		assert_int_equal(nr[order], nr_blocks);
		if (order < st->pageblock_order)
			assert_int_equal(pg_map_find_exact(st, m, order, from), at);
	}
	for (uint32_t order = st->pageblock_order + 1; order <= PG_MAP_MAX_ORDER; order++)
		assert_int_equal(nr[order], 0);
	for (uint32_t bit = 0; bit < pages; bit++) {
		if (!all_free(start, bit, 0))
			continue;
		assert_int_equal(pg_map_order(st, m, bit), order_at(start, bit));
		nr_free++;
	}
	assert_int_equal(m->nr_free, nr_free);
}

/* Blocks of a word all at once, as one by one. */
static void ask_for_blocks(const struct pg_map *m, uint32_t start)
{
	for (uint32_t order = 0; order < 6 && order < st->pageblock_order; order++)
		for (uint32_t bit = 0; bit < 1u << st->pageblock_order; bit++) {
			bool there = bit % (1u << order) == 0 &&
				     pg_map_is_block(st, st->first_page + start + bit, order);

			assert_int_equal(pg_map_blocks(m, bit / 64, order) >> bit % 64 & 1, there);
		}
}

/* Orders of a word and more too; a larger block that begins there is none of them. */
static void ask_for_each_block(uint32_t start)
{
	for (uint32_t order = 0; order <= st->pageblock_order; order++)
		for (uint32_t bit = 0; bit < 1u << st->pageblock_order; bit += 1u << order) {
			bool there = oracle[start + bit].kind == PAGUS_PAGE_ALLOCATED &&
				     oracle[start + bit].order == order && !oracle[start + bit].remote;

			assert_int_equal(pg_map_is_block(st, st->first_page + start + bit, order), there);
		}
}

static void ask_for_the_rest(const struct pg_map *m, uint32_t start)
{
	uint32_t pages = 1u << st->pageblock_order, used[3] = { 0 }, remote = 0;

	for (uint32_t bit = 0; bit < pages; bit++) {
		uint32_t kind = oracle[start + bit].kind;

		remote += oracle[start + bit].remote;
		if (!oracle[start + bit].remote &&
		    (kind == PAGUS_PAGE_ALLOCATED || kind == PAGUS_PAGE_INHERITED))
			used[oracle[start + bit].type] += 1u << oracle[start + bit].order;
	}
	for (uint32_t type = 0; type < 3; type++)
		assert_int_equal(pg_map_used(st, m, type), used[type]);
	ask_for_blocks(m, start);
	ask_for_each_block(start);
	assert_int_equal(pg_map_remote_pages(m), remote);
}

/* A pageblock that is all free is one block where a CPU owns it, else as its record says. */
static struct pg_view free_view(const struct pg_map *m, uint32_t start, uint32_t bit)
{
	struct pg_view want = { .zone = m->zone, .kind = PAGUS_PAGE_TAIL };
	uint32_t order = order_at(start, bit);

	if (!begins(start, bit, order) ||
	    (order == st->pageblock_order && pg_map_owner(m) == 0 && m->whole == 0))
		return want;
	want.kind = pg_map_owner(m) ? PAGUS_PAGE_PCP_OWNED : PAGUS_PAGE_FREE;
	want.order = (uint8_t)order;
	if (order == st->pageblock_order && pg_map_owner(m) == 0)
		want.order = m->whole - 1;
	return want;
}

static void look_at_pages(const struct pg_map *m, uint32_t start)
{
	for (uint32_t bit = 0; bit < 1u << st->pageblock_order; bit++) {
		const struct pg_view look = pg_map_view(st, st->first_page + start + bit);
		uint32_t i = start + bit;
		struct pg_view want = { .zone = m->zone, .kind = oracle[i].kind,
					.order = oracle[i].order, .type = oracle[i].type };

		if (oracle[i].kind == PAGUS_PAGE_HOLE)
			want.zone = PG_NO_ZONE;
		else if (oracle[i].remote)
			want = (struct pg_view){ .zone = m->zone, .kind = PAGUS_PAGE_DEFERRED };
		else if (oracle[i].kind == PAGUS_PAGE_FREE)
			want = free_view(m, start, bit);
		assert_int_equal(look.kind, want.kind);
		assert_int_equal(look.zone, want.zone);
		assert_int_equal(look.order, want.order);
		assert_int_equal(look.type, want.type);
	}
}

static void look_at_block(uint32_t block)
{
	struct pg_map *m = pg_map_at(st, block);
	uint32_t start = block << st->pageblock_order;

	assert_int_equal(pg_map_block(st, m), block);
	assert_int_equal(pg_map_start(st, m), st->first_page + start);
	ask_for_free_blocks(m, start);
	ask_for_the_rest(m, start);
	m->owner = below(2) ? 1 + below(8) : 0;
	m->whole = (uint8_t)(!m->owner && all_free(start, 0, st->pageblock_order) && below(2) ?
			     st->pageblock_order + 1 + below(2) : 0);
	look_at_pages(m, start);
	m->owner = 0;
	m->whole = 0;
}

/* Half a pageblock of hole at the end, or less. */
static void open_with_order(uint32_t pageblock_order)
{
	uint32_t hole = pageblock_order > 2 ? 3 : 1;
	const struct pagus_range range = { 0, MAX_PAGES / 2 - hole, 0, PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, "pcpbuddy-bitmap");

	cfg.pageblock_order = pageblock_order;
	unit_open(&lab, &cfg);
	st = lab.p.state;
	assert_int_equal(st->nr_pages, MAX_PAGES / 2);
	set_kind(0, MAX_PAGES / 2 - hole, PAGUS_PAGE_RESERVED, 0);
	set_kind(MAX_PAGES / 2 - hole, hole, PAGUS_PAGE_HOLE, 0);
}

static void maps_tell_what_an_array_of_pages_tells(void **state)
{
	(void)state;
	seed = unit_seed();
	for (size_t n = 0; n < NR_OF(block_orders); n++) {
		uint32_t nr_blocks = (MAX_PAGES / 2) >> block_orders[n];

		open_with_order(block_orders[n]);
		for (uint32_t block = 0; block < nr_blocks; block++)
			look_at_block(block);
		for (uint32_t round = 0; round < 400; round++) {
			for (uint32_t k = 0; k < 60; k++)
				change();
			for (uint32_t k = 0; k < 1 + nr_blocks / 8; k++)
				look_at_block(below(nr_blocks));
		}
		lab_close(&lab);
	}
}

/* Taking in a word of remote frees gives just its pages, once. */
static void a_word_is_absorbed_once(void **state)
{
	(void)state;
	for (size_t n = 0; n < NR_OF(block_orders); n++) {
		uint32_t order = block_orders[n], words = order > 6 ? 1u << (order - 6) : 1;
		uint64_t full = order >= 6 ? UINT64_MAX : (UINT64_C(1) << (1u << order)) - 1;
		struct pg_map *m;
		bool first;

		open_with_order(order);
		m = pg_map_at(st, 0);
		assert_int_equal(pg_map_words(st), words);
		pg_map_grant(st, st->first_page, order, PAGUS_RECLAIMABLE);
		assert_true(pg_map_free_remote(st, st->first_page, order, &first) && first);
		assert_int_equal(pg_map_remote_pages(m), 1u << order);
		for (uint32_t w = 0; w < words; w++) {
			assert_true(pg_map_absorb(m, w) == full);
			assert_true(pg_map_absorb(m, w) == 0);
			assert_true(pg_map_free(m, w) == full);
		}
		assert_int_equal(m->nr_free, 1u << order);
		lab_close(&lab);
	}
}

/* What is taken and freed many at once is as by single blocks. */
static void many_blocks_are_as_single_ones(void **state)
{
	(void)state;
	for (uint32_t order = 0; order <= 6; order++) {
		for (uint32_t type = 0; type < 3; type++) {
			struct pg_map *m, by_one, before;
			uint64_t heads;

			open_with_order(9);
			m = pg_map_at(st, 0);
			pg_map_take(st, st->first_page, 9);
			pg_map_set_free(st, st->first_page + 64, 6);
			pg_map_grant(st, st->first_page + 64 + 5, 0, PAGUS_MOVABLE);
			before = *m;
			heads = pg_map_heads(m, 1, order);
			for (uint32_t bit = 0; bit < 64; bit++)
				assert_int_equal(heads >> bit & 1,
						 bit % (1u << order) == 0 && pg_map_run(m, 64 + bit, order));
			assert_int_equal(!heads, order == 6);
			for (uint64_t rest = heads; rest; rest &= rest - 1)
				pg_map_hand_out(st, st->first_page + 64 + (uint32_t)__builtin_ctzll(rest),
						order, type);
			by_one = *m;
			*m = before;
			pg_map_hand_out_many(m, 1, heads, order, type);
			assert_memory_equal(m, &by_one, sizeof(*m));
			/* Those that are free are no news. */
			assert_int_equal(pg_map_free_pages(m, 1, ~(UINT64_C(1) << 5)),
					 before.nr_free - by_one.nr_free);
			assert_memory_equal(m, &before, sizeof(*m));
			lab_close(&lab);
		}
	}
}

/*
 * While several bits of a page change, who looks without the lock may see those of a hole: it is
 * none, where the pageblock has no holes.
 */
static void a_page_is_no_hole_at_any_moment(void **context)
{
	struct pagus_range range = { .nr_pages = 512 + 500, .zone = PAGUS_ZONE_BY_CEILING };
	struct pagus_config cfg = lab_config(&range, 1, "pcpbuddy-bitmap");
	struct pg_map *m;

	(void)context;
	unit_boot(&lab, &cfg);
	st = lab.p.state;
	m = pg_map(st, st->first_page);
	assert_int_equal(m->nr_present, 512);
	m->tail[0] |= 1;
	m->free[0] |= 1;
	assert_int_not_equal(pg_view(st, st->first_page).kind, PAGUS_PAGE_HOLE);
	assert_int_equal(pg_page_zone(st, st->first_page), 0);
	m->tail[0] &= ~UINT64_C(1);
	m = pg_map(st, st->first_page + 512);
	assert_int_equal(m->nr_present, 500);
	assert_int_equal(pg_page_zone(st, st->first_page + 512 + 499), 0);
	assert_int_equal(pg_page_zone(st, st->first_page + 512 + 500), PG_NO_ZONE);
	assert_int_equal(pg_view(st, st->first_page + 512 + 500).kind, PAGUS_PAGE_HOLE);
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_tell_what_an_array_of_pages_tells),
		cmocka_unit_test(a_word_is_absorbed_once),
		cmocka_unit_test(many_blocks_are_as_single_ones),
		cmocka_unit_test(a_page_is_no_hole_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
