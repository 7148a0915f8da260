/* SPDX-License-Identifier: MIT */
/*
 * A recorded compaction must neither kill nor bear pages: their content keeps its place in the
 * replay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pagus/pagus.h>

#include "replay/moves.h"

#define FIRST_PFN 0x1000
#define END_PFN   0x2000
#define COMPACTOR 77

struct fixture {
	struct shadow shadow;
	struct moves moves;
};

static void begin(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	assert_true(shadow_init(&f->shadow, FIRST_PFN, END_PFN));
}

static void end(struct fixture *f)
{
	moves_fini(&f->moves);
	shadow_fini(&f->shadow);
}

static void live(struct fixture *f, uint64_t pfn, uint32_t ours, uint8_t order, uint8_t type)
{
	shadow_set(&f->shadow, pfn,
		   (struct shadow_entry){ .ours = ours, .order = order, .type = type });
}

static uint32_t ours(const struct fixture *f, uint64_t pfn)
{
	return shadow_get(&f->shadow, pfn).ours;
}

static void test_a_source_goes_to_its_target(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	live(&f, 0x1100, 500, 0, PAGUS_MOVABLE);
	assert_true(moves_take(&f.moves, &f.shadow, COMPACTOR, 0x1800, 0));
	assert_int_equal(ours(&f, 0x1800), SHADOW_TARGET);
	assert_true(moves_source(&f.moves, &f.shadow, COMPACTOR, 0x1100, 0));
	assert_int_equal(ours(&f, 0x1100), SHADOW_NONE);
	assert_int_equal(ours(&f, 0x1800), 500);
	assert_int_equal(shadow_get(&f.shadow, 0x1800).type, PAGUS_MOVABLE);
	end(&f);
}

static void test_another_tasks_free_is_a_death(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	live(&f, 0x1100, 500, 0, PAGUS_MOVABLE);
	moves_take(&f.moves, &f.shadow, COMPACTOR, 0x1800, 0);
	assert_false(moves_source(&f.moves, &f.shadow, COMPACTOR + 1, 0x1100, 0));
	assert_int_equal(ours(&f, 0x1100), 500);
	end(&f);
}

static void test_an_unmovable_page_does_not_move(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	live(&f, 0x1100, 500, 0, PAGUS_UNMOVABLE);
	moves_take(&f.moves, &f.shadow, COMPACTOR, 0x1800, 0);
	assert_false(moves_source(&f.moves, &f.shadow, COMPACTOR, 0x1100, 0));
	end(&f);
}

static void test_a_target_given_back_is_not_used(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	live(&f, 0x1100, 500, 0, PAGUS_MOVABLE);
	moves_take(&f.moves, &f.shadow, COMPACTOR, 0x1800, 0);
	shadow_clear(&f.shadow, 0x1800);
	assert_false(moves_source(&f.moves, &f.shadow, COMPACTOR, 0x1100, 0));
	assert_int_equal(ours(&f, 0x1100), 500);
	end(&f);
}

static void test_a_large_target_takes_as_many_as_it_has_pages(void **state)
{
	struct fixture f;
	uint32_t sum = 0;

	(void)state;
	begin(&f);
	moves_take(&f.moves, &f.shadow, COMPACTOR, 0x1800, 3);
	for (uint32_t n = 0; n < 8; n++) {
		live(&f, 0x1100 + n, 500 + n, 0, PAGUS_MOVABLE);
		assert_true(moves_source(&f.moves, &f.shadow, COMPACTOR, 0x1100 + n, 0));
	}
	live(&f, 0x1200, 600, 0, PAGUS_MOVABLE);
	assert_false(moves_source(&f.moves, &f.shadow, COMPACTOR, 0x1200, 0));
	for (uint64_t pfn = 0x1800; pfn < 0x1808; pfn++)
		sum += ours(&f, pfn);
	assert_int_equal(sum, 8 * 500 + 28);
	end(&f);
}

static void test_a_target_given_back_in_part_serves_with_the_rest(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	moves_take(&f.moves, &f.shadow, COMPACTOR, 0x1800, 1);
	shadow_clear(&f.shadow, 0x1800);
	live(&f, 0x1100, 500, 0, PAGUS_MOVABLE);
	assert_true(moves_source(&f.moves, &f.shadow, COMPACTOR, 0x1100, 0));
	assert_int_equal(ours(&f, 0x1800), SHADOW_NONE);
	assert_int_equal(ours(&f, 0x1801), 500);
	end(&f);
}

static void test_a_huge_page_needs_a_target_of_its_size(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	live(&f, 0x1200, 0x3200, 9, PAGUS_MOVABLE);
	moves_take(&f.moves, &f.shadow, COMPACTOR, 0x1800, 8);
	assert_false(moves_source(&f.moves, &f.shadow, COMPACTOR, 0x1200, 9));
	moves_take(&f.moves, &f.shadow, COMPACTOR, 0x1c00, 10);
	assert_true(moves_source(&f.moves, &f.shadow, COMPACTOR, 0x1200, 9));
	assert_int_equal(ours(&f, 0x1c00), 0x3200);
	assert_int_equal(shadow_get(&f.shadow, 0x1c00).order, 9);
	/* The rest of the target is still one. */
	assert_int_equal(ours(&f, 0x1e00), SHADOW_TARGET);
	end(&f);
}

static void test_the_block_that_holds_a_page_is_found(void **state)
{
	struct fixture f;
	uint64_t head;

	(void)state;
	begin(&f);
	live(&f, 0x1400, 700, 4, PAGUS_MOVABLE);
	assert_int_equal(shadow_find(&f.shadow, 0x140f, &head).ours, 700);
	assert_int_equal(head, 0x1400);
	assert_int_equal(shadow_find(&f.shadow, 0x1410, &head).ours, SHADOW_NONE);
	assert_int_equal(shadow_find(&f.shadow, 0x13ff, &head).ours, SHADOW_NONE);
	assert_int_equal(shadow_get(&f.shadow, FIRST_PFN - 1).ours, SHADOW_NONE);
	assert_int_equal(shadow_get(&f.shadow, END_PFN).ours, SHADOW_NONE);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_source_goes_to_its_target),
		cmocka_unit_test(test_another_tasks_free_is_a_death),
		cmocka_unit_test(test_an_unmovable_page_does_not_move),
		cmocka_unit_test(test_a_target_given_back_is_not_used),
		cmocka_unit_test(test_a_large_target_takes_as_many_as_it_has_pages),
		cmocka_unit_test(test_a_target_given_back_in_part_serves_with_the_rest),
		cmocka_unit_test(test_a_huge_page_needs_a_target_of_its_size),
		cmocka_unit_test(test_the_block_that_holds_a_page_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
