/* SPDX-License-Identifier: MIT */
/* Handles, whose blocks the library's migration moves while the program uses them. */
#include "posix/posix.h"

#include <pagus/handle.h>

#include "alloc/alloc.h"
#include "alloc/free.h"
#include "contig/migrate.h"

#include <sys/wait.h>

#define MANY 2048

/* ---- the library's side ---------------------------------------------------------------------- */

static uint32_t get(struct pg_call *c, struct pg_migration *m, uint32_t from, uint32_t order)
{
	const struct pagus_request req = { .gfp = GFP_TRY | __GFP_MOVABLE, .order = order,
					   .node = PAGUS_NO_NODE };
	struct pagus_result res;

	(void)m;
	(void)from;
	return pg_alloc(c, &req, &res) == PAGUS_OK ? pg_index(c->st, res.pfn) : PG_NONE;
}

static void put(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	(void)m;
	pg_free_checked(c, i, order);
}

static const struct pg_migration synchronous = {
	.how = { .mode = PAGUS_MIGRATE_SYNC, .reason = PAGUS_MIGRATE_COMPACTION, .gfp = GFP_KERNEL },
	.get = get, .put = put,
};

/* Claim the block; `between` is called before it is moved. True: it has moved. */
static bool move_with(struct pagus_posix *x, pagus_pfn_t pfn, uint32_t order, void (*between)(void))
{
	struct pg_migration m = synchronous;
	struct pg_call c = pg_call_begin(pagus_posix_instance(x));
	bool moved = false;

	if (pg_migrate_isolate(&c, &m, pg_index(c.st, pfn), order)) {
		if (between)
			between();
		moved = pg_migrate_run(&c, &m) == PG_MIGRATED_ALL;
		pg_migrate_putback(&c, &m, 0);
	}
	pg_call_end(&c);
	return moved;
}

static bool move(struct pagus_posix *x, pagus_handle_t handle)
{
	struct pagus_handle_info info;

	assert_int_equal(pagus_handle_info(x, handle, &info), PAGUS_OK);
	return move_with(x, info.pfn, info.order, NULL);
}

/* ---- the program's side ---------------------------------------------------------------------- */

static struct pagus_posix *open_handles(const char *policy, uint32_t nr)
{
	return open_with(&(struct pagus_posix_config){ .bytes = 32 * MIB, .policy = policy,
						       .nr_handles = nr });
}

static pagus_handle_t get_handle(struct pagus_posix *x, uint32_t order)
{
	pagus_handle_t handle;

	assert_int_equal(pagus_handle_get(x, GFP_TRY, order, NULL, &handle), PAGUS_OK);
	assert_int_not_equal(handle, PAGUS_NO_HANDLE);
	return handle;
}

/* Words that tell of key and place in the block, wherever that lies. */
static void write_words(uint64_t *words, uint32_t order, uint64_t key)
{
	for (uint64_t n = 0; n < PAGE_BYTES << order >> 3; n += PATTERN_STRIDE)
		words[n] = pattern((uint64_t *)8 + n, key);
}

static bool words_stand(const uint64_t *words, uint32_t order, uint64_t key)
{
	for (uint64_t n = 0; n < PAGE_BYTES << order >> 3; n += PATTERN_STRIDE)
		if (words[n] != pattern((uint64_t *)8 + n, key))
			return false;
	return true;
}

static void fill(struct pagus_posix *x, pagus_handle_t handle, uint32_t order, uint64_t key)
{
	uint64_t *words = pagus_handle_open(x, handle);

	assert_non_null(words);
	write_words(words, order, key);
	assert_int_equal(pagus_handle_close(x, handle), PAGUS_OK);
}

static void expect(struct pagus_posix *x, pagus_handle_t handle, uint32_t order, uint64_t key)
{
	const uint64_t *words = pagus_handle_open(x, handle);

	assert_non_null(words);
	assert_true(words_stand(words, order, key));
	assert_int_equal(pagus_handle_close(x, handle), PAGUS_OK);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void handles_say_what_they_are(void **state)
{
	struct pagus_posix *x = open_handles(NULL, 3);
	struct pagus_handle_stats stats;
	struct pagus_handle_info info;
	pagus_handle_t one = get_handle(x, 0), other = get_handle(x, 3), again;

	(void)state;
	assert_int_equal(pagus_handle_info(x, other, &info), PAGUS_OK);
	assert_int_equal(info.order, 3);
	assert_int_equal(info.nr_open, 0);
	assert_false(info.claimed);
	assert_ptr_equal(pagus_handle_open(x, other), pagus_posix_pointer(x, info.pfn));
	assert_ptr_equal(pagus_handle_open(x, other), pagus_posix_pointer(x, info.pfn));
	assert_int_equal(pagus_handle_free(x, other), PAGUS_BUSY);
	assert_int_equal(pagus_handle_info(x, other, &info), PAGUS_OK);
	assert_int_equal(info.nr_open, 2);
	assert_int_equal(pagus_handle_close(x, other), PAGUS_OK);
	assert_int_equal(pagus_handle_close(x, other), PAGUS_OK);
	assert_int_equal(pagus_handle_close(x, other), PAGUS_BUSY);
	assert_int_equal(pagus_handle_free(x, one), PAGUS_OK);
	again = get_handle(x, 0);
	assert_int_not_equal(again, one);
	assert_int_equal(pagus_handle_free(x, one), PAGUS_DOUBLE_FREE);
	assert_int_equal(pagus_handle_close(x, one), PAGUS_DOUBLE_FREE);
	assert_int_equal(pagus_handle_info(x, one, &info), PAGUS_DOUBLE_FREE);
	assert_null(pagus_handle_open(x, one));
	assert_null(pagus_handle_open(x, PAGUS_NO_HANDLE));
	assert_int_equal(pagus_handle_free(x, PAGUS_NO_HANDLE), PAGUS_NOT_ALLOCATED);
	assert_int_equal(pagus_handle_close(x, 3), PAGUS_NOT_ALLOCATED);
	pagus_handle_stats(x, &stats);
	assert_int_equal(stats.nr_handles, 2);
	assert_int_equal(pagus_handle_free(x, again), PAGUS_OK);
	assert_int_equal(pagus_handle_free(x, other), PAGUS_OK);
	close_empty(x, 32 * MIB);
}

static void what_cannot_be_got_is_refused(void **state)
{
	struct pagus_posix *x = open_handles(NULL, 2), *none = open_bytes(8 * MIB);
	struct pagus_handle_stats stats;
	pagus_handle_t handle = 1;

	(void)state;
	assert_int_equal(pagus_handle_get(none, GFP_TRY, 0, NULL, &handle), PAGUS_UNSUPPORTED);
	assert_int_equal(handle, PAGUS_NO_HANDLE);
	assert_null(pagus_handle_open(none, 1));
	assert_int_equal(pagus_handle_free(none, 1), PAGUS_NOT_ALLOCATED);
	pagus_handle_stats(none, &stats);
	assert_int_equal(stats.nr_handles, 0);
	close_empty(none, 8 * MIB);
	assert_int_equal(pagus_handle_get(x, GFP_TRY | __GFP_RECLAIMABLE, 0, NULL, &handle),
			 PAGUS_BAD_TYPE_BITS);
	assert_int_equal(pagus_handle_get(x, GFP_TRY, 11, NULL, &handle), PAGUS_BAD_ORDER);
	/* Neither has used a record up. */
	get_handle(x, 0);
	handle = get_handle(x, 0);
	assert_int_equal(pagus_handle_get(x, GFP_TRY, 0, NULL, &handle), PAGUS_BUSY);
	assert_int_equal(handle, PAGUS_NO_HANDLE);
	pagus_posix_destroy(x);
}

static void a_block_of_every_order_is_zeroed_on_request(void **state)
{
	struct pagus_posix *x = open_handles(NULL, 16);

	(void)state;
	for (uint32_t order = 0; order <= 9; order++) {
		pagus_handle_t handle;
		const char *bytes;

		assert_int_equal(pagus_handle_get(x, GFP_TRY | __GFP_ZERO, order, NULL, &handle),
				 PAGUS_OK);
		bytes = pagus_handle_open(x, handle);
		for (uint64_t n = 0; n < PAGE_BYTES << order; n += 1021)
			assert_int_equal(bytes[n], 0);
		memset((void *)(uintptr_t)bytes, 1, PAGE_BYTES << order);
		assert_int_equal(pagus_handle_close(x, handle), PAGUS_OK);
		assert_int_equal(pagus_handle_free(x, handle), PAGUS_OK);
	}
	close_empty(x, 32 * MIB);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static void blocks_move_and_handles_stay(void **state)
{
	static const char *const policies[] = { "pcpbuddy-bitmap", "pcpbuddy", "linux" };

	(void)state;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_posix *x = open_handles(policies[n], 64);
		pagus_handle_t handles[50];
		struct pagus_handle_stats stats;
		uint64_t moved_pages = 0;

		for (uint32_t k = 0; k < NR_OF(handles); k++) {
			handles[k] = get_handle(x, k % 10);
			fill(x, handles[k], k % 10, k);
		}
		for (uint32_t k = 0; k < NR_OF(handles); k += 3) {
			struct pagus_handle_info before, after;

			pagus_handle_info(x, handles[k], &before);
			assert_true(move(x, handles[k]));
			pagus_handle_info(x, handles[k], &after);
			assert_int_not_equal(before.pfn, after.pfn);
			assert_int_equal(after.order, k % 10);
			moved_pages += 1u << k % 10;
		}
		pagus_handle_stats(x, &stats);
		assert_int_equal(stats.nr_moves, 17);
		assert_int_equal(stats.moved_pages, moved_pages);
		for (uint32_t k = 0; k < NR_OF(handles); k++) {
			expect(x, handles[k], k % 10, k);
			assert_int_equal(pagus_handle_free(x, handles[k]), PAGUS_OK);
		}
		close_empty(x, 32 * MIB);
	}
}

/* What is between, for move_with. */
static struct pagus_posix *the_x;
static pagus_handle_t the_handle;
static uint64_t *the_words;

static void open_it(void)
{
	the_words = pagus_handle_open(the_x, the_handle);
}

static void free_it(void)
{
	the_words = NULL;
	if (pagus_handle_free(the_x, the_handle) != PAGUS_OK ||
	    pagus_handle_free(the_x, the_handle) != PAGUS_DOUBLE_FREE)
		the_words = (uint64_t *)8;
}

static void an_open_block_stays(void **state)
{
	struct pagus_posix *x = open_handles(NULL, 8);
	struct pagus_handle_stats stats;
	struct pagus_handle_info info;

	(void)state;
	the_x = x;
	the_handle = get_handle(x, 1);
	fill(x, the_handle, 1, 5);
	pagus_handle_info(x, the_handle, &info);
	open_it();
	assert_false(move(x, the_handle));
	pagus_handle_close(x, the_handle);
	/* Opened after it was claimed: it is tried again, and put back. */
	assert_false(move_with(x, info.pfn, 1, open_it));
	assert_ptr_equal(the_words, pagus_posix_pointer(x, info.pfn));
	pagus_handle_stats(x, &stats);
	assert_int_equal(stats.nr_moves, 0);
	assert_int_equal(stats.nr_again, 10);
	pagus_handle_info(x, the_handle, &info);
	assert_false(info.claimed);
	pagus_handle_close(x, the_handle);
	assert_true(move(x, the_handle));
	expect(x, the_handle, 1, 5);
	pagus_handle_free(x, the_handle);
	close_empty(x, 32 * MIB);
}

static void a_block_freed_while_it_is_claimed_becomes_free(void **state)
{
	struct pagus_posix *x = open_handles(NULL, 1);
	struct pagus_handle_info info;

	(void)state;
	the_x = x;
	the_handle = get_handle(x, 2);
	pagus_handle_info(x, the_handle, &info);
	assert_false(move_with(x, info.pfn, 2, free_it));
	assert_null(the_words);
	assert_int_equal(free_pages(x), 32 * MIB / PAGE_BYTES);
	/* Its record too. */
	pagus_handle_free(x, get_handle(x, 0));
	close_empty(x, 32 * MIB);
}

static void only_what_is_behind_a_handle_moves(void **state)
{
	struct pagus_posix *x = open_handles(NULL, 4);
	void *page = pagus_posix_get(x, GFP_TRY | __GFP_MOVABLE, 0);

	(void)state;
	assert_non_null(page);
	assert_false(move_with(x, pagus_posix_pfn(x, page), 0, NULL));
	assert_int_equal(pagus_posix_put(x, page, 0), PAGUS_OK);
	close_empty(x, 32 * MIB);
}

/* ---- addresses that the program keeps -------------------------------------------------------- */

struct keeper {
	uint64_t *words;
	uint32_t refusals, calls;
};

static bool relocate(void *ctx, void *user, void *to, const void *from, uint64_t bytes)
{
	struct keeper *keeper = user;

	if (ctx != &the_x || (keeper->words && keeper->words != from))
		return false;
	keeper->calls++;
	if (keeper->refusals) {
		keeper->refusals--;
		return false;
	}
	memcpy(to, from, bytes);
	keeper->words = to;
	return true;
}

static void the_program_points_its_addresses_elsewhere(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 32 * MIB, .nr_handles = 4, .relocate = relocate, .ctx = &the_x,
	});
	struct keeper keeper = { .refusals = 2 };
	struct pagus_handle_stats stats;
	pagus_handle_t handle;

	(void)state;
	assert_int_equal(pagus_handle_get(x, GFP_TRY, 4, &keeper, &handle), PAGUS_OK);
	keeper.words = pagus_handle_open(x, handle);
	write_words(keeper.words, 4, 77);
	pagus_handle_close(x, handle);
	assert_true(move(x, handle));
	assert_int_equal(keeper.calls, 3);
	assert_true(words_stand(keeper.words, 4, 77));
	assert_ptr_equal(pagus_handle_open(x, handle), keeper.words);
	pagus_handle_close(x, handle);
	keeper.refusals = 100;
	assert_false(move(x, handle));
	assert_ptr_equal(pagus_handle_open(x, handle), keeper.words);
	pagus_handle_close(x, handle);
	pagus_handle_stats(x, &stats);
	assert_int_equal(stats.nr_moves, 1);
	assert_int_equal(stats.nr_again, 12);
	pagus_handle_free(x, handle);
	close_empty(x, 32 * MIB);
}

/* ---- a program that is the owner itself ------------------------------------------------------ */

struct single {
	void *block;
	bool claimed;
	uint32_t nr_putbacks;
	uint32_t traits;
};

static uint32_t single_traits(void *ctx, const void *block, uint32_t order)
{
	const struct single *s = ctx;

	return block == s->block && order == 2 ? s->traits : PAGUS_TRAIT_FIXED;
}

static bool single_isolate(void *ctx, void *block, uint32_t order, const struct pagus_migrate *how)
{
	struct single *s = ctx;

	if (s->claimed || s->block != block || order != 2 || how->mode != PAGUS_MIGRATE_SYNC)
		return false;
	s->claimed = true;
	return true;
}

static enum pagus_moved single_move(void *ctx, void *from, void *to, uint32_t order,
				    const struct pagus_migrate *how)
{
	struct single *s = ctx;

	if (how->mode != PAGUS_MIGRATE_SYNC)
		return PAGUS_MOVE_AGAIN;
	if (from != s->block)
		return PAGUS_MOVE_NEVER;
	memcpy(to, from, PAGE_BYTES << order);
	s->block = to;
	s->claimed = false;
	return PAGUS_MOVED;
}

static void single_putback(void *ctx, void *block, uint32_t order)
{
	struct single *s = ctx;

	s->claimed = block != s->block || order != 2;
	s->nr_putbacks++;
}

static void a_program_may_own_movable_blocks_itself(void **state)
{
	const struct pagus_posix_calls calls = { .traits = single_traits, .isolate = single_isolate,
						 .move = single_move, .putback = single_putback };
	struct single s = { 0 };
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 32 * MIB, .calls = &calls, .ctx = &s,
	});
	void *before = pagus_posix_get(x, GFP_TRY | __GFP_MOVABLE, 2);

	(void)state;
	s.block = before;
	write_words(s.block, 2, 3);
	s.traits = PAGUS_TRAIT_PINNED;
	assert_false(move_with(x, pagus_posix_pfn(x, before), 2, NULL));
	s.traits = 0;
	assert_true(move_with(x, pagus_posix_pfn(x, before), 2, NULL));
	assert_ptr_not_equal(s.block, before);
	assert_true(words_stand(s.block, 2, 3));
	assert_false(s.claimed);
	assert_int_equal(s.nr_putbacks, 0);
	assert_int_equal(pagus_posix_put(x, s.block, 2), PAGUS_OK);
	close_empty(x, 32 * MIB);
}

/* ---- threads --------------------------------------------------------------------------------- */

static struct {
	struct pagus_posix *x;
	pthread_mutex_t mutex[MANY / 64]; /* each of 64 of these */
	pagus_handle_t handles[MANY];     /* 0: none */
	uint64_t keys[MANY];              /* of their contents; 0: nothing was written */
	uint32_t stop;                    /* A */
	uint64_t moved;                   /* A */
} many;

/* In each turn one handle, which no other thread uses meanwhile: looks, writes, perhaps frees. */
static void *use_handles(void *arg)
{
	uint64_t seed = (uintptr_t)arg, failures = 0;

	while (!__atomic_load_n(&many.stop, __ATOMIC_RELAXED)) {
		uint32_t n = (uint32_t)lab_random(&seed, MANY), order = n % 4;
		uint64_t *words;

		pthread_mutex_lock(&many.mutex[n / 64]);
		if (!many.handles[n]) {
			if (pagus_handle_get(many.x, GFP_TRY, order, NULL, &many.handles[n]) == PAGUS_OK)
				many.keys[n] = 0;
		}
		words = many.handles[n] ? pagus_handle_open(many.x, many.handles[n]) : NULL;
		if (words) {
			failures += many.keys[n] && !words_stand(words, order, many.keys[n]);
			many.keys[n] = n + MANY * (1 + lab_random(&seed, 1000));
			write_words(words, order, many.keys[n]);
			pagus_handle_close(many.x, many.handles[n]);
			if (lab_random(&seed, 3) == 0) {
				failures += pagus_handle_free(many.x, many.handles[n]) != PAGUS_OK;
				many.handles[n] = PAGUS_NO_HANDLE;
			}
		} else {
			failures += many.handles[n] != PAGUS_NO_HANDLE;
		}
		pthread_mutex_unlock(&many.mutex[n / 64]);
	}
	return (void *)(uintptr_t)failures;
}

static void *move_blocks(void *arg)
{
	uint64_t seed = (uintptr_t)arg, moved = 0;

	while (!__atomic_load_n(&many.stop, __ATOMIC_RELAXED)) {
		pagus_pfn_t pfn = lab_random(&seed, 32 * MIB / PAGE_BYTES);

		moved += move_with(many.x, pfn, (uint32_t)lab_random(&seed, 4), NULL);
	}
	__atomic_fetch_add(&many.moved, moved, __ATOMIC_RELAXED);
	return NULL;
}

static void run_many(const char *policy, uint64_t seed)
{
	pthread_t threads[5];
	void *failures;

	memset(&many, 0, sizeof(many));
	for (uint32_t n = 0; n < MANY / 64; n++)
		pthread_mutex_init(&many.mutex[n], NULL);
	many.x = open_handles(policy, MANY);
	for (uint32_t n = 0; n < NR_OF(threads); n++)
		assert_int_equal(pthread_create(&threads[n], NULL, n < 3 ? use_handles : move_blocks,
						(void *)(uintptr_t)(seed + n)), 0);
	usleep(700000);
	__atomic_store_n(&many.stop, 1, __ATOMIC_RELAXED);
	for (uint32_t n = 0; n < NR_OF(threads); n++) {
		pthread_join(threads[n], &failures);
		assert_null(failures);
	}
	assert_true(many.moved > 0);
	expect_sound(many.x);
	for (uint32_t n = 0; n < MANY; n++) {
		if (!many.handles[n])
			continue;
		expect(many.x, many.handles[n], n % 4, many.keys[n]);
		assert_int_equal(pagus_handle_free(many.x, many.handles[n]), PAGUS_OK);
	}
	close_empty(many.x, 32 * MIB);
}

static void contents_stay_while_blocks_move(void **state)
{
#ifdef __SANITIZE_THREAD__
	static const char *const policies[] = { "pcpbuddy-bitmap" };
#else
	static const char *const policies[] = { "pcpbuddy-bitmap", "pcpbuddy", "linux" };
#endif
	uint64_t seed = unit_seed();

	(void)state;
	for (uint32_t n = 0; n < NR_OF(policies); n++)
		run_many(policies[n], seed);
}

/* ---- who comes in the middle of a move ------------------------------------------------------- */

static uint32_t in_relocate, go_on; /* A */

static bool relocate_slowly(void *ctx, void *user, void *to, const void *from, uint64_t bytes)
{
	(void)ctx;
	(void)user;
	memcpy(to, from, bytes);
	__atomic_store_n(&in_relocate, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE))
		usleep(100);
	return true;
}

static void *move_the_one(void *arg)
{
	struct pagus_handle_info info;

	(void)arg;
	if (pagus_handle_info(the_x, the_handle, &info) != PAGUS_OK)
		return (void *)1;
	return (void *)(uintptr_t)!move_with(the_x, info.pfn, info.order, NULL);
}

static void *open_the_one(void *arg)
{
	(void)arg;
	the_words = pagus_handle_open(the_x, the_handle);
	return NULL;
}

static struct pagus_posix *begin_slow_move(enum pagus_posix_backing backing, pthread_t *mover)
{
	the_x = open_with(&(struct pagus_posix_config){
		.bytes = 32 * MIB, .nr_handles = 4, .relocate = relocate_slowly, .backing = backing,
	});
	the_handle = get_handle(the_x, 3);
	fill(the_x, the_handle, 3, 9);
	in_relocate = go_on = 0;
	the_words = NULL;
	assert_int_equal(pthread_create(mover, NULL, move_the_one, NULL), 0);
	while (!__atomic_load_n(&in_relocate, __ATOMIC_ACQUIRE))
		usleep(100);
	return the_x;
}

static void end_slow_move(struct pagus_posix *x, pthread_t mover)
{
	void *failed;

	__atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
	pthread_join(mover, &failed);
	assert_null(failed);
	expect(x, the_handle, 3, 9);
}

static void an_open_waits_for_the_copy(void **state)
{
	pthread_t mover, opener;
	struct pagus_handle_info info;
	struct pagus_posix *x = begin_slow_move(PAGUS_POSIX_ANONYMOUS, &mover);

	(void)state;
	assert_int_equal(pthread_create(&opener, NULL, open_the_one, NULL), 0);
	usleep(20000);
	/* The instance can be frozen meanwhile. */
	expect_sound(x);
	end_slow_move(x, mover);
	pthread_join(opener, NULL);
	pagus_handle_info(x, the_handle, &info);
	assert_int_equal(info.nr_open, 1);
	assert_ptr_equal(the_words, pagus_posix_pointer(x, info.pfn));
	assert_int_equal(pagus_handle_close(x, the_handle), PAGUS_OK);
	assert_int_equal(pagus_handle_free(x, the_handle), PAGUS_OK);
	close_empty(x, 32 * MIB);
}

/* In the child the block is where it was, and may move, or be freed. */
static int use_in_child(struct pagus_posix *x)
{
	struct pagus_handle_info info;
	const uint64_t *words = pagus_handle_open(x, the_handle);

	if (!words || !words_stand(words, 3, 9) || pagus_handle_close(x, the_handle) != PAGUS_OK)
		return 2;
	go_on = 1;
	if (pagus_handle_info(x, the_handle, &info) != PAGUS_OK || info.claimed ||
	    !move_with(x, info.pfn, 3, NULL))
		return 3;
	words = pagus_handle_open(x, the_handle);
	if (!words || !words_stand(words, 3, 9) || pagus_handle_close(x, the_handle) != PAGUS_OK)
		return 4;
	/* Of the parent's move one block is in use. */
	if (pagus_handle_free(x, the_handle) != PAGUS_OK ||
	    free_pages(x) != 32 * MIB / PAGE_BYTES - 8)
		return 5;
	return 0;
}

/* The child's memory is its parent's. */
static int do_without_in_child(struct pagus_posix *x)
{
	struct pagus_handle_info info;
	pagus_handle_t handle;

	return pagus_handle_open(x, the_handle) ||
	       pagus_handle_get(x, GFP_TRY, 0, NULL, &handle) != PAGUS_BUSY ||
	       pagus_handle_free(x, the_handle) != PAGUS_BUSY ||
	       pagus_handle_close(x, the_handle) != PAGUS_BUSY ||
	       pagus_handle_info(x, the_handle, &info) != PAGUS_BUSY;
}

static void a_child_forked_during_a_move(void **state)
{
	static const enum pagus_posix_backing backings[] = { PAGUS_POSIX_ANONYMOUS,
							     PAGUS_POSIX_MEMFD };

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip();
#endif
	for (uint32_t n = 0; n < NR_OF(backings); n++) {
		pthread_t mover;
		struct pagus_posix *x = begin_slow_move(backings[n], &mover);
		int status = -1;
		pid_t child = fork();

		if (child == 0)
			_exit(n ? do_without_in_child(x) : use_in_child(x));
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		end_slow_move(x, mover);
		assert_int_equal(pagus_handle_free(x, the_handle), PAGUS_OK);
		close_empty(x, 32 * MIB);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handles_say_what_they_are),
		cmocka_unit_test(what_cannot_be_got_is_refused),
		cmocka_unit_test(a_block_of_every_order_is_zeroed_on_request),
		cmocka_unit_test(blocks_move_and_handles_stay),
		cmocka_unit_test(an_open_block_stays),
		cmocka_unit_test(a_block_freed_while_it_is_claimed_becomes_free),
		cmocka_unit_test(only_what_is_behind_a_handle_moves),
		cmocka_unit_test(the_program_points_its_addresses_elsewhere),
		cmocka_unit_test(a_program_may_own_movable_blocks_itself),
		cmocka_unit_test(contents_stay_while_blocks_move),
		cmocka_unit_test(an_open_waits_for_the_copy),
		cmocka_unit_test(a_child_forked_during_a_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
