/* SPDX-License-Identifier: MIT */
/*
 * Models of workloads: what of a machine's memory each kind of content takes, how it grows, and how
 * often memory is replaced. Text: NAME[,KEY=VALUE...], the values of NAME with those given changed.
 */
#ifndef SYNTH_MODEL_H
#define SYNTH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(key, unit, least, most, text). Shares are given in percent with one decimal, kept in thousandths. */
#define SYNTH_KEYS(X)                                                                              \
	X(memory, BYTES, UINT64_C(64) << 20, UINT64_C(4) << 40,                                   \
	  "memory, a number with the suffix M, G or T, 64M to 4T")                                \
	X(cpus, NUMBER, 1, 256, "CPUs, 1 to 256")                                                 \
	X(seed, NUMBER, 0, UINT64_MAX, "seed of the random numbers")                              \
	X(turnover, SHARE, 0, 1000000, "how often what is in use is replaced, in percent of memory") \
	X(unmovable, SHARE, 0, 970, "unmovable memory at the start, in percent of memory")        \
	X(growth, SHARE, 0, 970, "what it grows by until the end, in percent of memory")          \
	X(slab, SHARE, 0, 970, "reclaimable slabs, in percent of memory")                         \
	X(storm, SHARE, 0, 970, "what slabs swell to in the second third; 0: they do not")        \
	X(anon, SHARE, 0, 970, "memory of programs, movable, in percent of memory")               \
	X(huge, SHARE, 0, 1000, "what of it comes in blocks of 2 MiB, in percent of its pages")   \
	X(cache, SHARE, 0, 970, "page cache, movable, a quarter as likely to go, in percent of memory") \
	X(orders, SHARE, 0, 1000, "requests for slabs and unmovable memory above order 0, up to 3, in percent")

struct synth_model {
	char text[256]; /* as given */
#define SYNTH_X(key, unit, min, max, about) uint64_t key;
	SYNTH_KEYS(SYNTH_X)
#undef SYNTH_X
};

/* False with a line in `why` for a name, key or value that is none, or more than there is memory. */
bool synth_parse(const char *text, struct synth_model *model, char *why, size_t room);

/* The n-th named model: its text and what it stands for; NULL past the last. */
const char *synth_model_at(uint32_t n, const char **about);
const char *synth_key_at(uint32_t n, const char **about);

#endif
