/* SPDX-License-Identifier: MIT */
/*
 * Memory failure: where the page is decides. (memory_failure, soft_offline_page, unpoison_memory,
 * take_page_off_buddy)
 *
 * A page can be looked for only with the zone's lock held, and where CPUs own pageblocks only in one
 * that is the zone's. One on a pcp list is found by draining; what is on its way from one place to
 * another, by looking again.
 */
#include <pagus/failure.h>

#include "alloc/alloc.h"
#include "alloc/free.h"
#include "contig/migrate.h"
#include "pcp/cache.h"
#include "pcp/maps.h"
#include "pcp/suspect.h"

#define MAX_LOOKS 16

enum where { OUT, TAKEN, USED, ELSEWHERE, LEAKED };

/*
 * Page i is cut out of the free block that begins at `head`: halves without it stay free, on the
 * lists of their types, and it is nobody's.
 */
static void take_off(struct pg_call *c, struct pg_zone *z, uint32_t head, uint32_t i)
{
	struct pagus_state *st = c->st;
	uint32_t order = pg_view(st, head).order, type = pg_block_type(st, i);

	pg_store_remove(st, z, head);
	while (order-- > 0) {
		uint32_t upper = head + (1u << order), rest = i >= upper ? head : upper;

		head = i >= upper ? upper : head;
		pg_store_insert(st, z, rest, order, pg_block_type(st, rest), PG_HEAD);
		pg_count(c, PAGUS_COUNTER_split, 1);
	}
	pg_account(c, z, -1, type);
	pg_poison_leak(c, i);
}

/* With the zone's lock held. A free page is taken. */
static enum where look(struct pg_call *c, struct pg_zone *z, uint32_t i)
{
	uint32_t head = pg_head(c->st, i), kind;

	if (head == PG_NONE)
		return ELSEWHERE;
	kind = pg_view(c->st, head).kind;
	switch (kind) {
	case PAGUS_PAGE_HOLE:
	case PAGUS_PAGE_RESERVED:
		return OUT;
	case PAGUS_PAGE_FREE:
		take_off(c, z, head, i);
		return TAKEN;
	case PAGUS_PAGE_ALLOCATED:
	case PAGUS_PAGE_INHERITED:
		return USED;
	case PAGUS_PAGE_LEAKED:
		return LEAKED;
	default:
		return ELSEWHERE;
	}
}

/* The page's pageblock is the zone's, and what was put off is done. */
static enum where look_locked(struct pg_call *c, uint32_t i)
{
	const struct pg_pcp_ops *ops = pg_pcps[c->st->pcp_policy];
	struct pg_zone *z = pg_zone_of(c->st, i);
	enum where where;

	if (ops->release)
		ops->release(c, i);
	pg_zone_lock(c, z, PAGUS_REASON_CONTIG);
	pg_free_deferred(c, z, PG_HEAD);
	where = look(c, z, i);
	pg_zone_unlock(c, z);
	return where;
}

static void drain(struct pg_call *c, const struct pg_zone *z)
{
	for (uint32_t cpu = 0; cpu < c->st->nr_cpus; cpu++)
		pg_pcp_drain_all(c, pg_zone(c->st, z->id), cpu);
}

static enum pagus_status note_used(struct pg_call *c, uint32_t i, enum where *where)
{
	if (!pg_poison_note(c->st, i))
		return PAGUS_NO_MEMORY;
	/* Nothing goes round without a look at `content` from here on, be it in a cache now. */
	pg_cache_close_all(c, pg_zone_of(c->st, i));
	/* A free that had looked at `content` before has passed, or will be found when it has. */
	*where = look_locked(c, i);
	if (*where == USED)
		return PAGUS_OK;
	if (pg_poison_forget(c->st, i))
		return PAGUS_BUSY;
	/* By a free that came in between. */
	*where = LEAKED;
	return PAGUS_OK;
}

/* Page i of the zone is taken, or noted as in use; OUT, ELSEWHERE: neither. */
static enum pagus_status poison(struct pg_call *c, uint32_t i, enum where *where)
{
	enum pagus_status status = PAGUS_BUSY;

	for (uint32_t n = 0; n < MAX_LOOKS && status == PAGUS_BUSY; n++) {
		*where = look_locked(c, i);
		if (*where == OUT)
			return PAGUS_NOT_ALLOCATED;
		/* It was found bad before, as a part of what it lies in. */
		if (*where == LEAKED)
			return PAGUS_BUSY;
		if (*where == USED)
			status = note_used(c, i, where);
		else if (*where == ELSEWHERE)
			drain(c, pg_zone_of(c->st, i));
		if (*where == TAKEN)
			return PAGUS_OK;
	}
	return status;
}

static bool is_poisoned(const struct pagus_state *st, uint32_t i)
{
	return pg_poison_noted(st, i) || pg_poison_leaked(st, i);
}

static enum pagus_status find_page(const struct pagus_state *st, pagus_pfn_t pfn, uint32_t *i)
{
	return pg_block_at(st, pfn, 0, i);
}

static void tell(struct pg_call *c, uint32_t i, enum where where, bool soft)
{
	pg_atomic_add(&c->st->nr_poisoned, 1);
	pg_event(c, PAGUS_EVENT_MEMORY_FAILURE, i, 0, 0, where == USED, soft);
}

static enum pagus_status poison_page(struct pg_call *c, pagus_pfn_t pfn, bool hardware, bool *in_use)
{
	enum pagus_status status;
	enum where where = OUT;
	uint32_t i;

	*in_use = false;
	status = find_page(c->st, pfn, &i);
	if (status != PAGUS_OK)
		return status;
	if (is_poisoned(c->st, i))
		return PAGUS_BUSY;
	status = poison(c, i, &where);
	if (status != PAGUS_OK)
		return status;
	if (hardware)
		pg_atomic_store(&c->st->hw_failed, 1);
	*in_use = where == USED;
	tell(c, i, where, false);
	return PAGUS_OK;
}

/* ---- soft offline ------------------------------------------------------------------------------ */

static uint32_t get_block(struct pg_call *c, struct pg_migration *m, uint32_t from, uint32_t order)
{
	const struct pagus_request req = {
		.gfp = m->how.gfp | __GFP_MOVABLE, .order = order, .node = pg_zone_of(c->st, from)->node,
	};
	struct pagus_result res;

	return pg_alloc(c, &req, &res) == PAGUS_OK ? pg_index(c->st, res.pfn) : PG_NONE;
}

static void put_block(struct pg_call *c, struct pg_migration *m, uint32_t i, uint32_t order)
{
	(void)m;
	pg_free_checked(c, i, order);
}

/* What the block of the noted page holds is moved: the free at the end of that leaks the page. */
static enum pagus_status move_away(struct pg_call *c, uint32_t i)
{
	struct pg_migration m = {
		.how = { .mode = PAGUS_MIGRATE_SYNC, .reason = PAGUS_MIGRATE_MEMORY_FAILURE,
			 .gfp = GFP_USER | __GFP_RETRY_MAYFAIL },
		.get = get_block, .put = put_block, .unevictable = true,
	};
	enum pg_migrated migrated = PG_MIGRATED_SOME;
	uint32_t head = pg_head(c->st, i);

	if (head != PG_NONE && pg_migrate_isolate(c, &m, head, pg_view(c->st, head).order))
		migrated = pg_migrate_run(c, &m);
	pg_migrate_putback(c, &m, 0);
	/* Leaked by this, or by a free of its owner's. */
	if (!pg_poison_forget(c->st, i))
		return PAGUS_OK;
	return migrated == PG_MIGRATED_NO_MEMORY ? PAGUS_NO_MEMORY : PAGUS_BUSY;
}

static enum pagus_status soft_offline(struct pg_call *c, pagus_pfn_t pfn)
{
	enum pagus_status status;
	enum where where = OUT;
	uint32_t i;

	status = find_page(c->st, pfn, &i);
	if (status != PAGUS_OK)
		return status;
	if (is_poisoned(c->st, i))
		return PAGUS_BUSY;
	status = poison(c, i, &where);
	if (status == PAGUS_OK && where == USED)
		status = move_away(c, i);
	if (status == PAGUS_OK)
		tell(c, i, TAKEN, true);
	return status;
}

/* ---- back again -------------------------------------------------------------------------------- */

/* A leaked page is nobody's again. False: it is not leaked as poisoned. */
static bool take_back(struct pg_call *c, struct pg_zone *z, uint32_t i)
{
	uint32_t owner = 0;
	bool was;

	if (pg_mapped(c->st))
		owner = pg_maps_lock(c, z, i);
	else
		pg_zone_lock(c, z, PAGUS_REASON_CONTIG);
	was = pg_poison_leaked(c->st, i);
	if (was)
		pg_poison_unleak(c, i);
	if (pg_mapped(c->st))
		pg_maps_unlock(c, z, owner);
	else
		pg_zone_unlock(c, z);
	return was;
}

static enum pagus_status unpoison(struct pg_call *c, pagus_pfn_t pfn)
{
	struct pagus_state *st = c->st;
	enum pagus_status status;
	struct pg_zone *z;
	bool was;
	uint32_t i;

	status = find_page(st, pfn, &i);
	if (status != PAGUS_OK)
		return status;
	if (pg_atomic_load(&st->hw_failed))
		return PAGUS_BUSY;
	z = pg_zone_of(st, i);
	was = pg_poison_forget(st, i);
	if (!was && take_back(c, z, i)) {
		pg_free_direct(c, i, 0, PG_HEAD);
		/* Where pages are in maps that has put it off. */
		pg_zone_lock(c, z, PAGUS_REASON_CONTIG);
		pg_free_deferred(c, z, PG_HEAD);
		pg_zone_unlock(c, z);
		was = true;
	}
	if (was)
		pg_atomic_sub(&st->nr_poisoned, 1);
	return was ? PAGUS_OK : PAGUS_BUSY;
}

/* ---- the calls --------------------------------------------------------------------------------- */

/* One at a time: who comes second finds it busy. */
#define ALONE(expression)                                                                          \
	do {                                                                                      \
		struct pg_call c;                                                                 \
		enum pagus_status status;                                                         \
                                                                                                  \
		if (pg_atomic_exchange(&p->state->failing, 1))                                    \
			return PAGUS_BUSY;                                                        \
		c = pg_call_begin(p);                                                             \
		status = (expression);                                                            \
		pg_call_end(&c);                                                                  \
		pg_atomic_store(&p->state->failing, 0);                                           \
		return status;                                                                    \
	} while (0)

enum pagus_status pagus_poison_page(struct pagus *p, pagus_pfn_t pfn, bool hardware, bool *in_use)
{
	ALONE(poison_page(&c, pfn, hardware, in_use));
}

enum pagus_status pagus_soft_offline(struct pagus *p, pagus_pfn_t pfn)
{
	ALONE(soft_offline(&c, pfn));
}

enum pagus_status pagus_unpoison_page(struct pagus *p, pagus_pfn_t pfn)
{
	ALONE(unpoison(&c, pfn));
}

uint64_t pagus_nr_poisoned(const struct pagus *p)
{
	return pg_atomic_load(&p->state->nr_poisoned);
}
