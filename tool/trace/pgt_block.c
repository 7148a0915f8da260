/* SPDX-License-Identifier: MIT */
/*
 * One block of events as columns (pagus-pgt(5), "Event blocks").
 *
 * The eight small bytes of a record take few combinations, so an event names its combination by a
 * number. Wide fields are differences from what the same combination, CPU or type had last; a field
 * that equals its prediction is a flag. Time differences are two byte planes grouped by type,
 * because how long an event took depends on its type, with escapes in a third column.
 */
#include "trace/pgt.h"

#include <stdlib.h>
#include <string.h>

#include "trace/le.h"

#define HAS_GFP  1u
#define HAS_PID  2u
#define SAME_PFN 4u
#define NR_FLAG_BITS 3

#define ESCAPE 255u
#define NR_BYTE_VALUES 256
#define HASH_BITS 18 /* twice the most combinations of a block: a probe always ends */
#define HASH_SLOTS (1u << HASH_BITS)

/* What the next event is predicted from; all zero at the start of a block. */
struct prediction {
	uint64_t ts;
	uint64_t pfn;
	uint64_t type_pfn[NR_BYTE_VALUES];
	uint32_t cpu_pid[NR_BYTE_VALUES];
};

/* Columns in the order in which a block stores them, after the dictionary. */
enum column { CONTROL, GFP, PID, PFN, TS_LOW, TS_MID, TS_REST, NR_COLUMNS };

/* Most bytes an event adds to each column. */
static const uint8_t column_room[NR_COLUMNS] = { 3, 5, 5, 10, 1, 1, 10 };

struct pgt_coder {
	uint8_t *column[NR_COLUMNS];
	size_t used[NR_COLUMNS];
	uint8_t *dict;
	uint32_t nr_dict;
	uint32_t *entry_gfp;
	uint32_t *hash; /* dictionary index + 1; 0: empty */
	uint8_t *payload;
};

static uint64_t zigzag64(uint64_t difference)
{
	return difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0);
}

static uint64_t unzigzag64(uint64_t v)
{
	return v >> 1 ^ (v & 1 ? UINT64_MAX : 0);
}

static uint32_t zigzag32(uint32_t difference)
{
	return difference << 1 ^ (difference >> 31 ? UINT32_MAX : 0);
}

static uint32_t unzigzag32(uint32_t v)
{
	return v >> 1 ^ (v & 1 ? UINT32_MAX : 0);
}

/* A pfn of all ones marks a failed request and predicts nothing. */
static void note_pfn(struct prediction *p, uint8_t type, uint64_t pfn)
{
	if (pfn == UINT64_MAX)
		return;
	p->pfn = pfn;
	p->type_pfn[type] = pfn;
}

/* ---- Encoding ------------------------------------------------------------------------------- */

void pgt_coder_free(struct pgt_coder *c)
{
	if (c == NULL)
		return;
	for (int i = 0; i < NR_COLUMNS; i++)
		free(c->column[i]);
	free(c->dict);
	free(c->entry_gfp);
	free(c->hash);
	free(c->payload);
	free(c);
}

struct pgt_coder *pgt_coder_new(void)
{
	struct pgt_coder *c = calloc(1, sizeof(*c));
	bool complete = true;

	if (c == NULL)
		return NULL;
	for (int i = 0; i < NR_COLUMNS; i++) {
		c->column[i] = malloc((size_t)PGT_BLOCK_EVENTS * column_room[i]);
		complete = complete && c->column[i] != NULL;
	}
	c->dict = malloc((size_t)PGT_BLOCK_EVENTS * PGT_DICT_ENTRY_BYTES);
	c->entry_gfp = malloc(PGT_BLOCK_EVENTS * sizeof(*c->entry_gfp));
	c->hash = malloc(HASH_SLOTS * sizeof(*c->hash));
	c->payload = malloc(PGT_BLOCK_MAX_BYTES);
	if (!complete || c->dict == NULL || c->entry_gfp == NULL || c->hash == NULL ||
	    c->payload == NULL) {
		pgt_coder_free(c);
		return NULL;
	}
	return c;
}

static void put_byte(struct pgt_coder *c, enum column col, uint64_t v)
{
	c->column[col][c->used[col]++] = (uint8_t)v;
}

static void put_varint(struct pgt_coder *c, enum column col, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_byte(c, col, v | 0x80);
	put_byte(c, col, v);
}

static void pack_small(const struct trace_event *e, uint8_t *out)
{
	out[0] = e->cpu;
	out[1] = e->type;
	out[2] = e->order;
	out[3] = (uint8_t)e->mt;
	out[4] = e->irqflags;
	out[5] = e->preempt;
	out[6] = e->x1;
	out[7] = e->x2;
}

/* The number of this event's combination, a new one on its first appearance. */
static uint32_t find_entry(struct pgt_coder *c, const struct trace_event *e)
{
	uint8_t small[PGT_DICT_ENTRY_BYTES];

	pack_small(e, small);
	uint32_t slot = (uint32_t)(le_get64(small) * 0x9e3779b97f4a7c15u >> (64 - HASH_BITS));

	for (uint32_t probes = 0; probes < HASH_SLOTS; probes++) {
		uint32_t found = c->hash[slot];

		if (found == 0)
			break;
		if (memcmp(c->dict + (size_t)(found - 1) * sizeof(small), small,
			   sizeof(small)) == 0)
			return found - 1;
		slot = (slot + 1) % HASH_SLOTS;
	}
	memcpy(c->dict + (size_t)c->nr_dict * sizeof(small), small, sizeof(small));
	c->entry_gfp[c->nr_dict] = 0;
	c->hash[slot] = c->nr_dict + 1;
	return c->nr_dict++;
}

static void encode_fields(struct pgt_coder *c, struct prediction *p, const struct trace_event *e)
{
	uint32_t entry = find_entry(c, e);
	uint32_t pid = (uint32_t)e->pid;
	uint32_t flags = 0;

	if (e->gfp != c->entry_gfp[entry]) {
		flags |= HAS_GFP;
		put_varint(c, GFP, zigzag32(e->gfp - c->entry_gfp[entry]));
		c->entry_gfp[entry] = e->gfp;
	}
	if (pid != p->cpu_pid[e->cpu]) {
		flags |= HAS_PID;
		put_varint(c, PID, zigzag32(pid - p->cpu_pid[e->cpu]));
		p->cpu_pid[e->cpu] = pid;
	}
	if (e->pfn == p->pfn)
		flags |= SAME_PFN;
	else
		put_varint(c, PFN, zigzag64(e->pfn - p->type_pfn[e->type]));
	note_pfn(p, e->type, e->pfn);
	put_varint(c, CONTROL, entry << NR_FLAG_BITS | flags);
}

/* The planes hold the events of type 0 in time order, then those of type 1, and so on. */
static void encode_times(struct pgt_coder *c, const struct trace_event *events, uint32_t n)
{
	uint32_t place[NR_BYTE_VALUES + 1] = { 0 };
	uint64_t last_ts = 0;

	for (uint32_t i = 0; i < n; i++)
		place[events[i].type + 1]++;
	for (uint32_t t = 1; t < NR_BYTE_VALUES; t++)
		place[t] += place[t - 1];
	for (uint32_t i = 0; i < n; i++) {
		uint64_t step = zigzag64(events[i].ts - last_ts);
		uint32_t at = place[events[i].type]++;

		last_ts = events[i].ts;
		c->column[TS_LOW][at] = (uint8_t)step;
		c->column[TS_MID][at] = (uint8_t)(step >> 8 < ESCAPE ? step >> 8 : ESCAPE);
		if (step >> 8 >= ESCAPE)
			put_varint(c, TS_REST, (step >> 8) - ESCAPE);
	}
	c->used[TS_LOW] = n;
	c->used[TS_MID] = n;
}

const uint8_t *pgt_block_encode(struct pgt_coder *c, uint64_t first,
				const struct trace_event *events, uint32_t n, size_t *bytes)
{
	struct prediction p = { 0 };
	uint8_t *out = c->payload;

	memset(c->used, 0, sizeof(c->used));
	memset(c->hash, 0, HASH_SLOTS * sizeof(*c->hash));
	c->nr_dict = 0;
	for (uint32_t i = 0; i < n; i++)
		encode_fields(c, &p, &events[i]);
	encode_times(c, events, n);

	le_put64(out, first);
	le_put32(out + 8, c->nr_dict);
	le_put32(out + 12, (uint32_t)c->used[CONTROL]);
	le_put32(out + 16, (uint32_t)c->used[GFP]);
	le_put32(out + 20, (uint32_t)c->used[PID]);
	le_put32(out + 24, (uint32_t)c->used[PFN]);
	le_put32(out + 28, (uint32_t)c->used[TS_REST]);
	out += PGT_BLOCK_HEAD_BYTES;
	memcpy(out, c->dict, (size_t)c->nr_dict * PGT_DICT_ENTRY_BYTES);
	out += (size_t)c->nr_dict * PGT_DICT_ENTRY_BYTES;
	for (int i = 0; i < NR_COLUMNS; i++) {
		memcpy(out, c->column[i], c->used[i]);
		out += c->used[i];
	}
	*bytes = (size_t)(out - c->payload);
	return c->payload;
}

/* ---- Decoding ------------------------------------------------------------------------------- */

struct cursor {
	const uint8_t *at, *end;
};

struct block {
	const uint8_t *dict;
	uint32_t nr_dict;
	struct cursor column[NR_COLUMNS];
	const char *wrong; /* NULL until something is */
	uint32_t place[NR_BYTE_VALUES + 1]; /* next event of each type in the time planes */
	uint32_t *entry_gfp;
};

/*
 * A number of 7 bits a byte, low bits first. Zero, and b->wrong, when column or 64 bits end first.
 */
static inline uint64_t get_varint(struct block *b, enum column col)
{
	struct cursor *c = &b->column[col];
	uint64_t v = 0;

	for (uint32_t shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;

		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return v;
	}
	b->wrong = "a number overruns its column or its width";
	return 0;
}

static uint32_t get_varint32(struct block *b, enum column col)
{
	uint64_t v = get_varint(b, col);

	if (v > UINT32_MAX)
		b->wrong = "a 32-bit number overruns its width";
	return (uint32_t)v;
}

static const char *split_columns(struct block *b, uint64_t first, const uint8_t *raw, size_t bytes,
				 uint32_t n)
{
	size_t length[NR_COLUMNS];
	size_t sum;

	if (bytes < PGT_BLOCK_HEAD_BYTES)
		return "event block is shorter than its head";
	if (le_get64(raw) != first)
		return "event block is out of sequence";
	b->nr_dict = le_get32(raw + 8);
	length[CONTROL] = le_get32(raw + 12);
	length[GFP] = le_get32(raw + 16);
	length[PID] = le_get32(raw + 20);
	length[PFN] = le_get32(raw + 24);
	length[TS_LOW] = n;
	length[TS_MID] = n;
	length[TS_REST] = le_get32(raw + 28);
	if (b->nr_dict > n)
		return "event block has more combinations than events";
	sum = PGT_BLOCK_HEAD_BYTES + (size_t)b->nr_dict * PGT_DICT_ENTRY_BYTES;
	for (int i = 0; i < NR_COLUMNS; i++) {
		if (length[i] > bytes)
			return "event block has a column longer than itself";
		sum += length[i];
	}
	if (sum != bytes)
		return "event block's columns do not add up to its size";
	b->dict = raw + PGT_BLOCK_HEAD_BYTES;
	raw = b->dict + (size_t)b->nr_dict * PGT_DICT_ENTRY_BYTES;
	for (int i = 0; i < NR_COLUMNS; i++) {
		b->column[i].at = raw;
		raw += length[i];
		b->column[i].end = raw;
	}
	return NULL;
}

/* Combinations and flags; the control number waits in `gfp` for decode_fields. */
static void decode_control(struct block *b, struct trace_event *events, uint32_t n)
{
	for (uint32_t i = 0; i < n && b->wrong == NULL; i++) {
		struct trace_event *e = &events[i];
		uint32_t control = get_varint32(b, CONTROL);
		const uint8_t *small = b->dict + (size_t)(control >> NR_FLAG_BITS) * 8;

		if (control >> NR_FLAG_BITS >= b->nr_dict) {
			b->wrong = "an event names a combination that is not there";
			return;
		}
		e->gfp = control;
		e->cpu = small[0];
		e->type = small[1];
		e->order = small[2];
		e->mt = (int8_t)small[3];
		e->irqflags = small[4];
		e->preempt = small[5];
		e->x1 = small[6];
		e->x2 = small[7];
		b->place[e->type + 1]++;
	}
}

static uint64_t decode_time(struct block *b, uint8_t type, uint64_t last_ts)
{
	uint32_t at = b->place[type]++;
	uint64_t high = b->column[TS_MID].at[at];

	if (high == ESCAPE) {
		high += get_varint(b, TS_REST);
		if (high > UINT64_MAX >> 8)
			b->wrong = "a time step overruns its width";
	}
	return last_ts + unzigzag64(high << 8 | b->column[TS_LOW].at[at]);
}

static void decode_fields(struct block *b, struct trace_event *events, uint32_t n)
{
	struct prediction p = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		struct trace_event *e = &events[i];
		uint32_t flags = e->gfp;
		uint32_t *gfp = &b->entry_gfp[flags >> NR_FLAG_BITS];
		uint32_t *pid = &p.cpu_pid[e->cpu];

		if (flags & HAS_GFP)
			*gfp += unzigzag32(get_varint32(b, GFP));
		if (flags & HAS_PID)
			*pid += unzigzag32(get_varint32(b, PID));
		if (flags & SAME_PFN)
			e->pfn = p.pfn;
		else
			e->pfn = p.type_pfn[e->type] + unzigzag64(get_varint(b, PFN));
		note_pfn(&p, e->type, e->pfn);
		p.ts = decode_time(b, e->type, p.ts);
		e->ts = p.ts;
		e->gfp = *gfp;
		e->pid = (int32_t)*pid;
	}
}

const char *pgt_block_decode(uint64_t first, const uint8_t *raw, size_t bytes,
			     struct trace_event *events, uint32_t n)
{
	struct block b = { 0 };
	const char *wrong = split_columns(&b, first, raw, bytes, n);

	if (wrong != NULL)
		return wrong;
	b.entry_gfp = calloc((size_t)b.nr_dict + 1, sizeof(*b.entry_gfp));
	if (b.entry_gfp == NULL)
		return "out of memory";
	decode_control(&b, events, n);
	if (b.wrong == NULL) {
		for (uint32_t t = 1; t < NR_BYTE_VALUES; t++)
			b.place[t] += b.place[t - 1];
		decode_fields(&b, events, n);
	}
	free(b.entry_gfp);
	for (int i = 0; i < NR_COLUMNS && b.wrong == NULL; i++) {
		if (i != TS_LOW && i != TS_MID && b.column[i].at != b.column[i].end)
			b.wrong = "a column is longer than the events need";
	}
	return b.wrong;
}
