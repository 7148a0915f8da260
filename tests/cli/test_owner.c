/* SPDX-License-Identifier: MIT */
/*
 * Pages that move in a replay: what the port's owner does, and that its check sees what is wrong.
 * Usage: test_owner TRACE.pgt
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "replay/replay.h"

#define MOVES 500

static const char *trace_path;
static const struct pagus_migrate how = {
	.mode = PAGUS_MIGRATE_SYNC, .reason = PAGUS_MIGRATE_COMPACTION, .gfp = GFP_KERNEL,
};

struct fixture {
	struct trace *trace;
	struct replay *r;
};

static void begin(struct fixture *f, const char *policy, bool closed_loop)
{
	const struct whatif whatif = { .defrag = WHATIF_DEFRAG_SCAN, .closed_loop = closed_loop };
	struct trace_error err = { "" };

	f->trace = trace_open(trace_path, &err);
	assert_non_null(f->trace);
	f->r = replay_run(f->trace, policy, 0, &whatif, NULL, NULL, &err);
	assert_non_null(f->r);
}

static void end(struct fixture *f)
{
	replay_free(f->r);
	trace_close(f->trace);
}

/* The first recorded page from *pfn on, of a type, that is in use: its entry. */
static struct shadow_entry next_in_use(const struct replay *r, uint64_t *pfn, uint8_t type)
{
	for (; *pfn < r->machine->end_pfn; (*pfn)++) {
		struct shadow_entry e = shadow_get(&r->shadow, *pfn);

		if (shadow_held(e) && e.type == type)
			return e;
	}
	fail_msg("no recorded page of type %u", type);
	return (struct shadow_entry){ 0 };
}

static bool isolate(struct replay *r, uint32_t ours, uint32_t order)
{
	return r->machine->port.isolate(&r->machine->sim, ours, order, &how);
}

/* Move a recorded page as the library does; its new page. */
static uint32_t move(struct replay *r, uint32_t ours, uint32_t order)
{
	pagus_pfn_t to;

	assert_int_equal(pagus_alloc_pages(&r->machine->pagus, GFP_HIGHUSER_MOVABLE, order, &to),
			 PAGUS_OK);
	assert_int_equal(r->machine->port.move(&r->machine->sim, ours, to, order, &how),
			 PAGUS_MOVED);
	assert_int_equal(pagus_free_pages(&r->machine->pagus, ours, order), PAGUS_OK);
	return (uint32_t)to;
}

static void check_moves(const char *policy, bool closed_loop)
{
	struct fixture f;
	uint64_t pfn, where = 0, moved;
	uint32_t n = 0;

	begin(&f, policy, closed_loop);
	moved = f.r->owner.moved_pages;
	pfn = f.r->machine->first_pfn;
	for (; n < MOVES; n++, pfn++) {
		struct shadow_entry e = next_in_use(f.r, &pfn, PAGUS_MOVABLE);
		uint32_t to;

		assert_true(isolate(f.r, e.ours, e.order));
		assert_false(isolate(f.r, e.ours, e.order));
		to = move(f.r, e.ours, e.order);
		moved += UINT64_C(1) << e.order;
		assert_int_equal(shadow_get(&f.r->shadow, pfn).ours, to);
		assert_int_equal(shadow_theirs(&f.r->shadow, to), pfn);
		assert_int_equal(shadow_theirs(&f.r->shadow, e.ours), SHADOW_NONE);
	}
	assert_int_equal(f.r->owner.moved_pages, moved);
	assert_null(owner_check(f.r, 0, &where));
	assert_int_equal(pagus_check(&f.r->machine->pagus, &where), 0);
	end(&f);
}

static void test_the_shadow_follows(void **state)
{
	(void)state;
	check_moves("linux", false);
	check_moves("pcpbuddy", false);
	check_moves("pcpbuddy-bitmap", true);
	check_moves("linux-6.1", true);
}

static void test_putback_ends_a_claim(void **state)
{
	struct fixture f;
	struct shadow_entry e;
	uint64_t pfn, where;

	(void)state;
	begin(&f, "linux", false);
	pfn = f.r->machine->first_pfn;
	e = next_in_use(f.r, &pfn, PAGUS_MOVABLE);
	assert_true(isolate(f.r, e.ours, e.order));
	assert_non_null(owner_check(f.r, 0, &where));
	f.r->machine->port.putback(&f.r->machine->sim, e.ours, e.order);
	assert_null(owner_check(f.r, 0, &where));
	assert_true(isolate(f.r, e.ours, e.order));
	f.r->machine->port.putback(&f.r->machine->sim, e.ours, e.order);
	end(&f);
}

static void test_what_does_not_move(void **state)
{
	struct fixture f;
	struct shadow_entry e;
	pagus_pfn_t foreign;
	uint64_t pfn;

	(void)state;
	begin(&f, "linux", false);
	pfn = f.r->machine->first_pfn;
	e = next_in_use(f.r, &pfn, PAGUS_UNMOVABLE);
	assert_false(isolate(f.r, e.ours, e.order));
	assert_int_equal(f.r->machine->port.traits(&f.r->machine->sim, e.ours, e.order),
			 PAGUS_TRAIT_FIXED);
	/* Of another order, and a block that stands for no recorded one. */
	pfn = f.r->machine->first_pfn;
	e = next_in_use(f.r, &pfn, PAGUS_MOVABLE);
	assert_false(isolate(f.r, e.ours, e.order + 1u));
	assert_int_equal(f.r->machine->port.traits(&f.r->machine->sim, e.ours, e.order), 0);
	assert_int_equal(pagus_alloc_pages(&f.r->machine->pagus, GFP_HIGHUSER_MOVABLE, 0, &foreign),
			 PAGUS_OK);
	assert_false(isolate(f.r, (uint32_t)foreign, 0));
	end(&f);
}

static void test_the_check_sees_what_is_wrong(void **state)
{
	struct fixture f;
	struct shadow_entry a, b;
	uint64_t pfn, other, where;
	pagus_pfn_t lost;

	(void)state;
	begin(&f, "linux", false);
	pfn = f.r->machine->first_pfn;
	a = next_in_use(f.r, &pfn, PAGUS_MOVABLE);
	other = pfn + 1;
	b = next_in_use(f.r, &other, PAGUS_MOVABLE);
	assert_null(owner_check(f.r, 0, &where));

	/* Two recorded pages in one. */
	shadow_set(&f.r->shadow, other, a);
	assert_non_null(owner_check(f.r, 0, &where));
	shadow_set(&f.r->shadow, other, b);
	shadow_set(&f.r->shadow, pfn, a);
	assert_null(owner_check(f.r, 0, &where));

	/* One that is free in the replay. */
	assert_int_equal(pagus_free_pages(&f.r->machine->pagus, a.ours, a.order), PAGUS_OK);
	assert_non_null(owner_check(f.r, 0, &where));
	assert_int_equal(where, pfn);
	shadow_clear(&f.r->shadow, pfn);
	assert_null(owner_check(f.r, 0, &where));

	/* One in use that stands for nothing. */
	assert_int_equal(pagus_alloc_pages(&f.r->machine->pagus, GFP_KERNEL, 0, &lost), PAGUS_OK);
	assert_non_null(owner_check(f.r, 0, &where));
	assert_null(owner_check(f.r, 1, &where));
	end(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_shadow_follows),
		cmocka_unit_test(test_putback_ends_a_claim),
		cmocka_unit_test(test_what_does_not_move),
		cmocka_unit_test(test_the_check_sees_what_is_wrong),
	};

	if (argc != 2)
		return 1;
	trace_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
