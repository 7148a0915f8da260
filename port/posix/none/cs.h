/* SPDX-License-Identifier: MIT */
/* No restartable sequences for this processor: every block is got and put by a call. */
#ifndef PX_CS_H
#define PX_CS_H

#include "hot.h"

#define PX_HAS_CS false

static inline ptrdiff_t px_cs_area(void)
{
	return 0;
}

static inline bool px_cs_pop(const struct pagus_posix *x, uint64_t stack_at, uint64_t *page)
{
	(void)x;
	(void)stack_at;
	*page = PX_HOT_NO_PAGE;
	return false;
}

static inline bool px_cs_push(const struct pagus_posix *x, uint64_t stack_at, uint64_t page)
{
	(void)x;
	(void)stack_at;
	(void)page;
	return false;
}

static inline uint32_t px_cs_push_many(const struct pagus_posix *x, uint64_t stack_at,
				       const uint32_t *pages, uint32_t count)
{
	(void)x;
	(void)stack_at;
	(void)pages;
	(void)count;
	return 0;
}

static inline uint32_t px_cs_pop_many(const struct pagus_posix *x, uint64_t stack_at,
				      uint32_t *pages, uint32_t count)
{
	(void)x;
	(void)stack_at;
	(void)pages;
	(void)count;
	return 0;
}

#endif
