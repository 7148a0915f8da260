/* SPDX-License-Identifier: MIT */
/*
 * Which events a call may raise and in which order, for every call on any machine. Each event is a
 * letter, a call is a word, and the words of each kind of call are a regular expression:
 *
 *   A alloc  F free  L zone_locked  X extfrag  C both of one claim  T retype  R refill
 *   D drain  P pcpu_drain
 */
#include <regex.h>

#include "property/random_world.h"

#define WORLDS     60
#define OPERATIONS 1500
#define MAX_WORD   4096

/* How a release tells of a block that leaves the lists, and of retyping at a merge. */
struct dialect {
	const char *policy;
	bool pcps;
	bool claim_after_lock; /* a claim says zone_locked, then extfrag, of the same block */
	const char *words[WORLD_NR_STEPS]; /* of each kind of call */
};

#define DRAINS "^(D(T*P)+)*$"

static const struct dialect dialects[] = {
	{ "linux", true, true,
	  { "^((T*[LXC])+RA|T*[LXC]T*A|T*A)$", "^F(T*|(D(T*P)+)+)$", DRAINS, DRAINS } },
	{ "nopcp", false, true, { "^(T*[LXC]T*A|T*A)$", "^FT*$", "^$", "^$" } },
	{ "linux-6.1", true, false,
	  { "^((T*X?L)+RA|T*X?LT*A|T*A)$", "^F(DP+)*$", "^(DP+)*$", "^$" } },
	{ "none+convert", false, false, { "^(T*X?LT*A|T*A)$", "^F$", "^$", "^$" } },
};

static bool is_claim(const struct world *w, const struct dialect *d, uint32_t n)
{
	const struct pagus_event *event = &w->lab.log[n];

	return d->claim_after_lock && n + 1 < w->lab.nr_events &&
	       event->id == PAGUS_EVENT_ZONE_LOCKED && event[1].id == PAGUS_EVENT_EXTFRAG &&
	       event[1].pfn == event->pfn;
}

static void spell(const struct world *w, const struct dialect *d, char *word)
{
	static const char letters[] = "AFLPXUTRDBK";
	uint32_t length = 0;

	assert_true(w->lab.nr_events < MAX_WORD);
	for (uint32_t n = 0; n < w->lab.nr_events; n++) {
		bool claim = is_claim(w, d, n);

		word[length++] = claim ? 'C' : letters[w->lab.log[n].id];
		n += claim;
	}
	word[length] = '\0';
}

static void expect_word(const struct dialect *d, const regex_t *regexes, enum world_step step,
			const char *word)
{
	if (regexec(&regexes[step], word, 0, NULL, 0))
		fail_msg("%s: '%s' does not match %s", d->policy, word, d->words[step]);
}

/* ---- what the events of an allocation say --------------------------------------------------- */

static void expect_locked(const struct world *w, const struct dialect *d,
			  const struct pagus_request *req, const struct pagus_event *event)
{
	uint32_t type = req->gfp >> 3 & 3;
	bool cached = d->pcps && (req->order < 4 || req->order == w->cfg.pageblock_order);

	assert_int_equal(event->order, req->order);
	assert_true(event->migratetype == type || event->migratetype == PAGUS_HIGHATOMIC ||
		    (event->migratetype == PAGUS_CMA && type == PAGUS_MOVABLE));
	assert_int_equal(event->a, cached && event->migratetype < PAGUS_HIGHATOMIC);
}

/* A whole pageblock changes owner, a part only with zone_locked; what is stolen does not. */
static void expect_fallback(const struct world *w, const struct dialect *d,
			    const struct pagus_request *req, const struct pagus_event *event,
			    bool part)
{
	uint32_t type = req->gfp >> 3 & 3, from = event->b & 0xff;
	bool owned = event->b & UNIT_CLAIMED;

	assert_int_equal(event->order, req->order);
	assert_int_equal(event->migratetype, type);
	assert_true(event->a >= req->order && event->a <= w->cfg.max_order);
	assert_true(from < PAGUS_HIGHATOMIC && from != type);
	if (event->a >= w->cfg.pageblock_order)
		assert_true(owned && !part);
	else if (d->claim_after_lock)
		assert_true(owned == part);
	if (part && type == PAGUS_MOVABLE)
		assert_true(event->a >= w->cfg.pageblock_order / 2);
}

static void expect_alloc(const struct world *w, const struct dialect *d,
			 const struct world_deed *deed)
{
	const struct pagus_event *last = &w->lab.log[w->lab.nr_events - 1], *first = NULL;
	uint32_t nr_groups = 0;

	for (uint32_t n = 0; n < w->lab.nr_events; n++) {
		const struct pagus_event *event = &w->lab.log[n];
		bool part = is_claim(w, d, n);

		if (event->id == PAGUS_EVENT_ZONE_LOCKED)
			expect_locked(w, d, &deed->req, event);
		if (event->id == PAGUS_EVENT_EXTFRAG || part)
			expect_fallback(w, d, &deed->req, event + part, part);
		if (event->id == PAGUS_EVENT_REFILL) {
			assert_int_equal(event->b, nr_groups);
			assert_true(event->a >= event->b);
		}
		if (event->id == PAGUS_EVENT_ZONE_LOCKED ||
		    (event->id == PAGUS_EVENT_EXTFRAG && d->claim_after_lock)) {
			first = first ? first : event;
			nr_groups++;
		}
		n += part;
	}
	assert_int_equal(last->b, deed->res.status);
	assert_true(last->pfn == deed->res.pfn);
	/* The first block taken serves the request; from a list that was not empty, none is. */
	if (first)
		assert_true(first->pfn == deed->res.pfn && !deed->res.from_pcp);
	else
		assert_true(deed->res.from_pcp == (deed->res.status == PAGUS_OK));
}

/* Each drain gives what was asked, and less than its last block more. */
static void expect_drains(const struct world *w)
{
	uint32_t asked = 0, given = 0, last = 0;

	for (uint32_t n = 0; n <= w->lab.nr_events; n++) {
		const struct pagus_event *event = &w->lab.log[n];

		if (n == w->lab.nr_events || event->id == PAGUS_EVENT_DRAIN) {
			assert_true(given >= asked && (!asked || given - last < asked));
			asked = n < w->lab.nr_events ? event->a : 0;
			given = 0;
		} else if (event->id == PAGUS_EVENT_PCPU_DRAIN) {
			last = 1u << event->order;
			given += last;
		}
	}
}

static void run_world(const struct dialect *d, const regex_t *regexes, uint64_t seed)
{
	static struct world w;
	static char word[MAX_WORD];

	world_open(&w, d->policy, seed % 2, seed);
	lab_listen(&w.lab, UNIT_ALL_EVENTS);
	for (uint32_t op = 0; op < OPERATIONS; op++) {
		struct world_deed deed = world_step(&w, world_tide(op));

		spell(&w, d, word);
		expect_word(d, regexes, deed.step, word);
		if (deed.step == WORLD_ALLOC)
			expect_alloc(&w, d, &deed);
		else
			expect_drains(&w);
	}
	unit_close(&w.lab);
}

static void every_call_raises_its_events_in_order(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (size_t n = 0; n < NR_OF(dialects); n++) {
		regex_t regexes[WORLD_NR_STEPS];

		for (uint32_t s = 0; s < WORLD_NR_STEPS; s++)
			assert_int_equal(regcomp(&regexes[s], dialects[n].words[s],
						 REG_EXTENDED | REG_NOSUB), 0);
		for (uint64_t k = 0; k < WORLDS; k++)
			run_world(&dialects[n], regexes, seed + k);
		for (uint32_t s = 0; s < WORLD_NR_STEPS; s++)
			regfree(&regexes[s]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_raises_its_events_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
