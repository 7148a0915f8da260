/* SPDX-License-Identifier: MIT */
/* The part of the full walk that is about who owns pageblocks. */
#include "watch/check.h"

#include "zone/owner.h"

/* What lies in one pageblock. */
struct in_block {
	uint32_t free, owned; /* pages: in free blocks; on the owner's lists */
};

static struct in_block look_into(const struct pagus_state *st, uint32_t start)
{
	struct in_block in = { 0 };

	for (uint32_t i = start; i < start + (1u << st->pageblock_order); i++) {
		const struct pg_page *page = pg_page(st, i);

		in.free += pg_page_kind(page) == PAGUS_PAGE_FREE ? 1u << pg_page_order(page) : 0;
		in.owned += pg_page_kind(page) == PAGUS_PAGE_PCP_OWNED ? 1u << pg_page_order(page) : 0;
	}
	return in;
}

static int check_record(const struct pagus_state *st, uint32_t record)
{
	const struct pg_own *own = pg_own(st, record);
	uint32_t start = pg_own_start(st, record), pages = 1u << st->pageblock_order;
	const struct in_block in = look_into(st, start);

	if (in.owned != own->nr_free)
		return INV_owned_free;
	if (own->owner == 0)
		return own->nr_free || pg_own_listed(own, PG_OWN_PIECES) ||
				       pg_own_listed(own, PG_OWN_WHOLE) ? INV_owner : 0;
	if (own->owner > st->nr_cpus || in.free >= pages ||
	    !pg_type_mergeable(pg_block_type(st, start)))
		return INV_owner;
	if (in.free && !pg_own_listed(own, PG_OWN_PIECES))
		return INV_pieces;
	return (own->nr_free == pages) == pg_own_listed(own, PG_OWN_WHOLE) ? 0 : INV_whole;
}

/* One list of one pcp: *nr more records were met. */
static int check_records(const struct pagus_state *st, uint32_t zone, uint32_t cpu, uint32_t list,
			 uint32_t *nr)
{
	uint32_t head = pg_own_head(st, zone, cpu), nr_blocks = st->nr_pages >> st->pageblock_order;
	uint32_t first = pg_own_record(st, st->first_page), prev = head;
	int broken = list == PG_OWN_PIECES ? INV_pieces : INV_whole;

	for (uint32_t r = pg_own(st, head)->link[list].next; r != head;
	     prev = r, r = pg_own(st, r)->link[list].next) {
		if (r < first || r >= first + nr_blocks || ++*nr > nr_blocks ||
		    pg_own(st, r)->link[list].prev != prev || pg_own(st, r)->owner != cpu + 1 ||
		    pg_page(st, pg_own_start(st, r))->zone != zone)
			return broken;
	}
	return pg_own(st, head)->link[list].prev == prev ? 0 : broken;
}

static int check_lists(const struct pagus_state *st, uint32_t list)
{
	uint32_t nr_blocks = st->nr_pages >> st->pageblock_order, met = 0, marked = 0;
	uint32_t first = pg_own_record(st, st->first_page);
	int broken = 0;

	for (uint32_t zone = 0; zone < st->nr_zones && !broken; zone++)
		for (uint32_t cpu = 0; cpu < st->nr_cpus && !broken; cpu++)
			broken = check_records(st, zone, cpu, list, &met);
	for (uint32_t r = first; r < first + nr_blocks; r++)
		marked += pg_own_listed(pg_own(st, r), list);
	if (!broken && met != marked)
		broken = list == PG_OWN_PIECES ? INV_pieces : INV_whole;
	return broken;
}

int pg_check_owners(const struct pagus_state *st, uint32_t *where)
{
	uint32_t first = pg_own_record(st, st->first_page);
	int broken = 0;

	if (!st->off_owns)
		return 0;
	for (uint32_t r = first; r < first + (st->nr_pages >> st->pageblock_order) && !broken; r++) {
		*where = pg_own_start(st, r);
		broken = check_record(st, r);
	}
	for (uint32_t list = 0; list < PG_NR_OWN_LISTS && !broken; list++)
		broken = check_lists(st, list);
	return broken;
}
