/* SPDX-License-Identifier: MIT */
/* The migration engine and taking free blocks by place, from inside the library. */
#include "contig/contig.h"

#include "alloc/alloc.h"
#include "alloc/free.h"
#include "contig/migrate.h"
#include "contig/take.h"
#include "zone/owner.h"

static const char *const policies[] = { "linux", "pcpbuddy", "pcpbuddy-bitmap" };
static const struct pagus_range range = { .nr_pages = 16384, .zone = PAGUS_ZONE_BY_CEILING };

static void open_lab(struct contig_lab *l, uint32_t n)
{
	struct pagus_config cfg = lab_config(&range, 1, policies[n]);

	contig_boot(l, &cfg, range.nr_pages, 64);
	lab_no_marks(&l->lab);
}

static uint32_t get(struct pg_call *c, struct pg_migration *m, uint32_t from, uint32_t order)
{
	const struct pagus_request req = { .gfp = GFP_KERNEL | __GFP_MOVABLE, .order = order,
					   .node = PAGUS_NO_NODE };
	uint32_t *most = m->own;
	struct pagus_result res;

	(void)from;
	if (*most == 0)
		return PG_NONE;
	--*most;
	assert_int_equal(pg_alloc(c, &req, &res), PAGUS_OK);
	return pg_index(c->st, res.pfn);
}

static void put(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	uint32_t *most = m->own;

	++*most;
	pg_free_checked(c, i, order);
}

static struct pg_migration migration(uint32_t *most, enum pagus_migrate_mode mode)
{
	return (struct pg_migration){
		.how = { .mode = mode, .reason = PAGUS_MIGRATE_COMPACTION, .gfp = GFP_KERNEL },
		.get = get, .put = put, .own = most,
	};
}

static void isolate(struct contig_lab *l, struct pg_call *c, struct pg_migration *m, uint32_t slot,
		    bool succeeds)
{
	const struct pagus_sim_slot *s = &l->owner.slot[slot];

	assert_int_equal(pg_migrate_isolate(c, m, pg_index(c->st, s->pfn), s->order), succeeds);
}

static void test_a_batch_moves(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		uint32_t most = 100;
		struct pg_migration m = migration(&most, PAGUS_MIGRATE_SYNC);
		struct contig_lab l;
		pagus_pfn_t before[8];
		struct pg_call c;
		uint64_t free_pages;

		open_lab(&l, n);
		for (uint32_t slot = 0; slot < 8; slot++)
			before[slot] = contig_fill(&l, slot, slot % 4);
		pagus_drain_all(&l.lab.p);
		free_pages = unit_zone(&l.lab, 0).free_pages;
		c = pg_call_begin(&l.lab.p);
		for (uint32_t slot = 0; slot < 8; slot++)
			isolate(&l, &c, &m, slot, true);
		isolate(&l, &c, &m, 0, false);
		assert_int_equal(m.nr_pages, 30);
		assert_int_equal(pg_migrate_run(&c, &m), PG_MIGRATED_ALL);
		pg_call_end(&c);
		for (uint32_t slot = 0; slot < 8; slot++) {
			struct pagus_page_info info;

			assert_true(l.owner.slot[slot].pfn != before[slot]);
			pagus_page_info(&l.lab.p, l.owner.slot[slot].pfn, &info);
			assert_int_equal(info.request_type, PAGUS_MOVABLE);
		}
		assert_int_equal(m.moved_pages, 30);
		assert_int_equal(pagus_counter_read(&l.lab.p, PAGUS_COUNTER_pgmigrate_success), 30);
		contig_check(&l);
		for (uint32_t slot = 0; slot < 8; slot++)
			contig_empty(&l, slot);
		pagus_drain_all(&l.lab.p);
		assert_int_equal(unit_zone(&l.lab, 0).free_pages, free_pages + 30);
		contig_close(&l);
	}
}

/* Each refusal alone, at each place: what is left goes back, and nothing is lost. */
static void test_refusals(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		for (uint32_t at = 1; at <= 4; at++) {
			uint32_t most = 100;
			struct pg_migration m = migration(&most, PAGUS_MIGRATE_ASYNC);
			struct contig_lab l;
			struct pg_call c;

			open_lab(&l, n);
			for (uint32_t slot = 0; slot < 4; slot++)
				contig_fill(&l, slot, 0);
			c = pg_call_begin(&l.lab.p);
			for (uint32_t slot = 0; slot < 4; slot++)
				isolate(&l, &c, &m, slot, true);
			l.owner.move_fail_at = at;
			l.owner.refusal = PAGUS_MOVE_NEVER;
			assert_int_equal(pg_migrate_run(&c, &m), PG_MIGRATED_SOME);
			assert_int_equal(m.nr, 1);
			assert_int_equal(l.owner.nr_refused, 1);
			assert_int_equal(l.owner.nr_moves, 3);
			pg_migrate_putback(&c, &m, 0);
			pg_call_end(&c);
			assert_int_equal(l.owner.nr_isolated, l.owner.nr_moves + l.owner.nr_putbacks);
			contig_close(&l);
		}
	}
}

/* AGAIN is tried again; a block that is only dirty moves in the passes that may wait. */
static void test_again(void **context)
{
	uint32_t most = 100;
	struct pg_migration m = migration(&most, PAGUS_MIGRATE_SYNC);
	struct contig_lab l;
	struct pg_call c;

	(void)context;
	open_lab(&l, 0);
	contig_fill(&l, 0, 0);
	contig_fill(&l, 1, 0);
	l.owner.slot[1].traits = PAGUS_TRAIT_WOULD_BLOCK;
	c = pg_call_begin(&l.lab.p);
	isolate(&l, &c, &m, 0, true);
	isolate(&l, &c, &m, 1, true);
	l.owner.move_fail_at = 1;
	l.owner.refusal = PAGUS_MOVE_AGAIN;
	assert_int_equal(pg_migrate_run(&c, &m), PG_MIGRATED_ALL);
	pg_call_end(&c);
	assert_int_equal(l.owner.nr_refused, 1);
	contig_close(&l);
}

static void test_no_memory_ends_it(void **context)
{
	uint32_t most = 2;
	struct pg_migration m = migration(&most, PAGUS_MIGRATE_SYNC);
	struct contig_lab l;
	struct pg_call c;

	(void)context;
	open_lab(&l, 0);
	c = pg_call_begin(&l.lab.p);
	for (uint32_t slot = 0; slot < 5; slot++) {
		contig_fill(&l, slot, 0);
		isolate(&l, &c, &m, slot, true);
	}
	assert_int_equal(pg_migrate_run(&c, &m), PG_MIGRATED_NO_MEMORY);
	assert_int_equal(m.nr, 3);
	assert_int_equal(m.moved_pages, 2);
	pg_migrate_putback(&c, &m, 0);
	pg_call_end(&c);
	contig_close(&l);
}

static void test_who_is_not_isolated(void **context)
{
	static const uint32_t traits[] = { PAGUS_TRAIT_PINNED, PAGUS_TRAIT_FIXED, PAGUS_TRAIT_NEEDS_FS,
					   PAGUS_TRAIT_WOULD_BLOCK, PAGUS_TRAIT_UNEVICTABLE };
	uint32_t most = 2;
	struct pg_migration m = migration(&most, PAGUS_MIGRATE_SYNC_LIGHT);
	pagus_pfn_t kernel, pinned;
	struct contig_lab l;
	struct pg_call c;

	(void)context;
	open_lab(&l, 0);
	m.how.gfp = GFP_NOFS;
	kernel = unit_alloc(&l.lab, GFP_KERNEL, 0);
	for (uint32_t slot = 0; slot < NR_OF(traits); slot++) {
		contig_fill(&l, slot, 0);
		l.owner.slot[slot].traits = traits[slot];
	}
	pinned = contig_fill(&l, 5, 0);
	assert_int_equal(pagus_get_page(&l.lab.p, pinned), PAGUS_OK);
	c = pg_call_begin(&l.lab.p);
	for (uint32_t slot = 0; slot < 6; slot++)
		isolate(&l, &c, &m, slot, false);
	assert_false(pg_migrate_isolate(&c, &m, pg_index(c.st, kernel), 0));
	m.how.mode = PAGUS_MIGRATE_SYNC;
	m.how.gfp = GFP_KERNEL;
	m.unevictable = true;
	for (uint32_t slot = 2; slot < NR_OF(traits); slot++)
		isolate(&l, &c, &m, slot, true);
	pg_migrate_putback(&c, &m, 0);
	pg_call_end(&c);
	assert_int_equal(pagus_put_pages(&l.lab.p, pinned, 0), PAGUS_OK);
	contig_close(&l);
}

/* What an owner says of a block goes with it, and says whether it goes. */
static void test_tags_and_movability(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		uint32_t most = 100, tag = 1;
		struct pg_migration m = migration(&most, PAGUS_MIGRATE_SYNC);
		bool tags = n < 2;
		struct contig_lab l;
		pagus_pfn_t pfn;
		struct pg_call c;

		open_lab(&l, n);
		pfn = unit_alloc(&l.lab, GFP_KERNEL, 2);
		pagus_sim_fill(&l.owner, 0, pfn, 2);
		assert_int_equal(pagus_set_tag(&l.lab.p, pfn, 1, 7), PAGUS_WRONG_ORDER);
		assert_int_equal(pagus_set_tag(&l.lab.p, pfn + 64, 0, 7), PAGUS_DOUBLE_FREE);
		assert_int_equal(pagus_set_tag(&l.lab.p, pfn, 2, 7), tags ? PAGUS_OK :
									     PAGUS_UNSUPPORTED);
		c = pg_call_begin(&l.lab.p);
		isolate(&l, &c, &m, 0, false);
		pg_call_end(&c);
		assert_int_equal(pagus_set_movable(&l.lab.p, pfn, 2, true), PAGUS_OK);
		c = pg_call_begin(&l.lab.p);
		isolate(&l, &c, &m, 0, true);
		assert_int_equal(pg_migrate_run(&c, &m), PG_MIGRATED_ALL);
		pg_call_end(&c);
		assert_true(l.owner.slot[0].pfn != pfn);
		if (tags) {
			assert_int_equal(pagus_tag(&l.lab.p, l.owner.slot[0].pfn, 2, &tag), PAGUS_OK);
			assert_int_equal(tag, 7);
		}
		assert_int_equal(pagus_set_movable(&l.lab.p, l.owner.slot[0].pfn, 2, false), PAGUS_OK);
		c = pg_call_begin(&l.lab.p);
		isolate(&l, &c, &m, 0, false);
		pg_call_end(&c);
		contig_empty(&l, 0);
		pfn = unit_alloc(&l.lab, GFP_KERNEL, 2);
		if (tags) {
			assert_int_equal(pagus_tag(&l.lab.p, pfn, 2, &tag), PAGUS_OK);
			assert_int_equal(tag, 0);
		}
		unit_free(&l.lab, pfn, 2);
		contig_close(&l);
	}
}

/* Free blocks taken by place: whole, unless the zone is short; and back again. */
static void test_take(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct contig_lab l;
		struct pg_call c;
		struct pg_zone *z;
		uint32_t i;

		open_lab(&l, n);
		c = pg_call_begin(&l.lab.p);
		z = pg_zone(c.st, 0);
		i = pg_index(c.st, 1024);
		pg_zone_lock(&c, z, PAGUS_REASON_CONTIG);
		assert_int_equal(pg_take_free(&c, z, i + 1), -1);
		assert_int_equal(pg_take_free(&c, z, i), 10);
		assert_int_equal(pg_take_free(&c, z, i), -1);
		assert_int_equal(z->free_pages, 16384 - 1024);
		pg_zone_unlock(&c, z);
		pg_take_cut(&c, i, 10, 4);
		unit_check(&l.lab);
		pg_zone_lock(&c, z, PAGUS_REASON_CONTIG);
		for (uint32_t k = 0; k < 64; k++)
			pg_take_return(&c, z, i + (k << 4), 4);
		pg_zone_unlock(&c, z);
		assert_int_equal(z->free_pages, 16384);
		assert_int_equal(z->nr_free[10], 16);
		pg_write(z->wmark[PAGUS_WMARK_MIN], 16384 - 1024);
		pg_zone_lock(&c, z, PAGUS_REASON_CONTIG);
		assert_int_equal(pg_take_free(&c, z, i), -1);
		pg_write(z->wmark[PAGUS_WMARK_MIN], 0);
		pg_zone_unlock(&c, z);
		pg_call_end(&c);
		contig_close(&l);
	}
}

/* Pages that were taken come back although a CPU has adopted the rest of their pageblock. */
static void test_take_and_adopt(void **context)
{
	struct contig_lab l;
	struct pg_call c;
	struct pg_zone *z;
	uint32_t first, i;
	pagus_pfn_t pfn, last;

	(void)context;
	open_lab(&l, 2);
	c = pg_call_begin(&l.lab.p);
	z = pg_zone(c.st, 0);
	first = pg_index(c.st, 0);
	pg_zone_lock(&c, z, PAGUS_REASON_CONTIG);
	/* Of the last one too much would go. */
	for (i = first; i < first + range.nr_pages - 1024; i += 1024)
		assert_int_equal(pg_take_free(&c, z, i), 10);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	last = unit_alloc(&l.lab, GFP_KERNEL, 10);
	c = pg_call_begin(&l.lab.p);
	pg_take_cut(&c, first, 10, 4);
	pg_zone_lock(&c, z, PAGUS_REASON_CONTIG);
	for (i = first + 32; i < first + 512; i += 16)
		pg_take_return(&c, z, i, 4);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	pfn = unit_alloc(&l.lab, GFP_HIGHUSER_MOVABLE, 0);
	assert_int_equal(pfn / 512, 0);
	assert_int_equal(pg_owner(c.st, first), 1);
	unit_check(&l.lab);
	c = pg_call_begin(&l.lab.p);
	pg_take_cut(&c, first, 4, 2);
	pg_zone_lock(&c, z, PAGUS_REASON_CONTIG);
	for (i = first; i < first + 16; i += 4)
		pg_take_return(&c, z, i, 2);
	pg_take_return(&c, z, first + 16, 4);
	for (i = first + 512; i < first + 1024; i += 16)
		pg_take_return(&c, z, i, 4);
	for (i = first + 1024; i < first + range.nr_pages - 1024; i += 1024)
		pg_take_return(&c, z, i, 10);
	pg_zone_unlock(&c, z);
	pg_call_end(&c);
	unit_free(&l.lab, pfn, 0);
	unit_free(&l.lab, last, 10);
	pagus_drain_all(&l.lab.p);
	assert_int_equal(unit_zone(&l.lab, 0).free_pages, range.nr_pages);
	contig_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_batch_moves),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_no_memory_ends_it),
		cmocka_unit_test(test_who_is_not_isolated),
		cmocka_unit_test(test_tags_and_movability),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_take_and_adopt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
