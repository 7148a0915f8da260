/* SPDX-License-Identifier: MIT */
/* What a cache of the port is filled with, and what it spills. */
#include <pagus/cache.h>

#include "alloc/alloc.h"
#include "alloc/free.h"
#include "alloc/request.h"
#include "base/bits.h"
#include "pcp/cache.h"
#include "pcp/maps.h"

#define BATCH PG_MAPS_MANY

enum pagus_status pagus_cache_open(struct pagus *p, uint32_t zone)
{
	struct pg_call c = pg_call_begin(p);
	enum pagus_status status = pg_cache_open(&c, zone);

	pg_call_end(&c);
	return status;
}

/* ---- fill ------------------------------------------------------------------------------------ */

/* The zone that the plan prefers, if it keeps its mark without so many pages; else NULL. */
static struct pg_zone *rich_zone(const struct pg_call *c, const struct pg_plan *plan, uint64_t pages)
{
	struct pg_zone *z;

	if (plan->preferred == 0)
		return NULL;
	z = pg_plan_zone(c->st, plan, plan->preferred);
	return pg_watermark_ok(c->st, z, 0, pg_mark(z, PAGUS_WMARK_LOW) + pages, z->type,
			       plan->fast_flags) ? z : NULL;
}

static void list_pfns(const struct pagus_state *st, const struct pg_words *words,
		      pagus_pfn_t *pfns)
{
	for (uint32_t n = 0; n < words->nr; n++) {
		pagus_pfn_t first = pg_pfn(st, words->word[n].start);

		for (uint64_t rest = words->word[n].heads; rest; rest &= rest - 1)
			*pfns++ = first + (uint32_t)__builtin_ctzll(rest);
	}
}

static uint32_t fill(struct pg_call *c, const struct pagus_request *req, uint32_t nr,
		     pagus_pfn_t *pfns)
{
	struct pg_asker asker = pg_who_asks(c, req->task);
	struct pg_words words;
	struct pg_take take;
	uint32_t got;
	struct pg_plan plan;
	struct pg_pcp *pcp;
	struct pg_zone *z;

	nr = nr < BATCH ? nr : BATCH;
	if (!pg_mapped(c->st) || pg_plan_make(c->st, &asker, req, &plan) != PAGUS_OK ||
	    !(c->st->pcp_orders >> req->order & 1))
		return 0;
	z = rich_zone(c, &plan, (uint64_t)nr << req->order);
	if (!z)
		return 0;
	pcp = pg_pcp(c->st, z->id, c->cpu);
	/* Whoever holds it holds it for a few blocks: to wait costs less than to go to the zone. */
	pg_pcp_lock(c, pcp, PAGUS_REASON_PCP_ALLOC);
	pg_maps_gather(c, pcp);
	take = (struct pg_take){ .order = req->order, .type = plan.type, .flags = plan.fast_flags };
	got = pg_maps_take_many(c, z, pcp, &take, nr, &words);
	pg_pcp_unlock(c, pcp);
	list_pfns(c->st, &words, pfns);
	pg_count_granted(c, &plan, z, got);
	return got;
}

uint32_t pagus_cache_fill(struct pagus *p, const struct pagus_request *req, uint32_t nr,
			  pagus_pfn_t *pfns)
{
	struct pg_call c = pg_call_begin(p);
	uint32_t got = fill(&c, req, nr, pfns);

	pg_call_end(&c);
	return got;
}

/* ---- spill ----------------------------------------------------------------------------------- */

/* Are blocks of the order freed word by word? Not where something is done with each of them. */
static bool in_words(const struct pg_call *c, uint32_t order)
{
	return pg_mapped(c->st) && order < PG_WORD_ORDER && order < c->st->pageblock_order &&
	       !pg_read(c->st->content) && !c->p->port->check &&
	       !pg_event_wanted(c, PAGUS_EVENT_FREE);
}

/* Only those that are blocks are left of the word; the others are refused: how many. */
static uint32_t sift(struct pg_call *c, struct pg_word *word, pagus_pfn_t first, uint32_t order)
{
	uint32_t refused = 0;

	for (uint64_t rest = word->heads; rest; rest &= rest - 1) {
		uint32_t bit = (uint32_t)__builtin_ctzll(rest), i;
		enum pagus_status status = pg_free_check(c->st, first + bit, order, &i);

		if (status == PAGUS_OK)
			continue;
		pg_free_refuse(c, status, first + bit, i, order);
		word->heads &= ~(UINT64_C(1) << bit);
		refused++;
	}
	return refused;
}

static bool all_blocks(const struct pagus_state *st, const struct pg_word *word, uint32_t order)
{
	uint32_t i = word->start;

	return i != PG_NONE &&
	       !(word->heads & ~pg_map_blocks(pg_map(st, i), pg_map_bit(st, i) / 64, order));
}

static void spill_words(struct pg_call *c, const pagus_pfn_t *pfns, uint32_t nr, uint32_t order)
{
	const uint32_t room = 1u << pg_min(PG_WORD_ORDER, c->st->pageblock_order);
	uint32_t refused = 0, freed = 0, n = 0;
	struct pg_words words;

	words.nr = 0;
	while (n < nr) {
		pagus_pfn_t first = pfns[n] & ~(pagus_pfn_t)(room - 1);
		struct pg_word word = { .start = pg_index(c->st, first) };

		for (; n < nr && pfns[n] - first < room; n++)
			word.heads |= UINT64_C(1) << (pfns[n] - first);
		if (pg_unlikely(!all_blocks(c->st, &word, order)))
			refused += sift(c, &word, first, order);
		words.word[words.nr] = word;
		words.nr += word.heads != 0;
	}
	if (words.nr)
		freed = pg_maps_free_words(c, &words, order);
	pg_count(c, PAGUS_COUNTER_free_ok, freed);
	pg_count(c, PAGUS_COUNTER_pgfree, (uint64_t)freed << order);
	/* What came twice at once. */
	pg_count(c, PAGUS_COUNTER_free_bad, nr - refused - freed);
}

void pagus_cache_spill(struct pagus *p, const pagus_pfn_t *pfns, uint32_t nr, uint32_t order)
{
	struct pg_call c = pg_call_begin(p);
	bool words = in_words(&c, order);

	for (uint32_t n = 0; n < nr && words; n += BATCH)
		spill_words(&c, pfns + n, nr - n < BATCH ? nr - n : BATCH, order);
	for (uint32_t n = 0; n < nr && !words; n++)
		pg_free(&c, pfns[n], order);
	pg_call_end(&c);
}
