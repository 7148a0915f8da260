/* SPDX-License-Identifier: MIT */
/*
 * State digest: four independent 64-bit lanes, each multiply-and-rotate over every fourth word,
 * folded at the end. The lanes hide the latency of the multiply; the result depends on every bit
 * and on position.
 */
#include "base/digest.h"

#define LANES 4

static const uint64_t odd[LANES] = {
	0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu, 0xff51afd7ed558ccdu, 0x2545f4914f6cdd1du,
};

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static uint64_t mix(uint64_t h, uint64_t word, uint64_t by)
{
	return rotate((h ^ word) * by, 29);
}

uint64_t pg_digest(const void *data, size_t bytes)
{
	const uint64_t *word = data;
	uint64_t lane[LANES] = { 1, 2, 3, 4 };
	uint64_t h = bytes;

	for (size_t i = 0; i < bytes / 8; i += LANES)
		for (unsigned l = 0; l < LANES; l++)
			lane[l] = mix(lane[l], word[i + l], odd[l]);
	for (unsigned l = 0; l < LANES; l++)
		h = mix(h, lane[l], odd[(l + 1) % LANES]);
	h ^= h >> 32;
	return h * odd[0] ^ h >> 29;
}
