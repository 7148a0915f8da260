/* SPDX-License-Identifier: MIT */
/*
 * Huge pages asked for while a trace runs: in rounds, at equal distances of recorded time. What is
 * granted is held for a time, during which its memory is the replay's alone, and then freed.
 */
#ifndef REPLAY_HUGE_H
#define REPLAY_HUGE_H

#include <stdbool.h>
#include <stdint.h>

#include <pagus/pagus.h>

#include "replay/whatif.h"

struct replay;

#define HUGE_ROUNDS 1000000

/*
 * Why a page was not granted: the library's refusals; of contiguous ranges, its statuses, and for
 * NO_MEMORY what is in the ranges.
 */
enum huge_why {
	HUGE_UNMOVABLE = PAGUS_NR_REFUSALS + PAGUS_NR_STATUSES, /* each has a page that cannot move */
	HUGE_NO_ROOM, /* one has none such: there was no place elsewhere for what it holds */
	HUGE_WHYS
};

struct huge_held {
	uint64_t until_ns;
	pagus_pfn_t pfn;
};

struct huge {
	struct whatif_huge plan;
	uint64_t round_ns;       /* the next round; UINT64_MAX: there are none */
	struct huge_held *held;  /* those from `first` on are, in the order of their end */
	uint64_t first, nr, room;
	uint64_t rounds, asked, granted;
	uint64_t why[HUGE_WHYS];
	uint64_t *reached_ns; /* of 1 GiB pages: when so many, less one, were first held at once */
	uint64_t nr_reached;
	/* What was done on behalf of the requests, granted or not. */
	uint64_t moved_pages, moved_for_granted, reclaimed_pages, stalls;
};

void huge_begin(struct huge *h, const struct whatif_huge *plan);
void huge_fini(struct huge *h);

/* When the next round is, or the next pages are to be freed; UINT64_MAX: never. */
uint64_t huge_due(const struct huge *h);

/* Do what is due then. NULL, or why it cannot be: no memory, or more than HUGE_ROUNDS rounds. */
const char *huge_act(struct replay *r);

/* Pages of memory that are held. */
uint64_t huge_held_pages(const struct replay *r);

/* The name of the n-th reason, as in JSON. */
const char *huge_why_name(uint32_t n, char *text, size_t room);

#endif
