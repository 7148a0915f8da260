/* SPDX-License-Identifier: MIT */
/*
 * The owner of recorded pages in a replay where pages move: a recorded page whose request was
 * movable can be moved, and the shadow follows. What a page of ours holds is which recorded page it
 * stands for; a move takes that along.
 *
 *     isolate -> move: the shadow's entry names the new block | putback: as before
 */
#ifndef REPLAY_OWNER_H
#define REPLAY_OWNER_H

#include <stdbool.h>
#include <stdint.h>

struct replay;

struct owner {
	uint64_t moved_pages;
	uint64_t moved_inherited; /* of these, pages whose migratetype is a guess */
	uint64_t nr_isolated, nr_moved, nr_put_back; /* blocks */
};

/* From here on the machine's port has an owner. The shadow must be kept the other way round. */
void owner_install(struct replay *r);

/*
 * Is each recorded page that is in use just one page of the machine that is in use, and the other
 * way round, but for `others` pages that stand for none? NULL, or what is wrong, and where in
 * *where.
 */
const char *owner_check(const struct replay *r, uint64_t others, uint64_t *where);

#endif
