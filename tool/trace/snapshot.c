/* SPDX-License-Identifier: MIT */
/* The records of a snapshot, one function a record (pagus-pgt(5), "Snapshot records"). */
#include "trace/snapshot_parse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "trace/reader.h"

#define SNAPSHOT_MAGIC 0x4d4d5831u
#define VERSION_6_1 2u
#define VERSION_7_2 3u

#define TAG_HEADER 1u
#define TAG_END    9u
#define NR_TAGS    12u

/* Zone indices of x86-64, which has no HighMem. */
#define INDEX_MOVABLE 3u
#define INDEX_DEVICE  4u
#define NR_ZONE_INDICES 5u
#define MAX_ZONES (PAGUS_MAX_NODES * NR_ZONE_INDICES)

#define PACKED_PFN(word) ((word) & 0x0fffffffu)
#define PACKED_HIGH(word) ((word) >> 28)
#define SMALL_PCP_LISTS 12u /* the first: orders 0 to 3, three types each */

/* Words of a pageblock. */
#define BLOCK_TYPE    0x07u
#define BLOCK_SKIP    0x08u
#define BLOCK_ISOLATE 0x10u

bool snapshot_fail(struct snapshot_parser *p, size_t word, const char *fmt, ...)
{
	char what[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return trace_fail(p->err, "%s: offset %zu: %s", p->file, word * 4, what);
}

static bool fail_here(struct snapshot_parser *p, const char *what)
{
	return snapshot_fail(p, p->word, "%s", what);
}

static bool fail_memory(struct snapshot_parser *p)
{
	return trace_fail(p->err, "%s: out of memory", p->file);
}

static uint64_t get_u64(const uint32_t *w)
{
	return (uint64_t)w[0] | (uint64_t)w[1] << 32;
}

/* ---- Translation ---------------------------------------------------------------------------- */

static bool translate_zone(uint32_t index, uint32_t *type)
{
	if (index >= INDEX_DEVICE)
		return false;
	*type = index == INDEX_MOVABLE ? (uint32_t)PAGUS_ZONE_MOVABLE : index;
	return true;
}

static uint32_t nr_migratetypes(const struct snapshot *s)
{
	return s->version == VERSION_6_1 ? 5 : 6;
}

/* Debian's 6.1 is built without CMA, so its Isolate has the number that CMA has in 7.2. */
bool snapshot_type(const struct snapshot *s, uint32_t recorded, uint32_t *type)
{
	if (recorded >= nr_migratetypes(s))
		return false;
	*type = s->version == VERSION_6_1 && recorded == 4 ? (uint32_t)PAGUS_ISOLATE : recorded;
	return true;
}

/* The zone that the record's first two words name; NULL with an error. */
static struct snap_zone *find_zone(struct snapshot_parser *p)
{
	uint32_t type;

	if (translate_zone(p->payload[1], &type)) {
		for (uint32_t i = 0; i < p->s->nr_zones; i++) {
			struct snap_zone *z = &p->s->zones[i];

			if (z->node == p->payload[0] && z->type == type)
				return z;
		}
	}
	fail_here(p, "record of a zone that was not recorded before it");
	return NULL;
}

static struct snapshot_tally *tally_of(struct snapshot_parser *p, const struct snap_zone *z)
{
	return &p->tallies[z - p->s->zones];
}

/* ---- Lists ---------------------------------------------------------------------------------- */

/* Note one block of a list: whole, inside its zone. `at` is its index in the payload. */
static bool note_block(struct snapshot_parser *p, const struct snap_zone *z, uint32_t at,
		       uint64_t pfn, uint32_t order)
{
	size_t word = p->word + 2 + at;

	if ((pfn & ((1ull << order) - 1)) != 0)
		return snapshot_fail(p, word, "page %" PRIu64 " is no block of order %" PRIu32, pfn,
				     order);
	if (pfn < z->start_pfn || pfn + (1ull << order) > z->start_pfn + z->spanned)
		return snapshot_fail(p, word, "page %" PRIu64 " is outside its zone", pfn);
	if (p->nr_extents == p->extents_room) {
		size_t room = p->extents_room == 0 ? 4096 : p->extents_room * 2;
		struct snapshot_extent *larger = realloc(p->extents, room * sizeof(*larger));

		if (larger == NULL)
			return fail_memory(p);
		p->extents = larger;
		p->extents_room = room;
	}
	p->extents[p->nr_extents++] =
		(struct snapshot_extent){ .pfn = pfn, .word = (uint32_t)word, .order = order };
	return true;
}

/* The pfns from payload word `first` on, of which the bits in `mask` are the pfn. */
static bool take_pfns(struct snapshot_parser *p, const struct snap_zone *z, struct snap_list *list,
		      uint32_t first, uint32_t mask)
{
	uint32_t nr = p->len - first;

	list->pfns = malloc(nr > 0 ? nr * sizeof(*list->pfns) : sizeof(*list->pfns));
	if (list->pfns == NULL)
		return fail_memory(p);
	list->nr = nr;
	for (uint32_t i = 0; i < nr; i++) {
		list->pfns[i] = p->payload[first + i] & mask;
		if (!note_block(p, z, first + i, list->pfns[i], list->order))
			return false;
	}
	return true;
}

/* Room for one more element of an array that doubles whenever its length is a power of two. */
static void *grow_array(void *array, uint32_t nr, size_t element_bytes)
{
	if ((nr & (nr - 1)) != 0)
		return array;
	return realloc(array, (nr == 0 ? 1 : (size_t)nr * 2) * element_bytes);
}

static bool parse_free_list(struct snapshot_parser *p)
{
	struct snap_zone *z = find_zone(p);
	uint32_t order = p->payload[2], type;
	struct snapshot_tally *tally;
	struct snap_list *lists;

	if (z == NULL)
		return false;
	if (order >= PAGUS_NR_ORDERS || !snapshot_type(p->s, p->payload[3], &type))
		return fail_here(p, "free list of an order or migratetype that does not exist");
	tally = tally_of(p, z);
	if (tally->types_seen[order] & 1u << type)
		return fail_here(p, "free list recorded twice");
	if (tally->types_seen[order] != 0 && tally->stated[order] != p->payload[4])
		return fail_here(p, "nr_free differs from the order's other lists");
	tally->types_seen[order] |= 1u << type;
	tally->stated[order] = p->payload[4];
	lists = grow_array(z->free_lists, z->nr_free_lists, sizeof(*lists));
	if (lists == NULL)
		return fail_memory(p);
	z->free_lists = lists;
	lists = &lists[z->nr_free_lists++];
	*lists = (struct snap_list){ .order = order, .type = type };
	if (!take_pfns(p, z, lists, 5, UINT32_MAX))
		return false;
	tally->listed[order] += lists->nr;
	if (type != PAGUS_ISOLATE)
		tally->free_pages += (uint64_t)lists->nr << order;
	return true;
}

static bool parse_pcp_list(struct snapshot_parser *p)
{
	struct snap_zone *z = find_zone(p);
	uint32_t cpu = p->payload[2], index = p->payload[3], type;
	struct snap_list *list;

	if (z == NULL)
		return false;
	if (cpu >= p->s->nr_cpus || index >= PAGUS_NR_PCP_LISTS)
		return fail_here(p, "pcp list of a CPU or index that does not exist");
	if (!tally_of(p, z)->pcp_seen[cpu])
		return fail_here(p, "pcp list before its pcp");
	list = &z->pcps[cpu].lists[index];
	if (list->pfns != NULL)
		return fail_here(p, "pcp list recorded twice");
	for (uint32_t i = 4; i < p->len; i++) {
		if (!snapshot_type(p->s, PACKED_HIGH(p->payload[i]), &type))
			return snapshot_fail(p, p->word + 2 + i, "no such migratetype");
	}
	list->index = index;
	list->order = index < SMALL_PCP_LISTS ? index / 3 : p->s->pageblock_order;
	if (!take_pfns(p, z, list, 4, PACKED_PFN(UINT32_MAX)))
		return false;
	tally_of(p, z)->pcp_listed[cpu] += (uint64_t)list->nr << list->order;
	return true;
}

static bool parse_deferred(struct snapshot_parser *p)
{
	struct snap_zone *z = find_zone(p);

	if (z == NULL)
		return false;
	for (uint32_t i = 2; i < p->len; i++) {
		uint32_t order = PACKED_HIGH(p->payload[i]);

		if (order >= PAGUS_NR_ORDERS)
			return snapshot_fail(p, p->word + 2 + i, "no such order");
		if (!note_block(p, z, i, PACKED_PFN(p->payload[i]), order))
			return false;
		z->deferred_pages += 1ull << order;
	}
	return true;
}

/* ---- The other records ---------------------------------------------------------------------- */

static bool parse_header(struct snapshot_parser *p)
{
	const uint32_t *w = p->payload;
	struct snapshot *s = p->s;

	if (p->word != 0)
		return fail_here(p, "second header");
	if (w[0] != SNAPSHOT_MAGIC)
		return fail_here(p, "not a snapshot (bad magic)");
	s->version = w[1];
	if (s->version != VERSION_6_1 && s->version != VERSION_7_2)
		return snapshot_fail(p, p->word, "version %" PRIu32 " is not known", s->version);
	if (p->len != (s->version == VERSION_6_1 ? 22u : 24u))
		return fail_here(p, "header has a wrong length");
	s->nr_cpus = w[3];
	s->nr_nodes = w[4];
	s->pageblock_order = w[5];
	s->boot_ns = get_u64(w + 14);
	s->min_free_kbytes = w[16];
	s->mobility_off = w[17] != 0;
	s->totalreserve_pages = get_u64(w + 18);
	s->page_shift = w[20];
	s->defrag_mode = s->version == VERSION_7_2 ? w[22] : 0;
	s->pcp_batch_scale_max = s->version == VERSION_7_2 ? w[23] : 5;
	if (s->nr_cpus == 0 || s->nr_cpus > PAGUS_MAX_CPUS || s->nr_nodes == 0 ||
	    s->nr_nodes > PAGUS_MAX_NODES)
		return fail_here(p, "number of CPUs or nodes is out of range");
	if (s->pageblock_order == 0 || s->pageblock_order > PAGUS_MAX_ORDER ||
	    s->page_shift < 12 || s->page_shift > 16)
		return fail_here(p, "pageblock order or page size is out of range");
	if (s->defrag_mode > 1 || s->pcp_batch_scale_max > 6)
		return fail_here(p, "defrag_mode or largest scale of the pcp batch is out of range");
	if (w[6] != PAGUS_NR_PCP_LISTS || w[7] != nr_migratetypes(s) || w[8] != PAGUS_NR_ORDERS ||
	    w[9] != NR_ZONE_INDICES)
		return fail_here(p, "numbers of lists, types, orders or zones are not x86-64's");
	return true;
}

static bool parse_node(struct snapshot_parser *p)
{
	if (p->payload[0] >= PAGUS_MAX_NODES)
		return fail_here(p, "no such node");
	p->s->kswapd_failures[p->payload[0]] = p->payload[9];
	return true;
}

/* The numbers of a zone record, whose place is given by the record alone. */
static void take_zone_numbers(const uint32_t *w, uint32_t version, struct snap_zone *z)
{
	z->start_pfn = get_u64(w + 2);
	z->spanned = get_u64(w + 4);
	z->present = get_u64(w + 6);
	z->managed = get_u64(w + 8);
	for (uint32_t i = 0; i < PAGUS_NR_WMARKS; i++)
		z->wmark[i] = get_u64(w + 10 + i * 2);
	z->boost = get_u64(w + 18);
	z->reserved_highatomic = get_u64(w + 20);
	z->lowmem_reserve[PAGUS_ZONE_DMA] = get_u64(w + 22);
	z->lowmem_reserve[PAGUS_ZONE_DMA32] = get_u64(w + 24);
	z->lowmem_reserve[PAGUS_ZONE_NORMAL] = get_u64(w + 26);
	/* Without a HighMem zone, a request for it is a request for Normal. */
	z->lowmem_reserve[PAGUS_ZONE_HIGHMEM] = get_u64(w + 26);
	z->lowmem_reserve[PAGUS_ZONE_MOVABLE] = get_u64(w + 28);
	z->nr_free_pages = get_u64(w + 36);
	z->drift_mark = get_u64(w + 38);
	z->high_min = w[40];
	z->batch = w[41];
	z->high_max = version == VERSION_7_2 ? w[53] : w[40]; /* 6.1 has one limit */
}

static bool parse_zone(struct snapshot_parser *p)
{
	const uint32_t *w = p->payload;
	struct snap_zone z = { .node = w[0] };
	struct snapshot_tally tally = { .zone_word = p->word };
	struct snap_zone *zones;
	struct snapshot_tally *tallies;

	if (z.node >= PAGUS_MAX_NODES)
		return fail_here(p, "no such node");
	take_zone_numbers(w, p->s->version, &z);
	if (w[1] == INDEX_DEVICE && z.spanned == 0)
		return true;
	if (!translate_zone(w[1], &z.type))
		return fail_here(p, "zone index is not one that pagus knows");
	if (z.start_pfn > SNAPSHOT_MAX_PFN || z.spanned > SNAPSHOT_MAX_PFN ||
	    z.present > z.spanned || z.managed > z.present)
		return fail_here(p, "zone's size is out of range");
	for (uint32_t i = 0; i < p->s->nr_zones; i++) {
		if (p->s->zones[i].node == z.node && p->s->zones[i].type == z.type)
			return fail_here(p, "zone recorded twice");
	}
	zones = grow_array(p->s->zones, p->s->nr_zones, sizeof(*zones));
	if (zones == NULL)
		return fail_memory(p);
	p->s->zones = zones;
	tallies = grow_array(p->tallies, p->s->nr_zones, sizeof(*tallies));
	if (tallies == NULL)
		return fail_memory(p);
	p->tallies = tallies;
	z.pcps = calloc(p->s->nr_cpus, sizeof(*z.pcps));
	tally.pcp_seen = calloc(p->s->nr_cpus, sizeof(*tally.pcp_seen));
	tally.pcp_listed = calloc(p->s->nr_cpus, sizeof(*tally.pcp_listed));
	zones[p->s->nr_zones] = z;
	tallies[p->s->nr_zones++] = tally;
	if (z.pcps == NULL || tally.pcp_seen == NULL || tally.pcp_listed == NULL)
		return fail_memory(p);
	return true;
}

static bool parse_pcp(struct snapshot_parser *p)
{
	struct snap_zone *z = find_zone(p);
	const uint32_t *w = p->payload;
	struct snap_pcp *pcp;

	if (z == NULL)
		return false;
	if (p->len != (p->s->version == VERSION_6_1 ? 11u : 17u))
		return fail_here(p, "pcp record has a wrong length");
	if (w[2] >= p->s->nr_cpus || tally_of(p, z)->pcp_seen[w[2]])
		return fail_here(p, "pcp of a CPU that does not exist or was recorded before");
	pcp = &z->pcps[w[2]];
	pcp->cpu = w[2];
	pcp->count = w[3];
	pcp->high = w[4];
	pcp->batch = w[5];
	pcp->factor = w[6];
	pcp->expire = w[7];
	pcp->free_delta = (int32_t)w[8];
	pcp->stat_threshold = w[9];
	if (p->s->version == VERSION_7_2) {
		pcp->high_min = w[11];
		pcp->high_max = w[12];
		pcp->flags = w[13];
		pcp->free_count = w[14];
	}
	tally_of(p, z)->pcp_seen[w[2]] = true;
	tally_of(p, z)->free_deltas += pcp->free_delta;
	return true;
}

static bool parse_blocks(struct snapshot_parser *p)
{
	struct snap_zone *z = find_zone(p);
	uint32_t nr = p->len - 4;
	uint32_t known = BLOCK_TYPE | BLOCK_SKIP;

	if (z == NULL)
		return false;
	if (p->s->version == VERSION_7_2)
		known |= BLOCK_ISOLATE;
	if (z->block_type != NULL)
		return fail_here(p, "pageblocks of a zone recorded twice");
	z->first_block_pfn = get_u64(p->payload + 2);
	if (z->first_block_pfn > SNAPSHOT_MAX_PFN ||
	    (z->first_block_pfn & ((1ull << p->s->pageblock_order) - 1)) != 0)
		return fail_here(p, "first pageblock is not a pageblock");
	z->block_type = malloc((size_t)nr + 1);
	z->block_flags = calloc((size_t)nr + 1, 1);
	if (z->block_type == NULL || z->block_flags == NULL)
		return fail_memory(p);
	z->nr_blocks = nr;
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t word = p->payload[4 + i], type = SNAPSHOT_HOLE;

		if (word != SNAPSHOT_HOLE) {
			if ((word & ~known) != 0 || !snapshot_type(p->s, word & BLOCK_TYPE, &type))
				return snapshot_fail(p, p->word + 6 + i, "no such pageblock type");
			z->block_flags[i] = (uint8_t)((word & BLOCK_SKIP ? 1 : 0) |
				(word & BLOCK_ISOLATE || type == PAGUS_ISOLATE ? 2 : 0));
		}
		z->block_type[i] = (uint8_t)type;
	}
	return true;
}

static bool parse_zonelist(struct snapshot_parser *p)
{
	struct snap_zonelist *lists;
	uint32_t type;

	if (p->payload[0] >= PAGUS_MAX_NODES || p->payload[1] > 1)
		return fail_here(p, "zonelist of a node or kind that does not exist");
	if (p->s->nr_zonelists == 2 * PAGUS_MAX_NODES || p->len - 2 > MAX_ZONES)
		return fail_here(p, "more zonelists or zones than there can be");
	lists = grow_array(p->s->zonelists, p->s->nr_zonelists, sizeof(*lists));
	if (lists == NULL)
		return fail_memory(p);
	p->s->zonelists = lists;
	lists = &lists[p->s->nr_zonelists++];
	*lists = (struct snap_zonelist){ .node = p->payload[0],
					 .this_node_only = p->payload[1] == 1 };
	lists->zones = calloc((size_t)p->len - 1, sizeof(*lists->zones));
	if (lists->zones == NULL)
		return fail_memory(p);
	for (uint32_t i = 2; i < p->len; i++) {
		uint32_t node = p->payload[i] >> 8;

		if (node >= PAGUS_MAX_NODES || !translate_zone(p->payload[i] & 0xff, &type))
			return snapshot_fail(p, p->word + 2 + i, "no such zone");
		lists->zones[lists->nr++] = (uint16_t)(node << 8 | type);
	}
	return true;
}

static bool parse_end(struct snapshot_parser *p)
{
	if (p->payload[0] != 0)
		return fail_here(p, "the recorder's buffer overflowed: records are missing");
	if (p->word + 2 + p->len != p->nr_words)
		return fail_here(p, "more records after the end record");
	return true;
}

/* ---- The stream ----------------------------------------------------------------------------- */

static const struct {
	uint32_t min_len, max_len; /* words of payload */
	bool (*parse)(struct snapshot_parser *p);
} records[NR_TAGS] = {
	[TAG_HEADER] = { 22, 24, parse_header },
	[2] = { 10, 10, parse_node },
	[3] = { 65, 65, parse_zone },
	[4] = { 11, 17, parse_pcp },
	[5] = { 4, UINT32_MAX, parse_pcp_list },
	[6] = { 5, UINT32_MAX, parse_free_list },
	[7] = { 4, UINT32_MAX, parse_blocks },
	[8] = { 2, UINT32_MAX, parse_zonelist },
	[TAG_END] = { 1, 1, parse_end },
	[11] = { 2, UINT32_MAX, parse_deferred },
};

static bool parse_record(struct snapshot_parser *p)
{
	uint32_t tag;

	if (p->nr_words - p->word < 2)
		return fail_here(p, "stream ends without an end record");
	tag = p->words[p->word];
	p->len = p->words[p->word + 1];
	p->payload = p->words + p->word + 2;
	if (tag >= NR_TAGS || records[tag].parse == NULL)
		return snapshot_fail(p, p->word, "unknown record %" PRIu32, tag);
	if (p->len > p->nr_words - p->word - 2)
		return fail_here(p, "record overruns the stream");
	if (p->len < records[tag].min_len || p->len > records[tag].max_len)
		return fail_here(p, "record has a wrong length");
	if (p->word == 0 && tag != TAG_HEADER)
		return fail_here(p, "first record is not the header");
	return records[tag].parse(p);
}

static bool parse_stream(struct snapshot_parser *p)
{
	uint32_t tag = 0;

	if (p->nr_words > TRACE_MAX_SNAPSHOT_BYTES / 4)
		return fail_here(p, "longer than a snapshot may be");
	while (tag != TAG_END) {
		if (!parse_record(p))
			return false;
		tag = p->words[p->word];
		if (tag != TAG_END)
			p->word += 2 + (size_t)p->len;
	}
	return snapshot_cross_check(p);
}

struct snapshot *snapshot_parse(const char *file, const uint32_t *words, size_t nr_words,
				struct trace_error *err)
{
	struct snapshot_parser p = {
		.file = file, .words = words, .nr_words = nr_words, .err = err,
	};
	bool ok;

	p.s = calloc(1, sizeof(*p.s));
	ok = p.s != NULL ? parse_stream(&p) : fail_memory(&p);
	for (uint32_t i = 0; p.s != NULL && i < p.s->nr_zones; i++) {
		free(p.tallies[i].pcp_seen);
		free(p.tallies[i].pcp_listed);
	}
	free(p.tallies);
	free(p.extents);
	if (!ok) {
		snapshot_free(p.s);
		return NULL;
	}
	return p.s;
}

static void free_zone(struct snap_zone *z, uint32_t nr_cpus)
{
	for (uint32_t i = 0; i < z->nr_free_lists; i++)
		free(z->free_lists[i].pfns);
	for (uint32_t cpu = 0; z->pcps != NULL && cpu < nr_cpus; cpu++) {
		for (int i = 0; i < PAGUS_NR_PCP_LISTS; i++)
			free(z->pcps[cpu].lists[i].pfns);
	}
	free(z->free_lists);
	free(z->pcps);
	free(z->block_type);
	free(z->block_flags);
}

void snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->nr_zones; i++)
		free_zone(&s->zones[i], s->nr_cpus);
	for (uint32_t i = 0; i < s->nr_zonelists; i++)
		free(s->zonelists[i].zones);
	free(s->zones);
	free(s->zonelists);
	free(s);
}
