/* SPDX-License-Identifier: MIT */
/*
 * The slow path's rows, for all releases: what a release does not do, its facts do not meet. A row
 * that is passed over goes on to the next one. (__alloc_pages_slowpath)
 */
#include "alloc/slow.h"

#include <pagus/pagus.h>

#define F(name) (uint32_t)PG_FACT_##name

enum {
	START, NO_ZONE, EARLY_WAKE, EARLY_WALK, EARLY_COMPACT, EARLY_DEFERRED, EARLY_THISNODE, EARLY_ASYNC,
	RETRY, OUT_OF_ROUNDS, RETRY_ANEW, WAKE, RIGHTS, WALK, RIGHTS_AFTER, KEPT_CLEAN, TAINT_AT_ONCE,
	TAINT_MEMALLOC, TAINT_FIRST, MIX_AT_ONCE, WOULD_BLOCK, RECURSION, DRAIN, RECLAIM, COMPACT,
	ONCE_THISNODE, COMPACTED, EVACUATE, RELABEL, TAINT, NORETRY, COSTLY, COSTLY_NO_IO, LATE_ANEW,
	RETRY_RECLAIM, RETRY_COMPACT, MIX, DIP, OOM_ANEW, OOM, VICTIM, AFTER_OOM, NO_PROGRESS,
	NOPAGE, LAST_RESORT, NOFAIL, REFUSE, GRANT,
	ON = PG_ROW_NEXT
};

#define GO(row)       .act = PG_ACT_GO, .yes = (row), .no = (row)
#define DO(what)      .act = PG_ACT_##what, .yes = ON, .no = ON
#define TRY(what, to) .act = PG_ACT_##what, .yes = (to), .no = ON
#define ANEW(what)    .act = PG_ACT_##what, .yes = RETRY, .no = RETRY
#define END(why)      .act = PG_ACT_GO, .yes = NOPAGE, .no = NOPAGE, .refusal = PAGUS_REFUSED_##why

/* Fragmentation is the likelier cause: what is compacted for before anything is reclaimed. */
#define EARLY      (F(EARLY_ONLY) | F(BLOCK) | F(IO) | F(MIXES))
#define EARLY_ONCE (EARLY | F(COSTLY) | F(NORETRY))

const struct pg_slow_row pg_slow_rows[] = {
	[START] = { "start", 0, 0, DO(RESTART) },
	[NO_ZONE] = { "no-zone", F(NO_ZONE), 0, .act = PG_ACT_GO, .yes = REFUSE, .no = REFUSE,
		      .refusal = PAGUS_REFUSED_NO_ZONE },
	[EARLY_WAKE] = { "early-wake", F(EARLY_ONLY) | F(KSWAPD), 0, DO(WAKE) },
	[EARLY_WALK] = { "early-walk", F(EARLY_ONLY), 0, TRY(WALK, GRANT) },
	[EARLY_COMPACT] = { "early-compact", EARLY, F(RIGHTS), TRY(COMPACT_ASYNC, GRANT) },
	[EARLY_DEFERRED] = { "early-deferred", EARLY_ONCE | F(DEFERRED), F(RIGHTS), END(DEFERRED) },
	[EARLY_THISNODE] = { "early-thisnode", EARLY_ONCE | F(THISNODE) | F(THISNODE_ENDS), F(RIGHTS),
			     END(NORETRY) },
	[EARLY_ASYNC] = { "early-async", EARLY_ONCE, F(RIGHTS), DO(ASYNC_ONLY) },

	[RETRY] = { "round", 0, 0, DO(ROUND) },
	[OUT_OF_ROUNDS] = { "out-of-rounds", F(OUT_OF_ROUNDS), F(NOFAIL), END(ROUNDS) },
	[RETRY_ANEW] = { "anew", F(EARLY_ONLY) | F(CHANGED), 0, GO(START) },
	[WAKE] = { "wake", F(KSWAPD), 0, DO(WAKE) },
	[RIGHTS] = { "rights", F(EARLY_ONLY), 0, DO(RIGHTS) },
	[WALK] = { "walk", 0, 0, TRY(WALK, GRANT) },
	[RIGHTS_AFTER] = { "rights-after", 0, F(EARLY_ONLY), TRY(RIGHTS, RETRY) },
	[KEPT_CLEAN] = { "kept-clean", F(HELD) | F(OFFERS) | F(OPTIONAL), 0, END(KEPT_CLEAN) },
	[TAINT_AT_ONCE] = { "taint-at-once", F(HELD), F(BLOCK), ANEW(TAINT) },
	[TAINT_MEMALLOC] = { "taint-memalloc", F(HELD) | F(MEMALLOC), 0, ANEW(TAINT) },
	[TAINT_FIRST] = { "taint-first", F(HELD), F(OFFERS), ANEW(TAINT) },
	[MIX_AT_ONCE] = { "mix-at-once", F(PLAIN), F(EARLY_ONLY) | F(BLOCK), ANEW(MIX) },
	[WOULD_BLOCK] = { "would-block", 0, F(BLOCK), END(WOULD_BLOCK) },
	[RECURSION] = { "recursion", F(MEMALLOC), 0, END(RECURSION) },
	[DRAIN] = { "drain", F(HELD), F(COMPACT_FIRST), TRY(DRAIN, GRANT) },
	[RECLAIM] = { "reclaim", 0, F(COMPACT_FIRST), TRY(RECLAIM, GRANT) },
	[COMPACT] = { "compact", 0, 0, TRY(COMPACT, GRANT) },
	[ONCE_THISNODE] = { "thisnode", F(COMPACT_FIRST) | F(NORETRY) | F(THISNODE), 0, END(NORETRY) },
	[COMPACTED] = { "compacted", F(COMPACT_FIRST), 0, ANEW(COMPACTED) },
	[EVACUATE] = { "evacuate", F(HELD), 0, TRY(EVACUATE, GRANT) },
	[RELABEL] = { "relabel", F(HELD) | F(PLAIN), 0, ANEW(MIX) },
	[TAINT] = { "taint", F(HELD), 0, ANEW(TAINT) },
	[NORETRY] = { "noretry", F(NORETRY), 0, END(NORETRY) },
	[COSTLY] = { "costly", F(COSTLY), F(MAYFAIL), END(COSTLY) },
	[COSTLY_NO_IO] = { "costly-no-io", F(COSTLY), F(IO), END(COSTLY) },
	[LATE_ANEW] = { "late-anew", F(CHANGED), F(EARLY_ONLY), GO(START) },

	[RETRY_RECLAIM] = { "retry-reclaim", 0, 0, TRY(RETRY_RECLAIM, RETRY) },
	[RETRY_COMPACT] = { "retry-compact", F(PROGRESS) | F(IO), 0, TRY(RETRY_COMPACT, RETRY) },
	[MIX] = { "mix", F(PLAIN), 0, ANEW(MIX) },
	[DIP] = { "dip", F(SPARES), 0, ANEW(DIP) },
	[OOM_ANEW] = { "oom-anew", F(CHANGED), 0, GO(START) },
	[OOM] = { "oom", 0, 0, TRY(OOM, GRANT) },
	[VICTIM] = { "victim", F(VICTIM), 0, END(OOM_VICTIM) },
	[AFTER_OOM] = { "after-oom", F(PROGRESS), 0, ANEW(FORGET) },
	[NO_PROGRESS] = { "no-progress", 0, 0, END(NO_PROGRESS) },

	[NOPAGE] = { "end-anew", F(CHANGED), F(OUT_OF_ROUNDS), GO(START) },
	[LAST_RESORT] = { "last-resort", F(NOFAIL) | F(BLOCK), 0, TRY(LAST_RESORT, GRANT) },
	[NOFAIL] = { "nofail", F(NOFAIL) | F(BLOCK), 0, ANEW(WAIT) },
	[REFUSE] = { "refuse", 0, 0, .act = PG_ACT_REFUSE, .yes = REFUSE, .no = REFUSE },
	[GRANT] = { "grant", 0, 0, .act = PG_ACT_GRANT, .yes = GRANT, .no = GRANT },
};
const uint32_t pg_nr_slow_rows = sizeof(pg_slow_rows) / sizeof(pg_slow_rows[0]);

uint32_t pg_slow_meets(uint32_t row, uint32_t facts)
{
	while ((pg_slow_rows[row].needs & facts) != pg_slow_rows[row].needs ||
	       (pg_slow_rows[row].never & facts))
		row++;
	return row;
}

uint32_t pg_slow_next(uint32_t row, bool yes)
{
	uint32_t to = yes ? pg_slow_rows[row].yes : pg_slow_rows[row].no;

	return to == PG_ROW_NEXT ? row + 1 : to;
}
