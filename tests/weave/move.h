/* SPDX-License-Identifier: MIT */
/* Calls that move pages, of callers of a schedule. */
#ifndef WEAVE_MOVE_H
#define WEAVE_MOVE_H

#include <stdint.h>

/* What some held blocks hold is moved to other blocks. */
void move_some(uint64_t *random);

/* The zone is compacted, for a block of some order or from end to end. */
void move_compact(uint64_t *random);

#endif
