/* SPDX-License-Identifier: MIT */
/* No restartable sequences for this processor: every page is got and put by a call. */
#ifndef PX_CS_H
#define PX_CS_H

#include "hot.h"

#define PX_HAS_CS false

static inline void *px_cs_take(struct px_hot *hots, uint32_t nr_cpus, uint32_t type)
{
	(void)hots;
	(void)nr_cpus;
	(void)type;
	return NULL;
}

static inline bool px_cs_put(struct px_hot *hots, uint32_t nr_cpus, const void *address)
{
	(void)hots;
	(void)nr_cpus;
	(void)address;
	return false;
}

#endif
