/* SPDX-License-Identifier: MIT */
/* Address space: alignment, page and pointer, what is touched, backings, discarding. */
#include "posix/posix.h"

static void addresses_are_aligned_as_pfns_are(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.node = { { 16 * MIB, -1 }, { 8 * MIB, -1 } }, .nr_nodes = 2,
	});

	(void)state;
	assert_int_equal((uintptr_t)pagus_posix_pointer(x, 0) % (1u << 30), 0);
	for (uint32_t order = 0; order <= PAGUS_MAX_ORDER; order++) {
		void *block = pagus_posix_get(x, GFP_TRY, order);

		assert_non_null(block);
		assert_int_equal((uintptr_t)block % (PAGE_BYTES << order), 0);
		assert_int_equal(pagus_posix_put(x, block, order), PAGUS_OK);
	}
	/* The second node: at the next GiB. */
	assert_ptr_equal(pagus_posix_pointer(x, 1u << 18),
			 (char *)pagus_posix_pointer(x, 0) + (1u << 30));
	close_empty(x, 24 * MIB);
}

static void pages_and_pointers_tell_each_other(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.node = { { 16 * MIB, -1 }, { 8 * MIB, -1 } }, .nr_nodes = 2,
	});
	char *base = pagus_posix_pointer(x, 0);
	int elsewhere;

	(void)state;
	for (pagus_pfn_t pfn = 0; pfn < 4096; pfn++)
		assert_int_equal(pagus_posix_pfn(x, pagus_posix_pointer(x, pfn)), pfn);
	assert_int_equal(pagus_posix_pfn(x, base + 5 * PAGE_BYTES + 77), 5);
	assert_null(pagus_posix_pointer(x, 4096));
	assert_null(pagus_posix_pointer(x, (1u << 18) + 2048));
	assert_null(pagus_posix_pointer(x, PAGUS_NO_PFN));
	assert_null(pagus_posix_pointer(x, UINT64_C(1) << 52));
	assert_true(pagus_posix_pfn(x, base + 16 * MIB) == PAGUS_NO_PFN);
	assert_int_equal(pagus_posix_pfn(x, base + 16 * MIB - 1), 4095);
	assert_true(pagus_posix_pfn(x, base - 1) == PAGUS_NO_PFN);
	assert_true(pagus_posix_pfn(x, NULL) == PAGUS_NO_PFN);
	assert_true(pagus_posix_pfn(x, &elsewhere) == PAGUS_NO_PFN);
	close_empty(x, 24 * MIB);
}

static void wrong_addresses_are_refused(void **state)
{
	struct pagus_posix *x = open_bytes(16 * MIB);
	char *block = pagus_posix_get(x, GFP_TRY, 1);
	int elsewhere;

	(void)state;
	assert_int_equal(pagus_posix_put(x, &elsewhere, 0), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_posix_put(x, block + 8, 1), PAGUS_BAD_ALIGN);
	assert_int_equal(pagus_posix_put(x, block, 0), PAGUS_WRONG_ORDER);
	assert_int_equal(pagus_posix_put(x, block, 1), PAGUS_OK);
	assert_int_equal(pagus_posix_put(x, block, 1), PAGUS_DOUBLE_FREE);
	assert_null(pagus_posix_get(x, GFP_TRY, PAGUS_MAX_ORDER + 1));
	close_empty(x, 16 * MIB);
}

/* Whatever is allocated, split, merged and freed: no page of it is ever there. */
static void the_allocator_touches_no_page(void **state)
{
	struct pagus_posix *x = open_bytes(256 * MIB);
	void *blocks[512];
	uint64_t seed = unit_seed();

	(void)state;
	for (uint32_t turn = 0; turn < 20; turn++) {
		for (uint32_t n = 0; n < NR_OF(blocks); n++)
			blocks[n] = pagus_posix_get(x, unit_gfp(n % 3) & ~__GFP_DIRECT_RECLAIM,
						    n % 6);
		for (uint32_t n = 0; n < NR_OF(blocks); n++)
			if (blocks[n])
				assert_int_equal(pagus_posix_put(x, blocks[n], n % 6), PAGUS_OK);
		if (lab_random(&seed, 4) == 0)
			pagus_drain_all(pagus_posix_instance(x));
	}
	assert_int_equal(resident_pages(x, 256 * MIB), 0);
	close_empty(x, 256 * MIB);
}

static void zeroed_blocks_are_zero(void **state)
{
	struct pagus_posix *x = open_bytes(16 * MIB);
	static const char zeros[4 * 4096];
	char *block;

	(void)state;
	for (uint32_t n = 0; n < 200; n++) {
		block = pagus_posix_get(x, GFP_TRY | __GFP_ZERO, 2);
		assert_non_null(block);
		assert_memory_equal(block, zeros, sizeof(zeros));
		memset(block, 0xa5, sizeof(zeros));
		assert_int_equal(pagus_posix_put(x, block, 2), PAGUS_OK);
	}
	close_empty(x, 16 * MIB);
}

static void a_memfd_shows_what_is_written(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 16 * MIB, .backing = PAGUS_POSIX_MEMFD,
	});
	char *block = pagus_posix_get(x, GFP_TRY, 0), *other;
	uint64_t offset = pagus_posix_pfn(x, block) * PAGE_BYTES;

	(void)state;
	assert_true(pagus_posix_memfd(x) >= 0);
	other = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, pagus_posix_memfd(x), (off_t)offset);
	assert_true(other != MAP_FAILED);
	strcpy(block, "by another mapping");
	assert_string_equal(other, "by another mapping");
	munmap(other, PAGE_BYTES);
	assert_int_equal(pagus_posix_put(x, block, 0), PAGUS_OK);
	close_empty(x, 16 * MIB);
}

/* ---- discarding ------------------------------------------------------------------------------ */

/* Touch all that can be had, leaving one page of each 4 MiB in use if `in_use`; free the rest. */
static uint64_t touch_and_free(struct pagus_posix *x, void **in_use)
{
	void *blocks[16];
	uint64_t nr = 0;

	while (nr < NR_OF(blocks) && (blocks[nr] = pagus_posix_get(x, GFP_TRY, 10)) != NULL)
		memset(blocks[nr++], 1, 4 * MIB);
	for (uint64_t n = 0; n < nr; n++)
		assert_int_equal(pagus_posix_put(x, blocks[n], 10), PAGUS_OK);
	*in_use = pagus_posix_get(x, GFP_TRY, 0);
	assert_non_null(*in_use);
	pattern_write(*in_use, 0, 7);
	return nr * 4 * MIB;
}

static void discard(enum pagus_posix_backing backing, const char *policy)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 64 * MIB, .backing = backing, .policy = policy,
	});
	uint64_t touched, before, given;
	void *in_use;

	touched = touch_and_free(x, &in_use);
	before = resident_pages(x, 64 * MIB);
	assert_true(before * PAGE_BYTES >= touched);
	/* About as much as asked for: at most a block more. */
	given = pagus_posix_discard(x, 8 * MIB);
	assert_in_range(given, 8 * MIB, 12 * MIB - 1);
	assert_int_equal(resident_pages(x, 64 * MIB), before - given / PAGE_BYTES);
	given += pagus_posix_discard(x, UINT64_MAX);
	assert_int_equal(resident_pages(x, 64 * MIB), before - given / PAGE_BYTES);
	/* All but what lies in the pageblock in use, and what the min marks keep. */
	assert_true(given >= touched - 12 * MIB);
	assert_true(pattern_stands(in_use, 0, 7));
	/* The rest is below the marks, and nothing of it has come back. */
	assert_int_equal(pagus_posix_discard(x, UINT64_MAX), 0);
	assert_int_equal(free_pages(x), 64 * MIB / PAGE_BYTES - 1);
	assert_int_equal(pagus_posix_put(x, in_use, 0), PAGUS_OK);
	close_empty(x, 64 * MIB);
}

static void discarded_memory_stays_free(void **state)
{
	(void)state;
	discard(PAGUS_POSIX_ANONYMOUS, NULL);
	discard(PAGUS_POSIX_ANONYMOUS, "linux");
	discard(PAGUS_POSIX_ANONYMOUS, "plain");
	discard(PAGUS_POSIX_MEMFD, NULL);
}

/* What the system has not taken yet counts as given back all the same. */
static void lazily_discarded_memory_can_be_had_again(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 64 * MIB, .lazy_discard = true,
	});
	void *in_use, *block;

	(void)state;
	touch_and_free(x, &in_use);
	assert_true(pagus_posix_discard(x, 16 * MIB) >= 16 * MIB);
	block = pagus_posix_get(x, GFP_TRY, 9);
	assert_non_null(block);
	pattern_write(block, 9, 3);
	assert_true(pattern_stands(block, 9, 3));
	assert_int_equal(pagus_posix_put(x, block, 9), PAGUS_OK);
	assert_int_equal(pagus_posix_put(x, in_use, 0), PAGUS_OK);
	close_empty(x, 64 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_aligned_as_pfns_are),
		cmocka_unit_test(pages_and_pointers_tell_each_other),
		cmocka_unit_test(wrong_addresses_are_refused),
		cmocka_unit_test(the_allocator_touches_no_page),
		cmocka_unit_test(zeroed_blocks_are_zero),
		cmocka_unit_test(a_memfd_shows_what_is_written),
		cmocka_unit_test(discarded_memory_stays_free),
		cmocka_unit_test(lazily_discarded_memory_can_be_had_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
