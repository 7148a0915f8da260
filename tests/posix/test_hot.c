/* SPDX-License-Identifier: MIT */
/*
 * Single pages that are handed out and taken back by restartable sequences: contents under
 * migration, ticks and drains; refusals; freezing, fork() and the end of the instance.
 */
#include "posix/posix.h"

#include <sched.h>
#include <sys/wait.h>

#define NR_SLOTS 512
#define BYTES    (64 * MIB)

static uint32_t nr_cpus;
static cpu_set_t allowed;

static void stay_on(uint32_t n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && n-- == 0)
			CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static uint64_t calls_of(struct pagus_posix *x)
{
	const struct pagus *p = pagus_posix_instance(x);

	return pagus_counter_read(p, PAGUS_COUNTER_alloc_ok) +
	       pagus_counter_read(p, PAGUS_COUNTER_free_ok) +
	       pagus_counter_read(p, PAGUS_COUNTER_pcp_free);
}

/* So many pairs of one block; how many of these were calls. */
static uint64_t pairs_of(struct pagus_posix *x, uint32_t gfp, uint32_t order, uint32_t nr)
{
	uint64_t before = calls_of(x);

	for (uint32_t n = 0; n < nr; n++) {
		void *block = pagus_posix_get(x, gfp, order);

		if (!block || pagus_posix_put(x, block, order) != PAGUS_OK)
			return UINT64_MAX;
	}
	return calls_of(x) - before;
}

static uint64_t pairs(struct pagus_posix *x, uint32_t gfp, uint32_t nr)
{
	return pairs_of(x, gfp, 0, nr);
}

/* Does this system hand pages out without a call? */
static bool is_hot(void)
{
	struct pagus_posix *x;
	uint64_t nr_calls;

	if (pagus_posix_create(&(struct pagus_posix_config){ .bytes = BYTES }, &x) != PAGUS_OK)
		return false;
	nr_calls = pairs(x, GFP_TRY, 10000);
	pagus_posix_destroy(x);
	return nr_calls < 1000;
}

/* ---- pages on their way from thread to thread ------------------------------------------------ */

static void *slots[NR_SLOTS];
static uint32_t stop;

/* What a thread does besides, every so many pages. */
struct hot_load {
	struct pagus_posix *x;
	uint64_t seed;
	uint32_t nr_rounds; /* 0: until `stop` */
	bool migrates, blocks;
	uint32_t failures;
	uint64_t granted;
	pthread_t thread;
};

static void free_page(struct hot_load *load, void *page)
{
	load->failures += !pattern_stands(page, 0, 7);
	load->failures += pagus_posix_put(load->x, page, 0) != PAGUS_OK;
}

/* A run of pages: some change hands, the others go back at once, in another order. */
static void use_pages(struct hot_load *load)
{
	void *pages[16];
	uint32_t nr = 1 + (uint32_t)lab_random(&load->seed, NR_OF(pages)), held = 0;
	uint32_t gfp = unit_gfp((uint32_t)lab_random(&load->seed, 3)) & ~__GFP_DIRECT_RECLAIM;

	for (uint32_t n = 0; n < nr; n++) {
		pages[held] = pagus_posix_get(load->x, gfp, 0);
		if (pages[held])
			pattern_write(pages[held++], 0, 7);
	}
	load->granted += held;
	while (held > 0) {
		uint32_t n = (uint32_t)lab_random(&load->seed, held);
		void *page = pages[n];

		pages[n] = pages[--held];
		if (lab_random(&load->seed, 4) == 0)
			page = __atomic_exchange_n(&slots[lab_random(&load->seed, NR_SLOTS)], page,
						   __ATOMIC_ACQ_REL);
		if (page)
			free_page(load, page);
	}
}

static void use_block(struct hot_load *load)
{
	uint32_t order = 1 + (uint32_t)lab_random(&load->seed, 5);
	void *block = pagus_posix_get(load->x, GFP_TRY | __GFP_MOVABLE, order);

	if (!block)
		return;
	pattern_write(block, order, 9);
	load->failures += !pattern_stands(block, order, 9);
	load->failures += pagus_posix_put(load->x, block, order) != PAGUS_OK;
}

static void *hot_run(void *arg)
{
	struct hot_load *load = arg;
	uint32_t n = 0;

	/* Once at least, however late the thread is. */
	do {
		use_pages(load);
		if (load->migrates && n % 4 == 0)
			stay_on((uint32_t)lab_random(&load->seed, nr_cpus));
		if (load->blocks && n % 16 == 0)
			use_block(load);
		n++;
	} while (load->nr_rounds ? n < load->nr_rounds : !__atomic_load_n(&stop, __ATOMIC_RELAXED));
	return NULL;
}

static void hot_start(struct hot_load *loads, const struct hot_load *like)
{
	__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		loads[n] = *like;
		loads[n].seed = like->seed + n;
		assert_int_equal(pthread_create(&loads[n].thread, NULL, hot_run, &loads[n]), 0);
	}
}

static void hot_join(struct hot_load *loads)
{
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		pthread_join(loads[n].thread, NULL);
		assert_int_equal(loads[n].failures, 0);
		assert_true(loads[n].granted > 0);
	}
}

static void free_slots(struct pagus_posix *x)
{
	for (uint32_t n = 0; n < NR_SLOTS; n++) {
		if (slots[n])
			assert_int_equal(pagus_posix_put(x, slots[n], 0), PAGUS_OK);
		slots[n] = NULL;
	}
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void pairs_make_no_call(void **state)
{
	(void)state;
	for (uint32_t order = 0; order <= 9; order++) {
		for (uint32_t type = 0; type < 3; type++) {
			struct pagus_posix *x = open_bytes(GIB);

			pairs_of(x, unit_gfp(type), order, 100);
			/* A thread that is moved begins anew on the other CPU. */
			assert_in_range(pairs_of(x, unit_gfp(type), order, 20000), 0, 200);
			close_empty(x, GIB);
		}
	}
}

/* What a cache keeps: as posix.h says of each order, and all of it comes back when it is missed. */
static void caches_are_bounded(void **state)
{
	struct pagus_posix *x = open_bytes(GIB);
	const struct pagus *p = pagus_posix_instance(x);
	struct pagus_pcp_info pcp;
	void *blocks[1024];

	(void)state;
	stay_on(0);
	assert_int_equal(pagus_pcp_info(p, 0, 0, &pcp), PAGUS_OK);
	for (uint32_t order = 0; order <= 9; order++) {
		uint32_t most = pcp.high_max / 64 >> order, nr = 1024 >> (order > 3 ? order - 3 : 0);
		struct pagus_zone_info before, after;
		struct pagus_pcp_info held;

		most = most > 254 ? 254 : most;
		if (most == 0 && pcp.high_max / 16 >> order)
			most = 1;
		for (uint32_t n = 0; n < nr; n++)
			assert_non_null(blocks[n] = pagus_posix_get(x, GFP_TRY, order));
		for (uint32_t n = 0; n < nr; n++)
			assert_int_equal(pagus_posix_put(x, blocks[n], order), PAGUS_OK);
		assert_int_equal(pagus_pcp_info(p, 0, 0, &held), PAGUS_OK);
		pagus_zone_info(p, 0, &before);
		pagus_drain_cpu(pagus_posix_instance(x), 0);
		pagus_zone_info(p, 0, &after);
		assert_in_range(after.free_pages - before.free_pages - before.deferred_pages - held.count,
				most ? 1u << order : 0, most << order);
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
	close_empty(x, GIB);
}

static void without_a_cache_each_block_is_a_call(void **state)
{
	struct pagus_posix *plain = open_with(&(struct pagus_posix_config){
		.bytes = BYTES, .no_cache = true,
	}), *cached = open_bytes(BYTES);

	(void)state;
	assert_in_range(pairs(plain, GFP_TRY, 1000), 3000, 4000);
	/* A byte for each page, and the stacks. */
	assert_in_range(pagus_posix_metadata_bytes(cached) - pagus_posix_metadata_bytes(plain),
			BYTES / 4096, GIB / 4096 + ((uint64_t)sysconf(_SC_NPROCESSORS_CONF) << 16));
	close_empty(plain, BYTES);
	close_empty(cached, BYTES);
}

/* A listener is told of every page; blocks and what is to be wiped are no single pages. */
static void note(void *ctx, const struct pagus_event *event)
{
	(void)event;
	++*(uint64_t *)ctx;
}

static void what_others_want_to_know_is_a_call(void **state)
{
	struct pagus_posix *x = open_bytes(BYTES);
	uint64_t told = 0;
	uint32_t *page;

	(void)state;
	pairs(x, GFP_TRY, 100);
	pagus_listen(pagus_posix_instance(x), note, &told, 1u << PAGUS_EVENT_ALLOC);
	pairs(x, GFP_TRY, 1000);
	pagus_listen(pagus_posix_instance(x), NULL, NULL, 0);
	assert_int_equal(told, 1000);
	for (uint32_t n = 0; n < 100; n++) {
		page = pagus_posix_get(x, GFP_TRY, 0);
		assert_non_null(page);
		*page = 1;
		assert_int_equal(pagus_posix_put(x, page, 0), PAGUS_OK);
		page = pagus_posix_get(x, GFP_TRY | __GFP_ZERO, 0);
		assert_non_null(page);
		assert_int_equal(*page, 0);
		assert_int_equal(pagus_posix_put(x, page, 0), PAGUS_OK);
	}
	close_empty(x, BYTES);
}

static void contents_stay_under_migration(void **state)
{
	struct hot_load loads[NR_THREADS];
	struct hot_load like = { .seed = unit_seed(), .nr_rounds = 10000, .migrates = true };

	(void)state;
	for (uint32_t blocks = 0; blocks < 2; blocks++) {
		like.x = open_with(&(struct pagus_posix_config){
			.bytes = BYTES, .tick_ms = blocks,
		});
		like.blocks = blocks;
		hot_start(loads, &like);
		hot_join(loads);
		free_slots(like.x);
		close_empty(like.x, BYTES);
	}
}

/* Caches are closed from other CPUs all the time, in the middle of sequences. */
static void contents_stay_under_drains(void **state)
{
	struct hot_load loads[NR_THREADS];
	struct hot_load like = { .x = open_bytes(BYTES), .seed = unit_seed(), .blocks = true };
	struct pagus *p = pagus_posix_instance(like.x);

	(void)state;
	hot_start(loads, &like);
	for (uint32_t n = 0; n < 2000; n++) {
		stay_on(n / 100 % nr_cpus);
		pagus_drain_cpu(p, n % nr_cpus);
		if (n % 64 == 0)
			expect_sound(like.x);
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
	hot_join(loads);
	free_slots(like.x);
	close_empty(like.x, BYTES);
}

static void *free_again(void *arg)
{
	void **what = arg;

	return (void *)(uintptr_t)pagus_posix_put(what[0], what[1], 0);
}

static void bad_frees_are_refused(void **state)
{
	struct pagus_posix *x = open_bytes(BYTES);
	void *pages[100], *status;
	pthread_t thread;

	(void)state;
	pairs(x, GFP_TRY, 100);
	for (uint32_t n = 0; n < NR_OF(pages); n++) {
		pages[n] = pagus_posix_get(x, GFP_TRY, 0);
		assert_non_null(pages[n]);
	}
	for (uint32_t n = 0; n < NR_OF(pages); n++) {
		void *const what[] = { x, pages[n] };
		bool even = pagus_posix_pfn(x, pages[n]) % 2 == 0;

		assert_int_equal(pagus_posix_put(x, (char *)pages[n] + 8, 0), PAGUS_BAD_ALIGN);
		assert_int_equal(pagus_posix_put(x, pages[n], 1),
				 even ? PAGUS_WRONG_ORDER : PAGUS_BAD_ALIGN);
		stay_on(n % nr_cpus);
		assert_int_equal(pagus_posix_put(x, pages[n], 0), PAGUS_OK);
		assert_int_equal(pagus_posix_put(x, pages[n], 0), PAGUS_DOUBLE_FREE);
		stay_on((n + 1) % nr_cpus);
		assert_int_equal(pagus_posix_put(x, pages[n], 0), PAGUS_DOUBLE_FREE);
		if (n % 10)
			continue;
		assert_int_equal(pthread_create(&thread, NULL, free_again,
						(void *)(uintptr_t)what), 0);
		pthread_join(thread, &status);
		assert_int_equal((uintptr_t)status, PAGUS_DOUBLE_FREE);
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
	assert_int_equal(pagus_posix_put(x, pagus_posix_pointer(x, 0), 11), PAGUS_BAD_ORDER);
	assert_int_equal(pagus_posix_put(x, &stop, 0), PAGUS_BAD_RANGE);
	close_empty(x, BYTES);
}

static void bad_frees_of_blocks_are_refused(void **state)
{
	struct pagus_posix *x = open_bytes(GIB);

	(void)state;
	for (uint32_t order = 1; order <= 9; order++) {
		char *block = pagus_posix_get(x, GFP_TRY, order);

		assert_non_null(block);
		for (uint32_t other = 0; other <= 9; other++)
			if (other != order && (uintptr_t)block % (4096u << other) == 0)
				assert_int_equal(pagus_posix_put(x, block, other), PAGUS_WRONG_ORDER);
		/* In 32 bits it would be the stack's. */
		assert_int_equal(pagus_posix_put(x, block, order + (1u << 30)), PAGUS_BAD_ORDER);
		assert_int_equal(pagus_posix_put(x, block + 4096, 0), PAGUS_NOT_ALLOCATED);
		for (uint32_t n = 0; n < 2; n++) {
			stay_on(n);
			assert_int_equal(pagus_posix_put(x, block, order),
					 n ? PAGUS_DOUBLE_FREE : PAGUS_OK);
			assert_int_equal(pagus_posix_put(x, block, order), PAGUS_DOUBLE_FREE);
			assert_int_equal(pagus_posix_put(x, block, 0), PAGUS_DOUBLE_FREE);
		}
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
	close_empty(x, GIB);
}

/* Of a page that two free at once one is refused, and it is handed out once. */
static void an_address_is_handed_out_once(void **state)
{
	struct pagus_posix *x = open_bytes(4 * MIB);
	uint8_t *out = calloc(1024, 1);
	void *page;
	uint32_t nr = 0;

	(void)state;
	assert_non_null(out);
	pairs(x, GFP_TRY, 100);
	while ((page = pagus_posix_get(x, GFP_TRY & ~__GFP_KSWAPD_RECLAIM, 0)) != NULL) {
		pagus_pfn_t pfn = pagus_posix_pfn(x, page);

		assert_true(pfn < 1024 && out[pfn]++ == 0);
		nr++;
	}
	assert_true(nr > 900);
	for (pagus_pfn_t pfn = 0; pfn < 1024; pfn++)
		if (out[pfn])
			assert_int_equal(pagus_posix_put(x, pagus_posix_pointer(x, pfn), 0),
					 PAGUS_OK);
	free(out);
	close_empty(x, 4 * MIB);
}

/* Single pages until there are no more: how many, in `pages`. */
static uint32_t take_all(struct pagus_posix *x, void **pages)
{
	uint32_t nr = 0;

	while ((pages[nr] = pagus_posix_get(x, GFP_TRY & ~__GFP_KSWAPD_RECLAIM, 0)) != NULL)
		nr++;
	return nr;
}

static void what_one_cpu_keeps_is_had_from_another(void **state)
{
	struct pagus_posix *x = open_bytes(BYTES);
	void **pages = calloc(BYTES / 4096 + 1, sizeof(*pages));
	uint32_t nr = 0, most;

	(void)state;
	assert_non_null(pages);
	for (uint32_t turn = 0; turn < 4; turn++) {
		stay_on(turn % nr_cpus);
		most = nr;
		nr = take_all(x, pages);
		assert_true(nr >= most);
		for (uint32_t n = 0; n < nr; n++)
			assert_int_equal(pagus_posix_put(x, pages[n], 0), PAGUS_OK);
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
	free(pages);
	close_empty(x, BYTES);
}

/* Nothing moves between freeze and thaw, sequences neither. */
static void freezing_stops_sequences(void **state)
{
	struct hot_load loads[NR_THREADS];
	struct hot_load like = { .x = open_bytes(BYTES), .seed = unit_seed() };
	const struct pagus *p = pagus_posix_instance(like.x);

	(void)state;
	hot_start(loads, &like);
	for (uint32_t n = 0; n < 100; n++) {
		pagus_pfn_t where;
		uint64_t before;
		int broken;

		pagus_posix_freeze();
		before = pagus_digest(p);
		broken = pagus_check(p, &where);
		for (uint32_t k = 0; k < 4; k++) {
			usleep(100);
			broken |= pagus_digest(p) != before;
		}
		pagus_posix_thaw();
		assert_int_equal(broken, 0);
		usleep(500);
	}
	hot_join(loads);
	free_slots(like.x);
	close_empty(like.x, BYTES);
}

/* In the child: 0, or what was wrong. */
static int serve_in_child(struct pagus_posix *x)
{
	struct hot_load load = { .x = x, .seed = 3, .nr_rounds = 500, .migrates = true };
	pagus_pfn_t where;
	int broken;

	hot_run(&load);
	pagus_posix_freeze();
	broken = pagus_check(pagus_posix_instance(x), &where);
	pagus_posix_thaw();
	if (broken || load.failures || load.granted == 0)
		return 2;
	if (pairs(x, GFP_TRY, 20000) > 2000)
		return 3;
	return 0;
}

static void children_go_on_with_sequences(void **state)
{
	struct hot_load loads[NR_THREADS];
	struct hot_load like = { .x = open_bytes(BYTES), .seed = unit_seed() };

	(void)state;
	hot_start(loads, &like);
	for (uint32_t n = 0; n < 20; n++) {
		pid_t pid = fork();
		int status = -1;

		if (pid == 0)
			_exit(serve_in_child(like.x));
		assert_true(pid > 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	hot_join(loads);
	free_slots(like.x);
	close_empty(like.x, BYTES);
}

/* An instance ends with blocks cached and in use, while another goes on. */
static void instances_end_with_caches(void **state)
{
	struct hot_load loads[NR_THREADS];
	struct hot_load like = { .x = open_bytes(BYTES), .seed = unit_seed() };

	(void)state;
	hot_start(loads, &like);
	for (uint32_t n = 0; n < 30; n++) {
		struct pagus_posix *x = open_bytes(16 * MIB);

		pairs(x, GFP_TRY, 1000);
		for (uint32_t k = 0; k < 50; k++)
			assert_non_null(pagus_posix_get(x, GFP_TRY, 0));
		pagus_posix_destroy(x);
	}
	hot_join(loads);
	free_slots(like.x);
	close_empty(like.x, BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_make_no_call),
		cmocka_unit_test(caches_are_bounded),
		cmocka_unit_test(without_a_cache_each_block_is_a_call),
		cmocka_unit_test(bad_frees_of_blocks_are_refused),
		cmocka_unit_test(what_others_want_to_know_is_a_call),
		cmocka_unit_test(contents_stay_under_migration),
		cmocka_unit_test(contents_stay_under_drains),
		cmocka_unit_test(bad_frees_are_refused),
		cmocka_unit_test(an_address_is_handed_out_once),
		cmocka_unit_test(what_one_cpu_keeps_is_had_from_another),
		cmocka_unit_test(freezing_stops_sequences),
		cmocka_unit_test(children_go_on_with_sequences),
		cmocka_unit_test(instances_end_with_caches),
	};

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return 1;
	nr_cpus = (uint32_t)CPU_COUNT(&allowed);
	if (!is_hot()) {
		print_message("skipped: nothing is handed out without a call here\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
