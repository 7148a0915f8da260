/* SPDX-License-Identifier: MIT */
/* The files of /proc and debugfs that show the zones. */
#include "mem/geometry.h"
#include "watch/vmstat.h"
#include "zone/seed.h"
#include "zone/zone.h"

#define COUNTED_BLOCKS 100000 /* the kernel counts no further along a list of pagetypeinfo */

/* ---- one line a zone: buddyinfo and the indices ---------------------------------------------- */

static void put_zone(struct pagus_text *t, const struct pg_zone *z)
{
	pg_put_pair(t, "Node ", z->node, ", zone ");
	pg_put_right(t, pg_text_zone_name(z->type), 8);
	pg_put(t, " ");
}

void pagus_text_buddyinfo(const struct pagus *p, struct pagus_text *t)
{
	for (uint32_t id = 0; id < p->state->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(p->state, id);

		if (!pg_zone_populated(z))
			continue;
		put_zone(t, z);
		for (uint32_t o = 0; o <= p->state->max_order; o++) {
			pg_put_number(t, z->nr_free[o], 6);
			pg_put(t, " ");
		}
		pg_put(t, "\n");
	}
}

/* As the kernel divides thousandths: each part towards zero, with its own sign; -15 is 0.-15. */
static void put_thousandths(struct pagus_text *t, int32_t index, uint32_t width)
{
	int32_t whole = index / 1000, part = index % 1000;

	if (whole < 0)
		pg_put(t, "-");
	pg_put_number(t, (uint64_t)(whole < 0 ? -whole : whole), whole < 0 ? 0 : width);
	pg_put(t, part < 0 ? ".-" : ".");
	part = part < 0 ? -part : part;
	if (part < 100 && index % 1000 >= 0)
		pg_put(t, "0");
	if (part < 10)
		pg_put(t, "0");
	pg_put_number(t, (uint64_t)part, 0);
	pg_put(t, " ");
}

typedef int32_t zone_index(const struct pagus *p, uint32_t zone, uint32_t order);

static int32_t unusable_index(const struct pagus *p, uint32_t zone, uint32_t order)
{
	return (int32_t)pagus_unusable_index(p, zone, order);
}

static void put_indices(const struct pagus *p, struct pagus_text *t, zone_index *index,
			uint32_t width)
{
	for (uint32_t id = 0; id < p->state->nr_zones; id++) {
		if (!pg_zone_populated(pg_zone(p->state, id)))
			continue;
		put_zone(t, pg_zone(p->state, id));
		for (uint32_t o = 0; o <= p->state->max_order; o++)
			put_thousandths(t, index(p, id, o), width);
		pg_put(t, "\n");
	}
}

void pagus_text_extfrag_index(const struct pagus *p, struct pagus_text *t)
{
	put_indices(p, t, pagus_extfrag_index, 2);
}

void pagus_text_unusable_index(const struct pagus *p, struct pagus_text *t)
{
	put_indices(p, t, unusable_index, 0);
}

/* ---- pagetypeinfo ---------------------------------------------------------------------------- */

static void put_free_of_type(const struct pagus *p, struct pagus_text *t, const struct pg_zone *z,
			     uint32_t type)
{
	pg_put(t, "Node ");
	pg_put_number(t, z->node, 4);
	pg_put(t, ", zone ");
	pg_put_right(t, pg_text_zone_name(z->type), 8);
	pg_put(t, ", type ");
	pg_put_right(t, pagus_migratetype_name((enum pagus_migratetype)type), 12);
	pg_put(t, " ");
	for (uint32_t o = 0; o <= p->state->max_order; o++) {
		uint64_t nr = pagus_free_blocks(p, z->id, o, (enum pagus_migratetype)type);

		pg_put(t, nr >= COUNTED_BLOCKS ? ">" : "");
		pg_put_number(t, nr < COUNTED_BLOCKS ? nr : COUNTED_BLOCKS, 6);
		pg_put(t, " ");
	}
	pg_put(t, "\n");
}

/* The same, and how many of the isolated ones go back to being CMA. */
static void count_blocks(const struct pagus_state *st, const struct pg_zone *z, uint64_t *nr_blocks,
			 uint64_t *nr_isolated_cma)
{
	*nr_isolated_cma = 0;
	for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
		nr_blocks[type] = 0;
	for (pagus_pfn_t pfn = z->start_pfn; pfn < z->end_pfn;
	     pfn += UINT64_C(1) << st->pageblock_order) {
		uint32_t i = pg_index(st, pfn), type;

		if (i == PG_NONE || pg_page_zone(st, i) != z->id)
			continue;
		type = pg_block_type(st, i);
		nr_blocks[type]++;
		*nr_isolated_cma += type == PAGUS_ISOLATE && pg_block_under(st, i) == PAGUS_CMA;
	}
}

void pg_text_count_blocks(const struct pagus_state *st, const struct pg_zone *z,
			  uint64_t *nr_blocks)
{
	uint64_t nr_isolated_cma;

	count_blocks(st, z, nr_blocks, &nr_isolated_cma);
}

uint64_t pg_text_cma_pages(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t nr_blocks[PAGUS_NR_MIGRATETYPES], nr_isolated_cma;

	count_blocks(st, z, nr_blocks, &nr_isolated_cma);
	return (nr_blocks[PAGUS_CMA] + nr_isolated_cma) << st->pageblock_order;
}

static void put_block_types(const struct pagus_state *st, struct pagus_text *t,
			    const struct pg_zone *z)
{
	uint64_t nr_blocks[PAGUS_NR_MIGRATETYPES];

	pg_text_count_blocks(st, z, nr_blocks);
	put_zone(t, z);
	for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
		if (!pg_text_lists_type(st, type))
			continue;
		pg_put_number(t, nr_blocks[type], 12);
		pg_put(t, " ");
	}
	pg_put(t, "\n");
}

static void put_type_header(const struct pagus_state *st, struct pagus_text *t)
{
	pg_put_pair(t, "Page block order: ", st->pageblock_order, "\n");
	pg_put_pair(t, "Pages per block:  ", UINT64_C(1) << st->pageblock_order, "\n\n");
	pg_put_left(t, "Free pages count per migrate type at order", 43);
	pg_put(t, " ");
	for (uint32_t o = 0; o <= st->max_order; o++) {
		pg_put_number(t, o, 6);
		pg_put(t, " ");
	}
	pg_put(t, "\n");
}

static void put_type_names(const struct pagus_state *st, struct pagus_text *t)
{
	pg_put_left(t, "\nNumber of blocks type", 24);
	for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++) {
		if (!pg_text_lists_type(st, type))
			continue;
		pg_put_right(t, pagus_migratetype_name((enum pagus_migratetype)type), 12);
		pg_put(t, " ");
	}
	pg_put(t, "\n");
}

static bool lists_zone(const struct pagus_state *st, uint32_t id, uint32_t node)
{
	return pg_zone(st, id)->node == node && pg_zone_populated(pg_zone(st, id));
}

static void put_node_types(const struct pagus *p, struct pagus_text *t, uint32_t node)
{
	const struct pagus_state *st = p->state;

	put_type_header(st, t);
	for (uint32_t id = 0; id < st->nr_zones; id++)
		for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
			if (lists_zone(st, id, node) && pg_text_lists_type(st, type))
				put_free_of_type(p, t, pg_zone(st, id), type);
	put_type_names(st, t);
	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (lists_zone(st, id, node))
			put_block_types(st, t, pg_zone(st, id));
}

void pagus_text_pagetypeinfo(const struct pagus *p, struct pagus_text *t)
{
	for (uint32_t node = 0; node < p->state->nr_nodes; node++)
		if (p->state->node_online[node])
			put_node_types(p, t, node);
}
