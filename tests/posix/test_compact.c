/* SPDX-License-Identifier: MIT */
/* Compaction of a program's blocks behind handles: on request, and in the background. */
#include "posix/handles.h"

#include <pagus/compact.h>

#include <sys/wait.h>

#define BYTES (64 * MIB)
#define MANY  (BYTES / PAGE_BYTES)

static pagus_handle_t handles[MANY];
static uint32_t nr_handles;
static bool kept[MANY];

/* All memory in single pages, of which a fourth stays, here and there. */
static struct pagus_posix *open_scattered(struct pagus_posix_config config)
{
	struct pagus_posix *x;
	uint64_t seed = 1;

	config.bytes = BYTES;
	config.nr_handles = MANY;
	x = open_with(&config);
	for (nr_handles = 0; nr_handles < MANY; nr_handles++)
		if (pagus_handle_get(x, GFP_NOWAIT, 0, NULL, &handles[nr_handles]) != PAGUS_OK)
			break;
	assert_true(nr_handles > MANY / 2);
	for (uint32_t n = 0; n < nr_handles; n++) {
		kept[n] = lab_random(&seed, 4) == 0;
		if (kept[n])
			assert_true(handle_fill(x, handles[n]));
		else
			assert_int_equal(pagus_handle_free(x, handles[n]), PAGUS_OK);
	}
	pagus_drain_all(pagus_posix_instance(x));
	return x;
}

static void close_scattered(struct pagus_posix *x)
{
	for (uint32_t n = 0; n < nr_handles; n++) {
		if (!kept[n])
			continue;
		assert_true(handle_stands(x, handles[n]));
		assert_int_equal(pagus_handle_free(x, handles[n]), PAGUS_OK);
	}
	/* A worker may have a block in hand. */
	for (uint32_t n = 0; n < 10000 && free_pages(x) != BYTES / PAGE_BYTES; n++)
		usleep(1000);
	close_empty(x, BYTES);
}

static uint64_t moves(struct pagus_posix *x)
{
	struct pagus_handle_stats stats;

	pagus_handle_stats(x, &stats);
	return stats.nr_moves;
}

static uint32_t free_pageblocks(struct pagus_posix *x)
{
	struct pagus_zone_info info;

	pagus_posix_freeze();
	pagus_zone_info(pagus_posix_instance(x), 0, &info);
	pagus_posix_thaw();
	return (uint32_t)(info.nr_free[9] + 2 * info.nr_free[10]);
}

static void a_request_for_a_pageblock_gets_it(void **state)
{
	static const char *const policies[] = { "pcpbuddy-bitmap", "pcpbuddy", "linux" };

	(void)state;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_posix *x = open_scattered((struct pagus_posix_config){
			.policy = policies[n], .no_kcompactd = true, .no_kswapd = true,
		});
		void *blocks[12], *whole[BYTES >> 21];
		uint32_t nr_whole = 0;

		/* What is whole by itself is out of the way: the others come by moving alone. */
		while ((whole[nr_whole] = pagus_posix_get(x, GFP_NOWAIT, 9)))
			assert_true(++nr_whole < NR_OF(whole));
		assert_int_equal(free_pageblocks(x), 0);
		for (uint32_t k = 0; k < NR_OF(blocks); k++) {
			blocks[k] = pagus_posix_get(x, GFP_KERNEL | __GFP_RETRY_MAYFAIL, 9);
			assert_non_null(blocks[k]);
			memset(blocks[k], 0xff, PAGE_BYTES << 9);
		}
		assert_true(moves(x) > 0);
		for (uint32_t k = 0; k < NR_OF(blocks); k++)
			assert_int_equal(pagus_posix_put(x, blocks[k], 9), PAGUS_OK);
		while (nr_whole > 0)
			assert_int_equal(pagus_posix_put(x, whole[--nr_whole], 9), PAGUS_OK);
		close_scattered(x);
	}
}

/* Twice as many checks as kcompactd makes in vain: 60 s. */
#define WAIT_UNTIL(condition)                                                                      \
	do {                                                                                      \
		for (uint32_t n_ = 0; n_ < 60000 && !(condition); n_++)                           \
			usleep(1000);                                                             \
		assert_true(condition);                                                           \
	} while (0)

/* Nobody asks for anything: kcompactd finds by itself that memory is scattered. */
static void scattered_memory_is_compacted_in_the_background(void **state)
{
	struct pagus_posix *x = open_scattered((struct pagus_posix_config){ .tick_ms = 10 });

	(void)state;
	WAIT_UNTIL(free_pageblocks(x) > 2);
	assert_true(moves(x) > 0);
	close_scattered(x);
}

static void nothing_moves_by_itself_without_kcompactd(void **state)
{
	struct pagus_posix *x = open_scattered((struct pagus_posix_config){ .no_kcompactd = true });

	(void)state;
	usleep(1500000);
	assert_int_equal(moves(x), 0);
	assert_int_equal(pagus_compact_memory(pagus_posix_instance(x)), PAGUS_OK);
	assert_true(moves(x) > 0);
	close_scattered(x);
}

/* In the middle of a run, most likely; and again and again. */
static void an_instance_ends_while_kcompactd_works(void **state)
{
	const struct pagus_posix_tunable eager = { PAGUS_TUNABLE_compaction_proactiveness, 100 };

	(void)state;
	for (uint32_t n = 0; n < 5; n++) {
		struct pagus_posix *x = open_scattered((struct pagus_posix_config){
			.tunables = &eager, .nr_tunables = 1,
		});

		WAIT_UNTIL(moves(x) > 0);
		pagus_posix_destroy(x);
	}
}

/* The child has a kcompactd of its own. */
static int wait_in_child(struct pagus_posix *x)
{
	uint64_t before = moves(x);

	for (uint32_t n = 0; n < 60000 && moves(x) == before; n++)
		usleep(1000);
	if (moves(x) == before)
		return 2;
	for (uint32_t n = 0; n < nr_handles; n++)
		if (kept[n] && (!handle_stands(x, handles[n]) ||
				pagus_handle_free(x, handles[n]) != PAGUS_OK))
			return 3;
	return 0;
}

static void a_child_compacts_for_itself(void **state)
{
	struct pagus_posix *x = open_scattered((struct pagus_posix_config){ .tick_ms = 0 });
	int status = -1;
	pid_t child;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip();
#endif
	child = fork();
	if (child == 0)
		_exit(wait_in_child(x));
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close_scattered(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_for_a_pageblock_gets_it),
		cmocka_unit_test(scattered_memory_is_compacted_in_the_background),
		cmocka_unit_test(nothing_moves_by_itself_without_kcompactd),
		cmocka_unit_test(an_instance_ends_while_kcompactd_works),
		cmocka_unit_test(a_child_compacts_for_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
