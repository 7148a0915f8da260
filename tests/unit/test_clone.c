/* SPDX-License-Identifier: MIT */
/* Copies of an instance, and the digest that tells states apart. */
#include "unit/unit.h"

#include <string.h>

static const struct pagus_range zone_4096 = { 0, 4096, 0, PAGUS_ZONE_BY_CEILING };

static void boot(struct lab *lab)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "linux");

	unit_boot(lab, &cfg);
	for (uint32_t n = 0; n < 50; n++)
		unit_alloc(lab, unit_gfp(n % 3), n % 5);
}

/* A second laboratory whose instance is a copy of the first's. */
static void clone(struct lab *copy, const struct lab *from)
{
	size_t bytes = pagus_state_bytes(&from->p);

	*copy = (struct lab){ .sim = from->sim, .mem = aligned_alloc(64, bytes) };
	assert_non_null(copy->mem);
	assert_int_equal(
		pagus_clone(&copy->p, copy->mem, bytes, &from->p, &pagus_sim_port, &copy->sim),
		PAGUS_OK);
}

static void a_clone_has_the_same_bytes_elsewhere(void **state)
{
	struct lab lab, copy;

	(void)state;
	boot(&lab);
	clone(&copy, &lab);
	assert_ptr_not_equal(copy.mem, lab.mem);
	assert_memory_equal(copy.mem, lab.mem, pagus_state_bytes(&lab.p));
	assert_true(pagus_digest(&copy.p) == pagus_digest(&lab.p));
	for (uint32_t c = 0; c < PAGUS_NR_COUNTERS; c++)
		assert_int_equal(unit_counter(&copy, (enum pagus_counter)c),
				 unit_counter(&lab, (enum pagus_counter)c));
	unit_close(&copy);
	unit_close(&lab);
}

static void clones_diverge_and_converge_again(void **state)
{
	struct lab lab, copy;
	pagus_pfn_t pfn, copy_pfn;

	(void)state;
	boot(&lab);
	clone(&copy, &lab);
	pfn = unit_alloc(&lab, GFP_USER_PAGE, 6);
	assert_true(pagus_digest(&copy.p) != pagus_digest(&lab.p));
	copy_pfn = unit_alloc(&copy, GFP_USER_PAGE, 6);
	assert_int_equal(copy_pfn, pfn);
	assert_true(pagus_digest(&copy.p) == pagus_digest(&lab.p));
	unit_close(&copy);
	unit_close(&lab);
}

static void a_clone_survives_its_origin(void **state)
{
	struct lab lab, copy;

	(void)state;
	boot(&lab);
	clone(&copy, &lab);
	memset(lab.mem, 0xff, pagus_state_bytes(&lab.p));
	lab.p = (struct pagus){ 0 };
	lab_close(&lab);
	unit_alloc(&copy, GFP_KERNEL, 0);
	unit_close(&copy);
}

static void a_clone_has_no_listener(void **state)
{
	struct lab lab, copy;

	(void)state;
	boot(&lab);
	lab_listen(&lab, UNIT_ALL_EVENTS);
	clone(&copy, &lab);
	unit_alloc(&copy, GFP_KERNEL, 0);
	assert_int_equal(lab.nr_events, 0);
	unit_close(&copy);
	unit_close(&lab);
}

static void a_clone_needs_the_whole_size(void **state)
{
	static _Alignas(64) unsigned char small[64];
	struct lab lab;
	struct pagus p;

	(void)state;
	boot(&lab);
	assert_int_equal(pagus_clone(&p, small, sizeof(small), &lab.p, &pagus_sim_port, &lab.sim),
			 PAGUS_TOO_SMALL);
	unit_close(&lab);
}

/* Two instances built in regions with other contents, by the same calls. */
static void the_digest_depends_on_the_calls_alone(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "linux");
	size_t bytes = pagus_sizeof(&cfg);
	uint64_t digest[2];

	(void)state;
	for (int fill = 0; fill < 2; fill++) {
		unsigned char *mem = aligned_alloc(64, bytes + 64 * (size_t)(fill + 1));
		pagus_pfn_t pfn;
		struct pagus_sim sim;
		struct pagus p;

		assert_non_null(mem);
		memset(mem, fill ? 0xee : 0x11, bytes + 64);
		pagus_sim_init(&sim, 1);
		assert_int_equal(
			pagus_init(&p, mem + 64 * fill, bytes, &cfg, &pagus_sim_port, &sim),
			PAGUS_OK);
		assert_int_equal(pagus_boot_free(&p, 0, 4096), PAGUS_OK);
		assert_int_equal(pagus_boot_done(&p), PAGUS_OK);
		assert_int_equal(pagus_alloc_pages(&p, GFP_KERNEL, 0, &pfn), PAGUS_OK);
		digest[fill] = pagus_digest(&p);
		pagus_fini(&p);
		free(mem);
	}
	assert_true(digest[0] == digest[1]);
}

static void the_digest_tells_list_orders_apart(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	uint64_t digest[2];

	(void)state;
	for (uint32_t swap = 0; swap < 2; swap++) {
		struct lab lab;

		unit_open(&lab, &cfg);
		unit_seed_free(&lab, swap ? 64 : 0, 2);
		unit_seed_free(&lab, swap ? 0 : 64, 2);
		digest[swap] = pagus_digest(&lab.p);
		unit_close(&lab);
	}
	assert_true(digest[0] != digest[1]);
}

/* A page in use, then free again where it was: nothing of its past remains. */
static void the_digest_forgets_the_past(void **state)
{
	const struct pagus_config cfg = lab_config(&zone_4096, 1, "nopcp");
	struct lab lab;
	uint64_t digest;

	(void)state;
	unit_boot(&lab, &cfg);
	digest = pagus_digest(&lab.p);
	for (uint32_t order = 0; order <= 10; order++) {
		pagus_pfn_t pfn = unit_alloc(&lab, GFP_USER_PAGE, order);

		assert_true(pagus_digest(&lab.p) != digest);
		if (order > 1) {
			assert_int_equal(pagus_split_pages(&lab.p, pfn, order, order - 1),
					 PAGUS_OK);
			unit_free(&lab, pfn, order - 1);
			unit_free(&lab, pfn + (UINT64_C(1) << (order - 1)), order - 1);
		} else {
			unit_free(&lab, pfn, order);
		}
		assert_true(pagus_digest(&lab.p) == digest);
	}
	unit_close(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clone_has_the_same_bytes_elsewhere),
		cmocka_unit_test(clones_diverge_and_converge_again),
		cmocka_unit_test(a_clone_survives_its_origin),
		cmocka_unit_test(a_clone_has_no_listener),
		cmocka_unit_test(a_clone_needs_the_whole_size),
		cmocka_unit_test(the_digest_depends_on_the_calls_alone),
		cmocka_unit_test(the_digest_tells_list_orders_apart),
		cmocka_unit_test(the_digest_forgets_the_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
