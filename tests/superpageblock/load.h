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

/* What events told of a host since load_watch. */
struct load_watch {
	const struct host *h;
	bool tainting;          /* a superpageblock has just been tainted, while */
	uint64_t left;          /* so many pages were free in the others that are */
	uint64_t single, early; /* taints by single pages; of these, those with any left */
	uint64_t relabelled;    /* pageblocks of one type that cannot move claimed in part for the other */
};

static inline void load_note(void *ctx, const struct pagus_event *e)
{
	struct load_watch *w = ctx;
	struct pagus_superpageblock_info s;
	uint32_t from = e->b & ~UNIT_CLAIMED;

	if (e->id == PAGUS_EVENT_TAINT && e->a) {
		w->tainting = true;
		assert_int_equal(pagus_superpageblock_info(&w->h->lab.p, 0,
							   (uint32_t)(e->pfn >> w->h->order), &s),
				 PAGUS_OK);
		w->left = host_sums(w->h).tainted_free - s.free_pages;
	} else if (e->id == PAGUS_EVENT_STEER && w->tainting) {
		w->tainting = false;
		w->single += e->order == 0;
		w->early += e->order == 0 && w->left > 0;
	} else if (e->id == PAGUS_EVENT_EXTFRAG && (e->b & UNIT_CLAIMED)) {
		w->relabelled += e->a < 9 && from != e->migratetype && from != PAGUS_MOVABLE &&
				 e->migratetype != PAGUS_MOVABLE;
	}
}

static inline void load_watch(struct host *h, struct load_watch *w)
{
	*w = (struct load_watch){ .h = h };
	pagus_listen(&h->lab.p, load_note, w, 1u << PAGUS_EVENT_TAINT | 1u << PAGUS_EVENT_STEER |
		     1u << PAGUS_EVENT_EXTFRAG);
}

/* Pageblocks that hold pages of both types that cannot move. */
static inline uint64_t load_mixed(const struct host *h)
{
	uint64_t blocks = h->range.nr_pages / BLOCK + 1, mixed = 0;
	uint8_t *holds = calloc(blocks, 1);

	assert_non_null(holds);
	for (uint32_t type = 0; type < 3; type++)
		for (uint64_t n = 0; type != PAGUS_MOVABLE && n < h->of[type].nr; n++)
			holds[(h->of[type].pfns[n] - h->range.start_pfn) / BLOCK] |= (uint8_t)(1u << type);
	for (uint64_t b = 0; b < blocks; b++)
		mixed += holds[b] == (1u << PAGUS_UNMOVABLE | 1u << PAGUS_RECLAIMABLE);
	free(holds);
	return mixed;
}

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
