/* SPDX-License-Identifier: MIT */
/* CMA areas of a program: what they serve meanwhile, ranges taken and given back. */
#include "posix/handles.h"

#include <pagus/cma.h>

#include <errno.h>
#include <sys/wait.h>

#define BYTES (64 * MIB)
#define AREA  (48 * MIB / PAGE_BYTES) /* more than half: movable requests take of it first */
#define MANY  2048

/* Those under which movable requests are served from areas, each in its own way. */
static const char *const policies[] = { "pcpbuddy-bitmap", "pcpbuddy", "linux", "superpageblock" };

static const struct pagus_posix_cma whole = { .bytes = 48 * MIB };

static pagus_handle_t handles[MANY]; /* 0: none */

static struct pagus_posix *open_area(const char *policy)
{
	return open_with(&(struct pagus_posix_config){
		.bytes = BYTES, .policy = policy, .cma = &whole, .nr_cma = 1, .nr_handles = MANY,
		.no_kcompactd = true,
	});
}

static struct pagus_cma_info info_of(struct pagus_posix *x, uint32_t area)
{
	struct pagus_cma_info info;

	assert_int_equal(pagus_cma_info(pagus_posix_instance(x), area, &info), PAGUS_OK);
	return info;
}

static bool in_area(struct pagus_posix *x, uint32_t area, pagus_pfn_t pfn)
{
	struct pagus_cma_info info = info_of(x, area);

	return pfn >= info.range[0].base && pfn < info.range[0].base + info.range[0].nr_pages;
}

static enum pagus_status take(struct pagus_posix *x, uint64_t nr_pages, void **range)
{
	return pagus_posix_cma_get(x, 0, nr_pages, 0, GFP_KERNEL, range);
}

static void give(struct pagus_posix *x, void *range, uint64_t nr_pages)
{
	assert_int_equal(pagus_posix_cma_put(x, 0, range, nr_pages), PAGUS_OK);
}

/* ---- contents -------------------------------------------------------------------------------- */

static void range_write(char *range, uint64_t nr_pages, uint64_t key)
{
	for (uint64_t n = 0; n < nr_pages; n++)
		pattern_write(range + n * PAGE_BYTES, 0, key);
}

static bool range_stands(const char *range, uint64_t nr_pages, uint64_t key)
{
	for (uint64_t n = 0; n < nr_pages; n++)
		if (!pattern_stands(range + n * PAGE_BYTES, 0, key))
			return false;
	return true;
}

/* Pages behind handles; how many lie in the area. */
static uint32_t fill_handles(struct pagus_posix *x)
{
	struct pagus_handle_info info;
	uint32_t nr = 0;

	for (uint32_t n = 0; n < MANY; n++) {
		assert_int_equal(pagus_handle_get(x, GFP_KERNEL, 0, NULL, &handles[n]), PAGUS_OK);
		assert_true(handle_fill(x, handles[n]));
		assert_int_equal(pagus_handle_info(x, handles[n], &info), PAGUS_OK);
		nr += in_area(x, 0, info.pfn);
	}
	return nr;
}

static void expect_out_of_area(struct pagus_posix *x)
{
	struct pagus_handle_info info;

	for (uint32_t n = 0; n < MANY; n++) {
		assert_true(handle_stands(x, handles[n]));
		assert_int_equal(pagus_handle_info(x, handles[n], &info), PAGUS_OK);
		assert_false(in_area(x, 0, info.pfn));
	}
}

static void free_handles(struct pagus_posix *x)
{
	for (uint32_t n = 0; n < MANY; n++) {
		if (!handles[n])
			continue;
		assert_true(handle_stands(x, handles[n]));
		assert_int_equal(pagus_handle_free(x, handles[n]), PAGUS_OK);
		handles[n] = PAGUS_NO_HANDLE;
	}
}

static uint64_t moves(struct pagus_posix *x)
{
	struct pagus_handle_stats stats;

	pagus_handle_stats(x, &stats);
	return stats.nr_moves;
}

/* ---- where areas lie ------------------------------------------------------------------------- */

static void areas_are_what_was_asked_for(void **state)
{
	const struct pagus_posix_cma areas[] = {
		{ .bytes = 5 * MIB, .name = "video" },
		{ .bytes = 8 * MIB, .alignment_bytes = 4 * MIB, .order_per_bit = 3 },
	};
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = BYTES, .cma = areas, .nr_cma = NR_OF(areas),
	});
	struct pagus *p = pagus_posix_instance(x);
	struct pagus_cma_info info = info_of(x, 0);
	uint64_t total, nr_free;

	(void)state;
	assert_int_equal(pagus_nr_cma_areas(p), 2);
	assert_string_equal(info.name, "video");
	assert_true(info.active);
	assert_int_equal(info.nr_pages, 6 * MIB / PAGE_BYTES);
	assert_int_equal(info.available_pages, info.nr_pages);
	assert_int_equal(info.order_per_bit, 0);
	info = info_of(x, 1);
	assert_string_equal(info.name, "cma1");
	assert_true(info.active);
	assert_int_equal(info.nr_pages, 8 * MIB / PAGE_BYTES);
	assert_int_equal(info.range[0].base % (4 * MIB / PAGE_BYTES), 0);
	assert_int_equal(info.order_per_bit, 3);
	pagus_cma_totals(p, &total, &nr_free);
	assert_int_equal(total, 14 * MIB / PAGE_BYTES);
	assert_int_equal(nr_free, total);
	close_empty(x, BYTES);
}

/* Of any node: the first that has room. The address is aligned as the area, and the range, are. */
static void an_area_lies_on_one_node(void **state)
{
	const struct pagus_posix_cma areas[] = {
		{ .bytes = 2 * MIB, .node = 1 },
		{ .bytes = 48 * MIB, .alignment_bytes = 16 * MIB, .node = PAGUS_NO_NODE },
		{ .bytes = 4 * MIB, .node = PAGUS_NO_NODE },
	};
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.node = { { 32 * MIB, -1 }, { BYTES, -1 } }, .nr_nodes = 2, .cma = areas,
		.nr_cma = NR_OF(areas),
	});
	const pagus_pfn_t second = GIB / PAGE_BYTES;
	void *range;

	(void)state;
	assert_true(info_of(x, 0).range[0].base >= second);
	assert_int_equal(info_of(x, 1).range[0].base, second);
	assert_true(info_of(x, 2).range[0].base < second);
	assert_int_equal(pagus_posix_cma_get(x, 1, 1, 0, GFP_KERNEL, &range), PAGUS_OK);
	assert_int_equal(pagus_posix_cma_put(x, 1, range, 1), PAGUS_OK);
	assert_int_equal((uintptr_t)range % (16 * MIB), 0);
	for (uint32_t order = 0; order <= 12; order++) {
		void *first;

		assert_int_equal(pagus_posix_cma_get(x, 1, 1, 0, GFP_KERNEL, &first), PAGUS_OK);
		assert_int_equal(pagus_posix_cma_get(x, 1, 3, order, GFP_KERNEL, &range), PAGUS_OK);
		assert_true((char *)range > (char *)first);
		assert_int_equal((uintptr_t)range % (PAGE_BYTES << order), 0);
		assert_int_equal(pagus_posix_cma_put(x, 1, range, 3), PAGUS_OK);
		assert_int_equal(pagus_posix_cma_put(x, 1, first, 1), PAGUS_OK);
	}
	close_empty(x, 32 * MIB + BYTES);
}

static void only_movable_blocks_are_in_an_area(void **state)
{
	static void *blocks[BYTES / PAGE_BYTES];
	struct pagus_posix *x = open_area(NULL);
	uint64_t nr = 0;

	(void)state;
	while ((blocks[nr] = pagus_posix_get(x, nr % 2 ? GFP_ATOMIC : GFP_RECLAIM_SLAB, 0)))
		assert_false(in_area(x, 0, pagus_posix_pfn(x, blocks[nr++])));
	assert_true(nr > (BYTES / PAGE_BYTES - AREA) / 2);
	assert_int_equal(info_of(x, 0).largest_free_pages, AREA);
	while (nr > 0)
		assert_int_equal(pagus_posix_put(x, blocks[--nr], 0), PAGUS_OK);
	close_empty(x, BYTES);
}

/* ---- ranges ---------------------------------------------------------------------------------- */

/* What is in the area moves out of it, and the range is its taker's. */
static void a_range_is_made_free_by_moving(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < NR_OF(policies); n++) {
		struct pagus_posix *x = open_area(policies[n]);
		uint32_t nr_inside = fill_handles(x);
		struct pagus_cma_info info;
		void *range;

		assert_true(nr_inside > MANY / 2);
		assert_int_equal(take(x, AREA, &range), PAGUS_OK);
		assert_true(moves(x) >= nr_inside);
		range_write(range, AREA, n);
		expect_out_of_area(x);
		assert_true(range_stands(range, AREA, n));
		info = info_of(x, 0);
		assert_int_equal(info.available_pages, 0);
		assert_int_equal(info.used_pages, AREA);
		assert_int_equal(info.largest_free_pages, 0);
		expect_sound(x);
		give(x, range, AREA);
		free_handles(x);
		close_empty(x, BYTES);
	}
}

static void a_range_may_be_zeroed(void **state)
{
	struct pagus_posix *x = open_area(NULL);
	void *range;

	(void)state;
	assert_int_equal(take(x, 700, &range), PAGUS_OK);
	memset(range, 1, 700 * PAGE_BYTES);
	give(x, range, 700);
	assert_int_equal(pagus_posix_cma_get(x, 0, 700, 0, GFP_KERNEL | __GFP_ZERO, &range),
			 PAGUS_OK);
	for (uint64_t n = 0; n < 700 * PAGE_BYTES; n++)
		assert_int_equal(((char *)range)[n], 0);
	give(x, range, 700);
	close_empty(x, BYTES);
}

/* A page that is open stands in the way of whoever needs its place, and of nobody else. */
static void what_does_not_move_is_passed_by(void **state)
{
	struct pagus_posix *x = open_area(NULL);
	uint32_t n = 0;
	void *block, *range;

	(void)state;
	assert_true(fill_handles(x) > 0);
	while (!in_area(x, 0, pagus_posix_pfn(x, block = pagus_handle_open(x, handles[n]))))
		assert_int_equal(pagus_handle_close(x, handles[n++]), PAGUS_OK);
	assert_int_equal(take(x, AREA, &range), PAGUS_BUSY);
	assert_null(range);
	assert_int_equal(info_of(x, 0).alloc_pages_fail, AREA);
	assert_int_equal(info_of(x, 0).available_pages, AREA);
	assert_int_equal(take(x, 64, &range), PAGUS_OK);
	assert_true((char *)range > (char *)block || (char *)range + 64 * PAGE_BYTES <= (char *)block);
	give(x, range, 64);
	assert_int_equal(pagus_handle_close(x, handles[n]), PAGUS_OK);
	assert_int_equal(take(x, AREA, &range), PAGUS_OK);
	give(x, range, AREA);
	free_handles(x);
	close_empty(x, BYTES);
}

/* Wherever nobody else takes of it, it is there all the same. */
static void every_policy_has_areas(void **state)
{
	const char *name;

	(void)state;
	for (uint32_t n = 0; (name = pagus_policy_at(n, NULL)) != NULL; n++) {
		struct pagus_posix *x = open_area(name);
		void *range;

		assert_int_equal(take(x, AREA, &range), PAGUS_OK);
		range_write(range, AREA, n);
		assert_true(range_stands(range, AREA, n));
		give(x, range, AREA);
		close_empty(x, BYTES);
	}
}

static void what_is_wrong_is_refused(void **state)
{
	const struct pagus_posix_cma area = { .bytes = 4 * MIB, .order_per_bit = 2 };
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = BYTES, .cma = &area, .nr_cma = 1,
	});
	void *range = x;
	char *page;

	(void)state;
	assert_int_equal(pagus_posix_cma_get(x, 1, 1, 0, GFP_KERNEL, &range), PAGUS_BAD_VALUE);
	assert_null(range);
	assert_int_equal(pagus_posix_cma_get(x, 0, 0, 0, GFP_KERNEL, &range), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_posix_cma_get(x, 0, 1, 19, GFP_KERNEL, &range), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_posix_cma_get(x, 0, 1, 0, GFP_ATOMIC, &range), PAGUS_BAD_VALUE);
	assert_int_equal(take(x, 1025, &range), PAGUS_NO_MEMORY);
	assert_int_equal(take(x, 1023, &range), PAGUS_OK);
	page = range;
	assert_int_equal(take(x, 1, &range), PAGUS_NO_MEMORY);
	assert_int_equal(pagus_posix_cma_put(x, 1, page, 1023), PAGUS_BAD_VALUE);
	assert_int_equal(pagus_posix_cma_put(x, 0, &page, 1), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_posix_cma_put(x, 0, page - PAGE_BYTES, 4), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_posix_cma_put(x, 0, page, 0), PAGUS_BAD_RANGE);
	assert_int_equal(pagus_posix_cma_put(x, 0, page + 8, 4), PAGUS_BAD_ALIGN);
	assert_int_equal(pagus_posix_cma_put(x, 0, page + PAGE_BYTES, 4), PAGUS_BAD_ALIGN);
	assert_int_equal(pagus_posix_cma_put(x, 0, page, 1024), PAGUS_DOUBLE_FREE);
	assert_int_equal(info_of(x, 0).used_pages, 1024);
	/* In parts. */
	give(x, page + 512 * PAGE_BYTES, 511);
	assert_int_equal(pagus_posix_cma_put(x, 0, page, 1023), PAGUS_NOT_ALLOCATED);
	give(x, page, 512);
	assert_int_equal(info_of(x, 0).used_pages, 0);
	assert_int_equal(info_of(x, 0).available_pages, 1024);
	assert_int_equal(info_of(x, 0).alloc_pages_success, 1023);
	assert_int_equal(info_of(x, 0).alloc_pages_fail, 1026);
	assert_int_equal(info_of(x, 0).release_pages_success, 1023);
	close_empty(x, BYTES);
}

/* Pages of an area that are not taken are as free as others. */
static void an_area_is_discarded_while_it_is_free(void **state)
{
	struct pagus_posix *x = open_area(NULL);
	void *range;

	(void)state;
	assert_int_equal(take(x, AREA, &range), PAGUS_OK);
	range_write(range, AREA, 1);
	assert_int_equal(resident_pages(x, BYTES), AREA);
	assert_int_equal(pagus_posix_discard(x, UINT64_MAX), 0);
	assert_true(range_stands(range, AREA, 1));
	give(x, range, AREA);
	assert_true(pagus_posix_discard(x, UINT64_MAX) > 40 * MIB);
	assert_int_equal(info_of(x, 0).largest_free_pages, AREA);
	close_empty(x, BYTES);
}

static void an_instance_ends_with_ranges_taken(void **state)
{
	struct pagus_posix *x = open_area(NULL);
	unsigned char there[100];
	void *range;

	(void)state;
	fill_handles(x);
	assert_int_equal(take(x, NR_OF(there), &range), PAGUS_OK);
	range_write(range, NR_OF(there), 1);
	pagus_posix_destroy(x);
	memset(handles, 0, sizeof(handles));
	assert_int_equal(mincore(range, sizeof(there) * PAGE_BYTES, there), -1);
	assert_int_equal(errno, ENOMEM);
}

/* ---- a program that owns its blocks itself --------------------------------------------------- */

/* Its pages, by where they lie. */
struct owner {
	void *page[512];
	uint32_t nr_claimed, nr_moves;
};

static void **find(struct owner *o, const void *page)
{
	for (uint32_t n = 0; n < NR_OF(o->page); n++)
		if (o->page[n] == page)
			return &o->page[n];
	return NULL;
}

static bool owner_isolate(void *ctx, void *block, uint32_t order, const struct pagus_migrate *how)
{
	struct owner *o = ctx;

	assert_int_equal(how->reason, PAGUS_MIGRATE_CONTIG_RANGE);
	assert_int_equal(order, 0);
	o->nr_claimed += find(o, block) != NULL;
	return find(o, block);
}

static enum pagus_moved owner_move(void *ctx, void *from, void *to, uint32_t order,
				   const struct pagus_migrate *how)
{
	struct owner *o = ctx;

	(void)how;
	memcpy(to, from, PAGE_BYTES << order);
	*find(o, from) = to;
	o->nr_moves++;
	o->nr_claimed--;
	return PAGUS_MOVED;
}

static void owner_putback(void *ctx, void *block, uint32_t order)
{
	struct owner *o = ctx;

	(void)block;
	(void)order;
	o->nr_claimed--;
}

static void a_programs_own_blocks_are_moved_by_its_calls(void **state)
{
	const struct pagus_posix_calls calls = { .isolate = owner_isolate, .move = owner_move,
						 .putback = owner_putback };
	static struct owner o;
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = BYTES, .calls = &calls, .ctx = &o, .cma = &whole, .nr_cma = 1,
		.no_kcompactd = true,
	});
	void *range;

	(void)state;
	for (uint32_t n = 0; n < NR_OF(o.page); n++) {
		o.page[n] = pagus_posix_get(x, GFP_KERNEL | __GFP_MOVABLE, 0);
		assert_true(in_area(x, 0, pagus_posix_pfn(x, o.page[n])));
		memset(o.page[n], (int)n, PAGE_BYTES);
	}
	assert_int_equal(take(x, AREA, &range), PAGUS_OK);
	memset(range, 0xff, AREA * PAGE_BYTES);
	assert_int_equal(o.nr_moves, NR_OF(o.page));
	assert_int_equal(o.nr_claimed, 0);
	for (uint32_t n = 0; n < NR_OF(o.page); n++) {
		char want[PAGE_BYTES];

		memset(want, (int)n, PAGE_BYTES);
		assert_false(in_area(x, 0, pagus_posix_pfn(x, o.page[n])));
		assert_memory_equal(o.page[n], want, PAGE_BYTES);
		assert_int_equal(pagus_posix_put(x, o.page[n], 0), PAGUS_OK);
	}
	give(x, range, AREA);
	close_empty(x, BYTES);
}

/* ---- threads --------------------------------------------------------------------------------- */

static uint32_t stop_users; /* A */

struct user {
	struct pagus_posix *x;
	pagus_handle_t *handles; /* MANY / NR_THREADS of them, no other's */
	uint64_t seed, failures, gets;
	pthread_t thread;
};

static void *use_handles(void *arg)
{
	struct user *u = arg;

	while (!__atomic_load_n(&stop_users, __ATOMIC_ACQUIRE)) {
		pagus_handle_t *handle = &u->handles[lab_random(&u->seed, MANY / NR_THREADS)];

		if (!*handle) {
			if (pagus_handle_get(u->x, GFP_TRY, 0, NULL, handle) != PAGUS_OK)
				continue;
			u->gets++;
			u->failures += !handle_fill(u->x, *handle);
		}
		u->failures += !handle_stands(u->x, *handle);
		if (lab_random(&u->seed, 4))
			continue;
		u->failures += pagus_handle_free(u->x, *handle) != PAGUS_OK;
		*handle = PAGUS_NO_HANDLE;
	}
	return NULL;
}

#define NR_RANGES 4

/* Takes ranges, and gives them back in its own time. */
struct taker {
	struct pagus_posix *x;
	uint64_t seed, failures, taken_pages, refused_pages;
	struct { char *start; uint64_t nr_pages; } range[NR_RANGES];
	pthread_t thread;
};

static void taker_give(struct taker *t, uint32_t n)
{
	char *start = t->range[n].start;
	uint64_t nr = t->range[n].nr_pages, first = lab_random(&t->seed, nr);

	if (!start)
		return;
	t->failures += !range_stands(start, nr, n);
	t->failures += first && pagus_posix_cma_put(t->x, 0, start, first) != PAGUS_OK;
	t->failures += pagus_posix_cma_put(t->x, 0, start + first * PAGE_BYTES, nr - first) !=
		       PAGUS_OK;
	t->range[n].start = NULL;
}

static void taker_take(struct taker *t, uint32_t n)
{
	uint64_t nr = 1 + lab_random(&t->seed, lab_random(&t->seed, 4) ? 100 : 2000);
	uint32_t order = (uint32_t)lab_random(&t->seed, 10);
	enum pagus_status status;
	void *range;

	status = pagus_posix_cma_get(t->x, 0, nr, order, GFP_KERNEL, &range);
	if (status != PAGUS_OK) {
		t->refused_pages += nr;
		t->failures += status != PAGUS_BUSY && status != PAGUS_NO_MEMORY;
		return;
	}
	t->taken_pages += nr;
	t->failures += (uintptr_t)range % (PAGE_BYTES << order) != 0;
	range_write(range, nr, n);
	t->range[n].start = range;
	t->range[n].nr_pages = nr;
}

static void *take_ranges(void *arg)
{
	struct taker *t = arg;

	for (uint32_t round = 0; round < 200; round++) {
		uint32_t n = (uint32_t)lab_random(&t->seed, NR_RANGES);

		if (t->range[n].start)
			taker_give(t, n);
		else
			taker_take(t, n);
	}
	for (uint32_t n = 0; n < NR_RANGES; n++)
		taker_give(t, n);
	return NULL;
}

static void expect_figures(struct pagus_posix *x, const struct taker *takers, uint32_t nr)
{
	struct pagus_cma_info info = info_of(x, 0);
	uint64_t taken = 0, refused = 0;

	for (uint32_t n = 0; n < nr; n++) {
		assert_int_equal(takers[n].failures, 0);
		assert_true(takers[n].taken_pages > 0);
		taken += takers[n].taken_pages;
		refused += takers[n].refused_pages;
	}
	assert_int_equal(info.alloc_pages_success, taken);
	assert_int_equal(info.alloc_pages_fail, refused);
	assert_int_equal(info.release_pages_success, taken);
	assert_int_equal(info.used_pages, 0);
	assert_int_equal(info.available_pages, AREA);
	assert_int_equal(info.largest_free_pages, AREA);
}

static void run_threads(const char *policy, uint64_t seed)
{
	struct pagus_posix *x = open_area(policy);
	struct user users[NR_THREADS];
	struct taker takers[2];

	stop_users = 0;
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		users[n] = (struct user){ .x = x, .seed = seed + n,
					  .handles = &handles[n * (MANY / NR_THREADS)] };
		assert_int_equal(pthread_create(&users[n].thread, NULL, use_handles, &users[n]), 0);
	}
	for (uint32_t n = 0; n < NR_OF(takers); n++) {
		takers[n] = (struct taker){ .x = x, .seed = seed + 100 + n };
		assert_int_equal(pthread_create(&takers[n].thread, NULL, take_ranges, &takers[n]),
				 0);
	}
	for (uint32_t n = 0; n < NR_OF(takers); n++)
		pthread_join(takers[n].thread, NULL);
	__atomic_store_n(&stop_users, 1, __ATOMIC_RELEASE);
	for (uint32_t n = 0; n < NR_THREADS; n++) {
		pthread_join(users[n].thread, NULL);
		assert_int_equal(users[n].failures, 0);
		assert_true(users[n].gets > 0);
	}
	expect_figures(x, takers, NR_OF(takers));
	assert_true(moves(x) > 0);
	free_handles(x);
	close_empty(x, BYTES);
}

static void ranges_are_taken_while_threads_use_the_area(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (uint32_t n = 0; n < NR_OF(policies); n++)
		run_threads(policies[n], seed);
}

/* ---- who comes while a range is in the making ------------------------------------------------ */

static struct {
	struct pagus_posix *x;
	enum pagus_status status;
	void *range;
	uint32_t moves;  /* A: relocate has been called */
	uint32_t may_go; /* A: and may go on */
} slow;

static bool relocate_slowly(void *ctx, void *user, void *to, const void *from, uint64_t bytes)
{
	(void)ctx;
	(void)user;
	__atomic_store_n(&slow.moves, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&slow.may_go, __ATOMIC_ACQUIRE))
		usleep(100);
	usleep(30000);
	memcpy(to, from, bytes);
	return true;
}

static void *take_half(void *arg)
{
	(void)arg;
	slow.status = take(slow.x, AREA / 2, &slow.range);
	return NULL;
}

static void *let_go_soon(void *arg)
{
	(void)arg;
	usleep(20000);
	__atomic_store_n(&slow.may_go, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* One page in the first half of the area, which a thread of its own takes: until relocate. */
static pthread_t begin_slow_range(void)
{
	struct pagus_handle_info info;
	pthread_t thread;

	memset(&slow, 0, sizeof(slow));
	slow.x = open_with(&(struct pagus_posix_config){
		.bytes = BYTES, .cma = &whole, .nr_cma = 1, .nr_handles = 1,
		.relocate = relocate_slowly, .no_kcompactd = true,
	});
	assert_int_equal(pagus_handle_get(slow.x, GFP_KERNEL, 0, NULL, &handles[0]), PAGUS_OK);
	assert_true(handle_fill(slow.x, handles[0]));
	assert_int_equal(pagus_handle_info(slow.x, handles[0], &info), PAGUS_OK);
	assert_true(in_area(slow.x, 0, info.pfn + AREA / 2));
	/* What a CPU keeps stands in the way of a range as what is in use does. */
	pagus_drain_all(pagus_posix_instance(slow.x));
	assert_int_equal(pthread_create(&thread, NULL, take_half, NULL), 0);
	while (!__atomic_load_n(&slow.moves, __ATOMIC_ACQUIRE))
		usleep(100);
	return thread;
}

static void end_slow_range(pthread_t thread)
{
	pthread_join(thread, NULL);
	assert_int_equal(slow.status, PAGUS_OK);
	give(slow.x, slow.range, AREA / 2);
	free_handles(slow.x);
	close_empty(slow.x, BYTES);
}

static void another_waits_for_its_turn(void **state)
{
	pthread_t taker = begin_slow_range(), other;
	void *range;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, let_go_soon, NULL), 0);
	assert_int_equal(take(slow.x, AREA / 2, &range), PAGUS_OK);
	assert_true(__atomic_load_n(&slow.may_go, __ATOMIC_ACQUIRE));
	pthread_join(other, NULL);
	give(slow.x, range, AREA / 2);
	end_slow_range(taker);
}

/* ---- fork() ---------------------------------------------------------------------------------- */

static void expect_child(pid_t pid)
{
	int status = -1;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The parent's range is in use in the child's copy; all the rest of the area is the child's. */
static int use_in_child(struct pagus_posix *x, const struct pagus_cma_info *info)
{
	char *start = pagus_posix_pointer(x, info->range[0].base);
	struct pagus_zone_info zone;
	void *range;

	pagus_zone_info(pagus_posix_instance(x), 0, &zone);
	if (zone.nr_isolated || info->used_pages != AREA / 2 || info->available_pages != AREA / 2)
		return 2;
	if (!handle_stands(x, handles[0]))
		return 3;
	if (take(x, AREA / 2, &range) != PAGUS_OK || range != start + AREA / 2 * PAGE_BYTES)
		return 4;
	memset(range, 1, AREA / 2 * PAGE_BYTES);
	if (pagus_posix_cma_put(x, 0, start, AREA / 2) != PAGUS_OK ||
	    pagus_posix_cma_put(x, 0, range, AREA / 2) != PAGUS_OK)
		return 5;
	if (take(x, AREA, &range) != PAGUS_OK || range != start)
		return 6;
	pagus_posix_destroy(x);
	return 0;
}

/* fork() waits for a range in the making: the child has it, whole. */
static void a_child_has_ranges_as_they_were(void **state)
{
	pthread_t taker;
	pid_t pid;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip();
#endif
	taker = begin_slow_range();
	__atomic_store_n(&slow.may_go, 1, __ATOMIC_RELEASE);
	pid = fork();
	if (pid == 0) {
		struct pagus_cma_info info;

		pagus_cma_info(pagus_posix_instance(slow.x), 0, &info);
		_exit(use_in_child(slow.x, &info));
	}
	expect_child(pid);
	assert_int_equal(info_of(slow.x, 0).used_pages, AREA / 2);
	end_slow_range(taker);
}

static int do_without_in_child(struct pagus_posix *x, char *range)
{
	void *other = x;

	if (take(x, 1, &other) != PAGUS_BUSY || other)
		return 2;
	if (pagus_posix_cma_put(x, 0, range, 10) != PAGUS_BUSY)
		return 3;
	strcpy(range, "by the child");
	return 0;
}

static void shared_areas_stay_the_parents(void **state)
{
	struct pagus_posix *x = open_with(&(struct pagus_posix_config){
		.bytes = BYTES, .cma = &whole, .nr_cma = 1, .backing = PAGUS_POSIX_MEMFD,
	});
	void *range;
	pid_t pid;

	(void)state;
	assert_int_equal(take(x, 10, &range), PAGUS_OK);
	pid = fork();
	if (pid == 0)
		_exit(do_without_in_child(x, range));
	expect_child(pid);
	assert_string_equal(range, "by the child");
	give(x, range, 10);
	close_empty(x, BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(areas_are_what_was_asked_for),
		cmocka_unit_test(an_area_lies_on_one_node),
		cmocka_unit_test(only_movable_blocks_are_in_an_area),
		cmocka_unit_test(a_range_is_made_free_by_moving),
		cmocka_unit_test(a_range_may_be_zeroed),
		cmocka_unit_test(what_does_not_move_is_passed_by),
		cmocka_unit_test(every_policy_has_areas),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(an_area_is_discarded_while_it_is_free),
		cmocka_unit_test(an_instance_ends_with_ranges_taken),
		cmocka_unit_test(a_programs_own_blocks_are_moved_by_its_calls),
		cmocka_unit_test(ranges_are_taken_while_threads_use_the_area),
		cmocka_unit_test(another_waits_for_its_turn),
		cmocka_unit_test(a_child_has_ranges_as_they_were),
		cmocka_unit_test(shared_areas_stay_the_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
