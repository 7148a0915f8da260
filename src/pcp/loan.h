/* SPDX-License-Identifier: MIT */
/*
 * Loans: a pageblock whose free bits the port changes for the CPU that owns it. It is in no queue,
 * and its pages are not in the pcp's count; both come back when the loan ends, which is before its
 * bits are changed by anybody else, or pages are looked for in earnest.
 */
#ifndef PG_PCP_LOAN_H
#define PG_PCP_LOAN_H

#include "pcp/keep.h"

/* The pageblock's queue and count are as they are in fact. Needs the pcp's lock. */
void pg_loan_end(struct pg_call *c, struct pg_pcp *pcp);

#endif
