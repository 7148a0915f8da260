/* SPDX-License-Identifier: MIT */
/* pagus in a process with threads; the argument is a policy. */
#include <stdlib.h>
#include <unistd.h>

#include <pagus/posix.h>

#include "adapter.h"

static void *create(struct bench_setup *setup)
{
	const struct pagus_posix_config config = {
		.policy = setup->argument,
		.bytes = setup->bytes,
		.nr_cpus = (uint32_t)sysconf(_SC_NPROCESSORS_CONF),
	};
	struct pagus_posix *port;
	enum pagus_status status;

	setup->refusal = "no such policy";
	if (!pagus_policy_known(setup->argument))
		return NULL;
	status = pagus_posix_create(&config, &port);
	setup->refusal = pagus_status_text(status);
	if (status != PAGUS_OK)
		return NULL;
	setup->base = pagus_posix_pointer(port, 0);
	setup->metadata_bytes = pagus_posix_metadata_bytes(port);
	return port;
}

static void *enter(void *allocator, uint32_t thread)
{
	(void)thread;
	return allocator;
}

static void *get(void *self, uint32_t order)
{
	return pagus_posix_get(self, GFP_HIGHUSER_MOVABLE, order);
}

static void put(void *self, void *block, uint32_t order)
{
	if (pagus_posix_put(self, block, order) != PAGUS_OK)
		abort();
}

static void destroy(void *allocator)
{
	pagus_posix_destroy(allocator);
}

const struct bench_adapter bench_adapter = { "pagus", create, enter, get, put, destroy };
