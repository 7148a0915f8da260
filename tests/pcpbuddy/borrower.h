/* SPDX-License-Identifier: MIT */
/*
 * A borrower, by hand: its port notes what is lent, and the test takes and puts pages as loan.h
 * says.
 */
#ifndef TEST_BORROWER_H
#define TEST_BORROWER_H

#include <pagus/loan.h>

#include <string.h>

#include "pcpbuddy/owners.h"

#define PAGES 8192u

static struct {
	struct pagus_loan loan;
	bool is_lent, refuses;
	uint32_t nr_begun, nr_ended;
} borrower;

static inline bool begin(void *ctx, uint32_t zone, const struct pagus_loan *loan)
{
	(void)ctx;
	assert_int_equal(zone, 0);
	assert_false(borrower.is_lent);
	if (borrower.refuses)
		return false;
	borrower.loan = *loan;
	borrower.is_lent = true;
	borrower.nr_begun++;
	return true;
}

static inline void end(void *ctx, uint32_t zone, uint32_t cpu)
{
	(void)ctx;
	assert_int_equal(zone, 0);
	assert_true(borrower.is_lent);
	assert_int_equal(cpu, borrower.loan.cpu);
	borrower.is_lent = false;
	borrower.nr_ended++;
}

static inline struct owners *boot_with(const char *policy, uint64_t pages)
{
	struct owners *o = owners_boot(policy, pages, 3, 512, 8192);

	o->port.loan_begin = begin;
	o->port.loan_end = end;
	memset(&borrower, 0, sizeof(borrower));
	return o;
}

static inline struct owners *boot(void)
{
	return boot_with(owners_maps, PAGES);
}

static inline enum pagus_status lend(struct owners *o, uint32_t cpu, pagus_pfn_t pfn, uint32_t type)
{
	owners_on(o, cpu);
	return pagus_lend(&o->lab.p, pfn, (enum pagus_migratetype)type);
}

static inline void must_lend(struct owners *o, uint32_t cpu, pagus_pfn_t pfn, uint32_t type)
{
	assert_int_equal(lend(o, cpu, pfn, type), PAGUS_OK);
	assert_true(borrower.is_lent);
	unit_check(&o->lab);
}

static inline void expect_all_free(struct owners *o)
{
	pagus_drain_all(&o->lab.p);
	assert_false(borrower.is_lent);
	assert_int_equal(borrower.nr_begun, borrower.nr_ended);
	assert_int_equal(unit_zone(&o->lab, 0).free_pages, unit_zone(&o->lab, 0).managed);
	assert_int_equal(unit_zone(&o->lab, 0).deferred_pages, 0);
}

/* ---- the borrower's part --------------------------------------------------------------------- */

static inline bool bit(const uint64_t *words, uint32_t n)
{
	return words[n / 64] >> n % 64 & 1;
}

static inline uint32_t number(pagus_pfn_t pfn)
{
	return (uint32_t)(pfn - borrower.loan.start_pfn);
}

/* The lowest free page, as px_cs_take does from word 0. */
static inline pagus_pfn_t take_bit(void)
{
	assert_true(borrower.is_lent);
	for (uint32_t w = 0; w < borrower.loan.nr_words; w++) {
		uint64_t bits = borrower.loan.free[w];

		if (bits == 0)
			continue;
		borrower.loan.free[w] = bits & (bits - 1);
		return borrower.loan.start_pfn + w * 64 + (uint32_t)__builtin_ctzll(bits);
	}
	return PAGUS_NO_PFN;
}

static inline bool may_put(pagus_pfn_t pfn)
{
	uint32_t n = number(pfn);

	return borrower.is_lent && n < 64 * borrower.loan.nr_words &&
	       bit(borrower.loan.single, n) &&
	       !bit(borrower.loan.remote, n) && !bit(borrower.loan.free, n);
}

static inline void put_bit(pagus_pfn_t pfn)
{
	assert_true(may_put(pfn));
	borrower.loan.free[number(pfn) / 64] |= UINT64_C(1) << number(pfn) % 64;
}

#endif
