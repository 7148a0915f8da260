/* SPDX-License-Identifier: MIT */
#include "weave/move.h"

#include <pagus/compact.h>

#include "alloc/alloc.h"
#include "alloc/free.h"
#include "contig/migrate.h"
#include "weave/world.h"

#define MOST_BLOCKS 4

static uint32_t get(struct pg_call *c, struct pg_migration *m, uint32_t from, uint32_t order)
{
	const struct pagus_request req = { .gfp = GFP_NOWAIT | __GFP_MOVABLE, .order = order,
					   .node = PAGUS_NO_NODE };
	struct pagus_result res;

	(void)m;
	(void)from;
	return pg_alloc(c, &req, &res) == PAGUS_OK ? pg_index(c->st, res.pfn) : PG_NONE;
}

static void put(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	(void)m;
	pg_free_checked(c, i, order);
}

void move_some(uint64_t *random)
{
	struct pg_migration m = {
		.how = { .mode = PAGUS_MIGRATE_SYNC, .gfp = GFP_KERNEL }, .get = get, .put = put,
	};
	struct pg_call c = pg_call_begin(&world.p);

	world_mover(true);
	for (uint32_t n = 0; n < MOST_BLOCKS && world.nr_held; n++) {
		struct world_block block = world.held[weave_random(random, world.nr_held)];

		pg_migrate_isolate(&c, &m, pg_index(c.st, block.pfn), block.order);
	}
	pg_migrate_run(&c, &m);
	pg_migrate_putback(&c, &m, 0);
	pg_call_end(&c);
	world_mover(false);
}

void move_compact(uint64_t *random)
{
	struct pagus_compact_zone how = {
		.order = 1 + weave_random(random, WORLD_MAX_ORDER),
		.migratetype = (enum pagus_migratetype)weave_random(random, 3), .gfp = GFP_KERNEL,
		.mode = (enum pagus_migrate_mode)weave_random(random, 3),
		.ignore_hints = weave_random(random, 2),
	};

	if (weave_random(random, 2) == 0)
		how.order = PAGUS_COMPACT_WHOLE;
	world_mover(true);
	pagus_compact_zone(&world.p, &how, NULL);
	world_mover(false);
}
