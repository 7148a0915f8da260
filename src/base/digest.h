/* SPDX-License-Identifier: MIT */
#ifndef PG_BASE_DIGEST_H
#define PG_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* 64-bit hash of `bytes` bytes (a multiple of 32) at `data`, aligned to 8. Not cryptographic. */
uint64_t pg_digest(const void *data, size_t bytes);

#endif
