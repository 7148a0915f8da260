/* SPDX-License-Identifier: MIT */
/* No restartable sequences for this processor: every block is got and put by a call. */
#ifndef PX_CS_H
#define PX_CS_H

#include "hot.h"

#define PX_HAS_CS false

static inline uint32_t px_cs_pop(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack)
{
	(void)hots;
	(void)nr_cpus;
	(void)stack;
	return PX_HOT_NO_PAGE;
}

static inline bool px_cs_push(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack, uint32_t page)
{
	(void)hots;
	(void)nr_cpus;
	(void)stack;
	(void)page;
	return false;
}

static inline uint32_t px_cs_push_many(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack,
				       const uint32_t *pages, uint32_t count)
{
	(void)hots;
	(void)nr_cpus;
	(void)stack;
	(void)pages;
	(void)count;
	return 0;
}

static inline uint32_t px_cs_pop_many(struct px_hot *hots, uint32_t nr_cpus, uint64_t stack,
				      uint32_t *pages, uint32_t count)
{
	(void)hots;
	(void)nr_cpus;
	(void)stack;
	(void)pages;
	(void)count;
	return 0;
}

#endif
