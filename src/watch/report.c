/* SPDX-License-Identifier: MIT */
/* What the kernel logs about memory: Mem-Info, and the report of a request that failed. */
#include "alloc/request.h"
#include "watch/text.h"

/* Which part of the machine a report shows. */
struct scope {
	uint32_t highest; /* zone type */
	uint64_t nodes;
	uint32_t cpu;
};

static bool shows_node(const struct scope *scope, uint32_t node)
{
	return scope->nodes >> node & 1;
}

static bool shows_zone(const struct scope *scope, const struct pg_zone *z)
{
	return z->type <= scope->highest && shows_node(scope, z->node) && pg_zone_populated(z);
}

static uint64_t pages_to_kib(uint64_t pages)
{
	return pages * 4;
}

static uint64_t local_pcp(const struct pagus_state *st, const struct pg_zone *z, uint32_t cpu)
{
	return cpu < st->nr_cpus ? pg_pcp(st, z->id, cpu)->count : 0;
}

static uint64_t pcp_pages(const struct pagus_state *st, const struct pg_zone *z)
{
	uint64_t pages = 0;

	for (uint32_t cpu = 0; cpu < st->nr_cpus; cpu++)
		pages += pg_pcp(st, z->id, cpu)->count;
	return pages;
}

/* ---- the whole machine, and its nodes -------------------------------------------------------- */

static void put_machine(const struct pagus_state *st, struct pagus_text *t,
			const struct scope *scope)
{
	uint64_t free_pages = 0, free_pcp = 0, free_cma = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);

		free_pages += pg_text_free_pages(z);
		free_cma += (uint64_t)z->free_cma;
		free_pcp += shows_zone(scope, z) ? pcp_pages(st, z) : 0;
	}
	pg_put(t, "active_anon:0 inactive_anon:0 isolated_anon:0\n"
		  " active_file:0 inactive_file:0 isolated_file:0\n"
		  " unevictable:0 dirty:0 writeback:0\n"
		  " slab_reclaimable:0 slab_unreclaimable:0\n"
		  " mapped:0 shmem:0 pagetables:0\n"
		  " sec_pagetables:0 bounce:0\n"
		  " kernel_misc_reclaimable:0\n");
	pg_put_pair(t, " free:", free_pages, "");
	pg_put_pair(t, " free_pcp:", free_pcp, "");
	pg_put_pair(t, " free_cma:", free_cma, "\n");
}

struct part {
	const char *text;
	struct pg_span span;
};

/* A page allocator has none of a node's counters, but knows when reclaim has given it up. */
static const struct part node_parts[] = {
	{ " active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB unevictable:0kB"
	  " isolated(anon):0kB isolated(file):0kB mapped:0kB dirty:0kB writeback:0kB shmem:0kB",
	  { 0 } },
	{ " shmem_thp: 0kB shmem_pmdmapped: 0kB anon_thp: 0kB", { 0, PG_KERNEL(6, 12) } },
	{ " shmem_thp:0kB shmem_pmdmapped:0kB anon_thp:0kB", { PG_KERNEL(6, 12), 0 } },
	{ " writeback_tmp:0kB", { 0, PG_KERNEL(6, 18) } },
	{ " kernel_stack:0kB pagetables:0kB sec_pagetables:0kB all_unreclaimable? ", { 0 } },
	{ NULL, { 0 } }, /* yes or no */
	{ " Balloon:0kB", { PG_KERNEL(6, 18), 0 } },
	{ " gpu_active:0kB gpu_reclaim:0kB", { PG_KERNEL(7, 1), 0 } },
	{ "\n", { 0 } },
};

static bool node_has_pages(const struct pagus_state *st, const struct scope *scope, uint32_t node)
{
	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);

		if (z->node == node && z->type <= scope->highest && z->managed)
			return true;
	}
	return false;
}

static void put_nodes(const struct pagus_state *st, struct pagus_text *t, const struct scope *scope)
{
	uint32_t kernel = pg_text_kernel(st);

	for (uint32_t node = 0; node < st->nr_nodes; node++) {
		if (!shows_node(scope, node) || !node_has_pages(st, scope, node))
			continue;
		pg_put_pair(t, "Node ", node, "");
		for (size_t n = 0; n < sizeof(node_parts) / sizeof(node_parts[0]); n++)
			if (pg_span_has(node_parts[n].span, kernel))
				pg_put(t, node_parts[n].text ? node_parts[n].text :
				       pg_node_hopeless(pg_node(st, node)) ? "yes" : "no");
	}
}

/* ---- zones ----------------------------------------------------------------------------------- */

enum field { FREE, BOOST, MIN, LOW, HIGH, RESERVED_HIGHATOMIC, FREE_HIGHATOMIC, PRESENT, MANAGED,
	FREE_PCP, LOCAL_PCP, FREE_CMA, NONE, NR_FIELDS };

/* In the kernel's order, in kB. NONE: a counter that a page allocator does not have. */
static const struct item {
	const char *before;
	uint32_t field;
	const char *after;
	struct pg_span span;
} zone_items[] = {
	{ " free:", FREE, "kB", { 0 } },
	{ " boost:", BOOST, "kB", { 0 } },
	{ " min:", MIN, "kB", { 0 } },
	{ " low:", LOW, "kB", { 0 } },
	{ " high:", HIGH, "kB", { 0 } },
	{ " reserved_highatomic:", RESERVED_HIGHATOMIC, "KB", { 0 } },
	{ " free_highatomic:", FREE_HIGHATOMIC, "KB", { PG_KERNEL(6, 18), 0 } },
	{ " active_anon:", NONE, "kB", { 0 } },
	{ " inactive_anon:", NONE, "kB", { 0 } },
	{ " active_file:", NONE, "kB", { 0 } },
	{ " inactive_file:", NONE, "kB", { 0 } },
	{ " unevictable:", NONE, "kB", { 0 } },
	{ " writepending:", NONE, "kB", { 0 } },
	{ " zspages:", NONE, "kB", { PG_KERNEL(6, 18), 0 } },
	{ " present:", PRESENT, "kB", { 0 } },
	{ " managed:", MANAGED, "kB", { 0 } },
	{ " mlocked:", NONE, "kB", { 0 } },
	{ " bounce:", NONE, "kB", { 0 } },
	{ " free_pcp:", FREE_PCP, "kB", { 0 } },
	{ " local_pcp:", LOCAL_PCP, "kB", { 0 } },
	{ " free_cma:", FREE_CMA, "kB", { 0 } },
};

static void put_zone_name(struct pagus_text *t, const struct pg_zone *z)
{
	pg_put_pair(t, "Node ", z->node, " ");
	pg_put(t, pg_text_zone_name(z->type));
}

static void put_zone(const struct pagus_state *st, struct pagus_text *t, const struct pg_zone *z,
		     uint32_t cpu)
{
	const uint64_t pages[NR_FIELDS] = {
		[FREE] = pg_text_free_pages(z), [BOOST] = z->boost,
		[MIN] = pg_mark(z, PAGUS_WMARK_MIN), [LOW] = pg_mark(z, PAGUS_WMARK_LOW),
		[HIGH] = pg_mark(z, PAGUS_WMARK_HIGH),
		[RESERVED_HIGHATOMIC] = z->reserved_highatomic,
		[FREE_HIGHATOMIC] = (uint64_t)z->free_highatomic,
		[PRESENT] = z->present, [MANAGED] = z->managed, [FREE_PCP] = pcp_pages(st, z),
		[LOCAL_PCP] = local_pcp(st, z, cpu), [FREE_CMA] = (uint64_t)z->free_cma,
	};

	put_zone_name(t, z);
	for (size_t n = 0; n < sizeof(zone_items) / sizeof(zone_items[0]); n++)
		if (pg_span_has(zone_items[n].span, pg_text_kernel(st)))
			pg_put_pair(t, zone_items[n].before,
				    pages_to_kib(pages[zone_items[n].field]), zone_items[n].after);
	pg_put(t, "\nlowmem_reserve[]:");
	for (uint32_t type = 0; type < PG_TEXT_ZONES; type++)
		if (pg_text_lists_zone(st, type))
			pg_put_pair(t, " ", pg_text_lowmem_reserve(z, type), "");
	pg_put(t, "\n");
}

/* " (UME)" of the types that have a free block of the order. */
static void put_letters(const struct pagus_state *st, struct pagus_text *t, const struct pg_zone *z,
			uint32_t order)
{
	static const char letters[PAGUS_NR_MIGRATETYPES][2] = { "U", "M", "E", "H", "C", "I" };

	pg_put(t, "(");
	for (uint32_t type = 0; type < PAGUS_NR_MIGRATETYPES; type++)
		if (pg_store_any(st, z, order, type))
			pg_put(t, letters[type]);
	pg_put(t, ") ");
}

static void put_orders(const struct pagus_state *st, struct pagus_text *t, const struct pg_zone *z)
{
	uint64_t total = 0;

	put_zone_name(t, z);
	pg_put(t, ": ");
	for (uint32_t o = 0; o < PAGUS_NR_ORDERS && o <= st->max_order; o++) {
		pg_put_pair(t, "", z->nr_free[o], "*");
		pg_put_pair(t, "", pages_to_kib(1) << o, "kB ");
		if (z->nr_free[o])
			put_letters(st, t, z, o);
		total += z->nr_free[o] << o;
	}
	pg_put_pair(t, "= ", pages_to_kib(total), "kB\n");
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void put_sums(const struct pagus_state *st, struct pagus_text *t)
{
	uint64_t present = 0, reserved = 0, highmem = 0, cma = 0;

	for (uint32_t id = 0; id < st->nr_zones; id++) {
		const struct pg_zone *z = pg_zone(st, id);

		present += z->present;
		reserved += z->present - z->managed;
		highmem += z->type == PAGUS_ZONE_HIGHMEM ? z->present : 0;
		cma += pg_text_cma_pages(st, z);
	}
	pg_put(t, "0 total pagecache pages\n0 pages in swap cache\nFree swap  = 0kB\n"
		  "Total swap = 0kB\n");
	pg_put_pair(t, "", present, " pages RAM\n");
	pg_put_pair(t, "", highmem, " pages HighMem/MovableOnly\n");
	pg_put_pair(t, "", reserved, " pages reserved\n");
	if (pg_text_lists_type(st, PAGUS_CMA))
		pg_put_pair(t, "", cma, " pages cma reserved\n");
	pg_put_pair(t, "", pg_read(st->nr_poisoned), " pages hwpoisoned\n");
}

static void put_mem_info(const struct pagus_state *st, struct pagus_text *t,
			 const struct scope *scope)
{
	pg_put(t, "Mem-Info:\n");
	put_machine(st, t, scope);
	put_nodes(st, t, scope);
	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (shows_zone(scope, pg_zone(st, id)))
			put_zone(st, t, pg_zone(st, id), scope->cpu);
	for (uint32_t id = 0; id < st->nr_zones; id++)
		if (shows_zone(scope, pg_zone(st, id)))
			put_orders(st, t, pg_zone(st, id));
	put_sums(st, t);
}

void pagus_text_show_mem(const struct pagus *p, struct pagus_text *t, uint32_t cpu)
{
	const struct scope all = { .highest = PG_TEXT_ZONES, .nodes = UINT64_MAX, .cpu = cpu };

	put_mem_info(p->state, t, &all);
}

/* Nodes as a list of ranges: 0-1,3. */
static void put_nodes_list(struct pagus_text *t, uint64_t nodes)
{
	const char *before = "";

	for (uint32_t first = 0; first < PAGUS_MAX_NODES; first++) {
		uint32_t last = first;

		if (!(nodes >> first & 1))
			continue;
		while (last + 1 < PAGUS_MAX_NODES && (nodes >> (last + 1) & 1))
			last++;
		pg_put_pair(t, before, first, "");
		if (last > first)
			pg_put_pair(t, "-", last, "");
		before = ",";
		first = last;
	}
}

static uint64_t online_nodes(const struct pagus_state *st)
{
	uint64_t nodes = 0;

	for (uint32_t node = 0; node < PAGUS_MAX_NODES; node++)
		nodes |= (uint64_t)st->node_online[node] << node;
	return nodes;
}

void pagus_text_alloc_failure(const struct pagus *p, struct pagus_text *t,
			      const struct pagus_alloc_failure *failure)
{
	uint64_t allowed = failure->mems_allowed ? failure->mems_allowed : online_nodes(p->state);
	struct scope scope = {
		.highest = pg_highest_zone(p->state, failure->gfp), .nodes = UINT64_MAX,
		.cpu = failure->cpu,
	};

	pg_put(t, failure->comm);
	pg_put_pair(t, ": page allocation failure: order:", failure->order, ", mode:0x");
	pg_put_hex(t, failure->gfp, 0);
	pg_put(t, "(");
	if (failure->gfp)
		pagus_text_gfp(p, t, failure->gfp);
	pg_put(t, "), nodemask=");
	if (failure->nodemask)
		put_nodes_list(t, failure->nodemask);
	else
		pg_put(t, "(null)");
	pg_put(t, ",cpuset=");
	pg_put(t, failure->cpuset ? failure->cpuset : "/");
	pg_put(t, ",mems_allowed=");
	put_nodes_list(t, allowed);
	pg_put(t, "\n");
	if (failure->gfp & __GFP_DIRECT_RECLAIM)
		scope.nodes = failure->nodemask ? failure->nodemask : allowed;
	put_mem_info(p->state, t, &scope);
}
