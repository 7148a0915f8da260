/* SPDX-License-Identifier: MIT */
/* Pages behind handles that hold words which tell of the handle, wherever the page lies. */
#ifndef TEST_POSIX_HANDLES_H
#define TEST_POSIX_HANDLES_H

#include "posix/posix.h"

#include <pagus/handle.h>

/* False if the handle does not open or close. */
static inline bool handle_fill(struct pagus_posix *x, pagus_handle_t handle)
{
	uint64_t *words = pagus_handle_open(x, handle);

	for (uint32_t n = 0; words && n < PAGE_BYTES / 8; n += PATTERN_STRIDE)
		words[n] = handle + n;
	return words && pagus_handle_close(x, handle) == PAGUS_OK;
}

static inline bool handle_stands(struct pagus_posix *x, pagus_handle_t handle)
{
	const uint64_t *words = pagus_handle_open(x, handle);
	bool as_written = words;

	for (uint32_t n = 0; n < PAGE_BYTES / 8 && as_written; n += PATTERN_STRIDE)
		as_written = words[n] == handle + n;
	return words && pagus_handle_close(x, handle) == PAGUS_OK && as_written;
}

#endif
