/* SPDX-License-Identifier: MIT */
/* Configurations: what is refused, and with which line; that each kind of instance works. */
#include "posix/posix.h"

static void refuse(struct pagus_posix_config config, enum pagus_status status, const char *why)
{
	struct pagus_posix *x = (struct pagus_posix *)&config;

	assert_int_equal(pagus_posix_create(&config, &x), status);
	assert_null(x);
	if (!strstr(pagus_posix_error(), why))
		fail_msg("'%s' does not say '%s'", pagus_posix_error(), why);
}

static void nothing_put_back(void *ctx, void *block, uint32_t order)
{
	(void)ctx;
	(void)block;
	(void)order;
}

static bool nothing_isolated(void *ctx, void *block, uint32_t order,
			     const struct pagus_migrate *how)
{
	(void)how;
	nothing_put_back(ctx, block, order);
	return false;
}

static enum pagus_moved nothing_moved(void *ctx, void *from, void *to, uint32_t order,
				      const struct pagus_migrate *how)
{
	(void)to;
	(void)nothing_isolated(ctx, from, order, how);
	return PAGUS_MOVE_NEVER;
}

static enum pagus_compact_result nothing_compacted(void *ctx, const struct pagus_compact *how)
{
	(void)ctx;
	(void)how;
	return PAGUS_COMPACT_SKIPPED;
}

static bool not_relocated(void *ctx, void *user, void *to, const void *from, uint64_t bytes)
{
	return ctx && user && to && from && !bytes;
}

/* Movable blocks have one owner, with all of its calls. */
static void owners_that_cannot_be_are_refused(void **state)
{
	const struct pagus_posix_calls all = { .isolate = nothing_isolated, .move = nothing_moved,
					       .putback = nothing_put_back };
	struct pagus_posix_calls calls = all;

	(void)state;
	refuse((struct pagus_posix_config){ .bytes = MIB, .relocate = not_relocated },
	       PAGUS_BAD_CONFIG, "relocate");
	refuse((struct pagus_posix_config){ .bytes = MIB, .nr_handles = 1, .calls = &calls },
	       PAGUS_BAD_CONFIG, "nr_handles");
	calls.compact = nothing_compacted;
	refuse((struct pagus_posix_config){ .bytes = MIB, .calls = &calls }, PAGUS_BAD_CONFIG,
	       "compact");
	calls = (struct pagus_posix_calls){ .compact = nothing_compacted };
	refuse((struct pagus_posix_config){ .bytes = MIB, .nr_handles = 1, .calls = &calls },
	       PAGUS_BAD_CONFIG, "compact");
	calls = all;
	calls.isolate = NULL;
	refuse((struct pagus_posix_config){ .bytes = MIB, .calls = &calls }, PAGUS_BAD_CONFIG,
	       "isolate");
	calls = all;
	calls.putback = NULL;
	refuse((struct pagus_posix_config){ .bytes = MIB, .calls = &calls }, PAGUS_BAD_CONFIG,
	       "putback");
}

static void what_cannot_be_is_refused(void **state)
{
	const struct pagus_posix_tunable wrong = { PAGUS_TUNABLE_dirty_ratio, 101 };
	const struct pagus_posix_tunable none = { PAGUS_NR_TUNABLES, 0 };

	(void)state;
	refuse((struct pagus_posix_config){ 0 }, PAGUS_BAD_CONFIG, "node 0: 0 bytes");
	refuse((struct pagus_posix_config){ .bytes = 4097 }, PAGUS_BAD_CONFIG, "multiple of 4096");
	refuse((struct pagus_posix_config){ .bytes = PAGE_BYTES, .backing = PAGUS_POSIX_HUGETLB },
	       PAGUS_BAD_CONFIG, "multiple of 2097152");
	refuse((struct pagus_posix_config){ .bytes = UINT64_C(1) << 45 }, PAGUS_BAD_CONFIG,
	       "16 TiB");
	refuse((struct pagus_posix_config){ .bytes = MIB, .nr_nodes = 1 }, PAGUS_BAD_CONFIG,
	       "bytes");
	refuse((struct pagus_posix_config){ .nr_nodes = 65 }, PAGUS_BAD_CONFIG, "nr_nodes");
	refuse((struct pagus_posix_config){ .bytes = MIB, .nr_cpus = 1025 }, PAGUS_BAD_CONFIG,
	       "nr_cpus");
	refuse((struct pagus_posix_config){ .bytes = MIB, .backing = (enum pagus_posix_backing)7 },
	       PAGUS_BAD_CONFIG, "backing");
	refuse((struct pagus_posix_config){ .bytes = MIB, .policy = "fifo" }, PAGUS_BAD_CONFIG,
	       "policy: 'fifo'");
	refuse((struct pagus_posix_config){ .bytes = MIB,
					    .cpu_source = PAGUS_POSIX_NR_CPU_SOURCES },
	       PAGUS_BAD_CONFIG, "cpu_source");
	refuse((struct pagus_posix_config){ .bytes = 2 * MIB, .huge_pages = true,
					    .backing = PAGUS_POSIX_HUGETLB },
	       PAGUS_BAD_CONFIG, "huge_pages");
	refuse((struct pagus_posix_config){ .bytes = MIB, .lazy_discard = true,
					    .backing = PAGUS_POSIX_MEMFD },
	       PAGUS_BAD_CONFIG, "lazy_discard");
	refuse((struct pagus_posix_config){ .bytes = MIB, .tunables = &wrong, .nr_tunables = 1 },
	       PAGUS_BAD_VALUE, "dirty_ratio: 101");
	refuse((struct pagus_posix_config){ .bytes = MIB, .tunables = &none, .nr_tunables = 1 },
	       PAGUS_BAD_VALUE, "tunable");
}

static void refuse_area(struct pagus_posix_cma area, const char *why)
{
	const struct pagus_posix_cma areas[] = { { .bytes = 6 * MIB }, area };

	refuse((struct pagus_posix_config){ .bytes = 16 * MIB, .cma = areas, .nr_cma = 2 },
	       PAGUS_BAD_CONFIG, why);
}

/* After one that can be. */
static void areas_that_cannot_be_are_refused(void **state)
{
	(void)state;
	refuse((struct pagus_posix_config){ .bytes = MIB, .nr_cma = 65 }, PAGUS_BAD_CONFIG,
	       "nr_cma: 65");
	refuse_area((struct pagus_posix_cma){ 0 }, "cma 1: 0 bytes");
	refuse_area((struct pagus_posix_cma){ .bytes = UINT64_MAX }, "cma 1: 18446744073709551615");
	refuse_area((struct pagus_posix_cma){ .bytes = MIB, .alignment_bytes = 3 * MIB },
		    "cma 1: alignment_bytes: 3145728");
	refuse_area((struct pagus_posix_cma){ .bytes = MIB, .alignment_bytes = 32 * MIB },
		    "cma 1: alignment_bytes: 33554432");
	refuse_area((struct pagus_posix_cma){ .bytes = MIB, .node = 1 }, "cma 1: node 1");
	refuse_area((struct pagus_posix_cma){ .bytes = MIB, .order_per_bit = 21 },
		    "cma 1: order_per_bit");
	refuse_area((struct pagus_posix_cma){ .bytes = 2 * MIB, .order_per_bit = 10 },
		    "cma 1: order_per_bit");
	refuse_area((struct pagus_posix_cma){ .bytes = 12 * MIB }, "cma 1: 12582912 bytes: no node");
	refuse_area((struct pagus_posix_cma){ .bytes = 10 * MIB + 1, .node = PAGUS_NO_NODE },
		    "cma 1: 10485761 bytes: no node");
	refuse((struct pagus_posix_config){
		       .bytes = 2 * GIB, .nr_cma = 1, .cma = &(struct pagus_posix_cma){
			       .bytes = MIB, .alignment_bytes = 2 * GIB } },
	       PAGUS_BAD_CONFIG, "cma 0: alignment_bytes");
}

static void a_numa_node_that_is_not_there_is_refused(void **state)
{
	(void)state;
	refuse((struct pagus_posix_config){ .node = { { MIB, 1000 } }, .nr_nodes = 1 },
	       PAGUS_BAD_NODE, "NUMA node 1000");
	refuse((struct pagus_posix_config){ .node = { { MIB, 5000 } }, .nr_nodes = 1 },
	       PAGUS_BAD_NODE, "NUMA node 5000");
}

static void memory_is_bound_to_a_numa_node(void **state)
{
	const struct pagus_posix_config config = { .node = { { 8 * MIB, -1 }, { 16 * MIB, 0 } },
						   .nr_nodes = 2 };
	struct pagus_posix *x;
	void *block;

	(void)state;
	if (pagus_posix_create(&config, &x) != PAGUS_OK) {
		print_message("skipped: NUMA binding: %s\n", pagus_posix_error());
		skip();
	}
	/* Where the system has but this one, all CPUs belong to the instance's second node. */
	block = pagus_posix_get(x, GFP_TRY, 0);
	assert_non_null(block);
	if (access("/sys/devices/system/node/node1", F_OK) != 0)
		assert_true(pagus_posix_pfn(x, block) >= 1u << 18);
	pattern_write(block, 0, 1);
	assert_int_equal(pagus_posix_put(x, block, 0), PAGUS_OK);
	close_empty(x, 24 * MIB);
}

/* Where the system has huge pages to spare, they are used; else it is said that there are none. */
static void hugetlb_is_there_or_is_refused(void **state)
{
	const struct pagus_posix_config config = { .bytes = 8 * MIB,
						   .backing = PAGUS_POSIX_HUGETLB };
	struct pagus_posix *x;
	void *block;

	(void)state;
	if (pagus_posix_create(&config, &x) == PAGUS_NO_MEMORY) {
		assert_null(x);
		assert_non_null(strstr(pagus_posix_error(), "4 huge pages of 2 MiB are not there"));
		return;
	}
	block = pagus_posix_get(x, GFP_TRY, 9);
	assert_non_null(block);
	pattern_write(block, 9, 1);
	assert_true(pattern_stands(block, 9, 1));
	assert_int_equal(pagus_posix_put(x, block, 9), PAGUS_OK);
	assert_int_equal(pagus_posix_discard(x, UINT64_MAX), 0);
	close_empty(x, 8 * MIB);
}

static void every_policy_serves(void **state)
{
	const char *name;

	(void)state;
	for (uint32_t n = 0; (name = pagus_policy_at(n, NULL)) != NULL; n++) {
		struct pagus_posix *x = open_with(&(struct pagus_posix_config){
			.bytes = 32 * MIB, .policy = name, .huge_pages = n % 2,
		});
		struct load *load = calloc(1, sizeof(*load));

		assert_non_null(load);
		*load = (struct load){ .x = x, .seed = n, .nr_rounds = 2000, .max_order = 8 };
		load_run(load);
		assert_int_equal(load->failures, 0);
		assert_true(load->granted > 0);
		free(load);
		close_empty(x, 32 * MIB);
	}
}

static void tunables_are_set(void **state)
{
	const struct pagus_posix_tunable tunables[] = {
		{ PAGUS_TUNABLE_min_free_kbytes, 4096 }, { PAGUS_TUNABLE_init_on_alloc, 1 },
	};
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 64 * MIB, .tunables = tunables, .nr_tunables = 2,
	});
	struct pagus_zone_info info;
	char *block;

	(void)state;
	assert_int_equal(pagus_zone_info(pagus_posix_instance(x), 0, &info), PAGUS_OK);
	assert_int_equal(info.wmark[PAGUS_WMARK_MIN], 1024);
	block = pagus_posix_get(x, GFP_TRY, 0);
	memset(block, 1, PAGE_BYTES);
	assert_int_equal(pagus_posix_put(x, block, 0), PAGUS_OK);
	block = pagus_posix_get(x, GFP_TRY, 0);
	assert_int_equal(block[17], 0);
	assert_int_equal(pagus_posix_put(x, block, 0), PAGUS_OK);
	close_empty(x, 64 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(owners_that_cannot_be_are_refused),
		cmocka_unit_test(areas_that_cannot_be_are_refused),
		cmocka_unit_test(a_numa_node_that_is_not_there_is_refused),
		cmocka_unit_test(memory_is_bound_to_a_numa_node),
		cmocka_unit_test(hugetlb_is_there_or_is_refused),
		cmocka_unit_test(every_policy_serves),
		cmocka_unit_test(tunables_are_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
