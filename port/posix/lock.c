/* SPDX-License-Identifier: MIT */
/*
 * Locks: one atomic exchange to take a free one, one to release it. Who finds it held spins for a
 * moment, as most holds are shorter than a sleep, and then sleeps.
 *
 *     0 free -> 1 held -> 0              nobody waited
 *     1 held -> 2 held, sleepers -> 0    and one of them is woken
 */
#include "posix.h"

#include "futex.h"

#define NR_SPINS 100

enum { FREE, HELD, CONTENDED };

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

bool px_lock_try(struct px_lock *lock)
{
	uint32_t expected = FREE;

	return __atomic_compare_exchange_n(&lock->word, &expected, HELD, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static bool spin(struct px_lock *lock)
{
	for (uint32_t n = 0; n < NR_SPINS; n++) {
		if (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) == FREE && px_lock_try(lock))
			return true;
		relax();
	}
	return false;
}

void px_lock_take(struct px_lock *lock)
{
	if (px_lock_try(lock) || spin(lock))
		return;
	/* Who has slept cannot know whether others still do: it takes the lock as contended. */
	while (__atomic_exchange_n(&lock->word, CONTENDED, __ATOMIC_ACQUIRE) != FREE)
		px_futex_wait(&lock->word, CONTENDED, NULL);
}

void px_lock_release(struct px_lock *lock)
{
	if (px_unlikely(__atomic_exchange_n(&lock->word, FREE, __ATOMIC_RELEASE) == CONTENDED))
		px_futex_wake(&lock->word, 1);
}

/* ---- the port's calls ------------------------------------------------------------------------ */

uint64_t px_nr_locks(uint32_t nr_zones, uint32_t nr_cpus)
{
	return (uint64_t)nr_zones * nr_cpus + nr_zones + 1;
}

static struct px_lock *lock_of(void *ctx, enum pagus_lock_class cls, uint32_t index)
{
	const struct pagus_posix *x = ctx;

	return &x->locks[x->first_lock[cls] + index].lock;
}

void px_port_lock(void *ctx, enum pagus_lock_class cls, uint32_t index, enum pagus_lock_reason why)
{
	(void)why;
	px_lock_take(lock_of(ctx, cls, index));
}

bool px_port_trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
		     enum pagus_lock_reason why)
{
	(void)why;
	return px_lock_try(lock_of(ctx, cls, index));
}

void px_port_unlock(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work)
{
	(void)work;
	px_lock_release(lock_of(ctx, cls, index));
}
