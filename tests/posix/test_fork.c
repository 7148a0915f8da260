/* SPDX-License-Identifier: MIT */
/* fork() under load: the child's copy is sound, serves, and has its workers. */
#include "posix/posix.h"

#include <pagus/contig.h>
#include <pagus/handle.h>
#include <pagus/hotplug.h>

#include <sys/wait.h>

#define NR_FORKS 30

static uint32_t stop_load;

static void *load_until_stopped(void *arg)
{
	struct load *load = arg;

	load->nr_rounds = 100;
	while (!__atomic_load_n(&stop_load, __ATOMIC_RELAXED))
		load_run(load);
	return NULL;
}

static uint32_t nr_reclaims;
static void *reclaimed[16384];
static uint32_t nr_reclaimed;
static struct pagus_posix *reclaimed_x;

/* What the child has put there, in kswapd's thread. */
static uint64_t reclaim(void *ctx, const struct pagus_reclaim *how)
{
	uint64_t freed = 0;
	uint32_t nr;

	(void)ctx;
	__atomic_fetch_add(&nr_reclaims, 1, __ATOMIC_RELAXED);
	while (freed < how->nr_pages &&
	       (nr = __atomic_load_n(&nr_reclaimed, __ATOMIC_ACQUIRE)) > 0) {
		freed += pagus_posix_put(reclaimed_x, reclaimed[nr - 1], 0) == PAGUS_OK;
		__atomic_store_n(&nr_reclaimed, nr - 1, __ATOMIC_RELEASE);
	}
	return freed;
}

/* Workers wait meanwhile. */
static bool is_sound(struct pagus_posix *x)
{
	pagus_pfn_t where;
	int broken;

	pagus_posix_freeze();
	broken = pagus_check(pagus_posix_instance(x), &where);
	pagus_posix_thaw();
	return broken == 0;
}

/* In the child: 0, or what was wrong. cmocka's assertions are of the parent. */
static int serve_in_child(struct pagus_posix *x, struct load *load)
{
	pthread_t thread;

	if (!is_sound(x))
		return 2;
	load->nr_rounds = 2000;
	load_run(load);
	if (load->failures || !load->granted)
		return 3;
	/* Threads of its own, and forks of its own. */
	if (pthread_create(&thread, NULL, load_run, load) != 0)
		return 4;
	pthread_join(thread, NULL);
	return load->failures || !is_sound(x) ? 5 : 0;
}

/*
 * A thread that is just beginning may hold a lock of AddressSanitizer's allocator, which a child would
 * wait for in vain: workers get the time to begin.
 */
static pid_t fork_calmly(void)
{
#ifdef __SANITIZE_ADDRESS__
	usleep(20000);
#endif
	return fork();
}

static void expect_child(pid_t pid)
{
	int status = -1;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Ends without the sanitizers' look at what the parent's threads have allocated. */
static void in_child(int status)
{
	_exit(status);
}

static void the_child_of_a_fork_under_load_allocates(void **state)
{
	const struct pagus_posix_calls calls = { .reclaim = reclaim };
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 64 * MIB, .tick_ms = 1, .calls = &calls,
	});
	struct load *loads = calloc(NR_THREADS + 1, sizeof(*loads));
	pthread_t threads[NR_THREADS];
	uint64_t seed = unit_seed();

	(void)state;
	assert_non_null(loads);
	for (uint32_t n = 0; n <= NR_THREADS; n++)
		loads[n] = (struct load){ .x = x, .seed = seed + n, .max_order = 6 };
	for (uint32_t n = 0; n < NR_THREADS; n++)
		pthread_create(&threads[n], NULL, load_until_stopped, &loads[n]);
	for (uint32_t n = 0; n < NR_THREADS; n++)
		while (!__atomic_load_n(&loads[n].granted, __ATOMIC_RELAXED))
			usleep(1000);
	for (uint32_t n = 0; n < NR_FORKS; n++) {
		pid_t pid = fork_calmly();

		if (pid == 0)
			in_child(serve_in_child(x, &loads[NR_THREADS]));
		expect_child(pid);
	}
	__atomic_store_n(&stop_load, 1, __ATOMIC_RELAXED);
	for (uint32_t n = 0; n < NR_THREADS; n++)
		load_join(&(struct load){ .granted = 1, .failures = 0, .thread = threads[n] });
	for (uint32_t n = 0; n < NR_THREADS; n++)
		assert_int_equal(loads[n].failures, 0);
	free(loads);
	close_empty(x, 64 * MIB);
}

/* Fill what is free without waiting, and wait for kswapd to empty it: 0, or what was wrong. */
static int be_short(struct pagus_posix *x, bool end)
{
	reclaimed_x = x;
	for (uint32_t nr = 0; nr < NR_OF(reclaimed); nr++) {
		void *page = pagus_posix_get(x, GFP_NOWAIT & ~__GFP_KSWAPD_RECLAIM, 0);

		if (!page)
			break;
		reclaimed[nr] = page;
		__atomic_store_n(&nr_reclaimed, nr + 1, __ATOMIC_RELEASE);
	}
	pagus_posix_get(x, GFP_NOWAIT, 0);
	for (uint32_t n = 0; n < 10000 && !__atomic_load_n(&nr_reclaims, __ATOMIC_RELAXED); n++)
		usleep(1000);
	if (!__atomic_load_n(&nr_reclaims, __ATOMIC_RELAXED))
		return 2;
	/* Joins the child's workers: of the parent's it knows nothing. */
	if (end)
		pagus_posix_destroy(x);
	return 0;
}

static void the_child_has_a_kswapd(void **state)
{
	const struct pagus_posix_calls calls = { .reclaim = reclaim };
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 16 * MIB, .tick_ms = 1, .calls = &calls,
	});
	pid_t pid = fork_calmly();

	(void)state;
	if (pid == 0)
		in_child(be_short(x, true));
	expect_child(pid);
	close_empty(x, 16 * MIB);
}

static uint32_t stay_in_reclaim;

static uint64_t stay(void *ctx, const struct pagus_reclaim *how)
{
	uint64_t freed = reclaim(ctx, how);

	while (__atomic_load_n(&stay_in_reclaim, __ATOMIC_RELAXED))
		usleep(100);
	return freed;
}

/* The state says that kswapd is at work, so nobody wakes it: the child's goes on where it was. */
static void the_childs_kswapd_takes_over_a_run(void **state)
{
	const struct pagus_posix_calls calls = { .reclaim = stay };
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){ .bytes = 16 * MIB,
									.calls = &calls });
	pid_t pid;

	(void)state;
	nr_reclaims = nr_reclaimed = 0;
	stay_in_reclaim = 1;
	assert_int_equal(be_short(x, false), 0);
	pid = fork_calmly();
	if (pid == 0) {
		stay_in_reclaim = nr_reclaims = 0;
		in_child(be_short(x, true));
	}
	expect_child(pid);
	__atomic_store_n(&stay_in_reclaim, 0, __ATOMIC_RELAXED);
	pagus_posix_destroy(x);
}

static int write_to_shared(struct pagus_posix *x, char *block)
{
	if (pagus_posix_get(x, GFP_TRY, 0) || pagus_posix_put(x, block, 0) != PAGUS_BUSY ||
	    pagus_posix_discard(x, MIB) != 0)
		return 2;
	strcpy(block, "by the child");
	pagus_posix_destroy(x);
	return 0;
}

/* The child sees the parent's blocks, and hands out none. */
static void shared_memory_stays_the_parents(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = 16 * MIB, .backing = PAGUS_POSIX_MEMFD, .tick_ms = 1,
	});
	char *block = pagus_posix_get(x, GFP_TRY, 0);
	pid_t pid;

	(void)state;
	assert_non_null(block);
	pid = fork_calmly();
	if (pid == 0)
		in_child(write_to_shared(x, block));
	expect_child(pid);
	assert_string_equal(block, "by the child");
	assert_int_equal(pagus_posix_put(x, block, 0), PAGUS_OK);
	close_empty(x, 16 * MIB);
}

/* Private memory is copied: neither sees what the other writes. */
static void private_memory_is_copied(void **state)
{
	struct pagus_posix *x = open_bytes(16 * MIB);
	char *block = pagus_posix_get(x, GFP_TRY, 0);
	pid_t pid;

	(void)state;
	strcpy(block, "by the parent");
	pid = fork_calmly();
	if (pid == 0) {
		strcpy(block, "by the child");
		in_child(pagus_posix_put(x, block, 0) == PAGUS_OK ? 0 : 2);
	}
	expect_child(pid);
	assert_string_equal(block, "by the parent");
	assert_int_equal(pagus_posix_put(x, block, 0), PAGUS_OK);
	close_empty(x, 16 * MIB);
}

/* A thread that has frozen all forks: both processes are frozen by it, and thaw. */
static void a_frozen_process_forks(void **state)
{
	struct pagus_posix *x = open_bytes(16 * MIB);
	pid_t pid;

	(void)state;
	pagus_posix_freeze();
	pid = fork_calmly();
	pagus_posix_thaw();
	if (pid == 0)
		in_child(serve_in_child(x, &(struct load){ .x = x, .max_order = 3 }));
	expect_child(pid);
	close_empty(x, 16 * MIB);
}

/* ---- in the middle of a contiguous range ----------------------------------------------------- */

/* A handle's block lies in the range that a thread of its own makes free. */
static struct {
	struct pagus_posix *x;
	pagus_pfn_t start; /* of the range, a pageblock */
	enum pagus_status status;
	uint32_t moves;    /* A: relocate has been called */
	uint32_t may_go;   /* A: and may go on */
	pthread_mutex_t lock;
	pid_t child;
} range;

#define RANGE_PAGES 512

static uint64_t nr_isolated(struct pagus_posix *x)
{
	struct pagus_zone_info zone;

	return pagus_zone_info(pagus_posix_instance(x), 0, &zone) == PAGUS_OK ? zone.nr_isolated :
										UINT64_MAX;
}

static bool move_bytes(void *to, const void *from, uint64_t bytes)
{
	memcpy(to, from, bytes);
	return true;
}

/* Stays until the main thread is about to fork, and for a while after that. */
static bool relocate_slowly(void *ctx, void *user, void *to, const void *from, uint64_t bytes)
{
	(void)ctx;
	(void)user;
	__atomic_store_n(&range.moves, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&range.may_go, __ATOMIC_ACQUIRE))
		usleep(100);
	usleep(30000);
	return move_bytes(to, from, bytes);
}

/* Waits for what the thread that forks holds. */
static bool relocate_locked(void *ctx, void *user, void *to, const void *from, uint64_t bytes)
{
	(void)ctx;
	(void)user;
	__atomic_store_n(&range.moves, 1, __ATOMIC_RELEASE);
	pthread_mutex_lock(&range.lock);
	pthread_mutex_unlock(&range.lock);
	return move_bytes(to, from, bytes);
}

/* Forks itself. */
static bool relocate_in_two(void *ctx, void *user, void *to, const void *from, uint64_t bytes)
{
	(void)ctx;
	(void)user;
	range.child = fork_calmly();
	return move_bytes(to, from, bytes);
}

static void *take_range(void *arg)
{
	struct pagus *p = pagus_posix_instance(range.x);

	(void)arg;
	/* What a CPU keeps stands in the way of a range as what is in use does. */
	pagus_drain_all(p);
	range.status = pagus_alloc_contig_range(p, range.start, RANGE_PAGES, false, GFP_KERNEL);
	return NULL;
}

static void open_in(struct pagus_posix_config config,
		    bool (*relocate)(void *, void *, void *, const void *, uint64_t),
		    pagus_handle_t *handle)
{
	void *block;

	memset(&range, 0, sizeof(range));
	pthread_mutex_init(&range.lock, NULL);
	config.nr_handles = 8;
	config.relocate = relocate;
	config.no_kcompactd = true;
	range.x = open_with(&config);
	assert_int_equal(pagus_handle_get(range.x, GFP_KERNEL, 0, NULL, handle), PAGUS_OK);
	block = pagus_handle_open(range.x, *handle);
	assert_non_null(block);
	strcpy(block, "moved");
	range.start = pagus_posix_pfn(range.x, block) / RANGE_PAGES * RANGE_PAGES;
	assert_int_equal(pagus_handle_close(range.x, *handle), PAGUS_OK);
}

static void open_range(bool (*relocate)(void *, void *, void *, const void *, uint64_t),
		       pagus_handle_t *handle)
{
	open_in((struct pagus_posix_config){ .bytes = 16 * MIB }, relocate, handle);
}

static void free_moved(pagus_handle_t handle)
{
	assert_int_equal(range.status, PAGUS_OK);
	assert_string_equal(pagus_handle_open(range.x, handle), "moved");
	assert_int_equal(pagus_handle_close(range.x, handle), PAGUS_OK);
	assert_int_equal(pagus_handle_free(range.x, handle), PAGUS_OK);
}

static void close_range_of(pagus_handle_t handle)
{
	free_moved(handle);
	assert_int_equal(pagus_free_contig_range(pagus_posix_instance(range.x), range.start,
						 RANGE_PAGES), PAGUS_OK);
	assert_int_equal(nr_isolated(range.x), 0);
	close_empty(range.x, 16 * MIB);
}

/* In the child: all but the range and the handle's page can be had, and the handle's contents are there. */
static int use_what_is_left(pagus_handle_t handle)
{
	uint64_t nr = 0;
	const char *block = pagus_handle_open(range.x, handle);

	if (nr_isolated(range.x) != 0 || !is_sound(range.x))
		return 2;
	if (!block || strcmp(block, "moved") != 0)
		return 3;
	while (pagus_posix_get(range.x, GFP_ATOMIC | __GFP_MEMALLOC, 0))
		nr++;
	return nr == 16 * MIB / PAGE_BYTES - RANGE_PAGES - 1 ? 0 : 4;
}

/* fork() while a thread moves blocks out of isolated pageblocks: its end comes first. */
static void fork_during(void *(*call)(void *), int (*use)(pagus_handle_t handle), pagus_handle_t handle)
{
	pthread_t thread;
	pid_t pid;

	assert_int_equal(pthread_create(&thread, NULL, call, NULL), 0);
	while (!__atomic_load_n(&range.moves, __ATOMIC_ACQUIRE))
		usleep(100);
	assert_true(nr_isolated(range.x) > 0);
	__atomic_store_n(&range.may_go, 1, __ATOMIC_RELEASE);
	pid = fork();
	if (pid == 0)
		in_child(use(handle));
	expect_child(pid);
	pthread_join(thread, NULL);
}

static void a_range_in_the_making_is_waited_for(void **state)
{
	pagus_handle_t handle;

	(void)state;
	open_range(relocate_slowly, &handle);
	fork_during(take_range, use_what_is_left, handle);
	close_range_of(handle);
}

/* A callback that waits for the thread that forks holds it up for a while, and not for ever. */
static void a_range_that_waits_for_who_forks_is_not(void **state)
{
	pagus_handle_t handle;
	pthread_t thread;
	pid_t pid;

	(void)state;
	open_range(relocate_locked, &handle);
	pthread_mutex_lock(&range.lock);
	assert_int_equal(pthread_create(&thread, NULL, take_range, NULL), 0);
	while (!__atomic_load_n(&range.moves, __ATOMIC_ACQUIRE))
		usleep(100);
	pid = fork();
	if (pid == 0)
		in_child(0);
	expect_child(pid);
	pthread_mutex_unlock(&range.lock);
	pthread_join(thread, NULL);
	close_range_of(handle);
}

/* In a callback of its own range a thread may fork: both processes come to its end. */
static void who_forks_does_not_wait_for_itself(void **state)
{
	pagus_handle_t handle;

	(void)state;
	open_range(relocate_in_two, &handle);
	take_range(NULL);
	if (range.child == 0)
		in_child(range.status == PAGUS_OK ? use_what_is_left(handle) : 5);
	expect_child(range.child);
	close_range_of(handle);
}

/* ---- while memory goes ----------------------------------------------------------------------- */

#define SECTION_PAGES (128 * MIB / PAGE_BYTES)

static void *go_offline(void *arg)
{
	(void)arg;
	range.status = pagus_offline(pagus_posix_instance(range.x), range.start,
				     SECTION_PAGES - range.start, NULL, NULL);
	return NULL;
}

static enum pagus_status come_online(void)
{
	return pagus_online(pagus_posix_instance(range.x), range.start,
			    SECTION_PAGES - range.start, PAGUS_ONLINE);
}

/* In the child: the memory has gone, all of it, and may come again. */
static int plug_in_child(pagus_handle_t handle)
{
	const char *block = pagus_handle_open(range.x, handle);

	if (nr_isolated(range.x) != 0 || !is_sound(range.x) || !block || strcmp(block, "moved"))
		return 2;
	return come_online() == PAGUS_OK && is_sound(range.x) ? 0 : 3;
}

/* The block goes to the second node. */
static void memory_that_goes_is_waited_for(void **state)
{
	const struct pagus_posix_config nodes = {
		.node = { { 128 * MIB, -1 }, { 16 * MIB, -1 } }, .nr_nodes = 2,
	};
	pagus_handle_t handle;

	(void)state;
	open_in(nodes, relocate_slowly, &handle);
	fork_during(go_offline, plug_in_child, handle);
	assert_int_equal(come_online(), PAGUS_OK);
	free_moved(handle);
	close_empty(range.x, 144 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_child_of_a_fork_under_load_allocates),
		cmocka_unit_test(the_child_has_a_kswapd),
		cmocka_unit_test(the_childs_kswapd_takes_over_a_run),
		cmocka_unit_test(shared_memory_stays_the_parents),
		cmocka_unit_test(private_memory_is_copied),
		cmocka_unit_test(a_frozen_process_forks),
		cmocka_unit_test(a_range_in_the_making_is_waited_for),
		cmocka_unit_test(a_range_that_waits_for_who_forks_is_not),
		cmocka_unit_test(who_forks_does_not_wait_for_itself),
		cmocka_unit_test(memory_that_goes_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
