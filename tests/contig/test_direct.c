/* SPDX-License-Identifier: MIT */
/* Compaction on a request's behalf: which zones, when not, and who gets the block. */
#include "contig/compact.h"

static void checkerboard(struct contig_lab *l, const char *policy)
{
	compact_fill(l, policy);
	for (uint32_t slot = 0; slot < COMPACT_PAGES; slot += 2)
		contig_empty(l, slot);
	pagus_drain_all(&l->lab.p);
	contig_check(l);
}

static struct pagus_result ask(struct contig_lab *l, uint32_t gfp, uint32_t order)
{
	const struct pagus_request req = { .gfp = gfp, .order = order, .node = PAGUS_NO_NODE };
	struct pagus_result res;

	pagus_alloc(&l->lab.p, &req, &res);
	contig_check(l);
	assert_int_equal(l->lab.sim.pins, 0);
	return res;
}

/* 16, by a request: it gets the block, and its owner's pages are where they should be. */
static void test_property_16_request(void **context)
{
	static const uint32_t orders[] = { 1, 3, 4, 9 };

	(void)context;
	for (uint32_t n = 0; n < NR_OF(compact_policies) * NR_OF(orders); n++) {
		const char *policy = compact_policies[n / NR_OF(orders)];
		uint32_t order = orders[n % NR_OF(orders)];
		struct pagus_result res;
		struct contig_lab l;
		uint64_t free;

		checkerboard(&l, policy);
		free = unit_zone(&l.lab, 0).free_pages;
		res = ask(&l, GFP_HIGHUSER_MOVABLE, order);
		assert_int_equal(res.status, PAGUS_OK);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_success), 1);
		assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_stall), 1);
		if (order == 9) {
			assert_int_equal(unit_zone(&l.lab, 0).free_pages, free - 512);
			assert_int_equal(unit_counter(&l.lab, PAGUS_COUNTER_compact_capture), 1);
			assert_int_equal(l.owner.moved_pages, 256);
		}
		unit_free(&l.lab, res.pfn, order);
		contig_close(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_property_16_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
