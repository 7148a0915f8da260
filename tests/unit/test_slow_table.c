/* SPDX-License-Identifier: MIT */
/*
 * The slow path's table against the slow path written down as a program: for every combination of
 * what a request and a release are, and many courses of events, both perform the same acts in the
 * same order.
 */
#include "unit/unit.h"

#include <string.h>

#include "alloc/slow.h"

#define MAX_ACTS 80
#define COURSES  24
#define ROUNDS   5 /* of a course, after which rounds are over */

/* Facts that a request and a release bring along: all combinations are tried. */
static const uint32_t given[] = {
	PG_FACT_BLOCK, PG_FACT_KSWAPD, PG_FACT_IO, PG_FACT_COSTLY, PG_FACT_MIXES, PG_FACT_NORETRY,
	PG_FACT_MAYFAIL, PG_FACT_NOFAIL, PG_FACT_THISNODE, PG_FACT_MEMALLOC, PG_FACT_RIGHTS,
	PG_FACT_VICTIM, PG_FACT_NO_ZONE, PG_FACT_PLAIN, PG_FACT_EARLY_ONLY, PG_FACT_THISNODE_ENDS,
};

/* What superpageblocks add to that: the courses of a combination take turns. */
static const uint32_t kept[] = {
	0, PG_FACT_HELD, PG_FACT_HELD | PG_FACT_OFFERS, PG_FACT_SPARES,
	PG_FACT_HELD | PG_FACT_OFFERS | PG_FACT_OPTIONAL, PG_FACT_HELD | PG_FACT_OPTIONAL,
};

/* One course of events: the answers and the changes of facts are random, but the same for both. */
struct course {
	uint32_t facts;
	uint64_t seed;
	uint32_t rounds, nr_acts;
	uint32_t keeps; /* of HELD and SPARES, those at the start */
	uint8_t acts[MAX_ACTS];
};

static void set(struct course *k, uint32_t fact, bool on)
{
	k->facts = on ? k->facts | fact : k->facts & ~fact;
}

/* True while the course is not longer than can be kept. */
static bool goes_on(const struct course *k)
{
	return k->nr_acts < MAX_ACTS;
}

static bool perform(struct course *k, enum pg_act act)
{
	const uint32_t compacts = PG_FACT_BLOCK | PG_FACT_IO | PG_FACT_MIXES;
	const uint64_t chance = lab_random(&k->seed, 1 << 16);

	if (!goes_on(k))
		return false;
	k->acts[k->nr_acts++] = (uint8_t)act;
	switch (act) {
	case PG_ACT_RESTART:
		set(k, PG_FACT_PROGRESS | PG_FACT_CHANGED, false);
		set(k, PG_FACT_DEFERRED, true);
		set(k, k->keeps, true);
		set(k, PG_FACT_COMPACT_FIRST, !(k->facts & PG_FACT_EARLY_ONLY) &&
		    (k->facts & compacts) == compacts);
		return false;
	case PG_ACT_ROUND:
		set(k, PG_FACT_OUT_OF_ROUNDS, ++k->rounds > ROUNDS);
		return false;
	case PG_ACT_RECLAIM:
	case PG_ACT_OOM:
		set(k, PG_FACT_PROGRESS, chance & 0x10);
		set(k, PG_FACT_CHANGED, (chance & 0xe0) == 0);
		return (chance & 7) == 0;
	case PG_ACT_COMPACT:
	case PG_ACT_COMPACT_ASYNC:
		set(k, PG_FACT_DEFERRED, chance & 0x10);
		return (chance & 7) == 0;
	case PG_ACT_COMPACTED:
		set(k, PG_FACT_COMPACT_FIRST, false);
		return false;
	case PG_ACT_TAINT:
		set(k, PG_FACT_HELD, false);
		return false;
	case PG_ACT_DIP:
		set(k, PG_FACT_SPARES, false);
		return false;
	case PG_ACT_MIX:
		set(k, PG_FACT_PLAIN, false);
		return false;
	case PG_ACT_WALK:
	case PG_ACT_DRAIN:
	case PG_ACT_EVACUATE:
	case PG_ACT_LAST_RESORT:
		return (chance & 7) == 0;
	case PG_ACT_RIGHTS:
	case PG_ACT_RETRY_RECLAIM:
	case PG_ACT_RETRY_COMPACT:
		return (chance & 3) == 0;
	default:
		return false;
	}
}

/* ---- by the table ---------------------------------------------------------------------------- */

static void run_table(struct course *k)
{
	uint32_t row = 0;
	enum pg_act act;

	do {
		bool yes;

		row = pg_slow_meets(row, k->facts);
		assert_true(row < pg_nr_slow_rows);
		act = (enum pg_act)pg_slow_rows[row].act;
		yes = act == PG_ACT_GO ? false : perform(k, act);
		row = pg_slow_next(row, yes);
	} while (act != PG_ACT_GRANT && act != PG_ACT_REFUSE && goes_on(k));
}

/* ---- as a program ---------------------------------------------------------------------------- */

enum verdict { GO_ON, RESTART, RETRY, NOPAGE, GRANT, REFUSE };

static bool is(const struct course *k, uint32_t facts)
{
	return (k->facts & facts) == facts;
}

/* Up to 6.19: what comes once, before the rounds. */
static enum verdict early(struct course *k)
{
	if (is(k, PG_FACT_KSWAPD))
		perform(k, PG_ACT_WAKE);
	if (perform(k, PG_ACT_WALK))
		return GRANT;
	if (!is(k, PG_FACT_BLOCK | PG_FACT_IO | PG_FACT_MIXES) || is(k, PG_FACT_RIGHTS))
		return GO_ON;
	if (perform(k, PG_ACT_COMPACT_ASYNC))
		return GRANT;
	if (is(k, PG_FACT_COSTLY | PG_FACT_NORETRY)) {
		if (is(k, PG_FACT_DEFERRED) || is(k, PG_FACT_THISNODE | PG_FACT_THISNODE_ENDS))
			return NOPAGE;
		perform(k, PG_ACT_ASYNC_ONLY);
	}
	return GO_ON;
}

/* Only a superpageblock that would be tainted is in the way. */
static enum verdict held(struct course *k)
{
	if (!is(k, PG_FACT_HELD))
		return GO_ON;
	if (is(k, PG_FACT_OFFERS | PG_FACT_OPTIONAL))
		return NOPAGE;
	if (is(k, PG_FACT_BLOCK | PG_FACT_OFFERS) && !is(k, PG_FACT_MEMALLOC))
		return GO_ON;
	perform(k, PG_ACT_TAINT);
	return RETRY;
}

static enum verdict walk_older(struct course *k)
{
	if (is(k, PG_FACT_CHANGED))
		return RESTART;
	if (is(k, PG_FACT_KSWAPD))
		perform(k, PG_ACT_WAKE);
	perform(k, PG_ACT_RIGHTS);
	return perform(k, PG_ACT_WALK) ? GRANT : held(k);
}

static enum verdict walk_newer(struct course *k)
{
	enum verdict verdict;

	if (is(k, PG_FACT_KSWAPD))
		perform(k, PG_ACT_WAKE);
	if (perform(k, PG_ACT_WALK))
		return GRANT;
	if (perform(k, PG_ACT_RIGHTS))
		return RETRY;
	verdict = held(k);
	if (verdict == GO_ON && is(k, PG_FACT_PLAIN) && !is(k, PG_FACT_BLOCK)) {
		perform(k, PG_ACT_MIX);
		return RETRY;
	}
	return verdict;
}

static enum verdict reclaim_and_compact(struct course *k)
{
	if (!is(k, PG_FACT_BLOCK) || is(k, PG_FACT_MEMALLOC))
		return NOPAGE;
	if (is(k, PG_FACT_HELD) && !is(k, PG_FACT_COMPACT_FIRST) && perform(k, PG_ACT_DRAIN))
		return GRANT;
	if (!is(k, PG_FACT_COMPACT_FIRST) && perform(k, PG_ACT_RECLAIM))
		return GRANT;
	if (perform(k, PG_ACT_COMPACT))
		return GRANT;
	if (is(k, PG_FACT_COMPACT_FIRST)) {
		if (is(k, PG_FACT_NORETRY | PG_FACT_THISNODE))
			return NOPAGE;
		perform(k, PG_ACT_COMPACTED);
		return RETRY;
	}
	if (is(k, PG_FACT_HELD)) {
		if (perform(k, PG_ACT_EVACUATE))
			return GRANT;
		perform(k, is(k, PG_FACT_PLAIN) ? PG_ACT_MIX : PG_ACT_TAINT);
		return RETRY;
	}
	if (is(k, PG_FACT_NORETRY))
		return NOPAGE;
	if (is(k, PG_FACT_COSTLY) && (!is(k, PG_FACT_MAYFAIL) || !is(k, PG_FACT_IO)))
		return NOPAGE;
	return is(k, PG_FACT_CHANGED) && !is(k, PG_FACT_EARLY_ONLY) ? RESTART : GO_ON;
}

static enum verdict end_of_round(struct course *k)
{
	if (perform(k, PG_ACT_RETRY_RECLAIM))
		return RETRY;
	if (is(k, PG_FACT_PROGRESS | PG_FACT_IO) && perform(k, PG_ACT_RETRY_COMPACT))
		return RETRY;
	if (is(k, PG_FACT_PLAIN)) {
		perform(k, PG_ACT_MIX);
		return RETRY;
	}
	if (is(k, PG_FACT_SPARES)) {
		perform(k, PG_ACT_DIP);
		return RETRY;
	}
	if (is(k, PG_FACT_CHANGED))
		return RESTART;
	if (perform(k, PG_ACT_OOM))
		return GRANT;
	if (is(k, PG_FACT_VICTIM))
		return NOPAGE;
	if (!is(k, PG_FACT_PROGRESS))
		return NOPAGE;
	perform(k, PG_ACT_FORGET);
	return RETRY;
}

static enum verdict one_round(struct course *k)
{
	enum verdict verdict;

	perform(k, PG_ACT_ROUND);
	if (is(k, PG_FACT_OUT_OF_ROUNDS) && !is(k, PG_FACT_NOFAIL))
		return NOPAGE;
	verdict = is(k, PG_FACT_EARLY_ONLY) ? walk_older(k) : walk_newer(k);
	if (verdict == GO_ON)
		verdict = reclaim_and_compact(k);
	return verdict == GO_ON ? end_of_round(k) : verdict;
}

static enum verdict no_page(struct course *k)
{
	if (is(k, PG_FACT_CHANGED) && !is(k, PG_FACT_OUT_OF_ROUNDS))
		return RESTART;
	if (!is(k, PG_FACT_NOFAIL | PG_FACT_BLOCK))
		return REFUSE;
	if (perform(k, PG_ACT_LAST_RESORT))
		return GRANT;
	perform(k, PG_ACT_WAIT);
	return RETRY;
}

static enum verdict begin(struct course *k)
{
	enum verdict verdict = GO_ON;

	perform(k, PG_ACT_RESTART);
	if (is(k, PG_FACT_NO_ZONE))
		return REFUSE;
	if (is(k, PG_FACT_EARLY_ONLY))
		verdict = early(k);
	return verdict == GO_ON ? RETRY : verdict;
}

static void run_program(struct course *k)
{
	enum verdict verdict = RESTART;

	while (verdict != GRANT && verdict != REFUSE && goes_on(k)) {
		if (verdict == RESTART)
			verdict = begin(k);
		else if (verdict == RETRY)
			verdict = one_round(k);
		else
			verdict = no_page(k);
	}
	perform(k, verdict == GRANT ? PG_ACT_GRANT : PG_ACT_REFUSE);
}

static void table_and_program_perform_the_same_acts(void **state)
{
	uint64_t seed = lab_env("SEED", 20), granted = 0, refused = 0;

	(void)state;
	for (uint32_t set_of = 0; set_of < 1u << NR_OF(given); set_of++) {
		uint32_t facts = 0;

		for (size_t n = 0; n < NR_OF(given); n++)
			facts |= set_of >> n & 1 ? given[n] : 0;
		for (uint32_t n = 0; n < COURSES; n++) {
			uint32_t keeps = kept[n % NR_OF(kept)];
			struct course a = {
				.facts = facts | keeps, .seed = seed + set_of * 977u + n,
				.keeps = keeps & (PG_FACT_HELD | PG_FACT_SPARES),
			};
			struct course b = a;

			run_table(&a);
			run_program(&b);
			if (a.nr_acts != b.nr_acts || memcmp(a.acts, b.acts, a.nr_acts))
				fail_msg("facts %#x, seed %llu", facts, (unsigned long long)a.seed);
			granted += a.acts[a.nr_acts - 1] == PG_ACT_GRANT;
			refused += a.acts[a.nr_acts - 1] == PG_ACT_REFUSE;
		}
	}
	assert_true(granted > 100000 && refused > 100000);
}

/* No row is dead: some combination of facts reaches each. */
static void every_row_is_reached(void **state)
{
	uint32_t reached = 0;

	(void)state;
	for (uint32_t row = 0; row < pg_nr_slow_rows; row++) {
		uint32_t facts = pg_slow_rows[row].needs;

		assert_true((facts & pg_slow_rows[row].never) == 0);
		reached += pg_slow_meets(row, facts) == row;
		for (uint32_t other = 0; other < row; other++)
			assert_string_not_equal(pg_slow_rows[row].name, pg_slow_rows[other].name);
	}
	assert_int_equal(reached, pg_nr_slow_rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_and_program_perform_the_same_acts),
		cmocka_unit_test(every_row_is_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
