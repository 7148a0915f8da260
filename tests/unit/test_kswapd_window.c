/* SPDX-License-Identifier: MIT */
/*
 * No wake-up of kswapd is lost. The worker's code is compiled here with a request of another CPU
 * between any two of its accesses to atomic words, one place after the other.
 */
#include "unit/world.h"

#include "base/atomic.h"

static void come_between(void);

/* No function-like macro is expanded inside itself. */
#define pg_atomic_load(word)            (come_between(), pg_atomic_load(word))
#define pg_atomic_store(word, value)    (come_between(), pg_atomic_store(word, value))
#define pg_atomic_exchange(word, value) (come_between(), pg_atomic_exchange(word, value))

/* In place of the library's. */
#include "../src/reclaim/kswapd.c"

#define PAGES 8192

static struct {
	struct world *w;
	uint32_t countdown; /* accesses until a request comes; 0: none comes */
	bool came;
} other;

/* The node falls below its low mark, and a request that waits for nothing finds it so. */
static void make_short(struct world *w)
{
	world_marks(w, 0, 100, 100);
	assert_int_equal(world_ask(w, GFP_NOWAIT, 0).status, PAGUS_OK);
}

static void come_between(void)
{
	if (other.countdown == 0 || --other.countdown > 0)
		return;
	other.came = true;
	make_short(other.w);
}

/* 150 pages are free, which is below the low mark of `make_short` and above those of now. */
static struct world *with_few_pages(void)
{
	static const struct pagus_range range = { 0, PAGES, 0, PAGUS_ZONE_BY_CEILING };
	const struct pagus_config cfg = lab_config(&range, 1, "linux");
	struct world *w = world_boot(&cfg);

	world_marks(w, 0, 0, 0);
	world_fill(w, 1150, 0);
	for (; w->cache_first < 150; w->cache_first++)
		unit_free(&w->lab, w->cache[w->cache_first], 0);
	pagus_drain_all(&w->lab.p);
	w->port.wake = world_wake;
	return w;
}

static uint32_t wakes(const struct world *w)
{
	uint32_t nr = 0;

	for (uint32_t n = 0; n < w->nr_diary; n++)
		nr += w->diary[n] == 'k';
	return nr;
}

/* kswapd is at work, and one turn of it, with nothing to do, would be its last. */
static void a_request_comes_before_access(uint32_t n)
{
	struct world *w = with_few_pages();
	bool goes_on;

	make_short(w);
	assert_int_equal(wakes(w), 1);
	world_marks(w, 0, 0, 0);
	other.w = w;
	other.came = false;
	other.countdown = n;
	goes_on = pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0);
	other.countdown = 0;
	if (other.came)
		assert_true(goes_on || wakes(w) == 2);
	else
		assert_false(goes_on);
	/* And then the pages are reclaimed. */
	for (uint32_t turn = 0; other.came && turn < 100; turn++)
		pagus_work(&w->lab.p, PAGUS_WORKER_KSWAPD, 0);
	assert_true(!other.came || unit_zone(&w->lab, 0).free_pages > 300);
	world_close(w);
}

static void no_request_is_overlooked_while_it_falls_asleep(void **state)
{
	uint32_t n = 0;

	(void)state;
	do
		a_request_comes_before_access(++n);
	while (other.came && n < 1000);
	assert_in_range(n, 5, 999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_request_is_overlooked_while_it_falls_asleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
