/* SPDX-License-Identifier: MIT */
/*
 * Allocations and frees of one page that the CPU's own list serves, for callgrind to count, over a
 * port that does nothing. The first rounds fill the list.
 * Usage: hit POLICY ROUNDS movable|unmovable
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pagus/pagus.h>

#define NR_PAGES 262144u
#define WARM_UP  1000

static uint32_t cpu_pin(void *ctx)
{
	(void)ctx;
	return 0;
}

static void cpu_unpin(void *ctx)
{
	(void)ctx;
}

static void lock(void *ctx, enum pagus_lock_class cls, uint32_t index, enum pagus_lock_reason why)
{
	(void)ctx;
	(void)cls;
	(void)index;
	(void)why;
}

static bool trylock(void *ctx, enum pagus_lock_class cls, uint32_t index,
		    enum pagus_lock_reason why)
{
	lock(ctx, cls, index, why);
	return true;
}

static void unlock(void *ctx, enum pagus_lock_class cls, uint32_t index, uint32_t work)
{
	(void)ctx;
	(void)cls;
	(void)index;
	(void)work;
}

static const struct pagus_port null_port = {
	.cpu_pin = cpu_pin, .cpu_unpin = cpu_unpin,
	.lock = lock, .trylock = trylock, .unlock = unlock,
};

static bool start(struct pagus *p, const char *policy)
{
	static const struct pagus_range range = { 0, NR_PAGES, 0, PAGUS_ZONE_NORMAL };
	struct pagus_config cfg = PAGUS_CONFIG_X86_64;
	size_t bytes;

	cfg.ranges = &range;
	cfg.nr_ranges = 1;
	cfg.policy = policy;
	bytes = pagus_sizeof(&cfg);
	return bytes &&
	       pagus_init(p, aligned_alloc(64, bytes), bytes, &cfg, &null_port, NULL) == PAGUS_OK &&
	       pagus_boot_free(p, 0, NR_PAGES) == PAGUS_OK && pagus_boot_done(p) == PAGUS_OK;
}

int main(int argc, char **argv)
{
	struct pagus p;
	pagus_pfn_t pfn;
	long rounds = argc == 4 ? atol(argv[2]) : 0;
	uint32_t gfp = GFP_KERNEL;

	if (rounds <= 0 || (strcmp(argv[3], "movable") && strcmp(argv[3], "unmovable"))) {
		fputs("usage: hit POLICY ROUNDS movable|unmovable\n", stderr);
		return 1;
	}
	if (!strcmp(argv[3], "movable"))
		gfp = GFP_HIGHUSER_MOVABLE;
	if (!start(&p, argv[1])) {
		fprintf(stderr, "hit: %s: no such policy\n", argv[1]);
		return 1;
	}
	/* One that stays: where everything is clean, what cannot move is a matter of the slow path. */
	if (pagus_alloc_pages(&p, gfp, 0, &pfn) != PAGUS_OK)
		return 1;
	for (long n = 0; n < WARM_UP + rounds; n++)
		if (pagus_alloc_pages(&p, gfp, 0, &pfn) != PAGUS_OK ||
		    pagus_free_pages(&p, pfn, 0) != PAGUS_OK)
			return 1;
	free(p.state);
	return 0;
}
