/* SPDX-License-Identifier: MIT */
/* No restartable sequences for this processor: every block is got and put by a call. */
#ifndef PX_CS_H
#define PX_CS_H

#include "hot.h"

#define PX_HAS_CS false

static inline uint32_t px_cs_pop(struct px_stack *first, uint32_t nr_cpus)
{
	(void)first;
	(void)nr_cpus;
	return PX_HOT_NO_PAGE;
}

static inline bool px_cs_push(struct px_stack *first, uint32_t nr_cpus, uint32_t page)
{
	(void)first;
	(void)nr_cpus;
	(void)page;
	return false;
}

static inline uint32_t px_cs_push_many(struct px_stack *first, uint32_t nr_cpus,
				       const uint32_t *pages, uint32_t count)
{
	(void)first;
	(void)nr_cpus;
	(void)pages;
	(void)count;
	return 0;
}

static inline uint32_t px_cs_pop_many(struct px_stack *first, uint32_t nr_cpus, uint32_t *pages,
				      uint32_t count)
{
	(void)first;
	(void)nr_cpus;
	(void)pages;
	(void)count;
	return 0;
}

#endif
