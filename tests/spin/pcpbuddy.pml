/* SPDX-License-Identifier: MIT */
/*
 * The ownership of one pageblock under policy pcpbuddy, as src/ has it: who may put its pages
 * where, under which locks, and in which order. CPU 0 owns it; CPUs 1 and 2 free what it allocates.
 *
 * A page is a bit. It is in exactly one of the sets below, which give() asserts at each move;
 * orders and several pageblocks are left out. Each inline or process names the function that it
 * stands for, and what runs without a switch there has all its data under a lock that it holds.
 *
 * -D, one of: DRAIN CPU 0's pcp is drained; OFFLINE CPU 0 goes and comes; PCPS_OFF the zone's pcps
 * are switched off and on; ISOLATE the pageblock is isolated. BREAK=n breaks a rule that run.sh
 * names.
 */
#ifndef PAGES
#define PAGES 2
#endif
#ifndef ALLOCS
#define ALLOCS 1  /* by CPU 0, after all pages have been allocated once */
#endif
#ifndef BREAK
#define BREAK 0
#endif

#define ALL    ((1 << PAGES) - 1)
#define BIT(p) (1 << (p))
#define LIMIT  (PAGES - 1) /* of deferred pages: less than in src/, so that it is met */
#define NONE   100
#define CLOSED 101
#define NR_CPUS 3

/* Where pages are. `hand`: nobody's, in the middle of a call; `held`: handed out. */
byte held = ALL, hand, zone, list[NR_CPUS];
byte deferred;        /* what the links below say, for assertions alone */
byte owned;           /* of kind PCP_OWNED */
byte nr_free;         /* struct pg_own */
byte owner = 1;       /* CPU + 1; 0: the zone */
byte first = NONE, next[PAGES], remote; /* CPU 0's stack (struct pg_pcp), and how much is in it */
bool isolated;        /* the pageblock's type */
byte frozen;          /* pages that must not be handed out any more */
byte allocs;          /* left to CPU 0 */

bool zone_lock, pcp_lock[NR_CPUS];
bool on_cpu0;         /* somebody is pinned there, or it is offline */
bool going, gone;     /* the pcp goes out of use, and has gone */

#define nowhere(p) (!((held | hand | zone | list[0] | list[1] | list[2] | deferred) & BIT(p)))

inline give(set, p) { assert(nowhere(p)); set = set | BIT(p) }
inline take(set, p) { assert(set & BIT(p)); set = set & ~BIT(p) }

/* ---- locks --------------------------------------------------------------------------------- */

inline lock_zone() { atomic { !zone_lock -> zone_lock = 1 } }

/* An owned pageblock is not whole in the zone. (invariant 21) */
inline unlock_zone()
{
	d_step {
		assert(zone_lock);
		assert(owner == 0 || zone != ALL);
		zone_lock = 0
	}
}

inline lock_pcp(c) { atomic { !pcp_lock[c] -> pcp_lock[c] = 1 } }

/* Owned pages are on the owner's list, and counted. (invariants 19, 20) */
inline unlock_pcp(c)
{
	d_step {
		assert(pcp_lock[c]);
		assert(c != 0 || (owned & ~list[0]) == 0);
		assert(c != 0 || owned == 0 || owner == 1);
		assert(c != 0 || nr_free == (owned & 1) + ((owned >> 1) & 1) + ((owned >> 2) & 1));
		pcp_lock[c] = 0
	}
}

/* ---- zone/owner.c -------------------------------------------------------------------------- */

/* pg_own_drop */
inline drop()
{
	d_step {
		assert(zone_lock && owner != 0 && nr_free == 0);
		owner = 0
	}
}

/* pg_buddy_free: into the zone, whose lock is held; pg_own_freed, at its end. */
inline buddy_free(p)
{
	d_step {
		assert(zone_lock);
		take(hand, p);
		give(zone, p)
	};
	if
	:: zone == ALL && owner != 0 -> drop()
	:: else
	fi
}

/* pg_free_direct */
inline free_direct(p)
{
	lock_zone();
	buddy_free(p);
	unlock_zone()
}

/* ---- pcp/pageblock.c ----------------------------------------------------------------------- */

/* pg_owned_keep: the owner is read first, then the block is listed. */
inline keep(c, p)
{
	was = owner;
	d_step {
		assert(pcp_lock[c]);
		take(hand, p);
		give(list[c], p);
		if
		:: was == c + 1 -> owned = owned | BIT(p); nr_free++
		:: else
		fi
	}
}

/* unlist, pg_owned_leaves: off the list, into somebody's hand. */
inline unlist(c, p)
{
	assert(pcp_lock[c]);
	take(list[c], p);
	give(hand, p);
	if
	:: owned & BIT(p) -> owned = owned & ~BIT(p); assert(nr_free > 0); nr_free--
	:: else
	fi
}

/* pg_owned_gather_all: pg_stack_take, then pg_stack_next and gather_block of each. */
inline gather_all(left)
{
	assert(pcp_lock[0]);
#if BREAK == 1
	i = first;
	first = left;
#else
	atomic { i = first; first = left };
#endif
	count = 0;
	if
	:: i == CLOSED -> i = NONE
	:: else
	fi;
	do
	:: i == NONE -> break
	:: else ->
		d_step {
			n = next[i];
			next[i] = 0;
			take(deferred, i);
			give(hand, i);
			count++
		};
		if
#if BREAK != 2
		:: isolated -> free_direct(i)
		:: else -> keep(0, i)
#else
		:: keep(0, i)
#endif
		fi;
		i = n
	od;
	atomic { assert(remote >= count); remote = remote - count; count = 0; n = 0; i = 0; was = 0 }
}

/* pg_owned_gather */
inline gather()
{
	if
	:: first == NONE || first == CLOSED
	:: else -> gather_all(NONE)
	fi
}

/* pg_stack_push: ok says whether it was open. */
inline push(p)
{
	seen = first;
	do
#if BREAK != 3
	:: seen == CLOSED -> ok = 0; break
	:: seen != CLOSED ->
#else
	:: true ->
#endif
		next[p] = seen;
		atomic {
			if
			:: first == seen ->
				assert(first != CLOSED);
				first = p;
				take(hand, p);
				give(deferred, p);
				ok = 1;
				break
			:: else -> seen = first
			fi
		}
	od;
	seen = 0
}

/* defer */
inline defer(p)
{
	atomic { waiting = remote; remote++ };
	if
	:: waiting + 1 > LIMIT -> ok = 0
	:: else -> push(p)
	fi;
	waiting = 0;
	if
	:: ok
	:: else -> remote--
	fi
}

/* free_routed, and what free_checked does where that says no. */
inline free_page(c, p)
{
	ok = 0;
	if
	:: isolated -> skip
	:: else ->
		own = owner;
		to = (own -> 0 : c);
		atomic {
			if
			:: !pcp_lock[to] -> pcp_lock[to] = 1; got = 1
			:: else -> got = 0
			fi
		};
		if
		:: !got && own != 0 -> defer(p)
		:: !got && own == 0 -> skip
#if BREAK != 4
		:: got && owner != own -> unlock_pcp(to)
		:: got && owner == own ->
#else
		:: got ->
#endif
			if
			:: to == 0 -> gather()
			:: else
			fi;
			keep(to, p);
			ok = 1;
			if
			:: drain(to) /* over its limit */
			:: true
			fi;
			unlock_pcp(to)
		fi
	fi;
	if
	:: ok
	:: else -> free_direct(p)
	fi;
	atomic { ok = 0; own = 0; to = 0; got = 0; was = 0 }
}

/* ---- pcp/giveback.c ------------------------------------------------------------------------ */

/* pg_owned_drain: choose_blocks, with merge, outside the zone's lock; then hand them over. */
inline drain(c)
{
	d_step {
		chosen = 0;
		i = 0;
		do
		:: i == PAGES -> break
		:: i < PAGES && (list[c] & BIT(i)) ->
			if
			:: (owned & BIT(i)) && (i ^ 1) < PAGES && (owned & BIT(i ^ 1)) ->
				unlist(c, i);
				chosen = chosen | BIT(i) | BIT(i ^ 1);
				unlist(c, i ^ 1) /* the buddy is taken for listed, by its kind */
			:: else ->
				unlist(c, i);
				chosen = chosen | BIT(i)
			fi;
			i++
		:: i < PAGES && !(list[c] & BIT(i)) -> i++
		od
	};
	if
	:: chosen == 0
	:: else ->
		lock_zone();
		i = 0;
		do
		:: i == PAGES -> break
		:: i < PAGES && (chosen & BIT(i)) -> buddy_free(i); i++
		:: i < PAGES && !(chosen & BIT(i)) -> i++
		od;
		unlock_zone()
	fi;
	atomic { chosen = 0; i = 0 }
}

/* pg_owned_retire: pg_owned_gather_all, pg_pcp_empty, disown_all. */
inline retire()
{
	lock_pcp(0);
#if BREAK == 9
	lock_zone(); /* which a gather takes again */
#endif
#if BREAK == 5
	gather_all(NONE);
#else
	gather_all(CLOSED);
#endif
	drain(0);
#if BREAK != 6
	lock_zone();
	if
	:: owner == 1 -> drop()
	:: else
	fi;
	unlock_zone();
#endif
#if BREAK == 9
	unlock_zone();
#endif
	unlock_pcp(0)
}

/* end_leases, of pg_owned_tick; its ticks are left out. */
inline end_lease()
{
	lock_zone();
	if
#if BREAK == 7
	:: owner == 1 && zone != 0 -> drop()
#else
	:: owner == 1 && zone != 0 && nr_free == 0 -> drop()
#endif
	:: else
	fi;
	unlock_zone()
}

/* ---- callers ------------------------------------------------------------------------------- */

#define LOCALS byte i, n, count, was, seen, waiting, own, to, chosen, p; bool ok, got

/* CPU 0 takes a page: take_from_pcp, restock and the phases of a refill; or take_from_zone. */
inline refill()
{
	lock_zone();
	d_step {
		if
		:: isolated || zone == 0
		:: !isolated && zone == ALL && first != CLOSED -> /* claim; pg_own_take */
			assert(owner == 0 && nr_free == 0);
			owner = 1;
			zone = 0;
			list[0] = list[0] | ALL;
			owned = ALL;
			nr_free = PAGES
		:: !isolated && zone != 0 && !(zone == ALL && first != CLOSED) -> /* recover, classic */
			i = 0;
			do
			:: i == PAGES -> break
			:: i < PAGES && !(zone & BIT(i)) -> i++
			:: i < PAGES && (zone & BIT(i)) ->
				take(zone, i);
				give(list[0], i);
				if
				:: owner == 1 -> owned = owned | BIT(i); nr_free++
				:: else
				fi;
				i++
			od;
			i = 0
		fi
	};
	unlock_zone()
}

/* The first of a set that is not empty. */
inline lowest(set)
{
	p = 0;
	do
	:: set & BIT(p) -> break
	:: else -> p++
	od
}

inline grant()
{
	assert(!(frozen & BIT(p)));
	take(hand, p);
	give(held, p);
	p = 0
}

inline allocate()
{
	lock_pcp(0); /* where it is only tried, and not had, the zone serves: below */
	if
	:: list[0] == 0 -> gather()
	:: else
	fi;
	if
	:: list[0] == 0 -> refill()
	:: else
	fi;
	d_step {
		if
		:: list[0] != 0 ->
			lowest(list[0]);
			take(list[0], p);
			give(hand, p);
			if
			:: owned & BIT(p) ->
				nr_free--;
#if BREAK != 8
				owned = owned & ~BIT(p)
#endif
			:: else
			fi;
			grant()
		:: else
		fi
	};
	unlock_pcp(0)
}

inline allocate_direct()
{
	lock_zone();
	d_step {
		if
		:: zone != 0 && !isolated -> lowest(zone); take(zone, p); give(hand, p); grant()
		:: else
		fi
	};
	unlock_zone()
}

active proctype cpu0()
{
	LOCALS;

	allocs = ALLOCS;
	do
	:: allocs > 0 ->
		atomic { !on_cpu0 -> on_cpu0 = 1 };
		if
		:: allocate()
		:: allocate_direct()
		fi;
		atomic { allocs--; on_cpu0 = 0 }
	:: allocs == 0 -> break
	od
}

/* Free whatever is handed out. */
proctype freer(byte c)
{
	LOCALS;

end:	do
	:: atomic {
		held != 0 ->
		lowest(held);
		take(held, p);
		give(hand, p);
		if
		:: isolated -> frozen = frozen | BIT(p)
		:: else
		fi
	   };
	   free_page(c, p);
	   p = 0
	od
}

/* pg_owned_tick of CPU 0, while something is deferred there. */
active proctype ticker()
{
	LOCALS;

end:	do
	:: atomic { deferred != 0 && !on_cpu0 -> on_cpu0 = 1 };
	   lock_pcp(0);
#if BREAK != 10
	   gather();
#endif
	   end_lease();
	   unlock_pcp(0);
	   on_cpu0 = 0
	od
}

/* pg_cpu_down, pg_cpu_up; pg_pcp_disable, pg_pcp_enable; pg_owned_release; pg_pcp_drain_all */
active proctype manager()
{
	LOCALS;

#if defined(OFFLINE) || defined(PCPS_OFF)
#ifdef OFFLINE
	atomic { !on_cpu0 -> on_cpu0 = 1; going = 1 };
#else
	going = 1;
#endif
	retire();
	gone = 1;
	/* Nothing is deferred to it, nor owned; and offline it keeps nothing. */
	atomic {
		assert(first == CLOSED && deferred == 0 && owner == 0 && owned == 0);
#ifdef OFFLINE
		assert(list[0] == 0);
#endif
		going = 0;
		gone = 0
	};
	if
	:: first == CLOSED -> first = NONE /* revive */
	:: else
	fi;
#ifdef OFFLINE
	on_cpu0 = 0
#endif
#elif defined(ISOLATE)
	/* None of its pages is in the zone; what is deferred, and freed from now on, goes there. */
	atomic {
		!zone_lock;
		if
		:: zone == 0 -> isolated = 1; frozen = deferred
		:: else
		fi
	};
	if
	:: isolated && owner == 1 ->
		lock_pcp(0);
		gather();
		d_step { owned = 0; nr_free = 0 }; /* they are plain PCP from now on */
		lock_zone();
		if
		:: owner == 1 -> drop()
		:: else
		fi;
		unlock_zone();
		unlock_pcp(0)
	:: else
	fi
#elif defined(DRAIN)
	lock_pcp(0);
	gather();
	drain(0);
	unlock_pcp(0)
#else
#error what goes on is to be defined
#endif
}

init
{
	atomic { run freer(1); run freer(2) }
}

/*
 * With weak fairness: what is freed comes to a list or into the zone, given that CPU 0's pcp lock
 * is taken once more while something is deferred (ticker); and a pcp's end comes to its own end.
 */
#define arrived ((list[0] | list[1] | list[2] | zone | held) & 1)
ltl freed_arrives { [] (((hand | deferred) & 1) -> <> arrived) }
ltl retire_ends { [] (going -> <> gone) }
