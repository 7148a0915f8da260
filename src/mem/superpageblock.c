/* SPDX-License-Identifier: MIT */
#include "mem/superpageblock.h"

void pg_spb_put(struct pagus_state *st, const struct pg_zone *z, uint32_t set, uint32_t n, bool in)
{
	uint64_t *bits = pg_spb_set(st, z, set), *above = bits + pg_spb_above(z);
	uint32_t word = n / 64;
	uint64_t bit = UINT64_C(1) << n % 64, mark = UINT64_C(1) << word % 64;

	bits[word] = in ? bits[word] | bit : bits[word] & ~bit;
	above[word / 64] = bits[word] ? above[word / 64] | mark : above[word / 64] & ~mark;
}

void pg_spb_listed(struct pagus_state *st, struct pg_zone *z, uint32_t i, uint32_t order,
		   uint32_t type, bool in)
{
	uint32_t n = pg_spb_number(st, z, i), list = order * PAGUS_NR_MIGRATETYPES + type;
	uint16_t *nr = &pg_spb(st, z, n)->nr_listed[list];

	PG_ASSERT(in || *nr > 0);
	*nr = (uint16_t)(in ? *nr + 1 : *nr - 1);
	if (*nr == (in ? 1 : 0))
		pg_spb_put(st, z, PG_SPB_LISTED + list, n, in);
}

uint32_t pg_spb_choose_order(uint64_t span, uint32_t least)
{
	uint32_t order = PG_SPB_MAX_ORDER;

	while (order > least && span >> order < PG_SPB_MIN_BLOCKS)
		order--;
	return order;
}

void pg_spb_present(struct pagus_state *st, struct pg_zone *z, uint32_t i)
{
	struct pg_spb *s = pg_spb(st, z, pg_spb_number(st, z, i));
	uint32_t block = pg_block(st, i);

	if (s->nr_blocks == 0)
		s->first_block = block;
	if (s->nr_blocks && s->end_block == block + 1)
		return;
	s->end_block = block + 1;
	s->nr_blocks++;
}
