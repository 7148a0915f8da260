/* SPDX-License-Identifier: MIT */
/*
 * GFP masks as text and back. The table of a release is in the order in which its kernel matches:
 * a name that matches takes its bits out of the mask, so large composites stand first.
 */
#include "watch/text.h"

struct gfp_name {
	const char *name;
	uint32_t mask;
};

#define GFP_ATOMIC_6_1 (GFP_ATOMIC | 0x200u)
#define GFP_NOWAIT_6_1 __GFP_KSWAPD_RECLAIM

#define NAME(flag) { #flag, flag }

#define COMPOSITES(atomic, nowait)                                                                 \
	NAME(GFP_TRANSHUGE), NAME(GFP_TRANSHUGE_LIGHT), NAME(GFP_HIGHUSER_MOVABLE),               \
	NAME(GFP_HIGHUSER), NAME(GFP_USER), NAME(GFP_KERNEL_ACCOUNT), NAME(GFP_KERNEL),           \
	NAME(GFP_NOFS), { "GFP_ATOMIC", atomic }, NAME(GFP_NOIO), { "GFP_NOWAIT", nowait },       \
	NAME(GFP_DMA)

static const struct gfp_name names_6_1[] = {
	COMPOSITES(GFP_ATOMIC_6_1, GFP_NOWAIT_6_1),
	NAME(__GFP_HIGHMEM), NAME(GFP_DMA32), NAME(__GFP_HIGH), { "__GFP_ATOMIC", 0x200u },
	NAME(__GFP_IO), NAME(__GFP_FS), NAME(__GFP_NOWARN), NAME(__GFP_RETRY_MAYFAIL),
	NAME(__GFP_NOFAIL), NAME(__GFP_NORETRY), NAME(__GFP_COMP), NAME(__GFP_ZERO),
	NAME(__GFP_NOMEMALLOC), NAME(__GFP_MEMALLOC), NAME(__GFP_HARDWALL), NAME(__GFP_THISNODE),
	NAME(__GFP_RECLAIMABLE), NAME(__GFP_MOVABLE), NAME(__GFP_ACCOUNT), NAME(__GFP_WRITE),
	NAME(__GFP_RECLAIM), NAME(__GFP_DIRECT_RECLAIM), NAME(__GFP_KSWAPD_RECLAIM),
	NAME(__GFP_ZEROTAGS), NAME(__GFP_DMA), NAME(__GFP_DMA32),
};

static const struct gfp_name names_6_12[] = {
	COMPOSITES(GFP_ATOMIC, GFP_NOWAIT),
	NAME(GFP_DMA32), NAME(__GFP_RECLAIM), NAME(__GFP_DMA), NAME(__GFP_HIGHMEM),
	NAME(__GFP_DMA32), NAME(__GFP_MOVABLE), NAME(__GFP_RECLAIMABLE), NAME(__GFP_HIGH),
	NAME(__GFP_IO), NAME(__GFP_FS), NAME(__GFP_ZERO), NAME(__GFP_DIRECT_RECLAIM),
	NAME(__GFP_KSWAPD_RECLAIM), NAME(__GFP_WRITE), NAME(__GFP_NOWARN),
	NAME(__GFP_RETRY_MAYFAIL), NAME(__GFP_NOFAIL), NAME(__GFP_NORETRY), NAME(__GFP_MEMALLOC),
	NAME(__GFP_COMP), NAME(__GFP_NOMEMALLOC), NAME(__GFP_HARDWALL), NAME(__GFP_THISNODE),
	NAME(__GFP_ACCOUNT), NAME(__GFP_ZEROTAGS), NAME(__GFP_NO_OBJ_EXT),
};

#define NR_OF(names) ((uint32_t)(sizeof(names) / sizeof((names)[0])))

static const struct table {
	struct pg_span span;
	const struct gfp_name *names;
	uint32_t nr;
} tables[] = {
	{ { 0, PG_KERNEL(6, 12) }, names_6_1, NR_OF(names_6_1) },
	{ { PG_KERNEL(6, 12), 0 }, names_6_12, NR_OF(names_6_12) },
};

static const struct table *find_table(const struct pagus *p)
{
	uint32_t kernel = p ? pg_text_kernel(p->state) : PG_KERNEL(6, 18), n = 0;

	while (!pg_span_has(tables[n].span, kernel))
		n++;
	return &tables[n];
}

void pagus_text_gfp(const struct pagus *p, struct pagus_text *t, uint32_t gfp)
{
	const struct table *table = find_table(p);
	const char *before = "";

	if (!gfp) {
		pg_put(t, "none");
		return;
	}
	for (uint32_t n = 0; n < table->nr; n++) {
		if ((gfp & table->names[n].mask) != table->names[n].mask)
			continue;
		pg_put(t, before);
		pg_put(t, table->names[n].name);
		gfp &= ~table->names[n].mask;
		before = "|";
	}
	if (gfp) {
		pg_put(t, before);
		pg_put(t, "0x");
		pg_put_hex(t, gfp, 0);
	}
}

/* ---- back ------------------------------------------------------------------------------------ */

static bool word_is(const char *word, uint32_t length, const char *name)
{
	uint32_t n = 0;

	while (n < length && name[n] == word[n])
		n++;
	return n == length && !name[n];
}

/* 0x and one to eight digits. */
static bool parse_hex(const char *word, uint32_t length, uint32_t *bits)
{
	if (length < 3 || length > 10 || word[0] != '0' || word[1] != 'x')
		return false;
	*bits = 0;
	for (uint32_t n = 2; n < length; n++) {
		uint32_t digit = 16;

		if (word[n] >= '0' && word[n] <= '9')
			digit = (uint32_t)(word[n] - '0');
		else if (word[n] >= 'a' && word[n] <= 'f')
			digit = (uint32_t)(word[n] - 'a') + 10;
		else if (word[n] >= 'A' && word[n] <= 'F')
			digit = (uint32_t)(word[n] - 'A') + 10;
		if (digit == 16)
			return false;
		*bits = *bits << 4 | digit;
	}
	return true;
}

static bool parse_word(const struct table *table, const char *word, uint32_t length, uint32_t *bits)
{
	for (uint32_t n = 0; n < table->nr; n++) {
		if (word_is(word, length, table->names[n].name)) {
			*bits = table->names[n].mask;
			return true;
		}
	}
	return parse_hex(word, length, bits);
}

enum pagus_status pagus_gfp_parse(const struct pagus *p, const char *text, uint32_t *gfp)
{
	const struct table *table = find_table(p);
	uint32_t mask = 0;

	if (pg_text_equal(text, "none")) {
		*gfp = 0;
		return PAGUS_OK;
	}
	for (;; text++) {
		uint32_t length = 0, bits;

		while (text[length] && text[length] != '|')
			length++;
		if (!parse_word(table, text, length, &bits))
			return PAGUS_BAD_VALUE;
		mask |= bits;
		text += length;
		if (!*text)
			break;
	}
	*gfp = mask;
	return PAGUS_OK;
}
