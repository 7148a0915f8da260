/* SPDX-License-Identifier: MIT */
/*
 * Policies. A policy is a pcp (what a CPU keeps) and a placement (which free piece serves). The
 * named ones are rows; any other pair of parts is written PCP+PLACE.
 */
#include "policy.h"

#include "pcp/pcp.h"

const struct pg_pcp_ops *const pg_pcps[] = { &pg_pcp_none, &pg_pcp_linux, &pg_pcp_fixed,
					     &pg_pcp_pageblock, &pg_pcp_bitmap };
const uint32_t pg_nr_pcps = sizeof(pg_pcps) / sizeof(pg_pcps[0]);
const struct pg_place *const pg_places[] = { &pg_place_plain, &pg_place_linux, &pg_place_convert,
					      &pg_place_superpageblock };
const uint32_t pg_nr_places = sizeof(pg_places) / sizeof(pg_places[0]);

static const struct policy {
	const char *name, *pcp, *place, *about;
	uint32_t release;
} policies[] = {
	{ "linux", "linux", "linux", "the allocator of Linux 7.2", PG_RELEASE_7_2 },
	{ "nopcp", "none", "linux", "linux without per-CPU lists", PG_RELEASE_7_2 },
	{ "nogroup", "linux", "plain", "linux without grouping by mobility", PG_RELEASE_7_2 },
	{ "plain", "none", "plain", "one buddy system, no per-CPU lists, no grouping",
	  PG_RELEASE_7_2 },
	{ "pcpbuddy", "pageblock", "linux", "linux whose CPUs own pageblocks: the pcp buddy allocator",
	  PG_RELEASE_7_2 },
	{ "pcpbuddy-bitmap", "bitmap", "linux",
	  "the pcp buddy allocator over maps of pageblocks: fast, and small", PG_RELEASE_7_2 },
	{ "superpageblock", "bitmap", "superpageblock",
	  "pcpbuddy-bitmap that keeps unmovable pages together: 1 GiB pages", PG_RELEASE_7_2 },
	{ "linux-6.1", "fixed", "convert", "the allocator of Linux 6.1", PG_RELEASE_6_1 },
	{ "linux-6.12", "linux", "linux", "the allocator of Linux 6.12", PG_RELEASE_6_12 },
	{ "linux-6.18", "linux", "linux", "the allocator of Linux 6.18", PG_RELEASE_6_18 },
};
#define NR_POLICIES (sizeof(policies) / sizeof(policies[0]))

/* True if text[0..len) is exactly `name`. */
static bool is_name(const char *text, size_t len, const char *name)
{
	size_t n = 0;

	while (n < len && name[n] && text[n] == name[n])
		n++;
	return n == len && name[n] == '\0';
}

static size_t length_to(const char *text, char end)
{
	size_t n = 0;

	while (text[n] && text[n] != end)
		n++;
	return n;
}

/* Rows of the tables that a policy is made of. */
struct parts {
	uint32_t pcp, place, release;
};

/* A placement goes with one release unless a named policy says otherwise. */
static bool find_parts(const char *pcp, size_t pcp_len, const char *place, size_t place_len,
		       struct parts *parts)
{
	for (parts->pcp = 0; parts->pcp < pg_nr_pcps; parts->pcp++)
		if (is_name(pcp, pcp_len, pg_pcps[parts->pcp]->name))
			break;
	for (parts->place = 0; parts->place < pg_nr_places; parts->place++)
		if (is_name(place, place_len, pg_places[parts->place]->name))
			break;
	if (parts->pcp == pg_nr_pcps || parts->place == pg_nr_places)
		return false;
	parts->release = pg_places[parts->place]->release;
	if (pg_places[parts->place]->superpageblocks && !pg_pcps[parts->pcp]->maps)
		return false;
	/* In a map a pageblock's free blocks are all of its own migratetype. */
	return !pg_pcps[parts->pcp]->maps || pg_releases[parts->release].list_is_block_type;
}

static bool find_policy(const char *name, struct parts *parts)
{
	size_t len = length_to(name, '\0'), plus = length_to(name, '+');

	for (size_t n = 0; n < NR_POLICIES; n++) {
		const struct policy *row = &policies[n];

		if (!is_name(name, len, row->name))
			continue;
		find_parts(row->pcp, length_to(row->pcp, '\0'), row->place,
			   length_to(row->place, '\0'), parts);
		parts->release = row->release;
		return true;
	}
	return plus < len && find_parts(name, plus, name + plus + 1, len - plus - 1, parts);
}

bool pg_policy_set(struct pagus_state *st, const char *name)
{
	struct parts parts;

	if (!find_policy(name, &parts))
		return false;
	st->pcp_policy = parts.pcp;
	st->place_policy = parts.place;
	st->release = parts.release;
	st->pcp_orders = 0;
	if (pg_pcps[st->pcp_policy]->cached)
		st->pcp_orders = (((1u << PG_PCP_SMALL_ORDERS) - 1) | 1u << st->pageblock_order) &
				 ((2u << st->max_order) - 1);
	if (pg_pcps[st->pcp_policy]->all_orders)
		st->pcp_orders = (2u << st->pageblock_order) - 1;
	st->local_orders = pg_pcps[st->pcp_policy]->free ? 0 : st->pcp_orders;
	st->mobility_off = pg_places[st->place_policy]->mobility_off;
	return true;
}

struct pg_layout_wants pg_policy_wants(const char *name, uint32_t pageblock_order)
{
	struct pg_layout_wants wants = { .nr_pcp_lists = PAGUS_NR_PCP_LISTS };
	struct parts parts;

	if (find_policy(name, &parts) && pg_pcps[parts.pcp]->all_orders) {
		wants.nr_pcp_lists = PG_PCP_TYPES * (pageblock_order + 1);
		wants.maps = pg_pcps[parts.pcp]->maps;
		wants.owners = !wants.maps;
		wants.superpageblocks = pg_places[parts.place]->superpageblocks;
	}
	return wants;
}

const char *pagus_policy_at(uint32_t n, const char **about)
{
	if (n >= NR_POLICIES)
		return NULL;
	if (about)
		*about = policies[n].about;
	return policies[n].name;
}

bool pagus_policy_known(const char *name)
{
	struct parts parts;

	return find_policy(name, &parts);
}

bool pagus_policy_superpageblocks(const char *name)
{
	struct parts parts;

	return find_policy(name, &parts) && pg_places[parts.place]->superpageblocks;
}
