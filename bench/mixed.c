/* SPDX-License-Identifier: MIT */
/*
 * Blocks of all orders are taken until 90 % of the memory is in use, then exchanged by chance at
 * that occupancy; what is held at the end tells which ranges are free.
 */
#include "mixed.h"

#include <stdlib.h>

#include "clock.h"
#include "workload.h"

#define OCCUPANCY_PERCENT 90u
#define EXCHANGES_SHARE   5u    /* a fifth as many as there are pages */
#define CHUNK             256u  /* exchanges between two looks at the clock */
#define REFUSALS          64u /* in a row, of orders drawn by chance: the memory is full */

/* Of 256 requests, those up to this order: most are of one page, as in recorded traffic. */
static const uint32_t up_to[BENCH_MAX_ORDER + 1] = { 160, 192, 212, 232, 240,
						246, 250, 253, 255, 256 };

struct mixed_range mixed_ranges[MIXED_NR_RANGES] = { { "2mib", 21, 0 }, { "1gib", 30, 0 } };

static uint32_t draw_order(struct worker *w)
{
	uint64_t draw = worker_random(w, 256);
	uint32_t order = 0;

	while (draw >= up_to[order])
		order++;
	return order;
}

/* Take blocks until `goal` pages are held; returns how many were asked for. */
static uint64_t take_pages(struct worker *w, uint64_t *held, uint64_t goal)
{
	uint64_t gets = 0;
	uint32_t refused = 0;

	while (*held < goal && refused < REFUSALS) {
		uint32_t order = draw_order(w);
		bool fits = *held + (1u << order) <= goal;
		void *block = fits ? worker_get(w, order) : NULL;

		gets += fits;
		if (!block) {
			refused++;
			continue;
		}
		refused = 0;
		w->blocks[w->nr_blocks] = block;
		w->orders[w->nr_blocks++] = (uint8_t)order;
		*held += UINT64_C(1) << order;
	}
	return gets;
}

static void put_one(struct worker *w, uint64_t *held)
{
	uint64_t n = worker_random(w, w->nr_blocks);

	worker_put(w, w->blocks[n], w->orders[n]);
	*held -= UINT64_C(1) << w->orders[n];
	w->nr_blocks--;
	w->blocks[n] = w->blocks[w->nr_blocks];
	w->orders[n] = w->orders[w->nr_blocks];
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* No block is larger than a range, and both are aligned: a block lies in one. */
static uint64_t count_ranges(const struct crew *crew, uint32_t shift)
{
	uint64_t nr = 0, used = 0, *ranges;

	for (uint32_t n = 0; n < crew->nr_workers; n++)
		nr += crew->workers[n].nr_blocks;
	ranges = malloc((nr + 1) * sizeof(*ranges));
	if (!ranges)
		return UINT64_MAX;
	nr = 0;
	for (uint32_t n = 0; n < crew->nr_workers; n++)
		for (uint64_t b = 0; b < crew->workers[n].nr_blocks; b++)
			ranges[nr++] = ((uintptr_t)crew->workers[n].blocks[b] -
					(uintptr_t)crew->base) >> shift;
	qsort(ranges, nr, sizeof(*ranges), compare_numbers);
	for (uint64_t n = 0; n < nr; n++)
		used += n == 0 || ranges[n] != ranges[n - 1];
	free(ranges);
	return used;
}

void mixed_body(struct worker *w)
{
	uint64_t goal = w->crew->pages * OCCUPANCY_PERCENT / 100 / w->crew->nr_workers;
	uint64_t exchanges = w->crew->pages / EXCHANGES_SHARE / w->crew->nr_workers;
	uint64_t held = 0, last, calls = 0;

	take_pages(w, &held, goal);
	if (held < goal - goal / 16)
		w->failure = "no room for the occupancy";
	crew_meet(w);
	last = clock_ns();
	for (uint64_t n = 0; n < exchanges && !w->failure; n++) {
		put_one(w, &held);
		calls += 1 + take_pages(w, &held, goal);
		if (n % CHUNK == CHUNK - 1) {
			last = worker_note(w, 0, last, calls / 2);
			calls %= 2;
		}
	}
	crew_meet(w);
	for (uint32_t n = 0; n < MIXED_NR_RANGES && w->number == 0; n++)
		mixed_ranges[n].used = count_ranges(w->crew, mixed_ranges[n].shift);
	crew_meet(w);
	worker_put_all(w);
}
