/* SPDX-License-Identifier: MIT */
/*
 * Atomic access to words of the state that several CPUs may change without a lock. The state
 * is plain memory that is copied, hashed and compared, so the accesses are atomic, not the types.
 */
#ifndef PG_BASE_ATOMIC_H
#define PG_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Another CPU may come in before each of these accesses: there the tests in tests/weave, which are
 * linked with a core compiled for them, let it. Elsewhere it is nothing.
 */
#ifdef PAGUS_WEAVE
void pg_weave_point(void);
#else
static inline void pg_weave_point(void)
{
}
#endif

static inline uint32_t pg_atomic_load(const uint32_t *word)
{
	pg_weave_point();
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void pg_atomic_store(uint32_t *word, uint32_t value)
{
	pg_weave_point();
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/*
 * The same in one order with all read-modify-writes, as every CPU sees them: where one of two must
 * notice the other, each changes its word before it looks at the other's.
 */
static inline uint32_t pg_atomic_load_ordered(const uint32_t *word)
{
	pg_weave_point();
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void pg_atomic_store_ordered(uint32_t *word, uint32_t value)
{
	pg_weave_point();
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/* Each returns what the word was before. */
static inline uint32_t pg_atomic_add(uint32_t *word, uint32_t n)
{
	pg_weave_point();
	return __atomic_fetch_add(word, n, __ATOMIC_SEQ_CST);
}

static inline uint32_t pg_atomic_sub(uint32_t *word, uint32_t n)
{
	pg_weave_point();
	return __atomic_fetch_sub(word, n, __ATOMIC_SEQ_CST);
}

static inline uint32_t pg_atomic_or(uint32_t *word, uint32_t bits)
{
	pg_weave_point();
	return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static inline uint32_t pg_atomic_and(uint32_t *word, uint32_t bits)
{
	pg_weave_point();
	return __atomic_fetch_and(word, bits, __ATOMIC_SEQ_CST);
}

static inline uint32_t pg_atomic_exchange(uint32_t *word, uint32_t value)
{
	pg_weave_point();
	return __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
}

/* Replace *old by value; if the word is another by now, it is put into *old instead. */
static inline bool pg_atomic_replace(uint32_t *word, uint32_t *old, uint32_t value)
{
	pg_weave_point();
	return __atomic_compare_exchange_n(word, old, value, true, __ATOMIC_SEQ_CST,
					   __ATOMIC_ACQUIRE);
}

/*
 * What is changed under a lock, and looked at without it by who needs no more than a recent value. A
 * field of any size that the processor reads and writes at once.
 */
#define pg_read(field)         __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define pg_write(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELAXED)

/* Bits of such a byte that are changed without the lock. */
static inline void pg_byte_or(uint8_t *byte, uint8_t bits)
{
	__atomic_fetch_or(byte, bits, __ATOMIC_RELAXED);
}

static inline void pg_byte_and(uint8_t *byte, uint8_t bits)
{
	__atomic_fetch_and(byte, bits, __ATOMIC_RELAXED);
}

/* Words of maps, the same. */
static inline uint64_t pg_word_load(const uint64_t *word)
{
	pg_weave_point();
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint64_t pg_word_load_ordered(const uint64_t *word)
{
	pg_weave_point();
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void pg_word_store(uint64_t *word, uint64_t value)
{
	pg_weave_point();
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Each returns what the word was before. */
static inline uint64_t pg_word_or(uint64_t *word, uint64_t bits)
{
	pg_weave_point();
	return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static inline uint64_t pg_word_and(uint64_t *word, uint64_t bits)
{
	pg_weave_point();
	return __atomic_fetch_and(word, bits, __ATOMIC_SEQ_CST);
}

static inline uint64_t pg_word_add(uint64_t *word, uint64_t n)
{
	return __atomic_fetch_add(word, n, __ATOMIC_RELAXED);
}

static inline uint64_t pg_word_exchange(uint64_t *word, uint64_t value)
{
	pg_weave_point();
	return __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST);
}

#endif
