/* SPDX-License-Identifier: MIT */
/*
 * Waking kcompactd, the worker of a node that compacts in the background. What it does when it is
 * awake is contig/kcompactd.c.
 */
#ifndef PG_RECLAIM_KCOMPACTD_H
#define PG_RECLAIM_KCOMPACTD_H

#include "watch/event.h"

/*
 * A block of `order`, above 0, is wanted in zones of the node up to type `highest`, and nobody will
 * compact for it. If kcompactd sleeps and could make one, it is woken. Needs no lock.
 */
void pg_kcompactd_wake(struct pg_call *c, uint32_t node, uint32_t order, uint32_t highest);

/* The node's score is to be looked at, soon. */
void pg_kcompactd_check(struct pagus *p, uint32_t node);

/* With vm.defrag_mode it works towards the high mark, in whole pageblocks. */
uint32_t pg_kcompactd_flags(const struct pagus_state *st);

#endif
