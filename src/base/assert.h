/* SPDX-License-Identifier: MIT */
/*
 * Three levels: PG_STATIC_ASSERT when compiling, PG_ASSERT always, PG_ASSERT_SLOW where checks that
 * cost more than the code they guard are wanted (-DPAGUS_SLOW_CHECKS). A failed assertion is a bug
 * in libpagus, never in its caller: callers' errors are statuses.
 */
#ifndef PG_BASE_ASSERT_H
#define PG_BASE_ASSERT_H

#define PG_STATIC_ASSERT(cond, text) _Static_assert(cond, text)

#define PG_ASSERT(cond)                                                                            \
	do {                                                                                      \
		if (__builtin_expect(!(cond), 0))                                                 \
			__builtin_trap();                                                         \
	} while (0)

#ifdef PAGUS_SLOW_CHECKS
#define PG_ASSERT_SLOW(cond) PG_ASSERT(cond)
#else
#define PG_ASSERT_SLOW(cond) ((void)sizeof(cond))
#endif

#define pg_unlikely(cond) __builtin_expect(!!(cond), 0)
#define pg_likely(cond)   __builtin_expect(!!(cond), 1)

/* Of functions that most requests or frees run through and other files call too. */
#define pg_inlined inline __attribute__((always_inline))

#endif
