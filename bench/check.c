/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdio.h>
#include <sys/mman.h>

#include "workload.h"

struct check check_result;

uint64_t check_resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long long pages = 0;

	if (!file || fscanf(file, "%*u %llu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * BENCH_PAGE_BYTES;
}

static void take_all(struct worker *w)
{
	for (w->nr_blocks = 0; w->nr_blocks < w->quota; w->nr_blocks++) {
		void *block = worker_get(w, w->crew->order);

		if (!block)
			return;
		if ((uintptr_t)block % (BENCH_PAGE_BYTES << w->crew->order))
			w->failure = "a block is not aligned to its size";
		w->blocks[w->nr_blocks] = block;
		w->orders[w->nr_blocks] = (uint8_t)w->crew->order;
	}
}

static uint64_t count_resident(char *start, uint64_t nr_pages)
{
	unsigned char resident[1u << BENCH_MAX_ORDER];
	uint64_t pages = 0;

	for (uint64_t done = 0; done < nr_pages; done += sizeof(resident)) {
		uint64_t part = nr_pages - done < sizeof(resident) ? nr_pages - done
								   : sizeof(resident);

		if (mincore(start + done * BENCH_PAGE_BYTES, part * BENCH_PAGE_BYTES, resident) != 0)
			continue;
		for (uint64_t page = 0; page < part; page++)
			pages += resident[page] & 1;
	}
	return pages;
}

static uint64_t count_resident_blocks(const struct worker *w)
{
	uint64_t pages = 0;

	for (uint64_t n = 0; n < w->nr_blocks; n++)
		pages += count_resident(w->blocks[n], UINT64_C(1) << w->crew->order);
	return pages;
}

/* The first word of a page, which no other page's is. */
static uint64_t *tag_place(const struct worker *w, uint64_t block, uint32_t page)
{
	return (uint64_t *)((char *)w->blocks[block] + page * BENCH_PAGE_BYTES);
}

static uint64_t tag_value(const struct worker *w, uint64_t block, uint32_t page)
{
	return (uint64_t)(w->number + 1) << 48 | block << 16 | page;
}

static void write_tags(struct worker *w)
{
	for (uint64_t n = 0; n < w->nr_blocks; n++)
		for (uint32_t page = 0; page < 1u << w->crew->order; page++)
			*tag_place(w, n, page) = tag_value(w, n, page);
}

static void read_tags(struct worker *w)
{
	for (uint64_t n = 0; n < w->nr_blocks; n++)
		for (uint32_t page = 0; page < 1u << w->crew->order; page++)
			if (*tag_place(w, n, page) != tag_value(w, n, page))
				w->failure = "two blocks share a page";
}

static void note_result(const struct crew *crew)
{
	uint64_t resident = check_resident_bytes();

	check_result = (struct check){ 0 };
	if (crew->base)
		check_result.touched_pages = count_resident(crew->base, crew->pages);
	for (uint32_t n = 0; n < crew->nr_workers; n++) {
		check_result.blocks += crew->workers[n].nr_blocks;
		if (!crew->base)
			check_result.touched_pages += count_resident_blocks(&crew->workers[n]);
	}
	resident -= check_result.touched_pages * BENCH_PAGE_BYTES;
	check_result.resident_bytes = resident;
}

void check_body(struct worker *w)
{
	take_all(w);
	crew_meet(w);
	worker_put_all(w);
	crew_meet(w);
	take_all(w);
	if (w->nr_blocks == 0)
		w->failure = "no block to be had";
	crew_meet(w);
	if (w->number == 0)
		note_result(w->crew);
	crew_meet(w);
	write_tags(w);
	crew_meet(w);
	read_tags(w);
	worker_put_all(w);
}
