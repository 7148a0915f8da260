/* SPDX-License-Identifier: MIT */
#ifndef PG_CONTIG_KCOMPACTD_H
#define PG_CONTIG_KCOMPACTD_H

#include "watch/event.h"

/* One turn of the node's kcompactd: true if there is more to do. */
bool pg_kcompactd_turn(struct pg_call *c, uint32_t node);

/* The check that is due every 500 ms: true if kcompactd has something to do. */
bool pg_kcompactd_tick(struct pg_call *c, uint32_t node);

#endif
