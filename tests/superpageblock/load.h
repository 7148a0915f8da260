/* SPDX-License-Identifier: MIT */
/* Loads of the superpageblock checks, for machines of any size. */
#ifndef TEST_LOAD_H
#define TEST_LOAD_H

#include "superpageblock/host.h"

/* Blocks of these orders, single pages mostly, and what of memory each kind keeps in use. */
struct mix {
	uint32_t kernel_order; /* unmovable and reclaimable: up to it */
	bool huge;             /* half of the movable pages in blocks of 2 MiB */
	uint32_t movable_percent, kernel_percent;
};

static inline uint32_t load_kernel_type(struct host *h)
{
	return lab_random(&h->seed, 2) ? PAGUS_UNMOVABLE : PAGUS_RECLAIMABLE;
}

static inline void load_add(struct host *h, const struct mix *mix, bool kernel)
{
	uint32_t order = 0;

	if (kernel && mix->kernel_order)
		order = (uint32_t)lab_random(&h->seed, 4) ? 0 :
			(uint32_t)lab_random(&h->seed, mix->kernel_order + 1);
	else if (!kernel && mix->huge)
		order = lab_random(&h->seed, 1 + BLOCK) ? 0 : 9;
	/* Nothing is compacted for them: where there is no 2 MiB block, single pages do. */
	if (kernel || !order || !host_ask_as(h, PAGUS_MOVABLE, order, GFP_TRANSHUGE_LIGHT))
		host_take(h, kernel ? load_kernel_type(h) : PAGUS_MOVABLE, kernel ? order : 0);
}

/* Up to what the mix keeps in use, kinds by their shares. */
static inline void load_fill(struct host *h, const struct mix *mix)
{
	uint64_t pages = h->range.nr_pages;

	for (;;) {
		bool kernel = host_kernel_pages(h) < pages * mix->kernel_percent / 100;
		bool movable = h->of[PAGUS_MOVABLE].pages < pages * mix->movable_percent / 100;

		if (kernel && movable)
			kernel = lab_random(&h->seed, mix->movable_percent + mix->kernel_percent) <
				 mix->kernel_percent;
		if (!kernel && !movable)
			return;
		load_add(h, mix, kernel);
	}
}

/* So many thousandths of memory are replaced, every lifetime as likely to end as any other. */
static inline void load_turn_over(struct host *h, const struct mix *mix, uint64_t per_mille)
{
	uint64_t pages = h->range.nr_pages, goal = pages / 1000 * per_mille, done = 0, looks = 0;

	while (done < goal) {
		uint64_t each = h->of[PAGUS_MOVABLE].pages + host_kernel_pages(h);
		bool kernel = lab_random(&h->seed, each) < host_kernel_pages(h);
		uint32_t type = kernel ? load_kernel_type(h) : PAGUS_MOVABLE;
		uint64_t before = host_kernel_pages(h) + h->of[PAGUS_MOVABLE].pages;

		if (h->of[type].nr == 0)
			continue;
		host_give_random(h, type);
		done += before - host_kernel_pages(h) - h->of[PAGUS_MOVABLE].pages;
		load_fill(h, mix);
		if (++looks % 65536 == 0) {
			host_tainted(h);
			h->second(h);
		}
	}
	host_tainted(h);
}

#endif
