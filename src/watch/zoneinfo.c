/* SPDX-License-Identifier: MIT */
/* /proc/zoneinfo. */
#include "base/bits.h"
#include "pcp/pcp.h"
#include "watch/vmstat.h"
#include "zone/seed.h"
#include "zone/zone.h"

enum field { FREE, BOOST, MIN, LOW, HIGH, PROMO, SPANNED, PRESENT, MANAGED, CMA, START_PFN,
	RESERVED_HIGHATOMIC, FREE_HIGHATOMIC, UNRECLAIMABLE, NR_ZONE_FIELDS };
enum pcp_field { COUNT, PCP_HIGH, BATCH, HIGH_MIN, HIGH_MAX, NR_PCP_FIELDS };

struct line {
	const char *label;
	uint32_t field;
	struct pg_span span;
};

static const struct line page_lines[] = {
	{ "  pages free     ", FREE, { 0 } },
	{ "        boost    ", BOOST, { 0 } },
	{ "        min      ", MIN, { 0 } },
	{ "        low      ", LOW, { 0 } },
	{ "        high     ", HIGH, { 0 } },
	{ "        promo    ", PROMO, { PG_KERNEL(6, 12), 0 } },
	{ "        spanned  ", SPANNED, { 0 } },
	{ "        present  ", PRESENT, { 0 } },
	{ "        managed  ", MANAGED, { 0 } },
	{ "        cma      ", CMA, { 0 } },
};

static const struct line pcp_lines[] = {
	{ "              count: ", COUNT, { 0, PG_KERNEL(6, 18) } },
	{ "              high:  ", PCP_HIGH, { 0, PG_KERNEL(6, 18) } },
	{ "              batch: ", BATCH, { 0, PG_KERNEL(6, 18) } },
	{ "              count:    ", COUNT, { PG_KERNEL(6, 18), 0 } },
	{ "              high:     ", PCP_HIGH, { PG_KERNEL(6, 18), 0 } },
	{ "              batch:    ", BATCH, { PG_KERNEL(6, 18), 0 } },
	{ "              high_min: ", HIGH_MIN, { PG_KERNEL(6, 18), 0 } },
	{ "              high_max: ", HIGH_MAX, { PG_KERNEL(6, 18), 0 } },
};

static const struct line tail_lines[] = {
	{ "  node_unreclaimable:  ", UNRECLAIMABLE, { 0 } },
	{ "  start_pfn:           ", START_PFN, { 0 } },
	{ "  reserved_highatomic: ", RESERVED_HIGHATOMIC, { PG_KERNEL(7, 0), 0 } },
	{ "  free_highatomic:     ", FREE_HIGHATOMIC, { PG_KERNEL(7, 0), 0 } },
};

#define NR_OF(lines) (sizeof(lines) / sizeof((lines)[0]))

static const struct pg_row_style counter_style = { "      ", 12 };

static void put_lines(const struct pagus_state *st, struct pagus_text *t, const struct line *lines,
		      size_t nr, const uint64_t *fields)
{
	uint32_t kernel = pg_text_kernel(st);

	for (size_t n = 0; n < nr; n++)
		if (pg_span_has(lines[n].span, kernel))
			pg_put_pair(t, lines[n].label, fields[lines[n].field], "\n");
}

static void read_zone(const struct pagus_state *st, const struct pg_zone *z, uint64_t *fields)
{
	fields[FREE] = pg_text_free_pages(z);
	fields[BOOST] = z->boost;
	for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
		fields[MIN + w] = pg_mark(z, w);
	fields[SPANNED] = z->end_pfn - z->start_pfn;
	fields[PRESENT] = z->present;
	fields[MANAGED] = z->managed;
	fields[CMA] = pg_text_cma_pages(st, z);
	fields[START_PFN] = z->start_pfn;
	fields[RESERVED_HIGHATOMIC] = z->reserved_highatomic;
	fields[FREE_HIGHATOMIC] = (uint64_t)z->free_highatomic;
	fields[UNRECLAIMABLE] = pg_node_hopeless(pg_node(st, z->node));
}

/*
 * Zones whose min mark is no share of that of low memory: it is 32 at least, with or without
 * memory.
 */
static const struct {
	uint32_t type;
	struct pg_span span;
} own_marks[] = {
	{ PAGUS_ZONE_HIGHMEM, { 0 } },
	{ PAGUS_ZONE_MOVABLE, { PG_KERNEL(6, 12), 0 } },
};

static void read_empty_zone(const struct pagus_state *st, uint32_t type, uint64_t *fields)
{
	for (size_t n = 0; n < NR_OF(own_marks); n++)
		if (own_marks[n].type == type && pg_span_has(own_marks[n].span, pg_text_kernel(st)))
			for (uint32_t w = 0; w < PAGUS_NR_WMARKS; w++)
				fields[MIN + w] = 32;
}

static void put_protection(const struct pagus_state *st, struct pagus_text *t,
			   const struct pg_zone *z)
{
	const char *before = "        protection: (";

	for (uint32_t type = 0; type < PG_TEXT_ZONES; type++) {
		if (!pg_text_lists_zone(st, type))
			continue;
		pg_put_pair(t, before, z ? pg_text_lowmem_reserve(z, type) : 0, "");
		before = ", ";
	}
	pg_put(t, ")\n");
}

/* As set by a recording, or by the kernel's formula. */
static uint64_t stat_threshold(const struct pagus_state *st, const struct pg_zone *z)
{
	return z->stat_threshold ? z->stat_threshold : pg_watermark_stat_threshold(st, z);
}

static void put_pagesets(const struct pagus_state *st, struct pagus_text *t,
			 const struct pg_zone *z)
{
	pg_put(t, "  pagesets\n");
	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++) {
		const struct pg_pcp *pcp = pg_pcp(st, z->id, cpu);
		const uint64_t fields[NR_PCP_FIELDS] = {
			[COUNT] = pcp->count, [PCP_HIGH] = pg_pcp_high(st, pcp),
			[BATCH] = pcp->batch, [HIGH_MIN] = pcp->high_min,
			[HIGH_MAX] = pcp->high_max,
		};

		pg_put_pair(t, "    cpu: ", cpu, "\n");
		put_lines(st, t, pcp_lines, NR_OF(pcp_lines), fields);
		pg_put_pair(t, "  vm stats threshold: ", stat_threshold(st, z), "\n");
	}
}

static void put_zone(const struct pagus *p, struct pagus_text *t, uint32_t node, uint32_t type,
		     bool first_of_node)
{
	const struct pagus_state *st = p->state;
	const struct pg_zone *z = pg_seed_find_zone(st, node, type);
	uint64_t fields[NR_ZONE_FIELDS] = { 0 };

	pg_put_pair(t, "Node ", node, ", zone ");
	pg_put_right(t, pg_text_zone_name(type), 8);
	pg_put(t, "\n");
	if (z && first_of_node) {
		pg_put(t, "  per-node stats\n");
		pg_put_node_counters(p, t, &counter_style);
	}
	if (z)
		read_zone(st, z, fields);
	else
		read_empty_zone(st, type, fields);
	put_lines(st, t, page_lines, NR_OF(page_lines), fields);
	put_protection(st, t, z);
	if (!z)
		return;
	pg_put_zone_counters(p, t, z, &counter_style);
	put_pagesets(st, t, z);
	put_lines(st, t, tail_lines, NR_OF(tail_lines), fields);
}

void pagus_text_zoneinfo(const struct pagus *p, struct pagus_text *t)
{
	const struct pagus_state *st = p->state;

	for (uint32_t node = 0; node < st->nr_nodes; node++) {
		bool first = true;

		for (uint32_t type = 0; type < PG_TEXT_ZONES && st->node_online[node]; type++) {
			if (!pg_text_lists_zone(st, type))
				continue;
			put_zone(p, t, node, type, first);
			first = first && !pg_seed_find_zone(st, node, type);
		}
	}
}
