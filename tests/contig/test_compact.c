/* SPDX-License-Identifier: MIT */
/* Compaction of one zone, through the public call. */
#include "contig/compact.h"

/* 16. Every second page is free: compaction makes blocks of it; each page moves once at most. */
static void test_property_16_checkerboard(void **context)
{
	(void)context;
	for (uint32_t n = 0; n < NR_OF(compact_policies); n++) {
		struct pagus_compaction stats;
		struct contig_lab l;

		compact_fill(&l, compact_policies[n]);
		for (uint32_t slot = 0; slot < COMPACT_PAGES; slot += 2)
			contig_empty(&l, slot);
		pagus_drain_all(&l.lab.p);
		contig_check(&l);
		assert_int_equal(compact_free_blocks(&l, 9), 0);
		assert_int_equal(compact_zone(&l, 9, PAGUS_MIGRATE_SYNC_LIGHT, &stats),
				 PAGUS_COMPACT_SUCCESS);
		assert_true(compact_free_blocks(&l, 9) > 0);
		assert_int_equal(stats.moved, 256);
		for (uint32_t slot = 0; slot < COMPACT_PAGES; slot++) {
			assert_true(l.owner.slot[slot].moves <= 1);
			assert_int_equal(l.owner.slot[slot].isolations, l.owner.slot[slot].moves);
		}
		assert_int_equal(compact_zone(&l, PAGUS_COMPACT_WHOLE, PAGUS_MIGRATE_SYNC, &stats),
				 PAGUS_COMPACT_COMPLETE);
		assert_true(compact_free_blocks(&l, 9) >= 15);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property_16_checkerboard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
