/* SPDX-License-Identifier: MIT */
/*
 * Migration: blocks in use are claimed from their owner, moved to other blocks, and freed. The only
 * caller of the port's isolate, move and putback.
 *
 *     block in use -> isolated -> moved: the new block is the owner's, the old one goes to its zone
 *                              -> put back: as before
 *
 * What a page holds is the owner's business; that a block is in use, and as large as it was, is the
 * library's: both are looked at again when the claim stands.
 */
#ifndef PG_CONTIG_MIGRATE_H
#define PG_CONTIG_MIGRATE_H

#include "watch/event.h"

#define PG_MIGRATE_BATCH 32u /* blocks (COMPACT_CLUSTER_MAX) */

struct pg_migration;

#define PG_MIGRATE_NO_FIT UINT32_MAX

/*
 * A block of `order` for what is at `from`, handed out already, as movable; PG_NONE: there is
 * none; NO_FIT: none of this order, which ends nothing but the attempt to move this block. And a
 * block of those back, which is nobody's content.
 */
typedef uint32_t pg_migrate_get(struct pg_call *c, struct pg_migration *m, uint32_t from,
				uint32_t order);
typedef void pg_migrate_put(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order);

struct pg_migration {
	struct pagus_migrate how;
	pg_migrate_get *get;
	pg_migrate_put *put;
	void *own;      /* of get and put */
	bool unevictable; /* blocks that are locked in memory too */
	uint32_t nr;    /* isolated blocks, */
	uint32_t nr_pages;
	struct { uint32_t i, order; } block[PG_MIGRATE_BATCH];
	uint64_t moved_pages, failed_pages; /* in all batches */
};

/* What a batch came to. */
enum pg_migrated {
	PG_MIGRATED_ALL,  /* none is left */
	PG_MIGRATED_SOME, /* those left could not be moved */
	PG_MIGRATED_NO_MEMORY /* `get` had none: nothing more was tried */
};

/* Does it look as if the block in use at i could be moved? Without any lock: only a hint. */
bool pg_migrate_hint(const struct pg_call *c, const struct pg_migration *m, uint32_t i,
		     uint32_t order);

/*
 * Claim the block in use of `order` at i, while there is room for it. False: it cannot be moved, or
 * is another by now. No lock may be held.
 */
bool pg_migrate_isolate(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order);

/*
 * Move what is isolated: ASYNC at most 10 times each, else 3 times without blocking and 7 times as
 * `how` says (migrate_pages). What is left stays isolated. No lock may be held.
 */
enum pg_migrated pg_migrate_run(struct pg_call *c, struct pg_migration *m);

/* Put back what is left, from the `from`-th block on. */
void pg_migrate_putback(struct pg_call *c, struct pg_migration *m, uint32_t from);

#endif
