/* SPDX-License-Identifier: MIT */
#include "replay/content.h"

#include <stdlib.h>

static void mark_memory(struct content *c, const struct machine *m)
{
	for (uint32_t b = 0; b < c->nr_blocks; b++) {
		pagus_pfn_t pfn = c->first_pfn + ((uint64_t)b << c->pageblock_order);

		/* A zone may begin or end inside a pageblock: its first and last pages tell. */
		for (uint64_t n = 0; n < UINT64_C(1) << c->pageblock_order && !c->is_memory[b];
		     n++) {
			struct pagus_page_info info;

			if (pagus_page_info(&m->pagus, pfn + n, &info) != PAGUS_OK)
				break;
			c->is_memory[b] = info.kind != PAGUS_PAGE_HOLE;
		}
	}
}

bool content_init(struct content *c, const struct machine *m, uint32_t pageblock_order)
{
	uint64_t block_pages = UINT64_C(1) << pageblock_order;

	c->pageblock_order = pageblock_order;
	c->first_pfn = m->first_pfn & ~(block_pages - 1);
	c->nr_blocks = (uint32_t)((m->end_pfn - c->first_pfn + block_pages - 1) >> pageblock_order);
	c->nr_mixed = 0;
	c->in_use = calloc(c->nr_blocks, sizeof(*c->in_use));
	c->is_memory = calloc(c->nr_blocks, 1);
	if (!c->in_use || !c->is_memory || !superpageblocks_init(&c->superpageblocks, m)) {
		content_fini(c);
		return false;
	}
	mark_memory(c, m);
	return true;
}

void content_fini(struct content *c)
{
	free(c->in_use);
	free(c->is_memory);
	superpageblocks_fini(&c->superpageblocks);
	*c = (struct content){ 0 };
}

static bool is_mixed(const uint16_t *in_use)
{
	return in_use[PAGUS_MOVABLE] && (in_use[PAGUS_UNMOVABLE] || in_use[PAGUS_RECLAIMABLE]);
}

void content_change(struct content *c, pagus_pfn_t pfn, uint32_t order, uint32_t type, int sign)
{
	uint32_t block_order = order < c->pageblock_order ? order : c->pageblock_order;
	uint32_t first = (uint32_t)((pfn - c->first_pfn) >> c->pageblock_order);

	superpageblocks_change(&c->superpageblocks, pfn, order, type, sign);
	for (uint32_t b = first; b < first + (1u << (order - block_order)); b++) {
		uint16_t *in_use = c->in_use[b];
		bool before = is_mixed(in_use);

		in_use[type] = (uint16_t)(in_use[type] + sign * (1 << block_order));
		c->nr_mixed += (uint64_t)(is_mixed(in_use) - before);
	}
}

void content_cells(const struct content *c, char *cells)
{
	uint32_t block_pages = 1u << c->pageblock_order;

	for (uint32_t b = 0; b < c->nr_blocks; b++) {
		const uint16_t *in_use = c->in_use[b];
		uint32_t pages = (uint32_t)in_use[0] + in_use[1] + in_use[2], class;

		if (!c->is_memory[b] || pages == 0) {
			cells[b] = c->is_memory[b] ? '.' : ' ';
			continue;
		}
		if (in_use[PAGUS_MOVABLE])
			class = is_mixed(in_use) ? 3 : 2;
		else
			class = in_use[PAGUS_RECLAIMABLE] ? 1 : 0;
		cells[b] = (char)('A' + class * 4 + (pages * 4 - 1) / block_pages);
	}
}
